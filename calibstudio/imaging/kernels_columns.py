"""Sixteen pixels at once: their spread, and where a rule certainly keeps all values.

Compiled code (see `calibstudio.imaging.kernels`). ``column`` is the address of sixteen sorted
pixels in a block. What a rule may reject is looked at one by one (`kernels_pixel`).
"""

from __future__ import annotations

from typing import Any

from calibstudio.imaging.kernels_layout import ROW_F32, ROW_U16, Job, Parameter, Rule
from calibstudio.imaging.kernels_vectors import (
    add_f64,
    add_i32,
    add_pairs,
    at_most,
    at_most_f32,
    both,
    ceil_f64,
    count_less,
    difference,
    div_f64,
    either,
    f32_from_f64,
    f32_from_i32,
    f64_from_f32,
    f64_from_i32,
    f64_from_u16,
    first_pairs,
    floor_f64,
    get_f64,
    get_i64,
    inlined,
    joined,
    last_pairs,
    load_f32,
    load_u16,
    max_f32,
    max_f64,
    max_u16,
    min_f64,
    min_u16,
    minus_u16,
    mul_f32,
    mul_f64,
    mul_i32,
    splat_f32,
    splat_f64,
    splat_u16,
    sqrt_f64,
    store_f32,
    store_u16,
    sub_f32,
    sub_f64,
    u16_from_f64,
    zero_f64,
    zero_half,
    zero_i32,
    zero_u16,
)

_NONE, _SIGMA, _MAD = int(Rule.NONE), int(Rule.SIGMA), int(Rule.MAD)
_J_PARAMETERS, _J_MAD_FACTORS, _J_IMAGE, _J_UNC, _J_CNT = (
    8 * int(j)
    for j in (
        Job.PARAMETERS,
        Job.MAD_FACTORS,
        Job.IMAGE,
        Job.UNC,
        Job.CNT,
    )
)
_P_LOW, _P_HIGH, _P_CUTOFF, _P_FLOOR, _P_ROUNDING, _P_LEAST, _P_COMMON, _P_NOISE, _P_FACTOR = (
    8 * int(p)
    for p in (
        Parameter.LOW,
        Parameter.HIGH,
        Parameter.CUTOFF,
        Parameter.FLOOR,
        Parameter.ROUNDING,
        Parameter.LEAST,
        Parameter.COMMON,
        Parameter.NOISE,
        Parameter.FACTOR,
    )
)
# Limits are loosened by this much, so that rounding can only send a pixel to the closer look.
_LOOSE = 1.0 - 1e-9
_LOOSE_F32 = 1.0 - 1e-5


@inlined
def sums_about(n: int, column: int, reference: Any) -> tuple[Any, Any]:
    """Sums of the distances of all codes from one, and of their squares; two rows at a time."""
    ones = splat_u16(1)
    first, last, first_squares, last_squares = zero_half(), zero_half(), zero_half(), zero_half()
    for i in range(0, n, 2):
        d = minus_u16(load_u16(column + i * ROW_U16), reference)
        other = zero_u16()
        if i + 1 < n:
            other = minus_u16(load_u16(column + (i + 1) * ROW_U16), reference)
        pairs = first_pairs(d, other)
        first = add_pairs(first, pairs, ones)
        first_squares = add_pairs(first_squares, pairs, pairs)
        pairs = last_pairs(d, other)
        last = add_pairs(last, pairs, ones)
        last_squares = add_pairs(last_squares, pairs, pairs)
    return joined(first, last), joined(first_squares, last_squares)


@inlined
def variance(n: int, total: Any, squares: Any) -> Any:
    """Variances with N - 1 from sums about a reference; 0 for a single value."""
    spread = sub_f64(mul_f64(splat_f64(float(n)), squares), mul_f64(total, total))
    return max_f64(mul_f64(spread, splat_f64(1.0 / max(1.0, n * (n - 1.0)))), zero_f64())


@inlined
def store_column(job: int, n: int, pixel: int, value: Any, variance: Any) -> None:
    """Write image, uncertainty and count of sixteen pixels at which all values are kept."""
    parameters = get_i64(job + _J_PARAMETERS)
    factor = splat_f64(get_f64(parameters + _P_FACTOR))
    rounding = splat_f64(get_f64(parameters + _P_ROUNDING))
    common = splat_f64(get_f64(parameters + _P_COMMON))
    # As `kernels_unc.squared_unc`.
    smooth = max_f64(sub_f64(variance, rounding), splat_f64(get_f64(parameters + _P_LEAST)))
    square = add_f64(mul_f64(factor, smooth), common)
    unc = sqrt_f64(square)
    store_f32(get_i64(job + _J_IMAGE) + 4 * pixel, f32_from_f64(value))
    store_f32(get_i64(job + _J_UNC) + 4 * pixel, f32_from_f64(unc))
    store_u16(get_i64(job + _J_CNT) + 2 * pixel, splat_u16(n))


@inlined
def is_spread(parameters: int, variance: Any) -> Any:
    """Where the values differ, or nothing is known of the noise of equal ones."""
    least = 1e-300 if get_f64(parameters + _P_NOISE) > 0.0 else 0.0
    return at_most(splat_f64(least), variance)


@inlined
def keeps(
    job: int,
    parameters: int,
    rule: int,
    n: int,
    below: Any,
    above: Any,
    variance: Any,
    mad: Any,
) -> Any:
    """Where a rule certainly keeps all values; below and above are the distances of the ends."""
    if rule == _NONE:
        return at_most(zero_f64(), splat_f64(1.0))
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    if rule == _SIGMA:
        floor = get_f64(parameters + _P_FLOOR)
        allowed = mul_f64(max_f64(variance, splat_f64(floor * floor)), splat_f64(_LOOSE))
        return both(
            at_most(mul_f64(below, below), mul_f64(allowed, splat_f64(low * low))),
            at_most(mul_f64(above, above), mul_f64(allowed, splat_f64(high * high))),
        )
    if rule == _MAD:
        factor = splat_f64(get_f64(get_i64(job + _J_MAD_FACTORS) + 8 * n))
        floor = splat_f64(get_f64(parameters + _P_FLOOR))
        sigma = mul_f64(max_f64(mul_f64(factor, mad), floor), splat_f64(_LOOSE))
        return both(
            at_most(below, mul_f64(sigma, splat_f64(low))),
            at_most(above, mul_f64(sigma, splat_f64(high))),
        )
    return at_most(splat_f64(1.0), zero_f64())


@inlined
def sigma_keeps(parameters: int, n: int, total: Any, squares: Any, below: Any, above: Any) -> Any:
    """Where a sigma clip certainly keeps all codes, in float32.

    ``total`` and ``squares`` are the sums about the middle code; below and above are twice the
    distances of the ends from the median. With reference and mean no more than a standard
    deviation apart, n squares is at most twice the spread, so that this is wrong by 1e-6 of it.
    """
    s1 = f32_from_i32(total)
    spread = sub_f32(mul_f32(f32_from_i32(squares), splat_f32(float(n))), mul_f32(s1, s1))
    low, high = get_f64(parameters + _P_LOW), get_f64(parameters + _P_HIGH)
    floor = get_f64(parameters + _P_FLOOR)
    variance = mul_f32(spread, splat_f32(_LOOSE_F32 / max(1.0, n * (n - 1.0))))
    allowed = max_f32(variance, splat_f32(_LOOSE_F32 * floor * floor))
    least = 1e-30 if get_f64(parameters + _P_NOISE) > 0.0 else 0.0
    good = at_most_f32(splat_f32(least), spread)
    good = both(
        good, at_most_f32(mul_f32(below, below), mul_f32(allowed, splat_f32(4.0 * low * low)))
    )
    return both(
        good, at_most_f32(mul_f32(above, above), mul_f32(allowed, splat_f32(4.0 * high * high)))
    )


@inlined
def needed_sigma(parameters: int, below: Any, above: Any) -> Any:
    """The least sigma that keeps both ends."""
    low = splat_f64(get_f64(parameters + _P_LOW))
    high = splat_f64(get_f64(parameters + _P_HIGH))
    return max_f64(div_f64(below, low), div_f64(above, high))


@inlined
def least_sigma(needed: Any, variance: Any) -> Any:
    """A sigma that keeps both ends; not far below the spread, where F says most."""
    return max_f64(needed, mul_f64(sqrt_f64(variance), splat_f64(0.4)))


@inlined
def winsorized_keeps(parameters: int, needed: Any, limit: Any, narrow: Any, variance: Any) -> Any:
    """Where the Winsorized rule certainly keeps all values.

    ``needed`` is the least sigma that keeps both ends, ``limit`` one that does, and ``narrow``
    the variance of the values pulled in to 1.5 limits. When both the plain spread and F(limit)
    (see `kernels_winsorized`) are at least the limit, the rule ends at the limit or above. The
    cut-off then replaces nothing, as long as it lies outside low and high.
    """
    cutoff = get_f64(parameters + _P_CUTOFF)
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    floor = get_f64(parameters + _P_FLOOR)
    least = mul_f64(limit, limit)
    good = both(
        at_most(least, mul_f64(narrow, splat_f64(1.134 * 1.134 * _LOOSE))),
        at_most(least, mul_f64(variance, splat_f64(_LOOSE))),
    )
    if cutoff < max(low, high):
        good = both(good, at_most(splat_f64(1.0), zero_f64()))
    if floor > 0.0:
        good = either(good, at_most(needed, splat_f64(floor * _LOOSE)))
    return good


@inlined
def winsorized_u16(n: int, column: int, reference: Any, center: Any, sigma: Any) -> Any:
    """Variance of the codes with their tails pulled in to 1.5 sigma around the centre.

    Codes are clamped to whole bounds inside the true ones; how many were is counted, and the
    sums are corrected for the rest of the way.
    """
    width = mul_f64(sigma, splat_f64(1.5))
    low, high = sub_f64(center, width), add_f64(center, width)
    bottom = u16_from_f64(min_f64(max_f64(ceil_f64(low), zero_f64()), splat_f64(65535.0)))
    top = u16_from_f64(max_f64(min_f64(floor_f64(high), splat_f64(65535.0)), zero_f64()))
    total, squares = zero_i32(), zero_i32()
    at_bottom, at_top = zero_u16(), zero_u16()
    for i in range(n):
        v = load_u16(column + i * ROW_U16)
        at_bottom = count_less(at_bottom, v, bottom)
        at_top = count_less(at_top, top, v)
        d = difference(min_u16(max_u16(v, bottom), top), reference)
        total = add_i32(total, d)
        squares = add_i32(squares, mul_i32(d, d))
    ref = f64_from_u16(reference)
    s1, s2 = f64_from_i32(total), f64_from_i32(squares)
    s1, s2 = _moved(
        s1, s2, at_bottom, sub_f64(f64_from_u16(min_u16(bottom, top)), ref), sub_f64(low, ref)
    )
    s1, s2 = _moved(s1, s2, at_top, sub_f64(f64_from_u16(top), ref), sub_f64(high, ref))
    return variance(n, s1, s2)


@inlined
def _moved(s1: Any, s2: Any, count: Any, before: Any, after: Any) -> tuple[Any, Any]:
    """Sums after ``count`` of their terms changed from before to after."""
    many = f64_from_u16(count)
    s1 = add_f64(s1, mul_f64(many, sub_f64(after, before)))
    change = sub_f64(mul_f64(after, after), mul_f64(before, before))
    return s1, add_f64(s2, mul_f64(many, change))


@inlined
def winsorized_f32(n: int, column: int, ref: Any, center: Any, sigma: Any) -> Any:
    """Variance of the values with their tails pulled in to 1.5 sigma around the centre."""
    width = mul_f64(sigma, splat_f64(1.5))
    bottom = sub_f64(center, width)
    top = add_f64(center, width)
    s1 = zero_f64()
    s2 = zero_f64()
    for i in range(n):
        d = sub_f64(min_f64(max_f64(row_f64(column, i, False), bottom), top), ref)
        s1 = add_f64(s1, d)
        s2 = add_f64(s2, mul_f64(d, d))
    return variance(n, s1, s2)


@inlined
def row_f64(column: int, i: int, narrow: bool) -> Any:
    """Row i of a sorted column in float64."""
    if narrow:
        return f64_from_u16(load_u16(column + i * ROW_U16))
    return f64_from_f32(load_f32(column + i * ROW_F32))


@inlined
def mad_column(column: int, n: int, narrow: bool, center: Any) -> Any:
    """Median absolute deviation of sixteen sorted pixels.

    The deviations of the two sides are sorted already; the k-th smallest of two sorted lists
    A and B is the smallest of max(A[j - 1], B[k - j - 1]) over j.
    """
    k = n // 2
    zero = zero_f64()
    first = splat_f64(1e300)
    second = splat_f64(1e300)
    odd = n % 2
    for j in range(k + 1):
        a = zero
        if j > 0:
            a = sub_f64(center, row_f64(column, k - j, narrow))
        b = zero
        if j < k:
            b = sub_f64(row_f64(column, 2 * k - j - 1 + odd, narrow), center)
        first = min_f64(first, max_f64(a, b))
        if odd == 0 and j > 0:
            b = sub_f64(row_f64(column, 2 * k - j, narrow), center)
            second = min_f64(second, max_f64(a, b))
    if odd == 1:
        return first
    return mul_f64(add_f64(first, second), splat_f64(0.5))
