"""Instants, days and partial dates in the site's zone.

Who comes in: the timeline and the projections. Who goes out: closed spans of microseconds.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rules.terms import WindowUnit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
SECOND_US = 1_000_000
FOREVER = 1 << 62
EXACT_US = {
    WindowUnit.HOURS: HOUR_US,
    WindowUnit.DAYS: DAY_US,
    WindowUnit.WEEKS: 7 * DAY_US,
}

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
# No zone has ever moved by anything else than whole quarters of an hour since 1972.
_QUARTER_US = 900 * SECOND_US


class Span(NamedTuple):
    """A closed span of microseconds; an instant has both ends equal."""

    start: int
    end: int


def to_us(moment: datetime) -> int:
    """Exact microseconds since 1970 of an aware `moment`."""
    return (moment - EPOCH) // MICROSECOND


def iso(instant_us: int) -> str:
    """RFC 3339 in UTC."""
    return (EPOCH + timedelta(microseconds=instant_us)).isoformat().replace("+00:00", "Z")


def add_months(day: date, months: int) -> date:
    """The same day `months` later; the month's last day where it has no such day."""
    total = day.year * 12 + day.month - 1 + months
    year, month = divmod(total, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def add_calendar(day: date, unit: WindowUnit, count: int) -> date:
    """The day `count` calendar days, months or years later; negative: earlier."""
    if unit is WindowUnit.CALENDAR_DAYS:
        return day + count * DAY
    return add_months(day, count * (12 if unit is WindowUnit.YEARS else 1))


def last_day_within(day: date, months: int) -> date:
    """The last day whose window of `months` calendar months back still holds `day`.

    31 August minus 6 months is 28 February, so 28 February stays within until 31 August.
    """
    candidate = add_months(day, months)
    while add_months(candidate + DAY, -months) <= day:
        candidate += DAY
    while add_months(candidate, -months) > day:
        candidate -= DAY
    return candidate


def completed_years(born: date, on: date) -> int:
    """Age in completed years; born on 29 February completes on 1 March of a common year."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def next_birthday(born: date, on: date) -> date:
    """The first day after `on` at which another year is completed."""
    year = born.year + completed_years(born, on) + 1
    try:
        return born.replace(year=year)
    except ValueError:  # 29 February in a common year
        return date(year, 3, 1)


def partial_days(text: str) -> tuple[date, date]:
    """First and last day of `2019`, `2019-05` or `2019-05-03`. Raises ValueError."""
    found = _PARTIAL.fullmatch(text)
    if not found:
        raise ValueError("not a partial date")
    year, month, day = (int(part) if part else None for part in found.groups())
    if year is None or month is None:
        return date(year or 0, 1, 1), date(year or 0, 12, 31)
    if day is None:
        return date(year, month, 1), date(year, month, monthrange(year, month)[1])
    return date(year, month, day), date(year, month, day)


class Calendar:
    """The site's days. One per protocol; everything in it is cached by day."""

    def __init__(self, zone: str) -> None:
        """`zone` is an IANA name."""
        self.zone = ZoneInfo(zone)
        self.midnight = lru_cache(maxsize=8192)(self._midnight)
        self._day_of_quarter = lru_cache(maxsize=8192)(self._local_day)
        self.parse = lru_cache(maxsize=8192)(self._parse)

    def _midnight(self, day: date) -> int:
        """The first instant of the local `day`, also where the clocks skip midnight."""
        return to_us(datetime(day.year, day.month, day.day, tzinfo=self.zone))

    def _local_day(self, quarter: int) -> date:
        moment = EPOCH + timedelta(microseconds=quarter * _QUARTER_US)
        return moment.astimezone(self.zone).date()

    def day(self, instant_us: int) -> date:
        """The local day that holds the instant."""
        return self._day_of_quarter(instant_us // _QUARTER_US)

    def end_of_day(self, day: date) -> int:
        """The last microsecond of the local `day`."""
        return self.midnight(day + DAY) - 1

    def span(self, time_us: int, precision: str) -> Span:
        """The span that a `time` with its `timeprecision` stands for."""
        if precision == "second":
            return Span(time_us, time_us)
        first = self.day(time_us)
        if precision == "day":
            return Span(time_us, self.end_of_day(first))
        last = date(first.year, 12, 31)
        if precision == "month":
            last = first.replace(day=monthrange(first.year, first.month)[1])
        return Span(time_us, self.end_of_day(last))

    def begins(self, time_us: int, precision: str) -> bool:
        """Whether a span of that precision begins at the instant, in the site's zone."""
        if precision == "second":
            return True
        first = self.day(time_us)
        if precision == "year":
            first = first.replace(month=1)
        if precision in {"month", "year"}:
            first = first.replace(day=1)
        return time_us == self.midnight(first)

    def _parse(self, text: str) -> Span:
        """The span of a partial date or of an instant with its offset. Raises ValueError."""
        if len(text) <= len("2019-05-03"):
            first, last = partial_days(text)
            return Span(self.midnight(first), self.end_of_day(last))
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        return Span(to_us(moment), to_us(moment))
