"""Whatever a server does: a frame or a clear failure, soon, and the next exposure works.

Each case is something that a real driver or server was seen to do.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from calibstudio.devices.alpaca.address import DeviceType
from calibstudio.devices.alpaca.camera import AlpacaCamera
from calibstudio.devices.alpaca.wheel import AlpacaWheel
from calibstudio.domain.equipment import CameraState, ExposureRequest, Region
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    ExposureFailedError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.helpers import fake_alpaca as faults
from tests.helpers.fake_alpaca import FakeAlpaca, image_bytes
from tests.helpers.fake_alpaca_devices import FakeCamera
from tests.unit.devices.alpaca_rigs import BIAS, DARK, camera_of, device_of


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


@pytest.fixture
def camera(server: FakeAlpaca) -> AlpacaCamera:
    return camera_of(server)


def _frame(camera: AlpacaCamera, server: FakeAlpaca, request: ExposureRequest = DARK) -> None:
    """Take a frame and see that it is the newest picture of the camera."""
    frame = camera.expose(request, CancelToken())
    assert np.array_equal(frame.data, server.camera.latest())


@dataclass(frozen=True)
class Case:
    """``arrange`` makes the fault; ``error`` and ``words`` say what must come of it."""

    arrange: Callable[[FakeAlpaca], None]
    error: type[DeviceError] | None = None
    words: str = ""
    request: ExposureRequest = BIAS
    within_s: float = 8.0


def _set(**values: object) -> Callable[[FakeAlpaca], None]:
    def arrange(server: FakeAlpaca) -> None:
        for name, value in values.items():
            setattr(server.camera, name, value)

    return arrange


def _fault(member: str, fault: faults.Fault) -> Callable[[FakeAlpaca], None]:
    def arrange(server: FakeAlpaca) -> None:
        server.faults["camera", member] = fault

    return arrange


def _once_exposing(fault: faults.Fault) -> faults.Fault:
    """Misbehave once, and only while an exposure is under way."""
    once = faults.times(1, fault)
    return lambda handler: handler.server.fake.camera.is_exposing and once(handler)


def _bytes(content: bytes) -> faults.Fault:
    return faults.body(content, "application/imagebytes")


PICTURE = np.arange(96 * 128).reshape(128, 96) % 60_000
NOT_A_NUMBER = np.where(PICTURE == 5, np.nan, PICTURE)
COLOURS = np.stack([PICTURE, PICTURE + 1, PICTURE + 2], axis=2)
FAILED, LOST = ExposureFailedError, DeviceUnreachableError

CASES = {
    # States that lag, stick or lie.
    "idle is stale after the start": Case(
        _set(stale_s=0.15), request=DARK
    ),
    "error is stale after the start": Case(
        _set(stale_s=0.15, stale_state=FakeCamera.ERROR), request=DARK
    ),
    "ready is that of the previous frame": Case(
        _set(stale_ready_s=0.12, _ready=True), request=DARK
    ),
    "download stays for ever": Case(_set(sticky_download=True, frames=1)),
    "error stays until an abort": Case(_set(_error=True)),
    "percent completed is nonsense": Case(_fault("percentcompleted", faults.html)),
    "last exposure says nothing": Case(_fault("lastexposureduration", faults.says(0.0))),
    "last exposure is not there": Case(_fault("lastexposureduration", faults.html)),
    "the driver reports an error": Case(
        lambda s: threading.Timer(0.1, s.camera.fail).start(), FAILED, "reports an error", DARK
    ),
    "a restart in mid exposure": Case(
        _set(restart_after_s=0.15), FAILED, "idle and has no picture",
        replace(DARK, exposure_s=1.5), 3.0,
    ),
    "an exposure that is dropped": Case(
        _set(restart_after_s=0.0), FAILED, "idle and has no picture", BIAS
    ),
    "a picture that never comes": Case(_set(readout_s=60.0), FAILED, "no picture"),
    "a picture long before its time": Case(
        _set(early=0.2), FAILED, "earlier one", replace(DARK, exposure_s=2.0)
    ),
    "the picture before again": Case(_set(repeats=True), FAILED, "pixel for pixel", BIAS),
    "start answers late, as old drivers do": Case(_fault("startexposure", faults.late(1.2))),
    "start is refused": Case(
        _fault("startexposure", faults.refuses(0x40C, "Camera is not idle")), FAILED, "not idle"
    ),
    "start refuses the exposure": Case(
        _fault("startexposure", faults.refuses(0x401, "too short")),
        UnsupportedRequestError, "too short",
    ),
    "disconnected in mid exposure": Case(
        _fault("imageready", faults.refuses(0x407, "not connected")), LOST, "not connected"
    ),
    # Replies that are late, missing or nonsense.
    "one reply is lost in mid exposure": Case(
        _fault("imageready", _once_exposing(faults.cut)), request=DARK
    ),
    "one reply is HTML in mid exposure": Case(
        _fault("imageready", _once_exposing(faults.html)), request=DARK
    ),
    "one reply has no value": Case(
        _fault("camerastate", _once_exposing(faults.no_value)), request=DARK
    ),
    "image ready is always HTML": Case(_fault("imageready", faults.html), FAILED, "HTTP 500"),
    "image ready has no value": Case(_fault("imageready", faults.no_value), FAILED, "imageready"),
    "image ready is a text": Case(
        _fault("imageready", faults.says("perhaps")), FAILED, "perhaps"
    ),
    "states hang": Case(_fault("camerastate", faults.hang), LOST, "does not answer"),
    "a setting hangs": Case(_fault("PUT gain", faults.hang), LOST, "does not answer"),
    "start hangs": Case(_fault("startexposure", faults.hang), LOST, "does not answer"),
    "everything is gone": Case(_fault("*", faults.cut), LOST, "does not answer"),
    "the device vanished from its server": Case(
        _fault("*", faults.body(b"gone", "text/plain")), FAILED, "not Alpaca"
    ),
    # The picture.
    "JSON only": Case(lambda s: setattr(s, "image_as", "json")),
    "JSON of three equal colours": Case(
        lambda s: (setattr(s, "image_as", "json"), _set(planes=3)(s))[1]
    ),
    "32 bits": Case(_set(dtype=np.int32)),
    "unsigned 32 bits": Case(_set(dtype=np.uint32)),
    "signed 16 bits": Case(_set(dtype=np.int16)),
    "64 bits": Case(_set(dtype=np.int64)),
    "floating point": Case(_set(dtype=np.float64)),
    "three equal colours": Case(_set(planes=3)),
    "handed out once": Case(_set(hands_out_once=True)),
    "an error in ImageBytes": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE, error=0x40B, message="no image yet"))),
        FAILED, "no image yet",
    ),
    "an error instead of the picture": Case(
        _fault("imagearray", faults.refuses(0x40D, "No image data")), FAILED, "No image data"
    ),
    "HTML instead of the picture": Case(_fault("imagearray", faults.html), FAILED, "HTTP 500"),
    "JSON without a picture": Case(_fault("imagearray", faults.no_value), FAILED, "without a"),
    "developed colours": Case(
        _fault("imagearray", _bytes(image_bytes(COLOURS))), FAILED, "colour"
    ),
    "negative values": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE - 7, np.int32))), FAILED, "−7"
    ),
    "values beyond 16 bits": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE + 60_000, np.int32))), FAILED, "72"
    ),
    "not a number": Case(
        _fault("imagearray", _bytes(image_bytes(NOT_A_NUMBER, np.float64))), FAILED, "not numbers"
    ),
    "another size": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE[:, :-1]))), FAILED, "128 × 95 pixels"
    ),
    "a size that would fill the memory": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE)[:32] + b"\xff\xff\xff\x7f" * 3)),
        FAILED, "asked for",
    ),
    "too few bytes": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE)[:5000])), FAILED, "broke off"
    ),
    "too many bytes": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE) + b"more")), FAILED, "broke off"
    ),
    "only half a header": Case(
        _fault("imagearray", _bytes(image_bytes(PICTURE)[:20])), FAILED, "broke off"
    ),
    "an unknown format": Case(
        _fault("imagearray", _bytes(b"\x09" + image_bytes(PICTURE)[1:])), FAILED, "unknown format"
    ),
    "JSON that breaks off": Case(
        _fault("imagearray", faults.body(json.dumps({"Value": PICTURE.tolist()}).encode()[:9000])),
        FAILED, "broke off",
    ),
    "JSON with crooked columns": Case(
        _fault("imagearray", faults.body(b'{"Value":[[1,2,3],[4,5]],"ErrorNumber":0}')),
        FAILED, "do not fit",
    ),
    "the download is cut once": Case(
        _fault("imagearray", faults.times(1, faults.image_then(9000, "cut")))
    ),
    "the download is always cut": Case(
        _fault("imagearray", faults.image_then(9000, "cut")), DeviceError, ""
    ),
    "the download stalls once": Case(
        _fault("imagearray", faults.times(1, faults.image_then(9000, "stall")))
    ),
    "the download always stalls": Case(
        _fault("imagearray", faults.image_then(9000, "stall")), DeviceError, "does not answer"
    ),
    "the download drips": Case(
        _fault("imagearray", faults.image_then(9000, "drip")), DeviceError, "does not answer"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_frame_or_a_clear_failure_soon_and_then_it_works_again(
    server: FakeAlpaca, camera: AlpacaCamera, case: Case
) -> None:
    _frame(camera, server, BIAS)
    normal = dict(vars(server.camera))
    case.arrange(server)
    begun = time.monotonic()

    if case.error is None:
        _frame(camera, server, case.request)
    else:
        with pytest.raises(case.error, match=case.words or None) as problem:
            camera.expose(case.request, CancelToken())
        assert camera.info.name in str(problem.value)
        assert str(problem.value).endswith(".") and problem.value.hint.endswith(".")
        assert len(str(problem.value)) < 300 and "\n" not in str(problem.value)

    assert time.monotonic() - begun < case.within_s
    server.faults.clear()
    for name in ("readout_s", "early", "repeats", "dtype", "planes"):
        setattr(server.camera, name, normal[name])
    server.image_as = "bytes"
    server.camera.values["connected"] = True
    _frame(camera, server, BIAS)


def test_a_server_that_dies_in_mid_exposure_is_said_soon(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    threading.Timer(0.2, server.die).start()
    begun = time.monotonic()

    with pytest.raises(DeviceUnreachableError, match="does not answer"):
        camera.expose(replace(DARK, exposure_s=60.0), CancelToken())

    assert time.monotonic() - begun < 6.0
    with pytest.raises(DeviceUnreachableError):
        camera.status()


def test_a_server_that_comes_back_is_connected_again_by_itself(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    _frame(camera, server)
    server.die()
    with pytest.raises(DeviceUnreachableError):
        camera.expose(DARK, CancelToken())
    server.come_back()
    server.faults["camera", "ccdtemperature"] = faults.times(1, faults.refuses(0x407))

    assert camera.status().state is CameraState.IDLE
    _frame(camera, server)

    assert server.camera.values["connected"] is True


def test_a_restart_within_a_second_in_mid_exposure_is_a_lost_exposure(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    def restart() -> None:
        server.die()
        server.come_back()

    threading.Timer(0.2, restart).start()

    with pytest.raises((ExposureFailedError, DeviceUnreachableError)):
        camera.expose(replace(DARK, exposure_s=3.0), CancelToken())

    _frame(camera, server)


@pytest.mark.parametrize("hangs", ["*", "PUT abortexposure", "imageready", "camerastate"])
def test_a_cancel_takes_about_a_second_also_when_the_server_hangs(
    server: FakeAlpaca, camera: AlpacaCamera, hangs: str
) -> None:
    token, cancelled_at = CancelToken(), []

    def cancel() -> None:
        server.faults["camera", hangs] = faults.hang
        time.sleep(0.2)
        cancelled_at.append(time.monotonic())
        token.cancel()

    threading.Timer(0.3, cancel).start()

    with pytest.raises(Cancelled):
        camera.expose(replace(DARK, exposure_s=60.0), token)

    assert time.monotonic() - cancelled_at[0] < 1.6


def test_a_cancel_in_mid_download_takes_about_a_second(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    server.faults["camera", "imagearray"] = faults.image_then(3000, "drip")
    token = CancelToken()
    threading.Timer(0.8, token.cancel).start()
    begun = time.monotonic()

    with pytest.raises(Cancelled):
        camera.expose(BIAS, token)

    assert time.monotonic() - begun < 2.4


def test_an_abort_that_does_not_abort_is_waited_for_or_said(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    server.camera.abort_is_ignored = True
    for seconds in (60.0, 1.0):
        token = CancelToken()
        threading.Timer(0.15, token.cancel).start()
        with pytest.raises(Cancelled):
            camera.expose(replace(DARK, exposure_s=seconds), token)
        if seconds > 10.0:
            with pytest.raises(DeviceBusyError, match="to go") as problem:
                camera.expose(BIAS, CancelToken())
            assert problem.value.hint
            server.camera.restart()
    time.sleep(0.8)

    _frame(camera, server, BIAS)


def test_the_picture_of_an_aborted_exposure_is_not_taken_for_the_next(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    server.camera.ghost_of_aborted = True
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    with pytest.raises(Cancelled):
        camera.expose(replace(DARK, exposure_s=1.0), token)

    with pytest.raises(ExposureFailedError, match="earlier one"):
        camera.expose(replace(DARK, exposure_s=3.0), CancelToken())


def test_an_exposure_of_another_program_is_left_alone(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    server.camera.put_startexposure({"Duration": "5", "Light": "False"})

    with pytest.raises(DeviceBusyError, match="exposing already"):
        camera.expose(BIAS, CancelToken())

    assert server.camera.was_told("abortexposure") == []
    assert server.camera.get_camerastate() == FakeCamera.EXPOSING


def test_zero_is_never_sent(server: FakeAlpaca) -> None:
    server.camera.drops_zero = True
    server.camera.values["exposuremin"] = 0.0
    camera = camera_of(server)

    _frame(camera, server, BIAS)

    sent = [float(form["Duration"]) for form in server.camera.was_told("startexposure")]
    assert min(sent) > 0.0


@pytest.mark.parametrize("kind", list(FrameKind))
def test_light_is_let_in_for_flats_and_lights_only(
    server: FakeAlpaca, camera: AlpacaCamera, kind: FrameKind
) -> None:
    camera.expose(ExposureRequest(kind, 0.01), CancelToken())

    sent = server.camera.was_told("startexposure")[-1]["Light"]
    assert sent == str(kind in (FrameKind.FLAT, FrameKind.LIGHT))


def test_settings_are_sent_in_order_before_every_frame(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    request = replace(BIAS, gain=50, offset=9, binning=2, region=Region(16, 8, 64, 48))

    for _ in range(2):
        server.camera.puts.clear()
        frame = camera.expose(request, CancelToken())

        order = [member for member, _ in server.camera.puts]
        settings = ["readoutmode", "gain", "offset", "binx", "biny"]
        assert order[:5] == settings
        assert set(order[5:-1]) == {"startx", "starty", "numx", "numy"}
        assert order[-1] == "startexposure"
        assert frame.data.shape == (24, 32)
    values = server.camera.values
    assert [values[m] for m in ("startx", "starty", "numx", "numy")] == [8, 4, 32, 24]


def test_the_frame_says_what_was_read_back_not_what_was_asked(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    server.camera.quantum_gain = 10

    frame = camera.expose(replace(BIAS, gain=57), CancelToken())

    assert frame.request.gain == 57
    assert frame.gain == 50
    assert frame.conversion is not None
    assert frame.conversion.e_per_adu == pytest.approx(2.0 / 1.5)
    assert camera.conversion(50, "Normal") == frame.conversion


def _ask_in_vain(camera: AlpacaCamera) -> None:
    with pytest.raises(DeviceError):
        camera.expose(BIAS, CancelToken())


def test_a_neighbour_answers_while_the_camera_hangs(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    wheel = AlpacaWheel.open(device_of(server, DeviceType.FILTER_WHEEL))
    camera.status()
    server.faults["camera", "*"] = faults.hang
    worker = threading.Thread(target=_ask_in_vain, args=(camera,))
    worker.start()
    begun = time.monotonic()

    wheel.move(1, CancelToken())
    position = wheel.position()

    assert position == 1
    assert time.monotonic() - begun < 1.5
    worker.join(5.0)


def test_a_status_is_never_waited_for_long(server: FakeAlpaca, camera: AlpacaCamera) -> None:
    camera.status()
    server.faults["camera", "*"] = faults.hang
    longest = 0.0
    outcome: list[bool] = []

    ends = time.monotonic() + 6.0
    while time.monotonic() < ends and not (outcome and not outcome[-1]):
        begun = time.monotonic()
        try:
            camera.status()
            outcome.append(True)
        except DeviceUnreachableError:
            outcome.append(False)
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.2)

    assert outcome[0] is True and outcome[-1] is False
    assert longest < 1.0


def test_during_a_download_the_status_is_what_was_known(
    server: FakeAlpaca, camera: AlpacaCamera
) -> None:
    before = camera.status()
    server.faults["camera", "imagearray"] = faults.late(0.6)
    taken: list[object] = []
    worker = threading.Thread(target=lambda: taken.append(camera.expose(BIAS, CancelToken())))
    worker.start()
    while ("GET", "/api/v1/camera/0/imagearray") not in server.requests:
        time.sleep(0.01)
    server.faults["camera", "camerastate"] = faults.hang
    begun = time.monotonic()

    status = camera.status()

    assert time.monotonic() - begun < 0.3
    assert status.state is CameraState.READING
    assert status.sensor_c == pytest.approx(before.sensor_c)
    server.faults.clear()
    worker.join(5.0)
    assert len(taken) == 1
