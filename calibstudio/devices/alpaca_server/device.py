"""What every Alpaca device has, whatever it is."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from calibstudio import __version__
from calibstudio.devices.alpaca_server.errors import (
    ACTION_NOT_IMPLEMENTED,
    NOT_CONNECTED,
    AlpacaError,
    BadRequestError,
    as_alpaca,
    not_implemented,
)
from calibstudio.devices.alpaca_server.members import (
    Member,
    arguments,
    get,
    members_of,
    plain,
    put,
    truth,
)
from calibstudio.domain.equipment import Clock
from calibstudio.domain.errors import CalibStudioError

Action = Callable[[str], Any]
"""A custom action: its parameters as text; a result that is not text is sent as JSON."""


class Device:
    """One device of the server.

    Parameters
    ----------
    name
        What the driver calls it.
    identity
        From which its unique number is made: the same device has the same one for ever.
    clock
        Time at the observatory.
    actions
        Custom actions by name.
    """

    kind: ClassVar[str]
    """As the management API spells it."""
    interface_version: ClassVar[int]
    absent: ClassVar[tuple[str, ...]] = ()
    """Members of the interface that this device does not have, as ``get name`` or ``put name``."""
    _members: ClassVar[dict[tuple[str, bool], tuple[Member, str]]]

    def __init__(
        self, name: str, identity: str, clock: Clock, *, actions: Mapping[str, Action] | None = None
    ) -> None:
        self.name, self.clock = name, clock
        self.unique_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"calibstudio/{identity}/{self.kind}"))
        self._actions = dict(actions or {})
        self._is_connected = False

    def __init_subclass__(cls) -> None:
        cls._members = members_of(cls)

    def call(self, url_name: str, *, write: bool, given: Mapping[str, str]) -> Any:
        """Answer one request.

        Raises
        ------
        BadRequestError
            There is no such member, or its parameters are wrong.
        AlpacaError
            The device cannot do it.
        """
        found = self._members.get((url_name, write))
        if found is None:
            verb = "put" if write else "get"
            if f"{verb} {url_name}" in self.absent:
                raise not_implemented(url_name)
            raise BadRequestError(f"A {self.kind} has no member {url_name!r} for {verb.upper()}.")
        member, method = found
        if url_name == "action":
            # Some clients leave out the parameters of an action that takes none.
            given = {"Parameters": ""} | dict(given)
        values = arguments(member, given)
        if not (member.offline or self.connected()):
            raise AlpacaError(NOT_CONNECTED, f"{self.name} is not connected.")
        try:
            return getattr(self, method)(**values)
        except CalibStudioError as error:
            raise as_alpaca(error) from error

    def close(self) -> None:
        """Stop what is going on. Safe to call twice."""

    def check_reachable(self) -> None:
        """Raise a `DeviceError` when the device cannot be reached."""

    def forget(self) -> None:
        """Begin anew: the device has just been connected."""

    def state(self) -> dict[str, Any]:
        """Return the operational properties that can be read now, by name."""
        return {}

    @get("connected", offline=True)
    def connected(self) -> bool:
        """Whether it is connected; a device that is lost is not."""
        if self._is_connected:
            try:
                self.check_reachable()
            except CalibStudioError:
                self._is_connected = False
        return self._is_connected

    @put("connected", offline=True, Connected=truth)
    def set_connected(self, Connected: bool) -> None:
        """Connect or let go."""
        if not Connected:
            self._is_connected = False
        elif not self._is_connected:
            try:
                self.check_reachable()
            except CalibStudioError as error:
                raise AlpacaError(NOT_CONNECTED, f"{error} {error.hint}".strip()) from error
            self.forget()
            self._is_connected = True

    @put("connect", offline=True)
    def connect(self) -> None:
        """Connect; it takes no time here, so it is done when the answer comes."""
        self.set_connected(Connected=True)

    @put("disconnect", offline=True)
    def disconnect(self) -> None:
        """Let go."""
        self.set_connected(Connected=False)

    @get("connecting", offline=True)
    def connecting(self) -> bool:
        """Whether `connect` is still going on: never."""
        return False

    @get("description", offline=True)
    def description(self) -> str:
        """What it is."""
        return f"{self.name}, offered by CalibStudio"

    @get("driverinfo", offline=True)
    def driver_info(self) -> str:
        """What the driver is."""
        return f"CalibStudio {__version__}, an observatory offered as Alpaca devices"

    @get("driverversion", offline=True)
    def driver_version(self) -> str:
        """The driver's version, major and minor."""
        return ".".join(__version__.split(".")[:2])

    @get("interfaceversion", offline=True)
    def version_of_interface(self) -> int:
        """The version of the interface."""
        return self.interface_version

    @get("name", offline=True)
    def short_name(self) -> str:
        """What it is called."""
        return self.name

    @get("supportedactions", offline=True)
    def supported_actions(self) -> list[str]:
        """Names of the custom actions."""
        return list(self._actions)

    @put("action", Action=plain, Parameters=plain)
    def action(self, Action: str, Parameters: str) -> str:
        """Do a custom action and return its result: text as it is, anything else as JSON."""
        for name, does in self._actions.items():
            if name.lower() == Action.strip().lower():
                result = does(Parameters)
                return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        raise AlpacaError(ACTION_NOT_IMPLEMENTED, f"{self.name} has no action {Action!r}.")

    @get("devicestate")
    def device_state(self) -> list[dict[str, Any]]:
        """All operational properties in one answer."""
        now = self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        values = self.state() | {"TimeStamp": now}
        return [{"Name": name, "Value": value} for name, value in values.items()]

    @put("commandblind")
    def command_blind(self) -> None:
        """Not here: nobody knows the words."""
        raise not_implemented("commandblind")

    @put("commandbool")
    def command_bool(self) -> None:
        """Not here either."""
        raise not_implemented("commandbool")

    @put("commandstring")
    def command_string(self) -> None:
        """Not here either."""
        raise not_implemented("commandstring")


def read_where_possible(members: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Return what can be read now; what the device does not have is left out."""
    values = {}
    for name, read in members.items():
        try:
            values[name] = read()
        except (AlpacaError, CalibStudioError):
            continue
    return values
