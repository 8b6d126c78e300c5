"""Turns what cards say into numbers and words with known units."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from calibstudio.domain.wording import exposure, significant
from calibstudio.store.fits_cards import Card, CardValue

_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?)\s*(.*)")
NOT_SET = (-1.0, 4294967295.0)
"""What drivers write for "not set", for gain, offset, ISO and filter position only."""
_SEXAGESIMAL = re.compile(r"([+-]?)\s*([0-9]{1,3})[\s:d°]+([0-9]{1,2})[\s:m'′]+([0-9.]+)?")


class CardSource(Protocol):
    """Anything that has cards by keyword: a FITS header, a mapping, two headers in one."""

    def get(self, keyword: str, /) -> Card | None:
        """The card of a keyword; None when it is absent."""
        ...


@dataclass(frozen=True, slots=True)
class Both:
    """The primary header's cards; the image's where the primary has none or a blank one."""

    primary: CardSource
    image: CardSource

    def get(self, keyword: str, /) -> Card | None:
        """The card of a keyword; None when both lack it."""
        card = self.primary.get(keyword)
        if card is None or card.is_blank:
            return self.image.get(keyword) or card
        return card


@dataclass(slots=True)
class Lookup:
    """The cards that count for a frame, and what is found out about it."""

    cards: CardSource
    history: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)
    """Filled by the readers: field name -> where its value came from."""
    properties: frozenset[str] = frozenset()
    """Keywords that stand for an XISF property."""
    word: str = "card"
    """What a source of a value is called: ``EXPTIME card``."""

    def value(self, keyword: str) -> CardValue:
        """A card's value; None when absent, undefined or blank."""
        card = self.cards.get(keyword)
        if card is None:
            return None
        value = card.value
        return None if isinstance(value, str) and not value.strip() else value

    def comment(self, keyword: str) -> str:
        """A card's comment, empty where there is none."""
        card = self.cards.get(keyword)
        return "" if card is None else card.comment

    def first_number(self, keywords: Sequence[str]) -> tuple[str, float, str] | None:
        """The first keyword with a number: keyword, number, unit as text (often empty)."""
        for keyword in keywords:
            card = self.cards.get(keyword)
            if card is not None:
                number = number_and_unit(card.value)
                if number is not None:
                    return keyword, number[0], number[1]
        return None

    def came_from(self, name: str, keyword: str) -> None:
        """Note where a field's value came from."""
        self.origin[name] = f"{keyword} {'property' if keyword in self.properties else self.word}"


def number_and_unit(value: CardValue) -> tuple[float, str] | None:
    """Read a number, also from text: ``10.00 dB``, ``13 C``, ``-10,5``; None when it is none."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        number, unit = float(value), ""
    else:
        match = _NUMBER.fullmatch(value)
        if match is None:
            return None
        number = float(match[1].replace(",", ".").replace("D", "E").replace("d", "e"))
        unit = match[2].strip()
        if unit[:1].isdigit() or unit[:1] in (":", "-", "/", ".", ","):
            return None
    return (number, unit) if math.isfinite(number) else None


def number(value: CardValue) -> float | None:
    """Read a number and forget its unit."""
    found = number_and_unit(value)
    return None if found is None else found[0]


def text(value: CardValue) -> str | None:
    """Read words: stripped of quotes and padding; None when there are none."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    words = " ".join(str(value).strip().strip("'\"").split())
    return words or None


def celsius(value: float, unit: str, comment: str) -> tuple[float | None, str]:
    """Turn a temperature into °C.

    Returns
    -------
    The temperature, or None when it cannot be one, and a sentence's end where it was converted.
    A detector at more than 100 °C does not exist, so such a number is in kelvin.
    """
    if unit[:1] in ("F", "f") or unit.startswith("°F"):
        return round((value - 32.0) / 1.8, 3), "in Fahrenheit"
    if unit[:1] == "K" or "kelvin" in comment.lower() or 100.0 < value < 400.0:
        return (round(value - 273.15, 3), "in kelvin") if 20.0 < value < 400.0 else (None, "")
    if not -250.0 < value <= 100.0:
        return None, ""
    return value, ""


def binning_from_text(value: CardValue) -> tuple[int, int] | None:
    """Read ``'2 2'``, ``2*2``, ``2x2``, ``2,2``, ``2``."""
    if isinstance(value, bool) or value is None:
        return None
    parts = re.findall(r"[0-9]+", str(int(value) if isinstance(value, float) else value))
    if not parts or len(parts) > 2:
        return None
    x, y = int(parts[0]), int(parts[-1])
    return (x, y) if 0 < x <= 64 and 0 < y <= 64 else None


def degrees(value: CardValue) -> float | None:
    """Read an angle: a number, or ``-96 27 12``, ``+46:52:00.4``."""
    if isinstance(value, str):
        match = _SEXAGESIMAL.match(value.strip())
        if match is not None:
            seconds = float(match[4]) if match[4] and match[4] != "." else 0.0
            size = int(match[2]) + int(match[3]) / 60 + seconds / 3600
            return -size if match[1] == "-" else size
    return number(value)


def note_other_exposures(lookup: Lookup, used: str, value_s: float, others: Sequence[str]) -> None:
    """Say it where two cards for the exposure disagree."""
    for keyword in others:
        other = number(lookup.value(keyword))
        if keyword != used and other is not None and not close(other, value_s, 0.001, 0.005):
            lookup.notes.append(
                f"{used} says {exposure(value_s)}, {keyword} says {exposure(other)}. "
                f"{used} is used."
            )


def note_others(
    lookup: Lookup, used: str, value: float, others: Sequence[str], tolerance: float
) -> None:
    """Say it where two cards for the same thing disagree by more than the tolerance."""
    for keyword in others:
        other = number(lookup.value(keyword))
        if keyword != used and other is not None and not close(other, value, tolerance, 0.0):
            lookup.notes.append(
                f"{used} says {significant(value)}, {keyword} says {significant(other)}. "
                f"{used} is used."
            )


def close(a: float, b: float, absolute: float, relative: float) -> bool:
    """Whether two numbers are the same within a tolerance."""
    return abs(a - b) <= max(absolute, relative * max(abs(a), abs(b))) * (1 + 1e-9)
