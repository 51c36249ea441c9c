"""What a `where` asks of an infusion or an adverse event, and nobody has told yet."""

from __future__ import annotations

import pytest

from tests.support.stories import Story, criterion, protocol, rule

FACTS = """\
codes:
  - {code: cohort, type: assessment, label: Cohort, value: boolean}
facts:
  related: {from: adverse_event, take: count, where: 'causality == "related"'}
  several: {from: adverse_event, take: count, where: grade >= 3}
  worst: {from: adverse_event, field: grade, take: max, where: 'causality == "related"'}
  least: {from: adverse_event, field: grade, take: min, where: 'causality == "related"'}
  newest: {from: adverse_event, field: grade, take: latest, where: 'causality == "related"'}
  first: {from: adverse_event, field: grade, take: earliest, where: 'causality == "related"'}
  since: {from: adverse_event, take: days_since, where: 'causality == "related"'}
  ever: {from: adverse_event, take: any, where: 'causality == "related"'}
  in_a_row: {from: adverse_event, take: consecutive, where: 'causality == "related"'}
  full: {from: administration, take: count, where: dose >= 2}
  full_sum: {from: administration, field: number, take: sum, where: dose >= 2}
  full_mean: {from: administration, field: number, take: mean, where: dose >= 2}
criteria:
"""
NAMES = ("related", "worst", "least", "newest", "first", "since", "ever", "in_a_row")
FULL = ("full", "full_sum", "full_mean")
EACH = " ".join(f"{{{name}}}" for name in (*NAMES, *FULL))
TELLS = "rules:\n" + rule("T", "infusions < 1000", EACH)


def day(number):
    return f"2026-03-{number:02}T09:00:00+09:00"


def story(*criteria, rules=TELLS):
    lines = criteria or (criterion("I1", "related < 3"),)
    return Story(protocol(FACTS + "".join(lines) + rules))


def suffered(one, name, number, **data):
    return one.tell("adverse_event", day(number), ae=name, onset=day(number), **data)


def facts(one, *names):
    return dict(one.engine.facts(one.run().state, names))


def test_what_may_be_what_is_asked_for_leaves_every_take_open():
    one = story()
    suffered(one, "A", 2, grade=2, causality="related")
    suffered(one, "B", 3, grade=4)
    suffered(one, "C", 4, grade=1)
    known = {name: value for name, value in facts(one, *NAMES).items() if value is not None}
    assert known == {"ever": True, "first": 2}


def test_what_is_told_later_settles_it():
    one = story()
    suffered(one, "A", 2, grade=2, causality="related")
    suffered(one, "B", 3, grade=4)
    assert facts(one, "related", "newest", "in_a_row") == dict.fromkeys(
        ("related", "newest", "in_a_row")
    )
    suffered(one, "B", 3, causality="unrelated")
    settled = {"related": 1, "worst": 2, "newest": 2, "ever": True, "in_a_row": 0}
    assert facts(one, *settled) == settled


def test_nothing_definite_is_said_before_any_is_told_to_be_it():
    one = story()
    suffered(one, "A", 2, grade=2)
    assert facts(one, *NAMES) == dict.fromkeys(NAMES)


def test_what_would_say_the_same_leaves_it_known():
    """One not graded worse cannot be the worst; one that was before is not the newest."""
    one = story()
    suffered(one, "A", 2, grade=2)
    suffered(one, "B", 3, grade=3, causality="related")
    known = facts(one, "worst", "newest", "least", "first")
    assert known == {"worst": 3, "newest": 3, "least": None, "first": None}
    one = story()
    suffered(one, "A", 2, causality="unrelated")
    assert facts(one, "worst", "related") == {"worst": None, "related": 0}
    suffered(one, "B", 3, grade=1, causality="related")
    assert facts(one, "worst", "related") == {"worst": 1, "related": 1}


def test_an_infusion_whose_dose_nobody_told_may_have_been_a_full_one():
    one = story()
    given = {"product": "x", "unit": "mg", "status": "completed"}
    one.tell("administration", day(2), number=1, dose=2, start=day(2), **given)
    assert facts(one, *FULL) == dict.fromkeys(FULL, 1)
    one.tell("administration", day(3), number=2, start=day(3), status="completed", product="x")
    assert facts(one, *FULL) == dict.fromkeys(FULL)


@pytest.mark.parametrize(
    ("told", "verdict"), [(1, "met"), (2, "met"), (3, "indeterminate"), (4, "indeterminate")]
)
def test_a_count_is_known_where_no_condition_tells_the_possible_numbers_apart(told, verdict):
    """Fewer than three are allowed: of one or two that nobody graded it does not matter which."""
    one = story(criterion("I1", "several < 3"), rules="rules:\n" + rule("T", "ever"))
    for number in range(told):
        suffered(one, f"A{number}", 2 + number)
    assert one.verdict("I1") == verdict


def test_enough_that_count_decide_whatever_becomes_of_the_others():
    one = story(criterion("I1", "several < 3"), rules="rules:\n" + rule("T", "ever"))
    for number in range(3):
        suffered(one, f"A{number}", 2 + number, grade=3)
    suffered(one, "B", 6)
    assert one.verdict("I1") == "not_met"


def test_a_number_that_a_text_tells_is_told_apart_from_every_other():
    one = story(criterion("I1", "several < 3"), rules="rules:\n" + rule("T", "ever", "{several}"))
    suffered(one, "A", 2)
    assert one.verdict("I1") == "indeterminate"
