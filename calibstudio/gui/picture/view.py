"""The picture view: a canvas with the mouse, the keys and the tools over it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from calibstudio.domain.equipment import Region
from calibstudio.gui.picture.canvas import PictureCanvas
from calibstudio.gui.picture.geometry import ZOOM_STEP, Viewport
from calibstudio.gui.picture.rendering import overlay_tokens
from calibstudio.gui.picture.tools import (
    GRAB_PX,
    TOUCH_GRAB_PX,
    Line,
    LineGrip,
    RegionGrip,
    default_line,
    default_region,
    dragged_line,
    dragged_region,
    line_grip,
    paint_crosshair,
    paint_line,
    paint_region,
    region_cursor,
    region_grip,
)
from calibstudio.gui.theme import ThemeState
from calibstudio.imaging.display_numbers import clip_region

PAN_PX = 64
"""How far an arrow key moves the picture."""


@dataclass(frozen=True, slots=True)
class PixelValue:
    """What is under the cursor."""

    x: int
    y: int
    """Column and row, 0-based, row 0 at the top of the frame as read out."""
    value: float
    """In the picture's unit; NaN where the pixel has none."""


@dataclass(slots=True)
class _Drag:
    """A drag under way: what is held, and where it began."""

    at: tuple[float, float]
    grip: RegionGrip | LineGrip | None
    start: Region | Line | Viewport
    moved: bool = False


class PictureView(PictureCanvas):
    """A picture that can be worked with: pan, zoom, values, crosshair, region, profile line.

    Signals
    -------
    cursor_moved(PixelValue | None)
        The pixel under the cursor; None beside the picture.
    region_changed(Region | None)
        The region was dragged, shown or hidden; also during the drag.
    line_changed(Line | None)
        The same for the profile line.
    """

    cursor_moved = Signal(object)
    region_changed = Signal(object)
    line_changed = Signal(object)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._region: Region | None = None
        self._line: Line | None = None
        self._show_region = self._show_line = self._show_crosshair = False
        self._drag: _Drag | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.grabGesture(Qt.GestureType.PinchGesture)
        self.setCursor(Qt.CursorShape.CrossCursor)

    # Tools

    @property
    def shows_crosshair(self) -> bool:
        """Whether the centre of the frame is marked."""
        return self._show_crosshair

    @property
    def shows_region(self) -> bool:
        """Whether the region is switched on, with or without a picture."""
        return self._show_region

    @property
    def shows_line(self) -> bool:
        """Whether the profile line is switched on."""
        return self._show_line

    @property
    def region(self) -> Region | None:
        """The region, where it is shown."""
        return self._region if self._show_region else None

    @property
    def line(self) -> Line | None:
        """The profile line, where it is shown."""
        return self._line if self._show_line else None

    def show_crosshair(self, on: bool) -> None:
        """Mark the centre of the frame."""
        if on != self._show_crosshair:
            self._show_crosshair = on
            self.update()
            self.tools_changed.emit()

    def show_region(self, on: bool, region: Region | None = None) -> None:
        """Show a region that can be dragged; the former one, or one at the centre."""
        if region is not None:
            self._region = region
        if on and self._region is None and self._pyramid is not None:
            self._region = default_region(self._pyramid.shape)
        changed = on != self._show_region or region is not None
        self._show_region = on
        if changed:
            self.update()
            self.region_changed.emit(self.region)
            self.tools_changed.emit()

    def show_line(self, on: bool, line: Line | None = None) -> None:
        """Show a profile line that can be dragged."""
        if line is not None:
            self._line = line
        if on and self._line is None and self._pyramid is not None:
            self._line = default_line(self._pyramid.shape)
        changed = on != self._show_line or line is not None
        self._show_line = on
        if changed:
            self.update()
            self.line_changed.emit(self.line)
            self.tools_changed.emit()

    def value_at(self, px: float, py: float) -> PixelValue | None:
        """The picture's pixel under a pixel of the widget (its middle counts)."""
        if self._pyramid is None or self._viewport is None:
            return None
        middle = 0.5 / self.devicePixelRatioF()
        pixel = self._viewport.pixel_at(px + middle, py + middle)
        if pixel is None:
            return None
        value = self._pyramid.value(*pixel)
        return None if value is None else PixelValue(*pixel, value)

    def paint_over(self, painter: QPainter, viewport: Viewport) -> None:
        tokens = overlay_tokens(self._theme.tokens)
        if self._show_crosshair:
            paint_crosshair(painter, viewport, tokens)
        if self._show_region and self._region is not None:
            paint_region(painter, self._region, viewport, tokens)
        if self._show_line and self._line is not None:
            paint_line(painter, self._line, viewport, tokens)

    def view_moved(self) -> None:
        self.cursor_moved.emit(None if self._cursor is None else self.value_at(*self._cursor))

    def size_changed(self, shape: tuple[int, int]) -> None:
        """Keep the tools on the picture."""
        if self._region is not None:
            self._region = clip_region(self._region, shape)
        elif self._show_region:
            self._region = default_region(shape)
        if self._line is not None or self._show_line:
            self._line = default_line(shape)
        if self._show_region:
            self.region_changed.emit(self.region)
        if self._show_line:
            self.line_changed.emit(self.line)

    # Mouse, fingers and keys

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QGestureEvent) and event.type() == QEvent.Type.Gesture:
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            if isinstance(pinch, QPinchGesture):
                at = self.mapFromGlobal(pinch.centerPoint())
                self.zoom_to(self.scale * pinch.scaleFactor(), (at.x(), at.y()))
                return True
        return super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120.0
        if self._viewport is None or steps == 0:
            event.ignore()
            return
        at = event.position()
        self._cursor = (at.x(), at.y())
        self.zoom_to(self.scale * ZOOM_STEP**steps, self._cursor)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        pan = event.button() == Qt.MouseButton.MiddleButton
        if self._viewport is None or not (pan or event.button() == Qt.MouseButton.LeftButton):
            super().mousePressEvent(event)
            return
        at = (event.position().x(), event.position().y())
        start: Region | Line | Viewport
        held = None if pan else self._held_at(*at)
        if isinstance(held, LineGrip) and self._line is not None:
            start = self._line
        elif isinstance(held, RegionGrip) and self._region is not None:
            start = self._region
        else:
            start, held = self._viewport, None
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self._drag = _Drag(at, held, start)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._cursor = (event.position().x(), event.position().y())
        if self._drag is not None:
            self._drag_to(*self._cursor)
        else:
            self._show_pointer()
        self.view_moved()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        self._show_pointer()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Twice on the picture: all of it, or one to one where that was pressed."""
        if event.button() != Qt.MouseButton.LeftButton or self._viewport is None:
            return
        self._cursor = (event.position().x(), event.position().y())
        if self._zoom_mode:
            self.one_to_one()
        else:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        self._cursor = None
        self.view_moved()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        pan = {
            Qt.Key.Key_Left: (PAN_PX, 0),
            Qt.Key.Key_Right: (-PAN_PX, 0),
            Qt.Key.Key_Up: (0, PAN_PX),
            Qt.Key.Key_Down: (0, -PAN_PX),
        }.get(Qt.Key(event.key()))
        if pan is None or self._viewport is None:
            super().keyPressEvent(event)
            return
        self._zoom_mode = ""
        self._set_viewport(self._viewport.panned(*pan))

    def _held_at(self, px: float, py: float) -> RegionGrip | LineGrip | None:
        if self._viewport is None:
            return None
        grab = TOUCH_GRAB_PX if self._theme.sizes.touch else GRAB_PX
        if self._show_line and self._line is not None:
            held = line_grip(self._line, self._viewport, px, py, grab)
            if held is not None:
                return held
        if self._show_region and self._region is not None:
            return region_grip(self._region, self._viewport, px, py, grab)
        return None

    def _drag_to(self, px: float, py: float) -> None:
        drag, viewport = self._drag, self._viewport
        if drag is None or viewport is None or self._pyramid is None:
            return
        drag.moved = True
        if isinstance(drag.start, Viewport):
            if drag.start.shape == viewport.shape and drag.start.scale == viewport.scale:
                dx, dy = px - drag.at[0], py - drag.at[1]
                self._zoom_mode = "" if self._zoom_mode == "fit" else self._zoom_mode
                self._set_viewport(drag.start.panned(dx, dy))
            return
        ax, ay = viewport.from_screen(*drag.at)
        bx, by = viewport.from_screen(px, py)
        shape = self._pyramid.shape
        if isinstance(drag.grip, RegionGrip) and isinstance(drag.start, Region):
            region = dragged_region(drag.start, drag.grip, bx - ax, by - ay, shape)
            if region != self._region:
                self._region = region
                self.region_changed.emit(region)
        elif isinstance(drag.grip, LineGrip) and isinstance(drag.start, Line):
            self._line = dragged_line(drag.start, drag.grip, bx - ax, by - ay, shape)
            self.line_changed.emit(self._line)
        self.update()

    def _show_pointer(self) -> None:
        if self._cursor is None or self._viewport is None:
            return
        held = self._held_at(*self._cursor)
        if isinstance(held, LineGrip):
            self.setCursor(Qt.CursorShape.SizeAllCursor)
        else:
            self.setCursor(region_cursor(held, self._viewport))
