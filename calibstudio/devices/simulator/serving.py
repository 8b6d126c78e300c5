"""What the simulated observatory offers over Alpaca beyond the equipment protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calibstudio.devices.alpaca_server.server import Extras
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.devices.simulator.sky import sky_mag_per_arcsec2
from calibstudio.devices.simulator.truth_document import truth_document
from calibstudio.devices.simulator.world import World
from calibstudio.domain.errors import UnsupportedRequestError, UsageError
from calibstudio.domain.faults import FaultDesk, parse_fault, spelling
from calibstudio.domain.sun import sun_altitude_deg

TRUTH_PATH, FAULTS_PATH = "/simulator/truth", "/simulator/faults"


class SimulatedWeather:
    """Air and sky of the simulated world. Safe to use from any thread."""

    def __init__(self, world: World) -> None:
        self._world = world

    def air_c(self) -> float:
        """Air temperature in degrees C."""
        return round(self._world.ambient_c(self._world.clock.elapsed_s), 2)

    def sky_mag_per_arcsec2(self) -> float:
        """Surface brightness of the sky near the zenith."""
        sun = sun_altitude_deg(self._world.clock.now(), self._world.site)
        return round(sky_mag_per_arcsec2(sun), 3)


def extras_of(observatory: SimulatedObservatory) -> Extras:
    """Return weather, truth and faults of a simulated observatory for its server.

    Truth and faults are custom actions of the camera, as the API provides for: ``Truth``,
    ``Faults``, ``MakeFault`` and ``MendFault``; and two documents for a browser.
    """
    world, desk = observatory.world, observatory.faults
    if world is None or desk is None:
        return Extras()
    return Extras(
        weather=SimulatedWeather(world),
        camera_actions={
            # A client that knows it does not take early pictures for those of an earlier exposure.
            "ClockSpeed": lambda _: str(world.clock.speed),
            "Truth": lambda _: truth_document(observatory),
            "Faults": lambda _: faults_document(desk),
            "MakeFault": _changing(desk, lambda text: make_faults(desk, [text])),
            "MendFault": _changing(desk, lambda text: _mend(desk, text)),
        },
        documents={
            TRUTH_PATH: lambda: truth_document(observatory),
            FAULTS_PATH: lambda: faults_document(desk),
        },
    )


def make_faults(desk: FaultDesk, texts: list[str]) -> None:
    """Make faults as they are typed. Raises `UsageError` before the first one is made."""
    for word, values in [parse_fault(text, desk.kinds) for text in texts]:
        desk.make(word, values)


def faults_document(desk: FaultDesk) -> dict[str, Any]:
    """Return which faults there are now, and which there may be."""
    return {
        "active": {word: list(values) for word, values in desk.active().items()},
        "known": {
            kind.word: {"type": spelling(kind), "effect": kind.effect} for kind in desk.kinds
        },
    }


def _changing(desk: FaultDesk, change: Callable[[str], None]) -> Callable[[str], dict[str, Any]]:
    def act(text: str) -> dict[str, Any]:
        try:
            change(text)
        except UsageError as error:
            raise UnsupportedRequestError(str(error), hint=error.hint) from error
        return faults_document(desk)

    return act


def _mend(desk: FaultDesk, text: str) -> None:
    if text.strip():
        desk.mend(text.strip().lower())
    else:
        desk.mend_all()
