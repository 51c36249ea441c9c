"""What a person reads of two versions, and what the amendment leaves unsaid."""

from __future__ import annotations

from dataclasses import fields

import pytest

import rules
from rules.model import Definition
from rules.versions import expectation
from rules.versions.differences import HEAD, SECTIONS
from tests.support.small import SMALL


def amended(*changes, kind="major", version="2.0"):
    """The small protocol with some texts replaced, as another version of it."""
    text = SMALL.replace(
        'version: "1.0"',
        f'version: "{version}"\n  amends: {{version: "1.0", kind: {kind}, summary: A reason}}',
        1,
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return rules.loads(text, "amended")


def diff(*changes, kind="major"):
    return rules.diff(rules.loads(SMALL, "small"), amended(*changes, kind=kind))


def told(found):
    return {
        (item["section"], item["id"], item["what"], *item["touches"]) for item in found["changes"]
    }


OLDEST = ("oldest: {value: 80", "oldest: {value: 75")
CASES = [
    pytest.param(
        [OLDEST],
        {("criteria", "I1", "changed", "eligibility"), ("parameters", "oldest", "changed", "eligibility")},
        id="a parameter shows where it is read, and in the limits themselves",
    ),
    pytest.param(
        [("text: Age 1 to 80", "text: Aged 1 to 80")],
        {("criteria", "I1", "changed", "text")},
        id="other words are text alone",
    ),
    pytest.param(
        [("when: ecog in [0, 1, 2]", "when: ecog in [0, 1]")],
        {("criteria", "I3", "changed", "eligibility")},
        id="another condition",
    ),
    pytest.param(
        [("take: max, window: {hours: 24}", "take: max, window: {hours: 48}")],
        {("facts", "hottest", "changed", "safety")},
        id="a fact is about what reads it",
    ),
    pytest.param(
        [("table: [[3, 2], [6, 3]]", "table: [[3, 1], [6, 3]]")],
        {("stopping", "ST-TOX", "changed", "safety")},
        id="a stopping rule",
    ),
    pytest.param(
        [("  - {code: note, type: observation, label: A note, value: string}\n", "")],
        {("codes", "observation note", "removed", "publishing"), ("facts", "note", "removed", "text")},
        id="a code that is gone",
    ),
    pytest.param([], set(), id="nothing but the version"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_every_change_is_said_with_what_it_is_about(changes, expected):
    assert told(diff(*changes)) == expected


# What makes a version itself, what proves it, and what is worked out of the rest.
NOT_COMPARED = {
    *("id", "version", "amends", "file", "digest", "scenarios"),
    *("relations", "as_written", "criteria_version"),
}


def test_nothing_of_a_protocol_is_left_out_of_the_comparison():
    compared = {*HEAD, *SECTIONS, "reference"}
    assert compared | NOT_COMPARED == {one.name for one in fields(Definition)}
    assert expectation.told(rules.loads(SMALL, "small").definition)


REPEATED = """
repeats:
  - id: RP-SAME
    title: The same severe event
    when: grade >= 3
    subjects: 2
    source: {document: record}
response:
  - id: RR
    title: Response rate
    evaluable: has(facts.ecog)
    responder: ecog <= params.oldest
    source: {document: record}
"""


def test_repeats_and_response_rates_are_compared_with_what_they_rest_on():
    one = rules.loads(SMALL + REPEATED, "one")
    changed = SMALL.replace('version: "1.0"', 'version: "1.1"').replace(
        "oldest: {value: 80", "oldest: {value: 75"
    )
    repeated = REPEATED.replace("grade >= 3", "grade >= 4").replace("has(facts.ecog)", "ecog <= 2")
    other = rules.loads(changed + repeated, "other")
    found = {
        item["id"]: (item["what"], [key["key"] for key in item["keys"]])
        for item in rules.diff(one, other)["changes"]
    }
    assert found["RP-SAME"] == ("changed", ["when"])
    assert found["RR"] == ("changed", ["evaluable", "responder"])
    assert {"safety", "eligibility"} <= set(
        next(item for item in rules.diff(one, other)["changes"] if item["id"] == "oldest")[
            "touches"
        ]
    )
    assert "Response rates\n  RR changed (safety)" in rules.diff_text(rules.diff(one, other))
    assert {"RR", "RP-SAME"} <= {
        item["id"] for item in rules.diff(rules.loads(SMALL, "small"), one)["changes"]
    }


def test_a_changed_key_is_shown_as_it_was_and_as_it_is():
    found = diff(("when: ecog in [0, 1, 2]", "when: ecog in [0, 1]"))
    (change,) = found["changes"]
    assert change["keys"] == [
        {"key": "when", "from": "ecog in [0, 1, 2]", "to": "ecog in [0, 1]"}
    ]  # fmt: skip
    assert "from ecog in [0, 1, 2]" in rules.diff_text(found)


@pytest.mark.parametrize("kind", ["minor", "major"])
@pytest.mark.parametrize(
    ("change", "weighs"),
    [
        (OLDEST, True),
        (("table: [[3, 2], [6, 3]]", "table: [[3, 1], [6, 3]]"), True),
        (("title: Fever", "title: A fever"), False),
        (("take: max, window: {hours: 24}", "take: max, window: {hours: 48}"), False),
    ],
)
def test_what_subjects_consented_to_does_not_change_in_a_minor_amendment_unwarned(
    kind, change, weighs
):
    assert bool(diff(change, kind=kind)["warnings"]) == (weighs and kind == "minor")


def test_a_version_that_does_not_say_what_it_amends_is_warned_of():
    one = rules.loads(SMALL, "small")
    (warning,) = rules.diff(one, one)["warnings"]
    assert "amends:" in warning
    other = rules.diff(amended(version="3.0"), amended())
    assert any("amends 1.0, not 3.0" in text for text in other["warnings"])


def test_a_rule_that_reads_the_decision_rests_on_the_criteria():
    reads = ("when: hottest >= params.fever", 'when: decision == "ineligible"')
    old, new = amended(reads), amended(reads, OLDEST, version="3.0")
    behind = rules.concerning(rules.diff(old, new), old, new)
    assert {item["id"] for item in behind["S-FEVER"]} == {"I1", "oldest"}
    assert behind["S-SAE"] == []


@pytest.mark.parametrize(
    ("change", "clashing"),
    [
        (("value: number, unit: Cel", "value: number, unit: kg"), ["temperature"]),
        (("value: number, unit: Cel", 'value: number, unit: "[degF]"'), []),
        (("label: Unfit, value: boolean", "label: Unfit, value: integer"), ["unfit"]),
    ],
)
def test_a_code_keeps_its_type_and_a_unit_that_converts(change, clashing):
    without_range = ("low: 25, high: 45, ", "")
    new = amended(change, without_range)
    assert rules.clashes(rules.loads(SMALL, "small"), new) == clashing


def test_a_code_keeps_its_words_and_takes_mass_and_amount_still():
    creatinine = (
        "- {code: creatinine, type: observation, label: Creatinine, value: number, unit: mg/dL"
    )
    doubtful = ("values: [positive, negative]", "values: [positive, negative, doubtful]")
    weighed = ("codes:\n", f"codes:\n  {creatinine}, molar_mass: 113.12}}\n")
    plain = ("codes:\n", f"codes:\n  {creatinine}}}\n")
    first, second = amended(plain), amended(weighed, doubtful)
    assert rules.clashes(first, second) == []
    assert rules.clashes(second, first) == ["creatinine", "hiv"]
