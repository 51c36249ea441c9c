"""A small protocol with one of everything, for tests that bend one line of it."""

SMALL = """\
vigil: 1
protocol:
  id: small
  version: "1.0"
  title: A small trial
  time_zone: Asia/Seoul
  target: 10
  outcomes: {primary: [Safety], secondary: []}
  sources: {record: The registry record}
parameters:
  oldest: {value: 80, source: record}
  fever: {value: 38, source: not in the record, reason: a usual limit}
codes:
  - {code: temperature, type: observation, label: Body temperature, value: number, unit: Cel, low: 25, high: 45, codings: [{system: "http://loinc.org", code: 8310-5}]}
  - {code: hiv, type: observation, label: HIV serology, value: code, values: [positive, negative]}
  - {code: note, type: observation, label: A note, value: string}
  - {code: ecog, type: assessment, label: ECOG, value: integer, unit: "{score}", low: 0, high: 5}
  - {code: unfit, type: assessment, label: Unfit, value: boolean}
  - {code: response, type: assessment, label: NIH response}
  - {code: infarction, type: condition, label: Infarction}
  - {code: angioplasty, type: procedure, label: Angioplasty}
  - {code: steroid, type: medication, label: Steroid}
facts:
  age_years: {from: demographics, field: birth_date, take: completed_years}
  sex: {from: demographics, field: sex}
  consent: {from: consent, document: informed_consent, given_by: subject}
  infarction: {from: condition, code: infarction, take: touches_point, window: {months: 6}}
  hottest: {from: observation, code: temperature, take: max, window: {hours: 24}}
criteria:
  - id: I1
    kind: inclusion
    text: Age 1 to 80
    when: age_years >= 1 && age_years <= params.oldest
    source: {document: record, section: "1"}
  - id: I3
    kind: inclusion
    text: ECOG 0, 1, 2
    when: ecog in [0, 1, 2]
    source: {document: record}
  - id: E1
    kind: exclusion
    text: HIV, for those who are not male
    when: hiv == "positive" || (infarction && !consent)
    applicable_if: sex != "male"
    waivable: true
    source: {document: record}
rules:
  - id: S-FEVER
    on: subject
    category: safety
    severity: serious
    when: hottest >= params.fever
    title: Fever
    detail: "Highest {hottest}, {missing}."
    action: Hold.
    source: {document: record}
    hold: infusion
  - id: S-SAE
    on: adverse_event
    category: safety
    severity: critical
    when: serious || seriousness_criteria > 0
    title: "Serious adverse event {ae}"
    detail: "Grade {grade}."
    action: Report.
    source: {document: record}
  - id: ST-CROSSED
    on: trial
    category: stopping
    severity: critical
    when: st_tox_crossed || enrolled_count > target
    title: Stop
    action: Stop.
    source: {document: record}
stopping:
  - {id: ST-TOX, title: Toxicity, method: table, endpoint: grade >= 3, window_days: 28, table: [[3, 2], [6, 3]], source: {document: record}}
fixtures:
  adult:
    - {type: demographics, time: "2026-01-05T09:00:00+09:00", data: {birth_date: "1980", sex: male}}
    - {type: assessment, time: "2026-01-05T09:00:00+09:00", data: {code: ecog, value: 1}}
scenarios:
  - name: an adult is judged
    given: [adult]
    without: [ecog]
    events:
      - {type: enrolment, time: "2026-01-06T09:00:00+09:00", data: {status: screened}}
    expect: {decision: indeterminate, verdicts: {I1: met, E1: not_applicable}}
"""


def line_of(text: str, part: str) -> int:
    """The first line of `text` that holds `part`, from 1."""
    return next(n for n, line in enumerate(text.splitlines(), start=1) if part in line)
