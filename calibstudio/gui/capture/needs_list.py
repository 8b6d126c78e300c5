"""What lights need, one row each: a box to take it, its state, and the reason in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.kinds import kind_title
from calibstudio.domain.needs import Need, NeedState
from calibstudio.domain.wording import count
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import ElidedLabel, breakable, label
from calibstudio.gui.widgets.verdict import VerdictTag

STATE_TAGS = {
    NeedState.EXACT: ("good", "Have"),
    NeedState.WITHIN: ("info", "Within tolerance"),
    NeedState.FRAMES: ("info", "Frames on disk"),
    NeedState.STALE: ("warn", "Stale"),
    NeedState.MISSING: ("bad", "Missing"),
}
_TAG_WIDTH = 136


class NeedsList(QWidget):
    """All needs, by kind.

    Signals
    -------
    ticked(object)
        The operator ticked or unticked a box: the set of ids that are ticked now.
    """

    ticked = Signal(object)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.rows: tuple[NeedRow, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    def show_needs(self, needs: Sequence[Need], taken: Collection[str]) -> None:
        """Show these needs; rows of needs that stay are kept, so that the focus stays, too."""
        if [row.need.id for row in self.rows] != [need.id for need in needs]:
            self._remake(needs)
        for row, need in zip(self.rows, needs, strict=True):
            row.show_need(need, taken=need.id in taken)

    def _remake(self, needs: Sequence[Need]) -> None:
        kept = {row.need.id: row for row in self.rows}
        wanted = {need.id for need in needs}
        for row in self.rows:
            self._column.removeWidget(row)
            if row.need.id not in wanted:
                row.hide()
                row.deleteLater()
        rows = []
        for need in needs:
            found = kept.get(need.id)
            if found is None:
                found = NeedRow(self._theme, need)
                found.box.clicked.connect(self._on_clicked)
            rows.append(found)
            self._column.addWidget(found)
        self.rows = tuple(rows)

    @Slot()
    def _on_clicked(self) -> None:
        self.ticked.emit({row.need.id for row in self.rows if row.box.isChecked()})


class NeedRow(QWidget):
    """One need."""

    def __init__(self, theme: ThemeState, need: Need) -> None:
        super().__init__()
        self.need = need
        self.setProperty("border", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.box = QCheckBox()
        self.box.setFixedWidth(20)
        self.tag = VerdictTag(theme, "good")
        self.title = ElidedLabel("", "medium")
        self.lights = label("", "small", tone="text2")
        self.frames = label("", "small", tone="text")
        self.reason = label("", "note", wrap=True)
        place = QWidget()
        place.setFixedWidth(_TAG_WIDTH)
        holds = QHBoxLayout(place)
        holds.setContentsMargins(0, 0, 0, 0)
        holds.addWidget(self.tag)
        holds.addStretch(1)
        first = QHBoxLayout()
        first.setSpacing(16)
        first.addWidget(self.title, 1)
        first.addWidget(self.lights)
        first.addWidget(self.frames)
        self.frames.setMinimumWidth(72)
        self.frames.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addLayout(first)
        words.addWidget(self.reason)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 16, 8)
        row.setSpacing(12)
        row.addWidget(self.box, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(place, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)

    def show_need(self, need: Need, *, taken: bool) -> None:
        """Show a need as it is now."""
        self.need = need
        kind, word = STATE_TAGS[need.state]
        if need.state is NeedState.MISSING and not need.can_be_taken:
            kind, word = "waiting", "Made with them"
        self.tag.set_status(kind, word)
        self.title.setText(need.title)
        self.lights.setText(count(need.lights, "light"))
        will = taken and need.can_be_taken
        self.frames.setText(f"take {need.frames}" if will else "")
        self.reason.setText(breakable(need.reason))
        self.box.setChecked(will)
        self.box.setEnabled(need.can_be_taken and not need.follows)
        self.box.setAccessibleName(f"Take {kind_title(need.kind)}: {need.title}")
        self.box.setToolTip("Goes with its flats." if need.follows else "")
