"""Whose it is to find out, and until when: what the schedule says of a missing datum."""

from __future__ import annotations

from datetime import datetime

import pytest

import rules
from rules.explanation import cells
from rules.facts.calendar import to_us
from rules.model import Compare, FactSpec, In
from rules.terms import EventType, Take, ValueType
from tests.support.small import SMALL

SCHEDULE = """\
schedule:
  - {id: baseline, label: Baseline, after: screening, day: 7, early_days: 3, late_days: 2, collects: [ecog], owner: site coordinator, source: {document: record}}
  - {id: day_28, label: Day 28, after: first_infusion, day: 28, early_days: 2, late_days: 3, collects: [hiv, ecog], source: {document: record}}
"""
ENGINE = rules.Engine(rules.loads(SMALL.replace("fixtures:", SCHEDULE + "fixtures:", 1)))


def us(text):
    return to_us(datetime.fromisoformat(text))


def event(n, kind, time, **data):
    checked, problems = ENGINE.protocol.checker.check(kind, data, us(time))
    assert problems == []
    return rules.Event(n, f"ev{n}", "s", f"e{n}", kind, us(time), "second", us(time), checked)


def worklist(*told, until):
    log = [event(n, *one[:2], **one[2]) for n, one in enumerate(told, 1)]
    outcome = ENGINE.subject_steps("t", "s", None, log, lambda n: log[:n], us(until))
    return {item["fact"]: item for item in ENGINE.worklist(outcome.state)["items"]}


BORN = ("demographics", "2026-01-05T09:00:00+09:00", {"birth_date": "1980", "sex": "female"})
SCREENED = ("enrolment", "2026-01-06T23:30:00+09:00", {"status": "screened"})


def test_a_datum_is_due_by_the_last_local_day_of_the_next_visit_that_collects_it():
    found = worklist(BORN, SCREENED, until="2026-01-10T09:00:00+09:00")
    ecog = found["ecog"]
    assert (ecog["visit"], ecog["owner"], ecog["due"]) == (
        "baseline",
        "site coordinator",
        "2026-01-15",
    )


def test_where_the_anchor_has_not_happened_the_visit_is_named_without_a_date():
    found = worklist(BORN, SCREENED, until="2026-01-10T09:00:00+09:00")
    hiv = found["hiv"]
    assert (hiv["visit"], hiv["owner"], hiv["due"]) == ("day_28", None, None)
    assert worklist(BORN, until="2026-01-10T09:00:00+09:00")["ecog"]["due"] is None


def test_after_a_visits_last_day_the_next_one_that_collects_it_is_meant():
    found = worklist(BORN, SCREENED, until="2026-01-20T09:00:00+09:00")
    assert (found["ecog"]["visit"], found["ecog"]["due"]) == ("day_28", None)


def spec(kind, **more):
    return FactSpec("x", EventType.OBSERVATION, "x", kind, **more)


@pytest.mark.parametrize(
    ("compared", "kind", "within", "expected"),
    [
        ([Compare("x", "<", 18)], ValueType.INTEGER, (0, 120), [(0, 17), (18, 120)]),
        ([Compare("x", ">", 18)], ValueType.INTEGER, (0, 120), [(0, 18), (19, 120)]),
        ([Compare("x", "==", 3)], ValueType.INTEGER, (3, 5), [(3, 3), (4, 5)]),
        ([In("x", (0, 1, 2))], ValueType.INTEGER, (0, 5), [(0, 2), (3, 5)]),
        (
            [Compare("x", "<", 38), Compare("x", ">=", 38)],
            ValueType.NUMBER,
            (25, 45),
            [(25, 38), (38, 45)],
        ),
    ],
)
def test_values_that_no_comparison_tells_apart_are_one_cell(compared, kind, within, expected):
    found = cells.space(spec(kind), compared, within)
    assert [(cell.low, cell.high) for cell in found.cells] == expected
    for number, cell in enumerate(found.cells):
        assert found.index(cell.value) == number


def test_a_count_is_never_below_zero_and_a_change_may_be():
    protocol = ENGINE.protocol.definition
    assert cells.limits(protocol, spec(ValueType.INTEGER, take=Take.COUNT))[0] == 0
    change = spec(ValueType.NUMBER, take=Take.CHANGE_FROM_BASELINE)
    assert cells.limits(protocol, change)[0] < 0
