"""Says the end of long work to somebody who looks elsewhere: the task bar, and a sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication, QWidget

from calibstudio.gui.jobs.runner import Job, JobRunner, JobState
from calibstudio.gui.settings_state import SettingsState

LONG_S = 30.0


class EndOfWork(QObject):
    """Calls the operator when a job that took long has ended, unless cancelled."""

    def __init__(
        self,
        runners: Iterable[JobRunner],
        settings: SettingsState,
        window: QWidget,
        *,
        beep: Callable[[], None] = QApplication.beep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(window)
        self._settings, self._window = settings, window
        self._beep, self._clock = beep, clock
        self._began: dict[int, float] = {}
        for runner in runners:
            runner.started.connect(self._on_started)
            runner.ended.connect(self._on_ended)

    @Slot(object)
    def _on_started(self, job: Job) -> None:
        if not job.quiet:
            self._began[id(job)] = self._clock()

    @Slot(object)
    def _on_ended(self, job: Job) -> None:
        began = self._began.pop(id(job), None)
        if began is None or job.state is JobState.CANCELLED or self._clock() - began < LONG_S:
            return
        if not self._window.isActiveWindow():
            QApplication.alert(self._window)
        if self._settings.current.sound:
            self._beep()
