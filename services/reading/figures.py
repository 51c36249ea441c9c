"""Figures for a monitor: what the rows and the heartbeats add up to, read when somebody asks.

Who comes in: /metrics. Who goes out: numbers, by names that are bounded: never a subject, an id or
a clinical value. What only grows here is a counter there, so nothing is counted that may be undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, func, select, text

from services.clock import SECOND_US
from services.models import (
    alert_log,
    alerts,
    dead_letters,
    decisions,
    deliveries,
    events,
    streams,
    subscriptions,
    trials,
)
from services.reading.backlog import OF_ALL, WAITING
from services.repositories.streams import TRIAL_SUBJECT

# Latencies are those of so long ago at most, and of so many of the newest.
RECENT_US = 300 * SECOND_US
_MOST = 5000
# More trials than these are one: a label must be bounded.
MOST_TRIALS = 50
OTHER = "other"


def in_the_log(conn: Connection) -> dict[str, tuple[int, int]]:
    """Kind of stream -> events received, events evaluated. Streams only grow."""
    own = (streams.c.subject == TRIAL_SUBJECT).label("own")
    query = select(own, func.sum(streams.c.next_n), func.sum(streams.c.done_n)).group_by(own)
    found = {bool(row[0]): (int(row[1]), int(row[2])) for row in conn.execute(query)}
    return {"subject": found.get(False, (0, 0)), "trial": found.get(True, (0, 0))}


def open_alerts(conn: Connection) -> Counter[tuple[str, str, str]]:
    """(Trial, category, severity) -> alerts that are not resolved."""
    names = conn.scalars(select(trials.c.id).order_by(trials.c.created_us).limit(MOST_TRIALS))
    known = set(names)
    group = (alerts.c.trial, alerts.c.category, alerts.c.severity)
    query = select(*group, func.count()).where(alerts.c.status.in_(("open", "acknowledged")))
    found: Counter[tuple[str, str, str]] = Counter()
    for trial, category, severity, count in conn.execute(query.group_by(*group)):
        found[trial if trial in known else OTHER, category, severity] += count
    return found


def trials_by_status(conn: Connection) -> dict[str, int]:
    """Status -> trials."""
    return _grouped(conn, trials.c.status)


def deliveries_by_status(conn: Connection) -> dict[str, int]:
    """Status -> deliveries; each status by the index that knows it, for they only grow."""
    arrived = select(func.count()).where(OF_ALL, deliveries.c.delivered_us.is_not(None))
    return {
        **_grouped(conn, deliveries.c.status, WAITING, OF_ALL),
        **_grouped(conn, deliveries.c.status, _ENDED),
        "delivered": int(conn.scalar(arrived) or 0),
    }


_ENDED = text("deliveries.status IN ('dead', 'cancelled')")  # as its index says it


def failing(conn: Connection) -> tuple[int, int | None]:
    """Active subscriptions whose receiver takes nothing, and since when the worst does so."""
    since = subscriptions.c.failing_since_us
    query = select(func.count(), func.min(since)).where(
        since.is_not(None), subscriptions.c.status == "active"
    )
    count, worst_us = conn.execute(query).one()
    return int(count), worst_us


def open_letters(conn: Connection) -> dict[str, int]:
    """Kind -> dead letters that nobody has closed."""
    return _grouped(conn, dead_letters.c.kind, dead_letters.c.status == "open")


def _grouped(conn: Connection, column: Any, *where: Any) -> dict[str, int]:
    query = select(column, func.count()).where(*where).group_by(column)
    return {row[0]: row[1] for row in conn.execute(query)}


def log_position(conn: Connection) -> int:
    """The last position in the alert log."""
    return int(conn.scalar(select(func.coalesce(func.max(alert_log.c.position), 0))) or 0)


def to_alert_s(conn: Connection, now_us: int) -> list[float]:
    """Seconds from an event's receipt to the commit of what it changed in alerts, lately."""
    newest = (
        select(decisions)
        .where(decisions.c.evaluated_us > now_us - RECENT_US)
        .order_by(decisions.c.evaluated_us.desc())
        .limit(_MOST)
        .subquery()
    )
    same = and_(events.c.stream_id == newest.c.stream_id, events.c.n == newest.c.n)
    query = (
        select(newest.c.evaluated_us - events.c.stored_us)
        .join(events, same)
        .where(newest.c.due_us == 0, newest.c.changes != "[]")
    )
    return _seconds(conn.scalars(query))


def to_delivery_s(conn: Connection, now_us: int) -> list[float]:
    """Seconds from what changed an alert (an event's receipt, a due instant) to its arrival."""
    change = and_(
        alert_log.c.alert == deliveries.c.alert, alert_log.c.change == deliveries.c.change
    )
    query = (
        select(deliveries.c.delivered_us - alert_log.c.at_us)
        .join(alert_log, change)
        .join(alerts, alerts.c.id == deliveries.c.alert)
        .join(trials, trials.c.id == alerts.c.trial)
        .where(
            OF_ALL,
            deliveries.c.delivered_us > now_us - RECENT_US,
            alert_log.c.by.is_(None),
            trials.c.mode == "live",
        )
        .limit(_MOST)
    )
    return _seconds(conn.scalars(query))


def _seconds(spans_us: Any) -> list[float]:
    return sorted(max(span, 0) / 1e6 for span in spans_us)


def quantiles(ordered: list[float]) -> Mapping[str, float]:
    """The usual ones of values in order; none of no values."""
    if not ordered:
        return {}
    last = len(ordered) - 1
    return {str(part): ordered[round(part * last)] for part in (0.5, 0.95, 0.99)}
