"""How much each frame counts in a weighted mean: by its noise, measured against the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.pixels import PlaneRows, RowSource
from calibstudio.imaging.combine import Scale
from calibstudio.imaging.combine_bands import describe_frames

_ROWS = 16
"""Rows of each frame that are looked at, evenly spread over its middle half."""
_VALUES = 16_384
_LEAST = 0.01
"""A frame's variance against the median of all: less is not believed."""


def noise_weights(
    sources: Sequence[RowSource],
    *,
    scales: Sequence[Scale] | None = None,
    offsets: Sequence[float] | None = None,
    subtract: Sequence[PlaneRows | None] | None = None,
) -> list[float]:
    """Return the inverse variance of each frame's noise as it is combined; their mean is 1.

    Parameters
    ----------
    sources, scales, offsets, subtract
        As `calibstudio.imaging.combine.combine` takes them.

    Raises
    ------
    FileProblemError
        If a frame cannot be read.

    Notes
    -----
    With M the mean of n frames and V_i the variance of frame i minus M over pixels,
    V_i = sigma_i^2 (1 - 2 / n) + S / n^2, S the sum of all sigma^2, which is sum V_i n / (n - 1).
    What is fixed in all frames is in M and drops out. Two frames cannot be told apart: 1 each.
    """
    n = len(sources)
    if n < 3:
        return [1.0] * n
    frames = describe_frames(sources, scales, offsets, subtract, sources[0].shape)
    ny, nx = sources[0].shape
    rows = sorted({int(y) for y in np.linspace(ny // 4, max(ny // 4, 3 * ny // 4 - 1), _ROWS)})
    step = max(1, len(rows) * nx // _VALUES)
    stack = np.stack(
        [
            np.concatenate(
                [frames.prepared(i, y, s.read_rows(y, y + 1)).reshape(-1) for y in rows]
            )[::step]
            for i, s in enumerate(sources)
        ]
    )
    variances = frame_variances(stack)
    weights = 1.0 / variances
    return [float(w) for w in weights / weights.mean()]


def frame_variances(stack: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the variance of the noise of each of at least 3 frames.

    Parameters
    ----------
    stack
        Shape (n, m): m pixels of n frames; NaN is left out.
    """
    n = len(stack)
    stack = stack[:, np.isfinite(stack).all(axis=0)].astype(np.float64)
    if stack.shape[1] < 2:
        return np.ones(n)
    # Sorted, so that the sum does not depend on the order of the frames.
    mean = np.sort(stack, axis=0).mean(axis=0)
    seen = np.array([_clipped_variance(row) for row in stack - mean])
    total = seen.sum() * n / (n - 1)
    found = (seen - total / n**2) / (1.0 - 2.0 / n)
    middle = float(np.sort(found)[n // 2])
    if not middle > 0:
        return np.ones(n)
    return np.asarray(np.maximum(found, _LEAST * middle))


def _clipped_variance(values: NDArray[np.float64]) -> float:
    """Variance about the median without what lies beyond 5 robust sigma: hits and hot pixels."""
    away = values - np.sort(values)[len(values) // 2]
    spread = 1.4826 * float(np.sort(np.abs(away))[len(away) // 2])
    inside = away[np.abs(away) <= 5.0 * spread] if spread > 0 else away
    return float(inside.var())
