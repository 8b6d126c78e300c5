"""Shows events at the lower right for a moment; errors stay until they are closed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QCursor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.gui.icons import STATUS_ICONS, paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.toasts import Toasts, ToastText
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize, IconButton
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.verdict import WORDS, status_color

SHOWN_MS = 6_000
WIDTH = 400
MOST = 4
AGAIN_MS = 400
GAP = 8


class Toast(QWidget):
    """One event. Never takes the focus."""

    def __init__(self, theme: ThemeState, said: ToastText, host: ToastHost) -> None:
        super().__init__(host)
        self._theme, self._said, self._host = theme, said, host
        self.setAccessibleName(f"{WORDS[said.kind]}: {said.text} {said.hint}".strip())
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(44, 12, 8, 12)
        row.setSpacing(8)
        words = QVBoxLayout()
        words.setSpacing(2)
        text = label(said.text, "body", wrap=True)
        text.setMinimumHeight(20)
        words.addWidget(text)
        if said.hint:
            words.addWidget(label(said.hint, "small", wrap=True))
        # One line stands in the middle of the row that the buttons make, and so does its shape.
        words.setContentsMargins(0, 0 if said.hint else 4, 0, 0)
        row.addLayout(words, 1)
        row.setAlignment(words, Qt.AlignmentFlag.AlignTop)
        if said.action:
            button = Button(theme, said.action, size=ButtonSize.SMALL)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(self._on_action)
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        close = IconButton(theme, "close", "Close", kind=ButtonKind.FLAT)
        close.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        close.clicked.connect(self._on_close)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._mouse_at = QCursor.pos()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_close)
        if not said.stays:
            self._timer.start(SHOWN_MS)
        theme.changed.connect(self._on_theme_changed)

    @property
    def said(self) -> ToastText:
        """What it says."""
        return self._said

    def enterEvent(self, event: QEvent) -> None:
        # While the mouse is on it, somebody reads it; but it may have come under a resting mouse.
        if QCursor.pos() != self._mouse_at:
            self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        if not self._said.stays:
            self._timer.start(SHOWN_MS // 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(t.line2), 1))
        painter.setBrush(QColor(t.card))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        color = status_color(t, self._said.kind)
        paint_icon(
            painter,
            QRect(14, 12 if self._said.hint else 16, 20, 20),
            STATUS_ICONS[self._said.kind],
            color,
        )

    @Slot()
    def _on_action(self) -> None:
        if self._said.on_action is not None:
            self._said.on_action()
        self._host.close_toast(self)

    @Slot()
    def _on_close(self) -> None:
        self._host.close_toast(self)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


class ToastHost(QWidget):
    """The place for toasts: over the lower right corner of a window, above its status bar."""

    def __init__(self, theme: ThemeState, toasts: Toasts, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._window = parent
        self._shown: list[Toast] = []
        self.bottom_margin = 42
        self._again = QTimer(self)
        self._again.setInterval(AGAIN_MS)
        self._again.timeout.connect(self._place)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        parent.installEventFilter(self)
        toasts.said.connect(self._on_said)
        self.hide()

    @property
    def shown(self) -> tuple[Toast, ...]:
        """Toasts in sight, oldest first."""
        return tuple(self._shown)

    def close_toast(self, toast: Toast) -> None:
        """Take one away."""
        if toast in self._shown:
            self._shown.remove(toast)
            self._column.removeWidget(toast)
            toast.hide()
            toast.deleteLater()
            self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    @Slot(object)
    def _on_said(self, said: ToastText) -> None:
        same = next((t for t in self._shown if t.said.text == said.text), None)
        if same is not None:
            self.close_toast(same)
        passing = [t for t in self._shown if not t.said.stays]
        if len(self._shown) >= MOST:
            self.close_toast(passing[0] if passing else self._shown[0])
        toast = Toast(self._theme, said, self)
        self._shown.append(toast)
        self._column.addWidget(toast)
        toast.show()
        self._watch_pages()
        self._place()

    def _large_buttons(self) -> list[Button]:
        """The buttons at the foot of what is shown, the lowest first: no toast covers them."""
        shown = [b for b in self._window.findChildren(Button) if b.is_large and b.isVisible()]
        return sorted(shown, key=lambda b: -b.mapTo(self._window, QPoint(0, 0)).y())

    def _watch_pages(self) -> None:
        """Another workspace has its buttons elsewhere."""
        for pages in self._window.findChildren(QStackedWidget):
            pages.currentChanged.connect(self._on_page, type=Qt.ConnectionType.UniqueConnection)

    @Slot(int)
    def _on_page(self, _index: int) -> None:
        QTimer.singleShot(0, self, self._place)

    def _place(self) -> None:
        if not self._shown:
            self._again.stop()
            self.hide()
            return
        if not self._again.isActive():
            self._again.start()  # buttons may appear under it
        parent = self._window
        self._column.activate()
        height = self._column.totalHeightForWidth(WIDTH)
        if height < 0:
            height = self._column.sizeHint().height()
        left, top = parent.width() - WIDTH - 16, parent.height() - height - self.bottom_margin
        box = QRect(left, top, WIDTH, height)
        for button in self._large_buttons():
            place = QRect(button.mapTo(parent, QPoint(0, 0)), button.size())
            if box.intersects(place.adjusted(-GAP, -GAP, GAP, GAP)):
                box.moveBottom(place.top() - 2 * GAP)
        self.setGeometry(box)
        self.show()
        self.raise_()
