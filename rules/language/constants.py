"""Constants in the type and unit of the fact they are compared with.

Who comes in: conditions.py with a fact and a constant. Who goes out: the typed constant, or
ConditionError with a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rules.facts import units
from rules.language.syntax import ConditionError, did_you_mean
from rules.language.vocabulary import NUMERIC, FactType
from rules.model import Scalar
from rules.terms import ValueType

# What durable-rules reads and compares exactly; a constant outside is a slip of the pen anyway.
SMALLEST, GREATEST, GREATEST_INTEGER = 1e-4, 1e15, 2**53


class Fact(NamedTuple):
    """A name met in an expression, with its line."""

    name: str
    line: int


class Quantity(NamedTuple):
    """A parameter with a unit."""

    name: str
    value: float
    unit: str


def article(kind: ValueType) -> str:
    """`a number`, `an integer`."""
    return f"an {kind}" if kind is ValueType.INTEGER else f"a {kind}"


def typed(fact: Fact, kind: FactType, value: Scalar | Quantity) -> Scalar:
    """The constant in the fact's own type: numbers never strings, booleans never numbers."""
    if isinstance(value, Quantity):
        value = _in_unit(fact, kind, value)
    if isinstance(value, bool) or kind.value is ValueType.BOOLEAN:
        if isinstance(value, bool) and kind.value is ValueType.BOOLEAN:
            return value
    elif isinstance(value, str):
        if kind.value is ValueType.STRING:
            return value
        if kind.value is ValueType.CODE:
            return _known_value(fact, kind, value)
    elif kind.value in NUMERIC:
        return _number(fact, kind, value)
    given = (
        "a boolean"
        if isinstance(value, bool)
        else "a text"
        if isinstance(value, str)
        else "a number"
    )
    raise ConditionError(
        f"`{fact.name}` is {article(kind.value)} but is compared with {given}",
        _type_hint(kind),
        fact.line,
    )


def _in_unit(fact: Fact, kind: FactType, given: Quantity) -> float:
    """The parameter in the fact's unit."""
    if kind.value not in NUMERIC or units.same(given.unit, kind.unit):
        return given.value
    if kind.unit is None or not units.convertible(given.unit, kind.unit, kind.molar_mass):
        message = f"`{fact.name}` is in {kind.unit or '1'}, `params.{given.name}` in {given.unit}"
        hint = "units that convert; mass and amount need the code's `molar_mass`"
        raise ConditionError(message, hint, fact.line)
    return units.convert(given.value, given.unit, kind.unit, kind.molar_mass)


def _type_hint(kind: FactType) -> str:
    if kind.value is ValueType.CODE:
        return "one of " + ", ".join(f'"{value}"' for value in kind.values)
    hints = {ValueType.BOOLEAN: "use it bare, or with !", ValueType.STRING: "quote it"}
    return hints.get(kind.value, "write a number without quotes")


def _known_value(fact: Fact, kind: FactType, value: str) -> str:
    if value not in kind.values:
        message = f'`{fact.name}` is never "{value}"'
        raise ConditionError(
            message, did_you_mean(value, kind.values) or _type_hint(kind), fact.line
        )
    return value


def _number(fact: Fact, kind: FactType, value: float) -> float:
    check_size(value, fact.line)
    if kind.value is ValueType.INTEGER:
        return int(value) if value == int(value) else float(value)
    return float(value) + 0.0  # -0.0 becomes 0.0


def check_size(value: float, line: int) -> None:
    """Raises ConditionError where a number is too small or too large to be told exactly."""
    size = abs(value)
    if (size and size < SMALLEST) or size >= GREATEST:
        raise ConditionError(
            f"a number beyond {SMALLEST:g}..{GREATEST:g}", "choose another unit", line
        )


def constant_compare(left: Scalar, op: str, right: Scalar, line: int) -> bool:
    """Two constants compared when the file loads."""
    numbers = [
        isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right)
    ]
    if (op not in ("==", "!=") and not all(numbers)) or (
        not all(numbers) and type(left) is not type(right)
    ):
        raise ConditionError("two constants of types that do not compare", "", line)
    return CONSTANT_OPERATORS[op](left, right)


CONSTANT_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}
