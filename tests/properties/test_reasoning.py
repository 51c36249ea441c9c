"""What the search says of a condition is what trying every assignment says of it."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.assessment import compile_condition
from rules.language.conditions import simplify
from rules.language.reasoning import Bounds, Want, space
from rules.language.sense import faults, same
from rules.language.vocabulary import FactType
from rules.model import And, Compare, Const, Has, In, Not, Or
from rules.terms import ValueType

TYPES = {
    "grade": FactType(ValueType.INTEGER),
    "heat": FactType(ValueType.NUMBER),
    "colour": FactType(ValueType.CODE, ("red", "green", "blue")),
    "ill": FactType(ValueType.BOOLEAN),
}
LIMITS = {"grade": Bounds(1, 5), "heat": Bounds(25.0, 45.0)}
# Every integer and word there is; a number on, beside and between all constants below.
EVERY = {
    "grade": (1, 2, 3, 4, 5, None),
    "heat": (25.0, 30.0, 37.5, 37.75, 38.0, 40.0, 45.0, None),
    "colour": ("red", "green", "blue", None),
    "ill": (True, False, None),
}
OPS = ("==", "!=", "<", "<=", ">", ">=")
LEAVES = st.one_of(
    st.builds(Compare, st.just("grade"), st.sampled_from(OPS), st.integers(-1, 7)),
    st.builds(
        Compare,
        st.just("heat"),
        st.sampled_from(OPS),
        st.sampled_from([20.0, 25.0, 37.5, 38.0, 45.0, 50.0]),
    ),
    st.builds(
        Compare, st.just("colour"), st.sampled_from(OPS[:2]), st.sampled_from(["red", "green"])
    ),
    st.builds(
        In,
        st.just("colour"),
        st.sampled_from([("red",), ("red", "green"), ("red", "green", "blue")]),
    ),
    st.builds(In, st.just("grade"), st.lists(st.integers(0, 6), min_size=1, max_size=3).map(tuple)),
    st.just(Compare("ill", "==", True)),
    st.builds(Has, st.sampled_from(list(TYPES))),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
).map(simplify)


def truths(node):
    """What a condition is under every assignment of the facts it names."""
    judge = compile_condition(node)
    names = sorted(space([node], TYPES, LIMITS).values)
    for values in itertools.product(*(EVERY[name] for name in names)):
        facts = {n: v for n, v in zip(names, values, strict=True) if v is not None}
        yield judge(facts)


WANTED = {
    Want.TRUE: lambda truth: truth is True,
    Want.FALSE: lambda truth: truth is False,
    Want.NOT_TRUE: lambda truth: truth is not True,
    Want.NOT_FALSE: lambda truth: truth is not False,
}


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_possible_is_what_some_assignment_shows(node):
    known = space([node], TYPES, LIMITS)
    seen = set(truths(node))
    for want, meets in WANTED.items():
        found = known.possible((node, want))
        assert (found is not None) == any(map(meets, seen)), (node, want)
        if found is not None:
            assert meets(compile_condition(node)(found)), (node, want, found)


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_a_fault_is_true_of_every_subject_and_none_is_missed(node):
    if isinstance(node, Const):
        return
    known = space([node], TYPES, LIMITS)
    wide = space([node], TYPES, {})
    found = faults(node, known, wide)
    for fault in found:
        assert (not fault.always) not in set(truths(fault.group)), (node, fault)
    seen = set(truths(node))
    if True not in seen:
        assert found, node


@settings(max_examples=200, deadline=None)
@given(TREES, TREES)
def test_same_is_equal_under_every_assignment(one, other):
    known = space([one, other], TYPES, LIMITS)
    names = sorted(known.values)
    first, second = compile_condition(one), compile_condition(other)
    equal = all(
        first(facts) is second(facts)
        for values in itertools.product(*(EVERY[name] for name in names))
        for facts in [{n: v for n, v in zip(names, values, strict=True) if v is not None}]
    )
    assert same(one, other, known) is equal
