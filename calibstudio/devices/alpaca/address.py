"""Where an Alpaca device is: host and port of its server, type and number on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from calibstudio.devices.server_address import ServerAddress, number, parse_server
from calibstudio.domain.errors import UsageError

SCHEME = "alpaca://"
DEFAULT_PORT = 11111
"""Of ASCOM Remote and most servers; discovery says the real one."""


class DeviceType(StrEnum):
    """The word in the address of a device."""

    CAMERA = "camera"
    FILTER_WHEEL = "filterwheel"
    COVER_CALIBRATOR = "covercalibrator"
    TELESCOPE = "telescope"
    FOCUSER = "focuser"
    ROTATOR = "rotator"
    DOME = "dome"
    SWITCH = "switch"
    SAFETY_MONITOR = "safetymonitor"
    OBSERVING_CONDITIONS = "observingconditions"

    @property
    def words(self) -> str:
        """As a sentence names it."""
        return _TITLES[self]


_TITLES = {
    DeviceType.CAMERA: "camera",
    DeviceType.FILTER_WHEEL: "filter wheel",
    DeviceType.COVER_CALIBRATOR: "cover calibrator",
    DeviceType.TELESCOPE: "telescope",
    DeviceType.FOCUSER: "focuser",
    DeviceType.ROTATOR: "rotator",
    DeviceType.DOME: "dome",
    DeviceType.SWITCH: "switch",
    DeviceType.SAFETY_MONITOR: "safety monitor",
    DeviceType.OBSERVING_CONDITIONS: "weather station",
}


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """One device of a server."""

    server: ServerAddress
    type: DeviceType
    number: int
    name: str = ""
    """What the server calls it; empty: not known yet."""
    unique_id: str = ""
    """Stays the same when numbers change, where the server says one."""

    @property
    def path(self) -> str:
        """Where its members are, without the member."""
        return f"/api/v1/{self.type}/{self.number}"

    @property
    def title(self) -> str:
        """What to call it in a sentence: its name, or where it is."""
        return self.name or f"The {self.type.words} {self.number} at {self.server}"


def parse_address(text: str) -> tuple[ServerAddress, int | None]:
    """Read ``[alpaca://]HOST[:PORT][/NUMBER]``, IPv6 hosts in brackets.

    Returns
    -------
    server, number
        The device number is None when the text has none.

    Raises
    ------
    UsageError
        It is no such address.
    """
    rest = text.strip().removeprefix(SCHEME).rstrip("/")
    place, slash, number_text = rest.partition("/")
    server = parse_server(place, DEFAULT_PORT)
    device = number(number_text) if slash else None
    if server is None or (slash and device is None):
        raise UsageError(
            f"“{text}” is not the address of an Alpaca server.",
            hint="Write it as host:port or host:port/number, for example 192.168.1.20:11111.",
        )
    return server, device
