"""Reporting clocks of adverse events: judged when their event changes, or a reminder falls due.

Who comes in: the fold, with each adverse event that was touched. Who goes out: findings that
differ, with the instant at which the report is due; and what is owed, for lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.anchors import known
from rules.facts import clocks, knowing
from rules.facts.calendar import FOREVER, iso
from rules.facts.clocks import Standing
from rules.facts.knowing import EVENT, MARKS, N, Record, Watched
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Step
from rules.folding import Dirty
from rules.model import Clock
from rules.plan import Plan
from rules.state import SubjectState
from rules.subject.adverse import TouchedEvent
from rules.subject.context import Subject, snapshot_of
from rules.terms import ClockStage, Scope

_DUE = "@clock:"  # beside which the state notes when time alone changes an adverse event's clocks
CLOCK, STAGE, START, ASSUMED, DUE = range(5)  # of what is owed


def passed(dirty: Dirty) -> set[str]:
    """The adverse events of which a clock has come to its next instant."""
    return {name.removeprefix(_DUE) for name in dirty.facts if name.startswith(_DUE)}


def of_event(subject: Subject, step: Step, event: TouchedEvent) -> None:
    """Judge every clock of one adverse event."""
    state, plan = subject.state, subject.plan
    if not plan.clocks:
        return
    record = knowing.unpack(state.knowing[event.name])
    found = {
        watched.clock.id: _stand(plan, watched, record, step, event) for watched in plan.clocks
    }
    _wait(state, event.name, [one.next_us for one in found.values() if one is not None])
    _owe(state, event.name, found)
    for watched in plan.clocks:
        entity, standing = f"clock:{watched.clock.id}:{event.name}", found[watched.clock.id]
        if standing is None:
            subject.forget(step, entity)
        else:
            key = _key(entity, record["runs"][watched.clock.id][MARKS], standing)
            _judge(subject, step, event, watched.clock, entity, key, standing)


def _stand(
    plan: Plan, watched: Watched, record: Record, step: Step, event: TouchedEvent
) -> Standing | None:
    stopped = ClockStage.WITHDRAWN if event.gone else None
    if stopped is None and watched.exempt is not None and watched.exempt(known(event.readings)):
        stopped = ClockStage.EXEMPT
    return clocks.stand(watched, record, plan.zones, step.at_us, stopped)


def _wait(state: SubjectState, name: str, coming: list[int]) -> None:
    """Note when time alone changes a clock of the adverse event; nothing where it never does."""
    next_us = min(coming, default=FOREVER)
    if next_us < FOREVER:
        state.until[_DUE + name] = next_us
    else:
        state.until.pop(_DUE + name, None)


def _owe(state: SubjectState, name: str, found: Mapping[str, Standing | None]) -> None:
    owed = [
        [clock, one.stage.value, one.start.us, one.start.assumed, one.due_us]
        for clock, one in found.items()
        if one is not None and one.stage.owed
    ]
    if owed:
        state.clocks[name] = owed
    else:
        state.clocks.pop(name, None)


def _key(entity: str, marks: list[knowing.Mark], standing: Standing) -> str:
    """Of its findings: what became known later and is to be reported too, is another matter."""
    mark = standing.start.mark
    return entity if mark is marks[0] else f"{entity}:{mark[N]}"


def _judge(
    subject: Subject,
    step: Step,
    event: TouchedEvent,
    clock: Clock,
    entity: str,
    key: str,
    standing: Standing,
) -> None:
    if any(one[0] != key for one in subject.state.findings.get(entity, {}).values()):
        subject.forget(step, entity, wrong=False)
    readings = {**event.readings, **_readings(subject.plan, clock, standing)}
    snapshot = snapshot_of(subject.plan, Scope.CLOCK, readings)
    fired = subject.fire_entity(entity, Scope.CLOCK, snapshot, event.judged)
    if fired or entity in subject.state.findings:
        subject.findings.differ(
            step,
            entity,
            fired,
            lambda wanted: readings.get(wanted, UNKNOWN),
            key=key,
            occurred_us=standing.start.us,
            due_us=standing.due_us,
        )


def _readings(plan: Plan, clock: Clock, standing: Standing) -> dict[str, Reading]:
    start = standing.start
    told = {"time_us": start.us, "event": start.mark[EVENT]}
    return {
        "clock": Reading(clock.id),
        "clock_stage": Reading(standing.stage.value, **told),
        "clock_assumed": Reading(start.assumed, **told),
        "clock_conflict": Reading(standing.conflict, **told),
        "clock_label": Reading(clock.label),
        "clock_region": Reading(clock.region or None),
        "clock_to": Reading(clock.to),
        "clock_due": Reading(clocks.local_text(standing.due_us, plan.zones.sponsor)),
        "clock_started": Reading(clocks.started_text(start, plan.zones)),
    }


def owed(plan: Plan, state: SubjectState) -> tuple[dict[str, Any], ...]:
    """The reports that the subject's adverse events still ask for, soonest due first."""
    by_id = {watched.clock.id: watched.clock for watched in plan.clocks}
    found = [
        (item[DUE], name, item, by_id[item[CLOCK]])
        for name, items in state.clocks.items()
        for item in items
    ]
    return tuple(
        {
            "ae": name,
            "clock": clock.id,
            "label": clock.label,
            "region": clock.region or None,
            "to": clock.to,
            "stage": item[STAGE],
            "started_at": iso(item[START]),
            "assumed": item[ASSUMED],
            "due_at": iso(item[DUE]),
        }
        for _, name, item, clock in sorted(found, key=lambda one: (one[0], one[1], one[3].id))
    )
