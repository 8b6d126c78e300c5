"""One exposure of an INDI camera, from its order to its picture.

What is waited for ends in a picture or an error within a bounded time, whatever the driver does: it
may end, lose its hardware, restart, say nothing, or be stopped by another program.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from calibstudio.devices.indi.device import IndiDevice
from calibstudio.devices.indi.mirror import Member
from calibstudio.domain.errors import DeviceBusyError, DeviceError, ExposureFailedError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import duration, exposure

log = logging.getLogger(__name__)

BLOB = "CCD1"
_RESTART = "Take it again; when it comes back, restart the camera’s driver."
_LOOK_S = 0.5
_DONE_S = 0.3


@dataclass(slots=True)
class Watch:
    """An exposure under way. Times are of `time.monotonic`."""

    exposure_s: float
    since: int
    """The version before its order."""
    began: float
    was_busy: bool = False
    ended_at: float | None = None
    """When the driver said that it is over."""

    @property
    def ends(self) -> float:
        """When it should be over."""
        return self.began + self.exposure_s


class Exposer:
    """Exposes and stops. Used by one thread at a time; ``watch`` may be read by others."""

    def __init__(self, device: IndiDevice) -> None:
        self._device = device
        self.watch: Watch | None = None
        self._unfinished = False

    def make_idle(self, cancel: CancelToken) -> None:
        """Stop what is left of ours; nobody else's.

        Raises
        ------
        DeviceBusyError
            Another program's exposure is under way, or ours cannot be stopped.
        DeviceUnreachableError, Cancelled
        """
        device = self._device
        if self._state() != "Busy":
            self._unfinished = False
            return
        if self._unfinished:
            self._unfinished = not self._abort(device.patience.set_s)
        else:
            device.link.wait(lambda: self._state() != "Busy", 1.0, cancel)
        if self._state() == "Busy":
            raise DeviceBusyError(
                f"{device.name} is exposing already.",
                hint="Stop the exposure in the other program, or wait for its end.",
            )

    def take(self, exposure_s: float, cancel: CancelToken) -> Member:
        """Expose an idle camera, and return the BLOB of the picture.

        Raises
        ------
        DeviceBusyError, ExposureFailedError, DeviceUnreachableError, DeviceError, Cancelled
        """
        device = self._device
        device.link.want_pictures(device.name, BLOB)
        since = device.order("CCD_EXPOSURE", {"CCD_EXPOSURE_VALUE": f"{exposure_s:.10g}"})
        watch = self.watch = Watch(exposure_s, since, time.monotonic())
        while True:
            seen = device.link.mirror.version
            blob = self._picture(watch)
            if blob is not None:
                # The driver's word that it is done follows its picture.
                device.link.wait(self._is_idle, _DONE_S, cancel)
                self.watch, self._unfinished = None, False
                return blob
            self._check(watch)
            device.link.wait(lambda: device.link.mirror.version != seen, _LOOK_S, cancel)  # noqa: B023

    def stop(self) -> None:
        """End an exposure that gave no picture. Raises nothing; the operator waits for it."""
        watch, self.watch = self.watch, None
        if watch is not None:
            self._unfinished = not self._abort(self._device.patience.abort_s)

    def _state(self) -> str:
        return self._device.need("CCD_EXPOSURE").state

    # Meanwhile --------------------------------------------------------------------------------

    def _picture(self, watch: Watch) -> Member | None:
        """Return the picture once it is there; one that comes too early is not this exposure's."""
        device = self._device
        found = device.find(BLOB)
        value = None if found is None else found.members.get(BLOB)
        if found is None or value is None or not value.value or found.version <= watch.since:
            return None
        now = time.monotonic()
        device.link.mirror.take_blob(device.name, BLOB, BLOB)
        if now < watch.ends - max(0.05, 0.02 * watch.exposure_s):
            raise ExposureFailedError(
                f"{device.name} sent a picture after {duration(now - watch.began)} of an exposure "
                f"of {exposure(watch.exposure_s)}; it is an earlier one, or was stopped.",
                hint=_RESTART,
            )
        return value

    def _check(self, watch: Watch) -> None:
        """Give up when the picture will not come."""
        device, patience = self._device, self._device.patience
        name, now = device.name, time.monotonic()
        if now > watch.ends and device.link.is_alive:
            pass  # a driver may say nothing while it reads out
        else:
            device.link.check(name)
        device.link.check_since(name, watch.since)
        found = device.need("CCD_EXPOSURE")
        if not device.is_connected:
            raise device.gone()
        is_new = found.version > watch.since
        watch.was_busy |= is_new and found.state == "Busy"
        if is_new and found.state == "Alert":
            said = device.link.mirror.said(name, watch.since)
            detail = f": it says “{said.rstrip('.')}”" if said else ""
            raise ExposureFailedError(
                f"{name} reports an error in its exposure of {exposure(watch.exposure_s)}{detail}.",
                hint=_RESTART,
            )
        if is_new and found.state in ("Ok", "Idle"):
            watch.ended_at = watch.ended_at or now
        else:
            watch.ended_at = None
        self._check_late(watch, found.state, now, patience.idle_s, patience.readout_s)

    def _check_late(
        self, watch: Watch, state: str, now: float, idle_s: float, readout_s: float
    ) -> None:
        name = self._device.name
        over_s = 0.0 if watch.ended_at is None else now - watch.ended_at
        # Idle is what an aborted exposure ends in; Ok precedes a picture that is on its way.
        limit_s = idle_s if state == "Idle" else readout_s
        if over_s > limit_s:
            raise ExposureFailedError(
                f"{name} is idle and has no picture: its exposure of "
                f"{exposure(watch.exposure_s)} was lost.",
                hint="Another program stopped it, or took the picture. Take it again.",
            )
        if now > watch.ends + readout_s:
            raise ExposureFailedError(
                f"{name} had no picture {duration(now - watch.ends)} after the end of its exposure "
                f"of {exposure(watch.exposure_s)}.",
                hint=_RESTART,
            )
        if watch.ended_at is None and not watch.was_busy and now > watch.began + readout_s:
            raise ExposureFailedError(f"{name} did not begin its exposure.", hint=_RESTART)

    # Stopping ---------------------------------------------------------------------------------

    def _abort(self, seconds: float) -> bool:
        """Abort, and return whether the camera is known to be idle.

        A camera behind a line that is cut may expose on, and is stopped when it is back.
        """
        device = self._device
        try:
            if device.find("CCD_ABORT_EXPOSURE") is not None:
                device.order("CCD_ABORT_EXPOSURE", {"ABORT": "On"})
            device.link.wait(self._is_idle, seconds)
            return self._state() != "Busy"
        except DeviceError as error:
            log.info("the exposure of %s was not stopped: %s", device.name, error)
            return False

    def _is_idle(self) -> bool:
        found = self._device.find("CCD_EXPOSURE")
        return found is None or found.state != "Busy"
