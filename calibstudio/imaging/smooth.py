"""Smooth structure of an image: the light of a lamp, without the response of single pixels.

NaN pixels have no weight anywhere, and at the edges only what is there counts: no value is made
up beyond the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.recipe import FlatSettings, Smooth
from calibstudio.imaging.quality_levels import Image, channels

CLIP_SIGMAS = 3.0
"""Of the sliding mean, as KPF's smooth lamp."""
GAUSS_REACH = 4.0
"""The Gaussian ends at so many sigmas."""
MOST_POINTS = 250_000
"""Points that a polynomial is fitted to."""


def smooth_light(
    data: Image, settings: FlatSettings, bayer: str | None = None
) -> NDArray[np.float32] | None:
    """Return the smooth light in a flat, or None where the settings ask for none.

    Parameters
    ----------
    data
        Shape (ny, nx), without pedestal.
    bayer
        2x2 pattern of the stored rows: each colour is smoothed by itself.

    Returns
    -------
    NDArray
        Same shape and unit; NaN where nothing near has a value.
    """
    if settings.smooth is Smooth.NONE:
        return None
    out = np.empty(data.shape, np.float32)
    pieces = channels(data, bayer if settings.per_channel else None)
    places = channels(out, bayer if settings.per_channel else None)
    for name, plane in pieces.items():
        if settings.smooth is Smooth.SLIDING:
            found = sliding_mean(plane, settings.smooth_height, settings.smooth_width)
        elif settings.smooth is Smooth.GAUSSIAN:
            found = gaussian(plane, settings.smooth_sigma)
        else:
            found = polynomial(plane, settings.smooth_degree)
        places[name][...] = found
    return out


def sliding_mean(
    data: Image, height: int, width: int, *, clip_sigmas: float = CLIP_SIGMAS
) -> NDArray[np.float64]:
    """Return the mean of a window around each pixel, values beyond the clip left out once.

    Parameters
    ----------
    height, width
        Of the window, pixels; an even window reaches one pixel further to the start.

    Notes
    -----
    Mean and standard deviation of the window first; pixels further from their own window's mean
    than ``clip_sigmas`` of them are left out of all windows; then the mean again.
    """
    values = np.asarray(data, np.float64)
    good = np.isfinite(values)
    # About the middle, so that squares lose no digits.
    middle = float(np.median(values[good])) if good.any() else 0.0
    centred = np.where(good, values - middle, 0.0)
    n = _window_sum(good.astype(np.float64), height, width)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _window_sum(centred, height, width) / n
        square = _window_sum(centred * centred, height, width) / n
        sigma = np.sqrt(np.maximum(square - mean * mean, 0.0))
        kept = good & (np.abs(centred - mean) <= clip_sigmas * sigma + 1e-12 * abs(middle))
        centred[~kept] = 0.0
        total = _window_sum(kept.astype(np.float64), height, width)
        found = _window_sum(centred, height, width) / total
    found[total < 0.5] = np.nan
    return np.asarray(found + middle)


def _window_sum(values: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    for axis, length in ((0, height), (1, width)):
        if length > 1:
            values = _along(values, axis, length)
    return values


def _along(values: NDArray[np.float64], axis: int, length: int) -> NDArray[np.float64]:
    """Sum a window along one axis; cut off at the edges."""
    n = values.shape[axis]
    total = np.cumsum(values, axis=axis)
    total = np.concatenate([np.zeros_like(np.take(total, [0], axis=axis)), total], axis=axis)
    place = np.arange(n)
    first = np.clip(place - length // 2, 0, n)
    end = np.clip(place - length // 2 + length, 0, n)
    return np.asarray(np.take(total, end, axis=axis) - np.take(total, first, axis=axis))


def gaussian(data: Image, sigma: float) -> NDArray[np.float64]:
    """Return the Gaussian mean around each pixel, cut off at 4 sigma."""
    values = np.asarray(data, np.float64)
    good = np.isfinite(values)
    reach = int(GAUSS_REACH * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    total = _convolved(np.where(good, values, 0.0), kernel)
    weight = _convolved(good.astype(np.float64), kernel)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = total / weight
    found[weight < 1e-12] = np.nan
    return np.asarray(found)


def _convolved(values: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    reach = len(kernel) // 2
    for axis in (0, 1):
        n = values.shape[axis]
        out = np.zeros_like(values)
        for shift, weight in zip(range(-reach, reach + 1), kernel.tolist(), strict=True):
            if abs(shift) >= n:
                continue
            to = _part(axis, max(0, -shift), min(n, n - shift))
            source = _part(axis, max(0, shift), min(n, n + shift))
            out[to] += weight * values[source]
        values = out
    return values


def _part(axis: int, first: int, end: int) -> tuple[slice, ...]:
    part = slice(first, end)
    return (part, slice(None)) if axis == 0 else (slice(None), part)


def polynomial(data: Image, degree: int) -> NDArray[np.float64]:
    """Return the polynomial surface of this degree in x and in y that fits best.

    Notes
    -----
    Least squares in Legendre polynomials P_i(x) P_j(y) with i + j <= degree, on an even sample
    of at most 250 000 pixels; values beyond 5 robust sigmas of the fit are left out, three times.
    """
    ny, nx = data.shape
    step = max(1, int(np.ceil(np.sqrt(data.size / MOST_POINTS))))
    y, x = np.mgrid[0:ny:step, 0:nx:step]
    sample = np.asarray(data[::step, ::step], np.float64).ravel()
    u, v = _unit(x.ravel(), nx), _unit(y.ravel(), ny)
    terms = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    along_u, along_v = _legendre(u, degree), _legendre(v, degree)
    matrix = np.stack([along_u[i] * along_v[j] for i, j in terms], axis=1)
    kept = np.isfinite(sample)
    if np.count_nonzero(kept) < len(terms):
        return np.full(data.shape, np.nan)
    found: NDArray[Any] = np.zeros(len(terms))
    for _ in range(4):
        found = np.linalg.lstsq(matrix[kept], sample[kept], rcond=None)[0]
        rest = sample - matrix @ found
        sigma = 1.4826 * float(np.median(np.abs(rest[kept])))
        closer = np.isfinite(sample) & (np.abs(rest) <= 5.0 * sigma + 1e-9)
        if np.count_nonzero(closer) < len(terms) or np.array_equal(closer, kept):
            break
        kept = closer
    rows = _legendre(_unit(np.arange(ny), ny), degree)
    columns = _legendre(_unit(np.arange(nx), nx), degree)
    surface = np.zeros(data.shape)
    for (i, j), value in zip(terms, found.tolist(), strict=True):
        surface += value * np.outer(rows[j], columns[i])
    return surface


def _unit(place: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Map pixel numbers to -1 ... 1."""
    return 2.0 * np.asarray(place, np.float64) / max(1, n - 1) - 1.0


def _legendre(t: NDArray[np.float64], degree: int) -> list[NDArray[np.float64]]:
    found = [np.ones_like(t), t]
    for k in range(1, degree):
        found.append(((2 * k + 1) * t * found[k] - k * found[k - 1]) / (k + 1))
    return found[: degree + 1]
