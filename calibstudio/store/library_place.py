"""Where a library is: a database, and the folder its masters, journal and cache lie in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from calibstudio.domain.errors import UsageError
from calibstudio.domain.paths import whole_path

DATABASE = "library.sqlite"


@dataclass(frozen=True, slots=True)
class LibraryPlace:
    """One library, found by what ``--library`` and ``--out`` say."""

    url: str
    """As it was given, for sentences."""
    file: Path | None
    """The SQLite file; None for a database server."""
    folder: Path
    """Of masters, journal and cache."""

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return str(self.file) if self.file is not None else self.url


def library_place(library: str | Path, out: Path | None = None) -> LibraryPlace:
    """Understand ``--library`` and ``--out``.

    Parameters
    ----------
    library
        ``sqlite:///FILE``, ``postgresql://...``, or a folder (its ``library.sqlite``).
    out
        Folder of the masters; the library's own folder when not given.

    Raises
    ------
    UsageError
        For another kind of URL, a file where a folder is needed, or PostgreSQL without ``out``.
    """
    text = os.fspath(library)
    scheme, separator, rest = text.partition("://")
    if not separator:
        folder = whole_path(Path(text).expanduser())
        if folder.is_file():
            raise UsageError(
                f"{folder} is a file; a library is a folder or a database URL.",
                hint=f"For an SQLite file write sqlite:///{folder}.",
            )
        file: Path | None = folder / DATABASE
    elif scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        file = whole_path(Path(rest.removeprefix("/")).expanduser())
        folder = file.parent
    elif scheme.partition("+")[0] == "postgresql" and rest:
        if out is None:
            raise UsageError(
                "A library on a PostgreSQL server needs a folder for its masters.",
                hint="Give it with --out DIR.",
            )
        file, folder = None, out
    else:
        raise UsageError(
            f"{text} is no library.",
            hint="Give a folder, sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
        )
    if out is not None:
        folder = whole_path(out.expanduser())
    return LibraryPlace(_without_password(text), file, folder)


def _without_password(url: str) -> str:
    """Return a URL that can be shown and logged."""
    scheme, separator, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    if not (separator and at):
        return url
    return f"{scheme}://{user.partition(':')[0]}@{host}"
