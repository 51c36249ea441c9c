"""Can a condition hold at all? By exact search over the few values that its constants tell apart.

Who comes in: sense.py and the generated cases. Who goes out: an assignment that meets the goals,
or None where there is none. Facts are taken as independent of one another and each as possibly
unknown, so a "never" is true of every subject; what follows from two facts together is not seen.
Every fact's values fall into few classes (below, at, between and above its constants, within its
bounds; the words of a code); a literal is a mask over them, with one bit more for "unknown".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any, NamedTuple

from rules.language.vocabulary import FactType
from rules.model import And, Compare, Condition, Const, Has, In, Not, Or, Scalar
from rules.terms import ValueType

MAX_CHOICES = 200  # one within another
NUMERIC = (ValueType.INTEGER, ValueType.NUMBER)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


class Want(Enum):
    """What a condition shall be; three-valued, so `not true` may also be unknown."""

    TRUE = 1
    FALSE = 2
    NOT_TRUE = 3
    NOT_FALSE = 4


_OPPOSITE = {
    Want.TRUE: Want.FALSE,
    Want.FALSE: Want.TRUE,
    Want.NOT_TRUE: Want.NOT_FALSE,
    Want.NOT_FALSE: Want.NOT_TRUE,
}


class Exhausted(Exception):
    """The search was longer than allowed; nothing follows."""


@dataclass(frozen=True)
class Bounds:
    """What a fact can be beyond its type: a range, or fewer words; `never`: no value at all."""

    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] | None = None
    never: bool = False


@dataclass
class Budget:
    """How many choices may still be tried; shared by all questions about one file."""

    left: int = 100_000

    def spend(self, steps: int = 1) -> None:
        """Raises Exhausted where there is nothing left."""
        self.left -= steps
        if self.left < 0:
            raise Exhausted


# --- goals: conditions with negation pushed to the leaves, and leaves as masks ----------------
class _Atom(NamedTuple):
    fact: str
    mask: int


class _All(NamedTuple):
    parts: tuple[Any, ...]


class _Any(NamedTuple):
    parts: tuple[Any, ...]


_Goal = bool | _Atom | _All | _Any


@dataclass
class Space:
    """The values that some conditions tell apart, fact by fact."""

    values: Mapping[str, tuple[Scalar, ...]]
    budget: Budget = field(default_factory=Budget)

    def possible(
        self,
        *goals: tuple[Condition, Want],
        given: Mapping[str, Scalar | None] | None = None,
    ) -> dict[str, Scalar] | None:
        """Facts under which every goal is as wanted, or None; what it leaves out is unknown.

        `given` fixes facts beforehand (None: unknown). Raises Exhausted.
        """
        held = {name: self._bit(name, value) for name, value in (given or {}).items()}
        found = self._solve([self._goal(condition, want) for condition, want in goals], held)
        if found is None:
            return None
        chosen = ((name, self._first(name, mask)) for name, mask in found.items())
        return {name: value for name, value in chosen if value is not None}

    def _bit(self, fact: str, value: Scalar | None) -> int:
        known = self.values[fact]
        return 1 << (len(known) if value is None else known.index(value))

    def _first(self, fact: str, mask: int) -> Scalar | None:
        """The first of the values allowed; unknown only where nothing else is."""
        low = (mask & -mask).bit_length() - 1
        return None if low >= len(self.values[fact]) else self.values[fact][low]

    def _full(self, fact: str) -> int:
        return (2 << len(self.values[fact])) - 1

    def _goal(self, node: Condition, want: Want) -> _Goal:
        if isinstance(node, Const):
            return node.value is (want in (Want.TRUE, Want.NOT_FALSE))
        if isinstance(node, Not):
            return self._goal(node.part, _OPPOSITE[want])
        if isinstance(node, And | Or):
            parts = tuple(self._goal(part, want) for part in node.parts)
            every = isinstance(node, And) is (want in (Want.TRUE, Want.NOT_FALSE))
            return _All(parts) if every else _Any(parts)
        return _Atom(node.fact, self._mask(node, want))

    def _mask(self, leaf: Compare | In | Has, want: Want) -> int:
        known = self.values[leaf.fact]
        unknown = 1 << len(known)
        if isinstance(leaf, Has):
            return unknown - 1 if want in (Want.TRUE, Want.NOT_FALSE) else unknown
        true = sum(1 << index for index, value in enumerate(known) if holds(leaf, value))
        false = (unknown - 1) & ~true
        if want in (Want.TRUE, Want.FALSE):
            return true if want is Want.TRUE else false
        return unknown | (false if want is Want.NOT_TRUE else true)

    def _solve(
        self, pending: list[_Goal], held: dict[str, int], depth: int = 0
    ) -> dict[str, int] | None:
        if depth > MAX_CHOICES:
            raise Exhausted
        choices: list[_Any] = []
        while pending:
            if not self._settle(pending, choices, held):
                return None
            rest = self._narrow(choices, held)
            if rest is None:
                return None
            choices, pending = rest
        if not choices:
            return held
        choice = min(choices, key=lambda one: len(one.parts))
        others: list[_Goal] = [one for one in choices if one is not choice]
        for part in choice.parts:
            found = self._solve([*others, part], dict(held), depth + 1)
            if found is not None:
                return found
        return None

    def _settle(self, pending: list[_Goal], choices: list[_Any], held: dict[str, int]) -> bool:
        """Take what leaves no choice into `held`; whether all of it can be met."""
        while pending:
            self.budget.spend()
            goal = pending.pop()
            if isinstance(goal, _Atom):
                mask = held.get(goal.fact, self._full(goal.fact)) & goal.mask
                if not mask:
                    return False
                held[goal.fact] = mask
            elif isinstance(goal, _All):
                pending.extend(goal.parts)
            elif isinstance(goal, _Any):
                choices.append(goal)
            elif not goal:
                return False
        return True

    def _narrow(
        self, choices: Sequence[_Any], held: Mapping[str, int]
    ) -> tuple[list[_Any], list[_Goal]] | None:
        """The choices still open, and what no longer is one; None where one has no way left."""
        left: list[_Any] = []
        forced: list[_Goal] = []
        for choice in choices:
            self.budget.spend(len(choice.parts))
            states = [self._state(part, held) for part in choice.parts]
            if True in states:
                continue
            parts = tuple(
                part for part, state in zip(choice.parts, states, strict=True) if state is not False
            )
            if not parts:
                return None
            if len(parts) == 1:
                forced.append(parts[0])
            else:
                left.append(_Any(parts))
        return left, forced

    def _state(self, part: _Goal, held: Mapping[str, int]) -> bool | None:
        """Whether a part is met, or cannot be met any more; None: it depends."""
        if isinstance(part, bool):
            return part
        if not isinstance(part, _Atom):
            return None
        mask = held.get(part.fact, self._full(part.fact))
        if not mask & part.mask:
            return False
        return True if not mask & ~part.mask else None


def holds(leaf: Compare | In, value: Scalar) -> bool:
    """Whether a known value meets a comparison."""
    if isinstance(leaf, In):
        return value in leaf.values
    return _OPERATORS[leaf.op](value, leaf.value)


# --- which values are told apart --------------------------------------------------------------
def space(
    conditions: Iterable[Condition],
    names: Mapping[str, FactType],
    bounds: Mapping[str, Bounds],
    budget: Budget | None = None,
    more: Mapping[str, Iterable[Scalar]] | None = None,
) -> Space:
    """The space of some conditions over typed names; `more` are further values to tell apart."""
    constants: dict[str, set[Scalar]] = {name: set(values) for name, values in (more or {}).items()}
    for leaf in leaves(*conditions):
        found = constants.setdefault(leaf.fact, set())
        if isinstance(leaf, In):
            found.update(leaf.values)
        elif isinstance(leaf, Compare):
            found.add(leaf.value)
    values = {
        name: told_apart(names[name], bounds.get(name, Bounds()), found)
        for name, found in constants.items()
    }
    return Space(values, budget or Budget())


def leaves(*conditions: Condition) -> list[Compare | In | Has]:
    """Every leaf, from left to right."""
    found: list[Compare | In | Has] = []
    stack = list(reversed(conditions))
    while stack:
        node = stack.pop()
        if isinstance(node, And | Or):
            stack.extend(reversed(node.parts))
        elif isinstance(node, Not):
            stack.append(node.part)
        elif not isinstance(node, Const):
            found.append(node)
    return found


def told_apart(kind: FactType, bounds: Bounds, constants: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """One value of each class that the constants make of a fact's possible values."""
    if bounds.never:
        return ()
    if kind.value is ValueType.BOOLEAN:
        return (True, False)
    if kind.value is ValueType.CODE:
        return words(kind, bounds)
    if kind.value is ValueType.STRING:
        texts = sorted(str(value) for value in constants)
        return (*texts, _other(texts))
    points = [float(value) for value in constants if not isinstance(value, str)]
    limits = [limit for limit in (bounds.low, bounds.high) if limit is not None]
    whole = kind.value is ValueType.INTEGER
    candidates = _integers(points + limits) if whole else _numbers(points + limits)
    low = -math.inf if bounds.low is None else bounds.low
    high = math.inf if bounds.high is None else bounds.high
    return tuple(value for value in candidates if low <= value <= high)


def words(kind: FactType, bounds: Bounds) -> tuple[str, ...]:
    """The words that a code can be, as plain texts."""
    known = kind.values if bounds.values is None else bounds.values
    return tuple(f"{word}" for word in known)


def _other(texts: Sequence[str]) -> str:
    word = "another"
    while word in texts:
        word += "_"
    return word


def _integers(points: Sequence[float]) -> list[int]:
    near = {math.floor(point) + step for point in points for step in (-1, 0, 1)}
    near |= {math.ceil(point) + step for point in points for step in (-1, 0, 1)}
    return sorted(near or {0})


def _numbers(points: Sequence[float]) -> list[float]:
    ends = sorted(set(points))
    if not ends:
        return [0.0]
    between = [(low + high) / 2 for low, high in pairwise(ends)]
    outside = [_beyond(ends[0], -1), _beyond(ends[-1], 1)]
    return sorted({*ends, *between, *outside})


def _beyond(value: float, way: int) -> float:
    """A number on the far side, also where 1 is too small a step."""
    return value + way * max(1.0, abs(value) / 2)
