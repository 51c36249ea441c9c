"""What is judged as of its own moment: the enrolment and each infusion.

Who comes in: the fold. Who goes out: findings that differ. Reading may raise LogNeeded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from rules.anchors import Judged, Reader, judged_then
from rules.facts import entities
from rules.facts.calendar import Span
from rules.facts.dosing import PER_KG, dose_per_kg
from rules.facts.entities import Merged, merge
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Step
from rules.folding import Dirty
from rules.gating import Opening
from rules.subject.context import Subject, snapshot_of
from rules.subject.deciding import present
from rules.subject.relating import moved, relate
from rules.terms import Scope


class TouchedInfusion(NamedTuple):
    """One infusion ready to be judged; `readings` None: it did not take place."""

    name: str
    span: Span
    judged: Judged | None
    readings: Mapping[str, Reading] | None
    opening: Opening | None = None  # of the gate, where the protocol has one


def enrolment(
    subject: Subject, step: Step, dirty: Dirty, anchor: entities.Part | None, *, refixed: bool
) -> None:
    plan, state = subject.plan, subject.state
    if anchor is None:
        if "enrolment" in state.findings:
            subject.findings.differ(step, "enrolment", (), lambda _name: UNKNOWN, wrong=True)
        return
    if not refixed:
        return
    span = Span(anchor[entities.START], anchor[entities.END])
    read = Reader(
        plan, state, subject.timeline, partial(present, subject), span.end, since_us=span.start
    )
    readings = read.all(plan.names(Scope.ENROLMENT))
    snapshot = snapshot_of(plan, Scope.ENROLMENT, readings)
    fired = subject.fire_entity("enrolment", Scope.ENROLMENT, snapshot, present(subject))
    subject.findings.differ(
        step,
        "enrolment",
        fired,
        readings.__getitem__,
        key="enrolment",
        occurred_us=anchor[entities.START],
        wrong=not dirty.enrolment,
    )


def touched_infusions(subject: Subject, dirty: Dirty) -> list[TouchedInfusion]:
    """The infusions that the step may have touched, read and judged. Raises LogNeeded."""
    state = subject.state
    names = set(dirty.infusions)
    since_us = min(dirty.earliest_us, moved(subject, dirty, Scope.INFUSION))
    if dirty.everything or since_us <= state.last_anchor_us:
        names.update(state.infusions)
    result = []
    for name in sorted(names):
        merged = merge(state.infusions[name])
        span = entities.infusion_span(merged, subject.plan.calendar)
        state.last_anchor_us = max(state.last_anchor_us, span.end)
        if name in dirty.infusions or dirty.everything or since_us <= span.end:
            result.append(_read_infusion(subject, name, merged, span))
    return result


def place_first(subject: Subject, dirty: Dirty) -> None:
    """Find the first infusion anew where the step tells of one."""
    if not (dirty.infusions or dirty.everything):
        return
    first = min((Span(*span) for span in spans(subject).values()), default=None)
    new = None if first is None else list(first)
    dirty.first_infusion = new != subject.state.first_infusion
    subject.state.first_infusion = new


def _read_infusion(subject: Subject, name: str, merged: Merged, span: Span) -> TouchedInfusion:
    plan, state = subject.plan, subject.state
    if not entities.given(merged):
        return TouchedInfusion(name, span, None, None)
    at_us = span.end
    judged = judged_at(subject, at_us)
    own = entities.infusion_readings(merged)
    own |= relate(subject, Scope.INFUSION, name, span)
    read = Reader(plan, state, subject.timeline, lambda: judged, at_us, own, span.start)
    if (product := plan.definition.product) is not None and product.weight is not None:
        weight = read(product.weight)
        own[PER_KG] = dose_per_kg(merged, weight, plan.unit(product.weight))
    readings = read.all(plan.names(Scope.INFUSION))
    asked = subject.gate()
    opening = None if asked is None else asked.before(span.start)
    return TouchedInfusion(name, span, judged, readings, opening)


def judged_at(subject: Subject, at_us: int) -> Judged:
    """The enrolment's judgement once enrolled, else that of the moment. Raises LogNeeded."""
    return judged_then(subject.plan, subject.state, subject.timeline, at_us)


def infusion(subject: Subject, step: Step, dirty: Dirty, infusion: TouchedInfusion) -> None:
    name = f"infusion:{infusion.name}"
    own = infusion.name in dirty.infusions
    if infusion.readings is None or infusion.judged is None:
        subject.forget(step, name)
        return
    readings = infusion.readings
    if infusion.opening is not None:
        readings = {**readings, **infusion.opening.stand().own(subject.plan)}
    snapshot = snapshot_of(subject.plan, Scope.INFUSION, readings)
    fired = subject.fire_entity(name, Scope.INFUSION, snapshot, infusion.judged)
    subject.findings.differ(
        step,
        name,
        fired,
        readings.__getitem__,
        key=name,
        occurred_us=infusion.span.start,
        wrong=not own,
    )


def spans(subject: Subject) -> dict[str, Span]:
    """When each infusion that was given began."""
    result: dict[str, Span] = {}
    for name, parts in subject.state.infusions.items():
        merged = merge(parts)
        if entities.given(merged):
            result[name] = entities.infusion_span(merged, subject.plan.calendar)
    return result
