"""The sorted values of one pixel: median, sums, and trimming from the ends.

Compiled code (see `calibstudio.imaging.kernels`). ``values`` is the address of float64 in
ascending order, ``work`` of scratch memory.
"""

from __future__ import annotations

from calibstudio.imaging.kernels_vectors import get_f64, inlined, put_f64


@inlined
def median_of(values: int, low: int, high: int) -> float:
    """Median of the sorted values from low to high (exclusive); there is at least one."""
    middle = low + high
    return 0.5 * (get_f64(values + 8 * ((middle - 1) // 2)) + get_f64(values + 8 * (middle // 2)))


@inlined
def moments(values: int, low: int, high: int) -> tuple[float, float, float]:
    """Return (reference, sum, sum of squares) of value - reference; exact for whole numbers."""
    reference = get_f64(values + 8 * ((low + high - 1) // 2))
    total = 0.0
    squares = 0.0
    for i in range(low, high):
        d = get_f64(values + 8 * i) - reference
        total += d
        squares += d * d
    return reference, total, squares


@inlined
def variance_of(total: float, squares: float, count: int) -> float:
    """Variance with N - 1; exact to the last step for whole numbers."""
    n = float(count)
    return max(0.0, (n * squares - total * total) / (n * (n - 1.0)))


@inlined
def nearest(values: int, low: int, high: int, center: float, keep: int) -> tuple[int, int]:
    """Narrow to the ``keep`` values nearest to the centre; of two equally far the low stays."""
    while high - low > keep:
        below = center - get_f64(values + 8 * low)
        above = get_f64(values + 8 * (high - 1)) - center
        if below > above:
            low += 1
        else:
            high -= 1
    return low, high


@inlined
def trim(
    values: int, low: int, high: int, center: float, most_below: float, most_above: float
) -> tuple[int, int]:
    """Drop what lies further from the centre than allowed."""
    while low < high and center - get_f64(values + 8 * low) > most_below:
        low += 1
    while high > low and get_f64(values + 8 * (high - 1)) - center > most_above:
        high -= 1
    return low, high


@inlined
def sort_values(values: int, n: int) -> None:
    """Insertion sort, for the few pixels that were not sorted by the network."""
    for i in range(1, n):
        v = get_f64(values + 8 * i)
        j = i
        while j > 0 and get_f64(values + 8 * (j - 1)) > v:
            put_f64(values + 8 * j, get_f64(values + 8 * (j - 1)))
            j -= 1
        put_f64(values + 8 * j, v)
