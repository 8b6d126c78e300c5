"""One statistic across the frames of a group, with the limits that the group itself sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import EN_DASH, significant
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.table import FrameRow
from calibstudio.gui.picture.plots import SeriesData, SeriesPlot
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import ElidedLabel, label

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


def _of_metric(name: str) -> Callable[[FrameRow], float | None]:
    return lambda row: row.value(name)


def _sensor(row: FrameRow) -> float | None:
    return None if row.header is None else row.header.sensor_temp_c


STATISTICS = (
    Statistic("level", "Median", "Median [ADU]", _of_metric("level"), 2.0),
    Statistic("noise", "Sigma", "Sigma [ADU]", _of_metric("noise"), 0.5),
    Statistic("sensor", "Sensor temperature", "Sensor [°C]", _sensor, 0.5),
    Statistic("gradient", "Gradient", "Gradient [ADU]", _of_metric("gradient"), 0.5),
)


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
        self._rows: Sequence[FrameRow] = ()
        self._kind = ""
        self.choice = SegmentedControl(
            theme, [(s.id, s.title) for s in STATISTICS], name="Statistic across the group"
        )
        self.plot = SeriesPlot(theme, name="Statistic of each frame", has_second=False)
        self._note = ElidedLabel("", "small", tone="text3")
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
        column.addWidget(self.plot, 1)
        self.choice.chosen.connect(self._renew)
        self.plot.point_clicked.connect(self._on_clicked)

    def show_rows(self, kind: str, rows: Sequence[FrameRow]) -> None:
        """Plot these frames, in the order given."""
        self._kind = kind
        self._rows = tuple(sorted(rows, key=lambda r: r.number))
        self._renew()

    @Slot()
    def _renew(self) -> None:
        chosen = next(s for s in STATISTICS if s.id == (self.choice.value or "level"))
        found = [chosen.value(row) for row in self._rows]
        values = np.array([np.nan if v is None else v for v in found], dtype=np.float64)
        numbers = np.array([row.number for row in self._rows], dtype=np.float64)
        used = np.array([row.left_out is None for row in self._rows], dtype=bool)
        # Flats are scaled to one level, so their exposures may differ: no limits of the group.
        limits = None if self._kind == "flat" and chosen.id == "level" else _limits(values[used])
        unit = "[%]" if chosen.id == "gradient" and self._kind == "flat" else ""
        self.plot.set_series(
            SeriesData(numbers, values, [_mark(row) for row in self._rows]),
            label=chosen.label.replace("[ADU]", unit) if unit else chosen.label,
            limits=limits,
            limits_text="" if limits is None else _limits_text(limits),
            joined=False,
            least_span=chosen.least_span,
        )
        measured = int(np.isfinite(values).sum())
        if self._rows and not measured:
            self._note.setText("being measured")
        else:
            self._note.setText("limits: group median ± 5 robust sigma" if limits else "")

    @Slot(int)
    def _on_clicked(self, index: int) -> None:
        if 0 <= index < len(self._rows):
            self.frame_clicked.emit(self._rows[index].path)


def _limits(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float] | None:
    """Median ± 5 robust sigma of what is used; None for too few or equal values."""
    good = values[np.isfinite(values)]
    if good.size < 5:
        return None
    middle = float(np.median(good))
    sigma = 1.4826 * float(np.median(np.abs(good - middle)))
    if sigma <= 0:
        return None
    return middle - SIGMAS * sigma, middle + SIGMAS * sigma


def _limits_text(limits: tuple[float, float]) -> str:
    return f"limits {significant(limits[0])}{EN_DASH}{significant(limits[1])}"


def _mark(row: FrameRow) -> str:
    if row.left_out is not None or row.verdict is Verdict.BAD:
        return "bad"
    return "warn" if row.verdict is Verdict.WARN else "good"
