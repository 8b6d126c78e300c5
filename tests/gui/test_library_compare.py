"""Two masters side by side in the Library: pictures that move together, numbers, difference."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, Qt

from calibstudio.domain.jobs import JobContext
from calibstudio.gui.library.workspace import LibraryWorkspace
from calibstudio.services.master_compare import compare
from calibstudio.store.master_fits import write_master
from tests.helpers.masters import make_content, make_detector


def add(library, folder: Path, name: str, *, image=None, seed: int = 1, **changes):
    """Put a master into the library and return its record."""
    detector = make_detector(seed=seed)
    if image is not None:
        detector = make_detector(seed=seed, image=image.astype(np.float32))
    content = make_content(**changes)
    path = folder / name
    write_master(path, content, [detector])
    library.add(path)
    return next(r for r in library.masters() if r.path == path)


@pytest.fixture
def workspace(qtbot, context):
    made = LibraryWorkspace(context)
    qtbot.addWidget(made)
    made.resize(1600, 900)
    made.show()
    yield made
    made.close_down()
    made.close()


@pytest.fixture
def pair(context, tmp_path):
    """The same dark flat twice; in the second one pixel is 500 ADU brighter, the gain differs."""
    library = context.open_library()
    before = make_detector().image
    after = before + 2.0
    after[4, 3] += 500.0
    values = {**make_content().values, "gain": 120.0, "night": date(2025, 6, 1)}
    values["egain_e_per_adu"] = 0.25
    key = {**make_content().key, "gain": 120.0, "night": date(2025, 6, 1)}
    one = add(library, tmp_path, "a.fits", image=before)
    return one, add(library, tmp_path, "b.fits", image=after, key=key, values=values)


def mark_both(workspace: LibraryWorkspace) -> None:
    chosen = workspace.table.selectionModel()
    flags = QItemSelectionModel.SelectionFlag
    for row in (0, 1):
        chosen.select(workspace.model.index(row, 0), flags.Select | flags.Rows)


def open_comparison(qtbot, workspace: LibraryWorkspace):
    with qtbot.waitSignal(workspace.state.changed, timeout=20000):
        workspace.shown()
    assert not workspace.compare.isEnabled()
    mark_both(workspace)
    with qtbot.waitSignal(workspace.comparison.compared, timeout=20000) as seen:
        qtbot.mouseClick(workspace.compare, Qt.MouseButton.LeftButton)
    return seen.args[0]


def test_the_difference_has_its_known_numbers(context, pair):
    found = compare(JobContext(), context.open_library(), *pair)

    assert found.unit == "ADU"
    assert found.numbers.median == pytest.approx(2.0, abs=1e-3)
    assert found.numbers.largest == pytest.approx(502.0, abs=1e-3)
    assert found.numbers.largest_at == (3, 4)
    assert found.numbers.n_different == found.numbers.n_pixels == 48


def test_masters_of_other_sizes_are_not_subtracted_and_it_is_said_why(context, tmp_path, pair):
    library = context.open_library()
    shape = (6, 10)
    detector = make_detector(
        image=np.full(shape, 1300, np.float32),
        unc=np.ones(shape, np.float32),
        cnt=np.full(shape, 4, np.uint16),
    )
    content = make_content(key={**make_content().key, "shape": shape})
    write_master(tmp_path / "c.fits", content, [detector])
    library.add(tmp_path / "c.fits")
    wide = next(r for r in library.masters() if r.path.name == "c.fits")

    found = compare(JobContext(), library, pair[0], wide)

    assert found.difference is None and found.numbers is None
    assert "different sizes" in found.why_not


def test_two_marked_masters_are_shown_side_by_side(qtbot, workspace, pair):
    found = open_comparison(qtbot, workspace)
    page = workspace.comparison

    assert workspace.compares and page.isVisible()
    assert (found.one.sha256, found.two.sha256) == tuple(r.sha256 for r in pair)
    assert all(view.pyramid is not None for view in page.views)
    assert page.views[0].stretch == page.views[1].stretch
    assert not page.views[2].shows_clipped, "a difference of zero is no lost pixel"
    assert page.toolbar.zoom.value == page.views[0].zoom_mode == "fit"
    rows = {row.name: row for row in page.model.records}
    assert (rows["Gain"].one, rows["Gain"].two) == ("100", "120")
    assert rows["Gain"].differs and not rows["Offset"].differs
    assert rows["Only in this one"].one == "0"
    assert "e-/ADU" in rows, "a symbol is no word that gets a capital"


def test_only_what_differs_is_listed_when_asked_for(qtbot, workspace, pair):
    open_comparison(qtbot, workspace)
    page = workspace.comparison
    n_all = len(page.model.records)

    page.choice.set_value("differs")
    page.choice.chosen.emit("differs")

    assert 0 < len(page.model.records) < n_all
    assert all(row.differs for row in page.model.records)


def test_zoom_and_stretch_of_one_picture_are_those_of_the_other(qtbot, workspace, pair):
    open_comparison(qtbot, workspace)
    one, two, difference = workspace.comparison.views

    two.zoom_to(40.0, (10.0, 10.0))
    assert one.viewport.scale == two.viewport.scale == difference.viewport.scale
    assert (one.viewport.u, one.viewport.v) == (two.viewport.u, two.viewport.v)

    before = difference.stretch
    two.set_limits(100.0, 2000.0)
    assert one.stretch == two.stretch
    assert difference.stretch == before


def test_nothing_is_decided_while_two_are_compared_and_escape_leads_back(qtbot, workspace, pair):
    open_comparison(qtbot, workspace)

    assert workspace.chosen == ()
    workspace.do("cancel")

    assert not workspace.compares and workspace.table.isVisible()
    assert len(workspace.chosen) == 2


def test_a_file_that_is_gone_is_named_in_place_of_the_pictures(qtbot, workspace, pair):
    pair[0].path.unlink()
    with qtbot.waitSignal(workspace.state.changed, timeout=20000):
        workspace.shown()
    mark_both(workspace)
    with qtbot.waitSignal(workspace.comparison._reader.failed, timeout=20000):
        workspace.compare_chosen()

    page = workspace.comparison
    assert page.views[0].pyramid is None
    for chips in page.chips:
        assert chips.empty.isVisible()
        assert pair[0].path.name in chips.empty._sentence.text()


def test_leaving_stops_the_reading_and_gives_the_pictures_back(qtbot, workspace, pair):
    open_comparison(qtbot, workspace)
    page = workspace.comparison

    page.show_pair(*pair)
    page.chips[0].busy.cancel.click()

    assert not workspace.compares and workspace.table.isVisible()
    qtbot.waitUntil(lambda: not page._reader.is_busy, timeout=20000)
    assert all(view.pyramid is None for view in page.views)
    assert page.pair is None
