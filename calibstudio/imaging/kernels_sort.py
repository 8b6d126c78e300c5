"""Sort the values of all pixels of a block by networks of comparisons. Compiled code.

Up to `RUN` rows go through their whole network in registers: each row is read and written once.
Runs of more frames are merged in memory. Rows that are missing to a multiple of `STEP` are filled
with what is never smaller than a value, so that it stays behind them.
"""

from __future__ import annotations

from typing import Any

from calibstudio.imaging.kernels_layout import BLOCK, ROW_F32, ROW_U16, RUN, STEP, Job, padded_rows
from calibstudio.imaging.kernels_network import merge_exchange
from calibstudio.imaging.kernels_vectors import (
    F32,
    LANES,
    U16,
    comparator,
    get_i32,
    get_i64,
    inlined,
    sorted_from,
    sorting_network,
    splat_u16,
)

_J_NETWORK, _J_COMPARISONS, _J_RAW, _J_STRIDE, _J_XOR = (
    8 * int(job) for job in (Job.NETWORK, Job.N_COMPARISONS, Job.RAW, Job.STRIDE, Job.XOR)
)
_COLUMN_U16, _COLUMN_F32 = 2 * LANES, 4 * LANES
_u4, _u8, _u12, _u16, _u20, _u24, _u28, _u32 = (
    sorting_network(U16, ROW_U16, merge_exchange(rows)) for rows in range(STEP, RUN + 1, STEP)
)
_c4, _c8, _c12, _c16, _c20, _c24, _c28, _c32 = (
    sorted_from(ROW_U16, merge_exchange(rows)) for rows in range(STEP, RUN + 1, STEP)
)
_f4, _f8, _f12, _f16, _f20, _f24, _f28, _f32 = (
    sorting_network(F32, ROW_F32, merge_exchange(rows)) for rows in range(STEP, RUN + 1, STEP)
)
_exchange_u16 = comparator(U16, BLOCK // LANES)
_exchange_f32 = comparator(F32, BLOCK // LANES)
rows_filled = inlined(padded_rows)


@inlined
def sort_u16(job: int, block: int, n: int) -> None:
    """Sort the codes of a block, pixel by pixel, smallest first."""
    for first in range(0, n, RUN):
        rows = min(n - first, RUN)
        for column in range(0, ROW_U16, _COLUMN_U16):
            _run_u16(block + first * ROW_U16 + column, rows)
    _merge_u16(job, block)


@inlined
def sort_fits_u16(job: int, block: int, n: int, start: int) -> None:
    """Sort big-endian codes from pixel ``start`` of the band on into a block, as `sort_u16` does.

    They are read, turned and sorted without going through memory in between.
    """
    stride = get_i64(job + _J_STRIDE)
    source = get_i64(job + _J_RAW) + 2 * start
    flip = splat_u16(get_i64(job + _J_XOR))
    for first in range(0, n, RUN):
        rows = min(n - first, RUN)
        for column in range(0, ROW_U16, _COLUMN_U16):
            place = block + first * ROW_U16 + column
            _run_from(place, source + first * stride + column, stride, rows, flip)
    _merge_u16(job, block)


@inlined
def _merge_u16(job: int, block: int) -> None:
    network = get_i64(job + _J_NETWORK)
    for i in range(get_i64(job + _J_COMPARISONS)):
        pair = network + 8 * i
        _exchange_u16(block + get_i32(pair), block + get_i32(pair + 4))


@inlined
def _run_from(place: int, source: int, stride: int, rows: int, flip: Any) -> None:
    if rows > 28:
        _c32(place, source, stride, rows, flip)
    elif rows > 24:
        _c28(place, source, stride, rows, flip)
    elif rows > 20:
        _c24(place, source, stride, rows, flip)
    elif rows > 16:
        _c20(place, source, stride, rows, flip)
    elif rows > 12:
        _c16(place, source, stride, rows, flip)
    elif rows > 8:
        _c12(place, source, stride, rows, flip)
    elif rows > 4:
        _c8(place, source, stride, rows, flip)
    else:
        _c4(place, source, stride, rows, flip)


@inlined
def _run_u16(place: int, rows: int) -> None:
    if rows > 28:
        _u32(place)
    elif rows > 24:
        _u28(place)
    elif rows > 20:
        _u24(place)
    elif rows > 16:
        _u20(place)
    elif rows > 12:
        _u16(place)
    elif rows > 8:
        _u12(place)
    elif rows > 4:
        _u8(place)
    elif rows > 1:
        _u4(place)


@inlined
def sort_f32(job: int, block: int, n: int) -> None:
    """Sort the numbers of a block, pixel by pixel, smallest first."""
    for first in range(0, n, RUN):
        rows = min(n - first, RUN)
        for column in range(0, ROW_F32, _COLUMN_F32):
            _run_f32(block + first * ROW_F32 + column, rows)
    network = get_i64(job + _J_NETWORK)
    for i in range(get_i64(job + _J_COMPARISONS)):
        pair = network + 8 * i
        _exchange_f32(block + get_i32(pair), block + get_i32(pair + 4))


@inlined
def _run_f32(place: int, rows: int) -> None:
    if rows > 28:
        _f32(place)
    elif rows > 24:
        _f28(place)
    elif rows > 20:
        _f24(place)
    elif rows > 16:
        _f20(place)
    elif rows > 12:
        _f16(place)
    elif rows > 8:
        _f12(place)
    elif rows > 4:
        _f8(place)
    elif rows > 1:
        _f4(place)
