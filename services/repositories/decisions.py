"""The decisions that were taken: one for each event and each due instant of a stream.

Who comes in: replay and reading. Who goes out: the store. `steps.record` writes them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select

from services.models import decisions

DecisionRow = Row[*tuple[Any, ...]]


def of_stream(conn: Connection, stream_id: int) -> list[DecisionRow]:
    """All of a stream in the order in which they were taken."""
    query = select(decisions).where(decisions.c.stream_id == stream_id)
    return list(conn.execute(query.order_by(decisions.c.n, decisions.c.due_us)))


def of_event(conn: Connection, stream_id: int, n: int) -> DecisionRow | None:
    """The decision at an event itself; None while it is pending."""
    wanted = (decisions.c.stream_id == stream_id) & (decisions.c.n == n) & (decisions.c.due_us == 0)
    return conn.execute(select(decisions).where(wanted)).one_or_none()


def count(conn: Connection) -> int:
    """How many there are in all."""
    return conn.scalar(select(func.count()).select_from(decisions)) or 0
