"""Pixels of FITS files: whole images, or bands of rows from many files at once.

Plain files are read with positioned reads into buffers that are used again; never by memory
mapping, because a mapped file that shrinks or vanishes kills the program with SIGBUS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import ArrayRows, RowSource, Stored
from calibstudio.domain.wording import file_size
from calibstudio.store.pixels_extent import most_in_memory
from calibstudio.store.pixels_file import PixelFile, UnpackBudget
from calibstudio.store.pixels_layout import (
    BITPIX_BYTES,
    ImageLayout,
    check_complete,
    find_image,
    walk_images,
)
from calibstudio.store.pixels_tiles import unpack_tiles

__all__ = ["FitsPixels", "FitsRows", "UnpackBudget", "image_names", "open_rows", "read_image"]

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_UNSIGNED = {(8, -128.0): "i1", (16, 32768.0): "u2", (32, 2.0**31): "u4", (64, 2.0**63): "u8"}
"""(BITPIX, BZERO) of the integers that FITS has no type for (standard 4.0, table 11)."""


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
    with FitsPixels(path) as file:
        return file.read(image)


def image_names(path: Path | str) -> tuple[str, ...]:
    """Return the names of the images of a file, in order; ``""`` is the primary.

    Extensions of one name are told apart by their version (``SCI,1``, ``SCI,2``), those without
    EXTNAME by their number (``HDU1``).

    Raises
    ------
    FileProblemError
        As `read_image`; also when there is no image at all.
    """
    with FitsPixels(path) as file:
        return file.names


def open_rows(
    path: Path | str, image: str = "", *, budget: UnpackBudget | None = None
) -> RowSource:
    """Open one image for reading in bands of rows.

    A plain file is read where it lies; a compressed one is unpacked once, into memory or, with
    a budget, beyond it into a temporary file.

    Raises
    ------
    FileProblemError
        As `read_image`.
    """
    file = FitsPixels(path, budget=budget)
    try:
        return file.rows(image, owner=True)
    except BaseException:
        file.close()
        raise


class FitsPixels:
    """An open FITS file with its images.

    Raises
    ------
    FileProblemError
        As `read_image`.
    """

    def __init__(self, path: Path | str, *, budget: UnpackBudget | None = None) -> None:
        self._file = PixelFile(Path(path), budget)
        self._budget = budget
        try:
            self._images = walk_images(self._file.read_at, self._file.size, self._file.label)
        except BaseException:
            self._file.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its images, in order."""
        return tuple(layout.name for layout in self._images)

    def check(self, image: str = "") -> None:
        """Raise `FileProblemError` if an image is no flat picture, or is cut off."""
        layout = find_image(self._images, image, self._file.label)
        layout.plane(self._file.label)
        check_complete(layout, self._file.size, self._file.label)

    def shape(self, image: str = "") -> tuple[int, int]:
        """Return (ny, nx) of one image."""
        return find_image(self._images, image, self._file.label).plane(self._file.label)

    def read(self, image: str = "") -> NDArray[Any]:
        """Return one image whole (see `read_image`)."""
        layout = find_image(self._images, image, self._file.label)
        return _read_whole(self._file, layout)

    def rows(self, image: str = "", *, owner: bool = False) -> RowSource:
        """Return one image for reading in bands; it needs this file to stay open.

        ``owner``: closing the rows closes the file.
        """
        layout = find_image(self._images, image, self._file.label)
        label = self._file.label + (f"[{layout.name}]" if layout.name else "")
        if layout.compressed:
            pixels = _read_whole(self._file, layout)
            if self._budget is not None and not self._budget.take(pixels.nbytes):
                return _on_disk(pixels, label, self._budget)
            if owner:
                self._file.close()
            return ArrayRows(pixels, label)
        self.check(image)
        return FitsRows(self._file, layout, label, owner=owner)

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class FitsRows:
    """One image of a FITS file as a `RowSource`. Safe to read from several threads."""

    def __init__(
        self, file: PixelFile, layout: ImageLayout, label: str, *, owner: bool = True
    ) -> None:
        self._file = file
        self._layout = layout
        self._label = label
        self._owner = owner
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
        if self._owner:
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


def _on_disk(pixels: NDArray[Any], label: str, budget: UnpackBudget) -> RowSource:
    """Put unpacked pixels into a temporary file, as plain FITS numbers would lie."""
    bitpix, bzero = {"u2": (16, 32768.0), "i2": (16, 0.0)}.get(pixels.dtype.str[1:], (-32, 0.0))
    if bitpix == 16:
        raw = (pixels.view(np.int16) ^ np.int16(-32768 if bzero else 0)).astype(">i2")
    else:
        raw = pixels.astype(">f4")
    file = PixelFile.temporary(raw, label, budget)
    axes = (pixels.shape[1], pixels.shape[0])
    layout = ImageLayout(0, "", "", "1", bitpix, axes, 0, 0, bzero=bzero)
    return FitsRows(file, layout, label)


def _read_whole(file: PixelFile, layout: ImageLayout) -> NDArray[Any]:
    ny, nx = layout.plane(file.label)
    _check_memory(file.label, ny * nx * max(BITPIX_BYTES[layout.bitpix], 4))
    if layout.compressed:
        raw = unpack_tiles(file, layout).reshape(ny, nx)
    else:
        check_complete(layout, file.size, file.label)
        raw = np.empty((ny, nx), _DTYPES[layout.bitpix])
        file.read_into(_bytes_of(raw), layout.data_offset)
    return _scaled(raw, layout)


def _check_memory(label: str, wanted: int) -> None:
    if wanted > most_in_memory():
        raise FileProblemError(
            f"{label} is too large for this computer: its pixels take {file_size(wanted)} of "
            "memory.",
            hint="Leave it out, or use a computer with four times as much.",
        )


def _scaled(raw: NDArray[Any], layout: ImageLayout) -> NDArray[Any]:
    """Apply BZERO, BSCALE and BLANK (standard 4.0, section 4.4.2.5), in native byte order."""
    if raw.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            if layout.bscale == 1.0 and layout.bzero == 0.0:
                return raw.astype(np.float32)
            return (raw.astype(np.float64) * layout.bscale + layout.bzero).astype(np.float32)
    # A BLANK that the type cannot hold is nowhere.
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
