"""The cooler of the simulated camera: inertia, limits and a steady end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from calibstudio.devices.simulator.cooler import Cooler
from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.domain.errors import UnsupportedRequestError
from tests.unit.devices.conftest import NIGHT
from tests.unit.devices.shots import NEVER

Build = Callable[..., SimulatedObservatory]


def temperatures(night: SimulatedObservatory, minutes: int, *, step_s: float = 10.0) -> list[float]:
    readings = []
    for _ in range(int(minutes * 60 / step_s)):
        night.clock.sleep(step_s, NEVER)
        sensor_c = night.camera.status().sensor_c
        assert sensor_c is not None
        readings.append(sensor_c)
    return readings


def test_a_camera_that_is_not_cooled_is_a_little_warmer_than_the_air(build: Build) -> None:
    night = build()

    status = night.camera.status()

    assert night.world is not None
    assert status.sensor_c == pytest.approx(night.world.ambient_c(0.0) + 2.0, abs=0.1)
    assert status.cooler_on is False
    assert status.set_c is None
    assert status.cooler_power_pct == 0.0


def test_it_reaches_a_target_in_minutes_and_stays_there(build: Build) -> None:
    night = build()
    night.camera.set_cooler(on=True, target_c=-10.0)

    readings = temperatures(night, 30)

    assert readings[0] > 5.0
    assert min(readings) > -11.0
    assert all(abs(r + 10.0) <= 0.1 for r in readings[60:])
    assert 40.0 < (night.camera.status().cooler_power_pct or 0.0) < 75.0


def test_a_target_out_of_reach_shows_as_full_power_and_a_standing_temperature(build: Build) -> None:
    night = build()
    night.camera.set_cooler(on=True, target_c=-40.0)

    readings = temperatures(night, 30)

    assert night.camera.status().cooler_power_pct == 100.0
    assert -30.0 < readings[-1] < -20.0
    # The air still cools by about a degree an hour.
    assert abs(readings[-1] - readings[-31]) < 0.2


def test_switched_off_it_warms_to_the_air_again(build: Build) -> None:
    night = build()
    night.camera.set_cooler(on=True, target_c=-10.0)
    temperatures(night, 10)

    night.camera.set_cooler(on=False)
    readings = temperatures(night, 15)

    assert readings[0] < -5.0
    assert night.world is not None
    ambient = night.world.ambient_c(night.world.clock.elapsed_s)
    assert readings[-1] == pytest.approx(ambient + 2.0, abs=0.2)
    assert night.camera.status().cooler_power_pct == 0.0


def test_switched_on_without_a_target_it_keeps_the_last_one(build: Build) -> None:
    night = build()
    night.camera.set_cooler(on=True, target_c=-5.0)
    night.camera.set_cooler(on=False)

    night.camera.set_cooler(on=True)

    assert night.camera.status().set_c == -5.0


def test_a_target_outside_its_range_is_refused_in_a_sentence(build: Build) -> None:
    camera = build().camera

    with pytest.raises(UnsupportedRequestError, match="−60\\.0\u202f°C"):
        camera.set_cooler(on=True, target_c=-60.0)

    assert camera.status().cooler_on is False


def test_the_temperature_does_not_depend_on_how_often_it_is_read(build: Build) -> None:
    watched, alone = build(), build()
    for night in (watched, alone):
        night.camera.set_cooler(on=True, target_c=-10.0)

    temperatures(watched, 3, step_s=0.7)
    alone.clock.sleep_until(watched.clock.elapsed_s, NEVER)

    assert alone.camera.status() == watched.camera.status()


def test_a_stuck_cooler_works_hard_for_nothing(build: Build) -> None:
    night = build(faults=Faults(stuck_cooler=True))
    before = night.camera.status().sensor_c
    night.camera.set_cooler(on=True, target_c=-10.0)

    readings = temperatures(night, 10)

    assert set(readings) == {before}
    assert night.camera.status().cooler_power_pct == 100.0


def test_the_air_is_coldest_before_dawn_and_warmest_in_the_afternoon(build: Build) -> None:
    world = build().world
    assert world is not None

    by_hour = [world.ambient_c(3600.0 * h) for h in range(24)]

    coldest = NIGHT + timedelta(hours=by_hour.index(min(by_hour)))
    warmest = NIGHT + timedelta(hours=by_hour.index(max(by_hour)))
    assert coldest.hour in (2, 3)
    assert warmest.hour in (14, 15)
    assert max(by_hour) - min(by_hour) == pytest.approx(8.0, abs=0.3)


def test_a_clock_that_jumps_over_a_week_does_not_hold_up_a_reading() -> None:
    now = [0.0]
    cooler = Cooler(lambda: now[0], lambda _: 10.0)
    cooler.set(on=True, target_c=-10.0)

    now[0] = 7 * 86400.0

    assert cooler.read()[0] == pytest.approx(-10.0, abs=0.05)
