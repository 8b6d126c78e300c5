"""The protocol to the letter, with raw HTTP: what the conformance checker of ASCOM looks for."""

from __future__ import annotations

import http.client
import importlib
import inspect
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from calibstudio.devices.alpaca_server.image_bytes import as_json, image_of
from calibstudio.devices.alpaca_server.server import AlpacaServer
from tests.helpers.served import served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
IDS = {"ClientID": "123456", "ClientTransactionID": "67890"}


class Client:
    """One connection, kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def send(
        self, verb: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        self._connection.request(verb, path, body, headers or {})
        answer = self._connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()

    def get(self, path: str, **parameters: str) -> tuple[int, dict[str, Any]]:
        """GET a member of a device; a refusal has its text under ``refused``."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._read(*self.send("GET", f"/api/v1/{path}{query}"))

    def put(self, path: str, **parameters: str) -> tuple[int, dict[str, Any]]:
        """PUT a member of a device."""
        return self._read(*self.send("PUT", f"/api/v1/{path}", urlencode(parameters), FORM))

    def close(self) -> None:
        self._connection.close()

    def _read(self, status: int, kind: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if status != 200:
            assert kind.startswith("text/plain")
            return status, {"refused": body.decode()}
        assert kind.startswith("application/json")
        return status, json.loads(body)


@pytest.fixture
def server() -> Iterator[AlpacaServer]:
    with served("tiny") as (opened, _):
        yield opened


@pytest.fixture
def client(server: AlpacaServer) -> Iterator[Client]:
    opened = Client(server.port)
    for kind in ("camera", "filterwheel", "covercalibrator", "telescope"):
        opened.put(f"{kind}/0/connected", Connected="True")
    yield opened
    opened.close()


def exposed(client: Client) -> None:
    """Take a bias."""
    client.put("camera/0/startexposure", Duration="0", Light="false")
    while not client.get("camera/0/imageready")[1]["Value"]:
        pass


def test_an_answer_has_everything_that_the_api_asks_for(client: Client) -> None:
    status, answer = client.get("camera/0/connected", **IDS)

    assert status == 200
    assert answer["Value"] is True
    assert answer["ClientTransactionID"] == 67_890
    assert answer["ErrorNumber"] == 0
    assert answer["ErrorMessage"] == ""
    again = client.get("camera/0/connected", **IDS)[1]
    assert again["ServerTransactionID"] > answer["ServerTransactionID"] > 0


def test_names_in_a_query_may_be_written_in_any_case(client: Client) -> None:
    answer = client.get("camera/0/connected", clientid="1", CLIENTTRANSACTIONID="5")[1]

    assert answer["ClientTransactionID"] == 5


def test_names_in_a_form_are_told_apart_by_case(client: Client) -> None:
    status, answer = client.put("camera/0/binx", BinX="2", clienttransactionid="5", clientid="x")
    assert (status, answer["ClientTransactionID"]) == (200, 0)

    for wrong in ("binx", "bINx", "BINX"):
        status, answer = client.put("camera/0/binx", **{wrong: "2"})
        assert status == 400
        assert "BinX" in answer["refused"]


def test_further_parameters_are_ignored(client: Client) -> None:
    assert client.put("camera/0/binx", BinX="2", Extra="1", **IDS)[0] == 200
    assert client.get("camera/0/binx", Extra="1")[1]["Value"] == 2


@pytest.mark.parametrize("name", ["ClientID", "ClientTransactionID"])
@pytest.mark.parametrize("value", ["", "   ", "-1", "asdasd", "4294967296", "1.5", "１"])
def test_numbers_of_a_client_that_are_none_are_refused(
    client: Client, name: str, value: str
) -> None:
    assert client.get("camera/0/connected", **{name: value})[0] == 400
    assert client.put("camera/0/binx", BinX="1", **{name: value})[0] == 400


@pytest.mark.parametrize(
    ("member", "name", "value"),
    [
        ("connected", "Connected", ""),
        ("connected", "Connected", "123456"),
        ("connected", "Connected", "asdqwe"),
        ("binx", "BinX", "asduio6fghZZ"),
        ("binx", "BinX", "1.0"),
        ("binx", "BinX", "1_0"),
        ("binx", "BinX", "99999999999"),
        ("setccdtemperature", "SetCCDTemperature", "-10,5"),
        ("setccdtemperature", "SetCCDTemperature", "nan"),
        ("setccdtemperature", "SetCCDTemperature", "inf"),
        ("setccdtemperature", "SetCCDTemperature", "1e999"),
        ("startexposure", "Duration", "x"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused(
    client: Client, member: str, name: str, value: str
) -> None:
    status, answer = client.put(f"camera/0/{member}", **{name: value})

    assert status == 400
    assert name in answer["refused"]


def test_values_are_understood_as_clients_write_them(client: Client) -> None:
    for text in ("True", "true", "TRUE"):
        assert client.put("camera/0/connected", Connected=text)[0] == 200
    for text in ("-10", "-10.0", "-1e1", "+3.5"):
        answer = client.put("camera/0/setccdtemperature", SetCCDTemperature=text)
        assert (answer[0], answer[1]["ErrorNumber"]) == (200, 0)


@pytest.mark.parametrize(
    "path",
    [
        "camera/0/descrip",
        "CAMERA/0/description",
        "Camera/0/description",
        "baddevicetype/0/description",
        "camera/-1/description",
        "camera/99999/description",
        "camera/A/description",
        "camera/²/description",
        "camera/0",
        "camera/0/description/more",
        "camera/0/Description",
        "dome/0/name",
    ],
)
def test_a_wrong_address_is_refused(client: Client, path: str) -> None:
    from urllib.parse import quote

    status, answer = client.get(quote(path))

    assert status == 400
    assert answer["refused"].endswith(".")


@pytest.mark.parametrize(
    "path", ["/apx/v1/camera/0/name", "/api/1/camera/0/name", "/api/v2/camera/0/name", "/", "/x"]
)
def test_a_wrong_version_or_root_is_refused(client: Client, path: str) -> None:
    assert client.send("GET", path)[0] == 400


@pytest.mark.parametrize("verb", ["POST", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(server: AlpacaServer, verb: str) -> None:
    opened = Client(server.port)

    status, _, body = opened.send(verb, "/api/v1/camera/0/connected", "Connected=True", FORM)

    assert status == 405
    assert body == b"Use GET or PUT."
    opened.close()


@pytest.mark.parametrize(
    ("path", "parameters", "number"),
    [
        ("camera/0/gains", {}, 0x400),
        ("camera/0/heatsinktemperature", {}, 0x400),
        ("camera/0/startx", {"StartX": "5"}, 0),
        ("camera/0/gain", {"Gain": "9999"}, 0x401),
        ("telescope/0/targetdeclination", {}, 0x402),
        ("camera/0/lastexposureduration", {}, 0x40B),
        ("camera/0/action", {"Action": "Dance", "Parameters": ""}, 0x40C),
        ("safetymonitor/0/devicestate", {}, 0x407),
    ],
)
def test_errors_have_the_numbers_of_the_api(
    client: Client, path: str, parameters: dict[str, str], number: int
) -> None:
    status, answer = (client.put if parameters else client.get)(path, **parameters)

    assert status == 200
    assert answer["ErrorNumber"] == number
    assert bool(answer["ErrorMessage"]) == (number != 0)


def test_a_picture_as_image_bytes_is_as_published(client: Client) -> None:
    exposed(client)

    status, kind, body = client.send(
        "GET",
        "/api/v1/camera/0/imagearray?ClientTransactionID=42",
        headers={"Accept": "application/imagebytes"},
    )
    again = client.send(
        "GET", "/api/v1/camera/0/imagearrayvariant", headers={"Accept": "application/imagebytes"}
    )

    assert (status, kind) == (200, "application/imagebytes")
    header = struct.unpack("<iiIIiiiiiii", body[:44])
    assert header[:3] == (1, 0, 42)
    assert header[4:] == (44, 2, 8, 2, 640, 480, 0)
    assert len(body) == 44 + 2 * 640 * 480
    assert again[2][44:] == body[44:]


def test_the_json_picture_has_the_same_pixels(client: Client) -> None:
    client.put("camera/0/numx", NumX="70")
    client.put("camera/0/numy", NumY="30")
    exposed(client)

    status, answer = client.get("camera/0/imagearray", **IDS)
    raw = client.send(
        "GET", "/api/v1/camera/0/imagearray", headers={"Accept": "application/imagebytes"}
    )[2]

    assert status == 200
    assert (answer["Type"], answer["Rank"], answer["ClientTransactionID"]) == (2, 2, 67_890)
    assert (answer["ErrorNumber"], answer["ErrorMessage"]) == (0, "")
    pixels = np.frombuffer(raw, "<u2", offset=44).reshape(70, 30)
    assert (np.array(answer["Value"]) == pixels).all()


def test_a_json_picture_of_any_width_is_one_document() -> None:
    for width in (1, 63, 64, 65, 200):
        data = np.arange(3 * width, dtype=np.uint16).reshape(3, width)

        document = json.loads(b"".join(as_json(image_of(data), 1, 2)))

        assert document["Value"] == data.T.tolist()


def test_without_a_picture_the_error_comes_as_image_bytes_too(client: Client) -> None:
    status, kind, body = client.send(
        "GET", "/api/v1/camera/0/imagearray", headers={"Accept": "application/imagebytes"}
    )

    assert (status, kind) == (200, "application/imagebytes")
    header = struct.unpack("<iiIIiiiiiii", body[:44])
    assert (header[0], header[1], header[4]) == (1, 0x40B, 44)
    assert "no picture" in body[44:].decode()


def test_pictures_are_turned_without_a_mistake_at_the_edges_of_blocks() -> None:
    data = np.random.default_rng(1).integers(0, 65_536, (1100, 700)).astype(np.uint16)

    assert (image_of(data).columns == data.T).all()


def test_forms_that_cannot_be_read_are_refused(server: AlpacaServer) -> None:
    path = "/api/v1/camera/0/connected"
    for body, headers, expected in (
        ("Connected=True", {"Content-Type": "application/json"}, 400),
        (b"Connected=\xff\xfe", FORM, 400),
        ("x" * 100_000, FORM, 413),
        ("&".join(f"a{i}=1" for i in range(100)), FORM, 400),
        (iter([b"Connected=True"]), FORM | {"Transfer-Encoding": "chunked"}, 411),
        ("", FORM, 400),
    ):
        opened = Client(server.port)
        assert opened.send("PUT", path, body, headers)[0] == expected
        opened.close()


def test_a_client_that_hangs_up_or_talks_nonsense_disturbs_nobody(
    server: AlpacaServer, client: Client
) -> None:
    exposed(client)
    for text in (
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /api/v1/camera/0/imagearray HTTP/1.1\r\nAccept: application/imagebytes\r\n\r\n",
        b"PUT /api/v1/camera/0/connected HTTP/1.1\r\nContent-Length: 50\r\n\r\nConn",
        b"GET " + b"/x" * 40_000,
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as rude:
            rude.sendall(text)
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert client.get("camera/0/connected")[1]["Value"] is True


def test_several_clients_are_served_at_once(server: AlpacaServer) -> None:
    seen: list[int] = []

    def ask() -> None:
        opened = Client(server.port)
        seen.extend(
            opened.get("camera/0/interfaceversion")[1]["ServerTransactionID"] for _ in range(20)
        )
        opened.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)

    assert len(seen) == len(set(seen)) == 120


def test_the_server_ends_with_connections_open_and_an_exposure_going_on() -> None:
    import time

    with served("tiny", speed=1.0) as (server, _):
        opened = Client(server.port)
        opened.put("camera/0/connected", Connected="true")
        opened.put("camera/0/startexposure", Duration="600", Light="false")
        begun = time.monotonic()

    assert time.monotonic() - begun < 5.0
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        opened.get("camera/0/name")
    opened.close()


def test_people_find_a_page_under_setup(client: Client) -> None:
    for path in ("/setup", "/setup/v1/camera/0/setup"):
        status, kind, body = client.send("GET", path)

        assert (status, kind) == (200, "text/html; charset=utf-8")
        assert "Simulated 0.3 MP mono" in body.decode()


def test_truth_and_faults_are_documents_for_a_browser(server: AlpacaServer, client: Client) -> None:
    for path, key in (("/simulator/truth", "camera"), ("/simulator/faults", "known")):
        status, kind, body = client.send("GET", path)

        assert (status, kind) == (200, "application/json; charset=utf-8")
        assert key in json.loads(body)


@pytest.mark.parametrize(
    "kind",
    [
        "camera",
        "covercalibrator",
        "filterwheel",
        "observingconditions",
        "safetymonitor",
        "telescope",
    ],
)
def test_every_member_that_alpyca_knows_is_answered(client: Client, kind: str) -> None:
    source = inspect.getsource(importlib.import_module(f"alpaca.{kind}"))
    source += inspect.getsource(importlib.import_module("alpaca.device"))
    asked = set(re.findall(r"""_(get|put)\(\s*["'](\w+)["']""", source))
    client.put(f"{kind}/0/connected", Connected="true")
    unknown = []

    for verb, member in sorted(asked):
        status, answer = (client.get if verb == "get" else client.put)(f"{kind}/0/{member}")
        # Without its parameters a member may be refused, but only for that reason.
        if status != 200 and "is missing" not in answer["refused"]:
            unknown.append((verb, member, answer))
        elif status == 200 and member not in ("connect", "disconnect"):
            assert answer["ErrorNumber"] in (0, 0x400, 0x402, 0x407, 0x40B), (member, answer)

    assert len(asked) > 10
    assert unknown == []
