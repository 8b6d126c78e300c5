"""Alpaca rotators, focusers, domes and safety monitors."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Generic, Self, TypeVar

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.failures import BadReplyError, DriverError
from calibstudio.devices.alpaca.fresh import Fresh
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.surroundings import DomeStatus, Shutter
from calibstudio.domain.wording import duration, number

LONGEST_MOVE_S = 300.0
_LOOK_S = 0.1
_SHUTTERS = {
    0: Shutter.OPEN,
    1: Shutter.CLOSED,
    2: Shutter.MOVING,
    3: Shutter.MOVING,
    4: Shutter.UNKNOWN,
}
"""ShutterState of ASCOM; 4 is an error."""

T = TypeVar("T")


class _Watched(ABC, Generic[T]):
    """A device that is read: its newest reading never holds up who asks."""

    def __init__(self, device: AlpacaDevice) -> None:
        self._device = device
        self._reading = Fresh(
            lambda: device.watched(self._read),
            lambda: device.name,
            recent_s=device.patience.recent_s,
        )

    @classmethod
    def open(cls, device: AlpacaDevice, cancel: CancelToken | None = None) -> Self:
        """Connect the device, and read it once.

        Raises
        ------
        DeviceError
            It cannot be connected, or does not say what it is for.
        """
        device.connect(cancel)
        made = cls(device)
        made._read()
        return made

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return self._device.name

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._device.close()

    def _newest(self) -> T:
        self._device.check_open()
        return self._reading.get()

    @abstractmethod
    def _read(self) -> T:
        """Ask the device."""


class AlpacaRotator(_Watched[float]):
    """A rotator behind an Alpaca server; see `Rotator` for what its methods promise."""

    def angle_deg(self) -> float:
        """Read the position angle as the driver was synchronised, 0 to 360."""
        return self._newest()

    def _read(self) -> float:
        return self._device.read("position", values.decimal, watching=True) % 360.0


class AlpacaDome(_Watched[DomeStatus]):
    """A dome behind an Alpaca server; see `Dome` for what its methods promise."""

    def status(self) -> DomeStatus:
        """Read its opening; a dome without one that the driver knows has none."""
        return self._newest()

    def _read(self) -> DomeStatus:
        device = self._device
        try:
            code = device.read("shutterstatus", values.whole, watching=True)
            shutter = _SHUTTERS.get(code, Shutter.UNKNOWN)
        except DriverError:
            shutter = Shutter.NONE
        azimuth: float | None
        try:
            azimuth = device.read("azimuth", values.decimal, watching=True) % 360.0
        except (DriverError, BadReplyError):
            azimuth = None
        return DomeStatus(shutter, azimuth)


class AlpacaSafetyMonitor(_Watched[bool]):
    """A safety monitor behind an Alpaca server; see `SafetyMonitor`."""

    def is_safe(self) -> bool:
        """Read whether the telescope may be open."""
        return self._newest()

    def _read(self) -> bool:
        return self._device.read("issafe", values.yes, watching=True)


class AlpacaFocuser(_Watched[int | None]):
    """A focuser behind an Alpaca server; see `Focuser` for what its methods promise."""

    def __init__(self, device: AlpacaDevice) -> None:
        super().__init__(device)
        self._moving = threading.Lock()
        self._range = (0, 0)

    @classmethod
    def open(cls, device: AlpacaDevice, cancel: CancelToken | None = None) -> Self:
        """Connect a focuser.

        Raises
        ------
        DeviceError
            It cannot be connected, or does not know where it stands.
        """
        device.connect(cancel)
        if not device.probe("absolute", values.yes):
            raise DeviceError(
                f"{device.name} does not know where it stands.",
                hint="Only focusers with absolute positions can be used; leave it out of the rig.",
            )
        made = cls(device)
        made._read()
        made._range = (0, max(0, device.probe("maxstep", values.whole) or 0))
        return made

    @property
    def range(self) -> tuple[int, int]:
        """The positions it can be sent to."""
        return self._range

    def position(self) -> int | None:
        """Read where it stands; None while moving."""
        found = self._newest()
        return None if self._moving.locked() else found

    def move(self, position: int, cancel: CancelToken) -> None:
        """Move there and return when it is there. Cancelled, it is halted."""
        self._device.check_open()
        low, high = self._range
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
            self._send(position, cancel)
        finally:
            self._reading.forget()
            self._moving.release()

    def _send(self, position: int, cancel: CancelToken) -> None:
        device = self._device
        try:
            self._wait(cancel)
            if device.read("position", values.whole, cancel) != position:
                device.act("move", {"Position": position}, cancel)
                self._wait(cancel)
        except Cancelled:
            device.write("halt", {}, limit_s=device.patience.abort_s)
            raise
        except DriverError as error:
            raise device.unsupported(error, "Choose another position.") from error
        at = device.read("position", values.whole, cancel)
        if at != position:
            raise DeviceError(
                f"{self.name} was sent to {number(position)} and stands at {number(at)}.",
                hint="Look whether it is stuck or at its end, then retry.",
            )

    def _wait(self, cancel: CancelToken) -> None:
        ends = time.monotonic() + LONGEST_MOVE_S
        while self._device.read("ismoving", values.yes, cancel):
            if time.monotonic() > ends:
                raise DeviceError(
                    f"{self.name} was still moving after {duration(LONGEST_MOVE_S)}.",
                    hint="Look whether it is stuck, then retry.",
                )
            cancel.wait(_LOOK_S)

    def _read(self) -> int | None:
        device = self._device
        if device.read("ismoving", values.yes, watching=True):
            return None
        return device.read("position", values.whole, watching=True)
