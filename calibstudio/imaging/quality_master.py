"""A master, measured and judged from its planes and from what went into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.planes import Pieces, bands, let_go
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Limit, Thresholds
from calibstudio.domain.verdicts import Judge, flats_missing, more_flats
from calibstudio.domain.wording import count, unit_text
from calibstudio.imaging.quality_context import COVERED, DARK_LIKE, MasterContext
from calibstudio.imaging.quality_defects import cold_pixels, dust_shadows, hot_pixels, low_pixels
from calibstudio.imaging.quality_levels import (
    Image,
    Level,
    central,
    central_level,
    channels,
    clipped_statistics,
    known_percentile,
    plain_image,
    thin,
    tile_noise,
    tiles,
)
from calibstudio.imaging.quality_shape import bin_levels, line_structure, measure_shape

TOO_SMALL = "the image is too small"
CONCENTRATED = 1.5
"""A glow stands out by so much more than the top of a plane of the same gradient would."""
NO_PLANE = "the master has no {} plane"
E = "e\u207b"


@dataclass(frozen=True, slots=True)
class _Master:
    """A master while it is measured."""

    kind: str
    image: Image
    unc: Image | None
    cnt: Image | None
    context: MasterContext
    level: Level
    planes: dict[str, Image]
    bins: list[NDArray[np.float64]]
    noise: float
    """Scatter of neighbouring pixels, the sensor's own pattern included."""
    unc_median: float
    unc_typical: float
    """Root mean square of UNC without outliers: unlike the median it is not low for few frames.
    Both NaN without UNC."""

    @property
    def unit(self) -> str:
        """Unit of the values as it is written."""
        return unit_text(self.context.unit)

    @property
    def per_adu(self) -> float:
        """Values of the master that are one ADU of a frame: 1, or 1 / exposure for a rate."""
        if self.context.unit == "adu/s" and self.context.exposure_s:
            return 1.0 / self.context.exposure_s
        return 1.0

    @property
    def frame_noise(self) -> float:
        """Noise of one input frame in the master's unit; NaN when nothing tells it."""
        context = self.context
        if context.input_noise_adu is not None:
            return context.input_noise_adu * self.per_adu
        if np.isfinite(self.unc_typical) and self.unc_typical > 0:
            return self.unc_typical * float(np.sqrt(context.n_frames or 1))
        return self.noise


def measure_master(
    kind: str,
    image: Image,
    unc: Image | None,
    cnt: Image | None,
    context: MasterContext,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    *,
    bias: Image | Pieces | None = None,
) -> Assessment:
    """Measure and judge one master.

    Parameters
    ----------
    kind
        Without ``master ``.
    image, unc, cnt
        Planes of the master, shape (ny, nx), NaN where there is no value; UNC and CNT may be
        missing. They may lie in a file (`calibstudio.domain.planes`).
    context
        What is known beside the planes.
    bias
        Master bias of the same setting, raw ADU, where there is one: a dark then says its dark
        current.

    Raises
    ------
    ValueError
        When a plane has another shape than the image.
    """
    for plane in (unc, cnt, bias):
        if plane is not None and plane.shape != image.shape:
            raise ValueError(f"a plane of shape {plane.shape} for an image of {image.shape}")
    judge = Judge(kind)
    image = plain_image(image)
    unc = None if unc is None else plain_image(unc)
    level = central_level(image, context.bayer)
    if not np.isfinite(level.value_adu):
        return _nothing(judge)
    master = _prepare(kind, image, unc, cnt, context, level)
    let_go(image, unc)
    _add_basics(judge, master, thresholds)
    _add_counts(judge, master, thresholds)
    _add_uncertainty(judge, master, thresholds)
    _add_structure(judge, master, thresholds)
    let_go(image)
    if kind == FrameKind.FLAT:
        _add_flat(judge, master, thresholds)
    elif kind in COVERED:
        _add_covered(judge, master, thresholds)
    if kind in DARK_LIKE:
        _add_dark(judge, master, bias, thresholds)
    return judge.result()


def _nothing(judge: Judge) -> Assessment:
    judge.missing("level", "the image has no pixels with a value")
    judge.find(
        Verdict.BAD,
        "no pixels",
        "The master has no pixels with a value.",
        cause="no frame could be used.",
        cure="Look at the inputs and stack again.",
        metric="level",
    )
    return judge.result()


def _prepare(
    kind: str,
    image: Image,
    unc: Image | None,
    cnt: Image | None,
    context: MasterContext,
    level: Level,
) -> _Master:
    planes = channels(image, context.bayer)
    noises = [tile_noise(p, at_most=max(16, 64 // len(planes))) for p in planes.values()]
    median = typical = float("nan")
    if unc is not None:
        # Of flats in the middle, where their level is taken, too.
        sample = thin(central(unc) if kind == FrameKind.FLAT else unc, 1 << 20)
        median, found = known_percentile(sample), clipped_statistics(sample)
        typical = float(np.hypot(found.mean, found.sigma))
    bins = [bin_levels(p) for p in planes.values()]
    noise = float(np.max(noises))
    return _Master(kind, image, unc, cnt, context, level, planes, bins, noise, median, typical)


def _add_basics(judge: Judge, m: _Master, limits: Thresholds) -> None:
    note = f"Of channel {m.level.channel}, the brightest." if len(m.planes) > 1 else ""
    judge.add("level", m.level.value_adu, unit=m.unit, note=note)
    if len(m.planes) > 1:
        for name, value in m.level.per_channel.items():
            judge.add(f"level_{name.lower()}", value, unit=m.unit)
    lowest, highest, known = _extremes(m.image)
    judge.add("minimum", lowest, unit=m.unit)
    judge.add("maximum", highest, unit=m.unit)
    missing = 100.0 * (1.0 - known / m.image.size)
    if missing:
        judge.add("not_finite", missing, Limit(warn_above=1.0, bad_above=10.0))
    note = "Scatter of neighbouring pixels, the sensor's own pattern included."
    judge.add("noise", m.noise, unit=m.unit, note=note, missing=TOO_SMALL)
    if known > 1 and lowest == highest:
        judge.find(
            Verdict.BAD,
            "blank master",
            f"All pixels have the same value, {lowest:g} {m.unit}.".replace(" .", "."),
            cause="the inputs were blank.",
            cure="Look at the inputs and take them again.",
            metric="noise",
        )


def _extremes(image: Image) -> tuple[float, float, int]:
    """Return the least and greatest value, and how many there are."""
    lowest, highest, known = math.inf, -math.inf, 0
    for rows in bands(image):
        values = image[rows]
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            values = values[np.isfinite(values)]
        if values.size:
            lowest, highest = min(lowest, float(values.min())), max(highest, float(values.max()))
            known += int(values.size)
    return lowest, highest, known


def _add_counts(judge: Judge, m: _Master, limits: Thresholds) -> None:
    context = m.context
    if context.n_frames is None:
        judge.missing("n_frames", "the file does not say how many were combined")
        judge.missing("low_count", "the number of frames is not known")
        return
    judge.add("n_frames", context.n_frames)
    if context.n_wanted:
        share = 100.0 * context.n_frames / context.n_wanted
        note = f"{context.n_frames} of {context.n_wanted}."
        judge.add(
            "frames_of_wanted",
            share,
            limits.frames_of_wanted,
            note=note,
            what=f"Made of {count(context.n_frames, 'frame')}; {context.n_wanted} are wanted, "
            f"at least {_enough(context, limits)} for GOOD.",
            cure=_take_more(m, context.n_frames, context.n_wanted, limits),
        )
    if context.rejected_fraction is not None:
        judge.add("rejected", 100.0 * context.rejected_fraction)
    if m.cnt is None:
        judge.missing("low_count", NO_PLANE.format("CNT"))
        return
    least = context.n_frames / 2.0
    few = sum(int(np.count_nonzero(m.cnt[rows] < least)) for rows in bands(m.cnt))
    share = 100.0 * float(few) / m.cnt.size
    note = f"Fewer than half of {context.n_frames}."
    judge.add("low_count", share, limits.low_count, note=note)


def _enough(context: MasterContext, limits: Thresholds) -> int:
    """Return the fewest frames that count as enough of those that are wanted."""
    least = limits.frames_of_wanted.warn_below or 0.0
    return math.ceil(least / 100.0 * (context.n_wanted or 0))


def _take_more(m: _Master, n_frames: int, n_wanted: int, limits: Thresholds) -> str:
    """Say how many more frames make the master GOOD, by number and for a flat by its S/N too."""
    more = max(_enough(m.context, limits) - n_frames, 0)
    snr = _snr(m)[0] if m.kind == FrameKind.FLAT else None
    wanted_snr = limits.master_snr.warn_below
    if snr is not None and wanted_snr is not None and 0 < snr < wanted_snr:
        more = max(more, flats_missing(snr, n_frames, wanted_snr))
    rest = n_wanted - n_frames
    of_all = f" ({rest} to have all {n_wanted})" if rest > more else ""
    return (
        f"Take {more} more with the same settings{of_all} and stack all "
        "of them again. Until then it may be used: it is noisier, not wrong."
    )


def _add_uncertainty(judge: Judge, m: _Master, limits: Thresholds) -> None:
    if m.unc is None:
        judge.missing("unc_median", NO_PLANE.format("UNC"))
        return
    judge.add("unc_median", m.unc_median, unit=m.unit, missing="UNC has no values")
    expected = _expected_unc(m) if m.context.n_frames else None
    if expected is None:
        judge.missing("uncertainty_excess", f"needs the noise of one frame, or {E}/ADU")
    else:
        excess = m.unc_typical / expected
        judge.add(
            "uncertainty_excess", excess, limits.uncertainty_excess, missing="UNC has no values"
        )


def _expected_unc(m: _Master) -> float | None:
    """Return what UNC should be: noise of one frame over sqrt(N); None when it is not known."""
    context = m.context
    root = float(np.sqrt(context.n_frames or 1))
    gain = context.egain_e_per_adu
    if m.kind == FrameKind.FLAT:
        light = _input_light(context)
        if not gain or light is None or light <= 0:
            return None
        electrons = gain * light
        relative = np.sqrt(electrons + (context.read_noise_e or 0.0) ** 2) / electrons
        return float(relative * abs(m.level.value_adu) / root)
    if context.input_noise_adu is not None:
        return context.input_noise_adu * m.per_adu / root
    if m.kind == FrameKind.BIAS and gain and context.read_noise_e:
        return context.read_noise_e / gain / root
    return None


def _input_light(context: MasterContext) -> float | None:
    """Return the light of the median input, ADU above the bias; None when not known."""
    if not context.input_levels_adu:
        return None
    level = float(np.median(context.input_levels_adu))
    if not context.inputs_have_bias:
        return level
    return None if context.bias_level_adu is None else level - context.bias_level_adu


def _add_structure(judge: Judge, m: _Master, limits: Thresholds) -> None:
    shapes = [measure_shape(p, levels=b) for p, b in zip(m.planes.values(), m.bins, strict=True)]
    if m.kind == FrameKind.FLAT:
        pedestal = _pedestal(m)
        percents = [
            s.percent_of(v, pedestal)
            for s, v in zip(shapes, m.level.per_channel.values(), strict=True)
        ]
        worst = float(np.max(percents))
        judge.add("gradient", worst, limits.gradient, unit="%", missing=TOO_SMALL)
    else:
        worst = max(s.plane_p2v for s in shapes)
        noise = m.frame_noise
        limit = None
        if noise > 0 and m.kind in COVERED:
            limit = limits.covered_gradient(m.kind).scaled(noise)
        judge.add("gradient", worst, limit, unit=m.unit, missing=TOO_SMALL)
    for axis, name in ((1, "row_structure"), (0, "column_structure")):
        found = [line_structure(p, m.noise, axis=axis, pixels=1 << 22) for p in m.planes.values()]
        ratio = float(np.max([b.ratio for b in found]))
        # Not judged: in a master of many frames the sensor's own faint pattern stands out of
        # what is left of the noise. Lamps and cables are judged frame by frame.
        judge.add(name, ratio, note="The sensor's own pattern is in it.", missing=TOO_SMALL)
        if ratio == ratio:
            judge.add("bad_rows" if axis else "bad_columns", sum(b.bad_lines for b in found))


def _pedestal(m: _Master) -> float:
    if m.context.bias_subtracted or m.context.unit == "":
        return 0.0
    return m.context.bias_level_adu or 0.0


def _add_covered(judge: Judge, m: _Master, limits: Thresholds) -> None:
    """Hot pixels, and pixels below their neighbourhood."""
    context = m.context
    noise = m.frame_noise
    if not noise > 0 or any(b.size == 0 for b in m.bins):
        judge.missing("hot_pixels", "needs the noise of one frame")
        return
    floor, note = 0.0, "Above 5 sigma of one frame."
    if m.kind in DARK_LIKE and context.egain_e_per_adu and context.exposure_s:
        rate = limits.hot_rate_e_per_s
        floor = rate * context.exposure_s / context.egain_e_per_adu * m.per_adu
        note = f"Above 5 sigma of one frame and {rate:g} {E}/s."
    noises = [noise] * len(m.planes)
    found = hot_pixels(m.image, m.bins, noises, sigmas=limits.hot_sigma, at_least_adu=floor)
    # Pixels with an offset of their own are usual in a bias, and are taken out with it.
    limit = limits.hot_pixels if m.kind in DARK_LIKE else None
    judge.add("hot_pixels", 100.0 * found.fraction, limit, note=note)
    judge.add("hot_pixel_count", found.count)
    cold = low_pixels(m.image, m.bins, limits.hot_sigma * noise)
    note = "Below the pixels around them by 5 sigma of one frame."
    judge.add("cold_pixels", 100.0 * cold / max(m.image.size, 1), limits.cold_pixels, note=note)


def _add_dark(judge: Judge, m: _Master, bias: Image | Pieces | None, limits: Thresholds) -> None:
    context = m.context
    signal, why = _dark_signal(m, bias)
    name = "dark_current" if context.egain_e_per_adu else "dark_rate_adu"
    if signal is None:
        judge.missing(name, why)
    elif context.unit != "adu/s" and not context.exposure_s:
        judge.missing(name, "needs the exposure")
    else:
        rate = signal if context.unit == "adu/s" else signal / (context.exposure_s or 1.0)
        judge.add("dark_rate_adu", rate)
        if context.egain_e_per_adu:
            judge.add("dark_current", rate * context.egain_e_per_adu)
        else:
            judge.missing("dark_current", f"needs {E}/ADU")
        _find_below_bias(judge, signal, m)
    glow = [known_percentile(b, 99.9) - known_percentile(b) for b in m.bins if b.size >= 64]
    if not glow:
        judge.missing("glow", TOO_SMALL)
        return
    limit = limits.glow_noise.scaled(m.frame_noise) if m.frame_noise > 0 else None
    judge.add("glow", max(glow), limit, unit=m.unit)
    _name_one_cause(judge, max(glow))


def _name_one_cause(judge: Judge, glow: float) -> None:
    """Of a gradient and a glow that are one thing, keep the more specific name.

    A plane from corner to corner stands half its height above the median at its top; what stands
    out further is concentrated in one place, as the sensor's own glow is.
    """
    height = next((m.value for m in judge.metrics if m.name == "gradient"), None)
    if height is None or {"gradient", "glow"} - {f.metric for f in judge.findings}:
        return
    is_glow = glow > CONCENTRATED * height / 2.0
    less, said = ("gradient", "The glow is in it.") if is_glow else ("glow", "The slope is in it.")
    judge.findings = [f for f in judge.findings if f.metric != less]
    judge.metrics = [
        replace(m, verdict=None, why=said) if m.name == less else m for m in judge.metrics
    ]


def _dark_signal(m: _Master, bias: Image | Pieces | None) -> tuple[float | None, str]:
    """Return the dark level above the bias in the master's unit, or why it is not known."""
    if m.context.bias_subtracted:
        return m.level.value_adu, ""
    if bias is not None:
        cut, under = tiles(m.image, at_most=144), tiles(bias, at_most=144)
        with np.errstate(invalid="ignore"):
            difference = cut.astype(np.float32) - under
        known = difference[np.isfinite(difference)]
        if known.size:
            return float(np.median(known)), ""
    if m.context.bias_level_adu is not None:
        return m.level.value_adu - m.context.bias_level_adu, ""
    return None, "needs a master bias of the same settings"


def _find_below_bias(judge: Judge, signal: float, m: _Master) -> None:
    edge = 0.1 * m.frame_noise
    if not signal < -edge:
        return
    judge.find(
        Verdict.WARN,
        "dark below bias",
        f"Dark level {-signal:.1f} {m.unit} below the bias, limit {edge:.1f} {m.unit}.",
        cause="the camera holds its black level, or the bias has another offset or gain.",
        cure="Use darks of the lights' own exposure without a bias.",
        metric="dark_rate_adu",
    )


def _add_flat(judge: Judge, m: _Master, limits: Thresholds) -> None:
    pedestal = _pedestal(m)
    name = m.level.channel
    shape = measure_shape(m.planes[name], levels=m.bins[list(m.planes).index(name)])
    vignetting = shape.vignetting_pct(pedestal)
    judge.add("vignetting", vignetting, limits.vignetting, missing=TOO_SMALL)
    _add_input_levels(judge, m, limits)
    _add_snr(judge, m, limits)
    if any(b.size == 0 for b in m.bins):
        judge.missing("cold_pixels", TOO_SMALL)
        return
    count: Callable[[float], int] = lambda part: cold_pixels(  # noqa: E731
        m.image, m.bins, part, pedestal=pedestal
    )
    cold = 100.0 * count(limits.cold_response) / m.image.size
    judge.add("cold_pixels", cold, limits.cold_pixels)
    judge.add("dead_pixels", count(limits.dead_response))
    _add_spots(judge, m, pedestal, limits)


def _add_input_levels(judge: Judge, m: _Master, limits: Thresholds) -> None:
    context = m.context
    light = _input_light(context)
    top = context.max_adu
    if light is None:
        judge.missing("level_of_range", "needs the bias level and the levels of the inputs")
    elif top is None:
        judge.missing("level_of_range", "needs the largest value of the camera")
    else:
        share = 100.0 * light / (top - (context.bias_level_adu or 0.0))
        judge.add("level_of_range", share, limits.level_of_range, note="Of the median input.")


def _snr(m: _Master) -> tuple[float | None, str]:
    """Return the S/N of a pixel and where it is from; None where it is not known.

    Level over UNC where there is UNC, else sqrt(N) of what photons give.
    """
    context = m.context
    light = m.level.value_adu - _pedestal(m)
    if m.unc_typical > 0:
        return light / m.unc_typical, "Level over UNC."
    electrons = (_input_light(context) or 0.0) * (context.egain_e_per_adu or 0.0)
    if electrons <= 0:
        return None, ""
    one = electrons / np.sqrt(electrons + (context.read_noise_e or 0.0) ** 2)
    return float(one * np.sqrt(context.n_frames or 1)), "From photons and read-out."


def _add_snr(judge: Judge, m: _Master, limits: Thresholds) -> None:
    context = m.context
    value, note = _snr(m)
    if value is None:
        judge.missing("master_snr", f"needs UNC, or {E}/ADU and the levels of the inputs")
        return
    wanted = limits.master_snr.warn_below
    cure = None
    if context.n_frames and wanted is not None and 0 < value < wanted:
        least = _enough(context, limits) - context.n_frames
        cure = more_flats(value, context.n_frames, wanted, least=least)
    judge.add("master_snr", value, limits.master_snr, note=note, cure=cure)


def _add_spots(judge: Judge, m: _Master, pedestal: float, limits: Thresholds) -> None:
    """Dust shadows, and spots of light that are stars, in the brightest channel."""
    plane = m.planes[m.level.channel]
    if min(plane.shape) < 128:
        judge.missing("dust", TOO_SMALL)
        return
    scale = 1 if len(m.planes) == 1 else 2
    depth = limits.dust_depth_pct
    shadows = dust_shadows(plane, m.noise, pedestal=pedestal, depth_pct=depth)
    where = ""
    if shadows:
        first = shadows[0]
        where = (
            f"deepest at x {first.x * scale}, y {first.y * scale}, {first.width * scale} px wide"
        )
    judge.add("dust", len(shadows), limits.dust, where=where, note=where[:1].upper() + where[1:])
    if shadows:
        judge.add("dust_depth", shadows[0].depth_pct)
    stars = dust_shadows(plane, m.noise, pedestal=pedestal, depth_pct=depth, bright=True)
    judge.add("bright_spots", len(stars), limits.bright_spots)
