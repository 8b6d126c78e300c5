"""One of a few, all in sight: Auto, Linear, Log, Asinh."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import KEY_REASONS, finish_typing
from calibstudio.gui.widgets.text import plain


class _Segment(QAbstractButton):
    """One field; the first and the last have the round corners."""

    def __init__(self, theme: ThemeState, text: str, parent: SegmentedControl) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(text)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._theme = theme
        self._ring = False
        self.first = self.last = False

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._theme.font(13, 500))
        parent = self.parentWidget()
        tall = isinstance(parent, SegmentedControl) and parent.tall
        sizes = self._theme.sizes
        return QSize(
            metrics.horizontalAdvance(self.text()) + 21, sizes.control if tall else sizes.toolbar
        )

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        finish_typing()
        super().mousePressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEY_REASONS
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        parent = self.parentWidget()
        if step is not None and isinstance(parent, SegmentedControl):
            parent.step(step)
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on, hot = self.isChecked(), self.underMouse() and self.isEnabled()
        painter.setPen(QPen(QColor(t.line2 if self.isEnabled() else t.line), 1))
        painter.setBrush(QColor(t.selection if on else t.ctl_hover if hot else t.ctl))
        painter.drawPath(self._outline())
        painter.setFont(self._theme.font(13, 500 if on else 400))
        ink = t.disabled if not self.isEnabled() else t.text if on else t.text2
        painter.setPen(QColor(ink))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.text())
        if self._ring:
            painter.setPen(QPen(QColor(t.focus), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 3, 3)

    def _outline(self) -> QPainterPath:
        """The edge, open where a neighbour draws it: 1 px between two fields, not 2."""
        r = 4.0
        box = QRectF(self.rect()).adjusted(0.5, 0.5, 0.5 if not self.last else -0.5, -0.5)
        path = QPainterPath()
        if self.first and self.last:
            path.addRoundedRect(box, r, r)
            return path
        if self.first:
            path.moveTo(box.right(), box.top())
            path.lineTo(box.left() + r, box.top())
            path.quadTo(box.topLeft(), box.topLeft() + type(box.topLeft())(0, r))
            path.lineTo(box.left(), box.bottom() - r)
            path.quadTo(box.bottomLeft(), box.bottomLeft() + type(box.topLeft())(r, 0))
            path.lineTo(box.bottomRight())
        elif self.last:
            path.moveTo(box.left(), box.top())
            path.lineTo(box.right() - r, box.top())
            path.quadTo(box.topRight(), box.topRight() + type(box.topLeft())(0, r))
            path.lineTo(box.right(), box.bottom() - r)
            path.quadTo(box.bottomRight(), box.bottomRight() - type(box.topLeft())(r, 0))
            path.lineTo(box.bottomLeft())
            path.closeSubpath()
        else:
            path.addRect(box)
        return path


class SegmentedControl(QWidget):
    """A row of fields of which one is on.

    Signals
    -------
    chosen(object)
        The operator chose another value. Setting it by program says nothing.
    """

    chosen = Signal(object)

    def __init__(
        self,
        theme: ThemeState,
        options: Sequence[tuple[object, str]],
        *,
        name: str,
        value: object = None,
        tall: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """``options`` are (value, words); ``tall`` is 32 px and fills the width."""
        super().__init__(parent)
        self.tall = tall
        self._theme = theme
        self._values: list[object] = []
        self._segments: list[_Segment] = []
        self.setAccessibleName(name)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        wide = QSizePolicy.Policy.Expanding if tall else QSizePolicy.Policy.Fixed
        self.setSizePolicy(wide, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._on_theme_changed)
        self.set_options(options, value)

    def set_options(self, options: Sequence[tuple[object, str]], value: object = None) -> None:
        """Offer other values."""
        for segment in self._segments:
            segment.hide()
            segment.deleteLater()
        self._values = [v for v, _ in options]
        self._segments = []
        for i, (_, words) in enumerate(options):
            segment = _Segment(self._theme, words, self)
            segment.first, segment.last = i == 0, i == len(options) - 1
            segment.clicked.connect(self._on_clicked)
            self._segments.append(segment)
            self._row.addWidget(segment, 1 if self.tall else 0)
        self.set_value(value if value in self._values else self._values[0] if options else None)

    @property
    def value(self) -> object:
        """The value that is on."""
        on = next((i for i, s in enumerate(self._segments) if s.isChecked()), None)
        return None if on is None else self._values[on]

    def set_value(self, value: object) -> None:
        """Show a value; says nothing. A value that is not offered leaves all off."""
        for v, segment in zip(self._values, self._segments, strict=True):
            segment.setChecked(v == value)

    def set_option_enabled(self, value: object, on: bool, tip: str = "") -> None:
        """Allow or refuse one value, with the reason in its tooltip."""
        segment = self._segments[self._values.index(value)]
        segment.setEnabled(on)
        segment.setToolTip(plain(tip))

    def step(self, by: int) -> None:
        """Go to the next or the former value, as the arrow keys do."""
        now = next((i for i, s in enumerate(self._segments) if s.isChecked()), 0)
        to = min(max(now + by, 0), len(self._segments) - 1)
        if to != now and self._segments[to].isEnabled():
            self._choose(to)
            self._segments[to].setFocus(Qt.FocusReason.TabFocusReason)

    def _choose(self, index: int) -> None:
        changed = self.value != self._values[index]
        self.set_value(self._values[index])
        if changed:
            self.chosen.emit(self._values[index])

    @Slot()
    def _on_clicked(self) -> None:
        sender = self.sender()
        index = next(i for i, s in enumerate(self._segments) if s is sender)
        # The click has toggled it already: compare with the others.
        changed = any(s.isChecked() for i, s in enumerate(self._segments) if i != index)
        self.set_value(self._values[index])
        if changed:
            self.chosen.emit(self._values[index])

    @Slot()
    def _on_theme_changed(self) -> None:
        for segment in self._segments:
            segment.updateGeometry()
            segment.update()
