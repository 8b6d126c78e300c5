"""Pixels of FITS files, plain or compressed: whole images, or bands of rows.

Plain files are read with positioned reads into buffers that are used again; never by memory
mapping, because a mapped file that shrinks or vanishes kills the program with SIGBUS.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import give_way
from calibstudio.domain.pixels import ArrayRows, RowSource, Stored
from calibstudio.store.pixels_file import PixelFile, UnpackBudget
from calibstudio.store.pixels_layout import (
    BITPIX_BYTES,
    ImageLayout,
    check_complete,
    find_image,
    walk_images,
)
from calibstudio.store.pixels_rows import FileRows, Numbers, bytes_of, check_memory
from calibstudio.store.pixels_tiles import unpack_tiles

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_UNSIGNED = {(8, -128.0): "i1", (16, 32768.0): "u2", (32, 2.0**31): "u4", (64, 2.0**63): "u8"}
"""(BITPIX, BZERO) of the integers that FITS has no type for (standard 4.0, table 11)."""


class FitsPixels:
    """An open FITS file with its images.

    Raises
    ------
    FileProblemError
        If it is missing, empty, cut off, no FITS, or holds no picture.
    """

    def __init__(self, file: PixelFile, budget: UnpackBudget | None = None) -> None:
        self._file = file
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

    @property
    def exposures(self) -> tuple[str, ...]:
        """One exposure."""
        return ("",)

    def check(self, image: str = "") -> None:
        """Raise `FileProblemError` if an image is no flat picture, or is cut off."""
        layout = find_image(self._images, image, self._file.label)
        layout.plane(self._file.label)
        check_complete(layout, self._file.size, self._file.label)

    def shape(self, image: str = "") -> tuple[int, int]:
        """Return (ny, nx) of one image."""
        return find_image(self._images, image, self._file.label).plane(self._file.label)

    def read(self, image: str = "") -> NDArray[Any]:
        """Return one image whole (see `store.pixels.read_image`)."""
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
                return on_disk(pixels, label, self._budget)
            if owner:
                self._file.close()
            return ArrayRows(pixels, label)
        self.check(image)
        return _rows(self._file, layout, label, owner=owner)

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _rows(file: PixelFile, layout: ImageLayout, label: str, *, owner: bool) -> FileRows:
    """Return a plain image as rows in its file."""
    numbers = Numbers(
        layout.plane(label),
        np.dtype(_DTYPES[layout.bitpix]),
        layout.data_offset,
        lambda raw: _scaled(raw, layout),
        # BSCALE between neighbouring integers.
        abs(layout.bscale) if layout.bitpix > 0 else 0.0,
        _stored(layout),
    )
    return FileRows(file, numbers, label, owner=owner)


def _stored(layout: ImageLayout) -> Stored:
    if layout.bscale != 1.0 or layout.blank is not None:
        return Stored.OTHER
    known = {
        (16, 32768.0): Stored.FITS_UINT16,
        (16, 0.0): Stored.FITS_INT16,
        (-32, 0.0): Stored.FITS_FLOAT32,
    }
    return known.get((layout.bitpix, layout.bzero), Stored.OTHER)


def on_disk(pixels: NDArray[Any], label: str, budget: UnpackBudget) -> RowSource:
    """Put unpacked pixels into a temporary file, as plain FITS numbers would lie.

    Anything but 16-bit integers becomes float32, which is all that `RowSource` gives.
    """
    bitpix, bzero = {"u2": (16, 32768.0), "i2": (16, 0.0)}.get(pixels.dtype.str[1:], (-32, 0.0))
    if bitpix == 16:
        raw = (pixels.view(np.int16) ^ np.int16(-32768 if bzero else 0)).astype(">i2")
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            raw = pixels.astype(">f4")
    file = PixelFile.temporary(raw, label, budget)
    axes = (pixels.shape[1], pixels.shape[0])
    layout = ImageLayout(0, "", "", "1", bitpix, axes, 0, 0, bzero=bzero)
    return _rows(file, layout, label, owner=True)


def _read_whole(file: PixelFile, layout: ImageLayout) -> NDArray[Any]:
    ny, nx = layout.plane(file.label)
    check_memory(file.label, ny * nx * max(BITPIX_BYTES[layout.bitpix], 4))
    if layout.compressed:
        raw = unpack_tiles(file, layout).reshape(ny, nx)
    else:
        check_complete(layout, file.size, file.label)
        raw = np.empty((ny, nx), _DTYPES[layout.bitpix])
        file.read_into(bytes_of(raw), layout.data_offset)
    return _scaled(raw, layout)


def _scaled(raw: NDArray[Any], layout: ImageLayout) -> NDArray[Any]:
    """Apply BZERO, BSCALE and BLANK (standard 4.0, section 4.4.2.5), in native byte order.

    ``raw`` was read for this alone: it is turned where it lies, for a second copy would double
    what a large frame takes.
    """
    if raw.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            if layout.bscale == 1.0 and layout.bzero == 0.0:
                return _native(raw).astype(np.float32, copy=False)
            return _in_float32(raw, layout)
    # A BLANK that the type cannot hold is nowhere.
    blank = None
    if layout.blank is not None and _fits(layout.blank, raw.dtype):
        mask = raw == layout.blank
        blank = mask if mask.any() else None
    if layout.bscale == 1.0 and blank is None:
        if layout.bzero == 0.0:
            return _native(raw)
        unsigned = _UNSIGNED.get((abs(layout.bitpix), layout.bzero))
        if unsigned is not None:
            bits = _native(raw).view(f"u{raw.dtype.itemsize}")
            bits ^= bits.dtype.type(1 << (8 * raw.dtype.itemsize - 1))
            return bits.view(unsigned)
    values = _in_float32(raw, layout)
    if blank is not None:
        values[blank] = np.nan
    return values


def _in_float32(raw: NDArray[Any], layout: ImageLayout) -> NDArray[np.float32]:
    """Scale in float64, piece by piece: all at once would take four times the memory."""
    out = np.empty(raw.shape, np.float32)
    flat, into = raw.reshape(-1), out.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(0, flat.size, 1 << 20):
            give_way()
            part = flat[k : k + (1 << 20)].astype(np.float64)
            into[k : k + (1 << 20)] = part * layout.bscale + layout.bzero
    return out


def _native(raw: NDArray[Any]) -> NDArray[Any]:
    if raw.dtype.isnative:
        return raw
    return raw.byteswap(inplace=True).view(raw.dtype.newbyteorder("="))


def _fits(value: int, dtype: np.dtype[Any]) -> bool:
    info = np.iinfo(dtype)
    return int(info.min) <= value <= int(info.max)
