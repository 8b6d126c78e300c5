"""Images that nothing can be measured on: no crash, no warning, and a reason for each metric."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.quality import Verdict
from calibstudio.imaging.display_numbers import region_histogram
from calibstudio.imaging.quality import (
    FrameContext,
    MasterContext,
    central_level,
    measure_frame,
    measure_master,
    measure_set,
    photon_transfer,
    profiles,
)

RNG = np.random.default_rng(1)
ODD = {
    "empty": np.zeros((0, 0), dtype=np.uint16),
    "no rows": np.zeros((0, 7), dtype=np.float32),
    "one pixel": np.full((1, 1), 500, dtype=np.uint16),
    "one row": RNG.normal(100, 5, (1, 300)).astype(np.float32),
    "two rows": RNG.integers(0, 99, (2, 9), dtype=np.uint16),
    "all zero": np.zeros((80, 90), dtype=np.uint16),
    "all saturated": np.full((80, 90), 65535, dtype=np.uint16),
    "all NaN": np.full((80, 90), np.nan, dtype=np.float32),
    "nearly all NaN": np.where(np.eye(80) > 0, 7.0, np.nan).astype(np.float32),
    "infinite": np.full((80, 90), np.inf, dtype=np.float32),
    "some infinite": np.where(np.eye(80) > 0, np.inf, RNG.normal(9, 1, (80, 80))),
    "8 bit": RNG.integers(90, 110, (80, 90)).astype(np.uint8),
    "signed": RNG.integers(-20, 20, (80, 90)).astype(np.int16),
    "32 bit": RNG.integers(1000, 1100, (80, 90)).astype(np.int32),
    "unsigned 32 bit": RNG.integers(1000, 1100, (80, 90)).astype(np.uint32),
    "booleans": RNG.integers(0, 2, (80, 90)).astype(bool),
    "64 bit": RNG.normal(1000, 10, (80, 90)),
    "odd sides": RNG.integers(900, 1100, (81, 93), dtype=np.uint16),
    "huge values": RNG.normal(1e30, 1e28, (70, 80)),
    "read-only, reversed": RNG.integers(900, 1100, (90, 99), dtype=np.uint16)[::-1, ::-1],
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(
    ("kind", "bayer"),
    [
        ("bias", "RGGB"),
        ("dark", None),
        ("dark", "RGGB"),
        ("flat", None),
        ("flat", "RGGB"),
        ("", None),
    ],
)
def test_frames_of_any_kind_are_judged(name, kind, bayer):
    data = ODD[name]
    data.setflags(write=False)

    found = measure_frame(
        data,
        FrameContext(
            kind=kind, bayer=bayer, exposure_s=10.0, egain_e_per_adu=1.0, bias_level_adu=10.0
        ),
    )

    for metric in found.metrics:
        if metric.value is None:
            assert "not measured: " in metric.why
        else:
            assert np.isfinite(metric.value), metric.name
    if name in ("empty", "no rows", "all NaN", "infinite"):
        assert found.verdict is Verdict.BAD
        assert found.value("level") is None


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_masters_of_any_image_are_judged(name, kind):
    data = ODD[name]

    found = measure_master(
        kind, data, np.zeros(data.shape, np.float32), np.ones(data.shape), MasterContext(n_frames=1)
    )

    assert all(m.value is None or np.isfinite(m.value) for m in found.metrics)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_sets_of_any_images_are_judged(name, kind):
    frames = [ODD[name]] * 3

    found = measure_set(kind, frames, [FrameContext(kind=kind, exposure_s=1.0)] * 3, biases=frames)

    assert all(m.value is None or np.isfinite(m.value) for m in found.metrics)


@pytest.mark.parametrize("name", ODD)
def test_histograms_profiles_levels_and_photon_transfer_of_any_image(name):
    data = ODD[name]

    counted = region_histogram(data)
    lines = profiles(data)
    transfer = photon_transfer(data, data, data, data)

    assert counted.total == np.isfinite(data).sum()
    assert len(lines.rows) == len(lines.row_positions)
    assert not np.isfinite(transfer.egain_e_per_adu) or transfer.egain_e_per_adu > 0
    assert central_level(data, "RGGB") is not None
