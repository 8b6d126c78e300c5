"""Labels: each has a role (its size and weight) and may have a tone (its colour)."""

from __future__ import annotations

import html
import re

from PySide6 import QtGui
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

ROLES = frozenset(
    {
        "caption",
        "label",
        "small",
        "note",
        "body",
        "secondary",
        "medium",
        "heading",
        "subheading",
        "title",
        "value",
        "question",
        "count",
    }
)
"""Sizes: caption 12; label, small, note, subheading 13; body, secondary, medium, heading 14;
title, value 18; question 20; count 28."""


KEEP_SPACES = "white-space:pre-wrap"
"""Style of rich text: without it Qt makes wide spaces of the narrow ones before units."""


def plain(text: str) -> str:
    """Return text for places where Qt would read HTML: names of files may contain anything."""
    return html.escape(text) if QtGui.Qt.mightBeRichText(text) else text


LONGEST_TOKEN = 10
"""Characters of a word that may stand without a place to break it, in a narrow panel."""


def breakable(text: str) -> str:
    """Return a text that a narrow label may break after ``_`` or ``/``, and inside long words."""
    marked = re.sub(r"([_/\\])(?=.)", "\\1\u200b", text)
    long = re.compile(rf"[^\s\u200b-]{{{LONGEST_TOKEN}}}(?=[^\s\u200b])")
    return long.sub(lambda found: found.group() + "\u200b", marked)


def label(text: str = "", role: str = "body", *, tone: str = "", wrap: bool = False) -> QLabel:
    """Return a plain-text label. ``tone``: good, warn, bad, info, accent, text, text2, text3."""
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}")
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    if tone:
        made.setProperty("tone", tone)
    if wrap:
        made.setWordWrap(True)
    return made


def set_tone(widget: QWidget, tone: str) -> None:
    """Change the tone of a label; empty for the colour of its role."""
    if widget.property("tone") != tone:
        widget.setProperty("tone", tone)
        repolish(widget)


def repolish(widget: QWidget) -> None:
    """Let the style sheet look again at the properties of a widget."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


class ElidedLabel(QLabel):
    """One line that ends in … where there is no room; the whole text is then in its tooltip."""

    def __init__(
        self,
        text: str = "",
        role: str = "body",
        *,
        tone: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._mode = mode
        self._tip = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        if tone:
            self.setProperty("tone", tone)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(24)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(text)
        self.setAccessibleName(text)
        self._renew_tip()

    def set_tip(self, tip: str) -> None:
        """Say more in the tooltip than the text itself."""
        self._tip = tip
        self._renew_tip()

    def minimumSizeHint(self) -> QSize:
        return QSize(24, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 2, hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        shown = self.fontMetrics().elidedText(self.text(), self._mode, self.width())
        painter.drawText(self.rect(), int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._renew_tip()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._renew_tip()

    def _renew_tip(self) -> None:
        cut = self.fontMetrics().horizontalAdvance(self.text()) > self.width()
        tip = "\n".join(t for t in (self.text() if cut else "", self._tip) if t)
        if tip != self.toolTip():
            self.setToolTip(plain(tip))
