"""Bad pixels over a picture: each in sight at every zoom, its kind told by shape and colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QImage, QPainter

from calibstudio.domain.defects import WORDS, Defect
from calibstudio.gui.picture.geometry import Viewport
from calibstudio.gui.picture.rendering import overlay_tokens
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.theme import ThemeState, Tokens

WHOLE_PX = 5.0
"""From this size on the screen a bad pixel is filled as it is; below, a mark stands for it."""
_ALL = tuple((dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
SHAPES: Mapping[Defect, tuple[tuple[int, int], ...]] = {
    Defect.HOT: _ALL,
    Defect.DEAD: tuple(p for p in _ALL if 0 in p),
    Defect.COLD: tuple(p for p in _ALL if 0 not in p or p == (0, 0)),
    Defect.UNSTABLE: tuple(p for p in _ALL if p != (0, 0)),
}
"""Marks of 3 x 3 screen pixels: a square, a plus, a cross, a ring."""


def defect_colour(kind: Defect, tokens: Tokens) -> QColor:
    """Return the colour of a kind over a picture; in night the shapes tell more."""
    night = {Defect.DEAD: tokens.text, Defect.UNSTABLE: tokens.text2, Defect.COLD: tokens.text3}
    day = {Defect.DEAD: tokens.text, Defect.UNSTABLE: tokens.warn, Defect.COLD: tokens.accent}
    known = night if tokens.is_night else day
    return QColor(known.get(kind, tokens.accent if tokens.is_night else tokens.bad))


@dataclass(frozen=True, slots=True, eq=False)
class DefectMap:
    """Where the bad pixels of a detector are, and how many of each kind a map has."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    flags: NDArray[np.uint8]
    counts: Mapping[Defect, int]
    """Of all detectors."""
    n_bad: int
    n_pixels: int

    @classmethod
    def of(cls, masks: Sequence[NDArray[Any]]) -> DefectMap:
        """Look for bad pixels in the masks of all detectors; the first is shown."""
        flags = [mask.astype(np.uint8) for mask in masks]
        y, x = np.nonzero(flags[0])
        counts = {
            bit: sum(int(np.count_nonzero(mask & np.uint8(bit))) for mask in flags) for bit in WORDS
        }
        return cls(
            x.astype(np.int32),
            y.astype(np.int32),
            flags[0][y, x],
            counts,
            sum(int(np.count_nonzero(mask)) for mask in flags),
            sum(int(mask.size) for mask in flags),
        )


class MasterPicture(PictureView):
    """The picture of a master; of a bad-pixel map with its pixels marked."""

    def __init__(self, theme: ThemeState) -> None:
        super().__init__(theme)
        self._defects: DefectMap | None = None
        self._made: tuple[object, QImage, NDArray[np.uint32]] | None = None

    def set_defects(self, defects: DefectMap | None) -> None:
        """Mark bad pixels; None: the picture is of something else."""
        if defects is not self._defects:
            self._defects, self._made = defects, None
            self.update()

    @property
    def defects(self) -> DefectMap | None:
        """The bad pixels that are marked."""
        return self._defects

    def paint_over(self, painter: QPainter, viewport: Viewport) -> None:
        """Paint the marks below the tools."""
        if self._defects is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
            self._paint_defects(painter, viewport, self._defects)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        super().paint_over(painter, viewport)

    def _paint_defects(self, painter: QPainter, viewport: Viewport, defects: DefectMap) -> None:
        tokens, dpr = overlay_tokens(self._theme.tokens), self.devicePixelRatioF()
        if viewport.scale * dpr >= WHOLE_PX:
            _paint_whole(painter, viewport, defects, tokens)
            return
        key = (viewport, tokens, dpr)
        if self._made is None or self._made[0] != key:
            pixels = marks(defects, viewport, tokens, dpr)
            rows, columns = pixels.shape
            form = QImage.Format.Format_ARGB32_Premultiplied
            self._made = (key, QImage(pixels.data, columns, rows, 4 * columns, form), pixels)
        image = self._made[1]
        size = QSize(image.width(), image.height()) / dpr
        painter.drawImage(QRectF(QPointF(0, 0), size), image, QRectF(image.rect()))


def marks(defects: DefectMap, viewport: Viewport, tokens: Tokens, dpr: float) -> NDArray[np.uint32]:
    """Return the marks on a transparent ground, 0xAARRGGBB, shape (rows, columns) of the device.

    A pixel with several defects has the mark of the first of `WORDS`.
    """
    columns, rows = max(1, round(viewport.width * dpr)), max(1, round(viewport.height * dpr))
    out = np.zeros((rows, columns), np.uint32)
    px, py = _on_screen(defects, viewport)
    px, py = np.floor(px * dpr).astype(np.int64), np.floor(py * dpr).astype(np.int64)
    near = (px >= -1) & (px <= columns) & (py >= -1) & (py <= rows)
    px, py, flags = px[near], py[near], defects.flags[near]
    for kind in reversed(WORDS):
        has = (flags & np.uint8(kind)) != 0
        colour = np.uint32(defect_colour(kind, tokens).rgb() & 0xFFFFFFFF)
        if kind is not Defect.HOT:  # a smaller mark leaves no rest of another around it
            has &= (flags & np.uint8(Defect.HOT)) == 0
        for dx, dy in SHAPES[kind]:
            x, y = px[has] + dx, py[has] + dy
            inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
            out[y[inside], x[inside]] = colour
    return out


def _paint_whole(painter: QPainter, viewport: Viewport, defects: DefectMap, tokens: Tokens) -> None:
    px, py = _on_screen(defects, viewport)
    edge = viewport.scale
    seen = (
        (px > -edge) & (px < viewport.width + edge) & (py > -edge) & (py < viewport.height + edge)
    )
    colours = {kind: defect_colour(kind, tokens) for kind in WORDS}
    places = zip(px[seen].tolist(), py[seen].tolist(), defects.flags[seen].tolist(), strict=True)
    third = edge / 3.0
    for x, y, flags in places:
        kind = next((k for k in WORDS if flags & k), Defect.HOT)
        for dx, dy in SHAPES[kind]:
            left, top = x + (dx - 0.5) * third, y + (dy - 0.5) * third
            painter.fillRect(QRectF(left, top, third, third), colours[kind])


def _on_screen(defects: DefectMap, viewport: Viewport) -> tuple[Any, Any]:
    """Return where the middles of the bad pixels are, in pixels of the widget."""
    x: Any = defects.x + 0.5
    y: Any = defects.y + 0.5
    return viewport.to_screen(x, y)


def paint_mark(painter: QPainter, at: QPoint, kind: Defect, tokens: Tokens, size: int = 9) -> None:
    """Paint the mark of a kind for a legend, ``size`` pixels wide, its upper left corner given."""
    third = size // 3
    colour = defect_colour(kind, tokens)
    for dx, dy in SHAPES[kind]:
        painter.fillRect(at.x() + (dx + 1) * third, at.y() + (dy + 1) * third, third, third, colour)
