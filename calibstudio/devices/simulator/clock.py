"""Time at the simulated observatory: real, fast, or as fast as the work allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import inf, isinf, isnan

from calibstudio.domain.jobs import CancelToken


class SimulatedClock:
    """A clock that all simulated devices share.

    With a finite ``speed`` it runs, so many observatory seconds in one real second. With
    ``inf`` it stands still and jumps when somebody sleeps: a night costs what its frames cost
    to render. Safe to use from any thread.

    Parameters
    ----------
    start
        The moment it shows when it is made; now when left out.
    speed
        Observatory seconds in a real second, above 0; ``inf`` for as fast as possible.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._start = (start if start is not None else datetime.now(UTC)).astimezone(UTC)
        self._lock = threading.Lock()
        self._base_s = 0.0
        self._base_real = time.monotonic()
        self._speed = _checked(speed)
        self._limits: list[float] = []

    @property
    def speed(self) -> float:
        """Observatory seconds in a second of the operator's."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Go on from here at another speed."""
        checked = _checked(speed)
        with self._lock:
            self._base_s, self._base_real = self._elapsed(), time.monotonic()
            self._speed = checked

    @property
    def elapsed_s(self) -> float:
        """Observatory seconds since the clock was made."""
        with self._lock:
            return self._elapsed()

    def now(self) -> datetime:
        """UTC, timezone-aware."""
        return self.at(self.elapsed_s)

    def at(self, elapsed_s: float) -> datetime:
        """The moment so many seconds after the clock was made, UTC."""
        return self._start + timedelta(seconds=elapsed_s)

    def sleep(self, seconds: float, cancel: CancelToken) -> None:
        """Wait so many observatory seconds; raises `Cancelled` at once when asked to stop."""
        self.sleep_until(self.elapsed_s + max(0.0, seconds), cancel)

    def sleep_until(self, elapsed_s: float, cancel: CancelToken) -> None:
        """Wait until the clock shows so many seconds; raises `Cancelled` when asked to stop."""
        cancel.check()
        while (left := elapsed_s - self.elapsed_s) > 1e-9:
            if isinf(self._speed):
                with self._lock:
                    self._base_s = max(self._base_s, elapsed_s)
                return
            # Not in one piece: the speed may change while we sleep.
            cancel.wait(min(left / self._speed, 0.5))

    @contextmanager
    def not_beyond(self, elapsed_s: float) -> Iterator[None]:
        """Hold a fast clock at a moment until the work inside is done.

        Rendering a frame takes real time. Without this, a night at a thousandfold speed would
        lose minutes of twilight to each frame. A clock at real speed is never held.
        """
        with self._lock:
            self._limits.append(elapsed_s)
        try:
            yield
        finally:
            with self._lock:
                self._elapsed()
                self._limits.remove(elapsed_s)

    def _elapsed(self) -> float:
        """Seconds now; called with the lock held. Past a limit the clock stands."""
        if isinf(self._speed):
            return self._base_s
        real = time.monotonic()
        elapsed = self._base_s + (real - self._base_real) * self._speed
        limit = min(self._limits, default=inf) if self._speed != 1.0 else inf
        if elapsed > limit:
            self._base_s, self._base_real = max(limit, self._base_s), real
            elapsed = self._base_s
        return elapsed


def _checked(speed: float) -> float:
    if isnan(speed) or speed <= 0.0:
        raise ValueError(f"the speed of a clock must be above 0, not {speed}")
    return float(speed)
