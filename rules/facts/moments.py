"""Anchors: when the subject was screened, consented, enrolled, infused, died; when a fact was told.

Who comes in: projections, with the name of an anchor. Who goes out: Moment.
As of an instant, what happened later has not happened; what is dated by a span that holds the
instant has not surely happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rules.facts import entities
from rules.facts.calendar import Calendar, Span
from rules.facts.entities import EVENT, Part, merge
from rules.facts.reading import Projection
from rules.facts.timeline import Held, Timeline
from rules.facts.windows import NEVER, Moment

Moments = Callable[[Timeline, int | None, int], Moment]
CONSENT = "@consent"  # the fact behind the anchor `consent`
EVENTS: Mapping[str, str] = {  # which events move an anchor
    "screening": "@enrolment",
    "enrolment": "@enrolment",
    "death": "@death",
    "first_infusion": "@administration",
    "last_infusion": "@administration",
}
Dated = tuple[Span, str]  # with the event


def moved_by(anchor: str) -> str | None:
    """The kind of event that moves an anchor; None where it is a fact."""
    if anchor.startswith("infusion_"):
        return "@administration"
    return EVENTS.get(anchor)


def fact_of(anchor: str) -> str | None:
    """The fact whose record's time the anchor is; None where it is none."""
    if anchor == "consent":
        return CONSENT
    return anchor if moved_by(anchor) is None else None


def moment(anchor: str, calendar: Calendar, read: Mapping[str, Projection]) -> Moments:
    """Compile an anchor; `read` may be filled later."""
    fact = fact_of(anchor)
    if fact is not None:
        return _of_fact(fact, read)
    if anchor in ("first_infusion", "last_infusion"):
        return _of_infusions(calendar, last=anchor == "last_infusion")
    if anchor == "death":
        return _of_parts(lambda held: held.deaths[:1])
    if anchor == "enrolment":
        return _of_parts(lambda held: [entities.enrolled_part(held.enrolment)])
    if anchor == "screening":
        return _of_parts(lambda held: [screened_part(held.enrolment)])
    return _of_infusion(anchor.removeprefix("infusion_"), calendar)


def screened_part(parts: Iterable[Part]) -> Part | None:
    """Where screening began; who is enrolled was screened."""
    words = ("screened", "enrolled")
    return next((part for part in parts if part[entities.FIELDS].get("status") in words), None)


def _of_fact(name: str, read: Mapping[str, Projection]) -> Moments:
    def find(timeline: Timeline, as_of_us: int | None, now_us: int) -> Moment:
        reading = read[name](timeline, as_of_us, now_us)
        start = reading.time_us
        if reading.value is None or start is None:
            return Moment(None, None, reading.until_us)
        end = start if reading.end_us is None else reading.end_us
        return Moment(start, end, reading.until_us, reading.event)

    return find


def _of_parts(choose: Callable[[Held], Iterable[Part | None]]) -> Moments:
    def find(timeline: Timeline, as_of_us: int | None, _now_us: int) -> Moment:
        if timeline.state is None:
            return NEVER
        found = next((part for part in choose(timeline.state) if part is not None), None)
        if found is None:
            return NEVER
        return _one((Span(found[0], found[1]), found[EVENT]), as_of_us)

    return find


def _one(dated: Dated, as_of_us: int | None) -> Moment:
    span, event = dated
    if as_of_us is not None and span.end > as_of_us:
        return NEVER
    return Moment(span.start, span.end, event=event)


def infusions(held: Held, calendar: Calendar) -> dict[str, Dated]:
    """When each infusion that was given began."""
    result: dict[str, Dated] = {}
    for name, parts in held.infusions.items():
        merged = merge(parts)
        if entities.given(merged):
            result[name] = (entities.infusion_span(merged, calendar), parts[-1][EVENT])
    return result


def _of_infusion(name: str, calendar: Calendar) -> Moments:
    def find(timeline: Timeline, as_of_us: int | None, _now_us: int) -> Moment:
        parts = timeline.state.infusions.get(name) if timeline.state is not None else None
        if not parts:
            return NEVER
        merged = merge(parts)
        if not entities.given(merged):
            return NEVER
        return _one((entities.infusion_span(merged, calendar), parts[-1][EVENT]), as_of_us)

    return find


def _of_infusions(calendar: Calendar, *, last: bool) -> Moments:
    def find(timeline: Timeline, as_of_us: int | None, _now_us: int) -> Moment:
        if timeline.state is None:
            return NEVER
        dated = infusions(timeline.state, calendar).values()
        by_then = [one for one in dated if as_of_us is None or one[0].start <= as_of_us]
        sure = [one for one in by_then if as_of_us is None or one[0].end <= as_of_us]
        return _outermost(by_then, sure, last=last) if sure else NEVER

    return find


def _outermost(some: list[Dated], sure: list[Dated], *, last: bool) -> Moment:
    """The first or last of several spans: itself a span, where they overlap."""
    if last:
        chosen = max(sure)
        return Moment(chosen[0].start, max(span.end for span, _ in some), event=chosen[1])
    chosen = min(sure)
    return Moment(
        min(span.start for span, _ in some), min(span.end for span, _ in sure), event=chosen[1]
    )
