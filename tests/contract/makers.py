"""Every implementation of the equipment protocols, as a function that opens it.

A new driver is one entry here. A maker returns an `Observatory` with all that it has; tests ask for
what they need.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace

import pytest

from calibstudio.devices.opened import OpenedObservatory
from calibstudio.devices.server_address import ServerAddress
from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.equipment import Observatory
from tests.helpers import fake_indi
from tests.helpers.alpaca_simulators import PLAIN, shared_simulators
from tests.helpers.fake_alpaca import FakeAlpaca
from tests.helpers.fake_indi import FakeIndi
from tests.helpers.indi_server import (
    CAMERA,
    DOME,
    FOCUSER,
    MOUNT,
    PANEL,
    ROTATOR,
    SOON,
    WEATHER,
    WHEEL,
    shared_indi,
    why_not,
)
from tests.helpers.opening import open_at, open_rig_now, rig_of
from tests.helpers.served import served

ALL = frozenset({"wheel", "panel", "cover", "mount"})
SURROUNDINGS = frozenset({"rotator", "focuser", "dome", "safety"})


@dataclass(frozen=True)
class Maker:
    """Opens an observatory, and says what it has without opening it."""

    open: Callable[[], Observatory]
    devices: frozenset[str] = ALL
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
    return _served(open_at(f"alpaca://{server.server}"), server.close)


def _own_server(speed: float) -> Observatory:
    """Our driver, our server, and the simulator behind it."""
    stack = ExitStack()
    server, _ = stack.enter_context(served("tiny", seed=2, speed=speed, start=None))
    return _served(open_at(f"alpaca://127.0.0.1:{server.port}"), stack.close)


def _served(opened: OpenedObservatory, end: Callable[[], None]) -> Observatory:
    return _Served(**{f.name: getattr(opened, f.name) for f in fields(opened)}, end=end)


def _alpaca_simulators() -> Observatory:
    devices = [("camera", PLAIN), ("filterwheel", 0), ("covercalibrator", 0), ("telescope", 0)]
    return open_rig_now(rig_of("alpaca", shared_simulators().server, devices))


def _alpaca_around() -> Observatory:
    kinds = ("camera", "rotator", "focuser", "dome", "safetymonitor")
    rig = rig_of("alpaca", shared_simulators().server, [(kind, 0) for kind in kinds])
    return open_rig_now(rig)


def _fake_indi() -> Observatory:
    server = FakeIndi()
    devices = [("camera", fake_indi.CAMERA), ("filterwheel", fake_indi.WHEEL)]
    devices += [("lightbox", fake_indi.LAMP), ("dustcap", fake_indi.CAP)]
    rig = rig_of("indi", server.server, devices)
    return _served(open_rig_now(rig, indi=replace(SOON, settle_s=0.03)), server.close)


def _indi_simulators(*devices: tuple[str, str]) -> Observatory:
    if reason := why_not():
        pytest.skip(reason)
    server = ServerAddress("127.0.0.1", shared_indi().port)
    return open_rig_now(rig_of("indi", server, [("camera", CAMERA), *devices]), indi=SOON)


def _indi_with_mount() -> Observatory:
    return _indi_simulators(("filterwheel", WHEEL), ("lightbox", PANEL), ("telescope", MOUNT))


def _indi_around() -> Observatory:
    around = (("rotator", ROTATOR), ("focuser", FOCUSER), ("dome", DOME), ("weather", WEATHER))
    return _indi_simulators(*around)


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
    "indi-simulators": Maker(_indi_with_mount, frozenset({"wheel", "panel", "mount"})),
}
AROUND: dict[str, Maker] = {
    "alpaca-around": Maker(_alpaca_around, SURROUNDINGS, instant=frozenset({"focuser"})),
    "indi-around": Maker(_indi_around, SURROUNDINGS),
}
"""Cameras with what is read around them; their cameras are tested above."""


MOVERS = MAKERS | AROUND | {"alpaca-own-server": Maker(lambda: _own_server(8.0))}
"""For what moves: behind a server the clock may run fast, as long as nobody takes the time."""


def with_device(device: str, *, moving: bool = False) -> dict[str, Maker]:
    """Return the makers whose observatory has this device; ``moving``: its moves take time."""
    return {
        name: maker
        for name, maker in MOVERS.items()
        if device in maker.devices and not (moving and device in maker.instant)
    }
