"""A subject's adverse events as people read them: what is known, what follows, and how it came.

Who comes in: Engine.adverse_view with a state and the events that it was made of. Who goes out:
plain dicts, times as text. The history is in order of receipt: what was known when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rules.events import Event
from rules.facts import entities
from rules.facts.calendar import Span, iso
from rules.facts.entities import Part, merge
from rules.facts.log import effective
from rules.language.vocabulary import entity_facts
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import AeChange, EventType

Json = dict[str, Any]
TOLD = (
    *("term", "coding", "grade", "serious", "seriousness", "causality", "expected"),
    *("onset", "resolved", "outcome", "aware_at", "reported_at", "submitted_at", "status"),
)
# Which words of a report are a change of their own; everything else is follow-up.
_CHANGES = {
    "grade": AeChange.REGRADED,
    "causality": AeChange.REATTRIBUTED,
    "outcome": AeChange.OUTCOME,
    "resolved": AeChange.OUTCOME,
    "term": AeChange.RENAMED,
    "serious": AeChange.SERIOUSNESS,
    "seriousness": AeChange.SERIOUSNESS,
    "submitted_at": AeChange.SUBMITTED,
    "reported_at": AeChange.REPORTED,
}


def every(plan: Plan, state: SubjectState, log: Sequence[Event]) -> list[Json]:
    """Each adverse event, the last onset first; those taken back too, and said to be."""
    reports: dict[str, list[Event]] = {}
    for event in effective(log, plan.calendar, plan.protocol.checker).events:
        if event.type == EventType.ADVERSE_EVENT.value:
            reports.setdefault(str(event.data["ae"]), []).append(event)
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    found = [_one(plan, name, those, first) for name, those in reports.items()]
    return sorted(found, key=lambda one: (one["began_at"], one["ae"]), reverse=True)


def _one(plan: Plan, name: str, reports: Sequence[Event], first: Span | None) -> Json:
    parts = [entities.part(one, plan.calendar) for one in reports]
    merged = merge(_in_order(parts))
    began = entities.onset(merged, plan.calendar)
    reference = plan.definition.reference
    readings = entities.adverse_event_readings(merged, began, first, reference, plan.calendar)
    follows = [
        fact
        for fact in entity_facts(EventType.ADVERSE_EVENT, reference)
        if fact in readings and fact not in (*TOLD, "ae_status", "seriousness_criteria")
    ]
    return {
        "ae": name,
        "began_at": iso(began.start),
        "withdrawn": entities.withdrawn(merged),
        "told": {field: merged.values.get(field) for field in TOLD},
        "follows": {fact: readings[fact].value for fact in follows},
        "history": _history(reports, parts),
    }


def _in_order(parts: Sequence[Part]) -> list[Part]:
    return sorted(parts, key=lambda one: (one[entities.START], one[entities.N]))


def _history(reports: Sequence[Event], parts: Sequence[Part]) -> list[Json]:
    """What each report changed of what was known before it."""
    rows: list[Json] = []
    before: Mapping[str, Any] = {}
    for number, report in enumerate(reports, start=1):
        after = merge(_in_order(parts[:number])).values
        changed = [field for field in TOLD if before.get(field) != after.get(field)]
        rows.append(
            {
                "event": report.event,
                "received_at": iso(report.received_us),
                "time": iso(report.time_us),
                "what": _words(changed, after, first=number == 1),
                "changes": {
                    field: {"from": before.get(field), "to": after.get(field)} for field in changed
                },
            }
        )
        before = after
    return rows


def _words(changed: Sequence[str], after: Mapping[str, Any], *, first: bool) -> list[str]:
    """What a report was, in the words of its life; a first report is the initial one."""
    if first:
        return [AeChange.INITIAL.value]
    found: list[AeChange] = []
    if "status" in changed:
        gone = after.get("status") == "withdrawn"
        found.append(AeChange.WITHDRAWN if gone else AeChange.REINSTATED)
    found += [_CHANGES[field] for field in changed if field in _CHANGES]
    return [one.value for one in dict.fromkeys(found)] or [AeChange.FOLLOW_UP.value]
