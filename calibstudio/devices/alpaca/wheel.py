"""An Alpaca filter wheel."""

from __future__ import annotations

import threading
import time

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.failures import BadReplyError, DriverError
from calibstudio.devices.alpaca.fresh import Fresh
from calibstudio.devices.foreign_text import distinct
from calibstudio.domain.errors import DeviceBusyError, DeviceError, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import count, duration

MOVING = -1
"""The position that ASCOM gives a wheel on its way."""
LONGEST_MOVE_S = 60.0
_LOOK_S = 0.1


class AlpacaWheel:
    """A filter wheel behind an Alpaca server; see `FilterWheel` for what its methods promise."""

    def __init__(self, device: AlpacaDevice, filters: tuple[str, ...]) -> None:
        self._device, self._filters = device, filters
        self._moving = threading.Lock()
        self._position = Fresh(
            lambda: device.watched(self._read_position),
            lambda: device.name,
            recent_s=device.patience.recent_s,
        )

    @classmethod
    def open(cls, device: AlpacaDevice, cancel: CancelToken | None = None) -> AlpacaWheel:
        """Connect a wheel and learn its filters.

        Raises
        ------
        DeviceError
            It cannot be connected, or has no filters.
        """
        device.connect(cancel)
        names = device.read("names", values.texts)
        if not names:
            raise DeviceError(
                f"{device.name} has no filters.", hint="Name its filters in its driver."
            )
        return cls(device, distinct(names, "Filter"))

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return self._device.name

    @property
    def filters(self) -> tuple[str, ...]:
        """Filter names by slot."""
        return self._filters

    def position(self) -> int | None:
        """Slot now in the beam; None while moving."""
        self._device.check_open()
        if self._moving.locked():
            return None
        found = self._position.get()
        return None if found == MOVING else found

    def move(self, slot: int, cancel: CancelToken) -> None:
        """Turn to a slot and return when it is there.

        A wheel cannot be stopped: cancelled, it goes on to where it was sent.
        """
        self._device.check_open()
        if not 0 <= slot < len(self._filters):
            raise UnsupportedRequestError(
                f"{self.name} has no slot {slot + 1}.",
                hint=f"It has {count(len(self._filters), 'filter')}.",
            )
        cancel.check()
        if not self._moving.acquire(blocking=False):
            raise DeviceBusyError(f"{self.name} is already turning.")
        try:
            self._device.ensure_connected(cancel)
            if self._wait_until_still(cancel) != slot:
                self._turn(slot, cancel)
        finally:
            self._position.forget()
            self._moving.release()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._device.close()

    def _turn(self, slot: int, cancel: CancelToken) -> None:
        try:
            self._device.act("position", {"Position": slot}, cancel)
        except DriverError as error:
            raise self._device.unsupported(error, "Choose another filter.") from error
        ends = time.monotonic() + LONGEST_MOVE_S
        while self._read_quietly(cancel) != slot:
            if time.monotonic() > ends:
                raise self._stuck(slot)
            cancel.wait(_LOOK_S)

    def _wait_until_still(self, cancel: CancelToken) -> int:
        """Wait for the end of a move that was cancelled before, and return where it is."""
        ends = time.monotonic() + LONGEST_MOVE_S
        while (found := self._device.read("position", _slot, cancel)) == MOVING:
            if time.monotonic() > ends:
                raise self._stuck(None)
            cancel.wait(_LOOK_S)
        return found

    def _read_quietly(self, cancel: CancelToken) -> int:
        """Read where it is; some drivers refuse to say while it turns."""
        try:
            return self._device.read("position", _slot, cancel)
        except (DriverError, BadReplyError):
            return MOVING

    def _read_position(self) -> int:
        return self._device.read("position", _slot, watching=True)

    def _stuck(self, slot: int | None) -> DeviceError:
        where = "" if slot is None else f" to {self._filters[slot]}"
        return DeviceError(
            f"{self.name} has turned for {duration(LONGEST_MOVE_S)} and did not get{where}.",
            hint="Look whether the wheel is stuck, then retry.",
        )


def _slot(value: object) -> int | None:
    found = values.whole(value)
    return found if found is not None and found >= MOVING else None
