"""Opening equipment by what the command line, the settings or a file call it.

The one way in, for the window and for `calibstudio run`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Protocol

from calibstudio.devices.measured_camera import MeasuredCamera
from calibstudio.devices.simulator.observatory import PRESETS, simulated_observatory
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import UsageError, WriteProblemError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.rig import Rig
from calibstudio.domain.run_config import DeviceWish, Simulation

log = logging.getLogger(__name__)

FRAMES_A_RUN = 100_000
"""Frames of the simulated camera are numbered on from run to run, so that none comes twice."""


class KnownRigs(Protocol):
    """The rigs that the operator has saved."""

    def find(self, name: str) -> Rig | None:
        """Return the rig of a name; None when there is none."""
        ...

    def save(self, rig: Rig) -> None:
        """Keep where its devices were found."""
        ...


def open_rig(
    name: str,
    *,
    known: KnownRigs | None = None,
    simulation: Simulation | None = None,
    run: int = 0,
    cancel: CancelToken | None = None,
) -> Observatory:
    """Open equipment by its name.

    Parameters
    ----------
    name
        ``alpaca://HOST:PORT`` and ``indi://HOST:PORT`` are the first camera, filter wheel, cover,
        telescope and so on of that server. Else the name of a simulated observatory (empty: the
        first) or of a saved rig.
    known
        Saved rigs.
    simulation
        Clock and seed of a simulated one.
    run
        How often the sequence was gone on with: a simulated camera never repeats its noise.

    Raises
    ------
    UsageError, DeviceError
        There is no such equipment, or it does not answer.
    Cancelled
    """
    if "://" in name:
        _only_real(name, simulation)
        return _open_address(name, cancel)
    rig = None if known is None or name in PRESETS else known.find(name)
    if rig is None:
        return _simulated(name, simulation or Simulation(), run)
    if rig.is_simulated and rig.camera is not None:
        opened = _simulated(rig.camera.name, simulation or Simulation(), run)
        rig = _with_identity(rig, opened, known)
        return replace(
            opened,
            name=rig.name,
            camera=MeasuredCamera(opened.camera, rig) if rig.says_more else opened.camera,
            optics=rig.optics or opened.optics,
            site=rig.site or opened.site,
            rig=rig,
        )
    _only_real(name, simulation)
    return _open_saved(rig, known, cancel)


def _only_real(name: str, simulation: Simulation | None) -> None:
    if simulation is not None:
        raise UsageError(
            f"{name} is real equipment; it cannot be simulated.", hint="Leave simulation out."
        )


def _open_saved(rig: Rig, known: KnownRigs | None, cancel: CancelToken | None) -> Observatory:
    from calibstudio.devices.rig_opening import open_devices

    opened = open_devices(rig, cancel=cancel)
    if opened.rig is None:
        return opened
    return replace(opened, rig=_with_identity(opened.rig, opened, known))


def _with_identity(rig: Rig, opened: Observatory, known: KnownRigs | None) -> Rig:
    """Keep which camera it is and where its devices were found, for frames to be known again."""
    info = opened.camera.info
    rig = replace(rig, knows=rig.knows.of_camera(info.name, info.serial, info.shape))
    now = None if known is None else known.find(rig.name)
    if known is None or now is None:
        return rig
    # What was stated or learned while it was being connected stays.
    knows = now.knows.of_camera(info.name, info.serial, info.shape)
    found = replace(now, devices=rig.devices, knows=knows)
    if found != now:
        try:
            known.save(found)
        except WriteProblemError as error:
            log.warning("what was found at the devices is not kept: %s", error)
    return rig


def _open_address(name: str, cancel: CancelToken | None) -> Observatory:
    from calibstudio.devices.discovery import FINDERS
    from calibstudio.devices.rig_choice import rig_at
    from calibstudio.devices.rig_opening import open_devices

    protocol, _, place = name.partition("://")
    if protocol not in FINDERS:
        raise UsageError(
            f"{name} is no address of equipment.",
            hint="Write alpaca://HOST:PORT or indi://HOST:PORT.",
        )
    title = "Alpaca" if protocol == "alpaca" else "INDI"
    rig = rig_at(f"{title} at {place.partition('/')[0]}", (name,), cancel)
    return replace(open_devices(rig, cancel=cancel, is_located=True), rig=None)


def _simulated(name: str, simulation: Simulation, run: int) -> Observatory:
    chosen = name or next(iter(PRESETS))
    if chosen not in PRESETS:
        raise UsageError(
            f"There is no rig called {chosen}.",
            hint=f"Simulated ones: {', '.join(PRESETS)}. Others: calibstudio rigs list, "
            "alpaca://HOST:PORT, indi://HOST:PORT.",
        )
    # A given start is a night that can be repeated; without one each session has its own noise.
    first = 1 + run * FRAMES_A_RUN
    if simulation.start is None:
        first = int(time.time()) % 2**31
    return simulated_observatory(
        chosen,
        seed=1 if simulation.seed is None else simulation.seed,
        speed=simulation.speed,
        start=simulation.start,
        first_frame=first,
    )


def rig_of_device(wish: DeviceWish, cancel: CancelToken | None = None) -> str:
    """Return the name of the rig for a camera that a file names, looking for it where needed.

    Raises
    ------
    UsageError
        No such camera can be used, or none answers, with what to do.
    Cancelled
    """
    where = f"line {wish.line}: " if wish.line else ""
    if wish.protocol == "indi":
        from urllib.parse import quote

        camera = f"/{quote(wish.name)}" if wish.name else ""
        return f"indi://{wish.host}:{wish.port}{camera}"
    if wish.protocol != "alpaca":
        raise UsageError(
            f"{where}cameras of {wish.protocol} are not supported.",
            hint="Use an Alpaca or INDI camera, or give --rig NAME.",
        )
    if wish.host:
        return f"alpaca://{wish.host}:{wish.port}/{wish.number}"
    from calibstudio.devices.discovery import discover

    found_now = [d for d in discover("", cancel).devices if d.protocol == "alpaca"]
    cameras = [d for d in found_now if d.type.lower() == "camera"]
    named = [d for d in cameras if _same(d.name, wish.name)]
    if len(named) == 1:
        return f"alpaca://{named[0].address}:{named[0].port}/{named[0].number}"
    said = wish.name or "no name"
    names = ", ".join(sorted({d.name for d in cameras}))
    if named:
        raise UsageError(
            f"{where}several Alpaca cameras are called {said}.",
            hint="Give --rig alpaca://HOST:PORT/NUMBER; calibstudio discover lists them.",
        )
    found = f"these answer: {names}" if names else "no Alpaca camera answers"
    raise UsageError(
        f"{where}the file names the ASCOM camera {said}; {found}.",
        hint="ASCOM drivers of Windows answer once ASCOM Remote offers them under that name. "
        "Start it, or give --rig NAME.",
    )


def _same(one: str, other: str) -> bool:
    def plain(text: str) -> str:
        text = text.lower().removeprefix("ascom.").removesuffix(".camera")
        return "".join(c for c in text if c.isalnum())

    return bool(plain(one)) and plain(one) == plain(other)
