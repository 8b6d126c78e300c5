"""When the twilight sky will suit each filter: an estimate before anything was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, pi

from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.sun import sun_altitude_deg
from calibstudio.domain.twilight import (
    SkyFit,
    SkySample,
    Twilight,
    filter_width_angstrom,
    prior_log_rate,
)

PHOTONS_MAG0 = 1000.0
"""Photons per second, cm2 and angstrom from magnitude 0 in V."""
EFFICIENCY = 0.5
"""Optics and sensor together, as a rule."""
ARCSEC_PER_UM_MM = 206.265


@dataclass(frozen=True, slots=True)
class FilterWindow:
    """When flats through a filter can begin and must end, UTC; None: not within a day."""

    filter: str
    begins: datetime | None
    ends: datetime | None
    sun_deg: float | None
    """Altitude of the Sun when it begins."""


def sky_windows(
    filters: Sequence[str],
    twilight: Twilight,
    *,
    now: datetime,
    site: Site,
    optics: Optics,
    pixel_um: float,
    signal_e: float,
    limits_s: tuple[float, float],
    measured_e: Mapping[str, float] | None = None,
) -> list[FilterWindow]:
    """Return when each filter has light for a signal within the shortest and longest exposure.

    From what was measured on an earlier twilight, else from the telescope's aperture and scale
    and the usual width of such a filter: right to a few minutes. A window that is open begins now.

    Parameters
    ----------
    measured_e
        Electrons per second and pixel over the law's brightness (`SkyFit.rate_over_law`), of the
        filters for which it is known.

    Raises
    ------
    ValueError
        A filter was not measured, and focal length or aperture are not known.
    """
    known = measured_e or {}
    scale = 0.0
    if any(name not in known for name in filters):
        if not optics.aperture_mm or not optics.focal_length_mm:
            raise ValueError("the telescope's aperture and focal length are not known")
        area_cm2 = 0.25 * pi * (optics.aperture_mm / 10.0) ** 2
        pixel_arcsec = ARCSEC_PER_UM_MM * pixel_um / optics.focal_length_mm
        scale = area_cm2 * pixel_arcsec**2 * PHOTONS_MAG0 * EFFICIENCY
    law = exp(prior_log_rate(sun_altitude_deg(now, site)))
    shortest_s, longest_s = limits_s
    is_dusk = twilight is Twilight.DUSK
    first_s, last_s = (shortest_s, longest_s) if is_dusk else (longest_s, shortest_s)
    windows = []
    for name in filters:
        rate = known.get(name, scale * filter_width_angstrom(name)) * law
        fit = SkyFit(site, [SkySample(now, rate)])
        begins = fit.when(signal_e / first_s, now, twilight)
        ends = fit.when(signal_e / last_s, now, twilight)
        if begins is None or ends is None:
            begins = ends = None
        elif ends < begins:
            begins = now  # it began before now, and is not over
        sun = None if begins is None else sun_altitude_deg(begins, site)
        windows.append(FilterWindow(name, begins, ends, sun))
    return windows
