"""The observing night: the local date from noon to noon at the site.

Times are kept in UTC. A night is named by the date of the noon that opens it, so that one night
is one night across midnight UTC, at the date line, and on the days the clocks change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from calibstudio.domain.equipment import Site
from calibstudio.domain.wording import number

NOON = time(12)
HALF_DAY = timedelta(hours=12)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Night:
    """One observing night, half-open: from ``start_utc`` up to, not including, ``end_utc``."""

    date: date
    """Local date of the noon that opens it."""
    start_utc: datetime
    end_utc: datetime
    basis: str
    """What decided, as words: ``time zone Europe/Berlin``, ``longitude 11.6°``."""


def night_of(
    moment: datetime,
    *,
    site: Site | None = None,
    longitude_deg: float | None = None,
    zone: tzinfo | None = None,
) -> date:
    """Return the date of the observing night that holds a moment (see `observing_night`)."""
    return _rule(site, longitude_deg, zone).night(moment)


def observing_night(
    moment: datetime,
    *,
    site: Site | None = None,
    longitude_deg: float | None = None,
    zone: tzinfo | None = None,
) -> Night:
    """Return the observing night that holds a moment.

    Parameters
    ----------
    moment
        With zone.
    site
        Its time zone decides, with the summer time of that instant; without one its longitude.
    longitude_deg
        East positive; used when the site is not known (local mean solar time, longitude / 15).
    zone
        The user's time zone, used when nothing else is known; None: this computer's.
    """
    rule = _rule(site, longitude_deg, zone)
    day = rule.night(moment)
    end = rule.noon_utc(day + DAY)
    if end <= moment:
        # A date that the site skipped (the date line was moved): the night ends a day later.
        end = rule.noon_utc(day + 2 * DAY)
    return Night(day, rule.noon_utc(day), end, rule.basis)


def night_of_written(
    moment: datetime,
    *,
    site: Site | None = None,
    longitude_deg: float | None = None,
    zone: tzinfo | None = None,
) -> date:
    """Return the night of a time that somebody wrote without a zone, in a name of a file.

    Programs write UTC or local time. It is taken for UTC, unless that would be the site's day
    while the same digits as local time are its night: few frames are taken at noon.
    """
    rule = _rule(site, longitude_deg, zone)
    if moment.tzinfo is not None:
        return rule.night(moment)
    as_utc = moment.replace(tzinfo=UTC)
    if _is_daytime(rule.local(as_utc)) and not _is_daytime(moment):
        return (moment - HALF_DAY).date()
    return rule.night(as_utc)


def _is_daytime(local: datetime) -> bool:
    return 6 <= local.hour < 18


def night_basis(site: Site | None = None, longitude_deg: float | None = None) -> str:
    """Say what decides the night, as words for a person."""
    return _rule(site, longitude_deg, None).basis


@dataclass(frozen=True, slots=True)
class _Rule:
    """How local time follows from UTC."""

    zone: tzinfo | None
    """A time zone; None: local mean time, or this computer's zone."""
    offset: timedelta | None
    """Local mean time minus UTC; None with a zone."""
    basis: str

    def local(self, moment: datetime) -> datetime:
        """Wall clock, without zone."""
        if self.offset is not None:
            return moment.astimezone(UTC).replace(tzinfo=None) + self.offset
        # `astimezone(None)` asks the system for its offset at that instant, not for today's.
        return moment.astimezone(self.zone).replace(tzinfo=None)

    def noon_utc(self, day: date) -> datetime:
        """The instant of local noon."""
        noon = datetime.combine(day, NOON)
        if self.offset is not None:
            return (noon - self.offset).replace(tzinfo=UTC)
        if self.zone is None:
            return noon.astimezone().astimezone(UTC)
        return noon.replace(tzinfo=self.zone).astimezone(UTC)

    def night(self, moment: datetime) -> date:
        """The date of the last local noon that is not after the moment."""
        if moment.tzinfo is None:
            raise ValueError("a moment needs its zone")
        day = (self.local(moment) - HALF_DAY).date()
        if self.offset is None and not self._has_noon(day):
            day -= DAY
        return day

    def _has_noon(self, day: date) -> bool:
        """Whether this date has a noon here: a site that crossed the date line skipped one."""
        return self.local(self.noon_utc(day)) == datetime.combine(day, NOON)


@lru_cache(maxsize=256)
def _rule(site: Site | None, longitude_deg: float | None, zone: tzinfo | None) -> _Rule:
    """Choose what decides: the site's time zone, its longitude, the longitude, the user's zone."""
    if site is not None and site.timezone:
        known = _zone(site.timezone)
        if known is not None:
            return _Rule(known, None, f"time zone {site.timezone}")
    if site is not None:
        longitude_deg = site.longitude_deg
    if longitude_deg is not None:
        shown = (longitude_deg + 180.0) % 360.0 - 180.0
        return _Rule(None, timedelta(hours=shown / 15.0), f"longitude {number(shown, 1)}°")
    name = getattr(zone, "key", None)
    return _Rule(zone, None, f"your time zone {name}" if name else "this computer's time zone")


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo | None:
    """A time zone by its IANA name; None when there is no such zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
