"""A protocol with every take over every kind of window, and logs for it: the step's harder half."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

import rules
from tests.support.step_logs import HEAD, KINDS, Pick, made

CODES = """
  - {code: alt, type: observation, label: ALT, value: number, unit: U/L}
  - {code: bilirubin, type: observation, label: Bilirubin, value: number, unit: umol/L}
  - {code: alp, type: observation, label: Alkaline phosphatase, value: number, unit: U/L}
  - {code: steroid, type: medication, label: Steroid}
"""
OBSERVED = {
    "first_temp": "{from: observation, code: temp, take: earliest}",
    "first_since": "{from: observation, code: temp, take: earliest, window: {since: first_infusion}}",
    "hot_days": "{from: observation, code: temp, take: count, where: value >= 38, window: {days: 7}}",
    "hot_ever": "{from: observation, code: temp, take: count, where: value >= 38}",
    "sum_48h": "{from: observation, code: temp, take: sum, window: {hours: 48, ends: last}}",
    "mean_after": "{from: observation, code: temp, take: mean, window: {days: 3, after: first_infusion}}",
    "mean_all": "{from: observation, code: temp, take: mean}",
    "max_before": "{from: observation, code: temp, take: max, window: {days: 14, before: enrolment}}",
    "min_since": "{from: observation, code: temp, take: min, window: {since: last_infusion}}",
    "max_consent": "{from: observation, code: temp, take: max, window: {calendar_days: [-2, 5], after: consent}}",
    "until_enrol": "{from: observation, code: temp, take: latest, window: {until: enrolment}}",
    "latest_hot": "{from: observation, code: temp, take: latest, where: value >= 37.9}",
    "in_a_row": "{from: observation, code: temp, take: consecutive, where: value >= 37.9}",
    "row_week": "{from: observation, code: temp, take: consecutive, where: value >= 37.9, window: {calendar_days: 7}}",
    "since_hot": "{from: observation, code: temp, take: days_since, where: value >= 38}",
    "since_any": "{from: observation, code: temp, take: days_since, window: {months: 1}}",
    "change": "{from: observation, code: temp, take: change_from_baseline, baseline: first_infusion}",
    "change_pct": "{from: observation, code: temp, take: change_from_baseline, baseline: last_infusion, change: percent, window: {days: 7}, valid: {days: 3}}",
    "fresh": "{from: observation, code: temp, take: latest, valid: {days: 2}}",
    "worst_day": "{from: observation, code: temp, take: latest, conflict: worst, worse: high, within: day}",
    "mean_day": "{from: observation, code: temp, take: latest, conflict: mean, within: day, window: {days: 5}}",
    "temp_why": "{from: observation, code: temp, take: absence, valid: {days: 10}}",
    "ratio": "{from: observation, code: alt, take: ratio_to_reference}",
    "ratio_row": "{from: observation, code: alt, take: consecutive, measure: ratio_to_high, where: value > 3}",
    "ratio_max": "{from: observation, code: alt, take: max, measure: ratio_to_high, window: {weeks: 1, after: infusion_1}}",
    "alt_base": "{from: observation, code: alt, take: change_from_baseline, baseline: enrolment, change: ratio}",
    "liver": "{from: observation, take: hys_law, alt: alt, bilirubin: bilirubin, alp: alp, baseline: first_infusion, before: {days: 1}}",
    "quadrant": "{from: observation, take: edish, alt: alt, bilirubin: bilirubin}",
    "all_unfit": "{from: assessment, code: unfit, take: all, window: {days: 10}}",
    "unfit_count": "{from: assessment, code: unfit, take: count, window: {days: 10}}",
    "ecog_first": "{from: assessment, code: ecog, take: earliest, window: {days: 20, after: screening}}",
    "ecog_before": "{from: assessment, code: ecog, take: latest, window: {calendar_days: [-20, -1], after: last_infusion}}",
    "hot_after_fact": "{from: observation, code: temp, take: max, window: {hours: 36, after: ecog}}",
    "infections": "{from: condition, code: infection, take: count, window: {months: 1}}",
    "since_infarct": "{from: condition, code: infarct, take: days_since}",
    "infected_then": "{from: condition, code: infection, take: touches_span, window: {days: 7, before: first_infusion}}",
    "stents_before": "{from: procedure, code: stent, take: touches_point, window: {until: screening}}",
    "on_steroid": "{from: medication, code: steroid, take: touches_span, window: {days: 2}}",
    "steroid_start": "{from: medication, code: steroid, take: touches_point, window: {days: 5}}",
    "doses": "{from: administration, take: sum, field: dose}",
    "given": "{from: administration, take: count, window: {days: 10}}",
    "top_grade": "{from: adverse_event, take: max, field: grade, window: {since: first_infusion}}",
    "severe": "{from: adverse_event, take: count, where: grade >= 3}",
    "on_study_days": "{take: days_since, anchor: enrolment}",
    "after_death": "{take: days_since, anchor: death}",
    "rise": "{derive: temp - first_temp}",
    "hot_or_unfit": "{derive: 'fresh >= 38 || all_unfit'}",
    "load": "{cases: [{when: in_a_row >= 2, value: 2}, {when: unfit, value: 1}], otherwise: 0}",
}
TRUTHS = (
    "all_unfit",
    "infected_then",
    "stents_before",
    "on_steroid",
    "steroid_start",
    "hot_or_unfit",
)
WHEN = {
    "ecog_first": "ecog_first != 4",
    "ecog_before": "ecog_before != 4",
    "top_grade": "top_grade != 4",
    "liver": 'liver == "candidate"',
    "quadrant": 'quadrant != "normal"',
    "temp_why": 'temp_why != "recorded"',
    "since_hot": "since_hot >= 3",
    "since_any": "since_any in [2, 5, 9]",
    "since_infarct": "since_infarct < 200",
    "on_study_days": "on_study_days > 5 && on_study_days <= 15",
    "after_death": "after_death >= 1",
}
DAYS = ("since_hot", "since_any", "since_infarct", "on_study_days", "after_death")


def _rule(name: str, scope: str) -> str:
    when = WHEN.get(name, name if name in TRUTHS else f"{name} != 30")
    detail = name if name in DAYS and scope == "subject" else f"{{{name}}}"
    return (
        f"  - {{id: {scope[:3].upper()}-{name.upper().replace('_', '-')}, on: {scope}, category: safety,"
        f" severity: info, when: '{when}', title: {name}, detail: \"{detail}\", action: Look.,"
        " source: {document: doc}}"
    )


def _facts() -> str:
    return "\n".join(f"  {name}: {spec}" for name, spec in OBSERVED.items())


def text() -> str:
    """The protocol: each fact told by a rule of the present, and by one of each infusion."""
    head, criteria = HEAD.split("criteria:")
    head = head.replace("\nfacts:\n", "\n" + CODES.strip("\n") + f"\nfacts:\n{_facts()}\n")
    told = [_rule(name, scope) for name in OBSERVED for scope in ("subject", "infusion")]
    extra = """
  - {id: E4, kind: exclusion, text: Rise, when: rise > 1 || since_hot < 4, source: {document: doc}}
  - {id: I5, kind: inclusion, text: Fresh, when: fresh < 38 && mean_all < 38, source: {document: doc}}
"""
    return f"{head}criteria:{criteria.rstrip()}{extra}rules:\n" + "\n".join(told) + "\n"


@cache
def engine() -> rules.Engine:
    """The engine of that protocol."""
    return rules.Engine(rules.loads(text(), "takes.yaml"))


def run(log, until=None, state=None, skip=0) -> rules.Outcome:
    """Fold a log (its events after `skip`) with that engine."""
    return engine().subject_steps("t", "S-1", state, log[skip:], lambda n: log[:n], until)


MORE = [*KINDS, *["observation"] * 4, "medication", "medication", "administration"]


class _Harder(Pick):
    """Draws also what only these facts look at."""

    def observation(self):
        if self(0, 0, 1):
            told = {"code": "alt", "value": self(20, 90, 200), "unit": "U/L"}
            told |= self({}, {"reference_high": 40}, {"reference_high": 0})
            return told | self({}, {}, {"baseline": True})
        if self(0, 0, 1):
            code = self("bilirubin", "alp")
            told = {"code": code, "value": self(20, 90, 200)}
            told |= {"unit": "umol/L" if code == "bilirubin" else "U/L"}
            return told | self({}, {"reference_high": 30}, {"reference_high": 30})
        return super().observation() | self({}, {}, {}, {"baseline": True})

    def medication(self):
        return {"code": "steroid", "status": self("started", "stopped", "tapering")}

    def administration(self):
        dose = self({"dose": 2, "unit": "mg"}, {"dose": 3, "unit": "mg"}, {})
        return super().administration() | dose

    def consent(self):
        return super().consent() | self({}, {"given_by": "guardian"})


@st.composite
def logs(draw, most=24):
    """As the step's, with what these facts look at besides, and times that meet."""
    return made(_Harder(draw), draw(st.integers(2, most)), MORE)
