"""Two masters compared: both pictures, their difference, and a table of all that is known."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.errors import Cancelled
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.wording import significant
from calibstudio.gui.context import GuiContext
from calibstudio.gui.library.compare_pictures import LinkedViews
from calibstudio.gui.library.compare_rows import (
    COMPARED_COLUMNS,
    ComparedRow,
    compared_rows,
    difference_rows,
    input_rows,
)
from calibstudio.gui.library.table import master_title
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.toolbar import PictureToolbar
from calibstudio.gui.picture.view import PictureView, PixelValue
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.panels import KeyValueGrid, ground, scrolled
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.table import RecordTableModel, TableView
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.imaging.display import Pyramid, build_pyramid
from calibstudio.services.master_compare import MasterComparison, compare

NAMES = ("First", "Second", "Second less first")


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    found: MasterComparison
    pyramids: tuple[Pyramid | None, ...]
    """Of the first, the second and the difference, where there is one."""


class ComparePage(QWidget):
    """Takes the room of the Library while two masters are compared.

    Signals
    -------
    closed
        The operator goes back to the table of masters.
    compared(MasterComparison)
        The files were read, and the difference is shown.
    """

    closed = Signal()
    compared = Signal(object)

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        theme = self._theme = context.theme
        self.pair: tuple[MasterRecord, MasterRecord] | None = None
        self._rows: list[ComparedRow] = []
        self.back = Button(theme, "All masters", icon="go-back", size=ButtonSize.SMALL)
        self.swap = Button(
            theme, "Swap", icon="refresh", size=ButtonSize.SMALL, tip="The second becomes the first"
        )
        self.views = tuple(PictureView(theme) for _ in NAMES)
        self.chips = tuple(PictureChips(theme, view) for view in self.views)
        self.titles = tuple(ElidedLabel("", "small") for _ in NAMES)
        self.toolbar = PictureToolbar(theme, self.views[0], has_line=False)
        self._links = LinkedViews(self.views, self.views[:2], self)
        self.under_cursor = label("", "small", tone="text2")
        self.choice = SegmentedControl(
            theme, (("all", "All"), ("differs", "What differs")), name="Rows shown", value="all"
        )
        self.model: RecordTableModel[ComparedRow] = RecordTableModel(COMPARED_COLUMNS)
        self.table = TableView(theme, self.model, name="Both masters")
        self.numbers = KeyValueGrid(columns=1)
        self._note = label("", "small", tone="text2", wrap=True)
        for view in self.views:
            view.fit()
        self.views[2].show_clipped(False)  # A difference of zero is good news, not a lost pixel.
        self._reader = NewestWorker("compare", self, heavy=True)
        self._token = CancelToken()
        self._build()
        self._connect()

    def _build(self) -> None:
        self.toolbar.region.hide()
        self.toolbar.expand.hide()
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(12)
        row.addWidget(self.back)
        row.addWidget(label("Two masters compared", "heading"))
        row.addWidget(self.under_cursor, 1)
        row.addWidget(self.swap)
        self.toolbar.setFixedHeight(44)
        split = Splitter("library-compare", Qt.Orientation.Vertical, sizes=(480, 360))
        split.addWidget(self._make_pictures())
        split.addWidget(self._make_foot())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (head, self.toolbar):
            column.addWidget(part)
        column.addWidget(split, 1)

    def _make_pictures(self) -> QWidget:
        pictures = QWidget()
        row = QHBoxLayout(pictures)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        for title, view in zip(self.titles, self.views, strict=True):
            column = QVBoxLayout()
            column.setSpacing(0)
            cap = ground("panel")
            cap.setFixedHeight(30)
            line = QHBoxLayout(cap)
            line.setContentsMargins(12, 0, 12, 0)
            line.addWidget(title, 1)
            column.addWidget(cap)
            column.addWidget(view, 1)
            row.addLayout(column, 1)
        return pictures

    def _make_foot(self) -> QWidget:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 0)
        row.addWidget(self.choice)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        right = QWidget()
        facts = QVBoxLayout(right)
        facts.setContentsMargins(16, 12, 16, 12)
        facts.setSpacing(8)
        facts.addWidget(label("The difference", "heading"))
        facts.addWidget(self._note)
        facts.addWidget(self.numbers)
        facts.addStretch(1)
        foot = QWidget()
        both = QHBoxLayout(foot)
        both.setContentsMargins(0, 0, 0, 0)
        both.setSpacing(0)
        both.addWidget(left, 3)
        both.addWidget(scrolled(right), 1)
        return foot

    def _connect(self) -> None:
        self.back.clicked.connect(self.closed)
        self.swap.clicked.connect(self._on_swap)
        self.choice.chosen.connect(self._show_rows)
        self._reader.done.connect(self._on_answer)
        self._reader.failed.connect(self._on_failed)
        for view in self.views:
            view.cursor_moved.connect(self._on_cursor)
        for chips in self.chips:
            chips.cancelled.connect(self.closed)

    def set_compact(self, compact: bool) -> None:
        """Use less room."""
        self.toolbar.set_compact(compact)

    def show_pair(self, one: MasterRecord, two: MasterRecord) -> None:
        """Compare two masters; what the library knows at once, pixels from the background."""
        self.forget()
        self.pair = (one, two)
        self._rows = compared_rows(one, two)
        self._show_rows()
        self.numbers.set_rows([])
        self._say_note("")
        for title, name, record in zip(self.titles, NAMES, (one, two, None), strict=True):
            title.setText(f"{name}: {master_title(record)}" if record else name)
        for view, chips in zip(self.views, self.chips, strict=True):
            view.set_picture(None)
            chips.hide_empty()
            chips.show_busy("Reading")
        open_library, token = self._context.open_library, self._token

        def work() -> _Answer | None:
            try:
                found = compare(JobContext(token), open_library(), one, two)
                pyramids = []
                for image in (*found.images, found.difference):
                    token.check()
                    pyramids.append(None if image is None else build_pyramid(image))
            except Cancelled:
                return None
            return _Answer(found, tuple(pyramids))

        self._reader.ask(work)

    @Slot(object)
    def _on_answer(self, answer: _Answer | None) -> None:
        if answer is None:  # It was cancelled.
            return
        found = answer.found
        if self.pair is None or (found.one, found.two) != self.pair:
            return
        for view, chips, pyramid in zip(self.views, self.chips, answer.pyramids, strict=True):
            chips.done()
            view.set_picture(pyramid)
        # One stretch for both, chosen on the first: what looks different is different.
        self.views[0].set_curve(self.views[0].stretch.curve)
        self.views[1].set_stretch(self.views[0].stretch)
        if answer.pyramids[2] is None:
            self.chips[2].show_empty("compare", found.why_not)
        name = "Second / first − 1" if found.unit == "%" else NAMES[2]
        self.titles[2].setText(f"{name} [{found.unit}]" if found.unit else name)
        self._rows += input_rows(found)
        self._show_rows()
        rows = difference_rows(found)
        self.numbers.set_rows([(name, value) for name, value, _tip in rows])
        for name, value, tip in rows:
            self.numbers.set_value(name, value, tip=tip)
        more = f"Of {found.n_detectors} detectors the first is compared." * (found.n_detectors > 1)
        worst = found.changes.worst_finding
        self._say_note(" ".join(s for s in (found.why_not, worst.what if worst else "", more) if s))
        self.compared.emit(found)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        if self.pair is None:
            return
        for view, chips in zip(self.views, self.chips, strict=True):
            chips.done()
            view.set_picture(None)
            chips.show_empty("picture", str(error), getattr(error, "hint", ""))

    @Slot()
    def _on_swap(self) -> None:
        if self.pair is not None:
            self.show_pair(self.pair[1], self.pair[0])

    @Slot()
    def _show_rows(self) -> None:
        only = self.choice.value == "differs"
        self.model.set_records([row for row in self._rows if row.differs or not only])

    @Slot(object)
    def _on_cursor(self, value: PixelValue | None) -> None:
        """Say what all pictures hold at the pixel under the cursor of one of them."""
        if value is None:
            self.under_cursor.setText("")
            return
        said = [f"x {value.x}, y {value.y}"]
        for name, view in zip(("first", "second", "difference"), self.views, strict=True):
            pixel = None if view.pyramid is None else view.pyramid.value(value.x, value.y)
            if pixel is not None:
                said.append(f"{name} {significant(pixel)}")
        self.under_cursor.setText(" · ".join(said))

    def _say_note(self, text: str) -> None:
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def forget(self) -> None:
        """Stop reading, and give back the memory of the pictures (three of 61 MP: over 1 GB)."""
        self._token.cancel()
        self._token = CancelToken()
        self.pair = None
        for view in self.views:
            view.set_picture(None)

    def close_down(self) -> None:
        """Stop reading."""
        self._token.cancel()
        self._reader.close()
        for view in self.views:
            view.close_down()
