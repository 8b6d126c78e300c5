"""A list to choose a page from: 34 px rows, selection as in tables."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from calibstudio.gui.theme import ThemeState

AnyIndex = QModelIndex | QPersistentModelIndex


class _Row(QStyledItemDelegate):
    """Draws one row."""

    def __init__(self, theme: ThemeState, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        return QSize(80, self._theme.sizes.list_row)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        t = self._theme.tokens
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(rect, QColor(t.selection))
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), QColor(t.accent))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(t.ctl))
        painter.setFont(self._theme.font(14, 500 if selected else 400))
        painter.setPen(QColor(t.text if selected else t.text2))
        box = rect.adjusted(16, 0, -8, 0)
        text = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.restore()


class PageList(QListWidget):
    """Names of pages, one of which is chosen.

    Signals
    -------
    chosen(str)
        The id of the page that is chosen now, by the operator or by program.
    """

    chosen = Signal(str)

    def __init__(
        self,
        theme: ThemeState,
        pages: Sequence[tuple[str, str]],
        *,
        name: str,
        parent: QWidget | None = None,
    ) -> None:
        """``pages`` are (id, words)."""
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setItemDelegate(_Row(theme, self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._ids = [page for page, _ in pages]
        for _, words in pages:
            self.addItem(QListWidgetItem(words))
        self.currentRowChanged.connect(self._on_row)
        theme.changed.connect(self._on_theme_changed)

    @property
    def page(self) -> str:
        """The page that is chosen; empty for none."""
        row = self.currentRow()
        return self._ids[row] if row >= 0 else ""

    def choose(self, page: str) -> None:
        """Choose a page; one that is not here means the first."""
        self.setCurrentRow(self._ids.index(page) if page in self._ids else 0)

    @Slot(int)
    def _on_row(self, row: int) -> None:
        if row >= 0:
            self.chosen.emit(self._ids[row])

    @Slot()
    def _on_theme_changed(self) -> None:
        self.doItemsLayout()
        self.viewport().update()
