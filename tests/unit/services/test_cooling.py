"""The cooler: stable is a whole window, unreachable is full power without progress."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.errors import Cancelled, DeviceError
from calibstudio.domain.jobs import CancelToken
from calibstudio.services.cooling import (
    CoolerPhase,
    CoolingRules,
    CoolingState,
    Reading,
    cool_to,
    is_stable,
    is_unreachable,
    reachable_c,
    warm_up,
)
from tests.helpers.bench import bench_camera, bench_observatory

RULES = CoolingRules()


def tiny(faults: Faults | None = None) -> SimulatedObservatory:
    start = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
    return simulated_observatory("tiny", speed=math.inf, start=start, faults=faults)


def test_the_sensor_is_really_stable_when_the_wait_ends() -> None:
    observatory = tiny()
    states: list[CoolingState] = []

    result = cool_to(
        observatory.camera, observatory.clock, CancelToken(), -10.0, on_state=states.append
    )

    assert result.phase is CoolerPhase.STABLE
    for _ in range(60):
        observatory.clock.sleep(5.0, CancelToken())
        assert observatory.camera.status().sensor_c == pytest.approx(-10.0, abs=0.4)
    temperatures = [s.sensor_c for s in states if s.sensor_c is not None]
    assert all(abs(t + 10.0) <= RULES.tolerance_c for t in temperatures[-20:])


def test_the_sensor_cools_along_a_ramp() -> None:
    observatory = tiny()
    states: list[CoolingState] = []

    cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0, on_state=states.append)

    drops = [
        (a.sensor_c or 0) - (b.sensor_c or 0) for a, b in zip(states, states[10:], strict=False)
    ]
    assert max(drops) <= 1.3 * RULES.ramp_c_per_min * 10 * RULES.poll_s / 60
    assert states[5].seconds_to_go == pytest.approx(240, rel=0.5)


def test_a_cooler_that_holds_its_set_point_already_is_believed_soon() -> None:
    observatory = tiny()
    cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0)
    before = observatory.clock.now()

    result = cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0)

    assert result.phase is CoolerPhase.STABLE
    assert (observatory.clock.now() - before).total_seconds() <= 30


def test_a_temperature_out_of_reach_is_said_with_one_that_holds() -> None:
    observatory = tiny()

    result = cool_to(observatory.camera, observatory.clock, CancelToken(), -38.0)

    assert result.phase is CoolerPhase.UNREACHABLE
    assert result.power_pct == pytest.approx(100.0)
    assert result.holds_c is not None and result.sensor_c is not None
    assert result.sensor_c < result.holds_c <= result.sensor_c + 6
    again = cool_to(observatory.camera, observatory.clock, CancelToken(), result.holds_c)
    assert again.phase is CoolerPhase.STABLE
    assert again.power_pct is not None and again.power_pct < 95


def test_a_stuck_cooler_is_found_out_in_minutes() -> None:
    observatory = tiny(Faults(stuck_cooler=True))
    before = observatory.clock.now()

    result = cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0)

    assert result.phase is CoolerPhase.UNREACHABLE
    assert (observatory.clock.now() - before).total_seconds() < 600


def test_the_wait_can_be_skipped_and_cancelled() -> None:
    observatory = tiny()
    cancelled = CancelToken()
    cancelled.cancel()

    result = cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0, skip=lambda: True)

    assert result.phase is CoolerPhase.SETTLING
    with pytest.raises(Cancelled):
        cool_to(observatory.camera, observatory.clock, cancelled, -10.0)


@pytest.mark.parametrize("reading", [None, float("nan")])
def test_a_temperature_that_is_missing_is_a_fault_and_never_zero(reading: float | None) -> None:
    observatory = bench_observatory(can_cool=True)
    camera = bench_camera(observatory)

    def forget(*, on: bool, target_c: float | None = None) -> None:
        camera.sensor_c = reading

    camera.set_cooler = forget  # type: ignore[method-assign]

    with pytest.raises(DeviceError, match="does not say its sensor temperature"):
        cool_to(camera, observatory.clock, CancelToken(), -10.0)


def test_passing_through_the_target_is_not_being_stable() -> None:
    falling = [Reading(3.0 * i, -9.8 - 0.02 * i, 60.0) for i in range(30)]
    still = [Reading(3.0 * i, -10.0 + 0.05 * (-1) ** i, 60.0) for i in range(30)]

    assert not is_stable(falling, -10.0, RULES, 60.0)
    assert is_stable(still, -10.0, RULES, 60.0)
    assert not is_stable(still[:10], -10.0, RULES, 60.0)


def test_full_power_with_progress_is_not_out_of_reach() -> None:
    moving = [Reading(3.0 * i, 5.0 - 0.05 * i, 100.0) for i in range(70)]
    stalled = [Reading(3.0 * i, 5.0, 100.0) for i in range(70)]
    idle = [Reading(3.0 * i, 5.0, 40.0) for i in range(70)]

    assert not is_unreachable(moving, -10.0, RULES)
    assert is_unreachable(stalled, -10.0, RULES)
    assert not is_unreachable(idle, -10.0, RULES)


def test_the_temperature_proposed_leaves_ten_percent() -> None:
    assert reachable_c(15.0, -20.0, False, RULES) == math.ceil(15.0 - 0.9 * 35.0)
    assert reachable_c(-16.0, -16.2, True, RULES) == -12


def test_warming_up_ends_with_the_cooler_off() -> None:
    observatory = tiny()
    cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0)
    phases: set[CoolerPhase] = set()

    warm_up(
        observatory.camera,
        observatory.clock,
        CancelToken(),
        to_c=15.0,
        on_state=lambda s: phases.add(s.phase),
    )

    status = observatory.camera.status()
    assert status.cooler_on is False
    assert status.sensor_c is not None and status.sensor_c > 5.0
    assert phases == {CoolerPhase.WARMING}
