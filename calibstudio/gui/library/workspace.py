"""The Library workspace: all masters, filtered and searched; one of them in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.wording import count, number
from calibstudio.gui.context import GuiContext
from calibstudio.gui.library.compare_page import ComparePage
from calibstudio.gui.library.detail_panel import MasterPanel
from calibstudio.gui.library.export import ask_where
from calibstudio.gui.library.facets_panel import FacetsPanel
from calibstudio.gui.library.state import LibraryPage, LibraryState
from calibstudio.gui.library.table import COLUMNS, master_title, value_of
from calibstudio.gui.library.trend_panel import TrendPanel
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.fields import Labelled, TextField
from calibstudio.gui.widgets.panels import EmptyState, ground
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.table import RecordTableModel, TableView
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.workspace import Workspace

WIDE, NARROW = (232, 1064, 548), (196, 726, 380)
"""Widths of facets, table and master: usual, and in a small window."""


class LibraryWorkspace(Workspace):
    """Facets at the left, the table of masters, the chosen one at the right."""

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(context, "Library", parent)
        self.state = LibraryState(context, self)
        self.facets = FacetsPanel(self.theme)
        self.model: RecordTableModel[MasterRecord] = RecordTableModel(
            COLUMNS, key=lambda record: record.sha256
        )
        self.table = TableView(self.theme, self.model, name="Masters", multiple=True)
        self.detail = MasterPanel(context)
        self.trend = TrendPanel(self.theme)
        self.comparison = ComparePage(context)
        self.trend.setMinimumHeight(190)
        self._banner: Banner | None = None
        self._want: str = ""
        self._meant: tuple[MasterRecord, ...] = ()
        self._last_review: Any = None
        self.file_dialog: QFileDialog | None = None
        self._build()
        self._connect()

    def _build(self) -> None:
        self.refresh = Button(self.theme, "Read again", icon="refresh")
        self.add_header_action(self.refresh)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        self._shown = label("", "small", tone="text2")
        self._clear = Button(self.theme, "Show all", ButtonKind.LINK, size=ButtonSize.SMALL)
        self.compare = Button(
            self.theme,
            "Compare",
            icon="compare",
            size=ButtonSize.SMALL,
            tip="Mark two masters (Ctrl-click, or Ctrl+Space) to see them side by side",
        )
        row.addWidget(self._shown)
        row.addWidget(self._clear)
        row.addStretch(1)
        row.addWidget(self.compare)
        column.addWidget(head)
        self._none = EmptyState(self.theme, "search", "No master fits.", hint="Tick other values.")
        self._middle = QStackedWidget()
        self._middle.addWidget(self.table)
        self._middle.addWidget(self._none)
        split = Splitter("library-centre", Qt.Orientation.Vertical, sizes=(660, 270))
        split.addWidget(self._middle)
        split.addWidget(self.trend)
        column.addWidget(split, 1)
        splitter = self._splitter = Splitter("library", sizes=WIDE)
        for panel in (self.facets, centre, self.detail):
            splitter.addWidget(panel)
        self.facets.setMinimumWidth(190)
        self.detail.setMinimumWidth(388)
        self.empty = EmptyState(
            self.theme,
            "library",
            "No masters yet. Stack a group in Frames, or take a set in Capture.",
            hint="Every master is judged and kept here with its history.",
            action="Take frames",
            on_action=lambda: self.workspace_wanted.emit("capture"),
            primary=True,
            other="Stack frames that I have",
            on_other=lambda: self.workspace_wanted.emit("frames"),
        )
        self.reading = EmptyState(self.theme, "library", "Reading the library…")
        self._pages = QStackedWidget()
        self._usual = splitter
        for page in (self.empty, splitter, self.reading, self.comparison):
            self._pages.addWidget(page)
        self._pages.setCurrentWidget(self.reading)
        self.body.addWidget(self._pages, 1)

    def _connect(self) -> None:
        self.state.changed.connect(self._on_page)
        self.state.failed.connect(self._on_failed)
        self.facets.wanted.connect(self._on_wanted)
        self.facets.plan_wanted.connect(lambda: self.plan_wanted.emit(()))
        self.refresh.clicked.connect(self.state.reload)
        self._clear.clicked.connect(self._on_clear)
        self.table.selection_changed.connect(self._on_selection)
        self.trend.master_clicked.connect(self.table.select_key)
        self.compare.clicked.connect(self.compare_chosen)
        self.comparison.closed.connect(self.leave_comparison)
        self.detail.approve.clicked.connect(self.approve)
        self.detail.reject.clicked.connect(self.reject)
        self.detail.retire.clicked.connect(self.retire)
        self.detail.export.clicked.connect(self.export)
        self.on("find", self.facets.search.setFocus)
        self.on("approve", self.approve)
        self.on("reject", self.reject)
        self.on("primary", self.approve)
        self.on("undo", self.undo)
        self.on("cancel", self.leave_comparison)
        self.on("fit", lambda: self._picture.fit())
        self.on("one-to-one", lambda: self._picture.one_to_one())
        self.on("zoom-in", lambda: self._picture.zoom_in())
        self.on("zoom-out", lambda: self._picture.zoom_out())
        self.on("clipped", self._toggle_clipped)

    @property
    def compares(self) -> bool:
        """Whether two masters are looked at side by side."""
        return self._pages.currentWidget() is self.comparison

    @property
    def _picture(self) -> PictureView:
        return self.comparison.views[0] if self.compares else self.detail.picture

    def _toggle_clipped(self) -> None:
        self._picture.show_clipped(not self._picture.shows_clipped)

    @Slot()
    def compare_chosen(self) -> None:
        """Look at the two marked masters side by side, the older one first."""
        if len(self._meant) != 2:
            return
        one, two = sorted(self._meant, key=_age)
        self._pages.setCurrentWidget(self.comparison)
        self.comparison.show_pair(one, two)
        self.comparison.table.setFocus()

    @Slot()
    def leave_comparison(self) -> None:
        """Go back to the table of all masters, with both still marked."""
        if self.compares:
            self._pages.setCurrentWidget(self._usual)
            self.comparison.forget()
            self.table.setFocus()

    def shown(self) -> None:
        self.table.setFocus()
        self.state.reload()

    def show_master(self, sha256: str) -> None:
        """Look at one master, once the library has answered."""
        self.leave_comparison()
        self._want = sha256
        self.facets.search.clear()
        self.state.query = type(self.state.query)(
            sort=self.state.query.sort, descending=self.state.query.descending
        )
        self.state.reload()

    # Answers of the library

    @Slot(object)
    def _on_page(self, page: LibraryPage) -> None:
        self._say_problem(None)
        is_first = self._pages.currentWidget() is self.reading
        if not (self.compares and page.total):
            self._pages.setCurrentIndex(1 if page.total else 0)
        self.set_subtitle(
            count(page.total, "master") + (", read only" if page.read_only else ""), page.folder
        )
        self.model.set_records(page.masters)
        self.facets.show_facets(page.facets, self.state.query)
        self._middle.setCurrentIndex(0 if page.masters else 1)
        self._clear.setVisible(len(page.masters) != page.total)
        if self._want:
            self.table.select_key(self._want)
            self._want = ""
        elif page.masters and not self.table.selected:
            self.table.selectRow(0)
        self._on_selection(self.table.selected)
        if is_first and page.masters and self.isVisible():
            self.table.setFocus()  # It could not have it while it was out of sight.

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self._pages.setCurrentIndex(1)
        if isinstance(error, CalibStudioError):
            self._say_problem(error)
        else:
            self.context.problems.report(error)

    def _say_problem(self, error: CalibStudioError | None) -> None:
        """A library that cannot be read is a state that lasts: a banner, not a toast."""
        if self._banner is not None:
            self._banner.hide()
            self._banner.deleteLater()
            self._banner = None
        if error is not None:
            self._banner = Banner(self.theme, "bad", str(error), error.hint)
            self.add_banner(self._banner)

    @Slot(object)
    def _on_wanted(self, changes: Mapping[str, Any]) -> None:
        self.state.change_query(**changes)

    @Slot()
    def _on_clear(self) -> None:
        self.facets.search.clear()
        self.state.change_query(
            search="", kinds=(), cameras=(), filters=(), verdicts=(), states=(), nights=()
        )

    @Slot(object)
    def _on_selection(self, records: tuple[MasterRecord, ...]) -> None:
        n = f"{number(len(self.model.records))} shown"
        self._shown.setText(f"{n}, {number(len(records))} selected" if records else n)
        chosen = records[0] if records else None
        self._meant = records
        self.compare.setEnabled(len(records) == 2)
        self.detail.show_master(chosen, n_chosen=len(records))
        self.trend.show_masters(chosen, self.model.records)

    # Decisions

    @property
    def chosen(self) -> tuple[MasterRecord, ...]:
        """The masters that a decision is about: the one in the panel, and those marked with it.

        None while two are compared: what is decided about must be seen as such.
        """
        return () if self.compares else self._meant

    @Slot()
    def approve(self) -> None:
        """Say that the chosen masters are fit for use."""
        ids = [r.sha256 for r in self.chosen]
        if ids:
            self._decide("Approve", lambda library: library.approve(ids))

    @Slot()
    def undo(self) -> None:
        """Take the last decision back."""
        review, self._last_review = self._last_review, None
        if review is not None:
            self._decide("Undo", lambda library: library.undo(review), can_undo=False)

    @Slot()
    def reject(self) -> None:
        """Ask why, and say that the chosen masters must not be used."""
        self._ask_reason("Reject", "reject", loses=True)

    @Slot()
    def retire(self) -> None:
        """Take the chosen masters out of use, or bring them back."""
        record = self.detail.record
        if self.compares:
            return
        if record is not None and record.state in (ReviewState.REJECTED, ReviewState.RETIRED):
            ids = [r.sha256 for r in self.chosen]
            self._decide("Restore", lambda library: library.restore(ids))
            return
        self._ask_reason("Retire", "retire", loses=False)

    @Slot()
    def export(self) -> None:
        """Write the bad-pixel map that is looked at for another program."""
        record = self.detail.record
        if record is not None:
            self.file_dialog = ask_where(self.context, self, record)

    def _ask_reason(self, word: str, method: str, *, loses: bool) -> None:
        records = self.chosen
        if not records:
            return
        what = master_title(records[0]) if len(records) == 1 else count(len(records), "master")
        sheet = Sheet(self.theme, f"{word} {what}", self)
        reason = TextField(self.theme, name="Reason")
        said = "The file stays; it is not offered for lights any more. This can be undone."
        sheet.body.addWidget(label(said, "secondary", wrap=True))
        field = Labelled("Why", reason)
        sheet.body.addWidget(field)
        ids = [r.sha256 for r in records]

        def accept() -> None:
            why = reason.text().strip()
            if loses and not why:
                field.set_note("A reason is kept with the master; a word is enough.", "bad")
                return
            sheet.accept()
            self._decide(word, lambda library: getattr(library, method)(ids, why))

        reason.returnPressed.connect(accept)
        sheet.add_button("Leave it", sheet.reject)
        sheet.add_button(word, accept, ButtonKind.DANGER if loses else ButtonKind.PRIMARY)
        sheet.open()
        reason.setFocus()

    def _decide(self, word: str, act: Any, *, can_undo: bool = True) -> None:
        def done(review: Any) -> None:
            n = count(len(review.changes), "master")
            if review.changes and can_undo:
                self._last_review = review
                self.context.toasts.say(
                    f"{n} {review.what}.", "good", action="Undo", on_action=self.undo
                )
            elif review.changes:
                self.context.toasts.say(f"{n} as before.", "info")

        self.state.run(word, act, done)

    def on_compact(self, compact: bool) -> None:
        self.detail.set_compact(compact)
        self.comparison.set_compact(compact)
        self._splitter.suggest(NARROW if compact else WIDE)

    def close_down(self) -> None:
        self.detail.close_down()
        self.comparison.close_down()


def _age(record: MasterRecord) -> tuple[str, str]:
    return str(record.observed_mid_utc or ""), str(value_of(record, "night") or "")
