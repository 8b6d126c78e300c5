"""Weighted means: their value, their uncertainty, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from tests.helpers.realistic_stack import combined, realistic_stack

PLAIN = StackSettings(reject=Rejection.NONE)


def weighted_by_hand(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and its variance: sum a^2 r^2 / (1 - a), a the share of a weight."""
    a = (w / w.sum())[:, None, None]
    mean = (a * x).sum(axis=0)
    return mean, (a**2 * (x - mean) ** 2 / (1 - a)).sum(axis=0)


def test_a_weighted_mean_is_the_sum_of_weighted_values() -> None:
    x = np.random.default_rng(1).normal(1000, 9, (7, 5, 70)).astype(np.float32)
    weights = [1.0, 2.0, 0.5, 4.0, 1.0, 3.0, 0.1]

    result, _ = combined(x, PLAIN, weights=weights)

    mean, square = weighted_by_hand(x.astype(np.float64), np.array(weights))
    np.testing.assert_allclose(result.image, mean, rtol=1e-7)
    np.testing.assert_allclose(result.unc, np.sqrt(square), rtol=1e-5)


def test_equal_weights_change_nothing() -> None:
    stack = realistic_stack(12, seed=2)

    plain, _ = combined(stack, StackSettings())
    same, report = combined(stack, StackSettings(), weights=[0.3] * 12)

    np.testing.assert_array_equal(plain.image, same.image)
    np.testing.assert_array_equal(plain.unc, same.unc)
    assert report.exact


def test_rejected_values_have_no_weight() -> None:
    x = np.random.default_rng(1).normal(1000, 5, (12, 5, 70)).astype(np.float32)
    x[3] += 4000.0
    weights = np.linspace(1, 4, 12)

    result, _ = combined(x, StackSettings(reject=Rejection.MAD), weights=list(weights))
    without, _ = combined(
        np.delete(x, 3, 0), StackSettings(reject=Rejection.MAD), weights=list(np.delete(weights, 3))
    )

    same = (result.cnt == 11) & (without.cnt == 11)
    assert same.mean() > 0.95
    np.testing.assert_allclose(result.image[same], without.image[same], rtol=1e-6)


@pytest.mark.parametrize("n", [3, 6, 20])
@pytest.mark.parametrize("reject", [Rejection.NONE, Rejection.SIGMA, Rejection.WINSORIZED])
def test_unc_is_the_scatter_where_weights_are_inverse_variances(reject: Rejection, n: int) -> None:
    rng = np.random.default_rng([n, 3])
    sigma = np.where(np.arange(n) % 2 == 0, 10.0, 20.0)
    x = (1000 + sigma[:, None, None] * rng.standard_normal((n, 20, 2000))).astype(np.float32)

    result, _ = combined(x, StackSettings(reject=reject), weights=list(1 / sigma**2))
    plain, _ = combined(x, StackSettings(reject=reject))

    true = np.sqrt(np.mean((result.image.astype(float) - 1000) ** 2))
    said = np.sqrt(np.mean(result.unc.astype(float) ** 2))
    rejects = reject is not Rejection.NONE and n > 3
    assert said / true == pytest.approx(1.0, abs=0.05 if rejects else 0.015)
    assert true < np.sqrt(np.mean((plain.image.astype(float) - 1000) ** 2))
    if reject is Rejection.NONE:
        assert true == pytest.approx(np.sqrt(1 / np.sum(1 / sigma**2)), rel=0.015)


@pytest.mark.parametrize("n", [8, 20])
def test_unc_is_nearly_right_for_weights_that_are_wrong(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(1000, 10, (n, 20, 2000)).astype(np.float32)
    weights = np.where(np.arange(n) % 4 == 0, 4.0, 1.0)

    result, _ = combined(x, PLAIN, weights=list(weights))

    true = np.sqrt(np.mean((result.image.astype(float) - 1000) ** 2))
    said = np.sqrt(np.mean(result.unc.astype(float) ** 2))
    assert said / true == pytest.approx(1.0, abs=0.07)


@settings(max_examples=25)
@given(n=st.integers(2, 15), seed=st.integers(0, 2**32 - 1), floats=st.booleans())
def test_the_order_of_files_and_threads_do_not_matter(n: int, seed: int, floats: bool) -> None:
    stack = realistic_stack(n, seed=seed, floats=floats)
    rng = np.random.default_rng(seed)
    weights = rng.choice([1.0, 1.7, 0.2], n)
    order = rng.permutation(n)

    one, _ = combined(stack, StackSettings(), weights=list(weights), threads=1)
    other, _ = combined(
        stack[order], StackSettings(), weights=list(weights[order]), threads=2, band_rows=3
    )

    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.unc, other.unc)
    np.testing.assert_array_equal(one.cnt, other.cnt)


def test_a_median_has_no_weights() -> None:
    stack = realistic_stack(8, seed=2)
    median = StackSettings(combine=Combine.MEDIAN, reject=Rejection.NONE)

    plain, _ = combined(stack, median)
    asked, report = combined(stack, median, weights=list(range(1, 9)))

    np.testing.assert_array_equal(plain.image, asked.image)
    assert not report.weighted


@pytest.mark.parametrize("weights", [[1.0, 0.0, 1.0], [1.0, -1.0, 2.0], [1.0, np.nan, 1.0]])
def test_weights_that_are_none_are_a_mistake_of_the_caller(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be above 0"):
        combined(realistic_stack(3, seed=1), PLAIN, weights=weights)
