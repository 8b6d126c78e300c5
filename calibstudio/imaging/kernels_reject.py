"""Rejection at one pixel: the rules themselves, on its values in ascending order.

Compiled code (see `calibstudio.imaging.kernels`); definitions and sources are in
`calibstudio.imaging.reject`. ``values`` is the address of float64 in ascending order;
``work`` of scratch memory. All arithmetic is in the order of the sorted values, so that no
result depends on the order of the files.
"""

from __future__ import annotations

import math

from calibstudio.imaging.kernels_layout import Rule
from calibstudio.imaging.kernels_line import linear_fit
from calibstudio.imaging.kernels_values import median_of, moments, nearest, trim, variance_of
from calibstudio.imaging.kernels_vectors import get_f64, inlined, square_root
from calibstudio.imaging.kernels_winsorized import winsorized_trim

_NONE, _MINMAX, _PERCENTILE, _SIGMA = (
    int(Rule.NONE),
    int(Rule.MINMAX),
    int(Rule.PERCENTILE),
    int(Rule.SIGMA),
)
_PERCENTILE_SPREAD = int(Rule.PERCENTILE_SPREAD)
_MAD, _WINSORIZED, _LINEAR_FIT = int(Rule.MAD), int(Rule.WINSORIZED), int(Rule.LINEAR_FIT)


@inlined
def mad_of(values: int, low: int, high: int, center: float) -> float:
    """Median absolute deviation about the median of sorted values, without another sort.

    Deviations grow to both ends, so the two sides are merged until the middle is reached.
    """
    n = high - low
    right = low
    while right < high and get_f64(values + 8 * right) < center:
        right += 1
    left = right - 1
    deviation = 0.0
    before = 0.0
    for _ in range(n // 2 + 1):
        before = deviation
        if left < low:
            deviation = get_f64(values + 8 * right) - center
            right += 1
        elif right >= high:
            deviation = center - get_f64(values + 8 * left)
            left -= 1
        else:
            below = center - get_f64(values + 8 * left)
            above = get_f64(values + 8 * right) - center
            if below < above:
                deviation = below
                left -= 1
            else:
                deviation = above
                right += 1
    return deviation if n % 2 == 1 else 0.5 * (before + deviation)


@inlined
def quantile_of(values: int, low: int, high: int, share: float) -> float:
    """Quantile of sorted values, linear between two of them (numpy's and KPF's)."""
    place = share * (high - low - 1)
    whole = int(place)
    lower = get_f64(values + 8 * (low + whole))
    upper = get_f64(values + 8 * min(low + whole + 1, high - 1))
    return lower + (place - whole) * (upper - lower)


@inlined
def _esd(
    values: int, n: int, limits: int, most: int, keep: int, floor: float
) -> tuple[int, int, int]:
    """Generalised extreme studentized deviate test (Rosner 1983); sigma is at least ``floor``."""
    low = 0
    high = n
    best_low = 0
    best_high = n
    for i in range(most):
        if high - low < 3:
            break
        reference, total, squares = moments(values, low, high)
        mean = reference + total / (high - low)
        sigma = max(square_root(variance_of(total, squares, high - low)), floor)
        below = mean - get_f64(values + 8 * low)
        above = get_f64(values + 8 * (high - 1)) - mean
        if sigma <= 0.0:
            break
        extreme = max(below, above) / sigma
        if below > above:
            low += 1
        else:
            high -= 1
        if extreme > get_f64(limits + 8 * i):
            best_low = low
            best_high = high
    if best_high - best_low < min(keep, n):
        center = median_of(values, 0, n)
        best_low, best_high = nearest(values, 0, n, center, min(keep, n))
        return best_low, best_high, 1
    return best_low, best_high, 0


@inlined
def _once(
    rule: int, values: int, n: int, low: float, high: float, keep: int
) -> tuple[int, int, int]:
    """Min/max and percentile: one pass."""
    center = median_of(values, 0, n)
    if rule == _MINMAX:
        first = min(int(low), n)
        end = max(n - int(high), first)
    else:
        size = abs(center)
        first, end = trim(values, 0, n, center, low * size, high * size)
    if end - first < keep and end - first < n:
        first, end = nearest(values, 0, n, center, min(keep, n))
        return first, end, 1
    return first, end, 0


@inlined
def reject(
    rule: int,
    values: int,
    n: int,
    low: float,
    high: float,
    iterations: float,
    keep: int,
    cutoff: float,
    floor: float,
    mad_factors: int,
    limits: int,
    limits_columns: int,
    work: int,
) -> tuple[int, int, int]:
    """Apply a rule to n sorted values: (first kept, end of kept, 1 where min_keep held some).

    What is rejected low lies before the kept values afterwards, what is rejected high behind.
    """
    if rule == _NONE or n < 2:
        return 0, n, 0
    if rule in (_MINMAX, _PERCENTILE):
        return _once(rule, values, n, low, high, keep)
    if rule == _LINEAR_FIT:
        return linear_fit(values, n, low, high, iterations, keep, floor, work)
    by_sigma = rule in (_SIGMA, _PERCENTILE_SPREAD)
    if not by_sigma and rule != _MAD and rule != _WINSORIZED:
        most = min(int(low * n), limits_columns)
        return _esd(values, n, limits + 8 * n * limits_columns, most, keep, floor)
    first = 0
    end = n
    passes = 0.0
    while end - first >= 2 and passes < iterations:
        center = median_of(values, first, end)
        if rule == _WINSORIZED:
            far = cutoff if passes == 0.0 else math.inf
            a, b = winsorized_trim(values, first, end, center, low, high, far, floor, work)
        else:
            if rule == _SIGMA:
                _, total, squares = moments(values, first, end)
                sigma = square_root(variance_of(total, squares, end - first))
            elif rule == _PERCENTILE_SPREAD:
                sigma = 0.5 * (
                    quantile_of(values, first, end, 0.84) - quantile_of(values, first, end, 0.16)
                )
            else:
                factor = get_f64(mad_factors + 8 * (end - first))
                sigma = factor * mad_of(values, first, end, center)
            sigma = max(sigma, floor)
            a, b = trim(values, first, end, center, low * sigma, high * sigma)
        if b - a == end - first:
            break
        if b - a < keep:
            first, end = nearest(values, first, end, center, min(keep, end - first))
            return first, end, 1
        first = a
        end = b
        passes += 1.0
    return first, end, 0
