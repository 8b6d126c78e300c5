"""What lights need: grouped, held to a library of known masters, and made into a plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.needs import Choice, Need, NeedState
from calibstudio.domain.run_plan import plan_for
from calibstudio.services.library import Library
from calibstudio.services.light_needs import NeedSettings
from calibstudio.services.light_plan import LightPlan, camera_of, plan_from_lights
from calibstudio.services.run_config import parse_run_config
from calibstudio.services.run_config_write import wishes_text
from calibstudio.store.recipes import load_recipe
from tests.helpers.frames import write_frame
from tests.helpers.masters import make_master_file

# As the masters of the helper: their size is 6 rows, 8 columns, their frames are of 2025-06-01.
SETTINGS: dict[str, Any] = {
    "INSTRUME": "Simulated 24",
    "GAIN": 100,
    "OFFSET": 8,
    "XBINNING": 1,
    "YBINNING": 1,
    "SET__TEMP": -10.0,
    "CCD__TEMP": -10.0,
    "SITELONG": 11.6,
}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def write_light(folder: Path, name: str, exposure_s: float = 300.0, **cards: Any) -> Path:
    said = {
        "IMAGETYP": "Light Frame",
        "FILTER": "Ha",
        "DATE__OBS": "2025-06-01T01:00:00",
        **SETTINGS,
        **cards,
    }
    known = {word: value for word, value in said.items() if value is not None}
    return write_frame(folder / f"{name}.fits", shape=(6, 8), EXPTIME=exposure_s, **known)


def add(library: Library, kind: str, seed: int, **values: Any) -> str:
    path = library.folder / f"{kind.replace(' ', '_')}_{seed}.fits"
    made = make_master_file(path, kind=kind, seed=seed, **values)
    return library.add(made).record.sha256


def planned(library: Library, *paths: Path, recipe: str = "default", **settings: Any) -> LightPlan:
    ctx = JobContext(CancelToken())
    return plan_from_lights(ctx, paths, library, NeedSettings(load_recipe(recipe), **settings))


def by_kind(found: LightPlan, choice: Choice = Choice.FILL) -> dict[str, list[Need]]:
    needs, _ = found.chosen(choice)
    out: dict[str, list[Need]] = {}
    for need in needs:
        out.setdefault(need.kind, []).append(need)
    return out


def test_lights_are_one_need_each_of_what_they_share(library: Library, tmp_path: Path) -> None:
    lights = tmp_path / "lights"
    write_light(lights, "a", 300.0)
    write_light(lights, "b", 300.5)  # the same exposure, within 0.5 %
    write_light(lights, "c", 600.0)
    write_light(lights, "d", 300.0, FILTER="L")
    write_light(lights, "e", 300.0, SET__TEMP=-20.0, CCD__TEMP=-20.0)
    write_light(lights, "f", 300.0, DATE__OBS="2025-06-02T23:00:00")

    needs = by_kind(planned(library, lights))

    assert [(n.title, n.lights) for n in needs["dark"]] == [
        ("Dark · 300 s · −20 °C".replace(" s", "\u202fs").replace(" °", "\u202f°"), 1),
        ("Dark · 300 s · −10 °C".replace(" s", "\u202fs").replace(" °", "\u202f°"), 4),
        ("Dark · 600 s · −10 °C".replace(" s", "\u202fs").replace(" °", "\u202f°"), 1),
    ]
    assert [n.lights for n in needs["bias"]] == [1, 5]
    # Of a flat the temperature and the exposure do not matter; its filter and its night do.
    assert sorted((str(n.key["filter"]), n.lights) for n in needs["flat"]) == [
        ("Ha", 1),
        ("Ha", 4),
        ("L", 1),
    ]
    assert all(n.state is NeedState.MISSING for kind in needs.values() for n in kind)


def test_the_library_has_it_exactly_nearly_too_old_or_not(library: Library, tmp_path: Path) -> None:
    lights = tmp_path / "lights"
    write_light(lights, "a")
    write_light(lights, "b", 600.0)
    write_light(lights, "c", 900.0)
    add(library, "dark", 1, exposure_s=300.0)
    add(library, "dark", 2, exposure_s=602.0)
    other = add(library, "dark", 3, exposure_s=900.0, gain=120.0)
    add(library, "flat", 4, filter="Ha", night=date(2025, 3, 1), exposure_s=2.0)

    needs = by_kind(planned(library, lights))
    states = {float(str(n.key["exposure_s"])): n for n in needs["dark"]}

    assert states[300.0].state is NeedState.EXACT
    assert states[600.0].state is NeedState.WITHIN and "602" in states[600.0].reason
    assert states[900.0].state is NeedState.MISSING
    assert states[900.0].candidates[0].record.sha256 == other
    assert "Another gain" in states[900.0].reason
    (flat,) = needs["flat"]
    assert flat.state is NeedState.STALE and "91 days" in flat.reason.replace("\u202f", " ")
    assert by_kind(planned(library, lights, max_age_days={"flat": 120}))["flat"][0].state is (
        NeedState.WITHIN
    )


def test_a_bad_master_that_nobody_approved_is_no_master(library: Library, tmp_path: Path) -> None:
    from calibstudio.domain.quality import Verdict

    light = write_light(tmp_path, "a")
    sha = add(library, "dark", 1, exposure_s=300.0, verdict=Verdict.BAD)

    (before,) = by_kind(planned(library, light))["dark"]
    library.approve([sha])
    (after,) = by_kind(planned(library, light))["dark"]
    library.get(sha).path.unlink()
    (gone,) = by_kind(planned(library, light))["dark"]

    assert before.state is NeedState.MISSING and "nobody approved it" in before.reason
    assert after.state is NeedState.EXACT
    assert gone.state is NeedState.MISSING


def test_fill_refresh_rebuild_and_a_choice_of_ones_own(library: Library, tmp_path: Path) -> None:
    light = write_light(tmp_path, "a")
    add(library, "dark", 1, exposure_s=300.0)
    add(library, "flat", 2, filter="Ha", night=date(2025, 3, 1), exposure_s=2.0)
    found = planned(library, light)

    def kinds(choice: Choice, *custom: str) -> list[str]:
        needs, taken = found.chosen(choice, custom)
        return [n.kind for n in needs if n.id in taken]

    dark = next(n for n in found.fixed if n.kind == FrameKind.DARK)
    flat = next(n for n in found.fixed if n.kind == FrameKind.FLAT)
    assert kinds(Choice.FILL) == ["bias"]
    assert kinds(Choice.REFRESH) == ["bias", "flat", "dark flat"]
    assert kinds(Choice.REBUILD) == ["bias", "dark", "flat", "dark flat"]
    assert kinds(Choice.CUSTOM, dark.id) == ["dark"]
    assert kinds(Choice.CUSTOM, flat.id) == ["flat", "dark flat"]
    assert found.capture(Choice.CUSTOM) is None


def test_a_plan_is_a_file_that_reads_back_as_the_same_steps(
    library: Library, tmp_path: Path
) -> None:
    lights = tmp_path / "lights"
    for i, temperature in enumerate((-20.0, -10.0)):
        write_light(lights, f"a{i}", SET__TEMP=temperature, CCD__TEMP=temperature)
    write_light(lights, "b", 60.0, FILTER="L", GAIN=200)
    found = planned(library, lights, frames={"bias": 30, "dark": 7})

    capture = found.capture(Choice.FILL)

    assert capture is not None
    text = wishes_text(capture.config, capture.plan)
    info = camera_of(found.lights.headers)
    again = plan_for(parse_run_config(text, "plan.yaml", tmp_path), info)
    assert again.plan == capture.plan
    # Each temperature once, the warmest first.
    darkness = [s for s in capture.plan.steps if s.kind in (FrameKind.BIAS, FrameKind.DARK)]
    temperatures = [s.settings.set_temp_c for s in darkness]
    assert temperatures == sorted(temperatures, reverse=True, key=lambda t: t or 0.0)
    assert [(s.count, s.settings.gain) for s in darkness if s.kind == FrameKind.BIAS] == [
        (30, 100),
        (30, 200),
        (30, 100),
    ]
    assert {s.count for s in darkness if s.kind == FrameKind.DARK} == {7}
    assert {s.filter for s in capture.plan.steps if s.kind == FrameKind.FLAT} == {"Ha", "L"}
    assert capture.cost.estimate.frames == capture.plan.frames_wanted
    assert capture.cost.estimate.bytes > 0


def test_flats_of_several_nights_are_taken_once_and_that_is_said(
    library: Library, tmp_path: Path
) -> None:
    write_light(tmp_path / "l", "a")
    write_light(tmp_path / "l", "b", DATE__OBS="2025-06-05T23:00:00")

    capture = planned(library, tmp_path / "l").capture(Choice.FILL)

    assert capture is not None
    assert [s.kind for s in capture.plan.steps].count(FrameKind.FLAT) == 1
    assert any("earlier nights" in note for note in capture.notes)


def write_flat(folder: Path, name: str, exposure_s: float, level: float, **cards: Any) -> None:
    path = write_light(folder, name, exposure_s, IMAGETYP="Flat Field", **cards)
    with fits.open(path, mode="update") as opened:
        opened[0].data = np.full((6, 8), level, dtype=np.uint16)


def dark_rate_of(library: Library, adu_per_s: float) -> None:
    """Give the library a bias, and a dark of 100 s that gathers so much: 6 × 8 pixels, exact."""
    for kind, seconds, level in (("bias", 0.0, 500.0), ("dark", 100.0, 500.0 + 100 * adu_per_s)):
        path = library.folder / f"{kind}.fits"
        make_master_file(path, kind=kind, exposure_s=seconds)
        with fits.open(path, mode="update", checksum=True) as opened:
            opened[0].data[:] = level
        library.add(path)


@pytest.mark.parametrize(
    ("adu_per_s", "sets"),
    [
        # 0.05 % of 29 500 ADU is 14.75 ADU: 29.5 s at 0.5 ADU/s serve all from 1 s to 25 s.
        (0.5, [12.0]),
        # 1.475 s at 10 ADU/s: 1 s and 2 s are served by one, the others each by their own set.
        (10.0, [2.0, 12.0, 25.0]),
    ],
)
def test_flats_on_disk_get_the_fewest_dark_flats_that_serve(
    library: Library, tmp_path: Path, adu_per_s: float, sets: list[float]
) -> None:
    folder = tmp_path / "night"
    write_light(folder, "light")
    for seconds in (1.0, 2.0, 12.0, 25.0):
        for i in range(2):
            write_flat(folder, f"flat_{seconds:g}_{i}", seconds, 30_000)
    dark_rate_of(library, adu_per_s)

    found = planned(library, folder)
    needs = by_kind(found)

    assert needs["flat"][0].state is NeedState.FRAMES
    taken = [n for n in needs["dark flat"] if n.state is NeedState.MISSING]
    if adu_per_s < 1:
        assert len(taken) == 1 and taken[0].exposures_s[0] in (1.0, 2.0, 12.0, 25.0)
    else:
        assert [n.exposures_s[0] for n in taken] == sets
    capture = found.capture(Choice.FILL)
    assert capture is not None
    steps = [s for s in capture.plan.steps if s.kind == FrameKind.DARK_FLAT]
    assert [s.exposure_s for s in steps] == [n.exposures_s[0] for n in taken]


def test_a_dark_flat_that_is_there_serves_flats_on_disk(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "night"
    write_light(folder, "light")
    for i in range(2):
        write_flat(folder, f"flat_{i}", 10.0, 30_000)
    sha = add(library, "dark flat", 9, exposure_s=10.02)

    (need,) = by_kind(planned(library, folder))["dark flat"]

    assert need.state is NeedState.EXACT and need.master is not None
    assert need.master.sha256 == sha and not need.can_be_taken


def test_dark_flats_of_flats_to_be_taken_are_those_that_are_expected_to_serve(
    library: Library, tmp_path: Path
) -> None:
    """The filters whose exposure serves the others come first, so that only theirs are taken."""
    folder = tmp_path / "night"
    for name in ("L", "R", "Ha"):
        write_light(folder, name, FILTER=name)
    dark_rate_of(library, 1.0)
    # 1 355 ADU less the bias of 500: 0.05 % is 0.43 ADU, or 0.43 s.
    for seed, (name, seconds) in enumerate({"L": 1.0, "R": 1.3, "Ha": 8.0}.items()):
        add(library, "flat", seed, filter=name, exposure_s=seconds, night=date(2024, 1, 1))

    found = planned(library, folder)
    needs, taken = found.chosen(Choice.REFRESH)
    sets = [n for n in needs if n.kind == FrameKind.DARK_FLAT]

    assert [n.exposures_s for n in sets] == [(1.3,), (8.0,)]
    assert all(n.id in taken for n in sets)
    capture = found.capture(Choice.REFRESH)
    assert capture is not None and capture.cost.dark_flat_sets == 2
    flats = [s.filter for s in capture.plan.steps if s.kind == FrameKind.FLAT]
    assert flats == ["Ha", "R", "L"] or flats == ["R", "Ha", "L"]
    held = [s for s in capture.plan.steps if s.kind == FrameKind.DARK_FLAT]
    assert len(held) == 3
    frames = capture.plan.frames_wanted - held[0].count
    assert capture.cost.estimate.frames == frames


def test_files_without_lights_and_lights_that_are_no_raw_frames(
    library: Library, tmp_path: Path
) -> None:
    write_light(tmp_path / "d", "dark", IMAGETYP="Dark Frame")
    with pytest.raises(UsageError, match="no raw lights"):
        planned(library, tmp_path / "d")

    write_light(tmp_path / "d", "light")
    write_light(tmp_path / "d", "done", CALSTAT="BDF")
    (tmp_path / "d" / "broken.fits").write_bytes(b"SIMPLE  =                    T")
    found = planned(library, tmp_path / "d")

    assert len(found.lights.headers) == 1
    assert [i.path.name for i in found.lights.left_out] == ["broken.fits", "done.fits"]


def test_a_plan_is_for_one_camera(library: Library, tmp_path: Path) -> None:
    for i in range(2):
        write_light(tmp_path / "l", f"a{i}")
    write_light(tmp_path / "l", "b", INSTRUME="Zweite Kamera")

    usual, other = (planned(library, tmp_path / "l", camera=name) for name in ("", "zweite kamera"))

    assert usual.lights.camera == "Simulated 24" and other.lights.camera == "Zweite Kamera"
    assert usual.lights.cameras == {"Simulated 24": 2, "Zweite Kamera": 1}
    with pytest.raises(UsageError, match="no lights of the camera"):
        planned(library, tmp_path / "l", camera="third")


def test_a_part_of_the_sensor_is_asked_for_as_unbinned_pixels(
    library: Library, tmp_path: Path
) -> None:
    from dataclasses import replace

    light = write_light(tmp_path, "a", XBINNING=2, YBINNING=2, XORGSUBF=10, YORGSUBF=4)
    corner = write_light(tmp_path, "b")
    found = [planned(library, path) for path in (light, corner)]
    info = replace(camera_of(found[1].lights.headers), shape=(100, 100), binnings=(1, 2))

    first, second = (f.capture(Choice.FILL, info=info) for f in found)

    assert first is not None and second is not None
    region = first.plan.steps[0].settings.region
    assert region is not None
    assert (region.x, region.y, region.width, region.height) == (20, 8, 16, 12)
    corner_region = second.plan.steps[0].settings.region
    assert corner_region is not None
    assert (corner_region.x, corner_region.width, corner_region.height) == (0, 8, 6)
