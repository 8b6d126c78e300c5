"""The whole simulated night of the home of Capture, as somebody who has just come meets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from calibstudio.domain.capture import StepPhase
from calibstudio.gui.capture import tour as tour_module
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.buttons import Button
from calibstudio.services.capture_state import find_sequences
from calibstudio.services.library import Library
from calibstudio.store.assets import assets
from tests.helpers.capture_desk import Desk, desk_at

FEWER = (
    ("frames: 16", "frames: 2"), ("frames: 12", "frames: 2"), ("frames: 8", "frames: 2"),
    ("dark_flats: 8", "dark_flats: 2"), ("[30, 90, 300]", "[30, 90, 300]"),
    ("[L, R, G, B]", "[L, R]"), ("[OIII, Ha]", "[Ha]"),
)  # fmt: skip


@pytest.fixture
def desk(qtbot: QtBot, context: GuiContext) -> Iterator[Desk]:
    with desk_at(qtbot, context) as made:
        yield made


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same night with two frames of each: how many there are is all that differs."""
    from calibstudio.services.run_config import read_run_config

    text = next(p for p in assets("examples", "whole_night.yaml")).read_text()
    for line, fewer in FEWER:
        assert line in text
        text = text.replace(line, fewer)
    path = tmp_path / "whole_night.yaml"
    path.write_text(text)
    monkeypatch.setattr(tour_module, "_example", lambda: read_run_config(path))


def offered(desk: Desk) -> Sheet:
    desk.click(desk.capture.home.try_night)
    (sheet,) = desk.window.findChildren(Sheet)
    desk.until(sheet.isVisible)
    return sheet


def button(sheet: Sheet, words: str) -> Button:
    return next(b for b in sheet.findChildren(Button) if b.text() == words)


@pytest.mark.usefixtures("short")
@pytest.mark.timeout(180)
def test_a_whole_night_runs_from_one_click_and_leaves_everything_as_it_was(desk: Desk) -> None:
    usual = desk.context.equipment.observatory
    masters: list[object] = []
    desk.capture.run.masters_built.connect(masters.append)
    sheet = offered(desk)
    words = " ".join(w.text() for w in sheet.findChildren(QLabel))
    assert str(desk.context.settings.current.frames_folder) in words
    assert desk.context.library in words and "made up" in words

    desk.click(button(sheet, "Start the night"))
    run = desk.capture.run
    desk.until(lambda: run.status is not None)
    assert desk.context.equipment.observatory is not usual
    assert "Simulated night." in desk.capture.tour._banner.accessibleName()
    desk.qtbot.waitUntil(lambda: not run.is_running, timeout=150_000)
    desk.qtbot.waitUntil(lambda: bool(masters), timeout=60_000)
    desk.until(lambda: not desk.capture.tour.is_on)

    phases = {s.step.id: s.phase for s in desk.status.steps}
    done = {name for name, phase in phases.items() if phase is StepPhase.DONE}
    assert {"bias", "dark-30s", "dark-90s", "dark-300s", "flat-L", "flat-R", "flat-Ha"} <= done
    assert sum(name.startswith("darkflat") for name in done) == 1
    assert desk.context.equipment.observatory is usual
    assert "is over" in desk.capture.tour._banner.accessibleName()
    desk.capture.show_home()
    assert not desk.capture.tour._banner.isVisible()
    with Library.open(desk.context.library) as library:
        kinds = {m.kind for m in library.masters()}
    assert {"bias", "dark", "dark flat", "flat"} <= kinds
    (sequence,) = find_sequences(desk.context.settings.current.frames_folder)
    assert sequence.has_masters and sequence.plan.title == "A whole simulated night"


@pytest.mark.usefixtures("short")
def test_it_can_be_stopped_and_the_usual_observatory_is_back(desk: Desk) -> None:
    usual = desk.context.equipment.observatory
    desk.click(button(offered(desk), "Start the night"))
    run = desk.capture.run
    desk.until(lambda: run.status is not None and run.status.good >= 1)

    run.stop_now()

    desk.until(lambda: not run.is_running)
    desk.until(lambda: desk.context.equipment.observatory is usual)
    assert "was stopped" in desk.capture.tour._banner.accessibleName()


def test_with_equipment_connected_it_is_not_begun(desk: Desk) -> None:
    real = replace(desk.context.equipment.observatory, is_simulated=False)
    desk.context.equipment.replace(real)

    sheet = offered(desk)

    assert not button(sheet, "Start the night").isEnabled()
    assert any("Disconnect it" in w.text() for w in sheet.findChildren(QLabel))
    sheet.reject()
