"""Every implementation of the equipment protocols, as a function that opens it.

A new driver is one entry here. A maker returns an `Observatory` with all that it has; tests ask for
what they need.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace

import pytest

from calibstudio.devices.alpaca.address import DeviceAddress, DeviceType
from calibstudio.devices.alpaca.rig import AlpacaRig, open_alpaca, rig_at
from calibstudio.devices.indi.rig import IndiRig, open_indi
from calibstudio.devices.opened import OpenedObservatory
from calibstudio.devices.server_address import ServerAddress
from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.equipment import Observatory
from tests.helpers import fake_indi
from tests.helpers.alpaca_simulators import PLAIN, shared_simulators
from tests.helpers.fake_alpaca import FakeAlpaca
from tests.helpers.fake_indi import FakeIndi
from tests.helpers.indi_server import CAMERA, MOUNT, PANEL, SOON, WHEEL, shared_indi, why_not
from tests.helpers.served import served


@dataclass(frozen=True)
class Maker:
    """Opens an observatory, and says what it has without opening it."""

    open: Callable[[], Observatory]
    devices: frozenset[str] = frozenset({"wheel", "panel", "cover", "mount"})
    instant: frozenset[str] = frozenset()
    """Devices whose moves take no time, so that none can be caught on the way."""

    def __call__(self) -> Observatory:
        return self.open()


@dataclass(frozen=True, slots=True)
class _Served(OpenedObservatory):
    """An observatory whose server ends with it."""

    end: Callable[[], None] = lambda: None

    def close(self) -> None:
        OpenedObservatory.close(self)
        self.end()


def _fake_alpaca() -> Observatory:
    server = FakeAlpaca()
    return _served(open_alpaca(rig_at(str(server.server))), server.close)


def _own_server(speed: float) -> Observatory:
    """Our driver, our server, and the simulator behind it."""
    stack = ExitStack()
    server, _ = stack.enter_context(served("tiny", seed=2, speed=speed, start=None))
    return _served(open_alpaca(rig_at(f"alpaca://127.0.0.1:{server.port}")), stack.close)


def _served(opened: OpenedObservatory, end: Callable[[], None]) -> Observatory:
    return _Served(**{f.name: getattr(opened, f.name) for f in fields(opened)}, end=end)


def _alpaca_simulators() -> Observatory:
    server = shared_simulators().server

    def device(kind: DeviceType, number: int = 0) -> DeviceAddress:
        return DeviceAddress(server, kind, number)

    return open_alpaca(
        AlpacaRig(
            camera=device(DeviceType.CAMERA, PLAIN),
            wheel=device(DeviceType.FILTER_WHEEL),
            panels=(device(DeviceType.COVER_CALIBRATOR),),
            mount=device(DeviceType.TELESCOPE),
        )
    )


def _fake_indi() -> Observatory:
    server = FakeIndi()
    rig = IndiRig(
        server.server,
        fake_indi.CAMERA,
        wheel=fake_indi.WHEEL,
        panels=(fake_indi.LAMP, fake_indi.CAP),
    )
    return _served(open_indi(rig, patience=replace(SOON, settle_s=0.03)), server.close)


def _indi_simulators() -> Observatory:
    if reason := why_not():
        pytest.skip(reason)
    server = ServerAddress("127.0.0.1", shared_indi().port)
    rig = IndiRig(server, CAMERA, wheel=WHEEL, panels=(PANEL,), mount=MOUNT)
    return open_indi(rig, patience=SOON)


MAKERS: dict[str, Maker] = {
    "simulator": Maker(lambda: simulated_observatory("tiny", seed=2, speed=8.0)),
    "simulator-colour": Maker(
        lambda: simulated_observatory("bayer24", seed=2, speed=20.0),
        frozenset({"panel", "cover", "mount"}),
    ),
    "alpaca": Maker(_fake_alpaca),
    "alpaca-own-server": Maker(lambda: _own_server(1.0), frozenset()),
    "alpaca-simulators": Maker(_alpaca_simulators, instant=frozenset({"wheel", "cover"})),
    "indi": Maker(_fake_indi, frozenset({"wheel", "panel", "cover"})),
    "indi-simulators": Maker(_indi_simulators, frozenset({"wheel", "panel", "mount"})),
}


MOVERS = MAKERS | {"alpaca-own-server": Maker(lambda: _own_server(8.0))}
"""For what moves: behind a server the clock may run fast, as long as nobody takes the time."""


def with_device(device: str, *, moving: bool = False) -> dict[str, Maker]:
    """Return the makers whose observatory has this device; ``moving``: its moves take time."""
    return {
        name: maker
        for name, maker in MOVERS.items()
        if device in maker.devices and not (moving and device in maker.instant)
    }
