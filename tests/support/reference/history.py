"""The log as it is to be read: corrections and discards, by the contract's words.

"An unknown target is accepted and waits; the last received correction of a target wins." One that
was taken back corrects nothing; one that does not fit what it corrects is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import rules
from tests.support.reference import moments

Event = rules.Event
Fits = Callable[[str, Mapping[str, Any], int], bool]


def effective(log: Sequence[Event], zone: str, fits: Fits) -> list[Event]:
    """The events that count, as they count, in order of receipt."""
    discarded = {one.data.get("discards") for one in log if one.type == "discard"}
    kept = [one for one in log if one.event not in discarded]
    corrections = [one for one in kept if one.type == "correction"]
    taken_back = _taken_back(corrections)
    result = []
    for event in kept:
        if event.type in {"correction", "discard"}:
            continue
        mine = [one for one in corrections if _aims(one, event) and one.n not in taken_back]
        counted = _corrected(event, mine, zone, fits)
        if counted is not None:
            result.append(counted)
    return result


def _aims(correction: Event, at: Event) -> bool:
    named: Any = correction.data["corrects"]
    return (named["source"], named["id"]) == (at.source, at.id) and correction.n != at.n


def _taken_back(corrections: Sequence[Event]) -> set[int]:
    """Numbers of the corrections that stand no longer, or were never free of a circle."""
    stands: dict[int, bool] = {}
    moved = True
    while moved:
        moved = False
        for one in corrections:
            above = [other for other in corrections if _aims(other, one)]
            if one.n in stands or any(other.n not in stands for other in above):
                continue
            errors = [o for o in above if stands[o.n] and o.data.get("entered_in_error")]
            stands[one.n] = not errors
            moved = True
    return {one.n for one in corrections if not stands.get(one.n, False)}


def _corrected(event: Event, corrections: Sequence[Event], zone: str, fits: Fits) -> Event | None:
    for one in sorted(corrections, key=lambda item: -item.n):
        if one.data.get("entered_in_error"):
            return None
        data: Any = one.data.get("data", event.data)
        ahead = event.type == "override" and one.n < event.n
        if ahead or not fits(event.type, data, event.time_us):
            continue
        event = replace(event, data=data)
        time: Any = one.data.get("time")
        if time is None:
            return event
        at = moments.instant(datetime.fromisoformat(time))
        begins = moments.begins(zone, at, event.timeprecision)
        return replace(event, time_us=at, timeprecision=event.timeprecision if begins else "second")
    return event
