"""The simulated camera: checks the request, waits, renders, delivers."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from math import isfinite, isinf

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.request_check import check_region
from calibstudio.devices.simulator.cooler import Cooler
from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.light import Light
from calibstudio.devices.simulator.render import Renderer, Shot, quantised
from calibstudio.devices.simulator.sensor import SensorTruth
from calibstudio.devices.simulator.truth_maps import TruthMaps
from calibstudio.devices.simulator.world import World
from calibstudio.domain.equipment import (
    CameraInfo,
    CameraState,
    CameraStatus,
    Conversion,
    ExposureRequest,
    Frame,
    Region,
)
from calibstudio.domain.errors import (
    DeviceBusyError,
    DeviceUnreachableError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import EN_DASH, exposure, number, temperature

SET_TEMP_RANGE_C = (-40.0, 30.0)
BINNINGS = (1, 2, 3, 4)
_TEMPERATURE_STEP_C = 0.02
_OVERLAP_FROM_S = 0.02
RENDER_THREAD = "simulated-sensor"
"""How the names of threads begin that render pictures."""


@dataclass(frozen=True, slots=True)
class _Timeline:
    """When an exposure begins and ends, and when its frame is there; seconds of the clock."""

    start_s: float
    end_s: float
    ready_s: float


class SimulatedCamera:
    """A cooled camera without a shutter; see `Camera` for what its methods promise.

    Attributes
    ----------
    truth
        The sensor as it truly is; `truth_maps` gives its maps.
    world
        Time, light and faults, shared with the other devices.
    """

    def __init__(
        self, truth: SensorTruth, world: World, *, name: str, first_frame: int = 1
    ) -> None:
        self.truth, self.world = truth, world
        self._info = _info(truth, name)
        self._renderer = Renderer(truth)
        self._cooler = Cooler(lambda: world.clock.elapsed_s, world.ambient_c)
        self._exposing = threading.Lock()
        self._lock = threading.Lock()
        self._timeline: _Timeline | None = None
        self._is_open, self._is_lost, self._lost_at_s = True, False, 0.0
        self._number = first_frame - 1
        self._last: NDArray[np.uint16] | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=RENDER_THREAD)

    @property
    def info(self) -> CameraInfo:
        """Facts that do not change while connected."""
        return self._info

    @property
    def frames_begun(self) -> int:
        """Sequence number of the last exposure that was begun; the first one is 1."""
        return self._number

    def truth_maps(self, region: Region | None = None) -> TruthMaps:
        """Return the true maps of the sensor, or of a part of it."""
        return TruthMaps(self.truth, region)

    def status(self) -> CameraStatus:
        """Read what changes; raises `DeviceUnreachableError` when it cannot."""
        self._check_reachable()
        sensor_c, set_c, is_on, power = self._read_cooler()
        clock = self.world.clock
        with self._lock:
            timeline = self._timeline
        state = CameraState.IDLE
        if timeline is not None:
            over = clock.elapsed_s >= timeline.end_s
            state = CameraState.READING if over else CameraState.EXPOSING
        return CameraStatus(
            at=clock.now(),
            state=state,
            sensor_c=round(sensor_c, 1),
            set_c=set_c if is_on else None,
            cooler_on=is_on,
            cooler_power_pct=round(power, 1),
        )

    def conversion(self, gain: int | None, readout_mode: str | None) -> Conversion | None:
        """What the driver says an ADU is worth."""
        return self.truth.conversion(
            self.truth.gain_default if gain is None else gain, readout_mode
        )

    def set_cooler(self, *, on: bool, target_c: float | None = None) -> None:
        """Switch the cooler; returns at once. Raises `UnsupportedRequestError`."""
        self._check_reachable()
        low, high = SET_TEMP_RANGE_C
        if target_c is not None and not low <= target_c <= high:
            raise UnsupportedRequestError(
                f"{self._info.name} cannot be set to {temperature(target_c)}.",
                hint=f"Its cooler takes {temperature(low)} {EN_DASH} {temperature(high)}.",
            )
        self._cooler.set(on=on, target_c=target_c)

    def expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        """Take one frame and return it; see `Camera.expose`."""
        self._check_reachable()
        shot = self._planned(request)
        cancel.check()
        if not self._exposing.acquire(blocking=False):
            raise DeviceBusyError(f"{self._info.name} is already exposing.")
        try:
            with self._lock:
                self._number += 1
                shot = replace(shot, number=self._number)
                self._timeline = timeline = self._times(shot)
            return self._deliver(request, shot, timeline, self._expose(shot, timeline, cancel))
        finally:
            with self._lock:
                self._timeline = None
            self._exposing.release()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._is_open = False
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _check_reachable(self) -> None:
        faults = self.world.faults
        if not (faults.disconnect or faults.disconnect_at_frame) or self._is_back(faults):
            self._is_lost = False
        if not self._is_open:
            raise self._closed()
        if self._is_lost:
            raise DeviceUnreachableError(
                f"{self._info.name} does not answer.", hint="Check its cable and connect it again."
            )

    def _is_back(self, faults: Faults) -> bool:
        """Whether a lost camera has been away for long enough."""
        back_s = faults.back_after_s
        return back_s is not None and self.world.clock.elapsed_s >= self._lost_at_s + back_s

    def _read_cooler(self) -> tuple[float, float, bool, float]:
        self._cooler.set_stuck(self.world.faults.stuck_cooler)
        return self._cooler.read()

    def _planned(self, request: ExposureRequest) -> Shot:
        """Check a request against `info` and fill in the defaults."""
        info, t = self._info, self.truth
        _check_exposure(request, info)
        gain = _checked("gain", request.gain, t.gain_default, t.gain_range, info)
        offset = _checked("offset", request.offset, t.offset_default, t.offset_range, info)
        if request.binning not in info.binnings:
            raise UnsupportedRequestError(
                f"{info.name} cannot bin {request.binning} × {request.binning}.",
                hint=f"It bins up to {max(info.binnings)} × {max(info.binnings)}.",
            )
        if request.readout_mode is not None and request.readout_mode not in info.readout_modes:
            raise UnsupportedRequestError(
                f"{info.name} has no read-out mode “{request.readout_mode}”.",
                hint=f"Choose one of: {'; '.join(info.readout_modes)}.",
            )
        return Shot(
            number=0,
            exposure_s=quantised(request.exposure_s, t),
            gain=gain,
            offset=offset,
            readout_mode=request.readout_mode,
            binning=request.binning,
            region=_checked_region(request, info),
            sensor_c=0.0,
            light=Light(),
        )

    def _times(self, shot: Shot) -> _Timeline:
        start = self.world.clock.elapsed_s
        end = start + shot.exposure_s
        rows = shot.region.height / self.truth.shape[0]
        # A small region still costs the start of a read-out.
        readout = max(0.02, rows) * self.truth.mode(shot.readout_mode).readout_s
        return _Timeline(start, end, end + readout + self.world.faults.extra_readout_s)

    def _expose(self, shot: Shot, timeline: _Timeline, cancel: CancelToken) -> NDArray[np.uint16]:
        """Wait and render, at the same time where waiting is worth it."""
        clock = self.world.clock
        start_c = self._read_cooler()[0]
        real_s = (timeline.ready_s - timeline.start_s) / clock.speed
        with clock.not_beyond(timeline.ready_s):
            early: Future[NDArray[np.uint16]] | None = None
            guess = self._conditions(shot, timeline, start_c)
            if not isinf(clock.speed) and real_s > _OVERLAP_FROM_S:
                early = self._render(guess, cancel)
            self._wait_for_end(shot, timeline, cancel)
            truth = self._conditions(shot, timeline, start_c)
            if early is None or _would_differ(guess, truth):
                early = self._render(truth, cancel)
            data = self._rendered(early, cancel)
        clock.sleep_until(timeline.ready_s, cancel)
        return data

    def _render(self, shot: Shot, cancel: CancelToken) -> Future[NDArray[np.uint16]]:
        """Start to render beside the waiting."""
        try:
            return self._worker.submit(self._renderer.render, shot, cancel)
        except RuntimeError as error:
            raise self._closed() from error

    def _rendered(self, job: Future[NDArray[np.uint16]], cancel: CancelToken) -> NDArray[np.uint16]:
        """Wait for a render, but not through a cancel: the very first one compiles for seconds."""
        while True:
            try:
                return job.result(timeout=0.05)
            except FutureTimeoutError:
                cancel.check()
            except FutureCancelledError as error:
                raise self._closed() from error

    def _closed(self) -> DeviceUnreachableError:
        return DeviceUnreachableError(f"{self._info.name} is closed.", hint="Connect it again.")

    def _wait_for_end(self, shot: Shot, timeline: _Timeline, cancel: CancelToken) -> None:
        """Wait for the end of the exposure, unless the connection is lost before."""
        faults = self.world.faults
        if faults.disconnect or faults.disconnect_at_frame == shot.number:
            half = 0.5 * (timeline.start_s + timeline.end_s)
            self.world.clock.sleep_until(half, cancel)
            self._is_lost, self._lost_at_s = True, self.world.clock.elapsed_s
            after = exposure(half - timeline.start_s)
            raise DeviceUnreachableError(
                f"{self._info.name} stopped answering {after} into an exposure of "
                f"{exposure(shot.exposure_s)}.",
                hint="Check its cable and connect it again.",
            )
        self.world.clock.sleep_until(timeline.end_s, cancel)

    def _conditions(self, shot: Shot, timeline: _Timeline, start_c: float) -> Shot:
        """Temperature and light of the exposure as far as they are known now."""
        mean_c = 0.5 * (start_c + self._read_cooler()[0])
        light = self.world.light(timeline.start_s, timeline.end_s, shot.number)
        # In small steps, so that the same night gives the same pixels again.
        steps = round(mean_c / _TEMPERATURE_STEP_C)
        return replace(shot, sensor_c=steps * _TEMPERATURE_STEP_C, light=light)

    def _deliver(
        self, request: ExposureRequest, shot: Shot, timeline: _Timeline, data: NDArray[np.uint16]
    ) -> Frame:
        self._check_reachable()
        faults = self.world.faults
        if faults.repeat_frame and self._last is not None and self._last.shape == data.shape:
            data = self._last
        self._last = data
        if faults.wrong_shape:
            data = data[:-1]
        sensor_c, set_c, is_on, power = self._read_cooler()
        return Frame(
            data=data,
            request=request,
            started_at=self.world.clock.at(timeline.start_s),
            exposure_s=shot.exposure_s,
            gain=shot.gain,
            offset=shot.offset,
            readout_mode=self.truth.mode(shot.readout_mode).name,
            conversion=self.conversion(shot.gain, shot.readout_mode),
            sensor_c=round(sensor_c, 1),
            set_c=set_c if is_on else None,
            cooler_power_pct=round(power, 1),
        )


def _would_differ(guess: Shot, truth: Shot) -> bool:
    return abs(guess.sensor_c - truth.sensor_c) > 0.05 or guess.light.much_differs(truth.light)


def _info(truth: SensorTruth, name: str) -> CameraInfo:
    return CameraInfo(
        name=name,
        shape=truth.shape,
        max_adu=truth.converter_max_adu,
        bit_depth=truth.delivered_bits,
        serial=f"SIM-{truth.shape[1]}-{truth.seed:04d}",
        driver="CalibStudio simulator",
        pixel_size_um=truth.pixel_size_um,
        gain_range=truth.gain_range,
        gain_default=truth.gain_default,
        offset_range=truth.offset_range,
        offset_default=truth.offset_default,
        binnings=BINNINGS,
        readout_modes=tuple(mode.name for mode in truth.modes),
        exposure_min_s=truth.exposure_min_s,
        exposure_max_s=truth.exposure_max_s,
        can_cool=True,
        set_temp_range_c=SET_TEMP_RANGE_C,
        can_abort=True,
        has_shutter=False,
        bayer=truth.bayer,
        readout_s=truth.modes[0].readout_s,
        is_simulated=True,
    )


def _check_exposure(request: ExposureRequest, info: CameraInfo) -> None:
    if not isfinite(request.exposure_s) or request.exposure_s < 0.0:
        raise UnsupportedRequestError(
            f"{info.name} cannot expose for {request.exposure_s} s.",
            hint="Choose an exposure from 0 s on; 0 s gives the shortest.",
        )
    if request.exposure_s > info.exposure_max_s:
        raise UnsupportedRequestError(
            f"{info.name} cannot expose for {exposure(request.exposure_s)}.",
            hint=f"Its longest exposure is {exposure(info.exposure_max_s)}.",
        )


def _checked(
    what: str, value: int | None, default: int, limits: tuple[int, int], info: CameraInfo
) -> int:
    if value is None:
        return default
    if not limits[0] <= value <= limits[1]:
        raise UnsupportedRequestError(
            f"{info.name} cannot be set to {what} {number(value)}.",
            hint=f"Its {what} goes from {number(limits[0])} to {number(limits[1])}.",
        )
    return value


def _checked_region(request: ExposureRequest, info: CameraInfo) -> Region:
    check_region(request, info)
    ny, nx = info.shape
    return request.region or Region(0, 0, nx, ny)
