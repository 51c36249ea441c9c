"""Conditions and expressions read as text, with four answers: true, false, unknown, not applicable.

A condition is turned into Python's own grammar and walked; nothing of the engine's parser is used.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

NOT_APPLICABLE = "not applicable"
Value = bool | float | int | str | None
Look = Callable[[str], Value]  # a fact's value; None: unknown
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CONSTANTS = {"true": True, "false": False}


@lru_cache(maxsize=10_000)
def _parse(text: str) -> ast.expr:
    plain = text.replace("&&", " and ").replace("||", " or ")
    plain = re.sub(r"!(?!=)", " not ", plain)
    return ast.parse(f"({plain})", mode="eval").body


def comparisons(texts: Iterable[str], name: str) -> list[str]:
    """Every comparison in these conditions that has the name on its left."""
    return [
        ast.unparse(node)
        for text in texts
        for node in ast.walk(_parse(text))
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and node.left.id == name
    ]


def is_condition(text: str) -> bool:
    """Whether it says yes or no; a bare name is taken for a number."""
    node = _parse(text)
    has = isinstance(node, ast.Call) and ast.unparse(node.func) == "has"
    return has or (
        isinstance(node, ast.BoolOp | ast.Compare | ast.UnaryOp)
        and not isinstance(getattr(node, "op", None), ast.USub)
    )


def names(text: str) -> set[str]:
    """The facts that an expression names."""
    found = {node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name)}
    return found - {"params", *_CONSTANTS, *_FUNCTIONS}


class Logic:
    """One moment's answers. `look` reads facts and params, `aside` says which do not apply.

    `setting`: names that only say when the rest of an `and` is asked (on_study, grade).
    """

    def __init__(
        self,
        look: Look,
        aside: Callable[[str], bool] = lambda _name: False,
        setting: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        self.look, self.aside, self.setting = look, aside, setting

    def ask(self, text: str) -> bool | str | None:
        """True, False, None (unknown), or NOT_APPLICABLE."""
        return self._ask(_parse(text))

    def holds(self, text: str) -> bool:
        return self.ask(text) is True

    def _ask(self, node: ast.expr) -> Any:
        match node:
            case ast.BoolOp(op, parts):
                return self._group(parts, isinstance(op, ast.Or))
            case ast.UnaryOp(ast.Not(), part):
                inner = self._ask(part)
                return (not inner) if isinstance(inner, bool) else inner
            case ast.Call(ast.Name("has"), [ast.Attribute(attr=name)]):
                return self.look(name) is not None
            case ast.Compare(left, [op], [right]):
                return self._compare(left, op, right)
            case ast.Name(word) if word in _CONSTANTS:
                return _CONSTANTS[word]
        return self._leaf(node, lambda values: bool(values[0]))

    def _sets(self, node: ast.expr) -> bool:
        """Whether a part compares nothing but what is no fact of the subject."""
        match node:
            case ast.BoolOp(_, parts):
                return all(map(self._sets, parts))
            case ast.UnaryOp(ast.Not(), part):
                return self._sets(part)
            case ast.Call() | ast.Constant():
                return self.setting("")
        return all(map(self.setting, names(ast.unparse(node))))

    def _group(self, parts: list[ast.expr], deciding: bool) -> Any:
        answers = [self._ask(part) for part in parts]
        asked = [a for a, part in zip(answers, parts, strict=True) if not self._sets(part)]
        if not deciding and set(asked) == {NOT_APPLICABLE}:
            return NOT_APPLICABLE
        applicable = [one for one in answers if one is not NOT_APPLICABLE]
        if not applicable:
            return NOT_APPLICABLE
        if deciding in applicable:
            return deciding
        return None if None in applicable else not deciding

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        if isinstance(op, ast.In):
            assert isinstance(right, ast.List)
            return self._leaf(left, lambda v: v[0] in v[1:], *right.elts)
        return self._leaf(left, lambda values: _COMPARE[type(op)](*values), right)

    def _leaf(self, node: ast.expr, judge: Callable[[list[Any]], bool], *more: ast.expr) -> Any:
        names = [
            one.id
            for part in (node, *more)
            for one in ast.walk(part)
            if isinstance(one, ast.Name) and one.id not in ("params", *_CONSTANTS, *_FUNCTIONS)
        ]
        if any(self.aside(name) for name in names):
            return NOT_APPLICABLE
        values = [self._number(part) for part in (node, *more)]
        return None if None in values else judge(values)

    # --- arithmetic ---------------------------------------------------------------------------
    def number(self, text: str) -> Value:
        """An expression's value; unknown where anything in it is, or it is not defined."""
        return self._number(_parse(text))

    def _number(self, node: ast.expr) -> Any:  # noqa: PLR0911
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(word) if word in _CONSTANTS:
                return _CONSTANTS[word]
            case ast.Name(name):
                return self.look(name)
            case ast.Attribute(ast.Name("params"), name):
                return self.look(f"params.{name}")
            case ast.UnaryOp(ast.USub(), part):
                inner = self._number(part)
                return None if inner is None else -inner
            case ast.BinOp(left, op, right):
                return _defined(_ARITHMETIC[type(op)], [self._number(left), self._number(right)])
            case ast.Call(ast.Name(name), arguments):
                return _defined(_FUNCTIONS[name], [self._number(part) for part in arguments])
        raise AssertionError(ast.dump(node))


_ARITHMETIC: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "pow": math.pow,
    "ln": math.log,
    "round": lambda value, digits=0: round(value, int(digits)),
}


def _defined(function: Callable[..., float], values: list[Any]) -> float | None:
    """What is not defined, or not finite, is unknown."""
    if None in values:
        return None
    try:
        result = function(*(float(value) for value in values))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return result if math.isfinite(result) else None
