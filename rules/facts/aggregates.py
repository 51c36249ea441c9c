"""Facts made of many records: extremes, truths, counts, sums, runs, days, changes.

Who comes in: what was gathered at one instant. Who goes out: a reading, and the records by which
time alone may change it. What may lie outside of the window, or may not be what `where` asks for,
makes a fact unknown unless every possible answer agrees, or no condition tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from rules.facts.calendar import DAY, FOREVER, Calendar
from rules.facts.choosing import Choose, Chosen, number
from rules.facts.counting import counting, dividing
from rules.facts.gathering import Gathered
from rules.facts.reading import DATE_ONLY, UNKNOWN, UNTOLD, Reading, began, end_of, read, unsure
from rules.facts.sources import ENTITIES, SPANS
from rules.facts.thresholds import Thresholds
from rules.facts.timeline import END, EVENT, START, VALUE, Record
from rules.facts.units import risen, settled
from rules.model import FactSpec, Scalar
from rules.terms import Take

Counts = Callable[[Record], bool | None]


def reducer(spec: FactSpec, calendar: Calendar, thresholds: Thresholds | None) -> Choose:
    """Compile what a take makes of many records: (gathered, instant) -> chosen."""
    if spec.take in (Take.MIN, Take.MAX):
        return _extreme(spec)
    if spec.take in (Take.ANY, Take.ALL):
        return _truth(spec)
    if spec.take is Take.COUNT:
        return _count(spec, thresholds)
    if spec.take is Take.CONSECUTIVE:
        return _consecutive(spec, thresholds)
    if spec.take is Take.DAYS_SINCE:
        return _days_since(spec, calendar, thresholds)
    return _total(spec)


def _made(value: Scalar | None, record: Record | None, note: str | None = None) -> Reading:
    """A computed value with the record that is told as its evidence."""
    if record is None:
        return Reading(value, note=note)
    return Reading(value, began(record), record[EVENT], note, FOREVER, end_of(record))


# --- extremes and truths ------------------------------------------------------------------------
def _extreme(spec: FactSpec) -> Choose:
    sign = 1 if spec.take is Take.MAX else -1
    divide = None if spec.where is None else dividing(spec)
    strict = spec.origin in ENTITIES

    def better(record: Record, best: Record | None) -> bool:
        return best is None or sign * record[VALUE] >= sign * best[VALUE]

    def choose(found: Gathered, _at_us: int) -> Chosen:
        sure, maybe, why = found.sure, found.maybe, DATE_ONLY
        if divide is not None:
            sure, maybe, why = divide(sure, maybe)
        if strict:
            untold = _untold(sure, maybe)
            if untold is not None:
                return untold
        best: Record | None = None
        for record in sure:
            if record[VALUE] is not None and better(record, best):
                best = record
        doubt = [
            record
            for record in maybe
            if record[VALUE] is not None
            and (best is None or (better(record, best) and record[VALUE] != best[VALUE]))
        ]
        used = doubt if best is None else [best, *doubt]
        if doubt:
            return Chosen(unsure(doubt[-1], why), used)
        return Chosen(UNKNOWN if best is None else read(best), used)

    return choose


def _untold(sure: list[Record], maybe: list[Record]) -> Chosen | None:
    """What an entity that counts, or may, has not told makes the whole unknown."""
    untold = [record for record in (*sure, *maybe) if record[VALUE] is None]
    return Chosen(_made(None, untold[-1], "unknown"), untold) if untold else None


def _truth(spec: FactSpec) -> Choose:
    """`any` is Kleene's or of the records, `all` his and; of none it is unknown.

    With `where` a record is true where it satisfies it.
    """
    counts = counting(spec)
    decisive = spec.take is Take.ANY  # the truth that decides alone
    entities = spec.origin in ENTITIES

    def rank(record: Record) -> float:
        truth = counts(record)
        return 0.5 if truth is None else float(truth is decisive)

    def choose(found: Gathered, _at_us: int) -> Chosen:
        best: Record | None = None
        top = -1.0
        for record in found.sure:
            this = rank(record)
            if this >= top:
                best, top = record, this
        doubt = [record for record in found.maybe if rank(record) > top]
        if doubt and best is None and entities and all(rank(one) == 0 for one in doubt):
            doubt = []
        used = doubt if best is None else [best, *doubt]
        if doubt:
            return Chosen(unsure(doubt[-1], DATE_ONLY), used)
        if best is None:
            return Chosen(Reading(not decisive) if entities else UNKNOWN, used)
        note = read(best).note if top == 0.5 and best[VALUE] is None else None
        value = None if top == 0.5 else decisive if top == 1.0 else not decisive
        return Chosen(_made(value, best, note), used)

    return choose


# --- counts and sums ----------------------------------------------------------------------------
def _zero(spec: FactSpec) -> Callable[[Gathered], Record | bool]:
    """Whether nothing counted is known to be none: the record that says so, or True."""
    if spec.origin in ENTITIES:
        return lambda _found: True
    if spec.origin in SPANS:
        return lambda found: found.told

    def measured(found: Gathered) -> Record | bool:
        return next((one for one in reversed(found.sure) if one[VALUE] is not None), False)

    return measured


def _count(spec: FactSpec, thresholds: Thresholds | None) -> Choose:
    divide, zero = dividing(spec), _zero(spec)

    def choose(found: Gathered, _at_us: int) -> Chosen:
        sure, maybe, why = divide(found.sure, found.maybe)
        used = [*sure, *maybe]
        if maybe and _alike(thresholds, len(sure), len(used)):
            return Chosen(_made(len(sure), used[-1], why), used)
        if maybe:
            return Chosen(unsure(maybe[-1], why), used)
        if sure:
            return Chosen(_made(len(sure), sure[-1]), sure)
        return _none(found, zero)

    return choose


def _alike(thresholds: Thresholds | None, low: int, high: int) -> bool:
    """Whether no condition tells these numbers apart, so that the least stands for all of them."""
    return thresholds is not None and thresholds.alike(low, high)


def _none(found: Gathered, zero: Callable[[Gathered], Record | bool]) -> Chosen:
    says = zero(found)
    if says is False:
        return Chosen(UNKNOWN, found.maybe)
    record = None if says is True else says
    return Chosen(_made(0, record), [] if record is None else [record])


def _total(spec: FactSpec) -> Choose:
    """`sum` and `mean`, the same in whatever order the records came."""
    divide = None if spec.where is None else dividing(spec)
    entities = spec.origin in ENTITIES
    mean = spec.take is Take.MEAN

    def choose(found: Gathered, _at_us: int) -> Chosen:
        sure, maybe, why = found.sure, found.maybe, DATE_ONLY
        if divide is not None:
            sure, maybe, why = divide(sure, maybe)
        if entities:  # what was given, and not told how much
            untold = _untold(sure, maybe)
            if untold is not None:
                return untold
        sure = [record for record in sure if record[VALUE] is not None]
        doubt = [record for record in maybe if record[VALUE] is not None]
        doubt = [record for record in doubt if _matters(record, sure, mean=mean, entities=entities)]
        if doubt:
            return Chosen(unsure(doubt[-1], why), [*sure, *doubt])
        if not sure:
            return Chosen(Reading(number(0, spec.value)) if entities and not mean else UNKNOWN, [])
        total = _fsum(record[VALUE] for record in sure)
        value = total / len(sure) if mean and total is not None else total
        return Chosen(_made(number(value, spec.value), sure[-1]), sure)

    return choose


def _matters(record: Record, sure: list[Record], *, mean: bool, entities: bool) -> bool:
    """Whether the answer would be another with it: no, if a sum is added 0, a mean its like."""
    if mean:
        return not sure or any(one[VALUE] != record[VALUE] for one in sure)
    return record[VALUE] != 0 or not (sure or entities)


def _fsum(values: Iterable[float]) -> float | None:
    try:
        return math.fsum(values)
    except OverflowError:
        return None


def _consecutive(spec: FactSpec, thresholds: Thresholds | None) -> Choose:
    """How many of the newest in a row count; a code without a value is passed over."""
    zero, run = _zero(spec), _running(spec)

    def choose(found: Gathered, _at_us: int) -> Chosen:
        ends, used, stopped, why = run(found)
        if not used:
            return _none(found, zero)
        low, high = min(ends), max(ends)
        if low != high and not _alike(thresholds, low, high):
            return Chosen(unsure(used[0], why), used)
        if high == 0 and not stopped:
            return _none(found, zero)
        return Chosen(_made(low, used[0], why if low != high else None), used)

    return choose


class _Run(NamedTuple):
    """Every number of records in a row that may be; which were looked at, the newest first."""

    ends: set[int]
    used: list[Record]
    stopped: bool  # by one that surely does not count
    why: str


def _running(spec: FactSpec) -> Callable[[Gathered], _Run]:
    counts, entities = counting(spec), spec.origin in ENTITIES

    def run(found: Gathered) -> _Run:
        doubtful = {id(record) for record in found.maybe}
        merged = sorted([*found.sure, *found.maybe], key=lambda one: (one[START], one[2]))
        low = high = 0
        ends: set[int] = set()
        used: list[Record] = []
        why = DATE_ONLY
        for record in reversed(merged):
            truth, perhaps = counts(record), id(record) in doubtful
            if truth is None and not entities:
                continue
            used.append(record)
            why = UNTOLD if truth is None else why
            if truth is not True:  # here it ends, for certain or perhaps
                ends.update(range(low, high + 1))
                if truth is False and not perhaps:
                    return _Run(ends, used, stopped=True, why=why)
            if truth is not False:
                low, high = low + (not perhaps), high + 1
        ends.update(range(low, high + 1))
        return _Run(ends, used, stopped=False, why=why)

    return run


# --- days ---------------------------------------------------------------------------------------
def _days_since(spec: FactSpec, calendar: Calendar, thresholds: Thresholds | None) -> Choose:
    """Whole local days since the newest record that counts."""
    divide = dividing(spec)

    def choose(found: Gathered, at_us: int) -> Chosen:
        sure, doubt, why = divide(found.sure, found.maybe)
        if not sure:
            return Chosen(unsure(doubt[-1], why) if doubt else UNKNOWN, doubt)
        earliest = max(record[START] for record in sure)
        # What counts has happened by then, however long the span goes on that it is dated by.
        latest = max(record[END] for record in (*sure, *doubt))
        latest = max(earliest, min(latest, at_us))
        newest = sure[-1]
        days = days_between(calendar, earliest, latest, at_us, thresholds)
        return Chosen(_dated(days, newest), [newest, *doubt])

    return choose


def _dated(days: Reading, record: Record) -> Reading:
    return days._replace(time_us=began(record), event=record[EVENT], end_us=end_of(record))


def days_between(
    calendar: Calendar, lo_us: int, hi_us: int, at_us: int, thresholds: Thresholds | None
) -> Reading:
    """Whole local days from a moment between `lo_us` and `hi_us` to an instant.

    Known where all possible answers are alike; `until` is the next day that any condition tells
    apart from this one.
    """
    if abs(lo_us) >= FOREVER or abs(hi_us) >= FOREVER:
        return Reading(None, note=DATE_ONLY)
    today = calendar.day(at_us)
    few, many = (today - calendar.day(hi_us)).days, (today - calendar.day(lo_us)).days
    until = FOREVER
    for days in {few, many}:
        later = days + 1 if thresholds is None else thresholds.after(days)
        if later is not None:
            until = min(until, _midnight(calendar, at_us, later - days))
    agree = few == many or (thresholds is not None and thresholds.alike(few, many))
    return Reading(few if agree else None, None, None, None if agree else DATE_ONLY, until)


def _midnight(calendar: Calendar, at_us: int, days: int) -> int:
    try:
        return calendar.midnight(calendar.day(at_us) + days * DAY)
    except (OverflowError, ValueError):  # beyond the year 9999
        return FOREVER


# --- changes ------------------------------------------------------------------------------------
def changed(latest: Scalar, base: Scalar, spec: FactSpec) -> Scalar | None:
    """How far the latest is from the baseline; unknown where it cannot be told."""
    if isinstance(latest, str) or isinstance(base, str):
        return None
    try:
        if spec.change == "absolute":
            return number(settled(latest - base, max(latest, base, key=abs)), spec.value)
        if spec.change == "ratio":
            return number(settled(latest / base), spec.value)
        return number(risen(latest, base), spec.value)
    except (ZeroDivisionError, OverflowError):
        return None


__all__ = ["changed", "days_between", "reducer"]
