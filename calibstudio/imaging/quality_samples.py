"""Tiles of many frames, and what pairs and stacks of them say about noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import give_way
from calibstudio.imaging.quality_levels import (
    Image,
    adu_quantum,
    central_level,
    channels,
    clipped_statistics,
    noises_of_tiles,
    plain_image,
    rough_medians,
    tiles,
)
from calibstudio.imaging.quality_shape import bin_levels, measure_shape

Tiles = NDArray[Any]
"""Shape (n, height, width): the same places of every frame, channel after channel."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What is kept of a frame while a set is measured: a few megabytes, not the frame."""

    shape: tuple[int, int]
    tiles: Tiles
    level: float
    """The frame's level as everywhere (`central_level`), ADU; of the brightest channel."""
    mean: float
    """Mean of the clipped means of tiles all over the frame, ADU: good to a thousandth of the
    noise, where a median of whole numbers moves in steps. What drifts and jumps is seen in it."""
    noise: float
    """Median of the tiles' noise, fixed pattern included, rounding taken out, ADU."""
    gradient: float
    """Peak to valley of the plane part, ADU, of the worst channel."""
    bins: NDArray[np.float64]
    """Clipped means of 32 x 32 bins of each channel, shape (channels, rows, columns)."""
    step: float
    digest: bytes
    """Of the tiles: equal only for copies of a frame."""


def tiles_per_frame(n_frames: int) -> int:
    """Return how many tiles of each frame are kept: all frames together about 35 MB."""
    return int(np.clip(4000 // max(1, n_frames), 16, 128))


def take_sample(data: Image, bayer: str | None, *, at_most: int) -> Sample:
    """Keep of a frame what a set is measured by."""
    data = plain_image(data)
    planes = channels(data, bayer)
    cut = np.concatenate(
        [tiles(p, at_most=max(4, at_most // len(planes))) for p in planes.values()]
    )
    step = adu_quantum(data)
    sigmas = noises_of_tiles(cut, step=step)
    sigmas = sigmas[np.isfinite(sigmas)]
    noise = float(np.median(sigmas)) if sigmas.size else float("nan")
    means = tile_means(cut, step)
    known = means[np.isfinite(means)]
    bins = [bin_levels(p, step=step) for p in planes.values()]
    gradients = [
        measure_shape(p, levels=b).plane_p2v for p, b in zip(planes.values(), bins, strict=True)
    ]
    return Sample(
        (int(data.shape[0]), int(data.shape[1])),
        cut,
        central_level(data, bayer).value_adu,
        float(known.mean()) if known.size else float("nan"),
        float(np.sqrt(max(noise**2 - step**2 / 12.0, 0.0))) if noise == noise else noise,
        float(np.max(gradients)),
        np.stack(bins),
        step,
        blake2b(np.ascontiguousarray(cut).tobytes(), digest_size=16).digest(),
    )


def tile_means(cut: Tiles, step: float) -> NDArray[np.float64]:
    """Return the clipped mean of each tile; NaN for a tile without values."""
    if cut.dtype.kind == "f" and not np.isfinite(cut).all():
        return np.array([clipped_statistics(tile, step=step).mean for tile in cut])
    parts = [_means_of_some(cut[i : i + 16], step) for i in range(0, len(cut), 16)]
    return np.concatenate(parts) if parts else np.empty(0)


def _means_of_some(cut: Tiles, step: float) -> NDArray[np.float64]:
    give_way()
    flat = cut.reshape(len(cut), -1)
    middle = rough_medians(flat)
    away = (flat - middle).astype(np.float32)
    size = np.abs(away)
    spread = 1.4826 * rough_medians(size)
    keep = size <= 5.0 * np.maximum(spread, 0.5 * step)
    total = (away * keep).sum(axis=1, dtype=np.float64)
    means: NDArray[np.float64] = middle[:, 0] + total / np.count_nonzero(keep, axis=1)
    return means


def difference_variance(a: Tiles, b: Tiles, *, step: float) -> NDArray[np.float64]:
    """Return the clipped variance of a - b in each tile, ADU^2; the fixed pattern is gone.

    NaN for a tile without enough values in both.
    """
    difference = a.astype(np.float32) - b.astype(np.float32)
    return noises_of_tiles(difference, step=step) ** 2


def pair_noise(stack: Sequence[Tiles], *, step: float) -> tuple[float, float]:
    """Return the noise of one frame from all independent pairs of a set, and its standard error.

    sigma^2 = var(A - B) / 2 - step^2 / 12, the median over the tiles of a pair, the mean over
    pairs (0, 1), (2, 3) and so on. The error is that of the mean over tiles and pairs.
    NaN for fewer than two frames.
    """
    pairs = [(stack[i], stack[i + 1]) for i in range(0, len(stack) - 1, 2)]
    every = [difference_variance(a, b, step=step) for a, b in pairs]
    found = [known for v in every if (known := v[np.isfinite(v)]).size]
    if not found:
        return float("nan"), float("nan")
    variance = float(np.mean([np.median(v) for v in found])) / 2.0 - step**2 / 12.0
    sigma = float(np.sqrt(max(variance, 0.0)))
    single = np.concatenate(found) / 2.0
    if not (sigma > 0 and single.size > 1):
        return sigma, float("nan")
    # 1.25: the median of the tiles scatters more than their mean.
    spread = clipped_statistics(single).sigma
    return sigma, 1.2533 * spread / single.size**0.5 / (2.0 * sigma)


_MEDIAN_OF_CHI = {2: 0.8326, 3: 0.8881, 4: 0.9161, 5: 0.9329}
"""sqrt(median of chi^2(k) / k) for few degrees of freedom."""


@dataclass(frozen=True, slots=True)
class TemporalNoise:
    """How pixels scatter from frame to frame. NaN where there are too few frames."""

    median_adu: float
    rms_adu: float
    unstable_fraction: float

    @property
    def tail(self) -> float:
        """Root mean square over median: above 1.3 telegraph noise stands out."""
        return self.rms_adu / self.median_adu if self.median_adu > 0 else float("nan")


def temporal_noise(stack: Sequence[Tiles], *, step: float) -> TemporalNoise:
    """Measure each pixel's scatter over the frames of a set, the frames' levels taken out.

    The median of standard deviations of n frames is below sigma: it is divided by
    sqrt(median of chi^2(n - 1) / (n - 1)), from tables below 7 frames, above by Wilson and
    Hilferty: (1 - 2 / (9 (n - 1)))^3, good to 0.1 %.
    Unstable pixels have over five times the median (from 16 frames on; fewer scatter too much).
    """
    n = len(stack)
    if n < 3 or stack[0].size == 0:
        return TemporalNoise(float("nan"), float("nan"), float("nan"))
    medians, squares, unstable, total = [], 0.0, 0, 0
    for k in range(len(stack[0])):
        values = np.stack([cut[k] for cut in stack]).reshape(n, -1).astype(np.float32)
        values = values - np.median(values, axis=1, keepdims=True)
        variance = values.var(axis=0, ddof=1, dtype=np.float64)
        variance = variance[np.isfinite(variance)]
        if not variance.size:
            continue
        variance = np.maximum(variance - step**2 / 12.0, 0.0)
        middle = float(np.median(np.sqrt(variance)))
        medians.append(middle)
        squares += float(variance.sum())
        unstable += int(np.count_nonzero(variance > 25.0 * middle**2))
        total += variance.size
    if not total:
        return TemporalNoise(float("nan"), float("nan"), float("nan"))
    free = n - 1
    low = _MEDIAN_OF_CHI.get(free, (1.0 - 2.0 / (9.0 * free)) ** 1.5)
    share = unstable / total if n >= 16 else float("nan")
    return TemporalNoise(float(np.median(medians)) / low, float(np.sqrt(squares / total)), share)
