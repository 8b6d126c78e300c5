"""The search for a level on 276 simulated cameras and lights, and at each of its bounds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

import pytest

from calibstudio.services.auto_exposure import Circumstances, Found, GaveUp
from tests.helpers.level_cases import (
    BOUNDS,
    Case,
    Ran,
    brightness_cases,
    exposure_cases,
    gave_up,
    run_case,
)

WORDS = {
    "panel too bright for the shortest exposure": ("shortest exposure of 0.2", "Dim the panel"),
    "lamp without a dial too bright": ("shortest exposure of 0.2", "paper or cloth"),
    "panel too dim for the longest exposure": ("longest exposure of 10", "Raise the panel to 10"),
    "lamp without a dial too dim": ("longest exposure of 10", "Allow exposures of 2"),
    "no light at all": ("No light", "cap is off"),
    "panel too bright at its lowest step": ("lowest brightness of 1", "expose less than 1"),
    "panel too dim at its highest step": ("highest brightness of 255", "Expose 4."),
    "two steps too far apart": ("no step between", "Expose 2.5"),
}


def ran_all(cases: Iterable[Case]) -> list[Ran]:
    return [run_case(case) for case in cases]


def said(ran: Ran) -> str:
    case = ran.case
    return f"{case.converter.name}, {case.lamp.name}, from {case.start_name}: {gave_up(ran)}"


@pytest.mark.parametrize("kind", ["exposure", "brightness"])
def test_the_level_is_found_in_five_frames_on_any_camera_and_light(kind: str) -> None:
    cases = exposure_cases() if kind == "exposure" else brightness_cases()

    all_ran = ran_all(cases)

    assert len(all_ran) == (180 if kind == "exposure" else 96)
    lost = [said(r) for r in all_ran if not isinstance(r.outcome, Found)]
    assert lost == []
    frames = Counter(r.frames for r in all_ran)
    sys.stdout.write(f"{kind}: frames needed {dict(sorted(frames.items()))}\n")
    assert sum(n for f, n in frames.items() if f <= 5) >= 0.95 * len(all_ran)
    assert max(frames) <= 6
    trained = [r.frames for r in all_ran if r.case.start_name == "trained"]
    assert max(trained, default=0) <= 2
    for ran in all_ran:
        goal = ran.case.goal
        # A tenth for the tolerance, the rest for noise and for the light falling off in the middle.
        assert ran.true_level_adu == pytest.approx(goal.target_adu, rel=0.115), said(ran)


@pytest.mark.parametrize(("what", "case", "around"), BOUNDS, ids=[b[0] for b in BOUNDS])
def test_each_bound_names_its_cause_and_its_cure(
    what: str, case: Case, around: Circumstances
) -> None:
    ran = run_case(case, around)

    cause, cure = WORDS[what]
    assert isinstance(ran.outcome, GaveUp)
    assert cause in ran.outcome.message
    assert cure in ran.outcome.hint
