"""What a plan costs and is worth, against what the plan itself says."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.dark_flat_draft import DarkFlatDraft
from calibstudio.domain.drafts import DarkDraft, FlatDraft
from calibstudio.domain.equipment import CameraInfo, Conversion
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.outlook import (
    added_noise,
    cost_matrix,
    master_snr,
    saturation_adu,
    step_costs,
)
from calibstudio.domain.plan import CameraSettings, LightSource

INFO = CameraInfo(
    "Test camera", (1000, 1500), 65535, binnings=(1, 2), gain_range=(0, 300), readout_s=1.0,
    can_cool=True, set_temp_range_c=(-40, 30), exposure_min_s=0.001,
)  # fmt: skip


def test_steps_together_cost_what_the_plan_costs_without_moving_anything() -> None:
    draft = DarkDraft(CameraSettings(), (60.0, 120.0), (0.0, -10.0), (1, 2), 5, with_bias=True)

    costs = step_costs(draft.plan(INFO), INFO)

    whole = draft.estimate(INFO)
    assert len(costs) == 12
    assert sum(c.seconds for c in costs) == pytest.approx(whole.seconds)
    assert sum(c.bytes for c in costs) == whole.bytes


def test_the_matrix_adds_up_in_both_directions() -> None:
    draft = DarkDraft(CameraSettings(), (60.0, 120.0), (0.0, -10.0), (1, 2), 5)

    matrix = cost_matrix(draft.plan(INFO), INFO)

    assert len(matrix.columns) == 4 and [r.exposure_s for r in matrix.rows] == [60.0, 120.0]
    assert matrix.frames == 40
    assert sum(t.seconds for t in matrix.totals) == pytest.approx(matrix.total.seconds)
    assert sum(r.total.bytes for r in matrix.rows) == matrix.total.bytes
    half = next(i for i, s in enumerate(matrix.columns) if s.binning == 2)
    full = next(i for i, s in enumerate(matrix.columns) if s.binning == 1)
    assert matrix.rows[0].cells[half].bytes < matrix.rows[0].cells[full].bytes / 3


def test_a_searched_exposure_is_a_guess_until_it_is_known() -> None:
    draft = FlatDraft(filters=("L",), light=LightSource.LAMP, count=3)
    plan = draft.plan(INFO)

    guessed, known = step_costs(plan, INFO), step_costs(plan, INFO, exposures_s={"flat-L": 2.0})

    assert [c.is_guess for c in guessed] == [True, True]
    assert [(c.is_guess, c.exposure_s) for c in known] == [(False, 2.0), (False, 2.0)]


def test_saturation_is_the_full_well_where_that_comes_first() -> None:
    assert saturation_adu(INFO, 500.0, None) == 65535
    assert saturation_adu(INFO, 500.0, Conversion(1.0, full_well_e=50_000.0)) == 50_500
    assert saturation_adu(INFO, 500.0, Conversion(0.5, full_well_e=50_000.0)) == 65535


def test_the_sn_of_a_master_is_that_of_simulated_flats() -> None:
    rng = np.random.default_rng(7)
    n, electrons, pixels = 32, 7900.0, 20_000

    master = rng.poisson(electrons, (n, pixels)).mean(axis=0)

    # The scatter of 20 000 pixels is known to 1 / sqrt(2 * 20 000) = 0.5 %; 4 sigma.
    assert master.mean() / master.std() == pytest.approx(master_snr(n, electrons), rel=0.02)


def test_the_noise_a_master_adds_is_that_of_a_simulated_light() -> None:
    rng = np.random.default_rng(8)
    n, pixels = 20, 40_000

    light = rng.normal(0, 3.0, pixels) - rng.normal(0, 3.0, (n, pixels)).mean(axis=0)

    # 1 / sqrt(2 * 40 000) = 0.35 %; 4 sigma.
    assert light.std() / 3.0 == pytest.approx(1 + added_noise(n), rel=0.014)


def test_dark_flats_have_the_exposures_of_the_flats_and_say_when_none_is_given() -> None:
    draft = DarkFlatDraft.for_camera(INFO)
    assert draft.problems(INFO) == [
        "No exposure is given. Type those of the flats, or read their folder."
    ]

    draft.exposures_s, draft.count = (2.28, 0.73), 4

    plan = draft.plan(INFO)
    assert draft.problems(INFO) == [] and plan.problems() == []
    assert [(s.kind, s.exposure_s, s.count) for s in plan.steps] == [
        (FrameKind.DARK_FLAT, 0.73, 4),
        (FrameKind.DARK_FLAT, 2.28, 4),
    ]
    assert plan.title == "Dark flats, 2 exposures, 0.73\u202fs–2.28\u202fs"


def test_many_exposures_are_advised_against_once() -> None:
    draft = DarkFlatDraft.for_camera(INFO)
    draft.exposures_s = tuple(float(n) for n in range(1, 13))

    assert any("12 exposures rarely need a set each" in a for a in draft.advice(INFO))
