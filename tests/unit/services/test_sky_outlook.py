"""A twilight that is missed or too short is said before anything moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest

from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.plan import CameraSettings, CapturePlan, LightSource, SearchLimits
from calibstudio.domain.quality import Verdict
from calibstudio.domain.twilight import Twilight
from calibstudio.domain.twilight_outlook import FilterWindow, sky_windows
from calibstudio.services.capture_check import preflight
from calibstudio.services.sky_outlook import sky_outlook

DUSK = datetime(2026, 4, 17, 18, 4, tzinfo=UTC)
FILTERS = ("Ha", "B", "L")
LIMITS_S = (0.5, 10.0)


@pytest.fixture
def there() -> Iterator[SimulatedObservatory]:
    made = simulated_observatory("tiny", speed=inf, start=DUSK)
    yield made
    made.close()


def plan(there: SimulatedObservatory, count: int = 5, *, filters: tuple[str, ...] = FILTERS,
         twilight: Twilight = Twilight.DUSK) -> CapturePlan:  # fmt: skip
    draft = FlatDraft(
        CameraSettings(100, 50), filters, count, light=LightSource.SKY, twilight=twilight,
        limits=SearchLimits(*LIMITS_S), with_dark_flats=False,
    )  # fmt: skip
    return draft.plan(there.camera.info)


def window(there: SimulatedObservatory, name: str) -> FilterWindow:
    info = there.camera.info
    said = there.camera.conversion(100, None)
    assert said is not None and there.site is not None and info.pixel_size_um is not None
    top = min(float(info.max_adu), (said.full_well_e or 1e9) / said.e_per_adu)
    return sky_windows(
        [name], Twilight.DUSK, now=there.clock.now(), site=there.site, optics=there.optics,
        pixel_um=info.pixel_size_um, signal_e=0.5 * top * said.e_per_adu, limits_s=LIMITS_S,
    )[0]  # fmt: skip


def go_to(there: SimulatedObservatory, moment: datetime) -> None:
    there.clock.sleep((moment - there.clock.now()) / timedelta(seconds=1), CancelToken())


def test_light_that_comes_is_announced_with_its_time(there: SimulatedObservatory) -> None:
    found = sky_outlook(there, plan(there))

    assert (found.verdict, found.fix) == (None, "")
    begins = window(there, "Ha").begins
    assert begins is not None
    assert f"light from {begins:%H:%M} UTC" in found.fact


def test_a_window_that_is_open_begins_now(there: SimulatedObservatory) -> None:
    before = window(there, "B")
    assert before.begins is not None and before.ends is not None
    go_to(there, before.begins + timedelta(seconds=60))

    inside = window(there, "B")

    assert inside.begins == there.clock.now()
    assert inside.ends is not None
    assert abs(inside.ends - before.ends) < timedelta(minutes=2)


def test_filters_whose_light_is_over_are_named_with_what_to_do(
    there: SimulatedObservatory, tmp_path: Path
) -> None:
    over = window(there, "Ha").ends
    assert over is not None
    go_to(there, over + timedelta(seconds=60))

    checks = {c.name: c for c in preflight(there, plan(there), tmp_path)}

    sun = checks["Sun"]
    assert sun.verdict is Verdict.WARN
    assert "Dusk is over for Ha." in sun.fact
    assert "L" not in sun.fact.split("over for")[1].split(".")[0]
    assert "Dawn has light from 03:" in sun.fix


def test_more_flats_than_the_light_lasts_are_said(there: SimulatedObservatory) -> None:
    found = sky_outlook(there, plan(there, 400))

    assert found.verdict is Verdict.WARN
    assert "too short for all flats of B, L." in found.fact
    assert found.fix.startswith("Take fewer flats or filters.")
    # Cooling that takes the whole window leaves nothing.
    late = sky_outlook(there, plan(there, filters=("Ha",)), cooling_s=7200.0)
    assert "Dusk is over for Ha." in late.fact


def test_a_dusk_that_is_over_for_today_leads_to_dawn(there: SimulatedObservatory) -> None:
    go_to(there, DUSK + timedelta(hours=3))

    found = sky_outlook(there, plan(there))

    assert found.verdict is Verdict.WARN
    assert "not waited for" in found.fact
    assert "Dawn has light from 03:" in found.fix
