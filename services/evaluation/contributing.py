"""What subjects count for in the trial: appended to the trial's own stream, once, in their commit.

Who comes in: a subject's commit; the sweep, for replay trials. Who goes out: the trial's stream.
In a replay trial contributions wait until every stream has reached their time: then the trial's
log has them in order of `at`, whoever evaluated what first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

import rules
from services import ids
from services.database import Database, retrying
from services.evaluation.thinking import Thought
from services.repositories import events, steps, streams, trials, waiting
from services.repositories.steps import Head

SOURCE = "vigil:contribution"


class Made(NamedTuple):
    """One contribution with the id that makes it happen once."""

    trial: str
    subject: str
    id: str  # sorts by subject, number, due instant
    event: str
    at_us: int
    since_us: int
    data: str


def contribute(conn: Connection, thoughts: Sequence[Thought], now_us: int) -> list[int]:
    """Append to the trials' streams, whose locks come last; those that were clean until now."""
    made = [(thought.work.head.mode, one) for thought in thoughts for one in of(thought)]
    waiting.add(conn, [one._asdict() for mode, one in made if mode == trials.REPLAY])
    live = [one for mode, one in made if mode != trials.REPLAY]
    if not live:
        return []
    rung: list[int] = []
    for head in steps.trial_streams(conn, {one.trial for one in live}):
        append(conn, head, [one for one in live if one.trial == head.trial], now_us)
        if head.next_n == head.done_n and not head.held:
            rung.append(head.id)
    return rung


def of(thought: Thought) -> Iterator[Made]:
    """The contributions of a subject's steps."""
    head = thought.work.head
    for result in thought.outcome.results:
        for one in result.contributions:
            yield made(head.trial, head.subject, result, one)


def made(trial: str, subject: str, result: rules.StepResult, one: rules.Contribution) -> Made:
    """A contribution under its derived id: stream, n, due instant, rule, unit."""
    own_id = f"{subject}:{result.n:010d}:{result.due_us:020d}:{one.rule}:{one.unit}"
    return Made(
        trial=trial,
        subject=subject,
        id=own_id,
        event=ids.event_id(trial, SOURCE, own_id),
        at_us=one.at_us,
        since_us=one.since_us,
        data=orjson.dumps(one.as_data(), option=orjson.OPT_SORT_KEYS).decode(),
    )


def append(conn: Connection, head: Head, some: Sequence[Made], now_us: int) -> None:
    """Number contributions into a trial's locked stream, received in order."""
    received_us, rows = head.last_received_us, []
    for n, one in enumerate(some, head.next_n + 1):
        received_us = max(received_us, one.at_us)
        rows.append(_row(head, one, n, received_us, now_us))
    events.append(conn, rows)
    last = {"stream": head.id, "n": head.next_n + len(rows), "received": received_us}
    streams.number(conn, [last])


def _row(head: Head, one: Made, n: int, received_us: int, now_us: int) -> events.NewEvent:
    own = one.subject == streams.TRIAL_SUBJECT  # a person's decision, not what a subject counts for
    return events.NewEvent(
        stream_id=head.id,
        n=n,
        event=one.event,
        trial=head.trial,
        subject=head.subject,
        source=events.SERVICE_SOURCE if own else SOURCE,
        id=one.event if own else one.id,
        type=one.id.partition(":")[0] if own else rules.EventType.CONTRIBUTION,
        time_us=one.since_us,
        timeprecision="second",
        recorded_us=None,
        received_us=received_us,
        stored_us=now_us,
        content="",
        data=one.data,
        by_key=None,
    )


def release(db: Database, trial: str, now_us: int) -> list[int]:
    """Number what waits in a replay trial up to the time that all its streams have reached.

    The trial's stream if it has something to do now. From here on nothing may be received at or
    before that time, which intake sees in `folded_us` under the trial row's lock.
    """

    def once() -> list[int]:
        with db.writing() as conn:
            (head,) = steps.trial_streams(conn, [trial])
            bound_us = _reached(conn, trials.lock(conn, trial))
            some = waiting.take(conn, trial, bound_us)
            if not some:
                return []
            append(conn, head, [_made(row) for row in some], now_us)
            trials.mark_folded(conn, trial, some[-1].at_us)
            return [] if head.held else [head.id]

    return retrying(once)


def _made(row: Any) -> Made:
    return Made(*(getattr(row, name) for name in Made._fields))


def _reached(conn: Connection, trial: trials.TrialRow) -> int:
    """The last instant about which every stream has said all.

    At the clock's own instant more may come, unless the clock was advanced there.
    """
    reached_us: int = max(trial.clock_us - 1, trial.advanced_us)
    behind_us = waiting.behind(conn, trial.id)
    return reached_us if behind_us is None else min(reached_us, behind_us - 1)
