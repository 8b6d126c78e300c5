"""What `calibstudio run` is asked for, as values: read from a file, or said by its options.

Nothing here knows a camera: `calibstudio.domain.run_plan` makes a capture plan of it when one is
connected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from calibstudio.domain.capture import Answer, QuestionKind
from calibstudio.domain.equipment import Region
from calibstudio.domain.kinds import CALIBRATION_KINDS
from calibstudio.domain.plan import (
    CaptureStep,
    LevelTarget,
    LightSource,
    Search,
    SearchLimits,
)
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.twilight import Twilight


class Part(StrEnum):
    """Which part of a configuration is carried out."""

    DARKS = "darks"
    """Bias frames and darks."""
    FLATS = "flats"
    """Flats and their dark flats."""
    MASTERS = "masters"
    """No frame is taken: masters of what the frames' folder holds."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class DeviceWish:
    """A camera that a configuration names without a rig."""

    protocol: str
    """``alpaca`` or ``indi``."""
    name: str = ""
    """What the driver is called, where that is all that is known."""
    host: str = ""
    port: int = 0
    number: int = 0
    line: int = 0
    """Where it stands in the file."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """How the simulated observatory is opened."""

    speed: float = 1.0
    """Observatory seconds in a real second."""
    seed: int | None = None
    start: datetime | None = None
    """What its clock shows first, UTC; None for now."""


@dataclass(frozen=True, slots=True)
class CameraWish:
    """Camera settings; None is the camera's own default. ``set_temp_c`` None: no cooling."""

    gain: int | None = None
    offset: int | None = None
    readout_mode: str | int | None = None
    """By name, or by its place in the camera's list, from 0."""
    binning: int = 1
    region: Region | None = None
    set_temp_c: float | None = None


@dataclass(frozen=True, slots=True)
class CoolingWish:
    """How the sensor is cooled and warmed up. None: the program's own rule."""

    tolerance_c: float | None = None
    ramp_c_per_min: float | None = None
    timeout_s: float | None = None
    wait: bool = True
    """False: the set point is sent, and the frames are taken at once."""
    warm_up: bool = True
    """Warm up slowly at the end, and switch the cooler off."""
    warm_up_c_per_min: float | None = None
    warm_up_to_c: float | None = None


@dataclass(frozen=True, slots=True)
class BiasWish:
    """Bias frames."""

    frames: int = 50
    exposure_s: float | None = None
    """None: the camera's shortest."""
    camera: CameraWish = field(default_factory=CameraWish)


@dataclass(frozen=True, slots=True)
class ScienceList:
    """Dark exposures made of the exposure of the lights (the list of OST)."""

    science_s: float
    factors: tuple[float, ...]
    shortest_s: float | None = None
    longest_s: float | None = None
    flat_s: float | None = None
    """Exposure of the flats, which then need no dark flats of their own."""


@dataclass(frozen=True, slots=True)
class DarkWish:
    """Darks: each exposure at each temperature with each binning."""

    frames: int = 20
    exposures_s: tuple[float, ...] = ()
    set_temps_c: tuple[float, ...] = ()
    """Empty: the camera's temperature."""
    binnings: tuple[int, ...] = ()
    """Empty: the camera's binning."""
    science: ScienceList | None = None
    camera: CameraWish = field(default_factory=CameraWish)


@dataclass(frozen=True, slots=True)
class FlatWish:
    """Flats of one light, through one filter after the other."""

    frames: int = 32
    filters: tuple[str, ...] = ()
    """Empty: the wheel stays where it is."""
    every_filter: bool = False
    """All filters of the wheel, whatever they are called."""
    light: LightSource | None = None
    """None: the panel where there is one, else a lamp that the operator switches."""
    twilight: Twilight | None = None
    """Which end of the night, with the sky as light."""
    search: Search = Search.EXPOSURE
    target: LevelTarget = field(default_factory=LevelTarget)
    limits: SearchLimits = field(default_factory=SearchLimits)
    exposure_s: float | None = None
    """Where the search starts, or the fixed exposure."""
    brightness: int | None = None
    dark_flats: int | None = None
    """Dark flats for each exposure; 0 for none, None for as many as flats."""
    camera: CameraWish = field(default_factory=CameraWish)


@dataclass(frozen=True, slots=True)
class DarkFlatWish:
    """Dark flats of exposures that are known, without flats."""

    frames: int = 32
    exposures_s: tuple[float, ...] = ()
    camera: CameraWish = field(default_factory=CameraWish)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole configuration."""

    name: str
    """Of the file, for messages."""
    title: str = ""
    rig: str = ""
    device: DeviceWish | None = None
    simulation: Simulation | None = None
    frames_folder: Path | None = None
    """None: the one of the settings."""
    frame_names: Mapping[str, str] = field(default_factory=dict)
    """Name pattern by kind; kinds that are not in it have the usual names."""
    library: str = ""
    """Folder or database URL; empty: the one of the settings."""
    out: Path | None = None
    recipe: str = ""
    """Name or file; empty: the default, or ``own_recipe``."""
    own_recipe: Recipe | None = None
    """What the file itself says about stacking."""
    masters: bool = True
    master_kinds: tuple[str, ...] = tuple(CALIBRATION_KINDS)
    camera: CameraWish = field(default_factory=CameraWish)
    cooling: CoolingWish = field(default_factory=CoolingWish)
    bias: tuple[BiasWish, ...] = ()
    darks: tuple[DarkWish, ...] = ()
    flats: tuple[FlatWish, ...] = ()
    dark_flats: tuple[DarkFlatWish, ...] = ()
    steps: tuple[CaptureStep, ...] = ()
    """Steps one by one, as the window saves a plan; then bias, darks and flats are empty."""
    answers: Mapping[QuestionKind, Answer] = field(default_factory=dict)
    """Questions that are answered by the file."""
    notes: tuple[str, ...] = ()
    """What the file says that is not as it looks, one sentence each, with line and key."""
