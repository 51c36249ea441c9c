"""Facts that do not apply: the plain conditions against a four-valued reading of what was written."""

import operator

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from rules.language.applicability import (
    TooLargeError,
    applying,
    of_criterion,
    of_facts,
    rewritten,
    telling,
)
from rules.language.functions import compile_condition
from rules.model import (
    And,
    Compare,
    Const,
    Criterion,
    FactSpec,
    Has,
    Not,
    Or,
    Source,
)
from rules.terms import CriterionKind, EventType, ValueType

NAMES = ("a", "b", "c", "d")
OPERATORS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, ">=": operator.ge}
OFTEN = st.sampled_from("abbccd")
compared = st.builds(Compare, OFTEN, st.sampled_from(sorted(OPERATORS)), st.just(1))
leaves = st.one_of(compared, compared, compared, st.builds(Has, OFTEN))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=5,
)
many = settings(max_examples=500, deadline=None)
facts = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0, 1, 2]))
# b applies where a says so, c where a and b do; a itself and d always.
APART = "apart"


def spec(name, applicable_if=None):
    return FactSpec(
        name, EventType.OBSERVATION, name, ValueType.INTEGER, applicable_if=applicable_if
    )


def four_valued(condition, known, applies, setting=frozenset()):
    """True, False, None where unknown, or APART where nothing of it applies.

    `setting`: names of no fact; has() and these alone keep no `and` in question.
    """
    if isinstance(condition, Const | Has | Compare):
        return of_leaf(condition, known, applies)
    if isinstance(condition, Not):
        value = four_valued(condition.part, known, applies, setting)
        return value if value in (None, APART) else not value
    values = [four_valued(part, known, applies, setting) for part in condition.parts]
    decisive = isinstance(condition, Or)
    asked = [
        value
        for part, value in zip(condition.parts, values, strict=True)
        if decisive or not setting or not only_sets(part, setting)
    ]
    here = [value for value in values if value is not APART]
    if not here or (asked and all(value is APART for value in asked)):
        return APART
    if any(value is decisive for value in here):
        return decisive
    return None if None in here else not decisive


def only_sets(part, setting):
    if isinstance(part, And | Or):
        return all(only_sets(one, setting) for one in part.parts)
    if isinstance(part, Not):
        return only_sets(part.part, setting)
    return isinstance(part, Has) or part.fact in setting


def of_leaf(leaf, known, applies):
    if isinstance(leaf, Const):
        return leaf.value
    if isinstance(leaf, Has):
        return leaf.fact in known
    if leaf.fact in known:
        return OPERATORS[leaf.op](known[leaf.fact], leaf.value)
    when = applies.get(leaf.fact)
    # What asks only for facts that do not apply does not hold.
    apart = when is not None and four_valued(when, known, applies) in (False, APART)
    return APART if apart else None


@many
@given(tree=trees, known=facts, first=trees, second=trees)
def test_the_plain_condition_says_what_the_four_valued_one_does(tree, known, first, second):
    only_a = rename(first, {"a": "a", "b": "a", "c": "a", "d": "d"})
    a_and_b = rename(second, {"a": "a", "b": "b", "c": "b", "d": "d"})
    written = {"b": only_a, "c": a_and_b}
    try:
        _, applies = of_facts({name: spec(name, written.get(name)) for name in NAMES})
    except TooLargeError:  # refused at load; another test says so
        reject()
    wanted = four_valued(tree, known, written)
    item = Criterion("I1", CriterionKind.INCLUSION, "", tree, Source(""))
    plain = of_criterion(item, applies)
    assert (plain.stated, plain.stated_if) == (tree, Const(value=True))
    in_question = compile_condition(plain.applicable_if)(known)
    found = compile_condition(plain.when)(known)
    if wanted is APART:
        assert in_question is False
    else:
        assert in_question is not False
        assert found is wanted


@many
@given(tree=trees, known=facts, first=trees)
def test_a_rule_tells_what_the_four_valued_one_says_and_nothing_where_it_does_not_apply(
    tree, known, first
):
    written = {"b": rename(first, {"a": "a", "b": "a", "c": "a", "d": "a"})}
    facts = {name: spec(name, written.get(name)) for name in "abc"}  # d is no fact
    _, applies = of_facts(facts)
    wanted = four_valued(tree, known, written, {"d"})
    fires = compile_condition(telling(tree, applies, facts))(known) is True
    assert wanted is True or not fires
    # Where it is open whether b applies, so it may be whether there is anything to tell.
    assert fires or wanted is not True or "a" not in known


@many
@given(tree=trees, known=facts, first=trees)
def test_a_condition_of_applicability_does_not_hold_where_it_does_not_apply(tree, known, first):
    only_a = rename(first, dict.fromkeys(NAMES, "a") | {"d": "d"})
    _, applies = of_facts({"a": spec("a"), "b": spec("b", only_a), "d": spec("d")})
    asked = rename(tree, {"a": "a", "b": "b", "c": "b", "d": "d"})
    wanted = four_valued(asked, known, {"b": only_a})
    assert compile_condition(applying(asked, applies))(known) is (wanted is not APART and wanted)


@settings(deadline=None)
@given(tree=trees)
def test_without_facts_that_may_not_apply_nothing_is_rewritten(tree):
    assert rewritten(tree, {}) is tree


def rename(tree, names):
    if isinstance(tree, Compare):
        return Compare(names[tree.fact], tree.op, tree.value)
    if isinstance(tree, Has):
        return Has(names[tree.fact])
    if isinstance(tree, Not):
        return Not(rename(tree.part, names))
    return type(tree)(tuple(rename(part, names) for part in tree.parts))
