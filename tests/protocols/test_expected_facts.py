"""What a scenario expects of facts and of what is missing, and what is said when it is otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

import rules

PROTOCOLS = Path(__file__).resolve().parents[2] / "rules" / "protocols"

FLAGSHIP = (PROTOCOLS / "msc-cgvhd.yaml").read_text(encoding="utf-8").partition("\nscenarios:")[0]
STORY = """
scenarios:
  - name: One temperature and no serology
    given: [clinical, man, own_consent]
    without: [hiv_status]
    expect: {EXPECT}
"""


def complaints(expect: str) -> list[str]:
    text = FLAGSHIP + STORY.replace("EXPECT", expect)
    return [complaint.message for complaint in rules.check(rules.loads(text, "x.yaml")).complaints]


def test_a_scenario_that_is_right_about_facts_and_what_is_missing_holds() -> None:
    right = (
        "facts: {body_temperature: 36.8, ecog: 1, unfit: false, hiv_status: null,"
        " cgvhd_course: no_improvement_4_weeks}, missing: [hiv_status]"
    )
    assert complaints(right) == []


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("facts: {body_temperature: 36.9}", "body_temperature is 36.8, not 36.9"),
        ("facts: {body_temperature: null}", "body_temperature is 36.8, not unknown"),
        ("facts: {hiv_status: negative}", "hiv_status is unknown, not negative"),
        ("facts: {unfit: true}", "unfit is false, not true"),
        ("missing: []", "the facts that are missing are hiv_status, not none"),
        ("missing: [ecog, hiv_status]", "the facts that are missing are hiv_status, not ecog, hiv_status"),
    ],
)  # fmt: skip
def test_a_scenario_that_is_wrong_about_a_fact_says_what_it_is(expect: str, said: str) -> None:
    assert complaints(expect) == [f"the scenario `One temperature and no serology`: {said}"]


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("facts: {body_temprature: 36.8}", "unknown fact `body_temprature`"),
        ("missing: [hiv]", "unknown fact `hiv`"),
        ("facts: {ecog: fit}", "`ecog` is an integer but is compared with a text"),
        ("facts: {hiv_status: unclear}", '`hiv_status` is never "unclear"'),
    ],
)
def test_an_expectation_that_no_fact_could_meet_is_refused_at_load(expect: str, said: str) -> None:
    with pytest.raises(rules.ProtocolError) as refused:
        complaints(expect)
    assert [complaint.message for complaint in refused.value.complaints] == [
        f"the scenario `One temperature and no serology`: {said}"
    ]
