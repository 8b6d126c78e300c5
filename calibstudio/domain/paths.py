"""Paths as they are shown and kept: whole, and without detours."""

from __future__ import annotations

import os
from pathlib import Path


def whole_path(path: str | os.PathLike[str]) -> Path:
    """Return an absolute path without ``..``.

    A ``..`` behind a link leads out of the link's target, so such a path is resolved; the links of
    any other path stay as they were typed.
    """
    typed = Path(path)
    return typed.resolve() if ".." in typed.parts else typed.absolute()
