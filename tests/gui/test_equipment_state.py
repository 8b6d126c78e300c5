"""Readings of the equipment come once a second from another thread, and say when none come."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pytestqt.qtbot import QtBot

from calibstudio.devices.rigs import open_rig
from calibstudio.domain.equipment import CameraState, CameraStatus, CoverState, Observatory
from calibstudio.domain.errors import DeviceUnreachableError
from calibstudio.gui.context import GuiContext
from calibstudio.gui.equipment_state import (
    CoolingJudge,
    CoolingState,
    EquipmentSnapshot,
    EquipmentState,
)

START = datetime(2026, 4, 17, 21, 30, tzinfo=UTC)


def status(second: float, sensor_c: float, **values: object) -> CameraStatus:
    """A reading this many seconds after the start, with the cooler at work."""
    wanted = {"set_c": -10.0, "cooler_on": True, "cooler_power_pct": 58.0} | values
    at = START + timedelta(seconds=second)
    return CameraStatus(at, CameraState.IDLE, sensor_c=sensor_c, **wanted)  # type: ignore[arg-type]


def states(judge: CoolingJudge, readings: list[CameraStatus]) -> list[CoolingState]:
    """What is said after each reading."""
    return [judge.add(r, can_cool=True) for r in readings]


def test_the_sensor_is_settled_after_a_minute_at_its_set_point() -> None:
    judge = CoolingJudge()

    said = states(judge, [status(s, max(-10.0, 20.0 - s / 4)) for s in range(240)])

    assert said[0] is CoolingState.RAMPING
    first = said.index(CoolingState.SETTLED)
    assert 118 + 60 <= first <= 118 + 66
    assert judge.since == START + timedelta(seconds=first)


@pytest.mark.parametrize("apart_s", [20, 60, 600])
def test_a_clock_that_runs_fast_settles_too(apart_s: int) -> None:
    judge = CoolingJudge()

    said = states(judge, [status(s * apart_s, -10.0 + 0.1 * (s % 2)) for s in range(8)])

    assert said[2] is CoolingState.RAMPING  # two or three readings prove nothing
    assert said[-1] is CoolingState.SETTLED
    assert judge.add(status(8 * apart_s, -8.0), can_cool=True) is CoolingState.RAMPING


def test_a_clock_that_runs_fast_tells_what_cannot_be_held() -> None:
    judge = CoolingJudge()

    said = states(judge, [status(s * 600, -4.0, cooler_power_pct=100.0) for s in range(8)])

    assert said[-1] is CoolingState.UNREACHABLE


def test_a_flicker_of_a_tenth_does_not_unsettle() -> None:
    judge = CoolingJudge()
    states(judge, [status(s, -10.0) for s in range(70)])

    said = states(judge, [status(70 + s, -10.0 + 0.4 * (s % 2)) for s in range(30)])

    assert set(said) == {CoolingState.SETTLED}
    assert judge.add(status(101, -9.0), can_cool=True) is CoolingState.RAMPING


def test_full_power_without_progress_is_said() -> None:
    judge = CoolingJudge()

    said = states(judge, [status(s, -4.0, cooler_power_pct=100.0) for s in range(200)])

    assert said[170] is CoolingState.RAMPING
    assert said[-1] is CoolingState.UNREACHABLE


def test_off_no_cooler_and_unknown_are_three_things() -> None:
    judge = CoolingJudge()

    assert judge.add(status(0, 9.0, cooler_on=False), can_cool=True) is CoolingState.OFF
    assert judge.add(status(1, 9.0), can_cool=False) is CoolingState.NONE
    assert judge.add(status(2, 9.0, set_c=None), can_cool=True) is CoolingState.UNKNOWN


def test_a_new_set_point_begins_anew() -> None:
    judge = CoolingJudge()
    states(judge, [status(s, -10.0) for s in range(70)])

    said = judge.add(status(71, -10.0, set_c=-20.0), can_cool=True)

    assert said is CoolingState.RAMPING
    assert judge.add(status(72, -10.0, set_c=5.0), can_cool=True) is CoolingState.WARMING


def test_snapshots_arrive_in_the_gui_thread_and_say_everything(
    qtbot: QtBot, context: GuiContext
) -> None:
    threads: list[threading.Thread] = []
    context.equipment.status_changed.connect(lambda s: threads.append(threading.current_thread()))

    with qtbot.waitSignal(context.equipment.status_changed, timeout=5000) as waited:
        context.equipment.start()

    said: EquipmentSnapshot = waited.args[0]
    assert threads[0] is threading.main_thread()
    assert said.camera_name == "Simulated 0.3 MP mono"
    assert said.camera is not None
    assert said.cooling is CoolingState.OFF
    assert said.filter_name == "L"
    assert said.cover is CoverState.CLOSED
    assert said.lamp_brightness == 0
    assert said.sun_altitude_deg is not None
    assert said.problems == ()
    assert context.equipment.snapshot == said
    assert len(context.equipment.temperature_history) >= 1


class _DeadCamera:
    """A camera whose driver does not answer."""

    def __init__(self, camera: object) -> None:
        self._camera = camera
        self.dead = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._camera, name)

    def status(self) -> CameraStatus:
        if self.dead:
            raise DeviceUnreachableError("The camera does not answer.")
        return self._camera.status()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def dying() -> Observatory:
    observatory = open_rig("tiny")
    return replace(observatory, camera=_DeadCamera(observatory.camera))


def test_a_camera_that_does_not_answer_is_said_and_the_rest_is_still_read(
    qtbot: QtBot, dying: Observatory
) -> None:
    state = EquipmentState(dying, interval_s=0.01)
    with qtbot.waitSignal(state.status_changed):
        state.start()

    dying.camera.dead = True  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: state.snapshot.camera_lost, timeout=5000)

    assert state.snapshot.problems == ("The camera does not answer.",)
    assert state.snapshot.filter_name == "L"
    dying.camera.dead = False  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: not state.snapshot.camera_lost, timeout=5000)
    state.stop()


def test_other_equipment_begins_with_an_empty_history(qtbot: QtBot, context: GuiContext) -> None:
    equipment = context.equipment
    with qtbot.waitSignal(equipment.status_changed):
        equipment.start()

    with qtbot.waitSignal(equipment.observatory_changed):
        former = equipment.replace(open_rig("small"))

    assert equipment.temperature_history == ()
    qtbot.waitUntil(lambda: equipment.snapshot.camera_name == "Simulated 1.4 MP mono")
    former.close()
