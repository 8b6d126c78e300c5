"""Pixels and spots that stand out: hot, cold and dead pixels, dust shadows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import give_way
from calibstudio.domain.planes import let_go
from calibstudio.imaging.quality_levels import Image, known_percentile
from calibstudio.imaging.quality_shape import bin_levels


@dataclass(frozen=True, slots=True)
class HotPixels:
    """Pixels well above their neighbourhood."""

    count: int
    fraction: float
    median_excess_adu: float
    """How far the median hot pixel is above its neighbourhood; NaN without hot pixels."""


def hot_pixels(
    data: Image,
    levels: Sequence[NDArray[np.float64]],
    noises: Sequence[float],
    *,
    sigmas: float = 5.0,
    at_least_adu: float = 0.0,
) -> HotPixels:
    """Count every pixel above its neighbourhood by so many sigmas, and by so many ADU.

    Parameters
    ----------
    data
        Shape (ny, nx).
    levels
        Bins of each channel (`bin_levels`), one for mono or four in the order of `channels`:
        the neighbourhood, so that glow and gradients are not counted.
    noises
        Noise of each channel, same order.
    """
    over = [max(sigmas * sigma, at_least_adu) for sigma in noises]
    found = _beyond(data, levels, [partial(np.add, part) for part in over], above=True)
    excess = float(np.median(found)) if found.size else float("nan")
    return HotPixels(int(found.size), found.size / max(data.size, 1), excess)


def low_pixels(data: Image, levels: Sequence[NDArray[np.float64]], by: float) -> int:
    """Count every pixel below its neighbourhood (as in `hot_pixels`) by so much."""

    def edge(level: NDArray[np.float64]) -> NDArray[np.float64]:
        return level - by

    return int(_beyond(data, levels, [edge] * len(levels), above=False).size)


def cold_pixels(
    data: Image,
    levels: Sequence[NDArray[np.float64]],
    response: float,
    *,
    pedestal: float = 0.0,
) -> int:
    """Count every pixel of a flat below this part of the light of its neighbourhood."""

    def edge(level: NDArray[np.float64]) -> NDArray[np.float64]:
        return pedestal + response * (level - pedestal)

    return int(_beyond(data, levels, [edge] * len(levels), above=False).size)


Edge = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _beyond(
    data: Image, levels: Sequence[NDArray[np.float64]], edges: Sequence[Edge], *, above: bool
) -> NDArray[np.float64]:
    """Return how far each pixel beyond the edge of its bin is from the level of its bin."""
    if len(levels) == 1:
        return _beyond_in_rows(data, levels, edges, above=above)
    # Rows of a colour sensor hold two channels in turn: compared row by row, which reads
    # memory in order, and not channel by channel.
    halves = [
        _beyond_in_rows(
            data[k::2], levels[2 * k : 2 * k + 2], edges[2 * k : 2 * k + 2], above=above
        )
        for k in (0, 1)
    ]
    return np.concatenate(halves)


def _beyond_in_rows(
    lines: Image, levels: Sequence[NDArray[np.float64]], edges: Sequence[Edge], *, above: bool
) -> NDArray[np.float64]:
    rows = len(levels[0])
    ny, nx = lines.shape
    starts = np.arange(rows + 1) * ny // rows
    kind = np.float64 if lines.dtype.kind == "f" else np.int64
    found = []
    for i in range(rows):
        strip = lines[starts[i] : starts[i + 1]]
        level, limit = np.empty(nx), np.empty(nx)
        for k, (bins, edge) in enumerate(zip(levels, edges, strict=True)):
            part = level[k :: len(levels)]
            columns = bins.shape[1]
            part[:] = np.repeat(bins[i], np.diff(np.arange(columns + 1) * part.size // columns))
            limit[k :: len(levels)] = edge(part)
        mask = _compare(strip, limit, above=above)
        if mask.any():
            y, x = np.divmod(np.flatnonzero(mask), nx)
            found.append(strip[y, x].astype(kind) - level[x])
        let_go(lines)
        give_way()
    return np.concatenate(found).astype(np.float64) if found else np.empty(0)


def _compare(strip: Image, limit: NDArray[np.float64], *, above: bool) -> NDArray[np.bool_]:
    if strip.dtype.kind == "u":
        # Compared as unsigned integers: four times quicker than as floating-point numbers.
        top = np.iinfo(strip.dtype).max
        limit = np.nan_to_num(np.clip(limit, 0, top), nan=top if above else 0)
        whole = (np.floor(limit) if above else np.ceil(limit)).astype(strip.dtype)
        mask: NDArray[np.bool_] = strip > whole if above else strip < whole
        return mask
    with np.errstate(invalid="ignore"):
        return strip > limit if above else strip < limit


@dataclass(frozen=True, slots=True)
class Spot:
    """A dust shadow (or a bright spot) in an image of ratios."""

    x: int
    y: int
    """Its darkest point, 0-based, in pixels of the image."""
    width: int
    """Pixels across."""
    depth_pct: float


def dust_shadows(
    ratio: Image,
    sigma: float,
    *,
    depth_pct: float = 0.5,
    sigmas: float = 5.0,
    pedestal: float = 0.0,
    levels: NDArray[np.float64] | None = None,
    bright: bool = False,
) -> list[Spot]:
    """Find shadows in a flat, or in the ratio of two flats, deepest first.

    ``bright`` finds spots brighter than their surroundings instead: stars in a sky flat.

    Parameters
    ----------
    ratio
        Any positive image; its large structure (32 x 32 bins, interpolated) is divided out.
    sigma
        Noise of one pixel of it.
    pedestal
        Taken off the image first.
    depth_pct, sigmas
        A shadow is deeper than both: percent of the light, and noise of its block.

    Notes
    -----
    The image is averaged in blocks of about 1/400 of its long side (at least 4 pixels, as
    shadows are 10 to 100 pixels wide); blocks that touch are one shadow. Single blocks, spots at
    the edge of the image and lines (4 times longer than wide) are no shadows.
    """
    ny, nx = ratio.shape
    side = max(4, round(max(ny, nx) / 400))
    by, bx = ny // side, nx // side
    if by < 16 or bx < 16:
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        small = _block_means(ratio, side, pedestal)
        known = bin_levels(ratio, pedestal=pedestal) if levels is None else levels
        large = _interpolated(known, (by, bx))
        relative = small / large - 1.0
        noise = sigma / side / np.abs(large)
        if bright:
            relative = -relative
        # Around a shadow the bins are darker too: take out what is left of large structure.
        relative -= known_percentile(relative)
        spread = 1.4826 * known_percentile(np.abs(relative))
        edge = np.maximum(depth_pct / 100.0, sigmas * np.maximum(noise, spread))
        mask = relative < -edge
    mask[[0, -1], :] = False
    mask[:, [0, -1]] = False
    spots = [
        Spot(
            int(x[k] * side + side // 2),
            int(y[k] * side + side // 2),
            int((x.max() - x.min() + 1) * side),
            float(-100.0 * relative[y[k], x[k]]),
        )
        for y, x in _regions(mask, at_most=500)
        for k in [int(np.argmin(relative[y, x]))]
        if len(y) >= 2 and _is_compact(y, x, mask.shape)
    ]
    return sorted(spots, key=lambda s: -s.depth_pct)


def _block_means(image: Image, side: int, pedestal: float) -> NDArray[np.float64]:
    """Return the means of square blocks, a row of blocks at a time."""
    by, bx = image.shape[0] // side, image.shape[1] // side
    out = np.empty((by, bx))
    for k in range(by):
        rows = image[k * side : (k + 1) * side, : bx * side]
        if pedestal:
            rows = rows - np.float32(pedestal)
        out[k] = rows.reshape(side, bx, side).mean(axis=(0, 2), dtype=np.float64)
        let_go(image)
        give_way()
    return out


def _is_compact(y: NDArray[np.int64], x: NDArray[np.int64], shape: tuple[int, ...]) -> bool:
    high, wide = int(np.ptp(y)) + 1, int(np.ptp(x)) + 1
    at_edge = y.min() <= 1 or x.min() <= 1 or y.max() >= shape[0] - 2 or x.max() >= shape[1] - 2
    return not at_edge and max(high, wide) <= 4 * min(high, wide)


def _interpolated(levels: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return bin levels interpolated linearly to a grid, a 3x3 median of bins taken first."""
    filled = np.where(np.isfinite(levels), levels, known_percentile(levels))
    padded = np.pad(filled, 1, mode="reflect", reflect_type="odd")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    calm = np.median(windows, axis=(2, 3))
    for axis, length in enumerate(shape):
        count = calm.shape[axis]
        place = (np.arange(length) + 0.5) / length * count - 0.5
        first = np.clip(np.floor(place).astype(int), 0, max(count - 2, 0))
        part = place - first
        low = np.take(calm, first, axis=axis)
        high = np.take(calm, np.minimum(first + 1, count - 1), axis=axis)
        weight = part[:, None] if axis == 0 else part[None, :]
        calm = low + (high - low) * weight
    grid: NDArray[np.float64] = calm
    return grid


def _regions(
    mask: NDArray[np.bool_], *, at_most: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the regions of touching true cells (8 neighbours), at most so many."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    regions: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    while left and len(regions) < at_most:
        todo = [left.pop()]
        region = []
        while todo:
            y, x = todo.pop()
            region.append((y, x))
            for near in ((y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                if near in left:
                    left.remove(near)
                    todo.append(near)
        cells = np.array(region)
        regions.append((cells[:, 0], cells[:, 1]))
    return regions
