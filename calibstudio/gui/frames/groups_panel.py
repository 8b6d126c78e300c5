"""The left side: the tree of groups, a search, and the question that a group asks."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from calibstudio.gui.frames.dragging import GroupTree
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.tree_model import GroupTreeModel, Node
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.fields import SearchField
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.progress import BusyLine
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.verdict import StatusDot


class GroupsPanel(QWidget):
    """The tree with what belongs to it.

    Signals
    -------
    chosen(Node | None)
        The row that is looked at now.
    dropped(object)
        (paths, group id) of frames dropped on a group, or outside all (empty id).
    menu_wanted(object)
        The global position where the menu of the selected row is to open.
    """

    chosen = Signal(object)
    dropped = Signal(object)
    menu_wanted = Signal(object)

    def __init__(
        self, theme: ThemeState, state: FramesState, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self.model = GroupTreeModel(state, self)
        self.tree = GroupTree(theme, self.model)
        self.search = SearchField(theme, name="Find groups and frames", placeholder="Find")
        self.question = QuestionCard(theme)
        self.busy = BusyLine(theme)
        keeps = self.busy.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self.busy.setSizePolicy(keeps)
        self._open: set[str] = set()
        self._known_branches: set[str] = set()
        self._chosen_key = ""
        self._chosen_frames: tuple[Path, ...] = ()
        self._build()
        self._connect()

    def _build(self) -> None:
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.addWidget(label("Groups", "heading"))
        row.addStretch(1)
        self.search.setMaximumWidth(170)
        row.addWidget(self.search)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self.busy)
        column.addWidget(self.tree, 1)
        column.addWidget(self.question)

    def _connect(self) -> None:
        self.search.searched.connect(self.model.set_filter)
        self.model.dropped.connect(self.dropped)
        self.model.modelAboutToBeReset.connect(self._remember)
        self.model.modelReset.connect(self._restore)
        self.tree.selectionModel().currentChanged.connect(self._on_current)
        self.tree.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(self.tree.viewport().mapToGlobal(at))
        )

    @property
    def node(self) -> Node | None:
        """The row that is looked at."""
        return self.model.node(self.tree.currentIndex())

    @property
    def frames(self) -> tuple[Path, ...]:
        """Frames of all selected rows."""
        rows = self.tree.selectionModel().selectedIndexes()
        nodes = (self.model.node(i) for i in rows)
        return tuple(dict.fromkeys(p for n in nodes if n is not None for p in n.frames))

    @property
    def group_ids(self) -> tuple[str, ...]:
        """Groups of which a row is selected."""
        rows = self.tree.selectionModel().selectedIndexes()
        nodes = (self.model.node(i) for i in rows)
        return tuple(dict.fromkeys(n.group_id for n in nodes if n is not None and n.group_id))

    def choose_group(self, group_id: str) -> None:
        """Look at a group, if it is shown."""
        index = self.model.index_of(f"group/{group_id}")
        if index.isValid():
            self.tree.setCurrentIndex(index)

    @Slot()
    def _remember(self) -> None:
        """Keep what is open and chosen through a change of the model."""
        node = self.node
        self._chosen_key = "" if node is None else node.key
        self._chosen_frames = () if node is None else node.frames
        self._open = set()
        for row in range(self.model.rowCount()):
            branch = self.model.index(row, 0)
            self._remember_open(branch)

    def _remember_open(self, index: QModelIndex) -> None:
        node = self.model.node(index)
        if node is None or not self.tree.isExpanded(index):
            return
        self._open.add(node.key)
        for row in range(self.model.rowCount(index)):
            child = self.model.index(row, 0, index)
            if self.model.hasChildren(child):
                self._remember_open(child)

    @Slot()
    def _restore(self) -> None:
        for row in range(self.model.rowCount()):
            self._restore_open(self.model.index(row, 0))
        index = self.model.index_of(self._chosen_key)
        if not index.isValid() and self._chosen_key.startswith("group/"):
            index = self.model.index_of("/".join(self._chosen_key.split("/")[:2]))
        if not index.isValid():
            # Its group is another one now, of another kind or value: the frames are followed.
            index = self.model.group_with(self._chosen_frames)
        if not index.isValid():
            index = self.model.first_group()
        if index.isValid():
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect
            self.tree.selectionModel().select(QItemSelection(index, index), flags)
            self.tree.setCurrentIndex(index)
        else:
            self.chosen.emit(None)

    def _restore_open(self, index: QModelIndex) -> None:
        node = self.model.node(index)
        if node is None:
            return
        is_new_branch = node.key.startswith("settings/") and node.key not in self._known_branches
        if is_new_branch:
            self._known_branches.add(node.key)
        if node.key in self._open or is_new_branch:
            self.tree.setExpanded(index, True)
            for row in range(self.model.rowCount(index)):
                child = self.model.index(row, 0, index)
                if self.model.hasChildren(child):
                    self._restore_open(child)

    @Slot(QModelIndex)
    def _on_current(self, index: QModelIndex) -> None:
        self.chosen.emit(self.model.node(index))


class QuestionCard(QWidget):
    """What a group needs to know before it is trusted, with its one-click answer.

    Signals
    -------
    answered(object)
        The offer that was accepted.
    """

    answered = Signal(object)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._offer: object = None
        self.setProperty("border", "top")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(6)
        top = QHBoxLayout()
        top.setSpacing(8)
        shape = StatusDot(theme, size=18)
        shape.set_status("unknown", "Unknown")
        self._head = label("", "heading", tone="warn", wrap=True)
        top.addWidget(shape, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self._head, 1)
        column.addLayout(top)
        self._text = label("", "small", tone="text2", wrap=True)
        column.addWidget(self._text)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        self.yes = Button(theme, "", size=ButtonSize.SMALL)
        self.no = Button(theme, "Keep apart", ButtonKind.FLAT, size=ButtonSize.SMALL)
        buttons.addWidget(self.yes)
        buttons.addWidget(self.no)
        buttons.addStretch(1)
        column.addLayout(buttons)
        self.yes.clicked.connect(lambda _checked=False: self.answered.emit(self._offer))
        self.no.clicked.connect(lambda _checked=False: self.hide())
        self.hide()

    def ask(self, head: str, text: str, *, answer: str = "", offer: object = None) -> None:
        """Show a question; without an answer it is only said."""
        self._offer = offer
        self._head.setText(head)
        self._text.setText(text)
        self.yes.setText(answer)
        self.yes.setVisible(bool(answer))
        self.no.setVisible(bool(answer))
        self.show()
