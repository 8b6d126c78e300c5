"""The settings: what changes, changes at once; what cannot be is said beside the field."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from calibstudio.gui.context import GuiContext
from calibstudio.gui.rigs.page import EquipmentPage
from calibstudio.gui.settings_dialog import (
    AppearancePage,
    FoldersPage,
    SettingsSheet,
    SitePage,
)
from calibstudio.gui.sheet import Shade
from calibstudio.gui.widgets.segmented import SegmentedControl


@pytest.fixture
def sheet(qtbot: QtBot, context: GuiContext) -> SettingsSheet:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    made = SettingsSheet(context, window)
    qtbot.addWidget(made)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    made.kept = window  # type: ignore[attr-defined]
    made.open()
    return made


def choose(page: EquipmentPage, preset: str) -> None:
    """Choose a simulated camera as with the mouse."""
    page.simulated.set_value(preset)
    page.simulated.chosen.emit(preset)


def test_a_sheet_is_in_the_middle_before_it_is_shown_and_dims_the_window(
    qtbot: QtBot, context: GuiContext
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.setGeometry(40, 30, 1280, 720)
    window.show()
    sheet = SettingsSheet(context, window)
    places = []

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Show:
                places.append(sheet.geometry().center())
            return False

    watch = Watch()
    sheet.installEventFilter(watch)
    sheet.open()
    away = places[0] - window.geometry().center()
    assert abs(away.x()) <= 1 and abs(away.y()) <= 1
    (shade,) = window.findChildren(Shade)
    assert shade.geometry() == window.rect() and shade.isVisible()

    sheet.reject()

    qtbot.waitUntil(lambda: not window.findChildren(Shade))


def test_only_cameras_are_offered_as_simulated_cameras(
    sheet: SettingsSheet, context: GuiContext
) -> None:
    page = sheet.page("equipment")
    assert isinstance(page, EquipmentPage)

    offered = [page.simulated.itemText(i) for i in range(page.simulated.count())]

    assert offered == [rig.title for rig in context.rigs]


def test_a_theme_is_shown_at_once(qtbot: QtBot, sheet: SettingsSheet, context: GuiContext) -> None:
    page = sheet.page("appearance")
    assert isinstance(page, AppearancePage)

    choice: SegmentedControl = page.choice
    choice.chosen.emit("light")

    assert context.theme.name == "light"
    assert choice.value == "light"


def test_night_brightness_is_kept_and_said(
    qtbot: QtBot, sheet: SettingsSheet, context: GuiContext
) -> None:
    page = sheet.page("appearance")
    assert isinstance(page, AppearancePage)
    context.theme.set_theme("night")

    page.slider.setValue(55)

    assert context.settings.current.night_brightness == 55
    assert context.theme.tokens.text == "#700000"


def test_touch_makes_controls_a_finger_high(
    qtbot: QtBot, sheet: SettingsSheet, context: GuiContext
) -> None:
    page = sheet.page("appearance")
    assert isinstance(page, AppearancePage)

    qtbot.mouseClick(page.touch, Qt.MouseButton.LeftButton)

    assert context.settings.current.touch
    assert context.theme.sizes.control == 44


def test_a_frames_folder_is_checked_beside_its_field(
    qtbot: QtBot, sheet: SettingsSheet, context: GuiContext, tmp_path: Path
) -> None:
    page = sheet.page("folders")
    assert isinstance(page, FoldersPage)
    sheet.show_page("folders")
    (tmp_path / "file").touch()
    before = context.settings.current.frames_folder

    page.frames.setText(str(tmp_path / "file"))
    page.frames.editingFinished.emit()
    assert context.settings.current.frames_folder == before
    assert page.frames.property("bad") == "true"

    page.frames.setText(str(tmp_path / "new"))
    page.frames.editingFinished.emit()
    assert context.settings.current.frames_folder == tmp_path / "new"
    assert page.frames.property("bad") == "false"


def test_what_a_broken_frame_does_to_its_stack_is_a_setting(
    sheet: SettingsSheet, context: GuiContext
) -> None:
    page = sheet.page("folders")
    assert isinstance(page, FoldersPage)
    assert page.broken.value is False

    page.broken.step(1)

    assert context.settings.current.stop_at_broken


def test_the_memory_of_a_stack_is_a_setting(sheet: SettingsSheet, context: GuiContext) -> None:
    page = sheet.page("folders")
    assert isinstance(page, FoldersPage)
    assert page.memory.value == 0
    assert context.settings.current.stack_memory_bytes is None

    page.memory.step(2)

    assert context.settings.current.stack_memory_bytes == 500_000_000


def test_another_camera_is_connected_in_the_background(
    qtbot: QtBot, sheet: SettingsSheet, context: GuiContext
) -> None:
    page = sheet.page("equipment")
    assert isinstance(page, EquipmentPage)
    sheet.show_page("equipment")

    with qtbot.waitSignal(context.equipment.observatory_changed, timeout=5000):
        choose(page, "small")

    assert context.equipment.observatory.camera.info.name == "Simulated 1.4 MP mono"
    assert context.settings.current.rig == "small"


def test_a_camera_at_work_is_not_taken_away(
    qtbot: QtBot, sheet: SettingsSheet, context: GuiContext
) -> None:
    page = sheet.page("equipment")
    assert isinstance(page, EquipmentPage)
    sheet.show_page("equipment")
    job = context.camera_jobs.submit("Darks", lambda ctx: ctx.token.wait(600))

    choose(page, "small")

    assert context.equipment.observatory.camera.info.name == "Simulated 0.3 MP mono"
    assert page.simulated.value == "tiny"
    with qtbot.waitSignal(job.cancelled):
        job.cancel()


def test_a_time_zone_that_does_not_exist_is_said(
    qtbot: QtBot, sheet: SettingsSheet, context: GuiContext
) -> None:
    page = sheet.page("site")
    assert isinstance(page, SitePage)

    page.fields.name.setText("Gornergrat")
    page.fields.zone.setText("Mars/Olympus")
    page.fields.zone.editingFinished.emit()
    assert context.settings.current.site_name == ""
    assert page.fields.zone.property("bad") == "true"

    page.fields.zone.setText("Europe/Zurich")
    page.fields.zone.editingFinished.emit()
    assert context.settings.current.site_name == "Gornergrat"
    assert context.settings.current.site_timezone == "Europe/Zurich"


def test_escape_closes_it(qtbot: QtBot, sheet: SettingsSheet) -> None:
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)

    assert not sheet.isVisible()
