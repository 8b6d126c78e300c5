"""Headers of every real set, against astropy and against what its MANIFEST says."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.services.import_frames import scan
from calibstudio.store.headers import read_header
from calibstudio.store.pixels import image_names

FITS_NAME = re.compile(r"\.(fits?|fts)(\.(gz|bz2|fz))?$", re.IGNORECASE)


def read(folder: Path, pattern: str = "*") -> dict[str, FrameHeader]:
    """Headers of the files of a set, by file name."""
    found = sorted(p for p in folder.rglob(pattern) if p.is_file())
    assert found, folder
    return {p.name: read_header(p) for p in found}


def grouped(folder: Path) -> Grouping:
    result = scan(JobContext(), [folder])
    return group_frames(result.headers, left_out=result.ungrouped, ignored=result.ignored)


def counts(grouping: Grouping) -> dict[tuple[str, Any, Any], int]:
    """Number of frames by kind, exposure and set temperature."""
    return {
        (g.kind, g.key.get("exposure_s"), g.key.get("set_temp_c")): len(g.frames)
        for g in grouping.groups
    }


def fits_files(folder: Path) -> Iterator[Path]:
    yield from sorted(p for p in folder.rglob("*") if FITS_NAME.search(p.name))


def test_every_fits_file_agrees_with_astropy(shared_data: Path) -> None:
    compared = 0
    for path in fits_files(shared_data):
        ours = read_header(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(path) as hdus:
                _compare(path, ours, hdus)
        compared += 1

    assert compared > 110


def test_images_are_named_as_the_pixel_reader_names_them(shared_data: Path) -> None:
    for path in fits_files(shared_data):
        header = read_header(path)
        if header.images and not path.name.startswith("compressed_float"):
            assert header.images == image_names(path), path


def _compare(path: Path, ours: FrameHeader, hdus: Any) -> None:
    images = [h for h in hdus if h.is_image and len(h.shape) >= 2 and 0 not in h.shape]
    if isinstance(hdus[0], fits.GroupsHDU):
        images = []
    assert len(ours.images) == len(images), path
    assert ours.damage == "", path
    if images:
        assert ours.shape == images[0].shape[-2:], path
    header = hdus[0].header.copy()
    for hdu in [h for h in images if h is not hdus[0]][:1]:
        header.extend(hdu.header, unique=True)
    exposure = header.get("EXPTIME")
    if isinstance(exposure, (int, float)):
        assert ours.exposure_s == pytest.approx(float(exposure)), path
        assert ours.origin["exposure_s"] == "EXPTIME card"
    for word, value in (
        ("SET-TEMP", ours.set_temp_c),
        ("CCD-TEMP", ours.sensor_temp_c),
        ("EGAIN", ours.egain_e_per_adu),
        ("OFFSET", ours.offset),
    ):
        said = header.get(word)
        if isinstance(said, (int, float)) and said < 100:
            assert value == pytest.approx(float(said)), (path, word)
    for word, text in (("INSTRUME", ours.camera), ("TELESCOP", ours.telescope)):
        said = header.get(word)
        if isinstance(said, str) and said.strip():
            assert text == " ".join(said.split()), (path, word)
    if isinstance(header.get("XBINNING"), int):
        assert ours.binning == (header["XBINNING"], header["YBINNING"]), path
    when = header.get("DATE-OBS", "")
    if isinstance(when, str) and "T" in when:
        moment = datetime.fromisoformat(when.rstrip("Z")).replace(tzinfo=UTC)
        assert ours.observed_utc == moment, path
    n_combined = header.get("NCOMBINE", header.get("SNAPSHOT", 1))
    assert ours.is_master == (header.get("COMBINED") is True or n_combined > 1), path


def test_a_scan_of_everything_accounts_for_every_file(shared_data: Path) -> None:
    result = scan(JobContext(), [shared_data])
    grouping = group_frames(result.headers, left_out=result.ungrouped, ignored=result.ignored)

    files = {p for p in shared_data.rglob("*") if p.is_file()}
    placed = [p for g in grouping.groups for p in g.frames]
    placed += [item.path for item in (*grouping.ungrouped, *grouping.ignored)]
    assert sorted(placed) == sorted(files)
    assert all(item.reason for item in (*grouping.ungrouped, *grouping.ignored))
    raw = next(i for i in grouping.ungrouped if i.path.name == "CRW.CRW")
    assert raw.reason == "Its kind is unknown: neither header nor names say it."


def test_arcsat_is_one_night_with_one_group_of_flats(shared_data: Path) -> None:
    folder = shared_data / "test-only" / "arcsat_maxim650"

    grouping = grouped(folder)

    assert sorted((g.kind, g.key.get("filter"), len(g.frames)) for g in grouping.groups) == [
        ("bias", None, 5),
        ("dark", None, 5),
        ("flat", "r", 3),
        ("light", "H-Alpha", 1),
        ("light", "r", 1),
    ]
    flats = next(g for g in grouping.groups if g.kind == "flat")
    assert sorted(grouping.headers[p].exposure_s or 0 for p in flats.frames) == [13.59, 13.85, 13.9]
    # 03:02 UTC is the evening of 31 May in New Mexico (SITELONG -105 49 13).
    assert flats.key["night"] == date(2025, 5, 31)
    assert flats.key["set_temp_c"] == -25.0
    assert flats.key["focal_length_mm"] == 4014.0
    dark = next(g for g in grouping.groups if g.kind == "dark")
    assert dark.key["exposure_s"] == 10.0
    for header in grouping.headers.values():
        assert header.gain is None
        assert header.egain_e_per_adu is None
        assert header.pedestal_adu == 0.0
        assert header.readout_mode == "Monochrome"


def test_stl1001e_flats_that_say_light_are_shown_and_not_renamed(shared_data: Path) -> None:
    folder = shared_data / "test-only" / "stl1001e_ccdsoft"

    grouping = grouped(folder)

    assert counts(grouping) == {
        ("bias", None, -10.0): 1,
        ("bias", None, -5.0): 5,
        ("dark", 60.0, -5.0): 5,
        ("dark", 300.0, -5.0): 1,
        ("light", 23.0, -5.0): 3,
    }
    for path, header in grouping.headers.items():
        assert header.egain_e_per_adu == 2.06
        assert header.gain is None
        assert header.saturation_adu == 65535.0
        named_flat = path.name.startswith("flat")
        assert (header.path_kind == "flat") == named_flat
        assert any("file name says flat" in note for note in header.notes) == named_flat


def test_asi174_masters_are_masters_and_say_what_was_done(shared_data: Path) -> None:
    folder = shared_data / "asi174_masters_mit"
    headers = read(folder, "*.fits")

    for name, header in headers.items():
        assert header.is_master
        assert header.kind == name.partition(".")[0]
        assert header.binning == (2, 2)
        assert header.gain == 300.0
        assert header.offset == 1.0
        assert header.bayer is None
        assert header.readout_mode == "Long Exposure Mode"
        assert bool(header.calibrated) == (header.kind == "dark")
    by_exposure = {h.exposure_s: h.sensor_temp_c for h in headers.values()}
    assert by_exposure == {3.2e-05: 33.6, 10.0: 32.0, 3.0: 33.0}
    grouping = grouped(folder)
    assert grouping.groups == ()
    assert all("masters are not stacked again" in u.reason for u in grouping.ungrouped)


def test_bayer_patterns_are_those_of_the_pixels(shared_data: Path) -> None:
    """The pattern that we read names the pixels that are lit where the picture is red."""
    folder = shared_data / "astap_bayer_patterns_mpl2"
    reference = fits.getdata(folder / "bayer_test_pattern v6.fits")
    # In the plain file (RGGB, no offset) the pixel of row 0, column 0 is red.
    red, blue = _lit_alone(reference, 0, 0), _lit_alone(reference, 1, 1)
    assert red.sum() > 100
    assert _overlap(red, blue) < 0.2

    for name, header in read(folder, "*.fits").items():
        assert header.bayer is not None, name
        row, column = divmod(header.bayer.index("R"), 2)
        found = _lit_alone(fits.getdata(header.path), row, column)
        if "bottom-up" in name:
            found = found[::-1]
        assert _overlap(found, red) > 0.7, (name, header.bayer)


def _lit_alone(pixels: NDArray[Any], row: int, column: int) -> NDArray[np.bool_]:
    """Cells of 2 x 2 pixels in which this pixel alone is lit."""
    ny, nx = (n // 2 for n in pixels.shape)
    cells = pixels[: 2 * ny, : 2 * nx].reshape(ny, 2, nx, 2) > 3000
    alone: NDArray[np.bool_] = cells[:, row, :, column] & (cells.sum(axis=(1, 3)) == 1)
    return alone


def _overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def test_liverpool_telescope_writes_kelvin_and_electrons(shared_data: Path) -> None:
    headers = read(shared_data / "lt_sprat_bsd3")

    kinds = {name.split(".")[0]: h.kind_word for name, h in headers.items()}
    assert kinds == {
        "v_a_20180810_13_1_0_1": "arc",
        "v_dark_1": "dark",
        "v_e_20180810_12_1_0_0": "light",
        "v_e_20180810_12_2_0_0": "light",
        "v_s_20180810_27_1_0_0": "standard",
        "v_slit_red_1": "master light",
    }
    for name, header in headers.items():
        assert header.set_temp_c == pytest.approx(213.15 - 273.15)
        assert header.sensor_temp_c == pytest.approx(213.671 - 273.15, abs=0.6)
        if name != "v_dark_1.fits.gz":
            # GAIN = EPERDN = 2.45 is no setting.
            assert header.gain is None
            assert header.egain_e_per_adu == 2.45
            assert header.filter == "4020longpass"
            assert header.site_longitude_deg == pytest.approx(-17.8792)


def test_msumastro_frames_are_maxim_frames(shared_data: Path) -> None:
    headers = read(shared_data / "msumastro_bsd3", "*.fit")

    for name, header in headers.items():
        stem = name.rstrip("0123456789.fit")
        expected = {
            "biastes": "bias",
            "darktes": "dark",
            "flattes": "bias",
            "aspen_trimmed": "flat",
        }
        if name.startswith("neon"):
            assert header.kind is None
        else:
            assert header.kind == expected.get(stem, "light"), name
        assert header.region is not None and header.region[:2] == (0, 0)
    neon = headers["neon-on-dome-10-sec-high-res-though-scope.fit"]
    assert neon.pedestal_adu == -100.0
    assert neon.egain_e_per_adu == 1.74
    assert neon.calibrated == "dark taken out (HISTORY)"
    assert neon.filter == "None"
    assert headers["maximdl_5_21_header.fit"].calibrated != ""
    assert headers["maximdl_5_23_header.fit"].calibrated == ""
    assert headers["uint16_missing_filter.fit"].filter is None
    # Set to -40 °C, and taken at -7.9 °C.
    aspen = grouped(shared_data / "msumastro_bsd3" / "aspen_trimmed.fit").groups[0]
    assert "not at the set \u221240.0" in " ".join(aspen.notes)


def test_msumastro_groups(shared_data: Path) -> None:
    grouping = grouped(shared_data / "msumastro_bsd3")

    found = {(g.kind, g.key.get("set_temp_c"), len(g.frames)) for g in grouping.groups}
    assert {("bias", -35.0, 6), ("dark", -35.0, 5), ("flat", -40.0, 1)} <= found
    assert {u.path.name for u in grouping.ungrouped} == {
        "maximdl_5_21_header.fit",
        "neon-on-dome-10-sec-high-res-though-scope.fit",
    }


def test_panoptes_writes_units_and_a_pattern_as_filter(shared_data: Path) -> None:
    headers = read(shared_data / "panoptes_mit")

    temperatures = {n: h.sensor_temp_c for n, h in headers.items()}
    assert temperatures == {
        "noheader.fits": None,
        "pole.fits": 44.0,
        "rotation.fits": 43.0,
        "solved.fits.fz": 13.0,
        "tiny.fits": 11.0,
        "unsolved.fits": 11.0,
    }
    for name, header in headers.items():
        assert header.filter is None
        assert header.kind is None
        assert header.gain == (None if name == "noheader.fits" else 100.0)
        assert header.bayer == ("RGGB" if header.camera == "XXXXXX" else None)
    assert headers["solved.fits.fz"].shape == (700, 700)
    assert headers["solved.fits.fz"].images == ("",)
    # 08:12 UTC is the night of 8 September on Hawaii.
    assert headers["tiny.fits"].night == date(2016, 9, 8)


def test_frames_without_any_header_are_unknown_and_not_zero(shared_data: Path) -> None:
    for header in read(shared_data / "phd2_headerless_bsd3").values():
        assert header.shape == (495, 657)
        assert set(header.values()) == {"shape"}
        assert header.kind is None


def test_feder_frames_in_bzip2_are_calibrated_lights(shared_data: Path) -> None:
    headers = read(shared_data / "stellarphot_bsd3")

    assert {h.filter for h in headers.values()} == {"rp", "ip", "r"}
    for header in headers.values():
        assert header.kind == "light"
        assert header.shape == (4096, 4096)
        assert header.calibrated.startswith("bias taken out, dark taken out, flat divided out")


def test_ccdproc_frames(shared_data: Path) -> None:
    headers = read(shared_data / "ccdproc_bsd3")

    saao = headers["a8280271.fits"]
    assert saao.kind == "light"
    # GAIN 1.9 beside RDNOISE 5.0 is e-/ADU, CCD-TEMP 180.2 is kelvin.
    assert (saao.gain, saao.egain_e_per_adu) == (None, 1.9)
    assert saao.sensor_temp_c == pytest.approx(180.2 - 273.15)
    assert saao.observed_utc == datetime(2013, 7, 13, 0, 57, 33, tzinfo=UTC)
    assert saao.shape == (520, 536)
    flat = headers["flat-mef.fits"]
    assert (flat.kind, flat.filter) == ("flat", "B")
    assert flat.images == ("HDU1", "HDU2", "HDU3")


def test_gemini_frame_is_a_reference_frame_and_no_kind(shared_data: Path) -> None:
    header = read(shared_data / "astroscrappy_gmos_bsd3")["gmos.fits"]

    assert header.kind == "light"
    assert header.origin["kind"] == "OBSTYPE card"
    assert header.images == ("SCI", "VAR", "SKYFIT")
    assert header.filter == "GG455_G0329"
    assert header.observed_utc == datetime(2019, 8, 8, 0, 42, 27, 400000, tzinfo=UTC)


def test_imx296_gain_is_a_setting(shared_data: Path) -> None:
    header = read(shared_data / "imx296_8bit_mit")["test-imx296-8mm.fits"]

    assert header.gain == 5.0
    assert header.egain_e_per_adu is None
    assert header.observed_utc == datetime(2025, 10, 22, 1, 26, 1, 637202, tzinfo=UTC)
    # Colorado, longitude -104.8: the evening of the 21st.
    assert header.night == date(2025, 10, 21)


def test_an_indi_frame_in_xisf(shared_data: Path) -> None:
    header = read(shared_data / "xisf_indi_mw4_apache2")["test.xisf"]

    assert header.kind == "light"
    assert header.shape == (1024, 1280)
    assert header.exposure_s == 1.0
    assert header.gain == 90.0
    assert header.egain_e_per_adu is None
    assert header.filter == "Red"
    assert header.focal_length_mm == 300.0
    assert header.observed_utc == datetime(2026, 3, 13, 16, 1, 26, 232000, tzinfo=UTC)


def test_awkward_files_of_other_projects_are_read(shared_data: Path) -> None:
    edge = read(shared_data / "astropy_edge_bsd3")
    types = read(shared_data / "fits_datatypes_bsd3")

    no_picture = {n for n, h in {**edge, **types}.items() if not h.images}
    assert no_picture == {
        "compressed_float_bzero.fits",
        "file001.fits",
        "group_invalid.fits",
        "history_header.fits",
        "issue-38.fits",
        "random_groups.fits",
        "swp06542llg.fits",
        "variable_length_table.fits",
        "zerowidth.fits",
    }
    stis = edge["o4sp040b0_raw.fits"]
    # Date and time stand apart, in the first image's own header.
    assert stis.observed_utc == datetime(1998, 4, 20, 18, 38, 15, tzinfo=UTC)
    assert stis.images == ("SCI,1", "SCI,2")
    assert stis.calibrated == ""


def test_real_frames_cut_off_in_the_middle_are_damaged(shared_data: Path, tmp_path: Path) -> None:
    for name in (
        "panoptes_mit/tiny.fits",
        "lt_sprat_bsd3/v_dark_1.fits.gz",
        "panoptes_mit/solved.fits.fz",
        "xisf_indi_mw4_apache2/test.xisf",
    ):
        whole = (shared_data / name).read_bytes()
        cut = tmp_path / Path(name).name
        cut.write_bytes(whole[: len(whole) // 2])

        assert "cut off" in read_header(cut).damage, name


def test_endings_do_not_matter(shared_data: Path, tmp_path: Path) -> None:
    for name, other in (
        ("panoptes_mit/tiny.fits", "a.FTS"),
        ("lt_sprat_bsd3/v_dark_1.fits.gz", "b.fits"),
        ("stellarphot_bsd3/wasp-10-tiny.fit.bz2", "c.dat"),
        ("xisf_indi_mw4_apache2/test.xisf", "d.fits"),
    ):
        shutil.copy(shared_data / name, tmp_path / other)

        assert read_header(tmp_path / other).values() == read_header(shared_data / name).values()
