"""The values of a fact, grouped by what the conditions can tell apart.

Who comes in: counterfactual and worklist. Who goes out: for each fact a Space of cells. All values
of one cell make every comparison of the protocol's criteria read the same, so a question about
every value is a question about one of each cell. Values outside of the declared limits are not
offered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rules.explanation.words import literal
from rules.language.takes import GRADES
from rules.model import And, Compare, Condition, Definition, FactSpec, In, Not, Or, Scalar
from rules.terms import Measure, Take, ValueType

OTHER = "other"  # stands for every text that no condition names
_OF_ONE_RECORD = frozenset(
    {Take.LATEST, Take.EARLIEST, Take.MIN, Take.MAX, Take.MEAN, Take.RATIO_TO_REFERENCE}
)
_COUNTS = frozenset({Take.COUNT, Take.CONSECUTIVE, Take.COMPLETED_YEARS})


@dataclass(frozen=True)
class Cell:
    """Alike values. `low` and `high` bound a number; `open_*`: the bound is not of the cell."""

    value: Scalar  # one of them
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number lies in the cell."""
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)


@dataclass(frozen=True)
class Space:
    """All cells of one fact, numbers ascending."""

    fact: str
    kind: ValueType
    cells: tuple[Cell, ...]
    unit: str | None = None

    def index(self, value: Scalar | None) -> int | None:
        """The cell of a value; None where it is unknown or lies outside of all."""
        if value is None:
            return None
        for number, cell in enumerate(self.cells):
            if self.numeric:
                if cell.holds(float(value)):
                    return number
            elif cell.value == value:
                return number
        if self.kind is ValueType.STRING:
            return len(self.cells) - 1
        return None

    @property
    def numeric(self) -> bool:
        """Whether the values have an order."""
        return self.kind in (ValueType.INTEGER, ValueType.NUMBER)

    def order(self, value: Scalar | None) -> list[int]:
        """All cells but the value's own, nearest first; of an unknown value in their order."""
        here = self.index(value)
        others = [number for number in range(len(self.cells)) if number != here]
        if not self.numeric or value is None:
            return others
        return sorted(others, key=lambda number: _distance(self.cells[number], float(value)))

    def needed(self, chosen: Iterable[int]) -> dict[str, Any]:
        """A run of cells as a constraint; of texts and truths any set."""
        wanted = sorted(chosen)
        if not self.numeric:
            values = [self.cells[number].value for number in wanted]
            if self.kind is ValueType.STRING and OTHER in values:
                named = [c.value for n, c in enumerate(self.cells[:-1]) if n not in wanted]
                return {"not_in": named}
            return {"in": values}
        return _bounds(self, self.cells[wanted[0]], self.cells[wanted[-1]])

    def run(self, good: Iterable[int], around: int) -> list[int]:
        """Of the good cells those that adjoin one; of texts and truths all."""
        wanted = set(good)
        if not self.numeric:
            return sorted(wanted)
        low = high = around
        while low - 1 in wanted:
            low -= 1
        while high + 1 in wanted:
            high += 1
        return list(range(low, high + 1))


def _distance(cell: Cell, value: float) -> float:
    return max(cell.low - value, value - cell.high, 0.0)


def _bounds(space: Space, first: Cell, last: Cell) -> dict[str, Any]:
    """`{"op", "value"}`, with `and` where both sides are bounded."""
    if first.low == last.high:
        return {"op": "==", "value": _number(space, first.low)}
    limits = []
    if first is not space.cells[0]:
        limits.append({"op": ">" if first.open_low else ">=", "value": _number(space, first.low)})
    if last is not space.cells[-1]:
        limits.append({"op": "<" if last.open_high else "<=", "value": _number(space, last.high)})
    if not limits:
        return {"op": "known"}
    return limits[0] if len(limits) == 1 else {**limits[0], "and": limits[1]}


def _number(space: Space, value: float) -> int | float:
    whole = space.kind is ValueType.INTEGER or value.is_integer()
    return int(value) if whole else value


def told(fact: str, needed: Mapping[str, Any], unit: str | None) -> str:
    """A constraint as a person reads it, with the unit where numbers have one."""
    if "in" in needed:
        values = needed["in"]
        if len(values) == 1:
            return f"{fact} = {_word(values[0])}"
        return f"{fact} one of {', '.join(map(_word, values))}"
    if "not_in" in needed:
        return f"{fact} none of {', '.join(map(_word, needed['not_in']))}"
    if needed["op"] == "known":
        return f"{fact} recorded, whatever its value"
    tail = f" {unit}" if unit and not unit.startswith("{") else ""
    text = f"{fact} {needed['op'].replace('==', '=')} {literal(needed['value'])}{tail}"
    more = needed.get("and")
    return f"{text} and {more['op']} {literal(more['value'])}{tail}" if more else text


def _word(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def spaces(definition: Definition) -> dict[str, Space]:
    """The cells of every fact that a criterion names."""
    conditions = [part for item in definition.criteria for part in (item.when, item.applicable_if)]
    found: dict[str, list[Compare | In]] = {}
    for leaf in leaves(*conditions):
        if isinstance(leaf, Compare | In):
            found.setdefault(leaf.fact, []).append(leaf)
        else:
            found.setdefault(leaf.fact, [])
    return {
        name: space(definition.facts[name], of, limits(definition, definition.facts[name]))
        for name, of in found.items()
        if name in definition.facts
    }


def leaves(*conditions: Condition) -> list[Any]:
    """Every Compare, In and Has, each time it stands there."""
    found: list[Any] = []
    stack = list(reversed(conditions))
    while stack:
        node = stack.pop()
        if isinstance(node, And | Or):
            stack.extend(reversed(node.parts))
        elif isinstance(node, Not):
            stack.append(node.part)
        elif hasattr(node, "fact"):
            found.append(node)
    return found


def limits(definition: Definition, spec: FactSpec) -> tuple[float, float]:
    """The least and the greatest value that can be published for a fact."""
    if spec.take in _COUNTS:
        return 0.0, math.inf
    if spec.measure in GRADES and spec.take in _OF_ONE_RECORD:
        return 0.0, 4.0
    if spec.measure is not Measure.VALUE or spec.take is Take.RATIO_TO_REFERENCE:
        return 0.0, math.inf
    if spec.origin is None or spec.take not in _OF_ONE_RECORD:
        return -math.inf, math.inf
    code = definition.codes.get((spec.origin, spec.code))
    if spec.score is not None and code is not None:
        least, most = code.scores[spec.score]
        return float(least), float(most)
    low = -math.inf if code is None or code.low is None else float(code.low)
    high = math.inf if code is None or code.high is None else float(code.high)
    return low, high


def space(
    spec: FactSpec, of: Iterable[Compare | In], within: tuple[float, float] = (-math.inf, math.inf)
) -> Space:
    """The cells of one fact by the comparisons that name it."""
    compared = list(of)
    cells: tuple[Cell, ...]
    if spec.value is ValueType.BOOLEAN:
        cells = (Cell(False), Cell(True))
    elif spec.value is ValueType.CODE:
        cells = tuple(Cell(value) for value in spec.values)
    elif spec.value is ValueType.STRING:
        named = dict.fromkeys(str(value) for value in _constants(compared))
        other = OTHER
        while other in named:
            other += "_"
        cells = (*(Cell(value) for value in named), Cell(other))
    else:
        cells = _numbers(spec.value is ValueType.INTEGER, compared, within)
    return Space(spec.name, spec.value, cells, spec.unit)


def _constants(compared: Iterable[Compare | In]) -> list[Scalar]:
    return [
        value
        for leaf in compared
        for value in (leaf.values if isinstance(leaf, In) else (leaf.value,))
    ]


def _numbers(
    whole: bool, compared: list[Compare | In], within: tuple[float, float]
) -> tuple[Cell, ...]:
    """The points and gaps between the constants, those that read alike joined."""
    low, high = within
    points = sorted({float(value) for value in _constants(compared)})
    pieces: list[Cell] = []
    ends = [-math.inf, *points, math.inf]
    for number, (left, right) in enumerate(pairwise(ends)):
        pieces.append(Cell(0, left, right, open_low=True, open_high=True))
        if number < len(points):
            pieces.append(Cell(0, right, right))
    clipped = [cell for piece in pieces if (cell := _clip(piece, low, high, whole)) is not None]
    joined: list[Cell] = []
    seen: tuple[bool, ...] | None = None
    for cell in clipped:
        signature = tuple(holds(leaf, cell.value) for leaf in compared)
        if joined and signature == seen:
            last = joined[-1]
            joined[-1] = Cell(last.value, last.low, cell.high, last.open_low, cell.open_high)
        else:
            joined.append(cell)
        seen = signature
    return tuple(joined) or (Cell(0),)


def _clip(cell: Cell, low: float, high: float, whole: bool) -> Cell | None:
    """A cell within limits, with a value of its own; None where nothing is left."""
    left, open_left = (low, False) if low > cell.low else (cell.low, cell.open_low)
    right, open_right = (high, False) if high < cell.high else (cell.high, cell.open_high)
    if whole and math.isfinite(left):
        left, open_left = (math.floor(left) + 1 if open_left else math.ceil(left)), False
    if whole and math.isfinite(right):
        right, open_right = (math.ceil(right) - 1 if open_right else math.floor(right)), False
    if left > right or (left == right and (open_left or open_right)):
        return None
    return Cell(_one(left, right, open_left, open_right, whole), left, right, open_left, open_right)


def _one(left: float, right: float, open_left: bool, open_right: bool, whole: bool) -> Scalar:
    """A number between."""
    if math.isfinite(left) and not open_left:
        return int(left) if whole else left
    if math.isfinite(right) and not open_right:
        return int(right) if whole else right
    if math.isfinite(left) and math.isfinite(right):
        return (left + right) / 2
    value = left + 1 if math.isfinite(left) else right - 1 if math.isfinite(right) else 0.0
    return int(value) if whole else value


def holds(leaf: Compare | In, value: Any) -> bool:
    """A leaf over one value."""
    if isinstance(leaf, In):
        return value in leaf.values
    wanted: Any = leaf.value
    compared = {
        "==": value == wanted,
        "!=": value != wanted,
    }
    if leaf.op in compared:
        return bool(compared[leaf.op])
    if leaf.op in ("<", "<="):
        return bool(value < wanted or (leaf.op == "<=" and value == wanted))
    return bool(value > wanted or (leaf.op == ">=" and value == wanted))
