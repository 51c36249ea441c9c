"""Deliveries and their attempts: who is to be told what, and how each try went.

Who comes in: delivery (claims and results), the doors (lists, retry). Who goes out: SQL rows.
A delivery is free to be claimed when its time has come, it has a position, its subscription is
active, and no earlier change of the same alert still waits for that subscriber.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from services import ids
from services.channels import Outcome
from services.models import alert_log, alerts, attempts, dead_letters, deliveries, subscriptions

WAITING = ("pending", "sending")
# As the index says it, letter for letter: SQLite takes a partial index for nothing less.
_WAITING = "deliveries.status IN ('pending', 'sending')"


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that this worker has taken on, with all that it needs to be sent."""

    delivery: str
    subscription: str
    alert: str
    trial: str
    event: str
    critical: bool
    position: int
    number: int  # of the attempt, from 1, for ever
    forgiven: int  # attempts before the schedule last began anew
    lease_until_us: int
    changed_us: int  # when the change happened that is told
    body: str  # the alert as JSON of the contract, as it then was
    channel: str
    content: str
    secret: str | None
    old_secrets: str  # JSON list of {"secret", "until_us"}, newest first


# Built once: building a statement costs more than SQLite's answer.
_NOW = bindparam("now_us", type_=BigInteger)
_WANTED = bindparam("wanted", type_=Text)
_waiting = literal_column(_WAITING, Boolean)
# Nobody is at it: it waits, or the lease of who began it has run out.
_free = or_(
    deliveries.c.status == "pending",
    and_(deliveries.c.status == "sending", deliveries.c.lease_until_us <= _NOW),
)
_earlier = deliveries.alias("earlier")
_earlier_waits = (
    select(_earlier.c.id)
    .where(
        _earlier.c.alert == deliveries.c.alert,
        _earlier.c.subscription == deliveries.c.subscription,
        _earlier.c.change < deliveries.c.change,
        _earlier.c.status.in_(WAITING),
    )
    .correlate(deliveries)
    .exists()
)
_due = and_(
    _waiting,
    deliveries.c.next_attempt_us <= _NOW,
    _free,
    deliveries.c.position.is_not(None),
    ~_earlier_waits,
)
_DUE_SUBSCRIPTIONS = select(subscriptions.c.id).where(
    subscriptions.c.status == "active",
    select(deliveries.c.id)
    .where(deliveries.c.subscription == subscriptions.c.id, _due)
    .correlate(subscriptions)
    .exists(),
)
_IN_FLIGHT = (
    select(func.count())
    .select_from(deliveries)
    .where(
        _waiting,
        deliveries.c.subscription == _WANTED,
        deliveries.c.status == "sending",
        deliveries.c.lease_until_us > _NOW,
    )
)
_NEXT_DUE = (
    select(deliveries.c.id)
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription)
    .where(deliveries.c.subscription == _WANTED, subscriptions.c.status == "active", _due)
    .order_by(deliveries.c.next_attempt_us, deliveries.c.position)
    .limit(1)
)
_TAKE = (
    update(deliveries)
    .where(deliveries.c.id == _WANTED, _free)
    .values(
        status="sending",
        lease_until_us=bindparam("until_us", type_=BigInteger),
        attempts=deliveries.c.attempts + 1,
    )
    .returning(deliveries.c.attempts)
)
_ABANDON = (
    update(attempts)
    .where(attempts.c.delivery == _WANTED, attempts.c.finished_us.is_(None))
    .values(outcome=Outcome.ABANDONED, finished_us=_NOW)
)
_CLAIMED = (
    select(
        deliveries.c.id,
        deliveries.c.subscription,
        deliveries.c.alert,
        alerts.c.trial,
        deliveries.c.event,
        deliveries.c.critical,
        deliveries.c.position,
        deliveries.c.attempts,
        deliveries.c.forgiven,
        deliveries.c.lease_until_us,
        alert_log.c.at_us,
        alert_log.c.body,
        subscriptions.c.channel,
        # Frozen when the change happened; who may no longer have values gets none at all.
        case((subscriptions.c.content == "minimal", "minimal"), else_=deliveries.c.content),
        subscriptions.c.secret,
        subscriptions.c.old_secrets,
    )
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription)
    .join(alerts, alerts.c.id == deliveries.c.alert)
    .join(
        alert_log,
        and_(alert_log.c.alert == deliveries.c.alert, alert_log.c.change == deliveries.c.change),
    )
    .where(deliveries.c.id == _WANTED)
)
_FINISH = (
    update(attempts)
    .where(attempts.c.delivery == _WANTED, attempts.c.number == bindparam("nth", type_=Integer))
    .values(
        outcome=bindparam("how", type_=Text),
        http_status=bindparam("answer", type_=Integer),
        finished_us=_NOW,
    )
)
_STILL_OURS = select(deliveries.c.id).where(
    deliveries.c.id == _WANTED,
    deliveries.c.status == "sending",
    deliveries.c.attempts == bindparam("nth", type_=Integer),
)
_DELIVERED = (
    update(deliveries)
    .where(deliveries.c.id == _WANTED)
    .values(status="delivered", delivered_us=_NOW, lease_until_us=None)
)


def due_subscriptions(conn: Connection, now_us: int) -> list[str]:
    """The active subscriptions that something is due for."""
    return list(conn.scalars(_DUE_SUBSCRIPTIONS, {"now_us": now_us}))


def in_flight(conn: Connection, subscription: str, now_us: int) -> int:
    """How many attempts of this subscription are under way, by leases that still hold."""
    known = {"wanted": subscription, "now_us": now_us}
    return int(conn.execute(_IN_FLIGHT, known).scalar_one())


def claim(conn: Connection, subscription: str, now_us: int, lease_us: int) -> Claim | None:
    """Take the next due delivery of `subscription` and open its attempt; None if there is none.

    Call in a writing transaction and commit before sending: then no crash can hide an attempt.
    """
    candidate = conn.scalars(_NEXT_DUE, {"wanted": subscription, "now_us": now_us}).first()
    if candidate is None:
        return None
    known = {"wanted": candidate, "now_us": now_us}
    taken = conn.execute(_TAKE, known | {"until_us": now_us + lease_us}).scalar_one_or_none()
    if taken is None:  # another worker was quicker
        return None
    if taken > 1:  # the attempts of workers that died in the middle of them
        conn.execute(_ABANDON, known)
    conn.execute(
        insert(attempts),
        {
            "delivery": candidate,
            "number": taken,
            "started_us": now_us,
            "outcome": Outcome.SENDING,
        },
    )
    columns: Sequence[Any] = conn.execute(_CLAIMED, {"wanted": candidate}).one()
    return Claim(*columns)


def finish_attempt(
    conn: Connection, claim: Claim, outcome: Outcome, http_status: int | None, now_us: int
) -> bool:
    """Write how the attempt ended; False if its lease was lost to another worker meanwhile."""
    known = {"wanted": claim.delivery, "nth": claim.number}
    done = {"how": outcome.value, "answer": http_status, "now_us": now_us}
    conn.execute(_FINISH, known | done)
    return conn.execute(_STILL_OURS, known).first() is not None


def mark_delivered(conn: Connection, delivery: str, now_us: int) -> None:
    """It arrived."""
    conn.execute(_DELIVERED, {"wanted": delivery, "now_us": now_us})


def postpone(conn: Connection, delivery: str, next_attempt_us: int) -> None:
    """Try again at `next_attempt_us`."""
    conn.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery)
        .values(status="pending", next_attempt_us=next_attempt_us, lease_until_us=None)
    )


def bury(conn: Connection, claim: Claim, reason: Outcome, now_us: int) -> str:
    """Give up aloud: the delivery is dead and a dead letter says why. Returns the letter's id."""
    conn.execute(
        update(deliveries)
        .where(deliveries.c.id == claim.delivery)
        .values(status="dead", lease_until_us=None)
    )
    letter = ids.derived("dd_", "delivery", claim.delivery, claim.number)
    conn.execute(
        insert(dead_letters).values(
            id=letter,
            kind="delivery",
            trial=claim.trial,
            delivery=claim.delivery,
            reason=reason,
            status="open",
            created_us=now_us,
        )
    )
    return letter


def retry(conn: Connection, delivery: str, now_us: int) -> bool:
    """Send it again, now and by a schedule that begins anew; False while it is being sent.

    The same id, position and body; its dead letter, if one is open, is requeued.
    """
    return (
        _send_again(conn, [deliveries.c.id == delivery, deliveries.c.status != "sending"], now_us)
        > 0
    )


def replay(conn: Connection, subscription: str, since_position: int, now_us: int) -> int:
    """Send again everything after `since_position`, in order per alert; how many that are.

    What is being sent just now goes again too: else its alert would end with an older change.
    """
    wanted = [deliveries.c.subscription == subscription, deliveries.c.position > since_position]
    return _send_again(conn, wanted, now_us)


def _send_again(conn: Connection, wanted: Sequence[ColumnElement[bool]], now_us: int) -> int:
    conn.execute(
        update(dead_letters)
        .where(
            dead_letters.c.status == "open",
            dead_letters.c.delivery.in_(select(deliveries.c.id).where(*wanted)),
        )
        .values(status="requeued", closed_us=now_us)
    )
    anew = {"status": "pending", "next_attempt_us": now_us, "forgiven": deliveries.c.attempts}
    changed = conn.execute(
        update(deliveries).where(*wanted).values(**anew, lease_until_us=None, delivered_us=None)
    )
    return changed.rowcount


def restrict(conn: Connection, subscription: str) -> None:
    """What is not delivered yet goes out minimal: privacy goes before identical bytes."""
    conn.execute(
        update(deliveries)
        .where(deliveries.c.subscription == subscription, deliveries.c.status != "delivered")
        .values(content="minimal")
    )


def cancel_waiting(conn: Connection, subscription: str) -> None:
    """Nobody is to be told any more: the subscription is gone."""
    conn.execute(
        update(deliveries)
        .where(deliveries.c.subscription == subscription, deliveries.c.status.in_(WAITING))
        .values(status="cancelled", lease_until_us=None)
    )


def get(conn: Connection, delivery: str) -> Row[Any] | None:
    """The delivery."""
    return conn.execute(select(deliveries).where(deliveries.c.id == delivery)).one_or_none()


def of_subscription(
    conn: Connection, subscription: str, before: int | None, limit: int
) -> list[Row[Any]]:
    """Deliveries of one subscription, newest position first; `before` is the last one seen."""
    query = select(deliveries).where(
        deliveries.c.subscription == subscription, deliveries.c.position.is_not(None)
    )
    if before is not None:
        query = query.where(deliveries.c.position < before)
    return list(conn.execute(query.order_by(deliveries.c.position.desc()).limit(limit)))


def attempts_of(conn: Connection, delivery: str) -> list[Row[Any]]:
    """The attempts of one delivery, in order."""
    query = select(attempts).where(attempts.c.delivery == delivery)
    return list(conn.execute(query.order_by(attempts.c.number)))
