"""Planes in nameless files: as large as the disk allows, and gone with the program.

They are written at places and shown as arrays that the system reads when they are touched. Only
files of our own are mapped so, which nobody can cut off: nothing that a user names.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.store.publish import write_problem


class Scratch:
    """A room for planes in a folder, or where that cannot map files in the system's own.

    Raises
    ------
    WriteProblemError
        The folder cannot be written, or has no room.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._planes: list[ScratchPlane] = []

    def plane(self, shape: tuple[int, int], dtype: Any) -> ScratchPlane:
        """Return a new plane of zeros."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            plane = _mapped(self._folder, shape, np.dtype(dtype))
        except OSError as error:
            raise write_problem(self._folder, error) from error
        self._planes.append(plane)
        return plane

    def close(self) -> None:
        """Give the room back. Arrays of planes that somebody still holds stay as they are."""
        for plane in self._planes:
            plane.close()
        self._planes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class ScratchPlane:
    """One image in a nameless file."""

    def __init__(self, file: BinaryIO, folder: Path, shape: tuple[int, int], dtype: Any) -> None:
        self._file, self._folder, self._dtype = file, folder, np.dtype(dtype)
        self._row_bytes = shape[1] * self._dtype.itemsize
        self._lock = threading.Lock()
        size = max(1, shape[0] * self._row_bytes)
        file.truncate(size)
        held = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        count = shape[0] * shape[1]
        self.array: NDArray[Any] = np.frombuffer(held, self._dtype, count).reshape(shape)
        """Read-only."""

    def write(self, y0: int, rows: NDArray[Any]) -> None:
        """Keep a band that starts at row y0. Safe from several threads.

        Raises
        ------
        WriteProblemError
            If the disk is full.
        """
        band = np.ascontiguousarray(rows, self._dtype)
        data = memoryview(band.reshape(-1).view(np.uint8).data)
        offset = y0 * self._row_bytes
        try:
            while len(data):
                done = self._write_some(data, offset)
                data, offset = data[done:], offset + done
        except OSError as error:
            raise write_problem(self._folder, error) from error

    def _write_some(self, data: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, offset)
        with self._lock:  # Windows has no positioned write.
            os.lseek(self._file.fileno(), offset, os.SEEK_SET)
            return os.write(self._file.fileno(), data)

    def close(self) -> None:
        """Close the file; its room is free when nobody holds the array any more."""
        self._file.close()


def _mapped(folder: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> ScratchPlane:
    try:
        return _in(folder, shape, dtype)
    except OSError:
        # Some shares cannot map files.
        return _in(Path(tempfile.gettempdir()), shape, dtype)


def _in(folder: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> ScratchPlane:
    file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - kept by the plane
    try:
        return ScratchPlane(file, folder, shape, dtype)
    except BaseException:
        file.close()
        raise
