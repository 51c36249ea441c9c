"""A rule about what does not apply tells nobody; nothing that does apply is hushed by it."""

import pytest

from rules.language.applicability import of_facts, telling
from rules.language.conditions import compile_condition as written
from rules.language.functions import compile_condition
from rules.language.vocabulary import FactType
from rules.model import FactSpec
from rules.terms import EventType, ValueType

CODE, BOOLEAN = ValueType.CODE, ValueType.BOOLEAN
NAMES = {
    "sex": FactType(CODE, ("male", "female")),
    "pregnancy_test": FactType(CODE, ("positive", "negative")),
    "bleeding": FactType(BOOLEAN),
    "on_study": FactType(BOOLEAN),
    "grade": FactType(ValueType.INTEGER),
}


def parse(text):
    return written(text, NAMES, {})


FACTS = {
    "sex": FactSpec("sex", EventType.DEMOGRAPHICS, "sex", CODE),
    "bleeding": FactSpec("bleeding", EventType.CONDITION, "bleeding", BOOLEAN),
    "pregnancy_test": FactSpec(
        "pregnancy_test",
        EventType.OBSERVATION,
        "pregnancy_test",
        CODE,
        applicable_if=parse('sex != "male"'),
    ),
}
MAN = {"sex": "male", "on_study": True, "grade": 4}


def fires(when, known):
    _, applies = of_facts(FACTS)
    return compile_condition(telling(parse(when), applies, FACTS))(known) is True


@pytest.mark.parametrize(
    "when",
    [
        'on_study && pregnancy_test == "positive"',
        'on_study && pregnancy_test != "negative"',
        'on_study && !(pregnancy_test == "negative")',
        'grade >= 3 && (on_study && pregnancy_test == "positive")',
        'on_study && pregnancy_test == "positive" && !has(facts.bleeding)',
        '(on_study && pregnancy_test == "positive") || grade < 2',
    ],
)
def test_a_man_on_study_is_no_pregnancy(when):
    assert not fires(when, MAN)
    assert fires(when, MAN | {"sex": "female", "pregnancy_test": "positive"})
    assert not fires(when, MAN | {"sex": "female"})


@pytest.mark.parametrize(
    "when",
    [
        'on_study && (pregnancy_test == "positive" || grade >= 4)',
        'on_study && (pregnancy_test == "positive" || bleeding)',
        'on_study && bleeding && pregnancy_test == "negative"',
        "on_study && !has(facts.pregnancy_test)",
    ],
)
def test_what_applies_beside_it_still_tells(when):
    assert fires(when, MAN | {"bleeding": True})


def test_what_is_recorded_though_it_does_not_apply_tells():
    assert fires('on_study && pregnancy_test == "positive"', MAN | {"pregnancy_test": "positive"})
