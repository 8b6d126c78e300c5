"""When a frame was taken: every way in which headers say it, as UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from calibstudio.domain.header import FIRST_YEAR, LAST_YEAR
from calibstudio.store.fits_cards import CardValue
from calibstudio.store.header_values import Lookup, number
from calibstudio.store.header_words import (
    DATE_END,
    DATE_LOCAL,
    DATE_MIDDLE,
    DATE_START,
    JULIAN,
    OLD_DATE,
    TIME_OF_DAY,
)

_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?)?"
    r"\s*(Z|UTC?|[+-]\d{2}:?(?:\d{2})?)?",
    re.IGNORECASE,
)
_OLD = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?!\d)")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?")
_EARLIEST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)


def read_observed(
    lookup: Lookup, exposure_s: float | None, site_zone: str | None
) -> datetime | None:
    """Return the start of the exposure in UTC, and note its origin.

    Asked in this order: DATE-OBS (with TIME-OBS where it holds a date only), Julian dates, the
    middle or end of the exposure, and local time where the site's time zone is known.
    """
    found = (
        _from_start(lookup)
        or _from_julian(lookup)
        or _from_middle_or_end(lookup, exposure_s)
        or _from_local(lookup, site_zone)
    )
    if found is None:
        return None
    keyword, moment = found
    lookup.came_from("observed_utc", keyword)
    _note_other_times(lookup, keyword, moment, exposure_s)
    return moment


def _from_start(lookup: Lookup) -> tuple[str, datetime] | None:
    for keyword in (*DATE_START, *OLD_DATE):
        value = lookup.value(keyword)
        if not isinstance(value, str):
            continue
        parsed = parse_moment(value)
        if parsed is None:
            if value and keyword in ("DATE-OBS", "DATE_OBS", "DATE-BEG"):
                lookup.notes.append(f"{keyword} says {value[:40]}, which is no date of a frame.")
            continue
        moment, has_time = parsed
        if has_time and keyword not in OLD_DATE:
            return keyword, moment
        clock = _time_of_day(lookup)
        if clock is None:
            if keyword in OLD_DATE or any(lookup.value(k) is not None for k in JULIAN):
                continue
            # A date alone is not a time: noon UTC keeps the date, and the note says it.
            lookup.notes.append(f"{keyword} holds a date without a time: the hour is not known.")
            return keyword, moment.replace(hour=12)
        return keyword, datetime.combine(moment.date(), clock[1], UTC)
    return None


def _time_of_day(lookup: Lookup) -> tuple[str, time] | None:
    for keyword in TIME_OF_DAY:
        value = lookup.value(keyword)
        match = _CLOCK.search(value) if isinstance(value, str) else None
        if match is not None:
            made = _clock(match[1], match[2], match[3], match[4])
            if made is not None:
                return keyword, made
    return None


def _from_julian(lookup: Lookup) -> tuple[str, datetime] | None:
    for keyword in JULIAN:
        moment = julian_moment(lookup.value(keyword))
        if moment is not None:
            return keyword, moment
    return None


def julian_moment(value: CardValue) -> datetime | None:
    """Turn a Julian date or modified Julian date into UTC; None when it is neither."""
    days = number(value)
    if days is None:
        return None
    if days > 2_400_000.5:
        days -= 2_400_000.5
    if not 15_020 <= days <= 110_000:
        return None
    return _MJD_ZERO + timedelta(milliseconds=round(days * 86_400_000))


def _from_middle_or_end(lookup: Lookup, exposure_s: float | None) -> tuple[str, datetime] | None:
    if exposure_s is None:
        return None
    for keywords, part in ((DATE_MIDDLE, 0.5), (DATE_END, 1.0)):
        for keyword in keywords:
            value = lookup.value(keyword)
            parsed = parse_moment(value) if isinstance(value, str) else None
            if parsed is not None and parsed[1]:
                return keyword, parsed[0] - timedelta(seconds=part * exposure_s)
    return None


def _from_local(lookup: Lookup, site_zone: str | None) -> tuple[str, datetime] | None:
    for keyword in DATE_LOCAL:
        value = lookup.value(keyword)
        parsed = parse_moment(value) if isinstance(value, str) else None
        if parsed is None or not parsed[1]:
            continue
        if site_zone is None:
            lookup.notes.append(
                f"Only local time is written ({keyword}), and the site's time zone is not known."
            )
            return None
        local = parsed[0].replace(tzinfo=ZoneInfo(site_zone))
        return keyword, local.astimezone(UTC)
    return None


@lru_cache(maxsize=65536)
def parse_moment(value: str) -> tuple[datetime, bool] | None:
    """Read a date with or without a time, ISO or day/month/year.

    Returns
    -------
    (moment in UTC, whether it has a time of day), or None when it is no date.
    """
    match = _ISO.match(value.strip())
    if match is not None:
        day = _date(int(match[1]), int(match[2]), int(match[3]))
        if day is None:
            return None
        if match[4] is None:
            return datetime.combine(day, time(), UTC), False
        seconds = int(match[6] or 0)
        clock = _clock(match[4], match[5], match[6], match[7])
        if clock is None:
            return None
        moment = datetime.combine(day, clock, _zone(match[8]))
        moment += timedelta(seconds=max(0, seconds - 59) if seconds == 60 else 0)
        return _sane(moment.astimezone(UTC), True)
    match = _OLD.match(value.strip())
    if match is not None:
        year = int(match[3])
        # Two digits are the old FITS form, 1900-1999 by the standard; MaxIm writes it on.
        year += 0 if year > 99 else 1900 if year >= 60 else 2000
        day = _date(year, int(match[2]), int(match[1]))
        return None if day is None else (datetime.combine(day, time(), UTC), False)
    return None


def _sane(moment: datetime, has_time: bool) -> tuple[datetime, bool] | None:
    return (moment, has_time) if moment > _EARLIEST else None


def _zone(words: str | None) -> timezone:
    if words is None or words[0] not in "+-":
        return UTC
    digits = words[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
    if offset >= timedelta(hours=24):
        return UTC
    return timezone(-offset if words[0] == "-" else offset)


def _date(year: int, month: int, day: int) -> date | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _clock(hour: str, minute: str, second: str | None, fraction: str | None) -> time | None:
    micro = int(((fraction or "") + "000000")[:6])
    try:
        # A leap second is kept within its minute; the caller adds what is over.
        return time(int(hour), int(minute), min(int(second or 0), 59), micro)
    except ValueError:
        return None


def _note_other_times(
    lookup: Lookup, used: str, moment: datetime, exposure_s: float | None
) -> None:
    """Say it where a Julian date disagrees, and where UTC looks like local time."""
    slack = timedelta(seconds=120 + 1.5 * (exposure_s or 0.0))
    for keyword in ("JD", "JD-OBS", "MJD-OBS"):
        value = number(lookup.value(keyword))
        other = julian_moment(value)
        # A whole day says nothing about the hour (SAAO writes MJD-OBS so).
        if other is None or value is None or keyword == used or value % 1 in (0.0, 0.5):
            continue
        if abs(other - moment) > slack:
            lookup.notes.append(
                f"{used} says {moment:%Y-%m-%dT%H:%M:%S} UTC, "
                f"{keyword} says {other:%Y-%m-%dT%H:%M:%S} UTC. {used} is used."
            )
            return
