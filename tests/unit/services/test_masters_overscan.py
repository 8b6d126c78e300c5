"""Masters of frames with an overscan: taken out, trimmed, recorded, matched by what was done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.overscan import IfWrong, OverscanLevel, OverscanSettings
from calibstudio.domain.recipe import Recipe
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import BuiltMaster, MastersReport, build_masters
from calibstudio.store.master_read import read_master
from tests.helpers.night import header

NY, NX, NB = 64, 80, 16
TREATED = Recipe(overscan=OverscanSettings(OverscanLevel.MEDIAN, trim=True))
LIGHT = 20_000.0
ABOVE = 200.0
"""What the data of a bias has above its overscan, ADU."""


def raw(kind: str, number: int) -> np.ndarray:
    """A level that drifts by 40 ADU from frame to frame, far more than the noise."""
    rng = np.random.default_rng([number, len(kind)])
    pixels = rng.normal(1000.0 + 40.0 * number, 4.0, (NY, NX + NB))
    pixels[:, :NX] += ABOVE
    if kind == "flat":
        pixels[:, :NX] += rng.normal(LIGHT, np.sqrt(LIGHT), (NY, NX))
    return np.rint(pixels).astype(np.uint16)


def take(night: Path, kind: str, n: int = 4, **cards: object) -> list[np.ndarray]:
    night.mkdir(exist_ok=True)
    frames = []
    for i in range(n):
        frames.append(raw(kind, i))
        said = {"BIASSEC": f"[{NX + 1}:{NX + NB},1:{NY}]", "TRIMSEC": f"[1:{NX},1:{NY}]", **cards}
        exposure = 1.0 if kind == "flat" else 0.0
        head = header(kind, exposure, i + 20 * (kind == "flat"), **said)
        fits.PrimaryHDU(frames[-1], head).writeto(night / f"{kind}{i}.fits")
    return frames


def treated(pixels: np.ndarray) -> np.ndarray:
    return pixels[:, :NX] - np.median(pixels[:, NX:].astype(float), axis=1)[:, None]


def build(folder: Path, library: Library, recipe: Recipe) -> MastersReport:
    found = scan(JobContext(), [folder], cache=False)
    grouping = group_frames(found.headers, left_out=found.ungrouped)
    return build_masters(JobContext(), grouping, grouping.headers, library, recipe)


def of_kind(report: MastersReport, kind: str) -> BuiltMaster:
    return next(b for b in report.masters if b.record.kind == kind)


def test_bias_and_flat_without_their_overscan(tmp_path: Path) -> None:
    night = tmp_path / "night"
    biases = take(night, "bias")
    take(night, "flat")
    with Library.open(tmp_path / "library") as library:
        report = build(night, library, TREATED)
        bias, flat = of_kind(report, "bias"), of_kind(report, "flat")
        assert not bias.excluded
        assert [m.sha256 for m in flat.used] == [bias.record.sha256]

    master = read_master(bias.record.path)
    full = master.plane("CNT") == 4
    expected = np.mean([treated(b) for b in biases], axis=0)
    assert master.image().shape == (NY, NX)
    assert full.mean() > 0.95
    np.testing.assert_allclose(master.image()[full], expected[full], atol=1e-3)
    cards = fits.getheader(master.path)
    assert cards["OVERSCAN"] == "median of each row taken out, trimmed"
    assert cards["OVSCLEV"] == pytest.approx(1060, abs=1)
    assert cards["TRIMMED"] == f"[1:{NX},1:{NY}]"
    assert "TRIMSEC" not in cards
    assert any("Overscan of every frame: median" in line for line in master.history)
    assert master.record.key["shape"] == (NY, NX)
    # The drift of the level is out, too: frames are judged together as they are combined.
    assert "bias drift" not in {f.title for f in master.record.assessment.findings}

    lamp = read_master(flat.record.path)
    assert lamp.image().shape == (NY, NX)
    # With what the bias has above its overscan it would be 1 % more.
    assert lamp.normval[""][0] == pytest.approx(LIGHT, rel=0.002)
    noise = 1 / np.sqrt(4 * LIGHT)
    assert np.std(lamp.image()) == pytest.approx(noise, rel=0.1)


def test_a_bad_pixel_map_of_trimmed_frames(tmp_path: Path) -> None:
    """Unstable pixels are looked for in the frames as they were combined."""
    night = tmp_path / "night"
    night.mkdir()
    rng = np.random.default_rng(8)
    for i in range(16):
        pixels = rng.normal(1000.0 + 40.0 * i, 4.0, (NY, NX + NB))
        pixels[20, 30] += 4000.0
        pixels[40, 50] += 900.0 * (i % 2)
        cards = {"BIASSEC": f"[{NX + 1}:{NX + NB},1:{NY}]", "TRIMSEC": f"[1:{NX},1:{NY}]"}
        data = np.rint(pixels).astype(np.uint16)
        fits.PrimaryHDU(data, header("dark", 60.0, i, **cards)).writeto(night / f"d{i}.fits")
    with Library.open(tmp_path / "library") as library:
        report = build(night, library, TREATED)
        assert not report.skipped
        found = next(b for b in report.masters if b.record.kind not in ("dark", "bias"))
    flags = fits.getdata(found.record.path)
    assert flags.shape == (NY, NX)
    assert flags[20, 30] and flags[40, 50]
    assert np.count_nonzero(flags) < 10


def test_trimmed_and_untrimmed_never_match(tmp_path: Path) -> None:
    biases, flats = tmp_path / "biases", tmp_path / "flats"
    take(biases, "bias")
    take(flats, "flat")
    level_only = Recipe(overscan=OverscanSettings(OverscanLevel.MEDIAN))
    with Library.open(tmp_path / "library") as library:
        for recipe in (TREATED, level_only):
            build(biases, library, recipe)
        plain = of_kind(build(flats, library, Recipe()), "flat")
        assert plain.used == ()
        assert any("overscan of the frames stays in (BIASSEC" in n for n in plain.notes)
        assert any("treatment of the overscan" in n or "size" in n for n in plain.notes)
        trimmed = of_kind(build(flats, library, TREATED), "flat")
        assert len(trimmed.used) == 1
        assert trimmed.used[0].key["overscan"] == "median of each row taken out, trimmed"


def test_wrong_sections_leave_out_a_frame_or_all_are_untrimmed(tmp_path: Path) -> None:
    night = tmp_path / "night"
    take(night, "bias", 5)
    fits.setval(night / "bias2.fits", "BIASSEC", value="[4096:4109]")
    with Library.open(tmp_path / "library") as library:
        built = of_kind(build(night, library, TREATED), "bias")
        assert {x.path.name: x.reason for x in built.excluded} == {
            "bias2.fits": "It says BIASSEC = '[4096:4109]', which is no section of a picture."
        }
        kind = replace(TREATED.overscan, if_wrong=IfWrong.UNTRIMMED)
        recipe = Recipe(overscan=kind, leave_out_bad=False)
        whole = of_kind(build(night, library, recipe), "bias")
    assert any("used untrimmed" in note for note in whole.notes)
    master = read_master(whole.record.path)
    assert master.image().shape == (NY, NX + NB)
    assert whole.record.n_combined == 5
    assert any("used untrimmed" in line for line in master.history)
    assert "overscan" not in whole.record.key


def test_each_detector_by_its_own_sections(tmp_path: Path) -> None:
    night = tmp_path / "night"
    night.mkdir()
    stacks: dict[str, list[np.ndarray]] = {"AMP1": [], "AMP2": []}
    for i in range(4):
        hdus: list[object] = [fits.PrimaryHDU(header=header("bias", 0.0, i))]
        left = raw("bias", i)
        right = np.ascontiguousarray(raw("bias", i + 9)[:, ::-1])
        stacks["AMP1"].append(treated(left))
        stacks["AMP2"].append(treated(right[:, ::-1])[:, ::-1])
        hdus += [fits.ImageHDU(left, name="AMP1"), fits.ImageHDU(right, name="AMP2")]
        hdus[1].header.update(BIASSEC=f"[{NX + 1}:{NX + NB},*]", DATASEC=f"[1:{NX},*]")
        hdus[2].header.update(BIASSEC=f"[1:{NB},*]", DATASEC=f"[{NB + 1}:{NX + NB},*]")
        fits.HDUList(hdus).writeto(night / f"b{i}.fits")
    with Library.open(tmp_path / "library") as library:
        built = of_kind(build(night, library, TREATED), "bias")

    master = read_master(built.record.path)
    for name, frames in stacks.items():
        full = master.plane("CNT", name) == 4
        expected = np.mean(frames, axis=0)
        assert master.image(name).shape == (NY, NX)
        np.testing.assert_allclose(master.image(name)[full], expected[full], atol=1e-3)
        assert "DATASEC" not in fits.getheader(master.path, name)
    assert built.record.key["detectors"] == f"AMP1 {NX} × {NY}, AMP2 {NX} × {NY}"


def test_an_overscan_that_is_left_in_is_not_judged_as_a_picture(tmp_path: Path) -> None:
    night = tmp_path / "night"
    frames = take(night, "bias")
    with Library.open(tmp_path / "library") as library:
        master = of_kind(build(night, library, Recipe()), "bias").record

    data = np.mean(frames, axis=0)[:, :NX]
    assert read_master(master.path).image().shape == (NY, NX + NB)
    # The overscan is 200 ADU lower.
    assert master.assessment.value("minimum") == pytest.approx(data.min(), abs=4.0)
    assert master.assessment.value("level") == pytest.approx(np.median(data), abs=2.0)
    assert not [f for f in master.assessment.findings if f.metric == "gradient"]
