"""`calibstudio discover`: equipment on the network, as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from calibstudio.cli import main as cli
from calibstudio.devices import discovery
from calibstudio.devices.discovery import Found
from calibstudio.domain.errors import DeviceUnreachableError
from tests.helpers.fake_alpaca import FakeAlpaca


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


def test_one_server_is_listed_as_json(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["discover", "--address", str(server.server), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["devices"][0] == {
        "protocol": "alpaca", "address": "127.0.0.1", "port": server.port, "type": "camera",
        "number": 0, "name": "Fake Camera",
    }  # fmt: skip
    assert [d["type"] for d in document["devices"]] == [
        "camera", "filterwheel", "covercalibrator", "telescope",
    ]  # fmt: skip


def test_one_server_is_listed_as_a_table(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["discover", "--address", str(server.server)])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].split() == ["alpaca", str(server.server), "camera", "0", "Fake", "Camera"]
    assert lines[-1] == "4 devices"


def test_nobody_at_an_address_is_a_sentence(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str]
) -> None:
    server.die()

    code = cli.run(["discover", "--address", str(server.server)])

    said = capsys.readouterr().err
    assert code == 2
    assert f"nothing listens at {server.server}" in said
    assert "Traceback" not in said


def test_an_address_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["discover", "--address", "no port:x"]) == 2

    assert "HOST:PORT alone asks for both" in capsys.readouterr().err


def test_nothing_on_the_network_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(discovery, "FINDERS", {"alpaca": lambda address, cancel: Found(())})

    code = cli.run(["discover"])

    said = capsys.readouterr().out
    assert code == 0
    assert "ASCOM Remote" in said and "--address" in said


def test_a_server_that_does_not_give_its_list_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = DeviceUnreachableError("10.0.0.5:1 does not answer.", hint="Check it.")
    finders = {"alpaca": lambda address, cancel: Found((), (problem,))}
    monkeypatch.setattr(discovery, "FINDERS", finders)

    code = cli.run(["discover", "--json"])

    captured = capsys.readouterr()
    assert code == 1
    assert json.loads(captured.out) == {"devices": []}
    assert "10.0.0.5:1 does not answer. Check it." in captured.err
