"""Pixels of FITS files: whole images, or bands of rows from many files at once.

Plain files are read with positioned reads into buffers that are used again; never by memory
mapping, because a mapped file that shrinks or vanishes kills the program with SIGBUS.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import threading
import weakref
import zlib
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import ArrayRows, RowSource, Stored
from calibstudio.domain.wording import file_size
from calibstudio.store.pixels_layout import (
    BITPIX_BYTES,
    ImageLayout,
    ReadAt,
    check_complete,
    find_image,
    walk_images,
)

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_UNSIGNED = {(8, -128.0): "i1", (16, 32768.0): "u2", (32, 2.0**31): "u4", (64, 2.0**63): "u8"}
"""(BITPIX, BZERO) of the integers that FITS has no type for (standard 4.0, table 11)."""
_MOST_UNPACKED = 16 << 30


def read_image(path: Path | str, image: str = "") -> NDArray[Any]:
    """Read one image whole.

    Parameters
    ----------
    path
        Plain FITS, or compressed by gzip, bzip2, xz or fpack (by its bytes, not by its name).
    image
        A name of `image_names`; empty for the first image.

    Returns
    -------
    ndarray
        Shape (ny, nx), native byte order. Integers keep their type (uint16 for BITPIX 16 with
        BZERO 32768); with BSCALE, a fractional BZERO or blank pixels they become float32, blank
        pixels NaN. Floating point is float32.

    Raises
    ------
    FileProblemError
        If the file is missing, empty, cut off, not FITS, or holds no such picture.
    """
    path = Path(path)
    with _File(path) as file:
        layout = find_image(file.images(), image, file.label)
        return _read_whole(file, layout)


def image_names(path: Path | str) -> tuple[str, ...]:
    """Return the names of the images of a file, in order; ``""`` is the primary.

    Extensions without EXTNAME are called ``HDU1``, ``HDU2``, ... by their number.

    Raises
    ------
    FileProblemError
        As `read_image`; also when there is no image at all.
    """
    with _File(Path(path)) as file:
        return tuple(layout.name for layout in file.images())


def open_rows(path: Path | str, image: str = "") -> RowSource:
    """Open one image for reading in bands of rows.

    A plain file is read where it lies; a compressed one is unpacked into memory once.

    Raises
    ------
    FileProblemError
        As `read_image`.
    """
    path = Path(path)
    file = _File(path)
    try:
        layout = find_image(file.images(), image, file.label)
        label = f"{path}[{layout.name}]" if layout.name else str(path)
        if file.packed or layout.compressed:
            with file:
                return ArrayRows(_read_whole(file, layout), label)
        layout.plane(file.label)
        check_complete(layout, file.size, file.label)
    except BaseException:
        file.close()
        raise
    return FitsRows(file, layout, label)


class FitsRows:
    """One image of a plain FITS file as a `RowSource`. Safe to read from several threads."""

    def __init__(self, file: _File, layout: ImageLayout, label: str) -> None:
        self._file = file
        self._layout = layout
        self._label = label
        self._shape = layout.plane(label)
        self._stored = _stored(layout)

    @property
    def name(self) -> str:
        """The path, with the extension's name behind it where there is one."""
        return self._label

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self._shape

    @property
    def stored(self) -> Stored:
        """How raw bytes lie."""
        return self._stored

    @property
    def step_adu(self) -> float:
        """Distance of neighbouring codes: BSCALE for integers, 0 for floating point."""
        return abs(self._layout.bscale) if self._layout.bitpix > 0 else 0.0

    def read_rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return rows y0 to y1 (exclusive) in ADU as float32; NaN where blank."""
        nx = self._shape[1]
        raw = np.empty((y1 - y0, nx), _DTYPES[self._layout.bitpix])
        self._file.read_into(_bytes_of(raw), self._offset(y0))
        values = _scaled(raw, self._layout)
        with np.errstate(over="ignore", invalid="ignore"):
            return values.astype(np.float32, copy=False)

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        """Fill ``buffer`` with the bytes of rows y0 to y1 (exclusive) as they lie in the file."""
        if self._stored is Stored.OTHER:
            raise ValueError(f"{self._label} has no raw form")
        if len(buffer) != (y1 - y0) * self._shape[1] * self._stored.pixel_bytes:
            raise ValueError(f"the buffer for rows {y0} to {y1} has {len(buffer)} bytes")
        self._file.read_into(buffer, self._offset(y0))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _offset(self, row: int) -> int:
        row_bytes = self._shape[1] * BITPIX_BYTES[self._layout.bitpix]
        return self._layout.data_offset + row * row_bytes


def _stored(layout: ImageLayout) -> Stored:
    if layout.bscale != 1.0 or layout.blank is not None:
        return Stored.OTHER
    known = {
        (16, 32768.0): Stored.FITS_UINT16,
        (16, 0.0): Stored.FITS_INT16,
        (-32, 0.0): Stored.FITS_FLOAT32,
    }
    return known.get((layout.bitpix, layout.bzero), Stored.OTHER)


def _read_whole(file: _File, layout: ImageLayout) -> NDArray[Any]:
    ny, nx = layout.plane(file.label)
    if layout.compressed:
        raw = _unpack_tiles(file, layout).reshape(ny, nx)
    else:
        check_complete(layout, file.size, file.label)
        raw = np.empty((ny, nx), _DTYPES[layout.bitpix])
        file.read_into(_bytes_of(raw), layout.data_offset)
    return _scaled(raw, layout)


def _scaled(raw: NDArray[Any], layout: ImageLayout) -> NDArray[Any]:
    """Apply BZERO, BSCALE and BLANK (standard 4.0, section 4.4.2.5), in native byte order."""
    if raw.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            if layout.bscale == 1.0 and layout.bzero == 0.0:
                return raw.astype(np.float32)
            return (raw.astype(np.float64) * layout.bscale + layout.bzero).astype(np.float32)
    # A mask of a wide integer BLANK against a narrow type would be an error, not a miss.
    blank = None
    if layout.blank is not None and _fits(layout.blank, raw.dtype):
        mask = raw == layout.blank
        blank = mask if mask.any() else None
    if layout.bscale == 1.0 and blank is None:
        if layout.bzero == 0.0:
            return raw.astype(raw.dtype.newbyteorder("="), copy=raw.dtype.byteorder != "=")
        unsigned = _UNSIGNED.get((abs(layout.bitpix), layout.bzero))
        if unsigned is not None:
            bits = raw.astype(raw.dtype.newbyteorder("=")).view(f"u{raw.dtype.itemsize}")
            bits ^= bits.dtype.type(1 << (8 * raw.dtype.itemsize - 1))
            return bits.view(unsigned)
    values = raw.astype(np.float64) * layout.bscale + layout.bzero
    if blank is not None:
        values[blank] = np.nan
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """Return the memory of a contiguous array as writable bytes."""
    return memoryview(array.view(np.uint8).reshape(-1).data)


def _fits(value: int, dtype: np.dtype[Any]) -> bool:
    info = np.iinfo(dtype)
    return int(info.min) <= value <= int(info.max)


def _unpack_tiles(file: _File, layout: ImageLayout) -> NDArray[Any]:
    """Unpack an fpack image with astropy, without BSCALE and BZERO where they are ours to apply."""
    from astropy.io import fits

    try:
        with fits.open(file.stream(), memmap=False, do_not_scale_image_data=True) as hdus:
            data = np.array(hdus[layout.index].data)
    except (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
        raise FileProblemError(
            f"{file.label} is broken: its compressed picture cannot be unpacked.",
            hint="Copy it again.",
        ) from error
    return data


class _File:
    """An open file, plain or unpacked into memory, with its errors in words."""

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        self._path = path
        self._memory: bytes | None = None
        self._lock = threading.Lock()
        self._fd = _open(path, self.label)
        self._release = weakref.finalize(self, os.close, self._fd)
        try:
            self.size = os.fstat(self._fd).st_size
            self._unpack()
        except BaseException:
            self.close()
            raise

    @property
    def packed(self) -> bool:
        """Whether it was compressed as a whole."""
        return self._memory is not None

    def images(self) -> list[ImageLayout]:
        """Return the images of this file."""
        return walk_images(self._reader(), self.size, self.label)

    def stream(self) -> Any:
        """Return what astropy opens."""
        return io.BytesIO(self._memory) if self._memory is not None else self.label

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill the buffer from this offset.

        Raises
        ------
        FileProblemError
            If the file ends before, or cannot be read.
        """
        if self._memory is not None:
            part = self._memory[offset : offset + len(buffer)]
            if len(part) < len(buffer):
                raise self._cut_off()
            buffer[:] = part
            return
        done = 0
        while done < len(buffer):
            try:
                got = self._read_some(buffer[done:], offset + done)
            except OSError as error:
                raise FileProblemError(
                    f"{self.label} cannot be read: {error.strerror or error}.",
                    hint="Check the disk or the network it lies on.",
                ) from error
            if got == 0:
                raise self._cut_off()
            done += got

    def close(self) -> None:
        """Close it. Safe to call twice."""
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read_some(self, buffer: memoryview, offset: int) -> int:
        if not self._release.alive:
            raise OSError("it was closed")
        if hasattr(os, "preadv"):
            return os.preadv(self._fd, [buffer], offset)
        with self._lock:  # Windows has no positioned read.
            os.lseek(self._fd, offset, os.SEEK_SET)
            part = os.read(self._fd, len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _cut_off(self) -> FileProblemError:
        return FileProblemError(
            f"{self.label} became shorter while it was read.",
            hint="Another program may be writing it; try again when it is done.",
        )

    def _reader(self) -> ReadAt:
        memory = self._memory

        def read_at(offset: int, size: int) -> bytes:
            if memory is not None:
                return memory[offset : offset + size]
            buffer = bytearray(max(0, min(size, self.size - offset)))
            self.read_into(memoryview(buffer), offset)
            return bytes(buffer)

        return read_at

    def _unpack(self) -> None:
        """Unpack gzip, bzip2 and xz, found by their first bytes."""
        start = bytearray(min(6, self.size))
        self.read_into(memoryview(start), 0)
        opener = next((o for magic, o in _PACKERS.items() if start.startswith(magic)), None)
        if opener is None:
            return
        with os.fdopen(os.dup(self._fd), "rb") as raw:
            raw.seek(0)
            try:
                with opener(raw) as stream:
                    data = stream.read(_MOST_UNPACKED + 1)
            except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise FileProblemError(
                    f"{self.label} cannot be unpacked: it is cut off or broken.",
                    hint="Copy it again.",
                ) from error
        if len(data) > _MOST_UNPACKED:
            raise FileProblemError(
                f"{self.label} unpacks to more than {file_size(_MOST_UNPACKED)}.",
                hint="That is no picture; it is left out.",
            )
        self._memory = data
        self.size = len(data)


_PACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def _open(path: Path, label: str) -> int:
    try:
        # A pipe or device of that name would block for ever, so look before opening.
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileProblemError(f"{label} is not a file.", hint="Choose FITS files.")
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise FileProblemError(
            f"{label} is not there.", hint="It may have been moved or deleted; look again."
        ) from error
    except PermissionError as error:
        raise FileProblemError(
            f"{label} may not be read.", hint="Give yourself permission to read it."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileProblemError(f"{label} cannot be opened: {reason}.") from error
