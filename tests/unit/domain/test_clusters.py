"""Clusters: sorted, cut at gaps, never wider than twice the tolerance."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.clusters import angle_clusters, clusters


def parts(values: list[float], tolerance: float) -> list[list[float]]:
    return [[values[i] for i in c.members] for c in clusters(values, lambda _: tolerance)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([1.0], [[1.0]]),
        ([1.0, 1.0], [[1.0, 1.0]]),
        ([10.0, 1.0, 10.4], [[1.0], [10.0, 10.4]]),
        ([0.0, 0.5, 1.0], [[0.0, 0.5, 1.0]]),
        ([0.0, 0.5001], [[0.0], [0.5001]]),
        # A bucket of half a degree would part these; a cluster does not.
        ([-10.26, -10.24], [[-10.26, -10.24]]),
        # A chain is cut in its middle, at the largest gap.
        ([0.0, 0.4, 0.8, 1.2, 1.6], [[0.0, 0.4], [0.8, 1.2, 1.6]]),
        ([0.0, 0.3, 0.6, 1.05, 1.3, 1.6], [[0.0, 0.3, 0.6], [1.05, 1.3, 1.6]]),
    ],
)
def test_near_values_are_one_cluster(values: list[float], expected: list[list[float]]) -> None:
    assert parts(values, 0.5) == expected


def test_only_a_cut_chain_says_that_it_was_cut() -> None:
    assert [c.was_cut for c in clusters([0.0, 0.1, 9.0], lambda _: 0.5)] == [False, False]
    assert [c.was_cut for c in clusters([0.1 * i for i in range(30)], lambda _: 0.5)] == [True] * 4


def test_a_relative_tolerance_grows_with_the_value() -> None:
    exposures = [0.001, 0.0015, 0.004, 10.0, 10.04, 300.0, 301.4, 305.0]

    found = clusters(exposures, lambda v: max(0.001, 0.005 * v))

    assert [[exposures[i] for i in c.members] for c in found] == [
        [0.001, 0.0015],
        [0.004],
        [10.0, 10.04],
        [300.0, 301.4],
        [305.0],
    ]


VALUES = st.lists(
    st.floats(-50, 50).map(lambda v: round(v, 3)) | st.integers(-20, 20).map(float), max_size=60
)


@given(values=VALUES, tolerance=st.sampled_from([0.5, 1.0, 1.5, 2.0]), seed=st.integers(0, 999))
def test_the_order_of_the_values_does_not_matter(
    values: list[float], tolerance: float, seed: int
) -> None:
    shuffled = values.copy()
    random.Random(seed).shuffle(shuffled)

    assert parts(values, tolerance) == parts(shuffled, tolerance)


@given(values=VALUES, tolerance=st.sampled_from([0.5, 1.0, 1.5, 2.0]))
def test_clusters_keep_their_promises(values: list[float], tolerance: float) -> None:
    found = clusters(values, lambda _: tolerance)

    members = [i for c in found for i in c.members]
    assert sorted(members) == list(range(len(values)))
    for cluster in found:
        own = [values[i] for i in cluster.members]
        assert own == sorted(own)
        assert own[-1] - own[0] <= 2 * tolerance + 1e-9
        assert all(b - a <= tolerance + 1e-9 for a, b in pairwise(own))
    for left, right in pairwise(found):
        gap = values[right.members[0]] - values[left.members[-1]]
        assert gap > 0
        # Neighbours within the tolerance are only parted where a chain was too long.
        assert gap > tolerance or (left.was_cut and right.was_cut)


@given(
    center=st.floats(1, 1000),
    spread=st.lists(st.floats(-0.0024, 0.0024), min_size=1, max_size=30),
    far=st.floats(1.05, 3),
)
def test_exposures_within_half_a_percent_stay_together_and_far_ones_apart(
    center: float, spread: list[float], far: float
) -> None:
    values = [center * (1 + s) for s in spread] + [center * far]

    found = clusters(values, lambda v: max(0.001, 0.005 * v))

    assert len(found) == 2
    assert found[1].members == (len(values) - 1,)


@given(
    angles=st.lists(st.floats(0, 359.99).map(lambda v: round(v, 2)), min_size=1, max_size=30),
    turn=st.floats(0, 360).map(lambda v: round(v, 2)),
)
def test_angles_cluster_the_same_wherever_zero_is(angles: list[float], turn: float) -> None:
    here = {frozenset(c.members) for c in angle_clusters(angles, 1.0)}
    turned = [round((a + turn) % 360.0, 2) for a in angles]
    # Angles that are spread all round have no unique cut: only sparse ones are compared.
    ordered = sorted(set(angles))
    gaps = [(b - a) % 360 for a, b in pairwise([*ordered, ordered[0]])]
    if any(0.5 < g < 1.5 for g in gaps) or median([*gaps, 5.0]) < 1.5:
        return

    assert {frozenset(c.members) for c in angle_clusters(turned, 1.0)} == here


def test_359_and_0_degrees_are_neighbours() -> None:
    found = angle_clusters([359.8, 0.1, 90.0, 359.9], 1.0)

    assert {frozenset(c.members) for c in found} == {frozenset({0, 1, 3}), frozenset({2})}
