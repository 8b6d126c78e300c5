"""The simulated sky: twilight, night, stars, and a mount that points at them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import log10

import numpy as np
import pytest

from calibstudio.devices.simulator.observatory import SITE, SimulatedObservatory
from calibstudio.devices.simulator.sky import gradient_per_deg, sky_mag_per_arcsec2
from calibstudio.devices.simulator.starfield import View, stars_in
from calibstudio.domain.equipment import Region
from calibstudio.domain.errors import UnsupportedRequestError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.sun import horizontal_deg, next_sun_crossing, sun_altitude_deg
from tests.unit.devices.conftest import NIGHT
from tests.unit.devices.shots import NEVER, bias, flat, take

Build = Callable[..., SimulatedObservatory]
AFTERNOON = datetime(2026, 4, 17, 14, 0, tzinfo=UTC)


def dusk(altitude_deg: float) -> datetime:
    moment = next_sun_crossing(AFTERNOON, SITE, altitude_deg, rising=False)
    assert moment is not None
    return moment


def dex_per_degree(altitude_deg: float, band: str = "V") -> float:
    step = 0.01
    higher = sky_mag_per_arcsec2(altitude_deg + step, band)
    return (sky_mag_per_arcsec2(altitude_deg, band) - higher) / 2.5 / step


def test_twilight_falls_as_measured_and_its_slope_halves_over_the_useful_window() -> None:
    # Patat et al. (2006): 0.6 dex per degree at -5, 0.33 to 0.37 at -11, where the light of the
    # night, 14 % of it all, takes its share.
    assert dex_per_degree(-5.0) == pytest.approx(0.607, abs=0.01)
    assert dex_per_degree(-11.0) == pytest.approx(0.334 / 1.14, abs=0.02)
    assert sky_mag_per_arcsec2(-5.0) == pytest.approx(11.84, abs=0.01)


@pytest.mark.parametrize("band", ["U", "B", "V", "R", "I"])
def test_the_sky_never_brightens_while_the_sun_sinks_and_has_no_steps(band: str) -> None:
    altitudes = np.arange(30.0, -40.0, -0.05)

    mags = np.array([sky_mag_per_arcsec2(a, band) for a in altitudes])

    assert (np.diff(mags) >= -1e-9).all()
    assert np.diff(mags).max() < 0.09
    assert 2.0 < mags[0] < 5.0
    assert 19.0 < mags[-1] < 22.5


def test_dusk_frames_fade_with_the_law(build: Build) -> None:
    night = build(start=dusk(-4.0), cover_open=True)
    centre = Region(220, 140, 200, 200)
    altitudes, rates = [], []
    for exposure_s in (0.02, 0.05, 0.2, 1.0, 5.0):
        middle = night.clock.now() + timedelta(seconds=0.5 * exposure_s)
        level = np.median(flat(night, exposure_s, region=centre, gain=0)) - 502.0
        altitudes.append(sun_altitude_deg(middle, SITE))
        rates.append(log10(level / exposure_s))
        night.clock.sleep(240.0, NEVER)

    slopes = np.diff(rates) / np.diff(altitudes)

    expected = [dex_per_degree(a) for a in 0.5 * (np.array(altitudes)[1:] + altitudes[:-1])]
    assert slopes == pytest.approx(expected, rel=0.05)


def test_twilight_flats_are_possible_for_about_a_quarter_of_an_hour(build: Build) -> None:
    night = build(start=dusk(0.0), cover_open=True)
    centre = Region(220, 140, 200, 200)

    def seconds_for_half_range() -> float:
        level = np.median(flat(night, 0.001, region=centre, gain=0, binning=4)) / 16.0 - 502.0
        assert night.world is not None
        now = night.clock.elapsed_s
        rate = night.world.light(now, now + 0.01, 1).smooth_e / 0.01
        assert level > -5.0
        return 7800.0 / rate

    first = seconds_for_half_range()
    night.clock.sleep(60.0 * 50.0, NEVER)
    last = seconds_for_half_range()

    assert first < 0.2
    assert last > 20.0


def test_a_bias_with_the_cover_open_by_day_is_lit(build: Build) -> None:
    day = build(start=AFTERNOON, cover_open=True)

    assert np.median(bias(day)) > 20_000


def test_the_sky_has_no_gradient_at_its_null_and_one_elsewhere() -> None:
    assert gradient_per_deg(78.0, 100.0, 280.0) == pytest.approx((0.0, 0.0), abs=1e-9)
    across, along = gradient_per_deg(40.0, 280.0, 280.0)
    assert abs(across) < 1e-6
    assert along < -0.03


def bright_spots(frame: np.ndarray, threshold: float) -> set[tuple[int, int]]:
    core = frame[1:-1, 1:-1]
    peak = core > threshold
    for dy in (0, 1, 2):
        for dx in (0, 1, 2):
            if (dy, dx) != (1, 1):
                rows, columns = core.shape
                peak &= core >= frame[dy : dy + rows, dx : dx + columns]
    return {(int(y) + 1, int(x) + 1) for y, x in np.argwhere(peak)}


def test_stars_are_where_the_sky_has_them(build: Build) -> None:
    night = build(cover_open=True)
    assert night.world is not None
    frame = take(night, FrameKind.LIGHT, 10.0).data.astype(float)
    field = night.world.light(0.0, 10.0, 1).stars
    assert field is not None

    view = View(field.ra_deg, field.dec_deg, field.pixel_arcsec, (480, 640))
    stars = stars_in(night.camera.truth.seed, view, margin_px=-5.0)

    bright = stars.mag < 12.0
    assert bright.sum() > 15
    for x, y in zip(stars.x[bright], stars.y[bright], strict=True):
        around = frame[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2]
        assert around.max() > 1500.0


def test_tracked_stars_stay_and_a_small_move_shifts_them(build: Build) -> None:
    night = build(cover_open=True)
    assert night.mount is not None

    def spots() -> set[tuple[int, int]]:
        frame = take(night, FrameKind.LIGHT, 10.0).data.astype(float)
        return bright_spots(frame, 4000.0)

    before, again = spots(), spots()
    where = night.mount.status()
    night.mount.slew(where.altitude_deg + 60.0 / 3600.0, where.azimuth_deg, NEVER)
    moved = spots()

    assert len(before) >= 8
    assert len(before & again) > 0.7 * len(before)
    assert len(before & moved) < 0.3 * len(before)


def test_without_tracking_stars_are_trails(build: Build) -> None:
    night = build(cover_open=True)
    assert night.world is not None
    night.world.mount.set_tracking(False)

    frame = take(night, FrameKind.LIGHT, 20.0).data.astype(float) - 502.0

    # 20 s are 200 arc seconds along right ascension, 38 pixels along a row.
    y, x = np.unravel_index(np.argmax(np.median(_windows(frame, 25), axis=-1)), (480, 616))
    along = frame[y, x : x + 25]
    assert np.median(along) > 5.0 * np.median(frame)
    status = night.mount.status() if night.mount else None
    assert status is not None
    assert not status.tracking


def _windows(frame: np.ndarray, length: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(frame, length, axis=1)


def test_stars_show_in_a_flat_of_late_twilight(build: Build) -> None:
    night = build(start=dusk(-9.0), cover_open=True)

    frame = flat(night, 8.0, gain=0)

    assert np.median(frame) > 700.0
    assert len(bright_spots(frame, np.median(frame) * 1.5)) > 5


def test_the_mount_points_where_it_is_told_and_follows_the_stars(build: Build) -> None:
    night = build()
    assert night.mount is not None

    night.mount.slew(75.0, 120.0, NEVER)
    there = night.mount.status()
    night.clock.sleep(3600.0, NEVER)
    later = night.mount.status()

    assert (there.altitude_deg, there.azimuth_deg) == pytest.approx((75.0, 120.0), abs=0.01)
    assert there.tracking
    assert later.azimuth_deg > 130.0


def test_a_slew_takes_time_by_its_length(build: Build) -> None:
    night = build()
    assert night.mount is not None
    night.mount.slew(80.0, 100.0, NEVER)
    begun = night.clock.now()

    night.mount.slew(40.0, 100.0, NEVER)

    took = (night.clock.now() - begun).total_seconds()
    assert took == pytest.approx(40.0 / 4.0 + 1.0, abs=0.1)


@pytest.mark.parametrize("altitude_deg", [-5.0, 3.0, 90.5])
def test_the_mount_refuses_to_point_into_the_ground(build: Build, altitude_deg: float) -> None:
    mount = build().mount
    assert mount is not None
    before = mount.status()

    with pytest.raises(UnsupportedRequestError, match="altitude"):
        mount.slew(altitude_deg, 100.0, NEVER)

    assert mount.status() == before


def test_the_same_part_of_the_sky_has_the_same_stars_in_every_picture() -> None:
    wide = stars_in(3, View(120.0, 45.0, 5.0, (480, 640)), margin_px=0.0)
    shifted = stars_in(3, View(120.0, 45.05, 5.0, (480, 640)), margin_px=0.0)

    here = {round(m, 9) for m in wide.mag}
    there = {round(m, 9) for m in shifted.mag}
    # 0.05 degrees are 36 of 480 rows.
    assert len(here & there) / len(here) == pytest.approx(1.0 - 36.0 / 480.0, abs=0.04)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.99, 30.0), (200.0, 89.5), (90.0, -89.9)])
def test_the_sky_is_filled_with_stars_at_its_seams_and_poles(ra: float, dec: float) -> None:
    stars = stars_in(1, View(ra, dec, 5.0, (480, 640)), margin_px=0.0)

    expected = 1800.0 * 480 * 640 * (5.0 / 3600.0) ** 2
    assert stars.x.size == pytest.approx(expected, rel=0.15)
    left = (stars.x < 320).sum()
    assert left == pytest.approx(0.5 * stars.x.size, rel=0.2)


def test_the_telescope_looks_high_when_the_observatory_opens() -> None:
    from calibstudio.devices.simulator.observatory import simulated_observatory

    for hour in range(0, 24, 3):
        begin = NIGHT + timedelta(hours=hour)
        night = simulated_observatory("tiny", start=begin)
        assert night.mount is not None
        assert night.mount.status().altitude_deg > 70.0
        night.close()


def test_directions_go_to_the_sky_and_back(build: Build) -> None:
    from calibstudio.domain.sun import equatorial_deg, sidereal_deg

    sidereal = sidereal_deg(NIGHT, SITE.longitude_deg)
    for altitude, azimuth in ((30.0, 10.0), (75.0, 200.0), (88.0, 359.0)):
        ra, dec = equatorial_deg(altitude, azimuth, sidereal, SITE)
        back = horizontal_deg(ra, dec, NIGHT, SITE)
        assert back == pytest.approx((altitude, azimuth), abs=1e-6)
