"""The gate before an infusion: three-valued, as of the infusion's start, and never open unasked."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

import rules
from tests.support.entity_trial import opened
from tests.support.step_logs import at, event

HEAD = """
vigil: 1
protocol:
  {id: gated, version: "1", title: T, time_zone: America/New_York, target: 10, sources: {record: R}}
codes:
  - {code: fever, type: condition, label: Fever}
  - {code: temperature, type: observation, label: Temperature, value: number, unit: Cel}
  - {code: weight, type: observation, label: Weight, value: number, unit: kg}
facts:
  toxicities: {from: adverse_event, take: count, where: grade >= 2 && ae_ongoing}
  warmest: {from: observation, code: temperature, take: max, window: {hours: 24}}
product: {name: Cells, dose_unit: "10*6", weight: weight}
schedule:
  - {id: infusion_1, label: First infusion, administration: 1, after: enrolment, day: 0, late_days: 2, source: {document: record}}
  - {id: infusion_2, label: Second infusion, administration: 2, after: infusion_1, day: 7, early_days: 1, late_days: 1, source: {document: record}}
gate:
  - {id: WARM, text: No fever, closed_when: warmest >= 38, source: {document: record}}
  - {id: TOXIC, text: No toxicity, closed_when: toxicities > 0, source: {document: record}}
  - {id: HELD, text: No hold, closed_when: infusion_held, source: {document: record}}
rules:
  - id: GATE
    on: infusion
    category: safety
    severity: critical
    when: gate != "open"
    title: Given while the gate was not open
    detail: "{gate} closed by {gate_closed_by}; missing {gate_missing}"
    action: A
    source: {document: record}
  - id: DOSE
    on: infusion
    category: safety
    severity: serious
    when: "!has(facts.dose_per_kg) || dose_per_kg > 2"
    title: Dose
    detail: "{dose_per_kg}"
    action: A
    source: {document: record}
  - id: TOXIC
    on: adverse_event
    category: safety
    severity: serious
    when: grade >= 3
    title: Toxic
    action: A
    hold: infusion
    source: {document: record}
  - id: AGAIN
    on: infusion
    category: conduct
    severity: serious
    when: infusion_repeated
    title: Twice
    action: A
    source: {document: record}
  - {id: MISSED, on: visit, category: conduct, severity: warning, when: 'visit_is_infusion && visit_status == "overdue"', title: Missed, action: A, source: {document: record}}
  - {id: SHORT, on: visit, category: conduct, severity: warning, when: 'visit_is_infusion && visit_status == "interrupted"', title: Broken off, action: A, source: {document: record}}
  - {id: LATE, on: visit, category: conduct, severity: warning, when: 'visit_is_infusion && visit_status in ["late", "early"]', title: Outside, action: A, source: {document: record}}
"""


@cache
def engine():
    return rules.Engine(rules.loads(HEAD, "gated.yaml"))


ENROLLED = event(1, "enrolment", "2026-03-02T09:00:00-05:00", status="enrolled")
COOL = event(
    2, "observation", "2026-03-02T09:30:00-05:00", code="temperature", value=36.6, unit="Cel"
)
WEIGHT = event(3, "observation", "2026-03-02T09:30:00-05:00", code="weight", value=50, unit="kg")
START = "2026-03-02T10:00:00-05:00"


def infusion(n, number=1, start=START, time=None, **told):
    data = {"number": number, "status": "completed", "start": start, **told}
    return event(n, "administration", time or start, **data)


def run(*log, until=None):
    """The stream after these events; `until`: how far time then passes."""
    until_us = None if until is None else at(until)
    return engine().subject_steps("t", "S-1", None, log, lambda n: log[:n], until_us)


def alerts(outcome):
    """The rules open at the end."""
    return {rule for rule, _ in opened(outcome)}


def detail(outcome, rule):
    """What was last said by a rule."""
    told = [c for result in outcome.results for c in result.changes if c.rule == rule]
    return told[-1].detail


def test_an_infusion_through_an_open_gate_tells_nobody():
    dose = {"dose": 100, "unit": "10*6"}
    assert alerts(run(ENROLLED, COOL, WEIGHT, infusion(4, **dose))) == set()


def test_a_gate_of_which_a_datum_is_missing_is_not_open():
    outcome = run(ENROLLED, infusion(2, dose=2, unit="10*6/kg"))
    assert alerts(outcome) == {"GATE"}
    assert detail(outcome, "GATE") == "unknown closed by none; missing Temperature"


def test_any_item_that_closes_the_gate_closes_it_whatever_else_is_unknown():
    toxic = event(2, "adverse_event", "2026-03-01T09:00:00-05:00", ae="A", grade=3)
    outcome = run(ENROLLED, toxic, infusion(3, dose=2, unit="10*6/kg"))
    assert detail(outcome, "GATE") == "closed closed by TOXIC, HELD (TOXIC); missing Temperature"


def test_a_fever_after_the_infusion_began_does_not_close_its_gate():
    later = event(
        5, "observation", "2026-03-02T10:00:00-05:00", code="temperature", value=39, unit="Cel"
    )
    first = infusion(4, dose=100, unit="10*6", time="2026-03-02T11:00:00-05:00")
    assert alerts(run(ENROLLED, COOL, WEIGHT, first, later)) == set()


def test_a_fever_that_is_told_late_closes_the_gate_of_an_infusion_that_was_given():
    late = event(
        5,
        "observation",
        "2026-03-02T09:59:00-05:00",
        "2026-03-04T09:00:00-05:00",
        code="temperature",
        value=39,
        unit="Cel",
    )
    given = run(ENROLLED, COOL, WEIGHT, infusion(4, dose=100, unit="10*6"), late)
    assert alerts(given) == {"GATE"}


def test_a_toxicity_that_began_after_an_infusion_holds_only_the_next():
    toxic = event(5, "adverse_event", "2026-03-03T09:00:00-05:00", ae="A", grade=3)
    first = infusion(4, dose=100, unit="10*6")
    assert alerts(run(ENROLLED, COOL, WEIGHT, first, toxic)) == {"TOXIC"}
    log = (ENROLLED, COOL, WEIGHT, first, toxic)
    assert engine().gate(run(*log).state)["gate"] == "closed"


RASH = event(4, "adverse_event", "2026-03-01T09:00:00-05:00", ae="A", grade=2, onset="2026-03-01")


def told_over(time, **over):
    """A report of the rash, made at that time."""
    return event(6, "adverse_event", time, ae="A", **over)


@pytest.mark.parametrize(
    ("over", "then"),
    [
        (told_over("2026-03-04T09:00:00-05:00", resolved="2026-03-01"), set()),
        (told_over("2026-03-04T09:00:00-05:00", resolved="2026-03-02T09:59:00-05:00"), set()),
        (told_over("2026-03-04T09:00:00-05:00", resolved="2026-03-02T10:01:00-05:00"), {"GATE"}),
        (told_over("2026-03-04T09:00:00-05:00", resolved="2026-03-02"), {"GATE"}),
        (told_over("2026-03-04T09:00:00-05:00", resolved="2026-03-03"), {"GATE"}),
        (told_over("2026-03-04T09:00:00-05:00", outcome="recovered"), {"GATE"}),
        (told_over("2026-03-02T09:30:00-05:00", outcome="recovered"), set()),
        (told_over("2026-03-02T09:30:00-05:00", resolved="2026-03-02"), set()),
        (told_over("2026-03-04T09:00:00-05:00", outcome="not recovered"), {"GATE"}),
    ],
)
def test_a_toxicity_was_there_at_an_infusion_until_it_ended_whenever_that_is_told(over, then):
    first = infusion(5, dose=100, unit="10*6")
    outcome = run(ENROLLED, COOL, WEIGHT, RASH, first, over)
    assert alerts(outcome) == then
    ended = over.data.get("outcome") != "not recovered"
    toxic = next(it for it in engine().gate(outcome.state)["items"] if it["id"] == "TOXIC")
    assert toxic["state"] == ("open" if ended else "closed")


@pytest.mark.parametrize("ended", ["2026-03-02", "2026-03-03", "2026-03-02T10:01:00-05:00"])
def test_a_toxicity_told_at_its_onset_with_its_end_was_there_until_then(ended):
    whole: dict[str, Any] = {**RASH.data, "resolved": ended}
    rash = event(4, "adverse_event", "2026-03-01T09:00:00-05:00", **whole)
    first = infusion(5, dose=100, unit="10*6")
    assert alerts(run(ENROLLED, COOL, WEIGHT, rash, first)) == {"GATE"}
    late = replace(rash, n=5, received_us=at("2026-03-09T09:00:00-05:00"))
    assert alerts(run(ENROLLED, COOL, WEIGHT, replace(first, n=4), late)) == {"GATE"}


def test_a_toxicity_told_to_end_on_a_day_to_come_ends_by_time_alone():
    whole: dict[str, Any] = {**RASH.data, "resolved": "2026-03-03"}
    rash = event(4, "adverse_event", "2026-03-01T09:00:00-05:00", **whole)
    state = run(ENROLLED, COOL, WEIGHT, rash).state
    assert toxic_item(state) == "closed"
    log = (ENROLLED, COOL, WEIGHT, rash)
    states = [
        engine().subject_steps("t", "S", state, [], lambda n: list(log[:n]), at(instant)).state
        for instant in ("2026-03-03T23:59:59-05:00", "2026-03-04T00:00:00-05:00")
    ]
    assert [toxic_item(one) for one in states] == ["closed", "open"]


def toxic_item(state):
    (item,) = [it for it in engine().gate(state)["items"] if it["id"] == "TOXIC"]
    return item["state"]


def test_a_toxicity_that_was_told_as_over_before_an_infusion_was_not_there_whatever_follows():
    over = event(5, "adverse_event", "2026-03-02T09:30:00-05:00", ae="A", outcome="recovered")
    dated = event(7, "adverse_event", "2026-03-03T09:00:00-05:00", ae="A", resolved="2026-03-03")
    first = infusion(6, dose=100, unit="10*6")
    assert alerts(run(ENROLLED, COOL, WEIGHT, RASH, over, first, dated)) == set()


def test_of_a_toxicity_dated_by_the_day_of_the_infusion_nobody_knows_whether_it_was_there():
    day = "2026-03-02"
    that_day = event(5, "adverse_event", "2026-03-03T09:00:00-05:00", ae="A", grade=2, onset=day)
    outcome = run(ENROLLED, COOL, WEIGHT, infusion(4, dose=100, unit="10*6"), that_day)
    assert alerts(outcome) == {"GATE"}
    assert detail(outcome, "GATE") == "unknown closed by none; missing Toxicities"


def test_the_gate_is_asked_of_now_item_by_item():
    body = engine().gate(run(ENROLLED, COOL, until="2026-03-03T09:00:00-05:00").state)
    assert body["gate"] == "open"
    assert [(it["id"], it["state"]) for it in body["items"]] == [
        *(("WARM", "open"), ("TOXIC", "open"), ("HELD", "open"))
    ]
    assert body["items"][0]["evidence"][0]["value"] == 36.6
    assert body["items"][0]["clauses"]["holds"] == "false"
    assert body["next_infusion"] == {
        "number": 1,
        "visit": "infusion_1",
        "label": "First infusion",
        "opens": "2026-03-02",
        "due": "2026-03-02",
        "closes": "2026-03-04",
    }


def test_a_temperature_of_yesterday_leaves_the_gate_unknown():
    body = engine().gate(run(ENROLLED, COOL, until="2026-03-03T09:31:00-05:00").state)
    assert body["gate"] == "unknown"
    assert body["items"][0]["missing"] == ["warmest"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"dose": 100, "unit": "10*6"}, None),
        ({"dose": 0.1, "unit": "10*9"}, None),
        ({"dose": 101, "unit": "10*6"}, "2.02"),
        ({"dose": 2.5, "unit": "10*6/kg"}, "2.5"),
        ({}, "not recorded"),
    ],
)
def test_a_dose_is_told_per_kg_in_the_unit_of_the_product(told, expected):
    outcome = run(ENROLLED, COOL, WEIGHT, infusion(4, **told))
    assert (detail(outcome, "DOSE") if expected else alerts(outcome)) == (expected or set())


def test_without_a_weight_the_dose_per_kg_is_not_known_and_that_is_told():
    assert alerts(run(ENROLLED, COOL, infusion(3, dose=100, unit="10*6"))) == {"DOSE"}


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"dose": 2, "unit": "mL"}, "/data/unit"),
        ({"dose": 2}, "/data/unit"),
        ({"dose": 2, "unit": "10*6/kg"}, None),
        ({"unit": "mL"}, None),
    ],
)
def test_a_dose_that_does_not_convert_is_refused_at_the_door(data, pointer):
    told = {"status": "completed", "number": 1, **data}
    found = engine().protocol.problems("administration", told, at(START))
    assert [one[0] for one in found] == ([] if pointer is None else [pointer])


def test_an_infusion_of_the_schedule_is_missed_when_its_window_has_passed():
    dose = {"dose": 100, "unit": "10*6"}
    log = (ENROLLED, COOL, WEIGHT, infusion(4, **dose))
    assert alerts(run(*log, until="2026-03-10T23:59:00-05:00")) == set()
    assert alerts(run(*log, until="2026-03-11T00:01:00-05:00")) == {"MISSED"}


def test_nobody_waits_for_infusions_once_treatment_was_stopped():
    log = (
        *(ENROLLED, COOL, WEIGHT, infusion(4, dose=100, unit="10*6")),
        event(5, "enrolment", "2026-03-05T09:00:00-05:00", status="treatment_stopped"),
    )
    assert alerts(run(*log, until="2026-03-20T00:01:00-05:00")) == set()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"status": "interrupted"}, "SHORT"),
        ({"start": "2026-03-05T10:00:00-05:00"}, "LATE"),
        ({"start": "2026-03-01T10:00:00-05:00"}, "LATE"),
    ],
)
def test_an_infusion_is_interrupted_late_or_early(told, expected):
    assert expected in alerts(run(ENROLLED, COOL, WEIGHT, infusion(4, **told)))


def test_an_infusion_that_was_given_on_two_days_is_told_as_repeated():
    again = infusion(5, start="2026-03-04T10:00:00-05:00")
    assert "AGAIN" in alerts(run(ENROLLED, COOL, WEIGHT, infusion(4), again))
    assert "AGAIN" not in alerts(run(ENROLLED, COOL, WEIGHT, infusion(4), infusion(5)))
