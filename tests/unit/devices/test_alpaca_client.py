"""Addresses, values and connections: what every Alpaca device is reached by."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.address import DeviceType, parse_address
from calibstudio.devices.alpaca.failures import (
    BadReplyError,
    DriverError,
    NotConnectedError,
)
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.errors import DeviceUnreachableError, UsageError
from tests.helpers import fake_alpaca as faults
from tests.helpers.fake_alpaca import FakeAlpaca
from tests.unit.devices.alpaca_rigs import device_of


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


ADDRESSES = {
    "10.0.0.5:11111": (ServerAddress("10.0.0.5", 11111), None),
    "alpaca://box.local:4567/": (ServerAddress("box.local", 4567), None),
    "alpaca://box.local": (ServerAddress("box.local", 11111), None),
    "box:80/35834": (ServerAddress("box", 80), 35834),
    "[fe80::1%eth0]:32323/2": (ServerAddress("fe80::1%eth0", 32323), 2),
    "::1": (ServerAddress("::1", 11111), None),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read_with_its_device_number(text: str) -> None:
    assert parse_address(text) == ADDRESSES[text]


@pytest.mark.parametrize(
    "text",
    ["", ":11111", "box:0", "box:70000", "box:port", "box:1/x", "a b:1", "[::1:5", "box:80?x=1"],
)
def test_what_is_no_address_is_said_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as problem:
        parse_address(text)

    assert "host:port" in problem.value.hint


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        server, _ = parse_address(text)
    except UsageError:
        return
    assert parse_address(str(server))[0] == server


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_any_value_of_a_reply_is_checked_without_an_error(value: object) -> None:
    whole, decimal, names = values.whole(value), values.decimal(value), values.texts(value)

    assert whole is None or isinstance(whole, int)
    assert decimal is None or decimal - decimal == 0.0
    assert names is None or all(isinstance(name, str) for name in names)
    assert values.yes(value) in (True, False, None)
    said = values.text(value)
    assert said is None or (len(said) <= 200 and (said == "" or said.isprintable()))


def test_values_are_not_taken_for_what_they_are_not() -> None:
    assert values.whole(True) is None
    assert values.whole(1.5) is None
    assert (values.whole(3.0), values.whole("3")) == (3, 3)
    assert values.decimal(float("nan")) is None
    assert (values.yes("True"), values.yes(0), values.yes("maybe")) == (True, False, None)
    assert values.texts([{"Name": "MONO"}, "RAW"]) == ("MONO", "RAW")
    assert values.texts(["a", None]) is None


REPLIES = {
    "an error of ASCOM": (faults.refuses(0x401, "too high"), DriverError, "too high"),
    "an error with HTTP 404": (faults.refuses(0x400, "not there", 404), DriverError, "not there"),
    "not connected": (faults.refuses(0x407), NotConnectedError, "not connected"),
    "HTML": (faults.html, DriverError, "Internal Server Error.*HTTP 500"),
    "no value": (faults.no_value, BadReplyError, "gainmax"),
    "a wrong type": (faults.says("lots"), BadReplyError, "lots"),
    "text": (faults.body(b"hello"), BadReplyError, "hello"),
    "nothing": (faults.body(b""), BadReplyError, "nothing"),
    "another JSON": (faults.body(b"[1, 2]"), BadReplyError, "not Alpaca"),
    "deep JSON": (faults.body(b"[" * 100_000), BadReplyError, "not Alpaca"),
    "a crooked error number": (
        faults.body(b'{"ErrorNumber": "bad", "Value": 3}'), BadReplyError, "nonsense",
    ),
    "far too much": (faults.body(b" " * 9_000_000), BadReplyError, "too much"),
    "bytes that are no text": (faults.body(b"\xff\xfe\x00\x80"), BadReplyError, "not Alpaca"),
    "a closed connection": (faults.cut, DeviceUnreachableError, "connection was closed"),
    "silence": (faults.hang, DeviceUnreachableError, "waited"),
}  # fmt: skip


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
def test_every_bad_reply_is_an_error_of_ours_in_one_line(
    server: FakeAlpaca, reply: tuple[faults.Fault, type[Exception], str]
) -> None:
    fault, error, words = reply
    device = device_of(server, DeviceType.CAMERA)
    server.faults["camera", "gainmax"] = fault

    with pytest.raises(error, match=words) as problem:
        device.read("gainmax", values.whole)

    assert "\n" not in str(problem.value) and str(problem.value).endswith(".")
    assert problem.value.hint.endswith(".")  # type: ignore[attr-defined]
    server.faults.clear()
    assert device.read("gainmax", values.whole) == 300


def test_a_kept_connection_that_was_dropped_costs_nothing(server: FakeAlpaca) -> None:
    device = device_of(server, DeviceType.CAMERA)
    assert device.read("gainmax", values.whole) == 300
    server.die()
    server.come_back()

    assert device.read("gainmax", values.whole) == 300


def test_connections_are_kept(server: FakeAlpaca) -> None:
    device = device_of(server, DeviceType.CAMERA)

    for _ in range(20):
        device.read("gainmax", values.whole)

    assert len(server.connections) == 1


def test_an_order_is_never_sent_twice(server: FakeAlpaca) -> None:
    device = device_of(server, DeviceType.CAMERA)
    device.read("gainmax", values.whole)
    server.faults["camera", "startexposure"] = faults.cut

    with pytest.raises(DeviceUnreachableError):
        device.act("startexposure", {"Duration": 1, "Light": "True"})

    sent = [path for verb, path in server.requests if verb == "PUT"]
    assert sent == ["/api/v1/camera/0/startexposure"]


def test_proxies_of_the_environment_are_not_used(
    server: FakeAlpaca, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    device = device_of(server, DeviceType.CAMERA)

    assert device.read("gainmax", values.whole) == 300


def test_two_devices_never_wait_for_each_other(server: FakeAlpaca) -> None:
    slow, quick = device_of(server, DeviceType.CAMERA), device_of(server, DeviceType.FILTER_WHEEL)
    server.faults["camera", "ccdtemperature"] = faults.late(0.8)
    worker = threading.Thread(target=slow.read, args=("ccdtemperature", values.decimal))
    worker.start()
    begun = time.monotonic()

    for _ in range(5):
        quick.read("position", values.whole)

    assert worker.is_alive()
    assert time.monotonic() - begun < 0.7
    worker.join()


def test_nobody_there_is_said_with_host_and_port(server: FakeAlpaca) -> None:
    server.die()
    device = device_of(server, DeviceType.CAMERA)

    with pytest.raises(DeviceUnreachableError, match=f"nothing listens at {server.server}"):
        device.connect()


def test_a_device_that_takes_long_to_connect_is_waited_for(server: FakeAlpaca) -> None:
    # Longer than a property or a setting may take.
    server.faults["camera", "PUT connected"] = faults.late(1.2)
    device = device_of(server, DeviceType.CAMERA)

    device.connect()

    assert server.camera.values["connected"] is True


def test_connecting_again_after_a_disconnect_works(server: FakeAlpaca) -> None:
    first = device_of(server, DeviceType.CAMERA)
    first.connect()
    server.camera.values["connected"] = False

    first.ensure_connected()

    assert server.camera.values["connected"] is True


def test_only_what_we_connected_is_disconnected(server: FakeAlpaca) -> None:
    server.wheel.values["connected"] = True
    camera, wheel = (device_of(server, k) for k in (DeviceType.CAMERA, DeviceType.FILTER_WHEEL))
    camera.connect()
    wheel.connect()

    camera.close()
    wheel.close()

    assert server.camera.values["connected"] is False
    assert server.wheel.values["connected"] is True
