"""Pyramid, view and marks of clipped pixels, against what plain numpy says of the same frame."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.imaging import display
from calibstudio.imaging.display import (
    NO_VALUE,
    SATURATED,
    ZERO,
    Colours,
    View,
    build_pyramid,
    colour_view,
    render_view,
)
from calibstudio.imaging.display_stretch import Curve, Stretch


@pytest.fixture(scope="module")
def compiled():
    display.warm_up()
    return display.fast_loops()


@pytest.fixture(params=["numpy", "compiled"])
def kernels(request, monkeypatch):
    """Both ways, whatever another test has warmed."""
    if request.param == "compiled":
        return request.getfixturevalue("compiled")
    monkeypatch.setattr(display, "_warm", None)
    return None


def linear(black: float, white: float) -> Stretch:
    return Stretch(Curve.LINEAR, black, white)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(64, 96), (61, 93), (3, 5), (1, 1)])
def test_every_level_holds_the_means_of_its_blocks(kernels, dtype, shape):
    rng = np.random.default_rng(3)
    frame = rng.integers(1, 4000, shape).astype(dtype)

    pyramid = build_pyramid(frame, kernels=kernels)

    ny, nx = shape
    quarter = pyramid.level(2).pixels
    half = pyramid.level(1).pixels
    for level, n in ((half, 2), (quarter, 4)):
        assert level.shape == (-(-ny // n), -(-nx // n))
        for j in range(level.shape[0]):
            for i in range(level.shape[1]):
                block = frame[n * j : n * j + n, n * i : n * i + n].astype(np.float64)
                assert level[j, i] == pytest.approx(block.mean(), rel=2e-7)


def test_coarse_levels_keep_the_mean_of_the_frame(kernels):
    rng = np.random.default_rng(4)
    frame = rng.integers(100, 4000, (256, 320)).astype(np.uint16)

    pyramid = build_pyramid(frame, kernels=kernels)

    for k in range(1, 5):
        assert pyramid.level(k).pixels.mean(dtype=np.float64) == pytest.approx(frame.mean())


def test_nan_is_left_out_of_means_and_marked(kernels):
    frame = np.full((8, 8), 10.0, np.float32)
    frame[0, 0] = np.nan
    frame[4:, 4:] = np.nan

    pyramid = build_pyramid(frame, kernels=kernels)

    quarter = pyramid.level(2)
    assert quarter.pixels[0, 0] == pytest.approx(10.0)
    assert np.isnan(quarter.pixels[1, 1])
    assert quarter.flags[0, 0] & NO_VALUE
    assert pyramid.level(3).pixels[0, 0] == pytest.approx(10.0)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_single_clipped_pixel_survives_every_reduction(kernels, dtype):
    frame = np.full((333, 515), 900, dtype)
    frame[201, 404] = 65535
    frame[7, 11] = 0

    pyramid = build_pyramid(frame, saturation=65535, kernels=kernels)

    assert (pyramid.n_saturated, pyramid.n_zero) == (1, 1)
    for k in range(1, 5):
        flags = pyramid.level(k).flags
        assert np.argwhere(flags & SATURATED).tolist() == [[201 >> k, 404 >> k]]
        assert np.argwhere(flags & ZERO).tolist() == [[7 >> k, 11 >> k]]
    for step in (1.0, 1.37, 2.0, 3.3, 5.5, 9.1):
        view = View(0.0, 0.0, step, int(515 / step), int(333 / step))
        shown = render_view(pyramid, view, linear(0, 1000), kernels=kernels)
        assert (shown.flags & SATURATED).any(), step
        assert (shown.flags & ZERO).any(), step


def test_saturation_is_where_the_caller_says(kernels):
    frame = np.array([[4094, 4095], [4096, 4095]], np.uint16)

    pyramid = build_pyramid(frame, saturation=4095, kernels=kernels)

    assert pyramid.n_saturated == 3


def test_at_full_size_a_view_is_the_frame_through_the_table(kernels):
    frame = np.arange(100 * 120, dtype=np.uint16).reshape(100, 120)
    pyramid = build_pyramid(frame, kernels=kernels)

    shown = render_view(pyramid, View(20, 10, 1.0, 50, 40), linear(0, 11999), kernels=kernels)

    part = frame[10:50, 20:70].astype(np.float64)
    expected = 255 * part / 11999
    assert (shown.left, shown.top) == (0, 0)
    assert shown.grey.shape == (40, 50)
    assert np.abs(shown.grey - expected).max() <= 0.51


def test_enlarged_pixels_are_squares(kernels):
    frame = np.array([[0, 100], [200, 300]], np.uint16)
    pyramid = build_pyramid(frame, kernels=kernels)

    shown = render_view(pyramid, View(0, 0, 0.25, 8, 8), linear(0, 300), kernels=kernels)

    squares = np.kron(np.array([[0, 85], [170, 255]]), np.ones((4, 4)))
    assert np.array_equal(shown.grey, squares)


def test_a_reduced_view_of_a_slope_is_the_slope(kernels):
    columns = np.broadcast_to(np.arange(1024, dtype=np.float32), (512, 1024))
    pyramid = build_pyramid(np.ascontiguousarray(columns), kernels=kernels)

    shown = render_view(pyramid, View(100, 0, 3.0, 200, 100), linear(0, 1023), kernels=kernels)

    centres = 100 + 3.0 * (np.arange(200) + 0.5) - 0.5
    assert np.abs(shown.grey[50] - 255 * centres / 1023).max() <= 0.6


def test_a_view_beyond_the_frame_shows_only_what_is_there(kernels):
    pyramid = build_pyramid(np.full((10, 20), 5, np.uint16), kernels=kernels)

    shown = render_view(pyramid, View(-4, -3, 1.0, 40, 40), linear(0, 10), kernels=kernels)

    assert (shown.left, shown.top) == (4, 3)
    assert shown.grey.shape == (10, 20)
    beside = render_view(pyramid, View(100, 0, 1.0, 10, 10), linear(0, 10), kernels=kernels)
    assert beside.grey.size == 0


@pytest.mark.parametrize("step", [0.3, 1.0, 1.7, 2.5, 4.4, 7.0, 20.0])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_compiled_loops_and_numpy_show_the_same(compiled, monkeypatch, step, dtype):
    monkeypatch.setattr(display, "_warm", None)
    rng = np.random.default_rng(9)
    frame = rng.normal(1000, 40, (203, 311)).astype(np.float32)
    frame[5, 6] = 70000
    frame[9, 2:5] = 0
    if dtype is np.float32:
        frame[20:30, 20:30] = np.nan
    frame = np.clip(frame, 0, 65535).astype(dtype)
    view = View(3.3, -2.2, step, 120, 90)
    stretch = Stretch(Curve.AUTO, 900, 1200, 0.3)

    slow_pyramid = build_pyramid(frame, saturation=65535)
    fast_pyramid = build_pyramid(frame, saturation=65535, kernels=compiled)
    slow = render_view(slow_pyramid, view, stretch)
    fast = render_view(fast_pyramid, view, stretch, kernels=compiled)

    assert (slow.left, slow.top) == (fast.left, fast.top)
    assert np.array_equal(slow.flags, fast.flags)
    assert np.abs(slow.grey.astype(int) - fast.grey).max() <= 1
    assert (slow_pyramid.n_saturated, slow_pyramid.n_zero) == (
        fast_pyramid.n_saturated,
        fast_pyramid.n_zero,
    )


def test_marks_are_drawn_over_the_grey_of_the_theme(kernels):
    frame = np.array([[100, 65535, 0, 0]], np.uint16)
    pyramid = build_pyramid(frame, saturation=65535, kernels=kernels)
    shown = render_view(pyramid, View(0, 0, 1.0, 4, 1), linear(0, 255), kernels=kernels)
    grey = np.arange(256, dtype=np.uint32) | 0xFF000000
    colours = Colours(grey, 0xFFFF0000, 0xFF0000FF, 0xFF000010, 0xFF111111)

    marked = colour_view(shown, colours, kernels=kernels)
    plain = colour_view(shown, Colours(grey, 1, 2, 3, 4, show_clipped=False), kernels=kernels)

    assert marked.tolist() == [[0xFF000064, 0xFFFF0000, 0xFF0000FF, 0xFF000010]]
    assert plain.tolist() == [[0xFF000064, 0xFF0000FF, 0xFF000000, 0xFF000000]]


def test_a_frame_of_another_type_or_byte_order_is_converted_once():
    big_endian = np.arange(12, dtype=">i4").reshape(3, 4) - 5

    pyramid = build_pyramid(big_endian)

    assert pyramid.full.dtype == np.dtype(np.float32)
    assert pyramid.value(0, 0) == -5.0
    assert pyramid.value(4, 0) is None
    assert not pyramid.full.flags.writeable


def test_the_callers_frame_stays_writable_and_is_not_copied():
    frame = np.zeros((4, 4), np.uint16)

    pyramid = build_pyramid(frame)

    assert np.shares_memory(pyramid.full, frame)
    assert frame.flags.writeable


@pytest.mark.parametrize("bad", [np.zeros((0, 5)), np.zeros(5), np.zeros((2, 2, 2))])
def test_what_is_not_a_picture_is_refused(bad):
    with pytest.raises(ValueError, match="two axes"):
        build_pyramid(bad)


def test_an_all_nan_picture_renders_without_values(kernels):
    pyramid = build_pyramid(np.full((9, 9), np.nan, np.float32), kernels=kernels)

    shown = render_view(pyramid, View(0, 0, 1.0, 9, 9), linear(0, 1), kernels=kernels)

    assert pyramid.measured is None
    assert (shown.flags == NO_VALUE).all()


def test_loops_that_were_compiled_once_are_found_again(compiled):
    assert compiled is not None
    assert display._compiled_before()


def test_without_another_process_nothing_is_lost(monkeypatch, caplog):
    def refuse(*args, **options):
        raise OSError("no processes today")

    monkeypatch.setattr(display.subprocess, "run", refuse)

    display._compile_apart()
