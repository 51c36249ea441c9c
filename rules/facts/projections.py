"""Fact specs turned into functions: records in, one typed value with its provenance out.

Who comes in: step, with a timeline and an instant. Who goes out: readings.
`as_of_us` None asks about the present: everything received counts, windows end at `now_us`.
Otherwise it is an anchor's instant, and the facts are those of that instant, with all now known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple, Protocol

from rules.facts.calendar import Calendar, completed_years, next_birthday, partial_days
from rules.facts.timeline import (
    END,
    EVENT,
    EXPIRES,
    NOTE,
    START,
    VALUE,
    Record,
    Timeline,
    asks_for_spans,
    source_key,
)
from rules.facts.touches import FOREVER, Question, answer, window_edge, window_exit
from rules.model import FactSpec, Scalar
from rules.terms import EventType


class Reading(NamedTuple):
    """One fact at one instant; `value` None is unknown.

    `until_us`: when time alone may change it.
    """

    value: Scalar | None
    time_us: int | None = None
    event: str | None = None
    note: str | None = None  # what was recorded in place of a value
    until_us: int = FOREVER


UNKNOWN = Reading(None)
# Noted beside a value that counts though it may lie outside of its window.
INEXACT = "exact time not recorded"


class Projection(Protocol):
    """One fact compiled. `since_us`: when an anchor that is a date alone may have begun."""

    def __call__(
        self, timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading: ...


Alike = Callable[[int, int], bool]  # whether no condition tells the whole numbers from..to apart


def project(spec: FactSpec, calendar: Calendar, alike: Alike | None = None) -> Projection:
    """Compile one fact: (timeline, as_of_us, now_us) -> reading. Raises LogNeeded when called.

    With `alike` an uncertain age counts as known where no condition could tell the difference.
    """
    key = source_key(spec)
    if spec.take == "completed_years":
        return _age(key, calendar, alike)
    if asks_for_spans(spec):
        return _touching(key, spec, calendar)
    if spec.take in {"min", "max", "any"}:
        return _extreme(key, spec, calendar)
    if spec.origin is EventType.DEMOGRAPHICS:
        return _timeless(key)
    return _latest(key)


def _read(record: Record, until_us: int = FOREVER) -> Reading:
    note = record[NOTE] if len(record) > NOTE and record[VALUE] is None else None
    return Reading(record[VALUE], record[START], record[EVENT], note, until_us)


def _unsure(record: Record, note: str, until_us: int = FOREVER) -> Reading:
    return Reading(None, record[START], record[EVENT], note, until_us)


def _timeless(key: str) -> Projection:
    """Birth and sex are no matter of the moment: the latest told holds for every anchor."""

    def read(
        timeline: Timeline, _as_of_us: int | None, _now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        held = timeline.records.get(key)
        return _read(held[-1]) if held else UNKNOWN

    return read


def _latest(key: str) -> Projection:
    def read(
        timeline: Timeline, as_of_us: int | None, now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        if as_of_us is not None:
            return _latest_at(timeline.complete(key, as_of_us), as_of_us)
        held = timeline.records.get(key)
        return _valid(held[-1], now_us, live=True) if held else UNKNOWN

    return read


def _latest_at(held: list[Record], as_of_us: int) -> Reading:
    """The newest by then; one whose span holds the instant counts only if it changes nothing."""
    straddling: list[Record] = []
    for record in reversed(held):
        if record[START] > as_of_us:
            continue
        if record[END] > as_of_us:
            straddling.append(record)
            continue
        reading = _valid(record, as_of_us, live=False)
        if any(_valid(other, as_of_us, live=False).value != reading.value for other in straddling):
            return _unsure(straddling[0], "date only")
        return _valid(straddling[0], as_of_us, live=False) if straddling else reading
    return _unsure(straddling[0], "date only") if straddling else UNKNOWN


def _valid(record: Record, at_us: int, *, live: bool) -> Reading:
    """The record's reading unless it has expired by `at_us`."""
    expires = record[EXPIRES] if len(record) == EXPIRES + 1 else None
    if expires is None:
        return _read(record)
    if expires <= at_us:
        return _unsure(record, "expired")
    return _read(record, expires if live else FOREVER)


def _age(key: str, calendar: Calendar, alike: Alike | None) -> Projection:
    def read(
        timeline: Timeline, as_of_us: int | None, now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        held = timeline.records.get(key)
        if not held or held[-1][VALUE] is None:
            return UNKNOWN
        record = held[-1]
        on = calendar.day(now_us if as_of_us is None else as_of_us)
        youngest, oldest = _ages(record[VALUE], on)
        youngest = youngest if oldest < 0 else max(youngest, 0)  # who is told of is born
        until = FOREVER
        if as_of_us is None:
            until = calendar.midnight(min(next_birthday(born, on) for born in _born(record[VALUE])))
        if youngest == oldest >= 0:
            return Reading(youngest, record[START], record[EVENT], None, until)
        if youngest >= 0 and alike is not None and alike(youngest, oldest):
            return Reading(youngest, record[START], record[EVENT], "birth date is partial", until)
        return _unsure(record, "birth date is partial", until)

    return read


def _born(text: str) -> tuple[date, date]:
    return partial_days(text)


def _ages(text: str, on: date) -> tuple[int, int]:
    """Completed years if born on the last and on the first day that the text allows."""
    first, last = _born(text)
    return completed_years(last, on), completed_years(first, on)


def _touching(key: str, spec: FactSpec, calendar: Calendar) -> Projection:
    point = spec.take == "touches_point"

    def read(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        at_us = now_us if as_of_us is None else as_of_us
        from_us = _begin(spec, at_us, since_us)
        held = _held(timeline, key, None if as_of_us is None else from_us)
        question = Question(spec.window, at_us, from_us, spec.dates_count)
        found = answer(calendar, question, held, now_us, point=point)
        until = found.until if as_of_us is None else FOREVER
        if found.record is None:
            return Reading(None, until_us=until)
        note = None if found.exact else INEXACT
        if found.value is None:
            note = found.record[NOTE]
        return Reading(found.value, found.record[START], found.record[EVENT], note, until)

    return read


def _extreme(key: str, spec: FactSpec, calendar: Calendar) -> Projection:
    """The greatest or least value in the window, or whether any is true."""
    counts = spec.dates_count

    def read(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        at_us = now_us if as_of_us is None else as_of_us
        from_us = _begin(spec, at_us, since_us)
        edge = window_edge(calendar, spec.window, from_us)
        best: Record | None = None
        doubtful: list[Record] = []
        until = FOREVER
        for record in _held(timeline, key, None if as_of_us is None else from_us):
            if as_of_us is not None and record[START] > as_of_us:
                break
            if record[END] < edge:
                continue
            partly = record[START] < edge or (as_of_us is not None and record[END] > as_of_us)
            if partly and not counts:
                doubtful.append(record)
            elif spec.take == "any" or record[VALUE] is not None:
                best = record if best is None or _beats(spec.take, record, best) else best
        if as_of_us is None and best is not None:
            until = window_exit(calendar, spec.window, best[END if counts else START])
        doubt = [record for record in doubtful if _overturns(spec.take, record, best)]
        if as_of_us is None:
            leaving = [window_exit(calendar, spec.window, record[END]) for record in doubt]
            until = min([until, *leaving])
        if doubt:
            return _unsure(doubt[-1], "date only", until)
        if best is None:
            return UNKNOWN
        inexact = counts and (best[START] < best[END] or from_us < at_us)
        return _read(best, until)._replace(note=INEXACT) if inexact else _read(best, until)

    return read


def _begin(spec: FactSpec, at_us: int, since_us: int | None) -> int:
    """From where the window counts back: where dates count, the anchor's earliest instant."""
    return at_us if since_us is None or not spec.dates_count else min(since_us, at_us)


def _held(timeline: Timeline, key: str, as_of_us: int | None) -> list[Record]:
    """About the present nothing that was dropped is missed; about an anchor it may be."""
    if as_of_us is None:
        return timeline.records.get(key, [])
    return timeline.complete(key, as_of_us)


def _overturns(take: str, record: Record, best: Record | None) -> bool:
    """Whether a record that may lie outside would change the answer if it lay inside."""
    if record[VALUE] is None and take != "any":
        return False
    return best is None or (_rank(record) != _rank(best) and _beats(take, record, best))


def _beats(take: str, record: Record, best: Record) -> bool:
    """Among equals the newer is the evidence, so that dropping older equals changes nothing."""
    if take == "min":
        return _rank(record) <= _rank(best)
    return _rank(record) >= _rank(best)


def _rank(record: Record) -> float:
    value = record[VALUE]
    return 0.5 if value is None else float(value)
