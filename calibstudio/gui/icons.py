"""Outline icons, tinted in the theme's colours at any size and pixel ratio.

Icons are SVG files of ``resources/icons`` drawn with ``currentColor``; the tint is put into the
text before it is rendered, so every pixel has exactly the token's colour and its own alpha.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer

from calibstudio.gui.resources import resource
from calibstudio.gui.theme import Tokens

STATUS_ICONS = {
    "good": "status-good",
    "warn": "status-warn",
    "bad": "status-bad",
    "info": "status-info",
    "running": "status-running",
    "waiting": "status-waiting",
    "unknown": "status-unknown",
}
"""Shape of each status; the words are the tokens that colour it, where there is one."""


@cache
def _source(name: str) -> str:
    return resource(f"icons/{name}.svg").read_text(encoding="utf-8")


def svg(name: str, color: str, *, stroke: float | None = None) -> bytes:
    """Return the icon's SVG in one colour (``#RRGGBB``), at another stroke width if told."""
    text = _source(name).replace("currentColor", color)
    if stroke is not None:
        text = text.replace('stroke-width="1.75"', f'stroke-width="{stroke:g}"')
    return text.encode()


def icon_pixmap(name: str, color: str, size: int = 20, dpr: float = 1.0) -> QPixmap:
    """Return an icon as a square picture of ``size`` logical pixels."""
    key = f"calibstudio/{name}/{color}/{size}/{dpr:g}"
    pixmap = QPixmap()
    if QPixmapCache.find(key, pixmap):
        return pixmap
    side = max(1, round(size * dpr))
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg(name, color))).render(painter, QRectF(0, 0, side, side))
    painter.end()
    pixmap.setDevicePixelRatio(dpr)
    QPixmapCache.insert(key, pixmap)
    return pixmap


def paint_icon(painter: QPainter, rect: QRect | QRectF, name: str, color: str) -> None:
    """Paint an icon into a rectangle (its shorter side, centred)."""
    box = QRectF(rect)
    size = int(min(box.width(), box.height()))
    device = painter.device()
    dpr = device.devicePixelRatioF() if device is not None else 1.0
    corner = QPointF(box.center().x() - size / 2, box.center().y() - size / 2)
    painter.drawPixmap(
        QPointF(round(corner.x()), round(corner.y())), icon_pixmap(name, color, size, dpr)
    )


class _TintedEngine(QIconEngine):
    """Draws one icon in one colour, and greyed in another, at whatever size is asked for."""

    def __init__(self, name: str, color: str, disabled: str) -> None:
        super().__init__()
        self._name, self._color, self._disabled = name, color, disabled

    def clone(self) -> QIconEngine:
        return _TintedEngine(self._name, self._color, self._disabled)

    def _tint(self, mode: QIcon.Mode) -> str:
        return self._disabled if mode == QIcon.Mode.Disabled else self._color

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        paint_icon(painter, rect, self._name, self._tint(mode))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return icon_pixmap(self._name, self._tint(mode), min(size.width(), size.height()))

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        side = round(min(size.width(), size.height()) / max(scale, 0.01))
        return icon_pixmap(self._name, self._tint(mode), side, scale)


def icon(name: str, tokens: Tokens, color: str = "text2") -> QIcon:
    """Return an icon in a token's colour; make it again when the theme changes."""
    return QIcon(_TintedEngine(name, tokens.hex(color), tokens.disabled))
