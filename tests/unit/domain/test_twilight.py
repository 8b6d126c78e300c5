"""The law of the twilight sky, its fit to frames, and what follows for exposures."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from calibstudio.domain.equipment import Site
from calibstudio.domain.sun import sun_altitude_deg
from calibstudio.domain.twilight import (
    SkyFit,
    Twilight,
    exposure_for,
    in_order_of_light,
    next_twilight,
    prior_log_rate,
    signal_of,
    twilight_of,
)

SITE = Site("Test", 48.1, 11.6)
EVENING = datetime(2026, 4, 17, 18, 20, tzinfo=UTC)
MORNING = datetime(2026, 4, 18, 3, 45, tzinfo=UTC)


@pytest.mark.parametrize("kappa", [0.0036, -0.0036, 1e-12, 0.02])
def test_the_exposure_collects_the_signal_from_a_sky_that_changes(kappa: float) -> None:
    seconds = exposure_for(30_000.0, 2_000.0, kappa)

    assert seconds is not None
    steps = np.linspace(0.0, seconds, 100_001)
    collected = np.trapezoid(2_000.0 * np.exp(-kappa * steps), steps)
    assert collected == pytest.approx(30_000.0, rel=1e-6)
    assert signal_of(seconds, 2_000.0, kappa) == pytest.approx(30_000.0, rel=1e-9)


def test_a_sky_that_fades_too_soon_gives_no_exposure() -> None:
    assert exposure_for(30_000.0, 30_000.0 * 0.0036, 0.0036) is None
    assert exposure_for(30_000.0, 0.0, 0.0036) is None


def test_the_law_fades_as_published_and_its_slope_halves_over_the_window() -> None:
    def dex_per_deg(sun_deg: float) -> float:
        rise = prior_log_rate(sun_deg + 0.01) - prior_log_rate(sun_deg - 0.01)
        return rise / 0.02 / math.log(10.0)

    assert dex_per_deg(-5.0) == pytest.approx(0.607, abs=0.01)
    # 0.33 of the law alone; the light of the night takes a little.
    assert 0.28 <= dex_per_deg(-11.0) <= 0.34
    levels = [prior_log_rate(sun) for sun in np.arange(-25.0, 10.0, 0.5)]
    assert all(b >= a for a, b in pairwise(levels))


def test_dusk_takes_narrow_and_blue_filters_first_and_dawn_the_reverse() -> None:
    wheel = ("L", "R", "G", "B", "Ha", "OIII", "SII", "Dual band")

    dusk = in_order_of_light(wheel, Twilight.DUSK)

    assert dusk == ("OIII", "Ha", "SII", "B", "G", "R", "Dual band", "L")
    assert in_order_of_light(wheel, Twilight.DAWN) == tuple(reversed(dusk))


def test_which_end_of_the_night_it_is_comes_from_the_sun() -> None:
    assert twilight_of(EVENING, SITE) is Twilight.DUSK
    assert twilight_of(MORNING, SITE) is Twilight.DAWN


def sky(moment: datetime, extra_per_s: float = 0.0) -> float:
    """A sky as the law has it, and a haze that comes or goes."""
    age = (moment - EVENING).total_seconds()
    law = prior_log_rate(sun_altitude_deg(moment, SITE))
    return 4e7 * math.exp(law + extra_per_s * age) / math.exp(-2.0)


@pytest.mark.parametrize("extra_per_s", [0.0, 0.0008, -0.0008])
def test_five_frames_tell_the_slope_where_it_is_not_the_law_s(extra_per_s: float) -> None:
    fit = SkyFit(SITE)
    for i in range(7):
        middle = EVENING + timedelta(seconds=12 * i)
        fit.add(middle - timedelta(seconds=1), 2.0, 2.0 * sky(middle, extra_per_s))

    later = EVENING + timedelta(seconds=12 * 6 + 40)

    assert fit.rate(later) == pytest.approx(sky(later, extra_per_s), rel=0.002)
    change = math.log(sky(later, extra_per_s) / sky(later + timedelta(seconds=20), extra_per_s))
    assert fit.kappa(later) == pytest.approx(change / 20.0, rel=0.02)


@pytest.mark.parametrize("twilight", list(Twilight))
def test_when_the_sky_will_have_a_rate_is_found_along_the_law(twilight: Twilight) -> None:
    start = EVENING if twilight is Twilight.DUSK else MORNING
    fit = SkyFit(SITE)
    fit.add(start, 0.001, 0.001 * sky(start))
    target = start + timedelta(minutes=13)

    at = fit.when(sky(target), start, twilight)

    assert at is not None and abs((at - target).total_seconds()) < 5.0
    assert fit.when(1e-30, start, twilight) is None


@pytest.mark.parametrize(
    ("moment", "comes"),
    [
        (datetime(2026, 4, 17, 12, 0, tzinfo=UTC), Twilight.DUSK),
        (EVENING, Twilight.DUSK),
        (datetime(2026, 4, 17, 22, 42, tzinfo=UTC), Twilight.DAWN),
        (MORNING, Twilight.DAWN),
        (datetime(2026, 4, 18, 5, 0, tzinfo=UTC), Twilight.DUSK),
    ],
)
def test_the_twilight_that_is_still_to_come_is_offered(moment: datetime, comes: Twilight) -> None:
    assert next_twilight(moment, SITE) is comes
