"""The Sun's altitude, against astropy's ephemeris."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.equipment import Site
from calibstudio.domain.sun import (
    next_sun_crossing,
    sidereal_deg,
    sun_altitude_deg,
    sun_horizontal_deg,
)

MUNICH = Site("Munich", 48.1, 11.6, 520.0, "Europe/Berlin")
SITES = [
    MUNICH,
    Site("Paranal", -24.63, -70.40),
    Site("Fiji", -18.1, 178.4),
    Site("Tromsø", 69.6, 19.0),
]


@pytest.fixture(autouse=True)
def _folders_of_the_temporary_home(_home_is_temporary: None) -> None:
    """astropy warns when the folders that the environment names do not exist."""
    for name in ("CONFIG", "CACHE"):
        (Path(os.environ[f"XDG_{name}_HOME"]) / "astropy").mkdir(parents=True, exist_ok=True)


def astropy_alt_az(moments: list[datetime], site: Site) -> tuple[np.ndarray, np.ndarray]:
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, get_sun
    from astropy.time import Time
    from astropy.utils import iers

    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        where = EarthLocation(lat=site.latitude_deg * u.deg, lon=site.longitude_deg * u.deg)
        times = Time([m.replace(tzinfo=None) for m in moments], scale="utc")
        sun = get_sun(times).transform_to(AltAz(obstime=times, location=where))
        return np.asarray(sun.alt.deg), np.asarray(sun.az.deg)


@pytest.mark.parametrize("site", SITES, ids=lambda s: s.name)
def test_altitude_agrees_with_astropy_within_a_twentieth_of_a_degree(site: Site) -> None:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    # Every hour of the day comes up, all seasons, three years within the shipped Earth tables.
    moments = [begin + timedelta(hours=37.3 * i) for i in range(600)]

    ours = np.array([sun_altitude_deg(m, site) for m in moments])

    theirs, _ = astropy_alt_az(moments, site)
    assert np.abs(ours - theirs).max() < 0.05


def test_azimuth_agrees_with_astropy() -> None:
    begin = datetime(2025, 3, 1, tzinfo=UTC)
    moments = [begin + timedelta(hours=5.1 * i) for i in range(200)]

    ours = np.array([sun_horizontal_deg(m, MUNICH)[1] for m in moments])

    _, theirs = astropy_alt_az(moments, MUNICH)
    apart = (ours - theirs + 180.0) % 360.0 - 180.0
    assert np.abs(apart).max() < 0.1


def test_a_local_time_means_the_same_moment_as_its_utc() -> None:
    from zoneinfo import ZoneInfo

    utc = datetime(2026, 4, 17, 19, 0, tzinfo=UTC)

    local = utc.astimezone(ZoneInfo("Europe/Berlin"))

    assert sun_altitude_deg(local, MUNICH) == sun_altitude_deg(utc, MUNICH)


def test_the_crossing_is_where_the_sun_has_that_altitude_and_moves_the_right_way() -> None:
    noon = datetime(2026, 4, 17, 11, 0, tzinfo=UTC)

    dusk = next_sun_crossing(noon, MUNICH, -6.0, rising=False)
    dawn = next_sun_crossing(noon, MUNICH, -6.0, rising=True)

    assert dusk is not None
    assert dawn is not None
    assert noon < dusk < dawn < noon + timedelta(days=1)
    for moment, direction in ((dusk, -1), (dawn, 1)):
        assert sun_altitude_deg(moment, MUNICH) == pytest.approx(-6.0, abs=0.005)
        later = sun_altitude_deg(moment + timedelta(minutes=1), MUNICH)
        assert (later + 6.0) * direction > 0


def test_the_midnight_sun_has_no_dusk() -> None:
    midsummer = datetime(2026, 6, 21, 12, 0, tzinfo=UTC)

    assert next_sun_crossing(midsummer, SITES[3], -1.0, rising=False) is None


def test_a_star_returns_to_the_meridian_after_a_sidereal_day() -> None:
    start = datetime(2026, 4, 17, 20, 0, tzinfo=UTC)

    turned = sidereal_deg(start + timedelta(seconds=86164.0905), 11.6) - sidereal_deg(start, 11.6)

    assert (turned + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-4)
