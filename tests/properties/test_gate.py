"""The gate at an infusion is the gate that was asked for just before it.

What happens is told as it happens: then what a rule is told of an infusion's gate, with all that
is known later, and what the page would have shown an instant before must be the same, item by item.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from rules.facts.calendar import to_us
from tests.support.step_logs import event

HEAD = """
vigil: 1
protocol: {id: gates, version: "1", title: T, time_zone: America/New_York, target: 10, sources: {record: R}}
codes:
  - {code: fever, type: condition, label: Fever}
  - {code: temperature, type: observation, label: Temperature, value: number, unit: Cel}
  - {code: alt, type: observation, label: ALT, value: number, unit: U/L, ctcae: alt}
  - {code: watched, type: assessment, label: Watched, value: boolean}
facts:
  warmest: {from: observation, code: temperature, take: max, window: {hours: 24}}
  feverish: {from: condition, code: fever, take: touches_span, window: {days: 2}}
  watched: {from: assessment, code: watched, take: latest, window: {since: last_infusion}}
  toxicities: {from: adverse_event, take: count, where: "(!has(facts.grade) || grade >= 2) && is_suspected && ae_ongoing"}
gate:
  - {id: WARM, text: No fever, closed_when: warmest >= 38 || feverish, source: {document: record}}
  - {id: TOXIC, text: No toxicity, closed_when: toxicities > 0, source: {document: record}}
  - {id: WATCHED, text: Watched, applicable_if: infusions > 0, closed_when: "!watched", source: {document: record}}
  - {id: HELD, text: No hold, closed_when: infusion_held, source: {document: record}}
  - {id: STUDY, text: On study, closed_when: "!enrolled || !on_study", source: {document: record}}
rules:
  - id: GATE
    on: infusion
    category: safety
    severity: critical
    when: infusion_number >= 4
    title: The gate
    detail: "{gate}/{gate_closed_by}/{gate_missing}"
    action: A
    source: {document: record}
  - {id: SEVERE, on: adverse_event, category: safety, severity: serious, when: grade >= 4, title: T, action: A, hold: infusion, source: {document: record}}
  - {id: HOT, on: subject, category: safety, severity: serious, when: on_study && warmest >= 39, title: T, action: A, hold: infusion, source: {document: record}}
  - {id: LIVER, on: laboratory, category: safety, severity: critical, when: "on_study && lab_grade >= 3 && (!has(facts.lab_grade_rise) || lab_grade_rise > 0)", title: T, action: A, hold: infusion, source: {document: record}}
  - {id: AGAIN, on: infusion, category: conduct, severity: serious, when: infusion_repeated, title: T, action: A, hold: infusion, source: {document: record}}
"""
BEGIN = datetime.fromisoformat("2026-03-02T08:00:00-05:00")


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(HEAD, "gates.yaml"))


def observed(code: str, unit: str, *values: float) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    told = {"code": code, "unit": unit} | ({"reference_high": 40} if code == "alt" else {})
    return st.sampled_from(values).map(lambda value: ("observation", {**told, "value": value}))


def ae(**choices: tuple[Any, ...]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    more = {name: st.sampled_from(some) for name, some in choices.items()}
    return st.fixed_dictionaries({"ae": st.sampled_from("AB")}, optional=more).map(
        lambda data: ("adverse_event", data)
    )


SAID = st.one_of(
    observed("temperature", "Cel", 36.6, 37.9, 38, 39.5),
    observed("alt", "U/L", 30, 90, 150, 300, 900),
    st.sampled_from(["active", "resolved", "absent"]).map(
        lambda status: ("condition", {"code": "fever", "status": status})
    ),
    st.booleans().map(lambda value: ("assessment", {"code": "watched", "value": value})),
    ae(grade=(1, 2, 4), causality=("related", "unrelated"), outcome=("recovered", "not recovered")),
    ae(status=("withdrawn", "valid")),
    ae(resolved=("told",)),
    st.sampled_from(["enrolled", "withdrawn"]).map(
        lambda status: ("enrolment", {"status": status})
    ),
    st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["completed", "not_done"])).map(
        lambda told: ("administration", {"number": told[0], "status": told[1]})
    ),
)
# What may follow: of an event that was there before it, how it ended; whatever else is news.
LATER = st.one_of(
    observed("temperature", "Cel", 36.6, 39.5),
    observed("alt", "U/L", 30, 900),
    st.booleans().map(lambda value: ("assessment", {"code": "watched", "value": value})),
    ae(resolved=("told",), outcome=("recovered", "not recovered")),
    st.sampled_from([1, 4]).map(lambda grade: ("adverse_event", {"ae": "C", "grade": grade})),
    st.just(("administration", {"number": 5, "status": "completed"})),
    st.just(("enrolment", {"status": "withdrawn"})),
)
STEPS = st.lists(st.tuples(st.sampled_from([20, 300, 1700]), SAID), max_size=14)


Steps = list[tuple[int, tuple[str, dict[str, Any]]]]


def log_of(steps: Steps, begin: datetime = BEGIN, first: int = 1) -> list[rules.Event]:
    """Events told as they happen."""
    at, made = begin, []
    for n, (minutes, (kind, data)) in enumerate(steps, first):
        at += timedelta(minutes=minutes)
        ended = {"resolved": at.isoformat()} if "resolved" in data else {}
        made.append(event(n, kind, to_us(at), **(data | ended)))
    return made


def gate_before(known: list[rules.Event], infusion: rules.Event) -> str:
    """What the page would have shown an instant before the infusion."""
    until_us = infusion.time_us - 1
    state = engine().subject_steps("t", "S", None, known, lambda n: known[:n], until_us).state
    body = engine().gate(state)
    items = body["items"]
    closing = ", ".join(closed_by(it) for it in items if it["state"] == "closed") or "none"
    names = dict.fromkeys(name for it in items for name in it["missing"])
    missing = ", ".join(LABELS.get(name, name) for name in names) or "none"
    return f"{body['gate']}/{closing}/{missing}"


def closed_by(item: dict[str, Any]) -> str:
    """An item, and the rules that hold the infusion where it asks for them."""
    return f"{item['id']} ({', '.join(item['held_by'])})" if item["held_by"] else str(item["id"])


LABELS = {
    "warmest": "Temperature",
    "feverish": "Fever",
    "watched": "Watched",
    "toxicities": "Toxicities",
}


def gate_at_the_infusion(log: list[rules.Event]) -> str:
    """What a rule about it was told, in the end."""
    outcome = engine().subject_steps("t", "S", None, log, lambda n: log[:n], None)
    told = [one for result in outcome.results for one in result.changes if one.rule == "GATE"]
    return next(one.detail for one in reversed(told) if one.key == "infusion:4")


def infusion_4(n: int, given_at: datetime) -> rules.Event:
    start = given_at.isoformat()
    return event(n, "administration", to_us(given_at), number=4, status="completed", start=start)


@settings(max_examples=200, deadline=None)
@given(before=STEPS, after=st.lists(st.tuples(st.sampled_from([20, 1700]), LATER), max_size=6))
def test_the_gate_at_an_infusion_is_the_gate_asked_for_at_that_instant(before, after):
    known = log_of([(0, ("enrolment", {"status": "enrolled"})), *before])
    at = datetime.fromtimestamp(known[-1].time_us / 1_000_000, BEGIN.tzinfo)
    given_at = at + timedelta(minutes=30)
    infusion = infusion_4(len(known) + 1, given_at)
    later = log_of(after, given_at, len(known) + 2)
    assert gate_at_the_infusion([*known, infusion, *later]) == gate_before(known, infusion)


def test_a_series_told_late_of_before_an_infusion_closes_its_gate_and_one_of_after_does_not():
    started = ("enrolment", {"status": "enrolled"})
    alt: dict[str, Any] = {"code": "alt", "value": 900, "unit": "U/L", "reference_high": 40}
    infusion = infusion_4(2, BEGIN + timedelta(hours=2))
    told_us = to_us(BEGIN + timedelta(hours=9))
    for hours, closing in ((1, "HELD (LIVER)"), (3, "none")):
        late = event(3, "observation", to_us(BEGIN + timedelta(hours=hours)), told_us, **alt)
        log = [*log_of([(0, started)]), infusion, late]
        assert gate_at_the_infusion(log).split("/")[1] == closing
