"""Looking through the camera: one frame, or one after the other. Nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from calibstudio.domain.equipment import Camera, ExposureRequest, Frame
from calibstudio.domain.errors import DeviceBusyError, ExposureFailedError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import count, exposure
from calibstudio.services.latest import Latest

RETRIES = 2
"""A failed exposure is repeated so often before the loop ends with its error."""
RETRY_AFTER_S = 0.5


def take_one(
    ctx: JobContext, camera: Camera, request: ExposureRequest, preview: Latest[Frame] | None = None
) -> Frame:
    """Expose once and show the frame. Runs in the camera's thread.

    Raises
    ------
    Cancelled, DeviceError
        From the camera, which is idle again.
    """
    ctx.progress(0.0, f"Exposing {exposure(request.exposure_s)}")
    frame = camera.expose(request, ctx.token)
    if preview is not None:
        preview.put(frame)
    ctx.progress(1.0, "Frame shown")
    return frame


def live(
    ctx: JobContext,
    camera: Camera,
    request_source: Callable[[], ExposureRequest],
    preview: Latest[Frame],
    *,
    on_frame: Callable[[Frame], None] | None = None,
) -> NoReturn:
    """Expose again and again until cancelled, asking for the newest settings each time.

    Runs in the camera's thread. ``request_source`` is called before each exposure, so a changed
    exposure, gain or region takes effect with the next frame; it must be safe to call here.

    Raises
    ------
    Cancelled
        When the loop is stopped. The camera is idle.
    UnsupportedRequestError, DeviceUnreachableError
        At once. `ExposureFailedError` and `DeviceBusyError` only after `RETRIES` more attempts.
    """
    shown, failures = 0, 0
    while True:
        request = request_source()
        ctx.progress(0.0, f"Loop, {count(shown, 'frame')}, exposing {exposure(request.exposure_s)}")
        try:
            frame = camera.expose(request, ctx.token)
        except (DeviceBusyError, ExposureFailedError):
            failures += 1
            if failures > RETRIES:
                raise
            ctx.token.wait(RETRY_AFTER_S)
            continue
        failures = 0
        shown += 1
        preview.put(frame)
        if on_frame is not None:
            on_frame(frame)
