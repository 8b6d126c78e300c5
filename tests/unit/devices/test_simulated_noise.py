"""The random numbers of the simulator: exact where it matters, and repeatable."""

from __future__ import annotations

from math import erfc, exp, factorial, sqrt

import numpy as np
import pytest

from calibstudio.devices.simulator import kernels
from calibstudio.devices.simulator import random_tables as tables

N = 2_000_000


def electrons_of(mean: float, n: int = N) -> np.ndarray:
    shot, read = np.empty(n, np.float32), np.empty(n, np.float32)
    kernels.fill_normals(shot, read, np.uint64(tables.mixed(5, int(mean * 1e6))))
    out = np.empty(n, np.float32)
    key = np.uint64(tables.mixed(6, int(mean * 1e6)))
    kernels.fill_electrons(out, np.full(n, mean, np.float32), shot, key)
    return out


def test_normal_deviates_have_the_moments_and_tails_of_a_normal_distribution() -> None:
    shot, read = np.empty(N, np.float32), np.empty(N, np.float32)

    kernels.fill_normals(shot, read, np.uint64(12345))

    for z in (shot.astype(float), read.astype(float)):
        assert abs(z.mean()) < 4.0 / sqrt(N)
        assert abs(z.var() - 1.0) < 4.0 * sqrt(2.0 / N)
        assert abs((z**3).mean()) < 4.0 * sqrt(15.0 / N)
        assert abs((z**4).mean() - 3.0) < 4.0 * sqrt(96.0 / N)
        for sigma in (1.0, 3.0, 4.0):
            expected = N * erfc(sigma / sqrt(2.0))
            assert abs((abs(z) > sigma).sum() - expected) < 4.0 * sqrt(expected)
    assert abs(np.corrcoef(shot, read)[0, 1]) < 4.0 / sqrt(N)


@pytest.mark.parametrize("mean", [0.0004, 0.1, 0.25, 0.9, 3.3, 11.9, 12.1, 20.0])
def test_electrons_of_small_means_are_poisson_distributed(mean: float) -> None:
    counts = np.bincount(electrons_of(mean).astype(np.int64))

    expected = np.array([N * exp(-mean) * mean**k / factorial(k) for k in range(counts.size)])
    enough = expected > 20
    chi2 = ((counts[enough] - expected[enough]) ** 2 / expected[enough]).sum()
    degrees = enough.sum()
    # The approximation above 12 may add a little: at most 20 % of the spread.
    assert chi2 < degrees + 5.0 * sqrt(2.0 * degrees) + 3.0
    assert counts[~enough].sum() < expected[~enough].sum() + 60


@pytest.mark.parametrize("mean", [60.0, 900.0, 20_000.0])
def test_electrons_of_large_means_have_the_first_three_moments_of_poisson(mean: float) -> None:
    z = (electrons_of(mean).astype(float) - mean) / sqrt(mean)

    assert abs(z.mean()) < 4.0 / sqrt(N)
    assert abs(z.var() - 1.0) < 4.0 * sqrt(2.0 / N)
    assert abs((z**3).mean() - 1.0 / sqrt(mean)) < 4.0 * sqrt(15.0 / N)


def test_the_compiled_hash_and_the_one_of_the_truth_maps_are_the_same() -> None:
    counters = np.arange(1, 100, dtype=np.uint64)

    ours = tables.hashed(77, counters)

    keys = [(77 + c * tables.GOLDEN) % 2**64 for c in range(1, 100)]
    theirs = [int(kernels.mix(np.uint64(key))) for key in keys]
    assert [int(v) for v in ours] == theirs


def test_the_tables_have_the_moments_they_promise() -> None:
    normal, exponential = tables.normal_table(), tables.exponential_table()

    assert normal.mean() == pytest.approx(0.0, abs=1e-12)
    assert normal.std() == pytest.approx(1.0)
    assert (exponential**2).mean() == pytest.approx(2.0)
