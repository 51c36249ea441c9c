"""What one subject counts for in the trial's sums: contributions, and what became of them.

Who comes in: the subject's fold. Who goes out: contributions that differ from the last ones told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rules.events import Contribution
from rules.facts.calendar import DAY_US
from rules.facts.entities import START, enrolled_part
from rules.plan import Plan
from rules.state import SubjectState

ENROLLED, INFUSED = "enrolled", "infused"
REVISION, EVALUABLE, EVENT, SINCE, WITHDRAWN = range(5)


class Sum(NamedTuple):
    """How much one unit counts: whether it is evaluable yet, had the event, and since when."""

    evaluable: bool
    event: bool
    since_us: int


def wanted(
    plan: Plan, state: SubjectState, infusions: Mapping[str, int], now_us: int
) -> dict[tuple[str, str], Sum]:
    """Everything the subject counts for now; notes in `until` when time alone changes it.

    `infusions`: name -> start of each that was given.
    """
    result: dict[tuple[str, str], Sum] = {}
    enrolled = enrolled_part(state.enrolment)
    if enrolled is not None:
        result[ENROLLED, "subject"] = Sum(True, True, enrolled[START])
    for name, start_us in infusions.items():
        result[INFUSED, f"infusion:{name}"] = Sum(True, True, start_us)
    for rule_id, rule in plan.stopping.items():
        state.until.pop(f"@{rule_id}", None)
        if state.first_infusion is None or not state.among.get(rule_id, True):
            continue
        start_us = state.first_infusion[0]
        found = state.endpoints.get(rule_id)
        window_end = start_us + rule.window_days * DAY_US
        if found:
            result[rule_id, "subject"] = Sum(True, True, min(found.values()))
        elif window_end <= now_us:
            result[rule_id, "subject"] = Sum(True, False, window_end)
        else:
            result[rule_id, "subject"] = Sum(False, False, start_us)
            state.until[f"@{rule_id}"] = window_end
    return result


def differ(
    state: SubjectState, subject: str, now: Mapping[tuple[str, str], Sum], at_us: int
) -> tuple[Contribution, ...]:
    """The contributions that are new, changed or withdrawn; the state keeps them."""
    told = state.contributions
    result: list[Contribution] = []
    gone = [name for name in sorted(told) if tuple(name.split("|", 1)) not in now]
    for name in gone:
        last = told[name]
        if not last[WITHDRAWN]:
            told[name] = [last[REVISION] + 1, *last[EVALUABLE:WITHDRAWN], True]
            result.append(_contribution(name, subject, told[name], at_us))
    for (rule, unit), counted in sorted(now.items()):
        name = f"{rule}|{unit}"
        last = told.get(name, [0, None, None, None, False])
        if last[EVALUABLE:] != [*counted, False]:
            told[name] = [last[REVISION] + 1, *counted, False]
            result.append(_contribution(name, subject, told[name], at_us))
    return tuple(result)


def _contribution(name: str, subject: str, told: list[int], at_us: int) -> Contribution:
    rule, unit = name.split("|", 1)
    return Contribution(
        rule=rule,
        unit=unit,
        subject=subject,
        evaluable=bool(told[EVALUABLE]),
        event=bool(told[EVENT]),
        since_us=told[SINCE],
        at_us=at_us,
        revision=told[REVISION],
        withdrawn=bool(told[WITHDRAWN]),
    )
