"""Master files: any FITS program opens them, and everything is read back from the file alone."""

from __future__ import annotations

import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from calibstudio.domain.errors import FileProblemError, WriteProblemError
from calibstudio.domain.master import InputRecord, UsedMaster
from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict
from calibstudio.store.master_fits import write_master
from calibstudio.store.master_read import header_of, read_master
from calibstudio.store.publish import sha256_of
from tests.helpers.masters import ASSESSMENT, START, make_content, make_detector


def test_astropy_opens_a_master_and_finds_the_contract(tmp_path: Path) -> None:
    detector = make_detector()

    written = write_master(tmp_path / "m.fits", make_content(), [detector])

    assert written.new
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(written.path, checksum=True) as hdus:
            assert [h.name for h in hdus] == ["PRIMARY", "UNC", "CNT", "INPUTS", "QC", "FINDINGS"]
            header = hdus[0].header
            np.testing.assert_array_equal(hdus[0].data, detector.image)
            np.testing.assert_array_equal(hdus["UNC"].data, detector.unc)
            np.testing.assert_array_equal(hdus["CNT"].data, detector.cnt)
            assert hdus[0].data.dtype == ">f4"
            table = hdus["INPUTS"].data
            assert list(table["FILE"])[:2] == ["dark 0.fits", "dark 1.fits"]
            assert list(table["USED"]) == [True] * 4 + [False]
            assert table["SHA256"][2] == f"{2:064x}"
            assert all("CHECKSUM" in h.header and "DATASUM" in h.header for h in hdus)
    expected = {
        "IMAGETYP": "Master Dark Flat",
        "INSTRUME": "Kamera Zwolf",
        "FILTER": "Ha",
        "EXPTIME": 10.0,
        "GAIN": 100,
        "OFFSET": 8,
        "CCD-TEMP": -25.015,
        "CCD-TMIN": -25.03,
        "CCD-TMAX": -25.0,
        "XBINNING": 2,
        "XORGSUBF": 4,
        "YPIXSZ": 7.52,
        "NIGHT": "2025-05-31",
        "ROWORDER": "TOP-DOWN",
        "SITELAT": 32.78,
        "NFRAMES": 5,
        "NCOMBINE": 4,
        "COMBTYPE": "mean",
        "REJTYPE": "mad",
        "REJLOW": 5.0,
        "NORMTYPE": "none",
        "BUNIT": "adu",
        "BIASSUB": False,
        "DARKSUB": False,
        "CAL_BIAS": "master_bias.fits",
        "CALBSHA": "a" * 64,
        "INFOBITS": 1,
        "QCFLAG": "WARN",
        "QCM001": 1355.25,
        "CAL_SOFT": "CalibStudio 0.1.0",
        "DATE-OBS": "2025-06-01T02:53:09.120000",
        "DATE-END": "2025-06-01T02:53:55.120000",
    }
    assert {k: header[k] for k in expected} == expected
    assert header["MINMJD"] == pytest.approx(Time(START).mjd, abs=1e-10)
    assert header["MAXMJD"] == pytest.approx(Time(START + timedelta(seconds=36)).mjd, abs=1e-10)
    assert header["MIDMJD"] == pytest.approx(Time(START + timedelta(seconds=18)).mjd, abs=1e-10)
    assert list(header["HISTORY"]) == ["4 of 5 frames were combined.", "dark 9.fits was left out."]


def test_everything_is_read_back_from_the_file_alone(tmp_path: Path) -> None:
    content, detector = make_content(), make_detector()
    path = write_master(tmp_path / "m.fits", content, [detector]).path

    master = read_master(path)

    record = master.record
    assert record.sha256 == sha256_of(path)
    assert record.kind == "dark flat"
    assert record.key == content.key
    assert record.values["sensor_temp_c"] == -25.015
    assert record.values["offset"] == 8.0
    assert record.values["shape"] == (6, 8)
    assert (record.n_frames, record.n_combined) == (5, 4)
    assert (record.unit, record.bias_subtracted) == ("adu", False)
    assert record.observed_first_utc == START
    assert record.observed_last_utc == START + timedelta(seconds=36)
    assert record.assessment == ASSESSMENT
    assert record.used == content.used
    assert record.software == "CalibStudio 0.1.0"
    assert master.inputs == content.inputs
    assert master.combined == content.combined
    assert master.history == ("4 of 5 frames were combined.", "dark 9.fits was left out.")
    np.testing.assert_array_equal(master.image(), detector.image)
    np.testing.assert_array_equal(master.plane("UNC"), detector.unc)
    np.testing.assert_array_equal(master.plane("CNT"), detector.cnt)
    assert master.plane("BPM") is None


def test_other_programs_find_plain_words_in_the_tables(tmp_path: Path) -> None:
    path = write_master(tmp_path / "m.fits", make_content(), [make_detector()]).path

    with fits.open(path) as hdus:
        qc, findings, inputs = hdus["QC"].data, hdus["FINDINGS"].data, hdus["INPUTS"].data
        assert list(qc["UNIT"]) == ["ADU", "ADU", "e-/ADU"]
        assert qc["WHY"][1] == "limit 10 ADU"
        assert findings["WHAT"][0] == "Noise 12.9 ADU, limit 10 ADU."
        assert inputs["REASON"][-1] == "Light leak: 30 ADU"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("−10.0\u202f°C · 3.2\u202fe\u207b/ADU ± 0.1", "-10.0 deg C - 3.2 e-/ADU +/- 0.1"),
        ("2 × 3 – “Hα”", '2 x 3 - "Ha"'),
        ("back\\slash \\u202f", "back\\slash \\u202f"),
        ("as it is", "as it is"),
        ("", ""),
    ],
)
def test_a_sentence_is_plain_in_the_table_and_exact_when_read(
    tmp_path: Path, text: str, plain: str
) -> None:
    metric = Metric("level", "Level", None, "ADU", why=text)
    finding = Finding(Verdict.WARN, "level", text, text, "")
    assessment = Assessment((metric, metric), (finding,))
    content = make_content(assessment=assessment)

    path = write_master(tmp_path / "m.fits", content, [make_detector()]).path

    assert fits.getdata(path, "QC")["WHY"][0] == plain
    assert fits.getdata(path, "FINDINGS")["CAUSE"][0] == plain
    assert read_master(path).record.assessment == assessment


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_master(tmp_path / "a" / "m.fits", make_content(), [make_detector()])
    second = write_master(tmp_path / "b" / "m.fits", make_content(), [make_detector()])
    again = write_master(tmp_path / "a" / "m.fits", make_content(), [make_detector()])

    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.new
    assert not again.new


def test_another_master_of_the_same_name_is_refused_and_the_first_kept(tmp_path: Path) -> None:
    path = write_master(tmp_path / "m.fits", make_content(), [make_detector()]).path
    before = path.read_bytes()

    with pytest.raises(WriteProblemError, match="exists already, with other content"):
        write_master(path, make_content(), [make_detector(seed=2)])

    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.fits"]


def test_several_detectors_are_extensions_under_their_own_names(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[2, 3] = 1
    detectors = [
        make_detector("GREEN_CCD", 1, normval=(19_950.5,), cards=(("RDNOISE", 3.9, "[e-]"),)),
        make_detector("red ccd", 2, bpm=mask, normval=(1.0, 2.0, 3.0, 4.0)),
    ]

    path = write_master(tmp_path / "m.fits", make_content(kind="flat", unit=""), detectors).path

    with fits.open(path) as hdus:
        names = [h.header.get("EXTNAME", "") for h in hdus][:8]
        assert hdus[0].data is None
        assert hdus[1].header["NORMVAL"] == 19_950.5
        assert hdus[1].header["RDNOISE"] == 3.9
        assert hdus[4].header["NORMVAL3"] == 3.0
        assert hdus[0].header["BUNIT"] == ""
    assert names == [
        "",
        "GREEN_CCD",
        "GREEN_CCD_UNC",
        "GREEN_CCD_CNT",
        "red ccd",
        "red ccd_UNC",
        "red ccd_CNT",
        "red ccd_BPM",
    ]
    master = read_master(path)
    assert master.detectors == ("GREEN_CCD", "red ccd")
    assert master.normval == {"GREEN_CCD": (19_950.5,), "red ccd": (1.0, 2.0, 3.0, 4.0)}
    np.testing.assert_array_equal(master.image("red ccd"), detectors[1].image)
    np.testing.assert_array_equal(master.plane("BPM", "red ccd"), mask)
    assert master.plane("BPM") is None


def test_the_masters_that_went_in_are_named_as_what_they_are(tmp_path: Path) -> None:
    used = (
        UsedMaster("dark flat", "df1.fits", "1" * 64),
        UsedMaster("dark flat", "df2.fits", "2" * 64),
        UsedMaster("bias", "b.fits", "3" * 64),
    )
    path = write_master(tmp_path / "m.fits", make_content(used=used), [make_detector()]).path

    header = fits.getheader(path)

    assert (header["CAL_DARK"], header["CALDSHA"], header["CALDKIND"]) == (
        "df1.fits",
        "1" * 64,
        "dark flat",
    )
    assert header["CAL_DAR2"] == "df2.fits"
    assert set(read_master(path).record.used) == set(used)


def test_a_master_without_times_or_measurements_is_written_and_read(tmp_path: Path) -> None:
    inputs = (InputRecord("a.fits", "0" * 64), InputRecord("b.fits", "1" * 64))
    content = make_content(inputs=inputs, assessment=Assessment(), history=(), key={}, values={})

    master = read_master(write_master(tmp_path / "m.fits", content, [make_detector()]).path)

    assert master.record.observed_first_utc is None
    assert master.record.verdict is Verdict.GOOD
    assert master.inputs == inputs
    assert master.record.key == {}


def test_more_than_32767_values_are_counted_too(tmp_path: Path) -> None:
    count = np.full((6, 8), 40_000, dtype=np.uint16)

    path = write_master(tmp_path / "m.fits", make_content(), [make_detector(cnt=count)]).path

    assert int(fits.getdata(path, "CNT").max()) == 40_000


def test_very_long_words_stay_whole(tmp_path: Path) -> None:
    values = {"camera": "C" * 200, "filter": "it's " * 20}
    content = make_content(key=dict(values), values=dict(values))

    record = read_master(write_master(tmp_path / "m.fits", content, [make_detector()]).path).record

    assert record.values["camera"] == "C" * 200
    assert record.key == values


@pytest.mark.parametrize("damage", ["cut", "foreign", "text", "gone"])
def test_what_is_no_master_of_ours_is_said(tmp_path: Path, damage: str) -> None:
    path = write_master(tmp_path / "m.fits", make_content(), [make_detector()]).path
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:12_000])
    elif damage == "foreign":
        path.unlink()
        fits.PrimaryHDU(np.zeros((4, 4), dtype=np.float32)).writeto(path)
    elif damage == "text":
        path.write_text("not a master")
    else:
        path.unlink()

    with pytest.raises(FileProblemError) as caught:
        read_master(path)

    assert "m.fits" in str(caught.value)
    assert caught.value.hint


def test_the_headers_are_there_to_look_at(tmp_path: Path) -> None:
    path = write_master(tmp_path / "m.fits", make_content(), [make_detector()]).path

    headers = dict(header_of(path))

    assert ("IMAGETYP", "Master Dark Flat", "kind of frame") in headers[""]
    assert "UNC" in headers


def test_planes_of_different_shapes_are_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one shape"):
        write_master(tmp_path / "m.fits", make_content(), [])
