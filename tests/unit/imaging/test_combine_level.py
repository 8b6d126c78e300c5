"""Levels for normalisation: robust, by colour, and from a few rows only."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibstudio.domain.pixels import ArrayRows
from calibstudio.imaging.combine_level import robust_levels


@pytest.mark.parametrize("shape", [(1000, 1400), (64, 64), (12, 40), (1, 1)])
def test_the_level_is_that_of_the_centre_whatever_lies_outside(shape: tuple[int, int]) -> None:
    ny, nx = shape
    frame = np.full(shape, 65535.0)
    frame[ny // 4 : ny - ny // 4, nx // 4 : nx - nx // 4] = 1000.0

    assert robust_levels(ArrayRows(frame)) == (1000.0,)


def test_the_level_of_noise_is_good_to_a_few_thousandths_of_it() -> None:
    rng = np.random.default_rng(1)
    frames = rng.normal(1000.0, 10.0, (20, 600, 800))
    frames[:, ::50, ::50] = 60000.0

    levels = [robust_levels(ArrayRows(frame))[0] for frame in frames]

    assert np.std(levels) < 0.01 * 10
    assert np.mean(levels) == pytest.approx(1000.0, abs=0.1)


def test_colours_are_measured_apart_in_the_order_of_the_cell() -> None:
    cell = np.array([[100.0, 200.0], [300.0, 400.0]])
    frame = np.tile(cell, (301, 403))

    assert robust_levels(ArrayRows(frame), by_colour=True) == (100.0, 200.0, 300.0, 400.0)


def test_missing_pixels_are_left_out_and_nothing_but_missing_is_no_level() -> None:
    frame = np.full((400, 500), 7.0, np.float32)
    frame[:, ::3] = np.nan

    assert robust_levels(ArrayRows(frame)) == (7.0,)
    assert math.isnan(robust_levels(ArrayRows(np.full((40, 50), np.nan)))[0])
