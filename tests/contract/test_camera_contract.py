"""What every camera must do, whatever is behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from calibstudio.domain.equipment import (
    Camera,
    CameraState,
    ExposureRequest,
    Observatory,
    Region,
)
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceUnreachableError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.contract.makers import MAKERS

SMALL = Region(16, 8, 64, 48)
BIAS = ExposureRequest(FrameKind.BIAS, 0.0, region=SMALL)


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def observatory(request: pytest.FixtureRequest) -> Iterator[Observatory]:
    made: Observatory = request.param()
    yield made
    made.close()


@pytest.fixture
def camera(observatory: Observatory) -> Camera:
    return observatory.camera


def test_its_facts_are_plausible(camera: Camera) -> None:
    info = camera.info

    assert info.name.strip() == info.name != ""
    assert min(info.shape) > 0
    assert 0 < info.max_adu <= 65_535
    assert 1 in info.binnings
    assert 0.0 <= info.exposure_min_s < info.exposure_max_s
    for limits, default in (
        (info.gain_range, info.gain_default),
        (info.offset_range, info.offset_default),
    ):
        assert limits is None or limits[0] < limits[1]
        assert default is None or limits is None or limits[0] <= default <= limits[1]
    assert info.bayer is None or (len(info.bayer) == 4 and set(info.bayer) <= set("RGB"))
    assert camera.info == info


def test_a_frame_is_read_only_adu_in_the_announced_shape(camera: Camera) -> None:
    frame = camera.expose(replace(BIAS, region=None), CancelToken())

    assert frame.data.dtype == np.uint16
    assert frame.data.dtype.isnative
    assert frame.data.shape == camera.info.shape
    assert not frame.data.flags.writeable
    assert frame.data.max() <= camera.info.max_adu
    assert frame.data.min() < frame.data.max()


def test_a_frame_says_when_it_began_in_utc(observatory: Observatory) -> None:
    before = observatory.clock.now()

    frame = observatory.camera.expose(BIAS, CancelToken())

    assert frame.started_at.utcoffset() == timedelta(0)
    assert before <= frame.started_at <= observatory.clock.now()


def test_a_frame_keeps_its_request_and_says_what_was_done(camera: Camera) -> None:
    info = camera.info
    gain = None if info.gain_range is None else info.gain_range[0] + 1
    offset = (
        None if info.offset_range is None else min(info.offset_range[0] + 40, info.offset_range[1])
    )
    mode = info.readout_modes[-1] if info.readout_modes else None
    request = replace(BIAS, exposure_s=0.05, gain=gain, offset=offset, readout_mode=mode)

    frame = camera.expose(request, CancelToken())

    assert frame.request == request
    assert (frame.gain, frame.offset, frame.readout_mode) == (gain, offset, mode)
    assert frame.exposure_s == pytest.approx(0.05, rel=0.05)
    assert frame.conversion == camera.conversion(gain, mode)


def test_settings_left_out_are_the_cameras_own(camera: Camera) -> None:
    info = camera.info
    camera.expose(replace(BIAS, gain=info.gain_range and info.gain_range[1]), CancelToken())

    frame = camera.expose(BIAS, CancelToken())

    assert frame.gain == info.gain_default
    assert frame.offset == info.offset_default
    assert not info.readout_modes or frame.readout_mode == info.readout_modes[0]


def test_the_shortest_exposure_is_clamped_and_reported(camera: Camera) -> None:
    frame = camera.expose(BIAS, CancelToken())

    assert frame.exposure_s >= camera.info.exposure_min_s
    assert frame.exposure_s < max(0.1, 2.0 * camera.info.exposure_min_s)


def test_an_exposure_takes_its_time(observatory: Observatory) -> None:
    observatory.camera.expose(BIAS, CancelToken())
    begun = observatory.clock.now()

    observatory.camera.expose(replace(BIAS, exposure_s=0.4), CancelToken())

    assert (observatory.clock.now() - begun).total_seconds() >= 0.4


@pytest.mark.parametrize("binning", [2, 3])
def test_binning_divides_the_shape(camera: Camera, binning: int) -> None:
    if binning not in camera.info.binnings:
        pytest.skip("it does not bin so")

    frame = camera.expose(replace(BIAS, binning=binning), CancelToken())

    assert frame.data.shape == (48 // binning, 64 // binning)


def test_a_region_has_its_own_shape(camera: Camera) -> None:
    frame = camera.expose(replace(BIAS, region=Region(5, 3, 33, 17)), CancelToken())

    assert frame.data.shape == (17, 33)


BAD = {
    "too long": {"exposure_s": 1e9},
    "negative": {"exposure_s": -1.0},
    "not a number": {"exposure_s": float("nan")},
    "gain": {"gain": 1_000_000},
    "offset": {"offset": -7},
    "binning": {"binning": 17},
    "no binning": {"binning": 0},
    "mode": {"readout_mode": "no such mode"},
    "region beside the sensor": {"region": Region(10_000_000, 0, 10, 10)},
    "region before the sensor": {"region": Region(-1, 0, 10, 10)},
    "region of nothing": {"region": Region(0, 0, 0, 10)},
    "region below one binned pixel": {"region": Region(0, 0, 1, 1), "binning": 2},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_what_it_cannot_do_is_refused_at_once_in_a_sentence(
    observatory: Observatory, change: dict[str, object]
) -> None:
    begun = observatory.clock.now()

    with pytest.raises(UnsupportedRequestError) as problem:
        observatory.camera.expose(replace(BIAS, **change), CancelToken())  # type: ignore[arg-type]

    text = str(problem.value)
    assert observatory.camera.info.name in text
    assert text.endswith(".")
    assert problem.value.hint.endswith(".")
    assert observatory.camera.status().state is CameraState.IDLE
    limit = 1.0 * observatory.clock.speed
    assert (observatory.clock.now() - begun).total_seconds() < limit


def test_cancel_ends_a_long_exposure_soon_and_leaves_the_camera_usable(camera: Camera) -> None:
    camera.expose(BIAS, CancelToken())
    token = CancelToken()
    threading.Timer(0.1, token.cancel).start()
    begun = time.monotonic()

    with pytest.raises(Cancelled):
        camera.expose(ExposureRequest(FrameKind.DARK, 600.0), token)

    limit_s = 0.4 if camera.info.is_simulated else 2.0
    assert time.monotonic() - begun < limit_s
    assert camera.status().state is CameraState.IDLE
    camera.expose(BIAS, CancelToken())


def test_a_token_that_is_already_set_exposes_nothing(camera: Camera) -> None:
    token = CancelToken()
    token.cancel()

    with pytest.raises(Cancelled):
        camera.expose(ExposureRequest(FrameKind.DARK, 600.0), token)

    assert camera.status().state is CameraState.IDLE


def test_status_answers_quickly_during_an_exposure(camera: Camera) -> None:
    camera.expose(BIAS, CancelToken())
    token = CancelToken()
    ended: list[BaseException] = []

    def expose() -> None:
        try:
            camera.expose(ExposureRequest(FrameKind.DARK, 600.0), token)
        except Cancelled as error:
            ended.append(error)

    thread = threading.Thread(target=expose)
    thread.start()
    ends = time.monotonic() + 10.0
    while (status := camera.status()).state is CameraState.IDLE and time.monotonic() < ends:
        time.sleep(0.02)
    begun = time.monotonic()
    status = camera.status()
    took = time.monotonic() - begun
    token.cancel()
    thread.join(5.0)

    assert status.state is CameraState.EXPOSING
    assert status.at.utcoffset() == timedelta(0)
    assert took < 0.1
    assert len(ended) == 1


def test_a_second_exposure_at_the_same_time_is_refused(camera: Camera) -> None:
    camera.expose(BIAS, CancelToken())
    token = CancelToken()

    def expose() -> None:
        with pytest.raises(Cancelled):
            camera.expose(ExposureRequest(FrameKind.DARK, 600.0), token)

    thread = threading.Thread(target=expose)
    thread.start()
    time.sleep(0.15)
    try:
        with pytest.raises(DeviceBusyError):
            camera.expose(BIAS, CancelToken())
    finally:
        token.cancel()
        thread.join(5.0)

    camera.expose(BIAS, CancelToken())


def test_an_idle_camera_says_so_with_the_time(observatory: Observatory) -> None:
    status = observatory.camera.status()

    assert status.state is CameraState.IDLE
    assert abs((status.at - observatory.clock.now()).total_seconds()) < observatory.clock.speed


def test_the_cooler_starts_at_once_and_is_read_back(observatory: Observatory) -> None:
    camera = observatory.camera
    if not camera.info.can_cool:
        pytest.skip("it does not cool")
    before = camera.status().sensor_c
    assert before is not None
    lowest = camera.info.set_temp_range_c[0] if camera.info.set_temp_range_c else -40.0
    target = max(lowest, before - 15.0)
    begun = time.monotonic()

    camera.set_cooler(on=True, target_c=target)

    assert time.monotonic() - begun < 0.5
    status = camera.status()
    assert status.cooler_on is True
    assert status.set_c == pytest.approx(target, abs=0.05)
    observatory.clock.sleep(3.0, CancelToken())
    after = camera.status()
    assert after.sensor_c is not None
    assert after.sensor_c < before
    assert after.cooler_power_pct is None or after.cooler_power_pct > 0.0
    frame = camera.expose(BIAS, CancelToken())
    assert frame.set_c == pytest.approx(target, abs=0.05)
    assert frame.sensor_c is not None
    camera.set_cooler(on=False)
    assert camera.status().cooler_on is False


def test_a_temperature_out_of_range_is_refused(camera: Camera) -> None:
    if camera.info.set_temp_range_c is None:
        pytest.skip("it does not say its range")

    with pytest.raises(UnsupportedRequestError):
        camera.set_cooler(on=True, target_c=camera.info.set_temp_range_c[0] - 10.0)


def test_darks_and_biases_do_not_repeat_themselves(camera: Camera) -> None:
    first, second = (camera.expose(BIAS, CancelToken()).data for _ in range(2))

    assert (first != second).any()


def test_closing_twice_is_fine_and_a_closed_camera_says_so(camera: Camera) -> None:
    camera.expose(BIAS, CancelToken())

    camera.close()
    camera.close()

    with pytest.raises(DeviceUnreachableError):
        camera.expose(BIAS, CancelToken())


def test_frames_of_the_past_do_not_change_when_new_ones_are_taken(camera: Camera) -> None:
    first = camera.expose(BIAS, CancelToken())
    kept = first.data.copy()

    camera.expose(BIAS, CancelToken())
    camera.expose(replace(BIAS, exposure_s=0.05), CancelToken())

    assert (first.data == kept).all()
