"""Infusions and adverse events as records, so that facts may count, sum and date them.

Who comes in: the projections of facts `from: administration` and `from: adverse_event`. Who goes
out: records as the timeline's, sorted, each with what is known of its entity for `where`.
Infusions that were not given and adverse events that were taken back never count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from rules.clinical import adverse
from rules.errors import LogNeeded
from rules.facts import entities
from rules.facts.calendar import FOREVER, Calendar, Span
from rules.facts.entities import END, FIELDS, ORIGINS, START, Merged, Part, merge, unpack
from rules.facts.reading import Reading
from rules.facts.timeline import Record
from rules.model import FactSpec, Reference, Scalar
from rules.terms import EventType

Facts = Mapping[str, Scalar]
ONGOING = "ae_ongoing"
_READ_AS = {"number": "infusion_number", "status": "infusion_status"}


class Held(Protocol):
    """What of a subject's state is read here."""

    infusions: dict[str, list[Part]]
    adverse_events: dict[str, Any]
    first_infusion: list[int] | None
    at_us: int


class Known(NamedTuple):
    """One adverse event as now known; a mapping of its known facts beside the readings."""

    merged: Merged
    span: Span
    gone: bool
    last_us: int  # nothing was told of it later
    event: str | None  # that tells when it began


class Seen(NamedTuple):
    """What the facts over entities look at of one."""

    readings: Mapping[str, Reading]
    facts: Facts


Records = Callable[[Held, int | None], list[tuple[Record, Facts]]]
Found = tuple[int, str, Span, Seen, str | None]  # when it began and its name, for the order


def entity_records(spec: FactSpec, calendar: Calendar) -> Records:
    """Compile a fact's source: (state, as_of_us) -> [(start, end, place, value, event), facts].

    The value is that of the fact's `field`, or true. Raises LogNeeded when called.
    """
    gather = _given if spec.origin is EventType.ADMINISTRATION else _valid
    field = None if spec.field is None else _READ_AS.get(spec.field, spec.field)

    def records(state: Held, as_of_us: int | None) -> list[tuple[Record, Facts]]:
        made: list[tuple[Record, Facts]] = []
        found = sorted(gather(state, calendar, as_of_us, spec.reference), key=_ORDER)
        for place, (_, _, span, seen, began) in enumerate(found):
            value: Scalar | None = True
            event = began
            if field is not None:
                value, _, told_by = seen.readings[field][:3]
                event = told_by or began
            made.append(([span.start, span.end, place, value, event], seen.facts))
        return made

    return records


_ORDER = itemgetter(0, 1)


def _given(
    state: Held, calendar: Calendar, _as_of_us: int | None, _reference: Reference
) -> list[Found]:
    found: list[Found] = []
    for name, parts in state.infusions.items():
        merged = merge(parts)
        if entities.given(merged):
            span = entities.infusion_span(merged, calendar)
            seen = _seen(entities.infusion_readings(merged))
            found.append((span.start, name, span, seen, told(merged, "start")))
    return found


def _valid(
    state: Held, calendar: Calendar, as_of_us: int | None, reference: Reference
) -> list[Found]:
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    at_us = state.at_us if as_of_us is None else as_of_us
    found: list[Found] = []
    for name, held in state.adverse_events.items():
        known = adverse_event(held, calendar)
        if known.gone or (as_of_us is not None and known.span.start > as_of_us):
            continue
        if as_of_us is not None and known.last_us > as_of_us:
            merged = as_told(unpack(held), as_of_us)
            seen = _facts_of(merged, known.span, first, reference, calendar)
            goes_on = _went_on(merged, as_of_us, calendar)
        elif isinstance(held, str):
            seen = _kept_facts(held, first, reference, calendar)
            goes_on = _end_ahead_us(known.merged, at_us, calendar) is not None
        else:
            seen = _facts_of(known.merged, known.span, first, reference, calendar)
            goes_on = _end_ahead_us(known.merged, at_us, calendar) is not None
        if goes_on:
            seen = _seen({**seen.readings, ONGOING: Reading(True, known.span.start)})
        found.append((known.span.start, name, known.span, seen, known.event))
    return found


def adverse_event(held: str | list[Part], calendar: Calendar) -> Known:
    """One adverse event as now known; the same text is read once."""
    return _kept(held, calendar) if isinstance(held, str) else _known(held, calendar)


def _known(parts: list[Part], calendar: Calendar) -> Known:
    merged = merge(parts)
    span = entities.onset(merged, calendar)
    gone, last_us = entities.withdrawn(merged), entities.last_told(parts)
    return Known(merged, span, gone, last_us, told(merged, "onset"))


@lru_cache(maxsize=2048)
def _kept(text: str, calendar: Calendar) -> Known:
    return _known(unpack(text), calendar)


@lru_cache(maxsize=2048)
def _kept_facts(text: str, first: Span | None, reference: Reference, calendar: Calendar) -> Seen:
    known = _kept(text, calendar)
    return _facts_of(known.merged, known.span, first, reference, calendar)


def _facts_of(
    merged: Merged, span: Span, first: Span | None, reference: Reference, calendar: Calendar
) -> Seen:
    return _seen(entities.adverse_event_readings(merged, span, first, reference, calendar))


def _seen(readings: Mapping[str, Reading]) -> Seen:
    return Seen(readings, {n: one.value for n, one in readings.items() if one.value is not None})


def own_facts(merged: Merged, reference: Reference, calendar: Calendar) -> Facts:
    """What is known of an adverse event itself, whatever else is known of its subject."""
    return _facts_of(merged, entities.onset(merged, calendar), None, reference, calendar).facts


def _went_on(merged: Merged, as_of_us: int, calendar: Calendar) -> bool:
    """Whether an adverse event that is over now was not at an instant.

    A report made later says when it ended; without that it had ended when the report was made.
    """
    then = {
        name: merged.values[name]
        for name, (told_us, _) in merged.origins.items()
        if told_us <= as_of_us
    }
    if not adverse.is_ongoing(then):
        return False
    resolved = merged.values.get("resolved")
    return resolved is None or calendar.parse(str(resolved)).end > as_of_us


def _end_ahead_us(merged: Merged, at_us: int, calendar: Calendar) -> int | None:
    """When an adverse event ends that was told ahead of that day to end on it; None: it did.

    Many tell of an event once, at its onset, with the day on which it ended.
    """
    resolved = merged.values.get("resolved")
    if resolved is None:
        return None
    ended, (told_us, _) = calendar.parse(str(resolved)), merged.origins["resolved"]
    return ended.end if told_us < ended.start and at_us < ended.end else None


def next_end_us(state: Held, calendar: Calendar) -> int:
    """When time alone next ends an adverse event."""
    known = [adverse_event(held, calendar) for held in state.adverse_events.values()]
    ends = [_end_ahead_us(one.merged, state.at_us, calendar) for one in known if not one.gone]
    return min((end for end in ends if end is not None), default=FOREVER)


def told(merged: Merged, name: str) -> str | None:
    """The event that tells of a field, else one that tells of anything."""
    return merged.reading(name).event or next((e for _, e in merged.origins.values()), None)


def as_told(parts: list[Part], as_of_us: int) -> Merged:
    """An adverse event as of an instant: each field as last told by then.

    What was told only later, is as first told; what a date alone leaves open, is unknown.
    Raises LogNeeded where what was told by then has been folded into what came later.
    """
    if len(parts[0]) > ORIGINS and parts[0][ORIGINS]["@last"] > as_of_us:
        raise LogNeeded
    by_then = [part for part in parts if part[END] <= as_of_us]
    perhaps = [part for part in parts if part[START] <= as_of_us < part[END]]
    later = [part for part in parts if part[START] > as_of_us]
    whole = merge(parts)
    sure = merge(by_then) if by_then else Merged({}, {}, whole.first)
    open_ones = merge(perhaps) if perhaps else Merged({}, {}, whole.first)
    values, origins = dict(sure.values), dict(sure.origins)
    for name, value in open_ones.values.items():
        if name not in values or values[name] != value:
            values[name], origins[name] = None, open_ones.origins[name]
    for part in later:
        for name, value in part[FIELDS].items():
            if name not in values:
                values[name], origins[name] = value, (part[START], part[3])
    return Merged(values, origins, whole.first)
