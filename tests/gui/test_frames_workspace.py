"""The Frames workspace with real files: scan, look, regroup by hand, undo, stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QAbstractItemModelTester

from calibstudio.domain.group_titles import group_title
from calibstudio.domain.quality import Assessment, Finding, Verdict
from calibstudio.domain.recipe import Recipe
from calibstudio.gui.frames.dragging import badge
from calibstudio.gui.frames.measuring import MOST_AT_ONCE
from calibstudio.gui.frames.pace import Pace, cost_text
from calibstudio.gui.frames.stacking import group_facts
from calibstudio.gui.frames.tree_model import frames_mime, frames_of_mime
from calibstudio.gui.frames.workspace import FramesWorkspace
from calibstudio.gui.widgets.buttons import Button
from calibstudio.services import masters
from tests.helpers.dng_file import dng_file
from tests.helpers.xisf_files import xisf_file

SHAPE = (96, 128)


def write_frame(folder: Path, name: str, kind: str, exposure_s: float, seed: int, **cards) -> Path:
    """Write a small raw frame whose header says everything."""
    rng = np.random.default_rng(seed)
    level = {"Bias Frame": 500, "Dark Frame": 510, "Flat Field": 30000}.get(kind, 900)
    noise = 5.0 if level < 1000 else np.sqrt(level)
    data = np.clip(np.rint(rng.normal(level, noise, SHAPE)), 0, 65535).astype(np.uint16)
    header = fits.Header()
    header["IMAGETYP"], header["EXPTIME"], header["INSTRUME"] = kind, exposure_s, "Test camera"
    header["GAIN"], header["OFFSET"], header["SET-TEMP"], header["CCD-TEMP"] = 100, 50, -10.0, -10.0
    header["XBINNING"] = header["YBINNING"] = 1
    header["DATE-OBS"] = f"2026-04-17T22:{seed % 60:02d}:00"
    header["SITELAT"], header["SITELONG"] = 48.0, 11.5
    for key, value in cards.items():
        header[key.replace("_", "-")] = value
    path = folder / name
    fits.writeto(path, data, header)
    return path


@pytest.fixture
def night(tmp_path: Path) -> Path:
    folder = tmp_path / "night"
    folder.mkdir()
    for i in range(6):
        write_frame(folder, f"bias_{i}.fits", "Bias Frame", 0.0, i)
        write_frame(folder, f"dark_{i}.fits", "Dark Frame", 10.0, 10 + i)
    for i in range(3):
        write_frame(folder, f"dark60_{i}.fits", "Dark Frame", 60.0, 20 + i)
    (folder / "notes.txt").write_text("clear sky")
    (folder / "broken.fits").write_text("this is no FITS file")
    return folder


@pytest.fixture
def workspace(qtbot, context):
    made = FramesWorkspace(context)
    qtbot.addWidget(made)
    made.resize(1600, 900)
    made.show()
    yield made
    made.close_down()
    made.close()


def scan(qtbot, workspace: FramesWorkspace, folder: Path) -> None:
    with qtbot.waitSignal(workspace.scanned, timeout=20000):
        workspace.add_folders([folder])


def titles(workspace: FramesWorkspace) -> dict[str, int]:
    return {group_title(g): len(g.frames) for g in workspace.state.grouping.groups}


def group_of(workspace: FramesWorkspace, start: str):
    return next(g for g in workspace.state.grouping.groups if group_title(g).startswith(start))


def test_an_empty_workspace_says_how_to_begin(workspace):
    assert "Drop a folder here" in workspace.empty._sentence.text()
    assert workspace.empty.isVisible()


def test_a_folder_becomes_groups_with_frames_and_reasons_for_the_rest(qtbot, workspace, night):
    scan(qtbot, workspace, night)

    found = titles(workspace)
    assert sorted(found.values()) == [3, 6, 6]
    assert [item.path.name for item in workspace.state.grouping.ungrouped] == ["broken.fits"]
    assert [item.path.name for item in workspace.state.grouping.ignored] == ["notes.txt"]
    names = [workspace.groups.model.index(r, 0).data() for r in range(3)]
    assert names[0].startswith("Test camera · gain 100 · offset 50")
    assert names[1:] == ["Not understood", "Ignored"]
    assert len(workspace.frames.rows) == 6


def test_frames_are_measured_in_the_background_and_shown(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    bias = group_of(workspace, "Bias")

    qtbot.waitUntil(lambda: not workspace.state.unmeasured(bias), timeout=30000)

    levels = [row.value("level") for row in workspace.frames.rows]
    assert levels == pytest.approx([500.0] * 6, abs=1.0)
    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not None, timeout=10000)
    assert workspace.detail.picture.pyramid.shape == SHAPE


def test_frames_dropped_on_a_group_move_there_and_undo_brings_them_back(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    dark10, dark60 = group_of(workspace, "Dark · 10"), group_of(workspace, "Dark · 60")
    target = workspace.groups.model.index_of(f"group/{dark10.id}")
    dragged = frames_mime(dark60.frames[:2])

    model = workspace.groups.model
    assert model.canDropMimeData(dragged, Qt.DropAction.MoveAction, -1, -1, target)
    model.dropMimeData(dragged, Qt.DropAction.MoveAction, -1, -1, target)

    qtbot.waitUntil(lambda: workspace.undo.count() == 1, timeout=5000)
    assert sorted(titles(workspace).values()) == [1, 6, 8]
    assert workspace.undo.undoText() == f"Move 2 frames to {group_title(dark10)}"
    workspace.undo_button.click()
    assert sorted(titles(workspace).values()) == [3, 6, 6]
    workspace.redo_button.click()
    assert sorted(titles(workspace).values()) == [1, 6, 8]


def test_the_frame_that_is_shown_is_one_of_the_group_also_after_undo(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    dark10, dark60 = group_of(workspace, "Dark · 10"), group_of(workspace, "Dark · 60")
    workspace.groups.choose_group(dark10.id)
    workspace._on_dropped((dark60.frames[:1], dark10.id))
    workspace.frames.table.select_key(dark60.frames[0])

    workspace.undo_button.click()

    assert workspace.group is not None and workspace.group.id == dark10.id
    assert workspace.frames.table.current.path in dark10.frames
    assert workspace.frames.selected and workspace.frames.selected[0] in dark10.frames


def test_a_group_that_becomes_another_one_stays_in_sight(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    dark60 = group_of(workspace, "Dark · 60")
    workspace.groups.choose_group(dark60.id)

    workspace.actions_by_hand.correct(dark60.frames, {"kind": "flat"})

    assert workspace.group is not None
    assert set(workspace.group.frames) == set(dark60.frames)


def test_a_real_drop_event_outside_all_groups_splits_the_frames_off(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    bias = group_of(workspace, "Bias")
    tree = workspace.groups.tree
    below = QPoint(40, tree.viewport().height() - 4)
    assert not tree.indexAt(below).isValid()

    dragged = frames_mime(bias.frames[:2])
    event = QDropEvent(
        below,
        Qt.DropAction.MoveAction,
        dragged,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    tree.dropEvent(event)

    qtbot.waitUntil(lambda: len(workspace.state.grouping.groups) == 4, timeout=5000)
    assert sorted(len(g.frames) for g in workspace.state.grouping.groups) == [2, 3, 4, 6]


def test_leaving_out_takes_frames_from_the_stack_but_not_from_the_group(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    workspace.frames.table.selectRow(1)

    workspace.do("leave-out")

    group = workspace.group
    assert group is not None and len(group.frames) == 6
    assert len(workspace.state.used(group)) == 5
    assert workspace.detail.stack.text() == "Stack 5 frames"
    assert workspace.frames.rows[1].left_out == "left out by hand"
    workspace.do("leave-out")
    assert len(workspace.state.used(workspace.group)) == 6


def test_split_and_merge_by_the_menu(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    workspace.frames.table.selectRow(0)
    workspace.frames.split.click()
    assert sorted(len(g.frames) for g in workspace.state.grouping.groups) == [1, 3, 5, 6]

    groups = [g for g in workspace.state.grouping.groups if g.kind == "bias"]
    workspace.actions_by_hand.merge([g.id for g in groups])

    assert sorted(len(g.frames) for g in workspace.state.grouping.groups) == [3, 6, 6]


def test_a_correction_lies_over_the_file_and_regroups(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    dark60 = group_of(workspace, "Dark · 60")
    before = dark60.frames[0].read_bytes()

    workspace.actions_by_hand.correct(dark60.frames, {"exposure_s": 10.0})

    assert sorted(titles(workspace).values()) == [6, 9]
    assert dark60.frames[0].read_bytes() == before
    workspace.undo.undo()
    assert sorted(titles(workspace).values()) == [3, 6, 6]


def test_changes_by_hand_come_back_with_the_next_scan(qtbot, workspace, night, context):
    scan(qtbot, workspace, night)
    dark60 = group_of(workspace, "Dark · 60")
    workspace.actions_by_hand.leave_out(dark60.frames[:1])
    workspace.actions_by_hand.correct(dark60.frames[1:], {"exposure_s": 10.0})
    workspace.keep_changes()
    qtbot.waitUntil(lambda: len(context.open_library().regroupings()) == 1, timeout=10000)

    later = FramesWorkspace(context)
    qtbot.addWidget(later)
    scan(qtbot, later, night)

    assert sorted(len(g.frames) for g in later.state.grouping.groups) == [1, 6, 8]
    assert list(later.state.grouping.excluded) == [dark60.frames[0]]
    later.close_down()


def test_a_frame_of_another_size_is_refused_in_words(qtbot, workspace, night, context):
    other = fits.PrimaryHDU(np.zeros((50, 60), dtype=np.uint16))
    other.header["IMAGETYP"] = "Bias Frame"
    other.writeto(night / "small.fits")
    scan(qtbot, workspace, night)
    said = []
    context.problems.foreseen.connect(said.append)
    bias = next(g for g in workspace.state.grouping.groups if len(g.frames) == 6)
    small = next(g for g in workspace.state.grouping.groups if len(g.frames) == 1)

    workspace.actions_by_hand.move(small.frames, bias.id)

    assert len(said) == 1 and "small.fits" in said[0].message
    assert workspace.undo.count() == 0


def test_the_search_shows_only_groups_that_fit(qtbot, workspace, night):
    scan(qtbot, workspace, night)

    workspace.groups.model.set_filter("dark 60")

    root = workspace.groups.model.index(0, 0)
    assert workspace.groups.model.rowCount(root) == 1


def test_stacking_a_group_files_its_master(qtbot, workspace, night, context):
    scan(qtbot, workspace, night)
    workspace.groups.choose_group(group_of(workspace, "Bias").id)

    with qtbot.waitSignal(workspace.stacking.built, timeout=50000) as built:
        workspace.do("primary")

    (master,) = built.args[0].masters
    assert master.record.kind == "bias" and master.record.n_combined == 6
    image = fits.getdata(master.record.path)
    expected = np.mean([fits.getdata(p) for p in sorted(night.glob("bias_*.fits"))], axis=0)
    # Six frames: nothing but a 5-sigma outlier is left out, so the mean is that of all.
    assert np.median(np.abs(image - expected)) < 1e-3
    assert [m.kind for m in context.open_library().masters()] == ["bias"]


def test_the_settings_for_broken_frames_and_memory_are_those_of_the_stack(
    qtbot, workspace, night, context, monkeypatch
):
    real, asked = masters.build_masters, []

    def build(*args, **more):
        asked.append((more["stop_at_broken"], more["memory_bytes"]))
        return real(*args, **more)

    monkeypatch.setattr(masters, "build_masters", build)
    context.settings.change(stop_at_broken=True, stack_memory_mb=500)
    scan(qtbot, workspace, night)

    with qtbot.waitSignal(workspace.stacking.finished, timeout=40000):
        workspace.stacking.start([group_of(workspace, "Bias")])

    assert asked == [(True, 500_000_000)]


def test_paths_survive_the_drag(tmp_path):
    paths = (tmp_path / "ä b'\".fits", tmp_path / "<b>.fits")
    assert frames_of_mime(frames_mime(paths)) == paths


def test_the_night_theme_is_red_only(qtbot, workspace, night, theme, is_red_only):
    scan(qtbot, workspace, night)
    theme.set_theme("night")
    qtbot.waitUntil(lambda: workspace.detail.picture.is_sharp, timeout=10000)
    assert is_red_only(workspace)


def test_nothing_is_cut_or_covered_in_a_small_window(qtbot, workspace, night):
    workspace.set_compact(True)
    workspace.resize(1366 - 64, 768 - 32)
    scan(qtbot, workspace, night)
    qtbot.waitUntil(lambda: not workspace.measuring.is_busy, timeout=30000)

    buttons = [b for b in workspace.findChildren(Button) if b.isVisible()]
    assert {"Leave out", "Split", "Merge…"} <= {b.text() for b in buttons}
    for button in buttons:
        assert button.width() >= button.minimumSizeHint().width(), button.text()
    assert workspace.frames.table.horizontalScrollBar().maximum() == 0
    assert workspace.frames.across.height() >= 190
    shown = [b for b in buttons if b.window() is workspace.window()]
    places = [QRect(b.mapTo(workspace, QPoint(0, 0)), b.size()) for b in shown]
    for i, place in enumerate(places):
        assert workspace.rect().contains(place), shown[i].text()
        assert not any(place.intersects(other) for other in places[i + 1 :]), shown[i].text()


def test_measured_frames_change_their_rows_and_nothing_else(qtbot, workspace, night):
    workspace.measuring.stop()
    scan(qtbot, workspace, night)
    model, tree = workspace.frames.model, workspace.groups.model
    group = workspace.group
    index = tree.index_of(f"group/{group.id}")
    workspace.groups.tree.setExpanded(index, True)
    used = tree.index(0, 0, index)
    workspace.groups.tree.setExpanded(used, True)
    resets, changed = [], []
    model.modelReset.connect(lambda: resets.append("table"))
    tree.modelReset.connect(lambda: resets.append("tree"))
    tree.rowsRemoved.connect(lambda *_: resets.append("rows"))
    model.dataChanged.connect(lambda a, b, *_: changed.append((a.row(), b.row())))

    workspace.state.add_assessments({p: Assessment((), ()) for p in group.frames[1:3]})

    assert resets == [] and changed == [(1, 2)]
    assert workspace.groups.tree.isExpanded(used)
    assert [r.verdict for r in workspace.frames.rows[:3]] == [None, Verdict.GOOD, Verdict.GOOD]
    leaf = tree.node(tree.index(1, 0, used))
    assert leaf.status == "good"


def test_a_frame_that_turns_out_bad_goes_to_its_part_and_the_others_stay(qtbot, workspace, night):
    workspace.measuring.stop()
    scan(qtbot, workspace, night)
    tree, group = workspace.groups.model, workspace.group
    tester = QAbstractItemModelTester(tree, QAbstractItemModelTester.FailureReportingMode.Fatal)
    index = tree.index_of(f"group/{group.id}")
    assert [tree.index(r, 0, index).data() for r in range(tree.rowCount(index))] == ["Used"]
    finding = Finding(Verdict.BAD, "light leak", "Gradient 9 ADU, limit 2 ADU.", "", "", "gradient")

    workspace.state.add_assessments({group.frames[0]: Assessment((), (finding,))})

    assert tester.model() is tree
    parts = {tree.index(r, 0, index).data() for r in range(tree.rowCount(index))}
    assert parts == {"Used", "Used, though bad"}
    assert workspace.frames.rows[0].reason == "Light leak: gradient 9 ADU, limit 2 ADU."


def test_a_branch_says_the_worst_of_its_groups_and_how_many_frames(qtbot, workspace, night):
    workspace.measuring.stop()
    scan(qtbot, workspace, night)
    branch = workspace.groups.model.node(workspace.groups.model.index(0, 0))
    finding = Finding(Verdict.BAD, "light leak", "Gradient 9 ADU.", "", "", "gradient")

    workspace.state.add_assessments({workspace.group.frames[0]: Assessment((), (finding,))})

    assert branch.status == "bad" and branch.count == "15"


def test_batches_grow_until_they_take_a_second(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    qtbot.waitUntil(lambda: not workspace.measuring.is_busy, timeout=30000)

    assert 1 <= workspace.measuring._at_once <= MOST_AT_ONCE


def test_what_a_stack_takes_is_said_once_it_is_known(qtbot, workspace, night):
    workspace.measuring.stop()
    scan(qtbot, workspace, night)
    group, pace = workspace.group, Pace()
    pixels = len(group.frames) * SHAPE[0] * SHAPE[1]

    said = cost_text(workspace.state, group, pace)
    assert said.startswith("Runs in the background, 6 frames")
    assert "0.0\u202fMP" not in said
    pace.learn(pixels, 42.0)
    assert cost_text(workspace.state, group, pace).startswith("About 40\u202fs in the background")


def test_the_histogram_of_the_frame_that_is_looked_at(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not None, timeout=10000)

    workspace.frames.across.choice.set_value("histogram")
    workspace.frames.across._renew()

    shown = workspace.frames.across._histogram
    assert shown is not None
    assert sum(h.total for h in shown._histograms.values()) == SHAPE[0] * SHAPE[1]


def test_files_that_are_not_understood_say_why(qtbot, workspace, night):
    scan(qtbot, workspace, night)

    workspace.groups.tree.setCurrentIndex(workspace.groups.model.index(1, 0))

    reasons = {r.file: r.why for r in workspace.frames.reasons.records}
    assert "broken.fits" in reasons and reasons["broken.fits"].endswith(".")
    assert workspace.frames.title.text() == "Not understood"
    assert not workspace.frames.table.isVisible()
    # A group that is chosen next takes its place again.
    workspace.groups.choose_group(group_of(workspace, "Dark · 60").id)
    assert workspace.frames.table.isVisible()


def test_the_row_under_dragged_frames_is_marked_until_they_are_dropped(qtbot, workspace, night):
    scan(qtbot, workspace, night)
    tree, dark60 = workspace.groups.tree, group_of(workspace, "Dark · 60")
    target = workspace.groups.model.index_of(f"group/{dark60.id}")
    where, data = tree.visualRect(target).center(), frames_mime(workspace.group.frames[:1])
    common = (Qt.DropAction.MoveAction, data, Qt.MouseButton.LeftButton)

    plain = Qt.KeyboardModifier.NoModifier
    tree.dragEnterEvent(QDragEnterEvent(where, *common, plain))
    tree.dragMoveEvent(QDragMoveEvent(where, *common, plain))
    assert tree.drop_row == target

    tree.dragLeaveEvent(QDragLeaveEvent())
    assert not tree.drop_row.isValid()
    assert badge(workspace.theme, "3 frames").width() > 80


def test_xisf_and_camera_raw_are_frames_like_others(qtbot, workspace, tmp_path, context):
    folder = tmp_path / "bias"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for i in range(3):
        pixels = np.rint(rng.normal(600, 5, SHAPE)).astype(np.uint16)
        words = {"IMAGETYP": "'Bias Frame'", "EXPTIME": "0", "INSTRUME": "'Cam X'"}
        words["DATE-OBS"] = f"'2026-04-17T22:0{i}:00'"
        xisf_file(folder / f"x{i}.xisf", pixels, codec="lz4+sh", keywords=words)
        dng_file(folder / f"r{i}.DNG", pixels, taken=f"2026:04:17 22:1{i}:00")
    scan(qtbot, workspace, folder)

    assert sorted(len(g.frames) for g in workspace.state.grouping.groups) == [3, 3]
    assert not workspace.state.grouping.ungrouped
    group = next(g for g in workspace.state.grouping.groups if g.frames[0].suffix == ".xisf")
    with qtbot.waitSignal(workspace.stacking.built, timeout=30000) as built:
        workspace.stacking.start([group])
    (master,) = built.args[0].masters
    assert master.record.n_combined == 3


def test_an_overscan_that_stays_in_is_said(qtbot, workspace, tmp_path):
    folder = tmp_path / "bias"
    folder.mkdir()
    for i in range(3):
        name = f"b{i}.fits"
        write_frame(folder, name, "Bias Frame", 0.0, i, BIASSEC="[121:128,1:96]")
    scan(qtbot, workspace, folder)
    (group,) = workspace.state.grouping.groups
    facts = dict(group_facts(workspace.state, group))
    assert facts["Overscan"] == "stays in (BIASSEC [121:128,1:96])"


def test_another_recipe_says_what_a_group_becomes_and_makes_it_so(qtbot, workspace, night, context):
    scan(qtbot, workspace, night)
    workspace.groups.choose_group(group_of(workspace, "Bias").id)
    facts = dict(group_facts(workspace.state, workspace.group))
    assert facts["Combined by"] == "mean"
    assert facts["Limits"].endswith(" high") and not any(c.isdigit() for c in facts["Rejection"])

    workspace.recipe.use("astroops")

    facts = dict(group_facts(workspace.state, workspace.group))
    assert (facts["Combined by"], facts["Rejection"]) == ("median", "nothing rejected")
    with qtbot.waitSignal(workspace.stacking.built, timeout=50000) as built:
        workspace.do("primary")
    (master,) = built.args[0].masters
    assert master.record.recipe == "astroops"
    frames = [fits.getdata(p) for p in sorted(night.glob("bias_*.fits"))]
    np.testing.assert_allclose(fits.getdata(master.record.path), np.median(frames, axis=0))


def test_a_recipe_that_groups_otherwise_groups_the_frames_anew(qtbot, workspace, night, tmp_path):
    scan(qtbot, workspace, night)
    file = tmp_path / "mine.toml"
    file.write_text('[dark]\nform = "rate"\ntogether = true\n', encoding="utf-8")

    with qtbot.waitSignal(workspace.scanned, timeout=30000):
        workspace.recipe.use(str(file))

    assert workspace.recipe.currentText() == "Recipe mine"
    (darks,) = [g for g in workspace.state.grouping.groups if g.kind == "dark"]
    assert "exposure_s" not in darks.key
    facts = dict(group_facts(workspace.state, darks))
    assert facts["Master"].endswith("a rate in ADU/s, bias out")


def test_a_recipe_with_a_mistake_is_said_and_not_taken(qtbot, workspace, night, tmp_path, context):
    said = []
    context.problems.foreseen.connect(said.append)
    file = tmp_path / "bad.toml"
    file.write_text("[dark]\nfrom = 1\n", encoding="utf-8")

    workspace.recipe.use(str(file))

    assert "line 2: dark.from is not known here" in said[0].message
    assert workspace.state.recipe == Recipe()
    assert workspace.recipe.currentText() == "Recipe default"
