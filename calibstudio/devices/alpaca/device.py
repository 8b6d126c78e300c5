"""One Alpaca device: its members read and written, every reply checked."""

from __future__ import annotations

import itertools
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.address import DeviceAddress
from calibstudio.devices.alpaca.failures import (
    INVALID_VALUE,
    NOT_CONNECTED,
    BadReplyError,
    DriverError,
    NotConnectedError,
)
from calibstudio.devices.alpaca.line import Line, Patience, Reply
from calibstudio.devices.foreign_text import one_line
from calibstudio.domain.errors import (
    CalibStudioError,
    DeviceError,
    DeviceUnreachableError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken

log = logging.getLogger(__name__)
T = TypeVar("T")

CLIENT_ID = os.getpid() % 65_536
_RECONNECT_EVERY_S = 5.0


class AlpacaDevice:
    """A device at an address. Safe from any thread: each purpose has a connection of its own.

    Attributes
    ----------
    name
        What the driver calls it, once connected.
    """

    def __init__(self, address: DeviceAddress, patience: Patience | None = None) -> None:
        self.address = address
        self.patience = patience or Patience()
        self.name = address.title
        self.control = Line(address.server, self.patience)
        """For orders, and for reading them back."""
        self._watching = Line(address.server, self.patience)
        self._numbers = itertools.count(1)
        self._connecting = threading.Lock()
        self._tried_at = -1e9
        self._connected_by_us = False
        self.is_open = False
        self._say_name()

    # Reading and writing ----------------------------------------------------------------------

    def read(
        self,
        member: str,
        kind: Callable[[object], T | None],
        cancel: CancelToken | None = None,
        *,
        watching: bool = False,
        limit_s: float | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> T:
        """Read a property.

        Parameters
        ----------
        kind
            One of `values`.
        watching
            On the connection for looking, which never waits for an order under way.

        Raises
        ------
        DriverError
            The driver refused.
        BadReplyError
            The answer is none.
        DeviceUnreachableError, Cancelled
        """
        line = self._watching if watching else self.control
        query = urlencode({**(parameters or {}), **self._identity()})
        reply = line.ask(
            "GET",
            f"{self.address.path}/{member}?{query}",
            limit_s=limit_s or self.patience.read_s,
            cancel=cancel,
        )
        document = self._checked(member, reply)
        found = kind(document.get("Value"))
        if found is None:
            given = one_line(repr(document.get("Value", "nothing")), 60)
            raise BadReplyError(f"{self.name} answered {given} when asked for its {member}.")
        return found

    def probe(self, member: str, kind: Callable[[object], T | None]) -> T | None:
        """Read a property that may not be there, or not be what it should; None then."""
        try:
            return self.read(member, kind)
        except (DriverError, BadReplyError) as error:
            log.debug("%s has no %s: %s", self.name, member, error)
            return None

    def write(
        self,
        member: str,
        parameters: Mapping[str, object],
        cancel: CancelToken | None = None,
        *,
        limit_s: float | None = None,
        may_repeat: bool = True,
    ) -> None:
        """Set a property or call a method; for errors see `read`."""
        reply = self.control.ask(
            "PUT",
            f"{self.address.path}/{member}",
            urlencode({**parameters, **self._identity()}),
            limit_s=limit_s or self.patience.write_s,
            cancel=cancel,
            may_repeat=may_repeat,
        )
        self._checked(member, reply)

    def act(
        self,
        member: str,
        parameters: Mapping[str, object] | None = None,
        cancel: CancelToken | None = None,
        *,
        extra_s: float = 0.0,
    ) -> None:
        """Call a method that old drivers finish before they answer; never sent twice."""
        limit_s = self.patience.act_s + extra_s
        self.write(member, parameters or {}, cancel, limit_s=limit_s, may_repeat=False)

    def ask_action(self, name: str) -> object:
        """Return what a custom action of the driver answers; None where it has no such action."""
        if name not in (self.probe("supportedactions", values.texts) or ()):
            return None
        query = urlencode({"Action": name, "Parameters": "", **self._identity()})
        reply = self.control.ask(
            "PUT", f"{self.address.path}/action", query, limit_s=self.patience.write_s
        )
        answer = values.text(self._checked("action", reply).get("Value"))
        try:
            return json.loads(answer or "null")
        except ValueError:
            return None

    def image_path(self) -> str:
        """Return the address of the picture."""
        return f"{self.address.path}/imagearray?{urlencode(self._identity())}"

    # Connecting -------------------------------------------------------------------------------

    def connect(self, cancel: CancelToken | None = None) -> None:
        """Connect the driver to its device and learn its name.

        Raises
        ------
        DeviceError
            It cannot, or does not within ``patience.act_s``.
        """
        self._connect(cancel)
        found = self.probe("name", values.text)
        if found:
            self.name = found
            self._say_name()
        self.is_open = True

    def reconnect(self, cancel: CancelToken | None = None) -> None:
        """Connect again after the server was started again; tried every few seconds at most.

        Raises
        ------
        DeviceError
            It cannot yet.
        """
        with self._connecting:
            if time.monotonic() - self._tried_at < _RECONNECT_EVERY_S:
                raise self.disconnected()
            self._tried_at = time.monotonic()
            self._connect(cancel)
            self._tried_at = -1e9

    def ensure_connected(self, cancel: CancelToken | None = None) -> None:
        """Connect again where the driver says that it is not; see `reconnect`."""
        if not self.read("connected", values.yes, cancel):
            self.reconnect(cancel)

    def watched(self, work: Callable[[], T]) -> T:
        """Read something, and connect again first where the driver has lost its connection."""
        try:
            return work()
        except NotConnectedError:
            self.reconnect()
            return work()

    def close(self) -> None:
        """Disconnect where it was us who connected, and let go. Raises nothing."""
        if self._connected_by_us and self.is_open:
            try:
                self.write("connected", {"Connected": "False"}, limit_s=2.0)
            except CalibStudioError as error:
                log.info("%s was not disconnected: %s", self.name, error)
        self.is_open = False
        self.control.end()
        self._watching.end()

    def check_open(self) -> None:
        """Raise `DeviceUnreachableError` when it was closed."""
        if not self.is_open:
            raise DeviceUnreachableError(f"{self.name} is closed.", hint="Connect it again.")

    def disconnected(self) -> NotConnectedError:
        """What to raise when the driver says that it is not connected."""
        return NotConnectedError(
            f"{self.name} is not connected at its server.",
            hint="Check its cable and power; it is connected again as soon as it answers.",
        )

    def _connect(self, cancel: CancelToken | None) -> None:
        if self.read("connected", values.yes, cancel):
            return
        self.act("connected", {"Connected": "True"}, cancel)
        ends = time.monotonic() + self.patience.act_s
        while not self.read("connected", values.yes, cancel):
            if time.monotonic() > ends:
                raise DeviceUnreachableError(
                    f"{self.name} does not connect.", hint="Check its cable and power, then retry."
                )
            (cancel or CancelToken()).wait(0.1)
        self._connected_by_us = True

    # Checking ---------------------------------------------------------------------------------

    def _identity(self) -> dict[str, object]:
        return {"ClientID": CLIENT_ID, "ClientTransactionID": next(self._numbers)}

    def _say_name(self) -> None:
        self.control.name = self._watching.name = self.name

    def _checked(self, member: str, reply: Reply) -> dict[str, Any]:
        """Return the document of a reply without an error; raise what the reply says otherwise."""
        document = _document(reply)
        if document is not None:
            number = values.whole(document.get("ErrorNumber", 0))
            if number is None:
                raise BadReplyError(f"{self.name} answered nonsense when asked for its {member}.")
            if number:
                raise self.refused(member, number, document.get("ErrorMessage"))
        if reply.status != 200:
            raise DriverError(
                f"{self.name} answered “{_said(reply)}” (HTTP {reply.status}) to {member}.",
                number=0,
                status=reply.status,
            )
        if document is None:
            raise BadReplyError(
                f"{self.name} answered “{_said(reply)}” when asked for its {member}; "
                "that is not Alpaca."
            )
        return document

    def refused(self, member: str, number: int, message: object) -> DeviceError:
        """Return the driver's own error as ours."""
        said = values.text(message) or f"error 0x{number:X}"
        if number == NOT_CONNECTED:
            return self.disconnected()
        log.debug("%s refused %s: 0x%X %s", self.name, member, number, said)
        return DriverError(f"{self.name} says to {member}: {said.rstrip('.')}.", number=number)

    def unsupported(self, error: DriverError, hint: str) -> DeviceError:
        """Return a refused value as a request that cannot be done; other errors as they are."""
        if error.number == INVALID_VALUE:
            return UnsupportedRequestError(str(error), hint=hint)
        return error


def _document(reply: Reply) -> dict[str, Any] | None:
    """Return the JSON object of a reply, or None when there is none in it."""
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _is_alpaca(found) else None


def _is_alpaca(document: dict[str, Any]) -> bool:
    return any(key in document for key in ("Value", "ErrorNumber", "ServerTransactionID"))


def _said(reply: Reply) -> str:
    """Return the words of a reply that is not Alpaca, without markup."""
    content = reply.body[:4000].decode("utf-8", "replace")
    plain = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", content, flags=re.DOTALL)
    return one_line(plain, 80) or "nothing"
