"""The plots: histogram, series of frames, profile along a line, temperature, and curves.

Imports pyqtgraph: import it after the first paint only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, log10
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QWidget

from calibstudio.domain.wording import number, significant
from calibstudio.gui.picture.plot_base import (
    CAPTION_PX,
    DOT_PX,
    AxisKind,
    Band,
    Mark,
    Plot,
    Side,
    padded_range,
    tick_positions,
    tick_text,
)
from calibstudio.gui.theme import ThemeState, Tokens
from calibstudio.imaging.display_numbers import Histogram, Profile, bars, data_range

ZONE_PX = 5
CHANNEL_TOKENS = {"": "series1", "R": "bad", "G": "good", "B": "series1"}


@dataclass(frozen=True, slots=True)
class NoiseBounds:
    """Levels at which the read noise is a half and a tenth of the noise."""

    bias_adu: float
    half_adu: float
    tenth_adu: float


class HistogramPlot(Plot):
    """Pixels by level, linear or logarithmic, with bias, median, saturation and noise zones.

    Zooms with the wheel and moves by dragging along the level axis; bins are made anew for what is
    seen, so that no zoom shows steps.
    """

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        self._histograms: dict[str, Histogram] = {}
        self._curves: dict[str, Any] = {}
        self._log = True
        self._follows = "data"  # data, full, or hand: what the level axis shows
        self._full = (0.0, 65535.0)
        self._bounds: NoiseBounds | None = None
        self._short = False
        self._unit_label = "Level [ADU]"
        super().__init__(theme, name="Histogram", y=AxisKind.DECADES, left_px=62, parent=parent)
        self.set_label("left", "Pixels")
        self.set_label("bottom", self._unit_label)
        self.setMouseEnabled(True, False)
        self.view_box.sigXRangeChanged.connect(self._on_range_changed)
        self.view_box.sigRangeChangedManually.connect(self._on_moved_by_hand)

    @property
    def is_log(self) -> bool:
        """Whether the number of pixels is shown as a logarithm."""
        return self._log

    @property
    def is_zoomed(self) -> bool:
        """Whether it follows the data, not the camera's whole range."""
        return self._follows == "data"

    def set_log(self, on: bool) -> None:
        """Show the number of pixels as a logarithm, or as it is."""
        self._log = on
        self._axes["left"].kind = AxisKind.DECADES if on else AxisKind.NUMBER
        self._axes["left"].setWidth(62 if on else 76)
        self._redraw()

    def set_compact(self, on: bool) -> None:
        """Use less room: shorter words."""
        self._short = on
        self.set_bottom(24 if on else 40)
        self.set_label("bottom", "" if on else self._unit_label)
        self.viewport().update()

    def set_unit(self, text: str) -> None:
        """Name the level axis: ``Level [ADU]``."""
        self._unit_label = text
        self.set_label("bottom", "" if self._short else text)

    def zoom_to_data(self, on: bool = True) -> None:
        """Follow the bulk of the pixels, or show the camera's whole range."""
        self._follows = "data" if on else "full"
        self._rescale()

    def set_histograms(
        self,
        histograms: Mapping[str, Histogram],
        *,
        full: tuple[float, float] = (0.0, 65535.0),
        bounds: NoiseBounds | None = None,
        marks: Sequence[Mark] = (),
    ) -> None:
        """Show histograms: one under the empty name, or one for each of R, G, B.

        Parameters
        ----------
        full
            Range of the camera, shown when not zoomed to the data.
        bounds
            Where the noise zones begin; None draws none.
        marks
            Bias, median, saturation (see `histogram_marks`).
        """
        self._histograms = dict(histograms)
        self._full, self._bounds = full, bounds
        self._v_marks = tuple(marks)
        for name in [n for n in self._curves if n not in self._histograms]:
            self.removeItem(self._curves.pop(name))
        for name in self._histograms:
            if name not in self._curves:
                curve = pg.PlotCurveItem(antialias=True)
                self._curves[name] = curve
                self.addItem(curve)
        self.restyle(self._theme.tokens)
        self._rescale()

    def restyle(self, tokens: Tokens) -> None:
        several = len(self._curves) > 1
        for name, curve in self._curves.items():
            token = CHANNEL_TOKENS.get(name, "series1")
            dash = {"G": (6.0, 3.0), "B": (2.0, 3.0)}.get(name, ()) if tokens.is_night else ()
            curve.setPen(self.pen(token, dash=dash))
            curve.setBrush(None if several else self.fill(token))

    def _rescale(self) -> None:
        """Choose the level range, which makes new bins."""
        if not self._histograms:
            return
        if self._follows == "hand":
            self._redraw()
            return
        ranges = [data_range(h) for h in self._histograms.values() if h.total]
        if self._follows == "data" and ranges:
            low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        else:
            low, high = self._full
        if self._bounds is not None and self._follows == "data":
            # The bias is worth seeing where it leaves the data a third of the room or more.
            bias = self._bounds.bias_adu
            if 0 <= low - bias < 2 * (high - low):
                low = bias - 0.02 * (high - bias)
        before = self.view_box.viewRange()[0]
        self.view_box.setXRange(low, high, padding=0)
        if before == self.view_box.viewRange()[0]:
            self._redraw()

    def _redraw(self) -> None:
        low, high = self.view_box.viewRange()[0]
        n_bars = max(40, int(self.area().width() / 2) or 200)
        highest = 1.0
        drawn: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for name, histogram in self._histograms.items():
            made = bars(histogram, low, high, n_bars)
            centres = (made.edges[:-1] + made.edges[1:]) / 2
            drawn[name] = (centres, made.counts)
            highest = max(highest, float(made.counts.max(initial=0.0)))
        floor_value = (1.0 if highest > 3e4 else 0.0) if self._log else 0.0
        for name, (x, counts) in drawn.items():
            y = np.log10(np.maximum(counts, 0.5)) if self._log else counts
            curve = self._curves[name]
            curve.setFillLevel(floor_value if len(drawn) == 1 else None)
            curve.setData(x, y)
        top = log10(highest) + 0.25 if self._log else 1.12 * highest
        self.view_box.setYRange(floor_value, max(top, floor_value + 0.5), padding=0)
        self.viewport().update()

    def paint_notes(self, painter: QPainter, area: QRectF) -> None:
        if self._bounds is None:
            return
        b = self._bounds
        high = self.view_box.viewRange()[0][1]
        words = (
            ("read noise > 50 %", "10–50 %", "read noise < 10 %")
            if self._short
            else (
                "read noise over half of the noise",
                "read noise 10–50 % of the noise",
                "read noise under 10 % of the noise",
            )
        )
        zones = (
            (b.bias_adu, b.half_adu, "bad", words[0]),
            (b.half_adu, b.tenth_adu, "warn", words[1]),
            (b.tenth_adu, high, "good", words[2]),
        )
        for low, end, token, text in zones:
            left = max(self.x_px(low), area.left())
            right = min(self.x_px(end), area.right())
            if right <= left:
                continue
            self._paint_zone(painter, QRectF(left, area.top(), right - left, ZONE_PX), token)
            width = QFontMetricsF(self._theme.font(CAPTION_PX)).horizontalAdvance(text)
            if right - left > width + 12:
                self.paint_words(painter, right - 4, area.top() + 18, text, token, right=True)

    def _paint_zone(self, painter: QPainter, box: QRectF, token: str) -> None:
        """A bar; in night the zones differ by form: full, framed, thin."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        color = self._theme.color(token)
        if not self._theme.tokens.is_night or token == "bad":
            painter.fillRect(box, color)
        elif token == "warn":
            painter.setPen(QPen(color, 1))
            painter.drawRect(box.adjusted(0, 0, -1, -1))
        else:
            painter.fillRect(QRectF(box.left(), box.top() + 2, box.width(), 2), color)

    @Slot()
    def _on_range_changed(self) -> None:
        if self._histograms:
            self._redraw()

    @Slot()
    def _on_moved_by_hand(self) -> None:
        # Stays where the operator put it until a button says otherwise.
        self._follows = "hand"

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.zoom_to_data(not self.is_zoomed)


def histogram_marks(
    *, bias_adu: float | None, median_adu: float | None, saturation_adu: float | None
) -> list[Mark]:
    """Return the labelled lines of a histogram; what is not known has none."""
    marks = []
    if bias_adu is not None:
        marks.append(Mark(bias_adu, f"bias {number(bias_adu)}", "text2"))
    if median_adu is not None:
        text = f"median {number(median_adu) if abs(median_adu) >= 100 else significant(median_adu)}"
        marks.append(Mark(median_adu, text, "series1", (2.0, 3.0)))
    if saturation_adu is not None:
        text = f"saturation {number(saturation_adu)}"
        marks.append(Mark(saturation_adu, text, "bad", side=Side.LEFT))
    return marks


@dataclass(frozen=True, slots=True, eq=False)
class SeriesData:
    """One statistic of frames, in order."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    """NaN where it was not measured."""
    kinds: Sequence[str] = field(default=())
    """``good``, ``warn`` or ``bad`` for each; empty: all good."""


def _cross() -> QPainterPath:
    """A cross of two strokes, one unit wide (pyqtgraph's own is a filled shape)."""
    path = QPainterPath()
    for y in (-0.5, 0.5):
        path.moveTo(-0.5, y)
        path.lineTo(0.5, -y)
    return path


class SeriesPlot(Plot):
    """A statistic of frame after frame; a second one on the right axis, dashed.

    Signals
    -------
    point_clicked(int)
        Index of the frame whose point was clicked.
    """

    point_clicked = Signal(int)

    def __init__(
        self,
        theme: ThemeState,
        *,
        name: str = "History",
        x: AxisKind = AxisKind.WHOLE,
        has_second: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        self._data = SeriesData(np.empty(0), np.empty(0))
        self._second: SeriesData | None = None
        self._selected: int | None = None
        self._has_second = has_second
        self._right_places: list[tuple[float, str]] = []
        self._right_range = (0.0, 1.0)
        self._line = pg.PlotCurveItem(antialias=True)
        self._second_line = pg.PlotCurveItem(antialias=True)
        self._dots = pg.ScatterPlotItem(pxMode=True, antialias=True)
        super().__init__(theme, name=name, x=x, left_px=64, parent=parent)
        for item in (self._second_line, self._line, self._dots):
            self.addItem(item)
        self.set_label("bottom", "Frame")

    def set_series(
        self,
        data: SeriesData,
        *,
        label: str,
        second: SeriesData | None = None,
        second_label: str = "",
        limits: tuple[float, float] | None = None,
        limits_text: str = "",
        joined: bool = True,
        least_span: float = 0.0,
        second_least_span: float = 0.0,
    ) -> None:
        """Show a statistic with its unit in the label.

        Parameters
        ----------
        limits, limits_text
            Values that are allowed, and the words beside the band.
        joined
            Whether a line goes through the points.
        least_span, second_least_span
            An axis shows at least so much, so that noise does not look like a drift.
        """
        self._data, self._second = data, second
        self._axes["bottom"].extra = (
            (float(data.x[0]), float(data.x[-1]))
            if data.x.size > 1 and self._axes["bottom"].kind is AxisKind.WHOLE
            else ()
        )
        self.set_label("left", label, "series1" if second is not None else "axis")
        self.set_label("right", second_label if second is not None else "")
        self.set_margins(right=66 if second is not None else 14)
        self._bands = () if limits is None else (Band(*limits, text=limits_text),)
        self._line.setVisible(joined)
        self._scale(least_span, second_least_span)
        self.restyle(self._theme.tokens)
        self.viewport().update()

    def set_selected(self, index: int | None) -> None:
        """Put a ring around the point of one frame."""
        self._selected = index
        self.viewport().update()

    def _scale(self, least_span: float, second_least_span: float) -> None:
        x = self._data.x
        first, last = (float(x[0]), float(x[-1])) if x.size else (0.0, 1.0)
        margin = max((last - first) * 0.03, 0.6 if self._is_counted else 1.0)
        self.view_box.setXRange(first - margin, last + margin, padding=0)
        values = [*self._data.y, *(v for band in self._bands for v in (band.low, band.high))]
        low, high = padded_range(values, part=0.12, least=least_span)
        self.view_box.setYRange(low, high, padding=0)
        if self._second is not None:
            self._right_range = padded_range(self._second.y, part=0.35, least=second_least_span)

    @property
    def _is_counted(self) -> bool:
        return self._axes["bottom"].kind is AxisKind.WHOLE

    def restyle(self, tokens: Tokens) -> None:
        data = self._data
        self._line.setPen(self.pen("series1"))
        self._line.setData(data.x, data.y, connect="finite")
        kinds = list(data.kinds) or ["good"] * data.x.size
        symbols = {"good": "o", "warn": "t1", "bad": _cross()}
        sizes = {"good": DOT_PX, "warn": 11.0, "bad": 11.0}
        tokens_of = {"good": "series1", "warn": "warn", "bad": "bad"}
        self._dots.setData(
            [
                {
                    "pos": (x, y),
                    "symbol": symbols.get(kind, "o"),
                    "size": sizes.get(kind, DOT_PX),
                    "brush": self._theme.color(tokens_of.get(kind, "series1")),
                    "pen": (self.pen("bad", 2.2) if kind == "bad" else QPen(Qt.PenStyle.NoPen)),
                }
                for x, y, kind in zip(data.x, data.y, kinds, strict=True)
                if y == y
            ]
        )
        second = self._second
        self._second_line.setPen(self.pen("series2", dash=(5.0, 4.0)))
        if second is None:
            self._second_line.setData([], [])
            return
        # On the left axis's scale: one view box is enough for a line that nobody picks.
        (low, high), (r_low, r_high) = self.view_box.viewRange()[1], self._right_range
        scaled = low + (second.y - r_low) / ((r_high - r_low) or 1.0) * (high - low)
        self._second_line.setData(second.x, scaled, connect="finite")

    def paint_notes(self, painter: QPainter, area: QRectF) -> None:
        if self._second is not None:
            self._paint_right_axis(painter, area)
        if self._selected is not None and self._selected < self._data.x.size:
            x = self.x_px(float(self._data.x[self._selected]))
            y = self.y_px(float(self._data.y[self._selected]))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.color("text"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, y), 7.5, 7.5)

    def _paint_right_axis(self, painter: QPainter, area: QRectF) -> None:
        low, high = self._right_range
        step, places = tick_positions(low, high, max(2, int(area.height() / 34)), AxisKind.NUMBER)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(self._theme.color("axis"), 1))
        x = floor(area.right()) + 0.5
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setFont(self._theme.font(CAPTION_PX))
        for value in places:
            y = floor(area.bottom() - (value - low) / (high - low) * area.height()) + 0.5
            painter.setPen(QPen(self._theme.color("axis"), 1))
            painter.drawLine(QPointF(x, y), QPointF(x + 4, y))
            painter.setPen(self._theme.color("series2"))
            box = QRectF(x + 8, y - 8, 48, 16)
            text = tick_text(value, step, AxisKind.NUMBER)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        found = self._near(event.position())
        if event.button() == Qt.MouseButton.LeftButton and found is not None:
            self.point_clicked.emit(found)
            event.accept()
            return
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        event.accept()

    def _near(self, at: QPointF) -> int | None:
        """The point within 12 pixels of the mouse."""
        best, nearest = None, 12.0
        for index, (x, y) in enumerate(zip(self._data.x, self._data.y, strict=True)):
            if y == y:
                away = (QPointF(self.x_px(float(x)), self.y_px(float(y))) - at).manhattanLength()
                if away < nearest:
                    best, nearest = index, away
        return best


class _LinePlot(Plot):
    """A plot of one or more plain lines."""

    def __init__(self, theme: ThemeState, **options: Any) -> None:
        self._lines: list[tuple[Any, str, tuple[float, ...]]] = []
        super().__init__(theme, **options)

    def _draw(
        self,
        lines: Sequence[tuple[NDArray[np.float64], NDArray[np.float64], str, tuple[float, ...]]],
    ) -> None:
        while len(self._lines) > len(lines):
            self.removeItem(self._lines.pop()[0])
        while len(self._lines) < len(lines):
            curve = pg.PlotCurveItem(antialias=True)
            self.addItem(curve)
            self._lines.append((curve, "series1", ()))
        for i, (x, y, token, dash) in enumerate(lines):
            curve = self._lines[i][0]
            curve.setData(x, y, connect="finite")
            self._lines[i] = (curve, token, dash)
        self.restyle(self._theme.tokens)

    def restyle(self, tokens: Tokens) -> None:
        for curve, token, dash in self._lines:
            curve.setPen(self.pen(token, dash=dash))


class ProfilePlot(_LinePlot):
    """Values along a line of a picture."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(theme, name="Line profile", left_px=66, parent=parent)
        self.set_label("bottom", "Along the line [px]")

    def set_profile(self, profile: Profile | None, unit: str = "ADU") -> None:
        """Show a profile; None for none."""
        self.set_label("left", f"Value [{unit}]" if unit else "Value")
        if profile is None or not np.isfinite(profile.value).any():
            self._draw([])
            return
        self._draw([(profile.distance_px, profile.value, "series2", ())])
        self.view_box.setXRange(0.0, float(profile.distance_px[-1]) or 1.0, padding=0)
        self.view_box.setYRange(*padded_range(profile.value), padding=0)


class TemperaturePlot(_LinePlot):
    """Temperature of the sensor over the last hour, with its set point."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(
            theme,
            name="Sensor temperature [°C]",
            x=AxisKind.TIME,
            left_px=40,
            bottom_px=24,
            parent=parent,
        )
        self.set_margins(right=22, top=6)

    def set_readings(
        self,
        seconds: NDArray[np.float64],
        sensor_c: NDArray[np.float64],
        set_c: float | None,
    ) -> None:
        """Show readings by time (seconds since 1970, UTC); the set point is a dashed line."""
        self._draw([(seconds, sensor_c, "series1", ())])
        self.set_h_marks([] if set_c is None else [Mark(set_c, "set point [°C]")])
        if seconds.size:
            first, last = float(seconds[0]), float(seconds[-1])
            self.view_box.setXRange(first, max(last, first + 60.0), padding=0)
        values = [*sensor_c, *(() if set_c is None else (set_c,))]
        self.view_box.setYRange(*padded_range(values, part=0.12, least=4.0), padding=0)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a `CurvePlot`."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    token: str = "series1"
    dash: tuple[float, ...] = ()
    dots: bool = False
    """Points instead of a line."""


class CurvePlot(_LinePlot):
    """Lines and points of any kind: photon transfer, spectra, row and column profiles."""

    def __init__(
        self,
        theme: ThemeState,
        *,
        name: str,
        x: AxisKind = AxisKind.NUMBER,
        y: AxisKind = AxisKind.NUMBER,
        parent: QWidget | None = None,
    ) -> None:
        self._points: list[tuple[Any, str]] = []
        super().__init__(theme, name=name, x=x, y=y, left_px=66, parent=parent)

    def set_curves(
        self,
        curves: Sequence[Curve],
        *,
        x_label: str,
        y_label: str,
        x_range: tuple[float, float] | None = None,
        y_range: tuple[float, float] | None = None,
    ) -> None:
        """Show these curves; axes fit them unless ranges are given. Decades take logarithms."""
        self.set_label("bottom", x_label)
        self.set_label("left", y_label)
        self._draw([(c.x, c.y, c.token, c.dash) for c in curves if not c.dots])
        for item, _ in self._points:
            self.removeItem(item)
        self._points = []
        for curve in (c for c in curves if c.dots):
            item = pg.ScatterPlotItem(curve.x, curve.y, size=DOT_PX, pxMode=True, antialias=True)
            self.addItem(item)
            self._points.append((item, curve.token))
        xs = np.concatenate([c.x for c in curves]) if curves else np.empty(0)
        ys = np.concatenate([c.y for c in curves]) if curves else np.empty(0)
        self.view_box.setXRange(*(x_range or padded_range(xs, part=0.03)), padding=0)
        self.view_box.setYRange(*(y_range or padded_range(ys)), padding=0)
        self.restyle(self._theme.tokens)

    def restyle(self, tokens: Tokens) -> None:
        super().restyle(tokens)
        for item, token in self._points:
            item.setBrush(self._theme.color(token))
            item.setPen(QPen(Qt.PenStyle.NoPen))
