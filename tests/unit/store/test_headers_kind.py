"""Kinds, masters and earlier calibrations (RULES 1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibstudio.domain.header import FrameHeader
from calibstudio.store.headers import read_header
from calibstudio.store.kind_words import kind_from_word
from tests.helpers.frames import card, write_frame


def frame(folder: Path, name: str = "x.fits", **values: object) -> FrameHeader:
    return read_header(write_frame(folder / name, **values))


@pytest.mark.parametrize(
    ("word", "kind", "is_master"),
    [
        ("Bias Frame", "bias", False),
        ("BIAS", "bias", False),
        ("Zero", "bias", False),
        ("offset", "bias", False),
        ("Dark Frame", "dark", False),
        ("dark", "dark", False),
        ("Flat Field", "flat", False),
        ("Flat Frame", "flat", False),
        ("SKYFLAT", "flat", False),
        ("sky flat", "flat", False),
        ("DOMEFLAT", "flat", False),
        ("Twilight", "flat", False),
        ("Flatlamp", "flat", False),
        ("FLAT,SKY", "flat", False),
        ("LAMP,FLAT", "flat", False),
        ("DARKFLAT", "dark flat", False),
        ("Dark Flat", "dark flat", False),
        ("FlatDark", "dark flat", False),
        ("flat-dark", "dark flat", False),
        ("FLAT_DARK", "dark flat", False),
        ("Light Frame", "light", False),
        ("LIGHT", "light", False),
        ("object", "light", False),
        ("EXPOSE", "light", False),
        ("science frame", "light", False),
        ("Master Dark", "dark", True),
        ("MASTER DARK FLAT", "dark flat", True),
        ("MasterFlat", "flat", True),
        ("masterBias", "bias", True),
        ("Superbias", "bias", True),
        ("Tricolor Image", "tricolor", False),
        ("ARC", "arc", False),
        ("Arc Lamp", "arc lamp", False),
        ("SNAPSHOT", "snapshot", False),
        ("'Flat    '", "flat", False),
    ],
)
def test_a_word_means_its_kind(word: str, kind: str, is_master: bool) -> None:
    found = kind_from_word(word)

    assert found is not None
    assert found[:2] == (kind, is_master)


@pytest.mark.parametrize("word", ["", "Frame", "   ", "''", "Image"])
def test_a_word_that_says_nothing_is_no_kind(word: str) -> None:
    assert kind_from_word(word) is None


def test_keywords_are_asked_in_their_order(tmp_path: Path) -> None:
    header = frame(tmp_path, OBSTYPE="FLAT", FRAME="Dark")

    assert header.kind == "dark"
    assert header.origin["kind"] == "FRAME card"
    assert header.notes == ("FRAME says dark, OBSTYPE says flat. FRAME is used.",)


def test_a_coordinate_frame_is_no_kind_of_frame(tmp_path: Path) -> None:
    header = frame(tmp_path, FRAME="FK5", OBSTYPE="OBJECT")

    assert header.kind == "light"
    assert header.origin["kind"] == "OBSTYPE card"
    assert header.notes == ()


@pytest.mark.parametrize(("code", "kind"), [(1, "light"), (2, "bias"), (3, "dark"), (4, "flat")])
def test_ccdsoft_counts_its_kinds(tmp_path: Path, code: int, kind: str) -> None:
    assert frame(tmp_path, PICTTYPE=code).kind == kind


def test_eso_says_its_kind_in_a_hierarch_card(tmp_path: Path) -> None:
    cards = ["HIERARCH ESO DPR TYPE = 'FLAT,SKY'"]

    assert read_header(write_frame(tmp_path / "x.fits", cards)).kind == "flat"


def test_a_word_that_nobody_knows_is_kept_as_the_frames_own(tmp_path: Path) -> None:
    assert frame(tmp_path, IMAGETYP="Pinhole Mask").kind == "pinhole mask"
    assert frame(tmp_path, "y.fits", OBSTYPE="SPECTROSCOPIC").kind == "spectroscopic"


def test_a_word_that_nobody_knows_gives_way_to_one_that_is_known(tmp_path: Path) -> None:
    header = frame(tmp_path, IMAGETYP="EXT", OBSTYPE="DARK")

    assert header.kind == "dark"
    assert "ext" in header.notes[0]


def test_without_any_word_the_kind_is_unknown(tmp_path: Path) -> None:
    header = frame(tmp_path, EXPTIME=10.0)

    assert header.kind is None
    assert header.kind_word is None
    assert "kind" not in header.origin


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dark_300s_001.fits", "dark"),
        ("Darks/img_001.fits", "dark"),
        ("FlatDarks/img_001.fits", "dark flat"),
        ("dark flats/img_001.fits", "dark flat"),
        ("DARK_FLAT_3.2s.fits", "dark flat"),
        ("dark_for_flat_3.2s.fits", "dark flat"),
        ("darks and flats/Bias_001.fits", "bias"),
        ("flat_panel_dark/Flat_001.fits", "flat"),
        ("2026-01-01/Flat Ha/img.fits", "flat"),
        ("skyflat-03.fit", "flat"),
        ("bias-0001.fits", "bias"),
        ("Offset/img_3.fits", "bias"),
        ("Lights/M31/M31_003.fits", "light"),
        ("SuperBias.fits", "bias"),
        ("zero001.fits", "bias"),
    ],
)
def test_names_fill_the_gap(tmp_path: Path, name: str, kind: str) -> None:
    header = frame(tmp_path, name)

    assert header.kind == kind
    assert header.origin["kind"] == "path"


@pytest.mark.parametrize(
    "name",
    [
        "gain100_offset30.fits",
        "M31_offset_50_001.fits",
        "darkroom.fits",
        "flatiron.fits",
        "x.fits",
        "darks and flats/001.fits",
        "DarkNebula_Light_001.fits",
        "flat_panel_dark_001.fits",
    ],
)
def test_a_setting_half_a_word_or_two_kinds_in_a_name_are_no_kind(
    tmp_path: Path, name: str
) -> None:
    assert frame(tmp_path, name).kind is None


def test_only_the_nearest_folders_are_asked(tmp_path: Path) -> None:
    assert frame(tmp_path, "dark/a/b/c/x.fits").kind is None
    assert frame(tmp_path, "dark/a/b/x.fits").kind == "dark"
    assert frame(tmp_path, "dark/flat/b/x.fits").kind == "flat"


def test_header_and_names_that_disagree_are_shown_and_the_header_wins(tmp_path: Path) -> None:
    header = frame(tmp_path, "flat-001.fits", IMAGETYP="Light Frame")
    in_folder = frame(tmp_path, "Flats/x.fits", IMAGETYP="Dark")

    assert header.kind == "light"
    assert header.path_kind == "flat"
    assert header.notes == ("Header says light, file name says flat. The header is used.",)
    assert in_folder.notes == ("Header says dark, folder says flat. The header is used.",)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"IMAGETYP": "Master Dark"}, "a.fits"),
        ({"IMAGETYP": "dark", "NCOMBINE": 20}, "a.fits"),
        ({"IMAGETYP": "dark", "STACKCNT": 5}, "a.fits"),
        ({"IMAGETYP": "dark", "SNAPSHOT": 5}, "a.fits"),
        ({"IMAGETYP": "dark", "COMBINED": True}, "a.fits"),
        ({"IMAGETYP": "dark", "IMCMB001": "d1.fits"}, "a.fits"),
        ({"IMAGETYP": "dark"}, "MasterDark_300s.fits"),
        ({"IMAGETYP": "dark"}, "master_dark.fits"),
        ({"CALFRAME": "MasterDark"}, "a.fits"),
    ],
)
def test_masters_are_known_by_word_count_or_name(
    tmp_path: Path, values: dict[str, object], name: str
) -> None:
    header = frame(tmp_path, name, **values)

    assert header.is_master
    assert header.kind_word == "master dark"


@pytest.mark.parametrize("values", [{"NCOMBINE": 1}, {"STACKCNT": 0}, {"COMBINED": False}])
def test_a_count_of_one_is_no_master(tmp_path: Path, values: dict[str, object]) -> None:
    assert not frame(tmp_path, IMAGETYP="dark", **values).is_master


def test_pixinsight_says_in_its_history_how_many_went_in(tmp_path: Path) -> None:
    cards = [card("IMAGETYP", "dark"), "HISTORY ImageIntegration.numberOfImages: 238"]

    assert read_header(write_frame(tmp_path / "x.fits", cards)).is_master


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ([card("CALSTAT", "BDF")], "bias taken out, dark taken out, flat divided out (CALSTAT)"),
        ([card("CALSTAT", "D")], "dark taken out (CALSTAT)"),
        ([card("SUBBIAS", "ccd=<CCDData>")], "bias taken out (SUBBIAS)"),
        ([card("ZEROCOR", "Dec  2 12:01 Zero level correction")], "bias taken out (ZEROCOR)"),
        ([card("DARKCORR", "COMPLETE")], "dark taken out (DARKCORR)"),
        (["HISTORY Auto Dark Subtraction"], "dark taken out (HISTORY)"),
        (["HISTORY  Flat Field (Flat SII 1, SII, Bin1 x 1)"], "flat divided out (HISTORY)"),
        (["HISTORY ImageCalibration.masterDark.fileName: d.xisf"], "dark taken out (HISTORY)"),
        ([card("DARKSUB", True)], "dark taken out (DARKSUB)"),
    ],
)
def test_an_earlier_calibration_is_said(tmp_path: Path, cards: list[str], words: str) -> None:
    header = read_header(write_frame(tmp_path / "x.fits", [card("IMAGETYP", "LIGHT"), *cards]))

    assert header.calibrated == words
    assert any(words in note for note in header.notes)


@pytest.mark.parametrize(
    "cards",
    [
        [card("CALSTAT", "")],
        [card("BIASCORR", "PERFORM")],
        [card("DARKCORR", "OMIT")],
        [card("SUBBIAS", False)],
        [card("PEDESTAL", 0)],
        ["HISTORY ImageCalibration.masterBias.enabled: false"],
        ["HISTORY File was processed by PinPoint 6.1.3"],
        ["HISTORY Taken with the flat panel at 30 percent"],
    ],
)
def test_what_is_only_planned_or_named_is_no_calibration(tmp_path: Path, cards: list[str]) -> None:
    header = read_header(write_frame(tmp_path / "x.fits", [card("IMAGETYP", "LIGHT"), *cards]))

    assert header.calibrated == ""


def test_a_pedestal_is_undone_as_its_writer_meant_it(tmp_path: Path) -> None:
    maxim = frame(tmp_path, PEDESTAL=-100, SWCREATE="MaxIm DL Version 6.50")
    pixinsight = read_header(
        write_frame(
            tmp_path / "p.fits",
            [card("PEDESTAL", 150, "Value in DN added to enforce positivity")],
        )
    )

    assert maxim.pedestal_adu == -100.0
    assert pixinsight.pedestal_adu == -150.0
    assert "to undo it" in maxim.notes[0]
