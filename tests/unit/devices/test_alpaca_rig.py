"""Finding servers and devices, and opening an observatory from them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from calibstudio.devices import rig_opening
from calibstudio.devices.alpaca.address import DeviceType
from calibstudio.devices.alpaca.discovery import (
    QUESTION,
    Target,
    find_devices,
    find_servers,
    list_devices,
    targets,
)
from calibstudio.devices.discovery import Found, FoundDevice, discover
from calibstudio.devices.server_address import ServerAddress
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.errors import DeviceError, DeviceUnreachableError, UsageError
from calibstudio.domain.jobs import CancelToken
from tests.helpers import fake_alpaca as faults
from tests.helpers.fake_alpaca import FakeAlpaca
from tests.helpers.fake_alpaca_devices import FakeCamera, FakePanel
from tests.helpers.opening import open_at
from tests.unit.devices.alpaca_rigs import QUICK


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


@contextmanager
def responder(
    *answers: bytes, family: int = socket.AF_INET, host: str = "127.0.0.1"
) -> Iterator[Target]:
    """Answer the question of discovery as told."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.settimeout(3.0)

        def answer() -> None:
            try:
                question, sender = sock.recvfrom(100)
                assert question == QUESTION
                for content in answers:
                    sock.sendto(content, sender)
            except OSError:
                return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield Target(host, sock.getsockname()[1])
    thread.join(4.0)


def _says(port: int) -> bytes:
    return json.dumps({"AlpacaPort": port}).encode()


def test_a_server_is_found_in_one_pass(server: FakeAlpaca) -> None:
    with responder(_says(server.port)) as target:
        begun = time.monotonic()

        devices, problems = find_devices([target], wait_s=0.4)

    assert time.monotonic() - begun < 2.0
    assert problems == []
    assert [(d.type, d.number, d.name) for d in devices] == [
        (DeviceType.CAMERA, 0, "Fake Camera"),
        (DeviceType.FILTER_WHEEL, 0, "Fake Wheel"),
        (DeviceType.COVER_CALIBRATOR, 0, "Fake Panel"),
        (DeviceType.TELESCOPE, 0, "Fake Mount"),
    ]


def test_answers_that_are_none_are_passed_over() -> None:
    nonsense = (b"", b"hello", b"[1]", b"\xff\xfe", _says(0), _says(99999), b'{"AlpacaPort":"x"}')
    with responder(*nonsense, _says(4321)) as target:
        assert find_servers([target], wait_s=0.4) == [ServerAddress("127.0.0.1", 4321)]


def test_ipv6_is_asked_as_well() -> None:
    with responder(_says(4321), family=socket.AF_INET6, host="::1") as target:
        assert find_servers([target], wait_s=0.4) == [ServerAddress("::1", 4321)]


def test_a_server_that_answers_on_both_is_given_once() -> None:
    with (
        responder(_says(4321)) as first,
        responder(_says(4321), family=socket.AF_INET6, host="::1") as second,
    ):
        assert find_servers([second, first], wait_s=0.4) == [ServerAddress("127.0.0.1", 4321)]


def test_this_computer_and_every_network_of_it_are_asked() -> None:
    hosts = {target.host for target in targets()}

    assert {"127.0.0.1", "::1", "255.255.255.255"} <= hosts


def test_a_server_that_hangs_after_its_answer_is_a_problem_not_an_end(server: FakeAlpaca) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, responder(_says(server.port), _says(silent.getsockname()[1])) as target:
        devices, problems = find_devices([target], wait_s=0.3, patience=QUICK)

    assert len(devices) == 4
    assert [type(p) for p in problems] == [DeviceUnreachableError]


def test_a_server_without_a_list_is_asked_for_each_device(server: FakeAlpaca) -> None:
    server.management = False
    server.devices["camera", 1] = second = FakeCamera()
    second.values["name"] = "Guide Camera"

    found = list_devices(server.server)

    assert [(str(d.type), d.number, d.name) for d in found] == [
        ("camera", 0, "Fake Camera"), ("camera", 1, "Guide Camera"),
        ("filterwheel", 0, "Fake Wheel"), ("covercalibrator", 0, "Fake Panel"),
        ("telescope", 0, "Fake Mount"),
    ]  # fmt: skip


def test_a_web_server_is_not_taken_for_an_alpaca_server(server: FakeAlpaca) -> None:
    server.management = False
    server.devices.clear()

    with pytest.raises(DeviceUnreachableError, match="not as an Alpaca server"):
        list_devices(server.server)


def test_device_numbers_need_not_begin_at_zero(server: FakeAlpaca) -> None:
    server.devices = {("camera", 35834): server.camera}

    observatory = open_at(f"alpaca://{server.server}", alpaca=QUICK)

    assert observatory.camera.info.name == "Fake Camera"
    assert observatory.wheel is None and observatory.panel is None and observatory.mount is None
    observatory.close()


def test_the_whole_observatory_is_opened_and_closed(server: FakeAlpaca) -> None:
    observatory = open_at(f"alpaca://{server.server}", alpaca=QUICK)
    assert observatory.panel is not None
    observatory.panel.set_brightness(200, CancelToken())

    assert observatory.missing == ()
    assert observatory.site is not None and observatory.site.latitude_deg == 50.0
    observatory.close()
    observatory.close()

    assert server.panel.get_brightness() == 0
    assert not any(d.values["connected"] for d in server.devices.values())


def test_one_missing_device_is_reported_and_the_rest_is_used(server: FakeAlpaca) -> None:
    server.faults["filterwheel", "PUT connected"] = faults.refuses(0x500, "no wheel on COM3")

    observatory = open_at(f"alpaca://{server.server}", alpaca=QUICK)

    assert observatory.wheel is None
    assert observatory.panel is not None
    (missing,) = observatory.missing
    assert missing.title == "Fake Wheel"
    assert "COM3" in str(missing.error)
    observatory.close()


def test_a_device_that_hangs_while_connecting_is_reported_in_time(
    server: FakeAlpaca, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig_opening, "CONNECT_LIMIT_S", 0.8)
    server.faults["telescope", "*"] = faults.hang
    begun = time.monotonic()

    observatory = open_at(f"alpaca://{server.server}")

    assert time.monotonic() - begun < 4.0
    server.faults.clear()
    assert [m.title for m in observatory.missing] == ["Fake Mount"]
    assert observatory.wheel is not None
    server.released.set()
    observatory.close()


def test_without_the_camera_nothing_stays_connected(server: FakeAlpaca) -> None:
    server.faults["camera", "cameraxsize"] = faults.says(0)

    with pytest.raises(DeviceError, match="Fake Camera"):
        open_at(f"alpaca://{server.server}", alpaca=QUICK)

    assert not any(d.values["connected"] for d in server.devices.values())


def test_a_cover_and_a_lamp_apart_are_one_panel(server: FakeAlpaca) -> None:
    server.devices["covercalibrator", 0] = cover = FakePanel(has_lamp=False)
    server.devices["covercalibrator", 1] = lamp = FakePanel(has_cover=False)

    observatory = open_at(f"alpaca://{server.server}", alpaca=QUICK)

    panel = observatory.panel
    assert panel is not None
    panel.move_cover(open_it=True, cancel=CancelToken())
    panel.set_brightness(40, CancelToken())
    assert (panel.status().cover, panel.status().brightness) == (CoverState.OPEN, 40)
    assert (cover.get_coverstate(), lamp.get_brightness()) == (FakePanel.OPEN, 40)
    observatory.close()
    assert lamp.get_brightness() == 0


def test_no_camera_there_is_said(server: FakeAlpaca) -> None:
    del server.devices["camera", 0]

    with pytest.raises(UsageError, match=r"has not a camera\. There is: filterwheel 0"):
        open_at(f"alpaca://{server.server}")


def test_nobody_there_is_said(server: FakeAlpaca) -> None:
    server.die()

    with pytest.raises(DeviceUnreachableError, match="nothing listens"):
        open_at(f"alpaca://{server.server}")


def test_closing_with_a_dead_server_is_quick(server: FakeAlpaca) -> None:
    observatory = open_at(f"alpaca://{server.server}", alpaca=QUICK)
    server.die()
    begun = time.monotonic()

    observatory.close()

    assert time.monotonic() - begun < 3.0


def test_other_protocols_find_their_place() -> None:
    device = FoundDevice("indi", "10.0.0.9", 7624, "camera", 0, "CCD")

    def silent(address: str, cancel: CancelToken) -> Found:
        raise DeviceUnreachableError("Nobody.", hint="Wait.")

    finders = {"indi": lambda address, cancel: Found((device,)), "alpaca": silent}

    everywhere = discover(finders=finders)
    here = discover("10.0.0.9:7624", finders=finders)

    assert everywhere.devices == here.devices == (device,)
    assert [str(p) for p in everywhere.problems] == ["Nobody."]
    assert here.problems == ()
    with pytest.raises(DeviceUnreachableError):
        discover("x:1", finders={"a": silent, "b": silent})
    with pytest.raises(UsageError):
        discover("not an address")
