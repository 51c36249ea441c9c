"""The subject's facts as they are now: only those read again that a step touched.

Who comes in: the fold, with what a step touched. Who goes out: the names whose values changed.
"""

from __future__ import annotations

from rules.facts.projections import INEXACT
from rules.findings import Step
from rules.folding import Dirty
from rules.subject.context import Subject


def refresh(subject: Subject, step: Step, dirty: Dirty, *, enrolled: bool) -> set[str]:
    """Read the touched live facts again; the names whose values changed."""
    state, plan = subject.state, subject.plan
    live, until = state.live, state.until
    # Some facts are known before anything is told of them: how often what has never happened.
    begins = not state.digest
    names = plan.live if dirty.everything or begins else list(dirty.facts)
    if enrolled and (dirty.enrolment or dirty.everything):
        for name in plan.only_criteria:
            live.pop(name, None)
            until.pop(name, None)
    changed: set[str] = set()
    for name in names:
        if name not in plan.read or (enrolled and name in plan.only_criteria):
            continue
        reading = plan.read[name](subject.timeline, None, step.at_us)
        if reading.until_us > step.at_us and reading.until_us < 1 << 62:
            until[name] = reading.until_us
        else:
            until.pop(name, None)
        value = reading.value
        if _noted(subject, name, reading.note == INEXACT):
            changed.add(name)
        if live.get(name) != value or type(live.get(name)) is not type(value):
            changed.add(name)
            if value is None:
                live.pop(name, None)
            else:
                live[name] = value
    return changed


def _noted(subject: Subject, name: str, inexact: bool) -> bool:
    """Keep whether a live value's exact time is recorded; whether that has changed."""
    inexacts = subject.state.inexact
    if (name in inexacts) == inexact:
        return False
    if inexact:
        inexacts[name] = 1
    else:
        del inexacts[name]
    return True
