"""The one record that a fact is read from: the newest or the oldest, what contradicts it, its age.

Who comes in: records in order. Who goes out: a reading, and the records it stands on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from rules.facts import units
from rules.facts.calendar import FOREVER, Calendar
from rules.facts.counting import dividing
from rules.facts.gathering import Gathered
from rules.facts.reading import (
    DATE_ONLY,
    EXPIRED,
    NO_REFERENCE,
    UNKNOWN,
    Reading,
    began,
    end_of,
    joined,
    note_of,
    read,
    unsure,
)
from rules.facts.timeline import BASELINE, END, EVENT, EXPIRES, ORDER, START, VALUE, Record
from rules.facts.windows import leaves, low_edge
from rules.model import FactSpec, Scalar
from rules.terms import Conflict, EventType, ValueType


class Chosen(NamedTuple):
    """A reading with the records that, moved by time, may change it."""

    reading: Reading
    used: list[Record]


Resolve = Callable[[list[Record]], tuple[Scalar | None, Record, str | None]]
Choose = Callable[[Gathered, int], Chosen]


def resolver(spec: FactSpec) -> Resolve:
    """What several records of one time say together, and that they differ."""
    worst = _badness(spec)

    def resolve(group: list[Record]) -> tuple[Scalar | None, Record, str | None]:
        last = group[-1]
        if len(group) == 1:
            return last[VALUE], last, note_of(last)
        known = [record for record in group if record[VALUE] is not None]
        differing = len({record[VALUE] for record in known})
        note = f"conflict: {differing} values" if differing > 1 else None
        bare = next((record for record in reversed(group) if _without_range(record)), None)
        if spec.conflict is Conflict.LAST or not known:
            value, record = last[VALUE], last
        elif bare is not None and spec.conflict in (Conflict.WORST, Conflict.MEAN):
            value, record, note = None, bare, None
        elif spec.conflict is Conflict.WORST:
            record = max(known, key=lambda one: (worst(one[VALUE]), ORDER(one)))
            value = record[VALUE]
        elif spec.conflict is Conflict.MEAN:
            mean = math.fsum(float(one[VALUE]) for one in known) / len(known)
            value, record = number(mean, spec.value), known[-1]
        else:
            value, record = _any(group)
        if value is None:
            return value, record, note or note_of(record)
        return value, record, joined(note, note_of(record))

    return resolve


def _without_range(record: Record) -> bool:
    """Whether it was measured and its multiple cannot be told: it may be the worst of all."""
    return record[VALUE] is None and note_of(record) == NO_REFERENCE


def _badness(spec: FactSpec) -> Callable[[Scalar], float]:
    if spec.worse == ("high",):
        return float
    if spec.worse == ("low",):
        return lambda value: -float(value)
    ranks = {value: rank for rank, value in enumerate(spec.worse)}
    return lambda value: ranks.get(str(value), -1)


def _any(group: list[Record]) -> tuple[Scalar | None, Record]:
    """Kleene's or, with the newest that decides it."""
    for wanted in (True, None):
        for record in reversed(group):
            if record[VALUE] is wanted:
                return wanted, record
    return group[-1][VALUE], group[-1]


def number(value: float | None, kind: ValueType) -> Scalar | None:
    """A computed number as a fact: finite, 12 significant digits, whole where it must be."""
    if value is None or not math.isfinite(value):
        return None
    told = units.rounded(value) + 0.0  # no negative zero
    if kind is ValueType.INTEGER:
        return int(told) if told.is_integer() else None
    return told


def ageing(spec: FactSpec, calendar: Calendar) -> Callable[[Record, int], tuple[str | None, int]]:
    """Why a record no longer holds at an instant, or None; and when that changes."""
    valid = spec.valid

    def age(record: Record, at_us: int) -> tuple[str | None, int]:
        expires = record[EXPIRES] if EXPIRES < len(record) <= BASELINE + 1 else None
        if expires is not None and expires <= at_us:
            return EXPIRED, FOREVER
        until = FOREVER if expires is None else expires
        if valid is None:
            return None, until
        edge = low_edge(calendar, valid, at_us)
        if record[END] < edge:
            return EXPIRED, FOREVER
        if record[START] < edge:
            return DATE_ONLY, min(until, leaves(calendar, valid, record[END]))
        return None, min(until, leaves(calendar, valid, record[START]))

    return age


def chooser(spec: FactSpec, calendar: Calendar, *, newest: bool = True) -> Choose:
    """The newest record that counts, or the oldest one with a value, as a reading.

    A record that may not count makes it unknown unless it would say the same.
    """
    divide = None if spec.where is None else dividing(spec)
    resolve, age = resolver(spec), ageing(spec, calendar)
    grouped = _newest_group if newest else _oldest_group
    doubted = newest and spec.origin is EventType.CONSENT

    def one(records: list[Record], at_us: int) -> Reading:
        value, record, note = resolve(grouped(spec, calendar, records))
        why, until = age(record, at_us)
        if why is not None:
            return unsure(record, why, until)
        return Reading(value, began(record), record[EVENT], note, until, end_of(record))

    def choose(found: Gathered, at_us: int) -> Chosen:
        sure, maybe, why = found.sure, found.maybe, DATE_ONLY
        if divide is not None:
            sure, maybe, why = divide(sure, maybe)
        if doubted:
            sure = _withdrawn_in_doubt(sure)
        if not newest:
            sure = [record for record in sure if record[VALUE] is not None]
            maybe = [record for record in maybe if record[VALUE] is not None]
        if not sure:
            if maybe:
                return Chosen(unsure(maybe[-1 if newest else 0], why), maybe)
            return Chosen(UNKNOWN, [])
        reading = one(sure, at_us)
        used = [*grouped(spec, calendar, sure), *maybe]
        for record in maybe:
            both = sorted([*sure, record], key=ORDER)
            other = one(_withdrawn_in_doubt(both) if doubted else both, at_us)
            if other.value != reading.value:
                until = min(reading.until_us, other.until_us)
                return Chosen(unsure(record, why, until), used)
        return Chosen(reading, used)

    return choose


def _withdrawn_in_doubt(records: list[Record]) -> list[Record]:
    """A withdrawal told by its day alone may have followed a consent of that day: then it did."""
    if not records or records[-1][VALUE] is not True:
        return records
    given = records[-1]
    later = [
        one
        for one in records
        if one[VALUE] is False
        and one[END] > given[START]
        and (one[START], one[END]) != (given[START], given[END])  # of one time: as they came
    ]
    return later or records


def _newest_group(spec: FactSpec, calendar: Calendar, records: list[Record]) -> list[Record]:
    last = records[-1]
    first = len(records) - 1
    while first > 0 and _of_one_time(spec, calendar, records[first - 1], last):
        first -= 1
    return records[first:]


def _oldest_group(spec: FactSpec, calendar: Calendar, records: list[Record]) -> list[Record]:
    end = 1
    while end < len(records) and _of_one_time(spec, calendar, records[end], records[0]):
        end += 1
    return records[:end]


def _of_one_time(spec: FactSpec, calendar: Calendar, one: Record, other: Record) -> bool:
    if one[START] == other[START] and one[END] == other[END]:
        return True
    if not spec.within_day:
        return False
    day = calendar.day(other[START])
    return all(calendar.day(at) == day for at in (one[START], one[END], other[END]))


def plain(record: Record, before: Record | None) -> Reading:
    """The newest as it is, and that another of the same instant differs from it."""
    reading = read(record)
    if (
        before is None
        or before[START] != record[START]
        or before[END] != record[END]
        or None in (before[VALUE], record[VALUE])
        or before[VALUE] == record[VALUE]
    ):
        return reading
    return reading._replace(note=joined("conflict: 2 values", reading.note))
