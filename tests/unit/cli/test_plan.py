"""`calibstudio plan` as a user of the terminal and a script meet it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calibstudio.cli.main import run
from calibstudio.services.library import Library
from calibstudio.services.run_config import read_run_config
from tests.helpers.masters import make_master_file
from tests.unit.services.test_light_plan import write_light

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def lights(tmp_path: Path) -> Path:
    for i in range(3):
        write_light(tmp_path / "lights", f"light_{i}")
    return tmp_path / "lights"


def as_json(capsys: Capture, *argv: object) -> tuple[int, dict[str, Any], str]:
    code = run([*(str(a) for a in argv), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_the_document_says_what_is_needed_what_is_there_and_why(
    lights: Path, tmp_path: Path, capsys: Capture
) -> None:
    with Library.open(tmp_path / "library") as library:
        made = make_master_file(library.folder / "dark.fits", kind="dark", exposure_s=300.0)
        library.add(made)
        other = make_master_file(
            library.folder / "bias.fits", kind="bias", seed=2, exposure_s=0.0, gain=120.0
        )
        library.add(other)
    out = tmp_path / "plan.yaml"

    code, document, err = as_json(
        capsys, "plan", lights, "--library", tmp_path / "library", "--out", out,
        "--frames", "flat=11", "--rig", "tiny",
    )  # fmt: skip

    assert (code, err) == (0, "")
    assert [n["kind"] for n in document["needed"]] == [
        "master bias",
        "master flat",
        "master dark flat",
        "master bpm",
    ]
    (dark,) = document["have"]
    assert (dark["kind"], dark["state"], dark["path"]) == ("master dark", "exact", str(made))
    assert all(rule["result"] in ("equal", "unknown") for rule in dark["candidates"][0]["rules"])
    bias = document["needed"][0]
    assert "Another gain: 100 in the frames, 120 in the master." in bias["reason"]
    assert [r["rule"] for r in bias["candidates"][0]["rules"] if r["result"] == "different"] == [
        "gain"
    ]
    assert document["seconds"] > 0 and document["bytes"] > 0
    assert document["plan"] == str(out) and document["lights"] == 3
    config, _ = read_run_config(out)
    assert config.rig == "tiny" and config.flats[0].frames == 11 and not config.darks
    assert [s["kind"] for s in document["steps"]] == ["bias", "flat", "dark flat"]


def test_a_plan_that_was_carried_out_leaves_nothing_to_take(
    tmp_path: Path, capsys: Capture
) -> None:
    """Lights of the simulated camera; their plan is run as it is, and then everything is there."""
    simulated = "simulation: {speed: 3000, seed: 3, start: 2026-04-17T22:00:00Z}\n"
    places = ("--library", tmp_path / "library")
    first = tmp_path / "first.yaml"
    first.write_text(
        f"calibstudio: 1\nrig: tiny\n{simulated}"
        "darks: {frames: 2, exposures: [30], gain: 120, offset: 50}\nmasters: false\n"
    )
    assert run(["run", str(first), "--no-confirm", "--frames", str(tmp_path / "lights")]) == 0
    for path in (tmp_path / "lights").rglob("*.fits"):
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"'Dark Frame'", b"'Light'     ", 1))
    capsys.readouterr()
    plan = ("plan", tmp_path / "lights", *places, "--rig", "tiny")
    _, before, _ = as_json(
        capsys, *plan, "--out", tmp_path / "plan.yaml", "--frames", "bias=4", "--frames", "dark=4",
        "--frames", "flat=9", "--frames", "dark-flat=3",
    )  # fmt: skip
    (tmp_path / "plan.yaml").write_text((tmp_path / "plan.yaml").read_text() + simulated)

    ran = run(["run", str(tmp_path / "plan.yaml"), "--no-confirm", "--frames",
               str(tmp_path / "frames"), *map(str, places)])  # fmt: skip
    capsys.readouterr()
    _, after, _ = as_json(capsys, *plan)

    assert [n["kind"] for n in before["needed"] if n["taken"]] == [
        "master bias",
        "master dark",
        "master flat",
        "master dark flat",
    ]
    assert ran == 0
    assert after["needed"] == [] and after["steps"] == []
    assert len(after["have"]) == 4


def test_a_plan_does_not_overwrite_and_a_library_that_is_new_has_nothing(
    lights: Path, tmp_path: Path, capsys: Capture
) -> None:
    argv = ["plan", str(lights), "--library", str(tmp_path / "new"), "--out", str(tmp_path / "p")]
    (tmp_path / "p").write_text("mine")

    assert run(argv) == 2
    assert (tmp_path / "p").read_text() == "mine"
    assert run(argv[:4]) == 0
    said = capsys.readouterr().out
    assert "The library has no master dark." in said and "50 to take" in said


def test_what_is_taken_can_be_named(lights: Path, tmp_path: Path, capsys: Capture) -> None:
    places = ("--library", tmp_path / "library")
    _, everything, _ = as_json(capsys, "plan", lights, *places)
    dark = next(n for n in everything["needed"] if n["kind"] == "master dark")

    code, document, _ = as_json(capsys, "plan", lights, *places, "--only", dark["id"])

    assert code == 0 and [s["kind"] for s in document["steps"]] == ["dark"]
    assert [n["kind"] for n in document["needed"] if n["taken"]] == ["master dark"]
    assert run(["plan", str(lights), "--library", str(tmp_path / "library"), "--only", "x"]) == 2
    assert "There is no need x." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--frames", "dark=one"), ("--frames", "light=3"), ("--max-age", "dark")]
)
def test_options_that_make_no_sense_are_said(
    option: str, value: str, lights: Path, tmp_path: Path, capsys: Capture
) -> None:
    code = run(["plan", str(lights), "--library", str(tmp_path / "l"), option, value])

    assert code == 2 and f"{option} {value} is not understood." in capsys.readouterr().err


def test_files_that_are_left_out_and_other_cameras_are_problems(
    lights: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_light(lights, "other", INSTRUME="Zweite Kamera")
    (lights / "broken.fits").write_bytes(b"")

    code, document, err = as_json(capsys, "plan", lights, "--library", tmp_path / "library")

    assert code == 1
    assert [Path(s["path"]).name for s in document["skipped"]] == ["broken.fits"]
    assert "broken.fits" in err and "also lights of Zweite Kamera (1 light)" in err
