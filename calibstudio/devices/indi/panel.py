"""An INDI light box, dust cap, or both in one device."""

from __future__ import annotations

import logging
import threading

from calibstudio.devices.indi.device import IndiDevice, RefusedError
from calibstudio.devices.indi.link import Link
from calibstudio.domain.equipment import CoverState, PanelInfo, PanelStatus
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import number

log = logging.getLogger(__name__)

LONGEST_MOVE_S = 120.0
LONGEST_SETTLING_S = 30.0
_SWITCH, _DIMMER, _VALUE = (
    "FLAT_LIGHT_CONTROL",
    "FLAT_LIGHT_INTENSITY",
    "FLAT_LIGHT_INTENSITY_VALUE",
)


class IndiPanel:
    """A panel behind an INDI server; see `FlatPanel` for what its methods promise."""

    def __init__(self, device: IndiDevice, info: PanelInfo, *, can_dim: bool, lowest: int) -> None:
        self._device, self._info = device, info
        self._can_dim, self._lowest = can_dim, lowest
        self._moving = threading.Lock()
        self._at_close: PanelStatus | None = None

    @classmethod
    def open(cls, link: Link, name: str, cancel: CancelToken | None = None) -> IndiPanel:
        """Connect a panel and learn what it has.

        Raises
        ------
        DeviceError
            It cannot be connected, or has neither cover nor lamp.
        """
        device = IndiDevice(link, name)
        device.connect(cancel)
        has_cover = device.find("CAP_PARK") is not None
        has_lamp = device.find(_SWITCH) is not None
        if not has_cover and not has_lamp:
            device.close()
            raise DeviceError(f"{name} has neither a cover nor a lamp.", hint="Look at its driver.")
        dimmer = device.find(_DIMMER) if has_lamp else None
        value = None if dimmer is None else dimmer.members.get(_VALUE)
        highest = 0 if value is None else round(value.high)
        most = max(1, highest) if has_lamp else 0
        info = PanelInfo(name, has_cover, has_lamp=has_lamp, max_brightness=most)
        lowest = 0 if value is None else max(0, round(value.low))
        return cls(device, info, can_dim=highest > 1, lowest=lowest)

    @property
    def info(self) -> PanelInfo:
        """Facts that do not change while connected."""
        return self._info

    def status(self) -> PanelStatus:
        """Return what the driver said last. A closed panel says what it was left in."""
        if self._at_close is not None:
            return self._at_close
        self._device.look()
        return PanelStatus(cover=self._cover(), brightness=self._brightness())

    def move_cover(self, *, open_it: bool, cancel: CancelToken) -> None:
        """Open or close and return when done. Cancelled, it is halted where it can be."""
        self._device.check_open()
        if not self._info.has_cover:
            raise UnsupportedRequestError(
                f"{self._info.name} has no cover.", hint="Cover the telescope by hand."
            )
        cancel.check()
        if not self._moving.acquire(blocking=False):
            raise DeviceBusyError(f"The cover of {self._info.name} is already moving.")
        try:
            self._device.ensure_connected(cancel)
            wanted = CoverState.OPEN if open_it else CoverState.CLOSED
            if self._cover() is not wanted:
                self._move(wanted, cancel)
        finally:
            self._moving.release()

    def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
        """Set the lamp, 0 for off, and return when it has settled."""
        self._device.check_open()
        if not 0 <= brightness <= self._info.max_brightness or 0 < brightness < self._lowest:
            highest = number(self._info.max_brightness)
            raise UnsupportedRequestError(
                f"{self._info.name} cannot be set to {number(brightness)}.",
                hint=f"Its brightness goes from {number(self._lowest)} to {highest}; 0 is off."
                if self._info.has_lamp
                else "It has no lamp.",
            )
        if not self._info.has_lamp:
            return
        cancel.check()
        self._device.ensure_connected(cancel)
        if brightness == 0:
            self._switch(False, cancel)
            return
        # Switched on first: some drivers take a brightness only then.
        self._switch(True, cancel)
        if self._can_dim:
            self._dim(brightness, cancel)

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        if self._device.is_open and self._at_close is None:
            try:
                self._at_close = self.status()
            except DeviceError as error:
                log.info("%s is left in an unknown state: %s", self._info.name, error)
        self._device.close()

    # The cover --------------------------------------------------------------------------------

    def _move(self, wanted: CoverState, cancel: CancelToken) -> None:
        """Park (close) or unpark (open) the cap."""
        device = self._device
        member = "UNPARK" if wanted is CoverState.OPEN else "PARK"
        other = "PARK" if member == "UNPARK" else "UNPARK"
        since = device.order("CAP_PARK", {member: "On", other: "Off"})
        try:
            device.settled(
                "CAP_PARK", since, lambda p: p.is_on(member), cancel, seconds=LONGEST_MOVE_S
            )
        except Cancelled:
            self._halt()
            raise
        except RefusedError as error:
            raise DeviceError(
                f"The cover of {self._info.name} should be {wanted} and is {self._cover()}.",
                hint="Look whether something blocks it, then retry.",
            ) from error

    def _halt(self) -> None:
        if self._device.find("CAP_ABORT") is None:
            return
        try:
            since = self._device.order("CAP_ABORT", {"ABORT": "On"})
            self._device.link.wait(
                lambda: (p := self._device.find("CAP_PARK")) is None or p.version > since,
                self._device.patience.abort_s,
            )
        except DeviceError as error:
            log.info("the cover of %s was not halted: %s", self._info.name, error)

    def _cover(self) -> CoverState:
        if not self._info.has_cover:
            return CoverState.NONE
        found = self._device.need("CAP_PARK")
        if found.state == "Busy":
            return CoverState.MOVING
        if found.state == "Alert" or found.is_on("PARK") == found.is_on("UNPARK"):
            return CoverState.UNKNOWN
        return CoverState.CLOSED if found.is_on("PARK") else CoverState.OPEN

    # The lamp ---------------------------------------------------------------------------------

    def _switch(self, on: bool, cancel: CancelToken) -> None:
        member = "FLAT_LIGHT_ON" if on else "FLAT_LIGHT_OFF"
        if self._device.need(_SWITCH).is_on(member):
            return
        try:
            self._device.choose(_SWITCH, member, cancel)
        except RefusedError as error:
            raise DeviceError(
                f"The lamp of {self._info.name} does not switch {'on' if on else 'off'}.",
                hint="Switch the panel off and on, then retry. Some light only when the cover is "
                "closed.",
            ) from error

    def _dim(self, brightness: int, cancel: CancelToken) -> None:
        device = self._device
        since = device.order(_DIMMER, {_VALUE: str(brightness)})
        try:
            device.settled(
                _DIMMER,
                since,
                lambda p: (v := p.number(_VALUE)) is not None and round(v) == brightness,
                cancel,
                seconds=LONGEST_SETTLING_S,
            )
        except RefusedError as error:
            raise UnsupportedRequestError(
                f"{self._info.name} does not take the brightness {number(brightness)}.",
                hint=f"Its brightness goes from {number(self._lowest)} to "
                f"{number(self._info.max_brightness)}.",
            ) from error

    def _brightness(self) -> int:
        """Return 0 when it is off, whatever brightness is remembered for the next time."""
        if not self._info.has_lamp or not self._device.need(_SWITCH).is_on("FLAT_LIGHT_ON"):
            return 0
        if not self._can_dim:
            return 1
        return max(0, round(self._device.need(_DIMMER).number(_VALUE) or 0.0))
