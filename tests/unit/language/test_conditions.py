"""The subset of CEL: what each expression becomes, and what is left out, with a hint."""

import pytest

from rules.language.conditions import compile_condition
from rules.language.normal import clauses
from rules.language.syntax import ConditionError
from rules.language.vocabulary import FactType
from rules.model import And, Compare, Condition, Const, Has, In, Not, Or, Scalar
from rules.terms import ValueType

NAMES = {
    "n": FactType(ValueType.INTEGER),
    "x": FactType(ValueType.NUMBER),
    "b": FactType(ValueType.BOOLEAN),
    "c": FactType(ValueType.CODE, ("red", "green")),
    "t": FactType(ValueType.STRING),
}
PARAMS: dict[str, Scalar] = {"limit": 38, "flag": True, "word": "red", "target": 10}
B = Compare("b", "==", value=True)

READ: list[tuple[str, Condition]] = [
    ("b", B),
    ("!b", Not(B)),
    ("!!b", B),
    ("b == true", B),
    ("b != true", Compare("b", "!=", value=True)),
    ("true", Const(value=True)),
    ("n >= 3", Compare("n", ">=", 3)),
    ("3 <= n", Compare("n", ">=", 3)),
    ("3 < n", Compare("n", ">", 3)),
    ("3 == n", Compare("n", "==", 3)),
    ("n > -3", Compare("n", ">", -3)),
    ("n == 0x10", Compare("n", "==", 16)),
    ("n == 2.0", Compare("n", "==", 2)),
    ("n > 2.5", Compare("n", ">", 2.5)),
    ("x > 38", Compare("x", ">", 38.0)),
    ("x == -0.0", Compare("x", "==", 0.0)),
    ("x < 1e3", Compare("x", "<", 1000.0)),
    ("x >= params.limit", Compare("x", ">=", 38.0)),
    ("params.limit <= x", Compare("x", ">=", 38.0)),
    ("c == params.word", Compare("c", "==", "red")),
    ("c != 'green'", Compare("c", "!=", "green")),
    ('t == "1"', Compare("t", "==", "1")),
    ('c in ["red", "red", "green"]', In("c", ("red", "green"))),
    ("x in [0, 1.0, params.limit]", In("x", (0.0, 1.0, 38.0))),
    ("has(facts.x)", Has("x")),
    ("params.flag && b", B),
    ("!params.flag || b", B),
    ("!params.flag && b", Const(value=False)),
    ("params.limit > 40 || b", B),
    ("b && n > 1 && x > 1", And((B, Compare("n", ">", 1), Compare("x", ">", 1.0)))),
    ("b && (n > 1 && x > 1)", And((B, Compare("n", ">", 1), Compare("x", ">", 1.0)))),
    ("b || n > 1 && x > 1", Or((B, And((Compare("n", ">", 1), Compare("x", ">", 1.0)))))),
    ("b &&\n n > 1", And((B, Compare("n", ">", 1)))),
]

REFUSED = [
    ("", "empty", "write `true`"),
    ("b &&", "at its end|at column", ""),
    ("b and n > 1", "not an expression", "write && for and"),
    ("n = 1", "not an expression", "=="),
    ("n", "is an integer, not a boolean", "compare it"),
    ("c", "is a code, not a boolean", "compare it"),
    ("3", "a constant alone", ""),
    ("n > x", "compared with another fact", "params"),
    ("n + 1 > 2", "arithmetic is not part", "declare a fact"),
    ("-n > 2", "arithmetic is not part", ""),
    ("b ? b : b", "ternary", ""),
    ("size(c) > 2", "a function is not part|function", ""),
    ("has(x)", "has() of anything but facts", ""),
    ("has(facts.y)", "unknown fact `y`", ""),
    ("facts.x > 1", "only params.<name> may hold a dot", "write x"),
    ("x[0] > 1", "an index is not part", ""),
    ("x == null", "null is not part", "has(facts"),
    ("n == 1u", "an unsigned number", ""),
    ('t == r"x"', "a raw or triple-quoted", ""),
    ('t == "a\\nb"', "backslash|control", "plain words"),
    ('b == "true"', "is a boolean but is compared with a text", "bare"),
    ("b == 1", "is a boolean but is compared with a number", "bare"),
    ("n == true", "is an integer but is compared with a boolean", "without quotes"),
    ('n == "1"', "is an integer but is compared with a text", "without quotes"),
    ("c == 1", "is a code but is compared with a number", '"red"'),
    ("t == 1", "is a string but is compared with a number", "quote"),
    ('c > "red"', "has no order", "=="),
    ("b < true", "has no order", ""),
    ("n == 1.5", "never equals a fraction", ""),
    ("n in [1.5]", "never equals a fraction", ""),
    ("x > 0.00001", "a number beyond", "another unit"),
    ("x > 1e22", "a number beyond", ""),
    ("n in []", "an empty list never holds", ""),
    ("n in 3", "needs a list", ""),
    ("3 in [n]", "only a fact may stand left", ""),
    ("n in [x]", "a fact inside a list", ""),
    ("b in [true]", "is a boolean", "write b or !b"),
    ("n > 1 == b", "inside a comparison", ""),
    ("(b && b) == b", "inside a comparison", ""),
    ("params.none > 1", "unknown parameter `none`", ""),
    ("!" * 100 + "b", "nested deeper", "divide"),
    ("b && " * 2000 + "b", "longer than", "divide"),
]


@pytest.mark.parametrize(("text", "tree"), READ, ids=[text for text, _ in READ])
def test_an_expression_means_its_tree(text, tree):
    found = compile_condition(text, NAMES, PARAMS)
    assert found == tree
    if isinstance(found, Compare):
        assert type(found.value) is type(tree.value)


@pytest.mark.parametrize(("text", "said", "hint"), REFUSED, ids=[row[0][:24] for row in REFUSED])
def test_what_the_subset_leaves_out_is_refused_with_a_hint(text, said, hint):
    with pytest.raises(ConditionError) as caught:
        compile_condition(text, NAMES, PARAMS)
    assert any(part in caught.value.message for part in said.split("|")), caught.value.message
    assert hint in caught.value.hint, caught.value.hint


def test_a_fault_knows_its_line_within_the_expression():
    with pytest.raises(ConditionError) as caught:
        compile_condition("b\n&& n > 1\n&& y > 2", NAMES, PARAMS)
    assert caught.value.line == 2


def test_clauses_are_de_morgans():
    condition = compile_condition("b && (n > 1 || !has(facts.x)) && c in ['red']", NAMES, PARAMS)
    n, red = Compare("n", ">", 1), In("c", ("red",))
    assert set(clauses(condition, true=True)) == {(B, n, red), (B, Not(Has("x")), red)}
    assert set(clauses(condition, true=False)) == {
        (Compare("b", "!=", value=True),),
        (Compare("n", "<=", 1), Has("x")),
        (Compare("c", "!=", "red"),),
    }
    assert clauses(Const(value=True), true=True) == ((),)
    assert clauses(Const(value=False), true=True) == ()
