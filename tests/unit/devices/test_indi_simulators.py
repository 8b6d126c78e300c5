"""INDI's own simulators: what they do, and a server that fails at an awkward moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from calibstudio.devices.discovery import discover
from calibstudio.devices.indi.camera import IndiCamera
from calibstudio.devices.indi.link import Link
from calibstudio.devices.opened import OpenedObservatory
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.equipment import CameraState, ExposureRequest, Region
from calibstudio.domain.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    UnsupportedRequestError,
    UsageError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.helpers.indi_server import (
    CAMERA,
    DOME,
    FOCUSER,
    MOUNT,
    PANEL,
    ROTATOR,
    SOON,
    WEATHER,
    WHEEL,
    IndiServer,
    set_up,
    why_not,
)
from tests.helpers.opening import open_at

SMALL = Region(128, 128, 64, 48)
BIAS = ExposureRequest(FrameKind.BIAS, 0.0, region=SMALL)
LONG = ExposureRequest(FrameKind.DARK, 60.0, region=SMALL)

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="module")
def server() -> Iterator[IndiServer]:
    made = IndiServer()
    set_up(made)
    yield made
    made.close()


@pytest.fixture
def link(server: IndiServer) -> Iterator[Link]:
    made = Link(ServerAddress("127.0.0.1", server.port), SOON)
    made.open()
    yield made
    made.close()


@pytest.fixture
def camera(link: Link) -> Iterator[IndiCamera]:
    made = IndiCamera.open(link, CAMERA)
    yield made
    made.close()


def expose(camera: IndiCamera, request: ExposureRequest) -> np.ndarray:
    return camera.expose(request, CancelToken()).data.astype(float)


def after(seconds: float, act: object) -> threading.Timer:
    timer = threading.Timer(seconds, act)  # type: ignore[arg-type]
    timer.start()
    return timer


# What is there --------------------------------------------------------------------------------


def test_the_first_of_everything_makes_an_observatory(server: IndiServer) -> None:
    observatory = open_at(f"indi://127.0.0.1:{server.port}/ccd simulator", indi=SOON)

    assert isinstance(observatory, OpenedObservatory)
    assert observatory.missing == ()
    assert observatory.camera.info.name == CAMERA
    assert observatory.wheel is not None and observatory.wheel.name == WHEEL
    assert observatory.wheel.filters[:3] == ("Red", "Green", "Blue")
    assert observatory.panel is not None and observatory.panel.info.name == PANEL
    assert observatory.panel.info.max_brightness == 255
    assert observatory.site is not None and observatory.site.latitude_deg == 50.0
    assert observatory.optics.focal_length_mm == 900.0
    observatory.close()
    observatory.close()


def test_a_camera_that_is_not_there_is_named_with_those_that_are(server: IndiServer) -> None:
    with pytest.raises(UsageError, match=f"has not the camera No such CCD.*“{CAMERA}”"):
        open_at(f"indi://127.0.0.1:{server.port}/No%20such%20CCD", indi=SOON)


def test_discovery_lists_its_devices(server: IndiServer) -> None:
    found = discover(f"indi://127.0.0.1:{server.port}")

    kinds = [(device.name, device.type) for device in found.devices if not device.is_part]
    assert sorted(kinds) == sorted(
        [
            (CAMERA, "camera"), (WHEEL, "filterwheel"), (PANEL, "lightbox"), (MOUNT, "telescope"),
            (ROTATOR, "rotator"), (FOCUSER, "focuser"), (DOME, "dome"), (WEATHER, "weather"),
        ]
    )  # fmt: skip
    assert {(d.protocol, d.port) for d in found.devices} == {("indi", server.port)}


def test_the_camera_is_told_whose_filter_it_looks_through(server: IndiServer, link: Link) -> None:
    open_at(f"indi://127.0.0.1:{server.port}", indi=SOON).close()

    link.wait(lambda: _active(link, "ACTIVE_FILTER") == WHEEL, 3.0)
    assert _active(link, "ACTIVE_FILTER") == WHEEL
    assert _active(link, "ACTIVE_TELESCOPE") == MOUNT


def _active(link: Link, member: str) -> str:
    found = link.get(CAMERA, "ACTIVE_DEVICES")
    return found.text(member) if found else ""


# Settings -------------------------------------------------------------------------------------


def test_a_value_that_is_answered_with_ok_and_not_taken_is_a_refusal(
    camera: IndiCamera, link: Link
) -> None:
    """The simulator answers Ok to a gain of 99999, and keeps its own."""
    facts = camera._facts
    assert facts.gain is not None
    lifted = replace(facts.info, gain_range=(0, 100_000))
    camera._facts = replace(facts, info=lifted)

    with pytest.raises(UnsupportedRequestError, match="99") as problem:
        camera.expose(replace(BIAS, gain=99_999), CancelToken())

    assert "stays at" in str(problem.value)
    assert camera.status().state is CameraState.IDLE


def test_a_binning_that_is_listed_and_not_done_is_not_offered(camera: IndiCamera) -> None:
    assert camera.info.binnings == (1, 2, 4)


def test_the_offset_lifts_the_level_and_binning_sums(camera: IndiCamera) -> None:
    low, high = (expose(camera, replace(BIAS, offset=offset)) for offset in (0, 500))
    binned = expose(camera, replace(BIAS, offset=500, binning=2))

    # The noise is uniform, 0 to 10 ADU and less: the mean of 3072 pixels is known within 0.2.
    assert high.mean() - low.mean() == pytest.approx(500.0, abs=1.0)
    assert binned.mean() == pytest.approx(4.0 * high.mean(), rel=0.01)


def test_flats_grow_with_their_exposure(server: IndiServer, camera: IndiCamera) -> None:
    server.tell(CAMERA, "SIMULATOR_SETTINGS", SIM_SKYGLOW=120.0)
    try:
        levels = [
            expose(camera, ExposureRequest(FrameKind.FLAT, t, region=SMALL)).mean()
            for t in (0.25, 0.5, 1.0)
        ]
        bias = expose(camera, BIAS).mean()
    finally:
        server.tell(CAMERA, "SIMULATOR_SETTINGS", SIM_SKYGLOW=19.5)

    signal = np.array(levels) - bias
    assert signal[0] > 20.0
    assert signal / signal[0] == pytest.approx([1.0, 2.0, 4.0], rel=0.05)


def test_a_short_bias_and_a_longer_one_are_what_they_say(camera: IndiCamera) -> None:
    """The driver gives every bias its shortest exposure; a longer one is taken as a dark."""
    assert camera.expose(BIAS, CancelToken()).exposure_s == 0.01
    assert camera.expose(replace(BIAS, exposure_s=0.3), CancelToken()).exposure_s == 0.3


# At awkward moments ---------------------------------------------------------------------------


def test_an_exposure_of_another_program_is_not_touched(
    server: IndiServer, link: Link, camera: IndiCamera
) -> None:
    server.tell(CAMERA, "CCD_FRAME_TYPE", FRAME_BIAS="Off", FRAME_DARK="On")
    server.tell(CAMERA, "CCD_EXPOSURE", CCD_EXPOSURE_VALUE=30.0)
    link.wait(lambda: camera.status().state is CameraState.EXPOSING, 5.0)

    with pytest.raises(DeviceBusyError, match="exposing already"):
        camera.expose(BIAS, CancelToken())

    assert camera.status().state is CameraState.EXPOSING
    server.tell(CAMERA, "CCD_ABORT_EXPOSURE", ABORT="On")
    _until_it_works(camera)


def test_an_exposure_that_another_program_stops_is_a_failure_soon(
    server: IndiServer, camera: IndiCamera
) -> None:
    after(0.5, lambda: server.tell(CAMERA, "CCD_ABORT_EXPOSURE", ABORT="On"))
    begun = time.monotonic()

    with pytest.raises(DeviceError, match="lost"):
        camera.expose(LONG, CancelToken())

    assert time.monotonic() - begun < 8.0
    camera.expose(BIAS, CancelToken())


def test_a_driver_that_crashes_is_noticed_at_once_and_used_again(
    server: IndiServer, camera: IndiCamera, link: Link
) -> None:
    after(0.5, lambda: link.send(CAMERA, "CCD_SIMULATE_CRASH", {"CRASH": "On"}))
    begun = time.monotonic()

    with pytest.raises(DeviceUnreachableError, match=r"driver of CCD Simulator|not connected"):
        camera.expose(LONG, CancelToken())

    assert time.monotonic() - begun < 4.0
    camera.expose(BIAS, CancelToken())
    set_up(server)


def test_a_killed_server_is_noticed_at_once_and_used_again(
    server: IndiServer, camera: IndiCamera
) -> None:
    killing = after(0.5, server.kill)
    begun = time.monotonic()

    with pytest.raises(DeviceUnreachableError, match="cut"):
        camera.expose(LONG, CancelToken())

    assert time.monotonic() - begun < 4.0
    with pytest.raises(DeviceUnreachableError):
        camera.status()
    # The line is cut before the server's end is waited for: a start beside that would be cut too.
    killing.join()
    server.start()
    set_up(server)
    _until_it_works(camera)


def test_a_line_that_is_cut_is_connected_again(server: IndiServer, camera: IndiCamera) -> None:
    after(0.5, server.cut)

    with pytest.raises(DeviceUnreachableError, match="cut"):
        camera.expose(LONG, CancelToken())

    camera.expose(BIAS, CancelToken())


def test_a_line_that_falls_silent_is_noticed(server: IndiServer, camera: IndiCamera) -> None:
    after(0.5, lambda: server.silence(True))
    begun = time.monotonic()
    try:
        with pytest.raises(DeviceUnreachableError, match="does not answer"):
            camera.expose(LONG, CancelToken())
        assert time.monotonic() - begun < 8.0
    finally:
        server.silence(False)
    _until_it_works(camera)


def _until_it_works(camera: IndiCamera) -> None:
    """A line is tried again every few seconds."""
    ends = time.monotonic() + 15.0
    while True:
        try:
            camera.expose(BIAS, CancelToken())
        except DeviceError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)
        else:
            return
