"""Devices that stop answering in the middle of a sequence, and disks that fill: it waits, says so,
sets everything anew, and goes on; no frame is lost and none is taken twice.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstudio.domain.capture import (
    ActivityKind,
    Answer,
    CaptureStatus,
    QuestionKind,
    StepPhase,
)
from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CoverState, Frame
from calibstudio.domain.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    ExposureFailedError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    CaptureStep,
    LevelTarget,
    LevelUnit,
    SearchLimits,
)
from calibstudio.services import capture_room
from calibstudio.services.capture_patience import RECONNECTS, back_off_s
from calibstudio.services.capture_state import find_sequences
from calibstudio.store import publish
from tests.helpers.bench import (
    BENCH_INFO,
    BenchPanel,
    JumpingClock,
    bench_camera,
    bench_observatory,
)
from tests.helpers.sequences import Operator

SETTINGS = CameraSettings(100, 50)
RETRY, SKIP, STOP = Answer.RETRY, Answer.SKIP, Answer.STOP
FAILURE = QuestionKind.FAILURE


@dataclass
class BenchWheel:
    """A wheel that may be away for so many calls."""

    clock: JumpingClock
    filters: tuple[str, ...] = ("L", "R", "Ha")
    name: str = "Bench wheel"
    slot: int = 0
    away: int = 0
    """Calls that fail from now on."""
    moves: list[str] = field(default_factory=list)

    def _check(self) -> None:
        if self.away > 0:
            self.away -= 1
            raise DeviceUnreachableError("Bench wheel does not answer.", hint="Connect it.")

    def position(self) -> int | None:
        self._check()
        return self.slot

    def move(self, slot: int, cancel: CancelToken) -> None:
        self._check()
        self.slot = slot
        self.moves.append(self.filters[slot])


def darks(frames: int = 4, **settings: Any) -> CapturePlan:
    step = CaptureStep(
        "dark", FrameKind.DARK, frames, replace(SETTINGS, **settings), exposure_s=10.0
    )
    return CapturePlan("Darks", (step,))


def flats(*filters: str) -> CapturePlan:
    draft = FlatDraft(
        settings=SETTINGS,
        filters=filters,
        count=3,
        target=LevelTarget(30_000, LevelUnit.ADU),
        limits=SearchLimits(0.1, 60.0),
        brightness=46,
        with_dark_flats=False,
    )
    return draft.plan(BENCH_INFO)


def bench(**changes: Any) -> Any:
    return bench_observatory(panel=BenchPanel(cover=CoverState.CLOSED), **changes)


def numbers_of(report: Any) -> list[int]:
    return [f.number for f in report.frames if f.number]


def test_waits_grow_and_end_at_a_minute() -> None:
    assert [back_off_s(n) for n in range(1, 7)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


# The camera -------------------------------------------------------------------------------------


def lost_in_exposure(camera: Any) -> None:
    camera.clock.sleep(4.0, CancelToken())
    raise DeviceUnreachableError("Bench camera does not answer.", hint="Connect it.")


def lost_in_readout(camera: Any) -> None:
    camera.clock.sleep(10.4, CancelToken())
    raise DeviceUnreachableError("Bench camera does not answer.", hint="Connect it.")


def no_picture(camera: Any) -> None:
    raise ExposureFailedError("No picture came.")


def busy(camera: Any) -> None:
    raise DeviceBusyError("Bench camera is already exposing.")


@pytest.mark.parametrize("fault", [lost_in_exposure, lost_in_readout, no_picture, busy])
def test_a_camera_that_fails_in_a_frame_takes_it_again_and_counts_it_once(
    fault: Callable[[Any], None], tmp_path: Path
) -> None:
    observatory = bench()
    camera = bench_camera(observatory)
    camera.before = lambda number: fault(camera) if number == 2 else None
    operator = Operator()

    report = operator.run(observatory, darks(), tmp_path)

    assert numbers_of(report) == [1, 2, 3, 4] and len(report.accepted) == 4
    assert len(list(tmp_path.rglob("*.fits"))) == 4
    assert len(camera.requests) == 5
    assert operator.questions == []


def test_a_camera_lost_between_frames_is_waited_for_and_the_operator_is_told(
    tmp_path: Path,
) -> None:
    observatory = bench(can_cool=True, set_temp_range_c=(-40.0, 30.0))
    camera = bench_camera(observatory)
    operator = Operator()
    gone: list[bool] = []

    def leave(status: CaptureStatus) -> None:
        if status.good == 2 and not gone:
            gone.append(True)
            camera.lost = True
        if status.activity.kind is ActivityKind.RECONNECTING and "try 3" in status.activity.text:
            camera.lost = False

    operator.on_status = leave

    report = operator.run(observatory, darks(set_temp_c=-10.0), tmp_path)

    assert len(report.accepted) == 4 and operator.questions == []
    told = [s.activity for s in operator.statuses if s.activity.kind is ActivityKind.RECONNECTING]
    assert [a.seconds for a in told] == [5.0, 10.0, 20.0]
    assert told[0].text == "Camera stopped answering. Reconnecting, try 1 of 5."


def test_after_the_camera_was_away_its_cooler_is_set_anew(tmp_path: Path) -> None:
    observatory = bench(can_cool=True, set_temp_range_c=(-40.0, 30.0))
    camera = bench_camera(observatory)

    def power_cut(number: int) -> None:
        if number == 2:
            camera.cooler_on, camera.set_c, camera.sensor_c = False, None, 4.0
            raise DeviceUnreachableError("Bench camera does not answer.")

    camera.before = power_cut

    report = Operator().run(observatory, darks(set_temp_c=-10.0), tmp_path)

    assert {f.sensor_c for f in report.frames} == {-10.0}
    assert {f.sensor_before_c for f in report.frames} == {-10.0}
    assert len(report.accepted) == 4


def test_a_cooler_that_went_off_between_frames_is_noticed_before_the_next(tmp_path: Path) -> None:
    observatory = bench(can_cool=True, set_temp_range_c=(-40.0, 30.0))
    camera = bench_camera(observatory)

    def power_cut(number: int) -> None:
        if number == 2:
            camera.cooler_on = False

    camera.before = power_cut
    operator = Operator()

    operator.run(observatory, darks(set_temp_c=-10.0), tmp_path)

    assert camera.cooler_on
    assert any("left its temperature" in note for note in operator.last.notes)


@pytest.mark.parametrize(
    ("answer", "phase", "good", "stopped"),
    [
        (SKIP, StepPhase.FAILED, 1, False),
        (STOP, StepPhase.RUNNING, 1, True),
        (RETRY, StepPhase.DONE, 3, False),
    ],
)
def test_after_five_tries_it_asks_and_does_what_is_answered(
    answer: Answer, phase: StepPhase, good: int, stopped: bool, tmp_path: Path
) -> None:
    observatory = bench()
    camera = bench_camera(observatory)

    def lose(number: int) -> None:
        if number == 2:
            camera.lost = True
            raise DeviceUnreachableError("Bench camera does not answer.", hint="Connect it.")

    camera.before = lose
    operator = Operator({FAILURE: [answer]})

    def mend(status: CaptureStatus) -> None:
        if status.question is not None:
            camera.lost = False

    operator.on_status = mend

    report = operator.run(observatory, darks(3), tmp_path)

    state = report.steps[0]
    assert (state.phase, state.good, report.stopped) == (phase, good, stopped)
    assert len(operator.questions) == 1
    tries = [t for t in operator.said if "Reconnecting" in t]
    assert len(tries) >= RECONNECTS


def test_stop_ends_the_waiting_at_once(tmp_path: Path) -> None:
    observatory = bench()
    camera = bench_camera(observatory)

    def lose(number: int) -> None:
        camera.lost = True
        raise DeviceUnreachableError("Bench camera does not answer.")

    camera.before = lose
    operator = Operator()

    def stop(status: CaptureStatus) -> None:
        if status.activity.kind is ActivityKind.RECONNECTING:
            operator.control.stop_after_frame()

    operator.on_status = stop

    report = operator.run(observatory, darks(), tmp_path)

    assert report.stopped and report.state_path is not None
    assert len([t for t in operator.said if "Reconnecting" in t]) == 1


# Wheel and panel --------------------------------------------------------------------------------


def test_a_wheel_that_leaves_before_it_is_turned_is_waited_for(tmp_path: Path) -> None:
    clock_of = bench()
    wheel = BenchWheel(clock_of.clock)
    observatory = replace(clock_of, wheel=wheel)
    operator = Operator()
    gone: list[bool] = []

    def leave(status: CaptureStatus) -> None:
        if status.activity.text == "Turning to filter Ha" and not gone:
            gone.append(True)
            wheel.away = 3

    operator.on_status = leave

    report = operator.run(observatory, flats("R", "Ha"), tmp_path)

    assert [s.phase for s in report.steps] == [StepPhase.DONE, StepPhase.DONE]
    assert operator.questions == []
    assert any(t.startswith("Filter wheel stopped answering. Reconnecting") for t in operator.said)
    assert {f.filter for f in report.frames if f.number} == {"R", "Ha"}
    assert wheel.moves[:2] == ["R", "Ha"] and wheel.slot == 0


def test_a_wheel_that_is_away_while_a_frame_is_kept_costs_no_frame(tmp_path: Path) -> None:
    base = bench()
    wheel = BenchWheel(base.clock)
    observatory = replace(base, wheel=wheel)
    camera = bench_camera(observatory)

    def leave(number: int) -> None:
        wheel.away = 50 if number == 4 else 0

    camera.before = leave
    operator = Operator()

    report = operator.run(observatory, flats("R"), tmp_path)

    assert len(report.accepted) == 3
    assert {f.filter for f in report.frames} == {"R"}
    assert len(camera.requests) == 1 + 1 + 3  # bias level, one test frame, three flats


def test_a_panel_that_leaves_is_waited_for_and_asked_about_in_the_end(tmp_path: Path) -> None:
    class Leaving(BenchPanel):
        calls = 0

        def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
            self.calls += 1
            if brightness and self.calls <= 7:
                raise DeviceUnreachableError("Bench panel does not answer.", hint="Connect it.")
            super().set_brightness(brightness, cancel)

    panel = Leaving(cover=CoverState.CLOSED)
    operator = Operator({FAILURE: [RETRY]})

    report = operator.run(bench_observatory(panel=panel), flats(), tmp_path)

    assert [q.text for q in operator.questions] == ["Bench panel does not answer."]
    assert any("Panel stopped answering. Reconnecting, try 5 of 5." in t for t in operator.said)
    assert len(report.accepted) == 3


def test_a_lamp_that_does_not_go_off_at_the_end_is_tried_three_times_and_said(
    tmp_path: Path,
) -> None:
    class Stubborn(BenchPanel):
        tries = 0

        def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
            if brightness == 0 and self.brightness:
                self.tries += 1
                raise DeviceUnreachableError("Bench panel does not answer.")
            super().set_brightness(brightness, cancel)

    panel = Stubborn(cover=CoverState.CLOSED)
    operator = Operator()

    operator.run(bench_observatory(panel=panel), flats(), tmp_path)

    assert panel.tries == 3
    assert any("The lamp could not be switched off" in note for note in operator.last.notes)


def test_a_device_that_is_wrong_and_not_away_is_asked_about_at_once(tmp_path: Path) -> None:
    class Stuck(BenchPanel):
        def move_cover(self, *, open_it: bool, cancel: CancelToken) -> None:
            raise DeviceError("The cover is frozen.", hint="Warm it.")

    operator = Operator({FAILURE: [SKIP]})

    report = operator.run(bench_observatory(panel=Stuck(cover=CoverState.OPEN)), darks(), tmp_path)

    assert [q.text for q in operator.questions] == ["The cover is frozen."]
    assert not any("Reconnecting" in text for text in operator.said)
    assert report.steps[0].phase is StepPhase.FAILED


# Stale pictures ---------------------------------------------------------------------------------


def test_a_test_frame_that_comes_twice_is_taken_again_and_not_believed(tmp_path: Path) -> None:
    observatory = bench()
    camera = bench_camera(observatory)
    kept: list[Frame] = []

    def stale(number: int, frame: Frame) -> Frame:
        kept.append(frame)
        return replace(frame, data=kept[-2].data) if number == 3 else frame

    camera.change = stale

    report = Operator().run(observatory, flats(), tmp_path)

    assert report.steps[0].test_frames == 2
    assert report.steps[0].exposure_s == pytest.approx(29_500 / 9_200, rel=0.02)


def test_saturated_test_frames_are_no_copies(tmp_path: Path) -> None:
    observatory = bench()
    camera = bench_camera(observatory)
    camera.change = lambda n, f: replace(f, data=np.full_like(f.data, 65_535)) if n in (2, 3) else f
    operator = Operator()

    operator.run(observatory, flats(), tmp_path)

    assert not any("last picture" in note for note in operator.last.notes)


# The disk ---------------------------------------------------------------------------------------


def test_a_disk_that_fills_is_waited_for_with_what_is_missing_and_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = 2 * 128 * 160 + 8640
    free = [capture_room.SPARE_BYTES + 10 * each]
    monkeypatch.setattr(capture_room, "free_for", lambda observatory, folder: free[0])
    observatory = bench()
    operator = Operator()

    def use(status: CaptureStatus) -> None:
        if status.good == 2 and status.question is None and len(asked) == 0:
            free[0] = 1_000_000

    asked: list[str] = []
    control_answer = operator.control.answer

    def look(question: Any, answer: Answer) -> None:
        """Nobody answers; somebody makes room."""
        if question.kind is QuestionKind.DISK:
            asked.append(question.text)
            free[0] = 10**9
        else:
            control_answer(question, answer)

    monkeypatch.setattr(operator.control, "answer", look)
    operator.on_status = use

    report = operator.run(observatory, darks(4), tmp_path)

    assert len(asked) == 1
    assert asked[0].startswith("1\u202fMB free, 4\u202fMB needed. Free 4\u202fMB or choose another")
    assert len(report.accepted) == 4 and numbers_of(report) == [1, 2, 3, 4]
    assert len(bench_camera(observatory).requests) == 4


def test_a_frame_that_finds_no_room_waits_in_memory_and_is_written_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, free = publish.flush_to_disk, [10**9]
    failed: list[Path] = []

    def full_once(path: Path) -> None:
        if ".dark" in path.name and len(list(tmp_path.rglob("*.fits"))) == 2 and not failed:
            failed.append(path)
            free[0] = 0
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path)

    monkeypatch.setattr(publish, "flush_to_disk", full_once)
    monkeypatch.setattr(capture_room, "free_for", lambda observatory, folder: free[0])
    observatory = bench()
    operator = Operator({QuestionKind.DISK: [RETRY]})

    def make_room(status: CaptureStatus) -> None:
        if status.question is not None:
            free[0] = 10**9

    operator.on_status = make_room

    report = operator.run(observatory, darks(4), tmp_path)

    assert [q.kind for q in operator.questions] == [QuestionKind.DISK]
    assert len(report.accepted) == 4
    assert len(bench_camera(observatory).requests) == 4
    assert not list(tmp_path.rglob("*.part"))
    (sequence,) = find_sequences(tmp_path)
    assert sequence.frames == report.frames


# The cooler -------------------------------------------------------------------------------------


def cooled() -> Any:
    return bench(can_cool=True, set_temp_range_c=(-40.0, 30.0))


def test_a_cooler_that_was_on_gets_its_set_point_back(tmp_path: Path) -> None:
    observatory = cooled()
    camera = bench_camera(observatory)
    camera.set_cooler(on=True, target_c=-5.0)

    Operator().run(observatory, darks(2, set_temp_c=-15.0), tmp_path)

    assert camera.cooler_on and camera.set_c == -5.0


def test_a_cooler_that_was_off_is_not_switched_off_in_the_cold(tmp_path: Path) -> None:
    observatory = cooled()

    Operator().run(observatory, darks(2, set_temp_c=-15.0), tmp_path)

    assert bench_camera(observatory).cooler_on


def test_a_plan_that_warms_up_ends_slowly_with_the_cooler_off(tmp_path: Path) -> None:
    observatory = cooled()
    camera = bench_camera(observatory)
    sent: list[tuple[bool, float | None]] = []
    real = camera.set_cooler

    def listen(*, on: bool, target_c: float | None = None) -> None:
        sent.append((on, target_c))
        real(on=on, target_c=target_c)

    camera.set_cooler = listen  # type: ignore[method-assign]
    plan = replace(darks(2, set_temp_c=-10.0), warm_up=True)
    operator = Operator()

    report = operator.run(observatory, plan, tmp_path)

    assert len(report.accepted) == 2 and not camera.cooler_on
    points = [c for on, c in sent if on and c is not None]
    up = points[points.index(-10.0) :]
    assert up == sorted(up) and up[-1] == 15.0 and len(up) > 5
    assert max(b - a for a, b in pairwise(up)) <= 3.0
    assert any("warming up to 15.0" in text for text in operator.said)


def test_a_sequence_that_is_stopped_does_not_warm_up(tmp_path: Path) -> None:
    observatory = cooled()
    plan = replace(darks(3, set_temp_c=-10.0), warm_up=True)
    operator = Operator()
    operator.on_status = lambda s: operator.control.stop_after_frame() if s.good else None

    operator.run(observatory, plan, tmp_path)

    assert bench_camera(observatory).cooler_on
