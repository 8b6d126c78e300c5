"""Answers of last time: offered where they are possible today, and never in the way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.equipment import CameraInfo, PanelInfo
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
)
from calibstudio.services.answers import AnswerStore
from calibstudio.store.naming import safe_part

INFO = CameraInfo(
    "Test camera", (1000, 1500), 65535, gain_range=(0, 300), gain_default=100,
    offset_range=(0, 255), offset_default=50, can_cool=True, set_temp_range_c=(-40.0, 30.0),
    binnings=(1, 2), exposure_min_s=0.001,
)  # fmt: skip
PANEL = PanelInfo("Panel", has_cover=True, has_lamp=True, max_brightness=4096)
FLAT = FlatDraft(
    settings=CameraSettings(120, 30, 2, None, None, -5.0),
    filters=("L", "Ha"),
    count=12,
    target=LevelTarget(25_000.0, LevelUnit.ELECTRONS, 0.05),
    search=Search.BRIGHTNESS,
    light=LightSource.PANEL,
    limits=SearchLimits(0.5, 20.0),
    brightness=46,
    exposure_s=2.5,
    with_dark_flats=False,
    build_masters=False,
)


def recalled(folder: Path, wheel: tuple[str, ...] = ("L", "Ha"), info: CameraInfo = INFO):
    draft = FlatDraft.for_camera(info, ("L",), PANEL)
    store = AnswerStore.for_rig(folder, "My rig")
    return store.recall("flat", draft, lambda d: d.problems(info, wheel_filters=wheel, panel=PANEL))


def test_every_answer_comes_back_after_a_restart(tmp_path: Path) -> None:
    AnswerStore.for_rig(tmp_path, "My rig").keep("flat", FLAT)

    assert recalled(tmp_path) == FLAT


def test_another_rig_starts_from_an_experts_answers(tmp_path: Path) -> None:
    AnswerStore.for_rig(tmp_path, "Another").keep("flat", FLAT)

    assert recalled(tmp_path) == FlatDraft.for_camera(INFO, ("L",), PANEL)


def test_what_the_equipment_of_today_cannot_do_is_left_out_alone(tmp_path: Path) -> None:
    AnswerStore.for_rig(tmp_path, "My rig").keep("flat", FLAT)

    draft = recalled(tmp_path, wheel=("L", "R"))

    assert draft.filters == ("L",)
    assert (draft.count, draft.target) == (12, FLAT.target)


def test_start_exposures_and_notes_are_for_one_time_only(tmp_path: Path) -> None:
    store = AnswerStore.for_rig(tmp_path, "My rig")
    dark = DarkDraft(exposures_s=(60.0,), set_temps_c=(0.0, -10.0), binnings=(1, 2), notes=("x",))
    store.keep("dark", dark)

    again = AnswerStore.for_rig(tmp_path, "My rig").recall(
        "dark", DarkDraft(), lambda d: d.problems(INFO)
    )

    assert again.notes == ()
    assert (again.exposures_s, again.set_temps_c, again.binnings) == (
        (60.0,), (0.0, -10.0), (1, 2),
    )  # fmt: skip


@pytest.mark.parametrize(
    "answers",
    [
        {"count": "many"},
        {"count": True},
        {"settings": 5},
        {"settings": {"gain": 900}},
        {"exposure_s": -1.0},
        {"build_masters": "yes"},
    ],
)
def test_an_answer_that_makes_no_sense_costs_only_itself(
    tmp_path: Path, answers: dict[str, object]
) -> None:
    document = {"version": 1, "wizards": {"bias": {"count": 7, **answers}}}
    (tmp_path / f"answers_{safe_part('My rig')}.json").write_text(json.dumps(document))
    expert = BiasDraft.for_camera(INFO)

    draft = AnswerStore.for_rig(tmp_path, "My rig").recall(
        "bias", expert, lambda d: d.problems(INFO)
    )

    assert draft.count == (expert.count if "count" in answers else 7)
    assert draft.settings == expert.settings and draft.exposure_s == expert.exposure_s
    assert draft.build_masters is True


@pytest.mark.parametrize("text", ["", "{", "[]", '{"wizards": 3}', "\x00"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / f"answers_{safe_part('My rig')}.json").write_text(text)

    assert recalled(tmp_path) == FlatDraft.for_camera(INFO, ("L",), PANEL)
    AnswerStore.for_rig(tmp_path, "My rig").keep("flat", FLAT)
    assert recalled(tmp_path) == FLAT


def test_settings_are_those_of_the_rigs_last_use_in_every_wizard(tmp_path: Path) -> None:
    store = AnswerStore.for_rig(tmp_path, "My rig")
    store.keep("flat", FLAT)
    used = CameraSettings(200, 12, 2, None, None, None)
    store.keep("dark", DarkDraft(settings=used, exposures_s=(60.0,), set_temps_c=(12.0, 8.0)))

    flat = recalled(tmp_path)

    assert flat.settings == CameraSettings(200, 12, 2, None, None, 8.0)
    assert (flat.count, flat.filters) == (FLAT.count, FLAT.filters)
    bias = AnswerStore.for_rig(tmp_path, "My rig").recall(
        "bias", BiasDraft.for_camera(INFO), lambda d: d.problems(INFO)
    )
    assert bias.settings == flat.settings


def test_a_list_of_darks_stays_while_it_holds_the_set_point_used_last(tmp_path: Path) -> None:
    store = AnswerStore.for_rig(tmp_path, "My rig")
    store.keep("dark", DarkDraft(exposures_s=(60.0,), set_temps_c=(0.0, -10.0)))

    def darks(used_c: float | None) -> DarkDraft:
        used = CameraSettings(100, 50, set_temp_c=used_c)
        AnswerStore.for_rig(tmp_path, "My rig").keep("bias", BiasDraft(settings=used))
        again = AnswerStore.for_rig(tmp_path, "My rig")
        return again.recall("dark", DarkDraft(), lambda d: d.problems(INFO))

    assert darks(0.0).set_temps_c == (0.0, -10.0)
    assert darks(8.0).set_temps_c == (8.0,)
    assert (darks(None).set_temps_c, darks(None).settings.set_temp_c) == ((), None)


def test_a_plan_from_elsewhere_leaves_its_settings_behind_and_no_false_set_point(
    tmp_path: Path,
) -> None:
    store = AnswerStore.for_rig(tmp_path, "My rig")
    store.keep("flat", FLAT)
    settings = CameraSettings(150, 20)
    step = CaptureStep("dark", FrameKind.DARK, 3, settings, exposure_s=1.0)

    AnswerStore.for_rig(tmp_path, "My rig").keep_used(CapturePlan("Darks", (step,)))
    assert recalled(tmp_path).settings == CameraSettings(150, 20, set_temp_c=-5.0)

    warm = replace(step, id="warm", settings=replace(settings, set_temp_c=99.0))
    AnswerStore.for_rig(tmp_path, "My rig").keep_used(CapturePlan("Darks", (step, warm)))
    # What this camera cannot do is left out, and the rest carries on.
    assert recalled(tmp_path).settings == CameraSettings(150, 20, set_temp_c=-5.0)
