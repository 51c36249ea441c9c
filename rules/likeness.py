"""Which values no condition of a protocol tells apart: a number known well enough is known.

Who comes in: the plan. Who goes out: a question per name: may these two ends be told apart?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from rules.assessment import compile_condition
from rules.facts.thresholds import Thresholds
from rules.language.dependencies import inputs
from rules.model import (
    And,
    Compare,
    Condition,
    Const,
    Definition,
    Derivation,
    Has,
    In,
    Not,
    Or,
    Scalar,
)

Alike = Callable[[float, float], bool]
_CONDITIONS = (Const, Compare, In, Has, Not, And, Or)


def conditions_of(definition: Definition) -> list[Condition]:
    """Every condition that judges a subject: of criteria, the gate, rules, stopping and visits."""
    items = (*definition.criteria, *definition.gate)
    found = [part for item in items for part in (item.when, item.applicable_if)]
    found += [rule.when for rule in definition.rules]
    found += [repeat.when for repeat in definition.repeats]
    for stopping in definition.stopping:
        found += [part for part in (stopping.endpoint, stopping.among) if part is not None]
    for rate in definition.response:
        found += [rate.evaluable_when, rate.responder_when]
    found += [one.applicable_if for one in definition.schedule if one.applicable_if is not None]
    return found


def comparisons(condition: Condition) -> Iterable[Compare | In]:
    """Every comparison with a constant that stands in a condition."""
    if isinstance(condition, And | Or):
        for part in condition.parts:
            yield from comparisons(part)
    elif isinstance(condition, Not):
        yield from comparisons(condition.part)
    elif not isinstance(condition, Const | Has):
        yield condition


def alike_numbers(definition: Definition, name: str) -> Alike:
    """Whether every comparison of the name answers the same for all numbers from..to."""
    leaves = [
        leaf for one in conditions_of(definition) for leaf in comparisons(one) if leaf.fact == name
    ]
    asked = [compile_condition(leaf) for leaf in leaves]
    limits = sorted({float(value) for leaf in leaves for value in _numbers(leaf)})

    @lru_cache(maxsize=512)
    def alike(low: float, high: float) -> bool:
        tried = [low, high, *(limit for limit in limits if low < limit < high)]
        return all(len({answer({name: value}) for value in tried}) == 1 for answer in asked)

    return alike


def day_thresholds(definition: Definition, name: str, *, shown: bool) -> Thresholds:
    """At which whole numbers of a fact anything may be decided otherwise.

    `shown`: a text tells the number itself. What is computed of it tells every number apart.
    """
    conditions = conditions_of(definition)
    every = shown
    for spec in definition.facts.values():
        if spec.applicable_if is not None:
            conditions.append(spec.applicable_if)
        if spec.derived is None:
            continue
        cases = [(case.when, case.value) for case in spec.derived.cases]
        values = [value for _, value in cases] + [spec.derived.otherwise]
        conditions += [when for when, _ in cases]
        conditions += [value for value in values if isinstance(value, _CONDITIONS)]
        computed = [value for value in values if not isinstance(value, _CONDITIONS)]
        every = every or any(name in inputs(Derivation((), value)) for value in computed)
    leaves = [leaf for one in conditions for leaf in comparisons(one) if leaf.fact == name]
    return Thresholds(leaves, every=every)


def _numbers(leaf: Compare | In) -> list[float]:
    values: tuple[Scalar, ...] = leaf.values if isinstance(leaf, In) else (leaf.value,)
    return [float(value) for value in values if isinstance(value, int | float)]
