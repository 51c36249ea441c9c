"""Adverse events and death: judged whenever they change, or what was so at their onset does.

Who comes in: the fold. Who goes out: findings that differ, and endpoints of stopping rules.
Reading may raise LogNeeded; it comes before anything is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rules.anchors import Judged, read_span
from rules.facts import entities, entity_records
from rules.facts.calendar import Span
from rules.facts.entities import merge
from rules.facts.entity_records import Known
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Step
from rules.folding import Dirty
from rules.subject import anchored, endpoints
from rules.subject.context import Subject, snapshot_of
from rules.subject.relating import moved, relate
from rules.terms import Scope


class TouchedEvent(NamedTuple):
    """One adverse event ready to be judged."""

    name: str
    span: Span
    readings: Mapping[str, Reading]
    judged: Judged | None  # where its rules ask for the criteria
    gone: bool


def touched_events(subject: Subject, dirty: Dirty) -> list[TouchedEvent]:
    """The adverse events that the step may have touched, read. Raises LogNeeded."""
    state = subject.state
    every = dirty.everything or dirty.first_infusion
    own = set(state.adverse_events) if every else dirty.adverse_events
    since_us = moved(subject, dirty, Scope.ADVERSE_EVENT)
    if subject.plan.ranges.outside:
        since_us = min(since_us, dirty.earliest_us)
    names = own if since_us > state.last_onset_us else set(state.adverse_events)
    result = []
    for name in sorted(names):
        known = entity_records.adverse_event(state.adverse_events[name], subject.plan.calendar)
        state.last_onset_us = max(state.last_onset_us, known.span.end)
        if name in own or known.span.end >= since_us:
            result.append(_read(subject, name, known))
    return result


def _read(subject: Subject, name: str, known: Known) -> TouchedEvent:
    plan, state, merged, span = subject.plan, subject.state, known.merged, known.span
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    reference = plan.definition.reference
    own = entities.adverse_event_readings(merged, span, first, reference, plan.calendar)
    own["ae"] = Reading(name)
    own |= relate(subject, Scope.ADVERSE_EVENT, name, span)
    if known.gone:
        return TouchedEvent(name, span, own, None, gone=True)
    judged: list[Judged] = []

    def judge() -> Judged:
        if not judged:
            judged.append(anchored.judged_at(subject, span.end))
        return judged[0]

    read = read_span(plan, state, subject.timeline, span, judge, own)
    readings = own | read.all(plan.ranges.outside)
    return TouchedEvent(name, span, readings, judged[0] if judged else None, gone=False)


def adverse_event(subject: Subject, step: Step, dirty: Dirty, event: TouchedEvent) -> None:
    """Say what differs about one adverse event."""
    entity, readings = f"ae:{event.name}", event.readings
    endpoints.of_event(subject, event.name, event.span, readings, gone=event.gone)
    if event.gone:
        subject.forget(step, entity)
        return
    snapshot = snapshot_of(subject.plan, Scope.ADVERSE_EVENT, readings)
    fired = subject.fire_entity(entity, Scope.ADVERSE_EVENT, snapshot, event.judged)
    if fired or entity in subject.state.findings:
        subject.findings.differ(
            step,
            entity,
            fired,
            lambda wanted: readings.get(wanted, UNKNOWN),
            key=entity,
            occurred_us=event.span.start,
            wrong=event.name not in dirty.adverse_events,
        )


def death(subject: Subject, step: Step) -> None:
    state, plan = subject.state, subject.plan
    if not state.deaths:
        subject.findings.differ(step, "death", (), lambda _name: UNKNOWN, wrong=True)
        return
    merged = merge(state.deaths)
    readings = {"causality": merged.reading("causality")}
    readings |= relate(subject, Scope.DEATH, "death", merged.first)
    fired = subject.fire(Scope.DEATH, snapshot_of(plan, Scope.DEATH, readings))
    subject.findings.differ(
        step,
        "death",
        fired,
        lambda wanted: readings.get(wanted, UNKNOWN),
        key="death",
        occurred_us=merged.first.start,
    )
