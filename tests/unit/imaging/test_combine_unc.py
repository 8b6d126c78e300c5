"""UNC is the true scatter: its root mean square over many stacks of known noise."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.recipe import Combine, Floor, Rejection, StackSettings
from calibstudio.imaging.reject import cost, resolve
from tests.helpers.realistic_stack import combined

CHOICES = {
    "mean": StackSettings(reject=Rejection.NONE),
    "median": StackSettings(combine=Combine.MEDIAN, reject=Rejection.NONE),
    "automatic": StackSettings(),
    "sigma 3": StackSettings(reject=Rejection.SIGMA),
    "sigma 2": StackSettings(reject=Rejection.SIGMA, low=2, high=2),
    "median after sigma 2.2": StackSettings(
        combine=Combine.MEDIAN, reject=Rejection.SIGMA, low=2.2, high=2.7
    ),
    "mad 3": StackSettings(reject=Rejection.MAD, low=3, high=3),
    "winsorized 4 3": StackSettings(reject=Rejection.WINSORIZED),
    "minmax": StackSettings(reject=Rejection.MINMAX, low=1, high=2),
    "linear fit": StackSettings(reject=Rejection.LINEAR_FIT, low=3, high=3),
    "esd": StackSettings(reject=Rejection.ESD),
    "percentile": StackSettings(reject=Rejection.PERCENTILE, low=0.2, high=0.1),
}


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 13, 20, 47, 60])
@pytest.mark.parametrize("name", CHOICES)
def test_the_root_mean_square_of_unc_is_the_true_scatter(name: str, n: int) -> None:
    settings = CHOICES[name]
    columns = 400 if name == "linear fit" and n > 20 else 2000
    rng = np.random.default_rng([n, 77])
    noise = rng.normal(1000.0, 20.0, (n, 10, columns)).astype(np.float32)

    result, report = combined(noise, settings)

    pixels = result.image.size
    true = float(np.sqrt(np.mean((result.image.astype(np.float64) - 1000.0) ** 2)))
    said = float(np.sqrt(np.mean(result.unc.astype(np.float64) ** 2)))
    # Scatter of a variance from so many pixels, both numerator and denominator; 4 sigma.
    statistics = np.sqrt(1.0 / (2 * pixels) + 1.0 / (2 * pixels * max(1, n - 1)))
    # And what the table itself is uncertain by, interpolated.
    assert said / true == pytest.approx(1.0, abs=4 * statistics + 0.012)
    expected = cost(resolve(settings, n), n)
    values = n * pixels
    share = float(expected.share_low[n] + expected.share_high[n])
    if name != "percentile":
        lost = (report.n_rejected_low + report.n_rejected_high) / values
        assert lost == pytest.approx(share, abs=5 * np.sqrt((share + 1e-6) / values) + 0.02 * share)


def test_unc_holds_where_values_are_missing() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(1000.0, 20.0, (14, 10, 2000)).astype(np.float32)
    noise[rng.random(noise.shape) < 0.4] = np.nan

    result, _ = combined(noise, StackSettings(reject=Rejection.SIGMA, low=2.5, high=2.5))

    good = np.isfinite(result.unc)
    pull = (result.image[good] - 1000.0) ** 2
    ratio = np.sqrt(np.mean(result.unc[good].astype(np.float64) ** 2) / np.mean(pull))
    assert ratio == pytest.approx(1.0, abs=4 / np.sqrt(2 * good.sum()) * 1.2 + 0.012)


@pytest.mark.parametrize("n", [3, 5, 9, 10, 16, 40, 100])
@pytest.mark.parametrize("sigma", [0.02, 0.3, 0.6, 1.0, 2.5, 12.0])
def test_unc_of_rounded_values_holds_whatever_the_noise_is(n: int, sigma: float) -> None:
    """Also where it hides in one code: for levels anywhere between two codes."""
    pixels = 40_000 if n < 20 else 10_000
    rng = np.random.default_rng([n, int(100 * sigma)])
    level = rng.uniform(990.0, 1010.0, (1, 10, pixels // 10))
    stack = np.rint(level + rng.normal(0.0, sigma, (n, *level.shape[1:]))).astype(np.uint16)

    result, _ = combined(stack, StackSettings())

    assert (result.unc > 0).all()
    true = float(np.sqrt(np.mean((result.image - level[0]) ** 2)))
    said = float(np.sqrt(np.mean(result.unc.astype(np.float64) ** 2)))
    # Around sigma = 0.3 codes the spread of few values does not tell how much they share.
    # Noise that hides in a code is told to a few per cent, and rather too large.
    assert -0.03 < said / true - 1.0 < (0.03 if sigma > 0.5 else 0.1)


@pytest.mark.parametrize("n", [4, 6, 9, 10, 14, 30, 70])
@pytest.mark.parametrize("noise", [0.6, 0.8, 1.0, 1.3])
def test_unc_holds_where_the_sigma_of_the_rule_has_a_floor(n: int, noise: float) -> None:
    rng = np.random.default_rng([n, int(10 * noise)])
    stack = rng.normal(1000.0, 20.0, (n, 10, 2000)).astype(np.float32)

    result, report = combined(stack, StackSettings(), read_noise_adu=20.0 * noise)

    true = float(np.sqrt(np.mean((result.image.astype(np.float64) - 1000.0) ** 2)))
    said = float(np.sqrt(np.mean(result.unc.astype(np.float64) ** 2)))
    assert said / true == pytest.approx(1.0, abs=4 / np.sqrt(2 * result.unc.size) + 0.012)
    lost = (report.n_rejected_low + report.n_rejected_high) / stack.size
    share = report.expected_share
    assert lost == pytest.approx(share, abs=5 * np.sqrt((share + 1e-6) / stack.size) + 0.1 * share)


@pytest.mark.parametrize("n", [5, 12, 40])
@pytest.mark.parametrize(
    ("reject", "low", "high"),
    [
        (Rejection.SIGMA, 2.0, 3.0),
        (Rejection.MAD, 4.0, 3.0),
        (Rejection.WINSORIZED, 3.0, 2.5),
        (Rejection.LINEAR_FIT, None, None),
        (Rejection.ESD, None, None),
    ],
)
def test_unc_holds_for_rules_by_name_with_a_floor(
    reject: Rejection, low: float | None, high: float | None, n: int
) -> None:
    rng = np.random.default_rng([n, 5])
    stack = rng.normal(1000.0, 20.0, (n, 10, 2000)).astype(np.float32)

    result, _ = combined(stack, StackSettings(reject=reject, low=low, high=high, floor=Floor.NOISE))

    true = float(np.sqrt(np.mean((result.image.astype(np.float64) - 1000.0) ** 2)))
    said = float(np.sqrt(np.mean(result.unc.astype(np.float64) ** 2)))
    assert said / true == pytest.approx(1.0, abs=4 / np.sqrt(2 * result.unc.size) + 0.02)
