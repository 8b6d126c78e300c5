"""Faults of the simulated observatory, in the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.gui.context import GuiContext
from calibstudio.gui.faults import FaultsPopover
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.status_bar import StatusBar
from calibstudio.gui.status_texts import faults_text
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.popover import Popover
from tests.helpers.bench import bench_observatory


@pytest.fixture
def night(context: GuiContext) -> SimulatedObservatory:
    observatory = context.equipment.observatory
    assert isinstance(observatory, SimulatedObservatory)
    return observatory


@pytest.fixture
def bar(qtbot: QtBot, context: GuiContext) -> Iterator[StatusBar]:
    window = MainWindow(context)
    qtbot.addWidget(window)
    with qtbot.waitSignal(window.first_painted):
        window.show()
    yield window.status_bar
    window.close()


def press(qtbot: QtBot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def opened(qtbot: QtBot, bar: StatusBar) -> FaultsPopover:
    """Go the way of an operator: the camera in the status bar, then Faults."""
    press(qtbot, bar.camera)
    button = next(b for b in bar.window().findChildren(Button, "faults") if b.isVisible())
    press(qtbot, button)
    assert bar.faults_popover.isVisible()
    return bar.faults_popover


def test_a_tick_puts_something_out_of_order_at_once(
    qtbot: QtBot, bar: StatusBar, night: SimulatedObservatory
) -> None:
    popover = opened(qtbot, bar)
    assert night.world is not None
    assert bar.faults.isHidden()

    popover.rows["dead-wheel"].tick.click()

    assert night.world.faults == Faults(dead_wheel=True)
    assert bar.faults.isVisible()
    assert bar.faults.said.strong == "Dead filter wheel"
    popover.rows["dead-wheel"].tick.click()
    assert night.world.faults == Faults()
    assert bar.faults.isHidden()


def test_numbers_count_when_the_fault_is_there(
    qtbot: QtBot, bar: StatusBar, night: SimulatedObservatory
) -> None:
    popover = opened(qtbot, bar)
    assert night.world is not None
    row = popover.rows["light-leak"]

    row.tick.click()
    assert night.world.faults.light_leak_e_per_s == 5.0
    row.numbers[0].stepBy(1)

    assert night.world.faults.light_leak_e_per_s == 6.0
    assert popover.rows["disconnect"].values == (0.0, 0.0)


def test_everything_can_be_mended_in_one_go(
    qtbot: QtBot, bar: StatusBar, night: SimulatedObservatory
) -> None:
    assert night.faults is not None and night.world is not None
    for word in ("stuck-cover", "full-disk", "lamp-flicker"):
        night.faults.make(word)
    popover = opened(qtbot, bar)
    assert [w for w, row in popover.rows.items() if row.tick.isChecked()] == [
        "lamp-flicker",
        "stuck-cover",
        "full-disk",
    ]

    press(qtbot, popover.mend)

    assert night.world.faults == Faults()
    assert not popover.mend.isEnabled()
    assert not any(row.tick.isChecked() for row in popover.rows.values())


def test_the_bar_reminds_of_faults_that_were_made_elsewhere(
    qtbot: QtBot, context: GuiContext, bar: StatusBar, night: SimulatedObservatory
) -> None:
    assert night.faults is not None
    night.faults.make("stuck-cover")
    night.faults.make("light-leak")

    context.equipment.status_changed.emit(context.equipment.snapshot)

    assert bar.faults.said.strong == "2 faults"
    assert "Stuck cover" in bar.faults.toolTip()
    press(qtbot, bar.faults)
    assert bar.faults_popover.isVisible()


def test_every_fault_can_be_chosen_and_says_what_it_does(
    qtbot: QtBot, bar: StatusBar, night: SimulatedObservatory
) -> None:
    popover = opened(qtbot, bar)
    assert night.faults is not None

    assert set(popover.rows) == {k.word for k in night.faults.kinds}
    for row in popover.rows.values():
        assert row.tick.toolTip().endswith(".")
        assert all(number.accessibleName() for number in row.numbers)
    assert popover.height() < 720


def test_real_equipment_has_no_faults_to_choose() -> None:
    assert faults_text(bench_observatory().faults) is None


def test_faults_are_red_only_in_the_night_theme(
    qtbot: QtBot,
    context: GuiContext,
    bar: StatusBar,
    is_red_only: Callable[[QWidget], bool],
) -> None:
    context.theme.toggle_night()
    popover = opened(qtbot, bar)

    popover.rows["light-leak"].tick.click()

    assert is_red_only(bar.window())


def test_escape_closes_it_and_the_camera_s_facts_are_gone_too(qtbot: QtBot, bar: StatusBar) -> None:
    popover = opened(qtbot, bar)

    qtbot.keyClick(popover, Qt.Key.Key_Escape)

    assert not popover.isVisible()
    assert not any(p.isVisible() for p in bar.window().findChildren(Popover))
