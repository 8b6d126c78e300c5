"""The choice of a rule, its defaults, and the numbers behind it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibstudio.domain.errors import UsageError
from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from calibstudio.imaging.reject import (
    Rule,
    clip_limit,
    cost,
    esd_limits,
    finite_sample_factor,
    mad_factors,
    median_factor,
    resolve,
    student_quantile,
)


@pytest.mark.parametrize(
    ("n", "combine", "reject", "low", "high", "cutoff"),
    [
        (1, Combine.MEDIAN, Rejection.NONE, 0, 0, None),
        (3, Combine.MEDIAN, Rejection.NONE, 0, 0, None),
        (4, Combine.MEAN, Rejection.MAD, 5, 5, None),
        (9, Combine.MEAN, Rejection.MAD, 5, 5, None),
        (10, Combine.MEAN, Rejection.WINSORIZED, 4, 3, 5),
        (400, Combine.MEAN, Rejection.WINSORIZED, 4, 3, 5),
    ],
)
def test_the_automatic_choice_goes_by_the_number_of_frames(
    n: int, combine: Combine, reject: Rejection, low: float, high: float, cutoff: float | None
) -> None:
    resolved = resolve(StackSettings(), n)

    settings = resolved.settings
    assert (settings.combine, settings.reject) == (combine, reject)
    assert (settings.low, settings.high, settings.cutoff) == (low, high, cutoff)
    assert resolved.automatic
    assert resolved.finite_sample == (4 <= n <= 9)


def test_an_explicit_rule_keeps_its_limits_and_fills_in_the_rest() -> None:
    resolved = resolve(StackSettings(reject=Rejection.SIGMA, low=2.5), 4)

    assert (resolved.low, resolved.high) == (2.5, 3.0)
    assert resolved.rule is Rule.SIGMA
    assert not resolved.automatic


def test_a_median_needs_no_automatic_rejection() -> None:
    resolved = resolve(StackSettings(combine=Combine.MEDIAN), 40)

    assert resolved.settings.reject is Rejection.NONE


@pytest.mark.parametrize(
    "settings",
    [
        StackSettings(reject=Rejection.SIGMA, low=-1),
        StackSettings(reject=Rejection.SIGMA, high=math.nan),
        StackSettings(reject=Rejection.MINMAX, low=0.5),
        StackSettings(reject=Rejection.ESD, low=1.5),
        StackSettings(reject=Rejection.ESD, high=0),
        StackSettings(reject=Rejection.WINSORIZED, cutoff=0.5),
    ],
)
def test_limits_without_sense_are_refused(settings: StackSettings) -> None:
    with pytest.raises(UsageError):
        resolve(settings, 12)


def test_critical_values_are_those_of_rosner() -> None:
    limits = esd_limits(54, 0.2, 0.05)

    # NIST/SEMATECH e-Handbook 1.3.5.17.3, Rosner's example with 54 values.
    published = [3.159, 3.151, 3.144, 3.136, 3.128, 3.120, 3.112, 3.103, 3.094, 3.085]
    np.testing.assert_allclose(limits[54, :10], published, atol=0.0011)
    assert np.isinf(limits[54, 10:]).all() or limits.shape[1] == 10


def test_quantiles_of_student_are_those_of_the_tables() -> None:
    tails = np.array([0.05, 0.025, 0.01, 0.0005, 0.25, 0.005])
    freedom = np.array([1, 2, 5, 10, 30, 120])

    t = student_quantile(tails, freedom)

    np.testing.assert_allclose(
        t, [6.313752, 4.302653, 3.364930, 4.586894, 0.682756, 2.617421], rtol=1e-6
    )


def test_the_factors_of_the_median_are_the_known_ones() -> None:
    # Standard error of the median over that of the mean, for 2, 3, 4, ... values.
    known = {1: 1.0, 2: 1.0, 3: 1.1602, 4: 1.0922, 5: 1.1976, 6: 1.1351, 7: 1.2137, 10: 1.1762}

    for n, factor in known.items():
        assert math.sqrt(median_factor(n)) == pytest.approx(factor, abs=1e-4)
    assert math.sqrt(median_factor(500)) == pytest.approx(1.2533, abs=1e-3)


def test_the_closed_form_is_the_variance_of_a_cut_normal() -> None:
    k, low, high = clip_limit(2.0, 3.0)

    x = np.linspace(-2.0, 3.0, 200_001)
    phi = np.exp(-0.5 * x * x)
    inside = phi.sum()
    mean = (phi * x).sum() / inside
    assert k == pytest.approx(inside / (phi * (x - mean) ** 2).sum(), rel=1e-4)
    assert low == pytest.approx(0.0227501, abs=1e-6)
    assert high == pytest.approx(0.0013499, abs=1e-6)


def test_limits_far_out_cost_nothing() -> None:
    for reject in (Rejection.SIGMA, Rejection.MAD, Rejection.WINSORIZED, Rejection.LINEAR_FIT):
        result = cost(resolve(StackSettings(reject=reject, low=40, high=40), 30), 30)

        np.testing.assert_allclose(result.factor[2:], 1.0, atol=0.03)
        # The spread of four or five values is next to nothing now and then.
        np.testing.assert_allclose(result.share_low + result.share_high, 0.0, atol=6e-4)
        assert np.isnan(result.factor[:2]).all()


def test_costs_go_smoothly_from_few_to_many_values() -> None:
    result = cost(resolve(StackSettings(reject=Rejection.SIGMA, low=3, high=3), 500), 500)

    assert np.abs(np.diff(result.factor[10:])).max() < 0.01
    assert result.factor[500] == pytest.approx(1.06, abs=0.01)


def test_the_mad_of_few_values_is_corrected() -> None:
    factors = mad_factors(12, finite_sample=True)

    assert factors[5] == pytest.approx(1.4826 * 1.206)
    assert finite_sample_factor(12) == pytest.approx(12 / 11.2)
    np.testing.assert_array_equal(mad_factors(3, finite_sample=False), 1.4826)
