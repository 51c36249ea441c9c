"""What may be done with a subscription that stands: test, new secret, send again.

Who comes in: the HTTP door. Who goes out: a channel, once, outside any transaction; the store; the
doorbell of delivery. All of it is in the audit.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from services import changes, clock, logs, sequencer
from services.broker import Broker
from services.channels import Answer, Channels, Message, Outcome
from services.database import Database, retrying
from services.errors import Busy, Conflict, NotFound
from services.repositories import deliveries
from services.repositories import subscriptions as stored
from services.repositories.subscriptions import SubscriptionRow
from services.subscriptions.making import record
from services.subscriptions.shapes import Json, new_secret, retired, shown, signing
from services.subscriptions.wishes import WEBHOOK, Owner, found, theirs

# So long a retired secret goes on signing (contract §5).
OVERLAP_US = 24 * 3600 * clock.SECOND_US
# As many signatures as any server takes in one header.
MOST_RETIRED = 20
# Each test may hold its request, and so a thread of the API, for as long as an attempt takes.
MOST_TESTS = 4
_tests = threading.BoundedSemaphore(MOST_TESTS)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Since:
    """From where on to send again: after a position, or from an instant."""

    position: int | None = None
    at_us: int = 0


def test(db: Database, channels: Channels, subscription: str, owner: Owner, now_us: int) -> Json:
    """Send one request of the real channel, now; it takes no position and changes nothing.

    On record before it is sent. Raises NotFound, Forbidden, Busy.
    """

    def write() -> SubscriptionRow:
        with db.writing() as conn:
            row = theirs(stored.get(conn, subscription), owner)
            record(conn, owner, "subscription.tested", subscription, now_us)
            return row

    if not _tests.acquire(blocking=False):
        raise Busy("other tests are under way; try again in a few seconds")
    try:
        row = retrying(write)
        began = time.monotonic()
        answer = _send(channels, row, now_us)
        took_ms = round((time.monotonic() - began) * 1000, 1)
    finally:
        _tests.release()
    said = {"outcome": answer.outcome, "http_status": answer.http_status, "took_ms": took_ms}
    return {**shown(row), "test": said}


def _send(channels: Channels, row: SubscriptionRow, now_us: int) -> Answer:
    target = orjson.loads(row.channel)
    channel = channels.get(target["kind"])
    if channel is None:
        return Answer(Outcome.NO_CHANNEL)
    body = {
        "type": "subscription.test",
        "timestamp": clock.iso(now_us),
        "position": row.last_position,
        "data": {"subscription": row.id, "name": row.name},
    }
    message = Message("te_" + secrets.token_hex(13), orjson.dumps(body), now_us)
    try:
        return channel.send(target, signing(row, now_us), message)
    except Exception:  # as in delivery: what breaks in a channel is an attempt that failed
        log.exception("channel_failed", subscription=row.id)
        return Answer(Outcome.FAULT)


def rotate(db: Database, subscription: str, owner: Owner, now_us: int) -> Json:
    """A new secret, shown in this answer alone; those before it sign for a day on.

    Raises NotFound, Forbidden; Conflict for e-mail, and for too many within a day.
    """
    secret = new_secret()

    def write() -> SubscriptionRow:
        with db.writing() as conn:
            row = theirs(stored.lock(conn, subscription), owner)
            stored.change(conn, subscription, _rotated(row, secret, now_us))
            record(conn, owner, "subscription.secret_rotated", subscription, now_us)
            return found(stored.get(conn, subscription))

    return {**shown(retrying(write)), "secret": secret}


def _rotated(row: SubscriptionRow, secret: str, now_us: int) -> Json:
    if orjson.loads(row.channel)["kind"] != WEBHOOK:
        raise Conflict("An e-mail is not signed: this subscription has no secret.")
    still = retired(row, now_us)
    if len(still) >= MOST_RETIRED:
        raise Conflict(f"{MOST_RETIRED} secrets were retired within a day; wait for one to end.")
    last = {"secret": row.secret, "until_us": now_us + OVERLAP_US}
    return {"secret": secret, "old_secrets": orjson.dumps([last, *still]).decode()}


def retry(
    db: Database, broker: Broker, subscription: str, delivery: str, owner: Owner, now_us: int
) -> None:
    """Send one delivery again, now, by a schedule that begins anew. Raises NotFound, Forbidden."""

    def write() -> None:
        with db.writing() as conn:
            theirs(stored.get(conn, subscription), owner)
            row = deliveries.get(conn, delivery)
            if row is None or row.subscription != subscription:
                raise NotFound("this subscription has no such delivery")
            if deliveries.retry(conn, delivery, now_us):
                record(conn, owner, "delivery.retried", delivery, now_us)

    retrying(write)
    broker.ring_deliver([delivery])


def replay(
    db: Database,
    broker: Broker,
    subscription: str,
    since: Since,
    owner: Owner,
    now_us: int,
) -> Json:
    """Send again what came after a position, or was written at an instant or later.

    The same ids, positions and bodies; the answer says how many. Since an instant, also what was
    not told while the subscription was disabled, or did not stand. Raises NotFound, Forbidden.
    """

    def write() -> tuple[SubscriptionRow, int]:
        with db.writing() as conn:
            row = theirs(stored.lock(conn, subscription), owner)
            after = _position(conn, row, since)
            sent = deliveries.replay(conn, subscription, after, now_us)
            if since.position is None:
                sent += changes.tell_missed(conn, row, since.at_us, now_us)
            detail = {"since": after, "deliveries": sent}
            record(conn, owner, "subscription.replayed", subscription, now_us, **detail)
            return row, sent

    row, sent = retrying(write)
    sequencer.number_soon(db)
    broker.ring_deliver([subscription])  # whatever is named, the crew looks at all that is due
    return {**shown(row), "replayed": sent}


def _position(conn: Connection, row: SubscriptionRow, since: Since) -> int:
    """The position after which to begin; the last one given where there is nothing since."""
    if since.position is not None:
        return since.position
    first = stored.first_position(conn, row.id, since.at_us)
    return int(row.last_position) if first is None else first - 1
