"""Faults on request: what is seen when each of them is made, and that it can be mended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf

import numpy as np
import pytest

from calibstudio.devices.simulator.faults import FAULT_KINDS, Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.errors import Cancelled, DeviceError, DeviceUnreachableError, UsageError
from calibstudio.domain.faults import FaultDesk
from calibstudio.domain.jobs import CancelToken
from tests.unit.devices.shots import NEVER, bias, dark, flat, lamp

Build = Callable[..., SimulatedObservatory]


def desk_of(night: SimulatedObservatory) -> FaultDesk:
    """The observatory's faults."""
    assert night.faults is not None
    return night.faults


@pytest.mark.parametrize("kind", FAULT_KINDS, ids=lambda kind: kind.word)
def test_each_fault_can_be_made_seen_and_mended(build: Build, kind) -> None:
    night = build()
    desk = desk_of(night)

    desk.make(kind.word)
    assert dict(desk.active()) == {kind.word: kind.checked(())}
    assert night.world is not None
    assert night.world.faults != Faults()
    highest = [value.highest for value in kind.values]
    desk.make(kind.word, highest)
    assert desk.active()[kind.word] == pytest.approx(highest)
    desk.mend(kind.word)

    assert desk.active() == {}
    assert night.world.faults == Faults()


def test_one_fault_leaves_the_others_alone(build: Build) -> None:
    desk = desk_of(build())
    for word in ("light-leak", "stuck-cover", "disconnect"):
        desk.make(word)

    desk.mend("stuck-cover")

    assert set(desk.active()) == {"light-leak", "disconnect"}
    desk.mend_all()
    assert desk.active() == {}
    for change in (desk.make, desk.mend):
        with pytest.raises(UsageError, match="melted"):
            change("melted")


def test_a_camera_that_is_lost_in_an_exposure_comes_back_by_itself(build: Build) -> None:
    night = build()
    desk_of(night).make("disconnect", (2, 20))
    bias(night)

    with pytest.raises(DeviceUnreachableError, match="stopped answering"):
        dark(night, 10.0)
    with pytest.raises(DeviceUnreachableError, match="does not answer"):
        night.camera.status()
    night.clock.sleep(21.0, NEVER)

    assert night.camera.status().sensor_c is not None
    bias(night)
    dark(night, 10.0)


def test_a_dead_wheel_says_so_after_a_while_and_stays_where_it_is(build: Build) -> None:
    night = build()
    wheel = night.wheel
    assert wheel is not None
    desk_of(night).make("dead-wheel")
    begun = night.clock.now()

    with pytest.raises(DeviceError, match=r"did not reach G \(slot 3\) within 15") as problem:
        wheel.move(2, NEVER)

    assert problem.value.hint
    assert (night.clock.now() - begun).total_seconds() == pytest.approx(15.0)
    assert wheel.position() == 0
    desk_of(night).mend("dead-wheel")
    wheel.move(2, NEVER)
    assert wheel.position() == 2


@pytest.mark.parametrize("is_open", [False, True])
def test_a_stuck_cover_says_so_after_a_while_and_stays_where_it_is(
    build: Build, is_open: bool
) -> None:
    night = build(cover_open=is_open)
    panel = night.panel
    assert panel is not None
    desk_of(night).make("stuck-cover")
    word = "close" if is_open else "open"

    with pytest.raises(DeviceError, match=f"did not {word} within 15") as problem:
        panel.move_cover(open_it=not is_open, cancel=NEVER)

    assert problem.value.hint
    assert panel.status().cover is (CoverState.OPEN if is_open else CoverState.CLOSED)
    desk_of(night).mend_all()
    panel.move_cover(open_it=not is_open, cancel=NEVER)
    assert panel.status().cover is (CoverState.CLOSED if is_open else CoverState.OPEN)


def test_what_is_stuck_can_be_cancelled(build: Build) -> None:
    night = build(speed=1.0)
    desk_of(night).make("dead-wheel")
    desk_of(night).make("stuck-cover")
    token = CancelToken()
    threading.Timer(0.1, token.cancel).start()
    assert night.wheel is not None
    assert night.panel is not None

    with pytest.raises(Cancelled):
        night.wheel.move(1, token)
    with pytest.raises(Cancelled):
        night.panel.move_cover(open_it=True, cancel=token)

    assert night.wheel.position() == 0
    assert night.panel.status().cover is CoverState.CLOSED


def test_a_slowly_switched_lamp_makes_bands_as_deep_as_theory_says(build: Build) -> None:
    night = build()
    lamp(night, 1024)
    quiet = flat(night, 0.1025).mean(axis=1) - 502.0
    desk_of(night).make("lamp-bands", (200.0,))

    banded = flat(night, 0.1025).mean(axis=1) - 502.0

    # 20.5 periods of which a quarter is light hold 20 or 21 flashes: 1 / 20.5 from peak to peak.
    # The noise of a row is 0.2 %.
    assert np.ptp(banded / quiet) == pytest.approx(1.0 / 20.5, abs=0.015)
    desk_of(night).mend("lamp-bands")
    assert np.ptp((flat(night, 0.1025).mean(axis=1) - 502.0) / quiet) < 0.02


def test_a_fault_changes_only_what_it_is_about(build: Build) -> None:
    healthy, faulty = build(seed=4), build(seed=4, speed=inf)
    for word in ("dead-wheel", "stuck-cover", "full-disk", "unsafe", "lamp-bands"):
        desk_of(faulty).make(word)

    assert (bias(healthy) == bias(faulty)).all()
    assert (dark(healthy, 5.0) == dark(faulty, 5.0)).all()
