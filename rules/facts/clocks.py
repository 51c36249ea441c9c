"""Where a reporting clock stands at an instant: since when it runs, until when, and how far.

Who comes in: the subject's clocks, with what became known (knowing.py). Who goes out: Standing.
Stamps told as a date are that day; instants fall on a day of the sponsor's zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from rules.clinical.clocks import Period, period
from rules.facts import knowing
from rules.facts.calendar import EPOCH, FOREVER, Calendar, Span, partial_days
from rules.facts.knowing import (
    FLOOR,
    MARKS,
    NEVER,
    SPARED,
    STAMP,
    TEXT,
    TOLD_N,
    Mark,
    Record,
    Stamp,
    Watched,
)
from rules.model import Clock
from rules.terms import ClockStage, Party

_DAY_LENGTH = len("2019-05-03")


class Zones(NamedTuple):
    """The days of the site, in which dates are told; and of the sponsor, in which they are due."""

    site: Calendar
    sponsor: Calendar


class Start(NamedTuple):
    """When a clock started. `day`: its day 0. `assumed`: from the receipt, for nobody told."""

    mark: Mark
    us: int
    last_us: int  # it may have been as late as that, where only a date was told
    day: date
    assumed: bool
    by_day: bool  # told as a date


class Standing(NamedTuple):
    """One clock at one instant."""

    stage: ClockStage
    start: Start
    period: Period
    conflict: bool  # a report is told to have been made before anybody knew
    next_us: int  # when time alone changes it

    @property
    def due_us(self) -> int:
        """When the report is due, as people are told."""
        return self.period.due_us


class _Report(NamedTuple):
    """A report that stops a clock. `day`: where only a day was told (a month: its last day)."""

    us: int
    day: date | None


def stand(
    watched: Watched, record: Record, zones: Zones, now_us: int, stopped: ClockStage | None
) -> Standing | None:
    """Where the clock stands; None: it never started. `stopped`: taken back, or exempt."""
    run = record["runs"].get(watched.clock.id)
    if run is None or not run[MARKS]:
        return None
    starts = sorted((_start(watched, mark, zones) for mark in run[MARKS]), key=_since)
    if stopped is None and run[SPARED]:
        stopped = ClockStage.EXEMPT
    if stopped is None and run[knowing.ACTIVE] is False:
        stopped = ClockStage.LAPSED
    return _governing(watched, record, zones, now_us, starts, stopped)


def _governing(
    watched: Watched,
    record: Record,
    zones: Zones,
    now_us: int,
    starts: list[Start],
    stopped: ClockStage | None,
) -> Standing:
    """By the first start after which no report was made; else by the last one."""
    told = record["told"].get(watched.clock.stopped_by, ())
    conflict = _before(told, record["told"].get(watched.aware, ()), zones.site)
    runs = [(start, _report(watched.clock, start, told, zones)) for start in starts]
    owed = [run for run in runs if run[1] is None or run[1].us > now_us]
    start, made = owed[0] if owed else runs[-1]
    lasts = _period(watched.clock, start, zones)
    if stopped is not None:
        return Standing(stopped, start, lasts, conflict, FOREVER)
    if made is not None and made.us <= now_us:
        late = _late(watched.clock, start, lasts, made)
        stage = ClockStage.MET_LATE if late else ClockStage.MET
        return Standing(stage, start, lasts, conflict, FOREVER)
    coming = FOREVER if made is None else made.us
    changes_us = lasts.next_us(now_us)
    next_us = coming if changes_us is None else min(changes_us, coming)
    return Standing(lasts.stage(now_us), start, lasts, conflict, next_us)


def _since(start: Start) -> tuple[int, int]:
    return start.us, start.mark[knowing.N]


def _start(watched: Watched, mark: Mark, zones: Zones) -> Start:
    """Awareness of what started it: as told, but never later than it was received here.

    The site knew what it published; the sponsor may have been told later, in which case the stamp
    may be later too, up to its own receipt.
    """
    stamp: Stamp | None = mark[STAMP]
    bound_us: int = mark[knowing.RECEIPT]
    if stamp is not None:
        if watched.clock.starts is Party.SPONSOR:
            bound_us = max(bound_us, stamp[knowing.TOLD_US])
        span, days = zones.site.parse(stamp[TEXT]), _days(stamp[TEXT])
        if span.start <= bound_us:
            day = zones.sponsor.day(span.start) if days is None else days[0]
            return Start(mark, *span, day, assumed=False, by_day=days is not None)
    day = zones.sponsor.day(bound_us)
    return Start(mark, bound_us, bound_us, day, assumed=True, by_day=False)


def _days(text: str) -> tuple[date, date] | None:
    """The first and the last day of a stamp that tells no time."""
    return partial_days(text) if len(text) <= _DAY_LENGTH else None


def _period(clock: Clock, start: Start, zones: Zones) -> Period:
    return period(start.us, start.day, clock.due, zones.sponsor.end_of_day)


def _report(clock: Clock, start: Start, told: Iterable[Stamp], zones: Zones) -> _Report | None:
    """The report that stops the clock: the so-many-th one made since its start.

    What is told of one day is one report, told again; its time tells more than its day.
    """
    made: dict[date, _Report] = {}
    for stamp in told:
        span, days = zones.site.parse(stamp[TEXT]), _days(stamp[TEXT])
        if _stops(start, stamp, span):
            day = None if days is None else days[1]
            report, on = _Report(span.start, day), day or zones.site.day(span.start)
            made[on] = min(made.get(on, report), report, key=_exactest)
    ordered = sorted(made.values(), key=lambda report: report.us)
    return ordered[clock.nth - 1] if len(ordered) >= clock.nth else None


def _exactest(report: _Report) -> tuple[bool, int]:
    return report.day is not None, report.us


def _stops(start: Start, stamp: Stamp, span: Span) -> bool:
    """Whether a report is about what started the clock.

    Where nobody ever said otherwise, every report is, but one made before anybody knew. After an
    upgrade or news there may be reports of what was before: then it has to be sure.
    """
    mark = start.mark
    since = _told_since(start, stamp)
    if mark[FLOOR] == NEVER:
        return span.end >= start.us or (start.assumed and since)
    if span.start < start.us or span.start <= start.last_us > start.us:
        return False
    with_it = mark[STAMP] is not None and mark[STAMP][TOLD_N] == mark[knowing.N]
    return since or bool(with_it and span.start >= mark[FLOOR])


def _before(told: Iterable[Stamp], aware: Iterable[Stamp], calendar: Calendar) -> bool:
    """Whether a report is told to have been made before anybody knew anything."""
    known_us = min((calendar.parse(stamp[TEXT]).start for stamp in aware), default=None)
    return known_us is not None and any(
        calendar.parse(stamp[TEXT]).end < known_us for stamp in told
    )


def _told_since(start: Start, stamp: Stamp) -> bool:
    """Whether the stamp was told with what started the clock, or after it."""
    told_n, mark_n = stamp[TOLD_N], start.mark[knowing.N]
    return bool(told_n >= mark_n)


def _late(clock: Clock, start: Start, lasts: Period, made: _Report) -> bool:
    if made.day is not None and clock.due.calendar_days is not None:
        return made.day > start.day + timedelta(days=clock.due.calendar_days)
    return made.us > lasts.last_us


# --- texts ------------------------------------------------------------------------------------
def started_text(start: Start, zones: Zones) -> str:
    """When it started, in the sponsor's zone."""
    if start.by_day:
        return start.day.isoformat()
    told = local_text(start.us, zones.sponsor)
    return f"{told}, assumed: the time of receipt" if start.assumed else told


def local_text(instant_us: int, calendar: Calendar) -> str:
    """An instant as a person reads it, with its zone."""
    moment = (EPOCH + timedelta(microseconds=instant_us)).astimezone(calendar.zone)
    return f"{moment:%Y-%m-%d %H:%M} {calendar.zone.key}"
