"""Entities that are judged as of now: visits and laboratory series.

Who comes in: their rooms, with the entity's own readings. Who goes out: findings that differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from rules.anchors import Reader
from rules.facts.projections import Reading
from rules.findings import Step
from rules.folding import Dirty
from rules.model import Scalar
from rules.plan import CHECKLIST, STATUS_FACTS
from rules.subject.context import Subject
from rules.subject.deciding import present
from rules.terms import Scope


def touched_now(subject: Subject, scope: Scope, dirty: Dirty, changed: set[str]) -> bool:
    """Whether the step may have changed what the scope's rules ask of the subject as it is now."""
    asked, plan = subject.plan.ranges.asked[scope], subject.plan
    if dirty.everything or not asked.isdisjoint(changed):
        return True
    status = dirty.status or dirty.overrides
    if status and not asked.isdisjoint(STATUS_FACTS):
        return True
    judged = not asked.isdisjoint((*plan.criteria, *CHECKLIST, "decision"))
    return judged and (status or not changed.isdisjoint(plan.criteria_facts))


def judge_now(
    subject: Subject,
    step: Step,
    scope: Scope,
    entity: str,
    own: Mapping[str, Reading],
    *,
    occurred_us: int | None,
    units: Mapping[str, str] | None = None,
    untrue_from_us: int | None = None,
    key: str | None = None,
) -> None:
    """Judge one entity with the subject's facts of now, and say what differs.

    `key`: of its findings, where it is not the entity's own name.
    `untrue_from_us`: what was found as of then or later never was so.
    """
    plan, state = subject.plan, subject.state
    read = Reader(plan, state, subject.timeline, partial(present, subject), None, own)
    snapshot: dict[str, Scalar] = {}
    for name in plan.when[scope]:
        live = name in plan.read and name not in own
        value = state.live.get(name) if live else read(name).value
        if value is not None:
            snapshot[name] = value
    fired = subject.fire_entity(entity, scope, snapshot, None)
    if fired or entity in state.findings:
        subject.findings.differ(
            step,
            entity,
            fired,
            read,
            key=key or entity,
            occurred_us=occurred_us,
            units=units,
            untrue_from_us=untrue_from_us,
        )
