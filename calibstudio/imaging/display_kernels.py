"""Compiled loops of `calibstudio.imaging.display`: import only where numba may be imported.

Every function lets go of the interpreter lock, takes whole read-only C-contiguous arrays and
a rectangle (never a slice), so that exactly one version for each pixel type is compiled, and
has a twin in numpy that is used until this module is warm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

_F = TypeVar("_F", bound=Callable[..., Any])


def _jit(function: _F) -> _F:
    return cast(_F, numba.njit(nogil=True, cache=True, error_model="numpy")(function))


@_jit
def reduce_raw(
    a: NDArray[Any], n: int, saturation: float, out: NDArray[np.float32], flags: NDArray[np.uint8]
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Means of n x n pixels (n 2 or 4) of a uint16 frame, flags of each block, how many clip.

    A band of n rows at a time: plain loops along rows become vector instructions, and the flags
    are only looked at where a band has a clipped pixel at all.
    """
    ny, nx = a.shape
    n_saturated = 0
    n_zero = 0
    limit = np.int32(np.ceil(min(max(saturation, -1.0), 65536.0)))
    total = np.empty(nx, np.int32)
    for j in range(out.shape[0]):
        first = n * j
        rows = min(n, ny - first)
        highest = np.uint16(0)
        lowest = np.uint16(65535)
        if rows == 4:
            r0, r1, r2, r3 = a[first], a[first + 1], a[first + 2], a[first + 3]
            for x in range(nx):
                total[x] = np.int32(r0[x]) + np.int32(r1[x]) + np.int32(r2[x]) + np.int32(r3[x])
            for x in range(nx):
                highest = max(highest, max(max(r0[x], r1[x]), max(r2[x], r3[x])))
            for x in range(nx):
                lowest = min(lowest, min(min(r0[x], r1[x]), min(r2[x], r3[x])))
        else:
            total[:] = 0
            for y in range(first, first + rows):
                row = a[y]
                for x in range(nx):
                    total[x] += np.int32(row[x])
                for x in range(nx):
                    highest = max(highest, row[x])
                for x in range(nx):
                    lowest = min(lowest, row[x])
        full = nx // n
        means = out[j]
        scale = np.float32(1.0 / (n * rows))
        if n == 4:
            for i in range(full):
                means[i] = scale * np.float32(
                    total[4 * i] + total[4 * i + 1] + total[4 * i + 2] + total[4 * i + 3]
                )
        else:
            for i in range(full):
                means[i] = scale * np.float32(total[2 * i] + total[2 * i + 1])
        if full < means.shape[0]:
            rest = 0.0
            for x in range(full * n, nx):
                rest += total[x]
            means[full] = np.float32(rest / ((nx - full * n) * rows))
        marks = flags[j]
        marks[:] = 0
        if highest < limit and lowest > 0:
            continue
        for y in range(first, first + rows):
            for x in range(nx):
                if a[y, x] >= limit:
                    marks[x // n] |= np.uint8(1)
                    n_saturated += 1
                if a[y, x] == 0:
                    marks[x // n] |= np.uint8(2)
                    n_zero += 1
    return n_saturated, n_zero


@_jit
def reduce_float(
    a: NDArray[Any], n: int, saturation: float, out: NDArray[np.float32], flags: NDArray[np.uint8]
) -> tuple[int, int]:  # pragma: no cover - compiled
    """As `reduce_raw`, for float32 pixels; NaN are left out of the means and flagged."""
    ny, nx = a.shape
    n_saturated = 0
    n_zero = 0
    limit = np.float32(saturation)
    total = np.empty(nx, np.float32)
    for j in range(out.shape[0]):
        first = n * j
        rows = min(n, ny - first)
        special: Any = 0
        total[:] = 0
        for y in range(first, first + rows):
            row = a[y]
            for x in range(nx):
                total[x] += row[x]
            for x in range(nx):
                special += np.int32(row[x] >= limit) | np.int32(row[x] == 0)
        for x in range(nx):
            special += np.int32(total[x] != total[x])
        full = nx // n
        means = out[j]
        scale = np.float32(1.0 / (n * rows))
        if n == 4:
            for i in range(full):
                means[i] = scale * (
                    total[4 * i] + total[4 * i + 1] + total[4 * i + 2] + total[4 * i + 3]
                )
        else:
            for i in range(full):
                means[i] = scale * (total[2 * i] + total[2 * i + 1])
        marks = flags[j]
        marks[:] = 0
        if special == 0 and full == means.shape[0]:
            continue
        for i in range(means.shape[0]):
            block = 0.0
            count = 0
            for y in range(first, first + rows):
                for x in range(n * i, min(n * i + n, nx)):
                    v = a[y, x]
                    if v != v:
                        marks[i] |= np.uint8(4)
                        continue
                    block += v
                    count += 1
                    if v >= limit:
                        marks[i] |= np.uint8(1)
                        n_saturated += 1
                    if v == 0:
                        marks[i] |= np.uint8(2)
                        n_zero += 1
            means[i] = np.float32(block / count) if count > 0 else np.float32(np.nan)
    return n_saturated, n_zero


@_jit
def halve(
    a: NDArray[np.float32],
    a_flags: NDArray[np.uint8],
    out: NDArray[np.float32],
    flags: NDArray[np.uint8],
) -> None:  # pragma: no cover - compiled
    """The next coarser level from a level of means; NaN are left out."""
    ny, nx = a.shape
    total = np.empty(nx + 1, np.float32)
    merged = np.empty(nx + 1, np.uint8)
    for j in range(out.shape[0]):
        below = min(2 * j + 1, ny - 1)
        top = a[2 * j]
        low = a[below]
        top_marks = a_flags[2 * j]
        low_marks = a_flags[below]
        for x in range(nx):
            total[x] = top[x] + low[x]
        for x in range(nx):
            merged[x] = top_marks[x] | low_marks[x]
        total[nx] = total[nx - 1]
        merged[nx] = merged[nx - 1]
        means = out[j]
        marks = flags[j]
        missing: Any = 0
        for i in range(means.shape[0]):
            means[i] = (total[2 * i] + total[2 * i + 1]) * np.float32(0.25)
            missing += np.int32(means[i] != means[i])
        for i in range(means.shape[0]):
            marks[i] = merged[2 * i] | merged[2 * i + 1]
        if missing == 0:
            continue
        for i in range(means.shape[0]):
            block = 0.0
            count = 0
            for y in range(2 * j, min(2 * j + 2, ny)):
                for x in range(2 * i, min(2 * i + 2, nx)):
                    if a[y, x] == a[y, x]:
                        block += a[y, x]
                        count += 1
            means[i] = np.float32(block / count) if count > 0 else np.float32(np.nan)


@_jit
def sample(
    a: NDArray[Any],
    a_flags: NDArray[np.uint8],
    saturation: float,
    iy: NDArray[np.int32],
    wy: NDArray[np.float32],
    ix: NDArray[np.int32],
    wx: NDArray[np.float32],
    black: float,
    steps_per_adu: float,
    lut: NDArray[np.uint8],
    out: NDArray[np.uint8],
    flags: NDArray[np.uint8],
) -> None:  # pragma: no cover - compiled
    """Fill a view: two-tap interpolation each way, stretch by table, flags of all four taps.

    ``a_flags`` of size 0 means that ``a`` holds single pixels, so that they flag themselves.
    Weight 0 reads the first tap alone.
    """
    ny, nx = a.shape
    last = np.float32(lut.shape[0] - 1)
    low = np.float32(black)
    slope = np.float32(steps_per_adu)
    own = a_flags.size == 0
    for j in range(out.shape[0]):
        y0 = iy[j]
        v = wy[j]
        y1 = min(y0 + 1, ny - 1) if v > 0 else y0
        for i in range(out.shape[1]):
            x0 = ix[i]
            u = wx[i]
            x1 = min(x0 + 1, nx - 1) if u > 0 else x0
            p = np.float32(a[y0, x0])
            q = np.float32(a[y0, x1])
            r = np.float32(a[y1, x0])
            s = np.float32(a[y1, x1])
            mark = np.uint8(0)
            if own:
                if max(max(p, q), max(r, s)) >= saturation:
                    mark |= np.uint8(1)
                if p == 0 or q == 0 or r == 0 or s == 0:
                    mark |= np.uint8(2)
            else:
                mark = a_flags[y0, x0] | a_flags[y0, x1] | a_flags[y1, x0] | a_flags[y1, x1]
            top = p + (q - p) * u
            bottom = r + (s - r) * u
            value = top + (bottom - top) * v
            if value != value:
                mark = np.uint8(4)
                out[j, i] = 0
            else:
                mark &= np.uint8(3)
                step = (value - low) * slope
                step = min(max(step, np.float32(0.0)), last)
                out[j, i] = lut[np.int32(step + np.float32(0.5))]
            flags[j, i] = mark


@_jit
def count_raw(
    a: NDArray[Any], y0: int, y1: int, sy: int, x0: int, x1: int, sx: int
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    """Count each value of a uint16 rectangle (every ``sy``-th row, ``sx``-th column)."""
    one = np.zeros(65536, dtype=np.uint32)
    two = np.zeros(65536, dtype=np.uint32)
    total = np.zeros(65536, dtype=np.int64)
    for y in range(y0, y1, sy):
        row = a[y]
        x = x0
        while x + sx < x1:
            one[row[x]] += np.uint32(1)
            two[row[x + sx]] += np.uint32(1)
            x += 2 * sx
        if x < x1:
            one[row[x]] += np.uint32(1)
    for k in range(65536):
        total[k] = np.int64(one[k]) + np.int64(two[k])
    return total


@_jit
def count_float(
    a: NDArray[Any],
    y0: int,
    y1: int,
    sy: int,
    x0: int,
    x1: int,
    sx: int,
    low: float,
    width: float,
    counts: NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Add the finite values of a float32 rectangle; those outside go to the first and last bin."""
    n = counts.shape[0]
    for y in range(y0, y1, sy):
        for x in range(x0, x1, sx):
            v = float(a[y, x])
            if v - v == 0.0:  # finite
                counts[int(min(max((v - low) / width, 0.0), n - 1.0))] += 1


@_jit
def colour(
    grey: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    lut: NDArray[np.uint32],
    marks: NDArray[np.uint32],
    shown: int,
    out: NDArray[np.uint32],
) -> None:  # pragma: no cover - compiled
    """Grey and flags to 0xFFRRGGBB; ``marks`` are saturated, zero, zero between, no value."""
    for j in range(grey.shape[0]):
        for i in range(grey.shape[1]):
            mark = flags[j, i] & shown
            if mark == 0:
                out[j, i] = lut[grey[j, i]]
            elif mark & 4:
                out[j, i] = marks[3]
            elif mark & 1:
                out[j, i] = marks[0]
            else:
                out[j, i] = marks[1] if (i + j) & 1 == 0 else marks[2]
