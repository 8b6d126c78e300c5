"""XISF pixels come out as they went in, whatever way they are stored; damage is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import RowSource, Stored
from calibstudio.store.any_header import read_hdus
from calibstudio.store.headers import read_header
from calibstudio.store.pixels import UnpackBudget, image_names, open_frame, open_rows, read_image
from tests.helpers.xisf_files import xisf_file

DATA = Path(__file__).parents[2] / "data"
NY, NX = 9, 14


def picture(sample: str, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(5)
    shape = (channels, NY, NX) if channels > 1 else (NY, NX)
    if sample[0] == "f":
        return rng.uniform(0, 1, shape).astype(sample)
    info = np.iinfo(sample)
    data = rng.integers(0, info.max, shape, dtype=sample, endpoint=True)
    data.flat[:2] = 0, info.max
    return data


def expected(data: np.ndarray) -> np.ndarray:
    """Fractions are ADU of 16 bits; integers are what they are."""
    return (data.astype(float) * 65535).astype("f4") if data.dtype.kind == "f" else data


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("codec", ["", "zlib", "zlib+sh", "lz4", "lz4+sh", "lz4hc+sh", "zstd+sh"])
@pytest.mark.parametrize("sample", ["u1", "u2", "u4", "f4", "f8"])
def test_every_type_and_packing(sample: str, codec: str, order: str, tmp_path: Path) -> None:
    data = picture(sample)
    path = xisf_file(tmp_path / "a.xisf", data, codec=codec, order=order, checksum="sha-1")

    image = read_image(path)

    np.testing.assert_array_equal(image, expected(data))
    assert image.dtype == (np.float32 if sample[0] == "f" else data.dtype)
    with open_rows(path) as rows:
        assert isinstance(rows, RowSource)
        assert rows.shape == (NY, NX)
        np.testing.assert_array_equal(rows.read_rows(2, 7), expected(data)[2:7].astype("f4"))


@pytest.mark.parametrize("codec", ["", "zstd", "lz4hc"])
@pytest.mark.parametrize("storage", ["Planar", "Normal"])
def test_three_colours_are_three_images(storage: str, codec: str, tmp_path: Path) -> None:
    data = picture("u2", 3)
    path = xisf_file(tmp_path / "a.xisf", data, codec=codec, storage=storage, checksum="sha-256")

    assert image_names(path) == ("R", "G", "B") == read_header(path).images
    with open_frame(path) as file:
        for name, plane in zip("RGB", data, strict=True):
            np.testing.assert_array_equal(file.read(name), plane)
            np.testing.assert_array_equal(file.rows(name).read_rows(3, 8), plane[3:8])
    np.testing.assert_array_equal(read_image(path), data[0])


def test_alpha_is_no_picture(tmp_path: Path) -> None:
    data = picture("u2", 2)
    path = xisf_file(tmp_path / "a.xisf", data)

    assert image_names(path) == ("",) == read_header(path).images
    assert read_header(path).planes == 1
    np.testing.assert_array_equal(read_image(path), data[0])


def test_embedded_pixels(tmp_path: Path) -> None:
    data = picture("u2")
    path = xisf_file(tmp_path / "a.xisf", data, embedded=True, codec="zlib+sh", checksum="sha-1")

    np.testing.assert_array_equal(read_image(path), data)


def test_a_plain_picture_is_read_where_it_lies(tmp_path: Path) -> None:
    data = picture("u2")
    with open_rows(xisf_file(tmp_path / "a.xisf", data)) as rows:
        assert rows.stored is Stored.UINT16
        assert rows.step_adu == 1.0
        raw = bytearray(3 * NX * 2)
        rows.read_raw(4, 7, memoryview(raw))
    np.testing.assert_array_equal(np.frombuffer(raw, "<u2").reshape(3, NX), data[4:7])


def test_fractions_of_a_16_bit_frame_are_its_adu_again(tmp_path: Path) -> None:
    adu = picture("u2")
    path = xisf_file(tmp_path / "a.xisf", (adu / 65535).astype("f4"), keywords={"IMAGETYP": "DARK"})

    np.testing.assert_array_equal(np.rint(read_image(path)), adu)
    assert any("65535 ADU" in note for note in read_header(path).notes)
    as_adu = xisf_file(tmp_path / "b.xisf", adu.astype("f4"), bounds="0:65535")
    np.testing.assert_array_equal(read_image(as_adu), adu)
    assert not read_header(as_adu).notes


def test_blocks_in_parts(tmp_path: Path) -> None:
    import zlib

    data = picture("u2")
    raw = data.astype("<u2").tobytes()
    parts = [zlib.compress(raw[:100]), zlib.compress(raw[100:])]
    path = xisf_file(
        tmp_path / "a.xisf",
        data,
        location=f"attachment:4096:{sum(map(len, parts))}",
        compression=f"zlib:{len(raw)}",
        subblocks=f"{len(parts[0])},100:{len(parts[1])},{len(raw) - 100}",
    )
    path.write_bytes(path.read_bytes()[:4096] + b"".join(parts))

    np.testing.assert_array_equal(read_image(path), data)


def test_beyond_the_budget_pixels_lie_on_disk(tmp_path: Path) -> None:
    data = picture("u2")
    path = xisf_file(tmp_path / "a.xisf", data, codec="zstd")
    with open_rows(path, budget=UnpackBudget(tmp_path, 10)) as rows:
        assert rows.stored is Stored.FITS_UINT16
        np.testing.assert_array_equal(rows.read_rows(0, NY), data)


def test_files_of_pixinsight() -> None:
    """Embedded by PixInsight 1.8.9: digits 0 to 9, BZERO copied from FITS and without meaning."""
    folder = DATA / "xisf_pixinsight_mit"
    image = read_image(folder / "test.xisf")

    assert image.shape == (10, 8)
    assert (image.min(), image.max()) == (0, 9)
    # Of the base64 text BQAHAAQAAgABAAEAAQAFAA.
    assert image[0].tolist() == [5, 7, 4, 2, 1, 1, 1, 5]
    assert read_image(folder / "2ch.xisf").shape == (10, 4)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def change_one_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-7] ^= 1
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize("codec", ["", "zlib", "lz4", "zstd+sh"])
@pytest.mark.parametrize(
    ("damage", "checksum", "said"),
    [(cut, "", "is cut off"), (cut, "sha-1", "is cut off"), (change_one_bit, "sha-1", "checksum")],
)
def test_damage_is_named(codec: str, damage, checksum: str, said: str, tmp_path: Path) -> None:
    path = xisf_file(tmp_path / "a.xisf", picture("u2"), codec=codec, checksum=checksum)
    damage(path)
    with pytest.raises(FileProblemError, match=said) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    with open_frame(path) as file, pytest.raises(FileProblemError, match=said):
        file.check()


GOOD = NY * NX * 2


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"geometry": "14:900:1"}, "bytes of pixels"),
        ({"geometry": "14:9"}, "no flat picture"),
        ({"geometry": "14:9:0"}, "no flat picture"),
        ({"sampleFormat": "Complex32"}, "Complex32"),
        ({"sampleFormat": "UInt64"}, "bytes of pixels"),
        ({"location": "url(http://example.com/a.xisb)"}, "elsewhere"),
        ({"location": "attachment:4096"}, "elsewhere"),
        ({"location": "attachment:99999999:252"}, "cut off"),
        ({"compression": "bzip2:252"}, "bzip2"),
        ({"compression": "zlib"}, "compression says"),
        ({"compression": "zlib:x"}, "compression says"),
        ({"compression": "zlib+sh:252:99"}, "compression says"),
        ({"compression": f"zlib:{10**14}"}, "bytes of pixels"),
        ({"compression": "zlib:252"}, "cannot be unpacked"),
        ({"compression": "lz4:252"}, "cannot be unpacked"),
        ({"compression": "zstd:252"}, "cannot be unpacked"),
        ({"compression": "zlib:252", "subblocks": "1,2"}, "parts"),
        ({"compression": "zlib:252", "subblocks": "1"}, "a part"),
        ({"checksum": "md5:00"}, "checksum"),
        ({"checksum": "sha-1:00"}, "checksum"),
    ],
)
def test_lies_are_found(lie: dict[str, str], said: str, tmp_path: Path) -> None:
    path = xisf_file(tmp_path / "a.xisf", np.full((NY, NX), 7, np.uint16), **lie)
    with pytest.raises(FileProblemError, match=said):
        read_image(path)


@pytest.mark.parametrize("codec", ["zlib", "lz4", "zstd"])
def test_a_bomb_unpacks_no_further_than_its_picture(codec: str, tmp_path: Path) -> None:
    """The block holds far more than the header claims."""
    import tracemalloc

    from tests.helpers.xisf_files import packed

    block, _ = packed(bytes(100_000_000), codec, 1)
    path = xisf_file(
        tmp_path / "a.xisf",
        np.zeros((NY, NX), np.uint16),
        compression=f"{codec}:{GOOD}",
        location=f"attachment:4096:{len(block)}",
    )
    path.write_bytes(path.read_bytes()[:4096] + block)
    tracemalloc.start()
    try:
        with pytest.raises(FileProblemError, match="unpack"):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_header_that_claims_terabytes(tmp_path: Path) -> None:
    side = 1_000_000
    path = xisf_file(
        tmp_path / "a.xisf",
        np.zeros((NY, NX), np.uint16),
        geometry=f"{side}:{side}:1",
        compression=f"zlib:{2 * side * side}",
    )
    with pytest.raises(FileProblemError, match="too large for this computer"):
        read_image(path)


def test_a_header_of_an_encoding_that_nobody_knows(tmp_path: Path) -> None:
    """XISF is UTF-8, whatever its first line says."""
    data = picture("u2")
    path = xisf_file(tmp_path / "a.xisf", data)
    path.write_bytes(path.read_bytes().replace(b"UTF-8", b"U9F-8"))
    np.testing.assert_array_equal(read_image(path), data)


def test_a_header_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.xisf"
    path.write_bytes(b"XISF0100" + struct.pack("<II", 1 << 30, 0) + b"<xisf>")
    with pytest.raises(FileProblemError, match="ends inside its header"):
        read_image(path)
    path.write_bytes(b"XISF0100" + struct.pack("<II", 7, 0) + b"<xisf/>")
    with pytest.raises(FileProblemError, match="no image"):
        read_image(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("codec", ["", "zlib+sh"])
def test_a_file_packed_as_a_whole_is_unpacked(
    tmp_path: Path, pack: Callable[[bytes], bytes], codec: str
) -> None:
    data = np.random.default_rng(8).integers(0, 65_536, (30, 40)).astype(np.uint16)
    plain = xisf_file(tmp_path / "plain.xisf", data, codec=codec)
    path = tmp_path / "x.xisf.gz"
    path.write_bytes(pack(plain.read_bytes()))

    np.testing.assert_array_equal(read_image(path), data)
    header, expected = read_header(path), read_header(plain)
    assert (header.shape, header.kind, header.damage) == (expected.shape, expected.kind, "")
    assert read_hdus(path)[0].shape == read_hdus(plain)[0].shape

    path.write_bytes(path.read_bytes()[:-20])
    for read in (read_image, read_header):
        with pytest.raises(FileProblemError, match="cannot be unpacked"):
            read(path)
