"""What was changed by hand about frames, in the library's tables: corrections and regroupings.

Keyed by path and size, so that another file that takes the name later is not changed with it.
The frames themselves are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from calibstudio.domain.header import HeaderValue
from calibstudio.store.codec import (
    exact_ascii,
    from_exact_ascii,
    from_microseconds,
    to_microseconds,
    value_from_json,
    value_to_json,
)
from calibstudio.store.library_tables import CorrectionRow, RegroupingRow


@dataclass(frozen=True, slots=True)
class Correction:
    """One header value of a frame, corrected by hand. None: it is not known."""

    path: Path
    file_bytes: int
    word: str
    value: HeaderValue | None
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Regrouping:
    """What was changed by hand about the group of a frame."""

    path: Path
    file_bytes: int
    what: str
    """``moved``, ``split``, ``merged``, ``excluded``."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Plain values."""
    reason: str = ""
    at: datetime | None = None


def load_corrections(session: Session) -> tuple[Correction, ...]:
    """Return all corrections, oldest first."""
    rows = session.scalars(sa.select(CorrectionRow).order_by(CorrectionRow.at_us, CorrectionRow.id))
    return tuple(
        Correction(
            Path(from_exact_ascii(row.path)),
            row.file_bytes,
            row.word,
            value_from_json(row.word, row.value_json),
            row.reason,
            from_microseconds(row.at_us),
        )
        for row in rows
    )


def save_corrections(session: Session, corrections: Iterable[Correction]) -> None:
    """Write corrections; an earlier one of the same value gives way."""
    for c in corrections:
        _remove_correction(session, c.path, c.file_bytes, c.word)
        session.add(
            CorrectionRow(
                path=exact_ascii(str(c.path)),
                file_bytes=c.file_bytes,
                word=c.word,
                value_json=value_to_json(c.value),
                reason=c.reason,
                at_us=to_microseconds(c.at),
            )
        )


def remove_corrections(session: Session, keys: Iterable[tuple[Path, int, str]]) -> None:
    """Take corrections (path, size, word) back: the header counts again."""
    for path, file_bytes, word in keys:
        _remove_correction(session, path, file_bytes, word)


def _remove_correction(session: Session, path: Path, file_bytes: int, word: str) -> None:
    session.execute(
        sa.delete(CorrectionRow).where(
            CorrectionRow.path == exact_ascii(str(path)),
            CorrectionRow.file_bytes == file_bytes,
            CorrectionRow.word == word,
        )
    )


def load_regroupings(session: Session) -> tuple[Regrouping, ...]:
    """Return all regroupings, oldest first."""
    rows = session.scalars(sa.select(RegroupingRow).order_by(RegroupingRow.at_us, RegroupingRow.id))
    return tuple(
        Regrouping(
            Path(from_exact_ascii(row.path)),
            row.file_bytes,
            row.what,
            json.loads(row.detail_json),
            row.reason,
            from_microseconds(row.at_us),
        )
        for row in rows
    )


def save_regroupings(session: Session, changes: Iterable[Regrouping], at: datetime) -> None:
    """Write regroupings; an earlier one of the same sort for the same frame gives way."""
    for change in changes:
        remove_regroupings(session, [(change.path, change.file_bytes, change.what)])
        session.add(
            RegroupingRow(
                path=exact_ascii(str(change.path)),
                file_bytes=change.file_bytes,
                what=change.what,
                detail_json=json.dumps(change.detail, sort_keys=True),
                reason=change.reason,
                at_us=to_microseconds(change.at or at),
            )
        )


def remove_regroupings(session: Session, keys: Iterable[tuple[Path, int, str]]) -> None:
    """Take regroupings (path, size, sort) back: the automatic group counts again."""
    for path, file_bytes, what in keys:
        session.execute(
            sa.delete(RegroupingRow).where(
                RegroupingRow.path == exact_ascii(str(path)),
                RegroupingRow.file_bytes == file_bytes,
                RegroupingRow.what == what,
            )
        )
