"""A cover and a lamp that are two devices, as one panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from calibstudio.domain.equipment import FlatPanel, PanelInfo, PanelStatus
from calibstudio.domain.jobs import CancelToken


class ClosablePanel(FlatPanel, Protocol):
    """A panel that is let go by itself."""

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        ...


class JoinedPanel:
    """Sends each order to the device that can do it; see `FlatPanel`."""

    def __init__(self, cover: ClosablePanel, lamp: ClosablePanel) -> None:
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


def one_panel(panels: Sequence[ClosablePanel]) -> ClosablePanel | None:
    """One that has both; else a cover and a lamp joined; else what there is.

    What is not used is closed.
    """
    both = [p for p in panels if p.info.has_cover and p.info.has_lamp]
    covers = [p for p in panels if p.info.has_cover]
    lamps = [p for p in panels if p.info.has_lamp]
    used = both[:1] or [*covers[:1], *lamps[:1]]
    for panel in panels:
        if panel not in used:
            panel.close()
    if len(used) == 2:
        return JoinedPanel(cover=used[0], lamp=used[1])
    return used[0] if used else None
