"""What a corrected log leaves behind: corrections that do not fit, entities that are gone.

Who comes in: the fold, after the whole log was put in anew. Who goes out: findings that differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.events import Event
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Step
from rules.ownrules import OPS_UNFIT
from rules.subject.context import Subject

_CORRECTION = "correction"


def corrections(subject: Subject, step: Step, unfit: Sequence[Event]) -> None:
    """Tell of every correction that cannot be applied; none is passed over in silence."""
    told = {f"{_CORRECTION}:{one.event}": one for one in unfit}
    for entity in [name for name in subject.state.findings if name.startswith(f"{_CORRECTION}:")]:
        if entity not in told:
            subject.findings.differ(step, entity, (), lambda _name: UNKNOWN)
    for entity, one in told.items():
        read = {"correction": Reading(None, one.time_us, one.event)}.__getitem__
        fired = {OPS_UNFIT.id}
        subject.findings.differ(step, entity, fired, read, key=entity, occurred_us=one.time_us)


def forget_vanished(subject: Subject, step: Step) -> None:
    """End the findings of entities that the corrected log, or the schedule, no longer holds."""
    state = subject.state
    running = {f"{one.clock.id}:{ae}" for one in subject.plan.clocks for ae in state.adverse_events}
    for entity in sorted(state.findings):
        kind, _, name = entity.partition(":")
        held = {
            "ae": state.adverse_events,
            "clock": running,
            "infusion": state.infusions,
            "lab": state.laboratory,
            "visit": subject.plan.ranges.visit_codes,
        }.get(kind)
        if held is not None and name not in held:
            # Of another version's schedule or clocks: nothing told was wrong.
            wrong = kind not in {"visit", "clock"}
            subject.findings.differ(step, entity, (), lambda _name: UNKNOWN, wrong=wrong)
