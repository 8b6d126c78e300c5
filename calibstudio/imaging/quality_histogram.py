"""Histograms and profiles of an image, with the numbers that are drawn beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.quality_levels import Image, central_level, channels, plain_image, thin

SAMPLE = 1 << 20
"""Pixels that a histogram for display looks at; all of them when it is exact."""


@dataclass(frozen=True, slots=True)
class NoiseZones:
    """Raw levels at which the noise changes hands, in ADU (LOOK 5).

    Below `read_noise_adu` read noise is over half of the noise, above `shot_noise_adu` under a
    tenth; shares of the variance. With read noise R and signal S in electrons the share is
    R^2 / (R^2 + S): one half at S = R^2, one tenth at S = 9 R^2.
    """

    read_noise_adu: float
    shot_noise_adu: float


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts in equal bins. Of a sample, they are scaled to all pixels unless `exact`."""

    edges: NDArray[np.float64]
    """n + 1 bin edges, ADU; values outside are counted in `below` and `above`."""
    counts: NDArray[np.float64]
    """Shape (n,), all channels together."""
    per_channel: Mapping[str, NDArray[np.float64]]
    """The same by channel; one entry, ``L``, for mono."""
    median: float
    minimum: float
    maximum: float
    below: float
    above: float
    exact: bool
    bias_adu: float | None = None
    saturation_adu: float | None = None
    zones: NoiseZones | None = None

    @property
    def n(self) -> int:
        """Number of bins."""
        return len(self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Mean of each row and of each column of an image (or of groups of them), in ADU."""

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    row_positions: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """0-based row of each value (the middle of its group)."""
    column_positions: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def noise_zones(
    bias_adu: float | None, egain_e_per_adu: float | None, read_noise_e: float | None
) -> NoiseZones | None:
    """Return where read noise stops to matter; None when one of the three is unknown."""
    if bias_adu is None or not egain_e_per_adu or read_noise_e is None:
        return None
    step = read_noise_e**2 / egain_e_per_adu
    return NoiseZones(bias_adu + step, bias_adu + 9.0 * step)


def histogram(
    data: Image,
    *,
    bins: int = 512,
    bayer: str | None = None,
    value_range: tuple[float, float] | None = None,
    exact: bool = False,
    bias_adu: float | None = None,
    saturation_adu: float | None = None,
    egain_e_per_adu: float | None = None,
    read_noise_e: float | None = None,
) -> Histogram:
    """Count values in equal bins, fast enough for a live view.

    Parameters
    ----------
    data
        Shape (ny, nx), any real type; NaN is left out.
    bins
        At most so many. Integer images get bins of a whole number of codes, so that no bin is
        empty by construction.
    value_range
        First and last value to show; None: all values of integer images, 0.05 to 99.95 % and a
        tenth more on both sides for floating-point ones.
    exact
        Count every pixel, not an even sample of about 2^20.
    """
    data = plain_image(data)
    planes = channels(data, bayer)
    samples = {
        name: plane.ravel() if exact else thin(plane, SAMPLE // len(planes))
        for name, plane in planes.items()
    }
    is_float = data.dtype.kind == "f"
    if is_float:
        samples = {name: values[np.isfinite(values)] for name, values in samples.items()}
    everything = (
        np.concatenate(list(samples.values())) if len(samples) > 1 else next(iter(samples.values()))
    )
    zones = noise_zones(bias_adu, egain_e_per_adu, read_noise_e)
    if everything.size == 0:
        empty = np.zeros(1)
        nan = float("nan")
        return Histogram(
            np.array([0.0, 1.0]), empty, dict.fromkeys(samples, empty), nan, nan, nan, 0.0, 0.0,
            exact, bias_adu, saturation_adu, zones,
        )  # fmt: skip
    low, high = value_range if value_range is not None else _range(everything, is_float)
    edges = _edges(low, high, bins, whole=not is_float)
    scale = float(np.count_nonzero(np.isfinite(data)) if is_float else data.size) / everything.size
    counted = {name: _count(values, edges) * scale for name, values in samples.items()}
    counts = np.sum(list(counted.values()), axis=0)
    return Histogram(
        edges,
        counts,
        counted,
        float(np.median(everything)),
        float(everything.min()),
        float(everything.max()),
        float(np.count_nonzero(everything < edges[0])) * scale,
        float(np.count_nonzero(everything >= edges[-1])) * scale,
        exact,
        bias_adu,
        saturation_adu,
        zones,
    )


def _range(values: NDArray[Any], is_float: bool) -> tuple[float, float]:
    if not is_float:
        return float(values.min()), float(values.max())
    low, high = np.percentile(values[:: max(1, values.size >> 18)], [0.05, 99.95])
    margin = 0.1 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def _edges(low: float, high: float, bins: int, *, whole: bool) -> NDArray[np.float64]:
    if not whole:
        high = high if high > low else low + 1.0
        return np.linspace(low, high, bins + 1)
    first, last = int(np.floor(low)), int(np.ceil(high))
    width = max(1, -(-(last - first + 1) // max(1, bins)))
    count = -(-(last - first + 1) // width)
    return first - 0.5 + width * np.arange(count + 1, dtype=np.float64)


def _count(values: NDArray[Any], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.dtype == np.uint16 and edges[-1] - edges[0] > 0:
        by_code = np.bincount(values, minlength=1 << 16)[: 1 << 16]
        index = np.floor((np.arange(1 << 16) - edges[0]) / (edges[1] - edges[0])).astype(int)
        inside = (index >= 0) & (index < len(edges) - 1)
        counts = np.bincount(index[inside], by_code[inside], minlength=len(edges) - 1)
        return counts.astype(np.float64)
    return np.histogram(values, bins=edges)[0].astype(np.float64)


def profiles(data: Image, *, at_most: int = 2048, bayer: str | None = None) -> Profiles:
    """Return the mean of rows and of columns, at most so many values each.

    Every pixel counts. Of colour sensors the channels are scaled to their common level first,
    so that the pattern is not seen as banding. NaN is left out.
    """
    scaled = _level_channels(plain_image(data), bayer)
    rows, row_positions = _means(scaled, 1, at_most)
    columns, column_positions = _means(scaled, 0, at_most)
    return Profiles(rows, columns, row_positions, column_positions)


def _level_channels(data: Image, bayer: str | None) -> Image:
    planes = channels(data, bayer)
    if len(planes) == 1:
        return data
    level = central_level(data, bayer)
    scaled = data.astype(np.float32)
    middle = float(np.mean(list(level.per_channel.values())))
    for name, plane in channels(scaled, bayer).items():
        if level.per_channel[name] > 0:
            plane *= middle / level.per_channel[name]
    return scaled


def _means(data: Image, axis: int, at_most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means along an axis, and the positions of the lines they stand for."""
    length = data.shape[1 - axis]
    if data.size == 0:
        return np.empty(0), np.empty(0)
    if data.dtype.kind == "f":
        good = np.isfinite(data)
        total = np.where(good, data, 0).sum(axis=axis, dtype=np.float64)
        count = good.sum(axis=axis)
        lines = np.divide(total, count, out=np.full(length, np.nan), where=count > 0)
    else:
        wide = np.uint32 if data.dtype.itemsize <= 2 else np.float64
        lines = data.sum(axis=axis, dtype=wide) / float(data.shape[axis])
    group = max(1, -(-length // at_most))
    starts = np.arange(0, length, group)
    ends = np.minimum(starts + group, length)
    positions = (starts + ends - 1) / 2.0
    if group == 1:
        return lines, positions
    known = np.isfinite(lines)
    total = np.add.reduceat(np.where(known, lines, 0.0), starts)
    count = np.add.reduceat(known.astype(int), starts)
    return np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0), positions
