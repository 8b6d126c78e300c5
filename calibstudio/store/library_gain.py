"""The gain that master flats measured, brought to the biases and darks of the same library."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath

import sqlalchemy as sa
from sqlalchemy.orm import Session

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.measured_gain import MeasuredGain, in_electrons, nearest_gain
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.store.codec import (
    assessment_from_json,
    assessment_to_json,
    from_microseconds,
    key_from_json,
)
from calibstudio.store.library_tables import MasterRow

_DARK = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)


def apply_measured_gains(session: Session, of: str | None = None) -> None:
    """Put numbers in electrons by the gain of the flat that is nearest in time.

    The result follows from the masters alone, not from the order in which they were filed.

    Parameters
    ----------
    of
        Hash of a master that is new: only what it changes is looked at. None: everything.
    """
    session.flush()
    asked = sa.select(MasterRow)
    new = None if of is None else session.scalar(asked.where(MasterRow.sha256 == of))
    if new is not None:
        asked = asked.where(MasterRow.camera == new.camera)
        if new.kind not in (*_DARK, FrameKind.FLAT):
            return
    is_flat = MasterRow.kind == FrameKind.FLAT.value
    flats = session.scalars(asked.where(is_flat)).all()
    gains = _gains(flats)
    if not gains:
        return
    if new is not None and new.kind in _DARK:
        rows: Sequence[MasterRow] = [new]
    else:
        rows = session.scalars(asked.where(MasterRow.kind.in_([k.value for k in _DARK]))).all()
    for row in rows:
        gain = nearest_gain(gains, key_from_json(row.values_json), _middle(row))
        if gain is None:
            continue
        found = in_electrons(row.kind, assessment_from_json(row.assessment_json), gain)
        text = assessment_to_json(found)
        if text != row.assessment_json:
            row.assessment_json = text


def _gains(flats: Sequence[MasterRow]) -> list[MeasuredGain]:
    found = []
    for row in flats:
        assessment = assessment_from_json(row.assessment_json)
        gain = assessment.value("egain")
        if gain is not None and gain > 0 and not _is_bad(assessment):
            name = PurePosixPath(row.path.replace("\\", "/")).name
            values = key_from_json(row.values_json)
            found.append(MeasuredGain(gain, values, name, row.sha256, _middle(row)))
    return found


def _is_bad(assessment: Assessment) -> bool:
    """Whether a flat is BAD for another reason than that its header says another gain.

    A wrong gain in the header makes the noise look wrong, too; what was measured wins (RULES 7).
    """
    findings = (f for f in assessment.findings if f.metric not in ("gain_error", "noise_excess"))
    return any(f.verdict is Verdict.BAD for f in findings)


def _middle(row: MasterRow) -> datetime | None:
    if row.first_us is None or row.last_us is None:
        return None
    return from_microseconds((row.first_us + row.last_us) // 2)
