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


def forgetful(times: int) -> tuple[object, list[float | None]]:
    """A bench whose cooler forgets what it was told, so many times."""
    observatory = bench_observatory(can_cool=True)
    camera = bench_camera(observatory)
    told: list[float | None] = []
    real = camera.set_cooler

    def forget(*, on: bool, target_c: float | None = None) -> None:
        told.append(target_c)
        if len(told) > times:
            real(on=on, target_c=target_c)
        else:
            camera.cooler_on = False

    camera.set_cooler = forget  # type: ignore[method-assign]
    return observatory, told


def test_a_set_point_that_was_lost_is_sent_again() -> None:
    observatory, told = forgetful(2)

    result = cool_to(
        observatory.camera,  # type: ignore[attr-defined]
        observatory.clock,  # type: ignore[attr-defined]
        CancelToken(),
        10.0,
    )

    assert result.phase is CoolerPhase.STABLE and len(told) >= 3


def test_a_cooler_that_stays_off_is_said_and_not_waited_for() -> None:
    observatory, _ = forgetful(10_000)

    with pytest.raises(DeviceError, match="was switched on and says that it is off"):
        cool_to(
            observatory.camera,  # type: ignore[attr-defined]
            observatory.clock,  # type: ignore[attr-defined]
            CancelToken(),
            10.0,
        )


def test_a_cooler_that_takes_another_set_point_is_found_out() -> None:
    observatory = bench_observatory(can_cool=True)
    camera = bench_camera(observatory)

    def other(*, on: bool, target_c: float | None = None) -> None:
        camera.cooler_on, camera.set_c = on, 0.0

    camera.set_cooler = other  # type: ignore[method-assign]

    with pytest.raises(DeviceError, match=r"was set to 9.0.*and says 0.0"):
        cool_to(camera, observatory.clock, CancelToken(), 9.0)


def test_what_does_not_settle_in_its_time_is_late_and_not_out_of_reach() -> None:
    observatory = bench_observatory(can_cool=True)
    camera = bench_camera(observatory)

    def swings(*, on: bool, target_c: float | None = None) -> None:
        camera.cooler_on, camera.set_c, camera.power = on, target_c, 60.0

    camera.set_cooler = swings  # type: ignore[method-assign]
    rules = CoolingRules(timeout_s=300.0)

    result = cool_to(camera, observatory.clock, CancelToken(), 10.0, rules=rules)

    assert result.phase is CoolerPhase.UNREACHABLE and result.late
    assert result.power_pct == 60.0


def test_a_wait_that_is_skipped_leaves_the_whole_set_point_behind() -> None:
    observatory = tiny()

    cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0, skip=lambda: True)

    assert observatory.camera.status().set_c == -10.0


def test_warming_up_goes_as_slowly_as_it_is_told() -> None:
    observatory = tiny()
    cool_to(observatory.camera, observatory.clock, CancelToken(), -10.0)
    before = observatory.clock.now()
    states: list[CoolingState] = []
    rules = CoolingRules(warm_ramp_c_per_min=1.0, warm_to_c=5.0)

    warm_up(observatory.camera, observatory.clock, CancelToken(), rules=rules,
            on_state=states.append)  # fmt: skip

    minutes = (observatory.clock.now() - before).total_seconds() / 60
    assert minutes >= 13.0
    temperatures = [s.sensor_c for s in states if s.sensor_c is not None]
    a_minute = list(zip(temperatures, temperatures[20:], strict=False))
    assert max(b - a for a, b in a_minute) <= 2.2
    assert observatory.camera.status().cooler_on is False


def test_a_cooler_that_is_off_needs_no_warming_up() -> None:
    observatory = tiny()
    before = observatory.clock.now()

    warm_up(observatory.camera, observatory.clock, CancelToken())

    assert observatory.clock.now() == before
