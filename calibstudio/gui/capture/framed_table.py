"""A table on a page: heading, rows, as high as its rows."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.table import TableView
from calibstudio.gui.widgets.text import ElidedLabel, label


class FramedTable(QWidget):
    """A table with a title in a frame; it is never scrolled sideways."""

    def __init__(
        self, theme: ThemeState, title: str, table: TableView, *, most_rows: int = 8
    ) -> None:
        super().__init__()
        self._theme, self._table, self._most = theme, table, most_rows
        self.note = ElidedLabel("", "small", tone="text3")
        self._buttons = QHBoxLayout()
        head = QHBoxLayout()
        head.setContentsMargins(16, 10, 12, 8)
        head.setSpacing(12)
        head.addWidget(label(title, "heading"))
        head.addWidget(self.note, 1)
        head.addLayout(self._buttons)
        frame = ground("panel", border="all")
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(1, 1, 1, 1)
        inner.setSpacing(0)
        inner.addLayout(head)
        inner.addWidget(table)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(frame)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setSortingEnabled(False)
        table.model().modelReset.connect(self.fit)
        theme.changed.connect(self.fit)
        table.installEventFilter(self)
        self.fit()

    def add_button(self, button: QWidget) -> None:
        """Put a button at the right of the title."""
        self._buttons.addWidget(button)

    def set_hidden(self, columns: set[int]) -> None:
        """Hide these columns and no others."""
        for i in range(self._table.model().columnCount()):
            self._table.setColumnHidden(i, i in columns)

    @Slot()
    def fit(self) -> None:
        """Be as high as the rows, up to a limit; then the rows scroll."""
        table = self._table
        rows = min(max(table.model().rowCount(), 1), self._most)
        row_height = table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(self._theme.sizes.table_header + rows * row_height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # A table that has no rows to scroll gives the wheel to the page.
        if watched is self._table and event.type() == QEvent.Type.Wheel:
            bar = self._table.verticalScrollBar()
            if bar.maximum() == bar.minimum():
                event.ignore()
                return True
        return super().eventFilter(watched, event)
