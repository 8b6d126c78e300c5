"""Whole images that do not lie in memory: written band by band, read where they are looked at.

A `Room` gives planes. In memory they are arrays; `calibstudio.store.scratch` keeps them in a
nameless file and shows them as arrays that the system reads when they are touched. What was looked
at stays in memory until it is let go of: whoever goes through a whole plane does so by `bands`.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import give_way
from calibstudio.domain.pixels import PlaneRows

BAND_BYTES = 4 << 20
"""Of a plane that are looked at before they are let go of."""


class Plane(Protocol):
    """An image that is written in bands of rows."""

    @property
    def array(self) -> NDArray[Any]:
        """The image, shape (ny, nx), read-only; what was not written is 0."""
        ...

    def write(self, y0: int, rows: NDArray[Any]) -> None:
        """Keep a band that starts at row y0. Safe from several threads.

        Raises
        ------
        WriteProblemError
            If there is no room for it (disk full).
        """
        ...


class Room(Protocol):
    """Where planes are kept."""

    def plane(self, shape: tuple[int, int], dtype: Any) -> Plane:
        """Return a new plane of zeros."""
        ...


class MemoryRoom:
    """Keeps planes in memory."""

    def plane(self, shape: tuple[int, int], dtype: Any) -> Plane:
        """Return a new plane of zeros."""
        return _MemoryPlane(np.zeros(shape, dtype))


class _MemoryPlane:
    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def write(self, y0: int, rows: NDArray[Any]) -> None:
        self.array[y0 : y0 + len(rows)] = rows


def let_go(*arrays: NDArray[Any] | None) -> None:
    """Give back the memory of arrays that lie in a file; they are read again when touched."""
    for array in arrays:
        held: Any = array
        while held is not None and not isinstance(held, mmap.mmap):
            held = held.obj if isinstance(held, memoryview) else getattr(held, "base", None)
        if held is not None and hasattr(mmap, "MADV_DONTNEED"):
            held.madvise(mmap.MADV_DONTNEED)


def give_back() -> None:
    """Give memory that is free back to the system.

    The C library of Linux keeps what arrays of some megabytes took for the next ones; after many
    threads that is tens of megabytes that nobody uses. Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def band_rows(nx: int, *, pixel_bytes: int = 4, even: bool = True) -> int:
    """Return how many rows are looked at at a time; even, so that colours begin alike."""
    rows = max(1, BAND_BYTES // max(1, nx * pixel_bytes))
    return max(2, rows // 2 * 2) if even else rows


def bands(*arrays: NDArray[Any] | None) -> Iterator[slice]:
    """Go through images of one shape by rows; what was looked at is let go of.

    A cancel is heard before each band (`heeding`). Results must not depend on the height of the
    bands.
    """
    known = [a for a in arrays if a is not None]
    ny, nx = known[0].shape
    step = band_rows(nx)
    for y0 in range(0, ny, step):
        give_way()
        yield slice(y0, min(ny, y0 + step))
        let_go(*known)


def columns_of(lines: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """Return some columns of an image, in its type; what was touched for it is let go of."""
    out = np.empty((len(lines), len(index)), lines.dtype)
    for rows in bands(lines):
        out[rows] = lines[rows][:, index]
    return out


class Pieces:
    """An image whose rows are read when they are asked for, as `tiles` and `bin_levels` do."""

    def __init__(self, rows: PlaneRows) -> None:
        self._rows = rows
        self._last: tuple[slice, NDArray[np.float32]] | None = None
        ny, nx = rows.shape
        self.shape = (int(ny), int(nx))
        self.dtype = np.dtype(np.float32)

    def bands(self) -> Iterator[slice]:
        """Go through it by rows."""
        step = band_rows(self.shape[1])
        for y0 in range(0, self.shape[0], step):
            give_way()
            yield slice(y0, min(self.shape[0], y0 + step))

    def __getitem__(self, place: tuple[slice, slice]) -> NDArray[np.float32]:
        """Return a rectangle."""
        rows, columns = place
        # Tiles that lie side by side are of the same rows.
        if self._last is None or self._last[0] != rows:
            give_way()
            self._last = rows, self._rows[rows]
        return self._last[1][:, columns]


class Combination:
    """A plane less another, and times a factor, worked out when rows are asked for; float32."""

    def __init__(
        self, plane: PlaneRows, less: PlaneRows | None = None, *, times: float | None = None
    ) -> None:
        self._plane, self._less, self._times = plane, less, times

    @property
    def shape(self) -> tuple[int, ...]:
        """(ny, nx)."""
        return self._plane.shape

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return some rows."""
        band = self._plane[rows]
        if self._less is not None:
            band = band - self._less[rows]
        return band if self._times is None else band * np.float32(self._times)


class CutRows:
    """A rectangle of a plane, as rows of its own."""

    def __init__(self, plane: PlaneRows, place: tuple[slice, slice]) -> None:
        self._plane = plane
        self._y0, self._columns = place[0].start, place[1]
        self.shape = (place[0].stop - place[0].start, place[1].stop - place[1].start)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return some rows."""
        y0, y1, _ = rows.indices(self.shape[0])
        return self._plane[self._y0 + y0 : self._y0 + y1][:, self._columns]
