"""A small text file that is replaced as a whole: the settings."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from calibstudio.domain.errors import WriteProblemError


def read_text(path: Path) -> str | None:
    """Return the text of the file; None when it is not there or cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def replace_text(path: Path, text: str) -> None:
    """Write a file by rename: a reader sees the old text or the new one, never half of it.

    Raises
    ------
    WriteProblemError
        The folder cannot be made or written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise WriteProblemError(
            f"{path} could not be written: {error.strerror or error}.",
            hint="Look at the disk and its permissions.",
        ) from error


def set_aside(path: Path) -> Path | None:
    """Rename a file that cannot be understood, so that it is not lost; None if that fails."""
    kept = path.with_name(f"{path.stem}.unreadable-{datetime.now(UTC):%Y%m%d-%H%M%S}{path.suffix}")
    try:
        return path.rename(kept)
    except OSError:
        return None
