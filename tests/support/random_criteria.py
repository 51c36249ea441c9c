"""Random small protocols: a few facts, one to four criteria over them, and facts that are known."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rules.model import (
    And,
    Compare,
    Condition,
    Const,
    Criterion,
    Definition,
    FactSpec,
    Has,
    In,
    Not,
    Or,
    Source,
)
from rules.terms import CriterionKind, EventType, ValueType

KINDS = {
    "a": ValueType.BOOLEAN,
    "b": ValueType.BOOLEAN,
    "c": ValueType.BOOLEAN,
    "n": ValueType.INTEGER,
    "t": ValueType.NUMBER,
    "w": ValueType.CODE,
    "s": ValueType.STRING,
}
WORDS = ("red", "green", "blue")
CONSTANTS: dict[ValueType, tuple[Any, ...]] = {
    ValueType.BOOLEAN: (True,),
    ValueType.INTEGER: (1, 3),
    ValueType.NUMBER: (37.5, 38.0),
    ValueType.CODE: WORDS,
    ValueType.STRING: ("mild", "severe"),
}
# One value of each kind that the constants can tell apart, and between them.
VALUES: dict[ValueType, tuple[Any, ...]] = {
    ValueType.BOOLEAN: (False, True),
    ValueType.INTEGER: (-5, 0, 1, 2, 3, 4, 9),
    ValueType.NUMBER: (36.0, 37.5, 37.9, 38.0, 40.0),
    ValueType.CODE: WORDS,
    ValueType.STRING: ("mild", "severe", "neither"),
}
ORDERS = ("==", "!=", "<", "<=", ">", ">=")


@st.composite
def leaves(draw: st.DrawFn, *, has: bool) -> Condition:
    """A comparison of one fact."""
    fact = draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[fact]
    if has and draw(st.integers(0, 9)) == 0:
        return Has(fact)
    if kind is ValueType.BOOLEAN:
        return Compare(fact, "==", True)
    if kind is not ValueType.NUMBER and draw(st.booleans()):
        some = draw(st.lists(st.sampled_from(CONSTANTS[kind]), min_size=1, max_size=2, unique=True))
        return In(fact, tuple(some))
    ordered = kind in (ValueType.INTEGER, ValueType.NUMBER)
    op = draw(st.sampled_from(ORDERS if ordered else ORDERS[:2]))
    return Compare(fact, op, draw(st.sampled_from(CONSTANTS[kind])))


def conditions(*, has: bool) -> st.SearchStrategy[Condition]:
    """Trees of a few leaves."""
    return st.recursive(
        leaves(has=has),
        lambda below: st.one_of(
            below.map(Not),
            st.lists(below, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(below, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        ),
        max_leaves=4,
    )


@st.composite
def definitions(draw: st.DrawFn, *, has: bool = True, applying: bool = True) -> Definition:
    """One to four criteria; some apply to a part only, some may be waived."""
    criteria = []
    for number in range(draw(st.integers(1, 4))):
        limited = applying and draw(st.integers(0, 3)) == 0
        criteria.append(
            Criterion(
                id=f"C{number}",
                kind=draw(st.sampled_from(CriterionKind)),
                text="",
                when=draw(conditions(has=has)),
                source=Source("record"),
                applicable_if=draw(conditions(has=has)) if limited else Const(value=True),
                waivable=draw(st.integers(0, 3)) == 0,
            )
        )
    facts = {
        name: FactSpec(
            name,
            EventType.OBSERVATION,
            name,
            kind,
            values=WORDS if kind is ValueType.CODE else (),
            label=f"Label of {name}",
        )
        for name, kind in KINDS.items()
    }
    return definition(facts, tuple(criteria))


def definition(facts: dict[str, FactSpec], criteria: tuple[Criterion, ...]) -> Definition:
    """A protocol of nothing else."""
    return Definition(
        id="random",
        version="1",
        title="",
        time_zone="UTC",
        target=1,
        sex="all",
        outcomes={},
        sources={},
        parameters={},
        codes={},
        facts=facts,
        criteria=criteria,
        rules=(),
        stopping=(),
        scenarios=(),
        file="",
        digest="",
    )


@st.composite
def known(draw: st.DrawFn, *, some: int = 2) -> dict[str, Any]:
    """Facts of which about one in `some` plus one is missing."""
    return {
        name: draw(st.sampled_from(VALUES[kind]))
        for name, kind in KINDS.items()
        if draw(st.integers(0, some))
    }
