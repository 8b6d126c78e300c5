"""A bench: small, exact devices whose behaviour a test chooses, on a clock that jumps.

The simulated observatory is honest physics; this is for equipment it does not have (a shutter, no
cover, a cooler that is too weak) and for faults in exactly one frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from calibstudio.domain.equipment import (
    CameraInfo,
    CameraState,
    CameraStatus,
    Conversion,
    CoverState,
    ExposureRequest,
    Frame,
    Observatory,
    Optics,
    PanelInfo,
    PanelStatus,
    Site,
)
from calibstudio.domain.jobs import CancelToken

BIAS_ADU = 500.0
READ_NOISE_ADU = 6.0
START = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
BENCH_INFO = CameraInfo(
    "Bench camera",
    (128, 160),
    65535,
    pixel_size_um=3.76,
    gain_range=(0, 300),
    gain_default=100,
    offset_range=(0, 255),
    offset_default=50,
    binnings=(1, 2),
    exposure_min_s=0.001,
    exposure_max_s=3600.0,
    readout_s=0.5,
)


class JumpingClock:
    """Stands still, and jumps when somebody sleeps."""

    speed = float("inf")

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float, cancel: CancelToken) -> None:
        cancel.check()
        self._now += timedelta(seconds=max(0.0, seconds))


@dataclass
class BenchPanel:
    """A panel with or without cover and lamp."""

    info: PanelInfo = field(default_factory=lambda: PanelInfo("Bench panel", True, True, 255))
    cover: CoverState = CoverState.OPEN
    brightness: int = 0
    moves: list[str] = field(default_factory=list)

    def status(self) -> PanelStatus:
        return PanelStatus(self.cover if self.info.has_cover else CoverState.NONE, self.brightness)

    def move_cover(self, *, open_it: bool, cancel: CancelToken) -> None:
        self.cover = CoverState.OPEN if open_it else CoverState.CLOSED
        self.moves.append(str(self.cover))

    def set_brightness(self, brightness: int, cancel: CancelToken) -> None:
        self.brightness = brightness
        self.moves.append(f"lamp {brightness}")


class BenchCamera:
    """Bias plus light times exposure plus noise; light comes from a function of the test.

    ``light`` gives ADU per second on the sensor for a request. ``before`` is called with the
    number of each exposure, and may raise or change things.
    """

    def __init__(
        self,
        clock: JumpingClock,
        info: CameraInfo = BENCH_INFO,
        light: Callable[[ExposureRequest], float] = lambda request: 0.0,
    ) -> None:
        self.clock, self._info, self.light = clock, info, light
        self.before: Callable[[int], None] = lambda number: None
        self.change: Callable[[int, Frame], Frame] = lambda number, frame: frame
        self.sensor_c: float | None = 12.0
        self.set_c: float | None = None
        self.cooler_on = False
        self.power = 0.0
        self.lost = False
        self.requests: list[ExposureRequest] = []
        self._rng = np.random.default_rng(11)

    @property
    def info(self) -> CameraInfo:
        return self._info

    def status(self) -> CameraStatus:
        if self.lost:
            from calibstudio.domain.errors import DeviceUnreachableError

            raise DeviceUnreachableError("Bench camera does not answer.", hint="Connect it.")
        return CameraStatus(
            self.clock.now(),
            CameraState.IDLE,
            self.sensor_c,
            self.set_c,
            self.cooler_on,
            self.power,
        )

    def conversion(self, gain: int | None, readout_mode: str | None) -> Conversion | None:
        return Conversion(0.78, 60_000.0, READ_NOISE_ADU * 0.78)

    def set_cooler(self, *, on: bool, target_c: float | None = None) -> None:
        self.cooler_on = on
        if target_c is not None:
            self.set_c = target_c
            self.sensor_c = target_c

    def expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        cancel.check()
        self.requests.append(request)
        number = len(self.requests)
        self.before(number)
        ny, nx = request_shape(request, self._info)
        covered = self._info.has_shutter and not request.kind.needs_light
        signal = 0.0 if covered else self.light(request) * request.exposure_s
        started = self.clock.now()
        self.clock.sleep(request.exposure_s + (self._info.readout_s or 0.0), cancel)
        noise = np.sqrt(READ_NOISE_ADU**2 + signal / 0.78)
        values = BIAS_ADU + signal + noise * self._rng.standard_normal((ny, nx))
        data = np.clip(np.rint(values), 0, self._info.max_adu).astype(np.uint16)
        data.flags.writeable = False
        frame = Frame(
            data,
            request,
            started,
            request.exposure_s,
            request.gain if request.gain is not None else self._info.gain_default,
            request.offset if request.offset is not None else self._info.offset_default,
            request.readout_mode,
            self.conversion(request.gain, None),
            self.sensor_c,
            self.set_c,
            self.power,
        )
        return self.change(number, frame)

    def close(self) -> None:
        return


def request_shape(request: ExposureRequest, info: CameraInfo) -> tuple[int, int]:
    rows, columns = info.shape
    if request.region is not None:
        rows, columns = request.region.height, request.region.width
    return rows // request.binning, columns // request.binning


def bench_observatory(
    *,
    info: CameraInfo = BENCH_INFO,
    panel: BenchPanel | None = None,
    light: Callable[[ExposureRequest], float] | None = None,
    lamp_adu_per_s: float = 200.0,
    **changes: Any,
) -> Observatory:
    """A bench with this camera and panel; the light is the lamp's, in proportion, by default."""
    clock = JumpingClock()

    def of_lamp(request: ExposureRequest) -> float:
        if panel is None or panel.brightness == 0:
            return 0.0
        return lamp_adu_per_s * panel.brightness

    camera = BenchCamera(clock, replace(info, **changes), light or of_lamp)
    return Observatory(
        "Bench", camera, clock, Optics("Bench tube"), Site("Bench", 0.0, 0.0), panel=panel
    )


def bench_camera(observatory: Observatory) -> BenchCamera:
    """The camera of a bench, with what a test may change."""
    assert isinstance(observatory.camera, BenchCamera)
    return observatory.camera
