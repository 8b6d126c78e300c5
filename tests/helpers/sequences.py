"""Runs a sequence as a screen would: keeps every status, and acts when it sees something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calibstudio.domain.capture import (
    Answer,
    CaptureReport,
    CaptureStatus,
    Question,
    QuestionKind,
    SequenceControl,
)
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.plan import CapturePlan
from calibstudio.services.capture import run_sequence
from calibstudio.store.folder_sink import FolderSink


@dataclass
class Operator:
    """Watches a sequence from its own thread's callbacks; questions get the answers it knows."""

    answers: Mapping[QuestionKind, list[Answer]] = field(default_factory=dict)
    on_status: Callable[[CaptureStatus], None] = lambda status: None
    control: SequenceControl = field(default_factory=SequenceControl)
    token: CancelToken = field(default_factory=CancelToken)
    statuses: list[CaptureStatus] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def run(
        self, observatory: Observatory, plan: CapturePlan, folder: Path, **options: Any
    ) -> CaptureReport:
        sink = options.pop("sink", None) or FolderSink(folder)
        return run_sequence(
            JobContext(self.token), observatory, plan, sink, self.control, self._see, **options
        )

    def _see(self, status: CaptureStatus) -> None:
        self.statuses.append(status)
        question = status.question
        if question is not None and question not in self.questions:
            self.questions.append(question)
            known = self.answers.get(question.kind)
            answer = known.pop(0) if known else Answer.STOP
            self.control.answer(question, answer)
        self.on_status(status)

    @property
    def last(self) -> CaptureStatus:
        return self.statuses[-1]

    @property
    def said(self) -> list[str]:
        """What the sequence said it was doing, without repetitions."""
        texts = [s.activity.text for s in self.statuses]
        return [t for i, t in enumerate(texts) if i == 0 or texts[i - 1] != t]
