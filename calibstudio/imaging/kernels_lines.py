"""Linear fit clipping of sixteen pixels at once (definition in `calibstudio.imaging.reject`).

Compiled code (see `calibstudio.imaging.kernels`). The line of each pixel is found as in
`kernels_line`, whose `best_line` says why it is the best; here sixteen lanes turn at once, each
to the next point that its line meets. Values are whole numbers, and so are residuals times the
distance of the two points; float32 holds them exactly as long as the spread of the values times
their number stays below 2^23. Pixels beyond that go to `kernels_line`. The best line is one only,
so the way to it does not matter. When what turns, and what becomes of it, is in
`kernels_lines_pool`.
"""

from __future__ import annotations

from typing import Any

from calibstudio.imaging.kernels_layout import ROW_U16, WORK_PAD, WORK_PER_FRAME, Job
from calibstudio.imaging.kernels_vectors import (
    LANES,
    abs_f32,
    add_f32,
    bits_where,
    bits_where_not,
    both,
    choose_f32,
    difference,
    div_f64,
    f32_from_f64,
    f32_from_i32,
    f64_from_f32,
    floor_f64,
    fma_f32,
    get_i64,
    inlined,
    less_f32,
    load_f32,
    load_u16,
    max_f32,
    max_f64,
    min_f64,
    mul_f32,
    mul_f64,
    put_f32,
    rounded_f32,
    sign_f32,
    splat_f32,
    splat_f64,
    store_f32,
    sub_f32,
)

_J_WORK = 8 * int(Job.WORK)
ROW = 4 * LANES
"""Bytes of one row of sixteen numbers."""
# Rows of the state of lanes: first kept, end of kept, 1 where it turns, the two points of the
# line and their values, how many residuals are outside the limits, the sum of all; the others
# belong to `kernels_lines_pool`.
FIRST, END, ACTIVE, P, Q, Y_P, Y_Q, BELOW, ABOVE, TOTAL = (i * ROW for i in range(10))
_STATE_ROWS = 16
_EXACT = 2.0**24
"""Whole numbers below this are exact in float32."""
_TINY = 2.0**-19
"""(i - p)(i - q) times this stays below 0.5 for 500 values, and so below any whole residual."""


@inlined
def columns_address(job: int, n: int) -> int:
    """Address of the lanes that turn in the order of the image."""
    address: int = get_i64(job + _J_WORK) + 8 * (WORK_PER_FRAME * n + WORK_PAD)
    return address


@inlined
def state_of(lanes: int, n: int) -> int:
    """Address of the state of lanes: a row for each of `FIRST`, `END` and so on."""
    return lanes + 2 * n * ROW


@inlined
def size_of(n: int) -> int:
    """Bytes of sixteen lanes: n rows of values, n of residuals, and their state."""
    return (2 * n + _STATE_ROWS) * ROW


@inlined
def begin(n: int, lanes: int, place: int, wanted: int) -> int:
    """Fill lanes from a sorted column and lay a first line through each of the wanted ones.

    Returns a bit for each lane whose numbers would be too large.
    """
    state = state_of(lanes, n)
    reference = load_u16(place + ((n - 1) // 2) * ROW_U16)
    for i in range(n):
        d = difference(load_u16(place + i * ROW_U16), reference)
        store_f32(lanes + i * ROW, f32_from_i32(d))
    spread = sub_f32(load_f32(lanes + (n - 1) * ROW), load_f32(lanes))
    exact = less_f32(mul_f32(spread, splat_f32(float(n))), splat_f32(8388608.0))
    failed: int = wanted & bits_where_not(exact)
    first, end = splat_f32(0.0), splat_f32(float(n))
    store_f32(state + FIRST, first)
    store_f32(state + END, end)
    p, q, yp, yq = _start(n, lanes)
    store_f32(state + P, p)
    store_f32(state + Q, q)
    store_f32(state + Y_P, yp)
    store_f32(state + Y_Q, yq)
    for lane in range(LANES):
        put_f32(state + ACTIVE + 4 * lane, float(((wanted & ~failed) >> lane) & 1))
    return failed


@inlined
def turn(n: int, lanes: int, whole: bool) -> int:
    """Turn the line of every active lane to the next point that it meets, where that helps.

    Returns a bit for each lane that was turned; of others the residuals are left behind the
    values. ``whole``: all n values of all lanes count.
    """
    state = state_of(lanes, n)
    one = splat_f32(1.0)
    first = load_f32(state + FIRST)
    end = load_f32(state + END)
    p, q = load_f32(state + P), load_f32(state + Q)
    yp, yq = load_f32(state + Y_P), load_f32(state + Y_Q)
    width = sub_f32(q, p)
    signs, moments = _signs(n, lanes, whole, first, end, p, width, yp, sub_f32(yq, yp))
    # Rows outside count as +1, and so do p and q.
    signs = sub_f32(signs, splat_f32(2.0))
    moments = sub_f32(moments, add_f32(p, q))
    if not whole:
        count = sub_f32(end, first)
        inside = mul_f32(mul_f32(count, sub_f32(add_f32(first, end), one)), splat_f32(0.5))
        signs = sub_f32(signs, sub_f32(splat_f32(float(n)), count))
        moments = sub_f32(moments, sub_f32(splat_f32(0.5 * n * (n - 1.0)), inside))
    about_q = sub_f32(moments, mul_f32(q, signs))
    about_p = sub_f32(moments, mul_f32(p, signs))
    gain_q = _gain(about_q, width)
    gain_p = _gain(about_p, width)
    use_q = less_f32(gain_p, gain_q)
    gain = mul_f32(max_f32(gain_p, gain_q), load_f32(state + ACTIVE))
    moves = less_f32(splat_f32(0.0), gain)
    busy: int = bits_where(moves)
    if busy != 0:
        pivot = choose_f32(use_q, q, p)
        at_pivot = choose_f32(use_q, yq, yp)
        up = sign_f32(choose_f32(use_q, about_q, about_p))
        point, value = _next_points(n, lanes, pivot, up)
        before = less_f32(point, pivot)
        store_f32(state + P, choose_f32(moves, choose_f32(before, point, pivot), p))
        store_f32(state + Y_P, choose_f32(moves, choose_f32(before, value, at_pivot), yp))
        store_f32(state + Q, choose_f32(moves, choose_f32(before, pivot, point), q))
        store_f32(state + Y_Q, choose_f32(moves, choose_f32(before, at_pivot, value), yq))
    return busy


@inlined
def _gain(rate: Any, width: Any) -> Any:
    """How fast the deviation falls when a line turns; positive where it may turn.

    Turning downwards at a rate of 0 counts: it makes the line flatter.
    """
    return max_f32(sub_f32(rate, width), sub_f32(splat_f32(0.5), add_f32(rate, width)))


@inlined
def _start(n: int, rows: int) -> tuple[Any, Any, Any, Any]:
    """Two points near the line of least squares without the ends: (p, q, value p, value q)."""
    trim = 1 if n > 9 else 0
    center = 0.5 * (n - 1.0)
    many = float(n - 2 * trim)
    total = splat_f32(0.0)
    slope = splat_f32(0.0)
    for i in range(trim, n - trim):
        v = load_f32(rows + i * ROW)
        total = add_f32(total, v)
        slope = add_f32(slope, mul_f32(splat_f32(i - center), v))
    mean = mul_f32(total, splat_f32(1.0 / many))
    slope = mul_f32(slope, splat_f32(12.0 / (many * (many * many - 1.0))))
    reach = 0.3 * n
    low_end = min(int(reach + 0.01), int(center - 0.25))
    high_end = n - 1 - low_end
    p, yp = _nearest_to(0, low_end + 1, rows, mean, slope, center)
    q, yq = _nearest_to(high_end, n, rows, mean, slope, center)
    return p, q, yp, yq


@inlined
def _nearest_to(
    start: int, end: int, rows: int, mean: Any, slope: Any, center: float
) -> tuple[Any, Any]:
    """Of the points from start to end the one nearest to a line: (rank, value)."""
    rank = splat_f32(float(start))
    value = load_f32(rows + start * ROW)
    least = splat_f32(3e38)
    for i in range(start, end):
        v = load_f32(rows + i * ROW)
        off = abs_f32(sub_f32(sub_f32(v, mean), mul_f32(slope, splat_f32(i - center))))
        near = less_f32(off, least)
        rank = choose_f32(near, splat_f32(float(i)), rank)
        value = choose_f32(near, v, value)
        least = choose_f32(near, off, least)
    return rank, value


@inlined
def _signs(
    n: int, rows: int, whole: bool, first: Any, end: Any, p: Any, width: Any, yp: Any, rise: Any
) -> tuple[Any, Any]:
    """Residuals times width into the rows behind; sums of their signs, and of i times them."""
    residuals = rows + n * ROW
    fall = sub_f32(splat_f32(0.0), rise)
    line = sub_f32(mul_f32(rise, p), mul_f32(yp, width))
    tiny = splat_f32(_TINY)
    signs = splat_f32(0.0)
    moments = splat_f32(0.0)
    below, above = sub_f32(first, splat_f32(0.5)), sub_f32(end, splat_f32(0.5))
    for i in range(n):
        at = splat_f32(float(i))
        from_p = sub_f32(at, p)
        bend = mul_f32(from_p, sub_f32(from_p, width))
        d = fma_f32(load_f32(rows + i * ROW), width, line)
        d = fma_f32(bend, tiny, d)
        if not whole:
            d = choose_f32(both(less_f32(below, at), less_f32(at, above)), d, splat_f32(0.0))
        store_f32(residuals + i * ROW, d)
        sign = sign_f32(d)
        signs = add_f32(signs, sign)
        moments = fma_f32(sign, at, moments)
        line = add_f32(line, fall)
    return signs, moments


@inlined
def _next_points(n: int, rows: int, pivot: Any, up: Any) -> tuple[Any, Any]:
    """The first point that each line meets when it is turned about a point: (rank, value)."""
    residuals = rows + n * ROW
    # The turn is residual / distance; quotients are compared by products.
    best = splat_f32(1.0)
    best_distance = splat_f32(0.0)
    value = splat_f32(0.0)
    rank = splat_f32(0.0)
    distance = mul_f32(sub_f32(splat_f32(0.0), pivot), up)
    for i in range(n):
        d = load_f32(residuals + i * ROW)
        meets = less_f32(splat_f32(0.0), mul_f32(d, distance))
        d, away = abs_f32(d), abs_f32(distance)
        nearer = less_f32(mul_f32(d, best_distance), mul_f32(best, away))
        taken = both(meets, nearer)
        best = choose_f32(taken, d, best)
        best_distance = choose_f32(taken, away, best_distance)
        value = choose_f32(taken, load_f32(rows + i * ROW), value)
        rank = choose_f32(taken, splat_f32(float(i)), rank)
        distance = add_f32(distance, up)
    return rank, value


@inlined
def rejects(n: int, lanes: int, low: float, high: float, floor: float) -> int:
    """A bit for each lane at which residuals lie outside the limits.

    How many do goes to `BELOW` and `ABOVE`, and their sum to `TOTAL`. Residuals become whole
    again: what keeps three points off one line is taken out. A whole number is above a limit
    exactly if it is above the whole part of the limit, which float32 holds. Where the sum is
    too large for float32, the lane is said to reject, with -1 for `BELOW`.
    """
    state = state_of(lanes, n)
    residuals = lanes + n * ROW
    total = splat_f32(0.0)
    for i in range(n):
        d = rounded_f32(load_f32(residuals + i * ROW))
        store_f32(residuals + i * ROW, d)
        total = add_f32(total, abs_f32(d))
    count = f64_from_f32(sub_f32(load_f32(state + END), load_f32(state + FIRST)))
    width = f64_from_f32(sub_f32(load_f32(state + Q), load_f32(state + P)))
    sigma = div_f64(mul_f64(splat_f64(2.0), f64_from_f32(total)), count)
    sigma = max_f64(sigma, mul_f64(splat_f64(floor), width))
    lowest = sub_f32(splat_f32(0.0), _whole_limit(low, sigma))
    highest = _whole_limit(high, sigma)
    one = splat_f32(1.0)
    below = splat_f32(0.0)
    above = splat_f32(0.0)
    for i in range(n):
        d = load_f32(residuals + i * ROW)
        below = choose_f32(less_f32(d, lowest), add_f32(below, one), below)
        above = choose_f32(less_f32(highest, d), add_f32(above, one), above)
    exact = less_f32(total, splat_f32(_EXACT))
    outside = add_f32(below, above)
    store_f32(state + BELOW, choose_f32(exact, below, splat_f32(-1.0)))
    store_f32(state + ABOVE, above)
    store_f32(state + TOTAL, total)
    look: int = bits_where(less_f32(splat_f32(0.0), outside)) | bits_where_not(exact)
    return look


@inlined
def _whole_limit(times: float, sigma: Any) -> Any:
    """The whole part of so many sigmas; beyond all residuals where that is too large."""
    limit = min_f64(floor_f64(mul_f64(splat_f64(times), sigma)), splat_f64(_EXACT))
    return f32_from_f64(limit)
