"""The order in which rows are compared to sort them: Batcher's merge exchange.

A sorting network does the same comparisons whatever the values are, so sixteen pixels go through
it at once. Plain Python: the kernels have the networks of short runs built in.
"""

from __future__ import annotations

import functools


@functools.lru_cache(maxsize=64)
def merge_exchange(n: int, run: int = 1) -> tuple[tuple[int, int], ...]:
    """Comparisons that sort n rows whose runs of ``run`` (the last may be shorter) are in order.

    Merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M; Batcher 1968)
    written for runs: those of length p are merged to 2 p, for p = 1, 2, 4, ... ``run`` is a power
    of two.
    """
    pairs: list[tuple[int, int]] = []
    p = run
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                here = range(j, min(j + k, n - k))
                pairs += [(i, i + k) for i in here if i // (2 * p) == (i + k) // (2 * p)]
            k //= 2
        p *= 2
    return tuple(pairs)
