"""SER films (Lucam Recorder format, version 3): many exposures of one camera in one file.

A header of 178 bytes, the frames one after the other, and behind them, where they are written,
the time of each frame in ticks of 100 ns since the year 1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import RowSource, Stored
from calibstudio.domain.wording import number
from calibstudio.store.camera_exif import ReadAt
from calibstudio.store.fits_cards import Card
from calibstudio.store.header_bytes import SER
from calibstudio.store.pixels_file import PixelFile, UnpackBudget
from calibstudio.store.pixels_rows import FileRows, Numbers

HEADER = 178
_LAYOUT = struct.Struct("<14s7i40s40s40s2q")
_BAYER = {8: "RGGB", 9: "GRBG", 10: "GBRG", 11: "BGGR"}
_MONO = 0
_MOST_FRAMES = 10_000_000
_MOST_SIDE = 1 << 17
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SerFilm:
    """What the header of a film says."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    """Of one number, with its byte order."""
    frames: int
    bayer: str
    depth: int
    """Bits that the camera fills."""
    instrument: str
    telescope: str
    begun_utc: datetime | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def cards(self) -> Mapping[str, Card]:
        """Return what FITS would say."""
        found: dict[str, Any] = {
            "INSTRUME": self.instrument,
            "TELESCOP": self.telescope,
            "BAYERPAT": self.bayer,
            "SATURATE": 2**self.depth - 1,
        }
        if self.begun_utc is not None:
            found["DATE-OBS"] = self.begun_utc.isoformat(timespec="milliseconds")[:-6]
        return {k: Card(v) for k, v in found.items() if v != ""}


def read_film(path: Path | str, read_at: ReadAt, size: int) -> SerFilm:
    """Read the header of a film.

    Raises
    ------
    FileProblemError
        If it is cut off, or says what cannot be.
    """
    head = read_at(0, HEADER)
    if len(head) < HEADER:
        raise FileProblemError(f"{path} ends inside its header.", hint="Copy it again.")
    magic, _, colour, big, nx, ny, depth, frames, *texts, _local, utc = _LAYOUT.unpack(head)
    if magic != SER:
        raise FileProblemError(f"{path} is no SER film.", hint="Look at what it really is.")
    wrong = not (1 <= nx <= _MOST_SIDE and 1 <= ny <= _MOST_SIDE and 1 <= depth <= 16)
    if wrong or not 1 <= frames <= _MOST_FRAMES:
        raise FileProblemError(
            f"{path} is broken: its header says {frames} frames of {nx} × {ny} pixels with "
            f"{depth} bits.",
            hint="Copy it again.",
        )
    if colour != _MONO and colour not in _BAYER:
        raise FileProblemError(
            f"{path} holds colours that were mixed already (colour {colour}).",
            hint="Record raw frames: mono or Bayer.",
        )
    # The flag is written the wrong way round by all programs: 0 is little-endian (as Siril reads).
    order = ">" if big == 1 else "<"
    dtype = np.dtype("u1" if depth <= 8 else f"{order}u2")
    _, instrument, telescope = (t.split(b"\0")[0].decode("latin-1").strip() for t in texts)
    film = SerFilm(
        (ny, nx), dtype, frames, _BAYER.get(colour, ""), depth, instrument, telescope, _time(utc)
    )
    there = (size - HEADER) // film.frame_bytes
    if there < frames:
        raise FileProblemError(
            f"{path} is cut off: {number(max(0, there))} of {number(frames)} frames are there.",
            hint="Copy it again; it is left out until then.",
        )
    return film


def _time(ticks: int) -> datetime | None:
    try:
        moment = _EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None
    return moment if 1990 <= moment.year < 2200 else None


class SerPixels:
    """An open film; each of its frames is an exposure of the one sensor.

    Raises
    ------
    FileProblemError
        If its header is broken, or it is cut off.
    """

    def __init__(self, file: PixelFile, budget: UnpackBudget | None = None) -> None:
        self._file = file
        try:
            self._film = read_film(file.label, file.read_at, file.size)
        except BaseException:
            file.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """One image: the sensor."""
        return ("",)

    @property
    def exposures(self) -> tuple[str, ...]:
        """Names of its frames, in order."""
        return tuple(f"#{i + 1}" for i in range(self._film.frames))

    def check(self, image: str = "") -> None:
        """Raise `FileProblemError` if there is no such frame."""
        self._frame(image)

    def shape(self, image: str = "") -> tuple[int, int]:
        """Return (ny, nx)."""
        return self._film.shape

    def read(self, image: str = "") -> NDArray[Any]:
        """Return one frame whole, uint8 or uint16; the first for an empty name."""
        return self._rows(image, owner=False).read()

    def rows(self, image: str = "", *, owner: bool = False) -> RowSource:
        """Return one frame for reading in bands; it needs this file to stay open."""
        return self._rows(image, owner=owner)

    def _rows(self, image: str, *, owner: bool) -> FileRows:
        film, index = self._film, self._frame(image)
        native = film.dtype.isnative and film.dtype.itemsize == 2
        numbers = Numbers(
            film.shape,
            film.dtype,
            HEADER + index * film.frame_bytes,
            lambda raw: np.ascontiguousarray(raw, dtype=film.dtype.newbyteorder("=")),
            1.0,
            Stored.UINT16 if native else Stored.OTHER,
        )
        return FileRows(self._file, numbers, f"{self._file.label}{image}", owner=owner)

    def _frame(self, image: str) -> int:
        text = image.removeprefix("#") or "1"
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= self._film.frames:
            raise FileProblemError(
                f"{self._file.label} has no frame {image}.",
                hint=f"It has #1 to #{self._film.frames}.",
            )
        return int(text) - 1

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
