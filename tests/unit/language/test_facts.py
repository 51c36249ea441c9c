"""Every way to declare a fact becomes a typed spec; every slip is told with its line and a hint."""

import pytest

import rules
from rules.model import Compare, Window
from rules.terms import (
    Absence,
    ChangeKind,
    Conflict,
    Ends,
    EventType,
    Measure,
    Take,
    ValueType,
    WindowUnit,
)
from tests.support.small import SMALL, line_of

CODES = """\
  - {code: creatinine, type: observation, label: Creatinine, value: number, unit: umol/L, molar_mass: 113.12}
  - {code: creatinine_urgent, type: observation, label: Creatinine, value: number, unit: umol/L}
  - {code: weight, type: observation, label: Weight, value: number, unit: kg}
  - {code: height, type: observation, label: Height, value: number, unit: m}
facts:
"""


def with_facts(*lines):
    return SMALL.replace("facts:\n", CODES + "".join(f"  {line}\n" for line in lines), 1)


def fact(line):
    name = line.split(":")[0]
    return rules.loads(with_facts(line)).definition.facts[name]


def complaints(*lines):
    text = with_facts(*lines)
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(text, "p.yaml")
    at = line_of(text, lines[0])
    return [(c.line - at, c.message, c.hint) for c in caught.value.complaints]


CREATININE = "from: observation, code: creatinine"

# (the fact, its type, its unit)
TYPES = [
    (f"{CREATININE}, take: latest", ValueType.NUMBER, "umol/L"),
    (f"{CREATININE}, take: earliest", ValueType.NUMBER, "umol/L"),
    (f"{CREATININE}, take: min", ValueType.NUMBER, "umol/L"),
    (f"{CREATININE}, take: sum", ValueType.NUMBER, "umol/L"),
    (f"{CREATININE}, take: mean", ValueType.NUMBER, "umol/L"),
    (f"{CREATININE}, take: count", ValueType.INTEGER, None),
    (f"{CREATININE}, take: consecutive, where: value > 100", ValueType.INTEGER, None),
    (f"{CREATININE}, take: days_since", ValueType.INTEGER, "d"),
    (f"{CREATININE}, take: absence", ValueType.CODE, None),
    (f"{CREATININE}, take: ratio_to_reference", ValueType.NUMBER, "1"),
    (f"{CREATININE}, take: max, measure: ratio_to_low", ValueType.NUMBER, "1"),
    (f"{CREATININE}, take: change_from_baseline, baseline: consent", ValueType.NUMBER, "umol/L"),
    (f"{CREATININE}, take: change_from_baseline, baseline: death, change: percent", ValueType.NUMBER, "%"),
    (f"{CREATININE}, take: change_from_baseline, baseline: infusion_2, change: ratio", ValueType.NUMBER, "1"),
    (f"{CREATININE}, take: any, where: value > 100", ValueType.BOOLEAN, None),
    (f"{CREATININE}, take: all, where: value > 1, measure: ratio_to_high", ValueType.BOOLEAN, None),
    ("from: assessment, code: ecog, take: max", ValueType.INTEGER, "{score}"),
    ("from: assessment, code: ecog, take: mean", ValueType.NUMBER, "{score}"),
    ("from: assessment, code: unfit, take: all", ValueType.BOOLEAN, None),
    ("from: assessment, code: unfit, take: consecutive", ValueType.INTEGER, None),
    ("from: observation, code: hiv, take: earliest", ValueType.CODE, None),
    ("from: condition, code: infarction, take: touches_span, window: {weeks: 2}", ValueType.BOOLEAN, None),
    ("from: medication, code: steroid, take: any, window: {days: 28}", ValueType.BOOLEAN, None),
    ("from: consent, document: informed_consent, take: days_since", ValueType.INTEGER, "d"),
    ("from: demographics, field: sex, take: absence", ValueType.CODE, None),
    ("from: administration", ValueType.INTEGER, None),
    ("from: administration, field: dose, take: sum", ValueType.NUMBER, None),
    ("from: adverse_event, take: any, where: serious && grade >= 3", ValueType.BOOLEAN, None),
    ("from: adverse_event, field: grade, take: max", ValueType.INTEGER, None),
    ("take: days_since, anchor: enrolment", ValueType.INTEGER, "d"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "unit"), TYPES, ids=[t[0] for t in TYPES])
def test_a_fact_has_the_type_of_what_it_takes(line, kind, unit):
    spec = fact(f"x: {{{line}}}")
    assert (spec.value, spec.unit) == (kind, unit)


def test_every_key_of_a_fact_finds_its_place():
    spec = fact(
        "x: {from: observation, code: [creatinine, creatinine_urgent], take: max, conflict: worst,"
        " worse: high, within: day, where: value > 10, measure: ratio_to_high, label: Both,"
        " window: {days: 28, before: enrolment, ends: first}, applicable_if: consent}"
    )
    assert (spec.origin, spec.code, spec.also) == (
        EventType.OBSERVATION,
        "creatinine",
        ("creatinine_urgent",),
    )
    assert (spec.conflict, spec.worse, spec.within_day) == (Conflict.WORST, ("high",), True)
    assert spec.where == Compare("value", ">", 10.0)
    assert spec.measure is Measure.RATIO_TO_HIGH
    assert spec.window == Window(WindowUnit.DAYS, -28, 0, "enrolment", Ends.FIRST)
    assert spec.applicable_if == Compare("consent", "==", value=True)
    assert (spec.label, spec.molar_mass) == ("Both", 113.12)


def test_a_ratio_to_the_reference_is_one_to_its_upper_limit_unless_it_says_lower():
    assert fact(f"x: {{{CREATININE}, take: ratio_to_reference}}").measure is Measure.RATIO_TO_HIGH
    low = f"x: {{{CREATININE}, take: ratio_to_reference, measure: ratio_to_low}}"
    assert fact(low).measure is Measure.RATIO_TO_LOW


def test_absence_is_a_code_of_its_eight_words():
    spec = fact("x: {from: observation, code: hiv, take: absence}")
    assert spec.values == tuple(Absence)
    assert spec.take is Take.ABSENCE


def test_a_change_names_its_baseline_and_validity_is_a_window_up_to_now():
    spec = fact(
        f"x: {{{CREATININE}, take: change_from_baseline, baseline: first_infusion,"
        " change: percent, valid: {calendar_days: 14}}"
    )
    assert (spec.baseline, spec.change) == ("first_infusion", ChangeKind.PERCENT)
    assert spec.valid == Window(WindowUnit.CALENDAR_DAYS, -14)


# (as written, as understood)
WINDOWS = [
    ("{hours: 1.5}", Window(WindowUnit.HOURS, -1.5, 0)),
    ("{days: params.oldest}", Window(WindowUnit.DAYS, -80, 0)),
    ("{days: 51, after: first_infusion}", Window(WindowUnit.DAYS, 0, 51, "first_infusion")),
    ("{calendar_days: 0}", Window(WindowUnit.CALENDAR_DAYS, 0, 0)),
    ("{calendar_days: [25, 31], after: infusion_3}", Window(WindowUnit.CALENDAR_DAYS, 25, 31, "infusion_3")),
    ("{weeks: [-2, 1], after: consent}", Window(WindowUnit.WEEKS, -2, 1, "consent")),
    ("{months: [1, 6], before: death}", Window(WindowUnit.MONTHS, -6, -1, "death")),
    ("{years: [1, 2]}", Window(WindowUnit.YEARS, -2, -1)),
    ("{since: screening}", Window(WindowUnit.HOURS, 0, None, "screening")),
    ("{until: hottest, ends: neither}", Window(WindowUnit.HOURS, None, 0, "hottest", Ends.NEITHER)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "window"), WINDOWS, ids=[w[0] for w in WINDOWS])
def test_a_window_reaches_from_end_to_end_of_its_anchor(text, window):
    assert fact(f"x: {{{CREATININE}, take: max, window: {text}}}").window == window


# (the fact, part of the complaint, part of its hint)
FAULTS = [
    ("x: {from: observations, code: hiv}", "`from` must be one of", "did you mean observation?"),
    ("x: {from: observation, code: hiv, tak: latest}", "unknown key `tak`", "did you mean take?"),
    ("x: {from: observation, code: hiv, label: Hip, knee or spine}", "unknown key `knee or spine`", "within { } quote a text that holds a comma"),
    ("x: {from: observation, code: [hiv, creatinine]}", "`hiv` and `creatinine` differ in value or unit", "derived"),
    ("x: {from: observation, code: [creatinine, weight]}", "`creatinine` and `weight` differ", ""),
    ("x: {from: observation, code: [creatinine, creatinine]}", "a list of different codes", ""),
    ("x: {from: observation, code: []}", "a list of different codes", ""),
    ("x: {from: observation, code: [creatinine, urea]}", "no observation `urea` is declared", "`codes`"),
    ("x: {from: observation, code: 5}", "`code` must be a text", "quote it"),
    ("x: {from: condition, code: [infarction, infarct]}", "no condition `infarct`", "did you mean infarction?"),
    ("x: {from: observation, code: hiv, take: mean}", "`take: mean` needs a number", "latest"),
    ("x: {from: observation, code: creatinine, take: all}", "`take: all` needs a boolean", ""),
    ("x: {from: observation, code: creatinine, take: consecutive}", "needs a `where`", "where: value > 3"),
    ("x: {from: assessment, code: ecog, take: ratio_to_reference}", "needs an observation that is a number", ""),
    ("x: {from: observation, code: hiv, measure: ratio_to_high}", "`measure: ratio_to_high` needs", ""),
    ("x: {from: observation, code: creatinine, take: touches_point, window: {days: 2}}", "needs a condition, a procedure or a medication", ""),
    ("x: {from: administration, take: absence}", "is nothing of these records", "any, count"),
    ("x: {from: administration, field: colour}", "`field` must be one of dose, number", ""),
    ("x: {from: adverse_event, field: grade, take: all}", "`take: all` needs a boolean", ""),
    ("x: {from: observation, code: creatinine, where: valu > 3}", "unknown fact `valu`", "did you mean value?"),
    ('x: {from: observation, code: creatinine, where: value == "high"}', "compared with a text", "without quotes"),
    ("x: {from: adverse_event, where: infusion_number == 1}", "unknown fact `infusion_number`", ""),
    ("x: {from: observation, code: creatinine, take: change_from_baseline}", "`baseline` is missing", "add"),
    ("x: {from: observation, code: creatinine, baseline: consent}", "`baseline` needs `take: change_from_baseline`", ""),
    ("x: {from: observation, code: creatinine, change: percent}", "`change` needs", ""),
    ("x: {from: observation, code: creatinine, take: change_from_baseline, baseline: enrollment}", "unknown anchor `enrollment`", "did you mean enrolment?"),
    ("x: {from: observation, code: creatinine, take: max, valid: {days: 2}}", "`valid` has no meaning", "window"),
    ("x: {from: observation, code: creatinine, valid: {days: 2, after: consent}}", "a length of time alone", "valid: {days: 14}"),
    ("x: {from: observation, code: creatinine, conflict: worst}", "`conflict: worst` and `worse` go together", "worse: high"),
    ("x: {from: observation, code: creatinine, worse: low}", "go together", ""),
    ("x: {from: observation, code: creatinine, conflict: any}", "`conflict: any` needs", ""),
    ("x: {from: observation, code: hiv, conflict: mean}", "`conflict: mean` needs a number", ""),
    ("x: {from: observation, code: hiv, conflict: worst, worse: high}", "a code has no high or low", ""),
    ("x: {from: observation, code: hiv, conflict: worst, worse: [negative]}", "names each value once", ""),
    ("x: {from: condition, code: infarction, take: touches_span, window: {days: 3}, conflict: any}", "knows no conflict", ""),
    ("x: {from: observation, code: creatinine, within: week}", "`within` must be one of instant, day", ""),
    ("x: {take: days_since, anchor: birth}", "unknown anchor `birth`", "one of screening"),
    ("x: {take: latest, anchor: enrolment}", "`take` must be one of days_since", ""),
    ("x: {take: days_since, anchor: infusion_0}", "unknown anchor `infusion_0`", "did you mean infusion_1?"),
    ("x: {take: days_since, anchor: age_years}", "a fact without a time of its own", "record"),
    ("x: {from: observation, code: hiv, applicable_if: sexx == 1}", "unknown fact `sexx`", "did you mean sex?"),
    ("x: {from: demographics, field: sex, take: max}", "`take` must be one of latest, absence", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {days: 2, hours: 3}}", "needs exactly one of `hours`", "since"),
    ("x: {from: observation, code: creatinine, take: max, window: {after: consent}}", "needs exactly one of", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {since: consent, days: 3}}", "without a length", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {since: consent, until: death}}", "has `since` and `until`", "one of them"),
    ("x: {from: observation, code: creatinine, take: max, window: {days: 0}}", "from 1 to 36500", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {months: 1.5}}", "`months` must be a whole number", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {hours: -1}}", "`hours` must be a number above 0", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {days: [31, 25], after: consent}}", "the lesser first", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {days: [31], after: consent}}", "a number or [from, to]", "[25, 31]"),
    ("x: {from: observation, code: creatinine, take: max, window: {days: 3, after: consnt}}", "unknown anchor `consnt`", "did you mean consent?"),
    ("x: {from: observation, code: creatinine, take: max, window: {days: params.eldest}}", "unknown parameter", "did you mean oldest?"),
    ("x: {from: observation, code: creatinine, take: max, window: {days: 3, ends: left}}", "`ends` must be one of both", ""),
    ("x: {from: observation, code: creatinine, take: max, window: {day: 3}}", "unknown key `day`|needs exactly one", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message", "hint"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_faulty_fact_is_told_at_its_line_with_a_hint(line, message, hint):
    found = complaints(line)
    near = [one for one in found if any(part in one[1] for part in message.split("|"))]
    assert near, found
    assert hint in near[0][2], found
    assert near[0][0] == 0, found
