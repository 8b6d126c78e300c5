"""Bringing the sensor to its temperature and knowing when it is there, and when it never will be.

A ramp spares the sensor; "stable" is a whole window inside the tolerance with no slope, from both
sides; "unreachable" is full power without progress (`reference` rules: ramp, settle, dwell).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from calibstudio.domain.equipment import Camera, CameraStatus, Clock
from calibstudio.domain.errors import DeviceError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import quantity, temperature

FORGETFUL = 5
"""Readings in a row that must contradict the set point before it counts as refused."""
SET_POINT_STEP_C = 0.51
"""Drivers that take whole degrees read back up to half a degree away."""


class CoolerPhase(StrEnum):
    """What the cooler does."""

    OFF = "off"
    RAMPING = "ramping"
    SETTLING = "settling"
    STABLE = "stable"
    UNREACHABLE = "cannot hold"
    WARMING = "warming"


@dataclass(frozen=True, slots=True)
class CoolingRules:
    """When a temperature counts as reached, and when it counts as out of reach."""

    tolerance_c: float = 0.3
    window_s: float = 60.0
    """The sensor stays inside the tolerance for so long."""
    known_window_s: float = 15.0
    """The same where the cooler already held this set point when we came."""
    slope_c_per_min: float = 0.2
    ramp_c_per_min: float = 6.0
    poll_s: float = 3.0
    full_power_pct: float = 95.0
    unreachable_s: float = 180.0
    stalled_c_per_min: float = 0.1
    timeout_s: float = 2400.0
    reserve: float = 0.10
    """Power that a temperature we propose leaves unused."""
    wait: bool = True
    """False: the set point is sent, and nobody waits for it."""
    warm_ramp_c_per_min: float | None = None
    """None: as fast as it cools."""
    warm_to_c: float = 15.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the cooler."""

    at_s: float
    """Seconds since the wait began."""
    sensor_c: float
    power_pct: float | None


@dataclass(frozen=True, slots=True)
class CoolingState:
    """Where the cooler is, for a screen."""

    phase: CoolerPhase
    target_c: float
    sensor_c: float | None
    power_pct: float | None = None
    seconds_to_go: float | None = None
    """None: not known."""

    @property
    def text(self) -> str:
        """Say it: ``Sensor −4.2 °C, cooling to −10.0 °C, power 80 %``."""
        if self.sensor_c is None:
            return "The sensor temperature is not known"
        doing = {
            CoolerPhase.RAMPING: "on its way to",
            CoolerPhase.SETTLING: "settling at",
            CoolerPhase.STABLE: "stable at",
            CoolerPhase.UNREACHABLE: "cannot hold",
            CoolerPhase.WARMING: "warming up to",
        }
        text = f"Sensor {temperature(self.sensor_c)}"
        if self.phase in doing:
            text += f", {doing[self.phase]} {temperature(self.target_c)}"
        if self.power_pct is not None:
            text += f", power {quantity(self.power_pct, '%')}"
        return text


@dataclass(frozen=True, slots=True)
class CoolingResult:
    """How the wait ended."""

    phase: CoolerPhase
    """STABLE, UNREACHABLE, or SETTLING when it was skipped."""
    sensor_c: float | None
    power_pct: float | None
    holds_c: float | None = None
    """Where the target is unreachable: a temperature that leaves a reserve."""
    late: bool = False
    """It is not at its limit, but did not settle in the time it was given."""


def slope_c_per_min(readings: Sequence[Reading]) -> float | None:
    """Return the slope of a straight line through readings; None for fewer than three."""
    if len(readings) < 3:
        return None
    n = len(readings)
    mean_t = sum(r.at_s for r in readings) / n
    mean_c = sum(r.sensor_c for r in readings) / n
    spread = sum((r.at_s - mean_t) ** 2 for r in readings)
    if spread <= 0:
        return None
    rise = sum((r.at_s - mean_t) * (r.sensor_c - mean_c) for r in readings)
    return 60.0 * rise / spread


def is_stable(
    readings: Sequence[Reading], target_c: float, rules: CoolingRules, window_s: float
) -> bool:
    """Whether the sensor stayed at the target for a whole window, without slope."""
    if not readings:
        return False
    now = readings[-1].at_s
    window = [r for r in readings if r.at_s >= now - window_s - 1e-6]
    if readings[0].at_s > now - window_s + 1e-6 or len(window) < 3:
        return False
    if any(abs(r.sensor_c - target_c) > rules.tolerance_c for r in window):
        return False
    slope = slope_c_per_min(window)
    return slope is not None and abs(slope) < rules.slope_c_per_min


def is_unreachable(readings: Sequence[Reading], target_c: float, rules: CoolingRules) -> bool:
    """Whether the cooler works as hard as it can and gets nowhere."""
    if not readings or readings[-1].sensor_c - target_c <= rules.tolerance_c:
        return False
    now = readings[-1].at_s
    if readings[0].at_s > now - rules.unreachable_s + 1e-6:
        return False
    window = [r for r in readings if r.at_s >= now - rules.unreachable_s - 1e-6]
    powers = [r.power_pct for r in window if r.power_pct is not None]
    if powers and min(powers) <= rules.full_power_pct:
        return False
    slope = slope_c_per_min(window)
    return slope is not None and abs(slope) < rules.stalled_c_per_min


def reachable_c(start_c: float, sensor_c: float, was_on: bool, rules: CoolingRules) -> float:
    """Return the whole temperature that leaves a reserve, when full power ends at ``sensor_c``.

    The drop below the air is proportional to the power. The air's temperature is what the sensor
    showed before the cooler was on; where that is not known a reserve of 4 °C is taken.
    """
    if was_on or start_c <= sensor_c:
        return math.ceil(sensor_c + 4.0)
    return math.ceil(start_c - (1.0 - rules.reserve) * (start_c - sensor_c))


class _Watch:
    """Reads the camera and keeps the readings of the last minutes."""

    def __init__(self, camera: Camera, clock: Clock, keep_s: float) -> None:
        self._camera, self._clock, self._keep_s = camera, clock, keep_s
        self._began = clock.now()
        self._missing = 0
        self.readings: deque[Reading] = deque()

    @property
    def elapsed_s(self) -> float:
        return (self._clock.now() - self._began) / timedelta(seconds=1)

    def read(self) -> CameraStatus:
        """Take one reading.

        Raises
        ------
        DeviceError
            If the sensor temperature is missing three times in a row: a fault, never 0 °C.
        """
        status = self._camera.status()
        if status.sensor_c is None or not math.isfinite(status.sensor_c):
            self._missing += 1
            if self._missing >= 3:
                raise DeviceError(
                    f"{self._camera.info.name} does not say its sensor temperature.",
                    hint="Reconnect the camera, or take the frames without a set temperature.",
                )
            return status
        self._missing = 0
        now = self.elapsed_s
        self.readings.append(Reading(now, status.sensor_c, status.cooler_power_pct))
        while self.readings and self.readings[0].at_s < now - self._keep_s:
            self.readings.popleft()
        return status


def cool_to(
    camera: Camera,
    clock: Clock,
    cancel: CancelToken,
    target_c: float,
    *,
    rules: CoolingRules | None = None,
    on_state: Callable[[CoolingState], None] | None = None,
    skip: Callable[[], bool] | None = None,
) -> CoolingResult:
    """Bring the sensor to a temperature and return when it is stable, or cannot be.

    Parameters
    ----------
    on_state
        Called with each reading.
    skip
        Asked between readings; True ends the wait (the cooler keeps working).

    Raises
    ------
    Cancelled
        The cooler keeps its last set point.
    DeviceError
        The camera cannot cool, is lost, or does not say its temperature.
    """
    rules = rules or CoolingRules()
    watch = _Watch(camera, clock, rules.unreachable_s + 2 * rules.poll_s)
    first = watch.read()
    start_c = first.sensor_c if first.sensor_c is not None else target_c
    known = (
        bool(first.cooler_on)
        and first.set_c == target_c
        and abs(start_c - target_c) <= rules.tolerance_c
    )
    window_s = rules.known_window_s if known else rules.window_s
    set_c = target_c if known else None
    sent = _SetPoint(camera)
    while True:
        set_c = _move_set_point(camera, set_c, start_c, target_c, watch.elapsed_s, rules)
        clock.sleep(rules.poll_s, cancel)
        status = watch.read()
        sent.check(status, set_c)
        readings = list(watch.readings)
        state = _state(readings, target_c, set_c, rules, window_s, status)
        if on_state is not None:
            on_state(state)
        if state.phase is CoolerPhase.STABLE:
            return CoolingResult(state.phase, state.sensor_c, state.power_pct)
        late = watch.elapsed_s > rules.timeout_s
        if state.phase is CoolerPhase.UNREACHABLE or late:
            sensor_c = state.sensor_c if state.sensor_c is not None else target_c
            holds = reachable_c(start_c, sensor_c, bool(first.cooler_on), rules)
            late = state.phase is not CoolerPhase.UNREACHABLE
            return CoolingResult(CoolerPhase.UNREACHABLE, sensor_c, state.power_pct, holds, late)
        if skip is not None and skip():
            if set_c != target_c:
                camera.set_cooler(on=True, target_c=target_c)
            return CoolingResult(CoolerPhase.SETTLING, state.sensor_c, state.power_pct)


def warm_up(
    camera: Camera,
    clock: Clock,
    cancel: CancelToken,
    *,
    to_c: float | None = None,
    rules: CoolingRules | None = None,
    on_state: Callable[[CoolingState], None] | None = None,
    skip: Callable[[], bool] | None = None,
) -> None:
    """Warm the sensor along a ramp, then switch the cooler off.

    Ends where the cooler needs no power any more, at ``to_c``, or after the timeout: in cold air
    the sensor never gets as warm as asked. `Cancelled` leaves the cooler on at its last set point.
    """
    rules = rules or CoolingRules()
    if rules.warm_ramp_c_per_min is not None:
        rules = replace(rules, ramp_c_per_min=rules.warm_ramp_c_per_min)
    to_c = rules.warm_to_c if to_c is None else to_c
    watch = _Watch(camera, clock, rules.unreachable_s)
    first = watch.read()
    if first.cooler_on is False:
        return
    start_c = first.sensor_c if first.sensor_c is not None else to_c
    set_c: float | None = None
    # A slow ramp over a long way takes longer than any cooling down.
    limit_s = max(rules.timeout_s, 90.0 * abs(to_c - start_c) / rules.ramp_c_per_min)
    while watch.elapsed_s < limit_s and start_c < to_c:
        set_c = _move_set_point(camera, set_c, start_c, to_c, watch.elapsed_s, rules)
        clock.sleep(rules.poll_s, cancel)
        status = watch.read()
        if on_state is not None:
            now_c = to_c if status.sensor_c is None else status.sensor_c
            left = 60.0 * abs(to_c - now_c) / rules.ramp_c_per_min
            phase = CoolerPhase.WARMING
            on_state(CoolingState(phase, to_c, status.sensor_c, status.cooler_power_pct, left))
        if skip is not None and skip():
            break
        is_idle = status.cooler_power_pct is not None and status.cooler_power_pct <= 1.0
        at_goal = status.sensor_c is not None and status.sensor_c >= to_c - rules.tolerance_c
        if set_c == to_c and (is_idle or at_goal):
            break
    camera.set_cooler(on=False)


class _SetPoint:
    """Reads the set point back; a camera that forgets it gets it again, and is then found out."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._wrong = 0

    def check(self, status: CameraStatus, set_c: float) -> None:
        """Compare with what was sent.

        Raises
        ------
        DeviceError
            It is off, or has another set point, `FORGETFUL` readings in a row.
        """
        is_off = status.cooler_on is False
        is_other = status.set_c is not None and abs(status.set_c - set_c) > SET_POINT_STEP_C
        if not is_off and not is_other:
            self._wrong = 0
            return
        self._wrong += 1
        name = self._camera.info.name
        if self._wrong >= FORGETFUL and is_off:
            raise DeviceError(
                f"The cooler of {name} was switched on and says that it is off.",
                hint="Look at its power supply, then retry.",
            )
        if self._wrong >= FORGETFUL and status.set_c is not None:
            raise DeviceError(
                f"The cooler of {name} was set to {temperature(set_c)} and says "
                f"{temperature(status.set_c)}.",
                hint="Close other programs that set it, or choose a temperature it can do.",
            )
        self._camera.set_cooler(on=True, target_c=set_c)


def away_c(status: CameraStatus, target_c: float) -> float | None:
    """Return how far the sensor is from its target now; None when it is not known."""
    if status.sensor_c is None or not math.isfinite(status.sensor_c):
        return None
    return abs(status.sensor_c - target_c)


def seconds_expected(
    status: CameraStatus | None, target_c: float, rules: CoolingRules | None = None
) -> float:
    """Return about how long cooling takes from here; for estimates before it starts."""
    rules = rules or CoolingRules()
    if status is None or status.sensor_c is None:
        return 300.0
    if status.cooler_on and status.set_c == target_c:
        away = abs(status.sensor_c - target_c)
        if away <= rules.tolerance_c:
            return rules.known_window_s
    return 60.0 * abs(status.sensor_c - target_c) / rules.ramp_c_per_min + 2 * rules.window_s


def _move_set_point(
    camera: Camera,
    set_c: float | None,
    start_c: float,
    target_c: float,
    elapsed_s: float,
    rules: CoolingRules,
) -> float:
    """Send the set point of the ramp where it has moved, and return it; the last is exact."""
    if set_c == target_c:
        return set_c
    allowed = rules.ramp_c_per_min * (elapsed_s + 30.0) / 60.0
    step = target_c - start_c
    wanted = target_c if abs(step) <= allowed else start_c + math.copysign(allowed, step)
    if set_c is None or wanted == target_c or abs(wanted - set_c) >= 1.0:
        camera.set_cooler(on=True, target_c=wanted)
        return wanted
    return set_c


def _state(
    readings: list[Reading],
    target_c: float,
    set_c: float,
    rules: CoolingRules,
    window_s: float,
    status: CameraStatus,
) -> CoolingState:
    if not readings:
        return CoolingState(CoolerPhase.RAMPING, target_c, None, status.cooler_power_pct)
    last = readings[-1]
    away = abs(last.sensor_c - target_c)
    phase = CoolerPhase.RAMPING if away > rules.tolerance_c else CoolerPhase.SETTLING
    if set_c == target_c and is_stable(readings, target_c, rules, window_s):
        phase = CoolerPhase.STABLE
    elif is_unreachable(readings, target_c, rules):
        phase = CoolerPhase.UNREACHABLE
    left = 0.0 if phase is CoolerPhase.STABLE else _seconds_left(readings, away, rules, window_s)
    return CoolingState(phase, target_c, last.sensor_c, last.power_pct, left)


def _seconds_left(
    readings: list[Reading], away_c: float, rules: CoolingRules, window_s: float
) -> float | None:
    """Estimate the seconds until it is stable, from the slope of the last minute."""
    if away_c <= rules.tolerance_c:
        now = readings[-1].at_s
        outside = [r.at_s for r in readings if abs(r.sensor_c - readings[-1].sensor_c) > 0.5]
        since = max(outside, default=readings[0].at_s)
        return max(rules.poll_s, window_s - (now - since))
    recent = [r for r in readings if r.at_s >= readings[-1].at_s - 60.0]
    slope = slope_c_per_min(recent)
    speed = abs(slope) if slope is not None else rules.ramp_c_per_min
    if speed < 0.2:
        return None
    return 60.0 * away_c / min(speed, rules.ramp_c_per_min) + window_s
