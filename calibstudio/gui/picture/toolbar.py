"""The tool row above a picture: stretch, zoom, and what lies over it."""

from __future__ import annotations

from math import isfinite

from PySide6.QtCore import QPoint, QRect, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from calibstudio.domain.wording import MINUS, NARROW, number
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import ButtonKind, IconButton
from calibstudio.gui.widgets.panels import hairline
from calibstudio.gui.widgets.popover import Popover
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import label
from calibstudio.imaging.display_stretch import Curve, Stretch

CURVES = (
    (Curve.AUTO, "Auto"),
    (Curve.LINEAR, "Linear"),
    (Curve.LOG, "Log"),
    (Curve.ASINH, "Asinh"),
)
ZOOMS = (("fit", "Fit"), ("width", "Width"), ("1:1", "1:1"))
LIMIT_WIDTH = 116


class LimitField(QLineEdit):
    """A number with its name inside, at the left: ``Black 1070``. Up and Down step it.

    Signals
    -------
    edited(float)
        The operator changed the number. Setting it by program says nothing.
    """

    edited = Signal(float)

    def __init__(self, theme: ThemeState, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._name = theme, name
        self._value, self._decimals, self._step = 0.0, 0, 1.0
        self.setProperty("compact", "true")
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setFixedWidth(LIMIT_WIDTH)
        self.editingFinished.connect(self._on_finished)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def value(self) -> float:
        """The number."""
        return self._value

    def show_value(self, value: float, span: float) -> None:
        """Show a value with as many decimals as a span of values needs."""
        self._decimals = 0 if span >= 20 else 1 if span >= 5 else 2 if span >= 0.5 else 5
        self._step = max(10.0**-self._decimals, span / 100)
        if self.isModified() and self.hasFocus():
            return
        self._value = value
        self._write()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()))
        if by is None:
            super().keyPressEvent(event)
            return
        self._take(self._value + by * self._step)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setFont(self._theme.font(13))
        painter.setPen(self._theme.color("text3"))
        box = QRect(9, 0, self.width() - 9, self.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), self._name)

    def _write(self) -> None:
        text = number(self._value, self._decimals)
        if text != self.text():
            self.setText(text)
        self.setModified(False)

    def _take(self, value: float) -> None:
        value = round(value, self._decimals)
        changed = value != round(self._value, self._decimals)
        self._value = value
        self._write()
        if changed:
            self.edited.emit(value)

    @Slot()
    def _on_finished(self) -> None:
        if self.isModified():
            self._take(parsed_number(self.text(), self._value))

    @Slot()
    def _on_theme_changed(self) -> None:
        room = QFontMetrics(self._theme.font(13)).horizontalAdvance(self._name)
        self.setTextMargins(room + 4, 0, 0, 0)
        self.update()


def parsed_number(text: str, otherwise: float) -> float:
    """Read a typed number: minus or hyphen, comma or point, spaces between thousands."""
    plain = text.replace(MINUS, "-").replace(",", ".")
    plain = "".join(c for c in plain if not c.isspace())
    try:
        value = float(plain)
    except ValueError:
        return otherwise
    return value if isfinite(value) else otherwise


class PictureToolbar(QFrame):
    """Acts on one `PictureView` and shows how it is set.

    Signals
    -------
    expanded(bool)
        The picture shall have all the room, or not any longer.
    """

    expanded = Signal(bool)

    def __init__(
        self,
        theme: ThemeState,
        view: PictureView,
        *,
        has_line: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._view = theme, view
        self._has_line = has_line
        self._compact = False
        self._popover: _LimitsPopover | None = None
        self.setProperty("ground", "panel")
        self.setProperty("border", "bottom")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Picture tools")
        self._build()
        self._connect()
        self._renew()

    def _build(self) -> None:
        theme = self._theme
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 0, 12, 0)
        self._row.setSpacing(8)
        self.curve = SegmentedControl(theme, CURVES, name="Stretch", value=Curve.AUTO)
        self.black = LimitField(theme, "Black")
        self.white = LimitField(theme, "White")
        self.adjust = IconButton(theme, "adjust", "Black and white by hand")
        self.zoom_out = IconButton(theme, "zoom-out", "Zoom out (−)")
        self.zoom_in = IconButton(theme, "zoom-in", "Zoom in (+)")
        self._zoom_text = label("", "small", tone="text")
        self._zoom_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._zoom_text.setAccessibleName("Zoom")
        self.zoom = SegmentedControl(theme, ZOOMS, name="Zoom", value="width")
        self.crosshair = self._toggle("crosshair", "Crosshair (C)")
        self.clipped = self._toggle("clipped", "Mark saturated and zero pixels (X)")
        self.region = self._toggle("region", "Region for histogram and statistics")
        self.line = self._toggle("line-profile", "Line profile")
        self.flip = IconButton(theme, "flip-vertical", "Flip left to right")
        self.rotate = IconButton(theme, "rotate", "Turn by 90°")
        self.expand = IconButton(
            theme, "full-screen", "Picture alone", kind=ButtonKind.FLAT, checkable=True
        )
        self._caption = label("Stretch", "label")
        self._row.addWidget(self._caption)
        for part in (
            self.curve, self.black, self.white, self.adjust, self._separator(), self.zoom_out,
            self._zoom_text, self.zoom_in, self.zoom, self._separator(), self.crosshair,
            self.clipped, self.region, self.line, self.flip, self.rotate,
        ):  # fmt: skip
            self._row.addWidget(part)
        self._row.addStretch(1)
        self._row.addWidget(self.expand)
        self.line.setVisible(self._has_line)
        self.set_compact(False)

    def _toggle(self, icon: str, tip: str) -> IconButton:
        return IconButton(self._theme, icon, tip, checkable=True)

    @staticmethod
    def _separator() -> QFrame:
        made = hairline(vertical=True)
        made.setFixedHeight(24)
        return made

    def _connect(self) -> None:
        view = self._view
        self.curve.chosen.connect(self._on_curve_chosen)
        self.black.edited.connect(self._on_limits_edited)
        self.white.edited.connect(self._on_limits_edited)
        self.adjust.clicked.connect(self._on_adjust)
        self.zoom_in.clicked.connect(self._on_zoom_in)
        self.zoom_out.clicked.connect(self._on_zoom_out)
        self.zoom.chosen.connect(self._on_zoom_chosen)
        self.crosshair.clicked.connect(view.show_crosshair)
        self.clipped.clicked.connect(view.show_clipped)
        self.region.clicked.connect(self._on_region_clicked)
        self.line.clicked.connect(self._on_line_clicked)
        self.flip.clicked.connect(self._on_flip)
        self.rotate.clicked.connect(self._on_rotate)
        self.expand.toggled.connect(self.expanded)
        view.zoom_changed.connect(self._on_zoom_changed)
        view.stretch_changed.connect(self._on_stretch_changed)
        view.tools_changed.connect(self._renew)
        self._theme.changed.connect(self._on_theme_changed)

    def set_compact(self, compact: bool) -> None:
        """Less room: black and white move behind a button; fingers zoom by pinching."""
        self._compact = compact
        self._on_theme_changed()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Put black and white behind their button where the row has no room for them."""
        fields = (self.black, self.white)
        narrow = self._compact or self._width_of_all() > self.width()
        for field in fields:
            field.setVisible(not narrow)
        self.adjust.setVisible(narrow)

    def _width_of_all(self) -> int:
        """Return what the row takes with black and white in it."""
        items = (self._row.itemAt(i) for i in range(self._row.count()))
        parts = [item.widget() for item in items if item is not None]
        shown = [
            part
            for part in parts
            if part is not None
            and part is not self.adjust
            and (not part.isHidden() or part in (self.black, self.white))
        ]
        margins = self._row.contentsMargins()
        gaps = self._row.spacing() * len(shown) + margins.left() + margins.right()
        return gaps + sum(
            min(max(part.sizeHint().width(), part.minimumWidth()), part.maximumWidth())
            for part in shown
        )

    @Slot()
    def _renew(self) -> None:
        view = self._view
        self.crosshair.setChecked(view.shows_crosshair)
        self.clipped.setChecked(view.shows_clipped)
        self.region.setChecked(view.shows_region)
        self.line.setChecked(view.shows_line)
        self._on_zoom_changed(view.scale)
        self._on_stretch_changed(view.stretch)

    @Slot(object)
    def _on_curve_chosen(self, curve: object) -> None:
        self._view.set_curve(Curve(str(curve)))

    @Slot()
    def _on_limits_edited(self) -> None:
        self._view.set_limits(self.black.value(), self.white.value())

    @Slot()
    def _on_adjust(self) -> None:
        if self._popover is None:
            self._popover = _LimitsPopover(self._theme, self._view, self.window())
        self._popover.toggle_at(self.adjust)

    @Slot()
    def _on_zoom_in(self) -> None:
        self._view.zoom_in()

    @Slot()
    def _on_zoom_out(self) -> None:
        self._view.zoom_out()

    @Slot(object)
    def _on_zoom_chosen(self, mode: object) -> None:
        if mode == "fit":
            self._view.fit()
        elif mode == "width":
            self._view.fit_width()
        else:
            self._view.one_to_one()

    @Slot(bool)
    def _on_region_clicked(self, on: bool) -> None:
        self._view.show_region(on)

    @Slot(bool)
    def _on_line_clicked(self, on: bool) -> None:
        self._view.show_line(on)

    @Slot()
    def _on_flip(self) -> None:
        self._view.flip()

    @Slot()
    def _on_rotate(self) -> None:
        self._view.rotate()

    @Slot(float)
    def _on_zoom_changed(self, scale: float) -> None:
        percent = scale * 100
        decimals = 1 if percent < 100 and percent != round(percent) else 0
        self._zoom_text.setText(f"{number(percent, decimals)}{NARROW}%")
        self.zoom.set_value(self._view.zoom_mode)

    @Slot(object)
    def _on_stretch_changed(self, stretch: Stretch) -> None:
        self.curve.set_value(stretch.curve)
        span = stretch.white - stretch.black
        self.black.show_value(stretch.black, span)
        self.white.show_value(stretch.white, span)

    @Slot()
    def _on_theme_changed(self) -> None:
        sizes = self._theme.sizes
        self.setFixedHeight(sizes.toolbar + 16)
        tight = self._compact and sizes.touch
        for part in (self._caption, self.zoom_in, self.zoom_out):
            part.setVisible(not tight)
        widest = QFontMetrics(self._theme.font(13, 500)).horizontalAdvance(f"88.8{NARROW}%")
        self._zoom_text.setFixedWidth(widest + 8)
        self._fit()


class _LimitsPopover(Popover):
    """Black and white by hand, where the row has no room for them; opens below its button."""

    def __init__(self, theme: ThemeState, view: PictureView, window: QWidget) -> None:
        super().__init__(theme, "Black and white", window, width=2 * LIMIT_WIDTH + 40)
        self._view = view
        row = QHBoxLayout()
        row.setSpacing(8)
        self.black = LimitField(theme, "Black")
        self.white = LimitField(theme, "White")
        for field in (self.black, self.white):
            row.addWidget(field)
            field.edited.connect(self._on_edited)
        self.body.addLayout(row)
        view.stretch_changed.connect(self._on_stretch_changed)
        self._on_stretch_changed(view.stretch)

    def place(self) -> None:
        super().place()
        if self._anchor is not None:
            below = self._anchor.mapTo(self._window, QPoint(0, self._anchor.height() + 6))
            self.move(self.x(), below.y())

    @Slot(object)
    def _on_stretch_changed(self, stretch: Stretch) -> None:
        span = stretch.white - stretch.black
        self.black.show_value(stretch.black, span)
        self.white.show_value(stretch.white, span)

    @Slot()
    def _on_edited(self) -> None:
        self._view.set_limits(self.black.value(), self.white.value())
