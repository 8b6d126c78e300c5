"""One field of the status bar: its text, its tip, its bar."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy

from calibstudio.domain.wording import NARROW
from calibstudio.gui.icons import STATUS_ICONS, paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import KEY_REASONS
from calibstudio.gui.widgets.text import plain
from calibstudio.gui.widgets.verdict import status_color

HEIGHT = 34


@dataclass(frozen=True, slots=True)
class FieldText:
    """What a field shows: shape or icon, text before, heavy text, text after, bar."""

    icon: str = ""
    status: str = ""
    before: str = ""
    strong: str = ""
    after: str = ""
    fraction: float | None = None
    tip: str = ""
    tone: str = ""


class StatusField(QAbstractButton):
    """One field; its width grows with its text and never shrinks, so that nothing jumps."""

    def __init__(self, theme: ThemeState, name: str, *, right: bool = False) -> None:
        super().__init__()
        self._theme, self._name, self._right = theme, name, right
        self._said = FieldText()
        self._widest = 0
        self._ring = False
        self.last = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self._on_theme_changed)

    @property
    def said(self) -> FieldText:
        """What it shows."""
        return self._said

    def say(self, said: FieldText) -> None:
        """Show something else."""
        if said == self._said:
            return
        self._said = said
        words = " ".join(x for x in (said.before, said.strong, said.after) if x)
        self.setAccessibleName(f"{self._name}: {words}")
        self.setToolTip(plain(said.tip or words))
        if self._needed() > self._widest:
            self._widest = self._needed()
            self.updateGeometry()
        self.update()

    def _parts(self) -> list[tuple[str, int, str]]:
        """Texts with weight and colour token, left to right."""
        s = self._said
        parts = [
            (s.before, 400, "text2"),
            (s.strong, 500, s.tone or "text"),
            (s.after, 400, "text2"),
        ]
        return [p for p in parts if p[0]]

    def _needed(self) -> int:
        width = 24
        if self._said.icon or self._said.status:
            width += 24
        for text, weight, _ in self._parts():
            width += QFontMetrics(self._theme.font(13, weight)).horizontalAdvance(text) + 8
        if self._said.fraction is not None:
            width += 96 + 8 + 44
        return width - 8

    def sizeHint(self) -> QSize:
        return QSize(max(self._widest, 40), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEY_REASONS
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        super().focusOutEvent(event)
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t, said = self._theme.tokens, self._said
        painter = QPainter(self)
        height = self.height()
        if self.underMouse():
            painter.fillRect(self.rect(), QColor(t.ctl))
        edge = 0 if self._right else self.width() - 1
        if not (self.last and not self._right):
            painter.fillRect(QRect(edge, 0, 1, height), QColor(t.line))
        x = 12
        if said.icon or said.status:
            color = status_color(t, said.status) if said.status else t.text2
            shape = STATUS_ICONS[said.status] if said.status else said.icon
            paint_icon(painter, QRect(x, (height - 16) // 2, 16, 16), shape, color)
            x += 24
        for text, weight, color in self._parts():
            painter.setFont(self._theme.font(13, weight))
            painter.setPen(self._theme.color(color))
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(
                QRect(x, 0, width + 2, height), int(Qt.AlignmentFlag.AlignVCenter), text
            )
            x += width + 8
        if said.fraction is not None:
            self._paint_bar(painter, x, said.fraction)
        if self._ring:
            painter.setPen(QPen(QColor(t.focus), 2))
            painter.drawRect(self.rect().adjusted(2, 2, -2, -2))

    def _paint_bar(self, painter: QPainter, x: int, fraction: float) -> None:
        t = self._theme.tokens
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        box = QRectF(x, (self.height() - 6) / 2, 96, 6)
        painter.setBrush(QColor(t.ctl_hover))
        painter.drawRoundedRect(box, 3, 3)
        painter.setClipRect(QRectF(x, 0, 96 * fraction, self.height()))
        painter.setBrush(QColor(t.bar))
        painter.drawRoundedRect(box, 3, 3)
        painter.setClipping(False)
        painter.setPen(QColor(t.text2))
        painter.setFont(self._theme.font(13))
        words = QRect(x + 104, 0, 44, self.height())
        painter.drawText(
            words, int(Qt.AlignmentFlag.AlignVCenter), f"{fraction * 100:.0f}{NARROW}%"
        )

    @Slot()
    def _on_theme_changed(self) -> None:
        self._widest = self._needed()
        self.updateGeometry()
        self.update()
