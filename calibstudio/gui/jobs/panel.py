"""The jobs popover: what runs and waits, how long it takes, and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.wording import NARROW, duration
from calibstudio.gui.jobs.board import JobBoard, JobEntry
from calibstudio.gui.jobs.runner import JobState
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonSize, IconButton
from calibstudio.gui.widgets.panels import hairline, scrolled
from calibstudio.gui.widgets.popover import Popover
from calibstudio.gui.widgets.progress import ProgressBar
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import StatusDot

_SHAPES = {
    JobState.WAITING: "waiting",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "info",
}


def said_of(entry: JobEntry) -> str:
    """Return what is said beside a job's name."""
    if entry.state is JobState.RUNNING:
        to_go = "" if entry.seconds_to_go is None else f"{duration(entry.seconds_to_go)} to go"
        if entry.job is not None and entry.job.token.cancelled:
            return "stopping"
        return " · ".join(x for x in (entry.text, to_go) if x)
    if entry.note:
        return entry.note
    return entry.state.value


class JobRow(QWidget):
    """One job: shape, name, what is said of it, cancel; and a bar while it runs."""

    def __init__(self, theme: ThemeState, entry: JobEntry, close: Callable[[], None]) -> None:
        super().__init__()
        self.entry = entry
        self._theme = theme
        self._close = close
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(6)
        top = QHBoxLayout()
        top.setSpacing(8)
        self._dot = StatusDot(theme, size=18)
        self._title = ElidedLabel(entry.title, "medium")
        self._said = ElidedLabel("", "small")
        self._said.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._stop = IconButton(theme, "close", f"Stop: {entry.title}")
        self._stop.clicked.connect(self._on_stop)
        self._show = Button(theme, "Show", size=ButtonSize.SMALL)
        self._show.clicked.connect(self._on_show)
        top.addWidget(self._dot)
        top.addWidget(self._title, 3)
        top.addWidget(self._said, 4)
        top.addWidget(self._stop)
        top.addWidget(self._show)
        column.addLayout(top)
        self._work = QWidget()
        bar = QHBoxLayout(self._work)
        bar.setContentsMargins(26, 0, 0, 0)
        bar.setSpacing(12)
        self._bar = ProgressBar(theme, name=f"Progress of {entry.title}")
        self._percent = label("", "small")
        self._percent.setFixedWidth(44)
        self._percent.setAlignment(Qt.AlignmentFlag.AlignRight)
        bar.addWidget(self._bar, 1)
        bar.addWidget(self._percent)
        column.addWidget(self._work)
        self.renew()

    def renew(self) -> None:
        """Show how it is now."""
        entry = self.entry
        self._dot.set_status(_SHAPES[entry.state], entry.state.value)
        self._title.setText(entry.title)
        said = said_of(entry)
        if said != self._said.text():
            self._said.setText(said)
        self._stop.setVisible(not entry.is_over)
        self._stop.setEnabled(entry.job is not None and not entry.job.token.cancelled)
        self._show.setVisible(entry.is_over and entry.on_show is not None)
        self._work.setVisible(entry.state is JobState.RUNNING)
        self._bar.set_fraction(entry.fraction)
        self._percent.setText(f"{entry.fraction * 100:.0f}{NARROW}%")

    @Slot()
    def _on_stop(self) -> None:
        self.entry.cancel()
        self.renew()

    @Slot()
    def _on_show(self) -> None:
        if self.entry.on_show is not None:
            self._close()
            self.entry.on_show()


MOST_HEIGHT = 420
"""Of the list of jobs; more of them scroll."""


class JobsPopover(Popover):
    """480 wide, above the jobs field. Finished jobs go once they have been seen."""

    def __init__(self, theme: ThemeState, board: JobBoard, window: QWidget) -> None:
        super().__init__(theme, "Jobs", window, width=480)
        self._board = board
        self._rows: list[JobRow] = []
        self._inner = QWidget()
        self._list = QVBoxLayout(self._inner)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(4)
        self._area = scrolled(self._inner)
        self.body.addWidget(self._area)
        self._empty = label("No job runs, and none has finished since you last looked.", "small")
        self.body.addWidget(self._empty)
        board.changed.connect(self._on_changed)
        self.closed.connect(self._on_closed)
        self._on_changed()

    @property
    def rows(self) -> tuple[JobRow, ...]:
        """The lines that are shown."""
        return tuple(self._rows)

    @Slot()
    def _on_changed(self) -> None:
        entries = self._board.entries
        if [r.entry for r in self._rows] != list(entries):
            self._rebuild(entries)
        for row in self._rows:
            row.renew()
        running, waiting, over = self._board.counts()
        parts = ((running, "running"), (waiting, "waiting"), (over, "done"))
        self.set_note(" · ".join(f"{n} {word}" for n, word in parts if n))
        self._empty.setVisible(not entries)
        self._area.setVisible(bool(entries))
        self._fit()
        if self.isVisible():
            self.place()

    def _fit(self) -> None:
        """Be as high as the rows are now: a row grows when its job gets a bar."""
        for row in self._rows:
            if (inside := row.layout()) is not None:
                inside.invalidate()
                inside.activate()
        self._list.invalidate()
        self._area.setFixedHeight(max(min(self._list.sizeHint().height(), MOST_HEIGHT), 1))

    def place(self) -> None:
        self._fit()
        super().place()

    def _rebuild(self, entries: tuple[JobEntry, ...]) -> None:
        kept = {id(r.entry): r for r in self._rows}
        while (item := self._list.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None and not isinstance(widget, JobRow):
                widget.deleteLater()
        self._rows = []
        for i, entry in enumerate(entries):
            row = kept.pop(id(entry), None) or JobRow(self._theme, entry, self.close_popover)
            if i:
                self._list.addWidget(hairline())
            self._list.addWidget(row)
            self._rows.append(row)
        for row in kept.values():
            row.hide()
            row.deleteLater()

    @Slot()
    def _on_closed(self) -> None:
        self._board.forget_finished()

    def sizeHint(self) -> QSize:
        return QSize(480, super().sizeHint().height())
