"""What goes from one step of a build to the next: chosen frames, their surroundings, a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Group, LeftOut
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.overscan import OverscanSettings
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.imaging.calibrate import Levels
from calibstudio.imaging.combine import CombineReport, Scale
from calibstudio.imaging.quality import SetAssessment
from calibstudio.services.master_subtract import Subtraction
from calibstudio.store.master_fits import Detector


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the machine a build may use."""

    memory_bytes: int | None = None
    threads: int | None = None
    stop_at_broken: bool = False
    """A frame that breaks while it is read stops its group; else it is left out."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The frames of a group, sorted into those that are used and those that are not."""

    group: Group
    headers: tuple[FrameHeader, ...]
    """Of the frames used, in order."""
    offered: Mapping[Path, FrameHeader]
    """Of all frames of the group, used or not."""
    images: tuple[str, ...]
    """Names of the images that are combined; ``("",)`` for one sensor."""
    sha256: Mapping[Path, str]
    """Of every frame that could be read."""
    levels_adu: Mapping[Path, float]
    """Raw level of every frame that was measured."""
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()
    overscan: OverscanSettings = field(default_factory=OverscanSettings)
    """What is done with the overscan of every frame, before anything else."""
    overscan_adu: Mapping[Path, float] = field(default_factory=dict)
    """Mean level that is taken out of each frame."""
    kept: str = ""
    """Which part of the frames is kept, where they are trimmed."""
    words: Mapping[str, HeaderValue] = field(default_factory=dict)
    """What the master says beside the key of the group: how its frames were treated."""

    @property
    def key(self) -> dict[str, HeaderValue]:
        """The key of the master, by JSON word."""
        return {**self.group.key, **self.words}

    def level_of(self, path: Path) -> float:
        """Return the level of a frame above its overscan, ADU; NaN where it is not known."""
        return self.levels_adu.get(path, float("nan")) - self.overscan_adu.get(path, 0.0)

    @property
    def title(self) -> str:
        """What a sentence calls the group."""
        return group_title(self.group)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around a group: what is taken out of it, and what its set says."""

    subtraction: Subtraction = field(default_factory=Subtraction)
    alone: SetAssessment | None = None
    """What the frames say together, with what is taken out of them and nothing else: it goes into
    the file."""
    bias: MasterRecord | None = None
    """Of the same settings: gives darks their dark current and masters their zero. What is judged
    with it goes into the library, not into the file, unless it is taken out."""
    beside: SetAssessment | None = None
    """What the frames say together beside bias frames of the same run: for the library."""
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    """Limits that the master is judged by."""

    @property
    def own_bias(self) -> MasterRecord | None:
        """The bias that is taken out of the frames; None where none is."""
        taken = self.subtraction.masters
        return next((m for m in taken if m.kind == FrameKind.BIAS), None)


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """One detector, combined."""

    detector: Detector
    report: CombineReport
    scales: tuple[Scale, ...] | None
    reference: Levels
    """The common level that frames were brought to; empty when they were not."""
    sentences: tuple[str, ...] = ()
    """What else was done, for HISTORY."""
    floor_adu: float | None = None
    """Least sigma of the rule of rejection; None where it has none."""
