"""XISF headers: keywords, properties, geometry, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibstudio.domain.errors import FileProblemError
from calibstudio.store.headers import read_header
from tests.helpers.frames import xisf_bytes, xisf_image

DATA = Path(__file__).parents[2] / "data" / "xisf_pixinsight_mit"


def write(path: Path, xml: str, tail: bytes = b"") -> Path:
    path.write_bytes(xisf_bytes(xml, tail))
    return path


def test_quoted_and_plain_keyword_values_are_read(tmp_path: Path) -> None:
    xml = xisf_image(
        {
            "IMAGETYP": "'Master Dark'",
            "EXPTIME": "'300.00'",
            "GAIN": "100",
            "INSTRUME": "'ZWO ASI2600MM Pro'",
            "TELESCOP": "EQMOD HEQ5/6",
            "FILTER": "'Ha '",
            "DATE-OBS": "2026-04-17T22:10:05.5",
        }
    )

    header = read_header(write(tmp_path / "x.XISF", xml))

    assert header.kind_word == "master dark"
    assert header.exposure_s == 300.0
    assert header.gain == 100.0
    assert header.telescope == "EQMOD HEQ5/6"
    assert header.shape == (4, 6)
    assert header.images == ("",)
    assert header.origin["exposure_s"] == "EXPTIME card"


def test_properties_fill_what_keywords_do_not_say(tmp_path: Path) -> None:
    inner = (
        '<Property id="Instrument:ExposureTime" type="Float32" value="12.5"/>'
        '<Property id="Instrument:Camera:Name" type="String">QHY 600</Property>'
        '<Property id="Instrument:Telescope:FocalLength" type="Float32" value="0.53"/>'
        '<Property id="Instrument:Camera:Gain" type="Float32" value="0.78"/>'
        '<Property id="Observation:Time:Start" type="TimePoint" value="2026-03-13T16:01:26Z"/>'
    )
    xml = xisf_image({"EXPTIME": "12"}, inner, imageType="Flat")

    header = read_header(write(tmp_path / "x.xisf", xml))

    assert header.kind == "flat"
    assert header.exposure_s == 12.0
    assert header.camera == "QHY 600"
    assert header.origin["camera"] == "INSTRUME property"
    assert header.focal_length_mm == 530.0
    assert header.egain_e_per_adu == 0.78
    assert header.gain is None
    assert header.observed_utc is not None


def test_a_colour_filter_array_is_a_pattern_of_stored_rows(tmp_path: Path) -> None:
    inner = '<ColorFilterArray pattern="GRBG" width="2" height="2"/>'
    xml = xisf_image({"ROWORDER": "'BOTTOM-UP'"}, inner)

    assert read_header(write(tmp_path / "x.xisf", xml)).bayer == "GRBG"


def test_colour_planes_are_counted(tmp_path: Path) -> None:
    xml = xisf_image({}, geometry="6:4:3", colorSpace="RGB")

    header = read_header(write(tmp_path / "x.xisf", xml))

    assert (header.shape, header.planes) == ((4, 6), 3)


def test_pixels_that_are_cut_off_are_a_damage(tmp_path: Path) -> None:
    xml = xisf_image({"IMAGETYP": "'Dark'"}, location="attachment:4096:48")

    header = read_header(write(tmp_path / "x.xisf", xml, b"\0" * 100))

    assert header.kind == "dark"
    assert "cut off" in header.damage


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><xisf><Image geometry="1:1:1"/></xisf>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><xisf/>',
        "<xisf>" + "<a>" * 100 + "</a>" * 100 + "</xisf>",
        "<xisf><Image",
        "not xml at all",
        "<xisf>&undefined;</xisf>",
    ],
)
def test_xml_that_no_frame_needs_is_refused(tmp_path: Path, xml: str) -> None:
    with pytest.raises(FileProblemError, match=r"x\.xisf has a header that is no XISF"):
        read_header(write(tmp_path / "x.xisf", xml))


@pytest.mark.parametrize("geometry", ["", "0:4:1", "6", "a:b:c", "-1:4:1"])
def test_an_image_without_a_size_is_no_picture(tmp_path: Path, geometry: str) -> None:
    header = read_header(write(tmp_path / "x.xisf", xisf_image({}, geometry=geometry)))

    assert header.images == ()
    assert header.shape is None


def test_a_file_of_pixinsight_reads(tmp_path: Path) -> None:
    header = read_header(DATA / "test.xisf")

    assert header.kind == "light"
    assert header.shape == (10, 8)
    assert header.exposure_s == 1.0
    assert header.sensor_temp_c == 0.0
    assert header.camera == "CCD Simulator"
    assert header.filter == "Red"
    assert header.focal_length_mm == 800.0
    assert header.rotator_deg == 0.0
    assert header.saturation_adu is None
