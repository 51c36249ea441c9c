"""Laboratory values graded where rules ask for it: against the baseline, and as facts of records."""

from __future__ import annotations

from functools import cache

import pytest

import rules
from rules.facts import timeline
from tests.support.step_logs import at, event

TEXT = """
vigil: 1
protocol: {id: graded, version: "1", title: Graded, time_zone: America/New_York, target: 6, sources: {doc: A document}, dictionaries: {ctcae: "5.0"}}
codes:
  - {code: alt, type: observation, label: ALT, value: number, unit: U/L, ctcae: alt}
  - {code: potassium, type: observation, label: Potassium, value: number, unit: mmol/L, ctcae: potassium}
  - {code: hgb, type: observation, label: Hemoglobin, value: number, unit: g/L, ctcae: hemoglobin}
  - {code: weight, type: observation, label: Weight, value: number, unit: kg}
facts:
  worst_alt: {from: observation, code: alt, take: max, measure: grade, window: {days: 14}}
  low_potassium: {from: observation, code: potassium, take: count, measure: grade_low, where: value >= 3}
  potassium_grade: {from: observation, code: potassium, take: latest, measure: grade}
rules:
  - {id: L-GRADE, on: laboratory, category: safety, severity: serious, when: 'lab_grade >= 3 && (!has(facts.lab_grade_rise) || lab_grade_rise > 0)', title: "Graded {lab}", detail: "{lab_grade_range}; {lab_term}; {lab_grade_reason}; base {lab_baseline_grade}, rise {lab_grade_rise}, high {lab_grade_high}, low {lab_grade_low}", action: Look., source: {document: doc}}
  - {id: L-MILD, on: laboratory, category: safety, severity: info, when: lab_grade <= 2, title: "Mild {lab}", detail: "{lab_grade_range}; {lab_term}; {lab_grade_reason}; base {lab_baseline_grade}, rise {lab_grade_rise}, high {lab_grade_high}, low {lab_grade_low}", action: Look., source: {document: doc}}
  - {id: A-WORST, on: subject, category: safety, severity: serious, when: 'worst_alt >= 3 || low_potassium >= 2 || potassium_grade >= 4', title: Worst, detail: "{worst_alt} {low_potassium} {potassium_grade}", action: Look., source: {document: doc}}
"""


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(TEXT, "graded.yaml"))


def run(log, state=None, skip=0):
    return engine().subject_steps("t", "S-1", state, log[skip:], lambda n: log[:n])


def alt(n, time, value, *, high=40, **more):
    ranges = {} if high is None else {"reference_high": high}
    return event(n, "observation", time, code="alt", value=value, unit="U/L", **ranges, **more)


def potassium(n, time, value, *, low=3.5, high=5.1):
    ranges = {k: v for k, v in (("reference_low", low), ("reference_high", high)) if v is not None}
    return event(n, "observation", time, code="potassium", value=value, unit="mmol/L", **ranges)


def infusion(n, time, received=None):
    return event(n, "administration", time, received, number=1, status="completed")


def said(log, rule="L-GRADE"):
    return [
        (step.n, str(change.change), change.detail)
        for step in run(log).results
        for change in step.changes
        if change.rule == rule
    ]


@pytest.fixture(params=["roomy", "tight"])
def room(request, monkeypatch):
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)


def test_without_an_infusion_the_limit_decides_and_the_reason_says_so():
    ((_, _, detail),) = said([alt(1, "2026-01-10T08:00:00", 210)])
    assert detail == (
        "3; Alanine aminotransferase increased; no baseline; > 5 ULN;"
        " base not recorded, rise not recorded, high 3, low not recorded"
    )


def test_a_baseline_that_was_high_by_its_own_range_is_what_later_values_are_graded_by(room):
    log = [
        alt(1, "2026-01-08T08:00:00", 100),
        infusion(2, "2026-01-10T10:00:00"),
        alt(3, "2026-01-12T08:00:00", 210),
        alt(4, "2026-01-13T08:00:00", 501),
    ]
    ((n, detail),) = [(n, detail) for n, change, detail in said(log) if change == "opened"]
    assert n == 4
    assert detail == (
        "3; Alanine aminotransferase increased; baseline above its range;"
        " > 5 baseline; base 1, rise 3, high 3, low not recorded"
    )


def test_a_fivefold_rise_of_a_baseline_that_was_severe_itself_is_a_rise(room):
    """230 is grade 3 by the limit and 1,300 grade 3 by the baseline: yet it got much worse."""
    log = [
        alt(1, "2026-01-08T08:00:00", 230),
        infusion(2, "2026-01-10T10:00:00"),
        alt(3, "2026-01-12T08:00:00", 300),
        alt(4, "2026-01-13T08:00:00", 1300),
    ]
    opened = [(n, detail) for n, change, detail in said(log) if change == "opened"]
    assert "> 5 baseline; base 3, rise 3" in opened[-1][1]
    assert opened[-1][0] == 4


def test_the_baseline_s_own_range_says_whether_it_was_high_not_a_later_one(room):
    log = [
        alt(1, "2026-01-08T08:00:00", 60, high=70),
        infusion(2, "2026-01-10T10:00:00"),
        alt(3, "2026-01-12T08:00:00", 210, high=40),
        alt(4, "2026-01-13T08:00:00", 211, high=40),
    ]
    assert [n for n, change, _ in said(log) if change == "opened"] == [3]
    assert "> 5 ULN; base 0, rise 3" in said(log)[0][2]


def test_a_value_published_as_the_baseline_wins_over_the_last_before_the_infusion(room):
    log = [
        alt(1, "2026-01-06T08:00:00", 100, baseline=True),
        alt(2, "2026-01-08T08:00:00", 30),
        infusion(3, "2026-01-10T10:00:00"),
        alt(4, "2026-01-12T08:00:00", 501),
    ]
    ((n, detail),) = [(n, detail) for n, change, detail in said(log) if change == "opened"]
    assert n == 4
    assert "baseline above its range; > 5 baseline; base 1, rise 3" in detail


def test_a_published_baseline_needs_no_infusion_and_is_not_graded_against_itself(room):
    log = [
        alt(1, "2026-01-06T08:00:00", 100, baseline=True),
        alt(2, "2026-01-08T08:00:00", 110),
        alt(3, "2026-01-05T08:00:00", 90),
    ]
    details = {n: detail for n, _, detail in said(log, "L-MILD")}
    assert "> ULN; base 1, rise 0" in details[1]
    assert "(baseline above its range); base 1, rise 0" in details[2]
    assert 3 not in details  # older than the newest: not judged


def test_what_is_older_than_the_published_baseline_is_graded_by_its_own_range(room):
    log = [
        alt(1, "2026-01-05T08:00:00", 90),
        alt(2, "2026-01-06T08:00:00", 30, baseline=True),
        event(3, "correction", "2026-01-07T08:00:00", corrects={"source": "lab", "id": "e2"},
              time="2026-01-04T08:00:00-05:00"),
    ]  # fmt: skip
    details = {n: detail for n, _, detail in said(log, "L-MILD")}
    assert "> ULN; base not recorded" in details[1]
    assert "base 0, rise 0" in details[2]
    assert "> ULN; base 0, rise 1" in details[3]


@pytest.mark.parametrize("days", [(6, 7), (7, 6)])
def test_of_two_published_baselines_the_later_one_counts_in_whatever_order_told(room, days):
    values = {6: 30, 7: 100}
    log = [
        alt(n, f"2026-01-0{day}T08:00:00", values[day], baseline=True)
        for n, day in enumerate(days, 1)
    ]
    log.append(alt(3, "2026-01-12T08:00:00", 501))
    ((_, _, detail),) = [one for one in said(log) if one[1] == "opened"]
    assert "> 5 baseline; base 1, rise 3" in detail


def test_the_baseline_and_what_is_older_are_never_graded_against_it(room):
    log = [
        alt(1, "2026-01-08T08:00:00", 300),
        alt(2, "2026-01-10T10:00:00", 310),
        infusion(3, "2026-01-10T10:00:00"),
    ]
    first, second = said(log)
    assert first[:2] == (1, "opened")
    assert "no baseline; > 5 ULN; base not recorded, rise not recorded" in first[2]
    assert second[:2] == (3, "cleared")
    late = [*log, alt(4, "2026-01-09T08:00:00", 250)]
    assert said(late) == [first, second]


def test_a_value_of_the_infusion_s_day_without_its_hour_is_not_graded_against_the_baseline(room):
    log = [
        alt(1, "2026-01-08T08:00:00", 210),
        infusion(2, "2026-01-10T10:00:00"),
        alt(3, "2026-01-10T00:00:00", 210, precision="day"),
    ]
    assert [(n, change) for n, change, _ in said(log)] == [
        (1, "opened"),
        (2, "cleared"),
        (3, "opened"),
    ]
    detail = said(log)[-1][2]
    assert "no baseline; > 5 ULN; base not recorded, rise not recorded" in detail


def test_a_grade_that_is_not_worse_than_the_baseline_s_is_no_alert(room):
    log = [
        potassium(1, "2026-01-08T08:00:00", 2.8),
        infusion(2, "2026-01-10T10:00:00"),
        potassium(3, "2026-01-12T08:00:00", 2.7),
        potassium(4, "2026-01-13T08:00:00", 2.4),
        potassium(5, "2026-01-14T08:00:00", 6.5),
    ]
    assert [(n, change) for n, change, _ in said(log)] == [
        (1, "opened"),
        (2, "cleared"),
        (4, "opened"),
        (5, "updated"),
    ]
    assert "Hyperkalemia; > 6; base 0, rise 3, high 3, low 0" in said(log)[-1][2]


def test_an_infusion_told_late_makes_the_baseline_of_values_already_told(room):
    log = [
        alt(1, "2026-01-08T08:00:00", 100),
        alt(2, "2026-01-12T08:00:00", 210),
        infusion(3, "2026-01-10T10:00:00", "2026-01-13T10:00:00"),
    ]
    assert [(n, change) for n, change, _ in said(log)] == [(2, "opened"), (3, "cleared")]


def test_symptoms_that_decide_give_a_range_with_the_reason():
    ((_, _, detail),) = said([potassium(1, "2026-01-10T08:00:00", 3.2)], "L-MILD")
    assert detail.startswith("1 to 2; Hypokalemia; < LLN; grade 1 to 2, open: symptoms;")


def test_a_grade_needs_every_direction_to_be_none_but_one_to_be_abnormal():
    def hgb(value):
        told = {"code": "hgb", "unit": "g/L", "reference_low": 120, "value": value}
        return event(1, "observation", "2026-01-10T08:00:00", **told)

    assert said([hgb(130)], "L-MILD") == []
    ((_, _, detail),) = said([hgb(119)], "L-MILD")
    assert detail.startswith("1; Anemia; < LLN;")
    assert detail.endswith("high not recorded, low 1")


def test_a_value_that_the_dictionary_does_not_grade_has_no_grade():
    weight = event(1, "observation", "2026-01-10T08:00:00", code="weight", value=5, unit="kg")
    assert said([weight], "L-MILD") == []


def test_facts_of_grades_look_at_each_record_by_its_own_range():
    log = [
        alt(1, "2026-01-10T08:00:00", 119),
        alt(2, "2026-01-11T08:00:00", 400, high=None),
        potassium(3, "2026-01-11T09:00:00", 2.9),
        potassium(4, "2026-01-11T10:00:00", 6.9),
        potassium(5, "2026-01-12T09:00:00", 2.6, low=None, high=None),
    ]
    assert [(n, detail) for n, _, detail in said(log, "A-WORST")] == [(5, "1 2 3")]
    assert said([alt(1, "2026-01-10T08:00:00", 201)], "A-WORST")[0][0] == 1


def test_steps_one_by_one_and_all_at_once_leave_the_same_state(room):
    log = [
        alt(1, "2026-01-08T08:00:00", 100),
        infusion(2, "2026-01-10T10:00:00"),
        *[alt(n, f"2026-01-{9 + n}T08:00:00", 90 + 60 * n) for n in range(3, 20)],
    ]
    state = None
    for done in range(len(log)):
        state = run(log[: done + 1], state, done).state
    assert state == run(log).state


def test_a_state_with_graded_series_stays_small():
    log = [alt(n, at("2026-01-01T08:00:00") + n * 3_600_000_000, 100 + n) for n in range(1, 300)]
    assert len(run(log).state) < 6000


def test_a_value_of_the_day_to_which_a_published_baseline_is_dated_may_be_older(room):
    day = event(1, "observation", "2026-01-06T00:00:00", code="alt", value=100, unit="U/L",
                reference_high=40, baseline=True, precision="day")  # fmt: skip
    log = [day, alt(2, "2026-01-06T10:00:00", 501), alt(3, "2026-01-07T10:00:00", 501)]
    assert "> 5 ULN; base not recorded" in said(log)[0][2]
    assert "> 5 baseline; base 1, rise 3" in said(log)[-1][2]
