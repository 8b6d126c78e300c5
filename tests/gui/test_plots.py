"""Plots: numbers on axes, bins, zones, limits, both axes, and red only in night."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.gui.picture.plot_base import (
    AxisKind,
    Plot,
    nice_step,
    padded_range,
    tick_positions,
    tick_text,
)
from calibstudio.gui.picture.plots import (
    Curve,
    CurvePlot,
    HistogramPlot,
    NoiseBounds,
    ProfilePlot,
    SeriesData,
    SeriesPlot,
    TemperaturePlot,
    histogram_marks,
)
from calibstudio.gui.theme import ThemeState
from calibstudio.imaging.display_numbers import Histogram, line_profile, region_histogram
from tests.gui.conftest import pixels


def sky() -> Histogram:
    values = np.random.default_rng(1).normal(1184, 53.8, (400, 500))
    return region_histogram(np.rint(values).astype(np.uint16))


def shown(qtbot: QtBot, plot: Plot, width: int = 620, height: int = 220) -> Plot:
    qtbot.addWidget(plot)
    plot.resize(width, height)
    plot.show()
    qtbot.waitUntil(lambda: plot.area().width() > 100)
    return plot


# Axes


@pytest.mark.parametrize(("span", "n", "step"), [(1700, 8, 250), (0.9, 4, 0.25), (40, 4, 10)])
def test_steps_are_round_numbers(span: float, n: int, step: float) -> None:
    assert nice_step(span, n) == pytest.approx(step)


@pytest.mark.parametrize(
    ("value", "step", "kind", "text"),
    [
        (12500.0, 2500.0, AxisKind.NUMBER, "12\u202f500"),
        (-10.4, 0.4, AxisKind.NUMBER, "−10.4"),
        (0.25, 0.25, AxisKind.NUMBER, "0.25"),
        (3.0, 1.0, AxisKind.DECADES, "10³"),
        (2.0, 1.0, AxisKind.DECADES, "100"),
        (datetime(2026, 4, 17, 21, 30, tzinfo=UTC).timestamp(), 600.0, AxisKind.TIME, "21:30"),
    ],
)
def test_ticks_are_written_as_everywhere(
    value: float, step: float, kind: AxisKind, text: str
) -> None:
    assert tick_text(value, step, kind) == text


def test_frames_are_counted_in_whole_numbers() -> None:
    _, places = tick_positions(0.4, 3.6, 8, AxisKind.WHOLE)

    assert places == [1.0, 2.0, 3.0]


def test_times_are_ticked_at_round_minutes() -> None:
    start = datetime(2026, 4, 17, 21, 33, 12, tzinfo=UTC).timestamp()

    step, places = tick_positions(start, start + 3600, 4, AxisKind.TIME)

    assert step == 900
    assert [tick_text(p, step, AxisKind.TIME) for p in places] == [
        "21:45",
        "22:00",
        "22:15",
        "22:30",
    ]


def test_a_range_of_nothing_and_of_one_value_can_be_drawn() -> None:
    assert padded_range([]) == (0.0, 1.0)
    low, high = padded_range([5.0, float("nan")], least=2.0)
    assert (low, high) == (4.0, 6.0)


# Histogram


@pytest.fixture
def histogram(qtbot: QtBot, theme: ThemeState) -> HistogramPlot:
    plot = HistogramPlot(theme)
    shown(qtbot, plot)
    plot.set_histograms(
        {"": sky()},
        full=(0.0, 66000.0),
        bounds=NoiseBounds(502.0, 560.0, 700.0),
        marks=histogram_marks(bias_adu=502, median_adu=1184, saturation_adu=65535),
    )
    return plot


def curve_sum(plot: HistogramPlot) -> float:
    _, y = plot._curves[""].getData()
    return float(np.sum(10 ** y[y > 0])) if plot.is_log else float(np.sum(y))


def test_zoomed_to_the_data_it_shows_bias_and_bulk(histogram: HistogramPlot) -> None:
    low, high = histogram.view_box.viewRange()[0]

    assert 450 < low < 502
    assert 1350 < high < 1600


def test_no_pixel_is_lost_between_linear_and_logarithmic(histogram: HistogramPlot) -> None:
    logarithmic = curve_sum(histogram)
    histogram.set_log(False)

    assert curve_sum(histogram) == pytest.approx(400 * 500, rel=0.003)
    assert logarithmic == pytest.approx(400 * 500, rel=0.003)


def test_the_whole_range_ends_at_the_camera(histogram: HistogramPlot) -> None:
    histogram.zoom_to_data(False)

    assert histogram.view_box.viewRange()[0] == pytest.approx([0.0, 66000.0])
    assert not histogram.is_zoomed


def test_the_wheel_zooms_the_levels_and_new_frames_leave_them(histogram: HistogramPlot) -> None:
    at = QPointF(300, 100)
    event = QWheelEvent(
        at, histogram.mapToGlobal(at), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    before = histogram.view_box.viewRange()[0]

    QApplication.sendEvent(histogram.viewport(), event)
    after = histogram.view_box.viewRange()[0]
    histogram.set_histograms({"": sky()}, full=(0.0, 66000.0))

    assert after[1] - after[0] < before[1] - before[0]
    assert histogram.view_box.viewRange()[0] == pytest.approx(after)
    histogram.zoom_to_data()
    assert histogram.is_zoomed


def test_noise_zones_are_a_bar_at_the_top(histogram: HistogramPlot, theme: ThemeState) -> None:
    rgb = pixels(histogram.viewport())
    row = rgb[round(histogram.area().top()) + 2]

    for level, token in ((530.0, "bad"), (630.0, "warn"), (1000.0, "good")):
        assert tuple(row[round(histogram.x_px(level))]) == theme.color(token).getRgb()[:3]


def test_neighbouring_labels_do_not_cover_each_other(
    qtbot: QtBot, theme: ThemeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    plot = HistogramPlot(theme)
    places: list[tuple[float, float]] = []
    paint = plot.paint_words
    monkeypatch.setattr(
        plot,
        "paint_words",
        lambda p, x, y, t, k, **o: (places.append((x, y)), paint(p, x, y, t, k, **o))[1],
    )
    shown(qtbot, plot)

    plot.set_histograms(
        {"": sky()},
        marks=histogram_marks(bias_adu=1180, median_adu=1184, saturation_adu=None),
    )
    plot.grab()

    assert places[-1][1] - places[-2][1] >= 16


def test_each_colour_has_a_curve(qtbot: QtBot, theme: ThemeState) -> None:
    plot = HistogramPlot(theme)
    shown(qtbot, plot)

    plot.set_histograms({"R": sky(), "G": sky(), "B": sky()})
    assert sorted(plot._curves) == ["B", "G", "R"]

    plot.set_histograms({"": sky()})
    assert sorted(plot._curves) == [""]


def test_an_empty_histogram_is_drawn(qtbot: QtBot, theme: ThemeState) -> None:
    plot = HistogramPlot(theme)
    shown(qtbot, plot)

    plot.set_histograms({"": Histogram(np.zeros(65536, np.int64), -0.5, 1.0)})

    assert plot.grab().width() == 620


# Series


@pytest.fixture
def series(qtbot: QtBot, theme: ThemeState) -> SeriesPlot:
    plot = SeriesPlot(theme)
    shown(qtbot, plot)
    x = np.arange(1.0, 11.0)
    y = np.array([500.0, 501, 500, 502, np.nan, 500, 501, 540, 500, 501])
    plot.set_series(
        SeriesData(x, y, ["good"] * 7 + ["bad"] + ["good"] * 2),
        label="Median [ADU]",
        second=SeriesData(x, np.linspace(-10.5, -9.5, 10)),
        second_label="Sensor [°C]",
        limits=(495.0, 505.0),
        limits_text="limits 495–505",
    )
    return plot


def test_all_points_and_limits_are_in_sight(series: SeriesPlot) -> None:
    (x0, x1), (y0, y1) = series.view_box.viewRange()

    assert x0 < 1 and x1 > 10
    assert y0 < 495 and y1 > 540


def test_a_frame_that_was_not_measured_has_no_point(series: SeriesPlot) -> None:
    assert sum(len(dots.data) for dots in series._dots.values()) == 9


def test_clicking_a_point_names_its_frame(qtbot: QtBot, series: SeriesPlot) -> None:
    place = QPoint(round(series.x_px(8.0)), round(series.y_px(540.0)))

    with qtbot.waitSignal(series.point_clicked, timeout=1000) as clicked:
        qtbot.mouseClick(series.viewport(), Qt.MouseButton.LeftButton, pos=place)

    assert clicked.args == [7]


def test_points_of_each_kind_have_their_form_and_their_words(series: SeriesPlot) -> None:
    x = np.arange(1.0, 4.0)
    kinds, notes = ["good", "warn", "bad"], ["", "too warm", "light leak"]

    series.set_series(SeriesData(x, x, kinds, notes), label="Median [ADU]")

    assert [len(series._dots[k].data) for k in kinds] == [1, 1, 1]
    assert not series.grab().isNull()


def test_the_left_axis_makes_room_for_its_widest_number(series: SeriesPlot) -> None:
    x = np.arange(1.0, 11.0)
    before = series._axes["left"].minimumWidth()

    series.set_series(SeriesData(x, 31_783.0 + 0.1 * x), label="Median [ADU]")

    assert series._axes["left"].minimumWidth() > before


@pytest.mark.parametrize(
    ("days", "first", "second"),
    [
        (4, "2025-03-05", "2025-03-06"),
        (70, "2025-03-13", "2025-03-23"),
        (500, "2025-04", "2025-07"),
    ],
)
def test_a_trend_is_told_in_days_and_months(days: int, first: str, second: str) -> None:
    low = datetime(2025, 3, 4, 18, tzinfo=UTC).timestamp()

    step, places = tick_positions(low, low + days * 86400.0, 8, AxisKind.TIME)

    assert 2 <= len(places) <= 9
    assert [tick_text(p, step, AxisKind.TIME) for p in places[:2]] == [first, second]


def test_the_second_statistic_uses_its_own_axis(series: SeriesPlot) -> None:
    (_, _), (y0, y1) = series.view_box.viewRange()
    low, high = series._right_range

    _, drawn = series._second_line.getData()

    values = low + (drawn - y0) / (y1 - y0) * (high - low)
    assert values == pytest.approx(np.linspace(-10.5, -9.5, 10))


# The others


def test_a_profile_is_drawn_and_taken_away(qtbot: QtBot, theme: ThemeState) -> None:
    plot = ProfilePlot(theme)
    shown(qtbot, plot)
    frame = np.arange(100, dtype=np.uint16)[None, :].repeat(10, axis=0)

    plot.set_profile(line_profile(frame, 0.5, 5.0, 99.5, 5.0))
    assert plot.view_box.viewRange()[0] == pytest.approx([0.0, 99.0])

    plot.set_profile(None)
    assert plot._lines == []


def test_the_temperature_shows_its_set_point(qtbot: QtBot, theme: ThemeState) -> None:
    plot = TemperaturePlot(theme)
    shown(qtbot, plot, 330, 118)

    plot.set_readings(np.arange(0.0, 3600.0, 10.0), np.full(360, -9.8), -10.0)

    low, high = plot.view_box.viewRange()[1]
    assert low < -10.0 < -9.8 < high
    assert high - low >= 4.0


def test_curves_may_be_lines_or_points(qtbot: QtBot, theme: ThemeState) -> None:
    plot = CurvePlot(theme, name="Photon transfer")
    shown(qtbot, plot)
    x = np.linspace(0, 100, 20)

    plot.set_curves(
        [Curve(x, 2 * x), Curve(x, 2 * x + 1, "series2", dots=True)],
        x_label="Level [ADU]",
        y_label="Variance [ADU²]",
    )

    assert (len(plot._lines), len(plot._points)) == (1, 1)
    assert plot.view_box.viewRange()[1][1] > 201


@pytest.fixture
def plots(qtbot: QtBot, theme: ThemeState) -> Iterator[list[QWidget]]:
    x = np.arange(1.0, 6.0)
    histogram = HistogramPlot(theme)
    histogram.set_histograms(
        {"R": sky(), "G": sky(), "B": sky()},
        bounds=NoiseBounds(502.0, 560.0, 700.0),
        marks=histogram_marks(bias_adu=502, median_adu=1184, saturation_adu=1300),
    )
    series = SeriesPlot(theme)
    series.set_series(
        SeriesData(x, x, ["good", "warn", "bad", "good", "good"]),
        label="Median [ADU]",
        second=SeriesData(x, -x),
        second_label="Sensor [°C]",
        limits=(1.0, 3.0),
        limits_text="limits 1–3",
    )
    series.set_selected(2)
    temperature = TemperaturePlot(theme)
    temperature.set_readings(x * 1000, -x, -3.0)
    made: list[QWidget] = [histogram, series, temperature]
    for plot in made:
        assert isinstance(plot, Plot)
        shown(qtbot, plot)
    yield made


def test_in_night_every_plot_is_red_only(
    plots: list[QWidget], theme: ThemeState, is_red_only: Callable[[QWidget], bool]
) -> None:
    theme.set_theme("night")

    for plot in plots:
        assert is_red_only(plot)


def test_a_plot_follows_the_theme(plots: list[QWidget], theme: ThemeState) -> None:
    theme.set_theme("light")

    rgb = pixels(plots[0])

    assert tuple(rgb[2, 2]) == (255, 255, 255)


def test_where_nothing_is_plotted_no_numbers_stand_at_the_axes(
    qtbot: QtBot, theme: ThemeState
) -> None:
    plot = SeriesPlot(theme)
    qtbot.addWidget(plot)
    left, bottom = plot._axes["left"], plot._axes["bottom"]
    assert left.tickStrings([0.2, 0.4], 1.0, 0.2) == ["", ""]

    nothing = SeriesData(np.empty(0), np.empty(0))
    plot.set_series(nothing, label="Level [ADU]", limits=(29_491.0, 36_044.0))
    assert left.tickStrings([30_000.0], 1.0, 2000.0) == ["30\u202f000"]
    assert bottom.tickStrings([1.0], 1.0, 1.0) == [""]

    plot.set_series(SeriesData(np.array([1.0]), np.array([502.0])), label="Level [ADU]")
    assert left.tickStrings([502.0], 1.0, 1.0) == ["502"]
    assert bottom.tickStrings([1.0], 1.0, 1.0) == ["1"]


def test_the_line_goes_through_the_frames_that_count(qtbot: QtBot, theme: ThemeState) -> None:
    plot = SeriesPlot(theme)
    qtbot.addWidget(plot)
    x, y = np.arange(1.0, 5.0), np.array([502.0, 503.0, 950.0, 502.0])

    plot.set_series(SeriesData(x, y, ["good", "warn", "bad", "good"]), label="Level [ADU]")

    assert list(plot._line.getData()[0]) == [1.0, 2.0, 4.0]
    assert list(plot._dots["bad"].getData()[0]) == [3.0]


def test_a_few_frames_have_each_their_number_on_the_axis(qtbot: QtBot, theme: ThemeState) -> None:
    plot = SeriesPlot(theme, name="Level of each frame", has_second=False)
    qtbot.addWidget(plot)
    plot.resize(560, 160)
    plot.show()
    frames = np.arange(1.0, 9.0)

    plot.set_series(SeriesData(frames, 500.0 + frames), label="Level [ADU]")

    axis = plot.getAxis("bottom")
    low, high = plot.getViewBox().viewRange()[0]
    ((_, places),) = axis.tickValues(low, high, 480.0)
    assert places == list(frames)
