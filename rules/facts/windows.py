"""Windows of time: their edges, as sure as their anchor is, and when an instant leaves them.

Who comes in: projections with a window and the moment it counts from. Who goes out: Frame.
Hours, days and weeks are exact; calendar units reach from the first to the last instant of the
site's local days, whatever the clocks did.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from rules.facts.calendar import (
    DAY,
    EXACT_US,
    FOREVER,
    Calendar,
    add_calendar,
    last_day_within,
)
from rules.model import Window
from rules.terms import Ends, WindowUnit

OUT, MAYBE, IN = 0, 1, 2


class Moment(NamedTuple):
    """When an anchor was: somewhere from `lo_us` to `hi_us`; both None: not (surely) yet."""

    lo_us: int | None
    hi_us: int | None
    until_us: int = FOREVER  # time alone may move it then
    event: str | None = None


NEVER = Moment(None, None)


class Frame(NamedTuple):
    """What lies within [in_lo, in_hi] is inside, what lies outside of [out_lo, out_hi] is not."""

    in_lo: int
    in_hi: int
    out_lo: int
    out_hi: int


ALWAYS = Frame(-FOREVER, FOREVER, -FOREVER, FOREVER)


def frame(calendar: Calendar, window: Window, lo_us: int, hi_us: int) -> Frame:
    """The window around a moment that lies somewhere from `lo_us` to `hi_us`."""
    if lo_us == hi_us:
        low, high = low_edge(calendar, window, lo_us), high_edge(calendar, window, lo_us)
        return Frame(low, high, low, high)
    return Frame(
        low_edge(calendar, window, hi_us),
        high_edge(calendar, window, lo_us),
        low_edge(calendar, window, lo_us),
        high_edge(calendar, window, hi_us),
    )


def place(frame: Frame, start_us: int, end_us: int) -> int:
    """Whether a span lies IN a frame, OUT of it, or MAYBE."""
    if end_us < frame.out_lo or start_us > frame.out_hi:
        return OUT
    return IN if start_us >= frame.in_lo and end_us <= frame.in_hi else MAYBE


def low_edge(calendar: Calendar, window: Window | None, from_us: int) -> int:
    """The first instant of a window that counts from `from_us`."""
    if window is None or window.low is None:
        return -FOREVER
    shut = window.ends in (Ends.LAST, Ends.NEITHER)
    if window.unit.exact:
        return from_us + int(window.low * EXACT_US[window.unit]) + shut
    day = add_calendar(calendar.day(from_us), window.unit, int(window.low))
    return calendar.midnight(day + DAY if shut else day)


def high_edge(calendar: Calendar, window: Window | None, from_us: int) -> int:
    """The last instant of a window that counts from `from_us`.

    A window up to the moment asked for ends with what was received by then: it has no edge.
    """
    if window is None or not closed(window):
        return FOREVER
    high = window.high or 0
    shut = window.ends in (Ends.FIRST, Ends.NEITHER)
    if window.unit.exact:
        return from_us + int(high * EXACT_US[window.unit]) - shut
    day = add_calendar(calendar.day(from_us), window.unit, int(high))
    return calendar.end_of_day(day - DAY if shut else day)


def closed(window: Window) -> bool:
    """Whether its upper end is an edge of its own."""
    if window.high is None:
        return False
    shut = window.ends in (Ends.FIRST, Ends.NEITHER)
    return window.anchor is not None or window.high != 0 or shut


def leaves(calendar: Calendar, window: Window | None, instant_us: int) -> int:
    """The first moment asked for at which `instant_us` is no longer in the window up to it."""
    if window is None or window.low is None or window.anchor is not None:
        return FOREVER
    if abs(instant_us) >= FOREVER:
        return FOREVER
    shut = window.ends in (Ends.LAST, Ends.NEITHER)
    if window.unit.exact:
        return instant_us - int(window.low * EXACT_US[window.unit]) + (not shut)
    day = calendar.day(instant_us)
    return _reached(calendar, window.unit, int(window.low), day if shut else day + DAY)


def enters(calendar: Calendar, window: Window | None, instant_us: int) -> int:
    """The first moment asked for at which `instant_us` is before the end of the window."""
    if window is None or window.anchor is not None or not closed(window):
        return FOREVER
    if abs(instant_us) >= FOREVER:
        return FOREVER
    high = window.high or 0
    shut = window.ends in (Ends.FIRST, Ends.NEITHER)
    if window.unit.exact:
        return instant_us - int(high * EXACT_US[window.unit]) + shut
    day = calendar.day(instant_us)
    return _reached(calendar, window.unit, int(high), day + DAY if shut else day)


def _reached(calendar: Calendar, unit: WindowUnit, offset: int, day: date) -> int:
    try:
        return calendar.midnight(_first_day(unit, offset, day))
    except (OverflowError, ValueError):  # beyond the year 9999
        return FOREVER


@lru_cache(maxsize=8192)
def _first_day(unit: WindowUnit, offset: int, day: date) -> date:
    """The first day whose day `offset` units on is not before `day`."""
    if unit is WindowUnit.CALENDAR_DAYS:
        return day - offset * DAY
    months = -offset * (12 if unit is WindowUnit.YEARS else 1)
    return last_day_within(day - DAY, months) + DAY


def next_change(calendar: Calendar, window: Window | None, start: int, end: int, now: int) -> int:
    """The next instant at which a span lies otherwise in the window up to the present."""
    if window is None or window.anchor is not None:
        return FOREVER
    instants = [leaves(calendar, window, start), enters(calendar, window, end)]
    if start != end:
        instants += [leaves(calendar, window, end), enters(calendar, window, start)]
    return min((instant for instant in instants if instant > now), default=FOREVER)


def reach_us(window: Window) -> int | None:
    """How far before its moment the window reaches at most; None: for ever."""
    if window.low is None:
        return None
    if window.low >= 0:
        return 0
    if window.unit.exact:
        return int(-window.low * EXACT_US[window.unit])
    longest = {WindowUnit.CALENDAR_DAYS: 1, WindowUnit.MONTHS: 31, WindowUnit.YEARS: 366}
    return int(-window.low * longest[window.unit] + 1) * EXACT_US[WindowUnit.DAYS]
