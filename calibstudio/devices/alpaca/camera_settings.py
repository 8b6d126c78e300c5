"""Settings of an Alpaca camera: set before every frame, in order, and read back."""

from __future__ import annotations

from dataclasses import dataclass

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.camera_facts import CameraFacts, Dial
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.failures import DriverError
from calibstudio.domain.equipment import CameraInfo, ExposureRequest, Region
from calibstudio.domain.errors import DeviceError, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import number


@dataclass(frozen=True, slots=True)
class Settings:
    """What the camera says is set; None where it has no such setting."""

    gain: int | None
    offset: int | None
    readout_mode: str | None
    binning: int
    shape: tuple[int, int]
    """(ny, nx) of the picture that will come."""


def apply(
    device: AlpacaDevice, facts: CameraFacts, request: ExposureRequest, cancel: CancelToken
) -> Settings:
    """Set read-out mode, gain, offset, binning and region, in this order, and read them back.

    Drivers change one when another is set, so each is read at the end, not when it was set.

    Raises
    ------
    UnsupportedRequestError
        The driver refused a value, or took another binning or region than was asked for.
    DeviceError, Cancelled
    """
    info = facts.info
    mode = _set_mode(device, facts, request, cancel)
    gain = request.gain if request.gain is not None else info.gain_default
    offset = request.offset if request.offset is not None else info.offset_default
    _set_dial(device, "Gain", gain, facts.gain, cancel)
    _set_dial(device, "Offset", offset, facts.offset, cancel)
    for member in ("BinX", "BinY"):
        _set(device, member, request.binning, f"Choose another binning for {device.name}.", cancel)
    wanted = _set_region(device, request, info, cancel)
    got = [device.read(m, values.whole, cancel) for m in ("binx", "biny", "numx", "numy")]
    start = [device.read(m, values.whole, cancel) for m in ("startx", "starty")]
    if got != [request.binning] * 2 + [wanted.width, wanted.height]:
        raise UnsupportedRequestError(
            f"{device.name} was set to {wanted.width} × {wanted.height} pixels binned "
            f"{request.binning} × {request.binning}, and says {got[2]} × {got[3]} binned "
            f"{got[0]} × {got[1]}.",
            hint="Choose the full frame, or sizes that are multiples of 8.",
        )
    if start != [wanted.x, wanted.y]:
        raise UnsupportedRequestError(
            f"{device.name} was told to begin at {wanted.x}, {wanted.y} and says {start[0]}, "
            f"{start[1]}.",
            hint="Choose the full frame, or a corner at multiples of 8.",
        )
    return Settings(
        gain=_read_dial(device, "gain", facts.gain, cancel),
        offset=_read_dial(device, "offset", facts.offset, cancel),
        readout_mode=_read_mode(device, facts, mode, cancel),
        binning=got[0],
        shape=(got[3], got[2]),
    )


def _set(device: AlpacaDevice, member: str, value: int, hint: str, cancel: CancelToken) -> None:
    try:
        device.write(member.lower(), {member: value}, cancel)
    except DriverError as error:
        raise UnsupportedRequestError(
            f"{device.name} does not take {member} {number(value)}: {error}", hint=hint
        ) from error


def _set_dial(
    device: AlpacaDevice, member: str, value: int | None, dial: Dial | None, cancel: CancelToken
) -> None:
    if value is not None and dial is not None:
        low, high = dial.limits
        hint = f"It says that it takes {number(low)} to {number(high)}."
        _set(device, member, value, hint, cancel)


def _read_dial(
    device: AlpacaDevice, member: str, dial: Dial | None, cancel: CancelToken
) -> int | None:
    return None if dial is None else device.read(member, values.whole, cancel)


def _set_mode(
    device: AlpacaDevice, facts: CameraFacts, request: ExposureRequest, cancel: CancelToken
) -> str | None:
    """Set the read-out mode; None means the first, which is the camera's own."""
    if not facts.modes:
        return None
    mode = request.readout_mode if request.readout_mode is not None else facts.modes[0]
    if len(facts.modes) > 1:
        hint = "Choose another read-out mode."
        _set(device, "ReadoutMode", facts.modes.index(mode), hint, cancel)
    return mode


def _read_mode(
    device: AlpacaDevice, facts: CameraFacts, wanted: str | None, cancel: CancelToken
) -> str | None:
    """Read the mode back: its place, or its name from servers that answer with that."""
    if len(facts.modes) < 2:
        return wanted
    found = device.read("readoutmode", _Place.of, cancel)
    if found.name is not None:
        return found.name
    if not 0 <= found.number < len(facts.modes):
        raise DeviceError(
            f"{device.name} says that read-out mode {found.number} is set; it has "
            f"{len(facts.modes)}.",
            hint="Restart its driver.",
        )
    return facts.modes[found.number]


@dataclass(frozen=True, slots=True)
class _Place:
    """A read-out mode as a server answers it: by number, or by name."""

    number: int
    name: str | None = None

    @classmethod
    def of(cls, value: object) -> _Place | None:
        number_, name = values.whole(value), values.text(value)
        if number_ is not None:
            return cls(number_)
        return cls(-1, name) if name else None


def _set_region(
    device: AlpacaDevice, request: ExposureRequest, info: CameraInfo, cancel: CancelToken
) -> Region:
    """Set the region, in binned pixels, and return it."""
    ny, nx = info.shape
    region, binning = request.region or Region(0, 0, nx, ny), request.binning
    wanted = Region(
        *(side // binning for side in (region.x, region.y, region.width, region.height))
    )
    settings = (
        ("StartX", wanted.x), ("StartY", wanted.y), ("NumX", wanted.width), ("NumY", wanted.height),
    )  # fmt: skip
    # From the corner on, so that drivers that check each value find that it fits.
    corner = (("StartX", 0), ("StartY", 0), *settings[2:], *settings[:2])
    for member, value in corner if (wanted.x, wanted.y) != (0, 0) else settings:
        hint = f"Its sensor has {nx} × {ny} pixels."
        _set(device, member, value, hint, cancel)
    return wanted
