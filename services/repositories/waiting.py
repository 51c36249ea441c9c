"""Contributions of replay trials that wait for every stream to reach their time.

Who comes in: evaluation (adds), the sweep (takes). Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from services.models import events, streams, trials
from services.models import waiting_contributions as waiting
from services.repositories.streams import TRIAL_SUBJECT


def add(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put contributions down, in no order."""
    if rows:
        conn.execute(insert(waiting), [dict(row) for row in rows])


def trials_with_some(conn: Connection) -> list[str]:
    """The replay trials in which something may be released: their clock is past it."""
    passed = waiting.c.at_us <= func.coalesce(trials.c.clock_us, 0)
    query = select(waiting.c.trial).join(trials, trials.c.id == waiting.c.trial).where(passed)
    return list(conn.scalars(query.distinct()))


def behind(conn: Connection, trial: str) -> int | None:
    """The first instant about which some subject's stream has more to say; None: all said all."""
    own = (streams.c.trial == trial) & (streams.c.subject != TRIAL_SUBJECT)
    first = (events.c.stream_id == streams.c.id) & (events.c.n == streams.c.done_n + 1)
    pending = (
        select(func.min(events.c.received_us))
        .select_from(streams)
        .join(events, first)
        .where(own, streams.c.next_n > streams.c.done_n)
    )
    due = select(func.min(streams.c.next_due_us)).where(own)
    found = [instant for instant in (conn.scalar(pending), conn.scalar(due)) if instant is not None]
    return min(found, default=None)


def take(conn: Connection, trial: str, until_us: int) -> list[Row[*tuple[Any, ...]]]:
    """Remove and return what waits up to an instant, in order of time, then subject, then step."""
    wanted = (waiting.c.trial == trial) & (waiting.c.at_us <= until_us)
    order = (waiting.c.at_us, waiting.c.subject, waiting.c.id)
    rows = list(conn.execute(select(waiting).where(wanted).order_by(*order)))
    if rows:
        conn.execute(delete(waiting).where(wanted))
    return rows


def of_trial(conn: Connection, trial: str) -> list[Row[*tuple[Any, ...]]]:
    """Everything that waits in a trial."""
    return list(conn.execute(select(waiting).where(waiting.c.trial == trial)))
