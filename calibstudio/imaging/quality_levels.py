"""Robust levels and noise of images: channels, tiles and clipped statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import give_way
from calibstudio.domain.planes import Pieces, bands, columns_of

Image = NDArray[Any]
"""Two-dimensional, (ny, nx), any real type; NaN marks pixels without a value."""

MONO = "L"
"""Name of the only channel of a sensor without colour filters."""

TILE = 64
"""Side of a tile, in pixels of one channel (64 to 128 is the field's custom)."""


def plain_image(data: Image) -> Image:
    """Return an image that numbers can be taken of: infinite values become NaN, booleans bytes.

    Integers and float32 images without infinite values are returned as they are.

    Raises
    ------
    ValueError
        When the array is not two-dimensional.
    """
    if data.ndim != 2:
        raise ValueError(f"an image has two dimensions, this array has {data.ndim}")
    if data.dtype.kind == "b":
        return data.view(np.uint8)
    if data.dtype.kind != "f":
        return data
    with np.errstate(over="ignore"):
        values = data.astype(np.float32, copy=False)
    if any(np.isinf(values[rows]).any() for rows in bands(values)):
        values = np.where(np.isinf(values), np.float32(np.nan), values)
    return values


@dataclass(frozen=True, slots=True)
class Level:
    """How bright an image is (RULES 6). NaN where there is nothing to measure."""

    value_adu: float
    """Raw robust level of the central region; of the brightest channel for colour sensors."""
    per_channel: Mapping[str, float]
    """By channel: ``L`` for mono, else ``R``, ``G1``, ``G2``, ``B`` in the order of the pattern."""
    p999_adu: float
    """99.9th percentile over the whole frame, of the channel where it is highest."""
    channel: str = MONO
    """The channel that `value_adu` comes from."""


def channels(data: Image, bayer: str | None = None) -> dict[str, Image]:
    """Split an image into its colour channels, as views of shape (ny/2, nx/2).

    ``bayer`` is the 2x2 pattern of the stored rows (``RGGB``); None, or a pattern that is not
    four letters, gives one channel called ``L``. A letter that repeats is numbered.
    """
    if bayer is None or len(bayer) != 4 or min(data.shape) < 2:
        return {MONO: data}
    names = list(bayer.upper())
    for letter in set(names):
        places = [i for i, name in enumerate(names) if name == letter]
        if len(places) > 1:
            for count, place in enumerate(places, 1):
                names[place] = f"{letter}{count}"
    return {name: data[i // 2 :: 2, i % 2 :: 2] for i, name in enumerate(names)}


def central_level(data: Image, bayer: str | None = None) -> Level:
    """Measure how bright an image is, quickly: what auto-exposure and previews steer by.

    Parameters
    ----------
    data
        Raw ADU, shape (ny, nx), any real type. NaN is left out.
    bayer
        2x2 pattern of the stored rows, or None.

    Returns
    -------
    Level
        Median of the medians of tiles of the central region (half of the height and of the
        width), per channel. At most 64 tiles of 64 x 64 pixels (32 per channel of a colour
        sensor), evenly spread, are looked at: with noise sigma the level is good to about
        0.005 sigma. The percentile is taken from an even sample of 2^18 pixels of the frame.

    Raises
    ------
    ValueError
        When the array is not two-dimensional.
    """
    data = plain_image(data)
    levels: dict[str, float] = {}
    highest = float("nan")
    planes = channels(data, bayer)
    for name, plane in planes.items():
        levels[name] = _median_of_tiles(central(plane), 64 if len(planes) == 1 else 32)
        highest = float(np.fmax(highest, _percentile(thin(plane, (1 << 18) // len(planes)), 99.9)))
    brightest = max(levels, key=lambda n: -np.inf if np.isnan(levels[n]) else levels[n])
    return Level(levels[brightest], levels, highest, brightest)


def central(plane: Image, part: float = 0.5) -> Image:
    """Return the middle of an image: this part of its height and width, never empty of pixels."""
    return plane[central_place(plane.shape, part)]


def central_place(shape: tuple[int, ...], part: float) -> tuple[slice, slice]:
    """Return where the middle of an image lies (see `central`)."""
    ny, nx = shape
    hy, hx = max(1, round(ny * part)), max(1, round(nx * part))
    y0, x0 = (ny - hy) // 2, (nx - hx) // 2
    return slice(y0, y0 + hy), slice(x0, x0 + hx)


def tiles(plane: Image | Pieces, *, side: int = TILE, at_most: int = 144) -> NDArray[Any]:
    """Cut at most so many square tiles, evenly spread over an image.

    Returns
    -------
    NDArray
        Shape (n, side, side), a copy. Images smaller than a tile give one tile of their own
        shape; an empty image gives n = 0.
    """
    ny, nx = plane.shape
    if ny == 0 or nx == 0:
        return np.empty((0, side, side), dtype=plane.dtype)
    hy, hx = min(side, ny), min(side, nx)
    rows, columns = _spread(ny // hy, nx // hx, at_most)
    starts_y = np.linspace(0, ny - hy, rows).astype(int) if rows > 1 else [(ny - hy) // 2]
    starts_x = np.linspace(0, nx - hx, columns).astype(int) if columns > 1 else [(nx - hx) // 2]
    return np.stack([plane[y : y + hy, x : x + hx] for y in starts_y for x in starts_x])


def _spread(rows: int, columns: int, at_most: int) -> tuple[int, int]:
    """Return how many tiles down and across, in the proportions of the image."""
    if rows * columns <= at_most:
        return max(1, rows), max(1, columns)
    down = min(rows, max(1, round((at_most * rows / columns) ** 0.5)))
    return down, max(1, min(columns, at_most // down))


def thin(plane: Image, at_most: int) -> NDArray[Any]:
    """Return an even sample of an image, at most about so many pixels, as a flat copy.

    Runs of 8 neighbouring pixels are taken together, because memory is read by the line.
    """
    ny, nx = plane.shape
    if ny * nx <= at_most:
        return plane.ravel()
    step = (ny * nx / at_most) ** 0.5
    step_y = max(1, int(np.ceil(step)))
    run = 8 if nx >= 64 else 1
    step_x = max(1, int(np.ceil(ny * nx / at_most / step_y))) * run
    part = plane[step_y // 2 :: step_y]
    starts = np.arange(0, max(1, nx - run + 1), step_x)
    index = (starts[:, None] + np.arange(run)[None, :]).ravel()
    return columns_of(part, index).ravel()


def _median_of_tiles(plane: Image, at_most: int) -> float:
    cut = tiles(plane, at_most=at_most)
    if cut.size == 0:
        return float("nan")
    flat = cut.reshape(len(cut), -1)
    if cut.dtype.kind != "f":
        return float(np.median(np.median(flat, axis=1)))
    medians = [np.median(kept) for row in flat if (kept := row[np.isfinite(row)]).size]
    return float(np.median(medians)) if medians else float("nan")


def _percentile(values: NDArray[Any], percent: float) -> float:
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if values.size == 0:
        return float("nan")
    place = min(values.size - 1, int(np.ceil(values.size * percent / 100.0)))
    return float(np.partition(values, place)[place])


@dataclass(frozen=True, slots=True)
class Clipped:
    """Statistics of values left after a 5 sigma clip. NaN when nothing is left."""

    mean: float
    sigma: float
    n_kept: int
    n_all: int


def clipped_statistics(values: NDArray[Any], *, sigmas: float = 5.0, step: float = 0.0) -> Clipped:
    """Mean and standard deviation after a clip at 5 sigma about the median.

    The clip is set by sigma = 1.4826 MAD; what is quoted is the standard deviation of the kept
    values, because on integer data the MAD is quantised (a true 1.70 ADU reads 1.48, one of
    0.30 reads 0: half a ``step`` of the converter, see `adu_quantum`, is the least it may be).
    """
    flat = np.asarray(values).ravel()
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return Clipped(float("nan"), float("nan"), 0, 0)
    flat = flat.astype(np.float64)
    middle = np.median(flat)
    away = np.abs(flat - middle)
    spread = max(1.4826 * float(np.median(away)), 0.5 * step)
    kept = flat[away <= sigmas * spread]
    sigma = float(kept.std(ddof=1)) if kept.size > 1 else float("nan")
    return Clipped(float(kept.mean()), sigma, int(kept.size), int(flat.size))


def known_percentile(values: NDArray[Any], percent: float = 50.0) -> float:
    """Return a percentile (the median) of the finite values; NaN when there are none."""
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else float("nan")


def tile_noise(plane: Image, *, at_most: int = 144, side: int = TILE, step: float = 0.0) -> float:
    """Return the noise of an image: median over tiles of the clipped standard deviation.

    A plane is taken out of each tile first, so that vignetting is not counted as noise.
    NaN when no tile has at least 9 values.
    """
    sigmas = tile_noises(plane, at_most=at_most, side=side, step=step)
    return float(np.median(sigmas)) if sigmas.size else float("nan")


def tile_noises(
    plane: Image, *, at_most: int = 144, side: int = TILE, step: float = 0.0
) -> NDArray[np.float64]:
    """Return the clipped standard deviation of each tile that could be measured."""
    sigmas = noises_of_tiles(tiles(plane, at_most=at_most, side=side), step=step)
    return sigmas[np.isfinite(sigmas)]


def noises_of_tiles(cut: NDArray[Any], *, step: float = 0.0) -> NDArray[np.float64]:
    """Return the same of tiles that are cut already, shape (n, height, width).

    One value for each tile; NaN for a tile with fewer than 9 values.
    """
    if cut.size == 0:
        return np.full(len(cut), np.nan)
    # A few tiles at a time stay in the processor's cache: twice as quick as all at once.
    parts = [_noises_of_some(cut[i : i + 16], step) for i in range(0, len(cut), 16)]
    return np.concatenate(parts)


def _noises_of_some(cut: NDArray[Any], step: float) -> NDArray[np.float64]:
    give_way()
    count, hy, hx = cut.shape
    values = cut.reshape(count, -1).astype(np.float32)
    good = np.isfinite(values)
    measured = good.sum(axis=1) >= 9
    sigmas = np.full(count, np.nan)
    if not measured.any():
        return sigmas
    if not measured.all():
        values, good = values[measured], good[measured]
    values -= _row_medians(values, good)
    if not good.all():
        values[~good] = 0.0
    sigmas[measured] = _clipped_without_plane(values, good, (hy, hx), step)
    return sigmas


def rough_medians(values: NDArray[Any]) -> NDArray[Any]:
    """Return the medians of rows, shape (n, 1), of every third value of long rows.

    Good enough to centre and to set a clip (3 % of a sigma), three times as quick, and no
    multiple of a tile's side, so that no column is preferred.
    """
    sample = values[:, ::3] if values.shape[1] >= 1024 else values
    medians: NDArray[Any] = np.median(sample, axis=1, keepdims=True)
    return medians


def _row_medians(values: NDArray[np.float32], good: NDArray[np.bool_]) -> NDArray[np.float32]:
    if good.all():
        return rough_medians(values)
    return np.array(
        [[np.median(row[keep])] for row, keep in zip(values, good, strict=True)], dtype=np.float32
    )


def _clipped_without_plane(
    values: NDArray[np.float32], good: NDArray[np.bool_], shape: tuple[int, int], step: float
) -> NDArray[np.float64]:
    """Clip at 5 sigma (MAD), take out a plane, clip what remains, and quote the deviation."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].reshape(2, -1).astype(np.float32)
    y, x = y - y.mean(), x - x.mean()
    terms = np.stack([y / max(float((y * y).sum()), 1e-9), x / max(float((x * x).sum()), 1e-9)])
    for _ in range(2):
        keep = _within_clip(values, good, step)
        kept = values * keep
        count = np.maximum(np.count_nonzero(keep, axis=1)[:, None], 1)
        slopes = kept @ terms.T
        mean = kept.sum(axis=1, keepdims=True) / count
        values = values - mean.astype(np.float32) - slopes @ np.stack([y, x])
    keep = _within_clip(values, good, step)
    kept = values * keep
    count = np.count_nonzero(keep, axis=1)
    mean = kept.sum(axis=1) / np.maximum(count, 1)
    squares = np.einsum("ij,ij->i", kept, kept, dtype=np.float64)
    free = np.maximum(count - (3 if min(shape) > 3 else 1), 1)
    variance = (squares - count * mean.astype(np.float64) ** 2) / free
    sigmas: NDArray[np.float64] = np.sqrt(np.maximum(variance, 0.0))
    return sigmas


def _within_clip(
    values: NDArray[np.float32], good: NDArray[np.bool_], step: float
) -> NDArray[np.bool_]:
    away = np.abs(values)
    if good.all():
        spread = rough_medians(away)
    else:
        spread = _row_medians(away, good)
    # 5 sigma of 1.4826 MAD.
    within: NDArray[np.bool_] = away <= np.maximum(7.413 * spread, 2.5 * step).astype(np.float32)
    return within & good


def adu_quantum(data: Image) -> float:
    """Return the step between codes: 16 for 12-bit values stored in 16 bits, else 1.

    The greatest common divisor of the differences of a sample of 2^16 values. Floating-point
    images have no step: 0. So has an image of one single value.
    """
    if data.dtype.kind not in "ui" or data.size == 0:
        return 0.0
    codes = np.unique(thin(data, 1 << 16)).astype(np.int64)
    if codes.size < 2:
        return 0.0
    return float(np.gcd.reduce(np.diff(codes)))
