"""An Alpaca camera: settings, exposure, picture, cooler."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPResponse

from alpaca.camera import CameraStates

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.camera_facts import CameraFacts, read_conversion, read_facts
from calibstudio.devices.alpaca.camera_settings import Settings, apply
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.exposure import BUSY, Exposer
from calibstudio.devices.alpaca.failures import BadReplyError, DriverError, NotConnectedError
from calibstudio.devices.alpaca.fresh import Fresh
from calibstudio.devices.alpaca.picture import ACCEPT, Picture, image_bytes, plausible
from calibstudio.devices.alpaca.picture_json import image_json
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
from calibstudio.domain.wording import temperature

log = logging.getLogger(__name__)

SHORTEST_S = 0.001
"""Sent for 0 s where the driver names no shortest exposure: some drop an exposure of 0."""
_KNOWN_FOR_S = 60.0


class AlpacaCamera:
    """A camera behind an Alpaca server; see `Camera` for what its methods promise.

    Use `open`; the constructor takes what `open` found out.
    """

    def __init__(self, device: AlpacaDevice, facts: CameraFacts) -> None:
        self._device, self._facts = device, facts
        self._exposer = Exposer(
            device,
            can_abort=facts.can_abort,
            can_stop=facts.can_stop,
            clock_speed=facts.clock_speed,
        )
        self._exposing = threading.Lock()
        self._is_downloading = False
        self._status = Fresh(
            lambda: device.watched(self._read_status),
            lambda: device.name,
            recent_s=device.patience.recent_s,
        )
        self._worth: dict[tuple[int | None, str | None], Conversion | None] = {}
        self._repeats = RepeatGuard()
        self._last_duration_s: float | None = None

    @classmethod
    def open(cls, device: AlpacaDevice, cancel: CancelToken | None = None) -> AlpacaCamera:
        """Connect a camera and learn what it can do.

        Raises
        ------
        DeviceError
            It cannot be connected, or is no usable camera.
        """
        device.connect(cancel)
        camera = cls(device, read_facts(device))
        info = camera.info
        mode = info.readout_modes[0] if info.readout_modes else None
        camera._worth[(info.gain_default, mode)] = read_conversion(device)
        return camera

    @property
    def info(self) -> CameraInfo:
        """Facts that do not change while connected."""
        return self._facts.info

    # Looking ----------------------------------------------------------------------------------

    def status(self) -> CameraStatus:
        """Read what changes; quick, also when the camera hangs."""
        self._device.check_open()
        phase = self._phase()
        if self._is_downloading:
            # Most drivers answer nothing while they hand a picture over.
            return self._last_known(phase)
        try:
            status = self._status.get()
        except DeviceUnreachableError:
            watch = self._exposer.watch
            if watch is None or time.monotonic() - watch.heard_at > self._device.patience.lost_s:
                raise
            return self._last_known(phase)
        return status if phase is None else replace(status, state=phase)

    def conversion(self, gain: int | None, readout_mode: str | None) -> Conversion | None:
        """What the driver said an ADU is worth at settings it had already; None for others."""
        info = self.info
        if gain is None:
            gain = info.gain_default
        if readout_mode is None and info.readout_modes:
            readout_mode = info.readout_modes[0]
        return self._worth.get((gain, readout_mode))

    def _phase(self) -> CameraState | None:
        """What an exposure of ours is doing; None without one."""
        watch = self._exposer.watch
        if self._is_downloading:
            return CameraState.READING
        if watch is None:
            return None
        return CameraState.EXPOSING if time.monotonic() < watch.ends else CameraState.READING

    def _last_known(self, phase: CameraState | None) -> CameraStatus:
        """Return the last reading with what we know ourselves; old temperatures are not told."""
        now, last = datetime.now(UTC), self._status.last
        state = phase or CameraState.IDLE
        if last is None or (now - last.at).total_seconds() > _KNOWN_FOR_S:
            return CameraStatus(at=now, state=state)
        return replace(last, state=state)

    def _read_status(self) -> CameraStatus:
        state = self._read("camerastate", values.whole)
        if state is None:
            raise BadReplyError(f"{self._device.name} does not say what it is doing.")
        facts, can_cool = self._facts, self.info.can_cool
        is_on = self._read("cooleron", values.yes) if can_cool else None
        set_c = self._read("setccdtemperature", values.decimal) if can_cool and is_on else None
        return CameraStatus(
            at=datetime.now(UTC),
            state=_state(state),
            sensor_c=self._read("ccdtemperature", values.decimal) if facts.has_sensor else None,
            set_c=set_c,
            cooler_on=is_on,
            cooler_power_pct=self._read("coolerpower", values.decimal) if facts.has_power else None,
        )

    def _read(self, member: str, kind: values.Kind[values.V]) -> values.V | None:
        """Read on the connection for looking; None for what the driver does not say now."""
        try:
            return self._device.read(member, kind, watching=True)
        except (DriverError, BadReplyError) as error:
            log.debug("%s", error)
            return None

    # Cooling ----------------------------------------------------------------------------------

    def set_cooler(self, *, on: bool, target_c: float | None = None) -> None:
        """Switch the cooler; returns at once. Raises `UnsupportedRequestError`."""
        self._device.check_open()
        info = self.info
        if not info.can_cool:
            raise UnsupportedRequestError(f"{info.name} has no cooler to set.", hint="Take it off.")
        limits = info.set_temp_range_c or (-100.0, 100.0)
        if target_c is not None and not limits[0] <= target_c <= limits[1]:
            raise self._beyond(target_c)
        if on and target_c is not None:
            try:
                self._device.write("setccdtemperature", {"SetCCDTemperature": f"{target_c:.6g}"})
            except DriverError as error:
                raise self._beyond(target_c) from error
        self._device.write("cooleron", {"CoolerOn": str(on)})
        self._status.forget()

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
            self._is_downloading = False
            # Nothing to stop after a frame; after anything else the camera is to be idle again.
            self._exposer.stop()
            self._exposing.release()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        if self._device.is_open:
            self._exposer.stop()
        self._device.close()

    def _expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        device = self._device
        device.ensure_connected(cancel)
        settings = apply(device, self._facts, request, cancel)
        conversion = self._conversion_now(settings)
        exposure_s = self._exposure_to_send(request.exposure_s)
        started_at = datetime.now(UTC)
        self._exposer.begin(exposure_s, cancel, light=request.kind.needs_light)
        self._exposer.wait(cancel)
        picture = self._download(settings.shape, cancel)
        self._exposer.done()
        self._is_downloading = False
        self._repeats.check(self.info.name, picture.data, picture.digest)
        done_s = self._exposure_done(exposure_s)
        status = self._status_after()
        return Frame(
            data=picture.data,
            request=request,
            started_at=started_at,
            exposure_s=done_s,
            gain=settings.gain,
            offset=settings.offset,
            readout_mode=settings.readout_mode,
            conversion=conversion,
            sensor_c=status.sensor_c if status else None,
            set_c=status.set_c if status else None,
            cooler_power_pct=status.cooler_power_pct if status else None,
        )

    def _conversion_now(self, settings: Settings) -> Conversion | None:
        """Ask what an ADU is worth: it follows the gain."""
        found = read_conversion(self._device)
        self._worth[(settings.gain, settings.readout_mode)] = found
        return found

    def _exposure_to_send(self, wanted_s: float) -> float:
        shortest = self.info.exposure_min_s or (
            0.0 if wanted_s > 0.0 else max(self._facts.resolution_s, SHORTEST_S)
        )
        return max(wanted_s, shortest)

    def _exposure_done(self, sent_s: float) -> float:
        """Return how long the camera says it exposed, where that is about this exposure."""
        try:
            said = self._device.read("lastexposureduration", values.decimal)
        except DeviceError as error:
            log.debug("%s", error)
            return sent_s
        before, self._last_duration_s = self._last_duration_s, said
        is_close = abs(said - sent_s) <= max(0.01, 0.1 * sent_s)
        is_new = before is not None and said != before
        return said if said > 0.0 and (is_close or is_new) else sent_s

    def _status_after(self) -> CameraStatus | None:
        """Read the temperature for the frame; the picture is worth more than that."""
        try:
            return self._status.get()
        except DeviceError as error:
            log.warning("the temperature of a frame is not known: %s", error)
            return None

    # The picture ------------------------------------------------------------------------------

    def _download(self, shape: tuple[int, int], cancel: CancelToken) -> Picture:
        """Fetch the picture; once more where it broke off and the camera still has it."""
        self._is_downloading = True
        began = time.monotonic()
        try:
            return self._fetch(shape, cancel)
        except (DeviceUnreachableError, ExposureFailedError) as error:
            is_gone = isinstance(error, NotConnectedError)
            is_slow = time.monotonic() - began > 2.0 * self._device.patience.stall_s
            if is_gone or is_slow or not self._still_has_it(cancel):
                raise
            log.warning("the picture is fetched once more: %s", error)
        return self._fetch(shape, cancel)

    def _still_has_it(self, cancel: CancelToken) -> bool:
        try:
            return self._device.read("imageready", values.yes, cancel)
        except DeviceError:
            return False

    def _fetch(self, shape: tuple[int, int], cancel: CancelToken) -> Picture:
        device, patience = self._device, self._device.patience
        expected_bytes = 2.0 * shape[0] * shape[1]
        limit_s = patience.first_byte_s + patience.stall_s
        limit_s += expected_bytes / patience.slowest_bytes_per_s

        def take(response: HTTPResponse) -> Picture:
            if response.status != 200:
                raise DriverError(
                    f"{device.name} answered HTTP {response.status} instead of a picture.",
                    number=0,
                    status=response.status,
                )
            check_size = plausible(device.name, shape)
            if response.headers.get_content_type() == "application/imagebytes":
                return image_bytes(response, device.name, check_size, device.refused)
            return image_json(response, device.name, shape, check_size, device.refused)

        return device.control.fetch(
            device.image_path(), ACCEPT, take, limit_s=limit_s, cancel=cancel
        )


def _state(state: int) -> CameraState:
    """Return the state of a camera that is not exposing for us.

    "Download" means idle then: some drivers stay in it for ever after a picture.
    """
    if state == CameraStates.cameraError:
        return CameraState.ERROR
    if state == CameraStates.cameraReading:
        return CameraState.READING
    return CameraState.EXPOSING if state in BUSY else CameraState.IDLE
