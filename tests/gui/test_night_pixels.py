"""In the night theme every pixel is red only: real widgets and Qt's own dialogs are looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDateTimeEdit,
    QDoubleSpinBox,
    QGroupBox,
    QInputDialog,
    QLineEdit,
    QListWidget,
    QMenu,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSlider,
    QSpinBox,
    QTableWidget,
    QTabWidget,
    QTextEdit,
    QToolButton,
    QToolTip,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from calibstudio.domain.quality import Finding, Verdict
from calibstudio.gui.caret import Caret
from calibstudio.gui.sheet import file_dialog
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.buttons import Button, ButtonKind, IconButton
from calibstudio.gui.widgets.fields import ComboField, NumberField, SearchField
from calibstudio.gui.widgets.panels import Card, EmptyState, KeyValueGrid, Legend, Section
from calibstudio.gui.widgets.progress import BusyLine, ProgressBar
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.switch import Switch
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView, verdict_column
from calibstudio.gui.widgets.tree import COUNT_ROLE, ICON_ROLE, STATUS_ROLE, TreeView
from calibstudio.gui.widgets.verdict import WORDS, StatusDot, VerdictCard, VerdictChip, VerdictTag

Look = Callable[[QWidget], bool]


@pytest.fixture
def night(theme: ThemeState) -> ThemeState:
    theme.set_theme("night")
    return theme


def _checked(button: QCheckBox | QRadioButton) -> QWidget:
    button.setChecked(True)
    return button


def _off(widget: QWidget) -> QWidget:
    widget.setEnabled(False)
    return widget


def _combo() -> QComboBox:
    combo = QComboBox()
    combo.addItems(["one", "two"])
    return combo


def _tree() -> QTreeWidget:
    tree = QTreeWidget()
    tree.setHeaderLabels(["name"])
    top = QTreeWidgetItem(["top"])
    top.addChild(QTreeWidgetItem(["child"]))
    tree.addTopLevelItem(top)
    tree.expandAll()
    tree.setCurrentItem(top)
    return tree


def _table() -> QTableWidget:
    table = QTableWidget(40, 12)
    table.selectRow(1)
    return table


def _tabs() -> QTabWidget:
    tabs = QTabWidget()
    tabs.addTab(QWidget(), "one")
    tabs.addTab(QWidget(), "two")
    return tabs


def _list() -> QListWidget:
    made = QListWidget()
    made.addItems([f"row {i}" for i in range(60)])
    made.setCurrentRow(2)
    return made


def _scrolled() -> QScrollArea:
    area = QScrollArea()
    inside = QWidget()
    inside.setFixedSize(2000, 2000)
    area.setWidget(inside)
    return area


def _slider(orientation: Qt.Orientation) -> QSlider:
    made = QSlider(orientation)
    made.setValue(40)
    return made


def _bar() -> QProgressBar:
    bar = QProgressBar()
    bar.setValue(40)
    return bar


QT_WIDGETS: dict[str, Callable[[], QWidget]] = {
    "push button": lambda: QPushButton("Do it"),
    "push button off": lambda: _off(QPushButton("Do it")),
    "tool button": QToolButton,
    "check box": lambda: QCheckBox("Off"),
    "check box on": lambda: _checked(QCheckBox("On")),
    "check box disabled": lambda: _off(_checked(QCheckBox("On"))),
    "radio button": lambda: QRadioButton("Off"),
    "radio button on": lambda: _checked(QRadioButton("On")),
    "line edit": lambda: QLineEdit("text"),
    "line edit off": lambda: _off(QLineEdit("text")),
    "spin box": QSpinBox,
    "double spin box": QDoubleSpinBox,
    "date": QDateTimeEdit,
    "combo box": _combo,
    "combo box off": lambda: _off(_combo()),
    "slider": lambda: _slider(Qt.Orientation.Horizontal),
    "vertical slider": lambda: _slider(Qt.Orientation.Vertical),
    "progress bar": _bar,
    "text edit": lambda: QTextEdit("<b>text</b>"),
    "plain text edit": lambda: QPlainTextEdit("text"),
    "tree": _tree,
    "table": _table,
    "list": _list,
    "tabs": _tabs,
    "group": lambda: QGroupBox("title"),
    "scroll area": _scrolled,
}


def _in_a_window(qtbot: object, widget: QWidget) -> QWidget:
    """Put a widget on the ground that it stands on in the program."""
    window = QWidget()
    qtbot.addWidget(window)  # type: ignore[attr-defined]
    QVBoxLayout(window).addWidget(widget)
    return window


@pytest.mark.parametrize("name", QT_WIDGETS)
def test_widgets_that_qt_draws_are_red_only(
    qtbot: object, night: ThemeState, is_red_only: Look, name: str
) -> None:
    widget = QT_WIDGETS[name]()
    window = _in_a_window(qtbot, widget)

    window.resize(420, 300)
    window.show()
    widget.setFocus(Qt.FocusReason.TabFocusReason)

    assert is_red_only(window)


@pytest.mark.parametrize(
    "make",
    [QLineEdit, QSpinBox, QPlainTextEdit, QTextEdit, SearchField, NumberField],
    ids=lambda m: m.__name__,
)
def test_the_text_cursor_is_red_only(
    qtbot: object, night: ThemeState, is_red_only: Look, make: type[QWidget]
) -> None:
    # Qt inverts what is below its own cursor: white on the night theme's black.
    window = QWidget()
    qtbot.addWidget(window)  # type: ignore[attr-defined]
    caret = Caret(night, window)
    if make in (SearchField, NumberField):
        field = make(night, name="field")  # type: ignore[call-arg]
    else:
        field = make()
    column = QVBoxLayout(window)
    column.addWidget(field)
    column.addWidget(QLineEdit())
    window.show()
    window.activateWindow()
    qtbot.waitExposed(window)  # type: ignore[attr-defined]

    field.setFocus(Qt.FocusReason.TabFocusReason)

    qtbot.waitUntil(lambda: caret.is_shown)  # type: ignore[attr-defined]
    assert is_red_only(window)


def _finding(verdict: Verdict) -> Finding:
    return Finding(verdict, "light leak", "Gradient 23.5 ADU, limit 2.0 ADU.", "the Sun", "a cover")


def _card(theme: ThemeState, verdict: Verdict) -> VerdictCard:
    return VerdictCard(theme, _finding(verdict), [("Show frame", lambda: None)])


def _empty(theme: ThemeState) -> EmptyState:
    return EmptyState(theme, "live", "No frame yet.", action="Take one frame", primary=True)


def _records(theme: ThemeState) -> TableView:
    columns: list[Column[tuple[str, float, Verdict]]] = [
        Column("File", lambda r: r[0]),
        Column("Level [ADU]", lambda r: r[1], align="right", tone=lambda r: "bad"),
        verdict_column("Verdict", lambda r: r[2]),
    ]
    rows = [(f"frame {i}.fits", i / 3, list(Verdict)[i % 3]) for i in range(60)]
    view = TableView(theme, RecordTableModel(columns, rows), name="frames")
    view.selectRow(1)
    return view


def _groups(theme: ThemeState) -> TreeView:
    model = QStandardItemModel()
    top = QStandardItem("Dark")
    top.setData("stack", ICON_ROLE)
    top.setData("40", COUNT_ROLE)
    top.setData("warn", STATUS_ROLE)
    top.appendRow(QStandardItem("Used"))
    model.appendRow(top)
    view = TreeView(theme, model, name="groups")
    view.expandAll()
    view.setCurrentIndex(model.index(0, 0))
    return view


def _chip(theme: ThemeState) -> VerdictChip:
    chip = VerdictChip(theme)
    chip.show_status("bad", "Level 36 412 ADU")
    return chip


def _line(theme: ThemeState) -> BusyLine:
    line = BusyLine(theme)
    line.show_fraction(0.4)
    return line


def _progress(theme: ThemeState) -> ProgressBar:
    bar = ProgressBar(theme, name="bar")
    bar.set_fraction(0.4)
    return bar


OUR_WIDGETS: dict[str, Callable[[ThemeState], QWidget]] = {
    **{
        f"button {kind}": (lambda t, kind=kind: Button(t, "Take", kind, icon="take-one", key="A"))
        for kind in ButtonKind
    },
    "icon button": lambda t: IconButton(t, "crosshair", "Crosshair", checkable=True),
    "segments": lambda t: SegmentedControl(t, [(1, "Auto"), (2, "Log")], name="Stretch"),
    "switch on": lambda t: Switch(t, "Lamp", on=True),
    "switch off": lambda t: Switch(t, "Lamp"),
    "number": lambda t: NumberField(t, name="Exposure", unit="s", large=True),
    "combo": lambda t: ComboField(t, [(1, "1 × 1")], name="Binning"),
    "search": lambda t: SearchField(t),
    **{f"tag {kind}": (lambda t, kind=kind: VerdictTag(t, kind)) for kind in WORDS},
    **{f"dot {kind}": (lambda t, kind=kind: StatusDot(t, kind)) for kind in WORDS},
    **{
        f"card {v}": (lambda t, v=v: VerdictCard(t, _finding(v), [("Show", print)]))
        for v in Verdict
    },
    "chip": _chip,
    **{
        f"banner {kind}": (lambda t, kind=kind: Banner(t, kind, "Head.", "Text.", action="Do"))
        for kind in ("good", "warn", "bad", "info")
    },
    "busy line": _line,
    "progress": _progress,
    "facts": lambda t: KeyValueGrid([("Frames", "37")]),
    "section": lambda t: Section("Cooler", note="settled"),
    "card": lambda t: Card("Target level"),
    "empty": lambda t: EmptyState(
        t, "live", "No frame yet.", action="Take one frame", primary=True
    ),
    "legend": lambda t: Legend(t, "kept", "series1", "dot"),
    "table of records": _records,
    "tree of groups": _groups,
}


@pytest.mark.parametrize("name", OUR_WIDGETS)
def test_our_own_widgets_are_red_only(
    qtbot: object, night: ThemeState, is_red_only: Look, name: str
) -> None:
    widget = OUR_WIDGETS[name](night)
    window = _in_a_window(qtbot, widget)

    window.show()
    widget.setFocus(Qt.FocusReason.TabFocusReason)

    assert is_red_only(window)


def test_a_widget_follows_when_the_theme_changes(
    qtbot: object, theme: ThemeState, is_red_only: Look
) -> None:
    view, card = _records(theme), VerdictCard(theme, _finding(Verdict.WARN))
    for widget in (view, card):
        qtbot.addWidget(widget)  # type: ignore[attr-defined]
        widget.show()
        with pytest.raises(AssertionError):
            is_red_only(widget)

    theme.set_theme("night")

    assert is_red_only(view)
    assert is_red_only(card)


def test_menus_are_red_only(qtbot: object, night: ThemeState, is_red_only: Look) -> None:
    menu = QMenu()
    qtbot.addWidget(menu)  # type: ignore[attr-defined]
    menu.addAction("Copy")
    tick = menu.addAction("Ticked")
    tick.setCheckable(True)
    tick.setChecked(True)
    menu.addSeparator()
    menu.addMenu("More").addAction("Deep")
    menu.addAction("Off").setEnabled(False)

    menu.popup(menu.pos())
    menu.setActiveAction(tick)

    assert is_red_only(menu)
    menu.close()


def test_tooltips_are_red_only(qtbot: object, night: ThemeState, is_red_only: Look) -> None:
    window = QWidget()
    qtbot.addWidget(window)  # type: ignore[attr-defined]
    window.show()

    QToolTip.showText(window.pos(), "Sensor −10.0 °C, set −10.0 °C", window)

    tip = next(w for w in QApplication.topLevelWidgets() if w.inherits("QTipLabel"))
    assert is_red_only(tip)
    QToolTip.hideText()
    tip.close()


def test_the_list_of_a_combo_box_is_red_only(
    qtbot: object, night: ThemeState, is_red_only: Look
) -> None:
    combo = ComboField(night, [(i, f"slot {i}") for i in range(40)], name="Filter")
    qtbot.addWidget(combo)  # type: ignore[attr-defined]
    combo.show()

    combo.showPopup()

    assert is_red_only(combo.view().window())
    combo.hidePopup()


@pytest.mark.parametrize("many", [False, True], ids=["folder", "files"])
def test_the_file_dialog_is_red_only(
    qtbot: object, night: ThemeState, is_red_only: Look, tmp_path: Path, many: bool
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "frame.fits").touch()
    window = QWidget()
    qtbot.addWidget(window)  # type: ignore[attr-defined]
    caret = Caret(night, window)
    window.show()
    dialog = file_dialog(night, window, "Choose", start=tmp_path, folders=not many, many=many)
    qtbot.addWidget(dialog)  # type: ignore[attr-defined]

    dialog.open()
    qtbot.waitUntil(lambda: caret.is_shown)  # type: ignore[attr-defined]

    assert is_red_only(dialog)
    dialog.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda w: QMessageBox(QMessageBox.Icon.Warning, "t", "text", parent=w),
        lambda w: QMessageBox(QMessageBox.Icon.Critical, "t", "text", parent=w),
        lambda w: QInputDialog(w),
    ],
    ids=["warning", "critical", "input"],
)
def test_message_boxes_are_red_only(
    qtbot: object, night: ThemeState, is_red_only: Look, make: Callable[[QWidget], QWidget]
) -> None:
    window = QWidget()
    qtbot.addWidget(window)  # type: ignore[attr-defined]
    caret = Caret(night, window)
    dialog = make(window)
    if isinstance(dialog, QMessageBox):
        dialog.setOption(QMessageBox.Option.DontUseNativeDialog, True)

    dialog.show()
    if isinstance(dialog, QInputDialog):
        qtbot.waitUntil(lambda: caret.is_shown)  # type: ignore[attr-defined]

    assert is_red_only(dialog)
    dialog.close()
