"""A boundary that is reached, or holds anew, while no alert opens: told by the engine itself.

Who comes in: the fold, after the rules were asked. Who goes out: findings that differ. The rule
that tells of a boundary may be open already: since before two persons resumed, or because it tells
of several boundaries.
"""

from __future__ import annotations

from collections.abc import Mapping

from rules.assessment import names_in
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Findings, Step
from rules.language.vocabulary import stopping_fact
from rules.ownrules import STOPPING_REACHED
from rules.plan import Plan
from rules.terms import Change, Scope
from rules.trial.facts import ON_HOLD
from rules.trial.holds import Holds, held_by
from rules.trial.paths import Path
from rules.trial.state import TrialState

_ENTITY = "reached:"


def known(state: TrialState) -> frozenset[str]:
    """The facts that were true of the trial when it was last asked."""
    return frozenset(name for name, value in state.snapshot.items() if value is True)


def judge(
    step: Step,
    findings: Findings,
    holds: Holds,
    paths: Mapping[str, Path],
    before: frozenset[str],
) -> None:
    """Say what was reached in this step and no alert that opened tells; `before`: as known()."""
    for entity in [name for name in findings.held if name.startswith(_ENTITY)]:
        if not _stands(holds, paths, entity.removeprefix(_ENTITY)):
            findings.differ(step, entity, (), lambda _name: UNKNOWN)
    for rule_id, found in paths.items():
        name = stopping_fact(rule_id, "crossed")
        anew = rule_id in holds.crossed or (found.crossed_at is not None and name not in before)
        said = f"{_ENTITY}{rule_id}" in findings.held
        if said or (anew and not _opened(step, holds.plan, name)):
            findings.differ(
                step,
                f"{_ENTITY}{rule_id}",
                {STOPPING_REACHED.id},
                _readings(found).__getitem__,
                key=f"{_ENTITY}{rule_id}|{step.n}",
            )


def _stands(holds: Holds, paths: Mapping[str, Path], rule_id: str) -> bool:
    """Whether what was told of a rule is still so: its hold, or without one its crossing."""
    found = paths.get(rule_id)
    if found is not None and held_by(found.rule) is None:
        return found.crossed_at is not None
    return found is not None and holds.stands_by(rule_id)


def _opened(step: Step, plan: Plan, name: str) -> bool:
    """Whether an alert opened in this step whose rule names the fact, or that the trial is held."""
    names = {name, ON_HOLD}
    telling = {
        rule.id for rule in plan.by_scope[Scope.TRIAL] if names.intersection(names_in(rule.when))
    }
    return any(one.change is Change.OPENED and one.rule in telling for one in step.changes)


def _readings(found: Path) -> dict[str, Reading]:
    return {
        "reached_rule": Reading(found.rule.id, found.crossed_us),
        "reached_events": Reading(found.events, found.crossed_us),
        "reached_evaluable": Reading(found.evaluable, found.crossed_us),
    }
