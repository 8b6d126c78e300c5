"""Master frames: what a library keeps about each, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from calibstudio.domain.header import HeaderValue
from calibstudio.domain.quality import Assessment, Verdict


class ReviewState(StrEnum):
    """What a person said about a master. ``new`` until somebody looks."""

    NEW = "new"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One row of a master's INPUTS table: a frame that was offered, used or not."""

    file: str
    """Base name."""
    sha256: str
    observed_utc: datetime | None = None
    exposure_s: float | None = None
    sensor_temp_c: float | None = None
    level_adu: float | None = None
    scale: float | None = None
    rejected_fraction: float | None = None
    used: bool = True
    reason: str = ""
    rejected_low: int | None = field(default=None, compare=False)
    """Values of it that were left out; in the file of the master alone, as what follows."""
    rejected_high: int | None = field(default=None, compare=False)
    weight: float | None = field(default=None, compare=False)
    """In the mean, relative to the mean of all frames."""


@dataclass(frozen=True, slots=True)
class UsedMaster:
    """A master that went into another one (the dark flat of a flat)."""

    kind: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class MasterRecord:
    """One master in the library. Everything here can be read back from its file and the journal."""

    sha256: str
    """Of the whole file: its identity."""
    path: Path
    kind: str
    """Without ``master ``: ``bias``, ``dark``, ``flat``, ``dark flat`` or the frames' own word."""
    key: Mapping[str, HeaderValue]
    """By JSON word, as in a group."""
    n_frames: int
    n_combined: int
    unit: str
    """BUNIT: ``adu``, ``adu/s`` or empty for a ratio."""
    bias_subtracted: bool
    observed_first_utc: datetime | None
    observed_last_utc: datetime | None
    assessment: Assessment = field(default_factory=Assessment)
    state: ReviewState = ReviewState.NEW
    state_reason: str = ""
    used: tuple[UsedMaster, ...] = ()
    recipe: str = "default"
    software: str = ""
    added_utc: datetime | None = None
    """When it entered this library (not in the file)."""
    values: Mapping[str, HeaderValue] = field(default_factory=dict)
    """What its inputs say, by JSON word: the common value, or the mean where they vary."""
    dark_subtracted: bool = False

    @property
    def verdict(self) -> Verdict:
        """What the measurements say; a person's decision is `state`."""
        return self.assessment.verdict

    @property
    def id(self) -> str:
        """Short form of the identity, as the command line prints it."""
        return self.sha256[:10]

    @property
    def observed_mid_utc(self) -> datetime | None:
        """The middle of its inputs' observation times; validity starts from here (RULES 8)."""
        if self.observed_first_utc is None or self.observed_last_utc is None:
            return self.observed_first_utc or self.observed_last_utc
        return self.observed_first_utc + (self.observed_last_utc - self.observed_first_utc) / 2
