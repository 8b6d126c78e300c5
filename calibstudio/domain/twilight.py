"""The sky of dusk and dawn as a light for flats: how bright, how fast, which filter first.

Rates are raw signal above the bias per second of exposure; the unit (ADU or electrons) does not
matter here. ``kappa`` is the relative change per second, positive where the sky fades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import exp, expm1, log, log1p

from calibstudio.domain.equipment import Site
from calibstudio.domain.filters import filter_key
from calibstudio.domain.sun import next_sun_crossing, sun_altitude_deg

V_ZENITH = (11.84, 1.518, -0.057)
"""a0 + a1 p + a2 p^2 in mag/arcsec2, p = -5 - altitude of the Sun in degrees."""
NIGHT_MAG = 21.0
LAW_UP_TO_P = 10.0
DAY_FROM_DEG = 6.0
LN_OF_MAG = 0.4 * log(10.0)

FIT_FRAMES = 5
"""The newest frames that the sky is fitted to: its slope halves over the useful window."""
FIT_SPAN_S = 20.0
STEEPEST_OFF = 0.003
"""By how much per second the fitted slope may differ from the prior's."""
SLOPE_HOLDS_S = 120.0
"""So long after the newest frame its slope is believed; then the prior's."""
PATIENCE_S = 3 * 3600.0
"""Light that is further ahead is not waited for."""
LAST_DUSK_DEG, LAST_DAWN_DEG = -8.0, -1.0
"""Altitudes of the Sun at which the light of a twilight is over for most filters."""
SUN_FROM_DEG, SUN_TO_DEG = -18.0, DAY_FROM_DEG

_NARROW = ("oiii", "hb", "ha", "nii", "sii")
_BROAD = ("u", "b", "g", "v", "r", "i", "z")
_OPEN = ("l", "clear", "none", "c", "")


class Twilight(StrEnum):
    """Which end of the night."""

    DUSK = "dusk"
    DAWN = "dawn"

    @property
    def other(self) -> Twilight:
        """The other end of the night."""
        return Twilight.DAWN if self is Twilight.DUSK else Twilight.DUSK


def twilight_of(moment: datetime, site: Site) -> Twilight:
    """Return dusk where the Sun goes down, dawn where it comes up."""
    later = moment + timedelta(minutes=2)
    falls = sun_altitude_deg(later, site) < sun_altitude_deg(moment, site)
    return Twilight.DUSK if falls else Twilight.DAWN


def next_twilight(moment: datetime, site: Site) -> Twilight:
    """Return the end of the night whose light can still be used, or comes next."""
    last_dusk = next_sun_crossing(moment, site, LAST_DUSK_DEG, rising=False)
    last_dawn = next_sun_crossing(moment, site, LAST_DAWN_DEG, rising=True)
    if last_dusk is None or last_dawn is None:
        return twilight_of(moment, site)
    return Twilight.DUSK if last_dusk < last_dawn else Twilight.DAWN


def in_order_of_light(
    filters: tuple[str, ...], twilight: Twilight, rates: Mapping[str, float] | None = None
) -> tuple[str, ...]:
    """Return filters as the light wants them: at dusk narrow and blue first, at dawn the reverse.

    A filter of unknown name counts as broad, between the colours and no filter at all.

    Parameters
    ----------
    rates
        How fast light comes through some of the filters, in any common unit: those are in the
        order of their rates, at the places that the usual order gives to them.
    """
    ordered = sorted(filters, key=_dimness)
    known = rates or {}
    measured = iter(sorted((f for f in ordered if f in known), key=lambda f: known[f]))
    ordered = [next(measured) if f in known else f for f in ordered]
    return tuple(ordered if twilight is Twilight.DUSK else reversed(ordered))


def _dimness(name: str) -> tuple[int, int]:
    """How early in the evening a filter is used: smaller is earlier."""
    key = filter_key(name).casefold()
    if key == "u":
        return 0, 0
    if key in _NARROW:
        return 1, _NARROW.index(key)
    if key in _OPEN:
        return 4, 0
    words = {"blue": "b", "green": "g", "red": "r"}
    key = words.get(key, key.rstrip("'"))
    return (2, _BROAD.index(key)) if key in _BROAD else (3, 0)


def filter_width_angstrom(name: str) -> float:
    """Return the usual width of such a filter, for estimates: 70, 900 or 3000 angstrom."""
    group, _ = _dimness(name)
    return 70.0 if group == 1 else 3000.0 if group == 4 else 900.0


def prior_log_rate(sun_deg: float) -> float:
    """Return the natural logarithm of the sky's brightness at the zenith, from the Sun's altitude.

    Up to a constant of the telescope and filter.

    Notes
    -----
    From -5 to -15 degrees Patat et al. (2006), A&A 455, 385, band V. Above, the slope goes on and
    falls in a straight line to zero at +6 degrees; below, the light of the night is what is left.
    """
    a0, a1, a2 = V_ZENITH
    p = -5.0 - sun_deg
    if p >= 0.0:
        q = min(p, LAW_UP_TO_P)
        mag = a0 + a1 * q + a2 * q * q + max(0.0, a1 + 2.0 * a2 * q) * (p - q)
    else:
        reach = DAY_FROM_DEG + 5.0
        up = min(-p, reach)
        mag = a0 - a1 * (up - 0.5 * up * up / reach)
    return log(exp(-LN_OF_MAG * mag) + exp(-LN_OF_MAG * NIGHT_MAG))


def exposure_for(signal: float, rate: float, kappa: float) -> float | None:
    """Return the exposure that collects a signal from a sky of this rate at its start.

    The integral of rate * exp(-kappa t): t = -ln(1 - signal kappa / rate) / kappa. None: the sky
    fades before so much has come together.
    """
    if rate <= 0.0:
        return None
    share = signal * kappa / rate
    if share >= 1.0:
        return None
    return signal / rate if abs(share) < 1e-9 else -log1p(-share) / kappa


def signal_of(exposure_s: float, rate: float, kappa: float) -> float:
    """Return what an exposure collects from a sky of this rate at its start."""
    x = kappa * exposure_s
    return rate * exposure_s if abs(x) < 1e-9 else rate * -expm1(-x) / kappa


@dataclass(frozen=True, slots=True)
class SkySample:
    """A measured rate and the middle of its exposure."""

    at: datetime
    rate: float


@dataclass(slots=True)
class SkyFit:
    """The sky through one filter: the law of the Sun's altitude, fitted to the newest frames."""

    site: Site
    samples: list[SkySample] = field(default_factory=list)

    def add(self, started: datetime, exposure_s: float, signal: float) -> None:
        """Learn from a frame: its rate belongs to the middle of the exposure."""
        if signal > 0.0 and exposure_s > 0.0:
            middle = started + timedelta(seconds=0.5 * exposure_s)
            self.samples.append(SkySample(middle, signal / exposure_s))

    @property
    def is_known(self) -> bool:
        """Whether anything was measured."""
        return bool(self.samples)

    @property
    def rate_over_law(self) -> float:
        """The rate over the law's brightness: telescope, filter and weather without the Sun."""
        return exp(self._fitted()[0])

    def rate(self, moment: datetime) -> float:
        """Return the rate at a moment; something must be known."""
        return exp(self._prior(moment) + self._above_prior(moment))

    def kappa(self, moment: datetime) -> float:
        """Return the relative change per second: positive where the sky fades."""
        later = moment + timedelta(seconds=20)
        fall = self._prior(moment) - self._prior(later)
        return fall / 20.0 - self._fitted()[1]

    def exposure(self, signal: float, start: datetime) -> float | None:
        """Return the exposure for a signal, begun at a moment; None: too dark for any."""
        return exposure_for(signal, self.rate(start), self.kappa(start))

    def signal(self, exposure_s: float, start: datetime) -> float:
        """Return what an exposure begun at a moment will collect."""
        return signal_of(exposure_s, self.rate(start), self.kappa(start))

    def when(self, rate: float, after: datetime, twilight: Twilight) -> datetime | None:
        """Return when the sky will have this rate at this end of the night; None: not within 26 h.

        From the newest measurement along the law of the Sun's altitude.
        """
        wanted = log(rate) - self._fitted()[0]
        low, high = SUN_FROM_DEG, SUN_TO_DEG
        if not prior_log_rate(low) < wanted < prior_log_rate(high):
            return None
        while high - low > 0.005:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if prior_log_rate(middle) < wanted else (low, middle)
        rising = twilight is Twilight.DAWN
        return next_sun_crossing(after, self.site, 0.5 * (low + high), rising=rising)

    def _prior(self, moment: datetime) -> float:
        return prior_log_rate(sun_altitude_deg(moment, self.site))

    def _above_prior(self, moment: datetime) -> float:
        offset, slope = self._fitted()
        age_s = (moment - self.samples[-1].at).total_seconds()
        return offset + slope * min(age_s, SLOPE_HOLDS_S)

    def _fitted(self) -> tuple[float, float]:
        """Return how far the sky is above the law at the newest sample, and its slope per second.

        A straight line through the last five; fewer than three, or close together: their newest.
        """
        newest = self.samples[-FIT_FRAMES:]
        above = [log(s.rate) - self._prior(s.at) for s in newest]
        times = [(s.at - newest[-1].at).total_seconds() for s in newest]
        if len(newest) < 3 or times[-1] - times[0] < FIT_SPAN_S:
            return above[-1], 0.0
        mean_t, mean_y = sum(times) / len(times), sum(above) / len(above)
        spread = sum((t - mean_t) ** 2 for t in times)
        slope = sum((t - mean_t) * (y - mean_y) for t, y in zip(times, above, strict=True)) / spread
        slope = min(max(slope, -STEEPEST_OFF), STEEPEST_OFF)
        return mean_y - slope * mean_t, slope


def anti_solar(sun_azimuth_deg: float) -> tuple[float, float]:
    """Return altitude and azimuth where the twilight sky is flattest, in degrees.

    12 degrees from the zenith away from the Sun (Chromey & Hasselbacher 1996, PASP 108, 944).
    """
    return 78.0, (sun_azimuth_deg + 180.0) % 360.0
