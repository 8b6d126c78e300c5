"""Requests, policies and a whole night, as a script and a cron job meet them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calibstudio.cli.main import run
from calibstudio.domain.requests import RequestState
from calibstudio.services.library import Library
from calibstudio.services.requests import carrying_out, requests_of
from calibstudio.store.library_requests import change_request

Capture = pytest.CaptureFixture[str]


def as_json(capsys: Capture, *argv: object) -> tuple[int, dict[str, Any], str]:
    capsys.readouterr()
    code = run([*(str(a) for a in argv), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


def places(tmp_path: Path) -> tuple[object, ...]:
    return ("--library", tmp_path / "library", "--frames-folder", tmp_path / "frames")


FAST = ("--rig", "tiny", "--no-confirm", "--simulate", "3000")


def test_requests_are_asked_for_listed_cancelled_and_given_back(
    tmp_path: Path, capsys: Capture
) -> None:
    def ask(*argv: object) -> tuple[int, dict[str, Any], str]:
        return as_json(capsys, "requests", *argv, *places(tmp_path))

    ask("add", "bias", "--frames", 10, "--gain", 100)
    ask("add", "dark", "flat", "--exposure", 2.5, "--priority", 80)
    _, added, _ = ask("add", "flat", "--filter", "Ha", "--frames", 3)
    assert added["requests"][0]["state"] == "queued"

    _, cancelled, _ = ask("cancel", 1)
    _, listed, _ = ask("list")
    assert cancelled["requests"][0]["state"] == "cancelled"
    assert [(r["id"], r["kind"], r["frames"], r["state"]) for r in listed["requests"]] == [
        (2, "dark flat", 32, "queued"),
        (1, "bias", 10, "cancelled"),
        (3, "flat", 3, "queued"),
    ]
    assert ask("restore", 1)[1]["requests"][0]["state"] == "queued"
    assert ask("cancel", 9)[0] == 2
    assert ask("restore", 3)[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "light"), "no kind of calibration frame"),
        (("add", "dark"), "an exposure is needed"),
        (("add", "bias", "--filter", "L"), "only flats have a filter"),
        (("add", "bias", "--frames", "0"), "the number of frames"),
        (("add", "bias", "--priority", "101"), "A priority is from 0 to 100"),
        (("cancel", "all"), "no number of a request"),
        (("cancel",), "No request was named"),
    ],
)
def test_what_makes_no_sense_is_said(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: Capture
) -> None:
    code, _, err = as_json(capsys, "requests", *words, "--library", tmp_path / "library")

    assert code == 2 and said in err


def test_the_queue_is_taken_in_its_order_and_its_masters_are_built_once(
    tmp_path: Path, capsys: Capture
) -> None:
    for words in (
        ("bias", "--frames", 3),
        ("dark", "--frames", 3, "--exposure", 2, "--priority", 90),
        ("dark", "--frames", 2, "--exposure", 2, "--binning", 7, "--priority", 10),
    ):
        as_json(capsys, "requests", "add", *words, *places(tmp_path))

    code, document, err = as_json(capsys, "requests", "run", *places(tmp_path), *FAST)

    assert code == 1 and "Request 3" in err and "requests restore 3" in err
    assert [(r["id"], r["state"]) for r in document["requests"]] == [
        (2, "done"),
        (1, "done"),
        (3, "error"),
    ]
    assert [f["kind"] for f in document["captured"]] == ["dark"] * 3 + ["bias"] * 3
    assert sorted(m["kind"] for m in document["masters"])[:1] == ["master bias"]
    assert Path(document["requests"][0]["sequence"]).is_file()
    code, document, _ = as_json(capsys, "requests", "run", *places(tmp_path), *FAST)
    assert code == 0 and document["requests"] == []


POLICIES = """\
calibstudio: 1
policies:
  - {name: biases, take: bias, frames: 3, every: night, priority: 90}
  - {name: darks, take: dark, frames: 2, exposures: [1, 2], every: 7 days}
"""


def test_the_queue_is_taken_with_a_saved_rig(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibstudio.services.settings.settings_path", lambda: tmp_path / "c" / "s")
    monkeypatch.setattr("calibstudio.services.settings.data_folder", lambda: tmp_path / "d")
    run(["rigs", "add", "Newton", "--simulated", "tiny"])
    as_json(capsys, "requests", "add", "bias", "--frames", 2, *places(tmp_path))

    code, done, said = as_json(
        capsys, "requests", "run", "--rig", "Newton", "--no-confirm", "--simulate", "3000",
        *places(tmp_path),
    )  # fmt: skip

    assert code == 0, said
    assert done["requests"][0]["state"] == "done" and len(done["captured"]) == 2


def test_a_night_takes_what_is_due_once(tmp_path: Path, capsys: Capture) -> None:
    with Library.open(tmp_path / "library") as library:
        (library.folder / "policies.yaml").write_text(POLICIES)
    night = ("nightly", *places(tmp_path), *FAST)

    _, before, _ = as_json(capsys, *night, "--dry-run")
    code, document, err = as_json(capsys, *night)
    again, second, _ = as_json(capsys, *night)

    assert [(d["policy"], d.get("exposure_s")) for d in before["due"]] == [
        ("biases", None),
        ("darks", 1.0),
        ("darks", 2.0),
    ]
    assert (code, err) == (0, "")
    assert [r["state"] for r in document["requests"]] == ["done"] * 3
    assert [r["policy"] for r in document["requests"]] == ["biases", "darks", "darks"]
    assert (
        len(document["masters"]) == document["library"]["masters"] == 4
        and document["library"]["problems"] == []
    )
    assert again == 0 and second["due"] == [] and second["requests"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policies: []", "begins with calibstudio: 1"),
        ("calibstudio: 1\npolicies:\n  - {take: bias, every: often}", "neither night nor"),
        ("calibstudio: 1\npolicies:\n  - {take: dark, every: night}", "a list of exposures"),
        ("calibstudio: 1\npolicies:\n  - {take: bias, every: night, frame: 3}", "mean frames"),
        (
            "calibstudio: 1\npolicies:\n  - {take: flat, every: 7 days, filters: used}",
            "needs lights",
        ),
    ],
)
def test_mistakes_in_a_file_of_policies_are_said_with_their_line(
    text: str, said: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)

    code, _, err = as_json(
        capsys, "nightly", *places(tmp_path), *FAST, "--policies", file, "--dry-run"
    )

    assert code == 2 and said in err and "line " in err


def test_what_a_killed_program_left_is_queued_again_and_two_never_run_at_once(
    tmp_path: Path, capsys: Capture
) -> None:
    as_json(capsys, "requests", "add", "bias", "--frames", 2, *places(tmp_path))
    with Library.open(tmp_path / "library") as library:
        with library.database.writing() as session:
            at = requests_of(library)[0].created_utc
            change_request(session, 1, (RequestState.QUEUED,), RequestState.RUNNING, at)
        with carrying_out(library):
            (left,) = requests_of(library)
            assert left.state is RequestState.QUEUED and left.reason == "It was cut off."
            code, _, err = as_json(capsys, "requests", "run", *places(tmp_path), *FAST)
            assert code == 2 and "Another program" in err
