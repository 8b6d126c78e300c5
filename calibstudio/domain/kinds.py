"""The kinds of frame, and the words for them in JSON, on screen and in FITS."""

from __future__ import annotations

from enum import StrEnum


class FrameKind(StrEnum):
    """The five kinds that the program takes and builds. Others keep their own word."""

    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"
    DARK_FLAT = "dark flat"
    LIGHT = "light"

    @property
    def needs_light(self) -> bool:
        """Whether the shutter opens for it (the light/dark flag of the driver)."""
        return self in (FrameKind.FLAT, FrameKind.LIGHT)


CALIBRATION_KINDS = (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT, FrameKind.DARK_FLAT)

IMAGETYP = {
    FrameKind.BIAS: "Bias Frame",
    FrameKind.DARK: "Dark Frame",
    FrameKind.FLAT: "Flat Field",
    FrameKind.DARK_FLAT: "Dark Flat",
    FrameKind.LIGHT: "Light Frame",
}
"""What we write into raw frames (SBFITSEXT and PixInsight words)."""

MASTER_PREFIX = "master "
BPM = "bpm"
"""Kind word of a bad-pixel map; it is always a master."""

NO_FILTER = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT, BPM)
"""Kinds that serve every filter, whatever their headers say of the wheel."""


def kind_word(kind: str, *, is_master: bool) -> str:
    """Return the JSON word: ``dark``, ``master dark flat``, ``arc lamp``."""
    return f"{MASTER_PREFIX}{kind}" if is_master else kind


def kind_title(kind: str) -> str:
    """Return the word as it starts a title: ``Dark flat``."""
    if kind.removeprefix(MASTER_PREFIX) == BPM:
        return "Bad-pixel map"
    return kind[:1].upper() + kind[1:]
