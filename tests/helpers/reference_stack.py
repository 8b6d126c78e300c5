"""Combination of frames by the definitions, one pixel at a time, in plain Python and numpy.

Written from the literature and independent of the engine: slow, and easy to check by reading.
Values are float64; each function returns a mask of what is kept, in the order given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Spread = Callable[[Values, int], float]
"""Sigma of the values that are kept in a round, which is counted from 0."""

CROUX_ROUSSEEUW = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}


def keep_all(values: Values) -> Mask:
    return np.ones(len(values), bool)


def minmax(values: Values, low: int, high: int, min_keep: int = 3) -> Mask:
    order = np.argsort(values, kind="stable")
    keep = np.zeros(len(values), bool)
    keep[order[low : len(values) - high]] = True
    return hold(values, keep_all(values), keep, min_keep)


def percentile(values: Values, low: float, high: float, min_keep: int = 3) -> Mask:
    m = np.median(values)
    keep = (values >= m - low * abs(m)) & (values <= m + high * abs(m))
    return hold(values, keep_all(values), keep, min_keep)


def iterated(
    values: Values,
    low: float,
    high: float,
    spread: Spread,
    iterations: int | None,
    min_keep: int,
) -> Mask:
    kept = keep_all(values)
    done = 0
    while kept.sum() >= 2 and (iterations is None or done < iterations):
        v = values[kept]
        m, s = np.median(v), spread(v, done)
        now = kept & (values >= m - low * s) & (values <= m + high * s)
        if now.sum() == kept.sum():
            break
        if now.sum() < min_keep:
            return hold(values, kept, now, min_keep)
        kept = now
        done += 1
    return kept


def at_least(floor: float, spread: Spread) -> Spread:
    """Give the sigma of an iterated rule a floor."""
    return lambda v, done: max(floor, spread(v, done))


def hold(values: Values, before: Mask, after: Mask, min_keep: int) -> Mask:
    """Keep the ``min_keep`` nearest to the median of what was there before."""
    if after.sum() >= min_keep or after.sum() == before.sum():
        return after
    m = np.median(values[before])
    candidates = [i for i in range(len(values)) if before[i]]
    # Of two equally far the lower one stays.
    candidates.sort(key=lambda i: (abs(values[i] - m), values[i]))
    kept = np.zeros(len(values), bool)
    kept[candidates[:min_keep]] = True
    return kept


def sigma(
    values: Values, low: float, high: float, iterations: int | None = None, min_keep: int = 3
) -> Mask:
    return iterated(values, low, high, lambda v, _: float(np.std(v, ddof=1)), iterations, min_keep)


def mad_sigma(v: Values) -> float:
    return 1.4826 * float(np.median(np.abs(v - np.median(v))))


def mad(
    values: Values, low: float, high: float, iterations: int | None = None, min_keep: int = 3
) -> Mask:
    return iterated(values, low, high, lambda v, _: mad_sigma(v), iterations, min_keep)


def automatic_clip(values: Values, floor: float, min_keep: int = 3) -> Mask:
    """The automatic rule for 4 to 9 frames."""

    def spread(v: Values, _: int) -> float:
        n = len(v)
        b = CROUX_ROUSSEEUW.get(n, 1.0)
        return max(b * mad_sigma(v), floor)

    return iterated(values, 5.0, 5.0, spread, 1, min_keep)


def winsorized_sigma(v: Values, cutoff: float) -> float:
    m = float(np.median(v))
    first = s = float(np.std(v, ddof=1))
    w = [float(x) for x in v]
    while s > 1e-12 * first:
        w = [m if abs(x - m) > cutoff * s else x for x in w]
        w = [min(max(x, m - 1.5 * s), m + 1.5 * s) for x in w]
        mean = math.fsum(w) / len(w)
        spread = math.sqrt(math.fsum((x - mean) ** 2 for x in w) / (len(w) - 1))
        before, s = s, 1.134 * spread
        if abs(s - before) <= 0.0005 * before:
            break
    return s


def winsorized(
    values: Values,
    low: float,
    high: float,
    cutoff: float = math.inf,
    iterations: int | None = None,
    min_keep: int = 3,
) -> Mask:
    def spread(v: Values, done: int) -> float:
        return winsorized_sigma(v, cutoff if done == 0 else math.inf)

    return iterated(values, low, high, spread, iterations, min_keep)


def least_absolute_line(y: Values) -> tuple[float, float, float]:
    """Line of least absolute deviation through (i, y_i), the flattest if there are several.

    Such a line goes through two of the points.
    """
    x = np.arange(len(y), dtype=float)
    lines = []
    for i, j in combinations(range(len(y)), 2):
        b = (y[j] - y[i]) / (j - i)
        a = y[i] - b * i
        lines.append((float(np.abs(y - a - b * x).sum()), b, a))
    least = min(lines)[0]
    total, b, a = min(
        (line for line in lines if line[0] <= least * (1 + 1e-11)), key=lambda line: line[1]
    )
    return total, a, b


def linear_fit(values: Values, low: float, high: float, min_keep: int = 3) -> Mask:
    order = np.argsort(values, kind="stable")
    kept = list(order)
    first = True
    while len(kept) >= (5 if first else 3):
        first = False
        y = values[kept]
        total, a, b = least_absolute_line(y)
        s = 2.0 * total / len(y)
        if s <= 1e-13 * abs(y[0]):
            break
        residual = y - a - b * np.arange(len(y))
        good = (residual >= -low * s) & (residual <= high * s)
        if good.all():
            break
        if good.sum() < min_keep:
            before = np.zeros(len(values), bool)
            before[kept] = True
            after = np.zeros(len(values), bool)
            after[np.array(kept)[good]] = True
            return hold(values, before, after, min_keep)
        kept = [k for k, g in zip(kept, good, strict=True) if g]
    mask = np.zeros(len(values), bool)
    mask[kept] = True
    return mask


def esd(
    values: Values, fraction: float, quantile: Callable[[float, int], float], min_keep: int = 3
) -> Mask:
    """Rosner (1983). ``quantile(i, n)`` gives the critical value of step i (from 1)."""
    n = len(values)
    left = list(range(n))
    removed: list[int] = []
    outliers = 0
    for i in range(1, int(fraction * n) + 1):
        if len(left) < 3:
            break
        v = values[left]
        mean, s = v.mean(), np.std(v, ddof=1)
        if s == 0:
            break
        # Of two equally far the higher one goes.
        worst = max(range(len(left)), key=lambda k: (round(abs(v[k] - mean) / s, 9), v[k]))
        r = abs(v[worst] - mean) / s
        removed.append(left.pop(worst))
        if r > quantile(i, n):
            outliers = i
    mask = np.ones(n, bool)
    mask[removed[:outliers]] = False
    return hold(values, keep_all(values), mask, min_keep)


def uncertainty(
    variance: Values,
    count: NDArray[np.int64],
    factor: NDArray[np.float64] | float = 1.0,
    *,
    quantum: float = 0.0,
    median: bool = False,
) -> Values:
    """UNC of ``count`` kept values with this variance, for noise of at least half a quantum.

    k s^2 / n, where rounding alone gives each value the variance q^2 / 12, and a median is
    rounded itself.
    """
    n = np.maximum(count, 1)
    rounding = quantum**2 / 12.0
    if median:
        square = factor * np.maximum(variance - rounding, 0.0) / n + rounding
    else:
        square = factor * np.maximum(variance, rounding) / n
    return np.where(count >= 2, np.sqrt(square), np.nan)


def rosner_limit(i: int, n: int, significance: float) -> float:
    """Critical value of step i (from 1) for n values (Rosner 1983, eq. 2.5), by scipy."""
    from scipy.stats import t as student

    left = n - i
    t = float(student.ppf(1.0 - significance / (2.0 * (left + 1)), left - 1))
    return left * t / math.sqrt((left - 1 + t * t) * (left + 1))


def combine_pixels(
    stack: NDArray[np.floating], rule: Callable[[Values], Mask], *, median: bool = False
) -> tuple[Values, Values, NDArray[np.int64], NDArray[np.int64]]:
    """Apply a rule along the first axis: value, variance of the kept, count, rejected per frame.

    ``stack`` has shape (n, ny, nx); NaN is left out. The last result has shape (n, 2).
    """
    n, ny, nx = stack.shape
    value = np.full((ny, nx), np.nan)
    variance = np.full((ny, nx), np.nan)
    count = np.zeros((ny, nx), np.int64)
    rejected = np.zeros((n, 2), np.int64)
    for y in range(ny):
        for x in range(nx):
            frames = np.flatnonzero(np.isfinite(stack[:, y, x]))
            v = stack[frames, y, x].astype(np.float64)
            if len(v) == 0:
                continue
            kept = rule(v) if len(v) > 1 else keep_all(v)
            count[y, x] = kept.sum()
            if not kept.any():
                continue
            value[y, x] = np.median(v[kept]) if median else v[kept].mean()
            if kept.sum() > 1:
                variance[y, x] = np.var(v[kept], ddof=1)
            middle = np.median(v[kept])
            for i in np.flatnonzero(~kept):
                rejected[frames[i], int(v[i] > middle)] += 1
    return value, variance, count, rejected
