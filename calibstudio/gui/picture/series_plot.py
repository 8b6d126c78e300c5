"""A statistic of frame after frame, or of master after master over the months.

Imports pyqtgraph: import it after the first paint only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPainterPath, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from calibstudio.gui.picture.plot_base import (
    CAPTION_PX,
    DOT_PX,
    AxisKind,
    Band,
    Plot,
    padded_range,
    tick_positions,
    tick_text,
)
from calibstudio.gui.theme import ThemeState, Tokens

NEAR_PX = 12.0
"""A click this near to a point is meant for it."""
_KINDS = {"good": ("o", DOT_PX, "series1"), "warn": ("t1", 11.0, "warn"), "bad": ("x", 11.0, "bad")}


@dataclass(frozen=True, slots=True, eq=False)
class SeriesData:
    """One statistic of frames, in order."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    """NaN where it was not measured."""
    kinds: Sequence[str] = field(default=())
    """``good``, ``warn`` or ``bad`` for each; empty: all good."""
    notes: Sequence[str] = field(default=())
    """Words beside a point, in its colour, for each; empty: none."""


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
        self._styled: Tokens | None = None
        """What the points are coloured for; to colour them draws their symbols anew."""
        self._line = pg.PlotCurveItem(antialias=True)
        self._second_line = pg.PlotCurveItem(antialias=True)
        # One item for each kind: points that look alike are drawn much faster.
        self._dots = {
            kind: pg.ScatterPlotItem(pxMode=True, antialias=True, symbol=symbol, size=size)
            for kind, (symbol, size, _) in _KINDS.items()
        }
        self._dots["bad"].setSymbol(_cross())
        super().__init__(theme, name=name, x=x, left_px=64, parent=parent)
        for item in (self._second_line, self._line, *self._dots.values()):
            self.addItem(item)
        self.set_label("bottom", "Frame" if x is AxisKind.WHOLE else "")
        self.set_silent(left=True, bottom=True)

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
        self.set_silent(left=not data.x.size and limits is None, bottom=not data.x.size)
        self.set_label("left", label, "series1" if second is not None else "axis")
        self.set_label("right", second_label if second is not None else "")
        self.set_margins(right=14 if second is None else 66 if second_label else 48)
        self._bands = () if limits is None else (Band(*limits, text=limits_text),)
        self._line.setVisible(joined)
        self._scale(least_span, second_least_span)
        self.restyle(self._theme.tokens)
        self.viewport().update()

    def set_selected(self, index: int | None) -> None:
        """Put a ring around the point of one frame."""
        if index != self._selected:
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
        self.fit_left()
        if self._second is not None:
            self._right_range = padded_range(self._second.y, part=0.35, least=second_least_span)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Qt also asks while the plot is still being made, and while it is closed.
        if self._data.x.size and self.getPlotItem() is not None:
            self.fit_left()

    @property
    def _is_counted(self) -> bool:
        return self._axes["bottom"].kind is AxisKind.WHOLE

    def restyle(self, tokens: Tokens) -> None:
        data = self._data
        kinds = np.array(list(data.kinds) or ["good"] * data.x.size, dtype="U8")
        kinds[~np.isin(kinds, list(_KINDS))] = "good"
        # The line is of what counts: a frame that was replaced stands beside it.
        counts = kinds != "bad"
        self._line.setPen(self.pen("series1"))
        self._line.setData(data.x[counts], data.y[counts], connect="finite")
        known = np.isfinite(data.y)
        for kind, item in self._dots.items():
            if tokens is not self._styled:
                token = _KINDS[kind][2]
                item.setBrush(self._theme.color(token))
                item.setPen(self.pen("bad", 2.2) if kind == "bad" else QPen(Qt.PenStyle.NoPen))
            chosen = known & (kinds == kind)
            item.setData(data.x[chosen], data.y[chosen])
        self._styled = tokens
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
        self._paint_point_notes(painter, area)
        chosen = self._selected
        if chosen is not None and chosen < self._data.x.size and np.isfinite(self._data.y[chosen]):
            x = self.x_px(float(self._data.x[chosen]))
            y = self.y_px(float(self._data.y[chosen]))
            if not area.contains(x, y):  # not measured, or not in sight
                return
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.color("text"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, y), 7.5, 7.5)

    def _paint_point_notes(self, painter: QPainter, area: QRectF) -> None:
        """Words over their points, left out where they would cover others."""
        metrics = QFontMetricsF(self._theme.font(CAPTION_PX))
        covered: list[QRectF] = []
        kinds = list(self._data.kinds) or ["good"] * self._data.x.size
        for i, text in enumerate(self._data.notes):
            if not text or not np.isfinite(self._data.y[i]):
                continue
            width = metrics.horizontalAdvance(text)
            x, y = self.x_px(float(self._data.x[i])), self.y_px(float(self._data.y[i]))
            left = min(max(x - width / 2, area.left() + 4), area.right() - width - 4)
            base = y - 12 if y - 30 > area.top() else y + 22
            box = QRectF(left, base - 12, width, 16)
            if any(box.intersects(other) for other in covered):
                continue
            covered.append(box)
            token = _KINDS.get(kinds[i], _KINDS["good"])[2]
            self.paint_words(painter, left, base, text, token)

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
            text = tick_text(value, step, AxisKind.NUMBER) if self._data.x.size else ""
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
        """The point nearest to the mouse, if it is near."""
        known = np.flatnonzero(np.isfinite(self._data.y))
        if not known.size:
            return None
        (x0, x1), (y0, y1) = self.view_box.viewRange()
        area: Any = self.area()
        x = area.left() + (self._data.x[known] - x0) / ((x1 - x0) or 1.0) * area.width()
        y = area.bottom() - (self._data.y[known] - y0) / ((y1 - y0) or 1.0) * area.height()
        away = np.abs(x - at.x()) + np.abs(y - at.y())
        best = int(np.argmin(away))
        return int(known[best]) if away[best] < NEAR_PX else None
