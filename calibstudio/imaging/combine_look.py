"""A first look at the frames of a combination: their quantum, and the noise of one frame.

A few rows of the middle are read, so that this costs next to nothing. Nothing depends on the
order of the frames. (`numpy.median` is avoided: it would import numpy.ma.)

What rounding to whole codes q adds to an uncertainty: all frames are rounded alike, so a part of
the error is common to them and does not become smaller with their number. For levels that lie
anywhere between two codes its variance is

    C(sigma) = q^2 / (2 pi^2) sum over j of exp(-4 pi^2 j^2 sigma^2 / q^2) / j^2,

sigma the noise before rounding (Widrow & Kollar 2008, Quantization Noise, chapter 4): q^2 / 12
without noise, when more frames tell nothing new, and nothing from sigma = q / 2 on. The variance
of a pixel's values is sigma^2 + q^2 / 12 - C(sigma) on average, which gives sigma. So

    UNC^2 = k max(s^2, q^2 / 12 - C) / n + C                   of a mean,
    UNC^2 = k max(s^2 - (q^2 / 12 - C), 0) / n + q^2 / 12      of a median,

because the median of rounded values is the rounded median, whatever the noise is.
"""

from __future__ import annotations

import math
import statistics

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.recipe import Floor
from calibstudio.imaging.combine_bands import Frames, NoiseLimits
from calibstudio.imaging.kernels_layout import Rule
from calibstudio.imaging.reject import ResolvedRule

_ROWS = 2
_VALUES = 2048
"""Pixels of each frame that are looked at."""
_MOST_VALUES = 1 << 20
"""And of all frames together."""
_WIDE = 8.0
"""Pixels that scatter by this many times the mean are left out: they are hot or unstable."""


def noise_limits(frames: Frames, rule: ResolvedRule, read_noise_adu: float | None) -> NoiseLimits:
    """Return the floor of a rule, and what uncertainties need to know of rounding and noise.

    Parameters
    ----------
    read_noise_adu
        Noise of one frame before it is scaled, where the caller knows it.

    Raises
    ------
    FileProblemError
        If a frame cannot be read any more.
    """
    with_noise = rule.floored or rule.rule is Rule.PERCENTILE
    quantum, variance, noise, level = _look_at(frames, with_noise=with_noise)
    scale = statistics.median([abs(s) for s in frames.scales.reshape(-1).tolist()])
    common = common_rounding(variance, quantum) * scale**2
    quantum *= scale
    known = 0.0 if read_noise_adu is None else read_noise_adu * scale
    floor = 0.0
    if rule.floored:
        floor = max(quantum, known)
        if rule.settings.floor is Floor.NOISE and read_noise_adu is None:
            floor = max(quantum, noise)
    ratio = floor / noise if noise > 0 else 0.0
    in_noises = abs(level) / noise if noise > 0 else 0.0
    return NoiseLimits(floor, ratio, in_noises, quantum**2 / 12.0, common, known)


def _look_at(frames: Frames, *, with_noise: bool) -> tuple[float, float, float, float]:
    """Return quantum and variance as values are stored, and noise and level as combined.

    0 where there is none, or it was not asked for.
    """
    ny, nx = frames.sources[0].shape
    y0 = max(0, ny // 2 - _ROWS // 2)
    y1 = min(ny, y0 + _ROWS)
    room = min(_VALUES, _MOST_VALUES // len(frames.sources))
    step = max(1, (y1 - y0) * nx // room)
    quanta, stored, values = [], [], []
    for i, source in enumerate(frames.sources):
        rows = source.read_rows(y0, y1)
        stored.append(rows.reshape(-1)[::step])
        quanta.append(quantum_of(stored[-1]))
        if with_noise and not frames.exact:
            values.append(frames.prepared(i, y0, rows).reshape(-1)[::step])
    known = [q for q in quanta if q > 0]
    # Frames of one camera have one quantum; a constant one, or one of another sort, has none.
    quantum = statistics.median(known) if 2 * len(known) > len(quanta) else 0.0
    variance = variance_of(np.stack(stored)) if quantum > 0 else 0.0
    if not with_noise:
        return quantum, variance, 0.0, 0.0
    stack = np.stack(stored).astype(np.float64) if frames.exact else np.stack(values)
    good = np.sort(stack[np.isfinite(stack)])
    level = float(good[good.size // 2]) if good.size else 0.0
    return quantum, variance, noise_of(stack), level


def common_rounding(variance: float, quantum: float) -> float:
    """Return C for values of this mean variance that are rounded to multiples of ``quantum``."""
    if quantum <= 0:
        return 0.0
    v = variance / quantum**2
    low, high = 0.0, 1.0
    for _ in range(50):
        sigma = 0.5 * (low + high)
        low, high = (sigma, high) if sigma**2 + 1 / 12 - _common(sigma) < v else (low, sigma)
    return _common(low) * quantum**2


def _common(sigma: float) -> float:
    """C of noise in units of the quantum."""
    exponent = -4.0 * math.pi**2 * sigma**2
    # The rest of the series at sigma = 0 is below 0.3 % of it.
    total = sum(math.exp(exponent * j * j) / (j * j) for j in range(1, 200))
    return total / (2.0 * math.pi**2)


def variance_of(stack: NDArray[np.floating]) -> float:
    """Return the mean variance (N - 1) of pixels over frames, hit and hot ones left out.

    Parameters
    ----------
    stack
        Shape (n, m): m pixels of n frames.
    """
    stack = stack[:, np.isfinite(stack).all(axis=0)].astype(np.float64)
    if len(stack) < 2 or stack.shape[1] == 0:
        return 0.0
    return _mean_of_most(stack.var(axis=0, ddof=1))


def _mean_of_most(values: NDArray[np.float64]) -> float:
    mean = float(values.mean())
    for _ in range(10):
        inside = values[values <= _WIDE * mean]
        mean = float(inside.mean()) if inside.size else 0.0
    return mean


def quantum_of(values: NDArray[np.floating]) -> float:
    """Return the step between codes: 16 for 12-bit values stored in 16 bits; 0 for none.

    The greatest common divisor of differences, of whole numbers below 2^24 only: others may be
    rounded by float32.
    """
    # Not by numpy.unique: it would import numpy.ma.
    codes = np.sort(values[np.isfinite(values)].astype(np.float64))
    steps = np.diff(codes)
    steps = steps[steps > 0]
    if steps.size == 0 or abs(codes).max() >= 1 << 24 or (codes != np.rint(codes)).any():
        return 0.0
    return float(np.gcd.reduce(steps.astype(np.int64)))


def noise_of(stack: NDArray[np.floating]) -> float:
    """Return the noise of one frame from the scatter of pixels over frames; 0 below 4 frames.

    The inner half of each pixel's values against that of a normal distribution (order statistics
    by Blom 1958), so that hits do not count; the mean over pixels, hot ones left out.

    Parameters
    ----------
    stack
        Shape (n, m): m pixels of n frames.
    """
    n = len(stack)
    stack = stack[:, np.isfinite(stack).all(axis=0)].astype(np.float64)
    if n < 4 or stack.shape[1] == 0:
        return 0.0
    # A frame that is brighter as a whole is not noise.
    middle = np.sort(stack, axis=1)[:, stack.shape[1] // 2]
    ordered = np.sort(stack - middle[:, None], axis=0)
    low = n // 4
    mean = _mean_of_most(ordered[n - 1 - low] - ordered[low])
    expected = 2.0 * statistics.NormalDist().inv_cdf((n - low - 0.375) / (n + 0.25))
    return mean / expected
