"""What is still to be found out about a subject, by whom and until when.

Who comes in: Engine.worklist. Who goes out: plain dicts, most decisive first; beside missing data
the corrections that wait for the event that they correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from rules.anchors import Judged
from rules.explanation.judging import Facts
from rules.explanation.worklist import Wanted
from rules.facts.absence import absence_of
from rules.facts.log import WAITING_SEPARATOR
from rules.facts.projections import UNKNOWN
from rules.model import Visit
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import Absence, said
from rules.views import judged_now

DATUM, CORRECTION = "datum", "correction"


def worklist(plan: Plan, state: SubjectState) -> dict[str, Any]:
    """The decision, and the items that can still change it; then corrections that wait."""
    judged = judged_now(plan, state)
    facts = plan.protocol.program.derive(judged.facts)
    wanted = plan.protocol.explainer.worklist(facts, frozenset(judged.overridden))
    items = [item for one in wanted for item in _data(plan, state, judged, one)]
    return {
        "protocol_version": plan.criteria_version,
        "decision": judged.decision.value,
        "items": [*_first(items), *corrections(state)],
    }


def corrections(state: SubjectState) -> list[dict[str, Any]]:
    """Corrections whose target has not been received: nobody can apply them yet."""
    found: list[dict[str, Any]] = []
    for name in sorted(state.waiting):
        source, _, event_id = name.partition(WAITING_SEPARATOR)
        found.append(
            {
                "kind": CORRECTION,
                "label": "A correction waits for the event that it corrects",
                "reason": Absence.NOT_RECORDED.value,
                "source": source,
                "id": event_id,
                **dict.fromkeys(("fact", "unit", "derived_fact", "owner", "due", "visit")),
                "criteria": [],
                "decides": [],
            }
        )
    return found


def _data(plan: Plan, state: SubjectState, judged: Judged, one: Wanted) -> Iterator[dict[str, Any]]:
    """The fact, or where it is derived the inputs that are not known."""
    facts = plan.protocol.program.derive(judged.facts)
    aside = plan.protocol.explainer.judge.aside(facts)
    for name in plan.protocol.program.wanted((one.fact,), facts):
        if name in aside:
            continue
        visit = _visit(plan, state, {**facts, **state.live}, name)
        yield {
            "kind": DATUM,
            "fact": said(name),
            "label": plan.label(name),
            "unit": plan.unit(name),
            "reason": absence_of(judged.readings.get(name, UNKNOWN)).value,
            "derived_fact": None if name == one.fact else said(one.fact),
            "criteria": list(one.criteria),
            "decides": list(one.decides),
            "visit": None if visit is None else visit.id,
            "owner": None if visit is None else visit.owner or None,
            "due": None if visit is None else _due(plan, state, visit),
            "source": None,
            "id": None,
        }


def _first(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An input of two derived facts once, where it stands first, with the criteria of both."""
    found: dict[str, dict[str, Any]] = {}
    for item in items:
        known = found.setdefault(item["fact"], item)
        known["criteria"] += [one for one in item["criteria"] if one not in known["criteria"]]
    return list(found.values())


def _visit(plan: Plan, state: SubjectState, facts: Facts, name: str) -> Visit | None:
    """The next visit at which it is collected, else the last one that applies."""
    spec = plan.specs.get(name)
    codes = set() if spec is None else {spec.code, *spec.also}
    applies = plan.protocol.explainer.visits
    visits = [
        one
        for one in plan.definition.schedule
        if not codes.isdisjoint(one.collects) and applies[one.id](facts) is not False
    ]
    today = plan.calendar.day(max(state.at_us, state.reached_us))
    for one in visits:
        day = _last_day(plan, state, one)
        if day is None or day >= today:
            return one
    return visits[-1] if visits else None


def _due(plan: Plan, state: SubjectState, visit: Visit) -> str | None:
    day = _last_day(plan, state, visit)
    return None if day is None else day.isoformat()


def _last_day(plan: Plan, state: SubjectState, visit: Visit) -> date | None:
    """The last local day of the visit; None where its anchor is not known."""
    now_us = max(state.at_us, state.reached_us)
    latest_us = plan.moment(visit.anchor)(state.timeline(), None, now_us).hi_us
    if latest_us is None:
        return None
    return plan.calendar.day(latest_us) + timedelta(days=visit.day + visit.late_days)
