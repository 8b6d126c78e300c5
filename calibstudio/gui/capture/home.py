"""The home of Capture: a tile for each wizard, and sequences that can go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from calibstudio.domain.wording import count
from calibstudio.gui.context import GuiContext
from calibstudio.gui.icons import paint_icon
from calibstudio.gui.jobs.runner import Job
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.panels import Card, ground, scrolled
from calibstudio.gui.widgets.text import ElidedLabel, label

if TYPE_CHECKING:
    from calibstudio.services.capture_state import Resumed

TILES = (
    ("bias", "Bias", "Shortest exposures, covered", "bias", True),
    ("dark", "Darks", "A list of exposures, covered", "dark", True),
    ("flat", "Panel flats", "Exposure searched, dark flats after", "flat", True),
    ("twilight", "Twilight flats", "Comes with a later version", "sunset", False),
    ("dark-flat", "Dark flats", "Part of the panel flats wizard", "dark-flat", False),
    ("plan", "Plan from my lights", "Comes with a later version", "plan", False),
)
MOST_SHOWN = 6


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
    resume_wanted(object)
        A sequence that was stopped is to go on.
    """

    chosen = Signal(str)
    resume_wanted = Signal(object)

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._job: Job | None = None
        self.tiles: dict[str, Tile] = {}
        inner = ground("bg")
        column = QVBoxLayout(inner)
        column.setContentsMargins(32, 28, 32, 28)
        column.setSpacing(20)
        column.addWidget(label("What would you like to take?", "question"))
        grid = QGridLayout()
        grid.setSpacing(16)
        for i, (name, title, line, icon, ready) in enumerate(TILES):
            tile = Tile(context.theme, title, line, icon)
            tile.setEnabled(ready)
            tile.clicked.connect(lambda _checked=False, n=name: self.chosen.emit(n))
            self.tiles[name] = tile
            grid.addWidget(tile, i // 3, i % 3)
        column.addLayout(grid)
        self._recent = Card("Sequences that can go on")
        self._recent.hide()
        column.addWidget(self._recent)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inner))

    def look_for_sequences(self) -> None:
        """Look in the frames folder for sequences that were stopped, in the background."""
        if self._job is not None:
            return
        folder = self._context.settings.current.frames_folder

        def work(ctx: object) -> list[Resumed]:
            from calibstudio.services.capture_state import find_sequences

            return [r for r in find_sequences(folder) if r.good < r.wanted]

        self._job = self._context.background.submit("Look for sequences", work, quiet=True)
        self._job.succeeded.connect(self._on_found)
        self._job.failed.connect(self._context.problems.report)
        self._job.finished.connect(self._on_finished)

    @Slot(object)
    def _on_found(self, found: Sequence[Resumed]) -> None:
        body = self._recent.body
        while (item := body.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for resumed in list(found)[:MOST_SHOWN]:
            body.addWidget(self._line(resumed))
        self._recent.setVisible(bool(found))

    def _line(self, resumed: Resumed) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(12)
        row.addWidget(label(resumed.plan.title, "medium"))
        said = f"{resumed.good} of {count(resumed.wanted, 'good frame')}"
        row.addWidget(ElidedLabel(f"{said} · {resumed.path.parent.name}", "small", tone="text2"), 1)
        button = Button(self._context.theme, "Resume", icon="play", size=ButtonSize.SMALL)
        button.clicked.connect(lambda _checked=False: self.resume_wanted.emit(resumed))
        row.addWidget(button)
        return line

    @Slot()
    def _on_finished(self) -> None:
        self._job = None
