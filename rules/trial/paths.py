"""The path of one stopping rule: its units in the order in which they became evaluable.

Who comes in: the fold and the views. Who goes out: Path. It is a function of the set of latest
contributions, sorted by (since, subject, unit), never of their arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.model import StoppingRule
from rules.stopping import table
from rules.trial.state import Counted, TrialState, place


@dataclass(frozen=True, slots=True)
class Path:
    """One stopping rule over the trial as it stands."""

    evaluable: int
    events: int
    waiting: tuple[tuple[str, str, Counted], ...]  # subject, unit, what is known of it
    steps: tuple[dict[str, Any], ...]  # evaluable, events, at (microseconds), subject, unit, event
    crossed_at: int | None  # place on the path, from 1

    @property
    def pending(self) -> int:
        """How many units are not evaluable yet."""
        return len(self.waiting)

    @property
    def crossed_us(self) -> int | None:
        """When the path reached the boundary."""
        return None if self.crossed_at is None else int(self.steps[self.crossed_at - 1]["at"])


def path(rule: StoppingRule, state: TrialState) -> Path:
    """The path of a rule over its latest contributions."""
    standing = sorted(
        (counted.since_us, *place(name), counted) for name, counted in state.standing(rule.id)
    )
    steps: list[dict[str, Any]] = []
    happened: list[bool] = []
    for since_us, subject, unit, counted in standing:
        if counted.evaluable:
            happened.append(counted.event)
            counts = {"evaluable": len(happened), "events": sum(happened)}
            what = {"subject": subject, "unit": unit, "event": counted.event, "exposure": None}
            steps.append({**counts, "at": since_us, **what})
    return Path(
        evaluable=len(happened),
        events=sum(happened),
        waiting=tuple((*item[1:3], item[3]) for item in standing if not item[3].evaluable),
        steps=tuple(steps),
        crossed_at=table.crossing(rule.table, happened),
    )
