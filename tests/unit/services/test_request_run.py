"""Carrying out the queue: what is stopped or cut off goes on where it was, nothing twice."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pytest

from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.capture import CaptureStatus, SequenceControl
from calibstudio.domain.errors import Cancelled
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.requests import RequestState, RequestWish
from calibstudio.domain.run_config import CameraWish
from calibstudio.services.capture_state import find_sequences
from calibstudio.services.library import Library
from calibstudio.services.request_run import QueueReport, run_queue
from calibstudio.services.requests import ask_for, requests_of
from calibstudio.services.run_job import RunSettings

CAMERA = CameraWish(gain=100, offset=50)
WANTED = 6


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def run(
    library: Library,
    tmp_path: Path,
    act: Callable[[CaptureStatus, SequenceControl, CancelToken], object] = lambda *_: None,
    *,
    seed: int = 3,
    start: datetime | None = datetime(2026, 4, 17, 22, tzinfo=UTC),
) -> QueueReport:
    """Carry out the queue at an observatory of its own; ``act`` sees every status."""
    there = simulated_observatory("tiny", seed=seed, speed=inf, start=start)
    token = CancelToken()

    def operator() -> tuple[SequenceControl, Callable[[CaptureStatus], None]]:
        control = SequenceControl()
        return control, lambda status: act(status, control, token)

    settings = RunSettings("tiny", tmp_path / "frames", str(tmp_path / "library"))
    try:
        return run_queue(
            JobContext(token), library, there, settings, operator, tmp_path, with_masters=False
        )
    finally:
        there.close()


def stop(status: CaptureStatus, control: SequenceControl, _token: CancelToken) -> None:
    if status.good == 2:
        control.stop_after_frame()


def cancel(status: CaptureStatus, _control: SequenceControl, token: CancelToken) -> None:
    if status.good == 2:
        token.cancel()


@pytest.mark.parametrize(
    ("end", "said"),
    [(stop, "It was stopped."), (cancel, "It was interrupted.")],
)
def test_a_request_that_ends_early_goes_on_where_it_was(
    library: Library, tmp_path: Path, end: Callable[..., object], said: str
) -> None:
    ask_for(library, RequestWish(FrameKind.BIAS, WANTED, camera=CAMERA))
    with contextlib.suppress(Cancelled):
        run(library, tmp_path, end)
    (left,) = requests_of(library)
    assert left.sequence.endswith(".jsonl")
    kept = set((tmp_path / "frames").rglob("*.fits"))
    assert len(kept) >= 2
    reasons: list[str] = []

    report = run(library, tmp_path, lambda *_: reasons.append(requests_of(library)[0].state.value))

    (done,) = requests_of(library)
    assert set(reasons) == {"running"}
    assert (done.state, done.reason) == (RequestState.DONE, f"{WANTED} good frames.")
    assert len(report.files) == len(set(report.files)) == WANTED
    assert kept <= set((tmp_path / "frames").rglob("*.fits"))
    assert len(find_sequences(tmp_path / "frames")) == 1
    assert left.state is RequestState.QUEUED and left.reason == said


def test_a_request_of_a_killed_program_goes_on_where_it_was(
    library: Library, tmp_path: Path
) -> None:
    request = ask_for(library, RequestWish(FrameKind.DARK, WANTED, 10.0, camera=CAMERA))
    frames = tmp_path / "frames"
    killed = subprocess.Popen(
        [sys.executable, "-m", "calibstudio", "requests", "run", "--rig", "tiny", "--no-confirm",
         "--simulate", "20", "--library", str(library.folder), "--frames-folder", str(frames)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    ends = time.monotonic() + 50.0
    while len(list(frames.rglob("*.fits"))) < 2:
        assert time.monotonic() < ends and killed.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.communicate(timeout=20)
    kept = set(frames.rglob("*.fits"))
    assert requests_of(library)[0].state is RequestState.RUNNING

    report = run(library, tmp_path, seed=1, start=None)

    (done,) = requests_of(library)
    assert (done.id, done.state) == (request.id, RequestState.DONE), done.reason
    assert len(report.files) == len(set(report.files)) == WANTED and kept <= set(report.files)
    assert len(find_sequences(frames)) == 1


def test_a_request_whose_sequence_was_finished_elsewhere_is_done_and_not_taken_again(
    library: Library, tmp_path: Path
) -> None:
    from calibstudio.services.requests import move

    request = ask_for(library, RequestWish(FrameKind.BIAS, WANTED, camera=CAMERA))
    run(library, tmp_path)
    before = set((tmp_path / "frames").rglob("*.fits"))
    (done,) = requests_of(library)
    # Killed between the last frame and the note that it is done.
    move(library, request, RequestState.DONE, RequestState.RUNNING, sequence=done.sequence)

    report = run(library, tmp_path)

    (again,) = requests_of(library)
    assert (again.state, again.reason) == (
        RequestState.DONE, f"{WANTED} good frames, taken before."
    )  # fmt: skip
    assert set((tmp_path / "frames").rglob("*.fits")) == before
    assert set(report.files) == before  # for their masters, which are not there yet


def test_one_whose_journal_is_gone_begins_anew(library: Library, tmp_path: Path) -> None:
    ask_for(library, RequestWish(FrameKind.BIAS, 3, camera=CAMERA))
    run(library, tmp_path, stop)
    Path(requests_of(library)[0].sequence).unlink()

    report = run(library, tmp_path)

    assert len(report.files) == 3
    assert requests_of(library)[0].state is RequestState.DONE
