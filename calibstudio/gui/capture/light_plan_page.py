"""Plan from my lights: what they need, what the library has of it, and a plan for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext, Progress
from calibstudio.domain.needs import Choice
from calibstudio.domain.plan import CapturePlan, Estimate
from calibstudio.domain.wording import count
from calibstudio.gui.capture.light_looking import look_at_lights
from calibstudio.gui.capture.needs_list import NeedsList
from calibstudio.gui.capture.plan_frame import PlanFrame
from calibstudio.gui.context import GuiContext
from calibstudio.gui.jobs.runner import Job
from calibstudio.gui.sheet import file_dialog
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.panels import EmptyState, ground, scrolled
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import ElidedLabel, label

if TYPE_CHECKING:
    from calibstudio.services.light_plan import Capture, LightPlan

CHOICES = (
    (Choice.FILL, "Fill gaps"),
    (Choice.REFRESH, "Refresh"),
    (Choice.REBUILD, "Rebuild all"),
    (Choice.CUSTOM, "My choice"),
)
EXPLAINED = {
    Choice.FILL: "What is missing is taken.",
    Choice.REFRESH: "What is missing and what is stale is taken.",
    Choice.REBUILD: "Everything is taken, also what is there.",
    Choice.CUSTOM: "What is ticked is taken.",
}
WIDE, COMPACT = (1420, 420), (986, 316)
NO_LIGHTS = "Drop your lights here, or add them."
HINT = (
    "Their headers say which darks, flats and biases they need; the library says which of them "
    "are there. Nothing in the folder is changed."
)


class LightPlanPage(PlanFrame):
    """Lights are added; needs are ticked; the plan is started or saved."""

    name = "plan"

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(context, "Plan from my lights", "light-plan", WIDE, COMPACT, parent)
        self.paths: list[Path] = []
        self.found: LightPlan | None = None
        self.capture: Capture | None = None
        self.choice = Choice.FILL
        self._ticked: set[str] = set()
        self._job: Job | None = None
        self.start = self.primary
        self.needs = NeedsList(self.theme)
        self.choices = SegmentedControl(
            self.theme, CHOICES, name="What is taken", value=Choice.FILL
        )
        self.add_folder = Button(self.theme, "Add folder…", icon="folder", size=ButtonSize.SMALL)
        self.add_files = Button(self.theme, "Add lights…", icon="plus", size=ButtonSize.SMALL)
        self.explained = ElidedLabel(EXPLAINED[Choice.FILL], "secondary")
        self.notes = label("", "secondary", tone="warn", wrap=True)
        self.empty = EmptyState(
            self.theme,
            "plan",
            NO_LIGHTS,
            hint=HINT,
            action="Add folder…",
            on_action=self.ask_for_folder,
            primary=True,
        )
        self._pages = QStackedWidget()
        self._fill()
        self._connect()
        self.setAcceptDrops(True)
        self._renew()

    def _fill(self) -> None:
        listed = ground("bg")
        column = QVBoxLayout(listed)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_head())
        inner = ground("bg")
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(0, 0, 0, 16)
        rows.setSpacing(12)
        rows.addWidget(self.needs)
        self.notes.setContentsMargins(16, 0, 16, 0)
        rows.addWidget(self.notes)
        rows.addStretch(1)
        column.addWidget(scrolled(inner), 1)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(listed)
        self.build(self._pages, margin=16)

    def _make_head(self) -> QWidget:
        head = ground("bg")
        row = QHBoxLayout(head)
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(12)
        row.addWidget(self.choices)
        row.addWidget(self.explained, 1)
        row.addStretch(0)
        row.addWidget(self.add_files)
        row.addWidget(self.add_folder)
        return head

    def _connect(self) -> None:
        self.add_folder.clicked.connect(self.ask_for_folder)
        self.add_files.clicked.connect(self.ask_for_files)
        self.choices.chosen.connect(self._on_choice)
        self.needs.ticked.connect(self._on_ticked)

    # Lights

    @Slot()
    def ask_for_folder(self) -> None:
        """Let the operator choose a folder of lights."""
        dialog = file_dialog(
            self.theme, self, "Folder of your lights", start=self._start(), folders=True
        )
        dialog.fileSelected.connect(lambda path: self.add_lights([Path(path)]))
        dialog.open()

    @Slot()
    def ask_for_files(self) -> None:
        """Let the operator choose lights."""
        dialog = file_dialog(self.theme, self, "Your lights", start=self._start(), many=True)
        dialog.filesSelected.connect(lambda paths: self.add_lights([Path(p) for p in paths]))
        dialog.open()

    def _start(self) -> Path:
        if not self.paths:
            return self.context.settings.current.frames_folder
        return self.paths[-1] if self.paths[-1].is_dir() else self.paths[-1].parent

    def add_lights(self, paths: Sequence[Path]) -> None:
        """Add folders or files, and look at all of them."""
        self.paths += [p.absolute() for p in paths if p.absolute() not in self.paths]
        if not self.paths:
            return
        if self._job is not None:
            self._job.cancel()
        site, wanted = self.context.settings.current.site, tuple(self.paths)
        camera, opened = self._camera_name(), self.context.open_library

        def work(ctx: JobContext) -> LightPlan:
            return look_at_lights(ctx, wanted, opened, site, camera)

        job = self._job = self.context.background.submit("Plan from lights", work)
        job.progressed.connect(self._on_progress)
        job.succeeded.connect(self._on_found)
        job.failed.connect(self._on_failed)
        job.finished.connect(self._on_finished)
        self.empty.set_sentence("Reading what the lights say…")

    def _camera_name(self) -> str:
        return self.context.equipment.observatory.camera.info.name

    @Slot(object)
    def _on_progress(self, progress: Progress) -> None:
        if progress.text:
            self.say(progress.text)

    @Slot(object)
    def _on_found(self, found: LightPlan) -> None:
        self.found = found
        self._ticked = set(found.chosen(self.choice, self._ticked)[1])
        self._pages.setCurrentIndex(1)
        self._renew()
        left = len(found.lights.left_out)
        if left:
            first = found.lights.left_out[0]
            self.context.toasts.say(
                f"{count(left, 'file')} left out.",
                "warn",
                hint=f"{first.path.name}: {first.reason}",
            )

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        if self.found is None:
            self.paths.clear()
            if isinstance(error, CalibStudioError):
                self.empty.set_sentence(str(error), error.hint)
                return
        self.context.problems.report(error)

    @Slot()
    def _on_finished(self) -> None:
        if self.sender() in (None, self._job):
            self._job = None
            if self.found is None and not self.paths:
                self.say("")
            else:
                self._renew()

    # What is taken

    @Slot(object)
    def _on_choice(self, choice: Choice) -> None:
        if self.found is not None and choice is Choice.CUSTOM:
            self._ticked = set(self.found.chosen(self.choice, self._ticked)[1])
        self.choice = choice
        self._renew()

    @Slot(object)
    def _on_ticked(self, ids: set[str]) -> None:
        self._ticked = set(ids)
        self.choice = Choice.CUSTOM
        self.choices.set_value(Choice.CUSTOM)
        self._renew()

    def _renew(self) -> None:
        """Show what follows from lights and choice."""
        self.explained.setText(EXPLAINED[self.choice])
        problem = ""
        self.capture = None
        if self.found is not None:
            needs, taken = self.found.chosen(self.choice, self._ticked)
            self.needs.show_needs(needs, taken)
            try:
                self.capture = self._captured(self.found)
            except CalibStudioError as error:
                problem = f"{error} {error.hint}".strip()
        self._show_capture(problem)

    def _captured(self, found: LightPlan) -> Capture | None:
        observatory = self.context.equipment.observatory
        wheel, panel = observatory.wheel, observatory.panel
        return found.capture(
            self.choice,
            self._ticked,
            info=observatory.camera.info,
            filters=() if wheel is None else wheel.filters,
            panel=None if panel is None else panel.info,
        )

    def _show_capture(self, problem: str) -> None:
        capture = self.capture
        notes = [*([problem] if problem else []), *self._other_notes()]
        notes += () if capture is None else capture.notes
        self.notes.setText("\n".join(notes))
        self.notes.setVisible(bool(notes))
        if capture is None:
            self.preflight.show_plan(None, None, self._facts())
            nothing = "there is something to take" if self.found else "lights are added"
            self.preflight.wait_for(f"Waits until {nothing}.")
            said = problem or ("Nothing is to be taken." if self.found else "")
        else:
            self.preflight.show_plan(capture.plan, capture.cost.estimate, self._facts())
            self.preflight.wait_for("")
            said = "Nothing moves before you press Start."
        self.say(said, tip=said, bad=bool(problem))
        frames = 0 if capture is None else capture.cost.estimate.frames
        self.start.setText(f"Start {count(frames, 'frame')}" if frames else "Start")
        self.enable()

    def _facts(self) -> list[tuple[str, str]]:
        if self.found is None:
            return [("Lights", "none yet")]
        needs, _ = self.found.chosen(self.choice, self._ticked)
        gaps = sum(need.state.is_gap for need in needs)
        return [
            ("Lights", count(len(self.found.lights.headers), "light")),
            ("Camera", self.found.lights.camera),
            ("Needs", f"{count(len(needs), 'master')}, {gaps} missing or stale"),
        ]

    def _other_notes(self) -> list[str]:
        if self.found is None:
            return []
        lights, here = self.found.lights, self._camera_name()
        notes = []
        if lights.camera.casefold() != here.casefold():
            notes.append(
                f"These lights are of {lights.camera}; {here} is connected. Its frames do not fit "
                "them."
            )
        others = [name for name in lights.cameras if name != lights.camera]
        if others:
            notes.append(f"Lights of {', '.join(others)} are left out: a plan is for one camera.")
        return notes

    def enable(self) -> None:
        has_plan = self.capture is not None
        self.save.setEnabled(has_plan)
        self.start.setEnabled(has_plan and self._may_start)

    @property
    def plan(self) -> CapturePlan | None:
        return None if self.capture is None else self.capture.plan

    def estimate(self) -> Estimate:
        assert self.capture is not None
        return self.capture.cost.estimate

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.add_lights(paths)

    def set_compact(self, compact: bool) -> None:
        super().set_compact(compact)
        self.explained.setVisible(not compact)

    def close_down(self) -> None:
        super().close_down()
        if self._job is not None:
            self._job.cancel()
