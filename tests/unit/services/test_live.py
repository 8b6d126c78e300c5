"""Looking through the camera, and the mailbox between it and the screen."""

from __future__ import annotations

import pytest

from calibstudio.domain.equipment import ExposureRequest, Frame
from calibstudio.domain.errors import Cancelled, DeviceUnreachableError, ExposureFailedError
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.services.latest import Latest
from calibstudio.services.live import live, take_one
from tests.helpers.bench import bench_camera, bench_observatory

LIGHT = ExposureRequest(FrameKind.LIGHT, 1.0)


def test_a_newer_frame_takes_the_place_of_one_that_nobody_took() -> None:
    box: Latest[str] = Latest()

    box.put("old")
    box.put("new")

    assert box.take() == "new" and box.take() is None
    assert box.replaced == 1


def test_one_frame_is_returned_and_shown() -> None:
    camera = bench_camera(bench_observatory())
    box: Latest[Frame] = Latest()

    frame = take_one(JobContext(), camera, LIGHT, box)

    assert box.take() is frame


def test_the_loop_takes_the_newest_settings_for_each_frame() -> None:
    camera = bench_camera(bench_observatory())
    token, wanted = CancelToken(), [1.0, 2.0, 4.0]

    def newest() -> ExposureRequest:
        if not wanted:
            token.cancel()
            return LIGHT
        return ExposureRequest(FrameKind.LIGHT, wanted.pop(0))

    with pytest.raises(Cancelled):
        live(JobContext(token), camera, newest, Latest())

    assert [r.exposure_s for r in camera.requests] == [1.0, 2.0, 4.0]


def test_one_failed_exposure_does_not_end_the_loop_but_a_lost_camera_does() -> None:
    camera = bench_camera(bench_observatory())
    shown: list[Frame] = []

    def misbehave(number: int) -> None:
        if number == 2:
            raise ExposureFailedError("No picture came.")
        if number == 4:
            raise DeviceUnreachableError("Bench camera does not answer.")

    camera.before = misbehave

    with pytest.raises(DeviceUnreachableError):
        live(JobContext(), camera, lambda: LIGHT, Latest(), on_frame=shown.append)

    assert len(shown) == 2


def test_a_camera_that_always_fails_ends_the_loop_with_its_error() -> None:
    camera = bench_camera(bench_observatory())

    def fail(number: int) -> None:
        raise ExposureFailedError("No picture came.")

    camera.before = fail

    with pytest.raises(ExposureFailedError):
        live(JobContext(), camera, lambda: LIGHT, Latest())
    assert len(camera.requests) == 3
