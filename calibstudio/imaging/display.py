"""Frames of any size to the screen: a pyramid of means, and the visible part as 8 bit.

A pyramid is made once for each frame, in a worker. From then on a view costs as much as it has
screen pixels, whatever the size of the frame: the level with about one pixel for each screen
pixel is read, so that noise is averaged and not aliased. Saturated and zero pixels are found in
the same pass and survive every reduction.

The loops are compiled (`display_kernels`); until `warm_up` has run in a worker, numpy does the
same work more slowly, and nothing waits for a compiler.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.display_stretch import (
    LUT_SIZE,
    Curve,
    Levels,
    Stretch,
    picture_levels,
)

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint16] | NDArray[np.float32]

SATURATED = np.uint8(1)
ZERO = np.uint8(2)
NO_VALUE = np.uint8(4)
"""Flags of a pixel: at or above saturation, exactly zero, not a number."""
N_LEVELS = 5
"""1, 1/2, 1/4, 1/8, 1/16."""
_STRIP_ROWS = 512
"""numpy works in strips of rows, so that it gives way to the other threads now and then."""
_COMPILE_LIMIT_S = 120.0
_NO_FLAGS: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
_NO_FLAGS.flags.writeable = False

_warm: ModuleType | None = None
_warming = threading.Lock()


def warm_up() -> None:
    """Load the compiled loops, about a second; the first time ever they are compiled, some more.

    Call it in a worker. Views asked for meanwhile are made by numpy. Compiling is left to a
    process of its own: numba holds the interpreter while it compiles, and the window would wait.
    """
    global _warm
    with _warming:
        if _warm is not None:
            return
        if not _compiled_before():
            _compile_apart()
        _warm = _load()
        log.debug("display loops are compiled")


def _load() -> ModuleType:
    """Call every loop once with each type of pixel: compiled now, or taken from the cache."""
    from calibstudio.imaging import display_kernels as kernels

    for dtype in (np.uint16, np.float32):
        pyramid = build_pyramid(np.ones((4, 4), dtype), kernels=kernels)
        for step in (0.5, 1.0, 2.0):
            view = View(0.0, 0.0, step, 2, 2)
            picture = render_view(pyramid, view, _ANY_STRETCH, kernels=kernels)
            colour_view(picture, _ANY_COLOURS, kernels=kernels)
        one = pyramid.full
        if one.dtype == np.uint16:
            kernels.count_raw(one, 0, 4, 1, 0, 4, 1)
        else:
            kernels.count_float(one, 0, 4, 1, 0, 4, 1, 0.0, 1.0, np.zeros(2, np.int64))
    return kernels


def _compiled_before() -> bool:
    """Whether numba kept the loops, beside the package or where it goes when it may not there."""
    if getattr(sys, "frozen", False):
        return True  # no interpreter to start: compiled here when it must be
    from platformdirs import user_cache_path

    places = (Path(__file__).parent / "__pycache__", user_cache_path("numba", appauthor=False))
    return any(next(place.rglob("display_kernels.*.nbi"), None) for place in places)


def _compile_apart() -> None:
    """Let another process compile; without one it is done here."""
    program = "from calibstudio.imaging.display import _load; _load()"
    try:
        subprocess.run(
            [sys.executable, "-c", program],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_COMPILE_LIMIT_S,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("The display loops could not be compiled apart: %s", error)


def fast_loops() -> ModuleType | None:
    """Return the compiled loops, or None while they are not ready."""
    return _warm


class Pyramid:
    """A frame at five sizes, with its clipped pixels. Made by `build_pyramid`; never changes.

    Half size is the one level that costs as much memory as the frame, and most frames are gone
    before anybody looks at them that closely: it is made when a view first needs it.
    """

    def __init__(
        self,
        full: Pixels,
        coarse: tuple[Level, ...],
        *,
        saturation: float,
        n_saturated: int,
        n_zero: int,
        measured: Levels | None,
    ) -> None:
        self.full = full
        """The frame itself, (ny, nx), uint16 or float32."""
        self.saturation = saturation
        """Value at and above which a pixel is saturated; infinite when not known."""
        self.n_saturated = n_saturated
        self.n_zero = n_zero
        self.measured = measured
        """What an automatic stretch needs; None when no pixel has a value."""
        self._coarse = coarse
        self._half: Level | None = None
        self._making_half = threading.Lock()

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the frame."""
        ny, nx = self.full.shape
        return int(ny), int(nx)

    def level(self, k: int) -> Level:
        """Return level k, 0 to 4: means of 2^k x 2^k pixels, and what is in each block."""
        if k == 0:
            return Level(self.full, _NO_FLAGS)
        if k > 1:
            return self._coarse[k - 2]
        with self._making_half:
            if self._half is None:
                self._half, _ = _reduce(self.full, 2, self.saturation, _warm)
            return self._half

    def value(self, x: int, y: int) -> float | None:
        """Return the value of a pixel; None outside the frame."""
        ny, nx = self.shape
        return float(self.full[y, x]) if 0 <= x < nx and 0 <= y < ny else None


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A frame at one size."""

    pixels: Pixels
    """(ceil(ny / 2^k), ceil(nx / 2^k)); means are float32, NaN where no pixel has a value."""
    flags: NDArray[np.uint8]
    """What is in each block; empty for the frame itself, whose pixels flag themselves."""


@dataclass(frozen=True, slots=True)
class View:
    """A part of a frame on a screen: where it begins, how large a screen pixel is, how many."""

    x: float
    """Left edge in pixels of the frame (pixel i covers i to i + 1). May lie outside."""
    y: float
    step: float
    """Frame pixels for one screen pixel: 2 is half size, 0.25 is four times enlarged."""
    width: int
    height: int
    """Screen pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The visible part: grey and flags for each screen pixel that the frame covers.

    The rectangle may be smaller than the view where the frame ends inside it.
    """

    view: View
    left: int
    top: int
    """Screen position of the first pixel within the view."""
    grey: NDArray[np.uint8]
    flags: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """How grey and flags look in a theme, as 0xFFRRGGBB."""

    grey: NDArray[np.uint32]
    """256 entries."""
    saturated: int
    zero: int
    zero_between: int
    """Every second pixel of a zero area; the same as ``zero`` where colour alone tells."""
    no_value: int
    show_clipped: bool = True


_ANY_STRETCH = Stretch(Curve.LINEAR, 0.0, 1.0)
_ANY_COLOURS = Colours(np.zeros(256, np.uint32), 0, 0, 0, 0)


def display_pixels(data: NDArray[Any]) -> Pixels:
    """Return the frame as native uint16 or float32, C-contiguous, read-only (copied if it must).

    Raises
    ------
    ValueError
        If it is not two-dimensional or empty.
    """
    if data.ndim != 2 or data.size == 0:
        raise ValueError(f"expected a picture of two axes, got shape {data.shape}")
    out: Pixels
    if data.dtype in (np.uint8, np.uint16):
        out = np.ascontiguousarray(data, dtype=np.uint16).view()
    else:
        out = np.ascontiguousarray(data, dtype=np.float32).view()
    out.flags.writeable = False
    return out


def build_pyramid(
    data: NDArray[Any], *, saturation: float | None = None, kernels: ModuleType | None = None
) -> Pyramid:
    """Make the pyramid of a frame.

    Parameters
    ----------
    data
        Picture of shape (ny, nx). uint16 and native float32 are used as they are, anything
        else is converted to float32. NaN is left out of the means. Kept, not copied: it must
        not change afterwards.
    saturation
        Value at and above which a pixel counts as saturated.

    Raises
    ------
    ValueError
        If it is not two-dimensional or empty.
    """
    full = display_pixels(data)
    limit = float("inf") if saturation is None else float(saturation)
    kernels = kernels or _warm
    quarter, (n_saturated, n_zero) = _reduce(full, 4, limit, kernels)
    coarse = [quarter]
    for _ in range(3, N_LEVELS):
        coarse.append(_halve(coarse[-1], kernels))
    return Pyramid(
        full,
        tuple(coarse),
        saturation=limit,
        n_saturated=n_saturated,
        n_zero=n_zero,
        measured=picture_levels(full),
    )


def _empty_level(shape: tuple[int, ...], n: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    reduced = (-(-shape[0] // n), -(-shape[1] // n))
    return np.empty(reduced, np.float32), np.empty(reduced, np.uint8)


def _frozen(pixels: NDArray[np.float32], flags: NDArray[np.uint8]) -> Level:
    pixels.flags.writeable = False
    flags.flags.writeable = False
    return Level(pixels, flags)


def _reduce(
    full: Pixels, n: int, saturation: float, kernels: ModuleType | None
) -> tuple[Level, tuple[int, int]]:
    """Return the means of n x n pixels of a frame, and how many are saturated and zero."""
    out, marks = _empty_level(full.shape, n)
    if kernels is not None:
        run = kernels.reduce_raw if full.dtype == np.uint16 else kernels.reduce_float
        n_saturated, n_zero = run(full, n, saturation, out, marks)
        return _frozen(out, marks), (int(n_saturated), int(n_zero))
    n_saturated = n_zero = 0
    for start in range(0, full.shape[0], _STRIP_ROWS):
        part = full[start : start + _STRIP_ROWS]
        flags = _flags_of(part, saturation)
        n_saturated += int(np.count_nonzero(flags & SATURATED))
        n_zero += int(np.count_nonzero(flags & ZERO))
        rows = slice(start // n, start // n + -(-part.shape[0] // n))
        _means(part, flags, n, out[rows], marks[rows])
    return _frozen(out, marks), (n_saturated, n_zero)


def _halve(level: Level, kernels: ModuleType | None) -> Level:
    """Return the next coarser level."""
    out, marks = _empty_level(level.pixels.shape, 2)
    if kernels is not None:
        kernels.halve(level.pixels, level.flags, out, marks)
    else:
        _means(level.pixels, level.flags, 2, out, marks)
    return _frozen(out, marks)


def _means(
    part: Pixels,
    part_flags: NDArray[np.uint8],
    n: int,
    out: NDArray[np.float32],
    flags: NDArray[np.uint8],
) -> None:
    """The numpy twin of the compiled reductions: NaN-aware means and merged flags of n x n."""
    valid = ~np.isnan(part) if part.dtype.kind == "f" else None
    values = part if valid is None else np.where(valid, part, np.float32(0.0))
    count = np.zeros(out.shape, np.float32)
    out[:] = 0
    flags[:] = 0
    for dy in range(n):
        for dx in range(n):
            piece = values[dy::n, dx::n]
            where = np.s_[: piece.shape[0], : piece.shape[1]]
            out[where] += piece
            count[where] += 1.0 if valid is None else valid[dy::n, dx::n]
            flags[where] |= part_flags[dy::n, dx::n]
    with np.errstate(invalid="ignore"):
        out /= count


def _flags_of(part: Pixels, saturation: float) -> NDArray[np.uint8]:
    """Flag single pixels."""
    marks = np.zeros(part.shape, np.uint8)
    marks[part == 0] = ZERO
    if np.isfinite(saturation):
        marks[part >= saturation] |= SATURATED
    if part.dtype.kind == "f":
        marks[np.isnan(part)] = NO_VALUE
    return marks


def level_for(step: float, n_levels: int = N_LEVELS) -> int:
    """Return the coarsest level that still has at least one pixel for each screen pixel."""
    level = 0
    while level < n_levels - 1 and step >= 2 ** (level + 1) * 0.999:
        level += 1
    return level


def render_view(
    pyramid: Pyramid,
    view: View,
    stretch: Stretch,
    *,
    lut: NDArray[np.uint8] | None = None,
    kernels: ModuleType | None = None,
) -> Rendered:
    """Render the part of a frame that a view shows, as grey and flags.

    Reduced views interpolate linearly between the pixels of the nearest finer level (at most two
    of its pixels to a screen pixel, so none is skipped); enlarged views show pixels as squares.

    Parameters
    ----------
    lut
        ``stretch.lut()``, when the caller keeps it.
    """
    kernels = kernels or _warm
    table = stretch.lut() if lut is None else lut
    k = level_for(view.step)
    level = pyramid.level(k)
    data, flags = level.pixels, level.flags
    (ny, nx), (level_ny, level_nx) = pyramid.shape, data.shape
    left, ix, wx = _taps(view.x, view.step, view.width, 2.0**k, nx, level_nx)
    top, iy, wy = _taps(view.y, view.step, view.height, 2.0**k, ny, level_ny)
    grey = np.empty((iy.size, ix.size), np.uint8)
    marks = np.empty(grey.shape, np.uint8)
    if grey.size:
        arguments = (data, flags, pyramid.saturation, iy, wy, ix, wx)
        scale = (float(stretch.black), stretch.steps_per_adu, table)
        if kernels is not None:
            kernels.sample(*arguments, *scale, grey, marks)
        else:
            _sample(*arguments, *scale, grey, marks)
    return Rendered(view, left, top, grey, marks)


def _taps(
    start: float, step: float, n_screen: int, factor: float, n_full: int, n_level: int
) -> tuple[int, NDArray[np.int32], NDArray[np.float32]]:
    """For one axis: first screen pixel on the frame, first tap and weight of the second."""
    first = max(0, int(np.ceil(-start / step - 0.5)))
    end = min(n_screen, int(np.ceil((n_full - start) / step - 0.5)))
    centre = start + (np.arange(first, max(first, end)) + 0.5) * step
    if step < 1.0:
        index = np.clip(np.floor(centre), 0, n_level - 1).astype(np.int32)
        return first, index, np.zeros(index.size, np.float32)
    position = np.clip(centre / factor - 0.5, 0.0, n_level - 1.0)
    index = np.floor(position).astype(np.int32)
    weight = (position - index).astype(np.float32)
    return first, index, weight


def _sample(
    data: Pixels,
    data_flags: NDArray[np.uint8],
    saturation: float,
    iy: NDArray[np.int32],
    wy: NDArray[np.float32],
    ix: NDArray[np.int32],
    wx: NDArray[np.float32],
    black: float,
    steps_per_adu: float,
    lut: NDArray[np.uint8],
    out: NDArray[np.uint8],
    flags: NDArray[np.uint8],
) -> None:
    """The numpy twin of the compiled `sample`."""
    jx = np.where(wx > 0, np.minimum(ix + 1, data.shape[1] - 1), ix)
    jy = np.where(wy > 0, np.minimum(iy + 1, data.shape[0] - 1), iy)
    for start in range(0, iy.size, 64):
        rows = slice(start, start + 64)
        quads = [(y, x) for y in (iy[rows], jy[rows]) for x in (ix, jx)]
        p, q, r, s = (data[y][:, x].astype(np.float32) for y, x in quads)
        if data_flags.size:
            marks = [data_flags[y][:, x] for y, x in quads]
        else:
            marks = [_flags_of(v, saturation) for v in (p, q, r, s)]
        merged = (marks[0] | marks[1] | marks[2] | marks[3]) & (SATURATED | ZERO)
        top = p + (q - p) * wx
        bottom = r + (s - r) * wx
        value = top + (bottom - top) * wy[rows, None]
        missing = np.isnan(value)
        step = np.clip((value - np.float32(black)) * np.float32(steps_per_adu), 0, LUT_SIZE - 1)
        step[missing] = 0
        grey = lut[(step + np.float32(0.5)).astype(np.int32)]
        grey[missing] = 0
        out[rows] = grey
        flags[rows] = np.where(missing, NO_VALUE, merged)


def colour_view(
    picture: Rendered, colours: Colours, *, kernels: ModuleType | None = None
) -> NDArray[np.uint32]:
    """Return the rendered part as 0xFFRRGGBB, clipped pixels marked as the theme wants."""
    kernels = kernels or _warm
    shown = int(SATURATED | ZERO | NO_VALUE) if colours.show_clipped else int(NO_VALUE)
    out = np.empty(picture.grey.shape, np.uint32)
    marks = np.array(
        [colours.saturated, colours.zero, colours.zero_between, colours.no_value], np.uint32
    )
    if kernels is not None:
        kernels.colour(picture.grey, picture.flags, colours.grey, marks, shown, out)
        return out
    np.take(colours.grey, picture.grey, out=out)
    flags = picture.flags & np.uint8(shown)
    if flags.any():
        rows, columns = np.nonzero(flags & ZERO)
        out[rows, columns] = np.where((rows + columns) % 2 == 0, marks[1], marks[2])
        out[flags & SATURATED > 0] = marks[0]
        out[flags & NO_VALUE > 0] = marks[3]
    return out
