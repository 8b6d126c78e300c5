"""Levels, scales, normalisation, and the dark signal that is left over."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.defects import Defect
from calibstudio.domain.recipe import FlatSettings, LevelOf, Smooth
from calibstudio.imaging.calibrate import (
    dark_signal,
    levels_of,
    normalise_flat,
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
    whole = FlatSettings(LevelOf.MEDIAN, region=1.0)
    image[0, :5] = (0.0, -3.0, 49.0, 51.0, np.nan)
    unc = np.full((4, 6), 10.0, np.float32)
    cnt = np.full((4, 6), 9, np.uint16)

    flat = normalise_flat(image, unc, cnt, whole)

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

    flat = normalise_flat(image, image, np.ones((4, 4), np.uint16), FlatSettings())

    assert flat.bpm is None
    assert flat.levels == (8.0,)


def test_each_colour_is_divided_by_its_own_level() -> None:
    image = np.empty((4, 4), np.float32)
    for i, value in enumerate((10.0, 20.0, 21.0, 5.0)):
        image[i // 2 :: 2, i % 2 :: 2] = value

    flat = normalise_flat(image, image, np.ones((4, 4), np.uint16), FlatSettings(), bayer="RGGB")

    assert np.all(flat.image == 1.0)
    assert flat.levels == (10.0, 20.0, 21.0, 5.0)


@pytest.mark.parametrize("how", list(LevelOf))
@pytest.mark.parametrize("region", [0.5, 1.0])
def test_every_level_agrees_with_plain_numpy(how: LevelOf, region: float) -> None:
    flat = make_flat((256, 384))
    part = flat if region == 1.0 else flat[64:192, 96:288]

    (level,) = levels_of(flat, FlatSettings(how, region=region))

    values = np.rint(100.0 * part / np.median(part)).astype(int)
    expected = {
        LevelOf.MEAN: part.mean(dtype=np.float64),
        LevelOf.MEDIAN: np.median(part),
        LevelOf.MODE: np.bincount(values.ravel()).argmax() * np.median(part) / 100.0,
        LevelOf.TILES: np.median(
            [np.median(part[y : y + 64, x : x + 64]) for y in cuts(part, 0) for x in cuts(part, 1)]
        ),
    }[how]
    assert level == pytest.approx(expected, rel=1e-6)


def cuts(part: np.ndarray, axis: int) -> range:
    return range(0, part.shape[axis], 64)


def orders(shape: tuple[int, int]) -> np.ndarray:
    """Region numbers of five stripes, as KPF's order mask; 0 between them."""
    mask = np.zeros(shape, np.int16)
    for k in range(5):
        mask[20 + 40 * k : 45 + 40 * k] = k + 1
    return mask


def test_each_region_is_divided_by_its_own_mode_as_kpf_does() -> None:
    rng = np.random.default_rng(8)
    mask = orders((240, 100))
    truth = np.array([1.0, 4.0, 9.0, 2.0, 6.0, 3.0]) * 1000.0
    response = 1 + 0.01 * rng.standard_normal(mask.shape)
    image = (truth[mask] * response).astype(np.float32)
    one = np.ones_like(image)
    settings = FlatSettings(LevelOf.MODE, region=1.0, unity_below=0.0, low_light=50.0)

    flat = normalise_flat(image, one, np.full(mask.shape, 9, np.uint16), settings, regions=mask)

    for k in range(1, 6):
        values = image[mask == k]
        middle = np.median(values)
        mode = np.bincount(np.rint(100 * values / middle).astype(int)).argmax() * middle / 100
        assert flat.levels[k - 1] == pytest.approx(mode, rel=1e-6)
        np.testing.assert_allclose(flat.image[mask == k], values / mode, rtol=1e-5)
    outside = mask == 0
    assert np.all(flat.image[outside] == 1.0)
    assert flat.bpm is not None
    assert np.all(flat.bpm[outside] == Defect.OUTSIDE)
    assert flat.count(Defect.OUTSIDE) == np.count_nonzero(outside)
    assert np.all(flat.cnt[outside] == 0)


def test_low_light_and_values_out_of_limits_become_one_with_a_bit_each() -> None:
    image = np.full((40, 40), 100.0, np.float32)
    image[0, 0], image[0, 1], image[0, 2], image[0, 3] = 49.0, 251.0, 260.0, 60.0
    settings = FlatSettings(
        LevelOf.MEDIAN, region=1.0, unity_below=0.0, low_light=50.0, keep_from=0.61, keep_to=2.5
    )

    flat = normalise_flat(image, image, np.full((40, 40), 5, np.uint16), settings)

    assert flat.bpm is not None
    assert flat.bpm[0, :5].tolist() == [
        Defect.NO_SIGNAL,
        Defect.NO_RESPONSE,
        Defect.NO_RESPONSE,
        Defect.NO_RESPONSE,
        0,
    ]
    assert np.all(flat.image[0, :4] == 1.0)
    assert flat.n_unity == 4


@pytest.mark.parametrize("smooth", [Smooth.SLIDING, Smooth.GAUSSIAN, Smooth.POLYNOMIAL])
def test_the_light_of_the_lamp_goes_and_the_response_of_the_pixels_stays(smooth: Smooth) -> None:
    rng = np.random.default_rng(6)
    y, x = np.mgrid[-1 : 1 : 150 * 1j, -1 : 1 : 400 * 1j]
    lamp = 5000.0 * (1 + 0.3 * x - 0.2 * x * y - 0.15 * y**2)
    response = 1 + 0.01 * rng.standard_normal(lamp.shape)
    image = (lamp * response).astype(np.float32)
    settings = FlatSettings(
        smooth=smooth, smooth_width=41, smooth_height=15, smooth_sigma=8.0, smooth_degree=3
    )

    flat = normalise_flat(image, image, np.ones(lamp.shape, np.uint16), settings)

    inside = (slice(20, -20), slice(45, -45))
    rest = flat.image[inside] / response[inside]
    # What is left of the lamp, and the response that the window's mean takes along: 1 % / 25.
    assert np.std(rest) < 1e-3
    assert flat.levels[0] == pytest.approx(1.0, abs=3e-3)


def test_each_colour_has_its_own_smooth_light() -> None:
    rng = np.random.default_rng(13)
    image = np.empty((120, 160), np.float32)
    response = 1 + 0.01 * rng.standard_normal(image.shape)
    for i, value in enumerate((1000.0, 2000.0, 2100.0, 500.0)):
        image[i // 2 :: 2, i % 2 :: 2] = value
    settings = FlatSettings(smooth=Smooth.GAUSSIAN, smooth_sigma=6.0)

    flat = normalise_flat(
        (image * response).astype(np.float32),
        image,
        np.ones(image.shape, np.uint16),
        settings,
        bayer="RGGB",
    )

    assert np.std(flat.image / response) < 2e-3
    assert len(flat.levels) == 4


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

    found = dark_signal(dark - bias, 10.0)

    # A bin is a mean of at least 100 pixels with noise 4.2 ADU: good to 0.5 ADU, 0.05 ADU/s.
    assert found.rate_adu_per_s == pytest.approx(2.0, abs=0.05)
    assert found.glow_adu_per_s == pytest.approx(10.0, abs=0.25)


def test_a_picture_without_values_has_no_dark_signal() -> None:
    empty = np.full((64, 64), np.nan, np.float32)

    assert np.isnan(dark_signal(empty, 10.0).glow_adu_per_s)
