"""What the Library workspace shows: the masters that fit the filter, read in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.master_query import Facets, MasterQuery, MasterSort
from calibstudio.gui.context import GuiContext
from calibstudio.gui.jobs.runner import Job

FIRST = MasterQuery(sort=MasterSort.NIGHT, descending=True)


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """One answer of the library."""

    masters: tuple[MasterRecord, ...] = ()
    facets: Facets | None = None
    total: int = 0
    """Masters in the library, whatever the filter."""
    folder: str = ""
    read_only: bool = False


class LibraryState(QObject):
    """Asks the library in the background; what is shown stays until the answer is there.

    Signals
    -------
    changed(LibraryPage)
        Another answer holds now.
    failed(Exception)
        The library could not be read.
    """

    changed = Signal(object)
    failed = Signal(object)

    def __init__(self, context: GuiContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.query = FIRST
        self.page = LibraryPage()
        self._job: Job | None = None
        self._again = False

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._job is not None

    def change_query(self, **changes: Any) -> None:
        """Filter, search or sort otherwise."""
        query = replace(self.query, **changes)
        if query != self.query:
            self.query = query
            self.reload()

    def reload(self) -> None:
        """Ask again; while an answer is awaited, once more after it."""
        if self._job is not None:
            self._again = True
            return
        query, open_library = self.query, self._context.open_library

        def work(ctx: JobContext) -> LibraryPage:
            library = open_library()
            masters = library.masters(query)
            total = library.facets(MasterQuery()).total
            place = str(library.folder)
            return LibraryPage(masters, library.facets(query), total, place, library.read_only)

        self._job = self._context.background.submit("Read the library", work, quiet=True)
        self._job.succeeded.connect(self._on_page)
        self._job.failed.connect(self.failed)
        self._job.finished.connect(self._on_finished)

    def run(self, title: str, act: Callable[[Any], Any], done: Callable[[Any], None]) -> None:
        """Do something to the library in the background, then read it again."""
        open_library = self._context.open_library
        job = self._context.background.submit(title, lambda ctx: act(open_library()), quiet=True)
        job.succeeded.connect(done)
        job.failed.connect(self._context.problems.report)
        job.finished.connect(self.reload)

    @Slot(object)
    def _on_page(self, page: LibraryPage) -> None:
        self.page = page
        self.changed.emit(page)

    @Slot()
    def _on_finished(self) -> None:
        self._job = None
        if self._again:
            self._again = False
            self.reload()
