"""A condition as alternatives of plain conjunctions, which is what the engine matches safely.

Who comes in: the knowledge base's compiler, and checks.py to refuse what would grow too large.
Who goes out: clauses of literals. Negation is pushed to the leaves (Kleene's De Morgan), so that
a clause holds only where the condition is definitely true, or definitely false.
"""

from __future__ import annotations

from itertools import product

from rules.model import And, Compare, Condition, Const, Has, In, Not, Or

NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
MAX_CLAUSES = 64
MAX_LEAVES = 56  # of one clause, guards included: a ruleset takes 60 with kind and canary
MAX_LISTS = 12  # `in [..]` in one clause: 15 groups in a rule overflow the engine's compiler

Literal = Compare | In | Has | Not  # Not only of Has
Clause = tuple[Literal, ...]


class TooLarge(ValueError):
    """More alternatives than the engine should hold for one rule."""


def clauses(condition: Condition, *, true: bool = True) -> tuple[Clause, ...]:
    """Any of the clauses holds <=> `condition` is definitely true (or false).

    No clause: never; an empty one: always. Raises TooLarge.
    """
    found = _clauses(condition, true=true)
    for clause in found:
        lists = sum(isinstance(literal, In) for literal in clause)
        if lists > MAX_LISTS or leaves(clause) > MAX_LEAVES:
            raise TooLarge
    return tuple(tuple(clause) for clause in found)


def leaves(clause: Clause | dict[Literal, None]) -> int:
    """Single comparisons and guards of one clause."""
    guards = {literal.fact for literal in clause if isinstance(literal, Compare | In)}
    sizes = (len(literal.values) if isinstance(literal, In) else 1 for literal in clause)
    return len(guards) + sum(sizes)


def _clauses(condition: Condition, *, true: bool) -> list[dict[Literal, None]]:
    if isinstance(condition, Not):
        return _clauses(condition.part, true=not true)
    if isinstance(condition, Const):
        return [{}] if condition.value is true else []
    if isinstance(condition, And | Or):
        parts = [_clauses(part, true=true) for part in condition.parts]
        if isinstance(condition, And) is true:
            return _every(parts)
        return _least([clause for part in parts for clause in part])
    return [dict.fromkeys(_literals(condition, true=true))]


def _literals(leaf: Compare | In | Has, *, true: bool) -> list[Literal]:
    if isinstance(leaf, Has):
        return [leaf if true else Not(leaf)]
    if true:
        return [leaf]
    if isinstance(leaf, In):
        return [Compare(leaf.fact, "!=", value) for value in leaf.values]
    return [Compare(leaf.fact, NEGATED[leaf.op], leaf.value)]


def _every(parts: list[list[dict[Literal, None]]]) -> list[dict[Literal, None]]:
    """All parts at once: one alternative of each, in every way, step by step."""
    found: list[dict[Literal, None]] = [{}]
    for part in parts:
        if len(found) * len(part) > MAX_CLAUSES * MAX_CLAUSES:
            raise TooLarge
        found = _least([left | right for left, right in product(found, part)])
    return found


def _least(found: list[dict[Literal, None]]) -> list[dict[Literal, None]]:
    """Without clauses that another, shorter one makes needless. Raises TooLarge."""
    kept: list[dict[Literal, None]] = []
    for clause in sorted(found, key=len):
        if not any(other.keys() <= clause.keys() for other in kept):
            kept.append(clause)
    if len(kept) > MAX_CLAUSES:
        raise TooLarge
    return kept
