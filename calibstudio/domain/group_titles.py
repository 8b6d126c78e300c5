"""What groups are called: ``Dark · 300 s · −10 °C``, ``Flat · Ha · 2026-04-17``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from calibstudio.domain.group_notes import WORDS
from calibstudio.domain.grouping import Group
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.kinds import FrameKind, kind_title
from calibstudio.domain.wording import TIMES, exposure, quantity, significant, size

DOT = " · "

_PARTS = {
    FrameKind.BIAS: ("temperature",),
    FrameKind.DARK: ("exposure_s", "temperature"),
    FrameKind.DARK_FLAT: ("exposure_s", "temperature"),
    FrameKind.FLAT: ("filter", "night"),
    FrameKind.LIGHT: ("filter", "exposure_s", "night"),
}
_OTHER_PARTS = ("object", "filter", "exposure_s")
_TELLING_APART = (
    "gain",
    "offset",
    "binning",
    "temperature",
    "exposure_s",
    "readout_mode",
    "shape",
    "region",
    "rotator_deg",
    "focal_length_mm",
    "telescope",
    "camera",
    "serial",
    "bayer",
    "filter",
    "night",
)


def group_title(group: Group) -> str:
    """The operator's own title, or the automatic one."""
    return group.name or DOT.join(_automatic(group))


def group_titles(groups: Sequence[Group]) -> dict[str, str]:
    """Titles by group id; groups that would be called the same get what tells them apart."""
    titles = {g.id: group_title(g) for g in groups}
    counted = Counter(titles.values())
    for title, n in counted.items():
        if n < 2:
            continue
        alike = [g for g in groups if titles[g.id] == title]
        differing = [w for w in _TELLING_APART if len({_part(w, g.key) for g in alike}) > 1]
        shown = [w for w in differing if w not in _parts(alike[0])][:3]
        for group in alike:
            extra = [_part(w, group.key) or f"{_name(w)} unknown" for w in shown]
            titles[group.id] = DOT.join([title, *extra])
    return titles


def _parts(group: Group) -> tuple[str, ...]:
    return next((p for k, p in _PARTS.items() if k == group.kind), _OTHER_PARTS)


def _automatic(group: Group) -> list[str]:
    said = [_part(word, group.key) for word in _parts(group)]
    return [kind_title(group.kind), *(words for words in said if words)]


def _name(word: str) -> str:
    return "temperature" if word == "temperature" else WORDS.get(word, word)


def _part(word: str, key: Mapping[str, HeaderValue]) -> str:
    """One part of a title; empty when it is not known."""
    if word == "temperature":
        set_c, measured_c = key.get("set_temp_c"), key.get("sensor_temp_c")
        # A group that was taken off its set temperature is called by the measured one.
        return (
            ""
            if set_c is None and measured_c is None
            else short_temperature(measured_c if measured_c is not None else set_c)
        )
    value = key.get(word)
    return "" if value is None else value_text(word, value)


def short_temperature(celsius: HeaderValue | None) -> str:
    """``−10 °C``; a decimal only where there is one."""
    if not isinstance(celsius, (int, float)):
        return ""
    return quantity(celsius, "°C", 0 if abs(celsius - round(celsius)) < 0.05 else 1)


def value_text(word: str, value: HeaderValue) -> str:
    """Write a key's value for a person: ``300 s``, ``gain 120``, ``2 × 2``."""
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, tuple):
        if word == "shape" and len(value) == 2:
            return size((value[0], value[1]))
        joined = f" {TIMES} ".join(str(v) for v in value[-2:])
        return f"bin {joined}" if word == "binning" else f"region {value[0]},{value[1]} {joined}"
    if isinstance(value, (int, float)):
        if word == "exposure_s":
            return exposure(float(value))
        if word.endswith("temp_c"):
            return short_temperature(value)
        unit = {"focal_length_mm": "mm", "rotator_deg": "°"}.get(word)
        if unit:
            return quantity(float(value), unit, 0 if float(value).is_integer() else 1)
        return f"{WORDS.get(word, word)} {significant(float(value))}"
    return str(value)
