"""Plans as files, sequences that were cut off, and verdicts overruled when all is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from calibstudio.domain.drafts import BiasDraft
from calibstudio.domain.plan import CapturePlan
from calibstudio.gui.capture.cut_off import CutOffOffer
from calibstudio.gui.capture.plan_file import read_plan, write_plan
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.buttons import Button
from calibstudio.services.capture_state import find_sequences, read_sequence
from calibstudio.services.library import Library
from tests.helpers.capture_desk import Desk, desk_at


@pytest.fixture
def desk(qtbot: QtBot, context: GuiContext) -> Iterator[Desk]:
    with desk_at(qtbot, context) as made:
        yield made


def biases(desk: Desk, count: int = 3) -> CapturePlan:
    info = desk.context.equipment.observatory.camera.info
    draft = BiasDraft.for_camera(info)
    draft.count, draft.build_masters = count, False
    draft.settings = replace(draft.settings, set_temp_c=None)
    return draft.plan(info)


def taken(desk: Desk, plan: CapturePlan, good: int | None = None) -> Path:
    """Carry out a plan, or stop it when so many frames are good; return its journal."""
    run = desk.capture.run
    desk.capture.start(plan)
    if good is not None:
        desk.until(lambda: run.status is not None and run.status.good >= good)
        run.stop_after_frame()
    desk.until_over()
    desk.until(lambda: run.status is not None and run.status.finished)
    assert desk.status.journal is not None
    return desk.status.journal


def cut_off(journal: Path) -> None:
    """Leave a journal as a power cut does."""
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if not line.startswith('{"end"')))


def press(desk: Desk, sheet: Sheet, words: str) -> None:
    desk.click(next(b for b in sheet.findChildren(Button) if b.text() == words))


def test_a_sequence_that_was_cut_off_is_offered_at_the_start_and_goes_on(desk: Desk) -> None:
    journal = taken(desk, biases(desk, 6), 2)
    cut_off(journal)
    good = read_sequence(journal).good
    offer = CutOffOffer(desk.context, desk.window)

    offer.look()
    desk.until(lambda: offer.banner is not None and offer.banner.isVisible())
    assert offer.banner is not None
    assert offer.banner.accessibleName() == (
        f"WARN: “Bias, 6 frames” was cut off. {good} of 6 good frames are kept; "
        "it goes on where it was."
    )
    desk.click(offer.banner.button)

    desk.until(lambda: read_sequence(journal).finished)
    desk.until_over()
    assert read_sequence(journal).good == 6 and len(desk.files("bias")) == 6
    assert not offer.banner.isVisible()


def test_an_offer_that_is_closed_does_not_come_again_but_stays_in_the_list(desk: Desk) -> None:
    journal = taken(desk, biases(desk, 30), 1)
    cut_off(journal)
    first, second = (CutOffOffer(desk.context, desk.window) for _ in range(2))
    first.look()
    desk.until(lambda: first.banner is not None)
    assert first.banner is not None

    first.banner._on_close()
    desk.until(lambda: not read_sequence(journal).crashed)
    second.look()
    desk.until(lambda: not desk.context.background.active)

    assert second.banner is None
    assert read_sequence(journal).can_go_on


def test_an_offer_goes_when_the_sequence_goes_on_from_the_list(desk: Desk) -> None:
    journal = taken(desk, biases(desk, 6), 2)
    cut_off(journal)
    offer = CutOffOffer(desk.context, desk.window)
    offer.look()
    desk.until(lambda: offer.banner is not None and offer.banner.isVisible())
    desk.capture.show_home()
    desk.until(lambda: bool(desk.capture.home.recent.rows))

    desk.click(desk.capture.home.recent.rows[0].resume)

    desk.until(lambda: offer.banner is not None and not offer.banner.isVisible())
    desk.until_over()


def test_a_sequence_that_ended_is_not_offered(desk: Desk) -> None:
    taken(desk, biases(desk, 2))
    offer = CutOffOffer(desk.context, desk.window)

    offer.look()
    desk.until(lambda: not desk.context.background.active)

    assert offer.banner is None


def test_a_wizard_saves_its_plan_and_capture_opens_and_carries_it_out(
    desk: Desk, tmp_path: Path
) -> None:
    wizard = desk.open("bias")
    draft = wizard.draft
    assert isinstance(draft, BiasDraft)
    draft.count, draft.build_masters = 2, False
    draft.settings = replace(draft.settings, set_temp_c=None)
    desk.to_last_page()
    assert wizard.save.isVisible() and wizard.save.isEnabled()
    plan = wizard.draft.plan(wizard.info)
    file = tmp_path / "bias.yaml"

    write_plan(desk.context, file, plan)
    desk.until(file.is_file)
    desk.capture.show_home()
    assert desk.capture.home.open_file.isVisible()
    read_plan(desk.context, desk.capture, file, desk.capture.start_file)
    desk.until(lambda: any(s.isVisible() for s in desk.window.findChildren(Sheet)))
    sheet = next(s for s in desk.window.findChildren(Sheet) if s.isVisible())
    press(desk, sheet, "Start")

    run = desk.capture.run
    desk.until(lambda: run.status is not None)
    desk.until_over()
    assert desk.status.plan.steps == plan.steps
    assert len(desk.files("bias")) == plan.frames_wanted


def test_a_file_says_where_frames_and_masters_go_and_what_is_answered(
    desk: Desk, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('name = "mine"\n[stack.bias]\ncombine = "median"\nreject = "none"\n')
    file = tmp_path / "bias.yaml"
    file.write_text(
        f"calibstudio: 1\nframes_folder: {tmp_path / 'raw'}\nlibrary: {tmp_path / 'masters'}\n"
        f"recipe: {recipe}\nanswers: {{covered: true}}\nbias: {{frames: 4}}\n"
    )

    read_plan(desk.context, desk.capture, file, desk.capture.start_file)
    desk.until(lambda: any(s.isVisible() for s in desk.window.findChildren(Sheet)))
    sheet = next(s for s in desk.window.findChildren(Sheet) if s.isVisible())
    said = " ".join(w.text() for w in sheet.findChildren(QLabel))
    assert f"Frames go to {tmp_path / 'raw'}." in said
    assert f"the library {tmp_path / 'masters'}, by the recipe {recipe}." in said
    over: list[object] = []
    desk.capture.run.masters_over.connect(lambda: over.append(1))
    press(desk, sheet, "Start")
    desk.until(lambda: bool(over))

    assert len(list((tmp_path / "raw").rglob("*.fits"))) == 4
    with Library.open(str(tmp_path / "masters")) as library:
        (master,) = library.masters()
    assert (master.recipe, master.n_combined) == ("mine", 4)
    journal = desk.status.journal
    assert journal is not None
    # A sequence that has its masters is not offered for building them again.
    assert read_sequence(journal).has_masters


def test_saving_never_overwrites(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    said: list[object] = []
    desk.context.problems.foreseen.connect(said.append)

    write_plan(desk.context, file, biases(desk))
    desk.until(lambda: bool(said))

    assert "exists already" in str(said[0]) and file.read_text() == "mine"


def test_a_file_that_is_no_plan_is_said(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("calibstudio: 1\nbias: {frames: many}\n")
    said: list[object] = []
    desk.context.problems.foreseen.connect(said.append)

    read_plan(desk.context, desk.capture, file, desk.capture.start_file)
    desk.until(lambda: bool(said))

    assert "line 2, bias.frames" in str(said[0])
    assert not desk.capture.run.is_running


def test_a_frame_left_out_after_the_end_is_set_aside_and_can_be_taken_again(desk: Desk) -> None:
    journal = taken(desk, biases(desk, 3))
    run, strip = desk.capture.run, desk.capture.running.strip
    assert not strip.resume.isVisible()

    run.review(2, keep=False)
    desk.until(lambda: desk.status.good == 2)

    (frame,) = (f for f in desk.status.frames if f.index == 2)
    assert frame.path is not None and frame.path.parent.name == "rejected"
    assert frame.by_operator and not frame.accepted
    assert strip.resume.isVisible()
    desk.click(strip.resume)
    desk.until(lambda: read_sequence(journal).finished)
    desk.until_over()
    assert read_sequence(journal).good == 3


def test_a_frame_kept_after_the_end_comes_back(desk: Desk) -> None:
    taken(desk, biases(desk, 2))
    run = desk.capture.run
    run.review(1, keep=False)
    desk.until(lambda: desk.status.good == 1)

    run.review(1, keep=True)
    desk.until(lambda: desk.status.good == 2)

    assert len(desk.files("bias")) == 2
    (sequence,) = find_sequences(desk.context.settings.current.frames_folder)
    assert sequence.good == 2 and not sequence.can_go_on
