"""Gradient, vignetting and banding against known truths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibstudio.imaging.quality_shape import bin_levels, line_structure, measure_shape
from tests.helpers.simple_camera import ramp, vignette


def test_a_plane_is_measured_peak_to_valley():
    rng = np.random.default_rng(1)
    data = rng.normal(500.0, 5.0, (600, 800)) + ramp((600, 800), x=12.0, y=-8.0)

    found = measure_shape(data)

    # Bins are good to 5 / 16; a slope of 1024 bins over [-1, 1] to sqrt(3 / 1024) of that,
    # twice that peak to valley, for two slopes: 0.05.
    assert found.plane_p2v == pytest.approx(20.0, abs=0.25)


def test_vignetting_is_no_gradient():
    rng = np.random.default_rng(2)
    data = 20_000.0 * vignette((600, 800), 0.5) + rng.normal(0.0, 100.0, (600, 800))

    found = measure_shape(data)

    assert found.plane_p2v < 5.0  # 1 ADU of noise in the slopes
    # The corner boxes are 5 % of each side: their middle is at 0.95 of the way out.
    loss = 0.5 * 0.95**2
    assert found.vignetting_pct(0.0) == pytest.approx(100 * loss, abs=0.5)


def test_the_pedestal_is_taken_out_of_vignetting():
    data = 1000.0 + 9000.0 * vignette((400, 400), 0.4)

    found = measure_shape(data)

    assert found.vignetting_pct(1000.0) == pytest.approx(40 * 0.95**2, abs=0.3)
    assert found.vignetting_pct(0.0) < found.vignetting_pct(1000.0)


def test_bins_leave_out_hot_pixels_and_unknown_ones():
    rng = np.random.default_rng(3)
    data = rng.normal(100.0, 2.0, (320, 320)).astype(np.float32)
    data[::7, ::5] = 60_000
    data[10:20, 10:20] = np.nan

    levels = bin_levels(data)

    assert levels.shape == (32, 32)
    assert np.nanmax(np.abs(levels - 100.0)) < 5 * 2.0 / math.sqrt(100 * 0.8)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("exact", [False, True])
def test_white_noise_has_no_banding(axis, exact):
    rng = np.random.default_rng(4)
    data = np.round(rng.normal(1000.0, 10.0, (1000, 1200))).astype(np.uint16)

    found = line_structure(data, 10.0, axis=axis, exact=exact)

    # R^2 is good to sqrt(2 / 1000) times 1200 / 524 sampled: 0.1.
    assert found.ratio < 1.25


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("exact", [False, True])
def test_noise_of_lines_is_measured_in_units_of_white_noise(axis, exact):
    rng = np.random.default_rng(5)
    shape = (1000, 1200)
    lines = rng.normal(0.0, 1.5, shape[1 - axis])
    data = rng.normal(1000.0, 10.0, shape) + (lines[:, None] if axis else lines[None, :])
    data = np.round(data).astype(np.uint16)

    found = line_structure(data, 10.0, axis=axis, exact=exact)

    n = shape[axis]
    expected = math.sqrt(1 + 1.5**2 / (10.0**2 / n))
    # A standard deviation of 1000 values is good to 2.2 %.
    assert found.ratio == pytest.approx(expected, rel=0.09)
    assert found.sigma_adu == pytest.approx(1.5, rel=0.09)


def test_one_bad_column_is_counted_and_is_no_banding():
    rng = np.random.default_rng(6)
    data = rng.normal(1000.0, 10.0, (1000, 1200))
    data[:, 700] += 200.0

    found = line_structure(np.round(data).astype(np.uint16), 10.0, axis=0, exact=True)

    assert found.bad_lines == 1
    assert found.ratio < 2.0


def test_vignetting_is_no_banding():
    rng = np.random.default_rng(7)
    data = rng.poisson(20_000.0 * vignette((1000, 1200), 0.5)).astype(np.uint16)

    for axis in (0, 1):
        assert line_structure(data, 130.0, axis=axis, exact=True).ratio < 1.3
        assert line_structure(data, 130.0, axis=axis).ratio < 1.3


def test_small_images_have_no_shape():
    assert math.isnan(measure_shape(np.ones((3, 3))).plane_p2v)
    assert math.isnan(line_structure(np.ones((10, 10)), 1.0, axis=0).ratio)
    assert bin_levels(np.empty((0, 4))).size == 0
