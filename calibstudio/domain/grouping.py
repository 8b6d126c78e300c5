"""Which frames are combined together: groups by header, and what the operator changed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from calibstudio.domain.header import FrameHeader, HeaderValue

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
