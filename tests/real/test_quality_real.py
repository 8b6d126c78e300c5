"""Quality of real frames whose read noise and gain are known (see the collection's MANIFEST)."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.quality import Verdict
from calibstudio.imaging.quality import FrameContext, measure_set, photon_transfer
from calibstudio.services.qc import examine

ARCSAT, STL = "test-only/arcsat_maxim650", "test-only/stl1001e_ccdsoft"


def read(path: Path) -> NDArray[np.uint16]:
    """Read a 16-bit FITS image by hand: independent of everything that is tested."""
    data = gzip.decompress(path.read_bytes())
    end = next(i for i in range(0, len(data), 80) if data[i : i + 8].rstrip() == b"END")
    start = -(-(end + 80) // 2880) * 2880
    raw = np.frombuffer(data, ">i2", 1024 * 1024, start).reshape(1024, 1024)
    return (raw.astype(np.int32) + 32768).astype(np.uint16)


def frames(folder: Path, pattern: str) -> list[NDArray[np.uint16]]:
    return [read(path) for path in sorted(folder.glob(pattern))]


def middle(image: NDArray[np.generic]) -> NDArray[np.float64]:
    return image[256:768, 256:768].astype(np.float64)


def plain_read_noise(biases: list[NDArray[np.uint16]]) -> float:
    """sigma(B1 - B2) / sqrt 2 in the middle, without the 0.01 % that are furthest out."""
    found = []
    for a, b in zip(biases[::2], biases[1::2], strict=False):
        difference = (middle(a) - middle(b)).ravel()
        low, high = np.percentile(difference, [0.005, 99.995])
        found.append(difference[(difference > low) & (difference < high)].std() / np.sqrt(2))
    return float(np.mean(found))


def plain_gain(flats: list[NDArray[np.uint16]], biases: list[NDArray[np.uint16]]) -> float:
    """Photon transfer of the middle in blocks of 32, with numpy alone."""
    b1, b2 = middle(biases[0]), middle(biases[1])
    f1, f2 = middle(flats[0]), middle(flats[1])
    bias = (b1.mean() + b2.mean()) / 2
    f2 = bias + (f2 - bias) * (f1.mean() - bias) / (f2.mean() - bias)

    def variances(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return image.reshape(16, 32, 16, 32).var(axis=(1, 3), ddof=1)

    of_flats, of_biases = np.median(variances(f1 - f2)), np.median(variances(b1 - b2))
    return float((f1.mean() + f2.mean() - 2 * bias) / (of_flats - of_biases))


@pytest.mark.parametrize(
    ("folder", "pattern", "truth"), [(ARCSAT, "bias/*.gz", 12.0), (STL, "biases-*.gz", 6.7)]
)
def test_read_noise_of_real_cameras(shared_data, folder, pattern, truth):
    biases = frames(shared_data / folder, pattern)

    found = measure_set("bias", biases, [FrameContext(kind="bias")] * len(biases))

    measured = found.value("read_noise_adu")
    assert measured == pytest.approx(truth, rel=0.015)
    assert measured == pytest.approx(plain_read_noise(biases), rel=0.01)
    assert found.verdict is Verdict.GOOD
    assert found.outliers == {}


@pytest.mark.parametrize(
    ("folder", "flat", "bias", "truth"),
    [(ARCSAT, "flat/*.gz", "bias/*.gz", 1.36), (STL, "flat-*.gz", "biases-*.gz", 1.95)],
)
def test_gain_of_real_cameras_by_photon_transfer(shared_data, folder, flat, bias, truth):
    flats, biases = frames(shared_data / folder, flat), frames(shared_data / folder, bias)

    found = photon_transfer(flats[0], flats[1], biases[0], biases[1])

    assert found.egain_e_per_adu == pytest.approx(truth, rel=0.025)
    # 1 % for the plain one: 256 blocks of 1024 values, medians.
    assert found.egain_e_per_adu == pytest.approx(plain_gain(flats, biases), rel=0.015)
    assert found.egain_error < 0.005 * truth


def test_a_night_of_arcsat_is_found_sound(shared_data):
    paths = sorted((shared_data / ARCSAT).glob("*/*.gz"))

    report = examine(JobContext(), paths)

    assert all(a.verdict is Verdict.GOOD for a in report.files.values())
    metrics = {m.name: m.value for m in report.set_metrics()}
    assert metrics["egain"] == pytest.approx(1.36, rel=0.025)
    assert metrics["read_noise"] == pytest.approx(12.0 * 1.36, rel=0.03)
    assert [s.left_out for s in report.sets] == [{}] * len(report.sets)


def test_the_gain_that_the_stl_writes_is_six_percent_off_and_said(shared_data):
    flats = frames(shared_data / STL, "flat-*.gz")
    biases = frames(shared_data / STL, "biases-*.gz")
    known = [FrameContext(kind="flat", egain_e_per_adu=2.06, exposure_s=23.0)] * 3

    found = measure_set("flat", flats, known, biases=biases)

    assert found.value("gain_error") == pytest.approx(6, abs=1.5)
    assert found.value("read_noise") == pytest.approx(6.7 * 1.95, rel=0.025)


def test_dark_current_of_the_stl_from_level_and_from_noise_agree(shared_data):
    darks = frames(shared_data / STL, "darks-expos1-*.gz")
    biases = frames(shared_data / STL, "biases-*.gz")
    known = [FrameContext(kind="dark", egain_e_per_adu=1.95, exposure_s=60.0)] * 5

    found = measure_set("dark", darks, known, biases=biases)

    level, noise = found.value("dark_current"), found.value("dark_current_variance")
    assert level == pytest.approx(
        1.95 * float(np.median(np.mean(darks, axis=0) - np.mean(biases, axis=0))) / 60, rel=0.05
    )
    # Warm pixels that are no outliers make noise, but less level: within a third.
    assert noise == pytest.approx(level, rel=0.33)
    assert found.metric("hot_pixels").verdict is Verdict.WARN


def test_masters_whose_darks_do_not_follow_time_are_flagged(shared_data):
    paths = sorted((shared_data / "asi174_masters_mit").glob("*.fits"))

    report = examine(JobContext(), paths)

    assert report.across.verdict is Verdict.BAD
    (finding,) = report.across.findings
    assert finding.metric == "dark_proportion"
    assert "Do not scale these darks" in finding.cure
    kinds = [report.headers[path].kind_word for path in report.files]
    assert sorted(str(kind) for kind in kinds) == ["master bias", "master dark", "master dark"]
