"""Opening an observatory from the devices of one INDI server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from calibstudio.devices.clock import SystemClock
from calibstudio.devices.indi.address import parse_address
from calibstudio.devices.indi.camera import IndiCamera
from calibstudio.devices.indi.link import Link, Patience
from calibstudio.devices.indi.mount import IndiMount
from calibstudio.devices.indi.panel import IndiPanel
from calibstudio.devices.indi.wheel import IndiWheel
from calibstudio.devices.joined_panel import one_panel
from calibstudio.devices.opened import Connecting, OpenedObservatory, connect_all, let_go
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.errors import DeviceError, DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken

log = logging.getLogger(__name__)


class Interface(IntFlag):
    """What a driver is, as its DRIVER_INTERFACE says (libindi, basedevice.h)."""

    TELESCOPE = 1
    CAMERA = 2
    GUIDER = 4
    FOCUSER = 8
    FILTER_WHEEL = 16
    DOME = 32
    GPS = 64
    WEATHER = 128
    ADAPTIVE_OPTICS = 256
    DUST_CAP = 512
    LIGHT_BOX = 1024
    DETECTOR = 2048
    ROTATOR = 4096

    @property
    def words(self) -> str:
        """The kind of device, by what it is first of all."""
        for kind, name in _TITLES.items():
            if kind in self:
                return name
        return "other"


_TITLES = {
    Interface.CAMERA: "camera",
    Interface.TELESCOPE: "telescope",
    Interface.FILTER_WHEEL: "filterwheel",
    Interface.LIGHT_BOX: "lightbox",
    Interface.DUST_CAP: "dustcap",
    Interface.FOCUSER: "focuser",
    Interface.ROTATOR: "rotator",
    Interface.DOME: "dome",
    Interface.WEATHER: "weather",
    Interface.GPS: "gps",
}


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device of a server, and what its driver says that it is."""

    name: str
    interface: Interface


@dataclass(frozen=True, slots=True)
class IndiRig:
    """Which devices of a server make an observatory. ``panels``: one, or a cover and a lamp."""

    server: ServerAddress
    camera: str
    wheel: str | None = None
    panels: tuple[str, ...] = ()
    mount: str | None = None
    name: str = ""
    optics: Optics | None = None
    """As the rig knows it; None: as the mount says."""
    site: Site | None = None


def list_devices(link: Link, cancel: CancelToken | None = None) -> tuple[ListedDevice, ...]:
    """Return the devices of a server once all its drivers have said what they are.

    Raises
    ------
    Cancelled
    """
    ends = time.monotonic() + link.patience.list_s

    def unnamed() -> bool:
        return any(link.get(name, "DRIVER_INFO") is None for name in link.mirror.devices())

    while time.monotonic() < ends:
        known = link.mirror.devices()
        link.wait(lambda: link.mirror.devices() != known, link.patience.others_s, cancel)  # noqa: B023
        if link.mirror.devices() == known and not unnamed():
            break
    return tuple(ListedDevice(name, _interface(link, name)) for name in link.mirror.devices())


def choose(server: ServerAddress, devices: tuple[ListedDevice, ...], camera: str = "") -> IndiRig:
    """Make a rig of the named or first camera and the first of everything else.

    A wheel of its own goes before one that is inside a camera.

    Raises
    ------
    DeviceError
        There is no such camera.
    """

    def all_of(kind: Interface) -> list[str]:
        return [device.name for device in devices if device.interface & kind]

    cameras = all_of(Interface.CAMERA)
    chosen = next((n for n in cameras if not camera or n.lower() == camera.lower()), None)
    if chosen is None:
        which = f"camera “{camera}”" if camera else "camera"
        known = f" Cameras there: {', '.join(cameras)}." if cameras else ""
        raise DeviceError(
            f"There is no {which} at the INDI server {server}.",
            hint=f"Start its driver; calibstudio discover --address {server} lists what is there."
            + known,
        )
    wheels = all_of(Interface.FILTER_WHEEL)
    apart = [name for name in wheels if name not in cameras]
    inside = [name for name in wheels if name == chosen]
    both = Interface.DUST_CAP | Interface.LIGHT_BOX
    panels = sorted(
        (device for device in devices if device.interface & both),
        key=lambda device: -(device.interface & both).bit_count(),
    )
    return IndiRig(
        server=server,
        camera=chosen,
        wheel=next(iter(apart + inside), None),
        panels=tuple(device.name for device in panels[:4]),
        mount=next(iter(all_of(Interface.TELESCOPE)), None),
        name=f"INDI at {server}",
    )


def open_indi_at(
    text: str, *, patience: Patience | None = None, cancel: CancelToken | None = None
) -> OpenedObservatory:
    """Open what is at ``[indi://]HOST[:PORT][/CAMERA NAME]``.

    Raises
    ------
    UsageError
        It is no address.
    DeviceError
        Nobody answers there, or the camera is not there or cannot be connected.
    Cancelled
    """
    server, camera = parse_address(text)
    link = Link(server, patience)
    link.open(cancel)
    try:
        return _open(choose(server, list_devices(link, cancel), camera), link, cancel)
    except BaseException:
        link.close()
        raise


def open_indi(
    rig: IndiRig, *, patience: Patience | None = None, cancel: CancelToken | None = None
) -> OpenedObservatory:
    """Connect every device of a rig.

    Returns
    -------
    OpenedObservatory
        With the devices that could be connected; ``missing`` says which could not, and why.

    Raises
    ------
    DeviceError
        The server does not answer, or the camera could not be connected; what was connected is
        let go.
    Cancelled
    """
    link = Link(rig.server, patience)
    link.open(cancel)
    try:
        return _open(rig, link, cancel)
    except BaseException:
        link.close()
        raise


def _open(rig: IndiRig, link: Link, cancel: CancelToken | None) -> OpenedObservatory:
    jobs = _jobs(rig, link)
    connect_all(jobs, cancel or CancelToken(), link.patience.device_s + link.patience.list_s)
    camera_job = jobs[0]
    camera = camera_job.device
    if not isinstance(camera, IndiCamera):
        let_go(jobs)
        raise camera_job.error or DeviceUnreachableError(f"{rig.camera} is not connected.")
    wheel, mount = _only(jobs, IndiWheel), _only(jobs, IndiMount)
    camera.name_neighbours(
        wheel=None if wheel is None else wheel.name, mount=None if mount is None else mount.name
    )
    return OpenedObservatory(
        name=rig.name or f"INDI at {rig.server}",
        camera=camera,
        clock=SystemClock(),
        optics=rig.optics or (mount.optics if mount else Optics(telescope="")),
        site=rig.site or (mount.site if mount else None),
        wheel=wheel,
        panel=one_panel([job.device for job in jobs if isinstance(job.device, IndiPanel)]),
        mount=mount,
        outcomes=tuple(job.outcome for job in jobs),
        release=link.close,
    )


def _jobs(rig: IndiRig, link: Link) -> list[Connecting]:
    def job(name: str, open_it: Callable[..., Any], **options: Any) -> Connecting:
        return Connecting(
            name, lambda token: open_it(link, name, token, **options), abandon=lambda: None
        )

    jobs = [job(rig.camera, IndiCamera.open)]
    if rig.wheel is not None:
        jobs.append(job(rig.wheel, IndiWheel.open))
    jobs += [job(panel, IndiPanel.open) for panel in rig.panels]
    if rig.mount is not None:
        jobs.append(job(rig.mount, IndiMount.open, site=rig.site))
    return jobs


def _only(jobs: list[Connecting], kind: type[Any]) -> Any:
    return next((job.device for job in jobs if isinstance(job.device, kind)), None)


def _interface(link: Link, name: str) -> Interface:
    found = link.get(name, "DRIVER_INFO")
    bits = None if found is None else found.number("DRIVER_INTERFACE")
    return Interface(int(bits or 0) & sum(Interface))
