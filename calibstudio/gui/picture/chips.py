"""What is said over a picture: verdict, value under the cursor, clipped pixels, what is under way.

Chips lie in the corners, let the mouse through to the picture, and never jump: a chip that has
grown stays as wide for the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from calibstudio.domain.wording import NARROW, number, quantity, significant
from calibstudio.gui.picture.rendering import overlay_tokens
from calibstudio.gui.picture.view import PictureView, PixelValue
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import EmptyState
from calibstudio.gui.widgets.progress import BusyLine
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.verdict import WORDS, VerdictChip, tag_width
from calibstudio.imaging.display import Pyramid

MARGIN = 12
CHIP_HEIGHT = 30

Run = tuple[str, str, int]
"""Text, token of its colour, weight."""


def paint_chip(painter: QPainter, widget: QWidget, theme: ThemeState) -> None:
    """The ground of a chip."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.color("line2"), 1))
    painter.setBrush(theme.color("panel"))
    painter.drawRoundedRect(QRectF(widget.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)


class TextChip(QWidget):
    """Pieces of text of different weight on a ground of their own."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._runs: tuple[Run, ...] = ()
        self._widest = 0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._on_theme_changed)

    def set_runs(self, runs: Sequence[Run]) -> None:
        """Say something; nothing hides the chip."""
        if tuple(runs) == self._runs:
            return
        self._runs = tuple(runs)
        self.setAccessibleName(" ".join(text.strip() for text, _, _ in runs))
        self.setVisible(bool(runs))
        width = self._text_width()
        if width > self._widest:
            self._widest = width
            self.updateGeometry()
        self.adjustSize()
        self.update()

    def text(self) -> str:
        """All that it says."""
        return "".join(text for text, _, _ in self._runs)

    def forget_width(self) -> None:
        """May be narrower again: another picture."""
        self._widest = self._text_width()
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(self._widest + 18, CHIP_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_chip(painter, self, self._theme)
        x = 9
        for text, token, weight in self._runs:
            font = self._theme.font(13, weight)
            painter.setFont(font)
            painter.setPen(self._theme.color(token))
            width = QFontMetrics(font).horizontalAdvance(text)
            box = QRect(x, 0, width + 2, self.height())
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), text)
            x += width

    def _text_width(self) -> int:
        return sum(
            QFontMetrics(self._theme.font(13, weight)).horizontalAdvance(text)
            for text, _, weight in self._runs
        )

    @Slot()
    def _on_theme_changed(self) -> None:
        self.forget_width()
        self.adjustSize()
        self.update()


class ClipChip(QWidget):
    """How many pixels are saturated and zero, beside the marks that they have in the picture."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._texts = ("", "")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._on_theme_changed)

    def show_counts(self, n_saturated: int | None, n_zero: int) -> None:
        """Say the counts; None where no saturation is known."""
        saturated = "not known" if n_saturated is None else f"{number(n_saturated)}{NARROW}px"
        self._texts = (f"saturated {saturated}", f"zero {number(n_zero)}{NARROW}px")
        self.setAccessibleName(", ".join(self._texts))
        self.updateGeometry()
        self.adjustSize()
        self.update()

    def text(self) -> str:
        """All that it says; empty before there are counts."""
        return ", ".join(text for text in self._texts if text)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._theme.font(13))
        words = sum(metrics.horizontalAdvance(t) for t in self._texts)
        return QSize(words + 2 * 16 + 14 + 18, CHIP_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        t, marks = self._theme.tokens, overlay_tokens(self._theme.tokens)
        painter = QPainter(self)
        paint_chip(painter, self, self._theme)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setFont(self._theme.font(13))
        metrics = QFontMetrics(painter.font())
        x, y = 9, (self.height() - 9) // 2
        for framed, text in enumerate(self._texts):
            if framed:
                painter.setPen(QPen(QColor(marks.accent), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(QRectF(x + 1, y + 1, 7, 7))
            else:
                painter.fillRect(QRect(x, y, 9, 9), QColor(marks.bad))
            x += 16
            painter.setPen(QColor(t.text2))
            width = metrics.horizontalAdvance(text)
            box = QRect(x, 0, width + 2, self.height())
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), text)
            x += width + 14

    @Slot()
    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.adjustSize()
        self.update()


class BusyChip(QWidget):
    """What is under way, with the way to stop it.

    Signals
    -------
    cancelled()
        Cancel was pressed.
    """

    cancelled = Signal()

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(9, 0, 0, 0)
        row.setSpacing(4)
        self._text = label("", "small", tone="text")
        self.cancel = Button(theme, "Cancel", ButtonKind.FLAT, size=ButtonSize.SMALL)
        self.cancel.clicked.connect(self._on_clicked)
        row.addWidget(self._text)
        row.addWidget(self.cancel)
        theme.changed.connect(self._on_theme_changed)

    def show_text(self, text: str, *, can_cancel: bool) -> None:
        """Say what is under way."""
        if text != self._text.text():
            self._text.setText(text)
            self.setAccessibleName(text)
        self.cancel.setVisible(can_cancel)
        self._row.setContentsMargins(9, 0, 0 if can_cancel else 9, 0)
        self.show()
        self.adjustSize()

    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), CHIP_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_chip(QPainter(self), self, self._theme)

    @Slot()
    def _on_clicked(self) -> None:
        self.cancelled.emit()

    @Slot()
    def _on_theme_changed(self) -> None:
        self.adjustSize()
        self.update()


class PictureChips(QObject):
    """Keeps the chips of one picture view where they belong.

    Signals
    -------
    cancelled()
        Cancel was pressed beside what is under way.
    """

    cancelled = Signal()

    def __init__(self, theme: ThemeState, view: PictureView) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self._unit, self._decimals = "ADU", 0
        self._bias_adu: float | None = None
        self._e_per_adu: float | None = None
        self.verdict = VerdictChip(theme, view)
        self.verdict.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.value = TextChip(theme, view)
        self.clipped = ClipChip(theme, view)
        self.busy = BusyChip(theme, view)
        self.line = BusyLine(theme, view)
        self.empty: EmptyState | None = None
        for chip in (self.verdict, self.value, self.clipped, self.busy):
            chip.hide()
        self._words: Callable[[float], str] | None = None
        self._said: tuple[str, str, str] = ("", "", "")
        self._old = ""
        self.busy.cancelled.connect(self.cancelled)
        view.cursor_moved.connect(self._on_cursor_moved)
        view.tools_changed.connect(self._on_tools_changed)
        view.installEventFilter(self)

    def set_unit(
        self,
        unit: str,
        *,
        decimals: int | None = 0,
        e_per_adu: float | None = None,
        bias_adu: float | None = None,
    ) -> None:
        """Say how a value is written; ``decimals`` None: four significant digits.

        With both bias and conversion known, electrons above the bias are said too.
        """
        self._unit, self._e_per_adu, self._bias_adu = unit, e_per_adu, bias_adu
        self._decimals = -1 if decimals is None else decimals

    def set_words(self, words: Callable[[float], str] | None) -> None:
        """Say values in words, where they are no measurements; None: as numbers."""
        self._words = words

    def show_verdict(self, kind: str, text: str, word: str = "") -> None:
        """Say what is seen and how good it is; kind empty for the sentence alone."""
        self._said = (kind, text, word)
        self._renew_verdict()

    def mark_old(self, when: str) -> None:
        """Say that the picture is an old one: ``old, 23:40:52``; empty takes it back."""
        self._old = when
        self._renew_verdict()

    def show_counts(self, pyramid: Pyramid | None) -> None:
        """Say how many pixels of a picture are clipped."""
        if pyramid is None:
            self.clipped.hide()
            return
        known = pyramid.saturation != float("inf")
        self.clipped.show_counts(pyramid.n_saturated if known else None, pyramid.n_zero)
        self.clipped.setVisible(self._view.shows_clipped)
        self._place()

    def show_busy(
        self, text: str, fraction: float | None = None, *, can_cancel: bool = True
    ) -> None:
        """Say what is under way, and how far it is (None: not known)."""
        if fraction is None:
            self.line.show_busy()
        else:
            self.line.show_fraction(fraction)
        self.busy.show_text(text, can_cancel=can_cancel)
        self._place()

    def done(self) -> None:
        """Nothing is under way."""
        self.line.done()
        self.busy.hide()

    def show_empty(self, icon: str, sentence: str, hint: str = "") -> None:
        """Say what to do while there is no picture."""
        if self.empty is None:
            self.empty = EmptyState(self._theme, icon, sentence, hint=hint, parent=self._view)
            self.empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self.empty.lower()
        self.empty.set_sentence(sentence, hint)
        self.empty.show()
        self._place()

    def hide_empty(self) -> None:
        """There is a picture now."""
        if self.empty is not None:
            self.empty.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._renew_verdict()
        return super().eventFilter(watched, event)

    def _renew_verdict(self) -> None:
        kind, text, word = self._said
        if self._old:
            text = f"{text} · old, {self._old}" if text else f"old, {self._old}"
            kind, word = kind or "waiting", word if kind else "Old"
        self.verdict.setVisible(bool(text or kind))
        metrics = QFontMetrics(self._theme.font(13))
        tag = tag_width(self._theme, word or WORDS.get(kind, "")) + 10 if kind else 0
        room = self._view.width() - 2 * MARGIN - tag - 18
        if self.busy.isVisible():
            room -= self.busy.width() + MARGIN
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(80, room))
        self.verdict.show_status(kind, shown, word)
        self._place()

    def _place(self) -> None:
        width, height = self._view.width(), self._view.height()
        self.line.setGeometry(0, 0, width, 3)
        self.verdict.move(MARGIN, MARGIN)
        self.busy.move(width - self.busy.width() - MARGIN, MARGIN)
        self.value.move(MARGIN, height - CHIP_HEIGHT - MARGIN)
        self.clipped.move(width - self.clipped.width() - MARGIN, height - CHIP_HEIGHT - MARGIN)
        if self.empty is not None:
            self.empty.setGeometry(0, 0, width, height)

    @Slot(object)
    def _on_cursor_moved(self, pixel: PixelValue | None) -> None:
        if self._view.pyramid is None:
            self.value.set_runs(())
            return
        if pixel is not None:
            self.value.set_runs(self.value_runs(pixel))
            self._place()

    def value_runs(self, pixel: PixelValue) -> list[Run]:
        """What the value chip says about a pixel."""
        place = f"x{NARROW}{number(pixel.x)}  y{NARROW}{number(pixel.y)}   "
        runs: list[Run] = [(place, "text", 400)]
        if pixel.value != pixel.value:
            return [*runs, ("no value", "text", 600)]
        if self._words is not None:
            return [*runs, (self._words(pixel.value), "text", 600)]
        if self._decimals < 0:
            value = significant(pixel.value)
            text = f"{value}{NARROW}{self._unit}" if self._unit else value
        else:
            text = quantity(pixel.value, self._unit, self._decimals)
        runs.append((text, "text", 600))
        if self._bias_adu is not None and self._e_per_adu is not None:
            electrons = (pixel.value - self._bias_adu) * self._e_per_adu
            runs.append((f"   ({quantity(electrons, 'e⁻')} above bias)", "text2", 400))
        return runs

    @Slot()
    def _on_tools_changed(self) -> None:
        has = self._view.pyramid is not None
        # Marks without their counts would be a legend of nothing.
        known = bool(self.clipped.text())
        self.clipped.setVisible(has and known and self._view.shows_clipped)
        self._place()
