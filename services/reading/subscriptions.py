"""What a subscription was sent, and what a wish would have been sent.

Who comes in: GET /v1/subscriptions/{id}/deliveries and the previews. Who goes out: deliveries and
their attempts; the alert log, against services.matching as when alerts are told.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

from services import changes
from services.clock import iso
from services.matching import Wish
from services.models import alert_log, attempts, deliveries
from services.reading.alerts import without_values
from services.reading.pages import Json, iso_or_none, page, unpack

# A preview shows so many of those that fit.
MOST_SHOWN = 100
# In a cursor: every position is still to come.
_NO_POSITION = 2**62


def sent(
    conn: Connection, subscription: str, status: str | None, cursor: str | None, limit: int
) -> Json:
    """Deliveries with their attempts: those without a position yet, then the newest first."""
    own = select(deliveries).where(deliveries.c.subscription == subscription)
    if status is not None:
        own = own.where(deliveries.c.status == status)
    before = unpack(cursor, int)
    numbered = own.where(deliveries.c.position.is_not(None))
    if before is not None:
        numbered = numbered.where(deliveries.c.position < before[0])
    # Two questions: one order over both would sort all that was ever sent.
    rows = [] if before else list(conn.execute(own.where(deliveries.c.position.is_(None))))
    newest = numbered.order_by(deliveries.c.position.desc()).limit(limit + 1)
    rows += conn.execute(newest).all()
    tried = _attempts(conn, [row.id for row in rows])
    shown = max(limit, sum(row.position is None for row in rows))
    return page(
        rows,
        shown,
        lambda row: _delivery(row, tried),
        lambda row: (_NO_POSITION if row.position is None else row.position,),
    )


def one(conn: Connection, delivery: str) -> Json:
    """A delivery that exists."""
    row = conn.execute(select(deliveries).where(deliveries.c.id == delivery)).one()
    return _delivery(row, _attempts(conn, [delivery]))


def _attempts(conn: Connection, of: Sequence[str]) -> dict[str, list[Json]]:
    query = (
        select(attempts)
        .where(attempts.c.delivery.in_(of))
        .order_by(attempts.c.delivery, attempts.c.number)
    )
    grouped = groupby(conn.execute(query), key=lambda row: row.delivery)
    return {delivery: [_attempt(row) for row in rows] for delivery, rows in grouped}


def _attempt(row: Row[Any]) -> Json:
    ended = row.finished_us is not None
    return {
        "number": row.number,
        "started_at": iso(row.started_us),
        "took_ms": round((row.finished_us - row.started_us) / 1000, 1) if ended else None,
        "outcome": row.outcome,
        "http_status": row.http_status,
    }


def _delivery(row: Row[Any], tried: dict[str, list[Json]]) -> Json:
    waits = row.status in {"pending", "sending"}
    return {
        "id": row.id,
        "subscription": row.subscription,
        "alert": row.alert,
        "change": row.change,
        "event": row.event,
        "critical": row.critical,
        "content": row.content,
        "status": row.status,
        "position": row.position,
        "created_at": iso(row.created_us),
        "next_attempt_at": iso(row.next_attempt_us) if waits else None,
        "delivered_at": iso_or_none(row.delivered_us),
        "attempts": tried.get(row.id, []),
    }


@dataclass
class _Tally:
    """What fits so far."""

    alerts: set[str] = field(default_factory=set)
    categories: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    latest: deque[Row[Any]] = field(default_factory=lambda: deque(maxlen=MOST_SHOWN))

    def add(self, row: Row[Any], alert: Json) -> None:
        self.alerts.add(row.alert)
        self.categories[alert["category"]] += 1
        self.severities[alert["severity"]] += 1
        self.events[f"alert.{row.kind}"] += 1
        self.latest.append(row)


def preview(conn: Connection, wish: Wish, since_us: int, now_us: int, *, values: bool) -> Json:
    """What a subscription of this wish would have been sent since then, had it stood.

    A site is the subject's of today. `complete` False: older changes were not looked at.
    """
    tally = _Tally()
    for row, alert in changes.matching(conn, wish, since_us):
        tally.add(row, alert)
    return {
        "since": iso(since_us),
        "until": iso(now_us),
        "complete": not _older(conn, since_us, changes.bound(conn)),
        "deliveries": tally.events.total(),
        "alerts": len(tally.alerts),
        "by_category": dict(tally.categories),
        "by_severity": dict(tally.severities),
        "by_event": dict(tally.events),
        "items": [_told(row, values=values) for row in reversed(tally.latest)],
    }


def _older(conn: Connection, since_us: int, bound: int) -> bool:
    if bound <= 0:
        return False
    older = select(alert_log.c.alert).where(
        alert_log.c.position <= bound, alert_log.c.at_us >= since_us
    )
    return conn.execute(older.limit(1)).first() is not None


def _told(row: Row[Any], *, values: bool) -> Json:
    alert = orjson.loads(row.body)
    return {
        "event": f"alert.{row.kind}",
        "at": iso(row.at_us),
        "alert": alert if values else without_values(alert),
    }
