"""An INDI filter wheel."""

from __future__ import annotations

import threading

from calibstudio.devices.foreign_text import distinct
from calibstudio.devices.indi.device import IndiDevice, RefusedError
from calibstudio.devices.indi.link import Link
from calibstudio.devices.indi.mirror import Property
from calibstudio.domain.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import count, duration

NEEDS = ("FILTER_SLOT",)
LONGEST_MOVE_S = 60.0
_SLOT = "FILTER_SLOT_VALUE"


class IndiWheel:
    """A filter wheel behind an INDI server; see `FilterWheel` for what its methods promise."""

    def __init__(self, device: IndiDevice, filters: tuple[str, ...]) -> None:
        self._device, self._filters = device, filters
        self._moving = threading.Lock()

    @classmethod
    def open(cls, link: Link, name: str, cancel: CancelToken | None = None) -> IndiWheel:
        """Connect a wheel and learn its filters.

        Raises
        ------
        DeviceError
            It cannot be connected, or has no filters.
        """
        device = IndiDevice(link, name, NEEDS)
        device.connect(cancel)
        return cls(device, _filters(device))

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
        if self._moving.locked():
            self._device.check_there()
            return None
        self._device.look()
        found = self._device.need("FILTER_SLOT")
        return None if found.state == "Busy" else _slot(found)

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
            self._moving.release()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._device.close()

    def _turn(self, slot: int, cancel: CancelToken) -> None:
        device = self._device
        since = device.order("FILTER_SLOT", {_SLOT: str(slot + 1)})
        try:
            device.settled(
                "FILTER_SLOT", since, lambda p: _slot(p) == slot, cancel, seconds=LONGEST_MOVE_S
            )
        except RefusedError as error:
            raise DeviceError(
                f"{self.name} did not turn to {self._filters[slot]}: {error}",
                hint="Look whether the wheel is stuck, then retry.",
            ) from error
        except DeviceUnreachableError:
            raise
        except DeviceError as error:
            raise self._stuck(self._filters[slot]) from error

    def _wait_until_still(self, cancel: CancelToken) -> int | None:
        """Wait for the end of a move that was cancelled before, and return where it is."""
        device = self._device

        def is_still() -> bool:
            found = device.find("FILTER_SLOT")
            return found is None or found.state != "Busy"

        if not device.link.wait(is_still, LONGEST_MOVE_S, cancel):
            device.link.check(self.name)
            raise self._stuck("")
        return _slot(device.need("FILTER_SLOT"))

    def _stuck(self, to: str) -> DeviceError:
        where = f" to {to}" if to else ""
        return DeviceError(
            f"{self.name} has turned for {duration(LONGEST_MOVE_S)} and did not get{where}.",
            hint="Look whether the wheel is stuck, then retry.",
        )


def _slot(found: Property) -> int | None:
    """Return the slot from 0; INDI counts from 1."""
    value = found.number(_SLOT)
    return None if value is None or value < 1 else round(value) - 1


def _filters(device: IndiDevice) -> tuple[str, ...]:
    """Return the names, one for each slot that the wheel has."""
    value = device.need("FILTER_SLOT").members.get(_SLOT)
    n = round(value.high) if value is not None else 0
    if not 1 <= n <= 100:
        raise DeviceError(f"{device.name} has no filters.", hint="Name its filters in its driver.")
    named = device.find("FILTER_NAME")
    names = [] if named is None else [named.text(member) for member in named.members]
    return distinct(tuple((names + [""] * n)[:n]), "Filter")
