"""What is worth saying about a group: unknown values, cut chains, frames that disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.recipe import Tolerances
from calibstudio.domain.wording import count, number, temperature

MAX_FRAME_NOTES = 5

WORDS = {
    "camera": "camera",
    "serial": "serial number",
    "readout_mode": "read-out mode",
    "binning": "binning",
    "region": "region",
    "shape": "size",
    "detectors": "set of detectors",
    "overscan": "treatment of the overscan",
    "bayer": "colour pattern",
    "gain": "gain",
    "offset": "offset",
    "egain_e_per_adu": "e-/ADU",
    "set_temp_c": "temperature",
    "sensor_temp_c": "measured temperature",
    "exposure_s": "exposure",
    "filter": "filter",
    "telescope": "telescope",
    "focal_length_mm": "focal length",
    "rotator_deg": "rotator angle",
    "night": "night",
    "observed_utc": "time",
    "kind": "kind",
    "object": "object",
}
"""What a person calls the grouping keys."""

ASKS = "Nothing is assumed until you answer."
"""How a note ends that waits for an answer."""

_QUIET = frozenset({"readout_mode", "telescope", "focal_length_mm"})
"""Unknown so often that a question for each group would hide the questions that count."""


def asked_words(unknown: Sequence[str], *, has_settings: bool) -> tuple[str, ...]:
    """Return the unknown keys of a group that a person is asked for.

    ``has_settings``: whether the camera is known to have a gain or an offset to set; one that has
    none is not asked for them.
    """
    skipped = _QUIET if has_settings else _QUIET | {"gain", "offset"}
    return tuple(word for word in unknown if word not in skipped and word in WORDS)


def notes_of(
    kind: str,
    key: Mapping[str, HeaderValue],
    headers: Sequence[FrameHeader],
    asked: Sequence[str],
    cut: Sequence[str],
    tolerances: Tolerances,
) -> tuple[str, ...]:
    """Say what a person should know about a group, one sentence each; ``asked``: `asked_words`."""
    notes: list[str] = []
    if asked:
        verb = "does not say its" if len(headers) == 1 else "do not say their"
        words = listed([WORDS[word] for word in asked])
        notes.append(f"{plural(kind, len(headers))} {verb} {words}. {ASKS}")
    notes += [
        f"The frames' values of {WORDS.get(word, word)} run on from group to group: "
        "they are cut at the largest gap."
        for word in cut
    ]
    notes += _temperature_notes(key, headers, tolerances)
    notes += _night_notes(key, headers)
    notes += _frame_notes(headers)
    return tuple(notes)


def _temperature_notes(
    key: Mapping[str, HeaderValue], headers: Sequence[FrameHeader], tolerances: Tolerances
) -> list[str]:
    set_c = key.get("set_temp_c")
    if not isinstance(set_c, (int, float)):
        return []
    away = [
        h.sensor_temp_c
        for h in headers
        if h.sensor_temp_c is not None and abs(h.sensor_temp_c - set_c) > tolerances.sensor_temp_c
    ]
    if not away:
        return []
    worst = max(away, key=lambda t: abs(t - set_c))
    were = "was" if len(away) == 1 else "were"
    return [
        f"{count(len(away), 'frame')} {were} not at the set {temperature(set_c)}: "
        f"up to {temperature(worst)}. Let the cooler settle first."
    ]


def _night_notes(key: Mapping[str, HeaderValue], headers: Sequence[FrameHeader]) -> list[str]:
    """Say it where the night was told from this computer's clock, for want of a site."""
    if "night" not in key:
        return []
    basis = {h.origin.get("night", "").partition(", ")[2] for h in headers}
    if basis == {"this computer's time zone"}:
        return ["The site is not known: the night is told by this computer's time zone."]
    return []


def _frame_notes(headers: Sequence[FrameHeader]) -> list[str]:
    """Notes that frames carry, the most frequent first, each once with its count."""
    counted = Counter(note for h in headers for note in h.notes)
    common = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    shown = [
        note if n == len(headers) else f"{count(n, 'frame')}: {note}"
        for note, n in common[:MAX_FRAME_NOTES]
    ]
    more = len(common) - MAX_FRAME_NOTES
    if more > 0:
        shown.append(f"{number(more)} more notes are with the frames.")
    return shown


def plural(kind: str, n: int) -> str:
    """Count frames of a kind as a person says it: ``12 darks``, ``1 dark flat``."""
    one = kind if kind in ("bias", "dark", "flat", "dark flat", "light") else f"{kind} frame"
    return count(n, one, "biases" if kind == "bias" else f"{one}s")


def listed(words: Sequence[str]) -> str:
    """Join words as a sentence does: ``gain, offset and filter``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
