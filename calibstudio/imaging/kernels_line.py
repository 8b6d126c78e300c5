"""Linear fit clipping: a line of least absolute deviation through the sorted values.

Compiled code (see `calibstudio.imaging.kernels`). ``values`` is the address of float64 in
ascending order, ``work`` of scratch memory.
"""

from __future__ import annotations

from calibstudio.imaging.kernels_values import median_of, nearest
from calibstudio.imaging.kernels_vectors import get_f64, inlined, put_f64


@inlined
def _swap_pairs(a: int, b: int) -> None:
    first, second = get_f64(a), get_f64(a + 8)
    put_f64(a, get_f64(b))
    put_f64(a + 8, get_f64(b + 8))
    put_f64(b, first)
    put_f64(b + 8, second)


@inlined
def _weighted_median(pairs: int, count: int, half: float) -> int:
    """Address of the pair (value, weight) at which the weights in ascending order reach half.

    Quickselect: partitions only the side that holds the answer.
    """
    left = 0
    right = count - 1
    before = 0.0
    while left < right:
        split = get_f64(pairs + 16 * ((left + right) // 2))
        # Three parts: smaller, equal and larger than the split value.
        smaller = left
        larger = right
        i = left
        while i <= larger:
            value = get_f64(pairs + 16 * i)
            if value < split:
                _swap_pairs(pairs + 16 * i, pairs + 16 * smaller)
                smaller += 1
                i += 1
            elif value > split:
                _swap_pairs(pairs + 16 * i, pairs + 16 * larger)
                larger -= 1
            else:
                i += 1
        below = before
        for j in range(left, smaller):
            below += abs(get_f64(pairs + 16 * j + 8))
        if below >= half:
            right = smaller - 1
            continue
        upto = below
        for j in range(smaller, larger + 1):
            upto += abs(get_f64(pairs + 16 * j + 8))
            if upto >= half:
                return pairs + 16 * j
        before = upto
        left = larger + 1
    return pairs + 16 * left


@inlined
def _slope_through(values: int, n: int, pivot: int, work: int) -> tuple[float, int]:
    """Best slope of a line through one point, by least absolute deviation, and the other point.

    The weighted median of the slopes to all other points, weights |distance|.
    """
    y = get_f64(values + 8 * pivot)
    pair = work
    total = 0.0
    for i in range(n):
        distance = float(i - pivot)
        if i != pivot:
            put_f64(pair, (get_f64(values + 8 * i) - y) / distance)
            put_f64(pair + 8, distance)
            total += abs(distance)
            pair += 16
    found = _weighted_median(work, n - 1, 0.5 * total)
    return get_f64(found), pivot + int(get_f64(found + 8))


@inlined
def _deviation(values: int, n: int, pivot: int, slope: float) -> float:
    """Sum of absolute deviations from the line through one point."""
    y = get_f64(values + 8 * pivot)
    total = 0.0
    for i in range(n):
        total += abs(get_f64(values + 8 * i) - y - slope * (i - pivot))
    return total


@inlined
def _best_line(values: int, n: int, work: int) -> tuple[int, float, float]:
    """Line of least absolute deviation through (i, value i): (a point on it, slope, deviation).

    From a point, the best line through it goes through a second one; go on from there until
    nothing improves. Where more than two points lie on the line each is tried, so that the
    result is the minimum also when values repeat. Ranks are whole numbers, so about one pixel
    in a hundred has several lines that are equally good: then it is the flattest.
    """
    pivot = n // 2
    slope, other = _slope_through(values, n, pivot, work)
    best = _deviation(values, n, pivot, slope)
    improved = True
    while improved:
        improved = False
        y = get_f64(values + 8 * pivot)
        on_line = 1e-12 * (best + abs(y))
        for i in range(n):
            candidate = (other + i) % n
            if candidate == pivot:
                continue
            if abs(get_f64(values + 8 * candidate) - y - slope * (candidate - pivot)) > on_line:
                continue
            s, o = _slope_through(values, n, candidate, work)
            d = _deviation(values, n, candidate, s)
            flatter = d <= best * (1.0 + 1e-12) and s < slope - 1e-12 * abs(slope)
            if d < best * (1.0 - 1e-12) or flatter:
                pivot, slope, other, best = candidate, s, o, d
                improved = True
                break
    return pivot, slope, best


@inlined
def linear_fit(
    values: int,
    n: int,
    low: float,
    high: float,
    iterations: float,
    keep: int,
    floor: float,
    work: int,
) -> tuple[int, int, int]:
    """Linear fit clipping; rejected values are moved to the two ends. Sigma is at least ``floor``.

    Returns (first kept, end of kept, held).
    """
    first = 0
    end = n
    passes = 0.0
    while end - first >= 5 or (passes > 0 and end - first >= 3):
        if passes >= iterations:
            break
        count = end - first
        kept = values + 8 * first
        pivot, slope, total = _best_line(kept, count, work)
        sigma = max(2.0 * total / count, floor)
        y = get_f64(kept + 8 * pivot)
        if sigma <= 1e-14 * abs(y):
            break
        # Kept values to the front of the work memory, rejected ones behind, low then high.
        below = 0
        above = 0
        for i in range(count):
            v = get_f64(kept + 8 * i)
            residual = v - y - slope * (i - pivot)
            if -residual > low * sigma:
                below += 1
            elif residual > high * sigma:
                above += 1
        if below + above == 0:
            break
        if count - below - above < keep:
            center = median_of(values, first, end)
            first, end = nearest(values, first, end, center, min(keep, count))
            return first, end, 1
        a = 0
        b = below
        c = count - above
        for i in range(count):
            v = get_f64(kept + 8 * i)
            residual = v - y - slope * (i - pivot)
            if -residual > low * sigma:
                put_f64(work + 8 * a, v)
                a += 1
            elif residual > high * sigma:
                put_f64(work + 8 * c, v)
                c += 1
            else:
                put_f64(work + 8 * b, v)
                b += 1
        for i in range(count):
            put_f64(kept + 8 * i, get_f64(work + 8 * i))
        first += below
        end -= above
        passes += 1.0
    return first, end, 0
