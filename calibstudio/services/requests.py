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
    change_priority,
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
    _check_priority(priority)
    now = datetime.now(UTC)
    with library.database.writing() as session:
        added = add_request(
            session, checked(wish), priority, now, policy=policy, item=item, night=night
        )
        # Before the commit: what the journal could not take does not count.
        library.journal.append((added.as_entry(),), at=now)
    return added


def cancel(library: Library, number: int) -> Request:
    """Take a request out of the queue; `give_back` undoes it."""
    return _changed(library, number, RequestState.QUEUED, RequestState.CANCELLED, "cancelled")


def give_back(library: Library, number: int) -> Request:
    """Put a request that was cancelled, or failed, into the queue again."""
    before = (RequestState.CANCELLED, RequestState.ERROR)
    return _changed(library, number, before, RequestState.QUEUED, "put back")


def set_priority(library: Library, number: int, priority: int) -> Request:
    """Make a request that waits more or less urgent.

    Raises
    ------
    UsageError
        There is no such request, it does not wait, or that is no priority.
    """
    _check_priority(priority)
    now = datetime.now(UTC)
    with library.database.writing() as session:
        changed = change_priority(session, number, priority, now)
        found = changed or find_request(session, number)
        if changed is not None:
            library.journal.append((changed.as_entry(),), at=now)
    if changed is not None:
        return changed
    raise _refused(found, number, (RequestState.QUEUED,), "given another priority")


def move(
    library: Library,
    request: Request,
    before: RequestState,
    after: RequestState,
    reason: str = "",
    sequence: str = "",
) -> Request | None:
    """Change the state of a request that is in the state ``before``; None when it is not."""
    now = datetime.now(UTC)
    with library.database.writing() as session:
        changed = change_request(
            session, request.id, (before,), after, now, reason=reason, sequence=sequence
        )
        # That it is running is not a decision: when it is cut off it waits again.
        if changed is not None and after is not RequestState.RUNNING:
            library.journal.append((changed.as_entry(),), at=now)
    return changed


def _check_priority(priority: int) -> None:
    if not 0 <= priority <= HIGHEST_PRIORITY:
        raise UsageError(f"A priority is from 0 to {HIGHEST_PRIORITY}.", hint="50 is usual.")


def _changed(
    library: Library,
    number: int,
    before: RequestState | tuple[RequestState, ...],
    after: RequestState,
    done: str,
) -> Request:
    states = before if isinstance(before, tuple) else (before,)
    now = datetime.now(UTC)
    with library.database.writing() as session:
        changed = change_request(session, number, states, after, now)
        found = changed or find_request(session, number)
        if changed is not None:
            library.journal.append((changed.as_entry(),), at=now)
    if changed is not None:
        return changed
    raise _refused(found, number, states, done)


def _refused(
    found: Request | None, number: int, states: tuple[RequestState, ...], done: str
) -> UsageError:
    if found is None:
        hint = "calibstudio requests list shows their numbers."
        return UsageError(f"There is no request {number}.", hint=hint)
    only = " or ".join(state.value for state in states)
    return UsageError(
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
        for left in requests_of(library, open_only=True):
            if left.state is RequestState.RUNNING:
                move(
                    library, left, left.state, RequestState.QUEUED, "It was cut off.", left.sequence
                )
        yield
    finally:
        os.close(handle)
