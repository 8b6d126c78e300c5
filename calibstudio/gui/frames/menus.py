"""Menus of groups and frames: what can be done by hand with what was clicked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from calibstudio.domain.group_titles import group_titles
from calibstudio.domain.grouping import Group
from calibstudio.domain.wording import count, number
from calibstudio.gui.frames.regroup_actions import RegroupActions
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.tree_model import Node


class FrameMenus:
    """Makes and shows the menus; what is chosen goes to the actions by hand."""

    def __init__(
        self,
        parent: QWidget,
        state: FramesState,
        actions: RegroupActions,
        correct: Callable[[Sequence[Path]], None],
    ) -> None:
        """``correct`` asks for a header value of frames."""
        self._parent, self._state = parent, state
        self._actions, self._correct = actions, correct

    def merge_under(self, button: QWidget, group: Group | None) -> None:
        """Show below a button the groups that a group may be merged with."""
        menu = self._menu()
        self._fill_merge(menu, group)
        menu.popup(button.mapToGlobal(QPoint(0, button.height() + 2)))

    def of_frames(self, at: QPoint, frames: Sequence[Path], group: Group | None) -> None:
        """Show what can be done with frames of the table."""
        if frames:
            self._frames_menu(frames, group).popup(at)

    def of_row(
        self,
        at: QPoint,
        node: Node | None,
        frames: Sequence[Path],
        group: Group | None,
        chosen: Sequence[str],
    ) -> None:
        """Show what can be done with a row of the tree; ``chosen`` are the groups selected."""
        if node is None or not frames:
            return
        menu = self._frames_menu(frames, group)
        if node.key == f"group/{node.group_id}":
            menu.addSeparator()
            merge = menu.addMenu("Merge with")
            merge.setEnabled(len(self._state.grouping.groups) > 1)
            self._fill_merge(merge, group)
            if len(chosen) > 1:
                action = menu.addAction(f"Merge {count(len(chosen), 'selected group')}")
                action.triggered.connect(lambda _checked=False: self._actions.merge(chosen))
        menu.popup(at)

    def _menu(self) -> QMenu:
        menu = QMenu(self._parent)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return menu

    def _fill_merge(self, menu: QMenu, group: Group | None) -> None:
        """The other groups, those of the same kind first."""
        if group is None:
            return
        titles = group_titles(self._state.grouping.groups)
        others = [g for g in self._state.grouping.groups if g.id != group.id]
        for other in sorted(others, key=lambda g: g.kind != group.kind):
            action = QAction(f"{titles[other.id]}   {number(len(other.frames))}", menu)
            action.triggered.connect(
                lambda _checked=False, i=other.id: self._actions.merge([group.id, i])
            )
            menu.addAction(action)

    def _fill_move(self, menu: QMenu, frames: Sequence[Path], group: Group | None) -> None:
        titles = group_titles(self._state.grouping.groups)
        for other in self._state.grouping.groups:
            if group is not None and other.id == group.id:
                continue
            action = QAction(titles[other.id], menu)
            action.triggered.connect(
                lambda _checked=False, i=other.id: self._actions.move(frames, i)
            )
            menu.addAction(action)

    def _frames_menu(self, frames: Sequence[Path], group: Group | None) -> QMenu:
        menu, actions = self._menu(), self._actions
        all_out = all(p in self._state.grouping.excluded for p in frames)
        what = count(len(frames), "frame")
        leave = menu.addAction(f"Use {what} again" if all_out else f"Leave {what} out")
        leave.triggered.connect(lambda _checked=False: actions.leave_out(frames))
        move = menu.addMenu(f"Move {what} to")
        self._fill_move(move, frames, group)
        move.setEnabled(not move.isEmpty())
        split = menu.addAction(f"Split {what} off")
        split.triggered.connect(lambda _checked=False: actions.split(frames))
        correct = menu.addAction(f"Correct header of {what}…")
        correct.triggered.connect(lambda _checked=False: self._correct(frames))
        return menu
