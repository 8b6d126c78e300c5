"""Opening real equipment quickly: at an address, or from devices that are known."""

from __future__ import annotations

from collections.abc import Iterable

from calibstudio.devices.alpaca.line import Patience as AlpacaPatience
from calibstudio.devices.indi.link import Patience as IndiPatience
from calibstudio.devices.opened import OpenedObservatory
from calibstudio.devices.rig_choice import rig_at
from calibstudio.devices.rig_opening import AlpacaOpener, IndiOpener, open_devices
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.rig import DeviceRef, Rig


def open_at(
    address: str, *, alpaca: AlpacaPatience | None = None, indi: IndiPatience | None = None
) -> OpenedObservatory:
    """Open what is at an address, as `--rig ADDRESS` does."""
    return open_rig_now(rig_at("Test rig", (address,)), alpaca=alpaca, indi=indi)


def open_rig_now(
    rig: Rig, *, alpaca: AlpacaPatience | None = None, indi: IndiPatience | None = None
) -> OpenedObservatory:
    """Open a rig whose devices are where it says."""
    openers = {"alpaca": lambda: AlpacaOpener(alpaca), "indi": lambda: IndiOpener(indi)}
    return open_devices(rig, openers=openers, is_located=True)


def rig_of(protocol: str, server: ServerAddress, devices: Iterable[tuple[str, str | int]]) -> Rig:
    """Make a rig of devices: their types, and their names (INDI) or numbers (Alpaca)."""
    refs = [
        DeviceRef(protocol, kind, "", server.host, server.port, which)
        if isinstance(which, int)
        else DeviceRef(protocol, kind, which, server.host, server.port)
        for kind, which in devices
    ]
    return Rig("Test rig", tuple(refs))
