"""The order in which rows of a block are compared: Batcher's merge exchange.

A sorting network does the same comparisons whatever the values are, so sixteen pixels go
through it at once. Runs of `RUN` rows are sorted in registers first; this merges them.
"""

from __future__ import annotations

import functools
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.kernels_layout import RUN


@functools.lru_cache(maxsize=64)
def _pairs(n: int) -> tuple[tuple[int, int], ...]:
    """Comparisons that sort n rows whose full runs of `RUN` are in order already.

    Merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M; Batcher 1968)
    written for runs: those of length p are merged to 2 p, for p = 1, 2, 4, ...
    """
    tail = n - n % RUN
    pairs = []
    p = 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                for i in range(j, min(j + k, n - k)):
                    if i // (2 * p) != (i + k) // (2 * p):
                        continue
                    if p >= RUN or i >= tail:
                        pairs.append((i, i + k))
            k //= 2
        p *= 2
    return tuple(pairs)


def comparisons(n: int, row_bytes: int, only: Collection[int] | None = None) -> NDArray[np.int32]:
    """Return the pairs to compare after the runs, as offsets in bytes, shape (pairs, 2).

    ``only``: rows that are asked for; comparisons that do not reach them are left out (a
    median needs about half of them).
    """
    pairs = list(_pairs(n))
    if only is not None:
        wanted = set(only)
        needed = []
        for pair in reversed(pairs):
            if wanted & set(pair):
                wanted |= set(pair)
                needed.append(pair)
        pairs = needed[::-1]
    if not pairs:
        return np.zeros((0, 2), np.int32)
    return np.array(pairs, np.int32) * row_bytes
