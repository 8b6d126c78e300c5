"""Names of master files: patterns of a recipe, filled from what a master is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from calibstudio.domain.header import HeaderValue, json_value
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import InputRecord, UsedMaster
from calibstudio.store.codec import key_to_json
from calibstudio.store.naming import exposure_word, fill_pattern, temperature_word, utc_word

_COVERED = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)
"""Kinds whose frames no filter changes, whatever their headers say."""


def master_name(
    pattern: str,
    kind: str,
    values: Mapping[str, HeaderValue],
    *,
    first_utc: datetime | None,
    short_hash: str,
    recipe: str = "default",
) -> Path:
    """Return the path of a master below the library's folder.

    Parameters
    ----------
    pattern
        Of a recipe; what is not known disappears from the name.
    values
        Of the master, by JSON word.
    first_utc
        When its first frame was taken.

    Raises
    ------
    UsageError
        If the pattern names a field that does not exist.
    """
    night = values.get("night")
    fields: dict[str, str | None] = {
        "camera": _text(values.get("camera")) or "unknown-camera",
        "kind": kind,
        "filter": _text(values.get("filter")),
        "exposure": _number(values.get("exposure_s"), exposure_word),
        "exposure3": _number(values.get("exposure_s"), "{:.3f}".format),
        "object": _text(values.get("object_name")),
        "readout": _text(values.get("readout_mode")),
        "telescope": _text(values.get("telescope")),
        "focal": _number(values.get("focal_length_mm"), "{:g}".format),
        "recipe": recipe,
        "gain": _number(values.get("gain"), "{:g}".format),
        "offset": _number(values.get("offset"), "{:g}".format),
        "temp": _number(_temperature(values), temperature_word),
        "binning": _text(json_value(values["binning"])) if "binning" in values else None,
        "night": night.isoformat() if isinstance(night, date) else None,
        "date": night.strftime("%Y%m%d") if isinstance(night, date) else None,
        "utc": None if first_utc is None else utc_word(first_utc),
        "utcdate": None if first_utc is None else f"{first_utc.astimezone(UTC):%Y%m%d}",
        "utctime": None if first_utc is None else f"{first_utc.astimezone(UTC):%Y%m%d_%H%M%S}",
        "hash": short_hash,
    }
    if kind == FrameKind.BIAS:
        fields["filter"] = None
    if fields["binning"] == "1x1":
        fields["binning"] = None
    # As patterns, not as values: each of their words goes alone when it is not known.
    pattern = pattern.replace("{part}", _part(kind, fields)).replace("{apart}", _apart(kind))
    return fill_pattern(pattern, fields)


def _part(kind: str, fields: Mapping[str, str | None]) -> str:
    """Return the pattern of the folder between kind and night: filter or exposure."""
    if kind == FrameKind.BIAS:
        return ""
    is_by_filter = kind == FrameKind.FLAT or (kind not in _COVERED and fields["filter"])
    return "{filter}" if is_by_filter else "{exposure}s"


def _apart(kind: str) -> str:
    """Return the pattern of what tells masters of a kind apart."""
    first = "" if kind == FrameKind.BIAS else "{exposure}s_"
    if kind not in _COVERED:
        first = "{filter}_" if kind == FrameKind.FLAT else "{filter}_{exposure}s_"
    return f"{first}g{{gain}}_{{temp}}C_bin{{binning}}"


def _temperature(values: Mapping[str, HeaderValue]) -> HeaderValue | None:
    found = values.get("set_temp_c")
    return values.get("sensor_temp_c") if found is None else found


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None


def _number(value: HeaderValue | None, say: Any) -> str | None:
    return str(say(float(value))) if isinstance(value, (int, float)) else None


def short_hash(
    recipe: Mapping[str, Any],
    kind: str,
    key: Mapping[str, HeaderValue],
    inputs: Iterable[InputRecord],
    used: Iterable[UsedMaster],
    software: str,
    *,
    history: Iterable[str] = (),
) -> str:
    """Return 10 letters that are the same for the same bytes, and differ for others.

    Parameters
    ----------
    recipe
        Plain values of everything in it that changes pixels.
    inputs
        Offered, used or not, with their hashes.
    used
        Masters that go in.
    software
        Program and version.
    history
        The sentences that the file holds.
    """
    parts = {
        "recipe": recipe,
        "kind": kind,
        "key": key_to_json(key),
        "inputs": [(r.file, r.sha256, r.used, r.reason) for r in inputs],
        "used": [(u.kind, u.sha256) for u in used],
        "software": software,
        "history": list(history),
    }
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:10]
