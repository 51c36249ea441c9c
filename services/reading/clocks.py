"""Reports that are owed: which clocks run over a trial's adverse events, the soonest due first.

Who comes in: GET .../clocks, the pages of a trial and of a subject. Who goes out: streams, as last
evaluated.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

from services.clock import iso
from services.models import streams
from services.reading import trials
from services.reading.pages import Json, page, unpack

_ORDER = ("due_at", "subject", "ae", "clock")


def of_trial(
    conn: Connection, trial: str, cursor: str | None, limit: int, now_us: int
) -> Json | None:
    """Running and overdue clocks; None if there is no such trial. Raises Rejected.

    Overdue is what was due before `now_us`, in a replay trial before its clock.
    """
    if trials.one(conn, trial, now_us) is None:
        return None
    at = iso(trials.clock_us(conn, trial) or now_us)
    query = select(streams.c.subject, streams.c.site, streams.c.clocks).where(
        streams.c.trial == trial, streams.c.clocks.is_not(None)
    )
    owed = [item for row in conn.execute(query) for item in _owed(row, at)]
    owed.sort(key=_key)
    after = unpack(cursor, *(str for _ in _ORDER))
    if after is not None:
        owed = [item for item in owed if _key(item) > after]
    return page(owed[: limit + 1], limit, dict, _key)


def of_subject(conn: Connection, trial: str, subject: str, now_us: int) -> list[Json]:
    """The subject's running and overdue clocks, the soonest due first."""
    at = iso(trials.clock_us(conn, trial) or now_us)
    query = select(streams.c.subject, streams.c.site, streams.c.clocks).where(
        streams.c.trial == trial, streams.c.subject == subject, streams.c.clocks.is_not(None)
    )
    return [item for row in conn.execute(query) for item in _owed(row, at)]


def _owed(row: Row[*tuple[Any, ...]], at: str) -> list[Json]:
    return [
        {"subject": row.subject, "site": row.site, **item, "overdue": _past(item["due_at"], at)}
        for item in orjson.loads(row.clocks)
    ]


def _past(due_at: str, at: str) -> bool:
    """Both are RFC 3339 in UTC; seconds may have decimals."""
    return due_at.removesuffix("Z") < at.removesuffix("Z")


def _key(item: Json) -> list[str]:
    return [item[name] for name in _ORDER]
