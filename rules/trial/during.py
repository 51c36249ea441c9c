"""Who was enrolled or infused while that was held: told at once, by the clinical time.

Who comes in: the fold, with what a step touched; the views. Who goes out: findings that differ. An
entry is accepted whatever the hold; corrected away, its alert is superseded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rules.events import TrialHold
from rules.facts.calendar import iso
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Findings, Step
from rules.ownrules import ENROLLED_DURING_HOLD, INFUSED_DURING_HOLD
from rules.sums import ENROLLED, INFUSED
from rules.trial.holds import TRIAL
from rules.trial.state import Counted, TrialState, place

_RULES = {ENROLLED: ENROLLED_DURING_HOLD.id, INFUSED: INFUSED_DURING_HOLD.id}
_ENTITY = "during"


def told(rule: str) -> bool:
    """Whether units of this sum may fall into a hold."""
    return rule in _RULES


def every(state: TrialState) -> list[tuple[str, str]]:
    """All units that may, and those of which something was said."""
    units = {(rule, name) for rule in _RULES for name in state.sums.get(rule, {})}
    said = (entity.split(":", 2)[1:] for entity in state.findings if entity.startswith(_ENTITY))
    return sorted(units | {(rule, name) for rule, name in said})


def judge(
    step: Step,
    findings: Findings,
    state: TrialState,
    units: Iterable[tuple[str, str]],
    corrected: Collection[tuple[str, str]],
) -> None:
    """Say what differs about these units; `corrected`: of which the step itself tells otherwise."""
    holds = [TrialHold(**one) for one in state.holds]
    for rule, name in units:
        entity = f"{_ENTITY}:{rule}:{name}"
        counted = state.sums.get(rule, {}).get(name)
        found = None if counted is None else within(holds, rule, counted)
        if found is None or counted is None:
            if entity in state.findings:
                wrong = (rule, name) in corrected
                findings.differ(step, entity, (), lambda _name: UNKNOWN, wrong=wrong)
            continue
        findings.differ(
            step,
            entity,
            {_RULES[rule]},
            _readings(name, counted, found).__getitem__,
            key=f"{_ENTITY}:{rule}|{name}",
            occurred_us=counted.since_us,
        )


def within(holds: Sequence[TrialHold], rule: str, counted: Counted) -> TrialHold | None:
    """The first hold in which this was, or may have been where only its date is known."""
    if counted.withdrawn:
        return None
    latest_us = counted.since_us if counted.until_us is None else counted.until_us
    for hold in holds:
        concerned = rule == ENROLLED or hold.what == TRIAL
        begun = latest_us > hold.since_us
        over = hold.until_us is not None and counted.since_us >= hold.until_us
        if concerned and begun and not over:
            return hold
    return None


def shown(state: TrialState, holds: Sequence[TrialHold]) -> list[dict[str, Any]]:
    """Who was enrolled or infused during these holds."""
    return [
        {"what": rule, "subject": subject, "unit": unit, "at": iso(counted.since_us)}
        for rule in _RULES
        for name, counted in sorted(state.standing(rule))
        if within(holds, rule, counted) is not None
        for subject, unit in [place(name)]
    ]


def _readings(name: str, counted: Counted, hold: TrialHold) -> dict[str, Reading]:
    subject, unit = place(name)
    return {
        "held_subject": Reading(subject, counted.since_us),
        "held_unit": Reading(unit.replace(":", " "), counted.since_us),
        "held_at": Reading(iso(counted.since_us), counted.since_us),
        "hold_since": Reading(iso(hold.since_us), hold.since_us),
        "hold_by": Reading(hold.by, hold.since_us),
    }
