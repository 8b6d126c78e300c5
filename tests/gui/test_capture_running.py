"""A sequence that runs: what is shown of it, and the operator's hand on it."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.devices.simulator.faults import Faults
from calibstudio.domain.capture import (
    Activity,
    ActivityKind,
    Answer,
    CaptureStatus,
    FrameResult,
    StepPhase,
    StepState,
)
from calibstudio.domain.drafts import DarkDraft, FlatDraft
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CameraSettings, CapturePlan, LightSource, SearchLimits
from calibstudio.domain.quality import Verdict
from calibstudio.domain.rig import Rig
from calibstudio.gui.capture.frames_list import FramesList
from calibstudio.gui.capture.run_state import settings_of_run
from calibstudio.gui.capture.running import good_words, kept_words
from calibstudio.gui.capture.sequence_panel import COLUMNS, StepRow, rows_of, sequence_facts
from calibstudio.gui.close_sheet import CloseSheet
from calibstudio.gui.context import GuiContext
from calibstudio.gui.frames.workspace import FramesWorkspace
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.toasts import ToastText
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.table import RECORD_ROLE, RowDelegate
from calibstudio.gui.widgets.table_model import TAG_ROLE
from calibstudio.gui.widgets.workspace import FramesOf
from calibstudio.imaging.display_stretch import Curve
from calibstudio.services.capture_state import find_sequences, read_sequence
from calibstudio.store import folder_sink, publish
from tests.helpers.capture_desk import Desk, cut_or_overlapping, desk_at


@pytest.fixture
def desk(qtbot: QtBot, context: GuiContext) -> Iterator[Desk]:
    with desk_at(qtbot, context) as made:
        yield made


@pytest.fixture
def uncovered_desk(qtbot: QtBot, context: GuiContext) -> Iterator[Desk]:
    """A rig without cover and panel: the operator is asked."""
    with desk_at(qtbot, context, has_panel=False) as made:
        yield made


def darks(desk: Desk, count: int = 4, *seconds: float, masters: bool = False) -> CapturePlan:
    info = desk.context.equipment.observatory.camera.info
    draft = DarkDraft.for_camera(info)
    draft.exposures_s, draft.count, draft.build_masters = seconds or (1.0,), count, masters
    draft.settings = _uncooled(draft.settings)
    return draft.plan(info)


def flats(desk: Desk, *filters: str, count: int = 3, dark_flats: bool = True) -> CapturePlan:
    observatory = desk.context.equipment.observatory
    panel = observatory.panel
    draft = FlatDraft.for_camera(
        observatory.camera.info, filters, None if panel is None else panel.info
    )
    draft.settings = _uncooled(draft.settings)
    draft.count, draft.with_dark_flats, draft.build_masters = count, dark_flats, False
    return draft.plan(observatory.camera.info)


def _uncooled(settings: CameraSettings) -> CameraSettings:
    return replace(settings, set_temp_c=None)


def begin(desk: Desk, plan: CapturePlan, good: int = 0) -> None:
    """Start a plan, and wait for so many good frames."""
    run = desk.capture.run
    desk.capture.start(plan)
    desk.until(lambda: run.status is not None and run.status.good >= good)


def the_sheet(desk: Desk) -> Sheet:
    return next(s for s in desk.window.findChildren(Sheet) if s.isVisible())


def press(desk: Desk, sheet: Sheet, words: str) -> None:
    desk.click(next(b for b in sheet.findChildren(Button) if b.text() == words))


# Pausing and stopping


def test_p_pauses_after_the_frame_and_goes_on(desk: Desk) -> None:
    begin(desk, darks(desk, 300), good=2)
    strip = desk.capture.running.strip

    desk.key(Qt.Key.Key_P)
    desk.until(lambda: desk.status.paused)
    good = desk.status.good
    assert strip._doing.text().startswith("Paused: ")
    assert (strip.pause.text(), strip._ends.text()) == ("Go on", "paused")
    assert [row.tag for row in rows_of(desk.status)] == [("waiting", "Paused")]
    desk.qtbot.wait(200)
    assert desk.status.good == good

    desk.click(strip.pause)

    desk.until(lambda: desk.status.good > good)
    assert strip.pause.text() == "Pause"


def test_a_pause_that_was_asked_for_is_said_before_it_comes(desk: Desk) -> None:
    begin(desk, darks(desk, 300), good=1)

    desk.capture.run.toggle_pause()

    words = desk.capture.running.strip._doing.text()
    assert words.startswith(("Pausing after this frame", "Paused"))


def test_stop_after_this_frame_asks_keeps_what_is_good_and_resumes_from_home(desk: Desk) -> None:
    begin(desk, darks(desk, 14), good=2)
    desk.click(desk.capture.running.strip.stop)
    sheet = the_sheet(desk)
    assert sheet.windowTitle() == "Stop after this frame?"

    press(desk, sheet, "Stop after this frame")
    desk.until_over()

    strip = desk.capture.running.strip
    good = desk.status.good
    assert 2 <= good < 14 and len(desk.files("dark")) == good
    assert strip._doing.text() == "Stopped"
    assert strip._step.text() == f"All are kept. Resume goes on at {good + 1}."
    assert not strip.pause.isVisible() and strip.resume.isVisible()
    desk.click(strip.back)
    desk.until(lambda: bool(desk.capture.home.recent.rows))
    row = desk.capture.home.recent.rows[0]
    assert row.tag.accessibleName() == "Stopped"
    assert row.count.text() == f"{good} of 14 good frames"
    desk.click(row.resume)
    desk.until(lambda: desk.capture.run.status is not None)
    desk.until_over()
    assert desk.status.good == 14 and len(desk.files("dark")) == 14


def test_a_stop_can_be_taken_back_while_there_is_time(desk: Desk) -> None:
    begin(desk, darks(desk, 60), good=1)
    run, strip = desk.capture.run, desk.capture.running.strip
    run.control.pause()
    desk.until(lambda: desk.status.paused)

    desk.click(strip.stop)
    press(desk, the_sheet(desk), "Go on")
    desk.qtbot.wait(50)

    assert run.is_running and not desk.status.stopping


def test_stopping_is_said_until_it_comes(desk: Desk) -> None:
    begin(desk, darks(desk, 300), good=1)
    desk.capture.run.stop_after_frame()

    strip = desk.capture.running.strip
    assert strip._doing.text().startswith(("Stopping after this frame", "Stopped"))
    assert strip.stop.text() == "Do not stop" or not strip.stop.isVisible()


def test_stop_at_once_keeps_complete_frames_and_can_go_on_from_there(desk: Desk) -> None:
    begin(desk, darks(desk, 14), good=2)
    desk.click(desk.capture.running.strip.stop)

    press(desk, the_sheet(desk), "Stop at once")
    desk.until_over()

    good = desk.status.good
    assert good >= 2 and len(desk.files("dark")) == good
    assert desk.capture.running.strip._doing.text() == "Stopped"
    desk.click(desk.capture.running.strip.resume)
    desk.until(lambda: desk.capture.run.is_running)
    desk.until_over()
    assert desk.status.good == 14


def test_closing_the_program_asks_while_a_sequence_runs(desk: Desk) -> None:
    begin(desk, darks(desk, 300), good=1)

    desk.window.close()

    assert desk.window.isVisible()
    sheet = the_sheet(desk)
    assert sheet.windowTitle() == "Close CalibStudio?"
    press(desk, sheet, "Go on")
    assert desk.capture.run.is_running


def test_the_question_before_closing_says_what_is_so_while_it_is_open(desk: Desk) -> None:
    begin(desk, darks(desk, 30), good=1)
    desk.window.close()
    desk.window.close()
    sheets = [s for s in desk.window.findChildren(CloseSheet) if s.isVisible()]
    assert len(sheets) == 1
    said = sheets[0].said.text()
    assert "of 30 good frames" in said

    desk.until(lambda: sheets[0].said.text() != said)
    desk.until_over()
    desk.until(lambda: sheets[0].leave.text() == "Close")

    assert "running" not in sheets[0].said.text()
    assert desk.window.isVisible()
    press(desk, sheets[0], "Close")
    desk.until(lambda: not desk.window.isVisible())


def test_what_stays_after_a_stop_is_counted_while_it_is_asked(desk: Desk) -> None:
    begin(desk, darks(desk, 300), good=2)
    desk.click(desk.capture.running.strip.stop)
    sheet = the_sheet(desk)

    def counted() -> bool:
        words = kept_words(desk.status)
        return words in [x.text() for x in sheet.findChildren(QLabel)]

    good = desk.status.good
    desk.until(lambda: desk.status.good > good and counted())
    desk.capture.run.toggle_pause()
    desk.until(lambda: desk.status.paused)
    assert counted()


# Frames


def test_bar_text_and_jobs_say_one_percentage(desk: Desk) -> None:
    # One long dark beside many short ones: by time it would be another number.
    begin(desk, darks(desk, 20, 0.1, 3000.0), good=4)
    desk.capture.run.toggle_pause()
    desk.until(lambda: desk.status.paused)

    percent = f"{100 * desk.status.good / 40:.0f}\u202f%"

    job = desk.context.camera_jobs.active[0]
    desk.until(lambda: job.progress.fraction == pytest.approx(desk.status.good / 40))
    assert desk.capture.running.strip._whole_text.text().endswith(f"· {percent}")
    assert desk.status.fraction == job.progress.fraction


def test_frames_of_the_search_are_called_tests_and_not_good(desk: Desk) -> None:
    begin(desk, flats(desk, "L", count=2, dark_flats=False))
    desk.until_over()

    tests = [f for f in desk.status.frames if f.is_search and not f.accepted]
    model = desk.capture.running.frames.table.model()
    shown = {
        model.index(row, 1).data(RECORD_ROLE).index: model.index(row, 1).data(TAG_ROLE)
        for row in range(model.rowCount())
    }

    assert tests
    assert {shown[f.index] for f in tests} == {("info", "Test")}
    assert {shown[f.index][1] for f in desk.status.frames if f.accepted} <= {"GOOD", "WARN"}


def test_a_bad_frame_is_kept_aside_and_may_be_kept_after_all(desk: Desk) -> None:
    desk.simulated.set_faults(Faults(repeat_frame=True))
    begin(desk, darks(desk, 200))
    desk.until(lambda: any(f.verdict is Verdict.BAD for f in desk.status.frames))
    desk.simulated.set_faults(Faults())
    desk.capture.run.toggle_pause()
    desk.until(lambda: desk.status.paused)
    bad = next(f for f in desk.status.frames if f.verdict is Verdict.BAD)
    assert bad.path is not None and "rejected" in bad.path.parts
    frames = desk.capture.running.frames
    frames.table.select_key(bad.index)
    buttons = frames.card.findChildren(Button)

    desk.click(next(b for b in reversed(buttons) if b.text() == "Keep it after all"))

    desk.until(lambda: next(f for f in desk.status.frames if f.index == bad.index).accepted)
    kept = next(f for f in desk.status.frames if f.index == bad.index)
    assert kept.by_operator and kept.path in desk.files("dark")


def test_frames_and_levels_follow_the_step_that_is_chosen(desk: Desk) -> None:
    begin(desk, darks(desk, 3, 1.0, 2.0))
    desk.until_over()
    running = desk.capture.running
    steps = desk.status.steps
    shown = {f.step_id for f in running.frames.table.model().records}
    assert shown == {steps[1].step.id}

    running.sequence.step_chosen.emit(steps[0].step.id)

    shown = {f.step_id for f in running.frames.table.model().records}
    assert shown == {steps[0].step.id}
    assert running.sequence.table.selected[0].state.step.id == steps[0].step.id


def test_the_frame_that_is_being_taken_has_its_row_and_counts_down(
    qtbot: QtBot, context: GuiContext
) -> None:
    clock = context.equipment.observatory.clock
    plan = uncooled_dark(context, seconds=60.0)
    state = StepState(plan.steps[0], phase=StepPhase.RUNNING)
    began = Activity(ActivityKind.EXPOSING, "Dark, 30 s, frame 3", clock.now(), 30.0)
    taken = [
        FrameResult(n, plan.steps[0].id, FrameKind.DARK, n, clock.now(), 60.0, True, Verdict.GOOD)
        for n in (1, 2)
    ]
    status = CaptureStatus(plan, (state,), began, tuple(taken), current=0)
    frames = FramesList(context.theme)
    qtbot.addWidget(frames)
    model = frames.table.model()

    def row(number: int) -> list[str]:
        return [str(model.index(number, c).data()) for c in range(model.columnCount())]

    frames.show_status(status, plan.steps[0].id, clock)
    first = row(0)
    assert first[:3] == ["3", "Exposing", ""] and first[3].endswith("s left")
    assert row(1)[:2] == ["2", "GOOD"] and model.rowCount() == 3
    qtbot.waitUntil(lambda: row(0)[3] != first[3], timeout=10_000)

    frames.table.selectRow(0)  # nothing to look at yet, and nothing breaks
    frames.show_status(replace(status, paused=True), plan.steps[0].id, clock)
    assert row(0)[:2] == ["2", "GOOD"] and model.rowCount() == 2


def uncooled_dark(context: GuiContext, seconds: float) -> CapturePlan:
    draft = DarkDraft.for_camera(context.equipment.observatory.camera.info)
    draft.exposures_s, draft.count = (seconds,), 5
    draft.settings = _uncooled(draft.settings)
    return draft.plan(context.equipment.observatory.camera.info)


def test_a_step_that_waits_for_the_cooler_says_that_it_cools(context: GuiContext) -> None:
    plan = uncooled_dark(context, seconds=1.0)
    cooling = Activity(ActivityKind.COOLING, "", datetime.now(UTC))
    status = CaptureStatus(plan, (StepState(plan.steps[0]),), cooling, current=0)

    assert [row.tag for row in rows_of(status)] == [("running", "Cooling")]


def test_saturated_pixels_are_counted_while_it_runs(desk: Desk) -> None:
    begin(desk, flats(desk, "L"))
    desk.until_over()
    running = desk.capture.running

    desk.until(lambda: running.picture.pyramid is not None)

    assert running.picture.pyramid is not None
    assert running.picture.pyramid.saturation != float("inf")
    assert "saturated 0" in running.chips.clipped.text()


def test_the_stretch_of_the_newest_frame_is_chosen_and_stays(desk: Desk) -> None:
    begin(desk, flats(desk, "L"), good=1)
    running = desk.capture.running
    desk.until(lambda: running.picture.pyramid is not None)

    desk.qtbot.mouseClick(running.curve._segments[1], Qt.MouseButton.LeftButton)
    shown = running.picture.pyramid
    desk.until_over()
    desk.until(lambda: running.picture.pyramid is not shown)

    assert running.picture.stretch.curve is Curve.LINEAR


def test_dark_flats_that_another_set_serves_say_so(desk: Desk) -> None:
    begin(desk, flats(desk, "L", "R"))
    desk.until_over()
    state = next(s for s in desk.status.steps if s.phase is StepPhase.SKIPPED)
    panel = desk.capture.running.sequence

    panel.step_chosen.emit(state.step.id)

    row = next(i for i, s in enumerate(desk.status.steps) if s is state)
    model = panel.table.model()
    tip = model.index(row, 4).data(Qt.ItemDataRole.ToolTipRole)
    assert "serve" in tip and "limit" in tip
    assert panel.said.isVisible() and panel.said.text() == state.text
    assert model.index(row, 2).data() == "—"


def test_an_expected_exposure_is_marked_as_such(desk: Desk) -> None:
    step = flats(desk, "L").steps[0]
    column = COLUMNS[2]
    said = {
        StepState(step, exposure_s=0.728): "≈\u202f0.728\u202fs",
        StepState(step, exposure_s=0.728, exposure_is_found=True): "0.728\u202fs",
        StepState(step): "searched",
        StepState(step, StepPhase.SKIPPED): "—",
    }

    rows = {s: StepRow(s, ("waiting", "Waiting")) for s in said}
    assert {s: column.text(column.value(row)) for s, row in rows.items()} == said


def test_an_exposure_has_room_in_the_small_window(desk: Desk) -> None:
    begin(desk, flats(desk, "L"), good=1)
    table, font = desk.capture.running.sequence.table, desk.context.theme.font(13)
    room = table.columnWidth(2) - 2 * RowDelegate.PADDING

    for said in ("≈\u202f0.728\u202fs", "≈\u202f12.34\u202fs", "searched"):
        assert QFontMetrics(font).horizontalAdvance(said) <= room
    desk.until_over()


def test_a_good_flat_says_how_far_from_the_target_it_is(desk: Desk) -> None:
    begin(desk, flats(desk, "L", dark_flats=False))
    desk.until_over()
    frame, step = desk.status.frames[-1], desk.status.steps[0]

    words = good_words(frame, step.target_adu)

    assert "% from target" in words and "S/N" in words and words.endswith("Nothing wrong.")


# Questions and faults


def test_without_a_cover_the_operator_is_asked_and_ctrl_enter_answers(
    uncovered_desk: Desk,
) -> None:
    desk = uncovered_desk
    begin(desk, darks(desk, 2))
    desk.until(lambda: desk.status.question is not None)
    bar = desk.capture.running.question
    assert bar.text.text() == "Is the telescope covered? This camera has no shutter."
    assert [b.text() for b in bar.buttons.values()] == ["It is covered", "Stop"]
    assert desk.capture.running.strip._doing.text().startswith("Waiting for you")

    desk.key(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    desk.until_over()

    assert desk.status.good == 2
    assert not bar.isVisible()


def test_a_lost_camera_is_said_asked_about_and_goes_on(desk: Desk) -> None:
    begin(desk, darks(desk, 12), good=1)
    desk.simulated.set_faults(Faults(disconnect=True))

    desk.until(lambda: desk.status.question is not None)
    bar = desk.capture.running.question
    assert set(bar.buttons) == {Answer.RETRY, Answer.SKIP, Answer.STOP}
    assert "stopped answering" in bar.text.text()
    assert any("stopped answering" in note for note in desk.status.notes)
    assert "stopped answering" in desk.capture.running.sequence.notes.text()
    desk.simulated.set_faults(Faults())
    desk.click(bar.buttons[Answer.RETRY])

    desk.until_over()
    assert desk.status.good == 12


def test_a_full_disk_is_a_question_and_the_frame_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_rest: object, **_more: object) -> None:
        raise publish.write_problem(path, OSError(errno.ENOSPC, "No space left on device"))

    begin(desk, darks(desk, 12), good=1)
    with monkeypatch.context() as patch:
        patch.setattr(folder_sink, "publish_file", full)
        desk.until(lambda: desk.status.question is not None)
        bar = desk.capture.running.question
        assert "the disk is full" in bar.text.text()
        assert str(desk.status.folder) not in bar.text.text()
    desk.click(bar.buttons[Answer.RETRY])
    desk.until_over()

    assert desk.status.good == 12 and len(desk.files("dark")) == 12


def test_a_sequence_that_cannot_start_says_why_and_leads_home(desk: Desk, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    desk.context.settings.change(frames_folder=in_the_way)
    said: list[str] = []
    desk.context.problems.foreseen.connect(lambda p: said.append(p.message))

    desk.capture.start(darks(desk))
    desk.until_over()

    assert said and "Free disk" in said[0]
    assert desk.capture.home.isVisible()


def test_a_step_that_failed_is_said_in_full_and_can_be_tried_again(desk: Desk) -> None:
    plan = flats(desk, "L", dark_flats=False)
    hopeless = replace(plan.steps[0], limits=SearchLimits(shortest_s=0.001, longest_s=0.002))
    begin(desk, CapturePlan("Flats", (hopeless,), False))
    desk.until_over()
    running = desk.capture.running

    assert desk.status.steps[0].phase is StepPhase.FAILED
    assert running.strip._doing.text() == "Finished, with steps that failed"
    assert running.strip.resume.isVisible()
    assert desk.status.steps[0].text in running.sequence.said.text()


# Masters, home, looks


def test_masters_are_built_and_said(desk: Desk) -> None:
    said: list[ToastText] = []
    desk.context.toasts.said.connect(said.append)
    begin(desk, darks(desk, 3, masters=True))
    row = desk.capture.running.sequence.masters
    desk.until_over()

    assert not row.show_masters.isVisible()
    desk.until(lambda: row.tag.accessibleName() == "2 built")
    desk.click(row.show_masters)
    assert desk.window.current == "library"
    desk.window.show_workspace("capture")

    with desk.context.open_library() as library:
        masters = library.masters()
    assert {m.kind for m in masters} == {"dark", "bpm"}
    toast = next(t for t in said if "in the library" in t.text)
    # A toast with a tick for masters that have a warning would be read as "all is well".
    is_good = all(m.verdict is Verdict.GOOD for m in masters)
    assert toast.kind == ("good" if is_good else "warn")


def test_a_sequence_that_ended_without_its_masters_says_so_and_builds_them(desk: Desk) -> None:
    """The window was closed after the last frame, before anything was built."""
    begin(desk, darks(desk, 3, masters=True))
    desk.until_over()
    desk.until(lambda: desk.capture.running.sequence.masters.tag.accessibleName() == "2 built")
    journal = desk.status.journal
    assert journal is not None
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if "masters" not in json.loads(line)))
    desk.click(desk.capture.running.strip.back)
    desk.until(lambda: bool(desk.capture.home.recent.rows))
    desk.until(lambda: desk.capture.home.recent.rows[0].tag.accessibleName() == "No masters")
    over: list[object] = []
    desk.capture.run.masters_over.connect(lambda: over.append(1))

    assert desk.capture.home.recent.rows[0].resume.text() == "Build masters"
    desk.click(desk.capture.home.recent.rows[0].resume)
    desk.until(lambda: bool(over))

    assert len(desk.files("dark")) == 3
    assert read_sequence(journal).has_masters


def test_home_lists_finished_sequences_and_opens_their_folder(desk: Desk) -> None:
    begin(desk, darks(desk, 2))
    desk.until_over()
    folder = desk.status.folder
    desk.click(desk.capture.running.strip.back)
    desk.until(lambda: bool(desk.capture.home.recent.rows))
    row = desk.capture.home.recent.rows[0]
    assert row.tag.accessibleName() == "Done"
    assert row.count.text() == "2 good frames"
    assert not row.resume.isVisible()
    wanted: list[FramesOf] = []
    desk.capture.frames_wanted.connect(wanted.append)

    desk.click(row.show_frames)

    assert [w.folder for w in wanted] == [folder]
    assert desk.window.current == "frames"


def test_show_in_frames_looks_at_the_group_of_the_sequence(desk: Desk) -> None:
    begin(desk, darks(desk, 2, 1.0))
    desk.until_over()
    desk.click(desk.capture.running.strip.frames)
    frames = desk.window.workspace
    assert isinstance(frames, FramesWorkspace)

    def looked_at() -> tuple[str, float] | None:
        group = frames.group
        return None if group is None else (str(group.kind), group.key["exposure_s"])

    desk.until(lambda: not frames.folders.is_scanning and looked_at() == ("dark", 1.0))
    desk.window.show_workspace("capture")
    desk.click(desk.capture.running.strip.back)
    begin(desk, darks(desk, 2, 2.0, 3.0))
    desk.until_over()

    # The step that is looked at, then the first of the sequence that home lists.
    desk.click(desk.capture.running.strip.frames)
    desk.until(lambda: not frames.folders.is_scanning and looked_at() == ("dark", 3.0))
    desk.window.show_workspace("capture")
    desk.click(desk.capture.running.strip.back)
    rows = desk.capture.home.recent
    desk.until(lambda: len(rows.rows) == 2)
    desk.click(rows.rows[0].show_frames)
    desk.until(lambda: not frames.folders.is_scanning and looked_at() == ("dark", 2.0))


def test_an_empty_home_says_what_will_be_there(desk: Desk) -> None:
    recent = desk.capture.home.recent

    desk.until(lambda: "No sequences yet" in recent._empty.text())

    assert recent._empty.isVisible() and recent.rows == ()
    assert cut_or_overlapping(desk.window) == []


def test_it_fits_a_small_window_running_asking_and_over(uncovered_desk: Desk) -> None:
    desk = uncovered_desk
    begin(desk, darks(desk, 40))
    desk.until(lambda: desk.status.question is not None)
    desk.qtbot.wait(60)
    assert cut_or_overlapping(desk.window) == []

    desk.capture.running.question.answer_first()
    desk.until(lambda: desk.status.good > 2)
    desk.capture.run.toggle_pause()
    desk.until(lambda: desk.status.paused)
    desk.qtbot.wait(60)
    assert cut_or_overlapping(desk.window) == []
    for table in (desk.capture.running.frames.table, desk.capture.running.sequence.table):
        assert not table.horizontalScrollBar().isVisible()

    desk.capture.run.stop_now()
    desk.until_over()
    desk.qtbot.wait(60)
    assert cut_or_overlapping(desk.window) == []


def test_it_is_red_only_at_night(
    uncovered_desk: Desk, is_red_only: Callable[[QWidget], bool]
) -> None:
    desk = uncovered_desk
    desk.context.theme.set_theme("night")
    assert is_red_only(desk.window)
    begin(desk, darks(desk, 4))
    desk.until(lambda: desk.status.question is not None)
    assert is_red_only(desk.window)

    desk.capture.running.question.answer_first()
    desk.until_over()
    desk.until(lambda: desk.capture.running.picture.pyramid is not None)

    assert is_red_only(desk.window)


def test_a_gain_of_zero_is_a_setting_like_others(desk: Desk) -> None:
    plan = darks(desk)
    settings = replace(plan.steps[0].settings, gain=0, offset=0)
    state = StepState(replace(plan.steps[0], settings=settings))
    status = CaptureStatus(plan, (state,), Activity(ActivityKind.STARTING, "", datetime.now(UTC)))

    facts = dict(sequence_facts(status, state))

    assert facts["Settings"] == "gain 0, offset 0"
    assert facts["Light flag in header"] == "dark, light off"


@pytest.mark.parametrize(("light", "said"), [(LightSource.PANEL, True), (LightSource.SKY, False)])
def test_the_brightness_of_a_panel_is_said_only_where_it_gives_the_light(
    desk: Desk, light: LightSource, said: bool
) -> None:
    plan = darks(desk)
    state = StepState(replace(plan.steps[0], light=light), brightness=0)
    status = CaptureStatus(plan, (state,), Activity(ActivityKind.STARTING, "", datetime.now(UTC)))

    assert ("Panel brightness" in dict(sequence_facts(status, state))) is said


def test_a_sequence_names_the_rig_that_is_open_whatever_the_settings_say(desk: Desk) -> None:
    equipment = desk.context.equipment
    equipment.replace(replace(equipment.observatory, rig=Rig("Of the command line")))

    begin(desk, darks(desk, 1))

    folder = desk.context.settings.current.frames_folder
    desk.until(lambda: bool(find_sequences(folder)))
    assert find_sequences(folder)[0].origin.rig == "Of the command line"
    desk.until(lambda: not desk.capture.run.is_running)


def test_masters_of_a_sequence_go_to_the_library_that_is_shown(
    context: GuiContext, tmp_path: Path
) -> None:
    shown = str(tmp_path / "of the command line")
    named = replace(context, library_now=lambda: shown)

    assert settings_of_run(named).library == shown
    assert settings_of_run(context).library == context.settings.current.library
