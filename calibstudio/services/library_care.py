"""Keeping a library sound: files checked against their hashes, and a lost database made again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.domain.errors import FileProblemError, LibraryError
from calibstudio.domain.grouping import LeftOut
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.requests import REQUESTED, request_from
from calibstudio.services.library import Library, file_facts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from calibstudio.store.master_read import MasterFile

log = logging.getLogger(__name__)

CACHE = ".cache"
"""Folder of pictures beside the masters; may be deleted at any time."""


class FileState(StrEnum):
    """What `verify` found about a master's file."""

    SOUND = "sound"
    MOVED = "moved"
    """It was found elsewhere in the library's folder; the library knows its new place now."""
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Verified:
    """One master, and what became of its file."""

    record: MasterRecord
    state: FileState
    sentence: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found."""

    n_masters: int
    n_decisions: int
    left_out: tuple[LeftOut, ...]
    """Files that look like masters and cannot be read; masters that are gone."""


def verify(ctx: JobContext, library: Library) -> tuple[Verified, ...]:
    """Check every master's file against its hash; moved files are found again.

    Raises
    ------
    Cancelled
        If asked to stop.
    """
    records = library.masters()
    checking, finding = ctx.split(5, 1)
    found: dict[str, Verified] = {}
    missing: list[MasterRecord] = []
    for number, record in enumerate(records):
        checking.progress(number / len(records), f"Checking {record.path.name}")
        state = _state_of(record)
        if state is FileState.MISSING:
            missing.append(record)
        else:
            found[record.sha256] = Verified(record, state, _sentence(record, state))
    for record, path in _found_again(finding, library, missing):
        if path is None:
            sentence = _sentence(record, FileState.MISSING)
            found[record.sha256] = Verified(record, FileState.MISSING, sentence)
        else:
            moved = library.add(path, sha256=record.sha256).record
            sentence = f"{record.path.name} was moved to {path}."
            found[record.sha256] = Verified(moved, FileState.MOVED, sentence)
    ctx.progress(1.0)
    return tuple(found[record.sha256] for record in records)


def _state_of(record: MasterRecord) -> FileState:
    from calibstudio.store.publish import sha256_of

    try:
        return FileState.SOUND if sha256_of(record.path) == record.sha256 else FileState.CHANGED
    except OSError:
        return FileState.MISSING


def _sentence(record: MasterRecord, state: FileState) -> str:
    if state is FileState.SOUND:
        return f"{record.path.name} is as it was made."
    if state is FileState.CHANGED:
        return f"{record.path} was changed since it was made; it is not used."
    return f"{record.path} is missing."


def _found_again(
    ctx: JobContext, library: Library, missing: list[MasterRecord]
) -> Iterator[tuple[MasterRecord, Path | None]]:
    """Look for missing files under the library's folder by their hash."""
    from calibstudio.store.publish import sha256_of

    wanted = {record.sha256: record for record in missing}
    if wanted:
        known = {record.path for record in library.masters()}
        for path in _fits_files(library.folder):
            ctx.progress(0.0, f"Looking at {path.name}")
            if not wanted:
                break
            if path in known:
                continue
            try:
                record = wanted.pop(sha256_of(path), None)
            except OSError as error:
                log.warning("%s cannot be read: %s", path, error)
                continue
            if record is not None:
                yield record, path
    yield from ((record, None) for record in wanted.values())


def _fits_files(folder: Path) -> Iterator[Path]:
    """Yield the FITS files of a library in order, without the cache and hidden files."""
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if any(part.startswith(".") for part in below.parts):
            continue
        if path.suffix.lower() in (".fits", ".fit", ".fts") and path.is_file():
            yield path


def rebuild(ctx: JobContext, library: str | Path, out: Path | None = None) -> Rebuilt:
    """Make a library's database again from the masters' own files and the journal.

    A damaged database is kept beside the new one under another name. The tables are changed in
    one step at the end: whatever fails before leaves the library as it was.

    Raises
    ------
    LibraryError
        The library cannot be written.
    Cancelled
        If asked to stop; then nothing was changed.
    """
    opened = _open_any(library, out)
    with opened:
        entries = list(opened.journal.entries())
        masters, left_out = _read_masters(ctx, opened, entries)
        with opened.database.writing() as session:
            n_decisions = _refill(session, opened.folder, masters, entries)
        gone = _gone(masters, entries)
        ctx.progress(1.0, f"{len(masters)} masters")
        return Rebuilt(len(masters), n_decisions, (*left_out, *gone))


def _open_any(library: str | Path, out: Path | None) -> Library:
    """Open a library whatever state its database is in."""
    from calibstudio.store.library_db import Database
    from calibstudio.store.library_place import library_place
    from calibstudio.store.naming import free_name

    place = library_place(library, out)
    if not place.folder.is_dir():
        raise LibraryError(f"There is no library folder {place.folder}.", hint="Check the name.")

    def opened() -> Library:
        return Library(place, Database(place, str(library), create=True), lambda: datetime.now(UTC))

    try:
        return opened()
    except LibraryError as error:
        if place.file is None or "damaged" not in str(error):
            raise
        aside = free_name(place.file.with_name(f"{place.file.name}.damaged"))
        place.file.rename(aside)
        log.warning("the damaged database is kept as %s", aside)
        return opened()


def _read_masters(
    ctx: JobContext, library: Library, entries: Iterable[Mapping[str, Any]]
) -> tuple[list[MasterFile], list[LeftOut]]:
    from calibstudio.store.codec import from_exact_ascii
    from calibstudio.store.master_read import read_master

    paths = dict.fromkeys(_fits_files(library.folder))
    for entry in entries:
        if entry["what"] == "added" and isinstance(entry.get("path"), str):
            elsewhere = Path(from_exact_ascii(entry["path"]))
            if elsewhere.is_absolute() and elsewhere.is_file():
                paths[elsewhere] = None
    masters: dict[str, MasterFile] = {}
    left_out: list[LeftOut] = []
    for number, path in enumerate(paths):
        ctx.progress(number / len(paths), f"Reading {path.name}")
        try:
            master = read_master(path)
        except FileProblemError as error:
            left_out.append(LeftOut(path, str(error)))
            continue
        masters.setdefault(master.record.sha256, master)
    return list(masters.values()), left_out


def _refill(
    session: Session,
    folder: Path,
    masters: Iterable[MasterFile],
    entries: list[dict[str, Any]],
) -> int:
    """Empty the tables and fill them again. Returns how many decisions there were."""
    import sqlalchemy as sa

    from calibstudio.store import library_tables as tables
    from calibstudio.store.library_beside import JUDGED, replay_beside
    from calibstudio.store.library_gain import apply_measured_gains
    from calibstudio.store.library_masters import add_master
    from calibstudio.store.library_requests import count_on

    for table in (
        tables.InputRow,
        tables.UsedRow,
        tables.MasterRow,
        tables.DecisionRow,
        tables.CorrectionRow,
        tables.RegroupingRow,
    ):
        session.execute(sa.delete(table))
    added = {e["sha256"]: e["at"] for e in reversed(entries) if e["what"] == "added"}
    for master in masters:
        record = master.record
        at = added.get(record.sha256) or datetime.now(UTC)
        add_master(session, record, master.inputs, file_facts(record.path), folder, added=at)
    for entry in entries:
        if entry["what"] == JUDGED:
            with contextlib.suppress(KeyError, ValueError, TypeError):  # of no other form yet
                replay_beside(session, entry)
    apply_measured_gains(session)
    session.flush()
    n_decisions = 0
    for entry in entries:
        try:
            n_decisions += _replay(session, entry)
        except (KeyError, ValueError, TypeError, AttributeError):
            log.warning("a line of the journal is not understood: %s", entry)
    count_on(session)
    return n_decisions


def _replay(session: Session, entry: Mapping[str, Any]) -> bool:
    """Do again what one line of the journal says; whether it was a decision about a master."""
    import sqlalchemy as sa

    from calibstudio.store import library_overlay as overlay
    from calibstudio.store.codec import from_exact_ascii, value_from_json
    from calibstudio.store.library_beside import JUDGED
    from calibstudio.store.library_masters import add_decision
    from calibstudio.store.library_requests import put_back_request
    from calibstudio.store.library_tables import MasterRow

    what, at = entry["what"], entry["at"]
    if what == JUDGED:
        return False  # done before the gains are applied
    if what == "corrected":
        key = (Path(from_exact_ascii(entry["path"])), int(entry["file_bytes"]), entry["word"])
        value = value_from_json(key[2], entry["value"])
        overlay.remove_corrections(session, [key])
        if value is not None:
            overlay.save_corrections(
                session, [overlay.Correction(*key, value, entry["reason"], at)]
            )
        return False
    if what == "regrouped":
        key = (Path(from_exact_ascii(entry["path"])), int(entry["file_bytes"]), entry["change"])
        overlay.remove_regroupings(session, [key])
        if entry["detail"] is not None:
            change = overlay.Regrouping(*key, entry["detail"], entry["reason"], at)
            overlay.save_regroupings(session, [change], at)
        return False
    if what == REQUESTED:
        put_back_request(session, request_from(entry, at))
        return False
    if "state" not in entry:
        return False
    state, reason = ReviewState(entry["state"]), str(entry.get("reason", ""))
    add_decision(session, entry["sha256"], what, state, reason, at)
    session.execute(
        sa.update(MasterRow)
        .where(MasterRow.sha256 == entry["sha256"])
        .values(state=state.value, state_reason=reason)
    )
    return True


def _gone(masters: Iterable[MasterFile], entries: Iterable[Mapping[str, Any]]) -> list[LeftOut]:
    """Say which masters the journal knows and no file holds."""
    from calibstudio.store.codec import from_exact_ascii

    here = {m.record.sha256 for m in masters}
    gone = {
        e["sha256"]: LeftOut(Path(from_exact_ascii(str(e["path"]))), "Its file is missing.")
        for e in entries
        if e["what"] == "added" and e.get("sha256") not in here and "path" in e
    }
    return list(gone.values())
