"""The subject's laboratory series: each judged when it, or what its rules ask of now, changes.

Who comes in: the fold. Who goes out: findings that differ. Reading may raise LogNeeded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rules.facts.calendar import Span
from rules.facts.projections import Reading
from rules.findings import Step
from rules.folding import Dirty
from rules.subject.context import Subject
from rules.subject.ranging import judge_now, touched_now
from rules.terms import EventType, Scope


class TouchedSeries(NamedTuple):
    """One series ready to be judged."""

    code: str
    readings: Mapping[str, Reading]
    unit: str | None


def touched_series(subject: Subject, dirty: Dirty, changed: set[str]) -> list[TouchedSeries]:
    """The series that the step touched; all, where it touched what their rules ask of now."""
    state, ranges = subject.state, subject.plan.ranges
    if not ranges.series:
        return []
    every = dirty.first_infusion or touched_now(subject, Scope.LABORATORY, dirty, changed)
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    made = []
    for name in sorted(state.laboratory if every else dirty.series):
        code = subject.plan.definition.codes[EventType.OBSERVATION, name]
        found = ranges.of_series(name, state.laboratory[name], first)
        found["lab_label"] = Reading(code.label)
        made.append(TouchedSeries(name, found, code.unit))
    return made


def series(subject: Subject, step: Step, one: TouchedSeries) -> None:
    """Say what differs about one series."""
    units = {"lab_value": one.unit} if one.unit else {}
    newest = one.readings["lab_value"].time_us
    entity = f"lab:{one.code}"
    judge_now(
        subject, step, Scope.LABORATORY, entity, one.readings, occurred_us=newest, units=units
    )
