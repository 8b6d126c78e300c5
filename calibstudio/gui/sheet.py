"""Dialogs of our own: without the system's frame, which would be bright in the night theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QDir, QEvent, QObject, QPoint, QSize, Qt, Slot
from PySide6.QtGui import QColor, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFileIconProvider,
    QHBoxLayout,
    QListView,
    QPlainTextEdit,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from calibstudio.gui.icons import icon
from calibstudio.gui.problems import Problem
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, IconButton
from calibstudio.gui.widgets.text import label

SHADE = QColor(0, 0, 0, 120)
"""Over the window behind a sheet: darker only, in every theme."""


class Shade(QWidget):
    """Dims a window that waits for a sheet."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setGeometry(window.rect())
        window.installEventFilter(self)
        self.raise_()
        self.show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and isinstance(watched, QWidget):
            self.setGeometry(watched.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), SHADE)


class Sheet(QDialog):
    """A dialog with its own title bar. Show it with ``open()``; put things into ``body``.

    Buttons go to the right of the foot with `add_button`, the one that does it last.
    """

    def __init__(self, theme: ThemeState, title: str, parent: QWidget, *, width: int = 480) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.theme = theme
        self._shade: Shade | None = None
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self.setMinimumWidth(width)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(20, 14, 12, 6)
        head.addWidget(label(title, "title"))
        head.addStretch(1)
        close = IconButton(theme, "close", "Close", kind=ButtonKind.FLAT)
        close.clicked.connect(self.reject)
        head.addWidget(close)
        column.addLayout(head)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(20, 6, 20, 16)
        self.body.setSpacing(12)
        column.addLayout(self.body, 1)
        self._foot = QHBoxLayout()
        self._foot.setContentsMargins(20, 0, 20, 20)
        self._foot.setSpacing(8)
        self._foot.addStretch(1)
        column.addLayout(self._foot)
        theme.changed.connect(self._on_theme_changed)

    def add_button(
        self, text: str, act: Callable[[], object], kind: ButtonKind | str = ButtonKind.NORMAL
    ) -> Button:
        """Add a button at the foot."""
        button = Button(self.theme, text, kind)
        button.clicked.connect(lambda _checked=False: act())
        self._foot.addWidget(button)
        return button

    def setVisible(self, visible: bool) -> None:
        """Go to the middle of the window before it is shown.

        Moved while it is being shown, a window manager that frames it leaves Qt in the belief
        that it is at the screen's corner: lists of its fields would open there.
        """
        parent = self.parentWidget()
        if visible and not self.isVisible() and parent is not None:
            if not self.testAttribute(Qt.WidgetAttribute.WA_Resized):
                self.adjustSize()
            self.setAttribute(Qt.WidgetAttribute.WA_Moved)
            middle, size = parent.window().geometry().center(), self.size()
            self.move(middle - QPoint(size.width() // 2, size.height() // 2))
        super().setVisible(visible)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        parent = self.parentWidget()
        if parent is not None and self._shade is None:
            self._shade = Shade(parent.window())

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._shade is not None and not event.spontaneous():
            self._shade.hide()
            self._shade.deleteLater()
            self._shade = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        handle = self.windowHandle()
        if event.button() == Qt.MouseButton.LeftButton and event.position().y() < 52:
            handle.startSystemMove()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.theme.color("panel"))
        painter.setPen(QPen(QColor(self.theme.tokens.line2), 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


def ask(
    theme: ThemeState,
    parent: QWidget,
    question: str,
    *,
    details: str = "",
    yes: str,
    no: str,
    on_yes: Callable[[], object],
    loses: bool = False,
) -> Sheet:
    """Ask before something is lost. The buttons say what happens; Escape is the safe answer."""
    sheet = Sheet(theme, question, parent)
    if details:
        sheet.body.addWidget(label(details, "secondary", wrap=True))
    sheet.add_button(no, sheet.reject)

    def accept() -> None:
        sheet.accept()
        on_yes()

    sheet.add_button(yes, accept, ButtonKind.DANGER if loses else ButtonKind.PRIMARY)
    sheet.open()
    return sheet


def show_problem(theme: ThemeState, parent: QWidget, problem: Problem) -> Sheet:
    """Show an unexpected error with details to copy."""
    sheet = Sheet(theme, problem.message, parent, width=640)
    sheet.body.addWidget(label(problem.hint, "secondary", wrap=True))
    details = QPlainTextEdit(problem.details)
    details.setReadOnly(True)
    details.setAccessibleName("Details")
    details.setMinimumHeight(240)
    sheet.body.addWidget(details)

    def copy() -> None:
        from PySide6.QtGui import QGuiApplication

        QGuiApplication.clipboard().setText(problem.details)

    sheet.add_button("Copy details", copy)
    sheet.add_button("Close", sheet.accept, ButtonKind.PRIMARY)
    sheet.open()
    return sheet


class _Icons(QFileIconProvider):
    """Our icons for files and folders, in the theme's colour."""

    def __init__(self, theme: ThemeState) -> None:
        super().__init__()
        self._theme = theme

    def icon(self, kind: object) -> object:  # type: ignore[override]  # two overloads in Qt
        tokens = self._theme.tokens
        if isinstance(kind, QFileIconProvider.IconType):
            names = {
                QFileIconProvider.IconType.Folder: "folder",
                QFileIconProvider.IconType.Drive: "disk",
                QFileIconProvider.IconType.Computer: "computer",
            }
            return icon(names.get(kind, "file"), tokens)
        return icon("folder" if kind.isDir() else "file", tokens)  # type: ignore[attr-defined]


_TOOL_ICONS = {
    "backButton": "go-back",
    "forwardButton": "go-forward",
    "toParentButton": "go-up",
    "newFolderButton": "folder-plus",
    "listModeButton": "list",
    "detailModeButton": "table",
}


def file_dialog(
    theme: ThemeState,
    parent: QWidget,
    title: str,
    *,
    start: Path | None = None,
    folders: bool = False,
    many: bool = False,
    save: bool = False,
    filters: str = "",
) -> QFileDialog:
    """Return Qt's own file dialog in the theme's colours; the system's may be white.

    Show it with ``open()`` and listen to ``fileSelected`` or ``filesSelected``.
    """
    dialog = QFileDialog(parent, title)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog, True)
    dialog.setOption(QFileDialog.Option.DontUseCustomDirectoryIcons, True)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if theme.tokens.is_night:
        dialog.setWindowFlag(Qt.WindowType.FramelessWindowHint)
    if save:
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    elif folders:
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
    else:
        mode = QFileDialog.FileMode
        dialog.setFileMode(mode.ExistingFiles if many else mode.ExistingFile)
    if filters:
        dialog.setNameFilters(filters.split(";;"))
    if start is not None:
        dialog.setDirectory(QDir(str(start)))
    provider = _Icons(theme)
    dialog.setIconProvider(provider)
    dialog.setProperty("icons", provider)  # Qt does not own it: it lives as long as the dialog
    for name, shape in _TOOL_ICONS.items():
        button = dialog.findChild(QToolButton, name)
        if button is not None:
            button.setIcon(icon(shape, theme.tokens))
    for view in (
        dialog.findChild(QListView, "sidebar"),
        dialog.findChild(QComboBox, "lookInCombo"),
    ):
        if view is not None:
            # Filled before our icons are known to it: words alone, then.
            view.setIconSize(QSize(0, 0))
    details = dialog.findChild(QTreeView, "treeView")
    if details is not None:
        for section, width in enumerate((340, 100, 110, 150)):
            details.header().resizeSection(section, width)
    dialog.resize(QSize(940, 600))
    return dialog


def choose_folder(
    theme: ThemeState,
    parent: QWidget,
    title: str,
    on_chosen: Callable[[Path], object],
    *,
    start: Path | None = None,
) -> QFileDialog:
    """Let the operator choose a folder; returns at once."""
    dialog = file_dialog(theme, parent, title, start=start, folders=True)
    dialog.fileSelected.connect(lambda text: on_chosen(Path(text)))
    dialog.open()
    return dialog
