"""A stopping table on a trial's path: where it is, whether it was reached, how far it still is.

Who comes in: the trial's fold. Who goes out: crossing, next_stop_at, stop_if. Pure arithmetic.
A row (evaluable, stop_at) says: stop when so many evaluable have at least that many events. Between
rows the next ones hold: who reaches a later row's count early is certain to reach that row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

Table = Sequence[tuple[int, int]]


def stop_at(table: Table, evaluable: int) -> int | None:
    """The least number of events at which to stop with so many evaluable; None beyond the table."""
    ahead = [events for size, events in table if size >= evaluable]
    return min(ahead, default=None)


def crossing(table: Table, happened: Sequence[bool]) -> int | None:
    """The number of evaluable units at which the path first reached the table.

    `happened`: one entry for each evaluable unit in order, whether it had the event.
    """
    return first_reached(table, list(enumerate(accumulate(happened), start=1)))


def first_reached(table: Table, path: Sequence[tuple[int, int]]) -> int | None:
    """The place, from 1, of the first (evaluable, events) on the path that reaches the table."""
    ahead: dict[int, int] = {}  # size -> the least number of events of it and all later rows
    least: int | None = None
    for size, limit in sorted(table, reverse=True):
        least = limit if least is None else min(least, limit)
        ahead[size] = least
    sizes = sorted(ahead)
    for place, (evaluable, events) in enumerate(path, start=1):
        row = bisect_left(sizes, evaluable)
        if row < len(sizes) and events >= ahead[sizes[row]]:
            return place
    return None


def events_to_stop(table: Table, evaluable: int, events: int, counted: int = 0) -> int | None:
    """The least further events that stop if nothing else comes before them; None: none do.

    `counted` units are among the evaluable already and may still have theirs.
    """
    last = max((size for size, _ in table), default=0)
    for further in range(1, last - evaluable + counted + 1):
        limit = stop_at(table, evaluable + max(0, further - counted))
        if limit is not None and events + further >= limit:
            return further
    return None


def margin(table: Table, evaluable: int, events: int) -> int | None:
    """Events less the limit at this point; 0 and more is reached; None without a limit there."""
    limit = stop_at(table, evaluable) if evaluable else None
    return None if limit is None else events - limit


def stop_if(table: Table, evaluable: int, events: int) -> list[dict[str, int]]:
    """The ways to the table from here: so many events among the next so many units.

    Of each number of events the most units among which it still stops, fewest events first; more
    units than another way has with fewer events.
    """
    longest: dict[int, int] = {}
    last = max((size for size, _ in table), default=0)
    for ahead in range(1, last - evaluable + 1):
        limit = stop_at(table, evaluable + ahead)
        if limit is None:
            continue
        needed = max(1, limit - events)
        if needed <= ahead:
            longest[needed] = ahead
    return [{"of_next": longest[needed], "events": needed} for needed in sorted(longest)]
