"""Runs plain functions in the background and tells the GUI thread what became of them.

Workers only emit two private signals of an object that lives in the GUI thread; everything that
a caller sees happens there.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QObject, QThreadPool, QTimer, Signal, Slot

from calibstudio.domain.errors import CalibStudioError, Cancelled
from calibstudio.domain.jobs import CancelToken, JobContext, Progress, TimeToGo, throttled

log = logging.getLogger(__name__)

Work = Callable[[JobContext], Any]
"""What a job does: a plain function that takes the context first and knows nothing of Qt."""


class JobState(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "done"
    FAILED = "failed"
    CANCELLED = "stopped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come from it."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Job(QObject):
    """A handle on one piece of work. Made by `JobRunner.submit`.

    Signals
    -------
    begun()
        A thread took it up.
    progressed(Progress)
        At most 20 a second.
    succeeded(object), failed(Exception), cancelled()
        Exactly one of them, with the result or the error.
    finished()
        After it, whatever the end was. Buttons are enabled again here and nowhere else.
    """

    begun = Signal()
    progressed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    finished = Signal()

    def __init__(
        self, title: str, parent: QObject | None = None, *, note: str = "", quiet: bool = False
    ) -> None:
        super().__init__(parent)
        self.title = title
        self.note = note
        """What is said beside it when it is done: ``5 GOOD, 1 WARN``; a caller may set it."""
        self.on_show: Callable[[], None] | None = None
        """What Show does in the jobs panel once it is done; None for no such button."""
        self.quiet = quiet
        """A quiet job (a reading of the equipment, a thumbnail) is not in the jobs panel."""
        self.token = CancelToken()
        self.state = JobState.WAITING
        self.progress = Progress(0.0)
        self.error: Exception | None = None
        self._time_to_go: TimeToGo | None = None

    def cancel(self) -> None:
        """Ask it to stop. Returns at once; `cancelled` comes when it has."""
        self.token.cancel()

    @property
    def seconds_to_go(self) -> float | None:
        """Estimated seconds left, or None while that is not worth saying."""
        if self._time_to_go is None or self.state is not JobState.RUNNING:
            return None
        return self._time_to_go.seconds(self.progress.fraction)


class JobRunner(QObject):
    """Runs jobs in a pool of threads of its own.

    Signals
    -------
    started(Job)
        A job was handed in (it may still wait for a thread).
    progressed(Job), ended(Job)
        The same facts as the job's own signals, for panels that show them all.
    """

    started = Signal(object)
    progressed = Signal(object)
    ended = Signal(object)
    _begin = Signal(object)
    _report = Signal(object, object)
    _end = Signal(object, object, object)

    def __init__(self, max_threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(max_threads)
        # Qt ends idle threads after 30 s; drivers keep state in the thread that opened them.
        self._pool.setExpiryTimeout(-1)
        self._active: dict[int, Job] = {}
        self._expendable: list[threading.Thread] = []
        self._closed = False
        self._begin.connect(self._on_begin)
        self._report.connect(self._on_report)
        self._end.connect(self._on_end)

    @property
    def active(self) -> tuple[Job, ...]:
        """Jobs that wait or run, oldest first."""
        return tuple(self._active.values())

    def submit(
        self, title: str, work: Work, *, quiet: bool = False, expendable: bool = False
    ) -> Job:
        """Start ``work(ctx)`` when a thread is free, and return its handle now.

        Nothing is delivered before control returns to the event loop, so the caller has time to
        connect to the job's signals. After `shutdown` a job is cancelled at once.

        Parameters
        ----------
        quiet
            Not shown in the jobs panel.
        expendable
            Work that cannot be interrupted and that nobody misses (compiling kernels): it has a
            thread of its own, and `shutdown` does not wait for it.
        """
        job = Job(title, self, quiet=quiet)
        self._active[id(job)] = job
        self.started.emit(job)
        if self._closed:
            job.cancel()
            QTimer.singleShot(0, self, lambda: self._end.emit(job, None, Cancelled()))
            return job
        if expendable:
            thread = threading.Thread(
                target=self._run, args=(job, work), daemon=True, name=f"calibstudio {title}"
            )
            self._expendable.append(thread)
            thread.start()
        else:
            self._pool.start(lambda: self._run(job, work))
        return job

    def cancel_all(self) -> None:
        """Ask every job to stop."""
        for job in self.active:
            job.cancel()

    def shutdown(self, timeout_ms: int = 5_000) -> bool:
        """Cancel everything and wait. Return False if something would not stop."""
        self._closed = True
        self.cancel_all()
        return self._pool.waitForDone(timeout_ms)

    @property
    def leaves_threads(self) -> bool:
        """Whether expendable work still runs: the process must not wait for it at its end."""
        return any(thread.is_alive() for thread in self._expendable)

    def _run(self, job: Job, work: Work) -> None:
        """Worker thread. Touches no widget, lets no exception escape."""
        value: Any = None
        error: Exception | None = None
        try:
            ctx = JobContext(job.token, throttled(lambda p: self._report.emit(job, p)))
            job.token.check()
            self._begin.emit(job)
            value = work(ctx)
        except Cancelled as cancelled:
            error = cancelled
        except CalibStudioError as foreseen:
            log.warning("%s: %s", job.title, foreseen)
            error = foreseen
        except Exception as bug:
            log.exception("%s: unexpected error", job.title)
            error = bug
        with contextlib.suppress(RuntimeError):  # the program has ended before expendable work
            self._end.emit(job, value, error)

    @Slot(object)
    def _on_begin(self, job: Job) -> None:
        job.state = JobState.RUNNING
        job._time_to_go = TimeToGo()
        job.begun.emit()
        self.progressed.emit(job)

    @Slot(object, object)
    def _on_report(self, job: Job, progress: Progress) -> None:
        job.progress = progress
        job.progressed.emit(progress)
        self.progressed.emit(job)

    @Slot(object, object, object)
    def _on_end(self, job: Job, value: Any, error: Exception | None) -> None:
        self._active.pop(id(job), None)
        job.error = error
        if error is None:
            job.state = JobState.SUCCEEDED
            job.succeeded.emit(value)
        elif isinstance(error, Cancelled):
            job.state = JobState.CANCELLED
            job.cancelled.emit()
        else:
            job.state = JobState.FAILED
            job.failed.emit(error)
        job.finished.emit()
        self.ended.emit(job)
        job.deleteLater()
