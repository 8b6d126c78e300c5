"""What the frames of a master have in common, for its header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from calibstudio.domain.filters import same_filter
from calibstudio.domain.header import JSON_WORDS, FrameHeader, HeaderValue
from calibstudio.domain.header_edit import CORRECTED

WORDS = (*JSON_WORDS, "pixel_size_um", "object_name", "detectors")
_NOT_COMMON = frozenset({"observed_utc", "shape"})


@dataclass(frozen=True, slots=True)
class CommonValues:
    """Values of several frames as one."""

    values: Mapping[str, HeaderValue]
    """The common value, or the mean of numbers that vary, by JSON word."""
    ranges: Mapping[str, tuple[float, float]]
    """Least and greatest of numbers that vary."""
    sentences: tuple[str, ...]
    """What was not copied because the frames differ, and what was given by hand."""


def common_values(headers: Sequence[FrameHeader], key: Mapping[str, HeaderValue]) -> CommonValues:
    """Return what frames share; a text on which they differ is left out, and said.

    Parameters
    ----------
    headers
        Of the frames that are used, in order.
    key
        Of their group: words in it stand for texts that are spelt differently.
    """
    values: dict[str, HeaderValue] = {}
    ranges: dict[str, tuple[float, float]] = {}
    differ: list[str] = []
    for word in WORDS:
        known = [v for h in headers if (v := getattr(h, word)) is not None and v != ""]
        if word in _NOT_COMMON or not known:
            continue
        first = known[0]
        if all(v == first for v in known) and _may_stand(word, known, headers):
            values[word] = first
        elif isinstance(first, (int, float)):
            numbers = _unwrapped([float(v) for v in known], word)
            values[word] = numbers[0] if len(set(numbers)) == 1 else round(fmean(numbers), 9)
            if len(set(numbers)) > 1:
                ranges[word] = (min(numbers), max(numbers))
        elif word in key:
            values[word] = key[word]
        elif word == "night":
            values[word] = min(known)
            differ.append(f"The frames are of {len(set(known))} nights; the first is named.")
        elif word == "filter" and all(same_filter(str(v), str(first)) for v in known):
            values[word] = first
        else:
            differ.append(f"The frames differ in {word}: it is not copied.")
    if headers and headers[0].shape is not None:
        values["shape"] = headers[0].shape
    return CommonValues(values, ranges, (*differ, *_by_hand(headers)))


def _may_stand(word: str, known: Sequence[object], headers: Sequence[FrameHeader]) -> bool:
    """Whether a value that only some frames say stands for all: measurements yes, settings no."""
    return len(known) == len(headers) or word in ("sensor_temp_c", "egain_e_per_adu", "night")


def _unwrapped(numbers: list[float], word: str) -> list[float]:
    """Bring angles that lie across 0° together."""
    if word == "rotator_deg" and max(numbers) - min(numbers) > 180.0:
        return [n - 360.0 if n > 180.0 else n for n in numbers]
    return numbers


def _by_hand(headers: Sequence[FrameHeader]) -> list[str]:
    """Say which values a person corrected."""
    counts: dict[str, int] = {}
    for header in headers:
        for word, origin in header.origin.items():
            if origin == CORRECTED:
                counts[word] = counts.get(word, 0) + 1
    return [
        f"{word} was corrected by hand for {n} of {len(headers)} frames."
        for word, n in sorted(counts.items())
    ]
