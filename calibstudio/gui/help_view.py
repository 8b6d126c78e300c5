"""Help: Markdown pages of ``resources/help`` beside their list, and the page of keys."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl, Signal, Slot
from PySide6.QtGui import QKeyEvent, QTextCursor, QTextFrame, QTextTable
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from calibstudio import __version__
from calibstudio.domain.errors import CalibStudioError
from calibstudio.gui.actions import ACTIONS
from calibstudio.gui.context import GuiContext
from calibstudio.gui.resources import resource
from calibstudio.gui.widgets.buttons import Button, ButtonKind
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.workspace import Workspace

PAGES = (
    ("index", "Begin here"),
    ("live", "Live"),
    ("capture", "Capture"),
    ("frames", "Frames"),
    ("library", "Library"),
    ("calibrate", "Calibrate"),
    ("equipment", "Equipment"),
    ("keys", "Keys"),
    ("licences", "About and licences"),
)


def page_text(page: str) -> str:
    """Return the Markdown of a page; the pages of keys and licences are made from the program."""
    if page == "keys":
        return _keys_page()
    if page == "licences":
        return f"# CalibStudio {__version__}\n\n" + resource("LICENSES.md").read_text(
            encoding="utf-8"
        )
    try:
        return resource(f"help/{page}.md").read_text(encoding="utf-8")
    except (CalibStudioError, OSError):
        return f"# {page.title()}\n\nThere is no page about this yet."


def _keys_page() -> str:
    lines = ["# Keys", "", "Single letters act only outside text fields.", ""]
    for section in dict.fromkeys(row.section for row in ACTIONS):
        lines += [f"## {section}", "", "| key | what it does |", "|---|---|"]
        for row in ACTIONS:
            if row.section == section and row.keys:
                keys = " or ".join(k.replace("Return", "Enter") for k in row.keys[:1])
                lines.append(f"| {keys} | {row.text} |")
        lines.append("")
    return "\n".join(lines)


class HelpView(Workspace):
    """The help, in the place of a workspace.

    Signals
    -------
    closed()
        The operator goes back to work.
    """

    closed = Signal()

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(context, "Help", parent)
        back = Button(context.theme, "Close help", ButtonKind.FLAT, icon="close", key="Esc")
        back.clicked.connect(self.closed)
        self.add_header_action(back)
        self.on("cancel", self.closed.emit)
        row = QHBoxLayout()
        row.setSpacing(0)
        side = ground("panel", border="right")
        side.setFixedWidth(240)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 8, 0, 8)
        self._list = QListWidget()
        self._list.setAccessibleName("Help pages")
        for page, title in PAGES:
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, page)
            self._list.addItem(item)
        column.addWidget(self._list)
        row.addWidget(side)
        self._browser = QTextBrowser()
        self._browser.setAccessibleName("Help text")
        self._browser.setOpenLinks(False)
        self._browser.setFrameShape(QTextBrowser.Shape.NoFrame)
        row.addWidget(self._browser, 1)
        self.body.addLayout(row, 1)
        self._page = ""
        self._list.currentItemChanged.connect(self._on_chosen)
        self._browser.anchorClicked.connect(self._on_link)
        context.theme.changed.connect(self._on_theme_changed)
        self.show_page("index")

    @property
    def page(self) -> str:
        """The page that is shown."""
        return self._page

    def show_page(self, page: str) -> None:
        """Show a page of `PAGES`."""
        names = [name for name, _ in PAGES]
        row = names.index(page) if page in names else 0
        if self._list.currentRow() != row:
            self._list.setCurrentRow(row)
        else:
            self._render(names[row])

    def _render(self, page: str) -> None:
        self._page = page
        document = self._browser.document()
        document.setDefaultFont(self.theme.font(14))
        self._browser.setMarkdown(page_text(page))
        self._tint_tables(document.rootFrame())
        self._browser.moveCursor(QTextCursor.MoveOperation.Start)

    def _tint_tables(self, frame: QTextFrame) -> None:
        """Give tables the theme's lines: Qt's own are grey, which night must not show."""
        for child in frame.childFrames():
            if isinstance(child, QTextTable):
                form = child.format()
                form.setBorderBrush(self.theme.color("line"))
                form.setBorder(1)
                form.setCellPadding(6)
                form.setBorderCollapse(True)
                child.setFormat(form)
            self._tint_tables(child)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    @Slot(QListWidgetItem)
    def _on_chosen(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self._render(item.data(Qt.ItemDataRole.UserRole))

    @Slot(QUrl)
    def _on_link(self, url: QUrl) -> None:
        name = url.fileName().removesuffix(".md")
        if name in [page for page, _ in PAGES]:
            self.show_page(name)
        elif url.scheme() in ("http", "https"):
            from PySide6.QtGui import QDesktopServices

            QDesktopServices.openUrl(url)

    @Slot()
    def _on_theme_changed(self) -> None:
        self._render(self._page)
