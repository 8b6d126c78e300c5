"""At the start: a sequence that was cut off by a crash or a power cut is offered again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import count, number
from calibstudio.gui.context import GuiContext
from calibstudio.gui.jobs.runner import Job
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.widgets.banner import Banner

if TYPE_CHECKING:
    from calibstudio.services.capture_state import Resumed


class CutOffOffer(QObject):
    """Looks once, in the background, and puts a banner under the header of what is shown."""

    def __init__(self, context: GuiContext, window: MainWindow) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self.banner: Banner | None = None
        self._offered: Resumed | None = None

    def look(self) -> None:
        """Look in the frames' folder."""
        folder = self._context.settings.current.frames_folder

        def work(ctx: JobContext) -> Resumed | None:
            from calibstudio.services.capture_state import newest_cut_off

            return newest_cut_off(folder)

        job = self._context.background.submit("Look for sequences", work, quiet=True)
        job.succeeded.connect(self._on_found)

    @Slot(object)
    def _on_found(self, found: Resumed | None) -> None:
        workspace = self._window.workspace
        if found is None or workspace is None:
            return
        self._offered = found
        self.banner = Banner(
            self._context.theme,
            "warn",
            f"“{found.plan.title}” was cut off.",
            f"{number(found.good)} of {count(found.wanted, 'good frame')} are kept; "
            "it goes on where it was.",
            action="Resume",
            on_action=self._resume,
        )
        self.banner.closed.connect(self._on_closed)
        self._context.camera_jobs.started.connect(self._on_job)
        workspace.add_banner(self.banner)

    def _resume(self) -> None:
        """Go to Capture and go on."""
        from calibstudio.gui.capture.workspace import CaptureWorkspace

        if self.banner is not None:
            self.banner.hide()
        self._window.show_workspace("capture")
        workspace = self._window.workspace
        if isinstance(workspace, CaptureWorkspace) and self._offered is not None:
            workspace.resume(self._offered)

    @Slot(object)
    def _on_job(self, job: Job) -> None:
        """It goes on, from here or from the list: nothing is left to offer."""
        offered = self._offered
        if self.banner is not None and offered is not None and job.title == offered.plan.title:
            self.banner.hide()

    @Slot()
    def _on_closed(self) -> None:
        """It stays in the list of sequences, and is not offered at the next start."""
        offered = self._offered
        if offered is None:
            return

        def work(ctx: JobContext) -> None:
            from calibstudio.services.capture_state import let_be

            let_be(offered.path)

        job = self._context.background.submit("Sequence left", work, quiet=True)
        job.failed.connect(self._context.problems.report)
