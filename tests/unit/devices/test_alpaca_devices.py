"""Facts that are doubted, wheels, panels and mounts with the habits of real drivers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from calibstudio.devices.alpaca import mount as mount_module
from calibstudio.devices.alpaca.address import DeviceType
from calibstudio.devices.alpaca.mount import AlpacaMount
from calibstudio.devices.alpaca.panel import AlpacaPanel
from calibstudio.devices.alpaca.wheel import AlpacaWheel
from calibstudio.domain.equipment import CoverState, ExposureRequest, Region
from calibstudio.domain.errors import Cancelled, DeviceError, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.helpers import fake_alpaca as faults
from tests.helpers.fake_alpaca import FakeAlpaca
from tests.helpers.fake_alpaca_devices import FakePanel
from tests.unit.devices.alpaca_rigs import BIAS, camera_of, device_of

NOW = CancelToken()


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


# The camera's facts ---------------------------------------------------------------------------


def test_gain_and_offset_may_be_a_range_names_or_nothing(server: FakeAlpaca) -> None:
    values = server.camera.values
    values["gains"] = []  # a server that answers an empty list instead of "not implemented"
    values["offsets"] = ["Low", "Medium", "High"]
    values["offset"] = 1
    server.faults["camera", "offsetmin"] = faults.refuses(0x40B)

    info = camera_of(server).info

    assert (info.gain_range, info.gain_default) == ((0, 300), 10)
    assert (info.offset_range, info.offset_default) == ((0, 2), 1)
    for member in ("gain", "gains", "gainmin", "gainmax"):
        server.faults["camera", member] = faults.html
    assert camera_of(server).info.gain_range is None


def test_a_negative_gain_is_a_gain(server: FakeAlpaca) -> None:
    server.camera.values |= {"gainmin": -25, "gain": -25}
    camera = camera_of(server)

    frame = camera.expose(ExposureRequest(FrameKind.BIAS, 0.0, gain=-20), NOW)

    assert camera.info.gain_range == (-25, 300)
    assert frame.gain == -20
    assert camera.expose(BIAS, NOW).gain == -25


@pytest.mark.parametrize(
    ("member", "answer", "fact", "value"),
    [
        ("maxadu", -1, "max_adu", 65535),
        ("maxadu", 4_294_967_295, "max_adu", 65535),
        ("maxadu", 4095, "bit_depth", 12),
        ("exposuremax", 0, "exposure_max_s", 86400.0),
        ("exposuremin", "none", "exposure_min_s", 0.0),
        ("pixelsizex", 0.0, "pixel_size_um", None),
        ("readoutmodes", [{"Name": "MONO"}, {"Name": "RGB"}], "readout_modes", ("MONO", "RGB")),
        ("readoutmodes", "MONO", "readout_modes", ()),
        ("maxbinx", 1000, "binnings", (1, 2, 3, 4)),
        ("hasshutter", None, "has_shutter", False),
        ("cansetccdtemperature", "yes", "can_cool", False),
    ],
)
def test_facts_are_checked_before_they_are_believed(
    server: FakeAlpaca, member: str, answer: object, fact: str, value: object
) -> None:
    server.faults["camera", member] = faults.says(answer)

    assert getattr(camera_of(server).info, fact) == value


@pytest.mark.parametrize("member", ["cameraxsize", "cameraysize"])
@pytest.mark.parametrize("answer", [0, -5, 10**9, "big", None])
def test_a_camera_without_a_size_is_refused(
    server: FakeAlpaca, member: str, answer: object
) -> None:
    server.faults["camera", member] = faults.says(answer)

    with pytest.raises(DeviceError) as problem:
        camera_of(server)

    assert problem.value.hint


@pytest.mark.parametrize(
    ("offsets", "bayer"), [((0, 0), "RGGB"), ((1, 0), "GRBG"), ((0, 1), "GBRG"), ((1, 1), "BGGR")]
)
def test_the_colours_of_the_sensor_begin_where_it_says(
    server: FakeAlpaca, offsets: tuple[int, int], bayer: str
) -> None:
    server.camera.values |= {
        "sensortype": 2, "bayeroffsetx": offsets[0], "bayeroffsety": offsets[1],
    }  # fmt: skip

    assert camera_of(server).info.bayer == bayer


def test_a_mode_that_is_answered_by_name_is_understood(server: FakeAlpaca) -> None:
    server.faults["camera", "GET readoutmode"] = faults.says("Low noise")
    camera = camera_of(server)

    frame = camera.expose(ExposureRequest(FrameKind.BIAS, 0.0, readout_mode="Low noise"), NOW)

    assert frame.readout_mode == "Low noise"


@pytest.mark.parametrize("member", ["BinX", "NumX", "StartX"])
def test_a_size_that_is_silently_changed_is_refused(server: FakeAlpaca, member: str) -> None:
    camera = camera_of(server)
    server.faults["camera", f"GET {member.lower()}"] = faults.says(3)
    request = ExposureRequest(FrameKind.BIAS, 0.0, region=Region(8, 8, 32, 32))

    with pytest.raises(UnsupportedRequestError, match="says"):
        camera.expose(request, NOW)

    assert server.camera.was_told("startexposure") == []


def test_a_camera_without_extras_works(server: FakeAlpaca) -> None:
    for member in (
        "gain", "offset", "readoutmodes", "readoutmode", "ccdtemperature", "electronsperadu",
        "cansetccdtemperature", "cangetcoolerpower", "lastexposureduration", "sensortype",
        "canabortexposure", "canstopexposure", "exposureresolution", "supportedactions", "name",
    ):  # fmt: skip
        server.faults["camera", member] = faults.refuses(0x400, "not implemented", 404)
    camera = camera_of(server)

    frame = camera.expose(BIAS, NOW)

    assert (frame.gain, frame.offset, frame.readout_mode, frame.conversion) == (None,) * 4
    assert (frame.sensor_c, frame.set_c) == (None, None)
    assert not camera.info.can_cool
    assert frame.exposure_s == pytest.approx(0.001)
    with pytest.raises(UnsupportedRequestError):
        camera.set_cooler(on=True, target_c=-10.0)


def test_a_set_point_that_the_driver_refuses_is_said_in_degrees(server: FakeAlpaca) -> None:
    camera = camera_of(server)

    with pytest.raises(UnsupportedRequestError, match="cannot be set to −70"):
        camera.set_cooler(on=True, target_c=-70.0)

    assert camera.status().cooler_on is False


# The wheel ------------------------------------------------------------------------------------


def test_slots_without_a_name_or_with_the_same_get_one(server: FakeAlpaca) -> None:
    server.wheel.values["names"] = ["L", "", "L", "Ha"]

    wheel = AlpacaWheel.open(device_of(server, DeviceType.FILTER_WHEEL))

    assert wheel.filters == ("L", "Filter 2", "L (3)", "Ha")


def test_a_wheel_that_does_not_answer_while_it_turns_arrives(server: FakeAlpaca) -> None:
    wheel = AlpacaWheel.open(device_of(server, DeviceType.FILTER_WHEEL))
    wheel.move(0, NOW)
    server.faults["filterwheel", "GET position"] = faults.times(2, faults.html)
    server.faults["filterwheel", "GET position"] = _after_put(server, faults.times(2, faults.html))

    wheel.move(3, NOW)

    assert wheel.position() == 3


def _after_put(server: FakeAlpaca, fault: faults.Fault) -> faults.Fault:
    def only_then(handler: object) -> bool:
        told = server.wheel.was_told("position")
        return bool(told) and fault(handler)  # type: ignore[arg-type]

    return only_then


def test_a_wheel_without_filters_is_refused(server: FakeAlpaca) -> None:
    server.wheel.values["names"] = []

    with pytest.raises(DeviceError, match="no filters"):
        AlpacaWheel.open(device_of(server, DeviceType.FILTER_WHEEL))


# Cover and lamp -------------------------------------------------------------------------------


def _panel(server: FakeAlpaca, panel: FakePanel) -> AlpacaPanel:
    server.devices["covercalibrator", 0] = panel
    return AlpacaPanel.open(device_of(server, DeviceType.COVER_CALIBRATOR))


def test_a_cover_without_a_lamp(server: FakeAlpaca) -> None:
    panel = _panel(server, FakePanel(has_lamp=False))

    panel.move_cover(open_it=True, cancel=NOW)
    panel.set_brightness(0, NOW)

    assert (panel.info.has_cover, panel.info.has_lamp) == (True, False)
    assert (panel.status().cover, panel.status().brightness) == (CoverState.OPEN, 0)
    with pytest.raises(UnsupportedRequestError, match="cannot be set") as problem:
        panel.set_brightness(5, NOW)
    assert "no lamp" in problem.value.hint


def test_a_lamp_without_a_cover(server: FakeAlpaca) -> None:
    panel = _panel(server, FakePanel(has_cover=False))

    panel.set_brightness(9, NOW)

    assert (panel.status().cover, panel.status().brightness) == (CoverState.NONE, 9)
    with pytest.raises(UnsupportedRequestError, match="no cover"):
        panel.move_cover(open_it=True, cancel=NOW)


def test_members_that_are_missing_with_http_500_are_a_missing_half(server: FakeAlpaca) -> None:
    server.faults["covercalibrator", "calibratorstate"] = faults.html
    server.faults["covercalibrator", "maxbrightness"] = faults.html

    panel = AlpacaPanel.open(device_of(server, DeviceType.COVER_CALIBRATOR))

    assert not panel.info.has_lamp
    assert panel.status().brightness == 0


def test_neither_cover_nor_lamp_is_refused(server: FakeAlpaca) -> None:
    with pytest.raises(DeviceError, match="neither"):
        _panel(server, FakePanel(has_cover=False, has_lamp=False))


def test_a_lamp_that_stays_ready_after_it_went_off_is_off(server: FakeAlpaca) -> None:
    fake = FakePanel()
    fake.stays_ready = True
    panel = _panel(server, fake)
    panel.set_brightness(80, NOW)
    begun = time.monotonic()

    panel.set_brightness(0, NOW)

    assert panel.status().brightness == 0
    assert time.monotonic() - begun < 4.0


def test_setting_the_lamp_waits_until_it_has_settled(server: FakeAlpaca) -> None:
    fake = FakePanel()
    fake.settle_s = 0.5
    panel = _panel(server, fake)
    begun = time.monotonic()

    panel.set_brightness(80, NOW)

    assert time.monotonic() - begun >= 0.5


def test_a_cover_that_jams_is_said(server: FakeAlpaca) -> None:
    fake = FakePanel()
    panel = _panel(server, fake)
    fake.jams = True

    with pytest.raises(DeviceError, match="should be open") as problem:
        panel.move_cover(open_it=True, cancel=NOW)

    assert problem.value.hint


def test_a_cover_that_cannot_be_halted_still_lets_the_operator_go(server: FakeAlpaca) -> None:
    fake = FakePanel()
    fake.can_halt, fake.MOVE_S = False, 1.0  # type: ignore[misc]
    panel = _panel(server, fake)
    token = CancelToken()
    threading.Timer(0.1, token.cancel).start()
    begun = time.monotonic()

    with pytest.raises(Cancelled):
        panel.move_cover(open_it=True, cancel=token)

    assert time.monotonic() - begun < 0.9
    assert panel.status().cover is CoverState.MOVING


# The mount ------------------------------------------------------------------------------------


def test_place_and_telescope_come_from_the_mount(server: FakeAlpaca) -> None:
    mount = AlpacaMount.open(device_of(server, DeviceType.TELESCOPE))

    assert mount.facts.site is not None
    assert (mount.facts.site.latitude_deg, mount.facts.site.longitude_deg) == (50.0, 8.5)
    assert mount.facts.optics.focal_length_mm == pytest.approx(530.0)
    assert mount.facts.optics.aperture_mm == pytest.approx(106.0)


def test_a_place_that_was_never_set_and_millimetres_are_seen_through(server: FakeAlpaca) -> None:
    server.mount.values |= {
        "sitelatitude": 0.0, "sitelongitude": 0.0, "focallength": 530.0, "aperturediameter": 0.0,
    }  # fmt: skip

    facts = AlpacaMount.open(device_of(server, DeviceType.TELESCOPE)).facts

    assert facts.site is None
    assert facts.optics.focal_length_mm == pytest.approx(530.0)
    assert facts.optics.aperture_mm is None


def test_a_slew_tracks_afterwards(server: FakeAlpaca) -> None:
    server.mount.values["tracking"] = True
    mount = AlpacaMount.open(device_of(server, DeviceType.TELESCOPE))

    mount.slew(60.0, 200.0, NOW)

    status = mount.status()
    assert (status.altitude_deg, status.azimuth_deg, status.tracking) == (60.0, 200.0, True)


def test_a_mount_that_only_knows_the_stars_is_sent_by_them(server: FakeAlpaca) -> None:
    server.mount.values["canslewaltazasync"] = False
    mount = AlpacaMount.open(device_of(server, DeviceType.TELESCOPE))

    mount.slew(50.0, 180.0, NOW)

    sent = server.mount.was_told("slewtocoordinatesasync")[0]
    # Due south at the altitude of the celestial equator + declination; sidereal time is 3 h.
    assert float(sent["RightAscension"]) == pytest.approx(3.0, abs=1e-4)
    assert float(sent["Declination"]) == pytest.approx(10.0, abs=1e-4)


def test_a_parked_mount_is_never_unparked(server: FakeAlpaca) -> None:
    server.mount.values["atpark"] = True
    mount = AlpacaMount.open(device_of(server, DeviceType.TELESCOPE))

    with pytest.raises(UnsupportedRequestError, match="parked"):
        mount.slew(60.0, 200.0, NOW)

    assert mount.status().parked
    assert [member for member, _ in server.mount.puts] == ["connected"]


def test_a_slew_without_an_end_is_stopped(
    server: FakeAlpaca, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mount_module, "LONGEST_SLEW_S", 0.3)
    server.faults["telescope", "slewing"] = faults.says(True)
    mount = AlpacaMount.open(device_of(server, DeviceType.TELESCOPE))

    with pytest.raises(DeviceError, match="was stopped"):
        mount.slew(60.0, 200.0, NOW)

    assert server.mount.was_told("abortslew")
