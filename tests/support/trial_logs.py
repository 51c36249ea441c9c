"""Logs of a trial's own stream: contributions and what persons decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

import rules
from tests.support.step_logs import START, engine, event

HOUR = 3_600_000_000


def counts(
    rule: str,
    subject: str,
    *,
    evaluable: bool = True,
    happened: bool = True,
    since: int = 0,
    revision: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """A contribution's data; `since` in hours after START."""
    fields: dict[str, Any] = {"unit": "subject", **more}
    since_us = START + since * HOUR
    one = rules.Contribution(
        rule=rule,
        subject=subject,
        evaluable=evaluable,
        event=happened,
        since_us=since_us,
        at_us=START,
        revision=revision,
        **fields,
    )
    return {"type": "contribution", **one.as_data()}


def suspended(what: str = "enrolment", by: str = "one") -> dict[str, Any]:
    return {"type": "suspension", "what": what, "by": by, "reason": "to look"}


def resumed(*lifts: str) -> dict[str, Any]:
    return {
        "type": "resumption",
        "lifts": list(lifts),
        "by": ["one", "other"],
        "reasons": ["seen", "agreed"],
    }


def log_of(some: Iterable[dict[str, Any]]) -> list[rules.Event]:
    """Events 1, 2, 3 ... received an hour apart."""
    result = []
    for n, data in enumerate(some, 1):
        kind = data["type"]
        rest = {name: value for name, value in data.items() if name != "type"}
        received_us = START + n * HOUR
        result.append(event(n, kind, received_us, received_us, **rest))
    return result


def folded(
    log: Sequence[rules.Event], one: rules.Engine | None = None, state: bytes | None = None
) -> rules.Outcome:
    """The log's events after those that the state has."""
    done = 0 if state is None else rules_n(state)
    return (one or engine()).trial_steps("t", state, log[done:], lambda n: log[:n])


def rules_n(state: bytes) -> int:
    """How many events a state has."""

    return int(orjson.loads(state)[2])


def standing(outcome: rules.Outcome) -> list[tuple[str, str]]:
    """Kind and name of the holds that stand."""
    return [(one.kind, one.name) for one in outcome.holds or () if one.until_us is None]


def changes(outcome: rules.Outcome) -> list[tuple[int, str, str]]:
    return [(r.n, c.change.value, c.rule) for r in outcome.results for c in r.changes]
