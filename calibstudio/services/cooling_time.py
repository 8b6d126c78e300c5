"""How long a plan waits for its temperatures, before anything is cooled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from calibstudio.domain.equipment import CameraInfo, CameraStatus
from calibstudio.domain.plan import CapturePlan, Estimate
from calibstudio.domain.wording import duration
from calibstudio.services.cooling import CoolingRules, seconds_expected

WORTH_SAYING_S = 30.0


@dataclass(frozen=True, slots=True)
class TimeNeeded:
    """The time of a plan, told apart. All in seconds."""

    frames_s: float
    """Taking the frames, filter changes and tests included."""
    cooling_s: float = 0.0
    """Until the sensor is stable, every temperature of the plan together."""
    waiting_s: float = 0.0
    """For the light of the twilight, what cooling takes of it not counted."""
    warming_s: float = 0.0
    """Warming up at the end."""

    @property
    def seconds(self) -> float:
        """All together."""
        return self.frames_s + self.cooling_s + self.waiting_s + self.warming_s

    def words(self) -> str:
        """Say what is not frames: ``cooling about 6 min, warm-up about 4 min``; empty for none."""
        parts = (
            ("cooling", self.cooling_s),
            ("wait for the light", self.waiting_s),
            ("warm-up", self.warming_s),
        )
        said = [f"{name} about {duration(_rounded(s))}" for name, s in parts if s >= WORTH_SAYING_S]
        text = ", ".join(said)
        return f"{text[:1].upper()}{text[1:]}"


def time_needed(
    plan: CapturePlan,
    estimate: Estimate,
    info: CameraInfo,
    status: CameraStatus | None,
    rules: CoolingRules | None = None,
) -> TimeNeeded:
    """Return what a plan takes with its cooling and warm-up.

    Parameters
    ----------
    estimate
        Of the frames; its waiting for the light goes on while the sensor cools.
    status
        How the camera is now; None: it was not asked yet, and five minutes are assumed.
    """
    rules = rules or CoolingRules()
    wanted = [s.settings.set_temp_c for s in plan.steps if s.settings.set_temp_c is not None]
    cooling_s = warming_s = 0.0
    if info.can_cool and wanted and rules.wait:
        cooling_s = seconds_expected(status, wanted[0], rules)
        for before, after in pairwise(wanted):
            if after != before:
                cooling_s += 60.0 * abs(after - before) / rules.ramp_c_per_min + rules.window_s
    if info.can_cool and plan.warm_up:
        warming_s = _warming_s(wanted[-1] if wanted else None, status, rules)
    waiting_s = max(0.0, estimate.waiting_s - cooling_s)
    return TimeNeeded(estimate.seconds - estimate.waiting_s, cooling_s, waiting_s, warming_s)


def _warming_s(last_c: float | None, status: CameraStatus | None, rules: CoolingRules) -> float:
    from_c = last_c
    if from_c is None and status is not None:
        if status.cooler_on is False:
            return 0.0
        from_c = status.sensor_c
    if from_c is None:
        return 0.0
    ramp = rules.warm_ramp_c_per_min or rules.ramp_c_per_min
    return 60.0 * max(0.0, rules.warm_to_c - from_c) / ramp


def _rounded(seconds: float) -> float:
    """Return an estimate without false precision: whole minutes from one minute on."""
    return 60.0 * round(seconds / 60.0) if seconds >= 60.0 else float(round(seconds))
