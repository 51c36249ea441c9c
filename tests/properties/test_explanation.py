"""What an explanation says holds: of every clause, of every suggested change, of every datum.

Each is held against a walk, or a search through all values, written for this test.
"""

import operator
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.assessment import compile_criteria
from rules.explanation.explainer import Explainer
from rules.language.functions import names_in
from rules.model import And, Const, Has, In, Not, Or
from rules.terms import CriterionKind, Decision
from tests.support.random_criteria import KINDS, VALUES, definitions, known

OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
EVERYTHING = settings(max_examples=300, deadline=None)


def reading(condition, facts):
    """Kleene by the book: True, False or None."""
    if isinstance(condition, Const):
        return condition.value
    if isinstance(condition, Not):
        inner = reading(condition.part, facts)
        return None if inner is None else not inner
    if isinstance(condition, And | Or):
        values = [reading(part, facts) for part in condition.parts]
        strong = isinstance(condition, Or)
        return strong if strong in values else None if None in values else not strong
    return compared(condition, facts.get(condition.fact))


def compared(leaf, value):
    if isinstance(leaf, Has):
        return value is not None
    if value is None:
        return None
    if isinstance(leaf, In):
        return value in leaf.values
    if leaf.op in OPERATORS:
        return OPERATORS[leaf.op](value, leaf.value)
    return (value == leaf.value) is (leaf.op == "==")


def lets_in(criterion, facts):
    if reading(criterion.applicable_if, facts) is False:
        return True
    held = reading(criterion.when, facts)
    if held is None:
        return None
    return held is (criterion.kind is CriterionKind.INCLUSION)


def decision(definition, facts, overridden=frozenset()):
    answers = [lets_in(c, facts) for c in definition.criteria if c.id not in overridden]
    if False in answers:
        return Decision.INELIGIBLE
    return Decision.INDETERMINATE if None in answers else Decision.ELIGIBLE


def shown(node):
    """The value of a shown node by the values of its parts."""
    if "parts" not in node:
        return node["holds"]
    parts = [shown(part) for part in node["parts"]]
    if node["op"] == "not":
        return {"true": "false", "false": "true"}.get(parts[0], parts[0])
    strong, weak = ("false", "true") if node["op"] == "and" else ("true", "false")
    return strong if strong in parts else "unknown" if "unknown" in parts else weak


@EVERYTHING
@given(definitions(), known())
def test_every_clause_shows_the_value_that_it_has(definition, facts):
    words = {True: "true", False: "false", None: "unknown"}
    trees = Explainer(definition).clauses(facts.get)
    for criterion in definition.criteria:
        tree = trees[criterion.id]
        assert tree["holds"] == words[reading(criterion.when, facts)] == shown(tree)
        stack = [(tree, criterion.when)]
        while stack:
            node, condition = stack.pop()
            assert node["holds"] == words[reading(condition, facts)]
            if "fact" in node:
                assert node["value"] == facts.get(node["fact"])
                assert node["label"] == f"Label of {node['fact']}"
            parts = getattr(condition, "parts", None) or [getattr(condition, "part", None)]
            stack += zip(node.get("parts", ()), parts, strict=False)


@EVERYTHING
@given(definitions(), known(), st.sets(st.sampled_from(["C0", "C1"])))
def test_one_criterion_alone_is_judged_as_all_are(definition, facts, overridden):
    judge = Explainer(definition).judge
    made = compile_criteria(definition).assess(facts)
    overridden &= {criterion.id for criterion in definition.criteria}
    assert judge.answers(facts, overridden) == made.satisfied(overridden)
    assert decision(definition, facts, overridden) == made.decide(frozenset(overridden))


def fits(needed, value):
    """Whether a value meets a constraint."""
    if "in" in needed:
        return value in needed["in"]
    if "not_in" in needed:
        return value not in needed["not_in"]
    if needed["op"] == "known":
        return True
    compared = {
        "<": value < needed["value"],
        "<=": value <= needed["value"],
        ">": value > needed["value"],
        ">=": value >= needed["value"],
        "==": value == needed["value"],
    }
    return compared[needed["op"]] and ("and" not in needed or fits(needed["and"], value))


def changes_to(definition, facts, size, goal):
    """Every set of `size` facts of which some other values bring the decision about."""
    names = names_in(*(part for c in definition.criteria for part in (c.when, c.applicable_if)))
    found = set()
    for some in combinations(sorted(names), size):
        for values in product(*(VALUES[KINDS[name]] for name in some)):
            if decision(definition, {**facts, **dict(zip(some, values, strict=True))}) is goal:
                found.add(frozenset(some))
                break
    return found


@settings(max_examples=150, deadline=None)
@given(definitions(), known())
def test_a_suggested_change_flips_the_decision_and_no_smaller_one_does(definition, facts):
    explainer = Explainer(definition)
    told = explainer.counterfactual(facts, frozenset())
    before, goal = decision(definition, facts), Decision(told["to"])
    assert told["decision"] == before
    assert goal is (Decision.INELIGIBLE if before is Decision.ELIGIBLE else Decision.ELIGIBLE)
    assert told["complete"]
    ways = {frozenset(change["fact"] for change in way["set"]) for way in told["changes"]}
    sizes = {len(way) for way in ways}
    assert len(sizes) <= 1
    for way in told["changes"]:
        allowed = [
            [value for value in VALUES[KINDS[one["fact"]]] if fits(one["needed"], value)]
            for one in way["set"]
        ]
        assert all(allowed)
        for values in product(*allowed):
            chosen = {one["fact"]: v for one, v in zip(way["set"], values, strict=True)}
            assert decision(definition, {**facts, **chosen}) is goal
    most = 1 if before is Decision.ELIGIBLE else 3
    for size in range(1, (min(sizes) if sizes else most) + 1):
        expected = changes_to(definition, facts, size, goal)
        assert (ways if size in sizes else set()) == expected


def matters(definition, facts, fact, names):
    """Whether in some completion of the other missing data knowing it decides otherwise."""
    others = [name for name in names if name != fact and name not in facts]
    waived = {c.id for c in definition.criteria if c.waivable and lets_in(c, facts) is False}
    for overridden in {frozenset(waived), frozenset()}:
        for values in product(*((None, *VALUES[KINDS[name]]) for name in others)):
            told = {n: v for n, v in zip(others, values, strict=True) if v is not None}
            without = decision(definition, {**facts, **told}, overridden)
            for value in VALUES[KINDS[fact]]:
                if decision(definition, {**facts, **told, fact: value}, overridden) is not without:
                    return True
    return False


@settings(max_examples=150, deadline=None)
@given(definitions(), known(some=3))
def test_the_worklist_is_exactly_the_data_that_can_still_matter(definition, facts):
    listed = Explainer(definition).worklist(facts, frozenset())
    names = names_in(*(part for c in definition.criteria for part in (c.when, c.applicable_if)))
    wanted = {n for n in names if n not in facts and matters(definition, facts, n, names)}
    assert {item.fact for item in listed} == wanted
    waived = frozenset(
        c.id for c in definition.criteria if c.waivable and lets_in(c, facts) is False
    )
    for item in listed:
        alone = {decision(definition, {**facts, item.fact: v}) for v in VALUES[KINDS[item.fact]]}
        if not waived:
            assert set(item.decides) == alone - {decision(definition, facts)} - {
                Decision.INDETERMINATE
            }
    ranks = [(-len(item.decides), -item.settles) for item in listed]
    assert ranks == sorted(ranks)


@EVERYTHING
@given(definitions(has=False, applying=False), known())
def test_without_has_the_worklist_is_part_of_what_is_missing(definition, facts):
    missing = compile_criteria(definition).assess(facts).missing
    assert {item.fact for item in Explainer(definition).worklist(facts, frozenset())} <= set(
        missing
    )
