"""Masters in little memory: no plane of theirs is held whole, and they are the same."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstudio.domain import planes
from calibstudio.domain.defects import Defect
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import ArrayRows
from calibstudio.domain.recipe import DefectSettings, FlatSettings, Recipe
from calibstudio.imaging import defects
from calibstudio.imaging.calibrate import levels_of, levels_of_rows, normalise_flat
from calibstudio.imaging.combine_share import Space
from calibstudio.imaging.defects import DarkSignal, find_defects, hot_edges, measure_scatter
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import MastersReport, build_masters
from calibstudio.store import fits_units
from calibstudio.store.master_fits import Detector, write_master
from calibstudio.store.scratch import Scratch
from tests.helpers.masters import make_content, make_detector
from tests.helpers.night import Camera, take

SIDE = (1200, 900)
PLANE = 4 * SIDE[0] * SIDE[1]
"""Bytes of one float32 plane."""


@pytest.fixture
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "BAND_BYTES", 1 << 16)
    monkeypatch.setattr(fits_units, "_BAND_BYTES", 1 << 16)
    monkeypatch.setattr(defects, "_BAND_BYTES", 1 << 18)
    monkeypatch.setattr(defects, "SAMPLE", 1 << 14)


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[None]:
    # Modules that are imported at the first use are no pixels.
    write_master(tmp_path / "first.fits", make_content(), [make_detector()])
    np.nanmedian(np.ones((2, 2)))
    tracemalloc.start()
    yield
    tracemalloc.stop()


def build(folder: Path, library: Path, **options: Any) -> MastersReport:
    found = scan(JobContext(), [folder], cache=False)
    grouping = group_frames(found.headers)
    with Library.open(library) as opened:
        return build_masters(JobContext(), grouping, grouping.headers, opened, Recipe(), **options)


def a_night(folder: Path, **changes: Any) -> Path:
    camera = Camera()
    take(folder, camera, "bias", 4, **changes)
    take(folder, camera, "dark", 16, 60.0, first=10, **changes)
    take(folder, camera, "flat", 4, 2.0, 20_000.0, first=40, **changes)
    return folder


@pytest.mark.parametrize("bayer", [None, "RGGB"])
def test_masters_are_the_same_to_the_byte_in_any_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bayer: str | None
) -> None:
    night = a_night(tmp_path / "night", bayerpat=bayer)

    plenty = build(night, tmp_path / "plenty", threads=2)
    # Bands of two rows.
    monkeypatch.setattr(planes, "BAND_BYTES", 1)
    monkeypatch.setattr(fits_units, "_BAND_BYTES", 1)
    little = build(night, tmp_path / "little", memory_bytes=600_000, threads=1)

    hashes = [built.record.sha256 for built in plenty.masters]
    assert len(hashes) == 4
    assert not plenty.skipped
    assert [built.record.sha256 for built in little.masters] == hashes


def test_what_does_not_fit_is_skipped_with_what_it_needs(tmp_path: Path) -> None:
    night = tmp_path / "night"
    take(night, Camera(), "bias", 4)

    report = build(night, tmp_path / "library", memory_bytes=100_000)

    assert not report.masters
    (skipped,) = report.skipped
    assert "128 × 96 pixels cannot be judged and made into a master in 100" in skipped.reason
    assert "Allow at least 746" in skipped.reason


@pytest.mark.usefixtures("small_bands", "traced")
def test_a_flat_is_brought_to_one_and_written_without_a_plane_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    with Scratch(tmp_path) as room:
        image, unc, cnt = (room.plane(SIDE, t) for t in (np.float32, np.float32, np.uint16))
        for y0 in range(0, SIDE[0], 100):
            image.write(y0, rng.normal(20_000, 50, (100, SIDE[1])))
            unc.write(y0, np.full((100, SIDE[1]), 10.0))
            cnt.write(y0, np.full((100, SIDE[1]), 9))
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]

        flat = normalise_flat(image.array, unc.array, cnt.array, FlatSettings(), room=room)
        detector = Detector("", flat.image, flat.unc, flat.cnt, flat.bpm, flat.levels)
        written = write_master(tmp_path / "m.fits", make_content(kind="flat", unit=""), [detector])

        # The tiles of the level are 1 MB; it was three planes and their copies.
        assert tracemalloc.get_traced_memory()[1] - before < 0.75 * PLANE
        assert written.path.stat().st_size > 2.5 * PLANE


@pytest.mark.usefixtures("small_bands", "traced")
def test_bad_pixels_are_found_without_a_plane_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    with Scratch(tmp_path) as room:
        signal = room.plane(SIDE, np.float32)
        signal.write(0, rng.normal(10, 1, SIDE))
        signal.write(600, np.where(np.arange(SIDE[1]) == 450, 500.0, 10.0)[None])
        pixels = [rng.normal(10, 3, SIDE).astype(np.float32) for _ in range(4)]
        for frame in pixels:
            frame[600, 450] = 500.0
        frames = [ArrayRows(frame) for frame in pixels]
        dark = DarkSignal(signal.array, 60.0, noise_adu=3.0)
        settings = DefectSettings(persistence=0.0)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]

        edges = hot_edges(dark, None, settings)
        scatter = measure_scatter(JobContext(), frames, dark, edges, room)
        found = find_defects(dark, edges, scatter, None, None, settings, room=room)

        # It was more than ten planes.
        assert tracemalloc.get_traced_memory()[1] - before < 1.5 * PLANE
        assert found.flags[600, 450]
        assert found.pixels.count(Defect.HOT) == 1


@pytest.mark.parametrize("bayer", [None, "RGGB"])
@pytest.mark.parametrize("region", [0.5, 1.0])
def test_levels_of_rows_are_those_of_the_image(
    monkeypatch: pytest.MonkeyPatch, bayer: str | None, region: float
) -> None:
    monkeypatch.setattr(planes, "BAND_BYTES", 1)
    image = np.random.default_rng(5).normal(9_000, 80, (131, 157)).astype(np.float32)
    settings = FlatSettings(region=region)

    assert levels_of_rows(ArrayRows(image), settings, bayer) == levels_of(image, settings, bayer)


def test_space_is_lent_in_the_order_in_which_it_is_asked_for() -> None:
    space = Space(100)
    got: list[str] = []

    def ask(name: str, size: int) -> None:
        with space.taken(size):
            got.append(name)

    with space.taken(60):
        large = threading.Thread(target=ask, args=("larger than all", 1000))
        large.start()
        while not space.waiting:
            pass
        small = threading.Thread(target=ask, args=("small", 10))
        small.start()
        while space.waiting < 2:
            pass
        assert not got
    large.join()
    small.join()
    assert got == ["larger than all", "small"]
