"""Normalised headers as text and back: for caches, and for anything that outlives a run."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from calibstudio.domain.header import FrameHeader

RULES_VERSION = 5
"""Count this up whenever reading a header gives other values than before."""

_NAMES = tuple(f.name for f in fields(FrameHeader) if f.name != "path")
SCHEMA = f"{RULES_VERSION}:{','.join(_NAMES)}"
"""Headers written under another schema are read again from their files."""
_TUPLES = frozenset({"binning", "region", "shape", "images", "notes"})
_AT = {name: i for i, name in enumerate(_NAMES)}


def dump_header(header: FrameHeader) -> str:
    """Write a header as one line of JSON; the path is not part of it."""
    row = [getattr(header, name) for name in _NAMES]
    row[_AT["origin"]] = dict(header.origin)
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_plain)


def load_header(path: Path, text: str) -> FrameHeader:
    """Read a header back.

    Raises
    ------
    ValueError
        If the text is none that `dump_header` writes now.
    """
    row: Any = json.loads(text)
    if not isinstance(row, list) or len(row) != len(_NAMES):
        raise ValueError("not a header")
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    for name in _TUPLES:
        if values[name] is not None:
            values[name] = tuple(values[name])
    if values["night"] is not None:
        values["night"] = date.fromisoformat(values["night"])
    if values["observed_utc"] is not None:
        values["observed_utc"] = datetime.fromisoformat(values["observed_utc"])
    if values["path_time"] is not None:
        values["path_time"] = datetime.fromisoformat(values["path_time"])
    values["origin"] = MappingProxyType(values["origin"])
    return FrameHeader(path=path, **values)


def _plain(value: object) -> object:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no header value")
