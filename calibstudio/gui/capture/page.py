"""One question of a wizard: heading, hint, fields, and below them what is wrong or advised."""

from __future__ import annotations

from abc import abstractmethod

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import scrolled
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.verdict import StatusDot

MARGIN, COMPACT_MARGIN = 32, 20


class Columns(QWidget):
    """Cards beside each other; one below the other where there is too little room for that."""

    def __init__(self, *widgets: QWidget, spacing: int = 20, stack_when_compact: bool = True):
        super().__init__()
        self._stacks = stack_when_compact
        self._compact = False
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(spacing)
        for widget in widgets:
            self._row.addWidget(widget, 1)

    def set_compact(self, compact: bool) -> None:
        """Use less width."""
        self._compact = compact
        self._row.setSpacing(12 if compact else 20)
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        # Narrow is not too narrow: then they are one below the other.
        return QSize(max(self._widths(), default=0), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()  # what is in it needs more room, or less
        return super().event(event)

    def _widths(self) -> list[int]:
        items = (self._row.itemAt(i) for i in range(self._row.count()))
        return [item.minimumSize().width() for item in items if item is not None]

    def _arrange(self) -> None:
        """Stack what does not fit: a value that is cut off would be read wrong."""
        gaps = self._row.spacing() * (self._row.count() - 1)
        too_wide = sum(self._widths()) + gaps > self.width()
        stacked = too_wide or (self._compact and self._stacks)
        way = QBoxLayout.Direction
        self._row.setDirection(way.TopToBottom if stacked else way.LeftToRight)


class Remark(QWidget):
    """What is wrong or advised: its shape, and words in its colour."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind
        self._shape: StatusDot | None = None
        self._words = label("", "secondary", tone=kind, wrap=True)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self._row.addWidget(self._words, 1)

    def set_theme(self, theme: ThemeState) -> None:
        """Draw the shape in the colours of this theme."""
        if self._shape is None:
            self._shape = StatusDot(theme, size=18)
            self._shape.set_status(self._kind)
            self._row.insertWidget(0, self._shape, 0, Qt.AlignmentFlag.AlignTop)

    def text(self) -> str:
        """What it says."""
        return self._words.text()

    def setText(self, text: str) -> None:
        """Say something else."""
        self._words.setText(text)


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
        self._columns: list[Columns] = []
        inner = QWidget()
        self.body = QVBoxLayout(inner)
        self.body.setContentsMargins(MARGIN, 24, MARGIN, 16)
        self.body.setSpacing(16)
        head = QVBoxLayout()
        head.setSpacing(8)
        self.question = label(question, "question", wrap=True)
        self.hint = label(hint, "secondary", wrap=True)
        head.addWidget(self.question)
        head.addWidget(self.hint)
        self.body.addLayout(head)
        self.problem = Remark("bad")
        self.advice = Remark("warn")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inner))

    def add_columns(self, *widgets: QWidget, stack_when_compact: bool = True) -> Columns:
        """Put widgets beside each other, one below the other in a small window."""
        columns = Columns(*widgets, stack_when_compact=stack_when_compact)
        self._columns.append(columns)
        self.body.addWidget(columns)
        return columns

    def say_below(self) -> None:
        """Put problems and advice here; without it they come last."""
        self.body.addWidget(self.problem)
        self.body.addWidget(self.advice)

    def finish(self, theme: ThemeState) -> None:
        """Close the layout."""
        for remark in (self.problem, self.advice):
            remark.set_theme(theme)
        if self.problem.parent() is None:
            self.say_below()
        self.body.addStretch(1)

    @abstractmethod
    def answer(self) -> str:
        """What is said of it at the left."""

    def is_answered(self) -> bool:
        """Override: whether this page has what the plan needs of it."""
        return True

    def show_no_plan(self) -> None:
        """Override: the answers make no plan now, so there is none to show."""

    def opened(self) -> None:
        """Override: the page is shown now."""

    def set_compact(self, compact: bool) -> None:
        """Use less room."""
        side = COMPACT_MARGIN if compact else MARGIN
        self.body.setContentsMargins(side, 16 if compact else 24, side, 12)
        self.body.setSpacing(12 if compact else 16)
        for columns in self._columns:
            columns.set_compact(compact)


def at_top(widget: QWidget) -> QWidget:
    """Return a widget that keeps to the top of a column instead of being stretched."""
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(widget, 0, Qt.AlignmentFlag.AlignTop)
    return holder
