"""Opening equipment by what the command line, the settings or a file call it.

The one way in, for the window and for `calibstudio run`.
"""

from __future__ import annotations

import time

from calibstudio.devices.simulator.observatory import PRESETS, simulated_observatory
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.run_config import DeviceWish, Simulation

FRAMES_A_RUN = 100_000
"""Frames of the simulated camera are numbered on from run to run, so that none comes twice."""


def open_rig(
    name: str,
    *,
    simulation: Simulation | None = None,
    run: int = 0,
    cancel: CancelToken | None = None,
) -> Observatory:
    """Open equipment by its name.

    Parameters
    ----------
    name
        ``alpaca://HOST:PORT`` and ``indi://HOST:PORT`` are the first camera, filter wheel, cover
        and telescope of that server; everything else is a simulated observatory, the empty name
        the first of them.
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
    from calibstudio.devices.alpaca.address import SCHEME as ALPACA
    from calibstudio.devices.indi.address import SCHEME as INDI

    if not name.startswith((ALPACA, INDI)):
        return _simulated(name, simulation or Simulation(), run)
    if simulation is not None:
        raise UsageError(
            f"{name} is real equipment; it cannot be simulated.", hint="Leave simulation out."
        )
    if name.startswith(INDI):
        from calibstudio.devices.indi.rig import open_indi_at

        return open_indi_at(name, cancel=cancel)
    from calibstudio.devices.alpaca.rig import open_alpaca, rig_at

    return open_alpaca(rig_at(name), cancel=cancel)


def _simulated(name: str, simulation: Simulation, run: int) -> Observatory:
    chosen = name or next(iter(PRESETS))
    if chosen not in PRESETS:
        raise UsageError(
            f"There is no rig called {chosen}.",
            hint=f"Simulated ones: {', '.join(PRESETS)}. Others: alpaca://HOST:PORT, indi://HOST:PORT.",
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
    if wish.protocol != "alpaca":
        raise UsageError(
            f"{where}cameras of {wish.protocol} are not supported.",
            hint="Use an Alpaca camera, or give --rig NAME.",
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
