"""A switch: something that is on or off now."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFocusEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import KEY_REASONS, finish_typing
from calibstudio.gui.widgets.text import plain


class Switch(QAbstractButton):
    """36 × 20 (touch: 44 high). ``toggled`` and ``clicked`` as of every Qt button."""

    def __init__(
        self,
        theme: ThemeState,
        name: str,
        *,
        on: bool = False,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._ring = False
        self.setCheckable(True)
        self.setChecked(on)
        self.setAccessibleName(name)
        if tip:
            self.setToolTip(plain(tip))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(48, 44) if self._theme.sizes.touch else QSize(36, 24)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        finish_typing()
        super().mousePressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEY_REASONS
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF((self.width() - 36) / 2 + 0.5, (self.height() - 20) / 2 + 0.5, 35, 19)
        on, works = self.isChecked(), self.isEnabled()
        edge = t.primary_edge if on else t.edge
        painter.setPen(QPen(QColor(edge if works else t.line), 1))
        painter.setBrush(QColor((t.primary if on else t.ctl_hover) if works else t.panel))
        painter.drawRoundedRect(box, 9.5, 9.5)
        painter.setPen(Qt.PenStyle.NoPen)
        knob = (t.on_primary if on else t.text3) if works else t.disabled
        painter.setBrush(QColor(knob))
        x = box.right() - 16.5 if on else box.left() + 2.5
        painter.drawEllipse(QRectF(x, box.top() + 2.5, 14, 14))
        if self._ring:
            painter.setPen(QPen(QColor(t.focus), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 9.5, 9.5)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()
