"""The event log: what was received, in the order of each stream; nothing in it ever changes.

Who comes in: intake and evaluation (append), evaluation and replay (read), reading. Who goes out:
the store. Numbers are given by `number` under the stream's lock, so they have no gaps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects import postgresql

import rules
from services.models import events
from services.repositories import streams
from services.repositories.among import by_dialect, wanted

# Events that the service makes itself come from here; publishers may not use such a source.
SERVICE_SOURCE = "vigil:service"
RESERVED_SOURCE = "vigil:"

EventRow = Row[*tuple[Any, ...]]


class NewEvent(NamedTuple):
    """One event that has its number: the columns of the table, in its order."""

    stream_id: int
    n: int
    event: str
    trial: str
    subject: str
    source: str
    id: str
    type: str
    time_us: int
    timeprecision: str
    recorded_us: int | None
    received_us: int
    stored_us: int
    content: str
    data: str
    by_key: str | None


_PG = postgresql.dialect()  # type: ignore[no-untyped-call]
_NAMES = ", ".join(NewEvent._fields)
_INSERT_SQLITE = f"INSERT INTO events ({_NAMES}) VALUES ({', '.join('?' * len(NewEvent._fields))})"  # noqa: S608 - names of our own
_ARRAYS = ", ".join(
    f"%s::{events.c[name].type.compile(dialect=_PG)}[]" for name in NewEvent._fields
)
_INSERT_POSTGRESQL = f"INSERT INTO events ({_NAMES}) SELECT * FROM unnest({_ARRAYS})"  # noqa: S608 - names of our own

_CONTENTS = by_dialect(
    lambda among: select(events.c.event, events.c.content).where(among(events.c.event))
)
_BY_EVENT = by_dialect(lambda among: select(events).where(among(events.c.event)))

# What a step reads of an event.
_STEP_COLUMNS = (
    events.c.n,
    events.c.event,
    events.c.source,
    events.c.id,
    events.c.type,
    events.c.time_us,
    events.c.timeprecision,
    events.c.received_us,
    events.c.data,
)


def append(conn: Connection, rows: Sequence[NewEvent]) -> None:
    """Store events whose numbers were given under their streams' locks.

    One statement for all. Raises IntegrityError if one of them was stored meanwhile.
    """
    if not rows:
        return
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(_INSERT_POSTGRESQL, tuple(map(list, zip(*rows, strict=True))))
    else:
        conn.exec_driver_sql(_INSERT_SQLITE, list(rows))


def contents(conn: Connection, event_ids: Collection[str]) -> dict[str, str]:
    """The content hash of each of `event_ids` that is stored."""
    found = conn.execute(_CONTENTS[conn.dialect.name], wanted(conn, event_ids))
    return {row.event: row.content for row in found}


def by_event(conn: Connection, event_ids: Collection[str]) -> dict[str, EventRow]:
    """The rows of `event_ids`."""
    found = conn.execute(_BY_EVENT[conn.dialect.name], wanted(conn, event_ids))
    return {row.event: row for row in found}


def get(conn: Connection, event: str) -> EventRow | None:
    """One event by the server's id."""
    return conn.execute(select(events).where(events.c.event == event)).one_or_none()


def after(
    conn: Connection, stream_id: int, n: int, *, until: int | None = None, limit: int | None = None
) -> list[rules.Event]:
    """The stream's events with numbers above `n` (up to `until`), in order."""
    query = select(*_STEP_COLUMNS).where(events.c.stream_id == stream_id, events.c.n > n)
    if until is not None:
        query = query.where(events.c.n <= until)
    return [_as_event(row) for row in conn.execute(query.order_by(events.c.n).limit(limit))]


def received_until(conn: Connection, stream_id: int, received_us: int) -> list[rules.Event]:
    """The stream's events received up to an instant, in order: what was known then."""
    known = (events.c.stream_id == stream_id) & (events.c.received_us <= received_us)
    query = select(*_STEP_COLUMNS).where(known).order_by(events.c.n)
    return [_as_event(row) for row in conn.execute(query)]


def rows_of(
    conn: Connection, stream_id: int, *, before: int | None = None, limit: int | None = None
) -> list[EventRow]:
    """Whole rows of a stream, newest first, below number `before`."""
    query = select(events).where(events.c.stream_id == stream_id)
    if before is not None:
        query = query.where(events.c.n < before)
    return list(conn.execute(query.order_by(events.c.n.desc()).limit(limit)))


class OwnEvent(NamedTuple):
    """An event that the service makes; `event` is derived, so that it happens once."""

    event: str
    type: str
    time_us: int
    data: Mapping[str, Any]


def append_own(
    conn: Connection,
    stream: streams.StreamRow,
    made: Sequence[OwnEvent],
    *,
    at_us: int,
    now_us: int,
) -> int:
    """Append the service's own events to a locked stream; the number of its last event after.

    `at_us` is their receipt (not before the stream's last). Those stored before are left out.
    """
    known = contents(conn, [one.event for one in made])
    fresh = {one.event: one for one in made if one.event not in known}
    received_us = max(at_us, stream.last_received_us)
    rows = [
        _own_row(stream, one, n, received_us, now_us)
        for n, one in enumerate(fresh.values(), stream.next_n + 1)
    ]
    append(conn, rows)
    last: int = stream.next_n + len(rows)
    if rows:
        streams.number(conn, [{"stream": stream.id, "n": last, "received": received_us}])
    return last


def _own_row(
    stream: streams.StreamRow, made: OwnEvent, n: int, received_us: int, now_us: int
) -> NewEvent:
    """One of the service's own events as it is stored."""
    data = orjson.dumps(made.data, option=orjson.OPT_SORT_KEYS).decode()
    return NewEvent(
        stream_id=stream.id,
        n=n,
        event=made.event,
        trial=stream.trial,
        subject=stream.subject,
        source=SERVICE_SOURCE,
        id=made.event,
        type=made.type,
        time_us=made.time_us,
        timeprecision="second",
        recorded_us=None,
        received_us=received_us,
        stored_us=now_us,
        content="",
        data=data,
        by_key=None,
    )


def _as_event(row: EventRow) -> rules.Event:
    """A row as the step reads it."""
    n, event, source, own_id, kind, time_us, precision, received_us, data = row
    read = orjson.loads(data)
    return rules.Event(n, event, source, own_id, kind, time_us, precision, received_us, read)
