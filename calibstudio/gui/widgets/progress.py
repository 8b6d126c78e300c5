"""Bars of work: thin, large, and the 3 px line along a picture's top."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from calibstudio.gui.theme import ThemeState


class ProgressBar(QWidget):
    """A bar from 0 to 1. ``large`` is 10 px high, else 6."""

    def __init__(
        self,
        theme: ThemeState,
        *,
        name: str,
        large: bool = False,
        kind: str = "running",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._kind, self._name = theme, kind, name
        self._thick = 10 if large else 6
        self._fraction = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(32)
        self.setAccessibleName(name)
        theme.changed.connect(self._on_theme_changed)

    @property
    def fraction(self) -> float:
        """How far it is, 0 to 1."""
        return self._fraction

    def set_fraction(self, fraction: float, kind: str | None = None) -> None:
        """Show how far it is; ``kind`` ``running`` or ``good``."""
        fraction = min(max(fraction, 0.0), 1.0)
        kind = kind or self._kind
        if (fraction, kind) != (self._fraction, self._kind):
            self._fraction, self._kind = fraction, kind
            self.setAccessibleDescription(f"{fraction:.0%}")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(96, self._thick)

    def minimumSizeHint(self) -> QSize:
        return QSize(32, self._thick)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        radius = self._thick / 2
        box = QRectF(0, (self.height() - self._thick) / 2, self.width(), self._thick)
        painter.setBrush(QColor(t.ctl_hover))
        painter.drawRoundedRect(box, radius, radius)
        if self._fraction > 0:
            painter.setClipRect(QRectF(0, 0, max(2.0, box.width() * self._fraction), self.height()))
            painter.setBrush(QColor(t.bar if self._kind == "running" else t.hex(self._kind)))
            painter.drawRoundedRect(box, radius, radius)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


class BusyLine(QWidget):
    """3 px along the top of a picture: how far an exposure is, or that something is loading."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._fraction: float | None = None
        self._phase = 0.0
        self.setFixedHeight(3)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Busy")
        self._timer = QTimer(self)
        self._timer.setInterval(40)
        self._timer.timeout.connect(self._on_tick)
        theme.changed.connect(self._on_theme_changed)
        self.hide()

    def show_fraction(self, fraction: float) -> None:
        """Show how far it is, 0 to 1."""
        self._fraction = min(max(fraction, 0.0), 1.0)
        self._timer.stop()
        self.show()
        self.update()

    def show_busy(self) -> None:
        """Show that something goes on whose length is not known."""
        self._fraction = None
        self.show()
        self._timer.start()

    def done(self) -> None:
        """Nothing goes on."""
        self._timer.stop()
        self.hide()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        if self._fraction is None:
            self._timer.start()
        super().showEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(t.ctl))
        width = self.width()
        if self._fraction is not None:
            painter.fillRect(QRectF(0, 0, width * self._fraction, 3), QColor(t.accent))
        else:
            x = (self._phase * 1.3 - 0.3) * width
            painter.fillRect(QRectF(x, 0, width * 0.3, 3), QColor(t.accent))

    @Slot()
    def _on_tick(self) -> None:
        self._phase = (self._phase + 0.02) % 1.0
        self.update()

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()
