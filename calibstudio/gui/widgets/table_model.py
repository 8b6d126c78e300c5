"""Records as rows of a table: one `Column` says how a cell is got, said and sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QWidget

from calibstudio.domain.quality import Verdict
from calibstudio.gui.widgets.text import plain
from calibstudio.gui.widgets.verdict import kind_of

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
    least: int = 0
    """Pixels that the last column keeps when it takes what the others leave; 0: its width."""
    cut: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    """Where a text without room loses letters: names of files in the middle, they differ at the
    end."""
    goes: int = 0
    """Where there is no room for all, columns go in this order (1 first); 0 stays."""


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
        self._width = len(self.columns)
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

    def update_records(self, records: Sequence[T]) -> None:
        """Show these records in place of those with the same keys; others are left alone.

        The order stays as it is: rows do not jump while their numbers come in.
        """
        new = {self.key(r): r for r in records}
        if not new:
            return
        self._given = tuple(new.get(self.key(r), r) for r in self._given)
        changed = []
        for row, former in enumerate(self._records):
            record = new.get(self.key(former))
            if record is not None:
                self._records[row] = record
                changed.append(row)
        if changed:
            last = self.index(changed[-1], len(self.columns) - 1)
            self.dataChanged.emit(self.index(changed[0], 0), last)

    def index(self, row: int, column: int, parent: AnyIndex = ROOT) -> QModelIndex:
        # Qt's own asks for both counts for each cell that is painted.
        if parent.isValid() or not (0 <= row < len(self._records) and 0 <= column < self._width):
            return QModelIndex()
        return self.createIndex(row, column)

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self._records)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else self._width

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
            return alignment(column)
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
            return alignment(column)
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


def alignment(column: Column[Any]) -> int:
    """Return Qt's alignment of a column: numbers right, words left."""
    side = Qt.AlignmentFlag.AlignRight if column.align == "right" else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
