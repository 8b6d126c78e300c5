"""A running sequence as a screen sees it: immutable snapshots, and the operator's controls."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from calibstudio.domain.equipment import CoverState, Frame, Observatory
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CapturePlan, CaptureStep
from calibstudio.domain.quality import Assessment, Verdict


class StepPhase(StrEnum):
    """Where a step is."""

    WAITING = "waiting"
    SEARCHING = "searching"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be taken."""
        return self in (StepPhase.DONE, StepPhase.FAILED, StepPhase.SKIPPED)


@dataclass(frozen=True, slots=True)
class StepState:
    """How far one step of the plan is."""

    step: CaptureStep
    phase: StepPhase = StepPhase.WAITING
    good: int = 0
    """Frames accepted (GOOD or WARN, or kept by the operator)."""
    tried: int = 0
    """Frames taken, test frames not counted."""
    warned: int = 0
    """Accepted with a warning."""
    replaced: int = 0
    """Taken again because they were bad."""
    test_frames: int = 0
    exposure_s: float | None = None
    """Fixed, found, or expected (see ``exposure_is_found``)."""
    exposure_is_found: bool = False
    """False: ``exposure_s`` is a guess and shown with ≈."""
    brightness: int | None = None
    """Panel brightness in use, read back."""
    target_adu: float | None = None
    band_adu: tuple[float, float] | None = None
    """Lowest and highest accepted level."""
    level_adu: float | None = None
    """Of the newest accepted frame."""
    seconds_to_go: float | None = None
    text: str = ""
    """Why it failed or was skipped, or what it found out, in a sentence."""
    hint: str = ""
    """What to do about it."""

    @property
    def wanted(self) -> int:
        """Good frames wanted."""
        return self.step.count


def fraction_done(steps: Sequence[StepState]) -> float:
    """Return good frames over those wanted, 0 to 1; steps that were left out do not count."""
    counted = [s for s in steps if s.phase is not StepPhase.SKIPPED]
    wanted = sum(s.wanted for s in counted)
    return min(sum(s.good for s in counted) / wanted, 1.0) if wanted else 1.0


@dataclass(frozen=True, slots=True)
class FrameResult:
    """One frame that was taken, and what became of it."""

    index: int
    """Counts every frame of the sequence from 1, test frames too; `SequenceControl` names it so."""
    step_id: str
    kind: FrameKind
    number: int
    """Counts the frames of its step from 1; 0 for a test frame that was not kept."""
    taken_at: datetime
    """Start of exposure, UTC."""
    exposure_s: float
    accepted: bool
    verdict: Verdict
    reason: str = ""
    """Why it has this verdict; empty when there is nothing to say."""
    assessment: Assessment = field(default_factory=Assessment)
    filter: str | None = None
    level_adu: float | None = None
    p999_adu: float | None = None
    """99.9th percentile, of test frames: with it a search goes on where it was."""
    brightness: int | None = None
    """Panel brightness it was taken with, read back."""
    sensor_c: float | None = None
    """At the end of the exposure."""
    sensor_before_c: float | None = None
    """Before the exposure; None where no temperature is set."""
    path: Path | None = None
    """None: a test frame, shown and thrown away."""
    kept_aside: bool = False
    """In the ``rejected`` folder, with its reason in the header."""
    is_search: bool = False
    """Taken by the search. An accepted one counts as a frame."""
    by_operator: bool = False
    """Accepted or rejected by hand, against the verdict."""
    replaced_by: int | None = None
    """Number of the frame of this step that was taken instead."""


class ActivityKind(StrEnum):
    """What the sequence does at the moment."""

    STARTING = "starting"
    COOLING = "cooling"
    MOVING = "moving"
    """Wheel, cover or lamp."""
    SEARCHING = "searching"
    EXPOSING = "exposing"
    JUDGING = "judging"
    PAUSED = "paused"
    ASKING = "asking"
    RECONNECTING = "reconnecting"
    """The camera stopped answering and is given time to come back."""
    STOPPING = "stopping"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Activity:
    """What is being done now; with seconds, a screen counts down by itself."""

    kind: ActivityKind
    text: str
    started_at: datetime
    """UTC of the observatory's clock (a simulated one may run fast)."""
    seconds: float | None = None
    """How long it takes, in observatory seconds; None: not known."""
    can_skip: bool = False
    """Whether `SequenceControl.skip_wait` ends it (cooling)."""


class Answer(StrEnum):
    """What an operator may answer."""

    YES = "yes"
    """It is as asked: covered, lit, the cooler may stay where it is."""
    RETRY = "retry"
    SKIP = "skip"
    """Leave this step out and go on."""
    STOP = "stop"


class QuestionKind(StrEnum):
    """What is asked."""

    COVER = "cover"
    OPEN = "open"
    """The telescope must be open for the next frames."""
    LIGHT = "light"
    COOLER = "cooler"
    FAILURE = "failure"
    """A device failed and did not come back by itself."""
    BAD_FRAMES = "bad frames"
    """Too many bad frames in a row."""
    DISK = "disk"
    """There is no room for the next frame."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something only the operator can answer; the sequence waits."""

    id: int
    kind: QuestionKind
    text: str
    hint: str = ""
    answers: Mapping[Answer, str] = field(default_factory=dict)
    """Answer -> text of its button, the usual one first."""


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """All a screen shows of a running sequence. A new value for each change."""

    plan: CapturePlan
    steps: tuple[StepState, ...]
    activity: Activity
    frames: tuple[FrameResult, ...] = ()
    """In the order they were taken."""
    current: int | None = None
    """Index of the step being worked on."""
    seconds_to_go: float | None = None
    ends_at: datetime | None = None
    """UTC, by the observatory's clock."""
    paused: bool = False
    stopping: bool = False
    """Stops after this frame."""
    question: Question | None = None
    folder: Path | None = None
    """The night's folder."""
    journal: Path | None = None
    """The file of the sequence."""
    bytes_a_frame: int | None = None
    bias_adu: float | None = None
    """Bias level used for the search."""
    sensor_c: float | None = None
    notes: tuple[str, ...] = ()
    """What was out of the ordinary and does not belong to a frame, one sentence each."""
    finished: bool = False

    @property
    def good(self) -> int:
        """Accepted frames, all steps together."""
        return sum(step.good for step in self.steps)

    @property
    def wanted(self) -> int:
        """Frames wanted of all steps that were not skipped."""
        return sum(s.wanted for s in self.steps if s.phase is not StepPhase.SKIPPED)

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1: good frames of those wanted. Every bar shows this one."""
        return fraction_done(self.steps)

    @property
    def step(self) -> StepState | None:
        """The step being worked on."""
        return None if self.current is None else self.steps[self.current]


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What a sequence left behind."""

    plan: CapturePlan
    steps: tuple[StepState, ...]
    frames: tuple[FrameResult, ...]
    folder: Path | None
    state_path: Path | None = None
    """Where the sequence can be resumed from; None when there is nothing left to do."""
    journal: Path | None = None
    """The file of the sequence, whatever is left to do."""
    stopped: bool = False
    """Ended before all steps were done, because it was asked to."""
    problems: tuple[tuple[str, str], ...] = ()
    """(sentence, hint) for each step that failed and everything else worth knowing."""
    notes: tuple[str, ...] = ()
    """What was out of the ordinary and went well in the end, one sentence each."""

    @property
    def accepted(self) -> tuple[Path, ...]:
        """Files of the accepted frames, in the order they were taken."""
        return tuple(f.path for f in self.frames if f.accepted and f.path is not None)


@dataclass(frozen=True, slots=True)
class FrameNotes:
    """What a file says about a frame beside what the camera says."""

    observatory: Observatory
    kind: FrameKind
    filter: str | None = None
    panel_brightness: int | None = None
    cover: CoverState | None = None
    number: int = 1
    """Of its step; part of the name."""
    sequence: str = ""
    """Title of the plan."""
    sequence_id: str = ""
    """With step, number and index: what finds the frame again when its journal was torn."""
    step_id: str = ""
    index: int = 0
    is_search: bool = False
    level_adu: float | None = None
    sensor_before_c: float | None = None
    saturation_adu: float | None = None
    rotator_deg: float | None = None
    focus_position: int | None = None
    verdict: Verdict | None = None
    reason: str = ""


class FrameSink(Protocol):
    """Where frames are kept. Nothing is ever overwritten, nothing is ever deleted."""

    @property
    def folder(self) -> Path:
        """The top folder."""
        ...

    def night_folder(self, notes: FrameNotes, at: datetime) -> Path:
        """Where frames of this moment go; the state of the sequence is kept there too."""
        ...

    def write(self, frame: Frame, notes: FrameNotes, *, aside: bool = False) -> Path:
        """Write one frame, complete and synced, and return where it is.

        Raises
        ------
        WriteProblemError
            Disk full, no permission, folder gone. Nothing half written stays.
        """
        ...

    def set_aside(self, path: Path, reason: str) -> Path:
        """Move a frame to the ``rejected`` folder, reason in its header; return where it is."""
        ...

    def take_back(self, path: Path, reason: str) -> Path:
        """Move a frame out of the ``rejected`` folder; return where it is."""
        ...


class SequenceControl:
    """The operator's hand on a running sequence. Safe to use from any thread.

    Stopping at once is the job's own cancel; `stop_after_frame` lets the exposure end.
    """

    def __init__(self, *, answers: Mapping[QuestionKind, Answer] | None = None) -> None:
        """``answers``: given without asking, for sequences that run without a screen."""
        self._lock = threading.Condition()
        self._paused = False
        self._stopping = False
        self._skip_wait = False
        self._answer: tuple[int, Answer] | None = None
        self._reviews: deque[tuple[int, bool]] = deque()
        self._standing = dict(answers or {})

    def pause(self) -> None:
        """Pause before the next frame."""
        with self._lock:
            self._paused = True
            self._lock.notify_all()

    def resume(self) -> None:
        """Go on after a pause."""
        with self._lock:
            self._paused = False
            self._lock.notify_all()

    def stop_after_frame(self) -> None:
        """End the sequence when the frame now being taken is kept."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()

    def go_on(self) -> None:
        """Take back `stop_after_frame`, while there is time."""
        with self._lock:
            self._stopping = False
            self._lock.notify_all()

    def skip_wait(self) -> None:
        """Do not wait for the cooler any longer."""
        with self._lock:
            self._skip_wait = True
            self._lock.notify_all()

    def answer(self, question: Question, answer: Answer) -> None:
        """Answer a question; an answer to an old question is forgotten."""
        with self._lock:
            self._answer = (question.id, answer)
            self._lock.notify_all()

    def accept(self, index: int) -> None:
        """Keep a frame after all (`FrameResult.index`)."""
        with self._lock:
            self._reviews.append((index, True))
            self._lock.notify_all()

    def reject(self, index: int) -> None:
        """Set a frame aside after all; it is taken again."""
        with self._lock:
            self._reviews.append((index, False))
            self._lock.notify_all()

    @property
    def paused(self) -> bool:
        """Whether a pause was asked for."""
        return self._paused

    @property
    def stopping(self) -> bool:
        """Whether a stop after this frame was asked for."""
        return self._stopping

    def standing_answer(self, kind: QuestionKind) -> Answer | None:
        """The answer given beforehand to questions of this kind."""
        return self._standing.get(kind)

    def take_answer(self, question: Question) -> Answer | None:
        """Return the answer to this question, once."""
        with self._lock:
            if self._answer is None or self._answer[0] != question.id:
                return None
            given, self._answer = self._answer[1], None
            return given

    def take_skip(self) -> bool:
        """Whether skipping a wait was asked for; asked once, skipped once."""
        with self._lock:
            skip, self._skip_wait = self._skip_wait, False
            return skip

    def take_reviews(self) -> list[tuple[int, bool]]:
        """Return (index, accept) for each frame reviewed since the last call."""
        with self._lock:
            reviews = list(self._reviews)
            self._reviews.clear()
            return reviews

    def wait_for_change(self, seconds: float) -> None:
        """Sleep until something is asked for, at most so long (in real seconds)."""
        with self._lock:
            self._lock.wait(seconds)
