"""The sockets of the server: HTTP/1.1 with connections that are kept, one thread for each."""

from __future__ import annotations

import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from calibstudio import __version__
from calibstudio.devices.alpaca_server.routes import Answer, Request, Routes

log = logging.getLogger(__name__)

_LONGEST_BODY = 64 * 1024
_FORM = "application/x-www-form-urlencoded"


class AlpacaHttpServer(ThreadingHTTPServer):
    """Listens and hands requests to the routes. Knows its connections, so that it can end them."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], routes: Routes) -> None:
        self.routes = routes
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for our own name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin to serve a connection."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is nothing to complain about."""
        log.debug("connection from %s ended early", client_address)

    def end_connections(self) -> None:
        """End every connection that is still open; its thread then ends by itself."""
        with self._open_lock:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = f"CalibStudio/{__version__}", ""
    # An answer leaves at once and in one packet where it is small: in two, the second would wait
    # 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = _LONGEST_BODY
    timeout = 120
    server: AlpacaHttpServer

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve(Request("GET", self.path, self.headers.get("Accept", "")))

    def do_PUT(self) -> None:
        """Answer a PUT, whose parameters are in a form."""
        form = self._form()
        if form is not None:
            self._serve(Request("PUT", self.path, form=form))

    def do_POST(self) -> None:
        """The API does not know POST."""
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "Use GET or PUT.")

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are of interest only to somebody who debugs."""
        log.debug(format, *args)

    def _form(self) -> str | None:
        """Read the body; None when it was refused."""
        if self.headers.get("Transfer-Encoding"):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Send the form with a Content-Length.")
            return None
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.BAD_REQUEST, "Content-Length must be a number.")
            return None
        if int(length) > _LONGEST_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too long.")
            return None
        body = self.rfile.read(int(length))
        kind = self.headers.get("Content-Type", _FORM).split(";")[0].strip().lower()
        if body and kind != _FORM:
            self._refuse(HTTPStatus.BAD_REQUEST, f"Send the parameters as {_FORM}.")
            return None
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            self._refuse(HTTPStatus.BAD_REQUEST, "The form must be UTF-8.")
            return None

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer with an error, and end the connection: its body may not have been read."""
        self.close_connection = True
        body = text.encode()
        shown = () if self.command == "HEAD" else (body,)
        self._send(Answer(status, "text/plain; charset=utf-8", shown, len(body)))

    def _serve(self, request: Request) -> None:
        self._send(self.server.routes.answer(request))

    def _send(self, answer: Answer) -> None:
        chunked = answer.length is None and self.request_version == "HTTP/1.1"
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, PUT")
        if answer.length is not None:
            self.send_header("Content-Length", str(answer.length))
        elif chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        for part in answer.parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), bytes(part)) if chunked else part)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
