"""The physics of the simulated sensor, measured from its frames and compared with its truth."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest

from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.domain.equipment import Region
from calibstudio.domain.kinds import FrameKind
from tests.unit.devices.shots import bias, cooled, dark, flat, lamp, take

Build = Callable[..., SimulatedObservatory]
FAST = "Fast, 14 bit"


@pytest.mark.parametrize(
    ("gain", "mode"), [(0, None), (50, None), (100, None), (200, None), (100, FAST)]
)
def test_photon_transfer_recovers_gain_and_read_noise(
    build: Build, gain: int, mode: str | None
) -> None:
    night = build(seed=3)
    truth = night.camera.truth
    settings = {"gain": gain, "readout_mode": mode}
    lamp(night, 1024)
    exposure_s = 0.35 * truth.saturation_adu(gain, 50) * truth.e_per_adu(gain) / 5150.0

    flats = [flat(night, exposure_s, **settings) for _ in range(2)]
    lamp(night, 0)
    biases = [bias(night, **settings) for _ in range(2)]

    signal = sum(f.mean() for f in flats) - sum(b.mean() for b in biases)
    noise = (flats[0] - flats[1]).var() - (biases[0] - biases[1]).var()
    measured = signal / noise
    assert measured == pytest.approx(truth.e_per_adu(gain), rel=4.0 * sqrt(2.0 / truth.n_pixels))
    read_noise = measured * (biases[0] - biases[1]).std() / sqrt(2.0)
    # The amplitudes of the telegraph noise are exponential: their sum scatters by a few percent.
    assert read_noise == pytest.approx(truth.total_read_noise_e(gain, mode), rel=0.02)


def test_noise_goes_below_the_bias_as_far_as_above(build: Build) -> None:
    night = build()

    excess = bias(night) - night.camera.truth_maps().bias_adu(
        sensor_c=night.camera.status().sensor_c
    )

    low, high = np.percentile(excess, [15.87, 84.13])
    assert -low == pytest.approx(high, rel=0.03)


def test_the_mean_of_many_biases_is_the_true_bias_map(build: Build) -> None:
    night = build(seed=2)
    cooled(night, -10.0)
    frames = np.array([bias(night) for _ in range(64)])

    difference = np.median(frames, axis=0) - night.camera.truth_maps().bias_adu(sensor_c=-10.0)

    noise_adu = night.camera.truth.total_read_noise_e(100) / night.camera.truth.e_per_adu(100)
    # A median of 64 has 1.2533 / sqrt(64) of the noise; rows share theirs.
    assert abs(difference.mean()) < 0.03
    assert difference.std() == pytest.approx(1.2533 * noise_adu / 8.0, rel=0.06)


def test_each_row_of_a_bias_has_its_own_noise(build: Build) -> None:
    night = build()
    truth = night.camera.truth

    rows = (bias(night) - bias(night)).mean(axis=1) / sqrt(2.0)

    pixel_adu = truth.total_read_noise_e(100) / truth.e_per_adu(100) / sqrt(truth.shape[1])
    row_adu = truth.row_noise_e / truth.e_per_adu(100)
    expected = sqrt(row_adu**2 + pixel_adu**2)
    assert rows.std() == pytest.approx(expected, rel=4.0 / sqrt(2.0 * truth.shape[0]))


def test_telegraph_pixels_are_where_the_truth_says(build: Build) -> None:
    night = build()
    frames = np.array([bias(night) for _ in range(24)])
    amplitude_e = night.camera.truth_maps().telegraph_e()

    noise_e = frames.std(axis=0) * night.camera.truth.e_per_adu(100)

    jumping = amplitude_e > 12.0
    assert 0.0005 < jumping.mean() < 0.005
    assert np.median(noise_e[jumping]) > 4.0
    assert (noise_e[amplitude_e == 0.0] < 4.0).all()


def test_the_share_of_telegraph_pixels_is_as_stated(build: Build) -> None:
    camera = build().camera

    share = (camera.truth_maps().telegraph_e() > 0).mean()

    assert share == pytest.approx(0.005, abs=4.0 * sqrt(0.005 / camera.truth.n_pixels))


def test_the_offset_moves_the_level_in_steps_of_ten_adu(build: Build) -> None:
    night = build()

    low, high = bias(night, offset=20), bias(night, offset=60)

    assert np.median(high) - np.median(low) == pytest.approx(400.0, abs=1.0)


def test_without_an_offset_the_noise_is_cut_at_zero(build: Build) -> None:
    frame = bias(build(), offset=0)

    assert frame.min() == 0.0
    assert 0.2 < (frame == 0.0).mean() < 0.6


def test_dark_current_doubles_every_six_degrees(build: Build) -> None:
    night = build(seed=4)
    truth = night.camera.truth
    maps = night.camera.truth_maps()
    hot = maps.hot_pixels()
    quiet = np.ones(truth.shape, dtype=bool)
    quiet[hot.y, hot.x] = False
    quiet[truth.shape[0] // 2 :] = False
    rates = []
    for target_c in (6.0, 0.0, -6.0):
        cooled(night, target_c)
        frame = dark(night, 1200.0) - maps.bias_adu(sensor_c=target_c)
        # Rays are a few hundred electrons in a few pixels.
        clean = quiet & (frame < 400.0)
        rate = frame[clean].mean() * truth.e_per_adu(100) / 1200.0
        rates.append(rate - maps.glow_e_per_s()[clean].mean())

    # Poisson and row noise: 0.3 % of the warmest, 1.2 % of the coldest; twice that is allowed.
    assert rates[0] / rates[1] == pytest.approx(2.0, rel=0.02)
    assert rates[1] / rates[2] == pytest.approx(2.0, rel=0.03)
    assert rates[1] == pytest.approx(truth.dark_median_ref * np.exp(0.5 * 0.4**2), rel=0.02)


def test_hot_pixels_are_where_and_as_hot_as_the_truth_says(build: Build) -> None:
    night = build(seed=5)
    cooled(night, 0.0)
    maps = night.camera.truth_maps()
    hot = maps.hot_pixels()

    frame = dark(night, 60.0) - maps.bias_adu(sensor_c=0.0)

    steady = ~hot.blinking & (hot.excess_ref > 1.0) & (hot.excess_ref < 100.0)
    expected = maps.dark_e_per_s(0.0)[hot.y, hot.x][steady] * 60.0
    got = (frame * night.camera.truth.e_per_adu(100))[hot.y, hot.x][steady]
    pull = (got - expected) / np.sqrt(expected + night.camera.truth.total_read_noise_e(100) ** 2)
    assert steady.sum() > 4
    assert abs(np.median(pull)) < 4.0 / sqrt(steady.sum())
    assert np.abs(pull).max() < 6.0


def test_hot_pixels_follow_the_distribution(build: Build) -> None:
    hot = build("mono24").camera.truth_maps().hot_pixels()

    assert hot.x.size == pytest.approx(5e-4 * 24e6, rel=0.01)
    # Pareto with exponent 1.1: half of them are above 2^(1 / 1.1) times the least.
    assert np.median(hot.excess_ref) == pytest.approx(0.05 * 2.0 ** (1.0 / 1.1), rel=0.05)
    assert hot.blinking.mean() == pytest.approx(0.03, abs=0.006)


def test_some_hot_pixels_rest_in_half_of_the_frames(build: Build) -> None:
    night = build("small", seed=1)
    hot = night.camera.truth_maps().hot_pixels()
    worst = np.argmax(np.where(hot.blinking, hot.excess_ref, 0.0))
    y, x = hot.y[worst], hot.x[worst]

    levels = np.array([dark(night, 60.0)[y, x] for _ in range(16)]) - 502.0

    awake = levels > 0.5 * levels.max()
    assert 3 <= awake.sum() <= 13
    assert levels[~awake].max() < 0.3 * levels.max()


def test_glow_fills_one_corner_and_does_not_care_about_temperature(build: Build) -> None:
    night = build()
    corner = (slice(-24, None), slice(-32, None))
    grown = []
    for target_c in (-15.0, -21.0):
        cooled(night, target_c)
        frame = dark(night, 600.0)
        grown.append(np.median(frame[corner]) - np.median(frame[:200, :200]))

    expected = night.camera.truth_maps().glow_e_per_s()[corner]
    level = np.median(expected) * 600.0 / night.camera.truth.e_per_adu(100)
    assert grown[0] == pytest.approx(level, rel=0.05)
    assert grown[1] == pytest.approx(grown[0], rel=0.05)


def test_level_is_proportional_to_exposure_up_to_nine_tenths_of_the_full_well(build: Build) -> None:
    night = build()
    truth = night.camera.truth
    lamp(night, 1024)
    centre = (slice(200, 280), slice(260, 380))
    dark_level = night.camera.truth_maps().bias_adu(gain=0, sensor_c=13.0)[centre].mean()
    full_s = truth.full_well_e(0) / 5150.0
    shares = (0.05, 0.2, 0.4, 0.6, 0.8, 0.87)

    rates = [(flat(night, s * full_s, gain=0)[centre].mean() - dark_level) / s for s in shares]

    # 9600 pixels of 2500 electrons in the faintest: shot noise 0.02 %; bias drift 0.3 ADU in 3200.
    assert np.ptp(rates) / np.mean(rates) < 0.002


def test_above_nine_tenths_the_response_bends_to_the_full_well(build: Build) -> None:
    night = build()
    truth = night.camera.truth
    lamp(night, 1024)
    full_s = truth.full_well_e(0) / 5150.0
    centre = (slice(200, 280), slice(260, 380))

    half, bent, full = (
        np.median(flat(night, s * full_s, gain=0)[centre]) - 502.0 for s in (0.5, 1.1, 10.0)
    )

    assert bent < 0.97 * 2.2 * half
    assert full == pytest.approx(truth.saturation_adu(0, 50) - 502.0, abs=4.0)
    assert full < truth.converter_max_adu


def test_at_high_gain_the_converter_saturates_first(build: Build) -> None:
    night = build()
    lamp(night, 4096)

    normal, fast = flat(night, 5.0), flat(night, 5.0, readout_mode=FAST)

    assert (normal == 65_535).all()
    assert (fast == 65_532).all()


def test_the_fast_mode_leaves_steps_of_four_adu(build: Build) -> None:
    night = build()

    values = np.unique(bias(night, readout_mode=FAST))

    assert values.size > 5
    assert (np.diff(values) % 4 == 0).all()
    assert (values % 4 == 0).all()


def test_flats_have_the_true_vignetting_dust_and_response(build: Build) -> None:
    night = build(seed=7)
    lamp(night, 1024)
    truth = night.camera.truth
    assert night.wheel is not None
    frames = np.mean([flat(night, 1.5) for _ in range(8)], axis=0)
    flat_e = (frames - night.camera.truth_maps().bias_adu(sensor_c=13.0)) * truth.e_per_adu(100)

    ratio = flat_e / night.camera.truth_maps().flat("L", with_panel=True)

    level = np.median(ratio)
    expected = sqrt(level / 8.0) * np.sqrt(level / flat_e)
    pull = (ratio - level) / expected
    robust = 1.4826 * np.median(np.abs(pull - np.median(pull)))
    assert robust == pytest.approx(1.0, abs=0.02)
    # No structure is left: means of blocks of 32 x 32 scatter as 1/32 of a pixel does.
    blocks = ratio.reshape(15, 32, 20, 32).mean(axis=(1, 3)) / level
    assert blocks.std() < 1.5 * sqrt(1.0 / level / 8.0) / 32.0


def test_the_response_scatters_by_eight_thousandths(build: Build) -> None:
    response = build().camera.truth_maps().response()

    assert response.std() == pytest.approx(0.008, rel=0.01)
    assert response.mean() == pytest.approx(1.0, abs=1e-4)


def test_corners_are_darker_and_each_filter_has_its_own_dust(build: Build) -> None:
    maps = build().camera.truth_maps()

    luminance, narrow = maps.optics("L"), maps.optics("Ha")

    assert 0.6 < luminance[0, 0] < 0.9
    assert narrow[0, 0] < luminance[0, 0]
    assert np.abs(narrow / luminance - 1.0)[200:280, 280:360].max() < 0.03
    assert (maps.optics("L") < 0.985 * maps.optics("L", with_dust=False)).sum() > 50
    dust_l = maps.optics("L") / maps.optics("L", with_dust=False)
    dust_ha = maps.optics("Ha") / maps.optics("Ha", with_dust=False)
    assert np.abs(dust_l - dust_ha).max() > 0.003


def test_cosmic_rays_come_with_time_and_area(build: Build) -> None:
    night = build("small", seed=6)
    cooled(night, -10.0)
    truth = night.camera.truth
    hot = night.camera.truth_maps().hot_pixels()
    exposure_s, n = 1200.0, 6

    hits = 0
    for _ in range(n):
        frame = dark(night, exposure_s)
        frame[hot.y, hot.x] = 0.0
        tall = np.argwhere(frame > 502.0 + 60.0 / truth.e_per_adu(100))
        # Pixels within 30 of one another are one track.
        while tall.size:
            near = np.abs(tall - tall[0]).max(axis=1) <= 30
            tall, hits = tall[~near], hits + 1

    expected = truth.cosmics_per_cm2_min * truth.area_cm2 * exposure_s / 60.0 * n
    assert hits == pytest.approx(expected, abs=4.0 * sqrt(expected) + 0.1 * expected)


def test_binning_adds_up_pixels_and_cuts_at_the_largest_value(build: Build) -> None:
    one, two, three = build(seed=9), build(seed=9), build(seed=9)
    for night in (one, two, three):
        lamp(night, 1024, warm=False)

    single = flat(one, 0.8)
    double, triple = flat(two, 0.8, binning=2), flat(three, 0.8, binning=3)

    assert double.shape == (240, 320)
    assert triple.shape == (160, 213)
    summed = single.reshape(240, 2, 320, 2).sum(axis=(1, 3))
    assert (double == np.minimum(summed, 65_535)).all()
    assert double.max() == 65_535
    summed = single[:, :639].reshape(160, 3, 213, 3).sum(axis=(1, 3))
    assert (triple == np.minimum(summed, 65_535)).all()


def test_a_region_sees_the_same_sensor(build: Build) -> None:
    region = Region(101, 57, 300, 200)
    full, part = build(seed=9), build(seed=9)
    cooled(full, -10.0)
    cooled(part, -10.0)
    there = (slice(57, 257), slice(101, 401))

    whole = np.mean([bias(full)[there] for _ in range(16)], axis=0)
    cut = np.mean([bias(part, region=region) for _ in range(16)], axis=0)

    assert cut.shape == (200, 300)
    true = full.camera.truth_maps(region).bias_adu()
    assert (true == full.camera.truth_maps().bias_adu()[there]).all()
    for mean in (whole, cut):
        assert np.corrcoef((mean - true).ravel(), true.ravel())[0, 1] == pytest.approx(
            0.0, abs=0.02
        )


@pytest.mark.parametrize("start", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_colour_pixels_keep_their_place_in_any_region(build: Build, start: tuple[int, int]) -> None:
    night = build("bayer24")
    lamp(night, 1024)
    y, x = 2000 + start[0], 3000 + start[1]

    frame = flat(night, 1.0, region=Region(x, y, 64, 64)) - 502.0

    pattern = night.camera.info.bayer
    assert pattern == "RGGB"
    quantum = {"R": 0.46, "G": 0.52, "B": 0.40}
    for dy in (0, 1):
        for dx in (0, 1):
            colour = pattern[2 * ((y + dy) % 2) + (x + dx) % 2]
            level = frame[dy::2, dx::2].mean() / frame.mean()
            assert level == pytest.approx(quantum[colour] / 0.475, rel=0.01)


def test_the_same_seed_and_number_give_the_same_pixels(build: Build) -> None:
    first, second, other = build(seed=11), build(seed=11), build(seed=12)
    nights = (first, second, other)

    biases = [bias(n) for n in nights]
    darks = [dark(n, 30.0) for n in nights]

    assert (biases[0] == biases[1]).all()
    assert (darks[0] == darks[1]).all()
    assert (biases[0] != biases[2]).mean() > 0.8


def test_no_two_frames_are_the_same(build: Build) -> None:
    night = build()

    assert (bias(night) != bias(night)).mean() > 0.8


def test_a_switched_lamp_makes_bands_only_in_very_short_exposures(build: Build) -> None:
    night = build("small")
    lamp(night, 2000)

    def bands(exposure_s: float) -> float:
        frame = flat(night, exposure_s, gain=0, region=Region(500, 300, 400, 400))
        rows = frame.mean(axis=1) - 502.0
        smooth = np.polyval(np.polyfit(np.arange(400), rows, 2), np.arange(400))
        return float((rows / smooth - 1.0).std())

    # 4.4 periods of the dimmer: up to 11 % from row to row; shot noise of a row is 1.5 %.
    assert bands(0.0011) > 0.025
    assert bands(1.0) < 0.002


def test_the_light_comes_back_as_a_level_in_the_middle_of_the_range(build: Build) -> None:
    night = build("mono24")
    lamp(night, 1024)

    frame = flat(night, 1.5, region=Region(2700, 1800, 600, 400))

    assert np.median(frame) == pytest.approx(32_000, rel=0.1)


def test_frame_says_what_was_done(build: Build) -> None:
    night = build()
    cooled(night, -10.0)

    frame = take(night, FrameKind.DARK, 2.00004, gain=120, offset=30, readout_mode=FAST)

    assert frame.exposure_s == 2.0
    assert (frame.gain, frame.offset, frame.readout_mode) == (120, 30, FAST)
    assert frame.sensor_c == pytest.approx(-10.0, abs=0.1)
    assert frame.set_c == -10.0
    assert frame.conversion == night.camera.conversion(120, FAST)
    assert frame.conversion is not None
    assert frame.conversion.e_per_adu == pytest.approx(0.78 * 10 ** (-0.6))


def test_neighbours_and_following_frames_have_nothing_in_common(build: Build) -> None:
    night = build("small", seed=3)
    lamp(night, 1024)
    frames = [flat(night, 2.0, gain=0) for _ in range(4)]

    noises = []
    for first, second in (frames[:2], frames[2:]):
        difference = second - first
        difference -= difference.mean(axis=1, keepdims=True)  # rows share their own noise
        noises.append(difference / difference.std())

    a, b = noises
    pulls = {"frames": (a * b).mean() * np.sqrt(a.size)}
    for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (0, 8), (64, 0), (0, 256), (256, 0)):
        products = a[dy:, dx:] * a[: a.shape[0] - dy, : a.shape[1] - dx]
        pulls[f"{dy}, {dx}"] = products.mean() * np.sqrt(products.size)
    # Correlations of independent values scatter by 1 / sqrt(n).
    assert max(abs(p) for p in pulls.values()) < 4.0, pulls
    assert abs(((a**4).mean() - 3.0) * np.sqrt(a.size / 24.0)) < 5.0
