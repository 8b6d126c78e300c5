"""Decisions as lines of a text file beside the masters: what no master's own file can say.

One JSON object a line, only ever appended. A library whose database is lost is rebuilt from the
masters and this file. A line that a power cut left half written is passed over.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calibstudio.domain.errors import LibraryError
from calibstudio.store.codec import utc_text, utc_time
from calibstudio.store.publish import write_problem

JOURNAL = "journal.jsonl"


class Journal:
    """The journal of one library. Safe to use from several threads and programs.

    Every entry has ``at`` (UTC) and ``what``: ``added``, ``approved``, ``rejected``,
    ``retired``, ``restored``, ``undone``, ``corrected``, ``regrouped``, ``judged beside``,
    ``requested``; and what that needs.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._lock = threading.Lock()

    def append(self, entries: Iterable[Mapping[str, Any]], *, at: datetime) -> None:
        """Write entries in one step, and wait until they are on the disk.

        Raises
        ------
        WriteProblemError
            If they cannot be written; then none of them counts.
        """
        stamp = f"{utc_text(at)}Z"
        text = "".join(
            json.dumps({"at": stamp, **entry}, ensure_ascii=True, separators=(",", ":")) + "\n"
            for entry in entries
        )
        if not text:
            return
        try:
            with self._lock:
                self._write(text.encode("ascii"))
        except OSError as error:
            raise write_problem(self.path, error) from error

    def _write(self, data: bytes) -> None:
        """Append with one call: lines of two programs never mix."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        handle = os.open(self.path, flags, 0o644)
        try:
            size = os.lseek(handle, 0, os.SEEK_END)
            if size and not self._ends_with_newline(handle, size):
                data = b"\n" + data
            written = os.write(handle, data)
            if written != len(data):
                os.ftruncate(handle, size)
                raise OSError(28, os.strerror(28))
            os.fsync(handle)
        finally:
            os.close(handle)

    @staticmethod
    def _ends_with_newline(handle: int, size: int) -> bool:
        os.lseek(handle, size - 1, os.SEEK_SET)
        return os.read(handle, 1) == b"\n"

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries in order, each with ``at`` as a moment. No journal: none.

        Raises
        ------
        LibraryError
            If the file is there but cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise LibraryError(
                f"The journal {self.path} cannot be read: {error.strerror}.",
                hint="Check the disk and its rights.",
            ) from error
        for line in data.splitlines():
            entry = _entry(line)
            if entry is not None:
                yield entry


def _entry(line: bytes) -> dict[str, Any] | None:
    """Read one line; None when it is no entry (half written, or changed by hand)."""
    try:
        entry = json.loads(line)
        entry["at"] = utc_time(str(entry["at"]).removesuffix("Z")).astimezone(UTC)
        return entry if isinstance(entry["what"], str) else None
    except (ValueError, TypeError, KeyError):
        return None
