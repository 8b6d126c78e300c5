"""The file of a sequence: read after a crash, a power cut, and by people who change things."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calibstudio.domain.capture import FrameResult, StepPhase, StepState
from calibstudio.domain.errors import FileProblemError, WriteProblemError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CapturePlan, CaptureStep
from calibstudio.domain.quality import Verdict
from calibstudio.services.capture_journal import StateLog
from calibstudio.services.capture_state import find_sequences, resume_plan

AT = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
PLAN = CapturePlan(
    "Darks",
    (
        CaptureStep("bias", FrameKind.BIAS, 2, exposure_s=0.001),
        CaptureStep("dark", FrameKind.DARK, 3, exposure_s=60.0),
    ),
)


def begin(root: Path) -> StateLog:
    folder = root / "2026-04-17"
    folder.mkdir(exist_ok=True)
    return StateLog.begin(PLAN, folder, root, AT)


def taken(root: Path, index: int, step: str, number: int, *, accepted: bool = True) -> FrameResult:
    path = root / "2026-04-17" / f"{step}_{number}.fits"
    path.write_bytes(b"x")
    kind = FrameKind(step)
    verdict = Verdict.GOOD if accepted else Verdict.BAD
    return FrameResult(
        index, step, kind, number, AT, 60.0, accepted, verdict,
        reason="" if accepted else "Light leak.", level_adu=502.0, path=path,
    )  # fmt: skip


def test_a_sequence_that_was_cut_off_knows_what_it_has(tmp_path: Path) -> None:
    log = begin(tmp_path)
    frames = [
        taken(tmp_path, 1, "bias", 1),
        taken(tmp_path, 2, "bias", 2),
        taken(tmp_path, 3, "dark", 1, accepted=False),
        taken(tmp_path, 4, "dark", 2),
    ]
    for frame in frames[:2]:
        log.frame(frame)
    log.step(StepState(PLAN.steps[0], StepPhase.DONE, exposure_s=0.001, exposure_is_found=True))
    log.step(StepState(PLAN.steps[1], StepPhase.RUNNING, exposure_s=60.0))
    for frame in frames[2:]:
        log.frame(frame)

    resumed = resume_plan(log.path)

    assert resumed.plan == PLAN and resumed.started_at == AT and not resumed.finished
    assert [s.phase for s in resumed.steps] == [StepPhase.DONE, StepPhase.WAITING]
    assert [(s.good, s.tried, s.replaced) for s in resumed.steps] == [(2, 2, 0), (1, 2, 1)]
    assert resumed.frames == tuple(frames)


def test_a_line_torn_by_a_power_cut_costs_only_itself(tmp_path: Path) -> None:
    log = begin(tmp_path)
    log.frame(taken(tmp_path, 1, "bias", 1))
    with log.path.open("a") as handle:
        handle.write('{"frame":{"index":2,"step":"bi')

    resumed = resume_plan(log.path)
    log.close()
    again = StateLog.again(log.path, tmp_path, resumed.id)
    again.frame(taken(tmp_path, 2, "bias", 2))

    assert resumed.good == 1
    assert resume_plan(log.path).good == 2


def test_what_was_so_of_the_cooler_then_is_not_said_when_it_goes_on(tmp_path: Path) -> None:
    log = begin(tmp_path)
    log.note("Did not wait for −10 °C.", passing=True)
    log.note("The telescope is parked.")

    assert resume_plan(log.path).notes == ("The telescope is parked.",)


def test_a_frame_that_is_gone_is_taken_again_and_said(tmp_path: Path) -> None:
    log = begin(tmp_path)
    frame = taken(tmp_path, 1, "bias", 1)
    log.frame(frame)
    log.frame(taken(tmp_path, 2, "bias", 2))
    log.step(StepState(PLAN.steps[0], StepPhase.DONE))
    assert frame.path is not None
    frame.path.unlink()

    resumed = resume_plan(log.path)

    assert (resumed.steps[0].phase, resumed.steps[0].good) == (StepPhase.WAITING, 1)
    assert "bias_1.fits is not there any more" in resumed.notes[0]


def test_the_whole_folder_may_move(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    log = begin(old)
    log.frame(taken(old, 1, "bias", 1))

    old.rename(tmp_path / "new")
    resumed = resume_plan(tmp_path / "new" / "2026-04-17" / log.path.name)

    assert resumed.good == 1
    assert resumed.frames[0].path == tmp_path / "new" / "2026-04-17" / "bias_1.fits"


def test_a_path_that_leads_out_of_the_folder_is_not_believed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    log = begin(root)
    (tmp_path / "secret.fits").write_bytes(b"x")
    frame = taken(root, 1, "bias", 1)
    log.frame(frame)
    text = log.path.read_text().replace("2026-04-17/bias_1.fits", "../secret.fits")
    log.path.write_text(text)

    resumed = resume_plan(log.path)

    assert resumed.good == 0


def test_a_sequence_that_is_done_is_finished_until_something_is_missing(tmp_path: Path) -> None:
    log = begin(tmp_path)
    for n, step in enumerate(PLAN.steps):
        for i in range(step.count):
            log.frame(taken(tmp_path, 10 * n + i + 1, step.id, i + 1))
        log.step(StepState(step, StepPhase.DONE))
    log.end(finished=True, at=AT)

    done = resume_plan(log.path)
    log.frame(replace(done.frames[0], accepted=False))

    assert done.finished and done.good == done.wanted == 5
    assert not resume_plan(log.path).finished


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"format":"other"}', "\x00\x01"])
def test_what_is_no_sequence_is_said_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sequence_x.jsonl"
    path.write_text(text)

    with pytest.raises(FileProblemError, match="sequence_x"):
        resume_plan(path)
    assert find_sequences(tmp_path) == []


def test_sequences_of_all_nights_are_found_newest_first(tmp_path: Path) -> None:
    first = begin(tmp_path)
    folder = tmp_path / "2026-04-18"
    folder.mkdir()
    second = StateLog.begin(PLAN, folder, tmp_path, AT.replace(day=18))

    assert [r.path for r in find_sequences(tmp_path)] == [second.path, first.path]


def test_two_sequences_of_the_same_second_have_files_of_their_own(tmp_path: Path) -> None:
    assert begin(tmp_path).path != begin(tmp_path).path


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "night").write_text("a file")

    with pytest.raises(WriteProblemError):
        StateLog.begin(PLAN, tmp_path / "night", tmp_path, AT)
