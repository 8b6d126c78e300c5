"""From cards and names to the normalised record of one frame.

Most of a header is the same for all frames of a series. What those lasting cards say is worked out
once and remembered by their bytes; times, measured temperatures and the path are read every time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from calibstudio.domain.detectors import described
from calibstudio.domain.filters import same_filter
from calibstudio.domain.header import FrameHeader
from calibstudio.store import header_fields as fields
from calibstudio.store import header_words as words
from calibstudio.store.header_kind import master_evidence, read_calibrated, read_kind
from calibstudio.store.header_path import PathWords, read_path
from calibstudio.store.header_time import read_observed
from calibstudio.store.header_values import Lookup, close

REMEMBERED = 2000


@dataclass(frozen=True, slots=True)
class Source:
    """What a file gives before its cards are understood."""

    path: Path
    lookup: Lookup
    shape: tuple[int, int] | None
    images: tuple[str, ...]
    shapes: tuple[tuple[int, int] | None, ...] = ()
    """(rows, columns) of every image."""
    sections: str = ""
    exposures: int = 1
    """More than one: a film."""
    planes: int = 1
    damage: str = ""
    is_xisf: bool = False
    file_bytes: int = 0
    file_mtime_ns: int = 0
    lasting: bytes | None = None
    """Bytes of all cards that a series shares; None: do not remember."""


@dataclass(frozen=True, slots=True)
class _Lasting:
    """What the cards say that a series of frames shares."""

    kind: str | None
    says_master: bool
    software: str | None
    pedestal_adu: float
    calibrated: str
    evidence: str
    longitude_deg: float | None
    values: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


_Key = tuple[bytes, tuple[int, int] | None]
_REMEMBERED: dict[_Key, _Lasting] = {}


def header_record(source: Source, site_zone: str | None) -> FrameHeader:
    """Understand the cards of one file: everything but night and corrections."""
    lasting = _lasting(source)
    lookup = source.lookup
    lookup.origin.update(lasting.origin)
    lookup.notes.extend(lasting.notes)
    values = dict(lasting.values)
    calibrated, evidence = lasting.calibrated, lasting.evidence
    if lookup.history:
        calibrated = read_calibrated(lookup)
        evidence = evidence or master_evidence(lookup) or ""
    values["sensor_temp_c"] = fields.read_temperature(lookup, "sensor_temp_c", words.SENSOR_TEMP)
    values["observed_utc"] = read_observed(lookup, values["exposure_s"], site_zone)
    if calibrated:
        lookup.notes.append(f"Already calibrated: {calibrated}.")
    said = read_path(source.path)
    kind = _fill_from_path(lookup, said, lasting.kind, values)
    if values["observed_utc"] is None and said.day is not None:
        # Folders by date name the night by its evening, as the observing night does.
        values["night"] = said.day
        lookup.origin["night"] = "path"
    if values["observed_utc"] is None and said.moment is not None:
        # A date with a time is a moment, and the night follows from it and from the site.
        values["path_time"] = said.moment
    kind, is_master = _master(lookup, source.path, kind, lasting.says_master, evidence)
    return FrameHeader(
        path=source.path,
        kind=kind,
        is_master=is_master,
        shape=source.shape,
        software=lasting.software,
        pedestal_adu=lasting.pedestal_adu,
        calibrated=calibrated,
        images=source.images,
        detectors=described(source.images, source.shapes),
        sections=source.sections,
        exposures=source.exposures,
        planes=source.planes,
        damage=source.damage,
        site_longitude_deg=lasting.longitude_deg,
        file_bytes=source.file_bytes,
        file_mtime_ns=source.file_mtime_ns,
        origin=MappingProxyType(lookup.origin),
        notes=tuple(dict.fromkeys(lookup.notes)),
        **values,
    )


def _lasting(source: Source) -> _Lasting:
    if source.lasting is None:
        return _read_lasting(source)
    key = (source.lasting, source.shape)
    known = _REMEMBERED.get(key)
    if known is None:
        if len(_REMEMBERED) >= REMEMBERED:
            _REMEMBERED.clear()
        known = _REMEMBERED[key] = _read_lasting(source)
    return known


def _read_lasting(source: Source) -> _Lasting:
    given = source.lookup
    lookup = Lookup(given.cards, (), properties=given.properties, word=given.word)
    values: dict[str, Any] = {}
    kind, says_master = read_kind(lookup)
    software = fields.read_text(lookup, "software", words.SOFTWARE)
    values["camera"] = fields.read_text(lookup, "camera", words.CAMERA)
    values["serial"] = fields.read_text(lookup, "serial", words.SERIAL)
    values["exposure_s"] = fields.read_exposure(lookup)
    gains = fields.read_gains(lookup, software, values["camera"])
    values["gain"], values["egain_e_per_adu"] = gains
    values["offset"] = fields.read_setting(lookup, "offset", words.OFFSET)
    values["set_temp_c"] = fields.read_temperature(lookup, "set_temp_c", words.SET_TEMP)
    values["binning"] = fields.read_binning(lookup)
    values["region"] = fields.read_region(lookup, source.shape)
    values["filter"] = fields.read_filter(lookup)
    values["bayer"] = fields.read_bayer(lookup, source.shape, is_xisf=source.is_xisf)
    values["readout_mode"] = fields.read_text(lookup, "readout_mode", words.READOUT)
    values["telescope"] = fields.read_text(lookup, "telescope", words.TELESCOPE)
    values["focal_length_mm"] = fields.read_focal_length(lookup)
    values["rotator_deg"] = fields.read_rotator(lookup)
    values["object_name"] = fields.read_text(lookup, "object_name", words.OBJECT)
    values["pixel_size_um"] = fields.read_pixel_size(lookup)
    values["row_order"] = fields.read_text(lookup, "row_order", ("ROWORDER",))
    values["saturation_adu"] = fields.read_saturation(lookup)
    values["unit"] = fields.read_unit(lookup)
    if source.shape is not None:
        plain = "NAXIS cards" if given.word == "card" else given.word
        lookup.origin["shape"] = "Image geometry" if source.is_xisf else plain
    return _Lasting(
        kind,
        says_master,
        software,
        fields.read_pedestal(lookup, software),
        read_calibrated(lookup),
        "" if says_master else master_evidence(lookup) or "",
        fields.read_longitude(lookup),
        values,
        lookup.origin,
        tuple(lookup.notes),
    )


def _master(
    lookup: Lookup, path: Path, kind: str | None, says_master: bool, evidence: str
) -> tuple[str | None, bool]:
    """Decide whether it is a master, and note the reason where its kind does not say it."""
    if says_master:
        return kind, True
    if not evidence and path.name.lower().startswith("master"):
        evidence = "the file name"
    if not evidence:
        return kind, False
    lookup.notes.append(f"Taken as a master, because of {evidence}.")
    # Astro Pixel Processor writes INTEGRAT into integrated lights only.
    return ("light" if kind is None and evidence == "INTEGRAT" else kind), True


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
    if said.has_values:
        of_path: tuple[tuple[str, Any, float, float], ...] = (
            ("exposure_s", said.exposure_s, 0.005, 0.01),
            ("gain", said.gain, 0.001, 0.0),
            ("offset", said.offset, 0.001, 0.0),
            ("binning", said.binning, 0.0, 0.0),
            ("filter", said.filter, 0.0, 0.0),
        )
        for name, value, absolute, relative in of_path:
            if value is None or (name == "filter" and kind in ("bias", "dark", "dark flat")):
                continue
            where = said.filter_in if name == "filter" else "path"
            _fill(lookup, values, name, value, where, absolute, relative)
    _temperature_from_path(lookup, said, values)
    return kind


def _fill(
    lookup: Lookup,
    values: dict[str, Any],
    name: str,
    value: Any,
    where: str,
    absolute: float,
    relative: float,
) -> None:
    if values[name] is None:
        values[name] = value
        lookup.origin[name] = "path"
    elif not _same(values[name], value, absolute, relative):
        lookup.notes.append(
            f"Header says {_say(name, values[name])}, {where} says {_say(name, value)}. "
            "The header is used."
        )


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
