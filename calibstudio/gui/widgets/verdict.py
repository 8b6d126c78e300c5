"""Verdicts on screen: always shape, word and colour together.

In night the three are told apart by form: GOOD plain, WARN outlined, BAD a filled badge.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from calibstudio.domain.quality import Finding, Verdict
from calibstudio.gui.icons import STATUS_ICONS, paint_icon
from calibstudio.gui.theme import ThemeState, Tokens
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.text import KEEP_SPACES, plain

WORDS = {
    "good": "GOOD",
    "warn": "WARN",
    "bad": "BAD",
    "info": "Info",
    "running": "Running",
    "waiting": "Waiting",
    "unknown": "Unknown",
}
TAG_HEIGHT = 20


def kind_of(verdict: Verdict | None) -> str:
    """Return the status kind of a verdict: ``good``, ``warn``, ``bad``; None is ``unknown``."""
    return "unknown" if verdict is None else verdict.value.lower()


def status_color(tokens: Tokens, kind: str) -> str:
    """Return the colour of a status kind."""
    if kind in ("good", "warn", "bad", "info", "running"):
        return tokens.hex(kind)
    return tokens.warn if kind == "unknown" else tokens.text3


def tag_width(theme: ThemeState, word: str) -> int:
    """Return how wide `paint_tag` draws this word."""
    return QFontMetrics(theme.font(12, 600)).horizontalAdvance(word) + 14 + 5 + 12 + 2


def paint_tag(
    painter: QPainter,
    x: int,
    y: int,
    kind: str,
    word: str,
    theme: ThemeState,
    *,
    ground: bool = True,
) -> None:
    """Paint a tag 20 px high, its upper left corner here; ``ground=False`` leaves out its fill."""
    t = theme.tokens
    color = status_color(t, kind)
    box = QRectF(x, y, tag_width(theme, word), TAG_HEIGHT)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    if t.is_night:
        if kind == "bad":
            painter.setBrush(QColor(color))
            painter.drawRoundedRect(box, 3, 3)
            color = t.plot
        elif kind == "warn":
            painter.setPen(QPen(QColor(color), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
    elif ground and kind in ("good", "warn", "bad", "info", "running"):
        painter.setBrush(QColor(t.hex(f"{kind}_bg" if kind != "running" else "info_bg")))
        painter.drawRoundedRect(box, 3, 3)
    paint_icon(painter, QRect(x + 6, y + 3, 14, 14), STATUS_ICONS[kind], color)
    painter.setFont(theme.font(12, 600))
    painter.setPen(QColor(color))
    box.setLeft(x + 25)
    painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), word)
    painter.restore()


class VerdictTag(QWidget):
    """A small badge: shape, word and colour."""

    def __init__(
        self, theme: ThemeState, kind: str = "good", word: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._kind, self._word = kind, word or WORDS[kind]
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self._word)
        theme.changed.connect(self._on_theme_changed)

    def set_status(self, kind: str, word: str = "") -> None:
        """Show another status; without a word, its own."""
        word = word or WORDS[kind]
        if (kind, word) != (self._kind, self._word):
            self._kind, self._word = kind, word
            self.setAccessibleName(word)
            self.updateGeometry()
            self.update()

    def set_verdict(self, verdict: Verdict | None) -> None:
        """Show a verdict; None is Unknown."""
        self.set_status(kind_of(verdict))

    def sizeHint(self) -> QSize:
        return QSize(tag_width(self._theme, self._word), TAG_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        y = (self.height() - TAG_HEIGHT) // 2
        paint_tag(QPainter(self), 0, y, self._kind, self._word, self._theme)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()


class VerdictChip(QWidget):
    """A tag with a sentence on a ground of its own, for the corner of a picture."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._kind, self._word, self._text = "", "", ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._on_theme_changed)

    def show_status(self, kind: str, text: str, word: str = "") -> None:
        """Show a status with its sentence; kind empty for the sentence alone."""
        self._kind, self._text = kind, text
        self._word = (word or WORDS[kind]) if kind else ""
        self.setAccessibleName(f"{self._word} {text}".strip())
        self.updateGeometry()
        self.adjustSize()
        self.update()

    def sizeHint(self) -> QSize:
        width = QFontMetrics(self._theme.font(13)).horizontalAdvance(self._text)
        tag = tag_width(self._theme, self._word) + 10 if self._kind else 0
        return QSize(width + tag + 18, 30)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(t.line2), 1))
        painter.setBrush(QColor(t.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        x = 8
        if self._kind:
            paint_tag(painter, x, 5, self._kind, self._word, self._theme)
            x += tag_width(self._theme, self._word) + 10
        painter.setFont(self._theme.font(13))
        painter.setPen(QColor(t.text))
        box = QRect(x, 0, self.width() - x, self.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), self._text)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()


class StatusDot(QWidget):
    """The shape of a status alone, 16 or 20 px; what it means is its tooltip and name."""

    def __init__(
        self,
        theme: ThemeState,
        kind: str = "good",
        *,
        size: int = 16,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._kind, self._size = theme, kind, size
        self.setFixedSize(size, size)
        self.setAccessibleName(WORDS[kind])
        theme.changed.connect(self._on_theme_changed)

    def set_status(self, kind: str, tip: str = "") -> None:
        """Show another status."""
        self._kind = kind
        self.setAccessibleName(tip or WORDS[kind])
        self.setToolTip(plain(tip))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        color = status_color(self._theme.tokens, self._kind)
        paint_icon(QPainter(self), self.rect(), STATUS_ICONS[self._kind], color)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


def _after_colon(text: str) -> str:
    """Return a sentence as it goes on after a colon; names with more capitals stay."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() else text


class VerdictCard(QWidget):
    """What is wrong, how much, why and what to do; with at most two buttons."""

    def __init__(
        self,
        theme: ThemeState,
        finding: Finding | None = None,
        actions: Sequence[tuple[str, Callable[[], None]]] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._kind = "good"
        self._finding: Finding | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 12, 14, 12)
        column.setSpacing(4)
        self._head, self._what, self._more = (self._rich() for _ in range(3))
        top = QHBoxLayout()
        top.setSpacing(8)
        self._shape = StatusDot(theme, size=20)
        top.addWidget(self._shape)
        top.addWidget(self._head, 1)
        column.addLayout(top)
        column.addWidget(self._what)
        column.addWidget(self._more)
        self._buttons = QHBoxLayout()
        self._buttons.setContentsMargins(0, 6, 0, 0)
        self._buttons.setSpacing(8)
        column.addLayout(self._buttons)
        column.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        theme.changed.connect(self._on_theme_changed)
        if finding is not None:
            self.show_finding(finding, actions)

    @staticmethod
    def _rich() -> QLabel:
        made = QLabel()
        made.setTextFormat(Qt.TextFormat.RichText)
        made.setWordWrap(True)
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return made

    def show_finding(
        self, finding: Finding, actions: Sequence[tuple[str, Callable[[], None]]] = ()
    ) -> None:
        """Say another finding. ``actions`` are (words, what it does), two at most."""
        self._finding = finding
        self._kind = kind_of(finding.verdict)
        self._shape.set_status(self._kind, finding.verdict.value)
        self.setAccessibleName(f"{finding.verdict.value}: {finding.title}")
        self.setAccessibleDescription(
            " ".join(x for x in (finding.what, finding.cause, finding.cure) if x)
        )
        self._clear_buttons()
        for words, act in actions[:2]:
            button = Button(self._theme, words, size=ButtonSize.SMALL)
            button.clicked.connect(lambda _checked=False, act=act: act())
            self._buttons.addWidget(button)
        self._buttons.addStretch(1)
        self._say()

    def _clear_buttons(self) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()

    def _say(self) -> None:
        finding, t = self._finding, self._theme.tokens
        if finding is None:
            return
        strong = 600 + t.weight_shift
        color = status_color(t, self._kind)
        self._head.setText(
            f'<span style="{KEEP_SPACES};font-weight:{strong}">'
            f'<span style="color:{color};font-weight:{strong + 100}">{finding.verdict.value}</span>'
            f" · {html.escape(finding.title)}</span>"
        )
        self._what.setText(f'<span style="{KEEP_SPACES}">{html.escape(finding.what)}</span>')
        self._what.setVisible(bool(finding.what))
        parts = [
            f'<span style="font-weight:{strong};color:{t.text}">{name}:</span> '
            f"{html.escape(_after_colon(text))}"
            for name, text in (("Likely cause", finding.cause), ("Cure", finding.cure))
            if text
        ]
        self._more.setText(
            f'<div style="{KEEP_SPACES};font-size:13px;color:{t.text2}">{"<br>".join(parts)}</div>'
        )
        self._more.setVisible(bool(parts))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(status_color(t, self._kind)))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0, 0, -8, 0), 6, 6)
        painter.setBrush(QColor(t.card))
        painter.setPen(QPen(QColor(t.line), 1))
        painter.drawRoundedRect(box.adjusted(4, 0, 0, 0), 5, 5)
        painter.fillRect(QRectF(4, 1, 3, self.height() - 2), QColor(t.card))

    @Slot()
    def _on_theme_changed(self) -> None:
        self._say()
