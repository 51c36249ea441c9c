"""What was published of a subject, kept per source of facts: few records, always the ones needed.

Who comes in: records, one by one. Who goes out: sorted records that the projections read.
A record is a list, because it lives in the state's JSON; its places are named below. Old records
are dropped once they can no longer matter for any instant from `low` on; a question about an
earlier instant, or a record that belongs there, raises LogNeeded and the subject is folded anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from rules.errors import LogNeeded

if TYPE_CHECKING:
    from rules.facts.sources import Source

Record = list[Any]
START, END, N, VALUE, EVENT, NOTE, EXPIRES = range(7)  # VALUE None: recorded, and not known
BASELINE = 7  # of measurements: whether it was published as the baseline
UPPER = 8  # of liver tests: the upper limit told with the value, in its unit
# What lasts goes on with the ends of its span (None: not told).
STATUS, FROM_LO, FROM_HI, TO_LO, TO_HI = NOTE, 7, 8, 9, 10

KEEP = 6  # newest records of a source that are never dropped
PRUNE_EVERY = 16
ORDER = itemgetter(START, N)


class Held(Protocol):
    """What a state holds beside records: the entities that anchors and facts are made of."""

    @property
    def enrolment(self) -> list[list[Any]]: ...
    @property
    def deaths(self) -> list[list[Any]]: ...
    @property
    def infusions(self) -> Mapping[str, list[list[Any]]]: ...
    @property
    def adverse_events(self) -> Mapping[str, Any]: ...


class Timeline:
    """Records by source, sorted by (clinical start, n), and from when on each is complete.

    `kept`: of what was pruned, [from when on every record is there, further spans that are
    whole, moments before which the newest record is there].
    """

    __slots__ = ("kept", "low", "records", "state")

    def __init__(
        self,
        records: dict[str, list[Record]],
        low: dict[str, int],
        kept: dict[str, list[Any]] | None = None,
        state: Held | None = None,
    ) -> None:
        """The state's own dicts: what is put here is in the state."""
        self.records, self.low, self.state = records, low, state
        self.kept: dict[str, list[Any]] = {} if kept is None else kept

    def insert(self, source: Source, record: Record) -> None:
        """Put a record in its place. Raises LogNeeded where its neighbours were dropped."""
        key = source.key
        if record[START] < self.low.get(key, record[START]):
            raise LogNeeded
        held = self.records.setdefault(key, [])
        if not held or ORDER(held[-1]) <= ORDER(record):
            held.append(record)
        else:
            held.insert(bisect_right(held, ORDER(record), key=ORDER), record)

    def complete(self, key: str, as_of_us: int) -> list[Record]:
        """The records of a source, good for a question about `as_of_us`. Raises LogNeeded."""
        if as_of_us < self.low.get(key, as_of_us):
            raise LogNeeded
        return self.records.get(key, [])

    def whole(self, key: str, from_us: int, to_us: int) -> None:
        """Raises LogNeeded where a record of that span may have been dropped."""
        if key not in self.low:
            return
        since, spans, _ = self.kept.get(key, (self.low[key], (), ()))
        if from_us < since and not any(lo <= from_us and to_us <= hi for lo, hi in spans):
            raise LogNeeded

    def based(self, key: str, from_us: int, to_us: int) -> None:
        """Raises LogNeeded where the newest record before that span may have been dropped."""
        if from_us >= self.low.get(key, from_us):
            return
        _, _, bases = self.kept.get(key, (0, (), ()))
        if not any(lo <= from_us and to_us <= hi for lo, hi in bases):
            raise LogNeeded
