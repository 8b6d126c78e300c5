"""How frames become masters: settings that belong together, in one readable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.overscan import OverscanSettings


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


class Spread(StrEnum):
    """What the sigma of sigma clipping is."""

    DEVIATION = "deviation"
    """Standard deviation (N - 1) of the values that are kept."""
    PERCENTILES = "percentiles"
    """Half of the distance between the 16th and the 84th percentile, as KPF's frame stacker."""


class Normalization(StrEnum):
    """How frames are brought to one level before rejection."""

    NONE = "none"
    MULTIPLICATIVE = "multiplicative"
    ADDITIVE = "additive"
    ADDITIVE_SCALING = "additive-scaling"
    """Shifted to one level and stretched to one spread."""


class Floor(StrEnum):
    """Whether the sigma of an iterated rule has a floor.

    By its published definition no rule has one. On whole numbers that scatter by a code or two
    the sigma of some then shrinks from round to round, until only equal values are left.
    """

    AUTO = "auto"
    """For rules chosen by the number of frames; rules asked by name are as published."""
    NONE = "none"
    """As published."""
    NOISE = "noise"
    """For every iterated rule: the noise of one frame, at least one quantum of its values."""


class Weight(StrEnum):
    """How much each frame counts in a mean."""

    NONE = "none"
    """All the same."""
    NOISE = "noise"
    """By the inverse variance of its noise, scaled as it is combined."""
    EXPOSURE = "exposure"
    """By its exposure time."""


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
    spread: Spread = Spread.DEVIATION
    """Sigma clip only."""
    unc_factor: float | None = None
    """UNC^2 = unc_factor * variance of the kept (N) / CNT, as other pipelines state it; None: the
    program's own factor, which is exact for the rule and the number of frames (RULES 4)."""
    floor: Floor = Floor.AUTO
    weight: Weight = Weight.NONE
    maps: bool = False
    """How many values were rejected at each pixel, low and high, are planes of the result."""

    def __post_init__(self) -> None:
        if self.weight is not Weight.NONE and self.combine is Combine.MEDIAN:
            raise ValueError("weight belongs to combine = mean: a median has none")
        if self.min_keep < 1:
            raise ValueError("min_keep must be at least 1")
        if self.spread is not Spread.DEVIATION and self.reject is not Rejection.SIGMA:
            raise ValueError("spread belongs to reject = sigma")
        if self.unc_factor is not None and not 0.1 <= self.unc_factor <= 100:
            raise ValueError("unc_factor must be between 0.1 and 100")
        if self.iterations is not None and self.iterations < 1:
            raise ValueError("iterations must be at least 1")


class LevelOf(StrEnum):
    """How the level of a flat is measured when it is normalised."""

    TILES = "tiles"
    """Median of the medians of tiles: stars, dust and defects do not move it (RULES 6)."""
    MEDIAN = "median"
    MEAN = "mean"
    MODE = "mode"


class Smooth(StrEnum):
    """How the light of a lamp is told from the response of the pixels, to be divided out."""

    NONE = "none"
    SLIDING = "sliding"
    """Mean in a sliding window, clipped at 3 sigma (KPF's smooth lamp: 200 x 1 pixels)."""
    POLYNOMIAL = "polynomial"
    GAUSSIAN = "gaussian"


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
    low_light: float = 0.0
    """Where the stack has less than this (ADU, or ADU/s with per_second): 1, and a mask."""
    keep_from: float | None = None
    keep_to: float | None = None
    """A normalised value outside of these is no response: 1, and a mask."""
    per_second: bool = False
    """Frames are divided by their exposure, not brought to one level."""
    mask: str = ""
    """FITS file of region numbers: each region by its own level, outside (0) 1 and a mask.

    Absolute; a recipe file may say it relative to itself."""
    smooth: Smooth = Smooth.NONE
    smooth_width: int = 200
    smooth_height: int = 1
    """Window of the sliding mean, pixels."""
    smooth_degree: int = 3
    """Of the polynomial in each direction."""
    smooth_sigma: float = 2.0
    """Of the Gaussian, pixels."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.region <= 1:
            raise ValueError("region must be between 0.01 and 1")
        if not 0 <= self.unity_below < 1:
            raise ValueError("unity_below must be at least 0 and below 1")
        if self.low_light < 0:
            raise ValueError("low_light must not be negative")
        if self.smooth_width < 1 or self.smooth_height < 1:
            raise ValueError("smooth_width and smooth_height must be at least 1")
        if not 0 <= self.smooth_degree <= 12:
            raise ValueError("smooth_degree must be between 0 and 12")
        if not 0.1 <= self.smooth_sigma <= 1000:
            raise ValueError("smooth_sigma must be between 0.1 and 1000")


class DarkForm(StrEnum):
    """What a master dark holds."""

    WITH_BIAS = "with-bias"
    """The level as it was read: bias and dark signal of its exposure."""
    RATE = "rate"
    """Dark signal of one second: the bias taken out, divided by the exposure."""


class DarkScaling(StrEnum):
    """Whether a dark of another exposure may be scaled for a flat."""

    OFF = "off"
    EXPOSURE = "exposure"
    """By the ratio of the exposures."""
    OPTIMISED = "optimised"
    """By the factor that leaves the least noise."""


@dataclass(frozen=True, slots=True)
class DarkSettings:
    """What a master dark holds, and whether darks are scaled (RULES 5)."""

    form: DarkForm = DarkForm.WITH_BIAS
    together: bool = False
    """Rates only: darks of all exposures become one master, weighted by what each tells."""
    scaling: DarkScaling = DarkScaling.OFF
    most_up: float = 1.0
    """Longest exposure that a dark is scaled to, in exposures of its own; 1: down only."""

    def __post_init__(self) -> None:
        if self.together and self.form is not DarkForm.RATE:
            raise ValueError("together needs form = rate")
        if self.most_up < 1:
            raise ValueError("most_up must be at least 1")


@dataclass(frozen=True, slots=True)
class DefectSettings:
    """What makes a pixel bad (the field's definitions, with their usual limits)."""

    build: bool = True
    """A bad-pixel map is made after the flats."""
    sigmas: float = 5.0
    """Hot: above its neighbourhood by so many noises of one frame."""
    hot_e_per_s: float = 0.5
    """Hot: and by this much in a second, where the conversion gain is known."""
    hot_times_median: float = 10.0
    """Hot: and by so many times the median dark signal, where the gain is not known."""
    cold_below: float = 0.8
    dead_below: float = 0.5
    """Cold, dead: less response than this part of the neighbourhood's."""
    unstable_sigmas: float = 5.0
    """Unstable: scatters in time more than so many times the median pixel."""
    min_frames: int = 16
    """Unstable pixels are looked for in at least so many frames."""
    persistence: float = 0.7
    """Hot: in more than this share of the frames."""

    def __post_init__(self) -> None:
        if not 0 < self.dead_below <= self.cold_below < 1:
            raise ValueError("dead_below must be above 0, at most cold_below, and both below 1")
        if self.sigmas < 1 or self.unstable_sigmas < 1:
            raise ValueError("sigmas and unstable_sigmas must be at least 1")
        if not 0 <= self.persistence < 1:
            raise ValueError("persistence must be at least 0 and below 1")
        if self.min_frames < 3:
            raise ValueError("min_frames must be at least 3")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which frames of a kind a recipe takes; the others are left out with the reason."""

    keywords: Mapping[str, str] = field(default_factory=dict)
    """Cards and what they must say; ``*`` stands for anything, capitals do not matter."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """Cards of quality and what they say of a frame that failed."""
    ignore_names: tuple[str, ...] = ()
    """File names that are not taken; ``*`` stands for anything."""
    min_exposure_s: float | None = None
    max_exposure_s: float | None = None
    max_frames: int | None = None
    """The first so many in the order of time."""

    def __post_init__(self) -> None:
        if self.max_frames is not None and self.max_frames < 2:
            raise ValueError("max_frames must be at least 2")


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
    overscan: OverscanSettings = field(default_factory=OverscanSettings)
    dark: DarkSettings = field(default_factory=DarkSettings)
    flat: FlatSettings = field(default_factory=FlatSettings)
    defects: DefectSettings = field(default_factory=DefectSettings)
    select: Mapping[str, Selection] = field(default_factory=dict)
    """By kind word; kinds that are not named take every frame."""
    group_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the frames of a group share, by kind word, where it is not the program's own."""
    coverage: Coverage = field(default_factory=Coverage)
    master_name: str = DEFAULT_MASTER_NAME
    """Pattern of a master's path below the library's folder."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Patterns of single kinds, by kind word."""

    def stack_for(self, kind: str) -> StackSettings:
        """Settings for this kind; other kinds are combined like darks."""
        return self.stack.get(kind) or self.stack.get(FrameKind.DARK) or StackSettings()

    def name_for(self, kind: str) -> str:
        """Pattern of the path of a master of this kind."""
        return self.names.get(kind, self.master_name)
