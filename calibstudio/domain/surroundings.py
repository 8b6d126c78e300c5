"""What stands around the camera and is read: rotator, focuser, dome, safety monitor.

Frames carry what the first two say; flats of the sky wait for the last two. Only a focuser is ever
moved, to where the rig says that a filter is in focus. Implementations live in
`calibstudio.devices`; each must pass ``tests/contract``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from calibstudio.domain.jobs import CancelToken


class Rotator(Protocol):
    """A camera rotator. It is read, never turned."""

    @property
    def name(self) -> str:
        """What the driver calls it."""
        ...

    def angle_deg(self) -> float:
        """Read the position angle, 0 to 360; raises `DeviceError` when it cannot."""
        ...


class Focuser(Protocol):
    """A focuser that knows where it stands."""

    @property
    def name(self) -> str:
        """What the driver calls it."""
        ...

    @property
    def range(self) -> tuple[int, int]:
        """The positions it can be sent to, in its steps."""
        ...

    def position(self) -> int | None:
        """Read where it stands, in steps; None while moving."""
        ...

    def move(self, position: int, cancel: CancelToken) -> None:
        """Move there and return when it is there (read back). Cancelled, it is halted."""
        ...


class Shutter(StrEnum):
    """The opening of a dome or roof."""

    OPEN = "open"
    CLOSED = "closed"
    MOVING = "moving"
    UNKNOWN = "unknown"
    NONE = "no shutter"


@dataclass(frozen=True, slots=True)
class DomeStatus:
    """One reading."""

    shutter: Shutter
    azimuth_deg: float | None = None


class Dome(Protocol):
    """A dome or roof. It is read, never moved."""

    @property
    def name(self) -> str:
        """What the driver calls it."""
        ...

    def status(self) -> DomeStatus:
        """Read its opening."""
        ...


class SafetyMonitor(Protocol):
    """Says whether the telescope may be open: a weather station, a rain sensor."""

    @property
    def name(self) -> str:
        """What the driver calls it."""
        ...

    def is_safe(self) -> bool:
        """Read it; raises `DeviceError` when it does not answer."""
        ...
