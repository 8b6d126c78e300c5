"""Pictures from the wire: every type, any size, as bytes and as JSON, and nothing else."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibstudio.devices.alpaca import picture_json
from calibstudio.devices.alpaca.failures import DriverError
from calibstudio.devices.alpaca.picture import Picture, image_bytes, plausible
from calibstudio.devices.alpaca.picture_json import image_json
from calibstudio.domain.errors import ExposureFailedError
from tests.helpers.fake_alpaca import image_bytes as packed

TYPES = ["u1", "u2", "i2", "i4", "u4", "i8", "u8", "f4", "f8"]


class Reply:
    """As much of a reply as the readers use."""

    def __init__(self, content: bytes, length: int | None = None) -> None:
        self._stream, self._length = io.BytesIO(content), length

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def readinto(self, buffer: memoryview) -> int:
        return self._stream.readinto(buffer)

    def getheader(self, name: str) -> str | None:
        return None if self._length is None else str(self._length)


def _refuse(member: str, number: int, message: object) -> DriverError:
    return DriverError(f"{message}.", number=number)


def _from_bytes(content: bytes, shape: tuple[int, int]) -> Picture:
    return image_bytes(Reply(content), "Camera", plausible("Camera", shape), _refuse)  # type: ignore[arg-type]


def _from_json(content: bytes, shape: tuple[int, int]) -> Picture:
    check = plausible("Camera", shape)
    return image_json(Reply(content), "Camera", shape, check, _refuse)  # type: ignore[arg-type]


def _image(ny: int, nx: int, highest: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, highest, (ny, nx), endpoint=True)


@given(
    ny=st.integers(1, 40),
    nx=st.integers(1, 40),
    kind=st.sampled_from(TYPES),
    rank=st.integers(2, 3),
)
def test_every_type_and_size_arrives_as_it_was(ny: int, nx: int, kind: str, rank: int) -> None:
    image = _image(ny, nx, min(65_535, 255 if kind == "u1" else 32_767 if kind == "i2" else 65_535))
    sent = image.T if rank == 2 else np.repeat(image.T[:, :, None], 3, axis=2)

    picture = _from_bytes(packed(sent, kind), (ny, nx))

    assert picture.data.dtype == np.uint16 and not picture.data.flags.writeable
    assert np.array_equal(picture.data, image)


@given(
    ny=st.integers(1, 30), nx=st.integers(1, 30), chunk=st.integers(40, 400),
    spaced=st.booleans(), real=st.booleans(), rank=st.integers(2, 3),
)  # fmt: skip
def test_json_arrives_as_it_was_however_it_is_cut(
    ny: int, nx: int, chunk: int, spaced: bool, real: bool, rank: int
) -> None:
    image = _image(ny, nx, 65_535)
    sent: Any = image.T.astype(float) if real else image.T
    if rank == 3:
        sent = np.repeat(sent[:, :, None], 3, axis=2)
    separators = (", ", ": ") if spaced else (",", ":")
    document = {"Type": 2, "Rank": rank, "Value": sent.tolist(), "ErrorNumber": 0}
    before, picture_json._CHUNK = picture_json._CHUNK, chunk
    try:
        picture = _from_json(json.dumps(document, separators=separators).encode(), (ny, nx))
    finally:
        picture_json._CHUNK = before

    assert np.array_equal(picture.data, image)


@pytest.mark.parametrize("kind", ["u2", "i4"])
def test_a_large_picture_is_turned_beside_the_reading(kind: str) -> None:
    image = _image(1999, 2503, 65_535)

    picture = _from_bytes(packed(image.T, kind), image.shape)

    assert np.array_equal(picture.data, image)


def test_a_large_picture_with_a_wrong_value_at_its_end_is_refused() -> None:
    image = _image(1999, 2503, 65_535)
    image[-1, -1] = 65_536

    with pytest.raises(ExposureFailedError, match="65\u202f536"):
        _from_bytes(packed(image.T, "i4"), image.shape)


def test_the_largest_value_is_kept_and_one_more_is_not_wrapped() -> None:
    image = np.full((3, 4), 65_535)

    assert (_from_bytes(packed(image.T, "u4"), (3, 4)).data == 65_535).all()
    for kind in ("i4", "u4", "i8", "u8", "f8"):
        with pytest.raises(ExposureFailedError, match="65\u202f536"):
            _from_bytes(packed(image.T + 1, kind), (3, 4))


def test_the_fingerprint_knows_equal_pictures_from_others() -> None:
    image = _image(97, 101, 65_535)
    other = image.copy()
    other[50, 50] ^= 1
    swapped = image[::-1]

    first, again, changed, turned = (
        _from_bytes(packed(i.T), image.shape).digest for i in (image, image, other, swapped)
    )

    assert first == again
    assert len({first, changed, turned}) == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_a_failure(content: bytes) -> None:
    with pytest.raises((ExposureFailedError, DriverError)):
        _from_bytes(content, (9, 7))


@given(st.integers(45, 44 + 2 * 63 - 1))
def test_a_picture_that_is_cut_anywhere_is_broken_off(size: int) -> None:
    content = packed(_image(9, 7, 65_535).T)

    with pytest.raises(ExposureFailedError, match="broke off"):
        _from_bytes(content[:size], (9, 7))


BROKEN = {
    "two numbers without a comma": b'{"Value":[[1,2 3,4]]}',
    "a number that is missing": b'{"Value":[[1,,3]]}',
    "a word": b'{"Value":[[1,x,3]]}',
    "not a number": b'{"Value":[[1.0,NaN,3]]}',
    "columns of unequal length": b'{"Value":[[1,2,3],[4,5]]}',
    "nothing": b'{"Value":[]}',
    "an empty column": b'{"Value":[[]]}',
    "too few rows": b'{"Value":[[1,2]]}',
    "too many columns": b'{"Value":[[1,2,3],[4,5,6]]}',
    "an error after the numbers": b'{"Value":[[1,2,3]],"ErrorNumber":1035,"ErrorMessage":"no"}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_json_that_is_not_the_picture_is_a_failure(content: bytes) -> None:
    with pytest.raises((ExposureFailedError, DriverError)):
        _from_json(content, (3, 1))
