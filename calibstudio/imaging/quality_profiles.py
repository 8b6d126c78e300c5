"""Profiles of an image along rows and columns, and the zones of noise of a histogram.

The histogram itself is counted in `display_numbers`, for the screen and for reports alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.quality_levels import Image, central_level, channels, plain_image


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
