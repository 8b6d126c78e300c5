"""The line to one INDI server: a thread that keeps a `Mirror` up to date and sends changes.

The protocol is spoken by indipyclient in an asyncio loop of its own. That library goes on reading
for ever after the server has closed the line, and connects again by itself; here the end of the
line is watched for, and connecting again is up to whoever uses the link.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from indipyclient import IPyClient

from calibstudio.devices.indi.mirror import Mirror, Property
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.errors import DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import duration

log = logging.getLogger(__name__)
# What goes wrong in the library ends the line, and is told by `Link` in sentences.
logging.getLogger("indipyclient").setLevel(logging.CRITICAL)

CHECK_SERVER = "Check that its server is running and that the network reaches it, then retry."
_LOOK_S = 0.1
_AGAIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds: for the field; tests make it short."""

    connect_s: float = 5.0
    """For the line to the server, and again for its first words."""
    list_s: float = 10.0
    """For drivers to say what they are."""
    others_s: float = 1.0
    """When no other driver said its name for so long, all have."""
    device_s: float = 45.0
    """For a driver to connect to its hardware."""
    settle_s: float = 0.3
    """A driver that defined no new property for so long has defined them all."""
    set_s: float = 10.0
    """For a setting to be taken."""
    differs_s: float = 0.5
    """A setting that was answered with another value may still be corrected for so long."""
    ask_s: float = 10.0
    """After so long without a word the server is asked for one."""
    lost_s: float = 20.0
    """A line on which nothing comes for so long, though asked, is lost."""
    idle_s: float = 5.0
    """A camera that ends its exposure and sends no picture for so long has lost it."""
    readout_s: float = 90.0
    """From the end of an exposure to its picture; the driver may say nothing meanwhile."""
    abort_s: float = 0.7
    """For stopping an exposure; the operator waits for it."""


class Link:
    """A line to a server. Safe from any thread. `open` it before use."""

    def __init__(self, server: ServerAddress, patience: Patience | None = None) -> None:
        self.server = server
        self.patience = patience or Patience()
        self.mirror = Mirror()
        self._opening = threading.Lock()
        self._client: _Client | None = None
        self._tried_at = -1e9
        self.is_open = False
        """Whether it is in use: opened, and not closed. A lost line is still in use."""

    @property
    def is_alive(self) -> bool:
        """Whether the line is there."""
        client = self._client
        return client is not None and client.is_alive

    @property
    def quiet_s(self) -> float:
        """How long nothing came, though the server was asked."""
        client = self._client
        return 0.0 if client is None else client.quiet_s()

    def check(self, name: str) -> None:
        """Raise `DeviceUnreachableError` when the line is lost, or silent for too long."""
        if not self.is_open:
            raise DeviceUnreachableError(f"{name} is closed.", hint="Connect it again.")
        if not self.is_alive:
            raise self.lost(name)
        quiet_s = self.quiet_s
        if quiet_s > self.patience.lost_s:
            raise DeviceUnreachableError(
                f"{name} does not answer (nothing came from {self.server} for "
                f"{duration(quiet_s)}).",
                hint=CHECK_SERVER,
            )

    def check_since(self, name: str, since: int) -> None:
        """Raise `DeviceUnreachableError` when the line was lost since, though there is a new one.

        Another device of the server may have made it; orders of before it are not answered there.
        """
        if self.mirror.was_cleared(since):
            raise self.lost(name)

    def lost(self, name: str) -> DeviceUnreachableError:
        """What to raise when the line is gone."""
        return DeviceUnreachableError(
            f"{name} does not answer (the line to {self.server} is cut).", hint=CHECK_SERVER
        )

    def open(self, cancel: CancelToken | None = None) -> None:
        """Connect, and wait until the server has said something.

        Raises
        ------
        DeviceUnreachableError
            Nobody listens there, or it is no INDI server.
        Cancelled
        """
        with self._opening:
            self._open(cancel or CancelToken())

    def reopen(self, cancel: CancelToken | None = None) -> bool:
        """Connect again where the line was lost, every few seconds at most.

        Returns
        -------
        bool
            Whether the line is a new one.

        Raises
        ------
        DeviceUnreachableError, Cancelled
        """
        token = cancel or CancelToken()
        with self._opening:
            if not self.is_open:
                raise DeviceUnreachableError(f"The line to {self.server} is closed.")
            if self.is_alive and self.quiet_s <= self.patience.lost_s:
                return False
            if time.monotonic() - self._tried_at < _AGAIN_S:
                raise self._no_answer("it was tried a moment ago")
            self._tried_at = time.monotonic()
            self._open(token)
            return True

    def close(self) -> None:
        """Let go. Safe to call twice; raises nothing."""
        self.is_open = False
        client, self._client = self._client, None
        if client is not None:
            client.end()
        self.mirror.wake()

    def send(self, device: str, name: str, members: Mapping[str, str]) -> None:
        """Send new values of a property; nothing happens where the line is lost."""
        client = self._client
        if client is not None:
            client.call(lambda: client.send_newVector(device, name, members=dict(members)))

    def want_pictures(self, device: str, name: str) -> None:
        """Ask the server to pass this BLOB on to us."""
        client = self._client
        if client is not None:
            client.call(lambda: client.send_enableBLOB("Also", device, name))

    def get(self, device: str, name: str) -> Property | None:
        """Return a property as it was said last."""
        return self.mirror.get(device, name)

    def wait(
        self,
        holds: Callable[[], bool],
        seconds: float,
        cancel: CancelToken | None = None,
    ) -> bool:
        """Wait until ``holds``, and return whether it does; ends early when the line is lost.

        Raises
        ------
        Cancelled
            Within a tenth of a second.
        """
        ends = time.monotonic() + seconds
        while True:
            if cancel is not None:
                cancel.check()
            left = ends - time.monotonic()
            if self.mirror.wait(holds, min(_LOOK_S, left)):
                return True
            if left <= 0.0 or not self.is_alive:
                return False

    def _open(self, cancel: CancelToken) -> None:
        former, self._client = self._client, None
        if former is not None:
            former.end()
        self.mirror.clear()
        client = _Client(self.server, self.mirror, self.patience.ask_s)
        client.start()
        try:
            if not client.wait_connected(self.patience.connect_s, cancel):
                raise self._no_answer(client.problem or f"waited {duration(client.waited_s())}")
            self._client, self.is_open = client, True
            if not self.wait(lambda: bool(self.mirror.devices()), self.patience.connect_s, cancel):
                raise self._no_answer("it is connected, but says nothing of INDI")
        except BaseException:
            self._client = None
            client.end()
            raise

    def _no_answer(self, why: str) -> DeviceUnreachableError:
        return DeviceUnreachableError(
            f"The INDI server at {self.server} does not answer ({why}).", hint=CHECK_SERVER
        )


class _Client(IPyClient):  # type: ignore[misc]
    """indipyclient in a thread of its own, for one connection."""

    def __init__(self, server: ServerAddress, mirror: Mirror, ask_s: float) -> None:
        self._ask_s = ask_s
        self._loop = asyncio.new_event_loop()
        self._mirror = mirror
        self._connected = threading.Event()
        self._over = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._asked_at: float | None = None
        """Since when a question has been without any word since."""
        self._asked_again_at = 0.0
        self._sent_stamp = self._started_at = 0.0
        self.problem = ""
        super().__init__(indihost=server.host, indiport=server.port)
        self.enable_reports = False
        self.debug_verbosity(0)
        # The library's own time-outs would close the line during a long read-out, and fail where
        # a driver names no time for its property.
        self.set_vector_timeouts(timeout_enable=False)
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"INDI at {server}")

    # From other threads -----------------------------------------------------------------------

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._connected.is_set() and not self._over.is_set()

    def wait_connected(self, seconds: float, cancel: CancelToken) -> bool:
        ends = time.monotonic() + seconds
        while not self._connected.is_set() and not self._over.is_set():
            if time.monotonic() > ends:
                return False
            cancel.check()
            self._connected.wait(0.02)
        if self._connected.is_set() and not self.is_alive:
            self.problem = "it ends the line at once, and says nothing of INDI"
        return self.is_alive

    def waited_s(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._started_at

    def quiet_s(self) -> float:
        """How long a question has been without any word since."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def call(self, work: Callable[[], Any]) -> None:
        """Run a coroutine of this client in its thread; what was called before runs before."""

        async def run() -> None:
            try:
                await work()
            except Exception:
                log.exception("sending to %s failed", self.indihost)

        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(run()))

    def end(self) -> None:
        """Close the line; returns when the thread has ended, or after two seconds."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop_now)
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    # In the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._task = self._loop.create_task(self.asyncrun())
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("the line to %s ended unexpectedly", self.indihost)
        finally:
            self._over.set()
            rest = asyncio.all_tasks(self._loop)
            for task in rest:
                task.cancel()
            if rest:
                self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            self._loop.close()
            self._mirror.clear()

    def _stop_now(self) -> None:
        self.shutdown()
        if self._task is not None:
            self._task.cancel()

    async def warning(self, message: str) -> None:
        """What the library says of its connection; the reason of a failure is in it."""
        log.debug("%s", message)
        if not self._connected.is_set() and "Connected to" not in message:
            if "refused" in message:
                self.problem = "nothing listens there"
            elif "Error" in message or "failed" in message:
                self.problem = self.problem or "the network does not reach it"
            else:
                return
            self.shutdown()

    async def rxevent(self, event: Any) -> None:
        """Take over what the server said; what cannot be is logged, and the line goes on."""
        try:
            self._hear(event)
        except Exception:
            log.exception("a message of %s was not understood", self.indihost)

    def _hear(self, event: Any) -> None:
        mirror, what = self._mirror, event.eventtype
        if what == "ConnectionMade":
            _keep_alive(self._writer)
            self._connected.set()
        elif what == "ConnectionLost":
            self._over.set()
            self.shutdown()
            mirror.clear()
        elif what.startswith("Define"):
            mirror.define(event.vector)
        elif what.startswith("Set"):
            self._take(event)
        elif what == "Delete":
            mirror.delete(event.devicename, event.vectorname)
        elif what == "Message":
            mirror.say(event.devicename, event.message)

    def _take(self, event: Any) -> None:
        endings = getattr(event, "sizeformat", {})
        members = {name: (value, endings.get(name, (0, ""))[1]) for name, value in event.items()}
        self._mirror.update(event.devicename, event.vectorname, event.state, members)
        if event.eventtype == "SetBLOB":
            for member in event.vector.members().values():
                # The library would keep the picture until the next one comes.
                member._membervalue = b" "

    async def hardware(self) -> None:
        """Watch the line: its end, and silence."""
        while not self.stop:
            await asyncio.sleep(_LOOK_S)
            reader = self._reader
            if reader is None:
                continue
            if reader.at_eof() or reader.exception() is not None:
                self._over.set()
                self._stop_now()
                return
            await self._ask_when_quiet()

    async def send(self, xmldata: Any) -> None:
        """Send, and note that an answer is due."""
        await super().send(xmldata)
        now = time.monotonic()
        if xmldata.tag != "enableBLOB" and self._asked_at is None:
            self._asked_at = self._asked_again_at = now
        self._sent_stamp = self.idle_timer

    async def _ask_when_quiet(self) -> None:
        """Ask something after some seconds without a word, and note whether anything comes."""
        if self.idle_timer != self._sent_stamp:
            self._asked_at = None  # the library sets its timer when anything arrives, too
        now = time.monotonic()
        since = now - self._asked_again_at
        is_quiet = time.time() - self.idle_timer > self._ask_s
        if is_quiet and (self._asked_at is None or since > self._ask_s):
            self._asked_again_at = now
            await self.send_getProperties()


def _keep_alive(writer: asyncio.StreamWriter | None) -> None:
    """Let the system notice a dead network within 20 seconds, also while nothing is sent."""
    sock = None if writer is None else writer.get_extra_info("socket")
    if sock is None:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
