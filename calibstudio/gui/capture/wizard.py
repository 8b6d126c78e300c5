"""A wizard: steps with their answers at the left, one question a page, pre-flight at the right."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import CapturePlan, Estimate
from calibstudio.gui.capture.preflight_panel import PreflightPanel
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import ground, scrolled
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import StatusDot


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


class Page(QWidget):
    """One question. Subclasses build into ``body`` and emit `edited`.

    Signals
    -------
    edited()
        An answer changed.
    """

    edited = Signal()

    def __init__(self, step: str, question: str, hint: str, parent: QWidget | None = None) -> None:
        """``step`` names it at the left, ``question`` is its heading."""
        super().__init__(parent)
        self.step = step
        inner = QWidget()
        self.body = QVBoxLayout(inner)
        self.body.setContentsMargins(32, 24, 32, 16)
        self.body.setSpacing(16)
        self.body.addWidget(label(question, "question", wrap=True))
        self.body.addWidget(label(hint, "secondary", wrap=True))
        self.problem = label("", "body", tone="bad", wrap=True)
        self.advice = label("", "secondary", tone="warn", wrap=True)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inner))

    def finish(self) -> None:
        """Close the layout: problems and advice below the fields."""
        self.body.addWidget(self.problem)
        self.body.addWidget(self.advice)
        self.body.addStretch(1)

    @abstractmethod
    def answer(self) -> str:
        """What is said of it at the left."""

    def opened(self) -> None:
        """The page is shown now."""


class Wizard(QWidget):
    """Pages over a draft, with the plan and its pre-flight beside them.

    Signals
    -------
    start_wanted(CapturePlan)
        Start was pressed.
    closed()
        The operator goes back to the tiles.
    """

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
        self._marks: list[_StepMark] = []
        self.preflight = PreflightPanel(context)
        self._stack = QStackedWidget()
        self.back = Button(self.theme, "Back", icon="chevron-left", size=ButtonSize.LARGE)
        self.next = Button(
            self.theme, "Next", ButtonKind.PRIMARY, key="Ctrl+Enter", size=ButtonSize.LARGE
        )
        self._hint = label("Nothing moves and no lamp is lit before you press Start.", "secondary")

    def set_pages(self, pages: Sequence[Page]) -> None:
        """Build around these pages, in order. Called once by the subclass."""
        self.pages = list(pages)
        steps = self._make_steps()
        for page in self.pages:
            page.finish()
            page.edited.connect(self._on_edited)
            self._stack.addWidget(page)
        foot = ground("bg", border="top")
        row = QHBoxLayout(foot)
        row.setContentsMargins(32, 12, 32, 12)
        row.setSpacing(16)
        row.addWidget(self.back)
        row.addStretch(1)
        row.addWidget(self._hint)
        row.addWidget(self.next)
        centre = ground("bg")
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        column.addWidget(foot)
        splitter = Splitter("wizard", sizes=(288, 1168, 388))
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
        self.preflight.checked.connect(self._on_checked)
        self.show_page(0)
        self._on_edited()

    def _make_steps(self) -> QWidget:
        side = ground("panel")
        column = QVBoxLayout(side)
        column.setContentsMargins(12, 20, 12, 16)
        column.setSpacing(4)
        for i, page in enumerate(self.pages):
            mark = _StepMark(self.context, i + 1, page.step)
            mark.pressed.connect(lambda i=i: self.show_page(i))
            self._marks.append(mark)
            column.addWidget(mark)
        note = "Every answer can be changed until Start. You can jump to any page."
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
        self.next.set_icon("take-one" if is_last else "")
        self.back.setText("Back" if index else "Close")
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

    def facts(self) -> list[tuple[str, str]]:
        """What will be captured, in words; subclasses say more."""
        return []

    def problems(self) -> list[str]:
        """Why it cannot start, one sentence each."""
        return self.draft.problems(self.info)

    @Slot()
    def _on_edited(self) -> None:
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
            self.preflight.show_plan(plan, self.draft.estimate(self.info), self.facts())
        self._enable()

    @Slot(bool)
    def _on_checked(self, may_start: bool) -> None:
        self._may_start = may_start
        self._enable()

    def _enable(self) -> None:
        is_last = self._stack.currentIndex() == len(self.pages) - 1
        blocked = bool(self.problems()) or (is_last and not self._may_start)
        self.next.setEnabled(not blocked)
        if is_last and not self._may_start:
            self._hint.setText("Mend what the pre-flight marks as bad, then start.")
        else:
            self._hint.setText("Nothing moves and no lamp is lit before you press Start.")

    def set_compact(self, compact: bool) -> None:
        """Less room: the sentence beside the button goes."""
        self._hint.setVisible(not compact)


class _StepMark(QWidget):
    """One step at the left: number or tick, its name, its answer."""

    pressed = Signal()

    def __init__(self, context: GuiContext, number: int, title: str) -> None:
        super().__init__()
        self._number = number
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"Step {number}: {title}")
        self._dot = StatusDot(context.theme, size=24)
        self._title = label(title, "medium")
        self._answer = ElidedLabel("", "small", tone="text2")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(12)
        row.addWidget(self._dot, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addWidget(self._title)
        column.addWidget(self._answer)
        row.addLayout(column, 1)

    def show_state(self, *, current: bool, done: bool) -> None:
        """Show whether it is looked at, answered, or still to come."""
        self._dot.set_status("good" if done else "running" if current else "waiting")
        self.setProperty("chosen", "true" if current else "false")
        self.style().unpolish(self)
        self.style().polish(self)

    def show_answer(self, text: str) -> None:
        """Say the answer."""
        self._answer.setText(text)
        self._answer.set_tip(text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()
