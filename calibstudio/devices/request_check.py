"""Whether a camera can do what is asked of it, before anything is sent."""

from __future__ import annotations

from math import isfinite

from calibstudio.domain.equipment import CameraInfo, ExposureRequest
from calibstudio.domain.errors import UnsupportedRequestError
from calibstudio.domain.wording import exposure, number


def check(request: ExposureRequest, info: CameraInfo) -> None:
    """Raise `UnsupportedRequestError` for what the camera says it cannot do."""
    seconds = request.exposure_s
    if not isfinite(seconds) or seconds < 0.0:
        raise UnsupportedRequestError(
            f"{info.name} cannot expose for {seconds} s.",
            hint="Choose an exposure from 0 s on; 0 s gives the shortest.",
        )
    if seconds > info.exposure_max_s:
        raise UnsupportedRequestError(
            f"{info.name} cannot expose for {exposure(seconds)}.",
            hint=f"Its longest exposure is {exposure(info.exposure_max_s)}.",
        )
    _check_dial("gain", request.gain, info.gain_range, info)
    _check_dial("offset", request.offset, info.offset_range, info)
    if request.binning not in info.binnings:
        most = max(info.binnings)
        raise UnsupportedRequestError(
            f"{info.name} cannot bin {request.binning} × {request.binning}.",
            hint=f"It bins up to {most} × {most}.",
        )
    if request.readout_mode is not None and request.readout_mode not in info.readout_modes:
        known = "; ".join(info.readout_modes)
        raise UnsupportedRequestError(
            f"{info.name} has no read-out mode “{request.readout_mode}”.",
            hint=f"Choose one of: {known}." if known else "It has only one.",
        )
    check_region(request, info)


def _check_dial(
    what: str, value: int | None, limits: tuple[int, int] | None, info: CameraInfo
) -> None:
    if value is None:
        return
    if limits is None:
        raise UnsupportedRequestError(
            f"{info.name} has no {what} to set.", hint=f"Leave the {what} to the camera."
        )
    if not limits[0] <= value <= limits[1]:
        raise UnsupportedRequestError(
            f"{info.name} cannot be set to {what} {number(value)}.",
            hint=f"Its {what} goes from {number(limits[0])} to {number(limits[1])}.",
        )


def check_region(request: ExposureRequest, info: CameraInfo) -> None:
    """Refuse a region that does not lie on the sensor, or is smaller than one binned pixel.

    Raises
    ------
    UnsupportedRequestError
        With the size of the sensor.
    """
    region, (ny, nx) = request.region, info.shape
    if region is None:
        return
    fits = (
        region.x >= 0
        and region.y >= 0
        and region.x + region.width <= nx
        and region.y + region.height <= ny
        and region.width >= request.binning
        and region.height >= request.binning
    )
    if not fits:
        raise UnsupportedRequestError(
            f"The region {region.width} × {region.height} at {region.x}, {region.y} does not fit "
            f"on {info.name}.",
            hint=f"Its sensor has {nx} × {ny} pixels.",
        )
