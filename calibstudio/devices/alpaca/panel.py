"""An Alpaca cover calibrator: a cover, a lamp, or both; interface versions 1 and 2."""

from __future__ import annotations

import logging
import threading
import time

from alpaca.covercalibrator import CalibratorStatus, CoverStatus

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.failures import DriverError
from calibstudio.devices.alpaca.fresh import Fresh
from calibstudio.domain.equipment import CoverState, PanelInfo, PanelStatus
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import duration, number

log = logging.getLogger(__name__)

LONGEST_MOVE_S = 120.0
LONGEST_SETTLING_S = 60.0
_NO_ANSWER_S = 3.0
"""A lamp whose driver never says that it is off is believed so long after it was switched."""
_LOOK_S = 0.1
_COVERS = {
    CoverStatus.NotPresent: CoverState.NONE,
    CoverStatus.Closed: CoverState.CLOSED,
    CoverStatus.Moving: CoverState.MOVING,
    CoverStatus.Open: CoverState.OPEN,
}


class AlpacaPanel:
    """A panel behind an Alpaca server; see `FlatPanel` for what its methods promise."""

    def __init__(self, device: AlpacaDevice, info: PanelInfo) -> None:
        self._device, self._info = device, info
        self._moving = threading.Lock()
        self._off_since: float | None = None
        self._status = Fresh(
            lambda: device.watched(self._read_status),
            lambda: device.name,
            recent_s=device.patience.recent_s,
        )
        self._at_close: PanelStatus | None = None

    @classmethod
    def open(cls, device: AlpacaDevice, cancel: CancelToken | None = None) -> AlpacaPanel:
        """Connect a panel and learn what it has.

        Raises
        ------
        DeviceError
            It cannot be connected, or has neither cover nor lamp.
        """
        device.connect(cancel)
        cover = device.probe("coverstate", values.whole)
        lamp = device.probe("calibratorstate", values.whole)
        highest = 0
        if lamp not in (None, CalibratorStatus.NotPresent):
            highest = max(0, device.probe("maxbrightness", values.whole) or 0)
        has_cover = cover not in (None, CoverStatus.NotPresent)
        if not has_cover and not highest:
            raise DeviceError(
                f"{device.name} has neither a cover nor a lamp.", hint="Set it up in its driver."
            )
        info = PanelInfo(device.name, has_cover, has_lamp=highest > 0, max_brightness=highest)
        return cls(device, info)

    @property
    def info(self) -> PanelInfo:
        """Facts that do not change while connected."""
        return self._info

    def status(self) -> PanelStatus:
        """Read the cover and the lamp. A closed panel says what it was left in."""
        if self._at_close is not None:
            return self._at_close
        self._device.check_open()
        return self._status.get()

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
            if self._cover(cancel) is not wanted:
                self._move(wanted, cancel)
        finally:
            self._status.forget()
            self._moving.release()

    def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
        """Set the lamp, 0 for off, and return when it has settled."""
        self._device.check_open()
        if not 0 <= brightness <= self._info.max_brightness:
            highest = number(self._info.max_brightness)
            raise UnsupportedRequestError(
                f"{self._info.name} cannot be set to {number(brightness)}.",
                hint=f"Its brightness goes from 0 to {highest}."
                if self._info.has_lamp
                else "It has no lamp.",
            )
        if not self._info.has_lamp:
            return
        cancel.check()
        try:
            self._device.ensure_connected(cancel)
            self._switch(brightness, cancel)
            self._settle(brightness, cancel)
        finally:
            self._status.forget()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        if self._device.is_open and self._at_close is None:
            try:
                self._at_close = self._status.get()
            except DeviceError as error:
                log.info("%s is left in an unknown state: %s", self._info.name, error)
        self._device.close()

    # The cover --------------------------------------------------------------------------------

    def _move(self, wanted: CoverState, cancel: CancelToken) -> None:
        member = "opencover" if wanted is CoverState.OPEN else "closecover"
        try:
            self._device.act(member, {}, cancel)
            ends = time.monotonic() + LONGEST_MOVE_S
            while (now := self._cover(cancel)) is not wanted:
                # An error counts once it had the time to begin; before, it may be the last one's.
                late = time.monotonic() - (ends - LONGEST_MOVE_S) > self._device.patience.stale_s
                if time.monotonic() > ends or (now is CoverState.UNKNOWN and late):
                    raise DeviceError(
                        f"The cover of {self._info.name} should be {wanted} and is {now}.",
                        hint="Look whether something blocks it, then retry.",
                    )
                cancel.wait(_LOOK_S)
        except Cancelled:
            self._halt()
            raise

    def _halt(self) -> None:
        try:
            self._device.write("haltcover", {}, limit_s=self._device.patience.abort_s)
        except DeviceError as error:
            log.info("the cover of %s was not halted: %s", self._info.name, error)

    def _cover(self, cancel: CancelToken | None, *, watching: bool = False) -> CoverState:
        if not self._info.has_cover:
            return CoverState.NONE
        found = self._device.read("coverstate", values.whole, cancel, watching=watching)
        return (
            _COVERS.get(CoverStatus(found), CoverState.UNKNOWN)
            if 0 <= found <= 5
            else (CoverState.UNKNOWN)
        )

    # The lamp ---------------------------------------------------------------------------------

    def _switch(self, brightness: int, cancel: CancelToken) -> None:
        if brightness == 0:
            self._device.act("calibratoroff", {}, cancel)
            self._off_since = time.monotonic()
            return
        self._off_since = None
        try:
            self._device.act("calibratoron", {"Brightness": brightness}, cancel)
        except DriverError as error:
            highest = number(self._info.max_brightness)
            hint = f"Its brightness goes from 0 to {highest}."
            raise self._device.unsupported(error, hint) from error

    def _settle(self, brightness: int, cancel: CancelToken) -> None:
        """Wait until the lamp is ready, as it says itself."""
        began = time.monotonic()
        while True:
            state = self._device.read("calibratorstate", values.whole, cancel)
            waited = time.monotonic() - began
            if state == CalibratorStatus.Error and waited > self._device.patience.stale_s:
                raise DeviceError(
                    f"The lamp of {self._info.name} reports an error.",
                    hint="Switch the panel off and on, then retry.",
                )
            if brightness == 0 and (state == CalibratorStatus.Off or waited > _NO_ANSWER_S):
                return
            if brightness and state in (CalibratorStatus.Ready, CalibratorStatus.Unknown):
                return
            if waited > LONGEST_SETTLING_S:
                raise DeviceError(
                    f"The lamp of {self._info.name} is not ready after {duration(waited)}.",
                    hint="Switch the panel off and on, then retry.",
                )
            if brightness == 0 and self._brightness(cancel) == 0:
                return
            cancel.wait(_LOOK_S)

    def _brightness(self, cancel: CancelToken | None, *, watching: bool = False) -> int:
        """Read the lamp: 0 when it is off, whatever brightness is remembered for the next time."""
        if not self._info.has_lamp:
            return 0
        state = self._device.read("calibratorstate", values.whole, cancel, watching=watching)
        if state in (CalibratorStatus.Off, CalibratorStatus.NotPresent):
            return 0
        try:
            return max(0, self._device.read("brightness", values.whole, cancel, watching=watching))
        except DriverError:
            if self._off_since is not None:
                return 0
            raise

    def _read_status(self) -> PanelStatus:
        return PanelStatus(
            cover=self._cover(None, watching=True), brightness=self._brightness(None, watching=True)
        )
