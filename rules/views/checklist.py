"""What a state says to a person: the eligibility checklist.

Who comes in: Engine.view. Who goes out: plain dicts with the contract's keys, times as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules import anchors
from rules.anchors import Judged, judge
from rules.assessment import names_in
from rules.facts import entities
from rules.facts.absence import absence_of
from rules.facts.calendar import iso
from rules.facts.entities import Override
from rules.facts.projections import UNKNOWN, Reading
from rules.model import Criterion, Scalar
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import Verdict, said


def eligibility(plan: Plan, state: SubjectState) -> dict[str, Any]:
    """The answer of contract section 3 but for trial, subject, pending and held.

    For a live subject it stands for the instant `as_of`, the last one evaluated.
    """
    return checklist(plan, state, judged_now(plan, state))


def checklist(plan: Plan, state: SubjectState, judged: Judged) -> dict[str, Any]:
    """The same of a judgement that was made already."""
    satisfied = judged.satisfied(plan)
    anchor = entities.enrolled_part(state.enrolment)
    return {
        "protocol_version": plan.criteria_version,
        "as_of": iso(state.reached_us),
        "anchor": None
        if anchor is None
        else {"event": anchor[entities.EVENT], "time": iso(anchor[entities.START])},
        "decision": judged.decision.value,
        "criteria": [
            {
                "id": item.id,
                "kind": item.kind.value,
                "text": item.text,
                "verdict": judged.verdicts[item.id].value,
                "satisfied": satisfied[item.id],
                "evidence": _evidence(plan, item, judged),
                "missing": [said(name) for name in judged.missing[item.id]],
                "overridden": _overridden(judged.overridden.get(item.id)),
            }
            for item in plan.definition.criteria
        ],
        "missing": _missing(plan, judged, satisfied),
    }


def facts(plan: Plan, state: SubjectState, names: Iterable[str]) -> dict[str, Scalar | None]:
    """Declared facts at the last instant evaluated, whatever was fixed at an enrolment."""
    timeline, now_us = state.timeline(), max(state.at_us, state.reached_us)
    return {name: plan.read[name](timeline, None, now_us).value for name in names}


def judged_now(plan: Plan, state: SubjectState) -> Judged:
    """The enrolment's judgement where there is one, else that of the last instant."""
    if state.fixed:
        return anchors.unpack(state.fixed)
    timeline = state.timeline()
    now_us = max(state.at_us, state.reached_us)
    readings = {name: plan.read[name](timeline, None, now_us) for name in plan.criteria_facts}
    in_force = entities.overrides_at(state.overrides, plan.calendar, None, now_us)
    return judge(plan, anchors.known(readings), readings, in_force, None)


def _evidence(plan: Plan, item: Criterion, judged: Judged) -> list[dict[str, Any]]:
    """The facts that were recorded; where one is no value, the word that stood in its place."""
    return [
        told(plan, name, judged.readings[name])
        for name in plan.with_inputs(names_in(item.applicable_if, item.when))
        if name in judged.readings and judged.readings[name].event is not None
    ]


def told(plan: Plan, name: str, reading: Reading) -> dict[str, Any]:
    """One reading as evidence."""
    found = {
        "fact": said(name),
        "value": reading.note if reading.value is None else reading.value,
        "unit": plan.unit(name),
        "time": None if reading.time_us is None else iso(reading.time_us),
        "event": reading.event,
    }
    if reading.note is not None and reading.value is not None:
        found["note"] = reading.note
    return found


def _overridden(override: Override | None) -> dict[str, Any] | None:
    if override is None:
        return None
    expires = override.expires_us
    return {
        "by": override.by,
        "at": iso(override.at_us),
        "reason": override.reason,
        "expires": None if expires is None else iso(expires),
    }


def _missing(
    plan: Plan, judged: Judged, satisfied: Mapping[str, bool | None]
) -> list[dict[str, Any]]:
    """Each fact that keeps a criterion open, with the criteria that wait for it."""
    waiting: dict[str, list[str]] = {}
    for criterion, names in judged.missing.items():
        open_still = satisfied[criterion] is None
        for name in names if open_still and _open(judged, criterion) else ():
            waiting.setdefault(name, []).append(criterion)
    return [
        {
            "fact": said(name),
            "label": plan.label(name),
            "criteria": criteria,
            "reason": absence_of(judged.readings.get(name, UNKNOWN)).value,
        }
        for name, criteria in waiting.items()
    ]


def _open(judged: Judged, criterion: str) -> bool:
    return judged.verdicts[criterion] is Verdict.INDETERMINATE
