"""The right side: the master as a picture, its verdict, histogram, header, inputs, history."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.defects import defect_word
from calibstudio.domain.kinds import BPM
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.wording import EN_DASH, number, significant
from calibstudio.gui.context import GuiContext
from calibstudio.gui.library.again import MakeAgain
from calibstudio.gui.library.defect_counts import DefectCounts
from calibstudio.gui.library.defect_picture import MasterPicture
from calibstudio.gui.library.detail_columns import (
    HEADER_COLUMNS,
    HISTORY_COLUMNS,
    INPUT_COLUMNS,
    METRIC_COLUMNS,
)
from calibstudio.gui.library.detail_facts import deciding_finding, fact_rows
from calibstudio.gui.library.detail_reading import (
    PLANES,
    REJECTED,
    Papers,
    Plane,
    axis_of,
    read_papers,
    read_plane,
    unit_of,
)
from calibstudio.gui.library.table import master_title
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.plot_base import Mark
from calibstudio.gui.picture.plots import HistogramPlot
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import EmptyState, KeyValueGrid, ground, scrolled
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.table import RecordTableModel, TableView
from calibstudio.gui.widgets.text import ElidedLabel
from calibstudio.gui.widgets.verdict import VerdictCard, VerdictTag

LEAST_FOR_BOTH = 440
"""Width of the picture at which its words and the choice of the plane fit side by side."""
TABS = (
    ("histogram", "Histogram"),
    ("metrics", "Metrics"),
    ("header", "Header"),
    ("inputs", "Inputs"),
    ("history", "History"),
)
MAP_TABS = (("histogram", "Defects"), *TABS[1:])
"""Of a bad-pixel map: counts by kind stand where others have their histogram."""


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
        self._title = ElidedLabel("", "heading")
        self._tag = VerdictTag(theme)
        self.picture = MasterPicture(theme)
        self.chips = PictureChips(theme, self.picture)
        self._offered: tuple[tuple[str, str], ...] = PLANES
        self.planes = SegmentedControl(theme, PLANES, name="Plane")
        self.card = VerdictCard(theme)
        self.tabs = SegmentedControl(theme, TABS, name="What is shown of the master")
        self.histogram = HistogramPlot(theme)
        self.defects = DefectCounts(theme)
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
            theme,
            "Export…",
            icon="export",
            size=ButtonSize.SMALL,
            tip="For Siril, PixInsight, a table, a mask",
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
        row.setSpacing(12)
        row.addWidget(self._title, 1)
        row.addWidget(self.export)
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
        self._kinds = scrolled(self.defects)
        ignored = QSizePolicy.Policy.Ignored
        self._kinds.setSizePolicy(ignored, ignored)
        self._pages.addWidget(self._kinds)
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
        row.addWidget(self.retire)
        return foot

    def _connect(self) -> None:
        self.planes.chosen.connect(self._read_plane)
        self.tabs.chosen.connect(self._on_tab)
        self._plane_reader.done.connect(self._on_plane)
        self._plane_reader.failed.connect(self._on_failed)
        self._paper_reader.done.connect(self._on_papers)
        self._paper_reader.failed.connect(self.failed)

    def set_compact(self, compact: bool) -> None:
        """Use less room: a smaller picture, one fact a line."""
        self.picture.setFixedHeight(168 if compact else 272)
        self.setMinimumWidth(372 if compact else 388)
        self.facts.set_columns(1 if compact else 2)

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
        self._show_as(is_map=record.kind == BPM)
        self._tag.set_verdict(record.verdict)
        self.card.show_finding(deciding_finding(record))
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

    def _show_as(self, *, is_map: bool) -> None:
        """A map of bad pixels has kinds to count, and neither other planes nor a histogram."""
        self.export.setVisible(is_map)
        self.again.setVisible(not is_map)  # It follows from masters, which can be made again.
        if is_map == self._shows_map:
            return
        self._shows_map = is_map
        # Nearly every pixel of a map is 0, which is good news: nothing is marked there.
        self.picture.show_clipped(not is_map)
        self.tabs.set_options(MAP_TABS if is_map else TABS, self.tabs.value)
        if not is_map:
            self.picture.set_defects(None)
        self.chips.set_words(_what_is_wrong if is_map else None)
        self._place_planes()
        self._on_tab(self.tabs.value)

    def _show_facts(self, record: MasterRecord) -> None:
        rows = fact_rows(record)
        self.facts.set_rows([(name, value) for name, value, _tip in rows])
        for name, value, tip in rows:
            self.facts.set_value(name, value, tip=tip)

    @Slot()
    def _read_plane(self) -> None:
        record = self._record
        if record is None:
            return
        plane, open_library = str(self.planes.value or ""), self._context.open_library
        self.chips.show_busy("Reading", can_cancel=False)

        def work() -> Plane:
            return read_plane(open_library(), record, plane)

        self._plane_reader.ask(work)

    @Slot(object)
    def _on_plane(self, plane: Plane) -> None:
        if self._record is None or plane.sha256 != self._record.sha256:
            return
        self.chips.done()
        if plane.pyramid is None:
            self.picture.set_picture(None)
            self.chips.show_empty("picture", f"This master has no plane {plane.name}.")
            return
        self.chips.hide_empty()
        record, unit = self._record, unit_of(self._record, plane.name)
        self.chips.set_unit(unit, decimals=None)
        self.picture.set_defects(plane.defects)
        self.picture.set_picture(plane.pyramid)
        self._place_planes()
        if plane.defects is not None:
            self.defects.show_map(record, plane.defects)
            self.chips.show_verdict("", "Every mark is a bad pixel, also where it is smaller")
            return
        self.histogram.set_unit(axis_of(record, plane.name))
        main = plane.histograms.get("") or next(iter(plane.histograms.values()), None)
        marks = []
        if main is not None and main.total:
            middle = main.quantile(0.5)
            marks.append(Mark(middle, f"median {significant(middle)}", "series1", (2.0, 3.0)))
            low, high = main.quantile(0.001), main.quantile(0.999)
            span = f"{significant(low)}{EN_DASH}{significant(high)} {unit}".strip()
            self.chips.show_verdict("", f"99.8\u202f% of pixels {span}")
        self.histogram.set_histograms(plane.histograms, marks=marks)
        self.histogram.zoom_to_data()

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self.chips.done()
        self.picture.set_picture(None)
        self.chips.show_empty("picture", str(error), getattr(error, "hint", ""))
        self.failed.emit(error)

    def _read_papers(self, record: MasterRecord) -> None:
        open_library = self._context.open_library

        def work() -> Papers:
            return read_papers(open_library(), record)

        self._paper_reader.ask(work)

    @Slot(object)
    def _on_papers(self, papers: Papers) -> None:
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
        elif tab == "histogram" and self._shows_map:
            self._pages.setCurrentWidget(self._kinds)
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
        self.planes.setVisible(not self._shows_map)

    def resizeEvent(self, event: object) -> None:
        self._place_planes()

    def close_down(self) -> None:
        """Stop reading."""
        self._plane_reader.close()
        self._paper_reader.close()
        self.picture.close_down()


def _what_is_wrong(flags: float) -> str:
    return defect_word(int(flags)) or "good"


def _is_gone(record: MasterRecord) -> bool:
    return record.state in (ReviewState.REJECTED, ReviewState.RETIRED)
