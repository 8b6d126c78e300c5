"""One exposure of an Alpaca camera, from the order to the picture being ready.

Written from what real drivers were seen to do (each has a test):

* states and ``ImageReady`` lag up to three seconds behind an order;
* ``ImageReady`` before the exposure can be over is about an earlier picture;
* "download" may stay for ever after a picture, "error" until something is aborted;
* a driver that was started again in mid exposure is idle and will never be ready;
* ``PercentCompleted`` and the times of the last exposure may be anything: they are not asked.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from alpaca.camera import CameraStates

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.failures import (
    BadReplyError,
    DriverError,
    NotConnectedError,
    silent,
)
from calibstudio.domain.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    ExposureFailedError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import duration, exposure

log = logging.getLogger(__name__)

BUSY = (CameraStates.cameraWaiting, CameraStates.cameraExposing, CameraStates.cameraReading)
_EARLY = 0.03
"""A picture may be ready this share of its exposure too soon: clocks differ."""
_EARLY_S = 0.1
_SLOWEST_LOOK_S = 1.0
_RESTART = "Take it again. When it comes back, restart the camera’s driver."


@dataclass(slots=True)
class Watch:
    """What was seen of an exposure so far; times are of `time.monotonic`."""

    began: float
    exposure_s: float
    """As it takes here."""
    was_ready: bool
    """`ImageReady` was set already when the exposure was begun."""
    heard_at: float
    seen_busy: bool = False
    seen_unready: bool = False
    idle_since: float | None = None
    error_since: float | None = None
    last_error: DeviceError | None = field(default=None, repr=False)

    @property
    def ends(self) -> float:
        """When the exposure is over."""
        return self.began + self.exposure_s

    def is_early(self, now: float) -> bool:
        """Whether a picture that is ready now cannot be of this exposure."""
        return now < self.ends - max(_EARLY * self.exposure_s, _EARLY_S)


class Exposer:
    """Begins exposures, waits for them, and stops them."""

    def __init__(
        self, device: AlpacaDevice, *, can_abort: bool, can_stop: bool, clock_speed: float = 1.0
    ) -> None:
        self._device, self._speed = device, clock_speed
        self._can_abort, self._can_stop = can_abort, can_stop
        self._unfinished_until: float | None = None
        """When an exposure ends that could not be stopped."""
        self.watch: Watch | None = None
        """The exposure under way; for those who show it."""

    def begin(self, exposure_s: float, cancel: CancelToken, *, light: bool) -> None:
        """Make sure that the camera is free, and start.

        Raises
        ------
        DeviceBusyError
            It is exposing for somebody else, or cannot stop.
        UnsupportedRequestError, DeviceError, Cancelled
        """
        device = self._device
        self._make_idle(cancel)
        was_ready = self._is_ready_before(cancel)
        began = time.monotonic()
        self.watch = Watch(began, exposure_s / self._speed, was_ready, heard_at=began)
        try:
            device.act(
                "startexposure",
                {"Duration": f"{exposure_s:.9g}", "Light": str(light)},
                cancel,
                extra_s=exposure_s / self._speed,
            )
        except DriverError as error:
            hint = f"Choose another exposure for {device.name}."
            raise device.unsupported(error, hint) from error
        self.watch.heard_at = time.monotonic()

    def wait(self, cancel: CancelToken) -> None:
        """Return when the picture of this exposure is ready.

        Raises
        ------
        ExposureFailedError
            It will not come.
        DeviceUnreachableError
            The camera does not answer any more.
        Cancelled
        """
        assert self.watch is not None
        watch = self.watch
        while True:
            if self._look(watch, cancel):
                return
            cancel.wait(_pause_s(watch, time.monotonic()))

    def stop(self) -> None:
        """Abort whatever is under way, as far as the camera can. Raises nothing."""
        watch, self.watch = self.watch, None
        if watch is None:
            return
        now = time.monotonic()
        if now < watch.ends + self._device.patience.readout_s:
            self._unfinished_until = watch.ends
        self._abort(self._device.patience.abort_s)

    def done(self) -> None:
        """The picture was taken over."""
        self.watch = None
        self._unfinished_until = None

    # Before -----------------------------------------------------------------------------------

    def _make_idle(self, cancel: CancelToken) -> None:
        """Wait for a camera that lags, stop what is left of ours; nobody else's."""
        patience = self._device.patience
        ends = time.monotonic() + patience.stale_s
        state = self._state_before(cancel)
        if state == CameraStates.cameraError:
            self._abort(patience.write_s)
            return
        tried = False
        while state in BUSY:
            if self._unfinished_until is not None and not tried:
                tried = True
                self._abort(patience.write_s)
            if time.monotonic() > ends:
                raise self._busy()
            cancel.wait(0.1)
            state = self._state_before(cancel)
        self._unfinished_until = None

    def _state_before(self, cancel: CancelToken) -> int:
        """Read the state; what is not said is left to the start to find out."""
        try:
            return self._state(cancel)
        except (DriverError, BadReplyError) as error:
            log.info("%s", error)
            return int(CameraStates.cameraIdle)

    def _busy(self) -> DeviceBusyError:
        left = (self._unfinished_until or 0.0) - time.monotonic()
        if left > 0:
            return DeviceBusyError(
                f"{self._device.name} goes on with an exposure that it did not stop; "
                f"{duration(left)} to go.",
                hint="Wait for it, or restart the camera’s driver.",
            )
        return DeviceBusyError(
            f"{self._device.name} is exposing already.",
            hint="Stop the exposure in the other program, or wait for its end.",
        )

    def _is_ready_before(self, cancel: CancelToken) -> bool:
        try:
            return self._device.read("imageready", values.yes, cancel)
        except (DriverError, BadReplyError):
            return False

    # Meanwhile --------------------------------------------------------------------------------

    def _look(self, watch: Watch, cancel: CancelToken) -> bool:
        """Ask once; return whether the picture is ready."""
        try:
            ready = self._device.read("imageready", values.yes, cancel)
            state = self._state(cancel)
        except NotConnectedError:
            raise
        except DeviceError as error:
            # One that was lost on the way must not cost an exposure of ten minutes.
            self._not_heard(watch, error)
            return False
        now = time.monotonic()
        watch.heard_at, watch.last_error = now, None
        watch.seen_busy |= state in BUSY
        watch.seen_unready |= not ready
        if ready and self._is_ours(watch, now):
            return True
        self._check_state(watch, state, now, ready=ready)
        return False

    def _is_ours(self, watch: Watch, now: float) -> bool:
        """Whether a picture that is ready can be that of this exposure."""
        patience = self._device.patience
        if watch.was_ready and not watch.seen_unready:
            # It was there before. It is ours when the camera does not say otherwise any more.
            return now > watch.ends + patience.stale_s or (
                watch.seen_busy and not watch.is_early(now) and self._state_is_idle()
            )
        if not watch.is_early(now):
            return True
        raise ExposureFailedError(
            f"{self._device.name} had a picture ready after {duration(now - watch.began)} of an "
            f"exposure of {exposure(watch.exposure_s)}; it is an earlier one, or was stopped.",
            hint=_RESTART,
        )

    def _state_is_idle(self) -> bool:
        try:
            return self._state(None) not in BUSY
        except DeviceError:
            return False

    def _check_state(self, watch: Watch, state: int, now: float, *, ready: bool) -> None:
        """Give up when the picture will not come."""
        patience, name = self._device.patience, self._device.name
        is_settled = now > watch.began + patience.stale_s
        watch.error_since = _since(watch.error_since, state == CameraStates.cameraError, now)
        watch.idle_since = _since(
            watch.idle_since, state == CameraStates.cameraIdle and not ready, now
        )
        if watch.error_since is not None and is_settled:
            if now - watch.error_since > patience.stale_s:
                raise ExposureFailedError(
                    f"{name} reports an error in its exposure of {exposure(watch.exposure_s)}.",
                    hint=_RESTART,
                )
            return
        if watch.idle_since is not None and is_settled:
            idle_s = now - watch.idle_since
            stopped = watch.seen_busy and idle_s > patience.stale_s and watch.is_early(now)
            if stopped or (now > watch.ends and min(idle_s, now - watch.ends) > patience.idle_s):
                raise ExposureFailedError(
                    f"{name} is idle and has no picture: its exposure of "
                    f"{exposure(watch.exposure_s)} was lost.",
                    hint="Its server was restarted, or another program stopped it. Take it again.",
                )
        if now > watch.ends + patience.readout_s:
            raise ExposureFailedError(
                f"{name} had no picture {duration(now - watch.ends)} after the end of its exposure "
                f"of {exposure(watch.exposure_s)}.",
                hint=_RESTART,
            )

    def _not_heard(self, watch: Watch, error: DeviceError) -> None:
        """Bear silence and nonsense for a while, then give up."""
        now = time.monotonic()
        quiet_s = now - watch.heard_at
        watch.last_error = error
        if quiet_s <= self._device.patience.lost_s:
            return
        if isinstance(error, DeviceUnreachableError):
            elapsed = duration(watch.heard_at - watch.began)
            raise silent(
                self._device.name, f"last heard {elapsed} into {exposure(watch.exposure_s)}"
            ) from error
        raise ExposureFailedError(str(error), hint=error.hint) from error

    def _state(self, cancel: CancelToken | None) -> int:
        return self._device.read("camerastate", values.whole, cancel)

    # Stopping ---------------------------------------------------------------------------------

    def _abort(self, limit_s: float) -> None:
        """Abort, or stop and throw the picture away; neither may be there, or work."""
        members = [m for m, can in (("abort", self._can_abort), ("stop", self._can_stop)) if can]
        for member in members:
            try:
                self._device.write(f"{member}exposure", {}, limit_s=limit_s, may_repeat=False)
            except DeviceError as error:
                log.info("%s could not %s: %s", self._device.name, member, error)
                if isinstance(error, DeviceUnreachableError):
                    return
            else:
                return


def _since(before: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if before is None else before


def _pause_s(watch: Watch, now: float) -> float:
    """How long to wait before the next look: often near the end, seldom in a long exposure."""
    left = watch.ends - now
    if left > 0:
        return min(_SLOWEST_LOOK_S, max(0.02, 0.5 * left))
    return min(0.5, max(0.02, 0.1 * -left))
