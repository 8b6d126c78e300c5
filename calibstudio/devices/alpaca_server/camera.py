"""A camera of ours as an Alpaca camera (ICameraV4)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from math import isfinite
from typing import Any

from calibstudio.devices.alpaca_server.background import Background
from calibstudio.devices.alpaca_server.camera_facts import CameraFacts
from calibstudio.devices.alpaca_server.device import Action, read_where_possible
from calibstudio.devices.alpaca_server.errors import (
    DRIVER_ERROR,
    INVALID_OPERATION,
    INVALID_VALUE,
    AlpacaError,
    not_implemented,
)
from calibstudio.devices.alpaca_server.image_bytes import Image, image_of
from calibstudio.devices.alpaca_server.members import get, put, real, truth
from calibstudio.domain.equipment import (
    Camera,
    CameraState,
    Clock,
    ExposureRequest,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.wording import exposure, temperature


class State(IntEnum):
    """What `camerastate` says."""

    IDLE = 0
    WAITING = 1
    EXPOSING = 2
    READING = 3
    DOWNLOAD = 4
    ERROR = 5


@dataclass(frozen=True, slots=True)
class _Exposed:
    """What is said of the last exposure; its pixels are kept only as they go over the wire."""

    started_at: datetime
    exposure_s: float


class CameraDevice(CameraFacts):
    """Exposes in a thread of its own and keeps the last picture, ready for the wire."""

    kind = "Camera"
    interface_version = 4
    absent = (
        "get fastreadout",
        "put fastreadout",
        "get gains",
        "get offsets",
        "get heatsinktemperature",
        "get ispulseguiding",
        "put pulseguide",
        "put stopexposure",
        "get subexposureduration",
        "put subexposureduration",
    )

    def __init__(
        self,
        camera: Camera,
        clock: Clock,
        identity: str,
        *,
        actions: Mapping[str, Action] | None = None,
    ) -> None:
        super().__init__(camera, clock, identity, actions=actions)
        self._work = Background(f"{camera.info.name}: exposure")
        self._lock = threading.Lock()
        self._image: Image | None = None
        self._last: _Exposed | None = None
        self._begun: datetime = clock.now()
        self._duration_s = 0.0
        self._set_point_c = 0.0

    def close(self) -> None:
        """Stop an exposure that is going on."""
        self._work.cancel()

    def check_reachable(self) -> None:
        """Raise a `DeviceError` when the camera does not answer."""
        self.camera.status()

    def forget(self) -> None:
        """Begin with defaults and without a picture."""
        super().forget()
        self._work.error = None
        with self._lock:
            self._image = self._last = None

    def state(self) -> dict[str, Any]:
        """The operational properties of ICameraV4."""
        return read_where_possible(
            {
                "CameraState": self.camera_state,
                "CCDTemperature": self.sensor_temperature,
                "CoolerPower": self.cooler_power,
                "ImageReady": self.image_ready,
                "PercentCompleted": self.percent_completed,
            }
        )

    @get("camerastate")
    def camera_state(self) -> int:
        """What it is doing now."""
        if self._work.is_running:
            match self.camera.status().state:
                case CameraState.READING:
                    return State.READING
                case CameraState.IDLE if self._is_over():
                    return State.DOWNLOAD
            return State.EXPOSING
        return State.ERROR if self._work.error is not None else State.IDLE

    @put("startexposure", Duration=real, Light=truth)
    def start_exposure(self, Duration: float, Light: bool) -> None:
        """Begin an exposure; the settings are checked now."""
        if self._work.is_running:
            raise AlpacaError(INVALID_OPERATION, f"{self.name} is already exposing.")
        longest = self.info.exposure_max_s
        if not isfinite(Duration) or not 0.0 <= Duration <= longest:
            raise AlpacaError(
                INVALID_VALUE,
                f"{self.name} cannot expose for {Duration:g} s. "
                f"Its exposures go from {exposure(self.info.exposure_min_s)} "
                f"to {exposure(longest)}.",
            )
        request = ExposureRequest(
            kind=FrameKind.LIGHT if Light else FrameKind.DARK,
            exposure_s=Duration,
            gain=self._gain,
            offset=self._offset,
            binning=self._binning,
            region=self.checked_region(),
            readout_mode=self.mode_name(),
        )
        with self._lock:
            self._image = None
            self._begun, self._duration_s = self.clock.now(), Duration
        self._work.start(lambda cancel: self._expose(request, cancel))

    @put("abortexposure")
    def abort_exposure(self) -> None:
        """End the exposure and forget it. Idle, it does nothing."""
        self._work.cancel()
        self._work.error = None

    @get("imageready")
    def image_ready(self) -> bool:
        """Whether there is a picture to fetch."""
        if self._work.is_running:
            return False
        if self._work.error is not None:
            raise AlpacaError(DRIVER_ERROR, str(self._work.error))
        with self._lock:
            return self._image is not None

    @get("imagearray")
    def image_array(self) -> Image:
        """Return the last picture; it may be fetched as often as one likes."""
        ready = self.image_ready()
        with self._lock:
            if not ready or self._image is None:
                raise AlpacaError(INVALID_OPERATION, f"{self.name} has no picture to fetch.")
            return self._image

    @get("imagearrayvariant")
    def image_array_variant(self) -> Image:
        """Return the same as `image_array`."""
        return self.image_array()

    @get("percentcompleted")
    def percent_completed(self) -> int:
        """How far the exposure, or the read-out, has come."""
        state = self.camera_state()
        passed_s = (self.clock.now() - self._begun).total_seconds()
        if state == State.EXPOSING:
            return _percent(passed_s, self._duration_s)
        if state == State.READING:
            return _percent(passed_s - self._duration_s, self.info.readout_s or 1.0)
        if state == State.DOWNLOAD:
            return 100
        raise AlpacaError(INVALID_OPERATION, f"{self.name} is not exposing.")

    @get("lastexposureduration")
    def last_exposure_duration(self) -> float:
        """Seconds of the last exposure that gave a picture, as the camera did it."""
        return self._last_exposed().exposure_s

    @get("lastexposurestarttime")
    def last_exposure_start_time(self) -> str:
        """When it began, UTC."""
        return self._last_exposed().started_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

    @get("ccdtemperature")
    def sensor_temperature(self) -> float:
        """Temperature of the sensor, degrees C."""
        return _known("ccdtemperature", self.camera.status().sensor_c)

    @get("cooleron")
    def cooler_on(self) -> bool:
        """Whether it cools."""
        self._needs_cooler("cooleron")
        return bool(self.camera.status().cooler_on)

    @put("cooleron", CoolerOn=truth)
    def set_cooler_on(self, CoolerOn: bool) -> None:
        """Switch the cooler."""
        self._needs_cooler("cooleron")
        self.camera.set_cooler(on=CoolerOn, target_c=self._set_point_c if CoolerOn else None)

    @get("coolerpower")
    def cooler_power(self) -> float:
        """Power of the cooler in percent."""
        return _known("coolerpower", self.camera.status().cooler_power_pct)

    @get("cangetcoolerpower")
    def can_get_cooler_power(self) -> bool:
        """Whether it says its power."""
        return self.camera.status().cooler_power_pct is not None

    @get("setccdtemperature")
    def set_point(self) -> float:
        """The temperature that was asked for."""
        self._needs_cooler("setccdtemperature")
        return self._set_point_c

    @put("setccdtemperature", SetCCDTemperature=real)
    def set_set_point(self, SetCCDTemperature: float) -> None:
        """Ask for a temperature; it counts when the cooler is on."""
        self._needs_cooler("setccdtemperature")
        limits = self.info.set_temp_range_c
        if limits is not None and not limits[0] <= SetCCDTemperature <= limits[1]:
            raise AlpacaError(
                INVALID_VALUE,
                f"{self.name} cannot be set to {temperature(SetCCDTemperature)}.",
            )
        self._set_point_c = SetCCDTemperature
        if self.camera.status().cooler_on:
            self.camera.set_cooler(on=True, target_c=SetCCDTemperature)

    def _expose(self, request: ExposureRequest, cancel: CancelToken) -> None:
        frame = self.camera.expose(request, cancel)
        image = image_of(frame.data)
        with self._lock:
            self._image, self._last = image, _Exposed(frame.started_at, frame.exposure_s)

    def _is_over(self) -> bool:
        return (self.clock.now() - self._begun).total_seconds() >= self._duration_s

    def _last_exposed(self) -> _Exposed:
        with self._lock:
            if self._last is None:
                raise AlpacaError(INVALID_OPERATION, f"{self.name} has not exposed yet.")
            return self._last

    def _needs_cooler(self, member: str) -> None:
        if not self.info.can_cool:
            raise not_implemented(member)


def _known(member: str, value: float | None) -> float:
    if value is None:
        raise not_implemented(member)
    return value


def _percent(passed_s: float, of_s: float) -> int:
    return max(0, min(100, int(100.0 * passed_s / max(of_s, 1e-6))))
