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


def four_valued(condition, known, applies):
    """True, False, None where unknown, or APART where nothing of it applies."""
    if isinstance(condition, Const | Has | Compare):
        return of_leaf(condition, known, applies)
    if isinstance(condition, Not):
        value = four_valued(condition.part, known, applies)
        return value if value in (None, APART) else not value
    values = [four_valued(part, known, applies) for part in condition.parts]
    here = [value for value in values if value is not APART]
    if not here:
        return APART
    decisive = isinstance(condition, Or)
    if any(value is decisive for value in here):
        return decisive
    return None if None in here else not decisive


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
