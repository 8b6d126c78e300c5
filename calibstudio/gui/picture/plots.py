"""The plots: histogram, series of frames, profile along a line, temperature, and curves.

Imports pyqtgraph: import it after the first paint only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from calibstudio.domain.wording import number, significant
from calibstudio.gui.picture.plot_base import (
    CAPTION_PX,
    DOT_PX,
    AxisKind,
    Mark,
    Plot,
    Side,
    padded_range,
)
from calibstudio.gui.picture.series_plot import SeriesData, SeriesPlot
from calibstudio.gui.theme import ThemeState, Tokens
from calibstudio.imaging.display_numbers import Histogram, Profile, bars, data_range

__all__ = [
    "Curve",
    "CurvePlot",
    "HistogramPlot",
    "NoiseBounds",
    "ProfilePlot",
    "SeriesData",
    "SeriesPlot",
    "TemperaturePlot",
    "histogram_marks",
]

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
        self.set_silent(left=True, bottom=True)
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
        self.set_silent(left=not histograms, bottom=not histograms)
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
