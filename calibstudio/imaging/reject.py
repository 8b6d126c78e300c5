"""Which values of a pixel are left out: the rules, their defaults, and what they cost.

Definitions (m is the median of the values still kept, s their spread; "rejects" is strict):

sigma
    Rejects below m - low s and above m + high s, s the standard deviation (N - 1); repeated
    until nothing is rejected. Siril's "sigma", and astropy.stats.sigma_clip with the sample's
    standard deviation.
sigma, spread = percentiles
    The same with s half of the distance between the 16th and the 84th percentile, interpolated
    linearly (KPF-Pipeline's frame stacker; there once, and never fewer than one value left).
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
from calibstudio.domain.recipe import Combine, Floor, Rejection, Spread, StackSettings
from calibstudio.imaging.kernels_layout import Rule

MOST_FRAMES = 500
"""Largest number of frames in one combination."""
TABLE_FILE = Path(__file__).with_name("unc_factors.npz")
"""Factors of uncertainty for up to `MOST_FRAMES` values."""

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
_ITERATED = frozenset(
    {
        Rejection.SIGMA,
        Rejection.MAD,
        Rejection.WINSORIZED,
        Rejection.LINEAR_FIT,
        Rejection.ESD,
    }
)
"""Rules with a sigma of their own, which can shrink to nothing."""
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
    """The MAD is corrected for few values (automatic rule, 4 to 9 frames)."""

    @property
    def floored(self) -> bool:
        """Whether the sigma of the rule has a floor: the noise of one frame, or a quantum."""
        if self.settings.reject not in _ITERATED or self.settings.floor is Floor.NONE:
            return False
        return self.automatic or self.settings.floor is Floor.NOISE

    @property
    def rule(self) -> Rule:
        """The rule as the kernels know it."""
        if self.settings.spread is Spread.PERCENTILES:
            return Rule.PERCENTILE_SPREAD
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
    tail = np.asarray(significance / (2.0 * (left + 1)), np.float64)
    t = student_quantile(tail, dof)
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
    return np.asarray(0.5 * (low + high))


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


@dataclass(frozen=True, slots=True)
class Cost:
    """What a rule does to normal noise, for 0 to n values at a pixel."""

    factor: NDArray[np.float64]
    """k: UNC^2 = k variance of the kept / CNT; NaN below 2 values."""
    share_low: NDArray[np.float64]
    """Fraction of good values that is rejected low."""
    share_high: NDArray[np.float64]


def cost(resolved: ResolvedRule, n: int, *, floor: float = 0.0, level: float = 0.0) -> Cost:
    """Return k and the expected shares of rejected values for 0 to n values at a pixel.

    Parameters
    ----------
    floor
        Of the rule's sigma, in units of the noise; 0 where it has none.
    level
        Of the frames, in units of their noise, for percentile limits; 0 where it is not known:
        then nothing of the noise is rejected.

    Notes
    -----
    From a seeded simulation (`TABLE_FILE`, made by ``tests/accuracy/make_unc_factors.py``).
    The closed form of a normal distribution cut at -low and +high serves for limits beyond the
    table. It is that of a single cut, which is why it does not serve for many values: rules
    are repeated until nothing is rejected, and for 50 values at 3 (2) sigma their true k is
    1.045 (2.9), not 1.027 (1.3).
    """
    median = resolved.settings.combine is Combine.MEDIAN
    values = np.zeros((n + 1, 4))
    values[:, :2] = 1.0
    sizes = np.arange(3, n + 1)
    if resolved.rule is Rule.PERCENTILE_SPREAD:
        return _stated(resolved, n)
    if len(sizes) and resolved.rule is Rule.PERCENTILE and level > 0.0:
        found = _from_table("percentile", sizes, resolved.low * level, resolved.high * level)
        if found is not None:
            values[3:] = found
    elif len(sizes) and resolved.rule not in (Rule.NONE, Rule.PERCENTILE):
        name = "clip" if resolved.finite_sample else resolved.settings.reject.value
        found = _from_table(name, sizes, resolved.low, resolved.high)
        values[3:] = _limits(resolved, sizes) if found is None else found
        if floor > 0.0:
            values[3:] = _floored(resolved, name, sizes, values[3:], floor)
    factor = values[:, 1] * _median_factors(n) if median else values[:, 0].copy()
    factor[:2] = np.nan
    return Cost(factor, values[:, 2], values[:, 3])


SPREAD_SEED = 20261130
_SPREAD_PIXELS = 4000


def _stated(resolved: ResolvedRule, n: int) -> Cost:
    """Return the cost of a clip by percentiles: k as it is stated, else that of a single cut.

    What it rejects of n good values is told by a seeded simulation: of few values the
    percentiles are narrow, and many are lost.
    """
    low, high, stated = resolved.low, resolved.high, resolved.settings.unc_factor
    share_of_sigma = NormalDist().inv_cdf(0.84)
    k = clip_limit(low * share_of_sigma, high * share_of_sigma)[0] if stated is None else stated
    factor = np.full(n + 1, k)
    factor[:2] = np.nan
    shares = np.zeros((n + 1, 2))
    shares[n] = _spread_shares(n, low, high)
    return Cost(factor, shares[:, 0], shares[:, 1])


@functools.cache
def _spread_shares(n: int, low: float, high: float) -> tuple[float, float]:
    values = np.random.default_rng([SPREAD_SEED, n]).standard_normal((n, _SPREAD_PIXELS))
    bottom, middle, top = np.percentile(values, [16, 50, 84], axis=0)
    sigma = 0.5 * (top - bottom)
    below, above = values < middle - low * sigma, values > middle + high * sigma
    return float(below.mean()), float(above.mean())


def _floored(
    resolved: ResolvedRule,
    name: str,
    sizes: NDArray[np.int64],
    free: NDArray[np.float64],
    floor: float,
) -> NDArray[np.float64]:
    """Return the costs of a rule whose sigma is at least ``floor`` times the noise.

    For the limits of the automatic choice from a table. For others there is a table for a floor
    at the noise; one below half of it changes nothing, and between the two it is interpolated.
    ``free`` holds the costs without a floor.
    """
    limits = (resolved.low, resolved.high)
    cut = np.array([1.0, 1.0, 0.0, 0.0])
    if resolved.rule is Rule.ESD:
        cut = free
    elif resolved.rule is not Rule.LINEAR_FIT:
        # A higher floor is one at the noise with wider limits.
        wider = [limit * max(floor, 1.0) for limit in limits]
        known = _from_table(f"{name}_at_noise", sizes, wider[0], wider[1])
        k, share_low, share_high = clip_limit(wider[0], wider[1])
        cut = np.array([k, k, share_low, share_high]) if known is None else known
    part = min(max(2.0 * floor - 1.0, 0.0), 1.0)
    found = np.asarray((1.0 - part) * free + part * cut)
    if (name, *limits) in (("clip", 5.0, 5.0), ("winsorized", 4.0, 3.0)):
        floors, steps = _table(f"{name}_floors"), _table(f"{name}_floored_n")
        at = _between(np.moveaxis(_table(f"{name}_floored"), 1, 0), floors, floor)
        reached = sizes >= steps[0]
        for i in range(4):
            found[reached, i] = np.interp(sizes[reached], steps, at[:, i])
    return found


def _limits(resolved: ResolvedRule, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Approximate (k mean, relative k median, share low, share high) for limits off the table."""
    if resolved.rule is Rule.MINMAX:
        return np.array([_minmax_limit(int(n), resolved.low, resolved.high) for n in sizes])
    k, share_low, share_high = clip_limit(resolved.low, resolved.high)
    return np.tile([k, k, share_low, share_high], (len(sizes), 1))


def clip_limit(low: float, high: float) -> tuple[float, float, float]:
    """Return (k, share low, share high) of one cut at -low and +high of many values.

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


def _minmax_limit(n: int, low: float, high: float) -> tuple[float, float, float, float]:
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
    return winsorized / (inside * kept), inside / kept, *shares


def median_factor(n: int) -> float:
    """N times the variance of the median of N normal values: 1, 1.35, 1.19, ... to pi / 2."""
    return float(_median_factors(n)[n])


def _median_factors(n: int) -> NDArray[np.float64]:
    return _table("median")[: n + 1]


@functools.cache
def _table_names() -> frozenset[str]:
    with np.load(TABLE_FILE) as file:
        return frozenset(file.files)


@functools.cache
def _table(name: str) -> NDArray[np.float64]:
    with np.load(TABLE_FILE) as file:
        return np.array(file[name], np.float64)


def _from_table(
    name: str, sizes: NDArray[np.int64], low: float, high: float
) -> NDArray[np.float64] | None:
    """Interpolate (k mean, relative k median, share low, share high) for each size.

    None where the table does not reach the limits. It ends where nothing is rejected any more.
    """
    if f"{name}_low" not in _table_names():
        return None
    lows, highs = _table(f"{name}_low"), _table(f"{name}_high")
    if name == "minmax" and not (low <= lows[-1] and high <= highs[-1]):
        return None
    if name != "esd" and not (lows[0] <= low and highs[0] <= high):
        return None
    values = _table(name)  # Axes: size, low, high, the four numbers.
    values = _between(np.moveaxis(values, 1, 0), lows, low)
    values = _between(np.moveaxis(values, 1, 0), highs, high)
    known = _table(f"{name}_n")
    return np.stack([np.interp(sizes, known, values[:, i]) for i in range(4)], axis=1)


def _between(
    values: NDArray[np.float64], axis: NDArray[np.float64], x: float
) -> NDArray[np.float64]:
    """Interpolate along the first axis, which ends where the axis does.

    A cubic through the four nearest points, kept between the two next to x: as smooth as the
    numbers are, and without waves where they stop changing.
    """
    x = min(max(x, float(axis[0])), float(axis[-1]))
    i = min(max(int(np.searchsorted(axis, x)) - 1, 0), len(axis) - 2)
    near = range(max(i - 1, 0), min(i + 3, len(axis)))
    total = np.zeros(values.shape[1:])
    for j in near:
        weight = math.prod((x - axis[k]) / (axis[j] - axis[k]) for k in near if k != j)
        total += weight * values[j]
    low, high = np.minimum(values[i], values[i + 1]), np.maximum(values[i], values[i + 1])
    return np.asarray(np.clip(total, low, high))
