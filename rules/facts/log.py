"""The log as it is to be read: corrections and discards applied.

Who comes in: step and replay, with all events of a stream. Who goes out: the events that count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from rules.events import Event
from rules.facts.calendar import to_us

_REPAIRS = frozenset({"correction", "discard"})
Name = tuple[str, str]  # source, id


def target(event: Event) -> Name | None:
    """What a correction corrects."""
    named: Any = event.data.get("corrects")
    return (str(named["source"]), str(named["id"])) if isinstance(named, dict) else None


def effective(events: Iterable[Event]) -> list[Event]:
    """The events that count, as they count, in order of their numbers.

    The last received correction of a target wins, also one of a correction; one whose target
    is not here yet waits.
    """
    log = sorted(events, key=lambda event: event.n)
    gone = {event.data.get("discards") for event in log if event.type == "discard"}
    kept = [event for event in log if event.event not in gone]
    winning: dict[Name, Event] = {}
    for event in reversed(kept):
        if event.type == "correction":
            standing = corrected(event, winning.get((event.source, event.id)))
            name = target(standing) if standing is not None else None
            if standing is not None and name is not None:
                winning.setdefault(name, standing)
    result = (corrected(event, winning.get((event.source, event.id))) for event in kept)
    return [event for event in result if event is not None and event.type not in _REPAIRS]


def corrected(event: Event, correction: Event | None) -> Event | None:
    """The event as corrected; None where it was entered in error."""
    if correction is None:
        return event
    data = correction.data
    if data.get("entered_in_error") is True:
        return None
    whole: Any = data.get("data")
    if isinstance(whole, dict):
        event = replace(event, data=whole)
    if data.get("time") is not None:
        precision = str(data.get("timeprecision") or event.timeprecision)
        event = replace(event, time_us=_instant(data["time"]), timeprecision=precision)
    return event


def _instant(time: Any) -> int:
    return time if isinstance(time, int) else to_us(datetime.fromisoformat(time))


def waiting(events: Sequence[Event]) -> dict[str, int]:
    """The targets that corrections name and the log does not hold yet."""
    here = {(event.source, event.id) for event in events}
    named = {target(event) for event in events if event.type == "correction"}
    return {waiting_key(name): 1 for name in sorted(n for n in named if n and n not in here)}


def waiting_key(name: Name) -> str:
    """One text for a source and an id."""
    return f"{name[0]}\x1f{name[1]}"
