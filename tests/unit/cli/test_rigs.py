"""`calibstudio rigs`, and `--rig NAME`, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calibstudio.cli import main as cli
from calibstudio.devices.rigs import open_rig
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
        (
            ["add", "X", "--address", "no port:x"],
            "“no port:x” is no address of equipment. Write",
        ),
        (["add", "X", "--address", "http://a:1"], "“http://a:1” is no address of equipment."),
        (["show", "Nothing"], "no rig called Nothing"),
        (["remove", "Nothing"], "no rig called Nothing"),
    ],
)
def test_wrong_use_is_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["rigs", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_camera_that_is_not_at_the_address_is_told_with_what_is_there(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"alpaca://{server.server}/7"

    assert cli.run(["rigs", "add", "R", "--address", place]) == 2

    said = capsys.readouterr().err
    assert f"{place} answers, but has not the camera 7. There is: " in said
    assert "camera 0 “Fake Camera”" in said


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


NIGHT = """\
calibstudio: 1
simulation: {speed: 3000, seed: 3, start: 2026-04-17T22:00:00Z}
camera: {gain: 100, offset: 50}
"""


def test_a_run_teaches_its_rig_the_gain_that_its_flats_measured(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked(capsys, "add", "Trial", "--simulated", "tiny")
    config = here / "night.yaml"
    config.write_text(
        f"{NIGHT}bias: {{frames: 4}}\nflats: {{frames: 8, filters: [L], dark_flats: 0}}\n"
    )
    code = cli.run(
        ["run", str(config), "--rig", "Trial", "--no-confirm", "--json",
         "--frames", str(here / "f"), "--library", str(here / "l")]
    )  # fmt: skip
    made = json.loads(capsys.readouterr().out)
    shown = asked(capsys, "show", "Trial")[1]
    cli.run(["rigs", "show", "Trial"])

    assert code in (0, 1)
    (gain,) = [one for one in shown["learned"] if one["what"] == "egain"]
    driver = open_rig("tiny").camera.conversion(100, None)
    assert driver is not None
    # 8 frames of 0.3 megapixels: photon transfer is good to well under a percent.
    assert gain["value"] == pytest.approx(driver.e_per_adu, rel=0.03)
    assert gain["source"] in [Path(m["path"]).name for m in made["masters"]]
    assert (gain["gain"], gain["at"][:10]) == (100, "2026-04-17")
    (trained,) = shown["trained_flats"]
    assert trained["filter"] == "L" and trained["exposure_s"] > 0
    assert f"measured by {gain['source']}" in capsys.readouterr().out


def test_frames_are_judged_by_the_limits_of_the_rig(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked(capsys, "add", "Trial", "--simulated", "tiny")
    (path,) = (here / "c" / "rigs").glob("*.toml")
    path.write_text(path.read_text() + "\n[thresholds]\nsaturated_cold = { bad_above = -1.0 }\n")
    config = here / "night.yaml"
    config.write_text(f"{NIGHT}masters: false\nbias: {{frames: 1}}\n")

    code = cli.run(
        ["run", str(config), "--rig", "Trial", "--no-confirm", "--json",
         "--frames", str(here / "f"), "--library", str(here / "l")]
    )  # fmt: skip

    captured = json.loads(capsys.readouterr().out)["captured"]
    assert code == 1
    assert captured and not any(frame["accepted"] for frame in captured)
    assert "saturated" in captured[0]["reason"].lower()


def test_values_and_limits_are_set_shown_and_taken_away(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked(capsys, "add", "Trial", "--simulated", "tiny")
    set_ = asked(
        capsys, "set", "Trial", "serial=0042", "full_well_e=51000", "flat_min_s=0,2",
        "limits.saturated.warn_above=0.2",
    )  # fmt: skip
    assert set_[0] == 0
    assert set_[1]["knows"]["serial"] == "0042" and set_[1]["knows"]["flat_min_s"] == 0.2
    assert set_[1]["thresholds"] == {"saturated": {"warn_above": 0.2, "bad_above": 5.0}}

    assert cli.run(["rigs", "show", "Trial"]) == 0
    words = capsys.readouterr().out
    assert "full_well_e       51\u202f000\u202fe\u2212" in words
    assert "limits.saturated.warn_above  0.2 (by this rig; usual 0.1)" in words

    gone = asked(capsys, "set", "Trial", "full_well_e=", "limits.saturated.warn_above=")
    assert gone[1]["knows"]["full_well_e"] is None and "thresholds" not in gone[1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("full_well_e=-3", "Full well cannot be"),
        ("sensor_width_px=1.5", "Sensor width cannot be"),
        ("mood=1", "no value called mood"),
        ("limits.mood.warn_above=1", "no quality limit called mood"),
        ("limits.saturated.warn_above=nan", "cannot be “nan”"),
        ("limits.saturated.left=1", "has no left"),
        ("serial", "sets nothing"),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_nothing_is_changed(
    capsys: pytest.CaptureFixture[str], here: Path, value: str, said: str
) -> None:
    asked(capsys, "add", "Trial", "--simulated", "tiny")
    code, _, error = asked(capsys, "set", "Trial", "serial=7", value)
    assert code == 2 and said in error
    assert asked(capsys, "show", "Trial")[1]["knows"]["serial"] is None


def test_what_was_learned_is_forgotten_by_its_number(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked(capsys, "add", "Trial", "--simulated", "tiny")
    (path,) = here.rglob("Trial.toml")
    row = '[[learned]]\nwhat = "{}"\nvalue = {}\nat = 2026-04-17T22:00:00Z\nsource = "f.fits"\n'
    more = "\n" + row.format("egain", 0.4) + row.format("read_noise", 3.0)
    path.write_text(path.read_text() + more)

    assert cli.run(["rigs", "show", "Trial"]) == 0
    assert "learned 1: Gain: 0.4" in capsys.readouterr().out
    assert asked(capsys, "forget", "Trial", "3")[0] == 2
    code, left, _ = asked(capsys, "forget", "Trial", "1")
    assert code == 0 and [one["what"] for one in left["learned"]] == ["read_noise"]


def test_the_focus_of_filters_is_kept_and_taken_out(
    server: FakeAlpaca, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(capsys, "add", "Newton", "--address", f"alpaca://{server.server}")

    code, rig, _ = asked(capsys, "focus", "Newton", "L=10250", "H alpha=10400")
    _, less, _ = asked(capsys, "focus", "Newton", "L=", "OIII=-20")
    _, shown, _ = asked(capsys, "show", "Newton")

    assert code == 0 and rig["focus"] == {"L": 10_250, "H alpha": 10_400}
    assert less == shown and shown["focus"] == {"H alpha": 10_400, "OIII": -20}


@pytest.mark.parametrize("word", ["L", "=5", "L=5.5", "L=99999999"])
def test_a_focus_that_is_none_is_refused(
    word: str, server: FakeAlpaca, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(capsys, "add", "Newton", "--address", f"alpaca://{server.server}")

    code, _, said = asked(capsys, "focus", "Newton", word)

    assert code == 2 and "focus" in said and "Traceback" not in said
