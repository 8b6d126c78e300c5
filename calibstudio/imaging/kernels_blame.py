"""Which frame a rejected value came from. Compiled code (see `calibstudio.imaging.kernels`)."""

from __future__ import annotations

from calibstudio.imaging.kernels_layout import ROW_F32, Job
from calibstudio.imaging.kernels_vectors import (
    get_f32,
    get_f64,
    get_i64,
    get_u16,
    inlined,
    put_i64,
    swap16,
)

_J_FRAMES, _J_RAW, _J_STRIDE, _J_XOR, _J_SWAP, _J_UNSORTED, _J_WORK, _J_REJECTED = (
    8 * int(job)
    for job in (
        Job.N_FRAMES,
        Job.RAW,
        Job.STRIDE,
        Job.XOR,
        Job.SWAP,
        Job.UNSORTED,
        Job.WORK,
        Job.REJECTED,
    )
)


@inlined
def blame_u16(job: int, n: int, low: int, high: int, pixel: int) -> None:
    """Count each rejected code of a pixel for the frame that it came from.

    The work memory holds the ``low`` rejected codes first, and the ``high`` ones at the end of
    n; of what is between nothing is asked. Frames are looked at as they were read. Of frames
    with equal codes the first one not yet counted gives it up.
    """
    values = get_i64(job + _J_WORK)
    source = get_i64(job + _J_RAW) + 2 * pixel
    stride = get_i64(job + _J_STRIDE)
    flip = get_i64(job + _J_XOR)
    swap = get_i64(job + _J_SWAP) != 0
    rejected = get_i64(job + _J_REJECTED)
    for which in range(low + high):
        is_low = which < low
        i = which if is_low else n - high + which - low
        skip = _equal_before(values, i, 0 if is_low else n - high)
        wanted = int(get_f64(values + 8 * i)) ^ flip
        if swap:
            wanted = swap16(wanted)
        place = source
        for frame in range(n):
            if get_u16(place) == wanted:
                if skip == 0:
                    _count(rejected + 16 * frame + (0 if is_low else 8))
                    break
                skip -= 1
            place += stride


@inlined
def blame_f32(job: int, n: int, low: int, high: int, place: int) -> None:
    """As `blame_u16`, for the block of floats before it was sorted, in which n are finite."""
    values = get_i64(job + _J_WORK)
    frames = get_i64(job + _J_FRAMES)
    unsorted = get_i64(job + _J_UNSORTED) + place
    rejected = get_i64(job + _J_REJECTED)
    for which in range(low + high):
        is_low = which < low
        i = which if is_low else n - high + which - low
        skip = _equal_before(values, i, 0 if is_low else n - high)
        wanted = get_f64(values + 8 * i)
        for frame in range(frames):
            if get_f32(unsorted + frame * ROW_F32) == wanted:
                if skip == 0:
                    _count(rejected + 16 * frame + (0 if is_low else 8))
                    break
                skip -= 1


@inlined
def _equal_before(values: int, i: int, start: int) -> int:
    """How many of the values from start on, before i, are equal to value i and next to it."""
    wanted = get_f64(values + 8 * i)
    equal = 0
    while i > start and get_f64(values + 8 * (i - 1)) == wanted:
        equal += 1
        i -= 1
    return equal


@inlined
def _count(address: int) -> None:
    put_i64(address, get_i64(address) + 1)
