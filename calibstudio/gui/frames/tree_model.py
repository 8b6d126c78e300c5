"""The tree of groups: camera settings, their groups, frames used and left out, and their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
    Slot,
)

from calibstudio.domain.group_notes import ASKS
from calibstudio.domain.group_titles import group_titles
from calibstudio.domain.grouping import Group, LeftOut
from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import number
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.titles import branch_key, branch_title, group_icon
from calibstudio.gui.widgets.tree import (
    COUNT_ROLE,
    ICON_ROLE,
    ICON_TONE_ROLE,
    STATUS_ROLE,
    STRONG_ROLE,
    TREE_TONE_ROLE,
)
from calibstudio.gui.widgets.verdict import kind_of

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()

NODE_ROLE = Qt.ItemDataRole.UserRole + 30
"""The `Node` of a row."""
MIME = "application/x-calibstudio-frames"
"""Paths of frames that are dragged, as JSON."""


@dataclass(slots=True, eq=False)
class Node:
    """One row. Children are made when they are first asked for: a folder may hold ten thousands."""

    key: str
    """Stable name, so that what was open stays open after a change."""
    text: str
    parent: Node | None
    row: int = 0
    icon: str = ""
    icon_tone: str = ""
    count: str = ""
    status: str = ""
    tone: str = ""
    strong: bool = False
    tip: str = ""
    group_id: str = ""
    """Set on a group and on everything below it."""
    frames: tuple[Path, ...] = ()
    """Frames that this row stands for."""
    make: Callable[[Node], list[Node]] | None = None
    _children: list[Node] | None = None

    @property
    def children(self) -> list[Node]:
        """Rows below this one."""
        if self._children is None:
            self._children = [] if self.make is None else self.make(self)
            for row, child in enumerate(self._children):
                child.row = row
        return self._children

    @property
    def has_children(self) -> bool:
        """Whether it can be opened, without making what is below."""
        return bool(self.children) if self._children is not None else self.make is not None


class GroupTreeModel(QAbstractItemModel):
    """A tree over a `FramesState`; frames can be dragged onto groups, and out of them.

    Signals
    -------
    dropped(object)
        (paths, group id): frames were dropped on a group; an empty id means outside all groups.
    """

    dropped = Signal(object)

    def __init__(self, state: FramesState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._filter = ""
        self._root = Node("root", "", None)
        self._forgotten: list[list[Node]] = []
        """Rows that views may still hold an index of, until the next change."""
        state.changed.connect(self._on_changed)
        state.measured.connect(self._on_measured)
        self._build()

    def set_filter(self, text: str) -> None:
        """Show only groups whose title has these words, and frames' names likewise."""
        if text != self._filter:
            self._filter = text
            self._on_changed()

    def index_of(self, key: str) -> QModelIndex:
        """Return the row with this key among branches and groups; invalid when it is not shown."""
        for branch in self._root.children:
            if branch.key == key:
                return self._index(branch)
            for group in branch.children:
                if group.key == key:
                    return self._index(group)
        return QModelIndex()

    def group_with(self, frames: Sequence[Path]) -> QModelIndex:
        """Return the group that the first of these frames is in; invalid when none is shown."""
        for path in frames[:1]:
            for branch in self._root.children:
                for group in branch.children:
                    if group.group_id and path in group.frames:
                        return self._index(group)
        return QModelIndex()

    def first_group(self) -> QModelIndex:
        """Return the first group, invalid when there is none."""
        for branch in self._root.children:
            for group in branch.children:
                if group.group_id:
                    return self._index(group)
        return QModelIndex()

    @staticmethod
    def node(index: AnyIndex) -> Node | None:
        """Return the row's node."""
        node = index.internalPointer() if index.isValid() else None
        return node if isinstance(node, Node) else None

    # What Qt asks

    def index(self, row: int, column: int, parent: AnyIndex = ROOT) -> QModelIndex:
        children = (self.node(parent) or self._root).children
        if not 0 <= row < len(children) or column != 0:
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: AnyIndex = ROOT) -> QModelIndex:  # type: ignore[override]
        node = self.node(index)
        if node is None or node.parent is None or node.parent is self._root:
            return QModelIndex()
        return self._index(node.parent)

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return len((self.node(parent) or self._root).children)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 1

    def hasChildren(self, parent: AnyIndex = ROOT) -> bool:
        return (self.node(parent) or self._root).has_children

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self.node(index)
        if node is None:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return node.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return node.tip or None
        values = {
            ICON_ROLE: node.icon,
            COUNT_ROLE: node.count,
            STATUS_ROLE: node.status,
            TREE_TONE_ROLE: node.tone,
            ICON_TONE_ROLE: node.icon_tone,
            STRONG_ROLE: node.strong,
            NODE_ROLE: node,
        }
        return values.get(role) or None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        node = self.node(index)
        if node is None:
            return flags | Qt.ItemFlag.ItemIsDropEnabled
        if node.frames:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        if node.group_id:
            flags |= Qt.ItemFlag.ItemIsDropEnabled
        return flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        frames = [p for i in indexes if (node := self.node(i)) is not None for p in node.frames]
        return frames_mime(dict.fromkeys(frames))

    def canDropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: AnyIndex
    ) -> bool:
        return data.hasFormat(MIME)

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: AnyIndex
    ) -> bool:
        frames = frames_of_mime(data)
        if not frames:
            return False
        node = self.node(parent)
        group_id = "" if node is None else node.group_id
        # After the drop: the change resets this model, which Qt is still using. It returns False
        # because rows are moved by the state and must not be removed by Qt.
        QTimer.singleShot(0, self, lambda: self.dropped.emit((frames, group_id)))
        return False

    # Rows

    def _index(self, node: Node) -> QModelIndex:
        return self.createIndex(node.row, 0, node)

    @Slot()
    def _on_changed(self) -> None:
        self.beginResetModel()
        self._build()
        self.endResetModel()

    @Slot(object)
    def _on_measured(self, paths: frozenset[Path]) -> None:
        """Show new verdicts in place: what is open and selected stays, nothing is made anew."""
        groups = {g.id: g for g in self._state.grouping.groups}
        for branch in self._root.children:
            touched = False
            for node in branch.children:
                group = groups.get(node.group_id)
                if group is None or paths.isdisjoint(group.frames):
                    continue
                touched = True
                self._show_status(node, self._group_status(group))
                if node._children is not None:
                    self._renew_parts(node)
            if touched:
                self._show_status(branch, self._branch_status(branch))

    def _show_status(self, node: Node, status: str) -> None:
        if node.status != status:
            node.status = status
            index = self._index(node)
            self.dataChanged.emit(index, index)

    def _renew_parts(self, node: Node) -> None:
        """Frames may have gone from one part of a group to another; the other rows stay."""
        shown, wanted = node.children, self._parts(node)
        keys = [part.key for part in wanted]
        for row in reversed(range(len(shown))):
            if shown[row].key not in keys:
                self._take_rows(node, row, row)
        if [part.key for part in shown] != [k for k in keys if k in {p.key for p in shown}]:
            self._take_rows(node, 0, len(shown) - 1)
        for row, part in enumerate(wanted):
            if row < len(shown) and shown[row].key == part.key:
                self._renew_part(shown[row], part)
            else:
                self._put_rows(node, row, [part])

    def _renew_part(self, shown: Node, wanted: Node) -> None:
        if shown.frames != wanted.frames:
            shown.frames, shown.count = wanted.frames, wanted.count
            if shown._children is not None:
                self._take_rows(shown, 0, len(shown.children) - 1)
                self._put_rows(shown, 0, self._leaves(shown))
            index = self._index(shown)
            self.dataChanged.emit(index, index)
        elif shown._children:
            for leaf in shown._children:
                verdict = self._state.verdict(leaf.frames[0])
                leaf.status = "" if verdict is None else kind_of(verdict)
            ends = shown._children[0], shown._children[-1]
            self.dataChanged.emit(self._index(ends[0]), self._index(ends[1]))
        self._show_status(shown, wanted.status)

    def _take_rows(self, node: Node, first: int, last: int) -> None:
        if last < first:
            return
        rows = node.children
        self.beginRemoveRows(self._index(node), first, last)
        self._forgotten.append(rows[first : last + 1])
        del rows[first : last + 1]
        for row, child in enumerate(rows):
            child.row = row
        self.endRemoveRows()

    def _put_rows(self, node: Node, at: int, made: list[Node]) -> None:
        if not made:
            return
        rows = node.children
        self.beginInsertRows(self._index(node), at, at + len(made) - 1)
        rows[at:at] = made
        for row, child in enumerate(rows):
            child.row = row
        self.endInsertRows()

    def _build(self) -> None:
        self._forgotten = []
        grouping = self._state.grouping
        self._titles = group_titles(grouping.groups)
        # Indexes of the former rows may still be looked at while a view takes in the new ones.
        self._former = self._root
        self._root = Node("root", "", None, make=self._branches)
        _ = self._root.children

    def _branches(self, root: Node) -> list[Node]:
        grouping = self._state.grouping
        by_branch: dict[str, list[Group]] = {}
        for group in grouping.groups:
            if self._shows(group):
                by_branch.setdefault(branch_key(group), []).append(group)
        nodes = []
        for key, groups in by_branch.items():
            # What the branch says already does not tell its groups apart.
            self._titles.update(group_titles(groups))
            total = sum(len(g.frames) for g in groups)
            title = branch_title(groups[0])
            node = Node(key, title, root, icon="camera", strong=True, count=number(total))
            node.tip = title
            node.make = lambda branch, groups=groups: [self._group_node(g, branch) for g in groups]
            _ = node.children
            node.status = self._branch_status(node)
            nodes.append(node)
        for name, icon, left in (
            ("Not understood", "status-unknown", grouping.ungrouped),
            ("Ignored", "leave-out", grouping.ignored),
        ):
            if left and not self._filter:
                nodes.append(self._left_node(name, icon, left, root))
        return nodes

    def _shows(self, group: Group) -> bool:
        if not self._filter:
            return True
        words = self._filter.casefold().split()
        text = f"{self._titles[group.id]} {branch_title(group)}".casefold()
        if all(w in text for w in words):
            return True
        return any(all(w in p.name.casefold() for w in words) for p in group.frames)

    def _branch_status(self, branch: Node) -> str:
        order = ("", "good", "unknown", "warn", "bad")
        return max((c.status for c in branch.children), key=order.index, default="")

    def _group_status(self, group: Group) -> str:
        worst = self._state.worst(group)
        if group.notes and worst is not Verdict.BAD:
            return "warn"
        return "" if worst is None else kind_of(worst)

    def _group_node(self, group: Group, branch: Node) -> Node:
        asks = any(ASKS in note for note in group.notes)
        return Node(
            f"group/{group.id}",
            self._titles[group.id],
            branch,
            icon="status-unknown" if asks else group_icon(group.kind),
            icon_tone="warn" if asks else "",
            count=number(len(group.frames)),
            status=self._group_status(group),
            group_id=group.id,
            frames=group.frames,
            tip="\n".join([self._titles[group.id], *group.notes]),
            make=self._parts,
        )

    def _parts(self, node: Node) -> list[Node]:
        """Used, used with a warning, and left out by reason."""
        group = self._state.group(node.group_id)
        if group is None:
            return []
        used = self._state.used(group)
        warned = tuple(p for p in used if self._state.verdict(p) is Verdict.WARN)
        bad = tuple(p for p in used if self._state.verdict(p) is Verdict.BAD)
        flagged = {*warned, *bad}
        clean = tuple(p for p in used if p not in flagged)
        measured = clean and all(self._state.verdict(p) is not None for p in clean)
        parts = [self._part(node, "Used", "frames", clean, "good" if measured else "")]
        parts.append(self._part(node, "Used, with a warning", "status-warn", warned, "warn"))
        parts.append(self._part(node, "Used, though bad", "status-bad", bad, "bad"))
        reasons: dict[str, list[Path]] = {}
        for path in group.frames:
            if path in self._state.grouping.excluded:
                reasons.setdefault(self._state.grouping.excluded[path], []).append(path)
        for reason, frames in reasons.items():
            text = f"Left out: {reason[:1].lower() + reason[1:]}" if reason else "Left out"
            parts.append(self._part(node, text, "leave-out", tuple(frames), "bad"))
        return [part for part in parts if part.frames]

    def _part(
        self, node: Node, text: str, icon: str, frames: tuple[Path, ...], status: str
    ) -> Node:
        return Node(
            f"{node.key}/{text}",
            text,
            node,
            icon=icon,
            count=number(len(frames)),
            status=status,
            group_id=node.group_id,
            frames=frames,
            make=self._leaves if frames else None,
        )

    def _leaves(self, part: Node) -> list[Node]:
        return [
            Node(
                f"frame/{path}",
                path.name,
                part,
                icon="file",
                status="" if (v := self._state.verdict(path)) is None else kind_of(v),
                tip=str(path),
                group_id=part.group_id,
                frames=(path,),
            )
            for path in part.frames
        ]

    def _left_node(self, name: str, icon: str, left: tuple[LeftOut, ...], root: Node) -> Node:
        def leaves(node: Node) -> list[Node]:
            return [
                Node(
                    f"left/{item.path}",
                    f"{item.path.name}: {item.reason}",
                    node,
                    icon="file",
                    tone="text2",
                    tip=f"{item.path}\n{item.reason}",
                )
                for item in left
            ]

        return Node(
            f"left/{name}", name, root, icon=icon, strong=True, count=number(len(left)), make=leaves
        )


def frames_mime(frames: Iterable[Path]) -> QMimeData:
    """Return what is carried when frames are dragged."""
    data = QMimeData()
    data.setData(MIME, json.dumps([str(p) for p in frames]).encode())
    return data


def frames_of_mime(data: QMimeData) -> tuple[Path, ...]:
    """Return the frames that are dragged; empty when something else is."""
    if not data.hasFormat(MIME):
        return ()
    try:
        paths = json.loads(bytes(data.data(MIME).data()).decode())
    except (UnicodeDecodeError, json.JSONDecodeError):
        return ()
    return tuple(Path(p) for p in paths if isinstance(p, str))
