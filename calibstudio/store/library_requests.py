"""Calibration requests in the library's tables."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from calibstudio.domain.requests import Request, RequestState, RequestWish, wish_from
from calibstudio.store.codec import from_microseconds, to_microseconds
from calibstudio.store.library_tables import RequestRow


def select_requests(session: Session, states: Collection[RequestState] = ()) -> tuple[Request, ...]:
    """Return requests, those first that are taken first; empty ``states`` means all."""
    query = sa.select(RequestRow).order_by(RequestRow.priority.desc(), RequestRow.id)
    if states:
        query = query.where(RequestRow.state.in_([state.value for state in states]))
    return tuple(_request(row) for row in session.scalars(query))


def add_request(
    session: Session,
    wish: RequestWish,
    priority: int,
    at: datetime,
    *,
    policy: str = "",
    item: str = "",
    night: date | None = None,
) -> Request:
    """Put a request into the queue."""
    row = RequestRow(
        kind=str(wish.kind),
        wish_json=json.dumps(wish.as_document(), sort_keys=True),
        priority=priority,
        state=RequestState.QUEUED.value,
        reason="",
        policy=policy,
        item=item,
        night=night,
        created_us=to_microseconds(at),
        changed_us=to_microseconds(at),
        sequence="",
    )
    session.add(row)
    session.flush()
    return _request(row)


def change_request(
    session: Session,
    number: int,
    before: Collection[RequestState],
    after: RequestState,
    at: datetime,
    *,
    reason: str = "",
    sequence: str = "",
) -> Request | None:
    """Change the state of a request that is in one of the states ``before``; None when it is not.

    One statement: of two programs that want the same request, one gets it.
    """
    changed = session.execute(
        sa.update(RequestRow)
        .where(RequestRow.id == number, RequestRow.state.in_([s.value for s in before]))
        .values(state=after.value, reason=reason, sequence=sequence, changed_us=to_microseconds(at))
        .returning(RequestRow.id)
    ).scalar()
    return None if changed is None else find_request(session, number)


def change_priority(session: Session, number: int, priority: int, at: datetime) -> Request | None:
    """Change how urgent a request that waits is; None when it does not wait."""
    changed = session.execute(
        sa.update(RequestRow)
        .where(RequestRow.id == number, RequestRow.state == RequestState.QUEUED.value)
        .values(priority=priority, changed_us=to_microseconds(at))
        .returning(RequestRow.id)
    ).scalar()
    return None if changed is None else find_request(session, number)


def put_back_request(session: Session, request: Request) -> None:
    """Write a request under its number, as a journal knows it, unless a newer state is known."""
    row = session.get(RequestRow, request.id)
    if row is not None and row.changed_us > to_microseconds(request.changed_utc):
        return
    session.merge(
        RequestRow(
            id=request.id,
            kind=str(request.wish.kind),
            wish_json=json.dumps(request.wish.as_document(), sort_keys=True),
            priority=request.priority,
            state=request.state.value,
            reason=request.reason,
            policy=request.policy,
            item=request.item,
            night=request.night,
            created_us=to_microseconds(request.created_utc),
            changed_us=to_microseconds(request.changed_utc),
            sequence=request.sequence,
        )
    )


def count_on(session: Session) -> None:
    """Let the next request have a number that none has: PostgreSQL counts by itself."""
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        highest = session.scalar(sa.select(sa.func.max(RequestRow.id)))
        name = sa.func.pg_get_serial_sequence(RequestRow.__tablename__, "id")
        session.execute(sa.select(sa.func.setval(name, highest or 1, highest is not None)))


def find_request(session: Session, number: int) -> Request | None:
    """Return the request of this number; None when there is none."""
    row = session.get(RequestRow, number, populate_existing=True)
    return None if row is None else _request(row)


def _request(row: RequestRow) -> Request:
    return Request(
        id=row.id,
        wish=wish_from(json.loads(row.wish_json)),
        priority=row.priority,
        state=RequestState(row.state),
        reason=row.reason,
        policy=row.policy,
        item=row.item,
        night=row.night,
        created_utc=from_microseconds(row.created_us),
        changed_utc=from_microseconds(row.changed_us),
        sequence=row.sequence,
    )
