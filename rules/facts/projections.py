"""Fact specs turned into functions: records in, one typed value with its provenance out.

Who comes in: step, with a timeline and an instant. Who goes out: readings.
`as_of_us` None asks about the present: everything received counts, windows end at `now_us`.
Otherwise it is an anchor's instant, and the facts are those of that instant, with all now known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from rules.facts import liver
from rules.facts.absence import absence_of
from rules.facts.aggregates import changed, days_between, reducer
from rules.facts.calendar import FOREVER, Calendar, completed_years, next_birthday, partial_days
from rules.facts.choosing import Choose, chooser, plain
from rules.facts.gathering import Gather, Gathered, fetcher, gatherer, moved
from rules.facts.moments import Moments, moment
from rules.facts.reading import (
    DATE_ONLY,
    INEXACT,
    NO_ANCHOR,
    PARTIAL,
    UNKNOWN,
    Alike,
    Projection,
    Reading,
    read,
    unsure,
)
from rules.facts.sources import (
    TOUCHES,
    asks_for_spans,
    asks_what_happened,
    source_key,
    source_keys,
)
from rules.facts.thresholds import Thresholds
from rules.facts.timeline import BASELINE, END, NOTE, START, VALUE, Record, Timeline
from rules.facts.touches import Question, answer, around
from rules.facts.windows import closed, frame
from rules.language.functions import compile_condition, names_in
from rules.model import FactSpec
from rules.terms import Conflict, EventType, Take

__all__ = [
    "INEXACT", "UNKNOWN", "Alike", "Projection", "Reading", "absence_of", "project",
]  # fmt: skip

_OF_EACH = (Take.LATEST, Take.ANY)
_ONE = (Take.LATEST, Take.EARLIEST, Take.RATIO_TO_REFERENCE)


def project(
    spec: FactSpec,
    calendar: Calendar,
    alike: Alike | None = None,
    *,
    thresholds: Thresholds | None = None,
    facts: Mapping[str, Projection] | None = None,
) -> Projection:
    """Compile one fact: (timeline, as_of_us, now_us) -> reading. Raises LogNeeded when called.

    With `alike` an uncertain age counts as known where no condition could tell the difference;
    with `thresholds` days since. `facts`: all facts' projections, for those that name others; it
    may be filled later.
    """
    others = {} if facts is None else facts
    if spec.take is Take.COMPLETED_YEARS:
        return _age(source_key(spec), calendar, alike)
    if spec.take is Take.ABSENCE:
        return _absence(spec, calendar, others)
    if spec.anchor is not None:
        return _days_on(moment(spec.anchor, calendar, others), calendar, thresholds)
    if spec.liver is not None:
        baseline = moment(spec.baseline, calendar, others) if spec.baseline else None
        return liver.projection(spec, calendar, baseline)
    if spec.origin is EventType.DEMOGRAPHICS:
        return _timeless(source_key(spec))
    return _of_records(spec, calendar, thresholds, others)


def _of_records(
    spec: FactSpec,
    calendar: Calendar,
    thresholds: Thresholds | None,
    others: Mapping[str, Projection],
) -> Projection:
    if spec.identities and (spec.take in _OF_EACH or spec.take in TOUCHES):
        each = [_identity(spec, one) for one in spec.identities]
        return _either(
            [(source_key(one), _of_records(one, calendar, thresholds, others)) for one in each]
        )
    moments = None
    if spec.window is not None and spec.window.anchor is not None:
        moments = moment(spec.window.anchor, calendar, others)
    if asks_for_spans(spec) and not asks_what_happened(spec):
        return _touching(spec, calendar, moments)
    if spec.baseline is not None:
        return _change(spec, calendar, moments, moment(spec.baseline, calendar, others))
    if _is_plain(spec):
        return _latest(source_key(spec))
    choose = reducer(spec, calendar, thresholds)
    if spec.take in _ONE:
        choose = chooser(spec, calendar, newest=spec.take is not Take.EARLIEST)
    return _chosen(spec, calendar, gatherer(spec, calendar, moments), choose)


def _identity(spec: FactSpec, identity: str) -> FactSpec:
    """The same fact of what is told by one coding alone."""
    return replace(spec, code=f"{spec.code}|{identity}", identities=())


def _either(parts: list[tuple[str, Projection]]) -> Projection:
    """Kleene's or over the things that a code stands for; those never told of say nothing."""

    def either(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        readings = [
            part(timeline, as_of_us, now_us, since_us)
            for key, part in parts
            if key in timeline.records
        ]
        true = [one for one in readings if one.value is True]
        if true:
            return max(true, key=lambda one: (one.until_us, one.time_us or 0))
        until = min((one.until_us for one in readings), default=FOREVER)
        told = [one for one in readings if one.event is not None]
        unknown = [one for one in told if one.value is None]
        found = max(unknown or told or readings, key=lambda one: one.time_us or 0, default=UNKNOWN)
        return found._replace(until_us=until)

    return either


def _is_plain(spec: FactSpec) -> bool:
    """Whether it is the newest of one source and nothing else: most facts are."""
    more = (spec.window, spec.where, spec.valid)
    newest = spec.take in (Take.LATEST, Take.RATIO_TO_REFERENCE)
    if not newest or any(part is not None for part in more):
        return False
    if spec.origin is EventType.CONSENT:  # two of one day may not say which came last
        return False
    if spec.conflict is not Conflict.LAST or spec.within_day:
        return False
    return len(source_keys(spec)) == 1


def _timeless(key: str) -> Projection:
    """Birth and sex are no matter of the moment: the latest told holds for every anchor."""

    def timeless(
        timeline: Timeline, _as_of_us: int | None, _now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        held = timeline.records.get(key)
        return read(held[-1]) if held else UNKNOWN

    return timeless


# --- the newest -----------------------------------------------------------------------------------
def _latest(key: str) -> Projection:
    def latest(
        timeline: Timeline, as_of_us: int | None, now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        if as_of_us is not None:
            return _latest_at(timeline.complete(key, as_of_us), as_of_us)
        held = timeline.records.get(key)
        if not held:
            return UNKNOWN
        return _valid(held[-1], now_us, live=True, before=held[-2] if len(held) > 1 else None)

    return latest


def _latest_at(held: list[Record], as_of_us: int) -> Reading:
    """The newest by then; one whose span holds the instant counts only if it changes nothing."""
    straddling: list[Record] = []
    for place in range(len(held) - 1, -1, -1):
        record = held[place]
        if record[START] > as_of_us:
            continue
        if record[END] > as_of_us:
            straddling.append(record)
            continue
        before = held[place - 1] if place else None
        reading = _valid(record, as_of_us, live=False, before=before)
        if any(_valid(other, as_of_us, live=False).value != reading.value for other in straddling):
            return unsure(straddling[0], DATE_ONLY)
        return _valid(straddling[0], as_of_us, live=False) if straddling else reading
    return unsure(straddling[0], DATE_ONLY) if straddling else UNKNOWN


def _valid(record: Record, at_us: int, *, live: bool, before: Record | None = None) -> Reading:
    """The record's reading unless it has expired by `at_us`."""
    expires = record[6] if 6 < len(record) <= BASELINE + 1 else None
    if expires is None:
        return plain(record, before)
    if expires <= at_us:
        return unsure(record, "expired")
    reading = plain(record, before)
    return reading._replace(until_us=expires) if live else reading


# --- ages and days --------------------------------------------------------------------------------
def _age(key: str, calendar: Calendar, alike: Alike | None) -> Projection:
    def age(
        timeline: Timeline, as_of_us: int | None, now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        held = timeline.records.get(key)
        if not held:
            return UNKNOWN
        if held[-1][VALUE] is None:
            return read(held[-1])
        record = held[-1]
        on = calendar.day(now_us if as_of_us is None else as_of_us)
        youngest, oldest = _ages(record[VALUE], on)
        youngest = youngest if oldest < 0 else max(youngest, 0)  # who is told of is born
        until = FOREVER
        if as_of_us is None:
            until = calendar.midnight(min(next_birthday(born, on) for born in _born(record[VALUE])))
        if youngest == oldest >= 0:
            return read(record, until)._replace(value=youngest)
        if youngest >= 0 and alike is not None and alike(youngest, oldest):
            return read(record, until)._replace(value=youngest, note=PARTIAL)
        return unsure(record, PARTIAL, until)

    return age


def _born(text: str) -> tuple[date, date]:
    return partial_days(text)


def _ages(text: str, on: date) -> tuple[int, int]:
    """Completed years if born on the last and on the first day that the text allows."""
    first, last = _born(text)
    return completed_years(last, on), completed_years(first, on)


def _days_on(moments: Moments, calendar: Calendar, thresholds: Thresholds | None) -> Projection:
    """Whole local days since an anchor."""

    def days(
        timeline: Timeline, as_of_us: int | None, now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        found = moments(timeline, as_of_us, now_us)
        if found.lo_us is None or found.hi_us is None:
            return Reading(None, note=NO_ANCHOR, until_us=found.until_us)
        at_us = now_us if as_of_us is None else as_of_us
        reading = days_between(calendar, found.lo_us, found.hi_us, at_us, thresholds)
        until = min(reading.until_us, found.until_us) if as_of_us is None else FOREVER
        end = None if found.hi_us == found.lo_us else found.hi_us
        return reading._replace(time_us=found.lo_us, event=found.event, end_us=end, until_us=until)

    return days


# --- many records ---------------------------------------------------------------------------------
def _chosen(spec: FactSpec, calendar: Calendar, gather: Gather, choose: Choose) -> Projection:
    counts = spec.dates_count
    moves = spec.window is not None

    def chosen(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        found = gather(timeline, as_of_us, now_us, since_us)
        if found.missing:
            return Reading(None, note=NO_ANCHOR, until_us=found.until_us)
        reading, used = choose(found, now_us if as_of_us is None else as_of_us)
        if as_of_us is not None:
            until = FOREVER
        elif moves:
            until = min(reading.until_us, moved(spec, calendar, found, used, now_us))
        else:
            until = reading.until_us
        if until != reading.until_us:
            reading = reading._replace(until_us=until)
        if counts and reading.value is not None and (reading.end_us or found.inexact):
            return reading._replace(note=INEXACT)
        return reading

    return chosen


def _change(
    spec: FactSpec, calendar: Calendar, moments: Moments | None, baseline: Moments
) -> Projection:
    """How far the latest is from the baseline: the last value up to the anchor, unless one was
    published as the baseline itself.
    """
    latest = chooser(spec, calendar)
    first = replace(spec, valid=None)
    base = chooser(first, calendar)
    gather = gatherer(spec, calendar, moments)
    fetch = fetcher(spec, calendar)
    keys = source_keys(spec)

    def flagged(timeline: Timeline, as_of_us: int | None) -> list[Record]:
        held, _ = fetch(timeline, as_of_us)
        return [
            record
            for record in held
            if len(record) > BASELINE
            and record[VALUE] is not None
            and (as_of_us is None or record[END] <= as_of_us)
        ]

    def based(timeline: Timeline, as_of_us: int | None, now_us: int) -> Reading:
        told = flagged(timeline, as_of_us)
        if told:
            return base(Gathered(told, [], told=True), now_us).reading
        found = baseline(timeline, as_of_us, now_us)
        if found.lo_us is None or found.hi_us is None:
            return Reading(None, note=NO_ANCHOR, until_us=found.until_us)
        for key in keys:
            timeline.based(key, found.lo_us, found.hi_us)
        held = [one for one in fetch(timeline, as_of_us)[0] if one[VALUE] is not None]
        sure = [one for one in held if one[END] <= found.lo_us]
        maybe = [one for one in held if one[END] > found.lo_us and one[START] <= found.hi_us]
        reading = base(Gathered(sure, maybe, told=True), now_us).reading
        return reading._replace(until_us=found.until_us)

    def change(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        found = gather(timeline, as_of_us, now_us, since_us)
        if found.missing:
            return Reading(None, note=NO_ANCHOR, until_us=found.until_us)
        reading, used = latest(found, now_us if as_of_us is None else as_of_us)
        before = based(timeline, as_of_us, now_us)
        until = FOREVER
        if as_of_us is None:
            until = moved(spec, calendar, found, used, now_us)
            until = min(until, reading.until_us, before.until_us)
        if reading.value is None or before.value is None:
            why = reading if reading.value is None else before
            return why._replace(value=None, until_us=until)
        value = changed(reading.value, before.value, spec)
        note = reading.note if value is not None else "undefined"
        return reading._replace(value=value, note=note, until_us=until)

    return change


# --- spans ----------------------------------------------------------------------------------------
def _touching(spec: FactSpec, calendar: Calendar, moments: Moments | None) -> Projection:
    point = spec.take is Take.TOUCHES_POINT
    key, window = source_key(spec), spec.window
    has_top = window is not None and closed(window)

    def touching(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        at_us = now_us if as_of_us is None else as_of_us
        from_us = at_us
        if since_us is not None and spec.dates_count:
            from_us = min(since_us, at_us)  # the anchor's earliest instant
        held = timeline.records.get(key, [])
        if as_of_us is not None:
            held = timeline.complete(key, from_us)
        if moments is not None or has_top:
            assert window is not None
            low = high = at_us
            until = FOREVER
            if moments is not None:
                found_at = moments(timeline, as_of_us, now_us)
                if found_at.lo_us is None or found_at.hi_us is None:
                    return Reading(None, note=NO_ANCHOR, until_us=found_at.until_us)
                low, high, until = found_at.lo_us, found_at.hi_us, found_at.until_us
            edges = frame(calendar, window, low, high)
            found = around(calendar, edges, window, held, as_of_us, now_us, point=point)
            until = min(until, found.until)
        else:
            question = Question(window, at_us, from_us, spec.dates_count)
            found = answer(calendar, question, held, now_us, point=point)
            until = found.until
        until = until if as_of_us is None else FOREVER
        if found.record is None:
            return Reading(None, until_us=until)
        note = None if found.exact else INEXACT
        if found.value is None:
            note = found.record[NOTE]
        return read(found.record, until)._replace(value=found.value, note=note)

    return touching


# --- absence --------------------------------------------------------------------------------------
def _absence(spec: FactSpec, calendar: Calendar, others: Mapping[str, Projection]) -> Projection:
    """Why the latest has no value; always known."""
    asked = project(replace(spec, take=Take.LATEST), calendar, facts=others)
    names = () if spec.applicable_if is None else names_in(spec.applicable_if)
    applies = None if spec.applicable_if is None else compile_condition(spec.applicable_if)

    def absence(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        reading = asked(timeline, as_of_us, now_us, since_us)
        if applies is None:
            return reading._replace(value=absence_of(reading).value, note=None)
        told = [(name, others[name](timeline, as_of_us, now_us)) for name in names]
        facts = {name: it.value for name, it in told if it.value is not None}
        until = min([reading.until_us, *(it.until_us for _, it in told)])
        word = absence_of(reading, applies(facts)).value
        return reading._replace(value=word, note=None, until_us=until)

    return absence
