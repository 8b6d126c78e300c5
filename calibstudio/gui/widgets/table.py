"""Tables of records: one line for each column, sorted by value and never through a proxy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from calibstudio.domain.quality import Verdict
from calibstudio.gui.icons import paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import plain
from calibstudio.gui.widgets.verdict import TAG_HEIGHT, kind_of, paint_tag

T = TypeVar("T")
AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()

RECORD_ROLE = Qt.ItemDataRole.UserRole + 1
"""The record of a row."""
VALUE_ROLE = Qt.ItemDataRole.UserRole + 2
"""The value of a cell, as it is sorted."""
TONE_ROLE = Qt.ItemDataRole.UserRole + 3
"""Colour token of a cell: ``warn``, ``bad``, ``text3``; None for the usual one."""
TAG_ROLE = Qt.ItemDataRole.UserRole + 4
"""(status kind, word) of a cell that shows a tag; None for text."""


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _nothing(record: Any) -> Any:
    return None


# No slots: a frozen class with slots cannot be made as ``Column[Record](...)`` (Python 3.11).
@dataclass(frozen=True)
class Column(Generic[T]):
    """How one column gets its value, how it says it, and how it is sorted."""

    title: str
    """With the unit in brackets: ``Exposure [s]``."""
    value: Callable[[T], Any]
    text: Callable[[Any], str] = _text
    """From the value. None is sorted last and shown as nothing unless this says otherwise."""
    align: str = "left"
    """``left`` for words, ``right`` for numbers."""
    tooltip: Callable[[T], str] | None = None
    """Where the value came from, from the record."""
    tone: Callable[[T], str | None] = _nothing
    """Colour token for a cell that is wrong: only that cell is coloured."""
    tag: Callable[[T], tuple[str, str] | None] | None = None
    """Shows a tag (kind, word) instead of the text; see `verdict_column`."""
    width: int = 0
    """Pixels at the start; 0 fits the title and the first rows."""
    sort_key: Callable[[Any], Any] | None = None
    """From the value, where it does not sort by itself."""
    strong: bool = False
    """Shown a little heavier: the column that names the row."""


def verdict_column(
    title: str, value: Callable[[T], Verdict | None], *, tooltip: Callable[[T], str] | None = None
) -> Column[T]:
    """Return a column of GOOD, WARN and BAD tags, sorted by severity."""

    def tag(record: T) -> tuple[str, str] | None:
        verdict = value(record)
        return None if verdict is None else (kind_of(verdict), verdict.value)

    return Column(
        title,
        value,
        tooltip=tooltip,
        tag=tag,
        width=92,
        sort_key=lambda v: v.severity if isinstance(v, Verdict) else -1,
    )


class RecordTableModel(QAbstractTableModel, Generic[T]):
    """A tuple of records as a table. Sorting orders the records in Python by their keys."""

    def __init__(
        self,
        columns: Sequence[Column[T]],
        records: Sequence[T] = (),
        *,
        key: Callable[[T], Any] = lambda record: record,
        parent: QWidget | None = None,
    ) -> None:
        """``key`` identifies a record, so that the selection survives `set_records`."""
        super().__init__(parent)
        self.columns = tuple(columns)
        self.key = key
        self._given: tuple[T, ...] = tuple(records)
        self._records: list[T] = list(records)
        self._sorted: tuple[int, Qt.SortOrder] | None = None

    @property
    def records(self) -> tuple[T, ...]:
        """All records in the order that is shown."""
        return tuple(self._records)

    def record(self, row: int) -> T:
        """Return the record of a row."""
        return self._records[row]

    def row_of(self, key: Any) -> int | None:
        """Return the row of the record with this key; None when it is not here."""
        return next((i for i, r in enumerate(self._records) if self.key(r) == key), None)

    def set_records(self, records: Sequence[T]) -> None:
        """Show other records, sorted as before."""
        self.beginResetModel()
        self._given = tuple(records)
        self._records = list(records)
        self._order()
        self.endResetModel()

    def append(self, record: T, *, at_top: bool = False) -> None:
        """Add one record; in a sorted table it goes where it belongs on the next sort."""
        row = 0 if at_top else len(self._records)
        self.beginInsertRows(ROOT, row, row)
        self._given = (record, *self._given) if at_top else (*self._given, record)
        self._records.insert(row, record)
        self.endInsertRows()

    def update_record(self, row: int, record: T) -> None:
        """Show another record in this row."""
        former = self._records[row]
        self._records[row] = record
        self._given = tuple(record if r is former else r for r in self._given)
        last = self.index(row, len(self.columns) - 1)
        self.dataChanged.emit(self.index(row, 0), last)

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self._records)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        record, column = self._records[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            if column.tag is not None:
                tag = column.tag(record)
                return tag[1] if tag else ""
            return column.text(column.value(record))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == TONE_ROLE:
            return column.tone(record)
        if role == TAG_ROLE:
            return column.tag(record) if column.tag is not None else None
        if role == VALUE_ROLE:
            return column.value(record)
        if role == RECORD_ROLE:
            return record
        if role == Qt.ItemDataRole.ToolTipRole and column.tooltip is not None:
            return plain(column.tooltip(record)) or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            shown = self.data(index)
            return f"{column.title}: {shown}" if shown else column.title
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order by the values of a column; -1 goes back to the order given. None comes last."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        rows = [(self._records[i.row()], i.column()) for i in before]
        self._sorted = (column, order) if column >= 0 else None
        self._order()
        if rows:
            places = {id(r): i for i, r in enumerate(self._records)}
            after = [self.index(places[id(r)], c) for r, c in rows]
            self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _order(self) -> None:
        self._records = list(self._given)
        if self._sorted is None:
            return
        column = self.columns[self._sorted[0]]
        key = column.sort_key or _natural
        known = [r for r in self._records if column.value(r) is not None]
        unknown = [r for r in self._records if column.value(r) is None]
        descending = self._sorted[1] == Qt.SortOrder.DescendingOrder
        known.sort(key=lambda r: key(column.value(r)), reverse=descending)
        self._records = known + unknown


def _natural(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _alignment(column: Column[Any]) -> int:
    side = Qt.AlignmentFlag.AlignRight if column.align == "right" else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)


class RowDelegate(QStyledItemDelegate):
    """Draws a cell: hairline below, selection with its edge, text or tag, tone."""

    PADDING = 10

    def __init__(self, theme: ThemeState, parent: QTableView) -> None:
        super().__init__(parent)
        self._theme = theme
        self._view = parent

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        t = self._theme.tokens
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        selected = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if selected:
            painter.fillRect(rect, QColor(t.selection))
        elif hovered:
            painter.fillRect(rect, QColor(t.card))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), QColor(t.line))
        if selected and self._is_first(index):
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height() - 1), QColor(t.accent))
        tag = index.data(TAG_ROLE)
        if tag is not None:
            y = rect.top() + (rect.height() - 1 - TAG_HEIGHT) // 2
            painter.setClipRect(rect)
            paint_tag(painter, rect.left() + self.PADDING, y, tag[0], tag[1], self._theme)
        else:
            self._paint_text(painter, rect, index)
        painter.restore()

    def _paint_text(self, painter: QPainter, rect: QRect, index: AnyIndex) -> None:
        text = index.data(Qt.ItemDataRole.DisplayRole) or ""
        tone = index.data(TONE_ROLE)
        weight = 400
        model = index.model()
        if tone in ("bad", "warn"):
            weight = 600
        elif isinstance(model, RecordTableModel) and model.columns[index.column()].strong:
            weight = 500
        font = self._theme.font(13, weight)
        painter.setFont(font)
        painter.setPen(self._theme.color(tone or "text"))
        box = rect.adjusted(self.PADDING, 0, -self.PADDING, -1)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, int(index.data(Qt.ItemDataRole.TextAlignmentRole) or 0), shown)

    def _is_first(self, index: AnyIndex) -> bool:
        header = self._view.horizontalHeader()
        visual = header.visualIndex(index.column())
        return all(header.isSectionHidden(header.logicalIndex(v)) for v in range(visual))


class TableHeader(QHeaderView):
    """30 px, captions in the third colour, one hairline; an arrow where it is sorted."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.setHighlightSections(False)
        self.setSectionsClickable(True)
        self.setStretchLastSection(True)
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
        model.modelAboutToBeReset.connect(self._on_reset_begins)
        model.modelReset.connect(self._on_reset)
        self.activated.connect(self._on_activated)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self.fit_columns()

    @property
    def selected(self) -> tuple[Any, ...]:
        """Records that are selected, in the order shown."""
        rows = sorted(i.row() for i in self.selectionModel().selectedRows())
        return tuple(self._model.record(r) for r in rows)

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
        self.selectRow(row)
        self.setCurrentIndex(self._model.index(row, 0))
        return True

    def fit_columns(self, rows: int = 60) -> None:
        """Make columns without a width of their own as wide as their title and first rows."""
        from PySide6.QtGui import QFontMetrics

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

    @Slot()
    def _on_reset_begins(self) -> None:
        self._held = [self._model.key(r) for r in self.selected]

    @Slot()
    def _on_reset(self) -> None:
        from PySide6.QtCore import QItemSelection, QItemSelectionModel

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
    def _on_selection(self) -> None:
        self.selection_changed.emit(self.selected)

    @Slot()
    def _on_theme_changed(self) -> None:
        height = self._row_height or self._theme.sizes.table_row
        self.verticalHeader().setDefaultSectionSize(max(height, self._theme.sizes.table_row))
        self.horizontalHeader().setFixedHeight(self._theme.sizes.table_header)
        self.viewport().update()
