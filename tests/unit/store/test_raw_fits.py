"""Raw frames on disk, checked with astropy as an independent reader."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.capture import FrameNotes
from calibstudio.domain.equipment import (
    CameraInfo,
    Conversion,
    CoverState,
    ExposureRequest,
    Frame,
    Optics,
    Region,
    Site,
)
from calibstudio.domain.errors import WriteProblemError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Verdict
from calibstudio.store import publish
from calibstudio.store.card_writer import ascii_text, card, checksum_text, data_sum, history
from calibstudio.store.folder_sink import FolderSink
from calibstudio.store.raw_fits import encode_frame, stored_bayer, utc_text
from tests.helpers.bench import bench_observatory

INFO = CameraInfo(
    "ZWO ASI2600MC Pro",
    (20, 30),
    65535,
    serial="0a1b",
    pixel_size_um=3.76,
    bayer="RGGB",
    binnings=(1, 2),
)
SITE = Site("Home, hill", 48.1, 11.6, 520.0, "Europe/Berlin")


def make_frame(**changes: Any) -> Frame:
    data = np.random.default_rng(7).integers(0, 65536, (20, 30)).astype(np.uint16)
    data[0, :3] = (0, 32768, 65535)
    data.flags.writeable = False
    frame = Frame(
        data,
        ExposureRequest(FrameKind.FLAT, 4.12, 100, 50, readout_mode="Normal"),
        datetime(2026, 4, 17, 4, 52, 8, 123456, UTC),
        4.1201,
        100,
        50,
        "Normal",
        Conversion(0.78, 50_000.0, 1.5),
        -9.94999999,
        -10.0,
        54.0,
    )
    return replace(frame, **changes)


def make_notes(**changes: Any) -> FrameNotes:
    observatory = replace(
        bench_observatory(info=INFO), optics=Optics('Newton 8"', 800.0, 200.0), site=SITE
    )
    notes = FrameNotes(observatory, FrameKind.FLAT, "Ha", 46, CoverState.CLOSED, 3, "Panel flats")
    return replace(notes, **changes)


def read(path: Path) -> tuple[fits.Header, np.ndarray[Any, Any]]:
    with fits.open(path, checksum=True) as hdus:  # a wrong checksum is a warning, so an error
        hdus.verify("exception")
        return hdus[0].header, hdus[0].data.copy()


def test_pixels_come_back_as_the_camera_delivered_them(tmp_path: Path) -> None:
    frame = make_frame()

    path = FolderSink(tmp_path).write(frame, make_notes())

    header, data = read(path)
    assert data.dtype == np.uint16
    np.testing.assert_array_equal(data, frame.data)
    assert (header["BITPIX"], header["ROWORDER"]) == (16, "TOP-DOWN")


def test_the_header_says_everything_that_is_known_in_the_usual_words(tmp_path: Path) -> None:
    path = FolderSink(tmp_path).write(make_frame(), make_notes(verdict=Verdict.GOOD))

    header, _ = read(path)
    expected = {
        "IMAGETYP": "Flat Field",
        "EXPTIME": 4.1201,
        "EXPOSURE": 4.1201,
        "DATE-OBS": "2026-04-17T04:52:08.123",
        "DATE-END": "2026-04-17T04:52:12.243",
        "DATE-LOC": "2026-04-17T06:52:08.123",
        "INSTRUME": "ZWO ASI2600MC Pro",
        "SERIALNO": "0a1b",
        "GAIN": 100,
        "OFFSET": 50,
        "EGAIN": 0.78,
        "READOUTM": "Normal",
        "XBINNING": 1,
        "XPIXSZ": 3.76,
        "SET-TEMP": -10.0,
        "CCD-TEMP": -9.95,
        "COOLPOWR": 54.0,
        "FILTER": "Ha",
        "BAYERPAT": "RGGB",
        "TELESCOP": 'Newton 8"',
        "FOCALLEN": 800.0,
        "APTDIA": 200.0,
        "SITELAT": 48.1,
        "SITELONG": 11.6,
        "SATURATE": 65535,
        "CSPANEL": 46,
        "CSCOVER": "CLOSED",
        "CSLIGHT": True,
        "QCFLAG": "GOOD",
    }
    assert {key: header[key] for key in expected} == expected
    assert header["SWCREATE"].startswith("CalibStudio")
    assert header["MJD-OBS"] == pytest.approx(61147.2028718, abs=1e-7)


def test_what_is_not_known_is_not_written(tmp_path: Path) -> None:
    frame = make_frame(gain=None, sensor_c=float("nan"), set_c=None, conversion=None)

    path = FolderSink(tmp_path).write(frame, make_notes(filter=None, panel_brightness=None))

    header, _ = read(path)
    missing = ("GAIN", "CCD-TEMP", "SET-TEMP", "EGAIN", "FILTER", "CSPANEL", "CSSIMUL", "QCFLAG")
    assert not [key for key in missing if key in header]
    assert header["OFFSET"] == 50


def test_a_covered_frame_says_that_no_light_was_asked_for(tmp_path: Path) -> None:
    frame = make_frame(request=ExposureRequest(FrameKind.DARK_FLAT, 4.12, 100, 50))

    path = FolderSink(tmp_path).write(frame, make_notes(kind=FrameKind.DARK_FLAT))

    header, _ = read(path)
    assert (header["IMAGETYP"], header["CSLIGHT"]) == ("Dark Flat", False)
    assert path.relative_to(tmp_path).parts[:3] == ("2026-04-16", "darkflat", "4.1201s")


@pytest.mark.parametrize(
    ("x", "y", "pattern"), [(0, 0, "RGGB"), (1, 0, "GRBG"), (0, 1, "GBRG"), (1, 1, "BGGR")]
)
def test_a_region_that_starts_between_colours_shifts_the_pattern(
    x: int, y: int, pattern: str
) -> None:
    assert stored_bayer(INFO, Region(x, y, 8, 8), 1) == pattern


def test_binned_pixels_have_no_colour_and_a_larger_size(tmp_path: Path) -> None:
    request = ExposureRequest(FrameKind.FLAT, 4.12, binning=2, region=Region(4, 2, 8, 6))

    path = FolderSink(tmp_path).write(make_frame(request=request), make_notes())

    header, _ = read(path)
    assert "BAYERPAT" not in header
    assert (header["XPIXSZ"], header["XORGSUBF"], header["YORGSUBF"]) == (7.52, 2, 1)


def test_names_follow_the_product_and_nothing_is_overwritten(tmp_path: Path) -> None:
    sink, frame, notes = FolderSink(tmp_path), make_frame(), make_notes()

    first = sink.write(frame, notes)
    before = first.read_bytes()
    second = sink.write(frame, notes)

    folder = tmp_path / "2026-04-16" / "flat" / "Ha"
    assert first == folder / "flat_Ha_4.1201s_g100_-10C_20260417T045208_003.fits"
    assert second == folder / "flat_Ha_4.1201s_g100_-10C_20260417T045208_003-2.fits"
    assert first.read_bytes() == before


def test_a_bad_frame_is_kept_aside_with_its_reason_and_can_be_taken_back(tmp_path: Path) -> None:
    sink, frame = FolderSink(tmp_path), make_frame()
    reason = "Level 36\u202f412 ADU, limit 35\u202f200 ADU. " * 4
    path = sink.write(frame, make_notes())

    aside = sink.set_aside(path, reason)
    header, data = read(aside)

    assert aside.parent.name == "rejected" and not path.exists()
    assert header["QCFLAG"] == "BAD"
    assert header["QCREASON"].startswith("Set aside: Level 36 412 ADU, limit")
    np.testing.assert_array_equal(data, frame.data)

    back = sink.take_back(aside, "the operator kept it.")
    header, data = read(back)

    assert back == path and not aside.exists()
    assert header["QCREASON"] == "Kept: the operator kept it."
    assert len(header["HISTORY"]) >= 2
    np.testing.assert_array_equal(data, frame.data)


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publish, "flush_to_disk", full)

    with pytest.raises(WriteProblemError, match="the disk is full"):
        FolderSink(tmp_path).write(make_frame(), make_notes())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_file_that_does_not_read_back_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibstudio.store import folder_sink

    def spoiled(path: Path, header: bytes, data: np.ndarray[Any, Any]) -> None:
        path.write_bytes(header + bytes(data.size))

    monkeypatch.setattr(folder_sink, "write_raw", spoiled)

    with pytest.raises(WriteProblemError, match="does not read back"):
        FolderSink(tmp_path).write(make_frame(), make_notes())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "night").write_text("a file stands here")

    with pytest.raises(WriteProblemError, match="could not be written"):
        FolderSink(tmp_path / "night").write(make_frame(), make_notes())


def test_strings_of_any_length_and_alphabet_become_cards_that_read_back() -> None:
    values = {"A": "it's", "B": "x'" * 90, "C": "Hα 3 nm", "D": "滤镜", "E": ""}
    block = b"".join(card(k, v, "a comment") for k, v in values.items())

    header = fits.Header.fromstring(block)

    assert len(block) % 80 == 0
    assert header["A"] == "it's" and header["B"] == "x'" * 90
    assert header["C"] == "Ha 3 nm"
    assert header["D"] == "\\u6ee4\\u955c"
    assert header["E"] == ""


@pytest.mark.parametrize("value", [0, -1, 65535, 1.0, 3.2e-5, -10.0, 61147.20287179926, 1e20])
def test_numbers_keep_every_digit(value: float) -> None:
    assert fits.Header.fromstring(card("KEY", value))["KEY"] == value


def test_a_value_that_is_not_a_number_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        card("KEY", float("nan"))
    with pytest.raises(ValueError, match="no FITS keyword"):
        card("TOO-LONG-A-KEY", 1)


def test_checksums_are_those_of_the_standard() -> None:
    data = np.random.default_rng(3).integers(0, 256, 2880 * 5).astype(np.uint8)
    hdu = fits.PrimaryHDU()

    assert data_sum(data) == hdu._compute_checksum(data)
    for total in (0, 1, 0x12345678, 0xDEADBEEF, 0xFFFFFFFF):
        assert checksum_text(total) == hdu._char_encode(~total & 0xFFFFFFFF)


def test_comments_and_history_are_plain_ascii() -> None:
    assert ascii_text("−10.0\u202f°C ± 5 %…") == "-10.0 deg C +/- 5 %..."
    assert all(c < 127 for c in history("Größe – " * 30))


def test_moments_are_written_in_utc_with_milliseconds() -> None:
    assert utc_text(datetime(2026, 1, 2, 3, 4, 5, 0, UTC)) == "2026-01-02T03:04:05.000"


def test_only_two_dimensional_sixteen_bit_frames_are_raw() -> None:
    with pytest.raises(ValueError, match="uint16"):
        encode_frame(make_frame(data=np.zeros((4, 4), np.float32)), make_notes())
