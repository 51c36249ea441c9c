"""The records that a fact looks at, at one instant: what lies surely in its window, and what may.

Who comes in: a timeline and an instant. Who goes out: Gathered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rules.facts.calendar import FOREVER, Calendar
from rules.facts.counting import with_facts
from rules.facts.entity_records import entity_records, next_end_us
from rules.facts.happenings import UNSURE, happenings
from rules.facts.moments import Moments
from rules.facts.sources import (
    ENTITIES,
    Way,
    asks_what_happened,
    opens_first,
    source_keys,
    way,
)
from rules.facts.timeline import END, NOTE, ORDER, START, Record, Timeline
from rules.facts.windows import ALWAYS, Frame, closed, enters, frame, low_edge, next_change
from rules.model import FactSpec, Window
from rules.terms import EventType


class Gathered(NamedTuple):
    """Records in order. `told`: whether anything at all is known of the source by then."""

    sure: list[Record]
    maybe: list[Record]
    told: bool
    until_us: int = FOREVER  # the anchor may move then
    inexact: bool = False  # the instant asked about is itself only a date
    missing: bool = False  # the anchor has not surely happened


class _Looked(NamedTuple):
    edges: Frame
    from_us: int
    until_us: int


Gather = Callable[[Timeline, int | None, int, int | None], Gathered]
Fetch = Callable[[Timeline, int | None], tuple[list[Record], bool]]
Look = Callable[[Timeline, int | None, int, int | None], _Looked | None]


def fetcher(spec: FactSpec, calendar: Calendar) -> Fetch:
    """The records of a fact's sources, oldest first; about an anchor's instant all of them."""
    if spec.origin in ENTITIES:
        return _of_entities(spec, calendar)
    keys = source_keys(spec)
    if asks_what_happened(spec):
        return _of_happenings(keys)
    if len(keys) == 1:
        (key,) = keys

        def one(timeline: Timeline, at: int | None) -> tuple[list[Record], bool]:
            held = _held(timeline, key, at)
            return held, bool(held)

        return one

    def pooled(timeline: Timeline, at: int | None) -> tuple[list[Record], bool]:
        held = [record for key in keys for record in _held(timeline, key, at)]
        return sorted(held, key=ORDER), bool(held)

    return pooled


def _of_entities(spec: FactSpec, calendar: Calendar) -> Fetch:
    """Infusions or adverse events; that there are none is known without an event."""
    listed = entity_records(spec, calendar)

    def records(timeline: Timeline, at_us: int | None) -> tuple[list[Record], bool]:
        if timeline.state is None:
            return [], True
        found = listed(timeline.state, at_us)  # type: ignore[arg-type]  # the subject's state
        return [with_facts(record, facts) for record, facts in found], True

    return records


def _of_happenings(keys: tuple[str, ...]) -> Fetch:
    """What happened of each thing that the code stands for."""

    def happened(timeline: Timeline, at_us: int | None) -> tuple[list[Record], bool]:
        if len(keys) == 1:
            return happenings(_held(timeline, keys[0], at_us), at_us)
        each = [happenings(_held(timeline, key, at_us), at_us) for key in keys]
        records = [record for some, _ in each for record in some]
        return sorted(records, key=ORDER), any(told for _, told in each)

    return happened


def _held(timeline: Timeline, key: str, at_us: int | None) -> list[Record]:
    """About the present nothing that was dropped is missed; about an anchor it may be."""
    if at_us is None:
        return timeline.records.get(key, [])
    return timeline.complete(key, at_us)


def gatherer(spec: FactSpec, calendar: Calendar, moments: Moments | None) -> Gather:
    """Compile what a fact gathers; `moments`: its window's anchor. Raises LogNeeded when called."""
    fetch = fetcher(spec, calendar)
    look = _look(spec, calendar, moments)
    keys, kind = source_keys(spec), way(spec)
    whole = kind is Way.WHOLE and moments is not None
    based = kind is Way.BASE
    first = opens_first(spec)

    def gather(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None
    ) -> Gathered:
        looked = look(timeline, as_of_us, now_us, since_us)
        if looked is None:
            return Gathered([], [], told=False, missing=True)
        edges, from_us, until = looked
        for key in keys if whole or based else ():
            if whole:
                timeline.whole(key, edges.out_lo, edges.in_lo if first else edges.out_hi)
            else:
                timeline.based(key, edges.in_hi, edges.out_hi)
        held, told = fetch(timeline, None if as_of_us is None else from_us)
        sure, maybe = _parted(held, edges, as_of_us, spec.dates_count)
        if as_of_us is None:  # what is told of and not yet in the window comes in by time alone
            ahead = [one for one in held if one[START] > edges.out_hi]
            until = min([until, *(enters(calendar, spec.window, one[START]) for one in ahead)])
            if spec.origin is EventType.ADVERSE_EVENT and timeline.state is not None:
                until = min(until, next_end_us(timeline.state, calendar))  # type: ignore[arg-type]  # the subject's state
        inexact = from_us < (now_us if as_of_us is None else as_of_us)
        return Gathered(sure, maybe, told, until, inexact)

    return gather


def _parted(
    held: list[Record], edges: Frame, as_of_us: int | None, counts: bool
) -> tuple[list[Record], list[Record]]:
    """What lies surely inside, and what may; where dates count, all of it counts."""
    sure: list[Record] = []
    maybe: list[Record] = []
    in_lo, in_hi, out_lo, out_hi = edges
    if as_of_us is not None:
        in_hi, out_hi = min(in_hi, as_of_us), min(out_hi, as_of_us)
    for record in held:
        start, end = record[START], record[END]
        if end < out_lo or start > out_hi:
            continue
        if counts or (start >= in_lo and end <= in_hi and not _is_unsure(record)):
            sure.append(record)
        else:
            maybe.append(record)
    return sure, maybe


def _is_unsure(record: Record) -> bool:
    return len(record) == NOTE + 1 and record[NOTE] == UNSURE


def _look(spec: FactSpec, calendar: Calendar, moments: Moments | None) -> Look:
    window = spec.window
    if window is None:
        return lambda _t, as_of, now, _s: _Looked(ALWAYS, now if as_of is None else as_of, FOREVER)
    if moments is None:
        return _up_to_now(window, calendar, counts=spec.dates_count)

    def anchored(
        timeline: Timeline, as_of_us: int | None, now_us: int, _since_us: int | None
    ) -> _Looked | None:
        found = moments(timeline, as_of_us, now_us)
        if found.lo_us is None or found.hi_us is None:
            return None
        at_us = now_us if as_of_us is None else as_of_us
        return _Looked(frame(calendar, window, found.lo_us, found.hi_us), at_us, found.until_us)

    return anchored


def _up_to_now(window: Window, calendar: Calendar, *, counts: bool) -> Look:
    has_top = closed(window)

    def look(
        _timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None
    ) -> _Looked:
        at_us = now_us if as_of_us is None else as_of_us
        from_us = min(since_us, at_us) if counts and since_us is not None else at_us
        low = low_edge(calendar, window, from_us)
        top = frame(calendar, window, at_us, at_us).in_hi if has_top else FOREVER
        return _Looked(Frame(low, top, low, top), from_us, FOREVER)

    return look


def moved(
    spec: FactSpec, calendar: Calendar, found: Gathered, used: list[Record], now_us: int
) -> int:
    """When time alone next moves one of these records in or out of the window."""
    result = found.until_us
    for record in used:
        start = record[END] if spec.dates_count else record[START]
        change = next_change(calendar, spec.window, start, record[END], now_us)
        result = min(result, change)
    return result
