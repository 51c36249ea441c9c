"""What waits, what was given up, and who works: for those who keep the service running.

Who comes in: GET /v1/ops/..., GET /readyz. Who goes out: streams, dead letters, heartbeats. No
event's data is read here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from services.clock import iso
from services.models import dead_letters, events, heartbeats, streams
from services.reading.pages import Json, iso_or_none, page, unpack
from services.reading.trials import waiting


def waiting_streams(
    conn: Connection,
    state: str | None,
    only: Collection[str] | None,
    cursor: str | None,
    limit: int,
) -> Json:
    """Streams that are 'dirty' (events wait) or 'held'; None is both."""
    dirty = streams.c.next_n > streams.c.done_n
    held = streams.c.held.is_(True)
    wanted = {"dirty": dirty, "held": held, None: dirty | held}[state]
    oldest = (
        select(events.c.received_us)
        .where(events.c.stream_id == streams.c.id, events.c.n == streams.c.done_n + 1)
        .scalar_subquery()
    )
    query = (
        select(*_STREAM, oldest.label("oldest_us"))
        .where(wanted)
        .order_by(streams.c.id)
        .limit(limit + 1)
    )
    if only is not None:
        query = query.where(streams.c.trial.in_(only))
    after = unpack(cursor, int)
    if after is not None:
        query = query.where(streams.c.id > after[0])
    return page(conn.execute(query).all(), limit, _stream, lambda row: (row.id,))


_STREAM = (
    streams.c.id,
    streams.c.trial,
    streams.c.subject,
    streams.c.next_n,
    streams.c.done_n,
    streams.c.held,
    streams.c.attempts,
)


def _stream(row: Row[Any]) -> Json:
    return {
        "stream": row.id,
        "trial": row.trial,
        "subject": row.subject,
        "received": row.next_n,
        "evaluated": row.done_n,
        "pending": row.next_n - row.done_n,
        "oldest_pending_at": iso_or_none(row.oldest_us),
        "held": row.held,
        "attempts": row.attempts,
    }


def letters(
    conn: Connection,
    status: str | None,
    only: Collection[str] | None,
    cursor: str | None,
    limit: int,
    now_us: int,
) -> Json:
    """Dead letters, the newest first, without their data."""
    query = _letters().order_by(dead_letters.c.created_us.desc(), dead_letters.c.id)
    if status is not None:
        query = query.where(dead_letters.c.status == status)
    if only is not None:
        query = query.where(dead_letters.c.trial.in_(only))
    before = unpack(cursor, int, str)
    if before is not None:
        same = and_(dead_letters.c.created_us == before[0], dead_letters.c.id > before[1])
        query = query.where((dead_letters.c.created_us < before[0]) | same)
    rows = conn.execute(query.limit(limit + 1)).all()
    return page(rows, limit, lambda row: _letter(row, now_us), lambda row: (row.created_us, row.id))


def letter(conn: Connection, dead_letter: str, now_us: int) -> Json | None:
    """One dead letter, or None."""
    row = conn.execute(_letters().where(dead_letters.c.id == dead_letter)).first()
    return None if row is None else _letter(row, now_us)


def _letters() -> Select[Any]:
    """Dead letters with the subject and the id of the event that they are about."""
    about = and_(events.c.stream_id == dead_letters.c.stream_id, events.c.n == dead_letters.c.n)
    return select(dead_letters, events.c.subject, events.c.event).outerjoin(events, about)


def _letter(row: Row[Any], now_us: int) -> Json:
    return {
        "id": row.id,
        "kind": row.kind,
        "trial": row.trial,
        "subject": row.subject,
        "event": row.event,
        "delivery": row.delivery,
        "reason": row.reason,
        "status": row.status,
        "created_at": iso(row.created_us),
        "closed_at": iso_or_none(row.closed_us),
        "closed_by": row.closed_by,
        "awaiting_second": waiting(row.awaiting_second, now_us),
    }


def last_seen(conn: Connection) -> Mapping[str, int]:
    """Kind of process -> when one of its kind was last seen, in microseconds."""
    latest = func.max(heartbeats.c.seen_us).label("seen_us")
    query = select(heartbeats.c.kind, latest).group_by(heartbeats.c.kind)
    return {row.kind: row.seen_us for row in conn.execute(query)}
