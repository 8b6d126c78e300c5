"""Rigs: which devices, optics and site belong together, under a name that the operator gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from calibstudio.domain.equipment import Observatory, Optics, Site
from calibstudio.domain.errors import CalibStudioError, DeviceError
from calibstudio.domain.rig_knows import RigKnows
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds

SIMULATED = "simulated"
"""Protocol of the simulated observatory; its camera's name is the preset."""


class Role(StrEnum):
    """What a device is for. A rig has one of each; a cover and a lamp may be two panels."""

    CAMERA = "camera"
    WHEEL = "filter wheel"
    PANEL = "flat panel"
    MOUNT = "telescope"
    ROTATOR = "rotator"
    FOCUSER = "focuser"
    DOME = "dome"
    SAFETY = "safety monitor"


ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "camera": Role.CAMERA,
        "filterwheel": Role.WHEEL,
        "covercalibrator": Role.PANEL,
        "lightbox": Role.PANEL,
        "dustcap": Role.PANEL,
        "telescope": Role.MOUNT,
        "rotator": Role.ROTATOR,
        "focuser": Role.FOCUSER,
        "dome": Role.DOME,
        "safetymonitor": Role.SAFETY,
        "weather": Role.SAFETY,
    }
)
"""Role of each type of device that discovery names; other types have none."""
MOST = MappingProxyType({role: 2 if role is Role.PANEL else 1 for role in Role})
"""Most devices of a role that a rig has."""


class Listed(Protocol):
    """A device as discovery lists it, whatever protocol it speaks."""

    @property
    def protocol(self) -> str:
        """``alpaca`` or ``indi``."""
        ...

    @property
    def address(self) -> str:
        """Host."""
        ...

    @property
    def port(self) -> int:
        """Port of its server."""
        ...

    @property
    def type(self) -> str:
        """The protocol's word for the kind of device."""
        ...

    @property
    def number(self) -> int:
        """Which of its type, from 0."""
        ...

    @property
    def name(self) -> str:
        """What the server calls it."""
        ...

    @property
    def unique_id(self) -> str:
        """Stays the same when the address changes; empty where the protocol has none."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """A device of a rig: what identifies it for ever, and where it was last.

    ``unique_id`` decides where there is one; else name and type. Host, port and number are only
    where to look first.
    """

    protocol: str
    type: str
    name: str
    host: str = ""
    port: int = 0
    number: int = 0
    unique_id: str = ""

    def __post_init__(self) -> None:
        if self.type.lower() not in ROLES:
            raise ValueError(f"a device of type {self.type!r} cannot be used")
        if not self.protocol or not (self.name or self.host):
            raise ValueError("a device needs a protocol, and a name or a host")
        if not 0 <= self.port < 65_536:
            raise ValueError("a port is from 1 to 65535")

    @classmethod
    def of(cls, listed: Listed) -> DeviceRef:
        """Return the reference to a device that discovery found."""
        return cls(
            listed.protocol,
            listed.type.lower(),
            listed.name,
            listed.address,
            listed.port,
            listed.number,
            listed.unique_id,
        )

    @property
    def role(self) -> Role:
        """What it is for."""
        return ROLES[self.type.lower()]

    @property
    def server(self) -> str:
        """``HOST:PORT``, IPv6 in brackets; empty for the simulated one."""
        if not self.host:
            return ""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def title(self) -> str:
        """What to call it in a sentence: its name, or where it is."""
        return self.name or f"The {self.role} {self.number} at {self.server}"

    def is_same(self, listed: Listed) -> bool:
        """Whether a listed device is this one.

        Another identity is another device, even under the same name: two cameras of one model
        must not stand in for each other.
        """
        if listed.protocol != self.protocol or listed.type.lower() != self.type.lower():
            return False
        if self.unique_id and listed.unique_id:
            return self.unique_id == listed.unique_id
        if self.name:
            return self.name == listed.name
        return (self.host, self.port, self.number) == (listed.address, listed.port, listed.number)


def find_again(ref: DeviceRef, listed: Sequence[Listed]) -> DeviceRef | None:
    """Return where a device is now; None when it is not there, or cannot be told from others.

    Of several equal ones (no identity, one name) the one at the old place is taken.
    """
    same = [device for device in listed if ref.is_same(device)]
    if len(same) > 1:
        place = (ref.host, ref.port, ref.number)
        same = [d for d in same if (d.address, d.port, d.number) == place]
    if len(same) != 1:
        return None
    found = DeviceRef.of(same[0])
    return replace(found, unique_id=found.unique_id or ref.unique_id)


class Quantity(StrEnum):
    """What is learned about a camera."""

    GAIN = "egain"
    """e-/ADU, by photon transfer."""
    READ_NOISE = "read_noise"
    """Electrons."""

    @property
    def words(self) -> str:
        """As people call it."""
        return "Gain" if self is Quantity.GAIN else "Read noise"

    @property
    def unit(self) -> str:
        """Its unit."""
        return "e\u2212/ADU" if self is Quantity.GAIN else "e\u2212"


@dataclass(frozen=True, slots=True)
class Learned:
    """One value that was measured with a rig, and where it comes from."""

    what: Quantity
    value: float
    at: datetime
    """UTC; when the frames were taken."""
    source: str
    """File name of the master whose frames measured it."""
    gain: int | None = None
    readout_mode: str | None = None
    binning: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.value < 1e6:
            raise ValueError(f"a learned {self.what} cannot be {self.value:g}")
        if self.at.tzinfo is None:
            raise ValueError("a moment needs its zone")

    @property
    def setting(self) -> tuple[Quantity, int | None, str | None, int]:
        """What it holds for."""
        return self.what, self.gain, self.readout_mode, self.binning


@dataclass(frozen=True, slots=True)
class Rig:
    """A rig. Made anew to change it: `dataclasses.replace`."""

    name: str
    devices: tuple[DeviceRef, ...] = ()
    optics: Optics | None = None
    """None: as the mount says."""
    site: Site | None = None
    """None: as the mount says."""
    focus: Mapping[str, int] = field(default_factory=dict)
    """Where its focuser is sent for flats of a filter, in steps."""
    learned: tuple[Learned, ...] = ()
    """What was measured with it; of each setting the newest."""
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    """Limits of quality by which its frames are judged."""
    knows: RigKnows = field(default_factory=RigKnows)
    """What is stated about its camera."""
    unknown: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Keys of a newer version, kept when the file is written."""

    def __post_init__(self) -> None:
        checked_rig_name(self.name)
        for role in Role:
            if len(self.of_role(role)) > MOST[role]:
                raise ValueError(f"more than {MOST[role]} of {role}")
        if not all(-1_000_000 <= steps <= 10_000_000 for steps in self.focus.values()):
            raise ValueError("a position of the focuser makes no sense")
        simulated = [d.protocol == SIMULATED for d in self.devices]
        if any(simulated) and len(simulated) > 1:
            raise ValueError("the simulated observatory brings all of its devices")

    def of_role(self, role: Role) -> tuple[DeviceRef, ...]:
        """Return its devices of a role."""
        return tuple(device for device in self.devices if device.role is role)

    @property
    def camera(self) -> DeviceRef | None:
        """Its camera; None while it has none."""
        return next(iter(self.of_role(Role.CAMERA)), None)

    @property
    def is_simulated(self) -> bool:
        """Whether it is a simulated observatory."""
        camera = self.camera
        return camera is not None and camera.protocol == SIMULATED

    @property
    def says_more(self) -> bool:
        """Whether it knows of its camera what the driver need not say."""
        knows = self.knows
        stated = (knows.flat_min_s, knows.full_well_e, knows.saturation_adu)
        return bool(self.learned) or any(value is not None for value in stated)

    def taught(self, new: Sequence[Learned]) -> Rig:
        """Return the rig with what was measured; older values of the same setting go."""
        kept = {one.setting: one for one in self.learned}
        for one in new:
            if one.setting not in kept or kept[one.setting].at <= one.at:
                kept[one.setting] = one
        return replace(self, learned=tuple(sorted(kept.values(), key=_order)))

    def known(
        self, what: Quantity, gain: int | None, readout_mode: str | None, binning: int = 1
    ) -> Learned | None:
        """Return what was measured at exactly these settings; None: not measured."""
        wanted = (what, gain, readout_mode, binning)
        return next((one for one in self.learned if one.setting == wanted), None)

    def forgotten(self, one: Learned) -> Rig:
        """Return the rig without a value that was measured."""
        return replace(self, learned=tuple(v for v in self.learned if v != one))

    def without(self, device: DeviceRef) -> Rig:
        """Return the rig without a device."""
        return replace(self, devices=tuple(d for d in self.devices if d != device))

    def with_device(self, device: DeviceRef) -> Rig:
        """Return the rig with a device; it takes the place of the one there was of its role."""
        others = [d for d in self.devices if d.role is not device.role]
        same = [d for d in self.of_role(device.role) if d != device]
        room = MOST[device.role] - 1
        return replace(self, devices=(*others, *same[:room], device))

    def moved(self, before: DeviceRef, now: DeviceRef) -> Rig:
        """Return the rig with a device that was found again elsewhere."""
        return replace(self, devices=tuple(now if d == before else d for d in self.devices))


def _order(one: Learned) -> tuple[str, int, str, int]:
    return (one.what, one.gain or 0, one.readout_mode or "", one.binning)


def focus_words(focus: Mapping[str, int]) -> str:
    """Return where filters are in focus as it is typed: ``L=10250, Ha=10400``."""
    return ", ".join(f"{name}={steps}" for name, steps in focus.items())


def focus_of_words(text: str) -> dict[str, int | None]:
    """Read what `focus_words` writes; None where a filter has no number.

    Raises
    ------
    ValueError
        It is not written so.
    """
    found: dict[str, int | None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, mark, steps = (word.strip() for word in part.partition("="))
        if not name or not mark or not (steps == "" or steps.removeprefix("-").isdecimal()):
            raise ValueError(f"“{part}” is no focus: write FILTER=POSITION, for example L=10250")
        found[name] = int(steps) if steps else None
    return found


def checked_rig_name(name: str) -> str:
    """Return the name of a rig.

    Raises
    ------
    ValueError
        It is empty, too long, has control characters, or looks like an address.
    """
    if not name or name != name.strip():
        raise ValueError("a rig needs a name, without spaces around it")
    if len(name) > 80 or not name.isprintable():
        raise ValueError("a name of a rig has at most 80 printable characters")
    if "://" in name or name.startswith("-"):
        raise ValueError("a name of a rig has no “://” and does not start with a hyphen")
    return name


@dataclass(frozen=True, slots=True)
class DeviceOutcome:
    """What became of one device when it was connected. ``error`` None: connected."""

    title: str
    error: CalibStudioError | None = None
    ref: DeviceRef | None = None
    """Which device of a rig; None: opened by an address."""
    found: bool = True
    """Whether it answers at all; False: it is nowhere on the network."""


class NoCameraError(DeviceError):
    """The camera of a rig could not be connected. ``outcomes`` says it of each device."""

    def __init__(self, error: CalibStudioError, outcomes: tuple[DeviceOutcome, ...]) -> None:
        super().__init__(str(error), hint=error.hint)
        self.outcomes = outcomes


def outcomes_of(observatory: Observatory) -> tuple[DeviceOutcome, ...]:
    """Return what became of each device of a real observatory; nothing of a simulated one."""
    return tuple(getattr(observatory, "outcomes", ()))


def without_missing(observatory: Observatory, ref: DeviceRef) -> Observatory:
    """Return the observatory without a device that is not connected; the others are the same."""
    rig = observatory.rig
    if rig is None:
        return observatory
    outcomes = tuple(o for o in outcomes_of(observatory) if o.ref != ref)
    changed: dict[str, Any] = {"rig": rig.without(ref), "outcomes": outcomes}
    return replace(observatory, **changed)
