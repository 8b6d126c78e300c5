"""Which frames are combined together: groups by header, and what the operator changed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from calibstudio.domain.changes import ManualChanges
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.recipe import Tolerances

_NONE: Mapping[Path, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is in no group, and why, in one sentence."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Frames that become one master."""

    id: str
    """Short and stable: the same frames' key gives the same id in every run."""
    kind: str
    """The JSON word: ``dark``, ``master flat``, ``arc lamp``."""
    key: Mapping[str, HeaderValue]
    """What its frames share, by JSON word; unknown keys are absent."""
    frames: tuple[Path, ...]
    """In order of observation time, then path."""
    notes: tuple[str, ...] = ()
    name: str = ""
    """The operator's own title; empty for the automatic one."""
    unknown: tuple[str, ...] = ()
    """Grouping keys that no frame of the group says."""
    asked: tuple[str, ...] = ()
    """Those of them that a note asks for."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """All frames of a scan, each in exactly one group or left out with a reason.

    Immutable: regrouping by hand returns a new value, so undo keeps the old one.
    """

    groups: tuple[Group, ...] = ()
    ungrouped: tuple[LeftOut, ...] = ()
    """Frames whose kind or shape is not understood, already calibrated frames, broken files."""
    ignored: tuple[LeftOut, ...] = ()
    """Files that are no frames at all."""
    excluded: Mapping[Path, str] = field(default_factory=lambda: _NONE)
    """Frames that stay in their group but are left out of the stack: path -> reason."""
    headers: Mapping[Path, FrameHeader] = field(default_factory=lambda: MappingProxyType({}))
    """Of every file that could be read, with the user's corrections."""
    as_read: Mapping[Path, FrameHeader] = field(default_factory=lambda: MappingProxyType({}))
    """Headers as the files say them, of corrected frames only."""
    changes: ManualChanges = field(default_factory=ManualChanges)
    """What differs from the automatic grouping, by hand."""
    tolerances: Tolerances = field(default_factory=Tolerances)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Grouping keys by kind where they are not the program's own."""

    def group(self, group_id: str) -> Group:
        """The group of this id. Raises `KeyError`."""
        for group in self.groups:
            if group.id == group_id:
                return group
        raise KeyError(group_id)

    def group_of(self, path: Path) -> Group | None:
        """The group that holds a frame; None when it is in no group."""
        return next((g for g in self.groups if path in g.frames), None)

    def stacked(self, group: Group) -> tuple[Path, ...]:
        """The frames of a group without those that are excluded."""
        return tuple(p for p in group.frames if p not in self.excluded)
