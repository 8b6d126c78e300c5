"""What can be wrong with a pixel, as bits, words and rows of a list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray


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
    Defect.HOT: "hot: dark signal above the neighbours'",
    Defect.COLD: "cold: less response than the neighbours",
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


@dataclass(frozen=True, slots=True, eq=False)
class DefectList:
    """Bad pixels of one detector, by row and then by column."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    """0-based, as stored: row 0 is the first of the file."""
    flags: NDArray[np.uint8]
    value: NDArray[np.float32]
    """Of the first kind of `WORDS` that a pixel has. Hot: dark signal in a second (``unit``).
    Cold and dead: response, of the neighbours'. Unstable: scatter, of the usual one."""
    unit: str = "adu/s"
    """Of hot pixels: ``e-/s`` where the gain is known, else ``adu/s``."""
    detector: str = ""

    def __len__(self) -> int:
        return len(self.x)

    def empty(self, detector: str) -> DefectList:
        """Return a list without pixels for another detector."""
        nothing = slice(0, 0)
        return DefectList(
            self.x[nothing],
            self.y[nothing],
            self.flags[nothing],
            self.value[nothing],
            self.unit,
            detector,
        )

    def rows(self) -> Iterator[tuple[int, int, str, float]]:
        """Yield (x, y, kind, value)."""
        for x, y, flags, value in zip(
            self.x.tolist(), self.y.tolist(), self.flags.tolist(), self.value.tolist(), strict=True
        ):
            yield x, y, defect_word(flags), value

    def count(self, bit: Defect) -> int:
        """Return how many pixels have a defect."""
        return int(np.count_nonzero(self.flags & np.uint8(bit)))
