"""The left side of a wizard: its steps with their answers; a click goes there."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from calibstudio.gui.icons import paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import plain

HEIGHT = 60
LINE = 18
"""What a second line of the answer adds."""
MARK = 24
LEFT, RIGHT = 48, 12


def two_lines(text: str, metrics: QFontMetrics, width: int) -> tuple[str, ...]:
    """Break a text that is too long for one line between its words; the second line elides."""
    if metrics.horizontalAdvance(text) <= width:
        return (text,)
    words = text.split(" ")
    first = ""
    while words and metrics.horizontalAdvance(f"{first} {words[0]}".strip()) <= width:
        first = f"{first} {words.pop(0)}".strip()
    rest = " ".join(words).removeprefix("· ")
    elided = metrics.elidedText(rest, Qt.TextElideMode.ElideRight, width)
    return (first.removesuffix(" ·"), elided) if first else (elided,)


class StepMark(QAbstractButton):
    """One step: a tick when answered, its number otherwise; its name; its answer."""

    def __init__(
        self, theme: ThemeState, number: int, title: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme, self._number = theme, number
        self._answer = ""
        self._current, self._done = False, False
        self.setText(title)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"Step {number}: {title}")
        theme.changed.connect(self._on_theme_changed)

    @property
    def answer(self) -> str:
        """What is said of it."""
        return self._answer

    @property
    def is_done(self) -> bool:
        """Whether it has its tick."""
        return self._done

    def show_state(self, *, current: bool, done: bool) -> None:
        """Show whether it is looked at, answered, or still to come."""
        self._current, self._done = current, done
        self.update()

    def show_answer(self, text: str) -> None:
        """Say the answer."""
        self._answer = text
        self.setToolTip(plain(f"{self.text()}: {text}"))
        self.setAccessibleDescription(text)
        self.updateGeometry()
        self.update()

    @property
    def lines(self) -> tuple[str, ...]:
        """The answer as it is shown: in one line, or two."""
        metrics = QFontMetrics(self._theme.font(13, 400))
        return two_lines(self._answer, metrics, self.width() - LEFT - RIGHT)

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT + LINE * (len(self.lines) - 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._current or self.underMouse():
            painter.setBrush(QColor(t.selection if self._current else t.card))
            painter.drawRoundedRect(box, 4, 4)
        if self.hasFocus():
            painter.setPen(QPen(QColor(t.focus), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 4, 4)
        self._paint_mark(painter, QRect(12, (self.height() - MARK) // 2, MARK, MARK))
        left, width = LEFT, self.width() - LEFT - RIGHT
        answers = ((31 + LINE * i, line, t.text2, 13, 400) for i, line in enumerate(self.lines))
        for top, text, color, size, weight in ((10, self.text(), t.text, 14, 500), *answers):
            painter.setFont(self._theme.font(size, weight))
            painter.setPen(QColor(color))
            shown = QFontMetrics(painter.font()).elidedText(
                text, Qt.TextElideMode.ElideRight, width
            )
            centred = int(Qt.AlignmentFlag.AlignVCenter)
            painter.drawText(QRect(left, top, width, 20), centred, shown)

    def _paint_mark(self, painter: QPainter, box: QRect) -> None:
        t = self._theme.tokens
        if self._done and not self._current:
            paint_icon(painter, box, "status-good", t.good)
            return
        color = t.accent if self._current else t.text3
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(color), 1.75))
        painter.drawEllipse(QRectF(box).adjusted(2, 2, -2, -2))
        painter.setFont(self._theme.font(12, 600))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), str(self._number))

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()
