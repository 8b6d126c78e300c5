"""Rules on whole numbers that scatter by a code or two: they implode without a floor."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.recipe import Floor, Rejection, StackSettings
from calibstudio.imaging.combine_look import common_rounding, noise_of, quantum_of, variance_of
from tests.helpers import reference_stack as reference
from tests.helpers.realistic_stack import combined

NARROW = {
    "sigma": StackSettings(reject=Rejection.SIGMA),
    "mad": StackSettings(reject=Rejection.MAD),
    "winsorized": StackSettings(reject=Rejection.WINSORIZED),
    "linear fit": StackSettings(reject=Rejection.LINEAR_FIT),
    "esd": StackSettings(reject=Rejection.ESD),
}


def narrow_stack(n: int, *, quantum: int = 1, sigma: float = 0.7) -> np.ndarray:
    """Noise of less than a code, in steps of ``quantum``, with hits."""
    rng = np.random.default_rng([n, 9])
    a = np.rint(rng.normal(250.0, sigma, (n, 10, 400))) * quantum
    a[rng.random(a.shape) < 0.001] += 60 * quantum
    return a.astype(np.uint16)


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.parametrize("quantum", [1, 16])
def test_the_automatic_choice_keeps_neighbouring_codes(n: int, quantum: int) -> None:
    stack = narrow_stack(n, quantum=quantum)

    result, report = combined(stack, StackSettings())

    assert report.floor_adu == quantum
    assert (result.unc > 0).all()
    away = np.abs(stack.astype(float) - np.median(stack, axis=0))
    near = (away <= 3 * quantum).sum(axis=0)
    assert (result.cnt >= near).all()
    assert (result.cnt < n).sum() == (away.max(axis=0) > 50 * quantum).sum()


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("n", [10, 30])
def test_a_rule_by_name_has_a_floor_where_it_is_asked_for(name: str, n: int) -> None:
    stack = narrow_stack(n)
    settings = NARROW[name]
    asked = StackSettings(reject=settings.reject, floor=Floor.NOISE)

    published, _ = combined(stack, settings)
    floored, report = combined(stack, asked)

    assert report.floor_adu == pytest.approx(1.0, abs=0.15)
    assert (floored.cnt >= published.cnt).all()
    clean = np.ptp(stack, axis=0) <= 3
    # The test of ESD is tighter than 3 sigma for few values.
    assert (floored.cnt[clean] == n).mean() > 0.99
    assert (published.cnt[clean] == n).mean() < 1.0
    assert (floored.unc > 0).all()


@pytest.mark.parametrize("n", [5, 10, 25])
def test_a_floor_is_that_of_the_definition(n: int) -> None:
    rng = np.random.default_rng(n)
    stack = np.rint(rng.normal(1000.0, 1.5, (n, 8, 60))).astype(np.uint16)
    stack[rng.random(stack.shape) < 0.03] += 20
    low, high, floor = 2.5, 2.0, 2.2

    def spread_of(name: str) -> reference.Spread:
        return {
            "sigma": lambda v, _: float(np.std(v, ddof=1)),
            "mad": lambda v, _: reference.mad_sigma(v),
            "winsorized": lambda v, _: reference.winsorized_sigma(v, np.inf),
        }[name]

    for name in ("sigma", "mad", "winsorized"):
        spread = reference.at_least(floor, spread_of(name))
        settings = StackSettings(reject=Rejection(name), low=low, high=high, floor=Floor.NOISE)
        result, _ = combined(stack, settings, read_noise_adu=floor)
        _, _, count, _ = reference.combine_pixels(
            stack, lambda v, s=spread: reference.iterated(v, low, high, s, None, 3)
        )
        np.testing.assert_array_equal(result.cnt, count)


def test_without_a_floor_the_automatic_choice_is_as_published() -> None:
    stack = narrow_stack(12)

    free, report = combined(stack, StackSettings(floor=Floor.NONE))
    named, _ = combined(stack, StackSettings(reject=Rejection.WINSORIZED, cutoff=5.0))

    assert report.floor_adu == 0.0
    np.testing.assert_array_equal(free.cnt, named.cnt)


def test_equal_values_of_known_noise_have_the_uncertainty_of_that_noise() -> None:
    stack = np.full((10, 4, 70), 0.123, np.float32)

    result, _ = combined(stack, StackSettings(), read_noise_adu=3.0)
    unknown, _ = combined(stack, StackSettings())

    np.testing.assert_allclose(result.unc, 3.0 / np.sqrt(10), rtol=1e-6)
    assert (unknown.unc == 0).all()


@pytest.mark.parametrize(
    ("values", "quantum"),
    [
        ([1000, 1016, 1064, 1000], 16.0),
        ([3, 4, 9], 1.0),
        ([5, 5, 5], 0.0),
        ([1.5, 2.0, 2.5], 0.0),
        ([np.nan, 4.0, 8.0], 4.0),
        ([0.0, 1e8, 3e8], 0.0),
    ],
)
def test_the_quantum_is_the_step_between_codes(values: list[float], quantum: float) -> None:
    assert quantum_of(np.array(values, np.float32)) == quantum


@pytest.mark.parametrize("n", [4, 7, 10, 33, 100])
def test_the_noise_of_one_frame_is_told_in_spite_of_hits_and_levels(n: int) -> None:
    rng = np.random.default_rng(n)
    stack = rng.normal(0.0, 5.0, (n, 4096)) + rng.normal(0.0, 50.0, (n, 1))
    stack[rng.random(stack.shape) < 0.005] += 4000.0
    stack[:, :8] *= 30.0

    assert noise_of(stack) == pytest.approx(5.0, rel=0.04)
    assert noise_of(stack[:3]) == 0.0


@pytest.mark.parametrize("sigma", [0.2, 0.3, 0.45, 0.8])
def test_the_common_part_of_rounding_is_that_of_a_simulation(sigma: float) -> None:
    rng = np.random.default_rng(7)
    level = rng.uniform(0.0, 1.0, 20_000)
    stack = np.rint(level + rng.normal(0.0, sigma, (200, 20_000)))

    found = common_rounding(variance_of(stack), 1.0)

    error = stack.mean(axis=0) - level
    true = np.mean(error**2) - np.mean(stack.var(axis=0, ddof=1)) / 200
    assert found == pytest.approx(true, abs=0.0006)
    assert common_rounding(0.0, 4.0) == pytest.approx(16 / 12, rel=0.01)
    assert common_rounding(1.0, 0.0) == 0.0
