"""Pictures compressed in tiles (fpack): checked first, then unpacked by astropy.

The decoders behind astropy are C that trusts what it is given: a tile size that is not the
stream's own, or a stream said to lie outside of the file, makes them write over other memory and
ends the whole program. What they trust is therefore checked before they are called.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import Cancelled, FileProblemError
from calibstudio.store.fits_cards import Cards, header_length
from calibstudio.store.image_names import COLOURS
from calibstudio.store.pixels_file import PixelFile
from calibstudio.store.pixels_layout import BITPIX_BYTES, ImageLayout

_METHODS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS")
_QUANTIZED = ("", "NONE", "NO_DITHER", "SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2")
_STREAMS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")
"""Columns whose rows say where a tile's bytes lie, in the order in which they are asked."""
_WIDTHS = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "C": 8, "M": 16}
_FORMAT = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])(.?)")
_HCOMPRESS = struct.Struct(">2sii")
"""How a stream of HCOMPRESS begins: magic bytes, and the two sides of its tile."""
_HCOMPRESS_LEAST = 25


def unpack_tiles(file: PixelFile, layout: ImageLayout) -> NDArray[Any]:
    """Unpack a picture, without BSCALE and BZERO: they are the caller's to apply.

    Raises
    ------
    FileProblemError
        If anything about it is broken.
    """
    from astropy.io import fits

    try:
        _check(_Table.read(file, layout), file, layout)
        with fits.open(file.stream(), memmap=False, do_not_scale_image_data=True) as hdus:
            pixels = np.array(hdus[layout.index].data)
    except (FileProblemError, Cancelled):
        raise
    except Exception as error:  # a foreign reader at damaged data: it raises whatever it meets
        raise _broken(file, "its compressed picture cannot be unpacked") from error
    ny, nx = layout.plane(file.label)
    if layout.channel is not None and pixels.size == COLOURS * ny * nx:
        pixels = pixels.reshape(COLOURS, ny, nx)[layout.channel].copy()
    if pixels.size != ny * nx or pixels.dtype.kind not in "uif":
        raise _broken(file, "its compressed picture is not what its header says")
    return pixels


def _broken(file: PixelFile, what: str) -> FileProblemError:
    return FileProblemError(f"{file.label} is broken: {what}.", hint="Copy it again.")


@dataclass(frozen=True, slots=True)
class _Table:
    """The table that holds the tiles: its header, and the places of their streams."""

    cards: Cards
    offset: int
    """Where its rows begin in the file."""
    rows: int
    row_bytes: int
    end: int
    """Where its heap ends."""
    columns: dict[str, tuple[int, str]]
    """Name to (offset in a row, format)."""

    @classmethod
    def read(cls, file: PixelFile, layout: ImageLayout) -> _Table:
        """Read the header once more, with all its cards."""
        head = file.read_at(layout.header_offset, layout.data_offset - layout.header_offset)
        length = header_length(head)
        cards = Cards(head[: length[0]] if length else head)
        row_bytes, rows = _count(cards, "NAXIS1", file), _count(cards, "NAXIS2", file)
        end = layout.data_offset + row_bytes * rows + _count(cards, "PCOUNT", file)
        if end > file.size:
            raise _broken(file, "it is cut off in its compressed picture")
        columns = _columns(cards, file)
        return cls(cards, layout.data_offset, rows, row_bytes, end, columns)

    def places(self, file: PixelFile, name: str) -> NDArray[np.int64]:
        """Return (offset in the file, bytes) of the streams of a column, for every row."""
        at, form = self.columns[name]
        match = _FORMAT.match(form)
        if match is None or match[2] not in "PQ" or match[3] not in _WIDTHS:
            raise _broken(file, f"{name} has the format {form!r}")
        kind = np.dtype(">i4" if match[2] == "P" else ">i8")
        whole = np.frombuffer(file.read_at(self.offset, self.rows * self.row_bytes), np.uint8)
        pairs = whole.reshape(self.rows, self.row_bytes)[:, at : at + 2 * kind.itemsize]
        count, start = np.ascontiguousarray(pairs).view(kind).astype(np.int64).T
        heap = self.offset + _count(self.cards, "THEAP", file, self.rows * self.row_bytes)
        length = count * _WIDTHS[match[3]]
        if np.any(count < 0) or np.any(start < 0) or np.any(heap + start + length > self.end):
            raise _broken(file, "a tile lies outside of the file")
        return np.stack([heap + start, length], axis=1)


def _columns(cards: Cards, file: PixelFile) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    at = 0
    for i in range(1, min(_count(cards, "TFIELDS", file), 999) + 1):
        form, name = cards.value(f"TFORM{i}"), cards.value(f"TTYPE{i}")
        match = _FORMAT.match(form) if isinstance(form, str) else None
        if match is None or not isinstance(form, str) or not isinstance(name, str):
            raise _broken(file, f"column {i} of its table says nothing")
        found[name.upper()] = (at, form)
        repeat = int(match[1] or 1)
        if match[2] in "PQ":
            at += repeat * (8 if match[2] == "P" else 16)
        elif match[2] == "X":
            at += -(-repeat // 8)
        else:
            at += repeat * _WIDTHS[match[2]]
    if at != _count(cards, "NAXIS1", file) or "COMPRESSED_DATA" not in found:
        raise _broken(file, "the table of its tiles does not fit its header")
    return found


def _count(cards: Cards, keyword: str, file: PixelFile, default: int | None = None) -> int:
    """Return a whole number that is not negative."""
    value = cards.value(keyword)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 50:
        raise _broken(file, f"{keyword} says {value!r} in its header")
    return value


def _check(table: _Table, file: PixelFile, layout: ImageLayout) -> None:
    """Check all that the decoders trust."""
    cards = table.cards
    method = cards.value("ZCMPTYPE")
    if method not in _METHODS:
        raise FileProblemError(
            f"{file.label} is compressed by {str(method)[:40]!r}, which is not known here.",
            hint="Unpack it with funpack.",
        )
    if str(cards.value("ZQUANTIZ") or "").upper() not in _QUANTIZED:
        raise _broken(file, f"ZQUANTIZ says {cards.value('ZQUANTIZ')!r} in its header")
    if _count(cards, "ZDITHER0", file, 0) > 10_000:
        raise _broken(file, f"ZDITHER0 says {cards.value('ZDITHER0')!r} in its header")
    _check_settings(cards, file)
    shapes = list(_tile_shapes(cards, file, layout)) if table.rows <= math.prod(layout.axes) else []
    if len(shapes) != table.rows:
        raise _broken(file, f"{table.rows} tiles are there and {len(shapes)} are needed")
    streams = {name: table.places(file, name) for name in _STREAMS if name in table.columns}
    for row, shape in enumerate(shapes):
        place, packed_by = streams["COMPRESSED_DATA"][row], str(method)
        if place[1] == 0 and "GZIP_COMPRESSED_DATA" in streams:
            place, packed_by = streams["GZIP_COMPRESSED_DATA"][row], "GZIP_1"
        if packed_by == "HCOMPRESS_1":
            _check_sides(file, place, shape)
        elif packed_by.startswith("GZIP"):
            _check_amount(file, place, shape, layout)


def _check_settings(cards: Cards, file: PixelFile) -> None:
    """Check the ZNAMEn, ZVALn pairs that reach the decoders."""
    for i in range(1, 100):
        name = cards.value(f"ZNAME{i}")
        if name is None:
            return
        value = cards.value(f"ZVAL{i}")
        allowed = {"BYTEPIX": (1, 2, 4, 8), "BLOCKSIZE": (16, 32, 64), "SMOOTH": (0, 1)}
        wrong = isinstance(value, bool) or not isinstance(value, int | float)
        if wrong or value not in allowed.get(str(name), (value,)):
            raise _broken(file, f"{name} says {value!r} in its header")


def _tile_shapes(cards: Cards, file: PixelFile, layout: ImageLayout) -> Iterator[tuple[int, int]]:
    """Yield (columns, rows) of every tile in order; those at the far edges are smaller."""
    sides: list[list[int]] = []
    for i, axis in enumerate(layout.axes, 1):
        tile = _count(cards, f"ZTILE{i}", file, axis if i == 1 else 1)
        if tile < 1:
            raise _broken(file, f"ZTILE{i} says {tile} in its header")
        sides.append([min(tile, axis - start) for start in range(0, axis, tile)])
    # All but the first two axes, and the third of a colour picture, have length 1: the rows of
    # tiles follow one another, colour by colour.
    first, others = sides[0], sides[1] if len(sides) > 1 else [1]
    for colours in sides[2] if len(sides) > 2 else [1]:
        for ny in others:
            for nx in first:
                yield nx, ny * colours


def _check_sides(file: PixelFile, place: NDArray[np.int64], shape: tuple[int, int]) -> None:
    """Check that a stream of HCOMPRESS is for a tile of this size: it writes what it says."""
    nx, ny = shape
    if place[1] < _HCOMPRESS_LEAST:
        raise _broken(file, "a tile is cut off")
    # The sides are written in the order of C.
    if _HCOMPRESS.unpack(file.read_at(int(place[0]), _HCOMPRESS.size)) != (b"\xdd\x99", ny, nx):
        raise _broken(file, "a tile is not of the size that the header says")


def _check_amount(
    file: PixelFile, place: NDArray[np.int64], shape: tuple[int, int], layout: ImageLayout
) -> None:
    """Check that a stream of gzip does not unpack to more than its pixels could be."""
    most = shape[0] * shape[1] * max(8, BITPIX_BYTES[layout.bitpix])
    stream = file.read_at(int(place[0]), int(place[1]))
    if len(zlib.decompressobj(wbits=47).decompress(stream, most + 1)) > most:
        raise _broken(file, "a tile unpacks to more than its pixels")
