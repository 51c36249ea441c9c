"""What a scenario may expect of facts and of what is missing, and what is told where it is otherwise."""

import pytest

import rules
from tests.support.small import SMALL

EXPECT = "expect: {decision: indeterminate, verdicts: {I1: met, E1: not_applicable}"


def messages(expect, text=SMALL):
    text = text.replace(EXPECT, f"{EXPECT}, {expect}", 1)
    return [str(c) for c in rules.check_scenarios(rules.loads(text, "p.yaml"))]


def test_facts_and_missing_that_are_as_expected_are_silent():
    facts = "facts: {age_years: 45, sex: male, ecog: null, hottest: null}"
    assert messages(f"{facts}, missing: [ecog]") == []


# What is expected, and what is told.
OTHERWISE = [
    ("facts: {age_years: 46}", "age_years is 45, not 46"),
    ("facts: {age_years: null}", "age_years is 45, not unknown"),
    ("facts: {ecog: 1}", "ecog is unknown, not 1"),
    ("facts: {sex: female}", "sex is male, not female"),
    ("missing: []", "the facts that are missing are ecog, not none"),
    ("missing: [ecog, hiv]", "the facts that are missing are ecog, not ecog, hiv"),
]


@pytest.mark.parametrize(("expect", "told"), OTHERWISE, ids=[o[0] for o in OTHERWISE])
def test_what_is_otherwise_is_told_with_both(expect, told):
    (found,) = messages(expect)
    assert told in found


def test_a_number_is_expected_to_twelve_digits():
    text = SMALL.replace(
        "- {type: enrolment, time",
        '- {type: observation, time: "2026-01-05T10:00:00+09:00", data: {code: temperature,'
        ' value: 100, unit: "[degF]"}}\n      - {type: enrolment, time',
        1,
    )
    assert messages("facts: {temperature: 37.7777777778, hottest: 37.7777777778}", text) == []
    (found,) = messages("facts: {temperature: 37.7}", text)
    assert "temperature is 37.7777777778, not 37.7" in found


# (what is expected, part of the complaint, part of its hint)
FAULTS = [
    ("facts: {ecg: 1}", "unknown fact `ecg`", "did you mean ecog?"),
    ("missing: [ecg]", "unknown fact `ecg`", "did you mean ecog?"),
    ("facts: {ecog: one}", "`ecog` is an integer but is compared with a text", "without quotes"),
    ("facts: {sex: man}", '`sex` is never "man"', "male"),
    ("facts: {unfit: 1}", "`unfit` is a boolean", ""),
    ("facts: {ecog: [1]}", "must be a number, a text, true, false or null", ""),
    ("facts: [ecog]", "`facts` must be a mapping", ""),
    ("missing: ecog", "`missing` must be a list", ""),
]


@pytest.mark.parametrize(("expect", "message", "hint"), FAULTS, ids=[f[0] for f in FAULTS])
def test_an_expectation_that_can_never_be_is_refused(expect, message, hint):
    with pytest.raises(rules.ProtocolError) as caught:
        messages(expect)
    near = [c for c in caught.value.complaints if message in c.message]
    assert near, [str(c) for c in caught.value.complaints]
    assert hint in near[0].hint
