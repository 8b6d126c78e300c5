"""What the operator does to groups by hand: each is one undo step with its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtGui import QUndoStack

from calibstudio.domain import regroup
from calibstudio.domain.errors import CalibrationError, UsageError
from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.wording import count
from calibstudio.gui.frames.commands import push_change
from calibstudio.gui.frames.state import FramesState

BY_HAND = "left out by hand"


class RegroupActions:
    """Turns wishes into undo steps; a refusal goes to ``refuse`` in words."""

    def __init__(
        self, state: FramesState, stack: QUndoStack, refuse: Callable[[Exception], None]
    ) -> None:
        self._state, self._stack, self._refuse = state, stack, refuse

    def move(self, frames: Sequence[Path], group_id: str) -> None:
        """Move frames to a group."""
        group = self._state.group(group_id)
        if group is None or not frames:
            return
        going = [p for p in frames if p not in group.frames]
        self._try(
            f"Move {count(len(going), 'frame')} to {group_title(group)}",
            lambda now, when: regroup.moved(now, going, group_id, when=when),
        )

    def split(self, frames: Sequence[Path]) -> None:
        """Make a group of its own from frames of one group."""
        group = self._state.grouping.group_of(frames[0]) if frames else None
        if group is None:
            return
        mine = [p for p in frames if p in group.frames]
        if len(mine) != len(frames):
            self._refuse(
                UsageError(
                    "The frames are of several groups.", hint="Choose frames of one group to split."
                )
            )
            return
        self._try(
            f"Split {count(len(mine), 'frame')} off {group_title(group)}",
            lambda now, when: regroup.split(now, group.id, mine, when=when),
        )

    def merge(self, group_ids: Sequence[str]) -> None:
        """Put several groups into the first."""
        groups = [g for i in group_ids if (g := self._state.group(i)) is not None]
        if len(groups) < 2:
            return
        self._try(
            f"Merge {count(len(groups), 'group')} into {group_title(groups[0])}",
            lambda now, when: regroup.merged(now, [g.id for g in groups], when=when),
        )

    def leave_out(self, frames: Sequence[Path]) -> None:
        """Leave frames out, or take them in again when all of them are out."""
        if not frames:
            return
        out = self._state.grouping.excluded
        if all(p in out for p in frames):
            self._try(
                f"Use {count(len(frames), 'frame')} again",
                lambda now, when: regroup.included(now, frames),
            )
            return
        going = [p for p in frames if p not in out]
        self._try(
            f"Leave {count(len(going), 'frame')} out",
            lambda now, when: regroup.excluded(now, going, BY_HAND, when=when),
        )

    def rename(self, group_id: str, name: str) -> None:
        """Give a group the operator's own title."""
        self._try(
            f"Rename to {name}" if name else "Take the automatic title again",
            lambda now, when: regroup.renamed(now, group_id, name, when=when),
        )

    def correct(self, frames: Sequence[Path], values: Mapping[str, HeaderValue | None]) -> None:
        """Correct header values; the files stay as they are."""
        words = ", ".join(values)
        self._try(
            f"Correct {words} of {count(len(frames), 'frame')}",
            lambda now, when: regroup.corrected(now, frames, values, when=when),
        )

    def _try(self, text: str, change: Callable[[Grouping, datetime], Grouping]) -> None:
        try:
            after = change(self._state.grouping, datetime.now(UTC))
        except (CalibrationError, UsageError) as error:
            self._refuse(error)
            return
        push_change(self._stack, self._state, text, after)
