"""What INDI drivers do that they should not: a frame or a clear failure, soon."""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from calibstudio.devices.indi.address import parse_address
from calibstudio.devices.indi.camera import IndiCamera
from calibstudio.devices.indi.exposure import Exposer, Watch
from calibstudio.devices.indi.link import Link
from calibstudio.devices.indi.mirror import read_number
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.equipment import CameraState, CoverState, ExposureRequest
from calibstudio.domain.errors import (
    Cancelled,
    DeviceError,
    DeviceUnreachableError,
    ExposureFailedError,
    UnsupportedRequestError,
    UsageError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.helpers.fake_indi import (
    CAMERA,
    CAP,
    LAMP,
    NX,
    NY,
    WHEEL,
    FakeIndi,
    Values,
    fits,
    usual_counts,
    usual_picture,
)
from tests.helpers.indi_server import SOON
from tests.helpers.opening import open_at

QUICK = replace(
    SOON, settle_s=0.03, set_s=0.8, idle_s=0.5, readout_s=1.0, others_s=0.2, device_s=1.5
)
DARK = ExposureRequest(FrameKind.DARK, 0.1)
LONG = ExposureRequest(FrameKind.DARK, 60.0)


@pytest.fixture
def server() -> Iterator[FakeIndi]:
    made = FakeIndi(capture_formats=True)
    yield made
    made.close()


@pytest.fixture
def camera(server: FakeIndi) -> Iterator[IndiCamera]:
    link = Link(server.server, QUICK)
    link.open()
    made = IndiCamera.open(link, CAMERA)
    yield made
    made.close()
    link.close()


def expose(camera: IndiCamera, request: ExposureRequest = DARK) -> np.ndarray:
    return camera.expose(request, CancelToken()).data


def answers(look: Callable[[], object]) -> bool:
    try:
        look()
    except DeviceUnreachableError:
        return False
    return True


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20.0
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def fails(camera: IndiCamera, kind: type[Exception], words: str, limit_s: float = 5.0) -> None:
    """It fails in time and in these words; what is exposed next works."""
    begun = time.monotonic()
    with pytest.raises(kind, match=words) as problem:
        expose(camera)
    assert time.monotonic() - begun < limit_s
    assert str(problem.value).endswith(".")
    assert getattr(problem.value, "hint", "").endswith(".")


# What it says of itself -----------------------------------------------------------------------


def test_its_facts_are_read(server: FakeIndi, camera: IndiCamera) -> None:
    info = camera.info

    assert info.shape == (NY, NX)
    assert (info.gain_range, info.gain_default) == ((0, 570), 100)
    assert (info.offset_range, info.offset_default) == ((0, 80), 8)
    assert info.binnings == (1, 2, 3)
    assert info.serial == "0123abcd"
    assert info.driver == "fake 1.2"
    assert info.bayer == "GRBG"  # RGGB that begins one column to the right
    assert info.set_temp_range_c == (-40.0, 40.0)


def test_frames_come_raw_with_16_bits_as_fits_to_us(server: FakeIndi, camera: IndiCamera) -> None:
    expose(camera)

    assert server.values(CAMERA, "CCD_CAPTURE_FORMAT")["ASI_IMG_RAW16"] == "On"
    assert server.values(CAMERA, "CCD_TRANSFER_FORMAT")["FORMAT_FITS"] == "On"
    assert server.values(CAMERA, "UPLOAD_MODE")["UPLOAD_CLIENT"] == "On"


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        (FrameKind.BIAS, "FRAME_BIAS"),
        (FrameKind.DARK, "FRAME_DARK"),
        (FrameKind.DARK_FLAT, "FRAME_DARK"),
        (FrameKind.FLAT, "FRAME_FLAT"),
        (FrameKind.LIGHT, "FRAME_LIGHT"),
    ],
)
def test_the_driver_is_told_the_kind_of_frame(
    server: FakeIndi, camera: IndiCamera, kind: FrameKind, flag: str
) -> None:
    expose(camera, ExposureRequest(kind, 0.0))

    assert server.values(CAMERA, "CCD_FRAME_TYPE")[flag] == "On"


# Settings -------------------------------------------------------------------------------------


def _says_ok(server: FakeIndi, name: str, values: Values) -> None:
    server.put(CAMERA, name, "Ok")


def _alerts(server: FakeIndi, name: str, values: Values) -> None:
    server.say(CAMERA, "value out of the driver's range")
    server.put(CAMERA, name, "Alert")


def _says_nothing(server: FakeIndi, name: str, values: Values) -> None:
    return


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("CCD_CONTROLS", replace(DARK, gain=200)),
        ("CCD_BINNING", replace(DARK, binning=2)),
        ("CCD_FRAME", replace(DARK, binning=3)),
        ("CCD_FRAME_TYPE", DARK),
    ],
)
@pytest.mark.parametrize("habit", [_says_ok, _alerts], ids=["ok", "alert"])
def test_a_setting_that_is_not_taken_is_refused_and_nothing_exposed(
    server: FakeIndi,
    camera: IndiCamera,
    name: str,
    request_: ExposureRequest,
    habit: Callable[[FakeIndi, str, Values], None],
) -> None:
    server.faults[CAMERA, name] = habit

    with pytest.raises(UnsupportedRequestError, match=CAMERA):
        expose(camera, request_)

    assert not any(order[1] == "CCD_EXPOSURE" for order in server.orders)
    server.faults.clear()
    assert expose(camera, request_).size


def test_a_setting_that_is_not_answered_is_a_failure_in_time(
    server: FakeIndi, camera: IndiCamera
) -> None:
    server.faults[CAMERA, "CCD_CONTROLS"] = _says_nothing
    fails(camera, ExposureFailedError, "did not answer when its CCD_CONTROLS")
    server.faults.clear()
    expose(camera)


def test_a_gain_that_another_setting_changes_is_noticed(
    server: FakeIndi, camera: IndiCamera
) -> None:
    def changes_gain(fake: FakeIndi, name: str, values: Values) -> None:
        fake.put(CAMERA, "CCD_CONTROLS", "Ok", {"Gain": "0"})
        fake.take(CAMERA, name, values)

    server.faults[CAMERA, "CCD_FRAME"] = changes_gain
    with pytest.raises(UnsupportedRequestError, match="set to gain 100 and says 0"):
        expose(camera)


def test_an_answer_that_comes_late_after_an_old_one_is_waited_for(
    server: FakeIndi, camera: IndiCamera
) -> None:
    """Another program that connects is told the old value once more."""

    def old_then_new(fake: FakeIndi, name: str, values: Values) -> None:
        fake.put(CAMERA, name, "Ok")
        fake.later("gain", 0.05, lambda: fake.put(CAMERA, name, "Ok", values))

    server.faults[CAMERA, "CCD_CONTROLS"] = old_then_new
    assert camera.expose(replace(DARK, gain=300, offset=8), CancelToken()).gain == 300


def test_a_cooler_that_refuses_says_so(server: FakeIndi, camera: IndiCamera) -> None:
    server.faults[CAMERA, "CCD_TEMPERATURE"] = _alerts

    with pytest.raises(UnsupportedRequestError, match="cannot be set to"):
        camera.set_cooler(on=True, target_c=-10.0)

    assert camera.status().cooler_on is False


# Pictures -------------------------------------------------------------------------------------


def _same_again(server: FakeIndi, order: Values) -> bytes:
    counts = np.random.default_rng(5).integers(100, 300, (NY, NX))
    return fits(counts, EXPTIME=order["CCD_EXPOSURE_VALUE"])


def changed(content: bytes, key: str, value: int) -> bytes:
    """Return a FITS file with another value in one of its cards."""
    at = content.index(f"{key:<8}=".encode())
    return content[:at] + f"{key:<8}= {value:>20}".encode() + content[at + 30 :]


BAD_PICTURES: dict[str, tuple[Callable[[FakeIndi, Values], bytes], str]] = {
    "one row short": (lambda s, o: fits(usual_counts(s)[1:]), f"{NX} × {NY - 1} pixels"),
    "three colours": (lambda s, o: fits(np.zeros((3, NY, NX))), "developed colour"),
    "of another exposure": (lambda s, o: fits(usual_counts(s), EXPTIME=30.0), "picture of 30"),
    "cut off": (lambda s, o: usual_picture(s, o)[:9000], "ends too soon"),
    "no FITS": (lambda s, o: b"\xff\xd8\xff\xe0 JFIF", "not FITS"),
    "no end of its header": (lambda s, o: b"SIMPLE  =".ljust(5760), "no end"),
    "floating point": (
        lambda s, o: changed(usual_picture(s, o), "BITPIX", -32),
        "no raw counts",
    ),
    "negative": (
        lambda s, o: changed(usual_picture(s, o), "BZERO", 0),
        "values from -",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PICTURES)
def test_a_picture_that_is_none_is_refused(server: FakeIndi, camera: IndiCamera, case: str) -> None:
    server.picture, words = BAD_PICTURES[case]
    fails(camera, ExposureFailedError, words)
    server.picture = usual_picture
    expose(camera)


def test_the_same_pixels_twice_are_refused(server: FakeIndi, camera: IndiCamera) -> None:
    server.picture = _same_again
    expose(camera)
    fails(camera, ExposureFailedError, "pixel for pixel")


def test_pixels_arrive_as_they_were_sent(server: FakeIndi, camera: IndiCamera) -> None:
    counts = np.arange(NX * NY).reshape(NY, NX) * 8
    server.picture = lambda s, o: fits(counts)
    plain = expose(camera)
    server.picture = lambda s, o: fits(counts[::-1] + 1, ROWORDER="'BOTTOM-UP'")
    turned = expose(camera)

    assert np.array_equal(plain, counts)
    assert np.array_equal(turned, counts + 1)


def test_a_compressed_picture_is_read_and_a_bomb_is_not(
    server: FakeIndi, camera: IndiCamera
) -> None:
    send = server.send_picture
    server.send_picture = lambda content, ending="": send(zlib.compress(content), ".fits.z")  # type: ignore[method-assign]
    assert expose(camera).shape == (NY, NX)
    server.picture = lambda s, o: b"\0" * 50_000_000
    fails(camera, ExposureFailedError, "not FITS")


# The exposure ---------------------------------------------------------------------------------


def _ok_without_picture(server: FakeIndi, name: str, values: Values) -> None:
    server.put(CAMERA, name, "Busy", values)
    server.later("exposure", 0.1, lambda: server.put(CAMERA, name, "Ok"))


def _alert_in_exposure(server: FakeIndi, name: str, values: Values) -> None:
    server.put(CAMERA, name, "Busy", values)

    def end() -> None:
        server.say(CAMERA, "USB transfer failed.")
        server.put(CAMERA, name, "Alert")

    server.later("exposure", 0.1, end)


def _early(server: FakeIndi, name: str, values: Values) -> None:
    server.put(CAMERA, name, "Busy", values)
    server.send_picture(usual_picture(server, values))
    server.put(CAMERA, name, "Ok")


def _unplugged(server: FakeIndi, name: str, values: Values) -> None:
    server.put(CAMERA, name, "Busy", values)
    off = {"CONNECT": "Off", "DISCONNECT": "On"}
    server.later("exposure", 0.05, lambda: server.put(CAMERA, "CONNECTION", "Alert", off))


def _deleted(server: FakeIndi, name: str, values: Values) -> None:
    server.put(CAMERA, name, "Busy", values)
    server.later("exposure", 0.05, lambda: server.delete(CAMERA, name))


BAD_EXPOSURES = {
    "no picture": (_ok_without_picture, ExposureFailedError, "no picture"),
    "alert": (_alert_in_exposure, ExposureFailedError, "USB transfer failed"),
    "silence": (_says_nothing, ExposureFailedError, "no picture|did not begin"),
    "too early": (_early, ExposureFailedError, "earlier one"),
    "unplugged": (_unplugged, DeviceUnreachableError, "not connected"),
    "property deleted": (_deleted, DeviceUnreachableError, CAMERA),
}


@pytest.mark.parametrize("case", BAD_EXPOSURES)
def test_an_exposure_that_goes_wrong_fails_soon_and_the_next_one_works(
    server: FakeIndi, camera: IndiCamera, case: str
) -> None:
    fault, kind, words = BAD_EXPOSURES[case]
    server.faults[CAMERA, "CCD_EXPOSURE"] = fault
    fails(camera, kind, words)
    server.faults.clear()
    server.take(CAMERA, "CCD_ABORT_EXPOSURE", {})
    if case == "property deleted":
        return  # a driver that takes a property away for good stays failed, in words

    expose(camera)
    assert camera.status().state is CameraState.IDLE


def test_a_picture_of_a_cancelled_exposure_is_not_that_of_the_next(
    server: FakeIndi, camera: IndiCamera
) -> None:
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    with pytest.raises(Cancelled):
        camera.expose(LONG, token)
    late = usual_picture(server, {"CCD_EXPOSURE_VALUE": "60"})

    def late_comer(fake: FakeIndi, name: str, values: Values) -> None:
        fake.send_picture(late)
        fake.take(CAMERA, name, values)

    server.faults[CAMERA, "CCD_EXPOSURE"] = late_comer
    fails(camera, ExposureFailedError, "earlier one")


def test_a_camera_that_does_not_stop_is_said_to_be_busy(
    server: FakeIndi, camera: IndiCamera
) -> None:
    server.faults[CAMERA, "CCD_ABORT_EXPOSURE"] = _says_nothing
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    begun = time.monotonic()

    with pytest.raises(Cancelled):
        camera.expose(LONG, token)

    assert time.monotonic() - begun < 2.0
    fails(camera, DeviceError, "exposing already")
    server.faults.clear()
    expose(camera)


# Server and other devices ---------------------------------------------------------------------


def test_devices_that_do_not_connect_are_missing_with_what_they_say(server: FakeIndi) -> None:
    def refuses(fake: FakeIndi, name: str, values: Values) -> None:
        fake.say(WHEEL, "No EFW found")
        fake.put(WHEEL, name, "Alert", {"CONNECT": "Off", "DISCONNECT": "On"})

    server.faults[WHEEL, "CONNECTION"] = refuses
    observatory = open_at(server.url, indi=QUICK)

    assert observatory.wheel is None
    (missing,) = observatory.missing
    assert missing.title == WHEEL and "No EFW found" in str(missing.error)
    assert observatory.panel is not None
    assert observatory.panel.info.name == f"{LAMP} and {CAP}"
    observatory.close()
    assert server.values(CAMERA, "CONNECTION")["CONNECT"] == "Off"


def test_filters_have_names_and_no_name_twice(server: FakeIndi) -> None:
    observatory = open_at(server.url, indi=QUICK)

    assert observatory.wheel is not None
    assert observatory.wheel.filters == ("L", "R", "Filter 3", "L (4)", "Filter 5")
    observatory.close()


def test_devices_of_a_server_that_was_started_again_come_back_while_they_are_looked_at(
    server: FakeIndi,
) -> None:
    observatory = open_at(server.url, indi=QUICK)
    assert observatory.wheel is not None and observatory.panel is not None
    looks: list[Callable[[], object]] = [
        observatory.camera.status, observatory.wheel.position, observatory.panel.status,
    ]  # fmt: skip
    server.close()
    for look in looks:
        until(lambda look=look: not answers(look))
    server.come_back()

    for look in looks:
        until(lambda look=look: answers(look))
    observatory.close()


@pytest.mark.parametrize("started_again", [True, False])
def test_an_exposure_on_a_line_that_another_device_made_anew_is_lost_at_once(
    server: FakeIndi, camera: IndiCamera, monkeypatch: pytest.MonkeyPatch, started_again: bool
) -> None:
    usual, link = Exposer._check, camera._device.link
    lost: list[bool] = []

    def look_late(exposer: Exposer, watch: Watch) -> None:
        if not lost:
            lost.append(True)
            server.cut()
            if started_again:
                server.close()
                server.come_back()
            until(lambda: not link.is_alive)
            link.reopen()
        usual(exposer, watch)

    monkeypatch.setattr(Exposer, "_check", look_late)
    begun = time.monotonic()
    with pytest.raises(DeviceUnreachableError, match="is cut"):
        expose(camera, LONG)
    assert time.monotonic() - begun < 5.0
    until(lambda: answers(lambda: expose(camera)))


def test_a_wheel_that_turned_when_its_server_ended_is_lost_and_not_said_to_be_stuck(
    server: FakeIndi,
) -> None:
    observatory = open_at(server.url, indi=QUICK)
    wheel = observatory.wheel
    assert wheel is not None

    def lose_it(server: FakeIndi, name: str, values: Values) -> None:
        server.put(WHEEL, name, "Busy")
        server.close()
        server.come_back()

    server.faults[WHEEL, "FILTER_SLOT"] = lose_it

    with pytest.raises(DeviceUnreachableError):
        wheel.move(2, CancelToken())
    server.faults.clear()
    until(lambda: answers(lambda: wheel.move(2, CancelToken())))
    assert wheel.position() == 2
    observatory.close()


def test_a_cap_that_is_stuck_says_where_it_is(server: FakeIndi) -> None:
    observatory = open_at(server.url, indi=QUICK)
    panel = observatory.panel
    assert panel is not None
    server.faults[CAP, "CAP_PARK"] = lambda s, n, v: s.put(CAP, n, "Alert", {"PARK": "Off"})

    with pytest.raises(DeviceError, match="should be open and is unknown"):
        panel.move_cover(open_it=True, cancel=CancelToken())

    assert panel.status().cover is CoverState.UNKNOWN
    observatory.close()


def test_a_server_of_something_else_is_a_sentence_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>&nbsp;</body>")
                client.recv(1000)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        begun = time.monotonic()
        server = ServerAddress("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(DeviceUnreachableError, match="says nothing of INDI"):
            Link(server, replace(QUICK, connect_s=1.0)).open()
        assert time.monotonic() - begun < 4.0
        thread.join(5.0)


def test_nobody_there_is_a_sentence_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    begun = time.monotonic()

    with pytest.raises(DeviceUnreachableError, match="nothing listens"):
        open_at(f"indi://127.0.0.1:{port}")

    assert time.monotonic() - begun < 2.0


@pytest.mark.parametrize(
    ("text", "host", "port", "camera"),
    [
        ("indi://pi.local", "pi.local", 7624, ""),
        ("10.0.0.5:7625", "10.0.0.5", 7625, ""),
        ("indi://[fe80::1]:7624/ZWO%20CCD ASI533MC", "fe80::1", 7624, "ZWO CCD ASI533MC"),
    ],
)
def test_addresses_are_read(text: str, host: str, port: int, camera: str) -> None:
    assert parse_address(text) == (ServerAddress(host, port), camera)


@pytest.mark.parametrize("text", ["indi://", "indi://host:0", "indi://a b", "indi://host:port"])
def test_what_is_no_address_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="not the address of an INDI server"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.5", 12.5), ("-0:30:00", -0.5), ("12 30", 12.5), ("10:20:30.5", 10.3418056), ("x", None),
     ("nan", None), ("1:2:3:4", None), ("", None)],
)  # fmt: skip
def test_numbers_are_read_sexagesimal_too(text: str, value: float | None) -> None:
    assert read_number(text) == (None if value is None else pytest.approx(value))
