"""A copy of what an INDI server says, safe to read from any thread."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from calibstudio.devices.foreign_text import one_line


@dataclass(frozen=True, slots=True)
class Member:
    """One value of a property. ``low`` and ``high`` are equal where nothing is said of limits."""

    value: str | bytes
    label: str = ""
    low: float = 0.0
    high: float = 0.0
    format: str = ""
    """Of a BLOB: the ending of its file name, with its point."""

    @property
    def number(self) -> float | None:
        """The value as a number, sexagesimal too; None when it is none or not finite."""
        return read_number(self.value) if isinstance(self.value, str) else None

    @property
    def is_on(self) -> bool:
        """Whether a switch is on."""
        return self.value == "On"


@dataclass(frozen=True, slots=True)
class Property:
    """A property as the driver said it last: a "vector" in the words of INDI."""

    kind: str
    """``Number``, ``Switch``, ``Text``, ``Light`` or ``BLOB``."""
    state: str
    """``Idle``, ``Ok``, ``Busy`` or ``Alert``."""
    members: Mapping[str, Member]
    version: int
    """Grows with every message about any property: what came after is known by it."""
    writable: bool = True
    readable: bool = True

    def number(self, member: str) -> float | None:
        """Return a value as a number; None when it is not there or is none."""
        found = self.members.get(member)
        return None if found is None else found.number

    def text(self, member: str) -> str:
        """Return a value as a text of one line; empty when it is not there."""
        found = self.members.get(member)
        return one_line(found.value) if found is not None and isinstance(found.value, str) else ""

    def is_on(self, member: str) -> bool:
        """Whether a switch is there and on."""
        found = self.members.get(member)
        return found is not None and found.is_on

    @property
    def chosen(self) -> str | None:
        """The first switch that is on; None where none is."""
        return next((name for name, member in self.members.items() if member.is_on), None)


@dataclass(slots=True)
class _Device:
    properties: dict[str, Property] = field(default_factory=dict)
    said: str = ""
    said_at: int = 0
    defined_at: int = 0


class Mirror:
    """The copy. Written by the link's thread; read, and waited on, by all others."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._devices: dict[str, _Device] = {}
        self._version = self._cleared_at = 0

    # Reading ----------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The number of the newest message."""
        with self._changed:
            return self._version

    def was_cleared(self, since: int) -> bool:
        """Whether the line was lost after a version: what was under way then is not heard of."""
        with self._changed:
            return self._cleared_at > since

    def devices(self) -> tuple[str, ...]:
        """Names of the devices with any property, in the order of their appearance."""
        with self._changed:
            return tuple(name for name, device in self._devices.items() if device.properties)

    def get(self, device: str, name: str) -> Property | None:
        """Return a property; None when it is not, or no longer, defined."""
        with self._changed:
            found = self._devices.get(device)
            return None if found is None else found.properties.get(name)

    def said(self, device: str, after: int = -1) -> str:
        """Return the last message of a driver to its user, where it came after a version."""
        with self._changed:
            found = self._devices.get(device)
            return found.said if found is not None and found.said_at > after else ""

    def defined_at(self, device: str) -> int:
        """Return the version at which the device's last new property was defined."""
        with self._changed:
            found = self._devices.get(device)
            return 0 if found is None else found.defined_at

    def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``holds`` says so, and return what it says; looked at on every message."""
        with self._changed:
            return self._changed.wait_for(holds, max(0.0, seconds))

    # Writing ----------------------------------------------------------------------------------

    def clear(self) -> None:
        """Forget everything: the line is lost."""
        with self._changed:
            self._devices.clear()
            self._version += 1
            self._cleared_at = self._version
            self._changed.notify_all()

    def define(self, vector: Any) -> None:
        """Take over a property that was defined; ``vector`` is the client library's."""
        with self._changed:
            self._version += 1
            device = self._devices.setdefault(vector.devicename, _Device())
            if vector.name not in device.properties:
                device.defined_at = self._version
            device.properties[vector.name] = Property(
                kind=vector.vectortype.removesuffix("Vector"),
                state=vector.state,
                members=MappingProxyType(
                    {name: _member(member) for name, member in vector.members().items()}
                ),
                version=self._version,
                writable="w" in (vector.perm or "ro"),
                readable="r" in (vector.perm or "ro"),
            )
            self._changed.notify_all()

    def update(
        self, device: str, name: str, state: str | None, members: Mapping[str, tuple[Any, str]]
    ) -> None:
        """Take over new values. ``members``: value and BLOB format by name."""
        with self._changed:
            found = self._devices.get(device)
            before = None if found is None else found.properties.get(name)
            if found is None or before is None:
                return
            self._version += 1
            values = dict(before.members)
            for key, (value, ending) in members.items():
                if key in values:
                    values[key] = replace(values[key], value=value, format=ending)
            found.properties[name] = replace(
                before,
                state=state or before.state,
                members=MappingProxyType(values),
                version=self._version,
            )
            self._changed.notify_all()

    def take_blob(self, device: str, name: str, member: str) -> Member | None:
        """Return a BLOB and forget its content: a picture is large."""
        with self._changed:
            found = self._devices.get(device)
            before = None if found is None else found.properties.get(name)
            if found is None or before is None or member not in before.members:
                return None
            taken = before.members[member]
            rest = {**before.members, member: replace(taken, value=b"")}
            found.properties[name] = replace(before, members=MappingProxyType(rest))
            return taken

    def delete(self, device: str, name: str | None) -> None:
        """A property, or with None the whole device, is no more."""
        with self._changed:
            self._version += 1
            found = self._devices.get(device)
            if found is not None:
                if name is None:
                    found.properties.clear()
                else:
                    found.properties.pop(name, None)
            self._changed.notify_all()

    def say(self, device: str | None, message: str) -> None:
        """A driver has told its user something."""
        with self._changed:
            self._version += 1
            if device is not None:
                found = self._devices.setdefault(device, _Device())
                found.said, found.said_at = one_line(message), self._version
            self._changed.notify_all()

    def wake(self) -> None:
        """Let everyone who waits look again."""
        with self._changed:
            self._changed.notify_all()


def _member(member: Any) -> Member:
    low, high = (read_number(str(getattr(member, end, 0))) or 0.0 for end in ("min", "max"))
    value = member.membervalue
    return Member(
        value=value if isinstance(value, (str, bytes)) else "",
        label=one_line(str(member.label or "")),
        low=low,
        high=high,
    )


def read_number(text: str) -> float | None:
    """Read a number of INDI: decimal, or sexagesimal with colons, blanks or semicolons."""
    parts = text.replace(":", " ").replace(";", " ").split()
    if not 1 <= len(parts) <= 3:
        return None
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    size = sum(abs(number) / 60.0**i for i, number in enumerate(numbers))
    if not math.isfinite(size):
        return None
    return -size if parts[0].startswith("-") else size
