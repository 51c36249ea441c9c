"""Whether a subject is eligible, criterion by criterion, now or as it was known at any time.

Who comes in: GET .../eligibility. Who goes out: a stream's state or its log, and the engine that
judges them; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

import rules
from services.clock import iso
from services.reading import engines
from services.reading.pages import Json
from services.repositories import events, steps, streams, trials
from services.repositories.streams import StreamRow

View = Callable[[rules.Engine, Any], Json]  # of a state's bytes
ELIGIBLE, INDETERMINATE = rules.Decision.ELIGIBLE.value, rules.Decision.INDETERMINATE.value


def of_subject(
    conn: Connection,
    trial: str,
    subject: str,
    as_of_us: int | None,
    now_us: int,
    view: View = rules.Engine.view,
) -> Json | None:
    """Contract §3's answer; None if there is no such subject or nothing in force to judge by.

    Without `as_of_us`: the wall clock in a live trial, the trial's clock in a replay trial. `view`
    may be another of the engine's that holds a decision: the explanation, the worklist.
    """
    found = seen(conn, trial, subject, as_of_us, now_us, view)
    if found is None:
        return None
    body, stream, _ = found
    return {**body, "decision": _honest(body["decision"], held=stream.held)}


def seen(
    conn: Connection, trial: str, subject: str, as_of_us: int | None, now_us: int, view: View
) -> tuple[Json, StreamRow, int] | None:
    """A view of the subject as of an instant, with the stream it is of and that instant."""
    stream = streams.find(conn, trial, subject)
    row = trials.get(conn, trial)
    if stream is None or row is None:
        return None
    default_us = row.clock_us if row.mode == trials.REPLAY else now_us
    at_us = default_us if as_of_us is None else as_of_us
    known = None if as_of_us is None else events.received_until(conn, stream.id, as_of_us)
    received = stream.next_n if known is None else len(known)
    checklist = _checklist(conn, stream, at_us, known, view)
    if checklist is None:
        return None
    body = {
        **checklist,
        "trial": trial,
        "subject": subject,
        "as_of": iso(at_us),
        "pending": max(0, received - stream.done_n),
        "held": stream.held,
    }
    return body, stream, at_us


def _checklist(
    conn: Connection,
    stream: StreamRow,
    at_us: int,
    known: list[rules.Event] | None,
    view: View,
) -> Json | None:
    """The engine's view: of the stored state where it still stands, else of the log up to then."""
    if known is None and _stands(stream, at_us):
        engine = engines.of_version(conn, stream.trial, stream.protocol_version)
        return None if engine is None else view(engine, stream.state)
    engine = engines.at(conn, stream.trial, stream.id, at_us)
    if engine is None:
        return None
    log = known if known is not None else events.after(conn, stream.id, 0)
    began = steps.first_version(conn, stream.trial, stream.id)
    state = _folded(engine, stream, evaluated(conn, stream, log), at_us, began)
    return view(engine, state)


def _stands(stream: StreamRow, at_us: int) -> bool:
    """Whether time has changed nothing since the state was made, and this engine made it."""
    quiet = stream.next_due_us is None or stream.next_due_us > at_us
    own = stream.engine_version == rules.ENGINE_VERSION
    return bool(own and quiet and stream.state is not None and stream.reached_us <= at_us)


def evaluated(conn: Connection, stream: StreamRow, log: list[rules.Event]) -> list[rules.Event]:
    """The events that were evaluated; those that people took out keep their number, blank."""
    out = steps.discarded(conn, stream.id)
    done = [event for event in log if event.n <= stream.done_n]
    return [_blank(event) if event.event in out else event for event in done]


def _blank(event: rules.Event) -> rules.Event:
    return replace(event, type=rules.EventType.DISCARD, data={"discards": event.event})


def _folded(
    engine: rules.Engine,
    stream: StreamRow,
    log: list[rules.Event],
    at_us: int,
    began: str | None,
) -> bytes:
    """A state that is folded from the log up to `at_us`, and then forgotten."""
    outcome = engine.subject_steps(
        stream.trial,
        stream.subject,
        None,
        log,
        lambda n: [event for event in log if event.n <= n],
        at_us,
        began=began,
    )
    return outcome.state


def _honest(decision: str, *, held: bool) -> str:
    """While the stream is held, 'eligible' would leave out what waits."""
    return INDETERMINATE if held and decision == ELIGIBLE else decision
