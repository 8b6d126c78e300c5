"""One statistic across the frames of a group, with the limits that the group itself sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import EN_DASH, significant
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.table import FrameRow
from calibstudio.gui.picture.plots import HistogramPlot, SeriesData, SeriesPlot
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.imaging.display_numbers import Histogram

SIGMAS = 5.0
"""Limits of the band: group median ± so many robust sigmas."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """What can be plotted."""

    id: str
    title: str
    label: str
    value: Callable[[FrameRow], float | None]
    least_span: float
    step: float = 0.0
    """What the values are rounded to: frames that all say the same still differ by so much."""


def _of_metric(name: str) -> Callable[[FrameRow], float | None]:
    return lambda row: row.value(name)


def _sensor(row: FrameRow) -> float | None:
    return None if row.header is None else row.header.sensor_temp_c


STATISTICS = (
    Statistic("level", "Median", "Median [ADU]", _of_metric("level"), 2.0, 1.0),
    Statistic("noise", "Sigma", "Sigma [ADU]", _of_metric("noise"), 0.5),
    Statistic("sensor", "Sensor temperature", "Sensor [°C]", _sensor, 0.5, 0.1),
    Statistic("gradient", "Gradient", "Gradient [ADU]", _of_metric("gradient"), 0.5),
)

HISTOGRAM = "histogram"
LEAST_HEIGHT = 190


class AcrossPanel(QWidget):
    """The plot under the table.

    Signals
    -------
    frame_clicked(Path)
        The frame whose point was clicked.
    """

    frame_clicked = Signal(object)

    def __init__(
        self, theme: ThemeState, state: FramesState, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: Sequence[FrameRow] = ()
        self._kind = ""
        self.choice = SegmentedControl(
            theme,
            [*((s.id, s.title) for s in STATISTICS), (HISTOGRAM, "Histogram")],
            name="Statistic across the group",
        )
        self.plot = SeriesPlot(theme, name="Statistic of each frame", has_second=False)
        self._histogram: HistogramPlot | None = None
        self._histograms: dict[str, Histogram] = {}
        self._current: Path | None = None
        self._pages = QStackedWidget()
        self._pages.addWidget(self.plot)
        self._note = ElidedLabel("", "small", tone="text3")
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setMinimumHeight(LEAST_HEIGHT)
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(12)
        row.addWidget(label("Across the group", "heading"))
        row.addWidget(self.choice)
        row.addWidget(self._note, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self._pages, 1)
        self.choice.chosen.connect(self._renew)
        self.plot.point_clicked.connect(self._on_clicked)

    def show_frame(self, path: Path | None) -> None:
        """Mark the frame that is looked at."""
        self._current = path
        self._mark_current()

    def _mark_current(self) -> None:
        self.plot.set_selected(
            next((i for i, row in enumerate(self._rows) if row.path == self._current), None)
        )

    def show_histograms(self, histograms: Mapping[str, Histogram]) -> None:
        """Keep the histogram of the frame that is looked at, and show it where it is wanted."""
        self._histograms = dict(histograms)
        if self.choice.value == HISTOGRAM:
            self._renew()

    def _renew_histogram(self) -> None:
        if self._histogram is None:
            self._histogram = HistogramPlot(self._theme)
            self._pages.addWidget(self._histogram)
        self._pages.setCurrentWidget(self._histogram)
        self._histogram.set_histograms(self._histograms)
        row = next((r for r in self._rows if r.path == self._current), None)
        self._note.setText("" if row is None else f"of frame {row.number}")

    def show_rows(self, kind: str, rows: Sequence[FrameRow]) -> None:
        """Plot these frames, in the order given."""
        self._kind = kind
        self._rows = tuple(sorted(rows, key=lambda r: r.number))
        self._renew()

    @Slot()
    def _renew(self) -> None:
        if self.choice.value == HISTOGRAM:
            self._renew_histogram()
            return
        self._pages.setCurrentWidget(self.plot)
        chosen = next(s for s in STATISTICS if s.id == (self.choice.value or "level"))
        found = [chosen.value(row) for row in self._rows]
        values = np.array([np.nan if v is None else v for v in found], dtype=np.float64)
        numbers = np.array([row.number for row in self._rows], dtype=np.float64)
        used = np.array([row.left_out is None for row in self._rows], dtype=bool)
        # Flats are scaled to one level, so their exposures may differ: no limits of the group.
        limits = (
            None
            if self._kind == "flat" and chosen.id == "level"
            else _limits(values[used], chosen.step)
        )
        unit = "[%]" if chosen.id == "gradient" and self._kind == "flat" else ""
        self.plot.set_series(
            SeriesData(numbers, values, [_mark(row) for row in self._rows], _notes(self._rows)),
            label=chosen.label.replace("[ADU]", unit) if unit else chosen.label,
            limits=limits,
            limits_text="" if limits is None else _limits_text(limits),
            joined=False,
            least_span=chosen.least_span,
        )
        self._mark_current()
        measured = int(np.isfinite(values).sum())
        if self._rows and not measured:
            self._note.setText("being measured")
        else:
            self._note.setText("limits: group median ± 5 robust sigma" if limits else "")

    @Slot(int)
    def _on_clicked(self, index: int) -> None:
        if 0 <= index < len(self._rows):
            self.frame_clicked.emit(self._rows[index].path)


def _limits(values: NDArray[np.float64], step: float) -> tuple[float, float] | None:
    """Median ± 5 robust sigma of what is used; None for too few or equal values.

    Values that are rounded to a step have at least the sigma of that rounding, step / √12.
    """
    good = values[np.isfinite(values)]
    if good.size < 5:
        return None
    middle = float(np.median(good))
    sigma = 1.4826 * float(np.median(np.abs(good - middle)))
    sigma = max(sigma, step / sqrt(12.0))
    if sigma <= 0:
        return None
    return middle - SIGMAS * sigma, middle + SIGMAS * sigma


def _limits_text(limits: tuple[float, float]) -> str:
    return f"limits {significant(limits[0])}{EN_DASH}{significant(limits[1])}"


def _notes(rows: Sequence[FrameRow]) -> list[str]:
    """What is wrong, said once for frames in a row that have the same fault."""
    titles = [row.finding.title if row.finding is not None else "" for row in rows]
    return [t if i == 0 or titles[i - 1] != t else "" for i, t in enumerate(titles)]


def _mark(row: FrameRow) -> str:
    if row.left_out is not None or row.verdict is Verdict.BAD:
        return "bad"
    return "warn" if row.verdict is Verdict.WARN else "good"
