"""Finding the exposure, or the panel brightness, that gives a flat the wanted level (RULES 6).

A search is a small state machine without camera, clock or files: `LevelSearch.next` says what to
try, `LevelSearch.record` takes what was measured and says what follows: another try, found, or
given up with the cause and the cure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from calibstudio.domain.wording import exposure, number, quantity

MEASURABLE_ADU = 20.0
"""Signal above the bias from which a ratio can be trusted."""
LINEAR_UP_TO = 0.90
"""Fraction of saturation up to which a level follows the light."""
GUARD = 0.90
"""The 99.9th percentile must stay below this fraction of saturation."""
DARK_FACTOR = 100.0
NEAR_THE_BOUND = 300.0
"""A level this many times below saturation is still measured to a percent."""
MAX_EXPOSURE_FRAMES = 12
MAX_BRIGHTNESS_FRAMES = 16
SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Measured:
    """One test frame: what was set, and how bright it came out (raw ADU)."""

    value: float
    """Exposure in seconds as the camera did it, or brightness in the panel's units."""
    level_adu: float
    """Robust level of the brightest channel."""
    p999_adu: float | None = None
    """99.9th percentile; None: not known."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What level is wanted, and what the numbers mean."""

    target_adu: float
    """Raw level, bias included."""
    bias_adu: float
    saturation_adu: float
    tolerance: float = 0.10
    """Accepted distance from the target, as a fraction of it."""

    @property
    def signal_adu(self) -> float:
        """Wanted level above the bias."""
        return self.target_adu - self.bias_adu

    def is_reached(self, level_adu: float) -> bool:
        """Whether a level is within the tolerance."""
        return abs(level_adu - self.target_adu) <= self.tolerance * self.target_adu

    def is_saturated(self, level_adu: float) -> bool:
        """Whether a level is too high to say how bright it is."""
        return level_adu >= LINEAR_UP_TO * self.saturation_adu

    def is_clipped(self, measured: Measured) -> bool:
        """Whether the brightest parts of a frame reach saturation (the guard)."""
        p999 = measured.p999_adu
        return p999 is not None and p999 >= GUARD * self.saturation_adu

    def problem(self) -> tuple[str, str] | None:
        """Why this goal cannot be reached by any light, with the cure; None when it can."""
        top = LINEAR_UP_TO * self.saturation_adu
        if self.target_adu >= top:
            return (
                f"The target of {_adu(self.target_adu)} is above {_adu(top)}, "
                "from where this camera is not linear.",
                "Choose half of the range.",
            )
        if self.signal_adu < MEASURABLE_ADU:
            return (
                f"The target of {_adu(self.target_adu)} is not above the bias of "
                f"{_adu(self.bias_adu)}.",
                "Choose half of the range.",
            )
        return None


@dataclass(frozen=True, slots=True)
class Try:
    """Take a test frame with this exposure or brightness."""

    value: float


@dataclass(frozen=True, slots=True)
class Found:
    """The last frame has the level; it counts as a frame."""

    value: float
    level_adu: float


@dataclass(frozen=True, slots=True)
class GaveUp:
    """No exposure or brightness inside the bounds gives the level."""

    message: str
    hint: str


Outcome = Try | Found | GaveUp


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which values to search, and where to start."""

    lowest: float
    highest: float
    start: float | None = None
    integer: bool = False
    """Brightness comes in whole steps."""
    max_frames: int = MAX_EXPOSURE_FRAMES


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is not searched; only for the words of a failure."""

    exposure_s: float | None = None
    """Of a brightness search."""
    brightness: int | None = None
    """Of an exposure search with a panel."""
    max_brightness: int | None = None
    camera_shortest_s: float | None = None
    camera_longest_s: float | None = None
    can_dim: bool = False


@dataclass(slots=True)
class LevelSearch:
    """The search. ``tries`` are the measurements so far, in order."""

    goal: Goal
    bounds: Bounds
    around: Circumstances = field(default_factory=Circumstances)
    tries: list[Measured] = field(default_factory=list)

    def next(self) -> Outcome:
        """Return the first thing to try, or why nothing needs to be tried."""
        if problem := self.goal.problem():
            return GaveUp(*problem)
        start = self.bounds.start
        if start is None:
            low, high = self.bounds.lowest, self.bounds.highest
            start = (max(low, 1.0) * high) ** 0.5 if self.bounds.integer else 1.0
        return Try(self._inside(start))

    def record(self, measured: Measured) -> Outcome:
        """Take a measurement and return what follows from it."""
        self.tries.append(measured)
        goal = self.goal
        if goal.is_reached(measured.level_adu):
            if not goal.is_clipped(measured):
                return Found(measured.value, measured.level_adu)
            return self._below_the_guard(measured)
        if len(self.tries) >= self.bounds.max_frames:
            return self._unsteady()
        if bound := self._stuck_at_a_bound(measured):
            return bound
        wanted = self._propose(measured)
        value = self._inside(self._inside_bracket(wanted))
        if self._was_tried(value):
            return self._between_steps(value)
        return Try(value)

    # What to try next -----------------------------------------------------------------------

    def _propose(self, last: Measured) -> float:
        """Return where the level should be reached, before any bound is looked at."""
        goal = self.goal
        if goal.is_saturated(last.level_adu):
            return self._after_saturation(last)
        if last.level_adu - goal.bias_adu < MEASURABLE_ADU:
            brighter = self._shortest_saturated()
            if brighter is None:
                return max(last.value, 1e-9) * DARK_FACTOR
            return float((max(last.value, 1e-9) * brighter) ** 0.5)
        return self._on_a_line(last)

    def _after_saturation(self, last: Measured) -> float:
        """Return the geometric middle with the longest unsaturated value, else with the lowest.

        Saturated twice and not far from the lowest value: just above it, where every level that
        can be reached at all can be measured. Halving would creep towards the bound.
        """
        darker = self._longest_unsaturated()
        low = max(self.bounds.lowest if darker is None else darker, 1e-9)
        ratio = last.value / low
        if darker is None and ratio < 4.0:
            return low
        if darker is None and len(self.tries) > 1 and ratio < NEAR_THE_BOUND:
            return 1.5 * low
        return float((low * last.value) ** 0.5)

    def _on_a_line(self, last: Measured) -> float:
        """Return where a straight line through what was measured reaches the target.

        One point: through the bias at zero, t' = t (T - B) / (L - B), without a limit on the
        factor. Two: the line through the two nearest to the target, intercept included; for a
        brightness the line in logarithms, because panels follow a power of their setting.
        """
        goal = self.goal
        usable = [
            m
            for m in self.tries
            if not goal.is_saturated(m.level_adu) and m.level_adu - goal.bias_adu >= MEASURABLE_ADU
        ]
        usable.sort(key=lambda m: abs(m.level_adu - goal.target_adu))
        nearest = usable[0] if usable else last
        for other in usable[1:]:
            rise = nearest.level_adu - other.level_adu
            run = nearest.value - other.value
            if abs(run) > 0.02 * nearest.value and rise * run > 0:
                if self.bounds.integer:
                    return self._on_a_power_law(nearest, other)
                value = nearest.value + (goal.target_adu - nearest.level_adu) * run / rise
                if value > 0:
                    return value
        return nearest.value * goal.signal_adu / (nearest.level_adu - goal.bias_adu)

    def _on_a_power_law(self, nearest: Measured, other: Measured) -> float:
        """Return where a power law through two points reaches the target.

        The exponent is kept from 0.4 to 2.5: two levels close together say little about it.
        """
        bias = self.goal.bias_adu
        signals = (nearest.level_adu - bias) / (other.level_adu - bias)
        power = math.log(signals) / math.log(nearest.value / other.value)
        power = min(max(power, 0.4), 2.5)
        wanted = self.goal.signal_adu / (nearest.level_adu - bias)
        return float(nearest.value * wanted ** (1.0 / power))

    def _inside_bracket(self, value: float) -> float:
        """Keep a proposal between the brightest known too dark and the darkest known too bright."""
        low, high = self._bracket()
        if low is not None and high is not None and low >= high:
            return value  # the light is not steady: measurements contradict each other
        if low is not None and value <= low:
            value = low * 2.0 if high is None else (low * high) ** 0.5
        if high is not None and value >= high:
            value = high / 2.0 if low is None else (low * high) ** 0.5
        if self.bounds.integer:
            value = float(round(value))
            if low is None or high is None or high - low > 1:
                # The next whole step on the right side, where rounding fell on a step that was
                # tried; past a bound it is stopped there.
                value = value if low is None else max(value, low + 1)
                value = value if high is None else min(value, high - 1)
        return value

    def _bracket(self) -> tuple[float | None, float | None]:
        """Return the largest value known to be too dark and the smallest too bright."""
        target = self.goal.target_adu
        dark = [m.value for m in self.tries if m.level_adu < target]
        bright = [m.value for m in self.tries if m.level_adu > target]
        return max(dark, default=None), min(bright, default=None)

    def _inside(self, value: float) -> float:
        value = min(max(value, self.bounds.lowest), self.bounds.highest)
        return float(round(value)) if self.bounds.integer else value

    def _was_tried(self, value: float) -> bool:
        return any(abs(m.value - value) <= SAME * max(value, 1e-9) for m in self.tries)

    def _longest_unsaturated(self) -> float | None:
        values = [m.value for m in self.tries if not self.goal.is_saturated(m.level_adu)]
        return max(values, default=None)

    def _shortest_saturated(self) -> float | None:
        values = [m.value for m in self.tries if self.goal.is_saturated(m.level_adu)]
        return min(values, default=None)

    # Why it ends ----------------------------------------------------------------------------

    def _stuck_at_a_bound(self, last: Measured) -> GaveUp | None:
        """Return the cause and cure where the last try was at a bound and not enough."""
        if last.level_adu > self.goal.target_adu and _at(last.value, self.bounds.lowest):
            return self._too_bright(last)
        if last.level_adu < self.goal.target_adu and _at(last.value, self.bounds.highest):
            return self._too_dark(last)
        return None

    def _too_bright(self, last: Measured) -> GaveUp:
        level = _adu(last.level_adu)
        if self.bounds.integer:
            shorter = self._scaled(self.around.exposure_s, last)
            message = f"Still {level} at the lowest brightness of {number(last.value)}."
            cure = "Put a sheet of paper on the panel"
            if shorter is not None and shorter >= (self.around.camera_shortest_s or 0.0):
                return GaveUp(message, f"{cure}, or expose less than {exposure(shorter)}.")
            return GaveUp(message, f"{cure}.")
        message = f"Still {level} at the shortest exposure of {exposure(last.value)}."
        if not self.around.can_dim:
            return GaveUp(message, "Put a sheet of paper or cloth before the telescope.")
        dimmer = self._scaled(self.around.brightness, last)
        if dimmer is not None and dimmer >= 1.0:
            hint = f"Dim the panel below {number(dimmer)}, or put a sheet of paper on it."
            return GaveUp(message, hint)
        return GaveUp(message, "Even the lowest brightness is too much: put paper on the panel.")

    def _too_dark(self, last: Measured) -> GaveUp:
        signal = last.level_adu - self.goal.bias_adu
        where = (
            f"the highest brightness of {number(last.value)}"
            if self.bounds.integer
            else f"the longest exposure of {exposure(last.value)}"
        )
        if signal < MEASURABLE_ADU:
            return GaveUp(
                f"No light at {where}: {_adu(last.level_adu)}, as in a covered frame.",
                "Look whether the lamp is lit, the cap is off and the filter is right.",
            )
        message = f"Only {_adu(last.level_adu)} at {where}."
        if self.bounds.integer:
            longer = self._scaled(self.around.exposure_s, last)
            hint = "Expose longer." if longer is None else f"Expose {exposure(longer)} or longer."
            return GaveUp(message, hint)
        return GaveUp(message, self._brighter_or_longer(last))

    def _brighter_or_longer(self, last: Measured) -> str:
        longer = self._scaled(last.value, last)
        ways: list[str] = []
        brighter = self._scaled(self.around.brightness, last) if self.around.can_dim else None
        limit = self.around.max_brightness
        if brighter is not None and (limit is None or brighter <= limit):
            ways.append(f"raise the panel to {number(brighter)}")
        most = self.around.camera_longest_s
        if longer is not None and (most is None or longer <= most):
            ways.append(f"allow exposures of {exposure(longer)}")
        if len(ways) < 2 and not any("raise" in way for way in ways):
            ways.append("use a brighter light")
        text = ", or ".join(ways)
        return f"{text[:1].upper()}{text[1:]}."

    def _below_the_guard(self, last: Measured) -> Outcome:
        """The level is right but its brightest parts are clipped: go as low as is still good."""
        goal = self.goal
        lowest = goal.target_adu * (1.0 - 0.8 * goal.tolerance)
        value = last.value * (lowest - goal.bias_adu) / (last.level_adu - goal.bias_adu)
        value = self._inside(value)
        tried_lower = any(m.level_adu <= last.level_adu for m in self.tries[:-1])
        if last.level_adu > lowest * 1.02 and not tried_lower and not self._was_tried(value):
            return Try(value)
        room = GUARD * goal.saturation_adu - goal.bias_adu
        p999 = last.p999_adu if last.p999_adu is not None else goal.saturation_adu
        share = min(1.0, room / max(p999 - goal.bias_adu, 1.0))
        better = goal.bias_adu + 0.95 * share * (last.level_adu - goal.bias_adu)
        return GaveUp(
            f"At {_adu(last.level_adu)}, the brightest parts already reach {_adu(p999)}, "
            f"limit {_adu(GUARD * goal.saturation_adu)}.",
            f"Lower the target to {_adu(better)}, or light the panel more evenly.",
        )

    def _between_steps(self, value: float) -> Outcome:
        """The value wanted was tried already: its steps are too coarse, or the light moves."""
        low, high = self._bracket()
        if self.bounds.integer and low is not None and high is not None and low < high:
            dark, bright = self._level_at(low), self._level_at(high)
            factor = self.goal.signal_adu / max(dark - self.goal.bias_adu, 1.0)
            base = self.around.exposure_s
            hint = "Change the exposure a little."
            if base is not None:
                hint = f"Expose {exposure(base * factor)} instead of {exposure(base)}."
            return GaveUp(
                f"Brightness {number(low)} gives {_adu(dark)} and {number(high)} {_adu(bright)}; "
                "there is no step between.",
                hint,
            )
        return self._unsteady()

    def _unsteady(self) -> GaveUp:
        levels = ", ".join(_adu(m.level_adu) for m in self.tries[-3:])
        return GaveUp(
            f"The level did not settle in {len(self.tries)} test frames; the last gave {levels}.",
            "Let the lamp warm up, and switch off lights that change.",
        )

    def _level_at(self, value: float) -> float:
        return next(m.level_adu for m in reversed(self.tries) if m.value == value)

    def _scaled(self, value: float | None, last: Measured) -> float | None:
        """Return what a setting should be, from the ratio that the last frame gives."""
        signal = last.level_adu - self.goal.bias_adu
        return None if value is None or signal <= 0 else value * self.goal.signal_adu / signal


def corrected(value: float, level_adu: float, goal: Goal, lowest: float, highest: float) -> float:
    """Return the exposure for the next frame, when the last one had this level at this exposure.

    Only the middle half of the tolerance is left alone: correcting noise would add noise.
    """
    signal = level_adu - goal.bias_adu
    is_usable = signal >= MEASURABLE_ADU and not goal.is_saturated(level_adu)
    away = abs(level_adu - goal.target_adu) / goal.target_adu
    if not is_usable or away <= 0.5 * goal.tolerance:
        return value
    return min(max(value * goal.signal_adu / signal, lowest), highest)


def with_start(search: LevelSearch, start: float | None) -> LevelSearch:
    """Return a fresh search that begins elsewhere (a trained value)."""
    return LevelSearch(search.goal, replace(search.bounds, start=start), search.around)


def _at(value: float, bound: float) -> bool:
    """Whether a value is at a bound; cameras round exposures by a part in a thousand."""
    return abs(value - bound) <= 1e-3 * max(bound, 1e-9)


def _adu(value: float) -> str:
    return quantity(value, "ADU")
