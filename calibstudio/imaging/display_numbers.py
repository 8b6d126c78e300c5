"""Numbers about a part of a picture, for the panels beside it: histogram, statistics, profile.

A raw frame's histogram has one bin for each ADU, so that everything else follows from it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.equipment import Region
from calibstudio.imaging.display import Pixels, display_pixels, fast_loops
from calibstudio.imaging.display_stretch import MAD_TO_SIGMA

_STRIP_ROWS = 256
_FLOAT_BINS = 16384
_FLOAT_MARGIN = 0.5
_SAMPLE_SIZE = 250_000
_QUANTUM_SAMPLE = 40_000
_MOST_OF = 0.8
BAYER_CHANNELS = {"R": "red", "G": "green", "B": "blue"}


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How many pixels have which value, in fine equal bins.

    Values outside the bins are counted in the first and the last.
    """

    counts: NDArray[np.int64]
    low: float
    """Left edge of the first bin."""
    width: float
    """Width of a bin; 1 for raw frames, whose bins are centred on whole ADU."""
    quantum: float = 0.0
    """Step between values that occur (see `mean_quantum`); 0 when they lie anywhere."""

    @property
    def total(self) -> int:
        """Number of pixels with a value."""
        return int(self.counts.sum())

    def centre(self, k: int) -> float:
        """The value in the middle of a bin."""
        return self.low + (k + 0.5) * self.width

    def quantile(self, fraction: float) -> float:
        """The value below which this fraction of the pixels lies (lower of two at a tie)."""
        cumulative = np.cumsum(self.counts)
        rank = max(1, int(np.ceil(fraction * cumulative[-1])))
        return self.centre(int(np.searchsorted(cumulative, rank)))


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """Numbers of the pixels of a region, in the picture's unit. NaN pixels do not count."""

    n_pixels: int
    median: float
    mean: float
    sigma: float
    """Robust: 1.4826 times the median absolute deviation."""
    minimum: float
    maximum: float
    n_saturated: int
    n_zero: int


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """A histogram as it is drawn: few bins of equal width."""

    edges: NDArray[np.float64]
    """n + 1 values."""
    counts: NDArray[np.float64]
    """n values: pixels in each bin."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Values along a line."""

    distance_px: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    value: NDArray[np.float64]
    """Linear between the four pixels around each point; NaN outside the picture."""


def clip_region(region: Region | None, shape: tuple[int, int]) -> Region:
    """Return the part of a region that lies on a picture of (rows, columns); None: all of it.

    A region beside the picture becomes its nearest pixel, so that it is never empty.
    """
    ny, nx = shape
    if region is None:
        return Region(0, 0, nx, ny)
    x0 = min(max(region.x, 0), nx - 1)
    y0 = min(max(region.y, 0), ny - 1)
    x1 = min(max(region.x + region.width, x0 + 1), nx)
    y1 = min(max(region.y + region.height, y0 + 1), ny)
    return Region(x0, y0, x1 - x0, y1 - y0)


def region_histogram(
    data: NDArray[Any], region: Region | None = None, *, phase: tuple[int, int] | None = None
) -> Histogram:
    """Count the values of a region.

    Parameters
    ----------
    data
        Picture of shape (ny, nx); uint16 gets one bin for each ADU, float32 16 384 bins around
        the bulk of its values.
    phase
        (row, column) of one colour's pixel in each 2 x 2 cell of a colour sensor, counted from
        the frame's first pixel; None counts all pixels.
    """
    if data.size == 0:
        return Histogram(np.zeros(1, np.int64), 0.0, 1.0)
    pixels = display_pixels(data)
    part = clip_region(region, pixels.shape)
    if pixels.dtype == np.uint16:
        return Histogram(_count_raw(pixels, part, phase), -0.5, 1.0)
    return _count_float(pixels, part, phase)


def channel_histograms(
    data: NDArray[Any], bayer: str, region: Region | None = None
) -> dict[str, Histogram]:
    """Return a histogram for each colour, keyed ``R``, ``G``, ``B``.

    ``bayer`` is the pattern of the first two rows from the frame's first pixel, as ``RGGB``.
    """
    found: dict[str, Histogram] = {}
    for position, colour in enumerate(bayer[:4].upper()):
        one = region_histogram(data, region, phase=divmod(position, 2))
        before = found.get(colour)
        if before is None or before.counts.size != one.counts.size or before.low != one.low:
            found[colour] = one
        else:
            found[colour] = Histogram(before.counts + one.counts, one.low, one.width)
    return {c: found[c] for c in "RGB" if c in found}


def _steps(part: Region, phase: tuple[int, int] | None) -> tuple[int, int, int, int, int, int]:
    """Return y0, y1, step, x0, x1, step of the pixels that count."""
    y1, x1 = part.y + part.height, part.x + part.width
    if phase is None:
        return part.y, y1, 1, part.x, x1, 1
    return part.y + (phase[0] - part.y) % 2, y1, 2, part.x + (phase[1] - part.x) % 2, x1, 2


def _count_raw(pixels: Pixels, part: Region, phase: tuple[int, int] | None) -> NDArray[np.int64]:
    y0, y1, sy, x0, x1, sx = _steps(part, phase)
    if (kernels := fast_loops()) is not None:
        counts: NDArray[np.int64] = kernels.count_raw(pixels, y0, y1, sy, x0, x1, sx)
        return counts
    counts = np.zeros(65536, np.int64)
    for y in range(y0, y1, _STRIP_ROWS * sy):
        strip = pixels[y : min(y + _STRIP_ROWS * sy, y1) : sy, x0:x1:sx]
        counts += np.bincount(strip.ravel(), minlength=65536)
    return counts


def _count_float(pixels: Pixels, part: Region, phase: tuple[int, int] | None) -> Histogram:
    y0, y1, sy, x0, x1, sx = _steps(part, phase)
    low, high = _float_range(pixels[y0:y1:sy, x0:x1:sx])
    width = (high - low) / _FLOAT_BINS
    counts = np.zeros(_FLOAT_BINS, np.int64)
    if (kernels := fast_loops()) is not None:
        kernels.count_float(pixels, y0, y1, sy, x0, x1, sx, low, width, counts)
        return Histogram(counts, low, width)
    for y in range(y0, y1, _STRIP_ROWS * sy):
        strip = pixels[y : min(y + _STRIP_ROWS * sy, y1) : sy, x0:x1:sx]
        values = strip[np.isfinite(strip)].astype(np.float64)
        index = np.clip((values - low) / width, 0, _FLOAT_BINS - 1).astype(np.int64)
        counts += np.bincount(index, minlength=_FLOAT_BINS)
    return Histogram(counts, low, width)


def _float_range(values: NDArray[Any]) -> tuple[float, float]:
    """A range that holds the bulk of the values with a margin, so that no outlier coarsens it."""
    step = max(1, int(np.sqrt(values.size / _SAMPLE_SIZE)))
    sample = values[::step, ::step]
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(sample, [0.05, 99.95]))
    margin = _FLOAT_MARGIN * (high - low) or max(1e-6, abs(low) * 1e-3)
    return max(low - margin, float(sample.min())) - 1e-9 * margin, high + margin


def region_statistics(
    data: NDArray[Any],
    region: Region | None = None,
    *,
    saturation: float | None = None,
    histogram: Histogram | None = None,
) -> RegionStatistics | None:
    """Measure a region; None when none of its pixels has a value.

    Exact for raw frames. For float32 pictures median and sigma are good to a bin of
    `region_histogram` (about 1/8000 of the spread), the rest is exact.

    Parameters
    ----------
    histogram
        `region_histogram` of the same region, when the caller has it already.
    """
    pixels = display_pixels(data)
    part = clip_region(region, pixels.shape)
    counted = region_histogram(pixels, part) if histogram is None else histogram
    if counted.total == 0:
        return None
    if pixels.dtype == np.uint16:
        return _statistics_of_raw(counted, saturation)
    return _statistics_of_float(pixels, part, counted, saturation)


def _statistics_of_raw(histogram: Histogram, saturation: float | None) -> RegionStatistics:
    counts = histogram.counts
    total = int(counts.sum())
    values = np.flatnonzero(counts)
    weights = counts[values]
    first = 65536 if saturation is None else max(0, int(np.ceil(saturation)))
    median, sigma = _median_and_sigma(values.astype(np.float64), weights)
    return RegionStatistics(
        n_pixels=total,
        median=median,
        mean=float(np.dot(values.astype(np.float64), weights.astype(np.float64)) / total),
        sigma=sigma,
        minimum=float(values[0]),
        maximum=float(values[-1]),
        n_saturated=int(counts[first:].sum()),
        n_zero=int(counts[0]),
    )


def _statistics_of_float(
    pixels: Pixels, part: Region, histogram: Histogram, saturation: float | None
) -> RegionStatistics:
    occupied = np.flatnonzero(histogram.counts)
    centres = np.asarray(histogram.low + (occupied + 0.5) * histogram.width, np.float64)
    median, sigma = _median_and_sigma(centres, histogram.counts[occupied])
    total, low, high = 0.0, np.inf, -np.inf
    n_saturated = n_zero = 0
    for y in range(part.y, part.y + part.height, _STRIP_ROWS):
        rows = slice(y, min(y + _STRIP_ROWS, part.y + part.height))
        strip = pixels[rows, part.x : part.x + part.width]
        values = strip[~np.isnan(strip)]
        if values.size == 0:
            continue
        total += float(values.sum(dtype=np.float64))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        n_zero += int(np.count_nonzero(values == 0))
        if saturation is not None:
            n_saturated += int(np.count_nonzero(values >= saturation))
    n = histogram.total
    return RegionStatistics(n, median, total / n, sigma, low, high, n_saturated, n_zero)


def _median_and_sigma(
    values: NDArray[np.float64], weights: NDArray[np.int64]
) -> tuple[float, float]:
    """Return median and 1.4826 MAD of values that occur ``weights`` times each."""
    median = _weighted_median(values, weights)
    deviations = np.abs(values - median)
    order = np.argsort(deviations, kind="stable")
    return median, MAD_TO_SIGMA * _weighted_median(deviations[order], weights[order])


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.int64]) -> float:
    """The median as numpy's: the mean of the two middle values of an even number."""
    cumulative = np.cumsum(weights)
    n = int(cumulative[-1])
    lower = values[int(np.searchsorted(cumulative, (n + 1) // 2))]
    upper = values[int(np.searchsorted(cumulative, n // 2 + 1))]
    return float(lower + upper) / 2.0


def value_step(histogram: Histogram) -> int:
    """The step between values that a raw frame's converter gives (16 for 12 bits moved up)."""
    occupied = np.flatnonzero(histogram.counts[:-1])
    if occupied.size < 3:
        return 1
    return max(1, int(np.gcd.reduce(np.diff(occupied))))


def bars(histogram: Histogram, low: float, high: float, n_bars: int) -> Bars:
    """Gather a histogram into about ``n_bars`` bins between two values.

    Bins of raw frames are a whole number of converter steps wide, those of a mean of whole
    numbers a whole number of its quanta, so that no comb of empty or double bins appears that is
    not in the data.
    """
    if histogram.quantum > 4 * histogram.width:
        return _bars_of_quanta(histogram, low, high, n_bars)
    step = value_step(histogram) if histogram.width == 1.0 else 1
    fine = max(1, int(np.ceil((high - low) / histogram.width / max(1, n_bars) / step))) * step
    first = int(np.floor((low - histogram.low) / histogram.width / fine)) * fine
    last = int(np.ceil((high - histogram.low) / histogram.width))
    n = max(1, -(-(last - first) // fine))
    padded = np.zeros(n * fine, np.float64)
    begin, end = max(first, 0), min(first + n * fine, histogram.counts.size)
    if end > begin:
        padded[begin - first : end - first] = histogram.counts[begin:end]
    edges = histogram.low + (first + np.arange(n + 1) * fine) * histogram.width
    return Bars(np.asarray(edges, np.float64), padded.reshape(n, fine).sum(axis=1))


def _bars_of_quanta(histogram: Histogram, low: float, high: float, n_bars: int) -> Bars:
    """Bins of whole quanta, whose edges lie half a quantum beside the values that occur."""
    quantum = histogram.quantum
    width = max(1.0, np.ceil((high - low) / max(1, n_bars) / quantum - 1e-9)) * quantum
    first = np.floor(low / width) * width - quantum / 2
    n = max(1, int(np.ceil((high - first) / width)))
    occupied = np.flatnonzero(histogram.counts)
    centres = histogram.low + (occupied + 0.5) * histogram.width
    place = np.floor((centres - first) / width).astype(np.int64)
    inside = (place >= 0) & (place < n)
    counts = np.bincount(place[inside], histogram.counts[occupied][inside], minlength=n)
    edges = first + np.arange(n + 1) * width
    return Bars(np.asarray(edges, np.float64), np.asarray(counts, np.float64))


def mean_quantum(data: NDArray[Any], n_values: int) -> float:
    """Return the step between the values of a mean of ``n_values`` whole numbers, else 0.

    A mean of n frames in ADU is a multiple of 1/n ADU, of 16/n where a converter of 12 bits is
    moved up. Pixels of which values were rejected are means of fewer; they may be up to a fifth.

    Parameters
    ----------
    data
        Picture of shape (ny, nx), in ADU, neither scaled nor subtracted.
    """
    step = max(1, int(np.sqrt(data.size / _QUANTUM_SAMPLE)))
    sample = np.asarray(data[::step, ::step], np.float64).ravel()
    sample = sample[np.isfinite(sample)]
    if n_values < 1 or sample.size == 0:
        return 0.0
    scaled = sample * n_values
    whole = np.rint(scaled)
    is_whole = np.abs(scaled - whole) <= 0.02 + 2.0**-23 * np.abs(scaled)
    if is_whole.mean() < _MOST_OF:
        return 0.0
    for factor in (256, 64, 16, 8, 4, 2):
        left = np.bincount((whole[is_whole] % factor).astype(np.int64))
        if left[0] >= _MOST_OF * sample.size and np.ptp(whole[is_whole]) > 4 * factor:
            return factor / n_values
    return 1.0 / n_values


def data_range(histogram: Histogram) -> tuple[float, float]:
    """Return the range that a plot zooms to: the bulk of the pixels, with a margin.

    From the lowest 0.01 % to the highest 0.1 %, so that stars and hot pixels do not push the sky
    into one bin.
    """
    low, high = histogram.quantile(1e-4), histogram.quantile(0.999)
    margin = max(0.06 * (high - low), 4 * histogram.width)
    return low - margin, high + margin


def line_profile(
    data: NDArray[Any], x0: float, y0: float, x1: float, y1: float, *, max_points: int = 4096
) -> Profile:
    """Read values along a line, about one for each pixel of its length.

    Coordinates have pixel i from i to i + 1, so its centre is at i + 0.5. Within half a pixel of
    the picture's edge the edge pixel is repeated.
    """
    ny, nx = data.shape
    length = float(np.hypot(x1 - x0, y1 - y0))
    n = int(min(max_points, max(2, round(length) + 1)))
    t = np.linspace(0.0, 1.0, n)
    x, y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
    inside = (x >= 0) & (x <= nx) & (y >= 0) & (y <= ny)
    px, py = np.clip(x - 0.5, 0, nx - 1), np.clip(y - 0.5, 0, ny - 1)
    ix, iy = np.floor(px).astype(np.intp), np.floor(py).astype(np.intp)
    jx, jy = np.minimum(ix + 1, nx - 1), np.minimum(iy + 1, ny - 1)
    u, v = px - ix, py - iy
    top = data[iy, ix] * (1 - u) + data[iy, jx] * u
    bottom = data[jy, ix] * (1 - u) + data[jy, jx] * u
    value = np.where(inside, top * (1 - v) + bottom * v, np.nan)
    return Profile(t * length, x, y, value)
