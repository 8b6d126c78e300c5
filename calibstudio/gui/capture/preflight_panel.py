"""The right side of a wizard: what will be captured, and whether everything is ready for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.plan import CapturePlan, Estimate
from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import count, duration, file_size, number
from calibstudio.gui.context import GuiContext
from calibstudio.gui.jobs.runner import Job
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.panels import KeyValueGrid, Section, scrolled
from calibstudio.gui.widgets.text import ElidedLabel, label, set_tone
from calibstudio.gui.widgets.verdict import StatusDot, kind_of
from calibstudio.services.cooling_time import time_needed

if TYPE_CHECKING:
    from calibstudio.services.capture_check import Check

LOOK_AGAIN_MS = 4000
AFTER_EDIT_MS = 350
LOOP = "Loop"
"""Title of the job that Live loops in."""
LATE_MS = 1500
"""After so long without an answer it is said that the camera is busy."""
MENDS = {
    "folder": "Choose folder",
    "cool": "Cool down",
    "connect": "Equipment",
    "loop": "Stop the loop",
}
"""Words of the button that mends a check, by its action."""


class PreflightPanel(QWidget):
    """Facts of the plan over the checks, looked at again every few seconds.

    Signals
    -------
    checked(bool)
        Whether the plan may start (no check is BAD).
    mend_wanted(str)
        The action of a check whose button was pressed.
    looked()
        Everything was looked at again: times from now on are others.
    """

    checked = Signal(bool)
    mend_wanted = Signal(str)
    looked = Signal()

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._plan: CapturePlan | None = None
        self._job: Job | None = None
        self._again = False
        self._asked = False
        self._rows: list[_CheckRow] = []
        self.checks: tuple[Check, ...] = ()
        """What was found last."""
        self.what = Section("What will be captured")
        self._facts = KeyValueGrid()
        self._time = label("", "count")
        self._ends = label("", "count")
        self._apart = label("", "note", wrap=True)
        self._note = ElidedLabel("", "note")
        self._waits = label("", "secondary", wrap=True)
        self._list = QVBoxLayout()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_AGAIN_MS)
        self._timer.timeout.connect(self._look)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(AFTER_EDIT_MS)
        self._soon.timeout.connect(self._look)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(LATE_MS)
        self._late.timeout.connect(self._on_late)
        self._build()

    def _build(self) -> None:
        self.what.body.addWidget(self._facts)
        times = QHBoxLayout()
        times.setSpacing(24)
        for caption, shown in (("Time needed", self._time), ("Ends about", self._ends)):
            column = QVBoxLayout()
            column.setSpacing(0)
            column.addWidget(label(caption, "small", tone="text2"))
            column.addWidget(shown)
            times.addLayout(column)
            shown.setProperty("role", "value")
        times.addStretch(1)
        self.what.body.addLayout(times)
        self.what.body.addWidget(self._apart)
        self._apart.hide()
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.what)
        column.addLayout(self._make_list())
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inner))

    def _make_list(self) -> QVBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(label("Pre-flight", "heading"))
        head.addWidget(self._note, 1)
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._waits.hide()
        column = QVBoxLayout()
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._waits)
        self._list.setSpacing(0)
        column.addLayout(self._list)
        return column

    def show_problems(self, problems: Sequence[str]) -> None:
        """With problems in the answers there is nothing to check yet."""
        self.wait_for("Waits until the answers are complete." if problems else "")

    def wait_for(self, what: str) -> None:
        """Say why there is nothing to check yet; empty: there is."""
        waits = bool(what)
        self._waits.setText(what)
        self._waits.setVisible(waits)
        if waits:
            self._note.setText("")
        for i, row in enumerate(self._rows):
            row.setVisible(not waits and i < len(self.checks))

    def show_plan(
        self, plan: CapturePlan | None, estimate: Estimate | None, facts: Sequence[tuple[str, str]]
    ) -> None:
        """Say what a plan costs and look whether it can be carried out."""
        self._plan = plan
        rows = list(facts)
        if estimate is not None:
            frames = count(estimate.frames, "frame")
            if estimate.test_frames:
                tests = f"about {number(estimate.test_frames)} test frames"
                frames = f"{number(estimate.frames)} and {tests}"
            rows.append(("Frames", frames))
            rows.append(("Disk", file_size(estimate.bytes)))
        self._facts.set_rows(rows)
        self.show_time(estimate)
        self._soon.start()

    def show_time(self, estimate: Estimate | None) -> None:
        """Say how long it takes from now, cooling and warm-up told apart, and when it ends."""
        plan = self._plan
        if plan is None or estimate is None:
            self._time.setText("—")
            self._ends.setText("—")
            self._apart.hide()
            return
        equipment = self._context.equipment
        observatory = equipment.observatory
        needed = time_needed(plan, estimate, observatory.camera.info, equipment.snapshot.camera)
        self._time.setText(duration(needed.seconds))
        ends = observatory.clock.now() + timedelta(seconds=needed.seconds)
        self._ends.setText(f"{ends:%H:%M} UTC")
        self._apart.setText(needed.words())
        self._apart.setVisible(bool(needed.words()))

    def begin(self) -> None:
        """Look from now on."""
        self._timer.start()

    def end(self) -> None:
        """Look no more."""
        for timer in (self._timer, self._soon, self._late):
            timer.stop()

    @Slot()
    def _look(self) -> None:
        plan = self._plan
        if plan is None:
            return
        if self._job is not None:
            self._again = True
            return
        context = self._context
        folder = context.settings.current.frames_folder

        def work(ctx: object) -> list[Check]:
            from calibstudio.services.capture_check import preflight
            from calibstudio.services.trained import TrainedStore

            observatory = context.equipment.observatory
            trained = TrainedStore.for_rig(context.data_folder, observatory.name)
            return preflight(observatory, plan, folder, trained=trained)

        self._job = context.camera_jobs.submit("Pre-flight", work, quiet=True)
        self._late.start()
        self._job.succeeded.connect(self._on_checks)
        self._job.failed.connect(self._on_failed)
        self._job.finished.connect(self._on_finished)

    @Slot(object)
    def _on_checks(self, checks: Sequence[Check]) -> None:
        if self._plan is None:
            return
        self._show(checks)
        self.looked.emit()
        self.checked.emit(all(c.verdict is not Verdict.BAD for c in checks))

    def _show(self, checks: Sequence[Check]) -> None:
        self.checks = tuple(checks)
        while len(self._rows) < len(checks):
            row = _CheckRow(self._context)
            row.mend_wanted.connect(self._on_mend)
            self._list.addWidget(row)
            self._rows.append(row)
        for i, row in enumerate(self._rows):
            row.setVisible(i < len(checks))
            if i < len(checks):
                row.show_check(checks[i])
        self._note.setText(_counted(checks))
        set_tone(self._note, "")

    @Slot()
    def _on_late(self) -> None:
        """Nobody answers: something else has the camera's thread."""
        from calibstudio.services.capture_check import Check

        busy = next((j for j in self._context.camera_jobs.active if j is not self._job), None)
        if self._job is None or self._plan is None:
            return
        if busy is None:
            self._note.setText("looking…")
            return
        if busy.title == LOOP:
            fact, fix, action = "Live takes frames in a loop.", "Stop it first.", "loop"
        else:
            fact, fix, action = f"Busy: {busy.title}.", "It is looked at afterwards.", ""
        self._show([Check("Camera", Verdict.BAD, fact, fix, action)])
        self.checked.emit(False)

    @Slot(str)
    def _on_mend(self, action: str) -> None:
        if action != "loop":
            self.mend_wanted.emit(action)
            return
        for job in self._context.camera_jobs.active:
            if job.title == LOOP:
                job.cancel()

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self._note.setText(str(error))
        set_tone(self._note, "bad")
        self.checked.emit(False)

    @Slot()
    def _on_finished(self) -> None:
        self._late.stop()
        self._job = None
        if self._again:
            self._again = False
            self._look()


def _counted(checks: Sequence[Check]) -> str:
    passed = sum(c.verdict is Verdict.GOOD for c in checks)
    warned = sum(c.verdict is Verdict.WARN for c in checks)
    bad = sum(c.verdict is Verdict.BAD for c in checks)
    later = sum(c.verdict is None for c in checks)
    parts = [f"{passed} passed"]
    parts += [count(warned, "warning")] if warned else []
    parts += [f"{bad} must be mended"] if bad else []
    parts += [f"{later} later"] if later else []
    return " · ".join(parts)


class _CheckRow(QWidget):
    """Shape, what was looked at, what was found, and the button that mends it."""

    mend_wanted = Signal(str)

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._action = ""
        self.setMinimumHeight(50)
        self.setProperty("border", "bottom")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._dot = StatusDot(context.theme, size=20)
        self._name = label("", "medium")
        self._fact = label("", "small", tone="text2", wrap=True)
        self._state = label("", "note")
        self._button = Button(context.theme, "", size=ButtonSize.SMALL)
        self._button.clicked.connect(lambda _checked=False: self.mend_wanted.emit(self._action))
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self._name, 1)
        top.addWidget(self._state)
        top.addWidget(self._button)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 6, 0, 6)
        row.setSpacing(12)
        row.addWidget(self._dot, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self._fact)
        row.addLayout(column, 1)

    def show_check(self, check: Check) -> None:
        """Show one check."""
        verdict = check.verdict
        self._dot.set_status("waiting" if verdict is None else kind_of(verdict), check.name)
        self._name.setText(check.name)
        text = f"{check.fact} {check.fix}".strip()
        self._fact.setText(text)
        self._action = check.action
        words = MENDS.get(check.action, "")
        self._button.setText(words)
        self._button.setVisible(bool(words))
        said = "later" if verdict is None else "passed" if verdict is Verdict.GOOD else ""
        self._state.setText("" if words else said)
