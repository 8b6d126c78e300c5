"""Levels, scales, normalisation, and the dark signal that is left over."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.recipe import FlatSettings, LevelOf
from calibstudio.imaging.calibrate import (
    dark_signal,
    levels_of,
    normalise,
    reference_levels,
    scales_to,
    with_subtrahend,
)


def make_flat(shape: tuple[int, int] = (256, 320), level: float = 20_000.0) -> np.ndarray:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    light = level * (1 - 0.2 * (x**2 + y**2))
    return (light + rng.normal(0, np.sqrt(level), shape)).astype(np.float32)


@pytest.mark.parametrize("how", list(LevelOf))
def test_every_level_of_an_even_picture_is_its_value(how: LevelOf) -> None:
    picture = np.full((130, 200), 1234.0, np.float32)

    assert levels_of(picture, FlatSettings(level=how)) == pytest.approx((1234.0,))


def test_the_level_of_tiles_is_not_moved_by_a_star_or_a_dead_corner() -> None:
    flat = make_flat()
    spoilt = flat.copy()
    spoilt[110:118, 150:158] = 60_000
    spoilt[:40, :40] = np.nan

    clean, dirty = levels_of(flat, FlatSettings()), levels_of(spoilt, FlatSettings())

    # One tile of 25 lost 64 of its 4096 pixels: its median moves by less than the noise.
    assert dirty[0] == pytest.approx(clean[0], rel=2e-3)


def test_only_the_centred_part_is_measured() -> None:
    flat = np.full((100, 100), 10.0, np.float32)
    flat[25:75, 25:75] = 20.0

    assert levels_of(flat, FlatSettings(LevelOf.MEAN, region=0.5)) == (20.0,)
    assert levels_of(flat, FlatSettings(LevelOf.MEAN, region=1.0)) == (12.5,)


def test_colours_have_their_own_levels_in_the_order_of_the_cell() -> None:
    flat = np.empty((64, 64), np.float32)
    for i, value in enumerate((10.0, 20.0, 21.0, 5.0)):
        flat[i // 2 :: 2, i % 2 :: 2] = value

    assert levels_of(flat, FlatSettings(), "RGGB") == (10.0, 20.0, 21.0, 5.0)
    assert len(levels_of(flat, FlatSettings(per_channel=False), "RGGB")) == 1


def test_the_mode_is_the_most_frequent_value() -> None:
    flat = np.concatenate([np.full(700, 100.0), np.full(300, 140.0)]).reshape(40, 25)

    assert levels_of(flat, FlatSettings(LevelOf.MODE, region=1.0))[0] == pytest.approx(100.0)


@pytest.mark.parametrize("how", list(LevelOf))
def test_a_picture_without_values_has_no_level(how: LevelOf) -> None:
    assert np.isnan(levels_of(np.full((8, 8), np.nan), FlatSettings(level=how))[0])


def test_scales_bring_frames_to_the_median_of_their_levels() -> None:
    levels = [(100.0, 10.0), (200.0, 30.0), (400.0, 20.0)]

    reference = reference_levels(levels)

    assert reference == (200.0, 20.0)
    assert scales_to(levels[0], reference) == (2.0, 2.0)
    assert scales_to(levels[2], reference) == (0.5, 1.0)


def test_a_flat_is_divided_and_dark_pixels_are_one_with_a_mask() -> None:
    image = np.full((4, 6), 1000.0, np.float32)
    image[0, :5] = (0.0, -3.0, 49.0, 51.0, np.nan)
    unc = np.full((4, 6), 10.0, np.float32)
    cnt = np.full((4, 6), 9, np.uint16)

    flat = normalise(image, unc, cnt, (1000.0,), unity_below=0.05)

    assert flat.n_unity == 4
    assert flat.image[0].tolist() == pytest.approx([1, 1, 1, 0.051, 1, 1])
    assert flat.bpm is not None
    assert flat.bpm[0].tolist() == [1, 1, 1, 0, 1, 0]
    assert flat.cnt[0].tolist() == [0, 0, 0, 9, 0, 9]
    assert np.isnan(flat.unc[0, 0])
    assert flat.unc[3, 3] == pytest.approx(0.01)
    assert cnt.min() == 9, "the input is not changed"


def test_a_flat_without_dark_pixels_has_no_mask() -> None:
    image = np.full((4, 4), 8.0, np.float32)

    flat = normalise(image, image, np.ones((4, 4), np.uint16), (8.0,), unity_below=0.05)

    assert flat.bpm is None


def test_each_colour_is_divided_by_its_own_level() -> None:
    image = np.empty((4, 4), np.float32)
    for i, value in enumerate((10.0, 20.0, 21.0, 5.0)):
        image[i // 2 :: 2, i % 2 :: 2] = value

    flat = normalise(
        image, image, np.ones((4, 4), np.uint16), (10.0, 20.0, 21.0, 5.0), unity_below=0.05
    )

    assert np.all(flat.image == 1.0)


def test_the_uncertainty_of_what_was_subtracted_adds_in_quadrature() -> None:
    unc, dark = np.full((2, 2), 3.0, np.float32), np.full((2, 2), 2.0, np.float32)

    assert with_subtrahend(unc, dark, 2.0)[0, 0] == pytest.approx(5.0)
    assert with_subtrahend(unc, None, 2.0) is unc


def test_the_dark_signal_is_measured_with_its_glow_and_without_hot_pixels() -> None:
    rng = np.random.default_rng(3)
    bias = rng.normal(1000, 3, (512, 512)).astype(np.float32)
    dark = rng.normal(1000, 3, (512, 512)).astype(np.float32) + 20.0
    dark[rng.integers(0, 512, 500), rng.integers(0, 512, 500)] += 5000
    dark[:64, -64:] += 80.0

    found = dark_signal(dark, bias, 10.0)

    # A bin is a mean of at least 100 pixels with noise 4.2 ADU: good to 0.5 ADU, 0.05 ADU/s.
    assert found.rate_adu_per_s == pytest.approx(2.0, abs=0.05)
    assert found.glow_adu_per_s == pytest.approx(10.0, abs=0.25)


def test_a_picture_without_values_has_no_dark_signal() -> None:
    empty = np.full((64, 64), np.nan, np.float32)

    assert np.isnan(dark_signal(empty, empty, 10.0).glow_adu_per_s)
