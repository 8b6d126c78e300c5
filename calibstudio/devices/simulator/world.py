"""What all simulated devices share: time, place, weather, light, and what is out of order."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin, sqrt

from calibstudio.devices.simulator import random_tables as tables
from calibstudio.devices.simulator.clock import SimulatedClock
from calibstudio.devices.simulator.faults import FaultBox, Faults
from calibstudio.devices.simulator.light import Light, StarField
from calibstudio.devices.simulator.mount import SimulatedMount
from calibstudio.devices.simulator.optics import NO_FILTER, PANEL_CURVATURE, PANEL_TILT, Filter
from calibstudio.devices.simulator.panel import SimulatedPanel
from calibstudio.devices.simulator.sensor import SensorTruth
from calibstudio.devices.simulator.sky import (
    gradient_per_deg,
    pixel_arcsec,
    sky_e_per_s,
    zero_point_e_per_s,
)
from calibstudio.devices.simulator.wheel import SimulatedWheel
from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.sun import sun_horizontal_deg

PANEL_FULL_E_PER_S = 23_000.0
"""Full lamp through L on a pixel of 3.76 um: 32 000 ADU at gain 100 in a third of a second."""
SIDEREAL_ARCSEC_PER_S = 15.041
_FLICKER = 31


def panel_full_e_per_s(truth: SensorTruth) -> float:
    """Return the light of the full lamp on a pixel of this sensor, without a filter."""
    return float(PANEL_FULL_E_PER_S * (truth.pixel_size_um / 3.76) ** 2)


@dataclass(frozen=True, slots=True)
class Weather:
    """Air temperature over the day, degrees C: warmest at 15 h local solar time."""

    mean_c: float = 11.0
    swing_c: float = 4.0


class World:
    """The simulated world around the camera. Safe to use from any thread."""

    def __init__(
        self,
        clock: SimulatedClock,
        site: Site,
        optics: Optics,
        truth: SensorTruth,
        *,
        panel: SimulatedPanel,
        mount: SimulatedMount,
        wheel: SimulatedWheel | None = None,
        weather: Weather | None = None,
        faults: FaultBox | None = None,
    ) -> None:
        self.clock, self.site, self.optics, self.truth = clock, site, optics, truth
        self.panel, self.mount, self.wheel = panel, mount, wheel
        self.weather = weather or Weather()
        self._faults = faults or FaultBox()

    @property
    def faults(self) -> Faults:
        """What is out of order now."""
        return self._faults.now

    def set_faults(self, faults: Faults) -> None:
        """Put this out of order, and mend everything else."""
        self._faults.set(faults)

    def ambient_c(self, elapsed_s: float) -> float:
        """Air temperature at a moment of the clock."""
        moment = self.clock.at(elapsed_s)
        hours = moment.hour + moment.minute / 60.0 + moment.second / 3600.0
        solar = hours + self.site.longitude_deg / 15.0
        swing = self.weather.swing_c * cos((solar - 15.0) * pi / 12.0)
        return self.weather.mean_c + swing

    def filter(self) -> Filter | None:
        """The filter in the beam; None while the wheel turns."""
        return NO_FILTER if self.wheel is None else self.wheel.filter()

    def light(self, start_s: float, end_s: float, frame_number: int) -> Light:
        """Return the light of an exposure, as far as it is known by now."""
        seconds = max(end_s - start_s, 0.0)
        faults = self.faults
        lamp, duty, open_share = self.panel.exposure(start_s, end_s)
        chosen = self.filter()
        if chosen is None:
            return Light(leak_e=faults.light_leak_e_per_s * seconds)
        lamp_e = panel_full_e_per_s(self.truth) * chosen.panel * lamp * seconds
        lamp_e *= self._flicker(frame_number, faults.lamp_flicker)
        leak = faults.light_leak_e_per_s * seconds * (1.0 - open_share)
        switching_hz = faults.lamp_bands_hz or self.panel.FLICKER_HZ
        if open_share <= 0.0:
            return Light(
                filter=chosen,
                smooth_e=lamp_e,
                gradient_x=PANEL_TILT[0],
                gradient_y=PANEL_TILT[1],
                curvature=PANEL_CURVATURE,
                flicker_hz=switching_hz if lamp_e > 0.0 else 0.0,
                flicker_duty=duty,
                leak_e=leak,
            )
        return self._sky_light(chosen, start_s, seconds, open_share, lamp_e, leak)

    def _sky_light(
        self,
        chosen: Filter,
        start_s: float,
        seconds: float,
        share: float,
        lamp_e: float,
        leak: float,
    ) -> Light:
        """Light through the open cover; the stray light of the lamp comes on top."""
        start, middle = self.clock.at(start_s), self.clock.at(start_s + 0.5 * seconds)
        pixel_um = self.truth.pixel_size_um
        rate = sky_e_per_s(start, seconds, self.site, self.optics, pixel_um, chosen)
        sky_e = rate * seconds * share
        where = self.mount.status()
        _, sun_azimuth = sun_horizontal_deg(middle, self.site)
        along_az, along_alt = gradient_per_deg(where.altitude_deg, where.azimuth_deg, sun_azimuth)
        half_deg = self._half_diagonal_deg()
        ra, dec = self.mount.pointing_deg(start_s + 0.5 * seconds)
        drift = 0.0
        if not self.mount.is_tracking:
            arcsec = SIDEREAL_ARCSEC_PER_S * seconds * cos(radians(dec))
            drift = arcsec / pixel_arcsec(self.optics, pixel_um)
        return Light(
            filter=chosen,
            smooth_e=sky_e + lamp_e,
            gradient_x=_bounded(along_az * half_deg),
            gradient_y=_bounded(along_alt * half_deg),
            leak_e=leak,
            stars=StarField(
                ra_deg=ra,
                dec_deg=dec,
                home_deg=self.mount.home_deg,
                pixel_arcsec=pixel_arcsec(self.optics, pixel_um),
                drift_x_px=drift,
                drift_y_px=0.0,
                zero_point_e=zero_point_e_per_s(self.optics, chosen) * seconds * share,
            ),
        )

    def _half_diagonal_deg(self) -> float:
        ny, nx = self.truth.shape
        scale = pixel_arcsec(self.optics, self.truth.pixel_size_um)
        return 0.5 * hypot(nx, ny) * scale / 3600.0

    def _flicker(self, frame_number: int, scatter: float) -> float:
        """A lamp that flickers: a slow swing and a jump, new in each frame, of this scatter."""
        if scatter <= 0.0:
            return 1.0
        phase = tables.mixed(self.truth.seed, _FLICKER, frame_number) / 2.0**64
        return max(0.05, 1.0 + scatter * sqrt(2.0) * sin(2.0 * pi * phase))


def _bounded(gradient: float) -> float:
    """No sky is so steep that one side of the field would be dark."""
    return max(-0.3, min(0.3, gradient))
