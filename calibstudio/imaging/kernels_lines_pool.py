"""Linear fit clipping: the pixels that take long are gathered, so that all lanes are at work.

Compiled code (see `calibstudio.imaging.kernels`). Most lines are found with a few turns, and at
most pixels nothing is rejected. So a column of sixteen pixels is turned a few times as it lies
in the image (`turn_column`). Pixels that are not done then, or lose values and need another
line, move into the free lanes of a pool, which is turned only when it is full (`work_off`).
"""

from __future__ import annotations

from calibstudio.imaging.kernels_blame import blame_u16
from calibstudio.imaging.kernels_layout import ROW_U16, Job, Parameter
from calibstudio.imaging.kernels_lines import (
    ABOVE,
    ACTIVE,
    BELOW,
    END,
    FIRST,
    ROW,
    TOTAL,
    Y_P,
    Y_Q,
    P,
    Q,
    begin,
    columns_address,
    rejects,
    size_of,
    state_of,
    turn,
)
from calibstudio.imaging.kernels_pixel import finish_pixel, settle_pixel
from calibstudio.imaging.kernels_values import sort_values
from calibstudio.imaging.kernels_vectors import (
    LANES,
    count_bits,
    get_f32,
    get_f64,
    get_i64,
    get_u16,
    inlined,
    lowest_bit,
    put_f32,
    put_f64,
    put_i64,
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
# More rows of the state: passes that rejected something, code of the middle, and the number of
# the pixel (two rows long).
_PASSES, _REFERENCE, _PIXEL = (i * ROW for i in (10, 11, 12))
_ALL = (1 << LANES) - 1
_FEW = 9
"""So many pixels of a column that are not done move to the pool."""
_FREE = 3
"""Lanes of the pool that are emptied together."""


@inlined
def _pool(job: int, n: int) -> int:
    address: int = columns_address(job, n) + size_of(n)
    return address


@inlined
def turn_column(
    job: int, n: int, pixel: int, place: int, lanes: int, taken: int
) -> tuple[int, int]:
    """Clip some of the sixteen pixels of a sorted column.

    ``taken`` are the lanes of the pool that hold a pixel. Returns bits: lanes that could not be
    done here, and lanes of the pool that are taken now.
    """
    parameters = get_i64(job + _J_PARAMETERS)
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    floor = get_f64(parameters + _P_FLOOR)
    column = columns_address(job, n)
    failed = begin(n, column, place, lanes)
    busy = 0
    for _ in range(2 * n + 16):
        busy = turn(n, column, True)
        if count_bits(busy) <= _FEW:
            break
    look = rejects(n, column, low, high, floor) & lanes & ~failed & ~busy
    moving = look | busy
    while moving != 0:
        lane = lowest_bit(moving)
        moving &= moving - 1
        if taken == _ALL:
            taken = work_off(job, n, taken, _FREE)
        slot = lowest_bit(~taken)
        _move_in(job, n, pixel, place, lane, slot)
        if (busy >> lane) & 1 != 0 or _decide(job, n, slot):
            taken |= 1 << slot
        else:
            put_f32(state_of(_pool(job, n), n) + ACTIVE + 4 * slot, 0.0)
    return failed, taken


@inlined
def work_off(job: int, n: int, taken: int, free: int) -> int:
    """Turn the lanes of the pool until at least so many are free; returns those still taken."""
    parameters = get_i64(job + _J_PARAMETERS)
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    floor = get_f64(parameters + _P_FLOOR)
    pool = _pool(job, n)
    state = state_of(pool, n)
    most = 2.0 * n + 16.0
    turns = 0.0
    while LANES - count_bits(taken) < free:
        busy = turn(n, pool, False)
        turns += 1.0
        done = taken & ~busy
        wanted = min(_FREE, free - LANES + count_bits(taken))
        if count_bits(done) < wanted and turns < most:
            continue
        look = rejects(n, pool, low, high, floor)
        if turns >= most:
            done = taken  # Rounding goes round: these are decided one by one.
        turns = 0.0
        while done != 0:
            lane = lowest_bit(done)
            done &= done - 1
            stays = False
            if (busy >> lane) & 1 != 0:
                _give_up(job, n, lane)
            elif (look >> lane) & 1 != 0:
                stays = _decide(job, n, lane)
            elif get_f32(state + _PASSES + 4 * lane) > 0.0:
                _write(job, n, lane, 0)
            if not stays:
                taken &= ~(1 << lane)
                put_f32(state + ACTIVE + 4 * lane, 0.0)
    return taken


@inlined
def _move_in(job: int, n: int, pixel: int, place: int, lane: int, slot: int) -> None:
    """Copy a lane of a column, with its residuals, into a lane of the pool."""
    source = columns_address(job, n) + 4 * lane
    target = _pool(job, n) + 4 * slot
    for i in range(2 * n):
        put_f32(target + i * ROW, get_f32(source + i * ROW))
    at, state = state_of(source, n), state_of(target, n)
    for row in (FIRST, END, P, Q, Y_P, Y_Q, BELOW, ABOVE, TOTAL):
        put_f32(state + row, get_f32(at + row))
    put_f32(state + ACTIVE, 1.0)
    put_f32(state + _PASSES, 0.0)
    middle = get_u16(place + 2 * lane + ((n - 1) // 2) * ROW_U16)
    put_f32(state + _REFERENCE, float(middle))
    put_i64(state_of(_pool(job, n), n) + _PIXEL + 8 * slot, pixel + lane)


@inlined
def _decide(job: int, n: int, lane: int) -> bool:
    """Reject from a lane of the pool by its residuals; whether it needs another line.

    Where too few would be left, the least number of values nearest to the median stay. A pixel
    that is done is written.
    """
    parameters = get_i64(job + _J_PARAMETERS)
    low = get_f64(parameters + _P_LOW)
    high = get_f64(parameters + _P_HIGH)
    keep = int(get_f64(parameters + _P_MIN_KEEP))
    values = _pool(job, n) + 4 * lane
    residuals = values + n * ROW
    state = state_of(values, n)
    first = int(get_f32(state + FIRST))
    end = int(get_f32(state + END))
    count = end - first
    below = int(get_f32(state + BELOW))
    above = int(get_f32(state + ABOVE))
    total = get_f32(state + TOTAL)
    width = get_f32(state + Q) - get_f32(state + P)
    if below < 0:  # The sum was too large for float32.
        total = 0.0
        for i in range(first, end):
            total += abs(get_f32(residuals + i * ROW))
    sigma = max(2.0 * total / count, get_f64(parameters + _P_FLOOR) * width)
    if below < 0:
        below = 0
        above = 0
        for i in range(first, end):
            d = get_f32(residuals + i * ROW)
            below += 1 if -d > low * sigma else 0
            above += 1 if d > high * sigma else 0
    passes = get_f32(state + _PASSES)
    if below + above == 0:
        if passes > 0.0:
            _write(job, n, lane, 0)
        return False
    if count - below - above < keep:
        first, end = _nearest(values, first, end, min(keep, count))
        put_f32(state + FIRST, float(first))
        put_f32(state + END, float(end))
        _write(job, n, lane, 1)
        return False
    _sort_out(job, n, lane, low * sigma, high * sigma, below, above)
    put_f32(state + _PASSES, passes + 1.0)
    too_few = count - below - above < 3
    if too_few or passes + 1.0 >= get_f64(parameters + _P_ITERATIONS):
        _write(job, n, lane, 0)
        return False
    return True


@inlined
def _sort_out(
    job: int, n: int, lane: int, most_below: float, most_above: float, below: int, above: int
) -> None:
    """Move what is rejected to the ends; the next line starts at the two points of the last."""
    values = _pool(job, n) + 4 * lane
    residuals = values + n * ROW
    state = state_of(values, n)
    room = _pool(job, n) + size_of(n)
    first = int(get_f32(state + FIRST))
    end = int(get_f32(state + END))
    p, q = int(get_f32(state + P)), int(get_f32(state + Q))
    a = first
    b = first + below
    c = end - above
    at_p = 0
    at_q = 0
    # Without branches: which values go is not to be foreseen.
    for i in range(first, end):
        d = get_f32(residuals + i * ROW)
        is_low = int(-d > most_below)
        is_high = int(d > most_above)
        # The line goes through p and q: they are kept.
        at_p += b * int(i == p)
        at_q += b * int(i == q)
        slot = b + is_low * (a - b) + is_high * (c - b)
        put_f32(room + 4 * slot, get_f32(values + i * ROW))
        a += is_low
        c += is_high
        b += 1 - is_low - is_high
    put_f32(state + P, float(at_p))
    put_f32(state + Q, float(at_q))
    for i in range(first, end):
        put_f32(values + i * ROW, get_f32(room + 4 * i))
    put_f32(state + FIRST, float(first + below))
    put_f32(state + END, float(end - above))


@inlined
def _nearest(values: int, first: int, end: int, keep: int) -> tuple[int, int]:
    """As `kernels_values.nearest`, for the values of one lane about their median."""
    middle = first + end
    center = 0.5 * (
        get_f32(values + ((middle - 1) // 2) * ROW) + get_f32(values + (middle // 2) * ROW)
    )
    while end - first > keep:
        below = center - get_f32(values + first * ROW)
        above = get_f32(values + (end - 1) * ROW) - center
        if below > above:
            first += 1
        else:
            end -= 1
    return first, end


@inlined
def _take_out(job: int, n: int, lane: int) -> int:
    """Copy the values of a lane to the work memory; returns the number of the pixel."""
    lanes = _pool(job, n) + 4 * lane
    values = get_i64(job + _J_WORK)
    reference = get_f32(state_of(lanes, n) + _REFERENCE)
    for i in range(n):
        put_f64(values + 8 * i, reference + get_f32(lanes + i * ROW))
    pixel: int = get_i64(state_of(_pool(job, n), n) + _PIXEL + 8 * lane)
    return pixel


@inlined
def _write(job: int, n: int, lane: int, held: int) -> None:
    """Write the results of a pixel from which something was rejected."""
    pixel = _take_out(job, n, lane)
    state = state_of(_pool(job, n) + 4 * lane, n)
    first = int(get_f32(state + FIRST))
    end = int(get_f32(state + END))
    settle_pixel(job, pixel, get_i64(job + _J_WORK), n, first, end, held, 0)
    blame_u16(job, n, first, n - end, pixel)


@inlined
def _give_up(job: int, n: int, lane: int) -> None:
    """Let a pixel whose line does not come to rest be decided by itself."""
    pixel = _take_out(job, n, lane)
    values = get_i64(job + _J_WORK)
    sort_values(values, n)
    low, high = finish_pixel(job, pixel, values, n, 0)
    blame_u16(job, n, low, high, pixel)
