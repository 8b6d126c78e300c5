"""`calibstudio stack` as a user and another program meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.cli.main import run
from tests.helpers.realistic_stack import realistic_stack, write_frames


def test_json_is_one_document_with_the_words_of_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(5, seed=1))
    out = tmp_path / "out.fits"

    code = run(["stack", *map(str, paths), "-o", str(out), "--reject", "sigma", "--json"])

    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert code == 0
    assert captured.err == ""
    assert set(document) == {
        "output",
        "n_frames",
        "n_rejected_low",
        "n_rejected_high",
        "seconds",
        "megapixels",
    }
    assert document["output"] == str(out)
    assert document["n_frames"] == 5
    assert fits.getheader(out)["REJTYPE"] == "sigma"


@pytest.mark.parametrize(
    "reject",
    ["auto", "none", "minmax", "percentile", "sigma", "mad", "winsorized", "linear-fit", "esd"],
)
@pytest.mark.parametrize("combine", ["mean", "median"])
def test_every_rule_works(combine: str, reject: str, tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(11, seed=2))
    out = tmp_path / "out.fits"
    words = ["stack", *map(str, paths), "-o", str(out), "--combine", combine, "--reject", reject]

    code = run([*words, "--min-keep", "4", "--threads", "2", "--memory", "20M"])

    assert code == 0
    with fits.open(out) as hdus:
        assert np.isfinite(hdus[0].data).all()
        assert hdus["CNT"].data.min() >= 4


def test_a_skipped_file_is_a_problem_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(4, seed=3))
    paths[1].write_text("not a frame")
    out = tmp_path / "out.fits"

    code = run(["stack", *map(str, paths), "-o", str(out)])

    captured = capsys.readouterr()
    assert code == 1
    assert "Combined 3 frames" in captured.out
    assert captured.err.count("\n") == 1
    assert f"{paths[1]} is not a FITS file." in captured.err
    assert out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--reject", "best"],
        ["--low", "-1", "--reject", "sigma"],
        ["--memory", "much"],
        ["--memory", "10"],
        ["--threads", "0"],
        ["--cutoff", "far"],
        ["--min-keep", "0"],
        ["--iterations", "0"],
        ["--reject", "minmax", "--low", "0.5"],
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(3, seed=4))
    out = tmp_path / "out.fits"

    code = run(["stack", *map(str, paths), "-o", str(out), *words])

    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("calibstudio: ")
    assert "Traceback" not in captured.err
    assert not out.exists()


@pytest.mark.parametrize("memory", ["2G", "500M", "1.5GiB", "300000K", "400000000"])
def test_sizes_are_read_as_people_write_them(memory: str, tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(3, seed=4))

    assert run(["stack", *map(str, paths), "-o", str(tmp_path / "o.fits"), "--memory", memory]) == 0


@pytest.mark.parametrize("cutoff", ["none", "5", "2.5"])
def test_the_cut_off_is_a_number_or_none(cutoff: str, tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(12, seed=4))
    words = ["stack", *map(str, paths), "-o", str(tmp_path / "o.fits"), "--cutoff", cutoff]

    assert run([*words, "--reject", "winsorized"]) == 0


def test_a_stack_of_plain_files_needs_neither_astropy_nor_numba_nor_qt(tmp_path: Path) -> None:
    from calibstudio.imaging.kernels import warm_kernels

    warm_kernels()
    paths = write_frames(tmp_path / "in", realistic_stack(3, seed=5))
    program = (
        "import sys\n"
        "from calibstudio.cli.main import run\n"
        "code = run(sys.argv[1:])\n"
        "heavy = {'astropy', 'numba', 'PySide6', 'sqlalchemy', 'photutils', 'scipy'}\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy))\n"
        "raise SystemExit(code)"
    )
    words = ["stack", *map(str, paths), "-o", str(tmp_path / "o.fits")]

    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip().endswith("[]")
