"""Reporting clocks in rooms of their own: events in order of receipt, and where a clock stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rules.facts import clocks, knowing
from rules.facts.calendar import Calendar, to_us
from rules.facts.clocks import Standing, Zones
from rules.facts.knowing import Record, Telling, Watched
from rules.language.conditions import compile_condition
from rules.language.vocabulary import BOOLEAN, INTEGER, STRING
from rules.model import Clock, Due, Source
from rules.terms import ClockStage, Party

NAMES = {"serious": BOOLEAN, "fatal": BOOLEAN, "grade": INTEGER, "outcome": STRING}
DAYS_7, DAYS_15, HOURS_24 = Due(calendar_days=7), Due(calendar_days=15), Due(hours=24)


def at(text: str) -> int:
    """The microseconds of an instant with its offset."""
    return to_us(datetime.fromisoformat(text))


def zones(site: str = "Asia/Seoul", sponsor: str | None = None) -> Zones:
    """The days of a site and a sponsor."""
    return Zones(Calendar(site), Calendar(sponsor or site))


def clock(
    when: str = "serious",
    due: Due = HOURS_24,
    starts: Party = Party.SITE,
    spared: str | None = None,
    **more: Any,
) -> Watched:
    """A clock over the facts in NAMES."""
    stopped_by = "reported_at" if starts is Party.SITE else "submitted_at"
    return Watched(
        Clock(
            id="C",
            label="Report",
            region="",
            to="somebody",
            when=compile_condition(when, NAMES, {}),
            starts=starts,
            due=due,
            stopped_by=more.pop("stopped_by", stopped_by),
            source=Source("x"),
            spared=None if spared is None else compile_condition(spared, NAMES, {}),
            **more,
        )
    )


def known(
    watched: Watched, told: Sequence[tuple[str, Mapping[str, Any]]], places: Zones | None = None
) -> Record:
    """What was told of one adverse event: (receipt, fields), in order of receipt."""
    record: Record = {}
    before: dict[str, Any] = {}
    for n, (received, fields) in enumerate(told, start=1):
        after = {**before, **fields}
        facts = {name: after[name] for name in NAMES if after.get(name) is not None}
        telling = Telling(n, f"e{n}", at(received), fields, before, after, facts)
        record = record or knowing.begin(telling)
        knowing.know(record, [watched], telling, (places or zones()).site)
        before = after
    return record


def stand(
    watched: Watched,
    told: Sequence[tuple[str, Mapping[str, Any]]],
    now: str,
    places: Zones | None = None,
    stopped: ClockStage | None = None,
) -> Standing | None:
    """Where the clock stands at `now`, when all of that was told."""
    used = places or zones()
    return clocks.stand(watched, known(watched, told, used), used, at(now), stopped)
