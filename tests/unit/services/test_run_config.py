"""Configurations of `calibstudio run`: ours, key by key, and the plan they make."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import pytest

from calibstudio.domain.capture import Answer, QuestionKind
from calibstudio.domain.equipment import PanelInfo, Region
from calibstudio.domain.errors import FileProblemError, UsageError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CapturePlan,
    LevelUnit,
    LightSource,
    Search,
    step_document,
    step_from_document,
)
from calibstudio.domain.run_config import Part, RunConfig
from calibstudio.domain.run_plan import plan_of
from calibstudio.services.run_config import parse_run_config, read_run_config
from calibstudio.services.run_job import cooling_rules
from calibstudio.store.assets import assets
from tests.helpers.bench import BenchPanel, bench_observatory

FULL = """\
calibstudio: 1
title: Everything
rig: small
simulation: {speed: 100, seed: 7, start: 2026-04-17T22:00:00+02:00}
frames_folder: frames
library: masters
out: elsewhere
recipe: mine.toml
masters: false
camera:
  gain: 120
  offset: 40
  readout_mode: 0
  binning: 2
  region: [10, 20, 64, 32]
  temperature: -10 °C
cooling: {tolerance: 0.5, ramp: 3, timeout: 20 min, wait: false, warm_up: false,
          warm_up_ramp: 2, warm_up_to: 18}
bias: {frames: 7, exposure: 1 ms, binning: 1}
darks:
  - {frames: 5, exposures: [2 min, 60], temperatures: [-10, -20], binnings: [1, 2]}
  - {frames: 4, science: {exposure: 10, factors: [1, 10], longest: 50, flat: 3}}
flats:
  frames: 9
  filters: [L, 1]
  light: lamp
  search: exposure
  level: 20000 e
  tolerance: 5 %
  exposure: 2
  shortest: 0.3
  longest: 20
  test_frames: 8
  dark_flats: 3
dark_flats: {frames: 2, exposures: [4]}
answers: {covered: true, open: yes, lit: yes, cooler: use, failure: retry, bad_frames: stop}
"""


def parsed(text: str) -> RunConfig:
    return parse_run_config(text, "night.yaml", Path("/data"))


def bench(**changes: Any) -> Any:
    panel = BenchPanel(PanelInfo("Panel", True, True, 255))
    return bench_observatory(
        panel=panel,
        can_cool=True,
        set_temp_range_c=(-40.0, 30.0),
        readout_modes=("slow", "fast"),
        **changes,
    )


def plan(text: str, part: Part = Part.ALL, **changes: Any) -> CapturePlan:
    return plan_of(parsed(text), bench(**changes), part).plan


def test_every_key_means_something() -> None:
    config = parsed(FULL)

    assert (config.title, config.rig, config.masters) == ("Everything", "small", False)
    assert config.simulation is not None
    assert (config.simulation.speed, config.simulation.seed) == (100.0, 7)
    assert config.simulation.start == datetime(2026, 4, 17, 20, 0, tzinfo=UTC)
    assert config.frames_folder == Path("/data/frames")
    assert config.library == str(Path("/data/masters"))
    assert config.out == Path("/data/elsewhere")
    assert config.recipe == str(Path("/data/mine.toml"))
    assert config.answers == {
        QuestionKind.COVER: Answer.YES,
        QuestionKind.OPEN: Answer.YES,
        QuestionKind.LIGHT: Answer.YES,
        QuestionKind.COOLER: Answer.YES,
        QuestionKind.FAILURE: Answer.RETRY,
        QuestionKind.BAD_FRAMES: Answer.STOP,
    }
    rules = cooling_rules(config.cooling)
    assert (rules.tolerance_c, rules.ramp_c_per_min, rules.timeout_s) == (0.5, 3.0, 1200.0)
    assert (rules.wait, rules.warm_ramp_c_per_min, rules.warm_to_c) == (False, 2.0, 18.0)


def test_the_plan_has_the_frames_of_the_file_in_order() -> None:
    made = plan(FULL)

    assert not made.warm_up and not made.build_masters
    bias = made.steps[0]
    assert (bias.kind, bias.count, bias.settings.binning) == (FrameKind.BIAS, 7, 1)
    assert (bias.settings.gain, bias.settings.offset) == (120, 40)
    assert bias.settings.region == Region(10, 20, 64, 32)
    assert bias.settings.readout_mode == "slow"
    darks = [
        (s.exposure_s, s.settings.set_temp_c, s.settings.binning, s.count)
        for s in made.steps
        if s.kind is FrameKind.DARK
    ]
    assert darks == [
        *((s, t, b, 5) for t in (-10.0, -20.0) for b in (1, 2) for s in (60.0, 120.0)),
        (3.0, -10.0, 2, 4),
        (10.0, -10.0, 2, 4),
    ]
    first, second = (s for s in made.steps if s.kind is FrameKind.FLAT)
    assert [first.filter, second.filter] == ["L", "1"]
    assert first.light is LightSource.LAMP and first.search is Search.EXPOSURE
    assert first.target is not None
    assert (first.target.value, first.target.unit) == (20_000, LevelUnit.ELECTRONS)
    assert first.target.tolerance == pytest.approx(0.05)
    assert (first.exposure_s, first.limits.shortest_s, first.limits.longest_s) == (2.0, 0.3, 20.0)
    assert first.limits.max_frames == 8
    dark_flats = [s for s in made.steps if s.kind is FrameKind.DARK_FLAT]
    assert [(s.count, s.exposure_from, s.exposure_s) for s in dark_flats] == [
        (3, first.id, None),
        (3, second.id, None),
        (2, None, 4.0),
    ]
    assert len({s.id for s in made.steps}) == len(made.steps)


def test_what_was_left_out_of_a_list_is_said() -> None:
    made = plan_of(parsed(FULL), bench())

    assert made.notes == [
        "Darks: 100\u202fs is left out: the list goes from 1\u202fms to 50\u202fs."
    ]


@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        (Part.DARKS, {FrameKind.BIAS, FrameKind.DARK}),
        (Part.FLATS, {FrameKind.FLAT, FrameKind.DARK_FLAT}),
    ],
)
def test_a_step_of_the_run_takes_only_its_frames(part: Part, kinds: set[FrameKind]) -> None:
    assert {s.kind for s in plan(FULL, part).steps} == kinds


def test_the_least_file_takes_the_camera_s_defaults() -> None:
    made = plan("calibstudio: 1\nbias:\n  frames: 3\n")

    (step,) = made.steps
    assert (step.exposure_s, step.settings.gain, step.settings.offset) == (0.001, 100, 50)
    assert step.settings.set_temp_c is None
    assert made.title == "Bias" and made.build_masters and not made.warm_up


def test_cooling_may_be_skipped_whatever_the_file_says() -> None:
    made = plan_of(parsed(FULL), bench(), cool=False).plan

    assert {s.settings.set_temp_c for s in made.steps} == {None}


def test_what_the_camera_cannot_do_is_said_and_not_asked_of_it() -> None:
    observatory = bench_observatory(gain_range=None, gain_default=None)

    made = plan_of(
        parsed("calibstudio: 1\ncamera: {gain: 5, temperature: -10}\nbias: {frames: 2}\n"),
        observatory,
    )

    assert made.plan.steps[0].settings.gain is None
    assert made.plan.steps[0].settings.set_temp_c is None
    assert any("gain of this camera cannot be set" in note for note in made.notes)
    assert any("no cooler" in note for note in made.notes)


def test_all_filters_are_those_of_the_wheel() -> None:
    from calibstudio.devices.simulator.observatory import simulated_observatory

    simulated = simulated_observatory("tiny")
    text = "calibstudio: 1\nflats: {filters: all, frames: 2, dark_flats: 0}\n"

    made = plan_of(parsed(text), simulated).plan

    assert simulated.wheel is not None
    assert tuple(s.filter for s in made.steps) == simulated.wheel.filters
    assert {s.light for s in made.steps} == {LightSource.PANEL}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bias: {frames: 2}\n", "does not begin with calibstudio: 1"),
        ("calibstudio: 2\n", "written for a newer CalibStudio"),
        ("calibstudio: 1\nbias: 5\n", "line 2, bias: keys with values are needed"),
        ("calibstudio: 1\ndarks: {frames: 2}\n", "line 2, darks.*: a list of exposures"),
        ("calibstudio: 1\nflats: {search: nothing}\n", "flats.exposure: an exposure is needed"),
        ("calibstudio: 1\nflats: {level: 95 %}\n", "is saturated"),
        ("calibstudio: 1\nflats: {shortest: 9, longest: 2}\n", "above the longest"),
        ("calibstudio: 1\nflats: {light: moon}\n", "none of none, panel, lamp"),
        ("calibstudio: 1\ncamera: {region: [1, 2]}\n", "four numbers"),
        ("calibstudio: 1\ncamera: {temperature: warm}\n", "no number of °C"),
        ("calibstudio: 1\nanswers: {failure: maybe}\n", "none of retry, skip, stop"),
        ("calibstudio: 1\nbias: {frames: 2}\nsteps: []\n", "not both"),
        ("calibstudio: 1\nsteps: [{id: x}]\n", "kind: is needed in every step"),
        ("calibstudio: 1\nsteps: [{id: x, kind: moon, count: 1}]\n", "is no step"),
        ("calibstudio: 1\ndarks: {exposures: [5], binning: 1, binnings: [2]}\n", "exclude"),
        ("calibstudio: 1\nsimulation: {start: noon}\n", "no date and time"),
        ("[1, 2]\n", "keys with values are needed here"),
    ],
)
def test_mistakes_are_said_with_line_and_key(text: str, said: str) -> None:
    with pytest.raises(FileProblemError, match=said):
        parsed(text)


def test_a_file_without_frames_and_a_mode_that_is_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match="asks for no frames"):
        plan("calibstudio: 1\n")
    with pytest.raises(UsageError, match="asks for no frames in its part flats"):
        plan("calibstudio: 1\nbias: {frames: 2}\n", Part.FLATS)
    with pytest.raises(UsageError, match="no read-out mode 7"):
        plan("calibstudio: 1\ncamera: {readout_mode: 7}\nbias: {frames: 2}\n")


@pytest.mark.parametrize("path", list(assets("examples", "*.yaml")), ids=lambda p: p.stem)
def test_every_example_that_ships_makes_a_plan(path: Path) -> None:
    from calibstudio.devices.simulator.observatory import simulated_observatory

    config, text = read_run_config(path)
    observatory = simulated_observatory("tiny")

    made = plan_of(config, observatory)

    assert made.plan.steps and text.startswith("#")
    assert not made.plan.problems()


def test_a_clock_may_jump_over_every_wait() -> None:
    simulation = parsed("calibstudio: 1\nsimulation: {speed: max}\nbias: {}\n").simulation

    assert simulation is not None and simulation.speed == inf
    with pytest.raises(FileProblemError, match="no number"):
        parsed("calibstudio: 1\nsimulation: {speed: maximal}\nbias: {}\n")


def test_examples_are_there() -> None:
    assert len(list(assets("examples", "*.yaml"))) >= 5


def test_a_plan_that_a_wizard_saved_is_read_back_as_the_same_steps(tmp_path: Path) -> None:
    from dataclasses import replace

    from calibstudio.domain.drafts import DarkDraft, FlatDraft
    from calibstudio.domain.plan import CameraSettings, LevelTarget, SearchLimits
    from calibstudio.services.run_config_write import config_text, save_plan
    from tests.helpers.bench import BENCH_INFO

    settings = CameraSettings(100, 50, 2, Region(2, 4, 64, 32), "slow", -10.0)
    darks = DarkDraft(settings, (5.0, 60.0), (-10.0, -20.0), (1, 2), 7)
    flat = FlatDraft(
        settings=settings,
        filters=("no", "1", "Hα"),
        target=LevelTarget(20_000, LevelUnit.ELECTRONS, 0.05),
        limits=SearchLimits(0.5, 20.0, 3, 200),
        brightness=40,
        start_exposures_s={"no": 2.5},
    )
    plan = darks.plan(BENCH_INFO)
    plan = replace(
        plan, title="All: of it", steps=(*plan.steps, *flat.plan(BENCH_INFO).steps), warm_up=True
    )

    config = parsed(config_text(plan, rig="tiny"))
    made = plan_of(config, bench())
    save_plan(tmp_path / "plan.yaml", plan)
    again, _ = read_run_config(tmp_path / "plan.yaml")

    assert made.plan == plan and made.notes == []
    assert config.rig == "tiny"
    assert again.steps == plan.steps


SKY = """
calibstudio: 1
flats: {frames: 6, light: sky, twilight: %s, filters: [L, Ha, B], dark_flats: 0}
"""


@pytest.mark.parametrize(
    ("twilight", "order"), [("dusk", ["Ha", "B", "L"]), ("dawn", ["L", "B", "Ha"])]
)
def test_flats_of_the_sky_are_taken_in_the_order_of_the_light(
    twilight: str, order: list[str]
) -> None:
    made = plan(SKY % twilight)

    assert [s.filter for s in made.steps] == order
    assert {s.light for s in made.steps} == {LightSource.SKY}
    assert {str(s.twilight) for s in made.steps} == {twilight}
    assert {s.limits.longest_s for s in made.steps} == {10.0}
    assert step_from_document(step_document(made.steps[0])) == made.steps[0]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("light: sky", "need twilight: dusk or dawn"),
        ("light: sky, twilight: noon", "dusk"),
        ("light: sky, twilight: dusk, search: brightness", "search the exposure"),
        ("light: panel, twilight: dusk", "only light: sky has a twilight"),
    ],
)
def test_twilight_that_makes_no_sense_is_said(keys: str, says: str) -> None:
    with pytest.raises(FileProblemError) as caught:
        parsed(f"calibstudio: 1\nflats: {{{keys}, filters: [L]}}\n")

    assert says in str(caught.value)
