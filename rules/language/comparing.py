"""Conditions of derived facts, which may compare facts with expressions.

Who comes in: derivations.py with nodes of CEL's tree. Who goes out: conditions; each comparison of
expressions in one is a hidden fact `<owner>__1`, so that what remains is a condition like any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.language.conditions import RELATIONS, Reader
from rules.language.expressions import Arithmetic, bare, joint
from rules.language.parameters import Constants
from rules.language.syntax import line_of
from rules.language.vocabulary import FactType
from rules.model import Compare, Condition, Derivation, FactSpec, Test
from rules.terms import ValueType


class Deriving(Reader):
    """Reads conditions of derived facts; each comparison of expressions becomes a hidden fact."""

    def __init__(
        self, owner: str, names: Mapping[str, FactType], params: Constants, hidden: list[FactSpec]
    ) -> None:
        """`owner`: the fact they belong to; `hidden`: where its own facts are put."""
        super().__init__(names, params)
        self.owner, self.hidden = owner, hidden
        self.numbers = Arithmetic(names, params)
        self.text = ""

    def _relation(self, node: Any) -> Condition:
        test = self.test(node)
        return super()._relation(node) if test is None else self._hide(test, node)

    def test(self, node: Any) -> Test | None:
        """A comparison of expressions; None where it is one of a fact with a constant."""
        head, right = node.children
        if head.data == "relation_in":
            return None
        sides = (bare(head.children[0]), bare(right))
        facts = [side for side in sides if side.data == "ident"]
        if all(map(_plain, sides)) and len(facts) < 2:
            return None
        told = [self.numbers.number(side) for side in sides]
        (one, other), _ = joint(told, "a comparison", line_of(node))
        return Test(one.expression, RELATIONS[head.data], other.expression)

    def _hide(self, test: Test, node: Any) -> Condition:
        known = next((spec.name for spec in self.hidden if _is(spec, test)), None)
        if known is None:
            known = f"{self.owner}__{len(self.hidden) + 1}"
            text = part_of(self.text, node)
            made = Derivation((), test, text)
            self.hidden.append(
                FactSpec(known, None, "", ValueType.BOOLEAN, label=text, derived=made)
            )
        return Compare(known, "==", value=True)


def _is(spec: FactSpec, test: Test) -> bool:
    return spec.derived is not None and spec.derived.otherwise == test


def _plain(node: Any) -> bool:
    """A name or a literal, also a negative one: what an ordinary condition compares."""
    if node.data == "unary" and node.children[0].data == "unary_neg":
        return bool(bare(node.children[1]).data == "literal")
    return node.data in ("literal", "ident", "member_dot", "ident_arg") and not _is_call(node)


def _is_call(node: Any) -> bool:
    return bool(node.data == "ident_arg" and str(node.children[0]) != "has")


def part_of(text: str, node: Any) -> str:
    """The part of a text that a node stands for, on one line."""
    meta = getattr(node, "meta", None)
    start, end = getattr(meta, "start_pos", None), getattr(meta, "end_pos", None)
    part = text if start is None or end is None else text[start:end]
    return " ".join(part.split())
