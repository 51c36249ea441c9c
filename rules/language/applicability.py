"""Facts that do not apply, written into plain conditions, so that every engine reads the same.

Who comes in: schema.py with conditions as written and the facts. Who goes out: Kleene conditions.

With `applicable_if: p` of a fact x, a leaf over x is out of question where p is definitely false
and nothing is recorded of x: N = !p && !has(x). A group is out of question where all its parts
are. Inside && a part c becomes (c || N), inside || it becomes (c && !N): the part is left out. What
is recorded counts, whatever p says; has(facts.x) is an answer of its own and never left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rules.language.conditions import simplify
from rules.language.dependencies import inputs, ordered
from rules.model import (
    AlertRule,
    And,
    Case,
    Compare,
    Condition,
    Const,
    Criterion,
    Derivable,
    Derivation,
    FactSpec,
    Has,
    In,
    Not,
    Or,
    StoppingRule,
    Visit,
)

Conditions = Mapping[str, Condition]  # `applicable_if` by fact
MAX_NODES = 100  # of one `applicable_if` with all that it leans on written out
NEVER, ALWAYS = Const(value=False), Const(value=True)


class TooLargeError(ValueError):
    """What a fact's applicability leans on is too much to be written out; `args[0]` names it."""


def size(condition: Condition) -> int:
    """How many nodes a condition has."""
    if isinstance(condition, And | Or):
        return 1 + sum(map(size, condition.parts))
    return 1 + size(condition.part) if isinstance(condition, Not) else 1


def _out(condition: Condition, applies: Conditions) -> Condition:
    """N: definitely true where no part of the condition applies."""
    if isinstance(condition, Const | Has):
        return NEVER
    if isinstance(condition, Not):
        return _out(condition.part, applies)
    if isinstance(condition, And | Or):
        return And(tuple(_out(part, applies) for part in condition.parts))
    when = applies.get(condition.fact)
    return NEVER if when is None else And((Not(when), Not(Has(condition.fact))))


def _kept(condition: Condition, applies: Conditions) -> Condition:
    """!N, told without a negation."""
    if isinstance(condition, Const | Has):
        return ALWAYS
    if isinstance(condition, Not):
        return _kept(condition.part, applies)
    if isinstance(condition, And | Or):
        return Or(tuple(_kept(part, applies) for part in condition.parts))
    when = applies.get(condition.fact)
    return ALWAYS if when is None else Or((when, Has(condition.fact)))


def rewritten(condition: Condition, applies: Conditions) -> Condition:
    """The condition with every part left out that is out of question."""
    return simplify(_rewritten(condition, applies)) if applies else condition


def _rewritten(condition: Condition, applies: Conditions) -> Condition:
    if isinstance(condition, Not):
        return Not(_rewritten(condition.part, applies))
    if isinstance(condition, And):
        return And(tuple(Or((_rewritten(p, applies), _out(p, applies))) for p in condition.parts))
    if isinstance(condition, Or):
        return Or(tuple(And((_rewritten(p, applies), _kept(p, applies))) for p in condition.parts))
    return condition


def applying(condition: Condition, applies: Conditions) -> Condition:
    """An `applicable_if` in plain logic: what names only facts that do not apply does not hold."""
    return simplify(And((rewritten(condition, applies), _kept(condition, applies))))


# --- where conditions stand -------------------------------------------------------------------
def of_facts(facts: Mapping[str, FactSpec]) -> tuple[dict[str, FactSpec], dict[str, Condition]]:
    """(the facts with plain conditions, when each of them applies), inner facts first.

    A fact derived from others applies where they do: a condition where any part of it does,
    arithmetic where all its numbers do.
    """
    done: dict[str, FactSpec] = {}
    applies: dict[str, Condition] = {}
    for name in ordered(facts):
        spec = facts[name]
        own = ALWAYS if spec.applicable_if is None else applying(spec.applicable_if, applies)
        if spec.derived is not None:
            own = simplify(And((own, _with(spec.derived, applies))))
            spec = replace(spec, derived=_derivation(spec.derived, applies))
        if size(own) > MAX_NODES:
            raise TooLargeError(name)
        if own != ALWAYS:
            applies[name] = own
        done[name] = replace(spec, applicable_if=None if own == ALWAYS else own)
    return {name: done[name] for name in facts}, applies


def _with(derivation: Derivation, applies: Conditions) -> Condition:
    """Where a plain derivation has something to go on; cases decide for themselves."""
    value = derivation.otherwise
    if derivation.cases or value is None or isinstance(value, str):
        return ALWAYS
    if isinstance(value, Const | Compare | In | Has | Not | And | Or):
        return _kept(value, applies)
    named = [name for name in inputs(derivation) if name in applies]
    return And((ALWAYS, *(Or((applies[name], Has(name))) for name in named)))


def _derivation(derivation: Derivation, applies: Conditions) -> Derivation:
    cases = tuple(
        Case(rewritten(case.when, applies), _value(case.value, applies))
        for case in derivation.cases
    )
    value = derivation.otherwise
    return replace(
        derivation, cases=cases, otherwise=None if value is None else _value(value, applies)
    )


def _value(value: Derivable, applies: Conditions) -> Derivable:
    if isinstance(value, Const | Compare | In | Has | Not | And | Or):
        return rewritten(value, applies)
    return value


def of_criterion(item: Criterion, applies: Conditions) -> Criterion:
    """The criterion in plain logic; not applicable where nothing it asks for applies."""
    when = item.when
    return replace(
        item,
        stated=when,
        stated_if=item.applicable_if,
        when=rewritten(when, applies),
        applicable_if=simplify(And((rewritten(item.applicable_if, applies), _kept(when, applies)))),
    )


def of_rule(item: AlertRule, applies: Conditions) -> AlertRule:
    """The rule in plain logic."""
    return replace(item, stated=item.when, when=rewritten(item.when, applies))


def of_stopping(item: StoppingRule, applies: Conditions) -> StoppingRule:
    """The stopping rule in plain logic."""
    among = None if item.among is None else rewritten(item.among, applies)
    return replace(item, endpoint=rewritten(item.endpoint, applies), among=among)


def of_visit(item: Visit, applies: Conditions) -> Visit:
    """The visit in plain logic."""
    if item.applicable_if is None:
        return item
    return replace(item, applicable_if=applying(item.applicable_if, applies))
