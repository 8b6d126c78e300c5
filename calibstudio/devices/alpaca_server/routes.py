"""From a method and a URL to an answer, without a socket in sight."""

from __future__ import annotations

import html
import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from calibstudio import __version__
from calibstudio.devices.alpaca_server import image_bytes
from calibstudio.devices.alpaca_server.device import Device
from calibstudio.devices.alpaca_server.errors import DRIVER_ERROR, AlpacaError, BadRequestError
from calibstudio.devices.alpaca_server.members import unsigned

log = logging.getLogger(__name__)

JSON = "application/json; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_MOST_PARAMETERS = 64


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent."""

    verb: str
    target: str
    accept: str = ""
    form: str = ""
    """Body of a PUT, as it came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: ``parts`` one after the other, of known or unknown length in all."""

    status: int
    content_type: str
    parts: Iterable[bytes | memoryview] = ()
    length: int | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the management API says of the server."""

    name: str
    location: str = ""
    documents: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """More JSON documents to GET, by path; not part of the API."""


class Routes:
    """Answers requests. Safe to use from any thread."""

    def __init__(self, facts: ServerFacts, devices: Iterable[Device]) -> None:
        self._facts = facts
        self._devices: dict[tuple[str, int], Device] = {}
        for device in devices:
            number = sum(kind == device.kind.lower() for kind, _ in self._devices)
            self._devices[device.kind.lower(), number] = device
        self._counter, self._lock = itertools.count(1), threading.Lock()

    @property
    def devices(self) -> list[tuple[int, Device]]:
        """Every device with its number."""
        return [(number, device) for (_, number), device in self._devices.items()]

    def answer(self, request: Request) -> Answer:
        """Answer a request; whatever goes wrong becomes an answer too."""
        try:
            return self._routed(request)
        except BadRequestError as error:
            return _plain(400, str(error))
        except Exception:
            log.exception("%s %s: unexpected error", request.verb, request.target)
            return _plain(500, "The server ran into an error it did not expect.")

    def _routed(self, request: Request) -> Answer:
        url = urlsplit(request.target)
        parts = url.path.strip("/").split("/")
        given = _parameters(url.query if request.verb == "GET" else request.form)
        match parts:
            case ["api", "v1", kind, number, member] if request.verb in ("GET", "PUT"):
                return self._call(request, given, self._device(kind, number), member)
            case ["management", *rest] if request.verb == "GET":
                return self._management(rest, given)
            case ["setup"] | ["setup", "v1", _, _, "setup"] if request.verb == "GET":
                return _sized(200, _HTML, self._page().encode())
            case _ if request.verb == "GET" and url.path in self._facts.documents:
                document = self._facts.documents[url.path]()
                return _sized(200, JSON, json.dumps(document, ensure_ascii=False).encode())
        raise BadRequestError(f"There is nothing at {url.path[:80]!r} for {request.verb}.")

    def _device(self, kind: str, number: str) -> Device:
        device = None
        if number.isascii() and number.isdigit() and len(number) < 11:
            device = self._devices.get((kind, int(number)))
        if device is None:
            raise BadRequestError(f"There is no device {kind[:40]!r} number {number[:20]!r}.")
        return device

    def _call(
        self, request: Request, given: Mapping[str, str], device: Device, member: str
    ) -> Answer:
        client, server = _client_transaction(given, request.verb), self._next()
        wants_bytes = image_bytes.MIME in request.accept.lower()
        is_image = member in ("imagearray", "imagearrayvariant") and request.verb == "GET"
        try:
            value = device.call(member, write=request.verb == "PUT", given=given)
        except AlpacaError as error:
            if is_image and wants_bytes:
                body = image_bytes.error_as_image_bytes(error.number, str(error), client, server)
                return _sized(200, image_bytes.MIME, body)
            return _json(client, server, number=error.number, message=str(error))
        except BadRequestError:
            raise
        except Exception:
            log.exception("%s %s: unexpected error", device.name, member)
            return _json(client, server, number=DRIVER_ERROR, message=f"{member} failed.")
        if isinstance(value, image_bytes.Image):
            if wants_bytes:
                header, pixels = image_bytes.as_image_bytes(value, client, server)
                length = len(header) + pixels.nbytes
                return Answer(200, image_bytes.MIME, (header, pixels), length)
            return Answer(200, JSON, image_bytes.as_json(value, client, server))
        return _json(client, server, value=value)

    def _management(self, path: list[str], given: Mapping[str, str]) -> Answer:
        value: Any
        match path:
            case ["apiversions"]:
                value = [1]
            case ["v1", "description"]:
                value = {
                    "ServerName": self._facts.name,
                    "Manufacturer": "CalibStudio",
                    "ManufacturerVersion": __version__,
                    "Location": self._facts.location,
                }
            case ["v1", "configureddevices"]:
                value = [
                    {
                        "DeviceName": device.name,
                        "DeviceType": device.kind,
                        "DeviceNumber": number,
                        "UniqueID": device.unique_id,
                    }
                    for number, device in self.devices
                ]
            case _:
                raise BadRequestError(f"There is no management item {'/'.join(path)[:60]!r}.")
        client, server = _client_transaction(given, "GET"), self._next()
        ids = {"ClientTransactionID": client, "ServerTransactionID": server}
        return _sized(200, JSON, json.dumps({"Value": value} | ids, ensure_ascii=False).encode())

    def _next(self) -> int:
        with self._lock:
            return next(self._counter)

    def _page(self) -> str:
        rows = "".join(
            f"<li>{html.escape(device.name)}: {device.kind.lower()} {number}</li>"
            for number, device in self.devices
        )
        links = "".join(
            f'<li><a href="{html.escape(path)}">{html.escape(path)}</a></li>'
            for path in self._facts.documents
        )
        name = html.escape(self._facts.name)
        return (
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
            f"<h1>{name}</h1><ul>{rows}</ul><ul>{links}</ul></html>"
        )


def _parameters(text: str) -> dict[str, str]:
    """Read a query or a form; of a name that is there twice, the first counts."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, errors="strict"
        )
    except ValueError as error:
        raise BadRequestError("The parameters cannot be read.") from error
    return dict(reversed(pairs))


def _client_transaction(given: Mapping[str, str], verb: str) -> int:
    """Return the client's number, 0 without one. Raises `BadRequestError` for nonsense."""
    if verb == "GET":
        given = {name.lower(): value for name, value in given.items()}
    found = 0
    for name in ("ClientID", "ClientTransactionID"):
        text = given.get(name.lower() if verb == "GET" else name, "0")
        try:
            found = unsigned(text)
        except ValueError as error:
            raise BadRequestError(f"{name} must be {error}, not {text[:40]!r}.") from error
    return found


def _json(
    client: int, server: int, *, value: Any = None, number: int = 0, message: str = ""
) -> Answer:
    body: dict[str, Any] = {} if value is None else {"Value": value}
    body |= {
        "ClientTransactionID": client,
        "ServerTransactionID": server,
        "ErrorNumber": number,
        "ErrorMessage": message,
    }
    return _sized(200, JSON, json.dumps(body, ensure_ascii=False).encode())


def _plain(status: int, text: str) -> Answer:
    return _sized(status, _TEXT, text.encode())


def _sized(status: int, content_type: str, body: bytes) -> Answer:
    return Answer(status, content_type, (body,), len(body))
