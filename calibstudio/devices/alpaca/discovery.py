"""Which Alpaca servers and devices there are.

One pass: a question to every broadcast address of this computer, to itself, and to the multicast
group of IPv6 at once, about two seconds for the answers, then each server's list of devices.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import select
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

import ifaddr

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.address import DeviceAddress, DeviceType
from calibstudio.devices.alpaca.failures import BadReplyError
from calibstudio.devices.alpaca.line import Line, Patience, Reply
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.errors import CalibStudioError, DeviceError, DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken

log = logging.getLogger(__name__)

PORT = 32_227
QUESTION = b"alpacadiscovery1"
GROUP_V6 = "ff12::a1:9aca"
WAIT_S = 2.0
_AGAIN_AFTER_S = 0.7
_MOST_SERVERS = 200
_MOST_DEVICES = 500
_HIGHEST_NUMBER = 7
"""How far to count where a server has no list of its devices."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask. ``interface`` is the index for IPv6 multicast, 0 for none."""

    host: str
    port: int = PORT
    interface: int = 0


def targets() -> tuple[Target, ...]:
    """Return every place to ask: this computer, its broadcast addresses, the IPv6 group."""
    found = [Target("127.0.0.1"), Target("::1"), Target("255.255.255.255")]
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            if ip.is_IPv4:
                network = ipaddress.ip_network(f"{ip.ip}/{ip.network_prefix}", strict=False)
                if not network.is_loopback and network.prefixlen < 31:
                    found.append(Target(str(network.broadcast_address)))
            elif adapter.index:
                found.append(Target(GROUP_V6, interface=adapter.index))
    return tuple(dict.fromkeys(found))


def find_servers(
    asked: Iterable[Target] | None = None,
    *,
    wait_s: float = WAIT_S,
    cancel: CancelToken | None = None,
) -> list[ServerAddress]:
    """Ask who is there, and return every server that answered, each once.

    Takes ``wait_s``. Servers of this computer that answer at several addresses are given as
    127.0.0.1.

    Raises
    ------
    Cancelled
    """
    places = tuple(asked) if asked is not None else targets()
    token = cancel or CancelToken()
    found: dict[ServerAddress, None] = {}
    with ExitStack() as stack:
        sockets = {family: stack.enter_context(s) for family, s in _sockets().items()}
        _send(sockets, places)
        began = time.monotonic()
        sent_again = False
        while (passed := time.monotonic() - began) < wait_s and len(found) < _MOST_SERVERS:
            token.check()
            if not sent_again and passed > _AGAIN_AFTER_S:
                sent_again = True  # a datagram may be lost
                _send(sockets, places)
            ready, _, _ = select.select(list(sockets.values()), [], [], 0.1)
            for sock in ready:
                server = _answer(sock)
                if server is not None:
                    found[server] = None
    return _each_once(found)


def list_devices(
    server: ServerAddress, patience: Patience | None = None, cancel: CancelToken | None = None
) -> list[DeviceAddress]:
    """Return the devices of a server, by its management API, or by asking for each.

    Raises
    ------
    DeviceUnreachableError
        It does not answer.
    Cancelled
    """
    line = Line(server, patience or Patience(read_s=4.0))
    try:
        listed = _by_management(line, cancel)
        return listed if listed is not None else _by_asking(line, cancel)
    finally:
        line.close()


def find_devices(
    asked: Iterable[Target] | None = None,
    *,
    wait_s: float = WAIT_S,
    patience: Patience | None = None,
    cancel: CancelToken | None = None,
) -> tuple[list[DeviceAddress], list[CalibStudioError]]:
    """Find every device, and what went wrong with servers that answered only the first question.

    The same device under two addresses of its server (IPv4 and IPv6) is given once.
    """
    servers = find_servers(asked, wait_s=wait_s, cancel=cancel)
    lists: dict[ServerAddress, list[DeviceAddress]] = {}
    problems: list[CalibStudioError] = []

    def ask(server: ServerAddress) -> None:
        try:
            lists[server] = list_devices(server, patience, cancel)
        except DeviceError as error:
            problems.append(error)

    # A server that hangs must not hold up the others.
    threads = [
        threading.Thread(target=ask, args=(server,), daemon=True, name=f"list of {server}")
        for server in servers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.1)
            if cancel is not None:
                cancel.check()
    devices: dict[object, DeviceAddress] = {}
    for server in servers:
        for device in lists.get(server, ()):
            key: object = (device.unique_id, device.type) if device.unique_id else device
            devices.setdefault(key, device)
    return list(devices.values()), problems


# Asking over UDP ------------------------------------------------------------------------------


def _sockets() -> dict[int, socket.socket]:
    found: dict[int, socket.socket] = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        # A computer may have only one of the two.
        with suppress(OSError):
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            if family == socket.AF_INET:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            found[family] = sock
    return found


def _send(sockets: dict[int, socket.socket], places: Iterable[Target]) -> None:
    for place in places:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        sock = sockets.get(family)
        if sock is None:
            continue
        try:
            if family == socket.AF_INET6 and place.interface:
                option = socket.IPV6_MULTICAST_IF
                sock.setsockopt(socket.IPPROTO_IPV6, option, place.interface)
            sock.sendto(QUESTION, (place.host, place.port))
        except OSError as error:
            log.debug("cannot ask at %s: %s", place, error)


def _answer(sock: socket.socket) -> ServerAddress | None:
    """Read one answer; None for what is not one."""
    try:
        content, sender = sock.recvfrom(1024)
    except OSError as error:  # also: the port of an earlier question is closed
        log.debug("no answer: %s", error)
        return None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    port = values.whole(document.get("AlpacaPort")) if isinstance(document, dict) else None
    if port is None or not 0 < port < 65_536:
        return None
    return ServerAddress(_host(sender), port)


def _host(sender: tuple[object, ...]) -> str:
    host = str(sender[0])
    scope = sender[3] if len(sender) > 3 else 0
    if isinstance(scope, int) and scope and "%" not in host:
        with suppress(OSError):
            return f"{host}%{socket.if_indextoname(scope)}"
    return host


def _each_once(found: Iterable[ServerAddress]) -> list[ServerAddress]:
    """Give servers of this computer once, IPv4 before IPv6."""
    own = {"127.0.0.1", "::1"}
    for adapter in ifaddr.get_adapters():
        own |= {ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapter.ips}
    servers = set(found)
    local = ServerAddress("127.0.0.1", 0)
    kept = {
        server
        for server in servers
        if server.host == local.host
        or server.host.partition("%")[0] not in own
        or replace(local, port=server.port) not in servers
    }
    return sorted(kept, key=lambda s: (":" in s.host, s))


# Asking a server ------------------------------------------------------------------------------


def _by_management(line: Line, cancel: CancelToken | None) -> list[DeviceAddress] | None:
    """Return the list of the management API; None where there is none."""
    listed = _value(line, "/management/v1/configureddevices", cancel)
    if not isinstance(listed, list):
        return None
    found: list[DeviceAddress] = []
    for item in listed[:_MOST_DEVICES]:
        if not isinstance(item, dict):
            continue
        kind = (values.text(item.get("DeviceType")) or "").lower()
        number = values.whole(item.get("DeviceNumber"))
        if kind not in set(DeviceType) or number is None or number < 0:
            log.info("%s lists a device that is not known: %s", line.server, kind)
            continue
        name = values.text(item.get("DeviceName")) or ""
        unique_id = values.text(item.get("UniqueID")) or ""
        found.append(DeviceAddress(line.server, DeviceType(kind), number, name, unique_id))
    return found


def _by_asking(line: Line, cancel: CancelToken | None) -> list[DeviceAddress]:
    """Ask for the first devices of each type by their name."""
    found: list[DeviceAddress] = []
    answered = False
    for kind in DeviceType:
        for number in range(_HIGHEST_NUMBER + 1):
            path = f"/api/v1/{kind}/{number}/name"
            try:
                name = values.text(_value(line, path, cancel))
                answered = True
            except BadReplyError:
                name = None
            if name is None:
                break
            found.append(DeviceAddress(line.server, kind, number, name))
    if not answered:
        raise DeviceUnreachableError(
            f"{line.server} answers, but not as an Alpaca server.",
            hint="Check the port; ASCOM Remote usually has 11111.",
        )
    return found


def _value(line: Line, path: str, cancel: CancelToken | None) -> object:
    """Ask for a value; None for errors of Alpaca, `BadReplyError` for what is not Alpaca."""
    reply = line.ask("GET", path, limit_s=line.patience.read_s, cancel=cancel)
    document = _json_object(reply)
    if document is None and path.startswith("/management"):
        return None
    if document is None:
        raise BadReplyError(f"{line.server} did not answer as an Alpaca server.")
    is_error = reply.status != 200 or bool(values.whole(document.get("ErrorNumber", 0)))
    return None if is_error else document.get("Value")


def _json_object(reply: Reply) -> dict[str, object] | None:
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    is_alpaca = isinstance(document, dict) and ("Value" in document or "ErrorNumber" in document)
    return document if is_alpaca else None
