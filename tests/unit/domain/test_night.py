"""Nights: noon to noon at the site, whatever clocks and calendars do."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.equipment import Site
from calibstudio.domain.night import night_of, observing_night

BERLIN = Site("Berlin", 52.5, 13.4, timezone="Europe/Berlin")
HAWAII = Site("Mauna Kea", 19.8, -155.5, timezone="Pacific/Honolulu")
SIDING_SPRING = Site("Siding Spring", -31.3, 149.1, timezone="Australia/Sydney")
APIA = Site("Apia", -13.8, -171.8, timezone="Pacific/Apia")
ZONES = ["Europe/Berlin", "Pacific/Honolulu", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("site", "moment", "night"),
    [
        # One night across midnight, local and UTC.
        (BERLIN, utc(2026, 4, 17, 20), date(2026, 4, 17)),
        (BERLIN, utc(2026, 4, 17, 23, 59), date(2026, 4, 17)),
        (BERLIN, utc(2026, 4, 18, 3), date(2026, 4, 17)),
        # Noon opens the night: the last second before belongs to the night before.
        (BERLIN, utc(2026, 4, 18, 9, 59, 59), date(2026, 4, 17)),
        (BERLIN, utc(2026, 4, 18, 10), date(2026, 4, 18)),
        # In winter noon is an hour later in UTC.
        (BERLIN, utc(2026, 1, 18, 10, 30), date(2026, 1, 17)),
        # Midnight UTC is the middle of the evening in Hawaii, and noon in Australia.
        (HAWAII, utc(2026, 4, 18, 5), date(2026, 4, 17)),
        (HAWAII, utc(2026, 4, 18, 14), date(2026, 4, 17)),
        (SIDING_SPRING, utc(2026, 4, 17, 12), date(2026, 4, 17)),
        (SIDING_SPRING, utc(2026, 4, 17, 20), date(2026, 4, 17)),
        # The nights in which clocks change are one night each.
        (BERLIN, utc(2026, 3, 29, 0, 30), date(2026, 3, 28)),
        (BERLIN, utc(2026, 3, 29, 1, 30), date(2026, 3, 28)),
        (BERLIN, utc(2026, 10, 25, 0, 30), date(2026, 10, 24)),
        (BERLIN, utc(2026, 10, 25, 1, 30), date(2026, 10, 24)),
        # Samoa skipped 30 December 2011: the night of the 29th ends in the 31st.
        (APIA, utc(2011, 12, 30, 8), date(2011, 12, 29)),
        (APIA, utc(2011, 12, 30, 11), date(2011, 12, 29)),
        (APIA, utc(2011, 12, 30, 23), date(2011, 12, 31)),
    ],
)
def test_a_moment_belongs_to_the_night_of_the_noon_before_it(
    site: Site, moment: datetime, night: date
) -> None:
    assert night_of(moment, site=site) == night


def test_a_site_without_a_zone_goes_by_its_longitude() -> None:
    site = Site("field", 50.0, 15.0)

    assert night_of(utc(2026, 4, 18, 10, 59), site=site) == date(2026, 4, 17)
    assert night_of(utc(2026, 4, 18, 11, 0), site=site) == date(2026, 4, 18)
    assert observing_night(utc(2026, 4, 18, 11), site=site).basis == "longitude 15.0°"


def test_a_zone_that_does_not_exist_gives_way_to_the_longitude() -> None:
    site = Site("field", 50.0, 15.0, timezone="Mars/Olympus")

    assert observing_night(utc(2026, 4, 18, 11), site=site).basis == "longitude 15.0°"


def test_the_site_comes_before_the_longitude_of_a_header() -> None:
    assert night_of(utc(2026, 4, 18, 11), site=BERLIN, longitude_deg=-150.0) == date(2026, 4, 18)


def test_longitudes_may_be_counted_to_360() -> None:
    moment = utc(2026, 4, 18, 5)

    assert night_of(moment, longitude_deg=204.5) == night_of(moment, longitude_deg=-155.5)


def test_the_users_zone_is_the_last_resort_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be set here")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        summer = observing_night(utc(2026, 7, 18, 10, 30))
        winter = observing_night(utc(2026, 1, 18, 10, 30))
    finally:
        monkeypatch.undo()
        time.tzset()

    # The summer time of the moment counts, not that of today.
    assert (summer.date, winter.date) == (date(2026, 7, 18), date(2026, 1, 17))
    assert summer.basis == "this computer's time zone"
    given_zone = observing_night(utc(2026, 7, 18, 10, 30), zone=ZoneInfo("Europe/Berlin"))
    assert given_zone.basis == "your time zone Europe/Berlin"


def test_a_moment_without_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zone"):
        night_of(datetime(2026, 4, 18, 11))


def test_a_night_is_23_or_25_hours_when_clocks_change() -> None:
    spring = observing_night(utc(2026, 3, 29, 0, 30), site=BERLIN)
    autumn = observing_night(utc(2026, 10, 25, 0, 30), site=BERLIN)

    assert spring.end_utc - spring.start_utc == timedelta(hours=23)
    assert autumn.end_utc - autumn.start_utc == timedelta(hours=25)


@given(
    moment=st.datetimes(datetime(1970, 1, 2), datetime(2037, 1, 1)),
    zone=st.sampled_from(ZONES),
    offset=st.integers(-12, 14),
)
def test_every_moment_lies_in_its_night_and_nights_follow_without_gaps(
    moment: datetime, zone: str, offset: int
) -> None:
    # Given a moment in any zone
    moment = moment.replace(tzinfo=timezone(timedelta(hours=offset)))
    site = Site("s", 0.0, 0.0, timezone=zone)

    night = observing_night(moment, site=site)
    following = observing_night(night.end_utc, site=site)

    assert night.start_utc <= moment < night.end_utc
    assert timedelta(hours=22) <= night.end_utc - night.start_utc <= timedelta(hours=26)
    assert following.start_utc == night.end_utc
    assert following.date > night.date
    assert night_of(night.start_utc, site=site) == night.date
    assert night_of(night.end_utc - timedelta(microseconds=1), site=site) == night.date


@given(
    moment=st.datetimes(datetime(1970, 1, 2), datetime(2037, 1, 1)),
    longitude=st.floats(-180, 360),
)
def test_by_longitude_a_night_is_24_hours_about_local_midnight(
    moment: datetime, longitude: float
) -> None:
    moment = moment.replace(tzinfo=UTC)

    night = observing_night(moment, longitude_deg=longitude)

    assert night.start_utc <= moment < night.end_utc
    assert night.end_utc - night.start_utc == timedelta(days=1)
