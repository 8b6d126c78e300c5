"""The state of one running sequence: steps, frames, questions, time to go, and telling the screen.

Used by one thread, the camera's. Everything another thread sees is an immutable `CaptureStatus`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from calibstudio.domain.capture import (
    Activity,
    ActivityKind,
    Answer,
    CaptureStatus,
    FrameResult,
    FrameSink,
    Question,
    QuestionKind,
    SequenceControl,
    StepPhase,
    StepState,
    fraction_done,
)
from calibstudio.domain.equipment import CameraInfo, Frame, Observatory
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import (
    KEEP_FRAME_S,
    CapturePlan,
    CaptureStep,
    Search,
    expected_exposure_s,
    frame_bytes,
    readout_s,
)
from calibstudio.domain.quality import Verdict
from calibstudio.domain.thresholds import Thresholds
from calibstudio.services.capture_journal import StateLog
from calibstudio.services.cooling import CoolingRules
from calibstudio.services.latest import Latest
from calibstudio.services.trained import TrainedStore

log = logging.getLogger(__name__)

T = TypeVar("T")

LISTEN_S = 0.2
"""How often, in real seconds, a waiting sequence looks whether it was cancelled."""
FAILURE_ANSWERS: Mapping[Answer, str] = {
    Answer.RETRY: "Retry",
    Answer.SKIP: "Skip this step",
    Answer.STOP: "Stop",
}


class SequenceStopped(Exception):
    """The operator ended the sequence; what is complete is kept. Never leaves the services."""


class StepEnded(Exception):
    """A step cannot go on; the rest of the sequence does. Never leaves the services."""

    def __init__(self, message: str, *, hint: str = "", skipped: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.skipped = skipped


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sequence works with; the same from start to end."""

    ctx: JobContext
    observatory: Observatory
    sink: FrameSink
    control: SequenceControl
    on_status: Callable[[CaptureStatus], None]
    thresholds: Thresholds
    trained: TrainedStore | None = None
    preview: Latest[Frame] | None = None
    cooling: CoolingRules = field(default_factory=CoolingRules)

    @property
    def info(self) -> CameraInfo:
        """Facts about the camera."""
        return self.observatory.camera.info

    def now(self) -> datetime:
        """UTC by the observatory's clock."""
        return self.observatory.clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait so many observatory seconds; raises `Cancelled`."""
        self.observatory.clock.sleep(seconds, self.ctx.token)


class SequenceRun:
    """What has happened and what is to come. Changes through its methods only, each one told."""

    def __init__(
        self, around: Surroundings, plan: CapturePlan, steps: tuple[StepState, ...]
    ) -> None:
        self.around = around
        self.plan = plan
        self.steps = list(steps)
        self.frames: list[FrameResult] = []
        self.notes: list[str] = []
        self.current: int | None = None
        self.question: Question | None = None
        self.paused = False
        self.folder: Path | None = None
        self.bias_adu: float | None = None
        self.sensor_c: float | None = None
        self.state_log: StateLog | None = None
        self.earlier_tries: dict[str, tuple[FrameResult, ...]] = {}
        """Test frames of searches that were cut off, by step; a search goes on with them."""
        self.finished = False
        self._activity = Activity(ActivityKind.STARTING, "Starting", around.now())
        self._questions = 0
        self._overhead_s: float | None = None

    # Telling --------------------------------------------------------------------------------

    def publish(self) -> None:
        """Hand the newest state to the screen and the job."""
        left = None if self.finished else self.seconds_to_go()
        now = self.around.now()
        step = None if self.current is None else self.plan.steps[self.current]
        self.around.on_status(
            CaptureStatus(
                plan=self.plan,
                steps=tuple(self._as_shown(i) for i in range(len(self.steps))),
                activity=self._activity,
                frames=tuple(self.frames),
                current=self.current,
                seconds_to_go=left,
                ends_at=None if left is None else now + timedelta(seconds=left),
                paused=self.paused,
                stopping=self.around.control.stopping and not self.finished,
                question=self.question,
                folder=self.folder,
                journal=None if self.state_log is None else self.state_log.path,
                bytes_a_frame=None
                if step is None
                else frame_bytes(self.around.info, step.settings),
                bias_adu=self.bias_adu,
                sensor_c=self.sensor_c,
                notes=tuple(self.notes),
                finished=self.finished,
            )
        )

    def _as_shown(self, index: int) -> StepState:
        """Return a step with its time to go, and with the exposure that is expected so far."""
        state = self.steps[index]
        if state.phase.is_over:
            return state
        exposure_s = state.exposure_s
        if exposure_s is None and state.step.exposure_from is not None:
            exposure_s = self.steps[self.index_of(state.step.exposure_from)].exposure_s
        return replace(state, exposure_s=exposure_s, seconds_to_go=self.step_seconds(index))

    def activity(
        self,
        kind: ActivityKind,
        text: str,
        seconds: float | None = None,
        *,
        can_skip: bool = False,
    ) -> None:
        """Say what is being done now, and check for a cancel."""
        self.say(kind, text, seconds, can_skip=can_skip)
        self.around.ctx.progress(min(fraction_done(self.steps), 0.999), text)

    def say(
        self,
        kind: ActivityKind,
        text: str,
        seconds: float | None = None,
        *,
        can_skip: bool = False,
    ) -> None:
        """Say what is being done now, whatever was cancelled."""
        self._activity = Activity(kind, text, self.around.now(), seconds, can_skip)
        self.publish()

    def note(self, text: str, *, passing: bool = False) -> None:
        """Keep a sentence about something out of the ordinary.

        ``passing``: true only until the sequence ends; a later one that goes on does not say it.
        """
        log.info("%s", text)
        if text in self.notes:
            return
        self.notes.append(text)
        if self.state_log is not None:
            try:
                self.state_log.note(text, passing=passing)
            except CalibStudioError as error:
                log.warning("%s", error)

    def change_step(self, index: int, **changes: object) -> StepState:
        """Change a step's state and tell; the log on disk learns of a change of phase."""
        before = self.steps[index]
        state = replace(before, **changes)  # type: ignore[arg-type]
        self.steps[index] = state
        learned = state.phase is not before.phase or (
            state.exposure_is_found and state.exposure_s != before.exposure_s
        )
        if learned and self.state_log is not None:
            self._remember(self.state_log.step, state)
        self.publish()
        return state

    def _remember(self, write: Callable[[T], None], what: T) -> None:
        """Write to the sequence's file; what a disk refuses is written with the next line."""
        try:
            write(what)
        except CalibStudioError as error:
            self.note(f"The journal of the sequence waits: {error}")

    def remember_agreed(self, set_temp_c: float, use_c: float) -> None:
        """Write down that another temperature is taken than the one asked for."""
        if (journal := self.state_log) is not None:
            self._remember(lambda c: journal.agreed(set_temp_c, c), use_c)

    # Frames ---------------------------------------------------------------------------------

    def add_frame(self, result: FrameResult) -> None:
        """Add a frame that was taken and count it."""
        self.frames.append(result)
        if self.state_log is not None:
            self._remember(self.state_log.frame, result)
        self._count(self.index_of(result.step_id), result)

    def change_frame(self, result: FrameResult) -> None:
        """Put a changed frame in the place of the one with its index, and count anew."""
        for at, old in enumerate(self.frames):
            if old.index == result.index:
                self.frames[at] = result
                break
        if self.state_log is not None:
            self._remember(self.state_log.frame, result)
        self._count(self.index_of(result.step_id), None)

    def next_frame_index(self) -> int:
        """Number of the next frame of the sequence."""
        return max((f.index for f in self.frames), default=0) + 1

    def next_number(self, step_id: str) -> int:
        """Number of the next frame of a step."""
        return max((f.number for f in self.frames if f.step_id == step_id), default=0) + 1

    def frames_of(self, step_id: str, *, accepted: bool = True) -> list[FrameResult]:
        """Return the numbered frames of a step."""
        return [
            f
            for f in self.frames
            if f.step_id == step_id and f.number > 0 and (f.accepted or not accepted)
        ]

    def index_of(self, step_id: str) -> int:
        """Return the place of a step in the plan."""
        return next(i for i, s in enumerate(self.plan.steps) if s.id == step_id)

    def _count(self, index: int, newest: FrameResult | None) -> None:
        """Count the frames of a step anew; a step that is short again is opened again."""
        step_id = self.plan.steps[index].id
        own = self.frames_of(step_id, accepted=False)
        kept = [f for f in own if f.accepted]
        tests = sum(f.step_id == step_id and f.is_search for f in self.frames)
        changes: dict[str, object] = {
            "good": len(kept),
            "tried": len(own),
            "warned": sum(f.verdict is Verdict.WARN for f in kept),
            "replaced": len(own) - len(kept),
            "test_frames": tests,
        }
        if newest is not None and newest.accepted:
            changes["level_adu"] = newest.level_adu
        state = self.steps[index]
        if state.phase is StepPhase.DONE and len(kept) < state.wanted:
            changes |= {"phase": StepPhase.WAITING, "text": "A frame is taken again."}
        self.change_step(index, **changes)

    # Waiting and asking ---------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Between two frames: take reviews, wait while paused, end when asked to.

        Raises
        ------
        SequenceStopped, Cancelled
        """
        control = self.around.control
        self._take_reviews()
        while control.paused and not control.stopping:
            if not self.paused:
                self.paused = True
                self.activity(ActivityKind.PAUSED, "Paused")
            control.wait_for_change(LISTEN_S)
            self.around.ctx.token.check()
            self._take_reviews()
        if self.paused:
            self.paused = False
            self.publish()
        if control.stopping:
            raise SequenceStopped
        self.around.ctx.token.check()

    def ask(
        self,
        kind: QuestionKind,
        text: str,
        hint: str,
        answers: Mapping[Answer, str],
        *,
        until: Callable[[], bool] | None = None,
    ) -> Answer:
        """Ask the operator and wait for the answer, in real time.

        Where ``until`` becomes true meanwhile, nobody need answer: it is tried again.

        Raises
        ------
        SequenceStopped
            If the answer is to stop.
        StepEnded
            If the answer is to skip this step.
        Cancelled
            As everywhere.
        """
        control = self.around.control
        answer = control.standing_answer(kind)
        if answer is None:
            self._questions += 1
            question = Question(self._questions, kind, text, hint, answers)
            self.question = question
            self.activity(ActivityKind.ASKING, text)
            while (answer := control.take_answer(question)) is None:
                if control.stopping:
                    answer = Answer.STOP
                    break
                if until is not None and until():
                    answer = Answer.RETRY
                    break
                control.wait_for_change(LISTEN_S)
                self.around.ctx.token.check()
            self.question = None
            self.publish()
        else:
            self.note(text)
        if answer is Answer.STOP:
            raise SequenceStopped(text)
        if answer is Answer.SKIP:
            failed = kind in (QuestionKind.FAILURE, QuestionKind.BAD_FRAMES)
            raise StepEnded(text, hint=hint, skipped=not failed)
        return answer

    def _take_reviews(self) -> None:
        for index, keep in self.around.control.take_reviews():
            frame = next((f for f in self.frames if f.index == index), None)
            if frame is not None and frame.path is not None and frame.accepted is not keep:
                self._review(frame, frame.path, keep=keep)

    def _review(self, frame: FrameResult, path: Path, *, keep: bool) -> None:
        try:
            if keep:
                new = self.around.sink.take_back(path, f"by the operator. {frame.reason}".strip())
            else:
                new = self.around.sink.set_aside(path, "by the operator.")
        except CalibStudioError as error:
            self.note(f"{error} {error.hint}".strip())
            self.publish()
            return
        self.change_frame(
            replace(
                frame, accepted=keep, kept_aside=not keep, path=new, by_operator=True,
                replaced_by=None if keep else frame.replaced_by,
            )
        )  # fmt: skip

    # Time -----------------------------------------------------------------------------------

    def learn_overhead(self, seconds: float) -> None:
        """Learn what a frame costs beside its exposure and read-out, in observatory seconds."""
        seconds = max(0.0, seconds)
        old = self._overhead_s
        self._overhead_s = seconds if old is None else 0.7 * old + 0.3 * seconds

    def frame_seconds(self, step: CaptureStep, exposure_s: float) -> float:
        """Return what one frame of a step is expected to take."""
        overhead = KEEP_FRAME_S if self._overhead_s is None else self._overhead_s
        return exposure_s + readout_s(self.around.info, step.settings) + overhead

    def expected_exposure_s(self, index: int) -> float:
        """Return a step's exposure: found, given or guessed."""
        found = {s.step.id: s.exposure_s for s in self.steps if s.exposure_s is not None}
        return expected_exposure_s(self.plan, self.plan.steps[index], self.around.info, found)

    def step_seconds(self, index: int) -> float:
        """Return the seconds a step still needs."""
        state = self.steps[index]
        if state.phase.is_over:
            return 0.0
        left = max(0, state.wanted - state.good)
        if state.step.search is not Search.NOTHING and not state.exposure_is_found:
            left += 2
        return left * self.frame_seconds(state.step, self.expected_exposure_s(index))

    def seconds_to_go(self) -> float:
        """Return the seconds the sequence still needs, cooling included while it runs."""
        cooling = 0.0
        if self._activity.kind is ActivityKind.COOLING and self._activity.seconds is not None:
            cooling = self._activity.seconds
        return cooling + sum(self.step_seconds(i) for i in range(len(self.steps)))
