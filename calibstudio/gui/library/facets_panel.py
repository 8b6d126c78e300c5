"""The left side: search, and what the library is counted by; ticking a value restricts to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from calibstudio.domain.kinds import kind_title
from calibstudio.domain.master import ReviewState
from calibstudio.domain.master_query import Facets, MasterQuery
from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import number
from calibstudio.gui.library.table import REVIEW_WORDS
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.fields import SearchField
from calibstudio.gui.widgets.panels import ground, scrolled
from calibstudio.gui.widgets.text import breakable, label
from calibstudio.gui.widgets.verdict import StatusDot

MOST_VALUES = 8
"""Values of a facet that are listed; the search finds the others."""


def _no_status(value: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class FacetRow:
    """One facet: its heading, the field of the query it sets, and how its values read."""

    id: str
    title: str
    field: str
    words: Callable[[str], str] = str
    parse: Callable[[str], Any] = str
    always: bool = False
    """Shown even where all masters have one value: it says what there is."""
    newest_first: bool = False
    """Listed by value, the latest first; else the most frequent first."""
    status: Callable[[str], str] = _no_status
    """Shape of a value: a status kind, or nothing."""
    unknown: str = "Not known"
    """Of the masters that do not say the value; listed last."""

    def said(self, value: str) -> str:
        """Return how a value reads."""
        return self.words(value) if value else self.unknown


def _review(value: str) -> str:
    return REVIEW_WORDS[ReviewState(value)] or "Not judged yet"


def _night(value: str) -> date | str:
    return date.fromisoformat(value) if value else value


FACETS = (
    FacetRow("camera", "Camera", "cameras", always=True),
    FacetRow("kind", "Kind", "kinds", kind_title, always=True),
    FacetRow("filter", "Filter", "filters", unknown="No filter"),
    FacetRow("verdict", "Verdict", "verdicts", str, Verdict, always=True, status=str.lower),
    FacetRow("state", "Review", "states", _review, ReviewState, always=True),
    FacetRow("night", "Night", "nights", str, _night, newest_first=True),
)


class FacetsPanel(QWidget):
    """Search and facets.

    Signals
    -------
    wanted(object)
        Changes of the query, as a mapping of its fields.
    plan_wanted()
        The operator asks what lights still need.
    """

    wanted = Signal(object)
    plan_wanted = Signal()

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._groups: dict[str, _FacetGroup] = {}
        self.search = SearchField(theme, name="Search masters", placeholder="Search")
        self.search.searched.connect(lambda text: self.wanted.emit({"search": text}))
        inner = ground("panel")
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(16)
        column.addWidget(self.search)
        for row in FACETS:
            group = _FacetGroup(theme, row)
            group.chosen.connect(self.wanted)
            self._groups[row.id] = group
            column.addWidget(group)
        column.addStretch(1)
        self.gaps = GapsCard(theme)
        self.gaps.plan.clicked.connect(self.plan_wanted)
        foot = ground("panel", border="top")
        below = QVBoxLayout(foot)
        below.setContentsMargins(16, 12, 16, 12)
        below.addWidget(self.gaps)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scrolled(inner), 1)
        outer.addWidget(foot)

    def show_facets(self, facets: Facets | None, query: MasterQuery) -> None:
        """Show the counts; values that are chosen stay listed even when nothing has them."""
        for row in FACETS:
            counts = {} if facets is None else facets.counts.get(row.id, {})
            chosen = [str(v) for v in getattr(query, row.field)]
            self._groups[row.id].show_counts(counts, chosen)


class GapsCard(QWidget):
    """What the library lacks is known of lights only: the way to ask for it."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(label("What do my lights still need?", "subheading", wrap=True))
        said = "Masters that are missing, old, or fit only by stretching, as a plan for Capture."
        column.addWidget(label(said, "note", wrap=True))
        self.plan = Button(theme, "Plan from lights…")
        column.addWidget(self.plan, 0, Qt.AlignmentFlag.AlignLeft)


class _ValueText(QLabel):
    """The words of a value beside its box: whole, on two lines where one is too short.

    The text of a check box itself neither wraps nor shrinks: a long name of a camera would make
    the whole panel wider than its place, and cut every count off.
    """

    def __init__(self, text: str, box: QCheckBox) -> None:
        super().__init__(breakable(text))
        self._box = box
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setProperty("role", "body")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        inside = self.rect().contains(event.position().toPoint())
        if inside and event.button() == Qt.MouseButton.LeftButton:
            self._box.click()


class _FacetGroup(QWidget):
    """A heading and its values, each with a tick box and a count."""

    chosen = Signal(object)

    def __init__(self, theme: ThemeState, row: FacetRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._row = theme, row
        self._lines: dict[str, tuple[QWidget, QCheckBox, Any]] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(label(row.title, "subheading"))

    def show_counts(self, counts: Mapping[str, int], chosen: Sequence[str]) -> None:
        """List the most frequent values, those that are chosen first of all."""
        named = {v: n for v, n in counts.items() if v}
        if self._row.newest_first:
            order = sorted(named, reverse=True)[:MOST_VALUES]
        else:
            order = sorted(named, key=lambda v: (-named[v], v))[:MOST_VALUES]
        listed = [*order, *(v for v in chosen if v and v not in order)]
        if "" in chosen or (named and counts.get("")):
            listed.append("")
        if set(listed) != set(self._lines):
            self._remake(sorted(listed, key=lambda v: listed.index(v)))
        for value, (_line, box, shown) in self._lines.items():
            box.setChecked(value in chosen)
            shown.setText(number(counts.get(value, 0)))
        least = 1 if self._row.always else 2
        self.setVisible(len(self._lines) >= least or bool(chosen))

    def _remake(self, values: Sequence[str]) -> None:
        for line, _box, _shown in self._lines.values():
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._lines = {}
        for value in values:
            line = QWidget()
            row = QHBoxLayout(line)
            row.setContentsMargins(0, 3, 0, 3)
            box = QCheckBox()
            box.setAccessibleName(f"{self._row.title}: {self._row.said(value)}")
            box.setFixedWidth(20)
            box.clicked.connect(self._on_clicked)
            shown = label("", "small", tone="text3")
            shown.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
            row.setSpacing(8)
            row.addWidget(box, 0, Qt.AlignmentFlag.AlignTop)
            status = self._row.status(value)
            if status:
                row.addWidget(StatusDot(self._theme, status))
            row.addWidget(_ValueText(self._row.said(value), box), 1)
            row.addWidget(shown)
            self._column.addWidget(line)
            self._lines[value] = (line, box, shown)

    @Slot()
    def _on_clicked(self) -> None:
        ticked = [v for v, (_line, box, _shown) in self._lines.items() if box.isChecked()]
        self.chosen.emit({self._row.field: tuple(self._row.parse(v) for v in ticked)})
