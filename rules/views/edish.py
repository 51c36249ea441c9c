"""Where a subject's highest liver values lie: the eDISH quadrant, and what Hy's law says beside it.

Who comes in: the engine, subject by subject. Who goes out: plain dicts with the contract's keys,
times as text. Who cannot be placed is told with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rules.clinical.hys_law import Law, Sample
from rules.facts import liver
from rules.facts.calendar import iso
from rules.model import Definition, FactSpec
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import EventType, Take, Unplaced, said

Json = dict[str, Any]
_CHOLESTASIS = {
    Law.CANDIDATE: "excluded",
    Law.CHOLESTATIC: "recorded",
    Law.CHOLESTASIS_UNKNOWN: "unknown",
}


def figures(definition: Definition) -> list[Json]:
    """Every fact of quadrants, with its limits and the fact of Hy's law over the same tests."""
    found = []
    for spec in _quadrants(definition):
        assert spec.liver is not None
        law = _law_beside(definition, spec)
        found.append(
            {
                "fact": spec.name,
                "label": spec.label,
                "transaminase_limit": spec.liver.at_times,
                "bilirubin_limit": spec.liver.bilirubin_times,
                "hys_law_fact": None if law is None else law.name,
            }
        )
    return found


def placed(plan: Plan, state: SubjectState) -> dict[str, Json]:
    """By fact of quadrants, where the subject lies at the last instant of its state."""
    return {spec.name: _one(plan, state, spec) for spec in _quadrants(plan.definition)}


def unseen() -> Json:
    """Of a subject of whom nothing was evaluated with the fact."""
    nothing = dict.fromkeys(
        (
            *("quadrant", "transaminase", "bilirubin", "transaminase_over_baseline"),
            *("bilirubin_over_baseline", "hys_law", "cholestasis", "note"),
        )
    )
    return {**nothing, "unplaced": Unplaced.NOT_EVALUATED.value, "limits_missing": []}


def _quadrants(definition: Definition) -> Iterator[FactSpec]:
    for spec in definition.facts.values():
        if spec.take is Take.EDISH and said(spec.name) == spec.name:
            yield spec


def _law_beside(definition: Definition, spec: FactSpec) -> FactSpec | None:
    """The first fact of Hy's law over the same transaminases and the same bilirubin."""
    wanted = _codes(spec)
    for other in definition.facts.values():
        if other.take is Take.HYS_LAW and _codes(other) == wanted:
            return other
    return None


def _codes(spec: FactSpec) -> dict[str, str]:
    assert spec.liver is not None
    told = zip(spec.liver.tests, (spec.code, *spec.also), strict=True)
    return {test: code for test, code in told if test != "alp"}


def _one(plan: Plan, state: SubjectState, spec: FactSpec) -> Json:
    timeline = state.timeline()
    found = liver.highest_of(spec, timeline, plan.calendar)
    told = liver.values(spec, timeline)
    unlimited = [test for test, some in told.items() if liver.without_limit(some)]
    measured = bool((told["alt"] or told["ast"]) and told["bilirubin"])
    missing = Unplaced.LIMITS_MISSING if measured else Unplaced.NOT_MEASURED
    return {
        "quadrant": None if found.quadrant is None else found.quadrant.value,
        "unplaced": missing.value if found.quadrant is None else None,
        "transaminase": _value(plan.definition, spec, found.at),
        "bilirubin": _value(plan.definition, spec, found.bilirubin),
        "limits_missing": unlimited,
        **_law(plan, state, spec),
    }


def _value(definition: Definition, spec: FactSpec, sample: Sample | None) -> Json | None:
    if sample is None:
        return None
    code = _codes(spec)[sample.test]
    return {
        "test": sample.test,
        "value": sample.value,
        "unit": definition.codes[EventType.OBSERVATION, code].unit,
        "upper_limit": sample.upper,
        "times_upper_limit": sample.times,
        "time": iso(sample.time_us),
        "event": sample.event,
    }


def _law(plan: Plan, state: SubjectState, spec: FactSpec) -> Json:
    """What Hy's law says of the same tests; all null where the protocol does not ask it."""
    law = _law_beside(plan.definition, spec)
    if law is None:
        named = ("transaminase_over_baseline", "bilirubin_over_baseline", "hys_law", "cholestasis")
        return dict.fromkeys((*named, "note"))
    timeline, now_us = state.timeline(), max(state.at_us, state.reached_us)
    reading = plan.read[law.name](timeline, None, now_us)
    at, bilirubin = None, None
    if law.baseline is not None:
        since = plan.moment(law.baseline)(timeline, None, now_us)
        at, bilirubin = liver.over_baseline(law, timeline, plan.calendar, since)
    word = None if reading.value is None else Law(str(reading.value))
    return {
        "transaminase_over_baseline": at,
        "bilirubin_over_baseline": bilirubin,
        "hys_law": None if word is None else word.value,
        "cholestasis": None if word is None else _CHOLESTASIS.get(word),
        "note": reading.note,
    }
