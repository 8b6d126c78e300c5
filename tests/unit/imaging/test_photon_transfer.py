"""Gain and read noise from pairs, against cameras whose gain and read noise are known."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.imaging.quality import photon_transfer
from tests.helpers.simple_camera import SimpleCamera, vignette


@pytest.mark.parametrize(
    ("egain", "read_noise_e"), [(0.25, 1.5), (1.0, 3.0), (1.36, 16.3), (2.06, 13.0)]
)
def test_gain_and_read_noise_are_those_of_the_camera(egain, read_noise_e):
    camera = SimpleCamera(1, shape=(576, 768), egain=egain, read_noise_e=read_noise_e)
    flats = [camera.expose(20_000.0 * egain) for _ in range(2)]
    biases = camera.biases(2)

    found = photon_transfer(*flats, *biases)

    # 108 tiles of 4096 values: sqrt(2 / (108 * 4096)) = 0.21 %; read noise half of that.
    assert found.n_tiles == 108
    assert found.egain_e_per_adu == pytest.approx(egain, rel=5 * 0.0021)
    assert found.read_noise_adu == pytest.approx(read_noise_e / egain, rel=5 * 0.0011)
    assert found.read_noise_e == pytest.approx(read_noise_e, rel=5 * 0.0024)
    assert found.egain_error == pytest.approx(0.0021 * egain, rel=0.3)


def test_the_error_that_is_quoted_is_the_scatter_of_repeated_measurements():
    found = []
    for seed in range(24):
        camera = SimpleCamera(100 + seed, shape=(256, 256), egain=1.4)
        found.append(photon_transfer(camera.expose(2e4), camera.expose(2e4), *camera.biases(2)))

    gains = [f.egain_e_per_adu for f in found]
    noises = [f.read_noise_e for f in found]

    # A standard deviation of 24 values is good to 15 %: 3 of that either way.
    quoted = np.mean([f.egain_error for f in found])
    assert np.std(gains, ddof=1) == pytest.approx(quoted, rel=0.45)
    assert np.mean(gains) == pytest.approx(1.4, abs=4 * quoted / 24**0.5)
    assert np.std(noises, ddof=1) == pytest.approx(
        np.mean([f.read_noise_error_e for f in found]), rel=0.45
    )


def test_fixed_pattern_vignetting_and_a_drifting_lamp_do_not_change_the_gain():
    camera = SimpleCamera(2, shape=(576, 768), pattern_adu=20.0)
    response = np.random.default_rng(3).normal(1.0, 0.01, camera.shape)
    light = 30_000.0 * vignette(camera.shape, 0.5) * response

    found = photon_transfer(camera.expose(light), camera.expose(0.9 * light), *camera.biases(2))

    assert found.egain_e_per_adu == pytest.approx(1.4, rel=5 * 0.0021)


def test_the_rounding_of_a_coarse_converter_is_taken_out():
    camera = SimpleCamera(4, shape=(576, 768), egain=0.05, read_noise_e=1.2, step=16)
    flats = [camera.expose(1_000.0) for _ in range(2)]

    found = photon_transfer(*flats, *camera.biases(2))

    assert found.egain_e_per_adu == pytest.approx(0.05, rel=0.01)
    assert found.read_noise_e == pytest.approx(1.2, rel=0.015)


def test_hot_pixels_and_cosmic_rays_do_not_change_it():
    camera = SimpleCamera(5, shape=(576, 768))
    frames = [camera.expose(2e4), camera.expose(2e4), *camera.biases(2)]
    rng = np.random.default_rng(6)
    for frame in frames:
        frame.ravel()[rng.choice(frame.size, 400, replace=False)] = 60_000

    found = photon_transfer(*frames)

    assert found.egain_e_per_adu == pytest.approx(1.4, rel=0.01)
    assert found.read_noise_e == pytest.approx(9.0, rel=0.01)


def test_colour_sensors_are_measured_channel_by_channel():
    camera = SimpleCamera(7, shape=(576, 768))
    light = np.full(camera.shape, 8_000.0)
    light[0::2, 1::2] = light[1::2, 0::2] = 24_000.0

    found = photon_transfer(
        camera.expose(light), camera.expose(light), *camera.biases(2), bayer="RGGB"
    )

    assert found.egain_e_per_adu == pytest.approx(1.4, rel=5 * 0.0021)


def test_saturated_tiles_are_left_out_and_without_any_left_there_is_no_gain():
    camera = SimpleCamera(8)
    light = np.full(camera.shape, 20_000.0)
    light[:, :224] = 200_000.0
    flats = [camera.expose(light) for _ in range(2)]

    half = photon_transfer(*flats, *camera.biases(2), saturation_adu=65_535)
    none = photon_transfer(
        *[camera.expose(2e5) for _ in range(2)], *camera.biases(2), saturation_adu=65_535
    )

    assert half.n_tiles == 18
    assert half.egain_e_per_adu == pytest.approx(1.4, rel=0.025)
    assert none.n_tiles == 0
    assert np.isnan(none.egain_e_per_adu)
    assert none.read_noise_adu == pytest.approx(9 / 1.4, rel=0.02)


def test_flats_without_light_have_no_gain():
    camera = SimpleCamera(9)

    found = photon_transfer(*camera.biases(4))

    assert not found.egain_e_per_adu > 0 or found.egain_error > 0.2 * found.egain_e_per_adu


def test_images_of_different_shapes_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="one shape"):
        photon_transfer(*[np.zeros((n, 70)) for n in (70, 70, 70, 71)])
