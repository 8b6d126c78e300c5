"""Broken files: each is met with a sentence that names it and a cure, and nothing else."""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibstudio.domain.errors import FileProblemError
from calibstudio.store.headers import read_header
from tests.helpers.frames import card, frame_bytes, header_bytes, write_frame, xisf_bytes


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileProblemError, match=r"gone\.fits is not there") as caught:
        read_header(tmp_path / "gone.fits")

    assert caught.value.hint


def test_a_folder_is_no_frame(tmp_path: Path) -> None:
    with pytest.raises(FileProblemError, match="is a folder"):
        read_header(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fits")

    with pytest.raises(FileProblemError, match="is no file"):
        read_header(tmp_path / "pipe.fits")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\0" * 5000, "only zeros"),
        (b"Dear reader,\nthis is no frame.\n" * 40, "is text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "neither FITS nor XISF"),
        (b"SIMPLE  =", "ends inside its header"),
        (gzip.compress(b"no frame inside" * 100, mtime=0), "neither FITS nor XISF"),
        (gzip.compress(b"", mtime=0)[:12], "cannot be unpacked"),
        (b"\x1f\x8b\x08\x00broken", "cannot be unpacked"),
        (bz2.compress(b"nothing")[:20], "neither|unpacked|empty"),
        (b"XISF0100", "ends inside its header"),
        (xisf_bytes("<xisf><Image></xisf>"), "no XISF"),
        (xisf_bytes("<xisf>")[:-2], "ends inside its header"),
    ],
)
def test_what_is_no_frame_is_said_in_one_sentence(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "x.fits"
    path.write_bytes(content)

    with pytest.raises(FileProblemError, match=words) as caught:
        read_header(path)

    assert str(caught.value).startswith("x.fits ")
    assert caught.value.hint


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "secret.fits")
    path.chmod(0)
    if os.access(path, os.R_OK):
        path.chmod(0o600)
        pytest.skip("this user may read everything")

    with pytest.raises(FileProblemError, match="may not be read"):
        read_header(path)


def test_a_file_cut_in_its_pixels_still_says_its_header_and_its_damage(tmp_path: Path) -> None:
    path = tmp_path / "cut.fits"
    path.write_bytes(frame_bytes(IMAGETYP="DARK", EXPTIME=30.0, shape=(100, 100))[:-18000])

    header = read_header(path)

    assert (header.kind, header.exposure_s) == ("dark", 30.0)
    assert "cut off" in header.damage


def test_missing_padding_behind_the_pixels_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "unpadded.fits"
    whole = frame_bytes(shape=(100, 100))
    path.write_bytes(whole[: 2880 + 20000])

    assert read_header(path).damage == ""


def test_a_gzipped_file_cut_inside_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "cut.fits.gz"
    path.write_bytes(
        gzip.compress(frame_bytes(IMAGETYP="BIAS", shape=(100, 100))[:-18000], mtime=0)
    )

    header = read_header(path)

    assert header.kind == "bias"
    assert "cut off" in header.damage


def test_a_gzip_of_several_members_is_whole(tmp_path: Path) -> None:
    whole = frame_bytes(IMAGETYP="BIAS", shape=(100, 100))
    path = tmp_path / "parts.fits.gz"
    path.write_bytes(gzip.compress(whole[:9000], mtime=0) + gzip.compress(whole[9000:], mtime=0))

    assert read_header(path).damage == ""


def test_a_header_without_end_says_what_could_be_read(tmp_path: Path) -> None:
    cards = [card("SIMPLE", True), card("BITPIX", 16), card("NAXIS", 2)]
    cards += [card("NAXIS1", 6), card("NAXIS2", 4), card("IMAGETYP", "FLAT")]
    path = tmp_path / "endless.fits"
    path.write_bytes(header_bytes(cards, end=False))

    header = read_header(path)

    assert header.kind == "flat"
    assert "no END" in header.damage


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_printed_header_says_its_values_and_that_it_has_no_pixels(
    tmp_path: Path, ending: str
) -> None:
    cards = [card("SIMPLE", True), card("NAXIS", 2), card("NAXIS1", 6), card("NAXIS2", 4)]
    cards += [card("IMAGETYP", "FLAT"), card("EXPTIME", 1.5), "END"]
    path = tmp_path / "header.txt"
    path.write_text(ending.join(c.rstrip() for c in cards), newline="")

    header = read_header(path)

    assert (header.kind, header.exposure_s, header.shape) == ("flat", 1.5, (4, 6))
    assert header.damage == "It is the text of a header, without its pixels."


@pytest.mark.parametrize(
    "axes",
    [
        {"NAXIS": 2, "NAXIS1": -5, "NAXIS2": 4},
        {"NAXIS": 2, "NAXIS1": 99999999, "NAXIS2": 99999999},
        {"NAXIS": 999999999, "NAXIS1": 5, "NAXIS2": 4},
        {"NAXIS": 2, "NAXIS1": 777777701, "NAXIS2": 0},
        {"NAXIS": "two", "NAXIS1": 4},
        {"NAXIS": 1, "NAXIS1": 10},
    ],
)
def test_absurd_sizes_are_no_picture_or_a_damage(tmp_path: Path, axes: dict[str, object]) -> None:
    cards = [card("SIMPLE", True), card("BITPIX", 16), *(card(k, v) for k, v in axes.items())]
    path = tmp_path / "absurd.fits"
    path.write_bytes(header_bytes(cards) + bytes(2880))

    header = read_header(path)

    assert header.damage or not header.images or header.shape is None


def test_an_endless_header_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "long.fits"
    path.write_bytes(header_bytes([card("SIMPLE", True)], end=False) + b" " * 8_000_000)

    assert "no END" in read_header(path).damage


def test_values_that_are_script_or_paths_stay_text(tmp_path: Path) -> None:
    path = write_frame(
        tmp_path / "a.fits",
        IMAGETYP="DARK",
        FILTER="../../etc/passwd",
        OBJECT="<script>alert(1)</script>",
        INSTRUME="'; DROP TABLE masters;--",
    )

    header = read_header(path)

    assert header.filter == "../../etc/passwd"
    assert header.object_name == "<script>alert(1)</script>"
    assert header.camera == "; DROP TABLE masters;--"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=6000), start=st.sampled_from([b"", b"SIMPLE  =", b"XISF0100"]))
def test_random_files_are_read_or_refused_in_words(
    tmp_path: Path, data: bytes, start: bytes
) -> None:
    path = tmp_path / "random.fits"
    path.write_bytes(start + data)

    try:
        read_header(path)
    except FileProblemError as error:
        assert str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    at=st.integers(0, 2879),
    with_=st.binary(min_size=1, max_size=120),
    cut=st.integers(0, 6000),
)
def test_a_frame_with_damaged_bytes_is_read_or_refused_in_words(
    tmp_path: Path, at: int, with_: bytes, cut: int
) -> None:
    whole = frame_bytes(
        IMAGETYP="FLAT", EXPTIME=1.5, GAIN=100, FILTER="Ha", DATE__OBS="2026-01-01T01:02:03"
    )
    path = tmp_path / "damaged.fits"
    path.write_bytes((whole[:at] + with_ + whole[at + len(with_) :])[:cut])

    try:
        read_header(path)
    except FileProblemError as error:
        assert str(error)
