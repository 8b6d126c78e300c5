"""The queue of calibration requests: asked for, cancelled, given back; and who may carry it out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from calibstudio.domain.errors import UsageError
from calibstudio.domain.requests import (
    HIGHEST_PRIORITY,
    USUAL_PRIORITY,
    Request,
    RequestState,
    RequestWish,
    checked,
)
from calibstudio.services.library import Library
from calibstudio.store.file_lock import locked
from calibstudio.store.library_requests import (
    add_request,
    change_request,
    find_request,
    select_requests,
)

LOCK = "requests.lock"
"""In the library's folder; held by the program that carries requests out."""


def requests_of(library: Library, *, open_only: bool = False) -> tuple[Request, ...]:
    """Return the requests of a library, those first that are taken first."""
    states = (RequestState.QUEUED, RequestState.RUNNING) if open_only else ()
    with library.database.reading() as session:
        return select_requests(session, states)


def ask_for(
    library: Library,
    wish: RequestWish,
    priority: int = USUAL_PRIORITY,
    *,
    policy: str = "",
    item: str = "",
    night: date | None = None,
) -> Request:
    """Put a request into the queue.

    Raises
    ------
    UsageError
        It makes no sense.
    """
    if not 0 <= priority <= HIGHEST_PRIORITY:
        raise UsageError(f"A priority is from 0 to {HIGHEST_PRIORITY}.", hint="50 is usual.")
    with library.database.writing() as session:
        return add_request(
            session, checked(wish), priority, datetime.now(UTC), policy=policy, item=item,
            night=night,
        )  # fmt: skip


def cancel(library: Library, number: int) -> Request:
    """Take a request out of the queue; `give_back` undoes it."""
    return _changed(library, number, RequestState.QUEUED, RequestState.CANCELLED, "cancelled")


def give_back(library: Library, number: int) -> Request:
    """Put a request that was cancelled, or failed, into the queue again."""
    before = (RequestState.CANCELLED, RequestState.ERROR)
    return _changed(library, number, before, RequestState.QUEUED, "put back")


def _changed(
    library: Library,
    number: int,
    before: RequestState | tuple[RequestState, ...],
    after: RequestState,
    done: str,
) -> Request:
    states = before if isinstance(before, tuple) else (before,)
    with library.database.writing() as session:
        changed = change_request(session, number, states, after, datetime.now(UTC))
        found = changed or find_request(session, number)
    if changed is not None:
        return changed
    if found is None:
        hint = "calibstudio requests list shows their numbers."
        raise UsageError(f"There is no request {number}.", hint=hint)
    only = " or ".join(state.value for state in states)
    raise UsageError(
        f"Request {number} is {found.state.value}, so it cannot be {done}.",
        hint=f"Only one that is {only} can.",
    )


@contextmanager
def carrying_out(library: Library) -> Iterator[None]:
    """Be the one program that carries requests out; what a killed one left is queued again.

    Raises
    ------
    UsageError
        Another program does.
    """
    path = library.folder / LOCK
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not locked(handle):
            raise UsageError(
                f"Another program carries out the requests of {library.folder}.",
                hint="Wait until it has ended.",
            )
        with library.database.writing() as session:
            for left in select_requests(session, (RequestState.RUNNING,)):
                change_request(
                    session, left.id, (RequestState.RUNNING,), RequestState.QUEUED,
                    datetime.now(UTC), reason="It was cut off.",
                )  # fmt: skip
        yield
    finally:
        os.close(handle)
