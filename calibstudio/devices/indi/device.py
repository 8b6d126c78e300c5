"""One INDI device: its properties read, set and waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from calibstudio.devices.indi.link import Link, Patience
from calibstudio.devices.indi.mirror import Property
from calibstudio.domain.errors import CalibStudioError, DeviceError, DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken

log = logging.getLogger(__name__)

_AGAIN_S = 1.0
"""How often a device that is looked at tries to come back."""
_TURN_S = 0.1
CHECK_DRIVER = "Look at the driver’s log, or restart it, then connect the device again."


class RefusedError(DeviceError):
    """The driver did not take a value."""


class IndiDevice:
    """A device of a server. Safe from any thread.

    Parameters
    ----------
    link
        The line to its server; shared with other devices, and not closed here.
    name
        As the driver calls it.
    needs
        Properties without which it is not usable; they are waited for when it is connected.
    """

    def __init__(self, link: Link, name: str, needs: tuple[str, ...] = ()) -> None:
        self.link, self.name = link, name
        self._needs = needs
        self._connected_by_us = False
        self._connecting = threading.Lock()
        self._returning: threading.Thread | None = None
        self._tried_at = -1e9
        self.is_open = False

    @property
    def patience(self) -> Patience:
        """How long to wait for what."""
        return self.link.patience

    # Reading ----------------------------------------------------------------------------------

    def find(self, name: str) -> Property | None:
        """Return a property as it was said last; None where the driver has none of that name."""
        return self.link.get(self.name, name)

    def need(self, name: str) -> Property:
        """Return a property that the device cannot do without.

        Raises
        ------
        DeviceUnreachableError
            It is not there: the line is cut, the driver has ended, or its device is disconnected.
        """
        found = self.find(name)
        if found is not None:
            return found
        self.link.check(self.name)
        raise self.gone()

    @property
    def is_connected(self) -> bool:
        """Whether the driver says that it has its hardware."""
        found = self.find("CONNECTION")
        return found is not None and found.is_on("CONNECT")

    def check_open(self) -> None:
        """Raise `DeviceUnreachableError` when it was closed, or its line is lost."""
        if not self.is_open:
            raise DeviceUnreachableError(f"{self.name} is closed.", hint="Connect it again.")

    def check_there(self) -> None:
        """Raise `DeviceUnreachableError` unless line, driver and hardware are there."""
        self.check_open()
        self.link.check(self.name)
        if not self.is_connected:
            raise self.gone()

    def look(self) -> None:
        """Check that it is there; what was lost is connected again meanwhile, never waited for.

        Only where no order is under way: its own thread connects again, and notices what was lost.

        Raises
        ------
        DeviceUnreachableError
            As `check_there`.
        """
        try:
            self.check_there()
        except DeviceUnreachableError:
            self._come_back()
            raise

    def gone(self) -> DeviceUnreachableError:
        """What to raise when the server is there, and the device is not."""
        if self.find("CONNECTION") is None:
            return DeviceUnreachableError(
                f"The driver of {self.name} is not running any more.",
                hint="The server may restart it by itself; otherwise start it again, then retry.",
            )
        return DeviceUnreachableError(
            f"{self.name} is not connected at its server.",
            hint="Check its cable and power; it is connected again as soon as it answers.",
        )

    # Connecting -------------------------------------------------------------------------------

    def connect(self, cancel: CancelToken | None = None) -> None:
        """Connect the driver to its hardware, and wait for its properties.

        Raises
        ------
        DeviceError
            It cannot, or does not in time.
        Cancelled
        """
        token = cancel or CancelToken()
        link, patience = self.link, self.patience
        if not link.wait(lambda: self.find("CONNECTION") is not None, patience.list_s, token):
            link.check(self.name)
            raise DeviceUnreachableError(
                f"There is no {self.name} at {link.server}.",
                hint="Start its driver; calibstudio discover lists what is there.",
            )
        if not self.is_connected:
            self._switch_on(token)
        self._wait_defined(token)
        self.is_open = True

    def ensure_connected(self, cancel: CancelToken | None = None) -> bool:
        """Connect again what was lost: the line, or the driver's connection; see `connect`.

        Returns
        -------
        bool
            Whether anything had been lost.
        """
        self.check_open()
        token = cancel or CancelToken()
        while not self._connecting.acquire(timeout=_TURN_S):
            token.check()
        try:
            if not (self.link.reopen(cancel) or not self.is_connected or self._missing()):
                return False
            self.connect(cancel)
            return True
        finally:
            self._connecting.release()

    def _come_back(self) -> None:
        """Connect again in a thread of its own, one at a time and every few seconds at most."""
        running = self._returning is not None and self._returning.is_alive()
        if not self.is_open or running or time.monotonic() - self._tried_at < _AGAIN_S:
            return
        self._tried_at = time.monotonic()
        self._returning = threading.Thread(
            target=self._connect_again, daemon=True, name=f"connecting {self.name} again"
        )
        self._returning.start()

    def _connect_again(self) -> None:
        try:
            self.ensure_connected()
        except CalibStudioError as error:
            log.debug("%s is not back yet: %s", self.name, error)

    def close(self) -> None:
        """Disconnect where it was us who connected. Raises nothing; the line stays."""
        if self.is_open and self._connected_by_us and self.link.is_alive:
            self.link.send(self.name, "CONNECTION", {"DISCONNECT": "On", "CONNECT": "Off"})
            self.link.wait(lambda: not self.is_connected, 2.0)
        self.is_open = False

    def _switch_on(self, cancel: CancelToken) -> None:
        """Connect; a refusal is an Alert, silence an error."""
        since = self.link.mirror.version
        self.link.send(self.name, "CONNECTION", {"CONNECT": "On", "DISCONNECT": "Off"})

        def is_decided() -> bool:
            found = self.find("CONNECTION")
            if found is None or found.version <= since or found.state == "Busy":
                return False
            return found.is_on("CONNECT") or found.state == "Alert"

        self.link.wait(is_decided, self.patience.device_s, cancel)
        if not self.is_connected:
            self.link.check(self.name)
            said = self.link.mirror.said(self.name, since)
            raise DeviceUnreachableError(
                f"{self.name} does not connect{_quoted(said)}.",
                hint="Check its cable and power, then retry.",
            )
        self._connected_by_us = True

    def _missing(self) -> tuple[str, ...]:
        return tuple(name for name in self._needs if self.find(name) is None)

    def _wait_defined(self, cancel: CancelToken) -> None:
        """Wait until the driver has defined what is needed, and then is quiet for a moment."""
        if not self.link.wait(lambda: not self._missing(), self.patience.list_s, cancel):
            self.link.check(self.name)
            raise DeviceError(
                f"{self.name} has no {self._missing()[0]}: it is not what it was taken for.",
                hint=CHECK_DRIVER,
            )
        mirror, ends = self.link.mirror, time.monotonic() + self.patience.list_s
        while time.monotonic() < ends:
            before = mirror.defined_at(self.name)
            settle_s = self.patience.settle_s
            if not self.link.wait(lambda: mirror.defined_at(self.name) != before, settle_s, cancel):  # noqa: B023
                return

    # Setting ----------------------------------------------------------------------------------

    def order(self, name: str, members: Mapping[str, str]) -> int:
        """Send values, and return the version before: an answer is newer than that.

        Raises
        ------
        DeviceUnreachableError
            The property is not there, or the line is lost.
        """
        self.link.check(self.name)
        self.need(name)
        since = self.link.mirror.version
        self.link.send(self.name, name, members)
        return since

    def settled(
        self,
        name: str,
        since: int,
        is_wanted: Callable[[Property], bool],
        cancel: CancelToken | None = None,
        *,
        seconds: float | None = None,
    ) -> Property:
        """Wait for the answer to an order, and return the property as it is then.

        Taken is what was answered after ``since``, is not Busy, and is wanted. An answer with
        another value is believed when it was not corrected for a moment.

        Raises
        ------
        RefusedError
            The driver answered with an Alert, or with another value.
        DeviceError
            It did not answer.
        DeviceUnreachableError, Cancelled
        """

        def is_taken() -> bool:
            found = self.find(name)
            return (
                found is not None
                and found.version > since
                and found.state in ("Ok", "Idle")
                and is_wanted(found)
            )

        def is_answered() -> bool:
            found = self.find(name)
            return found is None or (found.version > since and found.state != "Busy")

        def is_decided() -> bool:
            return is_taken() or not is_answered()

        ends = time.monotonic() + (self.patience.set_s if seconds is None else seconds)
        while self.link.wait(is_answered, ends - time.monotonic(), cancel):
            self.link.check_since(self.name, since)
            self.need(name)
            # It may be the answer to another program, or a second one to what was asked before.
            self.link.wait(is_decided, self.patience.differs_s, cancel)
            if is_taken():
                return self.need(name)
            if is_answered():
                said = self.link.mirror.said(self.name, since)
                raise RefusedError(
                    f"{self.name} does not take it{_quoted(said)}.", hint=CHECK_DRIVER
                )
        self.link.check(self.name)
        self.link.check_since(self.name, since)
        self.need(name)
        raise DeviceError(f"{self.name} did not answer when its {name} was set.", hint=CHECK_DRIVER)

    def set_numbers(
        self, name: str, wanted: Mapping[str, float], cancel: CancelToken | None = None
    ) -> Property:
        """Set numbers and read them back; see `settled`."""
        since = self.order(name, {key: f"{value:.10g}" for key, value in wanted.items()})
        return self.settled(name, since, lambda p: numbers_are(p, wanted), cancel)

    def choose(self, name: str, member: str, cancel: CancelToken | None = None) -> Property:
        """Choose one of several switches and read it back; see `settled`."""
        found = self.need(name)
        others = {key: "Off" for key in found.members if key != member}
        since = self.order(name, {**others, member: "On"})
        if not found.readable:
            return found
        return self.settled(name, since, lambda p: p.is_on(member), cancel)

    def set_text(
        self, name: str, wanted: Mapping[str, str], cancel: CancelToken | None = None
    ) -> Property:
        """Set texts and read them back; see `settled`."""
        since = self.order(name, wanted)
        return self.settled(
            name, since, lambda p: all(p.text(k) == v for k, v in wanted.items()), cancel
        )


def numbers_are(found: Property, wanted: Mapping[str, float]) -> bool:
    """Whether a property has these numbers, as exactly as drivers write them."""
    for key, value in wanted.items():
        now = found.number(key)
        if now is None or abs(now - value) > max(1e-6 * abs(value), 1e-6):
            return False
    return True


def _quoted(said: str) -> str:
    return f" (it says “{said.rstrip('.')}”)" if said else ""
