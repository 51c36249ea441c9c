"""The public shape of an assessment: verdicts, decision, what is missing, what was used."""

import pytest

import rules
from rules.model import Scalar
from rules.terms import Decision, Verdict
from tests.support.small import SMALL

PROTOCOL = rules.loads(SMALL)
FACTS: dict[str, Scalar] = {
    "age_years": 30,
    "ecog": 1,
    "sex": "female",
    "hiv": "negative",
    "infarction": False,
}


def test_a_subject_without_a_fault_is_eligible():
    made = PROTOCOL.assess(FACTS)
    assert made.verdicts == {"I1": True, "I3": True, "E1": False}
    assert made.decision is Decision.ELIGIBLE
    assert (made.missing, made.not_applicable) == ((), frozenset())
    assert made.satisfied() == {"I1": True, "I3": True, "E1": True}
    assert made.evidence["E1"] == {"hiv": "negative", "infarction": False, "sex": "female"}


def test_nothing_known_is_indeterminate_and_everything_is_missing():
    made = PROTOCOL.assess({})
    assert set(made.verdict_codes.values()) == {Verdict.INDETERMINATE}
    assert made.decision is Decision.INDETERMINATE
    assert made.missing == ("age_years", "ecog", "hiv", "infarction", "consent", "sex")


def test_only_what_keeps_a_criterion_open_is_missing():
    made = PROTOCOL.assess(FACTS | {"infarction": True})
    assert made.criterion_missing == {"I1": (), "I3": (), "E1": ("consent",)}
    assert PROTOCOL.assess(FACTS | {"hiv": "positive"}).missing == ()
    # Without an infarction consent no longer matters to E1.
    assert PROTOCOL.assess({"sex": "female", "infarction": False}).criterion_missing["E1"] == (
        "hiv",
    )


def test_an_unsatisfied_criterion_decides_whatever_is_missing():
    made = PROTOCOL.assess({"ecog": 3})
    assert made.decision is Decision.INELIGIBLE
    assert made.verdict_codes["I3"] is Verdict.NOT_MET
    assert PROTOCOL.assess({"hiv": "positive"}).decision is Decision.INELIGIBLE


def test_a_criterion_is_set_aside_only_where_it_definitely_does_not_apply():
    male = PROTOCOL.assess({"sex": "male", "hiv": "positive"})
    assert male.verdicts["E1"] is False
    assert male.not_applicable == {"E1"}
    assert male.verdict_codes["E1"] is Verdict.NOT_APPLICABLE
    assert male.criterion_missing["E1"] == ()
    unknown = PROTOCOL.assess({"hiv": "positive"})
    assert (unknown.verdicts["E1"], unknown.not_applicable) == (True, frozenset())


def test_an_override_changes_what_is_satisfied_and_no_verdict():
    made = PROTOCOL.assess(FACTS | {"hiv": "positive"})
    assert made.decision is Decision.INELIGIBLE
    assert made.satisfied({"E1"})["E1"] is True
    assert made.decide({"E1"}) is Decision.ELIGIBLE
    assert made.verdicts["E1"] is True


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"eco": 1}, "declares no fact `eco`"),
        ({"ecog": "1"}, "`ecog` must be of type int"),
        ({"ecog": True}, "`ecog` must be of type int"),
        ({"ecog": 1.0}, "`ecog` must be of type int"),
        ({"ecog": None}, "`ecog` must be of type int"),
        ({"sex": "unknown"}, "`sex` is one of female, male, other"),
        ({"infarction": 1}, "`infarction` must be of type bool"),
        ({"infarction": "true"}, "`infarction` must be of type bool"),
        ({"temperature": "38"}, "`temperature` must be of type float or int"),
        ({"temperature": float("nan")}, "not a finite number"),
        ({"note": 3}, "`note` must be of type str"),
    ],
)
def test_a_fact_of_the_wrong_kind_is_an_error_never_a_verdict(facts, said):
    with pytest.raises(rules.RuleError, match=said):
        PROTOCOL.assess(facts)


def test_no_error_repeats_a_value():
    with pytest.raises(rules.RuleError) as caught:
        PROTOCOL.assess({"sex": "S3CR3T"})
    assert "S3CR3T" not in str(caught.value)


def test_an_assessment_does_not_change_with_the_facts_it_was_given():
    facts = dict(FACTS)
    made = PROTOCOL.assess(facts)
    facts.clear()
    assert made.evidence["I3"] == {"ecog": 1}
