"""What a trial's state says to a person: the counts, and every stopping rule.

Who comes in: Engine's views. Who goes out: plain dicts with the contract's keys, times as text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rules.assessment import names_in
from rules.events import TrialHold
from rules.facts.calendar import iso
from rules.language.vocabulary import stopping_fact
from rules.model import StoppingRule
from rules.plan import Plan
from rules.show.stopping import parameters
from rules.stopping import table
from rules.stopping.bounds import boundary, characteristics
from rules.stopping.design import Design, Outcome
from rules.stopping.following import Measure
from rules.sums import ENROLLED, INFUSED
from rules.terms import HoldKind, Scope, WindowFrom
from rules.terms import Unit as RuleUnit
from rules.trial import during, repeating
from rules.trial.paths import Path, Unit, is_exposed, measure, path, window_us
from rules.trial.state import TrialState, loads, place

# Without a prior of its own a rule's prediction leans on none: Jeffreys' for a proportion.
_JEFFREYS = (0.5, 0.5)
_MOST_UNITS = 1000


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


def stopping_events(plan: Plan, data: bytes | None) -> dict[str, int]:
    """By stopping rule the events that count now, by term of a repeat the subjects."""
    state = loads(plan.version, data)
    events = {rule.id: path(rule, state).events for rule in plan.definition.stopping}
    return events | repeating.counted(plan, state)


def _rule_view(plan: Plan, rule: StoppingRule, state: TrialState) -> dict[str, Any]:
    found = path(rule, state)
    holds = _holds(plan, rule, state)
    return {
        **_plan_of(rule),
        **_place_of(found, state),
        **_ahead(found, state),
        "hold": next((hold_view(one) for one in holds if one.until_us is None), None),
        "holds": [hold_view(one) for one in holds],
        "during_hold": during.shown(state, holds),
    }


def _plan_of(rule: StoppingRule) -> dict[str, Any]:
    """What was planned, as the trial's data do not change it."""
    crossing = rule.crossing
    return {
        "id": rule.id,
        "title": rule.title,
        "method": rule.method,
        "outcome": rule.design.outcome.value,
        "unit": rule.unit.value,
        "window_days": rule.window_days,
        "window_from": rule.window_from.value,
        "evaluable_when": rule.evaluable.value,
        "pending_counts": rule.pending.value,
        "alpha": rule.design.alpha,
        "p0": rule.design.p0,
        "p1": rule.design.p1,
        "parameters": dict(parameters(rule.design)),
        "boundary": [{"evaluable": size, "stop_at": events} for size, events in rule.table],
        "exposure_boundary": [
            {"events": events, "max_exposure": most} for events, most in rule.exposure
        ],
        "crossing": None
        if crossing is None
        else {
            "hold": "none" if crossing.hold is None else crossing.hold.value,
            "notify": list(crossing.notify),
            "safety_board": crossing.safety_board,
        },
        "characteristics": [dict(row) for row in _characteristics(rule.design)],
    }


def _place_of(found: Path, state: TrialState) -> dict[str, Any]:
    """Where the trial stands on the way to the boundary."""
    crossed_us, exposed = found.crossed_us, is_exposed(found.rule)
    now = found.standing(max(state.at_us, state.reached_us)) if exposed else None
    tite = exposed and measure(found.rule) is Measure.EFFECTIVE
    return {
        "evaluable": found.evaluable,
        "events": found.events,
        "pending": found.pending,
        "effective": round(now.effective, 6) if now is not None and tite else None,
        "exposure_days": round(now.exposure_days, 6) if now is not None and not tite else None,
        "path": [{**step, "at": iso(step["at"])} for step in found.steps],
        "crossed": found.crossed_at is not None,
        "crossed_at": None if crossed_us is None else iso(crossed_us),
        "crossed_step": found.crossed_at,
        "pending_subjects": [_waits(found.rule, one) for one in found.waiting],
    }


def _waits(rule: StoppingRule, unit: Unit) -> dict[str, Any]:
    """A unit whose window is not over, and when it will be."""
    placed = rule.window_from is not WindowFrom.LAST_INFUSION or rule.unit is RuleUnit.INFUSION
    return {
        "subject": unit.subject,
        "unit": unit.name,
        "since": iso(unit.start_us),
        "evaluable_at": iso(unit.start_us + window_us(rule)) if placed else None,
    }


def _ahead(found: Path, state: TrialState) -> dict[str, Any]:
    """How near the boundary is."""
    rows, crossed = found.rule.table, found.crossed_at is not None
    now_us = max(state.at_us, state.reached_us)
    return {
        "next_stop_at": table.stop_at(rows, found.evaluable + 1),
        "stop_if": [] if crossed else table.stop_if(rows, found.evaluable, found.events),
        "distance": {
            "events_to_stop": found.events_to_stop(now_us),
            "margin": table.margin(rows, found.evaluable, found.events),
        },
        "predictive_probability": _predicted(found),
    }


def _predicted(found: Path) -> dict[str, Any] | None:
    """How likely the boundary is reached before the last look, given the data so far."""
    rule = found.rule
    if is_exposed(rule) or not rule.table:
        return None
    prior = rule.design.prior or _JEFFREYS
    last = max(size for size, _ in rule.table)
    if found.crossed_at is not None:
        value = 1.0
    else:
        from rules.stopping.prediction import crossing_probability  # noqa: PLC0415 - numpy

        value = crossing_probability(rule.table, found.evaluable, found.events, prior)
    return {"value": value, "prior": list(prior), "last_look": last}


@lru_cache(maxsize=256)
def _characteristics(design: Design) -> tuple[tuple[tuple[str, float], ...], ...]:
    """How the boundary behaves at true rates from 0.05 to 0.95, exactly; none of what is simulated.

    Nor of a boundary too long to be worked out while somebody waits.
    """
    if design.outcome is Outcome.TITE or design.n > _MOST_UNITS:
        return ()
    rates = {round(0.05 * k, 2) for k in range(1, 20)}
    rates |= {rate for rate in (design.p0, design.p1) if rate is not None}
    names = ("p", "reject", "expected_events", "expected_evaluable")
    return tuple(
        tuple((name, float(getattr(one, name))) for name in names)
        for one in characteristics(boundary(design), sorted(rates))
    )


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
