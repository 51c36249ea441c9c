"""A protocol with every kind of fact, and random logs for it: what the step's tests play with."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

import rules
from rules.facts.calendar import to_us

ZONE = ZoneInfo("America/New_York")
HEAD = """
vigil: 1
protocol: {id: steps, version: "1", title: Steps, time_zone: America/New_York, target: 2, sex: all, outcomes: {primary: [x], secondary: [y]}, sources: {doc: A document}}
parameters: {}
codes:
  - {code: temp, type: observation, label: Temperature, value: number, unit: Cel, low: 25, high: 45}
  - {code: ecog, type: assessment, label: ECOG, value: integer, low: 0, high: 5, unit: "{score}"}
  - {code: unfit, type: assessment, label: Unfit, value: boolean}
  - {code: infection, type: condition, label: Infection}
  - {code: infarct, type: condition, label: Infarct}
  - {code: stent, type: procedure, label: Stent}
facts:
  age_years: {from: demographics, field: birth_date, take: completed_years}
  sex: {from: demographics, field: sex}
  consent_subject: {from: consent, document: informed_consent, given_by: subject}
  hottest: {from: observation, code: temp, take: max, window: {hours: 24}}
  coldest: {from: observation, code: temp, take: min, window: {hours: 48}}
  perhaps_hot: {from: observation, code: temp, take: max, window: {hours: 24}, date_only: counts}
  perhaps_cold: {from: observation, code: temp, take: min, window: {months: 1}, date_only: counts}
  perhaps_unfit: {from: assessment, code: unfit, take: any, window: {hours: 48}, date_only: counts}
  perhaps_infected: {from: condition, code: infection, take: touches_span, window: {hours: 24}, date_only: counts}
  perhaps_infarct: {from: condition, code: infarct, take: touches_point, window: {months: 1}, date_only: counts}
  ever_unfit: {from: assessment, code: unfit, take: any, window: {months: 1}}
  infected_lately: {from: condition, code: infection, take: touches_span, window: {months: 1}}
  infarct: {from: condition, code: infarct, take: touches_point, window: {months: 6}}
  stent: {from: procedure, code: stent, take: touches_point, window: {months: 6}}
schedule:
  - {id: week_1, label: Week 1, after: first_infusion, day: 7, early_days: 1, late_days: 2, applicable_if: 'sex != "male"', source: {document: doc}}
  - {id: call, label: Call, after: last_infusion, day: 1, late_days: 1, source: {document: doc}}
  - {id: entry, label: Entry, after: infusion_2, day: -1, early_days: 3, source: {document: doc}}
  - {id: second, label: Second, administration: 2, after: infusion_1, day: 7, early_days: 1, late_days: 2, source: {document: doc}}
gate:
  - {id: HOT, text: No fever, closed_when: hottest >= 38 || unfit, source: {document: doc}}
  - {id: HELD, text: No hold, closed_when: infusion_held, source: {document: doc}}
  - {id: FIT, text: Fit, closed_when: 'decision == "ineligible" || infusions > 2', applicable_if: enrolled, source: {document: doc}}
relations:
  before: {on: adverse_event, to: infusion, take: last_before, within: {days: 30}}
  after: {on: adverse_event, to: infusion, take: first_after}
  trouble: {on: infusion, to: adverse_event, take: last_before}
  coming: {on: infusion, to: adverse_event, take: first_after, within: {calendar_days: 7}}
  another: {on: adverse_event, to: adverse_event, take: last_before}
  called: {on: visit, to: infusion, take: last_before}
  worst: {on: death, to: adverse_event, take: last_before, within: {weeks: 4}}
criteria:
  - {id: I1, kind: inclusion, text: Age, when: age_years >= 18 && age_years <= 80, source: {document: doc, section: "1"}}
  - {id: I2, kind: inclusion, text: Consent, when: consent_subject, source: {document: doc, section: "2"}}
  - {id: I3, kind: inclusion, text: ECOG, when: "ecog in [0, 1, 2]", source: {document: doc, section: "3"}}
  - {id: E1, kind: exclusion, text: Fever, when: temp >= 38 || infection, source: {document: doc, section: "4"}}
  - {id: E2, kind: exclusion, text: Heart, when: infarct || stent || infected_lately, source: {document: doc, section: "5"}}
  - {id: E3, kind: exclusion, text: Unfit, when: unfit, waivable: true, applicable_if: 'sex != "male"', source: {document: doc, section: "6"}}
"""
RULES = """
rules:
  - {id: EL-YES, on: subject, category: eligibility, severity: info, when: 'screened && !enrolled && decision == "eligible"', title: Eligible, detail: "ECOG {ecog}", action: Enrol., source: {document: doc, section: a}}
  - {id: EL-NO, on: subject, category: eligibility, severity: warning, when: 'screened && !enrolled && decision == "ineligible"', title: Not eligible, detail: "Age {age_years}", action: Stop., source: {document: doc, section: a}}
  - {id: EL-WRONG, on: enrolment, category: eligibility, severity: critical, when: 'decision != "eligible"', title: Wrong, detail: "{decision} {ecog}", action: Stop., source: {document: doc, section: a}, hold: infusion}
  - {id: S-HOT, on: subject, category: safety, severity: serious, when: on_study && hottest >= 38, title: Fever, detail: "{hottest} after {coldest}", action: Wait., source: {document: doc, section: b}, hold: infusion}
  - {id: S-UNFIT, on: subject, category: safety, severity: info, when: ever_unfit && !dead, title: Unfit, detail: "{infusions}", action: Look., source: {document: doc, section: b}}
  - {id: S-PERHAPS, on: subject, category: safety, severity: serious, when: 'perhaps_hot >= 38 || perhaps_cold < 36 || perhaps_unfit || perhaps_infected', title: Perhaps, detail: "{perhaps_hot} {perhaps_cold} {perhaps_unfit} {perhaps_infected}", action: Look., source: {document: doc, section: b}}
  - {id: S-INF-PERHAPS, on: infusion, category: safety, severity: critical, when: 'perhaps_hot >= 38 || perhaps_cold < 36 || perhaps_unfit || perhaps_infected || perhaps_infarct', title: Perhaps, detail: "{perhaps_hot} {perhaps_cold} {perhaps_unfit} {perhaps_infected} {perhaps_infarct}", action: Look., source: {document: doc, section: b}}
  - {id: S-INF-HOT, on: infusion, category: safety, severity: critical, when: 'hottest >= 38 || infected_lately || decision != "eligible" || !enrolled', title: "Infusion {infusion_number}", detail: "{hottest} {decision} {enrolled} {infusions}", action: Look., source: {document: doc, section: b}}
  - {id: S-SAE, on: adverse_event, category: safety, severity: serious, when: serious || seriousness_criteria > 0, title: Serious, detail: "Grade {grade}", action: Report., source: {document: doc, section: c}}
  - {id: S-G3, on: adverse_event, category: safety, severity: serious, when: grade >= 3 && onset_after_infusion, title: Severe, detail: "Grade {grade}", action: Look., source: {document: doc, section: c}}
  - {id: S-AE-THEN, on: adverse_event, category: safety, severity: info, when: 'hottest >= 38 || infected_lately || infusions == 1 || (enrolled && !on_study) || decision == "ineligible"', title: "Then {ae}", detail: "{hottest} {infusions} {age_years} {dead} {perhaps_hot}", action: Look., source: {document: doc, section: c}}
  - {id: S-DEATH, on: death, category: safety, severity: critical, when: "true", title: Death, detail: "{causality}", action: Tell., source: {document: doc, section: c}}
  - {id: R-AE, on: adverse_event, category: safety, severity: info, when: 'before_hours_since <= 72 || before_hours_since_end <= 20 || after_during || after_hours_since >= -48 || another_grade >= 3', title: "{before_number} {after_number}", detail: "{before_hours_since} {after_status} {another_serious} {another_hours_since}", action: Look., source: {document: doc, section: e}}
  - {id: G-SHUT, on: infusion, category: safety, severity: critical, when: 'infusion_number >= 2 && (gate != "open" || infusion_repeated)', title: "Gate", detail: "{gate} {gate_closed_by} {gate_missing}", action: Look., source: {document: doc, section: e}, hold: infusion}
  - {id: S-G3-HOLD, on: adverse_event, category: safety, severity: serious, when: grade >= 4, title: Severe, action: Look., source: {document: doc, section: c}, hold: infusion}
  - {id: R-INF, on: infusion, category: safety, severity: info, when: 'trouble_grade >= 1 || coming_serious', title: "Trouble", detail: "{trouble_hours_since} {coming_hours_since}", action: Look., source: {document: doc, section: e}}
  - {id: R-DEATH, on: death, category: safety, severity: info, when: 'worst_grade >= 1', title: "Death", detail: "{worst_hours_since}", action: Look., source: {document: doc, section: e}}
  - {id: V-STANDS, on: visit, category: conduct, severity: info, when: 'visit_status in ["open", "overdue", "early", "late", "not_done"] && !unfit', title: "{visit_label}", detail: "{visit_status} {visit_off_days} {visit_due} {called_number} {hottest}", action: Look., source: {document: doc, section: e}}
  - {id: L-ROW, on: laboratory, category: safety, severity: info, when: 'lab_high_in_a_row >= 2 || lab_change_percent >= 3 || (lab_ratio_to_low < 1 && on_study)', title: "{lab}", detail: "{lab_value} {lab_change_percent} {lab_high_in_a_row} {lab_low_in_a_row} {lab_ratio_to_high}", action: Look., source: {document: doc, section: e}}
  - {id: ST, on: trial, category: stopping, severity: critical, when: st_tox_crossed, title: Stop, detail: "{st_tox_events} of {st_tox_evaluable}", action: Stop., source: {document: doc, section: d}, hold: enrolment}
  - {id: ST-FIT, on: trial, category: stopping, severity: critical, when: st_fit_tox_crossed, title: Stop, detail: "{st_fit_tox_events} of {st_fit_tox_subjects}", action: Stop., source: {document: doc, section: d}}
  - {id: FULL, on: trial, category: conduct, severity: info, when: enrolled_count >= 2, title: Full, detail: "{enrolled_count}", action: Close., source: {document: doc, section: d}}
stopping:
  - {id: ST-TOX, title: Toxicity, method: table, endpoint: onset_after_infusion && grade >= 3, window_days: 28, table: [[2, 2], [4, 3]], source: {document: doc, section: d}}
  - {id: ST-FIT-TOX, title: Toxicity of the fit, method: table, endpoint: grade >= 1 && !unfit && infusions >= 1, among: "ecog in [0, 1, 2] || hottest < 38", window_days: 28, table: [[2, 2], [4, 3]], source: {document: doc, section: d}}
"""


@cache
def protocol() -> rules.Protocol:
    return rules.loads(HEAD + RULES, "steps.yaml")


@cache
def engine() -> rules.Engine:
    return rules.Engine(protocol())


def at(text: str) -> int:
    """Microseconds of a local time of the protocol's site."""
    return to_us(datetime.fromisoformat(text).replace(tzinfo=ZONE))


def event(
    n: int,
    kind: str,
    time: str | int,
    received: str | int | None = None,
    /,
    *,
    precision: str = "second",
    **data: Any,
) -> rules.Event:
    """One event; received when it happened, unless it is said."""
    time_us = time if isinstance(time, int) else at(time)
    received_us = at(received) if isinstance(received, str) else received
    return rules.Event(
        n, f"ev{n}", "lab", f"e{n}", kind, time_us, precision, received_us or time_us, data
    )


def run(log, until=None, state=None, skip=0) -> rules.Outcome:
    """Fold a log (its events after `skip`) with the protocol's engine."""
    until_us = at(until) if isinstance(until, str) else until
    return engine().subject_steps("t", "S-1", state, log[skip:], lambda n: log[:n], until_us)


# --- random logs -------------------------------------------------------------------------------
HOUR = 3_600_000_000
START = at("2026-01-10T08:00:00")
DATES = ["2025", "2025-07", "2025-08-31", "2025-12-20", "2026-01-05", "2026-01-12", "2026-02"]
OFTEN = {
    "observation": 6,
    "condition": 4,
    "adverse_event": 4,
    "assessment": 3,
    "enrolment": 3,
    "administration": 2,
    "procedure": 2,
    "consent": 1,
    "demographics": 1,
    "override": 1,
    "death": 1,
}
KINDS = [kind for kind, times in OFTEN.items() for _ in range(times)]


class Pick:
    """Draws one of some values."""

    def __init__(self, draw) -> None:
        self.draw = draw

    def __call__(self, *values):
        return self.draw(st.sampled_from(values))

    def observation(self):
        if self(0, 0, 0, 1):
            return {"code": "temp", "absent": "not_done"}
        value, unit = self(
            (36.5, "Cel"), (37.9, "Cel"), (38.0, "Cel"), (39.2, "Cel"), (100.4, "[degF]")
        )
        ranges = {"Cel": (36.6, 37.8), "[degF]": (97.9, 100.0)}
        low, high = ranges[unit]
        told = self({}, {"reference_high": high}, {"reference_low": low, "reference_high": high})
        return {"code": "temp", "value": value, "unit": unit, **told}

    def assessment(self):
        if self(0, 1):
            return {"code": "unfit", "value": self(True, False)}
        expiry = self({}, {"expires": "2026-01-20"}, {"expires": "2026-01-14T10:00:00-05:00"})
        return {"code": "ecog", "value": self(0, 2, 3), **expiry}

    def condition(self):
        data = {
            "code": self("infection", "infarct"),
            "status": self("active", "resolved", "absent", "suspected"),
        }
        dates = {name: self(*DATES) for name in ("onset", "abatement") if self(0, 1)}
        return data | dates

    def procedure(self):
        code = self("stent", "stent", "week_1", "call", "entry")
        data = {"code": code, "status": self("done", "done", "not_done")}
        return data | self({}, {"start": self(*DATES)})

    def consent(self):
        given = self("given", "withdrawn")
        return {"document": "informed_consent", "given_by": "subject", "status": given}

    def demographics(self):
        return {
            "birth_date": self("1980-06-15", "2008-01-20", "2008", "1946"),
            "sex": self("female", "male", "unknown"),
        }

    def override(self):
        data = {"criterion": "E3", "by": "dr", "reason": "r"}
        return data | self({}, {"expires": "2026-01-18"})

    def death(self):
        return {"causality": self("related", "unrelated")}

    def administration(self):
        data = {"product": "MSC", "number": self(1, 2), "status": self("completed", "not_done")}
        data |= self({}, {}, {"end": "2026-01-14T10:00:00-05:00"}, {"end": "2026-01-13"})
        return data | self({}, {"start": "2026-01-13T10:00:00-05:00"}, {"start": "2026-01-13"})

    def enrolment(self):
        return {"status": self("screened", "enrolled", "enrolled", "withdrawn", "completed")}

    def adverse_event(self):
        return (
            {"ae": self("A", "B")}
            | self({}, {"grade": 3}, {"grade": 1}, {"grade": None})
            | self({}, {"serious": True}, {"seriousness": ["death"]}, {"status": "withdrawn"})
            | self({}, {"onset": "2026-01-14"}, {"onset": "2026-01-11"})
        )


@st.composite
def logs(draw, most=30):
    """A stream's log in order of receipt: late, date-only, corrected and waited-for events."""
    return made(Pick(draw), draw(st.integers(2, most)), KINDS)


def made(pick, length, kinds):
    """A log of that length, of events of these kinds."""
    log: list[rules.Event] = []
    received = START
    for n in range(1, length + 1):
        received += pick(0, HOUR // 2, 5 * HOUR, 30 * HOUR, 400 * HOUR)
        if n > 2 and pick(*[0] * 7, 1):
            log.append(_repair(pick, n, received, log))
            continue
        kind = pick(*kinds)
        time_us, precision = received - pick(0, 0, 0, 0, HOUR, 26 * HOUR, 200 * HOUR), "second"
        if pick(0, 0, 0, 0, 1):
            precision = "day"
            time_us = at(datetime.fromtimestamp(time_us / 1e6, ZONE).date().isoformat())
        log.append(event(n, kind, time_us, received, precision=precision, **getattr(pick, kind)()))
    return log


def _repair(pick, n, received, log):
    """A discard, or a correction: of what is here, or of what has yet to come."""
    target = pick(*log)
    way = pick("discard", "ahead", "error", "error", "data", "time", "both")
    if way == "discard":
        return event(n, "discard", received, discards=target.event)
    named = {"source": target.source, "id": target.id}
    if way == "ahead":
        named = {"source": "lab", "id": f"e{n + pick(1, 2, 3)}"}
        if pick(0, 1):  # it may fit what comes, or not
            data = getattr(pick, pick(*KINDS))()
            return event(n, "correction", received, corrects=named, data=data)
    if way in {"ahead", "error"} or target.type not in OFTEN:
        return event(n, "correction", received, corrects=named, entered_in_error=True)
    said: dict[str, Any] = {"corrects": named}
    if way in {"data", "both"}:
        said["data"] = getattr(pick, target.type)()
    if way in {"time", "both"}:
        said["time"] = "2026-01-12T07:00:00-05:00"
    return event(n, "correction", received, **said)
