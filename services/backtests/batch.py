"""The batch: a backtest's parts are rows; whoever is free takes one, and the last one ends it.

Who comes in: doors, tasks and the sweep. Who goes out: the comparison of each stream. A part that
was begun and not ended is taken again once its claim has run out; doing it twice gives the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

import rules
from services import audit, clock, ids, logs, protocols, replay
from services.backtests.comparing import Comparison
from services.broker import Broker
from services.database import Database, retrying
from services.errors import NotFound
from services.repositories import backtests as stored
from services.repositories import protocols as versions
from services.repositories import streams, trials
from services.repositories.backtests import BacktestRow, PartRow

Json = dict[str, Any]
# A part is so many subjects at most, or subjects of so many events together.
SUBJECTS_A_PART = 20
_EVENTS_A_PART = 4000
CLAIM_US = 60 * clock.SECOND_US
# A part that so many workers could not end has perhaps killed them.
MOST_ATTEMPTS = 4
_LISTS = ("would_fire", "would_not_fire", "changed")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What one call did."""

    subjects: int = 0
    more: bool = False  # whether other parts wait


def make(db: Database, trial: str, version: str, by: str, now_us: int) -> BacktestRow:
    """A backtest of a stored version over the log as it is now; one over the same log is found.

    Raises NotFound for an unknown trial or version.
    """

    def store() -> BacktestRow:
        with db.writing() as conn:
            row = _version(conn, trial, version)
            heads = _heads(conn, trial)
            seen = hashlib.sha256(orjson.dumps(heads)).hexdigest()
            known = stored.alike(conn, trial, row.digest, seen)
            if known is not None:
                return known
            made = ids.derived("bt_", trial, row.digest, seen, now_us)
            values = {
                "id": made,
                "trial": trial,
                "version": version,
                "digest": row.digest,
                "log": seen,
                "total": len(heads) - 1,
                "created_us": now_us,
                "created_by": by,
            }
            stored.add(conn, values, list(_parts(heads)))
            detail = {"version": version, "backtest": made}
            audit.append(conn, audit.ADMIN, now_us, by, "protocol.backtested", trial, detail)
            found = stored.get(conn, made)
            assert found is not None
            return found

    return retrying(store)


def _version(conn: Connection, trial: str, version: str) -> versions.VersionRow:
    if trials.get(conn, trial) is None:
        raise NotFound("there is no such trial; GET /v1/trials lists them")
    row = versions.get(conn, trial, version)
    if row is None:
        raise NotFound("the trial has no such version; GET .../protocols lists them")
    return row


def _heads(conn: Connection, trial: str) -> list[list[Any]]:
    """[stream, last evaluated event, reached, subject]: subjects by name, the trial's own last."""
    heads = [
        [row.id, row.done_n, row.reached_us, row.subject] for row in streams.of_trial(conn, trial)
    ]
    return sorted(heads, key=lambda head: (head[3] == streams.TRIAL_SUBJECT, head[3]))


def _parts(heads: Sequence[list[Any]]) -> Iterator[Json]:
    """Subjects in chunks; the last part is the trial's own stream."""
    chunk: list[list[Any]] = []
    number = 0
    for head in heads[:-1]:
        events = sum(one[1] for one in chunk)
        if chunk and (len(chunk) == SUBJECTS_A_PART or events + head[1] > _EVENTS_A_PART):
            yield {"number": number, "streams": orjson.dumps(chunk).decode()}
            chunk, number = [], number + 1
        chunk.append(head)
    if chunk:
        yield {"number": number, "streams": orjson.dumps(chunk).decode()}
        number += 1
    # Of no subject: the trial's own stream is compared when all the others are known.
    yield {"number": number, "streams": orjson.dumps(list(heads[-1:])).decode()}


def work_off(
    db: Database, broker: Broker, now_us: int, backtest: str | None = None, claim_us: int = CLAIM_US
) -> Work:
    """Take one part that waits, of this backtest or of any; and end what is over.

    Whoever rings is not kept long: with more to do the bell is rung once more.
    """
    done = _one(db, now_us, backtest, claim_us)
    for ended in _ended(db):
        _end(db, ended)
    if done.more and backtest is not None:
        broker.ring_maintenance([backtest])
    return done


def _one(db: Database, now_us: int, backtest: str | None, claim_us: int) -> Work:
    def once() -> PartRow | None:
        with db.writing() as conn:
            return stored.claim(conn, now_us, now_us + claim_us, backtest)

    part = None if not _something_waits(db, now_us, backtest) else retrying(once)
    if part is None:
        return Work()
    if part.attempts > MOST_ATTEMPTS:
        _store(db, part, stored.FAILED, [])
        return Work(more=True)
    with replay.snapshot(db) as conn:
        row = stored.get(conn, part.backtest)
        assert row is not None
        version = versions.get(conn, row.trial, row.version)
        assert version is not None
        found = compare(conn, Comparison(db, row.trial, protocols.compiled(version)), part.streams)
    _store(db, part, stored.DONE, found)
    return Work(subjects=len(found), more=True)


def _something_waits(db: Database, now_us: int, backtest: str | None) -> bool:
    """A look that writes nothing: the sweep asks every second."""
    with db.reading() as conn:
        return stored.something_waits(conn, now_us, backtest)


def compare(conn: Connection, comparison: Comparison, heads: str) -> list[Json]:
    """Each subject of a part."""
    found = []
    for stream_id, upto, reached_us, subject in orjson.loads(heads):
        if subject == streams.TRIAL_SUBJECT:
            continue
        stream = streams.get(conn, stream_id)
        assert stream is not None
        found.append(comparison.subject(conn, stream, upto, reached_us))
    return found


def _store(db: Database, part: PartRow, status: str, found: list[Json]) -> None:
    """Write a part's end; whoever was slower than its claim writes nothing."""

    def once() -> bool:
        with db.writing() as conn:
            result = orjson.dumps(found).decode()
            return stored.finish(conn, part, status, result, len(found))

    if not retrying(once):
        log.warning("a part of a backtest was taken by somebody else", backtest=part.backtest)


def _ended(db: Database) -> list[str]:
    with db.reading() as conn:
        return stored.ended(conn)


def _end(db: Database, backtest: str) -> None:
    """The trial's own stream, the totals, and the end; whoever comes second changes nothing."""
    with replay.snapshot(db) as conn:
        row = stored.get(conn, backtest)
        assert row is not None
        version = versions.get(conn, row.trial, row.version)
        assert version is not None
        parts = stored.parts(conn, backtest)
        if row.status != stored.RUNNING:
            return
        subjects = [one for part in parts for one in orjson.loads(part.result or "[]")]
        comparison = Comparison(db, row.trial, protocols.compiled(version))
        result = finished(conn, comparison, subjects, _own_head(parts[-1]))
    failed = any(part.status == stored.FAILED for part in parts) or result["totals"]["errors"]
    status = stored.FAILED if failed else stored.FINISHED
    text = orjson.dumps(result).decode()

    def once() -> bool:
        with db.writing() as conn:
            return stored.end(conn, backtest, status, text, clock.now_us())

    retrying(once)


def _own_head(part: PartRow) -> tuple[int, int]:
    """How far the trial's own stream went when the backtest was made."""
    ((_, upto, reached_us, _),) = orjson.loads(part.streams)
    return upto, reached_us


def finished(
    conn: Connection, comparison: Comparison, subjects: list[Json], own: tuple[int, int]
) -> Json:
    """The result of all subjects' comparisons: those that differ, the trial, and totals."""
    counted = [one for subject in subjects for one in subject.pop("counted", ())]
    whole = comparison.whole(conn, *own, counted)
    everything = [*subjects, whole]
    differing = [one for one in subjects if one.get("error") or _differs(one)]
    return {
        "totals": {
            "subjects": len(subjects),
            "subjects_that_differ": len(differing),
            "decisions": sum(_decides_otherwise(one) for one in subjects),
            **{name: sum(len(one.get(name, ())) for one in everything) for name in _LISTS},
            "errors": sum("error" in one for one in everything),
        },
        "subjects": differing,
        "trial": whole if whole.get("error") or _differs(whole) else None,
    }


def _differs(one: Json) -> bool:
    return bool(one.get("decision")) or any(one.get(name) for name in _LISTS)


def _decides_otherwise(one: Json) -> bool:
    decision = one.get("decision")
    return decision is not None and decision["before"] != decision["after"]


def at_once(
    db: Database,
    trial: str,
    proposed: rules.Protocol,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Json:
    """The same in this process, without rows: for a file that need not be drafted.

    `tell` hears how many subjects of how many are done. Raises NotFound for an unknown trial.
    """
    comparison = Comparison(db, trial, proposed)
    with replay.snapshot(db) as conn:
        if trials.get(conn, trial) is None:
            raise NotFound("there is no such trial; GET /v1/trials lists them")
        heads = _heads(conn, trial)
        subjects: list[Json] = []
        for part in _parts(heads):
            subjects += compare(conn, comparison, part["streams"])
            tell(len(subjects), len(heads) - 1)
        return finished(conn, comparison, subjects, (heads[-1][1], heads[-1][2]))
