"""`calibstudio stack` as a user and another program meet it."""

from __future__ import annotations

import json
import os
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
        "images",
        "frames",
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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_named_as_a_frame_is_left_out_and_holds_nothing_up(tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(3, seed=1, shape=(40, 50)))
    pipe, out = tmp_path / "in" / "pipe.fits", tmp_path / "out.fits"
    os.mkfifo(pipe)
    words = ["stack", *map(str, [*paths, pipe]), "-o", str(out)]

    done = subprocess.run(
        [sys.executable, "-m", "calibstudio", *words], capture_output=True, text=True, timeout=120
    )

    assert f"{pipe} is not a file" in done.stderr
    assert out.exists()


def test_json_says_what_became_of_every_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = realistic_stack(12, seed=1, shape=(40, 50))
    stack[4, :20] = 30_000
    paths = write_frames(tmp_path / "in", stack)
    out = tmp_path / "out.fits"

    code = run(["stack", *map(str, paths), "-o", str(out), "--maps", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    frames = document["frames"]
    assert [f["path"] for f in frames] == [str(p) for p in paths]
    assert sum(f["rejected_low"] for f in frames) == document["n_rejected_low"]
    assert sum(f["rejected_high"] for f in frames) == document["n_rejected_high"]
    assert frames[4]["marked"]
    assert frames[4]["share_high"] == pytest.approx(0.5, abs=0.05)
    assert frames[4]["expected_share"] < 0.02
    assert document["images"][0]["floor_adu"] == pytest.approx(7.0, rel=0.12)
    with fits.open(out) as hdus:
        assert [h.name for h in hdus[1:]] == ["UNC", "CNT", "REJ_LOW", "REJ_HIGH"]
        low, high, cnt = (hdus[name].data for name in ("REJ_LOW", "REJ_HIGH", "CNT"))
        np.testing.assert_array_equal(cnt + low + high, 12)
        assert high.sum() == document["n_rejected_high"]
        assert (high[:10, :] >= 1).mean() > 0.9


@pytest.mark.parametrize("weight", ["noise", "exposure"])
def test_frames_count_by_noise_or_exposure(
    weight: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    quiet = np.rint(rng.normal(1000, 5, (4, 60, 400))).astype(np.uint16)
    loud = np.rint(rng.normal(1000, 10, (4, 60, 400))).astype(np.uint16)
    paths = write_frames(tmp_path / "quiet", quiet, EXPTIME=40.0)
    paths += write_frames(tmp_path / "loud", loud, EXPTIME=10.0)
    out = tmp_path / "out.fits"

    words = ["stack", *map(str, paths), "-o", str(out), "--reject", "none", "--weight", weight]
    code = run([*words, "--json"])

    weights = [f["weight"] for f in json.loads(capsys.readouterr().out)["frames"]]
    assert code == 0
    assert weights[:4] == pytest.approx([1.6] * 4, rel=0.06)
    assert weights[4:] == pytest.approx([0.4] * 4, rel=0.06)
    with fits.open(out) as hdus:
        assert hdus[0].header["WGHTTYPE"] == weight
        true = float(np.std(hdus[0].data))
        assert true == pytest.approx(5 / np.sqrt(5), rel=0.02)
        assert float(np.sqrt(np.mean(hdus["UNC"].data ** 2))) == pytest.approx(true, rel=0.02)


def test_a_frame_without_an_exposure_has_no_weight_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(4, seed=1), EXPTIME=0.0)
    words = ["stack", *map(str, paths), "-o", str(tmp_path / "o.fits"), "--reject", "none"]

    assert run([*words, "--weight", "exposure"]) == 2
    said = capsys.readouterr().err
    assert "dark_001.fits" in said
    assert "Weight by noise" in said
    assert run([*words, "--weight", "noise", "--combine", "median"]) == 2
    assert "a median has none" in capsys.readouterr().err


def test_several_images_have_maps_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = realistic_stack(10, seed=3, shape=(12, 40))
    paths = []
    for i, frame in enumerate(stack):
        paths.append(tmp_path / f"f{i}.fits")
        images = [fits.ImageHDU(frame, name=n) for n in ("GREEN", "RED")]
        fits.HDUList([fits.PrimaryHDU(), *images]).writeto(paths[-1])
    out = tmp_path / "out.fits"

    code = run(["stack", *map(str, paths), "-o", str(out), "--maps", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert len(document["images"]) == 2
    total = sum(f["rejected_low"] + f["rejected_high"] for f in document["frames"])
    assert total == document["n_rejected_low"] + document["n_rejected_high"] > 0
    with fits.open(out) as hdus:
        names = {h.name for h in hdus}
        assert {"GREEN_REJ_LOW", "RED_REJ_HIGH", "GREEN_CNT"} <= names
