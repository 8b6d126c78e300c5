"""How much memory a master takes beside its combination, and whether it may."""

from __future__ import annotations

from calibstudio.domain.header import FrameHeader
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.recipe import FlatSettings, LevelOf, Recipe, Smooth
from calibstudio.domain.wording import file_size, size
from calibstudio.services.judge import frame_bytes

SAMPLE = 80 << 20
"""Of a large master, what its lines are measured by; less of a small one."""
_PER_PIXEL = 20
"""Of that sample, for a pixel."""
_SMOOTH, _REGIONS = 60, 30
"""Bytes for a pixel where smooth light is taken out of a flat, or it is divided by regions."""


def needed_bytes(header: FrameHeader, kind: str, recipe: Recipe) -> int:
    """Return the least memory in which a frame is judged, and a master of such frames made.

    Planes of masters lie in files; this is for one frame as it is judged, for samples, and of
    flats for the part that is measured.
    """
    ny, nx = header.shape or (0, 0)
    pixels = ny * nx
    wanted = max(frame_bytes(header), min(SAMPLE, _PER_PIXEL * pixels))
    if kind == FrameKind.FLAT:
        wanted = max(wanted, _flat_bytes(recipe.flat, pixels))
    return wanted


def _flat_bytes(settings: FlatSettings, pixels: int) -> int:
    if settings.smooth is not Smooth.NONE:
        return _SMOOTH * pixels
    if settings.mask:
        return _REGIONS * pixels
    copies = 1 if settings.level is LevelOf.TILES else 4
    return int(copies * 4 * settings.region**2 * pixels)


def why_not(header: FrameHeader, kind: str, recipe: Recipe, memory_bytes: int | None) -> str:
    """Say why masters of such frames cannot be made in this memory; empty when they can."""
    wanted = needed_bytes(header, kind, recipe)
    if memory_bytes is None or wanted <= memory_bytes:
        return ""
    return (
        f"Frames of {size(header.shape or (0, 0))} pixels cannot be judged and made into a master "
        f"in {file_size(memory_bytes)} of memory. Allow at least {file_size(wanted + 500_000)}."
    )
