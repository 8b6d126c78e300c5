"""Pixels of frames, whatever the format: whole images, or bands of rows from many files at once.

FITS (plain, compressed as a whole, or in tiles), XISF, SER films, and camera raw. What a file is,
is told by its first bytes; of camera raw, which has none in common, also by its ending.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from calibstudio.domain.pixels import RowSource
from calibstudio.store.header_bytes import SER
from calibstudio.store.pixels_file import PixelFile, UnpackBudget
from calibstudio.store.pixels_fits import FitsPixels
from calibstudio.store.pixels_raw import RawPixels, is_camera_raw
from calibstudio.store.pixels_xisf import XisfPixels
from calibstudio.store.ser import SerPixels

__all__ = [
    "FramePixels",
    "UnpackBudget",
    "image_names",
    "open_frame",
    "open_rows",
    "read_image",
]


class FramePixels(Protocol):
    """An open file with its images."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its images, in order."""
        ...

    @property
    def exposures(self) -> tuple[str, ...]:
        """Names of the frames of a film, in order; ``("",)`` for a file of one exposure."""
        ...

    def check(self, image: str = "") -> None:
        """Raise `FileProblemError` if an image is no flat picture, or not whole."""
        ...

    def shape(self, image: str = "") -> tuple[int, int]:
        """Return (ny, nx) of one image."""
        ...

    def read(self, image: str = "") -> NDArray[Any]:
        """Return one image whole (see `read_image`)."""
        ...

    def rows(self, image: str = "", *, owner: bool = False) -> RowSource:
        """Return one image for reading in bands; it needs this file to stay open.

        ``owner``: closing the rows closes the file.
        """
        ...

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def open_frame(path: Path | str, *, budget: UnpackBudget | None = None) -> FramePixels:
    """Open a file of any format that is read here.

    Parameters
    ----------
    budget
        How much memory unpacked pixels may take together with those of other files; beyond it
        they go to temporary files. None: each file by itself, into memory.

    Raises
    ------
    FileProblemError
        As `read_image`.
    """
    file = PixelFile(Path(path), budget)
    start = file.read_at(0, 16)
    if start.startswith(b"XISF0100"):
        return XisfPixels(file, budget)
    if start.startswith(SER):
        return SerPixels(file, budget)
    if is_camera_raw(Path(path), start):
        return RawPixels(file, Path(path), budget)
    return FitsPixels(file, budget)


def read_image(path: Path | str, image: str = "") -> NDArray[Any]:
    """Read one image whole.

    Parameters
    ----------
    path
        Plain FITS, or compressed by gzip, bzip2, xz or fpack; XISF; SER; camera raw.
    image
        A name of `image_names`; empty for the first image.

    Returns
    -------
    ndarray
        Shape (ny, nx), native byte order. Integers keep their type (uint16 for BITPIX 16 with
        BZERO 32768); with BSCALE, a fractional BZERO or blank pixels they become float32, blank
        pixels NaN. Floating point is float32; that of XISF in ADU of 16 bits.

    Raises
    ------
    FileProblemError
        If the file is missing, empty, cut off, of no known format, or holds no such picture.
    """
    with open_frame(path) as file:
        return file.read(image)


def image_names(path: Path | str) -> tuple[str, ...]:
    """Return the names of the images of a file, in order; ``""`` is the primary.

    Extensions of one name are told apart by their version (``SCI,1``, ``SCI,2``), those without
    EXTNAME by their number (``HDU1``). A colour XISF image is three: ``R``, ``G``, ``B``.

    Raises
    ------
    FileProblemError
        As `read_image`; also when there is no image at all.
    """
    with open_frame(path) as file:
        return file.names


def open_rows(
    path: Path | str, image: str = "", *, budget: UnpackBudget | None = None
) -> RowSource:
    """Open one image for reading in bands of rows.

    A plain file is read where it lies; a compressed one is unpacked once, into memory or, with
    a budget, beyond it into a temporary file.

    Raises
    ------
    FileProblemError
        As `read_image`.
    """
    file = open_frame(path, budget=budget)
    try:
        return file.rows(image, owner=True)
    except BaseException:
        file.close()
        raise
