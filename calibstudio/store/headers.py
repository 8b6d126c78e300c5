"""What a frame says about itself, whatever program wrote it: one normalised header.

Only header blocks are read, never pixels. The header wins over the names of files and folders;
those fill gaps; where two sources disagree, the header's notes say it (RULES 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.filters import same_filter
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.header_edit import correct, with_night
from calibstudio.store import header_fields as fields
from calibstudio.store import header_words as words
from calibstudio.store.fits_cards import Card
from calibstudio.store.header_bytes import (
    FitsFile,
    first_bytes_kind,
    open_for_headers,
    read_fits,
)
from calibstudio.store.header_kind import master_evidence, read_calibrated, read_kind
from calibstudio.store.header_path import PathWords, read_path
from calibstudio.store.header_time import read_observed
from calibstudio.store.header_values import Lookup, close
from calibstudio.store.xisf_header import XisfHeader, read_xisf

FRAME_ENDINGS = frozenset({".fit", ".fits", ".fts", ".fz", ".gz", ".bz2", ".xisf"})
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
        FITS, compressed FITS or XISF, with any ending.
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
    file, status = open_for_headers(path)
    try:
        with file:
            head = file.read(8)
            file.seek(0)
            if first_bytes_kind(head) == "xisf":
                xisf = read_xisf(path, file, status.st_size)
                header = _from_xisf(path, xisf, status.st_size, site_zone)
                first = xisf.first_bytes
            else:
                fits = read_fits(path, file, status.st_size, words.WANTED)
                header, first = _from_fits(path, fits, site_zone), fits.first_bytes
    except OSError as error:
        raise FileProblemError(
            f"{path.name} cannot be read ({error.strerror or error}).", hint="Check the disk."
        ) from error
    header = replace(header, file_bytes=status.st_size, file_mtime_ns=status.st_mtime_ns)
    return ReadHeader(header, first)


def _from_fits(path: Path, fits: FitsFile, site_zone: str | None) -> FrameHeader:
    images = [hdu for hdu in fits.hdus if hdu.is_image]
    cards: Mapping[str, Card] = fits.hdus[0].cards.by_keyword
    history = fits.hdus[0].cards.history
    if images and images[0] is not fits.hdus[0]:
        cards = _merged(cards, images[0].cards.by_keyword)
        history += images[0].cards.history
    shape, planes = None, 1
    if images:
        *more, ny, nx = images[0].shape
        shape, planes = (ny, nx), prod(more)
    names = _image_names([(hdu.name, hdu.cards.get("EXTVER")) for hdu in images])
    lookup = Lookup(cards, history)
    return _normalised(path, lookup, shape, names, fits.damage, site_zone, planes=planes)


def _from_xisf(path: Path, xisf: XisfHeader, size: int, site_zone: str | None) -> FrameHeader:
    images = [image for image in xisf.images if image.shape is not None]
    if not images:
        return _normalised(path, Lookup({}), None, (), "", site_zone, is_xisf=True)
    first = images[0]
    cards = first.cards
    if first.color_filter_array and "BAYERPAT" not in cards:
        cards = {**cards, "BAYERPAT": Card(first.color_filter_array)}
    damage = ""
    for image in images:
        if image.attachment is not None and sum(image.attachment) > size:
            damage = f"It is cut off: {size} of {sum(image.attachment)} bytes are there."
    lookup = Lookup(cards, first.history, properties=first.properties)
    names = ("", *(image.name or f"image {n + 2}" for n, image in enumerate(images[1:])))
    planes = prod(first.geometry[2:])
    return _normalised(
        path, lookup, first.shape, names, damage, site_zone, planes=planes, is_xisf=True
    )


def _merged(primary: Mapping[str, Card], image: Mapping[str, Card]) -> Mapping[str, Card]:
    """The primary's cards; the image's where the primary has none or an empty one."""
    merged = {**image, **primary}
    for keyword, card in primary.items():
        if (card.value is None or card.value == "") and keyword in image:
            merged[keyword] = image[keyword]
    return merged


def _image_names(found: list[tuple[str, object]]) -> tuple[str, ...]:
    """Names of image HDUs as a user types them: ``SCI``, and ``SCI,2`` where a name repeats."""
    names = [name for name, _ in found]
    out = []
    for name, version in found:
        repeated = name and names.count(name) > 1
        out.append(f"{name},{version}" if repeated and isinstance(version, int) else name)
    return tuple(out)


def _normalised(
    path: Path,
    lookup: Lookup,
    shape: tuple[int, int] | None,
    images: tuple[str, ...],
    damage: str,
    site_zone: str | None,
    *,
    planes: int = 1,
    is_xisf: bool = False,
) -> FrameHeader:
    values: dict[str, Any] = {}
    kind, says_master = read_kind(lookup)
    software = fields.read_text(lookup, "software", words.SOFTWARE)
    values["camera"] = fields.read_text(lookup, "camera", words.CAMERA)
    values["serial"] = fields.read_text(lookup, "serial", words.SERIAL)
    values["exposure_s"] = fields.read_exposure(lookup)
    values["gain"], values["egain_e_per_adu"] = fields.read_gains(
        lookup, software, values["camera"]
    )
    values["offset"] = fields.read_setting(lookup, "offset", words.OFFSET)
    for name, keywords in (("set_temp_c", words.SET_TEMP), ("sensor_temp_c", words.SENSOR_TEMP)):
        values[name] = fields.read_temperature(lookup, name, keywords)
    values["binning"] = fields.read_binning(lookup)
    values["region"] = fields.read_region(lookup, shape)
    values["filter"] = fields.read_filter(lookup)
    values["bayer"] = fields.read_bayer(lookup, shape, is_xisf=is_xisf)
    values["readout_mode"] = fields.read_text(lookup, "readout_mode", words.READOUT)
    values["telescope"] = fields.read_text(lookup, "telescope", words.TELESCOPE)
    values["focal_length_mm"] = fields.read_focal_length(lookup)
    values["rotator_deg"] = fields.read_rotator(lookup)
    values["observed_utc"] = read_observed(lookup, values["exposure_s"], site_zone)
    values["object_name"] = fields.read_text(lookup, "object_name", words.OBJECT)
    values["pixel_size_um"] = fields.read_pixel_size(lookup)
    values["row_order"] = fields.read_text(lookup, "row_order", ("ROWORDER",))
    values["saturation_adu"] = fields.read_saturation(lookup)
    pedestal = fields.read_pedestal(lookup, software)
    if shape is not None:
        lookup.origin["shape"] = "Image geometry" if is_xisf else "NAXIS cards"
    calibrated = read_calibrated(lookup)
    if calibrated:
        lookup.notes.append(f"Already calibrated: {calibrated}.")
    evidence = "" if says_master else master_evidence(lookup) or ""
    said = read_path(path)
    kind = _fill_from_path(lookup, said, kind, values)
    is_master = says_master or bool(evidence)
    if not is_master and path.name.lower().startswith("master"):
        is_master, evidence = True, "the file name"
    if is_master:
        kind = kind or _APP_LIGHT.get(evidence)
        if evidence:
            lookup.notes.append(f"Taken as a master, because of {evidence}.")
    return FrameHeader(
        path=path,
        kind=kind,
        is_master=is_master,
        shape=shape,
        software=software,
        pedestal_adu=pedestal,
        calibrated=calibrated,
        images=images,
        planes=planes,
        damage=damage,
        site_longitude_deg=fields.read_longitude(lookup),
        origin=MappingProxyType(lookup.origin),
        notes=tuple(dict.fromkeys(lookup.notes)),
        **values,
    )


_APP_LIGHT = {"INTEGRAT": "light"}
"""Astro Pixel Processor writes INTEGRAT into integrated lights only."""


def _fill_from_path(
    lookup: Lookup, said: PathWords, kind: str | None, values: dict[str, Any]
) -> str | None:
    """Fill gaps from the names, and note where names and header disagree."""
    if kind is None and said.kind is not None:
        kind = said.kind
        lookup.origin["kind"] = "path"
    elif kind is not None and said.kind is not None and kind != said.kind:
        values["path_kind"] = said.kind
        lookup.notes.append(
            f"Header says {kind}, {said.kind_in} says {said.kind}. The header is used."
        )
    of_path: tuple[tuple[str, Any, float, float], ...] = (
        ("exposure_s", said.exposure_s, 0.005, 0.01),
        ("gain", said.gain, 0.001, 0.0),
        ("offset", said.offset, 0.001, 0.0),
        ("binning", said.binning, 0.0, 0.0),
        ("filter", said.filter, 0.0, 0.0),
    )
    for name, value, absolute, relative in of_path:
        if value is None:
            continue
        if name == "filter" and kind in ("bias", "dark", "dark flat"):
            continue
        if values[name] is None:
            values[name] = value
            lookup.origin[name] = "path"
        elif not _same(values[name], value, absolute, relative):
            where = said.filter_in if name == "filter" else "path"
            lookup.notes.append(
                f"Header says {_say(name, values[name])}, {where} says "
                f"{_say(name, value)}. The header is used."
            )
    _temperature_from_path(lookup, said, values)
    return kind


def _temperature_from_path(lookup: Lookup, said: PathWords, values: dict[str, Any]) -> None:
    """A temperature in a name is the set or the measured one: only its absence is filled."""
    if said.temp_c is None:
        return
    known = [t for t in (values["set_temp_c"], values["sensor_temp_c"]) if t is not None]
    if not known:
        values["sensor_temp_c"] = said.temp_c
        lookup.origin["sensor_temp_c"] = "path"
    elif all(abs(t - said.temp_c) > 1.5 for t in known):
        lookup.notes.append(
            f"Header says {_say('set_temp_c', known[0])}, path says "
            f"{_say('set_temp_c', said.temp_c)}. The header is used."
        )


def _same(a: object, b: object, absolute: float, relative: float) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return close(a, b, absolute, relative)
    if isinstance(a, str) and isinstance(b, str):
        return same_filter(a, b)
    return a == b


def _say(name: str, value: object) -> str:
    word = {"gain": "gain ", "offset": "offset ", "binning": "binning "}.get(name, "")
    return word + fields.shown(name, value)
