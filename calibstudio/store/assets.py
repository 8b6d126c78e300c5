"""Where the files are that ship with the program: recipes, icons, themes, help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from calibstudio.domain.errors import FileProblemError

_PACKAGE = Path(__file__).resolve().parents[1]


def asset_roots() -> tuple[Path, ...]:
    """Return the folders that are looked through, in order.

    An installed wheel and a frozen program carry ``resources`` inside the package as
    ``_assets/resources``; a checkout and an editable install have it beside the package.
    """
    return (_PACKAGE / "_assets" / "resources", _PACKAGE.parent / "resources")


def asset(name: str) -> Path:
    """Return the path of a file or folder of ``resources``, for example ``icons/stack.svg``.

    Raises
    ------
    FileProblemError
        The installation is incomplete.
    """
    for root in asset_roots():
        path = root / name
        if path.exists():
            return path
    raise FileProblemError(
        f"The file {name} that belongs to CalibStudio is missing.",
        hint="Install CalibStudio again.",
    )


def assets(folder: str, pattern: str) -> Iterator[Path]:
    """Yield the files of a folder of ``resources`` that match, sorted by name, each name once."""
    seen: dict[str, Path] = {}
    for root in asset_roots():
        for path in sorted((root / folder).glob(pattern)):
            seen.setdefault(path.name, path)
    yield from (seen[name] for name in sorted(seen))
