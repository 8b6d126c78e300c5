"""A row for each device: its state as shape and word, and the button that mends it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.gui.rigs.connection import DeviceRow, RigConnection
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictTag


class DevicesList(QWidget):
    """Follows a `RigConnection`."""

    def __init__(self, theme: ThemeState, connection: RigConnection) -> None:
        super().__init__()
        self._theme, self._connection = theme, connection
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._rows: tuple[DeviceRow, ...] | None = None
        self.buttons: dict[tuple[str, str], Button] = {}
        """By title of the device and word of the button."""
        connection.changed.connect(self._on_changed)
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        rows = self._connection.rows()
        if rows == self._rows:
            return
        self._rows = rows
        self.buttons = {}
        while self._column.count():
            item = self._column.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row in rows:
            self._column.addWidget(self._made(row))

    def _made(self, row: DeviceRow) -> QWidget:
        made = QWidget()
        made.setAccessibleName(f"{row.title}: {row.word}")
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(VerdictTag(self._theme, row.kind, row.word))
        head.addWidget(ElidedLabel(row.title), 1)
        head.addWidget(label(row.role, "caption"))
        column.addLayout(head)
        if row.kind == "bad" and row.mend:
            self._add_trouble(column, row)
        elif row.text:
            column.addWidget(label(row.text, "caption", wrap=True))
        return made

    def _add_trouble(self, column: QVBoxLayout, row: DeviceRow) -> None:
        if row.text:
            column.addWidget(label(row.text, "caption", tone="bad", wrap=True))
        line = QHBoxLayout()
        line.setSpacing(8)
        mend = self._button(row, row.mend, ButtonKind.NORMAL)
        mend.clicked.connect(lambda _checked=False: self._connection.mend(row))
        line.addWidget(mend)
        is_optional = row.ref is not None and row.role != "camera"
        if is_optional and row.word == "Missing":
            leave = self._button(row, "Leave out", ButtonKind.FLAT)
            leave.clicked.connect(lambda _checked=False: self._connection.leave_out(row))
            line.addWidget(leave)
        line.addStretch(1)
        column.addLayout(line)

    def _button(self, row: DeviceRow, word: str, kind: ButtonKind) -> Button:
        button = Button(self._theme, word, kind, size=ButtonSize.SMALL)
        button.setAccessibleName(f"{word}: {row.title}")
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.buttons[row.title, word] = button
        return button
