"""Going on after a kill: the journal and the frames on disk are brought together again.

A kill is played by putting the files into the state that it leaves; `tests/flows/test_killed.py`
really kills.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.capture import Answer, CaptureReport, QuestionKind, StepPhase
from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.errors import Cancelled, UsageError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    CaptureStep,
    LevelTarget,
    LevelUnit,
    Search,
    SearchLimits,
)
from calibstudio.services.capture_journal import StateLog, is_running
from calibstudio.services.capture_state import find_sequences, read_sequence, resume_plan
from calibstudio.store.publish import temporary_beside
from tests.helpers.bench import BENCH_INFO, BenchPanel, bench_camera, bench_observatory
from tests.helpers.sequences import Operator

SETTINGS = CameraSettings(100, 50)


def darks(frames: int = 4, **settings: Any) -> CapturePlan:
    step = CaptureStep(
        "dark", FrameKind.DARK, frames, replace(SETTINGS, **settings), exposure_s=10.0
    )
    return CapturePlan("Darks", (step,))


def flats() -> CapturePlan:
    draft = FlatDraft(
        settings=SETTINGS,
        count=3,
        target=LevelTarget(30_000, LevelUnit.ADU),
        limits=SearchLimits(0.1, 60.0),
        brightness=46,
        with_dark_flats=False,
    )
    return draft.plan(BENCH_INFO)


SEEDS = count(100)


def bench(**changes: Any) -> Any:
    """A bench with noise of its own: its camera never takes the same picture as another."""
    observatory = bench_observatory(panel=BenchPanel(cover=CoverState.CLOSED), **changes)
    bench_camera(observatory)._rng = np.random.default_rng(next(SEEDS))
    return observatory


def stopped(folder: Path, plan: CapturePlan, good: int = 2, observatory: Any = None) -> Path:
    """Run a plan until so many frames are good, and return its journal."""
    operator = Operator()

    def stop(status: Any) -> None:
        if status.good >= good:
            operator.control.stop_after_frame()

    operator.on_status = stop
    report = operator.run(observatory or bench(), plan, folder)
    assert report.state_path is not None
    return report.state_path


def rows(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines() if line]


def without(journal: Path, unwanted: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrite a journal as it is when these lines never reached the disk."""
    kept = [row for row in rows(journal) if not unwanted(row)]
    journal.write_text("".join(json.dumps(row) + "\n" for row in kept))


def is_frame(index: int) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row.get("frame", {}).get("index") == index


def gone_on(journal: Path, folder: Path, observatory: Any = None) -> CaptureReport:
    resumed = resume_plan(journal)
    observatory = observatory or bench()
    return Operator().run(observatory, resumed.plan, folder, resumed=resumed)


def check_whole(folder: Path, good: int) -> None:
    """So many frames, each in the journal, none twice, nothing half done."""
    (sequence,) = find_sequences(folder)
    files = sorted(folder.rglob("*.fits"))
    assert not list(folder.rglob(".*"))
    assert sorted(f.path for f in sequence.frames if f.path is not None) == files
    assert len({fits.getheader(p)["DATASUM"] for p in files}) == len(files)
    numbers = [f.number for f in sequence.frames if f.number]
    assert len(numbers) == len(set(numbers))
    assert (sequence.good, sequence.finished, sequence.running) == (good, True, False)


def test_a_frame_that_was_kept_but_not_noted_is_found_by_its_header_and_counts(
    tmp_path: Path,
) -> None:
    journal = stopped(tmp_path, darks(4))
    (written,) = [r["frame"] for r in rows(journal) if is_frame(2)(r)]
    without(journal, lambda row: is_frame(2)(row) or "end" in row)
    assert read_sequence(journal).good == 1

    resumed = resume_plan(journal)
    observatory = bench()
    report = gone_on(journal, tmp_path, observatory)

    adopted = resumed.frames[1]
    assert (adopted.index, adopted.number, adopted.step_id) == (2, 2, "dark")
    assert adopted.level_adu == pytest.approx(written["level_adu"], abs=1e-3)
    assert str(adopted.verdict) == written["verdict"]
    assert any("was kept when the program ended" in note for note in resumed.notes)
    assert len(bench_camera(observatory).requests) == 2
    assert len(report.accepted) == 4
    check_whole(tmp_path, 4)


def test_a_bad_frame_that_was_not_noted_is_adopted_as_bad_with_its_reason(tmp_path: Path) -> None:
    observatory = bench()
    bench_camera(observatory).change = lambda n, f: replace(f, gain=0) if n == 1 else f
    journal = stopped(tmp_path, darks(3), 1, observatory)
    without(journal, is_frame(1))

    resumed = resume_plan(journal)

    bad = resumed.frames[0]
    assert bad.kept_aside and not bad.accepted
    assert bad.reason == "Gain 0 was read back, 100 was set."
    gone_on(journal, tmp_path)
    check_whole(tmp_path, 3)


def test_frames_of_other_sequences_in_the_same_folders_are_not_touched(tmp_path: Path) -> None:
    other = stopped(tmp_path, darks(3))
    journal = stopped(tmp_path, darks(4), 1)

    report = gone_on(journal, tmp_path)

    assert len(report.accepted) == 4
    assert read_sequence(other).good == 2
    assert all(path.exists() for path in report.accepted)


def test_a_step_that_was_cut_off_when_it_had_all_its_frames_takes_no_more(tmp_path: Path) -> None:
    plan = flats()
    Operator().run(bench(), plan, tmp_path)
    (sequence,) = find_sequences(tmp_path)
    over = lambda row: row.get("step", {}).get("phase") == "done" or "end" in row  # noqa: E731
    without(sequence.path, over)
    observatory = bench()

    report = gone_on(sequence.path, tmp_path, observatory)

    assert report.steps[0].phase is StepPhase.DONE
    assert bench_camera(observatory).requests == []
    check_whole(tmp_path, 3)


def test_a_search_that_was_cut_off_goes_on_with_the_test_frames_it_had(tmp_path: Path) -> None:
    first = bench()
    operator = Operator()

    def cancel(number: int) -> None:
        if number == 3:  # bias level, one test frame, and in the second it is over
            operator.token.cancel()

    bench_camera(first).before = cancel
    with pytest.raises(Cancelled):
        operator.run(first, flats(), tmp_path)
    (sequence,) = find_sequences(tmp_path)
    observatory = bench()

    report = gone_on(sequence.path, tmp_path, observatory)

    exposures = [r.exposure_s for r in bench_camera(observatory).requests]
    assert len(exposures) == 1 + 3  # bias level, then at once the right exposure
    assert exposures[1] == pytest.approx(29_500 / 9_200, rel=0.02)
    assert report.steps[0].test_frames == 2
    check_whole(tmp_path, 3)


def test_the_frame_that_found_the_level_is_enough_to_know_the_exposure(tmp_path: Path) -> None:
    journal = stopped(tmp_path, flats(), 1)
    without(journal, lambda row: "exposure_s" in row.get("step", {}))

    resumed = resume_plan(journal)

    state = resumed.steps[0]
    assert state.exposure_is_found and state.exposure_s == resumed.frames[-1].exposure_s
    assert state.brightness == 46


@pytest.mark.parametrize("from_good", [True, False], ids=["set aside", "taken back"])
def test_a_move_that_was_cut_off_is_finished(tmp_path: Path, from_good: bool) -> None:
    observatory = bench()
    if not from_good:
        bench_camera(observatory).change = lambda n, f: replace(f, gain=0) if n == 1 else f
    journal = stopped(tmp_path, darks(3), 1, observatory)
    old = read_sequence(journal).frames[0].path
    assert old is not None
    new = old.parent / "rejected" / old.name if from_good else old.parent.parent / old.name
    new.parent.mkdir(exist_ok=True)
    shutil.copy(old, new)  # written anew there, but the old one not yet removed

    gone_on(journal, tmp_path)

    frame = read_sequence(journal).frames[0]
    assert frame.path == new and frame.accepted is not from_good
    assert not old.exists()
    check_whole(tmp_path, 3)


def test_a_temporary_file_that_is_whole_becomes_a_frame_and_a_torn_one_goes(
    tmp_path: Path,
) -> None:
    journal = stopped(tmp_path, darks(4), 3)
    second, third = (f.path for f in read_sequence(journal).frames[1:])
    assert second is not None and third is not None
    second.rename(temporary_beside(second))
    torn = temporary_beside(third)
    torn.write_bytes(third.read_bytes()[:-2880])
    third.unlink()
    without(journal, lambda row: is_frame(2)(row) or is_frame(3)(row))
    observatory = bench()

    report = gone_on(journal, tmp_path, observatory)

    assert second in report.accepted and len(report.accepted) == 4
    assert len(bench_camera(observatory).requests) == 2
    check_whole(tmp_path, 4)


def test_temporary_files_that_got_no_header_and_the_journals_own_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibstudio.store.sequence_frames.GIVEN_UP_S", 0.05)
    journal = stopped(tmp_path, darks(3), 1)
    (frame,) = (f.path for f in read_sequence(journal).frames)
    assert frame is not None
    headless = temporary_beside(frame)
    headless.write_bytes(bytes(2880))
    own = temporary_beside(journal)
    own.hardlink_to(journal)

    gone_on(journal, tmp_path)

    assert not headless.exists() and not own.exists()
    check_whole(tmp_path, 3)


def test_temporary_files_of_others_are_left_alone(tmp_path: Path) -> None:
    journal = stopped(tmp_path, darks(3), 1)
    foreign = journal.parent / ".other.fits.0123456789ab.part"
    foreign.write_bytes(b"SIMPLE")

    gone_on(journal, tmp_path)

    assert foreign.exists()


def test_a_sequence_that_runs_is_not_gone_on_with_elsewhere(tmp_path: Path) -> None:
    journal = stopped(tmp_path, darks(3), 1)
    resumed = resume_plan(journal)
    held = StateLog.again(journal, tmp_path, resumed.id)
    observatory = bench()

    with pytest.raises(UsageError, match="is running in another window or program"):
        Operator().run(observatory, resumed.plan, tmp_path, resumed=resumed)
    assert is_running(journal) and not read_sequence(journal).can_go_on
    held.close()

    assert read_sequence(journal).can_go_on
    assert bench_camera(observatory).requests == []


def test_going_on_needs_the_same_camera_and_the_same_folder(tmp_path: Path) -> None:
    journal = stopped(tmp_path, darks(3), 1)
    resumed = resume_plan(journal)

    with pytest.raises(UsageError, match="begun with Bench camera; Other camera is connected"):
        gone_on(journal, tmp_path, bench(name="Other camera"))
    with pytest.raises(UsageError, match="writes to"):
        Operator().run(bench(), resumed.plan, tmp_path / "elsewhere", resumed=resumed)


def test_after_a_kill_the_equipment_is_put_back_as_it_was_before_the_sequence(
    tmp_path: Path,
) -> None:
    panel = BenchPanel(cover=CoverState.OPEN)
    journal = stopped(tmp_path, flats(), 1, bench_observatory(panel=panel))
    without(journal, lambda row: "end" in row)
    left_as_it_was = BenchPanel(cover=CoverState.CLOSED, brightness=46)

    resumed = resume_plan(journal)
    gone_on(journal, tmp_path, bench_observatory(panel=left_as_it_was))

    assert resumed.crashed
    assert left_as_it_was.cover is CoverState.OPEN and left_as_it_was.brightness == 0


def test_a_temperature_agreed_on_is_not_asked_for_again(tmp_path: Path) -> None:
    def weak() -> Any:
        observatory = bench(can_cool=True, set_temp_range_c=(-40.0, 30.0))
        camera = bench_camera(observatory)

        def set_cooler(*, on: bool, target_c: float | None = None) -> None:
            camera.cooler_on = on
            if target_c is not None:
                camera.set_c, camera.sensor_c = target_c, max(target_c, -16.2)
                camera.power = 100.0 if target_c < -16.2 else 60.0

        camera.set_cooler = set_cooler  # type: ignore[method-assign]
        return observatory

    operator = Operator({QuestionKind.COOLER: [Answer.YES]})
    operator.on_status = lambda s: operator.control.stop_after_frame() if s.good else None
    report = operator.run(weak(), darks(3, set_temp_c=-20.0), tmp_path)
    assert report.state_path is not None
    again = Operator()

    resumed = resume_plan(report.state_path)
    whole = again.run(weak(), resumed.plan, tmp_path, resumed=resumed)

    assert again.questions == []
    assert {fits.getheader(p)["SET-TEMP"] for p in whole.accepted} == {-13.0}


def test_what_was_said_of_each_frame_is_still_known(tmp_path: Path) -> None:
    operator = Operator()
    report = operator.run(bench(), darks(3), tmp_path)
    (sequence,) = find_sequences(tmp_path)

    assert sequence.frames == report.frames


def test_a_disk_that_refuses_a_line_of_the_journal_gets_it_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = StateLog._write, []

    def full(self: StateLog, data: bytes) -> None:
        calls.append(data)
        if 5 <= len(calls) <= 7:
            raise OSError(28, "No space left on device")
        real(self, data)

    monkeypatch.setattr(StateLog, "_write", full)
    operator = Operator()

    report = operator.run(bench(), darks(4), tmp_path)

    assert any("journal of the sequence waits" in note for note in operator.last.notes)
    monkeypatch.undo()
    (sequence,) = find_sequences(tmp_path)
    assert sequence.frames == report.frames
    check_whole(tmp_path, 4)


def test_a_last_line_that_was_torn_never_joins_the_next(tmp_path: Path) -> None:
    journal = stopped(tmp_path, darks(4))
    without(journal, lambda row: "end" in row)
    data = journal.read_bytes()
    journal.write_bytes(data[: data.rindex(b'{"step"') + 9] if b'{"step"' in data else data[:-9])

    gone_on(journal, tmp_path)

    check_whole(tmp_path, 4)


def test_a_picture_of_before_the_kill_that_the_camera_delivers_again_is_refused(
    tmp_path: Path,
) -> None:
    first = bench()
    kept: list[Any] = []
    bench_camera(first).change = lambda n, f: kept.append(f) or f  # type: ignore[func-returns-value]
    journal = stopped(tmp_path, darks(3), 1, first)
    observatory = bench()
    bench_camera(observatory).change = lambda n, f: replace(f, data=kept[-1].data) if n == 1 else f

    report = gone_on(journal, tmp_path, observatory)

    assert report.frames[1].reason == "Every pixel is equal to the frame before."
    assert len(report.accepted) == 3


def test_what_was_out_of_the_ordinary_is_in_the_journal_and_the_report(tmp_path: Path) -> None:
    from calibstudio.domain.errors import ExposureFailedError

    observatory = bench()

    def fail_once(number: int) -> None:
        if number == 2:
            raise ExposureFailedError("No picture came.")

    bench_camera(observatory).before = fail_once

    report = Operator().run(observatory, darks(3), tmp_path)

    (sequence,) = find_sequences(tmp_path)
    assert report.notes == sequence.notes == ("No picture came. Tried again.",)


def test_dark_flats_that_were_not_needed_before_the_kill_are_not_needed_after_it(
    tmp_path: Path,
) -> None:
    bias = CaptureStep("bias", FrameKind.BIAS, 2, SETTINGS, exposure_s=0.001)
    first = flats().steps[0]
    second = replace(first, id="flat-2", search=Search.NOTHING, exposure_s=2.5, target=None)
    dark = CaptureStep("df", FrameKind.DARK_FLAT, 3, SETTINGS, exposure_from=first.id)
    other = replace(dark, id="df-2", exposure_from="flat-2")
    plan = CapturePlan("All", (bias, first, second, dark, other))
    whole = Operator().run(bench(), plan, tmp_path / "whole")
    journal = stopped(tmp_path / "cut", plan, 2 + 3 + 3 + 3)
    observatory = bench()

    report = gone_on(journal, tmp_path / "cut", observatory)

    assert [s.phase for s in report.steps] == [s.phase for s in whole.steps]
    assert report.steps[-1].phase is StepPhase.SKIPPED and "limit" in report.steps[-1].text
    assert bench_camera(observatory).requests == []
