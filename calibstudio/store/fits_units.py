"""FITS files of header and data units, written once from the first byte to the last.

Images are handed over as arrays, which may lie in files of their own: they are turned to the byte
order of FITS band by band, first for the checksums, which stand in the headers, then for the
file. The hash of the whole file falls out of the writing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import give_way
from calibstudio.domain.planes import let_go
from calibstudio.store.card_writer import BLOCK, checksum_text, data_sum

_COMMENT = "of this HDU"
"""Of both checksums: astropy would write the time of day, and no two files would be the same."""
_BAND_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, eq=False)
class ImageUnit:
    """A header that says an image, and the image."""

    header: Any
    """astropy's, without checksums; they are added when the unit is written."""
    array: NDArray[Any]
    """Shape (ny, nx), of the type that the header says or one that fits into it."""


def image_unit(array: NDArray[Any], dtype: Any = None, *, primary: bool = False) -> ImageUnit:
    """Make the unit of an image, of its own type or another, for its header to be filled in."""
    from astropy.io import fits

    # astropy looks at shape and type alone: the pixels do not pass through it.
    nothing = np.broadcast_to(np.dtype(dtype or array.dtype).type(0), array.shape)
    hdu = fits.PrimaryHDU(nothing) if primary else fits.ImageHDU(nothing)
    return ImageUnit(hdu.header, array)


def write_units(path: Path, units: Sequence[Any]) -> str:
    """Write units (`ImageUnit`, or small HDUs of astropy) and return the SHA-256 of the file.

    Raises
    ------
    OSError
        It cannot be written.
    """
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for k, unit in enumerate(units):
            for part in _parts(unit, first=k == 0):
                digest.update(part)
                file.write(part)
    return digest.hexdigest()


def _parts(unit: Any, *, first: bool) -> Iterator[bytes | memoryview]:
    if not isinstance(unit, ImageUnit):
        yield _small(unit, first=first)
        return
    sum_of_data = _Sum()
    for band in _stored(unit):
        sum_of_data.add(band)
    yield _with_checksums(unit.header, sum_of_data.total())
    size = 0
    for band in _stored(unit):
        size += len(band)
        yield band
    yield b"\0" * (-size % BLOCK)


def _stored(unit: ImageUnit) -> Iterator[memoryview]:
    """Give the bytes of an image as FITS has them."""
    kind = {8: ">u1", 16: ">i2", 32: ">i4", -32: ">f4"}[int(unit.header["BITPIX"])]
    ny, nx = unit.array.shape
    rows = max(1, _BAND_BYTES // max(1, nx * np.dtype(kind).itemsize))
    for y0 in range(0, ny, rows):
        give_way()
        band = np.ascontiguousarray(unit.array[y0 : y0 + rows], kind)
        yield memoryview(band.reshape(-1).view(np.uint8).data)
        let_go(unit.array)


class _Sum:
    """The sum of a data unit, piece by piece."""

    def __init__(self) -> None:
        self._total = 0
        self._left = b""

    def add(self, part: memoryview) -> None:
        """Add some bytes; those beyond a word wait for the next."""
        if self._left:
            part = memoryview(self._left + bytes(part))
        whole = len(part) // 4 * 4
        self._total += data_sum(np.frombuffer(part[:whole], np.uint8))
        self._left = bytes(part[whole:])

    def total(self) -> int:
        """Return it, as 32 bits of ones' complement."""
        if self._left:
            self._total += data_sum(np.frombuffer(self._left.ljust(4, b"\0"), np.uint8))
            self._left = b""
        while self._total >> 32:
            self._total = (self._total & 0xFFFFFFFF) + (self._total >> 32)
        return self._total


def _with_checksums(header: Any, of_data: int) -> bytes:
    """Return a header with both checksums, as astropy would write it."""
    header["DATASUM"] = (str(of_data), _COMMENT)
    header.set("CHECKSUM", "0" * 16, _COMMENT, before="DATASUM")
    whole = _Sum()
    whole.add(memoryview(header.tostring().encode("ascii")))
    total = whole.total() + of_data
    total = (total & 0xFFFFFFFF) + (total >> 32)
    header["CHECKSUM"] = checksum_text(total)
    done: bytes = header.tostring().encode("ascii")
    return done


def _small(hdu: Any, *, first: bool) -> bytes:
    """Return the bytes of an HDU of astropy."""
    from astropy.io import fits

    hdu.add_checksum(when=_COMMENT)
    buffer = io.BytesIO()
    whole = [hdu] if first else [fits.PrimaryHDU(), hdu]
    fits.HDUList(whole).writeto(buffer, checksum=False)
    data = buffer.getvalue()
    # The empty primary HDU that astropy asks for takes one block.
    return data if first else data[BLOCK:]
