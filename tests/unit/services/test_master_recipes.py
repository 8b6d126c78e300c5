"""What a recipe asks for beyond the default: regions of flats, selection, other kinds, names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.defects import Defect
from calibstudio.domain.grouping_rules import group_frames, grouping_keys
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import FlatSettings, LevelOf, Recipe, Selection, Smooth
from calibstudio.domain.recipe import StackSettings as Stack
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import BuiltMaster, MastersReport, build_masters
from calibstudio.store.master_read import read_master
from tests.helpers.night import Camera, header, take, write_frame


@pytest.fixture
def night(tmp_path: Path) -> Path:
    return tmp_path / "night"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def build(library: Library, folder: Path, recipe: Recipe) -> MastersReport:
    found = scan(JobContext(), [folder], cache=False)
    grouping = group_frames(found.headers, recipe.tolerances, keys=grouping_keys(recipe))
    return build_masters(JobContext(), grouping, grouping.headers, library, recipe)


def only(report: MastersReport, kind: str) -> BuiltMaster:
    assert not report.skipped, [entry.reason for entry in report.skipped]
    (built,) = [b for b in report.masters if b.record.kind == kind]
    return built


def mask_file(tmp_path: Path, mask: np.ndarray) -> str:
    path = tmp_path / "orders.fits"
    fits.PrimaryHDU(mask).writeto(path)
    return str(path)


def orders() -> np.ndarray:
    mask = np.zeros((96, 128), np.float32)
    for k in range(3):
        # Not quite whole numbers, as an order mask that was resampled.
        mask[10 + 28 * k : 26 + 28 * k] = k + 1.02
    return mask


def test_flats_by_region_of_a_mask_as_rates(night: Path, tmp_path: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=0.0)
    take(night, camera, "bias", 4)
    for i, time in enumerate((2.0, 4.0)):
        take(night, camera, "flat", 3, time, 8000.0 * time, first=10 + 10 * i)
    flat = FlatSettings(
        LevelOf.MODE,
        region=1.0,
        unity_below=0.0,
        low_light=50.0,
        per_second=True,
        mask=mask_file(tmp_path, orders()),
    )
    recipe = replace(
        Recipe(), flat=flat, stack={**Recipe().stack, "flat": Stack()}, name="by orders"
    )

    built = only(build(library, night, recipe), "flat")

    master, regions = read_master(built.record.path), np.rint(orders())
    cards = fits.getheader(built.record.path)
    assert (cards["NORMSTAT"], cards["NORMAREA"]) == ("mode", "regions")
    assert cards["NORMMASK"] == "orders.fits"
    assert cards["LOWLTLIM"] == 50.0
    assert cards["NORMTYPE"] == "none"
    for k in (1, 2, 3):
        expected = 8000.0 * np.median(camera.response[regions == k])
        # A mode of bins of 1 %, of frames whose noise is 0.5 %.
        assert cards[f"NORMVAL{k}"] == pytest.approx(expected, rel=0.025)
        assert np.median(master.image()[regions == k]) == pytest.approx(1.0, abs=0.025)
    assert len(master.normval[""]) == 3
    bpm = master.plane("BPM")
    assert bpm is not None
    assert np.array_equal(bpm == Defect.OUTSIDE, regions == 0)
    bpm_cards = fits.getheader(built.record.path, "BPM")
    assert "outside" in bpm_cards["BPM32"]
    assert [r.scale for r in master.inputs] == pytest.approx([0.5] * 3 + [0.25] * 3)


@pytest.mark.parametrize(
    ("shape", "value", "said"),
    [((50, 60), 1, "is 60"), ((96, 128), 0, "numbers up to 0"), (None, 0, "cannot be read")],
)
def test_a_mask_that_does_not_fit_is_refused_with_the_cure(
    night: Path, tmp_path: Path, library: Library, shape: Any, value: int, said: str
) -> None:
    take(night, Camera(), "flat", 4, 2.0, 20_000.0)
    mask = str(tmp_path / "none.fits")
    if shape is not None:
        mask = mask_file(tmp_path, np.full(shape, value, np.int16))

    report = build(library, night, replace(Recipe(), flat=FlatSettings(mask=mask)))

    (skipped,) = report.skipped
    assert said in skipped.reason
    assert "flat.mask of the recipe" in skipped.reason


def test_the_light_of_a_lamp_is_divided_out_and_said(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "bias", 4)
    take(night, camera, "flat", 6, 2.0, 20_000.0, first=10)
    flat = FlatSettings(smooth=Smooth.POLYNOMIAL, smooth_degree=2)

    built = only(build(library, night, replace(Recipe(), flat=flat)), "flat")

    master = read_master(built.record.path)
    # Vignetting of 20 % is gone; photon noise of six frames is what is left.
    noise = np.sqrt(np.mean(1 / camera.response) / (6 * 20_000 * 1.5))
    assert np.std(master.image()) == pytest.approx(noise, rel=0.05)
    cards = fits.getheader(built.record.path)
    assert (cards["SMOOTH"], cards["SMOOTHDG"]) == ("polynomial", 2)
    assert any("smooth light of the lamp was divided out" in line for line in master.history)


def test_only_the_frames_that_a_recipe_names_are_taken(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "dark", 3, 60.0, object="autocal-dark", notjunk=1)
    take(night, camera, "dark", 1, 60.0, first=3, object="autocal-dark", notjunk=0)
    take(night, camera, "dark", 1, 60.0, first=4, object="test", notjunk=1)
    take(night, camera, "dark", 1, 60.0, first=5)
    write_frame(night / "kp-dark.fits", camera.frame(60.0), header("dark", 60.0, 6))
    take(night, camera, "dark", 3, 60.0, first=7, object="autocal-dark")
    chosen = Selection(
        keywords={"object": "AUTOCAL-*"},
        gates={"NOTJUNK": "0"},
        ignore_names=("*-*",),
        max_frames=5,
    )

    built = only(build(library, night, replace(Recipe(), select={"dark": chosen})), "dark")

    assert built.record.n_combined == 5
    reasons = {left.path.name: left.reason for left in built.excluded}
    assert reasons == {
        "dark_60s_003.fits": "It failed its own check: NOTJUNK = 0.",
        "dark_60s_004.fits": "object is test; the recipe asks for AUTOCAL-*.",
        "dark_60s_005.fits": "It has no card object; the recipe asks for object = AUTOCAL-*.",
        "kp-dark.fits": "The recipe does not take files called *-*.",
        "dark_60s_009.fits": "The recipe takes the first 5 frames.",
    }


def test_exposures_out_of_the_limits_of_a_recipe_are_left_out(
    night: Path, library: Library
) -> None:
    take(night, Camera(), "dark", 3, 60.0)
    take(night, Camera(2), "dark", 3, 400.0, first=10)
    chosen = Selection(min_exposure_s=300.0)

    report = build(library, night, replace(Recipe(), select={"dark": chosen}))

    darks = [b.record for b in report.masters if b.record.kind == "dark"]
    assert [dark.values["exposure_s"] for dark in darks] == [400.0]
    assert "the recipe takes 300\u202fs and longer" in report.skipped[0].reason


def test_another_kind_is_stacked_where_the_recipe_says_how(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "Arc Lamp", 4, 10.0, 3000.0, object="ThAr")
    take(night, camera, "Arc Lamp", 4, 10.0, 1000.0, first=10, object="LFC")
    recipe = replace(Recipe(), stack={**Recipe().stack, "arc lamp": Stack()})

    assert [left.group.kind for left in build(library, night, Recipe()).left if left.group] == [
        "arc lamp",
        "arc lamp",
    ]
    report = build(library, night, recipe)

    assert [b.record.kind for b in report.masters] == ["arc lamp", "arc lamp"]
    levels = sorted(b.record.assessment.value("level") or 0.0 for b in report.masters)
    assert levels == pytest.approx([1985.0, 3950.0], rel=0.02)


def test_names_are_of_the_kind_and_never_replace_another_master(
    night: Path, library: Library
) -> None:
    take(night, Camera(), "dark", 3, 2.5)
    take(night, Camera(2), "dark", 3, 2.5, first=10, gain=5)
    take(night, Camera(3), "bias", 3, first=20)
    recipe = replace(
        Recipe(),
        master_name="masters/master_{kind}.fits",
        names={"dark": "master_frames/master_dark_{exposure3}s_{utcdate}.fits"},
    )

    first = build(library, night, recipe)
    again = build(library, night, recipe)

    paths = [b.record.path for b in first.masters if b.record.kind != "bpm"]
    assert [path.relative_to(library.folder).as_posix() for path in paths] == [
        "masters/master_bias.fits",
        "master_frames/master_dark_2.500s_20250601.fits",
        "master_frames/master_dark_2.500s_20250601-2.fits",
    ]
    assert not any(b.new for b in again.masters)
    assert [b.record.path for b in again.masters] == [b.record.path for b in first.masters]
