"""Facts that do not apply, written into plain conditions, so that every engine reads the same.

Who comes in: schema.py with conditions as written and the facts. Who goes out: Kleene conditions.

With `applicable_if: p` of a fact x, a leaf over x is out of question where p is definitely false
and nothing is recorded of x: N = !p && !has(x). A group is out of question where all its parts
are. Inside && a part c becomes (c || N), inside || it becomes (c && !N): the part is left out. What
is recorded counts, whatever p says; has(facts.x) is an answer of its own and never left out.

A rule also names what is no fact of the subject (on_study, decision, grade). In its && such parts
only say when it is asked: where nothing else applies, on_study alone is no reason to tell anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
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
Setting = Callable[[Condition], bool]  # whether a part of && only says when the rest is asked
MAX_NODES = 100  # of one `applicable_if` with all that it leans on written out
NEVER, ALWAYS = Const(value=False), Const(value=True)


class TooLargeError(ValueError):
    """What a fact's applicability leans on is too much to be written out; `args[0]` names it."""


def size(condition: Condition) -> int:
    """How many nodes a condition has."""
    if isinstance(condition, And | Or):
        return 1 + sum(map(size, condition.parts))
    return 1 + size(condition.part) if isinstance(condition, Not) else 1


def _no_setting(_part: Condition) -> bool:
    return False


def _setting(facts: Container[str]) -> Setting:
    """The parts of a rule that compare no fact of the subject."""

    def setting(part: Condition) -> bool:
        if isinstance(part, Not):
            return setting(part.part)
        if isinstance(part, And | Or):
            return all(map(setting, part.parts))
        return isinstance(part, Const | Has) or part.fact not in facts

    return setting


def _asked(group: And | Or, setting: Setting) -> tuple[Condition, ...]:
    """The parts of a group on which it hangs whether the group is out of question."""
    if isinstance(group, Or):
        return group.parts
    return tuple(part for part in group.parts if not setting(part)) or group.parts


def _out(condition: Condition, applies: Conditions, setting: Setting = _no_setting) -> Condition:
    """N: definitely true where no part of the condition applies."""
    if isinstance(condition, Const | Has):
        return NEVER
    if isinstance(condition, Not):
        return _out(condition.part, applies, setting)
    if isinstance(condition, And | Or):
        return And(tuple(_out(part, applies, setting) for part in _asked(condition, setting)))
    when = applies.get(condition.fact)
    return NEVER if when is None else And((Not(when), Not(Has(condition.fact))))


def _kept(condition: Condition, applies: Conditions, setting: Setting = _no_setting) -> Condition:
    """!N, told without a negation."""
    if isinstance(condition, Const | Has):
        return ALWAYS
    if isinstance(condition, Not):
        return _kept(condition.part, applies, setting)
    if isinstance(condition, And | Or):
        return Or(tuple(_kept(part, applies, setting) for part in _asked(condition, setting)))
    when = applies.get(condition.fact)
    return ALWAYS if when is None else Or((when, Has(condition.fact)))


def rewritten(
    condition: Condition, applies: Conditions, setting: Setting = _no_setting
) -> Condition:
    """The condition with every part left out that is out of question."""
    return simplify(_rewritten(condition, applies, setting)) if applies else condition


def _rewritten(condition: Condition, applies: Conditions, setting: Setting) -> Condition:
    if isinstance(condition, Not):
        return Not(_rewritten(condition.part, applies, setting))
    if not isinstance(condition, And | Or):
        return condition
    parts = [(part, _rewritten(part, applies, setting)) for part in condition.parts]
    if isinstance(condition, And):
        return And(tuple(Or((plain, _out(p, applies, setting))) for p, plain in parts))
    return Or(tuple(And((plain, _kept(p, applies, setting))) for p, plain in parts))


def applying(condition: Condition, applies: Conditions) -> Condition:
    """An `applicable_if` or a case in plain logic: what names only facts that do not apply does
    not hold.
    """
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
        Case(applying(case.when, applies), _value(case.value, applies)) for case in derivation.cases
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


def telling(condition: Condition, applies: Conditions, facts: Container[str]) -> Condition:
    """What a rule asks in plain logic; never definitely true where nothing it asks for applies."""
    setting = _setting(facts)
    plain = rewritten(condition, applies, setting)
    return simplify(And((plain, _kept(condition, applies, setting)))) if applies else plain


def of_rule(item: AlertRule, applies: Conditions, facts: Container[str]) -> AlertRule:
    """The rule in plain logic."""
    return replace(item, stated=item.when, when=telling(item.when, applies, facts))


def of_stopping(item: StoppingRule, applies: Conditions, facts: Container[str]) -> StoppingRule:
    """The stopping rule in plain logic."""
    among = None if item.among is None else telling(item.among, applies, facts)
    return replace(item, endpoint=telling(item.endpoint, applies, facts), among=among)


def of_visit(item: Visit, applies: Conditions) -> Visit:
    """The visit in plain logic."""
    if item.applicable_if is None:
        return item
    return replace(item, applicable_if=applying(item.applicable_if, applies))
