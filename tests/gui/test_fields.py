"""Inputs: what the operator types, and that setting by program is not taken for the operator."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import ComboField, Labelled, NumberField, SearchField
from calibstudio.gui.widgets.segmented import SegmentedControl


@pytest.fixture
def level(qtbot: QtBot, theme: ThemeState) -> NumberField:
    made = NumberField(
        theme, name="Level", unit="ADU", value=32000, maximum=65535, minimum=-100, decimals=1
    )
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("1500", 1500.0),
        ("36 412", 36412.0),
        ("36\u202f412", 36412.0),
        ("2,5", 2.5),
        ("\u221210.5", -10.5),
        ("-10.5", -10.5),
        ("99999", 65535.0),
    ],
)
def test_numbers_are_understood_as_people_write_them(
    qtbot: QtBot, level: NumberField, typed: str, value: float
) -> None:
    level.lineEdit().selectAll()
    level.lineEdit().insert(typed)  # QTest has no keys for a narrow space and a real minus

    with qtbot.waitSignal(level.edited) as waited:
        qtbot.keyClick(level, Qt.Key.Key_Return)

    assert waited.args == [value]


def test_numbers_are_written_with_thin_spaces_and_a_real_minus(level: NumberField) -> None:
    assert level.text() == "32\u202f000.0"

    level.set_value(-10)

    assert level.text() == "\u221210.0"


def test_letters_are_not_taken(qtbot: QtBot, level: NumberField) -> None:
    level.lineEdit().selectAll()
    qtbot.keyClicks(level, "12x")

    assert level.lineEdit().text() == "12"


def test_setting_by_program_is_not_the_operator(qtbot: QtBot, level: NumberField) -> None:
    with qtbot.assertNotEmitted(level.edited):
        level.set_value(100)
        level.editingFinished.emit()


def test_an_arrow_key_steps_and_says_so(qtbot: QtBot, level: NumberField) -> None:
    with qtbot.waitSignal(level.edited) as waited:
        qtbot.keyClick(level, Qt.Key.Key_Up)

    assert waited.args == [32001.0]


def test_what_is_being_typed_is_left_alone_by_a_reading_of_the_camera(
    qtbot: QtBot, level: NumberField
) -> None:
    level.activateWindow()
    level.setFocus()
    qtbot.waitUntil(level.hasFocus)
    level.lineEdit().selectAll()
    qtbot.keyClicks(level, "12")

    level.set_value(500)

    assert level.lineEdit().text() == "12"


def _turn(widget: QWidget) -> None:
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle,
        QPointF(widget.mapToGlobal(widget.rect().center())),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_scrolling_a_panel_changes_no_setting(
    qtbot: QtBot, theme: ThemeState, level: NumberField
) -> None:
    combo = ComboField(theme, [(1, "1 × 1"), (2, "2 × 2")], name="Binning", value=2)
    qtbot.addWidget(combo)
    combo.show()
    level.clearFocus()

    _turn(level)
    _turn(combo)

    assert level.value() == 32000
    assert combo.value == 2


def test_a_choice_is_said_once_and_only_by_the_operator(qtbot: QtBot, theme: ThemeState) -> None:
    combo = ComboField(theme, [(1, "1 × 1"), (2, "2 × 2")], name="Binning")
    qtbot.addWidget(combo)
    said: list[object] = []
    combo.chosen.connect(said.append)

    combo.set_value(2)
    combo.set_options([(2, "2 × 2"), (3, "3 × 3")])
    assert combo.value == 2
    combo.setFocus()
    combo.show()
    qtbot.keyClick(combo, Qt.Key.Key_Down)

    assert said == [3]


def test_segments_are_chosen_by_mouse_and_arrow_keys(qtbot: QtBot, theme: ThemeState) -> None:
    control = SegmentedControl(theme, [("a", "Auto"), ("l", "Linear")], name="Stretch")
    qtbot.addWidget(control)
    control.show()
    said: list[object] = []
    control.chosen.connect(said.append)
    _, second = control.findChildren(QWidget)

    qtbot.mouseClick(second, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(second, Qt.MouseButton.LeftButton)
    qtbot.keyClick(second, Qt.Key.Key_Left)

    assert said == ["l", "a"]
    assert control.value == "a"
    control.set_value("l")
    assert said == ["l", "a"]


def test_search_waits_for_the_last_key_and_escape_empties_it(
    qtbot: QtBot, theme: ThemeState
) -> None:
    field = SearchField(theme, delay_ms=20)
    qtbot.addWidget(field)
    field.show()
    said: list[str] = []
    field.searched.connect(said.append)

    with qtbot.waitSignal(field.searched):
        qtbot.keyClicks(field, "Ha ")
    qtbot.keyClick(field, Qt.Key.Key_Escape)

    assert said == ["Ha", ""]


def test_a_label_names_its_field_for_screen_readers(qtbot: QtBot, theme: ThemeState) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    field = QLineEdit()
    labelled = Labelled("Site name", field)
    QVBoxLayout(window).addWidget(labelled)

    assert field.accessibleName() == "Site name"
    assert labelled.label.buddy() is field
