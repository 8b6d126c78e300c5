"""Opening an observatory from the addresses of its devices.

Devices are connected at the same time, each with its own outcome: one that is missing or hangs
does not keep the others from being used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from calibstudio.devices.alpaca.address import (
    DeviceAddress,
    DeviceType,
    ServerAddress,
    parse_address,
)
from calibstudio.devices.alpaca.camera import AlpacaCamera
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.discovery import list_devices
from calibstudio.devices.alpaca.joined_panel import JoinedPanel
from calibstudio.devices.alpaca.line import Patience
from calibstudio.devices.alpaca.mount import AlpacaMount
from calibstudio.devices.alpaca.panel import AlpacaPanel
from calibstudio.devices.alpaca.wheel import AlpacaWheel
from calibstudio.devices.clock import SystemClock
from calibstudio.domain.equipment import Observatory, Optics, Site
from calibstudio.domain.errors import CalibStudioError, DeviceError, DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken

log = logging.getLogger(__name__)

CONNECT_LIMIT_S = 60.0
"""A device that takes longer to connect is reported as missing."""
_LOOK_S = 0.1


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


@dataclass(frozen=True, slots=True)
class DeviceOutcome:
    """What became of one device. ``error`` None: connected."""

    address: DeviceAddress
    error: CalibStudioError | None = None


@dataclass(frozen=True, slots=True)
class AlpacaObservatory(Observatory):
    """An observatory of Alpaca devices, and which of them could not be connected."""

    outcomes: tuple[DeviceOutcome, ...] = ()

    @property
    def missing(self) -> tuple[DeviceOutcome, ...]:
        """Devices of the rig that are not connected, with the reason."""
        return tuple(o for o in self.outcomes if o.error is not None)

    def close(self) -> None:
        """Make safe: lamp off, then let go of every device, also when one does not answer."""
        panel = self.panel
        if panel is not None and panel.info.has_lamp:
            try:
                panel.set_brightness(0, CancelToken())
            except CalibStudioError as error:
                log.info("the lamp was not switched off: %s", error)
        for device in (panel, self.wheel, self.mount, self.camera):
            close: Callable[[], None] | None = getattr(device, "close", None)
            if close is not None:
                close()


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
) -> AlpacaObservatory:
    """Connect every device of a rig.

    Returns
    -------
    AlpacaObservatory
        With the devices that could be connected; ``missing`` says which could not, and why.

    Raises
    ------
    DeviceError
        The camera could not be connected; what was connected is let go.
    Cancelled
    """
    jobs = _jobs(rig, patience or Patience())
    token = cancel or CancelToken()
    try:
        for job in jobs:
            job.start()
        _wait(jobs, token)
    except BaseException:
        _let_go(jobs)
        raise
    camera_job = jobs[0]
    if not isinstance(camera_job.device, AlpacaCamera):
        _let_go(jobs)
        raise camera_job.error or DeviceUnreachableError(f"{rig.camera.title} is not connected.")
    for job in jobs:
        if job.error is not None:
            log.warning("%s is missing: %s", job.address.title, job.error)
    mount = _only(jobs, AlpacaMount)
    panels = [job.device for job in jobs if isinstance(job.device, AlpacaPanel)]
    return AlpacaObservatory(
        name=rig.name or _name(rig.camera.server),
        camera=camera_job.device,
        clock=SystemClock(),
        optics=rig.optics or (mount.facts.optics if mount else Optics(telescope="")),
        site=rig.site or (mount.facts.site if mount else None),
        wheel=_only(jobs, AlpacaWheel),
        panel=_one_panel(panels),
        mount=mount,
        outcomes=tuple(DeviceOutcome(job.address, job.error) for job in jobs),
    )


class _Job:
    """Connects one device in a thread of its own."""

    def __init__(self, address: DeviceAddress, kind: Any, patience: Patience) -> None:
        self.address, self._kind = address, kind
        self._device = AlpacaDevice(address, patience)
        self._token = CancelToken()
        self._done = threading.Event()
        self.device: Any = None
        self.error: CalibStudioError | None = None

    def start(self) -> None:
        name = f"connecting {self.address.title}"
        threading.Thread(target=self._run, daemon=True, name=name).start()

    def is_done(self) -> bool:
        return self._done.is_set()

    def give_up(self, error: CalibStudioError | None = None) -> None:
        """Stop connecting; whatever comes of it is closed."""
        self._token.cancel()
        self._device.close()
        self.device, self.error = None, self.error or error

    def _run(self) -> None:
        try:
            device = self._kind.open(self._device, self._token)
        except CalibStudioError as error:
            self._device.close()
            self.error = error
        except Exception:
            self._device.close()
            self.error = self.error or DeviceError(f"{self.address.title} was not connected.")
            if not self._token.cancelled:
                log.exception("connecting %s failed unexpectedly", self.address.title)
        else:
            if self._token.cancelled:
                device.close()
            else:
                self.device = device
        self._done.set()


def _jobs(rig: AlpacaRig, patience: Patience) -> list[_Job]:
    wanted: list[tuple[DeviceAddress | None, Any]] = [
        (rig.camera, AlpacaCamera),
        (rig.wheel, AlpacaWheel),
        *((panel, AlpacaPanel) for panel in rig.panels),
        (rig.mount, AlpacaMount),
    ]
    return [_Job(address, kind, patience) for address, kind in wanted if address is not None]


def _wait(jobs: list[_Job], token: CancelToken) -> None:
    ends = time.monotonic() + CONNECT_LIMIT_S
    while not all(job.is_done() for job in jobs):
        token.wait(_LOOK_S if time.monotonic() < ends else 0.0)
        if time.monotonic() > ends:
            for job in jobs:
                if not job.is_done():
                    job.give_up(
                        DeviceUnreachableError(
                            f"{job.address.title} does not connect.",
                            hint="Check its cable and power, then connect again.",
                        )
                    )
            return


def _let_go(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.device is not None:
            job.device.close()
        else:
            job.give_up()


def _only(jobs: list[_Job], kind: type[Any]) -> Any:
    return next((job.device for job in jobs if isinstance(job.device, kind)), None)


def _one_panel(panels: list[AlpacaPanel]) -> AlpacaPanel | JoinedPanel | None:
    """One that has both; else a cover and a lamp joined; else what there is."""
    both = [p for p in panels if p.info.has_cover and p.info.has_lamp]
    covers = [p for p in panels if p.info.has_cover]
    lamps = [p for p in panels if p.info.has_lamp]
    used = both[:1] or [*covers[:1], *lamps[:1]]
    for panel in panels:
        if panel not in used:
            panel.close()
    if len(used) == 2:
        return JoinedPanel(cover=used[0], lamp=used[1])
    return used[0] if used else None


def _first(found: list[DeviceAddress], kind: DeviceType) -> DeviceAddress | None:
    return next((d for d in found if d.type is kind), None)


def _name(server: ServerAddress) -> str:
    return f"Alpaca at {server}"
