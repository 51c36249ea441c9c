"""Which fact needs which, in what order they can be worked out, and where they run in a circle.

Who comes in: schema.py; the engine for the order of derived facts. Who goes out: names in order.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

from rules.language.functions import names_in
from rules.language.windows import anchors_of
from rules.model import (
    Arith,
    Call,
    Clinical,
    Derivable,
    Derivation,
    Expression,
    FactSpec,
    Name,
    Num,
    Test,
)


def inputs(derivation: Derivation) -> tuple[str, ...]:
    """The facts that a derivation names, in order of first mention."""
    parts: list[str] = []
    for case in derivation.cases:
        parts += [*names_in(case.when), *_named(case.value)]
    parts += _named(derivation.otherwise) if derivation.otherwise is not None else ()
    return tuple(dict.fromkeys(parts))


def _named(value: Derivable) -> Iterable[str]:
    if isinstance(value, str):
        return ()
    if isinstance(value, Clinical):
        return tuple(name.fact for _, name in value.arguments)
    if isinstance(value, Test):
        return (*numbers_in(value.left), *numbers_in(value.right))
    if isinstance(value, Num | Name | Arith | Call):
        return numbers_in(value)
    return names_in(value)


def numbers_in(expression: Expression) -> tuple[str, ...]:
    """The facts of an arithmetic expression."""
    if isinstance(expression, Name):
        return (expression.fact,)
    if isinstance(expression, Arith):
        return (*numbers_in(expression.left), *numbers_in(expression.right))
    if isinstance(expression, Call):
        return tuple(name for part in expression.arguments for name in numbers_in(part))
    return ()


def needs(spec: FactSpec, facts: Container[str]) -> tuple[str, ...]:
    """Every fact that must be known before this one."""
    derived = inputs(spec.derived) if spec.derived is not None else ()
    applies = names_in(spec.applicable_if) if spec.applicable_if is not None else ()
    return tuple(dict.fromkeys((*derived, *applies, *anchors_of(spec, facts))))


def behind(names: Iterable[str], facts: Mapping[str, FactSpec]) -> tuple[str, ...]:
    """The facts among these names, and all that they need in turn."""
    found: dict[str, None] = {}
    todo = [name for name in names if name in facts]
    while todo:
        name = todo.pop(0)
        if name not in found:
            found[name] = None
            todo += [one for one in needs(facts[name], facts) if one in facts]
    return tuple(found)


def ordered(facts: Mapping[str, FactSpec]) -> tuple[str, ...]:
    """All facts, each after those it needs; of a circle nothing is promised."""
    return walk(facts, lambda name: needs(facts[name], facts))[0]


def circles(facts: Mapping[str, FactSpec]) -> list[tuple[str, ...]]:
    """Each circle of facts that need one another, once."""
    return walk(facts, lambda name: needs(facts[name], facts))[1]


def walk(
    names: Iterable[str], needed: Callable[[str], Iterable[str]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(names in order, circles), with a stack of its own: chains may be long."""
    known = dict.fromkeys(names)
    done: dict[str, None] = {}
    found: list[tuple[str, ...]] = []
    for start in known:
        path: dict[str, None] = {}
        stack = [(start, iter(()) if start in done else iter([start]))]
        while stack:
            owner, waiting = stack[-1]
            name = next(waiting, None)
            if name is None:
                stack.pop()
                if owner in path and stack:
                    path.pop(owner)
                    done[owner] = None
            elif name in path:
                circle = list(path)[list(path).index(name) :]
                found.append((*circle, name))
            elif name in known and name not in done:
                path[name] = None
                stack.append((name, iter([one for one in needed(name) if one in known])))
    return tuple(done), found
