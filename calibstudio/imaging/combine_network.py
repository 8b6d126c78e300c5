"""The comparisons that merge the runs which the kernels have sorted, as the kernels read them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.kernels_layout import RUN
from calibstudio.imaging.kernels_network import merge_exchange


def comparisons(n: int, row_bytes: int, only: Collection[int] | None = None) -> NDArray[np.int32]:
    """Return the pairs to compare after the runs, as offsets in bytes, shape (pairs, 2).

    ``only``: rows that are asked for; comparisons that do not reach them are left out (a
    median needs about half of them).
    """
    pairs = list(merge_exchange(n, RUN))
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
