"""What the Frames workspace looks at: one grouping, and what was measured about its frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.domain.recipe import Recipe


class FramesState(QObject):
    """The grouping that several views share. Views listen; only commands and scans set it.

    Signals
    -------
    changed(Grouping)
        Another grouping holds now: a scan, a step by hand, or its undo.
    measured(object)
        A frozenset of the paths whose assessment is new.
    """

    changed = Signal(object)
    measured = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._grouping = Grouping()
        self._groups: dict[str, Group] = {}
        self._assessments: dict[Path, Assessment] = {}
        self.recipe = Recipe()
        """How masters are made of these groups."""

    @property
    def grouping(self) -> Grouping:
        """The grouping as it is now."""
        return self._grouping

    def replace(self, grouping: Grouping) -> None:
        """Hold another grouping."""
        if grouping is not self._grouping:
            self._grouping = grouping
            self._groups = {g.id: g for g in grouping.groups}
            self.changed.emit(grouping)

    def add_assessments(self, found: Mapping[Path, Assessment]) -> None:
        """Keep what was measured about frames."""
        self._assessments.update(found)
        self.measured.emit(frozenset(found))

    def forget_assessments(self) -> None:
        """Start over: other folders."""
        self._assessments.clear()

    def assessment(self, path: Path) -> Assessment | None:
        """What was measured about a frame; None until it was."""
        return self._assessments.get(path)

    def verdict(self, path: Path) -> Verdict | None:
        """The verdict of a frame; None until it was measured."""
        found = self._assessments.get(path)
        return None if found is None else found.verdict

    def group(self, group_id: str) -> Group | None:
        """The group of this id, or None when it is gone."""
        return self._groups.get(group_id)

    def unmeasured(self, group: Group) -> tuple[Path, ...]:
        """Frames of a group that were not measured yet."""
        return tuple(p for p in group.frames if p not in self._assessments)

    def used(self, group: Group) -> tuple[Path, ...]:
        """Frames of a group that go into its stack."""
        return tuple(p for p in group.frames if p not in self._grouping.excluded)

    def worst(self, group: Group) -> Verdict | None:
        """The worst verdict of the frames in use; None until one was measured."""
        verdicts = [v for p in self.used(group) if (v := self.verdict(p)) is not None]
        return max(verdicts, key=lambda v: v.severity, default=None)
