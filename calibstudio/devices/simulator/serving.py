"""What the simulated observatory offers over Alpaca beyond the equipment protocols."""

from __future__ import annotations

from calibstudio.devices.alpaca_server.server import Extras
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.devices.simulator.sky import sky_mag_per_arcsec2
from calibstudio.devices.simulator.world import World
from calibstudio.domain.sun import sun_altitude_deg


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
    """Return weather, truth and faults of a simulated observatory for its server."""
    world = observatory.world
    if world is None:
        return Extras()
    return Extras(
        weather=SimulatedWeather(world),
        is_safe=lambda: not world.faults.unsafe,
        # A client that knows it does not take early pictures for those of an earlier exposure.
        camera_actions={"ClockSpeed": lambda _: str(world.clock.speed)},
    )
