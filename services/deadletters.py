"""What people decide about dead letters: try again, or go on without.

Who comes in: the HTTP door with a person. Who goes out: the held stream, released; the delivery,
due again; the audit. Going on without an event takes two persons and an event that says so.
"""

from __future__ import annotations

import orjson
from sqlalchemy import Connection

import rules
from services import audit, clock, ids, sequencer
from services.broker import Broker
from services.database import Database, retrying
from services.errors import Conflict, NotFound
from services.repositories import deadletters, deliveries, events, steps, streams, trials
from services.repositories.deadletters import LetterRow
from services.telling import release_stream

# How long the first person's wish waits for a second person (contract §3).
WITHIN_US = 24 * 3600 * clock.SECOND_US


def requeue(db: Database, broker: Broker, letter: str, by: str, now_us: int) -> None:
    """Try again; again is without effect. Raises NotFound, and Conflict for what was discarded."""

    def once() -> LetterRow | None:
        with db.writing() as conn:
            row = _locked(conn, letter)
            if row.status == deadletters.DISCARDED:
                raise Conflict("It was discarded; the discard is part of the log.")
            if row.status == deadletters.REQUEUED:
                return None
            if row.kind == deadletters.EVENT:
                release_stream(conn, letter, stream_id=row.stream_id, by=by, now_us=now_us)
            else:
                deliveries.retry(conn, row.delivery, now_us)
            deadletters.close(conn, letter, deadletters.REQUEUED, by=by, now_us=now_us)
            _audit(conn, row, by, "dead_letter.requeued", now_us)
            return row

    _ring(db, broker, retrying(once))


def discard(
    db: Database, broker: Broker, letter: str, by: str, reason: str, now_us: int
) -> int | None:
    """Go on without it. None: it is so now; else until when the wish waits for a second person.

    Raises NotFound, and Conflict for the same person again, for a requeued letter, and where no
    event is to blame.
    """

    def once() -> tuple[LetterRow | None, int | None]:
        with db.writing() as conn:
            row = _locked(conn, letter)
            if row.status == deadletters.DISCARDED:
                return None, None
            if row.status != deadletters.OPEN:
                raise Conflict("It was requeued; there is nothing to discard.")
            until_us = _first_person(conn, row, by, reason, now_us)
            if until_us is not None:
                return None, until_us
            _without(conn, row, by, reason, now_us)
            deadletters.close(conn, letter, deadletters.DISCARDED, by=by, now_us=now_us)
            _audit(conn, row, by, "dead_letter.discarded", now_us)
            return row, None

    row, until_us = retrying(once)
    _ring(db, broker, row)
    return until_us


def _locked(conn: Connection, letter: str) -> LetterRow:
    """The letter with the locks of everything that it is about, in the order of the house."""
    row = deadletters.get(conn, letter)
    if row is None:
        raise NotFound("There is no such dead letter.")
    if row.stream_id is not None:
        streams.lock(conn, [row.stream_id])
    locked = deadletters.locked(conn, letter)
    assert locked is not None
    return locked


def _first_person(
    conn: Connection, row: LetterRow, by: str, reason: str, now_us: int
) -> int | None:
    """Until when the wish waits, if `by` is the first; None if another person wished it before."""
    wish = None if row.awaiting_second is None else orjson.loads(row.awaiting_second)
    if wish is not None and now_us < wish["at_us"] + WITHIN_US:
        if wish["by"] == by:
            raise Conflict("A second, different person must ask the same.")
        return None
    mine = {"by": by, "reason": reason, "at_us": now_us}
    deadletters.await_second(conn, row.id, orjson.dumps(mine).decode())
    _audit(conn, row, by, "dead_letter.discard_asked", now_us)
    return now_us + WITHIN_US


def _without(conn: Connection, row: LetterRow, by: str, reason: str, now_us: int) -> None:
    """Say in the log that the event does not count, and let the stream go on."""
    if row.kind == deadletters.DELIVERY:
        return
    stream = streams.get(conn, row.stream_id)
    assert stream is not None
    event = steps.event_at(conn, stream.id, row.n)
    if event is None or row.n <= stream.done_n:
        raise Conflict("No event is to blame, but passing time: mend the protocol and requeue.")
    trial = trials.get(conn, stream.trial)
    assert trial is not None
    at_us = trial.clock_us if trial.mode == trials.REPLAY else now_us
    made = events.OwnEvent(
        event=ids.derived("ev_", stream.trial, "discard", event),
        type=rules.EventType.DISCARD,
        time_us=at_us,
        data={"discards": event, "by": by, "reason": reason},
    )
    events.append_own(conn, stream, [made], at_us=at_us, now_us=now_us)
    steps.count_discard(conn, stream.id)
    release_stream(conn, row.id, stream_id=stream.id, by=by, now_us=now_us)


def _audit(conn: Connection, row: LetterRow, by: str, action: str, now_us: int) -> None:
    chain = audit.ADMIN if row.stream_id is None else audit.stream_chain(row.stream_id)
    audit.append(conn, chain, now_us, by, action, row.id, {"kind": row.kind})


def _ring(db: Database, broker: Broker, row: LetterRow | None) -> None:
    """After the commit: the stream may go on, and people hear of it."""
    if row is None:
        return
    told = sequencer.number_soon(db).deliveries
    if row.stream_id is not None:
        broker.ring_evaluate([row.stream_id])
    broker.ring_deliver([*told, *([row.delivery] if row.delivery else [])])
