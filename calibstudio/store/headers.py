"""What a frame says about itself, whatever program wrote it: one normalised header.

Only header blocks are read, never pixels. The header wins over the names of files and folders;
those fill gaps; where two sources disagree, the header's notes say it (RULES 1).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.header_edit import correct, with_night
from calibstudio.domain.overscan import said_sections
from calibstudio.domain.wording import cut_off, significant
from calibstudio.store import header_words as words
from calibstudio.store.any_header import reader
from calibstudio.store.camera_raw import CAMERA_RAW, describe_raw, is_camera_raw
from calibstudio.store.fits_cards import Card
from calibstudio.store.header_bytes import (
    SER,
    FitsFile,
    Hdu,
    first_bytes_kind,
    open_for_headers,
    read_fits,
    unpacked,
)
from calibstudio.store.header_record import Source, header_record
from calibstudio.store.header_values import Both, CardSource, Lookup
from calibstudio.store.image_names import COLOURS, ImageHdu, fits_image_names, is_colour
from calibstudio.store.ser import read_film
from calibstudio.store.xisf_block import WHITE
from calibstudio.store.xisf_header import XisfHeader, read_xisf
from calibstudio.store.xisf_header import image_names as xisf_names

FRAME_ENDINGS = (
    frozenset({".fit", ".fits", ".fts", ".fz", ".gz", ".bz2", ".xz", ".xisf", ".ser"}) | CAMERA_RAW
)
"""Lower case; what a file is, is told by its first bytes."""


@dataclass(frozen=True, slots=True)
class ReadHeader:
    """A header as the file gives it, and the first bytes of the file (to find doubles)."""

    header: FrameHeader
    first_bytes: bytes


def read_header(
    path: Path,
    *,
    site: Site | None = None,
    corrections: Mapping[str, HeaderValue] | None = None,
) -> FrameHeader:
    """Read and normalise the header of one file.

    Parameters
    ----------
    path
        FITS, compressed FITS or XISF with any ending, or a raw file of a camera.
    site
        Where the telescope stands; decides the night. None: what the header says.
    corrections
        The user's values by JSON word (or ``kind``); they win, and their origin says so.

    Raises
    ------
    FileProblemError
        If the file is gone, unreadable, empty, text, or its header says nothing.
    """
    found = read_raw_header(path, site_zone=None if site is None else site.timezone)
    return finish_header(found.header, site=site, corrections=corrections)


def finish_header(
    header: FrameHeader,
    *,
    site: Site | None = None,
    corrections: Mapping[str, HeaderValue] | None = None,
) -> FrameHeader:
    """Add what does not depend on the file alone: the night, and the user's corrections."""
    if corrections:
        header = correct(header, corrections)
    return with_night(header, site)


def is_for_cache(header: FrameHeader) -> bool:
    """Whether a header says the same wherever the telescope stands (local time does not)."""
    return all(word not in header.origin.get("observed_utc", "") for word in words.DATE_LOCAL) and (
        header.observed_utc is not None
        or not any(w in n for n in header.notes for w in words.DATE_LOCAL)
    )


def read_raw_header(path: Path, *, site_zone: str | None = None) -> ReadHeader:
    """Read a header without night and corrections: what may be kept in a cache.

    Raises
    ------
    FileProblemError
        As `read_header`.
    """
    stored, status = open_for_headers(path)
    try:
        with stored:
            file, size = unpacked(path, stored, status.st_size)
            head = file.read(16)
            file.seek(0)
            if first_bytes_kind(head) == "xisf":
                xisf = read_xisf(path, file, size)
                source, first = _from_xisf(path, xisf, status, size), xisf.first_bytes
            elif head.startswith(SER):
                source, first = _from_film(path, file, status, size)
            elif is_camera_raw(path, head):
                source, first = _from_raw(path, file, status)
            else:
                fits = read_fits(path, file, status.st_size)
                source, first = _from_fits(path, fits, status), fits.first_bytes
    except OSError as error:
        raise FileProblemError(
            f"{path.name} cannot be read ({error.strerror or error}).", hint="Check the disk."
        ) from error
    return ReadHeader(header_record(source, site_zone), first)


def _from_fits(path: Path, fits: FitsFile, status: os.stat_result) -> Source:
    images = [hdu for hdu in fits.hdus if hdu.is_image]
    primary = fits.hdus[0].cards
    cards: CardSource = primary
    history = primary.history
    lasting = primary.fingerprint(words.LASTING)
    if images and images[0] is not fits.hdus[0]:
        image = images[0].cards
        cards = Both(primary, image)
        history += image.history
        lasting += b"\n" + image.fingerprint(words.LASTING)
    shape, planes = None, 1
    if images:
        *more, ny, nx = images[0].shape
        shape, planes = (ny, nx), prod(more)
    return Source(
        path,
        Lookup(cards, history),
        shape,
        _image_names(fits.hdus),
        planes=planes,
        damage=fits.damage,
        sections=next((s for hdu in fits.hdus if (s := said_sections(hdu.cards.value))), ""),
        shapes=tuple(
            (hdu.shape[-2], hdu.shape[-1])
            for hdu in images
            for _ in range(COLOURS if is_colour(hdu.shape) else 1)
        ),
        file_bytes=status.st_size,
        file_mtime_ns=status.st_mtime_ns,
        lasting=lasting,
    )


def _from_film(
    path: Path, file: BinaryIO, status: os.stat_result, size: int
) -> tuple[Source, bytes]:
    read_at = reader(file)
    film = read_film(path.name, read_at, size)
    source = Source(
        path,
        Lookup(film.cards(), word="SER"),
        film.shape,
        ("",),
        exposures=film.frames,
        file_bytes=status.st_size,
        file_mtime_ns=status.st_mtime_ns,
    )
    return source, read_at(0, 16384)


def _from_raw(path: Path, file: BinaryIO, status: os.stat_result) -> tuple[Source, bytes]:
    read_at = reader(file)
    raw = describe_raw(path, read_at, status.st_size)
    source = Source(
        path,
        Lookup(raw.cards(), notes=list(raw.notes()), word="EXIF"),
        raw.shape,
        ("",),
        file_bytes=status.st_size,
        file_mtime_ns=status.st_mtime_ns,
    )
    return source, read_at(0, 16384)


def _image_names(hdus: Sequence[Hdu]) -> tuple[str, ...]:
    return fits_image_names(
        [
            ImageHdu(
                index,
                hdu.name,
                str(hdu.cards.value("EXTVER") or 1),
                hdu.is_packed,
                is_colour(hdu.shape),
            )
            for index, hdu in enumerate(hdus)
            if hdu.is_image
        ]
    )


def _from_xisf(path: Path, xisf: XisfHeader, status: os.stat_result, size: int) -> Source:
    images = [image for image in xisf.images if image.shape is not None]
    facts: dict[str, Any] = {
        "is_xisf": True,
        "file_bytes": status.st_size,
        "file_mtime_ns": status.st_mtime_ns,
    }
    if not images:
        return Source(path, Lookup({}), None, (), **facts)
    first = images[0]
    cards = first.cards
    if first.color_filter_array and "BAYERPAT" not in cards:
        cards = {**cards, "BAYERPAT": Card(first.color_filter_array)}
    damage = ""
    for image in images:
        if image.attachment is not None and sum(image.attachment) > size:
            damage = f"It {cut_off(size, sum(image.attachment))}"
    lookup = Lookup(cards, first.history, properties=first.properties)
    if first.bounds is not None and first.bounds != (0.0, WHITE):
        low, high = (significant(v) for v in first.bounds)
        lookup.notes.append(
            f"Its pixels are fractions, {low} for black and {high} for white: they are read as 0 "
            f"to {WHITE:.0f} ADU, as PixInsight means them."
        )
    names = xisf_names(images)
    facts["shapes"] = tuple(i.shape for i in images for _ in range(i.colours))
    return Source(path, lookup, first.shape, names, planes=first.colours, damage=damage, **facts)
