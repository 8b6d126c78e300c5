"""Flats of the twilight sky: waiting for the light, following it, and knowing when it is over.

Each exposure is worked out for the moment it begins, from the law of the Sun's altitude fitted to
the newest frames (`calibstudio.domain.twilight`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from calibstudio.domain.capture import ActivityKind, FrameResult, StepPhase
from calibstudio.domain.equipment import Frame, Site
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.plan import CaptureStep, readout_s
from calibstudio.domain.sun import next_sun_crossing, sun_altitude_deg
from calibstudio.domain.twilight import PATIENCE_S, SkyFit, Twilight, twilight_of
from calibstudio.domain.wording import duration, exposure, number, quantity
from calibstudio.services.auto_exposure import MEASURABLE_ADU, Goal
from calibstudio.services.capture_around import sky_obstacle
from calibstudio.services.capture_frames import FrameTaker
from calibstudio.services.capture_run import SequenceRun, StepEnded
from calibstudio.services.capture_scene import Scene
from calibstudio.services.capture_telescope import SAFE_SUN_DEG

FIRST_S = 1.0
"""Exposure of the first test frame, within the limits of the step."""
STEP_FACTOR = 10.0
"""A test frame without a level is followed by one so many times shorter or longer."""
TRIES = 3
PIECE_S = 2.0
"""Waiting looks for a stop, a pause or a skip this often, in observatory seconds."""
AT_LEAST_S, AT_MOST_S = 5.0, 120.0
"""The shortest wait, and the longest that ends without looking at the sky again."""
NIGHT_DEG = -15.0
"""With the Sun lower, dusk has ended for every filter."""
LAG_S = 1.5
"""From the decision to the exposure, before it was measured: dither and settling."""

Keep = Callable[[CaptureStep, Frame, Goal], FrameResult]


@dataclass(slots=True)
class _Sky:
    """What a step knows of its light."""

    step: CaptureStep
    goal: Goal
    site: Site
    twilight: Twilight
    shortest_s: float
    longest_s: float
    fit: SkyFit
    bound: SkyFit
    """A frame without a level, as if it had just missed being measured."""
    probe_s: float = FIRST_S
    lag_s: float = LAG_S


class TwilightFlats:
    """Takes the flats of one step after the other from the twilight sky."""

    def __init__(
        self, run: SequenceRun, scene: Scene, taker: FrameTaker, test: Keep, keep: Keep
    ) -> None:
        self._run, self._scene, self._taker = run, scene, taker
        self._test, self._keep = test, keep

    def await_sun(self, step: CaptureStep) -> None:
        """Before anything is opened: wait until the Sun is low.

        A telescope that is opened under a high Sun may look into it.

        Raises
        ------
        StepEnded
            There is no site, the dawn is over, or the evening is too far away.
        SequenceStopped, Cancelled
        """
        around = self._run.around
        site, now = around.observatory.site, around.now()
        if site is None:
            raise StepEnded(
                "Without a site nobody knows where the Sun is.",
                hint="Give latitude and longitude of the telescope in the rig.",
            )
        altitude = sun_altitude_deg(now, site)
        if altitude <= SAFE_SUN_DEG:
            return
        sun = f"the Sun is at {number(altitude, 1)}°"
        at = next_sun_crossing(now, site, SAFE_SUN_DEG, rising=False)
        if (step.twilight or twilight_of(now, site)) is Twilight.DAWN:
            hint = "Take flats of the sky at dusk."
            if at is not None:
                hint = f"Dusk flats do not start before {at:%H:%M} UTC."
            raise StepEnded(f"Dawn is over{_for(step)}: {sun}.", hint=hint)
        if at is None:
            raise StepEnded(f"Today the Sun does not set: {sun}.", hint="Use a panel.")
        left = (at - now) / timedelta(seconds=1)
        if left > PATIENCE_S:
            raise _too_early(step, Twilight.DUSK, at, left, is_exact=False)
        text = f"Waits covered: {sun}; goes on below {number(SAFE_SUN_DEG)}°."
        while sun_altitude_deg(around.now(), site) > SAFE_SUN_DEG:
            wait_s = (at - around.now()) / timedelta(seconds=1) + 1.0
            self._sleep(text, wait_s, is_open=False)

    def await_sky(self, step: CaptureStep, *, is_open: bool) -> bool:
        """Where it is not safe or the dome is closed: cover the telescope, and wait.

        Returns
        -------
        bool
            Whether the telescope was covered meanwhile and has to be opened again.

        Raises
        ------
        StepEnded
            The twilight ended meanwhile.
        SequenceStopped, Cancelled, DeviceError
        """
        around = self._run.around
        if not (why := sky_obstacle(around.observatory)):
            return False
        is_covered = not is_open or self._scene.cover_where_alone()
        self._run.note(f"{why} Flats of the sky waited.", passing=True)
        waits = "Waits covered" if is_covered else "Waits; nothing here covers the telescope"
        while why := sky_obstacle(around.observatory):
            self._run.checkpoint()
            if self._is_over(step):
                raise StepEnded(
                    f"{why} The twilight ended meanwhile.", hint="Take them at the next one."
                )
            self._run.activity(ActivityKind.SEARCHING, f"{why} {waits}.")
            around.sleep(PIECE_S)
        return is_covered and is_open

    def _is_over(self, step: CaptureStep) -> bool:
        """Whether no filter has light any more, by the Sun alone."""
        site, now = self._run.around.observatory.site, self._run.around.now()
        if site is None:
            return False
        sun = sun_altitude_deg(now, site)
        if (step.twilight or twilight_of(now, site)) is Twilight.DAWN:
            return sun > SAFE_SUN_DEG
        return sun < NIGHT_DEG

    def take(self, index: int, step: CaptureStep, goal: Goal) -> None:
        """Take flats until enough are good.

        Raises
        ------
        StepEnded
            The light is over, or too far away, or there is no site to know the Sun by.
        SequenceStopped, Cancelled
        """
        sky = self._begun(step, goal)
        try:
            self._follow(index, sky)
        finally:
            self._keep_rate(sky)
        self._run.change_step(index, phase=StepPhase.DONE, text=self._summary(index), hint="")

    def _follow(self, index: int, sky: _Sky) -> None:
        step, taken_here = sky.step, 0
        while (state := self._run.steps[index]).good < state.wanted:
            self._run.checkpoint()
            if taken_here >= TRIES * step.count:
                raise StepEnded(
                    f"{number(state.good)} of {number(step.count)} frames are good after "
                    f"{number(taken_here)} tries.",
                    hint="Clouds change the light from frame to frame: wait for a clear evening.",
                )
            self._scene.settle(step)
            if self.await_sky(step, is_open=True):
                self._scene.set_again(step)
                sky.fit.samples.clear()
            if not sky.fit.is_known:
                self._probe(index, sky)
            elif self._is_light(index, sky):
                taken_here += self._take_one(index, sky)

    def _keep_rate(self, sky: _Sky) -> None:
        """Keep for next time how fast the light came: filters are then in the order of it."""
        trained = self._run.around.trained
        if trained is None or not sky.fit.is_known:
            return
        rate, at = sky.fit.rate_over_law, sky.fit.samples[-1].at
        try:
            trained.learn_sky(sky.step.settings, sky.step.filter, rate, at)
        except CalibStudioError as error:
            self._run.note(f"The rate of the twilight was not kept: {error}")

    def _begun(self, step: CaptureStep, goal: Goal) -> _Sky:
        around = self._run.around
        site = around.observatory.site
        if site is None:
            raise StepEnded("Without a site nobody knows where the Sun is.")
        if problem := goal.problem():
            raise StepEnded(problem[0], hint=problem[1])
        shortest, longest = step.limits.exposures(around.info)
        sky = _Sky(
            step, goal, site, step.twilight or twilight_of(around.now(), site),
            shortest, longest, SkyFit(site), SkyFit(site),
            probe_s=min(max(FIRST_S, shortest), longest),
        )  # fmt: skip
        for frame in self._run.frames:
            if frame.step_id == step.id and frame.level_adu is not None:
                self._learn(sky, frame.taken_at, frame.exposure_s, frame.level_adu)
        return sky

    # One frame --------------------------------------------------------------------------------

    def _is_light(self, index: int, sky: _Sky) -> bool:
        """Whether a frame can begin now; where not, wait, and look at the sky after long waits."""
        begins = self._run.around.now() + timedelta(seconds=sky.lag_s)
        if self._exposure_s(sky, begins) is not None:
            return True
        is_bright = sky.fit.signal(sky.shortest_s, begins) > sky.goal.signal_adu
        if not self._wait(index, sky, sky.fit, is_bright=is_bright):
            sky.probe_s = sky.shortest_s if is_bright else sky.longest_s
            self._probe(index, sky)
        return False

    def _take_one(self, index: int, sky: _Sky) -> int:
        """Take a frame that counts, or is set aside. Returns how many were taken: 1 or 0."""
        around, step = self._run.around, sky.step
        began = around.now()
        self._scene.telescope.point(self._run.next_number(step.id))
        at = around.now()
        seconds = self._exposure_s(sky, at)
        if seconds is None:
            return 0  # it faded while the telescope moved: asked again
        self._run.change_step(
            index, phase=StepPhase.RUNNING, exposure_s=seconds, exposure_is_found=True
        )
        number_ = self._run.next_number(step.id)
        of = f", filter {step.filter}" if step.filter else ""
        text = f"{sky.twilight.capitalize()} flat{of}, {exposure(seconds)}, frame {number_}"
        frame = self._taker.expose(step, seconds, text, number_)
        result = self._keep(step, frame, sky.goal)
        sky.lag_s = 0.5 * (sky.lag_s + (at - began) / timedelta(seconds=1))
        rest = (around.now() - at) / timedelta(seconds=1) - frame.exposure_s
        self._run.learn_overhead(rest - readout_s(around.info, step.settings))
        if result.level_adu is not None:
            self._learn(sky, frame.started_at, frame.exposure_s, result.level_adu)
        return 1

    def _probe(self, index: int, sky: _Sky) -> None:
        """Take a test frame: it tells the rate, or on which side of the range the light is."""
        step, goal = sky.step, sky.goal
        self._run.change_step(index, phase=StepPhase.SEARCHING)
        self._scene.telescope.point(0)
        seconds = sky.probe_s
        of = f", filter {step.filter}" if step.filter else ""
        tried = self._run.steps[index].test_frames + 1
        frame = self._taker.expose(step, seconds, f"Test frame{of}, {exposure(seconds)}", tried)
        level = self._taker.level(frame)
        if goal.is_reached(level.value_adu):
            self._test(step, frame, goal)
        else:
            share = f"{quantity(100 * level.value_adu / goal.target_adu, '%')} of the target"
            if goal.is_saturated(level.value_adu):
                share = "saturated"
            self._taker.show_test_frame(step, frame, level, f"Test frame, {share}.")
        self._learn(sky, frame.started_at, frame.exposure_s, level.value_adu)
        if sky.fit.is_known:
            return
        is_bright = goal.is_saturated(level.value_adu)
        if seconds <= sky.shortest_s if is_bright else seconds >= sky.longest_s:
            self._wait(index, sky, sky.bound, is_bright=is_bright)

    def _learn(self, sky: _Sky, started: datetime, exposure_s: float, level_adu: float) -> None:
        """Learn the rate; from a frame out of range, where the next test frame looks."""
        signal = level_adu - sky.goal.bias_adu
        is_bright = sky.goal.is_saturated(level_adu)
        if not is_bright and signal >= MEASURABLE_ADU:
            sky.fit.add(started, exposure_s, signal)
            return
        sky.fit.samples.clear()
        sky.bound.add(started, exposure_s, max(signal, MEASURABLE_ADU))
        next_s = exposure_s / STEP_FACTOR if is_bright else exposure_s * STEP_FACTOR
        sky.probe_s = min(max(next_s, sky.shortest_s), sky.longest_s)

    # The light --------------------------------------------------------------------------------

    def _exposure_s(self, sky: _Sky, at: datetime) -> float | None:
        """Return the exposure for a frame that begins then; None: not within the limits.

        At a limit, half of the tolerance is used before the light counts as too much or little.
        """
        goal = sky.goal
        seconds = sky.fit.exposure(goal.signal_adu, at)
        if seconds is not None and sky.shortest_s <= seconds <= sky.longest_s:
            return seconds
        margin = 0.5 * goal.tolerance * goal.target_adu
        for limit in (sky.shortest_s, sky.longest_s):
            if abs(sky.fit.signal(limit, at) - goal.signal_adu) <= margin:
                return limit
        return None

    def _wait(self, index: int, sky: _Sky, by: SkyFit, *, is_bright: bool) -> bool:
        """Wait for light that is still to come. Returns whether all of the wait is over.

        After the better part of a long wait the sky is to be looked at again.

        Raises
        ------
        StepEnded
            The light was missed, or is further away than the sequence waits.
        """
        goal, now = sky.goal, self._run.around.now()
        is_coming = is_bright == (sky.twilight is Twilight.DUSK)
        limit_s = sky.shortest_s if is_bright else sky.longest_s
        wanted = goal.signal_adu / limit_s
        if not is_coming:
            raise self._missed(index, sky, by, limit_s)
        at = by.when(wanted, now, sky.twilight)
        left = AT_LEAST_S if at is None else max(AT_LEAST_S, (at - now) / timedelta(seconds=1))
        if left > PATIENCE_S and at is not None:
            raise _too_early(sky.step, sky.twilight, at, left, is_exact=by is sky.fit)
        about = f"in about {_minutes(left)}" if by is sky.fit else f"in {_minutes(left)} or more"
        sun = sun_altitude_deg(now, sky.site)
        word = "bright" if is_bright else "dark"
        text = f"Too {word}{_for(sky.step)}; starts {about} (Sun {number(sun, 1)}°)."
        pause = left if left <= AT_MOST_S else max(AT_MOST_S, 0.7 * left)
        self._sleep(text, pause)
        return pause >= left

    def _missed(self, index: int, sky: _Sky, by: SkyFit, limit_s: float) -> StepEnded:
        state = self._run.steps[index]
        after = ""
        if state.good:
            after = f" after {number(state.good)} of {number(state.wanted)} frames"
        word = "dark" if sky.twilight is Twilight.DUSK else "bright"
        other = sky.twilight.other
        first_s = sky.longest_s if other is Twilight.DAWN else sky.shortest_s
        at = by.when(sky.goal.signal_adu / first_s, self._run.around.now(), other)
        hint = f"Try again at {other}."
        if at is not None:
            start = "start at" if by is sky.fit else "do not start before"
            hint = f"{other.capitalize()} flats {start} {at:%H:%M} UTC."
        return StepEnded(
            f"{sky.twilight.capitalize()} is over{_for(sky.step)}{after}: too {word} at "
            f"{exposure(limit_s)}.",
            hint=hint,
        )

    def _sleep(self, text: str, seconds: float, *, is_open: bool = True) -> None:
        """Wait in pieces: stop and pause are heard, and a skip ends the wait.

        Under the open sky it also ends as soon as that is not safe any more.
        """
        around = self._run.around
        ends = around.now() + timedelta(seconds=seconds)
        around.control.take_skip()
        self._run.activity(ActivityKind.SEARCHING, text, seconds, can_skip=True)
        while (left := (ends - around.now()) / timedelta(seconds=1)) > 0:
            self._run.checkpoint()
            if around.control.take_skip() or (is_open and sky_obstacle(around.observatory)):
                return
            around.sleep(min(left, PIECE_S))

    def _summary(self, index: int) -> str:
        frames = self._run.frames_of(self._run.plan.steps[index].id)
        seconds = [f.exposure_s for f in frames]
        replaced = self._run.steps[index].replaced
        text = f"{exposure(min(seconds))} to {exposure(max(seconds))}."
        return f"{text} {number(replaced)} replaced." if replaced else text


def _for(step: CaptureStep) -> str:
    return f" for {step.filter}" if step.filter else ""


def _too_early(
    step: CaptureStep, twilight: Twilight, at: datetime, left_s: float, *, is_exact: bool
) -> StepEnded:
    start = "at about" if is_exact else "not before"
    return StepEnded(
        f"{twilight.capitalize()} is {_minutes(left_s)} away: flats{_for(step)} start {start} "
        f"{at:%H:%M} UTC.",
        hint="Start the sequence again then.",
    )


def _minutes(seconds: float) -> str:
    """Return a wait as it is said ahead: whole minutes from one minute on."""
    return duration(60.0 * round(seconds / 60.0) if seconds >= 60.0 else seconds)
