"""Winsorized sigma clipping at one pixel (definition in `calibstudio.imaging.reject`).

Compiled code (see `calibstudio.imaging.kernels`). ``values`` is the address of float64 in
ascending order, ``work`` of scratch memory.

Let F(s) be 1.134 times the standard deviation of the values pulled in to 1.5 s around the
median, so that the rule follows s -> F(s) from the plain standard deviation s0 until a step is
at most 0.05 %. Pulling values in further brings no two of them further apart, hence F(s) does
not fall, and F(s) / s does not rise, when s grows. Whether the final sigma is above or below a
given s follows from F(s) alone:

* F(s0) >= s0: the bounds never narrow, and the final sigma is F(s0).
* Else, for s below s0: F(s) >= s means that it ends at s or above. F(s) < 0.9995 s means that
  every step down to s is larger than 0.05 %, so that it ends below s.

So each value at the ends is decided by one F, at the s that would just keep it; only what falls
between the two takes all steps.
"""

from __future__ import annotations

import math

from calibstudio.imaging.kernels_values import trim
from calibstudio.imaging.kernels_vectors import get_f64, inlined, put_f64, square_root

_STEP = (1.0 - 0.0005) ** 2 * (1.0 - 1e-9)
_ABOVE = 1.0 + 1e-9
_SQUARE = 1.134 * 1.134


@inlined
def winsorized_trim(
    values: int,
    first: int,
    end: int,
    center: float,
    low: float,
    high: float,
    cutoff: float,
    floor: float,
    work: int,
) -> tuple[int, int]:
    """Drop what lies beyond low and high sigmas from the median, once: (first kept, end).

    Sigma is at least ``floor``.
    """
    n = end - first
    below = _outward_sums(values, first, end, center, work)
    per = n * (n - 1.0)
    plain = _pulled_in(work, n, below, n - below, 0, 0, 0.0)
    start = square_root(plain / per)
    if start <= 0.0:
        return first, end
    once = _SQUARE * _spread_at(values, first, end, center, below, start, work)
    furthest = max(center - get_f64(values + 8 * first), get_f64(values + 8 * (end - 1)) - center)
    # Within these nothing is ever replaced by the median.
    is_cut = furthest > cutoff * start or once * (cutoff * cutoff) < 2.25 * plain * _ABOVE
    if not is_cut and low > 0.0 and high > 0.0:
        if once >= plain:
            sigma = max(square_root(once / per), floor)
            return trim(values, first, end, center, low * sigma, high * sigma)
        a, b = first, end
        verdict = 1
        while a < end and verdict == 1:
            d = center - get_f64(values + 8 * a)
            verdict = 0
            if d > low * floor:
                s = d / low
                verdict = _ends_below(values, first, end, center, below, s, start, per, work)
            a += verdict == 1
        while verdict >= 0 and b > a:
            d = get_f64(values + 8 * (b - 1)) - center
            verdict = 0
            if d > high * floor:
                s = d / high
                verdict = _ends_below(values, first, end, center, below, s, start, per, work)
            if verdict != 1:
                break
            b -= 1
        if verdict >= 0:
            return a, b
    sigma = max(_all_steps(values, first, end, center, cutoff, below, work), floor)
    return trim(values, first, end, center, low * sigma, high * sigma)


@inlined
def _ends_below(
    values: int,
    low: int,
    high: int,
    center: float,
    below: int,
    s: float,
    start: float,
    per: float,
    work: int,
) -> int:
    """1 if the final sigma is below s, 0 if not, -1 if one step cannot tell; F(s0) < s0."""
    if s <= 0.0:
        return 0
    if s >= start:
        return 1
    spread = _SQUARE * _spread_at(values, low, high, center, below, s, work)
    square = s * s * per
    if spread >= square * _ABOVE:
        return 0
    if spread < square * _STEP:
        return 1
    return -1


@inlined
def _spread_at(
    values: int, low: int, high: int, center: float, below: int, s: float, work: int
) -> float:
    """n (n - 1) times the variance of the values pulled in to 1.5 s."""
    n = high - low
    width = 1.5 * s
    at_bottom = 0
    at_top = 0
    while at_bottom < below and center - get_f64(values + 8 * (low + at_bottom)) > width:
        at_bottom += 1
    while at_top < n - below and get_f64(values + 8 * (high - 1 - at_top)) - center > width:
        at_top += 1
    return _pulled_in(work, n, below - at_bottom, n - below - at_top, at_bottom, at_top, width)


@inlined
def _pulled_in(
    work: int,
    n: int,
    inside_below: int,
    inside_above: int,
    at_bottom: int,
    at_top: int,
    width: float,
) -> float:
    """n (n - 1) times the variance of values of which some count as the bounds."""
    sums_above = work + 16 * (n + 1)
    total = get_f64(work + 16 * inside_below) + get_f64(sums_above + 16 * inside_above)
    squares = get_f64(work + 16 * inside_below + 8) + get_f64(sums_above + 16 * inside_above + 8)
    total += (at_top - at_bottom) * width
    squares += (at_top + at_bottom) * width * width
    return max(0.0, n * squares - total * total)


@inlined
def _outward_sums(values: int, low: int, high: int, center: float, work: int) -> int:
    """Sums of deviations and of their squares, from the centre outwards to both sides.

    ``work`` gets for k = 0, 1, ... the sums of the k nearest values below the centre, and
    behind ``high - low + 1`` such pairs those of the k nearest above. Returns how many are below.
    Outwards, so that a far outlier spoils no sum without it.
    """
    n = high - low
    below = 0
    while below < n and get_f64(values + 8 * (low + below)) < center:
        below += 1
    total = 0.0
    squares = 0.0
    put_f64(work, 0.0)
    put_f64(work + 8, 0.0)
    for k in range(below):
        d = get_f64(values + 8 * (low + below - 1 - k)) - center
        total += d
        squares += d * d
        put_f64(work + 16 * (k + 1), total)
        put_f64(work + 16 * (k + 1) + 8, squares)
    above = work + 16 * (n + 1)
    total = 0.0
    squares = 0.0
    put_f64(above, 0.0)
    put_f64(above + 8, 0.0)
    for k in range(n - below):
        d = get_f64(values + 8 * (low + below + k)) - center
        total += d
        squares += d * d
        put_f64(above + 16 * (k + 1), total)
        put_f64(above + 16 * (k + 1) + 8, squares)
    return below


@inlined
def _all_steps(
    values: int, low: int, high: int, center: float, cutoff: float, below: int, work: int
) -> float:
    """Follow the rule step by step: the sigma at which it ends.

    The median does not move and bounds only come nearer, so the values inside are always a run
    around the centre: its sums are looked up in ``work``, and what lies outside counts as the
    bound.
    """
    n = high - low
    above = n - below
    per = 1.0 / (n * (n - 1.0))
    sigma = square_root(_pulled_in(work, n, below, above, 0, 0, 0.0) * per)
    least = 1e-12 * sigma
    width = math.inf
    # Values beyond the cut-off count as the centre: there are so many below and above.
    gone_below = 0
    gone_above = 0
    inside_below = below
    inside_above = above
    bottom = values + 8 * low
    top = values + 8 * (high - 1)
    while sigma > least:
        far = cutoff * sigma
        if far < width:
            while gone_below < below and center - get_f64(bottom + 8 * gone_below) > far:
                gone_below += 1
            while gone_above < above and get_f64(top - 8 * gone_above) - center > far:
                gone_above += 1
            inside_below = min(inside_below, below - gone_below)
            inside_above = min(inside_above, above - gone_above)
        width = min(width, 1.5 * sigma)
        while inside_below > 0 and center - get_f64(bottom + 8 * (below - inside_below)) > width:
            inside_below -= 1
        while inside_above > 0 and get_f64(top - 8 * (above - inside_above)) - center > width:
            inside_above -= 1
        at_bottom = below - gone_below - inside_below
        at_top = above - gone_above - inside_above
        before = sigma
        spread = _pulled_in(work, n, inside_below, inside_above, at_bottom, at_top, width)
        sigma = 1.134 * square_root(spread * per)
        if abs(sigma - before) <= 0.0005 * before:
            break
    return sigma
