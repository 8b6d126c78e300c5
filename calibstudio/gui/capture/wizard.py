"""A wizard: steps with their answers at the left, one question a page, pre-flight at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import CapturePlan, Estimate
from calibstudio.gui.capture.page import Page
from calibstudio.gui.capture.plan_file import save_plan_as
from calibstudio.gui.capture.preflight_panel import PreflightPanel
from calibstudio.gui.capture.steps_list import StepMark
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import ElidedLabel, label, set_tone
from calibstudio.services.answers import AnyDraft


class Draft(Protocol):
    """What a wizard edits: see `calibstudio.domain.drafts`."""

    def problems(self, info: CameraInfo) -> list[str]:
        """Why it cannot start."""
        ...

    def advice(self, info: CameraInfo) -> list[str]:
        """What an expert would say."""
        ...

    def plan(self, info: CameraInfo) -> CapturePlan:
        """The plan these answers make."""
        ...

    def estimate(self, info: CameraInfo) -> Estimate:
        """What it costs."""
        ...


NOTHING_MOVES = "Nothing moves and no lamp is lit before you press Start."
NOTHING_MOVES_SHORT = "Nothing moves before you press Start."
COMPLETE_FIRST = "It goes on when the answers are complete."
MEND_FIRST = "Mend what the pre-flight marks as bad, then start."
WIDE, COMPACT = (288, 1168, 388), (240, 746, 316)
"""Steps, page and pre-flight, in a large window and in one of 1366 pixels."""


class Wizard(QWidget):
    """Pages over a draft, with the plan and its pre-flight beside them.

    Signals
    -------
    start_wanted(CapturePlan)
        Start was pressed.
    closed()
        The operator goes back to the tiles.
    """

    name = ""
    """Of its tile; its answers are remembered under it."""
    start_wanted = Signal(object)
    closed = Signal()

    def __init__(
        self, context: GuiContext, title: str, draft: Draft, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.context = context
        self.theme = context.theme
        self.title = title
        self.draft = draft
        self.info = context.equipment.observatory.camera.info
        self.pages: list[Page] = []
        self._may_start = True
        self._compact = False
        self._marks: list[StepMark] = []
        self.preflight = PreflightPanel(context)
        self._stack = QStackedWidget()
        self.back = Button(self.theme, "Back", icon="chevron-left", size=ButtonSize.LARGE)
        self.save = Button(
            self.theme,
            "Save as file…",
            ButtonKind.FLAT,
            icon="save",
            size=ButtonSize.LARGE,
            tip="A file that calibstudio run carries out without a screen",
        )
        self.next = Button(
            self.theme,
            "Next",
            ButtonKind.PRIMARY,
            size=ButtonSize.LARGE,
            icon="chevron-right",
            icon_after=True,
            tip="Ctrl+Enter",
        )
        self._hint = ElidedLabel(NOTHING_MOVES, "secondary")
        self._splitter = Splitter("wizard", sizes=WIDE)

    def set_pages(self, pages: Sequence[Page]) -> None:
        """Build around these pages, in order. Called once by the subclass."""
        self.pages = list(pages)
        steps = self._make_steps()
        for page in self.pages:
            page.finish(self.theme)
            page.edited.connect(self._on_edited)
            self._stack.addWidget(page)
        foot = ground("bg", border="top")
        row = QHBoxLayout(foot)
        row.setContentsMargins(32, 12, 32, 12)
        row.setSpacing(16)
        row.addWidget(self.back)
        row.addWidget(self._hint, 1)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.save)
        row.addWidget(self.next)
        centre = ground("bg")
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        column.addWidget(foot)
        splitter = self._splitter
        for panel in (steps, centre, self.preflight):
            splitter.addWidget(panel)
        splitter.setStretchFactor(1, 1)
        steps.setMinimumWidth(220)
        self.preflight.setMinimumWidth(300)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(splitter)
        self.back.clicked.connect(self.go_back)
        self.next.clicked.connect(self.go_on)
        self.save.clicked.connect(self.save_as_file)
        self.preflight.checked.connect(self._on_checked)
        self.preflight.looked.connect(self._on_looked)
        self.show_page(0)
        self._on_edited()

    def _make_steps(self) -> QWidget:
        side = ground("panel")
        column = QVBoxLayout(side)
        column.setContentsMargins(12, 20, 12, 16)
        column.setSpacing(4)
        for i, page in enumerate(self.pages):
            mark = StepMark(self.theme, i + 1, page.step)
            mark.clicked.connect(lambda _checked=False, i=i: self.show_page(i))
            self._marks.append(mark)
            column.addWidget(mark)
        note = (
            "Every answer is remembered for this rig when the sequence starts. "
            "You can jump to any page."
        )
        said = label(note, "note", wrap=True)
        said.setContentsMargins(8, 16, 8, 0)
        column.addWidget(said)
        column.addStretch(1)
        return side

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self.pages[self._stack.currentIndex()]

    @Slot(int)
    def show_page(self, index: int) -> None:
        """Show a page."""
        self._stack.setCurrentIndex(index)
        self.page.opened()
        is_last = index == len(self.pages) - 1
        self.next.setText(self._start_words() if is_last else f"Next: {self._next_step(index)}")
        self.next.set_icon("" if is_last else "chevron-right")
        self.back.setText("Back" if index else "Close")
        self.save.setVisible(is_last)
        for i, mark in enumerate(self._marks):
            mark.show_state(current=i == index, done=i < index)
        self._enable()

    def _next_step(self, index: int) -> str:
        step = self.pages[index + 1].step
        return step[:1].lower() + step[1:]

    def _start_words(self) -> str:
        return "Start"

    @Slot()
    def go_on(self) -> None:
        """Go to the next page; from the last, start."""
        if not self.next.isEnabled():
            return
        index = self._stack.currentIndex()
        if index + 1 < len(self.pages):
            self.show_page(index + 1)
        else:
            self.preflight.end()
            self.start_wanted.emit(self.draft.plan(self.info))

    @Slot()
    def go_back(self) -> None:
        """Go to the page before; from the first, close."""
        index = self._stack.currentIndex()
        if index:
            self.show_page(index - 1)
        else:
            self.preflight.end()
            self.closed.emit()

    @Slot()
    def save_as_file(self) -> None:
        """Write the plan as a file of `calibstudio run`."""
        save_plan_as(self.context, self, self.draft.plan(self.info))

    def facts(self) -> list[tuple[str, str]]:
        """What will be captured, in words; subclasses say more."""
        return []

    def problems(self) -> list[str]:
        """Why it cannot start, one sentence each."""
        return self.draft.problems(self.info)

    def answers(self) -> AnyDraft:
        """What is remembered of it."""
        assert isinstance(self.draft, AnyDraft)
        return self.draft

    def estimate(self) -> Estimate:
        """What it costs; subclasses know better exposures."""
        return self.draft.estimate(self.info)

    def renew(self) -> None:
        """Override: an answer changed; show what follows from it on other pages."""

    def show_costs(self, plan: CapturePlan) -> None:
        """Override: show what the steps of the plan cost."""

    @Slot()
    def _on_edited(self) -> None:
        self.renew()
        problems = self.problems()
        advice = self.draft.advice(self.info)
        for page, mark in zip(self.pages, self._marks, strict=True):
            page.problem.setText(" ".join(problems))
            page.problem.setVisible(bool(problems))
            page.advice.setText(" ".join(advice))
            page.advice.setVisible(bool(advice))
            mark.show_answer(page.answer())
        if problems:
            self.preflight.show_plan(None, None, self.facts())
        else:
            plan = self.draft.plan(self.info)
            self.preflight.show_plan(plan, self.estimate(), self.facts())
            self.show_costs(plan)
        self.preflight.show_problems(problems)
        index = self._stack.currentIndex()
        if index == len(self.pages) - 1:
            self.next.setText(self._start_words())
        self._enable()

    @Slot()
    def _on_looked(self) -> None:
        """Time has passed since the last answer: say anew how long it takes from now."""
        if not self.problems():
            self.preflight.show_time(self.estimate())

    @Slot(bool)
    def _on_checked(self, may_start: bool) -> None:
        self._may_start = may_start
        self._enable()

    def _enable(self) -> None:
        is_last = self._stack.currentIndex() == len(self.pages) - 1
        problems = self.problems()
        blocked = bool(problems) or (is_last and not self._may_start)
        self.next.setEnabled(not blocked)
        self.save.setEnabled(not problems)
        words = NOTHING_MOVES_SHORT if self._compact else NOTHING_MOVES
        if problems:
            words = COMPLETE_FIRST
        elif blocked:
            words = MEND_FIRST
        self._hint.setText(words)
        self._hint.set_tip(" ".join(problems))
        set_tone(self._hint, "bad" if blocked else "")

    def set_compact(self, compact: bool) -> None:
        """Less room: narrower sides."""
        self._compact = compact
        self.save.setText("Save…" if compact else "Save as file…")
        self._splitter.suggest(COMPACT if compact else WIDE)
        for page in self.pages:
            page.set_compact(compact)
        self._enable()

    def close_down(self) -> None:
        """Stop what goes on: the wizard closes."""
        self.preflight.end()
