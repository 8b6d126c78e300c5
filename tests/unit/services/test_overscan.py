"""The overscan is taken out as ccdproc defines it, and sections that cannot be are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.overscan import (
    IfWrong,
    OverscanLevel,
    OverscanOf,
    OverscanSettings,
    Section,
    SectionError,
    make_plan,
    parse_section,
)
from calibstudio.domain.recipe import Rejection, StackSettings
from calibstudio.services.judge import judge_files
from calibstudio.services.overscan import OverscanError, open_treated, read_treated
from calibstudio.services.stack import stack_files
from calibstudio.services.stack_summary import summary
from calibstudio.store.headers import read_header

NY, NX, NB = 60, 80, 12
MEDIAN = OverscanSettings(OverscanLevel.MEDIAN, trim=True)
MEAN = StackSettings(reject=Rejection.NONE, min_keep=1)
BIAS, DATA = f"[{NX + 1}:{NX + NB},1:{NY}]", f"[1:{NX},1:{NY}]"


def frame(seed: int = 1, *, light: float = 0.0) -> np.ndarray:
    """Raw pixels with a level that bends from row to row, and an overscan at the right."""
    rng = np.random.default_rng(seed)
    level = 1000 + 30 * np.sin(np.arange(NY) / 9)[:, None]
    raw = rng.normal(level, 4.0, (NY, NX + NB))
    raw[:, :NX] += light
    return np.rint(raw).astype(np.uint16)


def write(path: Path, data: np.ndarray, **cards: object) -> Path:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("[1:10,1:5]", Section(0, 5, 0, 10)),
        ("[  17: 52 ,   1: 20]", Section(0, 20, 16, 52)),
        ("[*,3:5]", Section(2, 5, 0, 60)),
        ("[:,3:]", Section(2, 40, 0, 60)),
        ("[52:17,20:1]", Section(0, 20, 16, 52)),
        ("[7,*]", Section(0, 40, 6, 7)),
    ],
)
def test_sections_are_read(text: str, section: Section) -> None:
    assert parse_section(text, (40, 60), "BIASSEC") == section


@pytest.mark.parametrize(
    "text",
    ["", "[1:10]", "[4096:4109]", "[1:61,1:5]", "[0:5,1:5]", "1:5,1:5", "[a:b,1:2]", "[1:5,1:41]"],
)
def test_what_is_no_section_is_said(text: str) -> None:
    with pytest.raises(SectionError, match="TRIMSEC"):
        parse_section(text, (40, 60), "TRIMSEC")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (MEDIAN, lambda o: np.median(o, axis=1)[:, None]),
        (OverscanSettings(OverscanLevel.MEAN, trim=True), lambda o: np.mean(o, axis=1)[:, None]),
        (OverscanSettings(OverscanLevel.MEDIAN, OverscanOf.WHOLE, trim=True), np.median),
        (OverscanSettings(OverscanLevel.MEAN, OverscanOf.WHOLE, trim=True), np.mean),
    ],
)
def test_levels_are_those_of_ccdproc(settings, expected, tmp_path: Path) -> None:
    raw = frame()
    path = write(tmp_path / "a.fits", raw, BIASSEC=BIAS, TRIMSEC=DATA)

    got = read_treated(path, "", settings)

    overscan = raw[:, NX:].astype(np.float64)
    np.testing.assert_array_equal(got, (raw[:, :NX] - expected(overscan)).astype(np.float32))


def test_a_polynomial_is_fitted_to_the_medians(tmp_path: Path) -> None:
    raw = frame()
    path = write(tmp_path / "a.fits", raw, BIASSEC=BIAS, DATASEC=DATA)

    got = read_treated(path, "", OverscanSettings(OverscanLevel.FIT, order=3, trim=True))

    rows = np.arange(NY, dtype=float)
    medians = np.median(raw[:, NX:], axis=1)
    model = np.polyval(np.polyfit(rows, medians, 3), rows)
    np.testing.assert_allclose(got, raw[:, :NX] - model[:, None], atol=1e-3)


def test_without_trim_the_whole_picture_stays(tmp_path: Path) -> None:
    raw = frame()
    path = write(tmp_path / "a.fits", raw, BIASSEC=BIAS, TRIMSEC=DATA)

    got = read_treated(path, "", OverscanSettings(OverscanLevel.MEDIAN))
    level = np.median(raw[:, NX:].astype(float), axis=1)[:, None]
    np.testing.assert_array_equal(got, (raw - level).astype(np.float32))
    only_cut = read_treated(path, "", OverscanSettings(trim=True))
    np.testing.assert_array_equal(only_cut, raw[:, :NX])


def test_an_overscan_above_gives_columns_their_level(tmp_path: Path) -> None:
    raw = np.ascontiguousarray(frame().T)
    path = write(tmp_path / "a.fits", raw, BIASSEC=f"[*,{NX + 1}:{NX + NB}]", TRIMSEC=f"[*,1:{NX}]")
    got = read_treated(path, "", MEDIAN)
    expected = raw[:NX] - np.median(raw[NX:].astype(float), axis=0)
    np.testing.assert_array_equal(got, expected.astype(np.float32))


def test_bands_are_cuts_of_the_whole(tmp_path: Path) -> None:
    raw = frame()
    path = write(tmp_path / "a.fits", raw, BIASSEC=BIAS, TRIMSEC=f"[3:{NX},5:{NY - 2}]")
    whole = read_treated(path, "", MEDIAN)
    with open_treated(path, "", MEDIAN) as rows:
        assert rows.shape == whole.shape == (NY - 6, NX - 2)
        for a, b in ((0, 1), (3, 17), (17, NY - 6), (9, 9)):
            np.testing.assert_array_equal(rows.read_rows(a, b), whole[a:b])


def test_amplifiers_in_one_picture_are_put_together(tmp_path: Path) -> None:
    """Two read-outs: data, overscan, overscan, data; each has its own level."""
    left, right = frame(1), frame(2) + np.uint16(500)
    raw = np.hstack([left, right[:, ::-1]])
    n = NX + NB
    cards = {
        "DATASEC1": f"[1:{NX},1:{NY}]",
        "BIASSEC1": f"[{NX + 1}:{n},1:{NY}]",
        "DATASEC2": f"[{n + NB + 1}:{2 * n},1:{NY}]",
        "BIASSEC2": f"[{n + 1}:{n + NB},1:{NY}]",
    }
    got = read_treated(write(tmp_path / "a.fits", raw, **cards), "", MEDIAN)

    expected = np.hstack(
        [
            left[:, :NX] - np.median(left[:, NX:].astype(float), axis=1)[:, None],
            (right[:, :NX] - np.median(right[:, NX:].astype(float), axis=1)[:, None])[:, ::-1],
        ]
    )
    assert got.shape == (NY, 2 * NX)
    only_cut = read_treated(tmp_path / "a.fits", "", OverscanSettings(trim=True))
    np.testing.assert_array_equal(only_cut[:, :NX], left[:, :NX])
    np.testing.assert_array_equal(got, expected.astype(np.float32))


def test_sections_of_an_extension_are_its_own(tmp_path: Path) -> None:
    first, second = frame(1), np.ascontiguousarray(frame(2)[:, ::-1])
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(first, name="A"), fits.ImageHDU(second, name="B")]
    hdus[1].header.update(BIASSEC=BIAS, DATASEC=DATA)
    hdus[2].header.update(BIASSEC=f"[1:{NB},*]", DATASEC=f"[{NB + 1}:{NX + NB},*]")
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")

    for name, raw, data, bias in (
        ("A", first, np.s_[:, :NX], np.s_[:, NX:]),
        ("B", second, np.s_[:, NB:], np.s_[:, :NB]),
    ):
        expected = raw[data] - np.median(raw[bias].astype(float), axis=1)[:, None]
        got = read_treated(tmp_path / "a.fits", name, MEDIAN)
        np.testing.assert_array_equal(got, expected.astype(np.float32))


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({}, "where its overscan is"),
        ({"BIASSEC": BIAS}, "where its data is"),
        ({"BIASSEC": "[4096:4109]", "TRIMSEC": DATA}, "no section of a picture"),
        (
            {"BIASSEC": f"[{NX + 1}:{NX + NB + 1},1:{NY}]", "TRIMSEC": DATA},
            "outside of its 92 × 60",
        ),
        ({"BIASSEC": f"[{NX - 3}:{NX + NB},1:{NY}]", "TRIMSEC": DATA}, "lies in its data"),
        ({"BIASSEC": f"[{NX + 1}:{NX + NB},1:20]", "TRIMSEC": DATA}, "neither all rows nor all"),
    ],
)
def test_sections_that_cannot_be_are_named(cards: dict, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", frame(), **cards)
    with pytest.raises(OverscanError, match=said) as caught:
        read_treated(path, "", MEDIAN)
    assert str(path) in str(caught.value)
    assert "overscan.bias" in caught.value.hint


@pytest.mark.parametrize(
    ("cards", "light", "said"),
    [
        # One column too far to the left: it is lit.
        (
            {"BIASSEC": f"[{NX}:{NX + NB},1:{NY}]", "TRIMSEC": f"[1:{NX - 1},*]"},
            900,
            "reaches into",
        ),
        # Exchanged.
        ({"BIASSEC": f"[1:{NX},*]", "TRIMSEC": f"[{NX + 1}:{NX + NB},*]"}, 900, "brighter than"),
    ],
)
def test_a_level_that_is_no_bias_level(
    cards: dict, light: float, said: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.fits", frame(light=light), **cards)
    with pytest.raises(OverscanError, match=said):
        read_treated(path, "", MEDIAN)


def test_charge_that_trails_into_the_overscan_is_no_reason(tmp_path: Path) -> None:
    """0.5 % of a bright flat in its first column: the median of each row does not see it."""
    raw = frame(light=20_000)
    raw[:, NX] += 100
    path = write(tmp_path / "a.fits", raw, BIASSEC=BIAS, TRIMSEC=DATA)
    got = read_treated(path, "", MEDIAN)
    assert np.median(got) == pytest.approx(20_000, abs=2)


def test_qc_measures_the_data_alone(tmp_path: Path) -> None:
    """An overscan beside a flat is no gradient, and not its level."""
    said = {"IMAGETYP": "FLAT", "EXPTIME": 1.0, "BIASSEC": BIAS, "TRIMSEC": DATA}
    path = write(tmp_path / "a.fits", frame(light=20_000), **said)
    (assessment,) = judge_files(JobContext(), [read_header(path)]).values()
    assert assessment.value("level") == pytest.approx(21_000, abs=30)
    assert assessment.value("minimum") > 20_000
    fits.setval(path, "TRIMSEC", value="[1:9999,1:2]")
    (whole,) = judge_files(JobContext(), [read_header(path)]).values()
    assert whole.value("minimum") < 1_100


def test_an_overscan_that_the_camera_filled_in(tmp_path: Path) -> None:
    raw = frame()
    raw[:, NX:] = 0
    path = write(tmp_path / "a.fits", raw, BIASSEC=BIAS, TRIMSEC=DATA)
    with pytest.raises(OverscanError, match="zero everywhere"):
        read_treated(path, "", MEDIAN)


def test_sections_given_by_hand_go_before_the_header(tmp_path: Path) -> None:
    raw = frame()
    path = write(tmp_path / "a.fits", raw, BIASSEC="[1:2]")
    settings = OverscanSettings(OverscanLevel.MEDIAN, trim=True, bias=BIAS, data=f"[2:{NX},*]")
    expected = raw[:, 1:NX] - np.median(raw[:, NX:].astype(float), axis=1)[:, None]
    np.testing.assert_array_equal(read_treated(path, "", settings), expected.astype("f4"))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        OverscanSettings(OverscanLevel.FIT, order=30)
    with pytest.raises(ValueError, match="of must be row"):
        OverscanSettings(OverscanLevel.FIT, OverscanOf.WHOLE)
    with pytest.raises(ValueError, match="bias is"):
        OverscanSettings(OverscanLevel.MEAN, bias="left")


def test_data_that_makes_no_rectangle_is_refused() -> None:
    said = {"DATASEC1": "[1:10,1:10]", "BIASSEC1": "[21:24,1:20]", "DATASEC2": "[11:20,11:20]",
            "BIASSEC2": "[25:28,1:20]"}  # fmt: skip
    with pytest.raises(SectionError, match="no whole picture"):
        make_plan(said.get, (20, 30), MEDIAN)


def stack_of(folder: Path, n: int = 5, **cards: object) -> list[Path]:
    said = {"BIASSEC": BIAS, "TRIMSEC": DATA, **cards}
    return [write(folder / f"{i}.fits", frame(i + 1), **said) for i in range(n)]


def treated(i: int) -> np.ndarray:
    raw = frame(i + 1).astype(np.float64)
    return (raw[:, :NX] - np.median(raw[:, NX:], axis=1)[:, None]).astype(np.float32)


def test_a_stack_of_trimmed_frames(tmp_path: Path) -> None:
    paths = stack_of(tmp_path, BAYERPAT="RGGB", XBAYROFF=1, YBAYROFF=0)
    report = stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN, overscan=MEDIAN)

    with fits.open(tmp_path / "out.fits") as hdus:
        expected = np.mean([treated(i) for i in range(5)], axis=0, dtype=np.float64)
        np.testing.assert_allclose(hdus[0].data, expected, atol=2e-5)
        cards = hdus[0].header
        assert cards["OVERSCAN"] == "median of each row taken out, trimmed"
        assert cards["OVSCLEV"] == pytest.approx(1000, abs=10)
        assert cards["TRIMMED"] == f"[1:{NX},1:{NY}]"
        assert "TRIMSEC" not in cards
        assert (cards["XBAYROFF"], cards["YBAYROFF"]) == (1, 0)
    assert "median of each row taken out, trimmed" in summary(report)


def test_colours_begin_where_the_kept_part_begins(tmp_path: Path) -> None:
    paths = stack_of(tmp_path, BAYERPAT="RGGB", TRIMSEC=f"[4:{NX},3:{NY}]")
    stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN, overscan=MEDIAN)
    cards = fits.getheader(tmp_path / "out.fits")
    assert (cards["BAYERPAT"], cards["XBAYROFF"], cards["YBAYROFF"]) == ("RGGB", 1, 0)


@pytest.mark.parametrize("wrong", [{"BIASSEC": "[1:2]"}, {"BIASSEC": f"[{NX}:{NX + NB},*]"}])
def test_a_frame_with_wrong_sections_is_left_out_or_all_are_untrimmed(
    wrong: dict, tmp_path: Path
) -> None:
    paths = stack_of(tmp_path, 4)
    bad = write(tmp_path / "bad.fits", frame(9, light=800), TRIMSEC=DATA, **wrong)
    report = stack_files(JobContext(), [*paths, bad], tmp_path / "out.fits", MEAN, overscan=MEDIAN)
    assert report.used == tuple(paths)
    assert [s.path for s in report.skipped] == [bad]
    expected = np.mean([treated(i) for i in range(4)], axis=0, dtype=np.float64)
    np.testing.assert_allclose(fits.getdata(tmp_path / "out.fits"), expected, atol=2e-5)

    plain = replace(MEDIAN, if_wrong=IfWrong.UNTRIMMED)
    report = stack_files(JobContext(), [*paths, bad], tmp_path / "raw.fits", MEAN, overscan=plain)
    assert report.n_frames == 5
    assert "untrimmed" in report.skipped[0].message
    assert fits.getdata(tmp_path / "raw.fits").shape == (NY, NX + NB)


def test_frames_whose_data_lies_elsewhere_are_left_out(tmp_path: Path) -> None:
    paths = stack_of(tmp_path, 3)
    other = write(tmp_path / "x.fits", frame(7), BIASSEC=f"[1:{NB},*]", TRIMSEC=f"[{NB + 1}:92,*]")
    report = stack_files(
        JobContext(),
        [*paths, other],
        tmp_path / "out.fits",
        MEAN,
        overscan=OverscanSettings(trim=True),
    )
    assert report.used == tuple(paths)
    assert "elsewhere" in report.skipped[0].message


def test_a_stack_where_no_frame_has_sections_says_so(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.fits", frame(i)) for i in range(3)]
    with pytest.raises(FileProblemError, match="BIASSEC"):
        stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN, overscan=MEDIAN)
    assert not (tmp_path / "out.fits").exists()
