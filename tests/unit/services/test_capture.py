"""Sequences on a bench where each fault happens in exactly one frame."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.capture import (
    ActivityKind,
    Answer,
    CaptureStatus,
    FrameNotes,
    QuestionKind,
    SequenceControl,
    StepPhase,
)
from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.equipment import CoverState, ExposureRequest, Frame, PanelInfo
from calibstudio.domain.errors import (
    Cancelled,
    DeviceError,
    DeviceUnreachableError,
    ExposureFailedError,
    UnsupportedRequestError,
    UsageError,
    WriteProblemError,
)
from calibstudio.domain.jobs import heeding
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    CaptureStep,
    LevelTarget,
    LevelUnit,
    LightSource,
    Search,
    SearchLimits,
)
from calibstudio.domain.quality import Verdict
from calibstudio.services.capture_state import resume_plan
from calibstudio.services.trained import TrainedKey, TrainedStore
from calibstudio.store import publish
from calibstudio.store.folder_sink import FolderSink
from tests.helpers.bench import BENCH_INFO, BenchPanel, bench_camera, bench_observatory
from tests.helpers.sequences import Operator

SETTINGS = CameraSettings(100, 50)
RETRY, SKIP, STOP, YES = Answer.RETRY, Answer.SKIP, Answer.STOP, Answer.YES


def darks(count: int = 4, exposure_s: float = 10.0, **settings: Any) -> CapturePlan:
    step = CaptureStep(
        "dark", FrameKind.DARK, count, replace(SETTINGS, **settings), exposure_s=exposure_s
    )
    return CapturePlan("Darks", (step,))


def flats(**changes: Any) -> CapturePlan:
    draft = FlatDraft(
        settings=SETTINGS,
        count=4,
        target=LevelTarget(30_000, LevelUnit.ADU),
        limits=SearchLimits(0.1, 60.0),
        brightness=46,
    )
    return replace(draft, **changes).plan(BENCH_INFO)


def covered_bench(**changes: Any) -> Any:
    return bench_observatory(panel=BenchPanel(cover=CoverState.CLOSED), **changes)


# The usual --------------------------------------------------------------------------------------


def test_every_step_gets_its_good_frames_and_the_screen_is_told_all_along(tmp_path: Path) -> None:
    operator = Operator()

    report = operator.run(covered_bench(), darks(), tmp_path)

    assert (report.stopped, report.problems, report.state_path) == (False, (), None)
    assert [s.phase for s in report.steps] == [StepPhase.DONE]
    assert len(report.accepted) == 4 and all(p.exists() for p in report.accepted)
    assert operator.last.finished and operator.last.good == operator.last.wanted == 4
    assert operator.last.activity.kind is ActivityKind.FINISHED
    exposing = [s for s in operator.statuses if s.activity.kind is ActivityKind.EXPOSING]
    assert exposing[0].activity.seconds == pytest.approx(10.5)
    assert exposing[0].seconds_to_go == pytest.approx(4 * 10.8)
    assert exposing[-1].seconds_to_go == pytest.approx(10.5, abs=0.5)
    assert exposing[0].ends_at is not None and exposing[0].folder is not None


def test_the_cover_is_closed_for_darks_and_open_again_at_the_end(tmp_path: Path) -> None:
    panel = BenchPanel(cover=CoverState.OPEN)
    observatory = bench_observatory(panel=panel)

    report = Operator().run(observatory, darks(), tmp_path)

    assert panel.moves == ["closed", "open"]
    assert fits.getheader(report.accepted[0])["CSCOVER"] == "CLOSED"


def test_a_shutter_needs_no_question(tmp_path: Path) -> None:
    observatory = bench_observatory(has_shutter=True, light=lambda request: 5_000.0)

    report = Operator().run(observatory, darks(2), tmp_path)

    assert len(report.accepted) == 2


def test_flats_are_searched_taken_and_followed_by_dark_flats_of_their_exposure(
    tmp_path: Path,
) -> None:
    panel = BenchPanel(cover=CoverState.OPEN)
    observatory = bench_observatory(panel=panel)

    report = Operator().run(observatory, flats(), tmp_path)

    flat, dark = report.steps
    assert flat.phase is dark.phase is StepPhase.DONE
    assert flat.exposure_s == pytest.approx(29_500 / (46 * 200), rel=0.02)
    assert flat.target_adu == 30_000 and flat.band_adu == pytest.approx((27_000, 33_000))
    for path in report.accepted[:4]:
        assert np.median(fits.getdata(path)) == pytest.approx(30_000, rel=0.1)
        assert fits.getheader(path)["CSPANEL"] == 46
    assert [round(f.exposure_s, 3) for f in report.frames if f.kind is FrameKind.DARK_FLAT] == [
        round(float(np.median([f.exposure_s for f in report.frames if f.accepted][:4])), 3)
    ] * 4
    assert panel.moves[:3] == ["closed", "lamp 46", "lamp 0"]
    assert panel.moves[-1] == "open"
    assert panel.brightness == 0


def test_the_bias_level_is_measured_first_and_the_accepted_test_frame_counts(
    tmp_path: Path,
) -> None:
    observatory = bench_observatory(panel=BenchPanel())
    operator = Operator()

    report = operator.run(observatory, flats(with_dark_flats=False), tmp_path)

    camera = bench_camera(observatory)
    assert camera.requests[0].kind is FrameKind.BIAS
    assert operator.last.bias_adu == pytest.approx(500, abs=1)
    assert report.steps[0].test_frames == 2
    assert len(camera.requests) == 1 + 1 + 4  # bias, one test frame, four flats


def test_brightness_is_searched_where_the_exposure_stays(tmp_path: Path) -> None:
    panel = BenchPanel()
    observatory = bench_observatory(panel=panel)
    plan = flats(search=Search.BRIGHTNESS, exposure_s=2.0, brightness=200, with_dark_flats=False)

    report = Operator().run(observatory, plan, tmp_path)

    assert report.steps[0].brightness == pytest.approx(29_500 / 400, abs=8)
    assert {f.exposure_s for f in report.frames} == {2.0}
    assert all(f.level_adu == pytest.approx(30_000, rel=0.1) for f in report.frames if f.accepted)


def test_what_was_found_is_where_the_next_search_starts(tmp_path: Path) -> None:
    trained = TrainedStore(tmp_path / "trained.json")
    plan = flats(with_dark_flats=False)
    Operator().run(bench_observatory(panel=BenchPanel()), plan, tmp_path, trained=trained)

    again = bench_observatory(panel=BenchPanel())
    operator = Operator()
    report = operator.run(again, plan, tmp_path, trained=TrainedStore(tmp_path / "trained.json"))

    waiting = operator.statuses[0].steps[0]
    assert waiting.exposure_s == pytest.approx(29_500 / 9_200, rel=0.02)
    assert not waiting.exposure_is_found
    assert waiting.seconds_to_go == pytest.approx((4 + 2) * (waiting.exposure_s + 0.8), rel=0.01)
    value = trained.find(TrainedKey.of(SETTINGS, None, 46))
    assert value is not None and value.rate_adu_per_s == pytest.approx(46 * 200, rel=0.01)
    assert report.steps[0].test_frames == 1
    assert len(bench_camera(again).requests) == 1 + 4


# Asking -----------------------------------------------------------------------------------------


def test_without_shutter_or_cover_the_operator_is_asked_once(tmp_path: Path) -> None:
    operator = Operator({QuestionKind.COVER: [YES]})
    plan = CapturePlan("Both", (*darks(2).steps, replace(darks(2, 20.0).steps[0], id="long")))

    report = operator.run(bench_observatory(), plan, tmp_path)

    assert [q.text for q in operator.questions] == [
        "Is the telescope covered? This camera has no shutter."
    ]
    assert dict(operator.questions[0].answers)[YES] == "It is covered"
    assert len(report.accepted) == 4


def test_after_a_cap_was_put_on_flats_ask_for_it_to_be_taken_off(tmp_path: Path) -> None:
    panel = BenchPanel(PanelInfo("Tablet", False, True, 255))
    operator = Operator({QuestionKind.COVER: [YES], QuestionKind.OPEN: [YES]})
    plan = CapturePlan("Both", (*darks(2).steps, *flats(with_dark_flats=False).steps))

    report = operator.run(bench_observatory(panel=panel), plan, tmp_path)

    assert [q.kind for q in operator.questions] == [QuestionKind.COVER, QuestionKind.OPEN]
    assert not report.problems


def test_answers_given_beforehand_are_not_asked_for(tmp_path: Path) -> None:
    operator = Operator(control=SequenceControl(answers={QuestionKind.COVER: YES}))

    report = operator.run(bench_observatory(), darks(2), tmp_path)

    assert operator.questions == [] and len(report.accepted) == 2


def test_an_operator_who_says_stop_ends_it_and_keeps_what_is_there(tmp_path: Path) -> None:
    operator = Operator({QuestionKind.COVER: [STOP]})

    report = operator.run(bench_observatory(), darks(), tmp_path)

    assert report.stopped and report.state_path is not None
    assert report.accepted == ()


# Bad frames -------------------------------------------------------------------------------------


def lit_at(numbers: set[int], rate: float = 400.0) -> Any:
    """Light on the covered sensor in these exposures, on one side only."""

    def change(number: int, frame: Frame) -> Frame:
        if number not in numbers:
            return frame
        slope = np.linspace(0.0, rate * frame.exposure_s, frame.data.shape[1])
        return replace(frame, data=(frame.data + slope).clip(0, 65535).astype(np.uint16))

    return change


def test_a_lit_dark_is_bad_kept_aside_with_its_reason_and_replaced(tmp_path: Path) -> None:
    observatory = covered_bench()
    bench_camera(observatory).change = lit_at({2})

    report = Operator().run(observatory, darks(), tmp_path)

    bad = report.frames[1]
    assert (bad.verdict, bad.accepted, bad.kept_aside) == (Verdict.BAD, False, True)
    assert bad.replaced_by == 3 and "radient" in bad.reason
    assert bad.path is not None and bad.path.parent.name == "rejected"
    assert fits.getheader(bad.path)["QCREASON"] == bad.reason.replace("\u202f", " ")
    assert len(report.accepted) == 4 and report.steps[0].replaced == 1
    assert report.problems == ()


def test_light_that_is_even_over_the_sensor_shows_in_the_level_alone(tmp_path: Path) -> None:
    observatory = covered_bench()

    def evenly(number: int, frame: Frame) -> Frame:
        return replace(frame, data=frame.data + np.uint16(40)) if number == 1 else frame

    bench_camera(observatory).change = evenly

    report = Operator().run(observatory, darks(6), tmp_path)

    first = report.frames[0]
    assert not first.accepted and first.kept_aside
    assert first.reason.startswith("Level 40.0\u202fADU from the others, limit")
    assert len(report.accepted) == 6
    assert all(np.median(fits.getdata(p)) < 510 for p in report.accepted)


def test_a_leak_that_ends_with_the_last_frame_is_decided_by_one_frame_more(tmp_path: Path) -> None:
    observatory = covered_bench()

    def evenly(number: int, frame: Frame) -> Frame:
        return replace(frame, data=frame.data + np.uint16(40)) if number <= 3 else frame

    bench_camera(observatory).change = evenly

    report = Operator().run(observatory, darks(4), tmp_path)

    assert [f.accepted for f in report.frames[:3]] == [False, False, False]
    assert len(report.accepted) == 4
    assert all(np.median(fits.getdata(p)) < 510 for p in report.accepted)


def test_a_frame_with_the_pixels_of_the_one_before_is_refused(tmp_path: Path) -> None:
    observatory = covered_bench()
    kept: list[Frame] = []

    def stale(number: int, frame: Frame) -> Frame:
        kept.append(frame)
        return replace(frame, data=kept[1].data) if number == 3 else frame

    bench_camera(observatory).change = stale

    report = Operator().run(observatory, darks(), tmp_path)

    assert report.frames[2].reason == "Every pixel is equal to the frame before."
    assert len(report.accepted) == 4 and len(report.frames) == 5


def test_a_frame_with_another_gain_or_size_than_asked_for_is_refused(tmp_path: Path) -> None:
    observatory = covered_bench()

    def wrong(number: int, frame: Frame) -> Frame:
        if number == 1:
            return replace(frame, gain=0)
        return replace(frame, data=frame.data[:-1]) if number == 2 else frame

    bench_camera(observatory).change = wrong

    report = Operator().run(observatory, darks(), tmp_path)

    assert report.frames[0].reason == "Gain 0 was read back, 100 was set."
    assert "160 × 127 pixels arrived" in report.frames[1].reason
    assert len(report.accepted) == 4


def test_a_step_gives_up_in_words_after_three_times_its_frames_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    observatory = covered_bench()
    bench_camera(observatory).change = lit_at({1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12})
    plan = CapturePlan("Two", (*darks(4).steps, replace(darks(2, 20.0).steps[0], id="long")))
    operator = Operator({QuestionKind.BAD_FRAMES: [RETRY, RETRY]})

    report = operator.run(observatory, plan, tmp_path)

    first, second = report.steps
    assert first.phase is StepPhase.FAILED and first.good == 1 and first.tried == 12
    assert first.text.startswith("1 of 4 frames are good after 12 tries. Gradient")
    assert second.phase is StepPhase.DONE
    assert report.problems[0][0].startswith("Dark, 10\u202fs: 1 of 4") and report.problems[0][1]
    assert operator.questions[0].text.startswith("5 frames in a row were bad. Gradient")
    assert report.state_path is not None


def test_a_lamp_that_jumps_is_followed_and_frames_outside_the_limits_are_taken_again(
    tmp_path: Path,
) -> None:
    panel = BenchPanel()
    observatory = bench_observatory(panel=panel)
    camera = bench_camera(observatory)
    lamp = {"rate": 9_000.0}
    camera.light = lambda request: lamp["rate"] if panel.brightness else 0.0

    def grow(number: int) -> None:
        if number == 5:
            lamp["rate"] *= 1.25

    camera.before = grow

    report = Operator().run(observatory, flats(with_dark_flats=False), tmp_path)

    bad = [f for f in report.frames if f.kept_aside]
    assert len(bad) == 1 and bad[0].reason.startswith("Level ")
    assert bad[0].replaced_by is not None
    assert all(27_000 <= (f.level_adu or 0) <= 33_000 for f in report.frames if f.accepted)
    assert report.frames[-1].exposure_s < report.frames[2].exposure_s


def test_a_search_that_ends_at_a_bound_fails_its_step_with_cause_and_cure(tmp_path: Path) -> None:
    plan = flats(limits=SearchLimits(2.0, 10.0), brightness=200)
    observatory = bench_observatory(panel=BenchPanel())

    report = Operator().run(observatory, plan, tmp_path)

    flat, dark = report.steps
    assert flat.phase is StepPhase.FAILED
    assert flat.text.startswith("Still 65\u202f535\u202fADU at the shortest exposure of 2\u202fs")
    assert "Dim the panel below" in flat.hint
    assert dark.phase is StepPhase.SKIPPED and "no flats" in dark.text


def test_a_target_in_electrons_without_a_conversion_fails_its_step_alone(tmp_path: Path) -> None:
    observatory = bench_observatory(panel=BenchPanel())
    bench_camera(observatory).change = lambda number, frame: replace(frame, conversion=None)
    plan = flats(target=LevelTarget(20_000, LevelUnit.ELECTRONS), with_dark_flats=False)

    report = Operator().run(
        observatory, replace(plan, steps=(*plan.steps, *darks(2).steps)), tmp_path
    )

    assert [s.phase for s in report.steps] == [StepPhase.FAILED, StepPhase.DONE]
    assert "does not say what an ADU is worth" in report.steps[0].text


# Dark flats -------------------------------------------------------------------------------------


def two_filters(second_s: float) -> CapturePlan:
    first = flats().steps
    fixed = replace(
        first[0], id="flat-2", search=Search.NOTHING, exposure_s=second_s, count=2, target=None
    )
    dark = replace(first[1], id="darkflat-2", exposure_from="flat-2", count=2)
    return CapturePlan("Two", (first[0], fixed, first[1], dark))


def test_dark_flats_that_another_set_serves_are_left_out_with_the_reason(tmp_path: Path) -> None:
    observatory = bench_observatory(panel=BenchPanel())

    report = Operator().run(observatory, two_filters(2.5), tmp_path)

    taken, served = report.steps[2], report.steps[3]
    assert taken.phase is StepPhase.DONE
    assert served.phase is StepPhase.SKIPPED
    assert "serve" in served.text and "limit" in served.text
    assert report.problems == ()


def test_dark_flats_are_taken_for_each_exposure_where_the_sensor_glows(tmp_path: Path) -> None:
    panel = BenchPanel()
    observatory = bench_observatory(panel=panel)

    def glow(number: int, frame: Frame) -> Frame:
        data = frame.data.astype(np.float64)
        data[-20:, -25:] += 60.0 * frame.exposure_s  # 60 ADU a second in one corner
        return replace(frame, data=data.clip(0, 65535).astype(np.uint16))

    bench_camera(observatory).change = glow
    generous = Operator({QuestionKind.BAD_FRAMES: [RETRY] * 9})

    report = generous.run(observatory, two_filters(2.5), tmp_path)

    assert [s.phase for s in report.steps[2:]] == [StepPhase.DONE, StepPhase.DONE]


# The camera fails -------------------------------------------------------------------------------


def test_a_failed_exposure_is_taken_again_without_a_question(tmp_path: Path) -> None:
    observatory = covered_bench()

    def fail_twice(number: int) -> None:
        if number in (2, 3):
            raise ExposureFailedError("No picture came.")

    bench_camera(observatory).before = fail_twice
    operator = Operator()

    report = operator.run(observatory, darks(), tmp_path)

    assert len(report.accepted) == 4 and operator.questions == []
    assert "No picture came. Tried again." in operator.last.notes


def test_a_camera_that_comes_back_by_itself_is_waited_for(tmp_path: Path) -> None:
    observatory = covered_bench()
    camera = bench_camera(observatory)

    def lose_once(number: int) -> None:
        if number == 2:
            camera.clock.sleep(4.0, Operator().token)
            raise DeviceUnreachableError("Bench camera does not answer.", hint="Connect it.")

    camera.before = lose_once
    operator = Operator()

    report = operator.run(observatory, darks(), tmp_path)

    assert len(report.accepted) == 4 and operator.questions == []
    assert any(
        t.startswith("Camera stopped answering in frame 2, 4.0\u202fs in. Reconnecting, try 1 of 5")
        for t in operator.said
    )


def test_a_camera_that_stays_away_pauses_with_the_error_and_a_retry(tmp_path: Path) -> None:
    observatory = covered_bench()
    camera = bench_camera(observatory)

    def lose(number: int) -> None:
        if number == 2:
            camera.lost = True
            raise DeviceUnreachableError("Bench camera does not answer.", hint="Connect it.")

    camera.before = lose

    def repair(status: CaptureStatus) -> None:
        if status.question is not None:
            camera.lost = False

    operator = Operator({QuestionKind.FAILURE: [RETRY]}, repair)

    report = operator.run(observatory, darks(), tmp_path)

    assert [q.text for q in operator.questions] == ["Bench camera does not answer."]
    assert operator.questions[0].hint == "Connect it."
    assert list(operator.questions[0].answers) == [RETRY, SKIP, STOP]
    assert len(report.accepted) == 4


def test_a_request_the_camera_cannot_do_fails_its_step_alone(tmp_path: Path) -> None:
    observatory = covered_bench()

    def refuse(number: int) -> None:
        if number == 1:
            raise UnsupportedRequestError("Bench camera cannot do this.", hint="Change it.")

    bench_camera(observatory).before = refuse
    plan = CapturePlan("Two", (*darks(2).steps, replace(darks(2, 20.0).steps[0], id="long")))

    report = Operator().run(observatory, plan, tmp_path)

    assert [s.phase for s in report.steps] == [StepPhase.FAILED, StepPhase.DONE]
    assert report.steps[0].text == "Bench camera cannot do this."


def test_a_cover_that_does_not_close_is_asked_about_and_never_believed(tmp_path: Path) -> None:
    class Stuck(BenchPanel):
        def move_cover(self, *, open_it: bool, cancel: Any) -> None:
            self.moves.append("stuck")

    observatory = bench_observatory(panel=Stuck(cover=CoverState.OPEN))
    operator = Operator({QuestionKind.FAILURE: [RETRY, SKIP]})

    report = operator.run(observatory, darks(), tmp_path)

    assert "should be closed and is open" in operator.questions[0].text
    assert report.steps[0].phase is StepPhase.FAILED
    assert report.accepted == () and bench_camera(observatory).requests == []


def test_a_cooler_that_cannot_hold_its_temperature_offers_one_that_it_can(tmp_path: Path) -> None:
    observatory = bench_observatory(
        panel=BenchPanel(), can_cool=True, set_temp_range_c=(-40.0, 30.0)
    )
    camera = bench_camera(observatory)

    def weak(*, on: bool, target_c: float | None = None) -> None:
        camera.cooler_on = on
        if target_c is not None:
            camera.set_c, camera.sensor_c = target_c, max(target_c, -16.2)
            camera.power = 100.0 if target_c < -16.2 else 60.0

    camera.set_cooler = weak  # type: ignore[method-assign]
    operator = Operator({QuestionKind.COOLER: [YES]})

    report = operator.run(observatory, darks(2, set_temp_c=-20.0), tmp_path)

    assert operator.questions[0].text == (
        "Cooler at 100\u202f%. It cannot hold −20.0\u202f°C tonight; −13.0\u202f°C leaves "
        "10\u202f% in reserve."
    )
    assert fits.getheader(report.accepted[0])["SET-TEMP"] == -13.0
    assert all(f.verdict is Verdict.GOOD for f in report.frames)


def test_a_sensor_that_drifts_off_is_waited_for_before_the_next_frame(tmp_path: Path) -> None:
    observatory = bench_observatory(
        panel=BenchPanel(), can_cool=True, set_temp_range_c=(-40.0, 30.0)
    )
    camera = bench_camera(observatory)

    def drift(number: int) -> None:
        if number == 2:
            camera.sensor_c = -8.0

    camera.before = drift
    operator = Operator()

    report = operator.run(observatory, darks(4, set_temp_c=-10.0), tmp_path)

    assert report.frames[1].sensor_c == -8.0
    assert report.frames[1].verdict is Verdict.WARN
    assert report.frames[2].sensor_c == -10.0
    assert any("left its temperature" in note for note in operator.last.notes)


# Stopping, pausing, reviewing -------------------------------------------------------------------


def when_good(n: int, act: Any) -> Any:
    """Do something once, when so many frames are good."""
    done: list[bool] = []

    def see(status: CaptureStatus) -> None:
        if status.good == n and not done:
            done.append(True)
            act()

    return see


def test_stop_after_this_frame_keeps_it_and_resume_takes_only_what_is_missing(
    tmp_path: Path,
) -> None:
    operator = Operator()
    operator.on_status = when_good(2, operator.control.stop_after_frame)
    stopped = operator.run(covered_bench(), darks(5), tmp_path)
    assert stopped.stopped and stopped.state_path is not None

    resumed = resume_plan(stopped.state_path)
    observatory = covered_bench()
    report = Operator().run(observatory, resumed.plan, tmp_path, resumed=resumed)

    assert len(stopped.accepted) == 2
    assert len(bench_camera(observatory).requests) == 3
    assert [f.number for f in report.frames] == [1, 2, 3, 4, 5]
    assert len(report.accepted) == 5 and report.state_path is None
    assert resume_plan(stopped.state_path).finished


def test_a_cancel_in_mid_exposure_keeps_the_complete_frames_and_makes_everything_safe(
    tmp_path: Path,
) -> None:
    panel = BenchPanel(cover=CoverState.OPEN)
    observatory = bench_observatory(panel=panel)
    camera = bench_camera(observatory)
    operator = Operator()

    def cancel(number: int) -> None:
        if number == 5:
            operator.token.cancel()

    camera.before = cancel

    with pytest.raises(Cancelled):
        operator.run(observatory, flats(), tmp_path)

    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(p.suffix for p in files) == [".fits", ".fits", ".jsonl"]
    assert panel.brightness == 0 and panel.cover is CoverState.OPEN
    assert operator.last.finished
    resumed = resume_plan(next(p for p in files if p.suffix == ".jsonl"))
    assert resumed.good == 2 and resumed.steps[0].exposure_is_found


def test_a_frame_that_is_being_written_when_all_is_stopped_is_kept(tmp_path: Path) -> None:
    operator = Operator()

    class StoppedSink(FolderSink):
        def write(self, frame: Frame, notes: FrameNotes, *, aside: bool = False) -> Path:
            if notes.number == 3:
                operator.token.cancel()
            return super().write(frame, notes, aside=aside)

    with heeding(operator.token), pytest.raises(Cancelled):  # as on the command line
        operator.run(covered_bench(), darks(), tmp_path, sink=StoppedSink(tmp_path))

    assert len(list(tmp_path.rglob("*.fits"))) == 3
    assert resume_plan(next(tmp_path.rglob("*.jsonl"))).good == 3


def test_a_pause_stops_between_frames_and_says_so(tmp_path: Path) -> None:
    operator = Operator()
    seen: list[int] = []

    def act(status: CaptureStatus) -> None:
        if status.good == 2 and not seen:
            seen.append(len(status.frames))
            operator.control.pause()
        elif status.paused:
            seen.append(len(status.frames))
            operator.control.resume()

    operator.on_status = act

    report = operator.run(covered_bench(), darks(4), tmp_path)

    assert len(report.accepted) == 4
    assert seen[1] == 2
    paused = [s for s in operator.statuses if s.paused]
    assert paused and paused[0].activity.text == "Paused"


def test_a_frame_kept_after_all_comes_back_and_one_rejected_is_taken_again(tmp_path: Path) -> None:
    observatory = covered_bench()
    bench_camera(observatory).change = lit_at({1}, rate=60.0)
    operator = Operator()

    def review() -> None:
        operator.control.accept(1)
        operator.control.reject(2)

    operator.on_status = when_good(2, review)

    report = operator.run(observatory, darks(4), tmp_path)

    kept, rejected = report.frames[0], report.frames[1]
    assert kept.accepted and kept.by_operator and kept.verdict is Verdict.BAD
    assert kept.path is not None and kept.path.parent.name != "rejected"
    assert not rejected.accepted and rejected.by_operator
    assert rejected.path is not None and rejected.path.parent.name == "rejected"
    assert len(report.accepted) == 4


def test_rejecting_a_frame_of_a_step_that_is_done_takes_it_again(tmp_path: Path) -> None:
    operator = Operator()
    plan = CapturePlan("Two", (*darks(2).steps, replace(darks(3, 20.0).steps[0], id="long")))
    operator.on_status = when_good(4, lambda: operator.control.reject(1))

    report = operator.run(covered_bench(), plan, tmp_path)

    assert [s.good for s in report.steps] == [2, 3]
    assert all(s.phase is StepPhase.DONE for s in report.steps)
    assert len(report.frames) == 6


# The disk ---------------------------------------------------------------------------------------


def test_a_full_disk_asks_and_the_frame_waits_in_memory_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = publish.flush_to_disk, []

    def full_once(path: Path) -> None:
        calls.append(path)
        if path.name.startswith(".dark") and len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path)

    monkeypatch.setattr(publish, "flush_to_disk", full_once)
    observatory = covered_bench()
    operator = Operator({QuestionKind.FAILURE: [RETRY]})

    report = operator.run(observatory, darks(4), tmp_path)

    assert "the disk is full" in operator.questions[0].text
    assert len(report.accepted) == 4
    assert len(bench_camera(observatory).requests) == 4
    assert not [p for p in tmp_path.rglob("*") if p.suffix == ".part"]


def test_without_a_disk_that_is_large_enough_nothing_moves(tmp_path: Path) -> None:
    observatory = bench_observatory(panel=BenchPanel(cover=CoverState.OPEN))
    plan = darks(10_000_000)

    with pytest.raises(WriteProblemError, match="needed") as caught:
        Operator().run(observatory, plan, tmp_path)

    assert caught.value.hint.startswith("Free ")
    assert list(tmp_path.iterdir()) == []
    assert observatory.panel is not None and observatory.panel.moves == []


def test_a_plan_the_equipment_cannot_do_is_refused_before_anything_moves(tmp_path: Path) -> None:
    gain = CapturePlan("x", (replace(darks(2).steps[0], settings=CameraSettings(gain=999)),))
    wheel = CapturePlan("x", tuple(
        replace(s, id=f, filter=f) for f in ("L", "R") for s in flats(with_dark_flats=False).steps
    ))  # fmt: skip

    with pytest.raises(UsageError, match="Gain 999 is outside"):
        Operator().run(covered_bench(), gain, tmp_path)
    with pytest.raises(DeviceError, match="No wheel is connected"):
        Operator().run(covered_bench(), wheel, tmp_path)
    with pytest.raises(DeviceError, match="No panel is connected"):
        Operator().run(bench_observatory(), flats(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_resuming_with_another_plan_is_a_mistake(tmp_path: Path) -> None:
    operator = Operator()
    operator.on_status = when_good(1, operator.control.stop_after_frame)
    report = operator.run(covered_bench(), darks(3), tmp_path)
    assert report.state_path is not None
    resumed = resume_plan(report.state_path)

    with pytest.raises(UsageError, match="another plan"):
        Operator().run(covered_bench(), darks(4), tmp_path, resumed=resumed)


def test_lamps_that_only_the_operator_switches_work_with_the_cover_open(tmp_path: Path) -> None:
    panel = BenchPanel(PanelInfo("Dust cap", True, False), cover=CoverState.CLOSED)
    observatory = bench_observatory(panel=panel)
    bench_camera(observatory).light = lambda request: (
        8_000.0 if panel.cover is CoverState.OPEN else 0.0
    )

    report = Operator().run(
        observatory, flats(light=LightSource.LAMP, with_dark_flats=False), tmp_path
    )

    assert len(report.accepted) == 4
    assert panel.cover is CoverState.CLOSED


def test_every_request_has_the_kind_and_settings_of_its_step(tmp_path: Path) -> None:
    observatory = covered_bench()
    draft = DarkDraft(SETTINGS, (5.0, 10.0), binnings=(1, 2), count=1)

    Operator().run(observatory, draft.plan(BENCH_INFO), tmp_path)

    assert bench_camera(observatory).requests == [
        ExposureRequest(FrameKind.DARK, s, 100, 50, binning)
        for binning in (1, 2)
        for s in (5.0, 10.0)
    ]


def test_the_sink_of_a_sequence_may_be_any(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path, pattern="{kind}_{number}.fits")

    report = Operator().run(
        covered_bench(), BiasDraft(SETTINGS, 2, 0.001).plan(BENCH_INFO), tmp_path, sink=sink
    )

    assert [p.name for p in report.accepted] == ["bias_001.fits", "bias_002.fits"]
