"""One frame, measured and judged as it arrives."""

from __future__ import annotations

import numpy as np

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Limit, Thresholds
from calibstudio.domain.verdicts import Judge
from calibstudio.imaging.quality_context import COVERED, FrameContext
from calibstudio.imaging.quality_levels import (
    Image,
    adu_quantum,
    central_level,
    channels,
    tile_noise,
)
from calibstudio.imaging.quality_shape import line_structure, measure_shape

NAN = float("nan")


def measure_frame(
    data: Image, context: FrameContext, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Assessment:
    """Measure and judge one raw frame.

    Parameters
    ----------
    data
        Raw ADU, shape (ny, nx), any real type; NaN marks pixels without a value.
    context
        What is known beside the pixels; what is unknown makes its metrics "not measured".
    thresholds
        Limits of WARN and BAD.

    Raises
    ------
    ValueError
        When the array is not two-dimensional.

    Notes
    -----
    Minimum, maximum, mean, saturated and zero pixels count every pixel. Level, noise, shape,
    banding and hot pixels are measured on even samples (see the functions they come from),
    which makes the whole cheap enough to be done to every frame of a 60 megapixel camera.
    """
    judge = Judge(context.kind)
    level = central_level(data, context.bayer)
    if not np.isfinite(level.value_adu):
        _nothing_to_measure(judge, "the image has no pixels with a value")
        return judge.result()
    step = adu_quantum(data)
    planes = channels(data, context.bayer)
    judge.add("level", level.value_adu, note="Of the brightest channel." * (len(planes) > 1))
    if len(planes) > 1:
        for name, value in level.per_channel.items():
            judge.add(f"level_{name.lower()}", value)
    noise = {n: _noise(p, step, len(planes)) for n, p in planes.items()}
    _extremes(judge, data, context, thresholds)
    worst = max(noise, key=lambda n: -1.0 if np.isnan(noise[n]) else noise[n])
    judge.add("noise", noise[worst], note="the image is too small")
    return judge.result()


def _noise(plane: Image, step: float, n_channels: int) -> float:
    """Tile noise with the converter's rounding (step^2 / 12) taken out."""
    sigma = tile_noise(plane, at_most=max(16, 100 // n_channels), step=step)
    return float(np.sqrt(max(sigma**2 - step**2 / 12.0, 0.0))) if np.isfinite(sigma) else NAN


def _extremes(judge: Judge, data: Image, context: FrameContext, limits: Thresholds) -> None:
    if data.dtype.kind == "f":
        values = data[np.isfinite(data)]
        missing = 100.0 * (1.0 - values.size / data.size)
        if missing:
            judge.add("not_finite", missing)
    else:
        values = data
    lowest, highest = float(values.min()), float(values.max())
    total = values.sum(dtype=np.float64 if values.dtype.kind == "f" else np.int64)
    judge.add("mean", float(total) / values.size)
    judge.add("minimum", lowest)
    judge.add("maximum", highest)
    top = context.saturation_limit_adu()
    if top is None and data.dtype.kind == "u":
        top = float(np.iinfo(data.dtype).max)
    if top is None:
        judge.missing("saturated", "needs the largest value of the camera")
    else:
        edge = limits.saturation_guard * top
        count = 0 if highest < edge else int(np.count_nonzero(values >= edge))
        limit = limits.saturated_cold if context.kind in COVERED else limits.saturated
        judge.add("saturated", 100.0 * count / values.size, limit)
    count = 0 if lowest > 0 else int(np.count_nonzero(values <= 0))
    judge.add("zeros", 100.0 * count / values.size, limits.zeros)


def _nothing_to_measure(judge: Judge, why: str) -> None:
    for name in ("level", "mean", "noise", "minimum", "maximum", "saturated", "zeros"):
        judge.missing(name, why)


__all__ = ["FrameKind", "Limit", "line_structure", "measure_frame", "measure_shape"]
