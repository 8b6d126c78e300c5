"""Every rule against its definition in plain float64, on frames with everything in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from astropy.stats import sigma_clip

from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from calibstudio.imaging.reject import cost, resolve
from tests.helpers import reference_stack as reference
from tests.helpers.realistic_stack import combined, realistic_stack

Rule = Callable[[reference.Values], reference.Mask]

RULES: dict[str, tuple[StackSettings, Rule]] = {
    "none": (StackSettings(reject=Rejection.NONE), reference.keep_all),
    "median": (
        StackSettings(combine=Combine.MEDIAN, reject=Rejection.NONE),
        reference.keep_all,
    ),
    "minmax": (
        StackSettings(reject=Rejection.MINMAX, low=1, high=2),
        lambda v: reference.minmax(v, 1, 2),
    ),
    "percentile": (
        StackSettings(reject=Rejection.PERCENTILE, low=0.02, high=0.01),
        lambda v: reference.percentile(v, 0.02, 0.01),
    ),
    "sigma": (
        StackSettings(reject=Rejection.SIGMA, low=3, high=3),
        lambda v: reference.sigma(v, 3, 3),
    ),
    "tight sigma": (
        StackSettings(reject=Rejection.SIGMA, low=1.3, high=1.1),
        lambda v: reference.sigma(v, 1.3, 1.1),
    ),
    "sigma once": (
        StackSettings(reject=Rejection.SIGMA, low=2, high=2, iterations=1),
        lambda v: reference.sigma(v, 2, 2, 1),
    ),
    "sigma median": (
        StackSettings(combine=Combine.MEDIAN, reject=Rejection.SIGMA, low=3, high=3),
        lambda v: reference.sigma(v, 3, 3),
    ),
    "mad": (
        StackSettings(reject=Rejection.MAD, low=4, high=3),
        lambda v: reference.mad(v, 4, 3),
    ),
    "winsorized": (
        StackSettings(reject=Rejection.WINSORIZED, low=4, high=3),
        lambda v: reference.winsorized(v, 4, 3),
    ),
    "winsorized with cut-off": (
        StackSettings(reject=Rejection.WINSORIZED, low=4, high=3, cutoff=5),
        lambda v: reference.winsorized(v, 4, 3, 5),
    ),
    "winsorized with a near cut-off": (
        StackSettings(reject=Rejection.WINSORIZED, low=2, high=2, cutoff=1.8),
        lambda v: reference.winsorized(v, 2, 2, 1.8),
    ),
    "linear fit": (
        StackSettings(reject=Rejection.LINEAR_FIT, low=3, high=2),
        lambda v: reference.linear_fit(v, 3, 2),
    ),
    "esd": (
        StackSettings(reject=Rejection.ESD, low=0.3, high=0.05),
        lambda v: reference.esd(v, 0.3, lambda i, n: reference.rosner_limit(i, n, 0.05)),
    ),
}


# The reference is slow: many frames only where they matter.
CASES = [(name, n) for name in RULES for n in (3, 5, 9, 12)]
CASES += [(name, 30) for name in ("sigma", "winsorized", "winsorized with cut-off", "mad")]
CASES += [(name, 100) for name in ("minmax", "percentile", "sigma", "mad", "esd")]


@pytest.mark.parametrize("floats", [False, True], ids=["16 bit", "float"])
@pytest.mark.parametrize(("name", "n"), CASES)
def test_a_rule_gives_what_its_definition_gives(name: str, n: int, floats: bool) -> None:
    settings, rule = RULES[name]
    shape = (8, 8) if n == 100 or (n > 5 and name in ("linear fit", "esd")) else (8, 20)
    stack = realistic_stack(n, seed=n, shape=shape, floats=floats)

    result, report = combined(stack, settings)

    median = settings.combine is Combine.MEDIAN
    value, variance, count, rejected = reference.combine_pixels(stack, rule, median=median)
    # A tie at a limit may be decided either way by the last bit of the reference.
    same = result.cnt == count
    assert (~same).sum() <= (1 if "fit" in name else 0)
    np.testing.assert_array_equal(np.isnan(result.image), np.isnan(value))
    np.testing.assert_allclose(result.image[same], value[same], rtol=2e-7)
    if name != "percentile":  # Its factor depends on the pixel.
        factor = cost(resolve(settings, n), n).factor[np.isfinite(stack).sum(axis=0)]
        quantum = 0.0 if floats else 1.0
        unc = reference.uncertainty(variance, count, factor, quantum=quantum, median=median)
        np.testing.assert_allclose(result.unc[same], unc[same], rtol=2e-5, atol=1e-6)
    if same.all():
        counted = sum(f.rejected_low + f.rejected_high for f in report.frames)
        assert counted == rejected.sum() == (np.isfinite(stack).sum(axis=0) - count).sum()


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("noise", [None, 4.0])
def test_the_automatic_rule_for_few_frames_clips_about_the_median_once(
    n: int, noise: float | None
) -> None:
    stack = realistic_stack(n, seed=10 * n)

    result, report = combined(stack, StackSettings(), read_noise_adu=noise)

    floor = 1.0 if noise is None else noise
    value, _, count, _ = reference.combine_pixels(
        stack, lambda v: reference.automatic_clip(v, floor)
    )
    np.testing.assert_array_equal(result.cnt, count)
    np.testing.assert_allclose(result.image, value, rtol=2e-7)
    assert report.automatic
    assert report.settings.reject is Rejection.MAD


def test_the_floor_of_the_automatic_rule_follows_the_scale_of_the_frames() -> None:
    stack = realistic_stack(5, seed=3)
    scales = [2.0] * 5

    result, _ = combined(stack, StackSettings(), scales=scales)
    plain, _ = combined(stack, StackSettings())

    np.testing.assert_array_equal(result.cnt, plain.cnt)
    np.testing.assert_allclose(result.image, 2 * plain.image, rtol=2e-7)


@pytest.mark.parametrize("n", [3, 10, 40, 60])
def test_sigma_clipping_agrees_with_astropy(n: int) -> None:
    stack = realistic_stack(n, seed=n + 1, shape=(8, 200))

    result, _ = combined(stack, StackSettings(reject=Rejection.SIGMA, low=3, high=3))

    clipped = sigma_clip(
        stack.astype(np.float64),
        sigma=3,
        maxiters=None,
        cenfunc="median",
        stdfunc=lambda a, axis: np.nanstd(a, axis=axis, ddof=1),
        axis=0,
        masked=True,
    )
    np.testing.assert_array_equal(result.cnt, clipped.count(axis=0))
    np.testing.assert_allclose(result.image, clipped.mean(axis=0).filled(), rtol=2e-7)


@pytest.mark.parametrize("n", [10, 25])
def test_mad_clipping_agrees_with_astropy(n: int) -> None:
    # Sums of MADs of whole numbers meet limits exactly; floats do not.
    stack = realistic_stack(n, seed=n + 2, shape=(8, 200), floats=True)[:, 1:]
    stack = np.nan_to_num(stack, nan=1000.0)
    stack[:, [2, 3], :] += np.random.default_rng(1).normal(0, 1, stack[:, [2, 3], :].shape)

    result, _ = combined(stack, StackSettings(reject=Rejection.MAD, low=5, high=5, min_keep=1))

    clipped = sigma_clip(
        stack.astype(np.float64),
        sigma=5,
        maxiters=None,
        cenfunc="median",
        stdfunc="mad_std",
        axis=0,
    )
    agree = result.cnt == clipped.count(axis=0)
    # astropy has 1.482602..., the rule 1.4826: a value between the two limits is very rare.
    assert agree.mean() > 0.999
    kept = clipped.mean(axis=0).filled(np.nan)
    np.testing.assert_allclose(result.image[agree], kept[agree], rtol=2e-7)


def test_exact_zeros_are_data_and_saturated_values_too() -> None:
    stack = realistic_stack(12, seed=5)

    result, _ = combined(stack, StackSettings(reject=Rejection.NONE))

    assert result.image[3, 4] == 0.0
    assert result.cnt[3, 4] == 12
    assert result.image[2, 5] == 65535.0
    # Rounded values that are all the same hide up to half a code.
    assert result.unc[3, 4] == pytest.approx(1 / np.sqrt(12) / np.sqrt(12), rel=1e-6)


def test_values_that_are_not_finite_are_left_out() -> None:
    stack = realistic_stack(6, seed=6, floats=True)
    stack[2, 1, 3] = np.inf
    stack[3, 1, 3] = -np.inf

    result, _ = combined(stack, StackSettings(reject=Rejection.NONE))

    assert np.isnan(result.image[0, 0])
    assert result.cnt[0, 0] == 0
    assert result.image[0, 1] == stack[0, 0, 1]
    assert result.cnt[0, 1] == 1
    assert np.isnan(result.unc[0, 1])
    assert result.cnt[1, 3] == np.isfinite(stack[:, 1, 3]).sum()


def test_at_least_the_nearest_three_stay_and_the_pixel_is_counted() -> None:
    pixel = np.array([0, 1000, 1010, 1021, 5000], np.uint16)
    stack = np.repeat(pixel[:, None, None], 4, axis=2)

    result, report = combined(stack, StackSettings(reject=Rejection.SIGMA, low=0.01, high=0.01))

    assert (result.cnt == 3).all()
    np.testing.assert_allclose(result.image, (1000 + 1010 + 1021) / 3, rtol=1e-7)
    assert report.n_held == 4


def test_below_four_frames_the_automatic_choice_is_the_median() -> None:
    stack = realistic_stack(3, seed=8)

    result, report = combined(stack, StackSettings())

    np.testing.assert_array_equal(result.image, np.median(stack, axis=0).astype(np.float32))
    assert report.settings.combine is Combine.MEDIAN


def test_from_ten_frames_the_automatic_choice_is_winsorized() -> None:
    stack = realistic_stack(10, seed=9)

    result, report = combined(stack, StackSettings())

    explicit = StackSettings(reject=Rejection.WINSORIZED, low=4, high=3, cutoff=5)
    np.testing.assert_array_equal(result.image, combined(stack, explicit)[0].image)
    assert report.settings == explicit
    assert report.automatic
