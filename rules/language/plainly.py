"""A condition read as it stands: the clause tree's plain meaning, for checks and for people.

Who comes in: coverage, cases, mutants. Who goes out: True, False, or None where it is unknown.
The functions that decide are compiled (functions.py); this slow walk is what they must agree with.
"""

from __future__ import annotations

from collections.abc import Mapping

from rules.language.reasoning import holds
from rules.model import And, Condition, Const, Has, Not, Or, Scalar


def truth(node: Condition, facts: Mapping[str, Scalar]) -> bool | None:
    """Kleene's logic over what is known."""
    if isinstance(node, Const):
        return node.value
    if isinstance(node, Not):
        inner = truth(node.part, facts)
        return None if inner is None else not inner
    if isinstance(node, And | Or):
        found = [truth(part, facts) for part in node.parts]
        decisive = isinstance(node, Or)
        if decisive in found:
            return decisive
        return None if None in found else not decisive
    value = facts.get(node.fact)
    if isinstance(node, Has):
        return value is not None
    return None if value is None else holds(node, value)
