"""Where the Sun is: its altitude at a site, and when it next reaches one.

Used for twilight flats, for the status bar, and by the simulated sky.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import asin, atan2, cos, degrees, radians, sin

from calibstudio.domain.equipment import Site

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_SCAN_STEP = timedelta(minutes=5)


def _days_since_j2000(moment: datetime) -> float:
    """Days since 2000-01-01 12:00 UTC; the difference from UT1 and TT (about 70 s) is ignored."""
    return (moment.astimezone(UTC) - _J2000).total_seconds() / 86400.0


def sidereal_deg(moment: datetime, longitude_deg: float) -> float:
    """Return the mean sidereal time of a longitude (east positive) in degrees, 0 to 360.

    Notes
    -----
    Meeus (1998), *Astronomical Algorithms*, equation 12.4.
    """
    days = _days_since_j2000(moment)
    centuries = days / 36525.0
    greenwich = 280.46061837 + 360.98564736629 * days + 0.000387933 * centuries**2
    return (greenwich + longitude_deg) % 360.0


def sun_equatorial_deg(moment: datetime) -> tuple[float, float]:
    """Return the apparent right ascension and declination of the Sun, in degrees.

    Notes
    -----
    Meeus (1998), *Astronomical Algorithms*, chapter 25, lower accuracy: 0.01 degrees.
    """
    t = _days_since_j2000(moment) / 36525.0
    mean_longitude = 280.46646 + t * (36000.76983 + t * 0.0003032)
    anomaly = radians((357.52911 + t * (35999.05029 - t * 0.0001537)) % 360.0)
    centre = (
        (1.914602 - t * (0.004817 + t * 0.000014)) * sin(anomaly)
        + (0.019993 - t * 0.000101) * sin(2.0 * anomaly)
        + 0.000289 * sin(3.0 * anomaly)
    )
    node = radians((125.04 - 1934.136 * t) % 360.0)
    longitude = radians((mean_longitude + centre - 0.00569 - 0.00478 * sin(node)) % 360.0)
    obliquity = radians(23.4392911 - 0.0130042 * t + 0.00256 * cos(node))
    ra = atan2(cos(obliquity) * sin(longitude), cos(longitude))
    return degrees(ra) % 360.0, degrees(asin(sin(obliquity) * sin(longitude)))


def horizontal_deg(
    ra_deg: float, dec_deg: float, moment: datetime, site: Site
) -> tuple[float, float]:
    """Return altitude and azimuth (from north through east) of a direction, in degrees.

    Geometric: refraction is not applied.
    """
    hour_angle = radians(sidereal_deg(moment, site.longitude_deg) - ra_deg)
    dec, latitude = radians(dec_deg), radians(site.latitude_deg)
    up = sin(latitude) * sin(dec) + cos(latitude) * cos(dec) * cos(hour_angle)
    east = -cos(dec) * sin(hour_angle)
    north = cos(latitude) * sin(dec) - sin(latitude) * cos(dec) * cos(hour_angle)
    return degrees(asin(max(-1.0, min(1.0, up)))), degrees(atan2(east, north)) % 360.0


def equatorial_deg(
    altitude_deg: float, azimuth_deg: float, sidereal: float, site: Site
) -> tuple[float, float]:
    """Return right ascension and declination of a direction, in degrees."""
    alt, az, lat = radians(altitude_deg), radians(azimuth_deg), radians(site.latitude_deg)
    sin_dec = sin(lat) * sin(alt) + cos(lat) * cos(alt) * cos(az)
    east, north = cos(alt) * sin(az), cos(alt) * cos(az)
    hour_angle = atan2(-east, cos(lat) * sin(alt) - sin(lat) * north)
    return (sidereal - degrees(hour_angle)) % 360.0, degrees(asin(max(-1.0, min(1.0, sin_dec))))


def sun_horizontal_deg(moment: datetime, site: Site) -> tuple[float, float]:
    """Return altitude and azimuth (from north through east) of the Sun's centre, in degrees."""
    return horizontal_deg(*sun_equatorial_deg(moment), moment, site)


def sun_altitude_deg(moment: datetime, site: Site) -> float:
    """Return the geometric altitude of the Sun's centre, in degrees; within 0.02 of the truth.

    Parameters
    ----------
    moment
        Any time with a zone.
    site
        Where; the elevation does not matter here.

    Notes
    -----
    Meeus (1998), *Astronomical Algorithms*, chapters 12, 13 and 25. Refraction (0.5 degrees at
    the horizon, nothing that matters below it) is left out, as twilight laws leave it out.
    """
    return sun_horizontal_deg(moment, site)[0]


def next_sun_crossing(
    after: datetime, site: Site, altitude_deg: float, *, rising: bool, within_h: float = 26.0
) -> datetime | None:
    """Return when the Sun's centre next passes an altitude upwards or downwards.

    Returns
    -------
    datetime or None
        UTC, to the second; None when it does not happen within ``within_h`` hours (high
        latitudes).
    """
    sign = 1.0 if rising else -1.0

    def excess(moment: datetime) -> float:
        return sign * (sun_altitude_deg(moment, site) - altitude_deg)

    early = after.astimezone(UTC)
    last = early + timedelta(hours=within_h)
    before = excess(early)
    while early < last:
        late = early + _SCAN_STEP
        now = excess(late)
        if before < 0.0 <= now:
            return _bisect(early, late, excess_sign=sign, site=site, altitude_deg=altitude_deg)
        early, before = late, now
    return None


def _bisect(
    early: datetime, late: datetime, *, excess_sign: float, site: Site, altitude_deg: float
) -> datetime:
    """Halve the interval down to a second."""
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if excess_sign * (sun_altitude_deg(middle, site) - altitude_deg) < 0.0:
            early = middle
        else:
            late = middle
    return late
