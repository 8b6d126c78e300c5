"""How many values were rejected at each pixel, low and high."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import ArrayRows
from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from calibstudio.imaging.combine import ArraySink, combine
from tests.helpers.realistic_stack import combined, realistic_stack


def mapped(stack: np.ndarray, settings: StackSettings, **options: object) -> ArraySink:
    sink = ArraySink(stack.shape[1:])
    sources = [ArrayRows(frame) for frame in stack]
    combine(JobContext(), sources, settings, sink, maps=sink, **options)  # type: ignore[arg-type]
    return sink


@pytest.mark.parametrize("floats", [False, True], ids=["16 bit", "float"])
@pytest.mark.parametrize("reject", list(Rejection))
def test_maps_say_what_became_of_every_value(reject: Rejection, floats: bool) -> None:
    stack = realistic_stack(13, seed=4, floats=floats, shape=(8, 70))
    settings = StackSettings(reject=reject)

    plain, report = combined(stack, settings)
    with_maps = mapped(stack, settings, threads=2, band_rows=3)

    np.testing.assert_array_equal(with_maps.image, plain.image)
    np.testing.assert_array_equal(with_maps.unc, plain.unc)
    low, high = with_maps.rejected_low, with_maps.rejected_high
    np.testing.assert_array_equal(plain.cnt + low + high, np.isfinite(stack).sum(axis=0))
    assert low.sum() == report.n_rejected_low
    assert high.sum() == report.n_rejected_high
    assert not plain.rejected_low.any()


def test_low_and_high_are_told_apart() -> None:
    stack = np.random.default_rng(1).normal(1000, 5, (12, 6, 70)).astype(np.float32)
    stack[3, 1, 2] = 0.0
    stack[[4, 7], 2, 5] = 9000.0

    maps = mapped(stack, StackSettings(combine=Combine.MEDIAN, reject=Rejection.SIGMA, low=3.2))
    both = mapped(stack, StackSettings(reject=Rejection.MAD, low=12, high=12))

    assert maps.rejected_low[1, 2] == 1
    assert both.rejected_low.sum() == 1
    assert both.rejected_high.sum() == both.rejected_high[2, 5] == 2


def test_bands_whose_results_are_handed_on_together_are_those_that_are_handed_on_alone() -> None:
    # Wide enough that a worker takes several bands at a time, and the last ones do not fill it.
    rng = np.random.default_rng(2)
    stack = rng.normal(1000, 20, (5, 147, 6000)).astype(np.uint16)
    stack[2, ::7, ::5] += 900
    settings = StackSettings(reject=Rejection.SIGMA, low=1.5, high=1.5)

    alone = mapped(stack, settings, threads=1, band_rows=1)
    together = mapped(stack, settings, threads=1)

    for name in ("image", "unc", "cnt", "rejected_low", "rejected_high"):
        np.testing.assert_array_equal(getattr(together, name), getattr(alone, name), name)
    assert alone.rejected_high.any()
