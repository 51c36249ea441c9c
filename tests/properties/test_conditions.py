"""Three readers of one condition: the compiled function, durable-rules, a walk written for this test.

A fourth, cel-python, reads a sample of the same conditions as text. All must agree on every random
tree over every random partial set of facts, three-valued.
"""

import operator
import random

import celpy
import pytest
from celpy import celtypes
from celpy.evaluation import CELEvalError

from rules.assessment import compile_condition, compile_criteria, compile_firing
from rules.knowledge import KnowledgeBase
from rules.language.conditions import compile_condition as parse
from rules.language.conditions import simplify
from rules.language.normal import TooLarge, clauses
from rules.language.vocabulary import FactType
from rules.model import (
    AlertRule,
    And,
    Compare,
    Const,
    Criterion,
    Definition,
    FactSpec,
    Has,
    In,
    Not,
    Or,
    Scalar,
    Source,
)
from rules.terms import (
    Category,
    CriterionKind,
    EventType,
    Scope,
    Severity,
    ValueType,
    Verdict,
)

CODES = ("red", "green", "blue", "no", "1")
TEXTS = ("mild", "severe", "unknown to all")
NUMBERS = (0.0, 1.0, 37.9, 38.0, 38.000000000001, -1.5, 0.0001, 999999999999.0, 115.0, 2.5)
INTEGERS = (-3, 0, 1, 2, 3, 80, 81, 2**40)
FACTS = {
    "grade": ValueType.INTEGER,
    "count": ValueType.INTEGER,
    "temperature": ValueType.NUMBER,
    "pressure": ValueType.NUMBER,
    "serious": ValueType.BOOLEAN,
    "pregnant": ValueType.BOOLEAN,
    "infected": ValueType.BOOLEAN,
    "colour": ValueType.CODE,
    "word": ValueType.STRING,
}
# What may reach the engine beyond constants: its stand-ins must fall on the same side of each.
ODD_NUMBERS = (
    1e-5,
    -1e-5,
    5e-324,
    1e22,
    -1e22,
    1.7e308,
    123456.789e-9,
    10**15,
    1e15,
    3,
    -0.0,
    2**53,
)
ODD_INTEGERS = (2**53, 2**53 + 1, -(2**70), 10**30)
ODD_TEXTS = (
    "",
    "x" * 5000,
    "tab\t",
    'quo"te',
    "back\\slash",
    "\ud800",
    "naïve",
    "\x00",
    "�",
    "mild ",
)
OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def constant(rng: random.Random, kind: ValueType):
    choices = {
        ValueType.INTEGER: INTEGERS,
        ValueType.NUMBER: NUMBERS,
        ValueType.BOOLEAN: (True,),
        ValueType.CODE: CODES,
        ValueType.STRING: TEXTS,
    }
    return rng.choice(choices[kind])


def leaf(rng: random.Random):
    name = rng.choice(list(FACTS))
    kind = FACTS[name]
    if rng.random() < 0.12:
        return Has(name)
    if kind is not ValueType.BOOLEAN and rng.random() < 0.25:
        values = dict.fromkeys(constant(rng, kind) for _ in range(rng.randint(1, 4)))
        return In(name, tuple(values))
    ordered = kind in (ValueType.INTEGER, ValueType.NUMBER)
    ops = ("==",) if kind is ValueType.BOOLEAN else tuple(OPERATORS) if ordered else ("==", "!=")
    return Compare(name, rng.choice(ops), constant(rng, kind))


def tree(rng: random.Random, depth: int):
    dice = rng.random()
    if depth == 0 or dice < 0.25:
        return leaf(rng)
    if dice < 0.4:
        return Not(tree(rng, depth - 1))
    if dice < 0.42:
        return Const(rng.random() < 0.5)
    kind = And if dice < 0.7 else Or
    return kind(tuple(tree(rng, depth - 1) for _ in range(rng.randint(2, 3))))


def snapshot(rng: random.Random, *, plain: bool = False) -> dict[str, Scalar]:
    facts: dict[str, Scalar] = {}
    for name, kind in FACTS.items():
        dice = rng.random()
        if dice < 0.3:
            continue
        odd = dice > 0.93 and not plain
        if kind is ValueType.BOOLEAN:
            facts[name] = rng.random() < 0.5
        elif kind is ValueType.INTEGER:
            facts[name] = rng.choice(ODD_INTEGERS if odd else INTEGERS)
        elif kind is ValueType.NUMBER:
            facts[name] = rng.choice(ODD_NUMBERS if odd else NUMBERS)
        elif kind is ValueType.CODE:
            facts[name] = rng.choice(CODES)
        else:
            facts[name] = rng.choice(ODD_TEXTS if odd else TEXTS)
    return facts


def walk(node, facts):  # noqa: PLR0911
    """Kleene, as slowly and plainly as it can be said."""
    if isinstance(node, Const):
        return node.value
    if isinstance(node, Has):
        return node.fact in facts
    if isinstance(node, Not):
        inner = walk(node.part, facts)
        return None if inner is None else not inner
    if isinstance(node, And | Or):
        parts = [walk(part, facts) for part in node.parts]
        deciding = isinstance(node, Or)
        if deciding in parts:
            return deciding
        return None if None in parts else not deciding
    if node.fact not in facts:
        return None
    if isinstance(node, In):
        return any(facts[node.fact] == value for value in node.values)
    return OPERATORS[node.op](facts[node.fact], node.value)


def small_enough(node) -> bool:
    try:
        clauses(node, true=True)
        clauses(node, true=False)
    except TooLarge:
        return False
    return True


def definition(conditions, applicable) -> Definition:
    source = Source("test")
    facts = {
        name: FactSpec(
            name, EventType.OBSERVATION, name, kind, values=CODES if kind is ValueType.CODE else ()
        )
        for name, kind in FACTS.items()
    }
    criteria = tuple(
        Criterion(f"C{i}", CriterionKind.INCLUSION, "", when, source, applicable_if=aside)
        for i, (when, aside) in enumerate(zip(conditions, applicable, strict=True))
    )
    rules = tuple(
        AlertRule(f"R{i}", Scope.SUBJECT, Category.SAFETY, Severity.INFO, when, "", "", "", source)
        for i, when in enumerate(conditions)
    )
    return Definition(
        "random", "1", "", "UTC", 1, "all", {}, {}, {}, {}, facts, criteria, rules, (), (), "", ""
    )


WORDS = {True: Verdict.MET, False: Verdict.NOT_MET, None: Verdict.INDETERMINATE}


@pytest.mark.parametrize("seed", range(12))
def test_compiled_conditions_durable_rules_and_a_plain_walk_agree(seed):
    rng = random.Random(seed)
    trees = [tree(rng, 4) for _ in range(40)]
    trees = [node for node in map(simplify, trees) if small_enough(node)][:30]
    applicable = [Const(True) if rng.random() < 0.6 else tree(rng, 1) for _ in trees]
    base = KnowledgeBase(definition(trees, applicable))
    compiled = [compile_condition(node) for node in trees]
    fires = compile_firing([(f"R{i}", node) for i, node in enumerate(trees)])
    for _ in range(60):
        facts = snapshot(rng)
        expected = [walk(node, facts) for node in trees]
        assert [judge(facts) for judge in compiled] == expected, (seed, facts)
        true = {f"R{i}" for i, verdict in enumerate(expected) if verdict is True}
        assert fires(facts) == true
        fired = base.fire(Scope.SUBJECT, facts)
        assert (set(fired.rules), set(fired.disagreement)) == (true, set()), (seed, facts)
        verdicts = {
            f"C{i}": Verdict.NOT_APPLICABLE if walk(aside, facts) is False else WORDS[verdict]
            for i, (verdict, aside) in enumerate(zip(expected, applicable, strict=True))
        }
        assert base.verdicts(facts) == verdicts, (seed, facts)
    assert base.counts["rebuilds"] == base.counts["failures"] == 0
    base.close()


# --- a sample against cel-python --------------------------------------------------------------
TYPES = {
    name: FactType(kind, CODES if kind is ValueType.CODE else ()) for name, kind in FACTS.items()
}
ENVIRONMENT = celpy.Environment()
_BOTH = (
    "applied to '(<class 'celpy.evaluation.CELEvalError'>, <class 'celpy.evaluation.CELEvalError'>"
)
# A name without a value; or a group of which both sides are such.
UNKNOWN = (
    "undeclared reference",
    f"found no matching overload for _&&_ {_BOTH}",
    f"found no matching overload for _||_ {_BOTH}",
)


def written(node) -> str:  # noqa: PLR0911
    """The tree as an author would write it, every group in brackets."""
    if isinstance(node, Const):
        return str(node.value).lower()
    if isinstance(node, Has):
        return f"has(facts.{node.fact})"
    if isinstance(node, Not):
        return f"!({written(node.part)})"
    if isinstance(node, And | Or):
        word = " && " if isinstance(node, And) else " || "
        return word.join(f"({written(part)})" for part in node.parts)
    if isinstance(node, In):
        return f"{node.fact} in [{', '.join(map(spelt, node.values))}]"
    if FACTS[node.fact] is ValueType.BOOLEAN:
        return node.fact
    return f"{node.fact} {node.op} {spelt(node.value)}"


def spelt(value) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def cel(value, kind: ValueType):
    kinds = {
        ValueType.BOOLEAN: celtypes.BoolType,
        ValueType.INTEGER: celtypes.IntType,
        ValueType.NUMBER: celtypes.DoubleType,
    }
    return kinds.get(kind, celtypes.StringType)(value)


def by_cel(text: str, facts) -> bool | None:
    """cel-python's answer; only an undeclared name is 'unknown', any other error is one."""
    typed = {name: cel(value, FACTS[name]) for name, value in facts.items()}
    keyed = celtypes.MapType({celtypes.StringType(name): value for name, value in typed.items()})
    program = ENVIRONMENT.program(ENVIRONMENT.compile(text))
    try:
        return bool(program.evaluate({**typed, "facts": keyed}))
    except CELEvalError as error:
        if not str(error.args[0]).startswith(UNKNOWN):
            raise AssertionError(str(error.args[0])[:200]) from None
        return None


@pytest.mark.parametrize("seed", range(4))
def test_cel_python_reads_the_same_conditions_the_same_way(seed):
    rng = random.Random(1000 + seed)
    for _ in range(50):
        node = tree(rng, 3)
        text = written(node)
        judge = compile_condition(parse(text, TYPES, {}))
        for _ in range(3):
            facts = snapshot(rng, plain=True)
            expected = walk(node, facts)
            assert judge(facts) is expected, (text, facts)
            assert by_cel(text, facts) is expected, (text, facts)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_missing_is_what_can_still_decide(seed):
    """It is unknown, it is there only where the criterion is undecided, and it is enough."""
    rng = random.Random(2000 + seed)
    for _ in range(300):
        node = simplify(tree(rng, 3))
        if "has(" in written(node):
            continue  # a datum that arrives can open what its absence had closed
        program = compile_criteria(definition([node], [Const(value=True)]))
        facts = snapshot(rng, plain=True)
        assessment = program.assess(facts)
        expected = walk(node, facts)
        assert assessment.verdicts["C0"] is expected
        missing = set(assessment.missing)
        assert not missing & facts.keys()
        assert bool(missing) is (expected is None)
        if expected is None:
            # With everything missing supplied, at random, the criterion is decided.
            full = snapshot_of(rng, missing) | facts
            assert program.assess(full).verdicts["C0"] is not None, (node, facts, missing)


def snapshot_of(rng: random.Random, names: set[str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    while not names <= found.keys():
        found |= {name: v for name, v in snapshot(rng, plain=True).items() if name in names}
    return found
