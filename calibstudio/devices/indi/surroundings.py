"""INDI rotators, focusers, domes, and weather stations as safety monitors."""

from __future__ import annotations

import logging
import threading
from typing import ClassVar, Self

from calibstudio.devices.indi.device import IndiDevice, RefusedError
from calibstudio.devices.indi.link import Link
from calibstudio.devices.indi.mirror import Property
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.surroundings import DomeStatus, Shutter
from calibstudio.domain.wording import duration, number

log = logging.getLogger(__name__)

LONGEST_MOVE_S = 300.0
_ANGLE = "ABS_ROTATOR_ANGLE"
_FOCUS, _STEPS = "ABS_FOCUS_POSITION", "FOCUS_ABSOLUTE_POSITION"
_SHUTTER, _AZIMUTH = "DOME_SHUTTER", "ABS_DOME_POSITION"
_WEATHER = "WEATHER_STATUS"


class _Watched:
    """A device whose properties are read from what the server said last."""

    NEEDS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, device: IndiDevice) -> None:
        self._device = device

    @classmethod
    def open(cls, link: Link, name: str, cancel: CancelToken | None = None) -> Self:
        """Connect the device.

        Raises
        ------
        DeviceError
            It cannot be connected, or does not say what it is for.
        """
        device = IndiDevice(link, name, cls.NEEDS)
        device.connect(cancel)
        return cls(device)

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return self._device.name

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._device.close()

    def _now(self, name: str) -> Property:
        """Return a property; what was lost is connected again meanwhile, never waited for."""
        self._device.look()
        return self._device.need(name)

    def _number(self, name: str, member: str) -> float:
        found = self._now(name).number(member)
        if found is None:
            raise DeviceError(f"{self.name} does not say its {member}.", hint="Look at its driver.")
        return found


class IndiRotator(_Watched):
    """A rotator behind an INDI server; see `Rotator` for what its methods promise."""

    NEEDS = (_ANGLE,)

    def angle_deg(self) -> float:
        """Read the angle, 0 to 360."""
        return self._number(_ANGLE, "ANGLE") % 360.0


class IndiDome(_Watched):
    """A dome or roof behind an INDI server; see `Dome` for what its methods promise."""

    def status(self) -> DomeStatus:
        """Return what the driver said last."""
        self._now("CONNECTION")
        device = self._device
        position = device.find(_AZIMUTH)
        azimuth = None if position is None else position.number("DOME_ABSOLUTE_POSITION")
        return DomeStatus(
            _shutter(device.find(_SHUTTER)), None if azimuth is None else azimuth % 360.0
        )


class IndiSafetyMonitor(_Watched):
    """A weather station behind an INDI server; see `SafetyMonitor`.

    Its overall state decides: Alert is not safe. A station that has not measured yet is neither.
    """

    NEEDS = (_WEATHER,)

    def is_safe(self) -> bool:
        """Read whether the weather lets the telescope be open."""
        state = self._now(_WEATHER).state
        if state == "Idle":
            raise DeviceError(
                f"{self.name} has not said yet how the weather is.", hint="Wait for its reading."
            )
        return state != "Alert"


class IndiFocuser(_Watched):
    """A focuser behind an INDI server; see `Focuser` for what its methods promise."""

    NEEDS = (_FOCUS,)

    def __init__(self, device: IndiDevice) -> None:
        super().__init__(device)
        self._moving = threading.Lock()

    @property
    def range(self) -> tuple[int, int]:
        """The positions it can be sent to."""
        member = self._now(_FOCUS).members.get(_STEPS)
        return (0, 0) if member is None else (round(member.low), round(member.high))

    def position(self) -> int | None:
        """Return where it said last that it stands; None while moving."""
        found = self._now(_FOCUS)
        if self._moving.locked() or found.state == "Busy":
            return None
        return round(self._number(_FOCUS, _STEPS))

    def move(self, position: int, cancel: CancelToken) -> None:
        """Move there and return when it is there. Cancelled, it is halted."""
        low, high = self.range
        if not low <= position <= high:
            raise UnsupportedRequestError(
                f"{self.name} cannot be sent to {number(position)}.",
                hint=f"Its positions go from {number(low)} to {number(high)}.",
            )
        cancel.check()
        if not self._moving.acquire(blocking=False):
            raise DeviceBusyError(f"{self.name} is already moving.")
        try:
            self._device.ensure_connected(cancel)
            if not _stands_at(self._device.need(_FOCUS), position):
                self._send(position, cancel)
        finally:
            self._moving.release()

    def _send(self, position: int, cancel: CancelToken) -> None:
        device = self._device
        since = device.order(_FOCUS, {_STEPS: str(position)})
        try:
            device.settled(
                _FOCUS, since, lambda p: _stands_at(p, position), cancel, seconds=LONGEST_MOVE_S
            )
        except Cancelled:
            self._halt()
            raise
        except RefusedError as error:
            raise DeviceError(
                f"{self.name} was sent to {number(position)} and did not get there: {error}",
                hint="Look whether it is stuck or at its end, then retry.",
            ) from error
        except DeviceUnreachableError:
            raise
        except DeviceError as error:
            raise DeviceError(
                f"{self.name} was still moving after {duration(LONGEST_MOVE_S)}.",
                hint="Look whether it is stuck, then retry.",
            ) from error

    def _halt(self) -> None:
        try:
            if self._device.find("FOCUS_ABORT_MOTION") is not None:
                self._device.order("FOCUS_ABORT_MOTION", {"ABORT": "On"})
        except DeviceError as error:
            log.info("%s was not halted: %s", self.name, error)


def _stands_at(found: Property, position: int) -> bool:
    at = found.number(_STEPS)
    return found.state != "Busy" and at is not None and round(at) == position


def _shutter(found: Property | None) -> Shutter:
    if found is None:
        return Shutter.NONE
    if found.state == "Busy":
        return Shutter.MOVING
    is_open, is_closed = found.is_on("SHUTTER_OPEN"), found.is_on("SHUTTER_CLOSE")
    if found.state == "Alert" or is_open == is_closed:
        return Shutter.UNKNOWN
    return Shutter.OPEN if is_open else Shutter.CLOSED
