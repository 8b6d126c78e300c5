"""Pixels come out as the file says, and broken files are named in a sentence."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.pixels import ArrayRows, RowSource, Stored
from calibstudio.store import pixels_file
from calibstudio.store.headers import read_header
from calibstudio.store.pixels import (
    UnpackBudget,
    image_names,
    open_frame,
    open_rows,
    read_image,
)

TYPES = {
    "uint8": np.arange(0, 60, dtype=np.uint8),
    "int8": np.arange(-30, 30, dtype=np.int8),
    "uint16": np.linspace(0, 65535, 60).astype(np.uint16),
    "int16": np.linspace(-32768, 32767, 60).astype(np.int16),
    "uint32": np.linspace(0, 2**32 - 1, 60).astype(np.uint32),
    "int32": np.linspace(-(2**31), 2**31 - 1, 60).astype(np.int32),
    "int64": np.linspace(-(2**40), 2**40, 60).astype(np.int64),
    "uint64": np.arange(2**63, 2**63 + 60, dtype=np.uint64),
    "float32": np.linspace(-1e30, 1e30, 60).astype(np.float32),
}


def write(path: Path, data: np.ndarray, **cards: object) -> Path:
    hdu = fits.PrimaryHDU(data)
    for keyword, value in cards.items():
        hdu.header[keyword] = value
    hdu.writeto(path)
    return path


@pytest.mark.parametrize("name", TYPES)
def test_every_type_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    data = TYPES[name].reshape(6, 10)
    path = write(tmp_path / "a.fits", data)

    image = read_image(path)

    assert image.dtype == data.dtype
    assert image.dtype.isnative
    np.testing.assert_array_equal(image, data)


def test_double_precision_becomes_single_and_keeps_nan(tmp_path: Path) -> None:
    data = np.array([[1.0, np.nan], [np.inf, 1e300]])
    path = write(tmp_path / "a.fits", data)

    image = read_image(path)

    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, np.array([[1, np.nan], [np.inf, np.inf]], np.float32))


def test_scaled_and_blank_integers_become_numbers_and_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    header = fits.Header()
    raw = np.array([[1, 2], [-5, 7]], ">i2")
    for keyword, value in (("SIMPLE", True), ("BITPIX", 16), ("NAXIS", 2), ("NAXIS1", 2)):
        header[keyword] = value
    header["NAXIS2"], header["BSCALE"], header["BZERO"], header["BLANK"] = 2, 0.5, 10.0, -5
    body = raw.tobytes()
    path.write_bytes(header.tostring().encode() + body.ljust(2880, b"\0"))

    image = read_image(path)
    rows = open_rows(path)

    expected = np.array([[10.5, 11.0], [np.nan, 13.5]], np.float32)
    np.testing.assert_array_equal(image, expected)
    assert rows.stored is Stored.OTHER
    assert rows.step_adu == 0.5
    np.testing.assert_array_equal(rows.read_rows(0, 2), expected)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("uint16", Stored.FITS_UINT16),
        ("int16", Stored.FITS_INT16),
        ("float32", Stored.FITS_FLOAT32),
        ("uint8", Stored.OTHER),
    ],
)
def test_rows_come_in_bands_and_raw(name: str, stored: Stored, tmp_path: Path) -> None:
    data = TYPES[name].reshape(6, 10)
    rows = open_rows(write(tmp_path / "a.fits", data))

    band = rows.read_rows(2, 5)

    assert isinstance(rows, RowSource)
    assert rows.shape == (6, 10)
    assert rows.stored is stored
    np.testing.assert_array_equal(band, data[2:5].astype(np.float32))
    if stored is not Stored.OTHER:
        buffer = bytearray(3 * 10 * stored.pixel_bytes)
        rows.read_raw(2, 5, memoryview(buffer))
        raw = np.frombuffer(buffer, ">f4" if name == "float32" else ">i2").reshape(3, 10)
        with fits.open(rows.name, do_not_scale_image_data=True) as hdus:
            np.testing.assert_array_equal(raw, hdus[0].data[2:5])
    else:
        with pytest.raises(ValueError, match="no raw form"):
            rows.read_raw(0, 1, memoryview(bytearray(10)))


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lambda b: lzma.compress(b, lzma.FORMAT_XZ)]
)
def test_packed_files_are_unpacked_whatever_they_are_called(pack, tmp_path: Path) -> None:
    data = TYPES["uint16"].reshape(6, 10)
    plain = write(tmp_path / "a.fits", data)
    packed = tmp_path / "b.dat"
    packed.write_bytes(pack(plain.read_bytes()))

    image = read_image(packed)
    rows = open_rows(packed)

    np.testing.assert_array_equal(image, data)
    assert rows.stored is Stored.FITS_UINT16
    np.testing.assert_array_equal(rows.read_rows(1, 3), data[1:3])


def test_what_does_not_fit_the_memory_goes_to_a_nameless_file(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 65535, (700, 900)).astype(np.uint16)
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress(write(tmp_path / "a.fits", data).read_bytes(), 1, mtime=0))
    tiles = tmp_path / "b.fits.fz"
    fits.CompImageHDU(data).writeto(tiles)
    folder = tmp_path / "spool"
    folder.mkdir()

    for path in (packed, tiles):
        budget = UnpackBudget(folder, 100_000)
        with open_frame(path, budget=budget) as file:
            rows = file.rows()
            np.testing.assert_array_equal(rows.read_rows(0, 700), data)
            assert rows.stored is Stored.FITS_UINT16
        assert budget.bytes_left == 100_000
    assert list(folder.iterdir()) == []


def test_fpacked_files_give_the_picture_under_the_name_of_the_primary(tmp_path: Path) -> None:
    data = TYPES["uint16"].reshape(6, 10)
    path = tmp_path / "a.fits.fz"
    fits.CompImageHDU(data).writeto(path)

    assert image_names(path) == ("",)
    image = read_image(path)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, data)
    assert isinstance(open_rows(path), ArrayRows)


def test_extensions_are_found_by_name_version_and_number(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    planes = [np.full((3, 4), i, np.int16) for i in range(4)]
    hdus = [fits.PrimaryHDU()]
    hdus += [
        fits.ImageHDU(planes[0], name="SCI", ver=1),
        fits.ImageHDU(planes[1], name="SCI", ver=2),
    ]
    hdus += [fits.ImageHDU(planes[2], name="red"), fits.ImageHDU(planes[3])]
    fits.HDUList(hdus).writeto(path)

    assert image_names(path) == ("SCI,1", "SCI,2", "RED", "HDU4")
    for name, plane in (("sci,2", 1), ("RED", 2), ("HDU4", 3), ("", 0), ("SCI", 0)):
        np.testing.assert_array_equal(read_image(path, name), planes[plane])
    with pytest.raises(FileProblemError, match=r"no image named BLUE") as caught:
        read_image(path, "BLUE")
    assert "RED" in caught.value.hint


def header_only(path: Path) -> None:
    fits.PrimaryHDU().writeto(path)


def truncated(path: Path) -> None:
    write(path, TYPES["uint16"].reshape(6, 10))
    content = path.read_bytes()
    path.write_bytes(content[: 2880 + 50])


def without_end(path: Path) -> None:
    path.write_bytes(b"SIMPLE  =                    T".ljust(80) + b" " * 400)


def absurd(path: Path) -> None:
    cards = [("SIMPLE", "T"), ("BITPIX", "16"), ("NAXIS", "2")]
    cards += [("NAXIS1", "999999999"), ("NAXIS2", "999999999")]
    text = "".join(f"{k:8}= {v:>20}".ljust(80) for k, v in cards) + "END".ljust(80)
    path.write_bytes(text.encode().ljust(2880))


def negative(path: Path) -> None:
    absurd(path)
    path.write_bytes(path.read_bytes().replace(b"999999999", b"-99999999"))


def cube(path: Path) -> None:
    write(path, np.zeros((4, 4, 5), np.int16))


def spectrum(path: Path) -> None:
    write(path, np.zeros(50, np.float32))


@pytest.mark.parametrize("packed", [False, True])
def test_a_colour_picture_is_three_images(tmp_path: Path, packed: bool) -> None:
    colours = np.random.default_rng(4).integers(0, 65_536, (3, 20, 30)).astype(np.uint16)
    path = tmp_path / "colour.fits"
    if packed:
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(colours, name="SCI")]
    else:
        hdus = [fits.PrimaryHDU(colours), fits.ImageHDU(colours[::-1], name="SCI")]
    fits.HDUList(hdus).writeto(path)

    names = ("SCI R", "SCI G", "SCI B") if packed else ("R", "G", "B", "SCI R", "SCI G", "SCI B")
    assert image_names(path) == names
    header = read_header(path)
    assert (header.images, header.planes, header.shape) == (names, 3, (20, 30))
    for i, name in enumerate(names):
        expected = colours[i % 3] if i < 3 else colours[5 - i]
        np.testing.assert_array_equal(read_image(path, name), expected)
        rows = open_rows(path, name)
        np.testing.assert_array_equal(rows.read_rows(5, 10), expected[5:10])
        rows.close()


BROKEN = {
    "cut off": truncated,
    "holds a header but no image": header_only,
    "no END": without_end,
    "claims a size": absurd,
    "is broken": negative,
    "3 axes|no flat picture": cube,
    "no flat picture": spectrum,
    r"is empty \(0 bytes\)": lambda p: p.write_bytes(b""),
    "is not a FITS file": lambda p: p.write_text("Dear diary,\n" * 300),
    "is not there": lambda p: None,
    "is not a file": lambda p: p.mkdir(),
    "cannot be unpacked": lambda p: p.write_bytes(gzip.compress(bytes(9000), mtime=0)[:-9]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_in_a_sentence(what: str, tmp_path: Path) -> None:
    path = tmp_path / 'störung <b>1 "x" %n;.fits'
    BROKEN[what](path)

    for read in (read_image, image_names, open_rows):
        if read is image_names and what in ("cut off", "3 axes|no flat picture", "no flat picture"):
            continue  # It has the image, only not all of it.
        with pytest.raises(FileProblemError, match=what) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert str(caught.value).endswith(".")
        assert caught.value.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a thing of Unix")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.fits"
    os.mkfifo(pipe)

    with pytest.raises(FileProblemError, match="is not a file"):
        read_image(pipe)


def test_a_file_that_shrinks_while_it_is_read_is_said_and_kills_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", np.zeros((500, 600), np.uint16))
    rows = open_rows(path)
    os.truncate(path, 100_000)

    np.testing.assert_array_equal(rows.read_rows(0, 10), 0)
    with pytest.raises(FileProblemError, match="became shorter while it was read"):
        rows.read_rows(400, 500)


def test_a_closed_file_is_not_read_from(tmp_path: Path) -> None:
    rows = open_rows(write(tmp_path / "a.fits", np.zeros((5, 6), np.uint16)))
    rows.close()
    rows.close()

    with pytest.raises(FileProblemError, match="closed"):
        rows.read_rows(0, 1)


def test_with_too_many_files_open_each_read_opens_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TYPES["uint16"].reshape(6, 10)
    path = write(tmp_path / "a.fits", data)
    opened = pixels_file._open
    refusals = [-1]

    def refuse_once(path: Path, label: str) -> int:
        return refusals.pop() if refusals else opened(path, label)

    monkeypatch.setattr(pixels_file, "_open", refuse_once)
    rows = open_rows(path)

    np.testing.assert_array_equal(rows.read_rows(0, 6), data)
    assert not refusals
    rows.close()
