"""The header blocks of a file, and nothing else of it: FITS, plain or compressed, and XISF.

What a file is, is told by its first bytes; its ending only helps to say what it is not.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.wording import cut_off
from calibstudio.store.fits_cards import BLOCK, CARD, Cards, header_length
from calibstudio.store.header_words import STRUCTURE

FIRST_READ = 4 * BLOCK
MAX_HEADER = 2000 * BLOCK
"""Beyond 5.8 MB it is no header of a frame."""
MAX_HDUS = 1000
MAX_PIXELS = 1 << 40
MAX_UNPACKED = 4 << 30
"""What claims to unpack to more is not unpacked to see whether it does."""
BITPIX = frozenset((8, 16, 32, 64, -32, -64))
MAX_AXES = 9
"""More axes than any frame has; the fingerprint of the structure covers so many."""

PACKING_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)
"""What unpacking a file raises that is cut off or broken."""
CUT_OFF = "It is cut off, or its packed form is broken: not all pixels can be read."

GZIP, BZIP2, XZ, XISF, FITS = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"XISF0100", b"SIMPLE  ="
SER = b"LUCAM-RECORDER"


_OPENERS: dict[str, Callable[[BinaryIO], object]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


class NotAFrameError(FileProblemError):
    """By its first bytes the file is neither FITS nor XISF."""


@dataclass(frozen=True, slots=True)
class Hdu:
    """One header-data unit."""

    cards: Cards
    is_image: bool
    """Whether it holds pixels with at least two axes (compressed images too)."""
    name: str
    shape: tuple[int, ...]
    """(..., ny, nx); empty without pixels."""
    bitpix: int
    data_end: int
    """Where its data ends in the (uncompressed) file, without padding."""
    is_packed: bool = False
    """Whether it is a compressed image (fpack)."""


@dataclass(frozen=True, slots=True)
class FitsFile:
    """All headers of a FITS file."""

    hdus: tuple[Hdu, ...]
    first_bytes: bytes
    damage: str = ""
    """What is wrong with the file, as a sentence without its name; empty when nothing is."""


def first_bytes_kind(head: bytes) -> str:
    """Say what a file is by its first bytes: ``fits``, ``gzip``, ``bzip2``, ``xz``, ``xisf``; or
    nothing."""
    if head.startswith(FITS):
        return "fits"
    if head.startswith(GZIP):
        return "gzip"
    if head.startswith(BZIP2):
        return "bzip2"
    if head.startswith(XZ):
        return "xz"
    if head.startswith(XISF):
        return "xisf"
    return ""


def unpacked(path: Path, file: BinaryIO, size: int) -> tuple[BinaryIO, int]:
    """Return an XISF file or a film that was packed as a whole, unpacked, and its size.

    Any other file comes back as it is: packed FITS is followed header by header (`read_fits`).

    Raises
    ------
    FileProblemError
        It cannot be unpacked to its end, or to more than any picture has.
    """
    head = file.read(6)
    file.seek(0)
    opener = _OPENERS.get(first_bytes_kind(head))
    if opener is None:
        return file, size
    stream = cast(BinaryIO, opener(file))
    try:
        if not stream.read(16).startswith((XISF, SER)):
            file.seek(0)
            return file, size
        full = 16
        while part := stream.read(1 << 20):
            full += len(part)
            if full > MAX_UNPACKED:
                raise FileProblemError(
                    f"{path.name} would unpack to more than any picture has.",
                    hint="Leave it out, or copy it again.",
                )
    except PACKING_ERRORS as error:
        raise FileProblemError(
            f"{path.name} is compressed, but broken: it cannot be unpacked.",
            hint="Copy it again from where it came from.",
        ) from error
    stream.seek(0)
    return stream, full


def read_fits(path: Path, file: BinaryIO, size: int) -> FitsFile:
    """Read all headers of an open FITS file, plain or compressed as a whole.

    Parameters
    ----------
    path
        For sentences.
    file
        Positioned at its start.
    size
        Bytes on disk.

    Raises
    ------
    FileProblemError
        If it is no FITS file, or its first header says nothing.
    """
    head = file.read(FIRST_READ)
    kind = first_bytes_kind(head)
    try:
        if kind == "fits":
            return _Walk(path, file, head, size).run()
        file.seek(0)
        if kind == "gzip":
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb"))
            full = _gzip_size(file, size)
        elif kind == "bzip2":
            stream, full = cast(BinaryIO, bz2.BZ2File(file, "rb")), None
        elif kind == "xz":
            stream, full = cast(BinaryIO, lzma.LZMAFile(file)), None  # noqa: SIM115
        else:
            raise _no_fits(path, head)
        inner = stream.read(FIRST_READ)
        if first_bytes_kind(inner) != "fits":
            raise _no_fits(path, inner)
        return _Walk(path, stream, inner, full).run()
    except PACKING_ERRORS as error:
        raise FileProblemError(
            f"{path.name} is compressed, but broken: it cannot be unpacked.",
            hint="Copy it again from where it came from.",
        ) from error


def _gzip_size(file: BinaryIO, size: int) -> int | None:
    """Uncompressed size that the end of a gzip file claims; None where it cannot be told."""
    if size < 18:
        return None
    file.seek(size - 4)
    claimed = int.from_bytes(file.read(4), "little")
    file.seek(0)
    return claimed


def _no_fits(path: Path, head: bytes) -> NotAFrameError:
    if not head:
        return NotAFrameError(f"{path.name} is empty.", hint="Copy or take it again.")
    if head[:80].strip(b"\0") == b"":
        return NotAFrameError(
            f"{path.name} holds only zeros: it was not written to its end.",
            hint="Copy or take it again.",
        )
    text = head[:512]
    if not any(b < 9 for b in text) and b"\n" in head:
        return NotAFrameError(
            f"{path.name} is text, not a picture.", hint="Leave it out, or copy the frame again."
        )
    return NotAFrameError(
        f"{path.name} is neither FITS nor XISF.",
        hint="Leave it out, or copy the frame again if it should be one.",
    )


class _Walk:
    """Goes from header to header of one file."""

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        head: bytes,
        size: int | None,
    ) -> None:
        self._path = path
        self._file = file
        self._head = head
        self._size = size
        self._is_plain = isinstance(file, (io.BufferedIOBase, io.RawIOBase)) and not isinstance(
            file, (gzip.GzipFile, bz2.BZ2File, lzma.LZMAFile)
        )

    def run(self) -> FitsFile:
        if b"\n" in self._head[: CARD + 1]:
            return self._printed()
        hdus: list[Hdu] = []
        start, buffer, damage = 0, self._head, ""
        while len(hdus) < MAX_HDUS:
            header = self._header(buffer)
            if header is None:
                if not hdus:
                    raise FileProblemError(
                        f"{self._path.name} ends inside its header.",
                        hint="Copy or take it again.",
                    )
                break
            cards_bytes, ended = header
            hdu = _hdu(Cards(cards_bytes, ended=ended), start, len(hdus))
            hdus.append(hdu)
            damage = self._damage(hdu, ended)
            if damage:
                break
            start = -(-hdu.data_end // BLOCK) * BLOCK
            try:
                buffer = self._next(start, hdus)
            except PACKING_ERRORS:
                damage = CUT_OFF
                break
            if not buffer.startswith(b"XTENSION"):
                break
        return FitsFile(tuple(hdus), self._head, damage)

    def _printed(self) -> FitsFile:
        """A header as text, a card on each line, as people print and send them."""
        lines = (self._head + self._file.read(MAX_HEADER)).splitlines()
        cards = b"".join(
            line[:CARD].ljust(CARD) for line in lines if line.strip() not in (b"", b"END")
        )
        hdu = _hdu(Cards(cards), 0, 0)
        return FitsFile((hdu,), self._head, "It is the text of a header, without its pixels.")

    def _header(self, buffer: bytes) -> tuple[bytes, bool] | None:
        """Return (bytes of cards, whether END was there), reading on where needed."""
        while True:
            found = header_length(buffer)
            if found is not None:
                return buffer[: found[0]], found[1]
            # Twice as much each time: a header without end is not searched over and over.
            more = self._file.read(len(buffer)) if len(buffer) < MAX_HEADER else b""
            if not more:
                whole = len(buffer) // 80 * 80
                return (buffer[:whole], False) if whole >= 4 * 80 else None
            buffer += more

    def _damage(self, hdu: Hdu, ended: bool) -> str:
        if not ended:
            return "Its header has no END: it was not written to its end."
        if any(n < 0 for n in hdu.shape) or prod(hdu.shape) > MAX_PIXELS:
            sizes = " × ".join(_short(n) for n in reversed(hdu.shape))
            return f"Its header claims {sizes} pixels, which cannot be."
        if hdu.is_image and hdu.bitpix not in BITPIX:
            return f"Its header claims {_short(hdu.bitpix)} bits for each pixel, which cannot be."
        if not self._is_plain and hdu.data_end > MAX_UNPACKED:
            return f"It would unpack to {_short(hdu.data_end)} bytes, which is no picture."
        if self._size is None or hdu.data_end <= self._size:
            return ""
        if self._is_plain:
            return f"It {cut_off(self._size, hdu.data_end)}"
        # The size at the end of a gzip file is that of its last part alone: unpack to be sure.
        self._size = None
        try:
            self._file.seek(hdu.data_end - 1)
            is_whole = bool(self._file.read(1))
        except PACKING_ERRORS:
            is_whole = False
        return "" if is_whole else CUT_OFF

    def _next(self, start: int, hdus: list[Hdu]) -> bytes:
        """First bytes of the next header; empty at the end of the file.

        Of a compressed file with pixels, what follows them is only looked at when the file says
        that something does: unpacking pixels to find nothing would cost more than all headers.
        """
        if self._size is not None and start >= self._size:
            return b""
        if self._size is None and hdus[-1].is_image:
            return b""
        self._file.seek(start)
        return self._file.read(FIRST_READ)


def _short(number: int) -> str:
    """A number that may be absurd, in not many digits."""
    digits = len(str(abs(number)))
    return str(number) if digits <= 15 else f"10^{digits - 1}"


@dataclass(frozen=True, slots=True)
class _Geometry:
    """What a header says about the data behind it."""

    is_image: bool
    name: str
    shape: tuple[int, ...]
    bitpix: int
    data_bytes: int
    is_packed: bool


_STRUCTURE = frozenset(STRUCTURE)
_GEOMETRIES: dict[tuple[bytes, bool], _Geometry] = {}
"""Frames of one camera have the same structure: understood once."""


def _hdu(cards: Cards, start: int, index: int) -> Hdu:
    """Understand what data follows a header."""
    key = (cards.fingerprint(_STRUCTURE), index == 0)
    geometry = _GEOMETRIES.get(key)
    if geometry is None:
        if len(_GEOMETRIES) > 1000:
            _GEOMETRIES.clear()
        geometry = _GEOMETRIES[key] = _geometry(cards, is_primary=index == 0)
    return Hdu(
        cards,
        geometry.is_image,
        geometry.name,
        geometry.shape,
        geometry.bitpix,
        start + cards.n_bytes + geometry.data_bytes,
        geometry.is_packed,
    )


def _geometry(cards: Cards, *, is_primary: bool) -> _Geometry:
    axes = _axes(cards, "")
    bitpix = _size(cards, "BITPIX")
    is_groups = bool(axes) and axes[0] == 0 and cards.value("GROUPS") is True
    counted = axes[1:] if is_groups else axes
    pixels = prod(counted) if counted else 0
    groups = 1 if is_primary and not is_groups else _size(cards, "GCOUNT", 1)
    extra = 0 if is_primary and not is_groups else _size(cards, "PCOUNT")
    data = abs(bitpix) // 8 * groups * (extra + pixels) if axes else 0
    shape: tuple[int, ...] = ()
    is_packed = cards.value("ZIMAGE") is True
    if is_packed:
        shape = tuple(reversed(_axes(cards, "Z")))
        bitpix = _size(cards, "ZBITPIX", bitpix)
    elif (is_primary or cards.value("XTENSION") == "IMAGE") and not is_groups:
        shape = tuple(reversed(axes))
    is_image = len(shape) >= 2 and all(n > 0 for n in shape)
    name = cards.value("EXTNAME")
    return _Geometry(
        is_image,
        name if isinstance(name, str) and not is_primary else "",
        shape if is_image or any(n < 0 for n in shape) else (),
        bitpix,
        max(0, data),
        is_packed,
    )


def _axes(cards: Cards, prefix: str) -> list[int]:
    n_axes = min(_size(cards, f"{prefix}NAXIS"), MAX_AXES)
    return [_size(cards, f"{prefix}NAXIS{i + 1}") for i in range(n_axes)]


def _size(cards: Cards, keyword: str, default: int = 0) -> int:
    value = cards.value(keyword)
    if isinstance(value, bool):
        return default
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value if isinstance(value, int) else default


def open_for_headers(path: Path) -> tuple[BinaryIO, os.stat_result]:
    """Open a file and say its size and time.

    Raises
    ------
    FileProblemError
        If it is gone, may not be read, or is no file.
    """
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise FileProblemError(f"{path.name} is no file.", hint="Leave it out.")
        file = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise FileProblemError(
            f"{path.name} is not there any more.", hint="Scan the folder again."
        ) from error
    except IsADirectoryError as error:
        raise FileProblemError(f"{path.name} is a folder.", hint="Name the files in it.") from error
    except PermissionError as error:
        raise FileProblemError(
            f"{path.name} may not be read by this user.", hint="Change its permissions."
        ) from error
    except OSError as error:
        raise FileProblemError(
            f"{path.name} cannot be read ({error.strerror}).", hint="Check the disk."
        ) from error
    return cast(BinaryIO, file), status
