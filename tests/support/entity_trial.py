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
  - {code: alt, type: observation, label: Alanine aminotransferase, value: number, unit: U/L}
  - {code: cohort, type: assessment, label: Cohort, value: code, values: [low, high, none]}
  - {code: steroid, type: medication, label: Steroid}
facts:
  hottest: {from: observation, code: temp, take: max, window: {hours: 24}}
criteria:
  - {id: I1, kind: inclusion, text: Cohort, when: 'cohort in ["low", "high"]', source: {document: doc, section: "1"}}
"""
RULES = """
rules:
  - {id: S-FEBRILE, on: adverse_event, category: safety, severity: serious, when: grade >= 2 && hottest >= 38, title: "Febrile {ae}", detail: "{grade} {hottest} {infusions}", action: Look., source: {document: doc, section: a}}
  - {id: S-EARLY, on: adverse_event, category: safety, severity: info, when: infusions == 1 && enrolled, title: "Early {ae}", detail: "{term}", action: Look., source: {document: doc, section: a}}
  - {id: S-TERM, on: adverse_event, category: safety, severity: critical, when: 'term in ["Anaphylaxis"]', title: "Special interest", detail: "{term}", action: Look., source: {document: doc, section: a}}
  - {id: S-NOT, on: adverse_event, category: conduct, severity: info, when: 'decision != "eligible"', title: "Not eligible", detail: "{missing}", action: Look., source: {document: doc, section: a}}
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
