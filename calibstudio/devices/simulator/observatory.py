"""Makes the simulated observatory: the default at first start, and the truth for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from calibstudio.devices.simulator.camera import SimulatedCamera
from calibstudio.devices.simulator.clock import SimulatedClock
from calibstudio.devices.simulator.faults import FaultBox, Faults, SimulatedFaults
from calibstudio.devices.simulator.mount import SimulatedMount
from calibstudio.devices.simulator.optics import FILTERS
from calibstudio.devices.simulator.panel import SimulatedPanel
from calibstudio.devices.simulator.safety import SimulatedSafety
from calibstudio.devices.simulator.sensor import SensorTruth, modes_for, on_scale
from calibstudio.devices.simulator.wheel import SimulatedWheel
from calibstudio.devices.simulator.world import World
from calibstudio.domain.equipment import Observatory, Optics, Site
from calibstudio.domain.errors import UsageError

SITE = Site(
    name="Simulated observatory",
    latitude_deg=48.1,
    longitude_deg=11.6,
    elevation_m=520.0,
    timezone="Europe/Berlin",
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A simulated camera and the telescope that suits it."""

    title: str
    shape: tuple[int, int]
    focal_length_mm: float
    """At f/5, so that twilight is the same for all."""
    bayer: str | None = None
    has_wheel: bool = True
    delivered_bits: int = 16

    def optics(self) -> Optics:
        """The telescope."""
        aperture = self.focal_length_mm / 5.0
        return Optics(
            telescope=f"Simulated {aperture:.0f} mm f/5",
            focal_length_mm=self.focal_length_mm,
            aperture_mm=aperture,
        )


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "mono24": Preset("Simulated 24 MP mono", (4000, 6000), 1000.0),
        "small": Preset("Simulated 1.4 MP mono", (1040, 1392), 300.0),
        "tiny": Preset("Simulated 0.3 MP mono", (480, 640), 150.0),
        "bayer24": Preset(
            "Simulated 24 MP colour", (4000, 6000), 1000.0, bayer="RGGB", has_wheel=False
        ),
        "mono12": Preset("Simulated 1.2 MP mono, 12 bit", (960, 1280), 300.0, delivered_bits=12),
        "bayer14": Preset(
            "Simulated 1.4 MP colour, 14 bit",
            (1040, 1392),
            300.0,
            bayer="RGGB",
            has_wheel=False,
            delivered_bits=14,
        ),
        "mono61": Preset("Simulated 61 MP mono", (6388, 9576), 1000.0),
    }
)
"""The cameras on offer, by the word that chooses them."""


@dataclass(frozen=True, slots=True)
class SimulatedObservatory(Observatory):
    """An observatory whose truth can be asked for and whose faults can be chosen."""

    world: World | None = None

    def set_faults(self, faults: Faults) -> None:
        """Put this out of order, and mend everything else."""
        if self.world is not None:
            self.world.set_faults(faults)


def simulated_observatory(
    preset: str = "mono24",
    *,
    seed: int = 1,
    speed: float = 1.0,
    start: datetime | None = None,
    faults: Faults | None = None,
    cover_open: bool = False,
    first_frame: int = 1,
) -> SimulatedObservatory:
    """Make a simulated observatory. Quick: pixels are only thought of when they are exposed.

    Parameters
    ----------
    preset
        One of `PRESETS`.
    seed
        The same seed gives the same sensor, sky and noise.
    speed
        Observatory seconds in a real second; ``inf`` for as fast as the work allows.
    start
        What its clock shows first, with a zone; the real time when left out.
    faults
        What is out of order from the beginning.
    cover_open
        The cover is closed and the lamp off unless this is set.
    first_frame
        Sequence number of the first exposure. Noise belongs to it: two sessions that count on
        from each other never take the same picture twice.

    Raises
    ------
    UsageError
        There is no such preset.
    """
    if preset not in PRESETS:
        raise UsageError(
            f"There is no simulated camera “{preset}”.", hint=f"Choose one of {', '.join(PRESETS)}."
        )
    chosen = PRESETS[preset]
    clock = SimulatedClock(start, speed)
    optics = chosen.optics()
    truth = SensorTruth(
        shape=chosen.shape, bayer=chosen.bayer, modes=modes_for(chosen.shape), seed=seed
    )
    box = FaultBox(faults)
    if chosen.delivered_bits != truth.delivered_bits:
        truth = on_scale(truth, chosen.delivered_bits)
    wheel = (
        SimulatedWheel(clock, FILTERS, name="Simulated filter wheel", faults=box)
        if chosen.has_wheel
        else None
    )
    panel = SimulatedPanel(clock, name="Simulated flat panel", cover_open=cover_open, faults=box)
    mount = SimulatedMount(clock, SITE, name="Simulated mount")
    world = World(clock, SITE, optics, truth, panel=panel, mount=mount, wheel=wheel, faults=box)
    return SimulatedObservatory(
        name="Simulated observatory",
        camera=SimulatedCamera(truth, world, name=chosen.title, first_frame=first_frame),
        clock=clock,
        optics=optics,
        site=SITE,
        wheel=wheel,
        panel=panel,
        mount=mount,
        safety=SimulatedSafety(box, name="Simulated safety monitor"),
        is_simulated=True,
        faults=SimulatedFaults(box),
        world=world,
    )
