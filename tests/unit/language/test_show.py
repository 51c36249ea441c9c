"""What a protocol can say is shown to people in words, to programs as it was written."""

import pytest

import rules
from rules.show import as_json
from tests.unit.language.test_codes import WIDE

FACTS = """\
facts:
  pooled: {from: observation, code: creatinine, take: mean, window: {calendar_days: [25, 31], after: first_infusion, ends: first}, where: value >= 38, label: Pooled}
  changed: {from: observation, code: creatinine, take: change_from_baseline, baseline: enrolment, change: percent, valid: {days: 14}}
  ratio: {from: observation, code: creatinine, take: ratio_to_reference, conflict: worst, worse: high, within: day}
  in_a_row: {from: observation, code: creatinine, take: consecutive, where: value > 3}
  doses: {from: administration, field: dose, take: sum, window: {since: first_infusion}}
  days_on_study: {take: days_since, anchor: enrolment}
  doubled: {derive: "creatinine * 2 > ratio2 * 3 && !unfit"}
  ratio2: {from: observation, code: creatinine, take: max}
  grade_of: {cases: [{when: creatinine > 3, value: high}], otherwise: low}
"""
PROTOCOL = rules.loads(WIDE.replace("facts:\n", FACTS, 1))

WORDS = [
    "Only where: value >= 38",
    "Window: 25 to 31 calendar days after first infusion, the last moment not included",
    "Takes: change from baseline, the last up to enrolment, as percent",
    "Holds for: 14 days",
    "Where records differ: the worst of one day (high)",
    "the ratio to the upper limit of its own reference range",
    "Counts those where: value > 3",
    "Window: from first infusion on",
    "Takes: days since enrolment",
    "Is: creatinine * 2 > ratio2 * 3 && !unfit",
    "Is: high where creatinine > 3; low otherwise",
    "Applies where: consent",
    "Due: 28 days after first infusion; 2 days before to 3 days after",
    "The last infusion before the adverse event, within 30 days",
    "Spells C for Cel",
    "Molar mass: 113.12 g/mol",
    "Also spelled: MG/DL for mg/dL",
    "limit  1.5 mg/dL",
    "Version 0.9  More.",
    "Consent again within: 30 days",
    'Applies where: sex != "male"',
]


@pytest.mark.parametrize("words", WORDS)
def test_people_read_it_in_words(words):
    assert words in str(rules.show(PROTOCOL))


def test_the_facts_of_inner_comparisons_are_for_programs_only():
    assert "doubled__1" not in str(rules.show(PROTOCOL))
    assert "doubled__1" in {fact["fact"] for fact in as_json(PROTOCOL)["facts"]}


def test_programs_read_it_as_it_was_written():
    told = as_json(PROTOCOL)
    facts = {fact["fact"]: fact for fact in told["facts"]}
    assert facts["pooled"]["window"] == {
        "calendar_days": [25, 31],
        "after": "first_infusion",
        "ends": "first",
    }
    assert facts["doses"]["window"] == {"since": "first_infusion"}
    assert facts["changed"]["valid"] == {"days": 14}
    assert facts["creatinine"]["applicable_if"] == "consent"
    assert facts["doubled"]["derived"] == "creatinine * 2 > ratio2 * 3 && !unfit"
    assert told["schedule"][0]["collects"] == ["creatinine", "ecog"]
    assert told["relations"][0]["within"] == {"days": 30}
    assert told["publishers"] == [{"source": "*", "unit_aliases": {"C": "Cel"}}]
    assert (told["amends"]["kind"], told["consent_version"]) == ("major", "3.0")
    assert told["criteria"][1]["applicable_if"] == "true"
    assert told["parameters"][0]["unit"] == "mg/dL"
    assert rules.show(PROTOCOL, "json") == told
