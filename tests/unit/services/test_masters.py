"""Every master that a folder allows: pixels that are right, and words for what was done."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from calibstudio.domain.errors import Cancelled
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import CancelToken, JobContext, Progress
from calibstudio.domain.quality import Verdict
from calibstudio.domain.recipe import Normalization, Recipe, Rejection, StackSettings, Weight
from calibstudio.domain.regroup import excluded
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.library_care import rebuild
from calibstudio.services.masters import BuiltMaster, MastersReport, build_masters
from calibstudio.store.master_read import MasterFile, read_master
from tests.helpers.night import (
    BIAS_ADU,
    DARK_ADU_PER_S,
    EGAIN,
    READ_NOISE_ADU,
    Camera,
    header,
    take,
    write_frame,
)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """The folder a capture program writes to."""
    return tmp_path / "night"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty library."""
    with Library.open(tmp_path / "library") as opened:
        yield opened


def group(*folders: Path) -> Grouping:
    found = scan(JobContext(), folders, cache=False)
    return group_frames(found.headers, left_out=found.ungrouped, ignored=found.ignored)


def build(
    library: Library, *folders: Path, recipe: Recipe | None = None, **options: Any
) -> MastersReport:
    grouping = group(*folders)
    return build_masters(
        JobContext(), grouping, grouping.headers, library, recipe or Recipe(), **options
    )


def only(report: MastersReport, kind: str) -> BuiltMaster:
    (built,) = [b for b in report.masters if b.record.kind == kind]
    return built


def opened(built: BuiltMaster) -> MasterFile:
    return read_master(built.record.path)


def stack_of(paths: list[Path]) -> NDArray[np.float64]:
    return np.stack([fits.getdata(p).astype(np.float64) for p in paths])


def test_a_night_gives_every_master_in_the_order_of_dependence(
    night: Path, library: Library
) -> None:
    camera = Camera()
    take(night, camera, "flat", 5, 2.0, 20_000.0, first=40)
    take(night, camera, "dark", 5, 60.0, first=20)
    take(night, camera, "Dark Flat", 5, 2.0, first=30)
    take(night, camera, "bias", 5, 0.0)
    shown: list[str] = []

    report = build(library, night, on_built=lambda b: shown.append(b.record.kind))

    kinds = ["bias", "dark flat", "dark", "flat", "bpm"]
    assert [b.record.kind for b in report.masters] == kinds == shown
    assert report.skipped == ()
    assert {r.path for r in library.masters()} == {b.record.path for b in report.masters}
    assert all(b.new and b.record.n_combined == 5 for b in report.masters)
    assert [m.kind for m in report.masters[-1].used] == ["bias", "dark", "flat"]
    assert all(b.record.verdict is not Verdict.BAD for b in report.masters)


def test_the_pixels_of_a_bias_are_the_mean_of_what_is_kept(night: Path, library: Library) -> None:
    paths = take(night, Camera(), "bias", 6)

    master = opened(only(build(library, night), "bias"))

    frames = stack_of(paths)
    untouched = master.plane("CNT") == 6
    assert untouched.mean() > 0.98
    np.testing.assert_allclose(master.image()[untouched], frames.mean(axis=0)[untouched], atol=2e-4)
    assert master.record.unit == "adu"
    assert (master.record.bias_subtracted, master.record.dark_subtracted) == (False, False)
    # UNC is one sigma of the mean of 6: its root mean square over 12 288 pixels is good to 1 %.
    unc = master.plane("UNC")
    rms = float(np.sqrt(np.mean(np.square(unc, dtype=np.float64))))
    expected = float(np.hypot(READ_NOISE_ADU, 12**-0.5)) / 6**0.5
    assert rms == pytest.approx(expected, rel=0.04)


def test_a_dark_keeps_its_bias(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 4)
    take(night, Camera(2), "dark", 4, 60.0)

    master = opened(only(build(library, night), "dark"))

    assert np.median(master.image()) == pytest.approx(BIAS_ADU + 60 * DARK_ADU_PER_S, abs=0.5)
    assert not master.record.bias_subtracted
    assert master.record.used == ()


def test_a_flat_has_its_dark_flat_taken_out_and_shows_the_response(
    night: Path, library: Library
) -> None:
    camera = Camera()
    flats = [
        path
        for i, light in enumerate((18_000.0, 20_000.0, 22_000.0, 24_000.0))
        for path in take(night, camera, "flat", 1, 2.0, light, first=10 + i)
    ]
    darks = take(night, camera, "Dark Flat", 4, 2.0)
    take(night, camera, "bias", 4)

    report = build(library, night)

    built = only(report, "flat")
    master = opened(built)
    assert [m.kind for m in built.used] == ["dark flat"]
    assert (master.record.bias_subtracted, master.record.dark_subtracted) == (True, True)
    assert master.record.unit == ""
    dark = opened(only(report, "dark flat")).image()
    light = stack_of(flats) - dark
    # The levels are medians of tile medians of the middle; any level of this smooth flat
    # agrees with them to better than one part in a thousand.
    middle = light[:, 24:72, 32:96]
    scaled = light * (np.median(middle) / np.median(middle, axis=(1, 2)))[:, None, None]
    expected = np.mean(scaled, axis=0)
    expected /= np.median(expected[24:72, 32:96])
    kept_all = master.plane("CNT") == 4
    assert np.max(np.abs(master.image() / expected - 1)[kept_all]) < 2e-3
    # Photon noise of 4 frames in each pixel; 12 288 pixels tell it to 1 %.
    noise = np.sqrt(np.mean(1 / camera.response) / (4 * 21_000 * EGAIN))
    shape = (master.image() / camera.response)[kept_all]
    assert np.std(shape) == pytest.approx(noise, rel=0.05)
    (normval,) = master.normval[""]
    assert normval == pytest.approx(21_000, rel=0.02)
    assert [r.scale for r in master.inputs] == pytest.approx(
        [21_000 / v for v in (18_000, 20_000, 22_000, 24_000)], rel=0.005
    )
    assert fits.getval(master.path, "CAL_DARK") == only(report, "dark flat").record.path.name
    assert fits.getval(master.path, "CALDKIND") == "dark flat"
    assert len(darks) == 4


def test_the_uncertainty_of_a_flat_holds_that_of_its_dark(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "flat", 9, 2.0, 15_000.0, first=10)
    take(night, camera, "Dark Flat", 3, 2.0)

    report = build(library, night)

    flat, dark = opened(only(report, "flat")), opened(only(report, "dark flat"))
    (normval,) = flat.normval[""]
    unc = flat.plane("UNC").astype(np.float64) * normval
    from_dark = dark.plane("UNC").astype(np.float64)
    # What is left after the dark's part is taken out is photon and read noise of 9 frames, and
    # the rounding of the converter; its root mean square is good to about 1 %.
    light = camera.response * 15_000.0
    own = (light / EGAIN + DARK_ADU_PER_S * 2 / EGAIN + READ_NOISE_ADU**2 + 1 / 12) / 9
    rest = np.mean(unc**2 - from_dark**2)
    assert rest == pytest.approx(np.mean(own), rel=0.05)


def test_a_dark_of_the_same_exposure_serves_as_a_dark_flat(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)
    take(night, camera, "dark", 4, 2.001)

    built = only(build(library, night), "flat")

    assert [m.kind for m in built.used] == ["dark"]
    assert "the same exposure" in built.notes[0]


def test_a_dark_of_another_exposure_serves_while_what_it_leaves_is_small(
    night: Path, library: Library
) -> None:
    camera = Camera(dark_adu_per_s=0.5)
    take(night, camera, "bias", 4)
    take(night, camera, "dark", 4, 10.0)
    take(night, camera, "flat", 4, 14.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    # 4 s at 0.5 ADU/s are 2 ADU, 0.01 % of 20 000; with glow still below 0.05 %.
    assert [m.kind for m in built.used] == ["dark"]
    assert "below 0.05 %" in built.notes[0]
    assert built.record.dark_subtracted


def test_a_bias_is_taken_out_where_a_dark_would_leave_too_much(
    night: Path, library: Library
) -> None:
    camera = Camera(dark_adu_per_s=10.0)
    take(night, camera, "bias", 4)
    take(night, camera, "dark", 4, 60.0)
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    assert [m.kind for m in built.used] == ["bias"]
    assert (built.record.bias_subtracted, built.record.dark_subtracted) == (True, False)
    assert "the nearest dark, 60" in built.notes[0]
    assert "The dark signal of the flats stays in." in built.notes


def test_a_bias_is_nearer_to_short_flats_than_a_long_dark(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=0.01)
    take(night, camera, "bias", 4)
    take(night, camera, "dark", 4, 60.0)
    take(night, camera, "flat", 4, 0.73, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    # 59 s at 0.01 ADU/s are 0.003 % of 20 000; but 0 s are nearer to 0.73 s than 60 s.
    assert [m.kind for m in built.used] == ["bias"]
    assert "further from their exposure than a bias" in built.notes[0]


def test_a_dark_flat_of_another_exposure_serves_beside_a_bias(
    night: Path, library: Library
) -> None:
    camera = Camera(dark_adu_per_s=0.01)
    take(night, camera, "bias", 4)
    take(night, camera, "Dark Flat", 4, 10.0)
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    assert [m.kind for m in built.used] == ["dark flat"]


@pytest.mark.parametrize(("hot_adu_per_s", "kind"), [(20.0, "dark"), (100.0, "bias")])
def test_hot_pixels_decide_too_whether_a_dark_of_another_exposure_serves(
    night: Path, library: Library, hot_adu_per_s: float, kind: str
) -> None:
    camera = Camera(dark_adu_per_s=0.1)
    take(night, camera, "bias", 4)
    # 31 of 12 288 pixels, one in 400: the median and its glow do not know them.
    hot = np.zeros(camera.shape)
    hot.flat[::400] = hot_adu_per_s
    for i in range(4):
        pixels = camera.frame(10.0) + (10.0 * hot).astype(np.uint16)
        write_frame(night / f"dark{i}.fits", pixels, header("dark", 10.0, i))
    take(night, camera, "flat", 4, 14.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    # 4 s at 20 (100) ADU/s are 0.4 (2) % of 20 000.
    assert [m.kind for m in built.used] == [kind]
    if kind == "bias":
        assert "of the level of hot pixels, more than 1 %" in built.notes[0]


def test_a_dark_may_stand_where_a_bias_stands_and_is_said_to(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "dark", 4, 60.0)
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    assert [m.kind for m in built.used] == ["dark"]
    assert not built.record.dark_subtracted
    (finding,) = [f for f in built.record.assessment.findings if f.title == "no matching dark"]
    assert finding.verdict is Verdict.WARN
    assert "stands where a bias stands" in finding.what


def test_two_darks_tell_the_dark_signal_without_a_bias(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=0.5)
    take(night, camera, "dark", 4, 4.0)
    take(night, camera, "dark", 4, 30.0)
    take(night, camera, "flat", 4, 6.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    assert [m.values["exposure_s"] for m in built.used] == [4.0]
    assert built.record.dark_subtracted


def test_a_flat_without_anything_keeps_its_pedestal_and_says_so(
    night: Path, library: Library
) -> None:
    take(night, Camera(), "flat", 4, 2.0, 20_000.0)

    built = only(build(library, night), "flat")

    assert built.used == ()
    assert (built.record.bias_subtracted, built.record.dark_subtracted) == (False, False)
    assert "pedestal still in" in [f.title for f in built.record.assessment.findings]
    assert built.record.verdict.severity >= Verdict.WARN.severity
    assert any("pedestal is still in" in line for line in opened(built).history)


def test_a_dawn_series_takes_as_many_darks_as_it_needs(night: Path, library: Library) -> None:
    camera = Camera(dark_adu_per_s=5.0)
    take(night, camera, "bias", 4)
    take(night, camera, "Dark Flat", 4, 1.0)
    take(night, camera, "Dark Flat", 4, 20.0, first=20)
    for number, time in enumerate((0.9, 1.0, 1.1, 19.0, 20.0)):
        take(night, camera, "flat", 1, time, 20_000.0, first=10 + number)

    built = only(build(library, night), "flat")

    assert sorted(m.values["exposure_s"] for m in built.used) == [1.0, 20.0]
    cards = fits.getheader(built.record.path)
    assert {cards["CAL_DARK"], cards["CAL_DAR2"]} == {m.path.name for m in built.used}
    response = opened(built).image() / camera.response
    assert np.std(response) < 1.2 / np.sqrt(5 * 20_000 * EGAIN)


def test_another_gain_or_temperature_is_never_taken_out(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "bias", 4, GAIN=0)
    take(night, camera, "dark", 4, 2.0, SET__TEMP=0.0, CCD__TEMP=0.0)
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    assert built.used == ()
    said = " ".join(built.notes)
    assert "Another gain" in said
    assert "Another temperature" in said


def test_a_gain_that_only_one_side_says_does_not_match(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "bias", 4, GAIN=None)
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)

    assert only(build(library, night), "flat").used == ()


def test_a_gain_that_neither_side_says_matches_and_is_said(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "bias", 4, GAIN=None, OFFSET=None)
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10, GAIN=None, OFFSET=None)

    built = only(build(library, night), "flat")

    assert [m.kind for m in built.used] == ["bias"]
    assert (
        "Neither the flats nor these masters say: gain, offset. Taken as the same." in built.notes
    )


def test_the_librarys_masters_serve_a_run_that_has_none(
    night: Path, tmp_path: Path, library: Library
) -> None:
    camera = Camera()
    take(tmp_path / "earlier", camera, "Dark Flat", 4, 2.0)
    build(library, tmp_path / "earlier")
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)

    built = only(build(library, night), "flat")

    assert [m.kind for m in built.used] == ["dark flat"]


def test_rejected_masters_are_not_used_and_changed_ones_stop_the_flat(
    night: Path, tmp_path: Path, library: Library
) -> None:
    camera = Camera()
    take(tmp_path / "earlier", camera, "Dark Flat", 4, 2.0)
    dark = only(build(library, tmp_path / "earlier"), "dark flat").record
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)
    review = library.reject([dark.id], "light leak")
    without = only(build(library, night, out=tmp_path / "one"), "flat")
    library.undo(review)
    with dark.path.open("r+b") as file:
        file.seek(30_000)
        file.write(b"\x42")

    changed = build(library, night, out=tmp_path / "two")

    assert without.used == ()
    assert any("light leak" in note for note in without.notes)
    assert changed.masters == ()
    assert "was changed since it was made" in changed.skipped[0].reason


def test_a_bad_master_serves_only_when_a_person_approved_it(
    night: Path, tmp_path: Path, library: Library
) -> None:
    camera = Camera()
    take(tmp_path / "earlier", camera, "Dark Flat", 4, 2.0)
    dark = only(build(library, tmp_path / "earlier"), "dark flat").record
    from calibstudio.store.library_tables import MasterRow

    with library.database.writing() as session:
        row = session.query(MasterRow).one()
        row.assessment_json = row.assessment_json.replace(
            '"findings": [', '"findings": [["BAD", "t", "w.", "", "", ""], '
        ).replace(", ]}", "]}")
    assert library.get(dark.id).verdict is Verdict.BAD
    take(night, camera, "flat", 4, 2.0, 20_000.0, first=10)

    without = only(build(library, night, out=tmp_path / "one"), "flat")
    library.approve([dark.id], "looked at it")
    with_it = only(build(library, night, out=tmp_path / "two"), "flat")

    assert without.used == ()
    assert [m.id for m in with_it.used] == [dark.id]


def test_bad_frames_are_left_out_with_the_reason(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "bias", 5)
    write_frame(night / "broken.fits", np.zeros(camera.shape, np.uint16), header("bias", 0.0, 9))

    built = only(build(library, night), "bias")

    (left,) = built.excluded
    assert left.path.name == "broken.fits"
    assert left.reason.startswith("It is BAD: ")
    assert (built.record.n_frames, built.record.n_combined) == (6, 5)
    (row,) = [r for r in opened(built).inputs if not r.used]
    assert (row.file, row.reason) == ("broken.fits", left.reason)
    kept = replace(Recipe(), leave_out_bad=False)
    assert only(build(library, night, recipe=kept), "bias").excluded == ()


@pytest.mark.parametrize("stop", [False, True])
def test_a_frame_that_breaks_while_it_is_combined_is_left_out_or_stops_its_group(
    night: Path, library: Library, stop: bool
) -> None:
    camera = Camera()
    paths = take(night, camera, "bias", 5)
    take(night, camera, "dark", 4, 60.0, first=20)
    grouping = group(night)

    def cut(progress: Progress) -> None:
        if progress.text == "Combining" and paths[1].exists():
            os.truncate(paths[1], 4000)
            paths[1].rename(paths[1].with_suffix(".away"))

    report = build_masters(
        JobContext(None, cut), grouping, grouping.headers, library, Recipe(), stop_at_broken=stop
    )

    if stop:
        (skipped,) = report.skipped
        assert str(paths[1]) in skipped.reason
        assert [b.record.kind for b in report.masters] == ["dark", "bpm"]
    else:
        built = only(report, "bias")
        assert report.skipped == ()
        assert built.record.n_combined == 4
        (left,) = built.excluded
        assert left.path == paths[1]
        assert "is not there" in left.reason


def test_a_frame_stored_upside_down_is_left_out_with_the_reason(
    night: Path, library: Library
) -> None:
    camera = Camera()
    take(night, camera, "bias", 5, ROWORDER="TOP-DOWN")
    (turned,) = take(night, camera, "bias", 1, first=5, ROWORDER="BOTTOM-UP")
    take(night, camera, "bias", 1, first=6)

    built = only(build(library, night), "bias")

    (left,) = built.excluded
    assert left.path == turned and "upside down" in left.reason
    assert built.record.n_combined == 6


def test_copies_and_frames_excluded_by_hand_are_left_out(night: Path, library: Library) -> None:
    paths = take(night, Camera(), "bias", 6)
    (night / "zz copy.fits").write_bytes(paths[1].read_bytes())
    grouping = excluded(group(night), [paths[3]], "a door slammed")

    report = build_masters(JobContext(), grouping, grouping.headers, library, Recipe())

    built = only(report, "bias")
    assert {left.path.name: left.reason for left in built.excluded} == {
        "zz copy.fits": f"It is a copy of {paths[1].name}: the same bytes.",
        paths[3].name: "Excluded by hand: a door slammed",
    }
    assert built.record.n_combined == 5


def test_the_gain_that_flats_measure_reaches_the_biases_and_darks_of_the_run(
    night: Path, library: Library, tmp_path: Path
) -> None:
    camera = Camera(shape=(128, 128))
    said = {"EGAIN": 3.0}  # twice what it is
    take(night, camera, "bias", 6, **said)
    take(night, camera, "dark", 5, 60.0, first=20, **said)
    alone = build(library, night)
    before = {b.record.kind: b.record.path.read_bytes() for b in alone.masters}
    take(night, camera, "flat", 6, 2.0, 20_000.0, first=40, **said)
    other = tmp_path / "other"

    with Library.open(other) as second:
        report = build(second, night)
        rebuilt_from = {r.sha256: r.assessment for r in second.masters()}
    rebuild(JobContext(), other)

    gain = only(report, "flat").record.assessment.value("egain")
    assert gain == pytest.approx(EGAIN, rel=0.05)
    bias, dark = only(report, "bias").record, only(report, "dark").record
    # In the library: by the gain measured, and it says by which flat.
    assert bias.assessment.value("read_noise") == pytest.approx(READ_NOISE_ADU * gain, rel=0.02)
    of_dark = dark.assessment.metric("dark_current")
    assert of_dark is not None
    assert of_dark.value == pytest.approx(DARK_ADU_PER_S * gain, rel=0.05)
    assert only(report, "flat").record.path.name in of_dark.why
    # In the files: nothing of the flats. The same frames give the same bytes without them.
    for record in (bias, dark):
        assert record.path.read_bytes() == before[record.kind]
    assert read_master(dark.path).record.assessment.value("dark_current") is None
    with Library.open(other) as second:
        assert {r.sha256: r.assessment for r in second.masters()} == rebuilt_from


def test_groups_that_are_too_small_are_skipped_with_a_reason(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 1)
    take(night, Camera(), "dark", 2, 5.0)
    recipe = replace(Recipe(), min_frames=3)

    report = build(library, night, recipe=recipe)

    assert report.masters == ()
    reasons = sorted(entry.reason for entry in report.skipped)
    assert reasons[0].startswith("2 frames; the recipe default asks for at least 3")
    assert reasons[1].startswith("There is a single frame")


def test_a_group_that_judging_emptied_is_skipped_and_says_why(
    night: Path, library: Library
) -> None:
    for i in range(2):
        pixels = np.zeros((64, 64), np.uint16)
        write_frame(night / f"b{i}.fits", pixels, header("bias", 0.0, i))

    report = build(library, night)

    assert report.masters == ()
    assert "was left out: It is BAD" in report.skipped[0].reason


def test_lights_and_masters_are_left_alone_and_are_no_problem(
    night: Path, tmp_path: Path, library: Library
) -> None:
    camera = Camera()
    take(night, camera, "bias", 3)
    take(night, camera, "Light Frame", 2, 60.0)
    first = build(library, night)
    shown = build(library, night, first.masters[0].record.path.parent)

    assert [entry.group.kind for entry in first.left if entry.group] == ["light"]
    assert first.skipped == ()
    assert any("masters are not stacked again" in entry.reason for entry in shown.left)


def test_kinds_that_the_recipe_names_are_stacked_too(night: Path, library: Library) -> None:
    take(night, Camera(), "Arc Lamp", 3, 5.0, 3_000.0)
    recipe = replace(Recipe(), stack={**Recipe().stack, "arc lamp": StackSettings()})

    default = build(library, night)
    built = build(library, night, recipe=recipe)

    assert default.masters == ()
    assert "does not say how arc lamp frames are combined" in default.left[0].reason
    assert fits.getval(built.masters[0].record.path, "IMAGETYP") == "Master Arc Lamp"
    assert built.masters[0].record.kind == "arc lamp"


def test_damaged_files_are_said_and_the_rest_goes_on(night: Path, library: Library) -> None:
    paths = take(night, Camera(), "bias", 4)
    grouping = group(night)
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:9_000])

    report = build_masters(JobContext(), grouping, grouping.headers, library, Recipe())

    built = only(report, "bias")
    assert built.record.n_combined == 2
    assert {left.path for left in built.excluded} == {paths[0], paths[1]}
    assert all(left.reason for left in built.excluded)


def test_colour_frames_are_scaled_and_normalised_by_channel(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "Dark Flat", 4, 1.0, BAYERPAT="RGGB")
    colour = np.empty(camera.shape)
    for i, value in enumerate((0.5, 1.0, 1.0, 0.7)):
        colour[i // 2 :: 2, i % 2 :: 2] = value
    for i, light in enumerate((20_000.0, 24_000.0, 28_000.0, 30_000.0)):
        # The lamp also grows bluer: one factor for the frame would leave a colour cast.
        blue = colour.copy()
        blue[1::2, 1::2] *= 1 + 0.05 * i
        signal = light * camera.response * blue
        pixels = camera.frame(1.0) + camera.rng.poisson(signal * EGAIN) / EGAIN
        cards = header("flat", 1.0, 20 + i, BAYERPAT="RGGB", XBAYROFF=0, YBAYROFF=0)
        write_frame(night / f"flat{i}.fits", np.rint(pixels).astype(np.uint16), cards)

    master = opened(only(build(library, night), "flat"))

    assert len(master.normval[""]) == 4
    levels = [np.median(master.image()[i // 2 :: 2, i % 2 :: 2][12:36, 16:48]) for i in range(4)]
    assert levels == pytest.approx([1.0] * 4, abs=0.005)
    red, green, _, blue_level = master.normval[""]
    assert red / green == pytest.approx(0.5, rel=0.01)
    assert blue_level / green == pytest.approx(0.7 * 1.075, rel=0.02)
    assert fits.getval(master.path, "BAYERPAT") == "RGGB"
    noise = 1 / np.sqrt(4 * 26_000 * 0.5 * EGAIN)
    assert np.std((master.image() / camera.response)[::2, ::2]) < 1.3 * noise


def test_detectors_are_stacked_one_by_one_and_planes_of_others_left(
    night: Path, library: Library
) -> None:
    night.mkdir()
    camera = Camera()
    planes: dict[str, list[NDArray[Any]]] = {"GREEN_CCD": [], "RED_CCD": []}
    for i in range(4):
        hdus = [fits.PrimaryHDU(header=header("bias", 0.0, i))]
        for name, level in (("GREEN_CCD", 0), ("RED_CCD", 500)):
            pixels = camera.frame(0.0) + np.uint16(level)
            planes[name].append(pixels)
            hdus.append(fits.ImageHDU(pixels, name=name))
            hdus[-1].header["RDNOISE"] = (3.9, "[e-]")
        hdus.append(fits.ImageHDU(np.ones(camera.shape, np.float32), name="VAR"))
        fits.HDUList(hdus).writeto(night / f"b{i}.fits")

    built = only(build(library, night), "bias")

    master = opened(built)
    assert master.detectors == ("GREEN_CCD", "RED_CCD")
    for name in master.detectors:
        full = master.plane("CNT", name) == 4
        expected = np.mean(planes[name], axis=0)
        np.testing.assert_allclose(master.image(name)[full], expected[full], atol=2e-4)
    cards = fits.getheader(built.record.path)
    assert cards["INFOBITS"] == 3
    assert "GREEN_CCD" in cards["BIT00"]
    assert "RED_CCD" in cards["BIT01"]
    assert fits.getval(built.record.path, "RDNOISE", "RED_CCD") == 3.9


def test_frames_of_another_make_are_left_out(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 3)
    pixels = Camera().frame(0.0)
    hdus = [fits.PrimaryHDU(header=header("bias", 0.0, 8)), fits.ImageHDU(pixels, name="A")]
    fits.HDUList([*hdus, fits.ImageHDU(pixels, name="B")]).writeto(night / "two.fits")

    built = only(build(library, night), "bias")

    assert [left.path.name for left in built.excluded] == ["two.fits"]
    assert "other detectors" in built.excluded[0].reason


def test_a_pedestal_of_an_earlier_program_is_undone(night: Path, library: Library) -> None:
    camera = Camera()
    for i in range(4):
        pixels = camera.frame(0.0) + np.uint16(100)
        cards = header("bias", 0.0, i, PEDESTAL=-100, SWCREATE="MaxIm DL Version 6.18")
        write_frame(night / f"b{i}.fits", pixels, cards)

    built = only(build(library, night), "bias")

    image = opened(built).image()
    assert np.median(image) == pytest.approx(BIAS_ADU, abs=0.5)
    assert any("PEDESTAL" in line and "undone" in line for line in opened(built).history)
    assert "PEDESTAL" not in fits.getheader(built.record.path)


def test_the_same_frames_give_the_same_bytes_anywhere_and_anyhow(
    night: Path, tmp_path: Path, library: Library
) -> None:
    take(night, Camera(), "bias", 5)
    take(night, Camera(2), "flat", 4, 2.0, 20_000.0, first=10)
    first = build(library, night)
    with Library.open(tmp_path / "second") as other:
        second = build(other, night, threads=1, memory_bytes=2_000_000)
    again = build(library, night)

    for one, two in zip(first.masters, second.masters, strict=True):
        assert one.record.path.name == two.record.path.name
        assert one.record.path.read_bytes() == two.record.path.read_bytes()
    assert [b.new for b in again.masters] == [False, False]
    assert [b.record for b in again.masters] == [b.record for b in first.masters]


def test_a_master_is_the_same_file_whatever_else_is_around(
    night: Path, library: Library, tmp_path: Path
) -> None:
    camera = Camera(shape=(128, 128))
    take(night / "dark", camera, "dark", 5, 60.0)
    take(night / "flat", camera, "flat", 4, 2.0, 20_000.0, first=20)
    take(night / "dark flat", camera, "Dark Flat", 4, 2.0, first=30)
    alone = build(library, night)
    take(tmp_path / "biases", camera, "bias", 5, first=50)
    build(library, tmp_path / "biases")

    beside_library = build(library, night)
    beside_frames = build(library, night, tmp_path / "biases")
    later = build(library, night)

    # The first flats are calibrated with the same dark flat, the darks with nothing: the same
    # files, to the byte, and none a second time. (The map of bad pixels is made with the bias.)
    for report in (beside_library, beside_frames, later):
        for kind in ("dark", "flat", "dark flat"):
            assert not only(report, kind).new
            assert only(report, kind).record.path == only(alone, kind).record.path
    assert len([r for r in library.masters() if r.kind != "bpm"]) == 4
    # What the bias tells is in the library, and stays there when the bias frames are not read.
    dark = only(beside_library, "dark").record.assessment
    assert only(alone, "dark").record.assessment.value("dark_rate_adu") is None
    assert dark.value("dark_rate_adu") == pytest.approx(DARK_ADU_PER_S, rel=0.05)
    (bias,) = [r for r in library.masters() if r.kind == "bias"]
    said = dark.metric("dark_rate_adu")
    assert said is not None
    assert bias.path.name in said.why
    assert only(alone, "flat").record.assessment.value("egain") is None
    measured = only(beside_frames, "flat").record.assessment.value("egain")
    assert measured == pytest.approx(EGAIN, rel=0.1)
    assert only(later, "flat").record.assessment.value("egain") == measured
    known = {r.sha256: r.assessment for r in library.masters()}
    rebuild(JobContext(), library.folder)
    assert {r.sha256: r.assessment for r in library.masters()} == known


def test_the_noise_of_one_frame_is_the_floor_of_the_rule(night: Path, library: Library) -> None:
    take(night, Camera(2), "dark", 5, 60.0)

    alone = only(build(library, night), "dark")

    # Ten frames' photon and read noise, from 2 pairs of 12 288 pixels: good to 1 %.
    noise = np.hypot(READ_NOISE_ADU, np.sqrt(60 * DARK_ADU_PER_S / EGAIN))
    floor = opened(alone).combined.floor_adu
    assert floor == pytest.approx(noise, rel=0.04)
    assert fits.getval(alone.record.path, "REJFLOOR") == floor
    assert any("from pairs of these frames" in line for line in opened(alone).history)


def test_frames_of_another_name_never_meet_the_first_ones_master(
    night: Path, library: Library
) -> None:
    paths = take(night, Camera(), "bias", 5)
    build(library, night)
    paths[0].rename(paths[0].with_name("another.fits"))

    report = build(library, night)

    assert report.skipped == ()
    assert only(report, "bias").new


def test_a_master_is_judged_by_the_noise_and_the_gain_that_its_frames_showed(
    night: Path, library: Library
) -> None:
    camera = Camera()
    take(night, camera, "bias", 9, EGAIN=None)
    # The header is wrong by a factor of two.
    take(night, camera, "flat", 12, 2.0, 20_000.0, first=20, EGAIN=2 * EGAIN)

    report = build(library, night)

    bias, flat = (only(report, kind).record.assessment for kind in ("bias", "flat"))
    assert bias.value("uncertainty_excess") == pytest.approx(1.0, abs=0.1)
    assert flat.value("egain") == pytest.approx(EGAIN, rel=0.05)
    assert flat.value("uncertainty_excess") == pytest.approx(1.0, abs=0.1)


def test_another_recipe_makes_another_name(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 5)
    median = replace(
        Recipe(), stack={**Recipe().stack, "bias": StackSettings(reject=Rejection.SIGMA, low=2.5)}
    )

    one, two = build(library, night), build(library, night, recipe=median)

    assert one.masters[0].record.path != two.masters[0].record.path
    cards = fits.getheader(two.masters[0].record.path)
    assert (cards["REJTYPE"], cards["REJLOW"], cards["REJHIGH"]) == ("sigma", 2.5, 3.0)


@pytest.mark.parametrize("how", [Normalization.NONE, Normalization.ADDITIVE])
def test_frames_are_brought_to_one_level_as_the_recipe_says(
    night: Path, library: Library, how: Normalization
) -> None:
    camera = Camera()
    for i, light in enumerate((10_000.0, 11_000.0, 12_000.0)):
        take(night, camera, "flat", 1, 2.0, light, first=i)
    recipe = replace(
        Recipe(),
        stack={**Recipe().stack, "flat": StackSettings(reject=Rejection.NONE, normalize=how)},
    )

    master = opened(only(build(library, night, recipe=recipe), "flat"))

    assert master.combined.normalize == how.value
    assert [r.scale for r in master.inputs] == [1.0] * 3
    unc = float(np.median(master.plane("UNC")))
    spread = 1_000 / np.sqrt(3) / 12_000
    assert bool(unc > 0.8 * spread) is (how is Normalization.NONE)


def test_a_flat_without_light_is_skipped_in_words(night: Path, library: Library) -> None:
    camera = Camera()
    recipe = replace(Recipe(), leave_out_bad=False)
    take(night, camera, "bias", 4)
    for i in range(3):
        dim = (camera.frame(0.0) - np.uint16(40)).astype(np.uint16)
        write_frame(night / f"flat{i}.fits", dim, header("flat", 2.0, 20 + i))

    report = build(library, night, recipe=recipe)

    assert [b.record.kind for b in report.masters] == ["bias"]
    assert "no light above its dark level" in report.skipped[0].reason


def test_dead_pixels_of_a_flat_are_one_and_masked(night: Path, library: Library) -> None:
    camera = Camera()
    take(night, camera, "bias", 4)
    for i in range(4):
        pixels = camera.frame(2.0, 20_000.0)
        pixels[10, 20] = BIAS_ADU
        write_frame(night / f"flat{i}.fits", pixels, header("flat", 2.0, 20 + i))

    built = only(build(library, night), "flat")

    master = opened(built)
    assert master.image()[10, 20] == 1.0
    assert master.plane("CNT")[10, 20] == 0
    mask = master.plane("BPM")
    assert mask[10, 20] == 1
    assert mask.sum() == 1
    assert any("1 pixel without light" in line for line in master.history)


def test_names_from_headers_never_leave_the_librarys_folder(night: Path, library: Library) -> None:
    camera = Camera()
    evil = "../../<script>'; DROP"
    take(night, camera, "bias", 3, INSTRUME=evil)
    take(night, camera, "flat", 3, 2.0, 20_000.0, first=5, INSTRUME=evil, FILTER="CON")

    report = build(library, night)

    assert len(report.masters) == 2
    for built in report.masters:
        assert built.record.path.is_relative_to(library.folder)
        assert ".." not in built.record.path.parts
        assert built.record.values["camera"] == evil


def test_a_cancel_keeps_what_is_filed_and_leaves_nothing_half_done(
    night: Path, library: Library
) -> None:
    camera = Camera()
    take(night, camera, "bias", 4)
    take(night, camera, "dark", 4, 5.0)
    grouping = group(night)
    token = CancelToken()

    with pytest.raises(Cancelled):
        build_masters(
            JobContext(token),
            grouping,
            grouping.headers,
            library,
            Recipe(),
            on_built=lambda built: token.cancel(),
        )

    assert [r.kind for r in library.masters()] == ["bias"]
    files = {p.name for p in library.folder.rglob("*") if p.is_file()}
    assert files == {"library.sqlite", "journal.jsonl", library.masters()[0].path.name}


def test_a_folder_that_cannot_be_written_is_said_for_every_group(
    night: Path, tmp_path: Path, library: Library
) -> None:
    take(night, Camera(), "bias", 3)
    (tmp_path / "file").write_bytes(b"")

    report = build(library, night, out=tmp_path / "file")

    assert report.masters == ()
    assert "could not be written" in report.skipped[0].reason


def test_masters_go_to_the_folder_that_was_named(
    night: Path, tmp_path: Path, library: Library
) -> None:
    take(night, Camera(), "bias", 3)

    built = only(build(library, night, out=tmp_path / "out"), "bias")

    assert built.record.path.is_relative_to(tmp_path / "out")
    assert library.get(built.record.id).path == built.record.path


def test_progress_counts_up_and_says_what_is_done(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 3)
    take(night, Camera(), "dark", 3, 5.0)
    grouping = group(night)
    seen: list[tuple[float, str]] = []
    report: Callable[[Any], None] = lambda p: seen.append((p.fraction, p.text))  # noqa: E731

    build_masters(JobContext(report=report), grouping, grouping.headers, library, Recipe())

    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert any(text.startswith("Writing master_dark") for _, text in seen)


def test_two_runs_at_one_library_both_finish(night: Path, tmp_path: Path, library: Library) -> None:
    take(night, Camera(), "bias", 3)
    take(tmp_path / "other", Camera(5), "dark", 3, 5.0)
    reports: list[MastersReport] = []

    def run(folder: Path) -> None:
        with Library.open(library.folder) as mine:
            reports.append(build(mine, folder))

    threads = [threading.Thread(target=run, args=(f,)) for f in (night, tmp_path / "other", night)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # The dark brings its bad-pixel map.
    assert sorted(len(r.masters) for r in reports) == [1, 1, 2]
    assert {r.kind for r in library.masters()} == {"bias", "dark", "bpm"}


def test_a_recipe_may_ask_for_maps_and_weights(night: Path, library: Library) -> None:
    take(night, Camera(), "bias", 12)
    settings = StackSettings(weight=Weight.NOISE, maps=True)
    recipe = replace(Recipe(), stack={**Recipe().stack, "bias": settings})

    master = opened(only(build(library, night, recipe=recipe), "bias"))

    low, high, cnt = (master.plane(name) for name in ("REJ_LOW", "REJ_HIGH", "CNT"))
    np.testing.assert_array_equal(cnt + low + high, 12)
    assert master.detectors == ("",)
    assert sum(r.rejected_low or 0 for r in master.inputs) == low.sum()
    assert sum(r.rejected_high or 0 for r in master.inputs) == high.sum()
    weights = [r.weight for r in master.inputs]
    assert np.mean(weights) == pytest.approx(1.0)
    assert weights == pytest.approx([1.0] * 12, abs=0.15)
    assert any("counts by the inverse variance" in line for line in master.history)


def test_a_frame_that_lost_more_than_noise_says_so_in_the_master(
    night: Path, library: Library
) -> None:
    paths = take(night, Camera(), "bias", 12)
    with fits.open(paths[3], mode="update") as hdus:
        hdus[0].data[:, :20] += 400

    recipe = replace(Recipe(), leave_out_bad=False)
    master = opened(only(build(library, night, recipe=recipe), "bias"))

    (row,) = [r for r in master.inputs if r.file == paths[3].name]
    assert row.rejected_high > 1000
    assert any(line.startswith(f"{paths[3].name} lost") for line in master.history)
    assert fits.getdata(master.path, "INPUTS")["REJHIGH"][3] == row.rejected_high
