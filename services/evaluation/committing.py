"""The commit of a step: the fence first, then everything that follows from it, in one transaction.

Who comes in: the loop. Who goes out: streams, decisions, alerts, contributions, suspension, audit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection

import rules
from services import alerting, audit
from services.database import Database, retrying
from services.evaluation import contributing
from services.evaluation.thinking import Thought
from services.repositories import steps, trials

_OWED = ("version", "since_us", "due_us")
_HOLD = ("id", "kind", "what", "since_us", "by", "reason", "subject")
_ACTOR = "evaluation"


@dataclass(slots=True)
class Committed:
    """What became of a group of thoughts."""

    events: int = 0
    steps: int = 0
    changes: int = 0  # of alerts
    again: list[int] = field(default_factory=list)  # streams that are still dirty, or were lost
    lost: set[int] = field(default_factory=set)  # streams that somebody else moved on
    rung: list[int] = field(default_factory=list)  # trials' streams that became dirty


def commit(db: Database, thoughts: Sequence[Thought], now_us: int) -> Committed:
    """Write what was thought, each stream behind its own fence; who lost the race is left out."""
    return retrying(lambda: _commit(db, thoughts, now_us))


def _commit(db: Database, thoughts: Sequence[Thought], now_us: int) -> Committed:
    done = Committed()
    with db.writing() as conn:
        won = [thought for thought in thoughts if _advance(conn, thought, done)]
        steps.record(conn, [row for thought in won for row in _decisions(thought, now_us)])
        applied = alerting.apply(conn, [_place(thought) for thought in won], now_us)
        steps.set_sequences(conn, applied.sequences)
        _audit(conn, applied, now_us)
        done.rung = contributing.contribute(conn, won, now_us)
        for thought in won:
            if thought.work.is_trial:
                _follow(conn, thought, now_us)
    done.steps = sum(len(thought.outcome.results) for thought in won)
    done.changes = applied.changes
    return done


def _advance(conn: Connection, thought: Thought, done: Committed) -> bool:
    work, outcome = thought.work, thought.outcome
    state = {
        "done_n": work.last_n,
        "state": outcome.state,
        "reached_us": outcome.reached_us,
        "next_due_us": outcome.next_due_us,
        "protocol_version": work.version,
        "engine_version": rules.ENGINE_VERSION,
        "status": outcome.status,
        "decision": outcome.decision,
        **standing(outcome),
    }
    passed_us = thought.passed_us if work.complete else None
    next_n = steps.advance(conn, work.head, state, site=_site(work.events), passed_us=passed_us)
    if next_n is None:
        done.again.append(work.head.id)
        done.lost.add(work.head.id)
        return False
    done.events += work.last_n - work.head.done_n
    if next_n > work.last_n:
        done.again.append(work.head.id)
    return True


def standing(outcome: rules.Outcome) -> dict[str, str | None]:
    """The versions that a stream stands under, and what it owes, as they are stored."""
    owed = None
    if outcome.owed is not None:
        owed = orjson.dumps(dict(zip(_OWED, outcome.owed, strict=True))).decode()
    return {
        "pinned_version": outcome.pinned_version,
        "criteria_version": outcome.criteria_version,
        "reconsent": owed,
        "clocks": orjson.dumps(outcome.clocks).decode() if outcome.clocks else None,
    }


def _site(events: Sequence[rules.Event]) -> str | None:
    """The site that the last enrolment event names, for lists and filters."""
    for event in reversed(events):
        if event.type == rules.EventType.ENROLMENT and event.data.get("site"):
            return str(event.data["site"])
    return None


def _decisions(thought: Thought, now_us: int) -> Iterator[dict[str, Any]]:
    """A row for each step."""
    work = thought.work
    common = {
        "stream_id": work.head.id,
        "protocol_version": work.version,
        "engine_version": rules.ENGINE_VERSION,
        "evaluated_us": now_us,
    }
    for result in thought.outcome.results:
        yield common | {
            "n": result.n,
            "due_us": result.due_us,
            "at_us": result.at_us,
            "decision": result.decision,
            "digest": result.digest,
            "changes": changes_json(work.head.trial, work.head.subject, result),
        }


def changes_json(trial: str, subject: str, result: rules.StepResult) -> str:
    """A step's changes of alerts as they are stored with the decision."""
    if not result.changes:
        return "[]"
    return orjson.dumps(
        [
            {
                "alert": alerting.alert_of(trial, subject, change),
                "change": change.change,
                "rule": change.rule,
                "key": change.key,
                "severity": change.severity,
                "because_of": change.because_of,
            }
            for change in result.changes
        ]
    ).decode()


def _place(thought: Thought) -> alerting.Place:
    head = thought.work.head
    return alerting.Place(
        stream=head.id,
        trial=head.trial,
        subject=head.subject,
        protocol_version=thought.work.version,
        sequence=head.alert_sequence,
        results=thought.outcome.results,
    )


def _audit(conn: Connection, applied: alerting.Applied, now_us: int) -> None:
    """What was opened and closed, on each stream's own chain."""
    for stream, told in sorted(applied.told.items()):
        entries = [(_ACTOR, f"alert.{kind}", alert, {"rule": rule}) for kind, alert, rule in told]
        audit.append_all(conn, audit.stream_chain(stream), now_us, entries)


def _follow(conn: Connection, thought: Thought, now_us: int) -> None:
    """The trial's row says which holds stand, in the commit of the step that began or lifted one.

    A person's that was asked for and is not folded yet stands too.
    """
    outcome, head = thought.outcome, thought.work.head
    if not outcome.turned or outcome.holds is None:
        return
    row = trials.lock(conn, head.trial)
    before = trials.standing(row)
    folded = {one.id for one in outcome.holds}
    standing = [_shape(one) for one in outcome.holds if one.until_us is None]
    person = rules.HoldKind.PERSON
    standing += [one for one in before if one["kind"] == person and one["id"] not in folded]
    trials.follow(conn, row, standing)
    known = {one["id"] for one in before}
    begun = [one for one in standing if one["id"] not in known and one["kind"] != person]
    if begun and row.status != trials.CLOSED:
        action = "trial.suspended" if row.status == trials.OPEN else "trial.held"
        detail = {"rule": begun[0]["by"], "holds": [one["id"] for one in begun]}
        audit.append(conn, audit.stream_chain(head.id), now_us, _ACTOR, action, head.trial, detail)


def _shape(hold: rules.TrialHold) -> dict[str, Any]:
    """A hold as the trial's row has it."""
    return {name: getattr(hold, name) for name in _HOLD}
