"""How bright a frame is, from a few bands of its rows: for normalisation before combining."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.pixels import RowSource

_TILE = 64
_TILES = 8
"""Tiles along each side of the central region."""


def robust_levels(source: RowSource, *, by_colour: bool = False) -> tuple[float, ...]:
    """Return the median of the medians of tiles of the central region (RULES 6).

    Parameters
    ----------
    source
        A frame, ADU. NaN is left out. Only 8 bands of 64 rows are read.
    by_colour
        Four levels, in the order of the 2x2 cell of a colour sensor, instead of one.

    Returns
    -------
    tuple of float
        One or four levels, ADU; NaN where there is nothing but NaN. With noise sigma in a pixel
        good to about 0.003 sigma (0.006 by colour).
    """
    ny, nx = source.shape
    rows, columns = _tiles(ny), _tiles(nx)
    medians: list[list[float]] = []
    for y0, y1 in rows:
        band = source.read_rows(y0, y1)
        for x0, x1 in columns:
            tile = band[:, x0:x1]
            cells = [tile[i::2, j::2] for i in (0, 1) for j in (0, 1)] if by_colour else [tile]
            medians.append([_median(cell) for cell in cells])
    return tuple(_median(column) for column in np.array(medians).T)


def robust_spread(source: RowSource) -> tuple[float, float]:
    """Return level and spread of a frame: the robust level, and 1.4826 MAD about it.

    The spread is that of the pixels of the same tiles, structure of the picture included.
    """
    (level,) = robust_levels(source)
    ny, nx = source.shape
    columns = _tiles(nx)
    away = [
        np.abs(band[:, x0:x1] - level).reshape(-1)
        for y0, y1 in _tiles(ny)
        for band in [source.read_rows(y0, y1)]
        for x0, x1 in columns
    ]
    return level, 1.4826 * _median(np.concatenate(away))


def scale_about(
    level: float, spread: float, to_level: float, to_spread: float
) -> tuple[float, float]:
    """Return (scale, offset) with which (value - offset) * scale has the level and spread ``to``.

    A frame without spread is only shifted.
    """
    scale = to_spread / spread if spread > 0 and to_spread > 0 else 1.0
    return scale, level - to_level / scale


def _tiles(size: int) -> list[tuple[int, int]]:
    """Places (from, to) of tiles in the middle half of a side, evenly spread, even starts."""
    first = size // 4 // 2 * 2
    end = max(size * 3 // 4, first + 2)
    starts = np.linspace(first, max(first, end - _TILE), _TILES).astype(int) // 2 * 2
    return sorted({(y, min(y + _TILE, end, size)) for y in starts.tolist()})


def _median(values: NDArray[np.floating]) -> float:
    good = values[np.isfinite(values)]
    if not good.size:
        return float("nan")
    # Not by numpy.median: it would import numpy.ma, which takes longer than all the levels.
    middle = good.size // 2
    low = middle if good.size % 2 else middle - 1
    ordered = np.partition(good.reshape(-1), (low, middle))
    return 0.5 * (float(ordered[low]) + float(ordered[middle]))
