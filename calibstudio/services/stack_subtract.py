"""What is taken out of every frame of a bare stack: a bias or dark, read in bands as frames are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.detectors import PRIMARY, only_detectors
from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.pixels import RowSource, Stored
from calibstudio.domain.wording import size
from calibstudio.services.stack_inputs import StackedImage
from calibstudio.store.pixels import FramePixels, open_frame


class Subtrahend:
    """One file that is taken out of all frames, image by image."""

    def __init__(self, path: Path, file: FramePixels) -> None:
        self.path = path
        self._file = file

    def plane(self, image: StackedImage, shape: tuple[int, int]) -> FilePlane:
        """Return the image of this file that belongs to an image of the stack of that shape.

        Raises
        ------
        CalibrationError
            If it has none, or one of another size.
        FileProblemError
            If it cannot be read.
        """
        names = only_detectors(self._file.names)
        wanted = image.name.upper()
        found = [n for n in names if not wanted or (n or PRIMARY).upper() == wanted]
        if not found:
            raise CalibrationError(
                f"{self.path} has no image {image.name}, so it cannot be subtracted.",
                hint="Subtract a file with the same images as the frames.",
            )
        rows = self._file.rows(found[0])
        if rows.shape != shape:
            raise CalibrationError(
                f"{self.path} is {size(rows.shape)} pixels, the frames {size(shape)}: it "
                "cannot be subtracted.",
                hint="Subtract a file of the same camera, binning and region.",
            )
        return FilePlane(rows)


@contextmanager
def open_subtrahend(path: Path | None) -> Iterator[Subtrahend | None]:
    """Open the file that is subtracted, if there is one.

    Raises
    ------
    FileProblemError
        If it cannot be read.
    """
    if path is None:
        yield None
        return
    with open_frame(path) as file:
        yield Subtrahend(path, file)


class FilePlane:
    """An image in a file as `PlaneRows`: rows are read when they are asked for."""

    def __init__(self, rows: RowSource) -> None:
        self._rows = rows

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self._rows.shape

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """Return some rows, ADU."""
        y0, y1, _ = rows.indices(self.shape[0])
        return self._rows.read_rows(y0, y1)


class LessPlane:
    """A frame after something is taken out of it, as a `RowSource`: for measuring its level."""

    def __init__(self, source: RowSource, plane: FilePlane) -> None:
        self._source, self._plane = source, plane
        self.name = source.name
        self.shape = source.shape
        self.stored = Stored.OTHER
        self.step_adu = source.step_adu

    def read_rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return rows y0 to y1 (exclusive), ADU."""
        return self._source.read_rows(y0, y1) - self._plane[y0:y1]

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        """Not to be had: rows are worked out."""
        raise ValueError(f"{self.name} has no raw form")

    def close(self) -> None:
        """Nothing to let go of: the frame is somebody else's."""
