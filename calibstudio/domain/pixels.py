"""Where rows of pixels come from and where results go: the two ends of every long computation.

Frames are read in bands of rows, so that a hundred of them never lie in memory at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Stored(StrEnum):
    """How the raw bytes of a source lie, for readers that convert them on their own.

    Whoever does not need the last bit of speed calls `RowSource.read_rows` instead.
    """

    FITS_UINT16 = "fits-uint16"
    """Big-endian int16 to which 32768 is added (BZERO)."""
    FITS_INT16 = "fits-int16"
    """Big-endian int16 as it is."""
    FITS_FLOAT32 = "fits-float32"
    """Big-endian float32."""
    UINT16 = "uint16"
    """uint16 of this machine."""
    FLOAT32 = "float32"
    """float32 of this machine."""
    OTHER = "other"
    """Anything else: only `RowSource.read_rows` understands it."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one raw pixel; 0 for `OTHER`."""
        if self is Stored.OTHER:
            return 0
        return 4 if self in (Stored.FITS_FLOAT32, Stored.FLOAT32) else 2


@runtime_checkable
class RowSource(Protocol):
    """One image that can be read in bands of rows, from several threads at once."""

    @property
    def name(self) -> str:
        """What a sentence calls it: the path of a file, with its extension where there are some."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        ...

    @property
    def stored(self) -> Stored:
        """How raw bytes lie (see `read_raw`)."""
        ...

    @property
    def step_adu(self) -> float:
        """Distance of neighbouring codes: 1 for integer pixels, 0 for floating point."""
        ...

    def read_rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return rows y0 to y1 (exclusive) in ADU, a new array of shape (y1 - y0, nx).

        NaN where there is no value.

        Raises
        ------
        FileProblemError
            If the file cannot be read any more.
        """
        ...

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        """Fill ``buffer`` (writable bytes) with the raw bytes of rows y0 to y1 (exclusive).

        ``buffer`` has exactly (y1 - y0) * nx * `Stored.pixel_bytes` bytes.

        Raises
        ------
        FileProblemError
            If the file cannot be read any more.
        ValueError
            If the source is `Stored.OTHER`, or the buffer has another size.
        """
        ...

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where the raw rows of a source lie in an open file."""

    descriptor: int
    """Good for as long as the source is open."""
    offset: int
    """Of row 0."""
    row_bytes: int


@runtime_checkable
class PlacedRows(Protocol):
    """A `RowSource` that may say where its raw rows lie, for readers in compiled code."""

    @property
    def place(self) -> FilePlace | None:
        """None where they lie in no file of this system, or not as they are."""
        ...


class PlaneRows(Protocol):
    """An image whose rows are taken as they are needed: an array, or one that is worked out."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(ny, nx)."""
        ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """Return some rows."""
        ...


class PlaneSink(Protocol):
    """Takes the result of a combination, band by band."""

    def write_rows(
        self,
        y0: int,
        image: NDArray[np.float32],
        unc: NDArray[np.float32],
        cnt: NDArray[np.uint16],
    ) -> None:
        """Keep a band that starts at row y0: three arrays of shape (rows, nx).

        Called from several threads at once, for different rows, in any order. The arrays are
        used again after the call: copy what is kept.

        Raises
        ------
        WriteProblemError
            If it cannot be kept (disk full).
        """
        ...


@runtime_checkable
class FitsSink(PlaneSink, Protocol):
    """A sink that takes bands as FITS stores them, so that nothing is converted on the way."""

    def write_fits(
        self, y0: int, image: NDArray[Any], unc: NDArray[Any], cnt: NDArray[Any]
    ) -> None:
        """As `PlaneSink.write_rows`, all big-endian: float32, float32, int16 to add 32768 to."""
        ...


class MapSink(Protocol):
    """Takes what was rejected at each pixel, band by band."""

    def write_rejected(self, y0: int, low: NDArray[np.uint16], high: NDArray[np.uint16]) -> None:
        """Keep how many values were rejected low and high: two arrays of shape (rows, nx).

        As `PlaneSink.write_rows`.
        """
        ...


class ArrayRows:
    """An image in memory as a `RowSource`.

    Parameters
    ----------
    pixels
        Shape (ny, nx), ADU. Not copied; must not change while it is read. Any integer or
        floating type; values beyond float32's 24 bits are rounded.
    name
        What a sentence calls it.
    """

    def __init__(self, pixels: NDArray[Any], name: str = "image in memory") -> None:
        if pixels.ndim != 2:
            raise ValueError(f"expected a 2-D image, got shape {pixels.shape}")
        self._pixels = pixels
        self._name = name
        native = pixels.dtype.isnative and pixels.flags.c_contiguous
        self._stored = Stored.OTHER
        if native and pixels.dtype == np.uint16:
            self._stored = Stored.UINT16
        elif native and pixels.dtype == np.float32:
            self._stored = Stored.FLOAT32

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return self._name

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        ny, nx = self._pixels.shape
        return int(ny), int(nx)

    @property
    def stored(self) -> Stored:
        """How raw bytes lie."""
        return self._stored

    @property
    def step_adu(self) -> float:
        """1 for integers, 0 for floating point."""
        return 1.0 if self._pixels.dtype.kind in "iub" else 0.0

    def read_rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return rows y0 to y1 (exclusive) as float32."""
        with np.errstate(over="ignore"):
            return self._pixels[y0:y1].astype(np.float32)

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        """Fill ``buffer`` with the raw bytes of rows y0 to y1 (exclusive)."""
        if self._stored is Stored.OTHER:
            raise ValueError(f"{self._name} has no raw form")
        buffer[:] = self._pixels[y0:y1].view(np.uint8).reshape(-1).data

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
