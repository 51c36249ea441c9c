"""What waits in rows, and since when: events not evaluated, deliveries not at their end.

Who comes in: the operations pages and metrics. Who goes out: counts and instants. The rows are the
truth; a broker's depth is only how many bells still ring.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    select,
    text,
)

from services.models import alert_log, alerts, decisions, deliveries, events, streams, subscriptions

# Not at its end. As the partial index says it, letter for letter (a Boolean would be compared with
# 1): SQLite takes it for nothing less, and only because an instant is asked for too.
WAITING = text("deliveries.status IN ('pending', 'sending') AND deliveries.next_attempt_us >= 0")
# True of every delivery; named, so that indexes which begin with the subscription serve.
OF_ALL = deliveries.c.subscription.in_(select(subscriptions.c.id))
DIRTY = streams.c.next_n > streams.c.done_n

# The trials that the caller may see; None is all.
Only = Collection[str] | None


@dataclass(frozen=True, slots=True)
class Pending:
    """Events that are not evaluated yet; those of held streams wait for a person, not for us."""

    streams: int
    events: int
    held_streams: int
    held_events: int
    claimed_streams: int  # somebody is at them
    oldest_us: int | None  # when the oldest was stored, held streams left out
    oldest_held_us: int | None


def pending(conn: Connection, only: Only, now_us: int) -> Pending:
    """One look at the dirty streams, and at the first event that waits in each."""
    count, held = streams.c.next_n - streams.c.done_n, streams.c.held.is_(True)
    claimed = and_(~held, streams.c.claimed_until_us > now_us)
    first = and_(events.c.stream_id == streams.c.id, events.c.n == streams.c.done_n + 1)
    query = select(
        func.count(),
        _sum(count),
        _sum(case((held, 1), else_=0)),
        _sum(case((held, count), else_=0)),
        _sum(case((claimed, 1), else_=0)),
        func.min(case((~held, events.c.stored_us))),
        func.min(case((held, events.c.stored_us))),
    )
    query = query.join_from(streams, events, first).where(DIRTY)
    if only is not None:
        query = query.where(streams.c.trial.in_(only))
    row = conn.execute(query).one()
    dirty, waiting, held_streams, held_events, at_work = (int(part) for part in row[:5])
    return Pending(dirty, waiting, held_streams, held_events, at_work, row[5], row[6])


@dataclass(frozen=True, slots=True)
class Waiting:
    """The deliveries of one subscription that are not at their end."""

    waiting: int
    due: int
    in_flight: int  # by leases that hold
    oldest_due_us: int | None


def waiting(conn: Connection, only: Only, now_us: int) -> dict[str, Waiting]:
    """Subscription -> what waits for it. Due is what a worker could take now.

    An alert's later change is not due while its earlier one waits, nor anything for a subscription
    that is disabled.
    """
    d, leased = (
        deliveries,
        and_(deliveries.c.status == "sending", deliveries.c.lease_until_us > now_us),
    )
    due = and_(
        subscriptions.c.status == "active",
        ~leased,
        d.c.next_attempt_us <= now_us,
        d.c.position.is_not(None),
        ~_earlier_waits(),
    )
    query = (
        select(
            d.c.subscription,
            func.count(),
            _sum(case((due, 1), else_=0)),
            _sum(case((leased, 1), else_=0)),
            func.min(case((due, d.c.next_attempt_us))),
        )
        .join(subscriptions, subscriptions.c.id == d.c.subscription)
        .where(WAITING, OF_ALL)
        .group_by(d.c.subscription)
    )
    rows = conn.execute(of_trials(query, only))
    return {row[0]: Waiting(row[1], int(row[2]), int(row[3]), row[4]) for row in rows}


def _earlier_waits() -> ColumnElement[bool]:
    earlier = deliveries.alias("earlier")
    found = select(earlier.c.id).where(
        earlier.c.alert == deliveries.c.alert,
        earlier.c.subscription == deliveries.c.subscription,
        earlier.c.change < deliveries.c.change,
        earlier.c.status.in_(("pending", "sending")),
    )
    return found.correlate(deliveries).exists()


def unnumbered(conn: Connection, only: Only) -> tuple[int, int | None]:
    """Changes of alerts without a position yet, and when the oldest happened."""
    query = select(func.count(), func.min(alert_log.c.at_us)).where(alert_log.c.position.is_(None))
    if only is not None:
        query = query.join(alerts, alerts.c.id == alert_log.c.alert)
        query = query.where(alerts.c.trial.in_(only))
    count, oldest_us = conn.execute(query).one()
    return int(count), oldest_us


def evaluated_since(conn: Connection, only: Only, since_us: int) -> int:
    """How many steps (events and due instants) were evaluated since then."""
    query = select(func.count()).where(decisions.c.evaluated_us > since_us)
    if only is not None:
        query = query.join_from(decisions, streams, streams.c.id == decisions.c.stream_id)
        query = query.where(streams.c.trial.in_(only))
    return int(conn.scalar(query) or 0)


def delivered_since(conn: Connection, only: Only, since_us: int) -> int:
    """How many deliveries arrived since then."""
    query = select(func.count()).where(OF_ALL, deliveries.c.delivered_us > since_us)
    return int(conn.scalar(of_trials(query, only)) or 0)


def numbered_since(conn: Connection, only: Only, since_us: int) -> int:
    """How many changes of alerts of that time have their position."""
    newest = select(func.coalesce(func.max(alert_log.c.position), 0)).scalar_subquery()
    query = select(func.count()).where(
        # No index knows the time; nobody changes more alerts than this in the time asked for.
        alert_log.c.position > newest - _MOST,
        alert_log.c.at_us > since_us,
    )
    if only is not None:
        query = query.join_from(alert_log, alerts, alerts.c.id == alert_log.c.alert)
        query = query.where(alerts.c.trial.in_(only))
    return int(conn.scalar(query) or 0)


_MOST = 5000


def of_trials(query: Select[Any], only: Only) -> Select[Any]:
    """A query of deliveries, those of other trials left out."""
    if only is None:
        return query
    return query.join(alerts, alerts.c.id == deliveries.c.alert).where(alerts.c.trial.in_(only))


def _sum(what: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(what), 0)
