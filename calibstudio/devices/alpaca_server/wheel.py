"""A filter wheel of ours as an Alpaca filter wheel (IFilterWheelV3)."""

from __future__ import annotations

from typing import Any

from calibstudio.devices.alpaca_server.background import Background
from calibstudio.devices.alpaca_server.device import Device, read_where_possible
from calibstudio.devices.alpaca_server.errors import (
    DRIVER_ERROR,
    INVALID_VALUE,
    AlpacaError,
)
from calibstudio.devices.alpaca_server.members import get, put, whole
from calibstudio.domain.equipment import Clock, FilterWheel

_MOVING = -1


class WheelDevice(Device):
    """Turns in a thread of its own."""

    kind = "FilterWheel"
    interface_version = 3

    def __init__(self, wheel: FilterWheel, clock: Clock, identity: str) -> None:
        super().__init__(wheel.name, identity, clock)
        self._wheel = wheel
        self._work = Background(f"{wheel.name}: move")

    def close(self) -> None:
        """Stop turning."""
        self._work.cancel()

    def forget(self) -> None:
        """Forget what went wrong before."""
        self._work.error = None

    def state(self) -> dict[str, Any]:
        """The operational property of IFilterWheelV3."""
        return read_where_possible({"Position": self.position})

    @get("names")
    def names(self) -> list[str]:
        """Names of the filters by slot."""
        return list(self._wheel.filters)

    @get("focusoffsets")
    def focus_offsets(self) -> list[int]:
        """Focus offsets by slot: all filters here are of the same thickness."""
        return [0] * len(self._wheel.filters)

    @get("position")
    def position(self) -> int:
        """Slot in the beam, -1 while it moves. A move that failed is said here."""
        if self._work.is_running:
            return _MOVING
        if self._work.error is not None:
            raise AlpacaError(DRIVER_ERROR, str(self._work.error))
        slot = self._wheel.position()
        return _MOVING if slot is None else slot

    @put("position", Position=whole)
    def set_position(self, Position: int) -> None:
        """Begin to turn to a slot."""
        slots = len(self._wheel.filters)
        if not 0 <= Position < slots:
            raise AlpacaError(INVALID_VALUE, f"{self.name} has the slots 0 to {slots - 1}.")
        self._work.start(lambda cancel: self._wheel.move(Position, cancel))
