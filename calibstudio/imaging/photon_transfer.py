"""Gain and read noise from pairs of flats and biases: the photon transfer of a camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.quality_levels import (
    Image,
    adu_quantum,
    channels,
    clipped_statistics,
    noises_of_tiles,
    plain_image,
    tiles,
)
from calibstudio.imaging.quality_samples import Tiles, difference_variance, tile_means


@dataclass(frozen=True, slots=True)
class PhotonTransfer:
    """What pairs of flats and of biases say about a camera. NaN: not measurable."""

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
    BasicCCDParameters), on up to 256 tiles of 64 x 64 pixels of a channel. A difference takes
    out the fixed pattern; the quantisation step^2 / 12 of each frame cancels between the two
    variances of the gain and is taken out of the read noise. A variance of n values is good to
    sqrt(2 / n), so 256 tiles give the gain to about 0.15 %; the error quoted is that of the
    mean over tiles.
    """
    images = [plain_image(image) for image in (flat_a, flat_b, bias_a, bias_b)]
    if len({image.shape for image in images}) != 1:
        raise ValueError("photon transfer needs four images of one shape")
    cut = [
        np.concatenate([tiles(plane, at_most=256) for plane in channels(image, bayer).values()])
        for image in images
    ]
    step = adu_quantum(bias_a)
    return transfer_of_tiles([cut[:2]], [cut[2:]], step=step, saturation_adu=saturation_adu)


def transfer_of_tiles(
    flat_pairs: Sequence[Sequence[Tiles]],
    bias_pairs: Sequence[Sequence[Tiles]],
    *,
    step: float,
    saturation_adu: float | None = None,
) -> PhotonTransfer:
    """Do the same on tiles that are cut already, for any number of pairs of each."""
    of_biases = np.mean([difference_variance(a, b, step=step) for a, b in bias_pairs], axis=0)
    bias_level = np.mean(
        [(tile_means(a, step) + tile_means(b, step)) / 2.0 for a, b in bias_pairs], axis=0
    )
    numbers = [
        _pair_numbers(a, b, of_biases, bias_level, step, saturation_adu) for a, b in flat_pairs
    ]
    return _solve(np.concatenate(numbers), of_biases, step)


def _pair_numbers(
    flat_a: Tiles,
    flat_b: Tiles,
    of_biases: NDArray[np.float64],
    bias_level: NDArray[np.float64],
    step: float,
    saturation_adu: float | None,
) -> NDArray[np.float64]:
    """Return signal and photon variance of the difference for each usable tile, shape (n, 2)."""
    light_a = tile_means(flat_a, step) - bias_level
    light_b = tile_means(flat_b, step) - bias_level
    usable = (light_a > 0) & (light_b > 0)
    if saturation_adu is not None:
        highest = np.maximum(flat_a.max(axis=(1, 2)), flat_b.max(axis=(1, 2)))
        usable &= highest < 0.98 * saturation_adu
    if not usable.any():
        return np.empty((0, 2))
    scale = (light_a[usable] / light_b[usable])[:, None, None]
    level = bias_level[usable][:, None, None]
    difference = (flat_a[usable] - level) - (flat_b[usable] - level) * scale
    variance = noises_of_tiles(difference, step=step) ** 2
    # With the second flat scaled by s the difference has the variance
    # S / g (1 + s) + R^2 (1 + s^2); brought here to 2 S / g, that of two equal flats.
    ratio = scale[:, 0, 0]
    of_photons = variance - of_biases[usable] * (1.0 + ratio**2) / 2.0
    return np.stack([light_a[usable], of_photons * 2.0 / (1.0 + ratio)], axis=1)


def _solve(
    numbers: NDArray[np.float64], of_biases: NDArray[np.float64], step: float
) -> PhotonTransfer:
    nan = float("nan")
    bias = clipped_statistics(of_biases)
    read_adu = float(np.sqrt(max(bias.mean / 2.0 - step**2 / 12.0, 0.0)))
    if not len(numbers):
        return PhotonTransfer(nan, nan, read_adu, nan, nan, nan, 0)
    signal, of_photons = numbers.T
    # Tiles have different levels (vignetting): each variance is compared with its own signal.
    inverse = clipped_statistics(of_photons / (2.0 * signal))
    level = float(signal.mean())
    if not inverse.mean > 0:
        return PhotonTransfer(nan, nan, read_adu, nan, nan, level, len(numbers))
    gain = 1.0 / inverse.mean
    gain_error = gain * inverse.sigma / inverse.mean / max(inverse.n_kept, 1) ** 0.5
    read_error = nan
    if read_adu > 0 and bias.n_kept > 1:
        read_error = bias.sigma / bias.n_kept**0.5 / (4.0 * read_adu)
    total = float(np.hypot(gain * read_error, read_adu * gain_error))
    return PhotonTransfer(gain, gain_error, read_adu, read_adu * gain, total, level, len(numbers))
