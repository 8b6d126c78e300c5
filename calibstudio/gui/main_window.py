"""The window: rail, workspaces, status bar; it remembers where it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QGridLayout,
    QStackedWidget,
    QWidget,
)

from calibstudio.domain.equipment import Observatory
from calibstudio.gui.actions import ACTIONS, ActionRow, sequences
from calibstudio.gui.caret import Caret
from calibstudio.gui.close_sheet import CloseSheet
from calibstudio.gui.context import GuiContext
from calibstudio.gui.help_view import HelpView
from calibstudio.gui.icons import icon
from calibstudio.gui.jobs.board import JobBoard
from calibstudio.gui.notify import EndOfWork
from calibstudio.gui.problems import Problem
from calibstudio.gui.rail import Rail
from calibstudio.gui.rigs.connection import cold_camera
from calibstudio.gui.sheet import Sheet, show_problem
from calibstudio.gui.status_bar import StatusBar
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.buttons import finish_typing
from calibstudio.gui.widgets.splitter import layout_settings
from calibstudio.gui.widgets.toast import ToastHost
from calibstudio.gui.widgets.workspace import FramesOf, Workspace
from calibstudio.gui.workspaces import WORKSPACES, WorkspaceRow, make_workspace

log = logging.getLogger(__name__)

COMPACT_BELOW = 1500
FRAME_ROOM = QSize(4, 40)
"""What title bar and border take at most."""
Maker = Callable[[WorkspaceRow, GuiContext, QWidget | None], Workspace]


LEAST = QSize(1280, 720)
"""What everything has room in, without a panel scrolling more than it should."""
SMALLEST = QSize(1180, 620)
"""On a screen without that room: panels scroll."""


def least_size(room: QSize) -> QSize:
    """Return the least size of the window on a screen with ``room`` beside its panels."""
    return LEAST.boundedTo(room - FRAME_ROOM).expandedTo(SMALLEST)


def first_size(room: QSize, least: QSize) -> QSize:
    """How large the window opens on a screen with ``room``, in logical pixels.

    The title bar and the border come on top of a window's size and are not known before it is
    shown; without room for them the status bar is below the edge of a small screen.
    """
    return QSize(1600, 960).boundedTo(room - FRAME_ROOM).expandedTo(least)


class MainWindow(QWidget):
    """The one main window. Workspaces are made when they are first shown, after the first paint.

    Signals
    -------
    first_painted()
        The window is on the screen; what is slow to import may be imported now.
    closing()
        The operator closed it; the program ends.
    """

    first_painted = Signal()
    closing = Signal()

    def __init__(
        self,
        context: GuiContext,
        *,
        workspaces: Sequence[WorkspaceRow] = WORKSPACES,
        make: Maker = make_workspace,
    ) -> None:
        super().__init__()
        self._context = context
        self._rows = {row.id: row for row in workspaces}
        self._make = make
        self._made: dict[str, Workspace] = {}
        self._current = ""
        self._painted = False
        self._may_close = False
        self._problem: Sheet | None = None
        self._closing: CloseSheet | None = None
        self.setWindowTitle("CalibStudio")
        # A click beside a field ends typing in it.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._build()
        self._actions = self._make_actions()
        self._connect()

    # Building

    def _build(self) -> None:
        context = self._context
        self.board = JobBoard((context.camera_jobs, context.background), self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        self.rail = Rail(context.theme, tuple(r.action for r in self._rows.values()), self)
        self._stack = QStackedWidget()
        self._blank = Workspace(context, "", self)
        self._stack.addWidget(self._blank)
        self.status_bar = StatusBar(context, self.board, self)
        self.status_bar.equipment_wanted.connect(lambda: self.show_settings("equipment"))
        self._first_start: list[Banner] = []
        context.equipment.observatory_changed.connect(self._on_observatory)
        grid.addWidget(self.rail, 0, 0)
        grid.addWidget(self._stack, 0, 1)
        grid.addWidget(self.status_bar, 1, 0, 1, 2)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(0, 1)
        self.toasts = ToastHost(context.theme, context.toasts, self)
        context.toasts.show_wanted.connect(self.show_workspace)
        self._caret = Caret(context.theme, self)
        self._end_of_work = EndOfWork(
            (context.camera_jobs, context.background), context.settings, self
        )
        self._help: HelpView | None = None
        self._before_help = "live"
        self._resize_to_screen()

    def _make_actions(self) -> dict[str, QAction]:
        made = {}
        for row in ACTIONS:
            action = QAction(row.text, self)
            action.setShortcuts(sequences(row))
            action.setAutoRepeat(row.id in ("zoom-in", "zoom-out", "undo", "redo"))
            if row.icon:
                action.setIcon(icon(row.icon, self._context.theme.tokens))
            action.triggered.connect(lambda _checked=False, row=row: self.do(row))
            self.addAction(action)
            made[row.id] = action
        return made

    def _connect(self) -> None:
        context = self._context
        self.rail.chosen.connect(self.do_id)
        context.problems.foreseen.connect(self._on_foreseen)
        context.problems.unexpected.connect(self._on_unexpected)
        context.theme.changed.connect(self._on_theme_changed)
        context.settings.not_saved.connect(context.problems.report)

    def _resize_to_screen(self) -> None:
        screen = QGuiApplication.primaryScreen()
        room = screen.availableSize() if screen is not None else QSize(1600, 960)
        least = least_size(room)
        self.setMinimumSize(least)
        self.resize(first_size(room, least))

    # Workspaces

    @property
    def current(self) -> str:
        """The workspace that is shown, by id; ``help`` while help is."""
        return self._current

    @property
    def workspace(self) -> Workspace | None:
        """What is shown; None before the first paint."""
        shown = self._stack.currentWidget()
        return shown if isinstance(shown, Workspace) and shown is not self._blank else None

    def show_workspace(self, name: str) -> None:
        """Show a workspace by its id; before the first paint it is only remembered."""
        if name not in self._rows:
            return
        # Made first: if that fails, what was shown before still is, and the rail says so.
        workspace = self._workspace(name) if self._painted else None
        self._current = name
        self.rail.show_chosen(self._rows[name].action)
        self.setWindowTitle(f"{self._rows[name].title} - CalibStudio")
        if workspace is None:
            self._blank.show_title(self._rows[name].title)
            return
        self._stack.setCurrentWidget(workspace)
        workspace.shown()
        layout_settings().setValue("window/workspace", name)

    def _workspace(self, name: str) -> Workspace:
        if name not in self._made:
            workspace = self._make(self._rows[name], self._context, self)
            workspace.set_compact(self.width() < COMPACT_BELOW)
            workspace.frames_wanted.connect(self.show_frames)
            workspace.settings_wanted.connect(self.show_settings)
            workspace.plan_wanted.connect(self.show_light_plan)
            workspace.workspace_wanted.connect(self.show_workspace)
            self._made[name] = workspace
            self._stack.addWidget(workspace)
            if name == "live":
                self._add_first_start_banner(workspace)
        return self._made[name]

    @Slot(object)
    def show_frames(self, wanted: FramesOf) -> None:
        """Look at a folder in Frames, and there at the group of some frames."""
        self.show_workspace("frames")
        look_at = getattr(self.workspace, "look_at", None)
        if look_at is not None:
            look_at(wanted.folder, wanted.frames)

    @Slot(object)
    def show_light_plan(self, lights: Sequence[Path]) -> None:
        """Plan in Capture what lights lack."""
        self.show_workspace("capture")
        plan = getattr(self.workspace, "plan_for_lights", None)
        if plan is not None:
            plan(lights)

    def _add_first_start_banner(self, workspace: Workspace) -> None:
        context = self._context
        if not context.equipment.observatory.is_simulated:
            return
        if context.settings.current.first_start_seen:
            return
        banner = Banner(
            context.theme,
            "info",
            "Simulated observatory.",
            "Nothing is connected, so these frames are made up; everything works.",
            action="Connect equipment",
            on_action=lambda: self.show_settings("equipment"),
        )
        banner.closed.connect(self._on_first_start_seen)
        self._first_start.append(banner)
        workspace.add_banner(banner)

    # What keys and the rail do

    @Slot(str)
    def do_id(self, action: str) -> None:
        """Do an action of the table."""
        self.do(next(row for row in ACTIONS if row.id == action))

    def do(self, row: ActionRow) -> None:
        """Do an action: here when it works everywhere, else in the workspace that is shown."""
        if row.everywhere:
            self._do_here(row.id)
            return
        focus = QApplication.focusWidget()
        if row.id == "take-one" and isinstance(focus, QAbstractButton):
            # Somebody came to this button by Tab: Space is its own.
            focus.click()
            return
        if row.id in ("primary", "take-one", "loop"):
            finish_typing()
        if row.id == "cancel" and self.status_bar.jobs_popover.isVisible():
            self.status_bar.jobs_popover.close_popover()
            return
        if self.workspace is not None:
            self.workspace.do(row.id)

    def _do_here(self, action: str) -> None:
        if action.startswith("workspace-"):
            self.show_workspace(action.removeprefix("workspace-"))
            return
        doing: dict[str, Callable[[], object]] = {
            "jobs": self.status_bar.toggle_jobs,
            "night": self._context.theme.toggle_night,
            "full-screen": self.toggle_full_screen,
            "settings": self.show_settings,
            "help": self.show_help,
            "quit": self.close,
        }
        doing[action]()

    def toggle_full_screen(self) -> None:
        """Hide the window's frame, which no theme can tint, or show it again."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def show_settings(self, page: str = "appearance") -> Sheet:
        """Open the settings."""
        from calibstudio.gui.settings_dialog import SettingsSheet

        sheet = SettingsSheet(self._context, self, page=page)
        sheet.open()
        return sheet

    def show_help(self, page: str = "") -> None:
        """Show the help, at the page of what was looked at."""
        if self._current == "help" and not page:
            self._leave_help()
            return
        if self._help is None:
            self._help = HelpView(self._context, self)
            self._help.set_compact(self.width() < COMPACT_BELOW)
            self._help.closed.connect(self._leave_help)
            self._stack.addWidget(self._help)
        self._before_help = self._current if self._current != "help" else "live"
        self._help.show_page(page or self._current)
        self._current = "help"
        self.rail.show_chosen("help")
        self._stack.setCurrentWidget(self._help)

    @Slot()
    def _leave_help(self) -> None:
        self.show_workspace(self._before_help)

    # Window events

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), self._context.theme.color("panel"))
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self._after_first_paint)

    @Slot()
    def _after_first_paint(self) -> None:
        self.first_painted.emit()
        if not self.isVisible():
            return  # closed again already
        self.show_workspace(self._current or "live")
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        compact = self.width() < COMPACT_BELOW
        self.rail.set_compact(compact)
        self.status_bar.set_compact(compact)
        for workspace in (self._blank, *self._made.values()):
            workspace.set_compact(compact)
        if self._help is not None:
            self._help.set_compact(compact)

    def restore_layout(self) -> None:
        """Be where the window was last time; call before the first show."""
        kept = layout_settings()
        geometry = kept.value("window/geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)
        name = str(kept.value("window/workspace", "live"))
        self.show_workspace(name if name in self._rows else "live")

    def save_layout(self) -> None:
        """Remember where the window is."""
        layout_settings().setValue("window/geometry", self.saveGeometry())

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_close and self._reasons_to_stay():
            event.ignore()
            if self._closing is None:
                sheet = CloseSheet(
                    self._context.theme, self, self._reasons_to_stay, self.close_at_once
                )
                sheet.finished.connect(self._on_close_answered)
                self._closing = sheet
                sheet.open()
            return
        self.save_layout()
        for workspace in self._made.values():
            workspace.close_down()
        event.accept()
        self.closing.emit()

    def _reasons_to_stay(self) -> list[str]:
        """What would be lost now, one sentence each."""
        reasons = [w.busy_with() for w in self._made.values()]
        return [r for r in (*reasons, cold_camera(self._context.equipment)) if r]

    @Slot()
    def _on_close_answered(self) -> None:
        self._closing = None

    def close_at_once(self) -> None:
        """Close without asking."""
        self._may_close = True
        self.close()

    # Facts from elsewhere

    @Slot(object)
    def _on_foreseen(self, problem: Problem) -> None:
        self._context.toasts.say(problem.message, "bad", hint=problem.hint)

    @Slot(object)
    def _on_unexpected(self, problem: Problem) -> None:
        if self._problem is not None:
            return  # one at a time; all of them are in the log
        self._problem = show_problem(self._context.theme, self, problem)
        self._problem.finished.connect(self._on_problem_read)

    @Slot()
    def _on_problem_read(self) -> None:
        self._problem = None

    @Slot(object)
    def _on_observatory(self, observatory: Observatory) -> None:
        """The banner of the first start is true of the simulated observatory only."""
        seen = self._context.settings.current.first_start_seen
        for banner in self._first_start:
            banner.setVisible(observatory.is_simulated and not seen)

    @Slot()
    def _on_first_start_seen(self) -> None:
        self._context.settings.change(first_start_seen=True)

    @Slot()
    def _on_theme_changed(self) -> None:
        theme = self._context.theme
        self._context.settings.change(theme=theme.name, night_brightness=theme.night_brightness)
        for row in ACTIONS:
            if row.icon:
                self._actions[row.id].setIcon(icon(row.icon, theme.tokens))
        self.update()
