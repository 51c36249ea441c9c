"""How each subscriber is doing: what is due there, since when it fails, how the last attempt ended.

Who comes in: GET /v1/ops/queues, metrics. Who goes out: subscriptions by id, with the host of their
address and nothing else of it: a path or a query may hold a secret, a mailbox is a person's.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
from sqlalchemy import Connection, Row, func, select

from services.models import attempts, dead_letters, deliveries, subscriptions
from services.reading import backlog
from services.reading.backlog import OF_ALL, WAITING, Only, Waiting, of_trials
from services.reading.pages import Json, iso_or_none

# The worst first; nobody reads more at a glance.
MOST = 200
_NOTHING = Waiting(0, 0, 0, None)


class Last(NamedTuple):
    """An attempt that ended."""

    at_us: int
    outcome: str


def endpoints(conn: Connection, only: Only, now_us: int) -> list[Json]:
    """Every subscription that the caller's trials cover, those that fail first."""
    rows = conn.execute(select(subscriptions).where(subscriptions.c.status != "deleted"))
    covered = [row for row in rows if _covers(only, row)]
    if not covered:
        return []
    waiting = backlog.waiting(conn, only, now_us)
    last = _last(conn, only)
    shown = [
        _shown(row, waiting.get(row.id, _NOTHING), last.get(row.id), now_us) for row in covered
    ]
    return sorted(shown, key=_worst_first)[:MOST]


def _worst_first(endpoint: Json) -> tuple[bool, str, int, str]:
    since = endpoint["failing_since"]
    return (since is None, since or "", -endpoint["due"], endpoint["subscription"])


def _covers(only: Only, row: Row[Any]) -> bool:
    """As the subscriptions' own list: what a narrower key made is seen by whoever reaches all."""
    if only is None:
        return True
    trials = orjson.loads(row.trials) if row.trials else None
    return trials is not None and set(trials) <= set(only)


def _shown(row: Row[Any], waiting: Waiting, last: Last | None, now_us: int) -> Json:
    channel = orjson.loads(row.channel)
    oldest_us = waiting.oldest_due_us
    return {
        "subscription": row.id,
        "kind": channel["kind"],
        "host": _host(channel),
        "status": row.status,
        "waiting": waiting.waiting,
        "due": waiting.due,
        "in_flight": waiting.in_flight,
        "oldest_due_at": iso_or_none(oldest_us),
        "oldest_due_s": None if oldest_us is None else age_s(oldest_us, now_us),
        "failing_since": iso_or_none(row.failing_since_us),
        "last_outcome": None if last is None else last.outcome,
        "last_attempt_at": None if last is None else iso_or_none(last.at_us),
    }


def age_s(since_us: int, now_us: int) -> float:
    """Seconds since then; another machine's clock may be a little ahead."""
    return round(max(now_us - since_us, 0) / 1e6, 3)


def _host(channel: Json) -> str | None:
    """Host and port of a webhook; the domains of mailboxes."""
    if channel["kind"] == "webhook":
        parts = urlsplit(channel["url"])
        return parts.netloc.rpartition("@")[2] or None
    boxes = channel.get("to")
    domains = {box.rpartition("@")[2] for box in boxes} if isinstance(boxes, list) else set()
    return ", ".join(sorted(domains)) or None


def _last(conn: Connection, only: Only) -> dict[str, Last]:
    """Subscription -> its newest attempt that ended: of what waits, what arrived, the dead."""
    found: dict[str, Last] = {}
    for subscription, at_us, outcome in (
        *_newest_of_waiting(conn, only),
        *_newest_delivered(conn),
        *_newest_dead(conn, only),
    ):
        best = found.get(subscription)
        if at_us is not None and (best is None or best.at_us < at_us):
            found[subscription] = Last(at_us, outcome)
    return found


def _newest_of_waiting(conn: Connection, only: Only) -> list[Row[Any]]:
    place = func.row_number().over(
        partition_by=deliveries.c.subscription, order_by=attempts.c.finished_us.desc()
    )
    query = (
        select(
            deliveries.c.subscription,
            attempts.c.finished_us,
            attempts.c.outcome,
            place.label("place"),
        )
        .join(attempts, attempts.c.delivery == deliveries.c.id)
        .where(WAITING, OF_ALL, deliveries.c.attempts > 0, attempts.c.finished_us.is_not(None))
    )
    ranked = of_trials(query, only).subquery()
    return list(conn.execute(select(*ranked.c[:3]).where(ranked.c.place == 1)))


def _newest_delivered(conn: Connection) -> list[tuple[str, int | None, str]]:
    newest = (
        select(func.max(deliveries.c.delivered_us))
        .where(
            deliveries.c.subscription == subscriptions.c.id, deliveries.c.delivered_us.is_not(None)
        )
        .correlate(subscriptions)
        .scalar_subquery()
    )
    rows = conn.execute(select(subscriptions.c.id, newest))
    return [(row[0], row[1], "delivered") for row in rows]


def _newest_dead(conn: Connection, only: Only) -> list[Row[Any]]:
    place = func.row_number().over(
        partition_by=deliveries.c.subscription, order_by=dead_letters.c.created_us.desc()
    )
    query = (
        select(
            deliveries.c.subscription,
            dead_letters.c.created_us,
            dead_letters.c.reason,
            place.label("place"),
        )
        .join_from(dead_letters, deliveries, deliveries.c.id == dead_letters.c.delivery)
        .where(dead_letters.c.kind == "delivery", dead_letters.c.status == "open")
    )
    ranked = of_trials(query, only).subquery()
    return list(conn.execute(select(*ranked.c[:3]).where(ranked.c.place == 1)))
