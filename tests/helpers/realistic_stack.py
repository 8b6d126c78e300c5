"""Small stacks with everything that real frames hold: noise, hits, hot and dead pixels, ties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import ArrayRows
from calibstudio.domain.recipe import StackSettings
from calibstudio.imaging.combine import ArraySink, CombineReport, combine


def realistic_stack(
    n: int, *, seed: int, shape: tuple[int, int] = (8, 40), floats: bool = False
) -> NDArray[np.generic]:
    """Return n frames of one shape, uint16 or float32 with NaN.

    Row by row: noise with cosmic hits and dead pixels, a saturated pixel, exact zeros, a
    constant, one frame far off, coarse codes with many ties, and a hot row.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(1000.0, 7.0, (n, *shape))
    hits = rng.random(a.shape) < 0.01
    a[hits] += 60.0 + rng.exponential(1500.0, int(hits.sum()))
    a[rng.random(a.shape) < 0.003] = 0.0
    a[:, 2, 5] = 65535.0
    a[:, 3, 4] = 0.0
    a[:, 4, 7] = 500.0
    a[0, 5, :] = 60000.0
    a[:, 6, :] = np.round(a[:, 6, :] / 16.0) * 16.0
    a[:, 7, :] += 20000.0
    a = np.clip(np.rint(a), 0, 65535)
    if not floats:
        return a.astype(np.uint16)
    values = a.astype(np.float32) + rng.normal(0.0, 0.3, a.shape).astype(np.float32)
    values[rng.random(a.shape) < 0.01] = np.nan
    values[:, 0, 0] = np.nan
    values[1:, 0, 1] = np.nan
    return values


def combined(
    stack: NDArray[np.generic], settings: StackSettings, **options: object
) -> tuple[ArraySink, CombineReport]:
    """Combine an array of shape (n, ny, nx) in memory."""
    sink = ArraySink(stack.shape[1:])
    sources = [ArrayRows(frame, f"frame {i}") for i, frame in enumerate(stack, 1)]
    report = combine(JobContext(), sources, settings, sink, **options)  # type: ignore[arg-type]
    return sink, report


def write_frames(folder: Path, stack: NDArray[np.generic], **cards: object) -> list[Path]:
    """Write every frame of a stack as FITS, as a camera does, and return the paths."""
    from astropy.io import fits

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, frame in enumerate(stack, 1):
        hdu = fits.PrimaryHDU(frame)
        hdu.header["IMAGETYP"] = "Dark Frame"
        hdu.header["EXPTIME"] = 300.0
        for keyword, value in cards.items():
            hdu.header[keyword] = value
        path = folder / f"dark_{i:03d}.fits"
        hdu.writeto(path)
        paths.append(path)
    return paths
