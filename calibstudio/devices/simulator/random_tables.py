"""Random numbers by counting: the same key gives the same number, whoever asks and when.

A pixel's fixed properties are drawn from a hash of the seed and its place, so they need no
memory at any sensor size; a frame's noise from a hash of the seed, the frame's number and the
row. `calibstudio.devices.simulator.kernels` does the same hash in compiled code.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
_MASK = (1 << 64) - 1

ZIGGURAT_LAYERS = 256
_ZIGGURAT_R = 3.6541528853610088
_ZIGGURAT_AREA = 0.00492867323399

POISSON_EXACT_BELOW = 12.0
POISSON_STEPS = 16
"""Tables stand at means 0, 1/16, 2/16, ... up to `POISSON_EXACT_BELOW`."""
_POISSON_MOST = 64
_GUIDE_CELLS = 64


def mixed(*parts: int) -> int:
    """Hash whole numbers into 64 bits.

    Notes
    -----
    The finaliser of SplitMix64: Steele, Lea and Flood (2014), *Fast splittable pseudorandom
    number generators*, OOPSLA; constants of Stafford's variant 13.
    """
    state = 0
    for part in parts:
        state = (state + GOLDEN + part * MIX_1) & _MASK
        state = ((state ^ (state >> 30)) * MIX_1) & _MASK
        state = ((state ^ (state >> 27)) * MIX_2) & _MASK
        state ^= state >> 31
    return state


def hashed(key: int, counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64 random bits for each counter, as the kernels do."""
    z = np.uint64(key) + counters * np.uint64(GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(MIX_2)
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)


@lru_cache(maxsize=1)
def normal_table() -> NDArray[np.float64]:
    """Return 256 equally likely values with mean 0 and standard deviation 1, nearly normal."""
    normal = NormalDist()
    values = np.array([normal.inv_cdf((i + 0.5) / 256) for i in range(256)])
    return np.asarray(values / values.std(), dtype=np.float64)


@lru_cache(maxsize=1)
def exponential_table() -> NDArray[np.float64]:
    """Return 256 equally likely values of an exponential distribution with mean square 2."""
    values = np.array([-log(1.0 - (i + 0.5) / 256) for i in range(256)])
    return np.asarray(values * sqrt(2.0 / np.mean(values**2)), dtype=np.float64)


@lru_cache(maxsize=1)
def ziggurat() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the edges x and the densities f of the ziggurat's layers, 257 of each.

    Notes
    -----
    Marsaglia and Tsang (2000), *The ziggurat method for generating random variables*, Journal of
    Statistical Software 5(8); layer and value from different bits (Doornik 2005).
    """
    x = np.zeros(ZIGGURAT_LAYERS + 1)
    x[0] = _ZIGGURAT_AREA / exp(-0.5 * _ZIGGURAT_R**2)
    x[1] = _ZIGGURAT_R
    for i in range(2, ZIGGURAT_LAYERS):
        x[i] = sqrt(-2.0 * log(_ZIGGURAT_AREA / x[i - 1] + exp(-0.5 * x[i - 1] ** 2)))
    return x, np.exp(-0.5 * x**2)


@lru_cache(maxsize=1)
def poisson_tables() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return cumulated probabilities and where to begin to search, for the tabulated means.

    Returns
    -------
    cdf, guide
        Shapes (193, 64) and (193, 64): ``cdf[i, k]`` is P(n <= k) at mean i / 16; ``guide[i, j]``
        the least k with ``cdf[i, k] > j / 64``.
    """
    rows = int(POISSON_EXACT_BELOW * POISSON_STEPS) + 1
    cdf = np.ones((rows, _POISSON_MOST))
    guide = np.zeros((rows, _GUIDE_CELLS), dtype=np.int64)
    for i in range(rows):
        mean = i / POISSON_STEPS
        term = total = exp(-mean)
        for k in range(_POISSON_MOST - 1):
            cdf[i, k] = total
            term *= mean / (k + 1)
            total += term
        cdf[i, _POISSON_MOST - 1] = 2.0
        guide[i] = np.searchsorted(cdf[i], np.arange(_GUIDE_CELLS) / _GUIDE_CELLS, side="right")
    return cdf, guide
