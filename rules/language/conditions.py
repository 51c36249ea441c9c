"""One condition, a subset of CEL, typed against the names of its scope.

Who comes in: schema.py with the text of a `when`. Who goes out: rules.model.Condition.
The grammar is cel-python's; what the subset leaves out (arithmetic, ternary, functions, null,
comparing two facts) is refused here with a hint, so that the same tree means the same to the
compiled functions, to durable-rules and to CEL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from rules.language.constants import Fact, Quantity, article, constant_compare, typed
from rules.language.parameters import Constants
from rules.language.syntax import (
    WORDS,
    ConditionError,
    UnknownFact,
    descend,
    did_you_mean,
    line_of,
    literal,
    operands,
    outside,
    parse,
)
from rules.language.vocabulary import NUMERIC, FactType
from rules.model import And, Compare, Condition, Const, Has, In, Not, Or, Parameter, Scalar
from rules.terms import ValueType

MAX_DEPTH = 60
RELATIONS = {
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_in": "in",
}
_MIRROR = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compile_condition(text: str, names: Mapping[str, FactType], params: Constants) -> Condition:
    """The typed tree of one expression, its parameters folded. Raises ConditionError."""
    tree = parse(text)
    return simplify(Reader(names, params).condition(tree, 0))


class Reader:
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
        if isinstance(operand, Fact):
            kind = self._type(operand)
            if kind.value is not ValueType.BOOLEAN:
                message = f"`{operand.name}` is {article(kind.value)}, not a boolean"
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
        self._type(Fact(field, line_of(node)))
        return Has(field)

    def _relation(self, node: Any) -> Condition:
        head, right = node.children
        op = RELATIONS[head.data]
        left = self._operand(descend(head.children[0]))
        if op == "in":
            return self._in(left, descend(right))
        other = self._operand(descend(right))
        if isinstance(left, Fact) and isinstance(other, Fact):
            left, other = self._target(left), self._target(other)
        if isinstance(left, Fact) and isinstance(other, Fact):
            message = f"`{left.name}` is compared with another fact, `{other.name}`"
            raise ConditionError(message, "compare with a literal or with params.<name>", left.line)
        if isinstance(left, Fact) and not isinstance(other, Fact):
            return self._compare(left, op, other)
        if isinstance(other, Fact) and not isinstance(left, Fact):
            return self._compare(other, _MIRROR[op], left)
        return Const(constant_compare(_plain(left), op, _plain(other), line_of(node)))

    def _compare(self, fact: Fact, op: str, value: Scalar | Quantity) -> Condition:
        kind = self._type(fact)
        if op not in ("==", "!=") and kind.value not in NUMERIC:
            message = f"`{fact.name}` is {article(kind.value)} and has no order"
            raise ConditionError(message, "use ==, != or in", fact.line)
        told = typed(fact, kind, value)
        if op in ("==", "!=") and kind.value is ValueType.INTEGER and not isinstance(told, int):
            raise ConditionError(
                f"`{fact.name}` is an integer and never equals a fraction", "", fact.line
            )
        return Compare(fact.name, op, told)

    def _in(self, left: Any, node: Any) -> Condition:
        if not isinstance(left, Fact):
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

    def _constant(self, item: Any) -> Scalar | Quantity:
        if isinstance(item, Fact):
            raise ConditionError(
                "a fact inside a list", "lists hold literals and params", item.line
            )
        return cast("Scalar | Quantity", item)

    def _operand(self, node: Any) -> Fact | Scalar | Quantity:
        if node.data == "literal":
            return literal(node.children[0])
        if node.data == "unary" and node.children[0].data == "unary_neg":
            value = self._operand(descend(node.children[1]))
            if isinstance(value, Quantity):
                return value._replace(value=-value.value)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return -value
            raise outside("arithmetic", node)
        if node.data == "member_dot":
            return self._param(node)
        if node.data != "ident":
            raise outside(WORDS.get(node.data, "this"), node)
        return Fact(str(node.children[0]), line_of(node))

    def _target(self, fact: Fact) -> Fact | Scalar | Quantity:
        """The recruitment target, a fact of the trial, is a known number: it may be a limit."""
        return self._constant_of("target") if fact.name == "target" else fact

    def _constant_of(self, name: str) -> Scalar | Quantity:
        found = self.params[name]
        if not isinstance(found, Parameter):
            return found
        if found.unit is None:
            return found.value
        return Quantity(name, cast("float", found.value), found.unit)

    def _param(self, node: Any) -> Scalar | Quantity:
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
        return self._constant_of(name)

    def _type(self, fact: Fact) -> FactType:
        kind = self.names.get(fact.name)
        if kind is None:
            raise UnknownFact(fact.name, self.names, fact.line)
        return kind


def _plain(value: Any) -> Scalar:
    return cast("Scalar", value.value if isinstance(value, Quantity) else value)


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
