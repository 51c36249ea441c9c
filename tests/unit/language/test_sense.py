"""What can never hold, and what always holds, is refused; what changes nothing is noted."""

import pytest

import rules
from rules.language import sense
from tests.support.small import SMALL, line_of

ECOG = "when: ecog in [0, 1, 2]"


def complaints(text):
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(text, "p.yaml")
    return caught.value.complaints


def bent(condition, old=ECOG):
    assert old in SMALL
    key = old.split(":")[0]
    return SMALL.replace(old, f"{key}: '{condition}'", 1)


def notes(condition, old=ECOG):
    return [note.message for note in sense.notes(rules.loads(bent(condition, old)).definition)]


NEVER = [
    ("age_years < 18 && age_years > 65", "age_years < 18 && age_years > 65"),
    ("ecog > 5", "ecog > 5"),
    ("ecog > 4 && ecog < 5", "ecog > 4 && ecog < 5"),
    ("ecog == 3 || ecog > 5", "ecog > 5"),
    ("has(facts.hiv) && !has(facts.hiv)", "has(facts.hiv) && !has(facts.hiv)"),
    ("ecog >= 2 && !has(facts.ecog)", "ecog >= 2 && !has(facts.ecog)"),
    ("sex == \"male\" && infarction && sex == \"female\"", "sex == \"male\" && sex == \"female\""),
    ("ecog in [1, 2] && (ecog == 0 || ecog == 3)", "ecog in [1, 2] && (ecog == 0 || ecog == 3)"),
    ("infarction && !(ecog <= 2 || infarction)", "infarction && !(ecog <= 2 || infarction)"),
    ("!(infarction || !infarction) || ecog == 1", None),
    ("hottest > 45", "hottest > 45"),
    ("hottest >= 40 && hottest < 40", "hottest >= 40 && hottest < 40"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "group"), NEVER)
def test_what_can_never_hold_is_refused_in_its_own_words(condition, group):
    text = bent(condition.replace("'", "''"))
    (complaint,) = complaints(text)
    assert complaint.line == line_of(text, "when: '" + condition[:5])
    word = "can never hold" if group else "always holds where it is known"
    assert f"the criterion `I3`, `when`: {word}" in complaint.message
    assert f"`{group or 'infarction || !infarction'}`" in complaint.message
    assert complaint.hint


ALWAYS = [
    "hiv in [\"positive\", \"negative\"]",
    "ecog >= 0",
    "ecog <= 5 || infarction",
    "age_years > 3 || age_years <= 3",
    "hiv == \"positive\" || hiv != \"positive\"",
    "has(facts.ecog) || !has(facts.ecog)",
]  # fmt: skip


@pytest.mark.parametrize("condition", ALWAYS)
def test_a_criterion_that_nobody_can_fail_is_refused(condition):
    (complaint,) = complaints(bent(condition))
    assert "the criterion `I3`, `when`: always holds where it is known" in complaint.message


SOUND = [
    "ecog >= 0 && ecog <= 2",
    "age_years >= 18 && (sex == \"female\" || age_years >= 21)",
    "hottest >= 45",
    "ecog == 2 || !has(facts.ecog)",
    "sex == \"male\" || sex == \"female\"",
    "ecog > 2 && ecog < 4",
]  # fmt: skip


@pytest.mark.parametrize("condition", SOUND)
def test_what_can_hold_and_fail_is_let_through(condition):
    rules.loads(bent(condition))


def test_a_rule_that_can_never_fire_names_what_the_engine_knows():
    grade = "when: serious || seriousness_criteria > 0"
    for condition, hint in (
        ("grade > 5", "`grade` lies from 1 to 5"),
        ("seriousness_criteria < 0", "`seriousness_criteria` is never below 0"),
        ('ae_status == "withdrawn"', "`ae_status` is one of valid here"),
    ):
        (complaint,) = complaints(bent(condition, grade))
        assert complaint.hint == hint, condition
        assert "the rule `S-SAE`, `when`: can never hold" in complaint.message


def test_a_rule_may_ask_whether_a_grade_was_told_at_all():
    rules.loads(bent("grade >= 1", "when: serious || seriousness_criteria > 0"))


def test_a_verdict_that_a_criterion_never_has_is_refused():
    (complaint,) = complaints(bent('I1 == "not_applicable"', "when: hottest >= params.fever"))
    assert complaint.hint == "`I1` is one of met, not_met, indeterminate here"
    rules.loads(bent('E1 == "not_applicable"', "when: hottest >= params.fever"))


def test_applicability_and_endpoints_are_looked_at_too():
    (complaint,) = complaints(
        SMALL.replace(
            'applicable_if: sex != "male"', 'applicable_if: sex == "male" && sex == "other"'
        )
    )
    assert "the criterion `E1`, `applicable_if`: can never hold" in complaint.message
    (complaint,) = complaints(SMALL.replace("endpoint: grade >= 3", "endpoint: grade >= 6"))
    assert "the stopping rule `ST-TOX`: can never hold" in complaint.message


CONSTANTS = [
    ("gate: [{id: G, text: No fever, closed_when: %s, source: {document: record}}]", "the gate item `G`, `closed_when`", {True, False}),
    ("gate: [{id: G, text: No fever, closed_when: infarction, applicable_if: %s, source: {document: record}}]", "the gate item `G`, `applicable_if`", {False}),
    ("schedule: [{id: week_1, label: Week 1, after: first_infusion, day: 7, late_days: 2, applicable_if: %s, source: {document: record}}]", "the visit `week_1`, `applicable_if`", {False}),
    ("clocks: [{id: SUSAR-15, use: susar_15, region: KR, exempt: %s}]", "the clock `SUSAR-15`, `exempt`", {True}),
]  # fmt: skip


@pytest.mark.parametrize(("section", "what", "refused"), CONSTANTS)
@pytest.mark.parametrize("constant", [True, False])
def test_a_constant_that_leaves_a_statement_without_meaning_is_refused(
    section, what, refused, constant
):
    text = SMALL + section % str(constant).lower() + "\n"
    if constant not in refused:
        rules.loads(text)
        return
    found = complaints(text)
    word = "always holds, whatever is known" if constant else "can never hold, whatever is known"
    assert f"{what}: {word}" in {complaint.message for complaint in found}


def test_a_criterion_that_everybody_or_nobody_meets_is_refused():
    assert "always holds, whatever is known" in complaints(bent("true"))[0].message
    assert "can never hold, whatever is known" in complaints(bent("false"))[0].message


SPARE = [
    ("age_years >= 18 && age_years >= 21", "`age_years >= 18` is implied by its neighbours"),
    ("ecog <= 2 && ecog >= 0", "`ecog >= 0` is implied by its neighbours"),
    ("ecog == 1 || ecog <= 2", "`ecog == 1` is covered by its neighbours"),
    ("infarction && (ecog <= 2 || !infarction)", None),  # where it is unknown, it counts
    ("has(facts.ecog) && ecog >= 1", None),
    ("infarction || (infarction && ecog <= 2)", "`infarction && ecog <= 2` is covered by its neighbours"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "note"), SPARE)
def test_what_could_be_left_out_is_noted(condition, note):
    found = notes(condition)
    assert [note in one for one in found] == ([True] if note else [])


def test_the_small_protocol_has_nothing_to_leave_out():
    assert sense.notes(rules.loads(SMALL).definition) == []


DOSE = "  dose_limit: {cases: [{when: infarction, value: 5}], otherwise: 2.5}\ncriteria:"


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("dose_limit > 6", "can never hold"),
        ("dose_limit < 2.5", "can never hold"),
        ("infarction || dose_limit > 5", "can never hold: `dose_limit > 5`"),
        ("dose_limit >= 2.5", "always holds where it is known"),
    ],
)
def test_a_fact_of_constant_cases_lies_from_the_least_to_the_most(condition, word):
    (complaint,) = complaints(bent(condition).replace("criteria:", DOSE, 1))
    assert word in complaint.message
    assert complaint.hint == "`dose_limit` lies from 2.5 to 5"


def test_a_fact_of_cases_that_are_worked_out_may_be_anything():
    open_end = DOSE.replace("2.5", "{derive: hottest * 2}, unit: Cel")
    open_end = open_end.replace("value: 5", "derive: hottest")
    rules.loads(bent("dose_limit > 6").replace("criteria:", open_end, 1), "p.yaml")
    rules.loads(bent("dose_limit > 2.5").replace("criteria:", DOSE, 1), "p.yaml")
