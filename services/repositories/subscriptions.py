"""Subscriptions as stored: who wants which alerts, where, and the secret that signs.

Who comes in: services.subscriptions, delivery. Who goes out: SQL rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, func, insert, select, update

from services.models import deliveries, subscriptions

SubscriptionRow = Row[*tuple[Any, ...]]
# Rows that say so already are left alone: others lock them too.
_WELL = (
    update(subscriptions)
    .where(subscriptions.c.id == bindparam("wanted"), subscriptions.c.failing_since_us.is_not(None))
    .values(failing_since_us=None)
)
_FAILING = (
    update(subscriptions)
    .where(subscriptions.c.id == bindparam("wanted"), subscriptions.c.failing_since_us.is_(None))
    .values(failing_since_us=bindparam("now_us", type_=BigInteger))
)


def add(conn: Connection, values: dict[str, Any]) -> None:
    """A new subscription; `values` are its columns."""
    conn.execute(insert(subscriptions).values(values))


def get(conn: Connection, subscription: str) -> SubscriptionRow | None:
    """The subscription of that id, unless it was deleted."""
    query = select(subscriptions).where(
        subscriptions.c.id == subscription, subscriptions.c.status != "deleted"
    )
    return conn.execute(query).one_or_none()


def lock(conn: Connection, subscription: str) -> SubscriptionRow | None:
    """The same, and nobody else changes it until the transaction ends."""
    query = select(subscriptions).where(
        subscriptions.c.id == subscription, subscriptions.c.status != "deleted"
    )
    return conn.execute(query.with_for_update(key_share=True)).one_or_none()


def first_position(conn: Connection, subscription: str, since_us: int) -> int | None:
    """The lowest position of what was written at that instant or later; None if nothing was."""
    query = select(func.min(deliveries.c.position)).where(
        deliveries.c.subscription == subscription, deliveries.c.created_us >= since_us
    )
    first: int | None = conn.scalar(query)
    return first


def every(conn: Connection) -> list[SubscriptionRow]:
    """All that were not deleted, oldest first."""
    query = select(subscriptions).where(subscriptions.c.status != "deleted")
    return list(conn.execute(query.order_by(subscriptions.c.created_us, subscriptions.c.id)))


def change(conn: Connection, subscription: str, values: dict[str, Any]) -> None:
    """Set these columns."""
    if values:
        conn.execute(update(subscriptions).where(subscriptions.c.id == subscription).values(values))


def disable(conn: Connection, subscription: str, channel: str) -> None:
    """Its receiver wants no more: nothing is sent until somebody makes it active again.

    Unless it has another receiver by now than `channel`, the one that was asked.
    """
    conn.execute(
        update(subscriptions)
        .where(
            subscriptions.c.id == subscription,
            subscriptions.c.status == "active",
            subscriptions.c.channel == channel,
        )
        .values(status="disabled")
    )


def mark_health(conn: Connection, well: Iterable[str], failing: Iterable[str], now_us: int) -> None:
    """Which receivers took the last thing they were sent, and which did not."""
    cured = [{"wanted": one} for one in sorted(well)]
    fallen = [{"wanted": one, "now_us": now_us} for one in sorted(failing)]
    if cured:
        conn.execute(_WELL, cured)
    if fallen:
        conn.execute(_FAILING, fallen)
