"""Steps that can be undone: each swaps one immutable grouping for another."""

from __future__ import annotations

from PySide6.QtGui import QUndoCommand, QUndoStack

from calibstudio.domain.grouping import Grouping
from calibstudio.gui.frames.state import FramesState


class _Regroup(QUndoCommand):
    """Both groupings are small, so both are kept."""

    def __init__(self, text: str, state: FramesState, before: Grouping, after: Grouping) -> None:
        super().__init__(text)
        self._state, self._before, self._after = state, before, after

    def redo(self) -> None:
        self._state.replace(self._after)

    def undo(self) -> None:
        self._state.replace(self._before)


def push_change(stack: QUndoStack, state: FramesState, text: str, after: Grouping) -> bool:
    """Make a change one undo step. A change that does nothing leaves the history alone.

    Returns
    -------
    bool
        Whether anything changed.
    """
    before = state.grouping
    if after is before or after == before:
        return False
    stack.push(_Regroup(text, state, before, after))
    return True
