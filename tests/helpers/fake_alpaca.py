"""An Alpaca server on this machine that can be told to misbehave.

``server.faults["camera", "imagearray"] = stall(after=100)`` and the like; a fault is a function
that answers in place of the device, or returns False to let it.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from calibstudio.devices.server_address import ServerAddress
from tests.helpers.fake_alpaca_devices import (
    AlpacaFault,
    FakeCamera,
    FakeDevice,
    FakeMount,
    FakePanel,
    FakeWheel,
)

Fault = Callable[["_Handler"], bool]
_CODES = {"i2": 1, "i4": 2, "f8": 3, "f4": 4, "u8": 5, "u1": 6, "i8": 7, "u2": 8, "u4": 9}


class FakeAlpaca:
    """The server; `close` ends it, `die` cuts every connection and stops listening."""

    def __init__(self, *, management: bool = True, port: int = 0) -> None:
        self.camera, self.wheel = FakeCamera(), FakeWheel()
        self.panel, self.mount = FakePanel(), FakeMount()
        self.devices: dict[tuple[str, int], FakeDevice] = {
            ("camera", 0): self.camera,
            ("filterwheel", 0): self.wheel,
            ("covercalibrator", 0): self.panel,
            ("telescope", 0): self.mount,
        }
        self.management = management
        self.image_as = "bytes"
        self.faults: dict[tuple[str, str], Fault] = {}
        self.requests: list[tuple[str, str]] = []
        self.released = threading.Event()
        self.connections: set[socket.socket] = set()
        self.clients: list[Callable[[], None]] = []
        """What to call before it ends."""
        self._listen(port)

    @property
    def server(self) -> ServerAddress:
        """Where it is."""
        return ServerAddress("127.0.0.1", self.port)

    def die(self) -> None:
        """The process is killed: connections are cut, nothing listens."""
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5.0)

    def come_back(self) -> None:
        """The process is started again at the same port; devices are not connected then."""
        for device in self.devices.values():
            device.values["connected"] = False
        self.camera.restart()
        self._listen(self.port)

    def close(self) -> None:
        """End it; whoever hangs in it is let go, and clients are closed first."""
        self.released.set()
        self.faults.clear()
        for close in self.clients:
            close()
        self.die()

    def _listen(self, port: int) -> None:
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.fake = self
        self.port = int(self._http.server_address[1])
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    fake: FakeAlpaca

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    form: dict[str, str]

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.fake.connections.add(self.connection)

    def finish(self) -> None:
        self.server.fake.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        fake, path = self.server.fake, urlsplit(self.path)
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size).decode() if size else path.query
        self.form = {key: found[0] for key, found in parse_qs(body).items()}
        fake.requests.append((self.command, path.path))
        if path.path.startswith("/management"):
            self._manage(path.path)
            return
        parts = path.path.strip("/").split("/")
        if len(parts) != 5 or parts[:2] != ["api", "v1"]:
            self.page(404, "not found")
            return
        kind, number, member = parts[2], int(parts[3]), parts[4]
        for key in ((kind, member), (kind, f"{self.command} {member}"), (kind, "*")):
            fault = fake.faults.get(key)
            if fault is not None and fault(self):
                return
        device = fake.devices.get((kind, number))
        if device is None:
            self.page(400, "no such device")
            return
        try:
            if member == "imagearray" and self.command == "GET" and isinstance(device, FakeCamera):
                self.send_image(device.image(), device.dtype)
                return
            if self.command == "PUT":
                device.put(member, self.form)
                self.send_json({})
            else:
                self.send_json({"Value": device.get(member)})
        except AlpacaFault as error:
            self.send_json({"ErrorNumber": error.number, "ErrorMessage": str(error)})

    def _manage(self, path: str) -> None:
        fake = self.server.fake
        if not fake.management:
            self.page(404, "<h1>not here</h1>")
        elif path.endswith("configureddevices"):
            self.send_json({"Value": [
                {"DeviceName": d.values["name"], "DeviceType": kind.capitalize(),
                 "DeviceNumber": number, "UniqueID": f"{kind}-{number}"}
                for (kind, number), d in fake.devices.items()
            ]})  # fmt: skip
        else:
            self.send_json({"Value": "a text where an object is promised"})

    # Answers

    def send_json(self, document: dict[str, Any], status: int = 200) -> None:
        whole = {"ErrorNumber": 0, "ErrorMessage": "", "ServerTransactionID": 1} | document
        self.send(status, "application/json", json.dumps(whole).encode())

    def page(self, status: int, text: str) -> None:
        self.send(status, "text/html", text.encode())

    def send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_image(self, image: Any, dtype: Any = np.uint16) -> None:
        if self.server.fake.image_as == "json":
            document = {"Type": 2, "Rank": image.ndim, "Value": image.tolist()}
            self.send_json(document)
            return
        self.send(200, "application/imagebytes", image_bytes(image, dtype))


def image_bytes(image: Any, dtype: Any = np.uint16, *, error: int = 0, message: str = "") -> bytes:
    """Pack (x, y[, colour]) as ImageBytes, or an error."""
    if error:
        return struct.pack("<11i", 1, error, 1, 1, 44, 0, 0, 0, 0, 0, 0) + message.encode()
    kind = np.dtype(dtype)
    shape = (*image.shape, 0)[:3]
    code = _CODES[f"{kind.kind}{kind.itemsize}"]
    head = struct.pack("<11i", 1, 0, 1, 1, 44, 2, code, image.ndim, *shape)
    return head + np.ascontiguousarray(image).astype(kind).tobytes()


# Faults ---------------------------------------------------------------------------------------


def hang(handler: _Handler) -> bool:
    """Never answer."""
    handler.server.fake.released.wait(30.0)
    return True


def html(handler: _Handler) -> bool:
    """Answer as a web server whose program crashed."""
    handler.page(500, "<html><style>a {b: c}</style><h1>Internal\n Server Error</h1></html>")
    return True


def no_value(handler: _Handler) -> bool:
    """Answer without the value."""
    handler.send_json({})
    return True


def cut(handler: _Handler) -> bool:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def says(value: Any) -> Fault:
    """Answer with this value."""

    def fault(handler: _Handler) -> bool:
        handler.send_json({"Value": value})
        return True

    return fault


def refuses(number: int, message: str = "no", status: int = 200) -> Fault:
    """Answer with an error of ASCOM."""

    def fault(handler: _Handler) -> bool:
        handler.send_json({"ErrorNumber": number, "ErrorMessage": message}, status)
        return True

    return fault


def late(seconds: float) -> Fault:
    """Answer, but late."""

    def fault(handler: _Handler) -> bool:
        handler.server.fake.released.wait(seconds)
        return False

    return fault


def times(n: int, fault: Fault) -> Fault:
    """Misbehave n times, then behave."""
    left = [n]

    def limited(handler: _Handler) -> bool:
        left[0] -= 1
        return fault(handler) if left[0] >= 0 else False

    return limited


def body(content: bytes, content_type: str = "application/json") -> Fault:
    """Answer with these bytes."""

    def fault(handler: _Handler) -> bool:
        handler.send(200, content_type, content)
        return True

    return fault


def image_then(after: int, then: str) -> Fault:
    """Send so many bytes of the picture, then "stall", "cut", or "drip" byte by byte."""

    def fault(handler: _Handler) -> bool:
        content = image_bytes(handler.server.fake.camera.image())
        handler.send_response(200)
        handler.send_header("Content-Type", "application/imagebytes")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        if then == "stall":
            handler.server.fake.released.wait(30.0)
        ends = time.monotonic() + 30.0
        while then == "drip" and time.monotonic() < ends:
            handler.wfile.write(content[after : after + 1])
            if handler.server.fake.released.wait(0.05):
                break
        return cut(handler)

    return fault
