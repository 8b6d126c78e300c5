"""What an Alpaca camera can do: asked once, type-checked, doubted."""

from __future__ import annotations

from dataclasses import dataclass

from alpaca.camera import SensorType

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.domain.equipment import CameraInfo, Conversion
from calibstudio.domain.errors import DeviceError

MAX_SIDE = 200_000
MAX_BINNING = 16
HIGHEST_ADU = 65_535
"""Raw frames are kept with 16 bits; a picture with more is refused when it comes."""
LONGEST_S = 86_400.0
SPEED_ACTION = "ClockSpeed"
"""Of our own simulated observatory when it is served."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Gain or offset: a range of numbers, or names that are chosen by their place.

    ``limits`` are the numbers that may be set; for names 0 to one less than there are.
    """

    limits: tuple[int, int]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """`CameraInfo`, and what only the driver's side needs."""

    info: CameraInfo
    gain: Dial | None
    offset: Dial | None
    modes: tuple[str, ...]
    can_abort: bool
    can_stop: bool
    has_sensor: bool
    """Whether it says its temperature."""
    has_power: bool
    resolution_s: float
    """Steps of the exposure; 0: not known."""
    clock_speed: float = 1.0
    """Camera seconds in one of ours; not 1 for a served simulator whose clock runs fast."""


def read_facts(device: AlpacaDevice) -> CameraFacts:
    """Ask a connected camera for everything.

    Raises
    ------
    DeviceError
        What no camera can do without is missing or absurd.
    """
    nx, ny = _side(device, "cameraxsize"), _side(device, "cameraysize")
    gain, offset = _dial(device, "gain"), _dial(device, "offset")
    modes = device.probe("readoutmodes", values.texts) or ()
    max_adu = device.probe("maxadu", values.whole)
    highest = max_adu if max_adu is not None and 0 < max_adu < HIGHEST_ADU else HIGHEST_ADU
    shortest, longest, step = _exposures(device)
    can_cool = bool(device.probe("cansetccdtemperature", values.yes))
    can_abort = bool(device.probe("canabortexposure", values.yes))
    info = CameraInfo(
        name=device.name,
        shape=(ny, nx),
        max_adu=highest,
        bit_depth=highest.bit_length(),
        driver=_driver(device),
        pixel_size_um=_positive(device, "pixelsizex"),
        gain_range=_limits(gain),
        gain_default=_default(device, "gain", gain),
        offset_range=_limits(offset),
        offset_default=_default(device, "offset", offset),
        binnings=_binnings(device),
        readout_modes=modes,
        exposure_min_s=shortest,
        exposure_max_s=longest,
        can_cool=can_cool,
        can_abort=can_abort,
        has_shutter=bool(device.probe("hasshutter", values.yes)),
        bayer=_bayer(device),
    )
    return CameraFacts(
        info=info,
        gain=gain,
        offset=offset,
        modes=modes,
        can_abort=can_abort,
        can_stop=bool(device.probe("canstopexposure", values.yes)),
        has_sensor=device.probe("ccdtemperature", values.decimal) is not None,
        has_power=bool(device.probe("cangetcoolerpower", values.yes)),
        resolution_s=step,
        clock_speed=_clock_speed(device),
    )


def read_conversion(device: AlpacaDevice) -> Conversion | None:
    """Ask what an ADU is worth at the gain that is set now; None where it does not say."""
    e_per_adu = _positive(device, "electronsperadu")
    if e_per_adu is None:
        return None
    return Conversion(e_per_adu=e_per_adu, full_well_e=_positive(device, "fullwellcapacity"))


def _clock_speed(device: AlpacaDevice) -> float:
    said = device.ask_action(SPEED_ACTION)
    try:
        speed = float(said) if isinstance(said, (str, int, float)) else 1.0
    except ValueError:
        return 1.0
    return speed if speed > 0.0 else 1.0


def _side(device: AlpacaDevice, member: str) -> int:
    found = device.read(member, values.whole)
    if not 0 < found <= MAX_SIDE:
        raise DeviceError(
            f"{device.name} says that its sensor is {found} pixels wide or high.",
            hint="Connect the camera in its driver first, then here.",
        )
    return found


def _dial(device: AlpacaDevice, what: str) -> Dial | None:
    """Learn how gain or offset are set: not at all, by name, or as a number in a range."""
    if device.probe(what, values.whole) is None:
        return None
    names = device.probe(f"{what}s", values.texts)
    if names:
        return Dial((0, len(names) - 1), names)
    low, high = (device.probe(f"{what}{end}", values.whole) for end in ("min", "max"))
    if low is None or high is None or low > high:
        return None
    return Dial((low, high))


def _limits(dial: Dial | None) -> tuple[int, int] | None:
    return None if dial is None else dial.limits


def _default(device: AlpacaDevice, what: str, dial: Dial | None) -> int | None:
    """Return what is set when we come, where it is within the range at all."""
    if dial is None:
        return None
    now = device.probe(what, values.whole)
    return now if now is not None and dial.limits[0] <= now <= dial.limits[1] else dial.limits[0]


def _exposures(device: AlpacaDevice) -> tuple[float, float, float]:
    shortest = device.probe("exposuremin", values.decimal) or 0.0
    longest = device.probe("exposuremax", values.decimal) or 0.0
    step = device.probe("exposureresolution", values.decimal) or 0.0
    shortest = max(0.0, shortest)
    if longest <= shortest:
        longest = max(LONGEST_S, 2.0 * shortest)
    return shortest, min(longest, LONGEST_S), max(0.0, step)


def _binnings(device: AlpacaDevice) -> tuple[int, ...]:
    by_x = device.probe("maxbinx", values.whole) or 1
    by_y = device.probe("maxbiny", values.whole) or by_x
    return tuple(range(1, max(1, min(by_x, by_y, MAX_BINNING)) + 1))


def _positive(device: AlpacaDevice, member: str) -> float | None:
    found = device.probe(member, values.decimal)
    return found if found is not None and found > 0 else None


def _driver(device: AlpacaDevice) -> str:
    parts = (device.probe("driverinfo", values.text), device.probe("driverversion", values.text))
    return " ".join(part for part in parts if part)[:120]


def _bayer(device: AlpacaDevice) -> str | None:
    """Return the colours of the first two rows and columns of the full frame."""
    if device.probe("sensortype", values.whole) != SensorType.RGGB:
        return None
    dx, dy = (device.probe(f"bayeroffset{axis}", values.whole) or 0 for axis in "xy")
    pattern = ("RG", "GB")
    return "".join(pattern[(y + dy) % 2][(x + dx) % 2] for y in (0, 1) for x in (0, 1))
