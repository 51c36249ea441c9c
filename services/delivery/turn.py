"""One turn: what came of finished attempts is written, and the next ones are taken on, together.

Who comes in: the dispatcher. Who goes out: rows, in one commit; claims, to be sent after it. With
many deliveries a turn holds many of them, so that a commit costs each of them little.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services import clock, logs, undelivered
from services.channels import Answer, Outcome
from services.channels.address import endpoint
from services.delivery.schedule import wait_s
from services.delivery.sharing import POOL, Flight, Room, Wanting, room, share
from services.repositories import deliveries, leases, subscriptions
from services.repositories.deliveries import Claim, Finished

# Longer than the longest attempt: while it holds, nobody else sends the same.
LEASE_US = 25 * clock.SECOND_US
# What happened to us, or to some recipients of a mail, says nothing of the receiver.
_NO_SIGN = frozenset({Outcome.ABANDONED, Outcome.NO_CHANNEL, Outcome.FAULT, Outcome.PARTLY})
# Another attempt would not help: it wants no more, or who took the mail would get it again.
_FINAL = frozenset({Outcome.GONE, Outcome.PARTLY})

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt that was made, to be written with the next turn."""

    claim: Claim
    answer: Answer


@dataclass(frozen=True, slots=True)
class Plan:
    """Who has something due, and how many attempts of it may begin now."""

    wanting: list[Wanting]
    shares: dict[str, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a turn took on; `more`: something due had to stay, look again soon."""

    claims: list[Claim]
    more: bool


def record(conn: Connection, done: Sequence[Done], now_us: int) -> None:
    """Write how attempts ended and what follows; nothing follows where the lease was lost."""
    if not done:
        return
    deliveries.finish(
        conn,
        [Finished(one.claim, one.answer.outcome, one.answer.http_status) for one in done],
        now_us,
    )
    deliveries.mark_delivered(conn, _claims(done, Outcome.DELIVERED), now_us)
    deliveries.give_back(conn, _claims(done, Outcome.ABANDONED))
    again: list[tuple[Claim, int]] = []
    lost: list[Done] = []
    for one in done:
        if one.answer.outcome in {Outcome.DELIVERED, Outcome.ABANDONED}:
            continue
        wait_us = _wait_us(one)
        if wait_us is None:
            lost.append(one)
        else:
            again.append((one.claim, now_us + wait_us))
    deliveries.postpone(conn, again)
    _mark_health(conn, done, now_us)
    # In this order, for each locks its trial's stream.
    for one in sorted(lost, key=lambda one: one.claim.trial):
        _give_up(conn, one, now_us)


def _claims(done: Sequence[Done], outcome: Outcome) -> list[Claim]:
    return [one.claim for one in done if one.answer.outcome is outcome]


def _wait_us(one: Done) -> int | None:
    """Until the next attempt; None: there is none."""
    if one.answer.outcome in _FINAL:
        return None
    failed = one.claim.number - one.claim.forgiven
    spread = random.random()  # noqa: S311 - nothing secret
    wait = wait_s(one.claim.critical, failed, one.answer.retry_after_s, spread)
    return None if wait is None else round(wait * clock.SECOND_US)


def _mark_health(conn: Connection, done: Sequence[Done], now_us: int) -> None:
    """By the last attempt of each subscription that tells."""
    told = {
        one.claim.subscription: one.answer.outcome is Outcome.DELIVERED
        for one in done
        if one.answer.outcome not in _NO_SIGN
    }
    well = {name for name, fine in told.items() if fine}
    failing = told.keys() - well
    subscriptions.mark_health(conn, well, failing, now_us)


def _give_up(conn: Connection, one: Done, now_us: int) -> None:
    """Aloud: a dead letter, and an alert to operations in the same commit."""
    claim = one.claim
    letter = deliveries.bury(conn, claim, one.answer.outcome, now_us)
    if letter is None:
        return
    if one.answer.outcome is Outcome.GONE:
        subscriptions.disable(conn, claim.subscription, claim.channel)
    undelivered.tell(conn, claim.trial, claim.subscription, now_us)
    log.warning("gave_up", delivery=claim.delivery, letter=letter, outcome=one.answer.outcome.value)


def look(
    conn: Connection,
    mine: Collection[str],
    served: Mapping[str, int],
    now_us: int,
    most: int = POOL,
) -> Plan:
    """Who might begin what; writes nothing.

    `mine` are the deliveries that this process holds; `served` says when each subscription last
    had a share, so that they take turns; `most` limits the whole.
    """
    wanting = _wanting(conn, served, now_us)
    # Where another worker is taking on, it is left alone: both would think the room theirs.
    locked = leases.try_each(conn, {one.endpoint for one in wanting})
    flights = _flights(conn, set(mine), now_us)
    left = room(flights, len(mine), now_us)
    left = Room(min(left.any, most), left.unwell)
    free = [one for one in wanting if one.endpoint in locked]
    return Plan(wanting, share(free, flights, left, now_us))


def take_on(
    conn: Connection,
    mine: Collection[str],
    served: Mapping[str, int],
    now_us: int,
    most: int = POOL,
) -> Taken:
    """Take on as much as there is room for, fairly; parameters as `look`."""
    plan = look(conn, mine, served, now_us, most)
    found = {
        name: deliveries.next_due(conn, name, now_us, share) for name, share in plan.shares.items()
    }
    claims = deliveries.claim(conn, _in_turn(list(found.values())), now_us, LEASE_US)
    # Who got all that it might have, or nothing, may have something left.
    more = any(
        len(found.get(one.subscription, ())) == plan.shares.get(one.subscription, 0)
        for one in plan.wanting
    )
    return Taken(claims, more)


def _wanting(conn: Connection, served: Mapping[str, int], now_us: int) -> list[Wanting]:
    """Who has something due; who had nothing for longest comes first."""
    rows = deliveries.due_subscriptions(conn, now_us)
    rows.sort(key=lambda row: served.get(row.id, 0))
    return [
        Wanting(row.id, endpoint(row.channel), row.failing_since_us is not None) for row in rows
    ]


def _flights(conn: Connection, mine: Collection[str], now_us: int) -> list[Flight]:
    return [
        Flight(
            subscription=row.subscription,
            endpoint=endpoint(row.channel),
            failing=row.failing_since_us is not None,
            since_us=row.lease_until_us - LEASE_US,
            mine=row.id in mine,
        )
        for row in deliveries.under_way(conn, now_us)
    ]


def _in_turn(lists: list[list[str]]) -> list[str]:
    """The first of each, then the second of each, and so on."""
    longest = max((len(some) for some in lists), default=0)
    return [some[place] for place in range(longest) for some in lists if place < len(some)]
