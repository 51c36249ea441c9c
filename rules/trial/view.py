"""What a trial's state says to a person: the counts, and every stopping rule.

Who comes in: Engine's views. Who goes out: plain dicts with the contract's keys, times as text.
"""

from __future__ import annotations

from typing import Any

from rules.assessment import names_in
from rules.events import TrialHold
from rules.facts.calendar import iso
from rules.language.vocabulary import stopping_fact
from rules.model import StoppingRule
from rules.plan import Plan
from rules.stopping import table
from rules.sums import ENROLLED, INFUSED
from rules.terms import HoldKind, Scope
from rules.trial import during
from rules.trial.paths import path
from rules.trial.state import TrialState, loads, place


def counts_view(plan: Plan, data: bytes | None) -> dict[str, int]:
    """How many subjects are enrolled and infused: contributions that were not withdrawn."""
    state = loads(plan.version, data)
    return {
        rule: len({place(name)[0] for name, _ in state.standing(rule)})
        for rule in (ENROLLED, INFUSED)
    }


def stopping_view(plan: Plan, data: bytes | None) -> list[dict[str, Any]]:
    """Every stopping rule as contract section 3 shows it.

    `hold` is the one that stands because of the rule, or of an alert rule over its facts;
    `during_hold` names who was enrolled or infused during any that it began.
    """
    state = loads(plan.version, data)
    return [_rule_view(plan, rule, state) for rule in plan.definition.stopping]


def _rule_view(plan: Plan, rule: StoppingRule, state: TrialState) -> dict[str, Any]:
    found = path(rule, state)
    crossed_us = found.crossed_us
    holds = _holds(plan, rule, state)
    return {
        "id": rule.id,
        "title": rule.title,
        "method": rule.method,
        "evaluable": found.evaluable,
        "events": found.events,
        "pending": found.pending,
        "boundary": [{"evaluable": size, "stop_at": events} for size, events in rule.table],
        "path": [{**step, "at": iso(step["at"])} for step in found.steps],
        "crossed": found.crossed_at is not None,
        "crossed_at": None if crossed_us is None else iso(crossed_us),
        "crossed_step": found.crossed_at,
        "next_stop_at": table.stop_at(rule.table, found.evaluable + 1),
        "stop_if": []
        if crossed_us is not None
        else table.stop_if(rule.table, found.evaluable, found.events),
        "hold": next((hold_view(one) for one in holds if one.until_us is None), None),
        "holds": [hold_view(one) for one in holds],
        "during_hold": during.shown(state, holds),
    }


def _holds(plan: Plan, rule: StoppingRule, state: TrialState) -> list[TrialHold]:
    """The holds that the rule began, itself or through an alert rule over its facts."""
    stem = stopping_fact(rule.id, "")
    leaning = {
        one.id
        for one in plan.by_scope[Scope.TRIAL]
        if any(name.startswith(stem) for name in names_in(one.when))
    }
    by = {HoldKind.CROSSED.value: {rule.id}, HoldKind.RULE.value: leaning}
    return [
        TrialHold(**one) for one in state.holds if one["by"] in by.get(one["kind"], frozenset())
    ]


def hold_view(hold: TrialHold) -> dict[str, Any]:
    """A hold as people see it."""
    return {
        "id": hold.id,
        "kind": hold.kind,
        "what": hold.what,
        "since": iso(hold.since_us),
        "until": None if hold.until_us is None else iso(hold.until_us),
        "by": hold.by,
        "reason": hold.reason,
        "subject": hold.subject,
        "lifted": hold.lifted,
    }
