"""Reporting clocks: when a report is due, and how far its clock has run; and the public templates.

Who comes in: the language with the name of a template, the facts with a start. Who goes out:
Template, Period. Sources of the deadlines: clocks.yaml, one line each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from rules.model import Due
from rules.terms import ClockStage

HOUR_US = 3_600_000_000
SECOND_US = 1_000_000
MOST_HOURS, MOST_DAYS = 8_760, 366

EndOfDay = Callable[[date], int]


class Period(NamedTuple):
    """The instants of one running clock. `last_us`: a report at it is the last one in time.

    `over_us`: from then on a report that nobody told of is overdue.
    """

    start_us: int
    half_us: int
    late_us: int
    over_us: int
    last_us: int
    due_us: int  # as people are told: the last whole second

    def stage(self, now_us: int) -> ClockStage:
        """How far it has run, with no report made."""
        if now_us >= self.over_us:
            return ClockStage.OVERDUE
        if now_us >= self.late_us:
            return ClockStage.LATE_WARNING
        return ClockStage.HALF if now_us >= self.half_us else ClockStage.RUNNING

    def next_us(self, now_us: int) -> int | None:
        """The first later instant at which the stage changes; None: never again."""
        coming = (self.half_us, self.late_us, self.over_us)
        return min((instant for instant in coming if instant > now_us), default=None)


def period(start_us: int, day_0: date, due: Due, end_of_day: EndOfDay) -> Period:
    """The clock that starts at this instant of day 0.

    Calendar days end at the last instant of the local day that `end_of_day` gives, whatever day of
    the week it is; hours are exact. Source: ICH E2A; the day of awareness is day 0.
    """
    if due.hours is not None:
        over_us = last_us = due_us = start_us + due.hours * HOUR_US
    else:
        last_us = end_of_day(day_0 + timedelta(days=due.calendar_days or 0))
        over_us, due_us = last_us + 1, last_us // SECOND_US * SECOND_US
    half_us, late_us = (start_us + (over_us - start_us) * part // 10 for part in (5, 8))
    return Period(start_us, half_us, late_us, over_us, last_us, due_us)


# --- templates --------------------------------------------------------------------------------
class Cited(NamedTuple):
    """Where a region's deadline comes from."""

    document: str
    section: str
    confidence: str


@dataclass(frozen=True)
class Template:
    """A clock that regulations know, as the file has it; conditions are texts."""

    name: str
    told: Mapping[str, Any]  # the keys of a clock
    regions: Mapping[str, Cited]


@cache
def templates() -> Mapping[str, Template]:
    """Every template of clocks.yaml, by name."""
    text = (files("rules.clinical") / "clocks.yaml").read_text(encoding="utf-8")
    tree = yaml.safe_load(text)
    return {
        name: Template(
            name,
            {key: value for key, value in told.items() if key != "regions"},
            {region: Cited(**cited) for region, cited in told["regions"].items()},
        )
        for name, told in tree["templates"].items()
    }
