"""What the operator changed by hand, as the difference to the automatic groups.

A change is a record, never an edit of a file: it can be kept beside the data, undone, and applied
again to the groups of a later scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from calibstudio.domain.header import HeaderValue

_NOTHING: Mapping[str, HeaderValue | None] = MappingProxyType({})


class Action(StrEnum):
    """Kinds of manual change."""

    MOVED = "moved"
    SPLIT = "split"
    MERGED = "merged"
    EXCLUDED = "excluded"
    RENAMED = "renamed"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class GroupRef:
    """Names a group so that it is found again after a re-scan, when its id may have changed."""

    id: str
    kind: str
    key: Mapping[str, HeaderValue]
    anchors: tuple[Path, ...] = ()
    """Some of its frames."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change by hand: what, to which frames and group, when, and why."""

    action: Action
    frames: tuple[Path, ...] = ()
    """Moved, split off, excluded or corrected frames."""
    group: GroupRef | None = None
    """Where moved frames go; the group that was split, merged into, or renamed."""
    others: tuple[GroupRef, ...] = ()
    """Groups that were merged into ``group``."""
    text: str = ""
    """The new name, the reason of an exclusion, or the id of the group that a split made."""
    values: Mapping[str, HeaderValue | None] = field(default_factory=lambda: _NOTHING)
    """Corrected values by JSON word; None takes a correction back."""
    when_utc: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ManualChanges:
    """All changes by hand, in the order they were made."""

    records: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.records)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def corrections(self) -> dict[Path, dict[str, HeaderValue]]:
        """The values that hold now, by file and JSON word (what `scan` takes)."""
        held: dict[Path, dict[str, HeaderValue]] = {}
        for change in self.records:
            if change.action is not Action.CORRECTED:
                continue
            for path in change.frames:
                values = held.setdefault(path, {})
                for word, value in change.values.items():
                    if value is None:
                        values.pop(word, None)
                    else:
                        values[word] = value
        return {path: values for path, values in held.items() if values}
