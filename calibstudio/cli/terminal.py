"""The operator at a terminal: asks the questions of a sequence that has no window."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Mapping
from typing import TextIO

from calibstudio.cli.frame import Problem, say_problem
from calibstudio.domain.capture import (
    Answer,
    CaptureStatus,
    Question,
    QuestionKind,
    SequenceControl,
)
from calibstudio.domain.jobs import CancelToken

TRUSTING: Mapping[QuestionKind, Answer] = {
    QuestionKind.COVER: Answer.YES,
    QuestionKind.OPEN: Answer.YES,
    QuestionKind.LIGHT: Answer.YES,
    QuestionKind.COOLER: Answer.SKIP,
    QuestionKind.FAILURE: Answer.SKIP,
    QuestionKind.BAD_FRAMES: Answer.SKIP,
}
"""What ``--no-confirm`` answers: it is as asked, and what fails is left out and said."""


class TerminalOperator:
    """Answers questions: from the file, by ``--no-confirm``, or by asking at the terminal.

    Where nobody can be asked the sequence stops and says so; it can go on later. A full disk is
    waited for in any case.
    """

    def __init__(
        self,
        answers: Mapping[QuestionKind, Answer],
        *,
        no_confirm: bool,
        stdin: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self._in, self._err = stdin or sys.stdin, stderr or sys.stderr
        standing = {**TRUSTING, **answers} if no_confirm else dict(answers)
        self.control = SequenceControl(answers=standing)
        self.problems: list[Problem] = []
        """Questions that nobody could answer."""
        self._asked: Question | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader: threading.Thread | None = None
        self.newest: CaptureStatus | None = None

    @property
    def is_there(self) -> bool:
        """Whether somebody can be asked."""
        return self._in.isatty() and self._err.isatty()

    def see(self, status: CaptureStatus) -> None:
        """Look at a status of the sequence, and deal with a question it asks."""
        self.newest = status
        question = status.question
        if question is None:
            self._asked = None
        elif question != self._asked:
            self._asked = question
            self._deal_with(question)

    def confirm(self, text: str, token: CancelToken) -> bool:
        """Ask whether to begin; True where nobody can be asked.

        Raises
        ------
        Cancelled
        """
        if not self.is_there:
            return True
        self._say(f"{text}\nBegin? [Y/n] ")
        self._listen()
        while True:
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                token.check()
                continue
            return line.strip().lower() in ("", "y", "yes")

    def _deal_with(self, question: Question) -> None:
        if self.is_there:
            self._ask(question)
        elif question.kind is QuestionKind.DISK:
            say_problem(question.text, question.hint, self._err)
        else:
            hint = "Run it in a terminal, answer it in the file, or give --no-confirm."
            self.problems.append(Problem(f"{question.text} Nobody could be asked.", hint))
            self.control.answer(question, Answer.STOP)

    def _ask(self, question: Question) -> None:
        choices = "  ".join(
            f"[{i}] {words}" for i, words in enumerate(question.answers.values(), 1)
        )
        self._say(f"{question.text} {question.hint}\n{choices}: ")
        threading.Thread(
            target=self._wait_for, args=(question,), daemon=True, name="asking"
        ).start()

    def _wait_for(self, question: Question) -> None:
        """Wait for a line that is an answer, for as long as the question stands."""
        self._listen()
        options = list(question.answers)
        while self._asked == question:
            try:
                line = self._lines.get(timeout=0.2).strip()
            except queue.Empty:
                continue
            if line.isdigit() and 1 <= int(line) <= len(options):
                self.control.answer(question, options[int(line) - 1])
                return
            self._say(f"Type a number from 1 to {len(options)}: ")

    def _say(self, text: str) -> None:
        """Write over a progress bar that may stand there."""
        self._err.write(f"\r\x1b[K{text}")
        self._err.flush()

    def _listen(self) -> None:
        """Read lines for the rest of the program; a terminal cannot be read with a limit."""
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True, name="terminal")
            self._reader.start()

    def _read(self) -> None:
        for line in self._in:
            self._lines.put(line)
