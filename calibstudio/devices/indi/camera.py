"""An INDI camera: settings, exposure, picture, cooler."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

from calibstudio.devices.indi.camera_facts import NEEDS, CameraFacts, read_facts
from calibstudio.devices.indi.camera_settings import Settings, apply
from calibstudio.devices.indi.device import IndiDevice, RefusedError
from calibstudio.devices.indi.exposure import Exposer
from calibstudio.devices.indi.link import Link
from calibstudio.devices.indi.picture import Picture, digest, read_picture
from calibstudio.devices.repeats import RepeatGuard
from calibstudio.devices.request_check import check
from calibstudio.domain.equipment import (
    CameraInfo,
    CameraState,
    CameraStatus,
    Conversion,
    ExposureRequest,
    Frame,
)
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    ExposureFailedError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import exposure, temperature

log = logging.getLogger(__name__)

SHORTEST_S = 0.001
"""Sent for 0 s where the driver names no shortest exposure."""
_COOLER_S = 0.4
"""How long to wait for the answer of the cooler: its caller does not wait."""


class IndiCamera:
    """A camera behind an INDI server; see `Camera` for what its methods promise.

    Use `open`; the constructor takes what `open` found out.
    """

    def __init__(self, device: IndiDevice, facts: CameraFacts) -> None:
        self._device, self._facts = device, facts
        self._exposer = Exposer(device)
        self._exposing = threading.Lock()
        self._repeats = RepeatGuard()
        self._target_c: float | None = None
        self._cooler_on: bool | None = None

    @classmethod
    def open(cls, link: Link, name: str, cancel: CancelToken | None = None) -> IndiCamera:
        """Connect a camera and learn what it can do.

        Raises
        ------
        DeviceError
            It cannot be connected, or is no usable camera.
        """
        device = IndiDevice(link, name, NEEDS)
        device.connect(cancel)
        try:
            return cls(device, read_facts(device, cancel))
        except BaseException:
            device.close()
            raise

    @property
    def info(self) -> CameraInfo:
        """Facts that do not change while connected."""
        return self._facts.info

    def name_neighbours(self, *, wheel: str | None, mount: str | None) -> None:
        """Tell the driver whose filter and direction belong into its headers."""
        found = self._device.find("ACTIVE_DEVICES")
        known = {"ACTIVE_FILTER": wheel, "ACTIVE_TELESCOPE": mount}
        members = {} if found is None else found.members
        wanted = {key: name for key, name in known.items() if name and key in members}
        if wanted:
            try:
                self._device.set_text("ACTIVE_DEVICES", wanted)
            except DeviceError as error:
                log.info("%s keeps its own neighbours: %s", self.info.name, error)

    # Looking ----------------------------------------------------------------------------------

    def status(self) -> CameraStatus:
        """Return what the driver said last; never waits."""
        device = self._device
        device.check_open()
        phase = self._phase()
        if phase is None:
            (device.check_there if self._exposing.locked() else device.look)()
        cooling = device.find("CCD_TEMPERATURE")
        power = device.find("CCD_COOLER_POWER")
        is_on = self._is_cooler_on()
        return CameraStatus(
            at=datetime.now(UTC),
            state=phase or self._state(),
            sensor_c=None if cooling is None else cooling.number("CCD_TEMPERATURE_VALUE"),
            set_c=self._target_c if is_on else None,
            cooler_on=is_on,
            cooler_power_pct=None
            if power is None or not power.members
            else power.number(next(iter(power.members))),
        )

    def conversion(self, gain: int | None, readout_mode: str | None) -> Conversion | None:
        """INDI does not say what an ADU is worth."""
        return None

    def _phase(self) -> CameraState | None:
        """What an exposure of ours is doing; None without one."""
        watch = self._exposer.watch
        if watch is None:
            return CameraState.EXPOSING if self._exposing.locked() else None
        if self._device.link.is_alive and self._device.is_connected:
            return CameraState.EXPOSING if time.monotonic() < watch.ends else CameraState.READING
        return None

    def _state(self) -> CameraState:
        found = self._device.need("CCD_EXPOSURE")
        return CameraState.EXPOSING if found.state == "Busy" else CameraState.IDLE

    # Cooling ----------------------------------------------------------------------------------

    def set_cooler(self, *, on: bool, target_c: float | None = None) -> None:
        """Switch the cooler; returns at once. Raises `UnsupportedRequestError`."""
        device, info = self._device, self.info
        device.check_there()
        if not info.can_cool:
            raise UnsupportedRequestError(f"{info.name} has no cooler to set.", hint="Take it off.")
        limits = info.set_temp_range_c or (-100.0, 100.0)
        if target_c is not None and not limits[0] <= target_c <= limits[1]:
            raise self._beyond(target_c)
        if on and target_c is not None:
            self._set_target(target_c)
        self._switch_cooler(on)

    def _set_target(self, target_c: float) -> None:
        device = self._device
        since = device.order("CCD_TEMPERATURE", {"CCD_TEMPERATURE_VALUE": f"{target_c:.6g}"})

        def is_answered() -> bool:
            found = device.find("CCD_TEMPERATURE")
            return found is None or found.version > since

        device.link.wait(is_answered, _COOLER_S)
        found = device.need("CCD_TEMPERATURE")
        if found.version > since and found.state == "Alert":
            raise self._beyond(target_c)
        self._target_c = target_c

    def _switch_cooler(self, on: bool) -> None:
        device = self._device
        found = device.find("CCD_COOLER")
        if found is None:
            if not on:
                raise UnsupportedRequestError(
                    f"The driver of {self.info.name} cannot switch its cooler off.",
                    hint="Set it to the temperature of the air, or switch its power off.",
                )
            self._cooler_on = True
            return
        wanted = "COOLER_ON" if on else "COOLER_OFF"
        if not found.is_on(wanted):
            others = {name: "Off" for name in found.members if name != wanted}
            since = device.order("CCD_COOLER", {**others, wanted: "On"})
            try:
                device.settled("CCD_COOLER", since, lambda p: p.is_on(wanted), seconds=_COOLER_S)
            except RefusedError as error:
                raise DeviceError(
                    f"The cooler of {self.info.name} does not switch {'on' if on else 'off'}.",
                    hint="Look at its power supply and its driver, then retry.",
                ) from error
            except DeviceUnreachableError:
                raise
            except DeviceError as error:
                log.info("the cooler of %s has not answered yet: %s", self.info.name, error)
        self._cooler_on = on

    def _is_cooler_on(self) -> bool | None:
        found = self._device.find("CCD_COOLER")
        if found is None:
            return self._cooler_on
        return found.is_on("COOLER_ON")

    def _beyond(self, target_c: float) -> UnsupportedRequestError:
        return UnsupportedRequestError(
            f"{self.info.name} cannot be set to {temperature(target_c)}.",
            hint="Choose a temperature that its cooler can reach.",
        )

    # Exposing ---------------------------------------------------------------------------------

    def expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        """Take one frame and return it; see `Camera.expose`."""
        self._device.check_open()
        check(request, self.info)
        cancel.check()
        if not self._exposing.acquire(blocking=False):
            raise DeviceBusyError(f"{self.info.name} is already exposing.")
        try:
            return self._expose(request, cancel)
        except (
            Cancelled,
            DeviceBusyError,
            DeviceUnreachableError,
            ExposureFailedError,
            UnsupportedRequestError,
        ):
            raise
        except DeviceError as error:
            raise ExposureFailedError(str(error), hint=error.hint) from error
        finally:
            # Nothing to stop after a frame; after anything else the camera is to be idle again.
            self._exposer.stop()
            self._exposing.release()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        if self._device.is_open:
            self._exposer.stop()
        self._device.close()

    def _expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        if self._device.ensure_connected(cancel):
            self._repeats.forget()
        self._exposer.make_idle(cancel)
        settings = apply(self._device, self._facts, request, cancel)
        shortest = self.info.exposure_min_s or (SHORTEST_S if request.exposure_s <= 0.0 else 0.0)
        exposure_s = max(request.exposure_s, shortest)
        started_at = datetime.now(UTC)
        blob = self._exposer.take(exposure_s, cancel)
        content = blob.value if isinstance(blob.value, bytes) else b""
        picture = read_picture(self.info.name, content, blob.format, settings.shape)
        self._repeats.check(self.info.name, picture.data, digest(picture.data))
        return self._frame(request, settings, picture, started_at, exposure_s)

    def _frame(
        self,
        request: ExposureRequest,
        settings: Settings,
        picture: Picture,
        started_at: datetime,
        sent_s: float,
    ) -> Frame:
        cooling = self._device.find("CCD_TEMPERATURE")
        sensor_c = None if cooling is None else cooling.number("CCD_TEMPERATURE_VALUE")
        status = self.status() if self._device.is_connected else None
        return Frame(
            data=picture.data,
            request=request,
            started_at=started_at,
            exposure_s=self._exposure_done(picture, sent_s),
            gain=settings.gain,
            offset=settings.offset,
            sensor_c=sensor_c,
            set_c=status.set_c if status else None,
            cooler_power_pct=status.cooler_power_pct if status else None,
        )

    def _exposure_done(self, picture: Picture, sent_s: float) -> float:
        """Return how long the driver says it exposed; a picture of another exposure is refused."""
        said = picture.number("EXPTIME")
        if said is None or said <= 0.0:
            return sent_s
        if abs(said - sent_s) > max(0.05, 0.1 * sent_s):
            raise ExposureFailedError(
                f"{self.info.name} sent a picture of {exposure(said)} when {exposure(sent_s)} was "
                "asked for.",
                hint="Another program uses the camera, or its driver mixed them up. Take it again.",
            )
        return said
