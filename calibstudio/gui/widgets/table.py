"""Tables of records: one line for each column, sorted by value and never through a proxy."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QRect, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from calibstudio.gui.icons import paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.table_model import (
    RECORD_ROLE,
    TAG_ROLE,
    TONE_ROLE,
    VALUE_ROLE,
    AnyIndex,
    Column,
    RecordTableModel,
    alignment,
    verdict_column,
)
from calibstudio.gui.widgets.verdict import TAG_HEIGHT, paint_tag

__all__ = [
    "RECORD_ROLE",
    "TAG_ROLE",
    "TONE_ROLE",
    "VALUE_ROLE",
    "AnyIndex",
    "Column",
    "RecordTableModel",
    "RowDelegate",
    "TableHeader",
    "TableView",
    "verdict_column",
]


class RowDelegate(QStyledItemDelegate):
    """Draws a cell: hairline below, selection with its edge, text or tag, tone."""

    PADDING = 10

    def __init__(self, theme: ThemeState, parent: QTableView) -> None:
        super().__init__(parent)
        self._theme = theme
        self._view = parent

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        # Hundreds of cells at each change: the record is asked, not the model role by role.
        model = index.model()
        if not isinstance(model, RecordTableModel):
            return
        t = self._theme.tokens
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        row, place = index.row(), index.column()
        column, record = model.columns[place], model.record(row)
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(rect, t.color("selection"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, t.color("card"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, t.color("line"))
        if selected and self._is_first(place):
            edge = QRect(rect.left(), rect.top(), 3, rect.height() - 1)
            painter.fillRect(edge, t.color("accent"))
        if row == self._view.currentIndex().row() and self._view.hasFocus():
            self._paint_cursor(painter, rect)
        if column.tag is None:
            self._paint_text(painter, rect, column, record)
            return
        tag = column.tag(record)
        if tag is not None:
            y = rect.top() + (rect.height() - 1 - TAG_HEIGHT) // 2
            painter.save()
            painter.setClipRect(rect)
            paint_tag(painter, rect.left() + self.PADDING, y, tag[0], tag[1], self._theme)
            painter.restore()

    def _paint_cursor(self, painter: QPainter, rect: QRect) -> None:
        """Frame the row that keys act on, while they come here."""
        accent = self._theme.tokens.color("accent")
        painter.fillRect(rect.left(), rect.top(), rect.width(), 1, accent)
        painter.fillRect(rect.left(), rect.bottom(), rect.width(), 1, accent)

    def _paint_text(self, painter: QPainter, rect: QRect, column: Column[Any], record: Any) -> None:
        text = column.text(column.value(record))
        if not text:
            return
        tone = column.tone(record)
        weight = 600 if tone in ("bad", "warn") else 500 if column.strong else 400
        painter.setFont(self._theme.font(13, weight))
        painter.setPen(self._theme.color(tone or "text"))
        box = rect.adjusted(self.PADDING, 0, -self.PADDING, -1)
        metrics = painter.fontMetrics()
        if metrics.horizontalAdvance(text) > box.width():
            text = metrics.elidedText(text, column.cut, box.width())
        painter.drawText(box, alignment(column), text)

    def _is_first(self, column: int) -> bool:
        header = self._view.horizontalHeader()
        visual = header.visualIndex(column)
        return all(header.isSectionHidden(header.logicalIndex(v)) for v in range(visual))


class TableHeader(QHeaderView):
    """30 px, captions in the third colour, one hairline; an arrow where it is sorted."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.setHighlightSections(False)
        self.setSectionsClickable(True)
        self.setMinimumSectionSize(40)
        self.setSortIndicatorClearable(True)

    def paintSection(self, painter: QPainter, rect: QRect, logical: int) -> None:
        t = self._theme.tokens
        painter.save()
        painter.fillRect(rect, QColor(t.panel))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), QColor(t.line2))
        model = self.model()
        text = str(model.headerData(logical, Qt.Orientation.Horizontal) or "")
        side = int(
            model.headerData(logical, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole)
            or Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        sorted_here = self.isSortIndicatorShown() and self.sortIndicatorSection() == logical
        painter.setFont(self._theme.font(12, 500))
        painter.setPen(QColor(t.text if sorted_here else t.text3))
        box = rect.adjusted(RowDelegate.PADDING, 0, -RowDelegate.PADDING, -1)
        if sorted_here:
            box.setRight(box.right() - 16)
        metrics = painter.fontMetrics()
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, side, shown)
        if sorted_here:
            down = self.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
            right = side & int(Qt.AlignmentFlag.AlignRight.value)
            x = box.right() + 3 if right else box.left() + metrics.horizontalAdvance(shown) + 4
            place = QRect(x, rect.center().y() - 7, 14, 14)
            paint_icon(painter, place, "chevron-down" if down else "chevron-up", t.text2)
        painter.restore()


class TableView(QTableView):
    """A table of records: whole rows selected, sorted by a click on a head, no grid.

    Signals
    -------
    record_activated(object)
        Enter or a double click on a row: its record.
    selection_changed(tuple)
        The records that are selected now, in the order shown.
    """

    record_activated = Signal(object)
    selection_changed = Signal(object)

    def __init__(
        self,
        theme: ThemeState,
        model: RecordTableModel[Any],
        *,
        name: str,
        multiple: bool = False,
        row_height: int = 0,
        parent: QWidget | None = None,
    ) -> None:
        """``row_height`` 0 takes the theme's (28, or 44 in touch mode)."""
        super().__init__(parent)
        self._theme = theme
        self._row_height = row_height
        self._model = model
        self._held: list[Any] = []
        self._fitting = True
        self._widths: dict[int, int] = {}
        self._title_px: list[int] = []
        self.setAccessibleName(name)
        self.setHorizontalHeader(TableHeader(theme, self))
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setItemDelegate(RowDelegate(theme, self))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        mode = QAbstractItemView.SelectionMode
        self.setSelectionMode(mode.ExtendedSelection if multiple else mode.SingleSelection)
        scroll = QAbstractItemView.ScrollMode.ScrollPerPixel
        self.setVerticalScrollMode(scroll)
        self.setHorizontalScrollMode(scroll)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setModel(model)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        for i, column in enumerate(model.columns):
            if column.width:
                self.setColumnWidth(i, column.width)
                self._widths[i] = column.width
        model.modelAboutToBeReset.connect(self._on_reset_begins)
        model.modelReset.connect(self._on_reset)
        self.activated.connect(self._on_activated)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self.selectionModel().currentRowChanged.connect(self._on_current_row)
        theme.changed.connect(self._on_theme_changed)
        self.horizontalHeader().sectionResized.connect(self._on_section_resized)
        self._on_theme_changed()
        self._fitting = False
        self.fit_columns()

    @property
    def selected(self) -> tuple[Any, ...]:
        """Records that are selected, in the order shown."""
        rows: set[int] = set()
        # Whole rows are selected, in few ranges: asking row by row takes long for thousands.
        selection = self.selectionModel().selection()
        for part in (selection.at(k) for k in range(selection.size())):
            rows.update(range(part.top(), part.bottom() + 1))
        return tuple(self._model.record(r) for r in sorted(rows))

    @property
    def current(self) -> Any:
        """The record with the cursor; None when there is none."""
        index = self.currentIndex()
        return self._model.record(index.row()) if index.isValid() else None

    def select_key(self, key: Any) -> bool:
        """Select the record with this key and bring it into sight; False when it is not here."""
        row = self._model.row_of(key)
        if row is None:
            return False
        index = self._model.index(row, 0)
        # Said in full: what Qt would choose depends on the keys that are held at this moment.
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.scrollTo(index)
        return True

    def fit_columns(self, rows: int = 60) -> None:
        """Make columns without a width of their own as wide as their title and first rows."""
        head = QFontMetrics(self._theme.font(12, 500))
        cell = QFontMetrics(self._theme.font(13, 500))
        for i, column in enumerate(self._model.columns):
            if column.width:
                continue
            shown = (
                str(self._model.index(r, i).data() or "")
                for r in range(min(rows, self._model.rowCount()))
            )
            widest = max((cell.horizontalAdvance(s) for s in shown), default=0)
            widest = max(widest, head.horizontalAdvance(column.title) + 18)
            self.setColumnWidth(i, min(widest, 360) + 2 * RowDelegate.PADDING + 2)
        self._fit_width()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        """Leave out columns that may go until the others fit; the last one takes the rest."""
        if self._fitting:
            return
        self._fitting = True
        room = self.viewport().width()
        kept = [i for i in range(len(self._model.columns)) if self._may_show(i)]
        for i in sorted(kept, key=lambda i: self._model.columns[i].goes):
            if not self._model.columns[i].goes or self._width_of(kept) <= room:
                continue
            kept.remove(i)
        for i, column in enumerate(self._model.columns):
            if column.goes:
                self.setColumnHidden(i, i not in kept)
        for i in kept[:-1]:
            # Also narrower again: it may have been the last one that is shown before.
            if self.columnWidth(i) != self._wide(i):
                self.setColumnWidth(i, self._wide(i))
        if kept:
            others = sum(self._wide(i) for i in kept[:-1])
            self.setColumnWidth(kept[-1], max(self._least(kept[-1]), room - others))
        self._fitting = False

    def _may_show(self, column: int) -> bool:
        return bool(self._model.columns[column].goes) or not self.isColumnHidden(column)

    def _width_of(self, kept: list[int]) -> int:
        others = sum(self._wide(i) for i in kept[:-1])
        return others + (self._least(kept[-1]) if kept else 0)

    def _wide(self, column: int) -> int:
        """The width asked for, or what the title needs in the theme that is shown."""
        return max(self._widths.get(column, self.columnWidth(column)), self._title_px[column])

    def _least(self, column: int) -> int:
        asked = self._model.columns[column]
        return asked.least or asked.width or 80

    @Slot(int, int, int)
    def _on_section_resized(self, section: int, _before: int, width: int) -> None:
        """A width that the operator chose is kept; hidden sections say 0."""
        if width and not self._fitting:
            self._widths[section] = width
            self._fit_width()

    @Slot()
    def _on_reset_begins(self) -> None:
        self._held = [self._model.key(r) for r in self.selected]

    @Slot()
    def _on_reset(self) -> None:
        if not self._held:
            return
        wanted = set(self._held)
        selection = QItemSelection()
        first: int | None = None
        for row, record in enumerate(self._model.records):
            if self._model.key(record) in wanted:
                first = row if first is None else first
                index = self._model.index(row, 0)
                selection.select(index, index)
        flags = (
            QItemSelectionModel.SelectionFlag.ClearAndSelect
            | QItemSelectionModel.SelectionFlag.Rows
        )
        if first is not None:
            self.selectionModel().setCurrentIndex(
                self._model.index(first, 0), QItemSelectionModel.SelectionFlag.NoUpdate
            )
        self.selectionModel().select(selection, flags)

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        self.record_activated.emit(self._model.record(index.row()))

    @Slot()
    def _on_current_row(self) -> None:
        self.viewport().update()  # Of the whole row, of which Qt paints one cell.

    @Slot()
    def _on_selection(self) -> None:
        self.selection_changed.emit(self.selected)

    @Slot()
    def _on_theme_changed(self) -> None:
        height = self._row_height or self._theme.sizes.table_row
        self.verticalHeader().setDefaultSectionSize(max(height, self._theme.sizes.table_row))
        self.horizontalHeader().setFixedHeight(self._theme.sizes.table_header)
        metrics = QFontMetrics(self._theme.font(12, 500))
        padding = 2 * RowDelegate.PADDING + 1
        self._title_px = [metrics.horizontalAdvance(c.title) + padding for c in self._model.columns]
        self._fit_width()
        self.viewport().update()
