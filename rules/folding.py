"""One event put into a subject's state, and what it touched; or the whole log put in anew.

Who comes in: the subject's fold. Who goes out: Dirty, which says what must be judged again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rules.errors import LogNeeded
from rules.events import Event
from rules.facts import dosing, entities, entity_records, knowing, laboratory, visits
from rules.facts.calendar import FOREVER, Span
from rules.facts.log import effective, waiting, waiting_key
from rules.facts.sources import Source
from rules.facts.timeline import START, Record, Timeline
from rules.facts.touches import drop_settled, reach
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import EventType, Scope

_ADMINISTRATION = EventType.ADMINISTRATION.value
_REFOLDS = frozenset({EventType.CORRECTION.value, EventType.DISCARD.value})


@dataclass
class Dirty:
    """What an event or an instant touched. `earliest_us`: anchors from there on may see it."""

    everything: bool = False
    facts: dict[str, None] = field(default_factory=dict)  # live ones
    sources: list[Source] = field(default_factory=list)
    earliest_us: int = FOREVER
    enrolment: bool = False
    status: bool = False  # enrolment, death or infusions: what rules know beside facts
    overrides: bool = False
    death: bool = False
    infusions: set[str] = field(default_factory=set)
    adverse_events: set[str] = field(default_factory=set)
    sums: bool = False
    moved: dict[Scope, int] = field(default_factory=dict)  # since when relations may mean others
    series: set[str] = field(default_factory=set)  # laboratory codes
    visits: bool = False
    first_infusion: bool = False  # it is another one, or lies elsewhere

    def since(self, instant_us: int) -> None:
        """Note that anchors from this instant on may see it."""
        self.earliest_us = min(self.earliest_us, instant_us)

    def move(self, scope: Scope, instant_us: int) -> None:
        """Note that an entity of the scope lies, or lay, at this instant."""
        self.moved[scope] = min(self.moved.get(scope, FOREVER), instant_us)


def whole(state: SubjectState, event: Event | None, passed: Mapping[str, None]) -> Dirty:
    """Everything, and of it what the event itself speaks of or time has passed over.

    So a finding ends for the same reason (cleared or superseded) as if the event had been put in.
    """
    dirty = Dirty(everything=True, facts=dict(passed))
    if event is None:
        return dirty
    if event.type == EventType.ADVERSE_EVENT.value:
        dirty.adverse_events |= {str(event.data["ae"])} & state.adverse_events.keys()
    elif event.type == EventType.ADMINISTRATION.value:
        dirty.infusions |= {entities.infusion_name(event)} & state.infusions.keys()
    else:
        dirty.enrolment = event.type == EventType.ENROLMENT.value
    return dirty


def absorb(plan: Plan, state: SubjectState, timeline: Timeline, event: Event) -> Dirty:
    """Put one event in. Raises LogNeeded where only the whole log can tell."""
    kind = event.type
    if kind in _REFOLDS or (
        state.waiting and waiting_key((event.source, event.id)) in state.waiting
    ):
        raise LogNeeded
    dirty = Dirty()
    if kind in entities.ENTITY_TYPES:
        _absorb_entity(plan, state, event, dirty)
        return dirty
    _absorb_ranged(plan, state, event, dirty)
    for source, record in plan.reader.records(event):
        timeline.insert(source, record)
        dirty.sources.append(source)
        dirty.facts.update(dict.fromkeys(plan.readers_of.get(source.key, ())))
        dirty.since(_earliest(plan, timeline, source, record))
    return dirty


def _absorb_ranged(plan: Plan, state: SubjectState, event: Event, dirty: Dirty) -> None:
    """What visits and laboratory series keep of an event."""
    code = event.data.get("code")
    if event.type == EventType.PROCEDURE.value and code in plan.ranges.visit_codes:
        told = visits.told(event, plan.calendar)
        state.visits[str(code)] = visits.latest(state.visits.get(str(code)), told)
        dirty.visits = True
    elif event.type == EventType.OBSERVATION.value and code in plan.ranges.series:
        declared = plan.definition.codes[EventType.OBSERVATION, str(code)]
        record = laboratory.record(event, declared, plan.calendar)
        if record is not None:
            series = state.laboratory.get(str(code))
            state.laboratory[str(code)] = laboratory.put(series, record)
            dirty.series.add(str(code))


def _earliest(plan: Plan, timeline: Timeline, source: Source, record: Record) -> int:
    """The first anchor that may see a record; windows of conditions count whole local days."""
    if source.origin is EventType.DEMOGRAPHICS:
        return -FOREVER
    if source.touches:
        dropped = source.key in timeline.low
        earliest = reach(timeline.records[source.key], record, dropped=dropped)
        if earliest == -FOREVER:
            return earliest
        return plan.calendar.midnight(plan.calendar.day(earliest))
    return record[START]  # type: ignore[no-any-return]


def _absorb_entity(plan: Plan, state: SubjectState, event: Event, dirty: Dirty) -> None:
    part = entities.part(event, plan.calendar)
    if (product := plan.definition.product) is not None and event.type == _ADMINISTRATION:
        part[entities.FIELDS] = dosing.in_product_unit(part[entities.FIELDS], product)
    dirty.facts.update(dict.fromkeys(plan.readers_of.get(f"@{event.type}", ())))
    if event.type == EventType.ADVERSE_EVENT.value:
        name = str(event.data["ae"])
        parts = entities.unpack(state.adverse_events.get(name, []))
        before = _onset(plan, parts)
        known = entities.merge(parts).values if parts and plan.clocks else {}
        entities.put(parts, part)
        if plan.clocks:
            _know(plan, state, event, known, parts)
        state.adverse_events[name] = parts
        dirty.adverse_events.add(name)
        first = min(before, _onset(plan, parts))
        dirty.move(Scope.ADVERSE_EVENT, first)
        if plan.ranges.events_are_facts:
            dirty.since(first)
        return
    dirty.since(part[entities.START])
    if event.type == EventType.OVERRIDE.value:
        entities.put(state.overrides.setdefault(str(event.data["criterion"]), []), part)
        dirty.overrides = True
        return
    dirty.status = True
    if event.type == EventType.ADMINISTRATION.value:
        name = entities.infusion_name(event)
        held = state.infusions.setdefault(name, [])
        starts = [_infusion_start(plan, held)] if held else []
        entities.put(held, part)
        first = min(*starts, _infusion_start(plan, held), FOREVER)
        dirty.since(first)
        dirty.move(Scope.INFUSION, first)
        dirty.infusions.add(name)
    elif event.type == EventType.DEATH.value:
        entities.put(state.deaths, part)
        dirty.death = True
    else:
        entities.put(state.enrolment, part)
        dirty.enrolment = True


def _know(
    plan: Plan,
    state: SubjectState,
    event: Event,
    before: Mapping[str, Any],
    parts: list[entities.Part],
) -> None:
    """Keep what an event made known of an adverse event: by it reports are due."""
    name = str(event.data["ae"])
    merged = entities.merge(parts)
    telling = knowing.Telling(
        event.n,
        event.event,
        event.received_us,
        entities.told_by(event),
        before,
        merged.values,
        entity_records.own_facts(merged, plan.definition.reference, plan.calendar),
        _then(plan, event, parts),
        opens=parts[0][entities.N] == event.n,
    )
    held = state.knowing.get(name)
    record = knowing.begin(telling) if held is None else knowing.unpack(held)
    knowing.know(record, plan.clocks, telling, plan.calendar)
    state.knowing[name] = record


def _then(plan: Plan, event: Event, parts: list[entities.Part]) -> list[knowing.Then]:
    """How an adverse event was at each time told of, from that of an event that came late."""
    if parts[-1][entities.N] == event.n:
        return []
    place = next(k for k, part in enumerate(parts) if part[entities.N] == event.n)
    reference, calendar = plan.definition.reference, plan.calendar
    found = []
    for upto, part in enumerate(parts[place:], start=place + 1):
        merged = entities.merge(parts[:upto])
        speaks = knowing.speaks(part[entities.FIELDS])
        facts = entity_records.own_facts(merged, reference, calendar)
        here = (part[entities.EVENT], part[entities.N], part[entities.START])
        found.append(knowing.Then(*here, speaks, merged.values, facts))
    return found


def _onset(plan: Plan, parts: list[entities.Part]) -> int:
    """When an adverse event began at the earliest; asked only where others look at it."""
    ranges = plan.ranges
    if not parts or not (ranges.events_are_facts or Scope.ADVERSE_EVENT in ranges.follows):
        return FOREVER
    return entities.onset(entities.merge(parts), plan.calendar).start


def _infusion_start(plan: Plan, parts: list[entities.Part]) -> int:
    return entities.infusion_span(entities.merge(parts), plan.calendar).start


def refold(
    plan: Plan, state: SubjectState, log: Sequence[Event]
) -> tuple[Timeline, Sequence[Event]]:
    """Put the whole log in anew, keeping what was said before.

    The timeline keeps everything; beside it, the corrections that do not fit their targets.
    """
    state.version = plan.version
    state.records, state.low, state.kept = {}, {}, {}
    state.enrolment, state.deaths, state.overrides = [], [], {}
    state.infusions, state.adverse_events = {}, {}
    state.waiting = {}
    state.live, state.until, state.fixed, state.fixed_at_us = {}, {}, None, None
    state.inexact = {}
    state.first_infusion, state.endpoints, state.asked = None, {}, {}
    state.knowing, state.clocks = {}, {}
    state.last_onset_us, state.among, state.laboratory, state.visits = -1, {}, {}, {}
    timeline = state.timeline()
    counting = effective(log, plan.calendar, plan.protocol.checker)
    for event in counting.events:
        absorb(plan, state, timeline, event)
    state.waiting = waiting(log)
    return timeline, counting.unfit


def compact(plan: Plan, state: SubjectState, timeline: Timeline, dirty: Dirty) -> None:
    """Drop what no later step can need."""
    touched = plan.reader.sources.values() if dirty.everything else dirty.sources
    for source in touched:
        settled = partial(drop_settled, now_us=state.at_us)
        plan.pruner.prune(timeline, source.key, settled, state.at_us, force=dirty.everything)
    first = None if state.first_infusion is None else Span(*state.first_infusion)
    for name in state.laboratory if dirty.everything else dirty.series:
        laboratory.compact(state.laboratory[name], first)
    for name in state.infusions if dirty.everything else dirty.infusions:
        entities.collapse(state.infusions[name])
    for name in state.adverse_events if dirty.everything else dirty.adverse_events:
        parts = state.adverse_events[name]
        if isinstance(parts, list):
            entities.collapse(parts)
            state.adverse_events[name] = entities.pack(parts)
        if name in state.knowing:
            state.knowing[name] = knowing.pack(state.knowing[name])
