"""How long a plan takes with its cooling, told apart before anything is cooled."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CameraSettings, CapturePlan, CaptureStep, Estimate
from calibstudio.services.cooling import cool_to, warm_up
from calibstudio.services.cooling_time import TimeNeeded, time_needed

START = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
FRAMES = Estimate(10, 0, 600.0, 1_000_000)


def plan_at(*temps_c: float | None, warm_up: bool = False) -> CapturePlan:
    steps = tuple(
        CaptureStep(f"dark{i}", FrameKind.DARK, 5, CameraSettings(set_temp_c=c), exposure_s=60.0)
        for i, c in enumerate(temps_c)
    )
    return CapturePlan("Darks", steps, warm_up=warm_up)


def test_cooling_and_warm_up_are_what_the_cooler_then_takes() -> None:
    observatory = simulated_observatory("tiny", speed=math.inf, start=START)
    camera, clock = observatory.camera, observatory.clock
    needed = time_needed(
        plan_at(-10.0, -10.0, -15.0, warm_up=True), FRAMES, camera.info, camera.status()
    )

    began = clock.now()
    for target_c in (-10.0, -15.0):
        cool_to(camera, clock, CancelToken(), target_c)
    cooled = clock.now()
    warm_up(camera, clock, CancelToken())
    warmed = clock.now()

    assert needed.cooling_s == pytest.approx((cooled - began).total_seconds(), rel=0.35)
    assert needed.warming_s == pytest.approx((warmed - cooled).total_seconds(), rel=0.5)
    assert needed.seconds == 600.0 + needed.cooling_s + needed.warming_s
    observatory.close()


def test_a_sensor_that_is_at_its_temperature_needs_next_to_nothing() -> None:
    observatory = simulated_observatory("tiny", speed=math.inf, start=START)
    camera = observatory.camera
    cool_to(camera, observatory.clock, CancelToken(), -10.0)

    needed = time_needed(plan_at(-10.0), FRAMES, camera.info, camera.status())

    assert needed.cooling_s <= 15.0
    assert needed.words() == ""
    uncooled = time_needed(plan_at(None), FRAMES, camera.info, camera.status())
    assert uncooled == TimeNeeded(600.0)
    observatory.close()


def test_the_sensor_cools_while_the_light_is_waited_for() -> None:
    observatory = simulated_observatory("tiny", speed=math.inf, start=START)
    info, status = observatory.camera.info, observatory.camera.status()
    long = replace(FRAMES, seconds=600.0 + 7200.0, waiting_s=7200.0)
    short = replace(FRAMES, seconds=600.0 + 60.0, waiting_s=60.0)

    waits = time_needed(plan_at(-10.0), long, info, status)
    cools = time_needed(plan_at(-10.0), short, info, status)

    assert waits.seconds == pytest.approx(7800.0)
    assert waits.cooling_s + waits.waiting_s == pytest.approx(7200.0)
    assert (cools.waiting_s, cools.seconds) == (0.0, 600.0 + cools.cooling_s)
    observatory.close()


def test_it_is_said_in_whole_minutes() -> None:
    assert TimeNeeded(600.0, 341.0).words() == "Cooling about 6\u202fmin"
    said = TimeNeeded(600.0, 341.0, 7000.0, 250.0).words()
    assert said == (
        "Cooling about 6\u202fmin, wait for the light about 1\u202fh 57\u202fmin, "
        "warm-up about 4\u202fmin"
    )
