"""`calibstudio headers` and `calibstudio groups`: the contract of PRODUCT section 4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstudio.cli.main import run
from tests.helpers.frames import frame_bytes, write_frame
from tests.unit.store.test_ser import ser_file


def said(capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    captured = capsys.readouterr()
    return (json.loads(captured.out) if captured.out else None), captured.err


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Three darks, a master, a text file and a note."""
    for i in range(3):
        write_frame(
            tmp_path / "darks" / f"d{i}.fits",
            IMAGETYP="Dark Frame",
            EXPTIME=300.0,
            GAIN=100,
            OFFSET=30,
            SET__TEMP=-10.0,
            CCD__TEMP=-10.0,
            XBINNING=1,
            YBINNING=1,
            INSTRUME="ZWO ASI2600MM Pro",
            SITELONG=13.4,
            DATE__OBS=f"2026-04-17T22:0{i}:00",
        )
    write_frame(tmp_path / "master.fits", IMAGETYP="Master Dark", EXPTIME=300.0)
    (tmp_path / "notes.txt").write_text("notes")
    return tmp_path


def test_headers_says_values_and_where_they_came_from(
    night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = night / "darks" / "d0.fits"

    code = run(["headers", "--json", str(path)])

    document, errors = said(capsys)
    assert code == 0
    assert errors == ""
    (file,) = document["files"]
    assert file["path"] == str(path)
    assert file["kind"] == "dark"
    assert file["values"] == {
        "exposure_s": 300,
        "gain": 100,
        "offset": 30,
        "set_temp_c": -10,
        "sensor_temp_c": -10,
        "binning": "1x1",
        "shape": "4x6",
        "night": "2026-04-17",
        "camera": "ZWO ASI2600MM Pro",
        "observed_utc": "2026-04-17T22:00:00.000Z",
    }
    assert file["origin"]["exposure_s"] == "EXPTIME card"
    assert file["origin"]["kind"] == "IMAGETYP card"
    assert set(file["origin"]) == {*file["values"], "kind"}
    assert file["notes"] == []


def test_headers_of_a_master_and_of_a_frame_of_unknown_kind(
    night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = write_frame(night / "plain.fits")

    assert run(["headers", "--json", str(night / "master.fits"), str(plain)]) == 0

    document, _ = said(capsys)
    assert [f["kind"] for f in document["files"]] == ["master dark", None]


def test_headers_shows_a_table_to_people(night: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_frame(night / "flat.fits", IMAGETYP="LIGHT", EXPTIME=2.5)

    assert run(["headers", str(path)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(path)
    assert lines[1].split() == ["kind", "light", "IMAGETYP", "card"]
    assert any("2.5\u202fs" in line and "EXPTIME card" in line for line in lines)
    assert lines[-1] == "  ! Header says light, file name says flat. The header is used."


def test_unreadable_files_are_problems_and_the_rest_is_done(
    night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (night / "broken.fits").write_text("no frame\n" * 50)
    (night / "cut.fits").write_bytes(frame_bytes(IMAGETYP="FLAT", shape=(90, 90))[:9000])
    files = [night / "broken.fits", night / "cut.fits", night / "darks" / "d0.fits"]

    code = run(["headers", "--json", *map(str, files)])

    document, errors = said(capsys)
    assert code == 1
    assert [Path(f["path"]).name for f in document["files"]] == ["cut.fits", "d0.fits"]
    assert "broken.fits is text" in errors
    assert "cut.fits: It is cut off" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("command", ["headers", "groups"])
def test_a_path_that_does_not_exist_is_wrong_usage(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--json", str(tmp_path / "nowhere")]) == 2

    document, errors = said(capsys)
    assert document is None
    assert "nowhere does not exist." in errors


@pytest.mark.parametrize("command", ["headers", "groups"])
def test_without_arguments_it_is_wrong_usage(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command]) == 2
    assert "calibstudio" in capsys.readouterr().err


def test_groups_says_what_belongs_together(night: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["groups", "--json", str(night)]) == 0

    document, errors = said(capsys)
    assert errors == ""
    (group,) = document["groups"]
    assert set(group) == {"id", "kind", "key", "frames", "notes"}
    assert group["kind"] == "dark"
    assert group["key"] == {
        "camera": "ZWO ASI2600MM Pro",
        "binning": "1x1",
        "shape": "4x6",
        "gain": 100,
        "offset": 30,
        "set_temp_c": -10,
        "exposure_s": 300,
    }
    assert group["frames"] == [str(night / "darks" / f"d{i}.fits") for i in range(3)]
    assert document["ungrouped"] == [
        {
            "path": str(night / "master.fits"),
            "reason": "It is a master dark: masters are not stacked again.",
        }
    ]
    assert document["ignored"] == [
        {"path": str(night / "notes.txt"), "reason": "A .txt file is no frame."}
    ]


def test_groups_with_unreadable_files_ends_with_problems(
    night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (night / "broken.fits").write_bytes(b"")

    assert run(["groups", "--json", str(night)]) == 1

    document, errors = said(capsys)
    assert len(document["groups"]) == 1
    assert [Path(u["path"]).name for u in document["ungrouped"]] == ["broken.fits", "master.fits"]
    assert "broken.fits: It is empty." in errors


def test_groups_shows_titles_to_people(night: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["groups", str(night)]) == 0

    out = capsys.readouterr().out
    assert out.startswith("Dark · 300\u202fs · \u221210\u202f°C    3 frames  dark-")
    assert "Not grouped: 1 file" in out
    assert "Ignored: 1 file" in out


def test_an_empty_folder_has_no_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["groups", str(tmp_path)]) == 0
    assert "No groups" in capsys.readouterr().out


def test_frames_of_unknown_kind_are_problems_and_masters_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_frame(tmp_path / "one.fits")
    write_frame(tmp_path / "two.fits")
    write_frame(tmp_path / "m.fits", IMAGETYP="Master Dark", EXPTIME=300.0)

    assert run(["groups", "--json", str(tmp_path)]) == 1

    document, errors = said(capsys)
    assert document["groups"] == []
    assert len(document["ungrouped"]) == 3
    assert "2 files (one.fits and others) do not say of which kind" in errors
    assert "m.fits" not in errors


def test_a_file_that_is_left_out_is_told_once(
    night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(9):
        (night / f"empty{i}.fits").write_bytes(b"")
    write_frame(night / "one.fits")

    assert run(["groups", str(night)]) == 1

    out, errors = capsys.readouterr()
    assert "empty" not in out and "one.fits" not in out
    assert "Not grouped: 1 file\n  master.fits" in out
    assert errors.splitlines() == [
        "calibstudio: 9 files (empty0.fits, empty1.fits and others): It is empty. "
        "Copy or take it again.",
        "calibstudio: 1 file (one.fits) does not say of which kind, neither in the header nor in "
        "the name. Say it with --set 'one.fits:kind=dark'; * and ? stand for any letters.",
    ]


def test_a_question_of_groups_is_answered_where_it_is_asked(
    night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(4):
        write_frame(
            night / f"x_{i:03d}.fits",
            IMAGETYP="Dark Frame",
            EXPTIME=300.0,
            GAIN=100,
            SET__TEMP=-10.0,
            XBINNING=1,
            YBINNING=1,
            INSTRUME="ZWO ASI2600MM Pro",
            SITELONG=13.4,
            DATE__OBS=f"2026-04-17T23:0{i}:00",
        )

    assert run(["groups", str(night)]) == 0
    asked = capsys.readouterr().out
    code = run(["groups", str(night), "--json", "--set", "x_*:offset=30"])

    document, errors = said(capsys)
    assert "4 darks do not say their offset. Nothing is assumed until you answer." in asked
    assert "--set 'x_*:offset=30'" in asked
    assert (code, errors) == (0, "")
    (group,) = document["groups"]
    assert len(group["frames"]) == 7
    assert group["key"]["offset"] == 30
    assert run(["groups", str(night), "--set", "nothing*:gain=3"]) == 1
    assert "--set nothing* fits no file." in capsys.readouterr().err


def test_a_file_that_is_cut_off_is_described_alike_by_its_header_and_its_pixels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = frame_bytes(IMAGETYP="BIAS", shape=(90, 90))
    paths = [tmp_path / f"b{i}.fits" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_bytes(whole if i else whole[:9000])

    assert run(["headers", str(paths[0])]) == 1
    of_header = capsys.readouterr().err
    assert run(["stack", *map(str, paths), "-o", str(tmp_path / "out.fits")]) == 1
    of_pixels = capsys.readouterr().err

    said = "is cut off: 9\u202fkB of 19\u202fkB are there."
    assert said in of_header
    assert said in of_pixels


@pytest.mark.parametrize("name", ["dark.ser", "capture.ser"])
def test_a_film_is_refused_in_one_step_with_what_to_do(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ser_file(tmp_path / name, np.full((7, 6, 9), 900, np.uint16))

    code = run(["groups", str(tmp_path)])

    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith(f"calibstudio: {name}: It is a film of 7 frames, which says neither")
    assert said.count("calibstudio: ") == 1


def test_groups_of_the_same_question_are_answered_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(6):
        write_frame(tmp_path / f"d{i}.fits", IMAGETYP="DARK", EXPTIME=1.0 + i % 2, GAIN=100)

    assert run(["groups", str(tmp_path)]) == 0

    answers = [line for line in capsys.readouterr().out.splitlines() if "--set" in line]
    assert len(answers) == 1
    assert "--set '*:offset=…'" in answers[0]
    assert "so on" not in answers[0]
