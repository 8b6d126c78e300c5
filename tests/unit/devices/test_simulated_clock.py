"""The clock of the simulated observatory."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from math import inf

import pytest

from calibstudio.devices.simulator.clock import SimulatedClock
from calibstudio.domain.errors import Cancelled
from calibstudio.domain.jobs import CancelToken

START = datetime(2026, 4, 17, 20, 0, tzinfo=UTC)


def test_it_shows_the_real_time_unless_told_otherwise() -> None:
    before = datetime.now(UTC)

    shown = SimulatedClock().now()

    assert before <= shown <= datetime.now(UTC)


def test_a_start_in_another_zone_is_shown_in_utc() -> None:
    local = datetime(2026, 4, 17, 22, 0, tzinfo=timezone(timedelta(hours=2)))

    now = SimulatedClock(local, inf).now()

    assert now == START
    assert now.utcoffset() == timedelta(0)


def test_the_fastest_clock_jumps_over_a_night_and_costs_nothing() -> None:
    clock = SimulatedClock(START, inf)
    real = time.monotonic()

    clock.sleep(36_000.0, CancelToken())

    assert clock.now() == START + timedelta(hours=10)
    assert time.monotonic() - real < 0.1


def test_a_fast_clock_sleeps_its_share_of_real_time() -> None:
    clock = SimulatedClock(START, 1000.0)
    real = time.monotonic()

    clock.sleep(100.0, CancelToken())

    took = time.monotonic() - real
    assert 0.095 <= took < 0.5
    assert clock.elapsed_s >= 100.0


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_a_cancel_ends_a_long_sleep_at_once(speed: float) -> None:
    clock, token = SimulatedClock(START, speed), CancelToken()
    threading.Timer(0.05, token.cancel).start()
    real = time.monotonic()

    with pytest.raises(Cancelled):
        clock.sleep(1e6, token)

    assert time.monotonic() - real < 0.5


def test_a_cancelled_token_does_not_sleep_at_all() -> None:
    clock, token = SimulatedClock(START, inf), CancelToken()
    token.cancel()

    with pytest.raises(Cancelled):
        clock.sleep(10.0, token)

    assert clock.now() == START


def test_two_sleepers_of_the_fastest_clock_wake_at_their_own_times() -> None:
    clock = SimulatedClock(START, inf)
    begun = clock.elapsed_s

    clock.sleep_until(begun + 10.0, CancelToken())
    clock.sleep_until(begun + 4.0, CancelToken())

    assert clock.elapsed_s == begun + 10.0


def test_a_fast_clock_stands_at_a_limit_and_goes_on_from_there() -> None:
    clock = SimulatedClock(START, 1000.0)

    with clock.not_beyond(clock.elapsed_s + 5.0):
        limit = clock.elapsed_s + 5.0
        time.sleep(0.05)
        held = clock.elapsed_s
    after = clock.elapsed_s

    assert held <= limit
    assert after - held < 20.0


def test_real_time_is_never_held() -> None:
    clock = SimulatedClock(START, 1.0)

    with clock.not_beyond(clock.elapsed_s):
        time.sleep(0.02)
        elapsed = clock.elapsed_s

    assert elapsed >= 0.02


def test_the_speed_can_be_changed_while_somebody_sleeps() -> None:
    clock = SimulatedClock(START, 1.0)
    threading.Timer(0.05, clock.set_speed, [1e6]).start()
    real = time.monotonic()

    clock.sleep(3600.0, CancelToken())

    assert time.monotonic() - real < 2.0


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_clock_that_cannot_run_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        SimulatedClock(START, speed)
