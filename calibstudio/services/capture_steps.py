"""Carrying out the steps of a plan: search the level, take frames until enough are good."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from calibstudio.domain.capture import ActivityKind, FrameResult, QuestionKind, StepPhase
from calibstudio.domain.dark_flat_sets import bias_is_nearer
from calibstudio.domain.equipment import Frame
from calibstudio.domain.errors import CalibStudioError, DeviceError
from calibstudio.domain.kinds import FrameKind, kind_title
from calibstudio.domain.plan import CaptureStep, LightSource, Search, readout_s
from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import (
    count,
    exposure,
    number,
    quantity,
)
from calibstudio.services.auto_exposure import Goal, corrected
from calibstudio.services.capture_frames import Expected, FrameTaker, frame_on_disk
from calibstudio.services.capture_levels import BiasLevel, Levels
from calibstudio.services.capture_outliers import level_outliers, newest_may_be_first_dark
from calibstudio.services.capture_run import FAILURE_ANSWERS, SequenceRun, StepEnded
from calibstudio.services.capture_scene import Scene
from calibstudio.services.capture_search import UNTRAINED_START_S, Searcher, of_filter
from calibstudio.services.capture_twilight import TwilightFlats
from calibstudio.services.trained import TrainedKey

TRIES = 3
"""A step gives up after so many times the frames it wants."""
BAD_IN_A_ROW = 5
"""After so many bad frames in a row the operator is asked before more time is lost."""


class StepRunner:
    """Carries out one step after the other."""

    def __init__(self, run: SequenceRun, scene: Scene, taker: FrameTaker) -> None:
        self._run, self._scene, self._taker = run, scene, taker
        self._levels = Levels(run, scene, taker)
        keep_test = partial(self._judged_and_kept, is_search=True)
        keep = partial(self._judged_and_kept, is_search=False)
        self._search = Searcher(run, scene, taker, keep_test)
        self._twilight = TwilightFlats(run, scene, taker, keep_test, keep)

    def remember(self, frames: Sequence[FrameResult]) -> None:
        """Learn again what the frames of before the stop tell: bias level, dark rate.

        One covered frame of each step is read; one that cannot be read teaches nothing.
        """
        newest = {f.step_id: f for f in frames if f.accepted and f.path is not None}
        for step in sorted(self._run.plan.steps, key=lambda s: s.kind is not FrameKind.BIAS):
            result = newest.get(step.id)
            if result is None or step.kind.needs_light:
                continue
            frame = frame_on_disk(step, result, self._run.around.observatory.camera)
            if frame is None:
                continue
            self._levels.learn_bias(step, frame)
            if step.kind in (FrameKind.DARK_FLAT, FrameKind.DARK):
                self._levels.learn_dark(step, frame)

    def run_all(self) -> None:
        """Carry out what is left of the plan, in order; a step that is short again comes again.

        Raises
        ------
        SequenceStopped, Cancelled
        """
        while (index := self._next()) is not None:
            self._run.current = index
            try:
                if not self._is_complete(index):
                    self._run_step(index)
            except StepEnded as ended:
                self._end(index, ended.skipped, str(ended), ended.hint)
            except DeviceError as error:
                self._after_device_error(index, error)
            except CalibStudioError as error:
                self._end(index, False, str(error), error.hint)
            # Reviews that arrive while the last frame is kept may open a step again.
            self._run.checkpoint()

    def _is_complete(self, index: int) -> bool:
        """Close a step that has all its frames already: cut off before it could say so."""
        state = self._run.steps[index]
        if state.good < state.wanted:
            return False
        self._run.change_step(index, phase=StepPhase.DONE, text=self._summary(index), hint="")
        return True

    def _next(self) -> int | None:
        """Return the next step: in order of the plan, dark flats by falling exposure."""
        waiting = [i for i, state in enumerate(self._run.steps) if not state.phase.is_over]
        if not waiting:
            return None
        first = waiting[0]
        if self._run.plan.steps[first].kind is not FrameKind.DARK_FLAT:
            return first
        block = []
        for i in range(first, len(self._run.steps)):
            if self._run.plan.steps[i].kind is not FrameKind.DARK_FLAT:
                break
            if i in waiting:
                block.append(i)
        return max(block, key=lambda i: (self._dark_flat_exposure_s(i) or 0.0, -i))

    def _end(self, index: int, skipped: bool, text: str, hint: str) -> None:
        phase = StepPhase.SKIPPED if skipped else StepPhase.FAILED
        self._run.change_step(index, phase=phase, text=text, hint=hint)

    def _after_device_error(self, index: int, error: DeviceError) -> None:
        """A wheel, cover, lamp or cooler failed: ask, and try the step again where it was."""
        try:
            self._run.ask(QuestionKind.FAILURE, str(error), error.hint, FAILURE_ANSWERS)
        except StepEnded as ended:
            self._end(index, ended.skipped, str(ended), ended.hint)

    # One step ---------------------------------------------------------------------------------

    def _run_step(self, index: int) -> None:
        step = self._run.plan.steps[index]
        self._run.checkpoint()
        if step.kind is FrameKind.FLAT:
            self._run_flats(index, step)
        elif step.kind is FrameKind.DARK_FLAT:
            self._run_dark_flats(index, step)
        else:
            exposure_s = step.exposure_s if step.exposure_s is not None else 0.0
            self._run_covered(index, step, exposure_s)

    def _run_covered(self, index: int, step: CaptureStep, exposure_s: float) -> None:
        self._scene.prepare(step, None)
        self._run.change_step(
            index, phase=StepPhase.RUNNING, exposure_s=exposure_s, exposure_is_found=True
        )
        self._frames(index, step, exposure_s, None)

    def _run_flats(self, index: int, step: CaptureStep) -> None:
        """Bias level, search, frames; the exposure follows a lamp that drifts."""
        if step.light is LightSource.SKY:
            self._twilight.await_sun(step)
        self._scene.cooler.reach(step)
        bias = self._levels.bias(step)
        goal = None if step.target is None else self._levels.goal(step.target, bias)
        state = self._run.steps[index]
        brightness = (
            state.brightness if state.exposure_is_found else self._search.start_brightness(step)
        )
        if step.light is LightSource.SKY:
            self._twilight.await_sky(step, is_open=False)
        self._scene.prepare(step, brightness)
        self._run.change_step(
            index,
            phase=StepPhase.SEARCHING if step.search is not Search.NOTHING else StepPhase.RUNNING,
            brightness=self._scene.brightness,
            target_adu=None if goal is None else goal.target_adu,
            band_adu=None if goal is None or step.target is None
            else step.target.band_adu(goal.target_adu),
        )  # fmt: skip
        if step.light is LightSource.SKY and goal is not None:
            self._twilight.take(index, step, goal)
            return
        if goal is None or (step.search is Search.NOTHING and step.exposure_s is not None):
            seconds = step.exposure_s if step.exposure_s is not None else UNTRAINED_START_S
        elif step.search is Search.BRIGHTNESS:
            seconds = self._search.brightness(step, goal, brightness)
        else:
            seconds = self._search.exposure(index, step, goal)
        self._run.change_step(
            index,
            phase=StepPhase.RUNNING,
            exposure_s=seconds,
            exposure_is_found=True,
            brightness=self._scene.brightness,
        )
        self._frames(index, step, seconds, goal)
        self._learn(index, step, bias)

    def _run_dark_flats(self, index: int, step: CaptureStep) -> None:
        seconds = self._dark_flat_exposure_s(index)
        if seconds is None:
            source = step.exposure_from or ""
            raise StepEnded(
                f"There are no flats to take dark flats for ({source}).",
                hint="Take the flats first.",
                skipped=True,
            )
        served = self._served_by(index, step, seconds)
        if served is not None:
            raise StepEnded(served, skipped=True)
        self._run_covered(index, step, seconds)

    # Dark flats -------------------------------------------------------------------------------

    def _dark_flat_exposure_s(self, index: int) -> float | None:
        """Return the median exposure of the flats a step belongs to; None when there are none."""
        step = self._run.plan.steps[index]
        if step.exposure_from is None:
            return step.exposure_s
        taken = [f.exposure_s for f in self._run.frames_of(step.exposure_from)]
        return statistics.median(taken) if taken else None

    def _served_by(self, index: int, step: CaptureStep, seconds: float) -> str | None:
        """Return which dark flats taken already serve this exposure too, in a sentence."""
        signal = self._signal_adu(step)
        for i, state in enumerate(self._run.steps):
            other = state.step
            if (
                i == index
                or other.kind not in (FrameKind.DARK_FLAT, FrameKind.DARK)
                or other.settings != step.settings
                or state.good < step.count
                or state.exposure_s is None
                or bias_is_nearer(other.kind, state.exposure_s, seconds)
            ):
                continue
            reason = self._levels.serves(step, state.exposure_s, seconds, signal)
            if reason is not None:
                of = f" of filter {other.filter}" if other.filter else ""
                return f"The {other.kind}s{of}, {exposure(state.exposure_s)}, serve. {reason}"
        return None

    def _signal_adu(self, step: CaptureStep) -> float | None:
        """Return the level above bias of the flats a dark flat belongs to."""
        bias = self._levels.known_bias_adu(step.settings)
        if step.exposure_from is None or bias is None:
            return None
        levels = [f.level_adu for f in self._run.frames_of(step.exposure_from)]
        known = [level for level in levels if level is not None]
        return statistics.median(known) - bias if known else None

    # Taking frames ------------------------------------------------------------------------------

    def _frames(self, index: int, step: CaptureStep, exposure_s: float, goal: Goal | None) -> None:
        """Take frames until enough are good.

        Raises
        ------
        StepEnded
            After three times as many tries as frames wanted, with the reason of the last.
        """
        run = self._run
        bad_in_a_row = 0
        taken_here = 0
        while True:
            run.checkpoint()
            state = run.steps[index]
            if state.good >= state.wanted and not self._is_undecided(step, taken_here):
                break
            if taken_here >= TRIES * step.count:
                raise self._gave_up(step)
            self._scene.settle(step)
            began = run.around.now()
            result = self._one_frame(step, exposure_s, goal)
            taken_here += 1
            self._learn_pace(step, result, (run.around.now() - began) / timedelta(seconds=1))
            bad_in_a_row = 0 if result.accepted else bad_in_a_row + 1
            exposure_s = self._next_exposure(step, exposure_s, result, goal)
            if bad_in_a_row >= BAD_IN_A_ROW:
                self._ask_about_bad_frames(step, result, bad_in_a_row)
                bad_in_a_row = 0
        text = self._summary(index)
        run.change_step(index, phase=StepPhase.DONE, text=text, hint="")

    def _one_frame(self, step: CaptureStep, exposure_s: float, goal: Goal | None) -> FrameResult:
        number_ = self._run.next_number(step.id)
        text = f"{kind_title(step.kind)}{of_filter(step)}, {exposure(exposure_s)}"
        frame = self._taker.expose(step, exposure_s, f"{text}, frame {number_}", number_)
        result = self._judged_and_kept(step, frame, goal, is_search=False)
        if result.accepted:
            self._levels.learn_bias(step, frame)
            if step.kind in (FrameKind.DARK_FLAT, FrameKind.DARK):
                self._levels.learn_dark(step, frame)
            self._set_outliers_aside(step)
        return result

    def _judged_and_kept(
        self, step: CaptureStep, frame: Frame, goal: Goal | None, *, is_search: bool
    ) -> FrameResult:
        # As it was read when the sensor was looked at, just before the exposure.
        before_c = self._run.sensor_c if step.settings.set_temp_c is not None else None
        # A frame that is complete is kept, also when the cancel came while it was read out.
        self._run.say(ActivityKind.JUDGING, "Judging and saving")
        expected = Expected(
            bias_adu=goal.bias_adu if goal else self._levels.known_bias_adu(step.settings),
            target_adu=goal.target_adu if goal else None,
            tolerance=goal.tolerance if goal else 0.10,
            set_temp_c=self._scene.cooler.set_temp_c(step),
            held_temp_c=self._scene.cooler.held_temp_c(step, frame.sensor_c),
        )
        assessment = self._taker.judge(step, frame, expected)
        return self._taker.keep(
            step,
            frame,
            assessment,
            saturation_adu=goal.saturation_adu if goal else None,
            sensor_before_c=before_c,
            is_search=is_search,
        )

    def _next_exposure(
        self, step: CaptureStep, exposure_s: float, result: FrameResult, goal: Goal | None
    ) -> float:
        """Follow a lamp that drifts: correct the exposure where the level left the middle."""
        if goal is None or result.level_adu is None or step.search is not Search.EXPOSURE:
            return exposure_s
        if not result.accepted and goal.is_reached(result.level_adu):
            return exposure_s
        shortest, longest = step.limits.exposures(self._run.around.info)
        return corrected(result.exposure_s, result.level_adu, goal, shortest, longest)

    def _is_undecided(self, step: CaptureStep, taken_here: int) -> bool:
        """Whether one frame more than wanted tells which of two dark levels is the right one."""
        if step.kind.needs_light or not 0 < taken_here <= 2 * step.count:
            return False
        return newest_may_be_first_dark(self._run.frames_of(step.id))

    def _set_outliers_aside(self, step: CaptureStep) -> None:
        """Covered frames of one step have one level; those of another are taken again."""
        if step.kind.needs_light:
            return
        kept = [f for f in self._run.frames_of(step.id) if not f.by_operator]
        for frame, away, limit in level_outliers(kept):
            self._set_aside(frame, away, limit)

    def _set_aside(self, frame: FrameResult, away_adu: float, limit_adu: float) -> None:
        away, limit = quantity(away_adu, "ADU", 1), quantity(limit_adu, "ADU", 1)
        reason = f"Level {away} from the others, limit {limit}."
        if frame.path is None:
            return
        try:
            path = self._run.around.sink.set_aside(frame.path, reason)
        except CalibStudioError as error:
            self._run.note(f"{error} {error.hint}".strip())
            return
        self._run.change_frame(
            replace(
                frame,
                accepted=False,
                kept_aside=True,
                verdict=Verdict.BAD,
                reason=reason,
                path=path,
            )
        )

    # Words and lessons --------------------------------------------------------------------------

    def _gave_up(self, step: CaptureStep) -> StepEnded:
        own = self._run.frames_of(step.id, accepted=False)
        good = sum(f.accepted for f in own)
        last = next((f.reason for f in reversed(own) if not f.accepted and f.reason), "")
        finding = next((f.assessment.worst_finding for f in reversed(own) if not f.accepted), None)
        return StepEnded(
            f"{number(good)} of {number(step.count)} frames are good after "
            f"{count(len(own), 'try', 'tries')}. {last}".strip(),
            hint=finding.cure if finding is not None else "Look at the frames set aside.",
        )

    def _ask_about_bad_frames(self, step: CaptureStep, result: FrameResult, n: int) -> None:
        finding = result.assessment.worst_finding
        cure = finding.cure if finding is not None else ""
        text = f"{n} frames in a row were bad. {result.reason}".strip()
        self._run.ask(QuestionKind.BAD_FRAMES, text, cure, FAILURE_ANSWERS)

    def _summary(self, index: int) -> str:
        state = self._run.steps[index]
        parts = []
        if state.test_frames and state.exposure_s is not None:
            parts.append(f"{count(state.test_frames, 'test frame')}, {exposure(state.exposure_s)}.")
        if state.replaced:
            parts.append(f"{number(state.replaced)} replaced.")
        return " ".join(parts)

    def _learn_pace(self, step: CaptureStep, result: FrameResult, seconds: float) -> None:
        rest = seconds - result.exposure_s - readout_s(self._run.around.info, step.settings)
        self._run.learn_overhead(rest)

    def _learn(self, index: int, step: CaptureStep, bias: BiasLevel) -> None:
        """Keep what gave the level for next time."""
        trained = self._run.around.trained
        frames = self._run.frames_of(step.id)
        if trained is None or not frames or frames[-1].level_adu is None:
            return
        last = frames[-1]
        key = TrainedKey.of(step.settings, step.filter, self._run.steps[index].brightness)
        try:
            trained.learn(
                key,
                last.exposure_s,
                (last.level_adu or 0.0) - bias.level_adu,
                last.taken_at,
                bias_adu=bias.level_adu,
            )
        except CalibStudioError as error:
            self._run.note(f"The trained value was not kept: {error}")
