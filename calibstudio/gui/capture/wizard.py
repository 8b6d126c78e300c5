"""A wizard: steps with their answers at the left, one question a page, pre-flight at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import CapturePlan, Estimate
from calibstudio.gui.capture.page import Page
from calibstudio.gui.capture.plan_frame import PlanFrame
from calibstudio.gui.capture.steps_list import StepMark
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.text import label
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


class Wizard(PlanFrame):
    """Pages over a draft, with the plan and its pre-flight beside them.

    Its answers are remembered under its ``name``.
    """

    def __init__(
        self, context: GuiContext, title: str, draft: Draft, parent: QWidget | None = None
    ) -> None:
        super().__init__(context, title, "wizard", WIDE, COMPACT, parent)
        self.draft = draft
        self.info = context.equipment.observatory.camera.info
        self.pages: list[Page] = []
        self._marks: list[StepMark] = []
        self._stack = QStackedWidget()
        self.next = self.primary

    def set_pages(self, pages: Sequence[Page]) -> None:
        """Build around these pages, in order. Called once by the subclass."""
        self.pages = list(pages)
        steps = self._make_steps()
        for page in self.pages:
            page.finish(self.theme)
            page.edited.connect(self._on_edited)
            self._stack.addWidget(page)
        steps.setMinimumWidth(220)
        self.build(self._stack, left=steps)
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
        self._mark()
        self.enable()

    def _mark(self) -> None:
        """Tick the pages before this one, but for those that lack an answer."""
        index = self._stack.currentIndex()
        for i, (page, mark) in enumerate(zip(self.pages, self._marks, strict=True)):
            mark.show_state(current=i == index, done=i < index and page.is_answered())

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
            self.begin()

    @Slot()
    def go_back(self) -> None:
        """Go to the page before; from the first, close."""
        index = self._stack.currentIndex()
        if index:
            self.show_page(index - 1)
        else:
            super().go_back()

    @property
    def plan(self) -> CapturePlan | None:
        return None if self.problems() else self.made_plan()

    def made_plan(self) -> CapturePlan:
        """The plan that the answers make; subclasses know a better order."""
        return self.draft.plan(self.info)

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
        self._mark()
        if problems:
            self.preflight.show_plan(None, None, self.facts())
            for page in self.pages:
                page.show_no_plan()
        else:
            plan = self.made_plan()
            self.preflight.show_plan(plan, self.estimate(), self.facts())
            self.show_costs(plan)
        self.preflight.show_problems(problems)
        index = self._stack.currentIndex()
        if index == len(self.pages) - 1:
            self.next.setText(self._start_words())
        self.enable()

    def enable(self) -> None:
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
        self.say(words, tip=" ".join(problems), bad=blocked)

    def set_compact(self, compact: bool) -> None:
        super().set_compact(compact)
        for page in self.pages:
            page.set_compact(compact)
        self.enable()
