"""The strip below the picture: histogram, statistics, history."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from calibstudio.gui.live.histogram_panel import HistogramPanel
from calibstudio.gui.live.history import HistoryPanel
from calibstudio.gui.live.parts import HeadBar
from calibstudio.gui.live.statistics import StatisticsTable, no_rows, statistic_rows
from calibstudio.gui.one_by_one import OneByOne
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.services.live_measure import LiveNumbers, RegionNumbers

STATISTICS_PX = 330


class LiveStrip(QFrame):
    """What is measured about the newest frame. In a small window the history is a tab."""

    def __init__(self, theme: ThemeState, updates: OneByOne, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._updates = updates
        self._numbers: LiveNumbers | None = None
        self._part: RegionNumbers | None = None
        self._compact = False
        self._has_region = True
        self.histogram = HistogramPanel(theme)
        self.statistics = StatisticsTable(theme)
        self.history = HistoryPanel(theme)
        self.setProperty("ground", "panel")
        self.setProperty("border", "top")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 1, 0, 0)
        row.setSpacing(0)
        self._parts = Splitter("live-parts", sizes=(620, STATISTICS_PX, 500))
        self._parts.addWidget(self.histogram)
        self._parts.addWidget(self._make_statistics())
        self._history_place = QWidget()
        self._history_row = QVBoxLayout(self._history_place)
        self._history_row.setContentsMargins(0, 0, 0, 0)
        self._history_row.addWidget(self.history)
        self._parts.addWidget(self._history_place)
        row.addWidget(self._parts)
        self.tabs.chosen.connect(self._on_tab)
        self.scope.chosen.connect(self._on_scope)
        self.set_compact(False)

    def _make_statistics(self) -> QWidget:
        """Statistics, with a place where the history is a tab beside them."""
        area = QWidget()
        column = QVBoxLayout(area)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        bar = HeadBar(self._theme)
        self._head = head = bar.row
        self._statistics_title = label("Statistics", "subheading", tone="text")
        self.tabs = SegmentedControl(
            self._theme, (("statistics", "Statistics"), ("history", "History")), name="Show"
        )
        self.scope = SegmentedControl(
            self._theme, ((False, "Frame"), (True, "Region")), name="Statistics of", value=False
        )
        self._statistics_note = ElidedLabel("whole frame", "caption")
        head.addWidget(self._statistics_title)
        head.addWidget(self.tabs)
        head.addWidget(self._statistics_note, 1)
        # Takes the room of the note where that is not shown.
        self._gap = QWidget()
        head.addWidget(self._gap, 1)
        head.addWidget(self.scope)
        column.addWidget(bar)
        self._tab_stack = QStackedLayout()
        self._tab_stack.addWidget(self.statistics)
        self._tab_place = QWidget()
        self._tab_row = QVBoxLayout(self._tab_place)
        self._tab_row.setContentsMargins(0, 0, 0, 0)
        self._tab_stack.addWidget(self._tab_place)
        column.addLayout(self._tab_stack, 1)
        return area

    def set_compact(self, compact: bool) -> None:
        """Use less room: the history is a tab beside the statistics."""
        self._compact = compact
        self.histogram.set_compact(compact)
        self.statistics.set_compact(compact)
        (self._tab_row if compact else self._history_row).addWidget(self.history)
        self._history_place.setVisible(not compact)
        self.tabs.setVisible(compact)
        self._statistics_title.setVisible(not compact)
        self.history.set_compact(compact)
        if compact:
            self._head.addWidget(self.history.choosers)
        self._tab_stack.setCurrentIndex(1 if compact and self.tabs.value == "history" else 0)
        self._show_scope()
        self._show_statistics()

    def show_numbers(self, numbers: LiveNumbers) -> None:
        """Show what was measured about a frame."""
        self._numbers, self._part = numbers, numbers.part
        self.history.add(numbers)
        self._show_statistics()
        self._updates.later("histogram", self._show_histogram)
        self._updates.later("history", self.history.renew)

    def _show_histogram(self) -> None:
        if self._numbers is not None and self._part is not None:
            self.histogram.show_numbers(self._numbers, self._part)

    def show_part(self, part: RegionNumbers) -> None:
        """Show another region of the same frame."""
        if self._numbers is None:
            return
        self._part = part
        self._show_statistics()
        self._updates.later("histogram", self._show_histogram)

    def set_region_shown(self, on: bool) -> None:
        """Offer statistics of the region only where there is one."""
        self._has_region = on
        if not on:
            self.scope.set_value(False)
        self._show_scope()
        self._show_statistics()

    def renew(self) -> None:
        """Draw what came while it was not seen."""
        self.history.renew()

    def _show_statistics(self) -> None:
        numbers = self._numbers
        if numbers is None or self._part is None:
            self.statistics.set_rows(no_rows(compact=self._compact))
            return
        part = self._part if self.scope.value else numbers.whole
        self._statistics_note.setText("whole frame" if part.region is None else "region")
        self.statistics.set_rows(statistic_rows(numbers, part, compact=self._compact))

    def _show_scope(self) -> None:
        on_history = self._compact and self.tabs.value == "history"
        self.scope.setVisible(not on_history and self._has_region)
        # The choice says it where there is one; beside it there is no room for a word.
        has_note = not self._compact and not self._has_region
        self._statistics_note.setVisible(has_note)
        self._gap.setVisible(not has_note)
        if self._compact:
            self.history.choosers.setVisible(on_history)

    @Slot(object)
    def _on_tab(self, tab: object) -> None:
        self._tab_stack.setCurrentIndex(1 if tab == "history" else 0)
        self._show_scope()
        if tab == "history":
            self.history.renew()

    @Slot(object)
    def _on_scope(self, _of_region: object) -> None:
        self._show_statistics()
