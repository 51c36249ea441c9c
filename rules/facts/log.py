"""The log as it is to be read: corrections and discards applied.

Who comes in: step and replay, with all events of a stream. Who goes out: the events that count,
and the corrections that cannot be applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from rules.events import Event
from rules.facts.calendar import Calendar, to_us

_CORRECTION, _OVERRIDE = "correction", "override"
_REPAIRS = frozenset({_CORRECTION, "discard"})
Name = tuple[str, str]  # source, id
WAITING_SEPARATOR = "\x1f"


class Checker(Protocol):
    """What the protocol says about data; language's EventChecker is one."""

    def check(
        self, kind: str, data: Any, time_us: int, source: str = ""
    ) -> tuple[dict[str, Any], list[Any]]:
        """(canonical data, problems); `source` is who sent the data."""


class Effective(NamedTuple):
    """The events that count, in order of their numbers; and what would count if it fitted."""

    events: list[Event]
    unfit: list[Event]  # corrections that do not fit what they correct


def target(event: Event) -> Name | None:
    """What a correction corrects."""
    named: Any = event.data.get("corrects")
    return (str(named["source"]), str(named["id"])) if isinstance(named, dict) else None


def effective(events: Iterable[Event], calendar: Calendar, checker: Checker) -> Effective:
    """The events that count, as they count.

    The last received correction of a target wins. One that is itself entered in error corrects
    nothing. One whose target is not here yet waits; nobody at the door could judge it, so all are
    judged here.
    """
    log = sorted(events, key=lambda event: event.n)
    gone = {event.data.get("discards") for event in log if event.type == "discard"}
    kept = [event for event in log if event.event not in gone]
    by_name = {(event.source, event.id): event for event in kept}
    correctors: dict[Name, list[Event]] = {}
    for event in kept:
        name = target(event) if event.type == _CORRECTION else None
        if name is not None and name != (event.source, event.id):
            correctors.setdefault(name, []).append(event)
    standing = _standing(correctors, by_name)
    result: list[Event] = []
    unfit: list[Event] = []
    for event in kept:
        candidates = correctors.get((event.source, event.id), ())
        stands = [one for one in candidates if (one.source, one.id) in standing]
        whole, useless = _apply(event, stands, calendar, checker)
        unfit += useless
        if whole is not None and event.type not in _REPAIRS:
            result.append(whole)
    return Effective(result, unfit)


def _standing(
    correctors: Mapping[Name, Sequence[Event]], by_name: Mapping[Name, Event]
) -> set[Name]:
    """The corrections that were not taken back, however long the chain and in whatever order.

    Of those that take one another back in a circle none is here; they correct nothing else.
    """
    target_of = {
        (event.source, event.id): name for name, several in correctors.items() for event in several
    }
    undecided = {name: len(correctors.get(name, ())) for name in target_of}
    free = [name for name, count in undecided.items() if count == 0]
    taken_back: set[Name] = set()
    standing: set[Name] = set()
    while free:
        name = free.pop()
        above = target_of[name]
        if name not in taken_back:
            standing.add(name)
            if by_name[name].data.get("entered_in_error") is True:
                taken_back.add(above)
        if above in undecided:
            undecided[above] -= 1
            if undecided[above] == 0:
                free.append(above)
    return standing


def _apply(
    event: Event, stands: Sequence[Event], calendar: Calendar, checker: Checker
) -> tuple[Event | None, list[Event]]:
    """The event as its last fitting correction has it; later ones that do not fit."""
    unfit: list[Event] = []
    for correction in reversed(stands):
        if correction.data.get("entered_in_error") is True:
            return None, unfit
        data = _fitting(event, correction, checker)
        if data is not None:
            return _corrected(event, correction, data, calendar), unfit
        unfit.append(correction)
    return event, unfit


def _fitting(event: Event, correction: Event, checker: Checker) -> Mapping[str, object] | None:
    """The event's data after the correction; None where the one does not fit the other."""
    if event.type == _CORRECTION:
        return None
    if event.type == _OVERRIDE and correction.n < event.n:
        return None  # nobody knew then that a clinician's key was needed
    whole: Any = correction.data.get("data")
    if whole is None:
        return event.data
    data, problems = checker.check(event.type, whole, event.time_us, correction.source)
    return None if problems else data


def _corrected(
    event: Event, correction: Event, data: Mapping[str, object], calendar: Calendar
) -> Event:
    """The event with other data and, if one is told, another time.

    A time that begins no span of the event's precision tells more than a date: it is exact.
    """
    time: Any = correction.data.get("time")
    if time is None:
        return replace(event, data=data)
    time_us = time if isinstance(time, int) else to_us(datetime.fromisoformat(time))
    begins = calendar.begins(time_us, event.timeprecision)
    precision = event.timeprecision if begins else "second"
    return replace(event, data=data, time_us=time_us, timeprecision=precision)


def waiting(events: Sequence[Event]) -> dict[str, int]:
    """The targets that corrections name and the log does not hold yet."""
    here = {(event.source, event.id) for event in events}
    named = {target(event) for event in events if event.type == _CORRECTION}
    return {waiting_key(name): 1 for name in sorted(n for n in named if n and n not in here)}


def waiting_key(name: Name) -> str:
    """One text for a source and an id."""
    return f"{name[0]}{WAITING_SEPARATOR}{name[1]}"
