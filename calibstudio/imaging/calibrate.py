"""The arithmetic of master flats: levels, scales, normalisation, and the dark signal left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.recipe import FlatSettings, LevelOf
from calibstudio.imaging.quality_levels import central, channels, tiles
from calibstudio.imaging.quality_shape import bin_levels

Image = NDArray[Any]
Levels = tuple[float, ...]
"""One level, or one for each place of the 2x2 cell: (even row, even column), (even, odd),
(odd, even), (odd, odd)."""


def levels_of(data: Image, settings: FlatSettings, bayer: str | None = None) -> Levels:
    """Measure the level by which a flat is scaled and normalised (RULES 5).

    Parameters
    ----------
    data
        Shape (ny, nx), ADU, pedestal and dark already taken out; NaN is left out.
    settings
        Which level, of which centred part, and whether each colour has its own.
    bayer
        2x2 pattern of the stored rows, or None.

    Returns
    -------
    tuple
        One level in ADU, or four for a colour sensor; NaN where there is nothing to measure.
    """
    planes = channels(data, bayer if settings.per_channel else None)
    return tuple(
        _level(central(plane, settings.region), settings.level) for plane in planes.values()
    )


def _level(part: Image, how: LevelOf) -> float:
    if how is LevelOf.TILES:
        cut = tiles(part, at_most=64)
        medians = [np.median(kept) for tile in cut if (kept := tile[np.isfinite(tile)]).size]
        return float(np.median(medians)) if medians else float("nan")
    values = part[np.isfinite(part)]
    if values.size == 0:
        return float("nan")
    if how is LevelOf.MEAN:
        return float(values.mean(dtype=np.float64))
    if how is LevelOf.MEDIAN:
        return float(np.median(values))
    return _mode(values)


def _mode(values: NDArray[Any]) -> float:
    """Return the most frequent value in whole hundredths of the median (KPF's 100 bins of one).

    Of equally frequent ones the smallest.
    """
    middle = float(np.median(values))
    if not middle > 0:
        return middle
    codes = np.rint(100.0 * values / middle).astype(np.int64)
    found, counts = np.unique(codes, return_counts=True)
    return float(found[np.argmax(counts)]) * middle / 100.0


def scales_to(levels: Levels, reference: Levels) -> Levels:
    """Return what each channel is multiplied with to come to the reference level."""
    return tuple(
        to / level if level > 0 else float("nan")
        for level, to in zip(levels, reference, strict=True)
    )


def reference_levels(levels: list[Levels]) -> Levels:
    """Return the common level that frames are brought to: the median of theirs, by channel."""
    return tuple(float(np.median(column)) for column in zip(*levels, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """A flat that was divided by its level."""

    image: NDArray[np.float32]
    """1 at the level; 1 also where there was no light."""
    unc: NDArray[np.float32]
    """NaN where there was no light."""
    cnt: NDArray[np.uint16]
    """0 where there was no light."""
    bpm: NDArray[np.uint8] | None
    """1 where there was no light; None when there is no such pixel."""
    n_unity: int
    """Pixels that were set to 1."""


def normalise(
    image: NDArray[np.float32],
    unc: NDArray[np.float32],
    cnt: NDArray[np.uint16],
    levels: Levels,
    *,
    unity_below: float,
) -> Normalised:
    """Divide a flat by its level; where the signal is too low or missing, set 1 and a mask.

    Parameters
    ----------
    image, unc
        Shape (ny, nx), ADU without pedestal.
    levels
        One divisor, or four for a colour sensor (see `Levels`). Above 0.
    unity_below
        Fraction of the level below which a pixel counts as dark.
    """
    divisor = np.float32(levels[0]) if len(levels) == 1 else _cell(levels, image.shape)
    ratio = (image / divisor).astype(np.float32)
    spread = (unc / divisor).astype(np.float32)
    with np.errstate(invalid="ignore"):
        dark = ~(ratio >= unity_below)
    dark |= ratio <= 0
    n_unity = int(np.count_nonzero(dark))
    if n_unity == 0:
        return Normalised(ratio, spread, cnt, None, 0)
    ratio[dark] = 1.0
    spread[dark] = np.nan
    kept = cnt.copy()
    kept[dark] = 0
    return Normalised(ratio, spread, kept, dark.astype(np.uint8), n_unity)


def _cell(levels: Levels, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Repeat four values over an image."""
    out = np.empty(shape, dtype=np.float32)
    for i, level in enumerate(levels):
        out[i // 2 :: 2, i % 2 :: 2] = level
    return out


def with_subtrahend(
    unc: NDArray[np.float32], subtracted: NDArray[np.float32] | None, scale: float
) -> NDArray[np.float32]:
    """Add the uncertainty of the one image that was taken from every frame.

    It is common to all frames, so averaging does not make it smaller: it adds in quadrature,
    times the mean scale of the frames.
    """
    if subtracted is None:
        return unc
    total: NDArray[np.float32] = np.hypot(unc, subtracted * np.float32(scale))
    return total


@dataclass(frozen=True, slots=True)
class DarkSignal:
    """What a dark gathers in a second, above the bias."""

    rate_adu_per_s: float
    """Of the middle of the picture."""
    glow_adu_per_s: float
    """Of its brightest part, hot pixels left out; never less than the rate."""


def dark_signal(dark: Image, bias: Image, exposure_s: float) -> DarkSignal:
    """Measure the dark signal of a dark against a bias (or a shorter dark), glow included.

    Parameters
    ----------
    dark, bias
        Shape (ny, nx), ADU, of the same camera and settings.
    exposure_s
        Difference of their exposures, above 0.

    Notes
    -----
    The glow is the highest of 32 x 32 bins, each a mean clipped at 5 sigma, so that single hot
    pixels do not count: they are hot in every dark.
    """
    bins = bin_levels((dark.astype(np.float32) - bias).astype(np.float32))
    if bins.size == 0 or not np.isfinite(bins).any():
        return DarkSignal(float("nan"), float("nan"))
    middle = float(np.nanmedian(bins)) / exposure_s
    return DarkSignal(middle, max(middle, float(np.nanmax(bins)) / exposure_s))
