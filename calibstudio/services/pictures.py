"""Pixels to look at: the first image of a frame or master, read for the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from calibstudio.store.pixels import read_image


def read_first_image(path: Path) -> NDArray[Any]:
    """Return the first image of a file, shape (ny, nx), in the file's own unit.

    Raises
    ------
    FileProblemError
        The file cannot be read, or holds no image.
    """
    return read_image(path)
