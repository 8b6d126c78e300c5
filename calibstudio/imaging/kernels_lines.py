"""Linear fit clipping of sixteen pixels at once (definition in `calibstudio.imaging.reject`).

Compiled code (see `calibstudio.imaging.kernels`). The line of each pixel is found as in
`kernels_line`, whose `best_line` says why it is the best; here all sixteen turn at once, each to
the next point that its line meets, until none moves. Values are whole numbers, and so are
residuals times the distance of the two points; float32 holds them exactly as long as the spread
of the values times their number stays below 2^23. Pixels beyond that go to `kernels_line`.
"""

from __future__ import annotations

from typing import Any

from calibstudio.imaging.kernels_layout import ROW_U16, WORK_PAD, WORK_PER_FRAME, Job, Parameter
from calibstudio.imaging.kernels_vectors import (
    LANES,
    abs_f32,
    add_f32,
    add_f64,
    at_most,
    bits_where,
    bits_where_not,
    both,
    choose_f32,
    difference,
    div_f32,
    f32_from_i32,
    f64_from_f32,
    get_f32,
    get_f64,
    get_i64,
    inlined,
    less_f32,
    load_f32,
    load_u16,
    lowest_bit,
    max_f32,
    max_f64,
    min_f32,
    mul_f32,
    mul_f64,
    put_f32,
    put_f64,
    rounded_f32,
    sign_f32,
    splat_f32,
    splat_f64,
    store_f32,
    store_f64,
    sub_f32,
    zero_f64,
)

_J_WORK, _J_PARAMETERS = 8 * int(Job.WORK), 8 * int(Job.PARAMETERS)
_P_LOW, _P_HIGH, _P_ITERATIONS, _P_MIN_KEEP, _P_FLOOR = (
    8 * int(p)
    for p in (
        Parameter.LOW,
        Parameter.HIGH,
        Parameter.ITERATIONS,
        Parameter.MIN_KEEP,
        Parameter.FLOOR,
    )
)
_ROW = 4 * LANES
# Rows of sixteen numbers behind the values and residuals: see `_state`.
_FIRST, _END, _ACTIVE, _WIDTH, _TOTAL, _SORTED = (i * _ROW for i in (0, 1, 2, 3, 4, 6))
_LOOSE = 1.0 - 1e-9
_TINY = 2.0**-19
"""(i - p)(i - q) times this stays below 0.5 for 500 values, and so below any whole residual."""


@inlined
def _rows(job: int, n: int) -> int:
    """Address of n rows of values; residuals and the state of the lanes lie behind."""
    address: int = get_i64(job + _J_WORK) + 8 * (WORK_PER_FRAME * n + WORK_PAD)
    return address


@inlined
def _state(job: int, n: int) -> int:
    """Address of rows of state: first kept, end, 1 where still fitted, width, deviation.

    Behind lies room for the values of one lane.
    """
    return _rows(job, n) + 2 * n * _ROW


@inlined
def lines_u16(job: int, n: int, place: int, lanes: int) -> tuple[int, int, int]:
    """Clip some of the sixteen pixels of a sorted column.

    Returns bits: lanes that could not be done here, lanes of which something was rejected, and
    of those the ones held at the least number. `take_line` gives their values.
    """
    parameters = get_i64(job + _J_PARAMETERS)
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    floor = get_f64(parameters + _P_FLOOR)
    iterations = get_f64(parameters + _P_ITERATIONS)
    keep = int(get_f64(parameters + _P_MIN_KEEP))
    rows = _rows(job, n)
    state = _state(job, n)
    reference = load_u16(place + ((n - 1) // 2) * ROW_U16)
    for i in range(n):
        d = difference(load_u16(place + i * ROW_U16), reference)
        store_f32(rows + i * _ROW, f32_from_i32(d))
    spread = sub_f32(load_f32(rows + (n - 1) * _ROW), load_f32(rows))
    exact = less_f32(mul_f32(spread, splat_f32(float(n))), splat_f32(8388608.0))
    failed = lanes & ~bits_where(exact)
    store_f32(state + _FIRST, splat_f32(0.0))
    store_f32(state + _END, splat_f32(float(n)))
    left = lanes & ~failed
    changed = 0
    held = 0
    passes = 0.0
    while left != 0 and passes < iterations:
        for lane in range(LANES):
            put_f32(state + _ACTIVE + 4 * lane, float((left >> lane) & 1))
        lost = _fit(n, rows, state) & left
        failed |= lost
        look = _may_reject(n, rows, state, low, high, floor) & left & ~lost
        left = 0
        while look != 0:
            lane = lowest_bit(look)
            look &= look - 1
            said = _sort_out(n, rows, state, lane, low, high, floor, keep)
            bit = 1 << lane
            if said != 0:
                changed |= bit
            if said == 2:
                held |= bit
            first = int(get_f32(state + _FIRST + 4 * lane))
            end = int(get_f32(state + _END + 4 * lane))
            if said == 1 and end - first >= 3:
                left |= bit
        passes += 1.0
    return failed, changed & ~failed, held & ~failed


@inlined
def take_line(job: int, n: int, lane: int, reference: float, values: int) -> tuple[int, int]:
    """Copy the values of a lane, rejected ones at both ends: (first kept, end of kept)."""
    rows = _rows(job, n) + 4 * lane
    state = _state(job, n) + 4 * lane
    for i in range(n):
        put_f64(values + 8 * i, reference + get_f32(rows + i * _ROW))
    return int(get_f32(state + _FIRST)), int(get_f32(state + _END))


@inlined
def _fit(n: int, rows: int, state: int) -> int:
    """Find the line of every active lane; residuals go behind the rows.

    Returns a bit for each lane that did not come to an end.
    """
    residuals = rows + n * _ROW
    one = splat_f32(1.0)
    first = load_f32(state + _FIRST)
    end = load_f32(state + _END)
    active = load_f32(state + _ACTIVE)
    count = sub_f32(end, first)
    # Rows outside count as +1 below, and so do p and q.
    all_rows = splat_f32(0.5 * n * (n - 1.0))
    inside = mul_f32(mul_f32(count, sub_f32(add_f32(first, end), one)), splat_f32(0.5))
    extra_signs = add_f32(splat_f32(2.0), sub_f32(splat_f32(float(n)), count))
    extra_moments = sub_f32(all_rows, inside)
    p, q, yp, yq = _start(n, rows, first, end)
    width = sub_f32(q, p)
    busy = 0
    for _ in range(2 * n + 16):
        width = sub_f32(q, p)
        signs, moments = _signs(n, rows, first, end, p, width, yp, sub_f32(yq, yp))
        signs = sub_f32(signs, extra_signs)
        moments = sub_f32(sub_f32(moments, extra_moments), add_f32(p, q))
        about_q = sub_f32(moments, mul_f32(q, signs))
        about_p = sub_f32(moments, mul_f32(p, signs))
        gain_q = _gain(about_q, width)
        gain_p = _gain(about_p, width)
        use_q = less_f32(gain_p, gain_q)
        gain = mul_f32(max_f32(gain_p, gain_q), active)
        moves = less_f32(splat_f32(0.0), gain)
        busy = bits_where(moves)
        if busy == 0:
            break
        pivot = choose_f32(use_q, q, p)
        at_pivot = choose_f32(use_q, yq, yp)
        up = sign_f32(choose_f32(use_q, about_q, about_p))
        point, value = _next_points(n, rows, residuals, pivot, up)
        before = less_f32(point, pivot)
        p = choose_f32(moves, choose_f32(before, point, pivot), p)
        yp = choose_f32(moves, choose_f32(before, value, at_pivot), yp)
        q = choose_f32(moves, choose_f32(before, pivot, point), q)
        yq = choose_f32(moves, choose_f32(before, at_pivot, value), yq)
    store_f32(state + _WIDTH, width)
    return busy


@inlined
def _gain(rate: Any, width: Any) -> Any:
    """How fast the deviation falls when a line turns; positive where it may turn.

    Turning downwards at a rate of 0 counts: it makes the line flatter.
    """
    return max_f32(sub_f32(rate, width), sub_f32(splat_f32(0.5), add_f32(rate, width)))


@inlined
def _start(n: int, rows: int, first: Any, end: Any) -> tuple[Any, Any, Any, Any]:
    """Two points near the line of least squares without the ends: (p, q, value p, value q)."""
    one, half = splat_f32(1.0), splat_f32(0.5)
    count = sub_f32(end, first)
    trim = choose_f32(less_f32(splat_f32(9.5), count), one, splat_f32(0.0))
    lowest = sub_f32(add_f32(first, trim), half)
    highest = sub_f32(sub_f32(end, trim), half)
    center = mul_f32(sub_f32(add_f32(first, end), one), half)
    total = splat_f32(0.0)
    slope = splat_f32(0.0)
    for i in range(n):
        at = splat_f32(float(i))
        taken = both(less_f32(lowest, at), less_f32(at, highest))
        v = choose_f32(taken, load_f32(rows + i * _ROW), splat_f32(0.0))
        total = add_f32(total, v)
        slope = add_f32(slope, mul_f32(sub_f32(at, center), v))
    many = sub_f32(highest, lowest)
    mean = div_f32(total, many)
    squares = mul_f32(many, sub_f32(mul_f32(many, many), one))
    slope = div_f32(mul_f32(slope, splat_f32(12.0)), squares)
    reach = mul_f32(count, splat_f32(0.3))
    low_end = min_f32(add_f32(first, reach), sub_f32(center, splat_f32(0.25)))
    high_end = max_f32(sub_f32(sub_f32(end, one), reach), add_f32(center, splat_f32(0.25)))
    p, q = first, sub_f32(end, one)
    yp, yq = splat_f32(0.0), splat_f32(0.0)
    off_p, off_q = splat_f32(3e38), splat_f32(3e38)
    for i in range(n):
        at = splat_f32(float(i))
        v = load_f32(rows + i * _ROW)
        off = abs_f32(sub_f32(sub_f32(v, mean), mul_f32(slope, sub_f32(at, center))))
        near = both(less_f32(off, off_p), less_f32(at, add_f32(low_end, splat_f32(0.01))))
        near = both(near, less_f32(sub_f32(first, half), at))
        p, yp, off_p = (
            choose_f32(near, at, p),
            choose_f32(near, v, yp),
            choose_f32(near, off, off_p),
        )
        near = both(less_f32(off, off_q), less_f32(sub_f32(high_end, splat_f32(0.01)), at))
        near = both(near, less_f32(at, sub_f32(end, half)))
        q, yq, off_q = (
            choose_f32(near, at, q),
            choose_f32(near, v, yq),
            choose_f32(near, off, off_q),
        )
    return p, q, yp, yq


@inlined
def _signs(
    n: int, rows: int, first: Any, end: Any, p: Any, width: Any, yp: Any, rise: Any
) -> tuple[Any, Any]:
    """Residuals times width into the rows behind; sums of their signs, and of i times them."""
    residuals = rows + n * _ROW
    line = sub_f32(mul_f32(yp, width), mul_f32(rise, p))
    signs = splat_f32(0.0)
    moments = splat_f32(0.0)
    below, above = sub_f32(first, splat_f32(0.5)), sub_f32(end, splat_f32(0.5))
    for i in range(n):
        at = splat_f32(float(i))
        from_p = sub_f32(at, p)
        bend = mul_f32(mul_f32(from_p, sub_f32(from_p, width)), splat_f32(_TINY))
        d = sub_f32(mul_f32(load_f32(rows + i * _ROW), width), line)
        d = add_f32(d, bend)
        d = choose_f32(both(less_f32(below, at), less_f32(at, above)), d, splat_f32(0.0))
        store_f32(residuals + i * _ROW, d)
        sign = sign_f32(d)
        signs = add_f32(signs, sign)
        moments = add_f32(moments, mul_f32(sign, at))
        line = add_f32(line, rise)
    return signs, moments


@inlined
def _next_points(n: int, rows: int, residuals: int, pivot: Any, up: Any) -> tuple[Any, Any]:
    """The first point that each line meets when it is turned about a point: (rank, value)."""
    # The turn is residual / distance; quotients are compared by products.
    best = splat_f32(1.0)
    best_distance = splat_f32(0.0)
    value = splat_f32(0.0)
    rank = splat_f32(0.0)
    distance = mul_f32(sub_f32(splat_f32(0.0), pivot), up)
    for i in range(n):
        d = load_f32(residuals + i * _ROW)
        meets = less_f32(splat_f32(0.0), mul_f32(d, distance))
        d, away = abs_f32(d), abs_f32(distance)
        nearer = less_f32(mul_f32(d, best_distance), mul_f32(best, away))
        taken = both(meets, nearer)
        best = choose_f32(taken, d, best)
        best_distance = choose_f32(taken, away, best_distance)
        value = choose_f32(taken, load_f32(rows + i * _ROW), value)
        rank = choose_f32(taken, splat_f32(float(i)), rank)
        distance = add_f32(distance, up)
    return rank, value


@inlined
def _may_reject(n: int, rows: int, state: int, low: float, high: float, floor: float) -> int:
    """A bit for each lane at which a residual may lie outside the limits.

    Leaves the deviation, times width, in the state. Residuals become whole again: what keeps
    three points off one line is taken out.
    """
    residuals = rows + n * _ROW
    total = zero_f64()
    highest = splat_f32(0.0)
    lowest = splat_f32(0.0)
    for i in range(n):
        d = rounded_f32(load_f32(residuals + i * _ROW))
        store_f32(residuals + i * _ROW, d)
        total = add_f64(total, f64_from_f32(abs_f32(d)))
        highest = max_f32(highest, d)
        lowest = min_f32(lowest, d)
    store_f64(state + _TOTAL, total)
    count = f64_from_f32(sub_f32(load_f32(state + _END), load_f32(state + _FIRST)))
    # sigma * width * count
    sigma = add_f64(total, total)
    width = f64_from_f32(load_f32(state + _WIDTH))
    sigma = max_f64(sigma, mul_f64(mul_f64(splat_f64(floor), width), count))
    sigma = mul_f64(sigma, splat_f64(_LOOSE))
    below = mul_f64(f64_from_f32(sub_f32(splat_f32(0.0), lowest)), count)
    good = both(
        at_most(below, mul_f64(sigma, splat_f64(low))),
        at_most(mul_f64(f64_from_f32(highest), count), mul_f64(sigma, splat_f64(high))),
    )
    look: int = bits_where_not(good)
    return look


@inlined
def _sort_out(
    n: int, rows: int, state: int, lane: int, low: float, high: float, floor: float, keep: int
) -> int:
    """Move what one lane rejects to its ends: 0 nothing, 1 something, 2 too much.

    Where too few would be left, the ``keep`` values nearest to the median stay.
    """
    first = int(get_f32(state + _FIRST + 4 * lane))
    end = int(get_f32(state + _END + 4 * lane))
    count = end - first
    total = get_f64(state + _TOTAL + 8 * lane)
    sigma = max(2.0 * total / count, floor * get_f32(state + _WIDTH + 4 * lane))
    values = rows + 4 * lane
    residuals = values + n * _ROW
    below = 0
    above = 0
    for i in range(first, end):
        d = float(get_f32(residuals + i * _ROW))
        below += 1 if -d > low * sigma else 0
        above += 1 if d > high * sigma else 0
    if below + above == 0:
        return 0
    if count - below - above < keep:
        first, end = _nearest(values, first, end, min(keep, count))
        put_f32(state + _FIRST + 4 * lane, float(first))
        put_f32(state + _END + 4 * lane, float(end))
        return 2
    a = first
    b = first + below
    c = end - above
    for i in range(first, end):
        d = float(get_f32(residuals + i * _ROW))
        if -d > low * sigma:
            put_f32(state + _SORTED + 4 * a, get_f32(values + i * _ROW))
            a += 1
        elif d > high * sigma:
            put_f32(state + _SORTED + 4 * c, get_f32(values + i * _ROW))
            c += 1
        else:
            put_f32(state + _SORTED + 4 * b, get_f32(values + i * _ROW))
            b += 1
    for i in range(first, end):
        put_f32(values + i * _ROW, get_f32(state + _SORTED + 4 * i))
    put_f32(state + _FIRST + 4 * lane, float(first + below))
    put_f32(state + _END + 4 * lane, float(end - above))
    return 1


@inlined
def _nearest(values: int, first: int, end: int, keep: int) -> tuple[int, int]:
    """As `kernels_values.nearest`, for the values of one lane about their median."""
    middle = first + end
    center = 0.5 * (
        get_f32(values + ((middle - 1) // 2) * _ROW) + get_f32(values + (middle // 2) * _ROW)
    )
    while end - first > keep:
        below = center - get_f32(values + first * _ROW)
        above = get_f32(values + (end - 1) * _ROW) - center
        if below > above:
            first += 1
        else:
            end -= 1
    return first, end
