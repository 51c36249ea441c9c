"""Adverse events and death: judged whenever they change.

Who comes in: the fold. Who goes out: findings that differ, and endpoints of stopping rules.
"""

from __future__ import annotations

from collections.abc import Mapping

from rules.anchors import known
from rules.facts import entities
from rules.facts.calendar import DAY_US, Span
from rules.facts.entities import Merged, merge, unpack
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Step
from rules.folding import Dirty
from rules.subject.context import Subject, snapshot_of
from rules.terms import Scope


def adverse_events(subject: Subject, step: Step, dirty: Dirty) -> None:
    state = subject.state
    names = state.adverse_events if dirty.everything else dirty.adverse_events
    for name in sorted(names):
        parts = unpack(state.adverse_events[name])
        _adverse_event(subject, step, name, merge(parts))


def _adverse_event(subject: Subject, step: Step, name: str, merged: Merged) -> None:
    plan, state = subject.plan, subject.state
    entity = f"ae:{name}"
    began = entities.onset(merged, plan.calendar)
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    readings = entities.adverse_event_readings(merged, began, first)
    readings["ae"] = Reading(name)
    gone = entities.withdrawn(merged)
    _endpoints(subject, name, readings, began, first, gone=gone)
    fired: frozenset[str] = frozenset()
    if not gone:
        fired = subject.fire(Scope.ADVERSE_EVENT, snapshot_of(plan, Scope.ADVERSE_EVENT, readings))
    if fired or entity in state.findings:
        subject.findings.differ(
            step,
            entity,
            fired,
            lambda wanted: readings.get(wanted, UNKNOWN),
            key=entity,
            occurred_us=began.start,
            wrong=gone,
        )


def _endpoints(
    subject: Subject,
    name: str,
    readings: Mapping[str, Reading],
    began: Span,
    first: Span | None,
    *,
    gone: bool,
) -> None:
    """Note for which stopping rules this adverse event is an endpoint, and since when."""
    facts = known(readings)
    counts = first is not None and began.end >= first.start and not gone
    for rule_id, endpoint in subject.plan.endpoints.items():
        held = subject.state.endpoints.setdefault(rule_id, {})
        last_us = 0 if first is None else first.start + _window_us(subject, rule_id)
        if counts and first is not None and began.start <= last_us and endpoint(facts) is True:
            held[name] = max(began.start, first.start)
        else:
            held.pop(name, None)


def _window_us(subject: Subject, rule_id: str) -> int:
    """How long after the first infusion an adverse event counts for a stopping rule."""
    return subject.plan.stopping[rule_id].window_days * DAY_US


def death(subject: Subject, step: Step) -> None:
    state, plan = subject.state, subject.plan
    if not state.deaths:
        subject.findings.differ(step, "death", (), lambda _name: UNKNOWN, wrong=True)
        return
    merged = merge(state.deaths)
    readings = {"causality": merged.reading("causality")}
    fired = subject.fire(Scope.DEATH, snapshot_of(plan, Scope.DEATH, readings))
    subject.findings.differ(
        step,
        "death",
        fired,
        lambda wanted: readings.get(wanted, UNKNOWN),
        key="death",
        occurred_us=merged.first.start,
    )
