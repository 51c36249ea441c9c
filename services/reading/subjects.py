"""Subjects as lists and one by one, without opening their state.

Who comes in: GET .../subjects and GET .../subjects/{subject}. Who goes out: streams and alerts.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from services.models import alerts, streams
from services.reading.pages import Json, iso_or_none, page, unpack

TRIAL_STREAM = "*"


def listed(
    conn: Connection,
    trial: str,
    *,
    status: str | None,
    q: str | None,
    cursor: str | None,
    limit: int,
) -> Json:
    """The trial's subjects by name; `q` is a part of the name, whatever its case."""
    query = _subjects(trial).order_by(streams.c.subject).limit(limit + 1)
    if status is not None:
        query = query.where(streams.c.status == status)
    if q is not None:
        query = query.where(func.lower(streams.c.subject).contains(q.lower(), autoescape=True))
    after = unpack(cursor, str)
    if after is not None:
        query = query.where(streams.c.subject > after[0])
    return page(conn.execute(query).all(), limit, _shape, lambda row: (row.subject,))


def one(conn: Connection, trial: str, subject: str) -> Json | None:
    """One subject, or None."""
    row = conn.execute(_subjects(trial).where(streams.c.subject == subject)).first()
    return None if row is None else _shape(row)


def _subjects(trial: str) -> Select[Any]:
    """The columns that a list shows, with the number of open alerts."""
    unresolved = (
        select(func.count())
        .select_from(alerts)
        .where(
            alerts.c.trial == streams.c.trial,
            alerts.c.subject == streams.c.subject,
            alerts.c.status != "resolved",
        )
        .scalar_subquery()
    )
    return select(
        streams.c.trial,
        streams.c.subject,
        streams.c.status,
        streams.c.decision,
        streams.c.next_n,
        streams.c.done_n,
        streams.c.held,
        streams.c.last_received_us,
        streams.c.protocol_version,
        unresolved.label("open_alerts"),
    ).where(streams.c.trial == trial, streams.c.subject != TRIAL_STREAM)


def _shape(row: Row[Any]) -> Json:
    return {
        "trial": row.trial,
        "subject": row.subject,
        "status": row.status,
        "decision": _honest(row.decision, held=row.held),
        "events": row.next_n,
        "pending": row.next_n - row.done_n,
        "held": row.held,
        "open_alerts": row.open_alerts,
        "last_received_at": iso_or_none(row.last_received_us or None),
        "protocol_version": row.protocol_version,
    }


def _honest(decision: str | None, *, held: bool) -> str | None:
    """While the stream is held, 'eligible' would leave out what waits."""
    return "indeterminate" if held and decision == "eligible" else decision
