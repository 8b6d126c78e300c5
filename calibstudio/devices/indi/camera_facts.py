"""What an INDI camera can do: read from its properties once, and doubted."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from calibstudio.devices.indi.device import IndiDevice, RefusedError
from calibstudio.devices.indi.mirror import Property
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.errors import DeviceError
from calibstudio.domain.jobs import CancelToken

log = logging.getLogger(__name__)

NEEDS = ("CCD_EXPOSURE", "CCD_INFO", "CCD_FRAME_TYPE", "CCD1")
MAX_SIDE = 200_000
MAX_BINNING = 16
HIGHEST_ADU = 65_535
LONGEST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Dial:
    """Where gain or offset are set: a property of their own, or one of several controls."""

    property: str
    member: str
    limits: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """`CameraInfo`, and what only the driver's side needs."""

    info: CameraInfo
    gain: Dial | None
    offset: Dial | None
    format: str | None
    """The raw one of several capture formats; None where there is nothing to choose."""


def read_facts(device: IndiDevice, cancel: CancelToken | None = None) -> CameraFacts:
    """Read what a connected camera has said of itself.

    Raises
    ------
    DeviceError
        What no camera can do without is missing or absurd.
    """
    about = device.need("CCD_INFO")
    nx, ny = _side(device, about, "CCD_MAX_X"), _side(device, about, "CCD_MAX_Y")
    gain, offset = _dial(device, "gain"), _dial(device, "offset")
    chosen = raw_format(device.find("CCD_CAPTURE_FORMAT"))
    bits = int(about.number("CCD_BITSPERPIXEL") or 16)
    highest = min(HIGHEST_ADU, 2**bits - 1) if bits >= 8 else HIGHEST_ADU
    shortest, longest = _exposures(device)
    cooling = device.find("CCD_TEMPERATURE")
    can_cool = cooling is not None and cooling.writable
    info = CameraInfo(
        name=device.name,
        shape=(ny, nx),
        max_adu=highest,
        bit_depth=highest.bit_length(),
        serial=_serial(device),
        driver=_driver(device),
        pixel_size_um=about.number("CCD_PIXEL_SIZE_X") or about.number("CCD_PIXEL_SIZE") or None,
        gain_range=None if gain is None else gain.limits,
        gain_default=_default(device, gain),
        offset_range=None if offset is None else offset.limits,
        offset_default=_default(device, offset),
        binnings=_binnings(device, cancel or CancelToken()),
        exposure_min_s=shortest,
        exposure_max_s=longest,
        can_cool=can_cool,
        set_temp_range_c=_temperatures(cooling) if can_cool else None,
        can_abort=device.find("CCD_ABORT_EXPOSURE") is not None,
        bayer=_bayer(device, chosen),
    )
    return CameraFacts(info, gain, offset, chosen)


def raw_format(formats: Property | None) -> str | None:
    """Return the capture format with raw values of most bits; None where none is to choose."""
    if formats is None or len(formats.members) < 2:
        return None

    def rank(name: str) -> tuple[int, int, int]:
        words = f"{name} {formats.members[name].label}".lower()
        depth = next((n for n in (16, 14, 12, 8) if str(n) in words), 15)
        is_colour = any(word in words for word in ("rgb", "jpeg", "jpg", "yuv", "luma", "y8"))
        return (-1 if is_colour else int("raw" in words), depth, int(formats.is_on(name)))

    return max(formats.members, key=rank)


def read_dial(device: IndiDevice, dial: Dial | None) -> int | None:
    """Return what is set now; None where there is nothing to set, or it is not told."""
    found = None if dial is None else device.find(dial.property)
    now = None if dial is None or found is None else found.number(dial.member)
    return None if now is None else round(now)


def _side(device: IndiDevice, about: Property, member: str) -> int:
    found = about.number(member)
    if found is None or not 0 < found <= MAX_SIDE:
        raise DeviceError(
            f"{device.name} says that its sensor is {found or 0:g} pixels wide or high.",
            hint="Set up the camera in its driver first, then connect it here.",
        )
    return int(found)


def _dial(device: IndiDevice, what: str) -> Dial | None:
    """Find where gain or offset are set; drivers differ."""
    for name in (f"CCD_{what.upper()}", "CCD_CONTROLS"):
        found = device.find(name)
        if found is None or not found.writable:
            continue
        for member, value in found.members.items():
            if what not in (member.lower(), value.label.lower()):
                continue
            low, high = round(value.low), round(value.high)
            if low < high:
                return Dial(name, member, (low, high))
    return None


def _default(device: IndiDevice, dial: Dial | None) -> int | None:
    """Return what is set when we come, where it is within the range at all."""
    if dial is None:
        return None
    now = read_dial(device, dial)
    return now if now is not None and dial.limits[0] <= now <= dial.limits[1] else dial.limits[0]


def _exposures(device: IndiDevice) -> tuple[float, float]:
    value = device.need("CCD_EXPOSURE").members.get("CCD_EXPOSURE_VALUE")
    if value is None:
        raise DeviceError(f"{device.name} has no exposure to set.", hint="Look at its driver.")
    shortest = max(0.0, value.low)
    longest = value.high if value.high > shortest else LONGEST_S
    return shortest, min(longest, LONGEST_S)


def _binnings(device: IndiDevice, cancel: CancelToken) -> tuple[int, ...]:
    """Try each binning: drivers name the largest only, and may refuse one between."""
    found = device.find("CCD_BINNING")
    if found is None or not found.writable:
        return (1,)
    highs = [found.members[m].high for m in ("HOR_BIN", "VER_BIN") if m in found.members]
    most = max(1, min(int(min(highs, default=1)), MAX_BINNING))
    if device.need("CCD_EXPOSURE").state == "Busy":  # another program's: nothing is touched
        return tuple(range(1, most + 1))
    taken = [1]
    for binning in (*range(2, most + 1), 1):
        try:
            device.set_numbers("CCD_BINNING", {"HOR_BIN": binning, "VER_BIN": binning}, cancel)
        except RefusedError as error:
            log.info("%s", error)
        else:
            taken.append(binning)
    return tuple(sorted(set(taken)))


def _temperatures(cooling: Property | None) -> tuple[float, float] | None:
    value = None if cooling is None else cooling.members.get("CCD_TEMPERATURE_VALUE")
    return None if value is None or value.low >= value.high else (value.low, value.high)


def _driver(device: IndiDevice) -> str:
    found = device.find("DRIVER_INFO")
    if found is None:
        return ""
    return f"{found.text('DRIVER_EXEC')} {found.text('DRIVER_VERSION')}".strip()[:120]


def _serial(device: IndiDevice) -> str | None:
    """Return the serial number where the driver has a property for it."""
    found = device.find("SERIAL_NUMBER")
    texts = [] if found is None else [found.text(member) for member in found.members]
    return next((text for text in texts if text), None)


def _bayer(device: IndiDevice, chosen: str | None) -> str | None:
    """Return the colours of the first two rows and columns of the full frame."""
    found = device.find("CCD_CFA")
    if found is None or (chosen is not None and "mono" in chosen.lower()):
        return None
    pattern = found.text("CFA_TYPE").upper()
    if len(pattern) != 4 or not set(pattern) <= set("RGB"):
        return None
    dx, dy = (int(found.number(f"CFA_OFFSET_{axis}") or 0) for axis in "XY")
    rows = (pattern[:2], pattern[2:])
    return "".join(rows[(y + dy) % 2][(x + dx) % 2] for y in (0, 1) for x in (0, 1))
