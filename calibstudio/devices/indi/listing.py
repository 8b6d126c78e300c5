"""Which devices an INDI server has, and what their drivers say that they are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import IntFlag

from calibstudio.devices.indi.link import Link
from calibstudio.domain.jobs import CancelToken


class Interface(IntFlag):
    """What a driver is, as its DRIVER_INTERFACE says (libindi, basedevice.h)."""

    TELESCOPE = 1
    CAMERA = 2
    GUIDER = 4
    FOCUSER = 8
    FILTER_WHEEL = 16
    DOME = 32
    GPS = 64
    WEATHER = 128
    ADAPTIVE_OPTICS = 256
    DUST_CAP = 512
    LIGHT_BOX = 1024
    DETECTOR = 2048
    ROTATOR = 4096

    @property
    def kinds(self) -> tuple[str, ...]:
        """The words for what it is, what it is first of all first.

        A light box with a cap is one device: its panel. So is a camera with a guider.
        """
        found = [name for kind, name in _TITLES.items() if kind in self]
        if "lightbox" in found and "dustcap" in found:
            found.remove("dustcap")
        return tuple(found) or ("other",)


_TITLES = {
    Interface.CAMERA: "camera",
    Interface.TELESCOPE: "telescope",
    Interface.FILTER_WHEEL: "filterwheel",
    Interface.LIGHT_BOX: "lightbox",
    Interface.DUST_CAP: "dustcap",
    Interface.FOCUSER: "focuser",
    Interface.ROTATOR: "rotator",
    Interface.DOME: "dome",
    Interface.WEATHER: "weather",
    Interface.GPS: "gps",
}


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device of a server, and what its driver says that it is."""

    name: str
    interface: Interface


def list_devices(link: Link, cancel: CancelToken | None = None) -> tuple[ListedDevice, ...]:
    """Return the devices of a server once all its drivers have said what they are.

    Raises
    ------
    Cancelled
    """
    ends = time.monotonic() + link.patience.list_s

    def unnamed() -> bool:
        return any(link.get(name, "DRIVER_INFO") is None for name in link.mirror.devices())

    while time.monotonic() < ends:
        known = link.mirror.devices()
        link.wait(lambda: link.mirror.devices() != known, link.patience.others_s, cancel)  # noqa: B023
        if link.mirror.devices() == known and not unnamed():
            break
    return tuple(ListedDevice(name, _interface(link, name)) for name in link.mirror.devices())


def _interface(link: Link, name: str) -> Interface:
    found = link.get(name, "DRIVER_INFO")
    bits = None if found is None else found.number("DRIVER_INTERFACE")
    return Interface(int(bits or 0) & sum(Interface))
