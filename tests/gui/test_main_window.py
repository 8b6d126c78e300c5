"""The window as an operator meets it: keys, rail, lazy workspaces, banner, closing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.domain.errors import CalibStudioError
from calibstudio.gui.context import GuiContext
from calibstudio.gui.main_window import MainWindow, first_size, least_size
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.fields import NumberField
from calibstudio.gui.widgets.splitter import layout_settings
from calibstudio.gui.widgets.workspace import Workspace
from calibstudio.gui.workspaces import WORKSPACES, WorkspaceRow


class Page(Workspace):
    """A workspace that remembers what it was asked to do."""

    def __init__(self, row: WorkspaceRow, context: GuiContext, parent: QWidget | None) -> None:
        super().__init__(context, row.title, parent)
        self.done: list[str] = []
        self.busy = ""
        self.field = QLineEdit()
        self.body.addWidget(self.field)
        self.button = Button(context.theme, "Press")
        self.button.clicked.connect(lambda: self.done.append("button"))
        self.body.addWidget(self.button)
        for action in ("take-one", "loop", "cancel", "primary", "approve"):
            self.on(action, lambda action=action: self.done.append(action))

    def busy_with(self) -> str:
        return self.busy


class Window:
    """A window with its pages."""

    def __init__(self, context: GuiContext) -> None:
        self.made: dict[str, Page] = {}
        self.window = MainWindow(context, make=self._make)

    def _make(self, row: WorkspaceRow, context: GuiContext, parent: QWidget | None) -> Workspace:
        self.made[row.id] = Page(row, context, parent)
        return self.made[row.id]


@pytest.fixture
def shown(qtbot: QtBot, context: GuiContext) -> Window:
    made = Window(context)
    qtbot.addWidget(made.window)
    with qtbot.waitSignal(made.window.first_painted):
        made.window.show()
    qtbot.waitUntil(lambda: "live" in made.made)
    made.window.activateWindow()
    return made


def test_nothing_is_made_before_the_first_paint(qtbot: QtBot, context: GuiContext) -> None:
    made = Window(context)
    qtbot.addWidget(made.window)

    made.window.restore_layout()

    assert made.made == {}


def test_keys_1_to_5_go_to_the_workspaces_which_are_made_when_first_shown(
    qtbot: QtBot, shown: Window
) -> None:
    assert list(shown.made) == ["live"]

    for key, row in zip("2345", WORKSPACES[1:], strict=True):
        qtbot.keyClick(shown.window, key)
        assert shown.window.current == row.id
        assert shown.window.workspace is shown.made[row.id]
        assert shown.window.rail.button(row.action).isChecked()
    qtbot.keyClick(shown.window, "1")

    assert shown.window.current == "live"
    assert not shown.window.rail.button("workspace-calibrate").isChecked()


def test_who_asks_what_lights_need_is_brought_to_capture(qtbot: QtBot, shown: Window) -> None:
    shown.window.show_workspace("library")

    shown.made["library"].plan_wanted.emit(())

    assert shown.window.current == "capture"


def test_a_workspace_that_cannot_be_made_leaves_the_one_that_is_shown(
    qtbot: QtBot, shown: Window
) -> None:
    def broken(row: WorkspaceRow, context: GuiContext, parent: QWidget | None) -> Workspace:
        raise RuntimeError("broken")

    shown.window._make = broken

    with pytest.raises(RuntimeError):
        shown.window.show_workspace("frames")

    assert shown.window.current == "live"
    assert shown.window.workspace is shown.made["live"]
    assert shown.window.rail.button("workspace-live").isChecked()


def test_f9_goes_to_night_and_back_and_remembers_it(
    qtbot: QtBot, shown: Window, context: GuiContext, is_red_only: Callable[[QWidget], bool]
) -> None:
    qtbot.keyClick(shown.window, Qt.Key.Key_F9)

    assert context.settings.current.theme == "night"
    assert is_red_only(shown.window)
    qtbot.keyClick(shown.window, Qt.Key.Key_F9)
    assert context.settings.current.theme == "dark"


def test_every_screen_of_the_window_is_red_only_in_night(
    qtbot: QtBot, shown: Window, is_red_only: Callable[[QWidget], bool]
) -> None:
    qtbot.keyClick(shown.window, Qt.Key.Key_F9)

    for page in ("index", "live", "capture", "keys", "licences"):
        shown.window.show_help(page)
        assert is_red_only(shown.window)
    for page in ("appearance", "folders", "equipment", "site"):
        sheet = shown.window.show_settings(page)
        assert is_red_only(sheet)
        sheet.reject()
    qtbot.keyClick(shown.window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert shown.window.status_bar.jobs_popover.isVisible()
    assert is_red_only(shown.window)


@pytest.mark.parametrize("width", [1180, 1240, 1290])
def test_help_can_be_read_in_a_narrow_window(qtbot: QtBot, shown: Window, width: int) -> None:
    shown.window.setMinimumSize(1100, 600)
    shown.window.resize(width, 640)

    for page in ("index", "live", "capture", "keys", "library", "index"):
        shown.window.show_help(page)

    assert shown.window.current == "help"


def test_single_letters_and_space_act_outside_text_fields_only(qtbot: QtBot, shown: Window) -> None:
    page = shown.made["live"]
    page.field.setFocus()
    qtbot.waitUntil(page.field.hasFocus)

    qtbot.keyClicks(page.field, "la1 ")
    assert page.field.text() == "la1 "
    assert page.done == []

    page.field.clearFocus()
    qtbot.keyClick(shown.window, "l")
    qtbot.keyClick(shown.window, Qt.Key.Key_Space)
    assert page.done == ["loop", "take-one"]


def test_space_presses_the_button_that_tab_came_to(qtbot: QtBot, shown: Window) -> None:
    page = shown.made["live"]
    page.button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(page.button.hasFocus)

    qtbot.keyClick(page.button, Qt.Key.Key_Space)

    assert page.done == ["button"]


def test_a_click_leaves_space_to_the_camera(qtbot: QtBot, shown: Window) -> None:
    page = shown.made["live"]

    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)
    qtbot.keyClick(shown.window, Qt.Key.Key_Space)

    assert page.done == ["button", "take-one"]


def test_a_button_acts_on_the_number_that_was_just_typed(
    qtbot: QtBot, shown: Window, context: GuiContext
) -> None:
    page = shown.made["live"]
    exposure = NumberField(context.theme, name="Exposure", unit="s", value=1)
    page.body.addWidget(exposure)
    exposure.edited.connect(lambda s: page.done.append(f"{s:g} s"))
    exposure.setFocus()
    qtbot.waitUntil(exposure.hasFocus)
    qtbot.keyClick(exposure, Qt.Key.Key_Space)
    exposure.setFocus()
    exposure.selectAll()
    qtbot.keyClicks(exposure, "120")

    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)

    assert page.done == ["take-one", "120 s", "button"]


def test_ctrl_enter_is_the_filled_button(qtbot: QtBot, shown: Window) -> None:
    control = Qt.KeyboardModifier.ControlModifier

    qtbot.keyClick(shown.window, Qt.Key.Key_Return, control)

    assert shown.made["live"].done == ["primary"]


def test_f1_opens_the_page_of_the_workspace_and_closes_it_again(
    qtbot: QtBot, shown: Window
) -> None:
    qtbot.keyClick(shown.window, "4")

    qtbot.keyClick(shown.window, Qt.Key.Key_F1)
    help_view = shown.window.workspace
    assert shown.window.current == "help"
    assert getattr(help_view, "page", "") == "library"

    qtbot.keyClick(shown.window, Qt.Key.Key_F1)
    assert shown.window.current == "library"


def test_escape_closes_the_help_and_the_jobs_before_it_reaches_a_workspace(
    qtbot: QtBot, shown: Window
) -> None:
    shown.window.show_help()
    qtbot.keyClick(shown.window, Qt.Key.Key_Escape)
    assert shown.window.current == "live"

    shown.window.status_bar.toggle_jobs()
    qtbot.keyClick(shown.window, Qt.Key.Key_Escape)
    assert not shown.window.status_bar.jobs_popover.isVisible()
    assert shown.made["live"].done == []

    qtbot.keyClick(shown.window, Qt.Key.Key_Escape)
    assert shown.made["live"].done == ["cancel"]


def test_below_1500_pixels_everything_becomes_compact(qtbot: QtBot, shown: Window) -> None:
    window = shown.window
    window.resize(QSize(1920, 1080))
    assert (window.rail.width(), window.status_bar.height()) == (76, 34)
    assert not shown.made["live"].is_compact

    window.resize(QSize(1366, 768))

    assert (window.rail.width(), window.status_bar.height()) == (64, 32)
    assert shown.made["live"].is_compact
    assert shown.made["live"].header.height() == 44
    assert not window.status_bar.cover.isVisible()
    assert "Cover" in window.status_bar.filter.toolTip()


def test_the_simulated_observatory_is_said_until_it_was_read(
    qtbot: QtBot, shown: Window, context: GuiContext
) -> None:
    banner = shown.made["live"].findChild(Banner)
    assert banner is not None
    assert banner.isVisible()

    banner.closed.emit()

    assert context.settings.current.first_start_seen


def test_connect_equipment_opens_a_page_that_says_what_is_possible(
    qtbot: QtBot, shown: Window
) -> None:
    banner = shown.made["live"].findChild(Banner)
    assert banner is not None

    qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)

    sheet = shown.window.findChild(Sheet)
    assert sheet is not None
    texts = " ".join(w.text() for w in sheet.findChildren(QWidget) if hasattr(w, "text"))
    assert "simulated observatory" in texts
    assert "through ASCOM Alpaca" in texts
    sheet.reject()


def test_closing_asks_first_when_something_would_be_lost(qtbot: QtBot, shown: Window) -> None:
    shown.made["live"].busy = "A sequence is running. 18 good frames stay."

    shown.window.close()

    assert shown.window.isVisible()
    sheet = shown.window.findChild(Sheet)
    assert sheet is not None
    go_on, stop = [b for b in sheet.findChildren(Button) if b.text() in ("Go on", "Stop and close")]
    qtbot.mouseClick(go_on, Qt.MouseButton.LeftButton)
    assert shown.window.isVisible()

    shown.window.close()
    sheet = shown.window.findChildren(Sheet)[-1]
    stop = next(b for b in sheet.findChildren(Button) if b.text() == "Stop and close")
    with qtbot.waitSignal(shown.window.closing):
        qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert not shown.window.isVisible()


def test_a_foreseen_problem_is_a_toast_that_stays(
    qtbot: QtBot, shown: Window, context: GuiContext
) -> None:
    context.problems.report(CalibStudioError("3.1 GB free, 13.4 GB needed.", hint="Free 10.3 GB."))

    (toast,) = shown.window.toasts.shown
    assert toast.said.text == "3.1 GB free, 13.4 GB needed."
    assert toast.said.hint == "Free 10.3 GB."
    assert toast.said.stays
    assert toast.isVisible()


@pytest.mark.expects_error_log
def test_an_unexpected_error_is_a_dialog_with_details_to_copy(
    qtbot: QtBot, shown: Window, context: GuiContext
) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        context.problems.report(error)

    sheet = shown.window.findChild(Sheet)
    assert sheet is not None
    assert sheet.isVisible()
    assert "did not expect" in sheet.windowTitle()
    copy = next(b for b in sheet.findChildren(Button) if b.text() == "Copy details")
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    from PySide6.QtGui import QGuiApplication

    assert "ZeroDivisionError" in QGuiApplication.clipboard().text()
    sheet.accept()


def test_the_window_comes_back_where_it_was(qtbot: QtBot, context: GuiContext) -> None:
    first = Window(context)
    qtbot.addWidget(first.window)
    with qtbot.waitSignal(first.window.first_painted):
        first.window.show()
    first.window.show_workspace("frames")
    first.window.close()

    second = Window(context)
    qtbot.addWidget(second.window)
    second.window.restore_layout()

    assert layout_settings().value("window/geometry") is not None
    assert second.window.current == "frames"


def test_every_control_has_a_name_for_screen_readers(qtbot: QtBot, shown: Window) -> None:
    from PySide6.QtWidgets import QAbstractButton

    buttons = shown.window.findChildren(QAbstractButton)

    assert buttons
    nameless = [b for b in buttons if not (b.accessibleName() or b.text() or b.toolTip())]
    assert nameless == []


@pytest.mark.parametrize(
    "screen", [QSize(1366, 728), QSize(1366, 768), QSize(1440, 900), QSize(1600, 960)]
)
def test_the_first_window_fits_a_small_screen_with_its_title_bar(screen: QSize) -> None:
    frame = QSize(2, 36)  # of openbox, GNOME and Windows the largest
    size = first_size(screen, least_size(screen))
    assert size.width() + frame.width() <= screen.width()
    assert size.height() + frame.height() <= screen.height()


def test_the_first_window_is_no_larger_than_it_needs() -> None:
    assert first_size(QSize(2560, 1440), QSize(1280, 720)) == QSize(1600, 960)
    assert least_size(QSize(2560, 1440)) == QSize(1280, 720)
