"""Plans: what is to be captured, stored and read again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from calibstudio.domain.equipment import Region
from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    CaptureStep,
    LevelTarget,
    LevelUnit,
    LightSource,
    Search,
    SearchLimits,
    estimate_plan,
)
from tests.helpers.bench import BENCH_INFO

SETTINGS = CameraSettings(100, 50, 2, Region(8, 4, 64, 32), "Fast", -10.0)
FLAT = CaptureStep(
    "flat-Ha",
    FrameKind.FLAT,
    32,
    SETTINGS,
    search=Search.EXPOSURE,
    filter="Ha",
    light=LightSource.PANEL,
    brightness=46,
    target=LevelTarget(32_000, LevelUnit.ADU),
    limits=SearchLimits(0.5, 10.0),
)
DARK_FLAT = CaptureStep("darkflat-Ha", FrameKind.DARK_FLAT, 20, SETTINGS, exposure_from="flat-Ha")
PLAN = CapturePlan("Panel flats", (FLAT, DARK_FLAT), build_masters=False)


def test_a_plan_survives_being_written_as_json() -> None:
    text = json.dumps(PLAN.as_document())

    assert CapturePlan.from_document(json.loads(text)) == PLAN


def test_a_plan_of_a_newer_version_is_refused_and_not_guessed() -> None:
    document = PLAN.as_document() | {"version": 99}

    with pytest.raises(UsageError, match="newer CalibStudio"):
        CapturePlan.from_document(document)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": "none"},
        {"steps": [{"id": "x"}]},
        {"steps": [{"id": "x", "kind": "moon", "count": 1}]},
        {"steps": [{"id": "x", "kind": "bias", "count": "many"}]},
        {"title": None, "steps": 3},
    ],
)
def test_a_broken_plan_is_a_sentence_and_never_a_traceback(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="plan"):
        CapturePlan.from_document(PLAN.as_document() | change)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (replace(FLAT, count=0), "at least one frame"),
        (replace(FLAT, target=None), "no target"),
        (replace(FLAT, search=Search.NOTHING), "no exposure"),
        (replace(DARK_FLAT, exposure_from="flat-OIII"), "not before"),
        (replace(FLAT, exposure_s=-1.0), "no exposure time"),
    ],
)
def test_a_step_that_makes_no_sense_is_named(step: CaptureStep, words: str) -> None:
    problems = CapturePlan("x", (step,)).problems()

    assert any(words in text for text in problems)


def test_steps_have_ids_of_their_own() -> None:
    assert "same id" in CapturePlan("x", (FLAT, FLAT)).problems()[0]


def test_a_target_means_the_same_in_adu_percent_and_electrons() -> None:
    known = {"saturation_adu": 60_500.0, "bias_adu": 500.0, "e_per_adu": 0.5}

    assert LevelTarget(30_250, LevelUnit.ADU).adu(**known) == 30_250
    assert LevelTarget(50, LevelUnit.PERCENT).adu(**known) == 30_250
    assert LevelTarget(14_875, LevelUnit.ELECTRONS).adu(**known) == 30_250


def test_a_target_in_electrons_needs_the_conversion() -> None:
    with pytest.raises(UsageError, match="what an ADU is worth"):
        LevelTarget(20_000, LevelUnit.ELECTRONS).adu(saturation_adu=65_535, bias_adu=500)


def test_an_estimate_counts_frames_time_and_disk() -> None:
    plan = CapturePlan("d", (CaptureStep("d", FrameKind.DARK, 10, exposure_s=300.0),))

    found = estimate_plan(plan, BENCH_INFO)

    ny, nx = BENCH_INFO.shape
    assert (found.frames, found.test_frames) == (10, 0)
    assert found.seconds == pytest.approx(10 * (300 + 0.5 + 0.3))
    assert found.bytes == 10 * (2 * ny * nx + 8640)


def test_dark_flats_are_estimated_with_the_exposure_of_their_flats() -> None:
    short = estimate_plan(PLAN, BENCH_INFO, exposures_s={"flat-Ha": 1.0})
    long = estimate_plan(PLAN, BENCH_INFO, exposures_s={"flat-Ha": 2.0})

    assert long.seconds - short.seconds == pytest.approx(32 + 20 + long.test_frames)


def test_limits_stay_inside_what_the_camera_can() -> None:
    assert SearchLimits(0.5, 10.0).exposures(BENCH_INFO) == (0.5, 10.0)
    assert SearchLimits().exposures(BENCH_INFO) == (0.001, 3600.0)
    assert SearchLimits(1e-9, 1e9).exposures(BENCH_INFO) == (0.001, 3600.0)
