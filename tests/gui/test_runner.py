"""Jobs run in the background; what became of them is said in the GUI thread."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext, Progress
from calibstudio.gui.jobs.runner import JobRunner, JobState


def test_a_result_arrives_in_the_gui_thread(qtbot: QtBot, runner: JobRunner) -> None:
    seen: list[tuple[Any, threading.Thread]] = []
    job = runner.submit("Count", lambda ctx: (7, threading.current_thread()))
    job.succeeded.connect(lambda r: seen.append((r, threading.current_thread())))

    with qtbot.waitSignals([job.succeeded, job.finished], timeout=5000):
        pass

    (value, worker), thread = seen[0]
    assert value == 7
    assert thread is threading.main_thread()
    assert worker is not thread
    assert job.state is JobState.SUCCEEDED
    assert not runner.active


def test_cancel_is_an_outcome_not_an_error(qtbot: QtBot, runner: JobRunner) -> None:
    job = runner.submit("Wait", lambda ctx: ctx.token.wait(600))
    failures: list[Exception] = []
    job.failed.connect(failures.append)

    with qtbot.waitSignal(job.cancelled, timeout=5000):
        job.cancel()

    assert failures == []
    assert job.state is JobState.CANCELLED


def test_a_foreseen_failure_arrives_with_its_error(qtbot: QtBot, runner: JobRunner) -> None:
    def work(ctx: JobContext) -> None:
        raise CalibStudioError("The disk is full.", hint="Free 10 GB.")

    errors: list[CalibStudioError] = []
    job = runner.submit("Write", work)
    job.failed.connect(errors.append)

    with qtbot.waitSignals([job.failed, job.finished], timeout=5000):
        pass

    (error,) = errors
    assert str(error) == "The disk is full."
    assert error.hint == "Free 10 GB."


@pytest.mark.expects_error_log
def test_a_bug_ends_the_job_and_not_the_program(qtbot: QtBot, runner: JobRunner) -> None:
    job = runner.submit("Divide", lambda ctx: 1 / 0)

    with qtbot.waitSignal(job.failed, timeout=5000) as waited:
        pass

    assert isinstance(waited.args[0], ZeroDivisionError)
    assert job.state is JobState.FAILED


def test_each_job_ends_exactly_once_even_when_there_are_many(
    qtbot: QtBot, runner: JobRunner
) -> None:
    ends: list[int] = []
    jobs = [runner.submit(f"{i}", lambda ctx, i=i: i) for i in range(500)]
    for job in jobs:
        job.succeeded.connect(ends.append)

    qtbot.waitUntil(lambda: not runner.active, timeout=20_000)

    assert sorted(ends) == list(range(500))


def test_a_tight_loop_does_not_flood_the_event_loop(qtbot: QtBot, runner: JobRunner) -> None:
    def work(ctx: JobContext) -> None:
        for i in range(20_001):
            ctx.progress(i / 20_000, "frames")

    seen: list[Progress] = []
    started = time.monotonic()
    job = runner.submit("Loop", work)
    job.progressed.connect(seen.append)
    with qtbot.waitSignal(job.finished, timeout=20_000):
        pass
    elapsed = time.monotonic() - started

    assert seen[-1].fraction == 1.0
    assert len(seen) <= 20 * elapsed + 3


def test_a_waiting_job_that_is_cancelled_never_runs(qtbot: QtBot, qapp: object) -> None:
    runner = JobRunner(max_threads=1)
    ran: list[int] = []
    hold = threading.Event()
    first = runner.submit("Hold", lambda ctx: hold.wait(10))
    second = runner.submit("Never", lambda ctx: ran.append(1))
    assert second.state is JobState.WAITING

    second.cancel()
    with qtbot.waitSignals([first.finished, second.cancelled], timeout=5000):
        hold.set()

    assert ran == []
    assert runner.shutdown()


def test_shutdown_cancels_what_runs_and_refuses_what_comes(qtbot: QtBot, qapp: object) -> None:
    runner = JobRunner(max_threads=1)
    running = runner.submit("Wait", lambda ctx: ctx.token.wait(600))

    assert runner.shutdown(5000)
    late = runner.submit("Late", lambda ctx: 1)

    assert running.token.cancelled
    with qtbot.waitSignal(late.finished, timeout=1000):
        pass
    assert late.state is JobState.CANCELLED


def test_expendable_work_is_not_waited_for(qtbot: QtBot, qapp: object) -> None:
    runner = JobRunner(max_threads=1)
    hold = threading.Event()
    job = runner.submit("Compile", lambda ctx: hold.wait(30), expendable=True)
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING)

    started = time.monotonic()
    assert runner.shutdown(5000)

    assert time.monotonic() - started < 2.0
    assert runner.leaves_threads
    with qtbot.waitSignal(job.finished):
        hold.set()


def test_the_camera_thread_stays_the_same_thread(qtbot: QtBot, qapp: object) -> None:
    # Drivers keep state in the thread that opened them.
    runner = JobRunner(max_threads=1)
    threads: list[int] = []

    for _ in range(3):
        job = runner.submit("Ask", lambda ctx: threads.append(threading.get_ident()))
        with qtbot.waitSignal(job.finished, timeout=5000):
            pass

    assert len(set(threads)) == 1
    assert runner.shutdown()
