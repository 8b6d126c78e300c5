"""Answers those who look for Alpaca servers on the network.

A client sends the text ``alpacadiscovery1`` to UDP port 32227 and gets the port of the server.
"""

from __future__ import annotations

import json
import logging
import select
import socket
import threading

log = logging.getLogger(__name__)

PORT = 32227
_ASKED = b"alpacadiscovery1"


class DiscoveryResponder:
    """Listens until it is closed.

    Parameters
    ----------
    address
        That of the server. On the loopback address only programs of this machine are heard.
    alpaca_port
        The answer.
    port
        Where to listen; another than `PORT` is for tests.
    """

    def __init__(self, address: str, alpaca_port: int, *, port: int = PORT) -> None:
        self._answer = json.dumps({"AlpacaPort": alpaca_port}).encode()
        self._sockets = _listening(address, port)
        self._stop_here, self._stop_there = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="alpaca discovery", daemon=True)

    @property
    def is_listening(self) -> bool:
        """Whether the port could be had."""
        return bool(self._sockets)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop. Call it once."""
        self._stop_there.send(b"x")
        if self._thread.is_alive():
            self._thread.join(2.0)
        for each in (*self._sockets, self._stop_here, self._stop_there):
            each.close()

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([*self._sockets, self._stop_here], [], [])
            if self._stop_here in ready:
                return
            for listening in ready:
                try:
                    asked, sender = listening.recvfrom(1024)
                    if asked.startswith(_ASKED):
                        listening.sendto(self._answer, sender)
                except OSError as error:
                    log.debug("discovery: %s", error)


def _listening(address: str, port: int) -> list[socket.socket]:
    """Open what can be opened.

    On loopback two addresses: clients ask 127.0.0.1, or the broadcast address of that network.
    """
    loopback = address.startswith("127.") or address in ("localhost", "::1")
    wanted = (address, "127.255.255.255") if loopback else ("0.0.0.0",)
    found = []
    for where in wanted:
        where = "127.0.0.1" if where in ("localhost", "::1") else where
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Several servers on one machine share the port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((where, port))
            found.append(sock)
        except OSError as error:
            log.debug("discovery: %s port %s: %s", where, port, error)
            sock.close()
    return found
