"""A wizard's answers: defaults of an expert, problems in sentences, and the plan they make."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.equipment import CameraInfo, PanelInfo, Region
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    LevelTarget,
    LevelUnit,
    LightSource,
    Search,
    SearchLimits,
)
from tests.helpers.bench import BENCH_INFO

COOLED = replace(BENCH_INFO, can_cool=True, set_temp_range_c=(-40.0, 30.0))
CCD = CameraInfo(
    "Old CCD", (1024, 1024), 65535, can_cool=True, has_shutter=True, exposure_min_s=0.1
)
PANEL = PanelInfo("Panel", True, True, 4096)


@pytest.mark.parametrize("info", [BENCH_INFO, COOLED, CCD], ids=lambda i: i.name)
def test_the_defaults_can_start_on_any_camera(info: CameraInfo) -> None:
    drafts = [
        BiasDraft.for_camera(info),
        DarkDraft.for_camera(info),
        FlatDraft.for_camera(info, ("L", "Ha"), PANEL),
        DarkDraft.ost(info),
    ]

    for draft in drafts:
        assert draft.problems(info) == []
        assert draft.plan(info).problems() == []
        assert draft.estimate(info).frames == draft.plan(info).frames_wanted > 0


def test_an_expert_cools_to_minus_ten_and_takes_the_cameras_own_gain() -> None:
    settings = BiasDraft.for_camera(COOLED).settings

    assert settings == CameraSettings(100, 50, 1, None, None, -10.0)
    assert BiasDraft.for_camera(BENCH_INFO).settings.set_temp_c is None


def test_a_bias_is_as_short_as_the_camera_can() -> None:
    assert BiasDraft.for_camera(CCD).exposure_s == 0.1
    assert BiasDraft(exposure_s=1.0).advice(COOLED)[0].startswith("A bias is as short")


def test_flats_of_a_cmos_camera_come_with_dark_flats_at_the_same_exposures() -> None:
    plan = FlatDraft.for_camera(COOLED, ("SII", "Ha"), PANEL).plan(COOLED)

    assert [(s.id, s.kind, s.exposure_from) for s in plan.steps] == [
        ("flat-SII", FrameKind.FLAT, None),
        ("flat-Ha", FrameKind.FLAT, None),
        ("darkflat-SII", FrameKind.DARK_FLAT, "flat-SII"),
        ("darkflat-Ha", FrameKind.DARK_FLAT, "flat-Ha"),
    ]
    without = replace_draft(FlatDraft.for_camera(COOLED, (), PANEL), with_dark_flats=False)
    assert "dark flats correct its flats better" in without.advice(COOLED)[0]
    assert without.advice(CCD) == ["Below 2 s, the shutter's vanes shade the frame.".replace(
        "2 s", "2\u202fs")]  # fmt: skip


def test_darks_are_every_exposure_at_every_temperature_and_binning_once() -> None:
    draft = DarkDraft(
        CameraSettings(100, 50, set_temp_c=-10.0),
        exposures_s=(300.0, 60.0, 60.0),
        set_temps_c=(-20.0, -10.0),
        binnings=(1, 2),
        count=10,
    )

    plan = draft.plan(COOLED)

    taken = [(s.settings.set_temp_c, s.settings.binning, s.exposure_s) for s in plan.steps]
    assert taken == [
        (-10.0, 1, 60.0), (-10.0, 1, 300.0), (-10.0, 2, 60.0), (-10.0, 2, 300.0),
        (-20.0, 1, 60.0), (-20.0, 1, 300.0), (-20.0, 2, 60.0), (-20.0, 2, 300.0),
    ]  # fmt: skip
    assert len({s.id for s in plan.steps}) == 8
    assert draft.estimate(COOLED).frames == 80


def test_the_ost_list_is_bias_flat_and_science_times_factors() -> None:
    draft = DarkDraft.ost(COOLED, science_s=5.0, flat_s=1.0)

    plan = draft.plan(COOLED)

    assert [s.exposure_s for s in plan.steps] == [0.001, 1.0, 2.5, 5.0, 10.0, 20.0]
    assert plan.steps[0].kind is FrameKind.BIAS
    assert all(s.count == 40 for s in plan.steps)


def test_what_the_ost_list_leaves_out_is_said() -> None:
    draft = DarkDraft.ost(COOLED, science_s=40.0, flat_s=100.0, longest_s=60.0)

    assert draft.exposures_s == (20.0, 40.0)
    assert len(draft.notes) == 3
    assert "left out" in draft.advice(COOLED)[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (CameraSettings(gain=999), "Gain 999 is outside"),
        (CameraSettings(offset=-1), "Offset −1 is outside"),
        (CameraSettings(binning=3), "Binning 3 is not one"),
        (CameraSettings(readout_mode="Warp"), "no read-out mode"),
        (CameraSettings(region=Region(0, 0, 9999, 10)), "beyond the sensor"),
        (CameraSettings(set_temp_c=-60.0), "outside the cooler's range"),
    ],
)
def test_settings_that_the_camera_has_not_are_named(settings: CameraSettings, words: str) -> None:
    problems = BiasDraft(settings, exposure_s=0.001).problems(COOLED)

    assert len(problems) == 1 and words in problems[0]


def test_a_gain_that_cannot_be_set_at_all_is_said() -> None:
    assert BiasDraft(CameraSettings(gain=1), exposure_s=0.1).problems(CCD) == [
        "Gain cannot be set on Old CCD."
    ]


def test_exposures_and_counts_outside_the_possible_are_named() -> None:
    assert "shortest exposure" in BiasDraft(exposure_s=0.0).problems(COOLED)[0]
    assert "At least 1" in BiasDraft(exposure_s=0.001, count=0).problems(COOLED)[0]
    assert "Add at least one" in DarkDraft().problems(COOLED)[0]
    assert "longest exposure" in DarkDraft(exposures_s=(9999.0,)).problems(COOLED)[0]


def replace_draft(draft: FlatDraft, **changes: object) -> FlatDraft:
    return replace(draft, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"filters": ("L", "L")}, "listed twice"),
        ({"filters": ("Moon",)}, "no filter Moon"),
        ({"target": LevelTarget(95.0)}, "saturates"),
        ({"target": LevelTarget(64_000, LevelUnit.ADU)}, "saturates"),
        ({"target": LevelTarget(0.0)}, "above zero"),
        ({"target": LevelTarget(50.0, tolerance=0.0)}, "tolerance"),
        ({"limits": SearchLimits(5.0, 1.0)}, "above the longest"),
        ({"brightness": 9999}, "Brightness is from 1"),
        ({"search": Search.BRIGHTNESS, "light": LightSource.LAMP}, "Only a panel can be dimmed"),
        ({"search": Search.BRIGHTNESS, "exposure_s": 1e-9}, "shortest exposure"),
    ],
)
def test_what_makes_flats_impossible_is_named(changes: dict[str, object], words: str) -> None:
    draft = replace_draft(FlatDraft.for_camera(COOLED, ("L",), PANEL), **changes)

    problems = draft.problems(COOLED, wheel_filters=("L", "Ha"), panel=PANEL)

    assert any(words in text for text in problems), problems


def test_trained_values_are_where_the_search_starts_and_what_a_replay_uses() -> None:
    draft = replace_draft(
        FlatDraft.for_camera(COOLED, ("L", "Ha"), PANEL), start_exposures_s={"Ha": 4.12}
    )

    searched = draft.plan(COOLED).steps[:2]
    replayed = replace_draft(draft, search=Search.NOTHING).plan(COOLED).steps[:2]

    assert [s.exposure_s for s in searched] == [None, 4.12]
    assert [s.exposure_s for s in replayed] == [1.0, 4.12]
