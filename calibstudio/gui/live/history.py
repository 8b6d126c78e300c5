"""Two statistics of frame after frame."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from calibstudio.domain.equipment import ExposureRequest
from calibstudio.domain.kinds import FrameKind
from calibstudio.gui.icons import paint_icon
from calibstudio.gui.live.parts import HeadBar
from calibstudio.gui.live.statistics import STATISTICS, Statistic
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.text import label
from calibstudio.services.live_measure import LiveNumbers

if TYPE_CHECKING:
    from calibstudio.gui.picture.plots import SeriesPlot

KEPT = 500
"""Frames that are remembered."""


class StatisticChooser(QAbstractButton):
    """Shows a line as the plot draws it, the statistic's name, and a menu of the others.

    Signals
    -------
    chosen(Statistic)
        Another one was chosen.
    """

    chosen = Signal(object)

    def __init__(
        self, theme: ThemeState, name: str, statistic: Statistic, *, dashed: bool = False
    ) -> None:
        super().__init__()
        self._theme, self._name, self._dashed = theme, name, dashed
        self._statistic = statistic
        self._short = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self._on_clicked)
        theme.changed.connect(self._on_theme_changed)
        self._say()

    @property
    def statistic(self) -> Statistic:
        """What is followed."""
        return self._statistic

    def choose(self, statistic: Statistic) -> None:
        """Follow another one."""
        if statistic is not self._statistic:
            self._statistic = statistic
            self._say()
            self.chosen.emit(statistic)

    def set_short(self, short: bool) -> None:
        """Say the axis's word instead of the whole name."""
        self._short = short
        self._say()

    def _words(self) -> str:
        return self._statistic.short if self._short else self._statistic.name

    def sizeHint(self) -> QSize:
        width = QFontMetrics(self._theme.font(12)).horizontalAdvance(self._words())
        return QSize(20 + width + 6 + 14 + 4, self._theme.sizes.toolbar)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        y = self.height() / 2
        pen = QPen(self._theme.color("series2" if self._dashed else "series1"), 2)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if self._dashed:
            pen.setDashPattern([2.0, 1.5])
        painter.setPen(pen)
        painter.drawLine(QPoint(0, round(y)), QPoint(14, round(y)))
        painter.setFont(self._theme.font(12))
        painter.setPen(self._theme.color("text"))
        box = QRect(20, 0, self.width() - 20, self.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), self._words())
        side = QRect(self.width() - 17, round(y) - 7, 14, 14)
        paint_icon(painter, side, "chevron-down", t.text if self.underMouse() else t.text2)
        if self.hasFocus():
            painter.setPen(QPen(self._theme.color("focus"), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _say(self) -> None:
        self.setAccessibleName(f"{self._name}: {self._statistic.name}")
        self.updateGeometry()
        self.update()

    @Slot()
    def _on_clicked(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for statistic in STATISTICS:
            action = QAction(f"{statistic.name} [{statistic.unit}]", menu)
            action.setCheckable(True)
            action.setChecked(statistic is self._statistic)
            action.triggered.connect(lambda _checked=False, s=statistic: self.choose(s))
            menu.addAction(action)
        menu.popup(self.mapToGlobal(QPoint(0, self.height())))

    @Slot()
    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        self.update()


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The numbers of a frame, without its pixels."""

    number: int
    kind: str
    settings: ExposureRequest
    values: dict[str, float | None]


class HistoryPanel(QWidget):
    """The last frames' numbers, two of them plotted.

    Only frames taken like the newest are drawn: a test exposure would push the others into a line.
    """

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._frames: deque[_Remembered] = deque(maxlen=KEPT)
        self._plot: SeriesPlot | None = None
        self._compact = False
        by_name = {s.name: s for s in STATISTICS}
        self.first = StatisticChooser(theme, "Left axis", by_name["Median"])
        self.second = StatisticChooser(
            theme, "Right axis", by_name["Sensor temperature"], dashed=True
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.choosers = QWidget()
        pair = QHBoxLayout(self.choosers)
        pair.setContentsMargins(0, 0, 0, 0)
        pair.setSpacing(10)
        pair.addWidget(self.first)
        pair.addWidget(self.second)
        self._bar = HeadBar(theme)
        self._bar.row.addWidget(label("History", "subheading", tone="text"))
        self._bar.row.addStretch(1)
        self._bar.row.addWidget(self.choosers)
        column.addWidget(self._bar)
        self._place = QStackedLayout()
        self._place.addWidget(ground("plot"))
        column.addLayout(self._place, 1)
        self.first.chosen.connect(self._on_chosen)
        self.second.chosen.connect(self._on_chosen)

    @property
    def count(self) -> int:
        """Frames that are remembered."""
        return len(self._frames)

    def set_compact(self, compact: bool) -> None:
        """As a tab it has no head of its own: the choosers stand beside the tabs."""
        self._compact = compact
        self._bar.setVisible(not compact)
        for chooser in (self.first, self.second):
            chooser.set_short(compact)
        if not compact:
            self._bar.row.addWidget(self.choosers)
            self.choosers.show()
        if self._plot is not None:
            self._plot.set_bottom(24 if compact else 40)
            self._plot.set_label("bottom", "" if compact else "Frame")
            self._draw()

    def set_plot(self, plot: SeriesPlot) -> None:
        """Take the plot, once plots can be made."""
        self._plot = plot
        self._place.addWidget(plot)
        self._place.setCurrentWidget(plot)
        self.set_compact(self._compact)

    def add(self, numbers: LiveNumbers) -> None:
        """Remember a frame, which `renew` draws. Its pixels are not kept."""
        values = {s.name: s.value(numbers) for s in STATISTICS}
        kind = numbers.assessment.verdict.value.lower()
        settings = replace(numbers.frame.request, kind=FrameKind.LIGHT)
        self._frames.append(_Remembered(numbers.number, kind, settings, values))

    def renew(self) -> None:
        """Draw what came, if it can be seen."""
        if self.isVisible():
            self._draw()

    def _alike(self) -> list[_Remembered]:
        """The frames since the settings were last changed."""
        alike: list[_Remembered] = []
        for frame in reversed(self._frames):
            if frame.settings != self._frames[-1].settings:
                break
            alike.append(frame)
        return alike[::-1]

    def _draw(self) -> None:
        if self._plot is None:
            return
        from calibstudio.gui.picture.plots import SeriesData

        frames = self._alike()

        def series(name: str) -> NDArray[np.float64]:
            found = [f.values[name] for f in frames]
            return np.array([np.nan if v is None else v for v in found], dtype=np.float64)

        x = np.array([f.number for f in frames], dtype=np.float64)
        kinds = [f.kind for f in frames]
        first, second = self.first.statistic, self.second.statistic
        self._plot.set_series(
            SeriesData(x, series(first.name), kinds),
            label="" if self._compact else first.axis,
            second=SeriesData(x, series(second.name)),
            second_label="" if self._compact else second.axis,
            least_span=first.least_span,
            second_least_span=second.least_span,
        )

    @Slot()
    def _on_chosen(self) -> None:
        self._draw()
