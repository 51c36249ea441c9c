"""What happened, placed when it happened: onsets of conditions, starts of procedures and drugs.

Who comes in: a source's records. Who goes out: one record a happening, dated by its onset or
start where it is told, else by the time of what tells of it.
"""

from __future__ import annotations

from itertools import pairwise

from rules.facts.calendar import FOREVER
from rules.facts.timeline import EVENT, FROM_LO, ORDER, START, STATUS, N, Record
from rules.facts.touches import touches

UNSURE = "unsure"  # noted of a happening that may not be one


def happenings(held: list[Record], at_us: int | None) -> tuple[list[Record], bool]:
    """The happenings, oldest first, and whether anything was recorded by then.

    Told twice of the same time it is one; told again undated, while it goes on, it is the same.
    """
    found: dict[tuple[int, int], Record] = {}
    going_on = {id(new) for old, new in pairwise(held) if _goes_on(old, new)}
    for touch in touches(held, point=True):
        record = touch.record
        if id(record) in going_on:
            continue
        if at_us is not None and touch.from_lo == -FOREVER and record[START] > at_us:
            continue
        tail = [] if touch.sure else [UNSURE]
        placed = [touch.from_lo, touch.from_hi, record[N], True, record[EVENT], *tail]
        found[touch.from_lo, touch.from_hi] = placed
    told = any(at_us is None or record[START] <= at_us for record in held)
    return sorted(found.values(), key=ORDER), told


def _goes_on(old: Record, new: Record) -> bool:
    """Whether the newer record tells of the same episode again."""
    lasting = ("active", "ongoing")
    return old[STATUS] in lasting and new[STATUS] in lasting and new[FROM_LO] is None
