"""Smooth structure against scipy and plain loops, with holes and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from calibstudio.domain.recipe import FlatSettings
from calibstudio.imaging.smooth import gaussian, polynomial, sliding_mean, smooth_light


def picture(shape: tuple[int, int] = (40, 60), *, holes: bool = False) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    data = 1000.0 + 3.0 * x + 0.2 * y * x + rng.normal(0, 20, shape)
    if holes:
        data[10:14, 20:30] = np.nan
        data[0, 0] = np.nan
    return np.asarray(data)


@pytest.mark.parametrize("sigma", [0.8, 2.01, 5.0])
def test_the_gaussian_is_scipys_without_values_beyond_the_edge(sigma: float) -> None:
    data = picture(holes=True)

    found = gaussian(data, sigma)

    good = np.isfinite(data).astype(float)
    total = ndimage.gaussian_filter(np.nan_to_num(data), sigma, mode="constant", truncate=4.0)
    weight = ndimage.gaussian_filter(good, sigma, mode="constant", truncate=4.0)
    np.testing.assert_allclose(found, total / weight, rtol=1e-9)


@pytest.mark.parametrize(("height", "width"), [(1, 7), (5, 9), (4, 6), (1, 200)])
def test_the_sliding_mean_is_that_of_a_plain_loop(height: int, width: int) -> None:
    data = picture((20, 30), holes=True)
    data[8, 12] = 90_000.0

    found = sliding_mean(data, height, width)

    ny, nx = data.shape
    for y in range(0, ny, 4):
        for x in range(0, nx, 5):
            expected = window_mean(data, y, x, height, width)
            assert found[y, x] == pytest.approx(expected, rel=1e-9, nan_ok=True)


def window(data: NDArray[np.float64], y: int, x: int, height: int, width: int) -> NDArray[np.bool_]:
    inside = np.zeros(data.shape, bool)
    y0, x0 = y - height // 2, x - width // 2
    inside[max(0, y0) : y0 + height, max(0, x0) : x0 + width] = True
    return inside


def window_mean(data: NDArray[np.float64], y: int, x: int, height: int, width: int) -> float:
    """Clip every pixel of the window by its own window, then take the mean of the rest."""
    kept = []
    for v, u in zip(*np.nonzero(window(data, y, x, height, width)), strict=True):
        own = data[window(data, v, u, height, width)]
        own = own[np.isfinite(own)]
        if np.isfinite(data[v, u]) and abs(data[v, u] - own.mean()) <= 3 * own.std() + 1e-9:
            kept.append(data[v, u])
    return float(np.mean(kept)) if kept else float("nan")


def test_a_cosmic_ray_does_not_move_the_sliding_mean() -> None:
    data = np.full((30, 300), 500.0)
    data[10, 100] = 60_000.0

    assert np.allclose(sliding_mean(data, 1, 51), 500.0)


@pytest.mark.parametrize("degree", [0, 1, 4])
def test_the_polynomial_is_that_of_least_squares_in_powers(degree: int) -> None:
    data = picture((50, 40))

    found = polynomial(data, degree)

    y, x = np.mgrid[-1 : 1 : 50 * 1j, -1 : 1 : 40 * 1j]
    terms = [x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    matrix = np.stack([t.ravel() for t in terms], axis=1)
    # No value is beyond 5 sigma of this noise, except of the fits that cannot follow the slope.
    best = matrix @ np.linalg.lstsq(matrix, data.ravel(), rcond=None)[0]
    np.testing.assert_allclose(found, best.reshape(data.shape), rtol=1e-8)


def test_stars_and_holes_do_not_move_the_polynomial() -> None:
    y, x = np.mgrid[-1 : 1 : 80 * 1j, -1 : 1 : 90 * 1j]
    truth = 2000 + 300 * x - 100 * y * x + 50 * y**2
    data = truth + np.random.default_rng(2).normal(0, 5, truth.shape)
    data[20:25, 30:35] = 60_000.0
    data[60:70, 10:20] = np.nan

    assert np.max(np.abs(polynomial(data, 2) - truth)) < 2.0


def test_without_smoothing_there_is_none() -> None:
    assert smooth_light(np.ones((8, 8)), FlatSettings()) is None


def test_a_picture_without_values_has_no_smooth_light() -> None:
    empty = np.full((12, 12), np.nan)

    assert np.isnan(gaussian(empty, 2.0)).all()
    assert np.isnan(sliding_mean(empty, 3, 3)).all()
    assert np.isnan(polynomial(empty, 2)).all()
