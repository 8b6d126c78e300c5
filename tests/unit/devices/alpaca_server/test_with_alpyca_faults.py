"""Truth and faults of the served observatory seen through alpyca."""

from __future__ import annotations

import json

import numpy as np
import pytest
from alpaca.camera import Camera, CameraStates
from alpaca.covercalibrator import CoverCalibrator, CoverStatus
from alpaca.exceptions import (
    DriverException,
    InvalidValueException,
    NotConnectedException,
)
from alpaca.filterwheel import FilterWheel

from calibstudio.domain.jobs import CancelToken
from tests.helpers.alpyca_client import Connect, picture, until


def test_the_truth_can_be_asked_for_over_the_network(connect: Connect) -> None:
    camera, night = connect(Camera, seed=9)

    document = json.loads(camera.Action("Truth"))

    assert document["seed"] == 9
    assert document["camera"]["prnu"] == night.camera.truth.prnu
    assert set(camera.SupportedActions) >= {"Truth", "Faults", "MakeFault", "MendFault"}


def test_faults_can_be_made_and_mended_over_the_network(connect: Connect) -> None:
    camera, night = connect(Camera)

    made = json.loads(camera.Action("MakeFault", "light-leak:7"))

    assert made["active"] == {"light-leak": [7.0]}
    assert night.world.faults.light_leak_e_per_s == 7.0
    assert "wrong-shape" in made["known"]
    with pytest.raises(InvalidValueException, match="melted"):
        camera.Action("MakeFault", "melted")
    assert json.loads(camera.Action("MendFault", ""))["active"] == {}


def test_a_camera_lost_in_an_exposure_is_not_connected_until_it_is_back(connect: Connect) -> None:
    camera, night = connect(Camera)
    night.faults.make("disconnect", (2, 20))
    picture(camera, 0.0)

    camera.StartExposure(10.0, False)
    until(lambda: not camera.Connected)

    with pytest.raises(NotConnectedException, match="not connected"):
        _ = camera.CameraState
    with pytest.raises(NotConnectedException, match="does not answer"):
        camera.Connected = True
    night.clock.sleep(21.0, CancelToken())
    camera.Connected = True
    assert camera.CameraState is CameraStates.cameraIdle
    assert picture(camera, 0.0).shape == (480, 640)


def test_faults_of_the_camera_reach_its_clients(connect: Connect) -> None:
    camera, night = connect(Camera, "tiny", speed=20.0)
    night.faults.make("wrong-shape")
    night.faults.make("slow-readout", (10.0,))
    seen = set()

    camera.StartExposure(0.0, False)
    while not camera.ImageReady:
        seen.add(camera.CameraState)

    assert CameraStates.cameraReading in seen
    assert np.asarray(camera.ImageArray).T.shape == (479, 640)


def test_a_dead_wheel_is_said_by_its_position(connect: Connect) -> None:
    wheel, night = connect(FilterWheel)
    night.faults.make("dead-wheel")

    wheel.Position = 3

    with pytest.raises(DriverException, match="did not reach B"):
        until(lambda: wheel.Position == 3)
    night.faults.mend_all()
    wheel.Position = 3
    until(lambda: wheel.Position == 3)


def test_a_stuck_cover_is_in_error(connect: Connect) -> None:
    panel, night = connect(CoverCalibrator)
    night.faults.make("stuck-cover")

    panel.OpenCover()
    until(lambda: not panel.CoverMoving)

    assert panel.CoverState is CoverStatus.Error
    night.faults.mend_all()
    panel.OpenCover()
    until(lambda: panel.CoverState is CoverStatus.Open)
