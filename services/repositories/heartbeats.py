"""Heartbeats: which processes are alive, and what they counted.

Who comes in: sweep (beats), health and operations pages (reads). Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, Row, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from services.models import heartbeats


def beat(
    conn: Connection, process: str, kind: str, *, now_us: int, detail: Mapping[str, Any]
) -> None:
    """Say that `process` (kind:host:pid) lives; `detail` holds counters, nothing clinical."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    values = {"kind": kind, "seen_us": now_us, "detail": orjson.dumps(detail).decode()}
    conn.execute(
        dialect.insert(heartbeats)
        .values(process=process, **values)
        .on_conflict_do_update(index_elements=[heartbeats.c.process], set_=values)
    )


def seen(conn: Connection, since_us: int) -> list[Row[*tuple[Any, ...]]]:
    """The processes that beat since then, by name."""
    query = select(heartbeats).where(heartbeats.c.seen_us >= since_us)
    return list(conn.execute(query.order_by(heartbeats.c.process)))


def last_of_kind(conn: Connection, kind: str) -> int | None:
    """When a process of that kind was last seen; None: never."""
    latest = select(func.max(heartbeats.c.seen_us)).where(heartbeats.c.kind == kind)
    seen_us: int | None = conn.scalar(latest)
    return seen_us


def forget(conn: Connection, before_us: int) -> None:
    """Remove processes that are long gone."""
    conn.execute(delete(heartbeats).where(heartbeats.c.seen_us < before_us))
