"""The log alone, folded again: what it says, and whether what is stored says the same.

Who comes in: `vigil replay`, tests. Who goes out: the store, read in one snapshot, and rules. It
may run beside a live service: each stream is compared up to its `done_n`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import Connection

import rules
from services import alerting, ids
from services.database import Database
from services.errors import NotFound
from services.evaluation import contributing
from services.evaluation.committing import changes_json, standing
from services.evaluation.thinking import ENGINES
from services.evaluation.work import without
from services.repositories import alerts, decisions, events, steps, streams, trials, waiting
from services.repositories.alerts import AlertRow
from services.repositories.streams import StreamRow
from services.telling import HELD_RULE, Rows
from services.undelivered import UNDELIVERED_RULE

# What the service says of itself does not follow from the log.
_OF_OPERATIONS = frozenset({HELD_RULE, UNDELIVERED_RULE})
# What a person may have changed, or what only counts, is not derived from the log.
_COMPARED = (
    *("rule", "key", "category", "severity", "title", "detail", "action", "source_text"),
    *("evidence", "occurred_us", "opened_us", "still_true", "protocol_version"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the store and the log disagree; texts name columns and hashes, no values."""

    subject: str
    what: str  # event | decision | alert | state | contribution | log (it cannot be folded)
    which: str  # n and due instant, or an id
    reason: str
    engine_version: int | None = None


@dataclass(slots=True)
class Report:
    """What was compared; differences with another engine version's work stand apart."""

    streams: int = 0
    decisions: int = 0
    alerts: int = 0
    differences: list[Difference] = field(default_factory=list)
    of_other_engines: list[Difference] = field(default_factory=list)


@dataclass(slots=True)
class Rebuilt:
    """One stream as the log alone tells it."""

    stream: StreamRow
    outcome: rules.Outcome | None  # of the last span; None without events
    version: str | None
    results: list[rules.StepResult] = field(default_factory=list)
    versions: dict[tuple[int, int], str] = field(default_factory=dict)  # of each (n, due)
    alerts: dict[str, AlertRow] = field(default_factory=dict)


def rebuild(db: Database, trial: str, as_of_us: int | None = None) -> Iterator[Rebuilt]:
    """Every stream of a trial, folded from its log in one snapshot; up to `as_of_us` if given.

    Raises NotFound for an unknown trial.
    """
    with snapshot(db) as conn:
        for stream in _streams(conn, trial):
            log = events.after(conn, stream.id, 0, until=stream.done_n)
            reached_us = stream.reached_us
            if as_of_us is not None:
                log = [event for event in log if event.received_us <= as_of_us]
                reached_us = as_of_us
            yield _fold(db, conn, stream, log, reached_us)


def verify(db: Database, trial: str) -> Report:
    """Compare what is stored of a trial with what its log says. Raises NotFound."""
    report = Report()
    with snapshot(db) as conn:
        made: dict[str, contributing.Made] = {}
        for stream in _streams(conn, trial):
            log = events.after(conn, stream.id, 0, until=stream.done_n)
            report.streams += 1
            report.differences += _events(conn, stream)
            try:
                rebuilt = _fold(db, conn, stream, log, stream.reached_us)
            except rules.RuleError as error:
                which, reason = f"up to {stream.done_n}", type(error).__name__
                report.differences.append(Difference(stream.subject, "log", which, reason))
                continue
            for difference in _differences(conn, rebuilt, report):
                own = difference.engine_version in {None, rules.ENGINE_VERSION}
                (report.differences if own else report.of_other_engines).append(difference)
            made |= {one.event: one for one in _made(rebuilt)}
        report.differences += _contributions(conn, trial, made)
    return report


@contextmanager
def snapshot(db: Database) -> Iterator[Connection]:
    """One snapshot that PostgreSQL does not take for forgotten while a long stream is folded."""
    with db.reading() as conn:
        if db.dialect == "postgresql":
            conn.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield conn


def fold(
    db: Database, conn: Connection, stream: StreamRow, upto: int, reached_us: int
) -> tuple[Rebuilt, Sequence[rules.Event]]:
    """One stream up to event `upto`, under the versions that were in force; and its log."""
    log = events.after(conn, stream.id, 0, until=upto)
    rebuilt = _fold(db, conn, stream, log, reached_us)
    excluded = steps.discarded(conn, stream.id) if stream.discards else frozenset()
    return rebuilt, without(log, excluded)


def suppose(
    engine: rules.Engine, stream: StreamRow, log: Sequence[rules.Event], reached_us: int
) -> Rebuilt:
    """One stream as if this engine's version had been in force throughout.

    What told of other versions keeps its number and says nothing.
    """
    quiet = [
        replace(event, type=rules.EventType.CONTRIBUTION.value, data={})
        if event.type == rules.EventType.ACTIVATION
        else event
        for event in log
    ]
    version = engine.protocol.version
    rebuilt = Rebuilt(stream, None, version)
    if not quiet:
        return rebuilt
    rows, applied = Rows({}), alerting.Applied()
    if stream.subject == streams.TRIAL_SUBJECT:
        outcome = engine.trial_steps(stream.trial, None, quiet, lambda n: quiet[:n], reached_us)
    else:
        outcome = engine.subject_steps(
            stream.trial, stream.subject, None, quiet, lambda n: quiet[:n], reached_us
        )
    rebuilt.outcome, rebuilt.results = outcome, list(outcome.results)
    alerting.walk(rows, _place(stream, version, outcome.results), applied)
    rebuilt.alerts = rows.rows
    return rebuilt


def _made(rebuilt: Rebuilt) -> Iterator[contributing.Made]:
    """What the steps of a stream count for in the trial."""
    for result in rebuilt.results:
        for one in result.contributions:
            yield contributing.made(rebuilt.stream.trial, rebuilt.stream.subject, result, one)


def _streams(conn: Connection, trial: str) -> list[StreamRow]:
    """Every stream of a trial, its state among the columns."""
    if trials.get(conn, trial) is None:
        raise NotFound("There is no such trial.")
    heads = streams.of_trial(conn, trial)
    return [row for head in heads if (row := streams.get(conn, head.id)) is not None]


def _fold(
    db: Database, conn: Connection, stream: StreamRow, log: Sequence[rules.Event], reached_us: int
) -> Rebuilt:
    """The log in spans of one protocol version each, as evaluation folds it."""
    excluded = steps.discarded(conn, stream.id) if stream.discards else frozenset()
    whole = without(log, excluded)
    rebuilt = Rebuilt(stream, None, None)
    rows, applied = Rows({}), alerting.Applied()
    for span, until_us in _spans(whole, reached_us):
        first = span[0].type == rules.EventType.ACTIVATION
        version = (
            str(span[0].data["version"])
            if first
            else steps.first_version(conn, stream.trial, stream.id)
        )
        if version is None:
            break
        outcome = _steps(db, rebuilt, version, span, whole, until_us)
        rebuilt.outcome, rebuilt.version = outcome, version
        rebuilt.results += outcome.results
        rebuilt.versions |= {(one.n, one.due_us): version for one in outcome.results}
        alerting.walk(rows, _place(stream, version, outcome.results), applied)
    rebuilt.alerts = rows.rows
    return rebuilt


def _spans(
    whole: Sequence[rules.Event], reached_us: int
) -> Iterator[tuple[Sequence[rules.Event], int]]:
    """Events up to the next activation, and how far time passes after them."""
    if not whole:  # nothing of this stream was evaluated yet
        return
    starts = [
        place
        for place, event in enumerate(whole)
        if place == 0 or event.type == rules.EventType.ACTIVATION
    ]
    for start, end in zip(starts, [*starts[1:], len(whole)], strict=True):
        until_us = whole[end].received_us if end < len(whole) else reached_us
        yield whole[start:end], until_us


def _steps(
    db: Database,
    rebuilt: Rebuilt,
    version: str,
    span: Sequence[rules.Event],
    whole: Sequence[rules.Event],
    until_us: int,
) -> rules.Outcome:
    stream = rebuilt.stream
    state = None if rebuilt.outcome is None else rebuilt.outcome.state
    engine = ENGINES.get(db, stream.trial, version)
    with ENGINES.lock:
        if stream.subject == streams.TRIAL_SUBJECT:
            return engine.trial_steps(stream.trial, state, span, lambda n: whole[:n], until_us)
        return engine.subject_steps(
            stream.trial,
            stream.subject,
            state,
            span,
            lambda n: whole[:n],
            until_us,
            began=version,
        )


def _place(stream: StreamRow, version: str, results: Sequence[rules.StepResult]) -> alerting.Place:
    return alerting.Place(stream.id, stream.trial, stream.subject, version, 0, results)


def _events(conn: Connection, stream: StreamRow) -> Iterator[Difference]:
    """What was published is still what its id and its content's hash say.

    An old value that weighs no more changes no decision, and so is seen here alone. Of a correction
    the data are stored in its target's form, after the hash was made.
    """
    for row in events.rows_of(conn, stream.id):
        if row.by_key is None:
            continue
        wrong = []
        if row.event != ids.event_id(row.trial, row.source, row.id):
            wrong.append("id")
        as_sent = row.type != rules.EventType.CORRECTION
        content = ids.content_hash(row.type, row.subject, row.time_us, row.data)
        if as_sent and row.content != content:
            wrong.append("content")
        if (row.trial, row.subject) != (stream.trial, stream.subject):
            wrong.append("stream")
        if wrong:
            yield Difference(stream.subject, "event", row.event, f"differs in {', '.join(wrong)}")


def _differences(conn: Connection, rebuilt: Rebuilt, report: Report) -> Iterator[Difference]:
    yield from _decisions(conn, rebuilt, report)
    yield from _alerts(conn, rebuilt, report)
    yield from _state(rebuilt)


def _decisions(conn: Connection, rebuilt: Rebuilt, report: Report) -> Iterator[Difference]:
    """Every step, by number and due instant: when, under which version, with which digest."""
    stream = rebuilt.stream
    stored = {(row.n, row.due_us): row for row in decisions.of_stream(conn, stream.id)}
    report.decisions += len(stored)
    for result in rebuilt.results:
        place = (result.n, result.due_us)
        row = stored.pop(place, None)
        if row is None:
            yield Difference(stream.subject, "decision", _name(place), "is not stored")
            continue
        said = {
            "at_us": result.at_us,
            "decision": result.decision,
            "digest": result.digest,
            "changes": changes_json(stream.trial, stream.subject, result),
            "protocol_version": rebuilt.versions[place],
        }
        wrong = [name for name, value in said.items() if getattr(row, name) != value]
        if wrong:
            reason = f"differs in {', '.join(wrong)}"
            engine = row.engine_version
            yield Difference(stream.subject, "decision", _name(place), reason, engine)
    for place, row in sorted(stored.items()):
        reason = "does not follow from the log"
        yield Difference(stream.subject, "decision", _name(place), reason, row.engine_version)


def _name(place: tuple[int, int]) -> str:
    n, due_us = place
    return f"{n}" if not due_us else f"{n}, due {due_us}"


def _alerts(conn: Connection, rebuilt: Rebuilt, report: Report) -> Iterator[Difference]:
    subject = rebuilt.stream.subject
    stored = {
        row["id"]: row
        for row in alerts.of_stream(conn, rebuilt.stream.id)
        if row["rule"] not in _OF_OPERATIONS
    }
    report.alerts += len(stored)
    yield from _histories(conn, rebuilt.stream)
    for alert, row in sorted(rebuilt.alerts.items()):
        known = stored.pop(alert, None)
        if known is None:
            yield Difference(subject, "alert", alert, "is not stored")
            continue
        wrong = [name for name in _COMPARED if known[name] != row[name]]
        if known["explanation"] not in {None, row["explanation"]}:  # none was kept before 0004
            wrong.append("explanation")
        if _standing(known) not in {None, _standing(row)}:
            wrong.append("status")
        if wrong:
            yield Difference(subject, "alert", alert, f"differs in {', '.join(wrong)}")
    for alert in sorted(stored):
        yield Difference(subject, "alert", alert, "does not follow from the log")


def _histories(conn: Connection, stream: StreamRow) -> Iterator[Difference]:
    """The log of each alert is whole, and ends with the alert as it is."""
    said = alerts.last_said(conn, stream.id)
    for row in alerts.of_stream(conn, stream.id):
        as_it_is = (row["changes"], orjson.dumps(alerts.as_contract(row)).decode())
        if said.get(row["id"]) != as_it_is:
            yield Difference(stream.subject, "alert", row["id"], "differs from its history")


def _standing(row: dict[str, Any]) -> bool | None:
    """Whether the alert stands; None where a person ended it."""
    if row["status"] != "resolved":
        return True
    return None if '"manual"' in row["resolution"] else False


def _state(rebuilt: Rebuilt) -> Iterator[Difference]:
    stream, outcome = rebuilt.stream, rebuilt.outcome
    if outcome is None or stream.engine_version != rules.ENGINE_VERSION:
        return
    said = {
        "state": outcome.state,
        "next_due_us": outcome.next_due_us,
        "status": outcome.status,
        "decision": outcome.decision,
        "protocol_version": rebuilt.version,
        **standing(outcome),
    }
    wrong = [name for name, value in said.items() if getattr(stream, name) != value]
    if wrong:
        which = f"after {stream.done_n}"
        yield Difference(stream.subject, "state", which, f"differs in {', '.join(wrong)}")


def _contributions(
    conn: Connection, trial: str, made: dict[str, contributing.Made]
) -> Iterator[Difference]:
    """What subjects count for must stand in the trial's log, or wait for it, exactly once."""
    own = streams.find(conn, trial, streams.TRIAL_SUBJECT)
    assert own is not None
    stored = {
        row.event: row.data
        for row in events.rows_of(conn, own.id)
        if row.type == rules.EventType.CONTRIBUTION
    }
    stored |= {
        row.event: row.data
        for row in waiting.of_trial(conn, trial)
        if row.subject != streams.TRIAL_SUBJECT
    }
    for event, one in sorted(made.items()):
        if stored.pop(event, None) != one.data:
            yield Difference(one.subject, "contribution", one.id, "is not stored as it follows")
    for event in sorted(stored):
        yield Difference("*", "contribution", event, "does not follow from the log")
