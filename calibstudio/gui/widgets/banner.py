"""A state that lasts, said under the header: 40 px, a sentence, a way out."""

from __future__ import annotations

import html
from collections.abc import Callable

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from calibstudio.gui.icons import STATUS_ICONS, paint_icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize, IconButton
from calibstudio.gui.widgets.text import KEEP_SPACES
from calibstudio.gui.widgets.verdict import WORDS, status_color


class Banner(QWidget):
    """A strip under the header.

    Signals
    -------
    closed()
        The operator closed it.
    """

    closed = Signal()

    def __init__(
        self,
        theme: ThemeState,
        kind: str,
        head: str,
        text: str = "",
        *,
        action: str = "",
        on_action: Callable[[], object] | None = None,
        closable: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        """``kind`` good, warn, bad or info; ``head`` is written heavier, ``text`` after it."""
        super().__init__(parent)
        self._theme, self._kind = theme, kind
        self._head, self._text = head, text
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(44, 0, 12, 0)
        row.setSpacing(8)
        self._label = QLabel()
        self._label.setTextFormat(Qt.TextFormat.RichText)
        self._label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(self._label, 1)
        self.button = Button(theme, action, size=ButtonSize.SMALL)
        self.button.setVisible(bool(action))
        if on_action is not None:
            self.button.clicked.connect(lambda _checked=False: on_action())
        row.addWidget(self.button)
        if closable:
            close = IconButton(theme, "close", "Close this message", kind=ButtonKind.FLAT)
            close.clicked.connect(self._on_close)
            row.addWidget(close)
        theme.changed.connect(self._on_theme_changed)
        self._say()

    def set_text(self, kind: str, head: str, text: str = "") -> None:
        """Say something else."""
        self._kind, self._head, self._text = kind, head, text
        self._say()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, 52 if self._theme.sizes.touch else 40)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        grounds = {"good": t.good_bg, "warn": t.warn_bg, "bad": t.bad_bg}
        painter.fillRect(self.rect(), QColor(grounds.get(self._kind, t.info_bg)))
        line = QRectF(0, self.height() - 1, self.width(), 1)
        painter.fillRect(line, QColor(t.line2))
        box = QRect(13, (self.height() - 18) // 2, 18, 18)
        paint_icon(painter, box, STATUS_ICONS[self._kind], status_color(t, self._kind))

    def _say(self) -> None:
        strong = 600 + self._theme.tokens.weight_shift
        head = f'<span style="font-weight:{strong}">{html.escape(self._head)}</span>'
        self._label.setText(f'<span style="{KEEP_SPACES}">{head} {html.escape(self._text)}</span>')
        self._label.setToolTip(html.escape(f"{self._head} {self._text}".strip()))
        self.setAccessibleName(f"{WORDS[self._kind]}: {self._head} {self._text}".strip())

    @Slot()
    def _on_close(self) -> None:
        self.hide()
        self.closed.emit()

    @Slot()
    def _on_theme_changed(self) -> None:
        self._say()
        self.updateGeometry()
