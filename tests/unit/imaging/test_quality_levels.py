"""Levels and noise: against known truths, with tolerances from statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibstudio.imaging.quality_levels import (
    adu_quantum,
    central_level,
    channels,
    clipped_statistics,
    thin,
    tile_noise,
    tiles,
)
from tests.helpers.simple_camera import SimpleCamera, ramp, vignette


def test_level_is_that_of_the_middle_and_not_of_vignetted_corners():
    light = 20_000.0 * vignette((384, 448), 0.6)
    camera = SimpleCamera(1, pattern_adu=0.0)

    level = central_level(camera.expose(light))

    # The central half of each side: mean loss there is 0.6 * 2 * (0.5^2 / 3) / 2 = 0.05.
    expected = 1000 + 20_000 * 0.95 / 1.4
    assert level.value_adu == pytest.approx(expected, rel=0.01)
    assert level.channel == "L"
    assert level.per_channel == {"L": level.value_adu}


@pytest.mark.parametrize("bayer", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_level_of_a_colour_sensor_is_that_of_its_brightest_channel(bayer):
    wanted = {"R": 3000.0, "G": 9000.0, "B": 1500.0}
    data = np.empty((400, 600), dtype=np.uint16)
    for place, letter in enumerate(bayer):
        data[place // 2 :: 2, place % 2 :: 2] = wanted[letter]

    level = central_level(data, bayer)

    assert level.value_adu == 9000.0
    assert level.channel in ("G1", "G2")
    assert level.per_channel["R"] == 3000.0
    assert level.per_channel["B"] == 1500.0
    assert level.p999_adu == 9000.0


def test_level_is_not_moved_by_stars_and_hot_pixels():
    camera = SimpleCamera(2, pattern_adu=0.0)
    data = camera.expose(5000.0)
    clean = central_level(data).value_adu
    spots = np.random.default_rng(3).choice(data.size, data.size // 50, replace=False)
    data.ravel()[spots] = 65535

    dirty = central_level(data)

    # 2 % outliers shift a median by 0.025 sigma; sigma is about 51 ADU.
    assert dirty.value_adu == pytest.approx(clean, abs=0.05 * 51)
    assert dirty.p999_adu == 65535


def test_the_percentile_is_that_of_the_whole_frame():
    data = np.zeros((1000, 1000), dtype=np.uint16)
    data[:2] = 40_000  # 0.2 % at the very edge

    assert central_level(data).p999_adu == 40_000
    assert central_level(data).value_adu == 0


def test_noise_is_measured_without_the_slope_of_the_light():
    shape = (1024, 1280)
    camera = SimpleCamera(5, shape=shape, pattern_adu=0.0)
    slope = 20_000.0 * vignette(shape, 0.3) + ramp(shape, x=6000.0)
    flat = camera.expose(slope)
    expected = math.hypot(math.sqrt(float(np.median(slope))), 9.0) / 1.4

    found = tile_noise(flat, step=1)

    # Without the plane a tile's slope of 300 ADU would add 60 % to 100 ADU of noise.
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("sigma", [0.5, 1.7, 4.0, 30.0])
def test_noise_of_whole_numbers_is_right_where_the_mad_is_not(sigma):
    rng = np.random.default_rng(6)
    data = np.round(rng.normal(500.0, sigma, (1024, 1024))).astype(np.uint16)

    found = tile_noise(data, step=1)
    true = math.sqrt(found**2 - 1 / 12)

    # 144 tiles of 4096 pixels: 1.25 / sqrt(2 * 4096 * 144) = 0.12 %; below one step the error
    # of rounding is not quite uniform.
    assert true == pytest.approx(sigma, rel=0.02 if sigma < 1 else 0.006)


def test_noise_is_not_moved_by_one_percent_of_hot_pixels():
    rng = np.random.default_rng(7)
    data = rng.normal(1000.0, 8.0, (800, 800))
    data.ravel()[rng.choice(data.size, data.size // 100, replace=False)] += 5000

    # 1 % above shifts the median by 0.0125 sigma and the MAD by 1 %; the clip is at 5.
    assert tile_noise(data) == pytest.approx(8.0, rel=0.005)


def test_clipped_statistics_quote_the_standard_deviation_of_what_is_left():
    rng = np.random.default_rng(8)
    values = rng.normal(10.0, 3.0, 100_000)
    values[:50] = 1e6

    found = clipped_statistics(values)

    assert found.n_all == 100_000
    assert 99_940 <= found.n_kept <= 99_950
    assert found.mean == pytest.approx(10.0, abs=5 * 3 / 100_000**0.5)
    assert found.sigma == pytest.approx(3.0, rel=5 / (2 * 100_000) ** 0.5)


@pytest.mark.parametrize("step", [1, 4, 16])
def test_the_step_of_the_converter_is_found(step):
    camera = SimpleCamera(9, read_noise_e=60.0, step=step)

    assert adu_quantum(camera.expose()) == step


def test_a_constant_image_and_floats_have_no_step():
    assert adu_quantum(np.full((20, 20), 7, dtype=np.uint16)) == 0
    assert adu_quantum(np.zeros((20, 20), dtype=np.float32)) == 0


def test_channels_are_views_that_cover_every_pixel_once():
    data = np.arange(35).reshape(5, 7)

    planes = channels(data, "RGGB")

    assert list(planes) == ["R", "G1", "G2", "B"]
    assert sorted(np.concatenate([p.ravel() for p in planes.values()])) == list(range(35))
    assert all(p.base is not None for p in planes.values())


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (64, 64), (70, 65), (1000, 300)])
def test_tiles_have_one_shape_and_lie_inside(shape):
    data = np.arange(shape[0] * shape[1]).reshape(shape)

    cut = tiles(data, at_most=20)

    assert 1 <= len(cut) <= 20
    assert cut.shape[1:] == (min(64, shape[0]), min(64, shape[1]))


def test_a_sample_is_even_and_no_larger_than_asked():
    data = np.arange(2000 * 3000, dtype=np.int64).reshape(2000, 3000)

    sample = thin(data, 10_000)

    assert 5_000 < sample.size < 15_000
    # Rows and columns are all represented: the mean place is the middle within the step.
    assert np.mean(sample // 3000) == pytest.approx(1000, abs=60)
    assert np.mean(sample % 3000) == pytest.approx(1500, abs=120)
