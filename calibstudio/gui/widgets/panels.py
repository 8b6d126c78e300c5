"""Grounds to put things on: sections, cards, facts in two columns, and the empty state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from calibstudio.gui.icons import icon_pixmap
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.text import ElidedLabel, label, plain, set_tone


def ground(kind: str = "panel", *, border: str = "") -> QFrame:
    """Return an empty area. ``kind``: bg, panel, card, plot; ``border``: left right top bottom."""
    made = QFrame()
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setProperty("ground", kind)
    if border:
        made.setProperty("border", border)
    made.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    return made


def hairline(*, vertical: bool = False) -> QFrame:
    """Return a line of one pixel."""
    made = QFrame()
    made.setFrameShape(QFrame.Shape.VLine if vertical else QFrame.Shape.HLine)
    return made


def scrolled(widget: QWidget) -> QScrollArea:
    """Return a widget in an area that scrolls up and down when there is no room."""
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area


class Section(QWidget):
    """A part of a side panel: a heading, what belongs under it, and a hairline below.

    Put things into ``body`` (a vertical layout) and to the right of the heading with
    `add_to_heading`.
    """

    def __init__(
        self, title: str = "", *, note: str = "", line: bool = True, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._line = line
        if line:
            self.setProperty("border", "bottom")
            self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        self._head = QHBoxLayout()
        self._head.setSpacing(8)
        self._title = label(title, "heading")
        self._note = ElidedLabel(note, "note")
        self._note.setVisible(bool(note))
        self._head.addWidget(self._title)
        self._head.addStretch(1)
        self._head.addWidget(self._note, 1)
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight)
        if title:
            column.addLayout(self._head)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        column.addLayout(self.body)
        self.setAccessibleName(title)

    def set_title(self, title: str) -> None:
        """Say another heading."""
        self._title.setText(title)

    def set_note(self, note: str, tone: str = "") -> None:
        """Say something small at the right of the heading."""
        self._note.setText(note)
        self._note.setVisible(bool(note))
        set_tone(self._note, tone)

    def add_to_heading(self, widget: QWidget) -> None:
        """Put something at the right of the heading."""
        self._head.addWidget(widget)


class Card(QFrame):
    """A raised area with round corners; put things into ``body``."""

    def __init__(self, title: str = "", *, note: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("ground", "card")
        self.setProperty("border", "all")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        self._head = QHBoxLayout()
        self._head.setSpacing(8)
        self._note = label(note, "note")
        if title:
            self._head.addWidget(label(title, "heading"))
            self._head.addStretch(1)
            self._head.addWidget(self._note)
            column.addLayout(self._head)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        column.addLayout(self.body)
        self.setAccessibleName(title)

    def set_note(self, note: str) -> None:
        """Say something small at the right of the title."""
        self._note.setText(note)

    def add_to_heading(self, widget: QWidget) -> None:
        """Put something at the right of the title."""
        self._head.addWidget(widget)


class KeyValueGrid(QWidget):
    """Facts: name at the left, value at the right, one below the other."""

    def __init__(
        self,
        rows: Sequence[tuple[str, str]] = (),
        *,
        columns: int = 1,
        parent: QWidget | None = None,
    ) -> None:
        """``columns`` 2 puts two pairs beside each other."""
        super().__init__(parent)
        self._columns = columns
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._values: dict[str, ElidedLabel] = {}
        self._names: dict[str, QLabel] = {}
        self._space(columns)
        self.set_rows(rows)

    def set_columns(self, columns: int) -> None:
        """Put so many pairs beside each other from now on: one where there is little room."""
        if columns == self._columns:
            return
        self._columns = columns
        self._space(columns)
        for i, name in enumerate(self._values):
            self._grid.removeWidget(self._names[name])
            self._grid.removeWidget(self._values[name])
            self._place(i, name)

    def _space(self, columns: int) -> None:
        for i in range(max(columns, (self._grid.columnCount() + 2) // 3)):
            used = i < columns
            self._grid.setColumnStretch(3 * i + 1, int(used))
            if i:
                self._grid.setColumnMinimumWidth(3 * i - 1, 12 if used else 0)

    def _place(self, i: int, name: str) -> None:
        row, column = i // self._columns, i % self._columns
        self._grid.addWidget(self._names[name], row, 3 * column)
        self._grid.addWidget(self._values[name], row, 3 * column + 1)

    def set_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show these facts and no others; labels that stay are kept, so nothing flickers."""
        if [n for n, _ in rows] != list(self._values):
            for widget in (*self._values.values(), *self._names.values()):
                self._grid.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
            self._values, self._names = {}, {}
            for i, (name, _) in enumerate(rows):
                self._names[name] = label(name, "note")
                self._values[name] = ElidedLabel("", "small", tone="text")
                self._values[name].setAlignment(Qt.AlignmentFlag.AlignRight)
                self._place(i, name)
        for name, text in rows:
            self.set_value(name, text)

    def set_value(self, name: str, text: str, *, tone: str = "text", tip: str = "") -> None:
        """Show one value; ``tip`` says where it came from."""
        shown = self._values[name]
        if shown.text() != text:
            shown.setText(text)
        shown.setAccessibleName(f"{name}: {text}")
        shown.set_tip(plain(tip))
        set_tone(shown, tone)


class EmptyState(QWidget):
    """What is said where there is nothing yet: an icon, a sentence, and the way to begin."""

    def __init__(
        self,
        theme: ThemeState,
        icon: str,
        sentence: str,
        *,
        hint: str = "",
        action: str = "",
        on_action: Callable[[], object] | None = None,
        primary: bool = False,
        key: str = "",
        other: str = "",
        on_other: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """``other``: a second way to begin, beside the first."""
        super().__init__(parent)
        self._theme, self._icon = theme, icon
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._sentence = label(sentence, "body", tone="text2", wrap=True)
        self._hint = label(hint, "note", wrap=True)
        words = QWidget()
        words.setMaximumWidth(460)
        words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        inner = QVBoxLayout(words)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        for text in (self._sentence, self._hint):
            text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            inner.addWidget(text)
        self._hint.setVisible(bool(hint))
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(self._picture, 0, Qt.AlignmentFlag.AlignHCenter)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(words, 1000)
        middle.addStretch(1)
        column.addLayout(middle)
        if action:
            kind = ButtonKind.PRIMARY if primary else ButtonKind.NORMAL
            size = ButtonSize.LARGE if primary else ButtonSize.NORMAL
            self.button = Button(theme, action, kind, size=size, key=key)
            if on_action is not None:
                self.button.clicked.connect(lambda _checked=False: on_action())
            column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        if other and on_other is not None:
            self.other = Button(theme, other, ButtonKind.LINK)
            self.other.clicked.connect(lambda _checked=False: on_other())
            column.addWidget(self.other, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def set_sentence(self, sentence: str, hint: str = "") -> None:
        """Say something else."""
        self._sentence.setText(sentence)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))

    @Slot()
    def _on_theme_changed(self) -> None:
        color = self._theme.tokens.text3
        self._picture.setPixmap(icon_pixmap(self._icon, color, 40, self.devicePixelRatioF()))


class Legend(QWidget):
    """A small coloured mark with its words: dot, square, line or dashes."""

    def __init__(
        self,
        theme: ThemeState,
        text: str,
        color: str,
        mark: str = "square",
        parent: QWidget | None = None,
    ) -> None:
        """``color`` is a token; ``mark``: square, frame, dot, triangle, cross, line, dashes."""
        super().__init__(parent)
        self._theme, self._color, self._mark = theme, color, mark
        row = QHBoxLayout(self)
        row.setContentsMargins(22 if mark in ("line", "dashes") else 16, 0, 0, 0)
        self._label = label(text, "small", tone="text2")
        row.addWidget(self._label)
        theme.changed.connect(self._on_theme_changed)

    def set_text(self, text: str) -> None:
        """Say something else."""
        self._label.setText(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        color = self._theme.color(self._color)
        y = self.height() / 2
        if self._mark in ("line", "dashes"):
            pen = QPen(color, 1.5)
            if self._mark == "dashes":
                pen.setDashPattern([3, 2])
            painter.setPen(pen)
            painter.drawLine(0, round(y), 16, round(y))
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, self._mark == "dot")
        box = QRectF(0, round(y - 5), 10, 10)
        if self._mark == "frame":
            painter.setPen(QPen(color, 2))
            painter.drawRect(box.adjusted(1, 1, -1, -1))
        elif self._mark == "cross":
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(color, 2))
            painter.drawLine(box.topLeft(), box.bottomRight())
            painter.drawLine(box.bottomLeft(), box.topRight())
        elif self._mark == "triangle":
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            top = QPointF(box.center().x(), box.top())
            painter.drawPolygon(QPolygonF([top, box.bottomRight(), box.bottomLeft()]))
        elif self._mark == "dot":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawEllipse(box.adjusted(1.5, 1.5, -1.5, -1.5))
        else:
            painter.fillRect(box, QColor(color))

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()
