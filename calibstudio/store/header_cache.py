"""Headers that were read before, so that a folder of tens of thousands opens in a moment.

A cache only: it may be thrown away, it may fail, and an entry counts only while size and time of
the file are what they were. Several programs may use it at once (SQLite keeps them apart).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from calibstudio.domain.header import FrameHeader
from calibstudio.store.header_json import SCHEMA, dump_header, load_header
from calibstudio.store.scan import FoundFile

log = logging.getLogger(__name__)

FILE_NAME = "headers.sqlite"
MAX_ROWS = 400_000
CHUNK = 400
BUSY_S = 2.0


def cache_file() -> Path:
    """Where the cache is kept on this system. The folder may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("calibstudio", appauthor=False) / FILE_NAME


class HeaderCache:
    """Headers by path, size and time.

    Every failure (locked, broken, disk full) makes it an empty cache and a line in the log.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = cache_file() if file is None else file
        self._db: sqlite3.Connection | None = None
        try:
            self._db = self._open()
        except (sqlite3.Error, OSError) as error:
            log.info("No cache of headers: %s", error)

    def _open(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._prepared()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            # Broken: it only holds what the files say, so it is made anew.
            for ending in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + ending).unlink(missing_ok=True)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._file, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            db.execute(
                "CREATE TABLE IF NOT EXISTS headers (path TEXT PRIMARY KEY, size INTEGER NOT NULL,"
                " mtime_ns INTEGER NOT NULL, schema TEXT NOT NULL, first TEXT NOT NULL,"
                " header TEXT NOT NULL, used_day INTEGER NOT NULL) WITHOUT ROWID"
            )
        except sqlite3.Error:
            db.close()
            raise
        return db

    def look_up(self, files: Sequence[FoundFile]) -> dict[Path, tuple[FrameHeader, str]]:
        """Return header and digest of the first bytes of those files that did not change."""
        if self._db is None:
            return {}
        found: dict[Path, tuple[FrameHeader, str]] = {}
        try:
            for start in range(0, len(files), CHUNK):
                part = {_key(f.path): f for f in files[start : start + CHUNK]}
                marks = ",".join("?" * len(part))
                rows = self._db.execute(
                    "SELECT path, size, mtime_ns, first, header FROM headers"
                    f" WHERE schema = ? AND path IN ({marks})",
                    (SCHEMA, *part),
                )
                for key, size, mtime_ns, first, header in rows:
                    file = part[key]
                    if (size, mtime_ns) == (file.size, file.mtime_ns):
                        with contextlib.suppress(ValueError, KeyError, TypeError):
                            found[file.path] = (load_header(file.path, header), first)
        except sqlite3.Error as error:
            self._give_up(error)
        return found

    def keep(self, rows: Iterable[tuple[FrameHeader, str]]) -> None:
        """Remember headers with the digest of their files' first bytes."""
        if self._db is None:
            return
        day = int(time.time() // 86400)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO headers VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        _key(h.path),
                        h.file_bytes,
                        h.file_mtime_ns,
                        SCHEMA,
                        first,
                        dump_header(h),
                        day,
                    )
                    for h, first in rows
                ],
            )
            self._db.execute("COMMIT")
        except (sqlite3.Error, OverflowError) as error:
            self._give_up(error)

    def trim(self) -> None:
        """Throw away what was read longest ago, when there is too much."""
        if self._db is None:
            return
        try:
            (count,) = self._db.execute("SELECT count(*) FROM headers").fetchone()
            if count > MAX_ROWS:
                self._db.execute(
                    "DELETE FROM headers WHERE path IN"
                    " (SELECT path FROM headers ORDER BY used_day LIMIT ?)",
                    (count - MAX_ROWS // 2,),
                )
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        log.info("The cache of headers is not used: %s", error)
        self.close()

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._db.close()
            self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _key(path: Path) -> str:
    """A path as text that SQLite takes, also when its bytes are no UTF-8."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
