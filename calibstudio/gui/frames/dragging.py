"""What is seen while frames are dragged: their number at the cursor."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QDrag, QFontMetrics, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QAbstractItemView

from calibstudio.domain.wording import count
from calibstudio.gui.frames.table import FrameTableModel
from calibstudio.gui.frames.tree_model import GroupTreeModel, frames_mime, frames_of_mime
from calibstudio.gui.icons import paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.table import TableView
from calibstudio.gui.widgets.tree import TreeView

HEIGHT = 28


class FrameTable(TableView):
    """The frames of a group; whole rows are dragged."""

    def __init__(self, theme: ThemeState, model: FrameTableModel, *, name: str) -> None:
        super().__init__(theme, model, name=name, multiple=True)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)

    def startDrag(self, actions: Qt.DropAction) -> None:
        data = frames_mime(row.path for row in self.selected)
        carry(self, self._theme, data, actions)


class GroupTree(TreeView):
    """The groups; frames are dragged onto them and out of them."""

    def __init__(self, theme: ThemeState, model: GroupTreeModel) -> None:
        super().__init__(theme, model, name="Groups of frames", multiple=True)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        # The row under the cursor is the place, never the gap between two rows.
        self.setDragDropOverwriteMode(True)
        self.setDropIndicatorShown(False)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)

    def startDrag(self, actions: Qt.DropAction) -> None:
        data = self.model().mimeData(self.selectionModel().selectedIndexes())
        carry(self, self._theme, data, actions)


def carry(
    view: QAbstractItemView, theme: ThemeState, data: QMimeData, actions: Qt.DropAction
) -> None:
    """Drag frames until they are dropped, with their number at the cursor."""
    frames = frames_of_mime(data)
    if not frames:
        return
    drag = QDrag(view)
    drag.setMimeData(data)
    drag.setPixmap(badge(theme, count(len(frames), "frame"), view.devicePixelRatioF()))
    drag.setHotSpot(QPoint(-14, -6))
    drag.exec(actions, Qt.DropAction.MoveAction)


def badge(theme: ThemeState, text: str, dpr: float = 1.0) -> QPixmap:
    """Return a small card with the frames' icon and a text."""
    t = theme.tokens
    font = theme.font(13, 500)
    width = 34 + QFontMetrics(font).horizontalAdvance(text) + 12
    picture = QPixmap(round(width * dpr), round(HEIGHT * dpr))
    picture.setDevicePixelRatio(dpr)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(t.accent), 1))
    painter.setBrush(QColor(t.selection))
    painter.drawRoundedRect(QRectF(0.5, 0.5, width - 1, HEIGHT - 1), 4, 4)
    paint_icon(painter, QRectF(9, 6, 16, 16), "stack", t.text)
    painter.setFont(font)
    painter.setPen(QColor(t.text))
    box = QRectF(33, 0, width - 33, HEIGHT)
    painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), text)
    painter.end()
    return picture
