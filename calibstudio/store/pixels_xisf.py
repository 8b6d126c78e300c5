"""Pixels of monolithic XISF files (XISF 1.0)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import ArrayRows, RowSource, Stored
from calibstudio.store.pixels_file import PixelFile, UnpackBudget
from calibstudio.store.pixels_fits import on_disk
from calibstudio.store.pixels_rows import FileRows, Numbers, check_memory
from calibstudio.store.xisf_block import WHITE, Block, block_of, check_attached, unpack
from calibstudio.store.xisf_header import MAX_XML, XisfImage, image_names, read_xisf


class XisfPixels:
    """An open XISF file with its images; a colour image is three of them.

    Checksums are verified once, before the first pixel of an image is given away.

    Raises
    ------
    FileProblemError
        If its header is broken, or it holds no picture.
    """

    def __init__(self, file: PixelFile, budget: UnpackBudget | None = None) -> None:
        self._file = file
        self._budget = budget
        self._checked: set[int] = set()
        self._unpacked: tuple[int, NDArray[Any]] | None = None
        """The last image that was unpacked, while not all its colours were given away."""
        try:
            images = _images(file)
            self._names = image_names(images)
            self._places = [(i, c) for i, image in enumerate(images) for c in range(image.colours)]
            self._blocks = [block_of(image, file.label) for image in images]
            self._bounds = [image.bounds for image in images]
        except BaseException:
            file.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its images, in order."""
        return self._names

    @property
    def exposures(self) -> tuple[str, ...]:
        """One exposure."""
        return ("",)

    def check(self, image: str = "") -> None:
        """Raise `FileProblemError` if an image is cut off, or not what its checksum says."""
        self._check(self._find(image)[0])

    def shape(self, image: str = "") -> tuple[int, int]:
        """Return (ny, nx) of one image."""
        return self._blocks[self._find(image)[0]].shape

    def read(self, image: str = "") -> NDArray[Any]:
        """Return one image whole (see `store.pixels.read_image`)."""
        index, channel = self._find(image)
        self._check(index)
        if self._is_plain(index):
            return self._in_file(index, channel, self._file.label, owner=False).read()
        return self._from_block(index, channel)

    def rows(self, image: str = "", *, owner: bool = False) -> RowSource:
        """Return one image for reading in bands; it needs this file to stay open.

        ``owner``: closing the rows closes the file.
        """
        index, channel = self._find(image)
        self._check(index)
        name = self._names[self._places.index((index, channel))]
        label = self._file.label + (f"[{name}]" if name else "")
        if self._is_plain(index):
            return self._in_file(index, channel, label, owner=owner)
        pixels = self._from_block(index, channel)
        if self._budget is not None and not self._budget.take(pixels.nbytes):
            return on_disk(pixels, label, self._budget)
        if owner:
            self._file.close()
        return ArrayRows(pixels, label)

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._unpacked = None
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _find(self, image: str) -> tuple[int, int]:
        """Return (number of the image, channel)."""
        if not image:
            return self._places[0]
        for name, place in zip(self._names, self._places, strict=True):
            if name.upper() == image.upper():
                return place
        names = ", ".join(n or "the first" for n in self._names)
        raise FileProblemError(
            f"{self._file.label} has no image named {image}.", hint=f"It has {names}."
        )

    def _check(self, index: int) -> None:
        if index not in self._checked:
            check_attached(self._blocks[index], self._file)
            self._checked.add(index)

    def _is_plain(self, index: int) -> bool:
        block = self._blocks[index]
        return block.place is not None and block.packing is None

    def _in_file(self, index: int, channel: int, label: str, *, owner: bool) -> FileRows:
        block, bounds = self._blocks[index], self._bounds[index]
        assert block.place is not None
        item, planes = block.dtype.itemsize, 1 if block.interleaved else channel
        offset = block.place[0] + (
            0 if block.interleaved else planes * block.shape[0] * block.shape[1] * item
        )
        numbers = Numbers(
            block.shape,
            block.dtype,
            offset,
            lambda raw: _in_adu(raw, bounds),
            0.0 if block.dtype.kind == "f" else 1.0,
            _stored(block, bounds),
            *((block.channels, channel) if block.interleaved else ()),
        )
        return FileRows(self._file, numbers, label, owner=owner)

    def _from_block(self, index: int, channel: int) -> NDArray[Any]:
        block = self._blocks[index]
        if self._unpacked is None or self._unpacked[0] != index:
            # Packed, unpacked and put in order it lies in memory at once.
            check_memory(self._file.label, 2 * block.n_bytes)
            self._unpacked = index, unpack(block, self._file)
        pixels = _in_adu(self._unpacked[1][channel], self._bounds[index])
        if self._places[-1] == (index, channel) or self._places.count((index, channel + 1)) == 0:
            self._unpacked = None
        return pixels


def _images(file: PixelFile) -> list[XisfImage]:
    head = file.read_at(0, 16)
    length = int.from_bytes(head[8:12], "little")
    stream = io.BytesIO(head + file.read_at(16, min(length, MAX_XML + 1)))
    header = read_xisf(Path(file.label), stream, file.size, with_data=True)
    images = [image for image in header.images if image.shape is not None]
    if not images:
        raise FileProblemError(
            f"{file.label} holds a header but no image.", hint="Choose files that hold pictures."
        )
    return images


def _stored(block: Block, bounds: tuple[float, float] | None) -> Stored:
    """Say what the fast readers may take as it lies."""
    if not block.dtype.isnative or (block.interleaved and block.channels > 1):
        return Stored.OTHER
    if block.dtype == np.uint16:
        return Stored.UINT16
    is_adu = bounds == (0.0, WHITE)
    return Stored.FLOAT32 if block.dtype == np.float32 and is_adu else Stored.OTHER


def _in_adu(raw: NDArray[Any], bounds: tuple[float, float] | None) -> NDArray[Any]:
    """Return integers as they are, and fractions between black and white as ADU of 16 bits."""
    if bounds is None:
        return np.ascontiguousarray(raw, dtype=raw.dtype.newbyteorder("="))
    with np.errstate(over="ignore", invalid="ignore"):
        if bounds == (0.0, WHITE) or bounds[0] == bounds[1]:
            return np.ascontiguousarray(raw, dtype=np.float32)
        scale = WHITE / (bounds[1] - bounds[0])
        values = (raw.astype(np.float64) - bounds[0]) * scale
        return values.astype(np.float32)
