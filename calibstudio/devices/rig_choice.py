"""A rig of what is at an address: for `calibstudio rigs add`, and for equipment named by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from calibstudio.devices.discovery import FINDERS, Finder, FoundDevice, discover
from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.rig import MOST, ROLES, DeviceRef, Rig, Role


def rig_at(
    name: str,
    addresses: Sequence[str],
    cancel: CancelToken | None = None,
    finders: Mapping[str, Finder] | None = None,
) -> Rig:
    """Make a rig of the first device of each role, panels up to two.

    A wheel inside a camera is taken only with its camera, and after wheels of their own.

    Parameters
    ----------
    addresses
        ``[PROTOCOL://]HOST[:PORT][/CAMERA]``, the camera by number or name.

    Raises
    ------
    UsageError
        It is no address, or there is no such camera; what is there is said.
    DeviceError
        Nobody answers there.
    Cancelled
    """
    there: list[FoundDevice] = []
    found: list[FoundDevice] = []
    wanted: list[str] = []
    for address in addresses:
        place, camera = _split(address)
        here = discover(place, cancel, FINDERS if finders is None else finders).devices
        there += here
        wanted += [camera] if camera else []
        found += [d for d in here if not camera or _kind(d) is not Role.CAMERA or _is(d, camera)]
    rig = Rig(name)
    cameras = [d for d in found if _kind(d) is Role.CAMERA]
    for device in [*cameras[:1], *sorted(found, key=lambda d: d.is_part)]:
        if _fits(rig, device, found):
            rig = rig.with_device(DeviceRef.of(device))
    if rig.camera is None:
        raise _no_camera(addresses, wanted, there)
    return rig


def _fits(rig: Rig, device: FoundDevice, found: Sequence[FoundDevice]) -> bool:
    """Whether there is room for a device in a rig, and use."""
    role = _kind(device)
    if role is None or len(rig.of_role(role)) >= MOST[role]:
        return False
    owner = next((d for d in found if _kind(d) is Role.CAMERA and _same_driver(d, device)), None)
    is_inside = role is Role.WHEEL and owner is not None
    if is_inside and (rig.camera is None or not rig.camera.is_same(owner or device)):
        return False
    # A second panel is wanted for its other half.
    return all(panel.type != "lightbox" or device.type != "lightbox" for panel in rig.of_role(role))


def _same_driver(one: FoundDevice, other: FoundDevice) -> bool:
    return one.protocol == other.protocol == "indi" and (one.address, one.port, one.name) == (
        other.address,
        other.port,
        other.name,
    )


def _kind(device: FoundDevice) -> Role | None:
    return ROLES.get(device.type.lower())


def _is(device: FoundDevice, camera: str) -> bool:
    return camera == str(device.number) or camera.casefold() == device.name.casefold()


def _split(address: str) -> tuple[str, str]:
    """Return an address without its camera, and the camera; empty where there is none."""
    scheme, mark, rest = address.rpartition("://")
    place, _, camera = rest.partition("/")
    return scheme + mark + place, unquote(camera).strip()


def _no_camera(
    addresses: Sequence[str], wanted: Sequence[str], found: Sequence[FoundDevice]
) -> UsageError:
    there = ", ".join(f"{d.type.lower()} {d.number} “{d.name}”" for d in found)
    which = f"the camera {', '.join(wanted)}" if wanted else "a camera"
    return UsageError(
        f"{', '.join(addresses)} answers, but has not {which}. "
        + (f"There is: {there}." if there else "It offers no device at all."),
        hint="Name a camera by its number or name: alpaca://HOST:PORT/0.",
    )
