"""Generalised ESD of sixteen pixels at once: where it certainly rejects nothing.

Compiled code (see `calibstudio.imaging.kernels`). The test takes the value furthest from the
mean away, again and again, and compares each with a limit of its own (Rosner 1983). It rejects
something exactly if one of these values exceeds its limit. The ends of sorted values are the
only ones that can be furthest, and sums without one value follow from the sums with it: whole
numbers, so they are exact.
"""

from __future__ import annotations

from typing import Any

from calibstudio.imaging.kernels_layout import ROW_U16, Job, Parameter
from calibstudio.imaging.kernels_vectors import (
    at_most,
    both,
    choose_f64,
    choose_u16,
    count_where,
    div_f64,
    f64_from_u16,
    get_f64,
    get_i64,
    inlined,
    less_f64,
    load_u16,
    max_f64,
    mul_f64,
    same_u16,
    splat_f64,
    splat_u16,
    sub_f64,
    zero_f64,
    zero_u16,
)

_J_LIMITS, _J_COLUMNS, _J_PARAMETERS = (
    8 * int(j) for j in (Job.ESD_LIMITS, Job.ESD_COLUMNS, Job.PARAMETERS)
)
_P_LOW = 8 * int(Parameter.LOW)
_LOOSE = 1.0 - 1e-9


@inlined
def esd_keeps(job: int, n: int, column: int, reference: Any, total: Any, squares: Any) -> Any:
    """Where no value of a sorted column exceeds its limit.

    ``total`` and ``squares`` are the sums of the values, and of their squares, about
    ``reference``, all float64.
    """
    columns = get_i64(job + _J_COLUMNS)
    limits = get_i64(job + _J_LIMITS) + 8 * n * columns
    most = min(int(get_f64(get_i64(job + _J_PARAMETERS) + _P_LOW) * n), columns, n - 2)
    good = at_most(zero_f64(), splat_f64(1.0))
    gone_low = zero_u16()
    gone_high = zero_u16()
    lowest = load_u16(column)
    highest = load_u16(column + (n - 1) * ROW_U16)
    for i in range(most):
        left = float(n - i)
        mean = div_f64(total, splat_f64(left))
        spread = sub_f64(mul_f64(splat_f64(left), squares), mul_f64(total, total))
        variance = max_f64(div_f64(spread, splat_f64(left * (left - 1.0))), zero_f64())
        bottom = sub_f64(f64_from_u16(lowest), reference)
        top = sub_f64(f64_from_u16(highest), reference)
        below = sub_f64(mean, bottom)
        above = sub_f64(top, mean)
        furthest = max_f64(below, above)
        limit = get_f64(limits + 8 * i)
        allowed = mul_f64(variance, splat_f64(limit * limit * _LOOSE))
        good = both(good, at_most(mul_f64(furthest, furthest), allowed))
        is_low = less_f64(above, below)
        gone = choose_f64(is_low, bottom, top)
        total = sub_f64(total, gone)
        squares = sub_f64(squares, mul_f64(gone, gone))
        gone_low = count_where(gone_low, is_low)
        gone_high = count_where(gone_high, at_most(below, above))
        for k in range(1, i + 2):
            row = same_u16(gone_low, splat_u16(k))
            lowest = choose_u16(row, load_u16(column + k * ROW_U16), lowest)
            row = same_u16(gone_high, splat_u16(k))
            highest = choose_u16(row, load_u16(column + (n - 1 - k) * ROW_U16), highest)
    return good
