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
def _residuals(values: int, n: int, p: int, q: int, tiny: float, work: int) -> tuple[int, int]:
    """Residuals from the line through points p and q, times q - p: (sum of signs, of i signs).

    They go to ``work``. For whole numbers they are whole, hence exact. ``tiny`` (i - p)(i - q) is
    added: as if y were y + tiny i^2, so that no three points ever lie on one line.
    """
    y = get_f64(values + 8 * p)
    width = float(q - p)
    rise = get_f64(values + 8 * q) - y
    signs = 0
    moments_of_signs = 0
    for i in range(n):
        d = (get_f64(values + 8 * i) - y) * width - rise * (i - p)
        d += tiny * ((i - p) * (i - q))
        put_f64(work + 8 * i, d)
        sign = (1 if d > 0.0 else 0) - (1 if d < 0.0 else 0)
        signs += sign
        moments_of_signs += i * sign
    return signs, moments_of_signs


@inlined
def _next_point(work: int, n: int, pivot: int, other: int, gain: int, up: bool) -> int:
    """Turn the line about a point, up or down, until the deviation falls no more.

    Each point that the line meets makes the fall slower by twice its distance, so the line
    stops at a weighted median of the turns. Returns the point where it stops, or -1.
    """
    pairs = work + 8 * n
    count = 0
    for i in range(n):
        distance = float(i - pivot) if up else float(pivot - i)
        d = get_f64(work + 8 * i)
        if i != other and d * distance > 0.0:
            put_f64(pairs + 16 * count, d / distance)
            put_f64(pairs + 16 * count + 8, distance)
            count += 1
    if count == 0:
        return -1
    found = _weighted_median(pairs, count, 0.5 * gain)
    distance = get_f64(found + 8)
    return pivot + int(distance) if up else pivot - int(distance)


@inlined
def _best_line(values: int, n: int, work: int) -> tuple[int, float]:
    """Line of least absolute deviation through (i, value i); of several the flattest.

    Returns (width, deviation times width), and leaves the residuals times width in ``work``.

    The least deviation is found at a line through two points p and q. There, with s_i the sign
    of residual i, S = sum s_i and M = sum i s_i of the other points, turning about q changes
    the deviation at the rate -(M - q S) + (q - p) upwards and (M - q S) + (q - p) downwards,
    and likewise about p; when no rate is negative the line is best, because the deviation is
    convex. A rate of exactly zero is taken downwards only: so the flattest of equally good
    lines is found. Residuals of exactly zero count as `_residuals` says; the optimum of values
    that are changed so little is one of the values themselves. Sorted noise crosses its line at
    1 / sqrt(2) of the way from the middle to either end, where S = M = 0: the start.
    """
    tiny = (get_f64(values + 8 * (n - 1)) - get_f64(values)) * 2.0**-60
    p = int(0.5 * (n - 1) - 0.35355339 * n + 0.5)
    q = n - 1 - p
    for _ in range(4 * n + 16):  # A handful in truth; rounding of floats must not go round.
        signs, moments_of_signs = _residuals(values, n, p, q, tiny, work)
        about_q = moments_of_signs - q * signs
        about_p = moments_of_signs - p * signs
        width = q - p
        gain_q = max(about_q - width, -about_q - width)
        gain_p = max(about_p - width, -about_p - width)
        if gain_q < 0 or (gain_q == 0 and about_q > 0):
            gain_q = -1
        if gain_p < 0 or (gain_p == 0 and about_p > 0):
            gain_p = -1
        if gain_q < 0 and gain_p < 0:
            break
        if gain_q >= gain_p:
            other = _next_point(work, n, q, p, gain_q, about_q > 0)
            pivot = q
        else:
            other = _next_point(work, n, p, q, gain_p, about_p > 0)
            pivot = p
        if other < 0:
            break
        p = min(pivot, other)
        q = max(pivot, other)
    _residuals(values, n, p, q, 0.0, work)
    total = 0.0
    for i in range(n):
        total += abs(get_f64(work + 8 * i))
    return q - p, total


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
        width, total = _best_line(kept, count, work)
        sigma = max(2.0 * total / count, floor * width)
        if sigma <= 1e-14 * width * abs(get_f64(kept + 8 * (count // 2))):
            break
        below = 0
        above = 0
        for i in range(count):
            residual = get_f64(work + 8 * i)
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
        # Kept values to the middle of the work memory, between those rejected low and high.
        sorted_out = work + 8 * count
        a = 0
        b = below
        c = count - above
        for i in range(count):
            v = get_f64(kept + 8 * i)
            residual = get_f64(work + 8 * i)
            if -residual > low * sigma:
                put_f64(sorted_out + 8 * a, v)
                a += 1
            elif residual > high * sigma:
                put_f64(sorted_out + 8 * c, v)
                c += 1
            else:
                put_f64(sorted_out + 8 * b, v)
                b += 1
        for i in range(count):
            put_f64(kept + 8 * i, get_f64(sorted_out + 8 * i))
        first += below
        end -= above
        passes += 1.0
    return first, end, 0
