"""A motor filter wheel."""

from __future__ import annotations

import threading

from calibstudio.devices.simulator.clock import SimulatedClock
from calibstudio.devices.simulator.faults import FaultBox
from calibstudio.devices.simulator.optics import Filter
from calibstudio.domain.errors import (
    DeviceBusyError,
    DeviceError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import count, exposure


class SimulatedWheel:
    """Turns by the shorter way, one second for each slot. Nothing passes while it moves."""

    SLOT_S = 1.0
    PATIENCE_S = 15.0
    """After so long a wheel that does not arrive is given up."""

    def __init__(
        self,
        clock: SimulatedClock,
        filters: tuple[Filter, ...],
        *,
        name: str,
        faults: FaultBox | None = None,
    ) -> None:
        self._clock, self._filters, self._name = clock, filters, name
        self._faults = faults or FaultBox()
        self._lock = threading.Lock()
        self._slot = 0
        self._is_moving = False

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return self._name

    @property
    def filters(self) -> tuple[str, ...]:
        """Filter names by slot."""
        return tuple(f.name for f in self._filters)

    def position(self) -> int | None:
        """Slot now in the beam; None while moving."""
        with self._lock:
            return None if self._is_moving else self._slot

    def filter(self) -> Filter | None:
        """The filter in the beam; None while moving."""
        slot = self.position()
        return None if slot is None else self._filters[slot]

    def move(self, slot: int, cancel: CancelToken) -> None:
        """Turn to a slot and return when it is there. Cancelled, it goes back to where it was.

        Raises
        ------
        UnsupportedRequestError, DeviceBusyError
            There is no such slot, or it is already turning.
        DeviceError
            It did not get there; it is where it was.
        """
        if not 0 <= slot < len(self._filters):
            raise UnsupportedRequestError(
                f"{self._name} has no slot {slot + 1}.",
                hint=f"It has {count(len(self._filters), 'filter')}.",
            )
        with self._lock:
            if self._is_moving:
                raise DeviceBusyError(f"{self._name} is already turning.")
            way = abs(slot - self._slot)
            self._is_moving = way > 0
        reached = self._slot
        try:
            if way and self._faults.now.dead_wheel:
                self._clock.sleep(self.PATIENCE_S, cancel)
                raise DeviceError(
                    f"{self._name} did not reach {self._filters[slot].name} (slot {slot + 1}) "
                    f"within {exposure(self.PATIENCE_S)}.",
                    hint="Look whether it is blocked or without power.",
                )
            self._clock.sleep(self.SLOT_S * min(way, len(self._filters) - way), cancel)
            reached = slot
        finally:
            with self._lock:
                self._slot, self._is_moving = reached, False
