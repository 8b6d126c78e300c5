"""The jobs popover: bars, cancel, and finished jobs that stay until they are seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext
from calibstudio.gui.jobs.board import JobBoard
from calibstudio.gui.jobs.panel import JobsPopover, said_of
from calibstudio.gui.jobs.runner import JobRunner, JobState
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, IconButton


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def window(qtbot: QtBot, theme: ThemeState) -> QWidget:
    made = QWidget()
    made.resize(1000, 700)
    made.anchor = QPushButton("Jobs", made)  # type: ignore[attr-defined]
    made.anchor.move(300, 660)  # type: ignore[attr-defined]
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def popover(window: QWidget, theme: ThemeState, runner: JobRunner) -> JobsPopover:
    made = JobsPopover(theme, JobBoard([runner], window), window)
    made.toggle_at(window.anchor)  # type: ignore[attr-defined]
    return made


def test_running_waiting_and_finished_jobs_are_listed_in_this_order(
    qtbot: QtBot, popover: JobsPopover, runner: JobRunner, hold: threading.Event
) -> None:
    done = runner.submit("Six masters imported", lambda ctx: None)
    done.succeeded.connect(lambda _: setattr(done, "note", "5 GOOD, 1 WARN"))
    with qtbot.waitSignal(done.finished):
        pass

    for name in ("Stacking dark 600 s", "Stacking dark 300 s", "Building bad-pixel map"):
        runner.submit(name, lambda ctx: hold.wait(20))

    qtbot.waitUntil(lambda: [r.entry.state for r in popover.rows].count(JobState.RUNNING) == 2)
    assert [r.entry.title for r in popover.rows] == [
        "Stacking dark 600 s",
        "Stacking dark 300 s",
        "Building bad-pixel map",
        "Six masters imported",
    ]
    assert said_of(popover.rows[-1].entry) == "5 GOOD, 1 WARN"


def test_the_bar_follows_and_the_cross_stops(
    qtbot: QtBot, popover: JobsPopover, runner: JobRunner
) -> None:
    def work(ctx: JobContext) -> None:
        ctx.progress(0.38, "20 frames")
        ctx.token.wait(600)

    job = runner.submit("Stacking", work)
    qtbot.waitUntil(lambda: popover.rows[0].entry.fraction == 0.38)
    assert "20 frames" in said_of(popover.rows[0].entry)

    cross = popover.rows[0].findChild(IconButton)
    with qtbot.waitSignal(job.cancelled, timeout=5000):
        qtbot.mouseClick(cross, Qt.MouseButton.LeftButton)

    assert popover.rows[0].entry.state is JobState.CANCELLED


def test_finished_jobs_stay_until_the_popover_was_closed(
    qtbot: QtBot, popover: JobsPopover, runner: JobRunner, hold: threading.Event
) -> None:
    job = runner.submit("Import", lambda ctx: None)
    with qtbot.waitSignal(job.finished):
        pass
    running = runner.submit("Stack", lambda ctx: hold.wait(20))

    qtbot.keyClick(popover, Qt.Key.Key_Escape)

    assert not popover.isVisible()
    assert [r.entry.title for r in popover.rows] == ["Stack"]
    hold.set()
    with qtbot.waitSignal(running.finished):
        pass


def test_a_failed_job_says_why(qtbot: QtBot, popover: JobsPopover, runner: JobRunner) -> None:
    def work(ctx: JobContext) -> None:
        raise CalibStudioError("The disk is full.")

    job = runner.submit("Write", work)
    with qtbot.waitSignal(job.finished):
        pass

    assert said_of(popover.rows[0].entry) == "The disk is full."


def test_show_opens_what_the_job_made(
    qtbot: QtBot, popover: JobsPopover, runner: JobRunner
) -> None:
    shown: list[int] = []
    job = runner.submit("Import", lambda ctx: None)
    job.on_show = lambda: shown.append(1)
    with qtbot.waitSignal(job.finished):
        pass

    buttons = popover.rows[0].findChildren(Button)
    show = next(b for b in buttons if b.text() == "Show")
    qtbot.mouseClick(show, Qt.MouseButton.LeftButton)

    assert shown == [1]
    assert not popover.isVisible()


def test_quiet_jobs_are_not_listed(qtbot: QtBot, popover: JobsPopover, runner: JobRunner) -> None:
    job = runner.submit("Free disk", lambda ctx: None, quiet=True)
    with qtbot.waitSignal(job.finished):
        pass

    assert popover.rows == ()


def test_a_click_elsewhere_closes_it(qtbot: QtBot, popover: JobsPopover, window: QWidget) -> None:
    qtbot.mouseClick(window, Qt.MouseButton.LeftButton, pos=window.rect().topLeft())

    assert not popover.isVisible()


def test_the_list_is_as_high_as_its_rows(
    qtbot: QtBot, popover: JobsPopover, runner: JobRunner
) -> None:
    def work(ctx: JobContext) -> None:
        ctx.progress(0.38, "5 frames in a row were bad. Gradient 991 ADU, limit 868 ADU.")
        ctx.token.wait(600)

    popover.close_popover()
    job = runner.submit("Darks, 2 exposures, 60 s to 120 s", work)
    qtbot.waitUntil(lambda: bool(popover.rows) and popover.rows[0].entry.fraction == 0.38)
    popover.show()
    popover.place()

    assert not popover._area.verticalScrollBar().isVisible()
    assert popover._area.height() >= popover.rows[0].minimumSizeHint().height()
    with qtbot.waitSignal(job.cancelled, timeout=5000):
        job.cancel()
