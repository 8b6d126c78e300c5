"""`calibstudio rigs`, and `--rig NAME`, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calibstudio.cli import main as cli
from tests.helpers.fake_alpaca import FakeAlpaca, refuses


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("calibstudio.services.settings.settings_path", lambda: tmp_path / "c" / "s")
    monkeypatch.setattr("calibstudio.services.settings.data_folder", lambda: tmp_path / "d")
    return tmp_path


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    code = cli.run(["rigs", *words, "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out else None, said.err


def test_a_rig_of_a_server_is_added_shown_renamed_and_removed(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    place = f"alpaca://{server.server}"
    added = asked(
        capsys, "add", "Newton", "--address", place, "--telescope", "N 200", "--focal-length",
        "1000", "--site", "Hof,50.3,11.9,500,Europe/Berlin",
    )  # fmt: skip
    shown = asked(capsys, "show", "newton")
    renamed = asked(capsys, "rename", "Newton", "Big Newton")
    listed = asked(capsys, "list")
    removed = asked(capsys, "remove", "Big Newton")
    back = asked(capsys, "add", "Newton", "--file", removed[1]["file"])

    assert [code for code, _, _ in (added, shown, renamed, listed, removed, back)] == [0] * 6
    assert shown[1] == added[1]
    assert [d["role"] for d in shown[1]["devices"]] == [
        "camera", "filter wheel", "flat panel", "telescope",
    ]  # fmt: skip
    assert shown[1]["devices"][0] == {
        "role": "camera", "protocol": "alpaca", "type": "camera", "name": "Fake Camera",
        "host": "127.0.0.1", "port": server.port, "number": 0, "unique_id": "camera-0",
    }  # fmt: skip
    assert shown[1]["optics"] == {"telescope": "N 200", "focal_length_mm": 1000.0}
    assert [rig["name"] for rig in listed[1]["rigs"]] == ["Big Newton"]
    assert back[1] == added[1]


def test_the_words_of_a_rig_are_readable(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["rigs", "list"]) == 0
    assert "rigs add NAME" in capsys.readouterr().out
    cli.run(["rigs", "add", "R", "--address", f"alpaca://{server.server}"])
    assert f"camera        Fake Camera (alpaca {server.server})" in capsys.readouterr().out
    cli.run(["rigs", "list"])
    assert "R: Fake Camera and 3 more devices\n1 rig" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "small", "--simulated", "tiny"], "name of a simulated observatory"),
        (["add", "X", "--simulated", "huge"], "no simulated observatory huge"),
        (["add", "X", "--simulated", "tiny", "--site", "Hof,200,0"], "no place on Earth"),
        (["add", "X", "--simulated", "tiny", "--site", "Hof"], "is no site"),
        (["add", "X", "--simulated", "tiny", "--aperture", "-2"], "cannot be -2"),
        (["add", "X"], "required"),
        (["show", "Nothing"], "no rig called Nothing"),
        (["remove", "Nothing"], "no rig called Nothing"),
    ],
)
def test_wrong_use_is_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["rigs", *words]) == 2
    assert said in capsys.readouterr().err


def test_run_takes_a_rig_by_its_name_and_says_what_is_missing(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked(capsys, "add", "Newton", "--address", f"alpaca://{server.server}")
    server.faults["telescope", "PUT connected"] = refuses(0x500, "no mount on COM9")
    config = here / "night.yaml"
    config.write_text("calibstudio: 1\nmasters: false\nbias: {frames: 2}\n")

    code = cli.run(
        ["run", str(config), "--rig", "Newton", "--no-confirm", "--json",
         "--frames", str(here / "f"), "--library", str(here / "l")]
    )  # fmt: skip

    said = capsys.readouterr()
    assert "no mount on COM9" in said.err
    assert code in (0, 1)
    assert len(json.loads(said.out)["captured"]) >= 2
