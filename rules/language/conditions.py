"""One condition, a subset of CEL, typed against the names of its scope.

Who comes in: schema.py with the text of a `when`. Who goes out: rules.model.Condition.
The grammar is cel-python's; what the subset leaves out (arithmetic, ternary, functions, null,
comparing two facts) is refused here with a hint, so that the same tree means the same to the
compiled functions, to durable-rules and to CEL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from rules.language.syntax import (
    WORDS,
    ConditionError,
    descend,
    did_you_mean,
    line_of,
    literal,
    operands,
    outside,
    parse,
)
from rules.language.vocabulary import FactType
from rules.model import And, Compare, Condition, Const, Has, In, Not, Or, Scalar
from rules.terms import ValueType

MAX_DEPTH = 60
# What durable-rules reads and compares exactly; a constant outside is a slip of the pen anyway.
SMALLEST, GREATEST, GREATEST_INTEGER = 1e-4, 1e15, 2**53
_RELATIONS = {
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_in": "in",
}
_MIRROR = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NUMERIC = (ValueType.INTEGER, ValueType.NUMBER)

Constants = Mapping[str, Scalar]


def compile_condition(text: str, names: Mapping[str, FactType], params: Constants) -> Condition:
    """The typed tree of one expression, its parameters folded. Raises ConditionError."""
    tree = parse(text)
    return simplify(_Reader(names, params).condition(tree, 0))


class _Reader:
    """Walks cel-python's parse tree; every method returns the model's node or raises."""

    def __init__(self, names: Mapping[str, FactType], params: Constants) -> None:
        self.names, self.params = names, params

    def condition(self, tree: Any, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise ConditionError(f"nested deeper than {MAX_DEPTH}", "divide it")
        node = descend(tree)
        if node.data in ("conditionalor", "conditionaland"):
            kind = Or if node.data == "conditionalor" else And
            return kind(tuple(self.condition(part, depth + 1) for part in operands(node)))
        if node.data == "relation":
            return self._relation(node)
        if node.data == "unary":
            if node.children[0].data == "unary_neg":
                raise outside("arithmetic", node)
            return Not(self.condition(node.children[1], depth + 1))
        return self._bare(node)

    def _bare(self, node: Any) -> Condition:
        if node.data == "ident_arg":
            return self._has(node)
        operand = self._operand(node)
        if isinstance(operand, _Fact):
            kind = self._type(operand)
            if kind.value is not ValueType.BOOLEAN:
                message = f"`{operand.name}` is {_article(kind.value)}, not a boolean"
                raise ConditionError(message, f"compare it: {operand.name} == ...", operand.line)
            return Compare(operand.name, "==", value=True)
        if isinstance(operand, bool):
            return Const(operand)
        raise ConditionError(
            "a constant alone is not a condition", "compare a fact with it", line_of(node)
        )

    def _has(self, node: Any) -> Condition:
        name = str(node.children[0])
        arguments = node.children[1].children if len(node.children) > 1 else []
        inner = descend(arguments[0]) if len(arguments) == 1 else None
        if name != "has":
            raise outside(f"the function {name}()", node)
        if inner is None or inner.data != "member_dot":
            raise outside("has() of anything but facts.<name>", node)
        owner, field = descend(inner.children[0]), str(inner.children[1])
        if owner.data != "ident" or str(owner.children[0]) != "facts":
            raise outside("has() of anything but facts.<name>", node)
        self._type(_Fact(field, line_of(node)))
        return Has(field)

    def _relation(self, node: Any) -> Condition:
        head, right = node.children
        op = _RELATIONS[head.data]
        left = self._operand(descend(head.children[0]))
        if op == "in":
            return self._in(left, descend(right))
        other = self._operand(descend(right))
        if isinstance(left, _Fact) and isinstance(other, _Fact):
            left, other = self._target(left), self._target(other)
        if isinstance(left, _Fact) and isinstance(other, _Fact):
            message = f"`{left.name}` is compared with another fact, `{other.name}`"
            raise ConditionError(message, "compare with a literal or with params.<name>", left.line)
        if isinstance(left, _Fact) and not isinstance(other, _Fact):
            return self._compare(left, op, other)
        if isinstance(other, _Fact) and not isinstance(left, _Fact):
            return self._compare(other, _MIRROR[op], left)
        return Const(
            _constant_compare(cast("Scalar", left), op, cast("Scalar", other), line_of(node))
        )

    def _compare(self, fact: _Fact, op: str, value: Scalar) -> Condition:
        kind = self._type(fact)
        if op not in ("==", "!=") and kind.value not in _NUMERIC:
            message = f"`{fact.name}` is {_article(kind.value)} and has no order"
            raise ConditionError(message, "use ==, != or in", fact.line)
        typed = _typed(fact, kind, value)
        if op in ("==", "!=") and kind.value is ValueType.INTEGER and not isinstance(typed, int):
            raise ConditionError(
                f"`{fact.name}` is an integer and never equals a fraction", "", fact.line
            )
        return Compare(fact.name, op, typed)

    def _in(self, left: Any, node: Any) -> Condition:
        if not isinstance(left, _Fact):
            raise ConditionError(
                "only a fact may stand left of `in`", "fact in [..]", line_of(node)
            )
        if node.data != "list_lit":
            raise ConditionError("`in` needs a list", f"{left.name} in [..]", line_of(node))
        kind = self._type(left)
        if kind.value is ValueType.BOOLEAN:
            raise ConditionError(
                f"`{left.name}` is a boolean", f"write {left.name} or !{left.name}", left.line
            )
        items = [self._operand(descend(item)) for part in node.children for item in part.children]
        if not items:
            raise ConditionError("`in` an empty list never holds", "", line_of(node))
        parts = [self._compare(left, "==", self._constant(item)) for item in items]
        values = tuple(dict.fromkeys(cast("Compare", part).value for part in parts))
        return In(left.name, values)

    def _constant(self, item: Any) -> Scalar:
        if isinstance(item, _Fact):
            raise ConditionError(
                "a fact inside a list", "lists hold literals and params", item.line
            )
        return cast("Scalar", item)

    def _operand(self, node: Any) -> _Fact | Scalar:
        if node.data == "literal":
            return literal(node.children[0])
        if node.data == "unary" and node.children[0].data == "unary_neg":
            value = self._operand(descend(node.children[1]))
            if isinstance(value, int | float) and not isinstance(value, bool):
                return -value
            raise outside("arithmetic", node)
        if node.data == "member_dot":
            return self._param(node)
        if node.data != "ident":
            raise outside(WORDS.get(node.data, "this"), node)
        return _Fact(str(node.children[0]), line_of(node))

    def _target(self, fact: _Fact) -> _Fact | Scalar:
        """The recruitment target, a fact of the trial, is a known number: it may be a limit."""
        return self.params["target"] if fact.name == "target" else fact

    def _param(self, node: Any) -> Scalar:
        owner, name = descend(node.children[0]), str(node.children[1])
        if owner.data != "ident" or str(owner.children[0]) != "params":
            hint = (
                f"write {name}"
                if owner.data == "ident" and str(owner.children[0]) == "facts"
                else ""
            )
            raise ConditionError("only params.<name> may hold a dot", hint, line_of(node))
        if name not in self.params:
            raise ConditionError(
                f"unknown parameter `{name}`", did_you_mean(name, self.params), line_of(node)
            )
        return self.params[name]

    def _type(self, fact: _Fact) -> FactType:
        kind = self.names.get(fact.name)
        if kind is None:
            raise ConditionError(
                f"unknown fact `{fact.name}`", did_you_mean(fact.name, self.names), fact.line
            )
        return kind


class _Fact:
    """A name met in an expression, with its line."""

    def __init__(self, name: str, line: int) -> None:
        self.name, self.line = name, line


def _article(kind: ValueType) -> str:
    return f"an {kind}" if kind is ValueType.INTEGER else f"a {kind}"


def _typed(fact: _Fact, kind: FactType, value: Scalar) -> Scalar:
    """The constant in the fact's own type: numbers never strings, booleans never numbers."""
    if isinstance(value, bool) or kind.value is ValueType.BOOLEAN:
        if isinstance(value, bool) and kind.value is ValueType.BOOLEAN:
            return value
    elif isinstance(value, str):
        if kind.value is ValueType.STRING:
            return value
        if kind.value is ValueType.CODE:
            return _known_value(fact, kind, value)
    elif kind.value in _NUMERIC:
        return _number(fact, kind, value)
    given = (
        "a boolean"
        if isinstance(value, bool)
        else "a text"
        if isinstance(value, str)
        else "a number"
    )
    raise ConditionError(
        f"`{fact.name}` is {_article(kind.value)} but is compared with {given}",
        _type_hint(kind),
        fact.line,
    )


def _type_hint(kind: FactType) -> str:
    if kind.value is ValueType.CODE:
        return "one of " + ", ".join(f'"{value}"' for value in kind.values)
    hints = {ValueType.BOOLEAN: "use it bare, or with !", ValueType.STRING: "quote it"}
    return hints.get(kind.value, "write a number without quotes")


def _known_value(fact: _Fact, kind: FactType, value: str) -> str:
    if value not in kind.values:
        message = f'`{fact.name}` is never "{value}"'
        raise ConditionError(
            message, did_you_mean(value, kind.values) or _type_hint(kind), fact.line
        )
    return value


def _number(fact: _Fact, kind: FactType, value: float) -> float:
    size = abs(value)
    if (size and size < SMALLEST) or size >= GREATEST:
        raise ConditionError(
            f"a number beyond {SMALLEST:g}..{GREATEST:g}", "choose another unit", fact.line
        )
    if kind.value is ValueType.INTEGER:
        return int(value) if value == int(value) else float(value)
    return float(value) + 0.0  # -0.0 becomes 0.0


def _constant_compare(left: Scalar, op: str, right: Scalar, line: int) -> bool:
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


def simplify(condition: Condition) -> Condition:
    """Fold constants and nested groups of one kind; the three-valued meaning stays."""
    if isinstance(condition, Not):
        part = simplify(condition.part)
        if isinstance(part, Const):
            return Const(not part.value)
        return part.part if isinstance(part, Not) else Not(part)
    if not isinstance(condition, And | Or):
        return condition
    neutral, kind = isinstance(condition, And), type(condition)
    parts: list[Condition] = []
    for part in map(simplify, condition.parts):
        if isinstance(part, Const):
            if part.value is not neutral:
                return Const(not neutral)
        else:
            parts.extend(part.parts if isinstance(part, kind) else (part,))
    if not parts:
        return Const(neutral)
    return parts[0] if len(parts) == 1 else kind(tuple(parts))
