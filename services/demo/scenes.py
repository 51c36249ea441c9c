"""What a story is made of: facts with their moments, the deeds of persons, and scenes.

Who comes in: story and everyday. Who goes out: plain values; what lies in the past becomes an
instant only when the teller tells it, so the story itself is the same on every day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

Data = dict[str, Any]

# The site's; the protocol says the same.
ZONE = ZoneInfo("Asia/Seoul")
# Between these hours a site gives infusions.
OPENS, CLOSES = time(8, 30), time(17, 0)


class Moment(Protocol):
    """Something that is an instant or a day once it is known when the story is told."""

    def at(self, now: datetime) -> str:
        """As an event writes it."""


@dataclass(frozen=True)
class On:
    """So many days ago, at a time of the site's day."""

    days: int
    clock: str  # HH:MM

    def at(self, now: datetime) -> str:
        """An instant with the site's offset."""
        day = now.astimezone(ZONE).date() - timedelta(days=self.days)
        return datetime.combine(day, time.fromisoformat(self.clock), ZONE).isoformat()


@dataclass(frozen=True)
class Day:
    """So many days ago, the hour unknown."""

    days: int

    def at(self, now: datetime) -> str:
        """A date."""
        return (now.astimezone(ZONE).date() - timedelta(days=self.days)).isoformat()


@dataclass(frozen=True)
class Born:
    """The birthday of somebody who is so many years and days old."""

    years: int
    days: int

    def at(self, now: datetime) -> str:
        """A date."""
        return Day(self.years * 1461 // 4 + self.days).at(now)


@dataclass(frozen=True)
class Ago:
    """So long before the very instant of telling."""

    span: timedelta

    def at(self, now: datetime) -> str:
        """An instant with the site's offset, to the second."""
        return (now - self.span).astimezone(ZONE).replace(microsecond=0).isoformat()


@dataclass(frozen=True)
class Shift:
    """The last full half-hour of a working day that is over by an hour, and so long after it.

    Never more than 16.5 hours back: whoever looks at it at night finds yesterday's last one.
    """

    after: timedelta = timedelta(0)

    def at(self, now: datetime) -> str:
        """An instant with the site's offset."""
        local = (now - timedelta(hours=1)).astimezone(ZONE)
        mark = local.replace(minute=local.minute // 30 * 30, second=0, microsecond=0)
        if mark.time() < OPENS:
            mark -= timedelta(days=1)
        if not OPENS <= mark.time() <= CLOSES:
            mark = datetime.combine(mark.date(), CLOSES, ZONE)
        return (mark + self.after).isoformat()


@dataclass(frozen=True)
class Target:
    """The event that a correction names: the last one of that subject and code."""

    who: int
    code: str


@dataclass(frozen=True)
class Fact:
    """One event: what, about whom, when."""

    who: int
    kind: str
    data: Data
    when: Moment
    role: str = "publisher"  # whose key publishes it


@dataclass(frozen=True)
class Answer:
    """What the investigator does with the open alert of a rule, as through the page."""

    verb: str  # acknowledge | resolve
    rule: str
    who: int | None  # None: the trial's own alert
    note: str


@dataclass(frozen=True)
class Resumption:
    """One of two persons lets the trial go on."""

    role: str
    reason: str


@dataclass(frozen=True)
class Scene:
    """What is published together, then what persons do; in one line, with where to look."""

    text: str
    facts: Sequence[Fact] = ()
    deeds: Sequence[Answer | Resumption] = ()
