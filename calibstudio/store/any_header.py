"""The cards of a frame of any format, image by image, as if it were FITS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from calibstudio.store.camera_raw import describe_raw, is_camera_raw
from calibstudio.store.card_writer import card
from calibstudio.store.fits_cards import Card, Cards
from calibstudio.store.header_bytes import SER, Hdu, open_for_headers, read_fits, unpacked
from calibstudio.store.ser import read_film
from calibstudio.store.xisf_header import image_names, read_xisf


def read_hdus(path: Path) -> tuple[Hdu, ...]:
    """Return the headers of a file: the primary's first, then one for each further image.

    Raises
    ------
    FileProblemError
        If it cannot be read.
    """
    stored, status = open_for_headers(path)
    with stored:
        stream, size = unpacked(path, stored, status.st_size)
        start = stream.read(16)
        stream.seek(0)
        if start.startswith(b"XISF0100"):
            return _of_xisf(path, stream, size)
        if start.startswith(SER):
            film = read_film(path, reader(stream), size)
            return (_hdu(film.cards(), "", film.shape),)
        if is_camera_raw(path, start):
            about = describe_raw(path, reader(stream), status.st_size)
            return (_hdu(about.cards(), "", about.shape),)
        return read_fits(path, stream, status.st_size).hdus


def find_hdu(hdus: Sequence[Hdu], image: str) -> Hdu | None:
    """Return the header of an image by its name: ``SCI``, ``SCI,2``, ``HDU3``; None without it."""
    extname, _, extver = image.upper().partition(",")
    for index, hdu in enumerate(hdus):
        is_version = not extver or str(hdu.cards.value("EXTVER") or 1) == extver
        if (hdu.name.upper() == extname and is_version) or (
            not hdu.name and index and extname == f"HDU{index}"
        ):
            return hdu
    # One colour of a picture: the header is that of all three.
    base, _, colour = image.upper().rpartition(" ")
    return find_hdu(hdus, base) if base and colour in ("R", "G", "B") else None


def reader(stream: BinaryIO) -> Callable[[int, int], bytes]:
    """Return a function that reads bytes at a place of an open file."""

    def read_at(offset: int, size: int) -> bytes:
        stream.seek(offset)
        return stream.read(size)

    return read_at


def _of_xisf(path: Path, stream: BinaryIO, size: int) -> tuple[Hdu, ...]:
    images = [image for image in read_xisf(path, stream, size).images if image.shape]
    names = iter(image_names(images))
    found: list[Hdu] = []
    for image in images:
        cards = dict(image.cards)
        if image.color_filter_array:
            cards.setdefault("BAYERPAT", Card(image.color_filter_array))
        # The samples are what they are; a keyword that was copied from FITS changes nothing.
        for keyword in ("BZERO", "BSCALE"):
            cards.pop(keyword, None)
        made = _hdu(cards, "", image.shape or ())
        named = [next(names) for _ in range(max(1, image.colours if image.colours >= 3 else 1))]
        if not found:
            found.append(made)
        found += [replace(made, name=name) for name in named if name]
    return tuple(found)


def _hdu(cards: Mapping[str, Card], name: str, shape: tuple[int, ...]) -> Hdu:
    lines = []
    for keyword, one in cards.items():
        if one.value is None:
            continue
        try:
            lines.append(card(keyword, one.value, one.comment))
        except ValueError:  # a keyword or text that FITS cannot hold
            continue
    return Hdu(Cards(b"".join(lines)), True, name, shape, 0, 0)
