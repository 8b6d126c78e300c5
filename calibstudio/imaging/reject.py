"""Which values of a pixel are left out: the rules, their defaults, and what they cost.

Definitions (m is the median of the values still kept, s their spread; "rejects" is strict):

sigma
    Rejects below m - low s and above m + high s, s the standard deviation (N - 1); repeated
    until nothing is rejected. Siril's "sigma", and astropy.stats.sigma_clip with the sample's
    standard deviation.
mad
    The same with s = 1.4826 MAD (astropy.stats.sigma_clip, stdfunc="mad_std").
winsorized
    The same with s found by Winsorization: start from the standard deviation; pull values in to
    m +- 1.5 s; s = 1.134 times their standard deviation; until s changes by at most 0.05 %
    (Huber & Ronchetti 2009; Siril's rejection_float.c). With a cut-off, values further than
    cutoff s from m become m instead, in the first round of rejection only (PixInsight).
linear-fit
    A line of least absolute deviation through the values in ascending order against their rank;
    s is twice the mean absolute deviation from it; rejects values that lie further from the
    line than low s below or high s above; repeated. Needs 5 values (PixInsight). Of several
    lines that are equally good the flattest is taken.
esd
    Rosner (1983), Technometrics 25, 165: the generalised extreme studentized deviate test for
    up to floor(low N) outliers at significance high.
percentile
    Rejects below m - low |m| and above m + high |m|, once (Siril, PixInsight).
minmax
    Leaves out the low lowest and the high highest values.
auto
    Below 4 frames the median; 4 to 9 the mad rule once at 5 s, with s = max(1.4826 b_N MAD,
    read noise, one ADU step) and b_N the finite-sample factor of Croux & Rousseeuw (1992);
    from 10 winsorized at 4 low, 3 high, cut-off 5.

A rule never leaves fewer than ``min_keep`` values: it then keeps the ones nearest to m, and the
pixel is counted.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import UsageError
from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from calibstudio.imaging.kernels_layout import Rule

MOST_FRAMES = 500
"""Largest number of frames in one combination."""
TABLE_FILE = Path(__file__).with_name("unc_factors.npz")
TABLE_END = 50
"""Number of values up to which factors are tabulated."""

RULES = {
    Rejection.NONE: Rule.NONE,
    Rejection.MINMAX: Rule.MINMAX,
    Rejection.PERCENTILE: Rule.PERCENTILE,
    Rejection.SIGMA: Rule.SIGMA,
    Rejection.MAD: Rule.MAD,
    Rejection.WINSORIZED: Rule.WINSORIZED,
    Rejection.LINEAR_FIT: Rule.LINEAR_FIT,
    Rejection.ESD: Rule.ESD,
}
_DEFAULTS: dict[Rejection, tuple[float, float]] = {
    Rejection.NONE: (0.0, 0.0),
    Rejection.MINMAX: (1.0, 1.0),
    Rejection.PERCENTILE: (0.2, 0.1),
    Rejection.SIGMA: (3.0, 3.0),
    Rejection.MAD: (5.0, 5.0),
    Rejection.WINSORIZED: (4.0, 3.0),
    Rejection.LINEAR_FIT: (5.0, 3.5),
    Rejection.ESD: (0.3, 0.05),
}
MAD_TO_SIGMA = 1.4826
_CROUX_ROUSSEEUW = (1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
"""b_N for N = 0 to 9 (Croux & Rousseeuw 1992, COMPSTAT, 411)."""


@dataclass(frozen=True, slots=True)
class ResolvedRule:
    """A complete choice for a number of frames: nothing is automatic any more."""

    settings: StackSettings
    """With combine, reject, low, high and cutoff as they are applied."""
    automatic: bool
    """The rule was chosen by the number of frames."""
    finite_sample: bool = False
    """The MAD is corrected for few values, and has a floor (automatic rule, 4 to 9 frames)."""

    @property
    def rule(self) -> Rule:
        """The rule as the kernels know it."""
        return RULES[self.settings.reject]

    @property
    def low(self) -> float:
        """Lower limit, in the unit of the rule."""
        return self.settings.low if self.settings.low is not None else 0.0

    @property
    def high(self) -> float:
        """Upper limit, in the unit of the rule."""
        return self.settings.high if self.settings.high is not None else 0.0


def resolve(settings: StackSettings, n_frames: int) -> ResolvedRule:
    """Choose what is automatic, and fill in the defaults of the rule (RULES 4).

    Raises
    ------
    UsageError
        If a limit does not make sense for the rule.
    """
    if settings.reject is not Rejection.AUTO:
        low, high = _DEFAULTS[settings.reject]
        chosen = replace(
            settings,
            low=low if settings.low is None else settings.low,
            high=high if settings.high is None else settings.high,
        )
        _check(chosen)
        return ResolvedRule(chosen, automatic=False)
    if settings.combine is Combine.MEDIAN or n_frames < 4:
        chosen = replace(
            settings, combine=Combine.MEDIAN, reject=Rejection.NONE, low=0.0, high=0.0, cutoff=None
        )
        return ResolvedRule(chosen, automatic=True)
    if n_frames < 10:
        chosen = replace(
            settings,
            reject=Rejection.MAD,
            low=5.0 if settings.low is None else settings.low,
            high=5.0 if settings.high is None else settings.high,
            iterations=1,
            cutoff=None,
        )
        _check(chosen)
        return ResolvedRule(chosen, automatic=True, finite_sample=True)
    chosen = replace(
        settings,
        reject=Rejection.WINSORIZED,
        low=4.0 if settings.low is None else settings.low,
        high=3.0 if settings.high is None else settings.high,
        cutoff=5.0 if settings.cutoff is None else settings.cutoff,
    )
    _check(chosen)
    return ResolvedRule(chosen, automatic=True)


def _check(settings: StackSettings) -> None:
    low, high = settings.low or 0.0, settings.high or 0.0
    name = settings.reject.value
    if not (low >= 0 and high >= 0):
        raise UsageError(f"The limits of {name} rejection must not be negative.")
    if settings.reject is Rejection.MINMAX and not (
        float(low).is_integer() and float(high).is_integer()
    ):
        raise UsageError(
            "Min/max rejection takes whole numbers of values.", hint="For example --low 1 --high 1."
        )
    if settings.reject is Rejection.ESD and not (low < 1 and 0 < high < 1):
        raise UsageError(
            "ESD rejection takes a fraction of outliers and a significance, both below 1.",
            hint="For example --low 0.3 --high 0.05.",
        )
    if settings.cutoff is not None and not settings.cutoff >= 1:
        raise UsageError("The cut-off of Winsorized rejection must be at least 1 sigma.")


def mad_factors(n: int, *, finite_sample: bool) -> NDArray[np.float64]:
    """Return what turns the MAD of 0 to n values into a sigma."""
    factors = np.full(n + 1, MAD_TO_SIGMA)
    if finite_sample:
        factors *= [finite_sample_factor(i) for i in range(n + 1)]
    return factors


def finite_sample_factor(n: int) -> float:
    """b_N: what makes 1.4826 MAD of N normal values unbiased (Croux & Rousseeuw 1992)."""
    return _CROUX_ROUSSEEUW[n] if n < 10 else n / (n - 0.8)


def esd_limits(n: int, fraction: float, significance: float) -> NDArray[np.float64]:
    """Return critical values lambda, one row for each number of values from 0 to n.

    Column i holds the limit of the test for i + 1 outliers; unused places are infinite.

    Notes
    -----
    lambda_i = t (N - i) / sqrt((N - i - 1 + t^2) (N - i + 1)), t the 1 - a / (2 (N - i + 1))
    quantile of Student's t with N - i - 1 degrees of freedom (Rosner 1983, eq. 2.5).
    """
    most = max(1, int(fraction * n))
    limits = np.full((n + 1, most), np.inf)
    size = np.arange(n + 1)[:, None]
    i = np.arange(1, most + 1)[None, :]
    freedom = size - i - 1
    usable = (freedom >= 1) & (i <= np.floor(fraction * size))
    ny, nx = np.nonzero(usable)
    if len(ny) == 0:
        return limits
    left, dof = (size - i)[ny, nx], freedom[ny, nx]
    t = student_quantile(significance / (2.0 * (left + 1)), dof)
    limits[ny, nx] = t * left / np.sqrt((dof + t * t) * (left + 1))
    return limits


def student_quantile(tail: NDArray[np.float64], freedom: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return t with P(T > t) = tail for whole degrees of freedom (tail below 0.5).

    Bisection on the exact finite series (Abramowitz & Stegun 26.7.3 and 26.7.4); the relative
    error is below 1e-9 for tails above 1e-6.
    """
    low = np.zeros(len(tail))
    high = np.full(len(tail), 10.0)
    while np.any(growing := _student_tail(high, freedom) > tail):
        high = np.where(growing, high * 4.0, high)
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = _student_tail(middle, freedom) > tail
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return 0.5 * (low + high)


def _student_tail(t: NDArray[np.float64], freedom: NDArray[np.int64]) -> NDArray[np.float64]:
    angle = np.arctan2(t, np.sqrt(freedom))
    sine, cosine2 = np.sin(angle), np.cos(angle) ** 2
    odd = freedom % 2 == 1
    term = np.where(odd, np.where(freedom > 1, np.cos(angle), 0.0), 1.0)
    total = term.copy()
    for k in range(1, int(freedom.max()) // 2 + 1):
        # Odd: cos (1 + 2/3 cos^2 + 2 4/(3 5) cos^4 ...); even: 1 + 1/2 cos^2 + 1 3/(2 4) ...
        more = np.where(odd, 2 * k <= freedom - 3, 2 * k <= freedom - 2)
        ratio = np.where(odd, 2.0 * k / (2 * k + 1), (2.0 * k - 1) / (2 * k))
        term = np.where(more, term * ratio * cosine2, 0.0)
        total += term
    inside = np.where(odd, 2.0 / np.pi * (angle + sine * total), sine * total)
    return np.maximum(0.0, 0.5 * (1.0 - inside))


def normal_table() -> NDArray[np.float64]:
    """phi(z), z phi(z) and Phi(z) at z = 0, 0.01, ..., 8, for the kernels."""
    z = np.arange(801) / 100.0
    phi = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    cumulative = np.array([NormalDist().cdf(value) for value in z])
    return np.stack([phi, z * phi, cumulative], axis=1).copy()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a rule does to normal noise, for 0 to n values at a pixel."""

    factor: NDArray[np.float64]
    """k: UNC^2 = k variance of the kept / CNT; NaN below 2 values."""
    share_low: NDArray[np.float64]
    """Fraction of good values that is rejected low."""
    share_high: NDArray[np.float64]


def cost(resolved: ResolvedRule, n: int) -> Cost:
    """Return k and the expected shares of rejected values for 0 to n values at a pixel.

    Notes
    -----
    From a seeded simulation up to 50 values (`TABLE_FILE`, made by
    ``tests/accuracy/make_unc_factors.py``); beyond, the closed form of a normal distribution
    cut at -low and +high, k = 1 / variance of what is inside.
    """
    median = resolved.settings.combine is Combine.MEDIAN
    factor = np.ones(n + 1)
    low, high = np.zeros(n + 1), np.zeros(n + 1)
    for i in range(2, n + 1):
        factor[i], low[i], high[i] = _cost(resolved, i, median)
    factor[:2] = np.nan
    return Cost(factor, low, high)


def _cost(resolved: ResolvedRule, n: int, median: bool) -> tuple[float, float, float]:
    if resolved.rule in (Rule.NONE, Rule.PERCENTILE):
        return (median_factor(n) if median else 1.0), 0.0, 0.0
    name = "clip" if resolved.finite_sample else resolved.settings.reject.value
    if n <= TABLE_END and (found := _from_table(name, n, resolved.low, resolved.high, median)):
        return found
    if resolved.rule is Rule.ESD:
        end = min(n, TABLE_END)
        found = _from_table(name, end, resolved.low, resolved.high, median)
        return found if found is not None else (1.0, 0.0, 0.0)
    if resolved.rule is Rule.MINMAX:
        return _minmax_limit(n, resolved.low, resolved.high, median)
    k, share_low, share_high = clip_limit(resolved.low, resolved.high)
    return k * (median_factor(n) if median else 1.0), share_low, share_high


def clip_limit(low: float, high: float) -> tuple[float, float, float]:
    """Return (k, share low, share high) of a clip at -low and +high for many values.

    k = 1 / (1 + [a phi(a) - b phi(b)] / Z - [(phi(a) - phi(b)) / Z]^2), a = -low, b = high.
    """
    normal = NormalDist()
    below, above = normal.cdf(-min(low, 40.0)), normal.cdf(-min(high, 40.0))
    inside = 1.0 - below - above
    if inside <= 1e-6:
        return 1.0, below, above
    phi_a, phi_b = normal.pdf(min(low, 40.0)), normal.pdf(min(high, 40.0))
    ends = -min(low, 40.0) * phi_a - min(high, 40.0) * phi_b
    spread = 1.0 + ends / inside - ((phi_a - phi_b) / inside) ** 2
    return 1.0 / max(spread, 1e-3), below, above


def _minmax_limit(n: int, low: float, high: float, median: bool) -> tuple[float, float, float]:
    """Min/max for many values: the asymptotic variance of a trimmed mean.

    Variance of the Winsorized values / (N Z^2) for the mean of the fraction Z that is kept
    (Huber & Ronchetti 2009, example 3.2), against variance of the kept / (N Z).
    """
    below, above = min(low / n, 0.49), min(high / n, 0.49)
    normal = NormalDist()
    a = normal.inv_cdf(below) if below > 0 else -40.0
    b = normal.inv_cdf(1.0 - above) if above > 0 else 40.0
    inside = 1.0 - below - above
    mean = normal.pdf(a) - normal.pdf(b)
    square = inside + a * normal.pdf(a) - b * normal.pdf(b)
    kept = square / inside - (mean / inside) ** 2
    end_a, end_b = (below * a if below else 0.0), (above * b if above else 0.0)
    ends = (below * a * a if below else 0.0) + (above * b * b if above else 0.0)
    winsorized = square + ends - (mean + end_a + end_b) ** 2
    shares = min(1.0, low / n), min(1.0, high / n)
    if median:
        return median_factor(n) / kept * inside, *shares
    return winsorized / (inside * kept), *shares


def median_factor(n: int) -> float:
    """N times the variance of the median of N normal values: 1, 1.35, 1.19, ... to pi / 2."""
    if n < 2:
        return 1.0
    if n <= TABLE_END:
        return float(_table()["median"][n])
    # Expansion in 1 / N, matched to the exact values from 30 to 50.
    correction = float(_table()["median"][TABLE_END - n % 2])
    end = TABLE_END - n % 2
    return math.pi / 2 + (correction - math.pi / 2) * end / n


@functools.cache
def _table() -> dict[str, NDArray[np.float64]]:
    with np.load(TABLE_FILE) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


def _from_table(
    name: str, n: int, low: float, high: float, median: bool
) -> tuple[float, float, float] | None:
    """Interpolate (k, share low, share high); None where the table does not reach."""
    table = _table()
    if name not in table:
        return None
    sizes, lows, highs = (table[f"{name}_{axis}"] for axis in ("n", "low", "high"))
    # The table ends at 6 sigma, where nothing is rejected any more.
    inside = lows[0] <= low and highs[0] <= high
    if name in ("minmax", "esd"):
        inside = inside and low <= lows[-1] and high <= highs[-1]
    if not inside or n < sizes[0]:
        return None
    values = table[name]  # Axes: n, low, high, (k mean, k median, share low, share high).
    at = _interpolate(values, (sizes, lows, highs), (float(n), low, high))
    return float(at[1] if median else at[0]), float(at[2]), float(at[3])


def _interpolate(
    values: NDArray[np.float64],
    axes: tuple[NDArray[np.float64], ...],
    place: tuple[float, ...],
) -> NDArray[np.float64]:
    """Linear interpolation along the first axes, one after the other."""
    for axis, x in zip(axes, place, strict=True):
        x = min(max(x, float(axis[0])), float(axis[-1]))
        i = min(max(int(np.searchsorted(axis, x)) - 1, 0), max(len(axis) - 2, 0))
        if len(axis) == 1:
            values = values[0]
            continue
        f = (x - axis[i]) / (axis[i + 1] - axis[i])
        values = values[i] * (1.0 - f) + values[i + 1] * f
    return values
