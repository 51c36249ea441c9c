"""Holding a trial and letting it go on: one person may hold it, two together lift what stands.

Who comes in: the HTTP door with a person. Who goes out: the trial's own log, where both are events,
its row, and the audit, all in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

import rules
from services import audit, ids
from services.database import Database, retrying
from services.errors import Conflict, NotFound
from services.repositories import events, streams, trials, waiting
from services.repositories.streams import StreamRow
from services.repositories.trials import TrialRow

# How long the first person's wish waits for a second person (contract §3).
WITHIN_US = 24 * 3600 * 1_000_000
ENROLMENT, TRIAL = "enrolment", "trial"
_RESUME = "resume"


class Asked(NamedTuple):
    """What came of it. `until_us`: the wish waits till then; None: it is so now."""

    until_us: int | None = None
    dirty: tuple[int, ...] = ()  # streams to be evaluated


def suspend(db: Database, trial: str, what: str, by: str, reason: str, now_us: int) -> Asked:
    """Hold enrolment, or the whole trial. One person is enough; asked again nothing changes.

    Raises NotFound, and Conflict for a closed trial.
    """

    def store() -> Asked:
        with db.writing() as conn:
            stream, row = _locked(conn, trial)
            standing = trials.standing(row)
            if any(_keeps(one, what) for one in standing):
                return Asked()
            at_us = row.clock_us if row.mode == trials.REPLAY else now_us
            data = {"what": what, "by": by, "reason": reason}
            event = _append(conn, stream, row, rules.EventType.SUSPENSION, data, at_us, now_us)
            hold = {
                "id": event,
                "kind": rules.HoldKind.PERSON.value,
                "what": what,
                "since_us": at_us,
                "by": by,
                "reason": reason,
            }
            trials.follow(conn, row, [*standing, hold])
            said = {"reason": reason, "what": what, "hold": event}
            audit.append(conn, audit.ADMIN, now_us, by, "trial.suspend.done", trial, said)
            return Asked(dirty=_dirty(stream, row))

    return retrying(store)


def resume(
    db: Database,
    trial: str,
    by: str,
    reason: str,
    now_us: int,
    known: Mapping[str, int] | None = None,
) -> Asked:
    """Lift the holds that stood when the first of two different persons asked.

    What began since then stands. `known`: by stopping rule, the events counted when this person
    looked; those that came after the first one's look hold the trial again, for only one of the two
    knew of them (None: whatever counts when it is lifted). Raises NotFound, and Conflict for the
    same person again and for a closed trial.
    """

    def store() -> Asked:
        with db.writing() as conn:
            stream, row = _locked(conn, trial)
            standing = trials.standing(row)
            if not standing:
                return Asked()
            first = _first(row, now_us)
            if first is None:
                _ask(conn, row, [one["id"] for one in standing], known, by, reason, now_us)
                return Asked(now_us + WITHIN_US)
            if first["by"] == by:
                raise Conflict("A different person must ask the same; you have asked already.")
            lifts = first.get("lifts") or [one["id"] for one in standing]
            persons = {"by": [first["by"], by], "reasons": [first["reason"], reason]}
            at_us = row.clock_us if row.mode == trials.REPLAY else now_us
            data = {"lifts": lifts, "known": first.get("known"), **persons}
            _append(conn, stream, row, rules.EventType.RESUMPTION, data, at_us, now_us)
            left = [one for one in standing if one["id"] not in lifts]
            trials.change(conn, row.id, awaiting_second=None)
            trials.follow(conn, row, left)
            said = {"reason": reason, "first": first["by"], "lifts": lifts}
            audit.append(conn, audit.ADMIN, now_us, by, "trial.resume.done", row.id, said)
            return Asked(dirty=_dirty(stream, row))

    return retrying(store)


def _keeps(hold: Mapping[str, Any], what: str) -> bool:
    """Whether a person holds as much already."""
    return hold["kind"] == rules.HoldKind.PERSON.value and hold["what"] in {what, TRIAL}


def _ask(
    conn: Connection,
    row: TrialRow,
    lifts: Sequence[str],
    known: Mapping[str, int] | None,
    by: str,
    reason: str,
    now_us: int,
) -> None:
    """Keep the first person's wish, what it is about, and what could be known then."""
    asked = {
        "action": _RESUME,
        "by": by,
        "reason": reason,
        "at_us": now_us,
        "lifts": lifts,
        "known": known,
    }
    trials.change(conn, row.id, awaiting_second=orjson.dumps(asked).decode())
    said = {"reason": reason, "lifts": lifts}
    audit.append(conn, audit.ADMIN, now_us, by, "trial.resume.asked", row.id, said)


def _first(row: TrialRow, now_us: int) -> dict[str, Any] | None:
    """The first person's wish, if it still counts."""
    first: dict[str, Any] | None = orjson.loads(row.awaiting_second or "null")
    if first is None or first["action"] != _RESUME or now_us >= first["at_us"] + WITHIN_US:
        return None
    return first


def _append(
    conn: Connection,
    stream: StreamRow,
    row: TrialRow,
    kind: rules.EventType,
    data: Mapping[str, Any],
    at_us: int,
    now_us: int,
) -> str:
    """Put a decision into the trial's log; in a replay trial it waits for its place in time."""
    event = ids.derived("ev_", row.id, kind, str(data["by"]), now_us, stream.next_n)
    if row.mode != trials.REPLAY:
        made = events.OwnEvent(event, kind, at_us, data)
        events.append_own(conn, stream, [made], at_us=at_us, now_us=now_us)
        return event
    waits = {
        "event": event,
        "trial": row.id,
        "at_us": at_us,
        "subject": streams.TRIAL_SUBJECT,
        "id": f"{kind}:{event}",
        "since_us": at_us,
        "data": orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode(),
    }
    waiting.add(conn, [waits])
    return event


def _dirty(stream: StreamRow, row: TrialRow) -> tuple[int, ...]:
    """The trial's stream, if it was clean and has something to do now."""
    idle = stream.next_n == stream.done_n and not stream.held and row.mode != trials.REPLAY
    return (stream.id,) if idle else ()


def _locked(conn: Connection, trial: str) -> tuple[StreamRow, TrialRow]:
    """The trial's own stream and its row, locked in this order. Raises NotFound."""
    found = streams.find(conn, trial, streams.TRIAL_SUBJECT)
    if found is None:
        raise NotFound("There is no such trial.")
    (stream,) = streams.lock(conn, [found.id])
    row = trials.lock(conn, trial)
    if row.status == trials.CLOSED:
        raise Conflict("The trial is closed.")
    return stream, row
