"""A master made again from what it says about itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.cli.main import run
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.overscan import OverscanLevel, OverscanSettings
from calibstudio.domain.recipe import Recipe, Rejection, StackSettings, Weight
from calibstudio.domain.regroup import corrected, excluded
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import MastersReport, build_masters
from calibstudio.services.rebuild import rebuild_master
from tests.helpers.night import Camera, take


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Frames of every kind."""
    folder = tmp_path / "night"
    camera = Camera()
    take(folder / "b", camera, "bias", 5)
    take(folder / "d", camera, "dark", 4, 60.0, first=20)
    take(folder / "df", camera, "Dark Flat", 4, 2.0, first=30)
    take(folder / "f", camera, "flat", 4, 2.0, 20_000.0, first=40)
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty library."""
    with Library.open(tmp_path / "library") as opened:
        yield opened


def grouping_of(*folders: Path) -> Grouping:
    found = scan(JobContext(), folders, cache=False)
    return group_frames(found.headers, left_out=found.ungrouped, ignored=found.ignored)


def built(library: Library, grouping: Grouping, recipe: Recipe | None = None) -> MastersReport:
    return build_masters(
        JobContext(), grouping, grouping.headers, library, recipe or Recipe(), threads=2
    )


def test_every_kind_of_master_is_made_again_to_the_byte(
    night: Path, library: Library, tmp_path: Path
) -> None:
    report = built(library, grouping_of(night))
    moved = tmp_path / "elsewhere" / "flat"
    shutil.move(night, moved)
    before = sorted(library.folder.rglob("*"))

    masters = report.masters
    for master in masters:
        path = master.record.path
        found = rebuild_master(JobContext(), path, [moved, library.folder], threads=1)

        assert found.identical, found.sentence
        assert found.sentence == f"{path.name} was made again and is the same to the byte."
    assert len(masters) == 5
    assert sorted(library.folder.rglob("*")) == before


def test_a_bad_pixel_map_with_unstable_pixels_is_made_again_from_masters_and_frames(
    library: Library, tmp_path: Path
) -> None:
    night, camera = tmp_path / "night", Camera()
    take(night, camera, "bias", 4)
    darks = take(night, camera, "dark", 16, 60.0, first=20)
    (bpm,) = [m for m in built(library, grouping_of(night)).masters if m.record.kind == "bpm"]
    path = bpm.record.path

    found = rebuild_master(JobContext(), path, [night, library.folder])
    assert found.identical, found.sentence

    darks[3].unlink()
    lost = rebuild_master(JobContext(), path, [night, library.folder])
    assert lost.missing == (darks[3].name,)


def test_masters_without_overscan_are_made_again(library: Library, tmp_path: Path) -> None:
    night, camera = tmp_path / "night", Camera()
    cards = {"BIASSEC": "[113:128,1:96]", "TRIMSEC": "[1:112,1:96]"}
    take(night, camera, "bias", 4, **cards)
    recipe = Recipe(overscan=OverscanSettings(OverscanLevel.MEDIAN, trim=True))
    (bias,) = built(library, grouping_of(night), recipe).masters

    found = rebuild_master(JobContext(), bias.record.path, [night])

    assert found.identical, found.sentence


def test_a_mask_is_known_by_its_bytes_wherever_the_recipe_lies(
    night: Path, library: Library, tmp_path: Path
) -> None:
    shape = fits.getdata(next((night / "f").iterdir())).shape
    numbers = np.ones(shape, np.int16)
    masters = []
    for name in ("one", "two"):
        place = tmp_path / name
        place.mkdir()
        fits.PrimaryHDU(numbers).writeto(place / "orders.fits")
        recipe = replace(
            Recipe(), flat=replace(Recipe().flat, mask=str(place / "orders.fits"), unity_below=0.0)
        )
        with Library.open(tmp_path / f"library {name}") as each:
            report = built(each, grouping_of(night), recipe)
            (path,) = [m.record.path for m in report.masters if m.record.kind == "flat"]
            assert rebuild_master(JobContext(), path, [night, each.folder], library=each).identical
        masters.append(path)

    assert masters[0].read_bytes() == masters[1].read_bytes()
    (tmp_path / "one" / "orders.fits").rename(night / "renamed.fits")
    found = rebuild_master(JobContext(), masters[0], [night, masters[0].parents[3]])
    assert found.identical, found.sentence

    (night / "renamed.fits").unlink()
    lost = rebuild_master(JobContext(), masters[0], [night, masters[0].parents[3]])
    assert lost.missing == ("orders.fits",)


def test_what_was_done_by_hand_is_done_again(night: Path, library: Library) -> None:
    grouping = grouping_of(night / "b")
    paths = sorted(grouping.headers)
    grouping = excluded(grouping, [paths[1]], reason="a car passed")
    grouping = corrected(grouping, paths, {"gain": 77.0}, why="the header lies")
    settings = StackSettings(reject=Rejection.SIGMA, weight=Weight.NOISE, maps=True)
    recipe = replace(Recipe(), name="mine", stack={"bias": settings}, description="x")
    (master,) = built(library, grouping, recipe).masters
    paths[0].rename(paths[0].with_name("renamed.fits"))

    found = rebuild_master(JobContext(), master.record.path, [night])

    assert found.identical, found.sentence


def test_the_library_knows_where_frames_were(night: Path, library: Library) -> None:
    (master,) = built(library, grouping_of(night / "b")).masters

    assert rebuild_master(JobContext(), master.record.path, [], library=library).identical
    alone = rebuild_master(JobContext(), master.record.path, [])
    assert not alone.identical
    assert len(alone.missing) == 5
    assert "Name the folders they are in." in alone.sentence


def test_frames_that_are_missing_or_changed_are_named(night: Path, library: Library) -> None:
    (master,) = built(library, grouping_of(night / "b")).masters
    frames = sorted((night / "b").iterdir())
    frames[0].unlink()
    with fits.open(frames[1], mode="update") as hdus:
        hdus[0].data[0, 0] += 1

    found = rebuild_master(JobContext(), master.record.path, [night])

    assert not found.identical
    assert set(found.missing) == {frames[0].name, frames[1].name}
    assert "cannot be made again" in found.sentence


def test_pixels_and_versions_that_differ_are_said(
    night: Path, library: Library, tmp_path: Path
) -> None:
    (master,) = built(library, grouping_of(night / "b")).masters
    other = tmp_path / master.record.path.name
    shutil.copy(master.record.path, other)
    with fits.open(other, mode="update") as hdus:
        hdus[0].data[3, 4] += 2.5
        hdus["CNT"].data[0, :3] += 1
        hdus[0].header["CAL_SOFT"] = "CalibStudio 0.0.1"

    found = rebuild_master(JobContext(), other, [night])

    assert not found.identical
    said = " ".join(found.differences)
    assert "made by CalibStudio 0.0.1" in said
    assert "In image 1 of 12\u202f288 pixels differ" in said
    assert "by at most 2.5" in said
    assert "In CNT 3 of" in said
    assert "CAL_SOFT" in said


def test_the_command_says_so(
    night: Path, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    (master,) = built(library, grouping_of(night / "b")).masters
    path = str(master.record.path)

    assert run(["masters", "--rebuild", path, str(night), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {"master": path, "identical": True, "differences": [], "missing": []}
    assert run(["masters", "--rebuild", path, "--library", str(library.folder)]) == 0
    assert "is the same to the byte" in capsys.readouterr().out
    assert run(["masters", "--rebuild", path, "--json"]) == 1
    captured = capsys.readouterr()
    assert not json.loads(captured.out)["identical"]
    assert "cannot be made again" in captured.err
    assert run(["masters"]) == 2


def test_the_order_and_the_place_of_files_do_not_matter(
    night: Path, library: Library, tmp_path: Path
) -> None:
    frames = sorted((night / "b").iterdir())
    apart = tmp_path / "a" / "b"
    apart.mkdir(parents=True)
    copies = [Path(shutil.copy2(frame, apart / frame.name)) for frame in reversed(frames)]
    (one,) = built(library, grouping_of(*frames)).masters

    with Library.open(tmp_path / "second") as other:
        grouping = grouping_of(*copies)
        report = build_masters(
            JobContext(), grouping, grouping.headers, other, Recipe(), memory_bytes=3_000_000
        )

    (two,) = report.masters
    assert one.record.path.read_bytes() == two.record.path.read_bytes()


def test_a_master_that_does_not_say_how_it_was_made_is_refused(
    night: Path, library: Library, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (master,) = built(library, grouping_of(night / "b")).masters
    old = tmp_path / "old.fits"
    with fits.open(master.record.path) as hdus:
        fits.HDUList([h for h in hdus if h.name != "PROVENANCE"]).writeto(old)

    assert run(["masters", "--rebuild", str(old), str(night)]) == 2
    assert "earlier versions cannot be made again" in capsys.readouterr().err
