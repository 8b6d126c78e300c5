"""What the sequence asks: over the steps, with one button for each answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRectF, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.capture import Answer, Question, QuestionKind
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind
from calibstudio.gui.widgets.text import label, plain
from calibstudio.gui.widgets.verdict import StatusDot, status_color

ALARMS = (QuestionKind.FAILURE, QuestionKind.BAD_FRAMES, QuestionKind.DISK)
"""What has gone wrong; anything else is only a question."""


class QuestionBar(QWidget):
    """A card across the screen: the sentence, what to do, and the answers, the usual one filled."""

    def __init__(
        self,
        theme: ThemeState,
        on_answer: Callable[[Answer], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._on_answer = theme, on_answer
        self._kind = "warn"
        self.question: Question | None = None
        self.buttons: dict[Answer, Button] = {}
        self._dot = StatusDot(theme, size=20)
        self.text = label("", "heading", wrap=True)
        self.hint = label("", "secondary", wrap=True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.text)
        words.addWidget(self.hint)
        self._answers = QHBoxLayout()
        self._answers.setSpacing(8)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 12, 16, 12)
        row.setSpacing(12)
        row.addWidget(self._dot)
        row.addLayout(words, 1)
        row.addLayout(self._answers)
        theme.changed.connect(self._on_theme_changed)

    def say(self, kind: str, text: str, hint: str = "") -> None:
        """Say something that nobody need answer; ``kind`` is that of its shape."""
        if self.question is not None:
            self.forget()
        self._kind = kind
        self._dot.set_status(kind, text)
        self.text.setText(text)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.setAccessibleName(f"{text} {hint}".strip())
        self.update()

    def ask(self, question: Question, *, folder: Path | None = None) -> None:
        """Ask; the first answer is the usual one and has the filled button.

        Paths below ``folder`` are said from there; the tooltip says them whole.
        """
        if self.question == question:
            return
        shown = question.text if folder is None else question.text.replace(str(folder), "…")
        kind = "bad" if question.kind in ALARMS else "warn"
        self.say(kind, shown, question.hint)
        self.question = question
        self.text.setToolTip(plain(question.text if shown != question.text else ""))
        self.setAccessibleName(f"The sequence waits for you: {question.text} {question.hint}")
        self._clear()
        for i, (answer, words) in enumerate(question.answers.items()):
            kind = ButtonKind.PRIMARY if i == 0 else ButtonKind.NORMAL
            button = Button(self._theme, words, ButtonKind.DANGER if _stops(answer) else kind)
            button.clicked.connect(lambda _checked=False, a=answer: self._on_answer(a))
            self.buttons[answer] = button
        # The usual answer stands at the right, where the filled button of a screen is.
        for button in reversed(self.buttons.values()):
            self._answers.addWidget(button)

    def answer_first(self) -> None:
        """Give the usual answer."""
        if self.question is not None and self.buttons:
            self._on_answer(next(iter(self.buttons)))

    def forget(self) -> None:
        """Nothing is asked any more."""
        self.question = None
        self._clear()

    def _clear(self) -> None:
        for button in self.buttons.values():
            self._answers.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {}

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(t.line2), 1))
        painter.setBrush(QColor(t.card))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.fillRect(QRectF(0, 4, 4, self.height() - 8), QColor(status_color(t, self._kind)))

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


def _stops(answer: Answer) -> bool:
    return answer is Answer.STOP
