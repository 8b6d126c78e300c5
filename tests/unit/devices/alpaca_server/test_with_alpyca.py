"""The served camera seen through alpyca, a client that was not written here."""

from __future__ import annotations

import pytest
from alpaca import discovery, management
from alpaca.camera import Camera, CameraStates, ImageArrayElementTypes, SensorType
from alpaca.exceptions import (
    ActionNotImplementedException,
    InvalidOperationException,
    InvalidValueException,
    NotConnectedException,
    NotImplementedException,
)

from calibstudio.devices.alpaca_server.discovery import DiscoveryResponder
from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.equipment import ExposureRequest, Region
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.helpers.alpyca_client import Connect, picture, until
from tests.helpers.served import NIGHT, served


def test_the_server_says_what_it_has() -> None:
    with served("tiny") as (server, _):
        address = f"127.0.0.1:{server.port}"
        devices = management.configureddevices(address)

        assert management.apiversions(address) == [1]
        assert management.description(address)["ServerName"] == "Simulated observatory"
        assert [d["DeviceType"] for d in devices] == [
            "Camera",
            "FilterWheel",
            "CoverCalibrator",
            "Telescope",
            "ObservingConditions",
            "SafetyMonitor",
        ]
        assert all(d["DeviceNumber"] == 0 for d in devices)
        assert len({d["UniqueID"] for d in devices}) == len(devices)


def test_a_device_has_the_same_unique_number_every_time() -> None:
    def numbers(seed: int) -> list[str]:
        with served("tiny", seed=seed) as (server, _):
            return [unique_id for _, _, _, unique_id in server.devices]

    assert numbers(1) == numbers(1)
    assert numbers(1) != numbers(2)


def test_discovery_finds_it_on_the_loopback_address(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    responder = DiscoveryResponder("127.0.0.1", 12_345, port=port)
    responder.start()
    try:
        assert responder.is_listening
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5.0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            for where in ("127.0.0.1", "127.255.255.255"):
                client.sendto(b"alpacadiscovery1", (where, port))
                assert client.recv(1024) == b'{"AlpacaPort": 12345}'
            client.sendto(b"somethingelse", ("127.0.0.1", port))
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(1024)
        monkeypatch.setattr(discovery, "port", port)
        monkeypatch.setattr(discovery.ifaddr, "get_adapters", lambda: [_Loopback])
        assert discovery.search_ipv4(numquery=1, timeout=0.2) == ["127.0.0.1:12345"]
    finally:
        responder.close()


class _Loopback:
    """The adapter of this machine alone: the search of the others takes its client 20 s."""

    class _Ip:
        ip, network_prefix, is_IPv4 = "127.0.0.1", 8, True

    ips = (_Ip,)


def test_a_camera_tells_its_facts(connect: Connect) -> None:
    camera, night = connect(Camera)
    truth = night.camera.truth

    assert camera.Name == "Simulated 0.3 MP mono"
    assert camera.InterfaceVersion == 4
    assert (camera.CameraXSize, camera.CameraYSize) == (640, 480)
    assert (camera.NumX, camera.NumY, camera.StartX, camera.StartY) == (640, 480, 0, 0)
    assert camera.PixelSizeX == camera.PixelSizeY == 3.76
    assert camera.MaxADU == 65_535
    assert camera.SensorType is SensorType.Monochrome
    assert (camera.GainMin, camera.GainMax, camera.Gain) == (0, 300, 100)
    assert (camera.OffsetMin, camera.OffsetMax, camera.Offset) == (0, 255, 50)
    assert camera.ReadoutModes == list(night.camera.info.readout_modes)
    assert camera.MaxBinX == camera.MaxBinY == 4
    assert camera.ElectronsPerADU == pytest.approx(truth.e_per_adu(100))
    camera.Gain = 0
    assert camera.ElectronsPerADU == pytest.approx(truth.e_per_adu(0))
    assert camera.FullWellCapacity == truth.full_well_e(0)
    assert camera.ExposureMin == 0.001
    assert camera.ExposureMax == 3600.0
    assert not camera.HasShutter
    assert camera.CanAbortExposure
    assert not camera.CanStopExposure
    for absent in ("Gains", "Offsets", "BayerOffsetX", "FastReadout", "SubExposureDuration"):
        with pytest.raises(NotImplementedException):
            getattr(camera, absent)
    with pytest.raises(NotImplementedException):
        camera.StopExposure()


def test_a_colour_camera_tells_its_matrix(connect: Connect) -> None:
    camera, _ = connect(Camera, "bayer24")

    assert camera.SensorType is SensorType.RGGB
    assert (camera.BayerOffsetX, camera.BayerOffsetY) == (0, 0)


def test_the_same_seed_gives_the_same_pixels_as_in_process(connect: Connect) -> None:
    camera, _ = connect(Camera, seed=7)
    here = simulated_observatory("tiny", seed=7, speed=float("inf"), start=NIGHT)

    over_http = [picture(camera, 0.0), picture(camera, 20.0)]
    camera.Gain, camera.Offset, camera.ReadoutMode = 200, 20, 1
    camera.BinX = 2
    camera.StartX, camera.StartY, camera.NumX, camera.NumY = 10, 20, 100, 50
    over_http.append(picture(camera, 0.5, light=True))

    requests = [
        ExposureRequest(FrameKind.BIAS, 0.0),
        ExposureRequest(FrameKind.DARK, 20.0),
        ExposureRequest(
            FrameKind.LIGHT,
            0.5,
            gain=200,
            offset=20,
            binning=2,
            region=Region(20, 40, 200, 100),
            readout_mode="Fast, 14 bit",
        ),
    ]
    for got, request in zip(over_http, requests, strict=True):
        expected = here.camera.expose(request, CancelToken()).data
        assert got.shape == expected.shape
        assert (got == expected).all()
    here.close()


def test_pictures_come_as_image_bytes_of_16_bits(connect: Connect) -> None:
    camera, _night = connect(Camera)

    picture(camera, 0.0)

    info = camera.ImageArrayInfo
    assert (info.Dimension1, info.Dimension2, info.Rank) == (640, 480, 2)
    assert info.ImageElementType == ImageArrayElementTypes.Int32
    assert info.TransmissionElementType == ImageArrayElementTypes.UInt16
    assert camera.LastExposureDuration == 0.001
    assert camera.LastExposureStartTime.startswith("2026-04-17T22:00:0")


def test_an_exposure_goes_through_its_states(connect: Connect) -> None:
    camera, night = connect(Camera, speed=1.0)
    picture(camera, 0.0)
    night.faults.make("slow-readout", (0.6,))
    seen, percent = [], []

    camera.StartExposure(1.0, False)
    with pytest.raises(InvalidOperationException):
        camera.StartExposure(1.0, False)
    while not camera.ImageReady:
        done = _percent(camera)
        state = camera.CameraState
        if not seen or seen[-1] is not state:
            seen.append(state)
        if state is CameraStates.cameraExposing:
            percent.append(done)

    numbers = [p for p in percent if p is not None]
    assert seen[:2] == [CameraStates.cameraExposing, CameraStates.cameraReading]
    assert set(seen[2:]) <= {CameraStates.cameraDownload, CameraStates.cameraIdle}
    assert numbers == sorted(numbers)
    assert numbers[0] < 50 < numbers[-1] <= 100
    assert camera.CameraState is CameraStates.cameraIdle
    with pytest.raises(InvalidOperationException):
        _ = camera.PercentCompleted


def _percent(camera: Camera) -> int | None:
    try:
        return int(camera.PercentCompleted)
    except InvalidOperationException:
        return None


def test_an_exposure_can_be_aborted(connect: Connect) -> None:
    camera, _ = connect(Camera, speed=1.0)
    picture(camera, 0.0)
    camera.StartExposure(600.0, False)

    camera.AbortExposure()

    assert camera.CameraState is CameraStates.cameraIdle
    assert not camera.ImageReady
    assert picture(camera, 0.0).shape == (480, 640)
    camera.AbortExposure()


@pytest.mark.parametrize(
    ("settings", "exposure_s"),
    [
        ({"StartX": -1}, 1.0),
        ({"NumX": 641}, 1.0),
        ({"NumY": 0}, 1.0),
        ({"StartY": 400, "NumY": 100}, 1.0),
        ({"BinX": 2}, 1.0),
        ({}, -1.0),
        ({}, 4000.0),
    ],
)
def test_an_impossible_exposure_is_refused(
    connect: Connect, settings: dict[str, int], exposure_s: float
) -> None:
    camera, _ = connect(Camera)
    for name, value in settings.items():
        setattr(camera, name, value)

    with pytest.raises(InvalidValueException):
        camera.StartExposure(exposure_s, False)

    assert camera.CameraState is CameraStates.cameraIdle


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Gain", -1),
        ("Gain", 301),
        ("Offset", 256),
        ("BinX", 0),
        ("BinY", 5),
        ("ReadoutMode", 9),
        ("SetCCDTemperature", -60.0),
        ("SetCCDTemperature", -300.0),
    ],
)
def test_a_setting_out_of_range_is_refused_and_changes_nothing(
    connect: Connect, member: str, value: float
) -> None:
    camera, _ = connect(Camera)
    before = getattr(camera, member)

    with pytest.raises(InvalidValueException):
        setattr(camera, member, value)

    assert getattr(camera, member) == before


def test_without_a_picture_there_is_nothing_to_fetch(connect: Connect) -> None:
    camera, _ = connect(Camera)

    for member in ("ImageArray", "ImageArrayRaw"):
        # alpyca cannot read an error that comes as ImageBytes (its issue), but it does raise.
        with pytest.raises((InvalidOperationException, AttributeError)):
            getattr(camera, member)
    for member in ("LastExposureDuration", "LastExposureStartTime"):
        with pytest.raises(InvalidOperationException):
            getattr(camera, member)
    assert not camera.ImageReady


def test_the_cooler_is_set_and_reaches_its_temperature(connect: Connect) -> None:
    camera, night = connect(Camera)
    assert camera.CanSetCCDTemperature
    assert camera.CanGetCoolerPower
    assert not camera.CoolerOn

    camera.SetCCDTemperature = -10.0
    assert not camera.CoolerOn
    camera.CoolerOn = True
    night.clock.sleep(1200.0, CancelToken())

    assert camera.SetCCDTemperature == -10.0
    assert camera.CoolerOn
    assert camera.CCDTemperature == pytest.approx(-10.0, abs=0.1)
    assert 40.0 < camera.CoolerPower < 100.0
    camera.CoolerOn = False
    assert camera.CoolerPower == 0.0


def test_a_device_that_is_not_connected_says_so(connect: Connect) -> None:
    camera, _ = connect(Camera)
    camera.Connected = False

    assert not camera.Connected
    assert camera.Name
    assert camera.InterfaceVersion == 4
    for member in ("CameraState", "Gain", "CCDTemperature"):
        with pytest.raises(NotConnectedException):
            getattr(camera, member)
    with pytest.raises(NotConnectedException):
        camera.StartExposure(1.0, False)
    camera.Connect()
    until(lambda: not camera.Connecting)
    assert camera.Connected


def test_an_action_that_nobody_knows_is_refused(connect: Connect) -> None:
    camera, _ = connect(Camera)

    with pytest.raises(ActionNotImplementedException):
        camera.Action("Dance")
    with pytest.raises(NotImplementedException):
        camera.CommandString("X", False)


def test_all_that_moves_can_be_asked_in_one_go(connect: Connect) -> None:
    camera, _ = connect(Camera)

    state = {entry["Name"]: entry["Value"] for entry in camera.DeviceState}

    assert state["CameraState"] == 0
    assert state["ImageReady"] is False
    assert state["TimeStamp"].startswith("2026-04-17T22:00")
    assert "PercentCompleted" not in state
