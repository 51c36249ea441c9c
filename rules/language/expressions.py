"""Arithmetic over facts, with its units: what derived facts are made of.

Who comes in: derivations.py with nodes of CEL's tree. Who goes out: rules.model expressions, or
ConditionError with a hint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lark import Tree

from rules.facts import units
from rules.language.constants import Fact, article, check_size
from rules.language.parameters import Constants
from rules.language.syntax import (
    PASS,
    ConditionError,
    UnknownFact,
    did_you_mean,
    line_of,
    literal,
    outside,
)
from rules.language.vocabulary import NUMERIC, FactType
from rules.model import Arith, Call, Expression, Name, Num, Parameter

MAX_DEPTH = 60  # of what is compiled: Python itself reads 200 brackets within one another
_SIGNS = {
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
}
# By function: the least and the most arguments.
FUNCTIONS = {
    "min": (2, 20),
    "max": (2, 20),
    "abs": (1, 1),
    "pow": (2, 2),
    "ln": (1, 1),
    "round": (1, 2),
}


class Told(NamedTuple):
    """An expression with its unit: None where arithmetic made one that has no name, `ANY` of a bare
    number, which is of whatever unit stands beside it.
    """

    expression: Expression
    unit: str | None
    constant: bool = False
    molar_mass: float | None = None
    depth: int = 1


ANY = ""


def bare(tree: Any) -> Any:
    """Skip the grammar's levels that hold a single child."""
    while len(tree.children) == 1 and tree.data in PASS and isinstance(tree.children[0], Tree):
        tree = tree.children[0]
    return tree


class Arithmetic:
    """Reads numeric expressions over typed names."""

    def __init__(self, names: Mapping[str, FactType], params: Constants) -> None:
        """`names`: the facts that may be named."""
        self.names, self.params = names, params

    def number(self, tree: Any, depth: int = 0) -> Told:
        """A numeric expression. Raises ConditionError."""
        if depth > MAX_DEPTH:
            raise ConditionError(f"nested deeper than {MAX_DEPTH}", "divide it")
        node = bare(tree)
        if node.data == "literal":
            return self._literal(node)
        if node.data in ("addition", "multiplication"):
            return self._arith(node, depth)
        if node.data == "unary" and node.children[0].data == "unary_neg":
            return self._negative(self.number(node.children[1], depth + 1))
        if node.data == "ident":
            return self._fact(node)
        if node.data == "member_dot":
            return self._param(node)
        if node.data == "ident_arg":
            return self._call(node, depth)
        if node.data == "expr":
            raise ConditionError("the ternary ? : is not part of the language", "use `cases`", 0)
        raise ConditionError("a condition stands where a number is needed", "", line_of(node))

    def _literal(self, node: Any) -> Told:
        value = literal(node.children[0])
        if isinstance(value, bool | str):
            raise ConditionError("only numbers can be computed with", "", line_of(node))
        check_size(value, line_of(node))
        return Told(Num(float(value)), ANY, constant=True)

    def _negative(self, told: Told) -> Told:
        if isinstance(told.expression, Num):
            return told._replace(expression=Num(-told.expression.value))
        return _made(Arith("-", Num(0.0), told.expression), told.unit, (told,), 0)

    def _fact(self, node: Any) -> Told:
        fact = Fact(str(node.children[0]), line_of(node))
        kind = self.names.get(fact.name)
        if kind is None:
            raise UnknownFact(fact.name, self.names, fact.line)
        if kind.value not in NUMERIC:
            message = f"`{fact.name}` is {article(kind.value)}, not a number"
            raise ConditionError(message, "only numbers can be computed with", fact.line)
        return Told(Name(fact.name), kind.unit or "1", molar_mass=kind.molar_mass)

    def _param(self, node: Any) -> Told:
        owner, name = bare(node.children[0]), str(node.children[1])
        if owner.data != "ident" or str(owner.children[0]) != "params":
            raise ConditionError("only params.<name> may hold a dot", "", line_of(node))
        if name not in self.params:
            near = did_you_mean(name, self.params)
            raise ConditionError(f"unknown parameter `{name}`", near, line_of(node))
        found = self.params[name]
        value = found.value if isinstance(found, Parameter) else found
        unit = found.unit if isinstance(found, Parameter) else None
        if isinstance(value, bool | str):
            raise ConditionError(f"the parameter `{name}` is no number", "", line_of(node))
        return Told(Num(float(value)), unit or ANY, constant=True)

    def _arith(self, node: Any, depth: int) -> Told:
        """A sum or product; long ones lean to the left, so they are read in a loop."""
        parts: list[tuple[str, Any]] = []
        kind = node.data
        while node.data == kind and len(node.children) == 2:
            head, right = node.children
            if head.data not in _SIGNS:
                raise outside("the remainder %", node)
            parts.append((_SIGNS[head.data], right))
            node = bare(head.children[0])
        told = self.number(node, depth + 1)
        for sign, right in reversed(parts):
            told = self._combine(told, sign, self.number(right, depth + 1), line_of(right))
        return told

    def _combine(self, left: Told, sign: str, right: Told, line: int) -> Told:
        if sign in "+-":
            (left, right), unit = joint((left, right), f"`{sign}`", line)
        else:
            unit = _product(left, sign, right)
        made = Arith(sign, left.expression, right.expression)
        return _made(made, unit, (left, right), line)

    def _call(self, node: Any, depth: int) -> Told:
        name = str(node.children[0])
        arguments = list(node.children[1].children) if len(node.children) > 1 else []
        if name not in FUNCTIONS:
            near = did_you_mean(name, FUNCTIONS) or f"one of {', '.join(FUNCTIONS)}"
            raise ConditionError(f"unknown function {name}()", near, line_of(node))
        least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise ConditionError(f"{name}() takes {wanted} numbers", "", line_of(node))
        told = [self.number(argument, depth + 1) for argument in arguments]
        if name in ("min", "max"):
            told, unit = joint(told, f"{name}()", line_of(node))
        elif name == "pow":
            unit = told[0].unit if told[0].unit in (ANY, "1") else None
        else:
            unit = "1" if name == "ln" else told[0].unit
        if name == "round" and len(told) == 2 and not _digits(told[1].expression):
            message = "round() takes the number of decimals, 0 to 10"
            raise ConditionError(message, "round(x, 1)", line_of(node))
        made = Call(name, tuple(one.expression for one in told))
        return _made(made, unit, told, line_of(node))


def _made(expression: Expression, unit: str | None, parts: Sequence[Told], line: int) -> Told:
    depth = 1 + max(part.depth for part in parts)
    if depth > MAX_DEPTH:
        raise ConditionError(f"more than {MAX_DEPTH} steps, one upon another", "divide it", line)
    return Told(expression, unit, all(part.constant for part in parts), None, depth)


def _digits(expression: Expression) -> bool:
    return isinstance(expression, Num) and expression.value in range(11)


def _product(left: Told, sign: str, right: Told) -> str | None:
    """The unit of a product or quotient, where it has one that needs no new name."""
    if right.unit in (ANY, "1"):
        return left.unit
    if sign == "*" and left.unit in (ANY, "1"):
        return right.unit
    alike = left.unit is not None and right.unit is not None and left.unit != ANY
    return "1" if sign == "/" and alike and units.same(left.unit, right.unit) else None


def joint(told: Sequence[Told], what: str, line: int) -> tuple[list[Told], str | None]:
    """Terms of one unit, constants converted into it. Raises ConditionError where they differ."""
    facts = [one for one in told if not one.constant and one.unit not in (None, ANY)]
    named = facts or [one for one in told if one.unit not in (None, ANY)]
    if not named:
        return list(told), None if any(one.unit is None for one in told) else ANY
    unit, molar_mass = named[0].unit or "1", named[0].molar_mass
    return [_in_unit(one, unit, molar_mass, what, line) for one in told], unit


def _in_unit(one: Told, unit: str, molar_mass: float | None, what: str, line: int) -> Told:
    given = one.unit
    if given in (None, ANY) or units.same(given, unit):
        return one
    assert given is not None
    if isinstance(one.expression, Num) and units.convertible(given, unit, molar_mass):
        value = units.convert(one.expression.value, given, unit, molar_mass)
        return one._replace(expression=Num(value), unit=unit)
    message = f"{what} of numbers in {unit} and in {given}"
    raise ConditionError(message, "facts of one unit; declare one in the other's", line)
