"""Where one visit of the schedule stands at an instant.

Who comes in: the subject's visits, with the anchor's span and what was told of the visit. Who goes
out: its status, how far off it is, and when time alone changes either.
Days are the site's local days; an anchor or a visit dated by a span of several days makes unknown
what does not hold for every day of it.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from rules.events import Event
from rules.facts import entities
from rules.facts.calendar import DAY, FOREVER, Calendar, Span
from rules.facts.entities import Merged
from rules.model import Visit

Told = list[Any]  # what was last told of a visit: start, end, n, whether it took place, event
START, END, N, DONE, EVENT = range(5)


class Standing(NamedTuple):
    """One visit at one instant; None: unknown."""

    status: str | None
    off_days: int | None
    due: str | None  # the day, as text
    occurred_us: int | None  # since when it stands so
    event: str | None
    next_us: int  # when time alone changes it


class _Days(NamedTuple):
    opens: date
    due: date
    closes: date


def told(event: Event, calendar: Calendar) -> Told:
    """What a procedure says of its visit: the day of its `start`, else its own time."""
    span = calendar.span(event.time_us, event.timeprecision)
    start = event.data.get("start")
    if start:
        span = calendar.parse(str(start))
    done = event.data.get("status") == "done"
    return [span.start, span.end, event.n, done, event.event]


def administered(merged: Merged, event: str | None, calendar: Calendar) -> Told:
    """What an administration says of the visit that it is."""
    start, end = entities.infusion_span(merged, calendar)
    return [start, end, 0, entities.given(merged), event]


def latest(held: Told | None, new: Told) -> Told:
    """Of two, the one that counts."""
    return new if held is None or (new[START], new[N]) >= (held[START], held[N]) else held


def counts(visit: Visit, anchor: Span, held: Told | None) -> bool:
    """Whether it was told of this visit: what ended before its anchor is of an earlier one."""
    if held is None or visit.administration is not None:
        return held is not None
    return visit.day < visit.early_days or bool(held[END] >= anchor.start)


def stand(
    visit: Visit,
    anchor: Span,
    held: Told | None,
    now_us: int,
    calendar: Calendar,
    *,
    expected: bool,
    daily: bool,
    interrupted: bool = False,
) -> Standing:
    """Where a visit stands at `now_us`. `expected`: the subject is still to come.

    `interrupted`: it took place, and not to its end.
    `daily`: somebody asks how many days off it is, so that each midnight may matter.
    """
    first, last = (
        _days(visit, calendar.day(anchor.start)),
        _days(visit, calendar.day(anchor.end)),
    )
    due = first.due.isoformat() if first == last else None
    if held is not None and counts(visit, anchor, held):
        found = _told(held, first, last, due, calendar)
        return found._replace(status="interrupted") if interrupted and held[DONE] else found
    if not expected:
        return Standing("not_due", None, due, None, None, FOREVER)
    today = calendar.day(now_us)
    status, other = _waiting(first, today), _waiting(last, today)
    next_us = min(_next(days, today, calendar, daily=daily) for days in (first, last))
    if status != other:
        return Standing(None, None, due, None, None, next_us)
    off = (today - first.due).days if first == last and status != "not_due" else None
    occurred = {"open": last.opens, "overdue": last.closes}.get(status)
    occurred_us = None
    if occurred is not None:
        ends = status == "overdue"
        occurred_us = calendar.end_of_day(occurred) if ends else calendar.midnight(occurred)
    return Standing(status, off, due, occurred_us, None, next_us)


def due_span(visit: Visit, anchor: Span, calendar: Calendar) -> Span:
    """The local day on which a visit is due; days, where the anchor's span holds several."""
    first = calendar.day(anchor.start) + visit.day * DAY
    last = calendar.day(anchor.end) + visit.day * DAY
    return Span(calendar.midnight(first), calendar.end_of_day(last))


def _days(visit: Visit, anchored: date) -> _Days:
    due = anchored + visit.day * DAY
    return _Days(due - visit.early_days * DAY, due, due + visit.late_days * DAY)


def _waiting(days: _Days, today: date) -> str:
    if today < days.opens:
        return "not_due"
    return "open" if today <= days.closes else "overdue"


def _next(days: _Days, today: date, calendar: Calendar, *, daily: bool) -> int:
    """The next midnight at which the status changes, or the days in its window and beyond."""
    if today < days.opens:
        return calendar.midnight(days.opens)
    if daily:
        return calendar.midnight(today + DAY)
    return calendar.midnight(days.closes + DAY) if today <= days.closes else FOREVER


def _told(held: Told, first: _Days, last: _Days, due: str | None, calendar: Calendar) -> Standing:
    if not held[DONE]:
        return Standing("not_done", None, due, held[START], held[EVENT], FOREVER)
    begun, ended = calendar.day(held[START]), calendar.day(held[END])
    found = {_when(days, day) for days in (first, last) for day in (begun, ended)}
    status = found.pop() if len(found) == 1 else None
    off = (begun - first.due).days if first == last and begun == ended else None
    return Standing(status, off, due, held[START], held[EVENT], FOREVER)


def _when(days: _Days, day: date) -> str:
    if day < days.opens:
        return "early"
    return "done" if day <= days.closes else "late"
