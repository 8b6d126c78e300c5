"""What lies over a picture and can be dragged: the region and the profile line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from calibstudio.domain.equipment import Region
from calibstudio.gui.picture.geometry import Viewport
from calibstudio.gui.theme import Tokens

HANDLE_PX = 8
GRAB_PX = 9
"""How far from a handle or an edge a press still takes it."""
TOUCH_GRAB_PX = 22
CROSS_GAP_PX = 26
MIN_REGION_PX = 4
"""A region is never smaller than so many pixels of the picture."""


@dataclass(frozen=True, slots=True)
class Line:
    """A profile line in picture coordinates."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class RegionGrip:
    """What of a region is held: -1, 0 or 1 for each axis; (0, 0) is all of it."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class LineGrip:
    """What of a line is held: an end (0 or 1), or all of it (None)."""

    end: int | None


def default_region(shape: tuple[int, int]) -> Region:
    """A region at the centre, a sixth of the width, four by three, in whole steps of 32."""
    ny, nx = shape
    width = max(MIN_REGION_PX, min(nx, round(nx / 6 / 32) * 32 or nx // 2))
    height = max(MIN_REGION_PX, min(ny, width * 3 // 4))
    return Region((nx - width) // 2, (ny - height) // 2, width, height)


def default_line(shape: tuple[int, int]) -> Line:
    """A line across the middle half of the picture."""
    ny, nx = shape
    return Line(nx * 0.25, ny / 2, nx * 0.75, ny / 2)


def region_grip(
    region: Region, viewport: Viewport, px: float, py: float, grab: float
) -> RegionGrip | None:
    """What a press at a screen point takes of a region."""
    box = viewport.picture_box(
        region.x, region.y, region.x + region.width, region.y + region.height
    )
    if not (
        box.left - grab <= px <= box.right + grab and box.top - grab <= py <= box.bottom + grab
    ):
        return None
    # Small regions can still be moved: at least their middle third is no edge.
    reach_x, reach_y = min(grab, box.width / 3), min(grab, box.height / 3)
    side_x = -1 if px < box.left + reach_x else 1 if px > box.right - reach_x else 0
    side_y = -1 if py < box.top + reach_y else 1 if py > box.bottom - reach_y else 0
    return _grip_of_picture(side_x, side_y, viewport)


def _grip_of_picture(side_x: int, side_y: int, viewport: Viewport) -> RegionGrip:
    """Turn "the left edge as seen" into an edge of the picture."""
    cx, cy = viewport.width / 2, viewport.height / 2
    ax, ay = viewport.from_screen(cx, cy)
    bx, by = viewport.from_screen(cx + side_x * 10, cy + side_y * 10)
    return RegionGrip(_sign(bx - ax), _sign(by - ay))


def _sign(value: float) -> int:
    return 0 if abs(value) < 1e-9 else 1 if value > 0 else -1


def region_cursor(grip: RegionGrip | None, viewport: Viewport) -> Qt.CursorShape:
    """The pointer that says what a press would do."""
    if grip is None:
        return Qt.CursorShape.CrossCursor
    if grip == RegionGrip(0, 0):
        return Qt.CursorShape.SizeAllCursor
    ax, ay = viewport.to_screen(0, 0)
    bx, by = viewport.to_screen(grip.x, grip.y)
    dx, dy = _sign(bx - ax), _sign(by - ay)
    if dx == 0:
        return Qt.CursorShape.SizeVerCursor
    if dy == 0:
        return Qt.CursorShape.SizeHorCursor
    return Qt.CursorShape.SizeFDiagCursor if dx == dy else Qt.CursorShape.SizeBDiagCursor


def dragged_region(
    region: Region, grip: RegionGrip, dx: float, dy: float, shape: tuple[int, int]
) -> Region:
    """Return the region after a drag by picture pixels; it stays on the picture."""
    ny, nx = shape
    x, width = _dragged_axis(region.x, region.width, grip.x, round(dx), nx, grip)
    y, height = _dragged_axis(region.y, region.height, grip.y, round(dy), ny, grip)
    return Region(x, y, width, height)


def _dragged_axis(
    start: int, length: int, side: int, delta: int, limit: int, grip: RegionGrip
) -> tuple[int, int]:
    if grip == RegionGrip(0, 0):
        return min(max(start + delta, 0), limit - length), length
    end = start + length
    least = min(MIN_REGION_PX, limit)
    if side < 0:
        start = min(max(start + delta, 0), end - least)
    elif side > 0:
        end = max(min(end + delta, limit), start + least)
    return start, end - start


def line_grip(line: Line, viewport: Viewport, px: float, py: float, grab: float) -> LineGrip | None:
    """What a press at a screen point takes of a line."""
    ends = [viewport.to_screen(line.x0, line.y0), viewport.to_screen(line.x1, line.y1)]
    for k, (x, y) in enumerate(ends):
        if hypot(px - x, py - y) <= grab:
            return LineGrip(k)
    (ax, ay), (bx, by) = ends
    length = hypot(bx - ax, by - ay)
    if length < 1:
        return None
    along = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length
    across = abs((px - ax) * (by - ay) - (py - ay) * (bx - ax)) / length
    return LineGrip(None) if 0 <= along <= length and across <= grab else None


def dragged_line(line: Line, grip: LineGrip, dx: float, dy: float, shape: tuple[int, int]) -> Line:
    """Return the line after a drag by picture pixels; its ends stay on the picture."""
    ny, nx = shape
    if grip.end == 0:
        return replace(line, x0=_within(line.x0 + dx, nx), y0=_within(line.y0 + dy, ny))
    if grip.end == 1:
        return replace(line, x1=_within(line.x1 + dx, nx), y1=_within(line.y1 + dy, ny))
    dx = min(max(dx, -min(line.x0, line.x1)), nx - max(line.x0, line.x1))
    dy = min(max(dy, -min(line.y0, line.y1)), ny - max(line.y0, line.y1))
    return Line(line.x0 + dx, line.y0 + dy, line.x1 + dx, line.y1 + dy)


def _within(value: float, limit: int) -> float:
    return min(max(value, 0.0), float(limit))


def paint_crosshair(painter: QPainter, viewport: Viewport, tokens: Tokens) -> None:
    """A line each way through the centre of the frame, open in the middle."""
    ny, nx = viewport.shape
    x, y = viewport.to_screen(nx / 2, ny / 2)
    color = QColor(tokens.accent)
    color.setAlphaF(0.55)
    painter.setPen(QPen(color, 1))
    cx, cy, gap = round(x) + 0.5, round(y) + 0.5, CROSS_GAP_PX
    width, height = viewport.width, viewport.height
    for a, b in (
        ((cx, 0), (cx, cy - gap)),
        ((cx, cy + gap), (cx, height)),
        ((0, cy), (cx - gap, cy)),
        ((cx + gap, cy), (width, cy)),
    ):
        painter.drawLine(QPointF(*a), QPointF(*b))


def paint_region(painter: QPainter, region: Region, viewport: Viewport, tokens: Tokens) -> None:
    """The region's edge with a square handle at each corner."""
    box = viewport.picture_box(
        region.x, region.y, region.x + region.width, region.y + region.height
    )
    painter.setPen(QPen(QColor(tokens.accent), 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(box.left, box.top, box.width, box.height))
    for x in (box.left, box.right):
        for y in (box.top, box.bottom):
            _handle(painter, x, y, tokens)


def paint_line(painter: QPainter, line: Line, viewport: Viewport, tokens: Tokens) -> None:
    """The profile line, with a handle at each end."""
    a, b = viewport.to_screen(line.x0, line.y0), viewport.to_screen(line.x1, line.y1)
    painter.setPen(QPen(QColor(tokens.series2), 1.5))
    painter.drawLine(QPointF(*a), QPointF(*b))
    for x, y in (a, b):
        _handle(painter, x, y, tokens, tokens.series2)


def _handle(painter: QPainter, x: float, y: float, tokens: Tokens, color: str = "") -> None:
    painter.setPen(QPen(QColor(color or tokens.accent), 1.5))
    painter.setBrush(QColor(tokens.panel))
    painter.drawRect(QRectF(x - HANDLE_PX / 2, y - HANDLE_PX / 2, HANDLE_PX, HANDLE_PX))
    painter.setBrush(Qt.BrushStyle.NoBrush)
