"""The Library workspace on a real library: filter, search, look, approve, reject, undo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QLabel

from calibstudio.domain.defects import Defect, DefectList
from calibstudio.domain.master import ReviewState
from calibstudio.domain.measured_gain import GAIN_OF_FLAT
from calibstudio.domain.quality import Assessment, Metric, Verdict
from calibstudio.domain.verdict_words import words
from calibstudio.gui.library.detail_columns import INPUT_COLUMNS
from calibstudio.gui.library.export import export_map, start_folder
from calibstudio.gui.library.workspace import LibraryWorkspace
from calibstudio.gui.picture.view import PixelValue
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.table import TableView
from calibstudio.gui.widgets.text import ElidedLabel
from calibstudio.gui.widgets.toast import ToastHost
from calibstudio.store.defect_fits import Mask, write_defects
from calibstudio.store.master_cards import Combined
from calibstudio.store.master_fits import write_master
from tests.helpers.masters import make_content, make_detector, make_inputs, make_master_file


@pytest.fixture
def filled(context, tmp_path: Path):
    """Three masters: two of one camera, one of another."""
    library = context.open_library()
    for i, changes in enumerate(
        (
            {"camera": "One"},
            {"camera": "One", "exposure_s": 20.0, "verdict": Verdict.BAD},
            {"camera": "Two"},
        )
    ):
        library.add(make_master_file(tmp_path / f"m{i}.fits", seed=i + 1, **changes))
    return library


@pytest.fixture
def workspace(qtbot, context):
    made = LibraryWorkspace(context)
    qtbot.addWidget(made)
    made.resize(1600, 900)
    made.show()
    yield made
    made.close_down()
    made.close()


def read(qtbot, workspace: LibraryWorkspace) -> None:
    with qtbot.waitSignal(workspace.state.changed, timeout=20000):
        workspace.shown()


def test_an_empty_library_says_where_masters_come_from(qtbot, workspace):
    read(qtbot, workspace)
    assert workspace.empty.isVisible()
    wanted = []
    workspace.workspace_wanted.connect(wanted.append)

    qtbot.mouseClick(workspace.empty.button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(workspace.empty.other, Qt.MouseButton.LeftButton)

    assert wanted == ["capture", "frames"]


@pytest.mark.parametrize("page", ["metrics", "header"])
def test_what_is_said_of_a_master_needs_no_scrolling_sideways(qtbot, workspace, filled, page):
    workspace.on_compact(True)
    workspace.resize(1300, 660)
    read(qtbot, workspace)
    detail = workspace.detail
    qtbot.waitUntil(lambda: bool(detail._models[page].records), timeout=10000)
    detail._on_tab(page)

    table = next(t for t in detail.findChildren(TableView) if t.model() is detail._models[page])

    assert table.isVisible() and table.horizontalScrollBar().maximum() == 0


def test_masters_are_listed_and_the_first_is_shown_in_full(qtbot, workspace, filled):
    read(qtbot, workspace)

    assert len(workspace.model.records) == 3
    record = workspace.detail.record
    assert record is not None
    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not None, timeout=10000)
    qtbot.waitUntil(lambda: len(workspace.detail._models["header"].records) > 20, timeout=10000)
    keywords = [card.keyword for card in workspace.detail._models["header"].records]
    assert "IMAGETYP" in keywords and "NCOMBINE" in keywords
    assert len(workspace.detail._models["inputs"].records) == record.n_frames


def test_planes_can_be_looked_at(qtbot, workspace, filled):
    read(qtbot, workspace)
    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not None, timeout=10000)
    first = workspace.detail.picture.pyramid

    workspace.detail.planes.set_value("UNC")
    workspace.detail._read_plane()

    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not first, timeout=10000)


def test_what_was_rejected_of_each_frame_and_at_each_pixel_is_shown(
    qtbot, workspace, context, tmp_path
):
    low, high = np.zeros((6, 8), np.uint16), np.full((6, 8), 2, np.uint16)
    low[3, 4] = 7
    first, *others = make_inputs()
    inputs = (replace(first, rejected_low=7, rejected_high=96, weight=1.25), *others)
    gain = Metric(GAIN_OF_FLAT, "Gain of the flat", 1.25, "e/ADU", why="Measured by flat.fits.")
    content = make_content(inputs=inputs, assessment=Assessment((gain,)))
    write_master(tmp_path / "m.fits", content, [make_detector(rejected=(low, high))])
    context.open_library().add(tmp_path / "m.fits")
    read(qtbot, workspace)
    detail = workspace.detail
    qtbot.waitUntil(lambda: "REJ_LOW" in dict(detail._offered), timeout=10000)

    row = detail._models["inputs"].records[0]
    assert (row.rejected_low, row.rejected_high, row.weight) == (7, 96, 1.25)
    assert {"Low", "High", "Weight"} <= {c.title for c in INPUT_COLUMNS}
    shown = [w.accessibleName() for w in detail.facts.findChildren(QLabel)]
    assert any(w.startswith("Gain: 1.25") and w.endswith("Measured by flat.fits.") for w in shown)

    detail.planes.set_value("REJ_LOW")
    detail._read_plane()
    qtbot.waitUntil(
        lambda: detail.picture.pyramid is not None and detail.picture.pyramid.full.max() == 7,
        timeout=10000,
    )


def test_ticking_a_facet_restricts_the_table(qtbot, workspace, filled):
    read(qtbot, workspace)
    box = workspace.facets._groups["camera"]._lines["Two"][1]

    with qtbot.waitSignal(workspace.state.changed, timeout=10000):
        box.click()

    assert len(workspace.model.records) == 1
    assert workspace._clear.isVisible()


@pytest.mark.parametrize(
    "name", ["ZWO ASI2600MM Pro 1a2b3c4d", "SBIG_STL-1001_3_CCD_Camera", "N" * 70]
)
@pytest.mark.parametrize("width", [1302, 1600])
def test_long_names_of_cameras_leave_the_counts_in_sight(
    qtbot, workspace, context, tmp_path, name, width
):
    context.open_library().add(make_master_file(tmp_path / "m.fits", camera=name))
    workspace.resize(width, 760)
    workspace.set_compact(width < 1500)

    read(qtbot, workspace)

    _line, box, count = workspace.facets._groups["camera"]._lines[name]
    facets = workspace.facets
    texts = [w for w in facets.findChildren(QLabel) if w.text().replace("\u200b", "") == name]

    def fits() -> bool:
        ends = [w.mapTo(facets, QPoint(w.width(), 0)).x() for w in (count, *texts)]
        whole = texts[0].height() >= texts[0].heightForWidth(texts[0].width())
        return whole and max(ends) <= facets.width() - 12

    qtbot.waitUntil(fits, timeout=3000)
    assert count.text() == "1" and count.width() > 0
    ten = texts[0].fontMetrics().horizontalAdvance("N" * 10)
    assert ten <= texts[0].width(), "a word is cut at the edge of its line"

    with qtbot.waitSignal(facets.wanted):
        qtbot.mouseClick(texts[0], Qt.MouseButton.LeftButton)
    assert box.isChecked()


def test_masters_without_a_filter_are_not_counted_under_one(qtbot, workspace, context, tmp_path):
    library = context.open_library()
    for i, kind in enumerate(("flat", "dark", "bias", "dark flat")):
        # All frames say where the wheel stood.
        made = make_master_file(tmp_path / f"{i}.fits", seed=i + 1, kind=kind, filter="Ha")
        library.add(made)

    read(qtbot, workspace)

    lines = workspace.facets._groups["filter"]._lines
    assert {value: line[2].text() for value, line in lines.items()} == {"Ha": "1", "": "3"}
    with qtbot.waitSignal(workspace.state.changed, timeout=10000):
        lines["Ha"][1].click()
    assert [r.kind for r in workspace.model.records] == ["flat"]
    lines = workspace.facets._groups["filter"]._lines
    with qtbot.waitSignal(workspace.state.changed, timeout=10000):
        lines["Ha"][1].click()
    with qtbot.waitSignal(workspace.state.changed, timeout=10000):
        workspace.facets._groups["filter"]._lines[""][1].click()
    assert {r.kind for r in workspace.model.records} == {"dark", "bias", "dark flat"}


def test_what_lights_still_need_is_asked_in_capture(qtbot, workspace, filled):
    read(qtbot, workspace)

    with qtbot.waitSignal(workspace.plan_wanted) as asked:
        workspace.facets.gaps.plan.click()

    assert asked.args == [()]


def test_the_list_says_that_it_is_being_read(qtbot, workspace, filled):
    assert workspace.reading.isVisible()

    read(qtbot, workspace)

    assert not workspace.reading.isVisible()
    assert workspace.table.isVisible()


def test_keys_act_on_the_master_that_is_shown(qtbot, workspace, filled):
    read(qtbot, workspace)
    assert workspace.table.hasFocus()
    assert workspace.table.current == workspace.detail.record

    qtbot.keyClick(workspace.table, Qt.Key.Key_Down)
    shown = workspace.detail.record
    assert workspace.table.current == shown
    with qtbot.waitSignal(workspace.state.changed, timeout=10000):
        workspace.do("approve")

    approved = [r.sha256 for r in filled.masters() if r.state is ReviewState.APPROVED]
    assert approved == [shown.sha256]
    # After the answer the same row is current, is shown, and has the keys.
    assert workspace.detail.record.sha256 == shown.sha256 == workspace.table.current.sha256
    assert workspace.table.hasFocus()


def test_the_table_and_the_panel_call_one_thing_by_one_word(qtbot, workspace, context, tmp_path):
    unc = Metric("unc_median", words("unc_median").label, 1.25, "ADU")
    noise = Metric("noise", words("noise").label, 12.5, "ADU")
    content = make_content(assessment=Assessment((unc, noise)))
    write_master(tmp_path / "m.fits", content, [make_detector()])
    context.open_library().add(tmp_path / "m.fits")

    read(qtbot, workspace)

    titles = [c.title for c in workspace.model.columns]
    column = titles.index("UNC or S/N")
    cell = workspace.model.index(0, column)
    assert cell.data().startswith("1.25")
    assert cell.data(Qt.ItemDataRole.ToolTipRole) == "Median uncertainty"
    shown = [w.accessibleName() for w in workspace.detail.facts.findChildren(QLabel)]
    assert any(w.startswith("Median uncertainty: 1.25") for w in shown)
    assert any(w.startswith("Noise: 12.5") for w in shown)


def test_searching_for_nothing_that_exists_says_so(qtbot, workspace, filled):
    read(qtbot, workspace)

    with qtbot.waitSignal(workspace.state.changed, timeout=10000):
        qtbot.keyClicks(workspace.facets.search, "no such master")

    assert workspace._none.isVisible()


def test_approving_can_be_undone(qtbot, workspace, filled, context):
    read(qtbot, workspace)
    said = []
    context.toasts.said.connect(said.append)
    chosen = workspace.detail.record.sha256

    workspace.do("approve")

    qtbot.waitUntil(lambda: filled.get(chosen).state is ReviewState.APPROVED, timeout=10000)
    qtbot.waitUntil(lambda: workspace.detail.record.state is ReviewState.APPROVED, timeout=10000)
    assert said[-1].action == "Undo"
    said[-1].on_action()
    qtbot.waitUntil(lambda: filled.get(chosen).state is ReviewState.NEW, timeout=10000)
    qtbot.waitUntil(lambda: not workspace.state.is_busy, timeout=10000)


def test_rejecting_asks_for_a_reason_and_keeps_it(qtbot, workspace, filled):
    from calibstudio.gui.sheet import Sheet
    from calibstudio.gui.widgets.fields import TextField

    read(qtbot, workspace)
    chosen = workspace.detail.record.sha256
    workspace.do("reject")
    sheet = workspace.findChild(Sheet)
    assert sheet is not None and sheet.isVisible()
    reason = sheet.findChild(TextField)
    reason.returnPressed.emit()
    assert sheet.isVisible(), "a rejection without a reason is not taken"

    qtbot.keyClicks(reason, "dew on the panel")
    reason.returnPressed.emit()

    qtbot.waitUntil(lambda: filled.get(chosen).state is ReviewState.REJECTED, timeout=10000)
    assert filled.get(chosen).state_reason == "dew on the panel"
    qtbot.waitUntil(lambda: not workspace.state.is_busy, timeout=10000)


def test_a_library_that_cannot_be_read_is_a_banner_with_the_cure(qtbot, workspace, context):
    place = Path(context.settings.current.library)
    place.mkdir(parents=True)
    (place / "library.sqlite").write_text("this is no database")

    with qtbot.waitSignal(workspace.state.failed, timeout=20000):
        workspace.shown()

    banner = workspace._banner
    assert banner is not None
    qtbot.waitUntil(banner.isVisible, timeout=5000)


def test_sorting_by_verdict_goes_by_severity(qtbot, workspace, filled):
    read(qtbot, workspace)
    names = [c.title for c in workspace.model.columns]

    workspace.table.sortByColumn(
        names.index("Verdict"), workspace.table.horizontalHeader().sortIndicatorOrder()
    )

    severities = [r.verdict.severity for r in workspace.model.records]
    assert severities in (sorted(severities), sorted(severities, reverse=True))
    assert set(severities) == {0, 2}


def test_the_night_theme_is_red_only(qtbot, workspace, filled, theme, is_red_only):
    read(qtbot, workspace)
    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not None, timeout=10000)
    theme.set_theme("night")
    qtbot.waitUntil(lambda: workspace.detail.picture.is_sharp, timeout=10000)
    assert is_red_only(workspace)


def test_the_last_decision_is_taken_back_by_ctrl_z(qtbot, workspace, filled):
    read(qtbot, workspace)
    chosen = workspace.detail.record.sha256
    workspace.do("approve")
    qtbot.waitUntil(lambda: filled.get(chosen).state is ReviewState.APPROVED, timeout=10000)
    qtbot.waitUntil(lambda: workspace._last_review is not None, timeout=10000)

    workspace.do("undo")

    qtbot.waitUntil(lambda: filled.get(chosen).state is ReviewState.NEW, timeout=10000)
    qtbot.waitUntil(lambda: not workspace.state.is_busy, timeout=10000)


def test_several_masters_are_approved_at_once_and_the_button_says_how_many(
    qtbot, workspace, filled
):
    read(qtbot, workspace)
    workspace.table.selectAll()
    assert workspace.detail.approve.text() == "Approve 3"

    workspace.do("approve")

    qtbot.waitUntil(
        lambda: all(m.state is ReviewState.APPROVED for m in filled.masters()), timeout=10000
    )
    qtbot.waitUntil(lambda: not workspace.state.is_busy, timeout=10000)


def test_the_arrow_keys_move_and_the_panel_follows(qtbot, workspace, filled):
    read(qtbot, workspace)
    first = workspace.detail.record.sha256
    workspace.table.setFocus()

    qtbot.keyClick(workspace.table, Qt.Key.Key_Down)

    assert workspace.detail.record.sha256 == workspace.model.record(1).sha256 != first


def test_nothing_is_cut_in_a_small_window(qtbot, workspace, filled):
    workspace.set_compact(True)
    workspace.resize(1366 - 64, 768 - 32)
    read(qtbot, workspace)
    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not None, timeout=10000)

    assert workspace.table.horizontalScrollBar().maximum() == 0
    for value in workspace.detail.facts.findChildren(ElidedLabel):
        needed = value.fontMetrics().horizontalAdvance(value.text())
        assert value.width() >= needed, value.accessibleName()
    for button in workspace.findChildren(Button):
        if button.isVisible():
            assert button.width() >= button.minimumSizeHint().width(), button.text()
            place = QRect(button.mapTo(workspace, QPoint(0, 0)), button.size())
            assert workspace.rect().contains(place), button.text()


def test_a_toast_leaves_the_buttons_at_the_foot_free(qtbot, workspace, filled, context):
    read(qtbot, workspace)
    host = ToastHost(context.theme, context.toasts, workspace)

    context.toasts.say("One master approved.", "good", action="Undo")

    place = host.geometry()
    detail = workspace.detail
    for button in (detail.approve, detail.reject, detail.retire):
        assert not place.intersects(QRect(button.mapTo(workspace, QPoint(0, 0)), button.size()))
    assert workspace.rect().contains(place)


def test_a_bad_pixel_map_is_shown_and_written_for_siril(
    qtbot, workspace, filled, tmp_path, context
):
    flags = np.zeros((6, 8), np.uint8)
    flags[1, 2] = Defect.HOT
    pixels = DefectList(
        np.array([2], np.int32),
        np.array([1], np.int32),
        np.array([int(Defect.HOT)], np.uint8),
        np.array([3.5], np.float32),
    )
    made = write_defects(
        tmp_path / "bpm.fits",
        make_content(kind="bpm", combined=Combined("mask", "none")),
        [Mask("", flags, pixels)],
    )
    record = context.open_library().add(made.path).record
    read(qtbot, workspace)
    workspace.table.select_key(filled.masters()[-1].sha256)
    assert not workspace.detail.export.isVisible()

    workspace.table.select_key(record.sha256)

    qtbot.waitUntil(lambda: workspace.detail.picture.pyramid is not None, timeout=20000)
    assert workspace.detail.record == record
    # Good pixels are 0 in a map: they are not marked as clipped.
    qtbot.waitUntil(lambda: not workspace.detail.picture.shows_clipped, timeout=20000)
    assert workspace.detail._title.text().startswith("Bad-pixel map")
    # It is shown as what it is: kinds and counts, each pixel marked, no histogram of bits.
    detail = workspace.detail
    assert detail.defects.isVisible() and not detail.histogram.isVisible()
    assert not detail.planes.isVisible()
    said = [w.accessibleName() for w in detail.defects.findChildren(QLabel)]
    assert "Hot: 1 2.1\u202f%" in said
    assert detail.picture.defects.counts[Defect.HOT] == 1
    value = detail.chips.value_runs(PixelValue(2, 1, float(Defect.HOT)))
    assert value[-1][0] == "hot"
    assert workspace.detail.export.isVisible()
    workspace.detail.export.click()
    out = tmp_path / "bad.lst"
    workspace.file_dialog.fileSelected.emit(str(out))
    workspace.file_dialog.close()
    qtbot.waitUntil(out.exists, timeout=20000)
    assert out.read_text().splitlines()[1:] == ["P 2 4 H"]


def test_an_export_begins_where_the_last_one_went(context, tmp_path):
    first = start_folder(context)
    assert first.is_dir() and first != Path.cwd()

    context.settings.change(export_folder=str(tmp_path))
    assert start_folder(context) == tmp_path

    context.settings.change(export_folder=str(tmp_path / "gone"))
    assert start_folder(context) == first


def test_an_export_without_a_known_ending_is_asked_for_one(qtbot, workspace, filled, context):
    said = []
    context.problems.foreseen.connect(said.append)

    export_map(context, filled.masters()[0], Path("bad.doc"))

    assert "End the name with .lst" in said[0].hint
