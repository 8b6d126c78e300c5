"""What all plots have in common: ground, axes, grid, labels and notes of the theme.

Imports pyqtgraph (0.7 s): import it after the first paint only. Curves and the mouse are
pyqtgraph's; axes numbers, grid, lines with labels, bands and bars are painted here, so that they
look the same in every plot and every theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from math import ceil, floor, isfinite, log10
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from calibstudio.domain.wording import number
from calibstudio.gui.theme import ThemeState, Tokens

LINE_PX = 1.5
DOT_PX = 6.5
FILL = 0.28
CAPTION_PX = 12
TICK_PX = 4
_UPRIGHT_ROOM_PX = 28.0
"""Height for one number of the left axis."""
_LABEL_PX = 22
"""Width that the label of the left axis takes."""
_HALO_PX = 2
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14400, 21600)
_DAY_S = 86400.0
_MONTH_S = 28 * _DAY_S
_MOST_CLOCK_S = 2 * _DAY_S
"""Longer than this the days are told, not the hours."""
_DAY_STEPS = (1, 2, 5, 10, 20)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60)


class AxisKind(Enum):
    """How the numbers of an axis are written."""

    NUMBER = "number"
    DECADES = "decades"
    """Values are decimal logarithms."""
    WHOLE = "whole"
    TIME = "time"
    """Values are seconds since 1970, UTC."""


def nice_step(span: float, n: int) -> float:
    """Return 1, 2, 2.5 or 5 times a power of ten that gives about ``n`` steps in a span."""
    if span <= 0 or not isfinite(span):
        return 1.0
    raw = span / max(1, n)
    power = 10.0 ** floor(log10(raw))
    return float(power * next(m for m in (1.0, 2.0, 2.5, 5.0, 10.0) if raw <= m * power * 1.0001))


def tick_positions(low: float, high: float, n: int, kind: AxisKind) -> tuple[float, list[float]]:
    """Return the step and the places of ticks between two values."""
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return 1.0, []
    if kind is AxisKind.TIME and high - low > _MOST_CLOCK_S:
        return calendar_positions(low, high, n)
    if kind is AxisKind.TIME:
        step = next((float(s) for s in _TIME_STEPS_S if (high - low) / s <= n), 43200.0)
    elif kind is AxisKind.DECADES:
        step = float(max(1, ceil((high - low) / max(1, n))))
    else:
        step = nice_step(high - low, n)
        if kind is AxisKind.WHOLE:
            step = max(1.0, round(step))
    first = ceil(low / step - 1e-9)
    last = floor(high / step + 1e-9)
    return step, [k * step for k in range(first, last + 1)]


def calendar_positions(low: float, high: float, n: int) -> tuple[float, list[float]]:
    """Return the step and the places of ticks over days and months: midnights, first days."""
    for days in _DAY_STEPS:
        step = days * _DAY_S
        if (high - low) / step <= n:
            first = ceil(low / step - 1e-9)
            return step, [k * step for k in range(first, floor(high / step + 1e-9) + 1)]
    months = next((m for m in _MONTH_STEPS if (high - low) / (m * _MONTH_S) <= n), _MONTH_STEPS[-1])
    start, end = datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC)
    places = []
    for k in range(start.year * 12 // months * months, end.year * 12 + 12, months):
        moment = datetime(k // 12, k % 12 + 1, 1, tzinfo=UTC).timestamp()
        if low <= moment <= high:
            places.append(moment)
    return months * _MONTH_S, places


def tick_text(value: float, step: float, kind: AxisKind) -> str:
    """Write the number of a tick."""
    if kind is AxisKind.TIME:
        moment = datetime.fromtimestamp(round(value), UTC)
        if step >= _DAY_S:
            return f"{moment:%Y-%m}" if step >= _MONTH_S else f"{moment:%Y-%m-%d}"
        return f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
    if kind is AxisKind.DECADES:
        exponent = round(value)
        if 0 <= exponent <= 2:
            return str(10**exponent)
        return "10" + str(exponent).translate(_SUPERSCRIPTS)
    if abs(value) >= 1e6 or 0 < abs(step) < 1e-5:
        return f"{value:.3g}".replace("-", "\u2212")
    decimals = max(0, -floor(log10(abs(step)) + 1e-9)) if step else 0
    if round(step * 10**decimals, 6) % 1:  # 2.5: its places are 500.0, 502.5, 505.0
        decimals += 1
    return number(value, decimals)


class _Axis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Numbers written as everywhere in the program; one level of ticks."""

    def __init__(self, side: str, kind: AxisKind) -> None:
        super().__init__(side)
        self.kind = kind
        self.extra: tuple[float, ...] = ()
        """Values that get a number too, where there is room: the first and the last frame."""
        self.silent = False
        """Nothing is plotted: numbers would be of nothing."""
        self.places: list[float] = []
        self.enableAutoSIPrefix(False)
        self.setStyle(
            tickLength=TICK_PX,
            tickTextOffset=5,
            autoExpandTextSpace=False,
            hideOverlappingLabels=False,
        )

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        upright = self.orientation in ("left", "right")
        room = _UPRIGHT_ROOM_PX if upright else 84.0
        if self.kind is AxisKind.WHOLE and not upright:
            room = 48.0  # numbers of frames are short: a few frames have each its own
        if self.kind is AxisKind.TIME:
            room = 64.0 if high - low <= _MOST_CLOCK_S else 100.0
        step, places = tick_positions(low, high, max(2, int(size / room)), self.kind)
        if self.extra:
            near = 0.5 * step
            kept = [v for v in self.extra if low <= v <= high]
            places = sorted([p for p in places if all(abs(p - v) > near for v in kept)] + kept)
        self.places = places
        return [(step, places)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.silent:
            return ["" for _ in values]
        return [tick_text(v * scale, spacing, self.kind) for v in values]


class Side(Enum):
    """Where a label stands beside its line."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Mark:
    """A line through the plot with its words: a limit, the bias, the set point."""

    value: float
    text: str = ""
    token: str = "text2"
    dash: tuple[float, float] = (6.0, 4.0)
    side: Side = Side.RIGHT


@dataclass(frozen=True, slots=True)
class Band:
    """Values that are allowed: a tinted band with dashed edges and the limits in words."""

    low: float
    high: float
    text: str = ""
    token: str = "band"


class Plot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A themed plot. Subclasses add curves and say in `restyle` how a theme colours them."""

    def __init__(
        self,
        theme: ThemeState,
        *,
        name: str,
        x: AxisKind = AxisKind.NUMBER,
        y: AxisKind = AxisKind.NUMBER,
        left_px: int = 62,
        bottom_px: int = 40,
        parent: QWidget | None = None,
    ) -> None:
        self._axes = {"left": _Axis("left", y), "bottom": _Axis("bottom", x)}
        # Qt may ask for a paint while pyqtgraph is still building, or after it was closed.
        self._box: Any = None
        super().__init__(parent=parent, axisItems=dict(self._axes), background=None)
        self._theme = theme
        self._labels = {"left": "", "bottom": "", "right": ""}
        self._label_tokens = {"left": "axis", "bottom": "axis", "right": "series2"}
        self._v_marks: tuple[Mark, ...] = ()
        self._h_marks: tuple[Mark, ...] = ()
        self._bands: tuple[Band, ...] = ()
        self._word_pictures: dict[tuple[str, str, float], QPixmap] = {}
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(self.Shape.NoFrame)
        # The grid moves with the axes: a cached ground would show that of another range.
        self.setCacheMode(self.CacheModeFlag.CacheNone)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setMinimumSize(80, 60)
        item = self.getPlotItem()
        self._box = item.getViewBox()
        item.layout.setContentsMargins(0, 8, 12, 0)
        self._box.setDefaultPadding(0.0)
        self._left_px = left_px
        self._axes["left"].setWidth(left_px)
        self._axes["bottom"].setHeight(bottom_px)
        theme.changed.connect(self._on_theme_changed)
        self.apply_theme()

    @property
    def view_box(self) -> Any:
        """pyqtgraph's view box: ranges in the plot's units."""
        return self._box

    def set_silent(self, *, left: bool, bottom: bool) -> None:
        """Write no numbers at an axis along which nothing is plotted."""
        for side, silent in (("left", left), ("bottom", bottom)):
            if self._axes[side].silent != silent:
                self._axes[side].silent = silent
                self._axes[side].picture = None
                self._axes[side].update()

    def set_label(self, side: str, text: str, token: str = "axis") -> None:
        """Name an axis, with its unit in brackets: ``Level [ADU]``."""
        if (text, token) != (self._labels[side], self._label_tokens[side]):
            self._labels[side], self._label_tokens[side] = text, token
            self.viewport().update()

    def set_margins(self, *, right: int = 12, top: int = 8) -> None:
        """Leave so much free beside the axes."""
        self.getPlotItem().layout.setContentsMargins(0, top, right, 0)

    def set_bottom(self, px: int) -> None:
        """Leave so much below for the numbers and the label of the bottom axis."""
        self._axes["bottom"].setHeight(px)

    def fit_left(self) -> None:
        """Make room for the numbers of the left axis beside its label."""
        axis = self._axes["left"]
        low, high = self.view_box.viewRange()[1]
        n = max(2, int(self.area().height() / _UPRIGHT_ROOM_PX))
        step, places = tick_positions(low, high, n, axis.kind)
        metrics = QFontMetricsF(self._theme.font(CAPTION_PX))
        widest = max(
            (metrics.horizontalAdvance(tick_text(v, step, axis.kind)) for v in places), default=0.0
        )
        axis.setWidth(max(self._left_px, ceil(widest) + _LABEL_PX + TICK_PX + 5))

    def set_v_marks(self, marks: Sequence[Mark]) -> None:
        """Draw these upright lines and no others."""
        self._v_marks = tuple(marks)
        self.viewport().update()

    def set_h_marks(self, marks: Sequence[Mark]) -> None:
        """Draw these level lines and no others."""
        self._h_marks = tuple(marks)
        self.viewport().update()

    def set_bands(self, bands: Sequence[Band]) -> None:
        """Draw these bands and no others."""
        self._bands = tuple(bands)
        self.viewport().update()

    def pen(self, token: str, width: float = LINE_PX, dash: Sequence[float] = ()) -> QPen:
        """Return a pen in a token's colour; ``dash`` in pixels."""
        pen = QPen(self._theme.color(token), width)
        pen.setCosmetic(True)
        if dash:
            pen.setDashPattern([d / width for d in dash])
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        return pen

    def fill(self, token: str, alpha: float = FILL) -> QColor:
        """Return the colour under a curve."""
        color = self._theme.color(token)
        color.setAlphaF(alpha)
        return color

    def restyle(self, tokens: Tokens) -> None:
        """Override: colour the curves for these tokens."""

    def apply_theme(self) -> None:
        """Colour everything for the theme that is shown."""
        tokens = self._theme.tokens
        self._word_pictures.clear()
        self.setBackground(QColor(tokens.plot))
        font = self._theme.font(CAPTION_PX)
        for axis in self._axes.values():
            axis.setTickFont(font)
            axis.setPen(QPen(QColor(tokens.axis), 1))
            axis.setTextPen(QPen(QColor(tokens.axis), 1))
        self.restyle(tokens)
        self.viewport().update()

    def area(self) -> QRectF:
        """The rectangle inside the axes, in pixels of the widget."""
        box = None if self._box is None else self._box.mapRectToDevice(self._box.rect())
        return QRectF() if box is None else QRectF(box)

    def x_px(self, value: float) -> float:
        """Where a value of the bottom axis is, in pixels of the widget."""
        (low, high), area = self.view_box.viewRange()[0], self.area()
        return float(area.left() + (value - low) / ((high - low) or 1.0) * area.width())

    def y_px(self, value: float) -> float:
        """Where a value of the left axis is."""
        (low, high), area = self.view_box.viewRange()[1], self.area()
        return float(area.bottom() - (value - low) / ((high - low) or 1.0) * area.height())

    def drawBackground(self, painter: QPainter, rect: QRectF) -> None:
        super().drawBackground(painter, rect)
        if self._box is None:
            return
        painter.save()
        painter.resetTransform()
        self._paint_grid(painter, self.area())
        for band in self._bands:
            self._paint_band(painter, band, self.area())
        painter.restore()

    def drawForeground(self, painter: QPainter, rect: QRectF) -> None:
        super().drawForeground(painter, rect)
        if self._box is None:
            return
        painter.save()
        painter.resetTransform()
        area = self.area()
        painter.setFont(self._theme.font(CAPTION_PX))
        for mark in self._h_marks:
            self._paint_h_mark(painter, mark, area)
        covered: list[QRectF] = []
        for mark in self._v_marks:
            self._paint_v_mark(painter, mark, area, covered)
        for band in self._bands:
            if band.text:
                y = max(self.y_px(band.high) - 6, area.top() + 12)
                self.paint_words(painter, area.left() + 8, y, band.text, "text2")
        self.paint_notes(painter, area)
        self._paint_labels(painter, area)
        painter.restore()

    def paint_notes(self, painter: QPainter, area: QRectF) -> None:
        """Override: paint over the curves, in pixels of the widget."""

    def paint_words(
        self, painter: QPainter, x: float, y: float, text: str, token: str, *, right: bool = False
    ) -> QRectF:
        """Paint words on the plot's ground; ``y`` is their base line. Returns what they cover."""
        picture = self._words(text, token)
        width = picture.width() / picture.devicePixelRatio() - 2 * _HALO_PX
        x = x - width if right else x
        painter.drawPixmap(QPointF(round(x) - _HALO_PX, round(y) - 12 - _HALO_PX), picture)
        return QRectF(x, y - 12, width, 16)

    def _words(self, text: str, token: str) -> QPixmap:
        """Return words with a halo of the ground; kept, since to outline them takes long."""
        key = (text, token, self.devicePixelRatioF())
        found = self._word_pictures.get(key)
        if found is not None:
            return found
        font = self._theme.font(CAPTION_PX)
        width = ceil(QFontMetricsF(font).horizontalAdvance(text)) + 2 * _HALO_PX
        height = 16 + 2 * _HALO_PX
        picture = QPixmap(ceil(width * key[2]), ceil(height * key[2]))
        picture.setDevicePixelRatio(key[2])
        picture.fill(Qt.GlobalColor.transparent)
        base = QPointF(_HALO_PX, 12 + _HALO_PX)
        path = QPainterPath()
        path.addText(base, font, text)
        halo = QPen(self._theme.color("plot"), 2 * _HALO_PX)
        halo.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.strokePath(path, halo)
        painter.setFont(font)
        painter.setPen(self._theme.color(token))
        painter.drawText(base, text)
        painter.end()
        if len(self._word_pictures) > 32:
            self._word_pictures.clear()
        self._word_pictures[key] = picture
        return picture

    def _paint_grid(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(self._theme.color("grid"), 1))
        for value in self._axes["bottom"].places:
            x = floor(self.x_px(value)) + 0.5
            if area.left() < x < area.right():
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        for value in self._axes["left"].places:
            y = floor(self.y_px(value)) + 0.5
            if area.top() < y < area.bottom():
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))

    def _paint_band(self, painter: QPainter, band: Band, area: QRectF) -> None:
        top = max(self.y_px(band.high), area.top())
        bottom = min(self.y_px(band.low), area.bottom())
        if bottom <= top:
            return
        color = self._theme.color(band.token)
        night = self._theme.tokens.is_night
        tint = QColor(color)
        tint.setAlphaF(0.2 if night else 0.13)
        painter.fillRect(QRectF(area.left(), top, area.width(), bottom - top), tint)
        pen = self.pen(band.token, 1.0, (4, 4))
        painter.setPen(pen)
        for value in (band.low, band.high):
            y = floor(self.y_px(value)) + 0.5
            if area.top() <= y <= area.bottom():
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))

    def _paint_h_mark(self, painter: QPainter, mark: Mark, area: QRectF) -> None:
        y = floor(self.y_px(mark.value)) + 0.5
        if not area.top() <= y <= area.bottom():
            return
        painter.setPen(self.pen(mark.token, 1.0, mark.dash))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if mark.text:
            base = y - 5 if y - area.top() > 20 else y + 14
            if mark.side is Side.RIGHT:
                self.paint_words(painter, area.right() - 4, base, mark.text, mark.token, right=True)
            else:
                self.paint_words(painter, area.left() + 6, base, mark.text, mark.token)

    def _paint_v_mark(
        self, painter: QPainter, mark: Mark, area: QRectF, covered: list[QRectF]
    ) -> None:
        """An upright line; its words go a row lower where others are already."""
        x = floor(self.x_px(mark.value)) + 0.5
        if not area.left() <= x <= area.right():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(self.pen(mark.token, 1.0, mark.dash))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        if not mark.text:
            return
        width = QFontMetricsF(self._theme.font(CAPTION_PX)).horizontalAdvance(mark.text)
        left = mark.side is Side.LEFT or x + width + 8 > area.right()
        if left and x - width - 8 < area.left():
            left = False
        box = QRectF(x - 5 - width if left else x + 5, area.top() + 24, width, 16)
        while any(box.intersects(other) for other in covered) and box.bottom() < area.bottom():
            box.translate(0, 17)
        covered.append(box)
        self.paint_words(painter, box.left(), box.top() + 12, mark.text, mark.token)

    def _paint_labels(self, painter: QPainter, area: QRectF) -> None:
        painter.setFont(self._theme.font(CAPTION_PX))
        box = QRectF(area.left(), self.height() - 17, area.width(), 16)
        painter.setPen(self._theme.color(self._label_tokens["bottom"]))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self._labels["bottom"])
        for side, x in (("left", 9.0), ("right", self.width() - 9.0)):
            if not self._labels[side]:
                continue
            painter.save()
            painter.setPen(self._theme.color(self._label_tokens[side]))
            painter.translate(x, area.center().y())
            painter.rotate(-90)
            box = QRectF(-area.height() / 2 - 20, -8, area.height() + 40, 16)
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextDontClip)
            painter.drawText(box, flags, self._labels[side])
            painter.restore()

    def event(self, event: QEvent) -> bool:
        # The wheel belongs to what is around the plot, unless the plot zooms.
        is_wheel = event.type() == QEvent.Type.Wheel and self._box is not None
        if is_wheel and not any(self._box.state["mouseEnabled"]):
            event.ignore()
            return False
        return bool(super().event(event))

    @Slot(object)
    def _on_theme_changed(self, _tokens: Tokens) -> None:
        self.apply_theme()


def padded_range(
    values: Sequence[float] | Any, *, part: float = 0.08, least: float = 0.0
) -> tuple[float, float]:
    """Return a range around values with a margin, at least so wide; 0 to 1 when there is none."""
    finite = [float(v) for v in values if v is not None and isfinite(v)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    margin = max(part * (high - low), (least - (high - low)) / 2, 1e-9 * max(1.0, abs(high)))
    return low - margin, high + margin
