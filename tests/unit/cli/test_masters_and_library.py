"""`masters` and `library` as a user of the terminal and a program that reads JSON meet them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from calibstudio.cli.corrections import parse_correction
from calibstudio.cli.library_args import LIBRARY_VARIABLE
from calibstudio.cli.main import run
from calibstudio.domain.errors import UsageError
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Recipe
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import build_masters
from tests.helpers.night import Camera, header, take, write_frame

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A folder with biases, dark flats and flats."""
    return take_a_night(tmp_path / "night with spaces")


def take_a_night(folder: Path) -> Path:
    """Take biases, dark flats and flats."""
    camera = Camera()
    take(folder, camera, "bias", 4)
    take(folder, camera, "Dark Flat", 4, 2.0, first=10)
    take(folder, camera, "flat", 4, 2.0, 20_000.0, first=20)
    return folder


def as_json(capsys: Capture, *argv: object) -> tuple[int, dict[str, Any], str]:
    """Run a command with --json; returns exit code, document, standard error."""
    code = run([str(a) for a in argv] + ["--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_files_that_do_not_say_their_kind_are_one_problem_with_its_cure(
    tmp_path: Path, capsys: Capture
) -> None:
    camera = Camera()
    for i in range(3):
        cards = header("bias", 0.0, i)
        del cards["IMAGETYP"]
        write_frame(tmp_path / f"x{i}.fits", camera.frame(0.0), cards)

    code, document, err = as_json(capsys, "masters", tmp_path, "--library", tmp_path / "lib")
    again, _, silent = as_json(
        capsys, "masters", tmp_path, "--library", tmp_path / "lib", "--set", "x*.fits:kind=bias"
    )

    assert code == 1 and len(document["skipped"]) == 3
    assert err.splitlines() == [
        "calibstudio: 3 files (x0.fits and others) do not say of which kind, neither in the header "
        "nor in the name. Say it with --set 'x0.fits:kind=dark'; * and ? stand for any letters."
    ]
    assert (again, silent) == (0, "")


def test_masters_gives_the_document_of_the_contract(
    night: Path, tmp_path: Path, capsys: Capture
) -> None:
    code, document, err = as_json(capsys, "masters", night, "--library", tmp_path / "lib")

    assert (code, err) == (0, "")
    assert document["skipped"] == []
    bias, dark_flat, flat = document["masters"]
    assert [m["kind"] for m in document["masters"]] == [
        "master bias",
        "master dark flat",
        "master flat",
    ]
    assert {"path", "kind", "key", "n_frames", "verdict", "metrics", "used", "excluded"} <= set(
        bias
    )
    assert Path(bias["path"]).is_absolute()
    assert Path(bias["path"]).is_file()
    assert flat["used"] == {"dark_flat": dark_flat["path"]}
    assert flat["key"]["filter"] == "Ha"
    assert flat["key"]["binning"] == "1x1"
    assert flat["n_frames"] == 4
    assert bias["verdict"] in ("GOOD", "WARN")
    level = bias["metrics"]["level"]
    assert level["value"] == pytest.approx(1000, abs=1)
    assert set(level) == {"value", "unit", "verdict", "why"}


def test_a_path_is_shown_without_detours(night: Path, tmp_path: Path, capsys: Capture) -> None:
    code, document, _ = as_json(capsys, "masters", night, "--library", night / ".." / "lib")

    assert code == 0
    assert {m["path"].startswith(str(tmp_path / "lib")) for m in document["masters"]} == {True}


def test_when_nothing_could_be_built_no_empty_library_is_left(
    tmp_path: Path, capsys: Capture
) -> None:
    frames, library = tmp_path / "frames", tmp_path / "lib"
    take(frames, Camera(), "bias", 3)
    for path in frames.rglob("*.fits"):
        path.write_bytes(path.read_bytes()[:6_000])  # the header, and hardly a pixel

    code, document, _ = as_json(capsys, "masters", frames, "--library", library)

    assert code == 1 and document["masters"] == []
    assert not (library / "library.sqlite").exists()


def test_a_newline_in_a_name_breaks_no_line(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "two\nlines.fits"
    write_frame(path, Camera().frame(0.0), header("bias", 0.0, 0))

    for argv in (["headers", str(path)], ["qc", str(path)], ["groups", str(tmp_path)]):
        run(argv)
        out, err = capsys.readouterr()
        assert "two\nlines" not in out + err
    run(["headers", str(path)])
    assert "two\\x0alines.fits" in capsys.readouterr().out


def test_masters_tells_a_person_what_was_done(night: Path, tmp_path: Path, capsys: Capture) -> None:
    code = run(["masters", str(night), "--library", str(tmp_path / "lib")])

    out, err = capsys.readouterr()
    out = out.replace("\u202f", " ")
    assert code == 0
    assert "Master dark flat · 2 s · gain 100 · −10.0 °C" in out
    assert "is taken out of the flats: the same exposure." in out
    assert "3 masters: " in out
    assert err == ""


def test_the_second_run_says_that_all_is_there(
    night: Path, tmp_path: Path, capsys: Capture
) -> None:
    first = as_json(capsys, "masters", night, "--library", tmp_path / "lib")[1]

    second = as_json(capsys, "masters", night, "--library", tmp_path / "lib")[1]
    run(["masters", str(night), "--library", str(tmp_path / "lib")])

    assert [m["path"] for m in first["masters"]] == [m["path"] for m in second["masters"]]
    assert [m["new"] for m in second["masters"]] == [False] * 3
    assert "(3 already there)" in capsys.readouterr().out


def test_what_is_skipped_makes_the_exit_code_1(tmp_path: Path, capsys: Capture) -> None:
    camera = Camera()
    take(tmp_path / "n", camera, "bias", 3)
    take(tmp_path / "n", camera, "dark", 1, 60.0)
    (tmp_path / "n" / "broken.fits").write_bytes(b"SIMPLE  =                    T" + b" " * 50)

    code, document, err = as_json(capsys, "masters", tmp_path / "n", "--library", tmp_path / "lib")

    assert code == 1
    assert len(document["masters"]) == 1
    assert len(document["skipped"]) == 2
    assert all(set(entry) >= {"group", "reason"} for entry in document["skipped"])
    assert err.count("calibstudio: ") == 2
    assert "single frame" in err
    assert "broken.fits" in err


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["flat_001.fits"], "flat_001.fits"),
        (["flat_001.fits", "flat_002.fits"], "flat_*"),
        (["a flat.fits", "z flat.fits"], "a flat.fits"),
    ],
)
def test_flats_that_a_header_calls_lights_are_a_problem_with_its_cure(
    tmp_path: Path, capsys: Capture, names: list[str], pattern: str
) -> None:
    take(tmp_path / "n", Camera(), "bias", 3)
    lights = take(tmp_path / "n", Camera(2), "Light Frame", len(names), 2.0, 20_000.0)
    for path, name in zip(lights, names, strict=True):
        path.rename(path.with_name(name))
    argv = ["masters", str(tmp_path / "n"), "--library", str(tmp_path / "lib")]

    code, document, err = as_json(capsys, *argv)
    run(argv)

    assert code == 1
    assert document["not_stacked"] == []
    (entry,) = document["skipped"]
    assert f"Use --set '{pattern}:kind=flat'" in entry["reason"]
    assert entry["reason"] in err
    out, err = capsys.readouterr()
    assert err.count(entry["reason"]) == 1 and entry["reason"] not in out


def test_a_refusal_is_not_summed_up_as_zero_masters(tmp_path: Path, capsys: Capture) -> None:
    take(tmp_path / "n", Camera(), "dark", 1, 60.0)

    code = run(["masters", str(tmp_path / "n"), "--library", str(tmp_path / "lib")])

    assert code == 1
    assert capsys.readouterr().out.endswith("No master was made. Recipe default.\n")


def test_nothing_to_stack_is_said(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "n").mkdir()

    code, document, err = as_json(capsys, "masters", tmp_path / "n", "--library", tmp_path / "lib")

    assert code == 1
    assert document["masters"] == []
    assert f"There is no file in {tmp_path / 'n'}." in err
    assert not (tmp_path / "lib").exists()


def test_a_folder_without_frames_says_so_and_leaves_no_library(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "n"
    folder.mkdir()
    (folder / "hosts").write_text("127.0.0.1 localhost\n")
    (folder / "fstab.conf").write_text("#\n")
    (folder / "gone.conf").symlink_to(tmp_path / "nowhere")

    code, _, err = as_json(capsys, "masters", folder, "--library", tmp_path / "lib")

    assert code == 1
    assert err == (
        f"calibstudio: None of the 3 files in {folder} is a frame. "
        "calibstudio groups says why of each.\n"
    )
    assert not (tmp_path / "lib").exists()


def test_a_bad_master_makes_the_exit_code_1(tmp_path: Path, capsys: Capture) -> None:
    camera = Camera()
    for i in range(4):
        # Darks that are the biases under another header.
        pixels = camera.frame(0.0)
        write_frame(tmp_path / "n" / f"bias{i}.fits", pixels, header("bias", 0.0, i))
        write_frame(tmp_path / "n" / f"dark{i}.fits", pixels, header("dark", 60.0, 10 + i))
    recipe = tmp_path / "keep.toml"
    recipe.write_text("[frames]\nleave_out_bad = false\n")

    code, document, err = as_json(
        capsys, "masters", tmp_path / "n", "--library", tmp_path / "lib", "--recipe", recipe
    )

    assert code == 1
    assert [m["verdict"] for m in document["masters"]][1:] == ["BAD"]
    assert "is BAD" in err


def test_set_corrects_header_values_of_matching_files(tmp_path: Path, capsys: Capture) -> None:
    camera = Camera()
    take(tmp_path / "n", camera, "Light Frame", 3, 2.0, 20_000.0, FILTER=None)
    base = ("masters", tmp_path / "n", "--library", tmp_path / "lib")

    _, without, _ = as_json(capsys, *base)
    code, with_it, err = as_json(
        capsys, *base, "--set", "Light*:kind=flat", "--set", "*/n/*:filter=H-alpha"
    )

    assert without["masters"] == []
    assert code == 0, err
    (flat,) = with_it["masters"]
    assert flat["kind"] == "master flat"
    assert flat["key"]["filter"] == "H-alpha"
    assert any("corrected to flat" in note for note in flat["notes"])


def test_a_set_that_fits_no_file_is_a_problem(night: Path, tmp_path: Path, capsys: Capture) -> None:
    code, _, err = as_json(
        capsys, "masters", night, "--library", tmp_path / "lib", "--set", "nothing*:gain=3"
    )

    assert code == 1
    assert "--set nothing* fits no file" in err


@pytest.mark.parametrize(
    ("text", "word", "value"),
    [
        ("*:kind=Dark Flat", "kind", "dark flat"),
        ("C:\\night\\*.fit:GAIN=100", "gain", 100.0),
        ("*:set_temp_c=-10,5", "set_temp_c", -10.5),
        ("a:b*:binning=2x2", "binning", (2, 2)),
    ],
)
def test_corrections_are_read(text: str, word: str, value: object) -> None:
    assert parse_correction(text)[1:] == (word, value)


@pytest.mark.parametrize("text", ["kind=flat", "*:kind", "*:colour=red", "*:gain=much", ":gain=1"])
def test_corrections_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_correction(text)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "No library was named"),
        (["--library", "mysql://x/y"], "is no library"),
        (["--library", "postgresql://x/y"], "needs a folder"),
        (["--library", "lib", "--recipe", "nonesuch"], "no recipe called nonesuch"),
        (["--library", "lib", "--set", "x"], "--set x is not understood"),
    ],
)
def test_wrong_usage_is_2_and_one_sentence(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, more: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)

    code = run(["masters", str(tmp_path), *more])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_masters_go_where_out_says_and_the_library_may_be_a_url(
    night: Path, tmp_path: Path, capsys: Capture
) -> None:
    code, document, _ = as_json(
        capsys,
        "masters",
        night,
        "--library",
        f"sqlite:///{tmp_path}/db/night.db",
        "--out",
        tmp_path / "out",
    )

    assert code == 0
    assert (tmp_path / "db" / "night.db").is_file()
    assert all(Path(m["path"]).is_relative_to(tmp_path / "out") for m in document["masters"])


def test_the_library_may_be_named_by_the_environment(
    night: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "lib"))

    run(["masters", str(night)])
    capsys.readouterr()
    code, document, _ = as_json(capsys, "library", "list")

    assert code == 0
    assert len(document["masters"]) == 3


@pytest.fixture(scope="module")
def made_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with three masters that nobody changes."""
    folder = tmp_path_factory.mktemp("made")
    take_a_night(folder / "night")
    found = scan(JobContext(), [folder / "night"], cache=False)
    grouping = group_frames(found.headers)
    with Library.open(folder / "lib") as opened:
        build_masters(JobContext(), grouping, grouping.headers, opened, Recipe())
    return folder / "lib"


@pytest.fixture
def library(made_library: Path, tmp_path: Path) -> Path:
    """A library with three masters: it can be copied, because its paths are its own."""
    shutil.copytree(made_library, tmp_path / "lib")
    return tmp_path / "lib"


def test_library_lists_and_filters(library: Path, capsys: Capture) -> None:
    _, everything, _ = as_json(capsys, "library", "list", "--library", library)
    _, flats, _ = as_json(capsys, "library", "list", "--library", library, "--kind", "master flat")
    _, found, _ = as_json(capsys, "library", "list", "--library", library, "--search", "dark flat")
    code = run(["library", "list", "--library", str(library)])

    assert [m["kind"] for m in everything["masters"]] == [
        "master bias",
        "master dark flat",
        "master flat",
    ]
    assert len(flats["masters"]) == 1
    assert [m["kind"] for m in found["masters"]] == ["master dark flat"]
    assert code == 0
    said = capsys.readouterr().out
    assert said.endswith("3 masters.\n")
    camera = everything["masters"][0]["key"]["camera"]
    assert all(camera in line for line in said.splitlines()[:3])


def test_library_shows_everything_about_a_master(library: Path, capsys: Capture) -> None:
    _, listed, _ = as_json(capsys, "library", "list", "--library", library, "--kind", "flat")
    short = listed["masters"][0]["id"][:6]

    code, document, _ = as_json(capsys, "library", "show", short, "--library", library)
    run(["library", "show", short, "--library", str(library)])

    (master,) = document["masters"]
    assert code == 0
    assert master["used"][0]["kind"] == "dark flat"
    assert [row["used"] for row in master["inputs"]] == [True] * 4
    assert master["bias_subtracted"] is True
    text = capsys.readouterr().out
    assert "dark flat taken out: " in text
    assert "flat_2s_020.fits: used" in text
    missing = [m["why"] for m in master["metrics"].values() if m["value"] is None]
    assert missing
    assert all(why and why in text for why in missing), "a dash never stands alone"


def test_library_decisions_are_kept_with_their_reason(library: Path, capsys: Capture) -> None:
    ids = [m["id"] for m in as_json(capsys, "library", "list", "--library", library)[1]["masters"]]
    base = ["--library", library]

    approved = as_json(capsys, "library", "approve", ids[0], ids[1], *base)[1]
    rejected = as_json(capsys, "library", "reject", ids[0], *base, "--reason", "dew")[1]
    retired = as_json(capsys, "library", "retire", ids[1], *base)[1]
    restored = as_json(capsys, "library", "restore", ids[0], *base)[1]
    shown = as_json(capsys, "library", "show", ids[0], *base)[1]["masters"][0]

    assert [c["state"] for c in approved["changed"]] == ["approved", "approved"]
    assert rejected["changed"][0]["before"] == "approved"
    assert retired["changed"][0]["state"] == "retired"
    assert restored["changed"][0]["state"] == "approved"
    assert [d["what"] for d in shown["decisions"]] == ["approved", "rejected", "restored"]
    assert shown["decisions"][1]["reason"] == "dew"


def test_library_verify_and_rebuild_say_what_they_found(library: Path, capsys: Capture) -> None:
    masters = as_json(capsys, "library", "list", "--library", library)[1]["masters"]
    run(["library", "approve", masters[0]["id"], "--library", str(library)])
    capsys.readouterr()

    good, sound, _ = as_json(capsys, "library", "verify", "--library", library)
    Path(masters[1]["path"]).unlink()
    bad, missing, err = as_json(capsys, "library", "verify", "--library", library)
    (library / "library.sqlite").unlink()
    lost = run(["library", "list", "--library", str(library)])
    said = capsys.readouterr().err
    code, rebuilt, _ = as_json(capsys, "library", "rebuild", "--library", library)

    assert (good, {f["state"] for f in sound["files"]}) == (0, {"sound"})
    assert bad == 1
    assert [f["state"] for f in missing["files"]].count("missing") == 1
    assert "is missing" in err
    assert lost == 2
    assert "rebuild" in said
    assert (code, rebuilt["masters"], rebuilt["decisions"]) == (1, 2, 1)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["library"], "required"),
        (["library", "show", "--library", "x"], "required"),
        (["library", "list", "--library", "nowhere"], "There is no library"),
        (["library", "list", "--library", "LIB", "--verdict", "fine"], "is no verdict"),
        (["library", "show", "ffffff", "--library", "LIB"], "There is no master ffffff"),
        (["library", "explode", "--library", "LIB"], "invalid choice"),
    ],
)
def test_wrong_usage_of_library_is_2(
    library: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, argv: list[str], said: str
) -> None:
    monkeypatch.chdir(library.parent)

    code = run([str(library) if a == "LIB" else a for a in argv])

    assert code == 2
    assert said in capsys.readouterr().err
    assert not (library.parent / "nowhere").exists()


def test_json_may_stand_before_the_action(library: Path, capsys: Capture) -> None:
    code = run(["library", "--json", "list", "--library", str(library)])

    assert code == 0
    assert len(json.loads(capsys.readouterr().out)["masters"]) == 3


def test_what_was_changed_by_hand_in_the_window_counts_here_too(
    night: Path, tmp_path: Path, capsys: Capture
) -> None:
    flats = sorted(night.glob("flat*"))
    with Library.open(tmp_path / "lib") as opened:
        opened.correct({path: {"filter": "OIII"} for path in flats}, "the wheel was wrong")

    _, kept, _ = as_json(capsys, "masters", night, "--library", tmp_path / "lib")
    _, wins, _ = as_json(
        capsys, "masters", night, "--library", tmp_path / "lib", "--set", "flat*:filter=SII"
    )

    assert kept["masters"][-1]["key"]["filter"] == "OIII"
    assert wins["masters"][-1]["key"]["filter"] == "SII"


def test_a_bad_pixel_map_is_written_for_siril(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library, night = tmp_path / "library", tmp_path / "night"
    camera = Camera()
    take(night, camera, "bias", 4)
    for i in range(4):
        pixels = camera.frame(60.0)
        pixels[5, 7] += 20_000
        write_frame(night / f"dark{i}.fits", pixels, header("dark", 60.0, 20 + i))
    run(["masters", str(night), "--library", str(library), "--json"])
    (made,) = [
        m for m in json.loads(capsys.readouterr().out)["masters"] if m["kind"] == "master bpm"
    ]

    out = tmp_path / "bad.lst"
    words = ["library", "export", made["id"], "--library", str(library), "--as", "siril"]
    code = run([*words, "-o", str(out), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["files"] == [str(out)]
    assert document["map"]["id"] == made["id"]
    assert "P 7 90 H" in out.read_text()
    assert run([*words, "-o", str(tmp_path / "bad.fits")]) == 2
    assert "must end with .lst" in capsys.readouterr().err
