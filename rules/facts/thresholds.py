"""Which whole numbers no condition of a protocol tells apart.

Who comes in: the comparisons of one fact. Who goes out: Thresholds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable

from rules.model import Compare, In


class Thresholds:
    """The numbers at which some condition may change its answer."""

    def __init__(self, leaves: Iterable[Compare | In], *, every: bool = False) -> None:
        """`every`: each number may be told from the next, for somebody computes with it."""
        self.every = every
        limits: set[int] = set()
        for leaf in leaves:
            values = leaf.values if isinstance(leaf, In) else (leaf.value,)
            op = "==" if isinstance(leaf, In) else leaf.op
            for value in values:
                if isinstance(value, int | float) and not isinstance(value, bool):
                    limits |= _turns(op, value)
        self.limits = sorted(limits)

    def alike(self, low: int, high: int) -> bool:
        """Whether no condition tells the whole numbers from `low` to `high` apart."""
        if low == high:
            return True
        later = self.after(low)
        return later is None or later > high

    def after(self, number: int) -> int | None:
        """The next number that some condition may tell from this one."""
        if self.every:
            return number + 1
        place = bisect_right(self.limits, number)
        return self.limits[place] if place < len(self.limits) else None

    def least(self, number: int) -> int:
        """The number that stands for all that are told alike with this one."""
        if self.every:
            return number
        place = bisect_right(self.limits, number)
        return self.limits[place - 1] if place else -1


def _turns(op: str, value: float) -> set[int]:
    """The whole numbers at which a comparison with the value answers otherwise than just below."""
    at, above = math.ceil(value), math.floor(value) + 1
    if op in {"<", ">="}:
        return {at}
    return {above} if op in {"<=", ">"} else {at, above}
