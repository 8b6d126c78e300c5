"""Histogram, statistics and profile of a region, against numpy on the same pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibstudio.domain.equipment import Region
from calibstudio.imaging import display
from calibstudio.imaging.display_numbers import (
    Histogram,
    bars,
    channel_histograms,
    clip_region,
    data_range,
    line_profile,
    mean_quantum,
    region_histogram,
    region_statistics,
    value_step,
)


@pytest.fixture(params=["numpy", "compiled"], autouse=True)
def loops(request, monkeypatch):
    if request.param == "compiled":
        display.warm_up()
    else:
        monkeypatch.setattr(display, "_warm", None)
    return request.param


REGION = Region(13, 21, 200, 150)


def test_what_is_not_finite_is_in_no_bin():
    values = np.random.default_rng(5).normal(9.0, 1.0, (80, 90)).astype(np.float32)
    values[3, 4:9] = [np.nan, np.inf, -np.inf, np.nan, np.inf]

    assert region_histogram(values).counts.sum() == values.size - 5


def raw_frame() -> np.ndarray:
    frame = np.random.default_rng(5).normal(1200, 60, (300, 400))
    frame[30, 40] = 65535
    frame[31, 41] = 0
    return np.rint(frame).astype(np.uint16)


def test_histogram_of_a_region_counts_every_pixel_once():
    frame = raw_frame()

    histogram = region_histogram(frame, REGION)

    part = frame[21:171, 13:213]
    assert np.array_equal(histogram.counts, np.bincount(part.ravel(), minlength=65536))
    assert histogram.centre(1200) == 1200.0
    assert histogram.total == 200 * 150


def test_statistics_of_a_raw_region_are_exact():
    frame = raw_frame()

    found = region_statistics(frame, REGION, saturation=65535)

    part = frame[21:171, 13:213].astype(np.float64)
    assert found is not None
    assert found.median == np.median(part)
    assert found.mean == pytest.approx(part.mean(), rel=1e-12)
    assert found.sigma == pytest.approx(1.4826 * np.median(np.abs(part - np.median(part))))
    assert (found.minimum, found.maximum) == (0.0, 65535.0)
    assert (found.n_saturated, found.n_zero, found.n_pixels) == (1, 1, 30000)


def test_statistics_of_a_master_leave_nan_out():
    master = np.random.default_rng(6).normal(1.0, 0.02, (256, 256)).astype(np.float32)
    master[10:20, 10:20] = np.nan
    master[100, 100] = 50.0

    found = region_statistics(master, saturation=40.0)

    values = master[np.isfinite(master)].astype(np.float64)
    width = region_histogram(master).width
    assert found is not None
    assert found.n_pixels == values.size
    assert found.median == pytest.approx(np.median(values), abs=width)
    assert found.sigma == pytest.approx(0.02, rel=0.05)
    assert found.mean == pytest.approx(values.mean(), rel=1e-6)
    assert found.maximum == 50.0
    assert found.n_saturated == 1


def test_a_region_without_values_has_no_statistics():
    assert region_statistics(np.full((9, 9), np.nan, np.float32)) is None


def test_each_colour_of_a_bayer_frame_has_its_own_histogram():
    frame = np.empty((40, 60), np.uint16)
    frame[0::2, 0::2] = 100
    frame[0::2, 1::2] = 200
    frame[1::2, 0::2] = 210
    frame[1::2, 1::2] = 300

    odd_corner = Region(3, 5, 20, 20)
    found = channel_histograms(frame, "RGGB", odd_corner)

    assert list(found) == ["R", "G", "B"]
    assert found["R"].counts[100] == found["R"].total == 100
    assert found["B"].counts[300] == found["B"].total == 100
    assert (found["G"].counts[200], found["G"].counts[210]) == (100, 100)


def test_a_region_is_cut_to_the_frame_and_never_empty():
    assert clip_region(None, (30, 40)) == Region(0, 0, 40, 30)
    assert clip_region(Region(-5, 10, 20, 100), (30, 40)) == Region(0, 10, 15, 20)
    assert clip_region(Region(90, 90, 10, 10), (30, 40)) == Region(39, 29, 1, 1)


def test_a_twelve_bit_camera_shows_no_comb():
    values = np.random.default_rng(7).normal(500, 30, 100_000)
    frame = (np.rint(values).astype(np.uint16) * 16).reshape(250, 400)
    histogram = region_histogram(frame)

    drawn = bars(histogram, 6000, 10000, 60)

    assert value_step(histogram) == 16
    widths = np.diff(drawn.edges)
    assert widths[0] % 16 == 0
    centres = drawn.edges[:-1] + widths / 2
    bulk = drawn.counts[np.abs(centres - 8000) < 480]
    assert (bulk > 0).all()


@settings(max_examples=40, deadline=None)
@given(low=st.integers(-50, 900), span=st.integers(1, 3000), n=st.integers(1, 400))
def test_bars_lose_no_pixel_between_their_edges(low, span, n):
    counts = np.zeros(65536, np.int64)
    counts[np.random.default_rng(8).integers(0, 2000, 500)] = 3
    histogram = Histogram(counts, -0.5, 1.0)

    drawn = bars(histogram, low, low + span, n)

    first, last = drawn.edges[0], drawn.edges[-1]
    inside = counts[max(0, int(first + 0.5)) : max(0, int(last + 0.5))].sum()
    assert first <= low and last >= low + span - 1
    assert drawn.counts.sum() == inside


def test_zoom_to_data_is_not_led_astray_by_stars():
    low, high = data_range(region_histogram(raw_frame()))

    assert 900 < low < 1200 - 2 * 60
    assert 1200 + 2 * 60 < high < 1600


def test_a_profile_along_a_slope_is_the_slope():
    y, x = np.mgrid[0:80, 0:100]
    slope = (3.0 * x + 2.0 * y).astype(np.float32)

    profile = line_profile(slope, 10.5, 20.5, 70.5, 65.5)

    assert profile.distance_px[-1] == pytest.approx(75.0)
    expected = 3.0 * (profile.x - 0.5) + 2.0 * (profile.y - 0.5)
    assert np.allclose(profile.value, expected, rtol=1e-6)


def test_a_profile_outside_the_frame_has_no_value():
    profile = line_profile(np.ones((10, 10), np.uint16), -5, 5, 15, 5)

    assert np.isnan(profile.value[0])
    assert np.isnan(profile.value[-1])
    assert profile.value[10] == 1.0


@pytest.mark.parametrize("step", [1, 16])
def test_the_quantum_of_a_mean_is_found_though_some_pixels_lost_values(step: int) -> None:
    rng = np.random.default_rng(3)
    frames = step * rng.normal(500, 6, (20, 200, 300)).round()
    mean = frames.mean(axis=0)
    lost = rng.random(mean.shape) < 0.08
    mean[lost] = frames[1:].mean(axis=0)[lost]

    assert mean_quantum(mean.astype(np.float32), 20) == pytest.approx(step / 20)


def test_values_that_lie_anywhere_have_no_quantum() -> None:
    flat = np.random.default_rng(3).normal(1.0, 0.01, (200, 300)).astype(np.float32)

    assert mean_quantum(flat, 20) == 0.0


def test_bars_of_a_mean_of_whole_numbers_have_no_comb() -> None:
    """Each bar holds as many quanta as its neighbour, so the counts follow the curve.

    The truth is a normal distribution; a count of N scatters by sqrt(N).
    """
    rng = np.random.default_rng(4)
    n, sigma = 20, 1.4
    mean = np.rint(rng.normal(505.0, sigma, (600, 800)) * n) / n
    histogram = replace(region_histogram(mean.astype(np.float32)), quantum=1 / n)

    made = bars(histogram, 501.0, 509.0, 110)

    centres = (made.edges[:-1] + made.edges[1:]) / 2
    width = made.edges[1] - made.edges[0]
    expected = mean.size * width / (sigma * np.sqrt(2 * np.pi))
    expected = expected * np.exp(-0.5 * ((centres - 505.0) / sigma) ** 2)
    many = expected > 100
    assert many.sum() > 30
    pulls = (made.counts[many] - expected[many]) / np.sqrt(expected[many])
    assert np.abs(pulls).max() < 6.0
    assert width / (1 / n) == pytest.approx(round(width * n))
