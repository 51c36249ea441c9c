"""All 2^n courses of events, one by one: what a stopping rule does on each, weighed and summed.

Who comes in: tests, against the recursion that the product uses. Nothing here is shared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple


class Counted(NamedTuple):
    """Sums over all courses."""

    reject: float
    accept: float
    expected_events: float
    expected_evaluable: float
    stop_probability: tuple[float, ...]


def counted(
    looks: Sequence[int],
    stop_at: Sequence[int | None],
    rate: float,
    go_at: Sequence[int | None] = (),
) -> Counted:
    """What the rule does on every course of events among the last look's units."""
    at_look = [0.0] * len(looks)
    accept = events_sum = evaluable_sum = 0.0
    for course in product((0, 1), repeat=looks[-1]):
        weight = 1.0
        for event in course:
            weight *= rate if event else 1 - rate
        look, stops = _first(looks, stop_at, go_at, course)
        size = looks[look] if look is not None else looks[-1]
        events_sum += weight * sum(course[:size])
        evaluable_sum += weight * size
        if look is not None and stops:
            at_look[look] += weight
        elif look is not None:
            accept += weight
    return Counted(sum(at_look), accept, events_sum, evaluable_sum, tuple(at_look))


def _first(
    looks: Sequence[int],
    stop_at: Sequence[int | None],
    go_at: Sequence[int | None],
    course: Sequence[int],
) -> tuple[int | None, bool]:
    """The first look that ends the course, and whether it stops there (or accepts)."""
    for look, size in enumerate(looks):
        events = sum(course[:size])
        limit = stop_at[look]
        if limit is not None and events >= limit:
            return look, True
        floor = go_at[look] if go_at else None
        if floor is not None and events <= floor:
            return look, False
    return None, False
