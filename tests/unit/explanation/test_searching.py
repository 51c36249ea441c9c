"""Counterfactual and worklist over a handful of criteria written for one point each."""

from rules.explanation.explainer import Explainer
from rules.model import And, Compare, Const, Criterion, FactSpec, Has, Not, Or, Source
from rules.terms import CriterionKind, EventType, ValueType
from tests.support.random_criteria import definition

A, B = Compare("a", "==", True), Compare("b", "==", True)
AT_LEAST_1, BELOW_3 = Compare("n", ">=", 1), Compare("n", "<", 3)
NONE: frozenset[str] = frozenset()


def explainer(*conditions, waivable=False, applicable=None):
    kinds = {"a": ValueType.BOOLEAN, "b": ValueType.BOOLEAN, "n": ValueType.INTEGER}
    facts = {
        name: FactSpec(name, EventType.OBSERVATION, name, kind) for name, kind in kinds.items()
    }
    facts["n"] = FactSpec("n", EventType.DEMOGRAPHICS, "n", ValueType.INTEGER, unit="a")
    criteria = tuple(
        Criterion(
            f"C{number}",
            CriterionKind.INCLUSION,
            "",
            when,
            Source("record"),
            (applicable or {}).get(number, Const(value=True)),
            waivable=waivable,
        )
        for number, when in enumerate(conditions)
    )
    return Explainer(definition(facts, criteria))


def test_a_change_is_as_wide_as_all_values_that_would_do():
    found = explainer(AT_LEAST_1, Or((BELOW_3, A))).counterfactual({"n": 0, "a": True}, NONE)
    (way,) = found["changes"]
    (change,) = way["set"]
    assert change["needed"] == {"op": ">=", "value": 1}
    assert (change["changeable"], way["text"]) == (False, "eligible if n >= 1 a")


def test_a_range_is_bounded_on_both_sides_and_the_nearest_of_two_is_told():
    outside = Or((Compare("n", "<", 10), Compare("n", ">", 20)))
    (near,) = explainer(outside).counterfactual({"n": 18}, NONE)["changes"]
    assert near["set"][0]["needed"] == {"op": ">=", "value": 21}
    inside = And((Compare("n", ">=", 10), Compare("n", "<=", 20)))
    (way,) = explainer(inside).counterfactual({"n": 30}, NONE)["changes"]
    assert way["set"][0]["needed"] == {
        "op": ">=",
        "value": 10,
        "and": {"op": "<=", "value": 20},
    }


def test_more_than_three_facts_in_the_way_are_not_named():
    found = explainer(A, B, AT_LEAST_1).counterfactual({}, NONE)
    assert [len(way["set"]) for way in found["changes"]] == [3]
    nobody = explainer(And((A, Not(A)))).counterfactual({"a": True}, NONE)
    assert (nobody["changes"], nobody["complete"]) == ([], True)


def test_an_overridden_criterion_stands_in_nobodys_way():
    asked = explainer(A, B)
    assert asked.counterfactual({"a": False, "b": True}, {"C0"})["decision"] == "eligible"
    assert [item.fact for item in asked.worklist({"a": False}, {"C0"})] == ["b"]
    assert asked.worklist({"a": False}, NONE) == ()


def test_what_decides_either_way_comes_before_what_decides_one_way():
    found = explainer(Or((A, AT_LEAST_1)), B).worklist({"n": 0, "b": True}, NONE)
    assert [(item.fact, item.decides) for item in found] == [("a", ("eligible", "ineligible"))]
    both = explainer(And((A, B))).worklist({}, NONE)
    assert [(item.fact, item.decides) for item in both] == [
        ("a", ("ineligible",)),
        ("b", ("ineligible",)),
    ]
    mixed = explainer(Or((And((A, B)), AT_LEAST_1))).worklist({}, NONE)
    assert [(item.fact, item.decides) for item in mixed] == [
        ("n", ("eligible",)),
        ("a", ()),
        ("b", ()),
    ]


def test_two_facts_of_which_either_settles_it_are_both_asked_for():
    found = explainer(Or((A, B))).worklist({}, NONE)
    assert [(item.fact, item.decides, item.settles) for item in found] == [
        ("a", ("eligible",), 1),
        ("b", ("eligible",), 1),
    ]


def test_a_datum_is_not_said_to_decide_where_a_criterion_minds_that_it_is_known():
    told_and_untold = explainer(Has("a"), Not(Has("a")), applicable={1: B})
    assert [(item.fact, item.decides) for item in told_and_untold.worklist({}, NONE)] == [
        ("a", ()),
        ("b", ()),
    ]
