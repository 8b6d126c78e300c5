"""Histograms and profiles: nothing lost, nothing invented, quick enough for a live view."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibstudio.imaging.quality import histogram, noise_zones, profiles


def test_an_exact_histogram_counts_every_pixel():
    data = np.random.default_rng(1).integers(0, 65536, (300, 400), dtype=np.uint16)
    data[:10] = 777

    found = histogram(data, bins=65_536, exact=True)

    assert found.exact
    expected = np.bincount(data.ravel(), minlength=65_536)
    first = int(found.edges[0] + 0.5)
    assert np.array_equal(found.counts, expected[first : first + found.n])
    assert found.median == np.median(data)
    assert (found.minimum, found.maximum) == (data.min(), data.max())


@settings(max_examples=30, deadline=None)
@given(
    low=st.integers(0, 60_000),
    width=st.integers(1, 5_000),
    bins=st.integers(1, 700),
    bayer=st.sampled_from([None, "RGGB"]),
)
def test_no_pixel_is_lost_whatever_the_bins(low, width, bins, bayer):
    rng = np.random.default_rng(2)
    data = rng.integers(low, low + width, (60, 81), dtype=np.uint16)

    found = histogram(data, bins=bins, bayer=bayer, exact=True)

    assert found.n <= bins
    assert found.counts.sum() == data.size
    assert found.below == found.above == 0
    assert sum(c.sum() for c in found.per_channel.values()) == data.size
    widths = np.diff(found.edges)
    assert np.all(widths == widths[0])
    assert widths[0] == round(widths[0])  # a whole number of codes: no comb of empty bins


def test_a_sample_for_the_screen_has_the_shape_and_the_sum_of_the_whole():
    data = np.random.default_rng(3).normal(1000, 20, (2000, 3000)).astype(np.uint16)

    quick = histogram(data, bins=64, value_range=(900, 1100))
    exact = histogram(data, bins=64, value_range=(900, 1100), exact=True)

    assert not quick.exact
    assert quick.counts.sum() + quick.below + quick.above == pytest.approx(data.size)
    # A bin of the sample with n counts is good to sqrt(n); 5 of them, scaled by about 6.
    scale = data.size / 2**20
    assert np.all(np.abs(quick.counts - exact.counts) < 6 * np.sqrt(scale * (exact.counts + 50)))


def test_a_range_leaves_the_rest_outside_and_counts_it():
    data = np.array([[10, 20, 30, 40]], dtype=np.uint16)

    found = histogram(data, bins=4, value_range=(15, 34), exact=True)

    assert found.counts.sum() == 2
    assert (found.below, found.above) == (1, 1)


def test_floats_get_the_range_of_most_of_them():
    rng = np.random.default_rng(4)
    data = rng.normal(1.0, 0.01, (500, 500)).astype(np.float32)
    data[0, 0] = 1e6
    data[1] = np.nan

    found = histogram(data, exact=True)

    assert 0.9 < found.edges[0] < 0.99
    assert 1.01 < found.edges[-1] < 1.1
    assert found.counts.sum() + found.below + found.above == 499 * 500
    assert found.maximum == 1e6


def test_zones_of_noise_begin_where_read_noise_is_a_half_and_a_tenth_of_the_variance():
    found = histogram(
        np.full((4, 4), 600, np.uint16), bias_adu=502.0, egain_e_per_adu=0.25, read_noise_e=1.5
    )

    assert found.zones is not None
    signal = (found.zones.read_noise_adu - 502.0) * 0.25
    assert 1.5**2 / (1.5**2 + signal) == pytest.approx(0.5)
    signal = (found.zones.shot_noise_adu - 502.0) * 0.25
    assert 1.5**2 / (1.5**2 + signal) == pytest.approx(0.1)
    assert found.bias_adu == 502.0


@pytest.mark.parametrize("missing", range(3))
def test_zones_need_bias_gain_and_read_noise(missing):
    known: list[float | None] = [502.0, 0.25, 1.5]
    known[missing] = None

    assert noise_zones(*known) is None


def test_profiles_are_the_means_of_all_rows_and_columns():
    data = np.random.default_rng(5).integers(0, 60_000, (50, 70), dtype=np.uint16)

    found = profiles(data)

    assert found.rows == pytest.approx(data.mean(axis=1))
    assert found.columns == pytest.approx(data.mean(axis=0))
    assert np.array_equal(found.row_positions, np.arange(50))


def test_long_profiles_are_means_of_groups_of_lines():
    data = np.arange(103 * 4, dtype=np.float32).reshape(103, 4)

    found = profiles(data, at_most=25)

    assert len(found.rows) == 21
    assert found.rows[0] == pytest.approx(data[:5].mean())
    assert found.rows[-1] == pytest.approx(data[100:].mean())
    assert found.row_positions[0] == 2.0
    assert found.row_positions[-1] == 101.0


def test_profiles_leave_out_pixels_without_a_value():
    data = np.ones((10, 12), dtype=np.float32)
    data[3] = np.nan
    data[5, 5] = np.nan

    found = profiles(data)

    assert np.isnan(found.rows[3])
    assert np.all(found.rows[[0, 5, 9]] == 1.0)
    assert np.all(found.columns == 1.0)


def test_colours_are_brought_to_one_level_in_profiles():
    data = np.empty((60, 80), dtype=np.uint16)
    data[0::2, 0::2], data[0::2, 1::2] = 3000, 9000
    data[1::2, 0::2], data[1::2, 1::2] = 8000, 2000

    found = profiles(data, bayer="RGGB")

    assert np.ptp(found.rows) < 0.01
    assert np.ptp(found.columns) < 0.01
