"""Where frames that stand alone would nearly belong, and in what they differ (RULES 3).

An offer is never taken by itself: it is shown with its differences, and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from calibstudio.domain.filters import same_filter
from calibstudio.domain.group_notes import WORDS, listed, plural
from calibstudio.domain.group_titles import group_title, value_text
from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.wording import count

FEW = 3
"""A group of fewer frames is looked at as possible strays."""
MAX_DIFFERENCES = 2

_NEAR: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "exposure_s": lambda a, b: abs(a - b) <= max(0.05, 0.1 * max(a, b)),
        "set_temp_c": lambda a, b: abs(a - b) <= 3.0,
        "sensor_temp_c": lambda a, b: abs(a - b) <= 5.0,
        "rotator_deg": lambda a, b: abs((a - b + 180.0) % 360.0 - 180.0) <= 10.0,
        "focal_length_mm": lambda a, b: abs(a - b) <= 0.05 * max(a, b),
    }
)
"""What may differ a little: frames that differ in anything else, or by more, are no strays."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One key in which a group differs from where it is offered. ``None``: unknown."""

    word: str
    here: HeaderValue | None
    there: HeaderValue | None

    @property
    def is_unknown(self) -> bool:
        """Whether one of the two does not say it (which is not the same as different)."""
        return self.here is None or self.there is None


@dataclass(frozen=True, slots=True)
class Offer:
    """Frames, where they would nearly belong, and what differs."""

    frames: tuple[Path, ...]
    group_id: str
    """The group they are in now."""
    target_id: str
    """The group they are offered to; empty where a correction of their kind is offered."""
    differences: tuple[Difference, ...]
    text: str
    """One or two sentences."""
    values: Mapping[str, HeaderValue] = field(default_factory=lambda: MappingProxyType({}))
    """Corrections that would make them belong, for `regroup.corrected`: only what they do not say
    themselves, or their kind."""


def offers(grouping: Grouping, *, few: int = FEW) -> tuple[Offer, ...]:
    """Return an offer for every group that looks like strays, and for frames named otherwise.

    Parameters
    ----------
    grouping
        As `group_frames` or a change by hand gives it.
    few
        Groups of fewer frames are strays, if there is a larger one near; groups with unknown
        keys always are.
    """
    found = [o for g in grouping.groups if (o := _nearest(grouping, g, few)) is not None]
    return (*found, *(o for g in grouping.groups for o in _named_otherwise(grouping, g)))


def differences(here: Group, there: Group) -> tuple[Difference, ...]:
    """Return the keys in which two groups differ, or that only one of them says."""
    words = dict.fromkeys([*there.key, *here.key])
    pairs = [(word, _said(here, word), _said(there, word)) for word in words]
    return tuple(Difference(w, a, b) for w, a, b in pairs if not _equal(w, a, b))


def _said(group: Group, word: str) -> HeaderValue | None:
    """A key's value; frames that are at their set temperature were measured there."""
    if word == "sensor_temp_c":
        return group.key.get(word, group.key.get("set_temp_c"))
    return group.key.get(word)


def _equal(word: str, a: HeaderValue | None, b: HeaderValue | None) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= 1e-6 * max(1.0, abs(a), abs(b))
    if word == "filter" and isinstance(a, str) and isinstance(b, str):
        return same_filter(a, b)
    return a == b


def _nearest(grouping: Grouping, group: Group, few: int) -> Offer | None:
    best: tuple[tuple[object, ...], Group, tuple[Difference, ...]] | None = None
    for other in grouping.groups:
        if other.id == group.id or other.kind != group.kind:
            continue
        found = differences(group, other)
        if not _is_near(group, other, found, few):
            continue
        rank = (
            sum(not d.is_unknown for d in found),
            len(found),
            sum(_distance(d) for d in found),
            -len(other.frames),
            other.id,
        )
        if best is None or rank < best[0]:
            best = (rank, other, found)
    if best is None:
        return None
    _, target, found = best
    values = {d.word: d.there for d in found if d.here is None and d.there is not None}
    return Offer(
        group.frames,
        group.id,
        target.id,
        found,
        _sentence(group, target, found),
        MappingProxyType(values),
    )


def _is_near(group: Group, other: Group, found: tuple[Difference, ...], few: int) -> bool:
    differing = [d for d in found if not d.is_unknown]
    if not found or len(differing) > MAX_DIFFERENCES or not all(map(_is_close, differing)):
        return False
    answers = any(d.here is None for d in found)
    is_stray = len(group.frames) < few and len(other.frames) > len(group.frames)
    # Where the other does not say it either, nothing is nearer than before.
    return (answers and not any(d.there is None for d in found)) or is_stray


def _is_close(difference: Difference) -> bool:
    near = _NEAR.get(difference.word)
    a, b = difference.here, difference.there
    return (
        near is not None
        and isinstance(a, (int, float))
        and isinstance(b, (int, float))
        and near(a, b)
    )


def _distance(difference: Difference) -> float:
    """How far apart, 0 to 1, so that nearer numbers are offered first."""
    a, b = difference.here, difference.there
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) / (abs(a) + abs(b) or 1.0)
    return 1.0


def _sentence(group: Group, target: Group, found: tuple[Difference, ...]) -> str:
    who = plural(group.kind, len(group.frames))
    title = group_title(target)
    sentences = []
    unsaid = [WORDS.get(d.word, d.word) for d in found if d.here is None]
    if unsaid:
        verb = "does not say its" if len(group.frames) == 1 else "do not say their"
        said = listed([_value(d.word, d.there) for d in found if d.here is None])
        sentences.append(f"{who} {verb} {listed(unsaid)}. {title} has {said}.")
    other = [d for d in found if d.here is not None]
    if other:
        told = listed(
            [f"{_value(d.word, d.here)} instead of {_value(d.word, d.there)}" for d in other]
        )
        sentences.append(f"{who} would fit {title} but for {told}.")
    return " ".join(sentences)


def _value(word: str, value: HeaderValue | None) -> str:
    return f"unknown {WORDS.get(word, word)}" if value is None else value_text(word, value)


def _named_otherwise(grouping: Grouping, group: Group) -> list[Offer]:
    """Frames whose names say another kind than their headers (flats written as lights)."""
    by_kind: dict[str, list[Path]] = {}
    for path in group.frames:
        header = grouping.headers[path]
        if header.path_kind is not None and header.path_kind != group.kind:
            by_kind.setdefault(header.path_kind, []).append(path)
    return [
        Offer(
            tuple(frames),
            group.id,
            "",
            (Difference("kind", group.kind, kind),),
            f"{count(len(frames), 'frame')} of {group_title(group)} "
            f"{'is' if len(frames) == 1 else 'are'} called {kind} by "
            f"{'its' if len(frames) == 1 else 'their'} names.",
            MappingProxyType({"kind": kind}),
        )
        for kind, frames in sorted(by_kind.items())
    ]
