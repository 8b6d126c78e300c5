"""Medians and percentiles of images that are seen band by band: exact, and without a sorted copy.

Values are counted by the upper half of their bits, then those that share it by the lower half:
two looks at the image, whatever its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bands = Callable[[], Iterable[NDArray[Any]]]
"""Gives the values, any shape, from the start each time it is called; NaN is left out."""
_SIGN = np.uint32(0x80000000)
_HALF = 1 << 16


def median_of(bands: Bands) -> float:
    """Return the median as `numpy.median` of the finite values in float32; NaN without any."""
    total, counts = _upper(bands)
    if not total:
        return float("nan")
    low, high = (total - 1) // 2, total // 2
    a, b = _values_at(bands, counts, [low, high])
    # As numpy does: the mean of both in their own type.
    return float(np.mean(np.array([a, b], np.float32)))


def percentiles_of(bands: Bands, percents: Sequence[float]) -> tuple[float, ...]:
    """Return percentiles of the finite values, between two of them in proportion; NaN for none.

    As `numpy.percentile` (linear).
    """
    total, counts = _upper(bands)
    if not total:
        return tuple(float("nan") for _ in percents)
    places = [p / 100.0 * (total - 1) for p in percents]
    ranks = sorted({r for p in places for r in (int(p), min(int(p) + 1, total - 1))})
    found = dict(zip(ranks, _values_at(bands, counts, ranks), strict=True))
    out = []
    for place in places:
        first = int(place)
        low, high = float(found[first]), float(found[min(first + 1, total - 1)])
        out.append(low + (high - low) * (place - first))
    return tuple(out)


def _codes(values: NDArray[Any]) -> NDArray[np.uint32]:
    """Return whole numbers in the order of the finite values."""
    flat = np.asarray(values, np.float32).ravel()
    known = np.isfinite(flat)
    if not known.all():
        flat = flat[known]
    # + 0.0 makes one zero of both.
    bits = (flat + np.float32(0.0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _value(code: int) -> np.float32:
    bits = np.uint32(code & 0x7FFFFFFF if code & 0x80000000 else ~code & 0xFFFFFFFF)
    return np.float32(np.array([bits]).view(np.float32)[0])


def _upper(bands: Bands) -> tuple[int, NDArray[np.int64]]:
    counts = np.zeros(_HALF, np.int64)
    for band in bands():
        counts += np.bincount((_codes(band) >> np.uint32(16)).astype(np.int64), minlength=_HALF)
    return int(counts.sum()), counts


def _values_at(bands: Bands, counts: NDArray[np.int64], ranks: Sequence[int]) -> list[np.float32]:
    """Return the values at these places of the sorted order."""
    ends = np.cumsum(counts)
    uppers = [int(np.searchsorted(ends, rank, side="right")) for rank in ranks]
    lower = {upper: np.zeros(_HALF, np.int64) for upper in uppers}
    for band in bands():
        codes = _codes(band)
        top = codes >> np.uint32(16)
        for upper, own in lower.items():
            low = codes[top == upper] & np.uint32(0xFFFF)
            own += np.bincount(low.astype(np.int64), minlength=_HALF)
    found = []
    for rank, upper in zip(ranks, uppers, strict=True):
        left = rank - int(ends[upper] - counts[upper])
        code = int(np.searchsorted(np.cumsum(lower[upper]), left, side="right"))
        found.append(_value(upper << 16 | code))
    return found
