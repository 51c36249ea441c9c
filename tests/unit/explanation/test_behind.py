"""A rule of any scope that names the decision is told with the data behind it, and its clauses."""

from __future__ import annotations

from datetime import datetime

import pytest

import rules
from rules.facts.calendar import to_us
from tests.support.small import SMALL

RULES = """\
  - {id: AE-NOT-ELIGIBLE, on: adverse_event, category: safety, severity: serious, when: grade >= 3 && decision == "ineligible", title: A, action: Ask., source: {document: record}}
  - {id: VISIT-NOT-ELIGIBLE, on: visit, category: conduct, severity: info, when: visit_status == "overdue" && I3 == "not_met", title: V, action: Ask., source: {document: record}}
  - {id: LAB-NOT-ELIGIBLE, on: laboratory, category: safety, severity: info, when: lab_value > 38 && decision == "ineligible", title: L, action: Ask., source: {document: record}}
  - {id: INFUSED-NOT-ELIGIBLE, on: infusion, category: safety, severity: info, when: decision == "ineligible", title: I, action: Ask., source: {document: record}}
  - {id: ENROLLED-NOT-ELIGIBLE, on: enrolment, category: safety, severity: info, when: decision == "ineligible", title: E, action: Ask., source: {document: record}}
stopping:
"""
SCHEDULE = """\
schedule:
  - {id: day_1, label: Day 1, after: enrolment, day: 1, early_days: 0, late_days: 0, source: {document: record}}
fixtures:
"""
TEXT = SMALL.replace("stopping:\n", RULES, 1).replace("fixtures:\n", SCHEDULE, 1)
STORY = [
    ("demographics", "2026-01-05T09:00:00+09:00", {"birth_date": "1980", "sex": "male"}),
    ("assessment", "2026-01-05T09:00:00+09:00", {"code": "ecog", "value": 4}),
    ("enrolment", "2026-01-06T09:00:00+09:00", {"status": "enrolled"}),
    (
        "administration",
        "2026-01-06T10:00:00+09:00",
        {"product": "p", "number": 1, "status": "completed", "start": "2026-01-06T10:00:00+09:00"},
    ),
    (
        "adverse_event",
        "2026-01-07T09:00:00+09:00",
        {"ae": "a1", "term": "Sepsis", "grade": 4, "onset": "2026-01-07"},
    ),
    (
        "observation",
        "2026-01-07T09:00:00+09:00",
        {"code": "temperature", "value": 39.0, "unit": "Cel"},
    ),
]


def us(text):
    return to_us(datetime.fromisoformat(text))


@pytest.fixture(scope="module")
def changes():
    engine = rules.Engine(rules.loads(TEXT))
    log = []
    for n, (kind, time, data) in enumerate(STORY, 1):
        checked, problems = engine.protocol.checker.check(kind, data, us(time))
        assert problems == []
        event = rules.Event(n, f"ev{n}", "s", f"e{n}", kind, us(time), "second", us(time), checked)
        log.append(event)
    until = us("2026-01-12T09:00:00+09:00")
    outcome = engine.subject_steps("t", "s", None, log, lambda n: log[:n], until)
    return {change.rule: change for result in outcome.results for change in result.changes}


@pytest.mark.parametrize("kind", ["AE", "VISIT", "LAB", "INFUSED", "ENROLLED"])
def test_the_datum_behind_the_decision_is_told_whatever_the_rule_ranges_over(changes, kind):
    change = changes[f"{kind}-NOT-ELIGIBLE"]
    (proof,) = [item for item in change.evidence if item.get("criterion") == "I3"]
    assert (proof["fact"], proof["value"], proof["event"]) == ("ecog", 4, "ev2")
    assert change.explanation["holds"] == "true"
