"""The simulated panel, its cover, and the light they let through."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from calibstudio.devices.simulator.clock import SimulatedClock
from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.devices.simulator.panel import MAX_BRIGHTNESS, SimulatedPanel, panel_law
from calibstudio.domain.equipment import CoverState, Region
from calibstudio.domain.errors import Cancelled
from calibstudio.domain.jobs import CancelToken
from tests.unit.devices.shots import NEVER, bias, dark, flat, lamp

Build = Callable[..., SimulatedObservatory]


def test_more_brightness_is_always_more_light_but_not_in_proportion() -> None:
    levels = [panel_law(b) for b in range(MAX_BRIGHTNESS + 1)]

    assert levels[0] == 0.0
    assert levels[-1] == 1.0
    assert (np.diff(levels) > 0.0).all()
    assert panel_law(MAX_BRIGHTNESS // 2) == pytest.approx(0.473, abs=0.001)


def test_frames_follow_the_law(build: Build) -> None:
    night = build()

    def level(brightness: int) -> float:
        lamp(night, brightness)
        return float(np.median(flat(night, 0.3))) - 502.0

    full = level(4096)
    for brightness in (256, 1024, 2048):
        assert level(brightness) / full == pytest.approx(panel_law(brightness), rel=0.01)


def test_too_bright_and_too_dark_can_be_reached(build: Build) -> None:
    night = build()

    lamp(night, MAX_BRIGHTNESS)
    bright = np.median(flat(night, 1.0))
    lamp(night, 2)
    faint = np.median(flat(night, 10.0))

    assert bright == 65_535
    assert faint < 502.0 + 400.0


def test_a_cold_lamp_is_brighter_and_comes_down(build: Build) -> None:
    night = build()
    centre = Region(220, 140, 200, 200)
    lamp(night, 1024, warm=False)

    cold = flat(night, 1.2, region=centre).mean() - 502.0
    night.clock.sleep(900.0, NEVER)
    warm = flat(night, 1.2, region=centre).mean() - 502.0

    assert cold / warm == pytest.approx(1.015, abs=0.002)


def test_it_settles_before_it_says_so() -> None:
    clock = SimulatedClock(None, float("inf"))
    panel = SimulatedPanel(clock, name="Panel")

    panel.set_brightness(500, NEVER)

    assert clock.elapsed_s == pytest.approx(1.5)
    panel.set_brightness(500, NEVER)
    panel.set_brightness(0, NEVER)
    assert clock.elapsed_s == pytest.approx(1.5)


def test_the_cover_moves_for_some_seconds_and_says_so_meanwhile() -> None:
    panel = SimulatedPanel(SimulatedClock(None, 20.0), name="Panel")
    mover = threading.Thread(target=panel.move_cover, kwargs={"open_it": True, "cancel": NEVER})
    assert panel.status().cover is CoverState.CLOSED

    mover.start()
    time.sleep(0.05)
    on_the_way = panel.status().cover
    mover.join()

    assert on_the_way is CoverState.MOVING
    assert panel.status().cover is CoverState.OPEN


def test_a_cover_that_was_cancelled_is_where_it_was() -> None:
    panel, token = SimulatedPanel(SimulatedClock(None, 1.0), name="Panel"), CancelToken()
    threading.Timer(0.05, token.cancel).start()

    with pytest.raises(Cancelled):
        panel.move_cover(open_it=True, cancel=token)

    assert panel.status().cover is CoverState.CLOSED


def test_a_lamp_switched_off_half_way_gives_half_the_light(build: Build) -> None:
    night = build(speed=20.0)
    lamp(night, 1024, warm=False)
    whole = np.median(flat(night, 1.2)) - 502.0
    assert night.panel is not None
    # 0.6 of 1.2 observatory seconds after the start of the exposure.
    off = threading.Timer(0.03, night.panel.set_brightness, [0, NEVER])

    off.start()
    part = np.median(flat(night, 1.2)) - 502.0
    off.join()

    assert 0.15 < part / whole < 0.95


def test_cover_closed_and_lamp_off_is_dark(build: Build) -> None:
    night = build()
    assert night.world is not None

    light = night.world.light(0.0, 60.0, 1)

    assert light.is_dark


def test_a_dark_under_the_lamp_is_lit_because_there_is_no_shutter(build: Build) -> None:
    night = build()
    closed = np.median(dark(night, 1.0))

    lamp(night, 1024)

    assert np.median(dark(night, 1.0)) > closed + 10_000


def test_the_lamp_beside_an_open_cover_gives_stray_light(build: Build) -> None:
    night = build(cover_open=True)
    without = np.median(dark(night, 1.0))

    lamp(night, 4096)

    assert 200.0 < np.median(dark(night, 1.0)) - without < 2000.0


def test_a_light_leak_shows_in_darks_as_a_gradient_that_grows_with_time(build: Build) -> None:
    night = build(faults=Faults(light_leak_e_per_s=0.5))

    short, long = dark(night, 30.0), dark(night, 120.0)

    def gradient(frame: np.ndarray) -> float:
        return float(np.median(frame[:, :64]) - np.median(frame[:400, -64:]))

    assert gradient(short) == pytest.approx(0.25 * gradient(long), rel=0.15, abs=2.0)
    assert gradient(long) > 100.0
    assert abs(gradient(bias(night))) < 2.0


def test_a_flickering_lamp_changes_from_frame_to_frame(build: Build) -> None:
    night = build()
    lamp(night, 1024)
    steady = [np.median(flat(night, 1.0)) - 502.0 for _ in range(8)]

    night.set_faults(Faults(lamp_flicker=0.05))
    flickering = [np.median(flat(night, 1.0)) - 502.0 for _ in range(24)]

    assert np.std(steady) / np.mean(steady) < 0.001
    assert np.std(flickering) / np.mean(flickering) == pytest.approx(0.05, rel=0.4)
