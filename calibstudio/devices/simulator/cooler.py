"""The sensor's temperature: a cooler with inertia, limited power and a controller."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

STEP_S = 1.0
_MEMORY_STEPS = 3 * 3600


class Cooler:
    """Thermoelectric cooler, advanced in steps of one second whenever somebody looks.

    dT/dt = (T_ambient + self-heating - T - dT_max P) / tau, with P from 0 to 1 by a
    proportional-integral controller. The steps lie on a fixed grid, so the temperature does not
    depend on how often it is read. Safe to use from any thread.

    Parameters
    ----------
    now_s
        Seconds of the observatory's clock.
    ambient_c
        Air temperature at such a second.
    """

    def __init__(
        self,
        now_s: Callable[[], float],
        ambient_c: Callable[[float], float],
        *,
        span_c: float = 38.0,
        tau_s: float = 90.0,
        self_heating_c: float = 2.0,
    ) -> None:
        self._now_s, self._ambient_c = now_s, ambient_c
        self._span_c, self._tau_s, self._heating_c = span_c, tau_s, self_heating_c
        self._lock = threading.Lock()
        self._step = int(now_s() // STEP_S)
        self._temperature_c = ambient_c(self._step * STEP_S) + self_heating_c
        self._on, self._target_c = False, 0.0
        self._power, self._integral = 0.0, 0.0
        self._stuck = False

    def set(self, *, on: bool, target_c: float | None = None) -> None:
        """Switch on or off; a target that is left out stays as it was."""
        with self._lock:
            self._advance()
            if target_c is not None:
                self._target_c = float(target_c)
            if on and not self._on:
                self._integral = 0.0
            self._on = on
            if not on:
                self._power = 0.0

    def set_stuck(self, stuck: bool) -> None:
        """Let the temperature stay where it is."""
        with self._lock:
            self._advance()
            self._stuck = stuck

    def read(self) -> tuple[float, float, bool, float]:
        """Return temperature and target in degrees C, whether it is on, and power in percent."""
        with self._lock:
            self._advance()
            power = 1.0 if self._stuck and self._on else self._power
            return self._temperature_c, self._target_c, self._on, 100.0 * power

    def _advance(self) -> None:
        """Take the steps that time owes; what is further back than its memory cannot matter."""
        due = int(self._now_s() // STEP_S)
        self._step = max(self._step, due - _MEMORY_STEPS)
        while self._step < due:
            self._step += 1
            self._one_step(self._ambient_c(self._step * STEP_S))

    def _one_step(self, ambient_c: float) -> None:
        if self._on:
            error = self._temperature_c - self._target_c
            wanted = 0.12 * error + self._integral
            self._power = min(1.0, max(0.0, wanted))
            # The integral rests while the power is at its limit, or it would overshoot by far.
            if wanted == self._power or (error < 0.0) == (wanted > 1.0):
                self._integral = min(1.0, max(0.0, self._integral + 0.0025 * error * STEP_S))
        if self._stuck:
            return
        goal = ambient_c + self._heating_c - self._span_c * self._power
        self._temperature_c += (goal - self._temperature_c) * (
            1.0 - math.exp(-STEP_S / self._tau_s)
        )
