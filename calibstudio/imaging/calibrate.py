"""The arithmetic of calibration: levels, scales, normalisation, and the dark signal left over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import Defect
from calibstudio.domain.recipe import FlatSettings, LevelOf
from calibstudio.imaging.quality_levels import central, channels, tiles
from calibstudio.imaging.quality_shape import bin_levels
from calibstudio.imaging.smooth import smooth_light

Image = NDArray[Any]
Levels = tuple[float, ...]
"""One level, or one for each place of the 2x2 cell: (even row, even column), (even, odd),
(odd, even), (odd, odd); with regions one for each, in the order of their numbers."""


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


def region_levels(data: Image, regions: NDArray[Any], settings: FlatSettings) -> Levels:
    """Measure the level of each region 1, 2, ... of a mask (KPF: its orderlets).

    Tiles do not fit into regions of any shape: there their level is the median. A region
    without a value above 0 has the level 1: nothing in it is divided.
    """
    flat, numbers = data.ravel(), regions.ravel()
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(1, int(numbers.max(initial=0)) + 2))
    how = LevelOf.MEDIAN if settings.level is LevelOf.TILES else settings.level
    found = []
    for first, end in pairwise(ends.tolist()):
        level = _level(flat[order[first:end]], how)
        found.append(level if level > 0 else 1.0)
    return tuple(found)


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
    """Bits of `Defect`; None when there is no such pixel."""
    levels: Levels
    """What it was divided by, after smooth light was."""

    def count(self, bit: Defect) -> int:
        """Return how many pixels were set to 1 for this reason."""
        return 0 if self.bpm is None else int(np.count_nonzero(self.bpm & np.uint8(bit)))

    @property
    def n_unity(self) -> int:
        """Pixels that were set to 1, for whatever reason."""
        return 0 if self.bpm is None else int(np.count_nonzero(self.bpm))


def normalise_flat(
    image: NDArray[np.float32],
    unc: NDArray[np.float32],
    cnt: NDArray[np.uint16],
    settings: FlatSettings,
    *,
    bayer: str | None = None,
    regions: NDArray[Any] | None = None,
) -> Normalised:
    """Bring a stacked flat to one: smooth light out, divided by its level, unity where no light is.

    Parameters
    ----------
    image, unc
        Shape (ny, nx), ADU or ADU/s without pedestal.
    bayer
        2x2 pattern of the stored rows: each colour by its own level where the settings say so.
    regions
        Numbers of regions, same shape, 0 outside: each by its own level. It wins over colours.

    Returns
    -------
    Normalised
        Its levels are NaN, and nothing is divided, where there is no light at all.

    Notes
    -----
    In this order, as KPF: pixels below ``low_light`` or ``unity_below`` of the level count for
    nothing; smooth light is divided out; levels are measured and divided by; pixels without
    light, outside of the regions or with a value out of limits become 1, with a bit in the mask.
    """
    raw_levels = levels_of(image, settings, bayer)
    flags = _unlit(image, settings, raw_levels)
    if regions is not None:
        flags[regions <= 0] |= np.uint8(Defect.OUTSIDE)
    lit = np.where(flags == 0, image, np.float32(np.nan)) if flags.any() else image
    light = smooth_light(lit, settings, bayer)
    ratio, spread = image, unc
    if light is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio, spread, lit = image / light, unc / light, lit / light
    if regions is not None:
        levels = region_levels(lit, regions, settings)
        divisor = np.array([1.0, *levels], np.float32)[np.maximum(regions, 0)]
    else:
        levels = raw_levels if light is None else levels_of(lit, settings, bayer)
        divisor = _cell(levels, image.shape)
    ratio = (ratio / divisor).astype(np.float32)
    spread = (spread / divisor).astype(np.float32)
    low = -np.inf if settings.keep_from is None else settings.keep_from
    high = np.inf if settings.keep_to is None else settings.keep_to
    with np.errstate(invalid="ignore"):
        odd = ~((ratio >= low) & (ratio <= high)) & (flags == 0)
    flags[odd] |= np.uint8(Defect.NO_RESPONSE)
    dark = flags != 0
    if not dark.any():
        return Normalised(ratio, spread, cnt, None, levels)
    kept = cnt.copy()
    ratio[dark], spread[dark], kept[dark] = 1.0, np.nan, 0
    return Normalised(ratio, spread, kept, flags, levels)


def _unlit(image: Image, settings: FlatSettings, levels: Levels) -> NDArray[np.uint8]:
    """Mark pixels with too little signal, or none."""
    least = np.maximum(
        settings.unity_below * _cell(levels, image.shape), np.float32(settings.low_light)
    )
    with np.errstate(invalid="ignore"):
        dark = ~(image >= least) | (image <= 0)
    return np.where(dark, np.uint8(Defect.NO_SIGNAL), np.uint8(0))


def _cell(levels: Levels, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Repeat one value, or four by place of the 2x2 cell, over an image."""
    if len(levels) == 1:
        return np.full(shape, levels[0], np.float32)
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
