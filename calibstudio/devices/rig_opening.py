"""Opening the devices of a rig: find each again, connect all at once, say what is missing.

A further protocol is one more entry of `OPENERS`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

from calibstudio.devices.alpaca.line import Patience as AlpacaPatience
from calibstudio.devices.clock import SystemClock
from calibstudio.devices.discovery import FINDERS, Finder, FoundDevice, discover
from calibstudio.devices.indi.link import Patience as IndiPatience
from calibstudio.devices.joined_panel import one_panel
from calibstudio.devices.measured_camera import MeasuredCamera
from calibstudio.devices.opened import Connecting, OpenedObservatory, connect_all
from calibstudio.domain.equipment import Observatory, Optics, Site
from calibstudio.domain.errors import (
    CalibStudioError,
    DeviceError,
    DeviceUnreachableError,
    UsageError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.rig import (
    DeviceOutcome,
    DeviceRef,
    NoCameraError,
    Rig,
    Role,
    find_again,
)

log = logging.getLogger(__name__)

CONNECT_LIMIT_S = 60.0
"""A device that takes longer to connect is reported as missing."""


class Opener(Protocol):
    """Connects devices of one protocol."""

    def open(self, ref: DeviceRef, site: Site | None, cancel: CancelToken) -> Any:
        """Connect a device and return it."""
        ...

    def abandon(self, ref: DeviceRef) -> None:
        """Let go of what `open` may have begun. Raises nothing."""
        ...

    def close(self) -> None:
        """Let go of what the devices share, once all are closed."""
        ...


class AlpacaOpener:
    """Each device has a line of its own."""

    def __init__(self, patience: AlpacaPatience | None = None) -> None:
        self._patience = patience
        self._lines: dict[DeviceRef, Any] = {}

    def open(self, ref: DeviceRef, site: Site | None, cancel: CancelToken) -> Any:
        """Connect a device and return it."""
        from calibstudio.devices.alpaca.address import DeviceAddress, DeviceType
        from calibstudio.devices.alpaca.camera import AlpacaCamera
        from calibstudio.devices.alpaca.device import AlpacaDevice
        from calibstudio.devices.alpaca.mount import AlpacaMount
        from calibstudio.devices.alpaca.panel import AlpacaPanel
        from calibstudio.devices.alpaca.surroundings import (
            AlpacaDome,
            AlpacaFocuser,
            AlpacaRotator,
            AlpacaSafetyMonitor,
        )
        from calibstudio.devices.alpaca.wheel import AlpacaWheel
        from calibstudio.devices.server_address import ServerAddress

        kinds: Mapping[Role, Any] = {
            Role.CAMERA: AlpacaCamera,
            Role.WHEEL: AlpacaWheel,
            Role.PANEL: AlpacaPanel,
            Role.MOUNT: AlpacaMount,
            Role.ROTATOR: AlpacaRotator,
            Role.FOCUSER: AlpacaFocuser,
            Role.DOME: AlpacaDome,
            Role.SAFETY: AlpacaSafetyMonitor,
        }
        server = ServerAddress(ref.host, ref.port)
        kind = DeviceType(ref.type.lower())
        address = DeviceAddress(server, kind, ref.number, ref.name, ref.unique_id)
        line = self._lines[ref] = AlpacaDevice(address, self._patience)
        return kinds[ref.role].open(line, cancel)

    def abandon(self, ref: DeviceRef) -> None:
        """Close the line of a device."""
        line = self._lines.get(ref)
        if line is not None:
            line.close()

    def close(self) -> None:
        """Nothing is shared."""


class IndiOpener:
    """The devices of a server share its link."""

    def __init__(self, patience: IndiPatience | None = None) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._links: dict[tuple[str, int], Any] = {}

    def open(self, ref: DeviceRef, site: Site | None, cancel: CancelToken) -> Any:
        """Connect a device and return it."""
        from calibstudio.devices.indi.camera import IndiCamera
        from calibstudio.devices.indi.mount import IndiMount
        from calibstudio.devices.indi.panel import IndiPanel
        from calibstudio.devices.indi.surroundings import (
            IndiDome,
            IndiFocuser,
            IndiRotator,
            IndiSafetyMonitor,
        )
        from calibstudio.devices.indi.wheel import IndiWheel

        link = self._link(ref, cancel)
        if ref.role is Role.MOUNT:
            return IndiMount.open(link, ref.name, cancel, site=site)
        kinds: Mapping[Role, Any] = {
            Role.CAMERA: IndiCamera,
            Role.WHEEL: IndiWheel,
            Role.PANEL: IndiPanel,
            Role.ROTATOR: IndiRotator,
            Role.FOCUSER: IndiFocuser,
            Role.DOME: IndiDome,
            Role.SAFETY: IndiSafetyMonitor,
        }
        return kinds[ref.role].open(link, ref.name, cancel)

    def abandon(self, ref: DeviceRef) -> None:
        """The link may be in use by others."""

    def close(self) -> None:
        """Close the links."""
        for link in self._links.values():
            link.close()

    def _link(self, ref: DeviceRef, cancel: CancelToken) -> Any:
        from calibstudio.devices.indi.link import Link
        from calibstudio.devices.indi.listing import list_devices
        from calibstudio.devices.server_address import ServerAddress

        with self._lock:
            link = self._links.get((ref.host, ref.port))
            if link is None:
                link = Link(ServerAddress(ref.host, ref.port), self._patience)
                try:
                    link.open(cancel)
                    list_devices(link, cancel)
                except BaseException:
                    link.close()
                    raise
                self._links[ref.host, ref.port] = link
            return link


FIELDS: Mapping[Role, str] = MappingProxyType(
    {
        Role.CAMERA: "camera",
        Role.WHEEL: "wheel",
        Role.PANEL: "panel",
        Role.MOUNT: "mount",
        Role.ROTATOR: "rotator",
        Role.FOCUSER: "focuser",
        Role.DOME: "dome",
        Role.SAFETY: "safety",
    }
)
"""Where an observatory has its device of a role."""
Openers = Mapping[str, Callable[[], Opener]]
OPENERS: Openers = MappingProxyType({"alpaca": AlpacaOpener, "indi": IndiOpener})


@dataclass(frozen=True, slots=True)
class Located:
    """Where a device is now, or why it was not found."""

    ref: DeviceRef
    now: DeviceRef | None = None
    error: CalibStudioError | None = None


def locate(
    refs: Iterable[DeviceRef],
    cancel: CancelToken | None = None,
    finders: Mapping[str, Finder] | None = None,
) -> tuple[Located, ...]:
    """Find devices again: first where they were, then everywhere on the network.

    Raises
    ------
    Cancelled
    """
    token, chosen = cancel or CancelToken(), FINDERS if finders is None else finders
    wanted = tuple(refs)
    near, silent = _at_their_places(wanted, token, chosen)
    placed = {ref: find_again(ref, near) for ref in wanted}
    far: tuple[FoundDevice, ...] = ()
    if not all(placed.values()):
        far = tuple(d for d in discover("", token, chosen).devices if d not in near)
        for ref in wanted:
            placed[ref] = placed[ref] or find_again(ref, (*near, *far))
    return tuple(
        Located(ref, now)
        if (now := placed[ref])
        else Located(ref, error=_lost(ref, near, far))
        if ref.server not in silent
        else Located(ref, error=_lost(ref, near, far, silent[ref.server]))
        for ref in wanted
    )


def _at_their_places(
    refs: tuple[DeviceRef, ...], token: CancelToken, finders: Mapping[str, Finder]
) -> tuple[tuple[FoundDevice, ...], dict[str, CalibStudioError]]:
    """Ask every server of these devices at the same time; those that are silent with their why."""
    found: dict[str, tuple[FoundDevice, ...]] = {}
    silent: dict[str, CalibStudioError] = {}

    def ask(protocol: str, server: str) -> None:
        try:
            found[server] = finders[protocol](server, token).devices
        except CalibStudioError as error:
            silent[server] = error

    places = {(ref.protocol, ref.server) for ref in refs if ref.host and ref.protocol in finders}
    threads = [
        threading.Thread(target=ask, args=place, daemon=True, name=f"asking {place[1]}")
        for place in sorted(places)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.1)
            token.check()
    return tuple(device for devices in found.values() for device in devices), silent


def _lost(
    ref: DeviceRef,
    near: tuple[FoundDevice, ...],
    far: tuple[FoundDevice, ...],
    silent: CalibStudioError | None = None,
) -> CalibStudioError:
    """Say why a device was not found, and what to do."""
    alike = [
        d
        for d in (*near, *far)
        if ref.name and d.name == ref.name and d.type.lower() == ref.type.lower()
    ]
    if alike and ref.unique_id and all(d.unique_id for d in alike):
        place = f"{alike[0].address}:{alike[0].port}"
        return DeviceError(
            f"{ref.title} was not found: one of that name at {place} is another {ref.role}.",
            hint="If it is the right one, choose it in the rig.",
        )
    if len(alike) > 1:
        return DeviceError(
            f"{ref.title} was not found: several answer to that name.",
            hint="Choose the right one in the rig.",
        )
    if silent is not None:
        return DeviceUnreachableError(
            f"{ref.title} was not found: nobody answers at {ref.server}, and it is nowhere else "
            "on the network.",
            hint="Switch it on and start its server, then connect again.",
        )
    return DeviceUnreachableError(
        f"{ref.title} was not found: its server at {ref.server} does not have it now.",
        hint="Plug it in and set it up at the server, then connect again.",
    )


def open_devices(
    rig: Rig,
    *,
    cancel: CancelToken | None = None,
    finders: Mapping[str, Finder] | None = None,
    openers: Openers = OPENERS,
    is_located: bool = False,
) -> OpenedObservatory:
    """Find and connect every device of a rig.

    Parameters
    ----------
    openers
        Who connects the devices of each protocol.
    is_located
        Its devices were listed just now, and are where it says.

    Returns
    -------
    OpenedObservatory
        With the devices that could be connected. ``outcomes`` says it of each; ``rig`` has the
        places where they were found now.

    Raises
    ------
    UsageError
        The rig has no camera.
    NoCameraError
        The camera could not be connected; what was connected is let go.
    Cancelled
    """
    if rig.camera is None:
        raise UsageError(f"The rig {rig.name} has no camera.", hint="Choose one in its settings.")
    token = cancel or CancelToken()
    located = (
        tuple(Located(ref, ref) for ref in rig.devices)
        if is_located
        else locate(rig.devices, token, finders)
    )
    connected = _connected(rig, located, token, openers)
    devices = connected.devices
    if not any(ref.role is Role.CAMERA for ref in devices):
        for device in devices.values():
            device.close()
        connected.release()
        failed = next(
            o for o in connected.outcomes if o.ref is not None and o.ref.role is Role.CAMERA
        )
        raise NoCameraError(
            failed.error or DeviceError(f"{failed.title} is missing."), connected.outcomes
        )
    return _assembled(connected)


@dataclass(frozen=True, slots=True)
class _Connected:
    """What was connected of a rig."""

    rig: Rig
    """With the places where the devices are now."""
    devices: Mapping[DeviceRef, Any]
    outcomes: tuple[DeviceOutcome, ...]
    release: Callable[[], None]


def _connected(
    rig: Rig, located: tuple[Located, ...], token: CancelToken, known: Openers
) -> _Connected:
    """Connect these devices of a rig at the same time."""
    jobs, openers = _jobs(located, rig.site, known)
    connect_all(list(jobs.values()), token, CONNECT_LIMIT_S)
    for place in located:
        if place.now is not None:
            rig = rig.moved(place.ref, place.now)
    outcomes = tuple(
        DeviceOutcome(p.ref.title, p.error, p.ref, found=False)
        if p.now is None
        else DeviceOutcome(p.now.title, jobs[p.now].error, p.now)
        for p in located
    )

    def release() -> None:
        for opener in openers:
            opener.close()

    devices = {ref: job.device for ref, job in jobs.items() if job.device is not None}
    return _Connected(rig, devices, outcomes, release)


def _jobs(
    located: tuple[Located, ...], site: Site | None, known: Openers
) -> tuple[dict[DeviceRef, Connecting], list[Opener]]:
    openers: dict[str, Opener] = {}
    jobs: dict[DeviceRef, Connecting] = {}
    for place in located:
        now = place.now
        if now is not None:
            opener = openers.setdefault(now.protocol, known[now.protocol]())
            jobs[now] = _job(opener, now, site)
    return jobs, list(openers.values())


def _job(opener: Opener, ref: DeviceRef, site: Site | None) -> Connecting:
    return Connecting(
        ref.title, lambda token: opener.open(ref, site, token), lambda: opener.abandon(ref)
    )


def _assembled(connected: _Connected) -> OpenedObservatory:
    rig, devices = connected.rig, connected.devices

    def of(role: Role) -> list[Any]:
        return [device for ref, device in devices.items() if ref.role is role]

    def one(role: Role) -> Any:
        return next(iter(of(role)), None)

    camera, wheel, mount = one(Role.CAMERA), one(Role.WHEEL), one(Role.MOUNT)
    if hasattr(camera, "name_neighbours"):
        camera.name_neighbours(
            wheel=None if wheel is None else wheel.name, mount=None if mount is None else mount.name
        )
    # Alpaca keeps what the mount says among its facts, INDI beside them.
    facts = getattr(mount, "facts", mount)
    return OpenedObservatory(
        name=rig.name,
        camera=MeasuredCamera(camera, rig) if rig.says_more else camera,
        clock=SystemClock(),
        optics=rig.optics or getattr(facts, "optics", None) or Optics(telescope=""),
        site=rig.site or getattr(facts, "site", None),
        wheel=wheel,
        panel=one_panel(of(Role.PANEL)),
        mount=mount,
        rotator=one(Role.ROTATOR),
        focuser=one(Role.FOCUSER),
        dome=one(Role.DOME),
        safety=one(Role.SAFETY),
        outcomes=connected.outcomes,
        release=connected.release,
        rig=rig,
    )


def open_again(
    observatory: Observatory,
    role: Role,
    *,
    cancel: CancelToken | None = None,
    finders: Mapping[str, Finder] | None = None,
) -> OpenedObservatory:
    """Find and connect what a rig has of a role again; the camera is left as it is.

    Returns
    -------
    OpenedObservatory
        To be used in the place of the one given, which must not be closed: they share devices.

    Raises
    ------
    UsageError
        It was not opened from a rig, or its camera was asked for.
    Cancelled
        What was asked for is not connected then.
    """
    if not isinstance(observatory, OpenedObservatory) or observatory.rig is None:
        raise UsageError("This equipment is no rig.", hint="Connect it again as a whole.")
    if role is Role.CAMERA:
        raise UsageError("A camera is not connected alone.", hint="Connect the rig again.")
    rig, token = observatory.rig, cancel or CancelToken()
    field = FIELDS[role]
    close = getattr(getattr(observatory, field), "close", None)
    if close is not None:
        close()
    connected = _connected(rig, locate(rig.of_role(role), token, finders), token, OPENERS)
    devices = [device for device in connected.devices.values() if device is not None]
    others = tuple(o for o in observatory.outcomes if o.ref is None or o.ref.role is not role)
    former, again = observatory.release, connected.release

    def release() -> None:
        again()
        if former is not None:
            former()

    device = one_panel(devices) if role is Role.PANEL else next(iter(devices), None)
    changed: dict[str, Any] = {field: device}
    return replace(
        observatory,
        rig=connected.rig,
        outcomes=(*others, *connected.outcomes),
        release=release,
        **changed,
    )
