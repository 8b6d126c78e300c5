"""Help: Markdown pages of ``resources/help`` beside their list, and the page of keys."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import (
    QKeyEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFrame,
    QTextListFormat,
    QTextTable,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from calibstudio import __version__
from calibstudio.domain.errors import CalibStudioError
from calibstudio.gui.actions import ACTIONS
from calibstudio.gui.context import GuiContext
from calibstudio.gui.help_pictures import HelpBrowser
from calibstudio.gui.resources import resource
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind
from calibstudio.gui.widgets.lists import PageList
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.workspace import Workspace

PAGES = (
    ("index", "Begin here"),
    ("live", "Live"),
    ("capture", "Capture"),
    ("frames", "Frames"),
    ("library", "Library"),
    ("calibrate", "Calibrate"),
    ("stacking", "Stacking"),
    ("stacking-speed", "Speed of stacking"),
    ("recipes", "Recipes"),
    ("compared", "Compared with Siril"),
    ("bad-pixels", "Bad pixels"),
    ("numbers", "Numbers and verdicts"),
    ("equipment", "Equipment"),
    ("commands", "Command line"),
    ("run", "Capture without a screen"),
    ("requests", "Requests and nights"),
    ("killed", "Killed at random moments"),
    ("auto-exposure", "Test frames of a search"),
    ("keys", "Keys"),
    ("licences", "About and licences"),
)


PICTURE = "\ufffc"
"""Stands for a picture in the text of a document."""
COLUMN = 820
"""Widest text, in pixels."""


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


def set_in_type(document: QTextDocument, theme: ThemeState) -> None:
    """Give a Markdown document the sizes, spaces and colours of the theme.

    Qt's own table lines are grey and its headings stand close to the text.
    """
    block = document.begin()
    while block.isValid():
        cursor = QTextCursor(block)
        form = block.blockFormat()
        level = form.headingLevel()
        in_table = cursor.currentTable() is not None
        is_picture = PICTURE in block.text()
        kinds = QTextBlockFormat.LineHeightTypes
        kind = kinds.SingleHeight if is_picture else kinds.ProportionalHeight
        form.setLineHeight(130, kind.value)
        form.setTopMargin({0: 0, 1: 0, 2: 20}.get(level, 14))
        form.setBottomMargin(0 if in_table else 8 if level else 10)
        cursor.setBlockFormat(form)
        if level:
            letters = QTextCharFormat()
            letters.setFont(theme.font({1: 20, 2: 18}.get(level, 14), 600))
            cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
            cursor.mergeCharFormat(letters)
        points = block.textList()
        if points is not None:
            style = points.format()
            style.setStyle(QTextListFormat.Style.ListDisc)
            points.setFormat(style)
            form.setBottomMargin(4)
            cursor.setBlockFormat(form)
        block = block.next()
    _draw_tables(document.rootFrame(), theme)


def _draw_tables(frame: QTextFrame, theme: ThemeState) -> None:
    for child in frame.childFrames():
        if isinstance(child, QTextTable):
            form = child.format()
            form.setBorderBrush(theme.color("line"))
            form.setBorder(1)
            form.setCellPadding(6)
            form.setCellSpacing(0)
            form.setBorderCollapse(True)
            child.setFormat(form)
        _draw_tables(child, theme)


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
        self._list = PageList(context.theme, PAGES, name="Help pages")
        column.addWidget(self._list)
        row.addWidget(side)
        self._browser = HelpBrowser(context.theme, COLUMN)
        self._browser.setAccessibleName("Help text")
        self._browser.setOpenLinks(False)
        # A bar that comes and goes would change the width of the page while it is being made.
        self._browser.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self._browser.setFrameShape(QTextBrowser.Shape.NoFrame)
        row.addWidget(self._browser, 1)
        self.body.addLayout(row, 1)
        self._page = ""
        self._pictures_are = 0
        self._renders = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._on_resized)
        self._list.chosen.connect(self._render)
        self._browser.resized.connect(self._on_resized)
        self._browser.anchorClicked.connect(self._on_link)
        context.theme.changed.connect(self._on_theme_changed)
        self.show_page("index")

    @property
    def page(self) -> str:
        """The page that is shown."""
        return self._page

    def show_page(self, page: str) -> None:
        """Show a page of `PAGES`."""
        if page == self._list.page:
            self._render(page)
        else:
            self._list.choose(page)

    @Slot(str)
    def _render(self, page: str) -> None:
        self._page = page
        self._renders = True
        document = self._browser.document()
        document.setDefaultFont(self.theme.font(14))
        document.clear()  # with its pictures, which have the size and the colours of before
        self._pictures_are = self._browser.picture_width
        self._browser.setMarkdown(page_text(page))
        set_in_type(document, self.theme)
        self._fit_column()
        self._browser.moveCursor(QTextCursor.MoveOperation.Start)
        self._renders = False

    @Slot()
    def _on_resized(self) -> None:
        """Lines and pictures follow the width that the text has, once it has it.

        A page that is being made changes the width itself, when the scroll bar goes or comes: its
        document must not be changed before that is over.
        """
        if self._renders:
            self._later.start()
            return
        if self._browser.picture_width != self._pictures_are:
            self._render(self._page)
        else:
            self._fit_column()

    def _fit_column(self) -> None:
        """Keep lines short enough to read."""
        frame = self._browser.document().rootFrame()
        form = frame.frameFormat()
        spare = self._browser.viewport().width() - COLUMN
        form.setRightMargin(max(spare, 16))
        frame.setFrameFormat(form)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

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
