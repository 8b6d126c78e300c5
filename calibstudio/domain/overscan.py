"""Overscan and trim: which part of a picture is data, which tells its bias level, and by whom.

Sections are written as IRAF and FITS writers do: ``[x1:x2,y1:y2]``, counted from 1, both ends
included (NOAO keyword dictionary: BIASSEC, DATASEC, TRIMSEC; with several amplifiers in one
picture numbered, as DATASEC1 or, of the SOAR and CTIO mosaics, DSEC11).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from calibstudio.domain.wording import size

Shape = tuple[int, int]


class OverscanLevel(StrEnum):
    """How the values of an overscan become a level."""

    NONE = "none"
    MEAN = "mean"
    MEDIAN = "median"
    FIT = "fit"
    """A low polynomial along the rows, fitted to their medians."""


class OverscanOf(StrEnum):
    """What has a level of its own."""

    ROW = "row"
    """Each row; where the overscan lies above or below the data, each column."""
    WHOLE = "whole"


class IfWrong(StrEnum):
    """What is done about frames whose sections are missing or wrong."""

    LEAVE_OUT = "leave-out"
    UNTRIMMED = "untrimmed"
    """All frames are used as they are: of one stack all must be treated alike."""


@dataclass(frozen=True, slots=True)
class OverscanSettings:
    """What is done with the overscan of frames, before anything else."""

    level: OverscanLevel = OverscanLevel.NONE
    of: OverscanOf = OverscanOf.ROW
    order: int = 2
    """Degree of the polynomial; fit only."""
    trim: bool = False
    bias: str = ""
    """Section of the overscan; empty: what the header says."""
    data: str = ""
    """Section of the data; empty: what the header says."""
    if_wrong: IfWrong = IfWrong.LEAVE_OUT

    def __post_init__(self) -> None:
        if not 0 <= self.order <= 9:
            raise ValueError("order must be between 0 and 9")
        if self.level is OverscanLevel.FIT and self.of is OverscanOf.WHOLE:
            raise ValueError("of must be row for a fit")
        for text in (self.bias, self.data):
            if text and _SECTION.fullmatch(text.strip()) is None:
                raise ValueError(
                    f"{'bias' if text == self.bias else 'data'} is {text!r}; "
                    "it must be a section as [1:10,1:500]"
                )

    @property
    def active(self) -> bool:
        """Whether anything is done at all."""
        return self.trim or self.level is not OverscanLevel.NONE

    @property
    def words(self) -> str:
        """What is done, in words that can be compared; empty for nothing."""
        parts = []
        if self.level is OverscanLevel.FIT:
            parts.append(f"polynomial of degree {self.order} taken out")
        elif self.level is not OverscanLevel.NONE:
            what = "of each row" if self.of is OverscanOf.ROW else "of the whole"
            parts.append(f"{self.level.value} {what} taken out")
        if self.trim:
            parts.append("trimmed")
        return ", ".join(parts)


class SectionError(ValueError):
    """A section that cannot be; the message goes on behind the name of the frame."""


@dataclass(frozen=True, slots=True)
class Section:
    """A rectangle: rows y0 to y1, columns x0 to x1, from 0, ends not included."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> Shape:
        """(rows, columns)."""
        return self.y1 - self.y0, self.x1 - self.x0

    def overlaps(self, other: Section) -> bool:
        """Whether they have a pixel in common."""
        return (
            self.y0 < other.y1 and other.y0 < self.y1 and self.x0 < other.x1 and other.x0 < self.x1
        )

    def __str__(self) -> str:
        return f"[{self.x0 + 1}:{self.x1},{self.y0 + 1}:{self.y1}]"


_AXIS = r"\s*(?:\*|(\d*)\s*(:)\s*(\d*)|(\d+))\s*"
_SECTION = re.compile(rf"\[{_AXIS},{_AXIS}\]")


def parse_section(text: str, shape: Shape, name: str) -> Section:
    """Read a section of a picture with this many (rows, columns).

    ``*`` or an end left out means to the edge; ends the wrong way round (a read-out from the
    other side) are turned.

    Raises
    ------
    SectionError
        If it is none, or reaches outside of the picture.
    """
    match = _SECTION.fullmatch(text.strip())
    if match is None:
        raise SectionError(f"says {name} = {text[:40]!r}, which is no section of a picture")
    groups = match.groups()
    x0, x1 = _ends(groups[:4], shape[1])
    y0, y1 = _ends(groups[4:], shape[0])
    if min(x0, y0) < 0 or x1 > shape[1] or y1 > shape[0]:
        raise SectionError(f"says {name} = {text.strip()}, outside of its {size(shape)} pixels")
    return Section(y0, y1, x0, x1)


def _ends(groups: Sequence[str | None], length: int) -> tuple[int, int]:
    first, colon, last, single = groups
    if single is not None:
        return int(single) - 1, int(single)
    if colon is None:
        return 0, length
    a, b = int(first or 1), int(last or length)
    return min(a, b) - 1, max(a, b)


@dataclass(frozen=True, slots=True)
class Amplifier:
    """The data that one amplifier read, and the overscan that tells its level."""

    data: Section
    bias: Section | None
    by_column: bool = False
    """The overscan lies above or below: a level for each column."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with one picture."""

    shape: Shape
    amplifiers: tuple[Amplifier, ...]
    rows: tuple[tuple[int, int], ...]
    """Runs of rows that are kept."""
    columns: tuple[tuple[int, int], ...]

    @property
    def kept(self) -> Shape:
        """(rows, columns) of what is left."""
        return sum(b - a for a, b in self.rows), sum(b - a for a, b in self.columns)

    @property
    def trim_text(self) -> str:
        """What is kept, as sections."""
        return " ".join(str(a.data) for a in self.amplifiers)


Said = Callable[[str], object]
"""Keyword to its value in the header; None where it is absent."""
_NUMBERS = (*(str(n) for n in range(1, 17)), *(f"{a}{b}" for a in range(1, 5) for b in range(1, 5)))
_NUMBERED = {
    "data": ("TRIMSEC{}", "TSEC{}", "DATASEC{}", "DSEC{}"),
    "bias": ("BIASSEC{}", "BSEC{}"),
}
_ONE = {"data": ("TRIMSEC", "DATASEC"), "bias": ("BIASSEC",)}


def said_sections(said: Said) -> str:
    """Return the sections of a header in words, for a line in a list; empty without any."""
    found = []
    for keyword in ("BIASSEC", "TRIMSEC", "DATASEC", "BIASSEC1", "DATASEC1", "BSEC11", "DSEC11"):
        value = said(keyword)
        if isinstance(value, str) and value.strip():
            found.append(f"{keyword} {''.join(value.split())[:40]}")
    return ", ".join(found)


def make_plan(said: Said, shape: Shape, settings: OverscanSettings) -> Plan:
    """Decide what is done with a picture of this many (rows, columns).

    Raises
    ------
    SectionError
        If the header (or the recipe) does not say what is needed, or what it says cannot be.
    """
    if settings.level is OverscanLevel.NONE:
        # What is only trimmed may say what it likes of its overscan.
        settings, said = replace(settings, bias=""), _without_bias(said)
    pairs = _pairs(said, shape, settings)
    amplifiers = tuple(_amplifier(data, bias, shape, settings) for data, bias in pairs)
    everything = Section(0, shape[0], 0, shape[1])
    _check_apart(amplifiers)
    if not settings.trim:
        kept = [everything]
        if len(amplifiers) == 1:
            amplifiers = (_whole(amplifiers[0], shape),)
    else:
        kept = [a.data for a in amplifiers]
    rows = _runs((s.y0, s.y1) for s in kept)
    columns = _runs((s.x0, s.x1) for s in kept)
    plan = Plan(shape, amplifiers, rows, columns)
    area = sum(s.shape[0] * s.shape[1] for s in kept)
    if area != plan.kept[0] * plan.kept[1]:
        raise SectionError("has sections of data that make no whole picture together")
    return plan


def _pairs(
    said: Said, shape: Shape, settings: OverscanSettings
) -> list[tuple[Section | None, Section | None]]:
    if settings.bias or settings.data:
        data = parse_section(settings.data, shape, "data") if settings.data else None
        bias = parse_section(settings.bias, shape, "bias") if settings.bias else None
        one = [_section(said, _ONE["data"], shape) if data is None else data]
        return [(one[0], bias or _section(said, _ONE["bias"], shape))]
    numbered: list[tuple[Section | None, Section | None]] = []
    for number in _NUMBERS:
        data = _section(said, [k.format(number) for k in _NUMBERED["data"]], shape)
        bias = _section(said, [k.format(number) for k in _NUMBERED["bias"]], shape)
        if data is not None and (bias is not None or settings.level is OverscanLevel.NONE):
            numbered.append((data, bias))
    if len(numbered) > 1:
        return numbered
    return [(_section(said, _ONE["data"], shape), _section(said, _ONE["bias"], shape))]


def _without_bias(said: Said) -> Said:
    return lambda keyword: None if keyword.startswith(("BIASSEC", "BSEC")) else said(keyword)


def _section(said: Said, keywords: Sequence[str], shape: Shape) -> Section | None:
    for keyword in keywords:
        value = said(keyword)
        if isinstance(value, str) and value.strip():
            return parse_section(value, shape, keyword)
    return None


def _amplifier(
    data: Section | None, bias: Section | None, shape: Shape, settings: OverscanSettings
) -> Amplifier:
    wants_level = settings.level is not OverscanLevel.NONE
    if bias is None and wants_level:
        raise SectionError("does not say where its overscan is (BIASSEC)")
    if data is None and settings.trim:
        raise SectionError("does not say where its data is (TRIMSEC or DATASEC)")
    if data is None:
        data = Section(0, shape[0], 0, shape[1])
        overlap = False
    else:
        overlap = bias is not None and data.overlaps(bias)
    if not wants_level or bias is None:
        return Amplifier(data, None)
    if overlap:
        raise SectionError(f"has an overscan {bias} that lies in its data {data}")
    beside = bias.y0 <= data.y0 and data.y1 <= bias.y1
    above = bias.x0 <= data.x0 and data.x1 <= bias.x1
    if settings.of is OverscanOf.ROW and not beside and not above:
        raise SectionError(
            f"has an overscan {bias} that covers neither all rows nor all columns of its data "
            f"{data}"
        )
    return Amplifier(data, bias, by_column=above and not beside)


def _whole(amplifier: Amplifier, shape: Shape) -> Amplifier:
    """Take the level off the overscan, too, where nothing is cut away."""
    data = amplifier.data
    if amplifier.by_column:
        return replace(amplifier, data=Section(0, shape[0], data.x0, data.x1))
    return replace(amplifier, data=Section(data.y0, data.y1, 0, shape[1]))


def _check_apart(amplifiers: Sequence[Amplifier]) -> None:
    for i, one in enumerate(amplifiers):
        for other in amplifiers[i + 1 :]:
            if one.data.overlaps(other.data):
                raise SectionError(
                    f"has two sections of data that overlap, {one.data} and {other.data}"
                )
            for a, b in ((one, other), (other, one)):
                if a.bias is not None and a.bias.overlaps(b.data):
                    raise SectionError(f"has an overscan {a.bias} that lies in its data {b.data}")


def _runs(pairs: object) -> tuple[tuple[int, int], ...]:
    """Join intervals: those that touch become one."""
    runs: list[tuple[int, int]] = []
    for start, end in sorted(set(pairs)):  # type: ignore[call-overload]
        if runs and start <= runs[-1][1]:
            runs[-1] = runs[-1][0], max(runs[-1][1], end)
        else:
            runs.append((start, end))
    return tuple(runs)
