"""Dark signal of one exposure for another: the algebra, the exponent, the optimum, the weights."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.imaging.dark_scaling import (
    DarkLevel,
    Exponent,
    RateSet,
    ScaledDark,
    dark_level,
    growth_exponents,
    optimal_factor,
    together,
)

SHAPE = (192, 256)


def hot_signal(seed: int = 1, share: float = 0.02) -> np.ndarray:
    """Dark signal of one second: a little everywhere, a lot in hot pixels."""
    rng = np.random.default_rng(seed)
    signal = np.full(SHAPE, 0.5)
    hot = rng.random(SHAPE) < share
    signal[hot] = rng.exponential(40.0, np.count_nonzero(hot)) + 5.0
    return signal


def test_the_bias_is_never_scaled() -> None:
    bias = np.full((4, 6), 500.0, np.float32)
    dark = bias + 60.0

    half = ScaledDark(bias, dark, 0.5, has_bias=True)
    rate = ScaledDark(bias, np.full((4, 6), 2.0, np.float32), 15.0, has_bias=False)

    assert half.shape == (4, 6)
    assert np.all(half[:] == 530.0)
    assert half[1:3].shape == (2, 6)
    assert np.all(rate[:] == 530.0)


def test_the_uncertainty_of_a_scaled_dark_is_that_of_many_simulated_ones() -> None:
    rng = np.random.default_rng(7)
    n, k = 40_000, 0.3
    bias = 500 + rng.normal(0, 2.0, n)
    dark = 560 + rng.normal(0, 3.0, n)
    plane = ScaledDark(
        bias.astype(np.float32)[None], dark.astype(np.float32)[None], k, has_bias=True
    )

    found = plane.uncertainty(np.full((1, n), 2.0, np.float32), np.full((1, n), 3.0, np.float32))

    # The standard deviation of 40 000 values is good to 0.35 %.
    assert found is not None
    assert found[0, 0] == pytest.approx(np.std(plane[:]), rel=0.015)
    assert plane.uncertainty(None, None) is None


@pytest.mark.parametrize("p", [1.0, 0.7])
def test_the_exponent_of_glow_is_found_from_three_exposures(p: float) -> None:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    glow = np.exp(-((y - 20) ** 2 + (x - 230) ** 2) / 900.0)
    levels = []
    for t in (30.0, 100.0, 300.0):
        signal = 0.05 * t + 4.0 * t**p * glow + rng.normal(0, 2.0, SHAPE)
        levels.append(dark_level(signal, t))

    by_name = {e.what: e for e in growth_exponents(levels)}

    assert by_name["glow"].p == pytest.approx(p, abs=0.05)
    assert by_name["glow"].is_off == (p != 1.0)
    assert by_name["dark signal"].p == pytest.approx(1.0, abs=0.05)
    assert not by_name["dark signal"].is_off


def test_noise_alone_has_no_exponent() -> None:
    rng = np.random.default_rng(4)
    levels = [dark_level(rng.normal(0, 3.0, SHAPE), t) for t in (10.0, 100.0)]

    assert growth_exponents(levels) == ()
    assert growth_exponents([DarkLevel(10.0, 5.0, 1.0, 0.1)]) == (), "one exposure tells nothing"


def test_an_exponent_is_off_only_for_sure() -> None:
    assert Exponent("glow", 0.85, 0.01).is_off
    assert not Exponent("glow", 0.85, 0.3).is_off
    assert not Exponent("glow", 1.05, 0.001).is_off


@pytest.mark.parametrize("truth", [0.25, 1.0, 1.6])
def test_the_optimal_factor_is_the_true_one_beside_stars_and_vignetting(truth: float) -> None:
    rng = np.random.default_rng(9)
    signal = 30.0 * hot_signal(2)
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    light = truth * signal + 3000.0 * (1 - 0.3 * (x**2 + y**2)) + rng.normal(0, 5.0, SHAPE)
    for cy, cx in rng.integers(10, 180, (40, 2)):
        light[cy - 2 : cy + 3, cx - 2 : cx + 3] += rng.uniform(500, 20_000)
    dark = signal + rng.normal(0, 2.0, SHAPE)

    k, n = optimal_factor(light, dark)

    # Each of n pixels tells k to about 5 / 1000; some lie beside stars.
    assert n > 500
    assert k == pytest.approx(truth, abs=0.01)


def test_the_optimum_is_that_of_a_search_for_the_least_absolute_deviation() -> None:
    rng = np.random.default_rng(10)
    dark = 30.0 * hot_signal(3)
    light = 0.6 * dark + rng.normal(0, 30.0, SHAPE)

    k, _ = optimal_factor(light, dark)

    def beside(a: np.ndarray) -> np.ndarray:
        around = np.stack([a[:-2, 1:-1], a[2:, 1:-1], a[1:-1, :-2], a[1:-1, 2:]])
        return np.asarray(a[1:-1, 1:-1] - np.median(around, axis=0))

    d, left = beside(dark), beside(light)
    used = d > 5 * 1.4826 * np.median(np.abs(d))
    grid = np.linspace(0.5, 0.7, 2001)
    noise = [np.mean(np.abs(left[used] - g * d[used])) for g in grid]
    assert k == pytest.approx(grid[int(np.argmin(noise))], abs=2e-4)


def test_a_dark_without_structure_has_no_optimum() -> None:
    rng = np.random.default_rng(11)

    k, n = optimal_factor(rng.normal(0, 1, SHAPE), np.ones(SHAPE))

    assert np.isnan(k)
    assert n < 30


def test_rates_of_several_exposures_are_weighted_by_what_they_tell() -> None:
    rng = np.random.default_rng(12)
    truth = hot_signal(4).astype(np.float32)
    sets = []
    for t, sigma in ((30.0, 4.0 / 30), (300.0, 6.0 / 300)):
        noise = rng.normal(0, sigma, SHAPE)
        sets.append(
            RateSet(
                (truth + noise).astype(np.float32),
                np.full(SHAPE, sigma, np.float32),
                np.full(SHAPE, 10, np.uint16),
                t,
            )
        )

    found, shares = together(sets)

    # The weighted mean of two: 1 / sigma^2 adds up. 49 152 pixels tell it to 0.3 %.
    expected = (1 / (4 / 30) ** 2 + 1 / (6 / 300) ** 2) ** -0.5
    assert np.std(found.image - truth) == pytest.approx(expected, rel=0.015)
    assert float(np.median(found.unc)) == pytest.approx(expected, rel=1e-4)
    assert shares == pytest.approx((0.022, 0.978), rel=0.01)
    assert np.all(found.cnt == 20)


def test_a_pixel_without_a_value_in_one_set_takes_the_others() -> None:
    one = RateSet(
        np.array([[np.nan, 1.0]], np.float32),
        np.array([[np.nan, 0.1]], np.float32),
        np.array([[0, 5]], np.uint16),
        10.0,
    )
    other = RateSet(
        np.array([[3.0, 2.0]], np.float32),
        np.array([[0.1, 0.1]], np.float32),
        np.array([[5, 5]], np.uint16),
        20.0,
    )

    found, _ = together([one, other])

    assert found.image.tolist() == [[3.0, 1.5]]
    assert found.cnt.tolist() == [[5, 10]]
