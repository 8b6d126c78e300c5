"""The folders that are looked at, and the scan that reads them in the background."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from calibstudio.domain.grouping import Grouping
from calibstudio.domain.jobs import Progress
from calibstudio.domain.wording import count, number
from calibstudio.gui.context import GuiContext
from calibstudio.gui.frames.scanning import FillingScan
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.jobs.runner import Job


class Folders(QObject):
    """Folders and files that were added, scanned as one; a new scan replaces the one under way.

    Signals
    -------
    found_so_far(Grouping)
        A grouping of what was read until now, while it goes on.
    progressed(Progress)
        How far the scan is.
    scanned(Grouping)
        Everything was read.
    finished()
        The scan is over, whatever came of it.
    """

    found_so_far = Signal(object)
    progressed = Signal(object)
    scanned = Signal(object)
    finished = Signal()

    def __init__(
        self, context: GuiContext, state: FramesState, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._context, self._state = context, state
        self._job: Job | None = None
        self._began = 0.0
        self._took_s = 0.0
        self.paths: list[Path] = []
        """Absolute, in the order they were added."""

    @property
    def is_scanning(self) -> bool:
        """Whether a scan is under way."""
        return self._job is not None

    def add(self, paths: Sequence[Path]) -> None:
        """Add folders or files; nothing is read yet."""
        self.paths += [p.absolute() for p in paths if p.absolute() not in self.paths]

    def scan(self) -> None:
        """Read everything; what was changed by hand is applied to the new groups."""
        self.cancel()
        context = self._context
        work = FillingScan(
            self.paths,
            context.settings.current.site,
            self._state.grouping.changes,
            context.open_library,
            self.found_so_far.emit,
            self._state.recipe,
        )
        job = self._job = context.background.submit(f"Scan {self.paths[-1].name}", work)
        self._began = time.monotonic()
        job.progressed.connect(self._on_progress)
        job.succeeded.connect(self._on_succeeded)
        job.failed.connect(context.problems.report)
        job.finished.connect(self._on_finished)

    def cancel(self) -> None:
        """Stop reading."""
        if self._job is not None:
            self._job.cancel()

    @Slot(object)
    def _on_progress(self, progress: Progress) -> None:
        if self.sender() in (None, self._job):
            self.progressed.emit(progress)

    @Slot(object)
    def _on_succeeded(self, grouping: Grouping) -> None:
        self._took_s = time.monotonic() - self._began
        self.scanned.emit(grouping)

    @Slot()
    def _on_finished(self) -> None:
        if self.sender() in (None, self._job):
            self._job = None
        self.finished.emit()

    def where(self) -> str:
        """Say where the frames are: ``frames / 2026-04-17 and 2 more``."""
        if not self.paths:
            return ""
        last = self.paths[-1]
        more = f" and {count(len(self.paths) - 1, 'more', 'more')}" if len(self.paths) > 1 else ""
        parent = f"{last.parent.name} / " if last.parent.name else ""
        return f"{parent}{last.name}{more}"

    def words(self) -> str:
        """Say where they are, how many, and how long reading them took."""
        grouping = self._state.grouping
        n = sum(len(g.frames) for g in grouping.groups)
        text = self.where()
        if n or grouping.groups:
            text += f"   {count(n, 'frame')} in {count(len(grouping.groups), 'group')}"
            if not self.is_scanning and self._took_s:
                text += f" · scanned in {number(self._took_s, 1)}\u202fs"
        return text
