"""The camera's range with the bias, the accepted band and the limit drawn on it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from calibstudio.domain.wording import EN_DASH, number
from calibstudio.gui.theme import ThemeState

GUARD = 0.9
"""The brightest pixels stay below this part of saturation."""
GAP = 10.0


class LevelBar(QWidget):
    """A bar from 0 to the converter's end: bias, band with target, and where it ends."""

    def __init__(self, theme: ThemeState, max_adu: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._top = theme, float(max_adu)
        self._limit = GUARD * self._top
        self._band: tuple[float, float, float] | None = None
        self._bias: float | None = None
        self.setFixedHeight(64)
        self.setMinimumWidth(220)
        self.setAccessibleName("Target level on the camera's range")
        theme.changed.connect(self._on_theme_changed)

    def show_target(
        self,
        band: tuple[float, float, float] | None,
        *,
        saturation_adu: float,
        bias_adu: float | None,
    ) -> None:
        """Show (lowest, target, highest) in ADU; None for a target that is not in ADU yet."""
        self._band, self._bias = band, bias_adu
        self._limit = GUARD * saturation_adu
        if band is not None:
            low, target, high = (number(v) for v in band)
            self.setAccessibleDescription(f"{low} to {high} ADU around {target}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setFont(self._theme.font(12))
        box = QRectF(1, 22, self.width() - 2, 18)
        painter.fillRect(box, QColor(t.ctl_hover))
        limit = self._paint_limit(painter, box)
        self._paint_bias(painter, box)
        ends = [self._paint_caption(painter, box.left(), "0", "left", box)]
        ends.append(
            self._paint_caption(painter, box.right(), f"{number(self._top)} ADU", "right", box)
        )
        if self._band is not None:
            self._paint_band(painter, box, self._band, limit, ends)

    def _x(self, box: QRectF, adu: float) -> float:
        return box.left() + min(max(adu / self._top, 0.0), 1.0) * box.width()

    def _paint_limit(self, painter: QPainter, box: QRectF) -> QRectF:
        """The part that is too bright; returns what its words cover."""
        t = self._theme.tokens
        x = self._x(box, self._limit)
        over = QRectF(x, box.top(), box.right() - x, box.height())
        if t.is_night:
            painter.fillRect(over, QColor(t.line))
        else:
            painter.fillRect(over, QColor(t.bad_bg))
        painter.setPen(QPen(QColor(t.bad if not t.is_night else t.warn), 1.5))
        painter.drawLine(round(x), 20, round(x), 42)
        text = f"limit {number(self._limit)}"
        width = QFontMetricsF(painter.font()).horizontalAdvance(text)
        left = min(max(x - width / 2, 0.0), self.width() - width - 1)
        words = QRectF(left, 0, width + 1, 18)
        painter.drawText(words, 0, text)
        return words

    def _paint_bias(self, painter: QPainter, box: QRectF) -> None:
        if self._bias is None:
            return
        t = self._theme.tokens
        x = self._x(box, self._bias)
        painter.fillRect(QRectF(box.left(), box.top(), max(x - 1, 2.0), 18), QColor(t.line2))
        painter.setPen(QColor(t.text2))
        words = QRectF(x + 6, box.top(), 120, box.height())
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), f"bias {number(self._bias)}")

    def _paint_caption(
        self, painter: QPainter, x: float, text: str, side: str, box: QRectF
    ) -> QRectF:
        """Words under the bar at one end; returns what they cover."""
        width = QFontMetricsF(painter.font()).horizontalAdvance(text)
        left = x - width if side == "right" else x
        words = QRectF(left, box.bottom() + 4, width + 1, 18)
        painter.setPen(self._theme.color("text3"))
        painter.drawText(words, 0, text)
        return words

    def _paint_band(
        self,
        painter: QPainter,
        box: QRectF,
        band: tuple[float, float, float],
        limit: QRectF,
        ends: list[QRectF],
    ) -> None:
        t = self._theme.tokens
        low, target, high = (self._x(box, v) for v in band)
        painter.fillRect(QRectF(low, box.top(), high - low, box.height()), QColor(t.selection))
        painter.setPen(QPen(QColor(t.accent), 1))
        painter.drawRect(QRectF(low, box.top(), high - low, box.height() - 1))
        painter.setPen(QPen(QColor(t.text), 2))
        painter.drawLine(round(target), 18, round(target), 44)
        metrics = QFontMetricsF(painter.font())
        width = metrics.horizontalAdvance("target")
        left = min(target - width / 2, limit.left() - GAP - width)
        painter.setPen(QColor(t.text))
        painter.drawText(QRectF(max(left, 0.0), 0, width + 1, 18), 0, "target")
        text = f"{number(band[0])}{EN_DASH}{number(band[2])}"
        width = metrics.horizontalAdvance(text)
        words = QRectF((low + high - width) / 2, box.bottom() + 4, width + 1, 18)
        if not any(words.adjusted(-GAP, 0, GAP, 0).intersects(other) for other in ends):
            painter.setPen(QColor(t.text3))
            painter.drawText(words, 0, text)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()
