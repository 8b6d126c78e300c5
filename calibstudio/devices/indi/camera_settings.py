"""Settings of an INDI camera: set before every frame, in order, and read back."""

from __future__ import annotations

from dataclasses import dataclass

from calibstudio.devices.indi.camera_facts import CameraFacts, Dial, read_dial
from calibstudio.devices.indi.device import IndiDevice, RefusedError
from calibstudio.domain.equipment import ExposureRequest, Region
from calibstudio.domain.errors import DeviceError, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.wording import number

_TRANSPORT = (
    ("UPLOAD_MODE", "UPLOAD_CLIENT"),
    ("CCD_TRANSFER_FORMAT", "FORMAT_FITS"),
    ("CCD_COMPRESSION", "INDI_DISABLED"),
    ("CCD_FAST_TOGGLE", "INDI_DISABLED"),
    ("CCD_VIDEO_STREAM", "STREAM_OFF"),
)
"""How pictures come: to us, as FITS, one at a time."""
_TYPES = {
    FrameKind.BIAS: "FRAME_BIAS",
    FrameKind.DARK: "FRAME_DARK",
    FrameKind.DARK_FLAT: "FRAME_DARK",
    FrameKind.FLAT: "FRAME_FLAT",
    FrameKind.LIGHT: "FRAME_LIGHT",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the camera says is set; None where it has no such setting."""

    gain: int | None
    offset: int | None
    shape: tuple[int, int]
    """(ny, nx) of the picture that will come."""


def apply(
    device: IndiDevice, facts: CameraFacts, request: ExposureRequest, cancel: CancelToken
) -> Settings:
    """Set format, gain, offset, binning, region and kind, in this order, and read them back.

    Drivers change one when another is set, so gain and offset are read at the end.

    Raises
    ------
    UnsupportedRequestError
        The driver refused a value, or took another one than was asked for.
    DeviceError, Cancelled
    """
    info = facts.info
    for name, member in _TRANSPORT:
        _choose_once(device, name, member, cancel)
    if facts.format is not None:
        _choose_once(device, "CCD_CAPTURE_FORMAT", facts.format, cancel)
    gain = request.gain if request.gain is not None else info.gain_default
    offset = request.offset if request.offset is not None else info.offset_default
    _set_dial(device, "gain", gain, facts.gain, cancel)
    _set_dial(device, "offset", offset, facts.offset, cancel)
    _set_binning(device, request.binning, cancel)
    region = _set_region(device, facts, request, cancel)
    _set_type(device, facts, request, cancel)
    settings = Settings(
        gain=read_dial(device, facts.gain),
        offset=read_dial(device, facts.offset),
        shape=(region.height // request.binning, region.width // request.binning),
    )
    for what, wanted, got in (("gain", gain, settings.gain), ("offset", offset, settings.offset)):
        if wanted != got:
            raise UnsupportedRequestError(
                f"{device.name} was set to {what} {number(wanted or 0)} and says "
                f"{number(got or 0)} after its other settings.",
                hint="Look whether another program changes its settings.",
            )
    return settings


def _choose_once(device: IndiDevice, name: str, member: str, cancel: CancelToken) -> None:
    """Choose a switch that is not chosen yet, where the driver has it."""
    found = device.find(name)
    if found is None or member not in found.members or found.is_on(member):
        return
    label = found.members[member].label or member
    try:
        device.choose(name, member, cancel)
    except RefusedError as error:
        raise DeviceError(
            f"{device.name} does not take “{label}” for its {name}.",
            hint="Set it in the driver, then retry.",
        ) from error


def _set_dial(
    device: IndiDevice, what: str, value: int | None, dial: Dial | None, cancel: CancelToken
) -> None:
    if value is None or dial is None:
        return
    try:
        device.set_numbers(dial.property, {dial.member: value}, cancel)
    except RefusedError as error:
        now = read_dial(device, dial)
        left = "" if now is None else f", and stays at {number(now)}"
        low, high = dial.limits
        raise UnsupportedRequestError(
            f"{device.name} does not take {what} {number(value)}{left}.",
            hint=f"It says that it takes {number(low)} to {number(high)}.",
        ) from error


def _set_binning(device: IndiDevice, binning: int, cancel: CancelToken) -> None:
    if device.find("CCD_BINNING") is None:
        return
    try:
        device.set_numbers("CCD_BINNING", {"HOR_BIN": binning, "VER_BIN": binning}, cancel)
    except RefusedError as error:
        raise UnsupportedRequestError(
            f"{device.name} does not bin {binning} × {binning}.",
            hint=f"Choose another binning for {device.name}.",
        ) from error


def _set_region(
    device: IndiDevice, facts: CameraFacts, request: ExposureRequest, cancel: CancelToken
) -> Region:
    """Set the region, which INDI counts in unbinned pixels, and return it."""
    (ny, nx), b = facts.info.shape, request.binning
    region = request.region or Region(0, 0, nx, ny)
    wanted = Region(*(side // b * b for side in (region.x, region.y, region.width, region.height)))
    if device.find("CCD_FRAME") is None:
        if request.region is not None:
            raise UnsupportedRequestError(
                f"{device.name} takes the full frame only.", hint="Choose the full frame."
            )
        return wanted
    numbers = {"X": wanted.x, "Y": wanted.y, "WIDTH": wanted.width, "HEIGHT": wanted.height}
    try:
        device.set_numbers("CCD_FRAME", numbers, cancel)
    except RefusedError as error:
        found = device.need("CCD_FRAME")
        x, y, width, height = (found.number(member) or 0.0 for member in numbers)
        raise UnsupportedRequestError(
            f"{device.name} was set to {wanted.width} × {wanted.height} pixels at {wanted.x}, "
            f"{wanted.y}, and says {width:.0f} × {height:.0f} at {x:.0f}, {y:.0f}.",
            hint="Choose the full frame, or sizes that are multiples of 8.",
        ) from error
    return wanted


def _set_type(
    device: IndiDevice, facts: CameraFacts, request: ExposureRequest, cancel: CancelToken
) -> None:
    """Say what kind of frame it is: shutter and header follow it.

    Drivers take a bias with their shortest exposure whatever is asked for; a longer one is
    therefore taken as a dark, which is exposed in the same way.
    """
    kind = _TYPES[request.kind]
    if kind == "FRAME_BIAS" and request.exposure_s > facts.info.exposure_min_s:
        kind = "FRAME_DARK"
    try:
        device.choose("CCD_FRAME_TYPE", kind, cancel)
    except RefusedError as error:
        raise UnsupportedRequestError(
            f"{device.name} does not take frames of the kind {request.kind}.",
            hint="Look at its driver’s frame types.",
        ) from error
