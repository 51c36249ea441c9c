"""Names of facts written anew throughout declarations, conditions and texts; nothing is judged.

Who comes in: versions, where two versions of a protocol mean different things by one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rules.model import (
    AlertRule,
    And,
    Arith,
    Call,
    Case,
    Clinical,
    Compare,
    Condition,
    Const,
    Criterion,
    Derivation,
    FactSpec,
    Has,
    In,
    Name,
    Not,
    Or,
    Test,
    Visit,
    Window,
)

Names = Mapping[str, str]  # as declared -> as in the merged protocol
_COMPOUND = (And, Or, Not, Arith, Test, Call, Case, Clinical, Derivation)
_BRACES = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")


def names_of(part: Any) -> Iterator[str]:
    """Every name that a condition, expression or derivation mentions; None mentions nothing."""
    if isinstance(part, Compare | In | Has | Name):
        yield part.fact
    elif isinstance(part, _COMPOUND):
        for value in vars(part).values():
            yield from names_of(value)
    elif isinstance(part, tuple):
        for one in part:
            yield from names_of(one)


def facts_behind(spec: FactSpec) -> Iterator[str]:
    """The names whose facts or records a fact itself rests on."""
    yield from names_of(spec.applicable_if)
    yield from names_of(spec.derived)
    for window in (spec.window, spec.valid):
        if window is not None and window.anchor is not None:
            yield window.anchor
    yield from (name for name in (spec.baseline, spec.anchor) if name is not None)


def mentioned(rule: AlertRule) -> Iterator[str]:
    """What a rule's condition and texts name."""
    yield from names_of(rule.when)
    yield from _BRACES.findall(f"{rule.title} {rule.detail}")


def part(given: Any, names: Names) -> Any:
    """The same condition, expression or derivation with other names.

    A leaf names one fact; whatever else has parts is rebuilt of them; constants stay.
    """
    if isinstance(given, Compare | In | Has | Name):
        return replace(given, fact=names.get(given.fact, given.fact))
    if isinstance(given, _COMPOUND):
        return type(given)(**{key: part(value, names) for key, value in vars(given).items()})
    if isinstance(given, tuple):
        return tuple(part(one, names) for one in given)
    return given


def fact(spec: FactSpec, names: Names) -> FactSpec:
    """A fact under its new name, resting on the renamed ones. `where` names no facts."""
    return replace(
        spec,
        name=names.get(spec.name, spec.name),
        applicable_if=part(spec.applicable_if, names),
        derived=part(spec.derived, names),
        window=_window(spec.window, names),
        valid=_window(spec.valid, names),
        baseline=_anchor(spec.baseline, names),
        anchor=_anchor(spec.anchor, names),
    )


def criterion(item: Criterion, names: Names) -> Criterion:
    """A criterion over renamed facts."""
    return replace(
        item,
        when=part(item.when, names),
        applicable_if=part(item.applicable_if, names),
        stated=part(item.stated, names),
        stated_if=part(item.stated_if, names),
    )


def rule(item: AlertRule, names: Names) -> AlertRule:
    """An alert rule over renamed facts, its texts too."""
    return replace(
        item,
        when=part(item.when, names),
        stated=part(item.stated, names),
        title=_text(item.title, names),
        detail=_text(item.detail, names),
    )


def visit(item: Visit, names: Names) -> Visit:
    """A visit whose anchor and applicability rest on renamed facts."""
    anchor = names.get(item.anchor, item.anchor)
    return replace(item, anchor=anchor, applicable_if=part(item.applicable_if, names))


def settled(condition: Condition, name: str, value: str) -> Condition:
    """The condition where one name is known to have this value."""
    if isinstance(condition, And | Or):
        return type(condition)(tuple(settled(one, name, value) for one in condition.parts))
    if isinstance(condition, Not):
        return Not(settled(condition.part, name, value))
    if isinstance(condition, Const) or condition.fact != name:
        return condition
    if isinstance(condition, Has):
        return Const(value=True)
    if isinstance(condition, In):
        return Const(value=value in condition.values)
    return Const(value=(condition.value == value) is (condition.op == "=="))


def _window(window: Window | None, names: Names) -> Window | None:
    if window is None or window.anchor is None:
        return window
    return replace(window, anchor=names.get(window.anchor, window.anchor))


def _anchor(anchor: str | None, names: Names) -> str | None:
    return None if anchor is None else names.get(anchor, anchor)


def _text(text: str, names: Names) -> str:
    return _BRACES.sub(lambda found: "{" + names.get(found[1], found[1]) + "}", text)
