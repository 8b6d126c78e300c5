"""Pictures from the wire to our arrays: one request, read as it comes, turned on the way.

Alpaca sends the first axis (x) slowest, so a picture arrives column by column. A block of columns
at a time is read into a small buffer and turned into its place, so that no more than the picture
itself is ever in memory, whatever type it is sent in.
"""

from __future__ import annotations

import itertools
import struct
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any, Protocol

import numpy as np
from alpaca.camera import ImageArrayElementTypes
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibStudioError, ExposureFailedError
from calibstudio.domain.wording import EN_DASH, file_size, number

ACCEPT = "application/imagebytes, application/json;q=0.5"
_HEADER = struct.Struct("<11i")
_BLOCK_BYTES = 2_000_000
_LARGE_BYTES = 8_000_000
"""From here on a picture is turned beside the reading, in a second thread."""
_TILE_COLUMNS, _TILE_ROWS = 64, 512
_MAX_ERROR_TEXT = 4_000

_TYPES: dict[int, np.dtype[Any]] = {
    ImageArrayElementTypes.Int16: np.dtype("<i2"),
    ImageArrayElementTypes.Int32: np.dtype("<i4"),
    ImageArrayElementTypes.Double: np.dtype("<f8"),
    ImageArrayElementTypes.Single: np.dtype("<f4"),
    ImageArrayElementTypes.UInt64: np.dtype("<u8"),
    ImageArrayElementTypes.Byte: np.dtype("u1"),
    ImageArrayElementTypes.Int64: np.dtype("<i8"),
    ImageArrayElementTypes.UInt16: np.dtype("<u2"),
    9: np.dtype("<u4"),
}
"""What may be sent; 9, UInt32, is younger than alpyca's list."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it came."""

    data: NDArray[np.uint16]
    """Shape (ny, nx), row 0 first."""
    digest: int
    """Equal for equal pixels; of two pictures with noise, never the same (one case in 2^64)."""


class Turner:
    """Takes columns of a picture in the order of the wire and puts them in their place.

    Parameters
    ----------
    name
        The camera, for sentences.
    shape
        (ny, nx) of the picture.
    planes
        1, or the number of colours that follow each other at every pixel.
    """

    def __init__(self, name: str, shape: tuple[int, int], planes: int) -> None:
        self.name, self.shape, self.planes = name, shape, planes
        self._out = np.empty(shape, dtype=np.uint16)
        self._next = 0
        self._digest = 0

    @property
    def values_per_column(self) -> int:
        """How many values make a column."""
        return self.shape[0] * self.planes

    def add(self, values: NDArray[Any]) -> None:
        """Take whole columns that follow those before, as one flat array."""
        ny, nx = self.shape
        columns = values.reshape(-1, ny, self.planes)
        if self._next + len(columns) > nx:
            raise ExposureFailedError(
                f"{self.name} sent more pixels than it announced.", hint=_AGAIN
            )
        pixels = self._adu(self._one_plane(columns))
        self._digest = hash((self._digest, _fingerprint(pixels)))
        _turn(pixels, self._out[:, self._next : self._next + len(columns)])
        self._next += len(columns)

    def finished(self) -> Picture:
        """Return the picture; raises `ExposureFailedError` when columns are missing."""
        if self._next != self.shape[1]:
            raise broken_off(self.name, self._next, self.shape[1], "columns")
        self._out.flags.writeable = False
        return Picture(self._out, self._digest)

    def _one_plane(self, columns: NDArray[Any]) -> NDArray[Any]:
        """A mono picture that is sent as colour has equal planes; another is no raw picture."""
        first = columns[:, :, 0]
        if self.planes > 1 and not (columns == columns[:, :, :1]).all():
            raise ExposureFailedError(
                f"{self.name} sends a developed colour picture of {self.planes} planes, not the "
                "values of its sensor.",
                hint="Choose a raw read-out mode in its driver (often called RAW16 or Bayer).",
            )
        return first

    def _adu(self, pixels: NDArray[Any]) -> NDArray[np.uint16]:
        if pixels.dtype == np.uint16 and pixels.flags.c_contiguous:
            return pixels
        if pixels.dtype != np.uint16 and pixels.size and pixels.dtype.kind in "if":
            low, high = pixels.min(), pixels.max()
            # Not-a-number fails both comparisons.
            if not (low >= 0 and high <= 65_535):
                raise _beyond(self.name, float(low), float(high))
        elif pixels.dtype.kind == "u" and pixels.size and pixels.max() > 65_535:
            raise _beyond(self.name, float(pixels.min()), float(pixels.max()))
        return np.ascontiguousarray(pixels, dtype=np.uint16)


_AGAIN = "Take it again; when it comes back, restart the driver."


def _beyond(name: str, low: float, high: float) -> ExposureFailedError:
    span = "not numbers" if low != low or high != high else f"{number(low)} to {number(high)} ADU"
    return ExposureFailedError(
        f"{name} sent pixels that are {span}; a raw frame has 0{EN_DASH}{number(65_535)}.",
        hint="Choose a 16-bit read-out mode without any correction in its driver.",
    )


def broken_off(name: str, got: float, of: float, what: str) -> ExposureFailedError:
    """What to raise when the picture ends before its end."""
    return ExposureFailedError(
        f"The picture of {name} broke off after {number(got)} of {number(of)} {what}.", hint=_AGAIN
    )


def _turn(columns: NDArray[np.uint16], out: NDArray[np.uint16]) -> None:
    """Write columns (x, y) to ``out`` (y, x), tile by tile: many times as fast as in one go."""
    nx, ny = columns.shape
    for y in range(0, ny, _TILE_ROWS):
        for x in range(0, nx, _TILE_COLUMNS):
            tile = columns[x : x + _TILE_COLUMNS, y : y + _TILE_ROWS]
            out[y : y + _TILE_ROWS, x : x + _TILE_COLUMNS] = tile.T


def _fingerprint(pixels: NDArray[np.uint16]) -> int:
    """Return a number for contiguous pixels, four at a time: as fast as they can be read."""
    flat = pixels.reshape(-1)
    whole = flat.size // 4 * 4
    words = flat[:whole].view(np.uint64)
    return hash((int(np.bitwise_xor.reduce(words)), flat[whole:].tobytes(), pixels.shape))


class Refuse(Protocol):
    """Makes our error of a driver's."""

    def __call__(self, member: str, number: int, message: object) -> CalibStudioError:
        """Return it."""
        ...


def image_bytes(
    response: HTTPResponse, name: str, check: Callable[[int, int, int], None], refuse: Refuse
) -> Picture:
    """Read an ImageBytes reply to its end.

    Parameters
    ----------
    check
        Called with nx, ny, planes before memory is taken; raises when they are not plausible.

    Raises
    ------
    DriverError
        The reply carries the driver's error.
    ExposureFailedError
        It is broken, ends early, or has values that do not fit.
    OSError, HTTPException
        The connection failed.
    """
    head = _exactly(response, name, _HEADER.size, _HEADER.size)
    version, error, _, _, start, _, sent_as, rank, nx, ny, planes = _HEADER.unpack(head)
    if version != 1 or not _HEADER.size <= start <= 65_536:
        raise ExposureFailedError(f"{name} sent a picture in an unknown format.", hint=_AGAIN)
    _exactly(response, name, start - _HEADER.size, start)
    if error:
        raise refuse("imagearray", error, response.read(_MAX_ERROR_TEXT).decode("utf-8", "replace"))
    dtype = _TYPES.get(sent_as)
    if rank not in (2, 3) or dtype is None:
        raise ExposureFailedError(
            f"{name} sent a picture of an unknown kind (type {sent_as}, rank {rank}).", hint=_AGAIN
        )
    planes = planes if rank == 3 else 1
    check(nx, ny, planes)
    turner = Turner(name, (ny, nx), planes)
    column_bytes = turner.values_per_column * dtype.itemsize
    expected = start + nx * column_bytes
    announced = response.getheader("Content-Length")
    if announced is not None and announced.strip().isdigit() and int(announced) != expected:
        raise broken_off(name, int(announced), expected, "bytes")
    columns = max(1, min(nx, _BLOCK_BYTES // column_bytes))
    _read_columns(response, turner, dtype, columns * column_bytes, start, expected)
    if response.read(1):
        raise ExposureFailedError(f"{name} sent more than the picture it announced.", hint=_AGAIN)
    return turner.finished()


def _read_columns(
    response: HTTPResponse,
    turner: Turner,
    dtype: np.dtype[Any],
    block_bytes: int,
    start: int,
    expected: int,
) -> None:
    """Read whole columns and turn them; one block is read while the one before is turned."""
    left = expected - start
    blocks = [np.empty(min(block_bytes, left), dtype=np.uint8) for _ in range(2)]
    is_large = left > _LARGE_BYTES
    with ThreadPoolExecutor(1, "turning a picture") if is_large else nullcontext() as pool:
        turning: deque[Future[None]] = deque()
        for number in itertools.count():
            if len(turning) == len(blocks):
                turning.popleft().result()
            part = blocks[number % 2][: min(left, block_bytes)]
            read = _fill(response, part.data)
            left -= read
            if read < part.size:
                raise broken_off(turner.name, expected - left, expected, "bytes")
            if pool is None:
                turner.add(part.view(dtype))
            else:
                turning.append(pool.submit(turner.add, part.view(dtype)))
            if not left:
                break
        for waiting in turning:
            waiting.result()


def _fill(response: HTTPResponse, buffer: memoryview) -> int:
    """Read until the buffer is full or the reply ends; return how much there was."""
    filled = 0
    while filled < len(buffer):
        read = response.readinto(buffer[filled:])
        if not read:
            break
        filled += read
    return filled


def _exactly(response: HTTPResponse, name: str, size: int, expected: int) -> bytes:
    buffer = bytearray(size)
    filled = _fill(response, memoryview(buffer))
    if filled < size:
        raise broken_off(name, filled, expected, "bytes")
    return bytes(buffer)


def plausible(name: str, wanted: tuple[int, int]) -> Callable[[int, int, int], None]:
    """Return a check that the picture is what was asked for: (ny, nx)."""

    def check(nx: int, ny: int, planes: int) -> None:
        if (ny, nx) != wanted or not 1 <= planes <= 4:
            colours = f" in {planes} planes" if planes != 1 else ""
            raise ExposureFailedError(
                f"{name} delivered {nx} × {ny} pixels{colours}; {wanted[1]} × {wanted[0]} were "
                f"asked for ({file_size(2.0 * wanted[0] * wanted[1])}).",
                hint="Its driver mixed up binning or region: connect it again.",
            )

    return check
