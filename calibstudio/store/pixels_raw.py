"""Pixels of camera raw files: the sensor's own values of the visible area, in one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import ArrayRows, RowSource
from calibstudio.store.camera_raw import describe_raw, is_camera_raw, opened
from calibstudio.store.pixels_file import PixelFile, UnpackBudget
from calibstudio.store.pixels_fits import on_disk
from calibstudio.store.pixels_rows import check_memory

__all__ = ["RawPixels", "is_camera_raw"]


class RawPixels:
    """An open raw file. It is decoded whole, each time it is asked for.

    Raises
    ------
    FileProblemError
        If LibRaw does not know it, or it is damaged.
    """

    def __init__(self, file: PixelFile, path: Path, budget: UnpackBudget | None = None) -> None:
        self._file = file
        self._path = path
        self._budget = budget
        try:
            self._about = describe_raw(path, file.read_at, file.size)
            ny, nx = self._about.raw_shape
            if min(self._about.shape) < 1:
                raise FileProblemError(f"{path} has no pixels.", hint="Take it again.")
            # LibRaw holds the packed file, the pixels and a copy of the visible part at once.
            check_memory(file.label, 4 * ny * nx)
        except BaseException:
            file.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """One image: the sensor."""
        return ("",)

    @property
    def exposures(self) -> tuple[str, ...]:
        """One exposure."""
        return ("",)

    def check(self, image: str = "") -> None:
        """Raise `FileProblemError` if there is no image of this name."""
        if image:
            raise FileProblemError(
                f"{self._file.label} has no image named {image}.", hint="It has only one."
            )

    def shape(self, image: str = "") -> tuple[int, int]:
        """Return (ny, nx) of the visible area."""
        self.check(image)
        return self._about.shape

    def read(self, image: str = "") -> NDArray[Any]:
        """Decode the visible area, shape (ny, nx), uint16 (float32 for raw files of floats)."""
        self.check(image)
        with opened(self._path) as raw:
            pixels = raw.raw_image_visible
            if pixels is None or pixels.ndim != 2:
                raise FileProblemError(
                    f"{self._file.label} holds colours that the camera has mixed already.",
                    hint="Set the camera to its full raw format.",
                )
            if pixels.shape != self._about.shape:
                raise FileProblemError(
                    f"{self._file.label} is broken: its picture is not of the size it says.",
                    hint="Copy it again from the camera.",
                )
            return np.ascontiguousarray(pixels).copy()

    def rows(self, image: str = "", *, owner: bool = False) -> RowSource:
        """Return the image for reading in bands (see `read`)."""
        pixels = self.read(image)
        if owner:
            self._file.close()
        if self._budget is not None and not self._budget.take(pixels.nbytes):
            return on_disk(pixels, self._file.label, self._budget)
        return ArrayRows(pixels, self._file.label)

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
