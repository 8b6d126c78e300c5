"""Frames for `tests/perf/engine.py`: as a cooled camera gives them, with the same seed the same.

python tests/perf/engine_frames.py darks|flats|night FOLDER N ROWS COLUMNS
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

READ_NOISE, GAIN, BIAS, FLAT_LEVEL = 7.5, 0.8, 500.0, 30000.0
"""ADU, e-/ADU, ADU, ADU."""

Noise = Callable[[np.random.Generator, int], np.ndarray]


def darks(folder: Path, n: int, shape: tuple[int, int]) -> list[Path]:
    """Write uint16 darks: column pattern, row noise, glow, hot pixels, shot noise, cosmic hits."""
    rng = np.random.default_rng(1)
    bias = _bias(rng, shape)
    y, x = _axes(shape)
    dark = 12 + 60 * np.exp(-((1 - x) ** 2 + (y - 0.5) ** 2) / 0.02)
    dark = np.maximum(dark * (1 + 0.15 * rng.standard_normal(shape, dtype=np.float32)), 0)
    hot = rng.integers(0, dark.size, dark.size // 500)
    dark.reshape(-1)[hot] += rng.exponential(900.0, len(hot))
    level = (bias + dark).astype(np.float32)
    sigma = np.sqrt(READ_NOISE**2 + dark / GAIN).astype(np.float32)

    def frame(own: np.random.Generator, i: int) -> np.ndarray:
        values = level + sigma * own.standard_normal(shape, dtype=np.float32)
        return _hit(own, values + np.float32(0.6 * np.sin(0.9 * i)), 25)

    return _write_all(folder, "dark", n, frame)


def flats(folder: Path, n: int, shape: tuple[int, int]) -> list[Path]:
    """Write flats of a lamp that drifts by 6 %, and ``bias.fits`` in the folder above."""
    rng = np.random.default_rng(1)
    bias = (_bias(rng, shape)).astype(np.float32)
    y, x = _axes(shape)
    shape_of_light = 1 - 0.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    pixels = shape_of_light * (1 + 0.008 * rng.standard_normal(shape, dtype=np.float32))

    def frame(own: np.random.Generator, i: int) -> np.ndarray:
        light = pixels * np.float32(FLAT_LEVEL * (1 + 0.06 * np.sin(1.7 * i)))
        sigma = np.sqrt(READ_NOISE**2 + light / GAIN)
        return _hit(own, bias + light + sigma * own.standard_normal(shape, dtype=np.float32), 2)

    paths = _write_all(folder, "flat", n, frame)
    write_fits(folder.parent / "bias.fits", bias)
    return paths


def night(folder: Path, n: int, shape: tuple[int, int]) -> list[Path]:
    """Write so many biases, darks and flats of one camera with the cards that `masters` needs."""
    rng = np.random.default_rng(1)
    bias = (_bias(rng, shape)).astype(np.float32)
    y, x = _axes(shape)
    light = FLAT_LEVEL * (1 - 0.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)).astype(np.float32)
    hot = rng.integers(0, bias.size, bias.size // 500)
    paths = []
    for kind, time, level in (("bias", 0.001, 0.0), ("dark", 300.0, 12.0), ("flat", 2.0, light)):
        cards = {"IMAGETYP": kind, "EXPTIME": time, "INSTRUME": "Bench", "GAIN": 100, "OFFSET": 50}
        cards |= {"SET-TEMP": -10.0, "CCD-TEMP": -10.0, "XBINNING": 1, "YBINNING": 1}
        cards |= {"FILTER": "L"} if kind == "flat" else {}
        mean = (bias + np.float32(0) + level).astype(np.float32)
        if kind == "dark":
            mean.reshape(-1)[hot] += np.float32(1500.0)
        for i in range(n):
            path = folder / f"{kind}_{i + 1:04d}.fits"
            if not path.exists():
                own = np.random.default_rng([2, i, ord(kind[0])])
                noise = own.standard_normal(shape, dtype=np.float32)
                noise *= np.sqrt(np.float32(READ_NOISE**2) + (mean - bias) / np.float32(GAIN))
                noise += mean
                minute = f"2026-11-29T{18 + i // 60:02d}:{i % 60:02d}:00"
                codes = np.clip(np.rint(noise), 0, 65535).astype(np.uint16)
                write_fits(path, codes, {**cards, "DATE-OBS": minute})
            paths.append(path)
    return paths


def made_apart(kind: str, folder: Path, n: int, shape: tuple[int, int]) -> list[Path]:
    """Let another process make them: memory that this one once had counts for its children too."""
    rows, columns = shape
    command = [sys.executable, __file__, kind, str(folder), str(n), str(rows), str(columns)]
    subprocess.run(command, check=True)
    return sorted(folder.glob("*_[0-9]*.fits"))[:n]


def write_fits(path: Path, pixels: np.ndarray, more: dict[str, str | float] | None = None) -> None:
    """Write one image as a camera program does: big-endian, codes with BZERO 32768."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = pixels.dtype == np.uint16
    cards = [("SIMPLE", "T"), ("BITPIX", 16 if codes else -32), ("NAXIS", 2)]
    cards += [("NAXIS1", pixels.shape[1]), ("NAXIS2", pixels.shape[0])]
    cards += [("BZERO", 32768), ("BSCALE", 1)] if codes else []
    own = {"EXPTIME": 300.0} if more is None else more
    cards += [(k, f"'{v:8}'" if isinstance(v, str) else v) for k, v in own.items()]
    header = "".join(f"{key:8}= {value:>20}".ljust(80) for key, value in cards) + "END".ljust(80)
    data = (pixels ^ np.uint16(0x8000)).byteswap() if codes else pixels.astype(">f4")
    with path.open("wb") as file:
        file.write(header.ljust(-(-len(header) // 2880) * 2880).encode())
        file.write(data.tobytes())
        file.write(b"\0" * (-data.nbytes % 2880))


def _write_all(folder: Path, name: str, n: int, frame: Noise) -> list[Path]:
    paths = []
    for i in range(n):
        path = folder / f"{name}_{i + 1:04d}.fits"
        if not path.exists():
            values = frame(np.random.default_rng([1, i, ord(name[0])]), i)
            write_fits(path, np.clip(np.rint(values), 0, 65535).astype(np.uint16))
        paths.append(path)
    return paths


def _bias(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = shape
    lines = 0.8 * rng.standard_normal((rows, 1), dtype=np.float32)
    return BIAS + 1.5 * rng.standard_normal((1, columns), dtype=np.float32) + lines


def _axes(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    y = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    return y, np.linspace(0, 1, shape[1], dtype=np.float32)[None, :]


def _hit(rng: np.random.Generator, values: np.ndarray, per_megapixel: int) -> np.ndarray:
    """Add tracks of cosmic rays, each a few pixels long."""
    rows, columns = values.shape
    for _ in range(max(1, values.size * per_megapixel // 1_000_000)):
        steps = np.arange(1 + int(rng.exponential(5)))
        angle = rng.uniform(0, 2 * np.pi)
        y = (rng.uniform(0, rows) + steps * np.sin(angle)).astype(int) % rows
        x = (rng.uniform(0, columns) + steps * np.cos(angle)).astype(int) % columns
        values[y, x] += 60 + rng.exponential(1500.0)
    return values


if __name__ == "__main__":
    made = {"darks": darks, "flats": flats, "night": night}[sys.argv[1]]
    made(Path(sys.argv[2]), int(sys.argv[3]), (int(sys.argv[4]), int(sys.argv[5])))
