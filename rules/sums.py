"""What one subject counts for in the trial's sums: contributions, and what became of them.

Who comes in: the subject's fold. Who goes out: contributions that differ from the last ones told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rules.events import Contribution
from rules.facts.calendar import Span
from rules.facts.entities import END, START, enrolled_part
from rules.findings import KEY, OCCURRED
from rules.model import StoppingRule
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import Evaluable, Hold
from rules.units import Watched, left_us, place, watched

ENROLLED, INFUSED, PAUSED = "enrolled", "infused", "paused"
RESPONSE = "@response"
TERM = "term:"  # before the term that a repeat counts by
HOLDS = (Hold.ENROLMENT, Hold.TRIAL)  # what a rule may hold of the trial as a whole


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
    result |= _pauses(plan, state) | _repeats(plan, state) | _responses(plan, state)
    for rule_id, rule in plan.stopping.items():
        state.until.pop(f"@{rule_id}", None)
        if state.among.get(rule_id, True):
            result |= _stopping(rule, state, infusions, now_us)
    return result


def _stopping(
    rule: StoppingRule, state: SubjectState, infusions: Mapping[str, Span], now_us: int
) -> dict[tuple[str, str], Sum]:
    """What each unit under watch counts for in one stopping rule."""
    units = watched(rule, state, infusions)
    place(units, (Span(*began) for began in state.endpoints.get(rule.id, {}).values()))
    ends = [one.over_us for one in units if one.over_us is not None and one.over_us > now_us]
    if ends:
        state.until[f"@{rule.id}"] = min(ends)
    left = left_us(state)
    return {(rule.id, one.unit): _counted(rule, one, left, now_us) for one in units}


def _counted(rule: StoppingRule, unit: Watched, left: int | None, now_us: int) -> Sum:
    """One unit: evaluable at its first event, or when its window is over; pending before."""
    start_us, over_us = unit.start.start, unit.over_us
    over = over_us is not None and over_us <= now_us
    early = left is not None and (over_us is None or left < over_us)
    until_us = max(left, start_us) if early and left is not None else None
    happened = bool(unit.events_us)
    if happened and rule.evaluable is Evaluable.AT_EVENT:
        return Sum(True, True, min(unit.events_us), start_us, until_us)
    since_us = over_us if over and over_us is not None else start_us
    return Sum(over, happened, since_us, start_us, until_us)


def _instant(span: Span) -> Sum:
    """Somebody was enrolled or infused then, at the latest at the end of the span."""
    return Sum(True, True, span.start, span.start, span.end)


def _pauses(plan: Plan, state: SubjectState) -> dict[tuple[str, str], Sum]:
    """Every open finding whose rule holds the whole trial."""
    return {
        (PAUSED, f"{rule_id}|{known[KEY]}"): Sum(True, True, known[OCCURRED], what=rule.hold.value)
        for held in state.findings.values()
        for rule_id, known in held.items()
        if (rule := plan.rules.get(rule_id)) is not None and rule.hold in HOLDS
    }


def _repeats(plan: Plan, state: SubjectState) -> dict[tuple[str, str], Sum]:
    """Each term that counts for a repeat, since its first event."""
    result: dict[tuple[str, str], Sum] = {}
    for repeat_id in plan.repeats:
        for start_us, _, term in sorted(state.endpoints.get(repeat_id, {}).values()):
            result.setdefault((repeat_id, f"{TERM}{term}"), Sum(True, True, start_us))
    return result


def _responses(plan: Plan, state: SubjectState) -> dict[tuple[str, str], Sum]:
    """As what the subject counts in each response rate; one that is pending is not evaluable."""
    held = {rate_id: state.endpoints.get(rate_id, {}).get(RESPONSE) for rate_id in plan.responses}
    return {
        (rate_id, "subject"): Sum(bool(told[1]), bool(told[2]), told[0])
        for rate_id, told in held.items()
        if told is not None
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
