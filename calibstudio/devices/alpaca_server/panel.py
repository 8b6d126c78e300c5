"""A flat panel or cover of ours as an Alpaca cover calibrator (ICoverCalibratorV2)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from calibstudio.devices.alpaca_server.background import Background
from calibstudio.devices.alpaca_server.device import Device, read_where_possible
from calibstudio.devices.alpaca_server.errors import INVALID_VALUE, AlpacaError, not_implemented
from calibstudio.devices.alpaca_server.members import get, put, whole
from calibstudio.domain.equipment import Clock, CoverState, FlatPanel


class Cover(IntEnum):
    """What `coverstate` says."""

    NOT_PRESENT = 0
    CLOSED = 1
    MOVING = 2
    OPEN = 3
    UNKNOWN = 4
    ERROR = 5


class Lamp(IntEnum):
    """What `calibratorstate` says."""

    NOT_PRESENT = 0
    OFF = 1
    NOT_READY = 2
    READY = 3
    UNKNOWN = 4
    ERROR = 5


_COVERS = {
    CoverState.NONE: Cover.NOT_PRESENT,
    CoverState.CLOSED: Cover.CLOSED,
    CoverState.MOVING: Cover.MOVING,
    CoverState.OPEN: Cover.OPEN,
    CoverState.UNKNOWN: Cover.UNKNOWN,
}


class PanelDevice(Device):
    """Moves the cover and sets the lamp in threads of their own."""

    kind = "CoverCalibrator"
    interface_version = 2

    def __init__(self, panel: FlatPanel, clock: Clock, identity: str) -> None:
        super().__init__(panel.info.name, identity, clock)
        self._panel, self._info = panel, panel.info
        self._cover = Background(f"{panel.info.name}: cover")
        self._lamp = Background(f"{panel.info.name}: lamp")
        self._lit = False

    def close(self) -> None:
        """Stop what moves."""
        self._cover.cancel()
        self._lamp.cancel()

    def forget(self) -> None:
        """Forget what went wrong before."""
        self._cover.error = self._lamp.error = None
        self._lit = self._info.has_lamp and self._panel.status().brightness > 0

    def state(self) -> dict[str, Any]:
        """The operational properties of ICoverCalibratorV2."""
        return read_where_possible(
            {
                "Brightness": self.brightness,
                "CalibratorChanging": self.calibrator_changing,
                "CalibratorState": self.calibrator_state,
                "CoverMoving": self.cover_moving,
                "CoverState": self.cover_state,
            }
        )

    @get("coverstate")
    def cover_state(self) -> int:
        """Where the cover is."""
        if not self._info.has_cover:
            return Cover.NOT_PRESENT
        if self._cover.is_running:
            return Cover.MOVING
        if self._cover.error is not None:
            return Cover.ERROR
        return _COVERS[self._panel.status().cover]

    @get("covermoving")
    def cover_moving(self) -> bool:
        """Whether the cover is moving."""
        return self.cover_state() == Cover.MOVING

    @put("opencover")
    def open_cover(self) -> None:
        """Begin to open."""
        self._move("opencover", open_it=True)

    @put("closecover")
    def close_cover(self) -> None:
        """Begin to close."""
        self._move("closecover", open_it=False)

    @put("haltcover")
    def halt_cover(self) -> None:
        """Stop the cover. One that stands still is left alone."""
        self._needs_cover("haltcover")
        self._cover.cancel()

    @get("calibratorstate")
    def calibrator_state(self) -> int:
        """How the lamp is."""
        if not self._info.has_lamp:
            return Lamp.NOT_PRESENT
        if self._lamp.is_running:
            return Lamp.NOT_READY
        if self._lamp.error is not None:
            return Lamp.ERROR
        return Lamp.READY if self._lit else Lamp.OFF

    @get("calibratorchanging")
    def calibrator_changing(self) -> bool:
        """Whether the lamp is not steady yet."""
        return self.calibrator_state() == Lamp.NOT_READY

    @get("brightness")
    def brightness(self) -> int:
        """Setting of the lamp, 0 when it is off."""
        self._needs_lamp("brightness")
        return self._panel.status().brightness

    @get("maxbrightness")
    def max_brightness(self) -> int:
        """The highest setting."""
        self._needs_lamp("maxbrightness")
        return self._info.max_brightness

    @put("calibratoron", Brightness=whole)
    def calibrator_on(self, Brightness: int) -> None:
        """Begin to set the lamp; 0 is a lamp that is on but dark."""
        self._needs_lamp("calibratoron")
        if not 0 <= Brightness <= self._info.max_brightness:
            raise AlpacaError(
                INVALID_VALUE,
                f"The brightness of {self.name} goes from 0 to {self._info.max_brightness}.",
            )
        self._lamp.cancel()
        self._lit = True
        self._lamp.start(lambda cancel: self._panel.set_brightness(Brightness, cancel))

    @put("calibratoroff")
    def calibrator_off(self) -> None:
        """Switch the lamp off."""
        self._needs_lamp("calibratoroff")
        self._lamp.cancel()
        self._lit = False
        self._lamp.start(lambda cancel: self._panel.set_brightness(0, cancel))

    def _move(self, member: str, *, open_it: bool) -> None:
        self._needs_cover(member)
        self._cover.start(lambda cancel: self._panel.move_cover(open_it=open_it, cancel=cancel))

    def _needs_cover(self, member: str) -> None:
        if not self._info.has_cover:
            raise not_implemented(member)

    def _needs_lamp(self, member: str) -> None:
        if not self._info.has_lamp:
            raise not_implemented(member)
