"""What can be wrong with a pixel, as bits, words and rows of a list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

BPM = "bpm"
"""Kind word of a bad-pixel map."""


class Defect(IntFlag):
    """Bits of a BPM plane; 0 is a good pixel. A pixel can have several."""

    NO_SIGNAL = 1
    """A flat without light there: 1 in the image."""
    HOT = 2
    COLD = 4
    DEAD = 8
    UNSTABLE = 16
    OUTSIDE = 32
    """Outside of the regions that a flat is normalised in: 1 in the image."""
    NO_RESPONSE = 64
    """A normalised value that is no response: 1 in the image."""


MEANING: dict[Defect, str] = {
    Defect.NO_SIGNAL: "no signal: 1 in the image",
    Defect.HOT: "hot: dark signal far above its neighbours'",
    Defect.COLD: "cold: much less response than its neighbours",
    Defect.DEAD: "dead: hardly any response",
    Defect.UNSTABLE: "unstable: scatters in time (telegraph noise)",
    Defect.OUTSIDE: "outside of the regions: 1 in the image",
    Defect.NO_RESPONSE: "value out of limits: 1 in the image",
}
"""Of each bit, for headers."""

WORDS = {
    Defect.HOT: "hot",
    Defect.DEAD: "dead",
    Defect.COLD: "cold",
    Defect.UNSTABLE: "unstable",
}
"""Kinds of a list, the one that names a pixel first."""


def defect_word(flags: int) -> str:
    """Say what is wrong with a pixel: ``hot+unstable``; empty for a good one."""
    return "+".join(word for bit, word in WORDS.items() if flags & bit)


@dataclass(frozen=True, slots=True)
class BadPixel:
    """One row of a list of bad pixels."""

    x: int
    y: int
    """0-based, as stored: row 0 is the first of the file."""
    flags: int
    value: float
    """Of the first kind of `WORDS` that it has: hot in the unit of the list's dark signal; cold
    and dead the response, 1 is the neighbours'; unstable its scatter over the usual one."""
    detector: str = ""
