"""A small panel over the window, anchored to the field that opened it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import ElidedLabel, label


class Popover(QFrame):
    """Opens above an anchor; a click elsewhere or Escape closes it. Put things into ``body``.

    It is a child of the window and no window of its own: nothing to flash, nothing to frame.

    Signals
    -------
    closed()
        It is not in sight any more.
    """

    closed = Signal()

    def __init__(self, theme: ThemeState, title: str, window: QWidget, *, width: int = 320) -> None:
        super().__init__(window)
        self._theme = theme
        self._anchor: QWidget | None = None
        self._window = window
        self.setProperty("ground", "card")
        self.setProperty("border", "strong")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(width)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.addWidget(label(title, "heading"))
        self._note = ElidedLabel("", "small")
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight)
        head.addWidget(self._note, 1)
        column.addLayout(head)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        column.addLayout(self.body)
        self.hide()

    def set_note(self, text: str) -> None:
        """Say something at the right of the title."""
        self._note.setText(text)

    def toggle_at(self, anchor: QWidget) -> None:
        """Open above this field, or close when it is open."""
        if self.isVisible():
            self.close_popover()
        else:
            self._anchor = anchor
            self.show()
            self.place()
            self.raise_()
            self.setFocus(Qt.FocusReason.PopupFocusReason)
            app = QApplication.instance()
            if app is not None:
                app.installEventFilter(self)

    def place(self) -> None:
        """Stand above the anchor, inside the window."""
        if self._anchor is None:
            return
        self.adjustSize()
        corner = self._anchor.mapTo(self._window, QPoint(0, 0))
        x = min(max(corner.x() - 8, 8), self._window.width() - self.width() - 8)
        self.move(x, max(corner.y() - self.height() - 8, 8))

    @Slot()
    def close_popover(self) -> None:
        """Go out of sight."""
        if self.isVisible():
            app = QApplication.instance()
            if app is not None:
                app.removeEventFilter(self)
            self.hide()
            self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_popover()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            here = self._window.mapFromGlobal(event.globalPosition().toPoint())
            if not self.geometry().contains(here) and not self._on_anchor(here):
                self.close_popover()
        elif event.type() == QEvent.Type.Resize and watched is self._window:
            self.place()
        return super().eventFilter(watched, event)

    def _on_anchor(self, point: QPoint) -> bool:
        if self._anchor is None:
            return False
        corner = self._anchor.mapTo(self._window, QPoint(0, 0))
        return QRect(corner, self._anchor.size()).contains(point)
