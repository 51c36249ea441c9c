"""The path of one stopping rule: how its units led it towards the boundary, step by step.

Who comes in: the fold and the views. Who goes out: Path. It is a function of the set of latest
contributions, sorted by (since, subject, unit), never of their arrival.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rules.facts.calendar import DAY_US
from rules.model import StoppingRule
from rules.stopping import following, table
from rules.stopping.design import Outcome
from rules.stopping.following import Followed, Instant, Measure
from rules.terms import Pending
from rules.trial.state import Counted, TrialState, place


class Unit(NamedTuple):
    """One unit and what is known of it; sorts by since, subject, unit."""

    since_us: int
    subject: str
    name: str
    counted: Counted

    @property
    def start_us(self) -> int:
        """When it began."""
        start_us = self.counted.start_us
        return self.since_us if start_us is None else start_us


@dataclass(frozen=True, slots=True)
class Path:
    """One stopping rule over the trial as it stands."""

    rule: StoppingRule
    units: tuple[Unit, ...]
    steps: tuple[dict[str, Any], ...]  # evaluable, events, at (us), subject, unit, event, exposure
    crossed_at: int | None  # place on the path, from 1

    @property
    def evaluable(self) -> int:
        """How many units count in full; of `pending: event_free` those that wait too."""
        if free(self.rule):
            return len(self.units)
        return sum(one.counted.evaluable for one in self.units)

    @property
    def events(self) -> int:
        """How many of them had the event."""
        if free(self.rule):
            return sum(one.counted.event for one in self.units)
        return sum(one.counted.evaluable and one.counted.event for one in self.units)

    @property
    def waiting(self) -> tuple[Unit, ...]:
        """Those whose window is not over, and that had no event."""
        return tuple(one for one in self.units if not one.counted.evaluable)

    @property
    def pending(self) -> int:
        """How many wait."""
        return len(self.waiting)

    @property
    def crossed_us(self) -> int | None:
        """When the path reached the boundary."""
        return None if self.crossed_at is None else int(self.steps[self.crossed_at - 1]["at"])

    def standing(self, at_us: int) -> Instant:
        """Exposure and effective sample at an instant."""
        return following.standing(_followed(self.units), window_us(self.rule), at_us)

    def events_to_stop(self, at_us: int) -> int | None:
        """The least further events that stop if they come next; None: crossed, or none do."""
        if self.crossed_at is not None:
            return None
        if is_exposed(self.rule):
            cuts, window = self.rule.exposure, window_us(self.rule)
            units = _followed(self.units)
            return following.events_to_stop(units, window, at_us, cuts, measure(self.rule))
        still = self.pending if free(self.rule) else 0  # an event of theirs adds no evaluable unit
        return table.events_to_stop(self.rule.table, self.evaluable, self.events, still)


def path(rule: StoppingRule, state: TrialState) -> Path:
    """The path of a rule over its latest contributions."""
    units = tuple(
        sorted(
            Unit(counted.since_us, *place(name), counted)
            for name, counted in state.standing(rule.id)
        )
    )
    if is_exposed(rule):
        steps, crossed_at = _by_exposure(rule, units)
        return Path(rule, units, steps, crossed_at)
    steps = tuple(_from_the_start(units) if free(rule) else _as_evaluable(units))
    reached = table.first_reached(rule.table, [(one["evaluable"], one["events"]) for one in steps])
    return Path(rule, units, steps, reached)


def is_exposed(rule: StoppingRule) -> bool:
    """Whether the rule goes by exposure, or by effective units."""
    return rule.design.outcome is not Outcome.BINARY


def free(rule: StoppingRule) -> bool:
    """Whether units count as without an event from their start."""
    return rule.pending is Pending.EVENT_FREE and not is_exposed(rule)


def measure(rule: StoppingRule) -> Measure:
    """What the rule's cuts are measured in."""
    return Measure.EFFECTIVE if rule.design.outcome is Outcome.TITE else Measure.EXPOSURE_DAYS


def window_us(rule: StoppingRule) -> int:
    """How long each unit is watched."""
    return rule.window_days * DAY_US


def _as_evaluable(units: Sequence[Unit]) -> Iterator[dict[str, Any]]:
    """One step for each unit that is evaluable."""
    evaluable = events = 0
    for one in units:
        if one.counted.evaluable:
            evaluable, events = evaluable + 1, events + one.counted.event
            yield _step(evaluable, events, one.since_us, one, event=one.counted.event)


def _from_the_start(units: Sequence[Unit]) -> Iterator[dict[str, Any]]:
    """A step where a unit begins, and another where its event happens; a start before an event."""
    starts = [(one.start_us, False, one) for one in units]
    happened = [(one.since_us, True, one) for one in units if one.counted.event]
    evaluable = events = 0
    for at_us, event, one in sorted(starts + happened, key=lambda it: (it[0], it[1], *it[2][1:3])):
        evaluable, events = evaluable + (not event), events + event
        yield _step(evaluable, events, at_us, one, event=event)


def _by_exposure(
    rule: StoppingRule, units: Sequence[Unit]
) -> tuple[tuple[dict[str, Any], ...], int | None]:
    """One step for each event, with the exposure of all at that instant; and where it crossed."""
    instants = following.path(_followed(units), window_us(rule))
    crossing = following.first_crossing(instants, rule.exposure, measure(rule))
    by_effect = measure(rule) is Measure.EFFECTIVE
    steps: list[dict[str, Any]] = []
    crossed_at = None
    for number, instant in enumerate(instants):
        exposure = instant.effective if by_effect else instant.exposure_days
        here = [one for one in units if one.counted.event and one.since_us == instant.at_us]
        first = instant.events - len(here) + 1
        for events, one in enumerate(here, first):
            step = _step(instant.begun, events, instant.at_us, one, event=True)
            steps.append({**step, "exposure": round(exposure, 6)})
        if number == crossing:
            crossed_at = len(steps)
    return tuple(steps), crossed_at


def _followed(units: Sequence[Unit]) -> list[Followed]:
    return [
        Followed(
            one.start_us,
            one.since_us if one.counted.event else None,
            one.counted.until_us,
        )
        for one in units
    ]


def _step(evaluable: int, events: int, at_us: int, unit: Unit, *, event: bool) -> dict[str, Any]:
    return {
        "evaluable": evaluable,
        "events": events,
        "at": at_us,
        "subject": unit.subject,
        "unit": unit.name,
        "event": event,
        "exposure": None,
    }
