"""The Capture workspace: tiles, a wizard, or the running sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QStackedWidget, QWidget

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.requests import RequestState
from calibstudio.domain.wording import count, number
from calibstudio.gui.capture.bias_wizard import BiasWizard
from calibstudio.gui.capture.dark_flat_wizard import DarkFlatWizard
from calibstudio.gui.capture.dark_wizard import DarkWizard
from calibstudio.gui.capture.flat_wizard import FlatWizard
from calibstudio.gui.capture.home import CaptureHome
from calibstudio.gui.capture.light_plan_page import LightPlanPage
from calibstudio.gui.capture.plan_file import open_plan
from calibstudio.gui.capture.plan_frame import PlanFrame
from calibstudio.gui.capture.queue_state import RequestQueue
from calibstudio.gui.capture.recent import can_go_on
from calibstudio.gui.capture.request_sheet import RequestSheet
from calibstudio.gui.capture.run_state import CaptureRun
from calibstudio.gui.capture.running import RunningView
from calibstudio.gui.capture.tour import Tour
from calibstudio.gui.capture.twilight_wizard import TwilightWizard
from calibstudio.gui.capture.wizard import Wizard
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import file_dialog
from calibstudio.gui.widgets.buttons import Button, ButtonKind
from calibstudio.gui.widgets.workspace import Workspace
from calibstudio.services.answers import AnswerStore

if TYPE_CHECKING:
    from calibstudio.domain.requests import Request
    from calibstudio.services.capture_state import Resumed
    from calibstudio.services.request_run import QueueReport
    from calibstudio.services.run_job import RunJob

WIZARDS: dict[str, Callable[[GuiContext, AnswerStore], Wizard]] = {
    made.name: made for made in (BiasWizard, DarkWizard, FlatWizard, TwilightWizard, DarkFlatWizard)
}
"""Wizard of each tile. A new wizard is a line here and a tile in `home`."""


class CaptureWorkspace(Workspace):
    """One of three pages: home, a wizard, the sequence."""

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(context, "Capture", parent)
        self.run = CaptureRun(context, self)
        self.home = CaptureHome(context)
        self.queue = RequestQueue(context, self)
        self.tour = Tour(context, self.run, self)
        self.running = RunningView(context, self.run)
        self.wizard: Wizard | None = None
        self.light_plan: LightPlanPage | None = None
        self._pages = QStackedWidget()
        self._pages.addWidget(self.home)
        self._pages.addWidget(self.running)
        self.body.addWidget(self._pages, 1)
        self.close_wizard = Button(
            self.theme, "Close wizard", ButtonKind.FLAT, icon="close", key="Esc"
        )
        self.add_header_action(self.close_wizard)
        self._connect()
        self.show_home()

    def _connect(self) -> None:
        self.home.chosen.connect(self.open_wizard)
        self.home.resume_wanted.connect(self.resume)
        self.home.frames_wanted.connect(self.frames_wanted)
        self.home.file_wanted.connect(self.open_file)
        self.home.tour_wanted.connect(self.offer_tour)
        self._connect_queue()
        self.running.frames_wanted.connect(self.frames_wanted)
        self.running.resume_wanted.connect(self.resume_last)
        self.close_wizard.clicked.connect(self.show_home)
        self.running.left.connect(self.show_home)
        self.running.masters_wanted.connect(lambda: self.workspace_wanted.emit("library"))
        self.run.ended.connect(self._on_ended)
        self.on("pause", self._pause)
        self.on("cancel", self._cancel)
        self.on("primary", self._primary)
        self.on("wizard", self.show_home)
        picture = self.running.picture
        self.on("fit", picture.fit)
        self.on("one-to-one", picture.one_to_one)
        self.on("zoom-in", picture.zoom_in)
        self.on("zoom-out", picture.zoom_out)
        self.on("clipped", lambda: picture.show_clipped(not picture.shows_clipped))

    def _connect_queue(self) -> None:
        panel, queue, run = self.home.queue, self.queue, self.run
        queue.changed.connect(panel.show_queue)
        panel.add_wanted.connect(self.ask_for_frames)
        panel.run_wanted.connect(self.run_queue)
        panel.due_wanted.connect(queue.ask_for_due)
        panel.cancel_wanted.connect(queue.cancel)
        panel.give_back_wanted.connect(queue.give_back)
        panel.priority_wanted.connect(queue.set_priority)
        run.request_begun.connect(self._on_request_begun)
        run.queue_ended.connect(self._on_queue_ended)

    def shown(self) -> None:
        if self._pages.currentWidget() is self.home:
            self._look()

    def _look(self) -> None:
        self.home.look_for_sequences()
        self.queue.look()

    # Pages

    @Slot()
    def show_home(self) -> None:
        """Show the tiles, or the sequence while one is running."""
        self._drop_wizard()
        if self.run.is_running:
            self._show_running()
            return
        self.tour.leave()
        self._pages.setCurrentWidget(self.home)
        self.set_subtitle("")
        self.close_wizard.hide()
        self._look()

    @Slot(str)
    def open_wizard(self, name: str) -> None:
        """Open the wizard of a tile."""
        if self.run.is_running:
            self._show_running()
            return
        self._drop_wizard()
        if name == LightPlanPage.name:
            self._open_light_plan()
            return
        wizard = self.wizard = WIZARDS[name](self.context, self._answers())
        wizard.start_wanted.connect(self._on_start_wanted)
        self._show_frame(wizard)

    def _open_light_plan(self) -> None:
        page = self.light_plan = LightPlanPage(self.context)
        page.start_wanted.connect(self.start)
        self._show_frame(page)

    def _show_frame(self, page: PlanFrame) -> None:
        page.closed.connect(self.show_home)
        page.preflight.mend_wanted.connect(self._on_mend)
        page.set_compact(self.is_compact)
        self._pages.addWidget(page)
        self._pages.setCurrentWidget(page)
        self.set_subtitle(page.title)
        self.close_wizard.show()
        page.preflight.begin()

    def _frame(self) -> PlanFrame | None:
        """What makes a plan now: a wizard, or the plan from lights."""
        return self.wizard or self.light_plan

    @Slot(object)
    def plan_for_lights(self, paths: Sequence[Path]) -> None:
        """Open the plan from lights with these, for who found what they lack."""
        self.open_wizard(LightPlanPage.name)
        if self.light_plan is not None:
            self.light_plan.add_lights(paths)

    @Slot()
    def open_file(self) -> None:
        """Choose a file with a plan, look at what it asks for, and start it."""
        open_plan(self.context, self, self.start_file)

    def _answers(self) -> AnswerStore:
        """What was answered last for this rig: a small file, read like the settings."""
        name = self.context.equipment.observatory.name
        return AnswerStore.for_rig(self.context.data_folder, name)

    def _drop_wizard(self) -> None:
        for page in (self.wizard, self.light_plan):
            if page is not None:
                page.close_down()
                self._pages.removeWidget(page)
                page.deleteLater()
        self.wizard = self.light_plan = None

    def _show_running(self) -> None:
        self._pages.setCurrentWidget(self.running)
        self.close_wizard.hide()

    # The sequence

    @Slot(object)
    def _on_start_wanted(self, plan: CapturePlan) -> None:
        if self.wizard is not None:
            try:
                self._answers().keep(self.wizard.name, self.wizard.answers())
            except CalibStudioError as error:
                self.context.problems.report(error)
        self.start(plan)

    @Slot(object)
    def start(self, plan: CapturePlan) -> None:
        """Carry out a plan."""
        self._begin(plan, None)

    def start_file(self, plan: CapturePlan, job: RunJob) -> None:
        """Carry out the plan of a file: its folders, library, recipe and answers count."""
        self._begin(plan, None, job)

    @Slot(object)
    def resume(self, resumed: Resumed) -> None:
        """Go on with a sequence that was stopped."""
        self._begin(resumed.plan, resumed)

    def _begin(self, plan: CapturePlan, resumed: Resumed | None, job: RunJob | None = None) -> None:
        if self.run.is_running:
            return
        self._drop_wizard()
        self.running.begin(plan.title)
        self.set_subtitle(plan.title)
        self._show_running()
        self.run.start(plan, resumed, job)

    @Slot(object)
    def _on_ended(self, report: object) -> None:
        status = self.run.status
        if report is None and (status is None or not status.finished):
            # It could not begin: the reason was said, and there is nothing to look at.
            self.show_home()

    @Slot()
    def resume_last(self) -> None:
        """Go on with the sequence that is shown, which was stopped."""
        status = self.run.status
        if self.run.is_running or status is None:
            return
        plan, folder = status.plan, status.folder

        def work(ctx: JobContext) -> Resumed | None:
            from calibstudio.services.capture_state import find_sequences

            found = [] if folder is None else find_sequences(folder)
            return next((r for r in found if r.plan == plan and can_go_on(r)), None)

        job = self.context.background.submit("Resume", work, quiet=True)
        job.succeeded.connect(self._on_found)
        job.failed.connect(self.context.problems.report)

    @Slot(object)
    def _on_found(self, resumed: Resumed | None) -> None:
        if resumed is None:
            self.context.toasts.say("Nothing is left to take.", "info")
        else:
            self.resume(resumed)

    # Requests

    @Slot()
    def ask_for_frames(self) -> None:
        """Ask for frames that are taken when the queue is carried out."""
        RequestSheet(self.context, self._answers(), self, self.queue.add).open()

    @Slot()
    def run_queue(self) -> None:
        """Carry out every request that waits."""
        if self.run.is_running:
            return
        self._drop_wizard()
        self.running.begin("Requests")
        self.set_subtitle("Requests")
        self._show_running()
        self.run.start_queue()

    @Slot(object, int, int)
    def _on_request_begun(self, request: Request, which: int, of: int) -> None:
        title = f"Request {number(which)} of {number(of)}: {request.wish.title}"
        self.running.begin(title)
        self.set_subtitle(title)

    @Slot(object)
    def _on_queue_ended(self, report: QueueReport | None) -> None:
        """Back to the home of Capture, where the rows say what became of each."""
        self.show_home()
        if report is None or not report.requests:
            return
        failed = [r for r in report.requests if r.state is RequestState.ERROR]
        done = sum(r.state is RequestState.DONE for r in report.requests)
        said = f"{count(done, 'request')} carried out"
        said += f", {number(len(failed))} failed." if failed else "."
        hint = "\n".join(f"{r.wish.title}: {r.reason}" for r in failed[:3])
        self.context.toasts.say(said, "bad" if failed else "good", hint=hint)

    # The tour

    @Slot()
    def offer_tour(self) -> None:
        """Say what a whole simulated night is, and begin it when that is wanted."""
        self.tour.offer(self, self.start_file)

    # Keys and buttons

    def _pause(self) -> None:
        if self.run.is_running:
            self.run.toggle_pause()

    def _cancel(self) -> None:
        if self._frame() is not None:
            self.show_home()
        elif self.run.is_running:
            self.running.ask_to_stop()

    def _primary(self) -> None:
        page = self._frame()
        if page is not None:
            page.go_on()
        elif self._pages.currentWidget() is self.running:
            self.running.do_primary()

    @Slot(str)
    def _on_mend(self, action: str) -> None:
        """Do what the button of a pre-flight check says."""
        if action == "folder":
            dialog = file_dialog(
                self.theme,
                self,
                "Where frames are written",
                start=self.context.settings.current.frames_folder,
                folders=True,
            )
            dialog.fileSelected.connect(self._on_folder)
            dialog.open()
        elif action == "connect":
            self.settings_wanted.emit("equipment")
        elif action == "cool":
            page = self._frame()
            if page is not None and page.plan is not None:
                self._cool(page.plan)

    @Slot(str)
    def _on_folder(self, folder: str) -> None:
        self.context.settings.change(frames_folder=Path(folder))

    def _cool(self, plan: CapturePlan) -> None:
        """Begin to cool to the first temperature that the plan wants."""
        wanted = [s.settings.set_temp_c for s in plan.steps if s.settings.set_temp_c is not None]
        if not wanted:
            return
        camera = self.context.equipment.observatory.camera

        def work(ctx: JobContext) -> None:
            camera.set_cooler(on=True, target_c=wanted[0])

        job = self.context.camera_jobs.submit("Cool down", work, quiet=True)
        job.failed.connect(self.context.problems.report)

    def busy_with(self) -> str:
        status = self.run.status
        if not self.run.is_running or status is None:
            return ""
        return f"A sequence is running: {status.good} of {count(status.wanted, 'good frame')}."

    def on_compact(self, compact: bool) -> None:
        self.running.set_compact(compact)
        self.home.set_compact(compact)
        for page in (self.wizard, self.light_plan):
            if page is not None:
                page.set_compact(compact)

    def close_down(self) -> None:
        self._drop_wizard()
        self.running.close_down()
