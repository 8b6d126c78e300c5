"""Darks as rates, and dark signal of another exposure for flats: legal, or refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.grouping_rules import group_frames, grouping_keys
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import DarkForm, DarkScaling, DarkSettings, Recipe
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import BuiltMaster, MastersReport, build_masters
from calibstudio.store.master_read import MasterFile, read_master
from tests.helpers.night import (
    EGAIN,
    READ_NOISE_ADU,
    Camera,
    header,
    take,
    write_frame,
)

RATE = replace(Recipe(), dark=DarkSettings(form=DarkForm.RATE))
TOGETHER = replace(Recipe(), dark=DarkSettings(form=DarkForm.RATE, together=True))


@pytest.fixture
def night(tmp_path: Path) -> Path:
    return tmp_path / "night"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def build(library: Library, folder: Path, recipe: Recipe) -> MastersReport:
    found = scan(JobContext(), [folder], cache=False)
    grouping = group_frames(found.headers, recipe.tolerances, keys=grouping_keys(recipe))
    return build_masters(JobContext(), grouping, grouping.headers, library, recipe)


def only(report: MastersReport, kind: str) -> BuiltMaster:
    assert not report.skipped, [entry.reason for entry in report.skipped]
    (built,) = [b for b in report.masters if b.record.kind == kind]
    return built


def opened(built: BuiltMaster) -> MasterFile:
    return read_master(built.record.path)


def scaling(**changes: Any) -> Recipe:
    settings = DarkSettings(**{"scaling": DarkScaling.EXPOSURE, **changes})
    return replace(Recipe(), dark=settings)


def test_a_rate_has_the_bias_out_and_is_of_one_second(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=2.0)
    take(night, camera, "bias", 9)
    take(night, camera, "dark", 9, 60.0)

    report = build(library, night, RATE)

    built = only(report, "dark")
    master = opened(built)
    cards = fits.getheader(master.path)
    assert (cards["BUNIT"], cards["BIASSUB"], cards["DARKSUB"]) == ("adu/s", True, False)
    assert cards["CAL_BIAS"] == only(report, "bias").record.path.name
    assert master.record.unit == "adu/s"
    # 12 288 pixels tell the mean rate to a few ten-thousandths of an ADU/s.
    assert np.mean(master.image()) == pytest.approx(2.0, abs=0.005)
    noise = np.sqrt(2.0 * 60 / EGAIN + READ_NOISE_ADU**2 + 1 / 12) / 9**0.5 / 60
    common = np.hypot(READ_NOISE_ADU, 12**-0.5) / 9**0.5 / 60
    rms = float(np.sqrt(np.nanmean(np.square(master.plane("UNC"), dtype=np.float64))))
    assert rms == pytest.approx(np.hypot(noise, common), rel=0.04)
    assert built.record.assessment.value("dark_rate_adu") == pytest.approx(2.0, abs=0.01)
    assert all(r.scale == pytest.approx(1 / 60) for r in master.inputs)


def test_a_rate_without_a_bias_is_refused_with_the_cure(night: Path, library: Library) -> None:
    take(night, Camera(), "dark", 5, 60.0)

    report = build(library, night, RATE)

    assert report.masters == ()
    (skipped,) = report.skipped
    assert "a rate needs the bias taken out first" in skipped.reason
    assert "dark.form = with-bias" in skipped.reason


def test_a_dark_of_no_exposure_is_no_rate(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 4)
    take(night, Camera(), "dark", 4, 0.0)

    report = build(library, night, RATE)

    assert [b.record.kind for b in report.masters] == ["bias"]
    assert "it is 0\u202fs" in report.skipped[0].reason


def test_darks_of_several_exposures_become_one_rate_by_their_weight(
    night: Path, library: Library
) -> None:
    camera = Camera(dark_adu_per_s=2.0)
    take(night, camera, "bias", 9)
    take(night, camera, "dark", 6, 30.0, first=10)
    take(night, camera, "dark", 6, 120.0, first=20)

    master = opened(only(build(library, night, TOGETHER), "dark"))

    assert master.record.n_combined == 12
    assert np.mean(master.image()) == pytest.approx(2.0, abs=0.005)
    variances = [(2.0 * t / EGAIN + READ_NOISE_ADU**2 + 1 / 12) / 6 / t**2 for t in (30, 120)]
    weights = [1 / v for v in variances]
    mean = sum(w / t for w, t in zip(weights, (30, 120), strict=True)) / sum(weights)
    common = np.hypot(READ_NOISE_ADU, 12**-0.5) / 9**0.5 * mean
    expected = np.hypot(sum(weights) ** -0.5, common)
    # The scatter of the pixels is that of the weighted mean and of the bias under it.
    assert np.std(master.image()) == pytest.approx(expected, rel=0.04)
    rms = float(np.sqrt(np.nanmean(np.square(master.plane("UNC"), dtype=np.float64))))
    assert rms == pytest.approx(expected, rel=0.06)
    assert np.median(master.plane("CNT")) == 12
    assert [r.scale for r in master.inputs] == pytest.approx([1 / 30] * 6 + [1 / 120] * 6)
    assert any("combined by the inverse of their variance" in line for line in master.history)


def glowing(night: Path, p: float, *times: float) -> None:
    """Biases and darks of a camera whose glow grows as t^p."""
    camera = Camera(dark_adu_per_s=3.0)
    take(night, camera, "bias", 9)
    y, x = np.mgrid[0 : camera.shape[0], 0 : camera.shape[1]]
    glow = 8.0 * np.exp(-((y - 10.0) ** 2 + (x - 110.0) ** 2) / 900.0)
    for time in times:
        for i in range(6):
            pixels = camera.frame(time) + np.rint(glow * (time / 10.0) ** p).astype(np.uint16)
            write_frame(night / f"d{time:g}_{i}.fits", pixels, header("dark", time, 20 + i))


def test_glow_that_does_not_scale_makes_no_common_rate(night: Path, library: Library) -> None:
    glowing(night, 0.6, 10.0, 60.0)

    report = build(library, night, TOGETHER)

    assert [b.record.kind for b in report.masters] == ["bias"]
    reason = report.skipped[0].reason
    assert "grows as t^0.6" in reason
    assert "dark.together = false" in reason


def test_a_scaled_dark_takes_the_right_signal_out_of_flats(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=10.0)
    take(night, camera, "bias", 9)
    take(night, camera, "dark", 6, 20.0, first=10)
    take(night, camera, "dark", 6, 60.0, first=20)
    take(night, camera, "flat", 5, 15.0, 20_000.0, first=30)

    built = only(build(library, night, scaling()), "flat")

    assert [m.kind for m in built.used] == ["bias", "dark"]
    assert built.used[1].values["exposure_s"] == 20.0, "down rather than up, the nearest"
    assert (built.record.bias_subtracted, built.record.dark_subtracted) == (True, True)
    assert "0.75 of the dark signal of 20" in built.notes[0]
    assert "says that it scales" in built.notes[1] or "say that it scales" in built.notes[1]
    # The level without bias and without the dark signal of 15 s, 150 ADU of 20 000: the light of
    # the middle is 0.983 of the peak by tiles; the bias alone would leave 0.75 % more.
    (normval,) = opened(built).normval[""]
    response = camera.response
    light = 20_000.0 * np.median(response[24:72, 32:96])
    assert normval == pytest.approx(light, rel=1e-3)
    cards = fits.getheader(built.record.path)
    assert cards["CAL_BIAS"]
    assert cards["CAL_DARK"]


def test_a_rate_serves_flats_of_the_same_run(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=10.0)
    take(night, camera, "bias", 9)
    take(night, camera, "dark", 6, 60.0, first=20)
    take(night, camera, "flat", 5, 15.0, 20_000.0, first=30)
    recipe = scaling(form=DarkForm.RATE)

    report = build(library, night, recipe)

    built = only(report, "flat")
    assert [m.unit for m in built.used] == ["adu", "adu/s"]
    assert "15 s of the rate" in built.notes[0]
    (normval,) = opened(built).normval[""]
    assert normval == pytest.approx(20_000.0 * np.median(camera.response[24:72, 32:96]), rel=1e-3)


def test_the_optimum_finds_the_dark_signal_of_a_warmer_night(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=0.5)
    hot = np.zeros(camera.shape)
    hot.flat[::60] = 40.0
    take(night, camera, "bias", 9)
    for i in range(6):
        pixels = camera.frame(60.0) + (60.0 * hot).astype(np.uint16)
        write_frame(night / f"dark{i}.fits", pixels, header("dark", 60.0, 20 + i))
    for i in range(5):
        # A third more signal than the exposures say: 20 s count as 26.7 s.
        pixels = camera.frame(20.0, 20_000.0) + (20.0 * 4 / 3 * hot).astype(np.uint16)
        write_frame(night / f"flat{i}.fits", pixels, header("flat", 20.0, 30 + i))

    built = only(build(library, night, scaling(scaling=DarkScaling.OPTIMISED)), "flat")

    assert "scaled for the least noise" in built.notes[0]
    factor = float(built.notes[0].split()[0])
    # 200 hot pixels of 1 067 ADU against photon noise of 115: good to about 1 %.
    assert factor == pytest.approx(4 / 9, rel=0.05)


@pytest.mark.parametrize(
    ("exposure_s", "recipe", "said"),
    [
        (300.0, scaling(), "would be scaled up to 300"),
        (15.0, Recipe(), "would be wrong by up to"),
    ],
)
def test_what_is_not_allowed_is_not_scaled(
    night: Path, library: Library, exposure_s: float, recipe: Recipe, said: str
) -> None:
    camera = Camera(dark_adu_per_s=10.0)
    take(night, camera, "bias", 4)
    take(night, camera, "dark", 4, 60.0, first=20)
    take(night, camera, "flat", 4, exposure_s, 20_000.0, first=30)

    built = only(build(library, night, recipe), "flat")

    assert [m.kind for m in built.used] == ["bias"]
    assert said in built.notes[0]
    assert "The dark signal of the flats stays in." in built.notes


@pytest.mark.parametrize(
    ("p", "times", "said"),
    [
        (0.6, (10.0, 60.0), "grows as t^0.6"),
        (1.0, (60.0,), "darks of one exposure do not say that it scales"),
    ],
)
def test_glow_forbids_scaling(
    night: Path, library: Library, p: float, times: tuple[float, ...], said: str
) -> None:
    glowing(night, p, *times)
    take(night, Camera(dark_adu_per_s=3.0), "flat", 4, 5.0, 20_000.0, first=40)

    built = only(build(library, night, scaling()), "flat")

    assert [m.kind for m in built.used] == ["bias"]
    assert said in built.notes[0]


def test_glow_that_scales_is_scaled(night: Path, library: Library) -> None:
    glowing(night, 1.0, 10.0, 60.0)
    take(night, Camera(dark_adu_per_s=3.0), "flat", 4, 5.0, 20_000.0, first=40)

    built = only(build(library, night, scaling()), "flat")

    assert [m.kind for m in built.used] == ["bias", "dark"]


def test_a_rate_is_never_taken_for_a_dark(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=2.0)
    take(night, camera, "bias", 4)
    take(night, camera, "dark", 4, 15.0, first=20)
    build(library, night, RATE)
    take(night / "flats", camera, "flat", 4, 15.0, 20_000.0, first=30)

    built = only(build(library, night / "flats", Recipe()), "flat")

    assert [(m.kind, m.unit) for m in built.used] == [("bias", "adu")]
