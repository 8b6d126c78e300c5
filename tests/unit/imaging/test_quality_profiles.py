"""Profiles and zones of noise: nothing lost, nothing invented."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.imaging.quality import noise_zones, profiles


def test_zones_of_noise_begin_where_read_noise_is_a_half_and_a_tenth_of_the_variance():
    zones = noise_zones(bias_adu=502.0, egain_e_per_adu=0.25, read_noise_e=1.5)

    assert zones is not None
    signal = (zones.read_noise_adu - 502.0) * 0.25
    assert 1.5**2 / (1.5**2 + signal) == pytest.approx(0.5)
    signal = (zones.shot_noise_adu - 502.0) * 0.25
    assert 1.5**2 / (1.5**2 + signal) == pytest.approx(0.1)


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
