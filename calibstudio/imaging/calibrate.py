"""The arithmetic of calibration: levels, scales, normalisation, and the dark signal left over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import Defect
from calibstudio.domain.pixels import RowSource
from calibstudio.domain.planes import MemoryRoom, Pieces, Room, band_rows, bands
from calibstudio.domain.recipe import FlatSettings, LevelOf, Smooth
from calibstudio.imaging.quality_levels import central, central_place, channels, tiles
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


def levels_of_rows(source: RowSource, settings: FlatSettings, bayer: str | None = None) -> Levels:
    """Measure the same of a frame that is read in bands: of it only the part that counts is kept.

    Raises
    ------
    FileProblemError
        If it cannot be read any more.
    """
    # Where the colours lie, of a picture that takes no memory.
    nowhere = np.broadcast_to(np.float32(0), source.shape)
    planes = channels(nowhere, bayer if settings.per_channel else None)
    step = 1 if len(planes) == 1 else 2
    places = [central_place(plane.shape, settings.region) for plane in planes.values()]
    parts = [
        np.empty((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        for rows, columns in places
    ]
    first = min(step * rows.start for rows, _ in places) // 2 * 2
    end = max(step * rows.stop for rows, _ in places)
    height = band_rows(source.shape[1])
    for y0 in range(first, min(end, source.shape[0]), height):
        y1 = min(y0 + height, end, source.shape[0])
        band = source.read_rows(y0, y1)
        for i, (part, (rows, columns)) in enumerate(zip(parts, places, strict=True)):
            own = band[i // 2 :: 2, i % 2 :: 2] if step == 2 else band
            # Rows of the channel that this band holds, and those of them that count.
            start = y0 // step
            top, bottom = max(rows.start, start), min(rows.stop, start + len(own))
            if top < bottom:
                part[top - rows.start : bottom - rows.start] = own[
                    top - start : bottom - start, columns
                ]
    return tuple(_level(part, settings.level) for part in parts)


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
        if self.bpm is None:
            return 0
        mask = self.bpm
        return sum(int(np.count_nonzero(mask[rows] & np.uint8(bit))) for rows in bands(mask))

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
    room: Room | None = None,
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
    room
        Where the result is kept; None: in memory.

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
    division = _division(image, settings, raw_levels, bayer, regions)
    room = room or MemoryRoom()
    ratio, spread = (room.plane(image.shape, np.float32) for _ in range(2))
    kept, flags = room.plane(image.shape, np.uint16), room.plane(image.shape, np.uint8)
    any_flags = False
    for rows in bands(image, unc, cnt):
        divided = division.band(rows, image[rows], unc[rows], cnt[rows])
        ratio.write(rows.start, divided[0])
        spread.write(rows.start, divided[1])
        kept.write(rows.start, divided[2])
        flags.write(rows.start, divided[3])
        any_flags |= bool(divided[3].any())
    return Normalised(
        ratio.array,
        spread.array,
        kept.array if any_flags else cnt,
        flags.array if any_flags else None,
        division.levels,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Division:
    """What a flat is divided by, and where it counts for nothing."""

    settings: FlatSettings
    raw_levels: Levels
    levels: Levels
    light: NDArray[np.float32] | None
    """Smooth light."""
    regions: NDArray[Any] | None

    def band(
        self, rows: slice, image: Image, unc: Image, cnt: Image
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint16], NDArray[np.uint8]]:
        """Return some rows of the flat, its UNC, CNT and mask; they begin with an even one."""
        flags = _unlit(image, self.settings, self.raw_levels)
        if self.light is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                image, unc = image / self.light[rows], unc / self.light[rows]
        divisor = _cell(self.levels, image.shape) if self.regions is None else None
        if self.regions is not None:
            numbers = self.regions[rows]
            flags[numbers <= 0] |= np.uint8(Defect.OUTSIDE)
            divisor = np.array([1.0, *self.levels], np.float32)[np.maximum(numbers, 0)]
        ratio = (image / divisor).astype(np.float32)
        spread = (unc / divisor).astype(np.float32)
        low = -np.inf if self.settings.keep_from is None else self.settings.keep_from
        high = np.inf if self.settings.keep_to is None else self.settings.keep_to
        with np.errstate(invalid="ignore"):
            odd = ~((ratio >= low) & (ratio <= high)) & (flags == 0)
        flags[odd] |= np.uint8(Defect.NO_RESPONSE)
        dark = flags != 0
        kept = cnt.copy()
        ratio[dark], spread[dark], kept[dark] = 1.0, np.nan, 0
        return ratio, spread, kept, flags


def _division(
    image: Image,
    settings: FlatSettings,
    raw_levels: Levels,
    bayer: str | None,
    regions: NDArray[Any] | None,
) -> _Division:
    """Find what a flat is divided by. Smooth light and regions take the whole image in memory."""
    if regions is None and settings.smooth is Smooth.NONE:
        return _Division(settings, raw_levels, raw_levels, None, None)
    lit = np.empty(image.shape, np.float32)
    for rows in bands(image):
        dark = _unlit(image[rows], settings, raw_levels) != 0
        if regions is not None:
            dark |= regions[rows] <= 0
        lit[rows] = np.where(dark, np.float32(np.nan), image[rows])
    light = smooth_light(lit, settings, bayer)
    if light is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            lit /= light
    if regions is not None:
        levels = region_levels(lit, regions, settings)
    else:
        levels = levels_of(lit, settings, bayer)
    return _Division(settings, raw_levels, levels, light, regions)


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


def dark_signal(signal: Image | Pieces, exposure_s: float) -> DarkSignal:
    """Measure the dark signal of a dark less a bias (or a shorter dark), glow included.

    Parameters
    ----------
    signal
        Their difference, shape (ny, nx), ADU, of the same camera and settings.
    exposure_s
        Difference of their exposures, above 0.

    Notes
    -----
    The glow is the highest of 32 x 32 bins, each a mean clipped at 5 sigma, so that single hot
    pixels do not count: they are hot in every dark.
    """
    bins = bin_levels(signal)
    if bins.size == 0 or not np.isfinite(bins).any():
        return DarkSignal(float("nan"), float("nan"))
    middle = float(np.nanmedian(bins)) / exposure_s
    return DarkSignal(middle, max(middle, float(np.nanmax(bins)) / exposure_s))
