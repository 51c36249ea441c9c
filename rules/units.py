"""The units of a stopping rule: when each began, when its window is over, which events are its own.

Who comes in: sums, and the rooms that judge endpoints. Who goes out: Watched. Pure functions of the
subject's state; who is not watched yet has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rules.facts.calendar import DAY_US, Span
from rules.facts.entities import END, FIELDS, LEFT, START, STOPPED, enrolled_part
from rules.model import StoppingRule
from rules.state import SubjectState
from rules.terms import Unit, WindowFrom

SUBJECT = "subject"


@dataclass(slots=True)
class Watched:
    """One unit under watch. `over_us` None: the end of its window cannot be placed yet."""

    unit: str
    start: Span
    over_us: int | None
    events_us: list[int] = field(default_factory=list)  # since when, one for each of its events

    def takes(self, began: Span) -> bool:
        """Whether an event may lie in its window; it counts from the unit's start at the earliest.

        Where only a date is known the event counts if it may.
        """
        if began.end < self.start.start or (
            self.over_us is not None and began.start > self.over_us
        ):
            return False
        self.events_us.append(max(began.start, self.start.start))
        return True


def anchor(rule: StoppingRule, state: SubjectState) -> Span | None:
    """From when a subject is watched, and as of when `among` is judged; None: not yet."""
    if rule.window_from is WindowFrom.ENROLMENT and rule.unit is Unit.SUBJECT:
        part = enrolled_part(state.enrolment)
        return None if part is None else Span(part[START], part[END])
    return None if state.first_infusion is None else Span(*state.first_infusion)


def watched(
    rule: StoppingRule, state: SubjectState, infusions: Mapping[str, Span]
) -> list[Watched]:
    """The units that are under watch or were, by their start; without their events."""
    length_us = rule.window_days * DAY_US
    if rule.unit is Unit.INFUSION:
        given = sorted((span, name) for name, span in infusions.items())
        return [Watched(f"infusion:{name}", span, span.start + length_us) for span, name in given]
    start = anchor(rule, state)
    if start is None:
        return []
    from_us: int | None = start.start
    if rule.window_from is WindowFrom.LAST_INFUSION:
        from_us = _last(rule, state, infusions)
    return [Watched(SUBJECT, start, None if from_us is None else from_us + length_us)]


def place(units: list[Watched], events: Iterable[Span]) -> None:
    """Give each event to the last unit that may have begun before it."""
    for began in sorted(events):
        may = [one for one in units if one.start.start <= began.end]
        if may:
            may[-1].takes(began)


def left_us(state: SubjectState) -> int | None:
    """When follow-up ended: the subject left the trial, or died; None: it goes on."""
    return _first(state, LEFT)


def _last(rule: StoppingRule, state: SubjectState, infusions: Mapping[str, Span]) -> int | None:
    """The start of the last infusion, once it is known to be the last."""
    planned = rule.planned_infusions
    complete = planned is not None and len(infusions) >= planned
    if not infusions or not (complete or _first(state, STOPPED) is not None):
        return None
    return max(infusions.values()).start


def _first(state: SubjectState, statuses: frozenset[str]) -> int | None:
    """The earliest instant at which one of these was told, or the subject died."""
    told = [part[START] for part in state.enrolment if part[FIELDS].get("status") in statuses]
    return min((*told, *(part[START] for part in state.deaths)), default=None)
