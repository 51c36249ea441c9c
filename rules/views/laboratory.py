"""A subject's laboratory series as people read them: every value with its grade and its change.

Who comes in: Engine.laboratory_view with a state and the events that it was made of. Who goes out:
plain dicts, times as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rules.events import Event
from rules.facts import graded, grading, laboratory
from rules.facts.calendar import Span, iso
from rules.facts.graded import Scales
from rules.facts.laboratory import END, EVENT, HIGH, LOW, START, VALUE, Record, Series
from rules.facts.log import effective
from rules.language.vocabulary import numeric_observations
from rules.model import Code
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import EventType

Json = dict[str, Any]


def series(plan: Plan, state: SubjectState, log: Sequence[Event]) -> Json:
    """Every series in the protocol's order; `first_infusion`: what the baselines lie before.

    Of values dated by their day alone `time` is the day's beginning.
    """
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    told = _told(plan, log)
    items = []
    for name in numeric_observations(plan.definition.codes):
        if name in told:
            code = plan.definition.codes[EventType.OBSERVATION, name]
            items.append(
                _item(
                    code, grading.of_code(plan.definition, code), _based(told[name], first), first
                )
            )
    return {"first_infusion": None if first is None else iso(first.start), "items": items}


def _told(plan: Plan, log: Sequence[Event]) -> dict[str, Series]:
    """The whole series, corrections applied."""
    found: dict[str, Series] = {}
    for event in effective(log, plan.calendar, plan.protocol.checker).events:
        name = str(event.data.get("code"))
        code = plan.definition.codes.get((EventType.OBSERVATION, name))
        if event.type == EventType.OBSERVATION.value and code is not None:
            record = laboratory.record(event, code, plan.calendar)
            if record is not None:
                found[name] = laboratory.put(found.get(name), record)
    return found


def _item(code: Code, scales: Scales, held: Series, first: Span | None) -> Json:
    return {
        "code": code.code,
        "label": code.label,
        "unit": code.unit,
        "ctcae": code.ctcae or None,
        "values": [_value(one, scales, held, first) for one in held[laboratory.RECORDS]],
    }


def _based(held: Series, first: Span | None) -> Series:
    """The series with its baseline at hand, so that each value need not look for it."""
    return held if first is None else laboratory.with_base(held, first)


def _value(one: Record, scales: Scales, held: Series, first: Span | None) -> Json:
    return {
        "event": one[EVENT],
        "time": iso(one[START]),
        "exact": one[START] == one[END],
        "value": one[VALUE],
        "reference_low": one[LOW],
        "reference_high": one[HIGH],
        "baseline": laboratory.place_of(held, one, first) is laboratory.Place.BASELINE,
        "change_percent": laboratory.change_percent(held, one, first),
        **_graded(one, scales, held, first),
    }


def _graded(one: Record, scales: Scales, held: Series, first: Span | None) -> Json:
    """The grade; every key null where the protocol grades no such values."""
    if not scales:
        keys = ("grade", "min", "max", "term", "reason", "baseline_grade", "rise")
        return dict.fromkeys(keys)
    found = graded.compared(scales, held, one, first)
    grade = found.now.grade._asdict()
    return {**grade, "term": found.now.label, "baseline_grade": found.base, "rise": found.rise}
