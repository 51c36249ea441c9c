"""What a state says to a person: the gate before the next infusion, and when that is due.

Who comes in: Engine.gate. Who goes out: plain dicts, times as text.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from rules.facts import entities, visits
from rules.facts.calendar import DAY, Span, iso
from rules.gates import Gates
from rules.gating import Asked, Stood
from rules.model import Criterion, Definition, Visit
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import said
from rules.views.checklist import judged_now, told


def gate(plan: Plan, state: SubjectState, find: Callable[[str], Definition]) -> dict[str, Any]:
    """`gate`: open, closed or unknown; None, and no items, where the protocol has none."""
    stood = None
    if plan.gates is not None:
        now = state.at_us
        state.at_us = max(now, state.reached_us)
        asked = Asked(plan, plan.gates, state, state.timeline(), find)
        stood = asked.now(lambda: judged_now(plan, state)).stand()
        state.at_us = now
    return {
        "gate": None if stood is None else stood.word,
        "protocol_version": plan.definition.version,
        "as_of": iso(state.reached_us),
        "items": [] if stood is None or plan.gates is None else _items(plan, plan.gates, stood),
        "next_infusion": _next(plan, state),
    }


def _items(plan: Plan, gates: Gates, stood: Stood) -> list[dict[str, Any]]:
    states, missing = stood.states(), stood.made.criterion_missing
    values = {name: one.value for name, one in stood.readings.items()}
    trees = gates.explain(values.get)
    return [
        {
            "id": item.id,
            "text": item.text,
            "state": states[item.id],
            "held_by": list(stood.held_by(item.id)),
            "evidence": _evidence(plan, gates, item, stood),
            "missing": [said(name) for name in missing[item.id]],
            "clauses": trees[item.id],
        }
        for item in gates.items
    ]


def _evidence(plan: Plan, gates: Gates, item: Criterion, stood: Stood) -> list[dict[str, Any]]:
    names = plan.with_inputs(gates.program.uses[item.id])
    found = [(name, stood.readings[name]) for name in names if name in stood.readings]
    return [told(plan, name, reading) for name, reading in found if reading.event is not None]


def _next(plan: Plan, state: SubjectState) -> dict[str, Any] | None:
    """The first infusion that is still to be given; None where all were, or none is to come."""
    given = {
        name for name, parts in state.infusions.items() if entities.given(entities.merge(parts))
    }
    planned = [one for one in plan.definition.schedule if one.administration is not None]
    for visit in sorted(planned, key=lambda one: one.administration or 0):
        if str(visit.administration) not in given:
            return _due(plan, state, visit)
    return None


def _due(plan: Plan, state: SubjectState, visit: Visit) -> dict[str, Any]:
    """When it is due, by the days of the site; None where its anchor has not happened."""
    now_us = max(state.at_us, state.reached_us)
    found = plan.moment(visit.anchor)(state.timeline(), None, now_us)
    days: dict[str, str | None] = dict.fromkeys(("opens", "due", "closes"))
    if found.lo_us is not None and found.hi_us is not None:
        span = Span(found.lo_us, found.hi_us)
        due = visits.due_span(visit, span, plan.calendar)
        first, last = (plan.calendar.day(one) for one in due)
        days["opens"] = _text(first, -visit.early_days)
        days["due"] = first.isoformat() if first == last else None
        days["closes"] = _text(last, visit.late_days)
    return {"number": visit.administration, "visit": visit.id, "label": visit.label, **days}


def _text(day: date, days: int) -> str:
    return (day + days * DAY).isoformat()
