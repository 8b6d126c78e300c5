"""Rows of numbers that lie in a file one after the other: what every plain format comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import FilePlace, Stored
from calibstudio.domain.wording import file_size
from calibstudio.store.pixels_extent import most_in_memory
from calibstudio.store.pixels_file import PixelFile

Convert = Callable[[NDArray[Any]], NDArray[Any]]
"""Stored numbers to ADU."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the numbers of a picture lie in a file."""

    shape: tuple[int, int]
    """(ny, nx)."""
    dtype: np.dtype[Any]
    """Of one number, with its byte order."""
    offset: int
    """Of the first row."""
    convert: Convert
    step: float
    """Distance of neighbouring codes in ADU; 0 for floating point."""
    stored: Stored = Stored.OTHER
    channels: int = 1
    """Numbers of a pixel that lie beside one another."""
    channel: int = 0
    """Which of them is read."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, all its channels."""
        return self.shape[1] * self.channels * self.dtype.itemsize


class FileRows:
    """A picture in a file as a `RowSource`. Safe to read from several threads."""

    def __init__(
        self, file: PixelFile, numbers: Numbers, label: str, *, owner: bool = True
    ) -> None:
        self._file = file
        self._numbers = numbers
        self._label = label
        self._owner = owner

    @property
    def name(self) -> str:
        """The path, with the image's name behind it where there is one."""
        return self._label

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self._numbers.shape

    @property
    def stored(self) -> Stored:
        """How raw bytes lie."""
        return self._numbers.stored

    @property
    def step_adu(self) -> float:
        """Distance of neighbouring codes: 0 for floating point."""
        return self._numbers.step

    def read_rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return rows y0 to y1 (exclusive) in ADU as float32; NaN where blank."""
        values = self._numbers.convert(self._read(y0, y1))
        with np.errstate(over="ignore", invalid="ignore"):
            return values.astype(np.float32, copy=False)

    def read(self) -> NDArray[Any]:
        """Return the whole picture: integers as they are, floating point as float32."""
        check_memory(self._label, self.shape[0] * self._numbers.row_bytes)
        return self._numbers.convert(self._read(0, self.shape[0]))

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        """Fill ``buffer`` with the bytes of rows y0 to y1 (exclusive) as they lie in the file."""
        if self.stored is Stored.OTHER:
            raise ValueError(f"{self._label} has no raw form")
        if len(buffer) != (y1 - y0) * self.shape[1] * self.stored.pixel_bytes:
            raise ValueError(f"the buffer for rows {y0} to {y1} has {len(buffer)} bytes")
        self._file.read_into(buffer, self._offset(y0))

    @property
    def place(self) -> FilePlace | None:
        """Where raw rows lie, for readers in compiled code."""
        descriptor = self._file.descriptor
        if descriptor is None or self.stored is Stored.OTHER:
            return None
        return FilePlace(descriptor, self._offset(0), self._numbers.row_bytes)

    def close(self) -> None:
        """Let go of the file."""
        if self._owner:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self, y0: int, y1: int) -> NDArray[Any]:
        numbers = self._numbers
        raw = np.empty((y1 - y0, self.shape[1] * numbers.channels), numbers.dtype)
        self._file.read_into(bytes_of(raw), self._offset(y0))
        return raw[:, numbers.channel :: numbers.channels]

    def _offset(self, row: int) -> int:
        return self._numbers.offset + row * self._numbers.row_bytes


def bytes_of(array: NDArray[Any]) -> memoryview:
    """Return the memory of a contiguous array as writable bytes."""
    return memoryview(array.view(np.uint8).reshape(-1).data)


def check_memory(label: str, wanted: int) -> None:
    """Refuse a picture that this computer cannot hold.

    Raises
    ------
    FileProblemError
        With what it would take.
    """
    if wanted > most_in_memory():
        raise FileProblemError(
            f"{label} is too large for this computer: its pixels take {file_size(wanted)} of "
            "memory.",
            hint="Leave it out, or use a computer with four times as much.",
        )
