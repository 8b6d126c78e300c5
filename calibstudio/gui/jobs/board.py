"""What the jobs panel and the status bar show: every job that runs, and those not yet seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from calibstudio.gui.jobs.runner import Job, JobRunner, JobState


@dataclass(slots=True, eq=False)
class JobEntry:
    """One line of the panel; stays after its job is gone, until somebody has seen it."""

    title: str
    job: Job | None
    state: JobState = JobState.WAITING
    fraction: float = 0.0
    text: str = ""
    seconds_to_go: float | None = None
    note: str = ""
    on_show: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come from it."""
        return self.state.is_over

    def cancel(self) -> None:
        """Ask its job to stop."""
        if self.job is not None:
            self.job.cancel()


class JobBoard(QObject):
    """Follows the jobs of several runners. Quiet jobs are left out.

    Signals
    -------
    changed()
        An entry came, went or moved on; at most 10 a second while only progress changes.
    """

    KEPT = 20
    """Finished jobs that are kept; older ones go."""

    changed = Signal()

    def __init__(self, runners: Iterable[JobRunner], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[JobEntry] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(100)
        self._timer.timeout.connect(self.changed)
        for runner in runners:
            runner.started.connect(self._on_started)
            runner.progressed.connect(self._on_progressed)
            runner.ended.connect(self._on_ended)

    @property
    def entries(self) -> tuple[JobEntry, ...]:
        """Running ones first, then waiting ones, then finished ones, newest first."""
        running = [e for e in self._entries if e.state is JobState.RUNNING]
        waiting = [e for e in self._entries if e.state is JobState.WAITING]
        over = [e for e in reversed(self._entries) if e.is_over]
        return (*running, *waiting, *over)

    def counts(self) -> tuple[int, int, int]:
        """How many run, wait and are over."""
        states = [e.state for e in self._entries]
        running, waiting = states.count(JobState.RUNNING), states.count(JobState.WAITING)
        return running, waiting, len(states) - running - waiting

    def forget_finished(self) -> None:
        """They have been seen."""
        before = len(self._entries)
        self._entries = [e for e in self._entries if not e.is_over]
        if len(self._entries) != before:
            self.changed.emit()

    def _entry(self, job: Job) -> JobEntry | None:
        return next((e for e in self._entries if e.job is job), None)

    @Slot(object)
    def _on_started(self, job: Job) -> None:
        if not job.quiet:
            self._entries.append(JobEntry(job.title, job))
            self.changed.emit()

    @Slot(object)
    def _on_progressed(self, job: Job) -> None:
        entry = self._entry(job)
        if entry is not None:
            entry.state = job.state
            entry.title = job.title
            entry.fraction = job.progress.fraction
            entry.text = job.progress.text
            entry.seconds_to_go = job.seconds_to_go
            if not self._timer.isActive():
                self._timer.start()

    @Slot(object)
    def _on_ended(self, job: Job) -> None:
        entry = self._entry(job)
        if entry is None:
            return
        entry.job = None
        entry.state = job.state
        entry.seconds_to_go = None
        entry.on_show = job.on_show
        entry.note = job.note or (str(job.error) if job.state is JobState.FAILED else "")
        if job.state is JobState.SUCCEEDED:
            entry.fraction = 1.0
        over = [e for e in self._entries if e.is_over]
        for old in over[: max(len(over) - self.KEPT, 0)]:
            self._entries.remove(old)
        self.changed.emit()
