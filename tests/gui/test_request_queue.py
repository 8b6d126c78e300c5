"""The queue of requests on the home of Capture, worked by its operator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.requests import RequestState, RequestWish
from calibstudio.domain.run_config import CameraWish
from calibstudio.gui.capture.queue_panel import NOTHING, QueuePanel
from calibstudio.gui.capture.request_sheet import RequestSheet
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.buttons import Button
from calibstudio.services.library import Library
from calibstudio.services.requests import ask_for, move, requests_of
from tests.helpers.capture_desk import Desk, cut_or_overlapping, desk_at

BIAS = RequestWish(FrameKind.BIAS, 2, camera=CameraWish(gain=100, offset=50))


@pytest.fixture
def desk(qtbot: QtBot, context: GuiContext) -> Iterator[Desk]:
    with desk_at(qtbot, context) as made:
        made.until(lambda: made.capture.queue.seen is not None)
        yield made


def panel_of(desk: Desk) -> QueuePanel:
    return desk.capture.home.queue


def library_of(desk: Desk) -> Library:
    return desk.context.open_library()


def states(desk: Desk) -> list[tuple[int, str]]:
    return [(row.request.id, row.request.state.value) for row in panel_of(desk).rows]


def look(desk: Desk) -> None:
    before = desk.capture.queue.seen
    desk.capture.queue.look()
    desk.until(lambda: desk.capture.queue.seen is not before)


def test_an_empty_queue_says_what_it_is_for_and_cannot_be_run(desk: Desk) -> None:
    panel = panel_of(desk)

    assert panel.empty.isVisible() and panel.empty.text() == NOTHING
    assert not panel.run.isEnabled() and panel.rows == ()
    assert panel.policies_note.text().startswith("No policies: ")
    assert not panel.due.isVisible()
    assert cut_or_overlapping(desk.window) == []


def test_a_request_is_asked_for_in_the_form_made_urgent_cancelled_and_put_back(desk: Desk) -> None:
    panel, said = panel_of(desk), []
    desk.context.toasts.said.connect(said.append)
    desk.click(panel.add)
    (sheet,) = desk.window.findChildren(RequestSheet)
    desk.until(sheet.isVisible)
    sheet.kind.set_value(FrameKind.DARK)
    sheet.kind.chosen.emit(FrameKind.DARK)
    desk.type(sheet.number, "7")
    desk.type(sheet.exposure, "120")
    assert not sheet.filter.isVisible() and sheet.exposure.isVisible()
    desk.click(next(b for b in sheet.findChildren(Button) if b.text() == "Add to the queue"))
    desk.until(lambda: states(desk) == [(1, "queued")])
    (asked,) = requests_of(library_of(desk))
    assert (asked.wish.kind, asked.wish.frames, asked.wish.exposure_s) == (FrameKind.DARK, 7, 120)
    assert asked.wish.camera.set_temp_c == -10.0 and asked.priority == 50
    assert panel.rows[0].title.text() == "7 × Dark, 120\u202fs"

    ask_for(library_of(desk), BIAS)
    look(desk)
    assert states(desk) == [(1, "queued"), (2, "queued")]
    desk.type(panel.rows[1].priority, "80")
    desk.until(lambda: states(desk) == [(2, "queued"), (1, "queued")])

    desk.click(panel.rows[0].cancel)
    desk.until(lambda: states(desk) == [(1, "queued"), (2, "cancelled")])
    assert said[-1].text == "Request 2 (Bias) is cancelled." and said[-1].action == "Undo"
    said[-1].on_action()
    desk.until(lambda: states(desk) == [(2, "queued"), (1, "queued")])
    desk.click(panel.rows[1].cancel)
    desk.until(lambda: states(desk)[-1] == (1, "cancelled"))
    desk.click(panel.rows[1].back)
    desk.until(lambda: states(desk)[-1] == (1, "queued"))


def test_what_makes_no_sense_is_said_in_the_form(desk: Desk) -> None:
    desk.click(panel_of(desk).add)
    (sheet,) = desk.window.findChildren(RequestSheet)
    sheet.kind.set_value(FrameKind.DARK_FLAT)
    sheet.number.setRange(0, 20_000)
    desk.type(sheet.number, "20000")
    sheet.add()

    assert sheet.isVisible() and "from 1 to 10" in sheet._note.text()
    sheet.reject()
    assert requests_of(library_of(desk)) == ()


def test_the_queue_is_carried_out_request_by_request_and_its_masters_are_built(desk: Desk) -> None:
    library = library_of(desk)
    ask_for(library, BIAS)
    ask_for(library, RequestWish(FrameKind.BIAS, 3, 0.5, camera=BIAS.camera), 80)
    wrong = RequestWish(FrameKind.FLAT, 2, filter="Nobody has it", camera=BIAS.camera)
    ask_for(library, wrong, 10)
    look(desk)
    titles, masters, said = [], [], []
    desk.capture.run.request_begun.connect(lambda *which: titles.append(which[1:]))
    desk.capture.run.masters_built.connect(masters.append)
    desk.context.toasts.said.connect(said.append)

    desk.click(panel_of(desk).run)
    desk.until_over()
    desk.until(lambda: bool(masters))
    desk.until(lambda: {s for _, s in states(desk)} == {"done", "error"})

    assert titles == [(1, 3), (2, 3), (3, 3)]
    assert desk.capture.home.isVisible()
    found = {r.id: r for r in requests_of(library)}
    assert [found[i].state for i in (1, 2, 3)] == [
        RequestState.DONE, RequestState.DONE, RequestState.ERROR
    ]  # fmt: skip
    assert found[1].reason == "2 good frames." and "Nobody has it" in found[3].reason
    assert len(desk.files("bias")) == 5
    assert any(t.text == "2 requests carried out, 1 failed." for t in said)
    assert [m.record.kind for m in masters[0].masters] == ["bias"] * len(masters[0].masters)


def test_a_queue_that_is_stopped_keeps_its_request_waiting(desk: Desk) -> None:
    ask_for(library_of(desk), RequestWish(FrameKind.BIAS, 500, camera=BIAS.camera))
    look(desk)
    run = desk.capture.run

    desk.click(panel_of(desk).run)
    desk.until(lambda: run.status is not None and run.status.good >= 2)
    desk.click(desk.capture.running.strip.pause)
    desk.until(lambda: run.control.paused)
    desk.click(desk.capture.running.strip.pause)
    desk.capture.running.ask_to_stop()
    sheet = desk.capture.running.findChildren(Sheet)[-1]
    said = " ".join(line.text() for line in sheet.findChildren(QLabel))
    assert "when the queue is run again" in said and "Resume" not in said
    sheet.accept()
    run.stop_after_frame()
    desk.until_over()
    desk.until(lambda: panel_of(desk).rows[0].about.text().startswith("It was stopped"))

    assert states(desk) == [(1, "queued")]
    assert len(desk.files("bias")) >= 2
    desk.click(panel_of(desk).run)
    desk.until(lambda: run.status is not None and run.status.good >= 1)
    run.stop_now()
    desk.until_over()
    desk.until(lambda: panel_of(desk).rows[0].about.text().startswith("It was interrupted"))


def test_policies_are_shown_with_when_they_ran_and_ask_for_what_is_due(desk: Desk) -> None:
    library, panel = library_of(desk), panel_of(desk)
    file = library.folder / "policies.yaml"
    file.write_text(
        "calibstudio: 1\npolicies:\n"
        "  - {name: biases, take: bias, frames: 2, every: night}\n"
        "  - {name: darks, take: dark, frames: 2, every: 30 days, exposures: [60]}\n"
    )
    night = desk.simulated.clock.now().date()
    done = ask_for(library, BIAS, policy="darks", item="60", night=night)
    move(library, done, RequestState.QUEUED, RequestState.DONE)
    look(desk)

    assert [line.words.text() for line in panel.lines] == [
        "biases: 2 × Bias, every night",
        "darks: 2 × Dark, 60\u202fs, every 30 days",
    ]
    assert [line.last.text() for line in panel.lines] == [
        "never carried out",
        f"last in the night {night.isoformat()}",
    ]
    desk.click(panel.due)
    desk.until(lambda: any(s == "queued" for _, s in states(desk)))
    assert [r.policy for r in requests_of(library, open_only=True)] == ["biases"]

    file.write_text("calibstudio: 1\npolicies:\n  - {take: nothing, every: night}\n")
    look(desk)
    assert "policies.yaml" in panel.policies_note.text() and panel.lines == ()
