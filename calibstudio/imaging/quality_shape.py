"""Large and linear structure of an image: gradient, corners, vignetting, row and column banding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import give_way
from calibstudio.domain.planes import Pieces, bands, columns_of, let_go
from calibstudio.imaging.quality_levels import Image, clipped_statistics

_ROWS_AT_ONCE = 64
BINS = 32
"""An image is looked at in so many bins down and across."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The large structure of one channel. NaN where the image is too small to say."""

    plane_p2v: float
    """Peak to valley over the frame of the plane part of a plane + even radial fit, in ADU."""
    centre: float
    """Level of the middle, in ADU."""
    corners: tuple[float, float, float, float]
    """Level of the 5 % boxes: top left, top right, bottom left, bottom right, in ADU."""

    def percent_of(self, level: float, pedestal: float) -> float:
        """Return the gradient in percent of the light (level less pedestal)."""
        light = level - pedestal
        return 100.0 * self.plane_p2v / light if light > 0 else float("nan")

    def vignetting_pct(self, pedestal: float) -> float:
        """Return 100 (1 - mean corner / centre), pedestal taken out."""
        light = self.centre - pedestal
        if not light > 0:
            return float("nan")
        return 100.0 * (1.0 - (float(np.mean(self.corners)) - pedestal) / light)


def bin_levels(
    plane: Image | Pieces,
    bins: int = BINS,
    *,
    step: float = 0.0,
    side: int = 16,
    pedestal: float = 0.0,
) -> NDArray[np.float64]:
    """Return clipped means of bins, shape (rows, columns) of at most (bins, bins); NaN if empty.

    At most ``side`` x ``side`` pixels of each bin are looked at, evenly spread: with noise sigma
    a bin is good to sigma / side. The pedestal is taken off first.
    """
    ny, nx = plane.shape
    rows, columns = min(bins, ny), min(bins, nx)
    if rows == 0 or columns == 0:
        return np.empty((0, 0))
    ys = _even_places(ny, rows, side)
    xs = _even_places(nx, columns, side)
    part = _cross(plane, ys.ravel(), xs.ravel())
    if pedestal:
        part -= np.float32(pedestal)
    cells = part.reshape(rows, ys.shape[1], columns, xs.shape[1]).swapaxes(1, 2)
    values = cells.reshape(rows * columns, -1)
    return _clipped_means(values, step).reshape(rows, columns)


def _cross(plane: Image | Pieces, ys: NDArray[np.int64], xs: NDArray[np.int64]) -> Image:
    """Return the pixels where these rows and columns meet, float32."""
    out = np.empty((len(ys), len(xs)), np.float32)
    if not isinstance(plane, Pieces):
        for k in range(0, len(ys), _ROWS_AT_ONCE):
            out[k : k + _ROWS_AT_ONCE] = plane[np.ix_(ys[k : k + _ROWS_AT_ONCE], xs)]
            let_go(plane)
        return out
    every = slice(0, plane.shape[1])
    for rows in plane.bands():
        inside = np.flatnonzero((ys >= rows.start) & (ys < rows.stop))
        if len(inside):
            out[inside] = plane[rows, every][np.ix_(ys[inside] - rows.start, xs)]
    return out


def _even_places(length: int, bins: int, side: int) -> NDArray[np.int64]:
    """Return for each bin the indices that are looked at."""
    width = length // bins
    take = min(side, width)
    inside = ((np.arange(take) + 0.5) * width / take).astype(np.int64)
    places: NDArray[np.int64] = (np.arange(bins) * length // bins)[:, None] + inside[None, :]
    return places


def _bin_centres(length: int, bins: int) -> NDArray[np.float64]:
    """Return where the bins lie, from -1 (first pixel) to 1 (last)."""
    middles = np.arange(bins) * length // bins + (length // bins - 1) / 2.0
    return np.asarray(middles / ((length - 1) / 2.0) - 1.0, dtype=np.float64)


def _clipped_means(values: NDArray[np.float32], step: float) -> NDArray[np.float64]:
    """Return per row the mean of the values within 5 sigma (MAD) of their median."""
    good = np.isfinite(values)
    if good.all():
        middle = np.median(values, axis=1, keepdims=True)
        spread = 1.4826 * np.median(np.abs(values - middle), axis=1, keepdims=True)
        keep = np.abs(values - middle) <= 5.0 * np.maximum(spread, 0.5 * step)
        total = np.where(keep, values - middle, 0).sum(axis=1, dtype=np.float64)
        means: NDArray[np.float64] = middle[:, 0] + total / keep.sum(axis=1)
        return means
    return np.array([clipped_statistics(row, step=step).mean for row in values])


def measure_shape(
    plane: Image, *, step: float = 0.0, levels: NDArray[np.float64] | None = None
) -> Shape:
    """Fit a plane and even radial terms to the bins of one channel.

    Level = a + b x + c y + d r^2 + e r^4 with x and y from -1 to 1; the plane term's peak to
    valley is 2 (|b| + |c|). Radial terms take up vignetting, so that it is not called a
    gradient. Bins more than 5 sigma from the fit are left out once.
    """
    levels = bin_levels(plane, step=step) if levels is None else levels
    rows, columns = levels.shape
    if min(rows, columns) < 4:
        nothing = float("nan")
        return Shape(nothing, nothing, (nothing, nothing, nothing, nothing))
    y, x = np.meshgrid(
        _bin_centres(plane.shape[0], rows), _bin_centres(plane.shape[1], columns), indexing="ij"
    )
    square = x * x + y * y
    terms = np.stack([np.ones_like(x), x, y, square, square**2], axis=-1).reshape(-1, 5)
    values = levels.ravel()
    keep = np.isfinite(values)
    fit = np.full(5, np.nan)
    for _ in range(2):
        if keep.sum() < 10:
            break
        fit = np.linalg.lstsq(terms[keep], values[keep], rcond=None)[0]
        away = np.abs(values - terms @ fit)
        spread = 1.4826 * float(np.median(away[keep]))
        keep &= away <= max(5.0 * spread, 1e-9)
    p2v = 2.0 * (abs(fit[1]) + abs(fit[2]))
    return Shape(float(p2v), _box(plane, 0.5, 0.5), _corner_levels(plane))


def _box(plane: Image, y: float, x: float, part: float = 0.05) -> float:
    """Return the clipped mean of a box of 5 % of each side, placed from 0 (start) to 1 (end)."""
    ny, nx = plane.shape
    hy, hx = max(1, round(ny * part)), max(1, round(nx * part))
    y0, x0 = round((ny - hy) * y), round((nx - hx) * x)
    box = plane[y0 : y0 + hy, x0 : x0 + hx]
    stride = max(1, int((box.size / 16384) ** 0.5))
    return clipped_statistics(box[::stride, ::stride]).mean


def _corner_levels(plane: Image) -> tuple[float, float, float, float]:
    return _box(plane, 0, 0), _box(plane, 0, 1), _box(plane, 1, 0), _box(plane, 1, 1)


@dataclass(frozen=True, slots=True)
class Banding:
    """Structure of rows or of columns."""

    ratio: float
    """Scatter of line levels over what white pixel noise alone gives; 1 is none. NaN: too small."""
    sigma_adu: float
    """Scatter of line levels beyond white noise, in ADU."""
    bad_lines: int
    """Lines more than 5 sigma from their neighbours."""


def line_structure(
    plane: Image,
    sigma: float,
    *,
    axis: int,
    step: float = 0.0,
    pixels: int = 1 << 19,
    exact: bool = False,
) -> Banding:
    """Measure banding along rows (axis 1) or columns (axis 0) of one channel.

    R = sigma_lines / (sigma_pixel / sqrt(n)), with n the pixels of a full line: the field's
    R with clipped means in the place of medians (so without its factor 1.25, and without the
    medians' steps of half an ADU). The level of a line is measured on a sample of at most so
    many ``pixels`` of the frame, what its neighbours predict is subtracted, and what the noise
    of that smaller sample adds is taken out, so that R is that of full lines. That is good to
    sqrt(2 / lines) n / sampled in R^2, about 1 at 24 megapixels: enough for a limit of 10.
    ``exact`` takes plain means of all pixels, good to sqrt(2 / lines), for flats: in darks one
    hot pixel would move its line.
    """
    lines = plane if axis == 1 else plane.T
    count, length = lines.shape
    if count < 32 or length < 32 or not sigma > 0:
        return Banding(float("nan"), float("nan"), 0)
    if exact and plane.dtype.kind == "u" and plane.dtype.itemsize <= 2 and length < 65_536:
        used = length
        profile = _sums_of_lines(plane, axis) / float(length)
    else:
        sample = _sample_columns(lines, max(64, pixels // count))
        used = sample.shape[1]
        profile = _line_levels(sample, step)
    profile = profile[np.isfinite(profile)]
    if profile.size < 32:
        return Banding(float("nan"), float("nan"), 0)
    scatter, bad_lines = _scatter_of_lines(profile)
    beyond = max(scatter**2 - sigma**2 / used, 0.0)
    ratio = float(np.sqrt(1.0 + beyond * length / sigma**2))
    return Banding(ratio, float(np.sqrt(beyond)), bad_lines)


def _sums_of_lines(plane: Image, axis: int) -> NDArray[np.uint32]:
    """Return the sums of rows (axis 1) or columns of an image of small codes: exact."""
    parts = [plane[rows].sum(axis=axis, dtype=np.uint32) for rows in bands(plane)]
    sums: NDArray[np.uint32] = np.concatenate(parts) if axis == 1 else np.sum(parts, 0, np.uint32)
    return sums


def _scatter_of_lines(profile: NDArray[np.float64], half: int = 7) -> tuple[float, int]:
    """Return the scatter of lines about what their neighbours predict, and how many stand out.

    The prediction is the median of the means of opposite neighbours (1 to 7 lines away): slopes
    cancel, and a bad line does not pull the others. It scatters by itself with 0.1052 of the
    variance of a line (a median of 7 means of 2), which is taken out. The first and last 7
    lines, often bad for the sensor's own reasons, are neighbours only.
    """
    count = len(profile) - 2 * half
    inner = slice(half, half + count)
    pairs = [
        (profile[half - k : half - k + count] + profile[half + k : half + k + count]) / 2.0
        for k in range(1, half + 1)
    ]
    away = profile[inner] - np.median(pairs, axis=0)
    spread = 1.4826 * float(np.median(np.abs(away)))
    kept = away[np.abs(away) <= 5.0 * spread]
    scatter = float(kept.std(ddof=1) / np.sqrt(1.1052)) if kept.size > 1 else 0.0
    return scatter, int(away.size - kept.size)


def _sample_columns(lines: Image, at_most: int) -> NDArray[np.float32]:
    length = lines.shape[1]
    if length <= at_most:
        return np.ascontiguousarray(lines, dtype=np.float32)
    starts = np.linspace(0, length - 16, at_most // 16).astype(int)
    index = (starts[:, None] + np.arange(16)[None, :]).ravel()
    if lines.strides[0] >= lines.strides[1]:
        return np.ascontiguousarray(columns_of(lines, index), dtype=np.float32)
    out = np.empty((len(lines), len(index)), np.float32)
    # Columns are looked at: rows of the image, 16 at a time.
    for k in range(0, len(index), 16):
        out[:, k : k + 16] = lines[:, index[k] : index[k] + 16]
        let_go(lines)
        give_way()
    return out


def _medians_of_lines(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of each line, shape (n, 1), some lines at a time."""
    middle = np.empty((len(lines), 1), np.float32)
    for k in range(0, len(lines), 256):
        give_way()
        middle[k : k + 256] = np.median(lines[k : k + 256], axis=1, keepdims=True)
    return middle


def _line_levels(sample: NDArray[np.float32], step: float) -> NDArray[np.float64]:
    """Return the level of each line: the clipped mean after its columns are brought together.

    NaN for a line with a pixel without a value.
    """
    some = sample[:: max(1, len(sample) // 256)]
    some = some[np.isfinite(some).all(axis=1)]
    if not some.size:
        return np.full(len(sample), np.nan)
    rest = sample - np.median(some, axis=0)[None, :]
    middle = _medians_of_lines(rest)
    rest -= middle
    size = np.abs(rest)
    some = size[:: max(1, len(size) // 256)]
    spread = 1.4826 * float(np.median(some[np.isfinite(some)]))
    keep = size <= 5.0 * max(spread, 0.5 * step)
    rest *= keep
    total = rest.sum(axis=1, dtype=np.float64)
    levels: NDArray[np.float64] = middle[:, 0] + total / np.maximum(keep.sum(axis=1), 1)
    return levels
