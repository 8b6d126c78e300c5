"""A rig states the overscan of a camera whose headers say none: used, said, made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.cli import main as cli
from calibstudio.domain.errors import UsageError
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.overscan import OverscanLevel, OverscanSettings
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.rig import Rig
from calibstudio.domain.rig_knows import RigKnows
from calibstudio.services.import_frames import scan
from calibstudio.services.judge import judge_files
from calibstudio.services.library import Library
from calibstudio.services.masters import build_masters
from calibstudio.services.provenance import read_provenance
from calibstudio.services.rebuild import rebuild_master
from calibstudio.services.rig_limits import RigLimits
from calibstudio.services.rig_overscan import with_stated_sections
from calibstudio.services.rigs import rigs_here
from calibstudio.store.master_read import read_master
from tests.helpers.night import Camera, take

TAKEN_OUT = OverscanSettings(OverscanLevel.MEDIAN, trim=True)
KNOWS = RigKnows(
    camera="Cam", bias_section="[113:128,1:96]", data_section="[1:112,1:96]",
    sensor_width_px=128, sensor_height_px=96,
)  # fmt: skip
RIGS = RigLimits((Rig("Newton", knows=KNOWS),))


def header(**more: object) -> FrameHeader:
    made = FrameHeader(Path("a.fits"), camera="Cam", shape=(96, 128), binning=(1, 1))
    return replace(made, **more)  # type: ignore[arg-type]


def said(
    headers: list[FrameHeader], settings: OverscanSettings = TAKEN_OUT
) -> tuple[str, str, str]:
    made, notes = with_stated_sections(settings, headers, RIGS)
    return made.bias, made.data, " ".join(notes)


def test_sections_are_typed_as_people_do_and_kept_as_headers_write_them() -> None:
    for text in ("[113:128,1:96]", "113..128, 1..96", "113-128,1\u201396"):
        assert RigKnows().with_text("bias_section", text).bias_section == "[113:128,1:96]"
    for text in ("128..113, 1..96", "0..5, 1..9", "1..5", "[*,1:5]"):
        with pytest.raises(UsageError, match="Overscan cannot be"):
            RigKnows().with_text("bias_section", text)


def test_the_rig_speaks_where_the_header_does_not() -> None:
    bias, data, note = said([header()])
    assert (bias, data) == ("[113:128,1:96]", "[1:112,1:96]")
    assert note == (
        "Where the header says no section, rig “Newton” does: overscan [113:128,1:96] and data "
        "[1:112,1:96]."
    )
    assert "stays in" in said([header()], OverscanSettings())[2]


def test_what_is_typed_comes_first_and_a_header_that_differs_counts_and_is_said() -> None:
    typed = replace(TAKEN_OUT, bias="[120:128,1:96]")
    assert said([header()], typed) == ("[120:128,1:96]", "", "")
    same = "BIASSEC [113:128,1:96], TRIMSEC [1:112,1:96]"
    assert said([header(), header(sections=same)]) == ("", "", "")
    bias, data, note = said([header(sections="TRIMSEC [1:110,1:96]")])
    assert (bias, data) == ("", "")
    assert note == (
        "The header says TRIMSEC [1:110,1:96], rig “Newton” [1:112,1:96]: the header counts."
    )


def test_binning_scales_sections_or_they_are_not_used_and_neither_are_they_of_a_region() -> None:
    assert said([header(shape=(48, 64), binning=(2, 2))])[:2] == ("[57:64,1:48]", "[1:56,1:48]")
    bias, _, note = said([header(shape=(32, 42), binning=(3, 3))])
    assert not bias and "no whole pixels at binning 3 × 3" in note
    bias, _, note = said([header(shape=(40, 40))])
    assert not bias and "part of the sensor" in note
    outside = replace(KNOWS, bias_section="[113:140,1:96]")
    _, notes = with_stated_sections(
        TAKEN_OUT, [header()], RigLimits((Rig("Newton", knows=outside),))
    )
    assert "outside of its" in notes[0]


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Biases whose last 16 columns are 300 ADU below the rest, without a word of it."""
    folder = tmp_path / "night"
    take(folder, Camera(), "bias", 5)
    for path in folder.glob("*.fits"):
        with fits.open(path, mode="update") as hdus:
            hdus[0].data[:, 112:] -= 300
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty library."""
    with Library.open(tmp_path / "library") as opened:
        yield opened


def grouped(folder: Path) -> tuple[Grouping, RigLimits]:
    found = scan(JobContext(), [folder], cache=False)
    name = found.headers[0].camera
    assert name is not None
    knows = replace(KNOWS, camera=name)
    return group_frames(found.headers), RigLimits((Rig("Newton", knows=knows),))


def test_a_master_is_built_without_the_stated_overscan_and_made_again_to_the_byte(
    night: Path, library: Library
) -> None:
    grouping, rigs = grouped(night)
    report = build_masters(
        JobContext(), grouping, grouping.headers, library, Recipe(overscan=TAKEN_OUT),
        threads=2, rigs=rigs,
    )  # fmt: skip
    (built,) = report.masters
    path = built.record.path

    with fits.open(path) as hdus:
        image = hdus[0].data
        assert image.shape == (96, 112)
        assert np.median(image) == pytest.approx(300.0, abs=2.0)
    assert any("rig “Newton” does: overscan [113:128,1:96]" in note for note in built.notes)
    made = read_provenance(read_master(path).provenance, path.name)
    assert made.recipe.overscan.bias == "[113:128,1:96]"
    assert any("Newton" in note for note in made.notes)
    again = rebuild_master(JobContext(), path, [night])
    assert again.identical, again.sentence


def test_frames_are_judged_by_their_data_alone(night: Path) -> None:
    grouping, rigs = grouped(night)
    headers = list(grouping.headers.values())
    plain = judge_files(JobContext(), headers)
    apart = judge_files(JobContext(), headers, rigs=rigs)
    for path in plain:
        low, data = plain[path].value("minimum"), apart[path].value("minimum")
        assert low is not None and data is not None
        assert data - low > 200.0


def test_the_command_stacks_with_the_sections_of_the_rig(
    night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("calibstudio.services.settings.settings_path", lambda: tmp_path / "c" / "s")
    monkeypatch.setattr("calibstudio.services.settings.data_folder", lambda: tmp_path / "d")
    _, rigs = grouped(night)
    rigs_here().save(rigs.rigs[0])
    files, out = [str(p) for p in sorted(night.glob("*.fits"))], tmp_path / "bias.fits"

    done = cli.run(["stack", *files, "-o", str(out), "--overscan", "median", "--trim"])

    assert done == 0, capsys.readouterr().err
    assert "rig “Newton” does: overscan [113:128,1:96]" in capsys.readouterr().out
    assert fits.getdata(out).shape == (96, 112)
