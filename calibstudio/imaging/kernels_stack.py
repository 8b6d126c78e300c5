"""The two stacking kernels: exact for 16-bit codes, and for anything else in floating point.

Compiled code, called through `calibstudio.imaging.kernels`. Sixteen pixels are handled at a
time: the frames' values are sorted by a network of comparisons that is the same for all
pixels, sums and limits are computed for all of them, and only pixels at which something may
be rejected get a closer look of their own. "May" is a superset that costs one comparison;
the closer look decides, in float64, by the definition.
"""

from __future__ import annotations

from typing import Any

from calibstudio.imaging.kernels_blame import blame_f32, blame_u16
from calibstudio.imaging.kernels_columns import (
    is_spread,
    keeps,
    least_sigma,
    mad_column,
    needed_sigma,
    row_f64,
    sigma_keeps,
    store_column,
    sums_about,
    variance,
    winsorized_f32,
    winsorized_keeps,
    winsorized_u16,
)
from calibstudio.imaging.kernels_esd import esd_keeps
from calibstudio.imaging.kernels_layout import (
    BLOCK,
    ROW_F32,
    ROW_U16,
    WORK_PAD,
    WORK_PER_FRAME,
    Job,
    Parameter,
    Raw,
    Rule,
)
from calibstudio.imaging.kernels_lines_pool import turn_column, work_off
from calibstudio.imaging.kernels_pixel import finish_pixel
from calibstudio.imaging.kernels_results import as_asked
from calibstudio.imaging.kernels_sort import rows_filled, sort_f32, sort_fits_u16, sort_u16
from calibstudio.imaging.kernels_trim import TRIMMING, trimmed_u16
from calibstudio.imaging.kernels_values import sort_values
from calibstudio.imaging.kernels_vectors import (
    LANES,
    add_f32,
    add_f64,
    add_i32,
    alternate_f64,
    at_most,
    at_most_f32,
    bits_where_not,
    both,
    choose_f32,
    difference,
    div_f64,
    f32_from_f64,
    f32_from_u16,
    f64_from_f32,
    f64_from_i32,
    f64_from_u16,
    get_f32,
    get_f64,
    get_i32,
    get_i64,
    get_u16,
    i16_as_f64,
    infinity_f32,
    inlined,
    is_finite,
    load_big_f32,
    load_f32,
    load_i32,
    load_u16,
    lowest_bit,
    max_u16,
    min_u16,
    mul_f64,
    mul_i32,
    ones_where,
    put_f64,
    same_i32,
    splat_f32,
    splat_f64,
    splat_i32,
    splat_u16,
    square_root,
    store_f32,
    store_i32,
    store_u16,
    sub_f32,
    sub_f64,
    swap_u16,
    xor_u16,
    zero_f64,
    zero_i32,
)

_NONE, _SIGMA, _MAD, _WINSORIZED, _LINEAR_FIT, _ESD = (
    int(Rule.NONE),
    int(Rule.SIGMA),
    int(Rule.MAD),
    int(Rule.WINSORIZED),
    int(Rule.LINEAR_FIT),
    int(Rule.ESD),
)
_FITS_UINT16, _FITS_INT16, _FITS_FLOAT32, _UINT16 = (
    int(Raw.FITS_UINT16),
    int(Raw.FITS_INT16),
    int(Raw.FITS_FLOAT32),
    int(Raw.UINT16),
)
_TWO_BYTES = (_FITS_UINT16, _FITS_INT16, _UINT16)
_J = {job.name: 8 * int(job) for job in Job if job is not Job.LENGTH}
_J_FRAMES, _J_ROWS, _J_COLUMNS, _J_FIRST = (
    _J["N_FRAMES"],
    _J["ROWS"],
    _J["COLUMNS"],
    _J["FIRST_ROW"],
)
_J_RAW, _J_STRIDE, _J_XOR, _J_SWAP, _J_SORTED = (
    _J["RAW"],
    _J["STRIDE"],
    _J["XOR"],
    _J["SWAP"],
    _J["SORTED"],
)
_J_KINDS, _J_SUBTRACT, _J_OFFSETS, _J_SCALES = (
    _J["KINDS"],
    _J["SUBTRACT"],
    _J["OFFSETS"],
    _J["SCALES"],
)
_J_BLOCK, _J_UNSORTED = _J["BLOCK_MEMORY"], _J["UNSORTED"]
_J_WORK, _J_PARAMETERS, _J_FACTORS, _J_MAD_FACTORS = (
    _J["WORK"],
    _J["PARAMETERS"],
    _J["MEAN_FACTORS"],
    _J["MAD_FACTORS"],
)
_J_REJECTED, _J_STOP, _J_WEIGHTS = _J["REJECTED"], _J["STOP"], _J["WEIGHTS"]
_P_RULE, _P_LOW, _P_HIGH, _P_CUTOFF, _P_FLOOR, _P_MEDIAN, _P_BASE = (
    8 * int(p)
    for p in (
        Parameter.RULE,
        Parameter.LOW,
        Parameter.HIGH,
        Parameter.CUTOFF,
        Parameter.FLOOR,
        Parameter.MEDIAN,
        Parameter.BASE,
    )
)
_COLUMN_U16 = 2 * LANES
_COLUMN_F32 = 4 * LANES


@inlined
def stack_u16(job: int) -> int:
    """Combine a band of 16-bit codes; the pixels of the band are one run. Returns pixels done.

    See `Job` for what ``job`` points to. Sums are integers, so the result is exact to the
    rounding of the output.
    """
    n = get_i64(job + _J_FRAMES)
    pixels: int = get_i64(job + _J_ROWS) * get_i64(job + _J_COLUMNS)
    stop = get_i64(job + _J_STOP)
    block = get_i64(job + _J_BLOCK)
    is_sorted = get_i64(job + _J_SORTED)
    big_endian = get_i64(job + _J_SWAP) != 0
    rule = int(get_f64(get_i64(job + _J_PARAMETERS) + _P_RULE))
    trims = n > 1 and rule in TRIMMING
    taken = 0  # Lanes of the pool of `kernels_lines_pool` that hold a pixel.
    for start in range(0, pixels, BLOCK):
        if get_i64(stop) != 0:
            return start
        if is_sorted != 0 and big_endian:
            sort_fits_u16(job, block, n, start)
        else:
            _load_u16(job, n, start, block)
            if is_sorted != 0:
                sort_u16(job, block, n)
        for column in range(0, BLOCK, LANES):
            left = pixels - start - column
            if left > 0:
                place = block + 2 * column
                lanes = (1 << min(left, LANES)) - 1
                look, rough = _column_u16(job, n, start + column, place)
                look &= lanes
                if rule == _LINEAR_FIT and n >= 5:
                    failed, taken = turn_column(job, n, start + column, place, lanes & ~look, taken)
                    look |= failed
                while look != 0:
                    lane = lowest_bit(look)
                    look &= look - 1
                    if trims and (rough >> lane) & 1 == 0:
                        _ends_u16(job, n, start + column + lane, place + 2 * lane, lane)
                    else:
                        _closer_u16(job, n, start + column + lane, place + 2 * lane)
    if taken != 0:
        work_off(job, n, taken, LANES)
    as_asked(job, pixels)
    return pixels


@inlined
def _load_u16(job: int, n: int, start: int, block: int) -> None:
    """Copy a block of every frame, as codes that sort as unsigned numbers of this machine."""
    stride = get_i64(job + _J_STRIDE)
    source = get_i64(job + _J_RAW) + 2 * start
    flip = splat_u16(get_i64(job + _J_XOR))
    swap = get_i64(job + _J_SWAP) != 0
    for i in range(n):
        for column in range(0, ROW_U16, _COLUMN_U16):
            codes = load_u16(source + i * stride + column)
            if swap:
                codes = swap_u16(codes)
            store_u16(block + i * ROW_U16 + column, xor_u16(codes, flip))
    for place in range(n * ROW_U16, rows_filled(n) * ROW_U16, _COLUMN_U16):
        store_u16(block + place, splat_u16(0xFFFF))


@inlined
def _column_u16(job: int, n: int, pixel: int, column: int) -> tuple[int, int]:
    """Sixteen pixels as if nothing were rejected.

    Returns a bit for each that needs a look, and a bit for each whose sums are not exact. The
    sums about the middle row stay in memory, see `_sums`.
    """
    parameters = get_i64(job + _J_PARAMETERS)
    rule = int(get_f64(parameters + _P_RULE))
    # The middle is the reference, so that squares stay small; without sorting any value serves.
    reference = load_u16(column + ((n - 1) // 2) * ROW_U16)
    lowest = load_u16(column)
    highest = load_u16(column + (n - 1) * ROW_U16)
    total = zero_i32()
    squares = zero_i32()
    if get_i64(job + _J_SORTED) == 1:
        total, squares = sums_about(n, column, reference)
    else:
        for i in range(n):
            v = load_u16(column + i * ROW_U16)
            lowest = min_u16(lowest, v)
            highest = max_u16(highest, v)
            d = difference(v, reference)
            total = add_i32(total, d)
            squares = add_i32(squares, mul_i32(d, d))
    upper = load_u16(column + (n // 2) * ROW_U16)
    # Twice the distances of the ends from the median: whole numbers, exact in float32.
    middle = f32_from_u16(reference)
    bottom, top = f32_from_u16(lowest), f32_from_u16(highest)
    twice = add_f32(middle, f32_from_u16(upper))
    below = sub_f32(twice, add_f32(bottom, bottom))
    above = sub_f32(add_f32(top, top), twice)
    # Beyond this the 32-bit sums would not be exact: n d^2 < 2^31, and d in 16 bits.
    widest = splat_f32(min(32767.0, float(int(square_root(2147483647.0 / n)))))
    good = both(
        at_most_f32(sub_f32(top, middle), widest), at_most_f32(sub_f32(middle, bottom), widest)
    )
    rough = bits_where_not(good)
    if rule in TRIMMING:
        store_i32(_sums(job, n), total)
        store_i32(_sums(job, n) + 4 * LANES, squares)
    s1 = f64_from_i32(total)
    s2 = f64_from_i32(squares)
    spread = variance(n, s1, s2)
    ref = f64_from_u16(reference)
    center = mul_f64(add_f64(ref, f64_from_u16(upper)), splat_f64(0.5))
    if rule == _SIGMA:
        good = both(good, sigma_keeps(parameters, n, total, squares, below, above))
    else:
        good = both(good, is_spread(parameters, spread))
        if rule != _NONE:
            half = splat_f64(0.5)
            under = mul_f64(f64_from_f32(below), half)
            over = mul_f64(f64_from_f32(above), half)
            good = both(
                good,
                _all_kept(job, n, column, reference, center, ref, under, over, s1, s2, spread),
            )
    value = center
    if get_f64(parameters + _P_MEDIAN) == 0.0:
        # Multiplying rounds otherwise than dividing, but not in float32: the mean of up to 500
        # codes lies on no border between two of its numbers, and none within 1e-9 of itself.
        value = add_f64(ref, mul_f64(s1, splat_f64(1.0 / n)))
    value = add_f64(value, splat_f64(get_f64(parameters + _P_BASE)))
    store_column(job, n, pixel, value, spread)
    return bits_where_not(good), rough


@inlined
def _all_kept(
    job: int,
    n: int,
    column: int,
    reference: Any,
    center: Any,
    ref: Any,
    below: Any,
    above: Any,
    s1: Any,
    s2: Any,
    spread: Any,
) -> Any:
    """Where a rule other than a sigma clip certainly keeps all codes."""
    parameters = get_i64(job + _J_PARAMETERS)
    rule = int(get_f64(parameters + _P_RULE))
    if rule == _WINSORIZED:
        needed = needed_sigma(parameters, below, above)
        limit = least_sigma(needed, spread)
        narrow = winsorized_u16(n, column, reference, center, limit)
        return winsorized_keeps(parameters, needed, limit, narrow, spread)
    if rule == _ESD:
        return esd_keeps(job, n, column, ref, s1, s2)
    if rule == _LINEAR_FIT:  # Which is not done yet: see `stack_u16`.
        return at_most(zero_f64(), splat_f64(1.0))
    mad = zero_f64()
    if rule == _MAD:
        mad = mad_column(column, n, True, center)
    return keeps(job, parameters, rule, n, below, above, spread, mad)


@inlined
def _sums(job: int, n: int) -> int:
    """Address of the sums of sixteen pixels and, behind, of their sums of squares, in int32."""
    address: int = get_i64(job + _J_WORK) + 8 * (WORK_PER_FRAME * n + WORK_PAD)
    return address


@inlined
def _ends_u16(job: int, n: int, pixel: int, place: int, lane: int) -> None:
    """Decide one pixel by a rule that trims the ends."""
    sums = _sums(job, n) + 4 * lane
    total, squares = float(get_i32(sums)), float(get_i32(sums + 4 * LANES))
    trimmed_u16(job, n, pixel, place, total, squares)


@inlined
def _closer_u16(job: int, n: int, pixel: int, place: int) -> None:
    """Decide one pixel by the definition of its rule."""
    values = get_i64(job + _J_WORK)
    for i in range(n):
        put_f64(values + 8 * i, float(get_u16(place + i * ROW_U16)))
    if get_i64(job + _J_SORTED) != 1:
        sort_values(values, n)
    low, high = finish_pixel(job, pixel, values, n, 0)
    if low + high != 0:
        blame_u16(job, n, low, high, pixel)


@inlined
def stack_f32(job: int) -> int:
    """Combine a band of any pixels in floating point, row by row. Returns pixels done.

    Each value is (value - subtract - offset) * scale, computed in float64 and rounded once to
    float32. Values that are not finite are left out.
    """
    n = get_i64(job + _J_FRAMES)
    rows: int = get_i64(job + _J_ROWS)
    columns: int = get_i64(job + _J_COLUMNS)
    stop = get_i64(job + _J_STOP)
    block = get_i64(job + _J_BLOCK)
    for row in range(rows):
        for x in range(0, columns, BLOCK):
            if get_i64(stop) != 0:
                return row * columns + x
            _load_f32(job, n, row, x)
            sort_f32(job, block, n)
            for column in range(0, BLOCK, LANES):
                left = columns - x - column
                if left > 0:
                    pixel = row * columns + x + column
                    look = _column_f32(job, n, pixel, block + 4 * column)
                    if left < LANES:
                        look &= (1 << left) - 1
                    while look != 0:
                        lane = lowest_bit(look)
                        look &= look - 1
                        _closer_f32(job, n, pixel + lane, column + lane)
    as_asked(job, rows * columns)
    return rows * columns


@inlined
def _load_f32(job: int, n: int, row: int, x: int) -> None:
    """Convert a block of every frame; what is not finite becomes infinity and counts not.

    The number of finite values goes behind the last row of the block.
    """
    columns = get_i64(job + _J_COLUMNS)
    raw = get_i64(job + _J_RAW)
    stride = get_i64(job + _J_STRIDE)
    kinds = get_i64(job + _J_KINDS)
    planes = get_i64(job + _J_SUBTRACT)
    offsets = get_i64(job + _J_OFFSETS)
    scales = get_i64(job + _J_SCALES) + 16 * ((get_i64(job + _J_FIRST) + row) % 2)
    block = get_i64(job + _J_BLOCK)
    unsorted = get_i64(job + _J_UNSORTED)
    place = row * columns + x
    counts = block + rows_filled(n) * ROW_F32
    for column in range(0, ROW_F32, _COLUMN_F32):
        store_i32(counts + column, zero_i32())
    for filled in range(n * ROW_F32, rows_filled(n) * ROW_F32, _COLUMN_F32):
        store_f32(block + filled, infinity_f32())
    for i in range(n):
        kind = get_i64(kinds + 8 * i)
        source = raw + i * stride + place * (2 if kind in _TWO_BYTES else 4)
        plane = get_i64(planes + 8 * i)
        offset = splat_f64(get_f64(offsets + 8 * i))
        scale = alternate_f64(get_f64(scales + 32 * i), get_f64(scales + 32 * i + 8))
        for column in range(0, BLOCK, LANES):
            value = _pixels(kind, source, column)
            if plane != 0:
                value = sub_f64(value, f64_from_f32(load_f32(plane + 4 * (place + column))))
            final = f32_from_f64(mul_f64(sub_f64(value, offset), scale))
            finite = is_finite(final)
            count = counts + 4 * column
            store_i32(count, add_i32(load_i32(count), ones_where(finite)))
            final = choose_f32(finite, final, infinity_f32())
            store_f32(block + i * ROW_F32 + 4 * column, final)
            store_f32(unsorted + i * ROW_F32 + 4 * column, final)


@inlined
def _pixels(kind: int, source: int, column: int) -> Any:
    """Sixteen raw pixels of a frame as numbers."""
    if kind == _FITS_UINT16:
        codes = swap_u16(load_u16(source + 2 * column))
        return f64_from_u16(xor_u16(codes, splat_u16(0x8000)))
    if kind == _FITS_INT16:
        return i16_as_f64(swap_u16(load_u16(source + 2 * column)))
    if kind == _FITS_FLOAT32:
        return f64_from_f32(load_big_f32(source + 4 * column))
    if kind == _UINT16:
        return f64_from_u16(load_u16(source + 2 * column))
    return f64_from_f32(load_f32(source + 4 * column))


@inlined
def _column_f32(job: int, n: int, pixel: int, column: int) -> int:
    """Sixteen pixels as if nothing were rejected; returns a bit for each that needs a look."""
    parameters = get_i64(job + _J_PARAMETERS)
    rule = int(get_f64(parameters + _P_RULE))
    ref = row_f64(column, (n - 1) // 2, False)
    center = mul_f64(add_f64(ref, row_f64(column, n // 2, False)), splat_f64(0.5))
    below = sub_f64(center, row_f64(column, 0, False))
    above = sub_f64(row_f64(column, n - 1, False), center)
    s1 = zero_f64()
    s2 = zero_f64()
    for i in range(n):
        d = sub_f64(row_f64(column, i, False), ref)
        s1 = add_f64(s1, d)
        s2 = add_f64(s2, mul_f64(d, d))
    spread = variance(n, s1, s2)
    good = same_i32(load_i32(column + rows_filled(n) * ROW_F32), splat_i32(n))
    good = both(good, is_spread(parameters, spread))
    if rule == _WINSORIZED:
        needed = needed_sigma(parameters, below, above)
        limit = least_sigma(needed, spread)
        narrow = winsorized_f32(n, column, ref, center, limit)
        good = both(good, winsorized_keeps(parameters, needed, limit, narrow, spread))
    else:
        mad = zero_f64()
        if rule == _MAD:
            mad = mad_column(column, n, False, center)
        good = both(good, keeps(job, parameters, rule, n, below, above, spread, mad))
    value = center
    if get_f64(parameters + _P_MEDIAN) == 0.0:
        value = add_f64(ref, div_f64(s1, splat_f64(float(n))))
    if get_i64(job + _J_WEIGHTS) != 0:
        good = at_most(splat_f64(1.0), zero_f64())
    store_column(job, n, pixel, value, spread)
    look: int = bits_where_not(good)
    return look


@inlined
def _closer_f32(job: int, n: int, pixel: int, lane: int) -> None:
    """Decide one pixel by the definition of its rule."""
    values = get_i64(job + _J_WORK)
    block = get_i64(job + _J_BLOCK) + 4 * lane
    valid = get_i32(block + rows_filled(n) * ROW_F32)
    for i in range(valid):
        put_f64(values + 8 * i, get_f32(block + i * ROW_F32))
    low, high = finish_pixel(job, pixel, values, valid, 4 * lane)
    if low + high != 0:
        blame_f32(job, valid, low, high, 4 * lane)
