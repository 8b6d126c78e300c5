"""The other served devices seen through alpyca."""

from __future__ import annotations

import pytest
from alpaca.camera import Camera
from alpaca.covercalibrator import CalibratorStatus, CoverCalibrator, CoverStatus
from alpaca.exceptions import (
    InvalidOperationException,
    InvalidValueException,
    NotImplementedException,
    ValueNotSetException,
)
from alpaca.filterwheel import FilterWheel
from alpaca.observingconditions import ObservingConditions
from alpaca.safetymonitor import SafetyMonitor
from alpaca.telescope import Telescope

from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.equipment import ExposureRequest
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.helpers.alpyca_client import Connect, picture, until
from tests.helpers.served import NIGHT, served


def test_the_wheel_turns_and_says_so_meanwhile(connect: Connect) -> None:
    wheel, night = connect(FilterWheel, speed=2.0)

    assert wheel.Names == ["L", "R", "G", "B", "Ha", "OIII", "SII"]
    assert wheel.FocusOffsets == [0] * 7
    assert wheel.Position == 0
    wheel.Position = 2
    assert wheel.Position == -1
    with pytest.raises(InvalidOperationException):
        wheel.Position = 3
    until(lambda: wheel.Position != -1)
    assert wheel.Position == 2
    assert night.wheel.position() == 2
    for slot in (-1, 7):
        with pytest.raises(InvalidValueException):
            wheel.Position = slot


def test_the_cover_opens_closes_and_halts(connect: Connect) -> None:
    panel, _night = connect(CoverCalibrator, speed=4.0)
    assert panel.CoverState is CoverStatus.Closed

    panel.OpenCover()
    assert panel.CoverState is CoverStatus.Moving
    assert panel.CoverMoving
    until(lambda: not panel.CoverMoving)
    assert panel.CoverState is CoverStatus.Open
    panel.CloseCover()
    panel.HaltCover()
    assert not panel.CoverMoving
    panel.CloseCover()
    until(lambda: not panel.CoverMoving)
    assert panel.CoverState is CoverStatus.Closed
    panel.HaltCover()


def test_the_lamp_is_ready_when_it_has_settled(connect: Connect) -> None:
    panel, _night = connect(CoverCalibrator, speed=2.0)
    assert panel.MaxBrightness == 4096
    assert panel.CalibratorState is CalibratorStatus.Off
    assert panel.Brightness == 0

    panel.CalibratorOn(1000)
    assert panel.CalibratorState is CalibratorStatus.NotReady
    until(lambda: not panel.CalibratorChanging)

    assert panel.CalibratorState is CalibratorStatus.Ready
    assert panel.Brightness == 1000
    panel.CalibratorOn(0)
    until(lambda: not panel.CalibratorChanging)
    assert panel.CalibratorState is CalibratorStatus.Ready
    panel.CalibratorOff()
    until(lambda: panel.CalibratorState is CalibratorStatus.Off)
    for brightness in (-1, 4097):
        with pytest.raises(InvalidValueException):
            panel.CalibratorOn(brightness)


def test_the_telescope_points_slews_and_tracks(connect: Connect) -> None:
    scope, _night = connect(Telescope, speed=40.0)
    assert scope.SiteLatitude == 48.1
    assert scope.SiteLongitude == 11.6
    assert scope.FocalLength == pytest.approx(0.15)
    assert scope.ApertureDiameter == pytest.approx(0.03)
    assert scope.CanSetTracking
    assert scope.Tracking

    scope.SlewToAltAzAsync(100.0, 70.0)
    until(lambda: not scope.Slewing)

    assert scope.Altitude == pytest.approx(70.0, abs=0.3)
    assert scope.Azimuth == pytest.approx(100.0, abs=1.0)
    ra, dec = scope.RightAscension, scope.Declination
    scope.SlewToCoordinatesAsync((ra + 0.5) % 24.0, dec - 2.0)
    until(lambda: not scope.Slewing)
    assert scope.RightAscension == pytest.approx((ra + 0.5) % 24.0, abs=0.01)
    assert scope.Declination == pytest.approx(dec - 2.0, abs=0.01)
    scope.Tracking = False
    assert not scope.Tracking
    with pytest.raises(InvalidOperationException):
        scope.SlewToCoordinatesAsync(ra, dec)
    scope.SlewToAltAzAsync(100.0, 70.0)
    until(lambda: not scope.Slewing)
    assert not scope.Tracking
    with pytest.raises(InvalidValueException):
        scope.SlewToAltAzAsync(400.0, 70.0)
    with pytest.raises(NotImplementedException):
        scope.Park()
    assert scope.UTCDate.year == 2026


def test_a_telescope_without_a_target_says_so(connect: Connect) -> None:
    scope, _ = connect(Telescope)

    with pytest.raises(ValueNotSetException):
        _ = scope.TargetRightAscension
    scope.TargetRightAscension = 3.0
    assert scope.TargetRightAscension == 3.0
    with pytest.raises(InvalidValueException):
        scope.TargetDeclination = 91.0


def test_weather_and_safety_are_there(connect: Connect) -> None:
    weather, _ = connect(ObservingConditions)
    safety, _ = connect(SafetyMonitor)

    assert -5.0 < weather.Temperature < 25.0
    assert 20.0 < weather.SkyQuality < 22.0
    with pytest.raises(NotImplementedException):
        _ = weather.Humidity
    assert weather.AveragePeriod == 0.0
    assert safety.IsSafe
    safety.Connected = False
    assert not safety.IsSafe


def test_a_flat_through_a_filter_has_the_same_pixels_as_in_process() -> None:
    here = simulated_observatory("tiny", seed=7, speed=float("inf"), start=NIGHT)
    assert here.wheel is not None and here.panel is not None
    here.wheel.move(2, CancelToken())
    here.panel.set_brightness(900, CancelToken())
    expected = [
        here.camera.expose(ExposureRequest(FrameKind.LIGHT, 1.5), CancelToken()).data
        for _ in range(2)
    ]
    here.close()

    with served("tiny", seed=7) as (server, _):
        address = f"127.0.0.1:{server.port}"
        camera, wheel, panel = (kind(address, 0) for kind in (Camera, FilterWheel, CoverCalibrator))
        for device in (camera, wheel, panel):
            device.Connected = True
        wheel.Position = 2
        until(lambda: wheel.Position == 2)
        panel.CalibratorOn(900)
        until(lambda: not panel.CalibratorChanging)
        got = [picture(camera, 1.5, light=True) for _ in range(2)]
        for device in (camera, wheel, panel):
            device.rqs.close()

    for mine, theirs in zip(got, expected, strict=True):
        assert theirs.mean() > 3000.0
        assert (mine == theirs).all()
