"""The entities that a rule about another one may speak of, and when a change of theirs matters.

Who comes in: the rooms of adverse events, infusions and visits. Who goes out: readings.
"""

from __future__ import annotations

from rules.facts import entities
from rules.facts.calendar import FOREVER, Span
from rules.facts.entities import Merged, merge
from rules.facts.entity_records import adverse_event, told
from rules.facts.projections import Reading
from rules.facts.relations import FIELDS, Other, moved_from, related
from rules.folding import Dirty
from rules.subject.context import Subject
from rules.terms import Scope


def relate(subject: Subject, on: Scope, name: str, span: Span) -> dict[str, Reading]:
    """Every relation's facts for one entity; an entity is never its own other."""
    plan = subject.plan
    readings: dict[str, Reading] = {}
    for relation in plan.ranges.relations[on]:
        some = others(subject, relation.to)
        if relation.to is on:
            some = [one for one in some if one.name != name]
        readings |= related(relation, span, some, plan.calendar, plan.ranges.alike)
    return readings


def moved(subject: Subject, dirty: Dirty, on: Scope) -> int:
    """From which moment on entities of a scope may relate otherwise; FOREVER: none does."""
    moments = [FOREVER]
    for relation in subject.plan.ranges.relations[on]:
        changed_us = dirty.moved.get(relation.to)
        if changed_us is not None:
            since = moved_from(relation, changed_us, subject.plan.calendar)
            moments.append(-FOREVER if since is None else since)
    return min(moments)


def others(subject: Subject, scope: Scope) -> list[Other]:
    """All infusions that were given, or adverse events that were not taken back; once a step."""
    if scope not in subject.others:
        subject.others[scope] = (
            _infusions(subject) if scope is Scope.INFUSION else _adverse_events(subject)
        )
    return subject.others[scope]


def _infusions(subject: Subject) -> list[Other]:
    made = []
    for name, parts in subject.state.infusions.items():
        merged = merge(parts)
        if entities.given(merged):
            span = entities.infusion_span(merged, subject.plan.calendar)
            other = _other(name, span, merged, Scope.INFUSION)
            end = merged.values.get("end")
            made.append(
                other._replace(ended=subject.plan.calendar.parse(str(end)) if end else None)
            )
    return made


def _adverse_events(subject: Subject) -> list[Other]:
    made = []
    for name, held in subject.state.adverse_events.items():
        known = adverse_event(held, subject.plan.calendar)
        if not known.gone:
            made.append(_other(name, known.span, known.merged, Scope.ADVERSE_EVENT))
    return made


def _other(name: str, span: Span, merged: Merged, scope: Scope) -> Other:
    event = told(merged, "start" if scope is Scope.INFUSION else "onset")
    readings = {field: merged.reading(field) for field in FIELDS[scope]}
    return Other(name, span, readings, event)
