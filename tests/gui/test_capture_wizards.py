"""The wizards of Capture, filled in as an operator does, up to the sequence they start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from calibstudio.domain.capture import StepPhase
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CameraSettings, LightSource, Search
from calibstudio.domain.quality import Verdict
from calibstudio.domain.twilight import Twilight
from calibstudio.domain.wording import duration
from calibstudio.gui.capture.bias_wizard import BiasWizard
from calibstudio.gui.capture.dark_flat_wizard import DarkFlatWizard
from calibstudio.gui.capture.dark_wizard import DarkWizard
from calibstudio.gui.capture.flat_wizard import FlatWizard
from calibstudio.gui.capture.start_table import COLUMNS, StartSheet, StartTable
from calibstudio.gui.capture.steps_list import StepMark
from calibstudio.gui.capture.twilight_wizard import TwilightWizard
from calibstudio.gui.context import GuiContext
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.table import TableView
from calibstudio.services.start_values import StartState
from calibstudio.services.trained import TrainedKey, TrainedStore
from tests.helpers.capture_desk import Desk, cut_or_overlapping, desk_at


@pytest.fixture
def desk(qtbot: QtBot, context: GuiContext) -> Iterator[Desk]:
    with desk_at(qtbot, context) as made:
        yield made


def bias(desk: Desk) -> BiasWizard:
    made = desk.open("bias")
    assert isinstance(made, BiasWizard)
    return made


def darks(desk: Desk) -> DarkWizard:
    made = desk.open("dark")
    assert isinstance(made, DarkWizard)
    return made


def flats(desk: Desk, *filters: str) -> FlatWizard:
    """Open the flat wizard, and tick these filters and no others on its second page."""
    made = desk.open("flat")
    assert isinstance(made, FlatWizard)
    desk.no_cooling()
    desk.click(made.next)
    for name, box in made.filter.boxes.items():
        if box.isChecked() is not (name in filters):
            desk.click(box)
    return made


def train(desk: Desk, **found: tuple[float, int]) -> None:
    """Teach (exposure, days ago) for filters, at the settings the flat wizard opens with."""
    observatory = desk.context.equipment.observatory
    info = observatory.camera.info
    settings = CameraSettings(
        info.gain_default, info.offset_default, readout_mode=info.readout_modes[0]
    )
    store = TrainedStore.for_rig(desk.context.data_folder, observatory.name)
    for name, (seconds, days) in found.items():
        at = observatory.clock.now() - timedelta(days=days)
        key = TrainedKey.of(settings, name, 2048)
        store.learn(key, seconds, 32_268.0, at, bias_adu=500.0)


def test_bias_is_asked_in_three_pages_and_taken(desk: Desk) -> None:
    wizard = bias(desk)
    desk.type(wizard.number.number, "3")
    assert wizard.page.step == "Number" and "50" not in wizard.pages[0].answer()

    desk.click(wizard.next)
    desk.no_cooling()
    desk.click(wizard.next)
    assert wizard.next.text() == "Start 3 bias frames"
    desk.start()
    desk.until_over()

    assert desk.status.good == 3
    assert len(desk.files("bias")) == 3


def test_darks_are_exposures_by_temperatures_by_binnings_with_their_cost(desk: Desk) -> None:
    wizard = darks(desk)
    what = wizard.what
    desk.type(what.exposures, "60 120")
    desk.type(what.temperatures, "-10 0")
    desk.click(what.binnings[2])
    desk.type(what.number, "5")

    rows = what.matrix.rows
    plan = wizard.draft.plan(wizard.info)

    assert [r.name for r in rows] == ["60\u202fs", "120\u202fs", "Total"]
    assert [r.frames for r in rows] == [20, 20, 40]
    assert all(len(r.cells) == 4 for r in rows)
    assert rows[-1].total.seconds == pytest.approx(sum(r.total.seconds for r in rows[:-1]))
    assert rows[-1].total.bytes == wizard.estimate().bytes
    assert len(plan.steps) == 8 and plan.frames_wanted == 40
    assert {s.settings.set_temp_c for s in plan.steps} == {0.0, -10.0}


def test_darks_typed_by_hand_are_taken(desk: Desk) -> None:
    wizard = darks(desk)
    desk.type(wizard.what.exposures, "1; 2,5")
    desk.type(wizard.what.temperatures, "")
    desk.type(wizard.what.number, "2")

    desk.start()
    desk.until_over()

    assert [(s.step.exposure_s, s.good) for s in desk.status.steps] == [(1.0, 2), (2.5, 2)]


def test_flats_are_searched_taken_and_trained_for_the_next_time(desk: Desk) -> None:
    wizard = flats(desk, "L", "R")
    desk.type(wizard.filter.number, "3")
    desk.click(wizard.next)
    assert [r.state for r in wizard.level.table.rows] == [StartState.UNTRAINED] * 2
    assert not wizard.level.replay.isEnabled()

    desk.start()
    desk.until_over()

    phases = {s.step.id: s.phase for s in desk.status.steps}
    assert phases["flat-L"] is phases["flat-R"] is StepPhase.DONE
    assert len(desk.files("flat")) == 6
    desk.click(desk.capture.running.strip.back)
    again = flats(desk, "L", "R")
    desk.until(lambda: all(r.state is StartState.TRAINED for r in again.level.table.rows))
    found = {s.step.id: s.exposure_s for s in desk.status.steps}
    for row in again.level.table.rows:
        assert row.exposure_s == pytest.approx(found[f"flat-{row.filter}"], rel=0.1)


def test_trained_values_are_replayed_without_test_frames(desk: Desk) -> None:
    desk.context.settings.change(frames_folder=desk.context.settings.current.frames_folder / "1")
    wizard = flats(desk, "L")
    desk.type(wizard.filter.number, "2")
    desk.start()
    desk.until_over()
    desk.click(desk.capture.running.strip.back)

    wizard = flats(desk, "L")
    desk.type(wizard.filter.number, "2")
    desk.click(wizard.next)
    desk.until(wizard.level.replay.isEnabled)
    desk.click(wizard.level.replay)
    assert wizard.flat.search is Search.NOTHING
    desk.start()
    desk.until_over()

    step = desk.status.steps[0]
    assert (step.good, step.test_frames) == (2, 0)


def test_an_old_start_value_is_warned_about_with_its_age(desk: Desk) -> None:
    train(desk, L=(0.7, 3), R=(2.3, 167))

    wizard = flats(desk, "L", "R")
    desk.click(wizard.next)

    desk.until(lambda: wizard.level.stale.isVisible())
    rows = {r.filter: r for r in wizard.level.table.rows}
    assert rows["L"].state is StartState.TRAINED
    assert (rows["R"].state, rows["R"].days) == (StartState.STALE, 167)
    assert "167 days old" in wizard.level.stale.accessibleName()
    assert not wizard.level.search.isVisible()


def test_the_sn_of_the_master_is_the_root_of_all_its_electrons(desk: Desk) -> None:
    train(desk, L=(0.7, 3))
    wizard = flats(desk, "L")
    desk.type(wizard.filter.number, "32")
    desk.click(wizard.next)
    camera = desk.context.equipment.observatory.camera
    said = camera.conversion(100, wizard.info.readout_modes[0])
    assert said is not None
    top = min(wizard.info.max_adu, 500.0 + (said.full_well_e or 1e9) / said.e_per_adu)
    electrons = (0.5 * top - 500.0) * said.e_per_adu

    desk.until(lambda: wizard.level.table.rows[0].is_trained)
    desk.until(lambda: wizard.level.table.rows[0].snr is not None)

    assert wizard.level.table.rows[0].snr == pytest.approx((32 * electrons) ** 0.5, rel=1e-6)
    assert wizard.level.worth.plot.isVisible()


def test_without_a_conversion_the_noise_is_not_foretold_and_says_why(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = desk.context.equipment.observatory.camera
    monkeypatch.setattr(type(camera), "conversion", lambda self, gain, mode: None)

    wizard = flats(desk, "L")
    desk.click(wizard.next)

    desk.until(lambda: "does not say" in wizard.level.worth.sentence.text())
    assert not wizard.level.worth.plot.isVisible()
    assert wizard.level.table.rows[0].snr is None


def test_a_typed_start_exposure_is_where_the_search_starts(desk: Desk, qtbot: QtBot) -> None:
    wizard = flats(desk, "L")
    desk.click(wizard.next)
    desk.click(wizard.level.table.edit)
    sheet = desk.window.findChildren(StartSheet)[-1]

    desk.type(sheet.fields["L"], "2.5")
    desk.click(next(b for b in sheet.findChildren(Button) if b.text() == "Start here"))

    row = wizard.level.table.rows[0]
    assert (row.state, row.exposure_s) == (StartState.TYPED, 2.5)
    assert wizard.flat.plan(wizard.info).steps[0].exposure_s == 2.5


def test_dark_flats_are_read_from_the_folder_of_the_flats(desk: Desk) -> None:
    wizard = flats(desk, "L", "Ha")
    desk.type(wizard.filter.number, "2")
    desk.click(wizard.filter.darks)
    desk.start()
    desk.until_over()
    taken = sorted(s.exposure_s or 0.0 for s in desk.status.steps)
    folder = desk.status.folder
    assert folder is not None
    desk.click(desk.capture.running.strip.back)

    alone = desk.open("dark-flat")
    assert isinstance(alone, DarkFlatWizard)
    assert not alone.next.isEnabled()
    alone.what.read_folder(folder / "flat")
    desk.until(lambda: len(alone.dark_flat.exposures_s) == 2)

    assert alone.dark_flat.exposures_s == pytest.approx(taken, rel=0.01)
    assert "4 flats, 2 exposures" in alone.what.form.found.text()
    alone.dark_flat.settings = replace(alone.dark_flat.settings, set_temp_c=None)
    desk.type(alone.what.number, "2")
    desk.start()
    desk.until_over()
    assert {s.step.kind for s in desk.status.steps} == {FrameKind.DARK_FLAT}
    assert desk.status.good == 4


def test_a_folder_without_flats_is_said_and_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    wizard = desk.open("dark-flat")
    assert isinstance(wizard, DarkFlatWizard)
    desk.type(wizard.what.exposures, "1.5")

    wizard.what.read_folder(tmp_path)

    desk.until(lambda: "no flats" in wizard.page.advice.text())
    assert wizard.dark_flat.exposures_s == (1.5,)


def test_problems_block_next_and_say_why(desk: Desk) -> None:
    wizard = darks(desk)
    assert wizard.next.isEnabled()

    desk.type(wizard.what.exposures, "")

    assert not wizard.next.isEnabled()
    assert wizard.page.problem.isVisible()
    assert "No exposure is given" in wizard.page.problem.text()
    assert not wizard.what.matrix.isVisible()
    desk.key(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert wizard.page is wizard.pages[0]
    desk.type(wizard.what.exposures, "10")
    assert wizard.next.isEnabled() and not wizard.page.problem.isVisible()


def test_a_long_answer_has_two_lines_and_is_whole(desk: Desk) -> None:
    mark = StepMark(desk.context.theme, 2, "Camera settings")
    mark.resize(214, 60)
    mark.show_answer("gain 100")
    one = mark.sizeHint().height()

    mark.show_answer("gain 100 · offset 50 · −10.0\u202f°C")

    assert " · ".join(mark.lines) == "gain 100 · offset 50 · −10.0\u202f°C"
    assert len(mark.lines) == 2 and mark.sizeHint().height() > one


def test_a_page_without_its_answer_has_no_tick_and_no_plan_is_shown(desk: Desk) -> None:
    wizard = desk.open("dark-flat")
    assert isinstance(wizard, DarkFlatWizard)

    wizard.show_page(2)

    marks = wizard.findChildren(StepMark)
    assert [m.is_done for m in marks] == [False, True, False]
    assert marks[0].answer == "no exposure yet"
    assert (wizard.next.text(), wizard.check.table.isVisible()) == ("Start", False)
    wizard.show_page(0)
    desk.type(wizard.what.exposures, "0.73 2.28")
    wizard.show_page(2)
    assert marks[0].is_done and wizard.check.table.isVisible()
    assert wizard.next.text() == "Start 64 dark flats"


def test_in_touch_mode_every_number_can_be_read(desk: Desk, theme: ThemeState) -> None:
    wizard = flats(desk, "L")
    desk.click(wizard.next)

    theme.set_touch(True)

    try:
        cards = wizard.level.tolerance.parentWidget(), wizard.level.shortest.parentWidget()
        for field in (wizard.level.level, wizard.level.tolerance, wizard.level.shortest):
            desk.until(lambda field=field: field.lineEdit().width() >= 60)
        assert all(card is not None and card.isVisible() for card in cards)
        assert not cut_or_overlapping(wizard.page)
    finally:
        theme.set_touch(False)


def test_no_filter_ticked_is_a_problem(desk: Desk) -> None:
    wizard = flats(desk)

    assert not wizard.next.isEnabled()
    assert "No filter is ticked" in wizard.page.problem.text()


def test_a_bad_check_blocks_start_until_it_is_mended(desk: Desk, tmp_path: Path) -> None:
    in_the_way = tmp_path / "not a folder"
    in_the_way.write_text("a file")
    desk.context.settings.change(frames_folder=in_the_way)
    wizard = bias(desk)

    desk.to_last_page()
    desk.until(lambda: any(c.verdict is Verdict.BAD for c in wizard.preflight.checks))

    assert not wizard.next.isEnabled()
    assert "pre-flight" in wizard._hint.text()
    desk.capture._on_folder(str(tmp_path / "frames"))
    wizard.preflight._look()
    desk.until(wizard.next.isEnabled)


def test_a_loop_in_live_is_named_and_can_be_stopped_from_here(desk: Desk) -> None:
    job = desk.context.camera_jobs.submit("Loop", lambda ctx: ctx.token.wait(60))
    wizard = bias(desk)
    desk.until(lambda: any("loop" in c.fact for c in wizard.preflight.checks))
    row = wizard.preflight._rows[0]

    desk.click(row._button)

    desk.until(lambda: job.state.is_over)
    desk.until(lambda: any(c.name == "Free disk" for c in wizard.preflight.checks))


def test_answers_are_offered_again_for_this_rig(desk: Desk) -> None:
    wizard = flats(desk, "L", "Ha")
    desk.type(wizard.filter.number, "2")
    desk.click(wizard.filter.darks)
    desk.click(wizard.next)
    desk.type(wizard.level.level, "40")
    desk.start()
    desk.until_over()
    desk.click(desk.capture.running.strip.back)

    again = desk.open("flat")

    assert isinstance(again, FlatWizard)
    assert again.flat.filters == ("L", "Ha")
    assert (again.flat.count, again.flat.with_dark_flats) == (2, False)
    assert again.flat.target.value == 40.0
    assert again.filter.number.value() == 2 and again.level.level.value() == 40.0


def test_flats_open_at_the_set_point_that_darks_were_taken_at(desk: Desk) -> None:
    wizard = darks(desk)
    desk.type(wizard.what.exposures, "1")
    desk.type(wizard.what.temperatures, "8")
    desk.type(wizard.what.number, "1")
    desk.click(wizard.next)
    assert wizard.page.fields.gain is not None  # type: ignore[attr-defined]
    desk.type(wizard.page.fields.gain, "120")  # type: ignore[attr-defined]
    desk.start()

    desk.until_over()
    desk.click(desk.capture.running.strip.back)
    desk.open("flat")

    fields = desk.wizard.page.fields  # type: ignore[attr-defined]
    assert fields.cool.isChecked()
    assert (fields.temperature.value(), fields.gain.value()) == (8.0, 120)


def test_time_needed_counts_cooling_told_apart_and_its_end_moves_on(desk: Desk) -> None:
    wizard = darks(desk)
    desk.type(wizard.what.exposures, "60")
    desk.type(wizard.what.number, "10")
    frames = wizard.estimate().seconds
    panel = wizard.preflight
    desk.until(lambda: bool(panel.checks))

    assert panel._apart.isVisible() and panel._apart.text().startswith("Cooling about ")
    assert panel._time.text() != duration(frames)

    desk.type(wizard.what.temperatures, "")
    assert not panel._apart.isVisible()
    assert panel._time.text() == duration(frames)
    ends = panel._ends.text()
    desk.simulated.clock.sleep(1800.0, CancelToken())
    panel._look()  # as it does every few seconds
    desk.until(lambda: panel._ends.text() != ends)


def test_esc_closes_a_wizard_and_back_goes_a_page_back(desk: Desk) -> None:
    wizard = darks(desk)
    desk.click(wizard.next)

    desk.click(wizard.back)
    assert wizard.page is wizard.pages[0]
    desk.key(Qt.Key.Key_Escape)

    assert desk.capture.wizard is None
    assert desk.capture.home.isVisible()


@pytest.mark.parametrize("tile", ["bias", "dark", "flat", "dark-flat"])
def test_every_page_fits_a_small_window(desk: Desk, qtbot: QtBot, tile: str) -> None:
    train(desk, L=(0.7, 3), R=(2.3, 167))
    wizard = desk.open(tile)
    if isinstance(wizard, FlatWizard):
        for box in wizard.filter.boxes.values():
            box.setChecked(True)
        wizard.filter._on_edited()
    if isinstance(wizard, DarkFlatWizard):
        desk.type(wizard.what.exposures, "0.5 1 2")
    for i in range(len(wizard.pages)):
        wizard.show_page(i)
        desk.until(lambda: bool(wizard.preflight.checks))
        qtbot.wait(60)

        assert cut_or_overlapping(desk.window) == []


@pytest.mark.parametrize("tile", ["bias", "dark", "flat", "dark-flat"])
def test_every_page_is_red_only_at_night(
    desk: Desk, is_red_only: Callable[[QWidget], bool], tile: str
) -> None:
    train(desk, L=(0.7, 3), R=(2.3, 167))
    desk.context.theme.set_theme("night")
    wizard = desk.open(tile)
    desk.until(lambda: bool(wizard.preflight.checks) or not wizard.next.isEnabled())
    for i in range(len(wizard.pages)):
        wizard.show_page(i)

        assert is_red_only(desk.window)


def test_twilight_flats_are_asked_with_their_clock_and_order(desk: Desk) -> None:
    wizard = desk.open("twilight")
    assert isinstance(wizard, TwilightWizard)
    desk.click(wizard.sky.dawn)
    dawn = wizard.draft.plan(wizard.info)
    desk.click(wizard.sky.dusk)
    desk.click(wizard.next)
    for name, box in wizard.filter.boxes.items():
        if box.isChecked() is not (name in ("L", "Ha", "B")):
            desk.click(box)
    desk.type(wizard.filter.number, "9")
    desk.click(wizard.next)
    desk.type(wizard.clock.longest, "8")
    desk.until(lambda: all(w.begins is not None for w in wizard.clock.model.records))

    windows = wizard.clock.model.records
    plan = wizard.draft.plan(wizard.info)
    flats = [s for s in plan.steps if s.kind is FrameKind.FLAT]
    assert [w.filter for w in windows] == ["Ha", "B", "L"] == [s.filter for s in flats]
    begins = [w.begins for w in windows if w.begins is not None]
    assert begins == sorted(begins) and "estimated" in wizard.clock.clock.note.text()
    assert {(s.light, s.twilight, s.count) for s in flats} == {(LightSource.SKY, Twilight.DUSK, 9)}
    assert {s.limits.longest_s for s in flats} == {8.0}
    assert dawn.steps[0].twilight is Twilight.DAWN
    now = desk.context.equipment.observatory.clock.now()
    assert timedelta(seconds=wizard.estimate().seconds) >= begins[-1] - now
    desk.click(wizard.next)
    assert wizard.next.text() == "Start 3 filters"


def test_twilight_filters_are_in_the_order_that_was_measured_and_say_so(desk: Desk) -> None:
    observatory = desk.context.equipment.observatory
    info = observatory.camera.info
    settings = CameraSettings(
        info.gain_default, info.offset_default, readout_mode=info.readout_modes[0]
    )
    store = TrainedStore.for_rig(desk.context.data_folder, observatory.name)
    at = observatory.clock.now()
    for name, rate in (("L", 20.0), ("R", 900.0), ("Ha", 100.0)):
        store.learn_sky(settings, name, rate, at)
    wizard = desk.open("twilight")
    assert isinstance(wizard, TwilightWizard)
    desk.click(wizard.sky.dusk)
    desk.click(wizard.next)
    for name, box in wizard.filter.boxes.items():
        if box.isChecked() is not (name in ("L", "Ha", "R")):
            desk.click(box)

    plan = wizard.plan

    assert plan is not None
    assert [s.filter for s in plan.steps if s.light is LightSource.SKY] == ["L", "Ha", "R"]
    assert dict(wizard.facts())["Ordered"] == f"as measured {at:%Y-%m-%d}"
    assert [w.filter for w in wizard.clock.model.records] == ["L", "Ha", "R"]


def test_the_state_of_a_start_value_is_in_sight_at_every_width(
    qtbot: QtBot, theme: ThemeState
) -> None:
    table = StartTable(theme)
    qtbot.addWidget(table)
    table.show()
    view = table.findChild(TableView)
    assert view is not None

    for width in (700, 860, 1130):
        table.resize(width, 200)
        shown = [i for i in range(len(COLUMNS)) if not view.isColumnHidden(i)]
        assert len(COLUMNS) - 1 in shown
        assert sum(COLUMNS[i].width for i in shown) <= width
    assert shown == list(range(len(COLUMNS)))
