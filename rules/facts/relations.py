"""Another entity that a rule about one may speak of: the infusion before an adverse event.

Who comes in: the subject's rooms, with the entity's own span and all entities of the other kind.
Who goes out: readings, named after the relation. Spans that say too little to tell which entity is
meant make a fact unknown, unless all that may be meant agree in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rules.facts.calendar import EXACT_US, HOUR_US, Calendar, Span, add_calendar
from rules.facts.projections import INEXACT, UNKNOWN, Reading
from rules.language.vocabulary import related_fact
from rules.model import Relation, Window
from rules.terms import Relate, Scope

FIELDS: Mapping[Scope, tuple[str, ...]] = {
    Scope.INFUSION: ("number", "status", "dose"),
    Scope.ADVERSE_EVENT: ("grade", "serious", "causality"),
}
SINCE, SINCE_END, DURING = "hours_since", "hours_since_end", "during"
# The numbers and truths that a relation tells besides the other entity's own.
BETWEEN: Mapping[Scope, tuple[str, ...]] = {
    Scope.INFUSION: (SINCE, SINCE_END, DURING),
    Scope.ADVERSE_EVENT: (SINCE,),
}
HOURS = (SINCE, SINCE_END)
Alike = Callable[[float, float], bool]  # whether no condition tells the numbers from..to apart


class Other(NamedTuple):
    """One entity that a relation may mean."""

    name: str
    span: Span
    readings: Mapping[str, Reading]
    event: str | None  # that tells when it was
    ended: Span | None = None  # when an infusion ended; None: not told


def related(
    relation: Relation,
    own: Span,
    others: Sequence[Other],
    calendar: Calendar,
    alike: Mapping[str, Alike],
) -> dict[str, Reading]:
    """Every fact of the relation for an entity of that span."""
    meant = _meant(relation, own, others, calendar)
    result = {
        related_fact(relation.name, field): _agreed([other.readings[field] for other in meant])
        for field in FIELDS[relation.to]
    }
    since = related_fact(relation.name, SINCE)
    result[since] = _hours(relation, own, meant, alike[since])
    if relation.to is Scope.INFUSION:
        end = related_fact(relation.name, SINCE_END)
        result[end] = _hours_since_end(own, meant, alike[end])
        result[related_fact(relation.name, DURING)] = _during(own, meant)
    return result


def _meant(
    relation: Relation, own: Span, others: Sequence[Other], calendar: Calendar
) -> list[Other]:
    """All that may be meant; empty where it may be none."""
    near = _before if relation.take is Relate.LAST_BEFORE else _after
    possible = [(one, near(relation.within, own, one.span, calendar)) for one in others]
    sure = [one for one, way in possible if way is True]
    if not sure:
        return []
    sign = 1 if relation.take is Relate.LAST_BEFORE else -1
    return [
        one
        for one, way in possible
        if way is not False and not any(_nearer(other, one, sign) for other in sure)
    ]


def _nearer(other: Other, one: Other, sign: int) -> bool:
    """Whether `other` surely lies nearer; of two at one instant the name decides."""
    if other.span == one.span and one.span.start == one.span.end:
        return (other.name > one.name) == (sign > 0) and other.name != one.name
    if sign > 0:
        return other.span.start > one.span.end
    return other.span.end < one.span.start


def _before(within: Window | None, own: Span, other: Span, calendar: Calendar) -> bool | None:
    """Whether it began at or before; None: perhaps."""
    if other.start > own.end:
        return False
    sure = other.end <= own.start
    if within is None:
        return sure or None
    if other.end < _earliest(within, own.start, calendar):
        return False
    return (sure and other.start >= _earliest(within, own.end, calendar)) or None


def _after(within: Window | None, own: Span, other: Span, calendar: Calendar) -> bool | None:
    """Whether it began after; None: perhaps."""
    if other.end <= own.start:
        return False
    sure = other.start > own.end
    if within is None:
        return sure or None
    if other.start > _latest(within, own.end, calendar):
        return False
    return (sure and other.end <= _latest(within, own.start, calendar)) or None


def _length(within: Window) -> float:
    return abs(within.low or within.high or 0)


def _earliest(within: Window, at_us: int, calendar: Calendar) -> int:
    if within.unit.exact:
        return at_us - int(_length(within) * EXACT_US[within.unit])
    day = add_calendar(calendar.day(at_us), within.unit, -int(_length(within)))
    return calendar.midnight(day)


def _latest(within: Window, at_us: int, calendar: Calendar) -> int:
    if within.unit.exact:
        return at_us + int(_length(within) * EXACT_US[within.unit])
    return calendar.end_of_day(add_calendar(calendar.day(at_us), within.unit, int(_length(within))))


def moved_from(relation: Relation, changed_us: int, calendar: Calendar) -> int | None:
    """From which moment on entities may relate otherwise once something at an instant changed.

    None: any. The other entity lies before (`last_before`) or up to `within` after them.
    """
    if relation.take is Relate.LAST_BEFORE:
        return changed_us
    if relation.within is None:
        return None
    return _earliest(relation.within, changed_us, calendar)


def _agreed(readings: Sequence[Reading]) -> Reading:
    if not readings:
        return UNKNOWN
    first = readings[0]
    if all(one.value == first.value for one in readings):
        return first
    return Reading(None, first.time_us, first.event, "date only")


def _hours(relation: Relation, own: Span, meant: Sequence[Other], alike: Alike) -> Reading:
    """From its start to the entity's own time; negative where it began after."""
    if not meant:
        return UNKNOWN
    low = min(own.start - one.span.end for one in meant)
    high = max(own.end - one.span.start for one in meant)
    if relation.take is Relate.LAST_BEFORE:
        low = max(low, 0)
    else:
        high = min(high, 0)
    fewest, most = _rounded(low / HOUR_US), _rounded(high / HOUR_US)
    time_us, event = meant[0].span.start, meant[0].event
    if fewest == most:
        return Reading(fewest, time_us, event)
    if alike(fewest, most):
        return Reading(fewest, time_us, event, INEXACT)
    return Reading(None, time_us, event, "date only")


def _hours_since_end(own: Span, meant: Sequence[Other], alike: Alike) -> Reading:
    """From its end to the entity's own time, negative before that; unknown where none was told."""
    ends = [one.ended for one in meant if one.ended is not None]
    if not meant or len(ends) < len(meant):
        return UNKNOWN
    fewest = _rounded(min(own.start - end.end for end in ends) / HOUR_US)
    most = _rounded(max(own.end - end.start for end in ends) / HOUR_US)
    time_us, event = ends[0].start, meant[0].event
    if fewest == most or alike(fewest, most):
        return Reading(fewest, time_us, event, None if fewest == most else INEXACT)
    return Reading(None, time_us, event, "date only")


def _during(own: Span, meant: Sequence[Other]) -> Reading:
    """Whether the entity began while it ran, both ends included."""
    answers = {_ran(own, one) for one in meant}
    if not meant:
        return UNKNOWN
    time_us, event = meant[0].span.start, meant[0].event
    if len(answers) == 1 and None not in answers:
        return Reading(answers.pop(), time_us, event)
    note = None if any(one.ended is None for one in meant) else "date only"
    return Reading(None, time_us, event, note)


def _ran(own: Span, other: Other) -> bool | None:
    """Unknown where the dates leave it open, or no end was told."""
    if own.end < other.span.start:
        return False
    if other.ended is None:
        return None
    if own.start > other.ended.end:
        return False
    return (own.start >= other.span.end and own.end <= other.ended.start) or None


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")
