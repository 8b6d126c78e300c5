"""The library's database: opened, migrated, and its failures in words.

SQLite by default, PostgreSQL by URL. SQLite keeps its rollback journal instead of write-ahead
logging: writes are small and rare, the whole library stays one file that can be copied, it works
on network shares (where WAL's shared memory does not) and can be read from read-only media.
Every write takes the lock at its beginning (``BEGIN IMMEDIATE``) and waits its turn, so two
programs at one library never see half of each other's work.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from calibstudio.domain.errors import CalibStudioError, LibraryError, UsageError
from calibstudio.store.library_place import LibraryPlace

REVISIONS = ("0001", "0002")
"""Schema versions that this program knows, oldest first; the last is its own."""
BUSY_S = 15.0
"""How long to wait for another program's write."""
_LOCK_KEY = 0x63616C6962
"""Advisory lock of PostgreSQL around whatever writes: one program at a time, as with SQLite."""


class Database:
    """One open database. Safe to use from several threads: each use has a connection of its own.

    Raises
    ------
    LibraryError
        It cannot be opened, is damaged, is no library, or was made by a newer program.
    """

    def __init__(
        self, place: LibraryPlace, raw_url: str, *, create: bool, read_only: bool = False
    ) -> None:
        self.place = place
        self.read_only = read_only
        if place.file is not None:
            self.read_only = read_only or not _writable(place.file)
            _check_file(place, create=create and not self.read_only)
            self._engine = _sqlite(place.file, self.read_only)
        else:
            self._engine = _server(raw_url)
        self._writing = self._engine.execution_options(calibstudio_write=True)
        with self._said():
            self._ensure_schema()

    def close(self) -> None:
        """Let go of the file or the server."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session for reading, one consistent state of the tables.

        Raises
        ------
        LibraryError
            In words, whatever the database says.
        """
        with self._said(), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session for writing; committed at the end, undone when anything is raised.

        Raises
        ------
        LibraryError
            The library is read-only, in use for too long, full or damaged.
        """
        if self.read_only:
            raise LibraryError(
                f"The library {self.place.name} is read-only.",
                hint="Copy it to a folder that you may write to.",
            )
        with self._said(), Session(self._writing) as session, session.begin():
            # Takes the lock now, not at the first statement that writes: what a writer looks up
            # before it writes stays true.
            _lock_for_writing(session.connection())
            yield session

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise _library_error(self.place, error) from error

    def _ensure_schema(self) -> None:
        with self._engine.connect() as connection:
            found = self._revision(connection)
        if found == REVISIONS[-1]:
            return
        if self.read_only:
            raise LibraryError(
                f"The library {self.place.name} was made by an older version and is read-only.",
                hint="Copy it to a folder that you may write to, and open that.",
            )
        with self._writing.begin() as connection:
            _lock_for_writing(connection)
            # Another program may have done it while this one waited for the lock.
            if self._revision(connection) != REVISIONS[-1]:
                migrate(connection)

    def _revision(self, connection: sa.Connection) -> str | None:
        """Return the schema version; None for an empty database."""
        tables = set(sa.inspect(connection).get_table_names())
        if "alembic_version" in tables:
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if found is None or found in REVISIONS:
                return found
            raise LibraryError(
                f"The library {self.place.name} was made by a newer version of CalibStudio.",
                hint="Install that version here, or use another library.",
            )
        if tables:
            raise LibraryError(
                f"The database {self.place.name} is not a CalibStudio library.",
                hint="Choose another file or folder.",
            )
        return None


def _lock_for_writing(connection: sa.Connection) -> None:
    """Wait for other writers until this transaction ends; SQLite did so when it began."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK_KEY})


def migrate(connection: sa.Connection) -> None:
    """Bring the tables to this program's schema, in the transaction of the connection."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _sqlite(file: Path, read_only: bool) -> sa.Engine:
    mode = "ro" if read_only else "rwc"
    uri = f"{file.as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # Transactions are begun below, in plain sight; sqlite3 would begin them too late.
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            if not read_only:
                connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()  # a damaged file stays open, and locked on some systems, otherwise
            raise
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("calibstudio_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _server(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.drivername == "postgresql":
            # Which driver the bare word means depends on the version of SQLAlchemy.
            address = address.set(drivername="postgresql+psycopg")
        return sa.create_engine(address, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        raise LibraryError(
            "PostgreSQL needs a driver that is not installed.",
            hint="Install it with: pip install psycopg[binary].",
        ) from error
    except (SQLAlchemyError, ValueError) as error:
        raise UsageError(
            "The database URL is not understood.",
            hint="Write postgresql://USER@HOST/DATABASE.",
        ) from error


def _check_file(place: LibraryPlace, *, create: bool) -> None:
    file = place.file
    assert file is not None
    if not file.exists():
        if not create:
            raise UsageError(
                f"There is no library at {place.name}.",
                hint="Check the name; calibstudio masters makes a new library.",
            )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"The library folder {file.parent} could not be made: {error.strerror}.",
                hint="Choose a folder that you may write to.",
            ) from error


def _writable(file: Path) -> bool:
    """Whether the library can be written. A library that does not exist yet counts as writable."""
    if not file.exists():
        return True
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _library_error(place: LibraryPlace, error: Exception) -> CalibStudioError:
    """Say in a sentence what the database said."""
    original: Any = error.orig if isinstance(error, DBAPIError) and error.orig else error
    text = str(original).lower()
    answers = (
        (
            ('database "',),
            f"The server has no database for the library {place.name}.",
            "Make it with createdb, or correct the name in the URL.",
        ),
        (
            ("connection failed", "connection refused", "could not connect"),
            f"The server of the library {place.name} does not answer, or knows no such user.",
            "Check that it runs, and the user, host and port of the URL.",
        ),
        (
            ("locked", "busy"),
            f"The library {place.name} is in use by another program and did not answer in time.",
            "Try again when that program is done.",
        ),
        (
            ("readonly", "read-only", "attempt to write"),
            f"The library {place.name} is read-only.",
            "Copy it to a folder that you may write to.",
        ),
        (
            ("full",),
            f"The library {place.name} could not be written: the disk is full.",
            "Free some space; nothing was lost.",
        ),
        (
            ("malformed", "not a database", "corrupt"),
            f"The library {place.name} is damaged.",
            "Run calibstudio library rebuild: it is made again from the masters and the journal.",
        ),
        (
            ("disk i/o",),
            f"The disk of the library {place.name} reported an error.",
            "Check the disk, and copy the library to another one.",
        ),
        (
            ("unable to open",),
            f"The library {place.name} could not be opened.",
            "Check the folder and its rights.",
        ),
    )
    for words, sentence, hint in answers:
        if any(word in text for word in words):
            return LibraryError(sentence, hint=hint)
    first_line = str(original).strip().splitlines()[0] if str(original).strip() else "no reason"
    return LibraryError(
        f"The library {place.name} did not do what was asked: {first_line}.",
        hint="Check the database and its connection.",
    )
