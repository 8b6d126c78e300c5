"""A flat panel that is also the telescope's cover, and its lamp."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import exp

from calibstudio.devices.simulator.clock import SimulatedClock
from calibstudio.devices.simulator.faults import FaultBox
from calibstudio.domain.equipment import CoverState, PanelInfo, PanelStatus
from calibstudio.domain.errors import (
    DeviceBusyError,
    DeviceError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import exposure, number

MAX_BRIGHTNESS = 4096
PANEL_EXPONENT = 1.08
_KEPT = 400


def panel_law(brightness: float) -> float:
    """Return the light at a brightness setting, as a share of the light at the highest.

    Not quite linear: the 1.08th power, as light sheets with a driver of their own have.
    """
    return float((max(0.0, brightness) / MAX_BRIGHTNESS) ** PANEL_EXPONENT)


@dataclass(frozen=True, slots=True)
class _Since:
    """What holds from a moment on."""

    at_s: float
    brightness: int
    cover: CoverState
    lamp_since_s: float


class SimulatedPanel:
    """Cover and lamp in one. The lamp shines on the sensor only when the cover is closed.

    Everything that was set is remembered with its time, so that an exposure gets the light that
    there really was, also when the lamp was switched in the middle of it.
    """

    COVER_S = 4.0
    PATIENCE_S = 15.0
    """After so long a cover that does not arrive is given up."""
    SETTLE_S = 1.5
    WARM_UP, WARM_UP_S = 0.015, 90.0
    """A cold lamp is this much brighter, and comes down with this time constant."""
    STRAY = 0.01
    """Share of the lamp's light that reaches the sensor from an open cover."""
    FLICKER_HZ = 4000.0
    """Of its dimmer: bands in exposures of milliseconds, nothing from 0.1 s on."""

    def __init__(
        self,
        clock: SimulatedClock,
        *,
        name: str,
        cover_open: bool = False,
        faults: FaultBox | None = None,
    ) -> None:
        self._clock = clock
        self._faults = faults or FaultBox()
        self._lock = threading.Lock()
        self._moving = threading.Lock()
        state = CoverState.OPEN if cover_open else CoverState.CLOSED
        self._past: list[_Since] = [_Since(-1e12, 0, state, -1e12)]
        self._info = PanelInfo(
            name=name, has_cover=True, has_lamp=True, max_brightness=MAX_BRIGHTNESS
        )

    @property
    def info(self) -> PanelInfo:
        """Facts that do not change while connected."""
        return self._info

    def status(self) -> PanelStatus:
        """Read the cover and the lamp."""
        with self._lock:
            last = self._past[-1]
        return PanelStatus(cover=last.cover, brightness=last.brightness)

    def move_cover(self, *, open_it: bool, cancel: CancelToken) -> None:
        """Open or close and return when done. Cancelled, the cover stays where it was before.

        Raises
        ------
        DeviceBusyError
            It is already moving.
        DeviceError
            It did not get there; it is where it was.
        """
        wanted = CoverState.OPEN if open_it else CoverState.CLOSED
        if not self._moving.acquire(blocking=False):
            raise DeviceBusyError(f"The cover of {self._info.name} is already moving.")
        try:
            before = self.status().cover
            if before is wanted:
                return
            cancel.check()
            self._note(cover=CoverState.MOVING)
            reached = before
            try:
                if self._faults.now.stuck_cover:
                    self._clock.sleep(self.PATIENCE_S, cancel)
                    raise DeviceError(
                        f"The cover of {self._info.name} did not {'open' if open_it else 'close'} "
                        f"within {exposure(self.PATIENCE_S)}.",
                        hint="Look whether something is in its way or frozen.",
                    )
                self._clock.sleep(self.COVER_S, cancel)
                reached = wanted
            finally:
                self._note(cover=reached)
        finally:
            self._moving.release()

    def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
        """Set the lamp, 0 for off, and return when it has settled."""
        if not 0 <= brightness <= MAX_BRIGHTNESS:
            raise UnsupportedRequestError(
                f"{self._info.name} cannot be set to {number(brightness)}.",
                hint=f"Its brightness goes from 0 to {number(MAX_BRIGHTNESS)}.",
            )
        if brightness == self.status().brightness:
            return
        cancel.check()
        self._note(brightness=int(brightness))
        if brightness > 0:
            self._clock.sleep(self.SETTLE_S, cancel)

    def exposure(self, start_s: float, end_s: float) -> tuple[float, float, float]:
        """Return what the sensor sees of lamp and sky between two moments.

        Returns
        -------
        lamp, duty, open_share
            Mean light of the lamp on the sensor as a share of the full lamp behind a closed
            cover; the duty cycle of its dimmer; the share of the time the cover was not closed.
        """
        with self._lock:
            past = list(self._past)
        end_s = max(end_s, start_s + 1e-6)
        lamp = open_time = duty_time = 0.0
        for i, since in enumerate(past):
            until = past[i + 1].at_s if i + 1 < len(past) else float("inf")
            left, right = max(since.at_s, start_s), min(until, end_s)
            if right <= left:
                continue
            share = (right - left) / (end_s - start_s)
            middle = 0.5 * (left + right)
            level = panel_law(since.brightness) * self._warmth(middle - since.lamp_since_s)
            closed = since.cover is CoverState.CLOSED
            lamp += share * level * (1.0 if closed else self.STRAY)
            duty_time += share * since.brightness / MAX_BRIGHTNESS
            open_time += 0.0 if closed else share
        return lamp, max(1e-4, duty_time), open_time

    def _warmth(self, on_for_s: float) -> float:
        return 1.0 + self.WARM_UP * exp(-max(0.0, on_for_s) / self.WARM_UP_S)

    def _note(self, *, brightness: int | None = None, cover: CoverState | None = None) -> None:
        """Write down a change, now."""
        with self._lock:
            last = self._past[-1]
            at = max(self._clock.elapsed_s, last.at_s)
            new = last.brightness if brightness is None else brightness
            since = at if last.brightness == 0 and new > 0 else last.lamp_since_s
            self._past.append(_Since(at, new, cover or last.cover, since))
            del self._past[:-_KEPT]
