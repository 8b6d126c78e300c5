"""Rules that only trim the ends of sorted codes, from sums of all of them: no second pass.

Compiled code (see `calibstudio.imaging.kernels`). The codes of a pixel are whole numbers, so
what is left of a sum after its ends are taken off is exact, and all that follows is as in
`kernels_reject` and `kernels_pixel`, to the last bit.
"""

from __future__ import annotations

from calibstudio.imaging.kernels_blame import blame_u16
from calibstudio.imaging.kernels_layout import ROW_U16, Job, Parameter, Rule
from calibstudio.imaging.kernels_pixel import write_pixel
from calibstudio.imaging.kernels_unc import squared_unc
from calibstudio.imaging.kernels_values import variance_of
from calibstudio.imaging.kernels_vectors import (
    get_f64,
    get_i64,
    get_u16,
    inlined,
    put_f64,
    square_root,
)

_SIGMA, _MINMAX = int(Rule.SIGMA), int(Rule.MINMAX)
TRIMMING = (int(Rule.MINMAX), int(Rule.PERCENTILE), int(Rule.SIGMA))
_J_WORK, _J_PARAMETERS, _J_FACTORS = (
    8 * int(job) for job in (Job.WORK, Job.PARAMETERS, Job.MEAN_FACTORS)
)
_P_RULE, _P_LOW, _P_HIGH, _P_ITERATIONS, _P_MIN_KEEP, _P_FLOOR, _P_MEDIAN = (
    8 * int(p)
    for p in (
        Parameter.RULE,
        Parameter.LOW,
        Parameter.HIGH,
        Parameter.ITERATIONS,
        Parameter.MIN_KEEP,
        Parameter.FLOOR,
        Parameter.MEDIAN,
    )
)


@inlined
def trimmed_u16(job: int, n: int, pixel: int, place: int, total: float, squares: float) -> None:
    """Decide one pixel by min/max, percentile or sigma clip and write its results.

    ``place`` is the address of its lowest code; ``total`` and ``squares`` are sums of the
    differences of all codes from the one in the middle, row (n - 1) // 2.
    """
    parameters = get_i64(job + _J_PARAMETERS)
    if int(get_f64(parameters + _P_RULE)) == _SIGMA:
        first, end, held = _clipped(parameters, n, place, total, squares)
    else:
        first, end, held = _once(parameters, n, place)
    reference = _code(place, (n - 1) // 2)
    for i in range(first):
        total, squares = _without(place, i, reference, total, squares)
    for i in range(end, n):
        total, squares = _without(place, i, reference, total, squares)
    kept = end - first
    value = 0.0
    square = 0.0
    if kept > 0:
        # About the middle of what is kept, as everywhere: the result is rounded in one way.
        middle = _code(place, (first + end - 1) // 2)
        value = middle + (total - kept * (middle - reference)) / kept
        if get_f64(parameters + _P_MEDIAN) != 0.0:
            value = _median(place, first, end)
    if kept > 1:
        factor = get_f64(get_i64(job + _J_FACTORS) + 8 * n)
        square = squared_unc(job, variance_of(total, squares, kept), factor, kept)
    write_pixel(job, pixel, n, first, end, held, value, square)
    if kept < n:
        values = get_i64(job + _J_WORK)
        for i in range(first):
            put_f64(values + 8 * i, _code(place, i))
        for i in range(end, n):
            put_f64(values + 8 * i, _code(place, i))
        blame_u16(job, n, first, n - end, pixel)


@inlined
def _code(place: int, i: int) -> float:
    return float(get_u16(place + i * ROW_U16))


@inlined
def _median(place: int, first: int, end: int) -> float:
    return 0.5 * (_code(place, (first + end - 1) // 2) + _code(place, (first + end) // 2))


@inlined
def _without(
    place: int, i: int, reference: float, total: float, squares: float
) -> tuple[float, float]:
    """Sums without row i."""
    d = _code(place, i) - reference
    return total - d, squares - d * d


@inlined
def _clipped(
    parameters: int, n: int, place: int, total: float, squares: float
) -> tuple[int, int, int]:
    """Sigma clip: (first kept, end of kept, 1 where the least number held some)."""
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    iterations = get_f64(parameters + _P_ITERATIONS)
    keep = int(get_f64(parameters + _P_MIN_KEEP))
    floor = get_f64(parameters + _P_FLOOR)
    reference = _code(place, (n - 1) // 2)
    first = 0
    end = n
    passes = 0.0
    while end - first >= 2 and passes < iterations:
        center = _median(place, first, end)
        sigma = max(square_root(variance_of(total, squares, end - first)), floor)
        a, b = _trim(place, first, end, center, low * sigma, high * sigma)
        if b - a == end - first:
            break
        if b - a < keep:
            first, end = _nearest(place, first, end, center, min(keep, end - first))
            return first, end, 1
        for i in range(first, a):
            total, squares = _without(place, i, reference, total, squares)
        for i in range(b, end):
            total, squares = _without(place, i, reference, total, squares)
        first = a
        end = b
        passes += 1.0
    return first, end, 0


@inlined
def _once(parameters: int, n: int, place: int) -> tuple[int, int, int]:
    """Min/max and percentile, as `kernels_reject` has them."""
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    keep = int(get_f64(parameters + _P_MIN_KEEP))
    center = _median(place, 0, n)
    if int(get_f64(parameters + _P_RULE)) == _MINMAX:
        first = min(int(low), n)
        end = max(n - int(high), first)
    else:
        size = abs(center)
        first, end = _trim(place, 0, n, center, low * size, high * size)
    if end - first < keep and end - first < n:
        first, end = _nearest(place, 0, n, center, min(keep, n))
        return first, end, 1
    return first, end, 0


@inlined
def _trim(
    place: int, low: int, high: int, center: float, most_below: float, most_above: float
) -> tuple[int, int]:
    """As `kernels_values.trim`, for codes in a block."""
    while low < high and center - _code(place, low) > most_below:
        low += 1
    while high > low and _code(place, high - 1) - center > most_above:
        high -= 1
    return low, high


@inlined
def _nearest(place: int, low: int, high: int, center: float, keep: int) -> tuple[int, int]:
    """As `kernels_values.nearest`, for codes in a block."""
    while high - low > keep:
        below = center - _code(place, low)
        above = _code(place, high - 1) - center
        if below > above:
            low += 1
        else:
            high -= 1
    return low, high
