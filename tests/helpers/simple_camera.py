"""A camera of a few lines whose truth is known: for numbers, not for looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass
class SimpleCamera:
    """Gaussian read noise, Poisson light, a fixed pattern, 16 bits."""

    seed: int
    shape: tuple[int, int] = (384, 448)
    egain: float = 1.4
    read_noise_e: float = 9.0
    bias_adu: float = 1000.0
    pattern_adu: float = 2.0
    step: int = 1
    rng: np.random.Generator = field(init=False)
    pattern: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.pattern = self.rng.normal(0.0, self.pattern_adu, self.shape)

    @property
    def read_noise_adu(self) -> float:
        return self.read_noise_e / self.egain

    def expose(
        self, light_e: float | NDArray[np.float64] = 0.0, *, extra_adu: object = 0.0
    ) -> NDArray[np.uint16]:
        """One frame with so many electrons in each pixel on average."""
        mean = np.broadcast_to(np.asarray(light_e, dtype=np.float64), self.shape)
        electrons = self.rng.poisson(mean) + self.rng.normal(0.0, self.read_noise_e, self.shape)
        adu = self.bias_adu + self.pattern + electrons / self.egain + np.asarray(extra_adu)
        codes = np.round(adu / self.step) * self.step
        return np.clip(codes, 0, 65535 // self.step * self.step).astype(np.uint16)

    def biases(self, count: int) -> list[NDArray[np.uint16]]:
        return [self.expose() for _ in range(count)]


def ramp(shape: tuple[int, int], *, x: float = 0.0, y: float = 0.0) -> NDArray[np.float64]:
    """A plane that rises by so much from the first to the last column and row, 0 in the middle."""
    rows = np.linspace(-0.5, 0.5, shape[0])[:, None]
    columns = np.linspace(-0.5, 0.5, shape[1])[None, :]
    return x * columns + y * rows


def vignette(shape: tuple[int, int], loss: float) -> NDArray[np.float64]:
    """Light that falls with the square of the radius, by this part in the very corners."""
    y = np.linspace(-1, 1, shape[0])[:, None]
    x = np.linspace(-1, 1, shape[1])[None, :]
    return 1.0 - loss * (x * x + y * y) / 2.0


def write_fits(path: Path, *images: NDArray[np.generic], **cards: object) -> Path:
    """Write raw images as a camera program does: one in the primary, several as extensions."""
    from astropy.io import fits

    path.parent.mkdir(parents=True, exist_ok=True)
    if len(images) == 1:
        hdus = fits.HDUList([fits.PrimaryHDU(images[0])])
    else:
        hdus = fits.HDUList([fits.PrimaryHDU()])
        for number, image in enumerate(images, 1):
            hdus.append(fits.ImageHDU(image, name=f"CHIP{number}"))
    for keyword, value in cards.items():
        hdus[0].header[keyword.replace("__", "-")] = value
    hdus.writeto(path)
    return path
