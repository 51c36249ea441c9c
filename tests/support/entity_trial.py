"""A trial whose rules range over adverse events, infusions, cohorts, visits and series."""

from __future__ import annotations

from functools import cache

import rules
from tests.support.step_logs import at

HEAD = """
vigil: 1
protocol: {id: entities, version: "1", title: Entities, time_zone: America/New_York, target: 6, sex: all, outcomes: {primary: [x], secondary: [y]}, sources: {doc: A document}}
parameters: {}
codes:
  - {code: temp, type: observation, label: Temperature, value: number, unit: Cel}
  - {code: alt, type: observation, label: Alanine aminotransferase, value: number, unit: U/L, ctcae: alt}
  - {code: cohort, type: assessment, label: Cohort, value: code, values: [low, high, none]}
  - {code: steroid, type: medication, label: Steroid}
facts:
  hottest: {from: observation, code: temp, take: max, window: {hours: 24}}
  severe: {from: adverse_event, take: count, where: grade >= 3}
  worst_lately: {from: adverse_event, field: grade, take: max, window: {days: 14}}
  bad_after: {from: adverse_event, take: any, where: 'grade >= 2 && onset_after_infusion', window: {days: 10, after: first_infusion}}
  since_dose: {from: administration, take: days_since}
  total_dose: {from: administration, field: dose, take: sum}
  last_dose: {from: administration, field: dose, take: latest, where: 'infusion_status == "completed"'}
  alt_grade: {from: observation, code: alt, take: max, measure: grade, window: {days: 30}}
schedule:
  - {id: after_alt, label: After ALT, after: alt, day: 3, late_days: 1, source: {document: doc}}
  - {id: consented, label: Consented, after: consent, day: 5, early_days: 2, source: {document: doc}}
  - {id: day_7, label: Day 7, after: first_infusion, day: 7, early_days: 1, late_days: 2, collects: [alt], owner: nurse, source: {document: doc}}
  - {id: next_call, label: Call, after: last_infusion, day: 2, late_days: 1, source: {document: doc}}
  - {id: baseline_call, label: Baseline, after: enrolment, day: -1, early_days: 2, applicable_if: 'cohort == "high"', source: {document: doc}}
relations:
  preceding: {on: adverse_event, to: infusion, take: last_before, within: {days: 30}}
  following: {on: adverse_event, to: infusion, take: first_after, within: {hours: 48}}
  trouble: {on: infusion, to: adverse_event, take: last_before}
  called: {on: visit, to: infusion, take: last_before}
criteria:
  - {id: I1, kind: inclusion, text: Cohort, when: 'cohort in ["low", "high"]', source: {document: doc, section: "1"}}
  - {id: E1, kind: exclusion, text: Severe, when: severe >= 1, source: {document: doc, section: "2"}}
"""
RULES = """
rules:
  - {id: S-FEBRILE, on: adverse_event, category: safety, severity: serious, when: grade >= 2 && hottest >= 38, title: "Febrile {ae}", detail: "{grade} {hottest} {infusions}", action: Look., source: {document: doc, section: a}}
  - {id: S-EARLY, on: adverse_event, category: safety, severity: info, when: infusions == 1 && enrolled, title: "Early {ae}", detail: "{term}", action: Look., source: {document: doc, section: a}}
  - {id: S-TERM, on: adverse_event, category: safety, severity: critical, when: 'term in ["Anaphylaxis"]', title: "Special interest", detail: "{term}", action: Look., source: {document: doc, section: a}}
  - {id: S-NOT, on: adverse_event, category: conduct, severity: info, when: 'decision != "eligible"', title: "Not eligible", detail: "{missing}", action: Look., source: {document: doc, section: a}}
  - {id: A-NOW, on: subject, category: safety, severity: info, when: 'worst_lately >= 3 || bad_after || total_dose > 4', title: Now, detail: "{worst_lately} {total_dose} {severe}", action: Look., source: {document: doc, section: b}}
  - {id: A-SOON, on: infusion, category: safety, severity: info, when: 'last_dose >= 2 && bad_after || severe >= 2', title: Then, detail: "{since_dose} {worst_lately}", action: Look., source: {document: doc, section: b}}
  - {id: A-THEN, on: adverse_event, category: safety, severity: info, when: 'total_dose >= 2 && since_dose <= 3 || worst_lately >= 4', title: "Then {ae}", detail: "{severe}", action: Look., source: {document: doc, section: b}}
  - {id: R-CLOSE, on: adverse_event, category: safety, severity: serious, when: 'preceding_hours_since <= 24 && preceding_dose >= 2', title: "{ae} after {preceding_number}", detail: "{preceding_hours_since} {preceding_status}", action: Look., source: {document: doc, section: a}}
  - {id: R-SOON, on: adverse_event, category: safety, severity: info, when: 'following_hours_since >= -12', title: "{ae} before {following_number}", detail: "{following_hours_since}", action: Look., source: {document: doc, section: a}}
  - {id: R-AFTER, on: infusion, category: safety, severity: serious, when: trouble_grade >= 3 && trouble_hours_since <= 168, title: "Infused after trouble", detail: "{trouble_grade} {trouble_causality}", action: Look., source: {document: doc, section: a}, hold: infusion}
  - {id: V-OVERDUE, on: visit, category: conduct, severity: warning, when: 'visit_status == "overdue" && on_study', title: "{visit_label} is overdue", detail: "{visit} was due on {visit_due}", action: Call., source: {document: doc, section: v}}
  - {id: V-OPEN, on: visit, category: conduct, severity: info, when: 'visit_status == "open"', title: "{visit}", detail: "{visit_owner}", action: Call., source: {document: doc, section: v}}
  - {id: V-OFF, on: visit, category: conduct, severity: info, when: 'visit_status in ["early", "late", "not_done"]', title: "{visit}", detail: "{visit_status} {called_number} {called_hours_since}", action: Tell., source: {document: doc, section: v}}
  - {id: L-HIGH, on: laboratory, category: safety, severity: serious, when: 'lab_ratio_to_high >= 3 && enrolled', title: "{lab_label} is high", detail: "{lab_value}", action: Look., source: {document: doc, section: l}}
  - {id: L-TWICE, on: laboratory, category: safety, severity: warning, when: lab_high_in_a_row >= 2 || lab_low_in_a_row >= 2, title: "{lab}", detail: "{lab_high_in_a_row}", action: Look., source: {document: doc, section: l}}
  - {id: L-RISE, on: laboratory, category: safety, severity: warning, when: 'lab_change_percent >= 50 && lab == "alt"', title: "{lab} rises", detail: "{lab_change_percent}", action: Look., source: {document: doc, section: l}}
  - {id: L-GRADE, on: laboratory, category: safety, severity: warning, when: 'lab_grade >= 2 && (!has(facts.lab_grade_rise) || lab_grade_rise > 0) || alt_grade >= 3', title: "{lab} is graded", detail: "{lab_grade} {lab_grade_min} {lab_baseline_grade} {lab_grade_reason} {alt_grade}", action: Look., source: {document: doc, section: l}}
  - {id: ST-LOW, on: trial, category: stopping, severity: critical, when: st_dlt_low_crossed, title: Low, detail: "{st_dlt_low_events} of {st_dlt_low_subjects}", action: Stop., source: {document: doc, section: d}}
  - {id: ST-HIGH, on: trial, category: stopping, severity: critical, when: st_dlt_high_crossed, title: High, detail: "{st_dlt_high_events}", action: Stop., source: {document: doc, section: d}}
stopping:
  - {id: ST-DLT-LOW, title: DLT low, method: table, endpoint: grade >= 3 && !steroid, among: 'cohort == "low"', window_days: 28, table: [[1, 1]], source: {document: doc, section: d}}
  - {id: ST-DLT-HIGH, title: DLT high, method: table, endpoint: grade >= 3, among: 'cohort == "high"', window_days: 28, table: [[1, 1]], source: {document: doc, section: d}}
"""


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(HEAD + RULES, "entities.yaml"))


def run(log, until=None, state=None, skip=0) -> rules.Outcome:
    """Fold a log (its events after `skip`) with this trial's engine."""
    until_us = at(until) if isinstance(until, str) else until
    return engine().subject_steps("t", "S-1", state, log[skip:], lambda n: log[:n], until_us)


def told(outcome):
    return [
        (result.n, change.change.value, change.rule, change.key)
        for result in outcome.results
        for change in result.changes
    ]


def opened(outcome):
    """The rules open at the end, with their keys."""
    found: dict[tuple[str, str], bool] = {}
    for _, change, rule, key in told(outcome):
        found[rule, key] = change in {"opened", "updated"}
    return {one for one, still in found.items() if still}


def counted(outcome):
    """What the subject counts for: rule -> (evaluable, event), as last told."""
    latest = {one.rule: one for result in outcome.results for one in result.contributions}
    return {rule: (one.evaluable, one.event) for rule, one in latest.items() if not one.withdrawn}
