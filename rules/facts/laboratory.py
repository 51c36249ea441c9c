"""The series of one laboratory test: its newest value beside its own reference range and baseline.

Who comes in: numeric observations, one by one, where rules range over series. Who goes out: the
readings of a series. It is kept small: of older records only what a count in a row and a baseline
need; what needs more raises LogNeeded and the subject is folded anew.
A series lives in the state's JSON: [records, prefix, base, flagged].
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from enum import StrEnum
from operator import itemgetter
from typing import Any, NamedTuple

from rules.errors import LogNeeded
from rules.events import Event
from rules.facts import timeline, units
from rules.facts.calendar import Calendar, Span
from rules.facts.projections import UNKNOWN, Reading
from rules.facts.units import risen, rounded, settled
from rules.model import Code, Scalar
from rules.terms import ValueType

Record = list[Any]
START, END, N, VALUE, EVENT, LOW, HIGH = range(7)
_PLAIN = 7  # a longer record was published as the baseline itself
RECORDS, PREFIX, BASE, FLAGGED = range(4)
# Of the records that were dropped: the last one's order, the latest end, and for values above and
# below their range how many in a row surely and at most.
AFTER, LATEST, HIGHS, LOWS = range(4)
# BASE: the first infusion's span, and value, time, event and limits of the last record up to it.
# FLAGGED: the last record that was published as the baseline; it wins.
Series = list[Any]
Alike = Callable[[float, float], bool]
_ORDER = itemgetter(START, N)


class Place(StrEnum):
    """Where a record lies as seen from the baseline."""

    BEFORE = "before"
    BASELINE = "baseline"
    AFTER = "after"
    NOWHERE = "nowhere"  # dates, or the want of an infusion, leave open where


class Base(NamedTuple):
    """The baseline of a series, and the limits told with it."""

    reading: Reading
    low: float | None = None
    high: float | None = None


def record(event: Event, code: Code, calendar: Calendar) -> Record | None:
    """What an observation adds to its series; None where no number was told."""
    value: Any = event.data.get("value")
    if value is None or isinstance(value, bool | str):
        return None
    start, end = calendar.span(event.time_us, event.timeprecision)
    unit = event.data.get("unit")

    def told(number: Any) -> float | None:
        if number is None or not isinstance(unit, str) or code.unit is None:
            return number  # type: ignore[no-any-return]
        return units.convert(number, unit, code.unit, code.molar_mass)

    low, high = told(event.data.get("reference_low")), told(event.data.get("reference_high"))
    number = told(value)
    if code.value is ValueType.INTEGER and number is not None and float(number).is_integer():
        number = int(number)
    told_so = [True] if event.data.get("baseline") is True else []
    return [start, end, event.n, number, event.event, low, high, *told_so]


def put(series: Series | None, new: Record) -> Series:
    """The series with one more record. Raises LogNeeded where its neighbours were dropped."""
    if series is None:
        return [[new], None, None, new if len(new) > _PLAIN else None]
    records, prefix, base, flagged = series
    if prefix is not None and _ORDER(new) < tuple(prefix[AFTER]):
        raise LogNeeded
    if base is not None and new[START] <= base[1]:
        raise LogNeeded
    records.insert(bisect_right(records, _ORDER(new), key=_ORDER), new)
    if len(new) > _PLAIN and (flagged is None or _ORDER(flagged) < _ORDER(new)):
        series[FLAGGED] = new
    return series


def as_of(series: Series, at_us: int) -> Series | None:
    """The series as it stood at an instant; a record dated by a day counts from its beginning.

    None where there was nothing of it. Raises LogNeeded where what stood then was dropped.
    """
    records, prefix, base, _ = series
    then = [one for one in records if one[START] <= at_us]
    if not then:
        if prefix is not None:
            raise LogNeeded
        return None
    flagged = [one for one in then if len(one) > _PLAIN]
    return [then, prefix, base, flagged[-1] if flagged else _flagged_then(series, at_us)]


def _flagged_then(series: Series, at_us: int) -> Record | None:
    """The baseline that was published and whose record was dropped since."""
    flagged: Record | None = series[FLAGGED]
    return flagged if flagged is not None and flagged[START] <= at_us else None


def compact(series: Series, first: Span | None) -> None:
    """Drop the oldest records once there are many; `first`: the infusion that baselines are of."""
    records = series[RECORDS]
    if len(records) < timeline.PRUNE_EVERY:
        return
    if first is not None:
        series[BASE] = with_base(series, first)[BASE]
    prefix = series[PREFIX] or [None, 0, [0, 0], [0, 0]]
    for old in records[: -timeline.KEEP]:
        highs, lows = _more(prefix[HIGHS], _above(old)), _more(prefix[LOWS], _below(old))
        prefix = [[old[START], old[N]], max(prefix[LATEST], old[END]), highs, lows]
    series[:2] = [records[-timeline.KEEP :], prefix]


def _more(run: list[int], beyond: bool | None) -> list[int]:
    """A run at its newest end, after one more record."""
    return [run[0] + 1 if beyond else 0, 0 if beyond is False else run[1] + 1]


def _above(one: Record) -> bool | None:
    return None if one[HIGH] is None else bool(one[VALUE] > one[HIGH])


def _below(one: Record) -> bool | None:
    return None if one[LOW] is None else bool(one[VALUE] < one[LOW])


def based(series: Series, first: Span | None) -> Base:
    """The record published as the baseline, else the last one up to the first infusion.

    Unknown where dates leave open which it is. Raises LogNeeded.
    """
    records, prefix, base, flagged = series
    if flagged is not None:
        return _base(flagged)
    if first is None:
        return Base(UNKNOWN)
    if base is not None and (base[0], base[1]) == tuple(first):
        return Base(Reading(*base[2:5]), *base[5:7])
    sure = [one for one in records if one[END] <= first.start]
    if prefix is not None and (not sure or prefix[LATEST] > first.start):
        raise LogNeeded
    perhaps = [one for one in records if one[START] <= first.end and one[END] > first.start]
    if perhaps:
        values = {one[VALUE] for one in (*sure[-1:], *perhaps)}
        if not sure or len(values) > 1:
            return Base(Reading(None, perhaps[-1][START], perhaps[-1][EVENT], "date only"))
    return _base(sure[-1]) if sure else Base(UNKNOWN)


def place_of(series: Series, one: Record, first: Span | None) -> Place:
    """Where a record of the series lies. Raises LogNeeded."""
    flagged = series[FLAGGED]
    if flagged is not None:
        if one[N] == flagged[N]:
            return Place.BASELINE
        return Place.AFTER if one[START] > flagged[END] else Place.BEFORE
    if first is None:
        return Place.NOWHERE
    if one[END] <= first.start:
        base = based(series, first).reading
        own = base.value is not None and base.event == one[EVENT]
        return Place.BASELINE if own else Place.BEFORE
    return Place.AFTER if one[START] > first.end else Place.NOWHERE


def with_base(series: Series, first: Span) -> Series:
    """The same series with its baseline written down. Raises LogNeeded."""
    base = based(series, first)
    told = base.reading
    written = [*first, told.value, told.time_us, told.event, base.low, base.high]
    return [series[RECORDS], series[PREFIX], written, series[FLAGGED]]


def _base(one: Record) -> Base:
    return Base(Reading(one[VALUE], one[START], one[EVENT]), one[LOW], one[HIGH])


def readings(
    code: str, series: Series, first: Span | None, alike: Mapping[str, Alike], *, change: bool
) -> dict[str, Reading]:
    """The facts of one series; `change`: whether the one from baseline is asked for.

    Raises LogNeeded.
    """
    newest = series[RECORDS][-1]

    def of_newest(value: Scalar | None) -> Reading:
        return Reading(value, newest[START], newest[EVENT])

    found = {
        "lab": Reading(code),
        "lab_value": of_newest(newest[VALUE]),
        "lab_ratio_to_high": of_newest(_ratio(newest[VALUE], newest[HIGH])),
        "lab_ratio_to_low": of_newest(_ratio(newest[VALUE], newest[LOW])),
    }
    for name, beyond, place in (
        ("lab_high_in_a_row", _above, HIGHS),
        ("lab_low_in_a_row", _below, LOWS),
    ):
        sure, most = _run(series, beyond, place)
        known = sure == most or alike[name](sure, most)
        found[name] = of_newest(sure if known else None)
    if change and (first is not None or series[FLAGGED] is not None):
        base = based(series, first).reading.value
        found["lab_change_percent"] = of_newest(_percent(newest[VALUE], base))
    return found


def change_percent(series: Series, one: Record, first: Span | None) -> float | None:
    """How far a record after the baseline lies from it. Raises LogNeeded."""
    if place_of(series, one, first) is not Place.AFTER:
        return None
    return _percent(one[VALUE], based(series, first).reading.value)


def _run(series: Series, beyond: Callable[[Record], bool | None], place: int) -> tuple[int, int]:
    """How many of the newest in a row are beyond their range: surely, and at most."""
    sure, most, unbroken = 0, 0, True
    for one in reversed(series[RECORDS]):
        answer = beyond(one)
        if answer is False:
            return sure, most
        unbroken = unbroken and answer is True
        sure, most = sure + unbroken, most + 1
    if series[PREFIX] is not None:
        more_sure, more = series[PREFIX][place]
        sure, most = sure + (more_sure if unbroken else 0), most + more
    return sure, most


def _ratio(value: float, limit: float | None) -> float | None:
    """The value in multiples of a limit; a limit that is not above zero has none."""
    return None if limit is None or limit <= 0 else rounded(settled(value / limit))


def _percent(value: float, base: Any) -> float | None:
    """By how many percent of it a value lies above the baseline."""
    return None if base is None or base == 0 else rounded(risen(value, base))
