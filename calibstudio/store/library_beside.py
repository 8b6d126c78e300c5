"""What masters around say about a master: in its row, and in the journal for a rebuild."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from calibstudio.domain.judged_beside import Beside, judged_beside
from calibstudio.store.codec import assessment_from_json, assessment_to_json
from calibstudio.store.library_tables import MasterRow

JUDGED = "judged beside"


def add_beside(session: Session, sha256: str, beside: Beside) -> None:
    """Add to the judgement of a master; one that is not in the library is passed over."""
    session.flush()
    row = session.scalar(sa.select(MasterRow).where(MasterRow.sha256 == sha256))
    if row is None:
        return
    found = judged_beside(assessment_from_json(row.assessment_json), beside)
    row.assessment_json = assessment_to_json(found)
    row.verdict = found.verdict.value


def known_assessment(session: Session, sha256: str) -> str | None:
    """Return the judgement of a master as it is stored."""
    asked = sa.select(MasterRow.assessment_json).where(MasterRow.sha256 == sha256)
    return session.scalar(asked)


def beside_entry(sha256: str, beside: Beside) -> dict[str, Any]:
    """Return a line of the journal."""
    plain = json.loads(assessment_to_json(beside.assessment))
    return {"what": JUDGED, "sha256": sha256, "assessment": plain}


def replay_beside(session: Session, entry: Mapping[str, Any]) -> None:
    """Do again what a line of the journal says.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is not understood.
    """
    found = assessment_from_json(json.dumps(entry["assessment"]))
    add_beside(session, str(entry["sha256"]), Beside(found.metrics, found.findings))
