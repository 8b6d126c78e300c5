"""Masters in the library's tables: rows and records, filters, counts, decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from calibstudio.domain.header import json_value
from calibstudio.domain.kinds import NO_FILTER
from calibstudio.domain.master import InputRecord, MasterRecord, ReviewState, UsedMaster
from calibstudio.domain.master_query import Facets, MasterQuery, MasterSort
from calibstudio.domain.quality import Verdict
from calibstudio.store.codec import (
    assessment_from_json,
    assessment_to_json,
    exact_ascii,
    from_exact_ascii,
    from_microseconds,
    key_from_json,
    key_to_json,
    to_microseconds,
)
from calibstudio.store.library_tables import (
    DecisionRow,
    FileHashRow,
    InputRow,
    MasterRow,
    UsedRow,
)

Column = InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class StateChange:
    """A person's decision about one master, with what was before: enough to undo it."""

    sha256: str
    before: ReviewState
    before_reason: str
    after: ReviewState
    after_reason: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size and time of a file when it was looked at."""

    file_bytes: int
    file_mtime_ns: int


def stored_path(path: Path, folder: Path) -> str:
    """Return a path as it is stored: below the library's folder relative, so that it can move."""
    try:
        return exact_ascii(path.relative_to(folder).as_posix())
    except ValueError:
        return exact_ascii(str(path))


def real_path(stored: str, folder: Path) -> Path:
    """Read what `stored_path` wrote."""
    path = Path(from_exact_ascii(stored))
    return path if path.is_absolute() else folder / path


def add_master(
    session: Session,
    record: MasterRecord,
    inputs: Sequence[InputRecord],
    facts: FileFacts,
    folder: Path,
    *,
    added: datetime,
) -> bool:
    """Add a master; False when its bytes are in the library already (its place is renewed)."""
    known = session.scalar(sa.select(MasterRow).where(MasterRow.sha256 == record.sha256))
    path = stored_path(record.path, folder)
    if known is not None:
        if known.path != path and not real_path(known.path, folder).is_file():
            known.path = path
        known.file_bytes, known.file_mtime_ns = facts.file_bytes, facts.file_mtime_ns
        return False
    session.add(_row(record, inputs, facts, path, to_microseconds(added)))
    return True


def _row(
    record: MasterRecord, inputs: Sequence[InputRecord], facts: FileFacts, path: str, added_us: int
) -> MasterRow:
    def number(word: str) -> float | None:
        value = record.values.get(word)
        return float(value) if isinstance(value, (int, float)) else None

    def text(word: str) -> str | None:
        value = record.values.get(word)
        return None if value is None else str(json_value(value))

    night: Any = record.values.get("night")
    return MasterRow(
        sha256=record.sha256,
        path=path,
        kind=record.kind,
        camera=text("camera"),
        filter=text("filter"),
        exposure_s=number("exposure_s"),
        gain=number("gain"),
        offset_setting=number("offset"),
        set_temp_c=number("set_temp_c"),
        sensor_temp_c=number("sensor_temp_c"),
        binning=text("binning"),
        night=night,
        n_frames=record.n_frames,
        n_combined=record.n_combined,
        unit=record.unit,
        bias_subtracted=record.bias_subtracted,
        dark_subtracted=record.dark_subtracted,
        first_us=_us(record.observed_first_utc),
        last_us=_us(record.observed_last_utc),
        verdict=record.verdict.value,
        state=record.state.value,
        state_reason=record.state_reason,
        recipe=record.recipe,
        software=record.software,
        key_json=key_to_json(record.key),
        values_json=key_to_json(record.values),
        assessment_json=assessment_to_json(record.assessment),
        words=_search_words(record, path),
        added_us=added_us,
        file_bytes=facts.file_bytes,
        file_mtime_ns=facts.file_mtime_ns,
        inputs=_input_rows(inputs),
        used=[
            UsedRow(ordinal=i, kind=u.kind, file=u.file, sha256=u.sha256)
            for i, u in enumerate(record.used)
        ],
    )


def _input_rows(inputs: Sequence[InputRecord]) -> list[InputRow]:
    return [
        InputRow(
            ordinal=i,
            file=exact_ascii(r.file),
            sha256=r.sha256,
            observed_us=_us(r.observed_utc),
            exposure_s=r.exposure_s,
            sensor_temp_c=r.sensor_temp_c,
            level_adu=r.level_adu,
            scale=r.scale,
            rejected_fraction=r.rejected_fraction,
            used=r.used,
            reason=r.reason,
        )
        for i, r in enumerate(inputs)
    ]


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)


def _search_words(record: MasterRecord, path: str) -> str:
    words = ("camera", "serial", "filter", "telescope", "readout_mode", "night", "object_name")
    values = [str(json_value(record.values[w])) for w in words if w in record.values]
    name = from_exact_ascii(path).replace("\\", "/").rpartition("/")[2]
    parts = [_encodable(name), record.kind, record.sha256, *values]
    return "\n".join([*parts, record.recipe, record.verdict.value]).casefold()


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _record(row: MasterRow, folder: Path) -> MasterRecord:
    return MasterRecord(
        sha256=row.sha256,
        path=real_path(row.path, folder),
        kind=row.kind,
        key=key_from_json(row.key_json),
        n_frames=row.n_frames,
        n_combined=row.n_combined,
        unit=row.unit,
        bias_subtracted=row.bias_subtracted,
        observed_first_utc=None if row.first_us is None else from_microseconds(row.first_us),
        observed_last_utc=None if row.last_us is None else from_microseconds(row.last_us),
        assessment=assessment_from_json(row.assessment_json),
        state=ReviewState(row.state),
        state_reason=row.state_reason,
        used=tuple(UsedMaster(u.kind, u.file, u.sha256) for u in row.used),
        recipe=row.recipe,
        software=row.software,
        added_utc=from_microseconds(row.added_us),
        values=key_from_json(row.values_json),
        dark_subtracted=row.dark_subtracted,
    )


def select_masters(session: Session, query: MasterQuery, folder: Path) -> tuple[MasterRecord, ...]:
    """Return the masters that a query asks for, in its order."""
    statement = sa.select(MasterRow).where(*_conditions(query).values()).order_by(*_order(query))
    if query.limit is not None or query.offset:
        statement = statement.limit(query.limit).offset(query.offset)
    return tuple(_record(row, folder) for row in session.scalars(statement))


def masters_by_prefix(session: Session, prefix: str, folder: Path) -> tuple[MasterRecord, ...]:
    """Return the masters whose hash begins so."""
    statement = sa.select(MasterRow).where(
        MasterRow.sha256.startswith(prefix.lower(), autoescape=True)
    )
    return tuple(_record(row, folder) for row in session.scalars(statement.limit(20)))


def inputs_of(session: Session, sha256: str) -> tuple[InputRecord, ...]:
    """Return the frames that were offered to a master, in order."""
    statement = (
        sa.select(InputRow)
        .join(MasterRow, MasterRow.id == InputRow.master_id)
        .where(MasterRow.sha256 == sha256)
        .order_by(InputRow.ordinal)
    )
    return tuple(
        InputRecord(
            file=from_exact_ascii(row.file),
            sha256=row.sha256,
            observed_utc=None if row.observed_us is None else from_microseconds(row.observed_us),
            exposure_s=row.exposure_s,
            sensor_temp_c=row.sensor_temp_c,
            level_adu=row.level_adu,
            scale=row.scale,
            rejected_fraction=row.rejected_fraction,
            used=row.used,
            reason=row.reason,
        )
        for row in session.scalars(statement)
    )


_FILTER = sa.case((MasterRow.kind.in_(NO_FILTER), sa.null()), else_=MasterRow.filter)
"""Bias and darks may say where the wheel stood: that is no filter of theirs."""

_FACET_COLUMNS: Mapping[str, sa.ColumnElement[Any] | Column] = {
    "kind": MasterRow.kind,
    "camera": MasterRow.camera,
    "filter": _FILTER,
    "binning": MasterRow.binning,
    "night": MasterRow.night,
    "verdict": MasterRow.verdict,
    "state": MasterRow.state,
}


def count_facets(session: Session, query: MasterQuery) -> Facets:
    """Count masters by each facet (see `Facets`)."""
    conditions = _conditions(query)
    counts: dict[str, dict[str, int]] = {}
    for name, column in _FACET_COLUMNS.items():
        others = [c for own, c in conditions.items() if own != name]
        found = session.execute(
            sa.select(column, sa.func.count()).where(*others).group_by(column).order_by(column)
        )
        counts[name] = {"" if value is None else str(value): int(n) for value, n in found}
    total = session.scalar(sa.select(sa.func.count(MasterRow.id)).where(*conditions.values()))
    return Facets(counts, int(total or 0))


def _conditions(query: MasterQuery) -> dict[str, sa.ColumnElement[bool]]:
    """Return one condition for each restriction; those of facets under the facet's name."""
    found: dict[str, sa.ColumnElement[bool]] = {}
    chosen: tuple[tuple[str, sa.ColumnElement[Any] | Column, Sequence[Any]], ...] = (
        ("kind", MasterRow.kind, query.kinds),
        ("camera", MasterRow.camera, query.cameras),
        ("filter", _FILTER, query.filters),
        ("binning", MasterRow.binning, query.binnings),
        ("night", MasterRow.night, query.nights),
        ("verdict", MasterRow.verdict, query.verdicts),
        ("state", MasterRow.state, query.states),
    )
    for name, column, values in chosen:
        if values:
            known = [v for v in values if v != ""]
            unknown = column.is_(None) if len(known) < len(values) else sa.false()
            found[name] = sa.or_(column.in_(known), unknown)
    edges: tuple[tuple[str, sa.ColumnElement[bool] | None], ...] = (
        ("from", None if query.night_from is None else MasterRow.night >= query.night_from),
        ("to", None if query.night_to is None else MasterRow.night <= query.night_to),
        (
            "least",
            None if query.exposure_min_s is None else MasterRow.exposure_s >= query.exposure_min_s,
        ),
        (
            "most",
            None if query.exposure_max_s is None else MasterRow.exposure_s <= query.exposure_max_s,
        ),
    )
    found |= {name: edge for name, edge in edges if edge is not None}
    for i, word in enumerate(query.search.casefold().split()):
        found[f"word {i}"] = MasterRow.words.contains(word, autoescape=True)
    return found


def _order(query: MasterQuery) -> list[sa.ColumnElement[Any]]:
    severity = sa.case(
        {v.value: v.severity for v in Verdict}, value=MasterRow.verdict, else_=len(Verdict)
    )
    columns: Mapping[MasterSort, sa.ColumnElement[Any]] = {
        MasterSort.ADDED: sa.type_coerce(MasterRow.added_us, sa.BigInteger),
        MasterSort.NIGHT: sa.type_coerce(MasterRow.night, sa.Date),
        MasterSort.KIND: sa.type_coerce(MasterRow.kind, sa.Text),
        MasterSort.CAMERA: sa.func.lower(MasterRow.camera),
        MasterSort.FILTER: sa.func.lower(_FILTER),
        MasterSort.EXPOSURE: sa.type_coerce(MasterRow.exposure_s, sa.Float),
        MasterSort.GAIN: sa.type_coerce(MasterRow.gain, sa.Float),
        MasterSort.OFFSET: sa.type_coerce(MasterRow.offset_setting, sa.Float),
        MasterSort.TEMPERATURE: sa.func.coalesce(MasterRow.set_temp_c, MasterRow.sensor_temp_c),
        MasterSort.BINNING: sa.type_coerce(MasterRow.binning, sa.Text),
        MasterSort.FRAMES: sa.type_coerce(MasterRow.n_combined, sa.Integer),
        MasterSort.VERDICT: severity,
        MasterSort.STATE: sa.type_coerce(MasterRow.state, sa.Text),
        MasterSort.NAME: sa.func.lower(MasterRow.path),
    }
    column = columns[query.sort]
    ordered = column.desc() if query.descending else column.asc()
    return [column.is_(None), ordered, MasterRow.added_us.desc(), MasterRow.sha256.asc()]


def change_states(
    session: Session,
    wanted: Iterable[tuple[str, ReviewState, str]],
    *,
    what: str,
    at: datetime,
) -> tuple[StateChange, ...]:
    """Write decisions (hash, state, reason); returns what was before, in the same order.

    Raises
    ------
    KeyError
        For a hash that is not in the library.
    """
    changes = []
    for sha256, state, reason in wanted:
        row = session.scalar(sa.select(MasterRow).where(MasterRow.sha256 == sha256))
        if row is None:
            raise KeyError(sha256)
        before, before_reason = ReviewState(row.state), row.state_reason
        changes.append(StateChange(sha256, before, before_reason, state, reason))
        row.state, row.state_reason = state.value, reason
        add_decision(session, sha256, what, state, reason, at)
    return tuple(changes)


def add_decision(
    session: Session, sha256: str, what: str, state: ReviewState, reason: str, at: datetime
) -> None:
    """Write one line of history."""
    session.add(
        DecisionRow(
            sha256=sha256, what=what, state=state.value, reason=reason, at_us=to_microseconds(at)
        )
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of a master's history."""

    what: str
    state: ReviewState
    reason: str
    at: datetime


def decisions_of(session: Session, sha256: str) -> tuple[Decision, ...]:
    """Return what was decided about a master, oldest first."""
    statement = (
        sa.select(DecisionRow)
        .where(DecisionRow.sha256 == sha256)
        .order_by(DecisionRow.at_us, DecisionRow.id)
    )
    return tuple(
        Decision(row.what, ReviewState(row.state), row.reason, from_microseconds(row.at_us))
        for row in session.scalars(statement)
    )


def known_hashes(session: Session, wanted: Mapping[Path, FileFacts]) -> dict[Path, str]:
    """Return the remembered SHA-256s of files that have not changed since."""
    found = {}
    for path, facts in wanted.items():
        row = session.get(FileHashRow, exact_ascii(str(path)))
        if row is not None and FileFacts(row.file_bytes, row.file_mtime_ns) == facts:
            found[path] = row.sha256
    return found


def places_with(session: Session, sha256: str, folder: Path) -> tuple[Path, ...]:
    """Return the paths of frames and masters that had this SHA-256."""
    frames = sa.select(FileHashRow.path).where(FileHashRow.sha256 == sha256)
    found = [Path(from_exact_ascii(path)) for path in session.scalars(frames)]
    found += [record.path for record in _masters_with(session, sha256, folder)]
    return tuple(found)


def _masters_with(session: Session, sha256: str, folder: Path) -> list[MasterRecord]:
    statement = sa.select(MasterRow).where(MasterRow.sha256 == sha256)
    return [_record(row, folder) for row in session.scalars(statement)]


def remember_hashes(session: Session, found: Mapping[Path, tuple[FileFacts, str]]) -> None:
    """Remember SHA-256s with the sizes and times they belong to."""
    for path, (facts, sha256) in found.items():
        session.merge(
            FileHashRow(
                path=exact_ascii(str(path)),
                file_bytes=facts.file_bytes,
                file_mtime_ns=facts.file_mtime_ns,
                sha256=sha256,
            )
        )
