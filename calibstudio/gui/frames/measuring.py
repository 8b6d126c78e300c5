"""Measures frames in the background, the group that is looked at first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Group
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.quality import Assessment
from calibstudio.gui.context import GuiContext
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.jobs.runner import Job

AT_ONCE = 12
"""Frames measured before what was found is shown for the first time."""
MOST_AT_ONCE = 96
SHOW_EVERY_S = 1.0
"""A batch is made so large that it takes about so long: the window has time between two."""
MEASURED_KINDS = ("bias", "dark", "dark flat", "flat")
"""Lights are looked at one by one; a folder may hold thousands of them."""


class Measuring(QObject):
    """Keeps one job busy until every calibration frame of the grouping has its verdict."""

    def __init__(self, context: GuiContext, state: FramesState, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._state = context, state
        self._job: Job | None = None
        self._preferred = ""
        self._stopped = False
        self._at_once = AT_ONCE
        self._began = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether frames are being measured."""
        return self._job is not None

    def prefer(self, group_id: str) -> None:
        """Measure this group next."""
        self._preferred = group_id

    def stop(self) -> None:
        """Measure no more."""
        self._stopped = True
        if self._job is not None:
            self._job.cancel()

    def measure_next(self) -> None:
        """Go on, if nothing is being measured and something is left."""
        if self._job is not None or self._stopped:
            return
        group = self._next_group()
        if group is None:
            return
        headers = self._state.grouping.headers
        paths = self._state.unmeasured(group)[: self._at_once]
        files = [headers[p] for p in paths if p in headers]
        rigs = self._context.connection.rigs

        def work(ctx: JobContext) -> dict[Path, Assessment]:
            from calibstudio.services.judge import held_temperatures, judge_files
            from calibstudio.services.rig_limits import limits_here

            held = held_temperatures([group], headers)
            return judge_files(ctx, files, held=held, rigs=limits_here(rigs))

        title = f"Measure {group_title(group)}"
        self._began = time.monotonic()
        self._job = self._context.background.submit(title, work, quiet=True)
        self._job.succeeded.connect(self._on_measured)
        self._job.failed.connect(self._on_failed)
        self._job.finished.connect(self._on_finished)

    def _next_group(self) -> Group | None:
        groups = sorted(
            self._state.grouping.groups,
            key=lambda g: (g.id != self._preferred, g.kind not in MEASURED_KINDS),
        )
        for group in groups:
            if group.kind not in MEASURED_KINDS and group.id != self._preferred:
                continue
            if self._state.unmeasured(group):
                return group
        return None

    @Slot(object)
    def _on_measured(self, found: Mapping[Path, Assessment]) -> None:
        took = max(time.monotonic() - self._began, 1e-3)
        fitting = round(self._at_once * SHOW_EVERY_S / took)
        self._at_once = min(max(fitting, 1), 2 * self._at_once, MOST_AT_ONCE)
        self._state.add_assessments(found)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        # One failure would come again for every batch: it is said once, and measuring rests.
        self._stopped = True
        self._context.problems.report(error)

    @Slot()
    def _on_finished(self) -> None:
        self._job = None
        self.measure_next()
