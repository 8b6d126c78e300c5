"""Filters of twilight flats: in the order that was measured, else in the usual one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.plan import CameraSettings, LightSource
from calibstudio.domain.twilight import Twilight, in_order_of_light
from calibstudio.services.sky_order import in_measured_order, light_order
from calibstudio.services.trained import TrainedKey, TrainedStore
from tests.helpers.bench import BENCH_INFO

SETTINGS = CameraSettings(100, 50)
AT = datetime(2026, 4, 16, 18, 30, tzinfo=UTC)
NAMES = ("L", "R", "B", "Ha")


@pytest.fixture
def trained(tmp_path: Path) -> TrainedStore:
    return TrainedStore.for_rig(tmp_path, "My rig")


def sky(trained: TrainedStore, **rates: float) -> None:
    for name, rate in rates.items():
        trained.learn_sky(SETTINGS, name, rate, AT)


@pytest.mark.parametrize("twilight", list(Twilight))
def test_the_usual_order_is_said_to_be_one(trained: TrainedStore, twilight: Twilight) -> None:
    order = light_order(NAMES, twilight, SETTINGS, trained)

    assert order.filters == in_order_of_light(NAMES, twilight)
    assert order.why.startswith("usual: ")


def test_measured_rates_decide_and_come_back_after_a_restart(
    trained: TrainedStore, tmp_path: Path
) -> None:
    sky(trained, L=900.0, R=50.0, B=400.0, Ha=70.0)
    again = TrainedStore.for_rig(tmp_path, "My rig")

    dusk = light_order(NAMES, Twilight.DUSK, SETTINGS, again)

    assert dusk.filters == ("R", "Ha", "B", "L")
    assert dusk.why == "as measured 2026-04-16"
    dawn = light_order(NAMES, Twilight.DAWN, SETTINGS, again)
    assert dawn.filters == tuple(reversed(dusk.filters))
    other = light_order(NAMES, Twilight.DUSK, replace(SETTINGS, gain=0), again)
    assert other.why.startswith("usual")


def test_filters_that_were_not_measured_keep_their_usual_places(trained: TrainedStore) -> None:
    sky(trained, L=40.0, B=400.0)

    order = light_order(NAMES, Twilight.DUSK, SETTINGS, trained)

    # Usual: Ha, B, R, L. The two that are known change places.
    assert order.filters == ("Ha", "L", "R", "B")
    assert order.why == "as measured 2026-04-16; R, Ha as usual"


def test_without_a_twilight_the_trained_panel_flats_tell(trained: TrainedStore) -> None:
    sky(trained, L=900.0)
    for name, seconds, dial in (("R", 4.0, 100), ("Ha", 1.0, 200), ("B", 1.0, 100)):
        key = TrainedKey.of(SETTINGS, name, dial)
        trained.learn(key, seconds, 30_000.0, AT)

    order = light_order(("R", "B", "Ha"), Twilight.DUSK, SETTINGS, trained)

    # Signal at one brightness of the panel: 75, 300 and 150.
    assert order.filters == ("R", "Ha", "B")
    assert order.why == "as trained on the panel"


def test_a_plan_is_put_in_order_with_its_dark_flats_after_their_flats(
    trained: TrainedStore,
) -> None:
    sky(trained, L=900.0, R=50.0, B=400.0, Ha=70.0)
    draft = FlatDraft(
        SETTINGS, NAMES, 5, light=LightSource.SKY, twilight=Twilight.DUSK, with_dark_flats=True
    )
    plan = draft.plan(BENCH_INFO)

    ordered = in_measured_order(plan, trained)

    assert [s.filter for s in ordered.steps if s.light is LightSource.SKY] == [
        "R", "Ha", "B", "L",
    ]  # fmt: skip
    assert sorted(s.id for s in ordered.steps) == sorted(s.id for s in plan.steps)
    assert ordered.problems() == []
    assert in_measured_order(plan, None) == plan
