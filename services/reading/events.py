"""How far one event came, and a subject's events as they were received.

Who comes in: GET /v1/events/{event}, GET .../timeline. Who goes out: events, streams, decisions,
dead letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, and_, select

from services.clock import iso
from services.models import dead_letters, decisions, events, streams
from services.reading.pages import Json, iso_or_none, page, unpack

CORRECTION = "correction"


@dataclass(frozen=True)
class EventRead:
    """An event's status, and whom it belongs to: the door decides who may see it."""

    trial: str
    by_key: str | None
    body: Json


def status(conn: Connection, event: str) -> EventRead | None:
    """The status of one event by the server's id; None if there is no such event."""
    row = conn.execute(
        select(
            events.c.trial,
            events.c.by_key,
            events.c.event,
            events.c.stream_id,
            events.c.n,
            events.c.received_us,
            streams.c.done_n,
            decisions.c.evaluated_us,
            dead_letters.c.status.label("dead"),
            dead_letters.c.reason,
        )
        .join(streams, streams.c.id == events.c.stream_id)
        .outerjoin(decisions, _decided())
        .outerjoin(dead_letters, _given_up())
        .where(events.c.event == event)
        .order_by(dead_letters.c.created_us.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    state = _state(row.n, row.done_n, row.dead)
    return EventRead(
        row.trial,
        row.by_key,
        {
            "event": row.event,
            "status": state,
            "received_at": iso(row.received_us),
            "evaluated_at": iso_or_none(row.evaluated_us),
            "alerts": _alerts(conn, row.stream_id, row.n),
            "error": row.reason if state in {"dead", "discarded"} else None,
        },
    )


def _decided() -> Any:
    """The decision that the event itself made, not those of the due instants before it."""
    return and_(
        decisions.c.stream_id == events.c.stream_id,
        decisions.c.n == events.c.n,
        decisions.c.due_us == 0,
    )


def _given_up() -> Any:
    """The event's dead letter, unless it was put back."""
    return and_(
        dead_letters.c.stream_id == events.c.stream_id,
        dead_letters.c.n == events.c.n,
        dead_letters.c.kind == "event",
        dead_letters.c.status != "requeued",
    )


def _state(n: int, done_n: int, dead: str | None) -> str:
    """pending, evaluated, dead (held until released) or discarded."""
    if dead == "discarded":
        return "discarded"
    if n <= done_n:
        return "evaluated"
    return "dead" if dead == "open" else "pending"


def _alerts(conn: Connection, stream_id: int, n: int) -> list[str]:
    """The ids of the alerts that this event opened or changed, each once."""
    found = conn.execute(
        select(decisions.c.changes).where(
            decisions.c.stream_id == stream_id, decisions.c.n == n, decisions.c.due_us == 0
        )
    ).scalar()
    changes = orjson.loads(found) if found else []
    return list(dict.fromkeys(change["alert"] for change in changes))


def timeline(
    conn: Connection, trial: str, subject: str, cursor: str | None, limit: int
) -> Json | None:
    """A subject's events in order of receipt; None if there is no such subject."""
    stream = conn.execute(
        select(streams.c.id, streams.c.done_n).where(
            streams.c.trial == trial, streams.c.subject == subject
        )
    ).first()
    if stream is None:
        return None
    after = unpack(cursor, int)
    query = (
        select(events, dead_letters.c.status.label("dead"))
        .outerjoin(dead_letters, _given_up())
        .where(events.c.stream_id == stream.id, events.c.n > (after[0] if after else 0))
        .order_by(events.c.n)
        .limit(limit + 1)
    )
    corrections = _corrections(conn, stream.id)
    return page(
        conn.execute(query).all(),
        limit,
        lambda row: _item(row, stream.done_n, corrections),
        lambda row: (row.n,),
    )


def _item(row: Row[Any], done_n: int, corrections: dict[tuple[str, str], list[str]]) -> Json:
    return {
        "event": row.event,
        "n": row.n,
        "source": row.source,
        "id": row.id,
        "type": row.type,
        "time": iso(row.time_us),
        "timeprecision": row.timeprecision,
        "received_at": iso(row.received_us),
        "recordedtime": iso_or_none(row.recorded_us),
        "status": _state(row.n, done_n, row.dead),
        "corrected_by": corrections.get((row.source, row.id), []),
        "data": orjson.loads(row.data),
    }


def _corrections(conn: Connection, stream_id: int) -> dict[tuple[str, str], list[str]]:
    """(source, id) of each corrected event -> the corrections' events, the last one wins."""
    found: dict[tuple[str, str], list[str]] = {}
    rows = conn.execute(
        select(events.c.event, events.c.data)
        .where(events.c.stream_id == stream_id, events.c.type == CORRECTION)
        .order_by(events.c.n)
    )
    for row in rows:
        target = orjson.loads(row.data).get("corrects", {})
        found.setdefault((target.get("source"), target.get("id")), []).append(row.event)
    return found
