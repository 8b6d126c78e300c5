"""One HTTP connection to one device, with a limit on everything.

Each request runs in a short-lived thread, so that whoever waits for it can be cancelled or give up
at any moment, also while a name is looked up or a server sends one byte a minute. Every device has
lines of its own: one that hangs holds up nobody else. Proxies of the environment are not used.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Generic, TypeVar, cast

from calibstudio.devices.alpaca.failures import BadReplyError, silent
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.errors import DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.wording import duration

T = TypeVar("T")

MAX_REPLY_BYTES = 8_000_000
"""Of everything that is not an image."""
_LOOK_S = 0.05
_FRESH_AFTER_S = 4.0
"""A connection that was idle so long is opened again: servers drop it after 5 s or more."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds: for the field; tests make it short."""

    connect_s: float = 3.05
    read_s: float = 6.0
    """For a property."""
    write_s: float = 15.0
    """For a setting."""
    recent_s: float = 5.0
    """How old a status may be that stands in for a new one while the device is slow."""
    act_s: float = 120.0
    """For what old drivers finish before they answer: connecting, moving, starting."""
    abort_s: float = 0.8
    """For stopping an exposure; the operator waits for it."""
    lost_s: float = 10.0
    """A device that does not answer for so long in mid exposure is lost."""
    stale_s: float = 3.0
    """States may be those of before for so long after an order."""
    idle_s: float = 10.0
    """A camera that is idle without a picture for so long after the exposure has lost it."""
    readout_s: float = 60.0
    """From the end of the exposure to the picture being ready."""
    first_byte_s: float = 60.0
    """From asking for the picture to its first byte."""
    stall_s: float = 20.0
    """Without another byte of the picture."""
    slowest_bytes_per_s: float = 300_000.0
    """A picture that comes more slowly than this is given up."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    content_type: str
    body: bytes


class _Call(Generic[T]):
    """Work on a connection in a thread of its own, and what became of it."""

    def __init__(self, work: Callable[[HTTPConnection], T], connection: HTTPConnection) -> None:
        self._work, self._connection = work, connection
        self.done = threading.Event()
        self.value: T | None = None
        self.error: Exception | None = None
        self.is_abandoned = False

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="alpaca request").start()

    def _run(self) -> None:
        try:
            self.value = self._work(self._connection)
        except Exception as error:  # noqa: BLE001 - carried over to the thread that asked
            self.error = error
        if self.is_abandoned:
            self._connection.close()
        self.done.set()

    def abandon(self) -> None:
        """Nobody waits any more: its thread lets go of the connection when it wakes up."""
        self.is_abandoned = True
        if self.done.is_set():
            self._connection.close()


class Line:
    """A connection that is kept open and used by one call at a time. Safe from any thread."""

    def __init__(self, server: ServerAddress, patience: Patience) -> None:
        self.server, self.patience = server, patience
        self.name = str(server)
        """What sentences call the device; its owner sets it once it is known."""
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._used_at = 0.0
        self._is_ended = False

    def ask(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        limit_s: float,
        cancel: CancelToken | None = None,
        may_repeat: bool = True,
    ) -> Reply:
        """Send one request and return the reply, whatever its status.

        Parameters
        ----------
        limit_s
            For the whole of it, whatever it hangs in.
        may_repeat
            Send it once more where the kept connection turns out to have been dropped.

        Raises
        ------
        Cancelled
            The token was set; the request is abandoned.
        DeviceUnreachableError
            No answer within the limit, or no connection.
        """
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"

        def work(connection: HTTPConnection) -> Reply:
            connection.request(method, path, body=body, headers=headers)
            with closing(connection.getresponse()) as response:
                content = response.read(MAX_REPLY_BYTES + 1)
            if len(content) > MAX_REPLY_BYTES:
                raise BadReplyError(f"{self.name} answered with far too much text.")
            return Reply(response.status, response.headers.get_content_type(), content)

        with _held(self._lock, self.name, limit_s, cancel):
            was_kept = self._is_kept()
            try:
                return self._run(work, limit_s, cancel)
            except _DroppedError as dropped:
                if not (was_kept and may_repeat):
                    raise silent(self.name, str(dropped)) from dropped
            try:
                return self._run(work, limit_s, cancel)
            except _DroppedError as dropped:
                raise silent(self.name, str(dropped)) from dropped

    def fetch(
        self,
        path: str,
        accept: str,
        take: Callable[[HTTPResponse], T],
        *,
        limit_s: float,
        cancel: CancelToken,
    ) -> T:
        """Ask for something large and let ``take`` read it, on a connection of its own.

        ``take`` runs in the request's thread. Never repeated: some servers hand a picture out once.

        Raises
        ------
        Cancelled, DeviceUnreachableError
            As `ask`; also when the bytes stop coming for ``patience.stall_s``.
        """
        patience = self.patience

        def work(connection: HTTPConnection) -> T:
            connection.request("GET", path, headers={"Accept": accept, "Connection": "close"})
            if connection.sock is not None:
                connection.sock.settimeout(patience.first_byte_s)
            with closing(connection.getresponse()) as response:
                if connection.sock is not None:
                    connection.sock.settimeout(patience.stall_s)
                return take(response)

        line = Line(self.server, patience)
        line.name = self.name
        try:
            return line._run(work, limit_s, cancel)
        except _DroppedError as dropped:
            raise silent(self.name, str(dropped)) from dropped
        finally:
            line.close()

    def close(self) -> None:
        """Let go of the connection; whoever still waits on it gets an error. Opens again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _cut(connection)

    def end(self) -> None:
        """Close for good: what still runs fails, and nothing opens it again."""
        self._is_ended = True
        self.close()

    def _is_kept(self) -> bool:
        """Whether there is an open connection that is young enough to be used again."""
        if self._connection is not None and time.monotonic() - self._used_at > _FRESH_AFTER_S:
            self.close()
        return self._connection is not None and self._connection.sock is not None

    def _run(
        self, work: Callable[[HTTPConnection], T], limit_s: float, cancel: CancelToken | None
    ) -> T:
        connection = self._connection
        if connection is None:
            connection = HTTPConnection(self.server.host, self.server.port)
            # The same for connecting and for silence between bytes; the limit is watched outside.
            connection.timeout = self.patience.connect_s
            self._connection = connection
        if self._is_ended:
            self.close()
            raise DeviceUnreachableError(f"{self.name} is closed.", hint="Connect it again.")
        if connection.sock is not None:
            connection.sock.settimeout(limit_s)
        call = _Call(_connecting_first(work, limit_s), connection)
        call.start()
        ends = time.monotonic() + limit_s
        try:
            while not call.done.wait(_LOOK_S):
                if cancel is not None:
                    cancel.check()
                if time.monotonic() > ends:
                    raise silent(self.name, f"waited {duration(limit_s)}")
        except BaseException:
            call.abandon()
            self.close()
            raise
        self._used_at = time.monotonic()
        if self._is_ended:
            self.close()  # it was ended while it connected
        if call.error is not None:
            self.close()
            raise self._told(call.error, limit_s) from call.error
        return call.value  # type: ignore[return-value]

    def _told(self, error: Exception, limit_s: float) -> Exception:
        """Turn what the transport raised into what callers know; others are passed on."""
        if isinstance(error, TimeoutError):
            return silent(self.name, f"waited {duration(limit_s)}")
        if isinstance(error, ConnectionRefusedError):
            return silent(self.name, f"nothing listens at {self.server}")
        if isinstance(error, socket.gaierror):
            return silent(self.name, f"the name {self.server.host} is not known")
        if isinstance(error, (OSError, HTTPException)):
            return _DroppedError(_short(error))
        return error


class _DroppedError(Exception):
    """The connection ended before the reply did."""


def _short(error: Exception) -> str:
    if isinstance(error, (ConnectionError, HTTPException)):
        return "the connection was closed"
    return getattr(error, "strerror", None) or type(error).__name__


def _connecting_first(
    work: Callable[[HTTPConnection], T], limit_s: float
) -> Callable[[HTTPConnection], T]:
    """Connect with the short limit of connecting, then work with the long one."""

    def connected(connection: HTTPConnection) -> T:
        if connection.sock is None:
            connection.connect()
            cast(socket.socket, connection.sock).settimeout(limit_s)
        return work(connection)

    return connected


def _cut(connection: HTTPConnection) -> None:
    """Close a connection that a thread may be reading from: that thread wakes up."""
    sock = connection.sock
    if sock is not None:
        # It may be closed or broken already.
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            sock.close()
    connection.sock = None


@contextmanager
def _held(
    lock: threading.Lock, name: str, limit_s: float, cancel: CancelToken | None
) -> Iterator[None]:
    """Hold a lock, but wait for it neither through a cancel nor for ever."""
    ends = time.monotonic() + limit_s
    while not lock.acquire(timeout=_LOOK_S):
        if cancel is not None:
            cancel.check()
        if time.monotonic() > ends:
            raise DeviceUnreachableError(
                f"{name} is still busy with an earlier request.", hint="Wait a moment, then retry."
            )
    try:
        yield
    finally:
        lock.release()
