"""Stretches: where the median lands, what is clipped, and that no curve turns back."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.imaging.display_stretch import (
    LUT_SIZE,
    Curve,
    Stretch,
    auto_limits,
    choose_stretch,
    midtones_transfer,
    picture_levels,
)


def night_sky(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frame = rng.normal(1184.0, 53.8, (800, 900))
    frame.ravel()[::1009] = 60000.0
    return np.rint(frame).astype(np.uint16)


def test_levels_recover_the_truth_of_a_noisy_sky_with_stars():
    levels = picture_levels(night_sky())

    n = 120_000
    assert levels is not None
    assert levels.median == pytest.approx(1184.0, abs=5 * 1.25 * 53.8 / np.sqrt(n) + 0.5)
    assert levels.sigma == pytest.approx(53.8, rel=5 * 1.17 / np.sqrt(n) + 1.5 / 53.8)
    assert levels.maximum == 60000.0


def test_auto_stretch_puts_the_median_at_a_dark_grey_and_black_under_the_noise():
    levels = picture_levels(night_sky())
    assert levels is not None

    stretch = choose_stretch(levels, Curve.AUTO)

    lut = stretch.lut()
    at_median = lut[round((levels.median - stretch.black) * stretch.steps_per_adu)]
    assert at_median == pytest.approx(0.18 * 255, abs=1.0)
    assert stretch.black == pytest.approx(levels.median - 2.8 * levels.sigma)


def test_the_corners_of_a_flat_are_not_clipped():
    y, x = np.mgrid[-1:1:600j, -1:1:900j]
    flat = (40000.0 * (1.0 - 0.25 * (x**2 + y**2))).astype(np.uint16)
    levels = picture_levels(flat)
    assert levels is not None

    black, white = auto_limits(levels)

    assert np.mean(flat < black) <= 0.011
    assert np.mean(flat > white) <= 0.0011


def grey_at_the_median(picture: np.ndarray) -> float:
    levels = picture_levels(picture)
    assert levels is not None
    stretch = choose_stretch(levels, Curve.AUTO)
    return float(stretch.lut()[round((levels.median - stretch.black) * stretch.steps_per_adu)])


def test_a_lit_picture_is_not_bent_down_to_the_grey_of_a_dark_sky():
    y, x = np.mgrid[-1:1:600j, -1:1:900j]
    flat = (40000.0 * (1.0 - 0.25 * (x**2 + y**2))).astype(np.uint16)
    bias = np.rint(np.random.default_rng(3).normal(500.0, 3.0, (600, 900))).astype(np.uint16)

    assert grey_at_the_median(flat) > 0.4 * 255
    assert grey_at_the_median(bias) == pytest.approx(0.18 * 255, abs=2.0)


def test_a_picture_of_one_value_is_grey_and_not_an_error():
    levels = picture_levels(np.full((50, 50), 7, np.uint16))
    assert levels is not None

    for curve in Curve:
        stretch = choose_stretch(levels, curve)
        assert np.isfinite(stretch.steps_per_adu)
        assert stretch.lut().shape == (LUT_SIZE,)


def test_a_picture_without_values_has_no_levels():
    assert picture_levels(np.full((5, 5), np.nan, np.float32)) is None


@pytest.mark.parametrize("curve", list(Curve))
def test_every_curve_rises_from_black_to_white(curve):
    lut = Stretch(curve, 100.0, 200.0, midtones=0.05).lut().astype(int)

    assert (lut[0], lut[-1]) == (0, 255)
    assert (np.diff(lut) >= 0).all()


def test_the_midtones_function_has_its_three_fixed_points():
    assert midtones_transfer(0.0, 0.2) == 0.0
    assert midtones_transfer(1.0, 0.2) == pytest.approx(1.0)
    assert midtones_transfer(0.2, 0.2) == pytest.approx(0.5)


def test_white_never_falls_below_black():
    stretch = Stretch(Curve.LINEAR, 10.0, 20.0).with_limits(30.0, 5.0)

    assert (stretch.black, stretch.white) == (30.0, 30.0)
    assert stretch.span > 0
