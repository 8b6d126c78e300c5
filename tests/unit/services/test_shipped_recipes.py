"""Each shipped recipe does what the system does that it is named after, on the same frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.stats import sigma_clip
from numpy.typing import NDArray

from calibstudio.domain.grouping_rules import group_frames, grouping_keys
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Recipe
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import MastersReport, build_masters
from calibstudio.store.master_read import MasterFile, read_master
from calibstudio.store.recipes import load_recipe
from tests.helpers.night import Camera, header, take, write_frame

Stack = NDArray[np.float64]


@pytest.fixture
def night(tmp_path: Path) -> Path:
    return tmp_path / "night"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def build(library: Library, folder: Path, name: str) -> MastersReport:
    recipe: Recipe = load_recipe(name)
    found = scan(JobContext(), [folder], cache=False)
    grouping = group_frames(found.headers, recipe.tolerances, keys=grouping_keys(recipe))
    return build_masters(JobContext(), grouping, grouping.headers, library, recipe)


def masters(report: MastersReport) -> dict[str, MasterFile]:
    assert not report.skipped, [entry.reason for entry in report.skipped]
    return {b.record.kind: read_master(b.record.path) for b in report.masters}


def stack_of(folder: Path, pattern: str) -> Stack:
    return np.stack([fits.getdata(p).astype(np.float64) for p in sorted(folder.glob(pattern))])


def kpf(stack: Stack, sigmas: float, factor: float) -> tuple[Stack, Stack, Stack]:
    """KPF's frame stacker: average, uncertainty, count."""
    low, middle, high = np.percentile(stack, [16, 50, 84], axis=0)
    sigma = 0.5 * (high - low)
    good = (stack >= middle - sigmas * sigma) & (stack <= middle + sigmas * sigma)
    count = np.maximum(good.sum(axis=0), 1)
    average = np.where(good, stack, 0).sum(axis=0) / count
    variance = np.where(good, (stack - average) ** 2, 0).sum(axis=0) / count * factor
    return average, np.sqrt(variance / count), count


def test_kpf(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=0.5)
    words = {"notjunk": 1, "object": "autocal-bias", "imtype": "Bias"}
    take(night, camera, "bias", 12, **words)
    words = {"notjunk": 1, "object": "autocal-dark", "imtype": "Dark"}
    take(night, camera, "dark", 5, 600.0, first=20, **words)
    take(night, camera, "dark", 2, 100.0, first=30, **words)
    words = {"notjunk": 1, "object": "autocal-flat-all", "imtype": "Flatlamp"}
    take(night, camera, "flat", 12, 30.0, 20_000.0, first=40, **words)
    take(night, camera, "flat", 1, 30.0, 20_000.0, first=60, **{**words, "notjunk": 0})

    report = build(library, night, "kpf")

    made = masters(report)
    assert [b.record.path.name for b in report.masters] == [
        "kpf_20250601_master_bias.fits",
        "kpf_20250601_master_dark.fits",
        "kpf_20250601_master_flat.fits",
    ]
    average, unc, count = kpf(stack_of(night, "bias_*"), 2.1, 1.243576)
    bias = made["bias"].image().astype(np.float64)
    np.testing.assert_array_equal(made["bias"].plane("CNT"), count)
    np.testing.assert_allclose(bias, average, atol=2e-4)
    some = count > 1
    np.testing.assert_allclose(made["bias"].plane("UNC")[some], unc[some], rtol=1e-4, atol=1e-5)
    rates = (stack_of(night, "dark_600*") - bias) / 600.0
    dark = made["dark"].image().astype(np.float64)
    average, _, count = kpf(rates, 2.2, 1.196372)
    same = made["dark"].plane("CNT") == count
    assert same.mean() > 0.999, "float32 decides some values at the edge otherwise"
    np.testing.assert_allclose(dark[same], average[same], atol=2e-6)
    assert made["dark"].record.n_combined == 5
    assert made["dark"].record.unit == "adu/s"
    cards = fits.getheader(report.masters[0].record.path)
    assert cards["INFOBITS"] == int((kpf(stack_of(night, "bias_*"), 2.1, 1)[2] < 10).mean() > 0.01)
    assert fits.getheader(report.masters[1].record.path)["INFOBITS"] == 1, "five frames, as daily"
    assert all(word in cards for word in ("MINMJD", "MAXMJD", "MIDMJD", "NFRAMES", "BIT00"))
    # The mode of what is left of the lamp's smooth light is one.
    flat = made["flat"]
    assert flat.record.n_combined == 12
    assert [u.kind for u in flat.record.used] == ["bias", "dark"]
    counts = np.unique(np.rint(100 * flat.image()).astype(int), return_counts=True)
    assert counts[0][np.argmax(counts[1])] == 100
    assert fits.getheader(flat.path)["SMOOTH"] == "sliding"


def test_kpf_stacks_arc_lamps_by_object(night: Path, library: Library) -> None:
    words = {"notjunk": 1, "object": "autocal-thar-cal-eve", "imtype": "Arclamp"}
    take(night, Camera(), "Arclamp", 6, 10.0, 3000.0, **words)

    report = build(library, night, "kpf")

    (built,) = report.masters
    assert built.record.path.name == "kpf_20250601_master_arclamp_autocal-thar-cal-eve.fits"
    average, _, count = kpf(stack_of(night, "Arclamp*"), 2.4, 1.126461)
    np.testing.assert_array_equal(read_master(built.record.path).plane("CNT"), count)
    np.testing.assert_allclose(read_master(built.record.path).image(), average, rtol=1e-6)


def test_ost(night: Path, library: Library) -> None:
    camera = Camera()
    for i in range(20):
        pixels = camera.frame(2.5)
        if i == 4:
            pixels[10, 10:20] = 60_000
        write_frame(night / f"dark_{i:03d}.fits", pixels, header("dark", 2.5, i))
    take(night, camera, "flat", 5, 2.5, 20_000.0, first=30)

    report = build(library, night, "ost")

    made = masters(report)
    assert [b.record.path.relative_to(library.folder).as_posix() for b in report.masters] == [
        "master_frames/master_dark_2.500s_20250601_030000.fits",
        "master_frames/master_flat_2.500s_20250601_031500.fits",
    ]
    stack = stack_of(night, "dark_*")
    mean, sigma = stack.mean(axis=0), stack.std(axis=0, ddof=1)
    good = np.abs(stack - mean) <= 3 * sigma
    theirs = np.where(good, stack, 0).sum(axis=0) / good.sum(axis=0)
    # About the median another value is at the edge now and then.
    close = np.abs(made["dark"].image() - theirs) < 1e-3
    assert close.mean() > 0.97
    assert np.all(made["dark"].image()[10, 10:20] < 1100)
    light = (stack_of(night, "flat_*") - made["dark"].image()).mean(axis=0)
    np.testing.assert_allclose(made["flat"].image(), light / light.mean(), rtol=2e-3)
    assert np.mean(made["flat"].image()) == pytest.approx(1.0, abs=1e-5)
    assert not made["dark"].record.bias_subtracted


def test_pixinsight(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "bias", 12)
    take(night, camera, "dark", 12, 300.0, first=20)
    take(night, camera, "flat", 12, 2.0, 20_000.0, first=40)

    report = build(library, night, "pixinsight")

    made = masters(report)
    assert [b.record.path.relative_to(library.folder).as_posix() for b in report.masters] == [
        "master/masterBias_SETTEMP-10_GAIN-100_OFFSET-30_READOUTM-Normal.fits",
        "master/masterDark_EXPOSURE-300_SETTEMP-10_GAIN-100_OFFSET-30_READOUTM-Normal.fits",
        "master/masterFlat_DATE-2025-05-31_FILTER-Ha_SETTEMP-10_GAIN-100_OFFSET-30_"
        "READOUTM-Normal.fits",
    ]
    for master in made.values():
        cards = fits.getheader(master.path)
        assert (cards["REJTYPE"], cards["REJLOW"], cards["REJHIGH"]) == ("winsorized", 4, 3)
        assert cards["COMBTYPE"] == "mean"
    assert [u.kind for u in made["flat"].record.used] == ["bias", "dark"]
    assert fits.getheader(made["flat"].path)["NORMTYPE"] == "multiplicative"
    assert np.mean(made["flat"].image()) == pytest.approx(1.0, abs=1e-4)
    assert not made["dark"].record.bias_subtracted


def test_iris(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "dark", 15, 10.0)
    take(night, camera, "flat", 15, 10.0, 20_000.0, first=30)

    report = build(library, night, "iris")

    made = masters(report)
    stack = stack_of(night, "dark_*")
    clipped = sigma_clip(stack, sigma=3, maxiters=5, axis=0, masked=True)
    theirs = np.asarray(clipped.mean(axis=0))
    # astropy divides by N for its sigma, here by N - 1: few values lie between the two.
    assert (np.abs(made["dark"].image() - theirs) < 1e-3).mean() > 0.97
    assert [u.kind for u in made["flat"].record.used] == ["dark"]
    assert np.median(made["flat"].image()) == pytest.approx(1.0, abs=1e-5)
    assert report.masters[0].record.path.name == "tmt_iris_dark_10s_20250601_030000.fits"


def test_astroops(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=2.0)
    take(night, camera, "bias", 9)
    take(night, camera, "dark", 5, 300.0, first=20)
    take(night, camera, "flat", 7, 10.0, 20_000.0, first=40)

    report = build(library, night, "astroops")

    made = masters(report)
    bias = np.median(stack_of(night, "bias_*"), axis=0)
    np.testing.assert_allclose(made["bias"].image(), bias, atol=1e-3)
    rate = np.median((stack_of(night, "dark_*") - bias) / 300.0, axis=0)
    np.testing.assert_allclose(made["dark"].image(), rate, atol=1e-5)
    assert fits.getheader(made["dark"].path)["BUNIT"] == "adu/s"
    light = stack_of(night, "flat_*") - bias - rate * 10.0
    light *= (np.median(light[:, 24:72, 32:96]) / np.median(light[:, 24:72, 32:96], axis=(1, 2)))[
        :, None, None
    ]
    flat = np.median(light, axis=0)
    flat /= np.median(flat[24:72, 32:96])
    np.testing.assert_allclose(made["flat"].image(), flat, rtol=1e-4)
    assert [u.kind for u in made["flat"].record.used] == ["bias", "dark"]
    assert "NORMVAL" in fits.getheader(made["flat"].path)
