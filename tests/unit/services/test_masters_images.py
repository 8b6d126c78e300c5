"""Masters of files with several detectors: bias algebra and matching hold for each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.matching import candidate
from calibstudio.domain.recipe import Recipe, Tolerances
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import BuiltMaster, MastersReport, build_masters
from calibstudio.services.qc import examine
from calibstudio.store.headers import read_header
from calibstudio.store.master_read import read_master
from tests.helpers.night import header

AMPS = {"GREEN_AMP1": (40, 64), "GREEN_AMP2": (40, 64), "RED_AMP1": (36, 72)}
LEVELS = {"GREEN_AMP1": 900.0, "GREEN_AMP2": 1100.0, "RED_AMP1": 700.0}
LIGHT = {"GREEN_AMP1": 20_000.0, "GREEN_AMP2": 24_000.0, "RED_AMP1": 16_000.0}


def write(
    path: Path,
    kind: str,
    number: int,
    *,
    names: list[str] | None = None,
    sizes: dict[str, tuple[int, int]] | None = None,
    exposure: float = 0.0,
) -> None:
    """Write a frame of three amplifiers with a table between and an empty primary."""
    rng = np.random.default_rng([number, len(kind)])
    hdus: list[object] = [fits.PrimaryHDU(header=header(kind, exposure, number))]
    for i, name in enumerate(names or [*AMPS]):
        shape = (sizes or AMPS)[name]
        level = LEVELS[name] + (LIGHT[name] if kind == "flat" else 0.0)
        noise = np.sqrt(LIGHT[name]) if kind == "flat" else 5.0
        pixels = np.rint(rng.normal(level, noise, shape)).astype(np.uint16)
        hdus.append(fits.ImageHDU(pixels, name=name))
        if i == 0:
            table = fits.Column("TIME", "D", array=np.arange(3.0))
            hdus.append(fits.BinTableHDU.from_columns([table], name="EXPMETER"))
    path.parent.mkdir(exist_ok=True, parents=True)
    fits.HDUList(hdus).writeto(path)


def build(folder: Path, library: Library) -> MastersReport:
    found = scan(JobContext(), [folder], cache=False)
    grouping = group_frames(found.headers, left_out=found.ungrouped)
    return build_masters(JobContext(), grouping, grouping.headers, library, Recipe())


def of_kind(report: MastersReport, kind: str) -> BuiltMaster:
    return next(b for b in report.masters if b.record.kind == kind)


def test_bias_and_flat_by_extension_in_any_order(tmp_path: Path) -> None:
    night = tmp_path / "night"
    for i in range(4):
        names = [*AMPS] if i % 2 else [*reversed(AMPS)]
        write(night / f"b{i}.fits", "bias", i, names=names)
        write(night / f"f{i}.fits", "flat", 10 + i, names=names, exposure=1.0)
    with Library.open(tmp_path / "library") as library:
        report = build(night, library)
        bias, flat = of_kind(report, "bias"), of_kind(report, "flat")
        assert [m.sha256 for m in flat.used] == [bias.record.sha256]

    master = read_master(bias.record.path)
    assert sorted(master.detectors) == sorted(AMPS)
    for name, shape in AMPS.items():
        stack = [fits.getdata(night / f"b{i}.fits", name) for i in range(4)]
        full = master.plane("CNT", name) == 4
        assert master.image(name).shape == shape
        expected = np.mean(stack, axis=0)
        np.testing.assert_allclose(master.image(name)[full], expected[full], rtol=1e-6)
        assert master.plane("UNC", name).shape == shape
    lamp = read_master(flat.record.path)
    for name in AMPS:
        # Without its bias taken out by extension, NORMVAL would be 3 to 5 % too large.
        assert lamp.normval[name][0] == pytest.approx(LIGHT[name], rel=0.003)
        assert np.median(lamp.image(name)) == pytest.approx(1.0, abs=0.002)


def test_a_frame_without_one_of_the_detectors_is_left_out_with_the_reason(tmp_path: Path) -> None:
    night = tmp_path / "night"
    write(night / "b0.fits", "bias", 0, names=["GREEN_AMP1", "GREEN_AMP2"])
    sizes = {**AMPS, "RED_AMP1": (36, 70)}
    write(night / "b1.fits", "bias", 1, sizes=sizes)
    for i in range(2, 6):
        write(night / f"b{i}.fits", "bias", i)
    with Library.open(tmp_path / "library") as library:
        built = of_kind(build(night, library), "bias")

    reasons = {left.path.name: left.reason for left in built.excluded}
    assert reasons == {
        "b0.fits": "It has no detector RED_AMP1, which the others have.",
        "b1.fits": "It is 70 × 36 pixels in RED_AMP1, the others are 72 × 36.",
    }
    assert built.record.n_combined == 4
    assert len(read_master(built.record.path).detectors) == 3


def test_matching_covers_every_extension(tmp_path: Path) -> None:
    night = tmp_path / "night"
    for i in range(3):
        write(night / f"b{i}.fits", "bias", i)
    with Library.open(tmp_path / "library") as library:
        record = of_kind(build(night, library), "bias").record
        # What the library keeps says the same as the file.
        (kept,) = library.masters()
        assert kept.values["detectors"] == record.values["detectors"]

    def fits_frame(**other: object) -> tuple[bool, str]:
        path = tmp_path / f"{len([*tmp_path.iterdir()])}.fits"
        write(path, "flat", 20, **other)  # type: ignore[arg-type]
        found = read_header(path)
        values = {**found.values(), **({"detectors": found.detectors} if found.detectors else {})}
        result = candidate(values, record, Tolerances())
        return result.accepted, result.why_not

    assert fits_frame() == (True, "")
    accepted, why = fits_frame(sizes={**AMPS, "RED_AMP1": (36, 70)})
    assert not accepted
    assert "RED_AMP1 70 × 36" in why
    accepted, why = fits_frame(names=["GREEN_AMP1", "GREEN_AMP2"])
    assert not accepted
    assert "set of detectors" in why


def test_qc_judges_every_detector(tmp_path: Path) -> None:
    night = tmp_path / "night"
    for i in range(4):
        write(night / f"b{i}.fits", "bias", i)
    report = examine(JobContext(), [night])

    assessment = report.files[night / "b2.fits"]
    for name, level in LEVELS.items():
        assert assessment.value(f"level {name}") == pytest.approx(level, abs=1.0)
        assert assessment.value(f"noise {name}") == pytest.approx(5.0, rel=0.1)
