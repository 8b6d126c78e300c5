"""Trees: chevron, kind icon, name, count, worst status at the right."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import (
    QColor,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QMouseEvent,
    QPainter,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from calibstudio.gui.icons import STATUS_ICONS, paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.verdict import status_color

AnyIndex = QModelIndex | QPersistentModelIndex

ICON_ROLE = Qt.ItemDataRole.UserRole + 11
"""Name of the kind's icon, for example ``stack``."""
COUNT_ROLE = Qt.ItemDataRole.UserRole + 12
"""Text at the right: a number of frames."""
STATUS_ROLE = Qt.ItemDataRole.UserRole + 13
"""Status kind at the far right: ``good``, ``warn``, ``bad``, ``unknown``; None for nothing."""
TREE_TONE_ROLE = Qt.ItemDataRole.UserRole + 14
"""Colour token of the name; None for the usual one."""
ICON_TONE_ROLE = Qt.ItemDataRole.UserRole + 15
"""Colour token of the kind's icon; None for the second text colour."""
STRONG_ROLE = Qt.ItemDataRole.UserRole + 16
"""Whether the name is written heavier: a branch that holds groups."""

INDENT = 18
CHEVRON = 16
LEFT = 16


class TreeDelegate(QStyledItemDelegate):
    """Draws a whole row of a tree; the view itself draws nothing."""

    def __init__(self, theme: ThemeState, parent: QTreeView) -> None:
        super().__init__(parent)
        self._theme = theme
        self._view = parent

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        return QSize(120, self._theme.sizes.list_row)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        t = self._theme.tokens
        row: QRect = option.rect
        state: QStyle.StateFlag = option.state
        rect = QRect(0, row.top(), self._view.viewport().width(), row.height())
        painter.save()
        painter.setClipping(False)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(t.selection))
            painter.fillRect(QRect(0, rect.top(), 3, rect.height()), QColor(t.accent))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(t.card))
        if isinstance(self._view, TreeView) and self._view.drop_row == index:
            painter.fillRect(rect, QColor(t.selection))
            painter.setPen(QPen(QColor(t.accent), 1))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        x = LEFT - 6 + INDENT * depth(index)
        middle = rect.center().y()
        if index.model().hasChildren(index):
            shape = "chevron-down" if self._view.isExpanded(index) else "chevron-right"
            paint_icon(painter, QRect(x, middle - 7, CHEVRON, CHEVRON), shape, t.text2)
        x += CHEVRON + 6
        name = index.data(ICON_ROLE)
        if name:
            color = t.hex(index.data(ICON_TONE_ROLE) or "text2")
            paint_icon(painter, QRect(x, middle - 8, 18, 18), name, color)
            x += 18 + 8
        right = self._paint_right(painter, rect, index)
        weight = 500 if index.data(STRONG_ROLE) else 400
        painter.setFont(self._theme.font(14, weight))
        painter.setPen(self._theme.color(index.data(TREE_TONE_ROLE) or "text"))
        box = QRect(x, rect.top(), max(right - x - 8, 0), rect.height())
        text = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
        # What tells two branches apart is at the end of their names.
        mode = Qt.TextElideMode.ElideMiddle if weight == 500 else Qt.TextElideMode.ElideRight
        shown = painter.fontMetrics().elidedText(text, mode, box.width())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.restore()

    def _paint_right(self, painter: QPainter, rect: QRect, index: AnyIndex) -> int:
        """Paint count and status; return where they begin."""
        t = self._theme.tokens
        right = rect.right() - 12
        status = index.data(STATUS_ROLE)
        if status:
            box = QRect(right - 18, rect.center().y() - 8, 18, 18)
            paint_icon(painter, box, STATUS_ICONS[status], status_color(t, status))
        right -= 18 + 8
        count = index.data(COUNT_ROLE)
        if index.data(STRONG_ROLE) and self._view.isExpanded(index):
            count = None  # its rows say it; the name has the room
        if count is not None and str(count):
            painter.setFont(self._theme.font(13))
            painter.setPen(QColor(t.text2))
            width = painter.fontMetrics().horizontalAdvance(str(count))
            box = QRect(right - width, rect.top(), width, rect.height())
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), str(count))
            right -= width
        return right


def depth(index: AnyIndex) -> int:
    """Return how many branches are above this one."""
    above, parent = 0, index.parent()
    while parent.isValid():
        above, parent = above + 1, parent.parent()
    return above


class TreeView(QTreeView):
    """A tree whose rows are painted whole by `TreeDelegate` from the roles of this module."""

    def __init__(
        self,
        theme: ThemeState,
        model: QAbstractItemModel | None = None,
        *,
        name: str,
        multiple: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._drop_row = QPersistentModelIndex()
        self.setAccessibleName(name)
        self.setHeaderHidden(True)
        self.setIndentation(0)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setExpandsOnDoubleClick(True)
        self.setMouseTracking(True)
        self.setItemDelegate(TreeDelegate(theme, self))
        mode = QAbstractItemView.SelectionMode
        self.setSelectionMode(mode.ExtendedSelection if multiple else mode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        if model is not None:
            self.setModel(model)
        theme.changed.connect(self._on_theme_changed)

    def drawBranches(self, painter: QPainter, rect: QRect, index: AnyIndex) -> None:
        """Nothing: the delegate draws the chevron."""

    @property
    def drop_row(self) -> QPersistentModelIndex:
        """The row that what is dragged would be dropped on; invalid when there is none."""
        return self._drop_row

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        super().dragMoveEvent(event)
        index = self.indexAt(event.position().toPoint())
        self._show_drop_row(index if event.isAccepted() else QModelIndex())

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        self._show_drop_row(QModelIndex())

    def dropEvent(self, event: QDropEvent) -> None:
        super().dropEvent(event)
        self._show_drop_row(QModelIndex())

    def _show_drop_row(self, index: QModelIndex) -> None:
        if self._drop_row != index:
            self._drop_row = QPersistentModelIndex(index)
            self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if (
            index.isValid()
            and event.button() == Qt.MouseButton.LeftButton
            and event.type() == QEvent.Type.MouseButtonPress
            and index.model().hasChildren(index)
        ):
            left = LEFT - 6 + INDENT * depth(index)
            if left - 4 <= event.position().x() < left + CHEVRON + 4:
                self.setExpanded(index, not self.isExpanded(index))
                return
        super().mousePressEvent(event)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.doItemsLayout()
        self.viewport().update()
