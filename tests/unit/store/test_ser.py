"""SER films: every frame is an exposure, and damage is named."""

from __future__ import annotations

import gzip
import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Rejection, StackSettings
from calibstudio.services.import_frames import scan_and_group
from calibstudio.services.stack import stack_files
from calibstudio.store.headers import read_header
from calibstudio.store.pixels import open_frame, open_rows, read_image

MEAN = StackSettings(reject=Rejection.NONE, min_keep=1)
NOON = datetime(2026, 4, 17, 12, tzinfo=UTC)


def ser_file(
    path: Path, film: np.ndarray, *, colour: int = 0, big: bool = False, depth: int | None = None
) -> Path:
    """Write frames of shape (n, ny, nx), uint8 or uint16, as the format's description says."""
    n, ny, nx = film.shape
    bits = depth or 8 * film.dtype.itemsize
    ticks = round((NOON - datetime(1, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
    head = b"LUCAM-RECORDER" + struct.pack("<7i", 0, colour, int(big), nx, ny, bits, n)
    head += b"Me".ljust(40, b"\0") + b"ZWO ASI290MM".ljust(40, b"\0") + b"C11".ljust(40, b"\0")
    head += struct.pack("<2q", ticks, ticks)
    assert len(head) == 178
    order = ">" if big else "<"
    times = struct.pack(f"<{n}q", *(ticks + i for i in range(n)))
    path.write_bytes(head + film.astype(film.dtype.newbyteorder(order)).tobytes() + times)
    return path


def film(n: int = 7, kind: str = "u2") -> np.ndarray:
    return np.random.default_rng(n).integers(0, 250, (n, 6, 9)).astype(kind)


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("big", [False, True])
def test_every_frame_comes_out(kind: str, big: bool, tmp_path: Path) -> None:
    data = film(kind=kind)
    path = ser_file(tmp_path / "a.ser", data, big=big)
    with open_frame(path) as file:
        assert file.exposures == tuple(f"#{i}" for i in range(1, 8))
        for i, name in enumerate(file.exposures):
            np.testing.assert_array_equal(file.read(name), data[i])
            np.testing.assert_array_equal(file.rows(name).read_rows(2, 5), data[i, 2:5])
    np.testing.assert_array_equal(read_image(path), data[0])
    with open_rows(path, "#3") as rows:
        assert rows.name == f"{path}#3"
        np.testing.assert_array_equal(rows.read_rows(0, 6), data[2])


def test_what_the_header_says(tmp_path: Path) -> None:
    path = ser_file(tmp_path / "dark.ser", film(), colour=11, depth=12)
    header = read_header(path)
    assert (header.camera, header.telescope, header.bayer) == ("ZWO ASI290MM", "C11", "BGGR")
    assert (header.exposures, header.shape, header.observed_utc) == (7, (6, 9), NOON)
    assert header.saturation_adu == 4095


def test_a_film_is_stacked_frame_by_frame_also_beside_others(tmp_path: Path) -> None:
    data = film()
    path = ser_file(tmp_path / "a.ser", data)
    report = stack_files(JobContext(), [path], tmp_path / "out.fits", MEAN)
    assert report.n_frames == 7
    with fits.open(tmp_path / "out.fits") as hdus:
        np.testing.assert_array_equal(hdus[0].data, data.mean(axis=0).astype(np.float32))
        assert hdus[0].header["NCOMBINE"] == 7
        assert hdus[0].header["INSTRUME"] == "ZWO ASI290MM"

    single = data[0] + np.uint16(9)
    fits.PrimaryHDU(single).writeto(tmp_path / "b.fits")
    both = [path, tmp_path / "b.fits"]
    report = stack_files(JobContext(), both, tmp_path / "both.fits", MEAN)
    assert report.n_frames == 8
    expected = np.mean([*data, single], axis=0, dtype=np.float64)
    np.testing.assert_array_equal(fits.getdata(tmp_path / "both.fits"), expected.astype("f4"))


def test_a_film_in_a_folder_is_said_and_not_grouped(tmp_path: Path) -> None:
    ser_file(tmp_path / "dark.ser", film())
    grouping, _ = scan_and_group(JobContext(), [tmp_path])
    assert not grouping.groups
    assert (
        "film of 7 frames, which says neither exposure nor gain: calibstudio stack"
        in grouping.ungrouped[0].reason
    )


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (18, 100, "mixed already"),
        (26, 0, "broken"),
        (30, 2**31 - 1, "broken"),
        (34, 33, "broken"),
        (38, 10**6, "cut off: 7 of"),
        (38, -3, "broken"),
    ],
)
def test_lies_are_found(at: int, value: int, said: str, tmp_path: Path) -> None:
    path = ser_file(tmp_path / "a.ser", film())
    raw = bytearray(path.read_bytes())
    raw[at : at + 4] = struct.pack("<i", value)
    path.write_bytes(bytes(raw))
    for read in (read_image, read_header):
        with pytest.raises(FileProblemError, match=said) as caught:
            read(path)
        assert caught.value.hint


@pytest.mark.parametrize(("size", "said"), [(14, "inside its header"), (400, "2 of 7 frames")])
def test_cut_off_films_are_named(size: int, said: str, tmp_path: Path) -> None:
    path = ser_file(tmp_path / "a.ser", film())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FileProblemError, match=said):
        read_image(path)
    whole = ser_file(tmp_path / "b.ser", film())
    with open_frame(whole) as file, pytest.raises(FileProblemError, match="no frame #8"):
        file.check("#8")


def test_a_packed_film_is_unpacked(tmp_path: Path) -> None:
    frames = film()
    plain = ser_file(tmp_path / "x.ser", frames)
    packed = tmp_path / "x.ser.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    with open_frame(packed) as file:
        np.testing.assert_array_equal(file.read("#3"), frames[2])
    assert read_header(packed).exposures == len(frames)
