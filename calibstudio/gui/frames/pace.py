"""How long a stack will take, from how long the last ones took; nothing is said before that."""

from __future__ import annotations

from collections.abc import Sequence

from calibstudio.domain.grouping import Group
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.wording import count, number, significant
from calibstudio.gui.frames.state import FramesState

KEPT = 0.5
"""How much of the former pace stays in the new one: stacks differ in size."""


class Pace:
    """Seconds for each pixel that is stacked, on this machine, in this session."""

    def __init__(self) -> None:
        self._s_per_pixel: float | None = None

    def learn(self, pixels: int, took_s: float) -> None:
        """A stack of so many pixels (all frames together) took so long."""
        if pixels <= 0 or took_s <= 0:
            return
        new = took_s / pixels
        before = self._s_per_pixel
        self._s_per_pixel = new if before is None else KEPT * before + (1 - KEPT) * new

    def seconds(self, pixels: int) -> float | None:
        """Return how long a stack of so many pixels takes, or None when nothing is known."""
        return None if self._s_per_pixel is None else self._s_per_pixel * pixels


def pixels_of(headers: Sequence[FrameHeader]) -> int:
    """Return the pixels of all frames together; a frame that does not say its size counts none."""
    return sum(h.shape[0] * h.shape[1] for h in headers if h.shape is not None)


def cost_text(state: FramesState, group: Group, pace: Pace) -> str:
    """Say what stacking a group costs: the time once it is known, always what is read."""
    used = [h for p in state.used(group) if (h := state.grouping.headers.get(p)) is not None]
    pixels = pixels_of(used)
    if len(used) < 2 or not pixels:
        return ""
    size = _megapixels(pixels / len(used))
    seconds = pace.seconds(pixels)
    if seconds is None:
        return f"Runs in the background, {count(len(used), 'frame')} of {size}."
    return f"About {_rounded(seconds)} in the background, {count(len(used), 'frame')} of {size}."


def _megapixels(pixels: float) -> str:
    """Write ``61.2 MP``; a small sensor keeps two digits: ``0.025 MP``."""
    mp = pixels / 1e6
    return f"{number(mp, 1) if mp >= 1 else significant(mp, 2)}\u202fMP"


def _rounded(seconds: float) -> str:
    """Write ``4 s``, ``40 s`` or ``3 min``: it is an estimate."""
    if seconds < 10:
        return f"{max(1, round(seconds))}\u202fs"
    if seconds < 90:
        return f"{10 * round(seconds / 10)}\u202fs"
    return f"{round(seconds / 60)}\u202fmin"
