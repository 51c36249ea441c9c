"""Clause trees: how conditions read, what does not apply, and which leaves decide."""

import pytest

from rules.explanation.clauses import because, compile_tree
from rules.explanation.words import Names, text
from rules.language.vocabulary import FactType
from rules.model import And, Compare, FactSpec, Has, In, Not, Or
from rules.terms import EventType, ValueType

MALE = Compare("sex", "!=", "male")
TESTED = Compare("test", "==", "positive")
NURSING = Compare("nursing", "==", True)
FEVER = Compare("temperature", ">=", 38.0)


def spec(name, kind, unit=None, applies=None):
    return FactSpec(
        name,
        EventType.OBSERVATION,
        name,
        kind,
        unit=unit,
        label=name.capitalize(),
        applicable_if=applies,
    )


NAMES = Names(
    {
        "test": spec("test", ValueType.CODE, applies=MALE),
        "nursing": spec("nursing", ValueType.BOOLEAN, applies=MALE),
        "temperature": spec("temperature", ValueType.NUMBER, "Cel"),
    },
    {"infusions": FactType(ValueType.INTEGER)},
    frozenset({"I3"}),
)


def tree(condition, **facts):
    return compile_tree(condition, NAMES)(facts.get)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (In("ecog", (0, 1, 2)), "ecog in [0, 1, 2]"),
        (FEVER, "temperature >= 38"),
        (Not(NURSING), "!nursing"),
        (Not(And((NURSING, FEVER))), "!(nursing && temperature >= 38)"),
        (
            Or((And((NURSING, FEVER)), TESTED)),
            '(nursing && temperature >= 38) || test == "positive"',
        ),
        (Has("test"), "has(test)"),
        (Compare("test__pinned", "==", "positive"), 'test == "positive"'),
    ],
)
def test_a_condition_reads_as_it_was_written(condition, expected):
    assert text(condition) == expected


def test_a_leaf_has_its_facts_label_unit_and_value():
    assert tree(FEVER, temperature=38.6) == {
        "text": "temperature >= 38",
        "holds": "true",
        "fact": "temperature",
        "label": "Temperature",
        "unit": "Cel",
        "value": 38.6,
    }
    assert tree(Compare("I3", "==", "met"))["label"] == "Criterion I3"
    assert tree(Compare("infusions", ">", 3))["label"] == "infusions"


def test_what_does_not_apply_is_passed_over_by_its_group():
    either = Or((TESTED, FEVER))
    told = tree(either, sex="male", temperature=36.5)
    assert [part["holds"] for part in told["parts"]] == ["not_applicable", "false"]
    assert told["holds"] == "false"
    assert tree(either, temperature=36.5)["holds"] == "unknown"
    assert tree(And((TESTED, FEVER)), sex="male", temperature=38.6)["holds"] == "true"


def test_a_group_of_nothing_that_applies_does_not_apply():
    told = tree(And((Not(TESTED), NURSING)), sex="male")
    assert told["holds"] == "not_applicable"
    assert [part["holds"] for part in told["parts"]] == ["not_applicable", "not_applicable"]


def test_recorded_data_win_over_applicability():
    assert tree(TESTED, sex="male", test="positive")["holds"] == "true"


def test_the_leaves_that_decide_are_those_that_agree_with_the_whole():
    either = Or((TESTED, FEVER, Not(NURSING)))
    assert because(tree(either, sex="female", test="negative", temperature=38.6, nursing=True)) == (
        "temperature",
    )
    assert because(tree(either, sex="female", test="negative", temperature=36.0, nursing=True)) == (
        "test",
        "temperature",
        "nursing",
    )
    assert because(tree(Not(And((FEVER, NURSING))), temperature=36.0)) == ("temperature",)
