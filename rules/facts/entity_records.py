"""Infusions and adverse events as records, so that facts may count, sum and date them.

Who comes in: the projections of facts `from: administration` and `from: adverse_event`. Who goes
out: records as the timeline's, sorted, each with what is known of its entity for `where`.
Infusions that were not given and adverse events that were taken back never count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rules.errors import LogNeeded
from rules.facts import entities
from rules.facts.calendar import Calendar, Span
from rules.facts.entities import END, FIELDS, ORIGINS, START, Merged, Part, merge, unpack
from rules.facts.reading import Reading
from rules.facts.timeline import Record
from rules.model import FactSpec, Scalar
from rules.terms import EventType

Facts = Mapping[str, Scalar]
_READ_AS = {"number": "infusion_number", "status": "infusion_status"}


class Held(Protocol):
    """What of a subject's state is read here."""

    infusions: dict[str, list[Part]]
    adverse_events: dict[str, Any]
    first_infusion: list[int] | None


Records = Callable[[Held, int | None], list[tuple[Record, Facts]]]


def entity_records(spec: FactSpec, calendar: Calendar) -> Records:
    """Compile a fact's source: (state, as_of_us) -> [(start, end, place, value, event), facts].

    The value is that of the fact's `field`, or true. Raises LogNeeded when called.
    """
    gather = _given if spec.origin is EventType.ADMINISTRATION else _valid
    field = spec.field

    def records(state: Held, as_of_us: int | None) -> list[tuple[Record, Facts]]:
        found = sorted(gather(state, calendar, as_of_us), key=lambda one: (one[1].start, one[0]))
        made: list[tuple[Record, Facts]] = []
        for place, (_, span, readings, began) in enumerate(found):
            reading = Reading(True, None, began)
            if field is not None:
                reading = readings[_READ_AS.get(field, field)]
            facts = {n: one.value for n, one in readings.items() if one.value is not None}
            event = reading.event or began
            made.append(([span.start, span.end, place, reading.value, event], facts))
        return made

    return records


Found = tuple[str, Span, Mapping[str, Reading], str | None]


def _given(state: Held, calendar: Calendar, _as_of_us: int | None) -> list[Found]:
    found: list[Found] = []
    for name, parts in state.infusions.items():
        merged = merge(parts)
        if entities.given(merged):
            span = entities.infusion_span(merged, calendar)
            found.append((name, span, entities.infusion_readings(merged), told(merged, "start")))
    return found


def _valid(state: Held, calendar: Calendar, as_of_us: int | None) -> list[Found]:
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    found: list[Found] = []
    for name, held in state.adverse_events.items():
        parts = unpack(held)
        whole = merge(parts)
        began = entities.onset(whole, calendar)
        if entities.withdrawn(whole) or (as_of_us is not None and began.start > as_of_us):
            continue
        merged = whole if as_of_us is None else as_told(parts, as_of_us)
        readings = entities.adverse_event_readings(merged, began, first)
        found.append((name, began, readings, told(whole, "onset")))
    return found


def told(merged: Merged, name: str) -> str | None:
    """The event that tells of a field, else one that tells of anything."""
    return merged.reading(name).event or next((e for _, e in merged.origins.values()), None)


def as_told(parts: list[Part], as_of_us: int) -> Merged:
    """An adverse event as of an instant: each field as last told by then.

    What was told only later, is as first told; what a date alone leaves open, is unknown.
    Raises LogNeeded where what was told by then has been folded into what came later.
    """
    if len(parts[0]) > ORIGINS and parts[0][END] > as_of_us:
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
