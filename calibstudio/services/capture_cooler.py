"""The temperature of the sensor during a sequence: reached, agreed on, not waited for, put back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from calibstudio.domain.capture import ActivityKind, Answer, QuestionKind
from calibstudio.domain.plan import CaptureStep
from calibstudio.domain.wording import duration, quantity, temperature
from calibstudio.services.capture_journal import Before
from calibstudio.services.capture_patience import Patience
from calibstudio.services.capture_run import SequenceRun, SequenceStopped
from calibstudio.services.cooling import (
    CoolerPhase,
    CoolingResult,
    CoolingState,
    away_c,
    cool_to,
    warm_up,
)

COOLER_ANSWERS = {
    Answer.YES: "Use it",
    Answer.RETRY: "Wait longer",
    Answer.SKIP: "Skip this step",
    Answer.STOP: "Stop",
}


NEAR_C = 1.5
"""A sensor so near its set point goes on to it after "Do not wait": it comes there within the set,
and frames of one group may differ by so much (RULES 3, measured temperature)."""


class SensorTemperature:
    """Brings the sensor to each step's temperature, and remembers what was decided about it."""

    def __init__(self, run: SequenceRun, patience: Patience) -> None:
        self._run, self._patience = run, patience
        self._set_temp_c: float | None = None
        self._accepted_temp: dict[float, float] = {}
        self._not_waited_for: set[float] = set()
        self._held_here: set[float] = set()
        self._held_temp: dict[str, float] = {}
        self._is_off = False

    def agree(self, agreed_c: Mapping[float, float]) -> None:
        """Take temperatures that the operator agreed on before, by those asked for."""
        self._accepted_temp = dict(agreed_c)

    def forget(self) -> None:
        """Believe nothing: the camera was away, and its cooler may be off."""
        self._set_temp_c = None

    def put_back(self, before: Before) -> None:
        """Give the cooler the set point it had. One that was off stays on: it warms up slowly."""
        camera = self._run.around.observatory.camera
        if self._set_temp_c is None or not before.cooler_on or before.set_c is None:
            return
        if not self._is_off and before.set_c != self._set_temp_c:
            camera.set_cooler(on=True, target_c=before.set_c)

    def reach(self, step: CaptureStep) -> None:
        """Wait until the sensor is stable at the step's temperature.

        Asks what to do when the cooler cannot hold it. Does nothing where it was just stable.
        """
        target_c = step.settings.set_temp_c
        if target_c is None:
            return
        target_c = self._accepted_temp.get(target_c, target_c)
        if self._set_temp_c == target_c and self.is_reached(step):
            return
        if target_c in self._not_waited_for:
            camera = self._run.around.observatory.camera
            self._patience.persist("Camera", lambda: camera.set_cooler(on=True, target_c=target_c))
            self._set_temp_c = target_c
            return
        while True:
            result = self._patience.persist("Camera", partial(self._cool, target_c))
            if result.phase is not CoolerPhase.UNREACHABLE:
                self._set_temp_c = target_c
                if result.phase is not CoolerPhase.STABLE:
                    self._do_not_wait(step, target_c, result)
                return
            holds = result.holds_c if result.holds_c is not None else target_c
            if self._ask_about_cooler(target_c, holds, result) is Answer.YES:
                asked_c = step.settings.set_temp_c
                self._accepted_temp[asked_c if asked_c is not None else target_c] = holds
                self._run.remember_agreed(asked_c if asked_c is not None else target_c, holds)
                target_c = holds

    def _do_not_wait(self, step: CaptureStep, target_c: float, result: CoolingResult) -> None:
        """Hold a sensor that is far from its set point where it is; let one that is near go on.

        A sensor that goes on cooling makes every frame of a set another one, and most of them
        useless. Whole degrees: many drivers take no others.
        """
        sensor_c = result.sensor_c
        if sensor_c is None or not self._run.around.cooling.wait:
            self._go_on_to(target_c)
            return
        if abs(sensor_c - target_c) <= NEAR_C:
            self._go_on_to(target_c)
            return
        camera = self._run.around.observatory.camera
        holds_c = float(round(sensor_c))
        self._patience.persist("Camera", lambda: camera.set_cooler(on=True, target_c=holds_c))
        asked_c = step.settings.set_temp_c
        self._accepted_temp[asked_c if asked_c is not None else target_c] = holds_c
        self._run.remember_agreed(asked_c if asked_c is not None else target_c, holds_c)
        self._set_temp_c = holds_c
        self._held_here.add(holds_c)
        self._run.note(
            f"Did not wait for {temperature(target_c)}: the cooler holds {temperature(holds_c)} "
            "instead. Darks of this temperature serve lights of this temperature."
        )

    def _go_on_to(self, target_c: float) -> None:
        self._not_waited_for.add(target_c)
        self._run.note(
            f"Did not wait for {temperature(target_c)}: frames are judged by the "
            "temperature that the sensor has.",
            passing=True,
        )

    def is_reached(self, step: CaptureStep) -> bool:
        """Whether the sensor is within the tolerance of the step's temperature right now."""
        wanted = step.settings.set_temp_c
        if wanted is None:
            return True
        status = self._patience.persist("Camera", self._run.around.observatory.camera.status)
        self._run.sensor_c = status.sensor_c
        wanted = self._accepted_temp.get(wanted, wanted)
        if wanted in self._not_waited_for:
            return True
        if status.cooler_on is False:
            return False  # a camera that lost its power comes back with its cooler off
        if wanted in self._held_here:
            return True
        away = away_c(status, wanted)
        limit = self._run.around.thresholds.temperature_error.warn_above
        return away is None or away <= (0.5 if limit is None else limit)

    def set_temp_c(self, step: CaptureStep) -> float | None:
        """Return the temperature the step is judged by: what was asked, or agreed on instead."""
        wanted = step.settings.set_temp_c
        return None if wanted is None else self._accepted_temp.get(wanted, wanted)

    def held_temp_c(self, step: CaptureStep, sensor_c: float | None) -> float | None:
        """Return what the frames of a step are judged by after "Do not wait"; None: the set point.

        The first frame of the step sets it. When the sensor has come to its set point after all,
        the decision has done its work: frames are judged by the set point again.
        """
        wanted = self.set_temp_c(step)
        if wanted is None or sensor_c is None or wanted not in self._not_waited_for:
            return None
        limit = self._run.around.thresholds.temperature_error.warn_above
        if abs(sensor_c - wanted) <= (0.5 if limit is None else limit):
            self._not_waited_for.discard(wanted)
            self._held_temp.clear()
            self._run.note(f"The sensor has come to {temperature(wanted)}.", passing=True)
            return None
        return self._held_temp.setdefault(step.id, sensor_c)

    def _cool(self, target_c: float) -> CoolingResult:
        around = self._run.around

        def told(state: CoolingState) -> None:
            self._run.sensor_c = state.sensor_c
            self._run.activity(ActivityKind.COOLING, state.text, state.seconds_to_go, can_skip=True)

        def skipped() -> bool:
            asked = around.control.take_skip() or around.control.stopping
            return asked or not around.cooling.wait

        around.control.take_skip()
        result = cool_to(
            around.observatory.camera,
            around.observatory.clock,
            around.ctx.token,
            target_c,
            rules=around.cooling,
            on_state=told,
            skip=skipped,
        )
        if around.control.stopping:
            raise SequenceStopped
        return result

    def _ask_about_cooler(self, target_c: float, holds_c: float, result: CoolingResult) -> Answer:
        power = result.power_pct
        at = "full power" if power is None else quantity(power, "%")
        reserve = quantity(100 * self._run.around.cooling.reserve, "%")
        text = (
            f"Cooler at {at}. It cannot hold {temperature(target_c)} tonight; "
            f"{temperature(holds_c)} leaves {reserve} in reserve."
        )
        if result.late:
            waited = duration(self._run.around.cooling.timeout_s)
            now = "unknown" if result.sensor_c is None else temperature(result.sensor_c)
            text = (
                f"Cooler at {at}. The sensor is at {now} and not stable at "
                f"{temperature(target_c)} after {waited}."
            )
        return self._run.ask(
            QuestionKind.COOLER,
            text,
            "Darks serve lights of the same temperature only.",
            {**COOLER_ANSWERS, Answer.YES: f"Use {temperature(holds_c)}"},
        )

    def warm_up(self) -> None:
        """Warm the sensor along a ramp and switch the cooler off; the operator may skip it.

        Raises
        ------
        SequenceStopped, Cancelled
            The cooler keeps its last set point.
        """
        around = self._run.around
        if not around.info.can_cool:
            return

        def told(state: CoolingState) -> None:
            self._run.sensor_c = state.sensor_c
            self._run.activity(ActivityKind.COOLING, state.text, state.seconds_to_go, can_skip=True)

        around.control.take_skip()
        self._patience.persist(
            "Camera",
            lambda: warm_up(
                around.observatory.camera,
                around.observatory.clock,
                around.ctx.token,
                rules=around.cooling,
                on_state=told,
                skip=lambda: around.control.take_skip() or around.control.stopping,
            ),
        )
        self._is_off = True
