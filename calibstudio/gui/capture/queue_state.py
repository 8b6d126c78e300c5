"""The queue of calibration requests as the window knows it: read and changed in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.requests import Request, RequestState, RequestWish
from calibstudio.domain.wording import count
from calibstudio.gui.context import GuiContext

if TYPE_CHECKING:
    from calibstudio.gui.jobs.runner import Job


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """One policy as it is shown."""

    name: str
    words: str
    """What it brings, and how often."""
    last: Request | None
    """The newest request of it that was carried out."""


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """The queue at one moment."""

    requests: tuple[Request, ...] = ()
    """Those first that are taken first."""
    policies: tuple[PolicyLine, ...] = ()
    policies_file: Path | None = None
    policies_problem: str = ""
    """Why the file of policies cannot be read; empty: it can, or there is none."""

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(r.state is RequestState.QUEUED for r in self.requests)


class RequestQueue(QObject):
    """Reads the queue, and changes it one step after the other.

    Signals
    -------
    changed(QueueSeen)
        It was read anew.
    """

    changed = Signal(object)

    def __init__(self, context: GuiContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._reading: Job | None = None
        self._again = False
        self.seen: QueueSeen | None = None

    def look(self) -> None:
        """Read it; a second wish while it is read is granted afterwards."""
        if self._reading is not None:
            self._again = True
            return
        open_library = self._context.open_library
        self._reading = self._context.background.submit(
            "Look for requests", lambda ctx: look_at_queue(open_library), quiet=True
        )
        self._reading.succeeded.connect(self._on_seen)
        self._reading.failed.connect(self._context.problems.report)
        self._reading.finished.connect(self._on_finished)

    @Slot(object)
    def _on_seen(self, seen: QueueSeen) -> None:
        self.seen = seen
        self.changed.emit(seen)

    @Slot()
    def _on_finished(self) -> None:
        self._reading = None
        if self._again:
            self._again = False
            self.look()

    def add(self, wish: RequestWish, priority: int) -> None:
        """Put a request into the queue; undo cancels it."""

        def work(library: Any) -> Request:
            from calibstudio.services.requests import ask_for

            return ask_for(library, wish, priority)

        self._do(work, lambda r: self._say(f"{titled(r)} is in the queue.", self.cancel, r))

    def cancel(self, request: Request) -> None:
        """Take a request out of the queue; undo puts it back."""

        def work(library: Any) -> Request:
            from calibstudio.services.requests import cancel

            return cancel(library, request.id)

        self._do(work, lambda r: self._say(f"{titled(r)} is cancelled.", self.give_back, r))

    def give_back(self, request: Request) -> None:
        """Put a request that was cancelled, or failed, into the queue again."""

        def work(library: Any) -> Request:
            from calibstudio.services.requests import give_back

            return give_back(library, request.id)

        self._do(work, lambda r: self._say(f"{titled(r)} waits again."))

    def set_priority(self, request: Request, priority: int) -> None:
        """Make a request more or less urgent."""

        def work(library: Any) -> Request:
            from calibstudio.services.requests import set_priority

            return set_priority(library, request.id, priority)

        self._do(work, lambda _request: None)

    def ask_for_due(self) -> None:
        """Make requests of the policies that are due tonight."""
        observatory, context = self._context.equipment.observatory, self._context

        def work(ctx: JobContext) -> int:
            from calibstudio.domain.night import night_of
            from calibstudio.services.request_policies import ask_for_due, policies_of

            library, now = context.open_library(), observatory.clock.now()
            night = night_of(now, site=observatory.site)
            camera = observatory.camera.info.name
            policies = policies_of(library, None)
            return len(ask_for_due(ctx, library, policies, now, night, camera))

        job = context.background.submit("Policies", work)
        job.succeeded.connect(self._on_asked)
        job.failed.connect(context.problems.report)

    @Slot(object)
    def _on_asked(self, n: int) -> None:
        said = (
            f"{count(n, 'request')} of policies in the queue." if n else "Nothing is due tonight."
        )
        self._context.toasts.say(said, "good" if n else "info")
        self.look()

    def _do(self, work: Callable[[Any], Request], done: Callable[[Request], object]) -> None:
        open_library = self._context.open_library
        job = self._context.background.submit(
            "Request", lambda ctx: work(open_library()), quiet=True
        )
        job.succeeded.connect(done)
        job.failed.connect(self._context.problems.report)
        job.finished.connect(self.look)

    def _say(
        self,
        text: str,
        undo: Callable[[Request], None] | None = None,
        request: Request | None = None,
    ) -> None:
        if undo is None or request is None:
            self._context.toasts.say(text, "info")
            return
        self._context.toasts.say(text, "info", action="Undo", on_action=lambda: undo(request))


def titled(request: Request) -> str:
    """Name a request in a sentence: ``Request 3 (Flat, filter Ha)``."""
    return f"Request {request.id} ({request.wish.title})"


def look_at_queue(open_library: Callable[[], Any]) -> QueueSeen:
    """Read the queue and the policies. Slow the first time: only in jobs."""
    from calibstudio.services.request_policies import (
        FILE,
        Policies,
        last_carried_out,
        policies_of,
    )
    from calibstudio.services.requests import requests_of

    library = open_library()
    problem, policies = "", Policies(())
    try:
        policies = policies_of(library, None)
    except CalibStudioError as error:
        problem = f"{error} {error.hint}".strip()
    last = last_carried_out(library, policies)
    return QueueSeen(
        requests_of(library),
        tuple(PolicyLine(p.name, p.words, last[p.name]) for p in policies.policies),
        library.folder / FILE,
        problem,
    )
