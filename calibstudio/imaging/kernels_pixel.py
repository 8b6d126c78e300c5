"""One pixel that needs a closer look: reject, combine, count. Compiled code."""

from __future__ import annotations

import math

from calibstudio.imaging.kernels_layout import Job, Parameter
from calibstudio.imaging.kernels_reject import reject
from calibstudio.imaging.kernels_unc import squared_unc, weighted
from calibstudio.imaging.kernels_values import median_of, moments, variance_of
from calibstudio.imaging.kernels_vectors import (
    get_f64,
    get_i64,
    inlined,
    put_f32,
    put_i64,
    put_u16,
    square_root,
)

(
    _J_FRAMES,
    _J_WORK,
    _J_PARAMETERS,
    _J_MEAN_FACTORS,
    _J_MAD_FACTORS,
    _J_ESD_LIMITS,
    _J_ESD_COLUMNS,
    _J_IMAGE,
    _J_UNC,
    _J_CNT,
    _J_REJECTED,
    _J_MAP_LOW,
    _J_MAP_HIGH,
    _J_WEIGHTS,
) = (
    8 * int(j)
    for j in (
        Job.N_FRAMES,
        Job.WORK,
        Job.PARAMETERS,
        Job.MEAN_FACTORS,
        Job.MAD_FACTORS,
        Job.ESD_LIMITS,
        Job.ESD_COLUMNS,
        Job.IMAGE,
        Job.UNC,
        Job.CNT,
        Job.REJECTED,
        Job.MAP_LOW,
        Job.MAP_HIGH,
        Job.WEIGHTS,
    )
)
(
    _P_RULE,
    _P_LOW,
    _P_HIGH,
    _P_ITERATIONS,
    _P_MIN_KEEP,
    _P_CUTOFF,
    _P_FLOOR,
    _P_MEDIAN,
    _P_BASE,
) = (8 * i for i in range(int(Parameter.BASE) + 1))


@inlined
def finish_pixel(job: int, pixel: int, values: int, n: int, place: int) -> tuple[int, int]:
    """Reject and combine n sorted values and write the results of this pixel.

    ``place`` is its offset in the block before sorting, which weights need. Returns (rejected
    low, rejected high); the rejected values lie at the ends afterwards.
    """
    parameters = get_i64(job + _J_PARAMETERS)
    first, end, held = reject(
        int(get_f64(parameters + _P_RULE)),
        values,
        n,
        get_f64(parameters + _P_LOW),
        get_f64(parameters + _P_HIGH),
        get_f64(parameters + _P_ITERATIONS),
        int(get_f64(parameters + _P_MIN_KEEP)),
        get_f64(parameters + _P_CUTOFF),
        get_f64(parameters + _P_FLOOR),
        get_i64(job + _J_MAD_FACTORS),
        get_i64(job + _J_ESD_LIMITS),
        get_i64(job + _J_ESD_COLUMNS),
        get_i64(job + _J_WORK) + 8 * n,
    )
    settle_pixel(job, pixel, values, n, first, end, held, place)
    return first, n - end


@inlined
def settle_pixel(
    job: int, pixel: int, values: int, n: int, first: int, end: int, held: int, place: int
) -> None:
    """Write the results of a pixel of whose n values those from first to end are kept."""
    value = 0.0
    square = 0.0
    if end > first:
        value, square = _combined(job, values, first, end, n, place)
    write_pixel(job, pixel, n, first, end, held, value, square)


@inlined
def write_pixel(
    job: int, pixel: int, n: int, first: int, end: int, held: int, value: float, square: float
) -> None:
    """Write value (without the base of codes), UNC from its square, and counts of one pixel."""
    image = get_i64(job + _J_IMAGE) + 4 * pixel
    unc = get_i64(job + _J_UNC) + 4 * pixel
    if held != 0:
        counter = get_i64(job + _J_REJECTED) + 16 * get_i64(job + _J_FRAMES)
        put_i64(counter, get_i64(counter) + 1)
    kept = end - first
    put_u16(get_i64(job + _J_CNT) + 2 * pixel, kept)
    if get_i64(job + _J_MAP_LOW) != 0:
        put_u16(get_i64(job + _J_MAP_LOW) + 2 * pixel, first)
        put_u16(get_i64(job + _J_MAP_HIGH) + 2 * pixel, n - end)
    if kept == 0:
        put_f32(image, math.nan)
        put_f32(unc, math.nan)
        return
    put_f32(image, value + get_f64(get_i64(job + _J_PARAMETERS) + _P_BASE))
    put_f32(unc, square_root(square) if kept > 1 else math.nan)


@inlined
def _combined(
    job: int, values: int, first: int, end: int, n: int, place: int
) -> tuple[float, float]:
    """The value of the kept of n values, without the base of codes, and its UNC^2."""
    parameters = get_i64(job + _J_PARAMETERS)
    kept = end - first
    reference, total, squares = moments(values, first, end)
    value = reference + total / kept
    if get_f64(parameters + _P_MEDIAN) != 0.0:
        value = median_of(values, first, end)
    if kept < 2:
        return value, 0.0
    factor = get_f64(get_i64(job + _J_MEAN_FACTORS) + 8 * n)
    variance = variance_of(total, squares, kept)
    if get_i64(job + _J_WEIGHTS) != 0:
        work = get_i64(job + _J_WORK) + 8 * n
        value, spread = weighted(job, values + 8 * first, kept, place, work)
        if spread > 0.0:
            # s^2 / n of values that all count the same.
            return value, squared_unc(job, spread * kept, factor, kept)
    return value, squared_unc(job, variance, factor, kept)
