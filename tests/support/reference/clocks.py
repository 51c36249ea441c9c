"""Reporting clocks worked out plainly: datetime, zoneinfo and the manual's sentences, nothing else.

The whole list of what was told is looked at each time; nothing is carried from one to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

STAMPS = ("aware_at", "reported_at", "submitted_at")
Known = Mapping[str, Any]
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Row:
    """What one event told, when it came, and of what time it speaks; corrections are applied."""

    received: datetime
    time: datetime
    fields: Known


@dataclass(frozen=True)
class Rule:
    """One clock: its condition (None: unknown), and what is in its line of the protocol."""

    when: Callable[[Known], bool | None]
    aware: str
    made: str
    hours: int | None = None
    days: int | None = None
    nth: int = 1
    restarts: tuple[str, ...] = ()
    spared: Callable[[Known], bool | None] | None = None
    exempt: Callable[[Known], bool | None] = field(default=lambda _known: None)


class Answer(NamedTuple):
    """Where a clock stands."""

    stage: str
    start: datetime
    assumed: bool
    half: datetime
    late: datetime
    over: datetime
    due: datetime


class Began(NamedTuple):
    """One start: by which row, its awareness as told, and what said otherwise last."""

    row: int
    received: datetime
    aware: tuple[int, str] | None  # by which row it was told
    otherwise: datetime | None
    turn: int = -1  # the row that made the condition true, where nobody had ever said otherwise
    upgraded: bool = False  # until a late row said that it was otherwise before


@cache
def midnight(day: date, zone: str) -> datetime:
    """The first instant whose date on the wall is not before the day, found by walking."""
    place = ZoneInfo(zone)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while moment.astimezone(place).date() < day:
        moment += timedelta(minutes=15)
    return moment


def day_of(moment: datetime, zone: str) -> date:
    """The date on the wall."""
    return moment.astimezone(ZoneInfo(zone)).date()


def meant(text: str, zone: str) -> tuple[datetime, datetime, date | None]:
    """The first and the last instant that a stamp may mean, and its day if it tells no time."""
    if "T" in text:
        moment = datetime.fromisoformat(text).astimezone(UTC)
        return moment, moment, None
    day = date.fromisoformat(text)
    return midnight(day, zone), midnight(day + timedelta(days=1), zone) - TICK, day


class Case:
    """What was told of one adverse event, in order of receipt, at a site and its sponsor."""

    def __init__(self, rows: Sequence[Row], site: str, sponsor: str) -> None:
        """Rows in order of receipt."""
        self.rows, self.site, self.sponsor = rows, site, sponsor

    # --- what was known ---------------------------------------------------------------------
    def known(self, upto: int) -> dict[str, Any]:
        """All that was told by the first rows, in the order of the times it speaks of."""
        told = sorted(range(upto), key=lambda n: (self.rows[n].time, n))
        whole: dict[str, Any] = {}
        for n in told:
            whole |= self.rows[n].fields
        return whole

    def truths(self, rule: Rule) -> list[bool | None]:
        return [rule.when(self.known(n + 1)) for n in range(len(self.rows))]

    def speaks(self, n: int) -> bool:
        return any(name not in STAMPS for name in self.rows[n].fields)

    def said(self, name: str, upto: int) -> list[tuple[int, str]]:
        """The different stamps told by the first rows since the last one that took them back."""
        found: list[tuple[int, str]] = []
        for n in range(upto):
            if name not in self.rows[n].fields:
                continue
            text = self.rows[n].fields[name]
            if text is None:
                found = []
            elif meant(text, self.site) not in [meant(one, self.site) for _, one in found]:
                found.append((n, text))
        return found

    def new(self, name: str, n: int) -> tuple[int, str] | None:
        return next((one for one in self.said(name, n + 1) if one[0] == n), None)

    # --- when time starts -------------------------------------------------------------------
    def began(self, rule: Rule) -> list[Began]:
        """Every start, each with its awareness as told up to the last row."""
        truths = self.truths(rule)
        found: list[Began] = []
        for n, row in enumerate(self.rows):
            name, told = rule.aware, self.new(rule.aware, n)
            if name in row.fields and row.fields[name] is None:
                found = [one._replace(aware=None) for one in found]
            here = self._start(rule, truths, n, found, told)
            if here is not None:
                found.append(here)
            found += self._news_before(rule, n, found)
            denied = self._denied(rule, n, found)
            if here is None and told is not None and not denied:
                self._date(rule, found, told)
        return found

    def _start(
        self,
        rule: Rule,
        truths: Sequence[bool | None],
        n: int,
        before: Sequence[Began],
        told: tuple[int, str] | None,
    ) -> Began | None:
        row, ran = self.rows[n], n > 0 and truths[n - 1] is True
        if truths[n] is not True:
            return None
        if rule.restarts:
            was, now = self.known(n), self.known(n + 1)
            since = self.rows[truths.index(True)].received
            news = any(was.get(name) != now.get(name) for name in rule.restarts)
            if not ran or not news or row.received <= since:
                return None
            spoke = [self.rows[k].received for k in range(n) if self.speaks(k)]
            return Began(n, row.received, told, max(spoke, default=None))
        if ran or (before and told is None):
            return None
        denied = [self.rows[k].received for k in range(n) if truths[k] is False and self.speaks(k)]
        if denied or told is not None:
            return Began(n, row.received, told, max(denied, default=None), turn=n)
        every = self.said(rule.aware, n + 1)
        first = min(every, key=lambda one: meant(one[1], self.site)[0], default=None)
        return Began(0, self.rows[0].received, first, None, turn=n)

    def _news_before(self, rule: Rule, n: int, found: Sequence[Began]) -> list[Began]:
        """The event that speaks of the first time comes late: what came before it was news."""
        row, times = self.rows[n], sorted((self.rows[k].time, k) for k in range(n + 1))
        if not rule.restarts or times[0][1] != n or row.received == self.rows[0].received:
            return []
        news, was = [], dict(row.fields)
        for (before, _), (_, k) in pairwise(times):
            now = {**was, **self.rows[k].fields}
            moved = any(was.get(name) != now.get(name) for name in rule.restarts)
            both = rule.when(was) is True and rule.when(now) is True
            if moved and both and all(one.row != k for one in found):
                own = next((one for one in self.said(rule.aware, n + 1) if one[0] == k), None)
                news.append(Began(k, row.received, own, before))
            was = now
        return news

    def _denied(self, rule: Rule, n: int, found: list[Began]) -> bool:
        """A late row may say that before the start it was otherwise: then that was an upgrade."""
        if not found or found[0].otherwise is not None or rule.restarts:
            return False
        turn = found[0].turn
        times = sorted((self.rows[k].time, k) for k in range(n + 1))
        mine, last = (self.rows[n].time, n), (self.rows[turn].time, turn)
        last = times[-1] if turn == n else last
        denials: list[datetime] = []
        for upto, (time, k) in enumerate(times, start=1):
            if not mine <= (time, k) <= last:
                continue
            known: dict[str, Any] = {}
            for _, one in times[:upto]:
                known |= self.rows[one].fields
            truth = rule.when(known)
            if truth is False and self.speaks(k):
                denials.append(time)
            elif truth is True:
                break
        else:
            return False
        if not denials:
            return False
        own = next((one for one in self.said(rule.aware, n + 1) if one[0] == k), None)
        start = Began(k, self.rows[turn].received, own, denials[-1], k, upgraded=True)
        found[0] = start
        return True

    def _date(self, rule: Rule, found: list[Began], told: tuple[int, str]) -> None:
        """Awareness told later is of the newest start that it can be about; only ever earlier."""
        first, last, _ = meant(told[1], self.site)
        for place in reversed(range(len(found))):
            one = found[place]
            older = any(
                n < one.row and meant(text, self.site)[0] < first
                for n, text in self.said(rule.aware, told[0] + 1)
            )
            days = {day_of(row.received, self.site) for row in self.rows[: one.row + 1]}
            if (
                one.otherwise is None
                or last >= one.otherwise
                or older
                or (len(days) == 1 and not one.upgraded)
            ):
                if one.aware is None or first < meant(one.aware[1], self.site)[0]:
                    found[place] = one._replace(aware=told)
                return

    def _times(self, rule: Rule, one: Began) -> tuple[datetime, datetime, date, bool]:
        """The first and the last instant at which it may have started, day 0, assumed."""
        latest = one.received
        if one.aware is not None:
            if rule.aware == "reported_at":
                latest = max(latest, self.rows[one.aware[0]].received)
            first, last, day = meant(one.aware[1], self.site)
            if first <= latest:
                return first, last, day or day_of(first, self.sponsor), False
        return latest, latest, day_of(latest, self.sponsor), True

    # --- what stops it ----------------------------------------------------------------------
    def _made(self, rule: Rule, one: Began) -> tuple[datetime, date | None] | None:
        first, last, _, assumed = self._times(rule, one)
        by_day: dict[date, list[tuple[bool, datetime, date | None]]] = {}
        for n, text in self.said(rule.made, len(self.rows)):
            begins, ends, day = meant(text, self.site)
            since = n >= one.row
            if one.otherwise is None:
                stops = ends >= first or (assumed and since)
            else:
                surely = begins >= first if first == last else begins > last
                with_it = one.aware is not None and one.aware[0] == one.row
                stops = surely and (since or (with_it and begins >= one.otherwise))
            if stops:
                on = day or day_of(begins, self.site)
                by_day.setdefault(on, []).append((day is not None, begins, day))
        reports = sorted((min(several)[1:] for several in by_day.values()), key=lambda r: r[0])
        return reports[rule.nth - 1] if len(reports) >= rule.nth else None

    def _answer(self, rule: Rule, one: Began) -> Answer:
        first, _, day, assumed = self._times(rule, one)
        if rule.hours is not None:
            over = due = first + timedelta(hours=rule.hours)
        else:
            over = midnight(day + timedelta(days=(rule.days or 0) + 1), self.sponsor)
            due = over - timedelta(seconds=1)
        lasts = (over - first) // TICK
        half, late = (first + timedelta(microseconds=lasts * part // 10) for part in (5, 8))
        return Answer("", first, assumed, half, late, over, due)

    # --- where it stands --------------------------------------------------------------------
    def stand(self, rule: Rule, now: datetime) -> Answer | None:
        """Where the clock stands, when all rows were told; None: it never started."""
        began = sorted(self.began(rule), key=lambda one: (self._times(rule, one)[0], one.row))
        if not began:
            return None
        made = {one: self._made(rule, one) for one in began}
        owed = [one for one in began if (report := made[one]) is None or report[0] > now]
        one = owed[0] if owed else began[-1]
        answer = self._answer(rule, one)
        return answer._replace(stage=self._stopped(rule) or self._stage(rule, one, answer, now))

    def _stopped(self, rule: Rule) -> str | None:
        known, truths = self.known(len(self.rows)), self.truths(rule)
        if known.get("status") == "withdrawn":
            return "withdrawn"
        if rule.exempt(known) is True or self._spared(rule, truths):
            return "exempt"
        return "lapsed" if truths[-1] is False else None

    def _spared(self, rule: Rule, truths: Sequence[bool | None]) -> bool:
        if rule.spared is None:
            return False
        since = self.rows[truths.index(True)].received
        on = [n for n, truth in enumerate(truths) if truth is True]
        at_first = [n for n in on if self.rows[n].received == since][-1]
        return all(rule.spared(self.known(n + 1)) is True for n in on if n >= at_first)

    def _stage(self, rule: Rule, one: Began, answer: Answer, now: datetime) -> str:
        report = self._made(rule, one)
        if report is not None and report[0] <= now:
            made, day = report
            if day is not None and rule.days is not None:
                late = day > self._times(rule, one)[2] + timedelta(days=rule.days)
            else:
                late = made > answer.over if rule.hours is not None else made >= answer.over
            return "met_late" if late else "met"
        if now >= answer.over:
            return "overdue"
        if now >= answer.late:
            return "late_warning"
        return "half" if now >= answer.half else "running"
