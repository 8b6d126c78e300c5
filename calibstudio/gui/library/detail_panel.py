"""The right side: the master as a picture, its verdict, histogram, header, inputs, history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.detectors import REJECTED_PLANES
from calibstudio.domain.kinds import BPM, kind_title
from calibstudio.domain.master import InputRecord, MasterRecord, ReviewState
from calibstudio.domain.measured_gain import GAIN_OF_FLAT
from calibstudio.domain.quality import Finding, Metric, Verdict
from calibstudio.domain.wording import EN_DASH, number, significant
from calibstudio.gui.context import GuiContext
from calibstudio.gui.library.again import MakeAgain
from calibstudio.gui.library.table import REVIEW_WORDS, master_title
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.plot_base import Mark
from calibstudio.gui.picture.plots import HistogramPlot
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import EmptyState, KeyValueGrid, ground, scrolled
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.verdict import VerdictCard, VerdictTag, kind_of
from calibstudio.imaging.display import Pyramid, build_pyramid
from calibstudio.imaging.display_numbers import (
    Histogram,
    channel_histograms,
    mean_quantum,
    region_histogram,
)

LEAST_FOR_BOTH = 440
"""Width of the picture at which its words and the choice of the plane fit side by side."""
PLANES = (("", "Master"), ("UNC", "UNC"), ("CNT", "CNT"))
REJECTED = dict(zip(REJECTED_PLANES, ("Low", "High"), strict=True))
"""Maps of the values rejected at each pixel, where a master has them."""
_COUNTS = ("CNT", *REJECTED_PLANES)
TABS = (
    ("histogram", "Histogram"),
    ("metrics", "Metrics"),
    ("header", "Header"),
    ("inputs", "Inputs"),
    ("history", "History"),
)
FACTS: Mapping[str, tuple[str, ...]] = {
    "flat": ("master_snr", "vignetting", "gradient", "dust", "rejected"),
    "bias": ("level", "unc_median", "noise", "read_noise", "row_structure", "rejected"),
    BPM: ("hot_pixel_count", "unstable_pixels", "cold_pixels", "dead_pixels"),
}
"""The numbers that tell most about a kind, the others are in Metrics."""
_FACTS_OF_DARKS = ("level", "unc_median", "noise", "dark_current", "hot_pixel_count", "rejected")


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """One plane of one master, ready to be shown."""

    sha256: str
    name: str
    pyramid: Pyramid | None
    histograms: dict[str, Histogram]


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card of a header."""

    keyword: str
    value: str
    comment: str


@dataclass(frozen=True, slots=True)
class _Papers:
    """What the file and the library say about one master."""

    sha256: str
    cards: tuple[CardRow, ...]
    inputs: tuple[InputRecord, ...]
    history: tuple[tuple[str, str, str], ...]
    maps: tuple[str, ...] = ()
    """Of `REJECTED_PLANES`, those that the file has."""


def _whole(value: int | None) -> str:
    return "" if value is None else number(value)


HEADER_COLUMNS: tuple[Column[CardRow], ...] = (
    Column("Keyword", lambda c: c.keyword, width=110, strong=True),
    Column("Value", lambda c: c.value, tooltip=lambda c: c.value, width=190),
    Column("Comment", lambda c: c.comment, tooltip=lambda c: c.comment, width=240),
)
INPUT_COLUMNS: tuple[Column[InputRecord], ...] = (
    Column(
        "File",
        lambda i: i.file,
        tooltip=lambda i: f"{i.file}\nSHA-256 {i.sha256}",
        tone=lambda i: None if i.used else "text3",
        width=190,
        cut=Qt.TextElideMode.ElideMiddle,
    ),
    Column(
        "Level [ADU]",
        lambda i: i.level_adu,
        lambda v: "" if v is None else number(v, 1),
        align="right",
        width=96,
    ),
    Column(
        "Rejected [%]",
        lambda i: i.rejected_fraction,
        lambda v: "" if v is None else number(100 * v, 3),
        align="right",
        width=100,
    ),
    Column("Low", lambda i: i.rejected_low, _whole, align="right", width=84),
    Column("High", lambda i: i.rejected_high, _whole, align="right", width=84),
    Column(
        "Weight",
        lambda i: i.weight,
        lambda v: "" if v is None else number(v, 3),
        align="right",
        width=72,
    ),
    Column("Used", lambda i: "yes" if i.used else "no", width=64),
    Column("Reason", lambda i: i.reason, tooltip=lambda i: i.reason, width=220),
)
HISTORY_COLUMNS: tuple[Column[tuple[str, str, str]], ...] = (
    Column("When [UTC]", lambda h: h[0], width=150),
    Column("What", lambda h: h[1], width=120),
    Column("Reason", lambda h: h[2], tooltip=lambda h: h[2], width=240),
)


def _metric_text(metric: Metric) -> str:
    if metric.value is None:
        return "not measured"
    text = (
        significant(metric.value, 3)
        if metric.decimals is None
        else number(metric.value, metric.decimals)
    )
    return f"{text}\u202f{metric.unit}" if metric.unit else text


METRIC_COLUMNS: tuple[Column[Metric], ...] = (
    Column("Metric", lambda m: m.label, width=170),
    Column("Value", _metric_text, align="right", width=120),
    Column(
        "Verdict",
        lambda m: m.verdict,
        tag=lambda m: None if m.verdict is None else (kind_of(m.verdict), m.verdict.value),
        sort_key=lambda v: v.severity if isinstance(v, Verdict) else -1,
        width=88,
    ),
    Column("Why", lambda m: m.why, tooltip=lambda m: m.why, width=300),
)


class MasterPanel(QWidget):
    """Everything about the chosen master.

    Signals
    -------
    failed(Exception)
        Its file could not be read.
    """

    failed = Signal(object)

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        theme = self._theme = context.theme
        self._record: MasterRecord | None = None
        self._shows_map = False
        self._title = label("", "heading")
        self._tag = VerdictTag(theme)
        self.picture = PictureView(theme)
        self.chips = PictureChips(theme, self.picture)
        self._offered: tuple[tuple[str, str], ...] = PLANES
        self.planes = SegmentedControl(theme, PLANES, name="Plane")
        self.card = VerdictCard(theme)
        self.tabs = SegmentedControl(theme, TABS, name="What is shown of the master")
        self.histogram = HistogramPlot(theme)
        self.facts = KeyValueGrid(columns=2)
        self.again = MakeAgain(context)
        self._models: dict[str, RecordTableModel[Any]] = {
            "metrics": RecordTableModel(METRIC_COLUMNS),
            "header": RecordTableModel(HEADER_COLUMNS),
            "inputs": RecordTableModel(INPUT_COLUMNS),
            "history": RecordTableModel(HISTORY_COLUMNS),
        }
        self.tables = {
            name: TableView(theme, model, name=f"{name.title()} of the master")
            for name, model in self._models.items()
        }
        self.approve = Button(
            theme, "Approve", ButtonKind.PRIMARY, icon="status-good", key="A", size=ButtonSize.LARGE
        )
        self.reject = Button(theme, "Reject…", ButtonKind.DANGER, size=ButtonSize.LARGE)
        self.retire = Button(theme, "Retire…", size=ButtonSize.LARGE)
        self.export = Button(
            theme, "Export…", size=ButtonSize.LARGE, tip="For Siril, PixInsight, a table, a mask"
        )
        self._plane_reader = NewestWorker("plane", self)
        self._paper_reader = NewestWorker("papers", self)
        self._pages = QStackedWidget()
        self._build()
        self._connect()
        self.show_master(None)

    def _build(self) -> None:
        self._nothing = EmptyState(self._theme, "library", "No master chosen.")
        self._undecided = EmptyState(
            self._theme,
            "clock",
            "Nobody has decided about this master yet.",
            hint="Approve, reject and retire are written here, with their reason.",
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing)
        self._stack.addWidget(self._make_body())
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)

    def _make_body(self) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(16, 0, 16, 0)
        row.addWidget(self._title, 1)
        row.addWidget(self._tag)
        column.addWidget(head)
        self.picture.setFixedHeight(272)
        self.planes.setParent(self.picture)
        column.addWidget(self.picture)
        column.addWidget(scrolled(self._make_middle()), 1)
        column.addWidget(self._make_foot())
        return body

    def _make_middle(self) -> QWidget:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(12)
        column.addWidget(self.card)
        column.addWidget(self.tabs)
        self._pages.addWidget(self.histogram)
        for table in self.tables.values():
            self._pages.addWidget(table)
        self._pages.addWidget(self._undecided)
        self._pages.setMinimumHeight(176)
        column.addWidget(self._pages, 1)
        column.addWidget(self.facts)
        column.addWidget(self.again)
        return middle

    def _make_foot(self) -> QWidget:
        foot = ground("panel", border="top")
        row = QHBoxLayout(foot)
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(8)
        row.addWidget(self.approve)
        row.addWidget(self.reject)
        row.addStretch(1)
        row.addWidget(self.export)
        row.addWidget(self.retire)
        return foot

    def _connect(self) -> None:
        self.planes.chosen.connect(self._read_plane)
        self.tabs.chosen.connect(self._on_tab)
        self._plane_reader.done.connect(self._on_plane)
        self._plane_reader.failed.connect(self._on_failed)
        self._paper_reader.done.connect(self._on_papers)
        self._paper_reader.failed.connect(self.failed)

    @property
    def record(self) -> MasterRecord | None:
        """The master that is looked at."""
        return self._record

    def show_master(self, record: MasterRecord | None, *, n_chosen: int = 1) -> None:
        """Look at a master; picture and papers are read in the background.

        ``n_chosen`` masters are meant by the buttons.
        """
        before, self._record = self._record, record
        self._stack.setCurrentIndex(0 if record is None else 1)
        self.again.show_master(record)
        if record is None:
            return
        self._title.setText(master_title(record))
        self.export.setVisible(record.kind == BPM)
        self._tag.set_verdict(record.verdict)
        self._show_verdict(record)
        self._models["metrics"].set_records(record.assessment.metrics)
        self._show_facts(record)
        self.approve.setEnabled(n_chosen > 1 or record.state is not ReviewState.APPROVED)
        self.reject.setEnabled(n_chosen > 1 or record.state is not ReviewState.REJECTED)
        self.retire.setText("Restore" if _is_gone(record) else "Retire…")
        self.approve.setText(f"Approve {number(n_chosen)}" if n_chosen > 1 else "Approve")
        if before is None or before.sha256 != record.sha256:
            self.planes.set_value("")
            self._read_plane()
        if before is None or before != record:
            self._read_papers(record)

    def _show_verdict(self, record: MasterRecord) -> None:
        finding = record.assessment.worst_finding
        if finding is None:
            used = f"{record.n_combined} of {record.n_frames} frames"
            finding = Finding(record.verdict, "nothing wrong", f"{used} are in it.")
        if record.state is not ReviewState.NEW:
            said = f"{REVIEW_WORDS[record.state]} by a person"
            why = f": {record.state_reason}" if record.state_reason else ""
            finding = Finding(
                finding.verdict,
                finding.title,
                f"{finding.what} {said}{why}.".strip(),
                finding.cause,
                finding.cure,
            )
        self.card.show_finding(finding)

    def _show_facts(self, record: MasterRecord) -> None:
        rows: list[tuple[str, str]] = [
            ("Frames", f"{number(record.n_combined)} of {number(record.n_frames)}")
        ]
        for name in FACTS.get(record.kind, _FACTS_OF_DARKS):
            metric = record.assessment.metric(name)
            if metric is not None and metric.value is not None:
                rows.append((metric.label, _metric_text(metric)))
        behind = record.assessment.metric(GAIN_OF_FLAT)
        if behind is not None and behind.value is not None:
            rows.append(("Gain", f"{_metric_text(behind)} · {behind.why}"))
        used = ", ".join(kind_title(u.kind).lower() for u in record.used)
        out = used or ("the bias" if record.bias_subtracted else "nothing")
        rows += [("Taken out", out), ("Recipe", record.recipe)]
        self.facts.set_rows(rows)
        files = "\n".join(f"{kind_title(u.kind)} {u.file}" for u in record.used)
        self.facts.set_value("Taken out", out, tip=files)
        if behind is not None and behind.value is not None:
            self.facts.set_value("Gain", dict(rows)["Gain"], tip=behind.why)

    @Slot()
    def _read_plane(self) -> None:
        record = self._record
        if record is None:
            return
        plane, open_library = str(self.planes.value or ""), self._context.open_library
        self.chips.show_busy("Reading", can_cancel=False)

        def work() -> _Plane:
            master = open_library().open_master(record.sha256)
            data = master.image() if not plane else master.plane(plane)
            if data is None:
                return _Plane(record.sha256, plane, None, {})
            data = np.asarray(data, dtype=np.float32)
            pyramid = build_pyramid(data)
            bayer = record.values.get("bayer") or record.key.get("bayer")
            pattern = bayer if isinstance(bayer, str) and not plane else None
            # Means of whole numbers are multiples of a quantum, which bins must not beat with.
            quantum = 1.0 if plane in _COUNTS else mean_quantum(data, record.n_combined)
            counted = {
                colour: replace(histogram, quantum=quantum)
                for colour, histogram in _histograms(data, pattern).items()
            }
            return _Plane(record.sha256, plane, pyramid, counted)

        self._plane_reader.ask(work)

    @Slot(object)
    def _on_plane(self, plane: _Plane) -> None:
        if self._record is None or plane.sha256 != self._record.sha256:
            return
        self.chips.done()
        if plane.pyramid is None:
            self.picture.set_picture(None)
            self.chips.show_empty("picture", f"This master has no plane {plane.name}.")
            return
        self.chips.hide_empty()
        unit = self._unit(plane.name)
        self.chips.set_unit(unit, decimals=None)
        # Of a map nearly every pixel is 0, which is good news: nothing is marked there.
        is_map = self._record.kind == BPM
        if is_map != self._shows_map:
            self._shows_map = is_map
            self.picture.show_clipped(not is_map)
        self.picture.set_picture(plane.pyramid)
        self._place_planes()
        self.histogram.set_unit(_axis(self._record, plane.name, unit))
        main = plane.histograms.get("") or next(iter(plane.histograms.values()), None)
        marks = []
        if main is not None and main.total:
            middle = main.quantile(0.5)
            marks.append(Mark(middle, f"median {significant(middle)}", "series1", (2.0, 3.0)))
            low, high = main.quantile(0.001), main.quantile(0.999)
            self.chips.show_verdict(
                "",
                "bits of each pixel, 0 where it is good"
                if is_map and not plane.name
                else f"99.8\u202f% of pixels {significant(low)}{EN_DASH}{significant(high)} {unit}",
            )
        self.histogram.set_histograms(plane.histograms, marks=marks)
        self.histogram.zoom_to_data()

    def _unit(self, plane: str) -> str:
        record = self._record
        if plane in _COUNTS or record is None:
            return ""
        return {"adu": "ADU", "adu/s": "ADU/s"}.get(record.unit.lower(), record.unit)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self.chips.done()
        self.picture.set_picture(None)
        self.chips.show_empty("picture", str(error), getattr(error, "hint", ""))
        self.failed.emit(error)

    def _read_papers(self, record: MasterRecord) -> None:
        open_library = self._context.open_library

        def work() -> _Papers:
            library = open_library()
            headers = library.cards(record.sha256)
            cards = tuple(
                CardRow(*card)
                for i, (_name, found) in enumerate(headers)
                if i == 0
                for card in found
            )
            history = tuple(
                (f"{d.at:%Y-%m-%d %H:%M}", str(d.what), d.reason)
                for d in library.history(record.sha256)
            )
            master = library.open_master(record.sha256)
            maps = tuple(m for m in REJECTED_PLANES if master.has_plane(m))
            return _Papers(record.sha256, cards, master.inputs, history, maps)

        self._paper_reader.ask(work)

    @Slot(object)
    def _on_papers(self, papers: _Papers) -> None:
        if self._record is None or papers.sha256 != self._record.sha256:
            return
        self._models["header"].set_records(papers.cards)
        self._models["inputs"].set_records(papers.inputs)
        self._models["history"].set_records(papers.history)
        self._offer_planes(papers.maps)
        self._on_tab(self.tabs.value)

    @Slot(object)
    def _on_tab(self, tab: object) -> None:
        if tab == "history" and not self._models["history"].records:
            self._pages.setCurrentWidget(self._undecided)
        else:
            self._pages.setCurrentIndex([name for name, _ in TABS].index(str(tab)))

    def _offer_planes(self, maps: tuple[str, ...]) -> None:
        offered = (*PLANES, *((name, REJECTED[name]) for name in maps))
        if offered != self._offered:
            self._offered = offered
            self.planes.set_options(offered, self.planes.value)
            self._place_planes()

    def _place_planes(self) -> None:
        size, picture = self.planes.sizeHint(), self.picture
        # Beside the words at the upper left, or below them where both have no room.
        is_narrow = picture.width() < LEAST_FOR_BOTH
        top = picture.height() - size.height() - 10 if is_narrow else 10
        left = picture.width() - size.width() - 12
        self.planes.setGeometry(left, top, size.width(), size.height())
        self.planes.show()

    def resizeEvent(self, event: object) -> None:
        self._place_planes()

    def close_down(self) -> None:
        """Stop reading."""
        self._plane_reader.close()
        self._paper_reader.close()
        self.picture.close_down()


def _histograms(data: NDArray[np.float32], bayer: str | None) -> dict[str, Histogram]:
    return channel_histograms(data, bayer) if bayer else {"": region_histogram(data)}


def _is_gone(record: MasterRecord) -> bool:
    return record.state in (ReviewState.REJECTED, ReviewState.RETIRED)


def _axis(record: MasterRecord, plane: str, unit: str) -> str:
    if plane == "CNT":
        return "Values kept"
    if plane in REJECTED:
        return f"Values rejected {REJECTED[plane].lower()}"
    if plane == "UNC":
        return f"Uncertainty [{unit}]" if unit else "Uncertainty"
    return f"Level [{unit}]" if unit else f"{kind_title(record.kind)} value"
