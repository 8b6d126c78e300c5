"""The uncertainty of one pixel from the spread of what was kept, rounding and weights.

Compiled code (see `calibstudio.imaging.kernels`). ``values`` is the address of float64 in
ascending order, ``work`` of scratch memory.

The variance of a mean of n kept values is k s^2 / n (`calibstudio.imaging.reject.cost`); what
rounding to whole codes adds is in `calibstudio.imaging.combine_look.Rounding`.
"""

from __future__ import annotations

from calibstudio.imaging.kernels_layout import ROW_F32, Job, Parameter
from calibstudio.imaging.kernels_vectors import (
    get_f32,
    get_f64,
    get_i64,
    inlined,
    put_f64,
)

_J_FRAMES, _J_PARAMETERS, _J_WEIGHTS, _J_UNSORTED = (
    8 * int(j) for j in (Job.N_FRAMES, Job.PARAMETERS, Job.WEIGHTS, Job.UNSORTED)
)
_P_ROUNDING, _P_LEAST, _P_COMMON, _P_NOISE = (
    8 * int(p) for p in (Parameter.ROUNDING, Parameter.LEAST, Parameter.COMMON, Parameter.NOISE)
)


@inlined
def squared_unc(job: int, variance: float, factor: float, kept: int) -> float:
    """UNC^2 of at least two kept values with this variance (N - 1)."""
    parameters = get_i64(job + _J_PARAMETERS)
    least = get_f64(parameters + _P_LEAST)
    common = get_f64(parameters + _P_COMMON)
    if variance <= 0.0 and least <= 0.0 and common <= 0.0:
        # Equal values say nothing of the noise: it is what is known of it.
        noise: float = get_f64(parameters + _P_NOISE)
        return noise / kept
    smooth = max(variance - get_f64(parameters + _P_ROUNDING), least)
    square: float = factor * smooth / kept + common
    return square


@inlined
def weighted(job: int, values: int, kept: int, place: int, work: int) -> tuple[float, float]:
    """Weighted mean of the kept values, and its variance without k.

    ``place`` is the pixel's offset in the block of values before they were sorted. Weights w
    are whole numbers. With a = w / sum w and r the distance to the weighted mean, the variance
    is sum a^2 r^2 / (1 - a): without bias for weights that are inverse variances, as then
    var r = sigma^2 (1 - a), and nearly so for any others (the HC2 estimator of MacKinnon &
    White 1985, J. Econometrics 29, 305). Equal weights give s^2 / n.

    Frames with equal values share their weights, so that nothing depends on the order of files.
    """
    frames = get_i64(job + _J_FRAMES)
    weights = get_i64(job + _J_WEIGHTS)
    unsorted = get_i64(job + _J_UNSORTED) + place
    counts = work + 8 * kept
    for i in range(kept):
        put_f64(work + 8 * i, 0.0)
        put_f64(counts + 8 * i, 0.0)
    for frame in range(frames):
        value = get_f32(unsorted + ROW_F32 * frame)
        low = 0
        high = kept
        while low < high:
            middle = (low + high) // 2
            if get_f64(values + 8 * middle) < value:
                low = middle + 1
            else:
                high = middle
        if low < kept and get_f64(values + 8 * low) == value:
            put_f64(work + 8 * low, get_f64(work + 8 * low) + get_f64(weights + 8 * frame))
            put_f64(counts + 8 * low, get_f64(counts + 8 * low) + 1.0)
    # Each kept value of a group gets the mean weight of the frames that have this value.
    total = 0.0
    shift = 0.0
    reference = get_f64(values + 8 * ((kept - 1) // 2))
    first = 0
    for i in range(kept):
        if get_f64(counts + 8 * i) > 0.0:
            first = i
            put_f64(work + 8 * i, get_f64(work + 8 * i) / get_f64(counts + 8 * i))
        weight = get_f64(work + 8 * first)
        total += weight
        shift += weight * (get_f64(values + 8 * i) - reference)
    mean = shift / total
    variance = 0.0
    first = 0
    for i in range(kept):
        if get_f64(counts + 8 * i) > 0.0:
            first = i
        a = get_f64(work + 8 * first) / total
        r = get_f64(values + 8 * i) - reference - mean
        if a < 1.0:
            variance += a * a * r * r / (1.0 - a)
    return reference + mean, variance
