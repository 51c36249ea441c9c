"""Heartbeats: which processes are alive, what they counted, and what ended ones had counted.

Who comes in: pulse (beats), canaries, the operations pages and metrics (reads). Who goes out: the
store. A row is named kind:host:pid, so a new process may find the row of an older one under its
name (pids come again, in containers always). Its counters are then kept in a row of their kind's
ended processes, as are those of rows that are forgotten: a sum over all rows never goes down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.models import heartbeats

CANARY = "canary"
ENDED = "ended"
# Parts of `detail`: when the process began, and its counters (name -> a number that only grows).
STARTED, COUNTERS = "started_us", "counters"
_NOT_PROCESSES = (CANARY, ENDED)

Detail = Mapping[str, Any]


def beat(conn: Connection, process: str, kind: str, *, now_us: int, detail: Detail) -> None:
    """Say that `process` (kind:host:pid) lives; `detail` holds counters, nothing clinical."""
    before = _detail(conn, process)
    if before.get(STARTED) != detail.get(STARTED):
        _keep(conn, kind, [before], now_us)
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    values = {"kind": kind, "seen_us": now_us, "detail": orjson.dumps(detail).decode()}
    conn.execute(
        dialect.insert(heartbeats)
        .values(process=process, **values)
        .on_conflict_do_update(index_elements=[heartbeats.c.process], set_=values)
    )


def knows(conn: Connection, process: str) -> bool:
    """Whether there is a row of that name."""
    return conn.scalar(select(heartbeats.c.kind).where(heartbeats.c.process == process)) is not None


def seen(conn: Connection, since_us: int) -> list[Row[*tuple[Any, ...]]]:
    """The processes that beat since then, by name."""
    query = select(heartbeats).where(
        heartbeats.c.seen_us >= since_us, heartbeats.c.kind.not_in(_NOT_PROCESSES)
    )
    return list(conn.execute(query.order_by(heartbeats.c.process)))


def canaries(conn: Connection) -> dict[str, dict[str, Any]]:
    """The last canary heard of each queue, with `heard_us`."""
    rows = conn.execute(select(heartbeats).where(heartbeats.c.kind == CANARY))
    found = [{**orjson.loads(row.detail), "heard_us": row.seen_us} for row in rows]
    return {canary["queue"]: canary for canary in found}


def counted(conn: Connection) -> dict[str, Counter[str]]:
    """Kind of process -> all that such processes ever counted, the ended ones included."""
    totals: dict[str, Counter[str]] = {}
    for row in conn.execute(select(heartbeats)):
        ended = row.kind == ENDED
        kind = row.process.removeprefix(f"{ENDED}:") if ended else row.kind
        totals.setdefault(kind, Counter()).update(_counters(orjson.loads(row.detail)))
    return totals


def last_of_kind(conn: Connection, kind: str) -> int | None:
    """When a process of that kind was last seen; None: never."""
    latest = select(func.max(heartbeats.c.seen_us)).where(heartbeats.c.kind == kind)
    seen_us: int | None = conn.scalar(latest)
    return seen_us


def leave(conn: Connection, process: str, now_us: int) -> None:
    """The process ends in good order: its row goes, its counters stay."""
    _remove(conn, heartbeats.c.process == process, now_us)


def forget(conn: Connection, before_us: int, now_us: int) -> None:
    """Remove processes that are long gone, and canaries that nobody sends any more."""
    old = (heartbeats.c.seen_us < before_us) & (heartbeats.c.kind != ENDED)
    # Asked first: a process that is gone is rare, and every beat comes by here.
    if conn.scalar(select(heartbeats.c.process).where(old).limit(1)) is not None:
        _remove(conn, old, now_us)


def _remove(conn: Connection, which: Any, now_us: int) -> None:
    gone: dict[str, list[Detail]] = {}
    statement = delete(heartbeats).where(which).returning(heartbeats.c.kind, heartbeats.c.detail)
    for row in conn.execute(statement):
        gone.setdefault(row.kind, []).append(orjson.loads(row.detail))
    for kind in sorted(gone):
        _keep(conn, kind, gone[kind], now_us)


def _keep(conn: Connection, kind: str, details: Iterable[Detail], now_us: int) -> None:
    """Add the counters of ended processes to those of their kind that ended before."""
    more: Counter[str] = Counter()
    for detail in details:
        more.update(_counters(detail))
    if not more:
        return
    name = f"{ENDED}:{kind}"
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    conn.execute(
        dialect.insert(heartbeats)
        .values(process=name, kind=ENDED, seen_us=now_us, detail="{}")
        .on_conflict_do_nothing()
    )
    more.update(_counters(_detail(conn, name)))
    whole = orjson.dumps({COUNTERS: dict(more)}).decode()
    conn.execute(
        update(heartbeats).where(heartbeats.c.process == name).values(seen_us=now_us, detail=whole)
    )


def _detail(conn: Connection, process: str) -> dict[str, Any]:
    """The row's detail, the row locked; empty where there is none."""
    query = select(heartbeats.c.detail).where(heartbeats.c.process == process).with_for_update()
    found = conn.scalar(query)
    detail: dict[str, Any] = orjson.loads(found) if found else {}
    return detail


def _counters(detail: Detail) -> Mapping[str, Any]:
    counters: Mapping[str, Any] = detail.get(COUNTERS, {})
    return counters
