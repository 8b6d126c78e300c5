"""Rejection at one pixel: the rules themselves, on its values in ascending order.

Compiled code (see `calibstudio.imaging.kernels`); definitions and sources are in
`calibstudio.imaging.reject`. ``values`` is the address of float64 in ascending order;
``work`` of scratch memory. All arithmetic is in the order of the sorted values, so that no
result depends on the order of the files.
"""

from __future__ import annotations

from calibstudio.imaging.kernels_layout import Rule
from calibstudio.imaging.kernels_vectors import get_f64, inlined, put_f64, square_root

_NONE, _MINMAX, _PERCENTILE, _SIGMA = (
    int(Rule.NONE),
    int(Rule.MINMAX),
    int(Rule.PERCENTILE),
    int(Rule.SIGMA),
)
_MAD, _WINSORIZED, _LINEAR_FIT = int(Rule.MAD), int(Rule.WINSORIZED), int(Rule.LINEAR_FIT)


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
def _nearest(values: int, low: int, high: int, center: float, keep: int) -> tuple[int, int]:
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
def _trim(
    values: int, low: int, high: int, center: float, most_below: float, most_above: float
) -> tuple[int, int]:
    """Drop what lies further from the centre than allowed."""
    while low < high and center - get_f64(values + 8 * low) > most_below:
        low += 1
    while high > low and get_f64(values + 8 * (high - 1)) - center > most_above:
        high -= 1
    return low, high


@inlined
def mad_of(values: int, low: int, high: int, center: float) -> float:
    """Median absolute deviation about the median of sorted values, without another sort.

    Deviations grow to both ends, so the two sides are merged until the middle is reached.
    """
    n = high - low
    right = low
    while right < high and get_f64(values + 8 * right) < center:
        right += 1
    left = right - 1
    deviation = 0.0
    before = 0.0
    for _ in range(n // 2 + 1):
        before = deviation
        if left < low:
            deviation = get_f64(values + 8 * right) - center
            right += 1
        elif right >= high:
            deviation = center - get_f64(values + 8 * left)
            left -= 1
        else:
            below = center - get_f64(values + 8 * left)
            above = get_f64(values + 8 * right) - center
            if below < above:
                deviation = below
                left -= 1
            else:
                deviation = above
                right += 1
    return deviation if n % 2 == 1 else 0.5 * (before + deviation)


@inlined
def _winsorized_sigma(
    values: int, low: int, high: int, center: float, cutoff: float, work: int
) -> float:
    """Sigma of the values with their tails pulled in (Siril's form, see `reject`)."""
    n = high - low
    for i in range(n):
        put_f64(work + 8 * i, get_f64(values + 8 * (low + i)))
    _, total, squares = moments(values, low, high)
    sigma = square_root(variance_of(total, squares, n))
    least = 1e-12 * sigma
    while sigma > least:
        bottom = center - 1.5 * sigma
        top = center + 1.5 * sigma
        far = cutoff * sigma
        total = 0.0
        squares = 0.0
        for i in range(n):
            v = get_f64(work + 8 * i)
            if abs(v - center) > far:
                v = center
            v = min(max(v, bottom), top)
            put_f64(work + 8 * i, v)
            total += v - center
            squares += (v - center) * (v - center)
        before = sigma
        sigma = 1.134 * square_root(variance_of(total, squares, n))
        if abs(sigma - before) <= 0.0005 * before:
            break
    return sigma


@inlined
def _slope_through(values: int, n: int, pivot: int, work: int) -> tuple[float, int]:
    """Best slope of a line through one point, by least absolute deviation, and the other point.

    The weighted median of the slopes to all other points, weights |distance|.
    """
    y = get_f64(values + 8 * pivot)
    count = 0
    total = 0
    for i in range(n):
        if i == pivot:
            continue
        slope = (get_f64(values + 8 * i) - y) / (i - pivot)
        j = count
        # Insertion sort: the slopes of sorted values are nearly in order already.
        while j > 0 and get_f64(work + 16 * (j - 1)) > slope:
            put_f64(work + 16 * j, get_f64(work + 16 * (j - 1)))
            put_f64(work + 16 * j + 8, get_f64(work + 16 * (j - 1) + 8))
            j -= 1
        put_f64(work + 16 * j, slope)
        put_f64(work + 16 * j + 8, float(i))
        count += 1
        total += abs(i - pivot)
    reached = 0
    for j in range(count):
        other = int(get_f64(work + 16 * j + 8))
        reached += abs(other - pivot)
        if 2 * reached >= total:
            return get_f64(work + 16 * j), other
    return 0.0, pivot


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
def _linear_fit(
    values: int, n: int, low: float, high: float, iterations: float, keep: int, work: int
) -> tuple[int, int, int]:
    """Linear fit clipping; rejected values are moved to the two ends.

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
        sigma = 2.0 * total / count
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
            first, end = _nearest(values, first, end, center, min(keep, count))
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


@inlined
def _esd(values: int, n: int, limits: int, most: int, keep: int) -> tuple[int, int, int]:
    """Generalised extreme studentized deviate test (Rosner 1983)."""
    low = 0
    high = n
    best_low = 0
    best_high = n
    for i in range(most):
        if high - low < 3:
            break
        reference, total, squares = moments(values, low, high)
        mean = reference + total / (high - low)
        sigma = square_root(variance_of(total, squares, high - low))
        below = mean - get_f64(values + 8 * low)
        above = get_f64(values + 8 * (high - 1)) - mean
        if sigma <= 0.0:
            break
        extreme = max(below, above) / sigma
        if below > above:
            low += 1
        else:
            high -= 1
        if extreme > get_f64(limits + 8 * i):
            best_low = low
            best_high = high
    if best_high - best_low < min(keep, n):
        center = median_of(values, 0, n)
        best_low, best_high = _nearest(values, 0, n, center, min(keep, n))
        return best_low, best_high, 1
    return best_low, best_high, 0


@inlined
def _once(
    rule: int, values: int, n: int, low: float, high: float, keep: int
) -> tuple[int, int, int]:
    """Min/max and percentile: one pass."""
    center = median_of(values, 0, n)
    if rule == _MINMAX:
        first = min(int(low), n)
        end = max(n - int(high), first)
    else:
        size = abs(center)
        first, end = _trim(values, 0, n, center, low * size, high * size)
    if end - first < keep and end - first < n:
        first, end = _nearest(values, 0, n, center, min(keep, n))
        return first, end, 1
    return first, end, 0


@inlined
def reject(
    rule: int,
    values: int,
    n: int,
    low: float,
    high: float,
    iterations: float,
    keep: int,
    cutoff: float,
    floor: float,
    mad_factors: int,
    limits: int,
    limits_columns: int,
    work: int,
) -> tuple[int, int, int]:
    """Apply a rule to n sorted values: (first kept, end of kept, 1 where min_keep held some).

    What is rejected low lies before the kept values afterwards, what is rejected high behind.
    """
    if rule == _NONE or n < 2:
        return 0, n, 0
    if rule in (_MINMAX, _PERCENTILE):
        return _once(rule, values, n, low, high, keep)
    if rule == _LINEAR_FIT:
        return _linear_fit(values, n, low, high, iterations, keep, work)
    if rule != _SIGMA and rule != _MAD and rule != _WINSORIZED:
        most = min(int(low * n), limits_columns)
        return _esd(values, n, limits + 8 * n * limits_columns, most, keep)
    first = 0
    end = n
    passes = 0.0
    while end - first >= 2 and passes < iterations:
        center = median_of(values, first, end)
        if rule == _SIGMA:
            _, total, squares = moments(values, first, end)
            sigma = square_root(variance_of(total, squares, end - first))
        elif rule == _MAD:
            factor = get_f64(mad_factors + 8 * (end - first))
            sigma = max(factor * mad_of(values, first, end, center), floor)
        else:
            far = cutoff if passes == 0.0 else 1e300
            sigma = _winsorized_sigma(values, first, end, center, far, work)
        a, b = _trim(values, first, end, center, low * sigma, high * sigma)
        if b - a == end - first:
            break
        if b - a < keep:
            first, end = _nearest(values, first, end, center, min(keep, end - first))
            return first, end, 1
        first = a
        end = b
        passes += 1.0
    return first, end, 0
