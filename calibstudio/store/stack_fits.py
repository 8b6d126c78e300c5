"""The file that a bare stack is written to: image, UNC and CNT, band by band as they come.

All sizes are known before the first pixel, so every band is written at its final place, from
whichever thread made it, and the whole never lies in memory.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.detectors import REJECTED_PLANES, plane_name
from calibstudio.domain.wording import count
from calibstudio.store.any_header import find_hdu, read_hdus
from calibstudio.store.card_writer import BLOCK, CARD, card, header_block, history
from calibstudio.store.fits_cards import Cards
from calibstudio.store.write_behind import WriteBehind, reserve

KEPT = (
    *("IMAGETYP", "FRAME", "OBSTYPE", "OBJECT", "INSTRUME", "DETECTOR", "TELESCOP", "OBSERVAT"),
    *("EXPTIME", "EXPOSURE", "GAIN", "EGAIN", "OFFSET", "READOUTM", "XBINNING", "YBINNING"),
    *("SET-TEMP", "CCD-TEMP", "FILTER", "BAYERPAT", "XBAYROFF", "YBAYROFF", "ROWORDER"),
    *("FOCALLEN", "ROTATANG", "XPIXSZ", "YPIXSZ", "SITELAT", "SITELONG", "DATE-OBS", "PEDESTAL"),
    *("ISOSPEED", "SERIALNO", "DATE-LOC", "BUNIT"),
)
"""Cards taken over from the first file, as they are."""
_RESERVED = BLOCK // CARD
"""Cards of every image's header that are left blank for what is known at the end alone."""

HeaderCard = tuple[str, str | int | float | bool, str]


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image of the file: where it goes, and what is said about it."""

    name: str
    """Empty: the primary HDU."""
    shape: tuple[int, int]
    cards: tuple[HeaderCard, ...] = ()
    maps: bool = False
    """With planes of the values rejected low and high."""
    unit: str = "adu"
    """Of the pixels; empty: not said."""


class StackFile:
    """A FITS file that is filled in bands. Close it, then give it its name.

    One image lies in the primary HDU with ``UNC`` and ``CNT`` behind; several lie in extensions
    of their names with ``X_UNC`` and ``X_CNT`` (PRODUCT 5). Maps of rejected values are
    ``REJ_LOW`` and ``REJ_HIGH`` behind these.
    """

    def __init__(self, path: Path, images: Sequence[PlannedImage]) -> None:
        self._lock = threading.Lock()
        self._places: list[tuple[int, ...]] = []
        self._blanks: list[int] = []
        self._shapes = [image.shape for image in images]
        self._fd = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
        self._behind = WriteBehind(self._fd)
        try:
            self._lay_out(images)
        except BaseException:
            self.close()
            raise

    def sink(self, index: int) -> StackSink:
        """Return where the planes of image ``index`` go."""
        return StackSink(self, self._places[index], self._shapes[index])

    def write_result(
        self, index: int, found: Sequence[HeaderCard], sentences: Sequence[str]
    ) -> None:
        """Say in the header of image ``index`` what came out, in cards and HISTORY.

        Sentences that have no room are counted.
        """
        cards = _written(found)
        for k, sentence in enumerate(sentences):
            lines, rest = history(sentence), len(sentences) - k
            room = _RESERVED - sum(map(len, cards)) // CARD
            # One card is kept for saying how many are left, unless this is the last.
            if len(lines) // CARD > room - (1 if rest > 1 else 0):
                cards.append(history(f"And of {count(rest, 'other frame')}: see the report."))
                break
            cards.append(lines)
        self._write(memoryview(b"".join(cards)), self._blanks[index])

    def write_at(self, data: NDArray[Any], offset: int) -> None:
        """Write the bytes of an array at a place. Safe from several threads."""
        self._write(memoryview(data.reshape(-1).view(np.uint8).data), offset)
        self._behind.wrote(data.nbytes)

    def close(self) -> None:
        """Close it. Safe to call twice."""
        if self._fd >= 0:
            self._behind.close()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _lay_out(self, images: Sequence[PlannedImage]) -> None:
        offset = 0
        several = len(images) > 1
        if several:
            first = images[0].cards
            offset = self._header([*_primary(None), *_written(first)], offset)
        for image in images:
            start = _extension(-32, image.shape) if several else _primary(image.shape)
            name = _named(image.name) if several else []
            written = [*start, *name, *_written(image.cards)]
            self._blanks.append(offset + sum(map(len, written)))
            at_image = self._header([*written, b" " * (CARD * _RESERVED)], offset)
            at_unc = self._plane(
                plane_name(image.name, "UNC"),
                -32,
                image.shape,
                _after(at_image, image.shape, 4),
                image.unit,
            )
            at_cnt = self._plane(
                plane_name(image.name, "CNT"), 16, image.shape, _after(at_unc, image.shape, 4)
            )
            places = [at_image, at_unc, at_cnt]
            offset = _after(at_cnt, image.shape, 2)
            for which in REJECTED_PLANES if image.maps else ():
                places.append(self._plane(plane_name(image.name, which), 16, image.shape, offset))
                offset = _after(places[-1], image.shape, 2)
            self._places.append(tuple(places))
        reserve(self._fd, offset)

    def _plane(
        self, name: str, bitpix: int, shape: tuple[int, int], offset: int, unit: str = ""
    ) -> int:
        cards = [*_extension(bitpix, shape), *_named(name)]
        if bitpix == 16:
            end = name.partition(",")[0].rpartition("_")[2].lower()
            what = f"rejected {end}" if end in ("low", "high") else "kept"
            cards += [card("BSCALE", 1), card("BZERO", 32768)]
            cards.append(_unit("", f"number of values {what}"))
        elif unit:
            cards.append(_unit(unit, "one standard deviation of the image"))
        return self._header(cards, offset)

    def _header(self, cards: Sequence[bytes], offset: int) -> int:
        block = header_block(cards)
        self._write(memoryview(block), offset)
        return offset + len(block)

    def _write(self, data: memoryview, offset: int) -> None:
        while len(data):
            if hasattr(os, "pwrite"):
                done = os.pwrite(self._fd, data, offset)
            else:  # Windows has no positioned write.
                with self._lock:
                    os.lseek(self._fd, offset, os.SEEK_SET)
                    done = os.write(self._fd, data)
            data = data[done:]
            offset += done


class StackSink:
    """The three planes of one image as a `FitsSink`."""

    def __init__(self, file: StackFile, places: tuple[int, ...], shape: tuple[int, int]) -> None:
        self._file, self._places, self._columns = file, places, shape[1]

    def write_rows(
        self,
        y0: int,
        image: NDArray[np.float32],
        unc: NDArray[np.float32],
        cnt: NDArray[np.uint16],
    ) -> None:
        """Write a band that starts at row y0, in the byte order of FITS."""
        counts = _big_endian(cnt ^ np.uint16(0x8000))
        self.write_fits(y0, _big_endian(image), _big_endian(unc), counts)

    def write_fits(
        self, y0: int, image: NDArray[Any], unc: NDArray[Any], cnt: NDArray[Any]
    ) -> None:
        """Write a band that lies as in the file already."""
        first = y0 * self._columns
        for band, place in zip((image, unc, cnt), self._places[:3], strict=True):
            self._file.write_at(band, place + band.itemsize * first)

    def write_rejected(self, y0: int, low: NDArray[np.uint16], high: NDArray[np.uint16]) -> None:
        """Write a band of the maps of rejected values."""
        first = y0 * self._columns
        for counts, place in zip((low, high), self._places[3:], strict=True):
            self._file.write_at(_big_endian(counts ^ np.uint16(0x8000)), place + 2 * first)


def kept_cards(path: Path, image: str = "") -> tuple[HeaderCard, ...]:
    """Return what a stack takes over from its first file (`KEPT`).

    Of a file with several images the cards of this image go before those of the primary.

    Raises
    ------
    FileProblemError
        If the file cannot be read.
    """
    hdus = read_hdus(path)
    named = find_hdu(hdus, image) if image else None
    own = [] if named is None else [named.cards]
    found: list[HeaderCard] = []
    for keyword in KEPT:
        kept = _first(keyword, [*own, hdus[0].cards])
        if kept is not None:
            found.append(kept)
    return tuple(found)


def _first(keyword: str, headers: Sequence[Cards]) -> HeaderCard | None:
    for cards in headers:
        found = cards.get(keyword)
        if found is not None and isinstance(found.value, str | int | float) and found.value != "":
            return keyword, found.value, found.comment
    return None


def _written(cards: Sequence[HeaderCard]) -> list[bytes]:
    lines = []
    for keyword, value, comment in cards:
        if isinstance(value, float) and not np.isfinite(value):
            continue
        lines.append(card(keyword, value, comment))
    return lines


def _big_endian(values: NDArray[Any]) -> NDArray[Any]:
    if np.little_endian:
        return values.byteswap()
    return np.ascontiguousarray(values)


def _after(offset: int, shape: tuple[int, int], pixel_bytes: int) -> int:
    size = shape[0] * shape[1] * pixel_bytes
    return offset + -(-size // BLOCK) * BLOCK


def _primary(shape: tuple[int, int] | None) -> list[bytes]:
    axes = () if shape is None else shape[::-1]
    return [
        card("SIMPLE", True, "FITS standard 4.0"),
        card("BITPIX", -32 if axes else 8),
        card("NAXIS", len(axes)),
        *(card(f"NAXIS{i}", n) for i, n in enumerate(axes, 1)),
        card("EXTEND", True),
    ]


def _extension(bitpix: int, shape: tuple[int, int]) -> list[bytes]:
    return [
        card("XTENSION", "IMAGE"),
        card("BITPIX", bitpix),
        card("NAXIS", 2),
        card("NAXIS1", shape[1]),
        card("NAXIS2", shape[0]),
        card("PCOUNT", 0),
        card("GCOUNT", 1),
    ]


def _named(name: str) -> list[bytes]:
    """Name an extension; ``SCI,2`` is the second version of SCI."""
    extname, _, extver = name.partition(",")
    return [card("EXTNAME", extname), *([card("EXTVER", int(extver))] if extver.isdigit() else [])]


def _unit(unit: str, comment: str) -> bytes:
    return card("BUNIT", unit, comment)
