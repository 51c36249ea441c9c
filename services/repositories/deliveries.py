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
    ColumnElement,
    Connection,
    Integer,
    Row,
    Text,
    and_,
    bindparam,
    case,
    insert,
    or_,
    select,
    text,
    update,
)

from services import clock, ids
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
# (As text: of a Boolean literal SQLAlchemy makes `... = 1`, and no index is used.)
_waiting = text(_WAITING)
# Nobody is at it: it waits, or the lease of who began it has run out, or is longer than leases are.
_astray = deliveries.c.lease_until_us > _NOW + clock.ASTRAY_US
_free = or_(
    deliveries.c.status == "pending",
    and_(deliveries.c.status == "sending", or_(deliveries.c.lease_until_us <= _NOW, _astray)),
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
_DUE_SUBSCRIPTIONS = select(
    subscriptions.c.id, subscriptions.c.channel, subscriptions.c.failing_since_us
).where(
    subscriptions.c.status == "active",
    select(deliveries.c.id)
    .where(deliveries.c.subscription == subscriptions.c.id, _due)
    .correlate(subscriptions)
    .exists(),
)
_UNDER_WAY = (
    select(
        deliveries.c.id,
        deliveries.c.subscription,
        subscriptions.c.channel,
        subscriptions.c.failing_since_us,
        deliveries.c.lease_until_us,
    )
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription)
    .where(text("deliveries.status = 'sending'"))
    .where(deliveries.c.lease_until_us > _NOW, ~_astray)
)
_NEXT_DUE = (
    select(deliveries.c.id)
    .where(deliveries.c.subscription == _WANTED, _due)
    .order_by(deliveries.c.next_attempt_us, deliveries.c.position)
    .limit(bindparam("most", type_=Integer))
    # Never waits for another worker that is taking the same ones; on SQLite there is none.
    .with_for_update(skip_locked=True, of=deliveries)
)
_THESE = bindparam("these", expanding=True, type_=Text)
_TAKE = (
    update(deliveries)
    .where(deliveries.c.id.in_(_THESE), _free)
    .values(
        status="sending",
        lease_until_us=bindparam("until_us", type_=BigInteger),
        attempts=deliveries.c.attempts + 1,
    )
    .returning(deliveries.c.id, deliveries.c.attempts)
)
_ABANDON = (
    update(attempts)
    .where(attempts.c.delivery.in_(_THESE), attempts.c.finished_us.is_(None))
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
    .where(deliveries.c.id.in_(_THESE))
)
_NTH = bindparam("nth", type_=Integer)
_FINISH = (
    update(attempts)
    .where(attempts.c.delivery == _WANTED, attempts.c.number == _NTH)
    .values(
        outcome=bindparam("how", type_=Text),
        http_status=bindparam("answer", type_=Integer),
        finished_us=_NOW,
    )
)
# Not if the lease was lost and another attempt begun, nor if a person wants it told again.
_still_ours = and_(
    deliveries.c.id == _WANTED, deliveries.c.status == "sending", deliveries.c.attempts == _NTH
)
_DELIVERED = (
    update(deliveries)
    .where(_still_ours)
    .values(status="delivered", delivered_us=_NOW, lease_until_us=None)
)
_POSTPONE = (
    update(deliveries)
    .where(_still_ours)
    .values(
        status="pending",
        next_attempt_us=bindparam("again_us", type_=BigInteger),
        lease_until_us=None,
    )
)
# As if it had not been begun: the schedule goes on where it was.
_GIVE_BACK = (
    update(deliveries)
    .where(_still_ours)
    .values(status="pending", lease_until_us=None, forgiven=deliveries.c.forgiven + 1)
)
_BURY = update(deliveries).where(_still_ours).values(status="dead", lease_until_us=None)
# An earlier change of the same alert that waits for its next attempt.
_later = bindparam("later_us", type_=BigInteger)
_postponed = and_(
    _earlier.c.alert == deliveries.c.alert,
    _earlier.c.subscription == deliveries.c.subscription,
    _earlier.c.change < deliveries.c.change,
    _earlier.c.status == "pending",
    _earlier.c.next_attempt_us > _NOW,
)
_BEHIND = (
    select(
        deliveries.c.id,
        deliveries.c.critical,
        _earlier.c.id.label("before"),
        _earlier.c.critical.label("before_critical"),
        _earlier.c.next_attempt_us,
    )
    .join(_earlier, _postponed)
    .where(_waiting, deliveries.c.status == "pending", deliveries.c.next_attempt_us <= _NOW)
    .limit(1000)
)
# The next one of its alert, in whose schedule nothing failed yet, is due now; and so is what failed
# at a time that has not come: the clock was set back since, by how much nobody knows.
_OVERSLEPT = (
    select(deliveries.c.id)
    .where(
        _waiting,
        deliveries.c.status == "pending",
        deliveries.c.next_attempt_us > _NOW,
        ~_earlier_waits,
        or_(
            deliveries.c.attempts == deliveries.c.forgiven,
            select(attempts.c.number)
            .where(
                attempts.c.delivery == deliveries.c.id,
                attempts.c.number == deliveries.c.attempts,
                attempts.c.started_us > _NOW + clock.ASTRAY_US,
            )
            .correlate(deliveries)
            .exists(),
        ),
    )
    .limit(1000)
)
_PARK = (
    update(deliveries)
    .where(deliveries.c.id == _WANTED, deliveries.c.status == "pending")
    .values(next_attempt_us=_later)
)
_HURRY = (
    update(deliveries)
    .where(deliveries.c.id == _WANTED, deliveries.c.status == "pending", ~deliveries.c.critical)
    .values(critical=True, next_attempt_us=_NOW, forgiven=deliveries.c.attempts)
)


@dataclass(frozen=True, slots=True)
class Finished:
    """How an attempt ended."""

    claim: Claim
    outcome: Outcome
    http_status: int | None


def due_subscriptions(conn: Connection, now_us: int) -> list[Row[Any]]:
    """Active subscriptions that something is due for: id, channel, failing_since_us."""
    return list(conn.execute(_DUE_SUBSCRIPTIONS, {"now_us": now_us}))


def under_way(conn: Connection, now_us: int) -> list[Row[Any]]:
    """Attempts under way by leases that still hold, of whichever worker."""
    return list(conn.execute(_UNDER_WAY, {"now_us": now_us}))


def next_due(conn: Connection, subscription: str, now_us: int, most: int) -> list[str]:
    """The next due deliveries of `subscription`."""
    known = {"wanted": subscription, "now_us": now_us, "most": most}
    return list(conn.scalars(_NEXT_DUE, known))


def claim(conn: Connection, these: Sequence[str], now_us: int, lease_us: int) -> list[Claim]:
    """Take those of `these` that are still free, and open an attempt of each.

    Call in a writing transaction and commit before sending: then no crash can hide an attempt.
    """
    if not these:
        return []
    known = {"these": these, "until_us": now_us + lease_us, "now_us": now_us}
    taken = {row.id: row.attempts for row in conn.execute(_TAKE, known)}
    again = [delivery for delivery, number in taken.items() if number > 1]
    if again:  # of workers that died in the middle of them
        conn.execute(_ABANDON, {"these": again, "now_us": now_us})
    begun = {"started_us": now_us, "outcome": Outcome.SENDING}
    made = [{"delivery": name, "number": number, **begun} for name, number in taken.items()]
    if not made:
        return []
    conn.execute(insert(attempts), made)
    columns: list[Any] = list(conn.execute(_CLAIMED, {"these": list(taken)}))
    order = {delivery: place for place, delivery in enumerate(these)}
    return sorted((Claim(*row) for row in columns), key=lambda claim: order[claim.delivery])


def finish(conn: Connection, done: Sequence[Finished], now_us: int) -> None:
    """Write how these attempts ended; what follows for their deliveries is another question."""
    rows = [
        {
            **_of(one.claim),
            "how": one.outcome.value,
            "answer": one.http_status,
            "now_us": now_us,
        }
        for one in done
    ]
    if rows:
        conn.execute(_FINISH, rows)


def mark_delivered(conn: Connection, claims: Sequence[Claim], now_us: int) -> None:
    """They arrived."""
    if claims:
        conn.execute(_DELIVERED, [{**_of(claim), "now_us": now_us} for claim in claims])


def postpone(conn: Connection, again_us: Sequence[tuple[Claim, int]]) -> None:
    """Try these again at their times."""
    if again_us:
        conn.execute(_POSTPONE, [{**_of(claim), "again_us": at_us} for claim, at_us in again_us])


def give_back(conn: Connection, claims: Sequence[Claim]) -> None:
    """Nothing was sent of these, through our own fault: they are due as before."""
    if claims:
        conn.execute(_GIVE_BACK, [_of(claim) for claim in claims])


def bury(conn: Connection, claim: Claim, reason: Outcome, now_us: int) -> str | None:
    """Give up: the delivery is dead and a dead letter says why; its id, None if it is not ours."""
    if not conn.execute(_BURY, _of(claim)).rowcount:
        return None
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


def _of(claim: Claim) -> dict[str, Any]:
    return {"wanted": claim.delivery, "nth": claim.number}


def out_of_line(conn: Connection, now_us: int) -> bool:
    """Whether `line_up` would find something."""
    known = {"now_us": now_us}
    return any(conn.execute(query, known).first() is not None for query in (_BEHIND, _OVERSLEPT))


def line_up(conn: Connection, now_us: int) -> int:
    """Let later changes of an alert wait as long as the earlier one does; how many that are.

    They are not due, so nobody need look at them. A critical one does not wait for hours: what
    stands before it becomes critical too, and is tried now. What waits for a time of a clock that
    was set back is due.
    """
    overslept = list(conn.scalars(_OVERSLEPT, {"now_us": now_us}))
    if overslept:
        wake = [{"wanted": one, "later_us": now_us} for one in sorted(overslept)]
        conn.execute(_PARK, wake)
    behind = conn.execute(_BEHIND, {"now_us": now_us}).all()
    urgent = {row.before for row in behind if row.critical and not row.before_critical}
    until: dict[str, int] = {}
    for row in behind:
        if row.before not in urgent:
            until[row.id] = max(row.next_attempt_us, until.get(row.id, 0))
    if urgent:
        conn.execute(_HURRY, [{"wanted": one, "now_us": now_us} for one in sorted(urgent)])
    if until:
        conn.execute(_PARK, [{"wanted": one, "later_us": at} for one, at in sorted(until.items())])
    return len(overslept) + len(urgent) + len(until)


def retry(conn: Connection, delivery: str, now_us: int) -> bool:
    """Send it again, now and by a schedule that begins anew; False while it is being sent.

    The same id, position and body; its dead letter, if one is open, is requeued.
    """
    wanted = [deliveries.c.id == delivery, deliveries.c.status != "sending"]
    if not _send_again(conn, wanted, now_us):
        return False
    one = conn.execute(select(deliveries).where(deliveries.c.id == delivery)).one()
    followers = update(deliveries).where(
        deliveries.c.alert == one.alert,
        deliveries.c.change > one.change,
        deliveries.c.subscription == one.subscription,
        deliveries.c.status == "pending",
        # Only waited behind this one, and was never tried itself.
        deliveries.c.attempts == deliveries.c.forgiven,
        deliveries.c.next_attempt_us > now_us,
    )
    conn.execute(followers.values(next_attempt_us=now_us))
    return True


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
