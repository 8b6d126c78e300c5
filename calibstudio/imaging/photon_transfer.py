"""Gain and read noise from pairs of flats and biases: the photon transfer of a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.quality_levels import (
    Image,
    adu_quantum,
    channels,
    clipped_statistics,
    tiles,
)


@dataclass(frozen=True, slots=True)
class PhotonTransfer:
    """What a pair of flats and a pair of biases say about a camera. NaN: not measurable."""

    egain_e_per_adu: float
    egain_error: float
    """Standard error, e-/ADU, from the scatter of the tiles."""
    read_noise_adu: float
    read_noise_e: float
    read_noise_error_e: float
    signal_adu: float
    """Mean level of the flats above the biases."""
    n_tiles: int


def photon_transfer(
    flat_a: Image,
    flat_b: Image,
    bias_a: Image,
    bias_b: Image,
    *,
    bayer: str | None = None,
    saturation_adu: float | None = None,
) -> PhotonTransfer:
    """Measure e-/ADU and read noise from two flats and two biases of one setting.

    Parameters
    ----------
    flat_a, flat_b, bias_a, bias_b
        Raw ADU, shape (ny, nx), the same for all. The flats' light may differ a little.
    bayer
        2x2 pattern; each channel is measured alone and all tiles are averaged.
    saturation_adu
        Tiles with values at 98 % of it are left out.

    Raises
    ------
    ValueError
        When the shapes differ.

    Notes
    -----
    g = [(F1 + F2) - (B1 + B2)] / [var(F1 - F2) - var(B1 - B2)] with the second flat scaled to
    the level of the first (Janesick, Photon Transfer, 2007; as in PixInsight's
    BasicCCDParameters), on tiles of 64 x 64 pixels of a channel. A difference takes out the
    fixed pattern; the quantisation q^2/12 of each frame cancels between the two variances of
    the gain and is taken out of the read noise. The estimate is the ratio of the tiles' clipped
    means, its error that of the mean over tiles; a variance of n values is good to
    sqrt(2 / n), so 100 tiles give the gain to about 0.3 %.
    """
    if len({flat_a.shape, flat_b.shape, bias_a.shape, bias_b.shape}) != 1:
        raise ValueError("photon transfer needs four images of one shape")
    parts = [
        _tile_numbers(fa, fb, ba, bb, saturation_adu)
        for fa, fb, ba, bb in zip(
            *(channels(image, bayer).values() for image in (flat_a, flat_b, bias_a, bias_b)),
            strict=True,
        )
    ]
    numbers = np.concatenate(parts)
    return _solve(numbers, adu_quantum(bias_a))


def _tile_numbers(
    flat_a: Image, flat_b: Image, bias_a: Image, bias_b: Image, saturation_adu: float | None
) -> NDArray[np.float64]:
    """Return for each usable tile: signal, variance of the flat and of the bias difference."""
    cut = [tiles(image, at_most=256) for image in (flat_a, flat_b, bias_a, bias_b)]
    rows = []
    for fa, fb, ba, bb in zip(*cut, strict=True):
        if saturation_adu is not None and max(fa.max(), fb.max()) >= 0.98 * saturation_adu:
            continue
        rows.append(_one_tile(*(part.astype(np.float64) for part in (fa, fb, ba, bb))))
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _one_tile(
    fa: NDArray[np.float64],
    fb: NDArray[np.float64],
    ba: NDArray[np.float64],
    bb: NDArray[np.float64],
) -> tuple[float, float, float]:
    bias = (clipped_statistics(ba).mean + clipped_statistics(bb).mean) / 2.0
    light_a, light_b = clipped_statistics(fa).mean - bias, clipped_statistics(fb).mean - bias
    if not (light_a > 0 and light_b > 0):
        return float("nan"), float("nan"), float("nan")
    # With the second flat scaled by s the difference has the variance
    # S / g (1 + s) + R^2 (1 + s^2); brought here to that of two equal flats, 2 S / g + 2 R^2.
    scale = light_a / light_b
    of_biases = clipped_statistics(ba - bb).sigma ** 2
    difference = (fa - bias) - (fb - bias) * scale
    of_photons = clipped_statistics(difference).sigma ** 2 - of_biases * (1.0 + scale**2) / 2.0
    return light_a, of_photons * 2.0 / (1.0 + scale) + of_biases, of_biases


def _solve(numbers: NDArray[np.float64], step: float) -> PhotonTransfer:
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    nan = float("nan")
    if not len(numbers):
        return PhotonTransfer(nan, nan, nan, nan, nan, nan, 0)
    signal, of_flats, of_biases = numbers.T
    # Tiles have different levels (vignetting): compare each variance with its own signal.
    per_tile = (of_flats - of_biases) / (2.0 * signal)
    inverse = clipped_statistics(per_tile)
    bias_noise = clipped_statistics(of_biases)
    read_adu = float(np.sqrt(max(bias_noise.mean / 2.0 - step**2 / 12.0, 0.0)))
    if not inverse.mean > 0:
        return PhotonTransfer(nan, nan, read_adu, nan, nan, float(signal.mean()), len(numbers))
    gain = 1.0 / inverse.mean
    count = inverse.n_kept
    gain_error = gain * (inverse.sigma / inverse.mean) / count**0.5 if count > 1 else nan
    read_error = (
        read_adu * 0.5 * bias_noise.sigma / bias_noise.mean / bias_noise.n_kept**0.5
        if bias_noise.n_kept > 1 and bias_noise.mean > 0
        else nan
    )
    total = float(np.hypot(gain * read_error, read_adu * gain_error))
    return PhotonTransfer(
        gain, gain_error, read_adu, read_adu * gain, total, float(signal.mean()), len(numbers)
    )
