"""A night of calibration at the simulated observatory, checked on the files it leaves."""

from __future__ import annotations

import errno
import json
import math
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.capture import (
    ActivityKind,
    Answer,
    CaptureReport,
    CaptureStatus,
    QuestionKind,
    StepPhase,
)
from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.equipment import CameraState, CoverState, Frame
from calibstudio.domain.errors import Cancelled
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.matching import temperature_rule
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.quality import Verdict
from calibstudio.domain.recipe import Recipe, Tolerances
from calibstudio.domain.wording import temperature
from calibstudio.services.capture_state import resume_plan
from calibstudio.services.cooling import CoolingRules
from calibstudio.services.import_frames import scan_and_group
from calibstudio.services.latest import Latest
from calibstudio.services.library import Library
from calibstudio.services.masters import build_masters
from calibstudio.services.trained import TrainedStore
from calibstudio.store import publish
from tests.helpers.sequences import Operator

START = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)


def observatory(**options: Any) -> SimulatedObservatory:
    return simulated_observatory("tiny", seed=3, speed=math.inf, start=START, **options)


def darks(observatory: SimulatedObservatory, count: int = 4) -> CapturePlan:
    draft = DarkDraft.for_camera(observatory.camera.info)
    draft.exposures_s, draft.count = (20.0,), count
    return draft.plan(observatory.camera.info)


def whole_night(observatory: SimulatedObservatory) -> CapturePlan:
    """Bias, a list of darks, flats through two filters with search, and their dark flats."""
    info = observatory.camera.info
    assert observatory.wheel is not None and observatory.panel is not None
    bias = BiasDraft.for_camera(info)
    bias.count = 6
    dark = DarkDraft.for_camera(info)
    dark.exposures_s, dark.count = (5.0, 60.0), 4
    flat = FlatDraft.for_camera(info, ("L", "Ha"), observatory.panel.info)
    flat.count = 5
    steps = (*bias.plan(info).steps, *dark.plan(info).steps, *flat.plan(info).steps)
    return CapturePlan("Whole night", steps)


def header_of(path: Path) -> fits.Header:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            return hdus[0].header


def files_under(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_a_whole_night_leaves_good_frames_of_the_right_level_with_full_headers(
    tmp_path: Path,
) -> None:
    night = observatory(cover_open=True)
    operator, preview = Operator(), Latest[Frame]()
    trained = TrainedStore(tmp_path / "trained.json")

    report = operator.run(
        night, whole_night(night), tmp_path / "frames", trained=trained, preview=preview
    )

    assert report.problems == () and not report.stopped and operator.questions == []
    phases = {s.step.id: s.phase for s in report.steps}
    assert phases.pop("darkflat-L") is StepPhase.SKIPPED  # those of Ha serve L too
    assert set(phases.values()) == {StepPhase.DONE}
    good = {s.step.id: s.good for s in report.steps}
    assert good == {
        "bias": 6, "dark-5s": 4, "dark-60s": 4, "flat-L": 5, "flat-Ha": 5,
        "darkflat-L": 0, "darkflat-Ha": 5,
    }  # fmt: skip
    check_levels(night, report.accepted)
    check_headers(report.accepted)
    assert night.panel is not None
    assert night.panel.status().cover is CoverState.OPEN
    assert night.panel.status().brightness == 0
    assert preview.take() is not None
    assert {v.key.filter for v in trained.values()} == {"L", "Ha"}
    assert [p.suffix for p in files_under(tmp_path)].count(".part") == 0


def check_levels(night: SimulatedObservatory, paths: tuple[Path, ...]) -> None:
    """Half of the saturation within 10 % for flats; the bias level for what was covered."""
    truth = night.camera.truth  # type: ignore[attr-defined]
    top = truth.saturation_adu(100, 50)
    for path in paths:
        data = fits.getdata(path).astype(float)
        ny, nx = data.shape
        level = np.median(data[ny // 4 : -ny // 4, nx // 4 : -nx // 4])
        if path.relative_to(path.parents[2]).parts[0] == "flat":
            assert abs(level - 0.5 * top) <= 0.1 * 0.5 * top
        else:
            assert abs(level - truth.bias_level_adu(50)) <= 5.0


def check_headers(paths: tuple[Path, ...]) -> None:
    kinds = {"bias": "Bias Frame", "dark": "Dark Frame", "flat": "Flat Field"}
    kinds["darkflat"] = "Dark Flat"
    for path in paths:
        header = header_of(path)
        night, kind, part, name = path.parts[-4:]
        assert night == "2026-04-17"
        assert header["IMAGETYP"] == kinds[kind]
        assert header["CSLIGHT"] == (kind == "flat")
        assert header["CSCOVER"] == "CLOSED" and header["CSSIMUL"] is True
        assert abs(header["CCD-TEMP"] + 10) < 0.5 and header["SET-TEMP"] == -10
        assert (header["GAIN"], header["OFFSET"], header["XBINNING"]) == (100, 50, 1)
        assert header["INSTRUME"] == "Simulated 0.3 MP mono" and header["SERIALNO"]
        assert header["SATURATE"] and header["EGAIN"] and header["READOUTM"]
        assert header["SITELAT"] == 48.1 and header["DATE-LOC"] > header["DATE-OBS"]
        if kind == "flat":
            assert header["FILTER"] == part and header["CSPANEL"] == 2048
        else:
            assert header["CSPANEL"] == 0 and f"{header['EXPTIME']:g}s" == part
        assert name.endswith(".fits")


def when(condition: Callable[[CaptureStatus], bool], act: Callable[[], None]) -> Any:
    """Do something once, the first time a status fulfils a condition."""
    done: list[bool] = []

    def see(status: CaptureStatus) -> None:
        if not done and condition(status):
            done.append(True)
            act()

    return see


def test_a_stop_in_the_middle_keeps_complete_frames_and_resume_goes_on(tmp_path: Path) -> None:
    night = observatory()
    operator = Operator()
    operator.on_status = when(
        lambda s: s.current == 3 and s.step is not None and s.step.good == 2,
        operator.token.cancel,
    )

    with pytest.raises(Cancelled):
        operator.run(night, whole_night(night), tmp_path)

    before = [p for p in files_under(tmp_path) if p.suffix == ".fits"]
    assert len(before) == 6 + 4 + 4 + 2
    for path in before:
        header_of(path)
    assert night.panel is not None and night.panel.status().brightness == 0
    left = {p.suffix for p in files_under(tmp_path)}
    assert left == {".fits", ".jsonl"}
    state = next(p for p in files_under(tmp_path) if p.suffix == ".jsonl")
    assert json.loads(state.read_text().splitlines()[0])["plan"]["title"] == "Whole night"

    resumed = resume_plan(state)
    report = Operator().run(night, resumed.plan, tmp_path, resumed=resumed)

    assert report.state_path is None and report.problems == ()
    assert len(report.accepted) == 6 + 4 + 4 + 5 + 5 + 5
    assert set(before) <= set(report.accepted)


def test_a_full_disk_stops_with_words_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = observatory()
    real = publish.flush_to_disk

    def full(path: Path) -> None:
        if len(list(tmp_path.rglob("*.fits"))) >= 2 and ".fits" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path)

    monkeypatch.setattr(publish, "flush_to_disk", full)
    operator = Operator({QuestionKind.FAILURE: [Answer.RETRY, Answer.STOP]})

    report = operator.run(night, darks(night), tmp_path)

    assert report.stopped and len(report.accepted) == 2
    assert "the disk is full" in report.problems[0][0]
    assert len(operator.questions) == 2
    assert "Free some space" in operator.questions[0].hint
    assert sorted(p.suffix for p in files_under(tmp_path)) == [".fits", ".fits", ".jsonl"]


def test_a_camera_lost_in_mid_exposure_is_said_waited_for_and_the_frame_taken_again(
    tmp_path: Path,
) -> None:
    night = observatory(faults=Faults(disconnect_at_frame=3))
    operator = Operator({QuestionKind.FAILURE: [Answer.RETRY]})

    def mend(status: CaptureStatus) -> None:
        if status.question is not None:
            night.set_faults(Faults())

    operator.on_status = mend

    report = operator.run(night, darks(night), tmp_path)

    assert len(report.accepted) == 4 and report.problems == ()
    assert "stopped answering" in operator.questions[0].text
    assert any("Reconnecting, try 5 of 5" in text for text in operator.said)
    assert any("stopped answering in frame 3, 10\u202fs in" in n for n in operator.last.notes)


@pytest.mark.parametrize("leak_e_per_s", [1.0, 50.0], ids=["weak", "strong"])
def test_darks_lit_by_a_leak_are_replaced_once_it_is_covered(
    tmp_path: Path, leak_e_per_s: float
) -> None:
    night = observatory(faults=Faults(light_leak_e_per_s=leak_e_per_s))
    operator = Operator()
    operator.on_status = when(lambda s: len(s.frames) == 2, lambda: night.set_faults(Faults()))

    report = operator.run(night, darks(night), tmp_path)

    lit = report.frames[:2]
    assert all(f.verdict is Verdict.BAD and f.kept_aside for f in lit)
    findings = [f.assessment.worst_finding for f in lit]
    assert {f.title for f in findings if f is not None} == {"light leak"}
    assert all(f.path is not None and header_of(f.path)["QCFLAG"] == "BAD" for f in lit)
    assert len(report.accepted) == 4
    assert all(p.parent.name != "rejected" for p in report.accepted)
    levels = [np.median(fits.getdata(p)) for p in report.accepted]
    assert np.ptp(levels) <= 2.0
    grouping, _ = scan_and_group(JobContext(), [tmp_path])
    assert [set(g.frames) for g in grouping.groups] == [set(report.accepted)]
    assert {left.path for left in grouping.ungrouped} == {f.path for f in lit}
    assert all("set aside when it was taken" in left.reason for left in grouping.ungrouped)


def test_darks_with_the_cover_open_to_the_twilight_are_never_taken(tmp_path: Path) -> None:
    night = simulated_observatory(
        "tiny", seed=3, speed=math.inf, start=datetime(2026, 4, 17, 18, 0, tzinfo=UTC),
        cover_open=True,
    )  # fmt: skip

    report = Operator().run(night, darks(night), tmp_path)

    assert len(report.accepted) == 4 and all(f.verdict is Verdict.GOOD for f in report.frames)
    assert all(header_of(p)["CSCOVER"] == "CLOSED" for p in report.accepted)
    assert night.panel is not None and night.panel.status().cover is CoverState.OPEN


def test_a_lamp_that_flickers_costs_frames_but_never_the_level(tmp_path: Path) -> None:
    night = observatory(faults=Faults(lamp_flicker=0.08))
    assert night.panel is not None
    draft = FlatDraft.for_camera(night.camera.info, ("L",), night.panel.info)
    draft.count, draft.with_dark_flats = 8, False
    operator = Operator({QuestionKind.BAD_FRAMES: [Answer.RETRY] * 9})

    report = operator.run(night, draft.plan(night.camera.info), tmp_path)

    target = report.steps[0].target_adu
    assert target is not None and len(report.accepted) == 8
    assert report.steps[0].replaced > 0
    for path in report.accepted:
        data = fits.getdata(path)
        ny, nx = data.shape
        level = np.median(data[ny // 4 : -ny // 4, nx // 4 : -nx // 4])
        assert abs(level - target) <= 0.1 * target


def test_a_stuck_cooler_is_a_question_and_skipping_it_keeps_the_rest(tmp_path: Path) -> None:
    night = observatory(faults=Faults(stuck_cooler=True))
    plan = darks(night)
    second = replace(
        plan.steps[0], id="warmer", settings=replace(plan.steps[0].settings, set_temp_c=-5.0)
    )
    operator = Operator({QuestionKind.COOLER: [Answer.SKIP]})
    operator.on_status = when(
        lambda s: s.steps[0].phase is StepPhase.SKIPPED, lambda: night.set_faults(Faults())
    )

    report = operator.run(night, replace(plan, steps=(plan.steps[0], second)), tmp_path)

    assert "cannot hold −10.0\u202f°C" in operator.questions[0].text
    assert [s.phase for s in report.steps] == [StepPhase.SKIPPED, StepPhase.DONE]
    assert {header_of(p)["SET-TEMP"] for p in report.accepted} == {-5.0}


AT_ONCE = CoolingRules(ramp_c_per_min=1000.0)
"""The set point is sent as a whole, so that the sensor is on its way for minutes."""


@pytest.mark.parametrize("stuck", [False, True])
def test_do_not_wait_holds_the_sensor_where_it_is_so_that_the_set_is_one(
    tmp_path: Path, stuck: bool
) -> None:
    night = observatory(faults=Faults(stuck_cooler=stuck))
    operator = Operator()
    operator.on_status = lambda s: (
        operator.control.skip_wait() if s.activity.kind is ActivityKind.COOLING else None
    )

    report = operator.run(night, darks(night, count=12), tmp_path / "frames", cooling=AT_ONCE)

    assert operator.questions == [] and report.steps[0].phase is StepPhase.DONE
    assert len(report.accepted) == 12 and report.steps[0].replaced == 0
    headers = [header_of(p) for p in report.accepted]
    held_c = headers[0]["SET-TEMP"]
    assert held_c > 0.0 and held_c == round(held_c)
    assert {h["SET-TEMP"] for h in headers} == {held_c}
    assert all(h["CCD-TEMP"] == pytest.approx(held_c, abs=3.0) for h in headers)
    assert headers[-1]["CCD-TEMP"] == pytest.approx(held_c, abs=0.5)
    assert any(
        temperature(-10.0) in text and f"holds {temperature(held_c)}" in text
        for text in operator.last.notes
    )

    grouping, _ = scan_and_group(JobContext(), [tmp_path / "frames"])
    with Library.open(tmp_path / "library") as library:
        built = build_masters(JobContext(), grouping, grouping.headers, library, Recipe())
    assert [(m.record.kind, len(m.excluded)) for m in built.masters] == [("dark", 0), ("bpm", 0)]
    record = built.masters[0].record
    assert record.n_combined == 12
    lights = {**record.values, "set_temp_c": -10.0, "sensor_temp_c": -10.0}
    assert temperature_rule(lights, record.values, Tolerances()).blocks


def test_a_sensor_that_is_nearly_there_goes_on_to_its_set_point(tmp_path: Path) -> None:
    night = observatory()
    operator = Operator()

    def skip_when_near(status: CaptureStatus) -> None:
        near = status.sensor_c is not None and status.sensor_c < -9.0
        if status.activity.kind is ActivityKind.COOLING and near:
            operator.control.skip_wait()

    operator.on_status = skip_when_near

    report = operator.run(night, darks(night, count=6), tmp_path, cooling=AT_ONCE)

    assert report.steps[0].good == 6 and report.steps[0].replaced == 0
    assert {header_of(p)["SET-TEMP"] for p in report.accepted} == {-10.0}


def uncooled_darks(night: SimulatedObservatory, exposure_s: float, count: int) -> CapturePlan:
    draft = DarkDraft.for_camera(night.camera.info)
    draft.settings = replace(draft.settings, set_temp_c=None)
    draft.exposures_s, draft.count = (exposure_s,), count
    return draft.plan(night.camera.info)


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_cancel_from_another_thread_ends_a_long_exposure_at_once(tmp_path: Path) -> None:
    night = simulated_observatory("tiny", seed=3, start=START)  # at real speed
    operator = Operator()
    ends: list[BaseException | None] = []

    def work() -> None:
        try:
            operator.run(night, uncooled_darks(night, 600.0, 3), tmp_path)
            ends.append(None)
        except Cancelled as cancelled:
            ends.append(cancelled)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: any("frame 1" in text for text in operator.said))
    started = time.monotonic()
    operator.token.cancel()
    thread.join(timeout=10.0)

    assert time.monotonic() - started < 5.0
    assert isinstance(ends[0], Cancelled) and operator.last.finished
    assert [p.suffix for p in files_under(tmp_path)] == [".jsonl"]
    assert night.camera.status().state is CameraState.IDLE


def test_pause_and_stop_work_from_the_windows_thread(tmp_path: Path) -> None:
    night = simulated_observatory("tiny", seed=3, speed=100.0, start=START)
    operator = Operator()
    reports: list[CaptureReport] = []
    plan = uncooled_darks(night, 5.0, 400)

    thread = threading.Thread(target=lambda: reports.append(operator.run(night, plan, tmp_path)))
    thread.start()
    wait_for(lambda: bool(operator.statuses) and operator.last.good >= 2)
    operator.control.pause()
    wait_for(lambda: operator.last.paused)
    while_paused = operator.last.good
    operator.control.resume()
    wait_for(lambda: operator.last.good >= while_paused + 2)
    operator.control.stop_after_frame()
    thread.join(timeout=10.0)

    assert reports[0].stopped and len(reports[0].accepted) >= 4
    assert resume_plan(reports[0].state_path or tmp_path).good == len(reports[0].accepted)
