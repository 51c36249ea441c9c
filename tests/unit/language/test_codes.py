"""Codes, value sets, publishers, parameters with units, the schedule, relations, amendments."""

import pytest

import rules
from rules.model import Amendment, Coding, Compare, Or, Relation, Visit, Window
from rules.terms import AmendmentKind, EventType, Relate, Scope, ValueType, WindowUnit
from tests.support.small import SMALL, line_of

CREATININE = (
    "  - {code: creatinine, type: observation, label: Creatinine, value: number, unit: umol/L,"
    " molar_mass: 113.12, value_set: crea, aliases: {MG/DL: mg/dL}, applicable_if: consent,"
    ' codings: [{system: "http://loinc.org", code: 14682-9}]}\n'
)
SETS = 'value_sets:\n  crea: [{system: "http://loinc.org", code: 2160-0}, {system: x, code: y}]\n'
PUBLISHERS = 'publishers:\n  - {source: "*", unit_aliases: {C: Cel}}\n'
LIMIT = "  limit: {value: 1.5, unit: mg/dL, source: record}\n"
SCHEDULE = """\
schedule:
  - {id: day_29, label: Day 29, after: first_infusion, day: 28, early_days: 2, late_days: 3, collects: [creatinine, ecog], owner: nurse, applicable_if: sex == "male", source: {document: record}}
"""
RELATIONS = """\
relations:
  preceding_infusion: {on: adverse_event, to: infusion, take: last_before, within: {days: 30}}
"""
AMENDS = '  amends: {version: "0.9", kind: major, summary: More., reconsent_within_days: 30}\n'
WIDE = (
    SMALL.replace("codes:\n", SETS + PUBLISHERS + SCHEDULE + RELATIONS + "codes:\n" + CREATININE, 1)
    .replace("parameters:\n", "parameters:\n" + LIMIT, 1)
    .replace("  target: 10\n", "  target: 10\n" + AMENDS + '  consent_version: "3.0"\n', 1)
    .replace("when: ecog in [0, 1, 2]", "when: ecog in [0, 1, 2] || creatinine < params.limit")
)


def test_a_wide_protocol_loads_whole():
    it = rules.loads(WIDE).definition
    code = it.codes[EventType.OBSERVATION, "creatinine"]
    assert code.molar_mass == 113.12
    assert code.aliases == {"MG/DL": "mg/dL"}
    assert code.codings == (
        Coding("http://loinc.org", "14682-9"),
        Coding("http://loinc.org", "2160-0"),
        Coding("x", "y"),
    )
    assert it.aliases == {"*": {"C": "Cel"}}
    assert it.parameters["limit"].unit == "mg/dL"
    assert it.amends == Amendment("0.9", AmendmentKind.MAJOR, "More.", 30)
    assert it.consent_version == "3.0"
    assert it.relations["preceding_infusion"] == Relation(
        "preceding_infusion",
        Scope.ADVERSE_EVENT,
        Scope.INFUSION,
        Relate.LAST_BEFORE,
        Window(WindowUnit.DAYS, -30),
        line_of(WIDE, "preceding_infusion"),
    )
    (visit,) = it.schedule
    assert visit == Visit(
        "day_29", "Day 29", "first_infusion", 28, 2, 3, visit.source, ("creatinine", "ecog"),
        "nurse", Compare("sex", "==", "male"), line_of(WIDE, "day_29"),
    )  # fmt: skip


def test_a_visit_is_also_a_procedure_that_says_whether_it_took_place():
    it = rules.loads(WIDE)
    assert it.definition.codes[EventType.PROCEDURE, "day_29"].label == "Day 29"
    assert it.definition.facts["day_29"].value is ValueType.BOOLEAN
    assert it.problems("procedure", {"code": "day_29", "status": "done"}, 0) == []


def test_a_parameter_with_a_unit_is_compared_in_the_unit_of_the_fact():
    (criterion,) = (c for c in rules.loads(WIDE).definition.criteria if c.id == "I3")
    assert isinstance(criterion.stated, Or)
    assert criterion.stated.parts[1] == Compare("creatinine", "<", 132.602545969)
    fahrenheit = WIDE.replace("value: 38, source", 'value: 100.4, unit: "[degF]", source')
    rule = rules.loads(fahrenheit).definition.rules[0]
    assert rule.when == Compare("hottest", ">=", 38.0)


def test_the_applicability_of_a_code_is_that_of_its_own_fact():
    facts = rules.loads(WIDE).definition.facts
    assert facts["creatinine"].applicable_if == Compare("consent", "==", value=True)
    own = WIDE.replace(
        "facts:\n", "facts:\n  creatinine: {from: observation, code: creatinine, take: max}\n", 1
    )
    assert rules.loads(own).definition.facts["creatinine"].applicable_if is not None


# (what stands there, what comes instead, part of the complaint, part of its hint)
FAULTS = [
    ("value_set: crea", "value_set: creat", "unknown value set `creat`", "did you mean crea?"),
    ("{system: x, code: y}", "{system: x, cod: y}", "`code` is missing", ""),
    ("  crea: [{", "  Crea: [{", "the value set `Crea` must be lower-case", ""),
    ("molar_mass: 113.12", "molar_mass: -3", "`molar_mass` is in g/mol", "113.12"),
    ("molar_mass: 113.12, ", "", "`MG/DL` stands for mg/dL, which does not convert into umol/L", ""),
    ("{MG/DL: mg/dL}", "{MG/DL: MG/DL}", "which is no UCUM unit", "as Cel"),
    ("{C: Cel}", "{C: Celsius}", "`C` stands for `Celsius`, which is no UCUM unit", "as Cel"),
    ("{C: Cel}", "{C: mmol, mmol: mol}", "`C` stands for mmol, which stands for another", "C: mol"),
    ("{C: Cel}", "{Cel: K}", "is itself the unit of the code `temperature`", "spelling"),
    ('{source: "*", unit', "{unit", "`source` is missing", ""),
    ("unit_aliases", "unit_alias", "unknown key `unit_alias`", "did you mean unit_aliases?"),
    ("unit: mg/dL, source: record", "unit: kg, source: record", "`creatinine` is in umol/L, `params.limit` in kg", "molar_mass"),
    ("unit: mg/dL, source: record", "unit: foo, source: record", "`foo` is no UCUM unit", ""),
    ("value: 1.5, unit", "value: high, unit", "only a number has a unit", ""),
    ("label: Day 29, ", "", "`label` is missing", ""),
    ("after: first_infusion", "after: first_infusoin", "unknown anchor `first_infusoin`", "did you mean first_infusion?"),
    ("day: 28,", "", "`day` is missing", ""),
    ("early_days: 2", "early_days: -2", "`early_days` must be a whole number from 0", ""),
    ("collects: [creatinine", "collects: [creatinin", "no code `creatinin` is declared", "did you mean creatinine?"),
    ("id: day_29", "id: Day29", "`id` must be lower-case", ""),
    ('applicable_if: sex == "male"', 'applicable_if: sex == "mal"', 'never "mal"', "did you mean male?"),
    (", source: {document: record}}\nrelations", "}\nrelations", "`source` is missing", ""),
    ("on: adverse_event, to", "on: subject, to", "`on` must be one of adverse_event", ""),
    ("to: infusion,", "to: death,", "`to` must be one of infusion", ""),
    ("take: last_before", "take: last_befor", "`take` must be one of last_before", "did you mean last_before?"),
    ("within: {days: 30}", "within: {days: 30, after: death}", "a length of time alone", ""),
    ("kind: major", "kind: minor", "only a major amendment", "kind: major"),
    ('version: "0.9"', 'version: "1.0"', "does not amend itself", ""),
    ("summary: More., ", "", "`summary` is missing", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message", "hint"), FAULTS, ids=[f[2] for f in FAULTS])
def test_a_fault_is_told_with_its_line_and_a_hint(old, new, message, hint):
    assert old in WIDE
    text = WIDE.replace(old, new, 1)
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(text, "p.yaml")
    near = [c for c in caught.value.complaints if message in c.message]
    assert near, [str(c) for c in caught.value.complaints]
    assert hint in near[0].hint
    line = WIDE[: WIDE.index(old)].count("\n") + 1
    line = line_of(text, "params.limit") if "params.limit" in message else line
    assert near[0].line == line


def test_a_visit_or_a_publisher_that_stands_twice_is_told():
    one = SCHEDULE.splitlines()[1] + "\n"
    with pytest.raises(rules.ProtocolError, match="the visit `day_29`: stands twice"):
        rules.loads(WIDE.replace(one, one + one))
    two = PUBLISHERS.splitlines()[1] + "\n"
    with pytest.raises(rules.ProtocolError, match=r"the publisher `\*`: stands twice"):
        rules.loads(WIDE.replace(two, two + two))


@pytest.mark.parametrize(
    ("number", "anchor"),
    [(2, "infusion_2"), (2, "infusion_3"), (1, "first_infusion"), (1, "infusion_1")],
)
def test_an_infusion_is_not_counted_from_itself_or_from_a_later_one(number, anchor):
    told = f"administration: {number}, after: {anchor}"
    text = WIDE.replace("after: first_infusion", told, 1)
    with pytest.raises(
        rules.ProtocolError, match=f"infusion {number} would never be due"
    ) as caught:
        rules.loads(text, "p.yaml")
    assert caught.value.complaints[0].line == line_of(text, told)


def test_an_infusion_is_counted_from_an_earlier_one():
    told = "administration: 2, after: first_infusion"
    (visit,) = rules.loads(WIDE.replace("after: first_infusion", told, 1)).definition.schedule
    assert (visit.administration, visit.anchor) == (2, "first_infusion")


def test_a_complaint_is_one_line_also_of_a_name_with_line_breaks():
    text = WIDE.replace("after: first_infusion", r'after: "first\n\rinfusion"', 1)
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(text, "p.yaml")
    assert len(str(caught.value).splitlines()) == len(caught.value.complaints)


LIVER = "".join(
    f"  - {{code: {code}, type: observation, label: {code}, value: number, unit: U/L, ctcae: {as_}}}\n"
    for code, as_ in (("gpt", "alt"), ("tbil", "bilirubin"), ("hgb", "ast"))
).replace("unit: U/L, ctcae: bilirubin", "unit: umol/L, ctcae: bilirubin")


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("alt: tbil, bilirubin: gpt", "`tbil` is graded as bilirubin, so it is no alt"),
        ("alt: hgb, bilirubin: tbil", "`hgb` is graded as ast, so it is no alt"),
    ],
)
@pytest.mark.parametrize("take", ["hys_law", "edish"])
def test_liver_tests_that_are_graded_as_another_are_refused(take, tests, message):
    def text(named):
        fact = f"  liver: {{from: observation, take: {take}, {named}}}\n"
        codes = WIDE.replace("codes:\n", "codes:\n" + LIVER, 1)
        return codes.replace("\nfacts:\n", "\nfacts:\n" + fact, 1)

    rules.loads(text("alt: gpt, bilirubin: tbil"))
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(text(tests), "p.yaml")
    assert message in str(caught.value)
