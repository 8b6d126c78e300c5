"""Where an Alpaca device is: host and port of its server, type and number on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True, order=True)
class ServerAddress:
    """An Alpaca server. IPv6 hosts are kept without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


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
    host, port_text = _split_port(place)
    port = _number(port_text) if port_text is not None else DEFAULT_PORT
    number = _number(number_text) if slash else None
    is_host = bool(host) and not any(c.isspace() or c in "/?#@[]" for c in host)
    if not is_host or port is None or not 0 < port < 65_536 or (slash and number is None):
        raise UsageError(
            f"“{text}” is not the address of an Alpaca server.",
            hint="Write it as host:port or host:port/number, for example 192.168.1.20:11111.",
        )
    return ServerAddress(host, port), number


def _split_port(place: str) -> tuple[str, str | None]:
    if place.startswith("["):
        host, bracket, tail = place[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            return "", None
        return host, tail[1:] if tail else None
    if place.count(":") > 1:
        return place, None
    host, colon, port = place.partition(":")
    return host, port if colon else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
