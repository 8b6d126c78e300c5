"""Real header texts of capture and stacking programs, read by hand for what they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from calibstudio.domain.header import FrameHeader
from calibstudio.store.headers import read_header
from tests.helpers.frames import write_header_text

TEXTS = Path(__file__).parents[2] / "data" / "headers_photonfinder_mit"


def read(tmp_path: Path, name: str) -> FrameHeader:
    text = (TEXTS / f"{name}.hdr.txt").read_text(encoding="latin-1")
    return read_header(write_header_text(tmp_path / "frame.fits", text))


def test_nina(tmp_path: Path) -> None:
    header = read(tmp_path, "header_nina")

    assert header.kind_word == "light"
    assert header.exposure_s == 30.0
    assert (header.gain, header.offset) == (120.0, 30.0)
    assert header.egain_e_per_adu == pytest.approx(1.00224268436432)
    assert (header.set_temp_c, header.sensor_temp_c) == (-10.0, -10.0)
    assert header.binning == (1, 1)
    assert header.bayer == "RGGB"
    assert header.camera == "ZWO ASI294MC Pro"
    assert header.software == "N.I.N.A. 1.10.2.90"
    assert header.object_name == "MarsM45"
    # DATE-LOC is an hour on: DATE-OBS is the one in UTC.
    assert header.observed_utc == datetime(2021, 3, 2, 20, 19, 0, 455000, tzinfo=UTC)
    assert header.filter is None
    assert header.notes == ()


def test_astro_photography_tool(tmp_path: Path) -> None:
    header = read(tmp_path, "header_apt")

    assert header.kind_word == "light"
    assert header.exposure_s == 240.0
    assert (header.gain, header.offset) == (120.0, None)
    assert header.egain_e_per_adu == pytest.approx(1.00224268436432)
    assert (header.set_temp_c, header.sensor_temp_c) == (-15.0, None)
    assert header.focal_length_mm == 400.0
    assert header.region is not None and header.region[:2] == (0, 0)
    assert header.observed_utc == datetime(2018, 9, 17, 21, 4, 46, tzinfo=UTC)
    assert header.site_longitude_deg == pytest.approx(3 + 41 / 60)
    assert header.night == date(2018, 9, 17)
    assert not header.is_master  # SNAPSHOT = 1


def test_sequence_generator_pro(tmp_path: Path) -> None:
    for name in ("sgp_header", "header_sgp_fixed_wcs"):
        header = read(tmp_path, name)

        assert header.kind_word == "light"
        assert header.exposure_s == 30.0
        assert header.origin["exposure_s"] == "EXPOSURE card"
        assert (header.gain, header.offset, header.egain_e_per_adu) == (
            120.0,
            30.0,
            pytest.approx(3.99, abs=1e-6),
        )
        assert (header.set_temp_c, header.sensor_temp_c) == (-18.0, -17.5)
        assert header.filter == "HaOIII"
        assert header.telescope == "EQMOD ASCOM HEQ5/6"
        assert header.focal_length_mm == 1480.0
        assert header.rotator_deg == pytest.approx(258.369995117188)
        assert header.observed_utc == datetime(2020, 5, 30, 0, 22, 49, 96882, tzinfo=UTC)
        # 00:22 UTC near Ghent belongs to the evening before.
        assert header.night == date(2020, 5, 29)


def test_maxim_with_calibration(tmp_path: Path) -> None:
    header = read(tmp_path, "header_maximdl")

    assert header.kind_word == "light"
    assert header.exposure_s == 300.0
    assert (header.gain, header.egain_e_per_adu) == (None, None)
    assert header.set_temp_c == -35.0
    assert header.sensor_temp_c == pytest.approx(-34.99380225)
    assert header.filter == "SII"
    assert header.readout_mode == "Monochrome"
    assert header.focal_length_mm == 1425.0
    assert header.calibrated == "bias taken out, dark taken out, flat divided out (CALSTAT)"
    assert header.pedestal_adu == -100.0
    assert header.site_longitude_deg == pytest.approx(149 + 3 / 60 + 52 / 3600)
    # 14:03 UTC is midnight in Australia.
    assert header.observed_utc == datetime(2018, 7, 4, 14, 3, 3, tzinfo=UTC)
    assert header.night == date(2018, 7, 4)
    assert header.rotator_deg is None  # PA is of the sky, not of the rotator


def test_sharpcap_that_says_no_kind(tmp_path: Path) -> None:
    header = read(tmp_path, "header_sharpcap")

    assert header.kind is None
    assert header.exposure_s == 2.0
    assert header.sensor_temp_c == 12.7
    assert (header.gain, header.offset, header.filter) == (None, None, None)
    assert header.camera == "ZWO ASI290MM Mini"
    assert header.observed_utc == datetime(2019, 4, 29, 20, 25, 29, 821958, tzinfo=UTC)


def test_dwarf_that_writes_in_its_own_words(tmp_path: Path) -> None:
    header = read(tmp_path, "header_dwarflab")

    assert header.kind is None
    assert header.exposure_s == 15.0
    assert header.origin["exposure_s"] == "EXP card"
    assert header.gain == 110.0
    assert header.binning == (2, 2)
    assert header.bayer == "GBRG"
    assert header.camera == "DWARFII"
    assert header.software == "DWARFLAB"
    assert header.observed_utc == datetime(2023, 6, 10, 21, 38, 19, 442000, tzinfo=UTC)


def test_a_stack_of_seestar_is_a_master_light(tmp_path: Path) -> None:
    header = read(tmp_path, "header_seestar")

    assert header.kind_word == "master light"
    assert header.notes == ("Taken as a master, because of STACKCNT.",)
    assert header.exposure_s == 10.0
    assert header.gain == 80.0
    assert header.sensor_temp_c == 21.875
    assert header.filter == "IRCUT"
    assert header.software == "ZWO Seestar S50"
    assert header.telescope == "S50_1623087d"
    assert header.bayer == "GRBG"
    assert header.night == date(2025, 5, 13)


def test_a_flat_master_of_astro_pixel_processor(tmp_path: Path) -> None:
    header = read(tmp_path, "header_app2")

    assert header.kind_word == "master flat"
    assert header.origin["kind"] == "CALFRAME card"
    assert header.exposure_s == 1.28
    assert header.gain == 120.0
    assert header.filter == "HaOIII"
    assert header.bayer == "RGGB"
    assert header.observed_utc is None  # DATE is when the file was made


def test_an_integration_of_astro_pixel_processor(tmp_path: Path) -> None:
    header = read(tmp_path, "header_app")

    assert header.kind_word == "master light"
    assert header.exposure_s == 900.0
    assert header.bayer is None


def test_a_master_of_pixinsight_whose_numbers_are_text(tmp_path: Path) -> None:
    header = read(tmp_path, "header_pixinsight")

    assert header.kind_word == "master light"
    assert header.exposure_s == 120.0
    assert header.binning == (1, 1)
    assert header.filter == "LP"
    assert header.egain_e_per_adu == 3.62
    assert header.focal_length_mm == pytest.approx(769.37892)
    assert header.site_longitude_deg == pytest.approx(3.716667)
    assert header.observed_utc == datetime(2022, 3, 7, 21, 58, 44, 60000, tzinfo=UTC)
