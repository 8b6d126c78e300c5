"""Numbers and words of a header: synonyms, units, what means "not set", who writes what."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from calibstudio.domain.header import FrameHeader
from calibstudio.store.header_json import dump_header, load_header
from calibstudio.store.headers import read_header
from tests.helpers.frames import card, write_frame


def frame(
    folder: Path, cards: list[str] | None = None, *, name: str = "x.fits", **values: object
) -> FrameHeader:
    return read_header(write_frame(folder / name, cards, **values))


@pytest.mark.parametrize(
    ("keyword", "value", "seconds"),
    [
        ("EXPTIME", 300, 300.0),
        ("EXPOSURE", 30.5, 30.5),
        ("EXP", 15.0, 15.0),
        ("EXPTIME", "120.00  ", 120.0),
        ("EXPTIME", "0,25", 0.25),
        ("EXPTIME", "60 s", 60.0),
        ("EXPTIME", "500 ms", 0.5),
        ("EXPOINUS", 32, 3.2e-5),
        ("EXPTIME", 0, 0.0),
        ("DARKTIME", 61.2, 61.2),
    ],
)
def test_exposures_are_seconds(tmp_path: Path, keyword: str, value: object, seconds: float) -> None:
    header = frame(tmp_path, [card(keyword, value)])

    assert header.exposure_s == pytest.approx(seconds, rel=1e-12)
    assert header.origin["exposure_s"] == f"{keyword} card"


@pytest.mark.parametrize("value", [-5, "", "unknown", True, "12:30:00"])
def test_what_is_no_exposure_is_unknown(tmp_path: Path, value: object) -> None:
    assert frame(tmp_path, EXPTIME=value).exposure_s is None


def test_two_cards_that_disagree_are_both_said(tmp_path: Path) -> None:
    header = frame(tmp_path, EXPTIME=300.0, EXPOSURE=60.0)
    agreeing = frame(tmp_path, EXPTIME=300.0, EXPOSURE=300.2, name="y.fits")

    assert header.exposure_s == 300.0
    assert header.notes == ("EXPTIME says 300\u202fs, EXPOSURE says 60\u202fs. EXPTIME is used.",)
    assert agreeing.notes == ()


@pytest.mark.parametrize(
    ("keyword", "value", "celsius"),
    [
        ("CCD-TEMP", -10.0, -10.0),
        ("CCD-TEMP", -1, -1.0),
        ("CCD-TEMP", "13 C", 13.0),
        ("CAMTEMP", "44 C    ", 44.0),
        ("CCD-TEMP", "-10,5", -10.5),
        ("CCD-TEMP", "50 F", 10.0),
        ("CCDATEMP", 213.671, -59.479),
        ("CCD-TEMP", "263.15 K", -10.0),
        ("TEMPERAT", -4.8, -4.8),
        ("CCD_TEMP", 0, 0.0),
    ],
)
def test_measured_temperatures_are_celsius(
    tmp_path: Path, keyword: str, value: object, celsius: float
) -> None:
    assert frame(tmp_path, [card(keyword, value)]).sensor_temp_c == pytest.approx(celsius)


@pytest.mark.parametrize("value", [-273.15, -999, 999, "n/a", ""])
def test_what_is_no_temperature_is_unknown(tmp_path: Path, value: object) -> None:
    assert frame(tmp_path, [card("CCD-TEMP", value)]).sensor_temp_c is None


@pytest.mark.parametrize("keyword", ["SET-TEMP", "SETTEMP", "SET_TEMP"])
def test_set_temperatures_are_apart_from_measured_ones(tmp_path: Path, keyword: str) -> None:
    header = frame(tmp_path, [card(keyword, -20), card("CCD-TEMP", -19.4)])

    assert (header.set_temp_c, header.sensor_temp_c) == (-20.0, -19.4)


@pytest.mark.parametrize("value", [-1, 4294967295, "-1", -1.0])
@pytest.mark.parametrize("keyword", ["GAIN", "OFFSET", "ISO"])
def test_minus_one_means_not_set_for_settings(tmp_path: Path, keyword: str, value: object) -> None:
    header = frame(tmp_path, [card(keyword, value), card("SWCREATE", "N.I.N.A. 3")])

    assert header.gain is None
    assert header.offset is None
    assert "not set" in header.notes[0]


def test_an_iso_stands_in_for_a_gain_that_was_not_set(tmp_path: Path) -> None:
    assert frame(tmp_path, GAIN=-1, ISOSPEED=800).gain == 800.0


def test_zero_is_a_setting(tmp_path: Path) -> None:
    header = frame(tmp_path, GAIN=0, OFFSET=0, SWCREATE="N.I.N.A. 3")

    assert (header.gain, header.offset) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("cards", "gain", "egain"),
    [
        # A program of amateurs, or a camera of theirs: the setting.
        ([card("GAIN", 120), card("SWCREATE", "N.I.N.A. 1.10.2.90")], 120, None),
        ([card("GAIN", 5.0), card("INSTRUME", "IMX296")], 5, None),
        ([card("GAIN", 2), card("INSTRUME", "QHY268M")], 2, None),
        # EGAIN beside it that differs: the setting.
        ([card("GAIN", 2), card("EGAIN", 0.8)], 2, 0.8),
        ([card("GAIN", 120), card("EGAIN", 1.002)], 120, 1.002),
        # A unit or a comment decides before everything.
        ([card("GAIN", "10.00 dB")], 10, None),
        ([card("GAIN", 2, "camera setting, read back")], 2, None),
        ([card("GAIN", 3, "The gain set (if supported)")], 3, None),
        ([card("GAIN", 1.9, "e-/ADU"), card("INSTRUME", "ZWO ASI294MC Pro")], None, 1.9),
        ([card("GAIN", 1.4, "[electrons/ADU] gain")], None, 1.4),
        # Observatories: e-/ADU, told by the same value in EGAIN's synonym or a read noise.
        ([card("GAIN", 2.45), card("EPERDN", 2.45)], None, 2.45),
        ([card("GAIN", 1.9), card("RDNOISE", 5.0)], None, 1.9),
        # Too large for e-/ADU.
        ([card("GAIN", 300)], 300, None),
        # Not clear: unknown.
        ([card("GAIN", 1.9)], None, None),
        ([card("GAIN", 4)], None, None),
        # ISO is the setting of a DSLR.
        ([card("ISOSPEED", 800)], 800, None),
        ([card("EGAIN", "3.62    ")], None, 3.62),
        ([card("EGAIN", 0)], None, None),
    ],
)
def test_gain_is_a_setting_or_electrons_by_who_wrote_it(
    tmp_path: Path, cards: list[str], gain: float | None, egain: float | None
) -> None:
    header = frame(tmp_path, cards)

    assert (header.gain, header.egain_e_per_adu) == (gain, egain)


def test_an_unclear_gain_is_said(tmp_path: Path) -> None:
    header = frame(tmp_path, GAIN=1.9)

    assert "not clear" in header.notes[0]


@pytest.mark.parametrize(
    ("cards", "binning"),
    [
        ([card("XBINNING", 2), card("YBINNING", 2)], (2, 2)),
        ([card("XBINNING", "1       "), card("YBINNING", "1")], (1, 1)),
        ([card("XBINNING", 1), card("YBINNING", 2)], (1, 2)),
        ([card("CCDSUM", "2 2")], (2, 2)),
        ([card("BINNING", "2*2     ")], (2, 2)),
        ([card("BINNING", "3x3")], (3, 3)),
        ([card("BINNING", 4)], (4, 4)),
        ([card("BINNING", "2,1")], (2, 1)),
        ([card("BINX", 2), card("BINY", 2)], (2, 2)),
        ([card("CCDXBIN", 1), card("CCDYBIN", 1)], (1, 1)),
        ([card("XBINNING", 0), card("YBINNING", 0)], None),
        ([card("BINNING", "none")], None),
    ],
)
def test_binning_is_a_pair(
    tmp_path: Path, cards: list[str], binning: tuple[int, int] | None
) -> None:
    assert frame(tmp_path, cards).binning == binning


def test_binnings_that_disagree_are_said(tmp_path: Path) -> None:
    header = frame(tmp_path, XBINNING=2, YBINNING=2, CCDSUM="1 1")

    assert header.binning == (2, 2)
    assert header.notes == ("XBINNING says 2x2, CCDSUM says 1x1. XBINNING is used.",)


def test_the_region_is_the_corner_and_the_stored_size(tmp_path: Path) -> None:
    header = frame(tmp_path, XORGSUBF=100, YORGSUBF=50)

    assert header.region == (100, 50, 6, 4)
    assert header.shape == (4, 6)
    assert frame(tmp_path, name="y.fits").region is None


@pytest.mark.parametrize(
    ("cards", "name"),
    [
        ([card("FILTER", "Ha      ")], "Ha"),
        ([card("FILTER", "  Sloan  r ")], "Sloan r"),
        ([card("FILT-1", "HaOIII")], "HaOIII"),
        ([card("FILTER", "None")], "None"),
        ([card("FILTER", 3)], "3"),
        ([card("FILTER1", "4020longpass"), card("FILTER2", "clear")], "4020longpass"),
        ([card("FILTER1", "open1-6"), card("FILTER2", "r_G0326")], "r_G0326"),
        ([card("FILTER1", "B"), card("FILTER2", "ND3")], "B + ND3"),
        ([card("FILTER1", "clear"), card("FILTER2", "open")], "clear"),
        ([card("FILTER", "")], None),
        ([card("FILTER", -1)], None),
        ([card("FILTER", "RGGB")], None),
    ],
)
def test_filters_keep_their_name(tmp_path: Path, cards: list[str], name: str | None) -> None:
    assert frame(tmp_path, [card("IMAGETYP", "FLAT"), *cards]).filter == name


def test_a_folder_that_names_another_filter_is_shown(tmp_path: Path) -> None:
    header = frame(tmp_path, name="OIII/x.fits", IMAGETYP="FLAT", FILTER="Ha")
    same = frame(tmp_path, name="H-alpha/x.fits", IMAGETYP="FLAT", FILTER="Ha")

    assert header.filter == "Ha"
    assert header.notes == ("Header says Ha, folder says OIII. The header is used.",)
    assert same.notes == ()


@pytest.mark.parametrize(
    ("values", "shape", "pattern"),
    [
        ({"BAYERPAT": "RGGB"}, (4, 6), "RGGB"),
        ({"BAYERPAT": "'RGGB'  "}, (4, 6), "RGGB"),
        ({"BAYERPAT": "rggb"}, (4, 6), "RGGB"),
        ({"COLORTYP": "GRBG"}, (4, 6), "GRBG"),
        ({"FILTER": "RGGB"}, (4, 6), "RGGB"),
        ({"BAYERPAT": "RGGB", "XBAYROFF": 1}, (4, 6), "GRBG"),
        ({"BAYERPAT": "RGGB", "YBAYROFF": 1}, (4, 6), "GBRG"),
        ({"BAYERPAT": "RGGB", "XBAYROFF": 1, "YBAYROFF": 1}, (4, 6), "BGGR"),
        ({"BAYERPAT": "RGGB", "XBAYROFF": 2, "YBAYROFF": 4}, (4, 6), "RGGB"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "TOP-DOWN"}, (4, 6), "RGGB"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP"}, (4, 6), "GBRG"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP"}, (5, 6), "RGGB"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP", "YBAYROFF": 1}, (4, 6), "RGGB"),
        ({"BAYERPAT": "NONE"}, (4, 6), None),
        ({"BAYERPAT": "NONE", "COLORTYP": "RAW16"}, (4, 6), None),
        ({"BAYERPAT": ""}, (4, 6), None),
        ({}, (4, 6), None),
    ],
)
def test_the_pattern_is_that_of_the_stored_rows(
    tmp_path: Path, values: dict[str, object], shape: tuple[int, int], pattern: str | None
) -> None:
    path = write_frame(tmp_path / "x.fits", shape=shape, **values)

    assert read_header(path).bayer == pattern


def test_a_pattern_that_is_not_known_is_said(tmp_path: Path) -> None:
    header = frame(tmp_path, BAYERPAT="GGRGGBGGBGGRBRGRBG")

    assert header.bayer is None
    assert "no colour pattern known" in header.notes[0]


@pytest.mark.parametrize(
    ("cards", "millimetres"),
    [
        ([card("FOCALLEN", 400)], 400.0),
        ([card("FOCALLEN", "769.37892")], 769.37892),
        ([card("FOCALLEN", 14.0, "[mm] lens")], 14.0),
        ([card("FOCALLEN", 24)], 24.0),
        ([card("FLENGTH", 4.014)], 4014.0),
        ([card("FOCALLEN", 0.4)], 400.0),
        ([card("FOCALLEN", 30.0, "focal length in meters")], 30000.0),
        ([card("FOCALLEN", 8.0, "[mm] fish eye")], 8.0),
        ([card("FOCALLEN", 0.0)], None),
        ([card("FOCALLEN", -1)], None),
    ],
)
def test_focal_lengths_are_millimetres(
    tmp_path: Path, cards: list[str], millimetres: float | None
) -> None:
    assert frame(tmp_path, cards).focal_length_mm == millimetres


@pytest.mark.parametrize(
    ("cards", "angle"),
    [
        ([card("ROTATANG", 123.4)], 123.4),
        ([card("ROTATANG", -10.0)], 350.0),
        ([card("ROTATOR", 10.0)], 10.0),
        ([card("POSANGLE", 258.37)], 258.37),
        ([card("ROTATOR", "Falcon")], None),
        ([card("PA", 90.0)], None),
    ],
)
def test_rotator_angles_are_mechanical(
    tmp_path: Path, cards: list[str], angle: float | None
) -> None:
    assert frame(tmp_path, cards).rotator_deg == angle


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ({"SATURATE": 60000}, 60000.0),
        ({"MAXADU": 4095}, 4095.0),
        ({"DATAMAX": 65535}, 65535.0),
        ({"DATAMAX": 4095.0}, 4095.0),
        ({"DATAMAX": 9.0}, None),
        ({"DATAMAX": 42831}, None),
        ({}, None),
    ],
)
def test_saturation_is_a_limit_and_not_the_brightest_pixel(
    tmp_path: Path, values: dict[str, object], level: float | None
) -> None:
    assert frame(tmp_path, **values).saturation_adu == level


def test_names_camera_serial_and_the_rest(tmp_path: Path) -> None:
    header = frame(
        tmp_path,
        INSTRUME="ZWO ASI294MC Pro",
        CAMSN="0123",
        TELESCOP="EQMOD HEQ5/6",
        READOUTM="High  Gain",
        OBJECT="M 31",
        SWCREATE="N.I.N.A. 3.1",
        XPIXSZ=4.63,
        ROWORDER="TOP-DOWN",
    )

    assert header.camera == "ZWO ASI294MC Pro"
    assert header.serial == "0123"
    assert header.telescope == "EQMOD HEQ5/6"
    assert header.readout_mode == "High Gain"
    assert header.object_name == "M 31"
    assert header.software == "N.I.N.A. 3.1"
    assert header.pixel_size_um == 4.63
    assert header.row_order == "TOP-DOWN"
    assert header.origin["serial"] == "CAMSN card"


def test_equal_numbers_in_other_clothes_are_equal(tmp_path: Path) -> None:
    a = frame(tmp_path, GAIN="2032", CCD__TEMP="-10", SWCREATE="SharpCap")
    b = frame(tmp_path, GAIN=2032.0, CCD__TEMP=-10.0, SWCREATE="SharpCap", name="y.fits")

    assert (a.gain, a.sensor_temp_c) == (b.gain, b.sensor_temp_c)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("dark_300s_-10C_gain100_offset30_bin2.fits", "exposure_s", 300.0),
        ("dark_300s_-10C_gain100_offset30_bin2.fits", "gain", 100.0),
        ("dark_300s_-10C_gain100_offset30_bin2.fits", "offset", 30.0),
        ("dark_300s_-10C_gain100_offset30_bin2.fits", "binning", (2, 2)),
        ("dark_300s_-10C_gain100_offset30_bin2.fits", "sensor_temp_c", -10.0),
        ("EXPOSURE_2.50_x.fits", "exposure_s", 2.5),
        ("flat_500ms.fits", "exposure_s", 0.5),
        ("M106_2020-03-17T024357_60sec_LP__-15C_frame11.wcs.fits", "exposure_s", 60.0),
        ("M106_2020-03-17T024357_60sec_LP__-15C_frame11.wcs.fits", "sensor_temp_c", -15.0),
        ("flat_FILTER_Lum_1x1.fits", "filter", "Lum"),
        ("flat_O3_0001.fits", "filter", "O3"),
        ("flats/SII/0001.fits", "filter", "SII"),
    ],
)
def test_names_fill_gaps_and_say_so(tmp_path: Path, name: str, field: str, value: object) -> None:
    header = frame(tmp_path, name=name)

    assert getattr(header, field) == value
    assert header.origin[field] == "path"


def test_a_name_never_overrules_a_header_and_the_disagreement_is_said(tmp_path: Path) -> None:
    header = frame(
        tmp_path,
        [card("CCD-TEMP", 5.0)],
        name="dark_300s_-10C_gain100.fits",
        IMAGETYP="DARK",
        EXPTIME=60.0,
        GAIN=120,
    )

    assert (header.exposure_s, header.gain, header.sensor_temp_c) == (60.0, 120.0, 5.0)
    assert header.notes == (
        "Header says 60\u202fs, path says 300\u202fs. The header is used.",
        "Header says gain 120, path says gain 100. The header is used.",
        "Header says 5.0\u202f°C, path says \u221210.0\u202f°C. The header is used.",
    )


def test_a_dated_folder_is_the_night_where_no_time_is_written(tmp_path: Path) -> None:
    without = frame(tmp_path, name="2026-04-17/flats/x.fits")
    with_time = frame(tmp_path, name="2026-04-17/x.fits", DATE__OBS="2025-01-01T22:00:00")

    assert without.night == date(2026, 4, 17)
    assert without.origin["night"] == "path"
    assert with_time.night is not None and with_time.night.year in (2024, 2025)


@pytest.mark.parametrize(
    ("name", "longitude", "night"),
    [
        ("2025-06-01T03-12/x.fits", -110.0, 31),  # 19:52 of the evening before
        ("2025-06-01T03-12/x.fits", 11.0, 31),
        ("2025-06-01T21-12/x.fits", 11.0, 1),
        ("flat_2025-06-01_03-12-40.fits", 11.0, 31),
        ("Bias_BIN1_20250601_025309.fits", -105.8, 31),
        ("2025-06-01T031240Z_flat.fits", 150.0, 1),  # 13:12 there, and it says UTC
        ("2025-06-01T03-12/x.fits", 150.0, 31),  # noon as UTC, night as local time
        ("2025-06-01_0012.fits", 11.0, 1),  # a number, no time
        ("2025-06-01T25-12/x.fits", 11.0, 1),  # no time of any clock
        ("2025-06-01/flat_0312.fits", 11.0, 1),
        ("20250601/x.fits", 11.0, None),
    ],
)
def test_a_time_in_a_name_decides_the_night_as_a_card_would(
    tmp_path: Path, name: str, longitude: float, night: int | None
) -> None:
    header = frame(tmp_path, name=name, SITELONG=longitude)

    assert header.observed_utc is None
    if night is None:
        assert header.night is None
    else:
        assert header.night == date(2025, 6 if night == 1 else 5, night)
        assert header.origin["night"].startswith("path")
    assert load_header(header.path, dump_header(header)) == header


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("v_slit_red_1.fits", None),
        ("red_dwarf_sequence.fits", None),
        ("blue_lamp_001.fits", None),
        ("Red/x.fits", "Red"),
        ("flat_red_001.fits", "red"),
        ("flat-Blue-003.fits", "Blue"),
        ("M31_300s_Green.fits", "Green"),
        ("M31_Red_001.fits", "Red"),
        ("NGC7000_Ha.fits", "Ha"),
        ("2025-06-01_Sloan-g_x.fits", "Sloan-g"),
        ("bored_x.fits", None),
    ],
)
def test_a_colour_in_a_name_is_a_filter_in_the_place_of_one_only(
    tmp_path: Path, name: str, wanted: str | None
) -> None:
    bare = frame(tmp_path, name=name)
    written = frame(tmp_path, name=f"2/{name}", FILTER="longpass")

    assert bare.filter == wanted
    assert written.filter == "longpass"
    assert bool(written.notes) == (wanted is not None)


def test_colour_planes_are_counted(tmp_path: Path) -> None:
    header = read_header(write_frame(tmp_path / "x.fits", shape=(3, 4, 6)))

    assert (header.shape, header.planes) == ((4, 6), 3)


def test_what_a_series_shares_is_not_mixed_up_between_files(tmp_path: Path) -> None:
    ha = frame(tmp_path, name="a.fits", FILTER="Ha", DATE__OBS="2026-01-01T01:00:00")
    again = frame(tmp_path, name="b.fits", FILTER="Ha", DATE__OBS="2026-01-01T02:00:00")
    oiii = frame(tmp_path, name="c.fits", FILTER="O3", DATE__OBS="2026-01-01T02:00:00")

    assert (ha.filter, again.filter, oiii.filter) == ("Ha", "Ha", "O3")
    assert ha.observed_utc != again.observed_utc
    assert ha.origin == again.origin
    assert ha.origin is not again.origin


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ({"BUNIT": "adu"}, ""),
        ({"BUNIT": "ADU", "UNIT": "electron"}, ""),
        ({"UNIT": "electron"}, "e\u207b"),
        ({"BUNIT": "electrons / s"}, "e\u207b/s"),
        ({"BUNIT": "ELECTRONS/S"}, "e\u207b/s"),
        ({"BUNIT": "adu/s"}, "ADU/s"),
        ({"BUNIT": "counts"}, ""),
        ({"BUNIT": ""}, ""),
        ({"BUNIT": "Jy"}, ""),
    ],
)
def test_the_unit_of_the_pixels(tmp_path: Path, values: dict[str, str], unit: str) -> None:
    assert frame(tmp_path, [card(k, v) for k, v in values.items()]).unit == unit
