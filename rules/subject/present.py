"""The rules about the subject as it is now.

Who comes in: the fold. Who goes out: findings that differ.
"""

from __future__ import annotations

from functools import partial

from rules.anchors import Reader
from rules.facts import entities
from rules.findings import Step
from rules.folding import Dirty
from rules.model import Scalar
from rules.subject.context import Subject
from rules.subject.deciding import present
from rules.terms import Category, Scope


def rules_now(
    subject: Subject, step: Step, dirty: Dirty, changed: set[str], *, moved: bool
) -> None:
    state, plan = subject.state, subject.plan
    status = dirty.status or dirty.overrides or dirty.everything
    if not (changed or moved or status):
        return
    read = Reader(plan, state, subject.timeline, partial(present, subject))
    snapshot: dict[str, Scalar] = {}
    for name in plan.when[Scope.SUBJECT]:
        value = state.live.get(name) if name in plan.read else read(name).value
        if value is not None:
            snapshot[name] = value
    held = state.findings.get("subject", {})
    if snapshot != state.snapshot or dirty.everything or not state.digest:
        state.snapshot = snapshot
        fired = subject.fire(Scope.SUBJECT, snapshot)
        fired = _after_screening(subject, fired)
    else:
        fired = frozenset(held)
    if fired or held:
        touched = None if status or moved else changed
        subject.findings.differ(step, "subject", fired, read, touched=touched)


def _after_screening(subject: Subject, fired: frozenset[str]) -> frozenset[str]:
    """Eligibility is told from screening on."""
    if entities.screened_at(subject.state.enrolment, None).value:
        return fired
    rules = subject.plan.rules
    return frozenset(n for n in fired if rules[n].category is not Category.ELIGIBILITY)
