"""The home of Capture: a tile for each wizard, the sequences of late, and what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from calibstudio.gui.capture.queue_panel import QueuePanel
from calibstudio.gui.capture.recent import RecentSequences
from calibstudio.gui.context import GuiContext
from calibstudio.gui.icons import paint_icon
from calibstudio.gui.jobs.runner import Job
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.panels import ground, scrolled
from calibstudio.gui.widgets.text import label

if TYPE_CHECKING:
    from calibstudio.services.capture_state import Resumed

TILES = (
    ("bias", "Bias", "Shortest exposures, covered", "bias", True),
    ("dark", "Darks", "A list of exposures, covered", "dark", True),
    ("flat", "Panel flats", "Exposure searched, dark flats after", "flat", True),
    ("twilight", "Twilight flats", "Dusk or dawn, filters in order of light", "sunset", True),
    ("dark-flat", "Dark flats", "For flats that are taken already", "dark-flat", True),
    ("plan", "Plan from my lights", "What they need, and what is there", "plan", True),
)


class Tile(QAbstractButton):
    """A large button: icon, title, one line."""

    def __init__(
        self, theme: ThemeState, title: str, line: str, icon: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme, self._line, self._icon = theme, line, icon
        self.setText(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(line)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.changed.connect(self._on_theme_changed)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, 132)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hot = self.underMouse() and self.isEnabled()
        edge = t.accent if self.hasFocus() else t.line2 if hot else t.line
        painter.setPen(QPen(QColor(edge), 2 if self.hasFocus() else 1))
        painter.setBrush(QColor(t.ctl if hot else t.card))
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 6, 6)
        on = self.isEnabled()
        box = self.rect().adjusted(20, 20, -20, -16)
        place = box.adjusted(0, 0, 0, 0)
        place.setSize(QSize(32, 32))
        paint_icon(painter, place, self._icon, t.accent if on else t.disabled)
        painter.setFont(self._theme.font(18, 600))
        painter.setPen(QColor(t.text if on else t.text3))
        painter.drawText(box.adjusted(0, 44, 0, 0), 0, self.text())
        painter.setFont(self._theme.font(13))
        painter.setPen(QColor(t.text2 if on else t.text3))
        shown = painter.fontMetrics().elidedText(
            self._line, Qt.TextElideMode.ElideRight, box.width()
        )
        painter.drawText(box.adjusted(0, 70, 0, 0), 0, shown)


class CaptureHome(QWidget):
    """Where every sequence begins.

    Signals
    -------
    chosen(str)
        A wizard was chosen, by the id of its tile.
    resume_wanted(Resumed)
        A sequence that was stopped is to go on.
    frames_wanted(FramesOf)
        The frames of a sequence are to be looked at.
    file_wanted()
        A file with a plan is to be opened.
    tour_wanted()
        A whole simulated night is to be tried.
    """

    chosen = Signal(str)
    resume_wanted = Signal(object)
    frames_wanted = Signal(object)
    file_wanted = Signal()
    tour_wanted = Signal()

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._job: Job | None = None
        self._compact = False
        self.tiles: dict[str, Tile] = {}
        inner = ground("bg")
        column = self._column = QVBoxLayout(inner)
        column.setContentsMargins(32, 28, 32, 28)
        column.setSpacing(20)
        head = QHBoxLayout()
        head.addWidget(label("What would you like to take?", "question"))
        head.addStretch(1)
        self.try_night = Button(
            context.theme,
            "Try a whole simulated night…",
            icon="wand",
            tip="From cooling to masters in a few minutes, with a simulated camera",
        )
        self.try_night.clicked.connect(self.tour_wanted)
        head.addWidget(self.try_night)
        self.open_file = Button(
            context.theme,
            "Open a file…",
            icon="folder-open",
            tip="A capture plan that was saved, or is written by hand",
        )
        self.open_file.clicked.connect(self.file_wanted)
        head.addWidget(self.open_file)
        column.addLayout(head)
        grid = QGridLayout()
        grid.setSpacing(16)
        for i, (name, title, line, icon, ready) in enumerate(TILES):
            tile = Tile(context.theme, title, line, icon)
            tile.setEnabled(ready)
            tile.clicked.connect(lambda _checked=False, n=name: self.chosen.emit(n))
            self.tiles[name] = tile
            grid.addWidget(tile, i // 3, i % 3)
        column.addLayout(grid)
        self.recent = RecentSequences(context.theme)
        self.queue = QueuePanel(context.theme)
        lists = self._lists = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        lists.setSpacing(20)
        lists.addWidget(self.recent, 1, Qt.AlignmentFlag.AlignTop)
        lists.addWidget(self.queue, 1, Qt.AlignmentFlag.AlignTop)
        column.addLayout(lists)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inner))
        self.recent.resume_wanted.connect(self.resume_wanted)
        self.recent.frames_wanted.connect(self.frames_wanted)

    def look_for_sequences(self) -> None:
        """Look in the frames folder for sequences, in the background."""
        if self._job is not None:
            return
        folder = self._context.settings.current.frames_folder

        def work(ctx: object) -> list[Resumed]:
            from calibstudio.services.capture_state import find_sequences

            return find_sequences(folder)

        self._job = self._context.background.submit("Look for sequences", work, quiet=True)
        self._job.succeeded.connect(self._on_found)
        self._job.failed.connect(self._context.problems.report)
        self._job.finished.connect(self._on_finished)

    @Slot(object)
    def _on_found(self, found: Sequence[Resumed]) -> None:
        self.recent.show_sequences(found)

    def set_compact(self, compact: bool) -> None:
        """Use less room."""
        self._compact = compact
        self._column.setContentsMargins(20 if compact else 32, 20, 20 if compact else 32, 20)
        ways = QBoxLayout.Direction
        self._lists.setDirection(ways.TopToBottom if compact else ways.LeftToRight)

    @Slot()
    def _on_finished(self) -> None:
        self._job = None
