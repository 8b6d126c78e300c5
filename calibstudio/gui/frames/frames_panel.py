"""The centre: the frames of the row that is looked at, as a table over a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Group
from calibstudio.domain.wording import count, number
from calibstudio.gui.frames.across import AcrossPanel
from calibstudio.gui.frames.dragging import FrameTable
from calibstudio.gui.frames.questions import Reason
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.table import (
    FrameRow,
    FrameTableModel,
    columns,
    frame_row,
    frame_rows,
)
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.panels import EmptyState, ground
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView
from calibstudio.gui.widgets.text import ElidedLabel, label

PLOT_AFTER_MS = 250
"""While frames are measured the plot is drawn no more often than this."""
LEAST_TABLE = 150
REASON_COLUMNS = (
    Column[Reason]("File", lambda r: r.file, width=340, strong=True, tooltip=lambda r: r.file),
    Column[Reason]("Reason", lambda r: r.why, width=520, tooltip=lambda r: r.why),
)


class FramesPanel(QWidget):
    """Table and plot of one group or a part of it.

    Signals
    -------
    frame_chosen(FrameRow | None)
        The frame that is looked at.
    selection_changed(tuple)
        Paths of the selected frames.
    menu_wanted(object)
        The global position where the menu of the selected frames is to open.
    """

    frame_chosen = Signal(object)
    selection_changed = Signal(object)
    menu_wanted = Signal(object)

    def __init__(
        self, theme: ThemeState, state: FramesState, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._state = state
        self._group: Group | None = None
        self._frames: tuple[Path, ...] = ()
        self._kind = ""
        self._is_filling = False
        self._heading = ""
        self.title = label("", "heading")
        self.note = ElidedLabel("", "small", tone="text2")
        self.leave_out = Button(theme, "Leave out", icon="leave-out", size=ButtonSize.SMALL)
        self.split = Button(theme, "Split", icon="split", size=ButtonSize.SMALL)
        self.merge = Button(theme, "Merge…", icon="merge", size=ButtonSize.SMALL)
        self.correct = Button(
            theme,
            "Correct header…",
            icon="edit",
            size=ButtonSize.SMALL,
            tip="Correct a header value; the file stays as it is",
        )
        self.across = AcrossPanel(theme, state)
        self.model = FrameTableModel(columns("dark"), key=lambda row: row.path)
        self.table = self._make_table()
        self._numbers: dict[Path, int] = {}
        self._plot_later = QTimer(self)
        self._plot_later.setSingleShot(True)
        self._splitter = Splitter("frames-centre", Qt.Orientation.Vertical, sizes=(580, 350))
        self._nothing = EmptyState(theme, "frames", "")
        self.reasons: RecordTableModel[Reason] = RecordTableModel(
            REASON_COLUMNS, key=lambda reason: reason.file
        )
        self._pages = QStackedWidget()
        self._build()

    def _build(self) -> None:
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self.title)
        row.addWidget(self.note, 1)
        for button in (self.leave_out, self.split, self.merge, self.correct):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        self._splitter.addWidget(self.table)
        self._splitter.addWidget(self.across)
        self._pages.addWidget(self._splitter)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(TableView(self._theme, self.reasons, name="Files in no group"))
        column.addWidget(self._pages, 1)
        self._plot_later.timeout.connect(self._renew_plot)
        self._state.measured.connect(self._on_measured)
        self.across.frame_clicked.connect(self._on_clicked_in_plot)

    def _make_table(self) -> FrameTable:
        table = FrameTable(self._theme, self.model, name="Frames of the group")
        table.setMinimumHeight(LEAST_TABLE)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(table.viewport().mapToGlobal(at))
        )
        table.selection_changed.connect(self._on_selection)
        table.selectionModel().currentRowChanged.connect(self._on_current)
        return table

    @property
    def selected(self) -> tuple[Path, ...]:
        """Paths of the selected frames."""
        return tuple(row.path for row in self.table.selected)

    @property
    def rows(self) -> tuple[FrameRow, ...]:
        """All frames shown, in the order shown."""
        return self.model.records

    def set_filling(self, on: bool) -> None:
        """While folders are read the table of a group waits for all its frames; the tree fills."""
        self._is_filling = on

    def say_nothing(self, sentence: str, hint: str = "", reasons: Sequence[Reason] = ()) -> None:
        """Say why there are no frames here, or of each file why; shown until a group is."""
        self._nothing.set_sentence(sentence, hint)
        self._heading = sentence if reasons else ""
        self.reasons.set_records(reasons)

    def show_frames(self, group: Group | None, frames: tuple[Path, ...]) -> None:
        """Show a group, or some of its frames."""
        nothing = 2 if self.reasons.records else 1
        self._pages.setCurrentIndex(nothing if group is None else 0)
        changed_group = (group and group.id) != (self._group and self._group.id)
        if self._is_filling and group is not None and not changed_group:
            return
        self._group, self._frames = group, frames
        kind = "" if group is None else group.kind.removeprefix("master ")
        if kind and kind != self._kind:
            self._kind = kind
            self._change_columns(kind)
        self._renew()
        if self.rows and (changed_group or not self.selected):
            # Also where the frame that was looked at has gone to another group.
            self.table.selectRow(0)

    def _change_columns(self, kind: str) -> None:
        """Other kinds have other numbers: another model, so that widths fit again."""
        model = FrameTableModel(columns(kind), key=lambda row: row.path)
        table = self.table
        self.model = model
        self.table = self._make_table()
        self._splitter.replaceWidget(0, self.table)
        table.deleteLater()

    def _renew(self) -> None:
        group = self._group
        rows = frame_rows(self._state, self._frames)
        self._numbers = {row.path: row.number for row in rows}
        self.model.set_records(rows)
        self.title.setText(self._heading if group is None else group_title(group))
        self._say_counts()
        # In a turn of its own: a large group's table and plot together would be felt.
        self._plot_later.start(0)

    def _say_counts(self) -> None:
        group = self._group
        if group is None:
            files = len(self.reasons.records)
            self.note.setText(count(files, "file") if files else "")
            return
        parts = [
            f"{count(len(group.frames), 'frame')}, {number(len(self._state.used(group)))} used"
        ]
        left = len(self._state.unmeasured(group))
        if 0 < left < len(group.frames):
            parts.append(f"{number(len(group.frames) - left)} measured")
        self.note.setText(", ".join(parts))
        self.note.set_tip("\n".join(group.notes))

    @Slot()
    def _renew_plot(self) -> None:
        self.across.show_rows(self._kind, self.rows)

    @Slot(object)
    def _on_measured(self, paths: frozenset[Path]) -> None:
        """Only the rows that are new are shown anew; the plot follows a moment later."""
        new = [path for path in paths if path in self._numbers]
        if not new:
            return
        self.model.update_records(
            [frame_row(self._state, path, self._numbers[path]) for path in new]
        )
        self._say_counts()
        if not self._plot_later.isActive():
            self._plot_later.start(PLOT_AFTER_MS)
        current = self.table.current
        if current is not None and current.path in paths:
            self.frame_chosen.emit(current)

    @Slot(object)
    def _on_selection(self, rows: tuple[FrameRow, ...]) -> None:
        self.selection_changed.emit(tuple(r.path for r in rows))

    @Slot()
    def _on_current(self) -> None:
        row = self.table.current
        self.across.show_frame(None if row is None else row.path)
        self.frame_chosen.emit(row)

    @Slot(object)
    def _on_clicked_in_plot(self, path: Path) -> None:
        self.table.select_key(path)
