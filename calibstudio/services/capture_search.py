"""Searching the level of a flat with test frames: by its exposure, or by the panel's brightness."""

from __future__ import annotations

from collections.abc import Callable

from calibstudio.domain.capture import FrameResult
from calibstudio.domain.equipment import Frame
from calibstudio.domain.plan import CaptureStep, LightSource
from calibstudio.domain.wording import exposure, number, quantity
from calibstudio.services.auto_exposure import (
    MAX_BRIGHTNESS_FRAMES,
    Bounds,
    Circumstances,
    Found,
    GaveUp,
    Goal,
    LevelSearch,
    Measured,
    Outcome,
    Try,
)
from calibstudio.services.capture_frames import FrameTaker
from calibstudio.services.capture_run import SequenceRun, StepEnded
from calibstudio.services.capture_scene import Scene
from calibstudio.services.trained import TrainedKey

UNTRAINED_START_S = 1.0
MOST_COPIES = 5
"""Stale test frames that are taken again before they are believed."""

Keep = Callable[[CaptureStep, Frame, Goal], FrameResult]
"""Judges and keeps the test frame that has the level: it counts as a frame."""


class Searcher:
    """Takes test frames until the level is right."""

    def __init__(self, run: SequenceRun, scene: Scene, taker: FrameTaker, keep: Keep) -> None:
        self._run, self._scene, self._taker, self._keep = run, scene, taker, keep

    def start_brightness(self, step: CaptureStep) -> int | None:
        """Return the brightness a step begins with; None where no panel is used."""
        panel = self._run.around.observatory.panel
        if step.light is not LightSource.PANEL or panel is None:
            return None
        if step.brightness is not None:
            return step.brightness
        return max(1, panel.info.max_brightness // 2)

    def exposure(self, index: int, step: CaptureStep, goal: Goal) -> float:
        """Search the exposure, within what the camera and the step allow; return it."""
        info = self._run.around.info
        shortest, longest = step.limits.exposures(info)
        panel = self._run.around.observatory.panel
        search = LevelSearch(
            goal,
            Bounds(shortest, longest, self._start_s(index, step, goal),
                   max_frames=step.limits.max_frames),
            Circumstances(
                brightness=self._scene.brightness if step.light is LightSource.PANEL else None,
                max_brightness=panel.info.max_brightness if panel else None,
                camera_shortest_s=info.exposure_min_s,
                camera_longest_s=info.exposure_max_s,
                can_dim=step.light is LightSource.PANEL,
            ),
        )  # fmt: skip
        return self._search(step, search, goal)

    def _start_s(self, index: int, step: CaptureStep, goal: Goal) -> float:
        """Return where the search starts: found before, given, trained, else at most 1 s."""
        state = self._run.steps[index]
        if state.exposure_is_found and state.exposure_s is not None:
            return state.exposure_s
        if step.exposure_s is not None:
            return step.exposure_s
        if self._run.around.trained is not None:
            key = TrainedKey.of(step.settings, step.filter, self._scene.brightness)
            if (value := self._run.around.trained.find(key)) is not None:
                return value.exposure_for(goal.signal_adu)
        return UNTRAINED_START_S

    def brightness(self, step: CaptureStep, goal: Goal, start: int | None) -> float:
        """Search the brightness for the step's exposure, from ``start``; return the exposure."""
        panel = self._run.around.observatory.panel
        seconds = step.exposure_s if step.exposure_s is not None else UNTRAINED_START_S
        if panel is None or not panel.info.has_lamp:
            raise StepEnded("No panel is connected.", hint="Connect it, or search the exposure.")
        info = self._run.around.info
        most = step.limits.brightest or panel.info.max_brightness
        search = LevelSearch(
            goal,
            Bounds(step.limits.dimmest or 1, most, start, integer=True,
                   max_frames=max(step.limits.max_frames, MAX_BRIGHTNESS_FRAMES)),
            Circumstances(
                exposure_s=seconds,
                max_brightness=most,
                camera_shortest_s=info.exposure_min_s,
                camera_longest_s=info.exposure_max_s,
            ),
        )  # fmt: skip
        self._search(step, search, goal, exposure_s=seconds)
        return seconds

    def _search(
        self, step: CaptureStep, search: LevelSearch, goal: Goal, *, exposure_s: float | None = None
    ) -> float:
        """Take test frames until the level is found; the last one counts as a frame.

        With ``exposure_s`` the brightness is searched, else the exposure. Returns what was found.
        """
        outcome = self._begun(step, search, with_brightness=exposure_s is not None)
        copies = 0
        while not isinstance(outcome, Found | GaveUp):
            self._run.checkpoint()
            self._scene.settle(step)
            if exposure_s is not None:
                self._scene.set_lamp(round(outcome.value))
            seconds = outcome.value if exposure_s is None else exposure_s
            tried = len(search.tries) + 1
            text = f"Test frame {tried}{of_filter(step)}, {exposure(seconds)}"
            if exposure_s is not None:
                text += f", brightness {number(outcome.value)}"
            frame = self._taker.expose(step, seconds, text, tried)
            if self._taker.is_copy(frame) and copies < MOST_COPIES:
                copies += 1
                self._run.note("The camera delivered its last picture again. Tried again.")
                continue
            level = self._taker.level(frame)
            value = frame.exposure_s if exposure_s is None else round(outcome.value)
            outcome = search.record(Measured(value, level.value_adu, level.p999_adu))
            if isinstance(outcome, Found):
                self._keep(step, frame, goal)
                break
            share = f"{quantity(100 * level.value_adu / goal.target_adu, '%')} of the target"
            if goal.is_saturated(level.value_adu):
                share = "saturated"
            self._taker.show_test_frame(step, frame, level, f"Test frame, {share}.")
        if isinstance(outcome, GaveUp):
            raise StepEnded(outcome.message, hint=outcome.hint)
        return outcome.value

    def _begun(self, step: CaptureStep, search: LevelSearch, *, with_brightness: bool) -> Outcome:
        """Begin a search, or go on with one that was cut off: its test frames still count."""
        outcome = search.next()
        for frame in self._run.earlier_tries.pop(step.id, ()):
            value = frame.brightness if with_brightness else frame.exposure_s
            if isinstance(outcome, Try) and value is not None and frame.level_adu is not None:
                outcome = search.record(Measured(value, frame.level_adu, frame.p999_adu))
        return outcome


def of_filter(step: CaptureStep) -> str:
    """Return ``, filter Ha`` for a text about a step; empty without a filter."""
    return f", filter {step.filter}" if step.filter else ""
