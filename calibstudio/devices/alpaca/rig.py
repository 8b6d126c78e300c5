"""Opening an observatory from the addresses of its devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calibstudio.devices.alpaca.address import (
    DeviceAddress,
    DeviceType,
    parse_address,
)
from calibstudio.devices.alpaca.camera import AlpacaCamera
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.discovery import list_devices
from calibstudio.devices.alpaca.line import Patience
from calibstudio.devices.alpaca.mount import AlpacaMount
from calibstudio.devices.alpaca.panel import AlpacaPanel
from calibstudio.devices.alpaca.wheel import AlpacaWheel
from calibstudio.devices.clock import SystemClock
from calibstudio.devices.joined_panel import one_panel
from calibstudio.devices.opened import Connecting, OpenedObservatory, connect_all, let_go
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.errors import DeviceError, DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken

CONNECT_LIMIT_S = 60.0
"""A device that takes longer to connect is reported as missing."""


@dataclass(frozen=True, slots=True)
class AlpacaRig:
    """Which devices make an observatory. ``panels``: one, or a cover and a lamp apart."""

    camera: DeviceAddress
    wheel: DeviceAddress | None = None
    panels: tuple[DeviceAddress, ...] = ()
    mount: DeviceAddress | None = None
    name: str = ""
    optics: Optics | None = None
    """As the rig knows it; None: as the mount says."""
    site: Site | None = None


def rig_at(text: str, patience: Patience | None = None) -> AlpacaRig:
    """Make a rig of the first camera, wheel, covers and telescope at ``[alpaca://]HOST:PORT[/N]``.

    Raises
    ------
    UsageError
        It is no address.
    DeviceError
        Nobody answers there, or there is no camera.
    """
    server, number = parse_address(text)
    found = list_devices(server, patience)
    cameras = [d for d in found if d.type is DeviceType.CAMERA]
    chosen = next((d for d in cameras if number is None or d.number == number), None)
    if chosen is None:
        which = "camera" if number is None else f"camera {number}"
        raise DeviceError(
            f"There is no {which} at {server}.",
            hint="Set it up at the server; calibstudio discover lists what is there.",
        )
    return AlpacaRig(
        camera=chosen,
        wheel=_first(found, DeviceType.FILTER_WHEEL),
        panels=tuple(d for d in found if d.type is DeviceType.COVER_CALIBRATOR)[:2],
        mount=_first(found, DeviceType.TELESCOPE),
        name=_name(server),
    )


def open_alpaca(
    rig: AlpacaRig, *, patience: Patience | None = None, cancel: CancelToken | None = None
) -> OpenedObservatory:
    """Connect every device of a rig.

    Returns
    -------
    OpenedObservatory
        With the devices that could be connected; ``missing`` says which could not, and why.

    Raises
    ------
    DeviceError
        The camera could not be connected; what was connected is let go.
    Cancelled
    """
    jobs = _jobs(rig, patience or Patience())
    connect_all(jobs, cancel or CancelToken(), CONNECT_LIMIT_S)
    camera_job = jobs[0]
    if not isinstance(camera_job.device, AlpacaCamera):
        let_go(jobs)
        raise camera_job.error or DeviceUnreachableError(f"{rig.camera.title} is not connected.")
    mount = _only(jobs, AlpacaMount)
    panels = [job.device for job in jobs if isinstance(job.device, AlpacaPanel)]
    return OpenedObservatory(
        name=rig.name or _name(rig.camera.server),
        camera=camera_job.device,
        clock=SystemClock(),
        optics=rig.optics or (mount.facts.optics if mount else Optics(telescope="")),
        site=rig.site or (mount.facts.site if mount else None),
        wheel=_only(jobs, AlpacaWheel),
        panel=one_panel(panels),
        mount=mount,
        outcomes=tuple(job.outcome for job in jobs),
    )


def _jobs(rig: AlpacaRig, patience: Patience) -> list[Connecting]:
    wanted: list[tuple[DeviceAddress | None, Any]] = [
        (rig.camera, AlpacaCamera),
        (rig.wheel, AlpacaWheel),
        *((panel, AlpacaPanel) for panel in rig.panels),
        (rig.mount, AlpacaMount),
    ]
    return [_job(address, kind, patience) for address, kind in wanted if address is not None]


def _job(address: DeviceAddress, kind: Any, patience: Patience) -> Connecting:
    device = AlpacaDevice(address, patience)
    return Connecting(address.title, lambda token: kind.open(device, token), device.close)


def _only(jobs: list[Connecting], kind: type[Any]) -> Any:
    return next((job.device for job in jobs if isinstance(job.device, kind)), None)


def _first(found: list[DeviceAddress], kind: DeviceType) -> DeviceAddress | None:
    return next((d for d in found if d.type is kind), None)


def _name(server: ServerAddress) -> str:
    return f"Alpaca at {server}"
