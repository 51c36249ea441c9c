"""What one subject counts for in the trial's sums: contributions, and what became of them.

Who comes in: the subject's fold. Who goes out: contributions that differ from the last ones told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rules.events import Contribution
from rules.facts.calendar import DAY_US, Span
from rules.facts.entities import END, START, enrolled_part
from rules.findings import KEY, OCCURRED
from rules.plan import Plan
from rules.state import SubjectState

ENROLLED, INFUSED, PAUSED = "enrolled", "infused", "paused"
HOLDING = ("enrolment", "trial")  # what a rule may hold of the trial as a whole


class Sum(NamedTuple):
    """How much one unit counts: whether it is evaluable yet, had the event, and since when.

    `start_us`, `until_us`, `what`: as Contribution has them.
    """

    evaluable: bool
    event: bool
    since_us: int
    start_us: int | None = None
    until_us: int | None = None
    what: str | None = None


_NOTHING = (0, [None] * len(Sum._fields), False)  # revision, what was told, withdrawn


def wanted(
    plan: Plan, state: SubjectState, infusions: Mapping[str, Span], now_us: int
) -> dict[tuple[str, str], Sum]:
    """Everything the subject counts for now; notes in `until` when time alone changes it.

    `infusions`: name -> when each that was given began.
    """
    result: dict[tuple[str, str], Sum] = {}
    enrolled = enrolled_part(state.enrolment)
    if enrolled is not None:
        result[ENROLLED, "subject"] = _instant(Span(enrolled[START], enrolled[END]))
    for name, span in infusions.items():
        result[INFUSED, f"infusion:{name}"] = _instant(span)
    result |= _pauses(plan, state)
    for rule_id, rule in plan.stopping.items():
        state.until.pop(f"@{rule_id}", None)
        if state.first_infusion is None or not state.among.get(rule_id, True):
            continue
        start_us = state.first_infusion[0]
        found = state.endpoints.get(rule_id)
        window_end = start_us + rule.window_days * DAY_US
        if found:
            result[rule_id, "subject"] = Sum(True, True, min(found.values()), start_us)
        elif window_end <= now_us:
            result[rule_id, "subject"] = Sum(True, False, window_end, start_us)
        else:
            result[rule_id, "subject"] = Sum(False, False, start_us, start_us)
            state.until[f"@{rule_id}"] = window_end
    return result


def _instant(span: Span) -> Sum:
    """Somebody was enrolled or infused then, at the latest at the end of the span."""
    return Sum(True, True, span.start, span.start, span.end)


def _pauses(plan: Plan, state: SubjectState) -> dict[tuple[str, str], Sum]:
    """Every open finding whose rule holds the whole trial."""
    return {
        (PAUSED, f"{rule_id}|{known[KEY]}"): Sum(True, True, known[OCCURRED], what=rule.hold)
        for held in state.findings.values()
        for rule_id, known in held.items()
        if (rule := plan.rules.get(rule_id)) is not None and rule.hold in HOLDING
    }


def differ(
    state: SubjectState, subject: str, now: Mapping[tuple[str, str], Sum], at_us: int
) -> tuple[Contribution, ...]:
    """The contributions that are new, changed or withdrawn; the state keeps them."""
    told = state.contributions
    result: list[Contribution] = []
    gone = [name for name in sorted(told) if tuple(name.split("|", 1)) not in now]
    for name in gone:
        revision, last, withdrawn = told[name]
        if not withdrawn:
            told[name] = [revision + 1, last, True]
            result.append(_contribution(name, subject, told[name], at_us))
    for (rule, unit), counted in sorted(now.items()):
        name = f"{rule}|{unit}"
        revision, last, withdrawn = told.get(name, _NOTHING)
        if withdrawn or list(last) != list(counted):
            told[name] = [revision + 1, list(counted), False]
            result.append(_contribution(name, subject, told[name], at_us))
    return tuple(result)


def _contribution(name: str, subject: str, told: list[Any], at_us: int) -> Contribution:
    rule, unit = name.split("|", 1)
    revision, last, withdrawn = told
    return Contribution(
        rule=rule,
        unit=unit,
        subject=subject,
        at_us=at_us,
        revision=revision,
        withdrawn=withdrawn,
        **Sum(*last)._asdict(),
    )
