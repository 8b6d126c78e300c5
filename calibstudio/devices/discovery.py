"""What equipment is on the network, whatever it speaks.

A further protocol is one more entry of `FINDERS`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from calibstudio.devices.alpaca.address import DeviceAddress, parse_address
from calibstudio.devices.alpaca.discovery import find_devices, list_devices
from calibstudio.devices.indi.address import parse_address as parse_indi_address
from calibstudio.devices.indi.link import Link
from calibstudio.devices.indi.link import Patience as IndiPatience
from calibstudio.devices.indi.listing import list_devices as list_indi_devices
from calibstudio.domain.errors import (
    CalibStudioError,
    Cancelled,
    DeviceUnreachableError,
    UsageError,
)
from calibstudio.domain.jobs import CancelToken

_LOOK_S = 0.05
INDI_HERE = "127.0.0.1:7624"
INDI_PATIENCE = IndiPatience(connect_s=2.0, list_s=4.0)


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """One device, as `calibstudio discover` prints it."""

    protocol: str
    address: str
    """Host name or number."""
    port: int
    type: str
    number: int
    name: str
    unique_id: str = ""
    is_part: bool = False
    """Whether it is inside a device that is something else first of all: a wheel in a camera."""


@dataclass(frozen=True, slots=True)
class Found:
    """Devices, and what went wrong on the way."""

    devices: tuple[FoundDevice, ...]
    problems: tuple[CalibStudioError, ...] = ()


Finder = Callable[[str, CancelToken], Found]
"""Looks at one address, or on the whole network when it is empty."""


def discover(
    address: str = "",
    cancel: CancelToken | None = None,
    finders: Mapping[str, Finder] | None = None,
) -> Found:
    """Look for equipment in every protocol at once; two or three seconds for the whole network.

    Parameters
    ----------
    address
        ``[PROTOCOL://]HOST[:PORT]`` of one server; empty: everywhere.

    Raises
    ------
    UsageError
        The address is none.
    DeviceError
        Nobody answers at the address.
    Cancelled
    """
    token = cancel or CancelToken()
    chosen = finders if finders is not None else FINDERS
    protocol, is_named, _ = address.partition("://")
    if is_named and protocol in chosen:
        chosen = {protocol: chosen[protocol]}
    if len(chosen) == 1:
        return next(iter(chosen.values()))(address, token)
    results: dict[str, Found] = {}
    failures: dict[str, CalibStudioError] = {}

    own = CancelToken()

    def look(protocol: str, finder: Finder) -> None:
        try:
            results[protocol] = finder(address, own)
        except CalibStudioError as error:
            failures[protocol] = error
        except Cancelled:
            return

    threads = [
        threading.Thread(target=look, args=item, daemon=True, name=f"looking for {item[0]}")
        for item in chosen.items()
    ]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            token.wait(_LOOK_S)
            # One address speaks one protocol: the others need not be waited for.
            if address and any(found.devices for found in list(results.values())):
                break
    finally:
        own.cancel()
    if failures and not results:
        raise _nobody(address, chosen, list(failures.values()))
    problems = () if address else tuple(failures.values())
    return Found(
        tuple(device for found in list(results.values()) for device in found.devices),
        problems + tuple(p for found in list(results.values()) for p in found.problems),
    )


def _nobody(
    address: str, asked: Iterable[str], failures: Sequence[CalibStudioError]
) -> CalibStudioError:
    """Say that nobody answers in any protocol; what is more than silence is said as it is."""
    if address and all(isinstance(f, UsageError) for f in failures):
        return UsageError(
            f"“{address}” is no address of equipment.",
            hint="Write alpaca://HOST:PORT or indi://HOST:PORT; HOST:PORT alone asks for both.",
        )
    if not address or not all(isinstance(f, DeviceUnreachableError) for f in failures):
        return failures[0]
    words = " nor ".join(f"as {_TITLES.get(protocol, protocol)}" for protocol in asked)
    return DeviceUnreachableError(
        f"{str(failures[0]).rstrip('.')}, neither {words}.", hint=failures[0].hint
    )


def _find_alpaca(address: str, cancel: CancelToken) -> Found:
    if address:
        server, _ = parse_address(address)
        return Found(tuple(_alpaca(device) for device in list_devices(server, cancel=cancel)))
    devices, problems = find_devices(cancel=cancel)
    return Found(tuple(_alpaca(device) for device in devices), tuple(problems))


def _alpaca(device: DeviceAddress) -> FoundDevice:
    server = device.server
    return FoundDevice(
        "alpaca",
        server.host,
        server.port,
        str(device.type),
        device.number,
        device.name,
        device.unique_id,
    )


def _find_indi(address: str, cancel: CancelToken) -> Found:
    """Ask the server at an address, or the one that may run on this computer.

    INDI servers do not answer to broadcasts.
    """
    server, _ = parse_indi_address(address or INDI_HERE)
    link = Link(server, INDI_PATIENCE)
    try:
        link.open(cancel)
        listed = list_indi_devices(link, cancel)
    except DeviceUnreachableError:
        if address:
            raise
        return Found(())
    finally:
        link.close()
    return Found(
        tuple(
            FoundDevice("indi", server.host, server.port, kind, i, device.name, is_part=part > 0)
            for i, device in enumerate(listed)
            for part, kind in enumerate(device.interface.kinds)
        )
    )


_TITLES = {"alpaca": "Alpaca", "indi": "INDI"}
FINDERS: Mapping[str, Finder] = MappingProxyType({"alpaca": _find_alpaca, "indi": _find_indi})
