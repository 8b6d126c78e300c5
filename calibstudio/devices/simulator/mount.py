"""A telescope mount that points, tracks and slews."""

from __future__ import annotations

import threading
from math import acos, cos, degrees, radians, sin

from calibstudio.devices.simulator.clock import SimulatedClock
from calibstudio.domain.equipment import MountStatus, Site
from calibstudio.domain.errors import DeviceBusyError, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.sun import equatorial_deg, horizontal_deg, sidereal_deg
from calibstudio.domain.wording import number


def separation_deg(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the angle between two directions (longitude, latitude), in degrees."""
    (x1, y1), (x2, y2) = ((radians(v) for v in a), (radians(v) for v in b))
    cosine = sin(y1) * sin(y2) + cos(y1) * cos(y2) * cos(x1 - x2)
    return degrees(acos(max(-1.0, min(1.0, cosine))))


class SimulatedMount:
    """An equatorial mount. Without tracking the stars drift through the picture.

    Parameters
    ----------
    clock, site
        Time and place.
    name
        What the driver calls it.
    hour_angle_deg, dec_deg
        Where it looks when it is made, tracking.
    """

    SLEW_DEG_PER_S = 4.0
    SETTLE_S = 1.0
    LOWEST_DEG = 10.0

    def __init__(
        self,
        clock: SimulatedClock,
        site: Site,
        *,
        name: str,
        hour_angle_deg: float = -12.0,
        dec_deg: float = 47.0,
    ) -> None:
        self._clock, self._site, self._name = clock, site, name
        self._lock = threading.Lock()
        self._slewing = threading.Lock()
        sidereal = sidereal_deg(clock.now(), site.longitude_deg)
        self._ra_deg, self._dec_deg = (sidereal - hour_angle_deg) % 360.0, dec_deg
        self._hour_angle_deg: float | None = None
        self.home_deg = (self._ra_deg, self._dec_deg)

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return self._name

    def status(self) -> MountStatus:
        """Read where it looks."""
        altitude, azimuth = horizontal_deg(*self.pointing_deg(), self._clock.now(), self._site)
        with self._lock:
            tracking = self._hour_angle_deg is None
        return MountStatus(altitude, azimuth, tracking=tracking, parked=False)

    @property
    def is_tracking(self) -> bool:
        """Whether it follows the stars."""
        with self._lock:
            return self._hour_angle_deg is None

    def pointing_deg(self, elapsed_s: float | None = None) -> tuple[float, float]:
        """Return right ascension and declination of where it looks, now or at another moment."""
        moment = self._clock.now() if elapsed_s is None else self._clock.at(elapsed_s)
        with self._lock:
            if self._hour_angle_deg is None:
                return self._ra_deg, self._dec_deg
            sidereal = sidereal_deg(moment, self._site.longitude_deg)
            return (sidereal - self._hour_angle_deg) % 360.0, self._dec_deg

    def set_tracking(self, on: bool) -> None:
        """Follow the stars, or stand still."""
        ra, dec = self.pointing_deg()
        sidereal = sidereal_deg(self._clock.now(), self._site.longitude_deg)
        with self._lock:
            self._ra_deg, self._dec_deg = ra, dec
            self._hour_angle_deg = None if on else (sidereal - ra) % 360.0

    def slew(self, altitude_deg: float, azimuth_deg: float, cancel: CancelToken) -> None:
        """Point there, track, and return when done. Cancelled, it stays where it was before."""
        if not self.LOWEST_DEG <= altitude_deg <= 90.0:
            raise UnsupportedRequestError(
                f"{self._name} cannot point to an altitude of {number(altitude_deg)}°.",
                hint=f"Choose an altitude from {number(self.LOWEST_DEG)}° to 90°.",
            )
        if not self._slewing.acquire(blocking=False):
            raise DeviceBusyError(f"{self._name} is already slewing.")
        try:
            now = self.status()
            way = separation_deg((now.azimuth_deg, now.altitude_deg), (azimuth_deg, altitude_deg))
            self._clock.sleep(way / self.SLEW_DEG_PER_S + self.SETTLE_S, cancel)
            sidereal = sidereal_deg(self._clock.now(), self._site.longitude_deg)
            target = equatorial_deg(altitude_deg, azimuth_deg, sidereal, self._site)
            with self._lock:
                self._ra_deg, self._dec_deg = target
                self._hour_angle_deg = None
        finally:
            self._slewing.release()
