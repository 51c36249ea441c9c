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
from rules.facts.knowing import MARKS, SPARED, STAMP, TEXT, Mark, Record, Stamp, Watched
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
    """A report that stops a clock. `day`: where only a day was told."""

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
    runs = [(start, _report(watched.clock, start, told, zones.site)) for start in starts]
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
        span, day = _parsed(stamp[TEXT], zones.site)
        if span.start <= bound_us:
            by_day = day is not None
            return Start(
                mark, span.start, day or zones.sponsor.day(span.start), assumed=False, by_day=by_day
            )
    return Start(mark, bound_us, zones.sponsor.day(bound_us), assumed=True, by_day=False)


def _parsed(text: str, calendar: Calendar) -> tuple[Span, date | None]:
    """The span of a stamp, and its first day where it tells no time."""
    day = partial_days(text)[0] if len(text) <= _DAY_LENGTH else None
    return calendar.parse(text), day


def _period(clock: Clock, start: Start, zones: Zones) -> Period:
    return period(start.us, start.day, clock.due, zones.sponsor.end_of_day)


def _report(
    clock: Clock, start: Start, told: Iterable[Stamp], calendar: Calendar
) -> _Report | None:
    """The report that stops the clock: the so-many-th one made since its start."""
    made: list[_Report] = []
    for stamp in told:
        span, day = _parsed(stamp[TEXT], calendar)
        if span.end >= start.us or (start.assumed and _told_since(start, stamp)):
            made.append(_Report(span.start, day))
    made.sort(key=lambda report: report.us)
    return made[clock.nth - 1] if len(made) >= clock.nth else None


def _before(told: Iterable[Stamp], aware: Iterable[Stamp], calendar: Calendar) -> bool:
    """Whether a report is told to have been made before anybody knew anything."""
    known_us = min((calendar.parse(stamp[TEXT]).start for stamp in aware), default=None)
    return known_us is not None and any(
        calendar.parse(stamp[TEXT]).end < known_us for stamp in told
    )


def _told_since(start: Start, stamp: Stamp) -> bool:
    """Whether the stamp was told with what started the clock, or after it."""
    told_n, mark_n = stamp[knowing.TOLD_N], start.mark[knowing.N]
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
