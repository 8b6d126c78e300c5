"""`calibstudio stack` measures and says what an expert would ask: the floor used, the unit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.cli.main import run
from tests.helpers.realistic_stack import write_frames

N, SIGMA = 5, 7.0


def noise_frames(folder: Path, kind: str, **cards: object) -> list[Path]:
    rng = np.random.default_rng(11)
    stack = np.rint(rng.normal(1000.0, SIGMA, (N, 120, 160))).astype(np.uint16)
    cards = {"IMAGETYP": kind, "EXPTIME": 0.0, "INSTRUME": "Cam", "GAIN": 100, **cards}
    return write_frames(folder, stack, **cards)


def stacked(
    paths: list[Path], out: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, dict, str]:  # type: ignore[type-arg]
    code = run(["stack", *map(str, paths), "-o", str(out), "--json", *words])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_few_covered_frames_lose_as_little_in_a_stack_as_in_a_master(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = noise_frames(tmp_path / "in", "Bias Frame")

    code, document, _ = stacked(paths, tmp_path / "out.fits", capsys)
    run(["masters", str(tmp_path / "in"), "--library", str(tmp_path / "lib"), "--json"])
    master = json.loads(capsys.readouterr().out)["masters"][0]["path"]

    assert code == 0
    image = document["images"][0]
    assert image["floor"] == "noise"
    # Two rows of 160 pixels and 5 frames tell the noise to about 3 %.
    assert image["floor_adu"] == pytest.approx(SIGMA, rel=0.1)
    assert image["floor_adu"] == pytest.approx(fits.getval(master, "REJFLOOR"), rel=0.12)
    rejected = document["n_rejected_low"] + document["n_rejected_high"]
    assert rejected / (N * 120 * 160) < 1e-4
    with fits.open(tmp_path / "out.fits") as mine, fits.open(master) as its:
        # The two measure the noise at other places, so a value at the very limit may differ.
        assert (mine[0].data != its[0].data).mean() < 1e-3


def test_the_floor_of_a_stack_is_said_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bias = noise_frames(tmp_path / "bias", "BIAS")
    flats = noise_frames(tmp_path / "flat", "Flat Field")

    run(["stack", *map(str, bias), "-o", str(tmp_path / "b.fits")])
    of_bias = capsys.readouterr().out
    run(["stack", *map(str, flats), "-o", str(tmp_path / "f.fits")])
    of_flats = capsys.readouterr().out
    _, asked, _ = stacked(flats, tmp_path / "g.fits", capsys, "--floor", "noise")
    _, by_name, _ = stacked(bias, tmp_path / "h.fits", capsys, "--reject", "sigma")

    assert "the noise of one of these covered frames" in of_bias
    assert "one code, because the frames are not said to be covered" in of_flats
    assert "--floor noise" in of_flats
    assert asked["images"][0]["floor"] == "noise"
    assert asked["images"][0]["floor_adu"] == pytest.approx(SIGMA, rel=0.1)
    assert by_name["images"][0]["floor"] is None
    assert fits.getval(tmp_path / "b.fits", "REJFLOOR") == pytest.approx(SIGMA, rel=0.1)


@pytest.mark.parametrize(("written", "unit"), [("electron", "electron"), ("ADU", "adu")])
def test_a_stack_has_the_unit_of_its_frames(
    written: str, unit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = noise_frames(tmp_path / "in", "Dark Frame", BUNIT=written)

    code, document, _ = stacked(paths, tmp_path / "out.fits", capsys)

    assert code == 0
    assert document["images"][0]["unit"] == unit
    with fits.open(tmp_path / "out.fits") as hdus:
        assert hdus[0].header["BUNIT"] == unit
        assert hdus["UNC"].header["BUNIT"] == unit


def test_frames_of_several_units_are_a_problem_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = noise_frames(tmp_path / "in", "Dark Frame")
    fits.setval(paths[2], "BUNIT", value="electron")

    code, _, said = stacked(paths, tmp_path / "out.fits", capsys)

    assert code == 1
    assert "dark_003.fits" in said
    assert "electron" in said
    assert "BUNIT" not in fits.getheader(tmp_path / "out.fits")
