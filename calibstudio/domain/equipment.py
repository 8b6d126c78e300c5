"""What equipment is: cameras, wheels, panels, mounts and the clock, as protocols.

What differs between devices is data (``None``: the driver does not say), not subclasses.
Implementations live in `calibstudio.devices`; each must pass ``tests/contract``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.faults import FaultDesk
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.surroundings import Dome, Focuser, Rotator, SafetyMonitor

if TYPE_CHECKING:
    from calibstudio.domain.rig import Rig


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """Facts that do not change while connected. ``None`` means: the driver does not say."""

    name: str
    shape: tuple[int, int]
    """Full sensor, (rows, columns), unbinned."""
    max_adu: int
    """Largest value the converter gives."""
    bit_depth: int = 16
    serial: str | None = None
    driver: str = ""
    pixel_size_um: float | None = None
    gain_range: tuple[int, int] | None = None
    gain_default: int | None = None
    offset_range: tuple[int, int] | None = None
    offset_default: int | None = None
    binnings: tuple[int, ...] = (1,)
    readout_modes: tuple[str, ...] = ()
    exposure_min_s: float = 0.0
    exposure_max_s: float = 3600.0
    can_cool: bool = False
    set_temp_range_c: tuple[float, float] | None = None
    can_abort: bool = False
    has_shutter: bool = False
    bayer: str | None = None
    """Pattern of the full frame, row 0 first, as ``RGGB``; None for mono."""
    readout_s: float | None = None
    """Typical time from the end of an exposure to the frame, full frame."""
    is_simulated: bool = False
    flat_min_s: float | None = None
    """Shortest exposure at which its flats are even, as its rig states."""
    saturation_adu: float | None = None
    """Raw level that saturates, as its rig states; below ``max_adu``."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What one ADU is worth at a gain and read-out mode."""

    e_per_adu: float
    full_well_e: float | None = None
    read_noise_e: float | None = None


class CameraState(StrEnum):
    """What the camera is doing now."""

    IDLE = "idle"
    EXPOSING = "exposing"
    READING = "reading out"
    ERROR = "error"
    LOST = "not answering"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One reading of what changes. ``None``: unknown."""

    at: datetime
    state: CameraState
    sensor_c: float | None = None
    set_c: float | None = None
    cooler_on: bool | None = None
    cooler_power_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the sensor, in unbinned pixels of the full frame, 0-based."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ExposureRequest:
    """One exposure, completely described: a driver keeps no settings between exposures.

    ``None`` for gain, offset, read-out mode means the camera's default; region None: full frame.
    """

    kind: FrameKind
    exposure_s: float
    gain: int | None = None
    offset: int | None = None
    binning: int = 1
    region: Region | None = None
    readout_mode: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Pixels with what was read back about them. Never modified after it is made."""

    data: NDArray[np.uint16]
    """Raw ADU as delivered, shape (ny, nx), row 0 first on the sensor, read-only, native order."""
    request: ExposureRequest
    started_at: datetime
    """UTC, timezone-aware."""
    exposure_s: float
    """As the camera did it."""
    gain: int | None = None
    offset: int | None = None
    readout_mode: str | None = None
    conversion: Conversion | None = None
    sensor_c: float | None = None
    set_c: float | None = None
    cooler_power_pct: float | None = None


class Camera(Protocol):
    """A connected camera. `expose` and `set_cooler` are called from the camera's own thread.

    `status` may be called from another thread at any time, an exposure included, and is quick.
    """

    @property
    def info(self) -> CameraInfo:
        """Facts that do not change while connected."""
        ...

    def status(self) -> CameraStatus:
        """Read what changes; raises `DeviceUnreachableError` when it cannot."""
        ...

    def conversion(self, gain: int | None, readout_mode: str | None) -> Conversion | None:
        """What the driver says an ADU is worth; None when it does not say."""
        ...

    def set_cooler(self, *, on: bool, target_c: float | None = None) -> None:
        """Switch the cooler; returns at once. Raises `UnsupportedRequestError`."""
        ...

    def expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        """Take one frame and return it.

        Raises
        ------
        Cancelled
            Within about a second of ``cancel`` being set; the camera is idle again.
        UnsupportedRequestError
            The request is outside `info`; nothing was exposed.
        ExposureFailedError, DeviceBusyError, DeviceUnreachableError
            See `calibstudio.domain.errors`.
        """
        ...

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        ...


class FilterWheel(Protocol):
    """A filter wheel. Names are by slot, from 0."""

    @property
    def name(self) -> str:
        """What the driver calls it."""
        ...

    @property
    def filters(self) -> tuple[str, ...]:
        """Filter names by slot."""
        ...

    def position(self) -> int | None:
        """Slot now in the beam; None while moving."""
        ...

    def move(self, slot: int, cancel: CancelToken) -> None:
        """Turn to a slot and return when it is there (read back)."""
        ...


class CoverState(StrEnum):
    """Where the cover is."""

    OPEN = "open"
    CLOSED = "closed"
    MOVING = "moving"
    UNKNOWN = "unknown"
    NONE = "no cover"


@dataclass(frozen=True, slots=True)
class PanelInfo:
    """Facts about a flat panel with or without a cover."""

    name: str
    has_cover: bool
    has_lamp: bool
    max_brightness: int = 0


@dataclass(frozen=True, slots=True)
class PanelStatus:
    """One reading. Brightness 0 is lamp off."""

    cover: CoverState
    brightness: int


class FlatPanel(Protocol):
    """A flat panel and/or motor cover. `status` may be called from any thread."""

    @property
    def info(self) -> PanelInfo:
        """Facts that do not change while connected."""
        ...

    def status(self) -> PanelStatus:
        """Read the cover and the lamp."""
        ...

    def move_cover(self, *, open_it: bool, cancel: CancelToken) -> None:
        """Open or close and return when done (read back)."""
        ...

    def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
        """Set the lamp, 0 for off, and return when it has settled."""
        ...


@dataclass(frozen=True, slots=True)
class MountStatus:
    """Where the telescope looks."""

    altitude_deg: float
    azimuth_deg: float
    tracking: bool
    parked: bool


class Mount(Protocol):
    """A telescope mount."""

    @property
    def name(self) -> str:
        """What the driver calls it."""
        ...

    def status(self) -> MountStatus:
        """Read where it looks."""
        ...

    def slew(self, altitude_deg: float, azimuth_deg: float, cancel: CancelToken) -> None:
        """Point there and return when done."""
        ...


class Clock(Protocol):
    """Time at the observatory. A simulated one may run fast."""

    def now(self) -> datetime:
        """UTC, timezone-aware."""
        ...

    def sleep(self, seconds: float, cancel: CancelToken) -> None:
        """Wait so many observatory seconds; raises `Cancelled` at once when asked to stop."""
        ...

    @property
    def speed(self) -> float:
        """Observatory seconds in a second of the operator's; 1 for a real one."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """Where the telescope stands. Longitude east positive."""

    name: str
    latitude_deg: float
    longitude_deg: float
    elevation_m: float = 0.0
    timezone: str | None = None
    """IANA name, for example ``Europe/Berlin``."""


@dataclass(frozen=True, slots=True)
class Optics:
    """The optical train in front of the camera."""

    telescope: str
    focal_length_mm: float | None = None
    aperture_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Observatory:
    """All that is connected. Devices that are not there are ``None``."""

    name: str
    camera: Camera
    clock: Clock
    optics: Optics
    site: Site | None = None
    wheel: FilterWheel | None = None
    panel: FlatPanel | None = None
    mount: Mount | None = None
    rotator: Rotator | None = None
    focuser: Focuser | None = None
    dome: Dome | None = None
    safety: SafetyMonitor | None = None
    is_simulated: bool = False
    faults: FaultDesk | None = None
    """Where things can be put out of order; None at a real observatory."""
    rig: Rig | None = None
    """The rig it was opened from, with the places where its devices were found."""

    def close(self) -> None:
        """Make safe: lamp off, camera released."""
        if self.panel is not None and self.panel.info.has_lamp:
            self.panel.set_brightness(0, CancelToken())
        self.camera.close()
