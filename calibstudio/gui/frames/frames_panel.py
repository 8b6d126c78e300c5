"""The centre: the frames of the row that is looked at, as a table over a plot."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Group
from calibstudio.domain.wording import count, number
from calibstudio.gui.frames.across import AcrossPanel
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.table import FrameRow, FrameTableModel, columns, frame_rows
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.table import TableView
from calibstudio.gui.widgets.text import ElidedLabel, label


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
        self.title = label("", "heading")
        self.note = ElidedLabel("", "small", tone="text2")
        self.leave_out = Button(theme, "Leave out", icon="leave-out", size=ButtonSize.SMALL)
        self.split = Button(theme, "Split", icon="split", size=ButtonSize.SMALL)
        self.merge = Button(theme, "Merge…", icon="merge", size=ButtonSize.SMALL)
        self.correct = Button(theme, "Correct header…", icon="edit", size=ButtonSize.SMALL)
        self.across = AcrossPanel(theme, state)
        self.model = FrameTableModel(columns("dark"), key=lambda row: row.path)
        self.table = self._make_table()
        self._splitter = Splitter("frames-centre", Qt.Orientation.Vertical, sizes=(620, 320))
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
        self._splitter.setStretchFactor(0, 2)
        self._splitter.setStretchFactor(1, 1)
        column.addWidget(self._splitter, 1)
        self._state.measured.connect(self._on_measured)
        self.across.frame_clicked.connect(self._on_clicked_in_plot)

    def _make_table(self) -> TableView:
        table = TableView(self._theme, self.model, name="Frames of the group", multiple=True)
        table.setDragEnabled(True)
        table.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
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

    def show_frames(self, group: Group | None, frames: tuple[Path, ...]) -> None:
        """Show a group, or some of its frames."""
        changed_group = (group and group.id) != (self._group and self._group.id)
        self._group, self._frames = group, frames
        kind = "" if group is None else group.kind.removeprefix("master ")
        if kind and kind != self._kind:
            self._kind = kind
            self._change_columns(kind)
        self._renew()
        if changed_group and self.rows:
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
        group, grouping = self._group, self._state.grouping
        self.model.set_records(frame_rows(grouping, self._state, self._frames))
        if group is None:
            self.title.setText("")
            self.note.setText("")
        else:
            used = len(self._state.used(group))
            self.title.setText(group_title(group))
            self.note.setText(f"{count(len(group.frames), 'frame')}, {number(used)} used")
            self.note.set_tip("\n".join(group.notes))
        self.across.show_rows(self._kind, self.rows)

    @Slot(object)
    def _on_measured(self, paths: frozenset[Path]) -> None:
        if not paths.isdisjoint(self._frames):
            self._renew()

    @Slot(object)
    def _on_selection(self, rows: tuple[FrameRow, ...]) -> None:
        self.selection_changed.emit(tuple(r.path for r in rows))

    @Slot()
    def _on_current(self) -> None:
        self.frame_chosen.emit(self.table.current)

    @Slot(object)
    def _on_clicked_in_plot(self, path: Path) -> None:
        self.table.select_key(path)
