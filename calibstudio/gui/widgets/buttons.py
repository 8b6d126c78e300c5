"""Buttons. One filled (primary) button a screen, at the lower right of what it acts on."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from calibstudio.gui.icons import paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import plain


class ButtonKind(StrEnum):
    """What a button means."""

    NORMAL = "normal"
    PRIMARY = "primary"
    FLAT = "flat"
    """Text alone, in the second colour."""
    LINK = "link"
    """Text alone, in the accent: opens something beside what it stands in."""
    DANGER = "danger"
    """Loses or stops something."""


class ButtonSize(StrEnum):
    """How high: 28 in tool rows, 32 in forms, 44 for what a screen is there for."""

    SMALL = "small"
    NORMAL = "normal"
    LARGE = "large"


_PADDING = {ButtonSize.SMALL: 10, ButtonSize.NORMAL: 12, ButtonSize.LARGE: 18}
_FONT = {ButtonSize.SMALL: 13, ButtonSize.NORMAL: 14, ButtonSize.LARGE: 15}
_ICON = {ButtonSize.SMALL: 18, ButtonSize.NORMAL: 18, ButtonSize.LARGE: 20}

KEY_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
    Qt.FocusReason.OtherFocusReason,
)


def finish_typing() -> None:
    """Take what is being typed as said: a button must act on the number one sees.

    Buttons do not take the focus from a field, so this does what losing it would do.
    """
    focus = QApplication.focusWidget()
    if isinstance(focus, QLineEdit | QAbstractSpinBox):
        focus.clearFocus()


class Button(QPushButton):
    """A button with an icon before its words and the key that does the same after them.

    It takes the focus by Tab and not by mouse, so that Space stays "take one frame" after a click.
    """

    def __init__(
        self,
        theme: ThemeState,
        text: str = "",
        kind: ButtonKind | str = ButtonKind.NORMAL,
        *,
        icon: str = "",
        key: str = "",
        size: ButtonSize | str = ButtonSize.NORMAL,
        icon_after: bool = False,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._theme = theme
        self._kind = ButtonKind(kind)
        self._size = ButtonSize(size)
        self._icon_name = icon
        self._icon_after = icon_after
        self._key = key
        self._ring = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setAutoDefault(False)
        if tip:
            self.setToolTip(plain(tip))
        self.setAccessibleName(text or tip)
        theme.changed.connect(self._on_theme_changed)

    @property
    def is_large(self) -> bool:
        """Whether it is one of the buttons at the foot of a panel."""
        return self._size is ButtonSize.LARGE

    def set_icon(self, name: str) -> None:
        """Show another icon; empty for none."""
        if name != self._icon_name:
            self._icon_name = name
            self.updateGeometry()
            self.update()

    def set_kind(self, kind: ButtonKind | str) -> None:
        """Mean something else: Loop becomes Stop."""
        self._kind = ButtonKind(kind)
        self.updateGeometry()
        self.update()

    def set_key(self, key: str) -> None:
        """Show another key; empty for none."""
        self._key = key
        self.updateGeometry()
        self.update()

    def setText(self, text: str) -> None:
        """Show other words."""
        if text != self.text():
            super().setText(text)
            self.setAccessibleName(text or self.toolTip())
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        return self._size_for(self._content_width())

    def minimumSizeHint(self) -> QSize:
        return self._size_for(self._content_width(with_key=False))

    def _size_for(self, width: int) -> QSize:
        sizes = self._theme.sizes
        height = {
            ButtonSize.SMALL: sizes.toolbar,
            ButtonSize.NORMAL: sizes.control,
            ButtonSize.LARGE: sizes.primary,
        }[self._size]
        if not self.text():
            return QSize(max(height, width), height)
        pad = 0 if self._kind is ButtonKind.LINK else 2 * _PADDING[self._size]
        return QSize(width + pad + 2, height)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEY_REASONS
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        super().focusOutEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        finish_typing()
        super().mousePressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fill, edge, ink, width = self._colors()
        if fill or edge:
            painter.setPen(QPen(QColor(edge), width) if edge else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(fill) if fill else Qt.BrushStyle.NoBrush)
            inset = width / 2 if edge else 0.0
            box = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
            painter.drawRoundedRect(box, 4, 4)
        if self._ring:
            painter.setPen(QPen(self._theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
            if self._kind is ButtonKind.PRIMARY:
                painter.setPen(QPen(self._theme.color("panel"), 1))
                painter.drawRoundedRect(QRectF(self.rect()).adjusted(2.5, 2.5, -2.5, -2.5), 3, 3)
        self._paint_content(painter, ink)

    def _colors(self) -> tuple[str, str, str, float]:
        """Return fill, edge, ink (empty for none) and the width of the edge."""
        t = self._theme.tokens
        hot = self.underMouse() and self.isEnabled()
        flat = self._kind in (ButtonKind.FLAT, ButtonKind.LINK)
        if not self.isEnabled():
            return "", "" if flat else t.line, t.disabled, 1.0
        if self.isChecked():
            return t.selection, t.accent, t.text, 1.0
        down = self.isDown()
        if self._kind is ButtonKind.PRIMARY:
            fill = t.primary_hover if hot and not down else t.primary
            return fill, t.primary_edge, t.on_primary, 2.0 if t.is_night else 1.0
        if self._kind is ButtonKind.DANGER:
            return (t.bad_bg if hot else ""), t.bad, t.bad, 1.0
        if self._kind is ButtonKind.LINK:
            return "", "", t.accent, 1.0
        if flat:
            return (t.ctl if hot else ""), "", (t.text if hot else t.text2), 1.0
        fill = t.selection if down else t.ctl_hover if hot else t.ctl
        return fill, t.line2, t.text, 1.0

    def _paint_content(self, painter: QPainter, ink: str) -> None:
        # Where there is no room the key goes; the words stay whole.
        shows_key = bool(self._key) and self._content_width() + 8 <= self.width()
        content = self._content_width() if shows_key else self._content_width(with_key=False)
        x = round((self.width() - content) / 2)
        if self._kind is ButtonKind.LINK:
            x = 0
        height = self.height()
        icon = _ICON[self._size]
        text_width = self._text_width()
        if self._icon_name and not self._icon_after:
            paint_icon(painter, QRect(x, (height - icon) // 2, icon, icon), self._icon_name, ink)
            x += icon + (8 if self.text() else 0)
        if self.text():
            painter.setFont(self._font())
            painter.setPen(QColor(ink))
            box = QRect(x, 0, text_width, height)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), self.text())
            if self._kind is ButtonKind.LINK and self.underMouse():
                y = round(height / 2 + painter.fontMetrics().ascent() / 2) + 1
                painter.fillRect(QRect(x, y, text_width, 1), QColor(ink))
            x += text_width
        if self._icon_name and self._icon_after:
            x += 8
            paint_icon(painter, QRect(x, (height - icon) // 2, icon, icon), self._icon_name, ink)
            x += icon
        if shows_key:
            paint_key(painter, x + 8, height, self._key, ink, self._theme)

    def _font(self) -> QFont:
        weight = 600 if self._kind is ButtonKind.PRIMARY else 500
        return self._theme.font(_FONT[self._size], weight)

    def _text_width(self) -> int:
        if not self.text():
            return 0
        return QFontMetrics(self._font()).horizontalAdvance(self.text())

    def _content_width(self, *, with_key: bool = True) -> int:
        width = self._text_width()
        if self._icon_name:
            width += _ICON[self._size] + (8 if self.text() else 0)
        if self._key and with_key:
            width += 8 + key_width(self._key, self._theme)
        return width

    @Slot()
    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()


class IconButton(Button):
    """A square button with an icon alone; its tooltip is also its accessible name."""

    def __init__(
        self,
        theme: ThemeState,
        icon: str,
        tip: str,
        *,
        kind: ButtonKind | str = ButtonKind.NORMAL,
        size: ButtonSize | str = ButtonSize.SMALL,
        checkable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, "", kind, icon=icon, size=size, tip=tip, parent=parent)
        self.setCheckable(checkable)

    def set_tip(self, tip: str) -> None:
        """Say something else in the tooltip."""
        self.setToolTip(plain(tip))
        self.setAccessibleName(tip)


def key_width(key: str, theme: ThemeState) -> int:
    """Return how wide `paint_key` draws this key."""
    return QFontMetrics(theme.font(12, 500)).horizontalAdvance(key) + 10


def paint_key(
    painter: QPainter, x: int, height: int, key: str, ink: str, theme: ThemeState
) -> None:
    """Paint a key cap, its left edge at ``x``, in the middle of ``height``."""
    color = QColor(ink)
    if not theme.tokens.is_night:
        color.setAlphaF(0.8)
    box = QRectF(x + 0.5, (height - 18) / 2 + 0.5, key_width(key, theme) - 1, 17)
    painter.setPen(QPen(color, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box, 3, 3)
    painter.setFont(theme.font(12, 500))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), key)
