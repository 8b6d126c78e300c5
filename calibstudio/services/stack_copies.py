"""Copies of a frame under other names: they count double, and the noise would seem smaller."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from calibstudio.domain.jobs import CancelToken, heeding
from calibstudio.store.publish import sha256_of

_SAMPLE = 4096
"""Bytes from the middle of a file: noise, which no two exposures share."""


def copies_among(paths: Sequence[Path], token: CancelToken) -> dict[Path, Path]:
    """Return the files that hold the very same bytes as one before them, each with that one.

    Only files of one size and with one middle are read whole, so that frames that are none cost
    one page each. A file that cannot be read is no copy: opening it says what is wrong.

    Raises
    ------
    Cancelled
        If the token is set.
    """
    alike: dict[tuple[int, bytes], list[Path]] = {}
    for path in paths:
        token.check()
        if (look := _look(path)) is not None:
            alike.setdefault(look, []).append(path)
    copies: dict[Path, Path] = {}
    for group in alike.values():
        firsts: dict[str, Path] = {}
        for path in group if len(group) > 1 else ():
            digest = _digest(path, token)
            if digest is not None and firsts.setdefault(digest, path) != path:
                copies[path] = firsts[digest]
    return copies


def _look(path: Path) -> tuple[int, bytes] | None:
    try:
        # A pipe of that name would block for ever: opening it as a frame says that it is none.
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, 2)
            file.seek(size // 2)
            # What is smaller than a sample is no frame.
            return (size, file.read(_SAMPLE)) if size >= _SAMPLE else None
    except OSError:
        return None


def _digest(path: Path, token: CancelToken) -> str | None:
    try:
        with heeding(token):
            return sha256_of(path)
    except OSError:
        return None
