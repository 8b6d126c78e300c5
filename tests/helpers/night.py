"""A small camera with a known truth, and folders of its frames as a capture program leaves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

SHAPE = (96, 128)
BIAS_ADU, READ_NOISE_ADU, EGAIN, DARK_ADU_PER_S = 1000.0, 4.0, 1.5, 0.5


@dataclass
class Camera:
    """Arithmetic of a sensor: bias, read noise, dark signal, light with vignetting."""

    seed: int = 1
    shape: tuple[int, int] = SHAPE
    dark_adu_per_s: float = DARK_ADU_PER_S
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    @property
    def response(self) -> NDArray[np.float64]:
        """What a flat must show: 1 in the middle, darker outside."""
        ny, nx = self.shape
        y, x = np.mgrid[-1 : 1 : ny * 1j, -1 : 1 : nx * 1j]
        return np.asarray(1.0 - 0.1 * (x**2 + y**2))

    def frame(self, exposure_s: float, light_adu: float = 0.0) -> NDArray[np.uint16]:
        """Expose: ADU as delivered."""
        signal = self.dark_adu_per_s * exposure_s + light_adu * self.response
        electrons = self.rng.poisson(signal * EGAIN).astype(float)
        noise = self.rng.normal(0.0, READ_NOISE_ADU, self.shape)
        return np.clip(np.rint(BIAS_ADU + electrons / EGAIN + noise), 0, 65535).astype(np.uint16)


KIND_WORDS = {"bias": "Bias Frame", "dark": "Dark Frame", "flat": "Flat Field"}
START = datetime(2025, 6, 1, 3, 0, tzinfo=UTC)


def header(kind: str, exposure_s: float, number: int, **changes: Any) -> fits.Header:
    """Cards of a frame; a change of None leaves the card out, ``__`` stands for a hyphen."""
    start = START + timedelta(seconds=30 * number)
    cards: dict[str, Any] = {
        "IMAGETYP": KIND_WORDS.get(kind, kind),
        "INSTRUME": "Test Camera 1",
        "TELESCOP": "Refractor",
        "EXPTIME": exposure_s,
        "GAIN": 100,
        "OFFSET": 30,
        "EGAIN": EGAIN,
        "SET-TEMP": -10.0,
        "CCD-TEMP": -10.0 + 0.01 * number,
        "XBINNING": 1,
        "YBINNING": 1,
        "READOUTM": "Normal",
        "DATE-OBS": start.replace(tzinfo=None).isoformat(),
        "SWCREATE": "N.I.N.A. 3.1",
        "SITELAT": 52.5,
        "SITELONG": 13.4,
        "FOCALLEN": 530.0,
        **{k.replace("__", "-").upper(): v for k, v in changes.items()},
    }
    if kind == "flat":
        cards.setdefault("FILTER", "Ha")
    made = fits.Header()
    for keyword, value in cards.items():
        if value is not None:
            made[keyword] = value
    return made


def write_frame(path: Path, pixels: NDArray[Any], cards: fits.Header) -> Path:
    """Write one frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(pixels, cards).writeto(path)
    return path


def take(
    folder: Path,
    camera: Camera,
    kind: str,
    n: int,
    exposure_s: float = 0.0,
    light_adu: float = 0.0,
    *,
    first: int = 0,
    **changes: Any,
) -> list[Path]:
    """Take frames into a folder: ``kind_number.fits``."""
    word = kind.replace(" ", "_")
    return [
        write_frame(
            folder / f"{word}_{exposure_s:g}s_{number:03d}.fits",
            camera.frame(exposure_s, light_adu),
            header(kind, exposure_s, number, **changes),
        )
        for number in range(first, first + n)
    ]
