"""The last step: what alerting wrote down is told, and told again until it was heard.

Who comes in: the deliver worker, woken by the doorbell or the sweep. Who goes out: channels, and
the attempts' rows. An attempt is committed before the call and finished after it; the call itself
stands outside any transaction. A worker that dies leaves a lease behind, which runs out.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from services import clock, logs, undelivered
from services.channels import Answer, Channels, Message, Outcome
from services.channels.deadline import TIMEOUT_S
from services.database import Database, retrying
from services.repositories import deliveries, subscriptions
from services.repositories.deliveries import Claim

MINUTE_S, HOUR_S = 60, 3600
# Seconds from a failed attempt to the next one; after the last there is no next one.
WAITS_S = (
    *(5, 5 * MINUTE_S, 30 * MINUTE_S),
    *(2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 14 * HOUR_S, 20 * HOUR_S, 24 * HOUR_S),
)
# A critical alert is not left waiting for five minutes at once; from 30 min on both are the same.
CRITICAL_WAITS_S = (5, 15, MINUTE_S, 2 * MINUTE_S, 5 * MINUTE_S, *WAITS_S[2:])
JITTER = 0.1
# Longer than the longest attempt: while it holds, nobody else sends the same.
LEASE_US = 25 * clock.SECOND_US
# Who has less of its lease left than an attempt may take does not begin one.
_ATTEMPT_US = round(TIMEOUT_S * clock.SECOND_US)
PER_ENDPOINT = 4
CREW = 8
POLL_S = 1.0

log = logs.get(__name__)


def wait_s(critical: bool, failed: int, wish_s: float | None, spread: float) -> float | None:
    """Seconds until the next attempt after `failed` ones; None: there is none.

    `spread` in [0, 1) lengthens it by up to a tenth; a receiver's wish is never cut short.
    """
    waits = CRITICAL_WAITS_S if critical else WAITS_S
    if failed > len(waits):
        return None
    return max(waits[failed - 1] * (1 + JITTER * spread), wish_s or 0.0)


def envelope(claim: Claim) -> bytes:
    """The body of the contract: the same bytes on every attempt of one delivery."""
    alert = orjson.loads(claim.body)
    return orjson.dumps(
        {
            "type": claim.event,
            "timestamp": clock.iso(claim.changed_us),
            "position": claim.position,
            "data": alert if claim.content == "full" else minimal(alert),
        }
    )


def minimal(alert: Mapping[str, object]) -> dict[str, object]:
    """The alert without what could tell a clinical value: no detail, no value and no unit.

    Nor a person's words: a note may hold anything, and content minimal is what ops may have.
    """
    evidence = alert.get("evidence")
    items = evidence if isinstance(evidence, list) else []
    said = {
        name: {**part, "note": None}
        for name in ("acknowledged", "resolution")
        if isinstance(part := alert.get(name), dict)
    }
    return {
        **{name: part for name, part in alert.items() if name != "detail"},
        **said,
        "evidence": [
            {name: part for name, part in item.items() if name not in {"value", "unit"}}
            for item in items
        ],
    }


def secrets(claim: Claim, now_us: int) -> list[str]:
    """What signs: the secret, and those before it while they are still valid."""
    retired = orjson.loads(claim.old_secrets)
    still = [old["secret"] for old in retired if old["until_us"] > now_us]
    return [*([claim.secret] if claim.secret else []), *still]


@dataclass(frozen=True, slots=True)
class _Done:
    """An attempt that was made, to be written with the next claim: one commit, not two."""

    claim: Claim
    answer: Answer


def deliver(
    db: Database,
    channels: Channels,
    now_us: Callable[[], int] = clock.now_us,
    *,
    claimed: Callable[[], None] = lambda: None,
) -> int:
    """Send what is due until nothing is left to claim; returns how many attempts were made.

    `claimed` is called after each claim, so that a crew can wake another of its members.
    """
    made = 0
    done: _Done | None = None
    while True:
        claim = _turn(db, done, now_us())
        if claim is None:
            return made
        claimed()
        done = _Done(claim, _send(channels, claim, now_us()))
        made += 1


def _turn(db: Database, done: _Done | None, now_us: int) -> Claim | None:
    """Write down what was done and take on the next attempt, in one commit."""
    with db.reading() as conn:  # asked first, because there is only one writer on SQLite
        waiting = deliveries.due_subscriptions(conn, now_us)
    if done is None and not waiting:
        return None
    if done is not None and done.claim.subscription not in waiting:
        waiting.append(done.claim.subscription)  # what waited for this one may be due next

    def write() -> Claim | None:
        with db.writing() as conn:
            if done is not None:
                _finish(conn, done, now_us)
            return _claim(conn, waiting, now_us)

    return retrying(write)


def _claim(conn: Connection, waiting: Sequence[str], now_us: int) -> Claim | None:
    """The next attempt of whichever subscription has room; none gets all the workers."""
    for subscription in random.sample(waiting, len(waiting)):
        if deliveries.in_flight(conn, subscription, now_us) < PER_ENDPOINT:
            claim = deliveries.claim(conn, subscription, now_us, LEASE_US)
            if claim is not None:
                return claim
    return None


def _send(channels: Channels, claim: Claim, now_us: int) -> Answer:
    """One call, outside any transaction; what breaks in it is an attempt that failed."""
    if now_us + _ATTEMPT_US > claim.lease_until_us:
        # We slept, or waited long for the store: somebody else may be at it by then, or past it.
        return Answer(Outcome.ABANDONED)
    try:
        return _call(channels, claim, now_us)
    except Exception:  # told, and tried again by the schedule
        log.exception("channel_failed", delivery=claim.delivery)
        return Answer(Outcome.FAULT)


def _call(channels: Channels, claim: Claim, now_us: int) -> Answer:
    target = orjson.loads(claim.channel)
    channel = channels.get(target.get("kind"))
    if channel is None:
        return Answer(Outcome.NO_CHANNEL)
    message = Message(claim.delivery, envelope(claim), now_us)
    return channel.send(target, secrets(claim, now_us), message)


def _finish(conn: Connection, done: _Done, now_us: int) -> None:
    """Write how the attempt ended and what follows; nothing follows if the lease was lost."""
    claim, answer = done.claim, done.answer
    ours = deliveries.finish_attempt(conn, claim, answer.outcome, answer.http_status, now_us)
    log.info(
        "attempt",
        delivery=claim.delivery,
        number=claim.number,
        outcome=answer.outcome,
        status=answer.http_status,
        ours=ours,
    )
    if not ours:
        return
    if answer.outcome is Outcome.DELIVERED:
        deliveries.mark_delivered(conn, claim.delivery, now_us)
        return
    if answer.outcome is Outcome.PARTLY:  # who took it would get it again with each attempt
        _give_up(conn, claim, answer, now_us)
        return
    if answer.outcome is Outcome.GONE:
        subscriptions.disable(conn, claim.subscription)
        _give_up(conn, claim, answer, now_us)
        return
    failed = claim.number - claim.forgiven
    wait = wait_s(claim.critical, failed, answer.retry_after_s, random.random())  # noqa: S311
    if wait is None:
        _give_up(conn, claim, answer, now_us)
    else:
        deliveries.postpone(conn, claim.delivery, now_us + round(wait * clock.SECOND_US))


def _give_up(conn: Connection, claim: Claim, answer: Answer, now_us: int) -> None:
    """Aloud: a dead letter, and an alert to operations in the same commit."""
    letter = deliveries.bury(conn, claim, answer.outcome, now_us)
    undelivered.tell(conn, claim.trial, claim.subscription, now_us)
    log.warning("gave_up", delivery=claim.delivery, letter=letter, outcome=answer.outcome)


class Crew:
    """Some threads that deliver: a slow receiver holds `PER_ENDPOINT` of them, never all.

    A wake-up brings one; each claim brings another, so that a burst is met by the whole crew.
    """

    def __init__(self, db: Database, channels: Channels, size: int = CREW) -> None:
        """Threads start with `start`."""
        self._db = db
        self._channels = channels
        self._bell = threading.Condition()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"deliver-{number}", daemon=True)
            for number in range(size)
        ]

    def start(self) -> None:
        """Begin; what is due already is found within a second."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something may be due."""
        with self._bell:
            self._bell.notify()

    def stop(self, timeout_s: float) -> None:
        """End after the attempts under way, or leave them to their leases after `timeout_s`."""
        with self._bell:
            self._stopping = True
            self._bell.notify_all()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))

    def _work(self) -> None:
        while not self._stopping:
            try:
                deliver(self._db, self._channels, claimed=self.wake)
            except Exception:
                # Mostly the store is away or locked: the leases and the next wake-up mend it.
                # Whatever it is, a thread that ended here would be missed by nobody.
                log.exception("deliver_failed")
            with self._bell:
                if not self._stopping:
                    self._bell.wait(POLL_S)
