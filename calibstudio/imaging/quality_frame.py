"""One frame, measured and judged as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.kinds import CALIBRATION_KINDS, FrameKind
from calibstudio.domain.planes import bands
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Limit, Thresholds
from calibstudio.domain.verdict_words import BIAS_UNKNOWN
from calibstudio.domain.verdicts import Judge, quantity_text
from calibstudio.domain.wording import temperature
from calibstudio.imaging.quality_context import COVERED, DARK_LIKE, FrameContext
from calibstudio.imaging.quality_defects import cold_pixels, hot_pixels
from calibstudio.imaging.quality_levels import (
    Image,
    Level,
    adu_quantum,
    central_level,
    channels,
    clipped_statistics,
    plain_image,
    tile_noise,
)
from calibstudio.imaging.quality_shape import (
    Banding,
    Shape,
    bin_levels,
    line_structure,
    measure_shape,
)

TOO_SMALL = "the image is too small"
LEAST_NOISE_STEPS = 0.02
LEAST_NOISE_PART = 1e-6
"""Less noise than these parts of the converter's step and of the level is none."""
NO_LIGHT = "there is no light above the bias"


@dataclass(frozen=True, slots=True)
class _Plane:
    """One colour channel of a frame and what was measured on it."""

    name: str
    pixels: Image
    level: float
    noise: float
    shape: Shape
    bins: NDArray[np.float64]


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

    Returns
    -------
    Assessment
        One image never raises because of its values: what cannot be measured says why.

    Raises
    ------
    ValueError
        When the array is not two-dimensional.

    Notes
    -----
    Minimum, maximum, mean, saturated, zero, hot and cold pixels count every pixel. Level, noise,
    gradient and banding are measured on even samples (see the functions they come from), so
    that every frame of a 60 megapixel camera can be judged between two exposures.
    """
    judge = Judge(context.kind)
    data = plain_image(data)
    level = central_level(data, context.bayer)
    if not np.isfinite(level.value_adu):
        _nothing_to_measure(judge)
        return judge.result()
    step = adu_quantum(data)
    planes = _measure_planes(data, context, level, step)
    _add_levels(judge, level, context)
    _add_extremes(judge, data, context, thresholds)
    _add_noise(judge, planes, context, thresholds)
    _add_gradient(judge, planes, context, thresholds, step)
    _add_banding(judge, planes, context, thresholds, step)
    _add_temperature(judge, context, thresholds)
    if context.kind in DARK_LIKE:
        _add_hot_pixels(judge, data, planes, context, thresholds, step)
    if context.kind == FrameKind.FLAT:
        _add_flat(judge, planes, context, thresholds, data)
    return judge.result()


def _measure_planes(data: Image, context: FrameContext, level: Level, step: float) -> list[_Plane]:
    split = channels(data, context.bayer)
    tiles = max(16, 64 // len(split))
    planes = []
    for name, pixels in split.items():
        sigma = tile_noise(pixels, at_most=tiles, step=step)
        # The rounding to codes adds step^2 / 12, which is the converter's and not the pixel's.
        sigma = float(np.sqrt(max(sigma**2 - step**2 / 12.0, 0.0)))
        bins = bin_levels(pixels, step=step, side=16 if len(split) == 1 else 8)
        shape = measure_shape(pixels, levels=bins)
        planes.append(_Plane(name, pixels, level.per_channel[name], sigma, shape, bins))
    return planes


def _add_levels(judge: Judge, level: Level, context: FrameContext) -> None:
    many = len(level.per_channel) > 1
    note = f"Of channel {level.channel}, the brightest." if many else ""
    limit = None
    if context.kind == FrameKind.FLAT and context.target_adu is not None:
        low, high = (context.target_adu * (1 + s * context.tolerance) for s in (-1, 1))
        limit = Limit(bad_above=high, bad_below=low)
    judge.add("level", level.value_adu, limit, note=note)
    if many:
        for name, value in level.per_channel.items():
            judge.add(f"level_{name.lower()}", value, missing=TOO_SMALL)


def _add_extremes(judge: Judge, data: Image, context: FrameContext, limits: Thresholds) -> None:
    values: Image = data
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        values = data[np.isfinite(data)]
        judge.add("not_finite", 100.0 * (1.0 - values.size / data.size), Limit(warn_above=0.0))
    is_judged = context.kind in CALIBRATION_KINDS
    lowest, highest, total = _extent(values)
    judge.add("mean", total / values.size)
    judge.add("minimum", lowest)
    judge.add("maximum", highest)
    top, said = _top(data, highest, context)
    if top is None:
        judge.missing("saturated", "needs the largest value of the camera")
    else:
        edge = limits.saturation_guard * top
        count = 0 if highest < edge else _count(values, lambda part: part >= edge)
        # Stars may saturate in a light; what is not a calibration frame is measured, not judged.
        limit = limits.saturated_cold if context.kind in COVERED else limits.saturated
        share = 100.0 * count / values.size
        judge.add("saturated", share, limit if is_judged else None, note=said)
    _add_zeros(judge, values, lowest, limits.zeros if is_judged else None)
    if lowest == highest and values.size > 1:
        judge.find(
            Verdict.BAD,
            "blank frame",
            f"All pixels have the same value, {highest:.0f} ADU.",
            cause="the camera or its driver sent no picture.",
            cure="Take it again; reconnect the camera when it stays.",
            metric="noise",
        )


def _extent(values: Image) -> tuple[float, float, float]:
    """Return the smallest value, the largest, and the sum, band by band: a cancel is heard."""
    lines = values if values.ndim == 2 else values[None]
    kind = np.float64 if values.dtype.kind == "f" else np.int64
    parts = [
        (part.min(), part.max(), part.sum(dtype=kind))
        for rows in bands(lines)
        for part in [lines[rows]]
    ]
    lowest, highest, sums = zip(*parts, strict=True)
    return float(min(lowest)), float(max(highest)), float(sum(s.item() for s in sums))


def _count(values: Image, marked: Callable[[Image], NDArray[np.bool_]]) -> int:
    """Count values band by band: a mask of all would be half as large as the frame."""
    lines = values if values.ndim == 2 else values[None]
    return sum(int(np.count_nonzero(marked(lines[rows]))) for rows in bands(lines))


def _add_zeros(judge: Judge, values: Image, lowest: float, limit: Limit | None) -> None:
    """Count the converter's zeros; only raw integers have them."""
    if values.dtype.kind != "f" and lowest >= 0:
        count = 0 if lowest > 0 else _count(values, lambda part: part == 0)
        judge.add("zeros", 100.0 * count / values.size, limit)
        return
    judge.missing("zeros", "the values are not those of a converter")
    if lowest < 0 and values.dtype.kind == "f" and limit is not None:
        share = 100.0 * _count(values, lambda part: part < 0) / values.size
        judge.find(
            Verdict.WARN,
            "processed already",
            "Processed already: the bias seems to be out. "
            f"Values below zero {quantity_text(share, '%', None)}, limit 0.",
            cause="another program took the bias or a dark out of this frame before it was saved.",
            cure="Use the raw files of the camera, or take no bias out again.",
            metric="minimum",
        )


def _top(data: Image, highest: float, context: FrameContext) -> tuple[float | None, str]:
    """Return the level that saturates, and a note where it had to be assumed."""
    known = context.saturation_limit_adu()
    if known is not None:
        return known, ""
    if data.dtype.kind != "u" or data.dtype.itemsize > 2:
        return None, ""
    top = float(np.iinfo(data.dtype).max)
    if data.dtype.itemsize == 2 and looks_clipped(data, highest, context.seen_adu):
        top = highest
    return top, f"The largest value of the camera is not known; {top:.0f} is assumed."


CONVERTER_ENDS = tuple(float(2**bits - 1) for bits in (10, 12, 14))
"""Largest values of converters whose codes are stored in 16 bits as they are."""
CODES_BELOW = 8
PILE_TIMES, PILE_LEAST = 2, 10


def looks_clipped(data: Image, highest: float, seen_adu: float | None = None) -> bool:
    """Whether the largest value of a frame is the end of its converter, and not chance.

    At a converter's end everything above is piled up. The end of a distribution has fewer pixels
    at each code than at the one below, and hot pixels are spread over all codes; so more than
    twice as many as at any of the eight codes below, and at least ten more, are a pile. A larger
    value in another frame of the camera disproves it.
    """
    if highest not in CONVERTER_ENDS or (seen_adu is not None and seen_adu > highest):
        return False
    counts = np.zeros(CODES_BELOW + 1, np.int64)
    for rows in bands(data):
        part = data[rows]
        near = part[part >= highest - CODES_BELOW].astype(np.int64) - int(highest) + CODES_BELOW
        counts += np.bincount(near.ravel(), minlength=CODES_BELOW + 1)
    return bool(counts[-1] >= PILE_TIMES * counts[:-1].max() + PILE_LEAST)


def _add_noise(
    judge: Judge, planes: list[_Plane], context: FrameContext, limits: Thresholds
) -> None:
    worst = max(planes, key=lambda p: -1.0 if np.isnan(p.noise) else p.noise)
    limit = None
    note = "Fixed pattern included."
    if context.kind == FrameKind.BIAS and context.read_noise_adu is not None:
        limit = limits.noise_of_read.scaled(context.read_noise_adu)
    judge.add(
        "noise", worst.noise, limit, note=note, missing=TOO_SMALL, where=_where(planes, worst)
    )


def _add_gradient(
    judge: Judge, planes: list[_Plane], context: FrameContext, limits: Thresholds, step: float
) -> None:
    if context.kind == FrameKind.FLAT:
        pedestal, said = _pedestal(context)
        percents = [p.shape.percent_of(p.level, pedestal) for p in planes]
        k = int(np.argmax(np.nan_to_num(percents, nan=-1.0)))
        lost = TOO_SMALL if np.isnan(planes[k].shape.plane_p2v) else NO_LIGHT
        judge.add(
            "gradient", percents[k], limits.gradient, unit="%", note=said, missing=lost,
            where=_where(planes, planes[k]),
        )  # fmt: skip
        return
    worst = max(planes, key=lambda p: np.nan_to_num(p.shape.plane_p2v, nan=-1.0))
    limit = None
    # A picture without noise gives nothing to measure a gradient by.
    has_noise = worst.noise > max(LEAST_NOISE_STEPS * step, LEAST_NOISE_PART * abs(worst.level))
    if context.kind in COVERED and has_noise:
        limit = limits.covered_gradient(context.kind).scaled(worst.noise)
    note = "" if has_noise else "Not judged: the image has no noise to compare it with."
    judge.add(
        "gradient",
        worst.shape.plane_p2v,
        limit,
        note=note if context.kind in COVERED else "",
        missing=TOO_SMALL,
        where=_where(planes, worst),
    )
    if context.kind in COVERED and len(planes) > 1:
        levels = [clipped_statistics(p.bins).mean for p in planes]
        spread = float(np.ptp(levels))
        limit = limits.colour_difference_noise.scaled(worst.noise) if has_noise else None
        judge.add("colour_difference", spread, limit)
        find_light_leak(judge)


def find_light_leak(judge: Judge) -> None:
    """Say BAD where two signs of light agree: a gradient, and a difference of the colours."""
    signs = [f for f in judge.findings if f.metric in ("gradient", "colour_difference")]
    if len(signs) < 2 or any(f.verdict is Verdict.BAD for f in signs):
        return
    judge.find(
        Verdict.BAD,
        "light leak",
        " ".join(f.what for f in signs),
        cause="light on a sensor that should be covered: its slope and its colour agree.",
        cure=signs[0].cure,
        metric="gradient",
    )


def _add_banding(
    judge: Judge, planes: list[_Plane], context: FrameContext, limits: Thresholds, step: float
) -> None:
    pixels = (1 << 19) // len(planes)
    exact = context.kind == FrameKind.FLAT
    for axis, name in ((1, "row_structure"), (0, "column_structure")):
        found = [
            (line_structure(p.pixels, p.noise, axis=axis, step=step, pixels=pixels, exact=exact), p)
            for p in planes
        ]
        worst, plane = max(found, key=lambda f: np.nan_to_num(f[0].ratio, nan=-1.0))
        limit = limits.limit(name) if context.kind == FrameKind.FLAT else None
        note = "" if axis == 1 else "The fixed pattern of columns is in it."
        if context.kind in COVERED and axis == 1:
            limit = limits.row_structure_covered
        lost = TOO_SMALL if plane.noise > 0 else "the image has no noise"
        where = _where(planes, plane)
        judge.add(name, worst.ratio, limit, note=note, missing=lost, where=where)
        _add_bad_lines(judge, axis, [f[0] for f in found])


def _add_bad_lines(judge: Judge, axis: int, found: list[Banding]) -> None:
    if all(np.isfinite(b.ratio) for b in found):
        judge.add("bad_rows" if axis == 1 else "bad_columns", sum(b.bad_lines for b in found))


def _add_temperature(judge: Judge, context: FrameContext, limits: Thresholds) -> None:
    if context.cooled is False:
        judge.missing("temperature_error", "the camera has no cooler")
    elif context.set_temp_c is None:
        judge.missing("temperature_error", "no set temperature is written")
    elif context.sensor_temp_c is None:
        judge.missing("temperature_error", "no sensor temperature is written")
    elif context.held_temp_c is not None:
        _add_held_temperature(judge, context.sensor_temp_c, context.set_temp_c, context, limits)
    else:
        away = abs(context.sensor_temp_c - context.set_temp_c)
        note = f"Sensor {context.sensor_temp_c:.1f}, set {context.set_temp_c:.1f}."
        judge.add(
            "temperature_error", away, limits.temperature_error, note=note.replace("-", "\u2212")
        )


def _add_held_temperature(
    judge: Judge, sensor_c: float, set_c: float, context: FrameContext, limits: Thresholds
) -> None:
    """The set point was not waited for: a warning, and no more as long as the sensor is steady."""
    held = context.held_temp_c if context.held_temp_c is not None else sensor_c
    away = Limit(warn_above=limits.temperature_error.warn_above)
    judge.add(
        "temperature_error",
        abs(sensor_c - set_c),
        away,
        what=f"Sensor at {temperature(sensor_c)}, set to {temperature(set_c)}: "
        "the set point was not waited for.",
        cause="the cooler was still on its way, or cannot hold the set point.",
        cure=f"Use these frames for lights taken near {temperature(held)} only.",
        note=f"Judged by {temperature(held)}.",
    )
    judge.add("temperature_drift", abs(sensor_c - held), limits.temperature_error)


def _add_hot_pixels(
    judge: Judge,
    data: Image,
    planes: list[_Plane],
    context: FrameContext,
    limits: Thresholds,
    step: float,
) -> None:
    if any(np.isnan(p.noise) or p.bins.size == 0 for p in planes):
        judge.missing("hot_pixels", TOO_SMALL)
        return
    floor = 0.0
    note = "Above 5 sigma; the rate is not known without e\u207b/ADU and exposure."
    if context.egain_e_per_adu and context.exposure_s:
        floor = limits.hot_rate_e_per_s * context.exposure_s / context.egain_e_per_adu
        note = f"Above 5 sigma and {limits.hot_rate_e_per_s:g} e\u207b/s."
    found = hot_pixels(
        data,
        [p.bins for p in planes],
        [max(p.noise, 0.5 * step) for p in planes],
        sigmas=limits.hot_sigma,
        at_least_adu=floor,
    )
    judge.add("hot_pixels", 100.0 * found.fraction, limits.hot_pixels, note=note)
    judge.add("hot_pixel_count", found.count)


def _add_flat(
    judge: Judge, planes: list[_Plane], context: FrameContext, limits: Thresholds, data: Image
) -> None:
    pedestal, said = _pedestal(context)
    brightest = max(planes, key=lambda p: np.nan_to_num(p.level, nan=-np.inf))
    light = brightest.level - pedestal
    top, assumed = _top(data, float(data.max()), context)
    if top is None or top <= pedestal:
        judge.missing("level_of_range", "needs the largest value of the camera")
    else:
        share = 100.0 * light / (top - pedestal)
        limit = limits.level_of_range if context.target_adu is None else None
        judge.add("level_of_range", share, limit, note=f"{said} {assumed}".strip())
    _add_snr(judge, brightest, light, context, limits)
    # Colours of the light differ; vignetting is that of the brightest channel.
    shape = brightest.shape
    vignetting = shape.vignetting_pct(pedestal)
    lost = TOO_SMALL if np.isnan(shape.centre) else NO_LIGHT
    judge.add("vignetting", vignetting, limits.vignetting, note=said, missing=lost)
    centre = shape.centre - pedestal
    if centre > 0:
        corners = [100.0 * (c - pedestal) / centre for c in shape.corners]
        judge.add("corner_darkest", min(corners), note="Of the light in the centre.")
        judge.add("corner_brightest", max(corners), note="Of the light in the centre.")
    if any(p.bins.size == 0 for p in planes):
        judge.missing("cold_pixels", TOO_SMALL)
        return
    cold = cold_pixels(data, [p.bins for p in planes], limits.cold_response, pedestal=pedestal)
    note = f"Below {100 * limits.cold_response:.0f}{chr(0x202F)}% of the light around them."
    judge.add("cold_pixels", 100.0 * cold / data.size, limits.cold_pixels, note=note)


def _add_snr(
    judge: Judge, plane: _Plane, light: float, context: FrameContext, limits: Thresholds
) -> None:
    """S/N = g S / sqrt(g S + RN^2) where gain is known, else from the scatter of the pixels."""
    gain = context.egain_e_per_adu
    if light <= 0:
        judge.missing("snr", NO_LIGHT)
    elif gain:
        electrons = gain * light
        read = context.read_noise_e or 0.0
        note = "Photons and read-out." if context.read_noise_e else "Photons alone."
        judge.add("snr", electrons / np.sqrt(electrons + read**2), limits.snr, note=note)
    elif plane.noise > 0:
        note = "From the scatter of the pixels: e\u207b/ADU is not known."
        judge.add("snr", light / plane.noise, limits.snr, note=note)
    else:
        judge.missing("snr", "needs e\u207b/ADU")


def _pedestal(context: FrameContext) -> tuple[float, str]:
    if context.bias_level_adu is not None:
        return context.bias_level_adu, ""
    return 0.0, BIAS_UNKNOWN


def _where(planes: list[_Plane], plane: _Plane) -> str:
    return f"channel {plane.name}" if len(planes) > 1 else ""


def _nothing_to_measure(judge: Judge) -> None:
    for name in ("level", "mean", "noise", "minimum", "maximum", "saturated", "zeros", "gradient"):
        judge.missing(name, "the image has no pixels with a value")
    judge.find(
        Verdict.BAD,
        "no pixels",
        "The image has no pixels with a value.",
        cause="the file is empty or broken.",
        cure="Take it again, or leave it out.",
        metric="level",
    )
