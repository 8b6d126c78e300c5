"""A picture on the screen: zoomed, panned, turned and stretched, always painted at once.

Painting never waits: what is cached is drawn where it now belongs, scaled if it must be, and the
sharp picture replaces it when the worker has it.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from calibstudio.gui.picture.geometry import ZOOM_STEP, Orientation, Viewport
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.rendering import Patch, RenderRequest, Shown, recoloured, render
from calibstudio.gui.theme import ThemeState, Tokens
from calibstudio.imaging.display import Pyramid, build_pyramid
from calibstudio.imaging.display_stretch import Curve, Stretch, choose_stretch


class PictureCanvas(QWidget):
    """Shows one picture. Give it frames with `set_picture` (a pyramid) or `set_data` (pixels).

    Signals
    -------
    zoom_changed(float)
        Device pixels of the screen for one picture pixel.
    viewport_changed(Viewport)
        Another part is seen, by whatever hand: for views that are kept in step.
    stretch_changed(Stretch)
        Black, white or curve are others now, by hand or because the picture changed.
    tools_changed()
        Orientation, marks or a tool over the picture were switched.
    picture_shown(Pyramid)
        The sharp picture of what was set is on the screen.
    """

    zoom_changed = Signal(float)
    viewport_changed = Signal(object)
    stretch_changed = Signal(object)
    tools_changed = Signal()
    picture_shown = Signal(object)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._pyramid: Pyramid | None = None
        self._viewport: Viewport | None = None
        self._zoom_mode = "width"
        self._stretch = Stretch(Curve.AUTO, 0.0, 65535.0)
        self._by_hand = False
        self._show_clipped = True
        self._shown: Shown | None = None
        self._serial = 0
        self._wanted = 0
        self._cursor: tuple[float, float] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Picture")
        self._renderer = NewestWorker("picture", self)
        self._renderer.done.connect(self._on_rendered)
        self._maker = NewestWorker("pyramid", self)
        self._maker.done.connect(self._on_made)
        theme.changed.connect(self._on_theme_changed)

    # What is shown

    @property
    def pyramid(self) -> Pyramid | None:
        """The picture that is looked at."""
        return self._pyramid

    @property
    def viewport(self) -> Viewport | None:
        """What part of it is seen; None without a picture."""
        return self._viewport

    @property
    def shown(self) -> Shown | None:
        """What the worker made last."""
        return self._shown

    @property
    def is_sharp(self) -> bool:
        """Whether what is on the screen is what was asked for last."""
        return self._shown is not None and self._shown.request.serial == self._serial

    def set_data(self, data: NDArray[Any] | None, *, saturation: float | None = None) -> None:
        """Show pixels of shape (ny, nx); the pyramid is made in a worker."""
        self._wanted += 1
        number = self._wanted
        if data is None:
            self.set_picture(None)
            return
        self._maker.ask(lambda: (number, build_pyramid(data, saturation=saturation)))

    def set_picture(self, pyramid: Pyramid | None) -> None:
        """Show a picture. Zoom and place are kept where the size is the same."""
        former = self._pyramid
        self._pyramid = pyramid
        if pyramid is None:
            self._shown = None
            self._serial += 1
            self._viewport = None
            self.update()
            self.view_moved()
            return
        if former is None or former.shape != pyramid.shape or self._viewport is None:
            self._begin(pyramid)
        if not self._by_hand and pyramid.measured is not None:
            self._take_stretch(choose_stretch(pyramid.measured, self._stretch.curve))
        self._ask()
        self.view_moved()

    def _begin(self, pyramid: Pyramid) -> None:
        """A picture of another size: begin to look at all of it."""
        orientation = self._viewport.orientation if self._viewport is not None else Orientation()
        width, height = max(1, self.width()), max(1, self.height())
        self._viewport = Viewport(pyramid.shape, width, height, orientation).fit()
        self._zoom_mode = self._zoom_mode or "fit"
        self._refit()
        self.zoom_changed.emit(self.scale)  # Also where the first fit is already the right one.
        self.size_changed(pyramid.shape)

    # Stretch

    @property
    def stretch(self) -> Stretch:
        """Black, white and curve."""
        return self._stretch

    @property
    def is_by_hand(self) -> bool:
        """Whether black and white were set by hand and stay for the next pictures."""
        return self._by_hand

    def set_curve(self, curve: Curve) -> None:
        """Choose a curve; black and white follow each picture again."""
        self._by_hand = False
        measured = self._pyramid.measured if self._pyramid is not None else None
        if measured is not None:
            self._take_stretch(choose_stretch(measured, curve))
        else:
            self._take_stretch(Stretch(curve, self._stretch.black, self._stretch.white))
        self._ask()

    def set_limits(self, black: float, white: float) -> None:
        """Set black and white by hand; they stay for the next pictures."""
        self._by_hand = True
        self._take_stretch(self._stretch.with_limits(black, white))
        self._ask()

    def set_stretch(self, stretch: Stretch, *, by_hand: bool = True) -> None:
        """Take another view's stretch, so that two pictures can be compared."""
        self._by_hand = by_hand
        self._take_stretch(stretch)
        self._ask()

    def _take_stretch(self, stretch: Stretch) -> None:
        if stretch != self._stretch:
            self._stretch = stretch
            self.stretch_changed.emit(stretch)

    # Zoom

    @property
    def scale(self) -> float:
        """Screen pixels of the device for one picture pixel."""
        if self._viewport is None:
            return 1.0
        return self._viewport.scale * self.devicePixelRatioF()

    @property
    def zoom_mode(self) -> str:
        """``fit`` or ``width`` while it follows the widget's size, ``1:1``, or empty."""
        if self._zoom_mode:
            return self._zoom_mode
        return "1:1" if abs(self.scale - 1.0) < 1e-6 else ""

    @Slot()
    def fit(self) -> None:
        """Show all of the picture."""
        self._zoom_mode = "fit"
        self._refit()
        self._ask()

    @Slot()
    def fit_width(self) -> None:
        """Fill the width."""
        self._zoom_mode = "width"
        self._refit()
        self._ask()

    @Slot()
    def one_to_one(self) -> None:
        """One screen pixel for each pixel, about the cursor where it is over the picture."""
        self.zoom_to(1.0, self._cursor)

    @Slot()
    def zoom_in(self) -> None:
        """Nearer by a quarter, about the cursor or the centre."""
        self.zoom_to(self.scale * ZOOM_STEP, self._cursor)

    @Slot()
    def zoom_out(self) -> None:
        """Farther by a quarter."""
        self.zoom_to(self.scale / ZOOM_STEP, self._cursor)

    def zoom_to(self, scale: float, at: tuple[float, float] | None = None) -> None:
        """Show so many device pixels for one picture pixel, about a point of the widget."""
        if self._viewport is None:
            return
        self._zoom_mode = ""
        self._set_viewport(self._viewport.zoomed(scale / self.devicePixelRatioF(), at))

    def set_viewport(self, viewport: Viewport) -> None:
        """Show the same part as another view (for comparing); sizes may differ."""
        if self._viewport is None or self._pyramid is None:
            return
        self._zoom_mode = ""
        same = Viewport(
            self._pyramid.shape,
            max(1, self.width()),
            max(1, self.height()),
            viewport.orientation,
            viewport.scale,
            viewport.u,
            viewport.v,
        )
        self._set_viewport(same.panned(0, 0))

    def _refit(self) -> None:
        if self._viewport is None:
            return
        viewport = self._viewport.resized(max(1, self.width()), max(1, self.height()))
        if self._zoom_mode == "fit":
            viewport = viewport.fit()
        elif self._zoom_mode == "width":
            viewport = viewport.fit_width()
        if viewport != self._viewport:
            self._viewport = viewport
            self.zoom_changed.emit(self.scale)
            self.viewport_changed.emit(viewport)

    def _set_viewport(self, viewport: Viewport) -> None:
        if viewport == self._viewport:
            return
        changed = self._viewport is None or viewport.scale != self._viewport.scale
        self._viewport = viewport
        if changed:
            self.zoom_changed.emit(self.scale)
        self.viewport_changed.emit(viewport)
        self._ask()
        self.view_moved()

    # Orientation and marks

    @property
    def orientation(self) -> Orientation:
        """How the picture is turned."""
        return self._viewport.orientation if self._viewport is not None else Orientation()

    @Slot()
    def flip(self) -> None:
        """Mirror left to right."""
        self._orient(self.orientation.flipped())

    @Slot()
    def rotate(self) -> None:
        """Turn a quarter clockwise."""
        self._orient(self.orientation.turned())

    def _orient(self, orientation: Orientation) -> None:
        if self._viewport is None:
            return
        self._viewport = self._viewport.oriented(orientation)
        self._refit()
        self._ask()
        self.tools_changed.emit()

    @property
    def shows_clipped(self) -> bool:
        """Whether saturated and zero pixels are marked."""
        return self._show_clipped

    def show_clipped(self, on: bool) -> None:
        """Mark saturated and zero pixels."""
        if on == self._show_clipped:
            return
        self._show_clipped = on
        self._recolour()
        self.tools_changed.emit()

    def close_down(self) -> None:
        """Stop the workers; nothing is rendered any more."""
        self._maker.close()
        self._renderer.close()

    # For subclasses

    def paint_over(self, painter: QPainter, viewport: Viewport) -> None:
        """Override: paint over the picture."""

    def view_moved(self) -> None:
        """Override: another picture, or another part of it, is under the cursor."""

    def size_changed(self, shape: tuple[int, int]) -> None:
        """Override: the picture has another size now, so places in the former mean nothing."""

    # Rendering

    def _ask(self) -> None:
        """Ask the worker for what should be seen now, and show what there is meanwhile."""
        self.update()
        if self._pyramid is None or self._viewport is None:
            return
        self._serial += 1
        if not self.isVisible():
            return  # rendered when somebody looks
        request = RenderRequest(
            self._serial,
            self._pyramid,
            self._viewport,
            self._stretch,
            self._theme.tokens,
            self._show_clipped,
            self.devicePixelRatioF(),
        )
        before = self._shown
        self._renderer.ask(lambda: render(request, before))

    @Slot(object)
    def _on_rendered(self, shown: Shown) -> None:
        if self._pyramid is None:
            return
        request = shown.request
        if self._shown is not None and request.serial < self._shown.request.serial:
            return
        tokens = self._theme.tokens
        if request.tokens != tokens or request.show_clipped != self._show_clipped:
            shown = recoloured(shown, tokens, show_clipped=self._show_clipped)
        self._shown = shown
        self.update()
        if request.pyramid is self._pyramid:
            self.picture_shown.emit(request.pyramid)

    @Slot(object)
    def _on_made(self, made: tuple[int, Pyramid]) -> None:
        number, pyramid = made
        if number == self._wanted:
            self.set_picture(pyramid)

    def _recolour(self) -> None:
        if self._shown is not None:
            self._shown = recoloured(
                self._shown, self._theme.tokens, show_clipped=self._show_clipped
            )
        self.update()

    @Slot(object)
    def _on_theme_changed(self, _tokens: Tokens) -> None:
        self._recolour()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.color("plot" if self._is_dark else "bg"))
        viewport, shown = self._viewport, self._shown
        if viewport is None:
            return
        if shown is not None and _fits(shown.request.viewport, viewport):
            if shown.request.viewport != viewport:
                self._paint_patch(painter, shown.overview, viewport)
            self._paint_patch(painter, shown.sharp, viewport)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_over(painter, viewport)

    @property
    def _is_dark(self) -> bool:
        return self._theme.name != "light"

    def _paint_patch(self, painter: QPainter, patch: Patch, viewport: Viewport) -> None:
        image: QImage = patch.image
        if image.isNull():
            return
        box = viewport.screen_box(patch.box)
        dpr = self.devicePixelRatioF()
        if (
            abs(box.width * dpr - image.width()) < 0.5
            and abs(box.height * dpr - image.height()) < 1
        ):
            # Pixel for pixel: no scaling, on whole device pixels.
            place = QPointF(round(box.left * dpr) / dpr, round(box.top * dpr) / dpr)
            target = QRectF(place, QSize(image.width(), image.height()) / dpr)
        else:
            target = QRectF(box.left, box.top, box.width, box.height)
        painter.drawImage(target, image, QRectF(image.rect()))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit()
        self._ask()


def _fits(shown: Viewport, now: Viewport) -> bool:
    """Whether what was rendered is of a picture of this size, turned this way."""
    return shown.shape == now.shape and shown.orientation == now.orientation
