"""How frames become masters: settings that belong together, in one readable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from calibstudio.domain.kinds import FrameKind


class Combine(StrEnum):
    """How the kept values of a pixel become one."""

    MEAN = "mean"
    MEDIAN = "median"


class Rejection(StrEnum):
    """Which values of a pixel are left out (RULES 4)."""

    AUTO = "auto"
    NONE = "none"
    MINMAX = "minmax"
    PERCENTILE = "percentile"
    SIGMA = "sigma"
    MAD = "mad"
    WINSORIZED = "winsorized"
    LINEAR_FIT = "linear-fit"
    ESD = "esd"


class Normalization(StrEnum):
    """How frames are brought to one level before rejection."""

    NONE = "none"
    MULTIPLICATIVE = "multiplicative"
    ADDITIVE = "additive"


@dataclass(frozen=True, slots=True)
class StackSettings:
    """One complete choice of combination. ``None`` takes the rule's own default (RULES 4).

    ``low`` and ``high`` are sigmas for sigma, MAD, Winsorized and linear fit; counts for min/max;
    fractions for percentile; outlier fraction and significance for ESD.
    """

    combine: Combine = Combine.MEAN
    reject: Rejection = Rejection.AUTO
    low: float | None = None
    high: float | None = None
    iterations: int | None = None
    """None: until nothing more is rejected."""
    min_keep: int = 3
    cutoff: float | None = None
    """Winsorized only: PixInsight's cut-off, in sigmas; None for none (Siril's form)."""
    normalize: Normalization = Normalization.NONE

    def __post_init__(self) -> None:
        if self.min_keep < 1:
            raise ValueError("min_keep must be at least 1")
        if self.iterations is not None and self.iterations < 1:
            raise ValueError("iterations must be at least 1")


class LevelOf(StrEnum):
    """How the level of a flat is measured when it is normalised."""

    TILES = "tiles"
    """Median of the medians of tiles: stars, dust and defects do not move it (RULES 6)."""
    MEDIAN = "median"
    MEAN = "mean"
    MODE = "mode"


@dataclass(frozen=True, slots=True)
class FlatSettings:
    """How a master flat is brought to one (RULES 5)."""

    level: LevelOf = LevelOf.TILES
    region: float = 0.5
    """Side of the centred part that is measured, as a fraction of the picture; 1 is all of it."""
    per_channel: bool = True
    """Colour sensors: each colour by its own level."""
    unity_below: float = 0.05
    """Where the flat has less than this fraction of its level: 1, and a mask."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.region <= 1:
            raise ValueError("region must be between 0.01 and 1")
        if not 0 <= self.unity_below < 1:
            raise ValueError("unity_below must be at least 0 and below 1")


@dataclass(frozen=True, slots=True)
class Coverage:
    """When too few values were kept at too many pixels: the bits of INFOBITS (RULES 5)."""

    min_kept: int = 10
    share: float = 0.01
    """The bit is set when more than this share of the pixels kept fewer."""


DEFAULT_MASTER_NAME = "{camera}/{kind}/{part}/{night}/master_{kind}_{apart}_{night}_{hash}.fits"
"""PRODUCT 5. ``part`` is the filter or the exposure, ``apart`` what tells masters apart."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How close is the same (RULES 3). Used for grouping and for matching."""

    exposure_abs_s: float = 0.001
    exposure_rel: float = 0.005
    set_temp_c: float = 0.5
    sensor_temp_c: float = 1.5
    uncooled_temp_c: float = 2.0
    rotator_deg: float = 1.0
    focal_length_rel: float = 0.01


_DEFAULT_STACK: Mapping[str, StackSettings] = MappingProxyType(
    {
        FrameKind.BIAS: StackSettings(),
        FrameKind.DARK: StackSettings(),
        FrameKind.DARK_FLAT: StackSettings(),
        FrameKind.FLAT: StackSettings(normalize=Normalization.MULTIPLICATIVE),
    }
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One readable recipe: what `calibstudio masters` does with each kind of group."""

    name: str = "default"
    description: str = ""
    stack: Mapping[str, StackSettings] = field(default_factory=lambda: _DEFAULT_STACK)
    """By kind word."""
    min_frames: int = 2
    """Groups smaller than this are skipped, with a reason."""
    wanted_frames: Mapping[str, int] = field(
        default_factory=lambda: {
            FrameKind.BIAS: 20,
            FrameKind.DARK: 20,
            FrameKind.DARK_FLAT: 20,
            FrameKind.FLAT: 20,
        }
    )
    tolerances: Tolerances = field(default_factory=Tolerances)
    flat_dark_budget: float = 0.0005
    """Dark signal left in a flat by a dark flat of another exposure, as a fraction of its level."""
    leave_out_bad: bool = True
    """Frames judged BAD are left out, with the reason."""
    flat: FlatSettings = field(default_factory=FlatSettings)
    coverage: Coverage = field(default_factory=Coverage)
    master_name: str = DEFAULT_MASTER_NAME
    """Pattern of a master's path below the library's folder."""

    def stack_for(self, kind: str) -> StackSettings:
        """Settings for this kind; other kinds are combined like darks."""
        return self.stack.get(kind) or self.stack.get(FrameKind.DARK) or StackSettings()
