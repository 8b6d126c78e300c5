"""Bad-pixel maps of a run: from darks, flats and frames, filed like other masters, written out."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from calibstudio.domain.defects import Defect
from calibstudio.domain.errors import FileProblemError, UsageError, WriteProblemError
from calibstudio.domain.grouping_rules import group_frames, grouping_keys
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import DarkForm, DarkSettings, DefectSettings, Recipe
from calibstudio.services.defect_export import export_defects
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.library_care import rebuild
from calibstudio.services.map_provenance import read_map_provenance
from calibstudio.services.masters import BuiltMaster, MastersReport, build_masters
from calibstudio.store.defect_fits import read_defects
from calibstudio.store.defect_lists import ListForm
from calibstudio.store.headers import read_header
from calibstudio.store.master_read import read_master
from tests.helpers.night import EGAIN, Camera, header, take, write_frame

HOT = ((10, 20), (50, 60), (51, 60), (80, 5))
"""(y, x) of pixels with 20 ADU/s more than the others."""
BLINKING, DEAD, RAY = (30, 30), (70, 100), (15, 90)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    return tmp_path / "night"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def build(library: Library, folder: Path, recipe: Recipe | None = None) -> MastersReport:
    recipe = recipe or Recipe()
    found = scan(JobContext(), [folder], cache=False)
    grouping = group_frames(found.headers, recipe.tolerances, keys=grouping_keys(recipe))
    return build_masters(JobContext(), grouping, grouping.headers, library, recipe)


def only(report: MastersReport, kind: str) -> BuiltMaster:
    assert not report.skipped, [entry.reason for entry in report.skipped]
    (built,) = [b for b in report.masters if b.record.kind == kind]
    return built


def take_darks(folder: Path, n: int, camera: Camera | None = None) -> None:
    camera = camera or Camera(dark_adu_per_s=0.1)
    for i in range(n):
        pixels = camera.frame(60.0)
        for y, x in HOT:
            pixels[y, x] += 1200
        pixels[BLINKING] += 300 * (i % 2)
        if i == 3:
            pixels[RAY] += 9000
        write_frame(folder / f"dark{i:02d}.fits", pixels, header("dark", 60.0, 20 + i))


def take_flats(folder: Path) -> None:
    camera = Camera(3)
    for i in range(6):
        pixels = camera.frame(2.0, 20_000.0)
        pixels[DEAD] = 1000
        write_frame(folder / f"flat{i}.fits", pixels, header("flat", 2.0, 60 + i))


@dataclass(frozen=True)
class Night:
    """A night with biases, darks and flats, and its masters."""

    folder: Path
    library: Library
    map: BuiltMaster


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Made once: no test changes it."""
    home = tmp_path_factory.mktemp("whole")
    folder = home / "night"
    take(folder, Camera(), "bias", 9)
    take_darks(folder, 20)
    take_flats(folder)
    with Library.open(home / "library") as opened:
        yield Night(folder, opened, only(build(opened, folder), "bpm"))


def test_a_map_holds_what_darks_flats_and_frames_say(whole: Night) -> None:
    record = whole.map.record
    (pixels,) = read_defects(record.path)
    table = {(y, x): (kind, value) for x, y, kind, value in pixels.rows()}
    assert set(table) == {*HOT, BLINKING, DEAD}, "and not the cosmic ray"
    for place in HOT:
        kind, value = table[place]
        assert kind == "hot"
        # 20 ADU/s at 1.5 e-/ADU, from 20 frames of noise 5.
        assert value == pytest.approx(20.0 * EGAIN, rel=0.02)
    assert table[BLINKING][0] == "unstable"
    assert table[DEAD] == ("dead+cold", 0.0)
    assert record.key["set_temp_c"] == -10.0
    assert [u.kind for u in record.used] == ["bias", "dark", "flat"]
    assert record.n_combined == 20
    assert record.assessment.value("hot_pixel_count") == 4
    assert record in whole.library.masters()
    cards = fits.getheader(record.path)
    assert cards["IMAGETYP"] == "Master BPM"
    assert (cards["BITPIX"], cards["BPM2"][:3], cards["BPM16"][:8]) == (8, "hot", "unstable")
    assert np.count_nonzero(fits.getdata(record.path)) == 6
    assert fits.getdata(record.path, "INPUTS")["SHA256"][0]
    read = read_header(record.path)
    assert (read.kind, read.is_master) == ("bpm", True)
    assert any(
        "6 bad pixels (0.049 %): 4 hot, 1 cold, 1 of them dead, 1 unstable" in line
        for line in whole.map.notes
    )


def test_the_same_run_gives_the_same_map_and_a_lost_library_finds_it_again(
    whole: Night,
) -> None:
    again = only(build(whole.library, whole.folder), "bpm")

    assert not again.new
    assert again.record.sha256 == whole.map.record.sha256
    found = rebuild(JobContext(), whole.library.folder)
    assert found.left_out == ()
    with Library.open(whole.library.folder) as opened:
        assert whole.map.record.sha256 in [r.sha256 for r in opened.masters()]


def test_too_few_frames_say_nothing_of_unstable_pixels(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 5)
    take_darks(night, 6)

    built = only(build(library, night), "bpm")

    (pixels,) = read_defects(built.record.path)
    assert {(y, x) for x, y, _, _ in pixels.rows()} >= set(HOT)
    assert pixels.count(Defect.UNSTABLE) == 0
    assert built.record.assessment.value("unstable_pixels") is None
    assert any(
        "Unstable pixels were not looked for: that needs 16 frames" in n for n in built.notes
    )
    assert any("that needs a flat" in n for n in built.notes)


def test_a_rate_makes_the_same_map(whole: Night, tmp_path: Path) -> None:
    recipe = replace(Recipe(), dark=DarkSettings(form=DarkForm.RATE))
    with Library.open(tmp_path / "rates") as other:
        built = only(build(other, whole.folder, recipe), "bpm")

        (one,), (two,) = read_defects(built.record.path), read_defects(whole.map.record.path)
    assert np.array_equal(one.x, two.x)
    assert np.array_equal(one.flags, two.flags)
    np.testing.assert_allclose(one.value, two.value, rtol=1e-4)


def test_a_recipe_may_do_without_a_map(night: Path, library: Library) -> None:
    take_darks(night, 4)
    recipe = replace(Recipe(), defects=DefectSettings(build=False))

    assert [b.record.kind for b in build(library, night, recipe).masters] == ["dark"]


def test_siril_gets_the_pixels_where_it_shows_them(whole: Night, tmp_path: Path) -> None:
    out = tmp_path / "bad.lst"

    export_defects(whole.map.record, ListForm.SIRIL, out)

    lines = out.read_text().splitlines()
    assert lines[0].startswith("#")
    # 96 rows: the pixel in row 10 is the 85th from the top.
    assert "P 20 85 H" in lines
    assert "P 100 25 C" in lines
    assert len(lines) == 7


@pytest.mark.skipif(shutil.which("siril-cli") is None, reason="Siril is not installed")
def test_siril_itself_mends_these_pixels(whole: Night, tmp_path: Path) -> None:
    out = export_defects(whole.map.record, ListForm.SIRIL, tmp_path / "bad.lst")[0]
    pixels = np.full((96, 128), 1000, np.uint16)
    for y, x in (*HOT, DEAD):
        pixels[y, x] = 50_000
    pixels[40, 40] = 50_000
    fits.PrimaryHDU(pixels).writeto(tmp_path / "light.fits")
    script = tmp_path / "mend.ssf"
    script.write_text(f"requires 1.0.0\nload light.fits\ncosme {out.name}\nsave mended\n")

    subprocess.run(
        ["siril-cli", "-d", str(tmp_path), "-s", str(script)],
        check=True,
        capture_output=True,
        timeout=50,
    )

    mended = fits.getdata(next(tmp_path.glob("mended.fit*")))
    assert all(mended[y, x] < 30_000 for y, x in (*HOT, DEAD))
    assert mended[40, 40] == 50_000, "not in the list"


def test_pixinsight_gets_parts_of_columns(whole: Night, tmp_path: Path) -> None:
    out = tmp_path / "bad.txt"

    export_defects(whole.map.record, ListForm.PIXINSIGHT, out)

    lines = out.read_text().splitlines()
    assert "Col 60 50 51" in lines, "two neighbours are one line"
    assert "Col 20 10 10" in lines
    assert lines == sorted(lines, key=lambda line: [int(n) for n in line.split()[1:]])
    assert all(line.split()[0] == "Col" and len(line.split()) == 4 for line in lines)


def test_tables_and_masks_are_read_back(whole: Night, tmp_path: Path) -> None:
    for name, form in (
        ("bad.csv", ListForm.TABLE),
        ("bad.ecsv", ListForm.TABLE),
        ("bad.fits", ListForm.MASK),
    ):
        export_defects(whole.map.record, form, tmp_path / name)

    with (tmp_path / "bad.csv").open() as handle:
        rows = {(int(r["y"]), int(r["x"])): r["kind"] for r in csv.DictReader(handle)}
    assert rows[DEAD] == "dead+cold"
    table = Table.read(tmp_path / "bad.ecsv")
    assert str(table["x"].unit) == "pix"
    assert len(table) == 6
    mask = fits.getdata(tmp_path / "bad.fits")
    assert np.array_equal(mask, fits.getdata(whole.map.record.path))


def test_an_export_never_replaces_a_file_and_needs_a_map(whole: Night, tmp_path: Path) -> None:
    out = tmp_path / "bad.txt"
    out.write_text("mine")
    (dark,) = [r for r in whole.library.masters() if r.kind == "dark"]

    with pytest.raises(WriteProblemError, match="exists already"):
        export_defects(whole.map.record, ListForm.PIXINSIGHT, out)
    with pytest.raises(FileProblemError, match="no bad-pixel map"):
        export_defects(dark, ListForm.PIXINSIGHT, tmp_path / "other.txt")
    with pytest.raises(UsageError, match=r"\.lst"):
        export_defects(whole.map.record, ListForm.SIRIL, tmp_path / "bad.fits")
    assert out.read_text() == "mine"


def test_what_is_hot_is_told_by_the_gain_that_the_flat_measured(
    night: Path, library: Library
) -> None:
    camera = Camera()
    take(night, camera, "bias", 4, egain=1.65)
    take(night, camera, "dark", 4, 60.0, first=10, egain=1.65)
    take(night, camera, "flat", 8, 2.0, 20_000.0, first=40, egain=1.65)

    report = build(library, night)

    flat, bpm = (only(report, kind).record for kind in ("flat", "bpm"))
    measured = flat.assessment.value("egain")
    made = read_map_provenance(read_master(bpm.path).provenance, bpm.path.name)
    assert made.egain_e_per_adu == measured != 1.65
    # The header says 1.65; 8 flats of 12 000 pixels tell the gain to a few per cent.
    assert measured == pytest.approx(EGAIN, rel=0.1)
