"""Masters and darks compared with each other: what changed, and what does not scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.domain.verdicts import Judge
from calibstudio.domain.wording import exposure
from calibstudio.imaging.quality_context import DARK_LIKE
from calibstudio.imaging.quality_defects import dust_shadows
from calibstudio.imaging.quality_levels import (
    Image,
    channels,
    clipped_statistics,
    known_percentile,
    tile_noise,
)
from calibstudio.imaging.quality_shape import bin_levels, measure_shape

DOUBLING_C = 6.0
"""Dark current doubles about every 6 °C; used to compare darks of nearby temperatures."""


@dataclass(frozen=True, slots=True)
class DarkPoint:
    """The dark signal of one exposure: level above the bias, ADU."""

    exposure_s: float
    signal_adu: float
    sensor_temp_c: float | None = None


def dark_proportion(points: Sequence[DarkPoint]) -> float:
    """Return the ratio of dark rates, longest exposure to shortest; 1 when they are proportional.

    Where both temperatures are known the longer one's rate is brought to the shorter one's by
    a doubling every 6 °C. NaN with fewer than two exposures or without signal.
    """
    ordered = sorted(points, key=lambda p: p.exposure_s)
    if len(ordered) < 2 or ordered[0].exposure_s <= 0:
        return float("nan")
    short, long = ordered[0], ordered[-1]
    if long.exposure_s < 1.2 * short.exposure_s or short.signal_adu <= 0:
        return float("nan")
    ratio = (long.signal_adu / long.exposure_s) / (short.signal_adu / short.exposure_s)
    if short.sensor_temp_c is not None and long.sensor_temp_c is not None:
        ratio *= 2.0 ** ((short.sensor_temp_c - long.sensor_temp_c) / DOUBLING_C)
    return ratio


def judge_dark_proportion(
    points: Sequence[DarkPoint], thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Assessment:
    """Judge whether darks of several exposures may be scaled to another (RULES 5)."""
    judge = Judge(FrameKind.DARK)
    value = dark_proportion(points)
    times = sorted({p.exposure_s for p in points})
    where = f"{exposure(times[-1])} to {exposure(times[0])}" if len(times) > 1 else ""
    judge.add(
        "dark_proportion",
        value,
        thresholds.dark_proportion,
        where=where,
        missing="needs two exposures with signal above the bias",
    )
    return judge.result()


def compare_masters(
    kind: str,
    new: Image,
    new_unc: Image | None,
    old: Image,
    old_unc: Image | None,
    *,
    bayer: str | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Assessment:
    """Judge a master against the one before it of the same key.

    Bias and darks: share of pixels that changed by 6 sigma [BANZAI], and new hot pixels. Flats:
    the ratio shows new dust shadows and a change of vignetting. The levels' own change (lamp,
    temperature) is taken out first.

    Raises
    ------
    ValueError
        When the masters differ in shape.
    """
    if new.shape != old.shape:
        raise ValueError(f"masters of shapes {new.shape} and {old.shape} cannot be compared")
    judge = Judge(kind)
    if kind == FrameKind.FLAT:
        _compare_flats(judge, new, old, bayer, thresholds)
        return judge.result()
    sigma = _sigma_of_difference(new_unc, old_unc, new, old)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = new.astype(np.float32) - old
        difference -= np.float32(known_percentile(difference))
        changed = float(np.mean(np.abs(difference) >= 6.0 * sigma))
    judge.add("changed_pixels", 100.0 * changed, thresholds.changed_pixels)
    if kind in DARK_LIKE:
        _compare_hot(judge, new, old, thresholds)
    return judge.result()


def _sigma_of_difference(
    new_unc: Image | None, old_unc: Image | None, new: Image, old: Image
) -> NDArray[np.float32] | float:
    """Return sigma of new - old: of the two UNC, else the scatter of the difference itself."""
    if new_unc is not None and old_unc is not None:
        sigma: NDArray[np.float32] = np.hypot(new_unc, old_unc).astype(np.float32)
        # UNC of few frames scatters by itself: no pixel is known better than half the typical.
        least = np.float32(0.5 * known_percentile(sigma))
        return np.asarray(np.maximum(sigma, least), dtype=np.float32)
    return tile_noise(new.astype(np.float32) - old)


def _compare_hot(judge: Judge, new: Image, old: Image, limits: Thresholds) -> None:
    def hot(image: Image) -> NDArray[np.bool_]:
        found = clipped_statistics(image[:: max(1, image.shape[0] // 1000)])
        with np.errstate(invalid="ignore"):
            mask: NDArray[np.bool_] = image > found.mean + 10.0 * found.sigma
        return mask

    now, before = hot(new), hot(old)
    count = int(np.count_nonzero(now))
    if count == 0:
        judge.missing("new_hot_pixels", "there are no hot pixels")
        return
    fresh = 100.0 * int(np.count_nonzero(now & ~before)) / count
    judge.add("new_hot_pixels", fresh, limits.new_hot_pixels, note=f"Of {count}.")


def _compare_flats(
    judge: Judge, new: Image, old: Image, bayer: str | None, limits: Thresholds
) -> None:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(old > 0, new / old, np.nan).astype(np.float32)
    plane = next(iter(channels(ratio, bayer).values()))
    scale = 1 if plane is ratio else 2
    shadows = dust_shadows(plane, tile_noise(plane), depth_pct=limits.dust_depth_pct)
    where = ""
    if shadows:
        first = shadows[0]
        where = (
            f"depth {first.depth_pct:.1f} % at x {first.x * scale}, y {first.y * scale}, "
            f"{first.width * scale} px wide"
        )
    judge.add("new_dust", len(shadows), limits.new_dust, where=where)
    level = clipped_statistics(bin_levels(plane)).mean
    shape = measure_shape(plane)
    judge.add(
        "vignetting_change",
        abs(shape.vignetting_pct(0.0)) if level > 0 else float("nan"),
        limits.vignetting_change,
        missing="the image is too small",
    )
