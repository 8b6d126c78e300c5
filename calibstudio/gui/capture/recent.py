"""Recent sequences: finished and stopped, with what they hold and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.wording import count, number
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictTag
from calibstudio.gui.widgets.workspace import FramesOf

if TYPE_CHECKING:
    from calibstudio.services.capture_state import Resumed

MOST_SHOWN = 10
NOTHING_YET = "No sequences yet. What you take is listed here, with its good frames."
LOOKING = "Looking for sequences…"


def can_go_on(resumed: Resumed) -> bool:
    """Whether something is left to take, or its masters are still to be built."""
    from calibstudio.services.run_job import lacks_masters

    return resumed.can_go_on or lacks_masters(resumed)


class RecentSequences(QWidget):
    """A list under the tiles.

    Signals
    -------
    resume_wanted(Resumed)
        A sequence that was stopped is to go on.
    frames_wanted(FramesOf)
        Its frames are to be looked at.
    """

    resume_wanted = Signal(object)
    frames_wanted = Signal(object)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._note = ElidedLabel("", "small", tone="text3")
        self._empty = label(LOOKING, "secondary", wrap=True)
        self._empty.setContentsMargins(16, 14, 16, 14)
        self.rows: tuple[_Row, ...] = ()
        frame = ground("panel", border="all")
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 16, 10)
        head.setSpacing(12)
        head.addWidget(label("Recent sequences", "heading"))
        head.addWidget(self._note, 1)
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(1, 1, 1, 1)
        inner.setSpacing(0)
        inner.addLayout(head)
        inner.addWidget(self._empty)
        inner.addLayout(self._list)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(frame)

    def show_sequences(self, found: Sequence[Resumed]) -> None:
        """Show the newest; those that can go on come first."""
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        ordered = sorted(found, key=lambda r: not can_go_on(r))[:MOST_SHOWN]
        rows = []
        for resumed in ordered:
            row = _Row(self._theme, resumed)
            row.resume_wanted.connect(self.resume_wanted)
            row.frames_wanted.connect(self.frames_wanted)
            self._list.addWidget(row)
            rows.append(row)
        self.rows = tuple(rows)
        self._empty.setText(NOTHING_YET)
        self._empty.setVisible(not rows)
        waiting = sum(can_go_on(r) for r in found)
        shown = f"the newest {number(len(rows))} of {number(len(found))}"
        parts = [f"{number(waiting)} can go on"] if waiting else []
        parts += [shown] if len(found) > len(rows) else []
        self._note.setText(" · ".join(parts))


class _Row(QWidget):
    """One sequence."""

    resume_wanted = Signal(object)
    frames_wanted = Signal(object)

    def __init__(self, theme: ThemeState, resumed: Resumed) -> None:
        super().__init__()
        self.resumed = resumed
        self.setMinimumHeight(44)
        self.setProperty("border", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        goes_on = can_go_on(resumed)
        self.tag = VerdictTag(theme, "waiting" if goes_on else "good")
        lacks = goes_on and not resumed.can_go_on
        if lacks:
            self.tag.set_status("warn", "No masters")
        else:
            self.tag.set_status("waiting" if goes_on else "good", "Stopped" if goes_on else "Done")
        title = ElidedLabel(resumed.plan.title, "medium")
        self.count = label(_counted(resumed), "small", tone="text2")
        began = f"{resumed.started_at:%Y-%m-%d %H:%M} UTC"
        self.when = label(began, "note")
        title.set_tip(f"Began {began}")
        self.show_frames = Button(theme, "Show in Frames", icon="frames", size=ButtonSize.SMALL)
        self.resume = Button(
            theme,
            "Build masters" if lacks else "Resume",
            icon="stack" if lacks else "play",
            size=ButtonSize.SMALL,
        )
        self.resume.setVisible(goes_on)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 16, 6)
        row.setSpacing(16)
        tag_place = QWidget()
        tag_place.setFixedWidth(112)
        tag_row = QHBoxLayout(tag_place)
        tag_row.setContentsMargins(0, 0, 0, 0)
        tag_row.addWidget(self.tag)
        tag_row.addStretch(1)
        row.addWidget(tag_place)
        row.addWidget(title, 1)
        row.addWidget(self.count)
        row.addWidget(self.when)
        row.addWidget(self.resume)
        row.addWidget(self.show_frames)
        self.resume.clicked.connect(lambda _checked=False: self.resume_wanted.emit(resumed))
        wanted = FramesOf(
            resumed.path.parent,
            tuple(f.path for f in resumed.frames if f.accepted and f.path is not None),
        )
        self.show_frames.clicked.connect(lambda _checked=False: self.frames_wanted.emit(wanted))


def _counted(resumed: Resumed) -> str:
    if resumed.can_go_on:
        return f"{number(resumed.good)} of {count(resumed.wanted, 'good frame')}"
    return count(resumed.good, "good frame")
