"""Metrics of a set of frames, from the samples that were kept of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Verdict
from calibstudio.domain.thresholds import Limit, Thresholds
from calibstudio.domain.verdicts import Judge, more_flats
from calibstudio.domain.wording import temperature
from calibstudio.imaging.photon_transfer import PhotonTransfer, transfer_of_tiles
from calibstudio.imaging.quality_context import COVERED, FrameContext
from calibstudio.imaging.quality_levels import known_percentile
from calibstudio.imaging.quality_samples import (
    Sample,
    Tiles,
    difference_variance,
    pair_noise,
    temporal_noise,
    tile_means,
)

E = "e\u207b"
LIGHT_IN_IT = "The leaking light is in it."


@dataclass(frozen=True, slots=True)
class SetData:
    """Samples of the frames that belong to a set, in the order they were taken."""

    kind: str
    samples: Sequence[Sample]
    contexts: Sequence[FrameContext]
    biases: Sequence[Sample] = ()
    has_leak: bool = False
    """Light was found on covered frames: it moves their levels and hides their glow."""

    @property
    def context(self) -> FrameContext:
        """What the frames share: that of the first."""
        return self.contexts[0]

    @property
    def step(self) -> float:
        """Step of the converter, ADU."""
        return max(s.step for s in self.samples)

    @property
    def stack(self) -> list[Tiles]:
        """The same tiles of every frame."""
        return [s.tiles for s in self.samples]


def add_noise(judge: Judge, data: SetData, limits: Thresholds) -> None:
    """Read noise from pairs (bias), noise of pairs (darks), temporal noise of pixels."""
    levels = [s.level for s in data.samples]
    judge.add("level", float(np.median(levels)), note="Median of the frames' levels.")
    n = len(data.samples)
    if data.kind in COVERED:
        _add_pair_noise(judge, data, limits)
        found = temporal_noise(data.stack, step=data.step)
        if n < 3:
            judge.missing("temporal_noise", _needs(3, "frames", n))
            return
        judge.add("temporal_noise", found.median_adu, note="Median over the pixels.")
        if n >= 10:
            judge.add("rtn_tail", found.tail, limits.rtn_tail, note="Root mean square over median.")
        else:
            judge.missing("rtn_tail", _needs(10, "frames", n))
        if n >= 16:
            share = 100.0 * found.unstable_fraction
            judge.add("unstable_pixels", share, limits.unstable_pixels)
        else:
            judge.missing("unstable_pixels", _needs(16, "frames", n))


def _needs(wanted: int, what: str, have: int) -> str:
    return f"needs {wanted} {what}, there {'is' if have == 1 else 'are'} {have}"


def _add_pair_noise(judge: Judge, data: SetData, limits: Thresholds) -> None:
    gain = data.context.egain_e_per_adu
    n = len(data.samples)
    is_bias = data.kind == FrameKind.BIAS
    name = "read_noise_adu" if is_bias else "noise"
    if n < 2:
        judge.missing(name, _needs(2, f"{data.kind} frames", n))
        return
    sigma, error = pair_noise(data.stack, step=data.step)
    pairs = n // 2
    note = f"From {pairs} pair{'s' if pairs > 1 else ''} of frames, ± {error:.2g} ADU."
    judge.add(name, sigma, note=note)
    if not is_bias:
        return
    known = data.context.read_noise_e
    if known:
        judge.add("read_noise_known", known)
    if not gain:
        judge.missing("read_noise", f"needs {E}/ADU")
        return
    judge.add("read_noise", sigma * gain, note=f"{gain:.4g} {E}/ADU.")
    if known:
        away = 100.0 * abs(sigma * gain / known - 1.0)
        judge.add(
            "read_noise_error", away, limits.read_noise_error, note=f"Known: {known:.2f} {E}."
        )


def add_drift(judge: Judge, data: SetData, limits: Thresholds) -> None:
    """Slope and jumps of covered frames in units of noise; change in percent for flats.

    Of the mean of each frame (`Sample.mean`): it shows less than an ADU.
    """
    levels = np.array([s.mean for s in data.samples])
    if len(levels) < 2 or not np.isfinite(levels).all():
        judge.missing("level_spread", _needs(2, "frames", len(levels)))
        return
    judge.add(
        "level_spread", float(levels.std(ddof=1)), note="Standard deviation of the frames' means."
    )
    if data.kind == FrameKind.FLAT:
        light = float(np.median(levels)) - (_bias_level(data) or 0.0)
        if light > 0:
            same = len({c.exposure_s for c in data.contexts}) == 1
            note = "" if same else "The exposures differ, as twilight needs."
            change = 100.0 * float(np.ptp(levels)) / light
            judge.add("level_drift", change, limits.level_drift if same else None, note=note)
        return
    if data.kind not in COVERED:
        return
    noise = _single_noise(data)
    if not noise > 0:
        return
    jump = max(abs(b - a) for a, b in pairwise(levels)) / noise
    note = "In units of the noise." + (f" {LIGHT_IN_IT}" if data.has_leak else "")
    limit = None if data.has_leak else limits.level_jump
    judge.add("level_jump", float(jump), limit, note=note)
    if len(levels) < 4:
        judge.missing("bias_drift", _needs(4, "frames", len(levels)))
        return
    slope = float(np.polyfit(np.arange(len(levels)), levels, 1)[0])
    drift = abs(slope) * (len(levels) - 1) / noise
    limit = None if data.has_leak else limits.bias_drift
    judge.add("bias_drift", drift, limit, note=f"Slope, i{note[1:]}")


def _single_noise(data: SetData) -> float:
    sigma, _ = pair_noise(data.stack, step=data.step)
    return sigma if np.isfinite(sigma) else float(np.median([s.noise for s in data.samples]))


def _bias_level(data: SetData) -> float | None:
    """Return the level of the biases given, else the one known."""
    if data.biases:
        return float(np.median([s.level for s in data.biases]))
    return data.context.bias_level_adu


def add_temperature(judge: Judge, data: SetData, limits: Thresholds) -> None:
    """Warmest less coldest; and a warning where the set is not at its set point at all."""
    held, set_c = data.context.held_temp_c, data.context.set_temp_c
    if held is not None and set_c is not None:
        judge.find(
            Verdict.WARN,
            "not at its set point",
            f"The frames were taken at {temperature(held)}, set to {temperature(set_c)}.",
            cause="the cooler was not waited for, or cannot hold the set point.",
            cure=f"Use them for lights taken near {temperature(held)} only.",
        )
    known = [c.sensor_temp_c for c in data.contexts if c.sensor_temp_c is not None]
    if len(known) < 2:
        judge.missing("temperature_spread", "fewer than 2 frames say their sensor temperature")
        return
    judge.add("temperature_spread", max(known) - min(known), limits.temperature_spread)


def add_dark(judge: Judge, data: SetData, limits: Thresholds) -> None:
    """Dark current from level and from noise, hot pixels, glow."""
    time = data.context.exposure_s
    gain = data.context.egain_e_per_adu
    _add_dark_current(judge, data, time, gain)
    _add_hot_pixels(judge, data, time, gain, limits)
    _add_glow(judge, data, time, gain, limits)


def _add_dark_current(judge: Judge, data: SetData, time: float | None, gain: float | None) -> None:
    name = "dark_current" if gain else "dark_rate_adu"
    if not time:
        judge.missing(name, "needs the exposure")
        return
    if data.biases:
        dark = np.mean([tile_means(t, data.step) for t in data.stack], axis=0)
        # The median: one bias of another level (light, another setting) must not count.
        bias = np.median([tile_means(s.tiles, s.step) for s in data.biases], axis=0)
        signal = known_percentile(dark - bias)
    elif data.context.bias_level_adu is not None:
        signal = float(np.median([s.level for s in data.samples])) - data.context.bias_level_adu
    else:
        judge.missing(name, "needs bias frames of the same settings")
        return
    judge.add("dark_rate_adu", signal / time)
    noise = _single_noise(data)
    if noise > 0 and signal < -0.1 * noise:
        judge.find(
            Verdict.WARN,
            "dark below bias",
            f"Dark level {-signal:.1f} ADU below the bias, limit {0.1 * noise:.1f} ADU.",
            cause="the camera holds its black level, or the bias has another offset or gain.",
            cure="Use darks of the lights' own exposure without a bias.",
            metric="dark_rate_adu",
        )
    if gain:
        judge.add("dark_current", gain * signal / time, note="From the level above the bias.")
    else:
        judge.missing("dark_current", f"needs {E}/ADU")
    if len(data.samples) < 2 or len(data.biases) < 2:
        judge.missing("dark_current_variance", "needs 2 dark and 2 bias frames")
        return
    dark_noise, _ = pair_noise(data.stack, step=data.step)
    bias_noise, _ = pair_noise([s.tiles for s in data.biases], step=data.step)
    variance = (dark_noise**2 - bias_noise**2) / time
    judge.add("dark_variance_adu", variance)
    if gain:
        note = "Holds for clamped black levels too."
        judge.add("dark_current_variance", gain**2 * variance, note=note)


def _add_hot_pixels(
    judge: Judge, data: SetData, time: float | None, gain: float | None, limits: Thresholds
) -> None:
    """Count pixels hot in the median of the frames: cosmic rays are not."""
    if len(data.samples) < 3:
        judge.missing("hot_pixels", _needs(3, "frames", len(data.samples)))
        return
    over = limits.hot_sigma * _single_noise(data)
    note = "In the median of the frames, above 5 sigma of one."
    if time and gain:
        over = max(over, limits.hot_rate_e_per_s * time / gain)
    count, total, excess = 0, 0, []
    for k in range(len(data.samples[0].tiles)):
        middle = np.median(np.stack([cut[k] for cut in data.stack]), axis=0)
        away = middle - known_percentile(middle)
        hot = away > over
        count += int(np.count_nonzero(hot))
        total += middle.size
        excess.append(away[hot])
    judge.add("hot_pixels", 100.0 * count / total, limits.hot_pixels, note=note)
    if count and time:
        rate = float(np.median(np.concatenate(excess))) / time
        judge.add("hot_rate_adu", rate)
        if gain:
            judge.add("hot_rate", rate * gain)


def _add_glow(
    judge: Judge, data: SetData, time: float | None, gain: float | None, limits: Thresholds
) -> None:
    """The 99.9th percentile of the binned dark less its median, biases taken out."""
    bins = np.mean([s.bins for s in data.samples], axis=0)
    note = "" if data.biases else "Structure of the bias is in it."
    if data.biases:
        bins = bins - np.median([s.bins for s in data.biases], axis=0)
    if bins.size < 64:
        judge.missing("glow", "the image is too small")
        return
    glow = max(known_percentile(b, 99.9) - known_percentile(b) for b in bins)
    noise = _single_noise(data)
    limit = limits.glow_noise.scaled(noise) if noise > 0 and not data.has_leak else None
    judge.add("glow", glow, limit, note=f"{note} {LIGHT_IN_IT if data.has_leak else ''}".strip())
    if time:
        judge.add("glow_rate_adu", glow / time)
        if gain:
            judge.add("glow_rate", glow * gain / time)


def add_flat(judge: Judge, data: SetData, limits: Thresholds) -> None:
    """Gain by photon transfer, noise excess, change of shape, S/N that the master will have."""
    transfer = _transfer(data)
    written = data.context.egain_e_per_adu
    gain, read_e = written, data.context.read_noise_e
    if transfer is None:
        have = f"there are {len(data.samples)} and {len(data.biases)}"
        judge.missing("egain", f"needs 2 flats and 2 biases of the same settings, {have}")
    elif not np.isfinite(transfer.egain_e_per_adu):
        judge.missing("egain", "the noise of the flats is not above that of the biases")
    else:
        note = f"Photon transfer on {transfer.n_tiles} tiles, ± {transfer.egain_error:.2g}."
        judge.add("egain", transfer.egain_e_per_adu, note=note)
        judge.add("read_noise", transfer.read_noise_e, note=f"± {transfer.read_noise_error_e:.2g}.")
        if written:
            away = 100.0 * abs(transfer.egain_e_per_adu / written - 1.0)
            judge.add("gain_error", away, limits.gain_error, note=f"Written: {written:.4g}.")
        gain, read_e = transfer.egain_e_per_adu, transfer.read_noise_e
    _add_noise_excess(judge, data, limits)
    _add_shape_drift(judge, data, limits)
    _add_snr(judge, data, gain, read_e, limits)


def _transfer(data: SetData) -> PhotonTransfer | None:
    if len(data.samples) < 2 or len(data.biases) < 2:
        return None
    stack, biases = data.stack, [s.tiles for s in data.biases]
    return transfer_of_tiles(
        list(zip(stack[::2], stack[1::2], strict=False)),
        list(zip(biases[::2], biases[1::2], strict=False)),
        step=data.step,
        saturation_adu=data.context.saturation_limit_adu(),
    )


def _add_noise_excess(judge: Judge, data: SetData, limits: Thresholds) -> None:
    """Variance of pairs over S / g + R^2, with the gain that is written."""
    context = data.context
    bias, read = _bias_level(data), context.read_noise_adu
    if len(data.biases) >= 2:
        read, _ = pair_noise([s.tiles for s in data.biases], step=data.step)
    if len(data.samples) < 2:
        judge.missing("noise_excess", _needs(2, "flats", len(data.samples)))
    elif not context.egain_e_per_adu or bias is None or read is None:
        judge.missing("noise_excess", f"needs {E}/ADU, read noise and bias level")
    else:
        ratios = []
        for a, b in zip(data.stack[::2], data.stack[1::2], strict=False):
            light_a, light_b = tile_means(a, data.step) - bias, tile_means(b, data.step) - bias
            good = (light_a > 0) & (light_b > 0)
            if not good.any():
                continue
            scale = (light_a[good] / light_b[good])[:, None, None]
            found = difference_variance(
                a[good].astype(np.float32) - bias, (b[good] - bias) * scale, step=data.step
            )
            s = scale[:, 0, 0]
            photons = light_a[good] * (1.0 + s) / context.egain_e_per_adu
            ratios.append(found / (photons + (1.0 + s**2) * (read**2 + data.step**2 / 12.0)))
        if not ratios:
            judge.missing("noise_excess", "there is no light above the bias")
            return
        known = np.concatenate(ratios)
        known = known[np.isfinite(known)]
        value = float(np.median(known)) if known.size else float("nan")
        judge.add("noise_excess", value, limits.noise_excess, note="With the written gain.")


def _add_shape_drift(judge: Judge, data: SetData, limits: Thresholds) -> None:
    """Root mean square change of the binned shape of each frame against the others' mean."""
    n = len(data.samples)
    if n < 3 or data.samples[0].bins.size < 64:
        judge.missing("shape_drift", _needs(3, "frames", n) if n < 3 else "the image is too small")
        return
    bias = _bias_level(data) or 0.0
    shapes = np.stack([_normalised(s.bins - bias) for s in data.samples])
    if not np.isfinite(shapes).all():
        judge.missing("shape_drift", "there is no light above the bias everywhere")
        return
    ratio = shapes / np.median(shapes, axis=0) - 1.0
    # The frames' own noise: the median over frames of neighbouring bins' difference.
    rough = np.diff(ratio, axis=-1) / np.sqrt(2.0)
    smooth = (
        ratio.reshape(n, -1).var(axis=1) - np.median(rough.reshape(n, -1) ** 2, axis=1) / 0.4549
    )
    drift = 100.0 * np.sqrt(np.maximum(smooth, 0.0))
    judge.add("shape_drift", float(drift.max()), limits.shape_drift)


def _normalised(bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide the bins of each channel by their median; NaN without light."""
    middle = np.median(bins, axis=(1, 2), keepdims=True)
    shape: NDArray[np.float64] = np.divide(
        bins, middle, out=np.full(bins.shape, np.nan), where=middle > 0
    )
    return shape


def _add_snr(
    judge: Judge, data: SetData, gain: float | None, read_e: float | None, limits: Thresholds
) -> None:
    bias = _bias_level(data)
    if not gain or bias is None:
        judge.missing("master_snr", f"needs {E}/ADU and the bias level")
        return
    light = float(np.median([s.level for s in data.samples])) - bias
    if light <= 0:
        judge.missing("master_snr", "there is no light above the bias")
        return
    electrons = gain * light
    one = electrons / np.sqrt(electrons + (read_e or 0.0) ** 2)
    judge.add("snr", one, limits.snr, note="Of one frame.")
    n = len(data.samples)
    value = float(one * np.sqrt(n))
    # A set that is still small is no bad set: only the master is judged by what it lacks.
    wanted = limits.master_snr.warn_below
    cure = more_flats(value, n, wanted) if wanted is not None and value < wanted else None
    note = f"What {n} frames give."
    judge.add("master_snr", value, Limit(warn_below=wanted), note=note, cure=cure)
