"""Days, spans and windows, found by searching: slow, and plain to see.

Written from the manual's words and not from the engine's code: no cache, no arithmetic on offsets.
Instants are microseconds since 1970 UTC.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
FIRST, LAST = -(10**18), 10**18  # before and after everything
EXACT = {"hours": HOUR, "days": DAY, "weeks": 7 * DAY}
CALENDAR = ("calendar_days", "months", "years")
ANCHORED = ("before", "after", "since", "until")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Span = tuple[int, int]


def instant(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=100_000)
def day_of(zone: str, at: int) -> date:
    """The date on the wall of the site."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=100_000)
def day_begins(zone: str, day: date) -> int:
    """The first microsecond at which the wall shows the day (or a later one), by bisection."""
    guess = instant(datetime(day.year, day.month, day.day, tzinfo=UTC))
    low, high = guess - 2 * DAY, guess + 2 * DAY
    while low < high:
        middle = (low + high) // 2
        if day_of(zone, middle) >= day:
            high = middle
        else:
            low = middle + 1
    return low


def day_ends(zone: str, day: date) -> int:
    """The last microsecond of the day."""
    return day_begins(zone, day + timedelta(days=1)) - 1


def days_of(text: str) -> tuple[date, date]:
    """First and last day of `2019`, `2019-05` or `2019-05-03`."""
    numbers = [int(part) for part in text.split("-")]
    if len(numbers) == 1:
        return date(numbers[0], 1, 1), date(numbers[0], 12, 31)
    if len(numbers) == 2:
        year, month = numbers
        return date(year, month, 1), date(year, month, monthrange(year, month)[1])
    return date(*numbers), date(*numbers)


def span_of(zone: str, text: str) -> Span:
    """A partial date, or an instant with its offset."""
    if "T" in text:
        at = instant(datetime.fromisoformat(text))
        return at, at
    first, last = days_of(text)
    return day_begins(zone, first), day_ends(zone, last)


def span_at(zone: str, at: int, precision: str) -> Span:
    """An event's time with its precision."""
    if precision == "second":
        return at, at
    text = day_of(zone, at).isoformat()
    return span_of(zone, text[: {"day": 10, "month": 7, "year": 4}[precision]])


def begins(zone: str, at: int, precision: str) -> bool:
    return span_at(zone, at, precision)[0] == at


def shift(day: date, unit: str, count: int) -> date:
    """So many calendar days, months or years on; a month that is too short ends on its last day."""
    if unit == "calendar_days":
        return day + timedelta(days=count)
    months = count * 12 if unit == "years" else count
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def age(born: date, on: date) -> int:
    """Completed years, by counting the birthdays that have been.

    Born on 29 February, the year is complete on 1 March where there is none.
    """
    years = -1
    while True:
        year = born.year + years + 1
        leap = monthrange(year, 2)[1] == 29
        birthday = date(year, 3, 1) if (born.month, born.day) == (2, 29) and not leap else None
        birthday = birthday or date(year, born.month, born.day)
        if birthday > on:
            return years
        years += 1


def extremes(span: Span, *edges: int) -> list[int]:
    """The instants of a span that can matter: its ends, and both sides of every edge inside."""
    low, high = span
    near = {low, high}
    for edge in edges:
        near |= {edge - 1, edge, edge + 1}
    return sorted(at for at in near if low <= at <= high)
