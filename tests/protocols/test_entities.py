"""Item by item what rules may range over, as a protocol's author writes it: a file with scenarios."""

from __future__ import annotations

from functools import cache

import pytest

import rules
from rules.checking.scenarios import check_scenario
from rules.model import Scenario

FILE = """
vigil: 1
protocol:
  id: escalation
  version: "1"
  title: Two cohorts, four kinds of entity
  time_zone: Europe/Berlin
  target: 12
  sex: all
  outcomes: {primary: [Toxicity], secondary: [Response]}
  sources: {plan: The plan}
codes:
  - {code: alt, type: observation, label: Alanine aminotransferase, value: number, unit: U/L}
  - {code: cohort, type: assessment, label: Cohort, value: code, values: [dose_1, dose_2]}
schedule:
  - {id: day_28, label: Day 28, after: first_infusion, day: 28, early_days: 2, late_days: 3, collects: [alt], owner: site coordinator, source: {document: plan}}
relations:
  preceding_infusion: {on: adverse_event, to: infusion, take: last_before, within: {days: 30}}
facts:
  severe_events: {from: adverse_event, take: count, where: grade >= 3}
  given_dose: {from: administration, field: dose, take: sum}
rules:
  - {id: S-REACTION, on: adverse_event, category: safety, severity: serious, when: grade >= 2 && preceding_infusion_hours_since <= 24 && cohort == "dose_2", title: "Reaction to infusion {preceding_infusion_number}", detail: "Grade {grade}, {preceding_infusion_hours_since} h after {preceding_infusion_dose}", action: Stop infusing., source: {document: plan}}
  - {id: S-MANY, on: subject, category: safety, severity: warning, when: severe_events >= 2 && given_dose > 5, title: Many severe events, detail: "{severe_events}", action: Look., source: {document: plan}}
  - {id: S-SECOND, on: infusion, category: safety, severity: critical, when: severe_events >= 1 && infusion_number >= 2, title: "Infusion {infusion_number} after a severe event", detail: "{severe_events}", action: Wait., source: {document: plan}, hold: infusion}
  - {id: C-VISIT, on: visit, category: conduct, severity: warning, when: 'visit_status == "overdue" && visit_off_days >= 5 && on_study', title: "{visit_label} is overdue", detail: "Due {visit_due}; {visit_owner}", action: Call the subject., source: {document: plan}}
  - {id: L-LIVER, on: laboratory, category: safety, severity: serious, when: 'enrolled && (lab_ratio_to_high >= 5 || (lab_high_in_a_row >= 2 && lab_change_percent >= 100))', title: "{lab_label}", detail: "{lab_value}", action: Repeat it., source: {document: plan}}
  - {id: ST-1, on: trial, category: stopping, severity: critical, when: st_dlt_1_crossed, title: Dose 1 is too toxic, detail: "{st_dlt_1_events} of {st_dlt_1_subjects}", action: Stop., source: {document: plan}, hold: enrolment}
  - {id: ST-2, on: trial, category: stopping, severity: critical, when: st_dlt_2_crossed, title: Dose 2 is too toxic, detail: "{st_dlt_2_events} of {st_dlt_2_subjects}", action: Stop., source: {document: plan}, hold: enrolment}
stopping:
  - {id: ST-DLT-1, title: Dose 1, method: table, endpoint: grade >= 3 && preceding_infusion_hours_since <= 168, among: cohort == "dose_1", window_days: 28, table: [[2, 2]], source: {document: plan}}
  - {id: ST-DLT-2, title: Dose 2, method: table, endpoint: grade >= 3 && preceding_infusion_hours_since <= 168, among: cohort == "dose_2", window_days: 28, table: [[2, 2]], source: {document: plan}}
fixtures:
  on_dose_1:
    - {type: assessment, time: "2026-03-01T08:00:00+01:00", data: {code: cohort, value: dose_1}}
    - {type: enrolment, time: "2026-03-01T09:00:00+01:00", data: {status: enrolled}}
    - {type: administration, time: "2026-03-02T10:00:00+01:00", data: {number: 1, status: completed, dose: 1}}
  on_dose_2:
    - {type: assessment, time: "2026-03-01T08:00:00+01:00", data: {code: cohort, value: dose_2}}
    - {type: enrolment, time: "2026-03-01T09:00:00+01:00", data: {status: enrolled}}
    - {type: administration, time: "2026-03-02T10:00:00+01:00", data: {number: 1, status: completed, dose: 3}}
scenarios:
  - name: An adverse event speaks of its infusion and of the subject's cohort
    given: [on_dose_2]
    events:
      - {type: adverse_event, time: "2026-03-03T09:00:00+01:00", data: {ae: A, grade: 2}}
    expect: {alerts: [S-REACTION]}
  - name: The same in the other cohort, or a day later, is no reaction
    given: [on_dose_1]
    events:
      - {type: adverse_event, time: "2026-03-03T09:00:00+01:00", data: {ae: A, grade: 2}}
    expect: {opened: []}
  - name: An onset known by its day alone leaves the hours open
    given: [on_dose_2]
    events:
      - {type: adverse_event, time: "2026-03-04T09:00:00+01:00", data: {ae: A, grade: 2, onset: "2026-03-03"}}
      - {type: adverse_event, time: "2026-03-05T09:00:00+01:00", data: {ae: A, onset: "2026-03-03T09:59:00+01:00"}}
    expect:
      - {at: "2026-03-04T10:00:00+01:00", alerts: []}
      - {alerts: [S-REACTION]}
  - name: Two severe events and the doses given so far are facts of the subject
    given: [on_dose_2]
    events:
      - {type: adverse_event, time: "2026-03-12T09:00:00+01:00", data: {ae: A, grade: 3}}
      - {type: adverse_event, time: "2026-03-13T09:00:00+01:00", data: {ae: B, grade: 4}}
      - {type: administration, time: "2026-03-16T10:00:00+01:00", data: {number: 2, status: completed, dose: 3}}
      - {type: adverse_event, time: "2026-03-18T09:00:00+01:00", data: {ae: B, status: withdrawn}}
    expect:
      - {at: "2026-03-13T10:00:00+01:00", alerts: [], facts: {severe_events: 2, given_dose: 3}}
      - {at: "2026-03-16T10:00:00+01:00", alerts: [S-MANY, S-SECOND], facts: {severe_events: 2, given_dose: 6}}
      - {alerts: [S-SECOND], facts: {severe_events: 1}}
  - name: A visit falls due, is overdue, and is told late
    given: [on_dose_1]
    events:
      - {type: procedure, time: "2026-04-01T11:00:00+02:00", recordedtime: "2026-04-09T11:00:00+02:00", data: {code: day_28, status: done}}
    expect:
      - {at: "2026-04-03T23:59:59+02:00", alerts: []}
      - {at: "2026-04-04T00:00:00+02:00", alerts: [C-VISIT]}
      - {alerts: [], opened: [C-VISIT]}
  - name: Who has left has no visit to come to
    given: [on_dose_1]
    events:
      - {type: enrolment, time: "2026-04-05T11:00:00+02:00", data: {status: withdrawn}}
    expect:
      - {at: "2026-04-05T10:00:00+02:00", alerts: [C-VISIT]}
      - {at: "2026-05-01T10:00:00+02:00", alerts: []}
  - name: A laboratory series is judged beside its own range and its baseline
    given: [on_dose_1]
    events:
      - {type: observation, time: "2026-03-02T09:00:00+01:00", data: {code: alt, value: 30, unit: U/L, reference_high: 40}}
      - {type: observation, time: "2026-03-05T09:00:00+01:00", data: {code: alt, value: 60, unit: U/L, reference_high: 40}}
      - {type: observation, time: "2026-03-06T09:00:00+01:00", data: {code: alt, value: 61, unit: U/L, reference_high: 40}}
      - {type: observation, time: "2026-03-07T09:00:00+01:00", data: {code: alt, value: 200, unit: U/L}}
    expect:
      - {at: "2026-03-05T10:00:00+01:00", alerts: []}
      - {at: "2026-03-06T10:00:00+01:00", alerts: [L-LIVER]}
      - {alerts: []}
  - name: Each cohort has a path of its own
    events:
      - {subject: A1, type: assessment, time: "2026-03-01T08:00:00+01:00", data: {code: cohort, value: dose_1}}
      - {subject: A2, type: assessment, time: "2026-03-01T08:00:00+01:00", data: {code: cohort, value: dose_1}}
      - {subject: B1, type: assessment, time: "2026-03-01T08:00:00+01:00", data: {code: cohort, value: dose_2}}
      - {subject: A1, type: administration, time: "2026-03-02T10:00:00+01:00", data: {number: 1, status: completed}}
      - {subject: A2, type: administration, time: "2026-03-02T10:00:00+01:00", data: {number: 1, status: completed}}
      - {subject: B1, type: administration, time: "2026-03-02T10:00:00+01:00", data: {number: 1, status: completed}}
      - {subject: A1, type: adverse_event, time: "2026-03-03T09:00:00+01:00", data: {ae: A, grade: 3}}
      - {subject: B1, type: adverse_event, time: "2026-03-03T09:00:00+01:00", data: {ae: A, grade: 3}}
      - {subject: A2, type: adverse_event, time: "2026-03-09T09:00:00+01:00", data: {ae: A, grade: 3}}
    expect:
      - {at: "2026-03-04T00:00:00+01:00", alerts: [S-REACTION]}
      - {alerts: [S-REACTION, ST-1]}
"""


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(FILE, "escalation.yaml"))


def scenarios() -> list[object]:
    found = rules.loads(FILE, "escalation.yaml").definition.scenarios
    return [pytest.param(scenario, id=scenario.name) for scenario in found]


@pytest.mark.parametrize("scenario", scenarios())
def test_what_rules_range_over_holds_in_scenarios(scenario: Scenario) -> None:
    assert not check_scenario(engine(), scenario)


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("visit_status == \"due\"", "visit_status == \"overdue\"", "visit_status"),
        ("preceding_infusion_hours_sins", "preceding_infusion_hours_since", "preceding_infusion_hours_since"),
        ("lab_ratio_to_higher", "lab_ratio_to_high", "lab_ratio_to_high"),
        ("among: cohort == \"dose_3\"", "among: cohort == \"dose_2\"", "dose_3"),
        ("st_dlt_1_crossing", "st_dlt_1_crossed", "st_dlt_1_crossed"),
    ],
)  # fmt: skip
def test_a_name_that_no_entity_has_is_told_with_what_was_meant(wrong, right, told):
    assert right in FILE
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(FILE.replace(right, wrong), "escalation.yaml")
    assert any(told in f"{one.message} {one.hint}" for one in caught.value.complaints)
