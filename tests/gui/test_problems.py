"""One way for a problem to reach the user, from wherever it comes."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import qWarning
from pytestqt.qtbot import QtBot

from calibstudio.domain.errors import CalibStudioError, Cancelled
from calibstudio.gui.problems import (
    Problem,
    ProblemReporter,
    catch_everything,
    describe,
    stop_watching_for_crashes,
    watch_for_crashes,
)


def test_a_foreseen_failure_keeps_its_sentence_and_its_hint() -> None:
    problem = describe(CalibStudioError("The disk is full.", hint="Free 10 GB."))

    assert problem is not None
    assert (problem.message, problem.hint) == ("The disk is full.", "Free 10 GB.")
    assert not problem.unexpected


def test_a_cancel_says_nothing(qtbot: QtBot) -> None:
    reporter = ProblemReporter()

    with qtbot.assertNotEmitted(reporter.foreseen), qtbot.assertNotEmitted(reporter.unexpected):
        reporter.report(Cancelled())


def test_an_error_of_the_system_names_its_file() -> None:
    problem = describe(PermissionError(13, "Permission denied", "/frames/dark.fits"))

    assert problem is not None
    assert problem.message == "Permission denied: /frames/dark.fits."


@pytest.mark.expects_error_log
def test_a_bug_comes_with_details(qtbot: QtBot) -> None:
    reporter = ProblemReporter()

    with qtbot.waitSignal(reporter.unexpected) as waited:
        reporter.report(KeyError("group"))

    problem: Problem = waited.args[0]
    assert problem.unexpected
    assert "KeyError: 'group'" in problem.details
    assert "Frames already saved are not affected." in problem.hint


@pytest.mark.expects_error_log
def test_what_nobody_caught_is_reported_from_any_thread(qtbot: QtBot) -> None:
    reporter = ProblemReporter()
    hooks = sys.excepthook, threading.excepthook
    undo = catch_everything(reporter)

    def fail() -> None:
        raise RuntimeError("in a thread")

    with qtbot.waitSignal(reporter.unexpected) as waited:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert "in a thread" in waited.args[0].details
    with qtbot.waitSignal(reporter.foreseen) as said:
        sys.excepthook(CalibStudioError, CalibStudioError("Said."), None)
    assert said.args[0].message == "Said."
    undo()

    assert (sys.excepthook, threading.excepthook) == hooks


def test_messages_of_qt_go_to_the_log(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    undo = catch_everything(ProblemReporter())

    qWarning("something odd")
    undo()

    assert "something odd" in caplog.text


def test_a_crash_file_says_what_the_last_start_left(tmp_path: Path) -> None:
    assert watch_for_crashes(tmp_path / "logs") == ""
    stop_watching_for_crashes()
    (tmp_path / "logs" / "crash.txt").write_text("Fatal Python error: Aborted")

    left = watch_for_crashes(tmp_path / "logs")
    stop_watching_for_crashes()

    assert left == "Fatal Python error: Aborted"


def test_a_folder_that_cannot_be_written_costs_only_the_crash_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert watch_for_crashes(tmp_path / "file" / "logs") == ""
