"""How bright the sky is, from daylight through twilight to night."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import cos, log10, pi, radians, sin

from calibstudio.devices.simulator.optics import Filter
from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.sun import sun_altitude_deg

PATAT = {
    "U": (11.78, 1.376, -0.039),
    "B": (11.84, 1.411, -0.041),
    "V": (11.84, 1.518, -0.057),
    "R": (11.40, 1.567, -0.064),
    "I": (10.93, 1.470, -0.062),
}
"""Zenith's brightness a0 + a1 p + a2 p^2 in mag/arcsec2, p = -5 - Sun altitude in degrees."""
NIGHT_MAG = {"U": 21.3, "B": 21.8, "V": 21.0, "R": 20.4, "I": 19.5}
"""The night sky near a small town."""
_P_LAST = 10.0
_DAY_SLOPE_ENDS_DEG = 6.0

PHOTONS_MAG0 = 1000.0
"""Photons per second, cm2 and angstrom from a star of magnitude 0."""
L_WIDTH_ANGSTROM = 3000.0
EFFICIENCY = 0.64
"""Optics and sensor together."""


def sky_mag_per_arcsec2(sun_altitude_deg: float, band: str = "V") -> float:
    """Return the surface brightness of the sky near the zenith for an altitude of the Sun.

    Notes
    -----
    From -5 to -15 degrees: Patat et al. (2006), A&A 455, 385, whose slope halves over the window
    that serves for flats. Above -5 degrees the slope goes on, falling in a straight line to zero
    at +6 degrees, where it is day. The light of the night is added to all.
    """
    a0, a1, a2 = PATAT[band]
    p = -5.0 - sun_altitude_deg
    if p >= 0.0:
        q = min(p, _P_LAST)
        slope = max(0.0, a1 + 2.0 * a2 * q)
        mag = a0 + a1 * q + a2 * q * q + slope * (p - q)
    else:
        reach = 5.0 + _DAY_SLOPE_ENDS_DEG
        up = min(-p, reach)
        mag = a0 - a1 * (up - 0.5 * up * up / reach)
    total = 10.0 ** (-0.4 * mag) + 10.0 ** (-0.4 * NIGHT_MAG[band])
    return -2.5 * log10(total)


def zero_point_e_per_s(optics: Optics, filter_: Filter) -> float:
    """Return the electrons per second of a star of magnitude 0 behind this filter."""
    diameter_cm = (optics.aperture_mm or 100.0) / 10.0
    area_cm2 = 0.25 * pi * diameter_cm**2 * 0.88
    return area_cm2 * PHOTONS_MAG0 * L_WIDTH_ANGSTROM * EFFICIENCY * filter_.sky


def pixel_arcsec(optics: Optics, pixel_size_um: float) -> float:
    """Return the side of a pixel on the sky."""
    return 206.265 * pixel_size_um / (optics.focal_length_mm or 1000.0)


def sky_e_per_s(
    start: datetime, seconds: float, site: Site, optics: Optics, pixel_um: float, filter_: Filter
) -> float:
    """Return the sky's electrons per second and pixel, averaged over an exposure.

    Simpson's rule over steps of at most 15 s, in which the twilight changes by 5 %.
    """
    steps = 2 * max(1, min(120, round(seconds / 30.0)))
    scale = zero_point_e_per_s(optics, filter_) * pixel_arcsec(optics, pixel_um) ** 2
    total = 0.0
    for i in range(steps + 1):
        moment = start + timedelta(seconds=seconds * i / steps)
        mag = sky_mag_per_arcsec2(sun_altitude_deg(moment, site), filter_.band)
        weight = 1.0 if i in (0, steps) else 4.0 if i % 2 else 2.0
        total += weight * 10.0 ** (-0.4 * mag)
    return scale * total / (3.0 * steps)


def gradient_per_deg(
    altitude_deg: float, azimuth_deg: float, sun_azimuth_deg: float
) -> tuple[float, float]:
    """Return the sky's relative gradient along azimuth and altitude, per degree of field.

    Zero at 12 degrees from the zenith away from the Sun (Chromey & Hasselbacher 1996, PASP 108,
    944), growing with the distance from there.
    """

    def flat(altitude: float, azimuth: float) -> tuple[float, float]:
        distance = 90.0 - altitude
        turn = radians(azimuth - sun_azimuth_deg)
        return distance * sin(turn), distance * cos(turn)

    x, y = flat(altitude_deg, azimuth_deg)
    null_x, null_y = flat(78.0, sun_azimuth_deg + 180.0)
    slope = 0.0012
    return slope * (x - null_x), -slope * (y - null_y)
