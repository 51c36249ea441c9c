"""The decision: live until the enrolment, then fixed at its moment.

Who comes in: the fold and whoever needs the judgement that stands. Who goes out: Judged.
"""

from __future__ import annotations

from rules import anchors
from rules.anchors import Judged, judge, judge_at
from rules.facts import entities
from rules.folding import Dirty
from rules.subject.context import OVERRIDES, Subject


def refresh_fixed(subject: Subject, dirty: Dirty, anchor: entities.Part | None) -> bool:
    """Judge the enrolment's moment again where the step may have touched it."""
    state = subject.state
    if anchor is None:
        state.fixed, state.fixed_at_us = None, None
        return False
    at_us: int = anchor[entities.END]
    untouched = state.fixed_at_us == at_us and dirty.earliest_us > at_us
    if untouched and not dirty.everything:
        return False
    subject.judged = judge_at(subject.plan, state, subject.timeline, at_us)
    state.fixed, state.fixed_at_us = anchors.pack(subject.judged), at_us
    return True


def decide(
    subject: Subject,
    dirty: Dirty,
    changed: set[str],
    anchor: entities.Part | None,
    *,
    refixed: bool,
) -> None:
    """The decision and the verdicts of this step."""
    state, plan = subject.state, subject.plan
    if anchor is None:
        touched = dirty.everything or dirty.overrides or dirty.enrolment or not state.codes
        if not touched and changed.isdisjoint(plan.criteria_facts):
            return
        subject.judged = judge_live(subject)
    elif not refixed:
        state.until.pop(OVERRIDES, None)
        return
    else:
        state.until.pop(OVERRIDES, None)
    assert subject.judged is not None
    decision = subject.judged.decision.value
    if decision != state.decision and not refixed:
        subject.confirm(subject.judged)
    state.decision = decision
    state.codes = plan.codes(subject.judged.verdicts[name] for name in plan.criteria)


def judge_live(subject: Subject) -> Judged:
    state, plan = subject.state, subject.plan
    facts = {name: state.live[name] for name in plan.criteria_facts if name in state.live}
    in_force = entities.overrides_at(state.overrides, plan.calendar, None, state.at_us)
    ends = [item.expires_us for item in in_force.values() if item.expires_us is not None]
    if ends:
        state.until[OVERRIDES] = min(ends)
    else:
        state.until.pop(OVERRIDES, None)
    return judge(plan, facts, {}, in_force, None)


def present(subject: Subject) -> Judged:
    """The judgement that stands now: the enrolment's, else the live one."""
    if subject.judged is None:
        fixed = subject.state.fixed
        subject.judged = anchors.unpack(fixed) if fixed else judge_live(subject)
    return subject.judged
