"""The left rail: five workspaces with their keys; below them Night, Settings and Help."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QEnterEvent, QFocusEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QVBoxLayout, QWidget

from calibstudio.gui.actions import BY_ID, key_text
from calibstudio.gui.icons import paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import KEY_REASONS

WIDTH, COMPACT_WIDTH = 76, 64


@dataclass(frozen=True, slots=True)
class RailEntry:
    """One field of the rail."""

    action: str
    small: bool = False


class RailButton(QAbstractButton):
    """Icon over word, with its key in the corner; the chosen one has an accent edge."""

    def __init__(self, theme: ThemeState, entry: RailEntry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = BY_ID[entry.action]
        words = "Night" if entry.action == "night" else row.text
        self._theme, self._icon, self._small = theme, row.icon, entry.small
        self._key = "" if entry.small else key_text(entry.action)
        self._ring = False
        self.action = entry.action
        self.setText(words)
        self.setCheckable(True)
        self.setAccessibleName(f"{words} ({key_text(entry.action)})")
        self.setToolTip(f"{row.text} ({key_text(entry.action)})")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._on_theme_changed)

    def nextCheckState(self) -> None:
        """Nothing: the window says what is chosen."""

    def sizeHint(self) -> QSize:
        return QSize(COMPACT_WIDTH, 58 if self._small else 70)

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
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on, hot = self.isChecked(), self.underMouse()
        box = QRectF(6, 0, self.width() - 12, self.height() - 2)
        night = self.action == "night"
        if (on and not night) or hot:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(t.selection if on and not night else t.ctl))
            painter.drawRoundedRect(box, 6, 6)
        if on and not night:
            painter.fillRect(QRectF(0, 14, 3, self.height() - 30), QColor(t.accent))
        if self._ring:
            painter.setPen(QPen(QColor(t.focus), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 6, 6)
        ink = t.text if on or hot else t.text2
        side = 20 if self._small else 24
        top = (self.height() - 2 - side - 19) // 2
        place = QRect((self.width() - side) // 2, top, side, side)
        paint_icon(painter, place, self._icon, t.accent if on else ink)
        painter.setFont(self._theme.font(12))
        painter.setPen(QColor(ink))
        words = QRect(0, top + side + 4, self.width(), 16)
        painter.drawText(words, int(Qt.AlignmentFlag.AlignCenter), self.text())
        if self._key:
            painter.setPen(QColor(t.text3))
            corner = QRect(self.width() - 24, 3, 14, 16)
            painter.drawText(corner, int(Qt.AlignmentFlag.AlignRight), self._key)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


class Rail(QFrame):
    """The rail.

    Signals
    -------
    chosen(str)
        An action of the table: ``workspace-live``, ``night``, ``settings``, ``help``.
    """

    chosen = Signal(str)

    def __init__(self, theme: ThemeState, workspaces: tuple[str, ...], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("ground", "panel")
        self.setProperty("border", "right")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Workspaces")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 2)
        column.setSpacing(0)
        self._buttons: dict[str, RailButton] = {}
        for action in workspaces:
            self._add(column, RailEntry(action))
        column.addStretch(1)
        for action in ("night", "settings", "help"):
            self._add(column, RailEntry(action, small=True))
        theme.changed.connect(self._on_theme_changed)
        self.set_compact(False)
        self._on_theme_changed()

    def _add(self, column: QVBoxLayout, entry: RailEntry) -> None:
        button = RailButton(self._theme, entry, self)
        button.clicked.connect(self._on_clicked)
        column.addWidget(button)
        self._buttons[entry.action] = button

    def button(self, action: str) -> RailButton:
        """Return the field of an action."""
        return self._buttons[action]

    def show_chosen(self, action: str) -> None:
        """Mark the workspace that is shown (or ``help``)."""
        for name, button in self._buttons.items():
            if name != "night":
                button.setChecked(name == action)

    def set_compact(self, compact: bool) -> None:
        """64 px wide in a small window, else 76."""
        self.setFixedWidth(COMPACT_WIDTH if compact else WIDTH)

    @Slot()
    def _on_clicked(self) -> None:
        sender = self.sender()
        if isinstance(sender, RailButton):
            self.chosen.emit(sender.action)

    @Slot()
    def _on_theme_changed(self) -> None:
        self._buttons["night"].setChecked(self._theme.name == "night")
