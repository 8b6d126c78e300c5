"""Numbers that are nearly the same become one cluster; never a bucket, never float equality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_SLACK = 1e-9
"""Gaps within rounding of the tolerance belong together (300 and 301.5 at 0.5 %)."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Members of one cluster, as indices into the values given, in ascending order of value."""

    members: tuple[int, ...]
    was_cut: bool = False
    """Whether a longer chain of values was cut at its largest gaps to make this one."""


def clusters(values: Sequence[float], tolerance: Callable[[float], float]) -> list[Cluster]:
    """Cluster numbers that lie close together.

    Sorted values are cut where the gap exceeds the tolerance. A cluster that is then wider than
    twice the tolerance (a chain of small gaps) is cut at its largest gaps until no part is.

    Parameters
    ----------
    values
        Finite numbers, in any order.
    tolerance
        How far neighbours may lie apart, for values near this one (the cluster's median when its
        width is judged).

    Returns
    -------
    list of Cluster
        In ascending order of value. The same values in another order give the same clusters:
        equal values are never separated.
    """
    order = sorted(range(len(values)), key=lambda i: (values[i], i))
    if not order:
        return []
    runs: list[list[int]] = [[order[0]]]
    for before, this in pairwise(order):
        gap = values[this] - values[before]
        if gap > tolerance((values[this] + values[before]) / 2) * (1 + _SLACK) + 1e-12:
            runs.append([])
        runs[-1].append(this)
    return [part for run in runs for part in _cut(run, values, tolerance)]


def _cut(
    run: list[int], values: Sequence[float], tolerance: Callable[[float], float]
) -> list[Cluster]:
    """Cut a run that is too wide at its largest gaps."""
    pending, done, was_cut = [run], [], False
    while pending:
        part = pending.pop()
        low, high = values[part[0]], values[part[-1]]
        limit = 2 * tolerance(median(values[i] for i in part))
        if high - low <= limit * (1 + _SLACK) + 1e-12:
            done.append(part)
            continue
        was_cut = True
        middle = (low + high) / 2
        at = max(
            range(1, len(part)),
            # Of equal gaps (within rounding) the one nearest the middle, so that halves are even.
            key=lambda k: (
                round(values[part[k]] - values[part[k - 1]], 9),
                -abs((values[part[k]] + values[part[k - 1]]) / 2 - middle),
            ),
        )
        # The right part goes first on the stack, so that parts come out in ascending order.
        pending += [part[at:], part[:at]]
    return [Cluster(tuple(part), was_cut) for part in done]


def angle_clusters(values: Sequence[float], tolerance_deg: float) -> list[Cluster]:
    """Cluster angles in degrees; 359.8° and 0.1° are neighbours."""
    if not values:
        return []
    turned = [v % 360.0 for v in values]
    ordered = sorted(set(turned))
    gaps = [
        ((ordered[(i + 1) % len(ordered)] - v) % 360.0 or 360.0, ordered[(i + 1) % len(ordered)])
        for i, v in enumerate(ordered)
    ]
    # The circle is opened at its widest gap.
    _, start = max(gaps)
    opened = [(v - start) % 360.0 for v in turned]
    return clusters(opened, lambda _: tolerance_deg)
