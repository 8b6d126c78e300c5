"""Results of a band as FITS stores them. Compiled code (see `calibstudio.imaging.kernels`).

A band has just been made and lies in the processor's cache: turning its bytes costs next to
nothing here, and holds up nobody who needs the interpreter.
"""

from __future__ import annotations

from calibstudio.imaging.kernels_layout import Job
from calibstudio.imaging.kernels_vectors import (
    LANES,
    get_i64,
    inlined,
    load_i32,
    load_u16,
    splat_u16,
    store_i32,
    store_u16,
    swap_i32,
    swap_u16,
    xor_u16,
)

_J_IMAGE, _J_UNC, _J_CNT, _J_FITS = (
    8 * int(job) for job in (Job.IMAGE, Job.UNC, Job.CNT, Job.FITS_RESULTS)
)


@inlined
def as_asked(job: int, pixels: int) -> None:
    """Turn the results of so many pixels to big-endian where that is asked for.

    Counts become int16 with a zero of 32768. Buffers are padded to whole vectors.
    """
    if get_i64(job + _J_FITS) == 0:
        return
    image, unc, cnt = get_i64(job + _J_IMAGE), get_i64(job + _J_UNC), get_i64(job + _J_CNT)
    flip = splat_u16(0x8000)
    for pixel in range(0, pixels, LANES):
        at = image + 4 * pixel
        store_i32(at, swap_i32(load_i32(at)))
        at = unc + 4 * pixel
        store_i32(at, swap_i32(load_i32(at)))
        at = cnt + 2 * pixel
        store_u16(at, swap_u16(xor_u16(load_u16(at), flip)))
