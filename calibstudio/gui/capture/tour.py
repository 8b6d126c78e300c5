"""A whole simulated night for who has just come: from cooling to masters, in a few minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from calibstudio.domain.capture import CaptureReport
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import CapturePlan
from calibstudio.gui.capture.run_state import CaptureRun, settings_of_run
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.buttons import ButtonKind
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.workspace import Workspace

if TYPE_CHECKING:
    from calibstudio.domain.run_config import RunConfig
    from calibstudio.services.run_job import RunJob

EXAMPLE = "whole_night.yaml"
TITLE = "A whole simulated night"
WHAT = (
    "A small simulated camera is cooled, takes bias frames, darks of three exposures, panel flats "
    "through four filters with their dark flats, waits for the dawn, takes flats of the sky "
    "through two filters, and warms up. Every frame is judged, and the masters are built at the "
    "end, as in a night of yours."
)
FAST = (
    "Its clock jumps over every wait, so that a night takes a few minutes. Pause and Stop work as "
    "always."
)
MADE_UP = (
    "All frames are made up, and their headers say so (CSSIMUL). They go to {frames}, the masters "
    "to the library {library}; they fit only lights of the simulated camera."
)
CONNECTED = (
    "Equipment is connected, and the night needs the simulated observatory. Disconnect it in "
    "Settings, Equipment, then come back."
)


class Tour(QObject):
    """Puts the simulated observatory with a fast clock in the place of the usual one, for a night.

    At the end, whatever it was, the former is back.
    """

    def __init__(self, context: GuiContext, run: CaptureRun, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._run = context, run
        self._former: Observatory | None = None
        self._banner: Banner | None = None
        run.ended.connect(self._on_ended)
        run.masters_over.connect(self._on_masters_over)

    @property
    def is_on(self) -> bool:
        """Whether the night is under way, its masters included."""
        return self._former is not None

    def offer(
        self, workspace: Workspace, on_start: Callable[[CapturePlan, RunJob], object]
    ) -> Sheet:
        """Say what it is; Start begins it."""
        settings = self._context.settings.current
        sheet = Sheet(self._context.theme, TITLE, workspace, width=560)
        is_free = self._context.equipment.observatory.is_simulated
        if not is_free:
            sheet.body.addWidget(label(CONNECTED, "secondary", tone="warn", wrap=True))
        for text in (WHAT, FAST):
            sheet.body.addWidget(label(text, "secondary", wrap=True))
        said = MADE_UP.format(frames=settings.frames_folder, library=self._context.library)
        sheet.body.addWidget(label(said, "note", wrap=True))

        def start() -> None:
            sheet.accept()
            self.begin(workspace, on_start)

        sheet.add_button("Not now", sheet.reject)
        button = sheet.add_button("Start the night", start, ButtonKind.PRIMARY)
        button.setEnabled(is_free and not self._run.is_running and not self.is_on)
        sheet.open()
        return sheet

    def begin(
        self, workspace: Workspace, on_start: Callable[[CapturePlan, RunJob], object]
    ) -> None:
        """Read the plan, open the observatory, and start."""
        settings, connection = settings_of_run(self._context), self._context.connection

        def work(ctx: JobContext) -> tuple[Observatory, CapturePlan, RunJob]:
            from calibstudio.domain.run_config import Simulation
            from calibstudio.domain.run_plan import plan_of
            from calibstudio.services.run_job import RunJob

            config, text = _example()
            simulation = config.simulation or Simulation(speed=inf)
            observatory = connection.open_simulated(config.rig, simulation, ctx.token)
            plan = replace(plan_of(config, observatory).plan, title=TITLE)
            return observatory, plan, RunJob(config, text, replace(settings, rig=config.rig))

        job = self._context.background.submit(TITLE, work, quiet=True)
        job.succeeded.connect(lambda made: self._on_ready(workspace, on_start, *made))
        job.failed.connect(self._context.problems.report)

    def _on_ready(
        self,
        workspace: Workspace,
        on_start: Callable[[CapturePlan, RunJob], object],
        observatory: Observatory,
        plan: CapturePlan,
        job: RunJob,
    ) -> None:
        if self._run.is_running or self.is_on:
            observatory.close()
            return
        self._former = self._context.equipment.replace(observatory)
        if self._banner is None:
            self._banner = Banner(self._context.theme, "info", "", "")
            workspace.add_banner(self._banner)
        said = "The frames are made up; the clock jumps over every wait, so times to go are those "
        self._banner.set_text("info", "Simulated night.", f"{said}of the sky, not of your watch.")
        self._banner.show()
        on_start(plan, job)

    @Slot(object)
    def _on_ended(self, report: CaptureReport | None) -> None:
        if self.is_on and not self._run.builds_masters(report):
            self._put_back("The night was stopped.", "What was taken is listed below Capture.")

    @Slot()
    def _on_masters_over(self) -> None:
        if self.is_on:
            self._put_back(
                "The simulated night is over.",
                "Its masters are in the Library (key 4), its frames behind Show in Frames.",
            )

    def leave(self) -> None:
        """The operator goes on to something else: what the night said was read."""
        if self._banner is not None and not self.is_on:
            self._banner.hide()

    def _put_back(self, head: str, text: str) -> None:
        """The usual observatory is back; the one of the night is let go."""
        former, self._former = self._former, None
        if former is None:
            return
        night = self._context.equipment.replace(former)
        self._context.camera_jobs.submit("Disconnecting", lambda ctx: night.close(), quiet=True)
        if self._banner is not None:
            self._banner.set_text("good", head, text)


def _example() -> tuple[RunConfig, str]:
    from calibstudio.services.run_config import read_run_config
    from calibstudio.store.assets import assets

    return read_run_config(next(iter(assets("examples", EXAMPLE))))
