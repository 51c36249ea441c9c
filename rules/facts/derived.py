"""Derived facts: a derivation as a plain function of the other facts.

Who comes in: assessment and the projections, with a fact's declaration. Who goes out: functions
`get -> value`, None where unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rules.clinical.functions import FUNCTIONS
from rules.facts.units import apart, rounded, settled
from rules.language.dependencies import numbers_in
from rules.language.functions import build, definitely, load, names_in, three_valued
from rules.model import (
    Arith,
    Call,
    Clinical,
    Condition,
    Derivable,
    Derivation,
    Expression,
    FactSpec,
    Name,
    Num,
    Scalar,
    Test,
)

Get = Callable[[str], Any]
Value = Callable[[Get], Scalar | None]
Truth = Callable[[Get], bool | None]


def compile_derivation(spec: FactSpec) -> Value:
    """The function of one derived fact; `spec.derived` must be there.

    Unknown in, unknown out, as far as the answer hangs on it. Unknown is also what has no answer (a
    division by zero, the logarithm of what is not above zero, what is too large to tell), and what
    does not apply. Numbers have 12 significant digits.
    """
    assert spec.derived is not None
    derive = _chosen(spec.derived) if spec.derived.cases else _value(spec.derived.otherwise)
    if spec.applicable_if is None:
        return derive
    names, outside = names_in(spec.applicable_if), definitely(spec.applicable_if, true=False)
    lines = ["def apart(get):", *load(names), f"    return {outside}"]
    apart: Callable[[Get], bool] = build("apart", lines)
    return lambda get: None if apart(get) else derive(get)


def _chosen(derivation: Derivation) -> Value:
    """The first case that holds; where several still may, what all of them say."""
    cases = [(_truth(case.when), _value(case.value)) for case in derivation.cases]
    otherwise = _value(derivation.otherwise)

    def derive(get: Get) -> Scalar | None:
        found = []
        for when, value in cases:
            holds = when(get)
            if holds is not False:
                found.append(value(get))
            if holds:
                break
        else:
            found.append(otherwise(get))
        return found[0] if all(value == found[0] for value in found) else None

    return derive


def _value(value: Derivable | None) -> Value:
    if value is None or isinstance(value, str):
        return lambda _get: value
    if isinstance(value, Test):
        return _test(value)
    if isinstance(value, Clinical):
        return _clinical(value)
    if isinstance(value, Num | Name | Arith | Call):
        return _number(value)
    return _truth(value)


def _truth(condition: Condition) -> Truth:
    lines = ["def judge(get):", *load(names_in(condition))]
    made: Truth = build("judge", [*lines, f"    return {three_valued(condition)}"])
    return made


def _clinical(value: Clinical) -> Value:
    """A clinical function of facts; what is not named is unknown to it."""
    function = FUNCTIONS[value.function]
    named = [(argument, fact.fact) for argument, fact in value.arguments]
    unnamed = dict.fromkeys(function.arguments)
    return lambda get: function.compute(unnamed | {key: get(fact) for key, fact in named})


# --- arithmetic -------------------------------------------------------------------------------
class NoAnswerError(ArithmeticError):
    """A result that is no number, or none that can be told."""


def sure(value: float) -> float:
    """The value itself where it is a finite number. Raises NoAnswerError."""
    if not math.isfinite(value):
        raise NoAnswerError
    return value


def told(value: float) -> float:
    """A finite number at 12 significant digits, zero without a sign. Raises NoAnswerError."""
    return rounded(settled(sure(value))) + 0.0


def half_up(value: float, digits: float = 0) -> float:
    """Rounded to decimals as people do: halves away from zero, of the number as it is told."""
    exact = Decimal(repr(told(value)))
    return float(exact.quantize(Decimal(1).scaleb(-int(digits)), ROUND_HALF_UP))


_GIVEN: dict[str, Any] = {
    "sure": sure,
    "told": told,
    "apart": apart,
    "failed": (ArithmeticError, ValueError),
    "min": min,
    "max": max,
    "abs": abs,
    "pow": math.pow,
    "ln": math.log,
    "round": half_up,
}


def _number(expression: Expression) -> Value:
    return _computed(numbers_in(expression), f"told({_source(expression)})")


def _test(test: Test) -> Value:
    names = (*numbers_in(test.left), *numbers_in(test.right))
    left, right = _source(test.left), _source(test.right)
    return _computed(names, f"apart(told({left}), told({right})) {test.op} 0")


def _computed(names: tuple[str, ...], source: str) -> Value:
    """Known where all names are and the source can be worked out."""
    used = tuple(dict.fromkeys(names))
    unknown = " or ".join(f"f_{name} is None" for name in used)
    lines = ["def derive(get):", *load(used)]
    lines += [f"    if {unknown}: return None"] if used else []
    lines += ["    try:", f"        return {source}", "    except failed:", "        return None"]
    made: Value = build("derive", lines, **_GIVEN)
    return made


def _source(expression: Expression) -> str:
    if isinstance(expression, Num):
        return f"({expression.value!r})"
    if isinstance(expression, Name):
        return f"float(f_{expression.fact})"
    if isinstance(expression, Arith):
        left, right = _source(expression.left), _source(expression.right)
        return f"sure({left} {expression.op} {right})"
    arguments = ", ".join(map(_source, expression.arguments))
    return f"{expression.function}({arguments})"
