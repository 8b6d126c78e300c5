"""`calibstudio serve-simulator`, as another program sees it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from calibstudio.cli import main as cli

COMMAND = [sys.executable, "-m", "calibstudio", "serve-simulator", "--no-discovery"]


@contextmanager
def running(checkout: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start it; it is gone at the end whatever happens."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--preset", "tiny", *arguments],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_document(process: subprocess.Popen[str]) -> dict[str, object]:
    """Read the one document, which comes when the server is there."""
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, "it ended before it said anything"
        text += line
    document: dict[str, object] = json.loads(text)
    return document


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_interrupted(checkout: Path, number: signal.Signals) -> None:
    with running(checkout, "--json", "--seed", "3") as process:
        document = read_document(process)
        with urlopen(f"{document['url']}/management/v1/configureddevices", timeout=10) as answer:
            devices = json.load(answer)["Value"]
        begun = time.monotonic()

        process.send_signal(number)
        out, err = process.communicate(timeout=10)

    assert time.monotonic() - begun < 5.0
    assert process.returncode == 130
    assert out == ""
    assert err == "calibstudio: Stopped. What was complete is kept.\n"
    assert (document["preset"], document["seed"], document["discovery"]) == ("tiny", 3, False)
    assert [d["UniqueID"] for d in devices] == [d["unique_id"] for d in document["devices"]]


def test_without_json_it_says_in_one_line_what_it_serves(checkout: Path) -> None:
    with running(checkout) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=10)

    assert line.startswith("Simulated 0.3 MP mono, seed 1, at http://127.0.0.1:")
    assert "camera, filterwheel, covercalibrator, telescope" in line
    assert rest == ""


def test_a_port_that_is_taken_is_said_with_the_cure(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code = cli.run(["serve-simulator", "--no-discovery", "--port", str(port)])

    assert code == 2
    assert f"127.0.0.1 port {port}: address already in use. Choose another" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "99999"],
        ["--preset", "huge"],
        ["--speed", "0"],
        ["--speed", "quick"],
        ["--start", "yesterday"],
        ["--address", "not an address"],
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["serve-simulator", "--no-discovery", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("calibstudio: ")
    assert "Traceback" not in err


def test_faults_can_be_there_from_the_beginning(checkout: Path) -> None:
    with running(checkout, "--json", "--fault", "disconnect:3,20", "--fault", "dead-wheel") as it:
        document = read_document(it)
        with urlopen(f"{document['url']}/simulator/faults", timeout=10) as answer:
            active = json.load(answer)["active"]
        with urlopen(str(document["truth"]), timeout=10) as answer:
            truth = json.load(answer)

    assert document["faults"] == ["disconnect:3,20", "dead-wheel"]
    assert active == truth["now"]["faults"] == {"disconnect": [3.0, 20.0], "dead-wheel": []}


@pytest.mark.parametrize("fault", ["melted", "light-leak:much", "full-disk"])
def test_a_fault_that_cannot_be_is_refused(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["serve-simulator", "--preset", "tiny", "--fault", fault]) == 2
    assert "fault" in capsys.readouterr().err


def test_the_truth_can_be_printed_without_serving(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["serve-simulator", "--preset", "mono12", "--seed", "4", "--truth"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (
        cli.run(["serve-simulator", "--preset", "mono12", "--seed", "4", "--truth", "--json"]) == 0
    )
    document = json.loads(capsys.readouterr().out)

    assert printed["seed"] == document["seed"] == 4
    assert printed["camera"]["converter_max_adu"] == 4095


def test_it_ends_at_once_though_a_large_picture_is_being_rendered(checkout: Path) -> None:
    command = [*COMMAND, "--port", "0", "--preset", "mono61", "--json"]
    with subprocess.Popen(
        command, cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            url = f"{read_document(process)['url']}/api/v1/camera/0"
            for member, form in (
                ("connected", b"Connected=true"),
                ("startexposure", b"Duration=0.1&Light=true"),
            ):
                urlopen(Request(f"{url}/{member}", form, method="PUT"), timeout=10).close()
            begun = time.monotonic()

            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()

    assert time.monotonic() - begun < 5.0
    assert process.returncode == 130
    assert err == "calibstudio: Stopped. What was complete is kept.\n"
