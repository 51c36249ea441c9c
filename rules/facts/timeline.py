"""What was published of a subject, kept per source of facts: few records, always the ones needed.

Who comes in: events, one by one. Who goes out: sorted records that the projections read.
A record is a list, because it lives in the state's JSON; its places are named below. Old records
are dropped once they can no longer matter for any instant from `low` on; a question about an
earlier instant, or a record that belongs there, raises LogNeeded and the subject is folded anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from rules.errors import LogNeeded
from rules.events import Event
from rules.facts import units
from rules.facts.calendar import DAY_US, EXACT_US, Calendar
from rules.model import Definition, FactSpec, Scalar
from rules.terms import EventType, ValueType, WindowUnit

Record = list[Any]
START, END, N, VALUE, EVENT, NOTE, EXPIRES = range(7)  # VALUE None: recorded, and not known
# Conditions and procedures of windowed facts go on with the ends of their span (None: not told).
STATUS, FROM_LO, FROM_HI, TO_LO, TO_HI = NOTE, 7, 8, 9, 10

KEEP = 6  # newest records of a source that are never dropped
PRUNE_EVERY = 16
TOUCHES = ("touches_point", "touches_span")
_ORDER = itemgetter(START, N)
_TRUTH: Mapping[str, bool | None] = {
    "active": True,
    "resolved": False,
    "absent": False,
    "suspected": None,
    "done": True,
    "not_done": False,
    "given": True,
    "withdrawn": False,
    "started": True,
    "tapering": True,
    "dose_changed": True,
    "stopped": False,
}
_SPANS = {
    EventType.CONDITION: ("onset", "abatement"),
    EventType.PROCEDURE: ("start", "end"),
}


@dataclass(frozen=True)
class Source:
    """Where facts come from: one code of one type, in one unit."""

    key: str
    origin: EventType
    code: str
    value: ValueType
    unit: str | None
    given_by: str | None
    touches: bool  # some fact asks for spans
    extremes: frozenset[str]  # of min, max, any
    reach_us: int | None  # the longest window of those; None: no bound


def source_key(spec: FactSpec) -> str:
    """The name of the source that a fact reads."""
    giver = given_by(spec)
    tail = f":{giver}" if giver else f"|{spec.unit}" if spec.unit else ""
    return f"{spec.origin}:{spec.code}{tail}"


def given_by(spec: FactSpec) -> str | None:
    """Who must have given a consent; a guardian's consent is a guardian's unless it is said."""
    if spec.origin is not EventType.CONSENT:
        return None
    return spec.given_by or ("guardian" if spec.code == "guardian_consent" else None)


def sources(definition: Definition) -> dict[str, Source]:
    """Every source that the protocol's facts read."""
    grouped: dict[str, list[FactSpec]] = {}
    for spec in definition.facts.values():
        if spec.origin is None:
            continue
        grouped.setdefault(source_key(spec), []).append(spec)
    return {key: _source(key, specs) for key, specs in grouped.items()}


def asks_for_spans(spec: FactSpec) -> bool:
    """Whether a fact is about when something lasted: also 'any' of a condition in a window."""
    lasting = spec.origin in _SPANS and spec.take == "any"
    return lasting or spec.take in TOUCHES


def _source(key: str, specs: list[FactSpec]) -> Source:
    first = specs[0]
    assert first.origin is not None
    spans = [spec for spec in specs if asks_for_spans(spec)]
    windowed = [spec for spec in specs if spec.take in {"min", "max", "any"} and spec not in spans]
    reaches = [_reach(spec) for spec in windowed]
    bounded = [reach for reach in reaches if reach is not None]
    return Source(
        key=key,
        origin=first.origin,
        code=first.code,
        value=next((spec.value for spec in specs if spec not in spans), ValueType.BOOLEAN),
        unit=first.unit,
        given_by=given_by(first),
        touches=bool(spans),
        extremes=frozenset(spec.take for spec in windowed),
        reach_us=max(bounded, default=0) if len(bounded) == len(reaches) else None,
    )


def _reach(spec: FactSpec) -> int | None:
    window = spec.window
    if window is None or window.low is None:
        return None
    if window.unit.exact:
        return int(-window.low * EXACT_US[window.unit])
    longest = {WindowUnit.CALENDAR_DAYS: 1, WindowUnit.MONTHS: 31, WindowUnit.YEARS: 366}
    return int(-window.low * longest[window.unit] + 1) * DAY_US


class Reader:
    """Turns events into records: which sources an event feeds, and with what."""

    def __init__(self, definition: Definition, calendar: Calendar) -> None:
        """Compile the routes from (type, code) to sources."""
        self.calendar = calendar
        self.sources = sources(definition)
        self._routes: dict[tuple[str, str], tuple[Source, ...]] = {}
        for source in self.sources.values():
            route = (source.origin.value, source.code)
            self._routes[route] = (*self._routes.get(route, ()), source)
        self._fields = tuple(
            code for origin, code in self._routes if origin == EventType.DEMOGRAPHICS.value
        )

    def records(self, event: Event) -> Iterable[tuple[Source, Record]]:
        """The records that one event makes, with their sources."""
        data = event.data
        if event.type == EventType.DEMOGRAPHICS.value:
            codes: tuple[Any, ...] = tuple(code for code in self._fields if data.get(code))
        else:
            codes = _documents(data) if event.type == "consent" else (data.get("code"),)
        for code in codes:
            for source in self._routes.get((event.type, code), ()):
                if source.given_by is None or source.given_by == data.get("given_by"):
                    yield source, self._record(source, event)

    def _record(self, source: Source, event: Event) -> Record:
        start, end = self.calendar.span(event.time_us, event.timeprecision)
        value, note = _value(source, event.data)
        record: Record = [start, end, event.n, value, event.event]
        if source.origin is EventType.ASSESSMENT and event.data.get("expires"):
            return [*record, note, self._expiry(str(event.data["expires"]))]
        if source.touches:
            status = str(event.data.get("status"))
            return [*record, status, None, *self._ends(source.origin, event.data, end)]
        return [*record, note] if note is not None else record

    def _expiry(self, text: str) -> int:
        """The first instant at which an assessment no longer holds; a bare day is still good."""
        start, end = self.calendar.parse(text)
        return end if start == end else end + 1

    def _ends(
        self, origin: EventType, data: Mapping[str, object], known_us: int
    ) -> list[int | None]:
        """Both ends of the span as intervals; what began cannot have begun after it was told."""
        result: list[int | None] = []
        for name in _SPANS[origin]:
            text = data.get(name)
            low, high = self.calendar.parse(str(text)) if text else (None, None)
            if low is not None and high is not None and low < high:
                high = max(low, min(high, known_us))
            result += [low, high]
        return result


def _documents(data: Mapping[str, object]) -> tuple[Any, ...]:
    """The consents an event tells of: a guardian's, whichever of its two names it is given."""
    document = data.get("document")
    if document == "informed_consent" and data.get("given_by") == "guardian":
        return document, "guardian_consent"
    return (document,)


def _value(source: Source, data: Mapping[str, object]) -> tuple[Scalar | None, str | None]:
    """The typed value in the source's unit, or None with the word that stood in its place."""
    if source.origin is EventType.DEMOGRAPHICS:
        text = str(data[source.code])
        return (None, text) if text == "unknown" else (text, None)
    if source.origin in {EventType.OBSERVATION, EventType.ASSESSMENT}:
        if data.get("absent") is not None:
            return None, str(data["absent"])
        return _typed(source, data.get("value"), data.get("unit")), None
    status = str(data.get("status"))
    if source.value is not ValueType.BOOLEAN:
        return status, None
    truth = _TRUTH.get(status)
    return truth, status if truth is None else None


def _typed(source: Source, value: Any, unit: object) -> Scalar | None:
    if isinstance(value, Mapping):
        value = value.get("code")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(unit, str) and source.unit is not None:
        value = units.convert(value, unit, source.unit)
    if source.value is ValueType.INTEGER and float(value).is_integer():
        return int(value)
    return value  # type: ignore[no-any-return]


# --- the bounded lists --------------------------------------------------------------------------
Touched = Callable[[list[Record], int], int | None]


class Timeline:
    """Records by source, sorted by (clinical start, n), and from when on each is complete."""

    __slots__ = ("low", "records")

    def __init__(self, records: dict[str, list[Record]], low: dict[str, int]) -> None:
        """The state's own dicts: what is put here is in the state."""
        self.records, self.low = records, low

    def insert(self, source: Source, record: Record) -> None:
        """Put a record in its place. Raises LogNeeded where its neighbours were dropped."""
        key = source.key
        if record[START] < self.low.get(key, record[START]):
            raise LogNeeded
        held = self.records.setdefault(key, [])
        if not held or _ORDER(held[-1]) <= _ORDER(record):
            held.append(record)
        else:
            held.insert(bisect_right(held, _ORDER(record), key=_ORDER), record)

    def complete(self, key: str, as_of_us: int) -> list[Record]:
        """The records of a source, good for a question about `as_of_us`. Raises LogNeeded."""
        if as_of_us < self.low.get(key, as_of_us):
            raise LogNeeded
        return self.records.get(key, [])

    def prune(self, source: Source, prefix: Touched, *, force: bool = False) -> None:
        """Drop what no instant from `low` on can need; now and then, so that it costs little."""
        held = self.records.get(source.key, ())
        if len(held) < PRUNE_EVERY or not (force or len(held) % PRUNE_EVERY == 0):
            return
        low = prefix(held, KEEP) if source.touches else _thin(source, held)  # type: ignore[arg-type]
        if low is not None:
            self.low[source.key] = max(low, self.low.get(source.key, low))


def _thin(source: Source, held: list[Record]) -> int | None:
    """Drop outdated and dominated records in place; the instant from which that is harmless."""
    pivot = held[-KEEP]
    if not source.extremes:
        del held[:-KEEP]
        return int(pivot[END])
    horizon = None if source.reach_us is None else pivot[START] - source.reach_us - DAY_US
    best = _Best(source.extremes)
    best.see(pivot)
    kept: list[Record] = []
    for record in reversed(held[:-KEEP]):
        if (horizon is not None and record[END] < horizon) or best.covers(record):
            continue
        best.see(record)
        kept.append(record)
    if len(kept) + KEEP == len(held):
        return None
    held[:-KEEP] = kept[::-1]
    return max(int(pivot[END]), best.until_us)


class _Best:
    """The greatest and least values seen, newest first: what is older and no better is dropped."""

    def __init__(self, extremes: frozenset[str]) -> None:
        self._any = "any" in extremes
        self._up = "max" in extremes or self._any
        self._down = "min" in extremes
        self._high: Record | None = None
        self._low: Record | None = None
        self.until_us = 0

    def see(self, record: Record) -> None:
        """Let this record stand for older ones."""
        rank = self._rank(record)
        if rank is None:
            return
        if self._high is None or rank > self._sure(self._high):
            self._high = record
        if self._low is None or rank < self._sure(self._low):
            self._low = record

    def covers(self, record: Record) -> bool:
        """Whether no question can tell that this older record is gone."""
        rank = self._rank(record)
        over = not self._up or self._beats(self._high, record, rank, 1)
        under = not self._down or self._beats(self._low, record, rank, -1)
        if over and under:
            ends = [held[END] for held in (self._high, self._low) if held is not None]
            self.until_us = max([self.until_us, *ends])
        return over and under

    def _beats(self, best: Record | None, record: Record, rank: float | None, sign: int) -> bool:
        if best is None or record[END] > best[START]:
            return False
        return rank is None or sign * self._sure(best) >= sign * rank

    def _rank(self, record: Record) -> float | None:
        """None for what min and max pass over; unknown stands between false and true for any."""
        value = record[VALUE]
        if value is None:
            return 0.5 if self._any else None
        return float(value)

    def _sure(self, record: Record) -> float:
        rank = self._rank(record)
        assert rank is not None
        return rank
