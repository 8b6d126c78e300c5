"""A cover and a lamp that are two devices, as one panel."""

from __future__ import annotations

from calibstudio.devices.alpaca.panel import AlpacaPanel
from calibstudio.domain.equipment import PanelInfo, PanelStatus
from calibstudio.domain.jobs import CancelToken


class JoinedPanel:
    """Sends each order to the device that can do it; see `FlatPanel`."""

    def __init__(self, cover: AlpacaPanel, lamp: AlpacaPanel) -> None:
        self._cover, self._lamp = cover, lamp
        self._info = PanelInfo(
            name=f"{lamp.info.name} and {cover.info.name}",
            has_cover=True,
            has_lamp=True,
            max_brightness=lamp.info.max_brightness,
        )

    @property
    def info(self) -> PanelInfo:
        """Facts that do not change while connected."""
        return self._info

    def status(self) -> PanelStatus:
        """Read the cover and the lamp."""
        return PanelStatus(self._cover.status().cover, self._lamp.status().brightness)

    def move_cover(self, *, open_it: bool, cancel: CancelToken) -> None:
        """Open or close and return when done."""
        self._cover.move_cover(open_it=open_it, cancel=cancel)

    def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
        """Set the lamp, 0 for off, and return when it has settled."""
        self._lamp.set_brightness(brightness, cancel)

    def close(self) -> None:
        """Release both. Safe to call twice."""
        self._lamp.close()
        self._cover.close()
