"""The master library: what is in it, what people decided, and where everything lies.

A `Library` may be used from several threads at once. Nothing heavy is imported before the first
use, so screens may import this module freely.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from calibstudio.domain.errors import FileProblemError, LibraryError, UsageError
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.jobs import JobContext, import_giving_way
from calibstudio.domain.master import InputRecord, MasterRecord, ReviewState
from calibstudio.domain.master_query import Facets, MasterQuery

if TYPE_CHECKING:
    from calibstudio.domain.judged_beside import Beside
    from calibstudio.store.journal import Journal
    from calibstudio.store.library_db import Database
    from calibstudio.store.library_masters import Decision, FileFacts, StateChange
    from calibstudio.store.library_overlay import Correction, Regrouping
    from calibstudio.store.library_place import LibraryPlace
    from calibstudio.store.master_read import MasterFile

log = logging.getLogger(__name__)

SHORTEST_ID = 4
"""Letters of a hash that name a master at least."""


@dataclass(frozen=True, slots=True)
class Review:
    """Decisions made in one step, with what was before: hand it to `Library.undo`."""

    what: str
    """``approved``, ``rejected``, ``retired``, ``restored``, ``undone``."""
    changes: tuple[StateChange, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """A master that was filed."""

    record: MasterRecord
    new: bool
    """False when its bytes were in the library already."""


class Library:
    """One open library. Make it with `Library.open`."""

    def __init__(
        self, place: LibraryPlace, database: Database, now: Callable[[], datetime]
    ) -> None:
        from calibstudio.store.journal import Journal

        self.place = place
        self.database = database
        self.journal: Journal = Journal(place.folder)
        self._now = now
        self._deciding = threading.Lock()

    @classmethod
    def open(
        cls,
        library: str | Path,
        out: Path | None = None,
        *,
        create: bool = True,
        read_only: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Self:
        """Open a library, making a new one where there is none.

        Parameters
        ----------
        library
            A folder, ``sqlite:///FILE`` or ``postgresql://...``.
        out
            Folder of the masters; the library's own when not given.
        create
            False: a library that is not there is an error.

        Raises
        ------
        UsageError
            There is no such library, or its name is not understood.
        LibraryError
            It is damaged, made by a newer program, or its database is lost.
        """
        import_giving_way("sqlalchemy.orm", "alembic.command")
        from calibstudio.store.journal import JOURNAL
        from calibstudio.store.library_db import Database
        from calibstudio.store.library_place import library_place

        place = library_place(library, out)
        is_lost = place.file is not None and not place.file.exists()
        if is_lost and (place.folder / JOURNAL).exists():
            raise LibraryError(
                f"The database {place.file} is missing, but the library's journal is there.",
                hint="Run calibstudio library rebuild: it is made again from the masters.",
            )
        database = Database(place, str(library), create=create, read_only=read_only)
        return cls(place, database, now)

    @staticmethod
    def is_there(library: str | Path, out: Path | None = None) -> bool:
        """Whether there is a library, or what a lost one left: `open` would make none.

        A database server is taken to have one. Raises UsageError as `open`.
        """
        from calibstudio.store.journal import JOURNAL
        from calibstudio.store.library_place import library_place

        place = library_place(library, out)
        return place.file is None or place.file.exists() or (place.folder / JOURNAL).exists()

    def discard_if_empty(self) -> None:
        """Take a database away that was made for nothing: there is no master and no journal."""
        from calibstudio.store.journal import JOURNAL

        file = self.place.file
        if file is None or (self.folder / JOURNAL).exists() or self.masters():
            return
        self.close()
        for end in ("", "-wal", "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Of masters, journal and cache."""
        return self.place.folder

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return self.database.read_only

    def masters(self, query: MasterQuery | None = None) -> tuple[MasterRecord, ...]:
        """Return the masters that a query asks for, in its order; by default all, newest first."""
        from calibstudio.store.library_masters import select_masters

        with self.database.reading() as session:
            return select_masters(session, query or MasterQuery(), self.folder)

    def facets(self, query: MasterQuery | None = None) -> Facets:
        """Count masters by kind, camera, filter, binning, night, verdict and state."""
        from calibstudio.store.library_masters import count_facets

        with self.database.reading() as session:
            return count_facets(session, query or MasterQuery())

    def get(self, prefix: str) -> MasterRecord:
        """Return the one master whose hash begins so (10 letters are its id).

        Raises
        ------
        UsageError
            There is none, or more than one.
        """
        from calibstudio.store.library_masters import masters_by_prefix

        found: Sequence[MasterRecord] = ()
        if len(prefix) >= SHORTEST_ID:
            with self.database.reading() as session:
                found = masters_by_prefix(session, prefix, self.folder)
        if not found:
            raise UsageError(
                f"There is no master {prefix} in this library.",
                hint=f"Give at least {SHORTEST_ID} letters of an id that library list shows.",
            )
        if len(found) > 1:
            ids = ", ".join(record.id for record in found)
            raise UsageError(
                f"{prefix} fits {len(found)} masters: {ids}.", hint="Give more letters of the id."
            )
        return found[0]

    def add(self, path: Path, *, sha256: str | None = None, beside: Beside | None = None) -> Added:
        """File a master that CalibStudio made.

        Parameters
        ----------
        beside
            What other masters around say about it: kept here and in the journal, for the file
            does not hold it.

        Raises
        ------
        FileProblemError
            The file is no master, or is damaged.
        LibraryError
            The library cannot be written.
        """
        from calibstudio.store.library_beside import add_beside, beside_entry, known_assessment
        from calibstudio.store.library_gain import apply_measured_gains
        from calibstudio.store.library_masters import add_master
        from calibstudio.store.master_read import read_master

        path = path.absolute()
        master = read_master(path, sha256=sha256)
        at = self._now()
        with self._deciding, self.database.writing() as session:
            new = add_master(
                session, master.record, master.inputs, file_facts(path), self.folder, added=at
            )
            entries: list[dict[str, Any]] = []
            if new:
                entries.append({"what": "added", **self._place_entry(master.record)})
            before = known_assessment(session, master.record.sha256)
            if beside is not None:
                add_beside(session, master.record.sha256, beside)
            apply_measured_gains(session, of=master.record.sha256)
            session.flush()
            if beside is not None and known_assessment(session, master.record.sha256) != before:
                entries.append(beside_entry(master.record.sha256, beside))
            self.journal.append(entries, at=at)
        return Added(self.get(master.record.sha256), new)

    def _place_entry(self, record: MasterRecord) -> dict[str, Any]:
        from calibstudio.store.codec import exact_ascii
        from calibstudio.store.library_masters import stored_path

        return {
            "sha256": record.sha256,
            "path": exact_ascii(stored_path(record.path, self.folder)),
        }

    def approve(self, ids: Iterable[str], reason: str = "") -> Review:
        """Say that masters are fit for use, also BAD ones."""
        return self._decide("approved", ReviewState.APPROVED, ids, reason)

    def reject(self, ids: Iterable[str], reason: str) -> Review:
        """Say that masters must not be used."""
        return self._decide("rejected", ReviewState.REJECTED, ids, reason)

    def retire(self, ids: Iterable[str], reason: str = "") -> Review:
        """Take masters out of use; they stay for what was made with them."""
        return self._decide("retired", ReviewState.RETIRED, ids, reason)

    def restore(self, ids: Iterable[str], reason: str = "") -> Review:
        """Give masters back the state they had before they were rejected or retired."""
        records = [self.get(prefix) for prefix in ids]
        wanted = [(r.sha256, self._state_before(r), reason) for r in records]
        return self._write_states("restored", wanted)

    def undo(self, review: Review) -> Review:
        """Take decisions back, exactly; returns what undoes the undoing."""
        wanted = [(c.sha256, c.before, c.before_reason) for c in review.changes]
        return self._write_states("undone", wanted)

    def _decide(self, what: str, state: ReviewState, ids: Iterable[str], reason: str) -> Review:
        return self._write_states(what, [(self.get(i).sha256, state, reason) for i in ids])

    def _write_states(self, what: str, wanted: Sequence[tuple[str, ReviewState, str]]) -> Review:
        from calibstudio.store.library_masters import change_states

        at = self._now()
        with self._deciding, self.database.writing() as session:
            changes = change_states(session, wanted, what=what, at=at)
            session.flush()
            # Before the commit: a decision that the journal could not take does not count.
            self.journal.append(
                (
                    {"what": what, "sha256": sha, "state": state.value, "reason": reason}
                    for sha, state, reason in wanted
                ),
                at=at,
            )
        return Review(what, changes)

    def _state_before(self, record: MasterRecord) -> ReviewState:
        """Return the last state that was neither rejected nor retired."""
        gone = (ReviewState.REJECTED, ReviewState.RETIRED)
        if record.state not in gone:
            return record.state
        states = [d.state for d in self.history(record.sha256) if d.state not in gone]
        return states[-1] if states else ReviewState.NEW

    def history(self, prefix: str) -> tuple[Decision, ...]:
        """Return what was decided about a master, oldest first."""
        from calibstudio.store.library_masters import decisions_of

        sha256 = self.get(prefix).sha256
        with self.database.reading() as session:
            return decisions_of(session, sha256)

    def inputs(self, prefix: str) -> tuple[InputRecord, ...]:
        """Return the frames that were offered to a master, used or not."""
        from calibstudio.store.library_masters import inputs_of

        sha256 = self.get(prefix).sha256
        with self.database.reading() as session:
            return inputs_of(session, sha256)

    def open_master(self, prefix: str) -> MasterFile:
        """Open a master's file, its planes to be read when wanted.

        Raises
        ------
        FileProblemError
            It is gone or damaged.
        """
        from calibstudio.store.master_read import read_master

        record = self.get(prefix)
        return read_master(record.path, sha256=record.sha256)

    def cards(self, prefix: str) -> tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]:
        """Return all headers of a master's file: (EXTNAME, ((keyword, value, comment), ...))."""
        from calibstudio.store.master_read import header_of

        return header_of(self.get(prefix).path)

    def sha256s(self, ctx: JobContext, paths: Sequence[Path]) -> dict[Path, str]:
        """Return the SHA-256 of files; each is read once while its size and time stay the same.

        A file that cannot be read any more is not in the answer.
        """
        from calibstudio.store.library_masters import known_hashes, remember_hashes
        from calibstudio.store.publish import sha256_of

        facts: dict[Path, FileFacts] = {}
        for path in paths:
            with contextlib.suppress(FileProblemError):  # said by being absent
                facts[path] = file_facts(path)
        with self.database.reading() as session:
            found = known_hashes(session, facts)
        new: dict[Path, tuple[FileFacts, str]] = {}
        for number, path in enumerate(facts):
            ctx.progress(number / len(facts), f"Checking {path.name}")
            if path in found:
                continue
            try:
                found[path] = sha256_of(path)
            except OSError as error:
                log.warning("%s cannot be read: %s", path, error)
                continue
            new[path] = (facts[path], found[path])
        if new and not self.read_only:
            with self.database.writing() as session:
                remember_hashes(session, new)
        ctx.progress(1.0)
        return found

    def places_of(self, sha256: str) -> tuple[Path, ...]:
        """Return where files with these bytes were when they were last looked at."""
        from calibstudio.store.library_masters import places_with

        with self.database.reading() as session:
            return places_with(session, sha256, self.folder)

    def corrections(self, headers: Iterable[FrameHeader]) -> dict[Path, dict[str, HeaderValue]]:
        """Return the corrected values of these frames, as `scan` takes them."""
        sizes = {h.path: h.file_bytes for h in headers}
        found: dict[Path, dict[str, HeaderValue]] = {}
        for c in self.all_corrections():
            if c.value is not None and sizes.get(c.path) == c.file_bytes:
                found.setdefault(c.path, {})[c.word] = c.value
        return found

    def all_corrections(self) -> tuple[Correction, ...]:
        """Return every correction, oldest first."""
        from calibstudio.store.library_overlay import load_corrections

        with self.database.reading() as session:
            return load_corrections(session)

    def correct(
        self, changes: Mapping[Path, Mapping[str, HeaderValue | None]], reason: str
    ) -> tuple[Correction, ...]:
        """Keep header values that a person corrected; the files stay as they are.

        ``None`` takes a correction back. Returns what was written.
        """
        from calibstudio.store.codec import exact_ascii, value_to_json
        from calibstudio.store.library_overlay import (
            Correction,
            remove_corrections,
            save_corrections,
        )

        at = self._now()
        written = tuple(
            Correction(path, file_facts(path).file_bytes, word, value, reason, at)
            for path, values in changes.items()
            for word, value in values.items()
        )
        with self._deciding, self.database.writing() as session:
            save_corrections(session, (c for c in written if c.value is not None))
            remove_corrections(
                session, ((c.path, c.file_bytes, c.word) for c in written if c.value is None)
            )
            session.flush()
            self.journal.append(
                (
                    {
                        "what": "corrected",
                        "path": exact_ascii(str(c.path)),
                        "file_bytes": c.file_bytes,
                        "word": c.word,
                        "value": value_to_json(c.value),
                        "reason": c.reason,
                    }
                    for c in written
                ),
                at=at,
            )
        return written

    def regroupings(self) -> tuple[Regrouping, ...]:
        """Return what was changed by hand about groups, oldest first."""
        from calibstudio.store.library_overlay import load_regroupings

        with self.database.reading() as session:
            return load_regroupings(session)

    def regroup(
        self, changes: Sequence[Regrouping], remove: Sequence[tuple[Path, int, str]] = ()
    ) -> None:
        """Keep changes to groups, and take others (path, size, sort) back, in one step."""
        from calibstudio.store.codec import exact_ascii
        from calibstudio.store.library_overlay import remove_regroupings, save_regroupings

        at = self._now()
        entries: list[dict[str, Any]] = [
            {
                "what": "regrouped",
                "path": exact_ascii(str(path)),
                "file_bytes": file_bytes,
                "change": change,
                "detail": None,
                "reason": "",
            }
            for path, file_bytes, change in remove
        ]
        entries += [
            {
                "what": "regrouped",
                "path": exact_ascii(str(c.path)),
                "file_bytes": c.file_bytes,
                "change": c.what,
                "detail": dict(c.detail),
                "reason": c.reason,
            }
            for c in changes
        ]
        with self._deciding, self.database.writing() as session:
            remove_regroupings(session, remove)
            save_regroupings(session, changes, at)
            session.flush()
            self.journal.append(entries, at=at)


def file_facts(path: Path) -> FileFacts:
    """Return size and time of a file.

    Raises
    ------
    FileProblemError
        If it is gone.
    """
    from calibstudio.store.library_masters import FileFacts

    try:
        status = path.stat()
    except OSError as error:
        raise FileProblemError(
            f"{path} is not there any more.", hint="It may have been moved or deleted."
        ) from error
    return FileFacts(status.st_size, status.st_mtime_ns)
