"""One number of masters of the same kind over time: what a camera and its optics do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.kinds import BPM, kind_title
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import count, exposure
from calibstudio.gui.library.table import value_of
from calibstudio.gui.picture.plot_base import AxisKind
from calibstudio.gui.picture.plots import SeriesData, SeriesPlot
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import EmptyState, ground
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import ElidedLabel, label

CHOICES = {
    "flat": (("exposure_s", "Exposure"), ("vignetting", "Vignetting"), ("master_snr", "S/N")),
    "dark": (("level", "Level"), ("noise", "Noise"), ("hot_pixels", "Hot pixels")),
    "bias": (("level", "Level"), ("noise", "Noise")),
    BPM: (("hot_pixel_count", "Hot pixels"), ("dead_pixels", "Dead pixels")),
}
_OTHER = (("level", "Level"), ("noise", "Noise"))
SAME = ("camera", "filter", "gain", "offset", "binning", "readout_mode", "telescope")
"""What masters of one trend share."""


class TrendPanel(QWidget):
    """A plot under the table.

    Signals
    -------
    master_clicked(str)
        SHA-256 of the master whose point was clicked.
    """

    master_clicked = Signal(str)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chosen: MasterRecord | None = None
        self._alike: list[MasterRecord] = []
        self._all: Sequence[MasterRecord] = ()
        self.choice = SegmentedControl(theme, _OTHER, name="What the trend shows")
        self.plot = SeriesPlot(theme, name="Trend", x=AxisKind.TIME, has_second=False)
        self._about = ElidedLabel("", "small", tone="text2")
        self._about.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._span = label("", "small", tone="text3")
        self._empty = EmptyState(theme, "trend", "A trend needs two masters of one kind.")
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(12)
        row.addWidget(label("Trend", "heading"))
        row.addWidget(self._about)
        row.addWidget(self.choice)
        row.addStretch(1)
        row.addWidget(self._span)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.plot)
        self._pages.addWidget(self._empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self._pages, 1)
        self.choice.chosen.connect(self._renew)
        self.plot.point_clicked.connect(self._on_clicked)

    def show_masters(self, chosen: MasterRecord | None, masters: Sequence[MasterRecord]) -> None:
        """Show the masters that are like the chosen one."""
        kind_changed = (chosen and chosen.kind) != (self._chosen and self._chosen.kind)
        self._chosen, self._all = chosen, masters
        if chosen is not None and kind_changed:
            self.choice.set_options(CHOICES.get(chosen.kind, _OTHER))
        self._renew()

    @Slot()
    def _renew(self) -> None:
        chosen, name = self._chosen, str(self.choice.value or "")
        self._alike = [] if chosen is None else _alike(chosen, self._all)
        if chosen is None or len(self._alike) < 2:
            self._pages.setCurrentIndex(1)
            self._about.setText("" if chosen is None else _about(chosen))
            self._span.setText("")
            return
        self._pages.setCurrentIndex(0)
        times = [r.observed_mid_utc for r in self._alike]
        values = [_value(r, name) for r in self._alike]
        words = dict(CHOICES.get(chosen.kind, _OTHER))
        self.plot.set_series(
            SeriesData(
                np.array([t.timestamp() for t in times if t is not None]),
                np.array([np.nan if v is None else v for v in values]),
                [_mark(r) for r in self._alike],
            ),
            label=_label(chosen, name, words.get(name, "")),
        )
        self.plot.set_selected(
            next((i for i, r in enumerate(self._alike) if r.sha256 == chosen.sha256), None)
        )
        self._about.setText(_about(chosen))
        self._span.setText(f"{count(len(self._alike), 'master')}, {_span(self._alike)}")

    @Slot(int)
    def _on_clicked(self, index: int) -> None:
        if 0 <= index < len(self._alike):
            self.master_clicked.emit(self._alike[index].sha256)


def _about(chosen: MasterRecord) -> str:
    """Say what the masters of a trend share: ``flats, Ha, this camera``."""
    parts = [f"{kind_title(chosen.kind).lower()}{'es' if chosen.kind == 'bias' else 's'}"]
    named = value_of(chosen, "filter") if chosen.kind == "flat" else None
    exposure_s = value_of(chosen, "exposure_s") if "dark" in chosen.kind else None
    if named is not None:
        parts.append(str(named))
    if isinstance(exposure_s, int | float):
        parts.append(exposure(float(exposure_s)))
    return ", ".join([*parts, "this camera"])


def _span(masters: Sequence[MasterRecord]) -> str:
    """How long a trend is, in the largest unit that fits twice."""
    times = [r.observed_mid_utc for r in masters if r.observed_mid_utc is not None]
    days = (max(times) - min(times)).total_seconds() / 86400
    if days >= 60:
        return f"{round(days / 30.44)} months"
    return f"{round(days)} days" if days >= 2 else "one night"


def _alike(chosen: MasterRecord, masters: Sequence[MasterRecord]) -> list[MasterRecord]:
    """Masters of one trend, in order of time; rejected ones are left out."""
    found = [
        r
        for r in masters
        if r.kind == chosen.kind
        and r.observed_mid_utc is not None
        and r.state is not ReviewState.REJECTED
        and all(value_of(r, w) == value_of(chosen, w) for w in SAME)
        and (r.kind == "flat" or value_of(r, "exposure_s") == value_of(chosen, "exposure_s"))
    ]
    return sorted(found, key=lambda r: (r.observed_mid_utc is None, r.observed_mid_utc))


def _value(record: MasterRecord, name: str) -> float | None:
    if name == "exposure_s":
        found = value_of(record, "exposure_s")
        return float(found) if isinstance(found, int | float) else None
    return record.assessment.value(name)


def _label(record: MasterRecord, name: str, word: str) -> str:
    if name == "exposure_s":
        return "Exposure [s]"
    metric = record.assessment.metric(name)
    return f"{word} [{metric.unit}]" if metric is not None and metric.unit else word


def _mark(record: MasterRecord) -> str:
    return {Verdict.WARN: "warn", Verdict.BAD: "bad"}.get(record.verdict, "good")
